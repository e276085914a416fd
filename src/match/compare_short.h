/*
 * compare_short.h
 *		The inner loops of comparing short strings, to be inlined.
 *
 * In each of them the longer string is the pattern, whose letters are the bits
 * of a word, and the shorter one is walked through, letter by letter.
 */
#ifndef CRM_COMPARE_SHORT_H
#define CRM_COMPARE_SHORT_H

#include <stdbool.h>

#include "match/compare.h"
#include "match/compare_mask.h"

/* What the letters matched make; all that computes Jaro must come here. */
CRM_INLINE double
crm_jaro_value(int matched, int moved, int a_length, int b_length)
{
	double		m = matched;

	return (m / a_length + m / b_length + (m - moved / 2) / m) / 3;
}

/*
 * The product is rounded before it is added.  Where the processor could do
 * both at once, compilers would, and the last bit would be another.
 */
CRM_INLINE double
crm_winkler_value(double jaro, int prefix)
{
	double		more = prefix * 0.1 * (1 - jaro);

#if defined(__FMA__) || !(defined(__x86_64__) || defined(__i386__))
	volatile double rounded = more;

	more = rounded;
#endif
	return jaro > 0.7 ? jaro + more : jaro;
}

/* How far a matching letter may be away. */
CRM_INLINE int
crm_jaro_window(int longer)
{
	return longer > 3 ? longer / 2 - 1 : 0;
}

/* Equal letters at the beginning of both, up to four. */
CRM_INLINE int
crm_short_prefix(const uint8_t *a, const uint8_t *b, int shorter)
{
	uint32_t	x;
	uint32_t	y;
	int			prefix;

	memcpy(&x, a, 4);
	memcpy(&y, b, 4);
	x ^= y;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	x = __builtin_bswap32(x);
#endif
	prefix = crm_lowest_bit(UINT64_C(1) << 32 | x) / 8;
	return prefix < shorter ? prefix : shorter;
}

/*
 * long_length >= short_length > 0.  With limit > 0: returns -1 when the
 * similarity is certainly below it.
 */
CRM_INLINE double
crm_short_jaro_kernel(const uint8_t *longer, int long_length,
					  const uint8_t *shorter, int short_length,
					  bool winkler, double limit, CrmMaskWay way)
{
	CrmPattern	pattern;
	int			window = crm_jaro_window(long_length);
	int			prefix = winkler ? crm_short_prefix(longer, shorter, short_length) : 0;
	uint64_t	near = (UINT64_C(2) << 2 * window) - 1;
	uint32_t	every = (uint32_t) ((UINT64_C(1) << long_length) - 1);
	uint32_t	available = every;
	uint32_t	long_matched;
	uint32_t	short_matched = 0;
	int			matched = 0;
	int			moved = 0;
	double		jaro;

	if (limit > 0 &&
		crm_winkler_value(crm_jaro_value(short_length, 0, long_length, short_length),
						  prefix) < limit)
		return -1;
	crm_pattern_load(&pattern, longer, long_length, way);
	for (int i = 0; i < short_length; i++)
	{
		uint32_t	found = crm_pattern_mask(&pattern, shorter[i], way) &
			available & (uint32_t) (near << i >> window);

		available &= ~(found & -found);
		short_matched |= (uint32_t) (found != 0) << i;
		matched += found != 0;
	}
	if (matched == 0)
		return 0;
	if (limit > 0 &&
		crm_winkler_value(crm_jaro_value(matched, 0, long_length, short_length),
						  prefix) < limit)
		return -1;
	long_matched = every & ~available;
	while (long_matched != 0)
	{
		moved += longer[crm_lowest_bit(long_matched)] !=
			shorter[crm_lowest_bit(short_matched)];
		long_matched &= long_matched - 1;
		short_matched &= short_matched - 1;
	}
	jaro = crm_jaro_value(matched, moved, long_length, short_length);
	return winkler ? crm_winkler_value(jaro, prefix) : jaro;
}

/*
 * The columns of the matrix of distances, one bit a row: where it grows
 * downward by one (up) or falls (down), and where the diagonal stays (same).
 * Hyyrö's form of Myers' method; with swaps his method for the optimal
 * string alignment.  long_length >= short_length > 0.
 */
CRM_INLINE int
crm_short_edit_kernel(const uint8_t *longer, int long_length,
					  const uint8_t *shorter, int short_length,
					  bool swaps, CrmMaskWay way)
{
	CrmPattern	pattern;
	uint32_t	up = UINT32_MAX;
	uint32_t	down = 0;
	uint32_t	same = 0;
	uint32_t	before = 0;
	int			last = long_length - 1;
	int			distance = long_length;

	crm_pattern_load(&pattern, longer, long_length, way);
	for (int i = 0; i < short_length; i++)
	{
		uint32_t	mask = crm_pattern_mask(&pattern, shorter[i], way);
		uint32_t	swapped = swaps ? (~same & mask) << 1 & before : 0;
		uint32_t	right_up;
		uint32_t	right_down;

		same = (((mask & up) + up) ^ up) | mask | down | swapped;
		right_up = down | ~(same | up);
		right_down = same & up;
		distance += (int) (right_up >> last & 1) - (int) (right_down >> last & 1);
		right_up = right_up << 1 | 1;
		up = right_down << 1 | ~(same | right_up);
		down = right_up & same;
		before = mask;
	}
	return distance;
}


CRM_INLINE double
crm_short_jaro_inline(const uint8_t *a, int a_length, const uint8_t *b, int b_length,
					  bool winkler, double limit, bool portable)
{
	const uint8_t *longer = a_length >= b_length ? a : b;
	const uint8_t *shorter = a_length >= b_length ? b : a;
	int			long_length = a_length >= b_length ? a_length : b_length;
	int			short_length = a_length >= b_length ? b_length : a_length;

	if (short_length == 0)
		return long_length == 0 ? 1 : 0;
	if (portable)
		return crm_short_jaro_kernel(longer, long_length, shorter, short_length,
									 winkler, limit, CRM_MASK_PORTABLE);
	if (long_length <= 16)
		return crm_short_jaro_kernel(longer, long_length, shorter, short_length,
									 winkler, limit, CRM_MASK_16);
	return crm_short_jaro_kernel(longer, long_length, shorter, short_length,
								 winkler, limit, CRM_MASK_32);
}

CRM_INLINE int
crm_short_edit_inline(const uint8_t *a, int a_length, const uint8_t *b, int b_length,
					  bool swaps, bool portable)
{
	const uint8_t *longer = a_length >= b_length ? a : b;
	const uint8_t *shorter = a_length >= b_length ? b : a;
	int			long_length = a_length >= b_length ? a_length : b_length;
	int			short_length = a_length >= b_length ? b_length : a_length;

	if (short_length == 0)
		return long_length;
	if (portable)
		return crm_short_edit_kernel(longer, long_length, shorter, short_length,
									 swaps, CRM_MASK_PORTABLE);
	if (long_length <= 16)
		return crm_short_edit_kernel(longer, long_length, shorter, short_length,
									 swaps, CRM_MASK_16);
	return crm_short_edit_kernel(longer, long_length, shorter, short_length,
								 swaps, CRM_MASK_32);
}

#endif							/* CRM_COMPARE_SHORT_H */
