/*
 * door.c
 *		Looking for the duplicates of one record by kept keys.
 *
 * What a lookup needs of a model, some megabytes of frequencies among it, is
 * kept by the backend until a row of the model changes.
 */
#include "postgres.h"

#include <math.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/objectaddress.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "crm.h"
#include "history/change.h"
#include "match/door.h"

/* Doors that a backend keeps. */
#define KEPT_DOORS 8

/* Records that are compared, those with the rarest keys. */
#define MOST_CANDIDATES 200

/* Levels of a person up to which two names do not contradict each other. */
#define LAST_COMPATIBLE_NAME 7

PG_FUNCTION_INFO_V1(crm_door_sql_find);
PG_FUNCTION_INFO_V1(crm_door_sql_find_text);

static MatchDoor *doors[KEPT_DOORS];
static uint64 clock_of_doors;

/* ---- doors that are kept ---- */

Relation
crm_door_table(const char *name)
{
	Oid			schema = get_namespace_oid("crm", false);
	Oid			relation = get_relname_relid(name, schema);

	if (!OidIsValid(relation))
		crm_match_refuse_without(name);
	return table_open(relation, AccessShareLock);
}

static void
free_door(int i)
{
	MatchDoor  *door = doors[i];

	doors[i] = NULL;
	if (door->by_id != NULL)
		SPI_freeplan(door->by_id);
	if (door->by_object != NULL)
		SPI_freeplan(door->by_object);
	MemoryContextDelete(GetMemoryChunkContext(door));
}

/* Which rules give keys: identities are among them even where others bring their matches. */
static void
choose_rules(MatchDoor *door, ArrayType *rules)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	deconstruct_array(rules, INT4OID, sizeof(int32), true, TYPALIGN_INT, &elements, &nulls, &count);
	for (int i = 0; i < count; i++)
		if (!nulls[i] && DatumGetInt32(elements[i]) >= 1 && DatumGetInt32(elements[i]) <= door->run->model.rules)
			door->rules |= UINT64_C(1) << (DatumGetInt32(elements[i]) - 1);
	for (int r = 0; r < door->run->model.rules; r++)
	{
		CrmMatchRule *rule = &door->run->model.rule[r];
		const CrmMatchField *field = &door->run->model.field[rule->part[0].field];

		rule->idle = (door->rules >> r & 1) == 0;
		if (!rule->idle && rule->parts == 1 && rule->part[0].aspect == CRM_ASPECT_FULL &&
			(field->comparator == CRM_MATCH_EMAIL || (field->comparator == CRM_MATCH_IDENTIFIER && !field->shared)))
			door->identities |= UINT64_C(1) << r;
	}
}

static MatchDoor *
make_door(const char *name, const char *stamp, HeapTuple row, TupleDesc desc)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "crm match door", ALLOCSET_SMALL_SIZES);
	MemoryContext old_context = MemoryContextSwitchTo(context);
	MatchDoor  *door = palloc0(sizeof(MatchDoor));
	bool		isnull;
	Datum		value;

	door->name = pstrdup(name);
	door->stamp = pstrdup(stamp);
	value = SPI_getbinval(row, desc, 2, &isnull);
	door->number = isnull ? 0 : DatumGetInt32(value);
	door->is_current = DatumGetBool(SPI_getbinval(row, desc, 3, &isnull));
	door->policy = SPI_getvalue(row, desc, 5);
	door->review = DatumGetFloat8(SPI_getbinval(row, desc, 6, &isnull));
	door->entity = SPI_getvalue(row, desc, 7);
	door->search_path = SPI_getvalue(row, desc, 8);

	/* SPI_getvalue() allocates where we are. */
	if (door->number != 0 && door->is_current)
	{
		value = SPI_getbinval(row, desc, 4, &isnull);
		value = PointerGetDatum(DatumGetArrayTypePCopy(value));
		door->run = crm_match_open(name, true);
		/* What is read on the way, some megabytes, does not stay. */
		MemoryContextSwitchTo(old_context);
		crm_match_read_frequencies(door->run);
		crm_match_read_aliases(door->run);
		MemoryContextSwitchTo(context);
		choose_rules(door, DatumGetArrayTypeP(value));
	}
	MemoryContextSwitchTo(old_context);
	MemoryContextSetParent(context, TopMemoryContext);
	return door;
}

