/*
 * score.c
 *		Comparing the pairs of a run.
 *
 * A job is some of the blocks of a rule.  Workers collect what they find in
 * chunks of shared memory, which the leader gathers in the end.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "match/progress.h"
#include "match/team.h"

/* Below so many pairs starting workers costs more than it gains. */
#define LEAST_PAIRS_FOR_WORKERS 300000

/* Pairs that a job should have, about. */
#define PAIRS_OF_JOB 50000

#define EDGES_OF_CHUNK 32768
#define BINS_OF_CHUNK 16384

typedef struct ResultChunk
{
	dsa_pointer next;
	uint32		count;
	bool		is_edges;
	union
	{
		CrmMatchEdge edge[EDGES_OF_CHUNK];
		CrmMatchBin bin[BINS_OF_CHUNK];
	}			u;
} ResultChunk;

/* Who compares. */
typedef struct Scorer
{
	MatchMember *member;
	ResultChunk *chunk;
	dsa_pointer chunk_pointer;
	MatchEdges *edges;
	CrmMatchHistogram *histogram;
	uint64		scored;
} Scorer;

/* What the leader gets. */
typedef struct Results
{
	MatchEdges *edges;
	CrmMatchHistogram *histogram;
} Results;

static void
push_chunk(Scorer *scorer)
{
	MatchTeam  *team = scorer->member->team;

	if (scorer->chunk == NULL)
		return;
	SpinLockAcquire(&team->mutex);
	scorer->chunk->next = team->results;
	team->results = scorer->chunk_pointer;
	SpinLockRelease(&team->mutex);
	scorer->chunk = NULL;
}

static ResultChunk *
room_in_chunk(Scorer *scorer, bool is_edges)
{
	dsa_area   *area = scorer->member->area;

	if (scorer->chunk != NULL &&
		scorer->chunk->count == (is_edges ? EDGES_OF_CHUNK : BINS_OF_CHUNK))
		push_chunk(scorer);
	if (scorer->chunk == NULL)
	{
		scorer->chunk_pointer = dsa_allocate(area, sizeof(ResultChunk));
		scorer->chunk = dsa_get_address(area, scorer->chunk_pointer);
		scorer->chunk->count = 0;
		scorer->chunk->is_edges = is_edges;
	}
	return scorer->chunk;
}

void
crm_match_add_edge(MatchEdges *edges, CrmMatchEdge edge)
{
	if (edges->count == edges->room)
	{
		edges->room = edges->room * 2 + 1024;
		edges->edge = edges->edge == NULL ?
			MemoryContextAllocHuge(CurrentMemoryContext, edges->room * sizeof(CrmMatchEdge)) :
			repalloc_huge(edges->edge, edges->room * sizeof(CrmMatchEdge));
	}
	edges->edge[edges->count++] = edge;
}

static void
score_pair(uint32_t a, uint32_t b, void *argument)
{
	Scorer	   *scorer = argument;
	const MatchTeam *team = scorer->member->team;
	const CrmMatchRecords *records = scorer->member->records;
	const uint8_t *feature_a = crm_match_feature(records, a);
	const uint8_t *feature_b = crm_match_feature(records, b);
	uint64_t	pattern = crm_match_pattern(records->model, feature_a, feature_b);
	CrmMatchEdge edge;

	scorer->scored++;
	if (team->collect)
	{
		crm_match_histogram_add(scorer->histogram, pattern,
								crm_match_shared_rules(records, a, b) |
								crm_match_pack_frequency(records->model, pattern, feature_a, feature_b), 1);
		return;
	}
	edge.weight = crm_match_weight(records->model, pattern, feature_a, feature_b);
	if (edge.weight < team->floor)
		return;
	edge.a = a;
	edge.b = b;
	if (scorer->edges != NULL)
		crm_match_add_edge(scorer->edges, edge);
	else
	{
		ResultChunk *chunk = room_in_chunk(scorer, true);

		chunk->u.edge[chunk->count++] = edge;
	}
}

/* Adds what all have found to what the leader has. */
static void
gather(MatchMember *leader)
{
	Results    *results = leader->results;

	for (dsa_pointer next = leader->team->results; DsaPointerIsValid(next);)
	{
		ResultChunk *chunk = dsa_get_address(leader->area, next);
		dsa_pointer done = next;

		for (uint32 i = 0; i < chunk->count; i++)
		{
			if (chunk->is_edges)
				crm_match_add_edge(results->edges, chunk->u.edge[i]);
			else
				crm_match_histogram_add(results->histogram, chunk->u.bin[i].pattern, chunk->u.bin[i].rules, chunk->u.bin[i].count);
		}
		next = chunk->next;
		dsa_free(leader->area, done);
		CHECK_FOR_INTERRUPTS();
	}
}

