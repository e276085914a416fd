/*
 * calendar_cache.h
 *		The business calendars that this backend knows.
 *
 * A calendar is read when first needed, and all are thrown away after their
 * tables changed: the trigger crm.business_time_changed() sends a relcache
 * invalidation, which reaches every backend when the change commits and takes
 * the change back from this one when it does not.
 */
#ifndef CRM_CALENDAR_CACHE_H
#define CRM_CALENDAR_CACHE_H

#include "time/business_calendar.h"

/*
 * The calendar of that name, good until the next call.  Reads with the rights
 * of the caller.  Raises RM010, RM082.
 */
extern CrmBusinessCalendar *crm_calendar_find(const char *name, int length);

#endif							/* CRM_CALENDAR_CACHE_H */
