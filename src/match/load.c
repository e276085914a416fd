/*
 * load.c
 *		Reading the records of a model into memory.
 *
 * One query gives the number of each record and its fields; a receiver of its
 * rows turns each into a feature at once, so that no row is kept.  The rows
 * come in the order of the numbers, so that all that follows is the same
 * whatever order they have on disk.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tcop/dest.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "crm.h"
#include "match/progress.h"
#include "match/team.h"
#include "text/name_parse.h"
#include "type/date_value.h"
#include "type/email.h"
#include "type/phone.h"

/* Longest text that is looked at. */
#define MOST_TEXT 8192

typedef struct Receiver
{
	DestReceiver pub;
	MatchRun   *run;
	MemoryContext base;			/* of the call */
	MemoryContext row;			/* reset after each row */
	char	   *ids;			/* of the chunk at hand */
	Size		ids_used;
	Size		ids_room;
	MatchColumn *column;		/* of the rows */
	MatchEach	each;			/* who takes the features; NULL: the run keeps them */
	void	   *argument;
	uint8_t    *feature;		/* of the row at hand, where the run keeps none */
} Receiver;

void
crm_match_describe_column(Oid type, MatchColumn *column)
{
	Oid			element = get_element_type(getBaseType(type));
	Oid			output;
	bool		is_varlena;

	column->is_array = OidIsValid(element);
	column->type = getBaseType(column->is_array ? element : type);
	get_typlenbyvalalign(column->type, &column->length, &column->by_value, &column->align);
	getTypeOutputInfo(column->type, &output, &is_varlena);
	fmgr_info_cxt(output, &column->output, CurrentMemoryContext);
}

