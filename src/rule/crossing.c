/*
 * crossing.c
 *		Whose truth may change merely because time passes.
 *
 * Between two moments a rule can change for those rows only of which some
 * comparison with the clock changes.  Where one side of a comparison is the
 * clock alone, moved by a constant, these are the rows whose other side lies
 * between its values at the two moments: a range, which an index serves.  Of
 * other comparisons the answers at the two moments are compared.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "crm.h"
#include "rule/compile.h"
#include "rule/event.h"

typedef struct Crossing
{
	StringInfo	out;
	CrmRuleScope *scope;
	const uint8_t *end;
	const char *alias;
	const char *since;			/* SQL */
	const char *until;
	bool		any;			/* a condition was written */
} Crossing;

/* What a node has in it. */
typedef struct Contents
{
	bool		clock;
	bool		field;
} Contents;

static const uint8_t *
look(const uint8_t *position, const uint8_t *end, Contents *contents)
{
	CrmRuleNode node;

	check_stack_depth();
	if (!crm_rule_node(position, end, &node))
		crm_rule_damaged();
	contents->clock = contents->clock || node.kind == CRM_RULE_NOW || node.kind == CRM_RULE_CURRENT_DATE;
	contents->field = contents->field || node.kind == CRM_RULE_FIELD || node.kind == CRM_RULE_KEY;
	if (node.children == 0)
		return crm_rule_skip(position, end);
	position = node.first;
	for (int i = 0; i < node.children; i++)
		position = look(position, end, contents);
	return position;
}

static Contents
contents_of(const uint8_t *position, const uint8_t *end)
{
	Contents	contents = {false, false};

	look(position, end, &contents);
	return contents;
}

static void
begin_condition(Crossing *crossing)
{
	if (crossing->any)
		appendStringInfoString(crossing->out, " OR ");
	crossing->any = true;
}

static void
write_operand(Crossing *crossing, const uint8_t *operand, const char *as_of)
{
	appendStringInfoChar(crossing->out, '(');
	crm_rule_operand_text(operand, crossing->end, crossing->scope, crossing->alias, as_of, crossing->out);
	appendStringInfoChar(crossing->out, ')');
}

/*
 * field BETWEEN least(clock) AND greatest(clock), and two hours to each side:
 * where clocks are set an interval of days is not steady.
 */
static bool
write_range(Crossing *crossing, const uint8_t *field, const uint8_t *clock)
{
	CrmRuleCompiled compiled;
	const char *slack;

	if (contents_of(field, crossing->end).clock || contents_of(clock, crossing->end).field)
		return false;
	crm_rule_compile_operand(clock, crossing->end, crossing->scope, &compiled);
	switch (exprType((Node *) compiled.expr))
	{
		case TIMESTAMPTZOID:
		case TIMESTAMPOID:
			slack = "interval '2 hours'";
			break;
		case DATEOID:
			slack = "1";
			break;
		default:
			return false;
	}
	begin_condition(crossing);
	write_operand(crossing, field, crossing->until);
	for (int side = 0; side < 2; side++)
	{
		appendStringInfoString(crossing->out, side == 0 ? " BETWEEN least(" : " AND greatest(");
		write_operand(crossing, clock, crossing->since);
		appendStringInfoString(crossing->out, ", ");
		write_operand(crossing, clock, crossing->until);
		appendStringInfo(crossing->out, ") %c %s", side == 0 ? '-' : '+', slack);
	}
	return true;
}

static void
write_difference(Crossing *crossing, const uint8_t *leaf)
{
	begin_condition(crossing);
	write_operand(crossing, leaf, crossing->since);
	appendStringInfoString(crossing->out, " IS DISTINCT FROM ");
	write_operand(crossing, leaf, crossing->until);
}

