/*
 * print.c
 *		From the image of a rule to its canonical text.
 *
 * Key words in lower case, one space between words, parentheses where the
 * meaning needs them and nowhere else.  Reading the text gives the same image.
 */
#include "rule/rule.h"

#include <stdio.h>
#include <string.h>

void
crm_rule_put(CrmRuleText *out, const char *bytes, size_t length)
{
	if (out->length + length <= out->size)
		memcpy(out->buffer + out->length, bytes, length);
	out->length += length;
}

void
crm_rule_puts(CrmRuleText *out, const char *string)
{
	crm_rule_put(out, string, strlen(string));
}

/* Between quotes, those within doubled. */
void
crm_rule_put_quoted(CrmRuleText *out, const char *bytes, size_t length, char quote)
{
	crm_rule_put(out, &quote, 1);
	for (size_t i = 0; i < length; i++)
	{
		if (bytes[i] == quote)
			crm_rule_put(out, &quote, 1);
		crm_rule_put(out, bytes + i, 1);
	}
	crm_rule_put(out, &quote, 1);
}

/* A name, in double quotes if it would otherwise be read differently. */
void
crm_rule_put_name(CrmRuleText *out, const char *name, size_t length)
{
	bool		plain = length > 0 && !(name[0] >= '0' && name[0] <= '9') && name[0] != '$';

	for (size_t i = 0; plain && i < length; i++)
		plain = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') ||
			name[i] == '_' || name[i] == '$' || (name[i] & 0x80);
	if (plain && !crm_rule_is_reserved(name, length))
		crm_rule_put(out, name, length);
	else
		crm_rule_put_quoted(out, name, length, '"');
}

int
crm_rule_binding(const CrmRuleNode *node)
{
	switch (node->kind)
	{
		case CRM_RULE_OR:
			return CRM_RULE_BINDS_OR;
		case CRM_RULE_AND:
			return CRM_RULE_BINDS_AND;
		case CRM_RULE_NOT:
			return CRM_RULE_BINDS_NOT;
		case CRM_RULE_IS:
			return CRM_RULE_BINDS_IS;
		case CRM_RULE_COMPARE:
			return CRM_RULE_BINDS_COMPARE;
		case CRM_RULE_IN:
		case CRM_RULE_BETWEEN:
		case CRM_RULE_LIKE:
			return CRM_RULE_BINDS_IN;
		case CRM_RULE_KEY:
			return CRM_RULE_BINDS_KEY;
		case CRM_RULE_ARITHMETIC:
			return node->op == '+' || node->op == '-' ? CRM_RULE_BINDS_ADD : CRM_RULE_BINDS_MULTIPLY;
		case CRM_RULE_NEGATE:
			return CRM_RULE_BINDS_UNARY;
		case CRM_RULE_NUMBER:
			return node->string[0] == '-' ? CRM_RULE_BINDS_UNARY : CRM_RULE_BINDS_ALL;
		default:
			return CRM_RULE_BINDS_ALL;
	}
}

int
crm_rule_child_binding(const CrmRuleNode *node, int child)
{
	switch (node->kind)
	{
		case CRM_RULE_OR:
			return CRM_RULE_BINDS_AND;
		case CRM_RULE_AND:
		case CRM_RULE_NOT:
			return CRM_RULE_BINDS_NOT;
		case CRM_RULE_IS:
			return CRM_RULE_BINDS_COMPARE;
		case CRM_RULE_COMPARE:
			return CRM_RULE_BINDS_IN;
		case CRM_RULE_IN:
			return child == 0 ? CRM_RULE_BINDS_KEY : CRM_RULE_BINDS_OR;
		case CRM_RULE_BETWEEN:
		case CRM_RULE_LIKE:
			return CRM_RULE_BINDS_KEY;
		case CRM_RULE_ARITHMETIC:
			return crm_rule_binding(node) + (child > 0);
		default:
			return CRM_RULE_BINDS_ALL;
	}
}

static void
print_did(const CrmRuleNode *node, CrmRuleText *out)
{
	char		number[40];

	crm_rule_puts(out, "did(");
	crm_rule_put_quoted(out, node->string, node->length, '\'');
	if (node->op & CRM_RULE_DID_AT_LEAST)
	{
		snprintf(number, sizeof(number), ", at_least => %u", (unsigned) node->at_least);
		crm_rule_puts(out, number);
	}
	if (node->op & CRM_RULE_DID_AT_MOST)
	{
		snprintf(number, sizeof(number), ", at_most => %u", (unsigned) node->at_most);
		crm_rule_puts(out, number);
	}
	if (node->op & CRM_RULE_DID_WITHIN)
	{
		crm_rule_puts(out, ", within => interval ");
		crm_rule_put_quoted(out, node->string2, node->length2, '\'');
	}
	crm_rule_puts(out, ")");
}

