/*
 * contact_set_image.c
 *		Reading a set where it lies, and building one (contact_set.h).
 */
#include <stdlib.h>
#include <string.h>

#include "type/contact_set.h"

/* How often long loops let the host look around, in chunks. */
#define TICK_CHUNKS 1024

/* ---------------- reading ---------------- */

/* The number of the first chunk whose key is not below key. */
static uint32_t
chunk_bound(const CrmSet *set, int64_t key)
{
	uint32_t	begin = 0;
	uint32_t	end = set->chunks;

	while (begin < end)
	{
		uint32_t	middle = begin + (end - begin) / 2;

		if (set->chunk[middle].key < key)
			begin = middle + 1;
		else
			end = middle;
	}
	return begin;
}

const CrmSetChunk *
crm_set_find(const CrmSet *set, int64_t key)
{
	const CrmSetChunk *chunk;
	uint32_t	at;

	if (set->chunks == 0)
		return NULL;

	/* ids of a sequence: chunk i has the key i more than that of the first */
	if (key < set->chunk[0].key)
		return NULL;
	at = key - set->chunk[0].key < set->chunks ? key - set->chunk[0].key : 0;
	chunk = &set->chunk[at];
	if (chunk->key == key)
		return chunk;
	at = chunk_bound(set, key);
	chunk = &set->chunk[at];
	return at < set->chunks && chunk->key == key ? chunk : NULL;
}

bool
crm_set_has(const CrmSet *set, int64_t id)
{
	const CrmSetChunk *chunk = crm_set_find(set, crm_set_key(id));

	return chunk != NULL && crm_chunk_has(chunk, crm_chunk_body(set, chunk), (uint16_t) id);
}

int64_t
crm_set_minimum(const CrmSet *set)
{
	const CrmSetChunk *chunk = &set->chunk[0];

	return crm_set_id(chunk->key, crm_chunk_select(chunk, crm_chunk_body(set, chunk), 0));
}

int64_t
crm_set_maximum(const CrmSet *set)
{
	const CrmSetChunk *chunk = &set->chunk[set->chunks - 1];

	return crm_set_id(chunk->key,
					  crm_chunk_select(chunk, crm_chunk_body(set, chunk), chunk->last));
}

uint64_t
crm_set_rank(const CrmSet *set, int64_t id)
{
	uint32_t	end = chunk_bound(set, crm_set_key(id));
	uint64_t	rank = 0;

	for (uint32_t i = 0; i < end; i++)
		rank += crm_chunk_count(&set->chunk[i]);
	if (end < set->chunks && set->chunk[end].key == crm_set_key(id))
		rank += crm_chunk_rank(&set->chunk[end], crm_chunk_body(set, &set->chunk[end]),
							   (uint16_t) id);
	return rank;
}

int64_t
crm_set_select(const CrmSet *set, uint64_t position)
{
	const CrmSetChunk *chunk = set->chunk;

	while (position > chunk->last)
		position -= crm_chunk_count(chunk++);
	return crm_set_id(chunk->key,
					  crm_chunk_select(chunk, crm_chunk_body(set, chunk), position));
}

void
crm_set_iterate(CrmSetIterator *iterator, const CrmSet *set)
{
	memset(iterator, 0, sizeof(*iterator));
	iterator->set = set;
}

bool
crm_set_next(CrmSetIterator *iterator, int64_t *id)
{
	const CrmSet *set = iterator->set;

	while (iterator->chunk < set->chunks)
	{
		const CrmSetChunk *chunk = &set->chunk[iterator->chunk];
		const void *body = crm_chunk_body(set, chunk);

		if (chunk->runs > 0)
		{
			const CrmSetRun *run = body;

			if (iterator->position < chunk->runs)
			{
				run += iterator->position;
				*id = crm_set_id(chunk->key, run->first + iterator->in_run);
				if (iterator->in_run++ == run->more)
				{
					iterator->position++;
					iterator->in_run = 0;
				}
				return true;
			}
		}
		else if (crm_chunk_is_array(chunk))
		{
			if (iterator->position <= chunk->last)
			{
				*id = crm_set_id(chunk->key, ((const uint16_t *) body)[iterator->position++]);
				return true;
			}
		}
		else
		{
			const uint64_t *words = body;

			if (!iterator->begun)
			{
				iterator->word = words[0];
				iterator->begun = true;
			}
			while (iterator->word == 0 && iterator->position < CRM_SET_WORDS - 1)
				iterator->word = words[++iterator->position];
			if (iterator->word != 0)
			{
				*id = crm_set_id(chunk->key,
								 iterator->position * 64 + __builtin_ctzll(iterator->word));
				iterator->word &= iterator->word - 1;
				return true;
			}
		}
		iterator->chunk++;
		iterator->position = 0;
		iterator->begun = false;
	}
	return false;
}

