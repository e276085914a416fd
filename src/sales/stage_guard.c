/*
 * stage_guard.c
 *		The trigger that lets a deal move only where crm.stage_transition
 *		allows, whoever writes the UPDATE; and the one that tells every backend
 *		when the stages or their rules have changed.
 *
 * The guard also completes the row, so that a plain INSERT or UPDATE needs no
 * more than the stage: the pipeline follows the stage, stage_entered_at and
 * closed_at follow the move, the reasons of a loss go when the deal leaves
 * the lost stage.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "crm.h"
#include "history/change.h"
#include "sales/stage_criteria.h"
#include "sales/stage_guard.h"
#include "sales/stage_matrix.h"

/* The columns of crm.deal that the guard reads or writes. */
typedef enum Column
{
	COL_ID,
	COL_NAME,
	COL_PIPELINE,
	COL_STAGE,
	COL_AMOUNT,
	COL_CURRENCY,
	COL_ENTERED,
	COL_CLOSED,
	COL_CREATED,
	COL_UPDATED,
	COL_REASON,
	COL_LOST_TO,
	COL_LOST_AT,
	COLUMNS
} Column;

static const struct
{
	const char *name;
	Oid			type;
}			column_info[COLUMNS] = {
	[COL_ID] = {"id", INT8OID},
	[COL_NAME] = {"name", TEXTOID},
	[COL_PIPELINE] = {"pipeline_id", INT8OID},
	[COL_STAGE] = {"stage_id", INT8OID},
	[COL_AMOUNT] = {"amount", NUMERICOID},
	[COL_CURRENCY] = {"currency", TEXTOID},
	[COL_ENTERED] = {"stage_entered_at", TIMESTAMPTZOID},
	[COL_CLOSED] = {"closed_at", TIMESTAMPTZOID},
	[COL_CREATED] = {"created_at", TIMESTAMPTZOID},
	[COL_UPDATED] = {"updated_at", TIMESTAMPTZOID},
	[COL_REASON] = {"loss_reason_id", INT8OID},
	[COL_LOST_TO] = {"lost_to_company_id", INT8OID},
	[COL_LOST_AT] = {"lost_at_stage_id", INT8OID},
};

/* A row under the guard: the values of the columns above, old and new. */
typedef struct Guarded
{
	TupleDesc	desc;
	bool		is_insert;
	int			attnum[COLUMNS];
	Datum		value[COLUMNS];
	bool		isnull[COLUMNS];
	Datum		old_value[COLUMNS];
	bool		old_isnull[COLUMNS];
	bool		changed[COLUMNS];	/* by the guard */
	bool		any_changed;
} Guarded;

/* What a trigger keeps in its FmgrInfo for the rows of a statement. */
typedef struct Kept
{
	int			attnum[COLUMNS];
	CrmJudge   *judge;
} Kept;

static Kept *
make_kept(MemoryContext context, Relation relation)
{
	TupleDesc	desc = RelationGetDescr(relation);
	Kept	   *kept = MemoryContextAlloc(context, sizeof(Kept));

	kept->judge = crm_judge_make(context);
	for (int c = 0; c < COLUMNS; c++)
	{
		kept->attnum[c] = SPI_fnumber(desc, column_info[c].name);
		if (kept->attnum[c] <= 0 || SPI_gettypeid(desc, kept->attnum[c]) != column_info[c].type)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("table \"%s\" has no column \"%s\" of type %s",
							RelationGetRelationName(relation), column_info[c].name,
							format_type_be(column_info[c].type)),
					 errhint("Run SELECT crm.install() to make what is missing.")));
	}
	return kept;
}

static Kept *
kept_of(FunctionCallInfo fcinfo, Relation relation)
{
	if (fcinfo->flinfo->fn_extra == NULL)
		fcinfo->flinfo->fn_extra = make_kept(fcinfo->flinfo->fn_mcxt, relation);
	return fcinfo->flinfo->fn_extra;
}

