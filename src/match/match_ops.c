/*
 * match_ops.c
 *		SQL functions of the match engine.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/dsa.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "crm.h"
#include "match/progress.h"
#include "match/run.h"

/* Records that are drawn for pairs at random: over a million pairs. */
#define SAMPLED_RECORDS 1600

/* Pairs of blocks that training looks at, about. */
#define SAMPLED_PAIRS 1500000.0

/* Weight of pairs that clusters look at. */
#define LEAST_EDGE (-5.0)

PG_FUNCTION_INFO_V1(crm_match_sql_train);
PG_FUNCTION_INFO_V1(crm_match_sql_plan);
PG_FUNCTION_INFO_V1(crm_match_sql_pairs);
PG_FUNCTION_INFO_V1(crm_match_sql_clusters);
PG_FUNCTION_INFO_V1(crm_match_sql_scan);
PG_FUNCTION_INFO_V1(crm_match_sql_explain);
PG_FUNCTION_INFO_V1(crm_match_sql_check);
PG_FUNCTION_INFO_V1(crm_match_sql_key_version);

/* ---- what all runs do ---- */

static void
add_context(void *argument)
{
	MatchRun   *run = argument;

	errcontext("match model \"%s\" of table %s", run->name, run->relation);
	if (geterrcode() == ERRCODE_UNDEFINED_COLUMN)
		errhint("Was a column renamed or dropped? Correct crm.match_field.expression, or make the model again.");
}

/* Reads the records with what is needed to compare them. */
static void
load(MatchRun *run, ArrayType *only)
{
	ErrorContextCallback callback = {error_context_stack, add_context, run};
	MemoryContext old_context = MemoryContextSwitchTo(run->context);

	crm_match_report_phase(MATCH_PHASE_LOAD);
	crm_match_read_aliases(run);
	error_context_stack = &callback;
	crm_match_load(run, only);
	error_context_stack = callback.previous;
	MemoryContextSwitchTo(old_context);
}

/* Frequencies of values into the features, then keys. */
static void
make_keys(MatchRun *run)
{
	crm_match_report_phase(MATCH_PHASE_BLOCK);
	for (uint32 i = 0; i < run->records.count; i++)
	{
		uint8_t    *feature = crm_match_feature(&run->records, i);

		crm_match_set_frequencies(&run->model, feature, &run->frequencies);
		crm_match_make_keys(&run->model, feature, crm_match_keys(&run->records, i));
		if ((i & 4095) == 0)
			CHECK_FOR_INTERRUPTS();
	}
}

typedef struct LargeBlocks
{
	int			count;
	int			room;
	CrmMatchLargeBlock *block;
} LargeBlocks;

static void
note_large_block(const CrmMatchLargeBlock *block, void *argument)
{
	LargeBlocks *blocks = argument;

	if (blocks->count == blocks->room)
	{
		blocks->room = blocks->room * 2 + 16;
		blocks->block = blocks->block == NULL ? palloc(blocks->room * sizeof(CrmMatchLargeBlock)) :
			repalloc(blocks->block, blocks->room * sizeof(CrmMatchLargeBlock));
	}
	blocks->block[blocks->count++] = *block;
}

static uint64
divide(MatchRun *run, LargeBlocks *blocks)
{
	uint64		pairs = crm_match_divide(&run->records, (uint32) run->block_limit, run->pairs_per_record, run->pairs,
										 note_large_block, blocks, &run->host);

	crm_match_report_planned(pairs);
	return pairs;
}

static void
finish(MatchRun *run)
{
	if (run->area != NULL)
		dsa_detach(run->area);
	MemoryContextDelete(run->context);
	crm_match_report_end();
}

/* ---- training ---- */