/* ---------------- is it a set? ---------------- */

static bool
body_is_valid(const CrmSetChunk *chunk, const void *body)
{
	uint32_t	count = crm_chunk_count(chunk);

	if (chunk->runs > 0)
	{
		const CrmSetRun *run = body;
		uint32_t	smallest = 2 * count < CRM_SET_BITMAP_SIZE ? 2 * count : CRM_SET_BITMAP_SIZE;
		int64_t		end = -2;	/* of the run before */
		uint32_t	members = 0;

		if (4 * (uint32_t) chunk->runs >= smallest)
			return false;
		for (uint32_t i = 0; i < chunk->runs; i++)
		{
			if (run[i].first <= end + 1)
				return false;
			end = (int64_t) run[i].first + run[i].more;
			if (end >= CRM_SET_CHUNK_IDS)
				return false;
			members += (uint32_t) run[i].more + 1;
		}
		return members == count;
	}
	else
	{
		uint32_t	runs = 1;

		if (crm_chunk_is_array(chunk))
		{
			const uint16_t *array = body;

			for (uint32_t i = 1; i < count; i++)
			{
				if (array[i] <= array[i - 1])
					return false;
				runs += array[i] != array[i - 1] + 1;
			}
			return 4 * runs >= 2 * count;
		}
		return crm_words_count(body, &runs) == count && 4 * runs >= CRM_SET_BITMAP_SIZE;
	}
}

bool
crm_set_is_valid(const CrmSet *set, size_t size)
{
	size_t		offset;
	uint64_t	cardinality = 0;

	if (size < CRM_SET_HEADER_SIZE || size > CRM_SET_MAX_SIZE || set->size != size ||
		set->version != CRM_SET_VERSION ||
		(set->reserved[0] | set->reserved[1] | set->reserved[2]) != 0 ||
		set->chunks > (size - CRM_SET_HEADER_SIZE) / sizeof(CrmSetChunk))
		return false;
	offset = CRM_SET_HEADER_SIZE + set->chunks * sizeof(CrmSetChunk);
	for (uint32_t i = 0; i < set->chunks; i++)
	{
		const CrmSetChunk *chunk = &set->chunk[i];

		if (crm_set_key(crm_set_id(chunk->key, 0)) != chunk->key ||
			(i > 0 && chunk->key <= set->chunk[i - 1].key))
			return false;
		if (crm_chunk_is_bitmap(chunk))
			while (offset % 8 != 0 && offset < size)
				if (((const char *) set)[offset++] != 0)
					return false;
		if (chunk->offset != offset || crm_chunk_size(chunk) > size - offset ||
			!body_is_valid(chunk, crm_chunk_body(set, chunk)))
			return false;
		offset += crm_chunk_size(chunk);
		cardinality += crm_chunk_count(chunk);
	}
	return offset == size && cardinality == set->cardinality;
}

/* ---------------- building ---------------- */

/*
 * While a set is being built its bodies begin after the room reserved for the
 * directory, and offsets count from there; crm_build_end() closes the gap.  It
 * is a multiple of 16 bytes, so that what is aligned stays so.
 */
static char *
bodies(const CrmSetBuilder *builder)
{
	return (char *) builder->set + CRM_SET_HEADER_SIZE + builder->reserved * sizeof(CrmSetChunk);
}

