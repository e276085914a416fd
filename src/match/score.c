/*
 * score.c
 *		Comparing the pairs of a run, by several processes at once.
 *
 * The work is a list of jobs: a blocking rule and some of its blocks.  With
 * workers, the leader puts features and keys into shared memory; everybody,
 * the leader included, takes the next job and collects what it finds in
 * chunks of shared memory, which the leader gathers in the end.  Workers touch
 * no table.  Without workers, or when shared memory is short, the leader does
 * all the jobs in its own memory.  The result is the same.
 */
#include "postgres.h"

#include <sys/statvfs.h>

#include "access/parallel.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "storage/dsm_impl.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/spin.h"
#include "utils/dsa.h"
#include "utils/memutils.h"

#include "crm.h"
#include "match/progress.h"
#include "match/run.h"

/* Below so many pairs starting workers costs more than it gains. */
#define LEAST_PAIRS_FOR_WORKERS 300000

/* Pairs that a job should have, about. */
#define PAIRS_OF_JOB 50000

#define KEY_SHARED UINT64CONST(0xC4A7000000000001)
#define EDGES_OF_CHUNK 32768
#define BINS_OF_CHUNK 16384

typedef struct Job
{
	int			rule;
	Size		start;			/* entries of its blocks */
	Size		end;
} Job;

#define MOST_JOBS 2048

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

typedef struct Shared
{
	pg_atomic_uint32 next_job;
	pg_atomic_uint64 scored;
	slock_t		mutex;
	dsa_pointer results;
	dsa_handle	area;
	dsa_pointer chunks;			/* of each chunk, features and keys */
	dsa_pointer entries[CRM_MATCH_RULES];	/* of the blocks of each rule */
	uint32		records;
	bool		collect;		/* patterns instead of edges */
	uint64		sample;
	double		floor;
	int			jobs;
	Job			job[MOST_JOBS];
	CrmMatchModel model;
} Shared;

/* One who does jobs. */
typedef struct Participant
{
	CrmMatchHost *host;
	const CrmMatchRecords *records;
	const CrmMatchEntry *entry[CRM_MATCH_RULES];
	Shared	   *shared;
	dsa_area   *area;			/* NULL: results stay here */
	ResultChunk *chunk;
	dsa_pointer chunk_pointer;
	MatchEdges *edges;
	CrmMatchHistogram *histogram;
	uint64		scored;
} Participant;

static void
push_chunk(Participant *participant)
{
	Shared	   *shared = participant->shared;

	if (participant->chunk == NULL)
		return;
	SpinLockAcquire(&shared->mutex);
	participant->chunk->next = shared->results;
	shared->results = participant->chunk_pointer;
	SpinLockRelease(&shared->mutex);
	participant->chunk = NULL;
}

static ResultChunk *
room_in_chunk(Participant *participant, bool is_edges)
{
	if (participant->chunk != NULL &&
		participant->chunk->count == (is_edges ? EDGES_OF_CHUNK : BINS_OF_CHUNK))
		push_chunk(participant);
	if (participant->chunk == NULL)
	{
		participant->chunk_pointer = dsa_allocate(participant->area, sizeof(ResultChunk));
		participant->chunk = dsa_get_address(participant->area, participant->chunk_pointer);
		participant->chunk->count = 0;
		participant->chunk->is_edges = is_edges;
	}
	return participant->chunk;
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
	Participant *participant = argument;
	const CrmMatchRecords *records = participant->records;
	const uint8_t *feature_a = crm_match_feature(records, a);
	const uint8_t *feature_b = crm_match_feature(records, b);
	uint64_t	pattern = crm_match_pattern(records->model, feature_a, feature_b);
	CrmMatchEdge edge;

	participant->scored++;
	if (participant->shared->collect)
	{
		crm_match_histogram_add(participant->histogram, pattern,
								crm_match_shared_rules(records, a, b) |
								crm_match_pack_frequency(records->model, pattern, feature_a, feature_b), 1);
		return;
	}
	edge.weight = crm_match_weight(records->model, pattern, feature_a, feature_b);
	if (edge.weight < participant->shared->floor)
		return;
	edge.a = a;
	edge.b = b;
	if (participant->area == NULL)
		crm_match_add_edge(participant->edges, edge);
	else
	{
		ResultChunk *chunk = room_in_chunk(participant, true);

		chunk->u.edge[chunk->count++] = edge;
	}
}

static void
do_jobs(Participant *participant)
{
	Shared	   *shared = participant->shared;

	for (;;)
	{
		uint32		next = pg_atomic_fetch_add_u32(&shared->next_job, 1);
		const Job  *job;

		if (next >= (uint32) shared->jobs)
			break;
		job = &shared->job[next];
		participant->scored = 0;
		crm_match_enumerate(participant->records, job->rule, participant->entry[job->rule], job->start, job->end,
							shared->sample, score_pair, participant, participant->host);
		pg_atomic_fetch_add_u64(&shared->scored, participant->scored);
		crm_match_report_pairs(pg_atomic_read_u64(&shared->scored));
	}
	if (participant->area == NULL)
		return;
	if (shared->collect)
	{
		size_t		count;
		CrmMatchBin *bins = crm_match_histogram_bins(participant->histogram, &count);

		for (size_t i = 0; i < count; i++)
		{
			ResultChunk *chunk = room_in_chunk(participant, false);

			chunk->u.bin[chunk->count++] = bins[i];
		}
		participant->host->release(participant->host, bins);
	}
	push_chunk(participant);
}

