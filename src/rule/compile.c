/*
 * compile.c
 *		From the image of a rule to an expression of the server.
 *
 * The same functions that analyse a query choose the operators, the types of
 * literals and the implicit casts, so that a rule means what the same text
 * would mean in a WHERE.  They are called with the schema of the operator,
 * which is crm when an operand is of one of our types and pg_catalog
 * otherwise: the caller's search_path has no say.
 *
 * Literals become constants here, as they do when a query is analysed.  Words
 * such as 'today', which would be read once and be wrong ever after, are
 * refused.
 */
#include "postgres.h"

#include <ctype.h>

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "parser/parse_collate.h"
#include "parser/parse_func.h"
#include "parser/parse_node.h"
#include "parser/parse_oper.h"
#include "parser/parse_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/typcache.h"
#include "utils/varlena.h"

#include "crm.h"
#include "rule/compile.h"

typedef struct Compiler
{
	ParseState *pstate;
	CrmRuleScope *scope;
	const uint8_t *end;
	CrmRuleCompiled *compiled;
} Compiler;

static Node *compile_node(Compiler *compiler, const uint8_t **position);

/* ---- fields ---- */

static int
field_count(const CrmRuleScope *scope)
{
	return scope->kind == CRM_SCOPE_NODES ? list_length(scope->names) : scope->desc->natts;
}

/* The name of a field, or NULL of a dropped column. */
static const char *
field_name(const CrmRuleScope *scope, int number)
{
	Form_pg_attribute attribute;

	if (scope->kind == CRM_SCOPE_NODES)
		return strVal(list_nth(scope->names, number));
	attribute = TupleDescAttr(scope->desc, number);
	return attribute->attisdropped ? NULL : NameStr(attribute->attname);
}

int
crm_rule_find_field(const CrmRuleScope *scope, const char *name, size_t length)
{
	int			count = field_count(scope);

	for (int i = 0; i < count; i++)
	{
		const char *candidate = field_name(scope, i);

		if (candidate != NULL && strlen(candidate) == length && memcmp(candidate, name, length) == 0)
			return i;
	}
	return -1;
}

void
crm_rule_no_field(const CrmRuleScope *scope, const char *name, size_t length)
{
	int			count = field_count(scope);
	int			limit = Min(Max((int) length / 2, 1), 4);
	const char *nearest = NULL;
	char	   *row = OidIsValid(scope->row_type) && scope->row_type != RECORDOID ?
		psprintf("a row of type %s", format_type_be_qualified(scope->row_type)) : pstrdup("the row");

	for (int i = 0; i < count; i++)
	{
		const char *candidate = field_name(scope, i);
		int			distance;

		if (candidate == NULL)
			continue;
		distance = varstr_levenshtein_less_equal(name, length, candidate, strlen(candidate),
												 1, 1, 1, limit, true);
		if (distance <= limit)
		{
			nearest = candidate;
			limit = distance - 1;
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("%s has no field \"%s\"", row, pnstrdup(name, length)),
			 nearest != NULL ? errhint("Perhaps you meant \"%s\".", nearest) : 0));
}

/* What stands for a field until the expression is complete. */
#define AS_OF_PARAM		1
#define FIRST_PARAM		2

static Node *
make_param(int number, Oid type, int32 typmod, Oid collation)
{
	Param	   *param = makeNode(Param);

	param->paramkind = PARAM_EXTERN;
	param->paramid = number;
	param->paramtype = type;
	param->paramtypmod = typmod;
	param->paramcollid = collation;
	param->location = -1;
	return (Node *) param;
}

static Node *
make_field(CrmRuleScope *scope, int number)
{
	Form_pg_attribute attribute;

	if (scope->kind == CRM_SCOPE_NODES)
	{
		Node	   *node = list_nth(scope->nodes, number);

		return make_param(FIRST_PARAM + number, exprType(node), exprTypmod(node), exprCollation(node));
	}
	attribute = TupleDescAttr(scope->desc, number);
	return make_param(FIRST_PARAM + number, attribute->atttypid, attribute->atttypmod, attribute->attcollation);
}

