/*
 * audit.c
 *		The audit trigger: who changed which field of which row, from what to
 *		what, in which transaction.
 *
 * One trigger function, attached AFTER ... FOR EACH STATEMENT with transition
 * tables, once for each kind of statement.  An insert logs no values: the row
 * holds them, and later entries hold what they replaced, so every past state
 * can be rebuilt; a load of a million rows writes its log in one set
 * operation.  For an update or a delete the two transition tables are read as
 * they are, row after row; only the columns that differ are written, and many
 * entries in one INSERT.
 *
 * Tables of 0.0.1 have it AFTER UPDATE OR DELETE FOR EACH ROW until
 * crm.upgrade() has run; such a row is logged as a statement of one row.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "crm.h"
#include "history/change.h"

/*
 * Columns whose change alone is not worth an entry, as they follow from
 * others: the time of the change, match keys, and the canonical form that
 * stands beside what was entered in a contact point.
 */
static bool
is_bookkeeping(const char *column, bool is_point)
{
	return strcmp(column, "updated_at") == 0 ||
		strcmp(column, "name_key") == 0 ||
		strcmp(column, "match_key") == 0 ||
		(is_point && (strcmp(column, "email") == 0 || strcmp(column, "phone") == 0));
}

/*
 * {"column": {"old": ..., "new": ...}} of the columns that differ, or of all
 * columns that are not null when there is no new row; NULL when none differs.
 */
static Jsonb *
changes_of(HeapTuple old_row, HeapTuple new_row, TupleDesc desc, bool is_point)
{
	JsonbParseState *state = NULL;
	bool		any = false;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int attnum = 1; attnum <= desc->natts; attnum++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, attnum - 1);
		const char *column = NameStr(attribute->attname);

		if (attribute->attisdropped)
			continue;
		if (new_row != NULL ? !crm_column_differs(old_row, new_row, desc, attnum) :
			heap_attisnull(old_row, attnum, desc))
			continue;
		any = any || !is_bookkeeping(column, is_point);
		crm_push_string(&state, WJB_KEY, column);
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		crm_push_string(&state, WJB_KEY, "old");
		crm_push_column(&state, old_row, desc, attnum);
		if (new_row != NULL)
		{
			crm_push_string(&state, WJB_KEY, "new");
			crm_push_column(&state, new_row, desc, attnum);
		}
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	return any ? JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)) : NULL;
}

/* The column that says whose row it is: id of a contact, contact_id elsewhere. */
static const char *
contact_column(Relation relation)
{
	return strcmp(RelationGetRelationName(relation), "contact") == 0 ? "id" : "contact_id";
}

/* Entries that wait to be written, and all that is the same for them. */
typedef struct Batch
{
	TupleDesc	desc;
	int			id_column;		/* 0 when the table has none */
	int			contact_column;
	bool		is_point;
	Datum		relation;
	Datum		operation;
	Datum		actor;
	Datum		role;
	MemoryContext context;		/* of the values; reset when written */
	int			count;
	Datum		row_ids[CRM_BATCH_ENTRIES];
	Datum		contact_ids[CRM_BATCH_ENTRIES];
	bool		contact_nulls[CRM_BATCH_ENTRIES];
	Datum		changes[CRM_BATCH_ENTRIES];
} Batch;

/* Lets the rows go that were read, also when they need no entry. */
static void
write_batch(Batch *batch)
{
	static SPIPlanPtr plan = NULL;
	static Oid	types[] = {INT8ARRAYOID, INT8ARRAYOID, JSONBARRAYOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID};
	MemoryContext old_context = MemoryContextSwitchTo(batch->context);
	Datum		values[7];

	if (batch->count > 0)
	{
		values[0] = crm_make_array(batch->row_ids, NULL, batch->count, INT8OID);
		values[1] = crm_make_array(batch->contact_ids, batch->contact_nulls, batch->count, INT8OID);
		values[2] = crm_make_array(batch->changes, NULL, batch->count, JSONBOID);
		values[3] = batch->relation;
		values[4] = batch->operation;
		values[5] = batch->actor;
		values[6] = batch->role;
		crm_execute_kept(&plan,
						 "INSERT INTO crm.audit_log (relation, row_id, contact_id, operation, changes, actor, role) "
						 "SELECT $4, row_id, contact_id, $5, changes, $6, $7 "
						 "FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3)) "
						 "AS entry (row_id, contact_id, changes)",
						 7, types, values, NULL);
		batch->count = 0;
	}
	MemoryContextSwitchTo(old_context);
	MemoryContextReset(batch->context);
}

/* An update or a delete of one row. */
static void
add_row(Batch *batch, HeapTuple old_row, HeapTuple new_row)
{
	Jsonb	   *changes = changes_of(old_row, new_row, batch->desc, batch->is_point);
	int64		row_id = 0;
	int64		contact_id = 0;
	int			n;

	if (changes == NULL)
		return;
	n = batch->count++;
	(void) crm_bigint_column(old_row, batch->desc, batch->id_column, &row_id);
	batch->row_ids[n] = Int64GetDatum(row_id);
	batch->contact_nulls[n] = !crm_bigint_column(old_row, batch->desc, batch->contact_column, &contact_id);
	batch->contact_ids[n] = Int64GetDatum(contact_id);
	batch->changes[n] = JsonbPGetDatum(changes);
}

