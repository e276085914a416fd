/*
 * The judge of contact sets: random pairs, combined by CRoaring and by us, and
 * the portable form of each read by the other.  Says how many pairs agree.
 */
#include <inttypes.h>
#include <roaring/roaring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "type/contact_set.h"

#define PAIRS 2000

/* Before the 32-bit bitmap in our form: the number of bitmaps, the upper half. */
#define PREFIX 12

static uint64_t state = 88172645463325252;

static uint32_t
draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t) (state >> 32) % below;
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

static void
fail(const char *what, int pair)
{
	printf("pair %d: %s\n", pair, what);
	exit(1);
}

/* Some stretches of ids, up to 32 bits, each of its own density: single ids or runs. */
static void
fill(CrmLive *live, roaring_bitmap_t *judge)
{
	for (uint32_t stretches = draw(6); stretches > 0; stretches--)
	{
		uint32_t	at = draw(4) == 0 ? draw(UINT32_MAX - 4000000) : draw(400000);
		uint32_t	ids = draw(3) == 0 ? draw(60000) : draw(3000);
		uint32_t	gap = 2 << draw(8);
		uint32_t	longest = draw(3) == 0 ? 100 : 1;
		uint32_t	run = 1;

		for (; ids > 0; ids--)
		{
			crm_live_add(live, at);
			roaring_bitmap_add(judge, at);
			at++;
			if (--run == 0)
			{
				at += draw(gap);
				run = draw(longest) + 1;
			}
		}
	}
}

/* Are the bytes of one what the other reads as itself? */
static void
compare(const CrmSet *set, const roaring_bitmap_t *judge, int pair)
{
	size_t		size = crm_set_roaring_size(set);
	uint8_t    *bytes = malloc(size + PREFIX);
	roaring_bitmap_t *read;
	CrmSet	   *back;
	CrmCheck	check;
	const uint64_t one = 1;

	if (!crm_set_is_valid(set, set->size))
		fail("not valid", pair);
	if (set->cardinality != roaring_bitmap_get_cardinality(judge))
		fail("the cardinality differs", pair);
	crm_set_write_roaring(set, bytes, &host);
	if (set->cardinality > 0)
	{
		read = roaring_bitmap_portable_deserialize_safe((char *) bytes + PREFIX, size - PREFIX);
		if (read == NULL || !roaring_bitmap_equals(read, judge))
			fail("CRoaring reads other members", pair);
		roaring_bitmap_free(read);
	}
	free(bytes);

	size = PREFIX + roaring_bitmap_portable_size_in_bytes(judge);
	bytes = calloc(1, size);
	memcpy(bytes, &one, sizeof(one));	/* little-endian, as all machines of the tests */
	roaring_bitmap_portable_serialize(judge, (char *) bytes + PREFIX);
	back = crm_set_read_roaring(bytes, size, &host, &check);
	if (back == NULL || back->size != set->size ||
		memcmp((char *) back + 4, (const char *) set + 4, set->size - 4) != 0)
		fail("we read other members", pair);
	free(back);
	free(bytes);
}

int
main(void)
{
	for (int pair = 0; pair < PAIRS; pair++)
	{
		CrmSet	   *set[2];
		roaring_bitmap_t *judge[2];

		for (int i = 0; i < 2; i++)
		{
			CrmLive    *live = crm_live_begin(&host);

			judge[i] = roaring_bitmap_create();
			fill(live, judge[i]);
			if (pair % 2 == 0)
				roaring_bitmap_run_optimize(judge[i]);
			set[i] = crm_live_set(live);
			crm_live_end(live);
			compare(set[i], judge[i], pair);
		}
		for (int op = CRM_SET_AND; op <= CRM_SET_XOR; op++)
		{
			CrmSet	   *ours = crm_set_combine(op, set[0], set[1], &host);
			roaring_bitmap_t *theirs =
				op == CRM_SET_AND ? roaring_bitmap_and(judge[0], judge[1]) :
				op == CRM_SET_OR ? roaring_bitmap_or(judge[0], judge[1]) :
				op == CRM_SET_XOR ? roaring_bitmap_xor(judge[0], judge[1]) :
				roaring_bitmap_andnot(judge[0], judge[1]);

			compare(ours, theirs, pair);
			free(ours);
			roaring_bitmap_free(theirs);
		}
		if (crm_set_and_count(set[0], set[1], &host) != roaring_bitmap_and_cardinality(judge[0], judge[1]))
			fail("the number of common members differs", pair);
		if (crm_set_contains(set[0], set[1], &host) != roaring_bitmap_is_subset(judge[1], judge[0]))
			fail("containment differs", pair);
		for (int probe = 0; probe < 50; probe++)
		{
			uint32_t	id = draw(500000);

			if (crm_set_has(set[0], id) != roaring_bitmap_contains(judge[0], id) ||
				crm_set_rank(set[0], id) != roaring_bitmap_rank(judge[0], id))
				fail("a member or its rank differs", pair);
		}
		for (int i = 0; i < 2; i++)
		{
			free(set[i]);
			roaring_bitmap_free(judge[i]);
		}
	}
	printf("%d pairs agree\n", PAIRS);
	return 0;
}
