/*
 * phone_io.c
 *		Phone numbers in and out of the server.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "crm.h"
#include "type/check_report.h"
#include "type/phone_datum.h"
#include "type/phone_scan.h"

#define BINARY_VERSION 1

Datum
crm_phone_datum(const CrmPhone *phone)
{
	uint8		bytes[CRM_PHONE_MAX_BYTES];
	int			length = crm_phone_pack(phone, bytes);
	struct varlena *value = palloc(VARHDRSZ_SHORT + length);

	SET_VARSIZE_SHORT(value, VARHDRSZ_SHORT + length);
	memcpy(VARDATA_SHORT(value), bytes, length);
	return PointerGetDatum(value);
}

void
crm_phone_of_bytes(const uint8 *bytes, int length, CrmPhone *phone)
{
	if (!crm_phone_unpack(bytes, length, phone))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored value of type crm.phone is malformed")));
}

static const char *
default_region(void)
{
	return crm_default_region != NULL && crm_default_region[0] != '\0' ?
		crm_default_region : NULL;
}

/* The checker reads UTF-8; in a database of another encoding it gets that. */
static bool
parse(const char *s, size_t length, const char *region, CrmPhone *phone, CrmCheck *check)
{
	if (GetDatabaseEncoding() != PG_UTF8 && length <= CRM_MAX_INPUT)
	{
		char	   *converted = pg_server_to_any(s, (int) length, PG_UTF8);

		if (converted != s)
			return crm_phone_parse(converted, strlen(converted), region, phone, check);
	}
	return crm_phone_parse(s, length, region, phone, check);
}

void
crm_phone_region_argument(FunctionCallInfo fcinfo, int n, char region[4])
{
	text	   *value;
	int			length;

	region[0] = '\0';
	if (PG_ARGISNULL(n))
		return;
	value = PG_GETARG_TEXT_PP(n);
	length = VARSIZE_ANY_EXHDR(value);
	if (!crm_phone_region_exists(VARDATA_ANY(value), length))
	{
		char		shown[64];

		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown region \"%s\"",
						crm_printable(shown, sizeof(shown), VARDATA_ANY(value), length)),
				 errhint("A region is two upper-case letters of ISO 3166-1, such as RU or DE.")));
	}
	memcpy(region, VARDATA_ANY(value), 2);
	region[2] = '\0';
}

PG_FUNCTION_INFO_V1(crm_phone_in);
PG_FUNCTION_INFO_V1(crm_phone_out);
PG_FUNCTION_INFO_V1(crm_phone_recv);
PG_FUNCTION_INFO_V1(crm_phone_send);
PG_FUNCTION_INFO_V1(crm_phone_make);
PG_FUNCTION_INFO_V1(crm_phone_try);
PG_FUNCTION_INFO_V1(crm_phone_try_region);
PG_FUNCTION_INFO_V1(crm_phone_check);
PG_FUNCTION_INFO_V1(crm_phone_split);

/*
 * What the output function wrote comes back as it was, before any numbering
 * plan is asked: a dump must never fail or change because plans did.
 */
Datum
crm_phone_in(PG_FUNCTION_ARGS)
{
	char	   *s = PG_GETARG_CSTRING(0);
	size_t		length = strlen(s);
	CrmPhone	phone;
	CrmCheck	check;

	if (!crm_phone_read_canonical(s, length, &phone) &&
		!crm_phone_read_simple(s, length, default_region(), &phone) &&
		!parse(s, length, default_region(), &phone, &check))
	{
		crm_report_bad(crm_escontext(fcinfo), "crm.phone", s, length, &check);
		PG_RETURN_NULL();
	}
	PG_RETURN_DATUM(crm_phone_datum(&phone));
}

Datum
crm_phone_out(PG_FUNCTION_ARGS)
{
	CrmPhone	phone;
	char	   *text = palloc(CRM_PHONE_TEXT);

	PG_GETARG_CRM_PHONE(0, &phone);
	crm_phone_text(&phone, text);
	PG_RETURN_CSTRING(text);
}

static int
recv_digits(StringInfo buffer, int most, char *digits)
{
	int			length = pq_getmsgbyte(buffer);

	if (length > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid digits in external value of type crm.phone")));
	memcpy(digits, pq_getmsgbytes(buffer, length), length);
	digits[length] = '\0';
	return length;
}

Datum
crm_phone_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgbyte(buffer);
	CrmPhone	phone;

	if (version != BINARY_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported version %d of external value of type crm.phone", version)));
	phone.length = recv_digits(buffer, CRM_PHONE_DIGITS, phone.digits);
	phone.ext_length = recv_digits(buffer, CRM_PHONE_EXTENSION, phone.ext);
	if (!crm_phone_storable(&phone))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid digits in external value of type crm.phone")));
	PG_RETURN_DATUM(crm_phone_datum(&phone));
}

Datum
crm_phone_send(PG_FUNCTION_ARGS)
{
	CrmPhone	phone;
	StringInfoData buffer;

	PG_GETARG_CRM_PHONE(0, &phone);
	pq_begintypsend(&buffer);
	pq_sendbyte(&buffer, BINARY_VERSION);
	pq_sendbyte(&buffer, phone.length);
	pq_sendbytes(&buffer, phone.digits, phone.length);
	pq_sendbyte(&buffer, phone.ext_length);
	pq_sendbytes(&buffer, phone.ext, phone.ext_length);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

/* crm.phone(text, region) */
Datum
crm_phone_make(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	char		region[4];
	CrmPhone	phone;
	CrmCheck	check;

	crm_phone_region_argument(fcinfo, 1, region);
	if (!crm_phone_read_simple(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), region, &phone) &&
		!parse(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), region, &phone, &check))
		crm_report_bad(NULL, "crm.phone", VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), &check);
	PG_RETURN_DATUM(crm_phone_datum(&phone));
}

