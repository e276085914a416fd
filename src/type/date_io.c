/*
 * date_io.c
 *		crm.try_date() and crm.check_date().
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"

#include "crm.h"
#include "type/check_report.h"
#include "type/date_value.h"

/* Reads argument 0 by the habit of argument 1: dmy or mdy. */
static bool
parse_arguments(FunctionCallInfo fcinfo, CrmDate *date, CrmCheck *check)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	text	   *order = PG_GETARG_TEXT_PP(1);
	bool		month_first;

	if (VARSIZE_ANY_EXHDR(order) != 3 ||
		((month_first = memcmp(VARDATA_ANY(order), "mdy", 3) == 0) == false &&
		 memcmp(VARDATA_ANY(order), "dmy", 3) != 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown order of day and month: \"%s\"", text_to_cstring(order)),
				 errhint("Use dmy for 31/12/2026 or mdy for 12/31/2026.")));
	return crm_date_parse(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), month_first, date, check);
}

PG_FUNCTION_INFO_V1(crm_date_try);

Datum
crm_date_try(PG_FUNCTION_ARGS)
{
	CrmDate		date;
	CrmCheck	check;

	if (!parse_arguments(fcinfo, &date, &check))
		PG_RETURN_NULL();
	PG_RETURN_DATEADT(date2j(date.year, date.month, date.day) - POSTGRES_EPOCH_JDATE);
}

PG_FUNCTION_INFO_V1(crm_date_check);

Datum
crm_date_check(PG_FUNCTION_ARGS)
{
	CrmDate		date;
	CrmCheck	check;
	char		iso[48] = "";

	if (parse_arguments(fcinfo, &date, &check))
		snprintf(iso, sizeof(iso), "%04d-%02d-%02d", date.year, date.month, date.day);
	return crm_check_row(fcinfo, &check, iso, strlen(iso));
}
