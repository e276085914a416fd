/*
 * tax_id_suggest.c
 *		The one probable repair of a refused identifier.
 *
 * Characters that look like others are read as the form wants them, a lost
 * leading zero is put back, the ".0" of a spreadsheet is taken off.  Only what
 * passes the rules of its kind counts, and only when nothing else does.
 */
#include <string.h>

#include "type/tax_id_rules.h"

/* Left out of a repair. */
static bool
is_punctuation(uint32_t c)
{
	return c < 0x80 || c == 0xAB || c == 0xBB || (c >= 0x2010 && c <= 0x203A);
}

typedef struct LookAlike
{
	uint32_t	code;
	char		digit;			/* or 0 */
	char		letter;			/* or 0 */
} LookAlike;

/* Capital Cyrillic, Greek and Latin letters; sorted. */
static const LookAlike look_alikes[] = {
	{'B', '8', 'B'}, {'G', '6', 'G'}, {'I', '1', 'I'}, {'L', '1', 'L'},
	{'O', '0', 'O'}, {'Q', '0', 'Q'}, {'S', '5', 'S'}, {'Z', '2', 'Z'},
	{'|', '1', 'I'},
	{0x391, 0, 'A'}, {0x392, '8', 'B'}, {0x395, 0, 'E'}, {0x396, '2', 'Z'},
	{0x397, 0, 'H'}, {0x399, '1', 'I'}, {0x39A, 0, 'K'}, {0x39C, 0, 'M'},
	{0x39D, 0, 'N'}, {0x39F, '0', 'O'}, {0x3A1, 0, 'P'}, {0x3A4, 0, 'T'},
	{0x3A5, 0, 'Y'}, {0x3A7, 0, 'X'},
	{0x405, '5', 'S'}, {0x406, '1', 'I'}, {0x408, 0, 'J'}, {0x410, 0, 'A'},
	{0x411, '6', 0}, {0x412, '8', 'B'}, {0x415, 0, 'E'}, {0x417, '3', 0},
	{0x41A, 0, 'K'}, {0x41C, 0, 'M'}, {0x41D, 0, 'H'}, {0x41E, '0', 'O'},
	{0x420, 0, 'P'}, {0x421, 0, 'C'}, {0x422, 0, 'T'}, {0x423, 0, 'Y'},
	{0x425, 0, 'X'},
};

/* The characters that one character may stand for: itself, letter, digit. */
typedef struct Readings
{
	char		as[3];
} Readings;

static Readings
readings_of(uint32_t c)
{
	Readings	r = {{0, 0, 0}};

	if (c >= 0xFF01 && c <= 0xFF5E) /* full-width forms */
		c -= 0xFEE0;
	if (c >= 0x660 && c <= 0x669)	/* Arabic digits */
		c -= 0x660 - '0';
	else if (c >= 0x6F0 && c <= 0x6F9)
		c -= 0x6F0 - '0';
	if (c == 0x455 || c == 0x456 || c == 0x458)
		c -= 0x50;
	else if (c >= 0x3B1 && c <= 0x3C9)
		c -= 0x20;
	else
		c = crm_id_upper(c);
	if (c < 0x80 && crm_id_class[c])
		r.as[0] = c;
	for (size_t i = 0; i < sizeof(look_alikes) / sizeof(look_alikes[0]); i++)
		if (look_alikes[i].code == c)
		{
			r.as[1] = look_alikes[i].letter;
			r.as[2] = look_alikes[i].digit;
		}
	if (c == '0')
		r.as[1] = 'O';
	else if (c == '1')
		r.as[1] = 'I';
	return r;
}

/* The repairs found so far: only one is worth offering. */
typedef struct Repairs
{
	CrmTaxIdKind kind;
	int			found;			/* different ones, counted up to 2 */
	char		text[CRM_TAX_ID_LENGTH + 1];
} Repairs;

