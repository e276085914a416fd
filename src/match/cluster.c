/*
 * cluster.c
 *		From weighted pairs of records to entities.
 *
 * Average linkage (Sokal and Michener, 1958): the two clusters with the
 * highest mean weight between their members are joined as long as that mean
 * reaches the threshold.  Pairs that were never compared, or whose weight is
 * too low to be kept, count as missing, which is negative: so one wrong pair
 * cannot join two entities, as it does where connected records are taken for
 * one.  Only clusters with at least one pair between them are ever looked at.
 *
 * The mean of a cluster that has grown to a third one is between the means of
 * its two halves.  To a cluster that only one half had pairs with, the other
 * half is missing, so there the mean has fallen: what the heap says of it is too
 * high, and is computed anew only when it comes to the top.  So a join looks at
 * the links of the smaller half alone, and n pairs take n log n steps even
 * where each record of a large group has a pair with each.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "match/match.h"

/* The pairs between two clusters: sum of weights and number. */
typedef struct Link
{
	uint32_t	other;			/* or FREE */
	uint32_t	pairs;
	uint32_t	queued;			/* size of both together when they came into the
								 * heap last; 0: they are not there */
	double		sum;
} Link;

#define FREE UINT32_MAX

typedef struct Cluster
{
	uint32_t	size;			/* 0: joined to another one */
	uint32_t	least;			/* smallest member */
	uint32_t	links;
	uint32_t	room;			/* a power of two, or 0 */
	Link	   *link;			/* hashed by other, to the next free place */
} Cluster;

/* What may be joined; too high when a cluster has grown since. */
typedef struct Candidate
{
	double		mean;
	uint32_t	a;				/* a < b by number of cluster */
	uint32_t	b;
	uint32_t	size_a;
	uint32_t	size_b;
} Candidate;

typedef struct State
{
	CrmMatchHost *host;
	Cluster    *cluster;
	Link	   *small;			/* the first links of records that have few, */
	size_t		smalls;			/* allocated all at once */
	Candidate  *heap;
	size_t		heap_size;
	size_t		heap_room;
	size_t		queued;			/* candidates in the heap that still count */
	double		missing;
	double		threshold;
	bool		is_falling;		/* whether means fall as said above */
	uint64_t	walked;			/* links, since interrupts were last asked for */
} State;

/* The higher mean first; of equal ones that with the smallest members. */
static bool
comes_before(const Candidate *x, const Candidate *y)
{
	if (x->mean != y->mean)
		return x->mean > y->mean;
	if (x->a != y->a)
		return x->a < y->a;
	return x->b < y->b;
}

