/*
 * holiday.c
 *		Days that come every year; see holiday.h.
 */
#include "time/holiday.h"

#define DAYS_TO_2000 730425		/* from 0000-03-01 to 2000-01-01 */

/* Years are taken to begin in March: the leap day is their last. */
int
crm_day_of_date(int year, int month, int day)
{
	int			from_march = (month + 9) % 12;

	if (month < 3)
		year--;
	return 365 * year + year / 4 - year / 100 + year / 400 + (153 * from_march + 2) / 5 + day - 1 - DAYS_TO_2000;
}

void
crm_date_of_day(int day, int *year, int *month, int *day_of_month)
{
	int			n = day + DAYS_TO_2000;
	int			era = n / 146097;
	int			day_of_era = n % 146097;
	int			year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int			day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int			from_march = (5 * day_of_year + 2) / 153;

	*day_of_month = day_of_year - (153 * from_march + 2) / 5 + 1;
	*month = from_march < 10 ? from_march + 3 : from_march - 9;
	*year = era * 400 + year_of_era + (*month < 3);
}

int
crm_days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

/* 2000-01-01 was a Saturday. */
int
crm_weekday(int day)
{
	return ((day + 5) % 7 + 7) % 7 + 1;
}

/* Of the Gregorian calendar: the algorithm that Meeus gives, after Butcher. */
static int
western_easter(int year)
{
	int			a = year % 19;
	int			b = year / 100;
	int			c = year % 100;
	int			h = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30;
	int			l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7;
	int			m = (a + 11 * h + 22 * l) / 451;
	int			sum = h + l - 7 * m + 114;

	return crm_day_of_date(year, sum / 31, sum % 31 + 1);
}

/* Of the Julian calendar, whose days are so many later in ours. */
static int
orthodox_easter(int year)
{
	int			d = (19 * (year % 19) + 15) % 30;
	int			e = (2 * (year % 4) + 4 * (year % 7) - d + 34) % 7;
	int			sum = d + e + 114;

	return crm_day_of_date(year, sum / 31, sum % 31 + 1) + year / 100 - year / 400 - 2;
}

bool
crm_holiday_is_sound(const CrmHolidayRule *rule)
{
	if (rule->shift < -366 || rule->shift > 366)
		return false;
	if (rule->easter != CRM_EASTER_NONE)
		return rule->month == 0 && rule->day == 0 && rule->weekday == 0 && rule->nth == 0;
	if (rule->month < 1 || rule->month > 12)
		return false;
	if (rule->day != 0)
		return rule->day >= 1 && rule->day <= 31 && rule->weekday == 0 && rule->nth == 0;
	return rule->weekday >= 1 && rule->weekday <= 7 && (rule->nth == -1 || (rule->nth >= 1 && rule->nth <= 5));
}

bool
crm_holiday_day(const CrmHolidayRule *rule, int year, int *day)
{
	if (rule->easter == CRM_EASTER_WESTERN)
		*day = western_easter(year);
	else if (rule->easter == CRM_EASTER_ORTHODOX)
		*day = orthodox_easter(year);
	else
	{
		int			length = crm_days_in_month(year, rule->month);

		if (rule->day > 0)
		{
			if (rule->day > length && !(rule->month == 2 && rule->day == 29))
				return false;
			*day = crm_day_of_date(year, rule->month, rule->day > length ? length : rule->day);
		}
		else if (rule->nth > 0)
		{
			int			first = crm_day_of_date(year, rule->month, 1);
			int			offset = (rule->weekday - crm_weekday(first) + 7) % 7 + 7 * (rule->nth - 1);

			if (offset >= length)
				return false;
			*day = first + offset;
		}
		else
		{
			int			last = crm_day_of_date(year, rule->month, length);

			*day = last - (crm_weekday(last) - rule->weekday + 7) % 7;
		}
	}
	*day += rule->shift;
	return true;
}
