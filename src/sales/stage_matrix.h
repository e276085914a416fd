/*
 * stage_matrix.h
 *		The stages and the moves allowed between them, as this backend knows
 *		them.
 *
 * Read from crm.pipeline, crm.stage and crm.stage_transition when first
 * needed, and again after any of them changed: the trigger
 * crm.stages_changed() sends a relcache invalidation, which reaches every
 * backend when the change commits and takes the change back from this one
 * when it does not.
 */
#ifndef CRM_STAGE_MATRIX_H
#define CRM_STAGE_MATRIX_H

#include "utils/rel.h"

typedef enum CrmStageKind
{
	CRM_STAGE_OPEN,
	CRM_STAGE_WON,
	CRM_STAGE_LOST
} CrmStageKind;

typedef struct CrmStage
{
	int64		id;				/* hash key */
	int64		pipeline_id;
	CrmStageKind kind;
	bool		begins;			/* whether a new deal may begin here */
	const char *name;
	const char *pipeline;		/* name of the pipeline */
	const char *currency;		/* currency of the pipeline */
} CrmStage;

/*
 * Makes the matrix current; to be called before the other functions, whose
 * answers are good until the next call.  Reads with the rights of the owner
 * of the table given.
 */
extern void crm_stage_matrix_refresh(Relation relation);

/* The stage, or NULL when there is none of that number. */
extern const CrmStage *crm_stage_find(int64 id);

/*
 * The first stage at which a deal of the pipeline may begin; pipeline_id 0
 * means the default pipeline.  NULL when there is none.
 */
extern const CrmStage *crm_stage_first(int64 pipeline_id);

/* Whether a deal may move so. */
extern bool crm_stage_may_move(int64 from, int64 to);

/*
 * The names of the stages to which a deal may move from a stage (0: at which a
 * deal of the pipeline may begin), quoted, in order; "none" when there is none.
 */
extern const char *crm_stage_list_next(int64 from, int64 pipeline_id);

#endif							/* CRM_STAGE_MATRIX_H */
