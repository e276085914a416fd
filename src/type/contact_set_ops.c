/*
 * contact_set_ops.c
 *		Operators and functions of crm.contact_set.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "common/hashfn.h"
#include "utils/builtins.h"

#include "crm.h"
#include "type/contact_set_datum.h"

/* ---------------- two sets ---------------- */

static Datum
combine(FunctionCallInfo fcinfo, CrmSetOperation operation)
{
	PG_RETURN_CRM_SET(crm_set_combine(operation, crm_set_argument(fcinfo, 0),
									  crm_set_argument(fcinfo, 1), &crm_set_server));
}

static uint64
common(FunctionCallInfo fcinfo)
{
	return crm_set_and_count(crm_set_argument(fcinfo, 0), crm_set_argument(fcinfo, 1),
							 &crm_set_server);
}

#define FUNCTION(symbol, ...) \
	PG_FUNCTION_INFO_V1(symbol); \
	Datum symbol(PG_FUNCTION_ARGS) { __VA_ARGS__; }

FUNCTION(crm_contact_set_and, return combine(fcinfo, CRM_SET_AND))
FUNCTION(crm_contact_set_or, return combine(fcinfo, CRM_SET_OR))
FUNCTION(crm_contact_set_and_not, return combine(fcinfo, CRM_SET_AND_NOT))
FUNCTION(crm_contact_set_xor, return combine(fcinfo, CRM_SET_XOR))

FUNCTION(crm_contact_set_intersect_count, PG_RETURN_INT64(common(fcinfo)))

PG_FUNCTION_INFO_V1(crm_contact_set_union_count);
PG_FUNCTION_INFO_V1(crm_contact_set_difference_count);
PG_FUNCTION_INFO_V1(crm_contact_set_jaccard);
PG_FUNCTION_INFO_V1(crm_contact_set_overlaps);
PG_FUNCTION_INFO_V1(crm_contact_set_contains);
PG_FUNCTION_INFO_V1(crm_contact_set_contained);

Datum
crm_contact_set_union_count(PG_FUNCTION_ARGS)
{
	const CrmSet *a = crm_set_argument(fcinfo, 0);
	const CrmSet *b = crm_set_argument(fcinfo, 1);

	PG_RETURN_INT64(a->cardinality + b->cardinality -
					crm_set_and_count(a, b, &crm_set_server));
}

Datum
crm_contact_set_difference_count(PG_FUNCTION_ARGS)
{
	const CrmSet *a = crm_set_argument(fcinfo, 0);
	const CrmSet *b = crm_set_argument(fcinfo, 1);

	PG_RETURN_INT64(a->cardinality - crm_set_and_count(a, b, &crm_set_server));
}

/* Two empty sets are equal: 1. */
Datum
crm_contact_set_jaccard(PG_FUNCTION_ARGS)
{
	const CrmSet *a = crm_set_argument(fcinfo, 0);
	const CrmSet *b = crm_set_argument(fcinfo, 1);
	uint64		both = crm_set_and_count(a, b, &crm_set_server);
	uint64		any = a->cardinality + b->cardinality - both;

	PG_RETURN_FLOAT8(any == 0 ? 1.0 : (double) both / (double) any);
}

Datum
crm_contact_set_overlaps(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(crm_set_overlaps(crm_set_argument(fcinfo, 0), crm_set_argument(fcinfo, 1),
									&crm_set_server));
}

Datum
crm_contact_set_contains(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(crm_set_contains(crm_set_argument(fcinfo, 0), crm_set_argument(fcinfo, 1),
									&crm_set_server));
}

Datum
crm_contact_set_contained(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(crm_set_contains(crm_set_argument(fcinfo, 1), crm_set_argument(fcinfo, 0),
									&crm_set_server));
}

/* ---------------- a set and an id ---------------- */

FUNCTION(crm_contact_set_has,
		 PG_RETURN_BOOL(crm_set_argument_has(fcinfo, 0, PG_GETARG_INT64(1))))
