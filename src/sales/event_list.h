/*
 * event_list.h
 *		The state of aggregates over events: what every row adds, in the order
 *		in which rows come.
 *
 * One chunk of memory a group (two, if events have names).  A state knows its
 * arguments by a pointer to a setup, of which there is one for all groups with
 * the same arguments; it lives as long as they do.  Rows that come in the order of time, as from an index,
 * need no sorting; the runs that parallel workers bring are merged.
 *
 * The state is internal, with serial functions, not a varlena type.  As an
 * expanded object each group would have a memory context, and HashAggregate
 * adds up all of them for each new group: array_append() over 100,000 events of
 * 10,000 contacts takes four times as long as a list, and over 2 million of
 * 200,000 it was not done in ten minutes, where a list takes three seconds.  A flat
 * value with room to grow would cost about the same as a list, but it would be
 * a public type whose bytes anybody could make up, to be checked in every row;
 * and each would carry the arguments, a pattern parsed anew for each group.
 * What it would buy is partial aggregation by Citus, which these do not need:
 * their groups are contacts, and go to their shards whole.
 */
#ifndef CRM_EVENT_LIST_H
#define CRM_EVENT_LIST_H

#include "fmgr.h"
#include "utils/timestamp.h"

#include "sales/event.h"

/* What the arguments are that are the same in all rows of a group. */
typedef enum CrmEventUse
{
	CRM_EVENT_FUNNEL,			/* window, mode, number of steps */
	CRM_EVENT_SEQUENCE,			/* pattern, number of conditions */
	CRM_EVENT_JOURNEY,			/* gap, greatest number of steps */
	CRM_EVENT_CREDIT			/* half-life, model */
} CrmEventUse;

typedef struct CrmEventSetup
{
	CrmEventUse use;
	Interval	interval;
	int32		number;
	uint32		length;
	char	   *text;			/* with a zero behind it */

	/* read from these */
	int64		span;			/* of interval, microseconds */
	unsigned	mode;			/* of a funnel, or the model of attribution */
	CrmSequence *sequence;
} CrmEventSetup;

typedef struct CrmEventList
{
	const CrmEventSetup *setup;
	uint32		count;
	uint32		room:31;
	uint32		sorted:1;
	int64		moment;			/* of the conversion, of attribution */
	char	   *names;			/* of events, or NULL */
	uint32		names_used;
	uint32		names_room;
	CrmEvent	event[FLEXIBLE_ARRAY_MEMBER];
} CrmEventList;

/* A named event has the offset and the length of its name in "what". */
#define CRM_EVENT_NAME_AT(what) ((uint32) ((what) >> 32))
#define CRM_EVENT_NAME_LENGTH(what) ((uint32) (what))

/* Kept with the function that is called. */
typedef struct CrmEventCall
{
	const CrmEventSetup *first; /* of the first row; that of all, mostly */
	struct CrmEventHome *homes; /* of the others, one a memory context of states */
	bool		constant;		/* the first one is that of all rows, conditions
								 * are arguments of their own */
	bool		is_noted;		/* whether it has been looked for that */
	bool		checked;		/* types of the conditions */
	bool		in_array;		/* conditions are one array */
} CrmEventCall;

/*
 * The setup of these arguments, good as long as a state that is made now, and
 * equal for equal arguments; raises what is wrong with them.
 */
extern const CrmEventSetup *crm_event_setup(FunctionCallInfo fcinfo, CrmEventUse use, const Interval *interval, const char *text, uint32 length, int32 number);

/*
 * The conditions of a row, in the arguments from the given one on: booleans,
 * or a single array of them behind VARIADIC.  Sets their number.
 */
extern uint64 crm_event_conditions(FunctionCallInfo fcinfo, int from, int32 *number);

/*
 * Whether the arguments before the conditions are constants of the query, so
 * that the setup need be looked for but once; the setup is there already.
 */
extern void crm_event_note_constants(FunctionCallInfo fcinfo, int before);

/* Conditions that are arguments of their own. */
static inline uint64
crm_event_condition_bits(FunctionCallInfo fcinfo, int from)
{
	const NullableDatum *condition = &fcinfo->args[from];
	int			count = PG_NARGS() - from;
	uint64		what = 0;

	for (int i = 0; i < count; i++)
		what |= (uint64) (DatumGetBool(condition[i].value) & !condition[i].isnull) << i;
	return what;
}

/* What an interval is in microseconds; raises 22023 if it has months, naming what it is for. */
extern int64 crm_event_span(const Interval *interval, const char *what);

extern MemoryContext crm_event_context(FunctionCallInfo fcinfo);

/* For what runs long apart from the server. */
extern void crm_event_tick(void);

extern CrmEventList *crm_event_list_new(FunctionCallInfo fcinfo, const CrmEventSetup *setup);

/* These may move the list. */
extern CrmEventList *crm_event_list_grow(CrmEventList *list);
extern CrmEventList *crm_event_list_add_name(CrmEventList *list, int64 at, const char *name, uint32 length);

static inline CrmEventList *
crm_event_list_add(CrmEventList *list, int64 at, uint64 what)
{
	if (list->count == list->room)
		list = crm_event_list_grow(list);
	if (list->count > 0 && at < list->event[list->count - 1].at)
		list->sorted = 0;
	list->event[list->count].at = at;
	list->event[list->count].what = what;
	list->count++;
	return list;
}

/*
 * Puts the events in the order of time; those of one moment by their
 * conditions as a number, or by their names.
 */
extern void crm_event_list_sort(CrmEventList *list);

/* Raised when the arguments that must be the same in all rows are not. */
extern void crm_event_list_differs(const CrmEventSetup *setup) __attribute__((noreturn));

#endif							/* CRM_EVENT_LIST_H */
