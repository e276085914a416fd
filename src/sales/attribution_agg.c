/*
 * attribution_agg.c
 *		crm.attribution() over the touches of one conversion, and over paths.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/typcache.h"

#include "crm.h"
#include "sales/attribution.h"
#include "sales/event_list.h"

PG_FUNCTION_INFO_V1(crm_attribution_touch_add);
PG_FUNCTION_INFO_V1(crm_attribution_touch_credits);
PG_FUNCTION_INFO_V1(crm_attribution_path_add);
PG_FUNCTION_INFO_V1(crm_attribution_path_combine);
PG_FUNCTION_INFO_V1(crm_attribution_path_serial);
PG_FUNCTION_INFO_V1(crm_attribution_path_deserial);
PG_FUNCTION_INFO_V1(crm_attribution_path_credits);

/* ---------------- channels, numbered as they first occur ---------------- */

typedef struct Channel
{
	char	   *name;
	uint32		length;
	Numeric		credit;			/* of paths; in the state's context */
	Numeric		value;
} Channel;

typedef struct Channels
{
	MemoryContext context;
	uint32		count;
	uint32		room;
	Channel    *channel;
	uint32		slots;			/* a power of two */
	uint32	   *slot;			/* 1 + number of a channel, or 0 */
} Channels;

static void
channels_init(Channels *channels, MemoryContext context)
{
	channels->context = context;
	channels->count = 0;
	channels->room = 8;
	channels->channel = MemoryContextAllocZero(context, channels->room * sizeof(Channel));
	channels->slots = 16;
	channels->slot = MemoryContextAllocZero(context, channels->slots * sizeof(uint32));
}

static uint32
channel_number(Channels *channels, const char *name, uint32 length)
{
	uint32		hash = hash_bytes((const unsigned char *) name, length);
	uint32		at = hash & (channels->slots - 1);
	Channel    *channel;

	for (; channels->slot[at] != 0; at = (at + 1) & (channels->slots - 1))
	{
		channel = &channels->channel[channels->slot[at] - 1];
		if (channel->length == length && memcmp(channel->name, name, length) == 0)
			return channels->slot[at] - 1;
	}
	if (channels->count == channels->room)
	{
		channels->room *= 2;
		channels->channel = repalloc(channels->channel, channels->room * sizeof(Channel));
	}
	channel = &channels->channel[channels->count];
	memset(channel, 0, sizeof(*channel));
	channel->name = memcpy(MemoryContextAlloc(channels->context, length + 1), name, length);
	channel->length = length;
	channels->slot[at] = ++channels->count;
	if (channels->count * 2 > channels->slots)
	{
		pfree(channels->slot);
		channels->slots *= 2;
		channels->slot = MemoryContextAllocZero(channels->context, channels->slots * sizeof(uint32));
		for (uint32 i = 0; i < channels->count; i++)
		{
			at = hash_bytes((const unsigned char *) channels->channel[i].name, channels->channel[i].length) & (channels->slots - 1);
			while (channels->slot[at] != 0)
				at = (at + 1) & (channels->slots - 1);
			channels->slot[at] = i + 1;
		}
	}
	return channels->count - 1;
}

/* ---------------- results: arrays of rows ---------------- */

typedef struct Rows
{
	Oid			type;
	TupleDesc	desc;
	Datum	   *row;
	int			count;
} Rows;

static void
rows_begin(Rows *rows, FunctionCallInfo fcinfo, uint32 room)
{
	rows->type = get_element_type(get_fn_expr_rettype(fcinfo->flinfo));
	if (!OidIsValid(rows->type))
		elog(ERROR, "the result of crm.attribution() is no array");
	rows->desc = lookup_rowtype_tupdesc(rows->type, -1);
	rows->row = palloc(Max(room, 1) * sizeof(Datum));
	rows->count = 0;
}

static void
rows_add(Rows *rows, Datum *values, bool *nulls)
{
	rows->row[rows->count++] = HeapTupleGetDatum(heap_form_tuple(rows->desc, values, nulls));
}

static ArrayType *
rows_end(Rows *rows)
{
	ReleaseTupleDesc(rows->desc);
	if (rows->count == 0)
		return construct_empty_array(rows->type);
	return construct_array(rows->row, rows->count, rows->type, -1, false, TYPALIGN_DOUBLE);
}

