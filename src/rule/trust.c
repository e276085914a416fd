/*
 * trust.c
 *		What an expression made of a rule may contain.
 *
 * A rule is often written by one person and evaluated with the rights of
 * another: nothing but built-in functions and those of this extension may run.
 * Operators are looked up by schema and name; whatever they resolve to, with
 * the casts on the way, is checked again here.
 */
#include "postgres.h"

#include "catalog/dependency.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"

#include "access/transam.h"

#include "crm.h"
#include "rule/compile.h"

static bool
is_member(Oid class_id, Oid object)
{
	Oid			extension = get_extension_oid("crm", true);

	return OidIsValid(extension) && getExtensionOfObject(class_id, object) == extension;
}

bool
crm_rule_type_is_ours(Oid type)
{
	type = getBaseType(type);
	return type >= FirstNormalObjectId && is_member(TypeRelationId, type);
}

/*
 * Types whose operators are built in or ours.  Arrays and ranges compare by
 * the operators of what they consist of; an enum has no code of its own.
 */
bool
crm_rule_type_is_trusted(Oid type)
{
	Oid			inside;

	type = getBaseType(type);
	if (OidIsValid(inside = get_element_type(type)))
		return crm_rule_type_is_trusted(inside);
	switch (get_typtype(type))
	{
		case TYPTYPE_ENUM:
			return true;
		case TYPTYPE_RANGE:
			return type < FirstNormalObjectId;
		case TYPTYPE_MULTIRANGE:
			return type < FirstNormalObjectId;
		case TYPTYPE_BASE:
			return type < FirstNormalObjectId || is_member(TypeRelationId, type);
		default:
			return false;		/* rows: they compare by any column's */
	}
}

static bool
check_function(Oid function, void *context)
{
	if (function >= FirstNormalObjectId && !is_member(ProcedureRelationId, function))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("a rule cannot use function %s", format_procedure(function)),
				 errdetail("It is neither built in nor part of extension crm.")));
	if (func_volatile(function) == PROVOLATILE_VOLATILE)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("a rule cannot use function %s", format_procedure(function)),
				 errdetail("It is volatile.")));
	return false;
}

static bool
check_node(Node *node, void *context)
{
	if (node == NULL)
		return false;
	check_functions_in_node(node, check_function, context);
	if (IsA(node, CoerceToDomain))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("a rule cannot make a value of domain %s",
						format_type_be(((CoerceToDomain *) node)->resulttype))));
	return expression_tree_walker(node, check_node, context);
}

/* The row that fields are taken from is the caller's own expression. */
void
crm_rule_check_trust(Node *expr)
{
	check_node(expr, NULL);
}
