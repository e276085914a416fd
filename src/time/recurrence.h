/*
 * recurrence.h
 *		Recurrence rules of RFC 5545, by the clock on the wall.
 *
 * Pure: knows nothing of the server.  Times are seconds since 2000-01-01 on a
 * wall without a time zone.  No call runs long: what takes many steps says so
 * and is called again.
 */
#ifndef CRM_RECURRENCE_H
#define CRM_RECURRENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRM_RECURRENCE_MAX_TEXT 10000
#define CRM_RECURRENCE_MAX_EXCEPT 500
#define CRM_RECURRENCE_MAX_COUNT 1000000
#define CRM_RECURRENCE_MAX_INTERVAL 10000

typedef enum CrmFrequency
{
	CRM_YEARLY,
	CRM_MONTHLY,
	CRM_WEEKLY,
	CRM_DAILY,
	CRM_HOURLY,
	CRM_MINUTELY,
	CRM_SECONDLY
} CrmFrequency;

/* A time of UNTIL or EXDATE. */
typedef struct CrmRecurrenceTime
{
	int64_t		seconds;
	bool		is_day;			/* a whole day */
	bool		is_utc;			/* not of the wall, but of UTC */
} CrmRecurrenceTime;

typedef struct CrmRecurrenceDay
{
	int16_t		nth;			/* of the month or year, from the end when negative; 0 for each */
	int16_t		weekday;		/* 1 Monday to 7 Sunday */
} CrmRecurrenceDay;

/* What a part of BY... lists, in order and each once. */
typedef struct CrmRecurrenceList
{
	int			count;
	int16_t		values[366];
} CrmRecurrenceList;

typedef struct CrmRecurrence
{
	CrmFrequency frequency;
	int			interval;
	int			count;			/* 0 for no end */
	bool		has_until;
	CrmRecurrenceTime until;	/* the last that may be */
	int			week_start;		/* 1 Monday to 7 Sunday */
	CrmRecurrenceList seconds;
	CrmRecurrenceList minutes;
	CrmRecurrenceList hours;
	CrmRecurrenceList month_days;
	CrmRecurrenceList year_days;
	CrmRecurrenceList weeks;
	CrmRecurrenceList months;
	CrmRecurrenceList positions;
	int			day_count;
	CrmRecurrenceDay days[371];
	int			except_count;
	CrmRecurrenceTime except[CRM_RECURRENCE_MAX_EXCEPT];
} CrmRecurrence;

typedef struct CrmRecurrenceError
{
	const char *code;			/* RECURRENCE_... */
	const char *message;
	const char *hint;			/* may be NULL */
	size_t		at;				/* what of the text is meant */
	size_t		length;
} CrmRecurrenceError;

/*
 * Reads "FREQ=WEEKLY;BYDAY=MO,WE", or the lines "RRULE:..." and "EXDATE:...".
 * False, and why, when it is no rule or one that never comes.
 */
extern bool crm_recurrence_parse(const char *text, size_t length, CrmRecurrence *rule, CrmRecurrenceError *error);

/* The RRULE in the order of the RFC, into a buffer; gives the length it has or would have. */
extern size_t crm_recurrence_print(const CrmRecurrence *rule, char *buffer, size_t size);

typedef enum CrmRecurrenceStep
{
	CRM_RECURRENCE_FOUND,		/* the next occurrence */
	CRM_RECURRENCE_END,			/* there is none */
	CRM_RECURRENCE_BUSY			/* not yet found: to be called again */
} CrmRecurrenceStep;

typedef struct CrmRecurrenceCursor CrmRecurrenceCursor;

/*
 * The occurrences of a rule from start on, in order, those before from left
 * out.  UNTIL and EXDATE have to be times of the wall.  NULL when there is no
 * memory, or start lies beyond the years 1900 to 2399.
 */
extern CrmRecurrenceCursor *crm_recurrence_open(const CrmRecurrence *rule, int64_t start, int64_t from);
extern CrmRecurrenceStep crm_recurrence_next(CrmRecurrenceCursor *cursor, int64_t *at);
extern void crm_recurrence_close(CrmRecurrenceCursor *cursor);

#endif							/* CRM_RECURRENCE_H */