static bool
put_day(MatchRun *run, uint8_t *feature, int field, DateADT date)
{
	int			year;
	int			month;
	int			day;

	if (DATE_NOT_FINITE(date))
		return false;
	j2date(date + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	crm_match_put_date(&run->model, feature, field, year, month, day);
	return true;
}

static bool
as_number(const MatchColumn *column, Datum value, double *number)
{
	switch (column->type)
	{
		case INT2OID:
			*number = DatumGetInt16(value);
			return true;
		case INT4OID:
			*number = DatumGetInt32(value);
			return true;
		case INT8OID:
			*number = (double) DatumGetInt64(value);
			return true;
		case FLOAT4OID:
			*number = DatumGetFloat4(value);
			return true;
		case FLOAT8OID:
			*number = DatumGetFloat8(value);
			return true;
		default:
			return false;
	}
}

/* The text of a value, converted to UTF-8; points into the value or the row's context. */
static const char *
as_text(const MatchColumn *column, Datum value, int *length)
{
	const char *s;

	if (column->type == TEXTOID || column->type == VARCHAROID || column->type == BPCHAROID)
	{
		text	   *t = DatumGetTextPP(value);

		s = VARDATA_ANY(t);
		*length = VARSIZE_ANY_EXHDR(t);
	}
	else
	{
		s = OutputFunctionCall((FmgrInfo *) &column->output, value);
		*length = strlen(s);
	}
	if (*length > MOST_TEXT)
		*length = pg_mbcliplen(s, *length, MOST_TEXT);
	if (GetDatabaseEncoding() != PG_UTF8)
	{
		char	   *converted = pg_server_to_any(s, *length, PG_UTF8);

		if (converted != s)
		{
			s = converted;
			*length = strlen(s);
		}
	}
	return s;
}

/* Four, two and two digits, which are no date as they stand: 1959-03-92. */
static bool
digits_of_date(const char *s, int length, CrmDate *date)
{
	int			digits[8];
	int			count = 0;

	for (int i = 0; i < length; i++)
		if (s[i] >= '0' && s[i] <= '9')
		{
			if (count == 8)
				return false;
			digits[count++] = s[i] - '0';
		}
	if (count != 8)
		return false;
	date->year = digits[0] * 1000 + digits[1] * 100 + digits[2] * 10 + digits[3];
	date->month = digits[4] * 10 + digits[5];
	date->day = digits[6] * 10 + digits[7];
	return true;
}

static void
put_email(MatchRun *run, uint8_t *feature, int field, const char *s, int length)
{
	char		image[CRM_EMAIL_BUFFER];
	char		key[CRM_EMAIL_BUFFER];
	CrmCheck	check;
	int			size = crm_email_parse(s, length, 0, image, &check);

	if (size > 0)
		crm_match_put_email(&run->model, feature, field, key, crm_email_match_key(image, size, key));
	else
	{
		/* Not an address, but perhaps the same scribble elsewhere. */
		int			kept = 0;

		for (int i = 0; i < length && kept < (int) sizeof(key); i++)
			if ((unsigned char) s[i] > ' ')
				key[kept++] = pg_tolower((unsigned char) s[i]);
		crm_match_put_email(&run->model, feature, field, key, kept);
	}
}

static void
put_phone(MatchRun *run, uint8_t *feature, int field, const char *s, int length)
{
	CrmPhone	phone;
	CrmCheck	check;
	const char *region = crm_default_region != NULL && crm_default_region[0] != '\0' ? crm_default_region : NULL;
	char		digits[CRM_MATCH_LETTERS];
	int			kept = 0;

	if (crm_phone_read_simple(s, length, region, &phone) ||
		crm_phone_parse(s, length, region, &phone, &check))
	{
		crm_match_put_phone(&run->model, feature, field, phone.digits, phone.length);
		return;
	}
	for (int i = 0; i < length && kept < CRM_MATCH_LETTERS; i++)
		if (s[i] >= '0' && s[i] <= '9')
			digits[kept++] = s[i];
	if (kept >= 5)
		crm_match_put_phone(&run->model, feature, field, digits, kept);
}

static void
put_full_name(MatchRun *run, uint8_t *feature, int field, const char *s, int length)
{
	CrmName    *name = palloc(sizeof(CrmName));

	crm_name_parse(s, Min(length, CRM_NAME_MAX_INPUT), CRM_NAME_ORDER_AUTO, CRM_NAME_LOCALE_AUTO, name);
	if (name->length[CRM_NAME_GIVEN] > 0)
		crm_match_put_text(&run->model, feature, field, 0, name->part[CRM_NAME_GIVEN], name->length[CRM_NAME_GIVEN]);
	if (name->length[CRM_NAME_FAMILY] > 0)
		crm_match_put_text(&run->model, feature, field, 1, name->part[CRM_NAME_FAMILY], name->length[CRM_NAME_FAMILY]);
	pfree(name);
}

/* One value, not an array. */
static void
put_value(MatchRun *run, uint8_t *feature, int field, int part, Datum value, const MatchColumn *column)
{
	CrmComparator comparator = (CrmComparator) run->model.field[field].comparator;
	const char *s;
	int			length;
	double		number;

	if (comparator == CRM_MATCH_DATE && column->type == DATEOID)
	{
		put_day(run, feature, field, DatumGetDateADT(value));
		return;
	}
	if (comparator == CRM_MATCH_DATE && (column->type == TIMESTAMPOID || column->type == TIMESTAMPTZOID))
	{
		Timestamp	timestamp = DatumGetTimestamp(value);

		if (!TIMESTAMP_NOT_FINITE(timestamp))
			put_day(run, feature, field, DatumGetDateADT(DirectFunctionCall1(timestamp_date, TimestampGetDatum(timestamp))));
		return;
	}
	if (comparator == CRM_MATCH_NUMBER && as_number(column, value, &number))
	{
		crm_match_put_number(&run->model, feature, field, number);
		return;
	}
	s = as_text(column, value, &length);
	switch (comparator)
	{
		case CRM_MATCH_DATE:
			{
				CrmDate		date;
				CrmCheck	check;

				if (crm_date_parse(s, length, false, &date, &check) || digits_of_date(s, length, &date))
					crm_match_put_date(&run->model, feature, field, date.year, date.month, date.day);
				break;
			}
		case CRM_MATCH_NUMBER:
			{
				char	   *copy = pnstrdup(s, Min(length, 100));
				char	   *end;

				number = strtod(copy, &end);
				if (end != copy)
					crm_match_put_number(&run->model, feature, field, number);
				break;
			}
		case CRM_MATCH_EMAIL:
			put_email(run, feature, field, s, length);
			break;
		case CRM_MATCH_PHONE:
			put_phone(run, feature, field, s, length);
			break;
		case CRM_MATCH_PERSON:
			if (part < 0)
				put_full_name(run, feature, field, s, length);
			else if (part < 2)
				crm_match_put_text(&run->model, feature, field, part, s, length);
			break;
		default:
			crm_match_put_text(&run->model, feature, field, 0, s, length);
			break;
	}
}

void
crm_match_put_datum(MatchRun *run, uint8_t *feature, int field, Datum value, const MatchColumn *column)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	if (!column->is_array)
	{
		put_value(run, feature, field, -1, value, column);
		return;
	}
	deconstruct_array(DatumGetArrayTypeP(value), column->type, column->length, column->by_value,
					  column->align, &elements, &nulls, &count);
	for (int i = 0; i < count && i < 100; i++)
		if (!nulls[i])
			put_value(run, feature, field, i, elements[i], column);
}

