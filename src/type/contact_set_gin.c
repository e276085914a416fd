/*
 * contact_set_gin.c
 *		GIN over columns of contact sets: "which segments hold contact 42?"
 *
 * The keys are those of the chunks, id >> 16, so that a set of a million ids
 * in a sequence has 16 of them and not a million.  The index tells which sets
 * may match; the operator decides, reading only the one chunk of each that it
 * needs (crm_set_argument_has()).
 *
 * Strategies: 1 set @> id, 2 set @> set, 3 set && set, 4 set = set.
 */
#include "postgres.h"

#include "access/gin.h"
#include "access/stratnum.h"

#include "crm.h"
#include "type/contact_set_datum.h"

#define HAS_ID 1
#define CONTAINS 2
#define OVERLAPS 3
#define EQUAL 4

PG_FUNCTION_INFO_V1(crm_contact_set_gin_extract_value);
PG_FUNCTION_INFO_V1(crm_contact_set_gin_extract_query);
PG_FUNCTION_INFO_V1(crm_contact_set_gin_consistent);
PG_FUNCTION_INFO_V1(crm_contact_set_gin_triconsistent);

static Datum *
keys_of(Datum datum, int32 *count)
{
	const CrmSet *set = crm_set_open(datum);
	Datum	   *key = palloc(Max(set->chunks, 1) * sizeof(Datum));

	for (uint32 i = 0; i < set->chunks; i++)
		key[i] = Int64GetDatum(set->chunk[i].key);
	*count = set->chunks;
	return key;
}

Datum
crm_contact_set_gin_extract_value(PG_FUNCTION_ARGS)
{
	PG_RETURN_POINTER(keys_of(PG_GETARG_DATUM(0), (int32 *) PG_GETARG_POINTER(1)));
}

Datum
crm_contact_set_gin_extract_query(PG_FUNCTION_ARGS)
{
	int32	   *count = (int32 *) PG_GETARG_POINTER(1);
	int32	   *mode = (int32 *) PG_GETARG_POINTER(6);
	Datum	   *key;

	if (PG_GETARG_UINT16(2) == HAS_ID)
	{
		key = palloc(sizeof(Datum));
		*key = Int64GetDatum(crm_set_key(PG_GETARG_INT64(0)));
		*count = 1;
		PG_RETURN_POINTER(key);
	}
	key = keys_of(PG_GETARG_DATUM(0), count);

	/* every set contains the empty set, only that one is equal to it, none overlaps */
	if (*count == 0 && PG_GETARG_UINT16(2) != OVERLAPS)
		*mode = GIN_SEARCH_MODE_ALL;
	PG_RETURN_POINTER(key);
}

Datum
crm_contact_set_gin_consistent(PG_FUNCTION_ARGS)
{
	const bool *check = (const bool *) PG_GETARG_POINTER(0);
	int32		count = PG_GETARG_INT32(3);
	bool	   *recheck = (bool *) PG_GETARG_POINTER(5);

	*recheck = true;
	if (PG_GETARG_UINT16(1) == OVERLAPS)
		PG_RETURN_BOOL(true);	/* called only when one of the keys is there */
	for (int32 i = 0; i < count; i++)
		if (!check[i])
			PG_RETURN_BOOL(false);
	PG_RETURN_BOOL(true);
}

Datum
crm_contact_set_gin_triconsistent(PG_FUNCTION_ARGS)
{
	const GinTernaryValue *check = (const GinTernaryValue *) PG_GETARG_POINTER(0);
	int32		count = PG_GETARG_INT32(3);
	bool		any = PG_GETARG_UINT16(1) == OVERLAPS;

	for (int32 i = 0; i < count; i++)
	{
		if (any && check[i] != GIN_FALSE)
			PG_RETURN_GIN_TERNARY_VALUE(GIN_MAYBE);
		if (!any && check[i] == GIN_FALSE)
			PG_RETURN_GIN_TERNARY_VALUE(GIN_FALSE);
	}
	PG_RETURN_GIN_TERNARY_VALUE(any ? GIN_FALSE : GIN_MAYBE);
}
