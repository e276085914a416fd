/*
 * contact_set_arm.c
 *		Chance that can be repeated: samples and arms of experiments.
 *
 * Everything depends on a hash of id and seed only, never on the set: a
 * contact stays in its arm whatever audience it is met in, and of two samples
 * of the same seed the one of the subset holds those of the other that are in
 * the subset.
 */
#include <math.h>
#include <string.h>

#include "type/contact_set.h"

#define TICK_IDS 65536

/*
 * The finalizer of splitmix64 (Steele, Lea, Flood, "Fast splittable
 * pseudorandom number generators", 2014).  It is a permutation, so that
 * different ids never have the same hash under a seed.
 */
static inline uint64_t
mix(uint64_t z)
{
	z += UINT64_C(0x9E3779B97F4A7C15);
	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

uint64_t
crm_set_hash(int64_t id, int64_t seed)
{
	return mix(mix((uint64_t) id) ^ mix(~(uint64_t) seed));
}

/* ---------------- samples ---------------- */

typedef struct Drawn
{
	uint64_t	hash;
	int64_t		id;
} Drawn;

/* Lets the first of a heap sink, the greatest hash being on top. */
static void
sink(Drawn *heap, size_t n, size_t at)
{
	Drawn		moved = heap[at];

	for (;;)
	{
		size_t		child = 2 * at + 1;

		if (child >= n)
			break;
		if (child + 1 < n && heap[child + 1].hash > heap[child].hash)
			child++;
		if (heap[child].hash <= moved.hash)
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = moved;
}

CrmSet *
crm_set_sample(const CrmSet *set, uint64_t n, int64_t seed, const CrmSetHost *host)
{
	CrmSetIterator iterator;
	CrmLive    *live;
	CrmSet	   *result;
	Drawn	   *heap;
	size_t		drawn = 0;
	uint64_t	seen = 0;
	int64_t		id;

	if (n >= set->cardinality)
	{
		CrmSetBuilder builder;

		crm_build_begin(&builder, host, set->chunks, set->size);
		for (uint32_t i = 0; i < set->chunks; i++)
			crm_build_copy(&builder, &set->chunk[i], crm_chunk_body(set, &set->chunk[i]));
		return crm_build_end(&builder);
	}

	/* the same seed of an experiment's arms must not draw its samples */
	seed = (int64_t) mix((uint64_t) seed);
	heap = host->resize(NULL, (n + 1) * sizeof(Drawn));
	crm_set_iterate(&iterator, set);
	while (n > 0 && crm_set_next(&iterator, &id))
	{
		uint64_t	hash = crm_set_hash(id, seed);

		if (++seen % TICK_IDS == 0)
			host->tick();
		if (drawn < n)
		{
			heap[drawn].hash = hash;
			heap[drawn++].id = id;
			if (drawn == n)
				for (size_t i = n / 2; i-- > 0;)
					sink(heap, n, i);
		}
		else if (hash < heap[0].hash)
		{
			heap[0].hash = hash;
			heap[0].id = id;
			sink(heap, n, 0);
		}
	}
	live = crm_live_begin(host);
	for (size_t i = 0; i < drawn; i++)
		crm_live_add(live, heap[i].id);
	host->release(heap);
	result = crm_live_set(live);
	crm_live_end(live);
	return result;
}

/* ---------------- arms ---------------- */

bool
crm_set_arms(CrmSetArms *arms, const double *weight, uint32_t weights)
{
	double		sum = 0;
	double		before = 0;
	uint32_t	last = 0;

	for (uint32_t i = 0; i < weights; i++)
	{
		if (!isfinite(weight[i]) || weight[i] < 0)
			return false;
		sum += weight[i];
		if (weight[i] > 0)
			last = i;
	}
	if (!isfinite(sum) || sum <= 0)
		return false;
	arms->arms = weights;
	for (uint32_t i = 0; i < weights; i++)
	{
		before += weight[i];
		arms->bound[i] = i >= last ? 1.0 : before / sum;
	}
	return true;
}

uint32_t
crm_set_arm(const CrmSetArms *arms, int64_t id, int64_t seed)
{
	/* 53 bits: what a double keeps, so that it is below 1 */
	double		share = (double) (crm_set_hash(id, seed) >> 11) * 0x1p-53;
	uint32_t	begin = 0;
	uint32_t	end = arms->arms - 1;

	while (begin < end)
	{
		uint32_t	middle = (begin + end) / 2;

		if (arms->bound[middle] <= share)
			begin = middle + 1;
		else
			end = middle;
	}
	return begin;
}

/* Scratch of crm_set_split(): a chunk, sorted by arm. */
typedef struct Split
{
	uint16_t	low[CRM_SET_CHUNK_IDS];
	uint16_t	arm[CRM_SET_CHUNK_IDS];
	uint16_t	sorted[CRM_SET_CHUNK_IDS];
	uint32_t	begin[CRM_SET_MAX_ARMS + 1];
	CrmSetBuilder builder[CRM_SET_MAX_ARMS];
} Split;

bool
crm_set_split(const CrmSet *set, const CrmSetArms *arms, int64_t seed,
			  CrmSet **part, const CrmSetHost *host)
{
	Split	   *split = host->resize(NULL, sizeof(Split));
	bool		good = true;

	for (uint32_t a = 0; a < arms->arms; a++)
		crm_build_begin(&split->builder[a], host, set->chunks / 8 + 1, set->size / arms->arms);
	for (uint32_t i = 0; i < set->chunks; i++)
	{
		const CrmSetChunk *chunk = &set->chunk[i];
		uint32_t	count = crm_chunk_decode(chunk, crm_chunk_body(set, chunk), split->low);
		uint32_t	total = 0;

		host->tick();
		memset(split->begin, 0, sizeof(split->begin));
		for (uint32_t k = 0; k < count; k++)
		{
			split->arm[k] = crm_set_arm(arms, crm_set_id(chunk->key, split->low[k]), seed);
			split->begin[split->arm[k]]++;
		}
		for (uint32_t a = 0; a < arms->arms; a++)
		{
			uint32_t	members = split->begin[a];

			split->begin[a] = total;
			total += members;
		}
		for (uint32_t k = 0; k < count; k++)
			split->sorted[split->begin[split->arm[k]]++] = split->low[k];
		for (uint32_t a = 0; a < arms->arms; a++)
		{
			uint32_t	begin = a == 0 ? 0 : split->begin[a - 1];

			crm_build_array(&split->builder[a], chunk->key, split->sorted + begin,
							split->begin[a] - begin);
		}
	}
	for (uint32_t a = 0; a < arms->arms; a++)
	{
		part[a] = crm_build_end(&split->builder[a]);
		good &= part[a] != NULL;
	}
	host->release(split);
	return good;
}
