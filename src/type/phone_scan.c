/*
 * phone_scan.c
 *		From text to digits.
 */
#include <string.h>

#include "type/phone_scan.h"

/* First characters of the runs of ten decimal digits (Unicode 14, general
 * category Nd) beyond ASCII. */
static const uint32_t zero_digit[] = {
	0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66,
	0x0CE6, 0x0D66, 0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810,
	0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0,
	0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10, 0x104A0, 0x10D30, 0x11066,
	0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730,
	0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0, 0x16A60, 0x16AC0, 0x16B50, 0x1D7CE,
	0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0
};

static PhoneClass
classify_wide(uint32_t c, uint8_t *digit)
{
	switch (c)
	{
		case 0xA0: case 0x1680: case 0x202F: case 0x205F: case 0x3000:
			return PHONE_SPACE;
		case 0xAD: case 0x61C: case 0x200B: case 0x200C: case 0x200D: case 0x200E:
		case 0x200F: case 0x2060: case 0xFEFF:
			return PHONE_INVISIBLE;
		case 0x2212: case 0x30FC: case 0xFF0D: case 0xFF0E: case 0xFF0F:
			return PHONE_SEPARATOR;
		case 0xFF08: case 0xFF3B:
			return PHONE_OPEN;
		case 0xFF09: case 0xFF3D:
			return PHONE_CLOSE;
		case 0xFF0B:
			return PHONE_PLUS;
		default:
			break;
	}
	if (c >= 0x2000 && c <= 0x200A)
		return PHONE_SPACE;
	if (c >= 0x2010 && c <= 0x2015)
		return PHONE_SEPARATOR;
	if ((c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069))
		return PHONE_INVISIBLE;
	if (c >= zero_digit[0])
		for (size_t i = 0; i < sizeof(zero_digit) / sizeof(zero_digit[0]); i++)
			if (c >= zero_digit[i] && c < zero_digit[i] + 10)
			{
				*digit = (uint8_t) (c - zero_digit[i]);
				return PHONE_DIGIT;
			}
	if ((c >= 0xC0 && c < 0x2B0 && c != 0xD7 && c != 0xF7) || (c >= 0x370 && c < 0x600))
		return PHONE_LETTER;
	return PHONE_OTHER;
}

#define O PHONE_OTHER
#define D PHONE_DIGIT
#define L PHONE_LETTER
static const uint8_t ascii_kind[128] = {
	O, O, O, O, O, O, O, O, O, PHONE_SPACE, O, O, O, O, O, O,
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	PHONE_SPACE, O, O, O, O, O, O, O, PHONE_OPEN, PHONE_CLOSE, O, PHONE_PLUS, O,
	PHONE_SEPARATOR, PHONE_SEPARATOR, PHONE_SEPARATOR,	/* - . / */
	D, D, D, D, D, D, D, D, D, D, O, O, O, O, O, O,
	O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
	L, L, L, L, L, L, L, L, L, L, L, PHONE_OPEN, O, PHONE_CLOSE, O, O,
	O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
	L, L, L, L, L, L, L, L, L, L, L, O, O, O, O, O
};
#undef O
#undef D
#undef L

/* What may stand between the digits: PHONE_SPACE to PHONE_CLOSE of the above. */
static const bool between[256] = {
	['\t'] = true, [' '] = true, ['('] = true, [')'] = true, ['-'] = true, ['.'] = true,
	['/'] = true, ['['] = true, [']'] = true
};

/* A character beyond ASCII. */
static PhoneChar
wide_char(const char *s, size_t length, size_t at)
{
	static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *p = (const unsigned char *) s + at;
	PhoneChar	c = {p[0], 1, PHONE_BROKEN, 0};
	unsigned	need;

	need = p[0] >= 0xF0 && p[0] < 0xF8 ? 4 : p[0] >= 0xE0 && p[0] < 0xF0 ? 3 :
		p[0] >= 0xC2 && p[0] < 0xE0 ? 2 : 0;
	if (need == 0 || length - at < need)
		return c;
	c.code = p[0] & (0xFFu >> (need + 1));
	for (unsigned i = 1; i < need; i++)
	{
		if ((p[i] & 0xC0) != 0x80)
			return c;
		c.code = c.code << 6 | (p[i] & 0x3F);
	}
	if (c.code < smallest[need] || c.code > 0x10FFFF ||
		(c.code >= 0xD800 && c.code <= 0xDFFF))
		return c;
	c.bytes = (uint8_t) need;
	c.kind = classify_wide(c.code, &c.digit);
	return c;
}

