/*
 * next_change.c
 *		The moment at which a rule may say something else of an unchanged row.
 *
 * Looks at what depends on the clock: comparisons in which one side is now()
 * or current_date with spans added and subtracted, and did().  The earliest
 * change of any of them is the answer; whether it changes the whole rule is
 * not asked.  Forms that are not understood change at once, or with the day
 * when they only know the date: too early is a wasted evaluation, too late a
 * wrong segment.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "crm.h"
#include "rule/eval.h"
#include "rule/flip.h"
#include "rule/predicate.h"

/* How an operand depends on the clock. */
typedef enum Dependence
{
	NONE,
	LINEAR_DATE,				/* current_date, with spans */
	LINEAR_NOW,					/* now(), with spans */
	OTHER_DATE,					/* current_date in another way */
	OTHER_NOW
} Dependence;

typedef enum ChangeKind
{
	ITEM_COMPARE,
	ITEM_DATE,					/* whenever the date changes */
	ITEM_AT_ONCE,
	ITEM_DID
} ChangeKind;

/* What may change by the clock. */
typedef struct Change
{
	ChangeKind	kind;
	CrmRuleRow *row;
	ExprState  *holds;			/* of COMPARE */
	bool		by_date;
	int			places;
	ExprState  *place[CRM_FLIP_PARTS];
	Oid			place_type[CRM_FLIP_PARTS];
	int			spans;
	ExprState  *span[CRM_FLIP_PARTS];
	CrmRuleNode did;			/* of DID */
	ExprState  *within;
	int			contact;		/* number of the field */
	Interval	interval;		/* at work: within, and the event */
	TimestampTz event;
} Change;

typedef struct ChangePlan
{
	CrmRuleRow *row;
	size_t		size;			/* of the rule */
	uint8_t    *bytes;
	List	   *items;
} ChangePlan;

typedef struct ChangePlanner
{
	ChangePlan	   *plan;
	const uint8_t *end;
} ChangePlanner;

/* ---- what depends how ---- */

static Dependence
worse(Dependence a)
{
	return a == LINEAR_DATE ? OTHER_DATE : a == LINEAR_NOW ? OTHER_NOW : a;
}

static Dependence
dependence(const uint8_t *position, const uint8_t *end)
{
	CrmRuleNode node;
	Dependence	left;
	Dependence	right;

	if (!crm_rule_node(position, end, &node))
		crm_rule_damaged();
	switch (node.kind)
	{
		case CRM_RULE_NOW:
			return LINEAR_NOW;
		case CRM_RULE_CURRENT_DATE:
			return LINEAR_DATE;
		case CRM_RULE_NEGATE:
			return dependence(node.first, end);
		case CRM_RULE_ARITHMETIC:
			left = dependence(node.first, end);
			right = dependence(crm_rule_skip(node.first, end), end);
			if (left == NONE && right == NONE)
				return NONE;
			if ((node.op == '+' || node.op == '-') && (left == NONE || right == NONE))
				return Max(left, right);
			return Max(worse(left), worse(right));
		default:
			return NONE;		/* conditions within are looked at by themselves */
	}
}

/* ---- planning ---- */

static Change *
add_item(ChangePlanner *planner, ChangeKind kind)
{
	Change	   *item = palloc0(sizeof(Change));

	item->kind = kind;
	item->row = planner->plan->row;
	planner->plan->items = lappend(planner->plan->items, item);
	return item;
}

