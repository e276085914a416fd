/*
 * phone_ops.c
 *		Comparing phone numbers: two btree orders, hash, prefix and suffix.
 *
 * The order of the digits is the order of the stored bytes, so it needs no
 * unpacking; the order of the reversed digits does.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/sortsupport.h"

#include "crm.h"
#include "type/phone_datum.h"

static inline int
compare_bytes(Datum a, Datum b)
{
	struct varlena *x = PG_DETOAST_DATUM_PACKED(a);
	struct varlena *y = PG_DETOAST_DATUM_PACKED(b);
	int			x_length = VARSIZE_ANY_EXHDR(x);
	int			y_length = VARSIZE_ANY_EXHDR(y);
	int			order = memcmp(VARDATA_ANY(x), VARDATA_ANY(y), Min(x_length, y_length));

	return order != 0 ? order : x_length - y_length;
}

/* The rank of the digits, for what concerns them alone. */
static inline uint64
key_of(Datum datum)
{
	struct varlena *value = PG_DETOAST_DATUM_PACKED(datum);
	const uint8 *bytes = (const uint8 *) VARDATA_ANY(value);
	uint64		key = 0;

	if (VARSIZE_ANY_EXHDR(value) < CRM_PHONE_KEY_BYTES)
		return 0;
	for (int i = 0; i < CRM_PHONE_KEY_BYTES; i++)
		key = key << 8 | bytes[i];
	return key;
}

PG_FUNCTION_INFO_V1(crm_phone_cmp);
PG_FUNCTION_INFO_V1(crm_phone_eq);
PG_FUNCTION_INFO_V1(crm_phone_ne);
PG_FUNCTION_INFO_V1(crm_phone_lt);
PG_FUNCTION_INFO_V1(crm_phone_le);
PG_FUNCTION_INFO_V1(crm_phone_gt);
PG_FUNCTION_INFO_V1(crm_phone_ge);
PG_FUNCTION_INFO_V1(crm_phone_hash);
PG_FUNCTION_INFO_V1(crm_phone_hash_extended);
PG_FUNCTION_INFO_V1(crm_phone_sortsupport);
PG_FUNCTION_INFO_V1(crm_phone_same_base);
PG_FUNCTION_INFO_V1(crm_phone_suffix_cmp);
PG_FUNCTION_INFO_V1(crm_phone_suffix_lt);
PG_FUNCTION_INFO_V1(crm_phone_suffix_le);
PG_FUNCTION_INFO_V1(crm_phone_suffix_gt);
PG_FUNCTION_INFO_V1(crm_phone_suffix_ge);
PG_FUNCTION_INFO_V1(crm_phone_suffix_sortsupport);
PG_FUNCTION_INFO_V1(crm_phone_starts_with);
PG_FUNCTION_INFO_V1(crm_phone_ends_with);

Datum
crm_phone_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare_bytes(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)));
}

Datum
crm_phone_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_bytes(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) == 0);
}

Datum
crm_phone_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_bytes(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) != 0);
}

Datum
crm_phone_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_bytes(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) < 0);
}

Datum
crm_phone_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_bytes(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) <= 0);
}

Datum
crm_phone_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_bytes(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) > 0);
}

Datum
crm_phone_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_bytes(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) >= 0);
}

Datum
crm_phone_hash(PG_FUNCTION_ARGS)
{
	struct varlena *value = PG_GETARG_VARLENA_PP(0);

	PG_RETURN_DATUM(hash_any((unsigned char *) VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)));
}

Datum
crm_phone_hash_extended(PG_FUNCTION_ARGS)
{
	struct varlena *value = PG_GETARG_VARLENA_PP(0);

	PG_RETURN_DATUM(hash_any_extended((unsigned char *) VARDATA_ANY(value),
									  VARSIZE_ANY_EXHDR(value), PG_GETARG_INT64(1)));
}

/* The same digits, whatever the extensions. */
Datum
crm_phone_same_base(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(key_of(PG_GETARG_DATUM(0)) >> 6 == key_of(PG_GETARG_DATUM(1)) >> 6);
}

