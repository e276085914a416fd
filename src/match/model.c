/*
 * model.c
 *		Match models in the tables: reading them, and writing what training
 *		found.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "crm.h"
#include "match/run.h"

static const char *const comparator_names[CRM_MATCH_COMPARATORS] = {
	[CRM_MATCH_EXACT] = "exact",
	[CRM_MATCH_TEXT] = "text",
	[CRM_MATCH_NAME_PART] = "name_part",
	[CRM_MATCH_PERSON] = "person",
	[CRM_MATCH_DATE] = "date",
	[CRM_MATCH_NUMBER] = "number",
	[CRM_MATCH_EMAIL] = "email",
	[CRM_MATCH_PHONE] = "phone",
	[CRM_MATCH_WORDS] = "words",
	[CRM_MATCH_IDENTIFIER] = "identifier"
};

/* ---- what a run lends the core ---- */

static void *
run_allocate(CrmMatchHost *host, size_t size)
{
	return MemoryContextAllocHuge(((MatchRun *) host)->context, size);
}

static void
run_release(CrmMatchHost *host, void *memory)
{
	pfree(memory);
}

static void
run_interrupt(CrmMatchHost *host)
{
	CHECK_FOR_INTERRUPTS();
}

/* ---- rows ---- */

static char *
text_at(HeapTuple row, TupleDesc desc, int column)
{
	return SPI_getvalue(row, desc, column);
}

static int
int_at(HeapTuple row, TupleDesc desc, int column, int when_null)
{
	bool		isnull;
	Datum		value = SPI_getbinval(row, desc, column, &isnull);

	return isnull ? when_null : DatumGetInt32(value);
}

static double
double_at(HeapTuple row, TupleDesc desc, int column)
{
	bool		isnull;
	Datum		value = SPI_getbinval(row, desc, column, &isnull);

	return isnull ? 0 : DatumGetFloat8(value);
}

static void
query(const char *sql, int nargs, Oid *types, Datum *values)
{
	if (SPI_execute_with_args(sql, nargs, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "reading a match model failed");
}

/* A double array of up to so many elements; how many there are. */
static int
doubles_at(HeapTuple row, TupleDesc desc, int column, double *out, int most)
{
	bool		isnull;
	Datum		value = SPI_getbinval(row, desc, column, &isnull);
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	if (isnull)
		return -1;
	deconstruct_array(DatumGetArrayTypeP(value), FLOAT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &elements, &nulls, &count);
	if (count > most)
		count = most;
	for (int i = 0; i < count; i++)
		out[i] = nulls[i] ? 0 : DatumGetFloat8(elements[i]);
	return count;
}

static void
read_fields(MatchRun *run, Datum name)
{
	Oid			types[] = {TEXTOID};

	query("SELECT name, expression, comparator, thresholds, max_values, decisive::integer, shared::integer, "
		  "CASE WHEN dependent_group IS NULL THEN 0 ELSE pg_catalog.dense_rank() OVER (ORDER BY dependent_group)::integer END FROM crm.match_field "
		  "WHERE model = $1 ORDER BY position", 1, types, &name);
	if (SPI_processed > CRM_MATCH_FIELDS)
		elog(ERROR, "match model \"%s\" has too many fields", run->name);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		CrmMatchField *field = &run->model.field[i];
		char	   *comparator = text_at(row, desc, 3);
		double		thresholds[CRM_MATCH_LEVELS];
		int			count;

		strlcpy(field->name, text_at(row, desc, 1), CRM_MATCH_NAME);
		run->expression[i] = MemoryContextStrdup(run->context, text_at(row, desc, 2));
		field->comparator = -1;
		for (int c = 0; c < CRM_MATCH_COMPARATORS; c++)
			if (strcmp(comparator, comparator_names[c]) == 0)
				field->comparator = c;
		if (field->comparator < 0)
			elog(ERROR, "unknown comparator \"%s\"", comparator);
		field->levels = crm_match_default_levels((CrmComparator) field->comparator, field->threshold);
		count = doubles_at(row, desc, 4, thresholds, CRM_MATCH_LEVELS - 2);
		if (count >= 0 && (field->comparator == CRM_MATCH_TEXT || field->comparator == CRM_MATCH_NUMBER))
		{
			memcpy(field->threshold, thresholds, count * sizeof(double));
			field->levels = count + 2;
		}
		field->values = int_at(row, desc, 5, 1);
		field->decisive = int_at(row, desc, 6, 0);
		field->shared = int_at(row, desc, 7, 0);
		field->group = int_at(row, desc, 8, 0);
		run->model.fields++;
	}
	SPI_freetuptable(SPI_tuptable);
}