/* Partial results on the way from the clock, and the spans added on it. */
static void
plan_parts(ChangePlanner *planner, Change *item, const uint8_t *position)
{
	CrmRuleNode node;
	CrmRuleCompiled compiled;
	Oid			type;
	bool		moves = dependence(position, planner->end) != NONE;

	if (!crm_rule_node(position, planner->end, &node))
		crm_rule_damaged();
	crm_rule_compile_operand(position, planner->end, &item->row->scope, &compiled);
	type = exprType((Node *) compiled.expr);
	if (item->places == CRM_FLIP_PARTS || item->spans == CRM_FLIP_PARTS)
	{
		item->kind = ITEM_AT_ONCE;
		return;
	}
	if (!moves)
	{
		if (type == INTERVALOID)
			item->span[item->spans++] = crm_rule_prepare(item->row, compiled.expr);
		return;
	}
	if (type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == DATEOID)
	{
		item->place_type[item->places] = type;
		item->place[item->places++] = crm_rule_prepare(item->row, compiled.expr);
	}
	if (node.kind == CRM_RULE_ARITHMETIC || node.kind == CRM_RULE_NEGATE)
	{
		position = node.first;
		for (int i = 0; i < node.children; i++)
		{
			plan_parts(planner, item, position);
			position = crm_rule_skip(position, planner->end);
		}
	}
}

static void
plan_one(ChangePlanner *planner, const uint8_t *left, const uint8_t *right, CrmRuleCompare op, const uint8_t *moving,
		 bool by_date)
{
	Change	   *item = add_item(planner, ITEM_COMPARE);
	CrmRuleCompiled compiled;

	crm_rule_compile_compare(left, right, planner->end, op, &item->row->scope, &compiled);
	item->holds = crm_rule_prepare(item->row, compiled.expr);
	item->by_date = by_date;
	plan_parts(planner, item, moving);
}

/* A comparison: of = the bounds of the time in which it holds. */
static void
plan_pair(ChangePlanner *planner, const uint8_t *left, const uint8_t *right, CrmRuleCompare op)
{
	Dependence	a = dependence(left, planner->end);
	Dependence	b = dependence(right, planner->end);
	Dependence	most = Max(a, b);
	const uint8_t *moving = a != NONE ? left : right;
	bool		by_date = most == LINEAR_DATE;

	if (most == NONE)
		return;
	if ((a != NONE && b != NONE) || most >= OTHER_DATE)
	{
		bool		date_only = (a == NONE || a == LINEAR_DATE || a == OTHER_DATE) &&
			(b == NONE || b == LINEAR_DATE || b == OTHER_DATE);

		add_item(planner, date_only ? ITEM_DATE : ITEM_AT_ONCE);
		return;
	}
	if (op == CRM_RULE_EQ || op == CRM_RULE_NE)
	{
		plan_one(planner, left, right, CRM_RULE_LT, moving, by_date);
		plan_one(planner, left, right, CRM_RULE_LE, moving, by_date);
	}
	else
		plan_one(planner, left, right, op, moving, by_date);
}

