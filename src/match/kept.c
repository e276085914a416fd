/*
 * kept.c
 *		Statements whose plans a backend keeps, by their text, and the plan of
 *		a merge, which is kept until a table changes.
 *
 * A merge runs a statement for each column that may refer to a contact, most
 * of which find nothing.  Parsing and planning them anew each time would take
 * ten times as long as running them.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "crm.h"
#include "history/change.h"

/* More plans than any sane schema needs; then all are forgotten. */
#define MAX_KEPT_PLANS 2000

/* More arguments than any of our statements has. */
#define MAX_ARGUMENTS 8

typedef struct KeptPlan
{
	uint64		key;			/* hash of the text, must be first */
	char	   *statement;
	int			nargs;
	SPIPlanPtr	plan;
} KeptPlan;

static HTAB *kept_plans = NULL;
static MemoryContext kept_context = NULL;
static int	running = 0;		/* how deep in statements of ours we are */

static void
forget_plans(void)
{
	HASH_SEQ_STATUS status;
	KeptPlan   *kept;

	hash_seq_init(&status, kept_plans);
	while ((kept = hash_seq_search(&status)) != NULL)
		if (kept->plan != NULL)
			SPI_freeplan(kept->plan);
	hash_destroy(kept_plans);
	kept_plans = NULL;
	MemoryContextReset(kept_context);
}

/* The plan of a statement; the caller is connected to SPI. */
static SPIPlanPtr
kept_plan(const char *statement, int nargs)
{
	char	   *copy;
	uint64		key = hash_bytes_extended((const unsigned char *) statement, strlen(statement), nargs);
	Oid			types[MAX_ARGUMENTS];
	KeptPlan   *kept;
	SPIPlanPtr	plan;
	bool		found;

	if (kept_context == NULL)
		kept_context = AllocSetContextCreate(TopMemoryContext, "crm kept plans", ALLOCSET_DEFAULT_SIZES);
	if (kept_plans != NULL && running == 0 && hash_get_num_entries(kept_plans) >= MAX_KEPT_PLANS)
		forget_plans();
	if (kept_plans == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(uint64), .entrysize = sizeof(KeptPlan), .hcxt = kept_context};

		kept_plans = hash_create("crm kept plans", 128, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	kept = hash_search(kept_plans, &key, HASH_FIND, NULL);
	if (kept != NULL && kept->nargs == nargs && strcmp(kept->statement, statement) == 0)
		return kept->plan;
	for (int i = 0; i < nargs; i++)
		types[i] = INT8OID;
	plan = SPI_prepare(statement, nargs, types);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	/* Two texts of one hash: the first keeps its place. */
	if (kept != NULL)
		return plan;
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "SPI_keepplan failed");
	copy = MemoryContextStrdup(kept_context, statement);
	kept = hash_search(kept_plans, &key, HASH_ENTER, &found);
	kept->plan = plan;
	kept->nargs = nargs;
	kept->statement = copy;
	return plan;
}

/* Plans must not be forgotten while one of them runs. */
static pg_noinline int
execute(SPIPlanPtr plan, Datum *arguments, const char *nulls)
{
	volatile int outcome = 0;

	running++;
	PG_TRY();
	{
		outcome = SPI_execute_plan(plan, arguments, nulls, false, 0);
	}
	PG_CATCH();
	{
		running--;
		PG_RE_THROW();
	}
	PG_END_TRY();
	running--;
	return outcome;
}

PG_FUNCTION_INFO_V1(crm_run_kept);

