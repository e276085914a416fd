/*
 * team.c
 *		Work on the records of a run by several processes at once.
 */
#include "postgres.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include "access/parallel.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/dsm_impl.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "utils/memutils.h"

#include "crm.h"
#include "match/team.h"

/* Fewer records are not worth sharing before it is known what they need. */
#define LEAST_CHUNKS 4

#define KEY_TEAM UINT64CONST(0xC4A7000000000001)

/* What workers are told; the rest is in the area. */
typedef struct Call
{
	dsa_handle	area;
	dsa_pointer team;
} Call;

/* ---- memory ---- */

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

/* Workers beside the leader: on few processors more of them only disturb. */
static int
workers(void)
{
#ifdef _SC_NPROCESSORS_ONLN
	long		processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (processors > 0)
		return (int) Min((long) crm_match_workers, processors - 1);
#endif
	return crm_match_workers;
}

static bool
may_share(void)
{
	return workers() > 0 && !IsInParallelMode() && IsUnderPostmaster &&
		dynamic_shared_memory_type != DSM_IMPL_MMAP;
}

MatchTeam *
crm_match_team(MatchRun *run)
{
	if (run->team == NULL)
	{
		run->team = MemoryContextAllocZero(run->context, sizeof(MatchTeam));
		pg_atomic_init_u32(&run->team->next_job, 0);
		pg_atomic_init_u64(&run->team->scored, 0);
		SpinLockInit(&run->team->mutex);
	}
	return run->team;
}

static void
share_place(MatchRun *run, MatchPlace *place, Size size)
{
	if (place->own == NULL)
		return;
	place->shared = dsa_allocate_extended(run->area, size, DSA_ALLOC_HUGE);
	memcpy(dsa_get_address(run->area, place->shared), place->own, size);
	pfree(place->own);
	place->own = NULL;
}

/* Moves one chunk, or another thing of the run, into shared memory. */
static void *
share_memory(MatchRun *run, void *memory, Size size, dsa_pointer *shared)
{
	void	   *moved;

	if (DsaPointerIsValid(*shared))
		return memory;
	*shared = dsa_allocate_extended(run->area, size, DSA_ALLOC_HUGE);
	moved = dsa_get_address(run->area, *shared);
	memcpy(moved, memory, size);
	pfree(memory);
	CHECK_FOR_INTERRUPTS();
	return moved;
}

static Size
chunk_features(const MatchRun *run)
{
	return (Size) CRM_MATCH_CHUNK * run->model.feature_size;
}

static Size
chunk_keys(const MatchRun *run)
{
	return (Size) CRM_MATCH_CHUNK * run->model.slots * sizeof(uint32);
}

/* Makes an area, with the records that there are so far; false when it may not be. */
static bool
share(MatchRun *run)
{
	uint32		chunks = (run->records.count + CRM_MATCH_CHUNK - 1) / CRM_MATCH_CHUNK;

	if (run->unshared || !may_share())
		return false;
	if (run->area == NULL)
	{
		MemoryContext old_context;

		if (!shared_memory_has_room(run->memory))
			return false;
		old_context = MemoryContextSwitchTo(run->context);
		run->area = dsa_create(LWTRANCHE_PARALLEL_QUERY_DSA);
		MemoryContextSwitchTo(old_context);
	}
	for (uint32 i = 0; i < chunks; i++)
	{
		run->records.feature[i] = share_memory(run, run->records.feature[i], chunk_features(run), &run->shared[i].feature);
		run->records.key[i] = share_memory(run, run->records.key[i], chunk_keys(run), &run->shared[i].key);
	}
	return true;
}

void *
crm_match_allocate_chunk(MatchRun *run, Size size, dsa_pointer *shared)
{
	*shared = InvalidDsaPointer;
	if (run->records.count == LEAST_CHUNKS * CRM_MATCH_CHUNK && run->area == NULL)
		share(run);
	if (run->area != NULL && !run->unshared)
	{
		/* An area grows by up to half of what it is. */
		if (shared_memory_has_room(size + run->memory / 2))
		{
			*shared = dsa_allocate_extended(run->area, size, DSA_ALLOC_HUGE);
			return dsa_get_address(run->area, *shared);
		}
		/* From here on the leader is alone. */
		run->unshared = true;
	}
	return MemoryContextAllocHuge(run->context, size);
}

void *
crm_match_address(const MatchMember *member, MatchPlace place)
{
	return DsaPointerIsValid(place.shared) ? dsa_get_address(member->area, place.shared) : place.own;
}

MatchPlace
crm_match_leave(MatchMember *member, const void *memory, Size size)
{
	MatchPlace	place = {InvalidDsaPointer, NULL};

	if (size == 0)
		return place;
	if (member->area != NULL)
		place.shared = dsa_allocate_extended(member->area, size, DSA_ALLOC_HUGE);
	else
		place.own = member->host->allocate(member->host, size);
	memcpy(crm_match_address(member, place), memory, size);
	return place;
}

void
crm_match_forget(MatchRun *run, MatchPlace *place)
{
	if (DsaPointerIsValid(place->shared))
		dsa_free(run->area, place->shared);
	else if (place->own != NULL)
		pfree(place->own);
	*place = (MatchPlace) {InvalidDsaPointer, NULL};
}

