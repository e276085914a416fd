/*
 * tax_id.c
 *		The kinds of tax and registry identifiers: their rules, the crm_id_judge, the
 *		packed form.
 */
#include <string.h>

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
	uint64_t	rest = 0;
	unsigned	check = crm_number(s + 18, 2);

	if (strspn(s, "0") >= 18)
		return CRM_ID_ZEROS;
	for (int i = 0; i < 20; i++)
	{
		if (i % 8 == 0)			/* eight letters are 16 digits */
			rest %= 97;
		rest = s[i] <= '9' ? rest * 10 + CRM_DIGIT(s[i]) : rest * 100 + s[i] - 'A' + 10;
	}
	if (rest % 97 != 1)
		return CRM_ID_CHECK_DIGIT;
	return check >= 2 && check <= 98 ? CRM_ID_GOOD : CRM_ID_ODD;
}

/* ---------------- the table of kinds ---------------- */

#define TOKENS(x) { \
	x "_EMPTY", x "_ENCODING", x "_CHARACTER", x "_LENGTH", x "_FORMAT", x "_ZEROS", \
	x "_PART", x "_CHECK_DIGIT", x "_OTHER_KIND", x "_CLEANED", x "_UNUSUAL"}

const CrmIdKindInfo crm_id_kinds[CRM_TAX_ID_NONE] = {
	[CRM_TAX_ID_INN] = {
		"inn", "crm.inn", "an INN", "10 digits (organisation) or 12 digits (person)",
		"No tax office has the code 00, although such numbers have been published.",
		"ИНН INN", NULL, 4, 1, false, TOKENS("INN"),
		{FORM("dddddddddd", inn_organisation), FORM("dddddddddddd", inn_person)}
	},
	[CRM_TAX_ID_KPP] = {
		"kpp", "crm.kpp", "a KPP", "4 digits, 2 digits or capital letters and 3 digits",
		"No tax office has the code 00.",
		"КПП KPP", NULL, 6, 1, false, TOKENS("KPP"),
		{FORM("ddddxxddd", kpp)}
	},
	[CRM_TAX_ID_OGRN] = {
		"ogrn", "crm.ogrn", "an OGRN", "13 digits (organisation) or 15 digits (entrepreneur)",
		"Numbers of entrepreneurs begin with 3; this one begins with 4.",
		"ОГРНИП ОГРН OGRNIP OGRN", NULL, 4, 1, false, TOKENS("OGRN"),
		{FORM("ndddddddddddd", ogrn_organisation), FORM("ndddddddddddddd", ogrn_entrepreneur)}
	},
	[CRM_TAX_ID_SNILS] = {
		"snils", "crm.snils", "a SNILS", "11 digits",
		"Numbers up to 001-001-998 have no control number that could be checked.",
		"СНИЛС SNILS", "###-###-### ##", 4, 1, false, TOKENS("SNILS"),
		{FORM("ddddddddddd", snils)}
	},
	[CRM_TAX_ID_VAT] = {
		"vat", "crm.vat", "a VAT number", "two letters of a member state and digits or letters",
		"The last two digits of a Swedish number are nearly always 01.",
		"VATNUMBER VATID VATNO VATNR VAT USTIDNR USTID UIDNR UID TVA BTW IVA",
		NULL, 6, 2, true, TOKENS("VAT")
	},
	[CRM_TAX_ID_LEI] = {
		"lei", "crm.lei", "an LEI", "18 letters or digits and 2 digits",
		"The check digits of an LEI are 02 to 98.",
		"LEICODE LEI", "#### #### #### #### ####", 6, 2, true, TOKENS("LEI"),
		{FORM("xxxxxxxxxxxxxxxxxxdd", lei)}
	},
};

const char *
crm_tax_id_name(CrmTaxIdKind kind)
{
	return crm_id_kinds[kind].name;
}

