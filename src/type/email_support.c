/*
 * email_support.c
 *		Lets the planner serve "email ^@ prefix" and "email <<@ domain" by one
 *		range of a btree index.
 *
 * The bounds are values of crm.email that no input would accept: "iva@",
 * "@example-.com".  They order well, and live only in plans.  When the right
 * side is no constant the bounds are computed as the scan begins, by
 * crm.email_prefix_bound() and crm.email_domain_bound().
 */
#include "postgres.h"

#include "access/nbtree.h"
#include "access/stratnum.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "type/email_server.h"

PG_FUNCTION_INFO_V1(crm_email_prefix_support);
PG_FUNCTION_INFO_V1(crm_email_domain_support);
PG_FUNCTION_INFO_V1(crm_email_prefix_bound);
PG_FUNCTION_INFO_V1(crm_email_domain_bound);

/*
 * One bound of the range of a prefix or a domain; NULL when there is none, or
 * when the text is wrong, which is for the operator itself to say.
 */
static struct varlena *
make_bound(bool by_domain, text *t, bool upper)
{
	char		low[CRM_EMAIL_BUFFER];
	char		high[CRM_EMAIL_BUFFER];
	int			low_size;
	int			high_size;

	if (by_domain)
	{
		char		domain[CRM_EMAIL_BUFFER];
		CrmCheck	check;
		int			length = crm_email_parse_domain(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t),
												crm_email_flags(), domain, &check);

		if (length == 0 ||
			!crm_email_domain_range(domain, length, low, &low_size, high, &high_size))
			return NULL;
	}
	else if (!crm_email_prefix_range(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t),
									 low, &low_size, high, &high_size))
		return NULL;
	if (upper)
		return high_size > 0 ? crm_email_make(high, high_size) : NULL;
	return crm_email_make(low, low_size);
}

/*
 * The bounds as functions.  Where there is no range, the lower bound is below
 * and the upper bound above all values, so that the scan meets every row and
 * the operator, which is checked again, decides.
 */
static Datum
bound(bool by_domain, text *t, bool upper)
{
	struct varlena *result = make_bound(by_domain, t, upper);

	if (result == NULL)
	{
		static const char lowest[] = "\0";
		static const char highest[] = "\4\xF4\x8F\xBF\xBF" "a.\xF4\x8F\xBF\xBF";

		if (upper)
			result = crm_email_make(highest, sizeof(highest) - 1);
		else
			result = crm_email_make(lowest, 1);
	}
	PG_RETURN_POINTER(result);
}

Datum
crm_email_prefix_bound(PG_FUNCTION_ARGS)
{
	return bound(false, PG_GETARG_TEXT_PP(0), PG_GETARG_BOOL(1));
}

Datum
crm_email_domain_bound(PG_FUNCTION_ARGS)
{
	return bound(true, PG_GETARG_TEXT_PP(0), PG_GETARG_BOOL(1));
}

/* A bound as an expression; NULL when there is none. */
static Expr *
bound_expression(bool by_domain, Node *argument, Oid email_type, Oid namespace,
				 bool upper)
{
	if (IsA(argument, Const))
	{
		struct varlena *value = make_bound(by_domain,
										   DatumGetTextPP(((Const *) argument)->constvalue),
										   upper);

		if (value == NULL)
			return NULL;
		return (Expr *) makeConst(email_type, -1, InvalidOid, -1,
								  PointerGetDatum(value), false, false);
	}
	else
	{
		char	   *schema = get_namespace_name(namespace);
		Oid			types[2] = {TEXTOID, BOOLOID};
		Oid			function;

		if (schema == NULL)
			return NULL;
		function = LookupFuncName(list_make2(makeString(schema),
											 makeString(by_domain ? "email_domain_bound" :
														"email_prefix_bound")),
								  2, types, true);
		if (!OidIsValid(function))
			return NULL;
		return (Expr *) makeFuncExpr(function, email_type,
									 list_make2(copyObject(argument),
												makeBoolConst(upper, false)),
									 InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);
	}
}

static List *
index_condition(SupportRequestIndexCondition *req, bool by_domain)
{
	List	   *arguments;
	Node	   *left;
	Node	   *right;
	Oid			type;
	Oid			compare;
	Oid			namespace = get_func_namespace(req->funcid);
	Oid			at_least;
	Oid			below;
	Expr	   *low;
	Expr	   *high;
	List	   *result;
	char	   *name;

	if (req->indexarg != 0)
		return NIL;
	if (is_opclause(req->node))
		arguments = ((OpExpr *) req->node)->args;
	else if (is_funcclause(req->node))
		arguments = ((FuncExpr *) req->node)->args;
	else
		return NIL;
	if (list_length(arguments) != 2)
		return NIL;
	left = linitial(arguments);
	right = lsecond(arguments);
	if (!is_pseudo_constant_for_index(req->root, right, req->index) ||
		(IsA(right, Const) && ((Const *) right)->constisnull))
		return NIL;

	/* Only an index in the order that the bounds were made for. */
	type = exprType(left);
	compare = get_opfamily_proc(req->opfamily, type, type, BTORDER_PROC);
	if (!OidIsValid(compare) || get_func_namespace(compare) != namespace)
		return NIL;
	name = get_func_name(compare);
	if (name == NULL || strcmp(name, by_domain ? "email_domain_cmp" : "email_cmp") != 0)
		return NIL;
	at_least = get_opfamily_member(req->opfamily, type, type,
								   BTGreaterEqualStrategyNumber);
	below = get_opfamily_member(req->opfamily, type, type, BTLessStrategyNumber);
	if (!OidIsValid(at_least) || !OidIsValid(below))
		return NIL;

	low = bound_expression(by_domain, right, type, namespace, false);
	if (low == NULL)
		return NIL;
	result = list_make1(make_opclause(at_least, BOOLOID, false, (Expr *) left, low,
									  InvalidOid, InvalidOid));
	high = bound_expression(by_domain, right, type, namespace, true);
	if (high != NULL)
		result = lappend(result, make_opclause(below, BOOLOID, false, (Expr *) left,
											   high, InvalidOid, InvalidOid));

	/* Bounds may take in a little more, at the edges of folding. */
	req->lossy = true;
	return result;
}

Datum
crm_email_prefix_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);

	if (IsA(request, SupportRequestIndexCondition))
		PG_RETURN_POINTER(index_condition((SupportRequestIndexCondition *) request, false));
	PG_RETURN_POINTER(NULL);
}

Datum
crm_email_domain_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);

	if (IsA(request, SupportRequestIndexCondition))
		PG_RETURN_POINTER(index_condition((SupportRequestIndexCondition *) request, true));
	PG_RETURN_POINTER(NULL);
}
