/*
 * CSV: rows lie within the buffer and the reader always moves on.
 * sources: src/load/csv.c
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "load/csv.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static CrmCsv csv;
	char	   *buffer = malloc(size + 1);
	long		line = 0;

	crm_csv_open(&csv, (const char *) data, size, crm_csv_guess_delimiter((const char *) data, size), buffer);
	while (crm_csv_next(&csv) == CRM_CSV_ROW)
	{
		assert(csv.row_line > line || csv.row_line == line);
		line = csv.row_line;
		assert(csv.count >= 1);
		for (int i = 0; i < csv.count; i++)
			assert(csv.start[i] + csv.length[i] <= size);
	}
	free(buffer);
	return 0;
}
