/*
 * tax_id_ops.c
 *		What can be asked of identifiers.
 *
 * Comparison and sorting are not here: the packed forms were laid out so that
 * the server's functions for int8 and uuid do it (tax_id.h).
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "crm.h"
#include "type/check_report.h"
#include "type/tax_id_io.h"

/*
 * hashint8() folds the upper half into the lower before it hashes.  Half of
 * the bits of our words are nearly constant, and 8 of 100 OGRNs would share
 * their hash with another; so both halves are hashed.
 */
PG_FUNCTION_INFO_V1(crm_tax_id_hash);

Datum
crm_tax_id_hash(PG_FUNCTION_ARGS)
{
	uint64		word = (uint64) PG_GETARG_INT64(0);

	PG_RETURN_UINT32(hash_combine(hash_bytes_uint32((uint32) word),
								  hash_bytes_uint32((uint32) (word >> 32))));
}

PG_FUNCTION_INFO_V1(crm_tax_id_hash_extended);

Datum
crm_tax_id_hash_extended(PG_FUNCTION_ARGS)
{
	uint64		word = (uint64) PG_GETARG_INT64(0);
	uint64		seed = (uint64) PG_GETARG_INT64(1);

	PG_RETURN_UINT64(hash_combine64(hash_bytes_uint32_extended((uint32) word, seed),
									hash_bytes_uint32_extended((uint32) (word >> 32), seed)));
}

/* ---------------- a part of the canonical text ---------------- */

/* length < 0: to the end. */
static Datum
part(FunctionCallInfo fcinfo, CrmTaxIdKind kind, int start, int length)
{
	CrmTaxId	id;

	crm_tax_id_get(kind, PG_GETARG_DATUM(0), &id);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(id.text + start,
											  length < 0 ? id.length - start : length));
}

#define PART(symbol, kind, start, length) \
	PG_FUNCTION_INFO_V1(symbol); \
	Datum symbol(PG_FUNCTION_ARGS) { return part(fcinfo, kind, start, length); }

PART(crm_inn_region_code, CRM_TAX_ID_INN, 0, 2)
PART(crm_inn_tax_office, CRM_TAX_ID_INN, 0, 4)
PART(crm_kpp_region_code, CRM_TAX_ID_KPP, 0, 2)
PART(crm_kpp_tax_office, CRM_TAX_ID_KPP, 0, 4)
PART(crm_kpp_reason_code, CRM_TAX_ID_KPP, 4, 2)
PART(crm_ogrn_region_code, CRM_TAX_ID_OGRN, 3, 2)
PART(crm_vat_prefix, CRM_TAX_ID_VAT, 0, 2)
PART(crm_vat_national_number, CRM_TAX_ID_VAT, 2, -1)
PART(crm_lei_issuer, CRM_TAX_ID_LEI, 0, 4)

/* ---------------- yes or no ---------------- */

static bool
has_length(FunctionCallInfo fcinfo, CrmTaxIdKind kind, int length)
{
	CrmTaxId	id;

	crm_tax_id_get(kind, PG_GETARG_DATUM(0), &id);
	return id.length == length;
}

#define HAS_LENGTH(symbol, kind, length) \
	PG_FUNCTION_INFO_V1(symbol); \
	Datum symbol(PG_FUNCTION_ARGS) { PG_RETURN_BOOL(has_length(fcinfo, kind, length)); }

HAS_LENGTH(crm_inn_is_person, CRM_TAX_ID_INN, 12)
HAS_LENGTH(crm_inn_is_company, CRM_TAX_ID_INN, 10)
HAS_LENGTH(crm_ogrn_is_person, CRM_TAX_ID_OGRN, 15)
HAS_LENGTH(crm_ogrn_is_company, CRM_TAX_ID_OGRN, 13)

/* Organisations of other states are registered under the code 9909. */
PG_FUNCTION_INFO_V1(crm_inn_is_foreign);

