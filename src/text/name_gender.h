/*
 * name_gender.h
 *		What a part of a name says of its bearer: sex, and which part it is.
 *		A wrong answer is worse than none, so every rule here prefers silence.
 */
#ifndef CRM_NAME_GENDER_H
#define CRM_NAME_GENDER_H

#include <stdbool.h>
#include <stddef.h>

/* All answer 'm', 'f', or 0 when it is not certain. */

/* Of a patronymic, known to be one: Petrovich, Petrovna, Hasan oglu. */
extern char crm_name_patronymic_gender(const char *s, size_t length);

/* Of a given name by the table; *known is set when the table has the name. */
extern char crm_name_given_gender(const char *s, size_t length, bool *known);

/* Of a surname by its ending. */
extern char crm_name_surname_gender(const char *s, size_t length);

/* Whether the word has the form of a patronymic. */
extern bool crm_name_is_patronymic(const char *s, size_t length);

/* oglu, kyzy and the like, which make one of the word before them. */
extern bool crm_name_is_patronymic_word(const char *s, size_t length);

/*
 * Whether the word has the ending of a surname: 2 when hardly any given name
 * ends so (-ov, -sky), 1 when some do (-in, -yan), else 0.
 */
extern int	crm_name_is_surname(const char *s, size_t length);

/*
 * Of all signs together; any part may be NULL.  title is 'm', 'f' or 0.  When
 * signs disagree the answer is 0 and *conflict (may be NULL) is set, except
 * that patronymic and given name together outweigh a surname.
 */
extern char crm_name_gender(const char *given, size_t given_length,
							const char *middle, size_t middle_length,
							const char *family, size_t family_length,
							char title, bool *conflict);

#endif							/* CRM_NAME_GENDER_H */