FUNCTION(crm_contact_set_member_of,
		 PG_RETURN_BOOL(crm_set_argument_has(fcinfo, 1, PG_GETARG_INT64(0))))

/* A set of one id, in memory of its own. */
typedef union Single
{
	CrmSet		set;
	char		bytes[48];
} Single;

static const CrmSet *
single(Single *memory, int64 id)
{
	CrmSetChunk *chunk = (CrmSetChunk *) (memory->bytes + CRM_SET_HEADER_SIZE);

	memset(memory, 0, sizeof(*memory));
	memory->set.version = CRM_SET_VERSION;
	memory->set.chunks = 1;
	memory->set.size = CRM_SET_HEADER_SIZE + sizeof(CrmSetChunk) + 2;
	memory->set.cardinality = 1;
	chunk->key = crm_set_key(id);
	chunk->offset = CRM_SET_HEADER_SIZE + sizeof(CrmSetChunk);
	*(uint16 *) (memory->bytes + chunk->offset) = (uint16) id;
	return &memory->set;
}

/* | and -: the set itself where there is nothing to do. */
static Datum
change(FunctionCallInfo fcinfo, bool add)
{
	const CrmSet *set = crm_set_argument(fcinfo, 0);
	int64		id = PG_GETARG_INT64(1);
	Single		memory;

	if (crm_set_has(set, id) == add)
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	PG_RETURN_CRM_SET(crm_set_combine(add ? CRM_SET_OR : CRM_SET_AND_NOT, set,
									  single(&memory, id), &crm_set_server));
}

FUNCTION(crm_contact_set_add, return change(fcinfo, true))
FUNCTION(crm_contact_set_remove, return change(fcinfo, false))

/* ---------------- one set ---------------- */

