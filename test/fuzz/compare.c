/*
 * Comparing strings: short = portable = general = the definition.
 * sources: src/match/compare.c
 */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "match/compare.h"

#define MAX 400

static int
minimum(int a, int b)
{
	return a < b ? a : b;
}

/* Row by row, as defined. */
static int
edit(const uint32_t *a, int n, const uint32_t *b, int m, bool swaps)
{
	static int	d[MAX + 1][MAX + 1];

	for (int i = 0; i <= n; i++)
		for (int j = 0; j <= m; j++)
		{
			if (i == 0 || j == 0)
				d[i][j] = i + j;
			else
			{
				d[i][j] = minimum(minimum(d[i - 1][j], d[i][j - 1]) + 1,
								  d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
				if (swaps && i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
					d[i][j] = minimum(d[i][j], d[i - 2][j - 2] + 1);
			}
		}
	return d[n][m];
}

/* By the definition, starting with a. */
static double
jaro(const uint32_t *a, int n, const uint32_t *b, int m, bool winkler)
{
	static bool a_matched[MAX];
	static bool b_matched[MAX];
	int			window = (n > m ? n : m) / 2 - 1;
	double		matched = 0;
	int			moved = 0;
	double		value;
	int			j = 0;
	int			prefix = 0;

	if (n == 0 || m == 0)
		return n == m;
	if (window < 0)
		window = 0;
	memset(a_matched, 0, sizeof(a_matched));
	memset(b_matched, 0, sizeof(b_matched));
	for (int i = 0; i < n; i++)
		for (int k = i > window ? i - window : 0; k < m && k <= i + window; k++)
			if (!b_matched[k] && a[i] == b[k])
			{
				a_matched[i] = b_matched[k] = true;
				matched++;
				break;
			}
	if (matched == 0)
		return 0;
	for (int i = 0; i < n; i++)
		if (a_matched[i])
		{
			while (!b_matched[j])
				j++;
			moved += a[i] != b[j++];
		}
	value = (matched / n + matched / m + (matched - moved / 2) / matched) / 3;
	if (!winkler || value <= 0.7)
		return value;
	while (prefix < 4 && prefix < n && prefix < m && a[prefix] == b[prefix])
		prefix++;
	return value + prefix * 0.1 * (1 - value);
}

/* A copy of exactly the size, so that reading beyond it is noticed. */
static uint32_t *
exact(const uint32_t *s, int length)
{
	uint32_t   *copy = malloc(length * sizeof(uint32_t) + 1);

	memcpy(copy, s, length * sizeof(uint32_t));
	return copy;
}

static void
check_short(const uint32_t *a, int n, const uint32_t *b, int m, uint8_t junk)
{
	uint8_t    *x = malloc(CRM_SHORT_MAX);
	uint8_t    *y = malloc(CRM_SHORT_MAX);
	double		similarity = jaro(a, n, b, m, true);
	int			levenshtein = edit(a, n, b, m, false);
	int			osa = edit(a, n, b, m, true);

	/* What follows the string must not matter. */
	memset(x, junk, CRM_SHORT_MAX);
	memset(y, junk, CRM_SHORT_MAX);
	for (int i = 0; i < n; i++)
		x[i] = (uint8_t) a[i];
	for (int i = 0; i < m; i++)
		y[i] = (uint8_t) b[i];
	assert(crm_short_jaro(x, n, y, m) == jaro(a, n, b, m, false));
	assert(crm_short_jaro_portable(x, n, y, m) == jaro(a, n, b, m, false));
	assert(crm_short_jaro_winkler(x, n, y, m) == similarity);
	assert(crm_short_jaro_winkler(y, m, x, n) == similarity);
	assert(crm_short_jaro_winkler_portable(x, n, y, m) == similarity);
	assert(crm_short_levenshtein(x, n, y, m) == levenshtein);
	assert(crm_short_levenshtein_portable(x, n, y, m) == levenshtein);
	assert(crm_short_osa(x, n, y, m) == osa);
	assert(crm_short_osa_portable(x, n, y, m) == osa);
	for (int i = 0; i <= 20; i++)
		assert(crm_short_jaro_winkler_at_least(x, n, y, m, i * 0.05) ==
			   (similarity >= i * 0.05 ? similarity : 0));
	assert(crm_short_jaro_winkler_at_least(x, n, y, m, similarity) == similarity);
	for (int max = 0; max <= 4; max++)
	{
		assert(crm_short_levenshtein_within(x, n, y, m, max) == minimum(levenshtein, max + 1));
		assert(crm_short_osa_within(x, n, y, m, max) == minimum(osa, max + 1));
	}
	free(x);
	free(y);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint32_t letters[2 * MAX];
	uint32_t   *a;
	uint32_t   *b;
	int			n;
	int			m;
	unsigned	alphabet;
	CrmCompareWork work = {NULL, NULL};
	int			distance;

	if (size < 4 || size > 2 * MAX)
		return 0;
	alphabet = data[0] % 5;
	n = (data[1] << 8 | data[2]) % (size - 3);
	m = (int) size - 4 - n;
	if (n > MAX || m > MAX)
		return 0;
	for (size_t i = 4; i < size; i++)
		letters[i - 4] = alphabet == 0 ? data[i] : alphabet == 1 ? data[i] % 4 :
			alphabet == 2 ? data[i] * 257 : alphabet == 3 ? 0x9F8D + data[i] % 4 :
			(data[i] & 1) << 7 | (data[i] & 2) << 9 | (data[i] >> 2 & 1);

	/* Two that differ at their ends, and by neighbours that changed places. */
	if (data[0] >= 128 && n > 2 && m > 0)
	{
		int			swaps = m < 8 ? m : 8;
		uint8_t		place[8];

		memcpy(place, data + 4 + n, swaps);
		m = n;
		memcpy(letters + n, letters, n * sizeof(uint32_t));
		letters[n] += 1;
		letters[n + m - 1] += 1;
		for (int i = 0; i < swaps; i++)
		{
			uint32_t   *s = letters + n + place[i] * (n - 1) / 256;
			uint32_t	swap = s[0];

			s[0] = s[1];
			s[1] = swap;
		}
	}
	a = exact(letters, n);
	b = exact(letters + n, m);
	work.memory = malloc(crm_compare_memory(n, m) + 1);

	assert(crm_jaro(a, n, b, m, &work) == jaro(a, n, b, m, false));
	assert(crm_jaro(b, m, a, n, &work) == jaro(a, n, b, m, false));
	assert(crm_jaro_winkler(a, n, b, m, &work) == jaro(a, n, b, m, true));
	for (int swaps = 0; swaps <= 1; swaps++)
	{
		int			(*f) (const uint32_t *, int, const uint32_t *, int, int,
						  const CrmCompareWork *) = swaps ? crm_osa : crm_levenshtein;

		distance = edit(a, n, b, m, swaps);
		assert(f(a, n, b, m, -1, &work) == distance);
		assert(f(b, m, a, n, -1, &work) == distance);
		assert(f(a, n, b, m, INT32_MAX, &work) == distance);
		for (int max = distance > 2 ? distance - 3 : 0; max <= distance + 2; max++)
			assert(f(a, n, b, m, max, &work) == minimum(distance, max + 1));
		assert(f(a, n, b, m, data[3], &work) == minimum(distance, data[3] + 1));
	}
	if (n <= CRM_SHORT_MAX && m <= CRM_SHORT_MAX && alphabet < 2 && data[0] < 128)
		check_short(a, n, b, m, data[3]);
	free(work.memory);
	free(a);
	free(b);
	return 0;
}
