/*
 * translit.h
 *		Cyrillic to Latin by the schemes that documents, maps and passports use.
 *
 * A scheme has a Latin spelling for every letter, and may have exceptions by
 * the letter before, by the letter after, and by the last two letters of a
 * word.  Letters that a scheme does not define (Ukrainian, Belarusian, Kazakh
 * ... in a Russian scheme) are written as in ICAO Doc 9303, part 3.
 */
#ifndef CRM_TRANSLIT_H
#define CRM_TRANSLIT_H

#include <stddef.h>
#include <stdint.h>

typedef struct CrmTranslitRule
{
	const char *context;		/* the letters before or after; "^" stands for
								 * the beginning of a word */
	const char *letter;
	const char *latin;
} CrmTranslitRule;

typedef struct CrmTranslitScheme
{
	const char *name;
	const char *aliases;		/* other names, separated by spaces, or "" */
	const char *description;
	const char *letters;		/* spellings of a-ya and yo in the order of the
								 * alphabet, separated by spaces; "_" is none */
	const char *more;			/* pairs "letter spelling" for letters that
								 * Russian does not have, or "" */
	const CrmTranslitRule *before;	/* by the letter before, or NULL */
	const CrmTranslitRule *after;	/* by the letter after, or NULL */
	const CrmTranslitRule *ending;	/* letter is the two last ones, or NULL */
} CrmTranslitScheme;

/* The schemes, ended by one whose name is NULL. */
extern const CrmTranslitScheme crm_translit_schemes[];

/* The scheme of that name or alias, in any case of letters; or NULL. */
extern const CrmTranslitScheme *crm_translit_find(const char *name, size_t length);

/* The most bytes that a byte of input may become. */
#define CRM_TRANSLIT_GROWTH 8

/*
 * Writes text in Latin letters into out, which has room for
 * CRM_TRANSLIT_GROWTH * length bytes; returns the length.
 */
extern size_t crm_translit(const CrmTranslitScheme *scheme,
						   const char *text, size_t length, char *out);

#endif							/* CRM_TRANSLIT_H */
