/*
 * rule_ops.c
 *		Comparing and combining rules.
 *
 * Equal are rules of the same canonical text, which is to say of the same
 * image; the order is that of the canonical texts, byte by byte.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/builtins.h"

#include "crm.h"
#include "rule/rule_datum.h"

PG_FUNCTION_INFO_V1(crm_rule_eq);
PG_FUNCTION_INFO_V1(crm_rule_ne);
PG_FUNCTION_INFO_V1(crm_rule_lt);
PG_FUNCTION_INFO_V1(crm_rule_le);
PG_FUNCTION_INFO_V1(crm_rule_gt);
PG_FUNCTION_INFO_V1(crm_rule_ge);
PG_FUNCTION_INFO_V1(crm_rule_cmp);
PG_FUNCTION_INFO_V1(crm_rule_hash);
PG_FUNCTION_INFO_V1(crm_rule_hash_extended);
PG_FUNCTION_INFO_V1(crm_rule_and);
PG_FUNCTION_INFO_V1(crm_rule_or);
PG_FUNCTION_INFO_V1(crm_rule_not);

static bool
is_equal(FunctionCallInfo fcinfo)
{
	CrmRule		a = PG_GETARG_CRM_RULE(0);
	CrmRule		b = PG_GETARG_CRM_RULE(1);
	bool		equal = a.size == b.size && memcmp(a.bytes, b.bytes, a.size) == 0;

	PG_FREE_IF_COPY(a.value, 0);
	PG_FREE_IF_COPY(b.value, 1);
	return equal;
}

static int
compare(FunctionCallInfo fcinfo)
{
	CrmRule		a = PG_GETARG_CRM_RULE(0);
	CrmRule		b = PG_GETARG_CRM_RULE(1);
	int			order = 0;

	if (a.size != b.size || memcmp(a.bytes, b.bytes, a.size) != 0)
	{
		char	   *left = crm_rule_to_cstring(&a);
		char	   *right = crm_rule_to_cstring(&b);

		order = strcmp(left, right);
		order = order < 0 ? -1 : order > 0 ? 1 : 0;
		pfree(left);
		pfree(right);
	}
	PG_FREE_IF_COPY(a.value, 0);
	PG_FREE_IF_COPY(b.value, 1);
	return order;
}

Datum
crm_rule_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(is_equal(fcinfo));
}

Datum
crm_rule_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!is_equal(fcinfo));
}

Datum
crm_rule_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) < 0);
}

Datum
crm_rule_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) <= 0);
}

Datum
crm_rule_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) > 0);
}

Datum
crm_rule_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare(fcinfo) >= 0);
}

Datum
crm_rule_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare(fcinfo));
}

Datum
crm_rule_hash(PG_FUNCTION_ARGS)
{
	CrmRule		rule = PG_GETARG_CRM_RULE(0);
	Datum		hash = hash_any(rule.bytes, rule.size);

	PG_FREE_IF_COPY(rule.value, 0);
	return hash;
}

Datum
crm_rule_hash_extended(PG_FUNCTION_ARGS)
{
	CrmRule		rule = PG_GETARG_CRM_RULE(0);
	Datum		hash = hash_any_extended(rule.bytes, rule.size, PG_GETARG_INT64(1));

	PG_FREE_IF_COPY(rule.value, 0);
	return hash;
}

/* The texts, in parentheses, around a word; the parser drops what is not needed. */
static Datum
combine(FunctionCallInfo fcinfo, const char *before, const char *between)
{
	StringInfoData text;
	Datum		result;

	initStringInfo(&text);
	appendStringInfoString(&text, before);
	for (int i = 0; i < PG_NARGS(); i++)
	{
		CrmRule		rule = PG_GETARG_CRM_RULE(i);

		appendStringInfo(&text, "%s(%s)", i > 0 ? between : "", crm_rule_to_cstring(&rule));
	}
	result = PointerGetDatum(crm_rule_join(text.data, text.len));
	pfree(text.data);
	return result;
}

Datum
crm_rule_and(PG_FUNCTION_ARGS)
{
	return combine(fcinfo, "", " and ");
}

Datum
crm_rule_or(PG_FUNCTION_ARGS)
{
	return combine(fcinfo, "", " or ");
}

Datum
crm_rule_not(PG_FUNCTION_ARGS)
{
	return combine(fcinfo, "not ", "");
}