/* ---------------- the touches of one conversion ---------------- */

/* (state, model, channel, at, converted_at [, half_life]) */
Datum
crm_attribution_touch_add(PG_FUNCTION_ARGS)
{
	CrmEventList *list = PG_ARGISNULL(0) ? NULL : (CrmEventList *) PG_GETARG_POINTER(0);
	Interval	half_life = {0, 7, 0};
	const CrmEventSetup *setup;
	const text *model;
	const text *channel;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(4) || (PG_NARGS() > 5 && PG_ARGISNULL(5)))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s cannot be null", PG_ARGISNULL(1) ? "the model of attribution" :
						PG_ARGISNULL(4) ? "the moment of a conversion" : "the half-life of touches")));
	if (PG_NARGS() > 5)
		half_life = *PG_GETARG_INTERVAL_P(5);
	model = PG_GETARG_TEXT_PP(1);
	setup = crm_event_setup(fcinfo, CRM_EVENT_CREDIT, &half_life, VARDATA_ANY(model), VARSIZE_ANY_EXHDR(model), 0);
	if (PG_ARGISNULL(2) || PG_ARGISNULL(3) || PG_GETARG_TIMESTAMPTZ(3) > PG_GETARG_TIMESTAMPTZ(4))
	{
		if (list == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(list);
	}
	if (list == NULL)
	{
		list = crm_event_list_new(fcinfo, setup);
		list->moment = PG_GETARG_TIMESTAMPTZ(4);
	}
	else if (list->setup != setup || list->moment != PG_GETARG_TIMESTAMPTZ(4))
		crm_event_list_differs(setup);
	channel = PG_GETARG_TEXT_PP(2);
	PG_RETURN_POINTER(crm_event_list_add_name(list, PG_GETARG_TIMESTAMPTZ(3), VARDATA_ANY(channel), VARSIZE_ANY_EXHDR(channel)));
}

Datum
crm_attribution_touch_credits(PG_FUNCTION_ARGS)
{
	CrmEventList *list = PG_ARGISNULL(0) ? NULL : (CrmEventList *) PG_GETARG_POINTER(0);
	Channels	channels;
	uint32	   *channel;
	int64	   *at;
	int64	   *credit;
	Rows		rows;

	(void) crm_event_context(fcinfo);
	if (list == NULL)
	{
		rows_begin(&rows, fcinfo, 0);
		PG_RETURN_ARRAYTYPE_P(rows_end(&rows));
	}
	crm_event_list_sort(list);
	channels_init(&channels, CurrentMemoryContext);
	channel = palloc(list->count * sizeof(uint32));
	at = palloc(list->count * sizeof(int64) * 3);
	credit = at + list->count;
	for (uint32 i = 0; i < list->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		channel[i] = channel_number(&channels, list->names + CRM_EVENT_NAME_AT(list->event[i].what), CRM_EVENT_NAME_LENGTH(list->event[i].what));
		at[i] = list->event[i].at;
	}
	crm_attribution_credit(list->setup->mode, list->count, channels.count, channel, at, list->setup->span, credit, credit + list->count);
	rows_begin(&rows, fcinfo, channels.count);
	for (uint32 i = 0; i < channels.count; i++)
	{
		bool		nulls[2] = {false, false};
		Datum		values[2];

		values[0] = PointerGetDatum(cstring_to_text_with_len(channels.channel[i].name, channels.channel[i].length));
		values[1] = DirectFunctionCall1(numeric_trim_scale, NumericGetDatum(int64_div_fast_to_numeric(credit[i], CRM_CREDIT_DIGITS)));
		rows_add(&rows, values, nulls);
	}
	PG_RETURN_ARRAYTYPE_P(rows_end(&rows));
}

/* ---------------- paths ---------------- */

/* A chain over more would take minutes to solve. */
#define MARKOV_CHANNELS 2000

typedef struct Paths
{
	CrmModel	model;
	Channels	channels;
	Numeric		conversions;	/* of all paths with channels */
	Numeric		value;
	uint32		stride;			/* of weight, see crm_markov_removal() */
	double	   *weight;			/* stride - 1 rows; of the model markov */
} Paths;

static Paths *
paths_new(MemoryContext context, CrmModel model)
{
	Paths	   *paths = MemoryContextAllocZero(context, sizeof(Paths));

	paths->model = model;
	channels_init(&paths->channels, context);
	return paths;
}

