/*
 * phone_facts.c
 *		Parts of a phone number and what the numbering plans say of it.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "crm.h"
#include "type/phone_datum.h"

PG_FUNCTION_INFO_V1(crm_phone_country_code);
PG_FUNCTION_INFO_V1(crm_phone_national_number);
PG_FUNCTION_INFO_V1(crm_phone_extension);
PG_FUNCTION_INFO_V1(crm_phone_base);
PG_FUNCTION_INFO_V1(crm_phone_e164);
PG_FUNCTION_INFO_V1(crm_phone_region_of);
PG_FUNCTION_INFO_V1(crm_phone_type_of);
PG_FUNCTION_INFO_V1(crm_phone_is_possible);
PG_FUNCTION_INFO_V1(crm_phone_is_valid);
PG_FUNCTION_INFO_V1(crm_phone_is_valid_for);
PG_FUNCTION_INFO_V1(crm_phone_is_placeholder);
PG_FUNCTION_INFO_V1(crm_phone_is_region);
PG_FUNCTION_INFO_V1(crm_phone_write);
PG_FUNCTION_INFO_V1(crm_phone_write_from);
PG_FUNCTION_INFO_V1(crm_phone_same_number);
PG_FUNCTION_INFO_V1(crm_phone_mask);
PG_FUNCTION_INFO_V1(crm_phone_version);

static text *
text_of(const char *s, int length)
{
	return cstring_to_text_with_len(s, length);
}

static void
get_info(FunctionCallInfo fcinfo, CrmPhone *phone, CrmPhoneInfo *info)
{
	PG_GETARG_CRM_PHONE(0, phone);
	crm_phone_info(phone, info);
}

Datum
crm_phone_country_code(PG_FUNCTION_ARGS)
{
	CrmPhone	phone;
	CrmPhoneInfo info;

	get_info(fcinfo, &phone, &info);
	if (info.country_code == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT32(info.country_code);
}

Datum
crm_phone_national_number(PG_FUNCTION_ARGS)
{
	CrmPhone	phone;
	CrmPhoneInfo info;

	get_info(fcinfo, &phone, &info);
	if (info.country_code == 0)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(text_of(info.national, info.national_length));
}

Datum
crm_phone_extension(PG_FUNCTION_ARGS)
{
	CrmPhone	phone;

	PG_GETARG_CRM_PHONE(0, &phone);
	if (phone.ext_length == 0)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(text_of(phone.ext, phone.ext_length));
}

Datum
crm_phone_base(PG_FUNCTION_ARGS)
{
	CrmPhone	phone;

	PG_GETARG_CRM_PHONE(0, &phone);
	phone.ext_length = 0;
	PG_RETURN_DATUM(crm_phone_datum(&phone));
}

Datum
crm_phone_e164(PG_FUNCTION_ARGS)
{
	CrmPhone	phone;
	char		written[CRM_PHONE_TEXT];

	PG_GETARG_CRM_PHONE(0, &phone);
	phone.ext_length = 0;
	PG_RETURN_TEXT_P(text_of(written, crm_phone_text(&phone, written)));
}

Datum
crm_phone_region_of(PG_FUNCTION_ARGS)
{
	CrmPhone	phone;
	CrmPhoneInfo info;

	get_info(fcinfo, &phone, &info);
	if (info.region == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(info.region));
}

Datum
crm_phone_type_of(PG_FUNCTION_ARGS)
{
	CrmPhone	phone;
	CrmPhoneInfo info;

	get_info(fcinfo, &phone, &info);
	PG_RETURN_TEXT_P(cstring_to_text(crm_phone_kind_name(info.kind)));
}

Datum
crm_phone_is_possible(PG_FUNCTION_ARGS)
{
	CrmPhone	phone;
	CrmPhoneInfo info;

	get_info(fcinfo, &phone, &info);
	PG_RETURN_BOOL(info.possible);
}

Datum
crm_phone_is_valid(PG_FUNCTION_ARGS)
{
	CrmPhone	phone;
	CrmPhoneInfo info;

	get_info(fcinfo, &phone, &info);
	PG_RETURN_BOOL(info.kind != CRM_PHONE_UNKNOWN);
}

Datum
crm_phone_is_valid_for(PG_FUNCTION_ARGS)
{
	CrmPhone	phone;
	CrmPhoneInfo info;
	text	   *region = PG_GETARG_TEXT_PP(1);
	char		id[4];

	get_info(fcinfo, &phone, &info);
	/* The numbers of no country: +800, +870 ... */
	if (VARSIZE_ANY_EXHDR(region) == 3 && memcmp(VARDATA_ANY(region), "001", 3) == 0)
		PG_RETURN_BOOL(info.kind != CRM_PHONE_UNKNOWN && strcmp(info.region, "001") == 0);
	crm_phone_region_argument(fcinfo, 1, id);
	PG_RETURN_BOOL(crm_phone_valid_for(&phone, id));
}

