/*
 * Comparing names: nanoseconds a pair, on one core, beside the plain matrix.
 * sources: src/match/compare.c
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "match/compare.h"
#include "match/compare_mask.h"

#define PAIRS 131072			/* more than a processor remembers of branches */
#define NAMES 2048

/* Syllables of which surnames are made. */
static const char *const begin[] = {
	"iva", "petro", "smir", "kuz", "po", "vasil", "sokol", "mikha", "nov", "fedo", "moroz", "vol",
	"alek", "lebed", "sem", "ego", "pav", "koz", "step", "niko", "or", "andr", "mak", "za", "shcher", "ye",
};
static const char *const middle[] = {"n", "r", "v", "l", "k", "s", "m", "ts", "zh", "d", "ch", "sh"};
static const char *const end[] = {
	"ov", "ova", "ev", "eva", "in", "ina", "skiy", "enko", "uk", "yan", "man", "son", "er", "ich", "",
};

typedef struct Name
{
	uint8_t		s[CRM_SHORT_MAX];
	uint32_t	codes[CRM_SHORT_MAX];
	int			length;
} Name;

static Name name[NAMES];
static int	left[PAIRS];
static int	right[PAIRS];
static volatile double sink;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static int
least(int a, int b, int c)
{
	a = a < b ? a : b;
	return a < c ? a : c;
}

static int
matrix_edit(const Name *a, const Name *b, bool swaps)
{
	int			row[3][CRM_SHORT_MAX + 1];
	int		   *above2 = row[0];
	int		   *above = row[1];
	int		   *here = row[2];

	for (int j = 0; j <= b->length; j++)
		above[j] = j;
	for (int i = 1; i <= a->length; i++)
	{
		int		   *free_row = above2;

		here[0] = i;
		for (int j = 1; j <= b->length; j++)
		{
			here[j] = least(above[j] + 1, here[j - 1] + 1,
							above[j - 1] + (a->s[i - 1] != b->s[j - 1]));
			if (swaps && i > 1 && j > 1 && a->s[i - 1] == b->s[j - 2] &&
				a->s[i - 2] == b->s[j - 1] && above2[j - 2] + 1 < here[j])
				here[j] = above2[j - 2] + 1;
		}
		above2 = above;
		above = here;
		here = free_row;
	}
	return above[b->length];
}

static double
matrix_jaro_winkler(const Name *a, const Name *b)
{
	bool		a_matched[CRM_SHORT_MAX] = {false};
	bool		b_matched[CRM_SHORT_MAX] = {false};
	int			window = (a->length > b->length ? a->length : b->length) / 2 - 1;
	double		m = 0;
	int			moved = 0;
	double		value;
	int			prefix = 0;

	if (window < 0)
		window = 0;
	for (int i = 0; i < a->length; i++)
		for (int j = i > window ? i - window : 0; j < b->length && j <= i + window; j++)
			if (!b_matched[j] && a->s[i] == b->s[j])
			{
				a_matched[i] = b_matched[j] = true;
				m++;
				break;
			}
	if (m == 0)
		return 0;
	for (int i = 0, j = 0; i < a->length; i++)
		if (a_matched[i])
		{
			while (!b_matched[j])
				j++;
			moved += a->s[i] != b->s[j++];
		}
	value = (m / a->length + m / b->length + (m - moved / 2) / m) / 3;
	while (prefix < 4 && prefix < a->length && prefix < b->length &&
		   a->s[prefix] == b->s[prefix])
		prefix++;
	return value > 0.7 ? value + prefix * 0.1 * (1 - value) : value;
}

#define ROUNDS 6
#define RUNS 7
#define BENCH(title, base, expression) \
	do { \
		double		best = 1e9; \
		double		sum = 0; \
		for (int run = 0; run < RUNS; run++) \
		{ \
			double		start = now(); \
			for (int round = 0; round < ROUNDS; round++) \
				for (int i = 0; i < PAIRS; i++) \
				{ \
					const Name *a = &name[left[i]]; \
					const Name *b = &name[right[i]]; \
					sum += (expression); \
				} \
			start = now() - start; \
			if (start < best) \
				best = start; \
		} \
		sink = sum; \
		best = best / ROUNDS / PAIRS * 1e9; \
		if ((base) == 0) \
			(base) = best; \
		printf("%-42s %7.1f ns  %6.1f times as fast\n", title, best, (base) / best); \
	} while (0)

int
main(void)
{
	unsigned	seed = 1;
	double		jaro = 0;
	double		levenshtein = 0;
	double		osa = 0;
	double		letters = 0;

	for (int i = 0; i < NAMES; i++)
	{
		char		s[64];

		seed = seed * 1103515245 + 12345;
		name[i].length = snprintf(s, sizeof(s), "%s%s%s", begin[(seed >> 8) % 26],
								  (seed >> 20) % 2 ? middle[(seed >> 16) % 12] : "",
								  end[(seed >> 24) % 15]);
		for (int k = 0; k < name[i].length; k++)
			name[i].codes[k] = name[i].s[k] = (uint8_t) s[k];
		letters += name[i].length;
	}
	for (int i = 0; i < PAIRS; i++)
	{
		seed = seed * 1103515245 + 12345;
		left[i] = (seed >> 8) % NAMES;
		seed = seed * 1103515245 + 12345;
		right[i] = (seed >> 8) % NAMES;
	}
	printf("random pairs of names of %.1f letters, %s\n", letters / NAMES,
#if defined(CRM_MASK_SSE2)
		   "SSE2"
#elif defined(CRM_MASK_NEON)
		   "NEON"
#else
		   "no vectors"
#endif
		);
	BENCH("Jaro-Winkler by its definition", jaro, matrix_jaro_winkler(a, b));
	BENCH("crm_short_jaro_winkler", jaro, crm_short_jaro_winkler(a->s, a->length, b->s, b->length));
	BENCH("crm_short_jaro_winkler_at_least(.88)", jaro, crm_short_jaro_winkler_at_least(a->s, a->length, b->s, b->length, .88));
	BENCH("crm_short_jaro_winkler_portable", jaro, crm_short_jaro_winkler_portable(a->s, a->length, b->s, b->length));
	BENCH("crm_jaro_winkler", jaro, crm_jaro_winkler(a->codes, a->length, b->codes, b->length, NULL));
	BENCH("Levenshtein by the matrix", levenshtein, matrix_edit(a, b, false));
	BENCH("crm_short_levenshtein", levenshtein, crm_short_levenshtein(a->s, a->length, b->s, b->length));
	BENCH("crm_short_levenshtein_within(2)", levenshtein, crm_short_levenshtein_within(a->s, a->length, b->s, b->length, 2));
	BENCH("crm_short_levenshtein_portable", levenshtein, crm_short_levenshtein_portable(a->s, a->length, b->s, b->length));
	BENCH("crm_levenshtein", levenshtein, crm_levenshtein(a->codes, a->length, b->codes, b->length, -1, NULL));
	BENCH("OSA by the matrix", osa, matrix_edit(a, b, true));
	BENCH("crm_short_osa", osa, crm_short_osa(a->s, a->length, b->s, b->length));
	BENCH("crm_short_osa_within(2)", osa, crm_short_osa_within(a->s, a->length, b->s, b->length, 2));
	BENCH("crm_short_osa_portable", osa, crm_short_osa_portable(a->s, a->length, b->s, b->length));
	BENCH("crm_osa", osa, crm_osa(a->codes, a->length, b->codes, b->length, -1, NULL));
	return 0;
}
