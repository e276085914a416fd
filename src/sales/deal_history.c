/*
 * deal_history.c
 *		The trigger that writes crm.deal_history.
 *
 * An AFTER trigger FOR EACH STATEMENT, attached once for each kind of
 * statement, because transition tables ask for that.  It reads the transition
 * tables as they are, row after row, and writes the entries of many deals in
 * one INSERT: a statement over a hundred thousand deals prepares, binds and
 * runs some hundred of them, not a hundred thousand.
 *
 * A deal that is made or removed has one entry with all its values; a deal
 * that changes has one entry a column.  The columns of a move take effect when
 * the deal entered the stage, others at crm.effective_at.
 *
 * As all rows come by here as they were stored, it is here that those are judged
 * again which triggers may have changed after the guard.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
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

		if (attribute->attisdropped || heap_attisnull(row, attnum, desc) ||
			is_bookkeeping(NameStr(attribute->attname)))
			continue;
		crm_push_string(&state, WJB_KEY, NameStr(attribute->attname));
		crm_push_column(&state, row, desc, attnum);
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

/* Entries that wait to be written, and all that is the same for them. */
typedef struct Batch
{
	TupleDesc	desc;
	CrmStoredCheck *check;
	int			id_column;
	int			entered_column;
	Datum		actor;
	Datum		role;
	TimestampTz now;
	MemoryContext context;		/* of the values; reset when written */
	int			count;
	Datum		deals[CRM_BATCH_ENTRIES];
	Datum		fields[CRM_BATCH_ENTRIES];
	Datum		old_values[CRM_BATCH_ENTRIES];
	bool		old_nulls[CRM_BATCH_ENTRIES];
	Datum		new_values[CRM_BATCH_ENTRIES];
	bool		new_nulls[CRM_BATCH_ENTRIES];
	Datum		effective[CRM_BATCH_ENTRIES];
} Batch;

/* Lets the rows go that were read, also when they need no entry. */
static void
write_batch(Batch *batch)
{
	static SPIPlanPtr plan = NULL;
	static Oid	types[] = {INT8ARRAYOID, TEXTARRAYOID, JSONBARRAYOID, JSONBARRAYOID, TIMESTAMPTZARRAYOID, TEXTOID, TEXTOID};
	MemoryContext old_context = MemoryContextSwitchTo(batch->context);
	Datum		values[7];

	if (batch->count > 0)
	{
		values[0] = crm_make_array(batch->deals, NULL, batch->count, INT8OID);
		values[1] = crm_make_array(batch->fields, NULL, batch->count, TEXTOID);
		values[2] = crm_make_array(batch->old_values, batch->old_nulls, batch->count, JSONBOID);
		values[3] = crm_make_array(batch->new_values, batch->new_nulls, batch->count, JSONBOID);
		values[4] = crm_make_array(batch->effective, NULL, batch->count, TIMESTAMPTZOID);
		values[5] = batch->actor;
		values[6] = batch->role;
		crm_execute_kept(&plan,
						 "INSERT INTO crm.deal_history (deal_id, field, old_value, new_value, effective_at, actor, role) "
						 "SELECT deal_id, field, old_value, new_value, effective_at, $6, $7 "
						 "FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), "
						 "pg_catalog.unnest($4), pg_catalog.unnest($5)) "
						 "AS entry (deal_id, field, old_value, new_value, effective_at)",
						 7, types, values, NULL);
		batch->count = 0;
	}
	MemoryContextSwitchTo(old_context);
	MemoryContextReset(batch->context);
}

static void
add_entry(Batch *batch, int64 deal_id, const char *field, Jsonb *old_value, Jsonb *new_value, TimestampTz effective_at)
{
	int			n = batch->count++;

	batch->deals[n] = Int64GetDatum(deal_id);
	batch->fields[n] = CStringGetTextDatum(field);
	batch->old_nulls[n] = old_value == NULL;
	batch->old_values[n] = JsonbPGetDatum(old_value);
	batch->new_nulls[n] = new_value == NULL;
	batch->new_values[n] = JsonbPGetDatum(new_value);
	batch->effective[n] = TimestampTzGetDatum(effective_at);
}

static Jsonb *
column_or_null(HeapTuple row, TupleDesc desc, int attnum)
{
	return heap_attisnull(row, attnum, desc) ? NULL : crm_column_to_jsonb(row, desc, attnum);
}

static int64
bigint_column(Batch *batch, HeapTuple row, int attnum)
{
	int64		value = 0;

	(void) crm_bigint_column(row, batch->desc, attnum, &value);
	return value;
}

static TimestampTz
entered_at(Batch *batch, HeapTuple row)
{
	bool		isnull;
	Datum		value = heap_getattr(row, batch->entered_column, batch->desc, &isnull);

	return isnull ? batch->now : DatumGetTimestampTz(value);
}

