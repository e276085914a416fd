/*
 * flip.h
 *		When does a condition on the clock change?
 */
#ifndef CRM_RULE_FLIP_H
#define CRM_RULE_FLIP_H

#include "utils/timestamp.h"

/* Most partial results and spans of one condition that are looked at. */
#define CRM_FLIP_PARTS 16

/*
 * A condition that depends on the moment.  It compares something that moves
 * with the clock with something that does not: far away from the one change it
 * is constant, near to it calendar arithmetic may make it change more often.
 */
typedef struct CrmFlip
{
	/* 1, 0, or -1 for null at the moment */
	int			(*holds) (void *context, TimestampTz at);
	/* a moment in whose neighbourhood the time zone matters; false if none */
	bool		(*place) (void *context, int number, TimestampTz at, TimestampTz *place);
	void	   *context;
	int			places;			/* numbers of places */
	int			month_spans;	/* spans with months that are added */
	int			day_spans;		/* spans with days, or whole dates */
	bool		several;		/* spans of which one begins where another ends */
} CrmFlip;

/*
 * The first moment after as_of at which the condition is not what it is at
 * as_of; DT_NOEND when there is none within ten thousand years.  Exact to the
 * microsecond, except in the days around a shift of a time zone that is not a
 * multiple of a quarter of an hour: there the answer may be too early.
 */
extern TimestampTz crm_flip_next(CrmFlip *flip, TimestampTz as_of);

/* The first moment after as_of at which current_date is another. */
extern TimestampTz crm_flip_next_date(TimestampTz as_of);

#endif							/* CRM_RULE_FLIP_H */
