/*
 * business_calendar.c
 *		Working time as arithmetic; see business_calendar.h.
 *
 * Let W(t) be the working time before an instant t.  What lies between two
 * instants is the difference of their W; adding is finding the first or last
 * instant of a given W, by halving within a year.
 */
#include "postgres.h"

#include "common/int.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "time/business_calendar.h"
#include "time/zone.h"

#define FIRST_DAY crm_day_of_date(CRM_CALENDAR_FIRST_YEAR, 1, 1)
#define END_DAY crm_day_of_date(CRM_CALENDAR_LAST_YEAR + 1, 1, 1)

/*
 * Offsets of zones stay under a day, so an instant two days earlier has no
 * later time on its wall, even where a zone skipped a day.
 */
#define BEYOND_DOUBT (2 * USECS_PER_DAY)

/* Makes the span the one around an instant, from well before it if it lasted so long. */
static void
find_span(CrmBusinessCalendar *calendar, int64 at)
{
	int64		from = at - 2 * BEYOND_DOUBT;

	for (;;)
	{
		int64		before;
		int64		after;
		int64		until = crm_zone_next_change(calendar->zone, from, &before, &after);

		if (until > at)
		{
			calendar->span_from = from;
			calendar->span_until = until;
			calendar->span_offset = before;
			return;
		}
		from = until;
	}
}

static int64
offset_at(CrmBusinessCalendar *calendar, int64 at)
{
	if (at < calendar->span_from || at >= calendar->span_until)
		find_span(calendar, at);
	return calendar->span_offset;
}

/* The first instant at which the clocks show that time or a later one. */
static int64
instant_of(CrmBusinessCalendar *calendar, int64 local)
{
	int64		at = local - calendar->span_offset;
	int64		skipped;

	if (at >= calendar->span_from + BEYOND_DOUBT && at < calendar->span_until)
		return at;
	at = crm_zone_instant(calendar->zone, local, &skipped);
	find_span(calendar, at);
	return at;
}

static int64
midnight(CrmBusinessCalendar *calendar, int day)
{
	return instant_of(calendar, day * USECS_PER_DAY);
}

bool
crm_business_covers(int64 at)
{
	/* A day at each end is left for the zone and for nights. */
	return at >= (FIRST_DAY + 2) * USECS_PER_DAY && at < (END_DAY - 2) * USECS_PER_DAY;
}

bool
crm_business_covers_day(int day)
{
	return day >= FIRST_DAY && day < END_DAY;
}

int
crm_business_day(CrmBusinessCalendar *calendar, int64 at)
{
	int64		local = at + offset_at(calendar, at);
	int			day = (int) (local / USECS_PER_DAY) - (local % USECS_PER_DAY < 0);

	/* Set back across midnight, the wall shows the day before once more. */
	while (midnight(calendar, day + 1) <= at)
		day++;
	return day;
}

static int
year_of_day(int day)
{
	int			year;
	int			month;
	int			day_of_month;

	crm_date_of_day(day, &year, &month, &day_of_month);
	return year;
}

/* Which intervals each day of a year has: by exception, holiday or weekday. */
static CrmCalendarYear *
find_work(CrmBusinessCalendar *calendar, int year)
{
	CrmCalendarYear *y = calendar->years[year - CRM_CALENDAR_FIRST_YEAR];
	int			first = crm_day_of_date(year, 1, 1);
	int			days = crm_day_of_date(year + 1, 1, 1) - first;
	int			low = 0;
	int			high = calendar->exception_count;

	if (y != NULL)
		return y;
	y = MemoryContextAllocZero(calendar->context, sizeof(CrmCalendarYear));
	for (int i = 0; i < days; i++)
		y->work[i] = &calendar->week[crm_weekday(first + i) - 1];
	for (int h = 0; h < calendar->holiday_count; h++)
	{
		/* Its shift may bring it here from a year beside this one. */
		for (int of = year - 1; of <= year + 1; of++)
		{
			int			day;

			if (crm_holiday_day(&calendar->holidays[h].rule, of, &day) && day >= first && day < first + days)
				y->work[day - first] = &calendar->holidays[h].work;
		}
	}
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (calendar->exceptions[middle].day < first)
			low = middle + 1;
		else
			high = middle;
	}
	for (int e = low; e < calendar->exception_count && calendar->exceptions[e].day < first + days; e++)
		y->work[calendar->exceptions[e].day - first] = &calendar->exceptions[e];
	calendar->years[year - CRM_CALENDAR_FIRST_YEAR] = y;
	return y;
}