/* ---- the query ---- */

static void
start_rows(DestReceiver *self, int operation, TupleDesc desc)
{
	Receiver   *receiver = (Receiver *) self;
	MemoryContext old_context = MemoryContextSwitchTo(receiver->each != NULL ? receiver->base : receiver->run->context);

	for (int i = 0; i < desc->natts; i++)
		crm_match_describe_column(TupleDescAttr(desc, i)->atttypid, &receiver->column[i]);
	MemoryContextSwitchTo(old_context);
}

static void
add_chunk(Receiver *receiver)
{
	MatchRun   *run = receiver->run;
	uint32		chunk = run->records.count / CRM_MATCH_CHUNK;
	Size		features = (Size) CRM_MATCH_CHUNK * run->model.feature_size;
	Size		keys = (Size) CRM_MATCH_CHUNK * run->model.slots * sizeof(uint32);

	if (chunk >= run->chunks)
	{
		uint32		room = run->chunks * 2 + 64;
		uint8	  **feature = MemoryContextAllocHuge(run->context, room * sizeof(uint8 *));
		uint32_t  **key = MemoryContextAllocHuge(run->context, room * sizeof(uint32_t *));
		char	  **id = MemoryContextAllocHuge(run->context, room * sizeof(char *));
		uint32	  **id_offset = MemoryContextAllocHuge(run->context, room * sizeof(uint32 *));
		MatchSharedChunk *shared = MemoryContextAllocHuge(run->context, room * sizeof(MatchSharedChunk));

		if (chunk > 0)
		{
			memcpy(feature, run->records.feature, chunk * sizeof(uint8 *));
			memcpy(key, run->records.key, chunk * sizeof(uint32_t *));
			memcpy(id, run->id, chunk * sizeof(char *));
			memcpy(id_offset, run->id_offset, chunk * sizeof(uint32 *));
			memcpy(shared, run->shared, chunk * sizeof(MatchSharedChunk));
		}
		run->records.feature = feature;
		run->records.key = key;
		run->id = id;
		run->id_offset = id_offset;
		run->shared = shared;
		run->chunks = room;
	}
	run->memory += features + keys + CRM_MATCH_CHUNK * sizeof(uint32);
	if (run->memory / 1024 > (Size) crm_match_memory)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("model \"%s\" needs more memory than crm.match_memory allows after %u records",
						run->name, run->records.count),
				 errdetail("Each record takes %d bytes and its number.",
						   (int) (run->model.feature_size + run->model.slots * sizeof(uint32))),
				 errhint("Raise crm.match_memory, now %d MB, or match a part of the table by a filter of the model.",
						 crm_match_memory / 1024)));
	run->records.feature[chunk] = crm_match_allocate_chunk(run, features, &run->shared[chunk].feature);
	run->records.key[chunk] = crm_match_allocate_chunk(run, keys, &run->shared[chunk].key);
	run->id_offset[chunk] = MemoryContextAllocHuge(run->context, CRM_MATCH_CHUNK * sizeof(uint32));
	receiver->ids_room = CRM_MATCH_CHUNK * 8;
	receiver->ids_used = 0;
	receiver->ids = run->id[chunk] = MemoryContextAllocHuge(run->context, receiver->ids_room);
}

