/*
 * utf8.h
 *		Decoding and encoding of UTF-8, for code that trusts nobody.
 *
 * Overlong forms, surrogates, and what lies above U+10FFFF are broken bytes.
 * Knows nothing of the server.
 */
#ifndef CRM_UTF8_H
#define CRM_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Decodes the character at s, of which left bytes remain (at least one).
 * Returns its length in bytes, or 0 when the bytes are broken (code is then
 * U+FFFD).
 */
static inline int
crm_utf8_decode(const char *s, size_t left, uint32_t *code)
{
	const unsigned char *u = (const unsigned char *) s;

	*code = 0xFFFD;
	if (u[0] < 0x80)
	{
		*code = u[0];
		return 1;
	}
	if (u[0] < 0xC2)
		return 0;
	if (u[0] < 0xE0)
	{
		if (left < 2 || (u[1] & 0xC0) != 0x80)
			return 0;
		*code = (uint32_t) (u[0] & 0x1F) << 6 | (u[1] & 0x3F);
		return 2;
	}
	if (u[0] < 0xF0)
	{
		uint32_t	c;

		if (left < 3 || (u[1] & 0xC0) != 0x80 || (u[2] & 0xC0) != 0x80)
			return 0;
		c = (uint32_t) (u[0] & 0x0F) << 12 | (uint32_t) (u[1] & 0x3F) << 6 |
			(u[2] & 0x3F);
		if (c < 0x800 || (c >= 0xD800 && c <= 0xDFFF))
			return 0;
		*code = c;
		return 3;
	}
	if (u[0] < 0xF5)
	{
		uint32_t	c;

		if (left < 4 || (u[1] & 0xC0) != 0x80 || (u[2] & 0xC0) != 0x80 ||
			(u[3] & 0xC0) != 0x80)
			return 0;
		c = (uint32_t) (u[0] & 0x07) << 18 | (uint32_t) (u[1] & 0x3F) << 12 |
			(uint32_t) (u[2] & 0x3F) << 6 | (u[3] & 0x3F);
		if (c < 0x10000 || c > 0x10FFFF)
			return 0;
		*code = c;
		return 4;
	}
	return 0;
}

/*
 * Writes the character (a valid code point) into s, which has room for four
 * bytes; returns its length.
 */
static inline int
crm_utf8_encode(uint32_t code, char *s)
{
	if (code < 0x80)
	{
		s[0] = (char) code;
		return 1;
	}
	if (code < 0x800)
	{
		s[0] = (char) (0xC0 | code >> 6);
		s[1] = (char) (0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000)
	{
		s[0] = (char) (0xE0 | code >> 12);
		s[1] = (char) (0x80 | (code >> 6 & 0x3F));
		s[2] = (char) (0x80 | (code & 0x3F));
		return 3;
	}
	s[0] = (char) (0xF0 | code >> 18);
	s[1] = (char) (0x80 | (code >> 12 & 0x3F));
	s[2] = (char) (0x80 | (code >> 6 & 0x3F));
	s[3] = (char) (0x80 | (code & 0x3F));
	return 4;
}

/* The offset of the first broken byte, or length when there is none. */
static inline size_t
crm_utf8_check(const char *s, size_t length)
{
	size_t		i = 0;

	while (i < length)
	{
		uint32_t	code;
		int			n = crm_utf8_decode(s + i, length - i, &code);

		if (n == 0)
			return i;
		i += n;
	}
	return length;
}

static inline bool
crm_is_ascii(const char *s, size_t length)
{
	unsigned char all = 0;

	for (size_t i = 0; i < length; i++)
		all |= (unsigned char) s[i];
	return all < 0x80;
}

/* The start of the character that ends before s + end; end must be > 0. */
static inline size_t
crm_utf8_previous(const char *s, size_t end)
{
	size_t		i = end - 1;

	while (i > 0 && end - i < 4 && ((unsigned char) s[i] & 0xC0) == 0x80)
		i--;
	return i;
}

/* White space of Unicode, line ends and NBSP included. */
static inline bool
crm_is_space(uint32_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xA0 ||
		c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
		c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

/*
 * Characters that take no room or steer the direction of text: soft hyphen,
 * zero-width characters, bidirectional controls, byte-order mark, the Hangul
 * fillers, shorthand and musical controls, tags, and supplementary variation
 * selectors.  (The Arabic and Syriac signs of category Cf can be seen.)
 */
static inline bool
crm_is_invisible(uint32_t c)
{
	return c == 0xAD || c == 0x61C || c == 0x115F || c == 0x1160 || c == 0x180E ||
		(c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) ||
		(c >= 0x2060 && c <= 0x206F) || c == 0x3164 || c == 0xFEFF ||
		c == 0xFFA0 || (c >= 0xFFF9 && c <= 0xFFFB) ||
		(c >= 0x1BCA0 && c <= 0x1BCA3) || (c >= 0x1D173 && c <= 0x1D17A) ||
		(c >= 0xE0000 && c <= 0xE0FFF);
}

/* C0, DEL, C1. */
static inline bool
crm_is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7F && c < 0xA0);
}

/* Private use, noncharacters, and the replacement characters. */
static inline bool
crm_is_meaningless(uint32_t c)
{
	return (c >= 0xE000 && c <= 0xF8FF) || c >= 0xF0000 ||
		(c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE ||
		c == 0xFFFC || c == 0xFFFD;
}

#endif							/* CRM_UTF8_H */
