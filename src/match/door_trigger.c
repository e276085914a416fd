/*
 * door_trigger.c
 *		Keeping keys current, and acting on duplicates that come in.
 *
 * The trigger of a statement that changes few records writes their keys and
 * acts by the policy of the model; one that changes many only puts their
 * numbers into crm.match_queue.  All changes are put there: two transactions
 * do not see each other's records, but the sweep that comes after both does.
 *
 * A sweep takes what transactions have queued that ended before the oldest
 * one that still runs, so that it sees the records of all of these.  Of two
 * that ran at once, the one with the higher number is looked at when the other
 * has ended, and the pair is found then at the latest.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/typcache.h"

#include "crm.h"
#include "history/change.h"
#include "match/door.h"

/* A statement that changes more records leaves them to the sweep. */
#define MOST_AT_ONCE 100

/* Records in a row of crm.match_queue. */
#define QUEUED_TOGETHER 1000

PG_FUNCTION_INFO_V1(crm_door_sql_trigger);
PG_FUNCTION_INFO_V1(crm_door_sql_tick);

/* ---- records that are read ---- */

typedef struct Records
{
	MemoryContext context;
	int			size;			/* of a feature */
	CrmDoorRecord *record;
	int			count;
	int			room;
} Records;

static void
take_record(const char *id, uint8_t *feature, void *argument)
{
	Records    *records = argument;
	MemoryContext old_context = MemoryContextSwitchTo(records->context);
	CrmDoorRecord *record;

	if (records->count == records->room)
	{
		records->room = records->room * 2 + 16;
		records->record = records->record == NULL ? palloc(records->room * sizeof(CrmDoorRecord)) :
			repalloc(records->record, records->room * sizeof(CrmDoorRecord));
	}
	record = &records->record[records->count++];
	record->id = pstrdup(id);
	record->added = 0;
	record->feature = palloc(records->size);
	memcpy(record->feature, feature, records->size);
	MemoryContextSwitchTo(old_context);
}

