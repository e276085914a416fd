/*
 * stage_matrix.h
 *		The stages and the moves allowed between them, as this backend knows
 *		them.
 *
 * Read from crm.pipeline, crm.stage, crm.stage_transition and what a stage
 * requires when first needed, and again after any of them changed: the trigger
 * crm.stages_changed() sends a relcache invalidation, which reaches every
 * backend when the change commits and takes the change back from this one
 * when it does not.
 */
#ifndef CRM_STAGE_MATRIX_H
#define CRM_STAGE_MATRIX_H

#include "utils/rel.h"

#include "rule/rule_datum.h"

typedef enum CrmStageKind
{
	CRM_STAGE_OPEN,
	CRM_STAGE_WON,
	CRM_STAGE_LOST
} CrmStageKind;

/* What is asked of a deal that makes a move; nothing, mostly. */
typedef struct CrmCriteria
{
	const CrmRule *guard;		/* NULL for none */
	int			fields;			/* required: columns, or attrs.key */
	const char **field;
	int			roles;			/* whose members may make the move; 0: all */
	const char **role;
} CrmCriteria;

typedef struct CrmStage
{
	int64		id;				/* hash key */
	int64		pipeline_id;
	int64		merged_into;	/* 0, or the stage that its deals belong to now */
	CrmStageKind kind;
	bool		begins;			/* whether a new deal may begin here */
	bool		requires;		/* stages, milestones or documents, to enter */
	CrmCriteria entry;			/* from wherever */
	const CrmRule *exit_guard;	/* to wherever; NULL for none */
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

/*
 * Whether the tables have what stages ask for: not between an update of the
 * code and crm.upgrade().
 */
extern bool crm_stage_has_criteria(void);

/* The stage, or NULL when there is none of that number. */
extern const CrmStage *crm_stage_find(int64 id);

/*
 * The first stage at which a deal of the pipeline may begin; pipeline_id 0
 * means the default pipeline.  NULL when there is none.
 */
extern const CrmStage *crm_stage_first(int64 pipeline_id);

/*
 * What a move asks for, or, from stage 0, beginning at a stage; NULL when it
 * is not allowed.
 */
extern const CrmCriteria *crm_stage_move(int64 from, int64 to);

/* Whether the stage was merged into the other, and its deals go there. */
#define crm_stage_is_merge(from, to) ((from)->merged_into == (to)->id)

/* Where the matrix is kept: what is made of it may live there, too. */
extern MemoryContext crm_stage_matrix_context(void);

/* Grows whenever the matrix is read anew, and that context emptied. */
extern uint64 crm_stage_matrix_generation(void);

/*
 * The names of the stages to which a deal may move from a stage (0: at which a
 * deal of the pipeline may begin), quoted, in order; "none" when there is none.
 */
extern const char *crm_stage_list_next(int64 from, int64 pipeline_id);

#endif							/* CRM_STAGE_MATRIX_H */
