/*
 * explain.c
 *		What a rule consists of, whether it fits a relation, and what it says
 *		of a row.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/tuplestore.h"

#include "crm.h"
#include "rule/eval.h"
#include "rule/predicate.h"

/* ---- walking ---- */

typedef void (*Visit) (const CrmRuleNode *node, const uint8_t *end, int depth, void *context);

/*
 * Visits the conditions: what stands between and, or and not.  A literal is
 * one, too, where a condition is expected.
 */
static const uint8_t *
each_condition(const uint8_t *position, const uint8_t *end, int depth, Visit visit, void *context)
{
	CrmRuleNode node;

	if (!crm_rule_node(position, end, &node))
		crm_rule_damaged();
	if (node.kind != CRM_RULE_AND && node.kind != CRM_RULE_OR && node.kind != CRM_RULE_NOT)
	{
		visit(&node, end, depth, context);
		return crm_rule_skip(position, end);
	}
	position = node.first;
	for (int i = 0; i < node.children; i++)
		position = each_condition(position, end, depth + 1, visit, context);
	return position;
}

/* Visits every node. */
static const uint8_t *
each_node(const uint8_t *position, const uint8_t *end, int depth, Visit visit, void *context)
{
	CrmRuleNode node;

	if (!crm_rule_node(position, end, &node))
		crm_rule_damaged();
	visit(&node, end, depth, context);
	position = node.first;
	for (int i = 0; i < node.children; i++)
		position = each_node(position, end, depth + 1, visit, context);
	return position;
}

/* ---- what a rule depends on ---- */

typedef struct Dependencies
{
	List	   *kinds;			/* constant strings */
	List	   *names;			/* allocated strings */
} Dependencies;

static void
depend(Dependencies *dependencies, const char *kind, const char *bytes, size_t length)
{
	ListCell   *k;
	ListCell   *n;

	forboth(k, dependencies->kinds, n, dependencies->names)
	{
		if (strcmp(lfirst(k), kind) == 0 && strlen(lfirst(n)) == length && memcmp(lfirst(n), bytes, length) == 0)
			return;
	}
	dependencies->kinds = lappend(dependencies->kinds, (void *) kind);
	dependencies->names = lappend(dependencies->names, pnstrdup(bytes, length));
}

static void
collect(const CrmRuleNode *node, const uint8_t *end, int depth, void *context)
{
	Dependencies *dependencies = context;

	switch (node->kind)
	{
		case CRM_RULE_FIELD:
			depend(dependencies, "field", node->string, node->length);
			break;
		case CRM_RULE_KEY:
			depend(dependencies, "field", node->string, node->length);
			depend(dependencies, "key", node->string2, node->length2);
			break;
		case CRM_RULE_HAS_TAG:
			depend(dependencies, "tag", node->string, node->length);
			break;
		case CRM_RULE_IN_SEGMENT:
			depend(dependencies, "segment", node->string, node->length);
			break;
		case CRM_RULE_DID:
			depend(dependencies, "event", node->string, node->length);
			depend(dependencies, "clock", "now", 3);
			break;
		case CRM_RULE_NOW:
			depend(dependencies, "clock", "now", 3);
			break;
		case CRM_RULE_CURRENT_DATE:
			depend(dependencies, "clock", "current_date", 12);
			break;
		default:
			break;
	}
}

PG_FUNCTION_INFO_V1(crm_rule_fields);
PG_FUNCTION_INFO_V1(crm_rule_dependencies);
PG_FUNCTION_INFO_V1(crm_rule_check);
PG_FUNCTION_INFO_V1(crm_rule_explain);

