/*
 * The vectors of this processor beside the portable code, on pairs of names.
 *
 * Reads lines of one name, or of several separated by tabs or commas; compares
 * the names of each line with each other, each name with some others, and the
 * first ones (or, asked for "all", all) with each other.  Prints how many pairs
 * there were and a digest of the results, by which processors are compared.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "match/compare.h"
#include "match/compare_mask.h"
#include "text/utf8.h"

#define MOST 400000
#define WORDS 64

static struct
{
	uint8_t		s[CRM_SHORT_MAX];
	int			length;
}			name[MOST];
static int	names;
static long pairs;
static uint64_t digest;

static const char *const own[] = {
	"", "a", "b", "aa", "ab", "ba", "MARTHA", "MARHTA", "DIXON", "DICKSONX", "DWAYNE", "DUANE",
	"Иван", "Иваонв", "Александр", "Александра", "Щербаков", "Щебраков", "abcdefghijklmno",
	"abcdefghijklmnop", "abcdefghijklmnopq", "bacdefghijklmnopqrstuvwxyzabcde",
	"abcdefghijklmnopqrstuvwxyzabcdef", "abcdefghijklmnopqrstuvwxyzabcdfe",
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb",
	"bbbbbbbbbbbbbbbbaaaaaaaaaaaaaaaa", "abababababababababababababababab",
};

static void
add_to_digest(uint64_t value)
{
	digest = (digest ^ value) * UINT64_C(1099511628211);
	digest ^= digest >> 29;
}

static void
compare(int i, int j)
{
	const uint8_t *a = name[i].s;
	const uint8_t *b = name[j].s;
	int			n = name[i].length;
	int			m = name[j].length;
	double		similarity = crm_short_jaro_winkler(a, n, b, m);
	int			levenshtein = crm_short_levenshtein(a, n, b, m);
	int			osa = crm_short_osa(a, n, b, m);
	uint64_t	bits;

	if (similarity != crm_short_jaro_winkler_portable(a, n, b, m) ||
		levenshtein != crm_short_levenshtein_portable(a, n, b, m) ||
		osa != crm_short_osa_portable(a, n, b, m))
	{
		printf("different: %.*s %.*s\n", n, (const char *) a, m, (const char *) b);
		exit(1);
	}
	memcpy(&bits, &similarity, sizeof(bits));
	add_to_digest(bits);
	add_to_digest(levenshtein << 8 | osa);
	pairs++;
}

/* Basic Cyrillic in the upper half, all others by their last byte. */
static void
add(const char *s, size_t size)
{
	if (names == MOST)
		return;
	memset(&name[names], 0, sizeof(name[names]));
	while (size > 0 && name[names].length < CRM_SHORT_MAX)
	{
		uint32_t	code;
		int			bytes = crm_utf8_decode(s, size, &code);

		bytes = bytes > 0 ? bytes : 1;
		name[names].s[name[names].length++] = (uint8_t) (code >= 0x400 ? code | 0x80 : code);
		s += bytes;
		size -= bytes;
	}
	names++;
}

int
main(int count, char **argument)
{
	static char line[65536];
	int			first = 1500;
	unsigned	seed = 1;
	size_t		fixed = sizeof(own) / sizeof(own[0]);

	for (size_t i = 0; i < fixed; i++)
		add(own[i], strlen(own[i]));
	for (size_t i = 0; i < fixed; i++)
		for (size_t j = 0; j < fixed; j++)
			compare(i, j);
	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		int			begin = names;

		for (char *word = strtok(line, "\t,\r\n"); word != NULL; word = strtok(NULL, "\t,\r\n"))
			if (names - begin < WORDS)
				add(word, strlen(word));
		for (int i = begin; i < names; i++)
			for (int j = i + 1; j < names; j++)
				compare(i, j);
	}
	for (int i = 0; i < names; i++)
		for (int k = 0; k < 10; k++)
		{
			seed = seed * 1103515245 + 12345;
			compare(i, (seed >> 8) % names);
		}
	if (count > 1 && strcmp(argument[1], "all") == 0)
		first = names;
	for (int i = 0; i < names && i < first; i++)
		for (int j = i + 1; j < names && j < first; j++)
			compare(i, j);
	fprintf(stderr, "%s\n",
#if defined(CRM_MASK_SSE2)
			"SSE2"
#elif defined(CRM_MASK_NEON)
			"NEON"
#else
			"no vectors"
#endif
		);
	printf("%d names, %ld pairs, %016llx\n", names, pairs, (unsigned long long) digest);
	return 0;
}
