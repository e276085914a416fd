/*
 * tax_id.c
 *		Reading, explaining, repairing and packing tax and registry identifiers.
 *
 * A text is first tried as it is: most are already canonical.  Otherwise it is
 * decoded, its label and separators are taken off, small letters become capital
 * where the kind says so, and what is left is judged.  A refused text is asked
 * once more with look-alike characters replaced and a lost leading zero put
 * back; when exactly one such repair passes the kind's own rules, it is offered
 * as a suggestion.
 */
#include <stdio.h>
#include <string.h>

#include "text/utf8.h"
#include "type/tax_id_rules.h"

/* ---------------- Russian and LEI rules ---------------- */

static CrmIdVerdict
inn_region(const char *s)
{
	return s[0] == '0' && s[1] == '0' ? CRM_ID_ODD : CRM_ID_GOOD;
}

static CrmIdVerdict
inn_organisation(const char *s, int length)
{
	if (CRM_WEIGHTED(s, 2, 4, 10, 3, 5, 9, 4, 6, 8) % 11 % 10 != CRM_DIGIT(s[9]))
		return CRM_ID_CHECK_DIGIT;
	return inn_region(s);
}

static CrmIdVerdict
inn_person(const char *s, int length)
{
	if (CRM_WEIGHTED(s, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8) % 11 % 10 != CRM_DIGIT(s[10]) ||
		CRM_WEIGHTED(s, 3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8) % 11 % 10 != CRM_DIGIT(s[11]))
		return CRM_ID_CHECK_DIGIT;
	return inn_region(s);
}

/* No check digit; places 5 and 6 are the reason of the registration. */
static CrmIdVerdict
kpp(const char *s, int length)
{
	return inn_region(s);
}

/* The first digit tells an organisation's number from an entrepreneur's. */
static CrmIdVerdict
ogrn_organisation(const char *s, int length)
{
	if (s[0] == '3')
		return CRM_ID_PART;
	return crm_check_digit(crm_number(s, 12) % 11 % 10 == CRM_DIGIT(s[12]));
}

static CrmIdVerdict
ogrn_entrepreneur(const char *s, int length)
{
	if (s[0] != '3' && s[0] != '4')
		return CRM_ID_PART;
	if (crm_number(s, 14) % 13 % 10 != CRM_DIGIT(s[14]))
		return CRM_ID_CHECK_DIGIT;
	return s[0] == '3' ? CRM_ID_GOOD : CRM_ID_ODD;
}

/* Numbers up to 001-001-998 were given out before control numbers. */
static CrmIdVerdict
snils(const char *s, int length)
{
	if (crm_number(s, 9) == 0)
		return CRM_ID_ZEROS;
	if (crm_number(s, 9) <= 1001998)
		return CRM_ID_ODD;
	return crm_check_digit(CRM_WEIGHTED(s, 9, 8, 7, 6, 5, 4, 3, 2, 1) % 101 % 100 ==
						   crm_number(s + 9, 2));
}

/* ISO 7064 MOD 97,10, letters as 10 to 35; the scheme makes 02 to 98. */
static CrmIdVerdict
lei(const char *s, int length)
{
	unsigned	rest = 0;
	unsigned	check = crm_number(s + 18, 2);

	if (strspn(s, "0") >= 18)
		return CRM_ID_ZEROS;
	for (int i = 0; i < 20; i++)
		rest = (s[i] <= '9' ? rest * 10 + CRM_DIGIT(s[i]) : rest * 100 + s[i] - 'A' + 10) % 97;
	if (rest != 1)
		return CRM_ID_CHECK_DIGIT;
	return check >= 2 && check <= 98 ? CRM_ID_GOOD : CRM_ID_ODD;
}

/* ---------------- the table of kinds ---------------- */

/* What can be said of a value, in the order of token[]. */
enum
{
	EMPTY, ENCODING, CHARACTER, LENGTH, FORMAT, ZEROS, PART, CHECK_DIGIT,
	OTHER_KIND, CLEANED, UNUSUAL, N_TOKENS
};

