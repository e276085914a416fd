/*
 * progress.c
 *		How far a run is.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "commands/progress.h"
#include "utils/backend_progress.h"

#include "match/progress.h"

/* Parameters that COPY leaves alone; crm.v_match_progress reads them. */
#define PARAM_MARK 12
#define PARAM_PHASE 13
#define PARAM_PLANNED 14
#define PARAM_PAIRS 15

#define MARK 0x63726D			/* "crm" */

void
crm_match_report_start(Oid relation)
{
	pgstat_progress_start_command(PROGRESS_COMMAND_COPY, relation);
	pgstat_progress_update_param(PARAM_MARK, MARK);
}

void
crm_match_report_phase(MatchPhase phase)
{
	pgstat_progress_update_param(PARAM_PHASE, phase);
}

void
crm_match_report_records(uint64 records)
{
	pgstat_progress_update_param(PROGRESS_COPY_TUPLES_PROCESSED, (int64) records);
}

void
crm_match_report_planned(uint64 pairs)
{
	pgstat_progress_update_param(PARAM_PLANNED, (int64) pairs);
}

/* Workers do not report; the leader tells what all have done. */
void
crm_match_report_pairs(uint64 pairs)
{
	if (!IsParallelWorker())
		pgstat_progress_update_param(PARAM_PAIRS, (int64) pairs);
}

void
crm_match_report_end(void)
{
	pgstat_progress_end_command();
}