/* Runs a statement with bigint arguments; gives the first value, of jsonb. */
Datum
crm_run_kept(PG_FUNCTION_ARGS)
{
	char	   *statement = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Datum	   *arguments;
	bool	   *argument_nulls;
	char		nulls[MAX_ARGUMENTS + 1];
	int			nargs;
	int			outcome;
	Jsonb	   *result = NULL;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &arguments, &argument_nulls, &nargs);
	if (nargs > MAX_ARGUMENTS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a kept statement takes at most %d arguments", MAX_ARGUMENTS)));
	for (int i = 0; i < nargs; i++)
		nulls[i] = argument_nulls[i] ? 'n' : ' ';
	nulls[nargs] = '\0';
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	outcome = execute(kept_plan(statement, nargs), arguments, nulls);
	if (outcome < 0)
		elog(ERROR, "SPI_execute_plan failed: %s", SPI_result_code_string(outcome));
	if (SPI_processed > 0 && SPI_tuptable != NULL && SPI_gettypeid(SPI_tuptable->tupdesc, 1) == JSONBOID)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);

		if (!isnull)
		{
			Jsonb	   *local = DatumGetJsonbP(value);

			result = SPI_palloc(VARSIZE(local));
			memcpy(result, local, VARSIZE(local));
		}
	}
	SPI_finish();
	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(result);
}

/*
 * The plan of a merge: what crm.make_merge_plan() says for contacts and for
 * companies, until some table of the database changes.
 */
#define ENTITIES 2

static const char *const entities[ENTITIES] = {"contact", "company"};
static Jsonb *merge_plans[ENTITIES];
static uint64 plans_made_at[ENTITIES];
static uint64 invalidations = 1;
static bool is_listening = false;

static void
tables_changed(Datum argument, Oid relation)
{
	invalidations++;
}

PG_FUNCTION_INFO_V1(crm_merge_plan);

Datum
crm_merge_plan(PG_FUNCTION_ARGS)
{
	static SPIPlanPtr plan = NULL;
	char	   *entity = text_to_cstring(PG_GETARG_TEXT_PP(0));
	Oid			type = TEXTOID;
	Datum		argument = PG_GETARG_DATUM(0);
	uint64		before;
	bool		isnull;
	Jsonb	   *made;
	Jsonb	   *copy;
	int			number;

	for (number = 0; number < ENTITIES; number++)
		if (strcmp(entity, entities[number]) == 0)
			break;
	if (number == ENTITIES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("contacts and companies can be merged, not \"%s\"", entity)));
	if (!is_listening)
	{
		CacheRegisterRelcacheCallback(tables_changed, (Datum) 0);
		is_listening = true;
	}
	AcceptInvalidationMessages();
	if (merge_plans[number] == NULL || plans_made_at[number] != invalidations)
	{
		before = invalidations;
		if (SPI_connect() != SPI_OK_CONNECT)
			elog(ERROR, "SPI_connect failed");
		crm_execute_kept(&plan, "SELECT crm.make_merge_plan($1)", 1, &type, &argument, NULL);
		if (SPI_processed != 1)
			elog(ERROR, "no merge plan was made");
		made = DatumGetJsonbP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
		if (isnull)
			elog(ERROR, "no merge plan was made");
		copy = MemoryContextAlloc(TopMemoryContext, VARSIZE(made));
		memcpy(copy, made, VARSIZE(made));
		SPI_finish();
		if (merge_plans[number] != NULL)
			pfree(merge_plans[number]);
		merge_plans[number] = copy;
		plans_made_at[number] = before;
	}
	copy = palloc(VARSIZE(merge_plans[number]));
	memcpy(copy, merge_plans[number], VARSIZE(merge_plans[number]));
	PG_RETURN_JSONB_P(copy);
}

/*
 * What crm.undo_statement() makes of the same arguments, until some table of
 * the database changes.
 */
typedef struct UndoStatement
{
	uint64		key;			/* hash of the arguments, must be first */
	text	   *arguments;		/* as JSON, to be sure */
	text	   *statement;
} UndoStatement;

static HTAB *undo_statements = NULL;
static MemoryContext undo_context = NULL;
static uint64 undo_made_at = 0;

