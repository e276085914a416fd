/*
 * name_ops.c
 *		SQL functions of names: parse, check, gender, salutation, forms.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "crm.h"
#include "text/name_char.h"
#include "text/name_check.h"
#include "text/name_gender.h"
#include "text/name_parse.h"
#include "text/name_salute.h"
#include "type/check_report.h"
#include "type/name_text.h"

PG_FUNCTION_INFO_V1(crm_name_sql_parse);
PG_FUNCTION_INFO_V1(crm_name_sql_check);
PG_FUNCTION_INFO_V1(crm_name_sql_gender);
PG_FUNCTION_INFO_V1(crm_name_sql_salutation);
PG_FUNCTION_INFO_V1(crm_name_sql_format);

/* Number of columns of crm.person_name. */
#define PERSON_NAME_COLUMNS 10

static bool
text_is(const text *value, const char *word)
{
	return VARSIZE_ANY_EXHDR(value) == strlen(word) &&
		memcmp(VARDATA_ANY(value), word, strlen(word)) == 0;
}

static void
bad_argument(const char *what, const text *value, const char *hint)
{
	char		shown[100];

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown %s: \"%s\"", what,
					crm_printable(shown, sizeof(shown), VARDATA_ANY(value),
								  VARSIZE_ANY_EXHDR(value))),
			 errhint("%s", hint)));
}

static CrmNameOrder
read_order(const text *value)
{
	if (text_is(value, "auto"))
		return CRM_NAME_ORDER_AUTO;
	if (text_is(value, "given_first"))
		return CRM_NAME_GIVEN_FIRST;
	if (text_is(value, "family_first") || text_is(value, "surname_first"))
		return CRM_NAME_FAMILY_FIRST;
	bad_argument("name order", value,
				 "The orders are auto, given_first and family_first.");
	return CRM_NAME_ORDER_AUTO; /* not reached */
}

/* Any language may be named; those that say nothing of order are western. */
static CrmNameLocale
read_locale(const text *value)
{
	static const char russian[][3] = {"ru", "uk", "be", "bg", "kk", "ky", "uz", "tg", "az", "hy", "ka"};
	static const char eastern[][3] = {"zh", "ja", "ko", "vi", "hu"};
	const char *s = VARDATA_ANY(value);
	size_t		length = VARSIZE_ANY_EXHDR(value);
	char		language[3];

	if (length == 0 || text_is(value, "auto"))
		return CRM_NAME_LOCALE_AUTO;
	if (length < 2 || (length > 2 && s[2] != '_' && s[2] != '-' && s[2] != '.') ||
		!((s[0] | 0x20) >= 'a' && (s[0] | 0x20) <= 'z') ||
		!((s[1] | 0x20) >= 'a' && (s[1] | 0x20) <= 'z'))
		bad_argument("locale", value,
					 "A locale begins with a language of two letters, such as ru or en_US; null means that the script decides.");
	language[0] = s[0] | 0x20;
	language[1] = s[1] | 0x20;
	language[2] = '\0';
	for (size_t i = 0; i < lengthof(russian); i++)
		if (strcmp(russian[i], language) == 0)
			return CRM_NAME_LOCALE_RUSSIAN;
	for (size_t i = 0; i < lengthof(eastern); i++)
		if (strcmp(eastern[i], language) == 0)
			return CRM_NAME_LOCALE_EASTERN;
	return CRM_NAME_LOCALE_WESTERN;
}

static Datum
part_datum(const CrmName *name, CrmNamePart part, bool *null)
{
	*null = name->length[part] == 0;
	if (*null)
		return (Datum) 0;
	return PointerGetDatum(cstring_to_text_with_len(name->part[part],
													name->length[part]));
}

/* crm.parse_name(text, name_order, locale) */
Datum
crm_name_sql_parse(PG_FUNCTION_ARGS)
{
	text	   *source;
	CrmNameOrder order = CRM_NAME_ORDER_AUTO;
	CrmNameLocale locale = CRM_NAME_LOCALE_AUTO;
	CrmName		name;
	TupleDesc	tupdesc;
	Datum		values[PERSON_NAME_COLUMNS];
	bool		nulls[PERSON_NAME_COLUMNS] = {false};
	Datum		notes[CRM_NOTES];
	int			count = 0;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	source = PG_GETARG_TEXT_PP(0);
	if (!PG_ARGISNULL(1))
		order = read_order(PG_GETARG_TEXT_PP(1));
	if (!PG_ARGISNULL(2))
		locale = read_locale(PG_GETARG_TEXT_PP(2));
	crm_name_check_encoding(VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source));

	/* The row type is looked up once for all calls of a query. */
	tupdesc = (TupleDesc) fcinfo->flinfo->fn_extra;
	if (tupdesc == NULL)
	{
		MemoryContext before = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);

		if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE ||
			tupdesc->natts != PERSON_NAME_COLUMNS)
			elog(ERROR, "return type must be crm.person_name");
		tupdesc = BlessTupleDesc(tupdesc);
		fcinfo->flinfo->fn_extra = tupdesc;
		MemoryContextSwitchTo(before);
	}

	crm_name_parse(VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source), order, locale,
				   &name);

	values[0] = part_datum(&name, CRM_NAME_TITLE, &nulls[0]);
	values[1] = part_datum(&name, CRM_NAME_GIVEN, &nulls[1]);
	values[2] = part_datum(&name, CRM_NAME_MIDDLE, &nulls[2]);
	values[3] = part_datum(&name, CRM_NAME_FAMILY, &nulls[3]);
	values[4] = part_datum(&name, CRM_NAME_SUFFIX, &nulls[4]);
	values[5] = part_datum(&name, CRM_NAME_NICKNAME, &nulls[5]);
	if (name.gender == 0)
		nulls[6] = true;
	else
		values[6] = PointerGetDatum(cstring_to_text_with_len(&name.gender, 1));
	values[7] = Float4GetDatum(name.confidence);
	if (name.order == CRM_NAME_ORDER_AUTO)
		nulls[8] = true;
	else
		values[8] = CStringGetTextDatum(name.order == CRM_NAME_GIVEN_FIRST ?
										"given_first" : "family_first");
	for (int i = 0; i < CRM_NOTES; i++)
		if (name.notes & 1 << i)
			notes[count++] = CStringGetTextDatum(crm_name_note_names[i]);
	values[9] = PointerGetDatum(construct_array(notes, count, TEXTOID, -1, false,
												TYPALIGN_INT));
	return HeapTupleGetDatum(heap_form_tuple(tupdesc, values, nulls));
}