static void
set_value(Guarded *row, Column column, Datum value)
{
	row->value[column] = value;
	row->isnull[column] = false;
	row->changed[column] = row->any_changed = true;
}

static void
set_null(Guarded *row, Column column)
{
	if (row->isnull[column])
		return;
	row->isnull[column] = true;
	row->changed[column] = row->any_changed = true;
}

static int64
bigint_value(const Guarded *row, Column column)
{
	return row->isnull[column] ? 0 : DatumGetInt64(row->value[column]);
}

static TimestampTz
time_value(const Guarded *row, Column column)
{
	return DatumGetTimestampTz(row->value[column]);
}

/* Whether an UPDATE left the column as it was; for types of 8 bytes. */
static bool
is_untouched(const Guarded *row, Column column)
{
	return row->isnull[column] == row->old_isnull[column] &&
		(row->isnull[column] || DatumGetInt64(row->value[column]) == DatumGetInt64(row->old_value[column]));
}

/* What messages call the deal; one that is being inserted has a name only. */
static const char *
deal_label(const Guarded *row)
{
	const char *name = row->isnull[COL_NAME] ? "" : TextDatumGetCString(row->value[COL_NAME]);

	if (row->is_insert)
		return psprintf("\"%s\"", name);
	return psprintf("%lld \"%s\"", (long long) bigint_value(row, COL_ID), name);
}

static void
report_forbidden(const char *label, const CrmStage *from, const CrmStage *to)
{
	if (from == NULL)
		ereport(ERROR,
				(errcode(CRM_ERRCODE_TRANSITION),
				 errmsg("deal %s cannot begin at stage \"%s\"", label, to->name),
				 errdetail("A deal of pipeline \"%s\" may begin at: %s.", to->pipeline,
						   crm_stage_list_next(0, to->pipeline_id)),
				 errhint("Begin at one of these, or allow it with crm.allow_transition(%s, NULL, %s).",
						 quote_literal_cstr(to->pipeline), quote_literal_cstr(to->name))));
	if (from->pipeline_id != to->pipeline_id)
		ereport(ERROR,
				(errcode(CRM_ERRCODE_TRANSITION),
				 errmsg("deal %s cannot move from stage \"%s\" of pipeline \"%s\" to stage \"%s\" of pipeline \"%s\"",
						label, from->name, from->pipeline, to->name, to->pipeline),
				 errdetail("From \"%s\" it may move to: %s.", from->name, crm_stage_list_next(from->id, 0)),
				 errhint("To allow it, add the two stages to crm.stage_transition.")));
	ereport(ERROR,
			(errcode(CRM_ERRCODE_TRANSITION),
			 errmsg("deal %s cannot move from stage \"%s\" to stage \"%s\"", label, from->name, to->name),
			 errdetail("From \"%s\" it may move to: %s.", from->name, crm_stage_list_next(from->id, 0)),
			 errhint("Move it to one of these first, or allow it with crm.allow_transition(%s, %s, %s).",
					 quote_literal_cstr(from->pipeline), quote_literal_cstr(from->name),
					 quote_literal_cstr(to->name))));
}

static const CrmStage *
require_stage(const Guarded *row)
{
	int64		id = bigint_value(row, COL_STAGE);
	const CrmStage *stage = crm_stage_find(id);

	if (stage == NULL)
		ereport(ERROR,
				(errcode(CRM_ERRCODE_UNKNOWN),
				 errmsg("there is no stage %lld", (long long) id),
				 errdetail("It was given for deal %s.", deal_label(row)),
				 errhint("crm.stage lists the stages.")));
	return stage;
}

