/*
 * recurrence_ops.c
 *		The functions over recurrence rules: times of the wall become instants
 *		by the time zones of the server.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "crm.h"
#include "time/holiday.h"
#include "time/recurrence.h"
#include "time/zone.h"

/* Looked for in vain so often, a thousand periods each time, none will come. */
#define MAX_BUSY 2000

/* Occurrences of one call. */
#define MAX_OCCURRENCES 1000000

/* Where recurrences may start. */
#define EARLIEST ((int64) crm_day_of_date(1900, 1, 1) * USECS_PER_DAY)
#define LATEST ((int64) crm_day_of_date(2400, 1, 1) * USECS_PER_DAY)

typedef struct Occurrences
{
	CrmRecurrenceCursor *cursor;
	MemoryContextCallback closing;
	pg_tz	   *zone;
	int64		fraction;		/* microseconds of the start beyond a second */
	const char *rule;
	int			busy;
} Occurrences;

static void
report_rule(const char *text, const CrmRecurrenceError *error)
{
	int			length = pg_mbcliplen(text + error->at, (int) error->length, 100);

	ereport(ERROR,
			(errcode(MAKE_SQLSTATE('R', 'M', '0', '8', '3')),
			 errmsg("recurrence rule: %s", error->message),
			 length > 0 ?
			 errdetail("%s: \"%.*s\", character %d.", error->code, length, text + error->at,
					   pg_mbstrlen_with_len(text, (int) error->at) + 1) :
			 errdetail("%s.", error->code),
			 error->hint != NULL ? errhint("%s", error->hint) : 0));
}

/* It is allocated by malloc(): an error must not leave it behind. */
static void
close_cursor(void *cursor)
{
	if (*(CrmRecurrenceCursor **) cursor != NULL)
		crm_recurrence_close(*(CrmRecurrenceCursor **) cursor);
	*(CrmRecurrenceCursor **) cursor = NULL;
}

static int64
to_wall_seconds(pg_tz *zone, const CrmRecurrenceTime *time)
{
	return time->is_utc ? crm_zone_local(zone, time->seconds * USECS_PER_SEC) / USECS_PER_SEC : time->seconds;
}

/*
 * The occurrences from an instant on, and some before: a time that is skipped
 * comes up to a day later than it shows.
 */
static void
open_occurrences(Occurrences *occurrences, const char *text, Timestamp starts, const char *zone_name, TimestampTz from)
{
	CrmRecurrence *rule = palloc(sizeof(CrmRecurrence));
	CrmRecurrenceError error;
	int64		start = starts / USECS_PER_SEC - (starts % USECS_PER_SEC < 0);

	memset(occurrences, 0, sizeof(*occurrences));
	occurrences->zone = crm_zone_find(zone_name);
	occurrences->rule = text;
	if (!crm_recurrence_parse(text, strlen(text), rule, &error))
		report_rule(text, &error);
	if (rule->has_until)
		rule->until.seconds = to_wall_seconds(occurrences->zone, &rule->until);
	for (int i = 0; i < rule->except_count; i++)
		rule->except[i].seconds = to_wall_seconds(occurrences->zone, &rule->except[i]);
	occurrences->fraction = starts - start * USECS_PER_SEC;
	if (TIMESTAMP_NOT_FINITE(starts) || starts < EARLIEST || starts >= LATEST)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("recurrences start in the years from 1900 to 2399")));
	occurrences->closing.func = close_cursor;
	occurrences->closing.arg = &occurrences->cursor;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &occurrences->closing);
	from = Min(Max(from, EARLIEST), LATEST);
	occurrences->cursor = crm_recurrence_open(rule, start, crm_zone_local(occurrences->zone, from) / USECS_PER_SEC - SECS_PER_DAY - 1);
	if (occurrences->cursor == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	pfree(rule);
}

/*
 * The next occurrence as an instant; is_skipped says that the clocks never
 * show it, and that it is later by what they skip, so that others may come
 * before it.
 */
static bool
next_occurrence(Occurrences *occurrences, int64 *at, bool *is_skipped)
{
	int64		local;
	int64		skipped;

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		switch (crm_recurrence_next(occurrences->cursor, &local))
		{
			case CRM_RECURRENCE_END:
				return false;
			case CRM_RECURRENCE_BUSY:
				if (++occurrences->busy > MAX_BUSY)
					ereport(ERROR,
							(errcode(MAKE_SQLSTATE('R', 'M', '0', '8', '4')),
							 errmsg("recurrence rule \"%.200s\" was followed too far in vain", occurrences->rule),
							 errdetail("Two million periods have no occurrence that was asked for."),
							 errhint("Its parts may exclude each other, or COUNT with a short FREQ makes a long way from its start.")));
				continue;
			default:
				occurrences->busy = 0;
				local = local * USECS_PER_SEC + occurrences->fraction;
				*at = crm_zone_instant(occurrences->zone, local, &skipped);
				*is_skipped = skipped > 0;
				if (*is_skipped)
				{
					/* By the offset before: later by what is skipped. */
					int64		before;
					int64		after;

					(void) crm_zone_next_change(occurrences->zone, *at - 1, &before, &after);
					*at = local - before;
				}
				return true;
		}
	}
}

