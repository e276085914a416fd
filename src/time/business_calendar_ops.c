/*
 * business_calendar_ops.c
 *		The functions over business calendars.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "crm.h"
#include "time/calendar_cache.h"

static CrmBusinessCalendar *
calendar_argument(FunctionCallInfo fcinfo, int number)
{
	text	   *name = PG_GETARG_TEXT_PP(number);

	return crm_calendar_find(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
}

static void
report_uncovered(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("business calendars cover the years from %d to %d", CRM_CALENDAR_FIRST_YEAR, CRM_CALENDAR_LAST_YEAR),
			 errhint("Give a moment within them; infinity is none.")));
}

static int64
instant_argument(FunctionCallInfo fcinfo, int number)
{
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(number);

	if (TIMESTAMP_NOT_FINITE(at) || !crm_business_covers(at))
		report_uncovered();
	return at;
}

static int
day_argument(FunctionCallInfo fcinfo, int number)
{
	DateADT		day = PG_GETARG_DATEADT(number);

	if (DATE_NOT_FINITE(day) || !crm_business_covers_day(day))
		report_uncovered();
	return day;
}

/* Business days differ in length, so an amount is of hours and less. */
static int64
amount_argument(FunctionCallInfo fcinfo, int number)
{
	Interval   *amount = PG_GETARG_INTERVAL_P(number);

	if (amount->month != 0 || amount->day != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("an amount of business time has hours, minutes and seconds, but no %s",
						amount->month != 0 ? "months" : "days"),
				 errdetail("The amount is %s.",
						   DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(amount)))),
				 errhint("For days use crm.add_business_days(); for so many hours write them, such as interval '16 hours'.")));
	return amount->time;
}

static Datum
interval_result(int64 time)
{
	Interval   *result = palloc0(sizeof(Interval));

	result->time = time;
	PG_RETURN_INTERVAL_P(result);
}

static void
report_end(const CrmBusinessCalendar *calendar, bool is_forward)
{
	ereport(ERROR,
			(errcode(MAKE_SQLSTATE('R', 'M', '0', '8', '1')),
			 calendar->works ?
			 errmsg("calendar \"%s\" has not so much working time %s the year %d", calendar->name,
					is_forward ? "until" : "since", is_forward ? CRM_CALENDAR_LAST_YEAR : CRM_CALENDAR_FIRST_YEAR) :
			 errmsg("calendar \"%s\" has no working time", calendar->name),
			 errhint("Its hours are rows of crm.business_hours, other days of crm.business_exception.")));
}

PG_FUNCTION_INFO_V1(crm_business_add_text);

Datum
crm_business_add_text(PG_FUNCTION_ARGS)
{
	CrmBusinessCalendar *calendar = calendar_argument(fcinfo, 0);
	int64		from = instant_argument(fcinfo, 1);
	int64		amount = amount_argument(fcinfo, 2);
	int64		at = 0;

	if (!calendar->works || !crm_business_add(calendar, from, amount, &at))
		report_end(calendar, amount >= 0);
	PG_RETURN_TIMESTAMPTZ(at);
}

PG_FUNCTION_INFO_V1(crm_business_between_text);

Datum
crm_business_between_text(PG_FUNCTION_ARGS)
{
	CrmBusinessCalendar *calendar = calendar_argument(fcinfo, 0);

	return interval_result(crm_business_between(calendar, instant_argument(fcinfo, 1), instant_argument(fcinfo, 2)));
}

PG_FUNCTION_INFO_V1(crm_is_business_time_text);

Datum
crm_is_business_time_text(PG_FUNCTION_ARGS)
{
	CrmBusinessCalendar *calendar = calendar_argument(fcinfo, 0);

	PG_RETURN_BOOL(crm_is_business_time(calendar, instant_argument(fcinfo, 1)));
}

PG_FUNCTION_INFO_V1(crm_next_business_time);

Datum
crm_next_business_time(PG_FUNCTION_ARGS)
{
	CrmBusinessCalendar *calendar = calendar_argument(fcinfo, 0);
	int64		from = instant_argument(fcinfo, 1);
	int64		at = 0;

	if (crm_is_business_time(calendar, from))
		PG_RETURN_TIMESTAMPTZ(from);
	/* A microsecond of work ends a microsecond after it begins. */
	if (!crm_business_add(calendar, from, 1, &at))
		report_end(calendar, true);
	PG_RETURN_TIMESTAMPTZ(at - 1);
}

PG_FUNCTION_INFO_V1(crm_business_days_between);

Datum
crm_business_days_between(PG_FUNCTION_ARGS)
{
	CrmBusinessCalendar *calendar = calendar_argument(fcinfo, 0);

	PG_RETURN_INT32(crm_business_days(calendar, day_argument(fcinfo, 1), day_argument(fcinfo, 2)));
}

PG_FUNCTION_INFO_V1(crm_add_business_days_text);

Datum
crm_add_business_days_text(PG_FUNCTION_ARGS)
{
	CrmBusinessCalendar *calendar = calendar_argument(fcinfo, 0);
	int			from = day_argument(fcinfo, 1);
	int			days = PG_GETARG_INT32(2);
	int			day = 0;

	if (!crm_add_business_days(calendar, from, days, &day))
		report_end(calendar, days >= 0);
	PG_RETURN_DATEADT(day);
}

