/*
 * zone.c
 *		Times on the wall of a time zone as instants; see zone.h.
 */
#include "postgres.h"

#include "datatype/timestamp.h"

#include "time/zone.h"

#define SECONDS_TO_2000 ((int64) 946684800)

static pg_time_t
to_seconds(int64 at)
{
	int64		seconds = at / USECS_PER_SEC;

	if (at % USECS_PER_SEC < 0)
		seconds--;
	return seconds + SECONDS_TO_2000;
}

int64
crm_zone_next_change(pg_tz *zone, int64 at, int64 *before, int64 *after)
{
	pg_time_t	seconds = to_seconds(at);
	pg_time_t	boundary;
	long int	offset_before;
	long int	offset_after;
	int			dst_before;
	int			dst_after;
	int			found = pg_next_dst_boundary(&seconds, &offset_before, &dst_before, &boundary,
											 &offset_after, &dst_after, zone);

	if (found < 0)
		elog(ERROR, "time zone \"%s\" cannot be read", pg_get_timezone_name(zone));
	if (found == 0)
		offset_after = offset_before;
	/* A POSIX string may say so; all that counts by days relies on less. */
	if (Max(labs(offset_before), labs(offset_after)) >= SECS_PER_DAY)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" is a day or more away from UTC", pg_get_timezone_name(zone)),
				 errhint("Use an IANA name such as Europe/Moscow; pg_timezone_names lists them.")));
	*before = offset_before * USECS_PER_SEC;
	*after = offset_after * USECS_PER_SEC;
	return found == 0 ? PG_INT64_MAX : ((int64) boundary - SECONDS_TO_2000) * USECS_PER_SEC;
}

int64
crm_zone_instant(pg_tz *zone, int64 local, int64 *skipped)
{
	/*
	 * Offsets stay under a day, so two days earlier the clocks showed an
	 * earlier time, even where a day was skipped.
	 */
	int64		at = local - 2 * USECS_PER_DAY;

	*skipped = 0;
	for (;;)
	{
		int64		before;
		int64		after;
		int64		change = crm_zone_next_change(zone, at, &before, &after);

		if (local - before < change)
			return local - before;
		if (local - after < change)
		{
			*skipped = after - before;
			return change;
		}
		at = change;
		if (local - after == change)
			return change;
	}
}

int64
crm_zone_local(pg_tz *zone, int64 at)
{
	int64		before;
	int64		after;

	(void) crm_zone_next_change(zone, at, &before, &after);
	return at + before;
}

pg_tz *
crm_zone_find(const char *name)
{
	pg_tz	   *zone = strlen(name) <= TZ_STRLEN_MAX ? pg_tzset(name) : NULL;

	if (zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown time zone \"%.100s\"", name),
				 errhint("Use an IANA name such as Europe/Moscow; pg_timezone_names lists them.")));
	return zone;
}
