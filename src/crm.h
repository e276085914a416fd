/*
 * crm.h
 *		What every room of the module shares: limits, settings, and the only
 *		place where server versions are told apart.
 *
 * Include after postgres.h.  The pure cores (files that include neither
 * postgres.h nor this header) can be linked into a fuzzer or a unit test.
 */
#ifndef CRM_H
#define CRM_H

#include "fmgr.h"
#include "nodes/nodes.h"

#if PG_VERSION_NUM < 150000
#error "crm needs PostgreSQL 15 or newer"
#endif

/*
 * Soft errors came with PostgreSQL 16: an input function called with an
 * ErrorSaveContext reports through it and returns.  Before, an error is an
 * error.  crm_escontext() is what an input function hands to its checker.
 */
#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#define crm_escontext(fcinfo) ((fcinfo)->context)
#else
#define crm_escontext(fcinfo) ((Node *) NULL)
#define errsave(context, ...) \
	do { (void) (context); ereport(ERROR, __VA_ARGS__); } while (0)
#define ereturn(context, dummy_value, ...) \
	do { errsave(context, __VA_ARGS__); return dummy_value; } while (0)
#define SOFT_ERROR_OCCURRED(escontext) ((void) (escontext), false)
#endif

/* VARDATA_ANY() and its kin left postgres.h in PostgreSQL 16. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/*
 * The columns of a range table entry: names (String nodes) and Vars.  From
 * PostgreSQL 16 on a Var says which outer joins may null it; what stands for a
 * column of a row is nulled where the row is.
 */
#if PG_VERSION_NUM >= 180000
#define crm_expand_rte(rte, number, levels_up, names, vars) \
	expandRTE(rte, number, levels_up, VAR_RETURNING_DEFAULT, -1, false, names, vars)
#else
#define crm_expand_rte(rte, number, levels_up, names, vars) \
	expandRTE(rte, number, levels_up, -1, false, names, vars)
#endif
#if PG_VERSION_NUM >= 160000
#define crm_copy_nulling(var, row) ((var)->varnullingrels = bms_copy((row)->varnullingrels))
#else
#define crm_copy_nulling(var, row) ((void) (var), (void) (row))
#endif

#ifndef palloc_array
#define palloc_array(type, count) ((type *) palloc(mul_size(sizeof(type), (count))))
#endif

/* Longest text that any of our value types reads, in bytes. */
#define CRM_MAX_INPUT 1024

/* crm.default_region: region of phone numbers written without country code. */
extern char *crm_default_region;

/* crm.actor: the person behind the session, as the application knows them. */
extern char *crm_actor;

/*
 * crm.match_memory, in kilobytes, and crm.match_workers: bounds of a run of a
 * match model.
 */
extern int	crm_match_memory;
extern int	crm_match_workers;

/*
 * crm.stage_check: whether what a move of a deal asks for is judged in its
 * statement, or at the end of the transaction.
 */
typedef enum CrmStageCheck
{
	CRM_STAGE_CHECK_IMMEDIATE,
	CRM_STAGE_CHECK_DEFERRED
} CrmStageCheck;

extern int	crm_stage_check;

/*
 * crm.merge_mode: what the functions that merge and unmerge set while they
 * write rows that are known already.  crm_merge_mode() tells it, to those only
 * who may write the merge journal.
 */
typedef enum CrmMergeMode
{
	CRM_MERGE_OFF,
	CRM_MERGE_MERGE,			/* rows are copied from one contact to another */
	CRM_MERGE_UNDO				/* rows are written as they were before */
} CrmMergeMode;

extern CrmMergeMode crm_merge_mode(void);

#endif							/* CRM_H */