static void
add_id(Receiver *receiver, const char *id, int length)
{
	MatchRun   *run = receiver->run;
	uint32		chunk = run->records.count / CRM_MATCH_CHUNK;

	if (receiver->ids_used + length + 1 > receiver->ids_room)
	{
		receiver->ids_room = receiver->ids_room * 2 + length;
		if (receiver->ids_room > PG_UINT32_MAX)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("the numbers of the records are too long")));
		receiver->ids = run->id[chunk] = repalloc_huge(receiver->ids, receiver->ids_room);
	}
	run->id_offset[chunk][run->records.count % CRM_MATCH_CHUNK] = (uint32) receiver->ids_used;
	memcpy(receiver->ids + receiver->ids_used, id, length);
	receiver->ids[receiver->ids_used + length] = '\0';
	receiver->ids_used += length + 1;
}

static void
fill_feature(Receiver *receiver, TupleTableSlot *slot, uint8_t *feature)
{
	MatchRun   *run = receiver->run;

	memset(feature, 0, run->model.feature_size);
	for (int i = 0; i < run->model.fields; i++)
		if (!slot->tts_isnull[i + 1])
			crm_match_put_datum(run, feature, i, slot->tts_values[i + 1], &receiver->column[i + 1]);
	if (run->aliases != NULL)
		crm_match_put_aliases(&run->model, feature, run->aliases);
}

/* A row that somebody looks at and nobody keeps. */
static bool
hand_on_row(TupleTableSlot *slot, DestReceiver *self)
{
	Receiver   *receiver = (Receiver *) self;
	MemoryContext old_context = MemoryContextSwitchTo(receiver->row);

	slot_getallattrs(slot);
	fill_feature(receiver, slot, receiver->feature);
	crm_match_set_frequencies(&receiver->run->model, receiver->feature, &receiver->run->frequencies);
	receiver->each(slot->tts_isnull[0] ? NULL : TextDatumGetCString(slot->tts_values[0]),
				   receiver->feature, receiver->argument);
	MemoryContextSwitchTo(old_context);
	MemoryContextReset(receiver->row);
	return true;
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	Receiver   *receiver = (Receiver *) self;
	MatchRun   *run = receiver->run;
	MemoryContext old_context;
	uint8_t    *feature;
	text	   *id;

	if (run->records.count == PG_UINT32_MAX - 1)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a model matches at most %u records", PG_UINT32_MAX - 1)));
	if (run->records.count % CRM_MATCH_CHUNK == 0)
		add_chunk(receiver);
	slot_getallattrs(slot);
	if (slot->tts_isnull[0])
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a record of model \"%s\" has no number", run->name),
				 errdetail("Column %s of table %s is null.", run->id_expression, run->relation)));
	old_context = MemoryContextSwitchTo(receiver->row);
	id = DatumGetTextPP(slot->tts_values[0]);
	if (run->records.count > 0 && strlen(crm_match_id(run, run->records.count - 1)) == VARSIZE_ANY_EXHDR(id) &&
		memcmp(crm_match_id(run, run->records.count - 1), VARDATA_ANY(id), VARSIZE_ANY_EXHDR(id)) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("two records of model \"%s\" have the number \"%s\"", run->name, crm_match_id(run, run->records.count - 1)),
				 errhint("crm.match_model.id_columns must tell the rows of table %s apart.", run->relation)));
	add_id(receiver, VARDATA_ANY(id), VARSIZE_ANY_EXHDR(id));
	feature = crm_match_feature(&run->records, run->records.count);
	fill_feature(receiver, slot, feature);
	run->records.count++;
	if ((run->records.count & 4095) == 0)
		crm_match_report_records(run->records.count);
	MemoryContextSwitchTo(old_context);
	MemoryContextReset(receiver->row);
	return true;
}

