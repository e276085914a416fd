/*
 * door_build.c
 *		Making the kept keys of all records of a model, and writing those of
 *		single ones.
 *
 * Each building has a number of its own, by which its keys are told from those
 * of others: what was built before is used until the transaction ends.
 */
#include "postgres.h"

#include <math.h>

#include "access/table.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "crm.h"
#include "history/change.h"
#include "match/door.h"

/* Rows that one statement writes. */
#define BATCH 20000

/* Records that the keys of a rule may give to compare with each; more say little. */
#define MOST_CANDIDATES_OF_RULE 12.0

/* What is left of the worth of a rule for each rule before it that has a field of its. */
#define SHARE_OF_USED_FIELD 0.6

PG_FUNCTION_INFO_V1(crm_door_sql_build);

typedef struct Entry
{
	uint32		key;
	uint32		record;
} Entry;

/* ---- which rules ---- */

/* The keys of a rule, sorted; of one key the records stay in their order. */
static Entry *
sorted_entries(const MatchRun *run, int rule_number, Size *count, Entry **memory)
{
	const CrmMatchRule *rule = &run->model.rule[rule_number];
	Size		n = 0;
	Entry	   *entries;
	Entry	   *other;

	for (uint32 i = 0; i < run->records.count; i++)
	{
		const uint32_t *key = crm_match_keys(&run->records, i) + rule->slot;

		for (int s = 0; s < rule->slots && key[s] != 0; s++)
			n++;
	}
	*count = n;
	*memory = entries = MemoryContextAllocHuge(CurrentMemoryContext, (2 * n + 1) * sizeof(Entry));
	other = entries + n;
	n = 0;
	for (uint32 i = 0; i < run->records.count; i++)
	{
		const uint32_t *key = crm_match_keys(&run->records, i) + rule->slot;

		for (int s = 0; s < rule->slots && key[s] != 0; s++)
			entries[n++] = (Entry) {key[s], i};
	}
	CHECK_FOR_INTERRUPTS();
	for (int shift = 0; shift < 32; shift += 8)
	{
		Size		start[257] = {0};
		Entry	   *swap = entries;

		for (Size i = 0; i < n; i++)
			start[(entries[i].key >> shift & 255) + 1]++;
		for (int i = 0; i < 256; i++)
			start[i + 1] += start[i];
		for (Size i = 0; i < n; i++)
			other[start[entries[i].key >> shift & 255]++] = entries[i];
		entries = other;
		other = swap;
		CHECK_FOR_INTERRUPTS();
	}
	return entries;
}

/* How many records a record is compared with by the keys of the rule, on average. */
static double
candidates_of_rule(const MatchRun *run, int rule)
{
	Size		count;
	Entry	   *memory;
	Entry	   *entries = sorted_entries(run, rule, &count, &memory);
	double		candidates = 0;

	for (Size start = 0; start < count;)
	{
		Size		end = start + 1;

		while (end < count && entries[end].key == entries[start].key)
			end++;
		if (end - start <= CRM_DOOR_HUB)
			candidates += (double) (end - start) * (end - start - 1);
		start = end;
	}
	pfree(memory);
	return run->records.count == 0 ? 0 : candidates / run->records.count;
}

static bool
is_identity_rule(const MatchRun *run, int rule)
{
	const CrmMatchRule *r = &run->model.rule[rule];
	const CrmMatchField *field = &run->model.field[r->part[0].field];

	return r->parts == 1 && r->part[0].aspect == CRM_ASPECT_FULL &&
		(field->comparator == CRM_MATCH_EMAIL || (field->comparator == CRM_MATCH_IDENTIFIER && !field->shared));
}

typedef struct Choice
{
	int			rule;
	bool		is_identity;
	double		worth;
} Choice;

/* What a rule is worth beside those that are chosen already: each field that it shares with them lessens it. */
static double
worth_beside(const MatchRun *run, const Choice *choice, const int *used)
{
	const CrmMatchRule *rule = &run->model.rule[choice->rule];
	double		worth = choice->worth + 1;

	if (choice->is_identity)
		return HUGE_VAL;
	for (int i = 0; i < rule->parts; i++)
		for (int n = 0; n < used[rule->part[i].field]; n++)
			worth *= SHARE_OF_USED_FIELD;
	return worth;
}

/*
 * The rules that bring most matches, most of all such as no other brings, and
 * by many fields, since a form may have any of them; among those that give few
 * records to compare with; identities in any case.
 */