#define TOKENS(x) { \
	x "_EMPTY", x "_ENCODING", x "_CHARACTER", x "_LENGTH", x "_FORMAT", x "_ZEROS", \
	x "_PART", x "_CHECK_DIGIT", x "_OTHER_KIND", x "_CLEANED", x "_UNUSUAL"}

typedef struct CrmIdKindInfo
{
	const char *name;
	const char *type;
	const char *noun;			/* as in messages */
	const char *expected;		/* what it consists of, in words */
	const char *odd;			/* what a rule means by CRM_ID_ODD */
	const char *labels;			/* words before a number; longer ones first */
	const char *mask;			/* written form, # a character; NULL: as is */
	int			bits;			/* of a packed character */
	int			words;
	bool		fold;			/* small letters are the same */
	const char *token[N_TOKENS];
	CrmIdForm	forms[3];		/* none: those of the country */
} CrmIdKindInfo;

static const CrmIdKindInfo kinds[CRM_TAX_ID_NONE] = {
	[CRM_TAX_ID_INN] = {
		"inn", "crm.inn", "an INN", "10 digits (organisation) or 12 digits (person)",
		"No tax office has the code 00, although such numbers have been published.",
		"ИНН INN", NULL, 4, 1, false, TOKENS("INN"),
		{{"dddddddddd", inn_organisation}, {"dddddddddddd", inn_person}}
	},
	[CRM_TAX_ID_KPP] = {
		"kpp", "crm.kpp", "a KPP", "4 digits, 2 digits or capital letters and 3 digits",
		"No tax office has the code 00.",
		"КПП KPP", NULL, 6, 1, false, TOKENS("KPP"),
		{{"ddddxxddd", kpp}}
	},
	[CRM_TAX_ID_OGRN] = {
		"ogrn", "crm.ogrn", "an OGRN", "13 digits (organisation) or 15 digits (entrepreneur)",
		"Numbers of entrepreneurs begin with 3; this one begins with 4.",
		"ОГРНИП ОГРН OGRNIP OGRN", NULL, 4, 1, false, TOKENS("OGRN"),
		{{"ndddddddddddd", ogrn_organisation}, {"ndddddddddddddd", ogrn_entrepreneur}}
	},
	[CRM_TAX_ID_SNILS] = {
		"snils", "crm.snils", "a SNILS", "11 digits",
		"Numbers up to 001-001-998 have no control number that could be checked.",
		"СНИЛС SNILS", "###-###-### ##", 4, 1, false, TOKENS("SNILS"),
		{{"ddddddddddd", snils}}
	},
	[CRM_TAX_ID_VAT] = {
		"vat", "crm.vat", "a VAT number", "two letters of a member state and digits or letters",
		"The last two digits of a Swedish number are nearly always 01.",
		"VATNUMBER VATREGNO VATID VATNO VATNR VAT USTIDNR USTID UIDNR UID TVA BTW IVA",
		NULL, 6, 2, true, TOKENS("VAT")
	},
	[CRM_TAX_ID_LEI] = {
		"lei", "crm.lei", "an LEI", "18 letters or digits and 2 digits",
		"The check digits of an LEI are 02 to 98.",
		"LEICODE LEI", "#### #### #### #### ####", 6, 2, true, TOKENS("LEI"),
		{{"xxxxxxxxxxxxxxxxxxdd", lei}}
	},
};

const char *
crm_tax_id_name(CrmTaxIdKind kind)
{
	return kinds[kind].name;
}

const char *
crm_tax_id_type(CrmTaxIdKind kind)
{
	return kinds[kind].type;
}

int
crm_tax_id_words(CrmTaxIdKind kind)
{
	return kinds[kind].words;
}

/* ---------------- patterns ---------------- */

enum
{
	ZERO = 1, ONE = 2, HIGHER = 4, LETTER = 8, I_OR_O = 16, SIGN = 32
};

static const uint8_t class_of[256] = {
	['0'] = ZERO, ['1'] = ONE, ['2' ... '9'] = HIGHER,
	['A' ... 'H'] = LETTER, ['I'] = I_OR_O, ['J' ... 'N'] = LETTER, ['O'] = I_OR_O,
	['P' ... 'Z'] = LETTER, ['*'] = SIGN, ['+'] = SIGN
};

