/*
 * email_list.c
 *		What the advisory tables crm.email_domain and crm.email_role say of an
 *		address.
 *
 * The tables are ordinary ones that crm.install() makes and anybody with the
 * right may edit, so these functions are stable, not immutable.  The plans are
 * prepared once a session; PostgreSQL prepares them anew when a table changes.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "text/idna.h"
#include "text/utf8.h"
#include "type/email_class.h"
#include "type/email_server.h"

/* At most as many labels as a name of 253 octets can have, in two forms. */
#define MAX_SUFFIXES 256

PG_FUNCTION_INFO_V1(crm_email_is_disposable);
PG_FUNCTION_INFO_V1(crm_email_is_free_provider);
PG_FUNCTION_INFO_V1(crm_email_is_role);

static void
require_table(const char *name)
{
	Oid			schema = get_namespace_oid("crm", true);

	if (!OidIsValid(schema) || !OidIsValid(get_relname_relid(name, schema)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table crm.%s does not exist", name),
				 errhint("SELECT crm.install() creates it.")));
}

/* Runs a query of one text[] or text parameter that gives one boolean or none. */
static bool
ask(SPIPlanPtr *plan, const char *query, Oid type, Datum argument)
{
	bool		result = false;
	bool		isnull;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (*plan == NULL)
	{
		SPIPlanPtr	prepared = SPI_prepare(query, 1, &type);

		if (prepared == NULL)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		SPI_keepplan(prepared);
		*plan = prepared;
	}
	if (SPI_execute_plan(*plan, &argument, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "SPI_execute_plan failed");
	if (SPI_processed > 0)
	{
		Datum		value = SPI_getbinval(SPI_tuptable->vals[0],
										  SPI_tuptable->tupdesc, 1, &isnull);

		result = !isnull && DatumGetBool(value);
	}
	SPI_finish();
	return result;
}

/*
 * The domain and its parents, the longest first, each in Unicode and ASCII, so
 * that a row may be written in either form.
 */
static Datum
suffixes(struct varlena *email)
{
	CrmEmailParts p = crm_email_parts(EMAIL_IMAGE(email), EMAIL_SIZE(email));
	char		ascii[CRM_EMAIL_BUFFER];
	Datum		names[MAX_SUFFIXES];
	int			count = 0;

	for (int start = 0; start < p.domain_length && count < MAX_SUFFIXES - 1; start++)
	{
		const char *name = p.domain + start;
		int			length = p.domain_length - start;

		if (start > 0 && p.domain[start - 1] != '.')
			continue;
		names[count++] = PointerGetDatum(cstring_to_text_with_len(name, length));
		if (!crm_is_ascii(name, length))
		{
			int			n = crm_idna_to_ascii(name, length, ascii, sizeof(ascii));

			if (n > 0)
				names[count++] = PointerGetDatum(cstring_to_text_with_len(ascii, n));
		}
	}
	return PointerGetDatum(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
}

#define DOMAIN_QUERY(column) \
	"SELECT " column " FROM crm.email_domain" \
	" WHERE domain OPERATOR(pg_catalog.=) ANY ($1) AND " column " IS NOT NULL" \
	" ORDER BY pg_catalog.array_position($1, domain) LIMIT 1"

Datum
crm_email_is_disposable(PG_FUNCTION_ARGS)
{
	static SPIPlanPtr plan = NULL;
	struct varlena *email = PG_GETARG_VARLENA_PP(0);

	require_table("email_domain");
	PG_RETURN_BOOL(ask(&plan, DOMAIN_QUERY("is_disposable"), TEXTARRAYOID,
					   suffixes(email)));
}

Datum
crm_email_is_free_provider(PG_FUNCTION_ARGS)
{
	static SPIPlanPtr plan = NULL;
	struct varlena *email = PG_GETARG_VARLENA_PP(0);

	require_table("email_domain");
	PG_RETURN_BOOL(ask(&plan, DOMAIN_QUERY("is_free_provider"), TEXTARRAYOID,
					   suffixes(email)));
}

/* The local part without its tag, A-Z as a-z. */
Datum
crm_email_is_role(PG_FUNCTION_ARGS)
{
	static SPIPlanPtr plan = NULL;
	struct varlena *email = PG_GETARG_VARLENA_PP(0);
	CrmEmailParts p = crm_email_parts(EMAIL_IMAGE(email), EMAIL_SIZE(email));
	int			length = p.local_length;
	int			offset;
	int			tag_length;
	text	   *name;

	require_table("email_role");
	if (crm_email_tag(EMAIL_IMAGE(email), EMAIL_SIZE(email), &offset, &tag_length))
		length = offset - 1;
	name = cstring_to_text_with_len(p.local, length);
	for (int i = 0; i < length; i++)
		VARDATA(name)[i] = (char) crm_email_lower((unsigned char) p.local[i]);
	PG_RETURN_BOOL(ask(&plan,
					   "SELECT true FROM crm.email_role"
					   " WHERE local_part OPERATOR(pg_catalog.=) $1",
					   TEXTOID, PointerGetDatum(name)));
}
