/*
 * compare_mask.h
 *		Where in a string of at most 32 bytes is this byte?  Bit i of the answer
 *		is set when byte i is equal to it.
 *
 * The bit-parallel methods usually look that up in a table made from one of
 * the strings.  For strings so short, and where every pair is another pair,
 * making the table costs more than the comparison; comparing 16 bytes at once
 * with the byte needs none.  SSE2 and Advanced SIMD belong to every x86-64 and
 * AArch64, so no choice has to be made when the program runs.
 */
#ifndef CRM_COMPARE_MASK_H
#define CRM_COMPARE_MASK_H

#include <stdint.h>
#include <string.h>

#define CRM_INLINE static inline __attribute__((always_inline))

#if defined(__SSE2__)
#include <emmintrin.h>
#define CRM_MASK_SSE2
#elif defined(__aarch64__) && defined(__ARM_NEON) && defined(__AARCH64EL__)
#include <arm_neon.h>
#define CRM_MASK_NEON
#endif

/* How wide we look; a constant wherever it is used. */
typedef enum CrmMaskWay
{
	CRM_MASK_16,				/* bytes 0 to 15 only */
	CRM_MASK_32,
	CRM_MASK_PORTABLE
} CrmMaskWay;

/* A string to be looked into, in registers. */
typedef struct CrmPattern
{
#if defined(CRM_MASK_SSE2)
	__m128i		low;
	__m128i		high;
#elif defined(CRM_MASK_NEON)
	uint8x16_t	low;
	uint8x16_t	high;
#endif
	uint64_t	word[4];		/* CRM_MASK_PORTABLE */
	int			words;
} CrmPattern;

/* Eight bytes, the first of them lowest. */
CRM_INLINE uint64_t
crm_mask_load(const uint8_t *s)
{
	uint64_t	word;

	memcpy(&word, s, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return word;
}

CRM_INLINE void
crm_pattern_load(CrmPattern *p, const uint8_t *s, int length, CrmMaskWay way)
{
#if defined(CRM_MASK_SSE2)
	if (way != CRM_MASK_PORTABLE)
	{
		p->low = _mm_loadu_si128((const __m128i *) s);
		if (way == CRM_MASK_32)
			p->high = _mm_loadu_si128((const __m128i *) (s + 16));
		return;
	}
#elif defined(CRM_MASK_NEON)
	if (way != CRM_MASK_PORTABLE)
	{
		p->low = vld1q_u8(s);
		if (way == CRM_MASK_32)
			p->high = vld1q_u8(s + 16);
		return;
	}
#endif
	p->words = (length + 7) / 8;
	for (int i = 0; i < 4; i++)
		p->word[i] = crm_mask_load(s + 8 * i);
}

/* Bits of bytes beyond the string are anything. */
CRM_INLINE uint32_t
crm_pattern_mask(const CrmPattern *p, uint8_t c, CrmMaskWay way)
{
	uint32_t	mask = 0;
	uint64_t	every;

#if defined(CRM_MASK_SSE2)
	if (way != CRM_MASK_PORTABLE)
	{
		__m128i		all = _mm_set1_epi8((char) c);

		mask = (uint32_t) _mm_movemask_epi8(_mm_cmpeq_epi8(p->low, all));
		if (way == CRM_MASK_32)
			mask |= (uint32_t) _mm_movemask_epi8(_mm_cmpeq_epi8(p->high, all)) << 16;
		return mask;
	}
#elif defined(CRM_MASK_NEON)
	if (way != CRM_MASK_PORTABLE)
	{
		static const uint8_t bit[16] = {
			1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128
		};
		uint8x16_t	all = vdupq_n_u8(c);
		uint8x16_t	bits = vld1q_u8(bit);
		uint8x16_t	low = vandq_u8(vceqq_u8(p->low, all), bits);
		uint8x16_t	high = way == CRM_MASK_32 ?
			vandq_u8(vceqq_u8(p->high, all), bits) : low;

		/* Three times the sum of neighbours: eight bytes become one. */
		low = vpaddq_u8(low, high);
		low = vpaddq_u8(low, low);
		low = vpaddq_u8(low, low);
		mask = vgetq_lane_u32(vreinterpretq_u32_u8(low), 0);
		return way == CRM_MASK_32 ? mask : mask & 0xFFFF;
	}
#endif

	/*
	 * Eight bytes at a time.  A byte of x is zero where they are equal; adding
	 * 0x7F to its lower seven bits carries into its highest unless they are
	 * zero, and never further.  The product gathers the eight highest bits.
	 */
	every = UINT64_C(0x0101010101010101) * c;
	for (int i = 0; i < p->words; i++)
	{
		const uint64_t seven = UINT64_C(0x7F7F7F7F7F7F7F7F);
		uint64_t	x = p->word[i] ^ every;
		uint64_t	zero = ~(((x & seven) + seven) | x | seven);

		mask |= (uint32_t) ((zero >> 7) * UINT64_C(0x0102040810204080) >> 56) << 8 * i;
	}
	return mask;
}

/* Index of the lowest bit of a mask that is not 0. */
CRM_INLINE int
crm_lowest_bit(uint64_t mask)
{
	return __builtin_ctzll(mask);
}

#endif							/* CRM_COMPARE_MASK_H */
