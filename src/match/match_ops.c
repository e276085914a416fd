/*
 * match_ops.c
 *		SQL functions of the match engine.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/dsa.h"
#include "utils/memutils.h"
#include "utils/queryenvironment.h"
#include "utils/tuplestore.h"

#include "crm.h"
#include "match/progress.h"
#include "match/run.h"

/* Weights of pairs of which people have said what they are. */
#define CERTAIN 1000.0

/* Records that are drawn for pairs at random: some 700,000 pairs. */
#define SAMPLED_RECORDS 1200

/* Pairs of blocks that training looks at, about. */
#define SAMPLED_PAIRS 700000.0

/* Weight of pairs that clusters look at. */
#define LEAST_EDGE (-5.0)

PG_FUNCTION_INFO_V1(crm_match_sql_train);
PG_FUNCTION_INFO_V1(crm_match_sql_plan);
PG_FUNCTION_INFO_V1(crm_match_sql_pairs);
PG_FUNCTION_INFO_V1(crm_match_sql_clusters);
PG_FUNCTION_INFO_V1(crm_match_sql_explain);
PG_FUNCTION_INFO_V1(crm_match_sql_require_rows);
PG_FUNCTION_INFO_V1(crm_match_sql_check);
PG_FUNCTION_INFO_V1(crm_match_sql_key_version);

/* ---- what all runs do ---- */

/* Reads the records with what is needed to compare them. */
static void
load(MatchRun *run, ArrayType *only)
{
	MemoryContext old_context = MemoryContextSwitchTo(run->context);

	crm_match_report_phase(MATCH_PHASE_LOAD);
	crm_match_read_aliases(run);
	crm_match_load(run, only);
	MemoryContextSwitchTo(old_context);
}

static void
finish(MatchRun *run)
{
	if (run->area != NULL)
		dsa_detach(run->area);
	MemoryContextDelete(run->context);
	crm_match_report_end();
}

typedef struct Known
{
	uint64		hash;			/* of the number */
	uint32		record;
} Known;

