/*
 * deal_history.c
 *		The trigger that writes crm.deal_history.
 *
 * Attached twice, as crm.audit() is.  AFTER INSERT FOR EACH STATEMENT: one
 * entry a deal with all its values, for a load of any size in one set
 * operation.  AFTER UPDATE OR DELETE FOR EACH ROW: one entry a column that
 * changed; the columns of a move take effect when the deal entered the stage.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "crm.h"
#include "history/change.h"
#include "sales/stage_guard.h"

/* Kept by the guard; the time of the last entry. */
static bool
is_bookkeeping(const char *column)
{
	return strcmp(column, "updated_at") == 0;
}

/* {"column": value} of the columns that are not null. */
static Jsonb *
row_values(HeapTuple row, TupleDesc desc)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int attnum = 1; attnum <= desc->natts; attnum++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, attnum - 1);
		JsonbValue	value;
		Jsonb	   *jsonb;

		if (attribute->attisdropped || heap_attisnull(row, attnum, desc) ||
			is_bookkeeping(NameStr(attribute->attname)))
			continue;
		value.type = jbvString;
		value.val.string.val = NameStr(attribute->attname);
		value.val.string.len = strlen(value.val.string.val);
		pushJsonbValue(&state, WJB_KEY, &value);
		jsonb = crm_column_to_jsonb(row, desc, attnum);
		if (JB_ROOT_IS_SCALAR(jsonb))
			(void) JsonbExtractScalar(&jsonb->root, &value);
		else
		{
			value.type = jbvBinary;
			value.val.binary.data = &jsonb->root;
			value.val.binary.len = VARSIZE(jsonb) - VARHDRSZ;
		}
		pushJsonbValue(&state, WJB_VALUE, &value);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}

PG_FUNCTION_INFO_V1(crm_row_values);

/* crm.row_values(record) returns jsonb */
Datum
crm_row_values(PG_FUNCTION_ARGS)
{
	HeapTupleHeader header = PG_GETARG_HEAPTUPLEHEADER(0);
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header),
											  HeapTupleHeaderGetTypMod(header));
	HeapTupleData row;
	Jsonb	   *result;

	row.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&row.t_self);
	row.t_tableOid = InvalidOid;
	row.t_data = header;
	result = row_values(&row, desc);
	ReleaseTupleDesc(desc);
	PG_RETURN_JSONB_P(result);
}

/* The entries of one row, gathered column by column. */
typedef struct Entries
{
	int			count;
	Datum	   *fields;
	Datum	   *old_values;
	bool	   *old_nulls;
	Datum	   *new_values;
	bool	   *new_nulls;
} Entries;

static void
make_entries(Entries *entries, int capacity)
{
	entries->count = 0;
	entries->fields = palloc_array(Datum, capacity);
	entries->old_values = palloc_array(Datum, capacity);
	entries->old_nulls = palloc_array(bool, capacity);
	entries->new_values = palloc_array(Datum, capacity);
	entries->new_nulls = palloc_array(bool, capacity);
}

static void
add_entry(Entries *entries, const char *field, Jsonb *old_value, Jsonb *new_value)
{
	int			n = entries->count++;

	entries->fields[n] = CStringGetTextDatum(field);
	entries->old_nulls[n] = old_value == NULL;
	entries->old_values[n] = JsonbPGetDatum(old_value);
	entries->new_nulls[n] = new_value == NULL;
	entries->new_values[n] = JsonbPGetDatum(new_value);
}

static Jsonb *
column_or_null(HeapTuple row, TupleDesc desc, int attnum)
{
	return heap_attisnull(row, attnum, desc) ? NULL : crm_column_to_jsonb(row, desc, attnum);
}

static Datum
make_array(Datum *values, bool *nulls, int count, Oid type)
{
	int			lower = 1;

	return PointerGetDatum(construct_md_array(values, nulls, 1, &count, &lower, type, -1, false, TYPALIGN_INT));
}

