/*
 * name_key_ops.c
 *		SQL functions of the keys of names, and of transliteration.
 *
 * All are immutable: they depend on tables of ours only.  When a table
 * changes, crm.name_key_version() does.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "crm.h"
#include "text/name_char.h"
#include "text/name_key.h"
#include "text/translit.h"
#include "type/name_text.h"

/* The tables are of Unicode; other encodings have ASCII in common with it. */
void
crm_name_check_encoding(const char *s, size_t length)
{
	if (GetDatabaseEncoding() != PG_UTF8 && !crm_is_ascii(s, length))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("names with letters beyond ASCII need a database whose encoding is UTF8"),
				 errhint("This database has the encoding %s.",
						 GetDatabaseEncodingName())));
}

PG_FUNCTION_INFO_V1(crm_name_sql_key);
PG_FUNCTION_INFO_V1(crm_name_sql_full_key);
PG_FUNCTION_INFO_V1(crm_name_sql_household_key);
PG_FUNCTION_INFO_V1(crm_name_sql_keys);
PG_FUNCTION_INFO_V1(crm_name_sql_key_version);
PG_FUNCTION_INFO_V1(crm_name_sql_fold_lookalikes);
PG_FUNCTION_INFO_V1(crm_name_sql_case);
PG_FUNCTION_INFO_V1(crm_translit_sql);
PG_FUNCTION_INFO_V1(crm_translit_sql_schemes);

/* crm.name_key(text): null when there is nothing to make a key of. */
Datum
crm_name_sql_key(PG_FUNCTION_ARGS)
{
	text	   *name = PG_GETARG_TEXT_PP(0);
	char		key[CRM_NAME_KEY_SIZE];
	size_t		length;

	crm_name_check_encoding(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	length = crm_name_key(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name),
						  CRM_NAME_RUSSIAN, key);
	PG_FREE_IF_COPY(name, 0);
	if (length == 0)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(key, length));
}

/* crm.name_full_key(text): the words of the key in order. */
Datum
crm_name_sql_full_key(PG_FUNCTION_ARGS)
{
	text	   *name = PG_GETARG_TEXT_PP(0);
	char		key[CRM_NAME_KEY_SIZE];
	size_t		length;

	crm_name_check_encoding(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	length = crm_name_key(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name),
						  CRM_NAME_RUSSIAN, key);
	length = crm_name_sort_words(key, length);
	PG_FREE_IF_COPY(name, 0);
	if (length == 0)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(key, length));
}

/* crm.name_household_key(text) */
Datum
crm_name_sql_household_key(PG_FUNCTION_ARGS)
{
	text	   *name = PG_GETARG_TEXT_PP(0);
	char		key[CRM_NAME_KEY_SIZE];
	size_t		length;

	crm_name_check_encoding(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	length = crm_name_household_key(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), key);
	PG_FREE_IF_COPY(name, 0);
	if (length == 0)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(key, length));
}

/* crm.name_keys(text): the key first, then those of other readings. */
Datum
crm_name_sql_keys(PG_FUNCTION_ARGS)
{
	text	   *name = PG_GETARG_TEXT_PP(0);
	char		keys[CRM_NAME_KEYS_MAX][CRM_NAME_KEY_SIZE];
	size_t		lengths[CRM_NAME_KEYS_MAX];
	Datum		elements[CRM_NAME_KEYS_MAX];
	int			count;

	crm_name_check_encoding(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	count = crm_name_keys(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), keys, lengths);
	PG_FREE_IF_COPY(name, 0);
	for (int i = 0; i < count; i++)
		elements[i] = PointerGetDatum(cstring_to_text_with_len(keys[i], lengths[i]));
	PG_RETURN_ARRAYTYPE_P(construct_array(elements, count, TEXTOID, -1, false,
										  TYPALIGN_INT));
}

Datum
crm_name_sql_key_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(CRM_NAME_KEY_VERSION);
}

/* crm.fold_lookalikes(text) */
Datum
crm_name_sql_fold_lookalikes(PG_FUNCTION_ARGS)
{
	text	   *source = PG_GETARG_TEXT_PP(0);
	size_t		length = VARSIZE_ANY_EXHDR(source);
	text	   *result;
	int			folded;
	int			mixed;
	size_t		first;

	crm_name_check_encoding(VARDATA_ANY(source), length);
	result = (text *) palloc(VARHDRSZ + 2 * length);
	length = crm_name_fold_lookalikes(VARDATA_ANY(source), length, VARDATA(result),
									  &folded, &mixed, &first);
	SET_VARSIZE(result, VARHDRSZ + length);
	PG_FREE_IF_COPY(source, 0);
	PG_RETURN_TEXT_P(result);
}

/* crm.name_case(text) */
Datum
crm_name_sql_case(PG_FUNCTION_ARGS)
{
	text	   *source = PG_GETARG_TEXT_PP(0);
	size_t		length = VARSIZE_ANY_EXHDR(source);
	text	   *result;

	crm_name_check_encoding(VARDATA_ANY(source), length);
	result = (text *) palloc(VARHDRSZ + 3 * length);
	length = crm_name_case(VARDATA_ANY(source), length, VARDATA(result));
	SET_VARSIZE(result, VARHDRSZ + length);
	PG_FREE_IF_COPY(source, 0);
	PG_RETURN_TEXT_P(result);
}

/* crm.translit(text, scheme) */
Datum
crm_translit_sql(PG_FUNCTION_ARGS)
{
	text	   *source = PG_GETARG_TEXT_PP(0);
	text	   *name = PG_GETARG_TEXT_PP(1);
	size_t		length = VARSIZE_ANY_EXHDR(source);
	const CrmTranslitScheme *scheme;
	text	   *result;

	crm_name_check_encoding(VARDATA_ANY(source), length);
	scheme = crm_translit_find(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	if (scheme == NULL)
	{
		char		shown[100];

		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown transliteration scheme: \"%s\"",
						crm_printable(shown, sizeof(shown), VARDATA_ANY(name),
									  VARSIZE_ANY_EXHDR(name))),
				 errhint("crm.translit_schemes() lists the schemes.")));
	}
	result = (text *) palloc_extended(VARHDRSZ + (Size) CRM_TRANSLIT_GROWTH * length,
									  MCXT_ALLOC_HUGE);
	length = crm_translit(scheme, VARDATA_ANY(source), length, VARDATA(result));
	if (length > MaxAllocSize - VARHDRSZ)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the transliterated text would have more than 1 GB")));
	SET_VARSIZE(result, VARHDRSZ + length);
	PG_FREE_IF_COPY(source, 0);
	PG_RETURN_TEXT_P(result);
}

/* crm.translit_schemes(): (scheme, aliases, description) */
Datum
crm_translit_sql_schemes(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (const CrmTranslitScheme *scheme = crm_translit_schemes;
		 scheme->name != NULL; scheme++)
	{
		Datum		values[3];
		bool		nulls[3] = {false};
		Datum		aliases[16];
		int			count = 0;
		const char *s = scheme->aliases;

		while (*s != '\0' && count < 16)
		{
			size_t		n = strcspn(s, " ");

			aliases[count++] = PointerGetDatum(cstring_to_text_with_len(s, n));
			s += n + (s[n] == ' ');
		}
		values[0] = CStringGetTextDatum(scheme->name);
		values[1] = PointerGetDatum(construct_array(aliases, count, TEXTOID, -1,
													false, TYPALIGN_INT));
		values[2] = CStringGetTextDatum(scheme->description);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