static int
compare_known(const void *a, const void *b)
{
	const Known *x = a;
	const Known *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* The record of that number, or UINT32_MAX. */
static uint32
find_record(const MatchRun *run, const Known *known, const char *id)
{
	uint64		hash = crm_match_hash(id, strlen(id), 0);
	uint32		low = 0;
	uint32		high = run->records.count;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (known[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < run->records.count && known[low].hash == hash; low++)
		if (strcmp(crm_match_id(run, known[low].record), id) == 0)
			return known[low].record;
	return PG_UINT32_MAX;
}

/* All records by their numbers. */
static Known *
know_records(MatchRun *run)
{
	Known	   *known = MemoryContextAllocHuge(run->context, ((Size) run->records.count + 1) * sizeof(Known));

	for (uint32 i = 0; i < run->records.count; i++)
	{
		const char *id = crm_match_id(run, i);

		known[i] = (Known) {crm_match_hash(id, strlen(id), 0), i};
	}
	qsort(known, run->records.count, sizeof(Known), compare_known);
	return known;
}

/* ---- training ---- */

typedef struct Drawn
{
	uint64		order;
	uint32		record;
} Drawn;

static int
compare_drawn(const void *a, const void *b)
{
	const Drawn *x = a;
	const Drawn *y = b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return x->record < y->record ? -1 : x->record > y->record;
}

/* Patterns of the pairs of records whose numbers hash lowest with the seed. */
static CrmMatchBin *
sample_random(MatchRun *run, int64 seed, size_t *count)
{
	Drawn	   *drawn = MemoryContextAllocHuge(run->context, (Size) Max(run->records.count, 1) * sizeof(Drawn));
	uint32		n = Min(run->records.count, SAMPLED_RECORDS);
	uint32		kept = 0;
	CrmMatchHistogram *histogram = crm_match_histogram_make(&run->host);
	CrmMatchBin *bins;

	/* Nearly always below twice the share that is wanted; else all are sorted. */
	for (int attempt = 0; attempt < 2 && kept < n; attempt++)
	{
		uint64		bound = attempt > 0 || run->records.count / 2 <= n ? PG_UINT64_MAX : PG_UINT64_MAX / run->records.count * 2 * n;

		kept = 0;
		for (uint32 i = 0; i < run->records.count; i++)
		{
			const char *id = crm_match_id(run, i);
			uint64		order = crm_match_hash(id, strlen(id), (uint64) seed);

			if (order <= bound)
				drawn[kept++] = (Drawn) {order, i};
		}
	}
	qsort(drawn, kept, sizeof(Drawn), compare_drawn);
	for (uint32 i = 0; i < n; i++)
	{
		for (uint32 j = i + 1; j < n; j++)
			crm_match_histogram_add(histogram,
									crm_match_pattern(&run->model, crm_match_feature(&run->records, drawn[i].record),
													  crm_match_feature(&run->records, drawn[j].record)), 0, 1);
		CHECK_FOR_INTERRUPTS();
	}
	bins = crm_match_histogram_bins(histogram, count);
	crm_match_histogram_free(histogram);
	pfree(drawn);
	return bins;
}

/* What people said of pairs, as patterns; returns how many pairs there are. */
static int64
learn_labels(MatchRun *run)
{
	Oid			types[] = {TEXTOID};
	Datum		name = CStringGetTextDatum(run->name);
	CrmMatchHistogram *histogram[2];
	CrmMatchBin *bins[2];
	size_t		counts[2];
	Known	   *known;
	int64		used = 0;

	if (SPI_execute_with_args("SELECT left_id, right_id, is_match FROM crm.match_label WHERE model = $1", 1, types, &name, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "reading labels failed");
	if (SPI_processed == 0)
		return 0;
	known = know_records(run);
	for (int side = 0; side < 2; side++)
		histogram[side] = crm_match_histogram_make(&run->host);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		bool		isnull;
		uint32		left = find_record(run, known, SPI_getvalue(row, SPI_tuptable->tupdesc, 1));
		uint32		right = find_record(run, known, SPI_getvalue(row, SPI_tuptable->tupdesc, 2));
		bool		is_match = DatumGetBool(SPI_getbinval(row, SPI_tuptable->tupdesc, 3, &isnull));

		/* Of records that are gone nothing is learned. */
		if (left == PG_UINT32_MAX || right == PG_UINT32_MAX)
			continue;
		crm_match_histogram_add(histogram[is_match ? 0 : 1],
								crm_match_pattern(&run->model, crm_match_feature(&run->records, left),
												  crm_match_feature(&run->records, right)), 0, 1);
		used++;
		CHECK_FOR_INTERRUPTS();
	}
	SPI_freetuptable(SPI_tuptable);
	pfree(known);
	for (int side = 0; side < 2; side++)
		bins[side] = crm_match_histogram_bins(histogram[side], &counts[side]);
	crm_match_learn_labels(&run->model, bins[0], counts[0], bins[1], counts[1]);
	return used;
}

/* Learns the parameters of loaded records and stores them. */
static void
train(MatchRun *run, int64 seed, MatchLargeBlocks *blocks)
{
	CrmMatchTraining *training = MemoryContextAllocZero(run->context, sizeof(CrmMatchTraining));
	CrmMatchHistogram *histogram;
	CrmMatchBin *random;
	CrmMatchBin *blocked;
	size_t		random_count;
	size_t		blocked_count;
	double		fraction;
	double		pairs;
	int64		labels;

	crm_match_count_values(run);
	crm_match_make_all_keys(run);
	pairs = (double) crm_match_divide(run, true, blocks);
	crm_match_report_phase(MATCH_PHASE_TRAIN);
	random = sample_random(run, seed, &random_count);
	fraction = pairs <= SAMPLED_PAIRS ? 1 : SAMPLED_PAIRS / pairs;
	for (;;)
	{
		histogram = crm_match_collect(run, fraction == 1 ? UINT64_MAX : (uint64) (fraction * 18446744073709551615.0));
		blocked = crm_match_histogram_bins(histogram, &blocked_count);
		if (blocked_count > 0 || fraction == 1)
			break;
		/* Few blocks, all large, and none of them was drawn. */
		crm_match_histogram_free(histogram);
		pfree(blocked);
		fraction = Min(1, fraction * 8);
	}
	training->records = run->records.count;
	if (!crm_match_train(&run->model, random, random_count, blocked, blocked_count, fraction, training, &run->host))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("match model \"%s\" cannot be trained: %s", run->name, training->problem),
				 errdetail("%u records were read, blocking gives %.0f pairs of them.", run->records.count, pairs),
				 errhint("A model learns from duplicates: the table must hold some, and the blocking rules must bring them together.")));
	labels = learn_labels(run);
	run->version = crm_match_store_version(run, seed, labels, training);
	crm_match_histogram_free(histogram);
	pfree(random);
	pfree(blocked);
}

