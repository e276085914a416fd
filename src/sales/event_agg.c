/*
 * event_agg.c
 *		Aggregates over the events of a contact: crm.window_funnel(),
 *		crm.window_funnel_times(), crm.sequence_match(), crm.sequence_count(),
 *		crm.retention(), crm.journey_path().
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "crm.h"
#include "sales/event_list.h"

PG_FUNCTION_INFO_V1(crm_window_funnel_add);
PG_FUNCTION_INFO_V1(crm_window_funnel_level);
PG_FUNCTION_INFO_V1(crm_window_funnel_times);
PG_FUNCTION_INFO_V1(crm_sequence_add);
PG_FUNCTION_INFO_V1(crm_sequence_matches);
PG_FUNCTION_INFO_V1(crm_sequence_matches_count);
PG_FUNCTION_INFO_V1(crm_retention_add);
PG_FUNCTION_INFO_V1(crm_retention_combine);
PG_FUNCTION_INFO_V1(crm_retention_final);
PG_FUNCTION_INFO_V1(crm_journey_add);
PG_FUNCTION_INFO_V1(crm_journey_path);

static CrmEventList *
list_of(FunctionCallInfo fcinfo)
{
	return PG_ARGISNULL(0) ? NULL : (CrmEventList *) PG_GETARG_POINTER(0);
}

static Datum
return_list(FunctionCallInfo fcinfo, CrmEventList *list)
{
	if (list == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(list);
}

static CrmEventList *
list_for(FunctionCallInfo fcinfo, CrmEventList *list, const CrmEventSetup *setup)
{
	if (list == NULL)
		return crm_event_list_new(fcinfo, setup);
	if (list->setup != setup)
		crm_event_list_differs(setup);
	return list;
}

static void
refuse_null(FunctionCallInfo fcinfo, int argument, const char *what)
{
	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s cannot be null", what)));
}

/* ---------------- funnels ---------------- */

/* A row of a group whose arguments are seen for the first time, or are no constants. */
static pg_noinline Datum
add_to_funnel(FunctionCallInfo fcinfo)
{
	CrmEventList *list = list_of(fcinfo);
	const text *mode;
	const CrmEventSetup *setup;
	int32		steps;
	uint64		what;

	refuse_null(fcinfo, 1, "the window of a funnel");
	refuse_null(fcinfo, 2, "the mode of a funnel");
	what = crm_event_conditions(fcinfo, 4, &steps);
	mode = PG_GETARG_TEXT_PP(2);
	setup = crm_event_setup(fcinfo, CRM_EVENT_FUNNEL, PG_GETARG_INTERVAL_P(1), VARDATA_ANY(mode), VARSIZE_ANY_EXHDR(mode), steps);
	crm_event_note_constants(fcinfo, 2);
	if (PG_ARGISNULL(3) || (what == 0 && !(setup->mode & CRM_FUNNEL_STRICT_ORDER)))
		return return_list(fcinfo, list);
	list = list_for(fcinfo, list, setup);
	PG_RETURN_POINTER(crm_event_list_add(list, PG_GETARG_TIMESTAMPTZ(3), what));
}

/* (state, window, mode, at, steps ...) */
Datum
crm_window_funnel_add(PG_FUNCTION_ARGS)
{
	const CrmEventCall *call = fcinfo->flinfo->fn_extra;
	CrmEventList *list;
	uint64		what;

	if (unlikely(call == NULL || !call->constant))
		return add_to_funnel(fcinfo);
	list = list_of(fcinfo);
	what = crm_event_condition_bits(fcinfo, 4);
	if (PG_ARGISNULL(3) || (what == 0 && !(call->first->mode & CRM_FUNNEL_STRICT_ORDER)))
		return return_list(fcinfo, list);
	if (unlikely(list == NULL))
		list = crm_event_list_new(fcinfo, call->first);
	PG_RETURN_POINTER(crm_event_list_add(list, PG_GETARG_TIMESTAMPTZ(3), what));
}

