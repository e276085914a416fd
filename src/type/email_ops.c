/*
 * email_ops.c
 *		crm.email: comparison, hashing, sorting, searching.
 *
 * Comparing and hashing never raise, so their functions are leakproof.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "lib/hyperloglog.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/sortsupport.h"

#include "type/check_report.h"
#include "type/email_server.h"

/* What a comparison does with the copies that detoasting made. */
#define COMPARE(function, name, condition) \
	PG_FUNCTION_INFO_V1(name); \
	Datum \
	name(PG_FUNCTION_ARGS) \
	{ \
		struct varlena *a = PG_GETARG_VARLENA_PP(0); \
		struct varlena *b = PG_GETARG_VARLENA_PP(1); \
		int			r = function(EMAIL_IMAGE(a), EMAIL_SIZE(a), \
								 EMAIL_IMAGE(b), EMAIL_SIZE(b)); \
		\
		PG_FREE_IF_COPY(a, 0); \
		PG_FREE_IF_COPY(b, 1); \
		PG_RETURN_BOOL(condition); \
	}

COMPARE(crm_email_equal, crm_email_eq, r)
COMPARE(crm_email_equal, crm_email_ne, !r)
COMPARE(crm_email_compare, crm_email_lt, r < 0)
COMPARE(crm_email_compare, crm_email_le, r <= 0)
COMPARE(crm_email_compare, crm_email_gt, r > 0)
COMPARE(crm_email_compare, crm_email_ge, r >= 0)
COMPARE(crm_email_domain_compare, crm_email_domain_lt, r < 0)
COMPARE(crm_email_domain_compare, crm_email_domain_le, r <= 0)
COMPARE(crm_email_domain_compare, crm_email_domain_gt, r > 0)
COMPARE(crm_email_domain_compare, crm_email_domain_ge, r >= 0)

PG_FUNCTION_INFO_V1(crm_email_cmp);
PG_FUNCTION_INFO_V1(crm_email_domain_cmp);
PG_FUNCTION_INFO_V1(crm_email_identical);
PG_FUNCTION_INFO_V1(crm_email_smaller);
PG_FUNCTION_INFO_V1(crm_email_larger);
PG_FUNCTION_INFO_V1(crm_email_hash);
PG_FUNCTION_INFO_V1(crm_email_hash_extended);
PG_FUNCTION_INFO_V1(crm_email_sortsupport);
PG_FUNCTION_INFO_V1(crm_email_domain_sortsupport);
PG_FUNCTION_INFO_V1(crm_email_starts_with_text);
PG_FUNCTION_INFO_V1(crm_email_within_domain);

Datum
crm_email_cmp(PG_FUNCTION_ARGS)
{
	struct varlena *a = PG_GETARG_VARLENA_PP(0);
	struct varlena *b = PG_GETARG_VARLENA_PP(1);
	int			r = crm_email_compare(EMAIL_IMAGE(a), EMAIL_SIZE(a),
									  EMAIL_IMAGE(b), EMAIL_SIZE(b));

	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	PG_RETURN_INT32(r);
}

Datum
crm_email_domain_cmp(PG_FUNCTION_ARGS)
{
	struct varlena *a = PG_GETARG_VARLENA_PP(0);
	struct varlena *b = PG_GETARG_VARLENA_PP(1);
	int			r = crm_email_domain_compare(EMAIL_IMAGE(a), EMAIL_SIZE(a),
											 EMAIL_IMAGE(b), EMAIL_SIZE(b));

	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	PG_RETURN_INT32(r);
}

/* Equal byte by byte, the case of the local part included. */
Datum
crm_email_identical(PG_FUNCTION_ARGS)
{
	struct varlena *a = PG_GETARG_VARLENA_PP(0);
	struct varlena *b = PG_GETARG_VARLENA_PP(1);

	PG_RETURN_BOOL(EMAIL_SIZE(a) == EMAIL_SIZE(b) &&
				   memcmp(EMAIL_IMAGE(a), EMAIL_IMAGE(b), EMAIL_SIZE(a)) == 0);
}