/* crm.train_match_model(name, seed) */
Datum
crm_match_sql_train(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int64		seed = PG_GETARG_INT64(1);
	MatchLargeBlocks blocks = {0};
	MatchRun   *run;
	int			version;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	run = crm_match_open(name, false);
	crm_match_report_start(InvalidOid);
	load(run, NULL);
	train(run, seed, &blocks);
	version = run->version;
	finish(run);
	SPI_finish();
	PG_RETURN_INT32(version);
}

/* ---- plans ---- */

/* crm.dedup_plan(model) */
Datum
crm_match_sql_plan(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MatchLargeBlocks blocks = {0};
	MatchRun   *run;

	InitMaterializedSRF(fcinfo, 0);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	run = crm_match_open(name, false);
	crm_match_report_start(InvalidOid);
	load(run, NULL);
	crm_match_count_values(run);
	crm_match_make_all_keys(run);
	crm_match_divide(run, true, &blocks);
	for (int r = 0; r < run->model.rules; r++)
	{
		const CrmMatchRule *rule = &run->model.rule[r];
		StringInfoData text;
		Datum		values[6];
		bool		nulls[6] = {0};
		int64		keys = 0;
		int			large = 0;
		int64		left = 0;

		initStringInfo(&text);
		for (int i = 0; i < rule->parts; i++)
		{
			appendStringInfo(&text, "%s%s", i > 0 ? ", " : "", run->model.field[rule->part[i].field].name);
			if (rule->part[i].aspect != CRM_ASPECT_FULL)
				appendStringInfo(&text, ":%s", crm_aspect_name((CrmAspect) rule->part[i].aspect));
		}
		for (uint32 i = 0; i < run->records.count; i++)
		{
			const uint32_t *key = crm_match_keys(&run->records, i) + rule->slot;

			for (int s = 0; s < rule->slots && key[s] != 0; s++)
				keys++;
		}
		for (int i = 0; i < blocks.count; i++)
			if (blocks.block[i].rule == r)
			{
				large++;
				left += blocks.block[i].left;
			}
		values[0] = Int32GetDatum(r + 1);
		values[1] = CStringGetTextDatum(text.data);
		values[2] = Int64GetDatum(keys);
		values[3] = Int64GetDatum((int64) run->blocks[r].pairs);
		values[4] = Int32GetDatum(large);
		values[5] = Int64GetDatum(left);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		CHECK_FOR_INTERRUPTS();
	}
	finish(run);
	SPI_finish();
	return (Datum) 0;
}

/* ---- matching ---- */

/*
 * Opens a model, loads its records and prepares them for comparison; trains it
 * first if it is not trained, from the records that are at hand.
 */
static MatchRun *
start(const char *name, MatchLargeBlocks *blocks)
{
	MatchRun   *run = crm_match_open(name, false);

	crm_match_report_start(InvalidOid);
	if (run->version > 0)
	{
		MemoryContextDelete(run->context);
		run = crm_match_open(name, true);
		crm_match_read_frequencies(run);
		load(run, NULL);
		crm_match_make_all_keys(run);
		crm_match_divide(run, false, blocks);
	}
	else
	{
		load(run, NULL);
		train(run, 1, blocks);
	}
	crm_match_drop_idle(run);
	return run;
}

/*
 * What people have said of pairs outweighs everything: pairs that are none keep
 * clusters apart, confirmed ones join them.
 */
