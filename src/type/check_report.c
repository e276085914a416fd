/*
 * check_report.c
 *		From a CrmCheck to an error or to a row of crm.check_result.
 */
#include "postgres.h"

#include "funcapi.h"
#include "utils/builtins.h"

#include "crm.h"
#include "type/check_report.h"

/* As much of a refused value as an error message shows, in bytes. */
#define SHOWN_VALUE 200

void
crm_report_bad(Node *escontext, const char *type_name,
			   const char *value, size_t length, const CrmCheck *check)
{
	char		shown[SHOWN_VALUE];

	crm_printable(shown, sizeof(shown), value, length);
	if (check->suggestion[0] != '\0')
	{
		char		better[SHOWN_VALUE];

		crm_printable(better, sizeof(better), check->suggestion,
					  strlen(check->suggestion));
		errsave(escontext,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"",
						type_name, shown),
				 errdetail("%s: %s", check->code, check->message),
				 check->hint[0] != '\0' ?
				 errhint("%s Perhaps you meant \"%s\".", check->hint, better) :
				 errhint("Perhaps you meant \"%s\".", better)));
	}
	else
		errsave(escontext,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid input syntax for type %s: \"%s\"",
						type_name, shown),
				 errdetail("%s: %s", check->code, check->message),
				 check->hint[0] != '\0' ? errhint("%s", check->hint) : 0));
}

Datum
crm_check_row(FunctionCallInfo fcinfo, const CrmCheck *check,
			  const char *value, size_t length)
{
	static const char *const status_name[] = {"ok", "fixed", "odd", "bad"};
	TupleDesc	tupdesc;
	Datum		values[7];
	bool		nulls[7] = {false};

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE ||
		tupdesc->natts != 7)
		elog(ERROR, "return type must be crm.check_result");
	tupdesc = BlessTupleDesc(tupdesc);

	values[0] = BoolGetDatum(check->status != CRM_CHECK_BAD);
	values[1] = CStringGetTextDatum(status_name[check->status]);
	if (check->status == CRM_CHECK_BAD || value == NULL)
		nulls[2] = true;
	else
		values[2] = PointerGetDatum(cstring_to_text_with_len(value, length));
	if (check->code == NULL)
		nulls[3] = true;
	else
		values[3] = CStringGetTextDatum(check->code);
	if (check->message[0] == '\0')
		nulls[4] = true;
	else
		values[4] = CStringGetTextDatum(check->message);
	if (check->hint[0] == '\0')
		nulls[5] = true;
	else
		values[5] = CStringGetTextDatum(check->hint);
	if (check->suggestion[0] == '\0')
		nulls[6] = true;
	else
		values[6] = CStringGetTextDatum(check->suggestion);
	return HeapTupleGetDatum(heap_form_tuple(tupdesc, values, nulls));
}

bool
crm_check_length(CrmCheck *check, size_t length)
{
	if (length <= CRM_MAX_INPUT)
		return false;
	crm_check_set(check, CRM_CHECK_BAD, "VALUE_TOO_LONG", CRM_MAX_INPUT,
				  "The value has %zu bytes; the longest accepted has %d.",
				  length, CRM_MAX_INPUT);
	crm_check_hint(check, "Look for a missing delimiter or a text put into the wrong field.");
	return true;
}
