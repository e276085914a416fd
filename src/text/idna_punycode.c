/*
 * idna_punycode.c
 *		The ASCII form of a domain name, by RFC 3492 (Punycode).
 *
 * Works on names that are already mapped and lower case, hence without ICU.
 */
#include <string.h>

#include "text/idna.h"
#include "text/utf8.h"

/* The parameters of RFC 3492, section 5. */
enum
{
	BASE = 36,
	TMIN = 1,
	TMAX = 26,
	SKEW = 38,
	DAMP = 700,
	INITIAL_BIAS = 72,
	INITIAL_N = 128
};

/* Longest label that is worth encoding, in characters. */
#define LABEL_CHARACTERS 256

static uint32_t
adapt(uint32_t delta, uint32_t points, bool first)
{
	uint32_t	k = 0;

	delta = first ? delta / DAMP : delta / 2;
	delta += delta / points;
	while (delta > (BASE - TMIN) * TMAX / 2)
	{
		delta /= BASE - TMIN;
		k += BASE;
	}
	return k + (BASE - TMIN + 1) * delta / (delta + SKEW);
}

static char
digit(uint32_t value)
{
	return (char) (value < 26 ? 'a' + value : '0' + (value - 26));
}

/* Encodes one label, without its prefix; -1 when it does not fit. */
static int
encode_label(const uint32_t *label, int length, char *out, int size)
{
	uint32_t	n = INITIAL_N;
	uint32_t	delta = 0;
	uint32_t	bias = INITIAL_BIAS;
	int			used = 0;
	int			basic;
	int			handled;

	for (int i = 0; i < length; i++)
	{
		if (label[i] >= 0x80)
			continue;
		if (used >= size)
			return -1;
		out[used++] = (char) label[i];
	}
	basic = handled = used;
	if (basic > 0)
	{
		if (used >= size)
			return -1;
		out[used++] = '-';
	}
	while (handled < length)
	{
		uint32_t	next = UINT32_MAX;

		for (int i = 0; i < length; i++)
			if (label[i] >= n && label[i] < next)
				next = label[i];
		/* At most 256 characters below 2^21: no overflow. */
		delta += (next - n) * (uint32_t) (handled + 1);
		n = next;
		for (int i = 0; i < length; i++)
		{
			if (label[i] < n)
				delta++;
			else if (label[i] == n)
			{
				uint32_t	q = delta;

				for (uint32_t k = BASE;; k += BASE)
				{
					uint32_t	t = k <= bias ? TMIN :
						k >= bias + TMAX ? TMAX : k - bias;

					if (used >= size)
						return -1;
					if (q < t)
						break;
					out[used++] = digit(t + (q - t) % (BASE - t));
					q = (q - t) / (BASE - t);
				}
				out[used++] = digit(q);
				bias = adapt(delta, (uint32_t) handled + 1, handled == basic);
				delta = 0;
				handled++;
			}
		}
		delta++;
		n++;
	}
	return used;
}

int
crm_idna_to_ascii(const char *name, size_t length, char *out, size_t size)
{
	size_t		used = 0;
	size_t		start = 0;

	for (size_t end = 0; end <= length; end++)
	{
		size_t		label_length;

		if (end < length && name[end] != '.')
			continue;
		label_length = end - start;
		if (crm_is_ascii(name + start, label_length))
		{
			if (used + label_length > size)
				return -1;
			memcpy(out + used, name + start, label_length);
			used += label_length;
		}
		else
		{
			uint32_t	label[LABEL_CHARACTERS];
			int			characters = 0;
			int			n;

			for (size_t i = start; i < end; i += n)
			{
				if (characters == LABEL_CHARACTERS)
					return -1;
				n = crm_utf8_decode(name + i, end - i, &label[characters++]);
				if (n == 0)
					return -1;
			}
			if (used + 4 > size)
				return -1;
			memcpy(out + used, "xn--", 4);
			used += 4;
			n = encode_label(label, characters, out + used, (int) (size - used));
			if (n < 0)
				return -1;
			used += n;
		}
		if (end < length)
		{
			if (used >= size)
				return -1;
			out[used++] = '.';
		}
		start = end + 1;
	}
	return (int) used;
}