const CrmWorkDay *
crm_work_day(CrmBusinessCalendar *calendar, int day)
{
	static const CrmWorkDay nothing = {0};
	int			year;

	if (!crm_business_covers_day(day))
		return &nothing;
	year = year_of_day(day);
	return find_work(calendar, year)->work[day - crm_day_of_date(year, 1, 1)];
}

int
crm_work_intervals(CrmBusinessCalendar *calendar, int day, CrmWorkInterval *intervals)
{
	const CrmWorkDay *work = crm_work_day(calendar, day);
	const CrmWorkDay *eve;
	int64		free_from = PG_INT64_MIN;
	int			count = 0;

	if (work->count == 0)
		return 0;
	/* What the night before takes is not counted again. */
	eve = crm_work_day(calendar, day - 1);
	if (eve->into_next_day)
	{
		for (int i = 0; i < eve->count; i++)
			free_from = Max(free_from, instant_of(calendar, (day - 1) * USECS_PER_DAY + eve->intervals[i].ends));
	}
	for (int i = 0; i < work->count; i++)
	{
		int64		starts = instant_of(calendar, day * USECS_PER_DAY + work->intervals[i].starts);
		int64		ends = instant_of(calendar, day * USECS_PER_DAY + work->intervals[i].ends);

		starts = Max(starts, free_from);
		if (ends <= starts)
			continue;
		intervals[count].starts = starts;
		intervals[count++].ends = ends;
		free_from = ends;
	}
	return count;
}

void
crm_business_prepare(CrmBusinessCalendar *calendar)
{
	calendar->works = false;
	for (int i = 0; i < 7 + calendar->exception_count; i++)
	{
		CrmWorkDay *work = i < 7 ? &calendar->week[i] : &calendar->exceptions[i - 7];

		if (work->count > CRM_CALENDAR_MAX_INTERVALS)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("calendar \"%s\" has a day of more than %d intervals", calendar->name, CRM_CALENDAR_MAX_INTERVALS)));
		if (work->count > 0)
			calendar->works = true;
		for (int j = 0; j < work->count; j++)
			work->into_next_day |= work->intervals[j].ends > USECS_PER_DAY;
	}
	memset(calendar->years, 0, sizeof(calendar->years));
	calendar->low = 1;
	calendar->high = 0;
	calendar->span_from = 0;
	calendar->span_until = 0;
	calendar->span_offset = 0;
}

/* A year with its sums; all between it and those that are there get theirs. */
static CrmCalendarYear *
find_year(CrmBusinessCalendar *calendar, int year)
{
	while (calendar->high < calendar->low || year < calendar->low || year > calendar->high)
	{
		bool		is_first = calendar->high < calendar->low;
		bool		is_later = is_first || year > calendar->high;
		int			number = is_first ? year : is_later ? calendar->high + 1 : calendar->low - 1;
		CrmCalendarYear *y = find_work(calendar, number);
		int			first = crm_day_of_date(number, 1, 1);
		int			days = crm_day_of_date(number + 1, 1, 1) - first;

		CHECK_FOR_INTERRUPTS();
		y->working_days = 0;
		for (int i = 0; i < days; i++)
		{
			CrmWorkInterval intervals[CRM_CALENDAR_MAX_INTERVALS];
			int			count = crm_work_intervals(calendar, first + i, intervals);

			y->sum[i + 1] = y->sum[i];
			for (int j = 0; j < count; j++)
				y->sum[i + 1] += intervals[j].ends - intervals[j].starts;
			if (count > 0)
				y->working_days++;
		}
		if (days < 366)
			y->sum[366] = y->sum[365];
		if (is_first)
		{
			y->before = 0;
			calendar->low = calendar->high = number;
		}
		else if (is_later)
		{
			CrmCalendarYear *last = calendar->years[calendar->high - CRM_CALENDAR_FIRST_YEAR];

			y->before = last->before + last->sum[366];
			calendar->high = number;
		}
		else
		{
			y->before = calendar->years[calendar->low - CRM_CALENDAR_FIRST_YEAR]->before - y->sum[366];
			calendar->low = number;
		}
	}
	return calendar->years[year - CRM_CALENDAR_FIRST_YEAR];
}

/* W at the beginning of what belongs to a day. */
static int64
worked_before_day(CrmBusinessCalendar *calendar, int day)
{
	int			year = year_of_day(day);
	CrmCalendarYear *y = find_year(calendar, year);

	return y->before + y->sum[day - crm_day_of_date(year, 1, 1)];
}