/* The stage of a new deal. */
static const CrmStage *
begin(Guarded *row)
{
	int64		pipeline_id = bigint_value(row, COL_PIPELINE);
	const CrmStage *stage;

	if (!row->isnull[COL_STAGE])
	{
		stage = require_stage(row);
		if (!stage->begins)
			report_forbidden(deal_label(row), NULL, stage);
		return stage;
	}
	stage = crm_stage_first(pipeline_id);
	if (stage == NULL)
	{
		if (pipeline_id == 0)
			ereport(ERROR,
					(errcode(CRM_ERRCODE_UNKNOWN),
					 errmsg("deal %s names no stage, and there is no default pipeline at whose first stage it could begin",
							deal_label(row)),
					 errhint("Give stage_id, or make a pipeline the default one: UPDATE crm.pipeline SET is_default = true WHERE name = ...")));
		ereport(ERROR,
				(errcode(CRM_ERRCODE_UNKNOWN),
				 errmsg("pipeline %lld has no stage at which a deal may begin", (long long) pipeline_id),
				 errhint("Allow one with a row in crm.stage_transition whose from_stage_id is null.")));
	}
	set_value(row, COL_STAGE, Int64GetDatum(stage->id));
	return stage;
}

/* The pipeline follows the stage; a contradiction is the client's mistake. */
static void
follow_pipeline(Guarded *row, const CrmStage *stage, bool given)
{
	if (bigint_value(row, COL_PIPELINE) == stage->pipeline_id)
		return;
	if (given)
		ereport(ERROR,
				(errcode(CRM_ERRCODE_UNKNOWN),
				 errmsg("the stage of deal %s, \"%s\", belongs to another pipeline, \"%s\"",
						deal_label(row), stage->name, stage->pipeline),
				 errhint("To move a deal to another pipeline, set stage_id to a stage of it; pipeline_id follows.")));
	set_value(row, COL_PIPELINE, Int64GetDatum(stage->pipeline_id));
}

/* When the deal came to its stage. */
static void
set_entered(Guarded *row, const CrmStage *stage)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();

	if (row->is_insert)
	{
		if (!row->isnull[COL_ENTERED])
			return;
		/* A deal of the past that is closed came there when it was closed. */
		if (stage->kind != CRM_STAGE_OPEN && !row->isnull[COL_CLOSED])
			set_value(row, COL_ENTERED, row->value[COL_CLOSED]);
		else if (!row->isnull[COL_CREATED])
			set_value(row, COL_ENTERED, row->value[COL_CREATED]);
		else
			set_value(row, COL_ENTERED, TimestampTzGetDatum(now));
		return;
	}
	if (row->isnull[COL_ENTERED] || is_untouched(row, COL_ENTERED))
		set_value(row, COL_ENTERED, TimestampTzGetDatum(now));
	if (time_value(row, COL_ENTERED) >= DatumGetTimestampTz(row->old_value[COL_ENTERED]))
		return;

	/*
	 * Of two transactions, the one that began first may write last: its clock
	 * is behind by the time it waited.
	 */
	if (time_value(row, COL_ENTERED) != now)
		ereport(ERROR,
				(errcode(CRM_ERRCODE_TIME_ORDER),
				 errmsg("deal %s cannot enter stage \"%s\" at %s, before it entered its present stage",
						deal_label(row), stage->name, timestamptz_to_str(time_value(row, COL_ENTERED))),
				 errdetail("It entered its present stage at %s.",
						   pstrdup(timestamptz_to_str(DatumGetTimestampTz(row->old_value[COL_ENTERED])))),
				 errhint("Give a later moment.")));
	set_value(row, COL_ENTERED, row->old_value[COL_ENTERED]);
}

/* A deal is closed as long as it is at a stage that is won or lost. */
static void
set_closed(Guarded *row, const CrmStage *stage)
{
	if (stage->kind == CRM_STAGE_OPEN)
		set_null(row, COL_CLOSED);
	else if (row->isnull[COL_CLOSED])
		set_value(row, COL_CLOSED, row->value[COL_ENTERED]);
}

