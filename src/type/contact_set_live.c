/*
 * contact_set_live.c
 *		A set that grows by ids in any order: what aggregates collect in.
 *
 * Its chunks are the entries of a hash table.  A chunk keeps its first 4 ids
 * in the entry itself, then in lists of up to 1024, unsorted and perhaps
 * twice, then in a bitmap.  So ids strewn over all of bigint cost some 40
 * bytes each, and dense ones two bits.
 */
#include <stdlib.h>
#include <string.h>

#include "type/contact_set.h"

#define FEW 4
#define LIST_FIRST 32
#define LIST_GROWTH 8
#define LIST_LAST 1024			/* a quarter of what a bitmap takes */
#define IS_BITMAP 0xFFFF
#define TABLE_FIRST 16
#define TICK_CHUNKS 1024

typedef struct LiveChunk
{
	int64_t		key;
	union
	{
		uint16_t	few[FEW];
		uint16_t   *list;
		uint64_t   *words;
	}			in;
	uint16_t	used;			/* of few or list */
	uint16_t	room;			/* FEW, LIST_…, or IS_BITMAP; 0: a free entry */
} LiveChunk;

struct CrmLive
{
	const CrmSetHost *host;
	LiveChunk  *table;
	size_t		size;			/* a power of two */
	size_t		chunks;
	size_t		last;			/* the entry used last */
};

static void
make_table(CrmLive *live, size_t size)
{
	live->table = live->host->resize(NULL, size * sizeof(LiveChunk));
	memset(live->table, 0, size * sizeof(LiveChunk));
	live->size = size;
	live->last = 0;
}

CrmLive *
crm_live_begin(const CrmSetHost *host)
{
	CrmLive    *live = host->resize(NULL, sizeof(CrmLive));

	live->host = host;
	live->chunks = 0;
	make_table(live, TABLE_FIRST);
	return live;
}

/* Multiplicative hashing (Knuth): neighbours are spread, and it is one step. */
static inline size_t
slot_of(const CrmLive *live, int64_t key)
{
	size_t		slot = ((uint64_t) (key ^ key >> 24) * UINT64_C(0x9E3779B97F4A7C15) >> 20) &
		(live->size - 1);

	while (live->table[slot].room != 0 && live->table[slot].key != key)
		slot = (slot + 1) & (live->size - 1);
	return slot;
}

static inline LiveChunk *
chunk_of(CrmLive *live, int64_t key)
{
	LiveChunk  *chunk = &live->table[live->last];
	size_t		slot;

	if (chunk->key == key && chunk->room != 0)
		return chunk;
	slot = slot_of(live, key);
	if (live->table[slot].room == 0)
	{
		if (live->chunks >= live->size / 4 * 3)
		{
			LiveChunk  *old = live->table;
			size_t		old_size = live->size;

			make_table(live, old_size * 2);
			for (size_t i = 0; i < old_size; i++)
				if (old[i].room != 0)
					live->table[slot_of(live, old[i].key)] = old[i];
			live->host->release(old);
			live->host->tick();
			slot = slot_of(live, key);
		}
		live->table[slot].key = key;
		live->table[slot].used = 0;
		live->table[slot].room = FEW;
		live->chunks++;
	}
	live->last = slot;
	return &live->table[slot];
}

static const uint16_t *
list_of(const LiveChunk *chunk)
{
	return chunk->room == FEW ? chunk->in.few : chunk->in.list;
}

static inline void
set_bit(uint64_t *words, uint16_t low)
{
	words[low >> 6] |= UINT64_C(1) << (low & 63);
}

static void
list_to_words(const LiveChunk *chunk, uint64_t *words)
{
	const uint16_t *list = list_of(chunk);

	for (uint32_t i = 0; i < chunk->used; i++)
		set_bit(words, list[i]);
}

static void
make_bitmap(CrmLive *live, LiveChunk *chunk)
{
	uint64_t   *words = live->host->resize(NULL, CRM_SET_BITMAP_SIZE);

	memset(words, 0, CRM_SET_BITMAP_SIZE);
	list_to_words(chunk, words);
	if (chunk->room != FEW)
		live->host->release(chunk->in.list);
	chunk->in.words = words;
	chunk->room = IS_BITMAP;
}

/* Makes room for one more in a list that is full. */
static void
grow(CrmLive *live, LiveChunk *chunk)
{
	if (chunk->room == FEW)
	{
		uint16_t   *list = live->host->resize(NULL, LIST_FIRST * sizeof(uint16_t));

		memcpy(list, chunk->in.few, sizeof(chunk->in.few));
		chunk->in.list = list;
		chunk->room = LIST_FIRST;
	}
	else if (chunk->room < LIST_LAST)
	{
		uint32_t	room = chunk->room * LIST_GROWTH;

		if (room > LIST_LAST)
			room = LIST_LAST;
		chunk->in.list = live->host->resize(chunk->in.list, room * sizeof(uint16_t));
		chunk->room = room;
	}
	else
		make_bitmap(live, chunk);
}

