/*
 * recurrence.c
 *		Occurrences of a recurrence rule; see recurrence.h.
 *
 * A rule goes by periods: every interval-th year, month, week, day, hour,
 * minute or second from the one of its start.  A period has days and, on each
 * of them, hours, minutes and seconds; its occurrences are all combinations, in
 * order, or those that BYSETPOS numbers.  Days of weeks, months and years are
 * found by looking at each of them: a rule says in so many words which it
 * means, and a year has only 366.
 */
#include "time/recurrence.h"

#include <stdlib.h>
#include <string.h>

#include "time/holiday.h"

#define DAY_SECONDS 86400
#define FIRST_YEAR 1900
#define LAST_YEAR 2399

/* Periods looked at in vain before a call gives up for now. */
#define PERIODS_A_CALL 1000

/* Of one period: a year has 366 days and, with whole weeks, some more. */
#define MAX_DAYS 400

struct CrmRecurrenceCursor
{
	CrmRecurrence rule;
	int64_t		start;
	int64_t		from;
	int64_t		last;			/* the end of all times */
	int			counted;

	/*
	 * The next period: of days and less when it begins, of weeks, months and
	 * years its number.
	 */
	int64_t		period;
	int64_t		unit;			/* how long one is; 0 for weeks, months and years */

	/* The period that is being told. */
	int			days[MAX_DAYS];
	int			day_count;
	int			hours[24];
	int			hour_count;
	int			minutes[60];
	int			minute_count;
	int			seconds[60];
	int			second_count;
	int64_t		total;
	int64_t		index;			/* of the combination, or of the position */
	int64_t		positions[366];
	int			position_count;
};