/* crm.check_name(text) */
Datum
crm_name_sql_check(PG_FUNCTION_ARGS)
{
	text	   *source = PG_GETARG_TEXT_PP(0);
	size_t		length = VARSIZE_ANY_EXHDR(source);
	char		value[CRM_NAME_MAX_INPUT];
	CrmCheck	check;

	crm_check_init(&check);
	if (crm_check_length(&check, length))
		return crm_check_row(fcinfo, &check, NULL, 0);
	crm_name_check_encoding(VARDATA_ANY(source), length);
	length = crm_name_check(VARDATA_ANY(source), length, value, &check);
	return crm_check_row(fcinfo, &check, value, length);
}

static CrmNameText
get_part(FunctionCallInfo fcinfo, int n)
{
	CrmNameText part = {NULL, 0};

	if (!PG_ARGISNULL(n))
	{
		text	   *value = PG_GETARG_TEXT_PP(n);

		part.s = VARDATA_ANY(value);
		part.length = VARSIZE_ANY_EXHDR(value);
		crm_name_check_encoding(part.s, part.length);
	}
	return part;
}

/* crm.name_gender(given, middle, family) */
Datum
crm_name_sql_gender(PG_FUNCTION_ARGS)
{
	CrmNameText given = get_part(fcinfo, 0);
	CrmNameText middle = get_part(fcinfo, 1);
	CrmNameText family = get_part(fcinfo, 2);
	char		gender = crm_name_gender(given.s, given.length,
										 middle.s, middle.length,
										 family.s, family.length, 0, NULL);

	if (gender == 0)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(&gender, 1));
}

/* m, f, and what other systems write; anything else is unknown. */
static char
read_gender(const text *value)
{
	static const char *const words[][2] = {
		{"m", "f"}, {"M", "F"}, {"male", "female"}, {"Male", "Female"},
		{"м", "ж"}, {"М", "Ж"}, {"муж", "жен"}, {"мужской", "женский"},
		{"1", "2"},				/* ISO 5218 */
	};

	for (size_t i = 0; i < lengthof(words); i++)
	{
		if (text_is(value, words[i][0]))
			return 'm';
		if (text_is(value, words[i][1]))
			return 'f';
	}
	return 0;
}

/* crm.salutation(given, middle, family, gender, style, locale, title) */
Datum
crm_name_sql_salutation(PG_FUNCTION_ARGS)
{
	CrmNameText given = get_part(fcinfo, 0);
	CrmNameText middle = get_part(fcinfo, 1);
	CrmNameText family = get_part(fcinfo, 2);
	CrmNameText title = get_part(fcinfo, 6);
	CrmSaluteStyle style = CRM_SALUTE_FORMAL;
	char	   *locale = NULL;
	char		gender;
	char	   *out;
	size_t		length;

	if (PG_ARGISNULL(3))
		gender = crm_name_gender(given.s, given.length, middle.s, middle.length,
								 family.s, family.length, 0, NULL);
	else
		gender = read_gender(PG_GETARG_TEXT_PP(3));
	if (!PG_ARGISNULL(4))
	{
		text	   *value = PG_GETARG_TEXT_PP(4);

		if (!crm_salute_style(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), &style))
			bad_argument("style of salutation", value,
						 "The styles are formal, neutral and informal.");
	}
	if (!PG_ARGISNULL(5))
	{
		text	   *value = PG_GETARG_TEXT_PP(5);

		if (!crm_salute_locale(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)))
			bad_argument("language of salutations", value,
						 "The languages are ru, en, de, fr and es; a country may follow, as in en_GB.");
		locale = text_to_cstring(value);
	}

	out = palloc(given.length + middle.length + family.length + title.length + 128);
	length = crm_name_salute(title, given, middle, family, gender, style,
							 locale != NULL ? locale : "ru", out);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out, length));
}

/* crm.format_name(given, middle, family, form) */
Datum
crm_name_sql_format(PG_FUNCTION_ARGS)
{
	CrmNameText given = get_part(fcinfo, 0);
	CrmNameText middle = get_part(fcinfo, 1);
	CrmNameText family = get_part(fcinfo, 2);
	text	   *form;
	bool		known;
	char	   *out;
	size_t		length;

	if (PG_ARGISNULL(3))
		PG_RETURN_NULL();
	form = PG_GETARG_TEXT_PP(3);
	/* An initial and its dot and space may take more than the name had. */
	out = palloc(4 * (given.length + middle.length + family.length) + 64);
	length = crm_name_format(given, middle, family, VARDATA_ANY(form),
							 VARSIZE_ANY_EXHDR(form), out, &known);
	if (!known)
		bad_argument("form of a name", form,
					 "The forms are full, short, sorting, sorting_short, official, official_short, informal and monogram.");
	if (length == 0)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out, length));
}
