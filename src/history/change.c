/*
 * change.c
 *		The difference between two versions of a row, as JSON values, and the
 *		writing of history by triggers.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/float.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/rel.h"

#include "crm.h"
#include "history/change.h"

static void
set_plain_setting(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Numbers, booleans and JSON keep their type; times are written as ISO 8601;
 * everything else is the text that its type prints.
 */
static void
datum_to_json_value(Datum value, Oid type, JsonbValue *result)
{
	char	   *string;

	switch (getBaseType(type))
	{
		case BOOLOID:
			result->type = jbvBool;
			result->val.boolean = DatumGetBool(value);
			return;
		case INT2OID:
			result->type = jbvNumeric;
			result->val.numeric = int64_to_numeric(DatumGetInt16(value));
			return;
		case INT4OID:
			result->type = jbvNumeric;
			result->val.numeric = int64_to_numeric(DatumGetInt32(value));
			return;
		case INT8OID:
			result->type = jbvNumeric;
			result->val.numeric = int64_to_numeric(DatumGetInt64(value));
			return;
		case NUMERICOID:
			{
				Numeric		number = DatumGetNumeric(value);

				if (!numeric_is_nan(number) && !numeric_is_inf(number))
				{
					result->type = jbvNumeric;
					result->val.numeric = number;
					return;
				}
				string = DatumGetCString(DirectFunctionCall1(numeric_out, value));
				break;
			}
		case FLOAT4OID:
		case FLOAT8OID:
			{
				bool		is_single = getBaseType(type) == FLOAT4OID;
				double		number = is_single ? DatumGetFloat4(value) : DatumGetFloat8(value);

				/* The shortest digits that read back as the same number. */
				string = palloc(DOUBLE_SHORTEST_DECIMAL_LEN);
				if (!isfinite(number))
				{
					string = float8out_internal(number);
					break;
				}
				if (is_single)
					float_to_shortest_decimal_buf(DatumGetFloat4(value), string);
				else
					double_to_shortest_decimal_buf(number, string);
				result->type = jbvNumeric;
				result->val.numeric =
					DatumGetNumeric(DirectFunctionCall3(numeric_in,
														CStringGetDatum(string),
														ObjectIdGetDatum(InvalidOid),
														Int32GetDatum(-1)));
				return;
			}
		case DATEOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			string = JsonEncodeDateTime(NULL, value, getBaseType(type), NULL);
			break;
		case TEXTOID:
		case VARCHAROID:
			string = TextDatumGetCString(value);
			break;
		default:
			{
				Oid			output;
				bool		is_varlena;

				/*
				 * Ranges, arrays and the like print dates and floats by the
				 * session's settings; history must not depend on who wrote it.
				 */
				int			nest = NewGUCNestLevel();

				set_plain_setting("datestyle", "ISO, YMD");
				set_plain_setting("intervalstyle", "postgres");
				set_plain_setting("extra_float_digits", "1");
				set_plain_setting("bytea_output", "hex");
				set_plain_setting("timezone", "UTC");
				getTypeOutputInfo(type, &output, &is_varlena);
				string = OidOutputFunctionCall(output, value);
				AtEOXact_GUC(true, nest);
				break;
			}
	}
	result->type = jbvString;
	result->val.string.val = string;
	result->val.string.len = strlen(string);
}

/* Points into the row, except where the value had to be converted. */
static void
column_to_json_value(HeapTuple row, TupleDesc desc, int attnum, JsonbValue *result)
{
	bool		isnull;
	Datum		value = heap_getattr(row, attnum, desc, &isnull);
	Oid			type = TupleDescAttr(desc, attnum - 1)->atttypid;

	if (isnull)
		result->type = jbvNull;
	else if (type == JSONBOID)
	{
		Jsonb	   *jsonb = DatumGetJsonbP(value);

		if (JB_ROOT_IS_SCALAR(jsonb))
			(void) JsonbExtractScalar(&jsonb->root, result);
		else
		{
			result->type = jbvBinary;
			result->val.binary.data = &jsonb->root;
			result->val.binary.len = VARSIZE(jsonb) - VARHDRSZ;
		}
	}
	else
		datum_to_json_value(value, type, result);
}

Jsonb *
crm_column_to_jsonb(HeapTuple row, TupleDesc desc, int attnum)
{
	JsonbValue	value;

	column_to_json_value(row, desc, attnum, &value);
	return JsonbValueToJsonb(&value);
}

void
crm_push_string(JsonbParseState **state, JsonbIteratorToken token, const char *string)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = unconstify(char *, string);
	value.val.string.len = strlen(string);
	pushJsonbValue(state, token, &value);
}

void
crm_push_column(JsonbParseState **state, HeapTuple row, TupleDesc desc, int attnum)
{
	JsonbValue	value;

	column_to_json_value(row, desc, attnum, &value);
	pushJsonbValue(state, WJB_VALUE, &value);
}

bool
crm_column_differs(HeapTuple a, HeapTuple b, TupleDesc desc, int attnum)
{
	Form_pg_attribute attribute = TupleDescAttr(desc, attnum - 1);
	bool		a_null;
	bool		b_null;
	Datum		a_value = heap_getattr(a, attnum, desc, &a_null);
	Datum		b_value = heap_getattr(b, attnum, desc, &b_null);

	if (a_null || b_null)
		return a_null != b_null;
	return !datum_image_eq(a_value, b_value, attribute->attbyval, attribute->attlen);
}

