/*
 * flip.c
 *		When does a condition on the clock change?
 *
 * "last_order_at < now() - interval '90 days'" is false for a long time and
 * then true for ever: the moment between is found by doubling a step until the
 * condition has changed, and halving the span within which it did.
 *
 * That needs a function of the clock that never runs backwards, and calendar
 * arithmetic does: a month before the 29th, 30th and 31st of March is the 28th
 * of February each time, and a day before an hour that the clocks passed twice
 * is the same hour twice.  It runs backwards by three days at most for each
 * span with months, and by a day at most otherwise.  So
 *
 *	- a change that was found is the last of a few within these days before it:
 *	  those days are searched from their beginning;
 *	- the days after as_of are searched, too, as the condition may be at its
 *	  final value and leave it again.
 *
 * Days are searched piece by piece.  Within a piece the clock and what is
 * computed from it run evenly, so that the condition changes once at most, and
 * looking at the ends and halving finds it.  Pieces are the days of the time
 * zone where a span has months; quarters of an hour where several spans are
 * added or the time zone is shifted, at the clock's end or at the other, as
 * shifts happen on them.  Where nothing of it is the case there is nothing to
 * search.
 */
#include "postgres.h"

#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "crm.h"
#include "rule/flip.h"

#define QUARTER (INT64CONST(15) * 60 * USECS_PER_SEC)

/* Nothing is searched beyond. */
#define HORIZON (INT64CONST(10000) * 366 * USECS_PER_DAY)

typedef enum Shifts
{
	NO_SHIFT,
	EVEN_SHIFT,					/* by quarters of an hour, at one */
	ODD_SHIFT
} Shifts;

/* Whether the session's time zone is shifted between the two moments. */
static Shifts
shifts_between(TimestampTz from, TimestampTz to)
{
	pg_time_t	at;
	pg_time_t	end;
	Shifts		found = NO_SHIFT;

	if (TIMESTAMP_NOT_FINITE(from) || TIMESTAMP_NOT_FINITE(to))
		return NO_SHIFT;
	at = timestamptz_to_time_t(from);
	end = timestamptz_to_time_t(to);
	for (int i = 0; i < 100; i++)
	{
		long int	before;
		long int	after;
		int			dst_before;
		int			dst_after;
		pg_time_t	boundary;

		if (pg_next_dst_boundary(&at, &before, &dst_before, &boundary, &after, &dst_after, session_timezone) <= 0)
		{
			/* The offset itself may be odd: then so are midnights. */
			return found == NO_SHIFT && before % 900 != 0 ? ODD_SHIFT : found;
		}
		if (before % 900 != 0)
			return ODD_SHIFT;
		if (boundary > end)
			return found;
		if (after % 900 != 0 || boundary % 900 != 0)
			return ODD_SHIFT;
		found = EVEN_SHIFT;
		at = boundary;
	}
	return ODD_SHIFT;
}

/* The same, at the clock and at every place that is computed from it. */
static Shifts
shifts_near(CrmFlip *flip, TimestampTz from, TimestampTz to)
{
	Shifts		found = shifts_between(from - 2 * USECS_PER_DAY, to + 2 * USECS_PER_DAY);

	/* Days of one span may begin within those of another. */
	if (flip->several && flip->month_spans > 0)
		found = Max(found, EVEN_SHIFT);

	for (int i = 0; i < flip->places; i++)
	{
		TimestampTz first;
		TimestampTz last;
		Shifts		there;

		if (!flip->place(flip->context, i, from, &first) || !flip->place(flip->context, i, to, &last))
			continue;
		there = shifts_between(Min(first, last) - 5 * USECS_PER_DAY, Max(first, last) + 5 * USECS_PER_DAY);
		found = Max(found, there);
	}
	return found;
}

/* The beginning of the day after the moment, by the session's time zone. */
static TimestampTz
next_midnight(TimestampTz at)
{
	pg_time_t	seconds = timestamptz_to_time_t(at);
	struct pg_tm *local = pg_localtime(&seconds, session_timezone);
	int64		into_day = local == NULL ? 0 : (local->tm_hour * 3600 + local->tm_min * 60 + local->tm_sec) * USECS_PER_SEC;
	int64		fraction = at % USECS_PER_SEC;

	if (fraction < 0)
		fraction += USECS_PER_SEC;
	return at - fraction - into_day + USECS_PER_DAY;
}