static const uint8_t allowed_by[256] = {
	['d'] = ZERO | ONE | HIGHER, ['o'] = ZERO | ONE | HIGHER, ['n'] = ONE | HIGHER,
	['b'] = ZERO | ONE, ['a'] = LETTER | I_OR_O,
	['x'] = ZERO | ONE | HIGHER | LETTER | I_OR_O,
	['f'] = ZERO | ONE | HIGHER | LETTER, ['i'] = LETTER | I_OR_O | SIGN
};

static inline bool
fits(char c, char pattern)
{
	return (class_of[(unsigned char) c] & allowed_by[(unsigned char) pattern]) ||
		c == pattern;
}

#define NO_SUCH_LENGTH (-2)

/* -1 when the text fits, NO_SUCH_LENGTH, or the first place that does not fit. */
static inline int
mismatch(const char *pattern, const char *s, int length)
{
	int			wrong = -1;
	int			i;

	for (i = 0; i < length; i++)
	{
		if (pattern[i] == '\0')
			return NO_SUCH_LENGTH;
		if (!fits(s[i], pattern[i]) && wrong < 0)
			wrong = i;
	}
	if (pattern[i] != '\0' && pattern[i] != 'o')
		return NO_SUCH_LENGTH;
	return wrong;
}

static bool
only_zeros(const char *s, int length)
{
	bool		zero = false;

	for (int i = 0; i < length; i++)
	{
		if (class_of[(unsigned char) s[i]] & (ONE | HIGHER))
			return false;
		zero |= s[i] == '0';
	}
	return zero;
}

/* The forms that a text may have, and where the part begins that has them. */
static const CrmIdForm *
forms_for(CrmTaxIdKind kind, const char *s, int length, int *start)
{
	const CrmVatCountry *country;

	*start = 0;
	if (kind != CRM_TAX_ID_VAT)
		return kinds[kind].forms;
	*start = 2;
	country = length >= 2 ? crm_vat_find_prefix(s) : NULL;
	return country ? country->forms : NULL;
}

/* *place gets the first place that does not fit any form of this length. */
static CrmIdVerdict
judge(CrmTaxIdKind kind, const char *s, int length, int *place)
{
	CrmIdVerdict verdict = CRM_ID_LENGTH;
	int			start;
	const CrmIdForm *form = forms_for(kind, s, length, &start);

	if (form == NULL)
		return CRM_ID_COUNTRY;
	for (; form->pattern; form++)
	{
		int			wrong = mismatch(form->pattern, s + start, length - start);

		if (wrong == -1)
		{
			if (only_zeros(s + start, length - start))
				return CRM_ID_ZEROS;
			return form->rule(s + start, length - start);
		}
		if (wrong >= 0)
		{
			if (verdict != CRM_ID_FORMAT || wrong + start > *place)
				*place = wrong + start;
			verdict = CRM_ID_FORMAT;
		}
	}
	return verdict;
}

static inline bool
accepted(CrmIdVerdict verdict)
{
	return verdict == CRM_ID_GOOD || verdict == CRM_ID_ODD;
}

static void
set_id(CrmTaxId *id, const char *s, int length)
{
	id->length = length;
	memcpy(id->text, s, length);
	id->text[length] = '\0';
}

/* ---------------- decoding ---------------- */

/* More characters than any number with its label and separators has. */
#define MAX_CHARACTERS 96

typedef struct Characters
{
	int			count;
	bool		too_many;
	uint32_t	code[MAX_CHARACTERS];
	int			at[MAX_CHARACTERS];	/* byte offsets */
} Characters;

static int
utf8_length(uint32_t c)
{
	return 1 + (c >= 0x80) + (c >= 0x800) + (c >= 0x10000);
}

/* Left out when a repair is sought; letters have been told apart before. */
static bool
is_punctuation(uint32_t c)
{
	return c < 0x80 || c == 0xAB || c == 0xBB || (c >= 0x2010 && c <= 0x203A);
}

