/*
 * contact_set_chunk.c
 *		What is done within a chunk: members among 65536 ids, as an array, a
 *		bitmap or runs (contact_set.h).
 */
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "type/contact_set.h"

/*
 * Every x86-64 of this age counts bits by one instruction, but not the oldest
 * that compilers still write for; so there are two versions of what counts
 * words, and the processor is asked.  Elsewhere the compiler knows.
 */
#define WORD_KERNELS(suffix, attribute) \
attribute static uint32_t \
and_count##suffix(const uint64_t *a, const uint64_t *b) \
{ \
	uint32_t	count = 0; \
 \
	for (int i = 0; i < CRM_SET_WORDS; i += 4) \
		count += __builtin_popcountll(a[i] & b[i]) + \
			__builtin_popcountll(a[i + 1] & b[i + 1]) + \
			__builtin_popcountll(a[i + 2] & b[i + 2]) + \
			__builtin_popcountll(a[i + 3] & b[i + 3]); \
	return count; \
} \
 \
/* Set bits whose lower neighbour is not set, until there are too many of them. */ \
attribute static uint32_t \
count_runs##suffix(const uint64_t *words) \
{ \
	uint32_t	runs = 0; \
	uint64_t	carry = 0; \
 \
	for (int i = 0; i < CRM_SET_WORDS && runs <= CRM_SET_RUNS_MAX; i += 4) \
		for (int k = i; k < i + 4; k++) \
		{ \
			runs += __builtin_popcountll(words[k] & ~(words[k] << 1 | carry)); \
			carry = words[k] >> 63; \
		} \
	return runs; \
} \
 \
attribute static uint32_t \
count_words##suffix(const uint64_t *words, uint32_t number) \
{ \
	uint32_t	count = 0; \
 \
	for (uint32_t i = 0; i < number; i++) \
		count += __builtin_popcountll(words[i]); \
	return count; \
}

