/*
 * zone.h
 *		Times on the wall of a time zone as instants.
 *
 * Both are microseconds since 2000-01-01, on the wall or in UTC.
 */
#ifndef CRM_ZONE_H
#define CRM_ZONE_H

#include "pgtime.h"

/*
 * The next instant after the given one at which clocks are set, with the
 * offsets east of Greenwich before and after; PG_INT64_MAX when there is none.
 */
extern int64 crm_zone_next_change(pg_tz *zone, int64 at, int64 *before, int64 *after);

/*
 * The instant at which the clocks show that time: the first of two, when it
 * occurs twice.  When it is skipped, *skipped is what clocks are set forward
 * by, and the instant that at which they are.
 */
extern int64 crm_zone_instant(pg_tz *zone, int64 local, int64 *skipped);

/* What the clocks show at an instant. */
extern int64 crm_zone_local(pg_tz *zone, int64 at);

/* The zone of that name.  Raises 22023 when there is none. */
extern pg_tz *crm_zone_find(const char *name);

#endif							/* CRM_ZONE_H */
