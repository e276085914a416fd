/*
 * task.c
 *		What is done to the records before pairs are compared: values are
 *		counted, keys are made and blocks are divided.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "match/progress.h"
#include "match/team.h"

/* Fewer records are done before a worker has started. */
#define LEAST_RECORDS_FOR_WORKERS 100000

static bool
is_worth_workers(const MatchRun *run)
{
	return run->records.count >= LEAST_RECORDS_FOR_WORKERS;
}

static uint32
chunk_end(const CrmMatchRecords *records, int chunk)
{
	return (uint32) Min((uint64) records->count, ((uint64) chunk + 1) * CRM_MATCH_CHUNK);
}

/* ---- frequencies ---- */

void
crm_match_do_count(MatchMember *member)
{
	const CrmMatchModel *model = member->records->model;
	int			field;

	while ((field = crm_match_next_job(member)) >= 0)
	{
		CrmMatchFrequencies frequencies;

		for (int t = 0; t < CRM_MATCH_TABLES; t++)
			frequencies.table[field][t] = crm_match_counts_make(member->host);
		for (uint32 i = 0; i < member->records->count; i++)
		{
			crm_match_count_field(model, crm_match_feature(member->records, i), field, &frequencies);
			if ((i & 4095) == 0)
				member->host->interrupt(member->host);
		}
		for (int t = 0; t < CRM_MATCH_TABLES; t++)
		{
			CrmMatchCounts *made = frequencies.table[field][t];
			MatchCounts *counts = &member->team->counts[field][t];

			*counts = (MatchCounts) {made->size, made->used, made->total};
			counts->hash = crm_match_leave(member, made->hash, made->size * sizeof(uint64_t));
			counts->number = crm_match_leave(member, made->number, made->size * sizeof(uint32_t));
			crm_match_counts_free(made);
		}
	}
}

/* The tables of the team, as the core knows them. */
static void
map_counts(MatchMember *member, CrmMatchCounts counts[CRM_MATCH_FIELDS][CRM_MATCH_TABLES], CrmMatchFrequencies *frequencies)
{
	for (int f = 0; f < member->records->model->fields; f++)
		for (int t = 0; t < CRM_MATCH_TABLES; t++)
		{
			const MatchCounts *place = &member->team->counts[f][t];

			counts[f][t] = (CrmMatchCounts) {member->host, place->size, place->used, place->total,
			crm_match_address(member, place->hash), crm_match_address(member, place->number)};
			frequencies->table[f][t] = &counts[f][t];
		}
}

/* Counts the values of the records into the frequencies of the run. */
void
crm_match_count_values(MatchRun *run)
{
	MatchMember leader = {&run->host, &run->records};
	CrmMatchCounts (*counts)[CRM_MATCH_TABLES] = MemoryContextAlloc(run->context, sizeof(CrmMatchCounts) * CRM_MATCH_FIELDS * CRM_MATCH_TABLES);

	crm_match_work(run, MATCH_TASK_COUNT, run->model.fields, !is_worth_workers(run), NULL);
	leader.team = run->team;
	leader.area = run->area;
	map_counts(&leader, counts, &run->frequencies);

	/* log2 of the chance that two records drawn at random have the same value */
	for (int f = 0; f < run->model.fields; f++)
		for (int t = 0; t < CRM_MATCH_TABLES; t++)
		{
			const CrmMatchCounts *table = run->frequencies.table[f][t];
			double		total = (double) crm_match_counts_total(table);
			double		equal = 0;
			size_t		at = 0;
			uint64_t	hash;
			uint32_t	number;

			while (crm_match_counts_next(table, &at, &hash, &number))
				equal += (double) number * (number - 1);
			/* Nothing repeats: less than one pair in all. */
			run->model.field[f].agreement[t] = total < 2 ? 0 : log2(Max(equal, 0.5) / (total * (total - 1)));
		}
}

/* ---- keys ---- */

void
crm_match_do_keys(MatchMember *member)
{
	const CrmMatchModel *model = member->records->model;
	CrmMatchCounts counts[CRM_MATCH_FIELDS][CRM_MATCH_TABLES];
	CrmMatchFrequencies frequencies;
	int			chunk;

	map_counts(member, counts, &frequencies);
	while ((chunk = crm_match_next_job(member)) >= 0)
		for (uint32 i = (uint32) chunk * CRM_MATCH_CHUNK; i < chunk_end(member->records, chunk); i++)
		{
			uint8_t    *feature = crm_match_feature(member->records, i);

			crm_match_set_frequencies(model, feature, &frequencies);
			crm_match_make_keys(model, feature, crm_match_keys(member->records, i));
			if ((i & 4095) == 0)
				member->host->interrupt(member->host);
		}
}