/* What goes with the stage that the deal has just entered. */
static void
set_outcome(Guarded *row, const CrmStage *from, const CrmStage *stage)
{
	if (!row->is_insert && is_untouched(row, COL_CLOSED))
		set_null(row, COL_CLOSED);
	if (stage->kind != CRM_STAGE_LOST)
	{
		set_null(row, COL_REASON);
		set_null(row, COL_LOST_TO);
		set_null(row, COL_LOST_AT);
	}
	else if (!row->is_insert && (row->isnull[COL_LOST_AT] || is_untouched(row, COL_LOST_AT)))
		set_value(row, COL_LOST_AT, Int64GetDatum(from->id));
}

static void
require_reason(const Guarded *row, const CrmStage *stage)
{
	if (stage->kind == CRM_STAGE_LOST && row->isnull[COL_REASON])
		ereport(ERROR,
				(errcode(CRM_ERRCODE_REQUIRED),
				 errmsg("deal %s cannot be lost without a reason", deal_label(row)),
				 errdetail("Column loss_reason_id is null."),
				 errhint("Set loss_reason_id to a row of crm.loss_reason, or call crm.lose_deal(deal, reason).")));
}

/*
 * Sets updated_at when anything else changed, and keeps it otherwise: it is
 * the time of the latest entry in the history.
 */
static void
set_updated(Guarded *row, HeapTuple old_tuple, HeapTuple new_tuple)
{
	bool		differs = row->any_changed;

	/* A merge that is undone writes back when the row was last changed. */
	if (crm_merge_mode() == CRM_MERGE_UNDO)
		return;
	for (int attnum = 1; !differs && attnum <= row->desc->natts; attnum++)
		differs = attnum != row->attnum[COL_UPDATED] &&
			!TupleDescAttr(row->desc, attnum - 1)->attisdropped &&
			crm_column_differs(old_tuple, new_tuple, row->desc, attnum);
	if (differs)
		set_value(row, COL_UPDATED, TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
	else if (!is_untouched(row, COL_UPDATED))
		set_value(row, COL_UPDATED, row->old_value[COL_UPDATED]);
}

static HeapTuple
guarded_tuple(const Guarded *row, HeapTuple tuple)
{
	int			columns[COLUMNS];
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];
	int			n = 0;

	for (int c = 0; c < COLUMNS; c++)
	{
		if (!row->changed[c])
			continue;
		columns[n] = row->attnum[c];
		values[n] = row->value[c];
		nulls[n] = row->isnull[c];
		n++;
	}
	return heap_modify_tuple_by_cols(tuple, row->desc, n, columns, values, nulls);
}

/*
 * What a move asks for: at once, or, but for who may make it, at the end of
 * the transaction.
 */
static void
judge(Kept *kept, Relation relation, Oid user, const Guarded *row, const CrmStage *from, const CrmStage *to,
	  const CrmCriteria *move, HeapTuple tuple, bool is_end)
{
	CrmMoveCase one = {
		.relation = relation,
		.user = user,
		.reads_as_owner = true,
		.deal_id = bigint_value(row, COL_ID),
		.is_new = row->is_insert,
		.from = from,
		.to = to,
		.move = move,
		.deal = tuple
	};

	if (!crm_move_is_judged(&one))
		return;
	one.label = deal_label(row);
	if (!is_end)
		crm_move_require_role(&one);
	if (is_end || crm_stage_check == CRM_STAGE_CHECK_IMMEDIATE)
		crm_move_require(kept->judge, &one);
}

/* The row of a deal as it is now; NULL when it was deleted. */
static HeapTuple
deal_now(Relation relation, HeapTuple tuple, int id_column)
{
	static SPIPlanPtr plan = NULL;
	static Oid	types[] = {INT8OID};
	MemoryContext context = CurrentMemoryContext;
	CrmOwnerRights caller;
	bool		isnull;
	Datum		id = heap_getattr(tuple, id_column, RelationGetDescr(relation), &isnull);
	HeapTuple	result = NULL;

	crm_become_owner(relation, &caller);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	/* The row as one value has its dropped columns, too. */
	crm_execute_kept(&plan, "SELECT d FROM crm.deal d WHERE d.id OPERATOR(pg_catalog.=) $1", 1, types, &id, NULL);
	if (SPI_processed > 0)
	{
		Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);

		MemoryContextSwitchTo(context);
		result = palloc0(sizeof(HeapTupleData));
		result->t_data = DatumGetHeapTupleHeaderCopy(value);
		result->t_len = HeapTupleHeaderGetDatumLength(result->t_data);
		ItemPointerSetInvalid(&result->t_self);
	}
	SPI_finish();
	crm_become_caller(&caller);
	return result;
}

