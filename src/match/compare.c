/*
 * compare.c
 *		Comparing strings (see compare.h).
 *
 * The edit distances are computed by columns of bits, after G. Myers (A fast
 * bit-vector algorithm for approximate string matching, 1999) and H. Hyyrö
 * (A bit-vector algorithm for computing Levenshtein and Damerau edit
 * distances, 2003): one machine word holds 64 rows of the matrix, and a step
 * of some fifteen operations makes the next column of them.  Strings of more
 * letters take several rows of words; what passes from a word to the one below
 * it are three bits a column.
 *
 * Jaro's matching is greedy, and the same whichever string one starts with:
 * letters match only their like, so each letter has a matching of its own,
 * and that is a walk along its places in both strings, the one that is too far
 * behind advancing.  Short strings do it by bits; long ones by sorted places,
 * which takes n log n steps and not n * m.
 */
#include "match/compare.h"
#include "match/compare_short.h"

/* A pause is offered after about this many steps. */
#define STEPS_A_PAUSE 1000000

/* ---- short strings ---------------------------------------------------- */

double
crm_short_jaro(const uint8_t *a, int a_length, const uint8_t *b, int b_length)
{
	return crm_short_jaro_inline(a, a_length, b, b_length, false, 0, false);
}

double
crm_short_jaro_winkler(const uint8_t *a, int a_length, const uint8_t *b, int b_length)
{
	return crm_short_jaro_inline(a, a_length, b, b_length, true, 0, false);
}

double
crm_short_jaro_winkler_at_least(const uint8_t *a, int a_length,
								const uint8_t *b, int b_length, double cutoff)
{
	double		jaro = crm_short_jaro_inline(a, a_length, b, b_length, true,
											 cutoff, false);

	return jaro >= cutoff && jaro > 0 ? jaro : 0;
}

int
crm_short_levenshtein(const uint8_t *a, int a_length, const uint8_t *b, int b_length)
{
	return crm_short_edit_inline(a, a_length, b, b_length, false, false);
}

int
crm_short_osa(const uint8_t *a, int a_length, const uint8_t *b, int b_length)
{
	return crm_short_edit_inline(a, a_length, b, b_length, true, false);
}

/* The distance is at least the difference of the lengths. */
static int
short_within(const uint8_t *a, int a_length, const uint8_t *b, int b_length,
			 int max, bool swaps)
{
	int			difference = a_length > b_length ? a_length - b_length : b_length - a_length;
	int			distance;

	if (difference > max)
		return max + 1;
	distance = crm_short_edit_inline(a, a_length, b, b_length, swaps, false);
	return distance <= max ? distance : max + 1;
}

int
crm_short_levenshtein_within(const uint8_t *a, int a_length,
							 const uint8_t *b, int b_length, int max)
{
	return short_within(a, a_length, b, b_length, max, false);
}

int
crm_short_osa_within(const uint8_t *a, int a_length,
					 const uint8_t *b, int b_length, int max)
{
	return short_within(a, a_length, b, b_length, max, true);
}

double
crm_short_jaro_portable(const uint8_t *a, int a_length, const uint8_t *b, int b_length)
{
	return crm_short_jaro_inline(a, a_length, b, b_length, false, 0, true);
}

double
crm_short_jaro_winkler_portable(const uint8_t *a, int a_length,
								const uint8_t *b, int b_length)
{
	return crm_short_jaro_inline(a, a_length, b, b_length, true, 0, true);
}

int
crm_short_levenshtein_portable(const uint8_t *a, int a_length,
							   const uint8_t *b, int b_length)
{
	return crm_short_edit_inline(a, a_length, b, b_length, false, true);
}

int
crm_short_osa_portable(const uint8_t *a, int a_length, const uint8_t *b, int b_length)
{
	return crm_short_edit_inline(a, a_length, b, b_length, true, true);
}

/* ---- where the letters of up to 64 code points stand ------------------- */

/* A power of two, and at most half full. */
#define MASKS 128