/* What the field is in the caller's expression. */
static Node *
resolve_field(CrmRuleScope *scope, int number)
{
	Form_pg_attribute attribute;

	if (scope->kind == CRM_SCOPE_NODES)
		return copyObject(list_nth(scope->nodes, number));
	attribute = TupleDescAttr(scope->desc, number);
	if (scope->kind == CRM_SCOPE_VAR)
	{
		Var		   *var = copyObject((Var *) scope->row);

		var->varattno = attribute->attnum;
		if (var->varnosyn != 0)
			var->varattnosyn = attribute->attnum;
		var->vartype = attribute->atttypid;
		var->vartypmod = attribute->atttypmod;
		var->varcollid = attribute->attcollation;
		return (Node *) var;
	}
	if (scope->kind == CRM_SCOPE_SELECT)
	{
		FieldSelect *select = makeNode(FieldSelect);

		select->arg = copyObject((Expr *) scope->row);
		select->fieldnum = attribute->attnum;
		select->resulttype = attribute->atttypid;
		select->resulttypmod = attribute->atttypmod;
		select->resultcollid = attribute->attcollation;
		return (Node *) select;
	}
	return (Node *) makeVar(1, attribute->attnum, attribute->atttypid,
							attribute->atttypmod, attribute->attcollation, 0);
}

static Node *
resolve(Node *node, void *context)
{
	CrmRuleScope *scope = context;

	if (node == NULL)
		return NULL;
	if (IsA(node, Param))
	{
		int			number = ((Param *) node)->paramid;

		return number == AS_OF_PARAM ? copyObject(scope->as_of) : resolve_field(scope, number - FIRST_PARAM);
	}
	return expression_tree_mutator(node, resolve, context);
}

/* A field by name; looked into only when its type can be trusted. */
static Node *
compile_field(Compiler *compiler, const char *name, size_t length, bool look_inside)
{
	int			number = crm_rule_find_field(compiler->scope, name, length);
	Node	   *field;

	if (number < 0)
		crm_rule_no_field(compiler->scope, name, length);
	field = make_field(compiler->scope, number);
	if (look_inside && !crm_rule_type_is_trusted(exprType(field)))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("a rule cannot look into field \"%s\" of type %s",
						pnstrdup(name, length), format_type_be(exprType(field))),
				 errdetail("Only types that are built in or part of extension crm have operators that a rule may call."),
				 errhint("Asking whether it is null is possible; or give the row a column of a built-in type.")));
	return field;
}

const char *
crm_rule_contact_field(const CrmRuleScope *scope, bool *nullable)
{
	static const char *const names[] = {"contact_id", "id"};
	Oid			relation = OidIsValid(scope->row_type) && scope->row_type != RECORDOID ? typeidTypeRelid(scope->row_type) : InvalidOid;
	bool		is_contact = OidIsValid(relation) &&
		get_rel_namespace(relation) == get_namespace_oid("crm", true) &&
		strcmp(get_rel_name(relation), "contact") == 0;

	*nullable = true;
	for (int i = 0; i < (is_contact ? 2 : 1); i++)
	{
		int			number = crm_rule_find_field(scope, names[i], strlen(names[i]));
		Oid			type;

		if (number < 0)
			continue;
		type = getBaseType(scope->kind == CRM_SCOPE_NODES ?
						   exprType(list_nth(scope->nodes, number)) :
						   TupleDescAttr(scope->desc, number)->atttypid);
		if (type != INT8OID && type != INT4OID && type != INT2OID)
			continue;
		if (scope->kind != CRM_SCOPE_NODES)
			*nullable = !TupleDescAttr(scope->desc, number)->attnotnull;
		return names[i];
	}
	ereport(ERROR,
			(errcode(MAKE_SQLSTATE('R', 'M', '0', '3', '2')),
			 errmsg("has_tag(), in_segment() and did() need a row with the number of a contact"),
			 errdetail("The row has no integer field \"contact_id\", and is not one of crm.contact."),
			 errhint("Use crm.contact_profile, or a view with a column contact_id.")));
}

/* ---- literals ---- */

/* Whether the text has one of the words that mean a moving date. */
static const char *
moving_word(const char *text)
{
	static const char *const words[] = {"now", "today", "tomorrow", "yesterday"};
	const char *p = text;

	while (*p != '\0')
	{
		size_t		length = 0;

		if (!isalpha((unsigned char) *p))
		{
			p++;
			continue;
		}
		while (isalpha((unsigned char) p[length]))
			length++;
		for (int i = 0; i < 4; i++)
			if (strlen(words[i]) == length && pg_strncasecmp(p, words[i], length) == 0)
				return words[i];
		p += length;
	}
	return NULL;
}