static uint64
choose_rules(MatchRun *run)
{
	Oid			types[] = {TEXTOID, INT4OID};
	Datum		values[] = {CStringGetTextDatum(run->name), Int32GetDatum(run->version)};
	Choice		choice[CRM_MATCH_RULES];
	int			used[CRM_MATCH_FIELDS] = {0};
	int			count = 0;
	uint64		rules = 0;

	if (SPI_execute_with_args("SELECT rule, expected_matches + 4 * expected_alone FROM crm.match_rule_yield "
							  "WHERE model = $1 AND version = $2 ORDER BY rule", 2, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "reading the yield of rules failed");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		int			rule = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull)) - 1;
		Choice	   *c = &choice[count];

		if (rule < 0 || rule >= run->model.rules || count == CRM_MATCH_RULES || run->model.rule[rule].idle)
			continue;
		c->rule = rule;
		c->is_identity = is_identity_rule(run, rule);
		c->worth = DatumGetFloat8(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &isnull));
		if (c->is_identity || candidates_of_rule(run, rule) <= MOST_CANDIDATES_OF_RULE)
			count++;
	}
	SPI_freetuptable(SPI_tuptable);
	for (int chosen = 0; chosen < CRM_DOOR_RULES; chosen++)
	{
		int			best = -1;

		for (int i = 0; i < count; i++)
			if ((rules >> choice[i].rule & 1) == 0 &&
				(best < 0 || worth_beside(run, &choice[i], used) > worth_beside(run, &choice[best], used)))
				best = i;
		if (best < 0)
			break;
		rules |= UINT64_C(1) << choice[best].rule;
		for (int i = 0; i < run->model.rule[choice[best].rule].parts; i++)
			used[run->model.rule[choice[best].rule].part[i].field]++;
	}
	return rules;
}

/* ---- writing ---- */