static MatchDoor *
find_door(const char *name)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(name)};
	SPITupleTable *table;
	MatchDoor  *door = NULL;
	int			place = 0;
	char	   *stamp;

	crm_execute_kept(&plan, "SELECT pg_catalog.concat_ws(' ', m.ctid, m.xmin, d.ctid, d.xmin, "
					 "(SELECT pg_catalog.string_agg(pg_catalog.concat(f.ctid, f.xmin), '' ORDER BY f.position) FROM crm.match_field f WHERE f.model = m.name)), "
					 "d.number, coalesce(d.version = m.version AND v.key_version = crm.match_key_version(), false), d.rules, "
					 "m.at_the_door, m.review_threshold, m.entity, d.search_path "
					 "FROM crm.match_model m LEFT JOIN crm.match_door d ON d.model = m.name "
					 "LEFT JOIN crm.match_version v ON v.model = m.name AND v.version = m.version WHERE m.name = $1",
					 1, types, values, NULL);
	table = SPI_tuptable;
	if (SPI_processed == 0)
	{
		SPI_freetuptable(table);
		return NULL;
	}
	stamp = SPI_getvalue(table->vals[0], table->tupdesc, 1);
	for (int i = 0; i < KEPT_DOORS; i++)
		if (doors[i] != NULL && strcmp(doors[i]->name, name) == 0)
		{
			if (strcmp(doors[i]->stamp, stamp) == 0)
				door = doors[i];
			else if (doors[i]->users == 0)
				free_door(i);
			else
				doors[i] = NULL;	/* somebody is in it: it stays in memory */
		}
	if (door == NULL)
	{
		door = make_door(name, stamp, table->vals[0], table->tupdesc);
		for (int i = 0; i < KEPT_DOORS; i++)
		{
			if (doors[i] == NULL)
			{
				place = i;
				break;
			}
			if (doors[i]->used < doors[place]->used)
				place = i;
		}
		if (doors[place] != NULL && doors[place]->users == 0)
			free_door(place);
		doors[place] = door;
	}
	SPI_freetuptable(table);
	pfree(stamp);
	return door;
}

/*
 * Models are read with the rights of their owner: a form may look for the
 * duplicates of a record in a table without a right to the parameters.
 */
MatchDoor *
crm_door_open(const char *name)
{
	Relation	relation = crm_door_table("match_model");
	CrmOwnerRights saved;
	MatchDoor  *door;

	crm_become_owner(relation, &saved);
	door = find_door(name);
	crm_become_caller(&saved);
	table_close(relation, NoLock);
	if (door != NULL)
	{
		door->users++;
		door->used = ++clock_of_doors;
	}
	return door;
}

void
crm_door_close(MatchDoor *door)
{
	door->users--;
}

/* ---- keys ---- */

int
crm_door_keys(const MatchDoor *door, const uint8_t *feature, int64 *key)
{
	const CrmMatchModel *model = &door->run->model;
	uint32_t	slot[CRM_MATCH_SLOTS];
	int			count = 0;

	crm_match_make_keys(model, feature, slot);
	for (int r = 0; r < model->rules; r++)
		if ((door->rules >> r & 1) != 0)
			for (int s = 0; s < model->rule[r].slots && slot[model->rule[r].slot + s] != 0; s++)
				key[count++] = (int64) r << 32 | slot[model->rule[r].slot + s];
	return count;
}

bool
crm_door_is_identity(const MatchDoor *door, uint64_t pattern)
{
	const CrmMatchModel *model = &door->run->model;
	bool		email = false;
	bool		name = false;

	for (int i = 0; i < model->fields; i++)
	{
		int			level = crm_match_level(pattern, i);

		switch (model->field[i].comparator)
		{
			case CRM_MATCH_IDENTIFIER:
				if (level == 1 && !model->field[i].shared)
					return true;
				break;
			case CRM_MATCH_EMAIL:
				email = email || level == 1;
				break;
			case CRM_MATCH_PERSON:
				name = name || (level >= 1 && level <= LAST_COMPATIBLE_NAME);
				break;
			default:
				break;
		}
	}
	return email && name;
}

/* ---- candidates ---- */

typedef struct Candidate
{
	char	   *id;
	double		rarity;			/* sum over its keys of 1 / holders */
} Candidate;

static int
compare_candidate_ids(const void *a, const void *b)
{
	return strcmp(((const Candidate *) a)->id, ((const Candidate *) b)->id);
}