static void
apply_decisions(MatchRun *run, MatchEdges *edges)
{
	Oid			types[] = {TEXTOID};
	Datum		name = CStringGetTextDatum(run->name);
	Known	   *known;
	CrmMatchEdge *said;
	uint64		count;
	Size		kept = 0;
	uint64		n = 0;
	uint64		once = 0;

	if (SPI_execute_with_args("SELECT left_id, right_id, is_match FROM crm.match_decisions($1)", 1, types, &name, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "reading decisions failed");
	count = SPI_processed;
	if (count == 0)
		return;
	known = know_records(run);
	said = MemoryContextAllocHuge(run->context, (Size) count * sizeof(CrmMatchEdge));
	for (uint64 i = 0; i < count; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		bool		isnull;
		uint32		a = find_record(run, known, SPI_getvalue(row, SPI_tuptable->tupdesc, 1));
		uint32		b = find_record(run, known, SPI_getvalue(row, SPI_tuptable->tupdesc, 2));
		bool		is_match = DatumGetBool(SPI_getbinval(row, SPI_tuptable->tupdesc, 3, &isnull));

		if (a == PG_UINT32_MAX || b == PG_UINT32_MAX || a == b)
			continue;
		said[n++] = (CrmMatchEdge) {Min(a, b), Max(a, b), is_match ? CERTAIN : -CERTAIN * run->records.count};
		CHECK_FOR_INTERRUPTS();
	}
	SPI_freetuptable(SPI_tuptable);
	qsort(said, n, sizeof(CrmMatchEdge), crm_match_compare_edges);

	/* Of a pair that was decided more than once, that they are two counts. */
	for (uint64 i = 0; i < n; i++)
	{
		if (once > 0 && said[once - 1].a == said[i].a && said[once - 1].b == said[i].b)
			said[once - 1].weight = Min(said[once - 1].weight, said[i].weight);
		else
			said[once++] = said[i];
	}
	n = once;

	/* What was computed of these pairs goes. */
	for (Size i = 0; i < edges->count; i++)
	{
		CrmMatchEdge edge = edges->edge[i];

		if (edge.a > edge.b)
			edge = (CrmMatchEdge) {edge.b, edge.a, edge.weight};
		if (n == 0 || bsearch(&edge, said, n, sizeof(CrmMatchEdge), crm_match_compare_edges) == NULL)
			edges->edge[kept++] = edge;
	}
	edges->count = kept;
	for (uint64 i = 0; i < n; i++)
		crm_match_add_edge(edges, said[i]);
	pfree(said);
	pfree(known);
}

uint32 *
crm_match_find_clusters(MatchRun *run, MatchEdges *edges)
{
	uint32	   *cluster = MemoryContextAllocHuge(run->context, ((Size) run->records.count + 1) * sizeof(uint32));

	apply_decisions(run, edges);
	crm_match_report_phase(MATCH_PHASE_CLUSTER);
	crm_match_cluster(run->records.count, edges->edge, edges->count, run->threshold, run->missing, cluster, &run->host);
	return cluster;
}

/* crm.match_pairs(model, min_weight) */
Datum
crm_match_sql_pairs(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	double		least = PG_GETARG_FLOAT8(1);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MatchLargeBlocks blocks = {0};
	MatchEdges	edges = {0};
	MatchRun   *run;

	InitMaterializedSRF(fcinfo, 0);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	run = start(name, &blocks);
	crm_match_report_phase(MATCH_PHASE_SCORE);
	crm_match_score(run, least, &edges);
	crm_match_report_phase(MATCH_PHASE_WRITE);
	for (Size i = 0; i < edges.count; i++)
	{
		Datum		values[4];
		bool		nulls[4] = {0};

		values[0] = CStringGetTextDatum(crm_match_id(run, Min(edges.edge[i].a, edges.edge[i].b)));
		values[1] = CStringGetTextDatum(crm_match_id(run, Max(edges.edge[i].a, edges.edge[i].b)));
		values[2] = Float8GetDatum(edges.edge[i].weight);
		values[3] = Float8GetDatum(crm_match_probability(edges.edge[i].weight));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		pfree(DatumGetPointer(values[0]));
		pfree(DatumGetPointer(values[1]));
		if ((i & 4095) == 0)
			CHECK_FOR_INTERRUPTS();
	}
	finish(run);
	SPI_finish();
	return (Datum) 0;
}

/* crm.match_clusters(model, threshold) */
Datum
crm_match_sql_clusters(PG_FUNCTION_ARGS)
{
	char	   *name;
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MatchLargeBlocks blocks = {0};
	MatchEdges	edges = {0};
	uint32	   *cluster;
	MatchRun   *run;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	run = start(name, &blocks);
	if (!PG_ARGISNULL(1))
		run->threshold = PG_GETARG_FLOAT8(1);
	crm_match_report_phase(MATCH_PHASE_SCORE);
	crm_match_score(run, LEAST_EDGE, &edges);
	cluster = crm_match_find_clusters(run, &edges);
	crm_match_report_phase(MATCH_PHASE_WRITE);
	for (uint32 i = 0; i < run->records.count; i++)
	{
		Datum		values[2];
		bool		nulls[2] = {0};

		values[0] = CStringGetTextDatum(crm_match_id(run, i));
		values[1] = CStringGetTextDatum(crm_match_id(run, cluster[i]));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		pfree(DatumGetPointer(values[0]));
		pfree(DatumGetPointer(values[1]));
		if ((i & 4095) == 0)
			CHECK_FOR_INTERRUPTS();
	}
	finish(run);
	SPI_finish();
	return (Datum) 0;
}

Datum
crm_match_sql_key_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(CRM_MATCH_KEY_VERSION);
}

