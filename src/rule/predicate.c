/*
 * predicate.c
 *		has_tag(), in_segment() and did() of a single contact.
 *
 * They read as their caller: nothing is found here that the caller could not
 * select.  What an event or a segment stands for is looked up once a snapshot
 * and call site; the plans are kept for the session.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "crm.h"
#include "rule/event.h"
#include "rule/predicate.h"
#include "type/contact_set_datum.h"

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
#define PROBES_BEFORE_READING 20

/* Call sites of PL/pgSQL expressions live longer than a query. */
typedef struct CallSite
{
	text	   *name;			/* of the segment or event */
	CrmSnapshotMark mark;		/* with which it was looked up */
	int64		segment;
	int			probes;
	const CrmSet *members;		/* of the segment, or NULL */
	char	   *sql;			/* of the event: the rows that count, less LIMIT */
	bool		within;			/* whether it has a span */
} CallSite;

/* The call site; *known when it remembers this name. */
static CallSite *
call_site(FunctionCallInfo fcinfo, text *name, bool *known)
{
	CallSite   *site = fcinfo->flinfo->fn_extra;

	if (site == NULL)
		site = fcinfo->flinfo->fn_extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(CallSite));
	*known = site->name != NULL && crm_is_snapshot(&site->mark) &&
		VARSIZE_ANY_EXHDR(site->name) == VARSIZE_ANY_EXHDR(name) &&
		memcmp(VARDATA_ANY(site->name), VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)) == 0;
	return site;
}

static void
forget(CallSite *site)
{
	if (site->name != NULL)
		pfree(site->name);
	if (site->members != NULL)
		pfree(unconstify(CrmSet *, site->members));
	if (site->sql != NULL)
		pfree(site->sql);
	site->name = NULL;
	site->members = NULL;
	site->sql = NULL;
	site->probes = 0;
}

static void
remember(FunctionCallInfo fcinfo, CallSite *site, text *name)
{
	text	   *copy = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, VARSIZE_ANY(name));

	memcpy(copy, name, VARSIZE_ANY(name));
	crm_mark_snapshot(&site->mark, fcinfo->flinfo->fn_mcxt);
	site->name = copy;
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
	if (known && PG_ARGISNULL(0))
		PG_RETURN_BOOL(false);
	if (known && site->members != NULL)
		PG_RETURN_BOOL(crm_set_has(site->members, PG_GETARG_INT64(0)));
	connect();
	if (!known)
	{
		forget(site);
		site->segment = crm_segment_find(text_to_cstring(name));
		remember(fcinfo, site, name);
	}
	if (!PG_ARGISNULL(0))
	{
		found = crm_segment_probe(site->segment, PG_GETARG_INT64(0));
		/* Who asks often is going through many contacts. */
		if (++site->probes >= PROBES_BEFORE_READING)
			site->members = crm_segment_read(site->segment, fcinfo->flinfo->fn_mcxt);
	}
	SPI_finish();
	PG_RETURN_BOOL(found);
}

/* ---- events ---- */

/*
 * The SQL of events has operators without their schema.  It is read, planned
 * and, when its plan has become stale, read again under a search_path in which
 * nobody else's operators are.
 */
static int
connect_safely(void)
{
	int			nest = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	connect();
	return nest;
}

static void
finish_safely(int nest)
{
	SPI_finish();
	AtEOXact_GUC(true, nest);
}

/* Plans by their SQL, for the session. */
typedef struct KeptPlan
{
	uint64		hash;			/* of the text; must be first */
	char	   *sql;
	SPIPlanPtr	plan;
} KeptPlan;

#define KEPT_PLANS 256

static SPIPlanPtr
kept_plan(const char *sql, int count, Oid *types)
{
	static HTAB *plans = NULL;
	KeptPlan   *entry;
	SPIPlanPtr	plan;
	uint64		hash = DatumGetUInt64(hash_any_extended((const unsigned char *) sql, strlen(sql), 0));
	bool		found;

	if (plans == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(uint64), .entrysize = sizeof(KeptPlan), .hcxt = TopMemoryContext};

		plans = hash_create("crm plans of events", 32, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	entry = hash_search(plans, &hash, HASH_FIND, NULL);
	if (entry != NULL && strcmp(entry->sql, sql) == 0)
		return entry->plan;
	plan = SPI_prepare(sql, count, types);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	if (entry != NULL)
		return plan;			/* two texts of one hash: this one goes with the connection */
	if (hash_get_num_entries(plans) >= KEPT_PLANS)
	{
		HASH_SEQ_STATUS all;

		hash_seq_init(&all, plans);
		while ((entry = hash_seq_search(&all)) != NULL)
		{
			SPI_freeplan(entry->plan);
			pfree(entry->sql);
			(void) hash_search(plans, &entry->hash, HASH_REMOVE, NULL);
		}
	}
	sql = MemoryContextStrdup(TopMemoryContext, sql);
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "SPI_keepplan failed");
	entry = hash_search(plans, &hash, HASH_ENTER, &found);
	entry->sql = unconstify(char *, sql);
	entry->plan = plan;
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
	int			nest;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(5))
		PG_RETURN_NULL();
	name = PG_GETARG_TEXT_PP(1);
	at_least = PG_GETARG_INT32(2);
	if (!PG_ARGISNULL(3))
		at_most = PG_GETARG_INT32(3);
	site = call_site(fcinfo, name, &known);
	nest = connect_safely();
	if (!known || site->within != !PG_ARGISNULL(4))
	{
		CrmEvent	event;

		forget(site);
		crm_event_find(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name), &event);
		site->within = !PG_ARGISNULL(4);
		site->sql = MemoryContextStrdup(fcinfo->flinfo->fn_mcxt,
										psprintf("SELECT pg_catalog.count(*) FROM (SELECT %s LIMIT $4) x",
												 event_sql(&event, site->within)));
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
	finish_safely(nest);
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
	int			nest = connect_safely();

	crm_event_find(name, length, &event);
	found = moment(psprintf("SELECT %s %s ORDER BY %s DESC OFFSET $4", event.at, event_sql(&event, false), event.at),
				   contact, as_of, number, at);
	finish_safely(nest);
	return found;
}

bool
crm_event_next(const char *name, size_t length, int64 contact, TimestampTz as_of, TimestampTz *at)
{
	CrmEvent	event;
	StringInfoData sql;
	bool		found;
	int			nest = connect_safely();

	crm_event_find(name, length, &event);
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s FROM %s e WHERE %s OPERATOR(pg_catalog.=) $1 AND %s OPERATOR(pg_catalog.>) $2",
					 event.at, event.relation, event.contact, event.at);
	if (event.filter != NULL)
		appendStringInfo(&sql, " AND (%s)", event.filter);
	appendStringInfo(&sql, " ORDER BY %s OFFSET $4", event.at);
	found = moment(sql.data, contact, as_of, 1, at);
	finish_safely(nest);
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
