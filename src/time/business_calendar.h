/*
 * business_calendar.h
 *		Working time as arithmetic: how much of it lies between two instants,
 *		and which instant lies so much of it away.
 *
 * A calendar is a week of intervals on the wall of a time zone, days that
 * differ from it, and holidays.  An interval belongs to the day on which it
 * begins, lasts from the first instant at which the clocks of that day show
 * its beginning or a later time until the first at which they show its end or
 * a later one, and counts once where it overlaps the one before it.
 *
 * Each year that was asked for is kept as the working time before each of its
 * days, so that a span of many years costs no more than one of a day.
 *
 * Instants are microseconds and days are days since 2000-01-01, as the server
 * has them.
 */
#ifndef CRM_BUSINESS_CALENDAR_H
#define CRM_BUSINESS_CALENDAR_H

#include "datatype/timestamp.h"
#include "pgtime.h"

#include "time/holiday.h"

#define CRM_CALENDAR_FIRST_YEAR 1900
#define CRM_CALENDAR_LAST_YEAR 2399
#define CRM_CALENDAR_YEARS (CRM_CALENDAR_LAST_YEAR - CRM_CALENDAR_FIRST_YEAR + 1)

/* Of one day. */
#define CRM_CALENDAR_MAX_INTERVALS 64

/*
 * On the wall: microseconds from midnight, the end possibly on the next day.
 * As instants: microseconds since 2000.
 */
typedef struct CrmWorkInterval
{
	int64		starts;
	int64		ends;
} CrmWorkInterval;

/* The intervals of a day, in order. */
typedef struct CrmWorkDay
{
	int			day;			/* of an exception */
	const char *name;			/* of an exception or a holiday; may be NULL */
	int			count;
	CrmWorkInterval *intervals;
	bool		into_next_day;	/* whether any ends after midnight */
} CrmWorkDay;

typedef struct CrmCalendarHoliday
{
	CrmHolidayRule rule;
	CrmWorkDay	work;			/* none, with the name of the holiday */
} CrmCalendarHoliday;

typedef struct CrmCalendarYear
{
	int64		before;			/* working time since the first year that was asked for */
	int			working_days;
	const CrmWorkDay *work[366];
	int64		sum[367];		/* working time of the year before each of its days */
} CrmCalendarYear;

typedef struct CrmBusinessCalendar
{
	struct CrmBusinessCalendar *next;	/* in the cache */
	MemoryContext context;
	char	   *name;
	pg_tz	   *zone;
	CrmWorkDay	week[7];		/* Monday first */
	CrmWorkDay *exceptions;		/* by day */
	int			exception_count;
	CrmCalendarHoliday *holidays;
	int			holiday_count;
	bool		works;			/* whether there is any interval at all */

	CrmCalendarYear *years[CRM_CALENDAR_YEARS];
	int			low;			/* years of which there are sums; none */
	int			high;			/* while high < low */

	/* Where the zone's clocks are not set. */
	int64		span_from;
	int64		span_until;
	int64		span_offset;	/* microseconds east of Greenwich */
} CrmBusinessCalendar;

/* To be called once the parts above are filled in. */
extern void crm_business_prepare(CrmBusinessCalendar *calendar);

/* Whether the instant lies within the years that calendars cover. */
extern bool crm_business_covers(int64 at);
extern bool crm_business_covers_day(int day);

/* Working time from one instant until another, negative when reversed. */
extern int64 crm_business_between(CrmBusinessCalendar *calendar, int64 from, int64 to);

/*
 * The first instant so much working time later or, when negative, the last so
 * much earlier; false when the calendar ends before.
 */
extern bool crm_business_add(CrmBusinessCalendar *calendar, int64 from, int64 amount, int64 *at);

extern bool crm_is_business_time(CrmBusinessCalendar *calendar, int64 at);

/* Working days after one day up to and with another, negative when reversed. */
extern int	crm_business_days(CrmBusinessCalendar *calendar, int from, int to);

/* The working day so many later or earlier; false when the calendar ends before. */
extern bool crm_add_business_days(CrmBusinessCalendar *calendar, int from, int days, int *day);

/* The day on which an instant falls. */
extern int	crm_business_day(CrmBusinessCalendar *calendar, int64 at);

/*
 * What is worked on a day, as instants; intervals has room for
 * CRM_CALENDAR_MAX_INTERVALS.  Gives their number.
 */
extern const CrmWorkDay *crm_work_day(CrmBusinessCalendar *calendar, int day);
extern int	crm_work_intervals(CrmBusinessCalendar *calendar, int day, CrmWorkInterval *intervals);

/*
 * By how much clocks are set forward, or back when negative, between two
 * instants.
 */
extern int64 crm_clock_change(CrmBusinessCalendar *calendar, int64 from, int64 to);

#endif							/* CRM_BUSINESS_CALENDAR_H */
