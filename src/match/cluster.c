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
 */
#include <stdlib.h>
#include <string.h>

#include "match/match.h"

/* The pairs between two clusters: sum of weights and number. */
typedef struct Link
{
	uint32_t	other;
	uint32_t	pairs;
	double		sum;
} Link;

typedef struct Cluster
{
	uint32_t	size;			/* 0: joined to another one */
	uint32_t	least;			/* smallest member */
	uint32_t	links;
	uint32_t	room;
	Link	   *link;			/* in no order */
} Cluster;

/* What may be joined; stale when a cluster has changed since. */
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
	Candidate  *heap;
	size_t		heap_size;
	size_t		heap_room;
	double		missing;
	double		threshold;
	uint32_t   *place;			/* of a cluster among the links at hand, or UINT32_MAX */
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

static Candidate
heap_pop(State *state)
{
	Candidate	first = state->heap[0];
	Candidate	last = state->heap[--state->heap_size];
	size_t		at = 0;

	for (;;)
	{
		size_t		child = 2 * at + 1;

		if (child >= state->heap_size)
			break;
		if (child + 1 < state->heap_size && comes_before(&state->heap[child + 1], &state->heap[child]))
			child++;
		if (!comes_before(&state->heap[child], &last))
			break;
		state->heap[at] = state->heap[child];
		at = child;
	}
	if (state->heap_size > 0)
		state->heap[at] = last;
	return first;
}

static void
consider(State *state, uint32_t a, uint32_t b, const Link *link)
{
	const Cluster *x = &state->cluster[a];
	const Cluster *y = &state->cluster[b];
	double		all = (double) x->size * y->size;
	double		mean = (link->sum + (all - link->pairs) * state->missing) / all;

	if (mean < state->threshold)
		return;
	if (a > b)
	{
		uint32_t	c = a;

		a = b;
		b = c;
	}
	heap_push(state, (Candidate) {mean, a, b, state->cluster[a].size, state->cluster[b].size});
}

static void
add_link(State *state, uint32_t a, Link link)
{
	Cluster    *cluster = &state->cluster[a];

	if (cluster->links == cluster->room)
	{
		uint32_t	room = cluster->room * 2 + 4;
		Link	   *grown = state->host->allocate(state->host, room * sizeof(Link));

		if (cluster->links > 0)
			memcpy(grown, cluster->link, cluster->links * sizeof(Link));
		if (cluster->link != NULL)
			state->host->release(state->host, cluster->link);
		cluster->link = grown;
		cluster->room = room;
	}
	cluster->link[cluster->links++] = link;
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

static Link *
find_link(const Cluster *cluster, uint32_t other)
{
	for (uint32_t i = 0; i < cluster->links; i++)
		if (cluster->link[i].other == other)
			return &cluster->link[i];
	return NULL;
}

static void
drop_link(Cluster *cluster, uint32_t other)
{
	Link	   *link = find_link(cluster, other);

	if (link != NULL)
		*link = cluster->link[--cluster->links];
}

/* Joins b to a, which keeps its number. */
static void
join(State *state, uint32_t a, uint32_t b)
{
	Cluster    *x = &state->cluster[a];
	Cluster    *y = &state->cluster[b];

	drop_link(x, b);
	drop_link(y, a);
	x->size += y->size;
	y->size = 0;
	if (y->least < x->least)
		x->least = y->least;
	for (uint32_t i = 0; i < x->links; i++)
		state->place[x->link[i].other] = i;
	for (uint32_t i = 0; i < y->links; i++)
	{
		Link		link = y->link[i];
		Cluster    *third = &state->cluster[link.other];
		Link	   *back = find_link(third, b);

		walk(state, third->links);
		if (state->place[link.other] != UINT32_MAX)
		{
			Link	   *both = &x->link[state->place[link.other]];
			Link	   *kept = find_link(third, a);

			both->sum += link.sum;
			both->pairs += link.pairs;
			*kept = (Link) {a, both->pairs, both->sum};
			*find_link(third, b) = third->link[third->links - 1];
			third->links--;
		}
		else
		{
			back->other = a;
			add_link(state, a, link);
			state->place[link.other] = x->links - 1;
		}
	}
	for (uint32_t i = 0; i < x->links; i++)
	{
		state->place[x->link[i].other] = UINT32_MAX;
		consider(state, a, x->link[i].other, &x->link[i]);
	}
	if (y->link != NULL)
		state->host->release(state->host, y->link);
	y->link = NULL;
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
	state.cluster = host->allocate(host, (size_t) records * sizeof(Cluster));
	state.place = host->allocate(host, (size_t) records * sizeof(uint32_t));
	for (uint32_t i = 0; i < records; i++)
	{
		state.cluster[i] = (Cluster) {1, i, 0, 0, NULL};
		state.place[i] = UINT32_MAX;
	}
	for (size_t i = 0; i < edge_count; i++)
	{
		Link		link = {edges[i].b, 1, edges[i].weight};

		add_link(&state, edges[i].a, link);
		link.other = edges[i].a;
		add_link(&state, edges[i].b, link);
		walk(&state, 2);
	}
	for (size_t i = 0; i < edge_count; i++)
		if (edges[i].weight >= threshold)
			heap_push(&state, (Candidate) {edges[i].weight, edges[i].a < edges[i].b ? edges[i].a : edges[i].b,
					edges[i].a < edges[i].b ? edges[i].b : edges[i].a, 1, 1});
	while (state.heap_size > 0)
	{
		Candidate	best = heap_pop(&state);
		Cluster    *a = &state.cluster[best.a];
		Cluster    *b = &state.cluster[best.b];
		uint32_t	into = best.a;
		uint32_t	from = best.b;

		if (a->size != best.size_a || b->size != best.size_b || a->size == 0 || b->size == 0)
			continue;
		if (a->links < b->links)
		{
			into = best.b;
			from = best.a;
		}
		join(&state, into, from);
		cluster[from] = into;
		if ((++joined & 1023) == 0)
			host->interrupt(host);
	}
	for (uint32_t i = 0; i < records; i++)
		cluster[i] = root_of(cluster, i);
	for (uint32_t i = 0; i < records; i++)
		cluster[i] = state.cluster[cluster[i]].least;
	for (uint32_t i = 0; i < records; i++)
		if (state.cluster[i].link != NULL)
			host->release(host, state.cluster[i].link);
	host->release(host, state.cluster);
	host->release(host, state.place);
	if (state.heap != NULL)
		host->release(host, state.heap);
}