/* Writes the entries of one deal in one statement. */
static void
write_entries(Entries *entries, int64 deal_id, TimestampTz effective_at, const char *actor, const char *role)
{
	static SPIPlanPtr plan = NULL;
	static Oid	types[] = {INT8OID, TEXTARRAYOID, JSONBARRAYOID, JSONBARRAYOID, TIMESTAMPTZOID, TEXTOID, TEXTOID};
	Datum		values[7];

	values[0] = Int64GetDatum(deal_id);
	values[1] = make_array(entries->fields, NULL, entries->count, TEXTOID);
	values[2] = make_array(entries->old_values, entries->old_nulls, entries->count, JSONBOID);
	values[3] = make_array(entries->new_values, entries->new_nulls, entries->count, JSONBOID);
	values[4] = TimestampTzGetDatum(effective_at);
	values[5] = CStringGetTextDatum(actor);
	values[6] = CStringGetTextDatum(role);
	crm_execute_kept(&plan,
					 "INSERT INTO crm.deal_history (deal_id, field, old_value, new_value, effective_at, actor, role) "
					 "SELECT $1, field, old_value, new_value, $5, $6, $7 "
					 "FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4)) "
					 "AS entry (field, old_value, new_value)",
					 7, types, values, NULL);
}

static TimestampTz
time_column(HeapTuple row, TupleDesc desc, const char *name)
{
	bool		isnull;
	Datum		value = heap_getattr(row, SPI_fnumber(desc, name), desc, &isnull);

	return isnull ? GetCurrentTransactionStartTimestamp() : DatumGetTimestampTz(value);
}

static void
log_row(TriggerData *trigger, const char *actor, const char *role)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	HeapTuple	old_row = trigger->tg_trigtuple;
	HeapTuple	new_row = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : NULL;
	TimestampTz effective_at = GetCurrentTransactionStartTimestamp();
	int64		deal_id = 0;
	int64		old_stage = 0;
	int64		new_stage = 0;
	Entries		entries;

	(void) crm_bigint_column(old_row, desc, "id", &deal_id);
	make_entries(&entries, desc->natts);
	if (new_row == NULL)
		add_entry(&entries, "*", row_values(old_row, desc), NULL);
	else
	{
		(void) crm_bigint_column(old_row, desc, "stage_id", &old_stage);
		(void) crm_bigint_column(new_row, desc, "stage_id", &new_stage);
		if (old_stage != new_stage)
		{
			/* A trigger that fired after the guard may have changed the stage. */
			crm_stage_require_move(trigger->tg_relation, deal_id, old_stage, new_stage);
			effective_at = time_column(new_row, desc, "stage_entered_at");
		}
		for (int attnum = 1; attnum <= desc->natts; attnum++)
		{
			Form_pg_attribute attribute = TupleDescAttr(desc, attnum - 1);

			if (!attribute->attisdropped && !is_bookkeeping(NameStr(attribute->attname)) &&
				crm_column_differs(old_row, new_row, desc, attnum))
				add_entry(&entries, NameStr(attribute->attname),
						  column_or_null(old_row, desc, attnum),
						  column_or_null(new_row, desc, attnum));
		}
	}
	if (entries.count > 0)
		write_entries(&entries, deal_id, effective_at, actor, role);
}

/* All deals of an INSERT statement at once. */
static void
log_inserted(TriggerData *trigger, const char *actor, const char *role)
{
	Oid			types[] = {TEXTOID, TEXTOID};
	Datum		values[2];

	if (trigger->tg_newtable == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" must have a transition table", trigger->tg_trigger->tgname),
				 errhint("Create it with REFERENCING NEW TABLE AS %s.", "new_rows")));
	if (SPI_register_trigger_data(trigger) < 0)
		elog(ERROR, "SPI_register_trigger_data failed");
	values[0] = CStringGetTextDatum(actor);
	values[1] = CStringGetTextDatum(role);
	if (SPI_execute_with_args(psprintf("INSERT INTO crm.deal_history (deal_id, field, new_value, effective_at, actor, role) "
									   "SELECT deal.id, '*', crm.row_values(deal), deal.stage_entered_at, $1, $2 FROM %s AS deal",
									   quote_identifier(trigger->tg_trigger->tgnewtable)),
							  2, types, values, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "writing the history failed");
}

PG_FUNCTION_INFO_V1(crm_deal_history);

Datum
crm_deal_history(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = crm_require_trigger(fcinfo, "crm.deal_history()");
	bool		is_insert = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	const char *actor;
	const char *role;
	CrmOwnerRights caller;

	if (!TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		(is_insert != (bool) TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("crm.deal_history() must be an AFTER INSERT trigger FOR EACH STATEMENT or an AFTER UPDATE OR DELETE trigger FOR EACH ROW")));
	actor = crm_current_actor();
	role = GetUserNameFromId(GetUserId(), false);
	crm_become_owner(trigger->tg_relation, &caller);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (is_insert)
		log_inserted(trigger, actor, role);
	else
		log_row(trigger, actor, role);
	SPI_finish();
	crm_become_caller(&caller);
	return PointerGetDatum(NULL);
}
