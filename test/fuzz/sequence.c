/*
 * Patterns of events: what is refused names a place in the text; what is
 * accepted counts what trying every chain counts. Modes of funnels alike.
 * sources: src/sales/sequence.c src/sales/window_funnel.c src/type/check.c
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sales/event.h"

#define EVENTS 24

/* Whether the items from one on can be matched, the one before at an event; the first end. */
static size_t
first_end(const CrmSequence *sequence, int item, size_t before, const CrmEvent *event, size_t count)
{
	size_t		first = count;

	if (item == sequence->items)
		return before;
	for (size_t e = before + 1; e < count; e++)
	{
		const CrmSequenceItem *next = &sequence->item[item];
		int64_t		after = event[e].at - event[before].at;
		size_t		end;

		if (!next->apart && e > before + 1)
			break;
		if (!(event[e].what & next->any_of) || after < next->least || after > next->most)
			continue;
		end = first_end(sequence, item + 1, e, event, count);
		if (end < first)
			first = end;
	}
	return first;
}

static int64_t
count_by_trying(const CrmSequence *sequence, const CrmEvent *event, size_t count)
{
	int64_t		found = 0;

	for (size_t begin = 0;;)
	{
		size_t		first = count;

		for (size_t e = begin; e < count; e++)
		{
			size_t		end = event[e].what & sequence->item[0].any_of ? first_end(sequence, 1, e, event, count) : count;

			if (end < first)
				first = end;
		}
		if (first == count)
			return found;
		found++;
		begin = first + 1;
	}
}

static void
tick(void)
{
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CrmSequence sequence;
	CrmCheck	check;
	CrmEvent	event[EVENTS];
	uint64_t	reached[EVENTS];
	int64_t		at = 0;
	size_t		events = size < EVENTS ? size : EVENTS;
	unsigned	mode;
	size_t		start;
	size_t		end;
	char	   *text = malloc(size + 1);

	memcpy(text, data, size);
	for (size_t e = 0; e < events; e++)
	{
		at += (int64_t) (data[e] & 7) * 500000;
		event[e].at = at;
		event[e].what = 1 + (data[size - 1 - e] >> 2) % 15;
	}
	if (crm_sequence_parse(text, size, 4, &sequence, &check))
	{
		assert(sequence.items >= 1 && sequence.items <= CRM_SEQUENCE_ITEMS);
		for (int i = 0; i < sequence.items; i++)
			assert(sequence.item[i].any_of != 0);
		/* trying takes for ever when there are many parts */
		if (sequence.items <= 5)
		{
			int64_t		count = crm_sequence_count(&sequence, event, events, false, reached, tick);

			assert(count == count_by_trying(&sequence, event, events));
			assert(crm_sequence_count(&sequence, event, events, true, reached, tick) == (count > 0));
		}
		else
			assert(crm_sequence_count(&sequence, event, events, false, reached, tick) >= 0);
	}
	else
		assert(check.status == CRM_CHECK_BAD && check.position >= 0 && (size_t) check.position <= size && check.hint[0] != '\0');
	if (!crm_funnel_mode(text, size, &mode, &start, &end))
		assert(start <= end && end <= size);
	for (mode = 0; mode < 32; mode++)
	{
		int64_t		times[4];
		int64_t		paths[16];
		int			level = crm_funnel_level(event, events, 4, 2000000, mode, times, paths, tick);

		assert(level >= 0 && level <= 4);
		assert(level == crm_funnel_level(event, events, 4, 2000000, mode, NULL, NULL, tick));
		for (int i = 1; i < level; i++)
			assert(times[i] >= times[i - 1] && times[i] - times[0] <= 2000000);
	}
	free(text);
	return 0;
}