const char *
crm_tax_id_type(CrmTaxIdKind kind)
{
	return crm_id_kinds[kind].type;
}

int
crm_tax_id_words(CrmTaxIdKind kind)
{
	return crm_id_kinds[kind].words;
}

/* ---------------- patterns ---------------- */

const uint8_t crm_id_class[256] = {
	['0'] = CRM_ID_ZERO, ['1'] = CRM_ID_ONE, ['2' ... '9'] = CRM_ID_HIGHER,
	['A' ... 'H'] = CRM_ID_LETTER, ['I'] = CRM_ID_I_OR_O, ['J' ... 'N'] = CRM_ID_LETTER,
	['O'] = CRM_ID_I_OR_O, ['P' ... 'Z'] = CRM_ID_LETTER,
	['*'] = CRM_ID_SIGN, ['+'] = CRM_ID_SIGN
};

#define DIGIT (CRM_ID_ZERO | CRM_ID_ONE | CRM_ID_HIGHER)
#define LETTER (CRM_ID_LETTER | CRM_ID_I_OR_O)

const uint8_t crm_id_allowed[256] = {
	['d'] = DIGIT, ['o'] = DIGIT, ['n'] = CRM_ID_ONE | CRM_ID_HIGHER,
	['b'] = CRM_ID_ZERO | CRM_ID_ONE, ['a'] = LETTER, ['x'] = DIGIT | LETTER,
	['f'] = DIGIT | CRM_ID_LETTER, ['i'] = LETTER | CRM_ID_SIGN
};

#define NO_SUCH_LENGTH (-2)

/* -1 when the text fits, NO_SUCH_LENGTH, or the first place that does not fit. */
static inline int
mismatch(const CrmIdForm *form, const char *s, int length)
{
	if (length != form->length &&
		(length > form->length || form->pattern[length] != 'o'))
		return NO_SUCH_LENGTH;
	for (int i = 0; i < length; i++)
		if (!crm_id_fits(s[i], form->pattern[i]))
			return i;
	return -1;
}

static bool
only_zeros(const char *s, int length)
{
	bool		zero = false;

	for (int i = 0; i < length; i++)
	{
		if (crm_id_class[(unsigned char) s[i]] & (CRM_ID_ONE | CRM_ID_HIGHER))
			return false;
		zero |= s[i] == '0';
	}
	return zero;
}

/* The forms that a text may have, and where the part begins that has them. */
const CrmIdForm *
crm_id_forms(CrmTaxIdKind kind, const char *s, int length, int *start)
{
	const CrmVatCountry *country;

	*start = 0;
	if (kind != CRM_TAX_ID_VAT)
		return crm_id_kinds[kind].forms;
	*start = 2;
	country = length >= 2 ? crm_vat_find_prefix(s) : NULL;
	return country ? country->forms : NULL;
}

/* *place gets the first place that does not fit any form of this length. */
CrmIdVerdict
crm_id_judge(CrmTaxIdKind kind, const char *s, int length, int *place)
{
	CrmIdVerdict verdict = CRM_ID_LENGTH;
	int			start;
	const CrmIdForm *form = crm_id_forms(kind, s, length, &start);

	if (form == NULL)
		return CRM_ID_COUNTRY;
	for (; form->pattern; form++)
	{
		int			wrong = mismatch(form, s + start, length - start);

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
	int			bits = crm_id_kinds[kind].bits;
	int			less = bits == 4 ? SIGNS : 0;
	int			per_word = 60 / bits;
	const char *s = id->text;
	int			left = id->length;

	for (int w = 0; w < crm_id_kinds[kind].words; w++)
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
	int			bits = crm_id_kinds[kind].bits;
	int			more = bits == 4 ? SIGNS : 0;
	bool		ended = false;
	bool		sound = true;
	int			n = 0;

	for (int w = 0; w < crm_id_kinds[kind].words; w++)
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
	const char *mask = crm_id_kinds[kind].mask;
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
