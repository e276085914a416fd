/*
 * name_key.h
 *		A key under which the spellings of one name meet, whatever their
 *		script, romanisation, case, marks and doubled letters.
 *
 * Every letter becomes one or two symbols of the alphabet
 *
 *		a b v g d e z i k l m n o p r s t u f h c  j (zh)  q (ch)  w (sh)
 *
 * and the sequence of symbols is rewritten while it grows, by rules that are
 * the same for all scripts (name_key.c).  Because the rules work on symbols
 * and not on letters, a name and its letter-by-letter romanisation arrive at
 * the same key even where a digraph is ambiguous.
 *
 * The key is made of small ASCII letters, digits and single spaces between
 * words; letters of scripts that have no table here stay as they are.
 * Hyphens, dots and other signs separate words; apostrophes, primes, quotes
 * and combining marks vanish.  The order of words is kept.
 */
#ifndef CRM_NAME_KEY_H
#define CRM_NAME_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Changes whenever any name may get another key: indexes must be rebuilt. */
#define CRM_NAME_KEY_VERSION 1

/* What lies beyond does not take part in the key. */
#define CRM_NAME_KEY_MAX_INPUT 1024

/* Room for any key; input is doubled at most twice. */
#define CRM_NAME_KEY_SIZE (4 * CRM_NAME_KEY_MAX_INPUT)

/* Most keys that crm_name_keys() makes of a name. */
#define CRM_NAME_KEYS_MAX 4

/* How ambiguous letters are read. */
typedef enum CrmNameReading
{
	CRM_NAME_RUSSIAN,			/* the schemes of Russian romanisation */
	CRM_NAME_J_IS_ZH,			/* Latin j as in Uzbek, Turkmen, Telegram */
	CRM_NAME_FRENCH,			/* ou, tch, ch, gue, final -ine */
	CRM_NAME_WESTERN,			/* English, German, Polish: j, ck, th, sch ... */
	CRM_NAME_UKRAINIAN			/* Cyrillic g is h */
} CrmNameReading;

/*
 * Writes the key of the name into key (CRM_NAME_KEY_SIZE bytes, not
 * terminated) and returns its length, 0 when the name has no letter or digit.
 */
extern size_t crm_name_key(const char *name, size_t length,
						   CrmNameReading reading, char *key);

/*
 * The key without what tells husband from wife, father from daughter: the
 * feminine endings of Slavic surnames (-ova, -ina, -skaya ...).
 */
extern size_t crm_name_household_key(const char *name, size_t length, char *key);

/* Puts the words of a key into order; returns the length, unchanged. */
extern size_t crm_name_sort_words(char *key, size_t length);

/*
 * All different keys of the name, the primary one first; each in its own
 * CRM_NAME_KEY_SIZE bytes of keys.  Returns their number.
 */
extern int	crm_name_keys(const char *name, size_t length,
						  char keys[CRM_NAME_KEYS_MAX][CRM_NAME_KEY_SIZE],
						  size_t lengths[CRM_NAME_KEYS_MAX]);

#endif							/* CRM_NAME_KEY_H */
