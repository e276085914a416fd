/*
 * phone_support.c
 *		Index conditions for "begins with", "ends with" and "same number".
 *
 * Each of the three is one range of an order that some btree has: the digits
 * for the first and the last, the reversed digits for the second.  The planner
 * asks through SupportRequestIndexCondition; the answer is "column >= low AND
 * column <= high", exactly the operator's meaning.  With a constant the bounds
 * are computed here, otherwise by the functions crm.phone_..._low/high() when
 * the scan starts, so parameters and joins are served too.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_type_d.h"
#include "access/nbtree.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "crm.h"
#include "type/phone_datum.h"

typedef enum RangeKind
{
	RANGE_PREFIX,
	RANGE_SUFFIX,
	RANGE_BASE
} RangeKind;

/* The bounds of a pattern; of one that nothing matches, an empty range. */
static void
pattern_bounds(text *pattern, RangeKind kind, CrmPhone *low, CrmPhone *high)
{
	char		digits[CRM_PHONE_DIGITS];
	int			length = crm_phone_pattern_digits(VARDATA_ANY(pattern), VARSIZE_ANY_EXHDR(pattern),
												  kind == RANGE_PREFIX, digits);

	if (length < 0)
		crm_phone_prefix_bounds(digits, 0, false, high, low);
	else
		crm_phone_prefix_bounds(digits, length, kind == RANGE_SUFFIX, low, high);
}

/* The bounds of all extensions of a number. */
static void
base_bounds(Datum value, CrmPhone *low, CrmPhone *high)
{
	crm_phone_of_datum(value, low);
	low->ext_length = 0;
	*high = *low;
	high->ext_length = CRM_PHONE_EXTENSION;
	memset(high->ext, '9', CRM_PHONE_EXTENSION);
}

static Datum
bound(FunctionCallInfo fcinfo, RangeKind kind, bool want_high)
{
	CrmPhone	low;
	CrmPhone	high;

	if (kind == RANGE_BASE)
		base_bounds(PG_GETARG_DATUM(0), &low, &high);
	else
		pattern_bounds(PG_GETARG_TEXT_PP(0), kind, &low, &high);
	return crm_phone_datum(want_high ? &high : &low);
}

PG_FUNCTION_INFO_V1(crm_phone_prefix_low);
PG_FUNCTION_INFO_V1(crm_phone_prefix_high);
PG_FUNCTION_INFO_V1(crm_phone_suffix_low);
PG_FUNCTION_INFO_V1(crm_phone_suffix_high);
PG_FUNCTION_INFO_V1(crm_phone_base_low);
PG_FUNCTION_INFO_V1(crm_phone_base_high);
PG_FUNCTION_INFO_V1(crm_phone_prefix_support);
PG_FUNCTION_INFO_V1(crm_phone_suffix_support);
PG_FUNCTION_INFO_V1(crm_phone_base_support);

Datum
crm_phone_prefix_low(PG_FUNCTION_ARGS)
{
	return bound(fcinfo, RANGE_PREFIX, false);
}

Datum
crm_phone_prefix_high(PG_FUNCTION_ARGS)
{
	return bound(fcinfo, RANGE_PREFIX, true);
}

Datum
crm_phone_suffix_low(PG_FUNCTION_ARGS)
{
	return bound(fcinfo, RANGE_SUFFIX, false);
}

Datum
crm_phone_suffix_high(PG_FUNCTION_ARGS)
{
	return bound(fcinfo, RANGE_SUFFIX, true);
}

Datum
crm_phone_base_low(PG_FUNCTION_ARGS)
{
	return bound(fcinfo, RANGE_BASE, false);
}

Datum
crm_phone_base_high(PG_FUNCTION_ARGS)
{
	return bound(fcinfo, RANGE_BASE, true);
}

static Node *
constant(Oid type, const CrmPhone *phone)
{
	return (Node *) makeConst(type, -1, InvalidOid, -1, crm_phone_datum(phone), false, false);
}

