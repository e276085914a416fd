/*
 * phone_format.c
 *		Writing a phone number in the manner of its country.
 */
#include <string.h>

#include "type/phone_plan.h"

typedef struct Output
{
	char	   *text;
	int			used;
} Output;

static void
put(Output *out, const char *s, int length)
{
	if (length > CRM_PHONE_FORMATTED - 1 - out->used)
		length = CRM_PHONE_FORMATTED - 1 - out->used;
	memcpy(out->text + out->used, s, length);
	out->used += length;
	out->text[out->used] = '\0';
}

static void
put_string(Output *out, const char *s)
{
	put(out, s, (int) strlen(s));
}

/*
 * Writes national digits by a format: each group takes as many digits as the
 * least lengths of the following ones leave.  With dashes, whatever the format
 * writes between groups becomes one dash.
 */
static void
put_national(Output *out, int number, const char *national, int length, bool dashes)
{
	const PhoneFormat *format = crm_phone_format_at(number);
	int			start[8];
	int			size[8];
	int			groups = (int) strlen(format->groups) / 2;
	int			reserved = 0;
	int			at = 0;
	int			begin = out->used;
	bool		gap = false;

	if (number == 0)
	{
		put(out, national, length);
		return;
	}
	for (int i = 0; i < groups; i++)
		reserved += format->groups[i * 2] - '@';
	for (int i = 0; i < groups; i++)
	{
		int			most = format->groups[i * 2 + 1] - '@';

		reserved -= format->groups[i * 2] - '@';
		start[i] = at;
		size[i] = length - at - reserved < most ? length - at - reserved : most;
		at += size[i];
	}
	for (const char *f = format->format; *f != '\0'; f++)
	{
		if (*f == '$')
		{
			int			group = *++f - '1';

			if (gap && out->used > begin)
				put(out, "-", 1);
			gap = false;
			put(out, national + start[group], size[group]);
		}
		else if (!dashes)
			put(out, f, 1);
		else if (*f >= '0' && *f <= '9')
		{
			if (gap && out->used > begin)
				put(out, "-", 1);
			gap = false;
			put(out, f, 1);
		}
		else
			gap = true;
	}
}

static void
put_extension(Output *out, const CrmPhone *phone, const PhoneRegion *region, const char *mark)
{
	if (phone->ext_length == 0)
		return;
	if (mark == NULL)
		mark = region != NULL && region->extension_label[0] != '\0' ?
			region->extension_label : " ext. ";
	put_string(out, mark);
	put(out, phone->ext, phone->ext_length);
}

static void
put_code(Output *out, const CrmPhone *phone, int code_length)
{
	put(out, phone->digits, code_length);
}

/* Writes the number with its end (CRM_PHONE_FORMATTED); returns the length. */
int
crm_phone_format(const CrmPhone *phone, CrmPhoneStyle style, char *text)
{
	Output		out = {text, 0};
	int			code_length = 0;
	const PhoneCountry *country;
	const PhoneVerdict *verdict;
	const PhoneRegion *main_region;
	const char *national;
	int			length;

	text[0] = '\0';
	country = crm_phone_country(phone->digits, phone->length, &code_length);
	if (style == CRM_PHONE_E164 || country == NULL)
	{
		/* Without a country there is one way of writing. */
		if (style == CRM_PHONE_RFC3966)
			put_string(&out, "tel:");
		put_string(&out, "+");
		put(&out, phone->digits, phone->length);
		put_extension(&out, phone, NULL, ";ext=");
		return out.used;
	}
	national = phone->digits + code_length;
	length = phone->length - code_length;
	verdict = crm_phone_walk(country, national, length);
	main_region = crm_phone_main_region(country);

	switch (style)
	{
		case CRM_PHONE_NATIONAL:
			put_national(&out, verdict->national, national, length, false);
			put_extension(&out, phone, main_region, NULL);
			break;
		case CRM_PHONE_RFC3966:
			put_string(&out, "tel:+");
			put_code(&out, phone, code_length);
			put_string(&out, "-");
			put_national(&out, verdict->international, national, length, true);
			put_extension(&out, phone, main_region, ";ext=");
			break;
		default:
			put_string(&out, "+");
			put_code(&out, phone, code_length);
			put_string(&out, " ");
			put_national(&out, verdict->international, national, length, false);
			put_extension(&out, phone, main_region, NULL);
			break;
	}
	return out.used;
}

/* As somebody in a region would dial it; the region must exist. */
int
crm_phone_format_from(const CrmPhone *phone, const char *region, char *text)
{
	const PhoneRegion *from = crm_phone_region(region);
	int			code_length;
	const PhoneCountry *country = crm_phone_country(phone->digits, phone->length, &code_length);
	Output		out = {text, 0};

	if (from == NULL || country == NULL)
		return crm_phone_format(phone, CRM_PHONE_INTERNATIONAL, text);
	text[0] = '\0';
	if (crm_phone_country_of(from) == country)
	{
		/* Within +1 the country code is also what precedes a long-distance call. */
		if (country->code == 1)
		{
			char		national[CRM_PHONE_FORMATTED];

			crm_phone_format(phone, CRM_PHONE_NATIONAL, national);
			put_string(&out, "1 ");
			put_string(&out, national);
			return out.used;
		}
		return crm_phone_format(phone, CRM_PHONE_NATIONAL, text);
	}
	if (from->idd_single[0] == '\0')
		return crm_phone_format(phone, CRM_PHONE_INTERNATIONAL, text);
	{
		char		international[CRM_PHONE_FORMATTED];

		crm_phone_format(phone, CRM_PHONE_INTERNATIONAL, international);
		put_string(&out, from->idd_single);
		put_string(&out, " ");
		put_string(&out, international + 1);
		return out.used;
	}
}