static bool
is_hyphen(uint32_t c)
{
	return c == '-' || (c >= 0x2010 && c <= 0x2015) || c == 0x2212;
}

/* Carries no meaning between the characters of a number. */
static bool
is_separator(uint32_t c)
{
	return crm_is_space(c) || is_hyphen(c) || c == '.';
}

/* Between a label and its number. */
static bool
is_label_end(uint32_t c)
{
	return is_separator(c) || c == ':' || c == '#' || c == '=' || c == 0x2116;
}

static uint32_t
upper(uint32_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 0x430 && c <= 0x44F) ? c - 0x20 : c;
}

/* Returns -1, or the offset of the first broken byte. */
static int
decode_all(const char *value, size_t length, Characters *chars)
{
	chars->count = 0;
	chars->too_many = false;
	for (size_t i = 0; i < length;)
	{
		uint32_t	c;
		int			n = crm_utf8_decode(value + i, length - i, &c);

		if (n == 0)
			return i;
		if (chars->count == MAX_CHARACTERS)
			chars->too_many |= !crm_is_space(c) && !crm_is_invisible(c);
		else if (chars->count > 0 || (!crm_is_space(c) && !crm_is_invisible(c)))
		{
			chars->code[chars->count] = c;
			chars->at[chars->count++] = i;
		}
		i += n;
	}
	while (chars->count > 0 && (crm_is_space(chars->code[chars->count - 1]) ||
								crm_is_invisible(chars->code[chars->count - 1])))
		chars->count--;
	return -1;
}

/* Takes off one word; returns where the rest begins, or 0. */
static int
match_label(const Characters *chars, const char *word, size_t length)
{
	int			at = 0;

	for (size_t i = 0; i < length;)
	{
		uint32_t	c;

		i += crm_utf8_decode(word + i, length - i, &c);
		while (at > 0 && at < chars->count && is_separator(chars->code[at]))
			at++;
		if (at >= chars->count || upper(chars->code[at]) != c)
			return 0;
		at++;
	}
	while (at < chars->count && is_label_end(chars->code[at]))
		at++;
	return at;
}

/* The kind whose label stands first, *start behind it; or none, and 0. */
static CrmTaxIdKind
find_label(const Characters *chars, int *start)
{
	for (int kind = 0; kind < CRM_TAX_ID_NONE; kind++)
	{
		const char *word = kinds[kind].labels;

		while (*word)
		{
			size_t		length = strcspn(word, " ");

			*start = match_label(chars, word, length);
			if (*start > 0)
				return kind;
			word += length + (word[length] == ' ');
		}
	}
	*start = 0;
	return CRM_TAX_ID_NONE;
}

/* ---------------- look-alikes and suggestions ---------------- */

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
		c = upper(c);
	if (c < 0x80 && class_of[c])
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

	if (!accepted(judge(repairs->kind, s, length, &place)))
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
	int			length = strlen(form->pattern);
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
				fits(readings[i - missing].as[r], form->pattern[i]))
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

				if (other == 0 || other == kept || !fits(other, form->pattern[i]))
					continue;
				text[start + i] = other;
				try_repair(repairs, text, start + length);
				text[start + i] = kept;
			}
}

/* Fills check->suggestion when exactly one repair passes. */
static void
suggest(CrmTaxIdKind kind, const Characters *chars, int first, CrmCheck *check)
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

		if (is_separator(c) || crm_is_invisible(c))
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
	form = forms_for(kind, prefix, strlen(prefix), &start);
	for (; form && form->pattern; form++)
	{
		try_form(&repairs, form, prefix, start, readings + start, count - start);
		if (fraction)
			try_form(&repairs, form, prefix, start, readings + start, count - start - 1);
	}
	if (repairs.found == 1)
		strcpy(check->suggestion, repairs.text);
}

/* ---------------- the checker ---------------- */

