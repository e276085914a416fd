/*
 * stage_matrix.c
 *		The cache of stages and allowed moves; see stage_matrix.h.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "crm.h"
#include "history/change.h"
#include "rule/compile.h"
#include "sales/stage_matrix.h"

typedef struct MoveKey
{
	int64		from;			/* 0: a deal begins */
	int64		to;
} MoveKey;

typedef struct Move
{
	MoveKey		key;
	CrmCriteria criteria;
} Move;

/* Everything lives in one context, thrown away and built anew. */
static MemoryContext matrix_context = NULL;
static bool matrix_valid = false;
static HTAB *stages = NULL;
static HTAB *moves = NULL;
static CrmStage **ordered = NULL;	/* by default first, pipeline, position */
static int	ordered_count = 0;
static int64 default_pipeline = 0;

static uint64 generation = 0;

/*
 * The tables it was read from, and that of deals, whose columns the criteria
 * name; a change of any of them makes it stale.
 */
static const char *const source_names[] = {
	"pipeline", "stage", "stage_transition", "stage_prerequisite", "stage_requirement", "deal"
};
static Oid	source_tables[lengthof(source_names)];

static void
tables_invalidated(Datum argument, Oid relation)
{
	if (!OidIsValid(relation))
		matrix_valid = false;
	for (int i = 0; i < lengthof(source_tables); i++)
		if (relation == source_tables[i])
			matrix_valid = false;
}

