/*
 * contact_set_support.c
 *		What the planner is told of contact sets: how many rows
 *		crm.members(set) gives, how many pass id <@ set, and that a btree index
 *		on the id serves id <@ set when the set is small.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "parser/parse_func.h"
#include "utils/array.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"

#include "crm.h"
#include "type/contact_set_datum.h"

/*
 * Up to so many members an index condition is offered; the planner then
 * compares its cost with that of reading all rows.  A probe of an index costs
 * as much as some hundred looks into a set, and planning time grows with the
 * array too.
 */
#define MAX_ARRAY 10000

/* Of id <@ set when nothing is known of the set, as of contsel(). */
#define DEFAULT_SELECTIVITY 0.001

PG_FUNCTION_INFO_V1(crm_contact_set_support);
PG_FUNCTION_INFO_V1(crm_contact_set_sel);

/* The set of an expression, if the planner can know it; false if not. */
static bool
known_set(PlannerInfo *root, Node *node, const CrmSet **set)
{
	node = estimate_expression_value(root, node);
	if (node == NULL || !IsA(node, Const))
		return false;
	*set = ((Const *) node)->constisnull ? NULL : crm_set_open(((Const *) node)->constvalue);
	return true;
}

/* ---------------- id <@ set ---------------- */

/*
 * RESTRICT of id <@ set and set @> id: members of the set over ids of the
 * column.  Nothing of the column's statistics but their number is looked at.
 */
Datum
crm_contact_set_sel(PG_FUNCTION_ARGS)
{
	PlannerInfo *root = (PlannerInfo *) PG_GETARG_POINTER(0);
	List	   *args = (List *) PG_GETARG_POINTER(2);
	int			varRelid = PG_GETARG_INT32(3);
	VariableStatData column;
	Node	   *other;
	bool		on_left;
	double		selectivity = DEFAULT_SELECTIVITY;

	if (!get_restriction_variable(root, args, varRelid, &column, &other, &on_left))
		PG_RETURN_FLOAT8(DEFAULT_SELECTIVITY);
	if (exprType(other) != INT8OID && exprType(column.var) == INT8OID && IsA(other, Const))
	{
		if (((Const *) other)->constisnull)
			selectivity = 0.0;
		else
		{
			uint64		members = crm_set_open(((Const *) other)->constvalue)->cardinality;
			bool		is_default;
			double		ids = get_variable_numdistinct(&column, &is_default);

			if (is_default && column.rel != NULL && column.rel->tuples > 0)
				ids = column.rel->tuples;
			selectivity = ids > 0 ? (double) members / ids : 0.0;
		}
	}
	ReleaseVariableStats(column);
	CLAMP_PROBABILITY(selectivity);
	PG_RETURN_FLOAT8(selectivity);
}

/* id = ANY (array of the members): exactly what id <@ set means. */
static List *
index_condition(SupportRequestIndexCondition *req)
{
	List	   *arguments;
	Node	   *id;
	Node	   *set_expression;
	const CrmSet *set;
	Oid			equal;
	Node	   *array;
	ScalarArrayOpExpr *condition;

	if (is_opclause(req->node))
		arguments = ((OpExpr *) req->node)->args;
	else if (is_funcclause(req->node))
		arguments = ((FuncExpr *) req->node)->args;
	else
		return NIL;
	if (list_length(arguments) != 2 || req->indexarg < 0 || req->indexarg > 1)
		return NIL;
	id = list_nth(arguments, req->indexarg);
	set_expression = list_nth(arguments, 1 - req->indexarg);
	if (exprType(id) != INT8OID || req->index->relam != BTREE_AM_OID ||
		!req->index->amsearcharray ||
		!is_pseudo_constant_for_index(req->root, set_expression, req->index))
		return NIL;
	equal = get_opfamily_member(req->opfamily, INT8OID, INT8OID, BTEqualStrategyNumber);
	if (!OidIsValid(equal) ||
		!known_set(req->root, set_expression, &set) || set == NULL ||
		set->cardinality > MAX_ARRAY)
		return NIL;

	if (IsA(set_expression, Const))
	{
		Datum	   *member = palloc((set->cardinality + 1) * sizeof(Datum));
		CrmSetIterator iterator;
		int64		next;
		int			n = 0;

		crm_set_iterate(&iterator, set);
		while (crm_set_next(&iterator, &next))
			member[n++] = Int64GetDatum(next);
		array = (Node *) makeConst(INT8ARRAYOID, -1, InvalidOid, -1,
								   PointerGetDatum(construct_array(member, n, INT8OID, sizeof(int64),
																   FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)),
								   false, false);
	}
	else
	{
		/* known only now and then: the members are taken when the scan begins */
		Oid			types[1] = {exprType(set_expression)};
		char	   *schema = get_namespace_name(get_func_namespace(req->funcid));
		Oid			function;

		if (schema == NULL)
			return NIL;
		function = LookupFuncName(list_make2(makeString(schema), makeString("member_array")),
								  1, types, true);
		if (!OidIsValid(function))
			return NIL;
		array = (Node *) makeFuncExpr(function, INT8ARRAYOID,
									  list_make1(copyObject(set_expression)),
									  InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);
	}
	condition = makeNode(ScalarArrayOpExpr);
	condition->opno = equal;
	condition->opfuncid = get_opcode(equal);
	condition->useOr = true;
	condition->args = list_make2(copyObject(id), array);
	condition->location = -1;
	req->lossy = false;
	return list_make1(condition);
}

/* ---------------- crm.members(set) ---------------- */

static bool
estimate_rows(SupportRequestRows *req)
{
	const CrmSet *set;

	if (!is_funcclause(req->node) ||
		!known_set(req->root, linitial(((FuncExpr *) req->node)->args), &set))
		return false;
	req->rows = set == NULL ? 0 : (double) set->cardinality;
	return true;
}

Datum
crm_contact_set_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);

	if (IsA(request, SupportRequestIndexCondition))
		PG_RETURN_POINTER(index_condition((SupportRequestIndexCondition *) request));
	if (IsA(request, SupportRequestRows) && estimate_rows((SupportRequestRows *) request))
		PG_RETURN_POINTER(request);
	PG_RETURN_POINTER(NULL);
}
