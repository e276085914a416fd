/*
 * name_char.h
 *		What the name code must know of letters: script, case, and which
 *		Latin and Cyrillic letters look alike.
 *
 * Own tables, not those of ICU or of the C library: what is derived from them
 * may stand in an index, so they change only with a version of ours.
 */
#ifndef CRM_NAME_CHAR_H
#define CRM_NAME_CHAR_H

#include "text/utf8.h"

typedef enum CrmScript
{
	CRM_SCRIPT_NONE,			/* digits, signs, space */
	CRM_SCRIPT_LATIN,
	CRM_SCRIPT_CYRILLIC,
	CRM_SCRIPT_OTHER			/* letters of all other scripts */
} CrmScript;

static inline CrmScript
crm_name_script(uint32_t c)
{
	if (c < 0x80)
		return (c | 0x20) >= 'a' && (c | 0x20) <= 'z' ?
			CRM_SCRIPT_LATIN : CRM_SCRIPT_NONE;
	if (c >= 0x400 && c <= 0x52F)
		return c >= 0x482 && c <= 0x489 ? CRM_SCRIPT_NONE : CRM_SCRIPT_CYRILLIC;
	if ((c >= 0xC0 && c <= 0x24F && c != 0xD7 && c != 0xF7) ||
		(c >= 0x250 && c <= 0x2AF) ||
		(c >= 0x1E00 && c <= 0x1EFF) ||
		(c >= 0xFF21 && c <= 0xFF3A) || (c >= 0xFF41 && c <= 0xFF5A))
		return CRM_SCRIPT_LATIN;
	if (c < 0x370)				/* Latin-1 signs, modifiers, combining marks */
		return CRM_SCRIPT_NONE;
	if (c >= 0x2000 && c <= 0x2BFF)	/* punctuation, symbols */
		return CRM_SCRIPT_NONE;
	if ((c >= 0x2E00 && c <= 0x2E7F) || (c >= 0x3000 && c <= 0x3004) ||
		(c >= 0x3008 && c <= 0x3020) || (c >= 0xFE00 && c <= 0xFE6F) ||
		(c >= 0xFF00 && c <= 0xFF20) || c == 0x37E || c == 0x387 ||
		c >= 0x1F000)
		return c >= 0x20000 && c <= 0x3FFFF ? CRM_SCRIPT_OTHER : CRM_SCRIPT_NONE;
	if (crm_is_space(c) || crm_is_invisible(c) || crm_is_meaningless(c))
		return CRM_SCRIPT_NONE;
	return CRM_SCRIPT_OTHER;
}

static inline bool
crm_name_is_letter(uint32_t c)
{
	return crm_name_script(c) != CRM_SCRIPT_NONE;
}

/* The combining marks that may follow a letter. */
static inline bool
crm_name_is_mark(uint32_t c)
{
	return (c >= 0x300 && c <= 0x36F) || (c >= 0x483 && c <= 0x487);
}

/* Marks that stand within a word and are written in many ways. */
static inline bool
crm_name_is_apostrophe(uint32_t c)
{
	return c == '\'' || c == '`' || c == 0xB4 || (c >= 0x2B9 && c <= 0x2BF) ||
		c == 0x2018 || c == 0x2019 || c == 0x201B || c == 0x2032;
}

static inline bool
crm_name_is_hyphen(uint32_t c)
{
	return c == '-' || (c >= 0x2010 && c <= 0x2015) || c == 0x2212;
}

extern uint32_t crm_name_lower(uint32_t c);
extern uint32_t crm_name_upper(uint32_t c);

static inline bool
crm_name_is_upper(uint32_t c)
{
	return crm_name_lower(c) != c;
}

static inline bool
crm_name_is_lower(uint32_t c)
{
	return crm_name_upper(c) != c;
}

/*
 * The letter of the other script that looks like c (Latin for Cyrillic, and
 * the reverse), or 0.
 */
extern uint32_t crm_name_lookalike(uint32_t c);

/*
 * Within each word that mixes Latin and Cyrillic letters, replaces the
 * letters of the script in minority by their look-alikes; a word where not
 * all of these have one is left alone.  dst has room for 2 * length bytes;
 * *folded counts the letters replaced, *mixed the words left mixed, and
 * *first is the byte offset in src of the first letter concerned.  Broken
 * bytes are copied.  Returns the length of the result.
 */
extern size_t crm_name_fold_lookalikes(const char *src, size_t length,
									   char *dst, int *folded, int *mixed,
									   size_t *first);

/*
 * Writes the name with words in lower case but for their first letters; each
 * part of a hyphenated name counts as a word, and so does what follows the
 * apostrophe of O'Brien.  dst has room for 3 * length bytes.
 */
extern size_t crm_name_case(const char *src, size_t length, char *dst);

#endif							/* CRM_NAME_CHAR_H */