static HTAB *
make_hash(const char *name, Size key_size, Size entry_size)
{
	HASHCTL		control = {0};

	control.keysize = key_size;
	control.entrysize = entry_size;
	control.hcxt = matrix_context;
	return hash_create(name, 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/*
 * Reads what is committed now, not what the transaction's snapshot shows: the
 * matrix outlives a transaction of an isolation level that keeps an old one.
 */
static void
run(const char *sql)
{
	SPIPlanPtr	plan = SPI_prepare(sql, 0, NULL);
	Snapshot	latest;

	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	latest = RegisterSnapshot(GetLatestSnapshot());
	if (SPI_execute_snapshot(plan, NULL, NULL, latest, InvalidSnapshot, true, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "reading the stages failed");
	UnregisterSnapshot(latest);
}

static int64
bigint_field(HeapTuple row, int number)
{
	bool		isnull;
	Datum		value = SPI_getbinval(row, SPI_tuptable->tupdesc, number, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

static char *
text_field(HeapTuple row, int number)
{
	char	   *value = SPI_getvalue(row, SPI_tuptable->tupdesc, number);

	return value == NULL ? NULL : MemoryContextStrdup(matrix_context, value);
}

/* Of a column that cannot be null, unless the owner of the table let it. */
static const char *
word_field(HeapTuple row, int number)
{
	const char *value = text_field(row, number);

	return value == NULL ? "" : value;
}

/* A column of a table that the owner may alter: what is read as another type would be read wrongly. */
static void
check_type(int number, bool is_right)
{
	if (!is_right)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of the stages of crm is of type %s",
						SPI_fname(SPI_tuptable->tupdesc, number), format_type_be(SPI_gettypeid(SPI_tuptable->tupdesc, number))),
				 errhint("Give it the type that crm.install() gives it.")));
}

static const CrmRule *
rule_field(HeapTuple row, int number)
{
	bool		isnull;
	Datum		value = SPI_getbinval(row, SPI_tuptable->tupdesc, number, &isnull);
	MemoryContext old;
	CrmRule    *rule;

	if (isnull)
		return NULL;
	check_type(number, strcmp(SPI_gettype(SPI_tuptable->tupdesc, number), "rule") == 0 &&
			   crm_rule_type_is_ours(SPI_gettypeid(SPI_tuptable->tupdesc, number)));
	old = MemoryContextSwitchTo(matrix_context);
	rule = palloc(sizeof(CrmRule));
	*rule = crm_rule_get(PointerGetDatum(PG_DETOAST_DATUM_COPY(value)));
	MemoryContextSwitchTo(old);
	return rule;
}

static int
texts_field(HeapTuple row, int number, const char ***texts)
{
	bool		isnull;
	Datum		value = SPI_getbinval(row, SPI_tuptable->tupdesc, number, &isnull);
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	int			n = 0;

	*texts = NULL;
	if (isnull)
		return 0;
	check_type(number, SPI_gettypeid(SPI_tuptable->tupdesc, number) == TEXTARRAYOID);
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	*texts = MemoryContextAlloc(matrix_context, sizeof(char *) * (count + 1));
	for (int i = 0; i < count; i++)
		if (!nulls[i])
			(*texts)[n++] = MemoryContextStrdup(matrix_context, TextDatumGetCString(elements[i]));
	return n;
}

/* Of three columns: guard, required fields, roles. */
static void
read_criteria(HeapTuple row, int number, CrmCriteria *criteria)
{
	criteria->guard = rule_field(row, number);
	criteria->fields = texts_field(row, number + 1, &criteria->field);
	criteria->roles = texts_field(row, number + 2, &criteria->role);
}

/* Whether the tables have criteria: those of an older version have none. */
static bool
has_criteria(void)
{
	return get_attnum(source_tables[1], "entry_rule") != InvalidAttrNumber &&
		get_attnum(source_tables[2], "guard_rule") != InvalidAttrNumber &&
		OidIsValid(source_tables[3]) && OidIsValid(source_tables[4]);
}

static bool with_criteria = false;

bool
crm_stage_has_criteria(void)
{
	return with_criteria;
}

static void
read_stages(void)
{
	with_criteria = has_criteria();
	run(with_criteria ?
		"SELECT s.id, s.pipeline_id, s.name, s.kind, p.name, p.currency, p.is_default, s.merged_into_id, s.exit_rule, "
		"EXISTS (SELECT FROM crm.stage_prerequisite r WHERE r.stage_id OPERATOR(pg_catalog.=) s.id) "
		"OR EXISTS (SELECT FROM crm.stage_requirement r WHERE r.stage_id OPERATOR(pg_catalog.=) s.id), "
		"s.entry_rule, s.required_fields, NULL::pg_catalog.text[] "
		"FROM crm.stage s JOIN crm.pipeline p ON p.id OPERATOR(pg_catalog.=) s.pipeline_id "
		"ORDER BY p.is_default DESC, p.id, s.position" :
		"SELECT s.id, s.pipeline_id, s.name, s.kind, p.name, p.currency, p.is_default, NULL::pg_catalog.int8, NULL::pg_catalog.text, "
		"false, NULL::pg_catalog.text, NULL::pg_catalog.text[], NULL::pg_catalog.text[] "
		"FROM crm.stage s JOIN crm.pipeline p ON p.id OPERATOR(pg_catalog.=) s.pipeline_id "
		"ORDER BY p.is_default DESC, p.id, s.position");
	ordered_count = 0;
	ordered = MemoryContextAlloc(matrix_context, sizeof(CrmStage *) * (SPI_processed + 1));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		int64		id = bigint_field(row, 1);
		CrmStage   *stage = hash_search(stages, &id, HASH_ENTER, NULL);
		const char *kind = word_field(row, 4);
		bool		isnull;

		stage->pipeline_id = bigint_field(row, 2);
		stage->name = word_field(row, 3);
		stage->kind = strcmp(kind, "won") == 0 ? CRM_STAGE_WON :
			strcmp(kind, "lost") == 0 ? CRM_STAGE_LOST : CRM_STAGE_OPEN;
		stage->pipeline = word_field(row, 5);
		stage->currency = word_field(row, 6);
		stage->begins = false;
		if (DatumGetBool(SPI_getbinval(row, SPI_tuptable->tupdesc, 7, &isnull)))
			default_pipeline = stage->pipeline_id;
		stage->merged_into = bigint_field(row, 8);
		stage->exit_guard = rule_field(row, 9);
		stage->requires = DatumGetBool(SPI_getbinval(row, SPI_tuptable->tupdesc, 10, &isnull));
		read_criteria(row, 11, &stage->entry);
		ordered[ordered_count++] = stage;
	}
}

static void
read_moves(void)
{
	run(with_criteria ?
		"SELECT from_stage_id, to_stage_id, guard_rule, required_fields, roles FROM crm.stage_transition" :
		"SELECT from_stage_id, to_stage_id, NULL::pg_catalog.text, NULL::pg_catalog.text[], NULL::pg_catalog.text[] "
		"FROM crm.stage_transition");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		MoveKey		key = {bigint_field(row, 1), bigint_field(row, 2)};
		Move	   *move = hash_search(moves, &key, HASH_ENTER, NULL);

		read_criteria(row, 3, &move->criteria);
		if (key.from == 0)
		{
			CrmStage   *stage = hash_search(stages, &key.to, HASH_FIND, NULL);

			if (stage != NULL)
				stage->begins = true;
		}
	}
}

