/*
 * name_salute.h
 *		How to address a person, and how to write the name in a list.
 */
#ifndef CRM_NAME_SALUTE_H
#define CRM_NAME_SALUTE_H

#include <stdbool.h>
#include <stddef.h>

typedef enum CrmSaluteStyle
{
	CRM_SALUTE_FORMAL,
	CRM_SALUTE_NEUTRAL,
	CRM_SALUTE_INFORMAL
} CrmSaluteStyle;

/* A part of a name; length 0 when there is none. */
typedef struct CrmNameText
{
	const char *s;
	size_t		length;
} CrmNameText;

/* "formal", "neutral", "informal"; false for anything else. */
extern bool crm_salute_style(const char *s, size_t length, CrmSaluteStyle *style);

/* Whether the language has salutations here: ru, en, de, fr, es. */
extern bool crm_salute_locale(const char *s, size_t length);

/*
 * Writes the salutation, without a mark at the end, into out and returns its
 * length.  out has room for the parts and 64 bytes.  gender is 'm', 'f' or 0;
 * parts that are empty or mere initials do not count.
 */
extern size_t crm_name_salute(CrmNameText title, CrmNameText given,
							  CrmNameText middle, CrmNameText family,
							  char gender, CrmSaluteStyle style,
							  const char *locale, char *out);

/*
 * Writes the name in the given form and returns its length; false in *known
 * when there is no such form.  out has room for the parts and 16 bytes more.
 *
 *		full			Dmitry Petrovich Vasiliev
 *		short			D. P. Vasiliev
 *		sorting			Vasiliev, Dmitry Petrovich
 *		sorting_short	Vasiliev, D. P.
 *		official		Vasiliev Dmitry Petrovich
 *		official_short	Vasiliev D. P.
 *		informal		Dmitry V.
 *		monogram		DPV
 */
extern size_t crm_name_format(CrmNameText given, CrmNameText middle,
							  CrmNameText family, const char *form,
							  size_t form_length, char *out, bool *known);

#endif							/* CRM_NAME_SALUTE_H */
