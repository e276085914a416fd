/*
 * email_server.h
 *		E-mail addresses as datums.
 */
#ifndef CRM_EMAIL_SERVER_H
#define CRM_EMAIL_SERVER_H

#include "fmgr.h"
#include "mb/pg_wchar.h"

#include "crm.h"
#include "type/email.h"

/* The image in a varlena that is perhaps short, but not toasted. */
#define EMAIL_IMAGE(v) VARDATA_ANY(v)
#define EMAIL_SIZE(v) VARSIZE_ANY_EXHDR(v)

static inline int
crm_email_flags(void)
{
	return GetDatabaseEncoding() == PG_UTF8 ? 0 : CRM_EMAIL_ASCII_ONLY;
}

static inline struct varlena *
crm_email_make(const char *image, int size)
{
	struct varlena *result = (struct varlena *) palloc(size + VARHDRSZ);

	SET_VARSIZE(result, size + VARHDRSZ);
	memcpy(VARDATA(result), image, size);
	return result;
}

#endif							/* CRM_EMAIL_SERVER_H */
