/*
 * holiday_ops.c
 *		The function over days that come every year.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/date.h"

#include "crm.h"
#include "time/holiday.h"

static int
integer_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? 0 : PG_GETARG_INT32(number);
}

PG_FUNCTION_INFO_V1(crm_holiday_date);

Datum
crm_holiday_date(PG_FUNCTION_ARGS)
{
	CrmHolidayRule rule = {
		.month = integer_argument(fcinfo, 1),
		.day = integer_argument(fcinfo, 2),
		.weekday = integer_argument(fcinfo, 3),
		.nth = integer_argument(fcinfo, 4),
		.shift = integer_argument(fcinfo, 6)
	};
	bool		is_sound = true;
	int			year;
	int			day;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	year = PG_GETARG_INT32(0);
	if (year < 1583 || year > 9999)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("holidays are known of the years from 1583 to 9999, not of %d", year)));
	if (!PG_ARGISNULL(5))
	{
		char	   *easter = text_to_cstring(PG_GETARG_TEXT_PP(5));

		rule.easter = strcmp(easter, "western") == 0 ? CRM_EASTER_WESTERN :
			strcmp(easter, "orthodox") == 0 ? CRM_EASTER_ORTHODOX : CRM_EASTER_NONE;
		is_sound = rule.easter != CRM_EASTER_NONE;
	}
	if (!is_sound || (rule.day == 0 && !PG_ARGISNULL(2)) || !crm_holiday_is_sound(&rule))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a holiday goes by month and day, by month, weekday and nth, or by easter"),
				 errhint("A weekday is 1 (Monday) to 7, nth is 1 to 5 or -1 for the last, easter is western or orthodox, shift_days is within a year.")));
	if (!crm_holiday_day(&rule, year, &day))
		PG_RETURN_NULL();
	PG_RETURN_DATEADT(day);
}
