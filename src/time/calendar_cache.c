/*
 * calendar_cache.c
 *		The business calendars that this backend knows; see calendar_cache.h.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "crm.h"
#include "history/change.h"
#include "time/calendar_cache.h"
#include "time/zone.h"

/* What they are read from; a change of any makes all stale. */
static const char *const source_names[] = {
	"business_calendar", "business_hours", "business_exception", "business_holiday", "holiday"
};
static Oid	source_tables[lengthof(source_names)];

static MemoryContext cache_context = NULL;
static CrmBusinessCalendar *calendars = NULL;
static bool cache_valid = false;

/* Rights are those of the role that reads. */
static Oid	cache_role = InvalidOid;

/*
 * Set where the snapshot of a parallel query had to be read with: what was
 * read is good for that statement alone.
 */
static TimestampTz cache_statement = 0;

static void
tables_invalidated(Datum argument, Oid relation)
{
	if (!OidIsValid(relation))
		cache_valid = false;
	for (int i = 0; i < lengthof(source_tables); i++)
		if (relation == source_tables[i])
			cache_valid = false;
}

static void
refresh_cache(void)
{
	Oid			schema;

	if (cache_valid && cache_role == GetUserId() &&
		(cache_statement == 0 || cache_statement == GetCurrentStatementStartTimestamp()))
		return;
	if (cache_context == NULL)
	{
		cache_context = AllocSetContextCreate(CacheMemoryContext, "crm business calendars", ALLOCSET_SMALL_SIZES);
		CacheRegisterRelcacheCallback(tables_invalidated, (Datum) 0);
	}
	MemoryContextReset(cache_context);
	calendars = NULL;
	cache_statement = 0;
	cache_role = GetUserId();
	schema = get_namespace_oid("crm", false);
	for (int i = 0; i < lengthof(source_tables); i++)
	{
		source_tables[i] = get_relname_relid(source_names[i], schema);
		if (!OidIsValid(source_tables[i]))
			ereport(ERROR,
					(errcode(MAKE_SQLSTATE('R', 'M', '0', '1', '0')),
					 errmsg("table \"crm.%s\" is not installed in this database", source_names[i]),
					 errhint("Run SELECT crm.install() as the role that shall own the tables.")));
	}
	cache_valid = true;
}

/*
 * Runs a query about the calendar $1.  Reads what is committed now, not what
 * the transaction's snapshot shows: what is read outlives a transaction of an
 * isolation level that keeps an old one.
 */
static void
run(const char *sql, Datum name)
{
	Oid			type = TEXTOID;
	SPIPlanPtr	plan = SPI_prepare(sql, 1, &type);
	Snapshot	snapshot;

	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	if (IsInParallelMode())
	{
		snapshot = RegisterSnapshot(GetActiveSnapshot());
		cache_statement = GetCurrentStatementStartTimestamp();
	}
	else
		snapshot = RegisterSnapshot(GetLatestSnapshot());
	if (SPI_execute_snapshot(plan, &name, NULL, snapshot, InvalidSnapshot, true, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "reading a business calendar failed");
	UnregisterSnapshot(snapshot);
}

static Datum
field(uint64 row, int number, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number, isnull);
}

static int
integer_field(uint64 row, int number)
{
	bool		isnull;
	Datum		value = field(row, number, &isnull);

	return isnull ? 0 : DatumGetInt32(value);
}

static char *
text_field(MemoryContext context, uint64 row, int number)
{
	char	   *value = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, number);

	return value == NULL ? NULL : MemoryContextStrdup(context, value);
}

/* Adds the interval of columns number and number + 1; what ends before it begins ends on the next day. */
static void
add_interval(MemoryContext context, CrmWorkDay *work, uint64 row, int number)
{
	bool		isnull;
	TimeADT		starts = DatumGetTimeADT(field(row, number, &isnull));
	TimeADT		ends;

	if (isnull)
		return;
	ends = DatumGetTimeADT(field(row, number + 1, &isnull));
	if (isnull)
		return;
	if (work->count >= CRM_CALENDAR_MAX_INTERVALS)
	{
		work->count++;			/* refused by crm_business_prepare() */
		return;
	}
	if (work->intervals == NULL)
		work->intervals = MemoryContextAlloc(context, sizeof(CrmWorkInterval) * CRM_CALENDAR_MAX_INTERVALS);
	work->intervals[work->count].starts = starts;
	work->intervals[work->count++].ends = ends > starts ? ends : ends + USECS_PER_DAY;
}

static void
read_hours(CrmBusinessCalendar *calendar, Datum name)
{
	run("SELECT h.weekday, h.starts, h.ends FROM crm.business_hours h "
		"WHERE h.calendar OPERATOR(pg_catalog.=) $1 AND h.weekday BETWEEN 1 AND 7 ORDER BY h.weekday, h.starts", name);
	for (uint64 i = 0; i < SPI_processed; i++)
		add_interval(calendar->context, &calendar->week[integer_field(i, 1) - 1], i, 2);
}