/* W(at). */
static int64
worked_before(CrmBusinessCalendar *calendar, int64 at)
{
	int			day = crm_business_day(calendar, at);
	int			from = day - crm_work_day(calendar, day - 1)->into_next_day;
	int64		worked = worked_before_day(calendar, from);

	for (int d = from; d <= day; d++)
	{
		CrmWorkInterval intervals[CRM_CALENDAR_MAX_INTERVALS];
		int			count = crm_work_intervals(calendar, d, intervals);

		for (int i = 0; i < count && intervals[i].starts < at; i++)
			worked += Min(at, intervals[i].ends) - intervals[i].starts;
	}
	return worked;
}

int64
crm_business_between(CrmBusinessCalendar *calendar, int64 from, int64 to)
{
	return worked_before(calendar, to) - worked_before(calendar, from);
}

/* The first day of a year at whose end more than that, or so much, was worked. */
static int
search_year(const CrmCalendarYear *y, int64 worked, bool or_equal)
{
	int			low = 0;
	int			high = 365;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (or_equal ? y->sum[middle + 1] >= worked : y->sum[middle + 1] > worked)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

bool
crm_business_add(CrmBusinessCalendar *calendar, int64 from, int64 amount, int64 *at)
{
	CrmWorkInterval intervals[CRM_CALENDAR_MAX_INTERVALS];
	CrmCalendarYear *y;
	int64		target;
	int			day;
	int			year;
	int			count;

	if (amount == 0)
	{
		*at = from;
		return true;
	}
	if (pg_add_s64_overflow(worked_before(calendar, from), amount, &target))
		return false;
	day = crm_business_day(calendar, from);
	/* A night may belong to the day before. */
	year = year_of_day(amount > 0 ? day - 1 : day);
	y = find_year(calendar, year);
	while (amount > 0 ? y->before + y->sum[366] < target : y->before > target)
	{
		year += amount > 0 ? 1 : -1;
		if (year < CRM_CALENDAR_FIRST_YEAR || year > CRM_CALENDAR_LAST_YEAR)
			return false;
		y = find_year(calendar, year);
	}
	target -= y->before;
	day = search_year(y, target, amount > 0);
	target -= y->sum[day];
	count = crm_work_intervals(calendar, crm_day_of_date(year, 1, 1) + day, intervals);
	for (int i = 0; i < count; i++)
	{
		int64		length = intervals[i].ends - intervals[i].starts;

		if (amount > 0 ? target <= length : target < length)
		{
			*at = intervals[i].starts + target;
			return crm_business_covers(*at);
		}
		target -= length;
	}
	return false;
}

bool
crm_is_business_time(CrmBusinessCalendar *calendar, int64 at)
{
	int			day = crm_business_day(calendar, at);

	for (int d = day - crm_work_day(calendar, day - 1)->into_next_day; d <= day; d++)
	{
		CrmWorkInterval intervals[CRM_CALENDAR_MAX_INTERVALS];
		int			count = crm_work_intervals(calendar, d, intervals);

		for (int i = 0; i < count; i++)
			if (intervals[i].starts <= at && at < intervals[i].ends)
				return true;
	}
	return false;
}

static bool
is_working_day(CrmBusinessCalendar *calendar, int day)
{
	int			year = year_of_day(day);
	CrmCalendarYear *y = find_year(calendar, year);
	int			number = day - crm_day_of_date(year, 1, 1);

	return y->sum[number + 1] > y->sum[number];
}

int
crm_business_days(CrmBusinessCalendar *calendar, int from, int to)
{
	bool		is_reversed = to < from;
	int			first = is_reversed ? to : from + 1;	/* the days counted */
	int			last = is_reversed ? from - 1 : to;
	int			count = 0;

	while (first <= last)
	{
		int			year = year_of_day(first);
		int			next = crm_day_of_date(year + 1, 1, 1);

		if (first == crm_day_of_date(year, 1, 1) && next <= last)
		{
			count += find_year(calendar, year)->working_days;
			first = next;
			continue;
		}
		count += is_working_day(calendar, first++);
	}
	return is_reversed ? -count : count;
}

bool
crm_add_business_days(CrmBusinessCalendar *calendar, int from, int days, int *day)
{
	int			step = days < 0 ? -1 : 1;

	*day = from;
	while (days != 0)
	{
		*day += step;
		if (!crm_business_covers_day(*day))
			return false;
		days -= step * is_working_day(calendar, *day);
	}
	return true;
}

int64
crm_clock_change(CrmBusinessCalendar *calendar, int64 from, int64 to)
{
	int64		before = offset_at(calendar, from);

	return offset_at(calendar, to) - before;
}