WORD_KERNELS(_portable,)
#if defined(__x86_64__) && !defined(__POPCNT__)
WORD_KERNELS(_popcnt, __attribute__((target("popcnt"))))
#define KERNEL(name, ...) \
	(__builtin_cpu_supports("popcnt") ? name##_popcnt(__VA_ARGS__) : name##_portable(__VA_ARGS__))
#else
#define KERNEL(name, ...) name##_portable(__VA_ARGS__)
#endif

/* The common members of two bitmaps, eight words at once where that is possible. */
#ifdef __x86_64__
#define WIDE __attribute__((target("avx512f,avx512vpopcntdq")))

WIDE static uint32_t
and_count_wide(const uint64_t *a, const uint64_t *b)
{
	__m512i		count = _mm512_setzero_si512();

	for (int i = 0; i < CRM_SET_WORDS; i += 8)
		count = _mm512_add_epi64(count, _mm512_popcnt_epi64(_mm512_and_si512(_mm512_loadu_si512(a + i),
																			 _mm512_loadu_si512(b + i))));
	return (uint32_t) _mm512_reduce_add_epi64(count);
}

static uint32_t
words_words(const uint64_t *a, const uint64_t *b)
{
	if (__builtin_cpu_supports("avx512vpopcntdq"))
		return and_count_wide(a, b);
	return KERNEL(and_count, a, b);
}
#else
#define words_words(a, b) KERNEL(and_count, a, b)
#endif

/* Members at or above the first whose low is >= the given one: where they begin. */
static uint32_t
array_bound(const uint16_t *array, uint32_t count, uint16_t low)
{
	const uint16_t *base = array;

	while (count > 1)
	{
		uint32_t	half = count / 2;

		base += base[half - 1] < low ? half : 0;
		count -= half;
	}
	return (base - array) + (count == 1 && *base < low);
}

/* The number of runs that begin at or before low. */
static uint32_t
run_bound(const CrmSetRun *run, uint32_t runs, uint16_t low)
{
	uint32_t	begin = 0;

	while (begin < runs)
	{
		uint32_t	middle = (begin + runs) / 2;

		if (run[middle].first <= low)
			begin = middle + 1;
		else
			runs = middle;
	}
	return begin;
}

static inline bool
has_bit(const uint64_t *words, uint16_t low)
{
	return words[low >> 6] >> (low & 63) & 1;
}

bool
crm_chunk_has(const CrmSetChunk *chunk, const void *body, uint16_t low)
{
	if (chunk->runs > 0)
	{
		const CrmSetRun *run = body;
		uint32_t	at = run_bound(run, chunk->runs, low);

		return at > 0 && (uint32_t) low - run[at - 1].first <= run[at - 1].more;
	}
	if (crm_chunk_is_array(chunk))
	{
		const uint16_t *array = body;
		uint32_t	count = crm_chunk_count(chunk);
		uint32_t	at = array_bound(array, count, low);

		return at < count && array[at] == low;
	}
	return has_bit(body, low);
}

uint32_t
crm_chunk_rank(const CrmSetChunk *chunk, const void *body, uint16_t low)
{
	if (chunk->runs > 0)
	{
		const CrmSetRun *run = body;
		uint32_t	rank = 0;

		for (uint32_t i = 0; i < chunk->runs && run[i].first <= low; i++)
		{
			uint32_t	before = (uint32_t) low - run[i].first;

			rank += (before < run[i].more ? before : run[i].more) + 1;
		}
		return rank;
	}
	if (crm_chunk_is_array(chunk))
	{
		const uint16_t *array = body;
		uint32_t	count = crm_chunk_count(chunk);
		uint32_t	at = array_bound(array, count, low);

		return at + (at < count && array[at] == low);
	}
	else
	{
		const uint64_t *words = body;
		uint32_t	word = low >> 6;
		uint64_t	last = words[word] & (~UINT64_C(0) >> (63 - (low & 63)));

		return KERNEL(count_words, words, word) + __builtin_popcountll(last);
	}
}

uint16_t
crm_chunk_select(const CrmSetChunk *chunk, const void *body, uint32_t position)
{
	if (chunk->runs > 0)
	{
		const CrmSetRun *run = body;

		while (position > run->more)
			position -= (uint32_t) run++->more + 1;
		return run->first + position;
	}
	if (crm_chunk_is_array(chunk))
		return ((const uint16_t *) body)[position];
	else
	{
		const uint64_t *words = body;
		uint32_t	word = 0;
		uint64_t	bits;

		for (;; word++)
		{
			uint32_t	count = __builtin_popcountll(words[word]);

			if (position < count)
				break;
			position -= count;
		}
		for (bits = words[word]; position > 0; position--)
			bits &= bits - 1;
		return word * 64 + __builtin_ctzll(bits);
	}
}

uint32_t
crm_words_decode(const uint64_t *words, uint16_t *low)
{
	uint32_t	count = 0;

	for (uint32_t i = 0; i < CRM_SET_WORDS; i++)
		for (uint64_t bits = words[i]; bits != 0; bits &= bits - 1)
			low[count++] = i * 64 + __builtin_ctzll(bits);
	return count;
}

uint32_t
crm_chunk_decode(const CrmSetChunk *chunk, const void *body, uint16_t *low)
{
	uint32_t	count = crm_chunk_count(chunk);

	if (chunk->runs > 0)
	{
		const CrmSetRun *run = body;

		for (uint32_t i = 0; i < chunk->runs; i++)
			for (uint32_t k = 0; k <= run[i].more; k++)
				*low++ = run[i].first + k;
	}
	else if (crm_chunk_is_array(chunk))
		memcpy(low, body, 2 * count);
	else
		crm_words_decode(body, low);
	return count;
}

/* ---------------- common members of two chunks ---------------- */

/* From so many members on a bitmap of 8 kB is worth its clearing. */
#define MARKED 128

static uint32_t
array_array(const uint16_t *a, uint32_t a_count, const uint16_t *b, uint32_t b_count)
{
	uint32_t	count = 0;

	if (a_count > b_count)
	{
		const uint16_t *swap = a;
		uint32_t	swap_count = a_count;

		a = b;
		a_count = b_count;
		b = swap;
		b_count = swap_count;
	}
	if (b_count / 32 > a_count)
	{
		/* few in many: look each up in what is left */
		for (uint32_t i = 0; i < a_count; i++)
		{
			uint32_t	at = array_bound(b, b_count, a[i]);

			b += at;
			b_count -= at;
			if (b_count == 0)
				break;
			count += *b == a[i];
		}
	}
	else if (a_count + b_count >= MARKED)
	{
		/* each step of a merge waits for the one before: mark and look instead */
		uint64_t	words[CRM_SET_WORDS] = {0};

		for (uint32_t i = 0; i < b_count; i++)
			words[b[i] >> 6] |= UINT64_C(1) << (b[i] & 63);
		for (uint32_t i = 0; i < a_count; i++)
			count += has_bit(words, a[i]);
	}
	else
	{
		const uint16_t *a_end = a + a_count;
		const uint16_t *b_end = b + b_count;

		while (a < a_end && b < b_end)
		{
			uint16_t	x = *a;
			uint16_t	y = *b;

			count += x == y;
			a += x <= y;
			b += y <= x;
		}
	}
	return count;
}

static uint32_t
array_words(const uint16_t *a, uint32_t a_count, const uint64_t *words)
{
	uint32_t	count = 0;

	for (uint32_t i = 0; i < a_count; i++)
		count += has_bit(words, a[i]);
	return count;
}

static uint32_t
array_runs(const uint16_t *a, uint32_t a_count, const CrmSetRun *run, uint32_t runs)
{
	uint32_t	count = 0;
	uint32_t	i = 0;

	for (uint32_t r = 0; r < runs && i < a_count; r++)
	{
		uint32_t	last = (uint32_t) run[r].first + run[r].more;

		i += array_bound(a + i, a_count - i, run[r].first);
		while (i < a_count && a[i] <= last)
		{
			i++;
			count++;
		}
	}
	return count;
}

static uint32_t
words_runs(const uint64_t *words, const CrmSetRun *run, uint32_t runs)
{
	uint32_t	count = 0;

	for (uint32_t r = 0; r < runs; r++)
	{
		uint32_t	last = (uint32_t) run[r].first + run[r].more;
		uint32_t	begin = run[r].first >> 6;
		uint32_t	end = last >> 6;
		uint64_t	low = ~UINT64_C(0) << (run[r].first & 63);
		uint64_t	high = ~UINT64_C(0) >> (63 - (last & 63));

		if (begin == end)
			count += __builtin_popcountll(words[begin] & low & high);
		else
			count += __builtin_popcountll(words[begin] & low) +
				KERNEL(count_words, words + begin + 1, end - begin - 1) +
				__builtin_popcountll(words[end] & high);
	}
	return count;
}

static uint32_t
runs_runs(const CrmSetRun *a, uint32_t a_runs, const CrmSetRun *b, uint32_t b_runs)
{
	uint32_t	count = 0;
	uint32_t	i = 0;
	uint32_t	k = 0;

	while (i < a_runs && k < b_runs)
	{
		uint32_t	a_last = (uint32_t) a[i].first + a[i].more;
		uint32_t	b_last = (uint32_t) b[k].first + b[k].more;
		uint32_t	first = a[i].first > b[k].first ? a[i].first : b[k].first;
		uint32_t	last = a_last < b_last ? a_last : b_last;

		if (first <= last)
			count += last - first + 1;
		if (a_last <= b_last)
			i++;
		if (b_last <= a_last)
			k++;
	}
	return count;
}

uint32_t
crm_chunk_and_count(const CrmSetChunk *a, const void *a_body,
					const CrmSetChunk *b, const void *b_body)
{
	if (a->last == CRM_SET_CHUNK_IDS - 1)
		return crm_chunk_count(b);
	if (b->last == CRM_SET_CHUNK_IDS - 1)
		return crm_chunk_count(a);
	if (crm_chunk_is_array(a))
	{
		if (crm_chunk_is_array(b))
			return array_array(a_body, crm_chunk_count(a), b_body, crm_chunk_count(b));
		if (b->runs > 0)
			return array_runs(a_body, crm_chunk_count(a), b_body, b->runs);
		return array_words(a_body, crm_chunk_count(a), b_body);
	}
	if (crm_chunk_is_array(b))
		return crm_chunk_and_count(b, b_body, a, a_body);
	if (a->runs > 0)
		return b->runs > 0 ? runs_runs(a_body, a->runs, b_body, b->runs) :
			words_runs(b_body, a_body, a->runs);
	if (b->runs > 0)
		return words_runs(a_body, b_body, b->runs);
	return words_words(a_body, b_body);
}

/* ---------------- a bitmap of one's own ---------------- */

typedef enum RangeChange
{
	RANGE_SET,
	RANGE_CLEAR,
	RANGE_FLIP
} RangeChange;

static inline uint64_t
changed(uint64_t word, uint64_t mask, RangeChange change)
{
	if (change == RANGE_SET)
		return word | mask;
	return change == RANGE_CLEAR ? word & ~mask : word ^ mask;
}

static inline void
change_range(uint64_t *words, uint32_t first, uint32_t last, RangeChange change)
{
	uint32_t	begin = first >> 6;
	uint32_t	end = last >> 6;
	uint64_t	low = ~UINT64_C(0) << (first & 63);
	uint64_t	high = ~UINT64_C(0) >> (63 - (last & 63));

	if (begin == end)
	{
		words[begin] = changed(words[begin], low & high, change);
		return;
	}
	words[begin] = changed(words[begin], low, change);
	for (uint32_t i = begin + 1; i < end; i++)
		words[i] = changed(words[i], ~UINT64_C(0), change);
	words[end] = changed(words[end], high, change);
}

void
crm_words_set_range(uint64_t *words, uint32_t first, uint32_t last)
{
	change_range(words, first, last, RANGE_SET);
}

static inline void
change_words(uint64_t *words, const CrmSetChunk *chunk, const void *body, RangeChange change)
{
	if (chunk->runs > 0)
	{
		const CrmSetRun *run = body;

		for (uint32_t i = 0; i < chunk->runs; i++)
			change_range(words, run[i].first, (uint32_t) run[i].first + run[i].more, change);
	}
	else if (crm_chunk_is_array(chunk))
	{
		const uint16_t *array = body;
		uint32_t	count = crm_chunk_count(chunk);

		for (uint32_t i = 0; i < count; i++)
			words[array[i] >> 6] = changed(words[array[i] >> 6],
										   UINT64_C(1) << (array[i] & 63), change);
	}
	else
	{
		const uint64_t *other = body;

		for (int i = 0; i < CRM_SET_WORDS; i++)
			words[i] = changed(words[i], other[i], change);
	}
}

void
crm_words_or(uint64_t *words, const CrmSetChunk *chunk, const void *body)
{
	change_words(words, chunk, body, RANGE_SET);
}

void
crm_words_and_not(uint64_t *words, const CrmSetChunk *chunk, const void *body)
{
	change_words(words, chunk, body, RANGE_CLEAR);
}

void
crm_words_xor(uint64_t *words, const CrmSetChunk *chunk, const void *body)
{
	change_words(words, chunk, body, RANGE_FLIP);
}

void
crm_words_from(uint64_t *words, const CrmSetChunk *chunk, const void *body)
{
	if (crm_chunk_is_bitmap(chunk))
		memcpy(words, body, CRM_SET_BITMAP_SIZE);
	else
	{
		memset(words, 0, CRM_SET_BITMAP_SIZE);
		crm_words_or(words, chunk, body);
	}
}

void
crm_words_and(uint64_t *words, const CrmSetChunk *chunk, const void *body)
{
	uint64_t	other[CRM_SET_WORDS];

	if (!crm_chunk_is_bitmap(chunk))
	{
		crm_words_from(other, chunk, body);
		body = other;
	}
	for (int i = 0; i < CRM_SET_WORDS; i++)
		words[i] &= ((const uint64_t *) body)[i];
}

uint32_t
crm_words_count(const uint64_t *words, uint32_t *runs)
{
	*runs = KERNEL(count_runs, words);
	return KERNEL(count_words, words, CRM_SET_WORDS);
}