void
crm_match_do_score(MatchMember *member)
{
	MatchTeam  *team = member->team;
	Results    *results = member->results;
	Scorer		scorer = {member};
	const CrmMatchEntry *entry[CRM_MATCH_RULES];
	int			job;

	for (int r = 0; r < team->model.rules; r++)
		entry[r] = crm_match_address(member, team->division[r].entry);

	/* What the leader finds needs no sending. */
	if (results != NULL)
	{
		scorer.edges = results->edges;
		scorer.histogram = results->histogram;
	}
	else if (team->collect)
		scorer.histogram = crm_match_histogram_make(member->host);
	while ((job = crm_match_next_job(member)) >= 0)
	{
		const MatchBlockRange *range = &team->range[job];

		scorer.scored = 0;
		crm_match_enumerate(member->records, range->rule, entry[range->rule], range->start, range->end,
							team->sample, score_pair, &scorer, member->host);
		pg_atomic_fetch_add_u64(&team->scored, scorer.scored);
		if (results != NULL)
			crm_match_report_pairs(pg_atomic_read_u64(&team->scored));
	}
	if (results != NULL)
		return;
	if (team->collect)
	{
		size_t		count;
		CrmMatchBin *bins = crm_match_histogram_bins(scorer.histogram, &count);

		for (size_t i = 0; i < count; i++)
		{
			ResultChunk *chunk = room_in_chunk(&scorer, false);

			chunk->u.bin[chunk->count++] = bins[i];
		}
		member->host->release(member->host, bins);
	}
	push_chunk(&scorer);
}

/* Jobs of about as many pairs each; a block is not divided among them. */
static int
plan_jobs(MatchRun *run, MatchTeam *team)
{
	uint64		all = 0;
	uint64		of_job;
	int			jobs = 0;

	for (int r = 0; r < run->model.rules; r++)
		all += run->blocks[r].pairs;
	of_job = Max(all / (MATCH_MOST_RANGES / 2), PAIRS_OF_JOB);
	for (int r = 0; r < run->model.rules; r++)
	{
		const CrmMatchBlocks *blocks = &run->blocks[r];
		Size		start = 0;
		uint64		pairs = 0;

		for (Size at = 0; at < blocks->count;)
		{
			Size		end = at + 1;

			while (end < blocks->count && blocks->entry[end].key == blocks->entry[at].key)
				end++;
			pairs += (uint64) (end - at) * (end - at - 1) / 2;
			at = end;
			if ((pairs >= of_job || at == blocks->count) && jobs < MATCH_MOST_RANGES)
			{
				team->range[jobs++] = (MatchBlockRange) {r, start, at};
				start = at;
				pairs = 0;
			}
		}
		/* Not reached by the arithmetic above, but no pair may be lost. */
		if (start < blocks->count)
			team->range[jobs - 1].end = blocks->count;
	}
	return jobs;
}

static uint64
score(MatchRun *run, bool collect, uint64 sample, double floor, Results *results)
{
	MatchTeam  *team = crm_match_team(run);
	double		pairs = 0;

	for (int r = 0; r < run->model.rules; r++)
		pairs += (double) run->blocks[r].pairs;
	if (sample != UINT64_MAX)
		pairs *= (double) sample / (double) UINT64_MAX;
	team->collect = collect;
	team->sample = sample;
	team->floor = floor;
	crm_match_work(run, MATCH_TASK_SCORE, plan_jobs(run, team), pairs < LEAST_PAIRS_FOR_WORKERS, results);
	if (run->area != NULL)
	{
		MatchMember leader = {&run->host, &run->records, run->team, run->area, results};

		gather(&leader);
	}
	return pg_atomic_read_u64(&run->team->scored);
}

uint64
crm_match_score(MatchRun *run, double floor, MatchEdges *edges)
{
	Results		results = {edges, NULL};

	return score(run, false, UINT64_MAX, floor, &results);
}

/* A histogram of the patterns of all pairs, or of a sample of the keys. */
CrmMatchHistogram *
crm_match_collect(MatchRun *run, uint64_t sample)
{
	Results		results = {NULL, crm_match_histogram_make(&run->host)};

	score(run, true, sample, 0, &results);
	return results.histogram;
}