typedef struct Masks
{
	uint32_t	code[MASKS];
	uint64_t	mask[MASKS];	/* 0: nothing here */
} Masks;

static inline int
mask_place(const Masks *masks, uint32_t code)
{
	uint32_t	i = code * UINT32_C(2654435769) >> 25;

	while (masks->mask[i] != 0 && masks->code[i] != code)
		i = (i + 1) % MASKS;
	return i;
}

static void
masks_make(Masks *masks, const uint32_t *s, int length)
{
	memset(masks->mask, 0, sizeof(masks->mask));
	for (int i = 0; i < length; i++)
	{
		int			place = mask_place(masks, s[i]);

		masks->code[place] = s[i];
		masks->mask[place] |= UINT64_C(1) << i;
	}
}

static inline uint64_t
masks_get(const Masks *masks, uint32_t code)
{
	return masks->mask[mask_place(masks, code)];
}

/* ---- short strings of code points -------------------------------------- */

/*
 * The byte of a character: itself up to U+00FF, and basic Cyrillic in the upper
 * half.  *kinds collects what has been seen: 1 the upper half as it is, 2 as
 * Cyrillic, 4 neither.
 */
static inline void
narrow_one(const uint32_t *s, int length, uint8_t *bytes, int *kinds)
{
	memset(bytes, 0, CRM_SHORT_MAX);
	for (int i = 0; i < length; i++)
	{
		uint32_t	c = s[i];

		*kinds |= c < 0x80 ? 0 : c < 0x100 ? 1 : c >> 7 == 0x400 >> 7 ? 2 : 4;
		bytes[i] = (uint8_t) ((c & 0x7F) | (c >= 0x80) << 7);
	}
}

/* Makes short strings of both, where they can be told apart as such. */
static inline bool
narrow(const uint32_t *a, int a_length, const uint32_t *b, int b_length,
	   uint8_t *a_bytes, uint8_t *b_bytes)
{
	int			kinds = 0;

	if (a_length > CRM_SHORT_MAX || b_length > CRM_SHORT_MAX)
		return false;
	narrow_one(a, a_length, a_bytes, &kinds);
	narrow_one(b, b_length, b_bytes, &kinds);
	return kinds <= 2;
}

/* ---- Jaro -------------------------------------------------------------- */

size_t
crm_compare_memory(int a_length, int b_length)
{
	size_t		sum = (size_t) a_length + (size_t) b_length;

	if (a_length <= CRM_COMPARE_WORD && b_length <= CRM_COMPARE_WORD)
		return 0;

	/* Places sorted, room to sort them in, and a mark for each letter. */
	return sum * (2 * sizeof(uint64_t) + 1);
}

/* Neither string has more than 64 letters, and neither is empty. */
static double
jaro_by_bits(const uint32_t *a, int a_length, const uint32_t *b, int b_length)
{
	Masks		masks;
	int			window = crm_jaro_window(a_length > b_length ? a_length : b_length);
	uint64_t	available = UINT64_MAX;
	uint64_t	a_matched;
	uint64_t	b_matched = 0;
	int			matched = 0;
	int			moved = 0;

	masks_make(&masks, a, a_length);
	for (int i = 0; i < b_length; i++)
	{
		uint64_t	near = (UINT64_C(2) << (window < i ? 2 * window : window + i)) - 1;
		uint64_t	found;

		/* The lowest place is i - window, when there is such a place. */
		if (i > window)
			near <<= i - window;
		found = masks_get(&masks, b[i]) & available & near;
		available &= ~(found & -found);
		b_matched |= (uint64_t) (found != 0) << i;
		matched += found != 0;
	}
	if (matched == 0)
		return 0;
	a_matched = ~available;
	while (a_matched != 0)
	{
		moved += a[crm_lowest_bit(a_matched)] != b[crm_lowest_bit(b_matched)];
		a_matched &= a_matched - 1;
		b_matched &= b_matched - 1;
	}
	return crm_jaro_value(matched, moved, a_length, b_length);
}