/* Says that the text is another kind of number, if it is. */
static bool
is_other_kind(CrmTaxIdKind kind, CrmTaxIdKind label, const char *text, int length,
			  CrmCheck *check)
{
	CrmTaxIdKind other = label;
	int			place;

	if (label == CRM_TAX_ID_NONE)
		for (other = 0; other < CRM_TAX_ID_NONE; other++)
			if (other != kind && other != CRM_TAX_ID_KPP &&	/* it has no check digit */
				accepted(judge(other, text, length, &place)))
				break;
	if (other == CRM_TAX_ID_NONE || other == kind)
		return false;
	crm_check_set(check, CRM_CHECK_BAD, kinds[kind].token[OTHER_KIND], 0,
				  label == CRM_TAX_ID_NONE ? "The value is not %s; it has the form of %s." :
				  "The value is not %s; it is labelled as %s.",
				  kinds[kind].noun, kinds[other].noun);
	crm_check_hint(check, "Use the type %s for it.", kinds[other].type);
	return true;
}

static const char *
capitalised(const char *noun, char buffer[16])
{
	snprintf(buffer, 16, "%s", noun);
	buffer[0] = buffer[0] - 'a' + 'A';
	return buffer;
}

/* Turns a refusal into words. */
static void
explain(CrmTaxIdKind kind, CrmIdVerdict verdict, const char *text, int length,
		int place, int position, CrmCheck *check)
{
	const CrmIdKindInfo *info = &kinds[kind];
	const CrmVatCountry *country = NULL;
	const char *expected = info->expected;
	char		subject[64];

	capitalised(info->noun, subject);
	if (kind == CRM_TAX_ID_VAT && verdict != CRM_ID_COUNTRY)
	{
		country = crm_vat_find_prefix(text);
		snprintf(subject, sizeof(subject), "After %s, a VAT number of %s",
				 country->prefix, country->name);
		expected = country->expected;
		length -= 2;
		place -= 2;
	}
	switch (verdict)
	{
		case CRM_ID_COUNTRY:
			crm_check_set(check, CRM_CHECK_BAD, "VAT_COUNTRY", position,
						  "The value does not begin with the VAT prefix of a member of the European Union, XI or GB.");
			if (length >= 2 && memcmp(text, "GR", 2) == 0)
				crm_check_hint(check, "The VAT prefix of Greece is EL.");
			else if (length >= 2 && memcmp(text, "EU", 2) == 0)
				crm_check_hint(check, "Numbers of the one-stop shop belong to no member; keep them as text.");
			else
				crm_check_hint(check, "Put the two letters before the number, or use crm.vat(number, country).");
			break;
		case CRM_ID_LENGTH:
			crm_check_set(check, CRM_CHECK_BAD, info->token[LENGTH], position,
						  "%s has %s; here it has %d character%s.", subject, expected,
						  length, length == 1 ? "" : "s");
			break;
		case CRM_ID_FORMAT:
			crm_check_set(check, CRM_CHECK_BAD, info->token[FORMAT], position,
						  "%s has %s; \"%c\" does not fit at place %d.",
						  subject, expected, text[country ? place + 2 : place], place + 1);
			break;
		case CRM_ID_ZEROS:
			crm_check_set(check, CRM_CHECK_BAD, info->token[ZEROS], position,
						  "The digits are all zero.");
			crm_check_hint(check, "Store NULL when the number is not known.");
			break;
		case CRM_ID_PART:
			crm_check_set(check, CRM_CHECK_BAD, info->token[PART], position,
						  "A part of the number (series, date or suffix) has a value that is never given out.");
			crm_check_hint(check, "Compare it with the document.");
			break;
		default:
			crm_check_set(check, CRM_CHECK_BAD, info->token[CHECK_DIGIT], position,
						  "The check digits do not agree with the rest of the number.");
			crm_check_hint(check, "Compare it with the document: a character is wrong, missing or swapped.");
	}
}