static int
compare_ids(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

static int
compare_records(const void *a, const void *b)
{
	return strcmp(((const CrmDoorRecord *) a)->id, ((const CrmDoorRecord *) b)->id);
}

/* Sorts ids, keeps each once; returns how many. */
static int
sort_ids(char **id, int count)
{
	int			kept = 0;

	qsort(id, count, sizeof(char *), compare_ids);
	for (int i = 0; i < count; i++)
		if (kept == 0 || strcmp(id[kept - 1], id[i]) != 0)
			id[kept++] = id[i];
	return kept;
}

static ArrayType *
array_of_ids(char **id, int count)
{
	Datum	   *values = palloc((count + 1) * sizeof(Datum));

	for (int i = 0; i < count; i++)
		values[i] = CStringGetTextDatum(id[i]);
	return DatumGetArrayTypeP(crm_make_array(values, NULL, count, TEXTOID));
}

/*
 * Reads the records of sorted ids.  After those that there are come those that
 * are no more, without a feature; returns how many there are.
 */
static int
read_ids(MatchDoor *door, char **id, int count, Records *records)
{
	int			living;

	records->context = CurrentMemoryContext;
	records->size = door->run->model.feature_size;
	records->count = 0;
	crm_door_read(door, array_of_ids(id, count), take_record, records);
	living = records->count;
	if (living > 1)
		qsort(records->record, living, sizeof(CrmDoorRecord), compare_records);
	records->record = records->record == NULL ? palloc((count + 1) * sizeof(CrmDoorRecord)) :
		repalloc(records->record, (living + count + 1) * sizeof(CrmDoorRecord));
	for (int i = 0, at = 0; i < count; i++)
	{
		while (at < living && strcmp(records->record[at].id, id[i]) < 0)
			at++;
		if (at == living || strcmp(records->record[at].id, id[i]) != 0)
			records->record[records->count++] = (CrmDoorRecord) {id[i], NULL, 0};
	}
	return living;
}

/* ---- pairs ---- */

typedef struct Pairs
{
	Datum	   *left;
	Datum	   *right;
	Datum	   *weight;
	int			count;
	int			room;
} Pairs;

static void
add_pairs(Pairs *pairs, const char *id, const MatchFinds *finds)
{
	for (int i = 0; i < finds->count; i++)
	{
		Datum		self = CStringGetTextDatum(id);
		Datum		other = CStringGetTextDatum(finds->found[i].id);

		if (pairs->count == pairs->room)
		{
			Size		size = (pairs->room = pairs->room * 2 + 64) * sizeof(Datum);

			pairs->left = pairs->left == NULL ? palloc(size) : repalloc(pairs->left, size);
			pairs->right = pairs->right == NULL ? palloc(size) : repalloc(pairs->right, size);
			pairs->weight = pairs->weight == NULL ? palloc(size) : repalloc(pairs->weight, size);
		}
		pairs->left[pairs->count] = finds->found[i].is_before ? other : self;
		pairs->right[pairs->count] = finds->found[i].is_before ? self : other;
		pairs->weight[pairs->count++] = Float8GetDatum(finds->found[i].weight);
	}
}

/*
 * Returns how many are new.  Of the records looked at, unless NULL, other pairs
 * hold no longer.
 */
static int64
store_pairs(const MatchDoor *door, const Pairs *pairs, ArrayType *looked_at)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {TEXTOID, TEXTARRAYOID, TEXTARRAYOID, FLOAT8ARRAYOID, TEXTARRAYOID};
	Datum		values[5];
	bool		isnull;
	int64		stored;

	if (pairs->count == 0 && looked_at == NULL)
		return 0;
	values[0] = CStringGetTextDatum(door->name);
	values[1] = crm_make_array(pairs->left, NULL, pairs->count, TEXTOID);
	values[2] = crm_make_array(pairs->right, NULL, pairs->count, TEXTOID);
	values[3] = crm_make_array(pairs->weight, NULL, pairs->count, FLOAT8OID);
	values[4] = PointerGetDatum(looked_at);
	crm_execute_kept(&plan, "SELECT crm.note_match_pairs($1, $2, $3, $4, $5)", 5, types, values, looked_at == NULL ? "    n" : NULL);
	stored = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
	return stored;
}

/* ---- policies ---- */

/* "contact 7 is a duplicate of contact 3": of a table of others the rows are records. */
static char *
told(const MatchDoor *door, const char *id, const char *what, const char *other)
{
	return door->entity != NULL ? psprintf("%s %s %s of %s %s", door->entity, id, what, door->entity, other)
		: psprintf("record %s of %s %s of record %s", id, door->run->relation, what, other);
}

static void
warn(const MatchDoor *door, const char *id, const MatchFinds *finds)
{
	if (finds->count == 0 || finds->found[0].weight < door->run->threshold)
		return;
	ereport(WARNING,
			(errmsg("%s", told(door, id, "is probably a duplicate", finds->found[0].id)),
			 errdetail("The probability is %.4f.", crm_match_probability(finds->found[0].weight)),
			 errhint("crm.find_duplicates(%s, ...) explains it.", quote_literal_cstr(door->name))));
}

/* Clients know the error by its constraint, the trigger. */
static void
refuse(const MatchDoor *door, const TriggerData *trigger, const char *id, const MatchFinds *finds)
{
	for (int i = 0; i < finds->count; i++)
		if (crm_door_is_identity(door, finds->found[i].pattern))
			ereport(ERROR,
					(errcode(ERRCODE_UNIQUE_VIOLATION),
					 errmsg("%s", told(door, id, "is a duplicate", finds->found[i].id)),
					 errdetail("An identity is the same: a document or tax number, or an e-mail address and the name."),
					 errhint("Change %s %s instead; or let such records in by SELECT crm.guard_duplicates(%s, 'warn', ...).",
							 door->entity != NULL ? door->entity : "record", finds->found[i].id, quote_literal_cstr(door->name)),
					 errtableconstraint(trigger->tg_relation, trigger->tg_trigger->tgname)));
}

