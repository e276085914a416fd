/*
 * ids.c
 *		The numbers of records: one text each, and the columns that they are
 *		made of.
 *
 * A number of several columns is the text of a row of them.  Records of given
 * numbers are looked for by the columns, each read as the type that it has, so
 * that the index of the key serves.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "nodes/params.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "crm.h"
#include "match/run.h"

/* Until the end of the settings. */
static void
set_locally(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/*
 * A number is one text in all sessions, so times and the like are written in
 * one style.  What somebody has entered is still read in that of the session.
 */
void
crm_match_set_styles(bool reads_input)
{
	set_locally("datestyle", reads_input ? "ISO" : "ISO, YMD");
	set_locally("intervalstyle", "postgres");
	set_locally("extra_float_digits", "1");
	set_locally("bytea_output", "hex");
	if (!reads_input)
		set_locally("timezone", "UTC");
}

/* The equality of the type, which its indexes serve, whatever the search_path. */
static char *
equality(Oid type)
{
	Oid			operator = lookup_type_cache(type, TYPECACHE_EQ_OPR)->eq_opr;
	HeapTuple	row = SearchSysCache1(OPEROID, ObjectIdGetDatum(operator));
	Form_pg_operator form;
	char	   *text;

	if (!HeapTupleIsValid(row))
		return "=";
	form = (Form_pg_operator) GETSTRUCT(row);
	text = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)), NameStr(form->oprname));
	ReleaseSysCache(row);
	return text;
}

/* Learns the columns of the number; of such as are not there the query tells. */
void
crm_match_describe_id(MatchRun *run, ArrayType *names)
{
	MemoryContext old_context = MemoryContextSwitchTo(run->context);
	Datum	   *name;
	bool	   *nulls;
	int			count;

	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &name, &nulls, &count);
	run->id_column = palloc0((count + 1) * sizeof(MatchIdColumn));
	run->id_columns = 0;
	for (int i = 0; i < count; i++)
	{
		char	   *one = nulls[i] ? NULL : TextDatumGetCString(name[i]);
		AttrNumber	attnum = one == NULL || !OidIsValid(run->relation_oid) ? InvalidAttrNumber :
			get_attnum(run->relation_oid, one);
		MatchIdColumn *column = &run->id_column[i];
		Oid			type;

		if (attnum <= 0)
		{
			run->id_columns = 0;
			break;
		}
		type = getBaseType(get_atttype(run->relation_oid, attnum));
		column->name = pstrdup(quote_identifier(one));
		/* With a modifier of -1, as char without a length would be char(1). */
		column->type = format_type_extended(type, -1, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY);
		column->equal = equality(type);
		column->is_array = OidIsValid(get_element_type(type));
		run->id_columns++;
	}
	MemoryContextSwitchTo(old_context);
}

/* Whether ids are compared as they are, by one array of them. */
static bool
is_one_array(const MatchRun *run)
{
	return run->id_columns == 0 || (run->id_columns == 1 && !run->id_column[0].is_array);
}

int
crm_match_id_parameters(const MatchRun *run)
{
	return is_one_array(run) ? 1 : run->id_columns;
}

void
crm_match_put_id_condition(const MatchRun *run, StringInfo sql)
{
	if (run->id_columns == 0)
	{
		appendStringInfo(sql, "(%s)::text = ANY ($1)", run->id_expression);
		return;
	}
	if (is_one_array(run))
	{
		appendStringInfo(sql, "%s %s ANY ($1::%s[])", run->id_column[0].name, run->id_column[0].equal, run->id_column[0].type);
		return;
	}
	appendStringInfoString(sql, "EXISTS (SELECT FROM ROWS FROM (");
	for (int i = 0; i < run->id_columns; i++)
		appendStringInfo(sql, "%spg_catalog.unnest($%d)", i > 0 ? ", " : "", i + 1);
	appendStringInfoString(sql, ") AS crm_match_given (");
	for (int i = 0; i < run->id_columns; i++)
		appendStringInfo(sql, "%scrm_match_given_%d", i > 0 ? ", " : "", i + 1);
	appendStringInfoString(sql, ") WHERE ");
	for (int i = 0; i < run->id_columns; i++)
		appendStringInfo(sql, "%s%s %s crm_match_given_%d::%s", i > 0 ? " AND " : "", run->id_column[i].name,
						 run->id_column[i].equal, i + 1, run->id_column[i].type);
	appendStringInfoChar(sql, ')');
}

/*
 * Takes the text of a row, as its output function writes it, apart into texts
 * of its columns; an empty one is null.  False when it is none, or of another
 * number of columns.
 */
static bool
split_row(const char *row, int columns, Datum *value, bool *isnull)
{
	StringInfoData text;
	const char *p = row;

	if (*p++ != '(')
		return false;
	initStringInfo(&text);
	for (int i = 0; i < columns; i++)
	{
		bool		quoted = false;

		if (i > 0 && *p++ != ',')
			return false;
		isnull[i] = *p == ',' || *p == ')';
		resetStringInfo(&text);
		for (; quoted || (*p != ',' && *p != ')'); p++)
		{
			if (*p == '\0')
				return false;
			else if (*p == '\\' && p[1] != '\0')
				appendStringInfoChar(&text, *++p);
			else if (*p == '"' && quoted && p[1] == '"')
				appendStringInfoChar(&text, *++p);
			else if (*p == '"')
				quoted = !quoted;
			else
				appendStringInfoChar(&text, *p);
		}
		value[i] = PointerGetDatum(cstring_to_text_with_len(text.data, text.len));
	}
	pfree(text.data);
	return p[0] == ')' && p[1] == '\0';
}

static Datum
text_array(Datum *values, bool *nulls, int count)
{
	int			lower = 1;

	return PointerGetDatum(construct_md_array(values, nulls, 1, &count, &lower, TEXTOID, -1, false, TYPALIGN_INT));
}

/*
 * The given ids as parameters of that condition.  What is no number of this
 * table is null in all columns, and so found nowhere.
 */
ParamListInfo
crm_match_id_values(const MatchRun *run, ArrayType *ids, uint16 flags)
{
	int			columns = crm_match_id_parameters(run);
	ParamListInfo params = makeParamList(columns);
	Datum	   *id;
	bool	   *id_nulls;
	Datum	   *value;
	bool	   *isnull;
	Datum	   *row = palloc(columns * sizeof(Datum));
	bool	   *row_nulls = palloc(columns * sizeof(bool));
	int			count;

	for (int i = 0; i < columns; i++)
		params->params[i] = (ParamExternData) {PointerGetDatum(ids), false, flags, TEXTARRAYOID};
	if (is_one_array(run))
		return params;
	deconstruct_array(ids, TEXTOID, -1, false, TYPALIGN_INT, &id, &id_nulls, &count);
	value = palloc((Size) columns * count * sizeof(Datum));
	isnull = palloc((Size) columns * count * sizeof(bool));
	memset(isnull, true, (Size) columns * count * sizeof(bool));
	for (int n = 0; n < count; n++)
	{
		if (id_nulls[n])
			continue;
		if (columns == 1)
		{
			value[n] = id[n];
			isnull[n] = false;
		}
		else if (split_row(TextDatumGetCString(id[n]), columns, row, row_nulls))
			for (int i = 0; i < columns; i++)
			{
				value[i * count + n] = row[i];
				isnull[i * count + n] = row_nulls[i];
			}
	}
	for (int i = 0; i < columns; i++)
		params->params[i].value = count == 0 ? PointerGetDatum(construct_empty_array(TEXTOID)) :
			text_array(value + (Size) i * count, isnull + (Size) i * count, count);
	return params;
}
