/*
 * eval.c
 *		row @@ rule where the planner did not write the rule out.
 *
 * Two caches.  The session keeps what a rule was compiled to for a row type:
 * an expression of the server, planned.  It is dropped when the row type
 * changes (each change gives the type another identifier), when functions
 * change, and when a literal was read by a setting that has changed since.
 * A call site, which lives as long as the query, keeps the expressions that
 * it has made ready to run, so that a rule that comes again costs a look-up.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "crm.h"
#include "rule/eval.h"

/* Rules that the session keeps compiled, and that a call site keeps ready. */
#define SESSION_RULES 4096
#define CALL_RULES 4096

/* ---- rows ---- */

void
crm_rule_row_type(FunctionCallInfo fcinfo, int argument, Oid *type, int32 *typmod)
{
	if (!PG_ARGISNULL(argument))
	{
		HeapTupleHeader header = PG_GETARG_HEAPTUPLEHEADER(argument);

		*type = HeapTupleHeaderGetTypeId(header);
		*typmod = HeapTupleHeaderGetTypMod(header);
		return;
	}
	*type = get_fn_expr_argtype(fcinfo->flinfo, argument);
	*typmod = -1;
	if (OidIsValid(*type))
		*type = getBaseType(*type);
	if (!OidIsValid(*type) || *type == RECORDOID || !type_is_rowtype(*type))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the fields of a null record are not known"),
				 errhint("Evaluate the rule on rows of a table, a view or a composite type.")));
}

CrmRuleRow *
crm_rule_make_row(Oid type, int32 typmod, MemoryContext parent)
{
	MemoryContext context = AllocSetContextCreate(parent, "rules of a row type", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	CrmRuleRow *row = palloc0(sizeof(CrmRuleRow));

	row->context = context;
	row->type = type;
	row->typmod = typmod;
	row->identifier = assign_record_type_identifier(type, typmod);
	crm_rule_scope_of_type(type, typmod, &row->scope);
	row->desc = row->scope.desc;
	row->slot = MakeSingleTupleTableSlot(row->desc, &TTSOpsHeapTuple);
	row->econtext = CreateStandaloneExprContext();
	row->econtext->ecxt_scantuple = row->slot;
	row->params = makeParamList(1);
	row->params->params[0].ptype = TIMESTAMPTZOID;
	row->params->params[0].isnull = false;
	row->params->params[0].pflags = 0;
	row->econtext->ecxt_param_list_info = row->params;
	{
		Param	   *as_of = makeNode(Param);

		as_of->paramkind = PARAM_EXTERN;
		as_of->paramid = 1;
		as_of->paramtype = TIMESTAMPTZOID;
		as_of->paramtypmod = -1;
		as_of->location = -1;
		row->scope.as_of = (Node *) as_of;
	}
	MemoryContextSwitchTo(old);
	return row;
}

void
crm_rule_drop_row(CrmRuleRow *row)
{
	FreeExprContext(row->econtext, true);
	ExecDropSingleTupleTableSlot(row->slot);
	MemoryContextDelete(row->context);
}

void
crm_rule_store_row(CrmRuleRow *row, FunctionCallInfo fcinfo, int argument)
{
	HeapTupleHeader header;

	ResetExprContext(row->econtext);
	if (PG_ARGISNULL(argument))
	{
		ExecStoreAllNullTuple(row->slot);
		return;
	}
	header = PG_GETARG_HEAPTUPLEHEADER(argument);
	row->tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&row->tuple.t_self);
	row->tuple.t_tableOid = InvalidOid;
	row->tuple.t_data = header;
	ExecStoreHeapTuple(&row->tuple, row->slot, false);
}

void
crm_rule_set_as_of(CrmRuleRow *row, TimestampTz as_of)
{
	row->params->params[0].value = TimestampTzGetDatum(as_of);
}

ExprState *
crm_rule_prepare(CrmRuleRow *row, Expr *expr)
{
	MemoryContext old = MemoryContextSwitchTo(row->context);
	ExprState  *state = ExecInitExprWithParams(expression_planner(expr), row->params);

	MemoryContextSwitchTo(old);
	return state;
}

Datum
crm_rule_run(CrmRuleRow *row, ExprState *state, bool *isnull)
{
	return ExecEvalExprSwitchContext(state, row->econtext, isnull);
}

/* ---- what the session keeps ---- */

/* Settings by which literals of dates and times are read. */
typedef struct Settings
{
	pg_tz	   *time_zone;
	int			date_style;
	int			date_order;
	int			interval_style;
	TimestampTz statement;		/* of what else may change: good for one */
} Settings;