/* A call of crm.NAME(argument) for when the scan starts. */
static Node *
call(Oid namespace, const char *name, Oid argument_type, Node *argument, Oid result_type)
{
	List	   *names = list_make2(makeString(get_namespace_name(namespace)), makeString(pstrdup(name)));
	Oid			function = LookupFuncName(names, 1, &argument_type, true);

	if (!OidIsValid(function))
		return NULL;
	return (Node *) makeFuncExpr(function, result_type, list_make1(copyObject(argument)),
								 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);
}

static Node *
index_condition(SupportRequestIndexCondition *request, RangeKind kind)
{
	static const char *const order_function[] = {"phone_cmp", "phone_suffix_cmp", "phone_cmp"};
	static const char *const low_function[] = {"phone_prefix_low", "phone_suffix_low", "phone_base_low"};
	static const char *const high_function[] = {"phone_prefix_high", "phone_suffix_high", "phone_base_high"};
	List	   *arguments;
	Node	   *column;
	Node	   *other;
	Oid			type;
	Oid			namespace = get_func_namespace(request->funcid);
	Oid			order;
	Oid			ge;
	Oid			le;
	char	   *order_name;
	Node	   *low;
	Node	   *high;

	if (request->index->relam != BTREE_AM_OID)
		return NULL;
	if (is_opclause(request->node))
		arguments = ((OpExpr *) request->node)->args;
	else if (is_funcclause(request->node))
		arguments = ((FuncExpr *) request->node)->args;
	else
		return NULL;
	if (list_length(arguments) != 2 ||
		(request->indexarg != 0 && kind != RANGE_BASE))
		return NULL;
	column = list_nth(arguments, request->indexarg);
	other = list_nth(arguments, 1 - request->indexarg);
	type = exprType(column);

	/* Only our own two orders are known to make a range of it. */
	order = get_opfamily_proc(request->opfamily, type, type, BTORDER_PROC);
	if (!OidIsValid(order) || get_func_namespace(order) != namespace)
		return NULL;
	order_name = get_func_name(order);
	if (order_name == NULL || strcmp(order_name, order_function[kind]) != 0)
		return NULL;
	ge = get_opfamily_member(request->opfamily, type, type, BTGreaterEqualStrategyNumber);
	le = get_opfamily_member(request->opfamily, type, type, BTLessEqualStrategyNumber);
	if (!OidIsValid(ge) || !OidIsValid(le))
		return NULL;

	if (IsA(other, Const))
	{
		CrmPhone	low_phone;
		CrmPhone	high_phone;
		Const	   *value = (Const *) other;

		if (value->constisnull)
			return NULL;
		if (kind == RANGE_BASE)
			base_bounds(value->constvalue, &low_phone, &high_phone);
		else
			pattern_bounds(DatumGetTextPP(value->constvalue), kind, &low_phone, &high_phone);
		low = constant(type, &low_phone);
		high = constant(type, &high_phone);
	}
	else
	{
		Oid			argument_type = kind == RANGE_BASE ? type : TEXTOID;

		if (!is_pseudo_constant_for_index(request->root, other, request->index) ||
			exprType(other) != argument_type)
			return NULL;
		low = call(namespace, low_function[kind], argument_type, other, type);
		high = call(namespace, high_function[kind], argument_type, other, type);
		if (low == NULL || high == NULL)
			return NULL;
	}

	request->lossy = false;
	return (Node *) list_make2(make_opclause(ge, BOOLOID, false, (Expr *) column, (Expr *) low,
											 InvalidOid, InvalidOid),
							   make_opclause(le, BOOLOID, false, (Expr *) column, (Expr *) high,
											 InvalidOid, InvalidOid));
}

static Datum
support(FunctionCallInfo fcinfo, RangeKind kind)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);

	if (IsA(request, SupportRequestIndexCondition))
		PG_RETURN_POINTER(index_condition((SupportRequestIndexCondition *) request, kind));
	PG_RETURN_POINTER(NULL);
}

Datum
crm_phone_prefix_support(PG_FUNCTION_ARGS)
{
	return support(fcinfo, RANGE_PREFIX);
}

Datum
crm_phone_suffix_support(PG_FUNCTION_ARGS)
{
	return support(fcinfo, RANGE_SUFFIX);
}

Datum
crm_phone_base_support(PG_FUNCTION_ARGS)
{
	return support(fcinfo, RANGE_BASE);
}
