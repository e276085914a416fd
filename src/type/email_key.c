/*
 * email_key.c
 *		Orders, equality, searching and showing of e-mail addresses.
 *
 * These are what indexes rest on: they read nothing but the bytes of the
 * values and never fail.
 */
#include <string.h>

#include "text/idna.h"
#include "text/utf8.h"
#include "type/email.h"
#include "type/email_class.h"

#define FOLD(c) crm_email_lower((unsigned char) (c))

int
crm_email_text(const char *image, size_t size, char *out)
{
	CrmEmailParts p = crm_email_parts(image, size);

	memcpy(out, p.local, p.local_length);
	out[p.local_length] = '@';
	memcpy(out + p.local_length + 1, p.domain, p.domain_length);
	return p.local_length + 1 + p.domain_length;
}

int
crm_email_ascii(const char *image, size_t size, char *out)
{
	CrmEmailParts p = crm_email_parts(image, size);
	int			n;

	if (!crm_is_ascii(p.local, p.local_length))
		return -1;
	memcpy(out, p.local, p.local_length);
	out[p.local_length] = '@';
	n = crm_idna_to_ascii(p.domain, p.domain_length, out + p.local_length + 1,
						  CRM_EMAIL_BUFFER - 1 - p.local_length);
	return n < 0 ? -1 : p.local_length + 1 + n;
}

/* memcmp(), then the shorter before the longer. */
static int
compare_bytes(const char *a, int a_length, const char *b, int b_length)
{
	int			r = memcmp(a, b, a_length < b_length ? a_length : b_length);

	return r != 0 ? r : a_length - b_length;
}

/*
 * The same with A-Z as a-z.  Equal bytes are skipped eight at a time, as
 * neighbours in a sorted set begin alike.
 */
static int
compare_folded(const char *a, int a_length, const char *b, int b_length)
{
	int			n = a_length < b_length ? a_length : b_length;
	int			i = 0;

	while (i < n)
	{
		int			r;

		while (i + 8 <= n && memcmp(a + i, b + i, 8) == 0)
			i += 8;
		for (int end = i + 8 <= n ? i + 8 : n; i < end; i++)
			if (a[i] != b[i] && (r = (int) FOLD(a[i]) - (int) FOLD(b[i])) != 0)
				return r;
	}
	return a_length - b_length;
}

int
crm_email_compare(const char *a, size_t a_size, const char *b, size_t b_size)
{
	CrmEmailParts x = crm_email_parts(a, a_size);
	CrmEmailParts y = crm_email_parts(b, b_size);
	int			r = compare_folded(x.local, x.local_length, y.local, y.local_length);

	return r != 0 ? r :
		compare_bytes(x.domain, x.domain_length, y.domain, y.domain_length);
}

bool
crm_email_equal(const char *a, size_t a_size, const char *b, size_t b_size)
{
	return a_size == b_size && a[0] == b[0] &&
		crm_email_compare(a, a_size, b, b_size) == 0;
}

/* The start of the last label of the first end bytes of a domain. */
static int
label_start(const char *domain, int end)
{
	while (end > 0 && domain[end - 1] != '.')
		end--;
	return end;
}

int
crm_email_domain_compare(const char *a, size_t a_size, const char *b, size_t b_size)
{
	CrmEmailParts x = crm_email_parts(a, a_size);
	CrmEmailParts y = crm_email_parts(b, b_size);
	int			n = x.domain_length < y.domain_length ?
		x.domain_length : y.domain_length;
	int			same = 0;		/* bytes at the end that are alike */
	int			labels = 0;		/* those of whole labels and their dots */
	int			x_start;
	int			y_start;

	if (x.domain_length == y.domain_length && memcmp(x.domain, y.domain, n) == 0)
		return compare_folded(x.local, x.local_length, y.local, y.local_length);
	while (same < n && x.domain[x.domain_length - 1 - same] == y.domain[y.domain_length - 1 - same])
	{
		if (x.domain[x.domain_length - 1 - same] == '.')
			labels = same + 1;
		same++;
	}

	/* The parent comes first. */
	if (same == y.domain_length && x.domain[x.domain_length - 1 - same] == '.')
		return 1;
	if (same == x.domain_length && y.domain[y.domain_length - 1 - same] == '.')
		return -1;
	x_start = label_start(x.domain, x.domain_length - labels);
	y_start = label_start(y.domain, y.domain_length - labels);
	return compare_bytes(x.domain + x_start, x.domain_length - labels - x_start,
						 y.domain + y_start, y.domain_length - labels - y_start);
}

