/*
 * holiday.h
 *		Days that come every year: by date, by weekday of a month, by Easter.
 *
 * Pure: knows nothing of the server.  Days are counted from 2000-01-01, as
 * the server counts dates.
 */
#ifndef CRM_HOLIDAY_H
#define CRM_HOLIDAY_H

#include <stdbool.h>

typedef enum CrmEaster
{
	CRM_EASTER_NONE,
	CRM_EASTER_WESTERN,
	CRM_EASTER_ORTHODOX
} CrmEaster;

/* Either month and day, or month, weekday and nth, or easter; then the shift. */
typedef struct CrmHolidayRule
{
	int			month;			/* 1 to 12 */
	int			day;			/* 1 to 31; 0 when it goes by weekday */
	int			weekday;		/* 1 Monday to 7 Sunday */
	int			nth;			/* 1 to 5, or -1 for the last of the month */
	CrmEaster	easter;
	int			shift;			/* days later */
} CrmHolidayRule;

/* Day of a date of the Gregorian calendar, and back. */
extern int	crm_day_of_date(int year, int month, int day);
extern void crm_date_of_day(int day, int *year, int *month, int *day_of_month);

extern int	crm_days_in_month(int year, int month);

/* 1 Monday to 7 Sunday. */
extern int	crm_weekday(int day);

/* Whether a rule says one of the three, within its bounds, as the other function needs it. */
extern bool crm_holiday_is_sound(const CrmHolidayRule *rule);

/*
 * The day of the holiday of a year; 29 February is the 28th where there is
 * none.  False when the month has no such day: no fifth Monday.
 */
extern bool crm_holiday_day(const CrmHolidayRule *rule, int year, int *day);

#endif							/* CRM_HOLIDAY_H */