/* The entries of one deal; one of the rows may be NULL. */
static void
add_row(Batch *batch, HeapTuple old_row, HeapTuple new_row)
{
	int64		deal_id = bigint_column(batch, old_row ? old_row : new_row, batch->id_column);
	TimestampTz effective_at = batch->now;

	if (new_row != NULL && crm_stage_require_stored(batch->check, old_row, new_row))
		effective_at = entered_at(batch, new_row);
	if (old_row == NULL)
		add_entry(batch, deal_id, "*", NULL, row_values(new_row, batch->desc), effective_at);
	else if (new_row == NULL)
		add_entry(batch, deal_id, "*", row_values(old_row, batch->desc), NULL, effective_at);
	else
		for (int attnum = 1; attnum <= batch->desc->natts; attnum++)
		{
			Form_pg_attribute attribute = TupleDescAttr(batch->desc, attnum - 1);

			if (!attribute->attisdropped && !is_bookkeeping(NameStr(attribute->attname)) &&
				crm_column_differs(old_row, new_row, batch->desc, attnum))
				add_entry(batch, deal_id, NameStr(attribute->attname),
						  column_or_null(old_row, batch->desc, attnum),
						  column_or_null(new_row, batch->desc, attnum), effective_at);
		}
}

static void
log_rows(Batch *batch, TriggerData *trigger)
{
	CrmChangeReader reader;
	bool		is_more = true;

	crm_open_changes(&reader, trigger);
	while (is_more)
	{
		MemoryContext old_context = MemoryContextSwitchTo(batch->context);
		HeapTuple	old_row;
		HeapTuple	new_row;

		CHECK_FOR_INTERRUPTS();
		is_more = crm_read_change(&reader, &old_row, &new_row);
		if (is_more)
			add_row(batch, old_row, new_row);
		MemoryContextSwitchTo(old_context);
		if (!is_more || batch->count + batch->desc->natts > CRM_BATCH_ENTRIES ||
			MemoryContextMemAllocated(batch->context, true) > CRM_BATCH_BYTES)
			write_batch(batch);
	}
	crm_close_changes(&reader);
}

/* The setting crm.effective_at, otherwise the moment of the transaction. */
static TimestampTz
effective_moment(void)
{
	const char *setting = GetConfigOption("crm.effective_at", true, false);

	if (setting == NULL || setting[0] == '\0')
		return GetCurrentTransactionStartTimestamp();
	return DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(setting), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

static int
require_column(Relation relation, const char *name, Oid type)
{
	int			attnum = SPI_fnumber(RelationGetDescr(relation), name);

	if (attnum <= 0 || SPI_gettypeid(RelationGetDescr(relation), attnum) != type)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s\" has no column \"%s\" of type %s",
						RelationGetRelationName(relation), name, format_type_be(type))));
	return attnum;
}

PG_FUNCTION_INFO_V1(crm_deal_history);

Datum
crm_deal_history(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = crm_require_trigger(fcinfo, "crm.deal_history()");
	CrmOwnerRights caller;
	Batch	   *batch;

	crm_require_transition_tables(trigger, "crm.deal_history()");
	if (!crm_has_changes(trigger))
		return PointerGetDatum(NULL);
	if (RelationGetDescr(trigger->tg_relation)->natts > CRM_BATCH_ENTRIES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("table \"%s\" has more than %d columns",
						RelationGetRelationName(trigger->tg_relation), CRM_BATCH_ENTRIES)));
	batch = palloc0(sizeof(Batch));
	batch->desc = RelationGetDescr(trigger->tg_relation);
	batch->id_column = require_column(trigger->tg_relation, "id", INT8OID);
	(void) require_column(trigger->tg_relation, "stage_id", INT8OID);
	batch->entered_column = require_column(trigger->tg_relation, "stage_entered_at", TIMESTAMPTZOID);
	batch->actor = CStringGetTextDatum(crm_current_actor());
	batch->role = CStringGetTextDatum(GetUserNameFromId(GetUserId(), false));
	batch->now = effective_moment();
	batch->check = crm_stage_check_stored(trigger, GetUserId());

	/*
	 * The check of the stage's key may have waited for a session that changed
	 * the stages: the moves are then judged by what it left.
	 */
	AcceptInvalidationMessages();
	crm_become_owner(trigger->tg_relation, &caller);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	batch->context = AllocSetContextCreate(CurrentMemoryContext, "crm deal history", ALLOCSET_DEFAULT_SIZES);
	log_rows(batch, trigger);
	SPI_finish();
	crm_become_caller(&caller);
	pfree(batch);
	return PointerGetDatum(NULL);
}
