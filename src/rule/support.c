/*
 * support.c
 *		What the planner is told of row @@ rule.
 *
 * A constant rule is written out: the call gives way to the expression that
 * the rule is over the columns of the row, as if the query's author had
 * written it.  Everything that knows nothing of rules, from indexes to
 * parallel plans, then serves it.
 *
 * The row is mostly a whole-row Var; of a view that was pulled up, a RowExpr.
 * Other expressions are written out when taking their fields apart computes
 * nothing twice.  What does not fit is left alone: the function gives the
 * same answer.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "parser/parse_relation.h"
#include "parser/parsetree.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "crm.h"
#include "rule/compile.h"
#include "rule/selectivity.h"

/* The columns of a range table entry of no named row type. */
static bool
scope_of_rte(PlannerInfo *root, Var *var, CrmRuleScope *scope)
{
	RangeTblEntry *rte;
	ListCell   *cell;

	for (Index level = 0; level < var->varlevelsup; level++)
	{
		if (root == NULL)
			return false;
		root = root->parent_root;
	}
	if (root == NULL || var->varno < 1 || var->varno > list_length(root->parse->rtable))
		return false;
	rte = rt_fetch(var->varno, root->parse->rtable);
	if (rte->rtekind == RTE_JOIN || rte->rtekind == RTE_RESULT)
		return false;
	crm_expand_rte(rte, var->varno, var->varlevelsup, &scope->names, &scope->nodes);
	foreach(cell, scope->nodes)
	{
		Var		   *column = lfirst(cell);

		if (!IsA(column, Var))
			return false;
		crm_copy_nulling(column, var);
	}
	scope->kind = CRM_SCOPE_NODES;
	scope->row_type = RECORDOID;
	return true;
}

static bool
scope_of_row_expr(RowExpr *row, CrmRuleScope *scope)
{
	int			number = 0;
	ListCell   *cell;

	scope->kind = CRM_SCOPE_NODES;
	scope->row_type = row->row_typeid;
	if (row->row_typeid == RECORDOID)
	{
		if (list_length(row->colnames) != list_length(row->args))
			return false;
		scope->names = row->colnames;
		scope->nodes = row->args;
		return true;
	}
	crm_rule_scope_of_type(row->row_typeid, -1, scope);
	scope->kind = CRM_SCOPE_NODES;
	foreach(cell, row->args)
	{
		Form_pg_attribute attribute;

		if (number >= scope->desc->natts)
			return false;
		attribute = TupleDescAttr(scope->desc, number++);
		if (attribute->attisdropped)
			continue;
		if (exprType(lfirst(cell)) != attribute->atttypid)
			return false;		/* the type has changed since */
		scope->names = lappend(scope->names, makeString(NameStr(attribute->attname)));
		scope->nodes = lappend(scope->nodes, lfirst(cell));
	}
	return number == scope->desc->natts;
}

/*
 * A subquery's row that an outer join may make null as a whole: its fields are
 * taken from what the join gives.
 */
static bool
scope_of_placeholder(PlaceHolderVar *placeholder, CrmRuleScope *scope)
{
	RowExpr    *row = (RowExpr *) placeholder->phexpr;
	ListCell   *cell;

	if (!scope_of_row_expr(row, scope) || row->row_typeid != RECORDOID)
		return false;
	scope->nodes = NIL;
	foreach(cell, row->args)
	{
		FieldSelect *select = makeNode(FieldSelect);

		select->arg = (Expr *) placeholder;
		select->fieldnum = foreach_current_index(cell) + 1;
		select->resulttype = exprType(lfirst(cell));
		select->resulttypmod = exprTypmod(lfirst(cell));
		select->resultcollid = exprCollation(lfirst(cell));
		scope->nodes = lappend(scope->nodes, select);
	}
	return true;
}