void
crm_build_begin(CrmSetBuilder *builder, const CrmSetHost *host, size_t chunks, size_t body_size)
{
	const size_t most = CRM_SET_MAX_SIZE / sizeof(CrmSetChunk);

	memset(builder, 0, sizeof(*builder));
	builder->host = host;
	builder->reserved = chunks < most ? chunks : most;
	builder->room = CRM_SET_HEADER_SIZE + builder->reserved * sizeof(CrmSetChunk) +
		(body_size < CRM_SET_MAX_SIZE ? body_size : CRM_SET_MAX_SIZE);
	builder->set = host->resize(NULL, builder->room);
}

/* Adds an entry to the directory; returns where the body is to be written. */
static void *
add_chunk(CrmSetBuilder *builder, int64_t key, uint32_t count, uint32_t runs)
{
	CrmSetChunk *chunk;
	size_t		begin = builder->body_size;
	size_t		size;
	size_t		needed;
	CrmSetChunk entry = {.key = key, .last = count - 1, .runs = runs};

	if (crm_chunk_is_bitmap(&entry))
		begin = (begin + 7) & ~(size_t) 7;
	size = crm_chunk_size(&entry);
	if (CRM_SET_HEADER_SIZE + (builder->chunks + 1) * sizeof(CrmSetChunk) + begin + size >
		CRM_SET_MAX_SIZE)
	{
		builder->too_big = true;
		return NULL;
	}
	if (builder->chunks % TICK_CHUNKS == 0)
		builder->host->tick();

	if (builder->chunks == builder->reserved)
	{
		size_t		more = builder->reserved / 2 + 16;
		const char *old;

		needed = CRM_SET_HEADER_SIZE + (builder->reserved + more) * sizeof(CrmSetChunk) +
			begin + size;
		if (needed > builder->room)
		{
			builder->room = needed + needed / 2;
			builder->set = builder->host->resize(builder->set, builder->room);
		}
		old = bodies(builder);
		builder->reserved += more;
		memmove(bodies(builder), old, builder->body_size);
	}
	needed = CRM_SET_HEADER_SIZE + builder->reserved * sizeof(CrmSetChunk) + begin + size;
	if (needed > builder->room)
	{
		builder->room = needed + needed / 2;
		builder->set = builder->host->resize(builder->set, builder->room);
	}

	memset(bodies(builder) + builder->body_size, 0, begin - builder->body_size);
	entry.offset = begin;
	chunk = &builder->set->chunk[builder->chunks++];
	*chunk = entry;
	builder->body_size = begin + size;
	builder->cardinality += count;
	return bodies(builder) + begin;
}

void
crm_build_copy(CrmSetBuilder *builder, const CrmSetChunk *chunk, const void *body)
{
	void	   *to;

	if (builder->too_big)
		return;
	to = add_chunk(builder, chunk->key, crm_chunk_count(chunk), chunk->runs);
	if (to != NULL)
		memcpy(to, body, crm_chunk_size(chunk));
}

/* Writes the runs of an array or of a bitmap. */
static void
runs_of_array(const uint16_t *low, uint32_t count, CrmSetRun *run)
{
	for (uint32_t i = 0; i < count;)
	{
		uint32_t	begin = i;

		do
			i++;
		while (i < count && low[i] == low[i - 1] + 1);
		run->first = low[begin];
		run->more = i - begin - 1;
		run++;
	}
}

static void
runs_of_words(const uint64_t *words, uint32_t runs, CrmSetRun *run)
{
	uint32_t	at = 0;

	for (uint32_t r = 0; r < runs; r++)
	{
		uint32_t	word = at >> 6;
		uint64_t	bits = words[word] & ~UINT64_C(0) << (at & 63);
		uint32_t	first;

		while (bits == 0)
			bits = words[++word];
		first = word * 64 + __builtin_ctzll(bits);

		/* the first zero after it */
		word = first >> 6;
		bits = ~words[word] & ~UINT64_C(0) << (first & 63);
		while (bits == 0 && ++word < CRM_SET_WORDS)
			bits = ~words[word];
		at = word < CRM_SET_WORDS ? word * 64 + __builtin_ctzll(bits) : CRM_SET_CHUNK_IDS;
		run[r].first = first;
		run[r].more = at - first - 1;
	}
}

