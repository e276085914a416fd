/*
 * Contact sets: hostile portable forms, texts and stored bytes; and random
 * operations beside plain arrays of flags, a bit an id.
 * sources: src/type/contact_set_chunk.c src/type/contact_set_image.c src/type/contact_set_algebra.c src/type/contact_set_live.c src/type/contact_set_text.c src/type/contact_set_roaring.c src/type/contact_set_arm.c src/type/check.c
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "type/contact_set.h"

static void *
resize(void *memory, size_t size)
{
	void	   *result = realloc(memory, size > 0 ? size : 1);

	assert(result != NULL);
	return result;
}

static void
tick(void)
{
}

static const CrmSetHost host = {resize, free, tick};

static bool
same(const CrmSet *a, const CrmSet *b)
{
	return a->size == b->size &&
		memcmp((const char *) a + 4, (const char *) b + 4, a->size - 4) == 0;
}

/* Whatever can be asked of a set. */
static void
examine(const CrmSet *set)
{
	CrmCheck	check;
	CrmSet	   *again;
	CrmSetIterator iterator;
	uint8_t    *bytes;
	char	   *text;
	size_t		size;
	int64_t		id;
	int64_t		before = 0;
	uint64_t	seen = 0;
	int64_t		few[4];

	assert(crm_set_is_valid(set, set->size));

	size = crm_set_roaring_size(set);
	bytes = malloc(size);
	crm_set_write_roaring(set, bytes, &host);
	again = crm_set_read_roaring(bytes, size, &host, &check);
	assert(again != NULL && same(set, again));
	free(again);
	/* nothing shorter is accepted */
	assert(crm_set_read_roaring(bytes, size - 1, &host, &check) == NULL);
	free(bytes);

	for (size_t most = 64; most <= 1 << 20; most <<= 14)
	{
		text = crm_set_write_text(set, most, &host, &size);
		assert(strlen(text) == size);
		again = crm_set_read_text(text, size, &host, &check);
		assert(again != NULL && same(set, again));
		free(again);
		free(text);
	}

	assert(crm_set_contains(set, set, &host));
	assert(crm_set_and_count(set, set, &host) == set->cardinality);
	assert(crm_set_overlaps(set, set, &host) == (set->cardinality > 0));
	crm_set_iterate(&iterator, set);
	while (seen < 300 && crm_set_next(&iterator, &id))
	{
		assert(seen == 0 || id > before);
		assert(crm_set_has(set, id));
		assert(crm_set_rank(set, id) == seen + 1);
		assert(crm_set_select(set, seen) == id);
		if (seen == 0)
			assert(crm_set_minimum(set) == id);
		if (seen < 4)
			few[seen] = id;
		before = id;
		seen++;
	}
	if (seen < 300)
		assert(seen == set->cardinality);
	if (set->cardinality > 0)
	{
		assert(crm_set_has(set, crm_set_maximum(set)));
		assert(crm_set_rank(set, INT64_MAX) == set->cardinality);
		assert(crm_set_select(set, set->cardinality - 1) == crm_set_maximum(set));
	}
	if (seen > 0 && seen <= 4)
	{
		again = crm_set_from_ids(few, seen, &host);
		assert(same(again, set));
		free(again);
	}
	if (set->cardinality < 20000)
	{
		CrmLive    *live = crm_live_begin(&host);
		CrmSetArms	arms;
		CrmSet	   *part[3];
		CrmSet	   *sample;
		const double weight[3] = {1, 0, 2.5};

		crm_live_add_set(live, set);
		again = crm_live_set(live);
		assert(same(again, set));
		free(again);
		crm_live_end(live);

		sample = crm_set_sample(set, set->cardinality / 2, 7, &host);
		assert(crm_set_is_valid(sample, sample->size) && crm_set_contains(set, sample, &host));
		assert(sample->cardinality == set->cardinality / 2);
		free(sample);

		assert(crm_set_arms(&arms, weight, 3));
		assert(crm_set_split(set, &arms, 7, part, &host));
		assert(part[1]->cardinality == 0);
		again = crm_set_combine(CRM_SET_XOR, part[0], part[2], &host);
		assert(same(again, set) && !crm_set_overlaps(part[0], part[2], &host));
		free(again);
		for (int i = 0; i < 3; i++)
		{
			assert(crm_set_is_valid(part[i], part[i]->size));
			if (part[i]->cardinality > 0)
				assert(crm_set_arm(&arms, crm_set_maximum(part[i]), 7) == i);
			free(part[i]);
		}
	}
}

/* ---------------- beside flags ---------------- */

#define KEYS 2
#define IDS (KEYS * CRM_SET_CHUNK_IDS)
#define WORDS (IDS / 64)

static const int64_t key[KEYS] = {-3, INT64_C(0x12345678ABC)};

static int64_t
id_of(uint32_t at)
{
	return crm_set_id(key[at / CRM_SET_CHUNK_IDS], at % CRM_SET_CHUNK_IDS);
}