static int
compare_numbers(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

/*
 * Waits until nobody else enters a record of one of these identities: then it
 * is there, or not.  In the order of the numbers, lest two wait for each other.
 */
static void
lock_identities(const MatchDoor *door, const Records *records, int living)
{
	int64	   *lock = palloc((living + 1) * CRM_MATCH_SLOTS * sizeof(int64));
	int			count = 0;

	for (int i = 0; i < living; i++)
	{
		int64		key[CRM_MATCH_SLOTS];
		int			keys = crm_door_keys(door, records->record[i].feature, key);

		for (int k = 0; k < keys; k++)
			if ((door->identities >> (key[k] >> 32) & 1) != 0)
				lock[count++] = (int64) crm_match_mix(crm_match_hash(door->name, strlen(door->name), 31), (uint64) key[k]);
	}
	qsort(lock, count, sizeof(int64), compare_numbers);
	for (int i = 0; i < count; i++)
		if (i == 0 || lock[i] != lock[i - 1])
			DirectFunctionCall1(pg_advisory_xact_lock_int8, Int64GetDatum(lock[i]));
}

/* ---- the trigger ---- */

static void
queue_ids(const char *model, char **id, int count)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {TEXTOID, TEXTARRAYOID};
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "crm match queue", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(batch);

	for (int i = 0; i < count; i += QUEUED_TOGETHER)
	{
		Datum		values[] = {CStringGetTextDatum(model), PointerGetDatum(array_of_ids(id + i, Min(QUEUED_TOGETHER, count - i)))};

		crm_execute_kept(&plan, "INSERT INTO crm.match_queue (model, record_ids) SELECT d.model, $2 FROM crm.match_door d WHERE d.model = $1", 2, types, values, NULL);
		MemoryContextReset(batch);
	}
	MemoryContextSwitchTo(old_context);
	MemoryContextDelete(batch);
}

/* All records of the model: its table, or one of those that it is made of, is empty. */
static void
queue_all(const char *model)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {TEXTOID, INT4OID};
	Datum		values[] = {CStringGetTextDatum(model), Int32GetDatum(QUEUED_TOGETHER)};

	crm_execute_kept(&plan, "INSERT INTO crm.match_queue (model, record_ids) SELECT $1, pg_catalog.array_agg(n.record_id) "
					 "FROM (SELECT r.record_id, pg_catalog.row_number() OVER () / $2 AS part FROM crm.match_record r "
					 "JOIN crm.match_door d ON d.number = r.door WHERE d.model = $1) n GROUP BY n.part", 2, types, values, NULL);
}

/* The columns of the number, and how they are written. */
typedef struct IdColumns
{
	int			count;
	int			attnum[CRM_MATCH_FIELDS];
	FmgrInfo	output;			/* of the only one, or of a row of them */
	TupleDesc	desc;			/* of that row */
	bool		is_padded;
} IdColumns;

static void
find_id_columns(TriggerData *trigger, IdColumns *columns)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	Oid			output;
	bool		is_varlena;

	columns->count = Min(trigger->tg_trigger->tgnargs - 1, CRM_MATCH_FIELDS);
	for (int i = 0; i < columns->count; i++)
	{
		columns->attnum[i] = SPI_fnumber(desc, trigger->tg_trigger->tgargs[i + 1]);
		if (columns->attnum[i] <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("table %s has no column \"%s\"", SPI_getrelname(trigger->tg_relation), trigger->tg_trigger->tgargs[i + 1]),
					 errhint("Was it renamed? Call crm.guard_duplicates() again.")));
	}
	if (columns->count == 1)
	{
		Oid			type = getBaseType(TupleDescAttr(desc, columns->attnum[0] - 1)->atttypid);

		getTypeOutputInfo(type, &output, &is_varlena);
		columns->is_padded = type == BPCHAROID;
	}
	else
	{
		columns->desc = CreateTemplateTupleDesc(columns->count);
		for (int i = 0; i < columns->count; i++)
		{
			Form_pg_attribute column = TupleDescAttr(desc, columns->attnum[i] - 1);

			TupleDescInitEntry(columns->desc, i + 1, NULL, column->atttypid, column->atttypmod, 0);
		}
		columns->desc = BlessTupleDesc(columns->desc);
		getTypeOutputInfo(RECORDOID, &output, &is_varlena);
	}
	fmgr_info(output, &columns->output);
}

