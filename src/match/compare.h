/*
 * compare.h
 *		How alike two strings are: Jaro, Jaro-Winkler, the edit distances of
 *		Levenshtein and of optimal string alignment, and sets of words.
 *
 * All measures are symmetric.  Those of short strings are for the inner loop
 * of a match: records keep their names folded to one byte a letter in 32
 * bytes, and a pair costs some tens of nanoseconds.  Those of strings of code
 * points are for everything else.  Where both apply, the results are equal to
 * the last bit.
 *
 * Knows nothing of the server.
 */
#ifndef CRM_COMPARE_H
#define CRM_COMPARE_H

#include <stddef.h>
#include <stdint.h>

/* ---- short strings ---------------------------------------------------- */

/*
 * A short string is an array of CRM_SHORT_MAX bytes, one a letter, of which
 * the first length are its own.  The bytes beyond are read but not looked at;
 * zeros are good manners.  Nothing needs to be aligned.
 */
#define CRM_SHORT_MAX 32

extern double crm_short_jaro(const uint8_t *a, int a_length,
							 const uint8_t *b, int b_length);
extern double crm_short_jaro_winkler(const uint8_t *a, int a_length,
									 const uint8_t *b, int b_length);
extern int	crm_short_levenshtein(const uint8_t *a, int a_length,
								  const uint8_t *b, int b_length);
extern int	crm_short_osa(const uint8_t *a, int a_length,
						  const uint8_t *b, int b_length);

/* The similarity when it is cutoff or more, else 0, and then often sooner. */
extern double crm_short_jaro_winkler_at_least(const uint8_t *a, int a_length,
											  const uint8_t *b, int b_length,
											  double cutoff);

/* The distance when it is max or less, else max + 1, and then often sooner. */
extern int	crm_short_levenshtein_within(const uint8_t *a, int a_length,
										 const uint8_t *b, int b_length, int max);
extern int	crm_short_osa_within(const uint8_t *a, int a_length,
								 const uint8_t *b, int b_length, int max);

/* The same by the code for processors without vectors that we know. */
extern double crm_short_jaro_portable(const uint8_t *a, int a_length,
									  const uint8_t *b, int b_length);
extern double crm_short_jaro_winkler_portable(const uint8_t *a, int a_length,
											  const uint8_t *b, int b_length);
extern int	crm_short_levenshtein_portable(const uint8_t *a, int a_length,
										   const uint8_t *b, int b_length);
extern int	crm_short_osa_portable(const uint8_t *a, int a_length,
								   const uint8_t *b, int b_length);

/* ---- strings of code points ------------------------------------------- */

/*
 * What the work on long strings needs.  memory has at least
 * crm_compare_memory() bytes, aligned for uint64_t; it may be NULL when that
 * is 0.  pause, when there is one, is called every now and then, and need not
 * come back.  The whole may be NULL when neither is wanted.
 */
typedef struct CrmCompareWork
{
	void	   *memory;
	void		(*pause) (void);
} CrmCompareWork;

/* Lengths are up to CRM_COMPARE_MAX; at most this many bytes are wanted. */
#define CRM_COMPARE_MAX 65535

/* 0 when neither string is longer than this. */
#define CRM_COMPARE_WORD 64

extern size_t crm_compare_memory(int a_length, int b_length);

/*
 * From 0, nothing in common, to 1, equal.  Two empty strings are equal; an
 * empty one has nothing in common with any other.
 *
 * A letter matches an equal one that is at most max(lengths) / 2 - 1 places
 * away; with m letters matched, of which 2 t are in another order,
 * Jaro is (m / a_length + m / b_length + (m - t) / m) / 3, t rounded down.
 * Winkler adds a tenth of what is missing to 1 for each of the first letters
 * (up to four) that are equal, when Jaro is above 0.7.
 */
extern double crm_jaro(const uint32_t *a, int a_length,
					   const uint32_t *b, int b_length,
					   const CrmCompareWork *work);
extern double crm_jaro_winkler(const uint32_t *a, int a_length,
							   const uint32_t *b, int b_length,
							   const CrmCompareWork *work);

/*
 * How many letters must be put in, taken out or replaced to make b of a.
 * max < 0: no bound; otherwise max + 1 stands for all that is beyond.
 */
extern int	crm_levenshtein(const uint32_t *a, int a_length,
							const uint32_t *b, int b_length, int max,
							const CrmCompareWork *work);

/*
 * The same where two neighbours may also change places, once: what has been
 * moved is not edited again (ca to abc is 3, not 2).
 */
extern int	crm_osa(const uint32_t *a, int a_length,
					const uint32_t *b, int b_length, int max,
					const CrmCompareWork *work);

#endif							/* CRM_COMPARE_H */