/* crm.rule_fields(rule) */
Datum
crm_rule_fields(PG_FUNCTION_ARGS)
{
	CrmRule		rule = PG_GETARG_CRM_RULE(0);
	Dependencies dependencies = {NIL, NIL};
	Datum	   *fields;
	int			count = 0;
	ListCell   *k;
	ListCell   *n;

	each_node(rule.root, rule.end, 0, collect, &dependencies);
	fields = palloc_array(Datum, list_length(dependencies.names) + 1);
	forboth(k, dependencies.kinds, n, dependencies.names)
	{
		if (strcmp(lfirst(k), "field") == 0)
			fields[count++] = CStringGetTextDatum(lfirst(n));
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(fields, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* crm.rule_dependencies(rule) */
Datum
crm_rule_dependencies(PG_FUNCTION_ARGS)
{
	CrmRule		rule = PG_GETARG_CRM_RULE(0);
	ReturnSetInfo *result;
	Dependencies dependencies = {NIL, NIL};
	ListCell   *k;
	ListCell   *n;

	InitMaterializedSRF(fcinfo, 0);
	result = (ReturnSetInfo *) fcinfo->resultinfo;
	each_node(rule.root, rule.end, 0, collect, &dependencies);
	forboth(k, dependencies.kinds, n, dependencies.names)
	{
		Datum		values[2] = {CStringGetTextDatum(lfirst(k)), CStringGetTextDatum(lfirst(n))};
		bool		nulls[2] = {false, false};

		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* ---- does it fit ---- */

typedef struct Checker
{
	ReturnSetInfo *result;
	CrmRuleScope scope;
} Checker;

/*
 * Does something that may raise: NULL, or the error, without a trace of it left
 * behind.
 */
static ErrorData *
attempt(void (*step) (void *argument), void *argument)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		step(argument);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	/* What the user asked to stop, stops. */
	if (error != NULL && ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION)
		ReThrowError(error);
	return error;
}

typedef struct Look
{
	const CrmRuleNode *node;
	const uint8_t *end;
	CrmRuleScope *scope;
} Look;

static void
compile_node(void *argument)
{
	Look	   *look = argument;
	CrmRuleCompiled compiled;

	crm_rule_compile(look->node->start, look->end, look->scope, &compiled);
	/* constants are computed here: what cannot be is wrong, too */
	(void) expression_planner(compiled.expr);
}

static void
find_names(void *argument)
{
	crm_rule_find_names(((Look *) argument)->node);
}

static void
tell(Checker *checker, const CrmRuleNode *node, const uint8_t *end, ErrorData *error)
{
	Datum		values[4];
	bool		nulls[4] = {false, false, false, false};

	values[0] = CStringGetTextDatum(unpack_sql_state(error->sqlerrcode));
	values[1] = CStringGetTextDatum(crm_rule_node_text(node->start, end));
	values[2] = CStringGetTextDatum(error->detail == NULL ? error->message :
									psprintf("%s. %s", error->message, error->detail));
	nulls[3] = error->hint == NULL;
	if (error->hint != NULL)
		values[3] = CStringGetTextDatum(error->hint);
	tuplestore_putvalues(checker->result->setResult, checker->result->setDesc, values, nulls);
}

static void
check_condition(const CrmRuleNode *node, const uint8_t *end, int depth, void *context)
{
	Checker    *checker = context;
	Look		look = {node, end, &checker->scope};
	ErrorData  *error = attempt(compile_node, &look);

	if (error != NULL)
		tell(checker, node, end, error);
}

/* Whether what in_segment() and did() name exists. */
static void
check_names(const CrmRuleNode *node, const uint8_t *end, int depth, void *context)
{
	Look		look = {node, end, NULL};
	ErrorData  *error;

	if (node->kind != CRM_RULE_IN_SEGMENT && node->kind != CRM_RULE_DID)
		return;
	error = attempt(find_names, &look);
	if (error != NULL)
		tell(context, node, end, error);
}

/* crm.rule_check(rule, relation) */
Datum
crm_rule_check(PG_FUNCTION_ARGS)
{
	CrmRule		rule = PG_GETARG_CRM_RULE(0);
	Oid			row_type = get_rel_type_id(PG_GETARG_OID(1));
	Checker		checker;

	if (!OidIsValid(row_type))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("relation with OID %u has no rows that a rule could be about", PG_GETARG_OID(1))));
	InitMaterializedSRF(fcinfo, 0);
	memset(&checker, 0, sizeof(checker));
	checker.result = (ReturnSetInfo *) fcinfo->resultinfo;
	crm_rule_scope_of_type(row_type, -1, &checker.scope);
	each_condition(rule.root, rule.end, 0, check_condition, &checker);
	each_node(rule.root, rule.end, 0, check_names, &checker);
	return (Datum) 0;
}

/* ---- why is this row in or out ---- */

typedef struct Explainer
{
	ReturnSetInfo *result;
	CrmRuleRow *row;
	int			number;
} Explainer;

typedef struct Values
{
	CrmRuleRow *row;
	JsonbParseState *state;
	List	   *seen;
} Values;

/* The value of a field as JSON: numbers and booleans as such, others as text. */
static void
push_value(JsonbParseState **state, Oid type, Datum value, bool isnull)
{
	JsonbValue	json;
	Oid			output;
	bool		varlena;
	char	   *text;

	if (isnull)
	{
		json.type = jbvNull;
		pushJsonbValue(state, WJB_VALUE, &json);
		return;
	}
	type = getBaseType(type);
	if (type == BOOLOID)
	{
		json.type = jbvBool;
		json.val.boolean = DatumGetBool(value);
		pushJsonbValue(state, WJB_VALUE, &json);
		return;
	}
	if (type == DATEOID || type == TIMESTAMPOID || type == TIMESTAMPTZOID)
	{
		/* as to_jsonb() does, whatever the session's style */
		text = palloc(MAXDATELEN + 1);
		JsonEncodeDateTime(text, value, type, NULL);
	}
	else
	{
		getTypeOutputInfo(type, &output, &varlena);
		text = OidOutputFunctionCall(output, value);
	}
	if ((type == INT2OID || type == INT4OID || type == INT8OID || type == NUMERICOID) &&
		strspn(text, "-0123456789.") == strlen(text))
	{
		json.type = jbvNumeric;
		json.val.numeric = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(text),
															   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	}
	else
	{
		json.type = jbvString;
		json.val.string.val = text;
		json.val.string.len = strlen(text);
	}
	pushJsonbValue(state, WJB_VALUE, &json);
}

static void
push_field(const CrmRuleNode *node, const uint8_t *end, int depth, void *context)
{
	Values	   *values = context;
	CrmRuleRow *row = values->row;
	JsonbValue	key;
	int			number;
	Datum		value;
	bool		isnull;
	char	   *name;
	ListCell   *cell;

	if (node->kind != CRM_RULE_FIELD && node->kind != CRM_RULE_KEY)
		return;
	name = crm_rule_node_text(node->start, end);
	foreach(cell, values->seen)
	{
		if (strcmp(lfirst(cell), name) == 0)
			return;
	}
	values->seen = lappend(values->seen, name);
	number = crm_rule_find_field(&row->scope, node->string, node->length);
	if (number < 0)
		crm_rule_no_field(&row->scope, node->string, node->length);
	/* a field by its bare name, a key as in the rule */
	if (node->kind == CRM_RULE_FIELD)
		name = pnstrdup(node->string, node->length);
	key.type = jbvString;
	key.val.string.val = name;
	key.val.string.len = strlen(name);
	pushJsonbValue(&values->state, WJB_KEY, &key);
	if (node->kind == CRM_RULE_FIELD)
	{
		value = slot_getattr(row->slot, number + 1, &isnull);
		push_value(&values->state, TupleDescAttr(row->desc, number)->atttypid, value, isnull);
	}
	else
	{
		CrmRuleCompiled compiled;
		ExprState  *state;

		crm_rule_compile_operand(node->start, end, &row->scope, &compiled);
		state = crm_rule_prepare(row, compiled.expr);
		value = crm_rule_run(row, state, &isnull);
		push_value(&values->state, TEXTOID, value, isnull);
	}
}

/* The values of the fields of a node as a JSON object. */
static Jsonb *
node_values(CrmRuleRow *row, const CrmRuleNode *node, const uint8_t *end)
{
	Values		fields = {row, NULL, NIL};

	pushJsonbValue(&fields.state, WJB_BEGIN_OBJECT, NULL);
	each_node(node->start, end, 0, push_field, &fields);
	return JsonbValueToJsonb(pushJsonbValue(&fields.state, WJB_END_OBJECT, NULL));
}

/* What a condition by itself says of the row. */
static Datum
node_truth(CrmRuleRow *row, const CrmRuleNode *node, const uint8_t *end, bool *isnull)
{
	CrmRuleCompiled compiled;

	crm_rule_compile(node->start, end, &row->scope, &compiled);
	return crm_rule_run(row, crm_rule_prepare(row, compiled.expr), isnull);
}

static void
explain_condition(const CrmRuleNode *node, const uint8_t *end, int depth, void *context)
{
	Explainer  *explainer = context;
	Datum		values[5];
	bool		nulls[5] = {false, false, false, false, false};

	values[4] = node_truth(explainer->row, node, end, &nulls[4]);
	values[0] = Int32GetDatum(++explainer->number);
	values[1] = Int32GetDatum(depth);
	values[2] = CStringGetTextDatum(crm_rule_node_text(node->start, end));
	values[3] = JsonbPGetDatum(node_values(explainer->row, node, end));
	tuplestore_putvalues(explainer->result->setResult, explainer->result->setDesc, values, nulls);
}

typedef struct Truth
{
	CrmRuleRow *row;
	const CrmRuleNode *node;
	const uint8_t *end;
	bool		is_true;
	bool		isnull;
} Truth;

static void
find_truth(void *argument)
{
	Truth	   *truth = argument;

	truth->is_true = DatumGetBool(node_truth(truth->row, truth->node, truth->end, &truth->isnull));
}

/*
 * Goes down to the conditions because of which a part of the rule is not as
 * wanted: a part that is has no need to be named, nor has what is below it.
 * Nor has one that cannot be computed: "amount > 0 and 100 / amount > 3" was
 * decided before it came to that.
 */
static const uint8_t *
tell_unmet(CrmRuleRow *row, const uint8_t *position, const uint8_t *end, bool wanted, bool with_values, StringInfo text)
{
	CrmRuleNode node;
	Truth		truth = {row, &node, end};

	check_stack_depth();
	if (!crm_rule_node(position, end, &node))
		crm_rule_damaged();
	if (attempt(find_truth, &truth) != NULL || (!truth.isnull && truth.is_true == wanted))
		return crm_rule_skip(position, end);
	if (node.kind != CRM_RULE_AND && node.kind != CRM_RULE_OR && node.kind != CRM_RULE_NOT)
	{
		Jsonb	   *values = with_values ? node_values(row, &node, end) : NULL;

		appendStringInfo(text, "%s%s%s", text->len > 0 ? ", " : "", wanted ? "" : "not ", crm_rule_node_text(position, end));
		if (values != NULL && JB_ROOT_COUNT(values) > 0)
			appendStringInfo(text, " %s", JsonbToCString(NULL, &values->root, VARSIZE(values)));
		return crm_rule_skip(position, end);
	}
	position = node.first;
	for (int i = 0; i < node.children; i++)
		position = tell_unmet(row, position, end, wanted != (node.kind == CRM_RULE_NOT), with_values, text);
	return position;
}

void
crm_rule_tell_unmet(CrmRuleRow *row, const CrmRule *rule, bool with_values, StringInfo text)
{
	(void) tell_unmet(row, rule->root, rule->end, true, with_values, text);
}

/* crm.explain_rule(row, rule, as_of) */
Datum
crm_rule_explain(PG_FUNCTION_ARGS)
{
	CrmRule		rule;
	Explainer	explainer;
	Oid			type;
	int32		typmod;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		return (Datum) 0;
	rule = PG_GETARG_CRM_RULE(1);
	crm_rule_row_type(fcinfo, 0, &type, &typmod);
	memset(&explainer, 0, sizeof(explainer));
	explainer.result = (ReturnSetInfo *) fcinfo->resultinfo;
	explainer.row = crm_rule_make_row(type, typmod, CurrentMemoryContext);
	crm_rule_store_row(explainer.row, fcinfo, 0);
	crm_rule_set_as_of(explainer.row, PG_GETARG_TIMESTAMPTZ(2));
	each_condition(rule.root, rule.end, 0, explain_condition, &explainer);
	crm_rule_drop_row(explainer.row);
	return (Datum) 0;
}
