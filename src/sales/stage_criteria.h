/*
 * stage_criteria.h
 *		What a deal has to fulfil to make a move that is allowed.
 *
 * Members of which roles may make it, what must not be missing (columns,
 * custom fields, stages gone through, milestones, documents), and the guards
 * of the move and of both its stages: rules about the row that the move would
 * leave, with what other tables know of it: see crm.deal_profile.
 */
#ifndef CRM_STAGE_CRITERIA_H
#define CRM_STAGE_CRITERIA_H

#include "access/htup.h"
#include "utils/rel.h"

#include "sales/stage_matrix.h"

/* Keeps guards ready to run; as long as the memory context, a query at most. */
typedef struct CrmJudge CrmJudge;

extern CrmJudge *crm_judge_make(MemoryContext context);

typedef struct CrmMoveCase
{
	Relation	relation;		/* crm.deal */
	Oid			user;			/* who makes the move */
	bool		reads_as_owner;	/* of it: other tables */
	const char *label;			/* what messages call the deal */
	int64		deal_id;
	bool		is_new;			/* so that nothing can refer to the deal yet */
	const CrmStage *from;		/* NULL: the deal begins */
	const CrmStage *to;
	const CrmCriteria *move;
	HeapTuple	deal;			/* as it would be */
} CrmMoveCase;

/* Whether the move asks for anything, so that there is something to judge. */
extern bool crm_move_is_judged(const CrmMoveCase *move);

/* What is wrong with a move; texts that are NULL where nothing is. */
typedef struct CrmMoveVerdict
{
	const char *roles;			/* who may */
	const char *missing;
	const char *unmet;			/* conditions, with their values */
	const char *guards;			/* whose conditions they are: ... is not met */
} CrmMoveVerdict;

/* All that is wrong; guards are not asked, unless is_complete, when something is missing. */
extern CrmMoveVerdict crm_move_judge(CrmJudge *judge, const CrmMoveCase *move, bool is_complete);

/* Raises 42501 unless the role may make the move. */
extern void crm_move_require_role(const CrmMoveCase *move);

/* Raises RM003 or RM002 when anything else is wrong. */
extern void crm_move_require(CrmJudge *judge, const CrmMoveCase *move);

/* How messages call a move: from stage "A" to stage "B". */
extern const char *crm_move_label(const CrmMoveCase *move);

#endif							/* CRM_STAGE_CRITERIA_H */
