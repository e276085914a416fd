/*
 * number_io.c
 *		crm.try_number() and crm.check_number().
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/numeric.h"

#include "crm.h"
#include "type/check_report.h"
#include "type/number_value.h"

PG_FUNCTION_INFO_V1(crm_number_try);

Datum
crm_number_try(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	char		number[CRM_NUMBER_BUFFER];
	CrmCheck	check;

	if (!crm_number_parse(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), number, &check))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(DirectFunctionCall3(numeric_in, CStringGetDatum(number),
										ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

PG_FUNCTION_INFO_V1(crm_number_check);

Datum
crm_number_check(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	char		number[CRM_NUMBER_BUFFER] = "";
	CrmCheck	check;

	(void) crm_number_parse(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), number, &check);
	return crm_check_row(fcinfo, &check, number, strlen(number));
}