/* Frequencies of values into the features, then keys. */
void
crm_match_make_all_keys(MatchRun *run)
{
	MatchTeam  *team = crm_match_team(run);

	crm_match_report_phase(MATCH_PHASE_BLOCK);

	/* Those of a stored model were read by the leader. */
	for (int f = 0; f < run->model.fields; f++)
		for (int t = 0; t < CRM_MATCH_TABLES; t++)
		{
			const CrmMatchCounts *table = run->frequencies.table[f][t];

			if (team->counts[f][t].size == 0)
				team->counts[f][t] = (MatchCounts) {table->size, table->used, table->total,
				{InvalidDsaPointer, table->hash}, {InvalidDsaPointer, table->number}};
		}
	crm_match_work(run, MATCH_TASK_KEYS, (int) ((run->records.count + CRM_MATCH_CHUNK - 1) / CRM_MATCH_CHUNK),
				   !is_worth_workers(run), NULL);
}

/* ---- blocks ---- */

void
crm_match_do_divide(MatchMember *member)
{
	MatchTeam  *team = member->team;
	CrmMatchCollected collected[CRM_MATCH_RULES_AT_ONCE] = {0};
	int			job;

	while ((job = crm_match_next_job(member)) >= 0)
	{
		CrmMatchDivision made[CRM_MATCH_RULES_AT_ONCE];
		int			first = job * CRM_MATCH_RULES_AT_ONCE;
		int			last = Min(first + CRM_MATCH_RULES_AT_ONCE, team->model.rules);

		crm_match_divide_rules(member->records, first, last, team->choose, team->limit, team->pairs_per_record,
							   collected, made, member->host);
		for (int r = first; r < last; r++)
		{
			const CrmMatchDivision *from = &made[r - first];
			MatchDivision *to = &team->division[r];

			*to = (MatchDivision) {.divider = from->divider,.entries = from->blocks.count,.pairs = from->blocks.pairs,
			.changes = from->changes,.larges = from->larges};
			to->entry = crm_match_leave(member, from->blocks.entry, from->blocks.count * sizeof(CrmMatchEntry));
			to->change = crm_match_leave(member, from->change, from->changes * sizeof(CrmMatchChange));
			to->large = crm_match_leave(member, from->large, from->larges * sizeof(CrmMatchLargeBlock));
			if (from->change != NULL)
				member->host->release(member->host, from->change);
			if (from->large != NULL)
				member->host->release(member->host, from->large);
		}
	}
	for (int i = 0; i < CRM_MATCH_RULES_AT_ONCE; i++)
		if (collected[i].entries != NULL)
			member->host->release(member->host, collected[i].entries);
}

void
crm_match_do_change(MatchMember *member)
{
	int			rule;

	while ((rule = crm_match_next_job(member)) >= 0)
		crm_match_change_keys(member->records, rule, crm_match_address(member, member->team->division[rule].change),
							  member->team->division[rule].changes);
}

uint64
crm_match_divide(MatchRun *run, bool choose, MatchLargeBlocks *blocks)
{
	MatchTeam  *team = crm_match_team(run);
	MatchMember leader = {&run->host, &run->records};
	uint64		pairs = 0;

	team->choose = choose;
	team->limit = (uint32) run->block_limit;
	team->pairs_per_record = run->pairs_per_record;
	crm_match_work(run, MATCH_TASK_DIVIDE, (run->model.rules + CRM_MATCH_RULES_AT_ONCE - 1) / CRM_MATCH_RULES_AT_ONCE,
				   !is_worth_workers(run), NULL);
	team = leader.team = run->team;
	leader.area = run->area;
	for (int r = 0; r < run->model.rules; r++)
	{
		MatchDivision *division = &team->division[r];

		run->model.rule[r].divider = division->divider;
		run->blocks[r] = (CrmMatchBlocks) {crm_match_address(&leader, division->entry), division->entries, division->pairs};
		pairs += division->pairs;
		if (division->larges > 0)
		{
			blocks->block = blocks->block == NULL ? palloc((blocks->count + division->larges) * sizeof(CrmMatchLargeBlock)) :
				repalloc(blocks->block, (blocks->count + division->larges) * sizeof(CrmMatchLargeBlock));
			memcpy(blocks->block + blocks->count, crm_match_address(&leader, division->large), division->larges * sizeof(CrmMatchLargeBlock));
			blocks->count += (int) division->larges;
		}
		crm_match_forget(run, &division->large);
		division->larges = 0;
	}
	crm_match_work(run, MATCH_TASK_CHANGE, run->model.rules, !is_worth_workers(run), NULL);
	for (int r = 0; r < run->model.rules; r++)
	{
		crm_match_forget(run, &run->team->division[r].change);
		run->team->division[r].changes = 0;
	}
	crm_match_report_planned(pairs);
	return pairs;
}

/* Takes away the keys and blocks of idle rules, which were only there to divide. */
void
crm_match_drop_idle(MatchRun *run)
{
	for (int r = 0; r < run->model.rules; r++)
		if (run->model.rule[r].idle)
		{
			crm_match_forget(run, &run->team->division[r].entry);
			run->team->division[r].entries = run->team->division[r].pairs = 0;
			run->blocks[r] = (CrmMatchBlocks) {NULL, 0, 0};
		}
	crm_match_clear_idle(&run->records, &run->host);
}