static bool
runs_are_best(uint32_t count, uint32_t runs)
{
	return runs <= CRM_SET_RUNS_MAX && 4 * runs < 2 * count;
}

void
crm_build_array(CrmSetBuilder *builder, int64_t key, const uint16_t *low, uint32_t count)
{
	uint32_t	runs = 1;
	void	   *body;

	if (builder->too_big || count == 0)
		return;
	for (uint32_t i = 1; i < count; i++)
		runs += low[i] != low[i - 1] + 1;
	if (runs_are_best(count, runs))
	{
		body = add_chunk(builder, key, count, runs);
		if (body != NULL)
			runs_of_array(low, count, body);
		return;
	}
	body = add_chunk(builder, key, count, 0);
	if (body == NULL)
		return;
	if (count <= CRM_SET_ARRAY_MAX)
		memcpy(body, low, 2 * count);
	else
	{
		uint64_t   *words = body;

		memset(words, 0, CRM_SET_BITMAP_SIZE);
		for (uint32_t i = 0; i < count; i++)
			words[low[i] >> 6] |= UINT64_C(1) << (low[i] & 63);
	}
}

void
crm_build_words(CrmSetBuilder *builder, int64_t key, const uint64_t *words)
{
	uint32_t	runs;
	uint32_t	count = crm_words_count(words, &runs);
	void	   *body;

	if (builder->too_big || count == 0)
		return;
	if (!runs_are_best(count, runs))
		runs = 0;
	body = add_chunk(builder, key, count, runs);
	if (body == NULL)
		return;
	if (runs > 0)
		runs_of_words(words, runs, body);
	else if (count <= CRM_SET_ARRAY_MAX)
		crm_words_decode(words, body);
	else
		memcpy(body, words, CRM_SET_BITMAP_SIZE);
}

void
crm_build_runs(CrmSetBuilder *builder, int64_t key, const CrmSetRun *run, uint32_t runs)
{
	uint32_t	count = 0;

	if (builder->too_big || runs == 0)
		return;
	for (uint32_t i = 0; i < runs; i++)
		count += (uint32_t) run[i].more + 1;
	if (runs_are_best(count, runs))
	{
		void	   *body = add_chunk(builder, key, count, runs);

		if (body != NULL)
			memcpy(body, run, 4 * runs);
	}
	else if (count <= CRM_SET_ARRAY_MAX)
	{
		uint16_t   *body = add_chunk(builder, key, count, 0);

		for (uint32_t i = 0; body != NULL && i < runs; i++)
			for (uint32_t k = 0; k <= run[i].more; k++)
				*body++ = run[i].first + k;
	}
	else
	{
		uint64_t	words[CRM_SET_WORDS] = {0};

		for (uint32_t i = 0; i < runs; i++)
			crm_words_set_range(words, run[i].first, (uint32_t) run[i].first + run[i].more);
		crm_build_words(builder, key, words);
	}
}

CrmSet *
crm_build_end(CrmSetBuilder *builder)
{
	CrmSet	   *set = builder->set;
	size_t		begin = CRM_SET_HEADER_SIZE + builder->chunks * sizeof(CrmSetChunk);

	if (builder->too_big)
	{
		crm_build_abandon(builder);
		return NULL;
	}
	memmove((char *) set + begin, bodies(builder), builder->body_size);
	for (size_t i = 0; i < builder->chunks; i++)
		set->chunk[i].offset += begin;
	set->header = 0;
	set->version = CRM_SET_VERSION;
	memset(set->reserved, 0, sizeof(set->reserved));
	set->chunks = builder->chunks;
	set->size = begin + builder->body_size;
	set->cardinality = builder->cardinality;
	return set;
}

void
crm_build_abandon(CrmSetBuilder *builder)
{
	builder->host->release(builder->set);
	builder->set = NULL;
	builder->too_big = true;
}

/* ---------------- ranges ---------------- */

static int
compare_ranges(const void *a, const void *b)
{
	int64_t		x = ((const CrmSetRange *) a)->first;
	int64_t		y = ((const CrmSetRange *) b)->first;

	return (x > y) - (x < y);
}

