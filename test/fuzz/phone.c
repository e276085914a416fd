/*
 * Reading, writing and finding phone numbers.
 * sources: src/type/phone_key.c src/type/phone_plan.c src/type/phone_scan.c src/type/phone_parse.c src/type/phone_format.c src/type/check.c
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "type/phone.h"

/* What is stored must come back, in every form. */
static void
round_trip(const CrmPhone *phone)
{
	uint8_t		bytes[CRM_PHONE_MAX_BYTES];
	char		text[CRM_PHONE_TEXT];
	char		written[CRM_PHONE_FORMATTED];
	CrmPhone	again;
	CrmPhoneInfo info;
	int			length;

	assert(crm_phone_storable(phone));
	length = crm_phone_pack(phone, bytes);
	assert(crm_phone_unpack(bytes, length, &again));
	assert(crm_phone_compare(phone, &again) == 0);
	assert(crm_phone_compare_reversed(phone, &again) == 0);

	length = crm_phone_text(phone, text);
	assert(crm_phone_read_canonical(text, length, &again));
	assert(crm_phone_compare(phone, &again) == 0);

	crm_phone_info(phone, &info);
	assert(info.national_length <= phone->length);
	assert(info.kind == CRM_PHONE_UNKNOWN || info.region != NULL);
	assert(crm_phone_kind_name(info.kind) != NULL);
	for (int style = CRM_PHONE_E164; style <= CRM_PHONE_RFC3966; style++)
		assert(crm_phone_format(phone, (CrmPhoneStyle) style, written) == (int) strlen(written));
	crm_phone_format_from(phone, "RU", written);
	crm_phone_format_from(phone, "US", written);
	crm_phone_placeholder(phone);
}

static void
check_verdict(const CrmCheck *check, bool ok)
{
	assert(ok == (check->status != CRM_CHECK_BAD));
	assert((check->status == CRM_CHECK_OK) == (check->code == NULL));
	assert(check->status == CRM_CHECK_OK || check->message[0] != '\0');
	assert(strlen(check->message) < sizeof(check->message));
	assert(strlen(check->hint) < sizeof(check->hint));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const regions[] = {NULL, "RU", "US", "DE", "AR", "BR", "IT", "GB", "CN", "AG", "SM", "KZ", "XX", "MX", "GA", "001"};
	const char *region;
	char	   *text;
	CrmPhone	phone;
	CrmPhone	again;
	CrmCheck	check;
	size_t		position = 0;
	size_t		start;
	size_t		last = 0;

	if (size < 1)
		return 0;
	region = regions[data[0] % (sizeof(regions) / sizeof(regions[0]))];
	size--;

	/* A copy without anything behind it, for the sanitizer to see overruns. */
	text = malloc(size > 0 ? size : 1);
	memcpy(text, data + 1, size);

	/* What is read without asking twice is what parsing gives. */
	if (crm_phone_read_simple(text, size, region, &again))
	{
		assert(crm_phone_parse(text, size, region, &phone, &check));
		assert(crm_phone_compare(&phone, &again) == 0);
	}

	if (crm_phone_parse(text, size, region, &phone, &check))
	{
		char		canonical[CRM_PHONE_TEXT];
		int			length;

		check_verdict(&check, true);
		round_trip(&phone);
		/*
		 * Reading again what was read changes nothing, wherever one is, save
		 * that an unknown number may have one more trunk prefix.
		 */
		length = crm_phone_text(&phone, canonical);
		assert(crm_phone_parse(canonical, length, region, &again, &check));
		if (crm_phone_compare(&phone, &again) != 0)
		{
			CrmPhoneInfo info;

			crm_phone_info(&phone, &info);
			assert(info.kind == CRM_PHONE_UNKNOWN);
			crm_phone_info(&again, &info);
			assert(info.kind != CRM_PHONE_UNKNOWN);
		}
	}
	else
	{
		check_verdict(&check, false);
		if (check.suggestion[0] != '\0')
		{
			CrmCheck	second;

			assert(crm_phone_parse(check.suggestion, strlen(check.suggestion), NULL, &again, &second));
		}
	}
	if (crm_phone_read_canonical(text, size, &phone))
		round_trip(&phone);
	if (crm_phone_unpack((const uint8_t *) text, size > 12 ? 13 : (int) size, &phone) && crm_phone_storable(&phone))
		round_trip(&phone);

	/* Numbers in a text come one after another and are storable. */
	while (crm_phone_find(text, size, region, &position, &phone, &start))
	{
		assert(start >= last && position > start && position <= size);
		last = position;
		round_trip(&phone);
	}
	assert(position == size);

	{
		char		digits[CRM_PHONE_DIGITS];
		CrmPhone	low;
		CrmPhone	high;
		int			length = crm_phone_pattern_digits(text, size, true, digits);

		if (length >= 0)
			for (int from_end = 0; from_end < 2; from_end++)
			{
				crm_phone_prefix_bounds(digits, length, from_end, &low, &high);
				assert((from_end ? crm_phone_compare_reversed(&low, &high) : crm_phone_compare(&low, &high)) <= 0);
			}
	}
	free(text);
	return 0;
}