static int
level_of(CrmEventList *list, int64 *times, int64 *paths)
{
	crm_event_list_sort(list);
	return crm_funnel_level(list->event, list->count, list->setup->number, list->setup->span, list->setup->mode, times, paths, crm_event_tick);
}

Datum
crm_window_funnel_level(PG_FUNCTION_ARGS)
{
	CrmEventList *list = list_of(fcinfo);

	(void) crm_event_context(fcinfo);
	PG_RETURN_INT32(list != NULL ? level_of(list, NULL, NULL) : 0);
}

Datum
crm_window_funnel_times(PG_FUNCTION_ARGS)
{
	CrmEventList *list = list_of(fcinfo);
	int64		times[CRM_EVENT_CONDITIONS];
	Datum		datum[CRM_EVENT_CONDITIONS];
	int			level = 0;

	(void) crm_event_context(fcinfo);
	if (list != NULL)
	{
		int64	   *paths = palloc(sizeof(int64) * list->setup->number * list->setup->number);

		level = level_of(list, times, paths);
		pfree(paths);
	}
	for (int i = 0; i < level; i++)
		datum[i] = TimestampTzGetDatum(times[i]);
	PG_RETURN_ARRAYTYPE_P(level > 0 ? construct_array(datum, level, TIMESTAMPTZOID, sizeof(TimestampTz), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE) :
						  construct_empty_array(TIMESTAMPTZOID));
}

/* ---------------- sequences ---------------- */

static pg_noinline Datum
add_to_sequence(FunctionCallInfo fcinfo)
{
	static const Interval none = {0, 0, 0};
	CrmEventList *list = list_of(fcinfo);
	const text *pattern;
	const CrmEventSetup *setup;
	int32		conditions;
	uint64		what;

	refuse_null(fcinfo, 1, "the pattern of a sequence");
	what = crm_event_conditions(fcinfo, 3, &conditions);
	pattern = PG_GETARG_TEXT_PP(1);
	setup = crm_event_setup(fcinfo, CRM_EVENT_SEQUENCE, &none, VARDATA_ANY(pattern), VARSIZE_ANY_EXHDR(pattern), conditions);
	crm_event_note_constants(fcinfo, 1);
	if (PG_ARGISNULL(2) || what == 0)
		return return_list(fcinfo, list);
	list = list_for(fcinfo, list, setup);
	PG_RETURN_POINTER(crm_event_list_add(list, PG_GETARG_TIMESTAMPTZ(2), what));
}

/* (state, pattern, at, conditions ...) */
Datum
crm_sequence_add(PG_FUNCTION_ARGS)
{
	const CrmEventCall *call = fcinfo->flinfo->fn_extra;
	CrmEventList *list;
	uint64		what;

	if (unlikely(call == NULL || !call->constant))
		return add_to_sequence(fcinfo);
	list = list_of(fcinfo);
	what = crm_event_condition_bits(fcinfo, 3);
	if (PG_ARGISNULL(2) || what == 0)
		return return_list(fcinfo, list);
	if (unlikely(list == NULL))
		list = crm_event_list_new(fcinfo, call->first);
	PG_RETURN_POINTER(crm_event_list_add(list, PG_GETARG_TIMESTAMPTZ(2), what));
}

static int64
matches_of(FunctionCallInfo fcinfo, bool one)
{
	CrmEventList *list = list_of(fcinfo);
	uint64	   *reached;
	int64		matches;

	(void) crm_event_context(fcinfo);
	if (list == NULL)
		return 0;
	crm_event_list_sort(list);
	reached = palloc(list->count * sizeof(uint64));
	matches = crm_sequence_count(list->setup->sequence, list->event, list->count, one, reached, crm_event_tick);
	pfree(reached);
	return matches;
}

Datum
crm_sequence_matches(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(matches_of(fcinfo, true) > 0);
}

Datum
crm_sequence_matches_count(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(matches_of(fcinfo, false));
}

/* ---------------- retention ---------------- */

/* The state: conditions that held in the lower half, their number in the upper. */
#define RETENTION_CONDITIONS 32

