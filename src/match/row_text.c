/*
 * row_text.c
 *		A row as a JSON object of column to text, and back.
 *
 * The merge journal must give every value back to the byte, of any type that
 * a user's table may have.  JSON has too few types for that: numbers and times
 * lose what their types keep.  So each value is written as its type's output
 * function prints it and read by the input function, as pg_dump does; casts to
 * text would not do, as a type may have one that loses something (that of
 * char(n) drops blanks).  Both directions must run under the same settings of
 * DateStyle and the like: the SQL functions that call these fix them.
 *
 * Generated columns are left out, because the server computes them again.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "crm.h"
#include "history/change.h"
#include "match/row_text.h"

CrmRowType *
crm_row_type(FunctionCallInfo fcinfo, Oid type, int32 typmod)
{
	CrmRowType *row_type = fcinfo->flinfo->fn_extra;
	MemoryContext old_context;
	TupleDesc	desc;

	if (row_type != NULL && row_type->type == type && row_type->typmod == typmod)
		return row_type;
	desc = lookup_rowtype_tupdesc(type, typmod);
	old_context = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	row_type = palloc0(sizeof(CrmRowType));
	row_type->type = type;
	row_type->typmod = typmod;
	row_type->desc = CreateTupleDescCopyConstr(desc);
	row_type->output = palloc0(sizeof(FmgrInfo) * Max(desc->natts, 1));
	row_type->input = palloc0(sizeof(FmgrInfo) * Max(desc->natts, 1));
	row_type->input_param = palloc0(sizeof(Oid) * Max(desc->natts, 1));
	row_type->has_output = palloc0(sizeof(bool) * Max(desc->natts, 1));
	row_type->has_input = palloc0(sizeof(bool) * Max(desc->natts, 1));
	MemoryContextSwitchTo(old_context);
	ReleaseTupleDesc(desc);
	fcinfo->flinfo->fn_extra = row_type;
	return row_type;
}

/* The row of an argument of any composite type. */
static HeapTuple
row_argument(FunctionCallInfo fcinfo, int number, CrmRowType **row_type, HeapTuple row)
{
	HeapTupleHeader header = PG_GETARG_HEAPTUPLEHEADER(number);

	*row_type = crm_row_type(fcinfo, HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
	row->t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&row->t_self);
	row->t_tableOid = InvalidOid;
	row->t_data = header;
	return row;
}

static bool
is_kept(Form_pg_attribute attribute)
{
	return !attribute->attisdropped && attribute->attgenerated == '\0';
}

static void
push_column(JsonbParseState **state, FunctionCallInfo fcinfo, CrmRowType *row_type, HeapTuple row, int attnum)
{
	Form_pg_attribute attribute = TupleDescAttr(row_type->desc, attnum - 1);
	JsonbValue	key;
	JsonbValue	content;
	bool		isnull;
	Datum		value = heap_getattr(row, attnum, row_type->desc, &isnull);

	key.type = jbvString;
	key.val.string.val = NameStr(attribute->attname);
	key.val.string.len = strlen(key.val.string.val);
	pushJsonbValue(state, WJB_KEY, &key);
	if (isnull)
		content.type = jbvNull;
	else
	{
		if (!row_type->has_output[attnum - 1])
		{
			Oid			function;
			bool		is_varlena;

			getTypeOutputInfo(attribute->atttypid, &function, &is_varlena);
			fmgr_info_cxt(function, &row_type->output[attnum - 1], fcinfo->flinfo->fn_mcxt);
			row_type->has_output[attnum - 1] = true;
		}
		content.type = jbvString;
		content.val.string.val = OutputFunctionCall(&row_type->output[attnum - 1], value);
		content.val.string.len = strlen(content.val.string.val);
	}
	pushJsonbValue(state, WJB_VALUE, &content);
}

PG_FUNCTION_INFO_V1(crm_row_texts);

/* {"column": "text"} of a row. */
Datum
crm_row_texts(PG_FUNCTION_ARGS)
{
	JsonbParseState *state = NULL;
	CrmRowType *row_type;
	HeapTupleData row;

	row_argument(fcinfo, 0, &row_type, &row);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int attnum = 1; attnum <= row_type->desc->natts; attnum++)
		if (is_kept(TupleDescAttr(row_type->desc, attnum - 1)))
			push_column(&state, fcinfo, row_type, &row, attnum);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

PG_FUNCTION_INFO_V1(crm_row_changes);

/* The columns in which the second row differs from the first, as in the second. */
Datum
crm_row_changes(PG_FUNCTION_ARGS)
{
	JsonbParseState *state = NULL;
	CrmRowType *row_type;
	HeapTupleData old_row;
	HeapTupleData new_row;
	Oid			old_type;

	row_argument(fcinfo, 0, &row_type, &old_row);
	old_type = row_type->type;
	row_argument(fcinfo, 1, &row_type, &new_row);
	if (old_type != row_type->type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("two rows of one type are compared, not of %s and %s",
						format_type_be(old_type), format_type_be(row_type->type))));
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int attnum = 1; attnum <= row_type->desc->natts; attnum++)
		if (is_kept(TupleDescAttr(row_type->desc, attnum - 1)) &&
			crm_column_differs(&old_row, &new_row, row_type->desc, attnum))
			push_column(&state, fcinfo, row_type, &new_row, attnum);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

PG_FUNCTION_INFO_V1(crm_row_restore);

/* The row with the columns that the object names replaced by its texts. */
Datum
crm_row_restore(PG_FUNCTION_ARGS)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, 0);
	Jsonb	   *texts;
	CrmRowType *row_type;
	HeapTupleData row;
	Datum	   *values;
	bool	   *nulls;

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	texts = PG_GETARG_JSONB_P(1);
	if (!OidIsValid(type) || get_typtype(type) != TYPTYPE_COMPOSITE)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("crm.row_restore() makes rows of tables only")));
	if (!JB_ROOT_IS_OBJECT(texts))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the texts of a row must be a JSON object")));
	if (PG_ARGISNULL(0))
		row_type = crm_row_type(fcinfo, type, -1);
	else
		row_argument(fcinfo, 0, &row_type, &row);
	values = palloc0(sizeof(Datum) * Max(row_type->desc->natts, 1));
	nulls = palloc0(sizeof(bool) * Max(row_type->desc->natts, 1));
	if (PG_ARGISNULL(0))
		memset(nulls, true, row_type->desc->natts);
	else
		heap_deform_tuple(&row, row_type->desc, values, nulls);
	for (int i = 0; i < row_type->desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(row_type->desc, i);
		const char *name = NameStr(attribute->attname);
		JsonbValue	found;

		if (!is_kept(attribute) ||
			getKeyJsonValueFromContainer(&texts->root, name, strlen(name), &found) == NULL)
			continue;
		if (found.type != jbvNull && found.type != jbvString)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the value of column \"%s\" must be a string or null", name)));
		if (!row_type->has_input[i])
		{
			Oid			function;

			getTypeInputInfo(attribute->atttypid, &function, &row_type->input_param[i]);
			fmgr_info_cxt(function, &row_type->input[i], fcinfo->flinfo->fn_mcxt);
			row_type->has_input[i] = true;
		}
		nulls[i] = found.type == jbvNull;
		/* Called for null as well: a domain may refuse it. */
		values[i] = InputFunctionCall(&row_type->input[i],
									  nulls[i] ? NULL : pnstrdup(found.val.string.val, found.val.string.len),
									  row_type->input_param[i], attribute->atttypmod);
	}
	PG_RETURN_DATUM(heap_copy_tuple_as_datum(heap_form_tuple(row_type->desc, values, nulls), row_type->desc));
}
