/*
 * email_io.c
 *		crm.email: input, output, verdicts, parts.
 */
#include "postgres.h"

#include "libpq/pqformat.h"
#include "utils/builtins.h"

#include "text/idna.h"
#include "text/utf8.h"
#include "type/check_report.h"
#include "type/email_server.h"

/* The format of crm.email_send(): this byte, then the text in UTF-8. */
#define EMAIL_BINARY_VERSION 1

PG_FUNCTION_INFO_V1(crm_email_in);
PG_FUNCTION_INFO_V1(crm_email_out);
PG_FUNCTION_INFO_V1(crm_email_recv);
PG_FUNCTION_INFO_V1(crm_email_send);
PG_FUNCTION_INFO_V1(crm_email_from_text);
PG_FUNCTION_INFO_V1(crm_email_to_text);
PG_FUNCTION_INFO_V1(crm_email_try);
PG_FUNCTION_INFO_V1(crm_email_check_text);
PG_FUNCTION_INFO_V1(crm_email_local_part);
PG_FUNCTION_INFO_V1(crm_email_domain);
PG_FUNCTION_INFO_V1(crm_email_ascii_form);
PG_FUNCTION_INFO_V1(crm_email_domain_ascii);
PG_FUNCTION_INFO_V1(crm_email_tag_text);
PG_FUNCTION_INFO_V1(crm_email_mask_text);
PG_FUNCTION_INFO_V1(crm_email_match_key_text);
PG_FUNCTION_INFO_V1(crm_email_match_key_version);
PG_FUNCTION_INFO_V1(crm_email_is_idn);
PG_FUNCTION_INFO_V1(crm_email_is_smtputf8);
PG_FUNCTION_INFO_V1(crm_email_is_special_use);

/* Reads s; on a refusal reports it, softly if it may, and returns NULL. */
static struct varlena *
read_email(const char *s, size_t length, Node *escontext)
{
	char		image[CRM_EMAIL_BUFFER];
	CrmCheck	check;
	int			size = crm_email_parse(s, length, crm_email_flags(), image, &check);

	if (size == 0)
	{
		crm_report_bad(escontext, "crm.email", s, length, &check);
		return NULL;
	}
	return crm_email_make(image, size);
}

Datum
crm_email_in(PG_FUNCTION_ARGS)
{
	char	   *s = PG_GETARG_CSTRING(0);

	PG_RETURN_POINTER(read_email(s, strlen(s), crm_escontext(fcinfo)));
}

Datum
crm_email_from_text(PG_FUNCTION_ARGS)
{
	text	   *t = PG_GETARG_TEXT_PP(0);

	PG_RETURN_POINTER(read_email(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), NULL));
}

Datum
crm_email_out(PG_FUNCTION_ARGS)
{
	struct varlena *email = PG_GETARG_VARLENA_PP(0);
	char	   *result = palloc(EMAIL_SIZE(email) + 1);

	result[crm_email_text(EMAIL_IMAGE(email), EMAIL_SIZE(email), result)] = '\0';
	PG_RETURN_CSTRING(result);
}

Datum
crm_email_to_text(PG_FUNCTION_ARGS)
{
	struct varlena *email = PG_GETARG_VARLENA_PP(0);
	text	   *result = palloc(EMAIL_SIZE(email) + VARHDRSZ);

	SET_VARSIZE(result, VARHDRSZ + crm_email_text(EMAIL_IMAGE(email), EMAIL_SIZE(email),
												  VARDATA(result)));
	PG_RETURN_TEXT_P(result);
}

Datum
crm_email_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgbyte(buf);
	int			length = buf->len - buf->cursor;
	struct varlena *result;

	if (version != EMAIL_BINARY_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unknown version %d of the binary form of crm.email", version)));
	result = read_email(pq_getmsgbytes(buf, length), length, NULL);
	PG_RETURN_POINTER(result);
}

Datum
crm_email_send(PG_FUNCTION_ARGS)
{
	struct varlena *email = PG_GETARG_VARLENA_PP(0);
	char		text[CRM_EMAIL_BUFFER];
	int			length = crm_email_text(EMAIL_IMAGE(email), EMAIL_SIZE(email), text);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendbyte(&buf, EMAIL_BINARY_VERSION);
	pq_sendbytes(&buf, text, length);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

Datum
crm_email_try(PG_FUNCTION_ARGS)
{
	text	   *t = PG_GETARG_TEXT_PP(0);
	char		image[CRM_EMAIL_BUFFER];
	CrmCheck	check;
	int			size = crm_email_parse(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t),
									   crm_email_flags() | CRM_EMAIL_NO_REPAIR,
									   image, &check);

	if (size == 0)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(crm_email_make(image, size));
}

