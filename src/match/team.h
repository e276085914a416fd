/*
 * team.h
 *		Work on the records of a run by several processes at once.
 *
 * A task is a number of jobs.  With workers, features and keys lie in shared
 * memory; everybody, the leader included, takes the next job until there is
 * none, and leaves there what it made.  Workers touch no table.  Without
 * workers, or when shared memory is short, the leader does all the jobs in its
 * own memory.  The result is the same.
 */
#ifndef CRM_MATCH_TEAM_H
#define CRM_MATCH_TEAM_H

#include "postgres.h"

#include "match/run.h"
#include "port/atomics.h"
#include "storage/spin.h"
#include "utils/dsa.h"

typedef enum MatchTask
{
	MATCH_TASK_COUNT,			/* how often values occur; a job is a field */
	MATCH_TASK_KEYS,			/* frequencies into features, and keys; a chunk */
	MATCH_TASK_DIVIDE,			/* blocks; some rules */
	MATCH_TASK_CHANGE,			/* keys as division made them; a rule */
	MATCH_TASK_SCORE			/* pairs; some blocks of a rule */
} MatchTask;

/* Where something is that a job made. */
typedef struct MatchPlace
{
	dsa_pointer shared;			/* or InvalidDsaPointer: */
	void	   *own;			/* of the leader alone */
} MatchPlace;

typedef struct MatchCounts
{
	Size		size;
	Size		used;
	uint64		total;
	MatchPlace	hash;
	MatchPlace	number;
} MatchCounts;

/* CrmMatchDivision, wherever it is. */
typedef struct MatchDivision
{
	int			divider;
	Size		entries;
	uint64		pairs;
	MatchPlace	entry;
	Size		changes;
	MatchPlace	change;
	Size		larges;
	MatchPlace	large;
} MatchDivision;

/* Some blocks of a rule. */
typedef struct MatchBlockRange
{
	int			rule;
	Size		start;			/* entries */
	Size		end;
} MatchBlockRange;

#define MATCH_MOST_RANGES 2048

typedef struct MatchTeam
{
	MatchTask	task;
	int			jobs;
	pg_atomic_uint32 next_job;
	dsa_pointer chunks;			/* of each chunk, features and keys */
	uint32		records;
	CrmMatchModel model;
	MatchCounts counts[CRM_MATCH_FIELDS][CRM_MATCH_TABLES];
	MatchDivision division[CRM_MATCH_RULES];

	/* of division */
	bool		choose;
	uint32		limit;
	double		pairs_per_record;

	/* of scoring */
	pg_atomic_uint64 scored;
	slock_t		mutex;
	dsa_pointer results;
	bool		collect;		/* patterns instead of edges */
	uint64		sample;
	double		floor;
	MatchBlockRange range[MATCH_MOST_RANGES];
} MatchTeam;

/* One who does jobs. */
typedef struct MatchMember
{
	CrmMatchHost *host;
	CrmMatchRecords *records;
	MatchTeam  *team;
	dsa_area   *area;			/* NULL: what is made stays in this process */
	void	   *results;		/* of the leader, as the task knows them */
} MatchMember;

/* ---- team.c ---- */

extern MatchTeam *crm_match_team(MatchRun *run);

/* Has the jobs of a task done; alone when they are not worth workers. */
extern void crm_match_work(MatchRun *run, MatchTask task, int jobs, bool alone, void *results);

/* Memory for a chunk of records, where workers see it if that may be. */
extern void *crm_match_allocate_chunk(MatchRun *run, Size size, dsa_pointer *shared);

/* The next job, or -1. */
extern int	crm_match_next_job(MatchMember *member);
extern void *crm_match_address(const MatchMember *member, MatchPlace place);

/* Leaves a copy where the others find it. */
extern MatchPlace crm_match_leave(MatchMember *member, const void *memory, Size size);
extern void crm_match_forget(MatchRun *run, MatchPlace *place);

/* ---- what the tasks are: task.c and score.c ---- */

extern void crm_match_do_count(MatchMember *member);
extern void crm_match_do_keys(MatchMember *member);
extern void crm_match_do_divide(MatchMember *member);
extern void crm_match_do_change(MatchMember *member);
extern void crm_match_do_score(MatchMember *member);

#endif							/* CRM_MATCH_TEAM_H */