static int64_t
floor_divide(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int
day_of(int64_t seconds)
{
	return (int) floor_divide(seconds, DAY_SECONDS);
}

static bool
lists(const CrmRecurrenceList *list, int value)
{
	for (int i = 0; i < list->count; i++)
		if (list->values[i] == value)
			return true;
	return false;
}

/* ------------------------------------------------------------------
 * Which days a rule means.
 * ------------------------------------------------------------------ */

/* The number of the week that has a day. */
static int64_t
week_of(const CrmRecurrence *rule, int day)
{
	/* 2000-01-03 was a Monday. */
	return floor_divide(day - 2 - (rule->week_start - 1), 7);
}

static int
first_of_week(const CrmRecurrence *rule, int64_t week)
{
	return (int) (week * 7 + 2 + rule->week_start - 1);
}

/* The year to which a week belongs: that of its fourth day. */
static int
year_of_week(const CrmRecurrence *rule, int64_t week)
{
	int			year;
	int			month;
	int			day_of_month;

	crm_date_of_day(first_of_week(rule, week) + 3, &year, &month, &day_of_month);
	return year;
}

/* The first week of a year: the one that has 4 January. */
static int64_t
first_week(const CrmRecurrence *rule, int year)
{
	return week_of(rule, crm_day_of_date(year, 1, 4));
}

static bool
means_week(const CrmRecurrence *rule, int day)
{
	int64_t		week = week_of(rule, day);
	int			year = year_of_week(rule, week);

	return lists(&rule->weeks, (int) (week - first_week(rule, year) + 1)) ||
		lists(&rule->weeks, (int) (week - first_week(rule, year + 1)));
}

/* Whether a day is the nth of its kind among so many, counted from the end when negative. */
static bool
is_nth(int nth, int number, int of)
{
	return nth > 0 ? (number - 1) / 7 + 1 == nth : (of - number) / 7 + 1 == -nth;
}

static bool
means_day(const CrmRecurrence *rule, int day)
{
	int			year;
	int			month;
	int			day_of_month;
	int			month_length;
	int			day_of_year;
	int			year_length;
	int			weekday = crm_weekday(day);
	bool		found = rule->day_count == 0;

	crm_date_of_day(day, &year, &month, &day_of_month);
	month_length = crm_days_in_month(year, month);
	if (rule->months.count > 0 && !lists(&rule->months, month))
		return false;
	if (rule->month_days.count > 0 && !lists(&rule->month_days, day_of_month) &&
		!lists(&rule->month_days, day_of_month - month_length - 1))
		return false;
	day_of_year = day - crm_day_of_date(year, 1, 1) + 1;
	year_length = 337 + crm_days_in_month(year, 2);
	if (rule->year_days.count > 0 && !lists(&rule->year_days, day_of_year) &&
		!lists(&rule->year_days, day_of_year - year_length - 1))
		return false;
	if (rule->weeks.count > 0 && !means_week(rule, day))
		return false;
	/* The nth weekday is of the month where the rule names one, else of the year. */
	for (int i = 0; i < rule->day_count && !found; i++)
	{
		const CrmRecurrenceDay *by = &rule->days[i];

		found = by->weekday == weekday &&
			(by->nth == 0 ||
			 (rule->frequency == CRM_MONTHLY || rule->months.count > 0 ?
			  is_nth(by->nth, day_of_month, month_length) : is_nth(by->nth, day_of_year, year_length)));
	}
	return found;
}

/* ------------------------------------------------------------------
 * Periods of days and less.
 * ------------------------------------------------------------------ */

/* Moves the next period to the first that begins at that time or later. */
static void
skip_to(CrmRecurrenceCursor *cursor, int64_t at)
{
	int64_t		step = cursor->unit * cursor->rule.interval;

	if (at > cursor->period)
		cursor->period += (at - cursor->period + step - 1) / step * step;
}

static CrmRecurrenceStep
next_short_period(CrmRecurrenceCursor *cursor)
{
	const CrmRecurrence *rule = &cursor->rule;

	for (int i = 0; i < PERIODS_A_CALL; i++)
	{
		int64_t		at = cursor->period;
		int			day = day_of(at);
		int			second = (int) (at - (int64_t) day * DAY_SECONDS);

		if (at > cursor->last)
			return CRM_RECURRENCE_END;
		if (!means_day(rule, day))
		{
			skip_to(cursor, (int64_t) (day + 1) * DAY_SECONDS);
			continue;
		}
		if (cursor->unit < DAY_SECONDS && rule->hours.count > 0 && !lists(&rule->hours, second / 3600))
		{
			skip_to(cursor, at - second % 3600 + 3600);
			continue;
		}
		if (cursor->unit < 3600 && rule->minutes.count > 0 && !lists(&rule->minutes, second / 60 % 60))
		{
			skip_to(cursor, at - second % 60 + 60);
			continue;
		}
		if (cursor->unit < 60 && rule->seconds.count > 0 && !lists(&rule->seconds, second % 60))
		{
			skip_to(cursor, at + 1);
			continue;
		}
		cursor->days[0] = day;
		cursor->day_count = 1;
		if (cursor->unit < DAY_SECONDS)
			cursor->hours[0] = second / 3600;
		if (cursor->unit < 3600)
			cursor->minutes[0] = second / 60 % 60;
		if (cursor->unit < 60)
			cursor->seconds[0] = second % 60;
		skip_to(cursor, at + 1);
		return CRM_RECURRENCE_FOUND;
	}
	return CRM_RECURRENCE_BUSY;
}

/* ------------------------------------------------------------------
 * Periods of weeks, months and years.
 * ------------------------------------------------------------------ */

/* The number of the period that has a day. */
static int64_t
period_of(const CrmRecurrence *rule, int day)
{
	int			year;
	int			month;
	int			day_of_month;

	if (rule->frequency == CRM_WEEKLY)
		return week_of(rule, day);
	if (rule->weeks.count > 0)
		return year_of_week(rule, week_of(rule, day));
	crm_date_of_day(day, &year, &month, &day_of_month);
	return rule->frequency == CRM_MONTHLY ? year * 12 + month - 1 : year;
}

static int
first_of_period(const CrmRecurrence *rule, int64_t period)
{
	if (rule->frequency == CRM_WEEKLY)
		return first_of_week(rule, period);
	if (rule->frequency == CRM_MONTHLY)
		return crm_day_of_date((int) (period / 12), (int) (period % 12) + 1, 1);
	if (rule->weeks.count > 0)
		return first_of_week(rule, first_week(rule, (int) period));
	return crm_day_of_date((int) period, 1, 1);
}

static CrmRecurrenceStep
next_long_period(CrmRecurrenceCursor *cursor)
{
	const CrmRecurrence *rule = &cursor->rule;

	for (int i = 0; i < PERIODS_A_CALL; i++)
	{
		int			day = first_of_period(rule, cursor->period);
		int			end = first_of_period(rule, cursor->period + 1);

		if ((int64_t) day * DAY_SECONDS > cursor->last)
			return CRM_RECURRENCE_END;
		cursor->period += rule->interval;
		cursor->day_count = 0;
		for (; day < end; day++)
			if (means_day(rule, day))
				cursor->days[cursor->day_count++] = day;
		if (cursor->day_count > 0)
			return CRM_RECURRENCE_FOUND;
	}
	return CRM_RECURRENCE_BUSY;
}

/* What a rule by weeks, months or years takes from its start. */
static void
fill_days(CrmRecurrence *rule, int start_day)
{
	int			year;
	int			month;
	int			day_of_month;
	bool		by_day = rule->month_days.count > 0 || rule->year_days.count > 0 || rule->day_count > 0;

	if (by_day)
		return;
	crm_date_of_day(start_day, &year, &month, &day_of_month);
	if (rule->frequency == CRM_WEEKLY || rule->weeks.count > 0)
	{
		rule->day_count = 1;
		rule->days[0].nth = 0;
		rule->days[0].weekday = crm_weekday(start_day);
		return;
	}
	rule->month_days.count = 1;
	rule->month_days.values[0] = day_of_month;
	if (rule->frequency == CRM_YEARLY && rule->months.count == 0)
	{
		rule->months.count = 1;
		rule->months.values[0] = month;
	}
}

/* ------------------------------------------------------------------
 * The occurrences of a period.
 * ------------------------------------------------------------------ */

static int64_t
combination(const CrmRecurrenceCursor *cursor, int64_t index)
{
	int			second = cursor->seconds[index % cursor->second_count];
	int			minute = cursor->minutes[(index /= cursor->second_count) % cursor->minute_count];
	int			hour = cursor->hours[(index /= cursor->minute_count) % cursor->hour_count];

	return (int64_t) cursor->days[index / cursor->hour_count] * DAY_SECONDS + hour * 3600 + minute * 60 + second;
}

static int
compare_positions(const void *a, const void *b)
{
	int64_t		x = *(const int64_t *) a;
	int64_t		y = *(const int64_t *) b;

	return (x > y) - (x < y);
}

static CrmRecurrenceStep
next_period(CrmRecurrenceCursor *cursor)
{
	CrmRecurrenceStep step = cursor->unit > 0 ? next_short_period(cursor) : next_long_period(cursor);
	const CrmRecurrenceList *positions = &cursor->rule.positions;

	cursor->index = 0;
	cursor->total = 0;
	if (step != CRM_RECURRENCE_FOUND)
		return step;
	cursor->total = (int64_t) cursor->day_count * cursor->hour_count * cursor->minute_count * cursor->second_count;
	if (positions->count > 0)
	{
		int			kept = 0;

		cursor->position_count = 0;
		for (int i = 0; i < positions->count; i++)
		{
			int64_t		position = positions->values[i] > 0 ? positions->values[i] - 1 : cursor->total + positions->values[i];

			if (position >= 0 && position < cursor->total)
				cursor->positions[cursor->position_count++] = position;
		}
		qsort(cursor->positions, cursor->position_count, sizeof(int64_t), compare_positions);
		for (int i = 0; i < cursor->position_count; i++)
			if (i == 0 || cursor->positions[i] != cursor->positions[kept - 1])
				cursor->positions[kept++] = cursor->positions[i];
		cursor->total = kept;
	}
	return CRM_RECURRENCE_FOUND;
}

static bool
is_excepted(const CrmRecurrence *rule, int64_t at)
{
	for (int i = 0; i < rule->except_count; i++)
		if (rule->except[i].seconds == at || (rule->except[i].is_day && day_of(rule->except[i].seconds) == day_of(at)))
			return true;
	return false;
}

CrmRecurrenceStep
crm_recurrence_next(CrmRecurrenceCursor *cursor, int64_t *at)
{
	const CrmRecurrence *rule = &cursor->rule;

	for (int i = 0; i < PERIODS_A_CALL; i++)
	{
		if (rule->count > 0 && cursor->counted >= rule->count)
			return CRM_RECURRENCE_END;
		if (cursor->index >= cursor->total)
		{
			CrmRecurrenceStep step = next_period(cursor);

			if (step != CRM_RECURRENCE_FOUND)
				return step;
			continue;
		}
		*at = combination(cursor, rule->positions.count > 0 ? cursor->positions[cursor->index] : cursor->index);
		cursor->index++;
		if (*at < cursor->start)
			continue;
		if (*at > cursor->last)
			return CRM_RECURRENCE_END;
		cursor->counted++;
		if (*at >= cursor->from && !is_excepted(rule, *at))
			return CRM_RECURRENCE_FOUND;
	}
	return CRM_RECURRENCE_BUSY;
}

/* The values of a list, or the one of the start. */
static int
fill_clock(int *values, const CrmRecurrenceList *list, int of_start)
{
	if (list->count == 0)
	{
		values[0] = of_start;
		return 1;
	}
	for (int i = 0; i < list->count; i++)
		values[i] = list->values[i];
	return list->count;
}

CrmRecurrenceCursor *
crm_recurrence_open(const CrmRecurrence *rule, int64_t start, int64_t from)
{
	static const int64_t units[] = {0, 0, 0, DAY_SECONDS, 3600, 60, 1};
	int64_t		end = (int64_t) crm_day_of_date(LAST_YEAR + 1, 1, 1) * DAY_SECONDS;
	CrmRecurrenceCursor *cursor;
	int			second;

	if (start < (int64_t) crm_day_of_date(FIRST_YEAR, 1, 1) * DAY_SECONDS || start >= end)
		return NULL;
	cursor = calloc(1, sizeof(CrmRecurrenceCursor));
	if (cursor == NULL)
		return NULL;
	cursor->rule = *rule;
	cursor->start = start;
	cursor->from = from;
	cursor->last = end - 1;
	if (rule->has_until)
	{
		int64_t		until = rule->until.seconds + (rule->until.is_day ? DAY_SECONDS - 1 : 0);

		if (until < cursor->last)
			cursor->last = until;
	}
	cursor->unit = units[rule->frequency];
	second = (int) (start - (int64_t) day_of(start) * DAY_SECONDS);
	/* Of what is shorter than the period; the rest is set by the period. */
	cursor->hour_count = cursor->unit == 0 || cursor->unit == DAY_SECONDS ?
		fill_clock(cursor->hours, &rule->hours, second / 3600) : 1;
	cursor->minute_count = cursor->unit == 0 || cursor->unit >= 3600 ?
		fill_clock(cursor->minutes, &rule->minutes, second / 60 % 60) : 1;
	cursor->second_count = cursor->unit != 1 ? fill_clock(cursor->seconds, &rule->seconds, second % 60) : 1;
	/* Without COUNT nothing before from has to be looked at. */
	if (cursor->unit > 0)
	{
		cursor->period = floor_divide(start, cursor->unit) * cursor->unit;
		if (rule->count == 0)
			skip_to(cursor, floor_divide(from, cursor->unit) * cursor->unit);
	}
	else
	{
		fill_days(&cursor->rule, day_of(start));
		cursor->period = period_of(rule, day_of(start));
		if (from >= end)
			from = end - 1;
		if (rule->count == 0 && from > start)
			cursor->period += (period_of(rule, day_of(from)) - cursor->period) / rule->interval * rule->interval;
	}
	return cursor;
}

void
crm_recurrence_close(CrmRecurrenceCursor *cursor)
{
	free(cursor);
}