/* The number of a row as text; NULL when it has none. */
static char *
id_of_row(IdColumns *columns, HeapTuple row, TupleDesc desc)
{
	Datum		values[CRM_MATCH_FIELDS];
	bool		nulls[CRM_MATCH_FIELDS];
	char	   *id;

	for (int i = 0; i < columns->count; i++)
		values[i] = heap_getattr(row, columns->attnum[i], desc, &nulls[i]);
	if (columns->count > 1)
		return OutputFunctionCall(&columns->output, HeapTupleGetDatum(heap_form_tuple(columns->desc, values, nulls)));
	if (nulls[0])
		return NULL;
	id = OutputFunctionCall(&columns->output, values[0]);
	if (columns->is_padded)
		for (int length = strlen(id); length > 0 && id[length - 1] == ' ';)
			id[--length] = '\0';
	return id;
}

/* The numbers of the rows of the statement, sorted, each once. */
static char **
changed_ids(TriggerData *trigger, int *count)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	MemoryContext ids = CurrentMemoryContext;
	MemoryContext row = AllocSetContextCreate(CurrentMemoryContext, "crm match row", ALLOCSET_DEFAULT_SIZES);
	IdColumns	columns = {0};
	CrmChangeReader reader;
	HeapTuple	versions[2];
	char	  **id;
	int			room = 1024;
	int			n = 0;
	int			nest = NewGUCNestLevel();

	crm_match_set_styles(false);
	find_id_columns(trigger, &columns);
	id = palloc(room * sizeof(char *));
	crm_open_changes(&reader, trigger);
	MemoryContextSwitchTo(row);
	while (crm_read_change(&reader, &versions[0], &versions[1]))
	{
		for (int i = 0; i < 2; i++)
		{
			char	   *one = versions[i] == NULL ? NULL : id_of_row(&columns, versions[i], desc);

			if (one == NULL)
				continue;
			MemoryContextSwitchTo(ids);
			if (n == room)
				id = repalloc_huge(id, (Size) (room *= 2) * sizeof(char *));
			if (i == 0 || versions[0] == NULL || n == 0 || strcmp(id[n - 1], one) != 0)
				id[n++] = pstrdup(one);
			MemoryContextSwitchTo(row);
		}
		MemoryContextReset(row);
		if ((n & 4095) == 0)
			CHECK_FOR_INTERRUPTS();
	}
	MemoryContextSwitchTo(ids);
	crm_close_changes(&reader);
	MemoryContextDelete(row);
	AtEOXact_GUC(true, nest);
	*count = n <= MOST_AT_ONCE * 4 ? sort_ids(id, n) : n;
	return id;
}

/*
 * The expressions of the model run with the rights of the owner of the table
 * and look for names where they did when the trigger was made.
 */
