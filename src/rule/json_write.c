/*
 * json_write.c
 *		From the image of a rule to its tree form, as JSON text.
 *
 * See doc/rule.md for the form.  What compares a field, or a key of one, with
 * literals has the short form {"field": ..., "op": ..., "value": ...}; other
 * operands are objects of their own under "left" and "right".
 */
#include "rule/rule.h"

#include <stdio.h>
#include <string.h>

static const uint8_t *write_node(const uint8_t *position, const uint8_t *end, CrmRuleText *out);

static void
write_string(const char *bytes, size_t length, CrmRuleText *out)
{
	crm_rule_puts(out, "\"");
	for (size_t i = 0; i < length; i++)
	{
		unsigned char c = bytes[i];
		char		escaped[8];

		if (c == '"' || c == '\\')
		{
			crm_rule_puts(out, "\\");
			crm_rule_put(out, bytes + i, 1);
		}
		else if (c < 0x20)
		{
			snprintf(escaped, sizeof(escaped), "\\u%04x", c);
			crm_rule_puts(out, escaped);
		}
		else
			crm_rule_put(out, bytes + i, 1);
	}
	crm_rule_puts(out, "\"");
}

/* Whether jsonb keeps the spelling of the number. */
static bool
is_plain_number(const char *s, size_t length)
{
	size_t		i = 0;
	size_t		digits;
	bool		negative = length > 0 && s[0] == '-';
	bool		zero = true;

	if (negative)
		i++;
	if (length > 1000)
		return false;
	digits = i;
	while (i < length && s[i] >= '0' && s[i] <= '9')
		zero &= s[i++] == '0';
	if (i == digits || (s[digits] == '0' && i - digits > 1))
		return false;
	if (i < length && s[i] == '.')
	{
		digits = ++i;
		while (i < length && s[i] >= '0' && s[i] <= '9')
			zero &= s[i++] == '0';
		if (i == digits)
			return false;
	}
	return i == length && !(negative && zero);
}

/* Whether the node is a literal that JSON can write by itself. */
static bool
is_plain(const CrmRuleNode *node)
{
	return node->kind == CRM_RULE_STRING || node->kind == CRM_RULE_TRUE ||
		node->kind == CRM_RULE_FALSE || node->kind == CRM_RULE_NULL ||
		(node->kind == CRM_RULE_NUMBER && is_plain_number(node->string, node->length));
}

static const uint8_t *
write_plain(const uint8_t *position, const uint8_t *end, CrmRuleText *out)
{
	CrmRuleNode node;

	if (!crm_rule_node(position, end, &node))
		return NULL;
	if (node.kind == CRM_RULE_STRING)
		write_string(node.string, node.length, out);
	else if (node.kind == CRM_RULE_NUMBER)
		crm_rule_put(out, node.string, node.length);
	else
		crm_rule_puts(out, node.kind == CRM_RULE_TRUE ? "true" : node.kind == CRM_RULE_FALSE ? "false" : "null");
	return node.first;
}

/* "field": ... or "left": ... */
static const uint8_t *
write_left(const uint8_t *position, const uint8_t *end, CrmRuleText *out)
{
	CrmRuleNode node;

	if (!crm_rule_node(position, end, &node))
		return NULL;
	if (node.kind != CRM_RULE_FIELD && node.kind != CRM_RULE_KEY)
	{
		crm_rule_puts(out, "\"left\": ");
		return write_node(position, end, out);
	}
	crm_rule_puts(out, "\"field\": ");
	write_string(node.string, node.length, out);
	if (node.kind == CRM_RULE_KEY)
	{
		crm_rule_puts(out, ", \"key\": ");
		write_string(node.string2, node.length2, out);
	}
	return node.first;
}

/* "value": ... or "right": ..., of one operand or of a list. */
static const uint8_t *
write_right(const uint8_t *position, const uint8_t *end, int count, bool list, CrmRuleText *out)
{
	bool		plain = true;
	const uint8_t *p = position;
	CrmRuleNode node;

	for (int i = 0; i < count; i++)
	{
		if (!crm_rule_node(p, end, &node))
			return NULL;
		plain &= is_plain(&node);
		p = crm_rule_skip(p, end);
	}
	crm_rule_puts(out, plain ? "\"value\": " : "\"right\": ");
	if (list)
		crm_rule_puts(out, "[");
	for (int i = 0; i < count; i++)
	{
		if (i > 0)
			crm_rule_puts(out, ", ");
		position = plain ? write_plain(position, end, out) : write_node(position, end, out);
	}
	if (list)
		crm_rule_puts(out, "]");
	return position;
}