void
crm_stage_matrix_refresh(Relation relation)
{
	Oid			schema;
	CrmOwnerRights caller;

	/* An invalidation during the reading makes the next call read again. */
	if (matrix_valid)
		return;
	if (matrix_context == NULL)
	{
		matrix_context = AllocSetContextCreate(CacheMemoryContext, "crm stages", ALLOCSET_SMALL_SIZES);
		CacheRegisterRelcacheCallback(tables_invalidated, (Datum) 0);
	}
	MemoryContextReset(matrix_context);
	stages = make_hash("crm stages", sizeof(int64), sizeof(CrmStage));
	moves = make_hash("crm stage transitions", sizeof(MoveKey), sizeof(Move));
	generation++;
	default_pipeline = 0;
	schema = get_namespace_oid("crm", false);
	for (int i = 0; i < lengthof(source_tables); i++)
		source_tables[i] = get_relname_relid(source_names[i], schema);
	crm_become_owner(relation, &caller);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	PG_TRY();
	{
		matrix_valid = true;
		read_stages();
		read_moves();
	}
	PG_CATCH();
	{
		matrix_valid = false;
		PG_RE_THROW();
	}
	PG_END_TRY();
	SPI_finish();
	crm_become_caller(&caller);
}

const CrmStage *
crm_stage_find(int64 id)
{
	return hash_search(stages, &id, HASH_FIND, NULL);
}

const CrmStage *
crm_stage_first(int64 pipeline_id)
{
	if (pipeline_id == 0)
		pipeline_id = default_pipeline;
	for (int i = 0; i < ordered_count; i++)
		if (ordered[i]->pipeline_id == pipeline_id && ordered[i]->begins)
			return ordered[i];
	return NULL;
}

const CrmCriteria *
crm_stage_move(int64 from, int64 to)
{
	static const CrmCriteria nothing = {0};
	MoveKey		key = {from, to};
	Move	   *move = hash_search(moves, &key, HASH_FIND, NULL);
	const CrmStage *origin;

	if (move != NULL)
		return &move->criteria;
	/* The deals of a stage that was merged go on to the other. */
	origin = from == 0 ? NULL : crm_stage_find(from);
	return origin != NULL && origin->merged_into != 0 && origin->merged_into == to ? &nothing : NULL;
}

MemoryContext
crm_stage_matrix_context(void)
{
	return matrix_context;
}

uint64
crm_stage_matrix_generation(void)
{
	return generation;
}

const char *
crm_stage_list_next(int64 from, int64 pipeline_id)
{
	const CrmStage *origin = from == 0 ? NULL : crm_stage_find(from);
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < ordered_count; i++)
	{
		CrmStage   *stage = ordered[i];

		if (from == 0 ? !(stage->begins && stage->pipeline_id == pipeline_id) :
			crm_stage_move(from, stage->id) == NULL)
			continue;
		appendStringInfo(&list, "%s\"%s\"", list.len > 0 ? ", " : "", stage->name);
		if (origin != NULL && origin->pipeline_id != stage->pipeline_id)
			appendStringInfo(&list, " of \"%s\"", stage->pipeline);
	}
	return list.len > 0 ? list.data : "none";
}