static pg_noinline void
act(MatchDoor *door, TriggerData *trigger, char **id, int count)
{
	Relation	keys = crm_door_table("match_key");
	CrmOwnerRights saved;
	Records		records = {0};
	Pairs		pairs = {0};
	MatchFinds	finds = {0};
	bool		is_removal = TRIGGER_FIRED_BY_DELETE(trigger->tg_event);
	bool		blocks = strcmp(door->policy, "block") == 0;
	int			nest = NewGUCNestLevel();
	int			living;

	if (door->search_path != NULL)
		(void) set_config_option("search_path", door->search_path, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	crm_become_owner(trigger->tg_relation, &saved);
	living = read_ids(door, id, count, &records);
	crm_become_caller(&saved);
	PopActiveSnapshot();

	crm_door_write(door, records.record, records.count);
	/* What merging and its undoing write was there before; the sweep looks at it. */
	if (!is_removal && crm_merge_mode() == CRM_MERGE_OFF)
	{
		if (blocks)
			lock_identities(door, &records, living);
		CommandCounterIncrement();
		/* What others entered while we waited counts, whatever we see otherwise. */
		PushActiveSnapshot(blocks ? GetLatestSnapshot() : GetTransactionSnapshot());
		crm_become_owner(trigger->tg_relation, &saved);
		for (int i = 0; i < living; i++)
		{
			const char *one = records.record[i].id;

			/* A duplicate that is there already may be edited. */
			if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) &&
				(records.record[i].added & (blocks ? door->identities : UINT64_MAX)) == 0)
				continue;
			crm_door_find(door, records.record[i].feature, one, blocks ? -1000 : door->review, GetActiveSnapshot(), &finds);
			if (blocks)
				refuse(door, trigger, one, &finds);
			else if (strcmp(door->policy, "warn") == 0)
				warn(door, one, &finds);
			else
				add_pairs(&pairs, one, &finds);
		}
		crm_become_caller(&saved);
		PopActiveSnapshot();
	}
	AtEOXact_GUC(true, nest);
	crm_become_owner(keys, &saved);
	store_pairs(door, &pairs, NULL);
	crm_become_caller(&saved);
	table_close(keys, NoLock);
}

static pg_noinline void
act_and_close(MatchDoor *door, TriggerData *trigger, char **id, int count)
{
	PG_TRY();
	{
		if (door->run == NULL)
			ereport(WARNING,
					(errmsg("duplicates are not looked for: match model \"%s\" has no keys of its present version", door->name),
					 errhint("Run SELECT crm.build_match_keys(%s), or wait until crm.dedup_tick() does.", quote_literal_cstr(door->name))));
		else if (strcmp(door->policy, "off") != 0)
			act(door, trigger, id, count);
	}
	PG_CATCH();
	{
		crm_door_close(door);
		PG_RE_THROW();
	}
	PG_END_TRY();
	crm_door_close(door);
}

/*
 * Anybody may attach the trigger to a table of their own, and pg_restore has
 * to; keys are written for the tables of those only who may queue records.
 */
static void
check_owner(Relation table)
{
	Oid			queue = get_relname_relid("match_queue", get_namespace_oid("crm", false));
	Oid			owner = RelationGetForm(table)->relowner;

	if (OidIsValid(queue) && pg_class_aclcheck(queue, owner, ACL_INSERT) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("the owner of table %s may not write crm.match_queue", RelationGetRelationName(table)),
				 errhint("GRANT INSERT ON crm.match_queue TO %s; or drop the trigger.",
						 quote_identifier(GetUserNameFromId(owner, false)))));
}

/* crm.match_door(model, column, ...) */
Datum
crm_door_sql_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = crm_require_trigger(fcinfo, "crm.match_door()");
	bool		is_truncated = TRIGGER_FIRED_BY_TRUNCATE(trigger->tg_event);
	const char *model;
	Relation	keys;
	CrmOwnerRights saved;
	MatchDoor  *door;
	char	  **id;
	int			count;

	if (!is_truncated)
		crm_require_transition_tables(trigger, "crm.match_door()");
	if (trigger->tg_trigger->tgnargs < 2)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("crm.match_door() needs the name of a match model and the columns of the number"),
				 errhint("crm.guard_duplicates() makes the triggers.")));
	if (!is_truncated && !crm_has_changes(trigger))
		PG_RETURN_POINTER(NULL);
	model = trigger->tg_trigger->tgargs[0];
	check_owner(trigger->tg_relation);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	id = is_truncated ? NULL : changed_ids(trigger, &count);
	keys = crm_door_table("match_key");
	crm_become_owner(keys, &saved);
	if (is_truncated)
		queue_all(model);
	else
		queue_ids(model, id, count);
	crm_become_caller(&saved);
	table_close(keys, NoLock);
	if (!is_truncated && count <= MOST_AT_ONCE && (door = crm_door_open(model)) != NULL)
		act_and_close(door, trigger, id, count);
	SPI_finish();
	PG_RETURN_POINTER(NULL);
}