/* ---- sorting by the digits ---- */

static int
compare_for_sort(Datum a, Datum b, SortSupport support)
{
	return compare_bytes(a, b);
}

#if SIZEOF_DATUM == 8
static bool
never_abort(int tuples, SortSupport support)
{
	return false;
}

/*
 * The seven bytes of the key and the first two digits of the extension: nearly
 * always the whole value.
 */
static Datum
abbreviate(Datum original, SortSupport support)
{
	struct varlena *value = PG_DETOAST_DATUM_PACKED(original);
	const uint8 *bytes = (const uint8 *) VARDATA_ANY(value);
	int			length = VARSIZE_ANY_EXHDR(value);
	uint64		key = 0;

	for (int i = 0; i < 8; i++)
		key = key << 8 | (i < length ? bytes[i] : 0);
	return UInt64GetDatum(key);
}

static Datum
abbreviate_reversed(Datum original, SortSupport support)
{
	CrmPhone	phone;
	char		reversed[CRM_PHONE_DIGITS];

	crm_phone_of_datum(original, &phone);
	for (int i = 0; i < phone.length; i++)
		reversed[i] = phone.digits[phone.length - 1 - i];
	return UInt64GetDatum(crm_phone_rank(reversed, phone.length));
}
#endif

static void
set_sort_support(SortSupport support, int (*comparator) (Datum, Datum, SortSupport),
				 Datum (*converter) (Datum, SortSupport))
{
	support->comparator = comparator;
#if SIZEOF_DATUM == 8
	if (support->abbreviate)
	{
		support->comparator = ssup_datum_unsigned_cmp;
		support->abbrev_converter = converter;
		support->abbrev_abort = never_abort;
		support->abbrev_full_comparator = comparator;
	}
#endif
}

#if SIZEOF_DATUM != 8
#define abbreviate NULL
#define abbreviate_reversed NULL
#endif

Datum
crm_phone_sortsupport(PG_FUNCTION_ARGS)
{
	set_sort_support((SortSupport) PG_GETARG_POINTER(0), compare_for_sort, abbreviate);
	PG_RETURN_VOID();
}

/* ---- the order of the reversed digits ---- */

static int
compare_reversed(Datum a, Datum b)
{
	CrmPhone	x;
	CrmPhone	y;

	crm_phone_of_datum(a, &x);
	crm_phone_of_datum(b, &y);
	return crm_phone_compare_reversed(&x, &y);
}

static int
compare_reversed_for_sort(Datum a, Datum b, SortSupport support)
{
	return compare_reversed(a, b);
}

Datum
crm_phone_suffix_sortsupport(PG_FUNCTION_ARGS)
{
	set_sort_support((SortSupport) PG_GETARG_POINTER(0), compare_reversed_for_sort,
					 abbreviate_reversed);
	PG_RETURN_VOID();
}

Datum
crm_phone_suffix_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare_reversed(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)));
}

Datum
crm_phone_suffix_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_reversed(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) < 0);
}

Datum
crm_phone_suffix_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_reversed(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) <= 0);
}

Datum
crm_phone_suffix_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_reversed(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) > 0);
}

Datum
crm_phone_suffix_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_reversed(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) >= 0);
}

/* ---- beginning and ending with digits ---- */

static bool
has_digits_at(FunctionCallInfo fcinfo, bool at_end)
{
	CrmPhone	phone;
	text	   *pattern = PG_GETARG_TEXT_PP(1);
	char		digits[CRM_PHONE_DIGITS];
	int			length = crm_phone_pattern_digits(VARDATA_ANY(pattern), VARSIZE_ANY_EXHDR(pattern),
												  !at_end, digits);

	PG_GETARG_CRM_PHONE(0, &phone);
	return length >= 0 && length <= phone.length &&
		memcmp(phone.digits + (at_end ? phone.length - length : 0), digits, length) == 0;
}

Datum
crm_phone_starts_with(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(has_digits_at(fcinfo, false));
}

Datum
crm_phone_ends_with(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(has_digits_at(fcinfo, true));
}