/* A child, in parentheses if it binds less than it must. */
static const uint8_t *
print_child(const CrmRuleNode *parent, int child, const uint8_t *position, const uint8_t *end,
			CrmRuleText *out)
{
	CrmRuleNode node;
	bool		parentheses;

	if (!crm_rule_node(position, end, &node))
		return NULL;
	parentheses = crm_rule_binding(&node) < crm_rule_child_binding(parent, child);
	if (parentheses)
		crm_rule_puts(out, "(");
	position = crm_rule_print_node(position, end, out);
	if (parentheses)
		crm_rule_puts(out, ")");
	return position;
}

const uint8_t *
crm_rule_print_node(const uint8_t *position, const uint8_t *end, CrmRuleText *out)
{
	CrmRuleNode node;

	if (!crm_rule_node(position, end, &node))
		return NULL;
	position = node.first;
	switch (node.kind)
	{
		case CRM_RULE_AND:
		case CRM_RULE_OR:
			for (int i = 0; i < node.children; i++)
			{
				if (i > 0)
					crm_rule_puts(out, node.kind == CRM_RULE_AND ? " and " : " or ");
				position = print_child(&node, i, position, end, out);
			}
			return position;
		case CRM_RULE_NOT:
			crm_rule_puts(out, "not ");
			return print_child(&node, 0, position, end, out);
		case CRM_RULE_NEGATE:
			crm_rule_puts(out, "-");
			return print_child(&node, 0, position, end, out);
		case CRM_RULE_COMPARE:
		case CRM_RULE_ARITHMETIC:
			position = print_child(&node, 0, position, end, out);
			crm_rule_puts(out, " ");
			if (node.kind == CRM_RULE_COMPARE)
				crm_rule_puts(out, crm_rule_compare_name[node.op]);
			else
			{
				char		op = (char) node.op;

				crm_rule_put(out, &op, 1);
			}
			crm_rule_puts(out, " ");
			return print_child(&node, 1, position, end, out);
		case CRM_RULE_IN:
			position = print_child(&node, 0, position, end, out);
			crm_rule_puts(out, node.op ? " not in (" : " in (");
			for (int i = 1; i < node.children; i++)
			{
				if (i > 1)
					crm_rule_puts(out, ", ");
				position = print_child(&node, i, position, end, out);
			}
			crm_rule_puts(out, ")");
			return position;
		case CRM_RULE_BETWEEN:
			position = print_child(&node, 0, position, end, out);
			crm_rule_puts(out, node.op ? " not between " : " between ");
			position = print_child(&node, 1, position, end, out);
			crm_rule_puts(out, " and ");
			return print_child(&node, 2, position, end, out);
		case CRM_RULE_LIKE:
			position = print_child(&node, 0, position, end, out);
			crm_rule_puts(out, node.op & CRM_RULE_LIKE_NEGATED ? " not " : " ");
			crm_rule_puts(out, node.op & CRM_RULE_LIKE_ILIKE ? "ilike " : "like ");
			return print_child(&node, 1, position, end, out);
		case CRM_RULE_IS:
			position = print_child(&node, 0, position, end, out);
			crm_rule_puts(out, " ");
			crm_rule_puts(out, crm_rule_test_name[node.op]);
			return position;
		case CRM_RULE_FIELD:
			crm_rule_put_name(out, node.string, node.length);
			break;
		case CRM_RULE_KEY:
			crm_rule_put_name(out, node.string, node.length);
			crm_rule_puts(out, "->>");
			crm_rule_put_quoted(out, node.string2, node.length2, '\'');
			break;
		case CRM_RULE_NUMBER:
			crm_rule_put(out, node.string, node.length);
			break;
		case CRM_RULE_LITERAL:
			crm_rule_puts(out, crm_rule_type_name[node.op]);
			crm_rule_puts(out, " ");
			/* FALLTHROUGH */
		case CRM_RULE_STRING:
			crm_rule_put_quoted(out, node.string, node.length, '\'');
			break;
		case CRM_RULE_TRUE:
			crm_rule_puts(out, "true");
			break;
		case CRM_RULE_FALSE:
			crm_rule_puts(out, "false");
			break;
		case CRM_RULE_NULL:
			crm_rule_puts(out, "null");
			break;
		case CRM_RULE_NOW:
			crm_rule_puts(out, "now()");
			break;
		case CRM_RULE_CURRENT_DATE:
			crm_rule_puts(out, "current_date");
			break;
		case CRM_RULE_HAS_TAG:
		case CRM_RULE_IN_SEGMENT:
			crm_rule_puts(out, node.kind == CRM_RULE_HAS_TAG ? "has_tag(" : "in_segment(");
			crm_rule_put_quoted(out, node.string, node.length, '\'');
			crm_rule_puts(out, ")");
			break;
		case CRM_RULE_DID:
			print_did(&node, out);
			break;
	}
	return position;
}

bool
crm_rule_print(const uint8_t *root, size_t length, CrmRuleText *out)
{
	return crm_rule_is_sound(root, length) &&
		crm_rule_print_node(root, root + length, out) == root + length;
}