/* ---- the sweep ---- */

/* Takes records from the queue whose transactions, and all before them, have ended. */
static pg_noinline char **
take_queued(const char *model, int most, int *count)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {TEXTOID, INT8OID};
	Datum		values[] = {CStringGetTextDatum(model), Int64GetDatum(most)};
	char	  **id;

	/* Numbers above all that the server has given come from another server. */
	crm_execute_kept(&plan, "WITH ready AS (SELECT q.number, pg_catalog.sum(pg_catalog.cardinality(q.record_ids)) OVER (ORDER BY q.number) "
					 "- pg_catalog.cardinality(q.record_ids) AS before FROM crm.match_queue q, pg_catalog.pg_current_snapshot() AS s "
					 "WHERE q.model = $1 AND (q.xid < pg_catalog.pg_snapshot_xmin(s) OR q.xid >= pg_catalog.pg_snapshot_xmax(s) "
					 "AND q.xid IS DISTINCT FROM pg_catalog.pg_current_xact_id_if_assigned())), "
					 "taken AS (DELETE FROM crm.match_queue q USING ready r WHERE q.number = r.number AND r.before < $2 RETURNING q.record_ids) "
					 "SELECT DISTINCT i.id FROM taken t, pg_catalog.unnest(t.record_ids) AS i (id)", 2, types, values, NULL);
	*count = (int) SPI_processed;
	id = palloc((*count + 1) * sizeof(char *));
	for (int i = 0; i < *count; i++)
		id[i] = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
	SPI_freetuptable(SPI_tuptable);
	*count = sort_ids(id, *count);
	return id;
}

/* A pair that waits for a decision: a record that is looked at, and the other one. */
typedef struct Partner
{
	const char *id;
	const char *other;
} Partner;

static int
compare_partners(const void *a, const void *b)
{
	return strcmp(((const Partner *) a)->id, ((const Partner *) b)->id);
}

/* The pairs of sorted ids that wait for a decision, by these. */
static Partner *
waiting_partners(const MatchDoor *door, ArrayType *ids, int *count)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {TEXTOID, TEXTARRAYOID};
	Datum		values[] = {CStringGetTextDatum(door->name), PointerGetDatum(ids)};
	Partner    *partners;

	crm_execute_kept(&plan, "SELECT p.left_id, p.right_id FROM crm.match_pair p WHERE p.model = $1 AND p.left_id = ANY ($2) AND p.status = 'new' "
					 "UNION ALL SELECT p.right_id, p.left_id FROM crm.match_pair p WHERE p.model = $1 AND p.right_id = ANY ($2) AND p.status = 'new'",
					 2, types, values, NULL);
	*count = (int) SPI_processed;
	partners = palloc((*count + 1) * sizeof(Partner));
	for (int i = 0; i < *count; i++)
		partners[i] = (Partner) {SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1),
			SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2)};
	SPI_freetuptable(SPI_tuptable);
	qsort(partners, *count, sizeof(Partner), compare_partners);
	return partners;
}

/* Whether a pair still holds its keys do not say: another rule may have brought it. */
static void
compare_partners_of(MatchDoor *door, const CrmDoorRecord *record, const Partner *partner, int count,
					const MatchFinds *found, MatchFinds *finds)
{
	Datum	   *ids = palloc((count + 1) * sizeof(Datum));
	int			n = 0;

	for (int i = 0; i < count; i++)
	{
		bool		is_found = false;

		for (int f = 0; f < found->count && !is_found; f++)
			is_found = strcmp(found->found[f].id, partner[i].other) == 0;
		if (!is_found)
			ids[n++] = CStringGetTextDatum(partner[i].other);
	}
	crm_door_compare(door, record->feature, record->id, door->review, ids, n, finds);
}