static int
compare_rarities(const void *a, const void *b)
{
	const Candidate *x = a;
	const Candidate *y = b;

	if (x->rarity != y->rarity)
		return x->rarity > y->rarity ? -1 : 1;
	return strcmp(x->id, y->id);
}

/* The records that share a key, those with the rarest first; the array is palloc'd. */
static Candidate *
collect_candidates(const MatchDoor *door, const int64 *key, int keys, const char *self,
				   Snapshot snapshot, int *count)
{
	Relation	table = crm_door_table("match_key");
	Oid			index = get_relname_relid("match_key_pkey", RelationGetNamespace(table));
	TupleDesc	desc = RelationGetDescr(table);
	Candidate  *candidates = palloc((Size) (keys + 1) * (CRM_DOOR_HUB + 1) * sizeof(Candidate));
	int			n = 0;
	int			kept = 0;

	for (int i = 0; i < keys; i++)
	{
		ScanKeyData condition[2];
		SysScanDesc scan;
		HeapTuple	row;
		int			first = n;

		ScanKeyInit(&condition[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(door->number));
		ScanKeyInit(&condition[1], 2, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(key[i]));
		scan = systable_beginscan(table, index, true, snapshot, 2, condition);
		while (n - first <= CRM_DOOR_HUB && (row = systable_getnext(scan)) != NULL)
		{
			bool		isnull;

			candidates[n++].id = TextDatumGetCString(heap_getattr(row, 3, desc, &isnull));
		}
		systable_endscan(scan);
		CHECK_FOR_INTERRUPTS();
		if (n - first > CRM_DOOR_HUB)
		{
			n = first;
			continue;
		}
		for (int j = first; j < n; j++)
			candidates[j].rarity = 1.0 / (n - first);
	}
	table_close(table, AccessShareLock);

	qsort(candidates, n, sizeof(Candidate), compare_candidate_ids);
	for (int i = 0; i < n; i++)
	{
		if (self != NULL && strcmp(candidates[i].id, self) == 0)
			continue;
		if (kept > 0 && strcmp(candidates[kept - 1].id, candidates[i].id) == 0)
			candidates[kept - 1].rarity += candidates[i].rarity;
		else
			candidates[kept++] = candidates[i];
	}
	if (kept > MOST_CANDIDATES)
	{
		qsort(candidates, kept, sizeof(Candidate), compare_rarities);
		kept = MOST_CANDIDATES;
	}
	*count = kept;
	return candidates;
}

/* ---- records ---- */

/*
 * The plans are made for few records, whatever the table had when they were
 * made: an index it is, where there is one.
 */
static void
read_records(MatchDoor *door, SPIPlanPtr *plan, bool of_object, ParamListInfo params, MatchEach each, void *argument)
{
	ErrorContextCallback callback = {error_context_stack, crm_match_add_context, door->run};
	int			nest = NewGUCNestLevel();

	error_context_stack = &callback;
	(void) set_config_option("enable_seqscan", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("jit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	crm_match_set_styles(of_object);
	/* The columns of a number are joined with; what a view joins is its own affair. */
	if (crm_match_id_parameters(door->run) > 1 && get_rel_relkind(door->run->relation_oid) != RELKIND_VIEW)
	{
		(void) set_config_option("enable_hashjoin", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		(void) set_config_option("enable_mergejoin", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	}
	if (*plan == NULL)
		*plan = crm_match_prepare(door->run, of_object);
	crm_match_read(door->run, *plan, params, true, each, argument);
	AtEOXact_GUC(true, nest);
	error_context_stack = callback.previous;
}

void
crm_door_read(MatchDoor *door, ArrayType *ids, MatchEach each, void *argument)
{
	read_records(door, &door->by_id, false, crm_match_id_values(door->run, ids, 0), each, argument);
}

typedef struct Looking
{
	MatchDoor  *door;
	MemoryContext context;
	const uint8_t *feature;
	const char *id;
	bool		is_after;		/* the record itself has come */
	double		floor;
	MatchFinds *finds;
} Looking;

static void
score_candidate(const char *id, uint8_t *feature, void *argument)
{
	Looking    *looking = argument;
	MatchFinds *finds = looking->finds;
	const CrmMatchModel *model = &looking->door->run->model;
	MatchFound *found;
	uint64_t	pattern;
	double		part[CRM_MATCH_FIELDS + 1];
	double		weight;

	if (id == NULL)
		return;
	if (looking->id != NULL && strcmp(id, looking->id) == 0)
	{
		looking->is_after = true;
		return;
	}
	pattern = crm_match_pattern(model, looking->feature, feature);
	weight = crm_match_weight_parts(model, pattern, looking->feature, feature, part);
	if (weight < looking->floor)
		return;
	if (finds->count == finds->room)
	{
		finds->room = finds->room * 2 + 16;
		finds->found = finds->found == NULL ?
			MemoryContextAlloc(looking->context, finds->room * sizeof(MatchFound)) :
			repalloc(finds->found, finds->room * sizeof(MatchFound));
	}
	found = &finds->found[finds->count++];
	found->id = MemoryContextStrdup(looking->context, id);
	found->weight = weight;
	found->pattern = pattern;
	found->is_before = !looking->is_after;
	memcpy(found->part, part, sizeof(part));
}

static int
compare_finds(const void *a, const void *b)
{
	const MatchFound *x = a;
	const MatchFound *y = b;

	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	if (x->is_before != y->is_before)
		return x->is_before ? -1 : 1;
	return strcmp(x->id, y->id);
}

void
crm_door_find(MatchDoor *door, const uint8_t *feature, const char *id, double floor,
			  Snapshot snapshot, MatchFinds *finds)
{
	int64		key[CRM_MATCH_SLOTS];
	int			keys = crm_door_keys(door, feature, key);
	Candidate  *candidates;
	Datum	   *ids;
	int			count;

	candidates = collect_candidates(door, key, keys, id, snapshot, &count);
	ids = palloc((count + 1) * sizeof(Datum));
	for (int i = 0; i < count; i++)
		ids[i] = CStringGetTextDatum(candidates[i].id);
	crm_door_compare(door, feature, id, floor, ids, count, finds);
}

void
crm_door_compare(MatchDoor *door, const uint8_t *feature, const char *id, double floor,
				 Datum *ids, int count, MatchFinds *finds)
{
	Looking		looking = {door, CurrentMemoryContext, feature, id, false, floor, finds};

	finds->count = 0;
	if (count == 0)
		return;
	if (id != NULL)
		ids[count++] = CStringGetTextDatum(id);
	crm_door_read(door, construct_array(ids, count, TEXTOID, -1, false, TYPALIGN_INT), score_candidate, &looking);
	if (finds->count > 1)
		qsort(finds->found, finds->count, sizeof(MatchFound), compare_finds);
}

/* ---- crm.find_duplicates(model, record, max_results, min_probability) ---- */

/* Raises the first key of the object that is no column. */
static void
check_columns(const MatchRun *run, Jsonb *record)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;

	if (!JB_ROOT_IS_OBJECT(record))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a record must be a JSON object"),
				 errhint("Its keys are the columns of %s.", run->relation)));
	iterator = JsonbIteratorInit(&record->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		char	   *name;
		StringInfoData columns;
		Relation	relation;

		if (token != WJB_KEY)
			continue;
		name = pnstrdup(value.val.string.val, value.val.string.len);
		if (strlen(name) < NAMEDATALEN && get_attnum(run->relation_oid, name) > 0)
		{
			pfree(name);
			continue;
		}
		initStringInfo(&columns);
		relation = table_open(run->relation_oid, AccessShareLock);
		for (int i = 0; i < RelationGetNumberOfAttributes(relation); i++)
			if (!TupleDescAttr(RelationGetDescr(relation), i)->attisdropped)
				appendStringInfo(&columns, "%s%s", columns.len > 0 ? ", " : "",
								 NameStr(TupleDescAttr(RelationGetDescr(relation), i)->attname));
		table_close(relation, AccessShareLock);
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s has no column \"%s\"", run->relation, pnstrdup(name, pg_mbcliplen(name, strlen(name), 100))),
				 errhint("It has: %s.", columns.data)));
	}
}

