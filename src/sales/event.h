/*
 * event.h
 *		What aggregates over the events of a contact compute, apart from the
 *		server: funnels and patterns.
 *
 * An event is a moment and a set of conditions that hold for it, a bit each:
 * bit 0 is the first.  All functions take events in the order of their
 * moments.
 */
#ifndef CRM_EVENT_H
#define CRM_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "type/check.h"

typedef struct CrmEvent
{
	int64_t		at;				/* microseconds */
	uint64_t	what;			/* conditions; of a named event, where its name
								 * is */
} CrmEvent;

/* As many conditions as there are bits. */
#define CRM_EVENT_CONDITIONS 64

/*
 * What runs long calls tick once in a while: after about so many steps of a
 * loop that does little.
 */
#define CRM_EVENTS_A_TICK 65536

/* ---------------- funnels: window_funnel.c ---------------- */

typedef enum CrmFunnelMode
{
	CRM_FUNNEL_STRICT_ORDER = 1,
	CRM_FUNNEL_STRICT_DEDUPLICATION = 2,
	CRM_FUNNEL_STRICT_INCREASE = 4,
	CRM_FUNNEL_STRICT_ONCE = 8,
	CRM_FUNNEL_ALLOW_REENTRY = 16
} CrmFunnelMode;

/*
 * Reads names of modes with commas or spaces between them; false with the
 * first one that is unknown in *start, *end, or with *start = *end when they
 * contradict each other.
 */
extern bool crm_funnel_mode(const char *text, size_t length, unsigned *mode, size_t *start, size_t *end);

/*
 * The highest step reached within the window, 0 for none.  times gets the
 * moments of the steps of the chain that reached it first, and needs room for
 * all steps; paths is room for steps * steps numbers.  Both may be NULL.
 */
extern int	crm_funnel_level(const CrmEvent *event, size_t count, int steps, int64_t window, unsigned mode,
							 int64_t *times, int64_t *paths, void (*tick) (void));

/* ---------------- patterns: sequence.c ---------------- */

#define CRM_SEQUENCE_ITEMS 64

/* One event of a pattern, and how far behind the one before it may lie. */
typedef struct CrmSequenceItem
{
	uint64_t	any_of;			/* conditions of which one must hold */
	bool		apart;			/* other events may lie between */
	int64_t		least;			/* microseconds after the one before, at least */
	int64_t		most;			/* ... and at most */
} CrmSequenceItem;

typedef struct CrmSequence
{
	int			items;
	CrmSequenceItem item[CRM_SEQUENCE_ITEMS];
} CrmSequence;

/* Conditions are 1 to conditions. */
extern bool crm_sequence_parse(const char *text, size_t length, int conditions, CrmSequence *sequence, CrmCheck *check);

/*
 * The greatest number of matches that do not overlap, or 1 as soon as there is
 * one.  reached is room for count numbers.
 */
extern int64_t crm_sequence_count(const CrmSequence *sequence, const CrmEvent *event, size_t count, bool one,
								  uint64_t *reached, void (*tick) (void));

#endif							/* CRM_EVENT_H */