static void
read_rules(MatchRun *run, Datum name)
{
	Oid			types[] = {TEXTOID};

	query("SELECT position, parts FROM crm.blocking_rule WHERE model = $1 ORDER BY position", 1, types, &name);
	if (SPI_processed > CRM_MATCH_RULES)
		elog(ERROR, "match model \"%s\" has too many blocking rules", run->name);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		CrmMatchRule *rule = &run->model.rule[i];
		bool		isnull;
		Datum		parts = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &isnull);
		Datum	   *elements;
		bool	   *nulls;
		int			count;

		deconstruct_array(DatumGetArrayTypeP(parts), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
		for (int j = 0; j < count && j < CRM_MATCH_RULE_PARTS; j++)
		{
			char	   *part = nulls[j] ? pstrdup("") : TextDatumGetCString(elements[j]);
			char	   *colon = strchr(part, ':');
			int			aspect = CRM_ASPECT_FULL;
			int			field = -1;

			if (colon != NULL)
			{
				aspect = crm_aspect_find(colon + 1, strlen(colon + 1));
				*colon = '\0';
			}
			for (int f = 0; f < run->model.fields; f++)
				if (strcmp(run->model.field[f].name, part) == 0)
					field = f;
			if (field < 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("blocking rule %d of match model \"%s\" names an unknown field \"%s\"",
								(int) i + 1, run->name, part),
						 errhint("A rule is a list of fields of the model, each \"field\" or \"field:property\".")));
			if (aspect < 0 ||
				!crm_aspect_fits((CrmComparator) run->model.field[field].comparator, (CrmAspect) aspect))
			{
				StringInfoData known;

				initStringInfo(&known);
				for (int a = 0; a < CRM_ASPECTS; a++)
					if (crm_aspect_fits((CrmComparator) run->model.field[field].comparator, (CrmAspect) a))
						appendStringInfo(&known, "%s%s", known.len > 0 ? ", " : "", crm_aspect_name((CrmAspect) a));
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("field \"%s\" of match model \"%s\" has no property \"%s\"",
								part, run->name, colon == NULL ? "full" : colon + 1),
						 errhint("It has: %s.", known.data)));
			}
			rule->part[rule->parts].field = field;
			rule->part[rule->parts].aspect = aspect;
			rule->parts++;
		}
		run->model.rules++;
	}
	SPI_freetuptable(SPI_tuptable);
}