static void
end_rows(DestReceiver *self)
{
}

void
crm_match_read_aliases(MatchRun *run)
{
	bool		has_person = false;

	for (int i = 0; i < run->model.fields; i++)
		has_person = has_person || run->model.field[i].comparator == CRM_MATCH_PERSON;
	if (!has_person)
		return;
	if (SPI_execute("SELECT alias, name FROM crm.name_alias", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "reading the aliases of names failed");
	run->aliases = crm_match_aliases_make(&run->host);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *alias = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
		char	   *name = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2);

		crm_match_aliases_add(run->aliases, alias, strlen(alias), name, strlen(name));
	}
	SPI_freetuptable(SPI_tuptable);
}

/* What an error in an expression of a model is told with. */
void
crm_match_add_context(void *argument)
{
	const MatchRun *run = argument;

	errcontext("match model \"%s\" of table %s", run->name, run->relation);
	if (geterrcode() == ERRCODE_UNDEFINED_COLUMN)
		errhint("Was a column renamed or dropped? Correct crm.match_field.expression, or make the model again.");
}

/* The query that gives the records; of some only when their ids are given. */
static void
make_query(MatchRun *run, bool only, bool as_text, StringInfo sql)
{
	initStringInfo(sql);
	/* Names of their own, lest ORDER BY means one of them. */
	appendStringInfo(sql, "SELECT (%s)::text AS crm_match_id", run->id_expression);
	for (int i = 0; i < run->model.fields; i++)
		appendStringInfo(sql, as_text ? ", (%s)::text AS crm_match_%d" : ", %s AS crm_match_%d", run->expression[i], i + 1);
	appendStringInfo(sql, " FROM %s", run->relation);
	if (run->filter != NULL || only)
		appendStringInfo(sql, " WHERE (%s)", run->filter != NULL ? run->filter : "true");
	if (only)
	{
		appendStringInfoString(sql, " AND ");
		crm_match_put_id_condition(run, sql);
	}
	appendStringInfo(sql, " ORDER BY %s", run->order);
}

/* Raises what is wrong with the expressions of the model. */
void
crm_match_check_query(MatchRun *run)
{
	ErrorContextCallback callback = {error_context_stack, crm_match_add_context, run};
	StringInfoData sql;

	make_query(run, false, false, &sql);
	error_context_stack = &callback;
	if (SPI_prepare(sql.data, 0, NULL) == NULL)
		elog(ERROR, "planning the query of match model \"%s\" failed", run->name);
	error_context_stack = callback.previous;
}

/*
 * The ids of a run are read without privileges of ours: the query runs as the
 * caller, row security included.
 */
