/*
 * Average linkage: nanoseconds a pair, on one core, for pairs of which most
 * records have few, and for groups in which each record has a pair with each.
 * sources: src/match/cluster.c -lm
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "match/match.h"

static uint64_t seed = 88172645463325252;

static uint32_t
random_number(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed >> 32;
}

/* Bits of a pair of one entity, between 15 and 25. */
static double
random_weight(void)
{
	return 15 + random_number() * (10 / 4294967296.0);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void *
allocate(CrmMatchHost *host, size_t size)
{
	void	   *memory = malloc(size);

	(void) host;
	if (memory == NULL && size > 0)
		abort();
	return memory;
}

static void
release(CrmMatchHost *host, void *memory)
{
	(void) host;
	free(memory);
}

static void
interrupt(CrmMatchHost *host)
{
	(void) host;
}

/* Groups of so many records, all pairs of a group; strays join two groups. */
static void
run(const char *title, uint32_t records, uint32_t group, uint32_t strays, int equal)
{
	CrmMatchHost host = {allocate, release, interrupt};
	size_t		room = (size_t) records * (group - 1) / 2 + strays;
	CrmMatchEdge *edge = allocate(&host, room * sizeof(CrmMatchEdge));
	uint32_t   *cluster = allocate(&host, records * sizeof(uint32_t));
	size_t		edges = 0;
	uint32_t	clusters = 0;
	double		took;

	for (uint32_t first = 0; first + group <= records; first += group)
		for (uint32_t a = first; a < first + group; a++)
			for (uint32_t b = a + 1; b < first + group; b++)
				edge[edges++] = (CrmMatchEdge) {a, b, equal ? 20 : random_weight()};
	for (uint32_t i = 0; i < strays; i++)
	{
		uint32_t	a = random_number() % records;
		uint32_t	b = random_number() % records;

		if (a != b)
			edge[edges++] = (CrmMatchEdge) {a, b, random_weight() - 18};
	}
	took = now();
	crm_match_cluster(records, edge, edges, 3, -8, cluster, &host);
	took = now() - took;
	for (uint32_t i = 0; i < records; i++)
		clusters += cluster[i] == i;
	printf("%-44s %9u records %9zu pairs %8u entities %7.0f ns a pair\n", title, records, edges, clusters, took / edges * 1e9);
	free(edge);
	free(cluster);
}

int
main(void)
{
	run("two alike, strays", 1000000, 2, 1000000, 0);
	run("five alike, strays", 1000000, 5, 1000000, 0);
	run("a hundred alike", 100000, 100, 100000, 0);
	run("a thousand alike", 5000, 1000, 5000, 0);
	run("a thousand alike, of one weight", 5000, 1000, 0, 1);
	run("three thousand alike", 3000, 3000, 0, 0);
	run("three thousand alike, of one weight", 3000, 3000, 0, 1);
	return 0;
}
