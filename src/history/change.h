/*
 * change.h
 *		The difference between two versions of a row, as JSON values, and the
 *		writing of history by triggers.
 */
#ifndef CRM_CHANGE_H
#define CRM_CHANGE_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "utils/jsonb.h"

/* One column's value as a jsonb datum; SQL null becomes JSON null. */
extern Jsonb *crm_column_to_jsonb(HeapTuple row, TupleDesc desc, int attnum);

/* Whether a column differs between two rows of the same descriptor. */
extern bool crm_column_differs(HeapTuple a, HeapTuple b, TupleDesc desc, int attnum);

/*
 * The content of a bigint column of that name; false when the relation has
 * none, or it is null.
 */
extern bool crm_bigint_column(HeapTuple row, TupleDesc desc, const char *name, int64 *value);

/*
 * Who acts: crm.actor when the application sets it, otherwise the session's
 * role.  Allocated in the current context.
 */
extern const char *crm_current_actor(void);

/*
 * History is written with the rights of the owner of the table whose trigger
 * fires, as the server's own foreign-key triggers do: who may change a contact
 * need not be able to write, and so to forge, its history.
 */
typedef struct CrmOwnerRights
{
	Oid			user;
	int			security_context;
} CrmOwnerRights;

extern void crm_become_owner(Relation relation, CrmOwnerRights *saved);
extern void crm_become_caller(const CrmOwnerRights *saved);

/* Runs a statement whose plan is prepared once per backend and kept in *plan. */
extern void crm_execute_kept(SPIPlanPtr *plan, const char *sql, int nargs,
							 Oid *types, Datum *values, const char *nulls);

/* Checks that a trigger function was called as it must be; raises otherwise. */
extern TriggerData *crm_require_trigger(FunctionCallInfo fcinfo, const char *function);

#endif							/* CRM_CHANGE_H */