static bool
is_date_like(Oid type)
{
	return TypeCategory(type) == TYPCATEGORY_DATETIME || type == INTERVALOID;
}

/*
 * Looks at a literal before it takes the type: what reading it depends on.
 */
static void
check_literal(Compiler *compiler, Node *node, Oid type)
{
	Const	   *constant = (Const *) node;
	Oid			input;
	Oid			parameter;
	Oid			inside;

	if (!IsA(node, Const) || constant->consttype != UNKNOWNOID || constant->constisnull ||
		!OidIsValid(type) || type == UNKNOWNOID)
		return;
	type = getBaseType(type);
	if (get_typtype(type) == TYPTYPE_PSEUDO)
		return;
	getTypeInputInfo(type, &input, &parameter);
	if (func_volatile(input) == PROVOLATILE_IMMUTABLE)
		return;
	inside = get_element_type(type);
	if (!OidIsValid(inside))
		inside = get_range_subtype(type);
	if (!OidIsValid(inside))
		inside = get_multirange_range(type);
	if (is_date_like(type) || (OidIsValid(inside) && (is_date_like(inside) || !OidIsValid(get_element_type(type)))))
	{
		const char *word = moving_word(DatumGetCString(constant->constvalue));

		if (word != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_DATETIME_FORMAT),
					 errmsg("'%s' in a literal of type %s would be read once and stay as it was then",
							word, format_type_be(type)),
					 errhint("Use now() or current_date.")));
	}
	if (is_date_like(type))
		compiler->compiled->reads_datetime = true;
	else
		compiler->compiled->reads_other = true;
}

static Node *
make_literal(Compiler *compiler, const CrmRuleNode *node)
{
	A_Const    *literal = makeNode(A_Const);
	char	   *text = pnstrdup(node->string, node->length);
	Node	   *constant;

	literal->location = -1;
	if (node->kind == CRM_RULE_NUMBER)
	{
		char	   *end;
		long		value;

		errno = 0;
		value = strtol(text, &end, 10);
		if (*end == '\0' && errno == 0 && value >= PG_INT32_MIN && value <= PG_INT32_MAX)
		{
			literal->val.ival.type = T_Integer;
			literal->val.ival.ival = (int) value;
		}
		else
		{
			literal->val.fval.type = T_Float;
			literal->val.fval.fval = text;
		}
	}
	else
	{
		literal->val.sval.type = T_String;
		literal->val.sval.sval = text;
	}
	constant = (Node *) make_const(compiler->pstate, literal);
	if (node->kind == CRM_RULE_LITERAL)
	{
		static const Oid types[] = {INTERVALOID, DATEOID, TIMESTAMPOID, TIMESTAMPTZOID};

		check_literal(compiler, constant, types[node->op]);
		constant = coerce_type(compiler->pstate, constant, UNKNOWNOID, types[node->op], -1,
							   COERCION_EXPLICIT, COERCE_EXPLICIT_CAST, -1);
	}
	return constant;
}

/* ---- operators ---- */

static List *
operator_name(const char *name, Oid left, Oid right)
{
	bool		ours = (OidIsValid(left) && crm_rule_type_is_ours(left)) ||
		(OidIsValid(right) && crm_rule_type_is_ours(right));

	return list_make2(makeString(ours ? "crm" : "pg_catalog"), makeString(pstrdup(name)));
}

static const char *
type_words(Oid type)
{
	return type == UNKNOWNOID ? "a text literal" : format_type_be(type);
}

static void
no_operator(const char *name, Oid left, Oid right)
{
	bool		keyed = left == TEXTOID || right == TEXTOID;

	if (!OidIsValid(left))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("there is no operator %s for %s", name, type_words(right))));
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("there is no operator %s between %s and %s", name, type_words(left), type_words(right)),
			 keyed ? errhint("A text compares with a text: write '10' between apostrophes; a key taken by ->> is a text.") : 0));
}

/* The type that an operand of the unknown type will take. */
static Oid
declared_or(Oid declared, Oid other)
{
	return IsPolymorphicType(declared) ? getBaseType(other) : declared;
}

