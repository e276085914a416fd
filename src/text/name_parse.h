/*
 * name_parse.h
 *		The parts of a person's name.
 *
 * The order of a name is a property of where it comes from, not of the text.
 * Who knows it says so; otherwise the parser looks for evidence (a comma, a
 * patronymic, initials, capitals, a known given name, the ending of a
 * surname) and says how far it goes.  It never guesses in silence: without
 * evidence the confidence is low and a note tells what was assumed.
 */
#ifndef CRM_NAME_PARSE_H
#define CRM_NAME_PARSE_H

#include <stdbool.h>
#include <stddef.h>

typedef enum CrmNameOrder
{
	CRM_NAME_ORDER_AUTO,
	CRM_NAME_GIVEN_FIRST,
	CRM_NAME_FAMILY_FIRST
} CrmNameOrder;

/* What a language lets one expect where the text has no evidence. */
typedef enum CrmNameLocale
{
	CRM_NAME_LOCALE_AUTO,		/* by the script of the name */
	CRM_NAME_LOCALE_RUSSIAN,	/* both orders are usual */
	CRM_NAME_LOCALE_WESTERN,	/* the given name comes first */
	CRM_NAME_LOCALE_EASTERN		/* the family name comes first */
} CrmNameLocale;

typedef enum CrmNamePart
{
	CRM_NAME_TITLE,
	CRM_NAME_GIVEN,
	CRM_NAME_MIDDLE,
	CRM_NAME_FAMILY,
	CRM_NAME_SUFFIX,
	CRM_NAME_NICKNAME,
	CRM_NAME_PARTS
} CrmNamePart;

typedef enum CrmNameNote
{
	CRM_NOTE_LOOKALIKE,			/* letters of another script were replaced */
	CRM_NOTE_MIXED_SCRIPT,		/* a word mixes scripts and was left alone */
	CRM_NOTE_ORDER_ASSUMED,		/* no evidence for the order */
	CRM_NOTE_ORDER_CONTRADICTED,	/* evidence against the declared order */
	CRM_NOTE_GENDER_CONFLICT,	/* signs of sex disagree */
	CRM_NOTE_ONE_WORD,			/* one word, its kind uncertain */
	CRM_NOTE_SURNAME_OR_PATRONYMIC,	/* a word may be either */
	CRM_NOTE_ALL_CAPITALS,		/* the whole name is in capitals */
	CRM_NOTE_DIGITS,			/* there are digits in it */
	CRM_NOTE_NOT_A_NAME,		/* too many words, or none */
	CRM_NOTES
} CrmNameNote;

/* Stable tokens of the notes, in their order. */
extern const char *const crm_name_note_names[CRM_NOTES];

/* Longest text that is parsed, in bytes; longer text is NOT_A_NAME. */
#define CRM_NAME_MAX_INPUT 1024

/* Look-alikes may double the bytes, initials add spaces. */
#define CRM_NAME_PART_SIZE (4 * CRM_NAME_MAX_INPUT)

typedef struct CrmName
{
	char		part[CRM_NAME_PARTS][CRM_NAME_PART_SIZE];
	size_t		length[CRM_NAME_PARTS];	/* 0: there is no such part */
	char		gender;			/* 'm', 'f', or 0 when not certain */
	float		confidence;		/* 0 to 1, see the doc page */
	CrmNameOrder order;			/* the order used; AUTO when it does not matter */
	unsigned	notes;			/* bits 1 << CrmNameNote */
	int			folded;			/* look-alike letters replaced */
} CrmName;

extern void crm_name_parse(const char *text, size_t length, CrmNameOrder order,
						   CrmNameLocale locale, CrmName *name);

/*
 * Text with white space made single spaces and none at the ends, invisible
 * and control characters gone, dashes within words hyphens, and the Cyrillic
 * letters that are often written with a combining mark composed.  dst has
 * room for length bytes; *junk (may be NULL) counts invisible and control
 * characters removed.  Returns the length.
 */
extern size_t crm_name_clean(const char *text, size_t length, char *dst, int *junk);

#endif							/* CRM_NAME_PARSE_H */