static void
plan_did(ChangePlanner *planner, const CrmRuleNode *node)
{
	Change	   *item = add_item(planner, ITEM_DID);
	bool		nullable;
	const char *field = crm_rule_contact_field(&item->row->scope, &nullable);

	item->did = *node;
	item->contact = crm_rule_find_field(&item->row->scope, field, strlen(field));
	if (node->op & CRM_RULE_DID_WITHIN)
		item->interval = *DatumGetIntervalP(DirectFunctionCall3(interval_in,
																CStringGetDatum(pnstrdup(node->string2, node->length2)),
																ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

static const uint8_t *
plan_node(ChangePlanner *planner, const uint8_t *position)
{
	CrmRuleNode node;
	const uint8_t *first;
	const uint8_t *child;

	if (!crm_rule_node(position, planner->end, &node))
		crm_rule_damaged();
	first = node.first;
	child = first;
	if (node.kind == CRM_RULE_DID)
		plan_did(planner, &node);
	for (int i = 0; i < node.children; i++)
	{
		switch (node.kind)
		{
			case CRM_RULE_COMPARE:
				if (i == 1)
					plan_pair(planner, first, child, node.op);
				break;
			case CRM_RULE_IN:
				if (i > 0)
					plan_pair(planner, first, child, CRM_RULE_EQ);
				break;
			case CRM_RULE_BETWEEN:
				if (i > 0)
					plan_pair(planner, first, child, i == 1 ? CRM_RULE_GE : CRM_RULE_LE);
				break;
			case CRM_RULE_LIKE:
				if (dependence(child, planner->end) != NONE)
					add_item(planner, ITEM_AT_ONCE);
				break;
			default:
				break;
		}
		child = plan_node(planner, child);
	}
	return child;
}

/* The plan of a call site, made anew when the rule or the row type is another. */
static ChangePlan *
get_plan(FunctionCallInfo fcinfo, const CrmRule *rule, Oid type, int32 typmod)
{
	ChangePlan	   *plan = fcinfo->flinfo->fn_extra;
	ChangePlanner		planner;
	CrmRuleRow *row;
	MemoryContext old;

	if (plan != NULL && plan->row->type == type && plan->row->typmod == typmod &&
		plan->row->identifier == assign_record_type_identifier(type, typmod) &&
		plan->size == rule->size && memcmp(plan->bytes, rule->bytes, rule->size) == 0)
		return plan;
	if (plan != NULL)
	{
		fcinfo->flinfo->fn_extra = NULL;
		crm_rule_drop_row(plan->row);
	}
	row = crm_rule_make_row(type, typmod, fcinfo->flinfo->fn_mcxt);
	old = MemoryContextSwitchTo(row->context);
	plan = palloc0(sizeof(ChangePlan));
	plan->row = row;
	plan->size = rule->size;
	plan->bytes = palloc(rule->size);
	memcpy(plan->bytes, rule->bytes, rule->size);
	planner.plan = plan;
	planner.end = plan->bytes + plan->size;
	{
		CrmRuleCompiled compiled;

		/* raises what is wrong with the rule */
		crm_rule_compile(plan->bytes + CRM_RULE_HEADER, planner.end, &row->scope, &compiled);
	}
	plan_node(&planner, plan->bytes + CRM_RULE_HEADER);
	MemoryContextSwitchTo(old);
	fcinfo->flinfo->fn_extra = plan;
	return plan;
}

/* ---- running ---- */

static Datum
run_at(Change *item, ExprState *state, TimestampTz at, bool *isnull)
{
	crm_rule_set_as_of(item->row, at);
	ResetExprContext(item->row->econtext);
	return crm_rule_run(item->row, state, isnull);
}

static int
item_holds(void *context, TimestampTz at)
{
	Change	   *item = context;
	bool		isnull;
	Datum		value = run_at(item, item->holds, at, &isnull);

	return isnull ? -1 : DatumGetBool(value);
}

static bool
item_place(void *context, int number, TimestampTz at, TimestampTz *place)
{
	Change	   *item = context;
	bool		isnull;
	Datum		value = run_at(item, item->place[number], at, &isnull);

	if (isnull)
		return false;
	if (item->place_type[number] == DATEOID)
	{
		DateADT		date = DatumGetDateADT(value);

		if (DATE_NOT_FINITE(date) || date > TIMESTAMP_END_JULIAN - POSTGRES_EPOCH_JDATE - 2)
			return false;
		*place = date * USECS_PER_DAY;
	}
	else
		*place = DatumGetTimestampTz(value);
	return !TIMESTAMP_NOT_FINITE(*place);
}

static TimestampTz
next_compare(Change *item, TimestampTz as_of)
{
	CrmFlip		flip = {.holds = item_holds, .place = item_place, .context = item,
		.places = item->places, .day_spans = item->by_date ? 1 : 0, .several = item->spans > 1};

	for (int i = 0; i < item->spans; i++)
	{
		bool		isnull;
		Datum		value = run_at(item, item->span[i], as_of, &isnull);
		Interval   *span;

		if (isnull)
			return DT_NOEND;
		span = DatumGetIntervalP(value);
		flip.month_spans += span->month != 0;
		flip.day_spans += span->day != 0;
	}
	/* a timestamp without time zone is the clock on the wall, which may be set back */
	for (int i = 0; i < item->places; i++)
		flip.day_spans += item->place_type[i] != TIMESTAMPTZOID;
	return crm_flip_next(&flip, as_of);
}

/* Whether the event is out of the span at the moment. */
static int
event_is_over(void *context, TimestampTz at)
{
	Change	   *item = context;
	TimestampTz begin = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval, TimestampTzGetDatum(at),
																IntervalPGetDatum(&item->interval)));

	return item->event <= begin;
}

static bool
span_begin(void *context, int number, TimestampTz at, TimestampTz *place)
{
	Change	   *item = context;

	*place = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval, TimestampTzGetDatum(at),
													 IntervalPGetDatum(&item->interval)));
	return true;
}

