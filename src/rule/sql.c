/*
 * sql.c
 *		A rule as plain SQL over the columns of a relation.
 *
 * What the rule says of the row itself is said in the same words, for people
 * to read; operators of schema crm are written with their schema.  Whoever runs
 * the text does so under search_path = pg_catalog, as our functions do: another
 * schema could have an operator that fits the types better.  has_tag(), in_segment()
 * and did() become IN (SELECT ...): run over many rows they are joins or
 * hashed look-ups, not a query a row.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "crm.h"
#include "rule/compile.h"
#include "rule/event.h"

typedef struct Writer
{
	StringInfo	out;
	CrmRuleScope *scope;
	const uint8_t *end;
	const char *alias;
	const char *as_of;			/* SQL */
} Writer;

static const uint8_t *write_node(Writer *writer, const uint8_t *position);

static void
write_literal(Writer *writer, const char *bytes, size_t length)
{
	appendStringInfoString(writer->out, quote_literal_cstr(pnstrdup(bytes, length)));
}

static void
write_field(Writer *writer, const char *name, size_t length)
{
	if (writer->alias != NULL)
		appendStringInfo(writer->out, "%s.", quote_identifier(writer->alias));
	appendStringInfoString(writer->out, quote_identifier(pnstrdup(name, length)));
}

/* A child, in parentheses if it binds less than least. */
static const uint8_t *
write_child(Writer *writer, const uint8_t *position, int least)
{
	CrmRuleNode node;
	bool		parentheses;

	if (!crm_rule_node(position, writer->end, &node))
		crm_rule_damaged();
	parentheses = crm_rule_binding(&node) < least;
	if (parentheses)
		appendStringInfoChar(writer->out, '(');
	position = write_node(writer, position);
	if (parentheses)
		appendStringInfoChar(writer->out, ')');
	return position;
}

/* left OPERATOR(crm.=) right */
static void
write_ours(Writer *writer, const uint8_t *left, const char *op, const uint8_t *right)
{
	write_child(writer, left, CRM_RULE_BINDS_ADD);
	appendStringInfo(writer->out, " OPERATOR(crm.%s) ", op);
	write_child(writer, right, CRM_RULE_BINDS_ADD);
}

/* The forms of comparing when an operand is of one of our types. */
static bool
write_with_our_operator(Writer *writer, const CrmRuleNode *node)
{
	static const char *const like_operators[] = {"~~", "!~~", "~~*", "!~~*"};
	const uint8_t *left = node->first;
	const uint8_t *right;

	if (node->kind != CRM_RULE_COMPARE && node->kind != CRM_RULE_IN &&
		node->kind != CRM_RULE_BETWEEN && node->kind != CRM_RULE_LIKE)
		return false;
	right = crm_rule_skip(left, writer->end);
	if (!crm_rule_is_our_operator(left, right, writer->end, writer->scope))
		return false;
	appendStringInfoChar(writer->out, '(');
	if (node->kind == CRM_RULE_COMPARE)
		write_ours(writer, left, crm_rule_compare_name[node->op], right);
	else if (node->kind == CRM_RULE_LIKE)
		write_ours(writer, left, like_operators[node->op], right);
	else
	{
		bool		between = node->kind == CRM_RULE_BETWEEN;

		for (int i = 1; i < node->children; i++)
		{
			if (i > 1)
				appendStringInfoString(writer->out, between != (node->op != 0) ? " AND " : node->op ? (between ? " OR " : " AND ") : " OR ");
			write_ours(writer, left,
					   between ? (i == 1 ? (node->op ? "<" : ">=") : (node->op ? ">" : "<=")) :
					   (node->op ? "<>" : "="), right);
			right = crm_rule_skip(right, writer->end);
		}
	}
	appendStringInfoChar(writer->out, ')');
	return true;
}

/* ---- predicates ---- */

