/*
 * Recurrence rules: what is accepted is written so that it reads the same, and
 * its occurrences come in order, none before the start.
 * sources: src/time/recurrence.c src/time/recurrence_text.c src/time/holiday.c
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "time/recurrence.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static CrmRecurrence rule;
	static CrmRecurrence again;
	CrmRecurrenceError error;
	CrmRecurrenceCursor *cursor;
	char		text[CRM_RECURRENCE_MAX_TEXT];
	char		text_again[CRM_RECURRENCE_MAX_TEXT];
	int64_t		start;
	int64_t		from;
	int64_t		last;
	int			found = 0;
	size_t		length;

	if (size < 6)
		return 0;
	/* From 1900 to 2080, and from up to 20 years after or before. */
	start = ((data[0] << 8 | data[1]) - 36524) * INT64_C(86400) + (data[2] << 8 | data[3]);
	from = start + ((data[4] << 8 | data[5]) - 20000) * INT64_C(15000);
	if (!crm_recurrence_parse((const char *) data + 6, size - 6, &rule, &error))
	{
		assert(error.code != NULL && error.message != NULL && error.at + error.length <= size - 6);
		return 0;
	}
	length = crm_recurrence_print(&rule, text, sizeof(text));
	assert(length < sizeof(text) && length == strlen(text));
	assert(crm_recurrence_parse(text, length, &again, &error));
	assert(crm_recurrence_print(&again, text_again, sizeof(text_again)) == length && memcmp(text, text_again, length) == 0);
	cursor = crm_recurrence_open(&rule, start, from);
	assert(cursor != NULL);
	last = INT64_MIN;
	for (int i = 0; i < 200 && found < 200; i++)
	{
		int64_t		at;
		CrmRecurrenceStep step = crm_recurrence_next(cursor, &at);

		if (step == CRM_RECURRENCE_END)
			break;
		if (step == CRM_RECURRENCE_BUSY)
			continue;
		assert(at > last && at >= start && at >= from);
		last = at;
		found++;
	}
	crm_recurrence_close(cursor);
	return 0;
}
