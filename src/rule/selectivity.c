/*
 * selectivity.c
 *		How many rows a rule that was not written out may let through.
 *
 * A rule that is written out is estimated from the statistics of its columns.
 * Where the rule is known but the columns are not, its form tells something;
 * where not even the rule is known, the guess is that of a segment: some
 * percent of all.
 */
#include "postgres.h"

#include "optimizer/optimizer.h"
#include "utils/selfuncs.h"

#include "crm.h"
#include "rule/rule_datum.h"
#include "rule/selectivity.h"

/* A rule of which nothing is known. */
#define UNKNOWN_RULE 0.05

static double
guess(const uint8_t **position, const uint8_t *end)
{
	CrmRuleNode node;
	double		share;
	double		one;

	if (!crm_rule_node(*position, end, &node))
		crm_rule_damaged();
	*position = node.first;
	switch (node.kind)
	{
		case CRM_RULE_AND:
			share = 1;
			for (int i = 0; i < node.children; i++)
				share *= guess(position, end);
			return share;
		case CRM_RULE_OR:
			share = 0;
			for (int i = 0; i < node.children; i++)
			{
				one = guess(position, end);
				share += one - share * one;
			}
			return share;
		case CRM_RULE_NOT:
			return 1 - guess(position, end);
		case CRM_RULE_COMPARE:
			share = node.op == CRM_RULE_EQ ? DEFAULT_EQ_SEL * 10 :
				node.op == CRM_RULE_NE ? 1 - DEFAULT_EQ_SEL * 10 : DEFAULT_INEQ_SEL;
			break;
		case CRM_RULE_IN:
			share = Min(DEFAULT_EQ_SEL * 10 * (node.children - 1), 0.5);
			share = node.op ? 1 - share : share;
			break;
		case CRM_RULE_BETWEEN:
			share = node.op ? 1 - DEFAULT_INEQ_SEL / 2 : DEFAULT_INEQ_SEL / 2;
			break;
		case CRM_RULE_LIKE:
			share = node.op & CRM_RULE_LIKE_NEGATED ? 1 - DEFAULT_EQ_SEL * 10 : DEFAULT_EQ_SEL * 10;
			break;
		case CRM_RULE_IS:
			share = node.op == CRM_RULE_IS_NULL ? DEFAULT_UNK_SEL * 10 :
				node.op == CRM_RULE_IS_NOT_NULL ? 1 - DEFAULT_UNK_SEL * 10 : 0.5;
			break;
		case CRM_RULE_TRUE:
			return 1;
		case CRM_RULE_FALSE:
		case CRM_RULE_NULL:
			return 0;
		case CRM_RULE_HAS_TAG:
		case CRM_RULE_IN_SEGMENT:
			return UNKNOWN_RULE;
		case CRM_RULE_DID:
			return 0.2;
		default:
			share = 0.5;
			break;
	}
	for (int i = 0; i < node.children; i++)
		*position = crm_rule_skip(*position, end);
	return share;
}

Selectivity
crm_rule_guess(PlannerInfo *root, Node *rule)
{
	Selectivity share = UNKNOWN_RULE;

	rule = estimate_expression_value(root, rule);
	if (IsA(rule, Const))
	{
		CrmRule		value;
		const uint8_t *position;

		if (((Const *) rule)->constisnull)
			return 0;
		value = crm_rule_get(((Const *) rule)->constvalue);
		position = value.root;
		share = guess(&position, value.end);
	}
	CLAMP_PROBABILITY(share);
	return share;
}

PG_FUNCTION_INFO_V1(crm_rule_sel);
PG_FUNCTION_INFO_V1(crm_rule_join_sel);

Datum
crm_rule_sel(PG_FUNCTION_ARGS)
{
	PlannerInfo *root = (PlannerInfo *) PG_GETARG_POINTER(0);
	List	   *arguments = (List *) PG_GETARG_POINTER(2);

	if (list_length(arguments) != 2)
		PG_RETURN_FLOAT8(UNKNOWN_RULE);
	PG_RETURN_FLOAT8(crm_rule_guess(root, lsecond(arguments)));
}

Datum
crm_rule_join_sel(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(UNKNOWN_RULE);
}
