/*
 * tax_id_io.c
 *		Input, output, crm.try_...() and crm.check_...() of the identifiers.
 *
 * One function a task, its kind an argument; at the end a macro gives each type
 * its own entry points.
 */
#include "postgres.h"

#include "libpq/pqformat.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

#include "crm.h"
#include "type/check_report.h"
#include "type/tax_id_io.h"

/* First byte of the binary form; the canonical text follows. */
#define BINARY_VERSION 1

Datum
crm_tax_id_datum(CrmTaxIdKind kind, const CrmTaxId *id)
{
	uint64_t	words[2];
	uint64	   *stored;

	crm_tax_id_pack(kind, id, words);
	if (crm_tax_id_words(kind) == 1)
		return Int64GetDatum((int64) words[0]);
	stored = (uint64 *) palloc(UUID_LEN);
	stored[0] = pg_hton64(words[0]);
	stored[1] = pg_hton64(words[1]);
	return PointerGetDatum(stored);
}

void
crm_tax_id_get(CrmTaxIdKind kind, Datum datum, CrmTaxId *id)
{
	uint64		words[2];

	if (crm_tax_id_words(kind) == 1)
		words[0] = (uint64) DatumGetInt64(datum);
	else
	{
		/* alignment is that of char */
		memcpy(words, DatumGetPointer(datum), UUID_LEN);
		words[0] = pg_ntoh64(words[0]);
		words[1] = pg_ntoh64(words[1]);
	}
	if (!crm_tax_id_unpack(kind, (const uint64_t *) words, id))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored value of type %s is damaged", crm_tax_id_type(kind))));
}

bool
crm_tax_id_check_text(CrmTaxIdKind kind, const char *value, size_t length,
					  CrmTaxId *id, CrmCheck *check)
{
	crm_check_init(check);
	return !crm_check_length(check, length) &&
		crm_tax_id_read(kind, value, length, id, check);
}

static Datum
tax_id_in(FunctionCallInfo fcinfo, CrmTaxIdKind kind)
{
	char	   *value = PG_GETARG_CSTRING(0);
	size_t		length = strlen(value);
	CrmTaxId	id;
	CrmCheck	check;

	if (crm_tax_id_check_text(kind, value, length, &id, &check))
		return crm_tax_id_datum(kind, &id);
	crm_report_bad(crm_escontext(fcinfo), crm_tax_id_type(kind), value, length, &check);
	PG_RETURN_NULL();
}

static Datum
tax_id_out(FunctionCallInfo fcinfo, CrmTaxIdKind kind)
{
	CrmTaxId	id;

	crm_tax_id_get(kind, PG_GETARG_DATUM(0), &id);
	PG_RETURN_CSTRING(pnstrdup(id.text, id.length));
}

/* The text must be the canonical one: what tax_id_send() writes. */
static Datum
tax_id_recv(FunctionCallInfo fcinfo, CrmTaxIdKind kind)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgbyte(message);
	int			length = message->len - message->cursor;
	const char *value = pq_getmsgbytes(message, length);
	CrmTaxId	id;
	CrmCheck	check;

	if (version != BINARY_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("binary format %d of type %s is not known",
						version, crm_tax_id_type(kind)),
				 errhint("The sender may be of a newer version.")));
	if (!crm_tax_id_check_text(kind, value, length, &id, &check))
		crm_report_bad(NULL, crm_tax_id_type(kind), value, length, &check);
	if (id.length != length || memcmp(id.text, value, length) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("binary value of type %s is not in canonical form",
						crm_tax_id_type(kind))));
	return crm_tax_id_datum(kind, &id);
}

static Datum
tax_id_send(FunctionCallInfo fcinfo, CrmTaxIdKind kind)
{
	StringInfoData message;
	CrmTaxId	id;

	crm_tax_id_get(kind, PG_GETARG_DATUM(0), &id);
	pq_begintypsend(&message);
	pq_sendbyte(&message, BINARY_VERSION);
	pq_sendbytes(&message, id.text, id.length);
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

static Datum
tax_id_from_text(FunctionCallInfo fcinfo, CrmTaxIdKind kind, bool try)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	CrmTaxId	id;
	CrmCheck	check;

	if (crm_tax_id_check_text(kind, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), &id, &check))
		return crm_tax_id_datum(kind, &id);
	if (!try)
		crm_report_bad(NULL, crm_tax_id_type(kind), VARDATA_ANY(value),
					   VARSIZE_ANY_EXHDR(value), &check);
	PG_RETURN_NULL();
}

static Datum
tax_id_to_text(FunctionCallInfo fcinfo, CrmTaxIdKind kind)
{
	CrmTaxId	id;

	crm_tax_id_get(kind, PG_GETARG_DATUM(0), &id);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(id.text, id.length));
}

static Datum
tax_id_check(FunctionCallInfo fcinfo, CrmTaxIdKind kind)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	CrmTaxId	id = {0};
	CrmCheck	check;

	crm_tax_id_check_text(kind, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), &id, &check);
	return crm_check_row(fcinfo, &check, id.text, id.length);
}

static Datum
tax_id_format(FunctionCallInfo fcinfo, CrmTaxIdKind kind)
{
	CrmTaxId	id;
	char		buffer[CRM_TAX_ID_FORMAT_SIZE];

	crm_tax_id_get(kind, PG_GETARG_DATUM(0), &id);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(buffer, crm_tax_id_format(kind, &id, buffer)));
}

#define ENTRY_POINT(symbol, call) \
	PG_FUNCTION_INFO_V1(symbol); \
	Datum symbol(PG_FUNCTION_ARGS) { return call; }

#define ENTRY_POINTS(type, kind) \
	ENTRY_POINT(crm_##type##_in, tax_id_in(fcinfo, kind)) \
	ENTRY_POINT(crm_##type##_out, tax_id_out(fcinfo, kind)) \
	ENTRY_POINT(crm_##type##_recv, tax_id_recv(fcinfo, kind)) \
	ENTRY_POINT(crm_##type##_send, tax_id_send(fcinfo, kind)) \
	ENTRY_POINT(crm_##type##_from_text, tax_id_from_text(fcinfo, kind, false)) \
	ENTRY_POINT(crm_##type##_to_text, tax_id_to_text(fcinfo, kind)) \
	ENTRY_POINT(crm_##type##_try, tax_id_from_text(fcinfo, kind, true)) \
	ENTRY_POINT(crm_##type##_check, tax_id_check(fcinfo, kind)) \
	ENTRY_POINT(crm_##type##_format, tax_id_format(fcinfo, kind))

ENTRY_POINTS(inn, CRM_TAX_ID_INN)
ENTRY_POINTS(kpp, CRM_TAX_ID_KPP)
ENTRY_POINTS(ogrn, CRM_TAX_ID_OGRN)
ENTRY_POINTS(snils, CRM_TAX_ID_SNILS)
ENTRY_POINTS(vat, CRM_TAX_ID_VAT)
ENTRY_POINTS(lei, CRM_TAX_ID_LEI)
