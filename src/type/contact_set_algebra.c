/*
 * contact_set_algebra.c
 *		Two sets: what they have in common, together, apart (contact_set.h).
 *
 * Both directories are walked side by side.  Counting never builds anything.
 */
#include "type/contact_set.h"

#define TICK_CHUNKS 1024

/* The number of the first chunk from begin on whose key is not below key. */
static uint32_t
skip_to(const CrmSet *set, uint32_t begin, int64_t key)
{
	uint32_t	step = 1;
	uint32_t	end;

	if (begin >= set->chunks || set->chunk[begin].key >= key)
		return begin;

	/* it is often near: double the step until it is passed, then halve */
	while (step < set->chunks - begin && set->chunk[begin + step].key < key)
	{
		begin += step;
		step *= 2;
	}
	end = step < set->chunks - begin ? begin + step : set->chunks;
	begin++;
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

/* The next pair of chunks with the same key, from these on. */
static bool
next_pair(const CrmSet *a, uint32_t *i, const CrmSet *b, uint32_t *k)
{
	while (*i < a->chunks && *k < b->chunks)
	{
		int64_t		x = a->chunk[*i].key;
		int64_t		y = b->chunk[*k].key;

		if (x == y)
			return true;
		if (x < y)
			*i = skip_to(a, *i, y);
		else
			*k = skip_to(b, *k, x);
	}
	return false;
}

static uint32_t
common(const CrmSet *a, uint32_t i, const CrmSet *b, uint32_t k)
{
	const CrmSetChunk *x = &a->chunk[i];
	const CrmSetChunk *y = &b->chunk[k];

	return crm_chunk_and_count(x, crm_chunk_body(a, x), y, crm_chunk_body(b, y));
}

uint64_t
crm_set_and_count(const CrmSet *a, const CrmSet *b, const CrmSetHost *host)
{
	uint64_t	count = 0;

	for (uint32_t i = 0, k = 0; next_pair(a, &i, b, &k); i++, k++)
	{
		if (i % TICK_CHUNKS == 0)
			host->tick();
		count += common(a, i, b, k);
	}
	return count;
}

bool
crm_set_overlaps(const CrmSet *a, const CrmSet *b, const CrmSetHost *host)
{
	for (uint32_t i = 0, k = 0; next_pair(a, &i, b, &k); i++, k++)
	{
		if (i % TICK_CHUNKS == 0)
			host->tick();
		if (common(a, i, b, k) > 0)
			return true;
	}
	return false;
}

bool
crm_set_contains(const CrmSet *a, const CrmSet *b, const CrmSetHost *host)
{
	uint32_t	i = 0;

	if (b->cardinality > a->cardinality || b->chunks > a->chunks)
		return false;
	for (uint32_t k = 0; k < b->chunks; k++, i++)
	{
		i = skip_to(a, i, b->chunk[k].key);
		if (i >= a->chunks || a->chunk[i].key != b->chunk[k].key ||
			a->chunk[i].last < b->chunk[k].last)
			return false;
		if (k % TICK_CHUNKS == 0)
			host->tick();
		if (common(a, i, b, k) < crm_chunk_count(&b->chunk[k]))
			return false;
	}
	return true;
}

/* ---------------- building the result ---------------- */

/* Those of an array that are in another chunk, or that are not. */
static void
filter_array(CrmSetBuilder *builder, const CrmSetChunk *array, const uint16_t *low,
			 const CrmSetChunk *chunk, const void *body, bool in)
{
	uint16_t	kept[CRM_SET_ARRAY_MAX];
	uint64_t	marked[CRM_SET_WORDS];
	uint32_t	count = crm_chunk_count(array);
	uint32_t	n = 0;

	/* where many are to be looked up, marking all of them first costs less */
	if (!crm_chunk_is_bitmap(chunk) && count >= 64 && crm_chunk_count(chunk) / 32 < count)
	{
		crm_words_from(marked, chunk, body);
		body = marked;
	}
	if (body == marked || crm_chunk_is_bitmap(chunk))
	{
		const uint64_t *words = body;

		for (uint32_t i = 0; i < count; i++)
		{
			kept[n] = low[i];
			n += (words[low[i] >> 6] >> (low[i] & 63) & 1) == in;
		}
	}
	else
		for (uint32_t i = 0; i < count; i++)
		{
			kept[n] = low[i];
			n += crm_chunk_has(chunk, body, low[i]) == in;
		}
	crm_build_array(builder, array->key, kept, n);
}

/* OR or XOR of two arrays that have at most CRM_SET_ARRAY_MAX members together. */
static void
merge_arrays(CrmSetBuilder *builder, int64_t key, const uint16_t *a, uint32_t a_count,
			 const uint16_t *b, uint32_t b_count, bool keep_common)
{
	uint16_t	low[CRM_SET_ARRAY_MAX];
	uint32_t	n = 0;
	uint32_t	i = 0;
	uint32_t	k = 0;

	while (i < a_count && k < b_count)
	{
		uint16_t	x = a[i];
		uint16_t	y = b[k];

		low[n] = x < y ? x : y;
		n += x != y || keep_common;
		i += x <= y;
		k += y <= x;
	}
	while (i < a_count)
		low[n++] = a[i++];
	while (k < b_count)
		low[n++] = b[k++];
	crm_build_array(builder, key, low, n);
}

/* Two chunks with the same key. */
static void
combine_chunks(CrmSetBuilder *builder, CrmSetOperation operation,
			   const CrmSetChunk *x, const void *x_body,
			   const CrmSetChunk *y, const void *y_body)
{
	uint64_t	words[CRM_SET_WORDS];
	bool		x_array = crm_chunk_is_array(x);
	bool		y_array = crm_chunk_is_array(y);
	bool		x_all = x->last == CRM_SET_CHUNK_IDS - 1;
	bool		y_all = y->last == CRM_SET_CHUNK_IDS - 1;

	switch (operation)
	{
		case CRM_SET_AND:
			if (x_all || y_all)
			{
				crm_build_copy(builder, x_all ? y : x, x_all ? y_body : x_body);
				return;
			}
			if (x_array && (!y_array || x->last <= y->last))
			{
				filter_array(builder, x, x_body, y, y_body, true);
				return;
			}
			if (y_array)
			{
				filter_array(builder, y, y_body, x, x_body, true);
				return;
			}
			crm_words_from(words, x, x_body);
			crm_words_and(words, y, y_body);
			break;
		case CRM_SET_AND_NOT:
			if (y_all)
				return;
			if (x_array)
			{
				filter_array(builder, x, x_body, y, y_body, false);
				return;
			}
			crm_words_from(words, x, x_body);
			crm_words_and_not(words, y, y_body);
			break;
		case CRM_SET_OR:
		case CRM_SET_XOR:
			if (operation == CRM_SET_OR && (x_all || y_all))
			{
				crm_build_copy(builder, x_all ? x : y, x_all ? x_body : y_body);
				return;
			}
			if (x_array && y_array &&
				crm_chunk_count(x) + crm_chunk_count(y) <= CRM_SET_ARRAY_MAX)
			{
				merge_arrays(builder, x->key, x_body, crm_chunk_count(x),
							 y_body, crm_chunk_count(y), operation == CRM_SET_OR);
				return;
			}
			crm_words_from(words, x, x_body);
			if (operation == CRM_SET_OR)
				crm_words_or(words, y, y_body);
			else
				crm_words_xor(words, y, y_body);
			break;
	}
	crm_build_words(builder, x->key, words);
}

CrmSet *
crm_set_combine(CrmSetOperation operation, const CrmSet *a, const CrmSet *b,
				const CrmSetHost *host)
{
	bool		keep_a = operation != CRM_SET_AND;
	bool		keep_b = operation == CRM_SET_OR || operation == CRM_SET_XOR;
	CrmSetBuilder builder;
	uint32_t	i = 0;
	uint32_t	k = 0;
	uint32_t	steps = 0;

	/* a guess; what is too much costs address space only until the end */
	if (keep_b)
		crm_build_begin(&builder, host, (size_t) a->chunks + b->chunks,
						(size_t) a->size + b->size);
	else if (keep_a)
		crm_build_begin(&builder, host, a->chunks, a->size);
	else
		crm_build_begin(&builder, host, a->chunks < b->chunks ? a->chunks : b->chunks,
						a->size < b->size ? a->size : b->size);

	while ((i < a->chunks || k < b->chunks) && !builder.too_big)
	{
		const CrmSetChunk *x = i < a->chunks ? &a->chunk[i] : NULL;
		const CrmSetChunk *y = k < b->chunks ? &b->chunk[k] : NULL;

		if (++steps % TICK_CHUNKS == 0)
			host->tick();
		if (y == NULL || (x != NULL && x->key < y->key))
		{
			if (keep_a)
			{
				crm_build_copy(&builder, x, crm_chunk_body(a, x));
				i++;
			}
			else if (y == NULL)
				break;
			else
				i = skip_to(a, i, y->key);
		}
		else if (x == NULL || y->key < x->key)
		{
			if (keep_b)
			{
				crm_build_copy(&builder, y, crm_chunk_body(b, y));
				k++;
			}
			else if (x == NULL)
				break;
			else
				k = skip_to(b, k, x->key);
		}
		else
		{
			combine_chunks(&builder, operation, x, crm_chunk_body(a, x),
						   y, crm_chunk_body(b, y));
			i++;
			k++;
		}
	}
	return crm_build_end(&builder);
}