/* Whether taking the node apart field by field repeats no work to speak of. */
static bool
is_cheap(Node *node)
{
	switch (nodeTag(node))
	{
		case T_Var:
		case T_Param:
		case T_Const:
		case T_CaseTestExpr:
			return true;
		case T_FieldSelect:
			return is_cheap((Node *) ((FieldSelect *) node)->arg);
		case T_PlaceHolderVar:
			return true;		/* is computed once, below */
		default:
			return false;
	}
}

static bool
scope_of_row(PlannerInfo *root, Node *row, CrmRuleScope *scope)
{
	Oid			type = getBaseType(exprType(row));

	memset(scope, 0, sizeof(*scope));
	if (IsA(row, RowExpr))
		return scope_of_row_expr((RowExpr *) row, scope);
	if (IsA(row, Var) && ((Var *) row)->varattno == InvalidAttrNumber)
	{
		if (type == RECORDOID)
			return scope_of_rte(root, (Var *) row, scope);
		crm_rule_scope_of_type(type, -1, scope);
		scope->kind = CRM_SCOPE_VAR;
		scope->row = row;
		return true;
	}
	if (type == RECORDOID && IsA(row, PlaceHolderVar) && IsA(((PlaceHolderVar *) row)->phexpr, RowExpr))
		return scope_of_placeholder((PlaceHolderVar *) row, scope);
	if (type == RECORDOID || !type_is_rowtype(type) || exprType(row) != type || !is_cheap(row))
		return false;
	crm_rule_scope_of_type(type, -1, scope);
	scope->kind = CRM_SCOPE_SELECT;
	scope->row = row;
	return true;
}

/*
 * Whether a level of the query has grouping sets: the row that they group by
 * is null in the rows above, its columns, taken by themselves, are not.
 */
static bool
is_grouped(PlannerInfo *root)
{
	for (; root != NULL; root = root->parent_root)
		if (root->parse->groupingSets != NIL)
			return true;
	return false;
}

/* now(), the moment when none is given; never null. */
static bool
is_now(Node *node)
{
	return IsA(node, FuncExpr) && ((FuncExpr *) node)->funcid == F_NOW;
}

/* A constant rule, written out over the row; NULL to leave the call alone. */
static Node *
write_out(SupportRequestSimplify *request)
{
	List	   *arguments = request->fcall->args;
	Node	   *row = linitial(arguments);
	Node	   *constant = lsecond(arguments);
	CrmRuleScope scope;
	CrmRuleCompiled compiled;
	CrmRule		rule;

	/* What is volatile is computed once for the row, not once a field. */
	if (!IsA(constant, Const) || contain_volatile_functions(row))
		return NULL;
	if (((Const *) constant)->constisnull)
		return makeBoolConst(false, true);
	if (is_grouped(request->root))
		return NULL;
	if (!scope_of_row(request->root, row, &scope))
		return NULL;
	if (list_length(arguments) > 2)
	{
		Node	   *as_of = lthird(arguments);

		if (IsA(as_of, Const) && ((Const *) as_of)->constisnull)
			return makeBoolConst(false, true);
		if (!IsA(as_of, Const) && !is_now(as_of))
			return NULL;
		scope.as_of = as_of;
	}
	rule = crm_rule_get(((Const *) constant)->constvalue);
	crm_rule_compile(rule.root, rule.end, &scope, &compiled);
	/* The planner does not look again at what it gets from here. */
	return eval_const_expressions(request->root, (Node *) compiled.expr);
}

PG_FUNCTION_INFO_V1(crm_rule_support);

Datum
crm_rule_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	Node	   *result = NULL;

	if (IsA(request, SupportRequestSimplify))
		result = write_out((SupportRequestSimplify *) request);
	else if (IsA(request, SupportRequestSelectivity))
	{
		SupportRequestSelectivity *selectivity = (SupportRequestSelectivity *) request;

		if (list_length(selectivity->args) >= 2)
		{
			selectivity->selectivity = crm_rule_guess(selectivity->root, lsecond(selectivity->args));
			result = request;
		}
	}
	PG_RETURN_POINTER(result);
}