/* What is not canonical; explains only when asked (check is not NULL). */
static bool
read_slowly(CrmTaxIdKind kind, const char *value, size_t length, CrmTaxId *id, CrmCheck *check)
{
	const CrmIdKindInfo *info = &kinds[kind];
	Characters	chars;
	CrmTaxIdKind label;
	CrmIdVerdict verdict = CRM_ID_GOOD;
	char		text[MAX_CHARACTERS + 1];
	int			at[MAX_CHARACTERS + 1];
	int			n = 0;
	int			first;
	int			place = 0;
	int			stranger = -1;	/* a character that no such number has */
	int			broken = decode_all(value, length, &chars);

	if (broken >= 0)
	{
		if (check)
			crm_check_set(check, CRM_CHECK_BAD, info->token[ENCODING], broken,
						  "The value is not valid UTF-8 at byte %d.", broken + 1);
		return false;
	}
	if (chars.too_many)
	{
		if (check)
			crm_check_set(check, CRM_CHECK_BAD, info->token[LENGTH], (int) length,
						  "No number with its label has more than %d characters.",
						  MAX_CHARACTERS);
		return false;
	}
	label = find_label(&chars, &first);
	for (int i = first; i < chars.count; i++)
	{
		uint32_t	c = chars.code[i];

		if (is_separator(c))
			continue;
		if (c >= 'a' && c <= 'z' && info->fold)
			c -= 0x20;
		if (c >= 0x80 || class_of[c] == 0 ||
			(class_of[c] == SIGN && kind != CRM_TAX_ID_VAT))
		{
			if (stranger < 0)
				stranger = i;
			continue;
		}
		at[n] = chars.at[i];
		text[n++] = c;
	}
	text[n] = '\0';

	if (label == kind || label == CRM_TAX_ID_NONE)
	{
		if (stranger < 0 && n > 0)
		{
			verdict = judge(kind, text, n, &place);
			if (accepted(verdict))
			{
				set_id(id, text, n);
				if (check && verdict == CRM_ID_ODD)
					crm_check_set(check, CRM_CHECK_ODD, info->token[UNUSUAL], -1,
								  "%s", info->odd);
				else if (check)
				{
					char		written[CRM_TAX_ID_FORMAT_SIZE];
					int			size = crm_tax_id_format(kind, id, written);

					if (length != (size_t) size || memcmp(value, written, size) != 0)
						crm_check_set(check, CRM_CHECK_FIXED, info->token[CLEANED], -1,
									  "Spaces, separators, a label or small letters were put right.");
				}
				return true;
			}
		}
	}
	if (check == NULL)
		return false;

	if (n == 0 && stranger < 0)
	{
		crm_check_set(check, CRM_CHECK_BAD, info->token[EMPTY], 0, "The value is empty.");
		crm_check_hint(check, "Store NULL when the number is not known.");
		return false;
	}
	if ((kind == CRM_TAX_ID_INN || kind == CRM_TAX_ID_KPP) && n > 12)
	{
		CrmTaxId	pair[2];
		CrmCheck	ignored;

		if (crm_tax_id_split_inn_kpp(value, length, &pair[0], &pair[1], &ignored) &&
			pair[1].length > 0)
		{
			crm_check_set(check, CRM_CHECK_BAD, "INN_KPP_PAIR", 0,
						  "The value is an INN and a KPP together.");
			crm_check_hint(check, "Split it with crm.split_inn_kpp().");
			strcpy(check->suggestion, pair[kind].text);
			return false;
		}
	}
	if (label != CRM_TAX_ID_NONE && is_other_kind(kind, label, text, n, check))
		return false;
	if (stranger >= 0)
	{
		char		shown[32];
		char		noun[16];

		crm_printable(shown, sizeof(shown), value + chars.at[stranger],
					  utf8_length(chars.code[stranger]));
		crm_check_set(check, CRM_CHECK_BAD, info->token[CHARACTER], chars.at[stranger],
					  "%s has %s; \"%s\" is none of these.",
					  capitalised(info->noun, noun), info->expected, shown);
	}
	else if (verdict == CRM_ID_CHECK_DIGIT || verdict == CRM_ID_ZEROS || verdict == CRM_ID_PART ||
			 !is_other_kind(kind, CRM_TAX_ID_NONE, text, n, check))
		explain(kind, verdict, text, n, place,
				verdict == CRM_ID_FORMAT ? at[place] : verdict == CRM_ID_LENGTH ? (int) length : at[0],
				check);
	suggest(kind, &chars, first, check);
	return false;
}

