/*
 * segment_probe.c
 *		Whether a contact is in a segment.
 *
 * The members of a segment are kept in crm.segment_chunk, one crm.contact_set
 * for each 65536 numbers.  One contact is looked up there; who asks of many
 * reads all chunks once and keeps them as long as the snapshot is the same.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "crm.h"
#include "rule/event.h"
#include "type/contact_set_datum.h"

#define ERRCODE_CRM_UNKNOWN_SEGMENT MAKE_SQLSTATE('R', 'M', '0', '3', '1')

static SPIPlanPtr
prepare(const char *sql, int count, Oid *types)
{
	SPIPlanPtr	plan = SPI_prepare(sql, count, types);

	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	return plan;
}

/* The number of a segment; raises RM031 when there is none.  Needs SPI. */
int64
crm_segment_find(const char *name)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(name)};
	Oid			schema = get_namespace_oid("crm", false);
	bool		isnull;

	if (OidIsValid(get_relname_relid("segment", schema)))
	{
		if (plan == NULL)
			plan = prepare("SELECT id FROM crm.segment WHERE name OPERATOR(pg_catalog.=) $1", 1, types);
		if (SPI_execute_plan(plan, values, NULL, true, 1) != SPI_OK_SELECT)
			elog(ERROR, "reading crm.segment failed");
		if (SPI_processed > 0)
			return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	}
	ereport(ERROR,
			(errcode(ERRCODE_CRM_UNKNOWN_SEGMENT),
			 errmsg("there is no segment \"%s\"", name),
			 errhint("Segments are the rows of crm.segment.")));
}

/* Needs SPI. */
bool
crm_segment_probe(int64 segment_id, int64 contact_id)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {INT8OID, INT8OID};
	Datum		values[] = {Int64GetDatum(segment_id), Int64GetDatum(contact_id)};

	if (plan == NULL)
		plan = prepare("SELECT FROM crm.segment_chunk c"
					   " WHERE c.segment_id OPERATOR(pg_catalog.=) $1"
					   " AND c.chunk OPERATOR(pg_catalog.=) ($2 OPERATOR(pg_catalog.>>) 16)"
					   " AND c.members OPERATOR(crm.@>) $2", 2, types);
	if (SPI_execute_plan(plan, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "reading crm.segment_chunk failed");
	return SPI_processed > 0;
}

/*
 * A snapshot is told by how many transactions had ended when it was taken, and
 * by what this one had done.  One that was taken elsewhere tells no such number.
 */
bool
crm_segment_see(const CrmSegmentView *view)
{
	Snapshot	snapshot;

	if (view->members == NULL || !ActiveSnapshotSet())
		return false;
	snapshot = GetActiveSnapshot();
	return snapshot->snapXactCompletionCount != 0 &&
		snapshot->snapXactCompletionCount == view->completions &&
		snapshot->xmax == view->xmax && snapshot->curcid == view->command;
}

bool
crm_segment_view_has(const CrmSegmentView *view, int64 contact_id)
{
	return crm_set_has((const CrmSet *) view->members, contact_id);
}

void
crm_segment_look(int64 segment_id, MemoryContext context, CrmSegmentView *view)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(segment_id)};
	Snapshot	snapshot = GetActiveSnapshot();
	Datum		members;
	bool		isnull;

	if (view->members != NULL)
		pfree(view->members);
	view->members = NULL;
	if (snapshot->snapXactCompletionCount == 0)
		return;
	if (plan == NULL)
		plan = prepare("SELECT coalesce(crm.union_agg(c.members), '{}'::crm.contact_set) FROM crm.segment_chunk c"
					   " WHERE c.segment_id OPERATOR(pg_catalog.=) $1", 1, types);
	if (SPI_execute_plan(plan, values, NULL, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "reading crm.segment_chunk failed");
	members = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	context = MemoryContextSwitchTo(context);
	view->members = (struct varlena *) crm_set_open(PointerGetDatum(PG_DETOAST_DATUM_COPY(members)));
	MemoryContextSwitchTo(context);
	view->completions = snapshot->snapXactCompletionCount;
	view->xmax = snapshot->xmax;
	view->command = snapshot->curcid;
}