static void
write_event(Writer *writer, const CrmRuleNode *node)
{
	CrmEvent	event;
	bool		connected;
	MemoryContext caller = CurrentMemoryContext;
	StringInfo	out = writer->out;
	uint32		least = (node->op & CRM_RULE_DID_AT_LEAST) ? node->at_least : (node->op & CRM_RULE_DID_AT_MOST) ? 0 : 1;

	connected = SPI_connect() == SPI_OK_CONNECT;
	if (!connected)
		elog(ERROR, "SPI_connect failed");
	crm_event_find(node->string, node->length, &event);
	MemoryContextSwitchTo(caller);	/* where the text grows */
	appendStringInfo(out, "SELECT %s FROM %s e WHERE %s <= %s", event.contact, event.relation, event.at, writer->as_of);
	if (node->op & CRM_RULE_DID_WITHIN)
	{
		appendStringInfo(out, " AND %s > %s - interval ", event.at, writer->as_of);
		write_literal(writer, node->string2, node->length2);
	}
	if (event.filter != NULL)
		appendStringInfo(out, " AND (%s)", event.filter);
	appendStringInfo(out, " AND %s IS NOT NULL", event.contact);
	if (least == 0)
		appendStringInfo(out, " GROUP BY %s HAVING pg_catalog.count(*) > %u", event.contact, node->at_most);
	else if (node->op & CRM_RULE_DID_AT_MOST)
		appendStringInfo(out, " GROUP BY %s HAVING pg_catalog.count(*) BETWEEN %u AND %u", event.contact, least, node->at_most);
	else if (least > 1)
		appendStringInfo(out, " GROUP BY %s HAVING pg_catalog.count(*) >= %u", event.contact, least);
	SPI_finish();
}

/* (contact_id IN (SELECT ...)); of no contact it is false, not null. */
static void
write_predicate(Writer *writer, const CrmRuleNode *node)
{
	StringInfo	out = writer->out;
	bool		nullable;
	const char *field = crm_rule_contact_field(writer->scope, &nullable);
	bool		never = node->kind == CRM_RULE_DID &&
		((node->op & CRM_RULE_DID_AT_LEAST) ? node->at_least == 0 : (node->op & CRM_RULE_DID_AT_MOST) != 0);

	if (never && !(node->op & CRM_RULE_DID_AT_MOST))
	{
		appendStringInfoString(out, "true");	/* at_least => 0 */
		return;
	}
	appendStringInfoString(out, never ? "(NOT (" : "(");
	if (nullable)
	{
		write_field(writer, field, strlen(field));
		appendStringInfoString(out, " IS NOT NULL AND ");
	}
	write_field(writer, field, strlen(field));
	appendStringInfoString(out, " IN (");
	if (node->kind == CRM_RULE_HAS_TAG)
	{
		appendStringInfoString(out, "SELECT t.contact_id FROM crm.tag t WHERE t.tag = ");
		write_literal(writer, node->string, node->length);
	}
	else if (node->kind == CRM_RULE_IN_SEGMENT)
	{
		appendStringInfoString(out, "SELECT crm.segment_members(");
		write_literal(writer, node->string, node->length);
		appendStringInfoChar(out, ')');
	}
	else
		write_event(writer, node);
	appendStringInfoString(out, never ? ")))" : "))");
}

/* ---- nodes ---- */

