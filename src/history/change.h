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
#include "executor/tuptable.h"
#include "utils/jsonb.h"
#include "utils/tuplestore.h"

/* One column's value as a jsonb datum; SQL null becomes JSON null. */
extern Jsonb *crm_column_to_jsonb(HeapTuple row, TupleDesc desc, int attnum);

/* Whether a column differs between two rows of the same descriptor. */
extern bool crm_column_differs(HeapTuple a, HeapTuple b, TupleDesc desc, int attnum);

/* A string (a key or a value), and a column's value, into an object that is being built. */
extern void crm_push_string(JsonbParseState **state, JsonbIteratorToken token, const char *string);
extern void crm_push_column(JsonbParseState **state, HeapTuple row, TupleDesc desc, int attnum);

/* The number of the bigint column of that name; 0 when there is none. */
extern int	crm_bigint_attnum(TupleDesc desc, const char *name);

/* The content of a bigint column; false when its number is 0, or it is null. */
extern bool crm_bigint_column(HeapTuple row, TupleDesc desc, int attnum, int64 *value);

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

/* Checks that it was attached AFTER ... FOR EACH STATEMENT with all transition tables; raises otherwise. */
extern void crm_require_transition_tables(TriggerData *trigger, const char *function);

/*
 * The rows of a statement, old and new version together, from the transition
 * tables.  Other triggers read these too, so each reader has its own place.
 */
typedef struct CrmRowReader
{
	Tuplestorestate *store;		/* NULL when there is no such table */
	int			pointer;
	TupleTableSlot *slot;
} CrmRowReader;

typedef struct CrmChangeReader
{
	CrmRowReader old_rows;
	CrmRowReader new_rows;
} CrmChangeReader;

/* Whether the statement touched any row: cascades fire triggers for none, too. */
extern bool crm_has_changes(TriggerData *trigger);

extern void crm_open_changes(CrmChangeReader *reader, TriggerData *trigger);

/*
 * The next row, copied into the current context; NULL for the version that an
 * insert or a delete does not have.  False at the end.
 */
extern bool crm_read_change(CrmChangeReader *reader, HeapTuple *old_row, HeapTuple *new_row);
extern void crm_close_changes(CrmChangeReader *reader);

/*
 * Entries that one INSERT writes, and the memory that they may take before
 * it does: an array ends at 1 GB, and a few long values may be as much.
 */
#define CRM_BATCH_ENTRIES 1000
#define CRM_BATCH_BYTES (8 * 1024 * 1024)

/* An array of so many elements of the type; nulls may be NULL when none is. */
extern Datum crm_make_array(Datum *values, bool *nulls, int count, Oid type);

#endif							/* CRM_CHANGE_H */