static char *
text_argument(FunctionCallInfo fcinfo, int number)
{
	return text_to_cstring(PG_GETARG_TEXT_PP(number));
}

PG_FUNCTION_INFO_V1(crm_recurrence_set);

Datum
crm_recurrence_set(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	Occurrences *occurrences;
	int64	   *found;
	int64		allocated = 64;
	int64		count = 0;
	int64		at;
	int64		from;
	int64		to;
	int			max = MAX_OCCURRENCES + 1;	/* never reached: an error is */
	bool		is_skipped;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	for (int i = 0; i < 5; i++)
		if (PG_ARGISNULL(i))
			return (Datum) 0;
	from = PG_GETARG_TIMESTAMPTZ(3);
	to = PG_GETARG_TIMESTAMPTZ(4);
	if (!PG_ARGISNULL(5) && ((max = PG_GETARG_INT32(5)) < 1 || max > MAX_OCCURRENCES))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max is a number from 1 to %d, not %d", MAX_OCCURRENCES, max)));
	occurrences = palloc(sizeof(Occurrences));
	open_occurrences(occurrences, text_argument(fcinfo, 0), PG_GETARG_TIMESTAMP(1), text_argument(fcinfo, 2), from);
	found = palloc(sizeof(int64) * allocated);
	while (from < to && next_occurrence(occurrences, &at, &is_skipped))
	{
		int64		place = count;

		if (!is_skipped && (at >= to || (count >= max && at >= found[max - 1])))
			break;
		if (at < from || at >= to)
			continue;
		/* In order, each once: skipped times may meet others, or come after them. */
		while (place > 0 && found[place - 1] > at)
			place--;
		if (place > 0 && found[place - 1] == at)
			continue;
		if (count >= MAX_OCCURRENCES)
			ereport(ERROR,
					(errcode(MAKE_SQLSTATE('R', 'M', '0', '8', '4')),
					 errmsg("recurrence rule \"%.200s\" has more than %d occurrences in the time asked for",
							occurrences->rule, MAX_OCCURRENCES),
					 errhint("Ask for a shorter time, or for max of them.")));
		if (count == allocated)
			found = repalloc(found, sizeof(int64) * (allocated *= 2));
		memmove(&found[place + 1], &found[place], sizeof(int64) * (count - place));
		found[place] = at;
		count++;
	}
	close_cursor(&occurrences->cursor);
	for (int64 i = 0; i < Min(count, max); i++)
	{
		Datum		value = TimestampTzGetDatum(found[i]);
		bool		isnull = false;

		tuplestore_putvalues(set->setResult, set->setDesc, &value, &isnull);
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(crm_next_occurrence);

Datum
crm_next_occurrence(PG_FUNCTION_ARGS)
{
	Occurrences *occurrences = palloc(sizeof(Occurrences));
	int64		after = PG_GETARG_TIMESTAMPTZ(3);
	int64		best = PG_INT64_MAX;
	int64		at;
	bool		is_skipped;

	if (TIMESTAMP_IS_NOEND(after))
		PG_RETURN_NULL();
	open_occurrences(occurrences, text_argument(fcinfo, 0), PG_GETARG_TIMESTAMP(1), text_argument(fcinfo, 2), after);
	while (next_occurrence(occurrences, &at, &is_skipped))
	{
		if (at > after && at < best)
			best = at;
		if (!is_skipped && at >= best)
			break;
	}
	close_cursor(&occurrences->cursor);
	if (best == PG_INT64_MAX)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(best);
}

PG_FUNCTION_INFO_V1(crm_check_recurrence);

Datum
crm_check_recurrence(PG_FUNCTION_ARGS)
{
	char	   *text = text_argument(fcinfo, 0);
	CrmRecurrence *rule = palloc(sizeof(CrmRecurrence));
	CrmRecurrenceError error;
	TupleDesc	desc;
	Datum		values[5] = {0};
	bool		nulls[5] = {false, true, true, true, true};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (crm_recurrence_parse(text, strlen(text), rule, &error))
	{
		size_t		length = crm_recurrence_print(rule, NULL, 0);
		char	   *canonical = palloc(length + 1);

		(void) crm_recurrence_print(rule, canonical, length + 1);
		values[0] = BoolGetDatum(true);
		values[4] = CStringGetTextDatum(canonical);
		nulls[4] = false;
	}
	else
	{
		int			length = pg_mbcliplen(text + error.at, (int) error.length, 100);

		values[0] = BoolGetDatum(false);
		values[1] = CStringGetTextDatum(error.code);
		values[2] = CStringGetTextDatum(length > 0 ? psprintf("%s: \"%.*s\"", error.message, length, text + error.at) : error.message);
		nulls[1] = nulls[2] = false;
		if (error.hint != NULL)
		{
			values[3] = CStringGetTextDatum(error.hint);
			nulls[3] = false;
		}
	}
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}
