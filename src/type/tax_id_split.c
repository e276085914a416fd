/*
 * tax_id_split.c
 *		"7707083893/773601001": an INN and a KPP in one field.
 *
 * Lengths decide: 19 characters are 10 and 9, 21 are 12 and 9, and 10 or 12 are
 * an INN alone.  Between the two numbers there must be something that is not
 * part of a number; words ИНН and КПП may stand anywhere before them.  The
 * reverse order is read as well.
 */
#include <string.h>

#include "type/tax_id_rules.h"

#define KPP_LENGTH 9
#define MAX_PAIR 21

/* Words that may be in the text; in the order of trying. */
static const char *const words[] = {
	"ИНН", "инн", "Инн", "КПП", "кпп", "Кпп", "INN", "inn", "Inn", "KPP", "kpp", "Kpp"
};

/* What people put between the two, besides blanks: an "absent" dash too. */
static const char *const marks[] = {
	"/", "\\", "|", ",", ";", ":", "-", ".", "(", ")", "№", "–", "—",
	" ", "\t", "\n", "\r", "\xC2\xA0", "\xE2\x80\xAF"
};

/* The length of the word or mark that the text begins with, or 0. */
static size_t
prefix_of(const char *const *list, size_t count, const char *s, size_t left)
{
	for (size_t i = 0; i < count; i++)
	{
		size_t		n = strlen(list[i]);

		if (n <= left && memcmp(s, list[i], n) == 0)
			return n;
	}
	return 0;
}

#define PREFIX_OF(list, s, left) prefix_of(list, sizeof(list) / sizeof(list[0]), s, left)

bool
crm_tax_id_split_inn_kpp(const char *value, size_t length,
						 CrmTaxId *inn, CrmTaxId *kpp, CrmCheck *check)
{
	char		text[MAX_PAIR + 1];
	bool		gap[MAX_PAIR + 1] = {false};	/* before this character */
	int			n = 0;
	int			inn_at = 0,
				inn_length,
				kpp_at = 0;

	crm_check_init(check);
	inn->length = kpp->length = 0;
	inn->text[0] = kpp->text[0] = '\0';

	for (size_t i = 0; i < length;)
	{
		const char *s = value + i;
		size_t		skip = PREFIX_OF(words, s, length - i);

		if (skip == 0)
			skip = PREFIX_OF(marks, s, length - i);
		if (skip > 0)
		{
			gap[n] = true;
			i += skip;
		}
		else if (n < MAX_PAIR && ((*s >= '0' && *s <= '9') || (*s >= 'A' && *s <= 'Z')))
		{
			text[n++] = *s;
			i++;
		}
		else
		{
			crm_check_set(check, CRM_CHECK_BAD, "INN_KPP_PAIR", i,
						  n == MAX_PAIR ? "An INN and a KPP have at most 21 characters." :
						  "This is not only an INN and a KPP.");
			return false;
		}
	}
	text[n] = '\0';

	inn_length = n > 12 ? n - KPP_LENGTH : n;
	if (n > 12)
		kpp_at = inn_length;
	if (n == 19 && !gap[10] && gap[9])
	{
		inn_at = KPP_LENGTH;
		kpp_at = 0;
	}
	if ((inn_length != 10 && inn_length != 12) || (n > 12 && !gap[inn_at > kpp_at ? inn_at : kpp_at]))
	{
		crm_check_set(check, CRM_CHECK_BAD, "INN_KPP_PAIR", 0,
					  "An INN of 10 or 12 digits is expected, and perhaps a KPP of 9 characters "
					  "apart from it; here are %d characters.",
					  n);
		return false;
	}
	if (!crm_tax_id_read(CRM_TAX_ID_INN, text + inn_at, inn_length, inn, check))
		return false;
	if (n > 12 && !crm_tax_id_read(CRM_TAX_ID_KPP, text + kpp_at, KPP_LENGTH, kpp, check))
	{
		inn->length = 0;
		return false;
	}
	if (kpp->length > 0 && inn->length == 12)
		crm_check_set(check, CRM_CHECK_ODD, "INN_KPP_PERSON", -1,
					  "A person's INN of 12 digits has no KPP beside it.");
	return true;
}