/*
 * Rows of work: day, starts, ends, so much of it counted, the sum so far, and
 * what there is to say about it.
 */
typedef struct WorkRows
{
	ReturnSetInfo *set;
	CrmBusinessCalendar *calendar;
	int64		sum;
} WorkRows;

static void
put_row(WorkRows *rows, int day, const CrmWorkInterval *interval, int64 counted, const char *note)
{
	Datum		values[6];
	bool		nulls[6] = {false};

	rows->sum += counted;
	values[0] = DateADTGetDatum(day);
	nulls[1] = nulls[2] = interval == NULL;
	values[1] = TimestampTzGetDatum(interval == NULL ? 0 : interval->starts);
	values[2] = TimestampTzGetDatum(interval == NULL ? 0 : interval->ends);
	values[3] = interval_result(counted);
	values[4] = interval_result(rows->sum);
	nulls[5] = note == NULL;
	values[5] = note == NULL ? (Datum) 0 : CStringGetTextDatum(note);
	tuplestore_putvalues(rows->set->setResult, rows->set->setDesc, values, nulls);
}

/* What is to be said of an interval: the name of its day, and clocks that are set in it. */
static const char *
interval_note(CrmBusinessCalendar *calendar, int day, const CrmWorkInterval *interval)
{
	const char *name = crm_work_day(calendar, day)->name;
	int64		change = crm_clock_change(calendar, interval->starts, interval->ends);
	int			minutes = (int) ((change < 0 ? -change : change) / USECS_PER_MINUTE);
	const char *clocks;

	if (change == 0)
		return name;
	clocks = psprintf("clocks are set %s by %02d:%02d", change > 0 ? "forward" : "back", minutes / 60, minutes % 60);
	return name == NULL ? clocks : psprintf("%s; %s", name, clocks);
}

static const char *
idle_note(CrmBusinessCalendar *calendar, int day)
{
	static const char *const weekdays[] = {
		"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"
	};
	const CrmWorkDay *work = crm_work_day(calendar, day);

	if (work->count > 0)
		return "clocks skip its hours";
	return work->name != NULL ? work->name : psprintf("no work on %s", weekdays[crm_weekday(day) - 1]);
}

/* The intervals and idle days of those between two, in order; each whole. */
PG_FUNCTION_INFO_V1(crm_business_schedule);

Datum
crm_business_schedule(PG_FUNCTION_ARGS)
{
	WorkRows	rows = {(ReturnSetInfo *) fcinfo->resultinfo};
	int			from = day_argument(fcinfo, 1);
	int			to = day_argument(fcinfo, 2);

	InitMaterializedSRF(fcinfo, 0);
	rows.calendar = calendar_argument(fcinfo, 0);
	for (int day = from; day <= to; day++)
	{
		CrmWorkInterval intervals[CRM_CALENDAR_MAX_INTERVALS];
		int			count = crm_work_intervals(rows.calendar, day, intervals);

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < count; i++)
			put_row(&rows, day, &intervals[i], intervals[i].ends - intervals[i].starts,
					interval_note(rows.calendar, day, &intervals[i]));
		if (count == 0)
			put_row(&rows, day, NULL, 0, idle_note(rows.calendar, day));
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(crm_explain_deadline);

Datum
crm_explain_deadline(PG_FUNCTION_ARGS)
{
	WorkRows	rows = {(ReturnSetInfo *) fcinfo->resultinfo};
	int64		from = instant_argument(fcinfo, 1);
	int64		amount = amount_argument(fcinfo, 2);
	int			step = amount < 0 ? -1 : 1;
	CrmWorkInterval whole;
	int64		at = 0;
	int			first;
	int			day;

	InitMaterializedSRF(fcinfo, 0);
	rows.calendar = calendar_argument(fcinfo, 0);
	if (!rows.calendar->works || !crm_business_add(rows.calendar, from, amount, &at))
		report_end(rows.calendar, amount >= 0);
	whole.starts = Min(from, at);
	whole.ends = Max(from, at);
	first = day = crm_business_day(rows.calendar, from);
	if (amount == 0)
		put_row(&rows, day, &whole, 0, "nothing to count");
	/* A night that began the day before may go on. */
	if (amount > 0)
		day--;
	for (; rows.sum != amount; day += step)
	{
		CrmWorkInterval intervals[CRM_CALENDAR_MAX_INTERVALS];
		int			count = crm_work_intervals(rows.calendar, day, intervals);

		CHECK_FOR_INTERRUPTS();
		if (!crm_business_covers_day(day))
			elog(ERROR, "the working time of calendar \"%s\" does not add up", rows.calendar->name);
		for (int i = 0; i < count; i++)
		{
			CrmWorkInterval part = intervals[step > 0 ? i : count - 1 - i];

			part.starts = Max(part.starts, whole.starts);
			part.ends = Min(part.ends, whole.ends);
			if (part.starts >= part.ends)
				continue;
			put_row(&rows, day, &part, step * (part.ends - part.starts), interval_note(rows.calendar, day, &part));
		}
		if (count == 0 && (day - first) * step >= 0)
			put_row(&rows, day, NULL, 0, idle_note(rows.calendar, day));
	}
	return (Datum) 0;
}