/* Runs a statement about arrays by an index, whatever the statistics say. */
static void
execute(SPIPlanPtr *plan, const char *sql, int nargs, Oid *types, Datum *values)
{
	int			nest = NewGUCNestLevel();

	(void) set_config_option("enable_seqscan", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("enable_hashjoin", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("enable_mergejoin", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	crm_execute_kept(plan, sql, nargs, types, values, NULL);
	AtEOXact_GUC(true, nest);
}

/* Where all are new nobody need look whether they are there. */
static void
insert_keys(int door, Datum *keys, Datum *ids, int count, bool all_new)
{
	static SPIPlanPtr plan[2] = {NULL, NULL};
	Oid			types[] = {INT4OID, INT8ARRAYOID, TEXTARRAYOID};
	Datum		values[] = {Int32GetDatum(door), crm_make_array(keys, NULL, count, INT8OID), crm_make_array(ids, NULL, count, TEXTOID)};

	if (count > 0)
		execute(&plan[all_new], all_new ?
				"INSERT INTO crm.match_key (door, key, record_id) SELECT $1, u.key, u.id FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) AS u (key, id)" :
				"INSERT INTO crm.match_key (door, key, record_id) SELECT $1, u.key, u.id FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) AS u (key, id) "
				"ON CONFLICT ON CONSTRAINT match_key_pkey DO NOTHING", 3, types, values);
	pfree(DatumGetPointer(values[1]));
	pfree(DatumGetPointer(values[2]));
}

static void
delete_keys(int door, Datum *keys, Datum *ids, int count)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {INT4OID, INT8ARRAYOID, TEXTARRAYOID};
	Datum		values[] = {Int32GetDatum(door), crm_make_array(keys, NULL, count, INT8OID), crm_make_array(ids, NULL, count, TEXTOID)};

	if (count > 0)
		execute(&plan, "DELETE FROM crm.match_key m USING ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) AS u (key, id) "
				"WHERE m.door OPERATOR(pg_catalog.=) $1 AND m.key OPERATOR(pg_catalog.=) u.key AND m.record_id OPERATOR(pg_catalog.=) u.id",
				3, types, values);
	pfree(DatumGetPointer(values[1]));
	pfree(DatumGetPointer(values[2]));
}

static void
write_records(int door, Datum *ids, Datum *packed, int count, bool all_new)
{
	static SPIPlanPtr plan[2] = {NULL, NULL};
	Oid			types[] = {INT4OID, TEXTARRAYOID, BYTEAARRAYOID};
	Datum		values[] = {Int32GetDatum(door), crm_make_array(ids, NULL, count, TEXTOID), crm_make_array(packed, NULL, count, BYTEAOID)};

	if (count > 0)
		execute(&plan[all_new], all_new ?
				"INSERT INTO crm.match_record (door, record_id, keys) SELECT $1, u.id, u.keys FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) AS u (id, keys)" :
				"INSERT INTO crm.match_record AS r (door, record_id, keys) SELECT $1, u.id, u.keys FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) AS u (id, keys) "
				"ON CONFLICT ON CONSTRAINT match_record_pkey DO UPDATE SET keys = excluded.keys", 3, types, values);
	pfree(DatumGetPointer(values[1]));
	pfree(DatumGetPointer(values[2]));
}

static void
delete_records(int door, Datum *ids, int count)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {INT4OID, TEXTARRAYOID};
	Datum		values[] = {Int32GetDatum(door), crm_make_array(ids, NULL, count, TEXTOID)};

	if (count > 0)
		execute(&plan, "DELETE FROM crm.match_record r WHERE r.door OPERATOR(pg_catalog.=) $1 AND r.record_id OPERATOR(pg_catalog.=) ANY ($2)",
				2, types, values);
	pfree(DatumGetPointer(values[1]));
}

static Datum
pack_keys(const int64 *key, int count)
{
	bytea	   *packed = palloc(VARHDRSZ + count * 8);
	uint8	   *p = (uint8 *) VARDATA(packed);

	SET_VARSIZE(packed, VARHDRSZ + count * 8);
	for (int i = 0; i < count; i++)
		for (int b = 0; b < 8; b++)
			*p++ = (uint8) ((uint64) key[i] >> (8 * b));
	return PointerGetDatum(packed);
}

static int
unpack_keys(bytea *packed, int64 *key)
{
	const uint8 *p = (const uint8 *) VARDATA_ANY(packed);
	int			count = Min(VARSIZE_ANY_EXHDR(packed) / 8, CRM_MATCH_SLOTS);

	for (int i = 0; i < count; i++)
	{
		uint64		value = 0;

		for (int b = 0; b < 8; b++)
			value |= (uint64) *p++ << (8 * b);
		key[i] = (int64) value;
	}
	return count;
}

/* ---- single records ---- */

static bool
has_key(const int64 *key, int count, int64 wanted)
{
	for (int i = 0; i < count; i++)
		if (key[i] == wanted)
			return true;
	return false;
}

typedef struct Differences
{
	Datum	   *key;
	Datum	   *id;
	int			count;
	int			room;
} Differences;

static void
note_difference(Differences *differences, int64 key, Datum id)
{
	if (differences->count == differences->room)
	{
		differences->room = differences->room * 2 + 64;
		differences->key = differences->key == NULL ? palloc(differences->room * sizeof(Datum)) :
			repalloc(differences->key, differences->room * sizeof(Datum));
		differences->id = differences->id == NULL ? palloc(differences->room * sizeof(Datum)) :
			repalloc(differences->id, differences->room * sizeof(Datum));
	}
	differences->key[differences->count] = Int64GetDatum(key);
	differences->id[differences->count++] = id;
}

void
crm_door_write(const MatchDoor *door, CrmDoorRecord *record, int count)
{
	Relation	table = crm_door_table("match_key");
	CrmOwnerRights saved;
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {INT4OID, TEXTARRAYOID};
	Datum	   *ids = palloc((count + 1) * sizeof(Datum));
	Datum	   *changed = palloc((count + 1) * sizeof(Datum));
	Datum	   *packed = palloc((count + 1) * sizeof(Datum));
	Datum	   *gone = palloc((count + 1) * sizeof(Datum));
	bytea	  **old = palloc0((count + 1) * sizeof(bytea *));
	Differences added = {0};
	Differences removed = {0};
	int			changes = 0;
	int			gones = 0;
	Datum		values[2];

	crm_become_owner(table, &saved);
	for (int i = 0; i < count; i++)
		ids[i] = CStringGetTextDatum(record[i].id);
	values[0] = Int32GetDatum(door->number);
	values[1] = crm_make_array(ids, NULL, count, TEXTOID);
	execute(&plan, "SELECT u.place::pg_catalog.int4, r.keys FROM pg_catalog.unnest($2) WITH ORDINALITY AS u (id, place) "
			"JOIN crm.match_record r ON r.door OPERATOR(pg_catalog.=) $1 AND r.record_id OPERATOR(pg_catalog.=) u.id", 2, types, values);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		int			place = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));

		old[place - 1] = DatumGetByteaPCopy(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
	for (int i = 0; i < count; i++)
	{
		int64		key[CRM_MATCH_SLOTS];
		int64		old_key[CRM_MATCH_SLOTS];
		int			keys = record[i].feature == NULL ? 0 : crm_door_keys(door, record[i].feature, key);
		int			old_keys = old[i] == NULL ? 0 : unpack_keys(old[i], old_key);

		if (record[i].feature == NULL)
		{
			if (old[i] != NULL)
				gone[gones++] = ids[i];
		}
		else if (old[i] == NULL || keys != old_keys || memcmp(key, old_key, keys * sizeof(int64)) != 0)
		{
			packed[changes] = pack_keys(key, keys);
			changed[changes++] = ids[i];
		}
		for (int k = 0; k < keys; k++)
			if (!has_key(old_key, old_keys, key[k]))
			{
				note_difference(&added, key[k], ids[i]);
				record[i].added |= UINT64_C(1) << (key[k] >> 32);
			}
		for (int k = 0; k < old_keys; k++)
			if (!has_key(key, keys, old_key[k]))
				note_difference(&removed, old_key[k], ids[i]);
	}
	if (changes > 0)
		write_records(door->number, changed, packed, changes, false);
	if (gones > 0)
		delete_records(door->number, gone, gones);
	if (removed.count > 0)
		delete_keys(door->number, removed.key, removed.id, removed.count);
	if (added.count > 0)
		insert_keys(door->number, added.key, added.id, added.count, false);
	crm_become_caller(&saved);
	table_close(table, NoLock);
}