static pg_noinline void
sweep(MatchDoor *door, char **id, int count, int64 *pairs_found)
{
	MemoryContext one = AllocSetContextCreate(CurrentMemoryContext, "crm match record", ALLOCSET_DEFAULT_SIZES);
	Records		records = {0};
	Pairs		pairs = {0};
	ArrayType  *ids = array_of_ids(id, count);
	Partner    *partner;
	int			partners;
	int			at = 0;
	int			nest = NewGUCNestLevel();
	int			living;

	partner = waiting_partners(door, ids, &partners);
	if (door->search_path != NULL)
		(void) set_config_option("search_path", door->search_path, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	crm_door_see_all();
	PushActiveSnapshot(GetTransactionSnapshot());
	living = read_ids(door, id, count, &records);
	PopActiveSnapshot();
	crm_door_write(door, records.record, records.count);
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	for (int i = 0; i < living; i++)
	{
		MemoryContext old_context = MemoryContextSwitchTo(one);
		MatchFinds	finds = {0};
		MatchFinds	known = {0};
		int			first;

		crm_door_find(door, records.record[i].feature, records.record[i].id, door->review, GetActiveSnapshot(), &finds);
		while (at < partners && strcmp(partner[at].id, records.record[i].id) < 0)
			at++;
		for (first = at; at < partners && strcmp(partner[at].id, records.record[i].id) == 0;)
			at++;
		compare_partners_of(door, &records.record[i], partner + first, at - first, &finds, &known);
		MemoryContextSwitchTo(old_context);
		add_pairs(&pairs, records.record[i].id, &finds);
		add_pairs(&pairs, records.record[i].id, &known);
		MemoryContextReset(one);
		CHECK_FOR_INTERRUPTS();
	}
	PopActiveSnapshot();
	AtEOXact_GUC(true, nest);
	*pairs_found += store_pairs(door, &pairs, ids);
	MemoryContextDelete(one);
}

static pg_noinline void
sweep_and_close(MatchDoor *door, int most, int64 *records, int64 *pairs)
{
	PG_TRY();
	{
		if (door->run != NULL)
		{
			int			count;
			char	  **id = take_queued(door->name, most, &count);

			if (count > 0)
				sweep(door, id, count, pairs);
			*records = count;
		}
	}
	PG_CATCH();
	{
		crm_door_close(door);
		PG_RE_THROW();
	}
	PG_END_TRY();
	crm_door_close(door);
}

/* crm.dedup_tick(model, batch_limit): what is done for one model. */
Datum
crm_door_sql_tick(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int			most = PG_GETARG_INT32(1);
	int64		records = 0;
	int64		pairs = 0;
	TupleDesc	desc;
	Datum		values[2];
	bool		nulls[2] = {0};
	bool		taken;
	MatchDoor  *door = NULL;

	if (most < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("batch_limit must be positive, not %d", most)));
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("a sweep needs the isolation level READ COMMITTED"),
				 errdetail("It must see what others have committed when its turn has come.")));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	crm_door_lock(name, &taken);
	if (taken)
		door = crm_door_open(name);
	if (door != NULL && door->number != 0 && door->run == NULL)
	{
		int			nest = NewGUCNestLevel();

		if (door->search_path != NULL)
			(void) set_config_option("search_path", door->search_path, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		crm_door_close(door);
		crm_door_build(name);
		AtEOXact_GUC(true, nest);
		door = crm_door_open(name);
	}
	if (door != NULL)
		sweep_and_close(door, most, &records, &pairs);
	SPI_finish();
	values[0] = Int64GetDatum(records);
	values[1] = Int64GetDatum(pairs);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}