/* ---- jobs ---- */

int
crm_match_next_job(MatchMember *member)
{
	uint32		next = pg_atomic_fetch_add_u32(&member->team->next_job, 1);

	member->host->interrupt(member->host);
	return next < (uint32) member->team->jobs ? (int) next : -1;
}

static void
do_jobs(MatchMember *member)
{
	switch (member->team->task)
	{
		case MATCH_TASK_COUNT:
			crm_match_do_count(member);
			break;
		case MATCH_TASK_KEYS:
			crm_match_do_keys(member);
			break;
		case MATCH_TASK_DIVIDE:
			crm_match_do_divide(member);
			break;
		case MATCH_TASK_CHANGE:
			crm_match_do_change(member);
			break;
		case MATCH_TASK_SCORE:
			crm_match_do_score(member);
			break;
	}
}

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
	Call	   *call = shm_toc_lookup(toc, KEY_TEAM, false);
	dsa_area   *area = dsa_attach(call->area);
	MatchTeam  *team = dsa_get_address(area, call->team);
	MatchSharedChunk *chunk = dsa_get_address(area, team->chunks);
	uint32		chunks = (team->records + CRM_MATCH_CHUNK - 1) / CRM_MATCH_CHUNK;
	CrmMatchRecords records = {&team->model, team->records};
	MatchMember member = {&host, &records, team, area, NULL};

	records.feature = palloc(chunks * sizeof(uint8 *));
	records.key = palloc(chunks * sizeof(uint32_t *));
	for (uint32 i = 0; i < chunks; i++)
	{
		records.feature[i] = dsa_get_address(area, chunk[i].feature);
		records.key[i] = dsa_get_address(area, chunk[i].key);
	}
	do_jobs(&member);
	dsa_detach(area);
}

/* Puts all that the leader has so far where workers find it. */
static void
share_team(MatchRun *run)
{
	uint32		chunks = (run->records.count + CRM_MATCH_CHUNK - 1) / CRM_MATCH_CHUNK;

	run->team = share_memory(run, run->team, sizeof(MatchTeam), &run->shared_team);
	if (!DsaPointerIsValid(run->team->chunks))
	{
		run->team->chunks = dsa_allocate_extended(run->area, chunks * sizeof(MatchSharedChunk), DSA_ALLOC_HUGE);
		memcpy(dsa_get_address(run->area, run->team->chunks), run->shared, chunks * sizeof(MatchSharedChunk));
	}
	for (int f = 0; f < run->model.fields; f++)
		for (int t = 0; t < CRM_MATCH_TABLES; t++)
		{
			MatchCounts *counts = &run->team->counts[f][t];

			share_place(run, &counts->hash, counts->size * sizeof(uint64_t));
			share_place(run, &counts->number, counts->size * sizeof(uint32_t));
			if (DsaPointerIsValid(counts->hash.shared) && run->frequencies.table[f][t] != NULL)
			{
				run->frequencies.table[f][t]->hash = dsa_get_address(run->area, counts->hash.shared);
				run->frequencies.table[f][t]->number = dsa_get_address(run->area, counts->number.shared);
			}
		}
	for (int r = 0; r < run->model.rules; r++)
	{
		MatchDivision *division = &run->team->division[r];

		share_place(run, &division->entry, division->entries * sizeof(CrmMatchEntry));
		share_place(run, &division->change, division->changes * sizeof(CrmMatchChange));
		share_place(run, &division->large, division->larges * sizeof(CrmMatchLargeBlock));
		if (DsaPointerIsValid(division->entry.shared))
			run->blocks[r].entry = dsa_get_address(run->area, division->entry.shared);
	}
}

void
crm_match_work(MatchRun *run, MatchTask task, int jobs, bool alone, void *results)
{
	MatchTeam  *team = crm_match_team(run);
	MatchMember leader = {&run->host, &run->records, NULL, NULL, results};
	ParallelContext *context;
	Call	   *call;

	alone = alone || jobs < 2 || !shared_memory_has_room(run->memory) || !share(run);
	if (!alone)
		share_team(run);
	team = leader.team = run->team;
	team->task = task;
	team->jobs = jobs;
	team->records = run->records.count;
	team->model = run->model;
	team->results = InvalidDsaPointer;
	pg_atomic_write_u32(&team->next_job, 0);
	pg_atomic_write_u64(&team->scored, 0);
	if (alone)
	{
		do_jobs(&leader);
		return;
	}
	leader.area = run->area;
	EnterParallelMode();
	context = CreateParallelContext("$libdir/crm", "crm_match_worker", Min(workers(), jobs - 1));
	shm_toc_estimate_chunk(&context->estimator, sizeof(Call));
	shm_toc_estimate_keys(&context->estimator, 1);
	InitializeParallelDSM(context);
	call = shm_toc_allocate(context->toc, sizeof(Call));
	*call = (Call) {dsa_get_handle(run->area), run->shared_team};
	shm_toc_insert(context->toc, KEY_TEAM, call);
	LaunchParallelWorkers(context);
	do_jobs(&leader);
	WaitForParallelWorkersToFinish(context);
	DestroyParallelContext(context);
	ExitParallelMode();
}