void
crm_match_load(MatchRun *run, ArrayType *only)
{
	Receiver	receiver = {{receive_row, start_rows, end_rows, end_rows, DestTuplestore}};
	ErrorContextCallback callback = {error_context_stack, crm_match_add_context, run};
	StringInfoData sql;
	SPIExecuteOptions options = {0};
	int			result;

	receiver.run = run;
	receiver.column = run->column;
	receiver.row = AllocSetContextCreate(run->context, "crm match row", ALLOCSET_DEFAULT_SIZES);
	run->records.model = &run->model;
	run->records.count = 0;
	make_query(run, only != NULL, false, &sql);
	options.read_only = true;
	options.dest = &receiver.pub;
	if (only != NULL)
		options.params = crm_match_id_values(run, only, PARAM_FLAG_CONST);
	error_context_stack = &callback;
	result = SPI_execute_extended(sql.data, &options);
	error_context_stack = callback.previous;
	if (result != SPI_OK_SELECT)
		elog(ERROR, "reading the records failed: %s", SPI_result_code_string(result));
	MemoryContextDelete(receiver.row);
	pfree(sql.data);
}

SPITupleTable *
crm_match_show_values(MatchRun *run, ArrayType *only)
{
	ErrorContextCallback callback = {error_context_stack, crm_match_add_context, run};
	StringInfoData sql;
	SPIExecuteOptions options = {0};

	make_query(run, true, true, &sql);
	options.read_only = true;
	options.params = crm_match_id_values(run, only, PARAM_FLAG_CONST);
	error_context_stack = &callback;
	if (SPI_execute_extended(sql.data, &options) != SPI_OK_SELECT)
		elog(ERROR, "reading the records failed");
	error_context_stack = callback.previous;
	return SPI_tuptable;
}

/*
 * A plan that is kept: of the records whose ids are given, or of the one that
 * the object $1 would be.
 */
SPIPlanPtr
crm_match_prepare(MatchRun *run, bool of_object)
{
	int			count = of_object ? 1 : crm_match_id_parameters(run);
	Oid		   *types = palloc(count * sizeof(Oid));
	StringInfoData sql;
	SPIPlanPtr	plan;

	for (int i = 0; i < count; i++)
		types[i] = of_object ? JSONBOID : TEXTARRAYOID;
	if (of_object)
	{
		initStringInfo(&sql);
		appendStringInfo(&sql, "SELECT (%s)::text", run->id_expression);
		for (int i = 0; i < run->model.fields; i++)
			appendStringInfo(&sql, ", %s", run->expression[i]);
		appendStringInfo(&sql, " FROM pg_catalog.jsonb_populate_record(NULL::%s, $1) AS %s", run->relation,
						 quote_identifier(get_rel_name(run->relation_oid)));
	}
	else
		make_query(run, true, false, &sql);
	plan = SPI_prepare_cursor(sql.data, count, types, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "planning the query of match model \"%s\" failed", run->name);
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "SPI_keepplan failed");
	pfree(sql.data);
	return plan;
}

/* Hands on each row of such a plan, with frequencies; read_only as of SPI. */
void
crm_match_read(MatchRun *run, SPIPlanPtr plan, ParamListInfo params, bool read_only, MatchEach each, void *argument)
{
	Receiver	receiver = {{hand_on_row, start_rows, end_rows, end_rows, DestTuplestore}};
	MatchColumn column[CRM_MATCH_FIELDS + 1];
	SPIExecuteOptions options = {0};
	int			result;

	receiver.run = run;
	receiver.column = column;
	receiver.each = each;
	receiver.argument = argument;
	receiver.feature = palloc(run->model.feature_size);
	receiver.base = CurrentMemoryContext;
	receiver.row = AllocSetContextCreate(CurrentMemoryContext, "crm match row", ALLOCSET_DEFAULT_SIZES);
	options.params = params;
	options.read_only = read_only;
	options.dest = &receiver.pub;
	result = SPI_execute_plan_extended(plan, &options);
	if (result != SPI_OK_SELECT)
		elog(ERROR, "reading the records failed: %s", SPI_result_code_string(result));
	MemoryContextDelete(receiver.row);
	pfree(receiver.feature);
}

const char *
crm_match_id(const MatchRun *run, uint32 record)
{
	return run->id[record / CRM_MATCH_CHUNK] + run->id_offset[record / CRM_MATCH_CHUNK][record % CRM_MATCH_CHUNK];
}