static inline PhoneChar
next_char(const char *s, size_t length, size_t at)
{
	unsigned char byte = (unsigned char) s[at];

	if (byte < 0x80)
		return (PhoneChar) {byte, 1, ascii_kind[byte], (uint8_t) (byte & 0x0F)};
	return wide_char(s, length, at);
}

/* The character at an offset before the end. */
PhoneChar
crm_phone_char(const char *s, size_t length, size_t at)
{
	return next_char(s, length, at);
}

/* Lower case of the letters that labels are made of. */
static uint32_t
fold(uint32_t c)
{
	if ((c >= 'A' && c <= 'Z') || (c >= 0x410 && c <= 0x42F))
		return c + 32;
	if (c == 0xD3)
		return 0xF3;			/* Ó */
	if (c >= 0xFF21 && c <= 0xFF3A)
		return c - 0xFF21 + 'a';
	if (c >= 0xFF41 && c <= 0xFF5A)
		return c - 0xFF41 + 'a';
	return c;
}

/* Whether the text at an offset is a word of a list; sets where it ends. */
static bool
match_word(const char *s, size_t length, size_t at, const char *word, size_t *end)
{
	size_t		word_length = strlen(word);
	size_t		w = 0;

	while (w < word_length)
	{
		PhoneChar	expected = next_char(word, word_length, w);
		PhoneChar	c;

		if (at >= length)
			return false;
		c = next_char(s, length, at);
		if (c.kind == PHONE_BROKEN || fold(c.code) != expected.code)
			return false;
		w += expected.bytes;
		at += c.bytes;
	}
	*end = at;
	return true;
}