static void
count_values(MatchRun *run)
{
	for (int f = 0; f < run->model.fields; f++)
		for (int t = 0; t < CRM_MATCH_TABLES; t++)
			run->frequencies.table[f][t] = crm_match_counts_make(&run->host);
	for (uint32 i = 0; i < run->records.count; i++)
	{
		crm_match_count_feature(&run->model, crm_match_feature(&run->records, i), &run->frequencies);
		if ((i & 4095) == 0)
			CHECK_FOR_INTERRUPTS();
	}

	/* log2 of the chance that two records drawn at random have the same value */
	for (int f = 0; f < run->model.fields; f++)
		for (int t = 0; t < CRM_MATCH_TABLES; t++)
		{
			const CrmMatchCounts *counts = run->frequencies.table[f][t];
			double		total = (double) crm_match_counts_total(counts);
			double		equal = 0;
			size_t		at = 0;
			uint64_t	hash;
			uint32_t	number;

			while (crm_match_counts_next(counts, &at, &hash, &number))
				equal += (double) number * (number - 1);
			/* Nothing repeats: less than one pair in all. */
			run->model.field[f].agreement[t] = total < 2 ? 0 : log2(Max(equal, 0.5) / (total * (total - 1)));
		}
}

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
	CrmMatchHistogram *histogram = crm_match_histogram_make(&run->host);
	CrmMatchBin *bins;

	for (uint32 i = 0; i < run->records.count; i++)
	{
		const char *id = crm_match_id(run, i);

		drawn[i] = (Drawn) {crm_match_hash(id, strlen(id), (uint64) seed), i};
	}
	qsort(drawn, run->records.count, sizeof(Drawn), compare_drawn);
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
	SPITupleTable *labels;
	uint64		count;
	MatchRun   *others;
	Datum	   *ids;
	int64		used = 0;

	if (SPI_execute_with_args("SELECT left_id, right_id, is_match FROM crm.match_label WHERE model = $1", 1, types, &name, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "reading labels failed");
	count = SPI_processed;
	labels = SPI_tuptable;
	if (count == 0)
		return 0;
	ids = palloc(2 * count * sizeof(Datum));
	for (uint64 i = 0; i < count; i++)
		for (int side = 0; side < 2; side++)
		{
			bool		isnull;

			ids[2 * i + side] = SPI_getbinval(labels->vals[i], labels->tupdesc, side + 1, &isnull);
		}
	others = crm_match_open(run->name, false);
	load(others, construct_array(ids, (int) (2 * count), TEXTOID, -1, false, TYPALIGN_INT));
	for (int side = 0; side < 2; side++)
		histogram[side] = crm_match_histogram_make(&run->host);
	for (uint64 i = 0; i < count; i++)
	{
		const uint8_t *feature[2] = {NULL, NULL};
		bool		isnull;
		bool		is_match = DatumGetBool(SPI_getbinval(labels->vals[i], labels->tupdesc, 3, &isnull));

		for (int side = 0; side < 2; side++)
		{
			char	   *id = TextDatumGetCString(ids[2 * i + side]);

			for (uint32 r = 0; r < others->records.count; r++)
				if (strcmp(crm_match_id(others, r), id) == 0)
				{
					feature[side] = crm_match_feature(&others->records, r);
					break;
				}
		}
		if (feature[0] == NULL || feature[1] == NULL)
			continue;
		crm_match_histogram_add(histogram[is_match ? 0 : 1], crm_match_pattern(&run->model, feature[0], feature[1]), 0, 1);
		used++;
		CHECK_FOR_INTERRUPTS();
	}
	for (int side = 0; side < 2; side++)
		bins[side] = crm_match_histogram_bins(histogram[side], &counts[side]);
	crm_match_learn_labels(&run->model, bins[0], counts[0], bins[1], counts[1]);
	MemoryContextDelete(others->context);
	SPI_freetuptable(labels);
	return used;
}

/* Learns the parameters of loaded records and stores them. */
static void
train(MatchRun *run, int64 seed)
{
	CrmMatchTraining *training = MemoryContextAllocZero(run->context, sizeof(CrmMatchTraining));
	LargeBlocks blocks = {0};
	CrmMatchHistogram *histogram;
	CrmMatchBin *random;
	CrmMatchBin *blocked;
	size_t		random_count;
	size_t		blocked_count;
	double		fraction;
	double		pairs;
	int64		labels;

	count_values(run);
	make_keys(run);
	pairs = (double) divide(run, &blocks);
	crm_match_report_phase(MATCH_PHASE_TRAIN);
	random = sample_random(run, seed, &random_count);
	fraction = pairs <= SAMPLED_PAIRS ? 1 : SAMPLED_PAIRS / pairs;
	histogram = crm_match_collect(run, fraction == 1 ? UINT64_MAX : (uint64) (fraction * 18446744073709551615.0));
	blocked = crm_match_histogram_bins(histogram, &blocked_count);
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
	MatchRun   *run;
	int			version;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	run = crm_match_open(name, false);
	crm_match_report_start(InvalidOid);
	load(run, NULL);
	train(run, seed);
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
	LargeBlocks blocks = {0};
	MatchRun   *run;

	InitMaterializedSRF(fcinfo, 0);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	run = crm_match_open(name, false);
	crm_match_report_start(InvalidOid);
	load(run, NULL);
	count_values(run);
	make_keys(run);
	divide(run, &blocks);
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
		values[3] = Int64GetDatum((int64) run->pairs[r]);
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

/* Opens and loads a trained model and prepares its records for comparison. */
static MatchRun *
start(const char *name, LargeBlocks *blocks)
{
	MatchRun   *run = crm_match_open(name, true);

	crm_match_report_start(InvalidOid);
	crm_match_read_frequencies(run);
	load(run, NULL);
	make_keys(run);
	divide(run, blocks);
	return run;
}

/* Pairs that people have said are none, as edges of no hope. */
static void
apply_vetoes(MatchRun *run, MatchEdges *edges)
{
}

/* crm.match_pairs(model, min_weight) */
Datum
crm_match_sql_pairs(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	double		least = PG_GETARG_FLOAT8(1);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	LargeBlocks blocks = {0};
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
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	LargeBlocks blocks = {0};
	MatchEdges	edges = {0};
	uint32	   *cluster;
	MatchRun   *run;

	InitMaterializedSRF(fcinfo, 0);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	run = start(name, &blocks);
	if (!PG_ARGISNULL(1))
		run->threshold = PG_GETARG_FLOAT8(1);
	crm_match_report_phase(MATCH_PHASE_SCORE);
	crm_match_score(run, LEAST_EDGE, &edges);
	apply_vetoes(run, &edges);
	crm_match_report_phase(MATCH_PHASE_CLUSTER);
	cluster = MemoryContextAllocHuge(run->context, ((Size) run->records.count + 1) * sizeof(uint32));
	crm_match_cluster(run->records.count, edges.edge, edges.count, run->threshold, run->missing, cluster, &run->host);
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
	ErrorContextCallback callback;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	run = crm_match_open(name, false);
	callback = (ErrorContextCallback) {error_context_stack, add_context, run};
	error_context_stack = &callback;
	crm_match_check_query(run);
	error_context_stack = callback.previous;
	MemoryContextDelete(run->context);
	SPI_finish();
	PG_RETURN_VOID();
}
