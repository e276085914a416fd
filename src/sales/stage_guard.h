/*
 * stage_guard.h
 *		The rule of moving deals, for the triggers that enforce it.
 */
#ifndef CRM_STAGE_GUARD_H
#define CRM_STAGE_GUARD_H

#include "utils/rel.h"

/* SQLSTATEs of the domain; doc/errors.md explains them. */
#define CRM_ERRCODE_TRANSITION	MAKE_SQLSTATE('R', 'M', '0', '0', '1')
#define CRM_ERRCODE_GUARD		MAKE_SQLSTATE('R', 'M', '0', '0', '2')
#define CRM_ERRCODE_REQUIRED	MAKE_SQLSTATE('R', 'M', '0', '0', '3')
#define CRM_ERRCODE_UNKNOWN		MAKE_SQLSTATE('R', 'M', '0', '0', '4')
#define CRM_ERRCODE_TIME_ORDER	MAKE_SQLSTATE('R', 'M', '0', '0', '6')

/*
 * Raises RM001 unless a deal may move from one stage to the other, or, from
 * stage 0, begin at the other.  Says whether that is a move in time: not when
 * the one stage was merged into the other.
 */
extern bool crm_stage_require_move(Relation relation, int64 deal_id, int64 from_id, int64 to_id);

#endif							/* CRM_STAGE_GUARD_H */
