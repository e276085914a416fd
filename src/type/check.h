/*
 * check.h
 *		What a checker says of a value.
 *
 * Each type has one checker, a pure function from bytes to a canonical form
 * and a CrmCheck.  Input functions, crm.try_...(), crm.check_...() and the
 * import all call it, so their verdicts and messages cannot differ.
 *
 * This header knows nothing of the server; check.c turns a CrmCheck into an
 * error or a row.
 */
#ifndef CRM_CHECK_H
#define CRM_CHECK_H

#include <stddef.h>

typedef enum CrmCheckStatus
{
	CRM_CHECK_OK,				/* as it should be */
	CRM_CHECK_FIXED,			/* accepted after removing what carries no
								 * meaning: space, "mailto:", separators */
	CRM_CHECK_ODD,				/* accepted, but unusual: worth a look */
	CRM_CHECK_BAD				/* refused */
} CrmCheckStatus;

typedef struct CrmCheck
{
	CrmCheckStatus status;
	const char *code;			/* stable token such as "EMAIL_NO_AT", or NULL
								 * when status is OK */
	int			position;		/* byte offset of the trouble, or -1 */
	char		message[256];	/* what is wrong, a full sentence */
	char		hint[256];		/* the way out, a full sentence, or "" */
	char		suggestion[1024];	/* the one probable repair, or "" */
} CrmCheck;

static inline void
crm_check_init(CrmCheck *check)
{
	check->status = CRM_CHECK_OK;
	check->code = NULL;
	check->position = -1;
	check->message[0] = '\0';
	check->hint[0] = '\0';
	check->suggestion[0] = '\0';
}

/* Sets the verdict; message is a printf format. */
extern void crm_check_set(CrmCheck *check, CrmCheckStatus status,
						  const char *code, int position,
						  const char *message, ...)
			__attribute__((format(printf, 5, 6)));
extern void crm_check_hint(CrmCheck *check, const char *hint, ...)
			__attribute__((format(printf, 2, 3)));

/*
 * Writes value into buffer for showing it to a person: control, bidirectional
 * and invisible characters and broken bytes appear as <U+XXXX> or <0xXX>, and
 * a long value is cut with "...".  Returns buffer.
 */
extern char *crm_printable(char *buffer, size_t size, const char *value, size_t length);

#endif							/* CRM_CHECK_H */
