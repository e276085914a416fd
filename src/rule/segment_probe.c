/*
 * segment_probe.c
 *		Whether a contact is in a segment.
 *
 * The members of a segment are kept in crm.segment_chunk, one crm.contact_set
 * for each 65536 numbers.  One contact is looked up there; who asks of many
 * reads all chunks once and keeps them as long as the snapshot sees the same.
 */
#include "postgres.h"

#include "access/xact.h"
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
	char	   *nearest = NULL;
	bool		isnull;

	if (OidIsValid(get_relname_relid("segment", schema)))
	{
		if (plan == NULL)
			plan = prepare("SELECT id FROM crm.segment WHERE name OPERATOR(pg_catalog.=) $1", 1, types);
		if (SPI_execute_plan(plan, values, NULL, true, 1) != SPI_OK_SELECT)
			elog(ERROR, "reading crm.segment failed");
		if (SPI_processed > 0)
			return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
		nearest = crm_nearest_name("SELECT name FROM crm.segment", name, strlen(name));
	}
	ereport(ERROR,
			(errcode(ERRCODE_CRM_UNKNOWN_SEGMENT),
			 errmsg("there is no segment \"%s\"", name),
			 nearest != NULL ? errhint("Perhaps you meant \"%s\".", nearest) :
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

const CrmSet *
crm_segment_read(int64 segment_id, MemoryContext context)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(segment_id)};
	const CrmSet *set;
	Datum		members;
	bool		isnull;

	if (plan == NULL)
		plan = prepare("SELECT coalesce(crm.union_agg(c.members), '{}'::crm.contact_set) FROM crm.segment_chunk c"
					   " WHERE c.segment_id OPERATOR(pg_catalog.=) $1", 1, types);
	if (SPI_execute_plan(plan, values, NULL, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "reading crm.segment_chunk failed");
	members = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	context = MemoryContextSwitchTo(context);
	set = crm_set_open(PointerGetDatum(PG_DETOAST_DATUM_COPY(members)));
	MemoryContextSwitchTo(context);
	return set;
}

void
crm_mark_snapshot(CrmSnapshotMark *mark, MemoryContext context)
{
	Snapshot	snapshot = ActiveSnapshotSet() ? GetActiveSnapshot() : NULL;
	Size		running;
	Size		subtransactions;

	if (mark->list != NULL)
		pfree(mark->list);
	memset(mark, 0, sizeof(*mark));
	if (snapshot == NULL || snapshot->snapshot_type != SNAPSHOT_MVCC)
		return;
	mark->is_set = true;
	mark->in_recovery = snapshot->takenDuringRecovery;
	mark->xmin = snapshot->xmin;
	mark->xmax = snapshot->xmax;
	mark->running = snapshot->xcnt;
	mark->subtransactions = snapshot->subxcnt;
	mark->command = snapshot->curcid;
	mark->inside = GetCurrentSubTransactionId();
	running = mark->running * sizeof(TransactionId);
	subtransactions = Max(mark->subtransactions, 0) * sizeof(TransactionId);
	mark->list = MemoryContextAlloc(context, running + subtransactions + 1);
	if (running > 0)
		memcpy(mark->list, snapshot->xip, running);
	if (subtransactions > 0)
		memcpy(mark->list + mark->running, snapshot->subxip, subtransactions);
}

bool
crm_is_snapshot(const CrmSnapshotMark *mark)
{
	Snapshot	snapshot = mark->is_set && ActiveSnapshotSet() ? GetActiveSnapshot() : NULL;

	return snapshot != NULL && snapshot->snapshot_type == SNAPSHOT_MVCC &&
		snapshot->curcid == mark->command && snapshot->xmax == mark->xmax && snapshot->xmin == mark->xmin &&
		snapshot->xcnt == mark->running && snapshot->subxcnt == mark->subtransactions &&
		snapshot->takenDuringRecovery == mark->in_recovery &&
		GetCurrentSubTransactionId() == mark->inside &&
		(mark->running == 0 || memcmp(snapshot->xip, mark->list, mark->running * sizeof(TransactionId)) == 0) &&
		(mark->subtransactions <= 0 ||
		 memcmp(snapshot->subxip, mark->list + mark->running, mark->subtransactions * sizeof(TransactionId)) == 0);
}
