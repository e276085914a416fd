/*
 * csv_rows.c
 *		crm.csv_rows(): the rows of a CSV text as a set.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "crm.h"
#include "load/csv.h"

static void
report(const CrmCsv *csv, CrmCsvStatus status)
{
	if (status == CRM_CSV_OPEN_QUOTE)
		ereport(ERROR,
				(errcode(ERRCODE_BAD_COPY_FILE_FORMAT),
				 errmsg("unterminated quoted field in CSV data, in the row that begins at line %ld", csv->row_line),
				 errhint("A quote inside a quoted field must be doubled.")));
	if (status == CRM_CSV_TOO_MANY_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("line %ld of CSV data has more than %d columns", csv->row_line, CRM_CSV_MAX_COLUMNS),
				 errhint("Check the delimiter, and whether a line end was lost.")));
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("a field of the row at line %ld of CSV data is longer than %d bytes", csv->row_line, CRM_CSV_MAX_FIELD),
			 errhint("Check for a lost quote.")));
}

static char
delimiter_argument(FunctionCallInfo fcinfo, const char *content, size_t length)
{
	text	   *delimiter;

	if (PG_ARGISNULL(1))
		return crm_csv_guess_delimiter(content, length);
	delimiter = PG_GETARG_TEXT_PP(1);
	if (VARSIZE_ANY_EXHDR(delimiter) != 1 || strchr("\"\r\n", *VARDATA_ANY(delimiter)) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the delimiter must be one single-byte character, not a quote or a line end")));
	return *VARDATA_ANY(delimiter);
}

PG_FUNCTION_INFO_V1(crm_csv_rows);

/* crm.csv_rows(content text, delimiter "char") returns setof (line, fields) */
Datum
crm_csv_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	text	   *content;
	CrmCsv	   *csv;
	CrmCsvStatus status;
	size_t		length;
	MemoryContext row_context;
	MemoryContext caller_context;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	content = PG_GETARG_TEXT_PP(0);
	length = VARSIZE_ANY_EXHDR(content);
	csv = palloc(sizeof(CrmCsv));
	crm_csv_open(csv, VARDATA_ANY(content), length,
				 delimiter_argument(fcinfo, VARDATA_ANY(content), length),
				 MemoryContextAllocHuge(CurrentMemoryContext, length + 1));
	row_context = AllocSetContextCreate(CurrentMemoryContext, "crm csv row", ALLOCSET_DEFAULT_SIZES);
	while ((status = crm_csv_next(csv)) == CRM_CSV_ROW)
	{
		Datum		values[2];
		bool		nulls[2] = {false};
		Datum	   *fields;
		bool	   *field_nulls;
		int			dimensions[1];
		int			lower[1] = {1};

		CHECK_FOR_INTERRUPTS();
		caller_context = MemoryContextSwitchTo(row_context);
		fields = palloc_array(Datum, csv->count);
		field_nulls = palloc_array(bool, csv->count);
		for (int i = 0; i < csv->count; i++)
		{
			field_nulls[i] = csv->length[i] == 0;
			if (!field_nulls[i])
				fields[i] = PointerGetDatum(cstring_to_text_with_len(csv->buffer + csv->start[i], csv->length[i]));
		}
		dimensions[0] = csv->count;
		values[0] = Int64GetDatum(csv->row_line);
		values[1] = PointerGetDatum(construct_md_array(fields, field_nulls, 1, dimensions, lower,
													   TEXTOID, -1, false, TYPALIGN_INT));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		MemoryContextSwitchTo(caller_context);
		MemoryContextReset(row_context);
	}
	if (status != CRM_CSV_END)
		report(csv, status);
	return (Datum) 0;
}