static void
read_version(MatchRun *run, Datum name)
{
	Oid			types[] = {TEXTOID, INT4OID};
	Datum		values[] = {name, Int32GetDatum(run->version)};
	int			key_version;

	query("SELECT key_version, lambda, lambda_household FROM crm.match_version WHERE model = $1 AND version = $2", 2, types, values);
	if (SPI_processed != 1)
		elog(ERROR, "version %d of match model \"%s\" is missing", run->version, run->name);
	key_version = int_at(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, 0);
	run->model.lambda = double_at(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	run->model.lambda_household = double_at(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3);
	SPI_freetuptable(SPI_tuptable);
	if (key_version != CRM_MATCH_KEY_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("match model \"%s\" was trained with version %d of the match keys, this is version %d",
						run->name, key_version, CRM_MATCH_KEY_VERSION),
				 errhint("Run SELECT crm.train_match_model(%s).", quote_literal_cstr(run->name))));
	run->model.prior = log2(run->model.lambda / (1 - run->model.lambda));
	run->model.prior_household = run->model.lambda_household > 0 ? log2(run->model.lambda / run->model.lambda_household) : 0;
	query("SELECT field, level, m, u, weight, h, household_weight FROM crm.match_level WHERE model = $1 AND version = $2", 2, types, values);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		int			field = int_at(row, desc, 1, 0);
		int			level = int_at(row, desc, 2, 0);

		if (field < 1 || field > run->model.fields || level < 1 || level > run->model.field[field - 1].levels)
			elog(ERROR, "version %d of match model \"%s\" does not fit its fields", run->version, run->name);
		run->model.field[field - 1].m[level] = double_at(row, desc, 3);
		run->model.field[field - 1].u[level] = double_at(row, desc, 4);
		run->model.field[field - 1].weight[level] = double_at(row, desc, 5);
		run->model.field[field - 1].h[level] = double_at(row, desc, 6);
		run->model.field[field - 1].household[level] = double_at(row, desc, 7);
	}
	SPI_freetuptable(SPI_tuptable);
}

static void
read_idle_rules(MatchRun *run, Datum name)
{
	Oid			types[] = {TEXTOID, INT4OID};
	Datum		values[] = {name, Int32GetDatum(run->version)};

	query("SELECT rule, divided_by, is_used::integer FROM crm.match_rule_yield WHERE model = $1 AND version = $2", 2, types, values);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		int			rule = int_at(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, 0);
		int			divider;

		if (rule < 1 || rule > run->model.rules)
			continue;
		divider = int_at(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, 0) - 1;
		run->model.rule[rule - 1].divider = divider < 0 || divider >= run->model.rules || divider == rule - 1 ? -1 : divider;
		run->model.rule[rule - 1].idle = int_at(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 3, 1) == 0;
	}
	SPI_freetuptable(SPI_tuptable);
	crm_match_choose_made(&run->model);
}

/* Tables of an older version do not have all of ours. */
void
crm_match_refuse_without(const char *table)
{
	if (SPI_execute("SELECT crm.require_installed()", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "asking for the version of the tables failed");
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_TABLE),
			 errmsg("table crm.%s does not exist", table),
			 errhint("Run SELECT crm.install().")));
}

