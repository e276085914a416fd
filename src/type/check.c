/*
 * check.c
 *		The pure half of check.h: filling in a verdict, showing hostile text.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "type/check.h"

/*
 * Cuts an incomplete UTF-8 sequence off the end of a string that snprintf()
 * may have truncated.
 */
static void
trim_partial_character(char *text)
{
	size_t		length = strlen(text);
	size_t		start = length;
	unsigned char lead;
	size_t		need;

	if (length == 0 || (unsigned char) text[length - 1] < 0x80)
		return;
	do
		start--;
	while (start > 0 && ((unsigned char) text[start] & 0xC0) == 0x80);
	lead = (unsigned char) text[start];
	need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
	if (length - start < need)
		text[start] = '\0';
}

void
crm_check_set(CrmCheck *check, CrmCheckStatus status, const char *code,
			  int position, const char *message, ...)
{
	va_list		args;

	check->status = status;
	check->code = code;
	check->position = position;
	va_start(args, message);
	vsnprintf(check->message, sizeof(check->message), message, args);
	va_end(args);
	trim_partial_character(check->message);
}

void
crm_check_hint(CrmCheck *check, const char *hint, ...)
{
	va_list		args;

	va_start(args, hint);
	vsnprintf(check->hint, sizeof(check->hint), hint, args);
	va_end(args);
	trim_partial_character(check->hint);
}

/* Decodes one character; returns its length, or 0 when the bytes are broken. */
static int
decode_utf8(const unsigned char *s, size_t left, unsigned int *code)
{
	static const unsigned int smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
	int			need;
	unsigned int c;

	if (s[0] < 0x80)
	{
		*code = s[0];
		return 1;
	}
	need = s[0] >= 0xF0 && s[0] < 0xF8 ? 4 : s[0] >= 0xE0 && s[0] < 0xF0 ? 3 :
		s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : 0;
	if (need == 0 || left < (size_t) need)
		return 0;
	c = s[0] & (0xFF >> (need + 1));
	for (int i = 1; i < need; i++)
	{
		if ((s[i] & 0xC0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3F);
	}
	if (c < smallest[need] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
		return 0;
	*code = c;
	return need;
}

/* Characters that a terminal or a log must not receive as they are. */
static bool
is_unprintable(unsigned int c)
{
	return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0xAD || c == 0x61C ||
		(c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) ||
		(c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
		(c >= 0xFFF0 && c <= 0xFFFF) || (c >= 0xE0000 && c <= 0xE0FFF);
}

char *
crm_printable(char *buffer, size_t size, const char *value, size_t length)
{
	const unsigned char *s = (const unsigned char *) value;
	size_t		used = 0;
	size_t		i = 0;

	while (i < length)
	{
		char		piece[16];
		unsigned int c;
		int			n = decode_utf8(s + i, length - i, &c);
		size_t		add;

		if (n == 0)
		{
			snprintf(piece, sizeof(piece), "<0x%02X>", s[i]);
			n = 1;
		}
		else if (is_unprintable(c))
			snprintf(piece, sizeof(piece), "<U+%04X>", c);
		else
		{
			memcpy(piece, s + i, n);
			piece[n] = '\0';
		}
		add = strlen(piece);
		if (used + add + 4 > size)	/* room for "..." and the end */
		{
			memcpy(buffer + used, "...", 3);
			used += 3;
			break;
		}
		memcpy(buffer + used, piece, add);
		used += add;
		i += n;
	}
	buffer[used] = '\0';
	return buffer;
}