typedef struct RuleKey
{
	uint64		hash;			/* of the rule's bytes */
	uint64		identifier;		/* of the row type */
	Oid			type;
	int32		typmod;
} RuleKey;

typedef struct SessionRule
{
	RuleKey		key;
	size_t		size;
	uint8	   *bytes;
	MemoryContext context;		/* of the expression and the bytes */
	Expr	   *expr;
	uint64		generation;
	bool		reads_datetime;
	bool		reads_other;
	Settings	settings;
} SessionRule;

static MemoryContext session_context = NULL;
static HTAB *session_rules = NULL;
static uint64 generation = 1;

static void
functions_changed(Datum argument, int cache, uint32 hash)
{
	generation++;
}

static Settings
settings_now(void)
{
	Settings	settings = {session_timezone, DateStyle, DateOrder, IntervalStyle, GetCurrentStatementStartTimestamp()};

	return settings;
}

static bool
settings_hold(const SessionRule *rule)
{
	Settings	now = settings_now();

	if (rule->reads_datetime &&
		(rule->settings.time_zone != now.time_zone || rule->settings.date_style != now.date_style ||
		 rule->settings.date_order != now.date_order || rule->settings.interval_style != now.interval_style))
		return false;
	return !rule->reads_other || rule->settings.statement == now.statement;
}

