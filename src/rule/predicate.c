/*
 * predicate.c
 *		has_tag(), in_segment() and did() of a single contact.
 *
 * They read as their caller: nothing is found here that the caller could not
 * select.  What an event or a segment stands for is looked up once a query and
 * call site; the plans are kept for the session.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "crm.h"
#include "rule/event.h"
#include "rule/predicate.h"

PG_FUNCTION_INFO_V1(crm_contact_has_tag);
PG_FUNCTION_INFO_V1(crm_contact_in_segment);
PG_FUNCTION_INFO_V1(crm_contact_did);

static void
connect(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
}

/* ---- tags ---- */

Datum
crm_contact_has_tag(PG_FUNCTION_ARGS)
{
	static SPIPlanPtr plan = NULL;
	bool		found;

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	if (PG_ARGISNULL(0))
		PG_RETURN_BOOL(false);
	connect();
	if (plan == NULL)
	{
		Oid			types[] = {INT8OID, TEXTOID};
		SPIPlanPtr	made = SPI_prepare("SELECT FROM crm.tag t WHERE t.contact_id OPERATOR(pg_catalog.=) $1"
									   " AND t.tag OPERATOR(pg_catalog.=) $2", 2, types);

		if (made == NULL)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		SPI_keepplan(made);
		plan = made;
	}
	{
		Datum		values[] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};

		if (SPI_execute_plan(plan, values, NULL, true, 1) != SPI_OK_SELECT)
			elog(ERROR, "reading crm.tag failed");
	}
	found = SPI_processed > 0;
	SPI_finish();
	PG_RETURN_BOOL(found);
}

/* ---- what a call site remembers ---- */

/* So often a segment is asked in its table before all of it is read. */
#define PROBES_BEFORE_VIEW 20

typedef struct CallSite
{
	text	   *name;			/* of the segment or event */
	int64		segment;
	int			probes;			/* since the snapshot is another one */
	CrmSegmentView view;
	char	   *sql;			/* of the event: the rows that count, less LIMIT */
	SPIPlanPtr	plan;
} CallSite;

static CallSite *
call_site(FunctionCallInfo fcinfo, text *name, bool *known)
{
	CallSite   *site = fcinfo->flinfo->fn_extra;

	*known = site != NULL && site->name != NULL &&
		VARSIZE_ANY_EXHDR(site->name) == VARSIZE_ANY_EXHDR(name) &&
		memcmp(VARDATA_ANY(site->name), VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)) == 0;
	if (site == NULL)
		site = fcinfo->flinfo->fn_extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(CallSite));
	if (!*known)
		site->name = NULL;
	return site;
}

static void
remember(FunctionCallInfo fcinfo, CallSite *site, text *name)
{
	site->name = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, VARSIZE_ANY(name));
	memcpy(site->name, name, VARSIZE_ANY(name));
}

/* ---- segments ---- */

Datum
crm_contact_in_segment(PG_FUNCTION_ARGS)
{
	text	   *name;
	CallSite   *site;
	bool		known;
	bool		found = false;

	if (PG_ARGISNULL(1))
		PG_RETURN_NULL();
	name = PG_GETARG_TEXT_PP(1);
	site = call_site(fcinfo, name, &known);
	if (known && !PG_ARGISNULL(0) && crm_segment_see(&site->view))
		PG_RETURN_BOOL(crm_segment_view_has(&site->view, PG_GETARG_INT64(0)));
	connect();
	if (!known)
	{
		site->segment = crm_segment_find(text_to_cstring(name));
		site->probes = 0;
		remember(fcinfo, site, name);
	}
	if (!PG_ARGISNULL(0))
	{
		found = crm_segment_probe(site->segment, PG_GETARG_INT64(0));
		/* Who asks often is going through many contacts. */
		if (++site->probes >= PROBES_BEFORE_VIEW)
		{
			site->segment = crm_segment_find(text_to_cstring(name));
			crm_segment_look(site->segment, fcinfo->flinfo->fn_mcxt, &site->view);
			site->probes = 0;
		}
	}
	SPI_finish();
	PG_RETURN_BOOL(found);
}

/* ---- events ---- */

/* Plans by their SQL, for the session. */
typedef struct KeptPlan
{
	char		sql[1024];
	SPIPlanPtr	plan;
} KeptPlan;

#define KEPT_PLANS 64

static SPIPlanPtr
kept_plan(const char *sql, int count, Oid *types)
{
	static HTAB *plans = NULL;
	KeptPlan   *entry;
	SPIPlanPtr	plan;

	if (strlen(sql) < sizeof(entry->sql))
	{
		if (plans == NULL)
		{
			HASHCTL		control;

			memset(&control, 0, sizeof(control));
			control.keysize = sizeof(entry->sql);
			control.entrysize = sizeof(KeptPlan);
			plans = hash_create("plans of events", 32, &control, HASH_ELEM | HASH_STRINGS);
		}
		entry = hash_search(plans, sql, HASH_FIND, NULL);
		if (entry != NULL)
			return entry->plan;
	}
	plan = SPI_prepare(sql, count, types);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	if (plans != NULL && strlen(sql) < sizeof(entry->sql) && hash_get_num_entries(plans) < KEPT_PLANS)
	{
		SPI_keepplan(plan);
		entry = hash_search(plans, sql, HASH_ENTER, NULL);
		entry->plan = plan;
	}
	return plan;
}

