/*
 * Reads arbitrary bytes as an address and as a domain; the bytes are cut in
 * two for the comparisons.
 * sources: src/type/check.c src/type/email.c src/type/email_check.c
 * sources: src/type/email_domain.c
 * sources: src/type/email_key.c src/type/email_match.c src/text/idna.c
 * sources: src/text/idna_punycode.c
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "text/idna.h"
#include "text/utf8.h"
#include "type/email.h"

static int
sign(int n)
{
	return (n > 0) - (n < 0);
}

/* What holds for every value. */
static void
check_value(const char *image, int size)
{
	char		text[CRM_EMAIL_BUFFER];
	char		again[CRM_EMAIL_BUFFER];
	char		other[CRM_EMAIL_BUFFER];
	CrmEmailParts p = crm_email_parts(image, size);
	CrmCheck	check;
	int			n;
	int			m;

	assert(size <= CRM_EMAIL_MAX_IMAGE);
	assert(p.local_length >= 1 && p.local_length <= CRM_EMAIL_MAX_LOCAL);
	assert(p.domain_length >= 3);
	n = crm_email_text(image, size, text);
	assert(n == size);
	assert(crm_utf8_check(text, n) == (size_t) n);
	assert(memchr(p.domain, '@', p.domain_length) == NULL);
	assert(memchr(text, '\0', n) == NULL);

	/* The text reads as the same value, neither fixed nor refused. */
	m = crm_email_parse(text, n, 0, again, &check);
	assert(m == size && memcmp(again, image, size) == 0);
	assert(check.status == CRM_CHECK_OK || check.status == CRM_CHECK_ODD);

	/* The ASCII domain reads as the same domain, and fits the DNS. */
	m = crm_idna_to_ascii(p.domain, p.domain_length, other, sizeof(other));
	assert(m > 0 && m <= CRM_EMAIL_MAX_DOMAIN && crm_is_ascii(other, m));
	crm_email_parse_domain(p.domain, p.domain_length, 0, again, &check);
	if (check.code == NULL || strcmp(check.code, "EMAIL_DOMAIN_UNASSIGNED") != 0)
	{
		int			back = crm_email_parse_domain(other, m, 0, again, &check);

		assert(back == p.domain_length && memcmp(again, p.domain, back) == 0);
	}
	m = crm_email_ascii(image, size, other);
	assert(m <= CRM_EMAIL_MAX_PATH);

	m = crm_email_match_key(image, size, other);
	assert(m > 0 && m < CRM_EMAIL_BUFFER && crm_utf8_check(other, m) == (size_t) m);
	m = crm_email_mask(image, size, other);
	assert(m > 0 && crm_utf8_check(other, m) == (size_t) m);
	crm_email_special_use(image, size);
	assert(crm_email_starts_with(image, size, text, n));
	assert(crm_email_within(image, size, p.domain, p.domain_length));
	assert(crm_email_equal(image, size, image, size));
}

/* What holds for two values. */
static void
check_pair(const char *a, int a_size, const char *b, int b_size)
{
	int			c = crm_email_compare(a, a_size, b, b_size);
	int			d = crm_email_domain_compare(a, a_size, b, b_size);
	uint64_t	x = crm_email_abbreviate(a, a_size);
	uint64_t	y = crm_email_abbreviate(b, b_size);
	char		f[CRM_EMAIL_BUFFER];
	char		g[CRM_EMAIL_BUFFER];
	int			n = crm_email_fold(a, a_size, f);
	int			m = crm_email_fold(b, b_size, g);

	assert(sign(c) == -sign(crm_email_compare(b, b_size, a, a_size)));
	assert(sign(d) == -sign(crm_email_domain_compare(b, b_size, a, a_size)));
	assert((c == 0) == crm_email_equal(a, a_size, b, b_size));
	assert((d == 0) == (c == 0));
	assert((c == 0) == (n == m && memcmp(f, g, n) == 0));
	assert(x == y || (x < y) == (c < 0));
	x = crm_email_domain_abbreviate(a, a_size);
	y = crm_email_domain_abbreviate(b, b_size);
	assert(x == y || (x < y) == (d < 0));
}

/* A value with a prefix lies in the range of the prefix. */
static void
check_prefix(const char *image, int size, const char *prefix, size_t length)
{
	char		low[CRM_EMAIL_BUFFER];
	char		high[CRM_EMAIL_BUFFER];
	int			low_size;
	int			high_size;

	if (!crm_email_starts_with(image, size, prefix, length) ||
		!crm_email_prefix_range(prefix, length, low, &low_size, high, &high_size))
		return;
	assert(crm_email_compare(low, low_size, image, size) <= 0);
	assert(high_size == 0 || crm_email_compare(image, size, high, high_size) < 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *) data;
	const char *cut = memchr(text, '\n', size);
	size_t		first = cut == NULL ? size : (size_t) (cut - text);
	const char *second = cut == NULL ? text : cut + 1;
	size_t		rest = cut == NULL ? 0 : size - first - 1;
	char		a[CRM_EMAIL_BUFFER];
	char		b[CRM_EMAIL_BUFFER];
	char		domain[CRM_EMAIL_BUFFER];
	CrmCheck	check;
	int			a_size = crm_email_check(text, first, 0, a, &check);
	int			b_size;

	assert((a_size == 0) == (check.status == CRM_CHECK_BAD));
	assert((check.code == NULL) == (check.status == CRM_CHECK_OK));
	if (check.suggestion[0] != '\0')
	{
		CrmCheck	verdict;

		assert(crm_email_parse(check.suggestion, strlen(check.suggestion), 0, b, &verdict) > 0);
		assert(verdict.status != CRM_CHECK_FIXED);
	}
	crm_email_parse(text, first, CRM_EMAIL_ASCII_ONLY, b, &check);
	b_size = crm_email_parse(second, rest, CRM_EMAIL_NO_REPAIR, b, &check);
	if (a_size > 0)
	{
		check_value(a, a_size);
		for (size_t i = 0; i <= rest && i < 64; i++)
			check_prefix(a, a_size, second, i);
		for (int i = 1; i < a_size; i++)
		{
			char		whole[CRM_EMAIL_BUFFER];

			crm_email_text(a, a_size, whole);
			check_prefix(a, a_size, whole, i);
		}
	}
	if (a_size > 0 && b_size > 0)
		check_pair(a, a_size, b, b_size);
	{
		int			n = crm_email_parse_domain(second, rest, 0, domain, &check);
		char		low[CRM_EMAIL_BUFFER];
		char		high[CRM_EMAIL_BUFFER];
		int			low_size;
		int			high_size;

		if (n > 0 && a_size > 0 &&
			crm_email_domain_range(domain, n, low, &low_size, high, &high_size))
		{
			bool		inside = crm_email_domain_compare(low, low_size, a, a_size) <= 0 &&
				crm_email_domain_compare(a, a_size, high, high_size) < 0;

			assert(inside == crm_email_within(a, a_size, domain, n));
		}
	}
	return 0;
}