/* ---- workers ---- */

typedef struct SharedChunk
{
	dsa_pointer feature;
	dsa_pointer key;
} SharedChunk;

static void *
worker_allocate(CrmMatchHost *host, size_t size)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, size);
}

static void
worker_release(CrmMatchHost *host, void *memory)
{
	pfree(memory);
}

static void
worker_interrupt(CrmMatchHost *host)
{
	CHECK_FOR_INTERRUPTS();
}

PGDLLEXPORT void crm_match_worker(dsm_segment *segment, shm_toc *toc);

void
crm_match_worker(dsm_segment *segment, shm_toc *toc)
{
	CrmMatchHost host = {worker_allocate, worker_release, worker_interrupt};
	Shared	   *shared = shm_toc_lookup(toc, KEY_SHARED, false);
	dsa_area   *area = dsa_attach(shared->area);
	SharedChunk *chunk = dsa_get_address(area, shared->chunks);
	uint32		chunks = (shared->records + CRM_MATCH_CHUNK - 1) / CRM_MATCH_CHUNK;
	CrmMatchRecords records;
	Participant participant = {0};

	records.model = &shared->model;
	records.count = shared->records;
	records.feature = palloc(chunks * sizeof(uint8 *));
	records.key = palloc(chunks * sizeof(uint32_t *));
	for (uint32 i = 0; i < chunks; i++)
	{
		records.feature[i] = dsa_get_address(area, chunk[i].feature);
		records.key[i] = dsa_get_address(area, chunk[i].key);
	}
	participant.host = &host;
	participant.records = &records;
	participant.shared = shared;
	participant.area = area;
	for (int r = 0; r < shared->model.rules; r++)
		if (DsaPointerIsValid(shared->entries[r]))
			participant.entry[r] = dsa_get_address(area, shared->entries[r]);
	if (shared->collect)
		participant.histogram = crm_match_histogram_make(&host);
	do_jobs(&participant);
	dsa_detach(area);
}

/*
 * Whether shared memory has room: where it is a file system of its own, as in
 * containers, it is often small, and running out of it would be an error.
 */
static bool
shared_memory_has_room(Size size)
{
#ifdef USE_DSM_POSIX
	struct statvfs fs;

	if (dynamic_shared_memory_type == DSM_IMPL_POSIX &&
		statvfs("/dev/shm", &fs) == 0 &&
		(Size) fs.f_bavail * fs.f_frsize < size + size / 4 + 64 * 1024 * 1024)
		return false;
#endif
	return true;
}

/* Moves the records into shared memory, chunk by chunk. */
static void
share_records(MatchRun *run, dsa_area *area, Shared *shared)
{
	uint32		chunks = (run->records.count + CRM_MATCH_CHUNK - 1) / CRM_MATCH_CHUNK;
	Size		features = (Size) CRM_MATCH_CHUNK * run->model.feature_size;
	Size		keys = (Size) CRM_MATCH_CHUNK * run->model.slots * sizeof(uint32_t);
	SharedChunk *chunk;

	shared->chunks = dsa_allocate(area, chunks * sizeof(SharedChunk));
	chunk = dsa_get_address(area, shared->chunks);
	for (uint32 i = 0; i < chunks; i++)
	{
		void	   *moved;

		chunk[i].feature = dsa_allocate_extended(area, features, DSA_ALLOC_HUGE);
		moved = dsa_get_address(area, chunk[i].feature);
		memcpy(moved, run->records.feature[i], features);
		pfree(run->records.feature[i]);
		run->records.feature[i] = moved;
		chunk[i].key = dsa_allocate_extended(area, keys, DSA_ALLOC_HUGE);
		moved = dsa_get_address(area, chunk[i].key);
		memcpy(moved, run->records.key[i], keys);
		pfree(run->records.key[i]);
		run->records.key[i] = moved;
		CHECK_FOR_INTERRUPTS();
	}
}

/* Jobs of about as many pairs each; a block is not divided among them. */
static void
plan_jobs(MatchRun *run, Shared *shared)
{
	uint64		all = 0;
	uint64		of_job;

	for (int r = 0; r < run->model.rules; r++)
		all += run->blocks[r].pairs;
	of_job = Max(all / (MOST_JOBS / 2), PAIRS_OF_JOB);
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
			if ((pairs >= of_job || at == blocks->count) && shared->jobs < MOST_JOBS)
			{
				shared->job[shared->jobs++] = (Job) {r, start, at};
				start = at;
				pairs = 0;
			}
		}
		/* Not reached by the arithmetic above, but no pair may be lost. */
		if (start < blocks->count)
			shared->job[shared->jobs - 1].end = blocks->count;
	}
}