static void
start_session(void)
{
	HASHCTL		control;
	static bool registered = false;

	if (!registered)
	{
		CacheRegisterSyscacheCallback(PROCOID, functions_changed, (Datum) 0);
		registered = true;
	}
	session_context = AllocSetContextCreate(CacheMemoryContext, "compiled rules", ALLOCSET_DEFAULT_SIZES);
	memset(&control, 0, sizeof(control));
	control.keysize = sizeof(RuleKey);
	control.entrysize = sizeof(SessionRule);
	control.hcxt = session_context;
	session_rules = hash_create("compiled rules", 128, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* What the rule is for rows like this one; lives until the session forgets. */
static SessionRule *
session_rule(CrmRuleRow *row, const CrmRule *rule, uint64 hash)
{
	RuleKey		key;
	SessionRule *entry;
	bool		found;
	CrmRuleCompiled compiled;
	Expr	   *planned;
	uint64		generation_before;
	uint8	   *bytes;
	MemoryContext kept;
	MemoryContext work;
	MemoryContext old;

	memset(&key, 0, sizeof(key));
	key.hash = hash;
	key.identifier = row->identifier;
	key.type = row->type;
	key.typmod = row->typmod;
	if (session_rules != NULL)
	{
		entry = hash_search(session_rules, &key, HASH_FIND, NULL);
		if (entry != NULL && entry->generation == generation && entry->size == rule->size &&
			memcmp(entry->bytes, rule->bytes, rule->size) == 0 && settings_hold(entry))
			return entry;
		if (hash_get_num_entries(session_rules) >= SESSION_RULES)
		{
			MemoryContextDelete(session_context);
			session_context = NULL;
			session_rules = NULL;
		}
	}
	if (session_rules == NULL)
		start_session();

	/* Whatever fails, the cache is as it was. */
	work = AllocSetContextCreate(CurrentMemoryContext, "compiling a rule", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(work);
	generation_before = generation;
	crm_rule_compile(rule->root, rule->end, &row->scope, &compiled);
	planned = expression_planner(compiled.expr);
	kept = AllocSetContextCreate(session_context, "compiled rule", ALLOCSET_SMALL_SIZES);
	MemoryContextSwitchTo(kept);
	planned = copyObject(planned);
	bytes = palloc(rule->size);
	memcpy(bytes, rule->bytes, rule->size);
	entry = hash_search(session_rules, &key, HASH_ENTER, &found);
	if (found)
		MemoryContextDelete(entry->context);
	entry->context = kept;
	entry->expr = planned;
	entry->generation = generation_before;
	entry->reads_datetime = compiled.reads_datetime;
	entry->reads_other = compiled.reads_other;
	entry->settings = settings_now();
	entry->bytes = bytes;
	entry->size = rule->size;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
	return entry;
}

/* ---- what a call site keeps ---- */

typedef struct CallRule
{
	uint64		hash;
	size_t		size;
	uint8	   *bytes;
	ExprState  *state;
	uint64		generation;
} CallRule;

struct CrmRuleSite
{
	MemoryContext context;		/* parent of the row's */
	CrmRuleRow *row;
	HTAB	   *rules;
	CallRule   *last;
};

static void
forget_rules(CrmRuleSite *site, Oid type, int32 typmod)
{
	HASHCTL		control;

	site->last = NULL;
	site->rules = NULL;
	if (site->row != NULL)
	{
		CrmRuleRow *row = site->row;

		site->row = NULL;
		crm_rule_drop_row(row);
	}
	site->row = crm_rule_make_row(type, typmod, site->context);
	memset(&control, 0, sizeof(control));
	control.keysize = sizeof(uint64);
	control.entrysize = sizeof(CallRule);
	control.hcxt = site->row->context;
	site->rules = hash_create("rules ready to run", 32, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static CallRule *
call_rule(CrmRuleSite *site, const CrmRule *rule)
{
	uint64		hash;
	CallRule   *entry = site->last;
	SessionRule *compiled;
	bool		found;

	if (entry != NULL && entry->generation == generation && entry->size == rule->size &&
		memcmp(entry->bytes, rule->bytes, rule->size) == 0)
		return entry;
	hash = hash_bytes_extended(rule->bytes, rule->size, 0);
	entry = hash_search(site->rules, &hash, HASH_FIND, NULL);
	if (entry != NULL && entry->state != NULL && entry->generation == generation && entry->size == rule->size &&
		memcmp(entry->bytes, rule->bytes, rule->size) == 0)
	{
		site->last = entry;
		return entry;
	}
	compiled = session_rule(site->row, rule, hash);
	entry = hash_search(site->rules, &hash, HASH_ENTER, &found);
	entry->state = NULL;
	entry->size = 0;
	entry->generation = compiled->generation;
	{
		MemoryContext old = MemoryContextSwitchTo(site->row->context);

		entry->bytes = palloc(rule->size);
		memcpy(entry->bytes, rule->bytes, rule->size);
		/* a copy, as the session may forget while the query runs */
		entry->state = ExecInitExprWithParams(copyObject(compiled->expr), site->row->params);
		MemoryContextSwitchTo(old);
	}
	entry->size = rule->size;
	site->last = entry;
	return entry;
}

CrmRuleSite *
crm_rule_make_site(MemoryContext context)
{
	CrmRuleSite *site = MemoryContextAllocZero(context, sizeof(CrmRuleSite));

	site->context = context;
	return site;
}

/*
 * Makes the site one for rows of the type, as the type is now; before a row is
 * stored, as that would go with what is forgotten.
 */
static void
fit_site(CrmRuleSite *site, Oid type, int32 typmod)
{
	if (site->row == NULL || site->row->type != type || site->row->typmod != typmod ||
		site->row->identifier != assign_record_type_identifier(type, typmod) ||
		hash_get_num_entries(site->rules) >= CALL_RULES)
		forget_rules(site, type, typmod);
}

CrmRuleRow *
crm_rule_site_row(CrmRuleSite *site, Oid type, int32 typmod, HeapTuple tuple, TimestampTz as_of)
{
	fit_site(site, type, typmod);
	crm_rule_set_as_of(site->row, as_of);
	ResetExprContext(site->row->econtext);
	ExecStoreHeapTuple(tuple, site->row->slot, false);
	return site->row;
}

bool
crm_rule_site_holds(CrmRuleSite *site, const CrmRule *rule)
{
	bool		isnull;
	Datum		result = crm_rule_run(site->row, call_rule(site, rule)->state, &isnull);

	return !isnull && DatumGetBool(result);
}

static Datum
evaluate(FunctionCallInfo fcinfo, TimestampTz as_of)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	CrmRuleSite *site = flinfo->fn_extra;
	CrmRule		rule = PG_GETARG_CRM_RULE(1);
	CallRule   *ready;
	Oid			type;
	int32		typmod;
	Datum		result;
	bool		isnull;

	crm_rule_row_type(fcinfo, 0, &type, &typmod);
	if (site == NULL)
		flinfo->fn_extra = site = crm_rule_make_site(flinfo->fn_mcxt);
	fit_site(site, type, typmod);
	ready = call_rule(site, &rule);
	crm_rule_set_as_of(site->row, as_of);
	crm_rule_store_row(site->row, fcinfo, 0);
	result = crm_rule_run(site->row, ready->state, &isnull);
	ExecClearTuple(site->row->slot);
	PG_FREE_IF_COPY(rule.value, 1);
	if (isnull)
		PG_RETURN_NULL();
	return result;
}

PG_FUNCTION_INFO_V1(crm_rule_match);
PG_FUNCTION_INFO_V1(crm_rule_evaluate);

/* row @@ rule */
Datum
crm_rule_match(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	return evaluate(fcinfo, GetCurrentTransactionStartTimestamp());
}

/* crm.rule_eval(row, rule, as_of) */
Datum
crm_rule_evaluate(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	return evaluate(fcinfo, PG_GETARG_TIMESTAMPTZ(2));
}