static Datum
try(FunctionCallInfo fcinfo, const char *region)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	CrmPhone	phone;
	CrmCheck	check;

	if (!crm_phone_read_simple(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), region, &phone) &&
		!parse(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), region, &phone, &check))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(crm_phone_datum(&phone));
}

Datum
crm_phone_try(PG_FUNCTION_ARGS)
{
	return try(fcinfo, default_region());
}

Datum
crm_phone_try_region(PG_FUNCTION_ARGS)
{
	char		region[4];

	crm_phone_region_argument(fcinfo, 1, region);
	return try(fcinfo, region);
}

Datum
crm_phone_check(PG_FUNCTION_ARGS)
{
	text	   *value;
	char		region[4];
	char		canonical[CRM_PHONE_TEXT];
	CrmPhone	phone;
	CrmCheck	check;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	value = PG_GETARG_TEXT_PP(0);
	crm_phone_region_argument(fcinfo, 1, region);
	if (!parse(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value),
			   region[0] != '\0' ? region : default_region(), &phone, &check))
		return crm_check_row(fcinfo, &check, NULL, 0);
	return crm_check_row(fcinfo, &check, canonical, crm_phone_text(&phone, canonical));
}

/* What divides a text of several numbers; a word or a sign. */
static bool
is_divider(const char *s, size_t length, size_t at, size_t *size)
{
	static const char *const words[] = {" и ", " или ", " and ", " or ", " oder ", " und "};
	unsigned char c = s[at];

	*size = 1;
	if (c == ',' || c == ';' || c == '/' || c == '|' || c == '\n')
		return true;
	for (int i = 0; i < lengthof(words); i++)
	{
		*size = strlen(words[i]);
		if (length - at >= *size && memcmp(s + at, words[i], *size) == 0)
			return true;
	}
	return false;
}

/* Adds a stretch of the text to the rest, without what stands at its ends. */
static void
append_rest(StringInfo rest, const char *s, size_t from, size_t to)
{
	bool		label;
	size_t		end = from;

	from = Min(crm_phone_skip_tail(s, to, from), to);
	from = Min(crm_phone_skip_lead(s, to, from, &label), to);
	from = Min(crm_phone_skip_tail(s, to, from), to);
	/* Where what remains is only punctuation, the text ends. */
	for (size_t at = from; at < to;)
	{
		if (crm_phone_skip_tail(s, to, at) == to)
			break;
		at += crm_phone_char(s, to, at).bytes;
		end = at;
	}
	if (end <= from)
		return;
	if (rest->len > 0)
		appendStringInfoChar(rest, ' ');
	appendBinaryStringInfo(rest, s + from, (int) (end - from));
}

static void
put_split_row(ReturnSetInfo *result, const CrmPhone *phone, StringInfo rest)
{
	Datum		values[2] = {0};
	bool		nulls[2] = {true, true};

	if (phone != NULL)
	{
		values[0] = crm_phone_datum(phone);
		nulls[0] = false;
	}
	if (rest->len > 0)
	{
		values[1] = PointerGetDatum(cstring_to_text_with_len(rest->data, rest->len));
		nulls[1] = false;
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	resetStringInfo(rest);
}

/*
 * The numbers of a text, one a row, each with the words that stand by it: those
 * up to the first divider after a number belong to it, what follows to the next
 * one.
 */
Datum
crm_phone_split(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	text	   *value;
	const char *s;
	size_t		length;
	size_t		position = 0;
	size_t		last_end = 0;
	size_t		start;
	char		region[4];
	const char *home;
	CrmPhone	current;
	CrmPhone	next;
	bool		have_current = false;
	StringInfoData rest;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	crm_phone_region_argument(fcinfo, 1, region);
	home = region[0] != '\0' ? region : default_region();
	value = PG_GETARG_TEXT_PP(0);
	s = VARDATA_ANY(value);
	length = VARSIZE_ANY_EXHDR(value);
	initStringInfo(&rest);

	for (;;)
	{
		bool		found = crm_phone_find(s, length, home, &position, &next, &start);
		size_t		gap_end = found ? start : length;
		size_t		cut = gap_end;
		size_t		divider = 0;

		if (have_current)
		{
			if (found)
			{
				cut = last_end;
				while (cut < gap_end && !is_divider(s, gap_end, cut, &divider))
					cut++;
				if (cut == gap_end)
					divider = 0;
			}
			append_rest(&rest, s, last_end, cut);
			put_split_row(result, &current, &rest);
			cut += divider;
		}
		else
			cut = last_end;
		append_rest(&rest, s, cut, gap_end);
		if (!found)
			break;
		current = next;
		have_current = true;
		last_end = position;
		CHECK_FOR_INTERRUPTS();
	}
	if (!have_current && rest.len > 0)
		put_split_row(result, NULL, &rest);
	return (Datum) 0;
}