static void
init_shared(MatchRun *run, Shared *shared, bool collect, uint64 sample, double floor)
{
	memset(shared, 0, sizeof(Shared));
	pg_atomic_init_u32(&shared->next_job, 0);
	pg_atomic_init_u64(&shared->scored, 0);
	SpinLockInit(&shared->mutex);
	shared->results = InvalidDsaPointer;
	shared->records = run->records.count;
	shared->collect = collect;
	shared->sample = sample;
	shared->floor = floor;
	shared->model = run->model;
	plan_jobs(run, shared);
}

static uint64
do_run(MatchRun *run, uint64 sample, double floor, MatchEdges *edges, CrmMatchHistogram **histogram)
{
	bool		collect = histogram != NULL;
	double		share = sample == UINT64_MAX ? 1 : (double) sample / (double) UINT64_MAX;
	double		pairs = 0;
	int			workers = crm_match_workers;
	Participant participant = {0};
	uint64		scored;

	for (int r = 0; r < run->model.rules; r++)
		pairs += (double) run->blocks[r].pairs * share;
	participant.host = &run->host;
	participant.records = &run->records;
	participant.edges = edges;
	for (int r = 0; r < run->model.rules; r++)
		participant.entry[r] = run->blocks[r].entry;
	if (collect)
		participant.histogram = *histogram = crm_match_histogram_make(&run->host);
	if (workers == 0 || pairs < LEAST_PAIRS_FOR_WORKERS || IsInParallelMode() || IsUnderPostmaster == false ||
		dynamic_shared_memory_type == DSM_IMPL_MMAP ||
		(run->area == NULL && !shared_memory_has_room(run->memory)))
	{
		participant.shared = palloc(sizeof(Shared));
		init_shared(run, participant.shared, collect, sample, floor);
		do_jobs(&participant);
		scored = pg_atomic_read_u64(&participant.shared->scored);
		pfree(participant.shared);
	}
	else
	{
		ParallelContext *context;
		Shared	   *shared;
		dsa_pointer next;

		EnterParallelMode();
		context = CreateParallelContext("$libdir/crm", "crm_match_worker", workers);
		shm_toc_estimate_chunk(&context->estimator, sizeof(Shared));
		shm_toc_estimate_keys(&context->estimator, 1);
		InitializeParallelDSM(context);
		shared = shm_toc_allocate(context->toc, sizeof(Shared));
		init_shared(run, shared, collect, sample, floor);
		if (run->area == NULL)
		{
			run->area = dsa_create(LWTRANCHE_PARALLEL_QUERY_DSA);
			share_records(run, run->area, shared);
			run->shared_chunks = shared->chunks;
		}
		shared->chunks = run->shared_chunks;
		shared->area = dsa_get_handle(run->area);
		for (int r = 0; r < run->model.rules; r++)
		{
			Size		size = run->blocks[r].count * sizeof(CrmMatchEntry);

			shared->entries[r] = InvalidDsaPointer;
			if (size == 0)
				continue;
			shared->entries[r] = dsa_allocate_extended(run->area, size, DSA_ALLOC_HUGE);
			memcpy(dsa_get_address(run->area, shared->entries[r]), run->blocks[r].entry, size);
		}
		shm_toc_insert(context->toc, KEY_SHARED, shared);
		LaunchParallelWorkers(context);
		participant.shared = shared;
		participant.area = run->area;
		do_jobs(&participant);
		WaitForParallelWorkersToFinish(context);
		scored = pg_atomic_read_u64(&shared->scored);
		if (collect)
		{
			crm_match_histogram_free(participant.histogram);
			*histogram = crm_match_histogram_make(&run->host);
		}
		for (next = shared->results; DsaPointerIsValid(next);)
		{
			ResultChunk *chunk = dsa_get_address(run->area, next);
			dsa_pointer done = next;

			for (uint32 i = 0; i < chunk->count; i++)
			{
				if (chunk->is_edges)
					crm_match_add_edge(edges, chunk->u.edge[i]);
				else
					crm_match_histogram_add(*histogram, chunk->u.bin[i].pattern, chunk->u.bin[i].rules, chunk->u.bin[i].count);
			}
			next = chunk->next;
			dsa_free(run->area, done);
			CHECK_FOR_INTERRUPTS();
		}
		for (int r = 0; r < run->model.rules; r++)
			if (DsaPointerIsValid(shared->entries[r]))
				dsa_free(run->area, shared->entries[r]);
		DestroyParallelContext(context);
		ExitParallelMode();
	}
	return scored;
}

uint64
crm_match_score(MatchRun *run, double floor, MatchEdges *edges)
{
	return do_run(run, UINT64_MAX, floor, edges, NULL);
}

/* A histogram of the patterns of all pairs, or of a sample of the keys. */
CrmMatchHistogram *
crm_match_collect(MatchRun *run, uint64_t sample)
{
	CrmMatchHistogram *histogram;

	do_run(run, sample, 0, NULL, &histogram);
	return histogram;
}
