/*
 * image.c
 *		Reading the image of a rule: see rule.h.
 */
#include "rule/rule.h"

#include <string.h>

const char *const crm_rule_compare_name[6] = {"=", "<>", "<", "<=", ">", ">="};
const char *const crm_rule_test_name[6] = {
	"is null", "is not null", "is true", "is not true", "is false", "is not false"
};
const char *const crm_rule_type_name[4] = {"interval", "date", "timestamp", "timestamptz"};

static inline int
get16(const uint8_t *bytes)
{
	return bytes[0] | bytes[1] << 8;
}

static inline uint32_t
get32(const uint8_t *bytes)
{
	return bytes[0] | bytes[1] << 8 | bytes[2] << 16 | (uint32_t) bytes[3] << 24;
}

/* How many strings a node of the kind carries. */
static int
strings_of(CrmRuleKind kind)
{
	switch (kind)
	{
		case CRM_RULE_FIELD:
		case CRM_RULE_NUMBER:
		case CRM_RULE_STRING:
		case CRM_RULE_LITERAL:
		case CRM_RULE_HAS_TAG:
		case CRM_RULE_IN_SEGMENT:
			return 1;
		case CRM_RULE_KEY:
		case CRM_RULE_DID:
			return 2;
		default:
			return 0;
	}
}

/* Whether a node of the kind may have that many children and that op. */
static bool
fits(const CrmRuleNode *node)
{
	switch (node->kind)
	{
		case CRM_RULE_AND:
		case CRM_RULE_OR:
			return node->children >= 2 && node->op == 0;
		case CRM_RULE_NOT:
		case CRM_RULE_NEGATE:
			return node->children == 1 && node->op == 0;
		case CRM_RULE_COMPARE:
			return node->children == 2 && node->op <= CRM_RULE_GE;
		case CRM_RULE_IN:
			return node->children >= 2 && node->op <= 1;
		case CRM_RULE_BETWEEN:
			return node->children == 3 && node->op <= 1;
		case CRM_RULE_LIKE:
			return node->children == 2 && node->op <= 3;
		case CRM_RULE_IS:
			return node->children == 1 && node->op <= CRM_RULE_IS_NOT_FALSE;
		case CRM_RULE_ARITHMETIC:
			return node->children == 2 && node->op != 0 && strchr("+-*/", node->op) != NULL;
		case CRM_RULE_LITERAL:
			return node->children == 0 && node->op <= CRM_RULE_TIMESTAMPTZ;
		case CRM_RULE_DID:
			return node->children == 0 && node->op <= 7;
		default:
			return node->children == 0 && node->op == 0;
	}
}

bool
crm_rule_node(const uint8_t *position, const uint8_t *end, CrmRuleNode *node)
{
	int			strings;

	if (position == NULL || end - position < 4)
		return false;
	memset(node, 0, sizeof(*node));
	node->start = position;
	node->kind = position[0];
	node->op = position[1];
	node->children = get16(position + 2);
	position += 4;
	if (node->kind < CRM_RULE_AND || node->kind > CRM_RULE_DID || !fits(node))
		return false;
	strings = strings_of(node->kind);
	for (int i = 0; i < strings; i++)
	{
		int			length;

		if (end - position < 2)
			return false;
		length = get16(position);
		position += 2;
		if (end - position < length)
			return false;
		if (i == 0)
		{
			node->string = (const char *) position;
			node->length = length;
		}
		else
		{
			node->string2 = (const char *) position;
			node->length2 = length;
		}
		position += length;
	}
	if (node->kind == CRM_RULE_DID)
	{
		if (end - position < 8)
			return false;
		node->at_least = get32(position);
		node->at_most = get32(position + 4);
		position += 8;
	}
	node->first = position;
	return true;
}

static const uint8_t *
skip(const uint8_t *position, const uint8_t *end, int depth, int *deepest, int *flags)
{
	CrmRuleNode node;

	if (depth > CRM_RULE_MAX_DEPTH || !crm_rule_node(position, end, &node))
		return NULL;
	if (depth > *deepest)
		*deepest = depth;
	if (node.kind == CRM_RULE_NOW || node.kind == CRM_RULE_CURRENT_DATE)
		*flags |= CRM_RULE_FLAG_CLOCK;
	if (node.kind >= CRM_RULE_HAS_TAG)
		*flags |= CRM_RULE_FLAG_PREDICATE;
	position = node.first;
	for (int i = 0; i < node.children && position != NULL; i++)
		position = skip(position, end, depth + 1, deepest, flags);
	return position;
}

const uint8_t *
crm_rule_skip(const uint8_t *position, const uint8_t *end)
{
	int			deepest = 0;
	int			flags = 0;

	return skip(position, end, 1, &deepest, &flags);
}

bool
crm_rule_is_sound(const uint8_t *root, size_t length)
{
	return crm_rule_skip(root, root + length) == root + length;
}

int
crm_rule_depth(const uint8_t *root, size_t length)
{
	int			deepest = 0;
	int			flags = 0;

	if (skip(root, root + length, 1, &deepest, &flags) == NULL)
		return CRM_RULE_MAX_DEPTH + 1;
	return deepest;
}

int
crm_rule_flags(const uint8_t *root, size_t length)
{
	int			deepest = 0;
	int			flags = 0;

	skip(root, root + length, 1, &deepest, &flags);
	return flags;
}