static const uint8_t *
write_node(Writer *writer, const uint8_t *position)
{
	static const char *const like_words[] = {" LIKE ", " NOT LIKE ", " ILIKE ", " NOT ILIKE "};
	static const char *const tests[] = {" IS NULL", " IS NOT NULL", " IS TRUE", " IS NOT TRUE", " IS FALSE", " IS NOT FALSE"};
	StringInfo	out = writer->out;
	CrmRuleNode node;

	check_stack_depth();
	if (!crm_rule_node(position, writer->end, &node))
		crm_rule_damaged();
	if (write_with_our_operator(writer, &node))
		return crm_rule_skip(position, writer->end);
	position = node.first;
	switch (node.kind)
	{
		case CRM_RULE_AND:
		case CRM_RULE_OR:
			for (int i = 0; i < node.children; i++)
			{
				if (i > 0)
					appendStringInfoString(out, node.kind == CRM_RULE_AND ? " AND " : " OR ");
				position = write_child(writer, position, crm_rule_child_binding(&node, i));
			}
			break;
		case CRM_RULE_NOT:
			appendStringInfoString(out, "NOT ");
			position = write_child(writer, position, CRM_RULE_BINDS_NOT);
			break;
		case CRM_RULE_NEGATE:
			appendStringInfoChar(out, '-');
			position = write_child(writer, position, CRM_RULE_BINDS_ALL);
			break;
		case CRM_RULE_COMPARE:
		case CRM_RULE_ARITHMETIC:
			position = write_child(writer, position, crm_rule_child_binding(&node, 0));
			if (node.kind == CRM_RULE_COMPARE)
				appendStringInfo(out, " %s ", crm_rule_compare_name[node.op]);
			else
				appendStringInfo(out, " %c ", node.op);
			position = write_child(writer, position, crm_rule_child_binding(&node, 1));
			break;
		case CRM_RULE_LIKE:
			position = write_child(writer, position, crm_rule_child_binding(&node, 0));
			appendStringInfoString(out, like_words[node.op]);
			position = write_child(writer, position, crm_rule_child_binding(&node, 1));
			break;
		case CRM_RULE_IN:
			position = write_child(writer, position, crm_rule_child_binding(&node, 0));
			appendStringInfoString(out, node.op ? " NOT IN (" : " IN (");
			for (int i = 1; i < node.children; i++)
			{
				if (i > 1)
					appendStringInfoString(out, ", ");
				position = write_child(writer, position, CRM_RULE_BINDS_OR);
			}
			appendStringInfoChar(out, ')');
			break;
		case CRM_RULE_BETWEEN:
			position = write_child(writer, position, crm_rule_child_binding(&node, 0));
			appendStringInfoString(out, node.op ? " NOT BETWEEN " : " BETWEEN ");
			position = write_child(writer, position, crm_rule_child_binding(&node, 1));
			appendStringInfoString(out, " AND ");
			position = write_child(writer, position, crm_rule_child_binding(&node, 2));
			break;
		case CRM_RULE_IS:
			position = write_child(writer, position, CRM_RULE_BINDS_COMPARE);
			appendStringInfoString(out, tests[node.op]);
			break;
		case CRM_RULE_FIELD:
			write_field(writer, node.string, node.length);
			break;
		case CRM_RULE_KEY:
			write_field(writer, node.string, node.length);
			appendStringInfoString(out, " ->> ");
			write_literal(writer, node.string2, node.length2);
			break;
		case CRM_RULE_NUMBER:
			appendBinaryStringInfo(out, node.string, (int) node.length);
			break;
		case CRM_RULE_LITERAL:
			appendStringInfo(out, "%s ", crm_rule_type_name[node.op]);
			/* FALLTHROUGH */
		case CRM_RULE_STRING:
			write_literal(writer, node.string, node.length);
			break;
		case CRM_RULE_TRUE:
			appendStringInfoString(out, "true");
			break;
		case CRM_RULE_FALSE:
			appendStringInfoString(out, "false");
			break;
		case CRM_RULE_NULL:
			appendStringInfoString(out, "NULL");
			break;
		case CRM_RULE_NOW:
			appendStringInfoString(out, writer->as_of);
			break;
		case CRM_RULE_CURRENT_DATE:
			if (strcmp(writer->as_of, "now()") == 0)
				appendStringInfoString(out, "CURRENT_DATE");
			else
				appendStringInfo(out, "CAST(%s AS date)", writer->as_of);
			break;
		case CRM_RULE_HAS_TAG:
		case CRM_RULE_IN_SEGMENT:
		case CRM_RULE_DID:
			write_predicate(writer, &node);
			break;
	}
	return position;
}

void
crm_rule_sql_text(const uint8_t *root, const uint8_t *end, CrmRuleScope *scope,
				  const char *alias, const char *as_of, StringInfo out)
{
	Writer		writer = {out, scope, end, alias, as_of};
	CrmRuleCompiled compiled;

	crm_rule_compile(root, end, scope, &compiled);	/* raises what is wrong */
	write_node(&writer, root);
}

/* The same of a part of a rule that has been compiled. */
void
crm_rule_operand_text(const uint8_t *position, const uint8_t *end, CrmRuleScope *scope,
					  const char *alias, const char *as_of, StringInfo out)
{
	Writer		writer = {out, scope, end, alias, as_of};

	write_node(&writer, position);
}

PG_FUNCTION_INFO_V1(crm_rule_to_sql);

/* crm.rule_sql(rule, relation, as_of, alias) */
Datum
crm_rule_to_sql(PG_FUNCTION_ARGS)
{
	CrmRule		rule;
	CrmRuleScope scope;
	StringInfoData sql;
	Oid			row_type;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	rule = PG_GETARG_CRM_RULE(0);
	row_type = get_rel_type_id(PG_GETARG_OID(1));
	if (!OidIsValid(row_type))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("relation with OID %u has no rows that a rule could be about", PG_GETARG_OID(1))));
	crm_rule_scope_of_type(row_type, -1, &scope);
	initStringInfo(&sql);
	crm_rule_sql_text(rule.root, rule.end, &scope,
					  PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3)),
					  PG_ARGISNULL(2) ? "now()" : psprintf("timestamptz '%s'", timestamptz_to_str(PG_GETARG_TIMESTAMPTZ(2))),
					  &sql);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(sql.data, sql.len));
}