Datum
crm_email_smaller(PG_FUNCTION_ARGS)
{
	struct varlena *a = PG_GETARG_VARLENA_PP(0);
	struct varlena *b = PG_GETARG_VARLENA_PP(1);

	PG_RETURN_POINTER(crm_email_compare(EMAIL_IMAGE(a), EMAIL_SIZE(a),
										EMAIL_IMAGE(b), EMAIL_SIZE(b)) <= 0 ? a : b);
}

Datum
crm_email_larger(PG_FUNCTION_ARGS)
{
	struct varlena *a = PG_GETARG_VARLENA_PP(0);
	struct varlena *b = PG_GETARG_VARLENA_PP(1);

	PG_RETURN_POINTER(crm_email_compare(EMAIL_IMAGE(a), EMAIL_SIZE(a),
										EMAIL_IMAGE(b), EMAIL_SIZE(b)) >= 0 ? a : b);
}

Datum
crm_email_hash(PG_FUNCTION_ARGS)
{
	struct varlena *email = PG_GETARG_VARLENA_PP(0);
	char		folded[CRM_EMAIL_BUFFER];
	int			n = crm_email_fold(EMAIL_IMAGE(email), EMAIL_SIZE(email), folded);

	PG_FREE_IF_COPY(email, 0);
	PG_RETURN_UINT32(hash_bytes((unsigned char *) folded, n));
}

Datum
crm_email_hash_extended(PG_FUNCTION_ARGS)
{
	struct varlena *email = PG_GETARG_VARLENA_PP(0);
	char		folded[CRM_EMAIL_BUFFER];
	int			n = crm_email_fold(EMAIL_IMAGE(email), EMAIL_SIZE(email), folded);

	PG_FREE_IF_COPY(email, 0);
	PG_RETURN_UINT64(hash_bytes_extended((unsigned char *) folded, n,
										 PG_GETARG_INT64(1)));
}

/*
 * Sorting.  The abbreviated key is the first eight bytes of the order; sorting
 * gives it up when it finds that too few keys differ, as do those of
 * varchar and uuid.
 */
typedef struct SortState
{
	uint64		(*abbreviate) (const char *image, size_t size);
	int64		input_count;
	bool		estimating;
	hyperLogLogState cardinality;
} SortState;

static int
fast_compare(Datum x, Datum y, SortSupport ssup)
{
	struct varlena *a = PG_DETOAST_DATUM_PACKED(x);
	struct varlena *b = PG_DETOAST_DATUM_PACKED(y);
	int			r = crm_email_compare(EMAIL_IMAGE(a), EMAIL_SIZE(a),
									  EMAIL_IMAGE(b), EMAIL_SIZE(b));

	if (PointerGetDatum(a) != x)
		pfree(a);
	if (PointerGetDatum(b) != y)
		pfree(b);
	return r;
}

static int
fast_domain_compare(Datum x, Datum y, SortSupport ssup)
{
	struct varlena *a = PG_DETOAST_DATUM_PACKED(x);
	struct varlena *b = PG_DETOAST_DATUM_PACKED(y);
	int			r = crm_email_domain_compare(EMAIL_IMAGE(a), EMAIL_SIZE(a),
											 EMAIL_IMAGE(b), EMAIL_SIZE(b));

	if (PointerGetDatum(a) != x)
		pfree(a);
	if (PointerGetDatum(b) != y)
		pfree(b);
	return r;
}

static Datum
abbreviate(Datum original, SortSupport ssup)
{
	SortState  *state = (SortState *) ssup->ssup_extra;
	struct varlena *email = PG_DETOAST_DATUM_PACKED(original);
	uint64		key = state->abbreviate(EMAIL_IMAGE(email), EMAIL_SIZE(email));

	if (PointerGetDatum(email) != original)
		pfree(email);
	state->input_count++;
	if (state->estimating)
		addHyperLogLog(&state->cardinality,
					   DatumGetUInt32(hash_uint32((uint32) (key >> 32) ^ (uint32) key)));
#if SIZEOF_DATUM == 8
	return UInt64GetDatum(key);
#else
	return UInt32GetDatum((uint32) (key >> 32));
#endif
}