/* crm.check_match_model(name): reads no row, but plans the query. */
Datum
crm_match_sql_check(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	MatchRun   *run;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	run = crm_match_open(name, false);
	crm_match_check_query(run);
	MemoryContextDelete(run->context);
	SPI_finish();
	PG_RETURN_VOID();
}

/* ---- the whole of it ---- */

/* Makes rows known to statements by a name. */
static void
register_rows(const char *name, TupleDesc desc, Tuplestorestate *rows)
{
	EphemeralNamedRelation relation = palloc0(sizeof(EphemeralNamedRelationData));

	relation->md.name = pstrdup(name);
	relation->md.reliddesc = InvalidOid;
	relation->md.tupdesc = desc;
	relation->md.enrtype = ENR_NAMED_TUPLESTORE;
	relation->md.enrtuples = tuplestore_tuple_count(rows);
	relation->reldata = rows;
	if (SPI_register_relation(relation) != SPI_OK_REL_REGISTER)
		elog(ERROR, "SPI_register_relation failed");
}

static TupleDesc
make_desc(int columns, const char *const *names, const Oid *types)
{
	TupleDesc	desc = CreateTemplateTupleDesc(columns);

	for (int i = 0; i < columns; i++)
	{
		TupleDescInitEntry(desc, i + 1, names[i], types[i], -1, 0);
		/* As the columns of our tables. */
		if (types[i] == TEXTOID)
			TupleDescInitEntryCollation(desc, i + 1, C_COLLATION_OID);
	}
	return desc;
}

/* Pairs of the review threshold or more. */
static Tuplestorestate *
found_rows(MatchRun *run, const MatchEdges *edges, double least, const uint32 *cluster, TupleDesc *desc)
{
	static const char *const names[] = {"left_id", "right_id", "weight", "probability", "in_cluster"};
	static const Oid types[] = {TEXTOID, TEXTOID, FLOAT8OID, FLOAT8OID, BOOLOID};
	Tuplestorestate *rows = tuplestore_begin_heap(false, false, work_mem);

	*desc = make_desc(5, names, types);
	for (Size i = 0; i < edges->count; i++)
	{
		const CrmMatchEdge *edge = &edges->edge[i];
		Datum		values[5];
		bool		nulls[5] = {0};

		if (edge->weight < least || edge->weight >= CERTAIN)
			continue;
		values[0] = CStringGetTextDatum(crm_match_id(run, Min(edge->a, edge->b)));
		values[1] = CStringGetTextDatum(crm_match_id(run, Max(edge->a, edge->b)));
		values[2] = Float8GetDatum(edge->weight);
		values[3] = Float8GetDatum(crm_match_probability(edge->weight));
		values[4] = BoolGetDatum(cluster[edge->a] == cluster[edge->b]);
		tuplestore_putvalues(rows, *desc, values, nulls);
		pfree(DatumGetPointer(values[0]));
		pfree(DatumGetPointer(values[1]));
		if ((i & 4095) == 0)
			CHECK_FOR_INTERRUPTS();
	}
	return rows;
}