MatchRun *
crm_match_open(const char *name, bool trained)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "crm match run", ALLOCSET_DEFAULT_SIZES);
	MatchRun   *run = MemoryContextAllocZero(context, sizeof(MatchRun));
	Oid			types[] = {TEXTOID};
	Datum		argument = CStringGetTextDatum(name);
	const char *problem;
	bool		exists;

	if (!OidIsValid(get_relname_relid("match_model", get_namespace_oid("crm", false))))
		crm_match_refuse_without("match_model");
	run->host = (CrmMatchHost) {run_allocate, run_release, run_interrupt};
	run->context = context;
	query("SELECT name, relation, "
		  "CASE WHEN pg_catalog.cardinality(id_columns) = 1 THEN pg_catalog.quote_ident(id_columns[1]) "
		  "ELSE 'ROW(' || (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(c), ', ' ORDER BY n) FROM pg_catalog.unnest(id_columns) WITH ORDINALITY AS u (c, n)) || ')' END, "
		  /* A bare name in ORDER BY would be that of the text in the output. */
		  "(SELECT pg_catalog.string_agg(pg_catalog.quote_ident(c), ', ' ORDER BY n) FROM pg_catalog.unnest(id_columns) WITH ORDINALITY AS u (c, n)), "
		  "filter, coalesce(version, 0), threshold, missing_weight, review_threshold, pg_catalog.to_regclass(relation) IS NOT NULL, block_limit, "
		  "pairs_per_record, "
		  "id_columns, pg_catalog.to_regclass(relation)::pg_catalog.oid "
		  "FROM crm.match_model WHERE name = $1", 1, types, &argument);
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("there is no match model \"%s\"", name),
				 errhint("crm.match_model lists the models, crm.create_match_model() makes one.")));
	{
		HeapTuple	row = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		char	   *filter = text_at(row, desc, 5);
		bool		isnull;

		run->name = MemoryContextStrdup(context, text_at(row, desc, 1));
		run->relation = MemoryContextStrdup(context, text_at(row, desc, 2));
		run->id_expression = MemoryContextStrdup(context, text_at(row, desc, 3));
		run->order = MemoryContextStrdup(context, text_at(row, desc, 4));
		run->filter = filter == NULL ? NULL : MemoryContextStrdup(context, filter);
		run->version = int_at(row, desc, 6, 0);
		run->threshold = double_at(row, desc, 7);
		run->missing = double_at(row, desc, 8);
		run->review_threshold = double_at(row, desc, 9);
		exists = DatumGetBool(SPI_getbinval(row, desc, 10, &isnull));
		run->block_limit = int_at(row, desc, 11, 1000);
		run->pairs_per_record = double_at(row, desc, 12);
		run->relation_oid = DatumGetObjectId(SPI_getbinval(row, desc, 14, &isnull));
		crm_match_describe_id(run, DatumGetArrayTypeP(SPI_getbinval(row, desc, 13, &isnull)));
	}
	SPI_freetuptable(SPI_tuptable);
	if (!exists)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table %s of match model \"%s\" does not exist", run->relation, run->name),
				 errhint("Was it dropped or renamed? Make the model again, or correct crm.match_model.relation.")));
	read_fields(run, argument);
	read_rules(run, argument);
	problem = crm_match_layout(&run->model);
	if (problem != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("match model \"%s\" cannot be used: %s", run->name, problem)));
	if (run->version > 0)
	{
		if (trained)
		{
			read_version(run, argument);
			read_idle_rules(run, argument);
		}
	}
	else if (trained)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("match model \"%s\" is not trained", run->name),
				 errhint("Run SELECT crm.train_match_model(%s).", quote_literal_cstr(run->name))));
	return run;
}

/* ---- frequencies ---- */

/*
 * On disk: a byte of version, 1, and for each value its hash (8 bytes) and its
 * number (4 bytes), low bytes first, by hash ascending.
 */
#define PACKED_VERSION 1
#define PACKED_VALUE 12

/* Values that repeat, at most so many: the most frequent are not rare ones. */
#define MOST_PACKED (4 * 1024 * 1024)

static uint64
read_bytes(const uint8 *p, int bytes)
{
	uint64		value = 0;

	for (int i = 0; i < bytes; i++)
		value |= (uint64) p[i] << (8 * i);
	return value;
}

static void
write_bytes(uint8 *p, uint64 value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		p[i] = (uint8) (value >> (8 * i));
}