int
crm_email_fold(const char *image, size_t size, char *out)
{
	int			end = 1 + (unsigned char) image[0];

	out[0] = image[0];
	for (int i = 1; i < end; i++)
		out[i] = (char) FOLD(image[i]);
	memcpy(out + end, image + end, size - end);
	return (int) size;
}

/* Appends a byte to an abbreviated key; true when the key is full. */
static bool
push(uint64_t *key, int *used, unsigned char c)
{
	*key |= (uint64_t) c << (56 - 8 * *used);
	return ++*used == 8;
}

/* The local part, a zero (which no part contains), the domain. */
uint64_t
crm_email_abbreviate(const char *image, size_t size)
{
	CrmEmailParts p = crm_email_parts(image, size);
	uint64_t	key = 0;
	int			used = 0;

	for (int i = 0; i < p.local_length; i++)
		if (push(&key, &used, FOLD(p.local[i])))
			return key;
	if (push(&key, &used, 0))
		return key;
	for (int i = 0; i < p.domain_length; i++)
		if (push(&key, &used, (unsigned char) p.domain[i]))
			return key;
	return key;
}

/* The labels from the right, a zero after each, one more zero, the local part. */
uint64_t
crm_email_domain_abbreviate(const char *image, size_t size)
{
	CrmEmailParts p = crm_email_parts(image, size);
	uint64_t	key = 0;
	int			used = 0;
	int			end = p.domain_length;

	while (end >= 0)
	{
		int			start = label_start(p.domain, end);

		for (int i = start; i < end; i++)
			if (push(&key, &used, (unsigned char) p.domain[i]))
				return key;
		if (push(&key, &used, 0))
			return key;
		end = start - 1;
	}
	if (push(&key, &used, 0))
		return key;
	for (int i = 0; i < p.local_length; i++)
		if (push(&key, &used, FOLD(p.local[i])))
			return key;
	return key;
}

bool
crm_email_starts_with(const char *image, size_t size, const char *prefix,
					  size_t length)
{
	CrmEmailParts p = crm_email_parts(image, size);
	int			n = (int) length;

	if (length > size)			/* the text is as long as the image */
		return false;
	for (int i = 0; i < n && i < p.local_length; i++)
		if (FOLD(p.local[i]) != FOLD(prefix[i]))
			return false;
	if (n <= p.local_length)
		return true;
	if (prefix[p.local_length] != '@')
		return false;
	for (int i = p.local_length + 1; i < n; i++)
		if ((unsigned char) p.domain[i - p.local_length - 1] != FOLD(prefix[i]))
			return false;
	return true;
}

bool
crm_email_within(const char *image, size_t size, const char *domain, size_t length)
{
	CrmEmailParts p = crm_email_parts(image, size);
	int			before = p.domain_length - (int) length;

	return before >= 0 && memcmp(p.domain + before, domain, length) == 0 &&
		(before == 0 || p.domain[before - 1] == '.');
}

/*
 * Makes of s the least text above all that begin with it, in the order of
 * bytes, and keeps it valid UTF-8 as EXPLAIN shows it.  Returns its length, 0
 * when there is none.
 */
static int
successor(char *s, int length)
{
	while (length > 0)
	{
		int			last = (int) crm_utf8_previous(s, length);
		uint32_t	code;

		crm_utf8_decode(s + last, length - last, &code);
		if (code < 0x10FFFF)
			return last + crm_utf8_encode(code == 0xD7FF ? 0xE000 : code + 1, s + last);
		length = last;
	}
	return 0;
}