/* Records that are in a cluster with others. */
static Tuplestorestate *
member_rows(MatchRun *run, const uint32 *cluster, int64 *clusters, TupleDesc *desc)
{
	static const char *const names[] = {"id", "cluster_id"};
	static const Oid types[] = {TEXTOID, TEXTOID};
	Tuplestorestate *rows = tuplestore_begin_heap(false, false, work_mem);
	uint32	   *size = MemoryContextAllocHuge(run->context, ((Size) run->records.count + 1) * sizeof(uint32));

	*desc = make_desc(2, names, types);
	*clusters = 0;
	memset(size, 0, ((Size) run->records.count + 1) * sizeof(uint32));
	for (uint32 i = 0; i < run->records.count; i++)
		if (++size[cluster[i]] == 2)
			(*clusters)++;
	for (uint32 i = 0; i < run->records.count; i++)
	{
		Datum		values[2];
		bool		nulls[2] = {0};

		if (size[cluster[i]] < 2)
			continue;
		values[0] = CStringGetTextDatum(crm_match_id(run, i));
		values[1] = CStringGetTextDatum(crm_match_id(run, cluster[i]));
		tuplestore_putvalues(rows, *desc, values, nulls);
		pfree(DatumGetPointer(values[0]));
		pfree(DatumGetPointer(values[1]));
		if ((i & 4095) == 0)
			CHECK_FOR_INTERRUPTS();
	}
	pfree(size);
	return rows;
}

static Tuplestorestate *
block_rows(MatchRun *run, const MatchLargeBlocks *blocks, TupleDesc *desc)
{
	static const char *const names[] = {"rule", "key", "records", "example_id", "divided_by", "left_out"};
	static const Oid types[] = {INT4OID, INT8OID, INT8OID, TEXTOID, INT4OID, INT8OID};
	Tuplestorestate *rows = tuplestore_begin_heap(false, false, work_mem);

	*desc = make_desc(6, names, types);
	for (int i = 0; i < blocks->count; i++)
	{
		const CrmMatchLargeBlock *block = &blocks->block[i];
		Datum		values[6];
		bool		nulls[6] = {0};

		values[0] = Int32GetDatum(block->rule + 1);
		values[1] = Int64GetDatum((int64) block->key);
		values[2] = Int64GetDatum((int64) block->size);
		values[3] = CStringGetTextDatum(crm_match_id(run, block->example));
		values[4] = Int32GetDatum(block->other + 1);
		nulls[4] = block->other < 0;
		values[5] = Int64GetDatum((int64) block->left);
		tuplestore_putvalues(rows, *desc, values, nulls);
	}
	return rows;
}

/* Who sees some of the rows only would withdraw the pairs of the others. */
static void
refuse_row_security(MatchRun *run)
{
	Oid			types[] = {TEXTOID};
	Datum		relation = CStringGetTextDatum(run->relation);
	bool		isnull;

	if (SPI_execute_with_args("WITH RECURSIVE used (oid) AS ("
							  "SELECT pg_catalog.to_regclass($1)::oid UNION "
							  "SELECT d.refobjid FROM used JOIN pg_catalog.pg_rewrite w ON w.ev_class = used.oid "
							  "JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = w.oid "
							  "AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass) "
							  "SELECT coalesce(pg_catalog.bool_or(pg_catalog.row_security_active(used.oid)), false) FROM used",
							  1, types, &relation, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "asking for row security failed");
	if (DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("row security hides rows of table %s from role \"%s\"", run->relation, GetUserNameFromId(GetUserId(), false)),
				 errdetail("The pairs of rows that are not seen would be withdrawn."),
				 errhint("Run it as the owner of the table, or ask for crm.match_pairs().")));
	SPI_freetuptable(SPI_tuptable);
}

