/*
 * idna.h
 *		Internationalised domain names (UTS #46) and normal form C.
 *
 * The conversion to Unicode is ICU's, non-transitional, with the STD3, bidi
 * and joiner rules.  The conversion of what it returned to ASCII is our own
 * (RFC 3492), so that it does not change with the version of ICU and may be
 * called from immutable functions.  Knows nothing of the server.
 */
#ifndef CRM_IDNA_H
#define CRM_IDNA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What crm_idna_to_unicode() found wrong; a set. */
#define CRM_IDNA_EMPTY_LABEL		0x0001
#define CRM_IDNA_LENGTH				0x0002
#define CRM_IDNA_HYPHEN				0x0004	/* at the start or end of a label */
#define CRM_IDNA_HYPHEN_3_4			0x0008	/* "ab--c" */
#define CRM_IDNA_COMBINING_START	0x0010
#define CRM_IDNA_DISALLOWED			0x0020
#define CRM_IDNA_PUNYCODE			0x0040	/* "xn--" and no valid rest */
#define CRM_IDNA_BIDI				0x0080
#define CRM_IDNA_JOINER				0x0100
#define CRM_IDNA_UNASSIGNED			0x0200	/* accepted all the same, see idna.c */
#define CRM_IDNA_OTHER				0x0400
#define CRM_IDNA_UNAVAILABLE		0x8000	/* ICU's data cannot be loaded */

/*
 * Maps a domain name (UTF-8, valid) to lower-case Unicode, "xn--" labels
 * decoded.  Writes at most size bytes and returns their number, or -1 when
 * they do not fit.  The result is meaningful unless *errors says otherwise.
 */
extern int	crm_idna_to_unicode(const char *name, size_t length,
								char *out, size_t size, unsigned *errors);

/*
 * The ASCII form of a name that crm_idna_to_unicode() returned, or of any
 * lower-case UTF-8 name.  Returns the number of bytes, or -1 when they do not
 * fit.  No NUL is added.
 */
extern int	crm_idna_to_ascii(const char *name, size_t length,
							  char *out, size_t size);

/* Normal form C; the number of bytes, or -1 when they do not fit. */
extern int	crm_nfc(const char *s, size_t length, char *out, size_t size);

/* Whether the character combines with the one before it (category M). */
extern bool crm_is_mark(uint32_t code);

#endif							/* CRM_IDNA_H */