/* An operator between two operands; left is NULL of a prefix operator. */
static Node *
make_operation(Compiler *compiler, const char *name, Node *left, Node *right)
{
	Oid			left_type = left != NULL ? exprType(left) : InvalidOid;
	Oid			right_type = exprType(right);
	List	   *full = operator_name(name, left_type, right_type);
	Operator	operator = left != NULL ?
		oper(compiler->pstate, full, left_type, right_type, true, -1) :
		left_oper(compiler->pstate, full, right_type, true, -1);
	Form_pg_operator form;

	if (operator == NULL)
		no_operator(name, left_type, right_type);
	form = (Form_pg_operator) GETSTRUCT(operator);
	if (left != NULL)
		check_literal(compiler, left, declared_or(form->oprleft, right_type));
	check_literal(compiler, right, declared_or(form->oprright, left_type));
	ReleaseSysCache(operator);
	return (Node *) make_op(compiler->pstate, full, left, right, compiler->pstate->p_last_srf, -1);
}

static Node *
make_junction(BoolExprType type, List *arguments)
{
	return (Node *) makeBoolExpr(type, arguments, -1);
}

/* Whether a part of the rule names a field: SQL treats such items apart. */
static bool
names_field(const uint8_t *position, const uint8_t *end, const uint8_t **next)
{
	CrmRuleNode node;
	bool		found;

	if (!crm_rule_node(position, end, &node))
		crm_rule_damaged();
	found = node.kind == CRM_RULE_FIELD || node.kind == CRM_RULE_KEY || node.kind >= CRM_RULE_HAS_TAG;
	position = node.first;
	for (int i = 0; i < node.children; i++)
		found |= names_field(position, end, &position);
	*next = position;
	return found;
}

/*
 * x [not] in (...), as the analysis of a query does it: two or more items
 * without a field in them are an array, others are compared one by one.
 */
static Node *
compile_in(Compiler *compiler, const CrmRuleNode *node, const uint8_t **position)
{
	const char *name = node->op ? "<>" : "=";
	Node	   *value = compile_node(compiler, position);
	List	   *all = list_make1(value);
	List	   *constants = NIL;
	List	   *others = NIL;
	List	   *items = NIL;
	Node	   *result = NULL;
	ListCell   *cell;

	for (int i = 1; i < node->children; i++)
	{
		const uint8_t *next;
		bool		has_field = names_field(*position, compiler->end, &next);
		Node	   *item = compile_node(compiler, position);

		items = lappend(items, item);
		if (has_field)
			others = lappend(others, item);
		else
			constants = lappend(constants, item);
	}
	if (list_length(constants) > 1)
	{
		Oid			scalar;
		Oid			array = InvalidOid;

		all = list_concat(all, constants);
		scalar = select_common_type(compiler->pstate, all, NULL, NULL);
		if (OidIsValid(scalar) && !verify_common_type(scalar, all))
			scalar = InvalidOid;
		if (OidIsValid(scalar) && scalar != RECORDOID)
			array = get_array_type(scalar);
		if (OidIsValid(array))
		{
			ArrayExpr  *list = makeNode(ArrayExpr);
			List	   *full = operator_name(name, exprType(value), scalar);
			Operator	operator = oper(compiler->pstate, full, exprType(value), scalar, true, -1);

			if (operator == NULL)
				no_operator(name, exprType(value), scalar);
			check_literal(compiler, value, ((Form_pg_operator) GETSTRUCT(operator))->oprleft);
			ReleaseSysCache(operator);
			foreach(cell, constants)
			{
				Node	   *item = lfirst(cell);

				check_literal(compiler, item, scalar);
				list->elements = lappend(list->elements,
										 coerce_to_common_type(compiler->pstate, item, scalar, "IN"));
			}
			list->array_typeid = array;
			list->element_typeid = scalar;
			list->location = -1;
			result = (Node *) make_scalar_array_op(compiler->pstate, full, !node->op,
												   value, (Node *) list, -1);
			items = others;
		}
	}
	foreach(cell, items)
	{
		Node	   *one = make_operation(compiler, name, copyObject(value), lfirst(cell));

		one = coerce_to_boolean(compiler->pstate, one, "IN");
		result = result == NULL ? one :
			make_junction(node->op ? AND_EXPR : OR_EXPR, list_make2(result, one));
	}
	return result;
}