/* Of a set stored elsewhere only the header is read. */
static uint64
cardinality(Datum datum)
{
	struct varlena *value = (struct varlena *) DatumGetPointer(datum);
	struct varlena *part;
	uint64		result;

	if (!VARATT_IS_EXTERNAL_ONDISK(value))
		return crm_set_open(datum)->cardinality;
	part = detoast_attr_slice(value, 0, CRM_SET_HEADER_SIZE - VARHDRSZ);
	if (VARSIZE(part) != CRM_SET_HEADER_SIZE || ((CrmSet *) part)->version != CRM_SET_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored value of type crm.contact_set is damaged or of a newer version")));
	result = ((CrmSet *) part)->cardinality;
	pfree(part);
	return result;
}

FUNCTION(crm_contact_set_cardinality, PG_RETURN_INT64(cardinality(PG_GETARG_DATUM(0))))
FUNCTION(crm_contact_set_is_empty, PG_RETURN_BOOL(cardinality(PG_GETARG_DATUM(0)) == 0))

PG_FUNCTION_INFO_V1(crm_contact_set_minimum);
PG_FUNCTION_INFO_V1(crm_contact_set_maximum);
PG_FUNCTION_INFO_V1(crm_contact_set_rank);
PG_FUNCTION_INFO_V1(crm_contact_set_select);

Datum
crm_contact_set_minimum(PG_FUNCTION_ARGS)
{
	const CrmSet *set = crm_set_argument(fcinfo, 0);

	if (set->cardinality == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(crm_set_minimum(set));
}

Datum
crm_contact_set_maximum(PG_FUNCTION_ARGS)
{
	const CrmSet *set = crm_set_argument(fcinfo, 0);

	if (set->cardinality == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(crm_set_maximum(set));
}

Datum
crm_contact_set_rank(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(crm_set_rank(crm_set_argument(fcinfo, 0), PG_GETARG_INT64(1)));
}

/* Positions count from 1. */
Datum
crm_contact_set_select(PG_FUNCTION_ARGS)
{
	const CrmSet *set = crm_set_argument(fcinfo, 0);
	int64		position = PG_GETARG_INT64(1);

	if (position < 1 || (uint64) position > set->cardinality)
		PG_RETURN_NULL();
	PG_RETURN_INT64(crm_set_select(set, position - 1));
}

/* ---------------- order and hash ---------------- */

/*
 * Smaller sets first, then by their bytes, which means nothing but is the same
 * everywhere on a machine.  These raise nothing, whatever the bytes are.
 */
static int
compare_fetched(FunctionCallInfo fcinfo)
{
	struct varlena *a = PG_DETOAST_DATUM(PG_GETARG_DATUM(0));
	struct varlena *b = PG_DETOAST_DATUM(PG_GETARG_DATUM(1));
	Size		a_size = VARSIZE(a) - VARHDRSZ;
	Size		b_size = VARSIZE(b) - VARHDRSZ;
	uint64		a_members = 0;
	uint64		b_members = 0;
	int			result;

	if (a_size >= CRM_SET_HEADER_SIZE - VARHDRSZ && b_size >= CRM_SET_HEADER_SIZE - VARHDRSZ)
	{
		memcpy(&a_members, (char *) a + offsetof(CrmSet, cardinality), sizeof(uint64));
		memcpy(&b_members, (char *) b + offsetof(CrmSet, cardinality), sizeof(uint64));
	}
	if (a_members != b_members)
		result = a_members < b_members ? -1 : 1;
	else
	{
		result = memcmp(VARDATA(a), VARDATA(b), Min(a_size, b_size));
		if (result == 0)
			result = (a_size > b_size) - (a_size < b_size);
	}
	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return result < 0 ? -1 : result > 0;
}

static int
compare(FunctionCallInfo fcinfo)
{
	const struct varlena *a_raw = (const struct varlena *) PG_GETARG_POINTER(0);
	const struct varlena *b_raw = (const struct varlena *) PG_GETARG_POINTER(1);
	Size		raw_size = VARSIZE_ANY(a_raw);

	/* the same bytes, or the same value stored elsewhere */
	if (raw_size == VARSIZE_ANY(b_raw) && memcmp(a_raw, b_raw, raw_size) == 0)
		return 0;
	return compare_fetched(fcinfo);
}

/* Sets of different sizes need not be fetched to be told apart. */
static bool
are_equal(FunctionCallInfo fcinfo)
{
	return toast_raw_datum_size(PG_GETARG_DATUM(0)) == toast_raw_datum_size(PG_GETARG_DATUM(1)) &&
		compare(fcinfo) == 0;
}

FUNCTION(crm_contact_set_cmp, PG_RETURN_INT32(compare(fcinfo)))
FUNCTION(crm_contact_set_eq, PG_RETURN_BOOL(are_equal(fcinfo)))
FUNCTION(crm_contact_set_ne, PG_RETURN_BOOL(!are_equal(fcinfo)))
FUNCTION(crm_contact_set_lt, PG_RETURN_BOOL(compare(fcinfo) < 0))
FUNCTION(crm_contact_set_le, PG_RETURN_BOOL(compare(fcinfo) <= 0))
FUNCTION(crm_contact_set_gt, PG_RETURN_BOOL(compare(fcinfo) > 0))
FUNCTION(crm_contact_set_ge, PG_RETURN_BOOL(compare(fcinfo) >= 0))

PG_FUNCTION_INFO_V1(crm_contact_set_hash);
PG_FUNCTION_INFO_V1(crm_contact_set_hash_extended);

Datum
crm_contact_set_hash(PG_FUNCTION_ARGS)
{
	struct varlena *set = PG_DETOAST_DATUM(PG_GETARG_DATUM(0));
	uint32		hash = hash_bytes((unsigned char *) VARDATA(set), VARSIZE(set) - VARHDRSZ);

	PG_FREE_IF_COPY(set, 0);
	PG_RETURN_UINT32(hash);
}

Datum
crm_contact_set_hash_extended(PG_FUNCTION_ARGS)
{
	struct varlena *set = PG_DETOAST_DATUM(PG_GETARG_DATUM(0));
	uint64		hash = hash_bytes_extended((unsigned char *) VARDATA(set),
										   VARSIZE(set) - VARHDRSZ, PG_GETARG_INT64(1));

	PG_FREE_IF_COPY(set, 0);
	PG_RETURN_UINT64(hash);
}