/* Contacts one of whose events comes into the span, or leaves it. */
static void
write_events(Crossing *crossing, const CrmRuleNode *node)
{
	CrmEvent	event;
	bool		nullable;
	MemoryContext caller = CurrentMemoryContext;
	StringInfo	out = crossing->out;

	begin_condition(crossing);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	crm_event_find(node->string, node->length, &event);
	MemoryContextSwitchTo(caller);
	if (crossing->alias != NULL)
		appendStringInfo(out, "%s.", quote_identifier(crossing->alias));
	appendStringInfo(out, "%s IN (SELECT %s FROM %s e WHERE (%s BETWEEN least(%s, %s) AND greatest(%s, %s)",
					 quote_identifier(crm_rule_contact_field(crossing->scope, &nullable)),
					 event.contact, event.relation, event.at,
					 crossing->since, crossing->until, crossing->since, crossing->until);
	if (node->op & CRM_RULE_DID_WITHIN)
	{
		const char *span = quote_literal_cstr(pnstrdup(node->string2, node->length2));

		appendStringInfo(out, " OR %s BETWEEN least(%s, %s) - interval %s - interval '2 hours' AND greatest(%s, %s) - interval %s + interval '2 hours'",
						 event.at, crossing->since, crossing->until, span, crossing->since, crossing->until, span);
	}
	appendStringInfoChar(out, ')');
	if (event.filter != NULL)
		appendStringInfo(out, " AND (%s)", event.filter);
	appendStringInfoChar(out, ')');
	SPI_finish();
}

static const uint8_t *
cross_node(Crossing *crossing, const uint8_t *position)
{
	const uint8_t *end = crossing->end;
	CrmRuleNode node;

	check_stack_depth();
	if (!crm_rule_node(position, end, &node))
		crm_rule_damaged();
	switch (node.kind)
	{
		case CRM_RULE_AND:
		case CRM_RULE_OR:
		case CRM_RULE_NOT:
			position = node.first;
			for (int i = 0; i < node.children; i++)
				position = cross_node(crossing, position);
			return position;
		case CRM_RULE_DID:
			write_events(crossing, &node);
			break;
		case CRM_RULE_COMPARE:
			{
				const uint8_t *left = node.first;
				const uint8_t *right = crm_rule_skip(left, end);

				if (contents_of(position, end).clock &&
					!write_range(crossing, left, right) && !write_range(crossing, right, left))
					write_difference(crossing, position);
				break;
			}
		case CRM_RULE_BETWEEN:
			{
				const uint8_t *value = node.first;
				const uint8_t *low = crm_rule_skip(value, end);
				const uint8_t *high = crm_rule_skip(low, end);
				int			start = crossing->out->len;
				bool		any = crossing->any;

				if (!contents_of(position, end).clock)
					break;
				if ((!contents_of(low, end).clock || write_range(crossing, value, low)) &&
					(!contents_of(high, end).clock || write_range(crossing, value, high)) &&
					!contents_of(value, end).clock)
					break;
				crossing->out->len = start;
				crossing->out->data[start] = '\0';
				crossing->any = any;
				write_difference(crossing, position);
				break;
			}
		default:
			if (contents_of(position, end).clock)
				write_difference(crossing, position);
			break;
	}
	return crm_rule_skip(position, end);
}

PG_FUNCTION_INFO_V1(crm_rule_crossing_sql);

/* crm.rule_crossing_sql(rule, relation, since, until, alias) */
Datum
crm_rule_crossing_sql(PG_FUNCTION_ARGS)
{
	CrmRule		rule;
	CrmRuleScope scope;
	CrmRuleCompiled compiled;
	StringInfoData sql;
	Oid			row_type;
	Crossing	crossing = {&sql, &scope};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
		PG_RETURN_NULL();
	rule = PG_GETARG_CRM_RULE(0);
	row_type = get_rel_type_id(PG_GETARG_OID(1));
	if (!OidIsValid(row_type))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("relation with OID %u has no rows that a rule could be about", PG_GETARG_OID(1))));
	crm_rule_scope_of_type(row_type, -1, &scope);
	crm_rule_compile(rule.root, rule.end, &scope, &compiled);	/* raises what is wrong */
	initStringInfo(&sql);
	crossing.end = rule.end;
	crossing.since = psprintf("timestamptz '%s'", pstrdup(timestamptz_to_str(PG_GETARG_TIMESTAMPTZ(2))));
	crossing.until = psprintf("timestamptz '%s'", pstrdup(timestamptz_to_str(PG_GETARG_TIMESTAMPTZ(3))));
	crossing.alias = PG_ARGISNULL(4) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(4));
	cross_node(&crossing, rule.root);
	if (!crossing.any)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(sql.data, sql.len));
}