static Node *
compile_between(Compiler *compiler, const CrmRuleNode *node, const uint8_t **position)
{
	Node	   *value = compile_node(compiler, position);
	Node	   *low = compile_node(compiler, position);
	Node	   *high = compile_node(compiler, position);

	return make_junction(node->op ? OR_EXPR : AND_EXPR,
						 list_make2(coerce_to_boolean(compiler->pstate,
													  make_operation(compiler, node->op ? "<" : ">=", value, low), "BETWEEN"),
									coerce_to_boolean(compiler->pstate,
													  make_operation(compiler, node->op ? ">" : "<=", copyObject(value), high), "BETWEEN")));
}

static Node *
compile_test(Compiler *compiler, const CrmRuleNode *node, const uint8_t **position)
{
	CrmRuleNode inside;
	Node	   *argument;
	NullTest   *test;

	if (node->op > CRM_RULE_IS_NOT_NULL)
	{
		static const BoolTestType tests[] = {IS_TRUE, IS_NOT_TRUE, IS_FALSE, IS_NOT_FALSE};
		BooleanTest *boolean = makeNode(BooleanTest);

		argument = compile_node(compiler, position);
		boolean->arg = (Expr *) coerce_to_boolean(compiler->pstate, argument, "IS");
		boolean->booltesttype = tests[node->op - CRM_RULE_IS_TRUE];
		boolean->location = -1;
		return (Node *) boolean;
	}
	if (!crm_rule_node(*position, compiler->end, &inside))
		crm_rule_damaged();
	if (inside.kind == CRM_RULE_FIELD)
	{
		argument = compile_field(compiler, inside.string, inside.length, false);
		*position = inside.first;
	}
	else
		argument = compile_node(compiler, position);
	test = makeNode(NullTest);
	test->arg = (Expr *) argument;
	test->nulltesttype = node->op == CRM_RULE_IS_NULL ? IS_NULL : IS_NOT_NULL;
	test->argisrow = type_is_rowtype(exprType(argument));
	test->location = -1;
	return (Node *) test;
}

/* ---- the clock, and what other tables know ---- */

static Node *
make_now(Compiler *compiler)
{
	if (compiler->scope->as_of != NULL)
		return make_param(AS_OF_PARAM, TIMESTAMPTZOID, -1, InvalidOid);
	return (Node *) makeFuncExpr(F_NOW, TIMESTAMPTZOID, NIL, InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);
}

static Node *
make_current_date(Compiler *compiler)
{
	SQLValueFunction *function;

	if (compiler->scope->as_of != NULL)
		return (Node *) makeFuncExpr(F_DATE_TIMESTAMPTZ, DATEOID, list_make1(make_now(compiler)),
									 InvalidOid, InvalidOid, COERCE_EXPLICIT_CAST);
	function = makeNode(SQLValueFunction);
	function->op = SVFOP_CURRENT_DATE;
	function->type = DATEOID;
	function->typmod = -1;
	function->location = -1;
	return (Node *) function;
}

static Node *
text_constant(const char *bytes, size_t length)
{
	return (Node *) makeConst(TEXTOID, -1, DEFAULT_COLLATION_OID, -1,
							  PointerGetDatum(cstring_to_text_with_len(bytes, length)), false, false);
}

static Node *
count_constant(bool given, uint32_t value)
{
	return (Node *) makeConst(INT4OID, -1, InvalidOid, 4, Int32GetDatum((int32) value), !given, true);
}