/* As it is: no allocation, no decoding. */
static inline bool
read_canonical(CrmTaxIdKind kind, const char *value, size_t length, CrmTaxId *id)
{
	int			place;

	if (length == 0 || length > CRM_TAX_ID_LENGTH ||
		judge(kind, value, length, &place) != CRM_ID_GOOD)
		return false;
	set_id(id, value, length);
	return true;
}

bool
crm_tax_id_read(CrmTaxIdKind kind, const char *value, size_t length,
				CrmTaxId *id, CrmCheck *check)
{
	crm_check_init(check);
	return read_canonical(kind, value, length, id) ||
		read_slowly(kind, value, length, id, check);
}

CrmTaxIdKind
crm_tax_id_kind(const char *value, size_t length, CrmTaxId *id)
{
	for (int kind = 0; kind < CRM_TAX_ID_NONE; kind++)
		if (read_canonical(kind, value, length, id) ||
			read_slowly(kind, value, length, id, NULL))
			return kind;
	return CRM_TAX_ID_NONE;
}

CrmTaxIdKind
crm_tax_id_read_any(const char *value, size_t length, CrmTaxId *id, CrmCheck *check)
{
	CrmTaxIdKind kind = crm_tax_id_kind(value, length, id);
	Characters	chars;
	char		text[MAX_CHARACTERS];
	int			n = 0;
	int			first;

	crm_check_init(check);
	if (kind == CRM_TAX_ID_NONE && decode_all(value, length, &chars) < 0)
	{
		/* the label says it, else two letters, else the length */
		kind = find_label(&chars, &first);
		for (int i = first; i < chars.count; i++)
			if (!is_separator(chars.code[i]))
				text[n++] = chars.code[i] < 0x80 ? upper(chars.code[i]) : 'A';
		if (kind != CRM_TAX_ID_NONE)
			 /* labelled */ ;
		else if (n == 20)
			kind = CRM_TAX_ID_LEI;
		else if (n >= 2 && crm_vat_find_prefix(text))
			kind = CRM_TAX_ID_VAT;
		else if (n == 9)
			kind = CRM_TAX_ID_KPP;
		else if (n == 10 || n == 12)
			kind = CRM_TAX_ID_INN;
		else if (n == 11)
			kind = CRM_TAX_ID_SNILS;
		else if (n == 13 || n == 15)
			kind = CRM_TAX_ID_OGRN;
	}
	if (kind != CRM_TAX_ID_NONE)
	{
		crm_tax_id_read(kind, value, length, id, check);
		return kind;
	}
	crm_check_set(check, CRM_CHECK_BAD, "TAX_ID_UNKNOWN", 0,
				  "The value has neither the length nor the beginning of an INN, KPP, OGRN, SNILS, VAT number or LEI.");
	return kind;
}