Datum
crm_inn_is_foreign(PG_FUNCTION_ARGS)
{
	CrmTaxId	id;

	crm_tax_id_get(CRM_TAX_ID_INN, PG_GETARG_DATUM(0), &id);
	PG_RETURN_BOOL(id.length == 10 && memcmp(id.text, "9909", 4) == 0);
}

PG_FUNCTION_INFO_V1(crm_vat_is_in_eu);

Datum
crm_vat_is_in_eu(PG_FUNCTION_ARGS)
{
	CrmTaxId	id;

	crm_tax_id_get(CRM_TAX_ID_VAT, PG_GETARG_DATUM(0), &id);
	PG_RETURN_BOOL(crm_vat_is_eu(&id));
}

PG_FUNCTION_INFO_V1(crm_vat_iso_country);

Datum
crm_vat_iso_country(PG_FUNCTION_ARGS)
{
	CrmTaxId	id;

	crm_tax_id_get(CRM_TAX_ID_VAT, PG_GETARG_DATUM(0), &id);
	PG_RETURN_TEXT_P(cstring_to_text(crm_vat_country(&id)));
}

/* Places 2 and 3 of an OGRN: the year of the record, from 2002. */
PG_FUNCTION_INFO_V1(crm_ogrn_record_year);

Datum
crm_ogrn_record_year(PG_FUNCTION_ARGS)
{
	CrmTaxId	id;

	crm_tax_id_get(CRM_TAX_ID_OGRN, PG_GETARG_DATUM(0), &id);
	PG_RETURN_INT32(2000 + (id.text[1] - '0') * 10 + id.text[2] - '0');
}

/* ---------------- numbers that lost their leading zeros ---------------- */

/* Digits of the number, zeros before it up to one of the kind's lengths. */
static Datum
from_bigint(FunctionCallInfo fcinfo, CrmTaxIdKind kind, int shorter, int longer)
{
	int64		number = PG_GETARG_INT64(0);
	char		text[32];
	int			length = snprintf(text, sizeof(text), "%0*lld", shorter, (long long) number);
	CrmTaxId	id;
	CrmCheck	check;

	if (length > shorter)
		length = snprintf(text, sizeof(text), "%0*lld", longer, (long long) number);
	if (!crm_tax_id_check_text(kind, text, length, &id, &check) || number < 0)
	{
		snprintf(text, sizeof(text), "%lld", (long long) number);
		if (number < 0)
			crm_check_set(&check, CRM_CHECK_BAD, "TAX_ID_NEGATIVE", 0, "The number is negative.");
		crm_report_bad(NULL, crm_tax_id_type(kind), text, strlen(text), &check);
	}
	return crm_tax_id_datum(kind, &id);
}

#define FROM_BIGINT(symbol, kind, shorter, longer) \
	PG_FUNCTION_INFO_V1(symbol); \
	Datum symbol(PG_FUNCTION_ARGS) { return from_bigint(fcinfo, kind, shorter, longer); }

FROM_BIGINT(crm_inn_from_bigint, CRM_TAX_ID_INN, 10, 12)
FROM_BIGINT(crm_ogrn_from_bigint, CRM_TAX_ID_OGRN, 13, 15)
FROM_BIGINT(crm_snils_from_bigint, CRM_TAX_ID_SNILS, 11, 11)

/* ---------------- VAT numbers without prefix ---------------- */

static bool
check_national(FunctionCallInfo fcinfo, CrmTaxId *id, CrmCheck *check)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	text	   *country = PG_GETARG_TEXT_PP(1);

	id->length = 0;
	id->text[0] = '\0';
	crm_check_init(check);
	return !crm_check_length(check, VARSIZE_ANY_EXHDR(value)) &&
		crm_vat_read_national(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value),
							  VARDATA_ANY(country), VARSIZE_ANY_EXHDR(country), id, check);
}

PG_FUNCTION_INFO_V1(crm_vat_from_national);