Datum
crm_email_check_text(PG_FUNCTION_ARGS)
{
	text	   *t = PG_GETARG_TEXT_PP(0);
	char		image[CRM_EMAIL_BUFFER];
	char		shown[CRM_EMAIL_BUFFER];
	CrmCheck	check;
	int			size = crm_email_check(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t),
									   crm_email_flags(), image, &check);

	return crm_check_row(fcinfo, &check, shown,
						 size > 0 ? crm_email_text(image, size, shown) : 0);
}

Datum
crm_email_local_part(PG_FUNCTION_ARGS)
{
	struct varlena *email = PG_GETARG_VARLENA_PP(0);
	CrmEmailParts p = crm_email_parts(EMAIL_IMAGE(email), EMAIL_SIZE(email));

	PG_RETURN_TEXT_P(cstring_to_text_with_len(p.local, p.local_length));
}

Datum
crm_email_domain(PG_FUNCTION_ARGS)
{
	struct varlena *email = PG_GETARG_VARLENA_PP(0);
	CrmEmailParts p = crm_email_parts(EMAIL_IMAGE(email), EMAIL_SIZE(email));

	PG_RETURN_TEXT_P(cstring_to_text_with_len(p.domain, p.domain_length));
}

Datum
crm_email_ascii_form(PG_FUNCTION_ARGS)
{
	struct varlena *email = PG_GETARG_VARLENA_PP(0);
	char		ascii[CRM_EMAIL_BUFFER];
	int			n = crm_email_ascii(EMAIL_IMAGE(email), EMAIL_SIZE(email), ascii);

	if (n < 0)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(ascii, n));
}

Datum
crm_email_domain_ascii(PG_FUNCTION_ARGS)
{
	struct varlena *email = PG_GETARG_VARLENA_PP(0);
	CrmEmailParts p = crm_email_parts(EMAIL_IMAGE(email), EMAIL_SIZE(email));
	char		ascii[CRM_EMAIL_BUFFER];
	int			n = crm_idna_to_ascii(p.domain, p.domain_length, ascii, sizeof(ascii));

	if (n < 0)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(ascii, n));
}

Datum
crm_email_tag_text(PG_FUNCTION_ARGS)
{
	struct varlena *email = PG_GETARG_VARLENA_PP(0);
	int			offset;
	int			length;

	if (!crm_email_tag(EMAIL_IMAGE(email), EMAIL_SIZE(email), &offset, &length))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(EMAIL_IMAGE(email) + 1 + offset, length));
}

Datum
crm_email_mask_text(PG_FUNCTION_ARGS)
{
	struct varlena *email = PG_GETARG_VARLENA_PP(0);
	char		masked[CRM_EMAIL_BUFFER];
	int			n = crm_email_mask(EMAIL_IMAGE(email), EMAIL_SIZE(email), masked);

	PG_RETURN_TEXT_P(cstring_to_text_with_len(masked, n));
}

Datum
crm_email_match_key_text(PG_FUNCTION_ARGS)
{
	struct varlena *email = PG_GETARG_VARLENA_PP(0);
	char		key[CRM_EMAIL_BUFFER];
	int			n = crm_email_match_key(EMAIL_IMAGE(email), EMAIL_SIZE(email), key);

	PG_RETURN_TEXT_P(cstring_to_text_with_len(key, n));
}

Datum
crm_email_match_key_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(CRM_EMAIL_MATCH_KEY_VERSION);
}

Datum
crm_email_is_idn(PG_FUNCTION_ARGS)
{
	struct varlena *email = PG_GETARG_VARLENA_PP(0);
	CrmEmailParts p = crm_email_parts(EMAIL_IMAGE(email), EMAIL_SIZE(email));

	PG_RETURN_BOOL(!crm_is_ascii(p.domain, p.domain_length));
}

Datum
crm_email_is_smtputf8(PG_FUNCTION_ARGS)
{
	struct varlena *email = PG_GETARG_VARLENA_PP(0);
	CrmEmailParts p = crm_email_parts(EMAIL_IMAGE(email), EMAIL_SIZE(email));

	PG_RETURN_BOOL(!crm_is_ascii(p.local, p.local_length));
}

Datum
crm_email_is_special_use(PG_FUNCTION_ARGS)
{
	struct varlena *email = PG_GETARG_VARLENA_PP(0);

	PG_RETURN_BOOL(crm_email_special_use(EMAIL_IMAGE(email), EMAIL_SIZE(email)));
}