static inline void
add_low(CrmLive *live, LiveChunk *chunk, uint16_t low)
{
	if (chunk->room != IS_BITMAP)
	{
		if (chunk->used == chunk->room)
			grow(live, chunk);
		if (chunk->room == FEW)
		{
			/* the same few again and again must not grow */
			for (uint32_t i = 0; i < chunk->used; i++)
				if (chunk->in.few[i] == low)
					return;
			chunk->in.few[chunk->used++] = low;
			return;
		}
		if (chunk->room != IS_BITMAP)
		{
			chunk->in.list[chunk->used++] = low;
			return;
		}
	}
	set_bit(chunk->in.words, low);
}

void
crm_live_add(CrmLive *live, int64_t id)
{
	add_low(live, chunk_of(live, crm_set_key(id)), (uint16_t) id);
}

void
crm_live_add_set(CrmLive *live, const CrmSet *set)
{
	for (uint32_t i = 0; i < set->chunks; i++)
	{
		const CrmSetChunk *chunk = &set->chunk[i];
		const void *body = crm_chunk_body(set, chunk);
		LiveChunk  *to = chunk_of(live, chunk->key);

		if (i % TICK_CHUNKS == 0)
			live->host->tick();
		if (crm_chunk_is_array(chunk) && crm_chunk_count(chunk) <= LIST_LAST)
		{
			const uint16_t *low = body;

			for (uint32_t k = 0; k <= chunk->last; k++)
				add_low(live, to, low[k]);
		}
		else
		{
			if (to->room != IS_BITMAP)
				make_bitmap(live, to);
			crm_words_or(to->in.words, chunk, body);
		}
	}
}

void
crm_live_add_live(CrmLive *live, const CrmLive *other)
{
	for (size_t i = 0; i < other->size; i++)
	{
		const LiveChunk *chunk = &other->table[i];

		if (i % TICK_CHUNKS == 0)
			live->host->tick();
		if (chunk->room == IS_BITMAP)
		{
			LiveChunk  *to = chunk_of(live, chunk->key);

			if (to->room != IS_BITMAP)
				make_bitmap(live, to);
			for (int w = 0; w < CRM_SET_WORDS; w++)
				to->in.words[w] |= chunk->in.words[w];
		}
		else if (chunk->room != 0)
		{
			const uint16_t *list = list_of(chunk);
			LiveChunk  *to = chunk_of(live, chunk->key);

			for (uint32_t k = 0; k < chunk->used; k++)
				add_low(live, to, list[k]);
		}
	}
}

static int
compare_chunks(const void *a, const void *b)
{
	int64_t		x = ((const LiveChunk *) a)->key;
	int64_t		y = ((const LiveChunk *) b)->key;

	return (x > y) - (x < y);
}

static void
build_few(CrmSetBuilder *builder, const LiveChunk *chunk)
{
	const uint16_t *list = list_of(chunk);
	uint16_t	sorted[16];
	uint32_t	n = 0;

	for (uint32_t i = 0; i < chunk->used; i++)
	{
		uint32_t	at = n;

		while (at > 0 && sorted[at - 1] > list[i])
			at--;
		if (at > 0 && sorted[at - 1] == list[i])
			continue;
		memmove(&sorted[at + 1], &sorted[at], (n - at) * sizeof(uint16_t));
		sorted[at] = list[i];
		n++;
	}
	crm_build_array(builder, chunk->key, sorted, n);
}

CrmSet *
crm_live_set(const CrmLive *live)
{
	LiveChunk  *sorted = live->host->resize(NULL, (live->chunks + 1) * sizeof(LiveChunk));
	size_t		chunks = 0;
	bool		in_order = true;
	CrmSetBuilder builder;

	for (size_t i = 0; i < live->size; i++)
		if (live->table[i].room != 0)
		{
			in_order &= chunks == 0 || sorted[chunks - 1].key < live->table[i].key;
			sorted[chunks++] = live->table[i];
		}
	if (!in_order)
		qsort(sorted, chunks, sizeof(LiveChunk), compare_chunks);

	crm_build_begin(&builder, live->host, chunks, chunks * 8);
	for (size_t i = 0; i < chunks && !builder.too_big; i++)
	{
		const LiveChunk *chunk = &sorted[i];

		if (chunk->room == IS_BITMAP)
			crm_build_words(&builder, chunk->key, chunk->in.words);
		else if (chunk->used <= 16)
			build_few(&builder, chunk);
		else
		{
			uint64_t	words[CRM_SET_WORDS] = {0};

			list_to_words(chunk, words);
			crm_build_words(&builder, chunk->key, words);
		}
	}
	live->host->release(sorted);
	return crm_build_end(&builder);
}

void
crm_live_end(CrmLive *live)
{
	for (size_t i = 0; i < live->size; i++)
		if (live->table[i].room == IS_BITMAP)
			live->host->release(live->table[i].in.words);
		else if (live->table[i].room > FEW)
			live->host->release(live->table[i].in.list);
	live->host->release(live->table);
	live->host->release(live);
}
