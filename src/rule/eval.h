/*
 * eval.h
 *		Evaluating rules, and parts of them, on rows.
 */
#ifndef CRM_RULE_EVAL_H
#define CRM_RULE_EVAL_H

#include "access/tupdesc.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"
#include "nodes/execnodes.h"
#include "utils/timestamp.h"

#include "rule/compile.h"

/* A row in a slot, with what expressions over it are run in. */
typedef struct CrmRuleRow
{
	MemoryContext context;		/* of all that follows */
	Oid			type;
	int32		typmod;
	uint64		identifier;		/* of the row type: changes when it does */
	TupleDesc	desc;
	TupleTableSlot *slot;
	HeapTupleData tuple;
	ExprContext *econtext;
	ParamListInfo params;		/* 1: as_of */
	CrmRuleScope scope;
} CrmRuleRow;

/* The type of the row argument of a call; raises when it cannot be known. */
extern void crm_rule_row_type(FunctionCallInfo fcinfo, int argument, Oid *type, int32 *typmod);

/* Makes a place for rows of a type in a new child of the context. */
extern CrmRuleRow *crm_rule_make_row(Oid type, int32 typmod, MemoryContext parent);

extern void crm_rule_drop_row(CrmRuleRow *row);

/* Puts the argument of a call into the slot; null is a row of nulls. */
extern void crm_rule_store_row(CrmRuleRow *row, FunctionCallInfo fcinfo, int argument);

extern void crm_rule_set_as_of(CrmRuleRow *row, TimestampTz as_of);

/* Makes what a part of a rule was compiled to runnable on the row. */
extern ExprState *crm_rule_prepare(CrmRuleRow *row, Expr *expr);

/* Runs it; a boolean or another value by value or in memory until the next. */
extern Datum crm_rule_run(CrmRuleRow *row, ExprState *state, bool *isnull);

/*
 * A place where rules are asked of rows of one type: keeps them ready to run
 * as long as the memory context lives, which should not outlive a query.
 */
typedef struct CrmRuleSite CrmRuleSite;

extern CrmRuleSite *crm_rule_make_site(MemoryContext context);

/* Puts a row there, which must stay in memory; the moment is that of now(). */
extern CrmRuleRow *crm_rule_site_row(CrmRuleSite *site, Oid type, int32 typmod, HeapTuple tuple, TimestampTz as_of);

/* Whether a rule holds for the row that is there; null is false. */
extern bool crm_rule_site_holds(CrmRuleSite *site, const CrmRule *rule);

/*
 * Adds to a text the conditions of a rule that keep it from holding for the
 * row, each with the values of its fields.  explain.c.
 */
extern void crm_rule_tell_unmet(CrmRuleRow *row, const CrmRule *rule, bool with_values, StringInfo text);

#endif							/* CRM_RULE_EVAL_H */