bool
crm_vat_read_national(const char *value, size_t length,
					  const char *country_code, size_t country_length,
					  CrmTaxId *id, CrmCheck *check)
{
	const CrmVatCountry *country = NULL;
	CrmCheck	whole;
	Characters	chars;
	char		letters[2];
	char		text[4 * MAX_CHARACTERS + 2];
	int			first,
				from,
				size;

	crm_check_init(check);
	if (country_length == 2)
	{
		letters[0] = upper((unsigned char) country_code[0]);
		letters[1] = upper((unsigned char) country_code[1]);
		country = crm_vat_find_iso(letters);
	}
	if (country == NULL)
	{
		crm_check_set(check, CRM_CHECK_BAD, "VAT_COUNTRY", -1,
					  "The country is neither a member of the European Union nor XI or GB.");
		crm_check_hint(check, "Give the two letters of ISO 3166 or of the VAT prefix.");
		return false;
	}

	/* with its prefix it is complete; some numbers begin like their prefix */
	if (crm_tax_id_read(CRM_TAX_ID_VAT, value, length, id, &whole) &&
		memcmp(id->text, country->prefix, 2) == 0)
	{
		*check = whole;
		return true;
	}
	if (decode_all(value, length, &chars) >= 0 || chars.count == 0 || chars.too_many)
	{
		*check = whole;			/* refused: these are reasons */
		return false;
	}
	find_label(&chars, &first);
	if (first + 1 < chars.count &&
		upper(chars.code[first]) == (uint32_t) country->prefix[0] &&
		upper(chars.code[first + 1]) == (uint32_t) country->prefix[1] &&
		whole.status == CRM_CHECK_BAD)
		*check = whole;			/* the likelier explanation, if the next fails */

	else if (whole.status != CRM_CHECK_BAD)
		crm_check_set(check, CRM_CHECK_BAD, "VAT_COUNTRY", 0,
					  "The value is a VAT number of another country than %s.", country->name);

	from = first < chars.count ? chars.at[first] : 0;
	size = chars.at[chars.count - 1] + utf8_length(chars.code[chars.count - 1]) - from;
	memcpy(text, country->prefix, 2);
	memcpy(text + 2, value + from, size);
	if (crm_tax_id_read(CRM_TAX_ID_VAT, text, size + 2, id, &whole) ||
		check->status == CRM_CHECK_OK)	/* nothing better to say */
	{
		*check = whole;
		if (check->position >= 0)
			check->position = check->position < 2 ? 0 : check->position + from - 2;
	}
	return check->status != CRM_CHECK_BAD;
}

/* ---------------- packing and writing ---------------- */

static const char alphabet[64] = "\0*+0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/* Places in the alphabet. */
static const uint8_t code_of[256] = {
	['*'] = 1, ['+'] = 2, ['0'] = 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
	['A'] = 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
	26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38
};

/* Codes of 4 bits are those of 6 bits without the signs. */
#define SIGNS 2

void
crm_tax_id_pack(CrmTaxIdKind kind, const CrmTaxId *id, uint64_t words[2])
{
	int			bits = kinds[kind].bits;
	int			less = bits == 4 ? SIGNS : 0;
	int			per_word = 60 / bits;
	const char *s = id->text;
	int			left = id->length;

	for (int w = 0; w < kinds[kind].words; w++)
	{
		int			n = left < per_word ? left : per_word;
		uint64_t	word = 0;

		for (int i = 0; i < n; i++)
			word = word << bits | (uint64_t) (code_of[(unsigned char) s[i]] - less);
		words[w] = n > 0 ? word << (60 - n * bits) : 0;
		s += n;
		left -= n;
	}
}

bool
crm_tax_id_unpack(CrmTaxIdKind kind, const uint64_t words[2], CrmTaxId *id)
{
	int			bits = kinds[kind].bits;
	int			more = bits == 4 ? SIGNS : 0;
	bool		ended = false;
	bool		sound = true;
	int			n = 0;

	for (int w = 0; w < kinds[kind].words; w++)
	{
		sound &= words[w] >> 60 == 0;
		for (int shift = 60 - bits; shift >= 0; shift -= bits)
		{
			unsigned	code = words[w] >> shift & ((1 << bits) - 1);
			char		c = code == 0 ? '\0' : alphabet[code + more];

			if (code == 0)
				ended = true;
			else
			{
				sound &= !ended && c != '\0' && (bits == 6 || code <= 10);
				id->text[n++] = c != '\0' ? c : '?';
			}
		}
	}
	id->text[n] = '\0';
	id->length = n;
	return sound;
}

int
crm_tax_id_format(CrmTaxIdKind kind, const CrmTaxId *id, char buffer[CRM_TAX_ID_FORMAT_SIZE])
{
	const char *mask = kinds[kind].mask;
	const char *s = id->text;
	char	   *out = buffer;

	if (mask == NULL)
	{
		memcpy(buffer, id->text, id->length + 1);
		return id->length;
	}
	for (; *mask && *s; mask++)
		*out++ = *mask == '#' ? *s++ : *mask;
	*out = '\0';
	return out - buffer;
}