void
crm_match_read_frequencies(MatchRun *run)
{
	Oid			types[] = {TEXTOID, INT4OID};
	Datum		values[] = {CStringGetTextDatum(run->name), Int32GetDatum(run->version)};

	for (int f = 0; f < run->model.fields; f++)
		for (int t = 0; t < CRM_MATCH_TABLES; t++)
			run->frequencies.table[f][t] = crm_match_counts_make(&run->host);
	query("SELECT field, part, total, agreement, packed FROM crm.match_frequency WHERE model = $1 AND version = $2",
		  2, types, values);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	row = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		int			field = int_at(row, desc, 1, 0) - 1;
		int			part = int_at(row, desc, 2, 0);
		bool		isnull;
		int64		total = DatumGetInt64(SPI_getbinval(row, desc, 3, &isnull));
		bytea	   *packed = DatumGetByteaPP(SPI_getbinval(row, desc, 5, &isnull));
		const uint8 *p = (const uint8 *) VARDATA_ANY(packed);
		Size		size = VARSIZE_ANY_EXHDR(packed);
		CrmMatchCounts *counts;

		if (field < 0 || field >= run->model.fields || part < 0 || part >= CRM_MATCH_TABLES || total < 0 ||
			size < 1 || p[0] != PACKED_VERSION || (size - 1) % PACKED_VALUE != 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("the frequencies of match model \"%s\" are malformed", run->name),
					 errhint("Run SELECT crm.train_match_model(%s).", quote_literal_cstr(run->name))));
		counts = run->frequencies.table[field][part];
		for (Size at = 1; at < size; at += PACKED_VALUE)
		{
			uint64		hash = read_bytes(p + at, 8);

			if (hash != 0)
				crm_match_counts_add(counts, hash, (uint32) read_bytes(p + at + 8, 4));
		}
		crm_match_counts_set_total(counts, (uint64) total);
		run->model.field[field].agreement[part] = double_at(row, desc, 4);
	}
	SPI_freetuptable(SPI_tuptable);
}

typedef struct Packed
{
	uint64		hash;
	uint32		number;
} Packed;

static int
compare_packed(const void *a, const void *b)
{
	uint64		x = ((const Packed *) a)->hash;
	uint64		y = ((const Packed *) b)->hash;

	return x < y ? -1 : x > y;
}

static bytea *
pack_counts(const CrmMatchCounts *counts)
{
	Packed	   *values = MemoryContextAllocHuge(CurrentMemoryContext, (crm_match_counts_size(counts) + 1) * sizeof(Packed));
	size_t		at = 0;
	size_t		count = 0;
	uint32		least = 2;
	bytea	   *packed;
	uint8	   *p;
	uint64		hash;
	uint32		number;

	do
	{
		count = 0;
		at = 0;
		while (crm_match_counts_next(counts, &at, &hash, &number))
			if (number >= least)
				values[count++] = (Packed) {hash, number};
		least++;
	} while (count > MOST_PACKED);
	qsort(values, count, sizeof(Packed), compare_packed);
	packed = palloc(VARHDRSZ + 1 + count * PACKED_VALUE);
	SET_VARSIZE(packed, VARHDRSZ + 1 + count * PACKED_VALUE);
	p = (uint8 *) VARDATA(packed);
	*p++ = PACKED_VERSION;
	for (size_t i = 0; i < count; i++, p += PACKED_VALUE)
	{
		write_bytes(p, values[i].hash, 8);
		write_bytes(p + 8, values[i].number, 4);
	}
	pfree(values);
	return packed;
}

/* ---- what training found ---- */

static void
execute(const char *sql, int nargs, Oid *types, Datum *values, const char *nulls, int expected)
{
	if (SPI_execute_with_args(sql, nargs, types, values, nulls, false, 0) != expected)
		elog(ERROR, "writing a match model failed");
}

