/*
 * compile.h
 *		From the image of a rule to an expression of the server.
 */
#ifndef CRM_RULE_COMPILE_H
#define CRM_RULE_COMPILE_H

#include "access/tupdesc.h"
#include "nodes/primnodes.h"

#include "rule/rule_datum.h"

/* How the fields of the row are reached. */
typedef enum CrmRuleScopeKind
{
	CRM_SCOPE_SLOT,				/* Vars of number 1: a tuple in a slot */
	CRM_SCOPE_VAR,				/* Vars like the whole-row Var given */
	CRM_SCOPE_NODES,			/* an expression for each name */
	CRM_SCOPE_SELECT			/* FieldSelect of the expression given */
} CrmRuleScopeKind;

typedef struct CrmRuleScope
{
	CrmRuleScopeKind kind;
	Oid			row_type;		/* or RECORDOID */
	TupleDesc	desc;			/* unless kind is NODES */
	Node	   *row;			/* of VAR and SELECT */
	List	   *names;			/* of NODES: String nodes */
	List	   *nodes;			/* of NODES */
	Node	   *as_of;			/* what now() is; NULL for the statement's */
} CrmRuleScope;

/* What a compiled rule depends on beside the row type. */
typedef struct CrmRuleCompiled
{
	Expr	   *expr;
	bool		reads_datetime; /* a literal was read by the settings of dates */
	bool		reads_other;	/* ... by something else that may change */
} CrmRuleCompiled;

/*
 * The rule as an expression of type boolean, with the operators that SQL
 * would choose.  Raises 42703, 42804, RM032 and what input functions raise of
 * literals.
 */
extern void crm_rule_compile(const uint8_t *position, const uint8_t *end,
							 CrmRuleScope *scope, CrmRuleCompiled *compiled);

/* The same of an operand: the expression has the type that it has. */
extern void crm_rule_compile_operand(const uint8_t *position, const uint8_t *end,
									 CrmRuleScope *scope, CrmRuleCompiled *compiled);

/* A comparison of two operands by another operator than the rule has. */
extern void crm_rule_compile_compare(const uint8_t *left, const uint8_t *right, const uint8_t *end,
									 CrmRuleCompare op, CrmRuleScope *scope, CrmRuleCompiled *compiled);

/*
 * Whether the operator between two operands (of a node that compares or
 * computes) belongs to schema crm, not to pg_catalog.
 */
extern bool crm_rule_is_our_operator(const uint8_t *left, const uint8_t *right, const uint8_t *end,
									 CrmRuleScope *scope);

/* Scope of a relation or row type, for expressions that are not run. */
extern void crm_rule_scope_of_type(Oid row_type, int32 typmod, CrmRuleScope *scope);

/* Number of a field in the scope, or -1. */
extern int	crm_rule_find_field(const CrmRuleScope *scope, const char *name, size_t length);

/* Name of the field with the contact's number; raises RM032. */
extern const char *crm_rule_contact_field(const CrmRuleScope *scope, bool *nullable);

/* Raises 42703 with the nearest name as a hint. */
extern void crm_rule_no_field(const CrmRuleScope *scope, const char *name, size_t length) __attribute__((noreturn));

/* trust.c */
extern bool crm_rule_type_is_trusted(Oid type);
extern bool crm_rule_type_is_ours(Oid type);
extern void crm_rule_check_trust(Node *expr);

#endif							/* CRM_RULE_COMPILE_H */
