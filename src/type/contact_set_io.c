/*
 * contact_set_io.c
 *		Input, output, casts and the portable form of crm.contact_set.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "crm.h"
#include "type/check_report.h"
#include "type/contact_set_datum.h"

#define TYPE_NAME "crm.contact_set"

/* First byte of the binary form; the portable form of Roaring follows. */
#define BINARY_VERSION 1

PG_FUNCTION_INFO_V1(crm_contact_set_in);
PG_FUNCTION_INFO_V1(crm_contact_set_out);
PG_FUNCTION_INFO_V1(crm_contact_set_recv);
PG_FUNCTION_INFO_V1(crm_contact_set_send);
PG_FUNCTION_INFO_V1(crm_contact_set_try);
PG_FUNCTION_INFO_V1(crm_contact_set_check);
PG_FUNCTION_INFO_V1(crm_contact_set_from_array);
PG_FUNCTION_INFO_V1(crm_contact_set_to_array);
PG_FUNCTION_INFO_V1(crm_contact_set_from_roaring);
PG_FUNCTION_INFO_V1(crm_contact_set_to_roaring);

Datum
crm_contact_set_in(PG_FUNCTION_ARGS)
{
	char	   *value = PG_GETARG_CSTRING(0);
	size_t		length = strlen(value);
	CrmCheck	check;
	CrmSet	   *set = crm_set_read_text(value, length, &crm_set_server, &check);

	if (set != NULL)
		PG_RETURN_CRM_SET(set);
	crm_report_bad(crm_escontext(fcinfo), TYPE_NAME, value, length, &check);
	PG_RETURN_NULL();
}

static char *
text_of(const CrmSet *set, size_t *length)
{
	return crm_set_write_text(set, CRM_SET_MAX_TEXT, &crm_set_server, length);
}

Datum
crm_contact_set_out(PG_FUNCTION_ARGS)
{
	size_t		length;

	PG_RETURN_CSTRING(text_of(PG_GETARG_CRM_SET(0), &length));
}

static CrmSet *
receive(const char *bytes, size_t size)
{
	CrmCheck	check;
	CrmSet	   *set;

	crm_check_init(&check);
	set = crm_set_read_roaring((const uint8_t *) bytes, size, &crm_set_server, &check);
	if (set == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value of type %s", TYPE_NAME),
				 errdetail("%s: %s", check.code, check.message)));
	return set;
}

Datum
crm_contact_set_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgbyte(message);
	int			length = message->len - message->cursor;

	if (version != BINARY_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("binary format %d of type %s is not known", version, TYPE_NAME),
				 errhint("The sender may be of a newer version.")));
	PG_RETURN_CRM_SET(receive(pq_getmsgbytes(message, length), length));
}

/* A bytea with room for some bytes before the portable form. */
static bytea *
portable(const CrmSet *set, size_t before)
{
	size_t		size = VARHDRSZ + before + crm_set_roaring_size(set);
	bytea	   *result;

	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the portable form of a value of type %s would be too large", TYPE_NAME)));
	result = palloc(size);
	SET_VARSIZE(result, size);
	crm_set_write_roaring(set, (uint8_t *) VARDATA(result) + before, &crm_set_server);
	return result;
}

Datum
crm_contact_set_send(PG_FUNCTION_ARGS)
{
	bytea	   *result = portable(PG_GETARG_CRM_SET(0), 1);

	*VARDATA(result) = BINARY_VERSION;
	PG_RETURN_BYTEA_P(result);
}

Datum
crm_contact_set_to_roaring(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(portable(PG_GETARG_CRM_SET(0), 0));
}

Datum
crm_contact_set_from_roaring(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);

	PG_RETURN_CRM_SET(receive(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)));
}

Datum
crm_contact_set_try(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	CrmCheck	check;
	CrmSet	   *set = crm_set_read_text(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value),
										&crm_set_server, &check);

	if (set == NULL)
		PG_RETURN_NULL();
	PG_RETURN_CRM_SET(set);
}

Datum
crm_contact_set_check(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	CrmCheck	check;
	CrmSet	   *set = crm_set_read_text(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value),
										&crm_set_server, &check);
	char	   *canonical = NULL;
	size_t		length = 0;

	if (set != NULL)
		canonical = text_of(set, &length);
	return crm_check_row(fcinfo, &check, canonical, length);
}

/* ---------------- arrays ---------------- */

Datum
crm_contact_set_from_array(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	int			count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	const int64 *id = (const int64 *) ARR_DATA_PTR(array);
	CrmLive    *live;

	if (ARR_ELEMTYPE(array) != INT8OID)
		elog(ERROR, "an array of bigint is expected");
	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a contact set cannot hold null"),
				 errhint("array_remove(ids, NULL) leaves nulls out.")));
	live = crm_live_begin(&crm_set_server);
	for (int i = 0; i < count; i++)
	{
		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		crm_live_add(live, id[i]);
	}
	PG_RETURN_CRM_SET(crm_live_set(live));
}

Datum
crm_contact_set_to_array(PG_FUNCTION_ARGS)
{
	const CrmSet *set = PG_GETARG_CRM_SET(0);
	CrmSetIterator iterator;
	ArrayType  *array;
	int64	   *id;
	Size		size;

	if (set->cardinality == 0)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(INT8OID));
	if (set->cardinality > (MaxAllocSize - ARR_OVERHEAD_NONULLS(1)) / sizeof(int64))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a contact set of %llu members is too large for an array",
						(unsigned long long) set->cardinality),
				 errhint("crm.members(set) returns them as rows.")));
	size = ARR_OVERHEAD_NONULLS(1) + set->cardinality * sizeof(int64);
	array = palloc(size);
	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->dataoffset = 0;
	array->elemtype = INT8OID;
	ARR_DIMS(array)[0] = set->cardinality;
	ARR_LBOUND(array)[0] = 1;
	id = (int64 *) ARR_DATA_PTR(array);
	crm_set_iterate(&iterator, set);
	while (crm_set_next(&iterator, id))
	{
		if (++id - (int64 *) ARR_DATA_PTR(array) == set->cardinality)
			break;
	}
	PG_RETURN_ARRAYTYPE_P(array);
}
