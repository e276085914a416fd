/*
 * email_read.h
 *		What the readers of the two parts of an address share.
 */
#ifndef CRM_EMAIL_READ_H
#define CRM_EMAIL_READ_H

#include "type/email.h"

/* Sets a verdict unless a graver one was set before. */
#define NOTE(check, severity, ...) \
	do { \
		if ((check)->status < (severity)) \
			crm_check_set(check, severity, __VA_ARGS__); \
	} while (0)

#define REFUSE(check, ...) \
	crm_check_set(check, CRM_CHECK_BAD, __VA_ARGS__)

/* "x" for a printable ASCII character, else U+XXXX. */
extern const char *crm_email_show(uint32_t c, char *buffer, size_t size);

/*
 * Refuses characters that no part of an address may have; false when refused.
 */
extern bool crm_email_accept_character(uint32_t c, int position, bool domain,
									   CrmCheck *check);

/* Removes white space and invisible characters at both ends. */
extern bool crm_email_trim(const char *s, size_t *start, size_t *end);

/*
 * Reads a domain of one label or more that stands at offset in the text;
 * returns the length of its canonical form, or 0.
 */
extern int	crm_email_read_domain(const char *s, size_t length, int offset,
								  int flags, char *out, CrmCheck *check);

#endif							/* CRM_EMAIL_READ_H */
