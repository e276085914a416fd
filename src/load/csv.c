/*
 * csv.c
 *		Comma-separated values, RFC 4180 and what is found in its place.
 */
#include <string.h>

#include "load/csv.h"

void
crm_csv_open(CrmCsv *csv, const char *text, size_t length, char delimiter, char *buffer)
{
	csv->p = text;
	csv->end = text + length;
	csv->delimiter = delimiter;
	csv->line = 1;
	csv->row_line = 0;
	csv->buffer = buffer;
	csv->count = 0;
	if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
		csv->p += 3;
}

/* Steps over a line end (LF, CRLF or CR); p must be at one. */
static void
end_line(CrmCsv *csv)
{
	if (*csv->p == '\r' && csv->p + 1 < csv->end && csv->p[1] == '\n')
		csv->p++;
	csv->p++;
	csv->line++;
}

CrmCsvStatus
crm_csv_next(CrmCsv *csv)
{
	size_t		used = 0;

	while (csv->p < csv->end && (*csv->p == '\n' || *csv->p == '\r'))
		end_line(csv);
	if (csv->p >= csv->end)
		return CRM_CSV_END;
	csv->count = 0;
	csv->row_line = csv->line;
	for (;;)
	{
		size_t		start = used;

		if (csv->count >= CRM_CSV_MAX_COLUMNS)
			return CRM_CSV_TOO_MANY_COLUMNS;
		if (csv->p < csv->end && *csv->p == '"')
		{
			csv->p++;
			for (;;)
			{
				if (csv->p >= csv->end)
					return CRM_CSV_OPEN_QUOTE;
				if (*csv->p == '"')
				{
					csv->p++;
					if (csv->p >= csv->end || *csv->p != '"')
						break;
				}
				else if (*csv->p == '\n' || (*csv->p == '\r' && (csv->p + 1 >= csv->end || csv->p[1] != '\n')))
					csv->line++;
				if (used - start >= CRM_CSV_MAX_FIELD)
					return CRM_CSV_FIELD_TOO_LONG;
				csv->buffer[used++] = *csv->p++;
			}
		}
		while (csv->p < csv->end && *csv->p != csv->delimiter && *csv->p != '\n' && *csv->p != '\r')
		{
			if (used - start >= CRM_CSV_MAX_FIELD)
				return CRM_CSV_FIELD_TOO_LONG;
			csv->buffer[used++] = *csv->p++;
		}
		csv->start[csv->count] = start;
		csv->length[csv->count++] = used - start;
		if (csv->p >= csv->end)
			return CRM_CSV_ROW;
		if (*csv->p != csv->delimiter)
		{
			end_line(csv);
			return CRM_CSV_ROW;
		}
		csv->p++;
	}
}

char
crm_csv_guess_delimiter(const char *text, size_t length)
{
	static const char candidates[] = {',', ';', '\t', '|'};
	char		best = ',';
	long		best_score = 0;

	for (size_t c = 0; c < sizeof(candidates); c++)
	{
		long		first = -1;
		long		count = 0;
		long		lines = 0;
		long		even = 0;
		bool		quoted = false;

		for (size_t i = 0; i < length && lines < 20; i++)
		{
			if (text[i] == '"')
				quoted = !quoted;
			else if (quoted)
				continue;
			else if (text[i] == candidates[c])
				count++;
			else if (text[i] == '\n')
			{
				if (first < 0)
					first = count;
				even += count == first;
				lines++;
				count = 0;
			}
		}
		if (first < 0)
		{
			first = count;
			even = 1;
		}
		if (first > 0 && even * 1000 + first > best_score)
		{
			best_score = even * 1000 + first;
			best = candidates[c];
		}
	}
	return best;
}