int
crm_match_store_version(MatchRun *run, int64 seed, int64 labels, const CrmMatchTraining *training)
{
	Oid			types[] = {TEXTOID, INT4OID, INT8OID, INT8OID, INT8OID, INT8OID, FLOAT8OID, FLOAT8OID, INT8OID, INT4OID, FLOAT8OID};
	Datum		name = CStringGetTextDatum(run->name);
	Datum		values[11];
	int			version;
	bool		isnull;

	/* Two trainings at once come one after the other. */
	values[0] = name;
	execute("UPDATE crm.match_model SET updated_at = pg_catalog.now(), "
			"version = 1 + coalesce((SELECT pg_catalog.max(v.version) FROM crm.match_version v WHERE v.model = name), 0) "
			"WHERE name = $1 RETURNING version", 1, types, values, NULL, SPI_OK_UPDATE_RETURNING);
	if (SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("match model \"%s\" was dropped meanwhile", run->name)));
	version = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	SPI_freetuptable(SPI_tuptable);

	values[1] = Int32GetDatum(version);
	values[2] = Int64GetDatum(seed);
	values[3] = Int64GetDatum((int64) training->records);
	values[4] = Int64GetDatum((int64) training->sampled_pairs);
	values[5] = Int64GetDatum((int64) training->blocked_pairs);
	values[6] = Float8GetDatum(training->matches);
	values[7] = Float8GetDatum(run->model.lambda);
	values[8] = Int64GetDatum(labels);
	values[9] = Int32GetDatum(CRM_MATCH_KEY_VERSION);
	values[10] = Float8GetDatum(run->model.lambda_household);
	execute("INSERT INTO crm.match_version (model, version, seed, records, sampled_pairs, blocked_pairs, expected_matches, lambda, labels, key_version, lambda_household) "
			"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)", 11, types, values, NULL, SPI_OK_INSERT);

	for (int f = 0; f < run->model.fields; f++)
	{
		CrmMatchField *field = &run->model.field[f];
		Oid			level_types[] = {TEXTOID, INT4OID, INT4OID, INT4OID, TEXTOID, FLOAT8OID, FLOAT8OID, FLOAT8OID, FLOAT8OID, FLOAT8OID};
		Oid			frequency_types[] = {TEXTOID, INT4OID, INT4OID, INT4OID, INT8OID, FLOAT8OID, BYTEAOID};

		for (int level = 1; level <= field->levels; level++)
		{
			char		label[64];
			Datum		row[] = {name, values[1], Int32GetDatum(f + 1), Int32GetDatum(level),
				CStringGetTextDatum(crm_match_level_name(field, level, label, sizeof(label))),
				Float8GetDatum(field->m[level]), Float8GetDatum(field->u[level]), Float8GetDatum(field->weight[level]),
			Float8GetDatum(field->h[level]), Float8GetDatum(field->household[level])};

			execute("INSERT INTO crm.match_level (model, version, field, level, label, m, u, weight, h, household_weight) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
					10, level_types, row, NULL, SPI_OK_INSERT);
		}
		for (int t = 0; t < CRM_MATCH_TABLES; t++)
		{
			const CrmMatchCounts *counts = run->frequencies.table[f][t];
			Datum		row[7];

			if (crm_match_counts_size(counts) == 0)
				continue;
			row[0] = name;
			row[1] = values[1];
			row[2] = Int32GetDatum(f + 1);
			row[3] = Int32GetDatum(t);
			row[4] = Int64GetDatum((int64) crm_match_counts_total(counts));
			row[5] = Float8GetDatum(field->agreement[t]);
			row[6] = PointerGetDatum(pack_counts(counts));
			execute("INSERT INTO crm.match_frequency (model, version, field, part, total, agreement, packed) VALUES ($1, $2, $3, $4, $5, $6, $7)",
					7, frequency_types, row, NULL, SPI_OK_INSERT);
		}
	}
	for (int r = 0; r < run->model.rules; r++)
	{
		Oid			rule_types[] = {TEXTOID, INT4OID, INT4OID, FLOAT8OID, FLOAT8OID, FLOAT8OID, BOOLOID, INT4OID};
		int			divider = run->model.rule[r].divider;
		Datum		row[] = {name, values[1], Int32GetDatum(r + 1), Float8GetDatum(training->rule[r].pairs),
		Float8GetDatum(training->rule[r].matches), Float8GetDatum(training->rule[r].alone), BoolGetDatum(!run->model.rule[r].idle), Int32GetDatum(divider + 1)};

		execute("INSERT INTO crm.match_rule_yield (model, version, rule, pairs, expected_matches, expected_alone, is_used, divided_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
				8, rule_types, row, divider < 0 ? "       n" : NULL, SPI_OK_INSERT);
	}
	return version;
}

/* ---- what a run found ---- */