static void
log_changed(TriggerData *trigger, const char *actor, const char *role)
{
	Relation	relation = trigger->tg_relation;
	bool		is_update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	bool		is_more = TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event);
	Batch	   *batch = palloc(sizeof(Batch));
	CrmChangeReader reader;

	batch->desc = RelationGetDescr(relation);
	batch->id_column = crm_bigint_attnum(batch->desc, "id");
	batch->contact_column = crm_bigint_attnum(batch->desc, contact_column(relation));
	batch->is_point = SPI_fnumber(batch->desc, "match_key") > 0;
	batch->relation = CStringGetTextDatum(RelationGetRelationName(relation));
	batch->operation = CStringGetTextDatum(is_update ? "update" : "delete");
	batch->actor = CStringGetTextDatum(actor);
	batch->role = CStringGetTextDatum(role);
	batch->context = AllocSetContextCreate(CurrentMemoryContext, "crm audit", ALLOCSET_DEFAULT_SIZES);
	batch->count = 0;
	if (!is_more)
	{
		add_row(batch, trigger->tg_trigtuple, is_update ? trigger->tg_newtuple : NULL);
		write_batch(batch);
		return;
	}
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
		if (!is_more || batch->count == CRM_BATCH_ENTRIES ||
			MemoryContextMemAllocated(batch->context, true) > CRM_BATCH_BYTES)
			write_batch(batch);
	}
	crm_close_changes(&reader);
}

/*
 * The statement that logs the rows of an INSERT into a table: its plan is kept
 * for each, since most statements insert few rows and planning it would take
 * longer than writing them.
 */
typedef struct InsertPlan
{
	Oid			relation;		/* must be first */
	char	   *sql;
	SPIPlanPtr	plan;
} InsertPlan;

static HTAB *insert_plans = NULL;

/* The caller is connected to SPI and has registered the transition table. */
static SPIPlanPtr
insert_plan(Oid relation, const char *sql)
{
	Oid			types[] = {TEXTOID, TEXTOID, TEXTOID};
	InsertPlan *kept;
	SPIPlanPtr	plan;
	bool		found;

	if (insert_plans == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(Oid), .entrysize = sizeof(InsertPlan), .hcxt = TopMemoryContext};

		insert_plans = hash_create("crm audit plans", 32, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	kept = hash_search(insert_plans, &relation, HASH_FIND, NULL);
	if (kept != NULL && strcmp(kept->sql, sql) == 0)
		return kept->plan;
	plan = SPI_prepare(sql, 3, types);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	/* A table that got or lost a column: the old plan may be running. */
	if (kept != NULL)
		return plan;
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "SPI_keepplan failed");
	sql = MemoryContextStrdup(TopMemoryContext, sql);
	kept = hash_search(insert_plans, &relation, HASH_ENTER, &found);
	kept->sql = unconstify(char *, sql);
	kept->plan = plan;
	return plan;
}

/* All rows of an INSERT statement at once. */
static void
log_inserted(TriggerData *trigger, const char *actor, const char *role)
{
	Relation	relation = trigger->tg_relation;
	TupleDesc	desc = RelationGetDescr(relation);
	Datum		values[3];
	StringInfoData sql;

	if (SPI_register_trigger_data(trigger) < 0)
		elog(ERROR, "SPI_register_trigger_data failed");
	initStringInfo(&sql);
	appendStringInfo(&sql,
					 "INSERT INTO crm.audit_log (relation, row_id, contact_id, operation, actor, role) "
					 "SELECT $1, %s, %s, 'insert', $2, $3 FROM %s",
					 SPI_fnumber(desc, "id") > 0 ? "coalesce(id, 0)" : "0",
					 SPI_fnumber(desc, contact_column(relation)) > 0 ? contact_column(relation) : "NULL",
					 quote_identifier(trigger->tg_trigger->tgnewtable));
	values[0] = CStringGetTextDatum(RelationGetRelationName(relation));
	values[1] = CStringGetTextDatum(actor);
	values[2] = CStringGetTextDatum(role);
	if (SPI_execute_plan(insert_plan(RelationGetRelid(relation), sql.data), values, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "writing the audit log failed");
}

PG_FUNCTION_INFO_V1(crm_audit);

Datum
crm_audit(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = crm_require_trigger(fcinfo, "crm.audit()");
	TriggerEvent event = trigger->tg_event;
	const char *actor;
	const char *role;
	CrmOwnerRights caller;

	if (!TRIGGER_FIRED_AFTER(event) || !TRIGGER_FIRED_FOR_ROW(event) || TRIGGER_FIRED_BY_INSERT(event))
	{
		crm_require_transition_tables(trigger, "crm.audit()");
		if (!crm_has_changes(trigger))
			return PointerGetDatum(NULL);
	}
	actor = crm_current_actor();
	role = GetUserNameFromId(GetUserId(), false);
	crm_become_owner(trigger->tg_relation, &caller);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (TRIGGER_FIRED_BY_INSERT(event))
		log_inserted(trigger, actor, role);
	else
		log_changed(trigger, actor, role);
	SPI_finish();
	crm_become_caller(&caller);
	return PointerGetDatum(NULL);
}