bool
crm_email_prefix_range(const char *prefix, size_t length,
					   char *lower, int *lower_size,
					   char *upper, int *upper_size)
{
	int			at = (int) crm_email_find_at(prefix, length);
	int			n = (int) length;
	int			grown;

	/* Still inside the quotes: all of it is local part. */
	if (length > 0 && prefix[0] == '"' && crm_email_quoted_length(prefix, length) == 0)
		at = n;
	if (length == 0 || length > CRM_EMAIL_MAX_LOCAL ||
		crm_utf8_check(prefix, length) < length ||
		memchr(prefix, '\0', length) != NULL)
		return false;
	for (int i = 0; i < n; i++)
		lower[i + 1] = (char) FOLD(prefix[i]);
	if (at == n)
	{
		/* Part of the local part, or all of it. */
		lower[0] = (char) n;
		*lower_size = n + 1;
		memcpy(upper, lower, n + 1);
		grown = successor(upper + 1, n);
		upper[0] = (char) grown;
		*upper_size = grown > 0 ? grown + 1 : 0;
		return true;
	}
	lower[0] = (char) at;
	memmove(lower + 1 + at, lower + 2 + at, n - at - 1);
	*lower_size = n;
	memcpy(upper, lower, n);
	grown = successor(upper + 1 + at, n - at - 1);
	if (grown > 0)
		*upper_size = 1 + at + grown;
	else
	{
		/*
		 * Any domain: up to the least longer local part.  No character below
		 * "!" stands in one, but between quotes.
		 */
		upper[0] = (char) (at + 1);
		upper[1 + at] = '!';
		*upper_size = at + 2;
	}
	return true;
}

bool
crm_email_domain_range(const char *domain, size_t length,
					   char *lower, int *lower_size,
					   char *upper, int *upper_size)
{
	const char *dot = memchr(domain, '.', length);
	size_t		first = dot == NULL ? length : (size_t) (dot - domain);

	if (length == 0 || length > CRM_EMAIL_MAX_IMAGE)
		return false;
	lower[0] = 0;
	memcpy(lower + 1, domain, length);
	*lower_size = (int) length + 1;

	/*
	 * All that is under "example.com" comes before "example-.com", the least
	 * name whose label is longer: no character of a label is below "-".
	 */
	upper[0] = 0;
	memcpy(upper + 1, domain, first);
	upper[1 + first] = '-';
	memcpy(upper + 2 + first, domain + first, length - first);
	*upper_size = (int) length + 2;
	return true;
}

bool
crm_email_tag(const char *image, size_t size, int *offset, int *length)
{
	CrmEmailParts p = crm_email_parts(image, size);
	const char *plus;

	if (p.local_length == 0 || p.local[0] == '"' || p.local[0] == '+')
		return false;
	plus = memchr(p.local, '+', p.local_length);
	if (plus == NULL)
		return false;
	*offset = (int) (plus - p.local) + 1;
	*length = p.local_length - *offset;
	return true;
}

/* The first character of the name, three stars, the domain. */
int
crm_email_mask(const char *image, size_t size, char *out)
{
	CrmEmailParts p = crm_email_parts(image, size);
	uint32_t	code;
	int			n = 0;

	if (p.local_length > 0 && p.local[0] != '"')
	{
		n = crm_utf8_decode(p.local, p.local_length, &code);
		memcpy(out, p.local, n);
	}
	memcpy(out + n, "***@", 4);
	memcpy(out + n + 4, p.domain, p.domain_length);
	return n + 4 + p.domain_length;
}

/*
 * Names that never reach a mailbox on the Internet: the Special-Use Domain
 * Names of IANA (RFC 6761, 6762, 7686, 8375, 9476 ...), and "internal", which
 * ICANN reserved for private use in 2024.
 */
bool
crm_email_special_use(const char *image, size_t size)
{
	static const char *const names[] = {
		"test", "example", "invalid", "localhost", "local", "onion", "alt",
		"internal", "arpa", "example.com", "example.net", "example.org"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (crm_email_within(image, size, names[i], strlen(names[i])))
			return true;
	return false;
}