static const uint8_t *
write_binary(const CrmRuleNode *node, const char *op, int count, bool list,
			 const uint8_t *end, CrmRuleText *out)
{
	const uint8_t *position;

	crm_rule_puts(out, "{");
	position = write_left(node->first, end, out);
	crm_rule_puts(out, ", \"op\": \"");
	crm_rule_puts(out, op);
	crm_rule_puts(out, "\"");
	if (count > 0)
	{
		crm_rule_puts(out, ", ");
		position = write_right(position, end, count, list, out);
	}
	crm_rule_puts(out, "}");
	return position;
}

/* {"key": "string"} */
static void
write_pair(const char *key, const CrmRuleNode *node, CrmRuleText *out)
{
	crm_rule_puts(out, "{\"");
	crm_rule_puts(out, key);
	crm_rule_puts(out, "\": ");
	write_string(node->string, node->length, out);
}

static const uint8_t *
write_node(const uint8_t *position, const uint8_t *end, CrmRuleText *out)
{
	static const char *const like_name[4] = {"like", "not like", "ilike", "not ilike"};
	CrmRuleNode node;
	char		number[48];

	if (!crm_rule_node(position, end, &node))
		return NULL;
	position = node.first;
	switch (node.kind)
	{
		case CRM_RULE_AND:
		case CRM_RULE_OR:
			crm_rule_puts(out, node.kind == CRM_RULE_AND ? "{\"and\": [" : "{\"or\": [");
			for (int i = 0; i < node.children; i++)
			{
				if (i > 0)
					crm_rule_puts(out, ", ");
				position = write_node(position, end, out);
			}
			crm_rule_puts(out, "]}");
			return position;
		case CRM_RULE_NOT:
		case CRM_RULE_NEGATE:
			crm_rule_puts(out, node.kind == CRM_RULE_NOT ? "{\"not\": " : "{\"negate\": ");
			position = write_node(position, end, out);
			crm_rule_puts(out, "}");
			return position;
		case CRM_RULE_COMPARE:
			return write_binary(&node, crm_rule_compare_name[node.op], 1, false, end, out);
		case CRM_RULE_ARITHMETIC:
			number[0] = (char) node.op;
			number[1] = '\0';
			return write_binary(&node, number, 1, false, end, out);
		case CRM_RULE_IN:
			return write_binary(&node, node.op ? "not in" : "in", node.children - 1, true, end, out);
		case CRM_RULE_BETWEEN:
			return write_binary(&node, node.op ? "not between" : "between", 2, true, end, out);
		case CRM_RULE_LIKE:
			return write_binary(&node, like_name[node.op], 1, false, end, out);
		case CRM_RULE_IS:
			return write_binary(&node, crm_rule_test_name[node.op], 0, false, end, out);
		case CRM_RULE_FIELD:
		case CRM_RULE_KEY:
			crm_rule_puts(out, "{");
			position = write_left(node.start, end, out);
			break;
		case CRM_RULE_NUMBER:
			if (!is_plain(&node))
			{
				write_pair("number", &node, out);
				break;
			}
			/* FALLTHROUGH */
		case CRM_RULE_STRING:
		case CRM_RULE_TRUE:
		case CRM_RULE_FALSE:
		case CRM_RULE_NULL:
			crm_rule_puts(out, "{\"value\": ");
			position = write_plain(node.start, end, out);
			break;
		case CRM_RULE_LITERAL:
			write_pair(crm_rule_type_name[node.op], &node, out);
			break;
		case CRM_RULE_NOW:
			crm_rule_puts(out, "{\"call\": \"now\"");
			break;
		case CRM_RULE_CURRENT_DATE:
			crm_rule_puts(out, "{\"call\": \"current_date\"");
			break;
		case CRM_RULE_HAS_TAG:
			write_pair("has_tag", &node, out);
			break;
		case CRM_RULE_IN_SEGMENT:
			write_pair("in_segment", &node, out);
			break;
		case CRM_RULE_DID:
			write_pair("did", &node, out);
			if (node.op & CRM_RULE_DID_AT_LEAST)
			{
				snprintf(number, sizeof(number), ", \"at_least\": %u", (unsigned) node.at_least);
				crm_rule_puts(out, number);
			}
			if (node.op & CRM_RULE_DID_AT_MOST)
			{
				snprintf(number, sizeof(number), ", \"at_most\": %u", (unsigned) node.at_most);
				crm_rule_puts(out, number);
			}
			if (node.op & CRM_RULE_DID_WITHIN)
			{
				crm_rule_puts(out, ", \"within\": ");
				write_string(node.string2, node.length2, out);
			}
			break;
	}
	crm_rule_puts(out, "}");
	return position;
}

bool
crm_rule_json(const uint8_t *root, size_t length, CrmRuleText *out)
{
	return crm_rule_is_sound(root, length) && write_node(root, root + length, out) == root + length;
}