static int64
to_next_quarter(TimestampTz at)
{
	int64		fraction = at % QUARTER;

	if (fraction < 0)
		fraction += QUARTER;
	return QUARTER - fraction;
}

/* Where the clock, or what is computed from it, comes to a quarter of an hour. */
static TimestampTz
next_quarter(CrmFlip *flip, TimestampTz at)
{
	int64		least = to_next_quarter(at);

	for (int i = 0; i < flip->places; i++)
	{
		TimestampTz place;

		if (flip->place(flip->context, i, at, &place))
			least = Min(least, to_next_quarter(place));
	}
	return at + least;
}

/* The first moment in (from, to] that is not like from; it is once so. */
static TimestampTz
halve(CrmFlip *flip, int like, TimestampTz from, TimestampTz to)
{
	while (to - from > 1)
	{
		TimestampTz middle = from + (to - from) / 2;

		if (flip->holds(flip->context, middle) == like)
			from = middle;
		else
			to = middle;
	}
	return to;
}

/* Searches (from, to] piece by piece; DT_NOEND when nothing changes. */
static TimestampTz
search(CrmFlip *flip, int like, TimestampTz from, TimestampTz to, Shifts shifts)
{
	if (shifts == ODD_SHIFT)
		return from + 1;		/* too early, never too late */
	if (shifts == NO_SHIFT && flip->month_spans == 0)
		return DT_NOEND;
	while (from < to)
	{
		TimestampTz end = shifts == EVEN_SHIFT ? next_quarter(flip, from) : next_midnight(from);

		end = Min(end, to);
		if (end - 1 > from && flip->holds(flip->context, end - 1) != like)
			return halve(flip, like, from, end - 1);
		if (flip->holds(flip->context, end) != like)
			return end;
		from = end;
	}
	return DT_NOEND;
}

TimestampTz
crm_flip_next(CrmFlip *flip, TimestampTz as_of)
{
	int64		wiggle = (flip->month_spans * 4 + (flip->day_spans > 0 ? 2 : 0)) * USECS_PER_DAY;
	int64		step = USECS_PER_HOUR;
	int			like;
	TimestampTz same;
	TimestampTz other;
	TimestampTz found;

	if (TIMESTAMP_NOT_FINITE(as_of))
		return DT_NOEND;
	like = flip->holds(flip->context, as_of);
	if (like < 0)
		return DT_NOEND;		/* a field is null, and stays so */
	if (wiggle > 0)
	{
		found = search(flip, like, as_of, as_of + wiggle, shifts_near(flip, as_of, as_of + wiggle));
		if (found != DT_NOEND)
			return found;
	}
	same = as_of;
	for (;;)
	{
		other = same + step;
		if (other - as_of > HORIZON)
			return DT_NOEND;
		if (flip->holds(flip->context, other) != like)
			break;
		same = other;
		step *= 2;
	}
	found = halve(flip, like, same, other);
	if (wiggle > 0)
	{
		TimestampTz from = Max(as_of, found - wiggle);
		TimestampTz earlier;

		/* where the search begins it must be as at as_of */
		while (from > as_of && flip->holds(flip->context, from) != like)
			from = Max(as_of, from - wiggle);
		earlier = search(flip, like, from, found, shifts_near(flip, from, found));
		found = Min(found, earlier);
	}
	return found;
}

static int
is_date(void *context, TimestampTz at)
{
	return DatumGetDateADT(DirectFunctionCall1(timestamptz_date, TimestampTzGetDatum(at))) == *(DateADT *) context;
}

TimestampTz
crm_flip_next_date(TimestampTz as_of)
{
	DateADT		today;
	CrmFlip		flip = {.holds = is_date, .context = &today, .day_spans = 1};
	Shifts		shifts;
	TimestampTz found;

	if (TIMESTAMP_NOT_FINITE(as_of))
		return DT_NOEND;
	today = DatumGetDateADT(DirectFunctionCall1(timestamptz_date, TimestampTzGetDatum(as_of)));
	shifts = shifts_between(as_of - 2 * USECS_PER_DAY, as_of + 3 * USECS_PER_DAY);
	if (shifts == NO_SHIFT)
		return next_midnight(as_of);
	found = search(&flip, 1, as_of, as_of + 3 * USECS_PER_DAY, shifts);
	return found;
}
