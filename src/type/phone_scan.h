/*
 * phone_scan.h
 *		From text to digits: what the characters are, where a number ends, what
 *		is its extension.  For the files of the phone type only.
 */
#ifndef CRM_PHONE_SCAN_H
#define CRM_PHONE_SCAN_H

#include "type/phone.h"

/* More digits than any number with prefixes has. */
#define PHONE_SCAN_DIGITS 32
#define PHONE_SCAN_GROUPS 16

typedef enum PhoneClass
{
	PHONE_OTHER,				/* a symbol that belongs to no number */
	PHONE_BROKEN,				/* bytes that are no UTF-8 */
	PHONE_DIGIT,
	PHONE_PLUS,
	PHONE_SPACE,
	PHONE_INVISIBLE,			/* marks of direction and the like */
	PHONE_SEPARATOR,			/* dashes, dots, slashes */
	PHONE_OPEN,
	PHONE_CLOSE,
	PHONE_LETTER
} PhoneClass;

typedef struct PhoneChar
{
	uint32_t	code;
	uint8_t		bytes;
	uint8_t		kind;			/* PhoneClass */
	uint8_t		digit;
} PhoneChar;

typedef struct PhoneScan
{
	bool		plus;
	bool		ext_too_long;
	int			count;			/* digits; those after the 32nd are not kept */
	int			first_group;	/* digits before the first separator */
	int			groups;			/* ends of the first groups, as offsets */
	size_t		group_end[PHONE_SCAN_GROUPS];
	size_t		number_end;		/* offset behind the last digit */
	size_t		end;			/* the same, behind the extension */
	int			ext_count;
	char		digits[PHONE_SCAN_DIGITS];
	char		ext[CRM_PHONE_EXTENSION];
} PhoneScan;

extern PhoneChar crm_phone_char(const char *s, size_t length, size_t at);

/* Where the text begins after space, brackets and a label such as "tel.:". */
extern size_t crm_phone_skip_lead(const char *s, size_t length, size_t at, bool *label);

/* Where trailing space and punctuation begin. */
extern size_t crm_phone_skip_tail(const char *s, size_t length, size_t from);

/*
 * The same as skipping the lead and crm_phone_scan() for a text that is one
 * number and nothing else, without the ends of the groups.  False when the text
 * is not so simple.
 */
extern bool crm_phone_scan_simple(const char *s, size_t length, size_t *start, PhoneScan *scan);

/*
 * Scans the number that begins at an offset, with its extension.  End_limit, if
 * not 0, is an offset behind which no digit of the number may be.  False when
 * there is no digit.
 */
extern bool crm_phone_scan(const char *s, size_t length, size_t at,
						   size_t end_limit, PhoneScan *scan);

#endif							/* CRM_PHONE_SCAN_H */
