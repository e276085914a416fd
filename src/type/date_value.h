/*
 * date_value.h
 *		Calendar dates as people and other programs write them.  Knows nothing
 *		of the server.
 */
#ifndef CRM_DATE_VALUE_H
#define CRM_DATE_VALUE_H

#include <stdbool.h>

#include "type/check.h"

typedef struct CrmDate
{
	int			year;
	int			month;
	int			day;
} CrmDate;

/*
 * Reads year-month-day in ISO order with -, /, . or nothing between, day.
 * month.year, day/month/year or (month_first) month/day/year, and a month by
 * its name in English or Russian.  A time behind the date is dropped.  False
 * when check says BAD.
 */
extern bool crm_date_parse(const char *text, size_t length, bool month_first,
						   CrmDate *date, CrmCheck *check);

#endif							/* CRM_DATE_VALUE_H */