size_t
crm_phone_skip_lead(const char *s, size_t length, size_t at, bool *label)
{
	/* Longer words first. */
	static const char *const labels[] = {
		"телефон", "телеф", "тел", "тлф", "т",
		"telephone", "telefon", "phone", "callto:", "tel", "ph", "☎", "📞"
	};

	*label = false;
	while (at < length)
	{
		PhoneChar	c = next_char(s, length, at);

		if (c.kind == PHONE_DIGIT || c.kind == PHONE_PLUS)
			break;
		if (c.kind == PHONE_SPACE || c.kind == PHONE_INVISIBLE ||
			c.kind == PHONE_OPEN || c.code == '\n' || c.code == '\r' ||
			c.code == ',' || c.code == ';' || c.code == '"' || c.code == '\'' ||
			c.code == '<' || c.code == 0xAB || c.code == 0x201C || c.code == 0x201E ||
			(*label && (c.code == ':' || c.code == '.')))
		{
			at += c.bytes;
			continue;
		}
		if (!*label && (c.kind == PHONE_LETTER || c.kind == PHONE_OTHER))
		{
			size_t		end = at;
			size_t		i;

			for (i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
				if (match_word(s, length, at, labels[i], &end) &&
					(end >= length || next_char(s, length, end).kind != PHONE_LETTER))
					break;
			if (i < sizeof(labels) / sizeof(labels[0]))
			{
				*label = true;
				at = end;
				continue;
			}
		}
		break;
	}
	return at;
}

size_t
crm_phone_skip_tail(const char *s, size_t length, size_t from)
{
	while (from < length)
	{
		PhoneChar	c = next_char(s, length, from);

		if (c.kind != PHONE_SPACE && c.kind != PHONE_INVISIBLE &&
			c.kind != PHONE_SEPARATOR && c.kind != PHONE_OPEN && c.kind != PHONE_CLOSE &&
			c.code != '\n' && c.code != '\r' && c.code != ',' && c.code != ';' &&
			c.code != ':' && c.code != '"' && c.code != '\'' && c.code != '>' &&
			c.code != '!' && c.code != 0xBB && c.code != 0x201D && c.code != 0x201C)
			break;
		from += c.bytes;
	}
	return from;
}

/* How sure a mark makes us that digits after it are an extension. */
typedef enum Mark
{
	MARK_NONE,
	MARK_LABEL,					/* "ext.", ";ext=" */
	MARK_SIGN,					/* "x", "#": at most nine digits */
	MARK_PAUSE					/* ",", ",,", ";": at most five */
} Mark;

static const struct
{
	const char *word;
	Mark		mark;
}			extension_words[] = {
	/* Longer words first. */
	{"extensio\xCC\x81n", MARK_LABEL}, {"extensi\xC3\xB3n", MARK_LABEL},
	{"extensi\xC3\xB3", MARK_LABEL}, {"extension", MARK_LABEL}, {"extensio", MARK_LABEL},
	{"extn", MARK_LABEL}, {"ext", MARK_LABEL}, {"xtn", MARK_LABEL}, {"xt", MARK_LABEL},
	{"anexo", MARK_LABEL}, {"добавочный", MARK_LABEL}, {"добав", MARK_LABEL},
	{"доб", MARK_LABEL}, {"внутренний", MARK_LABEL}, {"внутр", MARK_LABEL},
	{"вн", MARK_LABEL}, {"int", MARK_SIGN}, {"x", MARK_SIGN}, {"#", MARK_SIGN},
	{"\xEF\xBC\x83", MARK_SIGN}
};

/* Reads digits; returns how many there are, and keeps the first ten. */
static int
read_extension_digits(const char *s, size_t length, size_t *at, char *ext)
{
	int			count = 0;

	while (*at < length)
	{
		PhoneChar	c = next_char(s, length, *at);

		if (c.kind != PHONE_DIGIT)
			break;
		if (count < CRM_PHONE_EXTENSION)
			ext[count] = (char) ('0' + c.digit);
		count++;
		*at += c.bytes;
	}
	return count;
}

static void
scan_extension(const char *s, size_t length, PhoneScan *scan)
{
	size_t		at = scan->number_end;
	int			commas = 0;
	int			semicolons = 0;
	int			other = 0;
	Mark		mark = MARK_NONE;
	int			count;
	PhoneChar	c = {0};

	while (at < length)
	{
		c = next_char(s, length, at);
		if (c.code == ',')
			commas++;
		else if (c.code == ';')
			semicolons++;
		else if (c.kind == PHONE_SEPARATOR || c.kind == PHONE_OPEN || c.kind == PHONE_CLOSE)
			other += commas + semicolons;	/* between a pause and what follows */
		else if (c.kind != PHONE_SPACE && c.kind != PHONE_INVISIBLE)
			break;
		at += c.bytes;
	}
	if (at >= length || commas + semicolons > 2)
		return;

	if (c.kind == PHONE_DIGIT)
	{
		if (other > 0 || !((commas > 0 && semicolons == 0) || (commas == 0 && semicolons == 1)))
			return;
		mark = MARK_PAUSE;
	}
	else
	{
		for (size_t i = 0; i < sizeof(extension_words) / sizeof(extension_words[0]); i++)
			if (match_word(s, length, at, extension_words[i].word, &at))
			{
				mark = extension_words[i].mark;
				break;
			}
		if (mark == MARK_NONE)
			return;
		if (at < length && (s[at] == ':' || s[at] == '.' || (s[at] == '=' && semicolons == 1)))
			at++;
		while (at < length)
		{
			c = next_char(s, length, at);
			if (c.kind != PHONE_SPACE && c.code != ',' && c.code != '-')
				break;
			at += c.bytes;
		}
	}

	count = read_extension_digits(s, length, &at, scan->ext);
	if (count == 0 || (mark == MARK_SIGN && count > 9) || (mark == MARK_PAUSE && count > 5))
		return;
	if (at < length && s[at] == '#')
		at++;
	scan->ext_too_long = count > CRM_PHONE_EXTENSION;
	scan->ext_count = count;
	scan->end = at;
}

/*
 * "(650) 253-0000 - 503#": a last group of up to six digits after dashes or
 * spaces, closed by a hash, is an extension in the American manner.
 */
static void
scan_american_extension(const char *s, size_t length, PhoneScan *scan)
{
	size_t		start;
	size_t		at;
	int			count;

	if (scan->groups < 2 || scan->groups >= PHONE_SCAN_GROUPS)
		return;
	start = scan->group_end[scan->groups - 2];
	at = start;
	while (at < length && (s[at] == '-' || s[at] == ' '))
		at++;
	if (at == start)
		return;
	count = read_extension_digits(s, length, &at, scan->ext);
	if (at != scan->number_end || count > 6 || scan->count - count < 3 ||
		scan->count > PHONE_SCAN_DIGITS)
		return;
	scan->ext_count = count;
	scan->count -= count;
	scan->groups--;
	scan->number_end = start;
	scan->end = at + 1;
}

/*
 * Nearly all numbers are ASCII digits with something between them and nothing
 * else: these are read without asking what each character is.
 */
bool
crm_phone_scan_simple(const char *s, size_t length, size_t *start, PhoneScan *scan)
{
	size_t		at = 0;
	int			count = 0;
	uint64_t	digits = 0;		/* bit i: a digit i characters behind the plus */
	uint64_t	bit = 1;

	while (at < length && (s[at] == ' ' || s[at] == '(' || s[at] == '['))
		at++;
	*start = at;
	scan->plus = at < length && s[at] == '+';
	at += scan->plus;
	if (length - at > PHONE_SCAN_DIGITS)
		return false;
	for (; at < length; at++, bit <<= 1)
	{
		unsigned char byte = (unsigned char) s[at];

		if ((unsigned) (byte - '0') < 10)
		{
			scan->digits[count++] = (char) byte;
			digits |= bit;
		}
		else if (!between[byte])
			return false;
	}
	if (count == 0)
		return false;
	scan->count = count;
	scan->groups = 0;
	scan->first_group = 0;
	for (uint64_t starts = digits & ~(digits << 1); starts != 0; starts &= starts - 1)
		scan->groups++;
	while ((digits & 1) == 0)
		digits >>= 1;
	for (; (digits & 1) != 0; digits >>= 1)
		scan->first_group++;
	scan->ext_too_long = false;
	scan->ext_count = 0;
	return true;
}

bool
crm_phone_scan(const char *s, size_t length, size_t at, size_t end_limit, PhoneScan *scan)
{
	bool		plus = false;
	bool		gap = false;
	int			count = 0;
	int			groups = 0;
	size_t		number_end = at;

	scan->ext_too_long = false;
	scan->first_group = 0;
	scan->ext_count = 0;
	if (end_limit == 0)
		end_limit = length;

	while (at < end_limit)
	{
		unsigned	kind;
		unsigned	bytes = 1;
		unsigned	digit = (unsigned char) s[at];

		if (digit < 0x80)
		{
			kind = ascii_kind[digit];
			digit &= 0x0F;
		}
		else
		{
			PhoneChar	c = wide_char(s, length, at);

			kind = c.kind;
			bytes = c.bytes;
			digit = c.digit;
		}
		if (kind == PHONE_DIGIT)
		{
			if (gap && count > 0)
			{
				if (groups == 0)
					scan->first_group = count;
				if (groups < PHONE_SCAN_GROUPS)
					scan->group_end[groups++] = number_end;
			}
			gap = false;
			if (count < PHONE_SCAN_DIGITS)
				scan->digits[count] = (char) ('0' + digit);
			count++;
			number_end = at + bytes;
		}
		else if (kind == PHONE_PLUS)
		{
			if (count > 0 || (plus && gap))
				break;
			plus = true;
		}
		else if (kind == PHONE_SPACE || kind == PHONE_SEPARATOR ||
				 kind == PHONE_OPEN || kind == PHONE_CLOSE)
			gap = true;
		else if (kind != PHONE_INVISIBLE)
			break;
		at += bytes;
	}
	scan->plus = plus;
	scan->count = count;
	if (groups == 0)
		scan->first_group = count;
	if (groups < PHONE_SCAN_GROUPS)
		scan->group_end[groups++] = number_end;
	scan->groups = groups;
	scan->number_end = scan->end = number_end;
	if (count == 0)
		return false;

	if (number_end < length && count >= 3)
	{
		scan_extension(s, length, scan);
		if (scan->ext_count == 0 && s[number_end] == '#')
			scan_american_extension(s, length, scan);
	}
	return true;
}