/* sum := sum + by * part, part in parts of CRM_CREDIT_WHOLE; frees what it was. */
static void
add_numeric(MemoryContext context, Numeric *sum, Numeric by, int64 part)
{
	Datum		added = NumericGetDatum(by);
	MemoryContext old;
	Numeric		before = *sum;

	if (part != CRM_CREDIT_WHOLE)
		added = DirectFunctionCall2(numeric_mul, added, NumericGetDatum(int64_div_fast_to_numeric(part, CRM_CREDIT_DIGITS)));
	old = MemoryContextSwitchTo(context);
	if (before == NULL)
		*sum = DatumGetNumericCopy(added);
	else
	{
		*sum = DatumGetNumeric(DirectFunctionCall2(numeric_add, NumericGetDatum(before), added));
		pfree(before);
	}
	MemoryContextSwitchTo(old);
}

/* Room for the steps of all channels that there are. */
static void
make_weight_room(Paths *paths)
{
	uint32		channels = paths->channels.count;
	uint32		stride = Max(paths->stride, 16);
	double	   *weight;

	if (channels > MARKOV_CHANNELS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the model markov takes at most %d channels", MARKOV_CHANNELS)));
	while (stride < channels + 2)
		stride *= 2;
	if (stride == paths->stride)
		return;
	weight = MemoryContextAllocZero(paths->channels.context, (Size) stride * (stride - 1) * sizeof(double));
	for (uint32 row = 0; paths->weight != NULL && row < paths->stride - 1; row++)
		memcpy(weight + (Size) row * stride, paths->weight + (Size) row * paths->stride, paths->stride * sizeof(double));
	if (paths->weight != NULL)
		pfree(paths->weight);
	paths->weight = weight;
	paths->stride = stride;
}

static Numeric
count_argument(FunctionCallInfo fcinfo, int argument, const char *what, double *number)
{
	Numeric		count;

	if (PG_ARGISNULL(argument))
	{
		*number = 0;
		return NULL;
	}
	count = PG_GETARG_NUMERIC(argument);
	*number = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(count)));
	if (!(*number >= 0 && *number < 1e100))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the number of %s of a path must be zero or more, and finite", what),
				 errdetail("It is %s.", DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(count))))));
	return count;
}