/* (state, conditions ...) */
Datum
crm_retention_add(PG_FUNCTION_ARGS)
{
	int64		state = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT64(0);
	int32		number;
	uint64		what = crm_event_conditions(fcinfo, 1, &number);

	if (number > RETENTION_CONDITIONS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("there are more than %d conditions", RETENTION_CONDITIONS)));
	if (!PG_ARGISNULL(0) && state >> 32 != number)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the number of conditions must be the same in all rows of a group")));
	PG_RETURN_INT64(state | (int64) what | (int64) number << 32);
}

Datum
crm_retention_combine(PG_FUNCTION_ARGS)
{
	int64		a = PG_GETARG_INT64(0);
	int64		b = PG_GETARG_INT64(1);

	if (a >> 32 != b >> 32)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the number of conditions must be the same in all rows of a group")));
	PG_RETURN_INT64(a | b);
}

Datum
crm_retention_final(PG_FUNCTION_ARGS)
{
	uint64		state = (uint64) PG_GETARG_INT64(0);
	int			number = Min(state >> 32, RETENTION_CONDITIONS);
	Datum		held[RETENTION_CONDITIONS];

	for (int i = 0; i < number; i++)
		held[i] = BoolGetDatum((state & 1) && (state >> i & 1));
	PG_RETURN_ARRAYTYPE_P(construct_array(held, number, BOOLOID, sizeof(bool), true, TYPALIGN_CHAR));
}

/* ---------------- journeys ---------------- */

/* (state, event, at [, steps, gap]) */
Datum
crm_journey_add(PG_FUNCTION_ARGS)
{
	CrmEventList *list = list_of(fcinfo);
	Interval	gap = {0, 0, 0};
	bool		has_gap = PG_NARGS() > 4 && !PG_ARGISNULL(4);
	int32		steps = PG_NARGS() > 3 && !PG_ARGISNULL(3) ? PG_GETARG_INT32(3) : PG_INT32_MAX;
	const CrmEventSetup *setup;
	const text *event;

	if (has_gap)
		gap = *PG_GETARG_INTERVAL_P(4);
	setup = crm_event_setup(fcinfo, CRM_EVENT_JOURNEY, &gap, "gap", has_gap ? 3 : 0, steps);
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		return return_list(fcinfo, list);
	event = PG_GETARG_TEXT_PP(1);
	list = list_for(fcinfo, list, setup);
	PG_RETURN_POINTER(crm_event_list_add_name(list, PG_GETARG_TIMESTAMPTZ(2), VARDATA_ANY(event), VARSIZE_ANY_EXHDR(event)));
}

static bool
same_name(const CrmEventList *list, uint32 a, uint32 b)
{
	uint64		x = list->event[a].what;
	uint64		y = list->event[b].what;

	return CRM_EVENT_NAME_LENGTH(x) == CRM_EVENT_NAME_LENGTH(y) &&
		memcmp(list->names + CRM_EVENT_NAME_AT(x), list->names + CRM_EVENT_NAME_AT(y), CRM_EVENT_NAME_LENGTH(x)) == 0;
}

Datum
crm_journey_path(PG_FUNCTION_ARGS)
{
	CrmEventList *list = list_of(fcinfo);
	Datum	   *step;
	int			steps = 0;

	(void) crm_event_context(fcinfo);
	if (list == NULL)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(TEXTOID));
	crm_event_list_sort(list);
	step = palloc(Min(list->count, (uint32) list->setup->number) * sizeof(Datum));
	for (uint32 i = 0; i < list->count && steps < list->setup->number; i++)
	{
		uint64		what = list->event[i].what;
		int64		pause;

		CHECK_FOR_INTERRUPTS();
		if (i > 0 && list->setup->length > 0 &&
			(pg_sub_s64_overflow(list->event[i].at, list->event[i - 1].at, &pause) || pause > list->setup->span))
			break;
		if (i > 0 && same_name(list, i - 1, i))
			continue;
		step[steps++] = PointerGetDatum(cstring_to_text_with_len(list->names + CRM_EVENT_NAME_AT(what), CRM_EVENT_NAME_LENGTH(what)));
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(step, steps, TEXTOID, -1, false, TYPALIGN_INT));
}
