/*
 * stage_guard.h
 *		The rule of moving deals, for the triggers that enforce it.
 */
#ifndef CRM_STAGE_GUARD_H
#define CRM_STAGE_GUARD_H

#include "commands/trigger.h"

/* SQLSTATEs of the domain; doc/errors.md explains them. */
#define CRM_ERRCODE_TRANSITION	MAKE_SQLSTATE('R', 'M', '0', '0', '1')
#define CRM_ERRCODE_GUARD		MAKE_SQLSTATE('R', 'M', '0', '0', '2')
#define CRM_ERRCODE_REQUIRED	MAKE_SQLSTATE('R', 'M', '0', '0', '3')
#define CRM_ERRCODE_UNKNOWN		MAKE_SQLSTATE('R', 'M', '0', '0', '4')
#define CRM_ERRCODE_TIME_ORDER	MAKE_SQLSTATE('R', 'M', '0', '0', '6')

/*
 * What a statement has stored: the guard judges rows before they are, and
 * triggers that fire after it may change them.  user is the one who moves the
 * deals.  To be made in the memory context of the whole statement.
 */
typedef struct CrmStoredCheck CrmStoredCheck;

extern CrmStoredCheck *crm_stage_check_stored(TriggerData *trigger, Oid user);

/*
 * Raises RM001 when a deal made a move, or began at a stage (old_row NULL),
 * that is not allowed, and, if there are such triggers, whatever else the guard
 * would.  Says whether it was a move in time: not when the one stage was merged
 * into the other.
 */
extern bool crm_stage_require_stored(CrmStoredCheck *check, HeapTuple old_row, HeapTuple new_row);

#endif							/* CRM_STAGE_GUARD_H */