/* (state, model, path, conversions, value, nulls) */
Datum
crm_attribution_path_add(PG_FUNCTION_ARGS)
{
	MemoryContext context = crm_event_context(fcinfo);
	Paths	   *paths = PG_ARGISNULL(0) ? NULL : (Paths *) PG_GETARG_POINTER(0);
	CrmModel	model;
	const text *name;
	double		converted;
	double		lost;
	Numeric		conversions = count_argument(fcinfo, 3, "conversions", &converted);
	Numeric		value = PG_ARGISNULL(4) ? NULL : PG_GETARG_NUMERIC(4);
	Datum	   *element;
	bool	   *is_null;
	int			elements;
	uint32	   *channel;
	uint32	   *first;			/* number within the path of a channel */
	uint32		touches = 0;

	(void) count_argument(fcinfo, 5, "nulls", &lost);
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the model of attribution cannot be null")));
	name = PG_GETARG_TEXT_PP(1);
	model = crm_attribution_model(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	if (model == CRM_MODEL_NONE || model == CRM_MODEL_TIME_DECAY)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 model == CRM_MODEL_NONE ? errmsg("unknown model of attribution: \"%s\"", text_to_cstring(name)) :
				 errmsg("the model time_decay needs the moments of touches, which a path does not have"),
				 model == CRM_MODEL_NONE ? errhint("Models of paths are first, last, linear, position, shapley and markov.") :
				 errhint("Use crm.attribution(model, channel, at, converted_at, half_life).")));
	if (value != NULL && (numeric_is_nan(value) || numeric_is_inf(value)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the value of a path must be a finite number")));
	if (paths == NULL)
		paths = paths_new(context, model);
	else if (paths->model != model)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the model of attribution must be the same in all rows of a group")));
	if (PG_ARGISNULL(2))
		PG_RETURN_POINTER(paths);

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), TEXTOID, -1, false, TYPALIGN_INT, &element, &is_null, &elements);
	channel = palloc(Max(elements, 1) * sizeof(uint32));
	for (int i = 0; i < elements; i++)
	{
		if (is_null[i])
			continue;
		channel[touches++] = channel_number(&paths->channels, VARDATA_ANY(DatumGetPointer(element[i])), VARSIZE_ANY_EXHDR(DatumGetPointer(element[i])));
	}
	if (touches == 0)
		PG_RETURN_POINTER(paths);
	if (conversions != NULL)
		add_numeric(context, &paths->conversions, conversions, CRM_CREDIT_WHOLE);
	if (value != NULL)
		add_numeric(context, &paths->value, value, CRM_CREDIT_WHOLE);
	if (model == CRM_MODEL_MARKOV)
	{
		uint32		row = 0;

		make_weight_room(paths);
		for (uint32 i = 0; i < touches; i++)
		{
			paths->weight[(Size) row * paths->stride + channel[i] + 2] += converted + lost;
			row = channel[i] + 1;
		}
		paths->weight[(Size) row * paths->stride] += converted;
		paths->weight[(Size) row * paths->stride + 1] += lost;
	}
	else
	{
		int64	   *credit = palloc(touches * 2 * sizeof(int64));
		uint32	   *global = palloc(touches * sizeof(uint32));
		uint32		here = 0;

		/* channels of the path, numbered as they first occur in it */
		first = palloc(paths->channels.count * sizeof(uint32));
		memset(first, 0xff, paths->channels.count * sizeof(uint32));
		for (uint32 i = 0; i < touches; i++)
		{
			if (first[channel[i]] == PG_UINT32_MAX)
			{
				global[here] = channel[i];
				first[channel[i]] = here++;
			}
			channel[i] = first[channel[i]];
		}
		crm_attribution_credit(model, touches, here, channel, NULL, 0, credit, credit + touches);
		for (uint32 i = 0; i < here; i++)
		{
			Channel    *of = &paths->channels.channel[global[i]];

			if (credit[i] != 0 && conversions != NULL)
				add_numeric(context, &of->credit, conversions, credit[i]);
			if (credit[i] != 0 && value != NULL)
				add_numeric(context, &of->value, value, credit[i]);
		}
	}
	PG_RETURN_POINTER(paths);
}

static void
add_paths(Paths *to, const Paths *from)
{
	MemoryContext context = to->channels.context;
	uint32	   *number = palloc((from->channels.count + 2) * sizeof(uint32));

	if (from->conversions != NULL)
		add_numeric(context, &to->conversions, from->conversions, CRM_CREDIT_WHOLE);
	if (from->value != NULL)
		add_numeric(context, &to->value, from->value, CRM_CREDIT_WHOLE);
	number[0] = 0;
	number[1] = 1;
	for (uint32 i = 0; i < from->channels.count; i++)
	{
		const Channel *channel = &from->channels.channel[i];
		Channel    *of;

		number[i + 2] = channel_number(&to->channels, channel->name, channel->length) + 2;
		of = &to->channels.channel[number[i + 2] - 2];
		if (channel->credit != NULL)
			add_numeric(context, &of->credit, channel->credit, CRM_CREDIT_WHOLE);
		if (channel->value != NULL)
			add_numeric(context, &of->value, channel->value, CRM_CREDIT_WHOLE);
	}
	if (from->weight == NULL)
		return;
	make_weight_room(to);
	for (uint32 row = 0; row <= from->channels.count; row++)
	{
		double	   *sum = to->weight + (Size) (row == 0 ? 0 : number[row + 1] - 1) * to->stride;

		for (uint32 column = 0; column < from->channels.count + 2; column++)
			sum[number[column]] += from->weight[(Size) row * from->stride + column];
	}
}

Datum
crm_attribution_path_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = crm_event_context(fcinfo);
	Paths	   *paths = PG_ARGISNULL(0) ? NULL : (Paths *) PG_GETARG_POINTER(0);
	const Paths *other = PG_ARGISNULL(1) ? NULL : (const Paths *) PG_GETARG_POINTER(1);

	if (other != NULL)
	{
		if (paths == NULL)
			paths = paths_new(context, other->model);
		else if (paths->model != other->model)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the model of attribution must be the same in all rows of a group")));
		add_paths(paths, other);
	}
	if (paths == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(paths);
}