static void
forget_undo_statements(void)
{
	HASHCTL		control = {.keysize = sizeof(uint64), .entrysize = sizeof(UndoStatement)};

	if (undo_context == NULL)
		undo_context = AllocSetContextCreate(TopMemoryContext, "crm undo statements", ALLOCSET_DEFAULT_SIZES);
	undo_statements = NULL;
	MemoryContextReset(undo_context);
	control.hcxt = undo_context;
	undo_statements = hash_create("crm undo statements", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	undo_made_at = invalidations;
}

/* The arguments in one text: each with its length, a missing one marked. */
static text *
arguments_text(FunctionCallInfo fcinfo)
{
	StringInfoData all;

	initStringInfo(&all);
	for (int i = 0; i < 6; i++)
	{
		char	   *one;

		if (PG_ARGISNULL(i))
		{
			appendStringInfoString(&all, "-;");
			continue;
		}
		if (i == 1)
			one = psprintf("%u", PG_GETARG_OID(i));
		else if (i == 5)
			one = OidOutputFunctionCall(F_ARRAY_OUT, PG_GETARG_DATUM(i));
		else
			one = text_to_cstring(PG_GETARG_TEXT_PP(i));
		appendStringInfo(&all, "%zu:%s;", strlen(one), one);
	}
	return cstring_to_text_with_len(all.data, all.len);
}

PG_FUNCTION_INFO_V1(crm_kept_undo_statement);

Datum
crm_kept_undo_statement(PG_FUNCTION_ARGS)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {TEXTOID, REGCLASSOID, TEXTOID, TEXTOID, TEXTOID, TEXTARRAYOID};
	text	   *arguments = arguments_text(fcinfo);
	uint64		key = hash_bytes_extended((unsigned char *) VARDATA_ANY(arguments), VARSIZE_ANY_EXHDR(arguments), 0);
	Datum		values[6];
	char		nulls[7] = "      ";
	UndoStatement *kept;
	text	   *made;
	text	   *copy;
	uint64		before;
	bool		isnull;

	if (!is_listening)
	{
		CacheRegisterRelcacheCallback(tables_changed, (Datum) 0);
		is_listening = true;
	}
	AcceptInvalidationMessages();
	if (undo_statements == NULL || undo_made_at != invalidations ||
		hash_get_num_entries(undo_statements) >= MAX_KEPT_PLANS)
		forget_undo_statements();
	kept = hash_search(undo_statements, &key, HASH_FIND, NULL);
	if (kept != NULL && VARSIZE(kept->arguments) == VARSIZE(arguments) &&
		memcmp(kept->arguments, arguments, VARSIZE(arguments)) == 0)
		PG_RETURN_DATUM(datumCopy(PointerGetDatum(kept->statement), false, -1));
	before = invalidations;
	for (int i = 0; i < 6; i++)
	{
		values[i] = PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	crm_execute_kept(&plan, "SELECT crm.undo_statement($1, $2, $3, $4, $5, $6)", 6, types, values, nulls);
	if (SPI_processed != 1)
		elog(ERROR, "no statement was made");
	made = DatumGetTextP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	if (isnull)
		elog(ERROR, "no statement was made");
	copy = SPI_palloc(VARSIZE(made));
	memcpy(copy, made, VARSIZE(made));
	SPI_finish();
	/* Kept only when nothing changed while it was made. */
	if (kept == NULL && before == invalidations && undo_made_at == invalidations)
	{
		text	   *kept_arguments = MemoryContextAlloc(undo_context, VARSIZE(arguments));
		text	   *kept_statement = MemoryContextAlloc(undo_context, VARSIZE(copy));

		memcpy(kept_arguments, arguments, VARSIZE(arguments));
		memcpy(kept_statement, copy, VARSIZE(copy));
		kept = hash_search(undo_statements, &key, HASH_ENTER, NULL);
		kept->arguments = kept_arguments;
		kept->statement = kept_statement;
	}
	PG_RETURN_TEXT_P(copy);
}

PG_FUNCTION_INFO_V1(crm_merge_plan_changed);

/* Trigger of the tables that a merge plan is made from, besides the catalogs. */
Datum
crm_merge_plan_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = crm_require_trigger(fcinfo, "crm.merge_plan_changed()");

	CacheInvalidateRelcache(trigger->tg_relation);
	return PointerGetDatum(NULL);
}
