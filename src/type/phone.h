/*
 * phone.h
 *		Phone numbers: E.164 digits and an optional extension.
 *
 * A value is the digits alone, at most 15, country code first, and up to ten
 * digits of an extension.  No region, kind or raw text is in it: those follow
 * from the digits and a numbering plan that changes with time.
 *
 * On disk
 * -------
 * A varlena of 7 to 12 bytes after its header (8 bytes in all, typically):
 *
 *	byte 0-6	big-endian key of 56 bits:
 *				  bits 55-6	rank of the digit string
 *				  bits 5-1	zero, reserved
 *				  bit 0		1 when an extension follows
 *	byte 7-		the extension, two digits a byte, the first in the high half;
 *				a half byte is the digit plus one, 0 fills an unused last half
 *
 * The rank of a digit string is its position among all digit strings of 0 to 15
 * digits in the order of a dictionary: a prefix comes right before the strings
 * that continue it.  There are 1,111,111,111,111,111 of them, 50 bits.  So the
 * order of the bytes is the order of the digits, then of the extension, where
 * none comes first; all numbers that begin with given digits are one range; and
 * values are equal when their bytes are.
 *
 * Text form: "+79161234567" or "+79161234567;ext=105" (the tail of RFC 3966).
 * It is read back by every version, whatever the numbering plans say by then.
 *
 * Binary form: version byte 1, number of digits, that many ASCII digits, number
 * of extension digits (0 for none), that many ASCII digits.
 *
 * This header and the files phone_key.c, phone_plan.c, phone_scan.c,
 * phone_parse.c and phone_format.c know nothing of the server.
 */
#ifndef CRM_PHONE_H
#define CRM_PHONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "type/check.h"

#define CRM_PHONE_DIGITS 15		/* E.164 */
#define CRM_PHONE_LEAST_DIGITS 5
#define CRM_PHONE_EXTENSION 10
#define CRM_PHONE_KEY_BYTES 7
#define CRM_PHONE_MAX_BYTES (CRM_PHONE_KEY_BYTES + CRM_PHONE_EXTENSION / 2)

/* Room for the text form with its end: "+", digits, ";ext=", digits. */
#define CRM_PHONE_TEXT (1 + CRM_PHONE_DIGITS + 5 + CRM_PHONE_EXTENSION + 1)

/* Room for a number in any of the styles of writing. */
#define CRM_PHONE_FORMATTED 128

typedef struct CrmPhone
{
	uint8_t		length;			/* number of digits */
	uint8_t		ext_length;		/* 0: no extension */
	char		digits[CRM_PHONE_DIGITS + 1];	/* E.164 without "+" */
	char		ext[CRM_PHONE_EXTENSION + 1];
} CrmPhone;

/* Kinds of numbers; the names are in crm_phone_kind_name(). */
typedef enum CrmPhoneKind
{
	CRM_PHONE_UNKNOWN,			/* not a number of any known plan */
	CRM_PHONE_FIXED,
	CRM_PHONE_MOBILE,
	CRM_PHONE_FIXED_OR_MOBILE,
	CRM_PHONE_TOLL_FREE,
	CRM_PHONE_PREMIUM,
	CRM_PHONE_SHARED,
	CRM_PHONE_VOIP,
	CRM_PHONE_PERSONAL,
	CRM_PHONE_PAGER,
	CRM_PHONE_UAN,
	CRM_PHONE_VOICEMAIL
} CrmPhoneKind;

typedef enum CrmPhoneStyle
{
	CRM_PHONE_E164,				/* +79161234567 */
	CRM_PHONE_INTERNATIONAL,	/* +7 916 123-45-67 ext. 105 */
	CRM_PHONE_NATIONAL,			/* 8 (916) 123-45-67 ext. 105 */
	CRM_PHONE_RFC3966			/* tel:+7-916-123-45-67;ext=105 */
} CrmPhoneStyle;

/* What the numbering plans say of a number. */
typedef struct CrmPhoneInfo
{
	int			country_code;	/* 0: no such code is known */
	const char *national;		/* points into the number's digits */
	int			national_length;
	const char *region;			/* "RU", "001" for none, NULL when unknown */
	CrmPhoneKind kind;			/* valid when not CRM_PHONE_UNKNOWN */
	bool		possible;		/* its length exists in the country */
} CrmPhoneInfo;

/* ---- reading (phone_parse.c) ---- */

/*
 * What crm_phone_parse() accepts, when it is digits with something between and
 * nothing is to be said of it; false is no verdict.
 */
extern bool crm_phone_read_simple(const char *s, size_t length, const char *region,
								  CrmPhone *phone);

/*
 * Reads what a person wrote.  region, two upper-case letters or NULL, is where
 * a number without country code would be dialled.  False when refused; check
 * tells why, and also when and why an accepted value is fixed or odd.
 */
extern bool crm_phone_parse(const char *s, size_t length, const char *region,
							CrmPhone *phone, CrmCheck *check);

/*
 * Reads exactly the text form that crm_phone_text() writes, of any number that
 * can be stored, without asking the numbering plans.
 */
extern bool crm_phone_read_canonical(const char *s, size_t length, CrmPhone *phone);

/*
 * Finds the next number in a text at or after *position that is a valid one,
 * and moves *position behind it; start is where it begins.  False when there is
 * none.
 */
extern bool crm_phone_find(const char *s, size_t length, const char *region,
						   size_t *position, CrmPhone *phone, size_t *start);

/* ---- the value (phone_key.c) ---- */

extern int	crm_phone_pack(const CrmPhone *phone, uint8_t *bytes);
extern bool crm_phone_unpack(const uint8_t *bytes, int length, CrmPhone *phone);
extern uint64_t crm_phone_rank(const char *digits, int length);
extern int	crm_phone_unrank(uint64_t rank, char *digits);
extern bool crm_phone_storable(const CrmPhone *phone);
extern int	crm_phone_text(const CrmPhone *phone, char *text);
extern int	crm_phone_compare(const CrmPhone *a, const CrmPhone *b);
extern int	crm_phone_compare_reversed(const CrmPhone *a, const CrmPhone *b);
extern void crm_phone_prefix_bounds(const char *digits, int length, bool from_end,
									CrmPhone *low, CrmPhone *high);
extern int	crm_phone_pattern_digits(const char *s, size_t length, bool plus_allowed,
									 char *digits);

/* ---- facts about it (phone_plan.c, phone_format.c) ---- */

extern void crm_phone_info(const CrmPhone *phone, CrmPhoneInfo *info);
extern bool crm_phone_region_exists(const char *region, size_t length);
extern bool crm_phone_valid_for(const CrmPhone *phone, const char *region);
extern const char *crm_phone_kind_name(CrmPhoneKind kind);
extern bool crm_phone_placeholder(const CrmPhone *phone);
extern int	crm_phone_format(const CrmPhone *phone, CrmPhoneStyle style, char *out);
extern int	crm_phone_format_from(const CrmPhone *phone, const char *region, char *out);
extern const char *crm_phone_metadata_version(void);
extern uint64_t crm_phone_metadata_fingerprint(void);

#endif							/* CRM_PHONE_H */