/* The triggers know the columns of crm.deal and write as its owner: for it alone. */
static void
require_deals(Relation relation, const char *function)
{
	if (RelationGetRelid(relation) != get_relname_relid("deal", get_namespace_oid("crm", false)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("%s is a trigger of crm.deal, not of \"%s\"", function, RelationGetRelationName(relation))));
}

PG_FUNCTION_INFO_V1(crm_stage_guard);

/* BEFORE INSERT OR UPDATE FOR EACH ROW on crm.deal. */
Datum
crm_stage_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = crm_require_trigger(fcinfo, "crm.stage_guard()");
	bool		is_insert = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	HeapTuple	tuple;
	Kept	   *kept;
	Guarded		row;
	const CrmStage *from = NULL;
	const CrmStage *stage;
	const CrmCriteria *move = NULL;

	if (!TRIGGER_FIRED_BEFORE(trigger->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		!(is_insert || TRIGGER_FIRED_BY_UPDATE(trigger->tg_event)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("crm.stage_guard() must be a BEFORE INSERT OR UPDATE trigger FOR EACH ROW")));
	require_deals(trigger->tg_relation, "crm.stage_guard()");
	tuple = is_insert ? trigger->tg_trigtuple : trigger->tg_newtuple;
	row.desc = RelationGetDescr(trigger->tg_relation);
	row.is_insert = is_insert;
	row.any_changed = false;
	memset(row.changed, 0, sizeof(row.changed));
	kept = kept_of(fcinfo, trigger->tg_relation);
	memcpy(row.attnum, kept->attnum, sizeof(row.attnum));
	for (int c = 0; c < COLUMNS; c++)
	{
		row.value[c] = heap_getattr(tuple, row.attnum[c], row.desc, &row.isnull[c]);
		if (!is_insert)
			row.old_value[c] = heap_getattr(trigger->tg_trigtuple, row.attnum[c], row.desc, &row.old_isnull[c]);
	}

	crm_stage_matrix_refresh(trigger->tg_relation);
	if (is_insert)
	{
		stage = begin(&row);
		follow_pipeline(&row, stage, !row.isnull[COL_PIPELINE]);
		move = crm_stage_move(0, stage->id);
	}
	else
	{
		/* What is judged at the end of the transaction, and the history, go by it. */
		if (!is_untouched(&row, COL_ID))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("the number of deal %lld cannot change", (long long) DatumGetInt64(row.old_value[COL_ID])),
					 errhint("Make another deal.")));
		stage = require_stage(&row);
		follow_pipeline(&row, stage, !is_untouched(&row, COL_PIPELINE));
		if (!is_untouched(&row, COL_STAGE))
		{
			from = crm_stage_find(DatumGetInt64(row.old_value[COL_STAGE]));
			move = from == NULL ? NULL : crm_stage_move(from->id, stage->id);
			if (move == NULL)
				report_forbidden(deal_label(&row), from, stage);
		}
	}
	/* A deal whose stage was merged has been at the other all the time. */
	if (is_insert || (from != NULL && !crm_stage_is_merge(from, stage)))
	{
		set_entered(&row, stage);
		set_outcome(&row, from, stage);
	}
	set_closed(&row, stage);
	require_reason(&row, stage);
	if (!row.isnull[COL_AMOUNT] && row.isnull[COL_CURRENCY])
		set_value(&row, COL_CURRENCY, CStringGetTextDatum(stage->currency));
	if (!is_insert)
		set_updated(&row, trigger->tg_trigtuple, tuple);
	if (row.any_changed)
		tuple = guarded_tuple(&row, tuple);
	if (move != NULL)
		judge(kept, trigger->tg_relation, GetUserId(), &row, from, stage, move, tuple, false);
	return PointerGetDatum(tuple);
}