PG_FUNCTION_INFO_V1(crm_match_sql_dedupe);

/* crm.dedupe(model): reads once, trains if need be, finds, and hands over. */
Datum
crm_match_sql_dedupe(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	MatchLargeBlocks blocks = {0};
	MatchEdges	edges = {0};
	MatchRun   *run;
	TupleDesc	descs[3];
	Tuplestorestate *rows[3];
	uint32	   *cluster;
	int64		clusters;
	uint64		compared;
	Oid			types[] = {TEXTOID, INT4OID, INT8OID, INT8OID, INT8OID};
	Datum		values[5];
	TupleDesc	result_desc;
	HeapTuple	result;
	bool		isnull;
	Datum		answer[7];
	bool		nulls[7] = {0};

	if (get_call_result_type(fcinfo, NULL, &result_desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	result_desc = BlessTupleDesc(result_desc);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	run = start(name, &blocks);
	refuse_row_security(run);
	crm_match_report_phase(MATCH_PHASE_SCORE);
	compared = crm_match_score(run, Min(LEAST_EDGE, run->review_threshold), &edges);
	cluster = crm_match_find_clusters(run, &edges);
	crm_match_report_phase(MATCH_PHASE_WRITE);
	rows[0] = found_rows(run, &edges, run->review_threshold, cluster, &descs[0]);
	rows[1] = member_rows(run, cluster, &clusters, &descs[1]);
	rows[2] = block_rows(run, &blocks, &descs[2]);
	register_rows("crm_found", descs[0], rows[0]);
	register_rows("crm_member", descs[1], rows[1]);
	register_rows("crm_block", descs[2], rows[2]);
	values[0] = CStringGetTextDatum(name);
	values[1] = Int32GetDatum(run->version);
	values[2] = Int64GetDatum((int64) run->records.count);
	values[3] = Int64GetDatum((int64) compared);
	values[4] = Int64GetDatum(clusters);
	answer[0] = values[1];
	answer[1] = values[2];
	answer[2] = values[3];
	answer[3] = Int64GetDatum(tuplestore_tuple_count(rows[0]));
	answer[4] = values[4];
	finish(run);
	crm_match_write_found(types, values);
	if (SPI_processed != 1)
		elog(ERROR, "writing what was found failed");
	answer[5] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	answer[6] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull);
	for (int i = 0; i < 3; i++)
		tuplestore_end(rows[i]);
	SPI_finish();
	result = heap_form_tuple(result_desc, answer, nulls);
	PG_RETURN_DATUM(HeapTupleGetDatum(result));
}

/* ---- explanations ---- */

static void
put_explanation(ReturnSetInfo *result, int position, const char *field, Datum left, Datum right, int level,
				const CrmMatchField *model_field, double frequency, double contribution)
{
	Datum		values[11];
	bool		nulls[11] = {0};
	char		label[64];

	values[0] = Int32GetDatum(position);
	values[1] = CStringGetTextDatum(field);
	values[2] = left;
	nulls[2] = left == (Datum) 0;
	values[3] = right;
	nulls[3] = right == (Datum) 0;
	for (int i = 4; i < 10; i++)
		nulls[i] = true;
	if (model_field != NULL)
	{
		values[4] = Int32GetDatum(level);
		values[5] = CStringGetTextDatum(crm_match_level_name(model_field, level, label, sizeof(label)));
		nulls[4] = nulls[5] = false;
		if (level > 0)
		{
			values[6] = Float8GetDatum(model_field->m[level]);
			values[7] = Float8GetDatum(model_field->u[level]);
			values[8] = Float8GetDatum(model_field->weight[level]);
			values[9] = Float8GetDatum(frequency);
			nulls[6] = nulls[7] = nulls[8] = nulls[9] = false;
		}
	}
	values[10] = Float8GetDatum(contribution);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
report_no_row(const MatchRun *run, const char *id)
{
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("table %s of match model \"%s\" has no row \"%s\"", run->relation, run->name, id),
			 run->filter != NULL ? errhint("The model takes rows only for which %s.", run->filter) : 0));
}