static void
execute_write(const char *sql, int nargs, Oid *types, Datum *values)
{
	int			result = SPI_execute_with_args(sql, nargs, types, values, NULL, false, 0);

	if (result < 0)
		elog(ERROR, "writing what was found failed: %s", SPI_result_code_string(result));
}

void
crm_match_write_found(Oid *types, Datum *values)
{
	StringInfoData sql;
	bool		is_first;
	int			nest = NewGUCNestLevel();

	/*
	 * Pairs that were written a moment ago are in no statistics: taken for a
	 * few, they would each be compared with all that were found.
	 */
	(void) set_config_option("enable_nestloop", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	initStringInfo(&sql);
	execute_write("DELETE FROM crm.match_cluster WHERE model = $1", 1, types, values);
	execute_write("INSERT INTO crm.match_cluster (model, id, cluster_id) SELECT $1, id, cluster_id FROM crm_member", 1, types, values);
	execute_write("DELETE FROM crm.match_block WHERE model = $1", 1, types, values);
	execute_write("INSERT INTO crm.match_block (model, rule, key, records, example_id, divided_by, left_out) "
				  "SELECT $1, rule, key, records, example_id, divided_by, left_out FROM crm_block ON CONFLICT DO NOTHING", 1, types, values);
	/* The first time there is nothing to compare with. */
	if (SPI_execute_with_args("SELECT FROM crm.match_pair WHERE model = $1 LIMIT 1", 1, types, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "reading pairs failed");
	is_first = SPI_processed == 0;
	resetStringInfo(&sql);
	appendStringInfo(&sql, "WITH ");
	if (!is_first)
		appendStringInfoString(&sql,
							   "gone AS ("
							   "DELETE FROM crm.match_pair p WHERE p.model = $1 AND p.status = 'new' "
							   "AND NOT EXISTS (SELECT FROM crm_found f WHERE f.left_id = p.left_id AND f.right_id = p.right_id) RETURNING 1), "
							   "changed AS ("
							   "UPDATE crm.match_pair p SET weight = f.weight, probability = f.probability, in_cluster = f.in_cluster, version = $2, "
							   /* Both records of a merged pair are there only when the merge was undone. */
							   "status = 'new', decided_at = NULL, decided_by = NULL "
							   "FROM crm_found f WHERE p.model = $1 AND p.status IN ('new', 'merged') AND f.left_id = p.left_id AND f.right_id = p.right_id "
							   "AND (p.weight, p.in_cluster, p.version, p.status) IS DISTINCT FROM (f.weight, f.in_cluster, $2, 'new')), ");
	appendStringInfo(&sql,
					 "made AS ("
					 "INSERT INTO crm.match_pair (model, left_id, right_id, weight, probability, in_cluster, version) "
					 "SELECT $1, f.left_id, f.right_id, f.weight, f.probability, f.in_cluster, $2 FROM crm_found f %s "
					 "ON CONFLICT DO NOTHING RETURNING 1), "
					 "logged AS ("
					 "INSERT INTO crm.match_run (model, version, started_at, finished_at, records, compared, found, clusters, added, withdrawn) "
					 "SELECT $1, $2, pg_catalog.statement_timestamp(), pg_catalog.clock_timestamp(), $3, $4, (SELECT pg_catalog.count(*) FROM crm_found), $5, "
					 "(SELECT pg_catalog.count(*) FROM made), %s RETURNING added, withdrawn) "
					 "SELECT added, withdrawn FROM logged",
					 is_first ? "" : "WHERE NOT EXISTS (SELECT FROM crm.match_pair p WHERE p.model = $1 AND p.left_id = f.left_id AND p.right_id = f.right_id)",
					 is_first ? "0" : "(SELECT pg_catalog.count(*) FROM gone)");
	execute_write(sql.data, 5, types, values);
	AtEOXact_GUC(true, nest);
	pfree(sql.data);
}