PG_FUNCTION_INFO_V1(crm_stage_judge);

/*
 * Constraint trigger AFTER INSERT OR UPDATE FOR EACH ROW on crm.deal, for the
 * moves that the guard has left to the end of the transaction: each is judged
 * by the deal as it is by then.
 */
Datum
crm_stage_judge(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = crm_require_trigger(fcinfo, "crm.stage_judge()");
	bool		is_insert = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	HeapTuple	tuple;
	Kept	   *kept;
	Guarded		row;
	const CrmStage *from = NULL;
	const CrmStage *stage;
	const CrmCriteria *move;
	int64		from_id = 0;
	int64		to_id = 0;

	if (!TRIGGER_FIRED_AFTER(trigger->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		!(is_insert || TRIGGER_FIRED_BY_UPDATE(trigger->tg_event)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("crm.stage_judge() must be an AFTER INSERT OR UPDATE trigger FOR EACH ROW")));
	require_deals(trigger->tg_relation, "crm.stage_judge()");
	kept = kept_of(fcinfo, trigger->tg_relation);
	row.desc = RelationGetDescr(trigger->tg_relation);
	tuple = is_insert ? trigger->tg_trigtuple : trigger->tg_newtuple;
	(void) crm_bigint_column(tuple, row.desc, kept->attnum[COL_STAGE], &to_id);
	if (!is_insert)
		(void) crm_bigint_column(trigger->tg_trigtuple, row.desc, kept->attnum[COL_STAGE], &from_id);
	if (from_id == to_id)
		return PointerGetDatum(NULL);
	crm_stage_matrix_refresh(trigger->tg_relation);
	stage = crm_stage_find(to_id);
	move = crm_stage_move(from_id, to_id);
	if (from_id != 0)
		from = crm_stage_find(from_id);
	/* A move that was allowed then, and no longer is, has nothing to fulfil. */
	if (stage == NULL || move == NULL || (from == NULL && from_id != 0))
		return PointerGetDatum(NULL);
	tuple = deal_now(trigger->tg_relation, tuple, kept->attnum[COL_ID]);
	if (tuple == NULL)
		return PointerGetDatum(NULL);
	row.is_insert = false;
	memcpy(row.attnum, kept->attnum, sizeof(row.attnum));
	for (int c = 0; c < COLUMNS; c++)
		row.value[c] = heap_getattr(tuple, row.attnum[c], row.desc, &row.isnull[c]);
	judge(kept, trigger->tg_relation, GetUserId(), &row, from, stage, move, tuple, true);
	return PointerGetDatum(NULL);
}

/* ---- what was stored ---- */

struct CrmStoredCheck
{
	Relation	relation;
	Oid			user;
	bool		again;
	Kept	   *kept;			/* only when again */
	int			stage;			/* number of the column */
};

/*
 * Whether triggers may change rows after the guard has judged them: those of
 * the same kind whose names come after its own fire after it.
 */
static bool
has_later_triggers(const TriggerData *trigger)
{
	const TriggerDesc *triggers = trigger->tg_relation->trigdesc;
	bool		is_insert = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	bool		is_guarded = false;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
	{
		const Trigger *one = &triggers->triggers[i];

		if (one->tgenabled == TRIGGER_DISABLED || !TRIGGER_FOR_ROW(one->tgtype) || !TRIGGER_FOR_BEFORE(one->tgtype) ||
			!(is_insert ? TRIGGER_FOR_INSERT(one->tgtype) : TRIGGER_FOR_UPDATE(one->tgtype)))
			continue;
		if (is_guarded)
			return true;
		is_guarded = strcmp(one->tgname, "stage_guard") == 0;
	}
	return false;
}

CrmStoredCheck *
crm_stage_check_stored(TriggerData *trigger, Oid user)
{
	CrmStoredCheck *check = palloc0(sizeof(CrmStoredCheck));

	check->relation = trigger->tg_relation;
	check->user = user;
	check->stage = crm_bigint_attnum(RelationGetDescr(trigger->tg_relation), "stage_id");
	check->again = !TRIGGER_FIRED_BY_DELETE(trigger->tg_event) && has_later_triggers(trigger);
	if (check->again)
		check->kept = make_kept(CurrentMemoryContext, trigger->tg_relation);
	return check;
}

/* What the guard sees to. */
static void
require_sound(const Guarded *row, const CrmStage *stage)
{
	const char *wrong = NULL;

	if (!row->is_insert && !is_untouched(row, COL_ID))
		wrong = "another number";
	else if (stage->kind == CRM_STAGE_OPEN && !row->isnull[COL_CLOSED])
		wrong = "closed_at at a stage that is open";
	else if (stage->kind != CRM_STAGE_OPEN && row->isnull[COL_CLOSED])
		wrong = "no closed_at at a stage that is won or lost";
	if (wrong != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("deal %s would be stored with %s", deal_label(row), wrong),
				 errdetail("A trigger has changed the row after trigger stage_guard."),
				 errhint("Let it fire before: triggers of a kind fire in the order of their names.")));
	require_reason(row, stage);
}