/* Sorts by merging runs, each twice as long as the last. */
static uint64_t *
sort(uint64_t *from, uint64_t *to, int count)
{
	for (int run = 1; run < count; run *= 2)
	{
		uint64_t   *swap;

		for (int start = 0; start < count; start += 2 * run)
		{
			int			i = start;
			int			middle = count - start > run ? start + run : count;
			int			end = count - middle > run ? middle + run : count;
			int			j = middle;

			for (int k = start; k < end; k++)
				to[k] = j >= end || (i < middle && from[i] <= from[j]) ?
					from[i++] : from[j++];
		}
		swap = from;
		from = to;
		to = swap;
	}
	return from;
}

static double
jaro_by_places(const uint32_t *a, int a_length, const uint32_t *b, int b_length,
			   void *memory)
{
	int			sum = a_length + b_length;
	uint64_t   *a_place = memory;
	uint64_t   *b_place = a_place + a_length;
	uint64_t   *room = a_place + sum;
	uint8_t    *a_mark = (uint8_t *) (a_place + 2 * (size_t) sum);
	uint8_t    *b_mark = a_mark + a_length;
	uint64_t	window = crm_jaro_window(a_length > b_length ? a_length : b_length);
	int			matched = 0;
	int			moved = 0;
	int			i;
	int			j;

	memset(a_mark, 0, sum);
	for (i = 0; i < a_length; i++)
		a_place[i] = (uint64_t) a[i] << 32 | (uint32_t) i;
	for (j = 0; j < b_length; j++)
		b_place[j] = (uint64_t) b[j] << 32 | (uint32_t) j;
	a_place = sort(a_place, room, a_length);
	b_place = sort(b_place, room + a_length, b_length);
	for (i = j = 0; i < a_length && j < b_length;)
	{
		/* Too far behind, or of a letter that comes before the other's. */
		if (a_place[i] + window < b_place[j])
			i++;
		else if (b_place[j] + window < a_place[i])
			j++;
		else
		{
			a_mark[(uint32_t) a_place[i++]] = 1;
			b_mark[(uint32_t) b_place[j++]] = 1;
			matched++;
		}
	}
	if (matched == 0)
		return 0;
	for (i = j = 0; i < a_length; i++)
	{
		if (!a_mark[i])
			continue;
		while (!b_mark[j])
			j++;
		moved += a[i] != b[j++];
	}
	return crm_jaro_value(matched, moved, a_length, b_length);
}

double
crm_jaro(const uint32_t *a, int a_length, const uint32_t *b, int b_length,
		 const CrmCompareWork *work)
{
	uint8_t		x[CRM_SHORT_MAX];
	uint8_t		y[CRM_SHORT_MAX];

	if (a_length == 0 || b_length == 0)
		return a_length == b_length ? 1 : 0;
	if (narrow(a, a_length, b, b_length, x, y))
		return crm_short_jaro(x, a_length, y, b_length);
	if (a_length <= CRM_COMPARE_WORD && b_length <= CRM_COMPARE_WORD)
		return jaro_by_bits(a, a_length, b, b_length);
	return jaro_by_places(a, a_length, b, b_length, work->memory);
}

double
crm_jaro_winkler(const uint32_t *a, int a_length, const uint32_t *b, int b_length,
				 const CrmCompareWork *work)
{
	int			prefix = 0;

	while (prefix < 4 && prefix < a_length && prefix < b_length &&
		   a[prefix] == b[prefix])
		prefix++;
	return crm_winkler_value(crm_jaro(a, a_length, b, b_length, work), prefix);
}

/* ---- edit distances ---------------------------------------------------- */

/* What a row of words tells the next about a column. */
#define RIGHT_UP 1
#define RIGHT_DOWN 2
#define SWAP 4					/* a swap may begin in its last row */

/*
 * The distance, where pattern (length rows) and text (columns) are not empty.
 * Gives up when all the distances in a row are beyond max.
 */