static void
send_numeric(StringInfo to, Numeric number)
{
	bytea	   *bytes;

	if (number == NULL)
	{
		pq_sendint32(to, -1);
		return;
	}
	bytes = DatumGetByteaPP(DirectFunctionCall1(numeric_send, NumericGetDatum(number)));
	pq_sendint32(to, VARSIZE_ANY_EXHDR(bytes));
	pq_sendbytes(to, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
}

static Numeric
receive_numeric(StringInfo from)
{
	int32		length = pq_getmsgint(from, 4);
	StringInfoData bytes;

	if (length < 0)
		return NULL;
	initStringInfo(&bytes);
	appendBinaryStringInfo(&bytes, pq_getmsgbytes(from, length), length);
	return DatumGetNumeric(DirectFunctionCall3(numeric_recv, PointerGetDatum(&bytes), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

Datum
crm_attribution_path_serial(PG_FUNCTION_ARGS)
{
	const Paths *paths = (const Paths *) PG_GETARG_POINTER(0);
	StringInfoData to;

	(void) crm_event_context(fcinfo);
	pq_begintypsend(&to);
	pq_sendint32(&to, paths->model);
	pq_sendint32(&to, paths->channels.count);
	send_numeric(&to, paths->conversions);
	send_numeric(&to, paths->value);
	for (uint32 i = 0; i < paths->channels.count; i++)
	{
		const Channel *channel = &paths->channels.channel[i];

		pq_sendint32(&to, channel->length);
		pq_sendbytes(&to, channel->name, channel->length);
		send_numeric(&to, channel->credit);
		send_numeric(&to, channel->value);
	}
	pq_sendbyte(&to, paths->weight != NULL);
	for (uint32 row = 0; paths->weight != NULL && row <= paths->channels.count; row++)
	{
		for (uint32 column = 0; column < paths->channels.count + 2; column++)
			pq_sendfloat8(&to, paths->weight[(Size) row * paths->stride + column]);
	}
	PG_RETURN_BYTEA_P(pq_endtypsend(&to));
}

Datum
crm_attribution_path_deserial(PG_FUNCTION_ARGS)
{
	const bytea *bytes;
	StringInfoData from;
	Paths	   *paths;
	uint32		model;
	uint32		count;

	(void) crm_event_context(fcinfo);
	bytes = PG_GETARG_BYTEA_PP(0);
	initStringInfo(&from);
	appendBinaryStringInfo(&from, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	model = pq_getmsgint(&from, 4);
	count = pq_getmsgint(&from, 4);
	paths = paths_new(CurrentMemoryContext, model);
	paths->conversions = receive_numeric(&from);
	paths->value = receive_numeric(&from);
	for (uint32 i = 0; i < count; i++)
	{
		uint32		length = pq_getmsgint(&from, 4);
		uint32		number = channel_number(&paths->channels, pq_getmsgbytes(&from, length), length);

		if (number != i)
			break;
		paths->channels.channel[i].credit = receive_numeric(&from);
		paths->channels.channel[i].value = receive_numeric(&from);
	}
	if (model <= CRM_MODEL_NONE || model > CRM_MODEL_MARKOV || paths->channels.count != count)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("the state of an aggregate over paths is damaged")));
	if (pq_getmsgbyte(&from) != 0)
	{
		make_weight_room(paths);
		for (uint32 row = 0; row <= count; row++)
		{
			for (uint32 column = 0; column < count + 2; column++)
				paths->weight[(Size) row * paths->stride + column] = pq_getmsgfloat8(&from);
		}
	}
	pq_getmsgend(&from);
	PG_RETURN_POINTER(paths);
}

static int
by_name(const void *a, const void *b, void *channels)
{
	const Channel *x = &((const Channel *) channels)[*(const uint32 *) a];
	const Channel *y = &((const Channel *) channels)[*(const uint32 *) b];
	int			order = memcmp(x->name, y->name, Min(x->length, y->length));

	return order != 0 ? order : (x->length > y->length) - (x->length < y->length);
}

/*
 * The model markov: credit in proportion to removal effects.  Channels of
 * paths that count nothing are left out: there is no way on from them.  The
 * others are taken in the given order, so that rounding does not depend on the
 * order of rows.  credit and value have room for all channels, and come as NULLs.
 */
static void
credit_by_removal(const Paths *paths, const uint32 *order, double *removal, Numeric *credit, Numeric *value)
{
	uint32		count = paths->channels.count;
	uint32	   *number = palloc(count * sizeof(uint32));
	uint32		n = 0;
	double	   *weight;
	double	   *effect;
	double	   *room;
	int64	   *share;
	double		sum = 0;

	memset(removal, 0, count * sizeof(double));
	for (uint32 i = 0; i < count; i++)
	{
		double		out = 0;

		for (uint32 j = 0; j < count + 2; j++)
			out += paths->weight[(Size) (order[i] + 1) * paths->stride + j];
		if (out > 0)
			number[n++] = order[i];
	}
	if (n == 0)
		return;
	weight = palloc0((Size) (n + 1) * (n + 2) * sizeof(double));
	room = palloc((Size) n * (n + 2) * sizeof(double));
	effect = palloc(n * sizeof(double));
	share = palloc(n * sizeof(int64));
	for (uint32 row = 0; row <= n; row++)
	{
		const double *from = paths->weight + (Size) (row == 0 ? 0 : number[row - 1] + 1) * paths->stride;

		weight[(Size) row * (n + 2)] = from[0];
		weight[(Size) row * (n + 2) + 1] = from[1];
		for (uint32 i = 0; i < n; i++)
			weight[(Size) row * (n + 2) + i + 2] = from[number[i] + 2];
	}
	(void) crm_markov_removal(n, weight, n + 2, room, effect, crm_event_tick);
	for (uint32 i = 0; i < n; i++)
	{
		effect[i] = Max(effect[i], 0);	/* against rounding */
		sum += effect[i];
		removal[number[i]] = effect[i];
	}
	if (!(sum > 0))
		return;					/* nothing was converted */
	crm_attribution_share(n, effect, share);
	for (uint32 i = 0; i < n; i++)
	{
		if (paths->conversions != NULL)
			add_numeric(CurrentMemoryContext, &credit[number[i]], paths->conversions, share[i]);
		if (paths->value != NULL)
			add_numeric(CurrentMemoryContext, &value[number[i]], paths->value, share[i]);
	}
}

static Datum
numeric_or_zero(Numeric number)
{
	if (number == NULL)
		return NumericGetDatum(int64_to_numeric(0));
	return DirectFunctionCall1(numeric_trim_scale, NumericGetDatum(number));
}

Datum
crm_attribution_path_credits(PG_FUNCTION_ARGS)
{
	const Paths *paths = PG_ARGISNULL(0) ? NULL : (const Paths *) PG_GETARG_POINTER(0);
	uint32		count = paths != NULL ? paths->channels.count : 0;
	uint32	   *order = palloc(Max(count, 1) * sizeof(uint32));
	double	   *removal = NULL;
	Numeric    *credit = palloc0(Max(count, 1) * sizeof(Numeric));	/* of each channel */
	Numeric    *value = palloc0(Max(count, 1) * sizeof(Numeric));
	Rows		rows;

	(void) crm_event_context(fcinfo);
	for (uint32 i = 0; i < count; i++)
		order[i] = i;
	if (count > 0)
		qsort_arg(order, count, sizeof(uint32), by_name, paths->channels.channel);
	if (paths != NULL && paths->weight != NULL)
	{
		removal = palloc(Max(count, 1) * sizeof(double));
		credit_by_removal(paths, order, removal, credit, value);
	}
	for (uint32 i = 0; removal == NULL && i < count; i++)
	{
		credit[i] = paths->channels.channel[i].credit;
		value[i] = paths->channels.channel[i].value;
	}
	rows_begin(&rows, fcinfo, count);
	for (uint32 i = 0; i < count; i++)
	{
		const Channel *channel = &paths->channels.channel[order[i]];
		bool		nulls[4] = {false, false, false, removal == NULL};
		Datum		values[4];

		values[0] = PointerGetDatum(cstring_to_text_with_len(channel->name, channel->length));
		values[1] = numeric_or_zero(credit[order[i]]);
		values[2] = numeric_or_zero(value[order[i]]);
		values[3] = Float8GetDatum(removal != NULL ? removal[order[i]] : 0);
		rows_add(&rows, values, nulls);
	}
	PG_RETURN_ARRAYTYPE_P(rows_end(&rows));
}