/* ---- all records ---- */

static void
load(MatchRun *run)
{
	MemoryContext old_context = MemoryContextSwitchTo(run->context);

	crm_match_read_frequencies(run);
	crm_match_read_aliases(run);
	run->unshared = true;
	crm_match_load(run, NULL);
	for (int r = 0; r < run->model.rules; r++)
		if (is_identity_rule(run, r))
			run->model.rule[r].idle = 0;
	for (uint32 i = 0; i < run->records.count; i++)
	{
		uint8_t    *feature = crm_match_feature(&run->records, i);

		crm_match_set_frequencies(&run->model, feature, &run->frequencies);
		crm_match_make_keys(&run->model, feature, crm_match_keys(&run->records, i));
		if ((i & 4095) == 0)
			CHECK_FOR_INTERRUPTS();
	}
	MemoryContextSwitchTo(old_context);
}

/*
 * Writes the keys of a rule in their order.  Of one that many have only so
 * many are written that it is seen.
 */
static int64
write_rule(MatchRun *run, int door, int rule)
{
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "crm match keys", ALLOCSET_DEFAULT_SIZES);
	Datum	   *keys = palloc(BATCH * sizeof(Datum));
	Datum	   *ids = palloc(BATCH * sizeof(Datum));
	Size		count;
	Entry	   *memory;
	Entry	   *entries = sorted_entries(run, rule, &count, &memory);
	MemoryContext old_context = MemoryContextSwitchTo(batch);
	int64		written = 0;
	int			of_key = 0;
	int			n = 0;

	for (Size i = 0; i < count; i++)
	{
		of_key = i > 0 && entries[i].key == entries[i - 1].key ? of_key + 1 : 1;
		if (of_key <= CRM_DOOR_HUB + 1)
		{
			keys[n] = Int64GetDatum((int64) rule << 32 | entries[i].key);
			ids[n++] = CStringGetTextDatum(crm_match_id(run, entries[i].record));
			written++;
		}
		if (n == BATCH || (i + 1 == count && n > 0))
		{
			insert_keys(door, keys, ids, n, true);
			n = 0;
			MemoryContextReset(batch);
			CHECK_FOR_INTERRUPTS();
		}
	}
	MemoryContextSwitchTo(old_context);
	MemoryContextDelete(batch);
	pfree(memory);
	pfree(keys);
	pfree(ids);
	return written;
}

static void
write_all_records(MatchRun *run, int door, uint64 rules)
{
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "crm match records", ALLOCSET_DEFAULT_SIZES);
	Datum	   *packed = palloc(BATCH * sizeof(Datum));
	Datum	   *ids = palloc(BATCH * sizeof(Datum));
	MemoryContext old_context = MemoryContextSwitchTo(batch);
	int			n = 0;

	for (uint32 i = 0; i < run->records.count; i++)
	{
		const uint32_t *slot = crm_match_keys(&run->records, i);
		int64		key[CRM_MATCH_SLOTS];
		int			keys = 0;

		for (int r = 0; r < run->model.rules; r++)
			if ((rules >> r & 1) != 0)
				for (int s = 0; s < run->model.rule[r].slots && slot[run->model.rule[r].slot + s] != 0; s++)
					key[keys++] = (int64) r << 32 | slot[run->model.rule[r].slot + s];
		ids[n] = CStringGetTextDatum(crm_match_id(run, i));
		packed[n++] = pack_keys(key, keys);
		if (n == BATCH || (i + 1 == run->records.count && n > 0))
		{
			write_records(door, ids, packed, n, true);
			n = 0;
			MemoryContextReset(batch);
			CHECK_FOR_INTERRUPTS();
		}
	}
	MemoryContextSwitchTo(old_context);
	MemoryContextDelete(batch);
	pfree(packed);
	pfree(ids);
}