static void
read_exceptions(CrmBusinessCalendar *calendar, Datum name)
{
	run("SELECT e.day, e.starts, e.ends, e.name FROM crm.business_exception e "
		"WHERE e.calendar OPERATOR(pg_catalog.=) $1 AND e.day BETWEEN '1900-01-01' AND '2399-12-31' ORDER BY e.day, e.starts", name);
	if (SPI_processed == 0)
		return;
	calendar->exceptions = MemoryContextAllocHuge(calendar->context, sizeof(CrmWorkDay) * SPI_processed);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		DateADT		day = DatumGetDateADT(field(i, 1, &isnull));
		CrmWorkDay *work = &calendar->exceptions[calendar->exception_count];

		if (calendar->exception_count > 0 && work[-1].day == day)
			work--;
		else
		{
			memset(work, 0, sizeof(CrmWorkDay));
			work->day = day;
			calendar->exception_count++;
		}
		if (work->name == NULL)
			work->name = text_field(calendar->context, i, 4);
		add_interval(calendar->context, work, i, 2);
	}
}

static void
read_holidays(CrmBusinessCalendar *calendar, Datum name)
{
	run("SELECT h.name, h.month, h.day, h.weekday, h.nth, h.easter, h.shift_days "
		"FROM crm.business_holiday b JOIN crm.holiday h ON h.name OPERATOR(pg_catalog.=) b.holiday "
		"WHERE b.calendar OPERATOR(pg_catalog.=) $1 ORDER BY h.name", name);
	if (SPI_processed == 0)
		return;
	calendar->holidays = MemoryContextAllocZero(calendar->context, sizeof(CrmCalendarHoliday) * SPI_processed);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		CrmCalendarHoliday *holiday = &calendar->holidays[i];
		char	   *easter = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 6);

		holiday->work.name = text_field(calendar->context, i, 1);
		holiday->rule.month = integer_field(i, 2);
		holiday->rule.day = integer_field(i, 3);
		holiday->rule.weekday = integer_field(i, 4);
		holiday->rule.nth = integer_field(i, 5);
		holiday->rule.easter = easter == NULL ? CRM_EASTER_NONE :
			strcmp(easter, "western") == 0 ? CRM_EASTER_WESTERN : CRM_EASTER_ORTHODOX;
		holiday->rule.shift = integer_field(i, 7);
		/* Whoever owns the table may have taken its constraints away. */
		if (!crm_holiday_is_sound(&holiday->rule))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("holiday \"%s\" goes neither by month and day, nor by month, weekday and nth, nor by easter",
							holiday->work.name == NULL ? "" : holiday->work.name),
					 errhint("Its row of crm.holiday is not as the constraints of that table want it.")));
	}
	calendar->holiday_count = SPI_processed;
}

static void
report_unknown(const char *name, Datum argument)
{
	char	   *nearest = NULL;

	if (strlen(name) <= 1000)
		run("SELECT c.name FROM crm.business_calendar c, "
			"LATERAL (SELECT crm.levenshtein(pg_catalog.lower(c.name), pg_catalog.lower($1)) AS distance) d "
			"WHERE d.distance OPERATOR(pg_catalog.<=) (pg_catalog.length($1) OPERATOR(pg_catalog./) 3 OPERATOR(pg_catalog.+) 1) "
			"ORDER BY d.distance, c.name LIMIT 1", argument);
	if (strlen(name) <= 1000 && SPI_processed > 0)
		nearest = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	ereport(ERROR,
			(errcode(MAKE_SQLSTATE('R', 'M', '0', '8', '2')),
			 errmsg("there is no business calendar \"%.100s\"", name),
			 nearest != NULL ? errhint("Perhaps you meant \"%s\"; crm.business_calendar lists them.", nearest) :
			 errhint("crm.business_calendar lists them; crm.create_calendar() makes one.")));
}

static CrmBusinessCalendar *
read_calendar(const char *name, int length)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "crm business calendar", ALLOCSET_DEFAULT_SIZES);
	CrmBusinessCalendar *calendar = MemoryContextAllocZero(context, sizeof(CrmBusinessCalendar));
	Datum		argument = PointerGetDatum(cstring_to_text_with_len(name, length));
	const char *zone;

	calendar->context = context;
	calendar->name = MemoryContextAllocZero(context, length + 1);
	memcpy(calendar->name, name, length);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	run("SELECT c.time_zone FROM crm.business_calendar c WHERE c.name OPERATOR(pg_catalog.=) $1", argument);
	if (SPI_processed == 0)
		report_unknown(calendar->name, argument);
	zone = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	calendar->zone = crm_zone_find(zone == NULL ? "" : zone);
	read_hours(calendar, argument);
	read_exceptions(calendar, argument);
	read_holidays(calendar, argument);
	SPI_finish();
	crm_business_prepare(calendar);
	return calendar;
}

CrmBusinessCalendar *
crm_calendar_find(const char *name, int length)
{
	CrmBusinessCalendar *calendar;

	refresh_cache();
	for (calendar = calendars; calendar != NULL; calendar = calendar->next)
		if (strlen(calendar->name) == length && memcmp(calendar->name, name, length) == 0)
			return calendar;
	calendar = read_calendar(name, length);
	/* Kept from now on; an invalidation during the reading makes the next call read again. */
	MemoryContextSetParent(calendar->context, cache_context);
	calendar->next = calendars;
	calendars = calendar;
	return calendar;
}

PG_FUNCTION_INFO_V1(crm_business_time_changed);

/*
 * AFTER any change FOR EACH STATEMENT on the tables of calendars: every
 * backend reads them anew.
 */
Datum
crm_business_time_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = crm_require_trigger(fcinfo, "crm.business_time_changed()");

	CacheInvalidateRelcacheByRelid(RelationGetRelid(trigger->tg_relation));
	return PointerGetDatum(NULL);
}
