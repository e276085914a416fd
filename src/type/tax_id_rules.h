/*
 * tax_id_rules.h
 *		What the pure files of tax_id share: forms, kinds, characters.
 */
#ifndef CRM_TAX_ID_RULES_H
#define CRM_TAX_ID_RULES_H

#include "text/utf8.h"
#include "type/tax_id.h"

typedef enum CrmIdVerdict
{
	CRM_ID_GOOD,
	CRM_ID_ODD,					/* good, but unusual: see CrmIdKindInfo.odd */
	CRM_ID_CHECK_DIGIT,
	CRM_ID_PART,				/* a date, series or suffix that cannot be */
	CRM_ID_ZEROS,
	CRM_ID_FORMAT,				/* right length, wrong character */
	CRM_ID_LENGTH,
	CRM_ID_COUNTRY				/* a VAT number of no known country */
} CrmIdVerdict;

/*
 * Pattern characters: d digit, n digit but zero, b 0 or 1, o optional digit (at
 * the end only), a letter, x letter or digit, f the same but I and O, i letter,
 * * or +; anything else stands for itself.  The rule sees a text that fits.
 */
typedef struct CrmIdForm
{
	const char *pattern;
	int			length;			/* of the pattern */
	CrmIdVerdict (*rule) (const char *s, int length);
} CrmIdForm;

#define FORM(pattern, rule) {pattern, sizeof(pattern) - 1, rule}

/* A prefix of VAT numbers. */
typedef struct CrmVatCountry
{
	char		prefix[3];
	char		iso[3];
	bool		eu;
	const char *name;
	const char *expected;		/* what follows the prefix, in words */
	const CrmIdForm *forms;		/* ends with a NULL pattern */
} CrmVatCountry;

/* NULL when there is none; the prefix is two capital letters. */
extern const CrmVatCountry *crm_vat_find_prefix(const char *prefix);
extern const CrmVatCountry *crm_vat_find_iso(const char *iso);

#define CRM_DIGIT(c) ((c) - '0')

/* The sum of the digits, each times its weight. */
static inline unsigned
crm_weighted(const char *s, const uint8_t *weights, int count)
{
	unsigned	sum = 0;

	for (int i = 0; i < count; i++)
		sum += weights[i] * CRM_DIGIT(s[i]);
	return sum;
}

/* The number that the digits are. */
static inline uint64_t
crm_number(const char *s, int count)
{
	uint64_t	n = 0;

	for (int i = 0; i < count; i++)
		n = n * 10 + CRM_DIGIT(s[i]);
	return n;
}

static inline CrmIdVerdict
crm_check_digit(bool agrees)
{
	return agrees ? CRM_ID_GOOD : CRM_ID_CHECK_DIGIT;
}

/* The weights one by one, as many as there are digits. */
#define CRM_WEIGHTED(s, ...) \
	crm_weighted((s), (const uint8_t[]) {__VA_ARGS__}, \
				 sizeof((const uint8_t[]) {__VA_ARGS__}))

/* ---------------- the table of kinds ---------------- */

/* What can be said of a value: the places of CrmIdKindInfo.token. */
enum
{
	CRM_ID_TOKEN_EMPTY,
	CRM_ID_TOKEN_ENCODING,
	CRM_ID_TOKEN_CHARACTER,
	CRM_ID_TOKEN_LENGTH,
	CRM_ID_TOKEN_FORMAT,
	CRM_ID_TOKEN_ZEROS,
	CRM_ID_TOKEN_PART,
	CRM_ID_TOKEN_CHECK_DIGIT,
	CRM_ID_TOKEN_OTHER_KIND,
	CRM_ID_TOKEN_CLEANED,
	CRM_ID_TOKEN_UNUSUAL,
	CRM_ID_TOKENS
};

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
	const char *token[CRM_ID_TOKENS];
	CrmIdForm	forms[3];		/* none: those of the country */
} CrmIdKindInfo;

extern const CrmIdKindInfo crm_id_kinds[CRM_TAX_ID_NONE];

/* ---------------- characters and forms ---------------- */

/* Classes of characters, and those that a pattern character allows. */
enum
{
	CRM_ID_ZERO = 1, CRM_ID_ONE = 2, CRM_ID_HIGHER = 4,
	CRM_ID_LETTER = 8, CRM_ID_I_OR_O = 16, CRM_ID_SIGN = 32
};

extern const uint8_t crm_id_class[256];
extern const uint8_t crm_id_allowed[256];

static inline bool
crm_id_fits(char c, char pattern)
{
	uint8_t		allowed = crm_id_allowed[(unsigned char) pattern];

	/* a value may well contain the letters that patterns are made of */
	return allowed ? (crm_id_class[(unsigned char) c] & allowed) != 0 : c == pattern;
}

/* The forms that a text may have, and where the part begins that has them. */
extern const CrmIdForm *crm_id_forms(CrmTaxIdKind kind, const char *s, int length,
									 int *start);

/*
 * What the rules of the kind say of a text without separators.  *place gets the
 * first place that fits no form of this length, when that is the verdict.
 */
extern CrmIdVerdict crm_id_judge(CrmTaxIdKind kind, const char *s, int length, int *place);

static inline bool
crm_id_accepted(CrmIdVerdict verdict)
{
	return verdict == CRM_ID_GOOD || verdict == CRM_ID_ODD;
}

/* ---------------- a text as characters ---------------- */

/* More than any number with its label and separators has. */
#define CRM_ID_MAX_CHARACTERS 96

typedef struct CrmIdCharacters
{
	int			count;
	bool		too_many;
	uint32_t	code[CRM_ID_MAX_CHARACTERS];
	int			at[CRM_ID_MAX_CHARACTERS];	/* byte offsets */
} CrmIdCharacters;

/* Carries no meaning between the characters of a number. */
static inline bool
crm_id_is_separator(uint32_t c)
{
	return crm_is_space(c) || c == '-' || c == '.' ||
		(c >= 0x2010 && c <= 0x2015) || c == 0x2212;
}

static inline uint32_t
crm_id_upper(uint32_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 0x430 && c <= 0x44F) ? c - 0x20 : c;
}

/*
 * Fills check->suggestion when exactly one repair of the characters, from
 * first on, is accepted.
 */
extern void crm_id_suggest(CrmTaxIdKind kind, const CrmIdCharacters *chars, int first,
						   CrmCheck *check);

#endif							/* CRM_TAX_ID_RULES_H */