Datum
crm_vat_from_national(PG_FUNCTION_ARGS)
{
	CrmTaxId	id;
	CrmCheck	check;

	if (!check_national(fcinfo, &id, &check))
	{
		text	   *value = PG_GETARG_TEXT_PP(0);

		crm_report_bad(NULL, "crm.vat", VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), &check);
	}
	return crm_tax_id_datum(CRM_TAX_ID_VAT, &id);
}

PG_FUNCTION_INFO_V1(crm_vat_try_national);

Datum
crm_vat_try_national(PG_FUNCTION_ARGS)
{
	CrmTaxId	id;
	CrmCheck	check;

	if (check_national(fcinfo, &id, &check))
		return crm_tax_id_datum(CRM_TAX_ID_VAT, &id);
	PG_RETURN_NULL();
}

PG_FUNCTION_INFO_V1(crm_vat_check_national);

Datum
crm_vat_check_national(PG_FUNCTION_ARGS)
{
	CrmTaxId	id;
	CrmCheck	check;

	check_national(fcinfo, &id, &check);
	return crm_check_row(fcinfo, &check, id.text, id.length);
}

/* ---------------- texts of unknown kind ---------------- */

static CrmTaxIdKind
kind_of(FunctionCallInfo fcinfo, CrmTaxId *id)
{
	text	   *value = PG_GETARG_TEXT_PP(0);

	if (VARSIZE_ANY_EXHDR(value) > CRM_MAX_INPUT)
		return CRM_TAX_ID_NONE;
	return crm_tax_id_kind(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), id);
}

PG_FUNCTION_INFO_V1(crm_tax_id_kind_name);

Datum
crm_tax_id_kind_name(PG_FUNCTION_ARGS)
{
	CrmTaxId	id;
	CrmTaxIdKind kind = kind_of(fcinfo, &id);

	if (kind == CRM_TAX_ID_NONE)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(crm_tax_id_name(kind)));
}

PG_FUNCTION_INFO_V1(crm_tax_id_canonical);

Datum
crm_tax_id_canonical(PG_FUNCTION_ARGS)
{
	CrmTaxId	id;

	if (kind_of(fcinfo, &id) == CRM_TAX_ID_NONE)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(id.text, id.length));
}

PG_FUNCTION_INFO_V1(crm_tax_id_check_any);

Datum
crm_tax_id_check_any(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	CrmTaxId	id = {0};
	CrmCheck	check;

	crm_check_init(&check);
	if (!crm_check_length(&check, VARSIZE_ANY_EXHDR(value)))
		crm_tax_id_read_any(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), &id, &check);
	return crm_check_row(fcinfo, &check, id.text, id.length);
}

/* (inn, kpp, code, message); all of a refused text but code and message NULL. */
PG_FUNCTION_INFO_V1(crm_tax_id_split_pair);

Datum
crm_tax_id_split_pair(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	CrmTaxId	inn = {0},
				kpp = {0};
	CrmCheck	check;
	TupleDesc	tupdesc;
	Datum		values[4] = {0};
	bool		nulls[4] = {true, true, true, true};

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE ||
		tupdesc->natts != 4)
		elog(ERROR, "return type must be (inn, kpp, code, message)");
	tupdesc = BlessTupleDesc(tupdesc);

	crm_check_init(&check);
	if (!crm_check_length(&check, VARSIZE_ANY_EXHDR(value)) &&
		crm_tax_id_split_inn_kpp(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value),
								 &inn, &kpp, &check))
	{
		values[0] = crm_tax_id_datum(CRM_TAX_ID_INN, &inn);
		nulls[0] = false;
		if (kpp.length > 0)
		{
			values[1] = crm_tax_id_datum(CRM_TAX_ID_KPP, &kpp);
			nulls[1] = false;
		}
	}
	if (check.code != NULL)
	{
		values[2] = CStringGetTextDatum(check.code);
		values[3] = CStringGetTextDatum(check.message);
		nulls[2] = nulls[3] = false;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(tupdesc, values, nulls)));
}
