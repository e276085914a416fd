/*
 * email.h
 *		E-mail addresses: the value, its parser, its keys.  Knows nothing of
 *		the server.
 *
 * A value ("image") lies on disk, after the varlena header, as
 *
 *		byte 0			L, octets of the local part: 1 .. 250.  0 occurs only in
 *						bounds that the planner makes; 251 .. 255 are reserved
 *						for another layout and never written.
 *		1 .. L			local part, UTF-8, normal form C, case kept; when it is
 *						no dot-atom, with its quotes, in which only '"' and '\'
 *						are escaped
 *		L+1 .. end		domain, UTF-8, mapped by UTS #46 (lower case, "xn--"
 *						labels decoded); at least two labels
 *
 * which is as long as the text.  Nothing else is stored: what can be asked of
 * an address is derived from these bytes.  The length is at most 1023 octets,
 * that of the form in which SMTP sends it at most 254.
 *
 * Two values are equal when their domains have the same bytes and their local
 * parts the same bytes after A-Z became a-z.  Other letters are not folded,
 * as their folding changes with the version of Unicode and an index does not.
 * The default order is by folded local part, then domain, both by bytes; the
 * domain order by the labels of the domain from the right, then folded local
 * part.
 */
#ifndef CRM_EMAIL_H
#define CRM_EMAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "type/check.h"

/* Room for any image, text or key. */
#define CRM_EMAIL_BUFFER 1100
#define CRM_EMAIL_MAX_IMAGE 1024

/* Limits of RFC 5321, in octets, of the form that SMTP sends. */
#define CRM_EMAIL_MAX_PATH 254
#define CRM_EMAIL_MAX_LOCAL 250
#define CRM_EMAIL_USUAL_LOCAL 64
#define CRM_EMAIL_MAX_DOMAIN 253
#define CRM_EMAIL_MAX_LABEL 63

/* Flags of the parsers. */
#define CRM_EMAIL_ASCII_ONLY	1	/* the database is not in UTF8 */
#define CRM_EMAIL_NO_REPAIR		2	/* do not look for a suggestion */

/*
 * The parts of an image.
 */
typedef struct CrmEmailParts
{
	const char *local;
	const char *domain;
	int			local_length;
	int			domain_length;
} CrmEmailParts;

static inline CrmEmailParts
crm_email_parts(const char *image, size_t size)
{
	CrmEmailParts parts;

	parts.local_length = (unsigned char) image[0];
	parts.local = image + 1;
	parts.domain = parts.local + parts.local_length;
	parts.domain_length = (int) size - 1 - parts.local_length;
	return parts;
}

/*
 * Reads an address into image (CRM_EMAIL_BUFFER bytes); returns its size, or
 * 0 when check says BAD.  All that accept addresses call it.
 */
extern int	crm_email_parse(const char *text, size_t length, int flags,
							char *image, CrmCheck *check);

/*
 * The same, and looks at accepted addresses for what is probably a mistake
 * ("gmial.com", look-alike letters): status ODD with a suggestion.
 */
extern int	crm_email_check(const char *text, size_t length, int flags,
							char *image, CrmCheck *check);
extern void crm_email_advise(const char *image, size_t size, CrmCheck *check);

/* Looks for the one probable repair of a text that was refused. */
extern void crm_email_repair(const char *text, size_t length, int flags,
							 CrmCheck *check);

/*
 * Reads a domain name, here of one label or more, into out (CRM_EMAIL_BUFFER
 * bytes); returns its length, or 0 when check says BAD.
 */
extern int	crm_email_parse_domain(const char *text, size_t length, int flags,
								   char *out, CrmCheck *check);

/* Writes the text, or the form for SMTP (-1 when there is none); no NUL. */
extern int	crm_email_text(const char *image, size_t size, char *out);
extern int	crm_email_ascii(const char *image, size_t size, char *out);

/* Orders and equality. */
extern int	crm_email_compare(const char *a, size_t a_size,
							  const char *b, size_t b_size);
extern bool crm_email_equal(const char *a, size_t a_size,
							const char *b, size_t b_size);
extern int	crm_email_domain_compare(const char *a, size_t a_size,
									 const char *b, size_t b_size);

/* What equal values have in common, for hashing; returns its length. */
extern int	crm_email_fold(const char *image, size_t size, char *out);

/* The first eight bytes of the order, as a number that compares likewise. */
extern uint64_t crm_email_abbreviate(const char *image, size_t size);
extern uint64_t crm_email_domain_abbreviate(const char *image, size_t size);

/* Whether the text begins with prefix, A-Z being a-z. */
extern bool crm_email_starts_with(const char *image, size_t size,
								  const char *prefix, size_t length);

/* Whether the domain is domain (canonical) or below it. */
extern bool crm_email_within(const char *image, size_t size,
							 const char *domain, size_t length);

/*
 * The images between which, the upper one excluded, all values with a prefix
 * or under a domain lie; for the default order and the domain order
 * respectively.  False when there is no such range; *upper_size is 0 when it
 * is open above.
 */
extern bool crm_email_prefix_range(const char *prefix, size_t length,
								   char *lower, int *lower_size,
								   char *upper, int *upper_size);
extern bool crm_email_domain_range(const char *domain, size_t length,
								   char *lower, int *lower_size,
								   char *upper, int *upper_size);

/*
 * The match key: one text for addresses that probably reach one person.  Its
 * rules are compiled; a change of them raises the version.
 */
#define CRM_EMAIL_MATCH_KEY_VERSION 1
extern int	crm_email_match_key(const char *image, size_t size, char *key);

/* Offset and length of the tag within the local part; false without one. */
extern bool crm_email_tag(const char *image, size_t size, int *offset, int *length);

extern bool crm_email_special_use(const char *image, size_t size);
extern int	crm_email_mask(const char *image, size_t size, char *out);

#endif							/* CRM_EMAIL_H */