typedef struct Given
{
	MemoryContext context;
	char	   *id;
	uint8_t    *feature;
	int			size;
} Given;

static void
take_given(const char *id, uint8_t *feature, void *argument)
{
	Given	   *given = argument;

	if (id != NULL)
		given->id = MemoryContextStrdup(given->context, id);
	given->feature = MemoryContextAlloc(given->context, given->size);
	memcpy(given->feature, feature, given->size);
}

static Datum
explain(const MatchRun *run, const MatchFound *found)
{
	StringInfoData text;
	bool		is_first = true;

	initStringInfo(&text);
	appendStringInfoChar(&text, '[');
	for (int i = 0; i < run->model.fields; i++)
	{
		int			level = crm_match_level(found->pattern, i);
		char		label[64];

		if (level == 0)
			continue;
		appendStringInfoString(&text, is_first ? "{\"field\": " : ", {\"field\": ");
		escape_json(&text, run->model.field[i].name);
		appendStringInfoString(&text, ", \"level\": ");
		escape_json(&text, crm_match_level_name(&run->model.field[i], level, label, sizeof(label)));
		appendStringInfo(&text, ", \"weight\": %.2f}", found->part[i]);
		is_first = false;
	}
	if (run->model.lambda_household > 0)
		appendStringInfo(&text, "%s{\"field\": null, \"level\": \"household\", \"weight\": %.2f}",
						 is_first ? "" : ", ", found->part[run->model.fields]);
	appendStringInfo(&text, "%s{\"field\": null, \"level\": \"prior\", \"weight\": %.2f}]",
					 is_first && run->model.lambda_household <= 0 ? "" : ", ", run->model.prior);
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data));
}