Datum
crm_phone_is_region(PG_FUNCTION_ARGS)
{
	text	   *region = PG_GETARG_TEXT_PP(0);

	PG_RETURN_BOOL(crm_phone_region_exists(VARDATA_ANY(region), VARSIZE_ANY_EXHDR(region)));
}

Datum
crm_phone_is_placeholder(PG_FUNCTION_ARGS)
{
	CrmPhone	phone;

	PG_GETARG_CRM_PHONE(0, &phone);
	PG_RETURN_BOOL(crm_phone_placeholder(&phone));
}

Datum
crm_phone_write(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"e164", "international", "national", "rfc3966"};
	CrmPhone	phone;
	char	   *style = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char		written[CRM_PHONE_FORMATTED];

	for (int i = 0; i < lengthof(names); i++)
		if (strcmp(style, names[i]) == 0)
		{
			PG_GETARG_CRM_PHONE(0, &phone);
			PG_RETURN_TEXT_P(text_of(written, crm_phone_format(&phone, (CrmPhoneStyle) i, written)));
		}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown style of phone number \"%s\"", style),
			 errhint("Styles are international, national, rfc3966 and e164.")));
}

Datum
crm_phone_write_from(PG_FUNCTION_ARGS)
{
	CrmPhone	phone;
	char		region[4];
	char		written[CRM_PHONE_FORMATTED];

	PG_GETARG_CRM_PHONE(0, &phone);
	crm_phone_region_argument(fcinfo, 1, region);
	PG_RETURN_TEXT_P(text_of(written, crm_phone_format_from(&phone, region, written)));
}

/*
 * How far two numbers are the same.  A shorter national number counts as the
 * end of a longer one from seven digits on: fewer agree by chance.
 */
Datum
crm_phone_same_number(PG_FUNCTION_ARGS)
{
	CrmPhone	a;
	CrmPhone	b;
	CrmPhoneInfo a_info;
	CrmPhoneInfo b_info;
	const char *answer = "no";
	int			common;

	PG_GETARG_CRM_PHONE(0, &a);
	PG_GETARG_CRM_PHONE(1, &b);
	crm_phone_info(&a, &a_info);
	crm_phone_info(&b, &b_info);
	common = Min(a_info.national_length, b_info.national_length);
	if (crm_phone_compare(&a, &b) == 0)
		answer = "exact";
	else if (strcmp(a.digits, b.digits) == 0)
		answer = "ext_differs";
	else if (a_info.country_code == b_info.country_code && common >= 7 &&
			 memcmp(a_info.national + a_info.national_length - common,
					b_info.national + b_info.national_length - common, common) == 0 &&
			 (a.ext_length == 0 || b.ext_length == 0 || strcmp(a.ext, b.ext) == 0))
		answer = "nsn_suffix";
	PG_RETURN_TEXT_P(cstring_to_text(answer));
}

/* "+7********67": country code and last two digits, for logs and screens. */
Datum
crm_phone_mask(PG_FUNCTION_ARGS)
{
	CrmPhone	phone;
	CrmPhoneInfo info;
	char		written[CRM_PHONE_TEXT];
	int			shown;
	int			length;

	get_info(fcinfo, &phone, &info);
	shown = phone.length - info.national_length;
	length = crm_phone_text(&phone, written);
	for (int i = 1 + shown; i < 1 + phone.length - 2; i++)
		written[i] = '*';
	if (phone.ext_length > 0)
		memset(written + length - phone.ext_length, '*', phone.ext_length);
	PG_RETURN_TEXT_P(text_of(written, length));
}

/* The version of the numbering plans that the module was built with. */
Datum
crm_phone_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(crm_phone_metadata_version()));
}