/* crm.require_match_rows(model, ids) */
Datum
crm_match_sql_require_rows(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	ArrayType  *ids = PG_GETARG_ARRAYTYPE_P(1);
	MatchRun   *run;
	SPITupleTable *shown;
	Datum	   *id;
	bool	   *nulls;
	int			count;

	deconstruct_array(ids, TEXTOID, -1, false, TYPALIGN_INT, &id, &nulls, &count);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	run = crm_match_open(name, false);
	shown = crm_match_show_values(run, ids);
	for (int i = 0; i < count; i++)
	{
		char	   *wanted = nulls[i] ? NULL : TextDatumGetCString(id[i]);
		bool		is_there = wanted == NULL;

		for (uint64 row = 0; row < shown->numvals && !is_there; row++)
			is_there = strcmp(SPI_getvalue(shown->vals[row], shown->tupdesc, 1), wanted) == 0;
		if (!is_there)
			report_no_row(run, wanted);
	}
	MemoryContextDelete(run->context);
	SPI_finish();
	PG_RETURN_VOID();
}

/* crm.explain_match(model, left_id, right_id) */
Datum
crm_match_sql_explain(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *id[2] = {text_to_cstring(PG_GETARG_TEXT_PP(1)), text_to_cstring(PG_GETARG_TEXT_PP(2))};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		ids[2] = {PG_GETARG_DATUM(1), PG_GETARG_DATUM(2)};
	ArrayType  *both = construct_array(ids, 2, TEXTOID, -1, false, TYPALIGN_INT);
	const uint8_t *feature[2] = {NULL, NULL};
	double		part[CRM_MATCH_FIELDS + 1];
	uint64_t	pattern;
	MatchRun   *run;
	SPITupleTable *shown;
	int			row_of[2] = {-1, -1};

	InitMaterializedSRF(fcinfo, 0);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	run = crm_match_open(name, true);
	crm_match_read_frequencies(run);
	load(run, both);
	for (int side = 0; side < 2; side++)
	{
		for (uint32 i = 0; i < run->records.count; i++)
			if (strcmp(crm_match_id(run, i), id[side]) == 0)
			{
				uint8_t    *found = crm_match_feature(&run->records, i);

				crm_match_set_frequencies(&run->model, found, &run->frequencies);
				feature[side] = found;
			}
		if (feature[side] == NULL)
			report_no_row(run, id[side]);
	}
	pattern = crm_match_pattern(&run->model, feature[0], feature[1]);
	crm_match_weight_parts(&run->model, pattern, feature[0], feature[1], part);

	shown = crm_match_show_values(run, both);
	for (int side = 0; side < 2; side++)
		for (uint64 i = 0; i < shown->numvals; i++)
			if (strcmp(SPI_getvalue(shown->vals[i], shown->tupdesc, 1), id[side]) == 0)
				row_of[side] = (int) i;

	put_explanation(result, 0, "prior", (Datum) 0, (Datum) 0, 0, NULL, 0, run->model.prior);
	for (int f = 0; f < run->model.fields; f++)
	{
		const CrmMatchField *field = &run->model.field[f];
		int			level = crm_match_level(pattern, f);
		Datum		value[2] = {0};

		for (int side = 0; side < 2; side++)
		{
			bool		isnull = true;
			Datum		datum = row_of[side] < 0 ? (Datum) 0 :
				SPI_getbinval(shown->vals[row_of[side]], shown->tupdesc, f + 2, &isnull);

			value[side] = isnull ? (Datum) 0 : datum;
		}
		put_explanation(result, f + 1, field->name, value[0], value[1], level, field,
						crm_match_frequency_weight(field, level, feature[0], feature[1]), part[f]);
	}
	if (run->model.lambda_household > 0)
		put_explanation(result, run->model.fields + 1, "household", (Datum) 0, (Datum) 0, 0, NULL, 0, part[run->model.fields]);
	MemoryContextDelete(run->context);
	SPI_finish();
	return (Datum) 0;
}