static void
try_repair(Repairs *repairs, const char *s, int length)
{
	int			place;

	if (!crm_id_accepted(crm_id_judge(repairs->kind, s, length, &place)))
		return;
	if (repairs->found == 1 && strlen(repairs->text) == (size_t) length &&
		memcmp(repairs->text, s, length) == 0)
		return;
	if (++repairs->found == 1)
	{
		memcpy(repairs->text, s, length);
		repairs->text[length] = '\0';
	}
}

/* Reads the characters as the form wants them and tries the result. */
static void
try_form(Repairs *repairs, const CrmIdForm *form, const char *prefix, int start,
		 const Readings *readings, int count)
{
	char		text[CRM_TAX_ID_LENGTH];
	int			length = form->length;
	int			missing = length - count;
	bool		may_lose_zero = repairs->kind != CRM_TAX_ID_KPP &&	/* no check digit */
		(form->pattern[0] == 'd' || form->pattern[0] == 'b');

	if (missing < 0 || missing > may_lose_zero || start + length > CRM_TAX_ID_LENGTH)
		return;
	memcpy(text, prefix, start);
	text[start] = '0';			/* the zero that a spreadsheet dropped */
	for (int i = missing; i < length; i++)
	{
		int			r;

		for (r = 0; r < 3; r++)
			if (readings[i - missing].as[r] &&
				crm_id_fits(readings[i - missing].as[r], form->pattern[i]))
				break;
		if (r == 3)
			return;
		text[start + i] = readings[i - missing].as[r];
	}
	try_repair(repairs, text, start + length);

	/* where letter and digit both fit, exchange one of them */
	if (repairs->found == 0 && missing == 0)
		for (int i = 0; i < length; i++)
			for (int r = 1; r < 3; r++)
			{
				char		kept = text[start + i];
				char		other = readings[i].as[r];

				if (other == 0 || other == kept || !crm_id_fits(other, form->pattern[i]))
					continue;
				text[start + i] = other;
				try_repair(repairs, text, start + length);
				text[start + i] = kept;
			}
}

/* Fills check->suggestion when exactly one repair passes. */
void
crm_id_suggest(CrmTaxIdKind kind, const CrmIdCharacters *chars, int first, CrmCheck *check)
{
	Readings	readings[CRM_TAX_ID_LENGTH + 2];
	Repairs		repairs = {kind, 0, ""};
	char		prefix[3] = "";
	int			count = 0;
	int			start;
	bool		fraction = false;
	const CrmIdForm *form;

	for (int i = first; i < chars->count; i++)
	{
		uint32_t	c = chars->code[i];
		Readings	r;

		if (crm_id_is_separator(c) || crm_is_invisible(c))
			continue;
		/* ".0" at the end: a number that went through a spreadsheet */
		if (c == '0' && i == chars->count - 1 && i > first &&
			(chars->code[i - 1] == '.' || chars->code[i - 1] == ','))
			fraction = true;
		r = readings_of(c);
		if (!r.as[0] && !r.as[1] && !r.as[2])
		{
			if (is_punctuation(c))
				continue;
			return;
		}
		if (count == CRM_TAX_ID_LENGTH + 2)
			return;
		readings[count++] = r;
	}

	if (kind == CRM_TAX_ID_VAT)
	{
		if (count < 2)
			return;
		for (int i = 0; i < 2; i++)
			prefix[i] = readings[i].as[0] > '9' ? readings[i].as[0] : readings[i].as[1];
		if (memcmp(prefix, "GR", 2) == 0)
			memcpy(prefix, "EL", 2);
	}
	form = crm_id_forms(kind, prefix, strlen(prefix), &start);
	for (; form && form->pattern; form++)
	{
		try_form(&repairs, form, prefix, start, readings + start, count - start);
		if (fraction)
			try_form(&repairs, form, prefix, start, readings + start, count - start - 1);
	}
	if (repairs.found == 1)
		strcpy(check->suggestion, repairs.text);
}