static void
find_for_form(MatchDoor *door, Jsonb *record, int most, double least, ReturnSetInfo *result)
{
	Given		given = {CurrentMemoryContext};
	MatchFinds	finds = {0};
	ParamListInfo params = makeParamList(1);

	/* Whether there are candidates to read is told to nobody who may not read them. */
	if (pg_class_aclcheck(door->run->relation_oid, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
		pg_attribute_aclcheck_all(door->run->relation_oid, GetUserId(), ACL_SELECT, ACLMASK_ANY) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(get_rel_relkind(door->run->relation_oid)),
					   get_rel_name(door->run->relation_oid));
	check_columns(door->run, record);
	given.size = door->run->model.feature_size;
	params->params[0] = (ParamExternData) {JsonbPGetDatum(record), false, 0, JSONBOID};
	read_records(door, &door->by_object, true, params, take_given, &given);
	if (given.feature == NULL)
		return;
	crm_door_find(door, given.feature, given.id, least <= 0 ? -INFINITY : log2(least / (1 - least)), GetActiveSnapshot(), &finds);
	for (int i = 0; i < finds.count && i < most; i++)
	{
		Datum		values[4];
		bool		nulls[4] = {0};

		values[0] = CStringGetTextDatum(finds.found[i].id);
		values[1] = Float8GetDatum(finds.found[i].weight);
		values[2] = Float8GetDatum(crm_match_probability(finds.found[i].weight));
		values[3] = explain(door->run, &finds.found[i]);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

Datum
crm_door_sql_find(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Jsonb	   *record = PG_GETARG_JSONB_P(1);
	int			most = PG_GETARG_INT32(2);
	double		least = PG_GETARG_FLOAT8(3);
	MatchDoor  *door;

	if (most < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_results must be positive, not %d", most)));
	if (!(least >= 0 && least <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("min_probability must be between 0 and 1, not %g", least)));
	InitMaterializedSRF(fcinfo, 0);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	door = crm_door_open(name);
	if (door == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no match model \"%s\"", name),
				 errhint("crm.match_model lists the models, crm.create_match_model() makes one.")));
	PG_TRY();
	{
		if (door->run == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 door->number == 0 ? errmsg("match model \"%s\" has no kept keys", name) :
					 errmsg("the kept keys of match model \"%s\" are of another version of it", name),
					 errhint("Run SELECT crm.build_match_keys(%s).", quote_literal_cstr(name))));
		find_for_form(door, record, most, least, (ReturnSetInfo *) fcinfo->resultinfo);
	}
	PG_CATCH();
	{
		crm_door_close(door);
		PG_RE_THROW();
	}
	PG_END_TRY();
	crm_door_close(door);
	SPI_finish();
	return (Datum) 0;
}

/* The same of a record that is written as text. */
Datum
crm_door_sql_find_text(PG_FUNCTION_ARGS)
{
	PG_GETARG_DATUM(1) = DirectFunctionCall1(jsonb_in, CStringGetDatum(text_to_cstring(PG_GETARG_TEXT_PP(1))));
	return crm_door_sql_find(fcinfo);
}