static Node *
compile_predicate(Compiler *compiler, const CrmRuleNode *node)
{
	static const Oid types[] = {INT8OID, TEXTOID, INT4OID, INT4OID, INTERVALOID, TIMESTAMPTZOID};
	const char *name = node->kind == CRM_RULE_HAS_TAG ? "contact_has_tag" :
		node->kind == CRM_RULE_IN_SEGMENT ? "contact_in_segment" : "contact_did";
	int			count = node->kind == CRM_RULE_DID ? 6 : 2;
	bool		nullable;
	const char *field = crm_rule_contact_field(compiler->scope, &nullable);
	Node	   *contact = compile_field(compiler, field, strlen(field), true);
	List	   *arguments;
	Oid			function;

	contact = coerce_to_target_type(compiler->pstate, contact, exprType(contact), INT8OID, -1,
									COERCION_IMPLICIT, COERCE_IMPLICIT_CAST, -1);
	arguments = list_make2(contact, text_constant(node->string, node->length));
	if (node->kind == CRM_RULE_DID)
	{
		Node	   *span = (Node *) makeNullConst(INTERVALOID, -1, InvalidOid);

		if (node->op & CRM_RULE_DID_WITHIN)
		{
			CrmRuleNode literal = {.kind = CRM_RULE_LITERAL, .op = CRM_RULE_INTERVAL,
			.string = node->string2, .length = node->length2};
			Interval   *interval;

			span = make_literal(compiler, &literal);
			interval = DatumGetIntervalP(castNode(Const, span)->constvalue);
			if (interval->month < 0 || interval->day < 0 || interval->time < 0 ||
				(interval->month == 0 && interval->day == 0 && interval->time == 0))
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("within of did() must be longer than nothing"),
						 errdetail("It is interval '%s'.", pnstrdup(node->string2, node->length2))));
		}
		arguments = lappend(arguments,
							count_constant(true, (node->op & CRM_RULE_DID_AT_LEAST) ? node->at_least :
										   (node->op & CRM_RULE_DID_AT_MOST) ? 0 : 1));
		arguments = lappend(arguments, count_constant(node->op & CRM_RULE_DID_AT_MOST, node->at_most));
		arguments = lappend(arguments, span);
		arguments = lappend(arguments, make_now(compiler));
	}
	function = LookupFuncName(list_make2(makeString("crm"), makeString(pstrdup(name))), count, types, false);
	return (Node *) makeFuncExpr(function, BOOLOID, arguments, InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL);
}

/* ---- nodes ---- */

static Node *
compile_condition(Compiler *compiler, const uint8_t **position, const char *construct)
{
	Node	   *node = compile_node(compiler, position);

	return coerce_to_boolean(compiler->pstate, node, construct);
}

static Node *
compile_known(Compiler *compiler, const CrmRuleNode *node, const uint8_t **position)
{
	List	   *arguments = NIL;
	Node	   *left;
	Node	   *right;

	switch (node->kind)
	{
		case CRM_RULE_AND:
		case CRM_RULE_OR:
			for (int i = 0; i < node->children; i++)
				arguments = lappend(arguments, compile_condition(compiler, position, node->kind == CRM_RULE_AND ? "AND" : "OR"));
			return make_junction(node->kind == CRM_RULE_AND ? AND_EXPR : OR_EXPR, arguments);
		case CRM_RULE_NOT:
			return make_junction(NOT_EXPR, list_make1(compile_condition(compiler, position, "NOT")));
		case CRM_RULE_COMPARE:
			left = compile_node(compiler, position);
			right = compile_node(compiler, position);
			return make_operation(compiler, crm_rule_compare_name[node->op], left, right);
		case CRM_RULE_ARITHMETIC:
			{
				char		name[2] = {(char) node->op, '\0'};

				left = compile_node(compiler, position);
				right = compile_node(compiler, position);
				return make_operation(compiler, name, left, right);
			}
		case CRM_RULE_NEGATE:
			return make_operation(compiler, "-", NULL, compile_node(compiler, position));
		case CRM_RULE_LIKE:
			{
				static const char *const names[] = {"~~", "!~~", "~~*", "!~~*"};

				left = compile_node(compiler, position);
				right = compile_node(compiler, position);
				return make_operation(compiler, names[node->op], left, right);
			}
		case CRM_RULE_IN:
			return compile_in(compiler, node, position);
		case CRM_RULE_BETWEEN:
			return compile_between(compiler, node, position);
		case CRM_RULE_IS:
			return compile_test(compiler, node, position);
		case CRM_RULE_FIELD:
			return compile_field(compiler, node->string, node->length, true);
		case CRM_RULE_KEY:
			{
				CrmRuleNode key = {.kind = CRM_RULE_STRING, .string = node->string2, .length = node->length2};

				return make_operation(compiler, "->>",
									  compile_field(compiler, node->string, node->length, true),
									  make_literal(compiler, &key));
			}
		case CRM_RULE_NUMBER:
		case CRM_RULE_STRING:
		case CRM_RULE_LITERAL:
			return make_literal(compiler, node);
		case CRM_RULE_TRUE:
		case CRM_RULE_FALSE:
			return makeBoolConst(node->kind == CRM_RULE_TRUE, false);
		case CRM_RULE_NULL:
			return (Node *) makeConst(UNKNOWNOID, -1, InvalidOid, -2, (Datum) 0, true, false);
		case CRM_RULE_NOW:
			return make_now(compiler);
		case CRM_RULE_CURRENT_DATE:
			return make_current_date(compiler);
		case CRM_RULE_HAS_TAG:
		case CRM_RULE_IN_SEGMENT:
		case CRM_RULE_DID:
			return compile_predicate(compiler, node);
	}
	crm_rule_damaged();
}