static bool
abort_abbreviation(int memtupcount, SortSupport ssup)
{
	SortState  *state = (SortState *) ssup->ssup_extra;
	double		distinct;

	if (memtupcount < 10000 || state->input_count < 10000 || !state->estimating)
		return false;
	distinct = estimateHyperLogLog(&state->cardinality);

	/* So many keys that the rest may be as it likes. */
	if (distinct > 100000.0)
	{
		state->estimating = false;
		return false;
	}
	return distinct < state->input_count / 2000.0 + 0.5;
}

static void
prepare_sort(SortSupport ssup, int (*compare) (Datum, Datum, SortSupport),
			 uint64 (*key) (const char *, size_t))
{
	ssup->comparator = compare;
	if (ssup->abbreviate)
	{
		MemoryContext old = MemoryContextSwitchTo(ssup->ssup_cxt);
		SortState  *state = palloc0(sizeof(SortState));

		state->abbreviate = key;
		state->estimating = true;
		initHyperLogLog(&state->cardinality, 10);
		ssup->ssup_extra = state;
		ssup->comparator = ssup_datum_unsigned_cmp;
		ssup->abbrev_converter = abbreviate;
		ssup->abbrev_abort = abort_abbreviation;
		ssup->abbrev_full_comparator = compare;
		MemoryContextSwitchTo(old);
	}
}

Datum
crm_email_sortsupport(PG_FUNCTION_ARGS)
{
	prepare_sort((SortSupport) PG_GETARG_POINTER(0), fast_compare,
				 crm_email_abbreviate);
	PG_RETURN_VOID();
}

Datum
crm_email_domain_sortsupport(PG_FUNCTION_ARGS)
{
	prepare_sort((SortSupport) PG_GETARG_POINTER(0), fast_domain_compare,
				 crm_email_domain_abbreviate);
	PG_RETURN_VOID();
}

Datum
crm_email_starts_with_text(PG_FUNCTION_ARGS)
{
	struct varlena *email = PG_GETARG_VARLENA_PP(0);
	text	   *prefix = PG_GETARG_TEXT_PP(1);

	PG_RETURN_BOOL(crm_email_starts_with(EMAIL_IMAGE(email), EMAIL_SIZE(email),
										 VARDATA_ANY(prefix),
										 VARSIZE_ANY_EXHDR(prefix)));
}

/* The right side of "<<@", read once for all rows when it stays the same. */
typedef struct KnownDomain
{
	int			raw_length;
	int			length;
	char		raw[CRM_EMAIL_BUFFER];
	char		domain[CRM_EMAIL_BUFFER];
} KnownDomain;

Datum
crm_email_within_domain(PG_FUNCTION_ARGS)
{
	struct varlena *email = PG_GETARG_VARLENA_PP(0);
	text	   *t = PG_GETARG_TEXT_PP(1);
	int			raw_length = VARSIZE_ANY_EXHDR(t);
	KnownDomain *known = (KnownDomain *) fcinfo->flinfo->fn_extra;

	if (known == NULL || known->raw_length != raw_length ||
		memcmp(known->raw, VARDATA_ANY(t), raw_length) != 0)
	{
		CrmCheck	check;
		char		domain[CRM_EMAIL_BUFFER];
		int			length = crm_email_parse_domain(VARDATA_ANY(t), raw_length,
												crm_email_flags(), domain, &check);

		if (length == 0)
			crm_report_bad(NULL, "domain name", VARDATA_ANY(t), raw_length, &check);
		if (known == NULL)
			known = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, sizeof(KnownDomain));
		fcinfo->flinfo->fn_extra = known;
		known->raw_length = raw_length;
		memcpy(known->raw, VARDATA_ANY(t), raw_length);
		known->length = length;
		memcpy(known->domain, domain, length);
	}
	PG_RETURN_BOOL(crm_email_within(EMAIL_IMAGE(email), EMAIL_SIZE(email),
									known->domain, known->length));
}