static int
edit_by_words(const uint32_t *pattern, int length, const uint32_t *text, int columns,
			  bool swaps, int max, const CrmCompareWork *work)
{
	Masks		masks;
	uint8_t    *passed = length > 64 ? work->memory : NULL;
	int			steps = 0;
	int			distance = 0;

	/* Above the first row each distance is one more than the one before it. */
	if (passed != NULL)
		memset(passed, RIGHT_UP, columns);
	for (int start = 0; start < length; start += 64)
	{
		int			rows = length - start < 64 ? length - start : 64;
		int			last = rows - 1;
		uint64_t	up = UINT64_MAX;
		uint64_t	down = 0;
		uint64_t	same = 0;
		uint64_t	before = 0;
		int			least;

		distance = least = start + rows;
		masks_make(&masks, pattern + start, rows);
		for (int i = 0; i < columns; i++)
		{
			uint64_t	mask = masks_get(&masks, text[i]);
			uint64_t	above = passed != NULL ? passed[i] : RIGHT_UP;
			uint64_t	above_down = above / RIGHT_DOWN & 1;
			uint64_t	swapped = 0;
			uint64_t	swap_begins = 0;
			uint64_t	right_up;
			uint64_t	right_down;

			if (swaps)
			{
				swap_begins = ~same & mask;
				swapped = (swap_begins << 1 | above / SWAP) & before;
			}
			same = ((((mask | above_down) & up) + up) ^ up) | mask | above_down |
				down | swapped;
			right_up = down | ~(same | up);
			right_down = same & up;
			distance += (int) (right_up >> last & 1) - (int) (right_down >> last & 1);
			if (distance < least)
				least = distance;
			if (passed != NULL)
				passed[i] = (right_up >> last & 1) * RIGHT_UP |
					(right_down >> last & 1) * RIGHT_DOWN |
					(swap_begins >> last & 1) * SWAP;
			right_up = right_up << 1 | (above & RIGHT_UP);
			right_down = right_down << 1 | above_down;
			up = right_down | ~(same | right_up);
			down = right_up & same;
			before = mask;
		}

		/*
		 * What lies below is reached through a distance of this row, or by a
		 * swap that jumps over it; there the row has a distance no greater
		 * than that after the swap.
		 */
		if (max >= 0 && least > max)
			return max + 1;
		steps += columns;
		if (steps > STEPS_A_PAUSE && work != NULL && work->pause != NULL)
		{
			work->pause();
			steps = 0;
		}
	}
	return distance;
}

static int
edit(const uint32_t *a, int a_length, const uint32_t *b, int b_length,
	 bool swaps, int max, const CrmCompareWork *work)
{
	const uint32_t *swap;
	uint8_t		x[CRM_SHORT_MAX];
	uint8_t		y[CRM_SHORT_MAX];
	int			distance;

	/* What is equal at both ends costs nothing, with swaps as without. */
	while (a_length > 0 && b_length > 0 && *a == *b)
		a++, b++, a_length--, b_length--;
	while (a_length > 0 && b_length > 0 && a[a_length - 1] == b[b_length - 1])
		a_length--, b_length--;

	if (a_length > b_length)
	{
		swap = a;
		a = b;
		b = swap;
		distance = a_length;
		a_length = b_length;
		b_length = distance;
	}
	if (max >= b_length)
		max = -1;				/* no distance is beyond */
	if (max >= 0 && b_length - a_length > max)
		return max + 1;
	if (a_length == 0)
		distance = b_length;
	else if (narrow(a, a_length, b, b_length, x, y))
		distance = crm_short_edit_inline(x, a_length, y, b_length, swaps, false);
	else
		distance = edit_by_words(a, a_length, b, b_length, swaps, max, work);
	return max >= 0 && distance > max ? max + 1 : distance;
}

int
crm_levenshtein(const uint32_t *a, int a_length, const uint32_t *b, int b_length,
				int max, const CrmCompareWork *work)
{
	return edit(a, a_length, b, b_length, false, max, work);
}

int
crm_osa(const uint32_t *a, int a_length, const uint32_t *b, int b_length,
		int max, const CrmCompareWork *work)
{
	return edit(a, a_length, b, b_length, true, max, work);
}
