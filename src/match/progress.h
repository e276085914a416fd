/*
 * progress.h
 *		How far a run is, for crm.v_match_progress.
 *
 * The server has progress reports for its own commands only.  A run reports as
 * one that copies into memory, which it does first, and uses parameters that
 * COPY does not; a mark tells such reports from others.
 */
#ifndef CRM_MATCH_PROGRESS_H
#define CRM_MATCH_PROGRESS_H

#include "postgres.h"

typedef enum MatchPhase
{
	MATCH_PHASE_LOAD = 1,
	MATCH_PHASE_BLOCK,
	MATCH_PHASE_TRAIN,
	MATCH_PHASE_SCORE,
	MATCH_PHASE_CLUSTER,
	MATCH_PHASE_WRITE
} MatchPhase;

extern void crm_match_report_start(Oid relation);
extern void crm_match_report_phase(MatchPhase phase);
extern void crm_match_report_records(uint64 records);
extern void crm_match_report_planned(uint64 pairs);
extern void crm_match_report_pairs(uint64 pairs);
extern void crm_match_report_end(void);

#endif							/* CRM_MATCH_PROGRESS_H */
