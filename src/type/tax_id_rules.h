/*
 * tax_id_rules.h
 *		What a form of an identifier is: a pattern and a rule.
 *
 * Private to the pure files of tax_id.
 */
#ifndef CRM_TAX_ID_RULES_H
#define CRM_TAX_ID_RULES_H

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
	CrmIdVerdict (*rule) (const char *s, int length);	/* or NULL */
} CrmIdForm;

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

#define CRM_WEIGHTED(s, ...) \
	crm_weighted((s), (const uint8_t[]) {__VA_ARGS__}, \
				 sizeof((const uint8_t[]) {__VA_ARGS__}))

#endif							/* CRM_TAX_ID_RULES_H */