bool
crm_stage_require_stored(CrmStoredCheck *check, HeapTuple old_row, HeapTuple new_row)
{
	TupleDesc	desc = RelationGetDescr(check->relation);
	const CrmStage *from;
	const CrmStage *to;
	const CrmCriteria *move;
	Guarded		row;
	int64		from_id = 0;
	int64		to_id = 0;

	(void) crm_bigint_column(new_row, desc, check->stage, &to_id);
	if (old_row != NULL)
		(void) crm_bigint_column(old_row, desc, check->stage, &from_id);
	if (from_id == to_id && !check->again)
		return false;
	crm_stage_matrix_refresh(check->relation);
	from = from_id == 0 ? NULL : crm_stage_find(from_id);
	to = crm_stage_find(to_id);
	if (to == NULL || (from == NULL && from_id != 0))
		return from_id != to_id;	/* the foreign key says it */
	move = from == to ? NULL : crm_stage_move(from_id, to_id);
	if (from != to && move == NULL)
	{
		int64		id = 0;

		(void) crm_bigint_column(new_row, desc, crm_bigint_attnum(desc, "id"), &id);
		report_forbidden(psprintf("%lld", (long long) id), from, to);
	}
	if (check->again)
	{
		row.desc = desc;
		row.is_insert = old_row == NULL;
		memcpy(row.attnum, check->kept->attnum, sizeof(row.attnum));
		for (int c = 0; c < COLUMNS; c++)
		{
			row.value[c] = heap_getattr(new_row, row.attnum[c], desc, &row.isnull[c]);
			if (old_row != NULL)
				row.old_value[c] = heap_getattr(old_row, row.attnum[c], desc, &row.old_isnull[c]);
		}
		require_sound(&row, to);
		if (move != NULL)
			judge(check->kept, check->relation, check->user, &row, from, to, move, new_row, false);
	}
	return from != to && (from == NULL || !crm_stage_is_merge(from, to));
}

PG_FUNCTION_INFO_V1(crm_stages_changed);

/*
 * AFTER any change FOR EACH STATEMENT on the tables of stages: every backend
 * reads them anew.
 */
Datum
crm_stages_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = crm_require_trigger(fcinfo, "crm.stages_changed()");

	CacheInvalidateRelcacheByRelid(RelationGetRelid(trigger->tg_relation));
	return PointerGetDatum(NULL);
}