CrmSet *
crm_set_from_ranges(CrmSetRange *range, size_t ranges, const CrmSetHost *host)
{
	const CrmSetRun everything = {0, CRM_SET_CHUNK_IDS - 1};
	const size_t most = CRM_SET_MAX_SIZE / sizeof(CrmSetChunk);
	CrmSetBuilder builder;
	CrmSetRun  *run;
	uint32_t	runs = 0;
	int64_t		key = 0;
	size_t		kept = 0;
	size_t		chunks = 0;

	for (size_t i = 1; i < ranges; i++)
		if (range[i].first < range[i - 1].first)
		{
			qsort(range, ranges, sizeof(*range), compare_ranges);
			break;
		}

	/* those that overlap or touch become one; and how many chunks may there be? */
	for (size_t i = 0; i < ranges; i++)
	{
		if (kept > 0 && (range[kept - 1].last == INT64_MAX ||
						 range[i].first <= range[kept - 1].last + 1))
		{
			if (range[i].last > range[kept - 1].last)
				range[kept - 1].last = range[i].last;
		}
		else
			range[kept++] = range[i];
	}
	for (size_t i = 0; i < kept; i++)
	{
		uint64_t	span = (uint64_t) crm_set_key(range[i].last) -
			(uint64_t) crm_set_key(range[i].first) + 1;

		if (span > most || (chunks += span) > most + kept)
			return NULL;
	}

	crm_build_begin(&builder, host, 16, 64);
	run = host->resize(NULL, CRM_SET_CHUNK_IDS / 2 * sizeof(*run));
	for (size_t i = 0; i < kept && !builder.too_big; i++)
	{
		int64_t		first_key = crm_set_key(range[i].first);
		int64_t		last_key = crm_set_key(range[i].last);
		uint16_t	first_low = (uint16_t) range[i].first;
		uint16_t	last_low = (uint16_t) range[i].last;

		if (first_key != key)
		{
			crm_build_runs(&builder, key, run, runs);
			runs = 0;
			key = first_key;
		}
		run[runs].first = first_low;
		if (last_key == first_key)
		{
			run[runs++].more = last_low - first_low;
			continue;
		}
		run[runs++].more = CRM_SET_CHUNK_IDS - 1 - first_low;
		crm_build_runs(&builder, key, run, runs);
		while (++key < last_key && !builder.too_big)
			crm_build_runs(&builder, key, &everything, 1);
		run[0].first = 0;
		run[0].more = last_low;
		runs = 1;
	}
	crm_build_runs(&builder, key, run, runs);
	host->release(run);
	return crm_build_end(&builder);
}

/* ---------------- ids ---------------- */

static int
compare_ids(const void *a, const void *b)
{
	int64_t		x = *(const int64_t *) a;
	int64_t		y = *(const int64_t *) b;

	return (x > y) - (x < y);
}

CrmSet *
crm_set_from_ids(int64_t *id, uint32_t ids, const CrmSetHost *host)
{
	CrmSetBuilder builder;
	uint16_t	few[64];
	uint16_t   *low = few;
	uint32_t	members = 0;

	if (ids <= 16)
		for (uint32_t i = 1; i < ids; i++)
		{
			int64_t		moved = id[i];
			uint32_t	at = i;

			for (; at > 0 && id[at - 1] > moved; at--)
				id[at] = id[at - 1];
			id[at] = moved;
		}
	else
		qsort(id, ids, sizeof(*id), compare_ids);
	if (ids > sizeof(few) / sizeof(*few))
		low = host->resize(NULL, ids * sizeof(uint16_t));
	crm_build_begin(&builder, host, 2, ids * sizeof(uint16_t));
	for (uint32_t i = 0; i < ids; i++)
	{
		if (i > 0 && id[i] == id[i - 1])
			continue;
		if (i > 0 && crm_set_key(id[i]) != crm_set_key(id[i - 1]))
		{
			crm_build_array(&builder, crm_set_key(id[i - 1]), low, members);
			members = 0;
		}
		low[members++] = (uint16_t) id[i];
	}
	if (ids > 0)
		crm_build_array(&builder, crm_set_key(id[ids - 1]), low, members);
	if (low != few)
		host->release(low);
	return crm_build_end(&builder);
}