static void
heap_push(State *state, Candidate candidate)
{
	size_t		at;

	if (state->heap_size == state->heap_room)
	{
		size_t		room = state->heap_room * 2 + 1024;
		Candidate  *heap = state->host->allocate(state->host, room * sizeof(Candidate));

		if (state->heap_size > 0)
			memcpy(heap, state->heap, state->heap_size * sizeof(Candidate));
		if (state->heap != NULL)
			state->host->release(state->host, state->heap);
		state->heap = heap;
		state->heap_room = room;
	}
	at = state->heap_size++;
	while (at > 0 && comes_before(&candidate, &state->heap[(at - 1) / 2]))
	{
		state->heap[at] = state->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	state->heap[at] = candidate;
}

/* Puts a candidate at a place of the heap, or below it. */
static void
sink(State *state, size_t at, Candidate candidate)
{
	for (;;)
	{
		size_t		child = 2 * at + 1;

		if (child >= state->heap_size)
			break;
		if (child + 1 < state->heap_size && comes_before(&state->heap[child + 1], &state->heap[child]))
			child++;
		if (!comes_before(&state->heap[child], &candidate))
			break;
		state->heap[at] = state->heap[child];
		at = child;
	}
	state->heap[at] = candidate;
}

static Candidate
heap_pop(State *state)
{
	Candidate	first = state->heap[0];
	Candidate	last = state->heap[--state->heap_size];

	if (state->heap_size > 0)
		sink(state, 0, last);
	return first;
}

static double
mean_of(const State *state, uint32_t a, uint32_t b, const Link *link)
{
	double		all = (double) state->cluster[a].size * state->cluster[b].size;

	return (link->sum + (all - link->pairs) * state->missing) / all;
}

static void
walk(State *state, uint64_t links)
{
	state->walked += links;
	if (state->walked >= 262144)
	{
		state->host->interrupt(state->host);
		state->walked = 0;
	}
}

static uint32_t
first_place(uint32_t other, uint32_t room)
{
	return (uint32_t) ((other * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (room - 1);
}

/* The link to a cluster, or the free place where it would be. */
static Link *
place_of(const Cluster *cluster, uint32_t other)
{
	uint32_t	at = first_place(other, cluster->room);

	while (cluster->link[at].other != other && cluster->link[at].other != FREE)
		at = (at + 1) & (cluster->room - 1);
	return &cluster->link[at];
}

static Link *
find_link(const Cluster *cluster, uint32_t other)
{
	Link	   *link = cluster->room > 0 ? place_of(cluster, other) : NULL;

	return link == NULL || link->other == FREE ? NULL : link;
}

/* How many links a room takes: three places of four, but for the smallest. */
static uint32_t
most_links(uint32_t room)
{
	return room == 2 ? 1 : room - room / 4;
}

static void
release_links(State *state, Cluster *cluster)
{
	if (cluster->link != NULL &&
		(cluster->link < state->small || cluster->link >= state->small + state->smalls))
		state->host->release(state->host, cluster->link);
	cluster->link = NULL;
}

/* Adds a link that is not there yet. */
static void
add_link(State *state, uint32_t a, Link link)
{
	Cluster    *cluster = &state->cluster[a];

	if (cluster->links == most_links(cluster->room))
	{
		Cluster		grown = *cluster;

		grown.room = cluster->room * 2;
		grown.link = state->host->allocate(state->host, (size_t) grown.room * sizeof(Link));
		for (uint32_t i = 0; i < grown.room; i++)
			grown.link[i].other = FREE;
		for (uint32_t i = 0; i < cluster->room; i++)
			if (cluster->link[i].other != FREE)
				*place_of(&grown, cluster->link[i].other) = cluster->link[i];
		release_links(state, cluster);
		walk(state, grown.room);
		*cluster = grown;
	}
	*place_of(cluster, link.other) = link;
	cluster->links++;
}

/* Takes a link away; those behind it move up to where they are looked for. */
static void
drop_link(Cluster *cluster, uint32_t other)
{
	Link	   *link = find_link(cluster, other);
	uint32_t	gap;

	if (link == NULL)
		return;
	gap = (uint32_t) (link - cluster->link);
	for (uint32_t at = gap;;)
	{
		uint32_t	first;

		at = (at + 1) & (cluster->room - 1);
		if (cluster->link[at].other == FREE)
			break;
		first = first_place(cluster->link[at].other, cluster->room);
		if (((at - first) & (cluster->room - 1)) >= ((at - gap) & (cluster->room - 1)))
		{
			cluster->link[gap] = cluster->link[at];
			gap = at;
		}
	}
	cluster->link[gap].other = FREE;
	cluster->links--;
}

/* Puts two clusters into the heap, with what is known of them now. */
static void
consider(State *state, uint32_t a, uint32_t b)
{
	uint32_t	low = a < b ? a : b;
	uint32_t	high = a < b ? b : a;
	uint32_t	size_low = state->cluster[low].size;
	uint32_t	size_high = state->cluster[high].size;
	Link	   *link = find_link(&state->cluster[low], high);
	double		mean = mean_of(state, low, high, link);

	state->queued -= link->queued > 0;
	link->queued = mean < state->threshold ? 0 : size_low + size_high;
	if (link->queued == 0)
		return;
	state->queued++;
	heap_push(state, (Candidate) {mean, low, high, size_low, size_high});
}

static bool
is_current(const State *state, const Candidate *candidate)
{
	const Cluster *a = &state->cluster[candidate->a];

	return a->size > 0 && state->cluster[candidate->b].size > 0 &&
		find_link(a, candidate->b)->queued == candidate->size_a + candidate->size_b;
}

/* Throws out what does not count any more: cheaper than to take it out one by one. */
static void
clean_heap(State *state)
{
	size_t		kept = 0;

	for (size_t i = 0; i < state->heap_size; i++)
	{
		walk(state, 1);
		if (is_current(state, &state->heap[i]))
			state->heap[kept++] = state->heap[i];
	}
	state->heap_size = kept;
	for (size_t i = kept / 2; i-- > 0;)
	{
		Candidate	candidate = state->heap[i];

		sink(state, i, candidate);
	}
}

/* Joins b to a, which keeps its number and has no fewer links. */
static void
join(State *state, uint32_t a, uint32_t b)
{
	Cluster    *x = &state->cluster[a];
	Cluster    *y = &state->cluster[b];

	state->queued -= find_link(a < b ? x : y, a < b ? b : a)->queued > 0;
	drop_link(x, b);
	drop_link(y, a);
	x->size += y->size;
	y->size = 0;
	if (y->least < x->least)
		x->least = y->least;
	for (uint32_t i = 0; i < y->room; i++)
	{
		Link		link = y->link[i];
		Cluster    *third;
		Link	   *both;

		if (link.other == FREE)
			continue;
		third = &state->cluster[link.other];
		state->queued -= (b < link.other ? link.queued : find_link(third, b)->queued) > 0;
		drop_link(third, b);
		link.queued = 0;
		both = find_link(x, link.other);
		if (both != NULL)
		{
			Link	   *back = find_link(third, a);

			both->sum += link.sum;
			both->pairs += link.pairs;
			back->sum = both->sum;
			back->pairs = both->pairs;
		}
		else
		{
			uint32_t	other = link.other;

			add_link(state, a, link);
			link.other = a;
			add_link(state, other, link);
		}
	}
	if (state->is_falling)
	{
		for (uint32_t i = 0; i < y->room; i++)
			if (y->link[i].other != FREE)
				consider(state, a, y->link[i].other);
		walk(state, y->room);
	}
	else
	{
		for (uint32_t i = 0; i < x->room; i++)
			if (x->link[i].other != FREE)
				consider(state, a, x->link[i].other);
		walk(state, x->room);
	}
	release_links(state, y);
	y->links = y->room = 0;
}

int
crm_match_compare_edges(const void *a, const void *b)
{
	const CrmMatchEdge *x = a;
	const CrmMatchEdge *y = b;

	if (x->a != y->a)
		return x->a < y->a ? -1 : 1;
	return x->b < y->b ? -1 : x->b > y->b;
}

static uint32_t
root_of(uint32_t *parent, uint32_t i)
{
	while (parent[i] != i)
	{
		parent[i] = parent[parent[i]];
		i = parent[i];
	}
	return i;
}

/* Sorts the pairs; of one that is there twice the lower weight counts. */
static size_t
each_once(CrmMatchEdge *edges, size_t count)
{
	size_t		kept = 0;

	for (size_t i = 0; i < count; i++)
		if (edges[i].a > edges[i].b)
			edges[i] = (CrmMatchEdge) {edges[i].b, edges[i].a, edges[i].weight};
	qsort(edges, count, sizeof(CrmMatchEdge), crm_match_compare_edges);
	for (size_t i = 0; i < count; i++)
	{
		if (edges[i].a == edges[i].b)
			continue;
		if (kept > 0 && crm_match_compare_edges(&edges[kept - 1], &edges[i]) == 0)
		{
			if (edges[i].weight < edges[kept - 1].weight)
				edges[kept - 1].weight = edges[i].weight;
		}
		else
			edges[kept++] = edges[i];
	}
	return kept;
}

#define SMALL_ROOM 64

/* Each record a cluster, with room for its links. */
static void
make_room(State *state, uint32_t records, const CrmMatchEdge *edges, size_t edge_count)
{
	size_t		used = 0;

	for (uint32_t i = 0; i < records; i++)
		state->cluster[i] = (Cluster) {1, i, 0, 0, NULL};
	for (size_t i = 0; i < edge_count; i++)
	{
		state->cluster[edges[i].a].links++;
		state->cluster[edges[i].b].links++;
	}
	for (uint32_t i = 0; i < records; i++)
	{
		Cluster    *cluster = &state->cluster[i];

		if (cluster->links == 0)
			continue;
		cluster->room = 2;
		while (most_links(cluster->room) < cluster->links)
			cluster->room *= 2;
		if (cluster->room <= SMALL_ROOM)
			state->smalls += cluster->room;
	}
	state->small = state->host->allocate(state->host, (state->smalls + 1) * sizeof(Link));
	for (uint32_t i = 0; i < records; i++)
	{
		Cluster    *cluster = &state->cluster[i];

		cluster->links = 0;
		if (cluster->room == 0)
			continue;
		if (cluster->room <= SMALL_ROOM)
		{
			cluster->link = state->small + used;
			used += cluster->room;
		}
		else
			cluster->link = state->host->allocate(state->host, (size_t) cluster->room * sizeof(Link));
		for (uint32_t k = 0; k < cluster->room; k++)
			cluster->link[k].other = FREE;
		walk(state, cluster->room);
	}
}

void
crm_match_cluster(uint32_t records, CrmMatchEdge *edges, size_t edge_count,
				  double threshold, double missing, uint32_t *cluster, CrmMatchHost *host)
{
	State		state = {0};
	size_t		joined = 0;

	for (uint32_t i = 0; i < records; i++)
		cluster[i] = i;
	if (edge_count == 0)
		return;
	edge_count = each_once(edges, edge_count);
	host->interrupt(host);
	state.host = host;
	state.threshold = threshold;
	state.missing = missing;

	/* With so much between them that rounding does not matter. */
	state.is_falling = threshold - missing > 1e-3 * (fabs(threshold) + fabs(missing));
	state.cluster = host->allocate(host, (size_t) records * sizeof(Cluster));
	make_room(&state, records, edges, edge_count);
	for (size_t i = 0; i < edge_count; i++)
	{
		bool		is_strong = edges[i].weight >= threshold;
		Link		link = {edges[i].b, 1, is_strong ? 2 : 0, edges[i].weight};

		add_link(&state, edges[i].a, link);
		link.other = edges[i].a;
		add_link(&state, edges[i].b, link);
		if (is_strong)
		{
			heap_push(&state, (Candidate) {edges[i].weight, edges[i].a, edges[i].b, 1, 1});
			state.queued++;
		}
		walk(&state, 2);
	}
	while (state.heap_size > 0)
	{
		Candidate	best = heap_pop(&state);
		Cluster    *a = &state.cluster[best.a];
		Cluster    *b = &state.cluster[best.b];
		uint32_t	into = best.a;
		uint32_t	from = best.b;

		walk(&state, 1);
		if (!is_current(&state, &best))
			continue;
		if (a->size != best.size_a || b->size != best.size_b)
		{
			consider(&state, best.a, best.b);
			continue;
		}
		if (a->links < b->links)
		{
			into = best.b;
			from = best.a;
		}
		join(&state, into, from);
		cluster[from] = into;
		if (state.heap_size > 2 * state.queued + 1024)
			clean_heap(&state);
		if ((++joined & 1023) == 0)
			host->interrupt(host);
	}
	for (uint32_t i = 0; i < records; i++)
		cluster[i] = root_of(cluster, i);
	for (uint32_t i = 0; i < records; i++)
		cluster[i] = state.cluster[cluster[i]].least;
	for (uint32_t i = 0; i < records; i++)
		release_links(&state, &state.cluster[i]);
	if (state.small != NULL)
		host->release(host, state.small);
	host->release(host, state.cluster);
	if (state.heap != NULL)
		host->release(host, state.heap);
}