int
crm_bigint_attnum(TupleDesc desc, const char *name)
{
	int			attnum = SPI_fnumber(desc, name);

	return attnum > 0 && TupleDescAttr(desc, attnum - 1)->atttypid == INT8OID ? attnum : 0;
}

bool
crm_bigint_column(HeapTuple row, TupleDesc desc, int attnum, int64 *value)
{
	bool		isnull = true;
	Datum		datum = attnum > 0 ? heap_getattr(row, attnum, desc, &isnull) : (Datum) 0;

	if (isnull)
		return false;
	*value = DatumGetInt64(datum);
	return true;
}

const char *
crm_current_actor(void)
{
	if (crm_actor != NULL && crm_actor[0] != '\0')
		return crm_actor;
	return GetUserNameFromId(GetSessionUserId(), false);
}

void
crm_become_owner(Relation relation, CrmOwnerRights *saved)
{
	GetUserIdAndSecContext(&saved->user, &saved->security_context);
	SetUserIdAndSecContext(RelationGetForm(relation)->relowner,
						   saved->security_context | SECURITY_LOCAL_USERID_CHANGE);
}

void
crm_become_caller(const CrmOwnerRights *saved)
{
	SetUserIdAndSecContext(saved->user, saved->security_context);
}

void
crm_execute_kept(SPIPlanPtr *plan, const char *sql, int nargs, Oid *types,
				 Datum *values, const char *nulls)
{
	int			outcome;

	if (*plan == NULL)
	{
		SPIPlanPtr	prepared = SPI_prepare(sql, nargs, types);

		if (prepared == NULL)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		if (SPI_keepplan(prepared) != 0)
			elog(ERROR, "SPI_keepplan failed");
		*plan = prepared;
	}
	outcome = SPI_execute_plan(*plan, values, nulls, false, 0);
	if (outcome < 0)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(outcome));
}

TriggerData *
crm_require_trigger(FunctionCallInfo fcinfo, const char *function)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("%s can only be called as a trigger", function)));
	return (TriggerData *) fcinfo->context;
}

void
crm_require_transition_tables(TriggerData *trigger, const char *function)
{
	TriggerEvent event = trigger->tg_event;

	if (!TRIGGER_FIRED_AFTER(event) || !TRIGGER_FIRED_FOR_STATEMENT(event) || TRIGGER_FIRED_BY_TRUNCATE(event) ||
		(trigger->tg_oldtable == NULL) != (bool) TRIGGER_FIRED_BY_INSERT(event) ||
		(trigger->tg_newtable == NULL) != (bool) TRIGGER_FIRED_BY_DELETE(event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("%s must be an AFTER INSERT, UPDATE or DELETE trigger FOR EACH STATEMENT with its transition tables",
						function)));
}

bool
crm_has_changes(TriggerData *trigger)
{
	Tuplestorestate *store = trigger->tg_oldtable ? trigger->tg_oldtable : trigger->tg_newtable;

	return tuplestore_tuple_count(store) > 0;
}

static void
open_rows(CrmRowReader *reader, Tuplestorestate *store, TupleDesc desc)
{
	reader->store = store;
	if (store == NULL)
		return;
	reader->pointer = tuplestore_alloc_read_pointer(store, EXEC_FLAG_REWIND);
	tuplestore_select_read_pointer(store, reader->pointer);
	tuplestore_rescan(store);
	reader->slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
}

/*
 * A table that has gone to disk hands out tuples which the slot must free:
 * that is done here, before somebody resets the context they are in.
 */
static HeapTuple
read_row(CrmRowReader *reader)
{
	HeapTuple	row;

	if (reader->store == NULL)
		return NULL;
	tuplestore_select_read_pointer(reader->store, reader->pointer);
	if (!tuplestore_gettupleslot(reader->store, true, false, reader->slot))
		return NULL;
	row = ExecCopySlotHeapTuple(reader->slot);
	ExecClearTuple(reader->slot);
	return row;
}

static void
close_rows(CrmRowReader *reader)
{
	if (reader->store != NULL)
		ExecDropSingleTupleTableSlot(reader->slot);
}

void
crm_open_changes(CrmChangeReader *reader, TriggerData *trigger)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);

	open_rows(&reader->old_rows, trigger->tg_oldtable, desc);
	open_rows(&reader->new_rows, trigger->tg_newtable, desc);
}

/*
 * The server appends the old and the new version of each row to the two
 * tables in one go: what stands at the same place belongs together.
 */
bool
crm_read_change(CrmChangeReader *reader, HeapTuple *old_row, HeapTuple *new_row)
{
	*old_row = read_row(&reader->old_rows);
	*new_row = read_row(&reader->new_rows);
	return *old_row != NULL || *new_row != NULL;
}

void
crm_close_changes(CrmChangeReader *reader)
{
	close_rows(&reader->old_rows);
	close_rows(&reader->new_rows);
}

Datum
crm_make_array(Datum *values, bool *nulls, int count, Oid type)
{
	int			lower = 1;
	int16		length;
	bool		by_value;
	char		align;

	get_typlenbyvalalign(type, &length, &by_value, &align);
	return PointerGetDatum(construct_md_array(values, nulls, 1, &count, &lower, type, length, by_value, align));
}