static int
note_building(MatchRun *run, uint64 rules)
{
	Oid			types[] = {TEXTOID, INT4OID, INT4ARRAYOID, INT8OID};
	Datum		rule[CRM_MATCH_RULES];
	Datum		values[4];
	int			count = 0;
	bool		isnull;
	int			number;

	for (int r = 0; r < run->model.rules; r++)
		if ((rules >> r & 1) != 0)
			rule[count++] = Int32GetDatum(r + 1);
	values[0] = CStringGetTextDatum(run->name);
	values[1] = Int32GetDatum(run->version);
	values[2] = crm_make_array(rule, NULL, count, INT4OID);
	values[3] = Int64GetDatum(run->records.count);
	if (SPI_execute_with_args("INSERT INTO crm.match_door AS d (model, number, version, rules, records) "
							  "VALUES ($1, pg_catalog.nextval('crm.match_door_number_seq')::integer, $2, $3, $4) "
							  "ON CONFLICT ON CONSTRAINT match_door_pkey DO UPDATE SET number = excluded.number, version = excluded.version, "
							  "rules = excluded.rules, records = excluded.records, built_at = pg_catalog.now() RETURNING d.number",
							  4, types, values, NULL, false, 0) != SPI_OK_INSERT_RETURNING)
		elog(ERROR, "writing crm.match_door failed");
	number = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);

	return number;
}

static void
remove_old_keys(void)
{
	/* Keys of earlier buildings, also such as transactions wrote meanwhile. */
	if (SPI_execute("DELETE FROM crm.match_key k WHERE k.door OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT DISTINCT r.door FROM crm.match_record r "
					"WHERE NOT EXISTS (SELECT FROM crm.match_door d WHERE d.number OPERATOR(pg_catalog.=) r.door)))", false, 0) != SPI_OK_DELETE ||
		SPI_execute("DELETE FROM crm.match_record r WHERE NOT EXISTS (SELECT FROM crm.match_door d WHERE d.number OPERATOR(pg_catalog.=) r.door)",
					false, 0) != SPI_OK_DELETE)
		elog(ERROR, "removing old keys failed");
}

void
crm_door_see_all(void)
{
	(void) set_config_option("row_security", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* One building or sweep of a model at a time. */
void
crm_door_lock(const char *name, bool *taken)
{
	static SPIPlanPtr wait = NULL;
	static SPIPlanPtr try = NULL;
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(name)};
	bool		isnull;

	if (taken == NULL)
	{
		crm_execute_kept(&wait, "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('crm.match_door'), pg_catalog.hashtext($1))",
						 1, types, values, NULL);
		SPI_freetuptable(SPI_tuptable);
		return;
	}
	crm_execute_kept(&try, "SELECT pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtext('crm.match_door'), pg_catalog.hashtext($1))",
					 1, types, values, NULL);
	*taken = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);
}

int64
crm_door_build(const char *name)
{
	Relation	table;
	CrmOwnerRights saved;
	MatchRun   *run;
	uint64		rules;
	int			number;
	int			nest;
	int64		records;

	crm_door_lock(name, NULL);
	run = crm_match_open(name, true);
	nest = NewGUCNestLevel();
	crm_door_see_all();
	crm_match_set_styles(false);
	load(run);
	AtEOXact_GUC(true, nest);
	rules = choose_rules(run);
	number = note_building(run, rules);

	/* Who may note a building may have its keys written, which nobody else may. */
	table = crm_door_table("match_key");
	crm_become_owner(table, &saved);
	remove_old_keys();
	for (int r = 0; r < run->model.rules; r++)
		if ((rules >> r & 1) != 0)
			write_rule(run, number, r);
	write_all_records(run, number, rules);
	crm_become_caller(&saved);
	table_close(table, NoLock);
	records = run->records.count;
	MemoryContextDelete(run->context);
	return records;
}

/* crm.build_match_keys(model) */
Datum
crm_door_sql_build(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int64		records;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	records = crm_door_build(name);
	SPI_finish();
	PG_RETURN_INT64(records);
}
