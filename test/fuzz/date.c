/*
 * Dates: what is accepted is a day of the calendar, and its ISO form re-reads.
 * sources: src/type/date_value.c src/type/check.c
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "type/date_value.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CrmDate		date;
	CrmDate		again;
	CrmCheck	check;
	char		iso[64];

	if (size < 1 || !crm_date_parse((const char *) data + 1, size - 1, data[0] & 1, &date, &check))
		return 0;
	assert(date.month >= 1 && date.month <= 12 && date.day >= 1 && date.day <= 31 && date.year <= 9999);
	snprintf(iso, sizeof(iso), "%04d-%02d-%02d", date.year, date.month, date.day);
	assert(crm_date_parse(iso, strlen(iso), false, &again, &check));
	assert(memcmp(&date, &again, sizeof(date)) == 0);
	return 0;
}