typedef struct ErrorPlace
{
	const uint8_t *position;
	const uint8_t *end;
} ErrorPlace;

static void
tell_place(void *argument)
{
	ErrorPlace *place = argument;
	char	   *text = crm_rule_node_text(place->position, place->end);
	size_t		length = strlen(text);

	if (length > 200)
	{
		length = pg_mbcliplen(text, length, 200);
		errcontext("condition \"%.*s...\" of a rule", (int) length, text);
	}
	else
		errcontext("condition \"%s\" of a rule", text);
}

/* A node and what is below it; an error tells the condition that it is in. */
static Node *
compile_node(Compiler *compiler, const uint8_t **position)
{
	CrmRuleNode node;
	ErrorContextCallback callback;
	ErrorPlace	place = {*position, compiler->end};
	bool		tells;
	Node	   *result;

	check_stack_depth();
	if (!crm_rule_node(*position, compiler->end, &node))
		crm_rule_damaged();
	tells = node.kind >= CRM_RULE_COMPARE && node.kind <= CRM_RULE_IS;
	tells |= node.kind >= CRM_RULE_HAS_TAG;
	if (tells)
	{
		callback.callback = tell_place;
		callback.arg = &place;
		callback.previous = error_context_stack;
		error_context_stack = &callback;
	}
	*position = node.first;
	result = compile_known(compiler, &node, position);
	if (tells)
		error_context_stack = callback.previous;
	return result;
}

static void
start(Compiler *compiler, const uint8_t *end, CrmRuleScope *scope, CrmRuleCompiled *compiled)
{
	compiler->pstate = make_parsestate(NULL);
	compiler->scope = scope;
	compiler->end = end;
	compiler->compiled = compiled;
	compiled->reads_datetime = compiled->reads_other = false;
}

static void
finish(Compiler *compiler, Node *node)
{
	assign_expr_collations(compiler->pstate, node);
	/* Before the row's own expressions come in, which are the caller's. */
	crm_rule_check_trust(node);
	node = resolve(node, compiler->scope);
	free_parsestate(compiler->pstate);
	compiler->compiled->expr = (Expr *) node;
}

void
crm_rule_compile(const uint8_t *position, const uint8_t *end, CrmRuleScope *scope, CrmRuleCompiled *compiled)
{
	Compiler	compiler;

	start(&compiler, end, scope, compiled);
	finish(&compiler, compile_condition(&compiler, &position, "rule"));
}

void
crm_rule_compile_operand(const uint8_t *position, const uint8_t *end, CrmRuleScope *scope, CrmRuleCompiled *compiled)
{
	Compiler	compiler;

	start(&compiler, end, scope, compiled);
	finish(&compiler, compile_node(&compiler, &position));
}

void
crm_rule_compile_compare(const uint8_t *left, const uint8_t *right, const uint8_t *end,
						 CrmRuleCompare op, CrmRuleScope *scope, CrmRuleCompiled *compiled)
{
	Compiler	compiler;
	Node	   *a;
	Node	   *b;

	start(&compiler, end, scope, compiled);
	a = compile_node(&compiler, &left);
	b = compile_node(&compiler, &right);
	finish(&compiler, make_operation(&compiler, crm_rule_compare_name[op], a, b));
}

bool
crm_rule_is_our_operator(const uint8_t *left, const uint8_t *right, const uint8_t *end, CrmRuleScope *scope)
{
	Compiler	compiler;
	CrmRuleCompiled compiled;
	bool		ours;

	start(&compiler, end, scope, &compiled);
	ours = crm_rule_type_is_ours(exprType(compile_node(&compiler, &left))) ||
		(right != NULL && crm_rule_type_is_ours(exprType(compile_node(&compiler, &right))));
	free_parsestate(compiler.pstate);
	return ours;
}

void
crm_rule_scope_of_type(Oid row_type, int32 typmod, CrmRuleScope *scope)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(row_type, typmod);

	memset(scope, 0, sizeof(*scope));
	scope->kind = CRM_SCOPE_SLOT;
	scope->row_type = row_type;
	scope->desc = CreateTupleDescCopyConstr(desc);
	ReleaseTupleDesc(desc);
}
