/*
 * Two random sets counted, combined and probed, as they lie and by CRoaring:
 * from its portable form, from frozen views, and from bitmaps in memory.
 * sources: src/type/contact_set_chunk.c src/type/contact_set_image.c src/type/contact_set_algebra.c src/type/contact_set_live.c src/type/contact_set_text.c src/type/contact_set_roaring.c src/type/contact_set_arm.c src/type/check.c -lroaring -lm
 */
#include <roaring/roaring.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "type/contact_set.h"

#define RUNS 15

static uint64_t state = 88172645463325252;
static uint64_t sum;

static uint64_t
draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void *
resize(void *memory, size_t size)
{
	return realloc(memory, size);
}

static void
tick(void)
{
}

static const CrmSetHost host = {resize, free, tick};

static double
microseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

/* The best of some runs of some rounds each, in microseconds. */
#define BEST(result, rounds, statement) \
	do { \
		result = 1e18; \
		for (int run = 0; run < RUNS; run++) \
		{ \
			double		start = microseconds(); \
			double		took; \
 \
			for (int round = 0; round < (rounds); round++) \
				statement; \
			took = (microseconds() - start) / (rounds); \
			if (took < result) \
				result = took; \
		} \
	} while (0)

static void
compare(uint32_t ids, uint32_t among)
{
	CrmSet	   *set[2];
	roaring_bitmap_t *bitmap[2];
	char	   *portable[2];
	char	   *frozen[2];
	size_t		size[2];
	size_t		frozen_size[2];
	uint32_t   *drawn = malloc(ids * sizeof(uint32_t));
	double		ours,
				theirs;

	for (int i = 0; i < 2; i++)
	{
		CrmLive    *live = crm_live_begin(&host);

		for (uint32_t k = 0; k < ids; k++)
			drawn[k] = draw() % among;
		for (uint32_t k = 0; k < ids; k++)
			crm_live_add(live, drawn[k]);
		set[i] = crm_live_set(live);
		crm_live_end(live);
		bitmap[i] = roaring_bitmap_create();
		roaring_bitmap_add_many(bitmap[i], ids, drawn);
		roaring_bitmap_run_optimize(bitmap[i]);
		size[i] = roaring_bitmap_portable_size_in_bytes(bitmap[i]);
		portable[i] = malloc(size[i]);
		roaring_bitmap_portable_serialize(bitmap[i], portable[i]);
		frozen_size[i] = roaring_bitmap_frozen_size_in_bytes(bitmap[i]);
		frozen[i] = aligned_alloc(32, (frozen_size[i] + 31) / 32 * 32);
		roaring_bitmap_frozen_serialize(bitmap[i], frozen[i]);
	}
	printf("%u ids drawn among %u: ours %u bytes, CRoaring portable %zu\n", ids, among, set[0]->size, size[0]);

	BEST(ours, 20, sum += crm_set_and_count(set[0], set[1], &host));
	printf("  count of common ids: ours %.1f us", ours);
	BEST(theirs, 20, sum += roaring_bitmap_and_cardinality(bitmap[0], bitmap[1]));
	printf("; CRoaring in memory %.1f us, %.1f times", theirs, theirs / ours);
	BEST(theirs, 20, {
		const roaring_bitmap_t *a = roaring_bitmap_frozen_view(frozen[0], frozen_size[0]);
		const roaring_bitmap_t *b = roaring_bitmap_frozen_view(frozen[1], frozen_size[1]);

		sum += roaring_bitmap_and_cardinality(a, b);
		roaring_bitmap_free((void *) a);
		roaring_bitmap_free((void *) b);
	});
	printf("; frozen %.1f us, %.1f times", theirs, theirs / ours);
	BEST(theirs, 20, {
		roaring_bitmap_t *a = roaring_bitmap_portable_deserialize_safe(portable[0], size[0]);
		roaring_bitmap_t *b = roaring_bitmap_portable_deserialize_safe(portable[1], size[1]);

		sum += roaring_bitmap_and_cardinality(a, b);
		roaring_bitmap_free(a);
		roaring_bitmap_free(b);
	});
	printf("; portable %.1f us, %.1f times\n", theirs, theirs / ours);

	for (int op = CRM_SET_AND; op <= CRM_SET_OR; op++)
	{
		BEST(ours, 10, {
			CrmSet	   *result = crm_set_combine(op, set[0], set[1], &host);

			sum += result->size;
			free(result);
		});
		BEST(theirs, 10, {
			const roaring_bitmap_t *a = roaring_bitmap_frozen_view(frozen[0], frozen_size[0]);
			const roaring_bitmap_t *b = roaring_bitmap_frozen_view(frozen[1], frozen_size[1]);
			roaring_bitmap_t *result = op == CRM_SET_AND ? roaring_bitmap_and(a, b) : roaring_bitmap_or(a, b);
			size_t		bytes = roaring_bitmap_frozen_size_in_bytes(result);
			char	   *image = aligned_alloc(32, (bytes + 31) / 32 * 32);

			roaring_bitmap_frozen_serialize(result, image);
			sum += bytes;
			free(image);
			roaring_bitmap_free(result);
			roaring_bitmap_free((void *) a);
			roaring_bitmap_free((void *) b);
		});
		printf("  %s, from and to bytes: ours %.1f us; CRoaring frozen %.1f us, %.1f times\n",
			   op == CRM_SET_AND ? "intersection" : "union", ours, theirs, theirs / ours);
	}

	for (uint32_t k = 0; k < ids; k++)
		drawn[k] = draw() % among;
	BEST(ours, 1, for (uint32_t k = 0; k < ids; k++) sum += crm_set_has(set[0], drawn[k]));
	BEST(theirs, 1, for (uint32_t k = 0; k < ids; k++) sum += roaring_bitmap_contains(bitmap[0], drawn[k]));
	printf("  a probe: ours %.1f ns; CRoaring in memory %.1f ns, %.1f times\n",
		   ours * 1e3 / ids, theirs * 1e3 / ids, theirs / ours);
	BEST(ours, 1, {
		CrmLive    *live = crm_live_begin(&host);
		CrmSet	   *result;

		for (uint32_t k = 0; k < ids; k++)
			crm_live_add(live, drawn[k]);
		result = crm_live_set(live);
		sum += result->size;
		free(result);
		crm_live_end(live);
	});
	BEST(theirs, 1, {
		roaring_bitmap_t *made = roaring_bitmap_create();

		for (uint32_t k = 0; k < ids; k++)
			roaring_bitmap_add(made, drawn[k]);
		sum += roaring_bitmap_get_cardinality(made);
		roaring_bitmap_free(made);
	});
	printf("  adding an id: ours %.1f ns; CRoaring %.1f ns, %.1f times\n",
		   ours * 1e3 / ids, theirs * 1e3 / ids, theirs / ours);
	for (int i = 0; i < 2; i++)
	{
		free(set[i]);
		roaring_bitmap_free(bitmap[i]);
		free(portable[i]);
		free(frozen[i]);
	}
	free(drawn);
}

int
main(void)
{
	compare(1400000, 2000000);
	compare(40000, 2000000);
	compare(40000, 200000000);
	return sum == 0;
}