static TimestampTz
next_did(Change *item, TimestampTz as_of)
{
	const CrmRuleNode *did = &item->did;
	bool		isnull;
	Datum		value = slot_getattr(item->row->slot, item->contact + 1, &isnull);
	Oid			type = TupleDescAttr(item->row->desc, item->contact)->atttypid;
	int64		contact;
	int64		counts[2];
	TimestampTz next = DT_NOEND;
	TimestampTz at;

	if (isnull || TIMESTAMP_NOT_FINITE(as_of))
		return DT_NOEND;
	type = getBaseType(type);
	contact = type == INT8OID ? DatumGetInt64(value) : type == INT4OID ? DatumGetInt32(value) : DatumGetInt16(value);
	/* What is to come counts when it comes. */
	if (crm_event_next(did->string, did->length, contact, as_of, &at))
		next = at;
	if (!(did->op & CRM_RULE_DID_WITHIN))
		return next;
	/*
	 * There are fewer than n events in the span when the n-th latest is not in
	 * it: the number falls below at_least, or to at_most.
	 */
	counts[0] = (did->op & CRM_RULE_DID_AT_LEAST) ? did->at_least : (did->op & CRM_RULE_DID_AT_MOST) ? 0 : 1;
	counts[1] = (did->op & CRM_RULE_DID_AT_MOST) ? (int64) did->at_most + 1 : 0;
	for (int i = 0; i < 2; i++)
	{
		CrmFlip		flip = {.holds = event_is_over, .place = span_begin, .context = item, .places = 1,
			.month_spans = item->interval.month != 0, .day_spans = item->interval.day != 0};

		if (counts[i] < 1 ||
			!crm_event_latest(did->string, did->length, contact, as_of, counts[i], &item->event))
			continue;
		at = crm_flip_next(&flip, as_of);
		next = Min(next, at);
	}
	return next;
}

PG_FUNCTION_INFO_V1(crm_rule_next_change);

/* crm.rule_next_change(row, rule, as_of) */
Datum
crm_rule_next_change(PG_FUNCTION_ARGS)
{
	CrmRule		rule;
	ChangePlan	   *plan;
	Oid			type;
	int32		typmod;
	TimestampTz as_of;
	TimestampTz next = DT_NOEND;
	ListCell   *cell;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	rule = PG_GETARG_CRM_RULE(1);
	as_of = PG_GETARG_TIMESTAMPTZ(2);
	crm_rule_row_type(fcinfo, 0, &type, &typmod);
	plan = get_plan(fcinfo, &rule, type, typmod);
	crm_rule_store_row(plan->row, fcinfo, 0);
	foreach(cell, plan->items)
	{
		Change	   *item = lfirst(cell);
		TimestampTz change = DT_NOEND;

		switch (item->kind)
		{
			case ITEM_COMPARE:
				change = next_compare(item, as_of);
				break;
			case ITEM_DATE:
				change = crm_flip_next_date(as_of);
				break;
			case ITEM_AT_ONCE:
				if (!TIMESTAMP_NOT_FINITE(as_of))
					change = as_of + 1;
				break;
			case ITEM_DID:
				change = next_did(item, as_of);
				break;
		}
		next = Min(next, change);
	}
	ExecClearTuple(plan->row->slot);
	PG_RETURN_TIMESTAMPTZ(next);
}