/* Flags by a program: single ids, runs, strides. */
static size_t
paint(uint64_t *flag, CrmLive *live, const uint8_t *data, size_t size)
{
	size_t		used = 0;

	memset(flag, 0, IDS / 8);
	while (size - used >= 5 && data[used] != 0)
	{
		uint32_t	at = (data[used + 1] | data[used + 2] << 8 | data[used + 3] << 16) % IDS;
		uint32_t	count = 1;
		uint32_t	step = 1;

		if (data[used] % 3 == 1)
			count = (uint32_t) data[used + 4] * data[used + 4];
		else if (data[used] % 3 == 2)
		{
			count = 50 * (uint32_t) data[used + 4];
			step = data[used] / 3 % 13 + 1;
		}
		for (; count > 0 && at < IDS; count--, at += step)
		{
			flag[at / 64] |= UINT64_C(1) << at % 64;
			crm_live_add(live, id_of(at));
		}
		used += 5;
	}
	return used < size ? used + 1 : used;
}

static void
compare(const CrmSet *set, const uint64_t *flag)
{
	CrmSetIterator iterator;
	int64_t		id;

	assert(crm_set_is_valid(set, set->size));
	crm_set_iterate(&iterator, set);
	for (uint32_t i = 0; i < WORDS; i++)
		for (uint64_t bits = flag[i]; bits != 0; bits &= bits - 1)
			assert(crm_set_next(&iterator, &id) && id == id_of(i * 64 + __builtin_ctzll(bits)));
	assert(!crm_set_next(&iterator, &id));
}

static void
operate(const uint8_t *data, size_t size)
{
	static uint64_t flag[2][WORDS];
	static uint64_t expected[WORDS];
	CrmLive    *live[2];
	CrmSet	   *set[2];
	CrmSet	   *result;
	size_t		used = 0;
	uint64_t	common = 0;
	uint64_t	left = 0;

	for (int i = 0; i < 2; i++)
	{
		live[i] = crm_live_begin(&host);
		used += paint(flag[i], live[i], data + used, size - used);
		set[i] = crm_live_set(live[i]);
		compare(set[i], flag[i]);
	}
	for (int op = CRM_SET_AND; op <= CRM_SET_XOR; op++)
	{
		for (uint32_t i = 0; i < WORDS; i++)
		{
			uint64_t	a = flag[0][i];
			uint64_t	b = flag[1][i];

			expected[i] = op == CRM_SET_AND ? a & b : op == CRM_SET_OR ? a | b :
				op == CRM_SET_XOR ? a ^ b : a & ~b;
			if (op == CRM_SET_AND)
				common += __builtin_popcountll(expected[i]);
			else if (op == CRM_SET_AND_NOT)
				left += __builtin_popcountll(expected[i]);
		}
		result = crm_set_combine(op, set[0], set[1], &host);
		compare(result, expected);
		if (op == CRM_SET_OR)
		{
			crm_live_add_live(live[0], live[1]);
			free(set[0]);
			set[0] = crm_live_set(live[0]);
			assert(same(set[0], result));
			free(set[0]);
			crm_live_end(live[0]);
			live[0] = crm_live_begin(&host);
			for (uint32_t i = WORDS; i-- > 0;)
				for (uint64_t bits = flag[0][i]; bits != 0; bits &= bits - 1)
					crm_live_add(live[0], id_of(i * 64 + __builtin_ctzll(bits)));
			set[0] = crm_live_set(live[0]);
		}
		free(result);
	}
	assert(crm_set_and_count(set[0], set[1], &host) == common);
	assert(crm_set_and_count(set[1], set[0], &host) == common);
	assert(crm_set_overlaps(set[0], set[1], &host) == (common > 0));
	assert(crm_set_contains(set[1], set[0], &host) == (left == 0));
	examine(set[0]);
	for (int i = 0; i < 2; i++)
	{
		free(set[i]);
		crm_live_end(live[i]);
	}
}

/* A range of some bytes can stand for a trillion ids, which takes its time. */
static bool
is_long_range(const uint8_t *data, size_t size)
{
	bool		dots = false;
	int			digits = 0;
	int			longest = 0;

	for (size_t i = 0; i < size; i++)
	{
		digits = data[i] >= '0' && data[i] <= '9' ? digits + 1 : 0;
		longest = digits > longest ? digits : longest;
		dots |= data[i] == '.';
	}
	return dots && longest > 6;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CrmCheck	check;
	CrmSet	   *set = NULL;
	int			way;

	if (size == 0)
		return 0;
	way = *data++ & 15;
	size--;
	if (way < 5)
	{
		crm_check_init(&check);
		set = crm_set_read_roaring(data, size, &host, &check);
	}
	else if (way < 10 && is_long_range(data, size))
		return 0;
	else if (way < 10)
		set = crm_set_read_text((const char *) data, size, &host, &check);
	else if (way < 15)
	{
		set = malloc(size + sizeof(CrmSet));
		memcpy(set, data, size);
		if (!crm_set_is_valid(set, size))
		{
			free(set);
			return 0;
		}
	}
	else
	{
		operate(data, size);
		return 0;
	}
	if (set != NULL)
	{
		examine(set);
		free(set);
	}
	else
		assert(check.status == CRM_CHECK_BAD && check.code != NULL && check.message[0] != '\0');
	return 0;
}