static Oid	event_types[] = {INT8OID, TIMESTAMPTZOID, INTERVALOID, INT8OID};

/* The rows that count; $1 contact, $2 as_of, $3 span or null. */
static char *
event_sql(const CrmEvent *event, bool within)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "FROM %s e WHERE %s OPERATOR(pg_catalog.=) $1 AND %s OPERATOR(pg_catalog.<=) $2",
					 event->relation, event->contact, event->at);
	if (within)
		appendStringInfo(&sql, " AND %s OPERATOR(pg_catalog.>) ($2 OPERATOR(pg_catalog.-) $3)", event->at);
	if (event->filter != NULL)
		appendStringInfo(&sql, " AND (%s)", event->filter);
	return sql.data;
}

/* crm.contact_did(contact_id, event, at_least, at_most, within, as_of) */
Datum
crm_contact_did(PG_FUNCTION_ARGS)
{
	text	   *name;
	CallSite   *site;
	bool		known;
	int64		at_least;
	int64		at_most = -1;
	int64		count;
	Datum		values[4];
	char		nulls[] = "    ";
	bool		isnull;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(5))
		PG_RETURN_NULL();
	name = PG_GETARG_TEXT_PP(1);
	at_least = PG_GETARG_INT32(2);
	if (!PG_ARGISNULL(3))
		at_most = PG_GETARG_INT32(3);
	site = call_site(fcinfo, name, &known);
	connect();
	if (!known)
	{
		CrmEvent	event;

		crm_event_find(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), &event);
		site->sql = MemoryContextStrdup(fcinfo->flinfo->fn_mcxt,
										psprintf("SELECT pg_catalog.count(*) FROM (SELECT %s LIMIT $4) x",
												 event_sql(&event, !PG_ARGISNULL(4))));
		remember(fcinfo, site, name);
	}
	if (PG_ARGISNULL(0))
		count = 0;
	else
	{
		SPIPlanPtr	plan = kept_plan(site->sql, 4, event_types);

		values[0] = PG_GETARG_DATUM(0);
		values[1] = PG_GETARG_DATUM(5);
		values[2] = PG_ARGISNULL(4) ? (Datum) 0 : PG_GETARG_DATUM(4);
		nulls[2] = PG_ARGISNULL(4) ? 'n' : ' ';
		values[3] = Int64GetDatum(Max(at_least, at_most + 1));
		if (SPI_execute_plan(plan, values, nulls, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
			elog(ERROR, "counting events failed");
		count = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	}
	SPI_finish();
	PG_RETURN_BOOL(count >= at_least && (at_most < 0 || count <= at_most));
}

/*
 * The moment of the contact's number-th latest event up to as_of, counted from
 * 1, and of the first one after it.  False when there is none.
 */
static bool
moment(const char *sql, int64 contact, TimestampTz as_of, int64 number, TimestampTz *at)
{
	Datum		values[] = {Int64GetDatum(contact), TimestampTzGetDatum(as_of), (Datum) 0, Int64GetDatum(number - 1)};
	bool		isnull;
	bool		found;

	if (SPI_execute_plan(kept_plan(sql, 4, event_types), values, "  n ", true, 1) != SPI_OK_SELECT)
		elog(ERROR, "reading events failed");
	found = SPI_processed > 0;
	if (found)
		*at = DatumGetTimestampTz(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	return found;
}

bool
crm_event_latest(const char *name, size_t length, int64 contact, TimestampTz as_of,
				 int64 number, TimestampTz *at)
{
	CrmEvent	event;
	bool		found;

	connect();
	crm_event_find(name, length, &event);
	found = moment(psprintf("SELECT %s %s ORDER BY %s DESC OFFSET $4", event.at, event_sql(&event, false), event.at),
				   contact, as_of, number, at);
	SPI_finish();
	return found;
}

bool
crm_event_next(const char *name, size_t length, int64 contact, TimestampTz as_of, TimestampTz *at)
{
	CrmEvent	event;
	StringInfoData sql;
	bool		found;

	connect();
	crm_event_find(name, length, &event);
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s FROM %s e WHERE %s OPERATOR(pg_catalog.=) $1 AND %s OPERATOR(pg_catalog.>) $2",
					 event.at, event.relation, event.contact, event.at);
	if (event.filter != NULL)
		appendStringInfo(&sql, " AND (%s)", event.filter);
	appendStringInfo(&sql, " ORDER BY %s OFFSET $4", event.at);
	found = moment(sql.data, contact, as_of, 1, at);
	SPI_finish();
	return found;
}

void
crm_rule_find_names(const CrmRuleNode *node)
{
	CrmEvent	event;

	connect();
	if (node->kind == CRM_RULE_DID)
		crm_event_find(node->string, node->length, &event);
	else
		crm_segment_find(pnstrdup(node->string, node->length));
	SPI_finish();
}
