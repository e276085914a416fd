/*
 * csv.h
 *		Comma-separated values, RFC 4180 and what is found in its place.
 *		Knows nothing of the server.
 */
#ifndef CRM_CSV_H
#define CRM_CSV_H

#include <stdbool.h>
#include <stddef.h>

/* More columns, or a longer field, mean a wrong delimiter or a lost quote. */
#define CRM_CSV_MAX_COLUMNS 1600
#define CRM_CSV_MAX_FIELD (1024 * 1024)

typedef enum CrmCsvStatus
{
	CRM_CSV_ROW,				/* a row was read */
	CRM_CSV_END,				/* nothing is left */
	CRM_CSV_OPEN_QUOTE,			/* a quoted field does not end */
	CRM_CSV_TOO_MANY_COLUMNS,
	CRM_CSV_FIELD_TOO_LONG
} CrmCsvStatus;

typedef struct CrmCsv
{
	const char *p;				/* what is still to be read */
	const char *end;
	char		delimiter;
	long		line;			/* number of the line that p is in, from 1 */
	long		row_line;		/* the line in which the last row began */
	char	   *buffer;			/* the last row's fields, one after another;
								 * the caller's, as long as the text */
	int			count;			/* number of its fields */
	size_t		start[CRM_CSV_MAX_COLUMNS]; /* where each begins in buffer ... */
	size_t		length[CRM_CSV_MAX_COLUMNS];	/* ... and how long it is */
} CrmCsv;

/* Begins to read; skips a byte order mark. */
extern void crm_csv_open(CrmCsv *csv, const char *text, size_t length,
						 char delimiter, char *buffer);

/*
 * Reads the next row; a line with nothing on it is none.  A quote inside an
 * unquoted field is an ordinary character, text behind a closing quote is
 * kept, as spreadsheets do.
 */
extern CrmCsvStatus crm_csv_next(CrmCsv *csv);

/* The delimiter that splits the first lines most evenly: , ; tab or |. */
extern char crm_csv_guess_delimiter(const char *text, size_t length);

#endif							/* CRM_CSV_H */
