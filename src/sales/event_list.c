/*
 * event_list.c
 *		The state of aggregates over events, see event_list.h.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "common/int.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "nodes/primnodes.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "crm.h"
#include "sales/attribution.h"
#include "sales/event_list.h"

/*
 * Room of a new list: with its header 120 bytes, in a chunk of 128, where many
 * groups live at once; where rows come group by group, enough for most.
 */
#define FIRST_OF_MANY 5
#define FIRST_OF_ONE 60

static CrmEventCall *
call_of(FunctionCallInfo fcinfo)
{
	if (fcinfo->flinfo->fn_extra == NULL)
		fcinfo->flinfo->fn_extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(CrmEventCall));
	return fcinfo->flinfo->fn_extra;
}

MemoryContext
crm_event_context(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "an aggregate's function was called outside of an aggregate");
	return context;
}

/* ---------------- arguments ---------------- */

int64
crm_event_span(const Interval *interval, const char *what)
{
	int64		span;

	if (interval->month != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s cannot have months or years", what),
				 errdetail("It is %s; months are of different lengths.", DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(interval)))),
				 errhint("Say it in days, which are taken as 24 hours: 30 days.")));
	if (pg_mul_s64_overflow(interval->day, USECS_PER_DAY, &span) || pg_add_s64_overflow(span, interval->time, &span))
		ereport(ERROR,
				(errcode(ERRCODE_INTERVAL_FIELD_OVERFLOW),
				 errmsg("%s is out of range", what)));
	return span;
}

static void
refuse_negative(const CrmEventSetup *setup, const char *what)
{
	if (setup->span < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s cannot be negative", what),
				 errdetail("It is %s.", DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(&setup->interval))))));
}

void
crm_event_tick(void)
{
	CHECK_FOR_INTERRUPTS();
}

static void
read_setup(CrmEventSetup *setup)
{
	size_t		start;
	size_t		end;
	CrmCheck	check;

	switch (setup->use)
	{
		case CRM_EVENT_FUNNEL:
			setup->span = crm_event_span(&setup->interval, "the window of a funnel");
			refuse_negative(setup, "the window of a funnel");
			if (!crm_funnel_mode(setup->text, setup->length, &setup->mode, &start, &end))
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 start < end ? errmsg("unknown mode of a funnel: \"%s\"", pnstrdup(setup->text + start, end - start)) :
						 errmsg("the mode allow_reentry of a funnel needs strict_order"),
						 errhint("Modes are strict_order, strict_deduplication, strict_increase, strict_once and, with strict_order, allow_reentry; several with commas between them; '' for none.")));
			break;
		case CRM_EVENT_SEQUENCE:
			setup->sequence = palloc(sizeof(CrmSequence));
			if (!crm_sequence_parse(setup->text, setup->length, setup->number, setup->sequence, &check))
				ereport(ERROR,
						(errcode(ERRCODE_SYNTAX_ERROR),
						 errmsg("the pattern of a sequence is malformed at character %d", pg_mbstrlen_with_len(setup->text, check.position) + 1),
						 errdetail("%s Pattern: %s", check.message, setup->text),
						 errhint("%s", check.hint)));
			break;
		case CRM_EVENT_JOURNEY:
			if (setup->number < 1)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("a journey must have at least one step"),
						 errdetail("The greatest number of steps is %d.", setup->number)));
			setup->span = crm_event_span(&setup->interval, "the longest gap within a journey");
			refuse_negative(setup, "the longest gap within a journey");
			break;
		case CRM_EVENT_CREDIT:
			setup->mode = crm_attribution_model(setup->text, setup->length);
			if (setup->mode == CRM_MODEL_NONE || setup->mode == CRM_MODEL_MARKOV)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 setup->mode == CRM_MODEL_NONE ? errmsg("unknown model of attribution: \"%s\"", setup->text) :
						 errmsg("the model markov needs all paths, not the touches of one conversion"),
						 setup->mode == CRM_MODEL_NONE ? errhint("Models of single conversions are first, last, linear, position, time_decay and shapley.") :
						 errhint("Use crm.attribution(model, path, conversions, value, nulls).")));
			setup->span = crm_event_span(&setup->interval, "the half-life of touches");
			if (setup->span <= 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("the half-life of touches must be longer than zero")));
			break;
	}
}

static bool
same_setup(const CrmEventSetup *a, const CrmEventSetup *b)
{
	return a == b || (a->use == b->use && a->number == b->number && a->length == b->length &&
					  memcmp(&a->interval, &b->interval, sizeof(Interval)) == 0 &&
					  (a->length == 0 || memcmp(a->text, b->text, a->length) == 0));
}

static uint32
hash_setup(const CrmEventSetup *setup)
{
	uint32		hash = hash_bytes((const unsigned char *) &setup->interval, sizeof(Interval));

	hash = hash_combine(hash, hash_bytes((const unsigned char *) setup->text, setup->length));
	return hash_combine(hash, murmurhash32((uint32) setup->number << 2 ^ (uint32) setup->use));
}

typedef struct SetupEntry
{
	const CrmEventSetup *setup;
	uint32		hash;
	char		status;
} SetupEntry;

#define SH_PREFIX setups
#define SH_ELEMENT_TYPE SetupEntry
#define SH_KEY_TYPE const CrmEventSetup *
#define SH_KEY setup
#define SH_HASH_KEY(table, key) hash_setup(key)
#define SH_EQUAL(table, a, b) same_setup(a, b)
#define SH_STORE_HASH
#define SH_GET_HASH(table, entry) (entry)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/*
 * The setups of the states of a memory context.  They live there, and go with
 * the states: where every group has arguments of its own, those of groups that
 * are done must not pile up.
 */
typedef struct CrmEventHome
{
	struct CrmEventHome *next;
	CrmEventCall *call;
	MemoryContext context;
	MemoryContextCallback leaving;
	setups_hash *setups;
	const CrmEventSetup *last;
} CrmEventHome;

static void
leave_home(void *argument)
{
	CrmEventHome *home = argument;
	CrmEventHome **link = &home->call->homes;

	while (*link != home)
		link = &(*link)->next;
	*link = home->next;
}

static CrmEventHome *
home_of(FunctionCallInfo fcinfo, CrmEventCall *call)
{
	MemoryContext context = crm_event_context(fcinfo);
	CrmEventHome *home = call->homes;

	while (home != NULL && home->context != context)
		home = home->next;
	if (home != NULL)
		return home;
	home = MemoryContextAllocZero(context, sizeof(CrmEventHome));
	home->call = call;
	home->context = context;
	home->setups = setups_create(context, 1, NULL);
	home->leaving.func = leave_home;
	home->leaving.arg = home;
	home->next = call->homes;
	call->homes = home;
	MemoryContextRegisterResetCallback(context, &home->leaving);
	return home;
}

static const CrmEventSetup *
make_setup(const CrmEventSetup *of, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	CrmEventSetup *setup = palloc(sizeof(CrmEventSetup));

	*setup = *of;
	setup->text = pnstrdup(of->text, of->length);
	read_setup(setup);
	MemoryContextSwitchTo(old);
	return setup;
}

const CrmEventSetup *
crm_event_setup(FunctionCallInfo fcinfo, CrmEventUse use, const Interval *interval, const char *text, uint32 length, int32 number)
{
	CrmEventCall *call = call_of(fcinfo);
	CrmEventSetup wanted = {
		.use = use,
		.interval = *interval,
		.number = number,
		.length = length,
		.text = unconstify(char *, text)
	};
	CrmEventHome *home;
	SetupEntry *entry;

	if (call->first == NULL)
		call->first = make_setup(&wanted, fcinfo->flinfo->fn_mcxt);
	if (same_setup(call->first, &wanted))
		return call->first;
	home = home_of(fcinfo, call);
	if (home->last != NULL && same_setup(home->last, &wanted))
		return home->last;
	entry = setups_lookup(home->setups, &wanted);
	if (entry == NULL)
	{
		const CrmEventSetup *setup = make_setup(&wanted, home->context);
		bool		found;

		entry = setups_insert(home->setups, setup, &found);
	}
	home->last = entry->setup;
	return home->last;
}

static void
check_conditions(FunctionCallInfo fcinfo, int from, CrmEventCall *call)
{
	int			number = PG_NARGS() - from;

	call->in_array = get_fn_expr_variadic(fcinfo->flinfo);
	for (int i = from; i < PG_NARGS(); i++)
	{
		Oid			type = get_fn_expr_argtype(fcinfo->flinfo, i);

		/* a mere NULL is of no type */
		if (type != (call->in_array ? BOOLARRAYOID : BOOLOID) && !(type == UNKNOWNOID && PG_ARGISNULL(i)))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 call->in_array ? errmsg("conditions must be an array of boolean, not %s", format_type_be(type)) :
					 errmsg("condition %d must be boolean, not %s", i - from + 1, format_type_be(type)),
					 errhint("Compare something: kind = 'order'.")));
	}
	if (!call->in_array && number > CRM_EVENT_CONDITIONS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("there are more than %d conditions", CRM_EVENT_CONDITIONS)));
	call->checked = true;
}

static uint64
conditions_in_array(ArrayType *array, int32 *number)
{
	int			size = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	const bool *value = (const bool *) ARR_DATA_PTR(array);
	const bits8 *not_null = ARR_NULLBITMAP(array);
	uint64		what = 0;

	if (size < 1 || size > CRM_EVENT_CONDITIONS)
		ereport(ERROR,
				(errcode(size < 1 ? ERRCODE_INVALID_PARAMETER_VALUE : ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 size < 1 ? errmsg("there are no conditions") :
				 errmsg("there are more than %d conditions", CRM_EVENT_CONDITIONS)));
	*number = size;
	for (int i = 0; i < size; i++)
	{
		if (not_null != NULL && !(not_null[i / 8] & (1 << (i % 8))))
			continue;
		if (*value++)
			what |= UINT64CONST(1) << i;
	}
	return what;
}

/* The executor would make an array of each row: declared "any", it does not. */
uint64
crm_event_conditions(FunctionCallInfo fcinfo, int from, int32 *number)
{
	CrmEventCall *call = call_of(fcinfo);

	if (!call->checked)
		check_conditions(fcinfo, from, call);
	if (call->in_array)
	{
		if (PG_ARGISNULL(from))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("the array of conditions cannot be null")));
		return conditions_in_array(PG_GETARG_ARRAYTYPE_P(from), number);
	}
	*number = PG_NARGS() - from;
	return crm_event_condition_bits(fcinfo, from);
}

void
crm_event_note_constants(FunctionCallInfo fcinfo, int before)
{
	CrmEventCall *call = call_of(fcinfo);
	Aggref	   *aggref;

	if (call->is_noted)
		return;
	call->is_noted = true;
	aggref = AggGetAggref(fcinfo);
	if (call->in_array || aggref == NULL)
		return;
	for (int i = 0; i < before; i++)
	{
		const Expr *argument = ((TargetEntry *) list_nth(aggref->args, i))->expr;

		if (!IsA(argument, Const) && !(IsA(argument, Param) && ((const Param *) argument)->paramkind == PARAM_EXTERN))
			return;
	}
	call->constant = true;
}

void
crm_event_list_differs(const CrmEventSetup *setup)
{
	static const char *const what[] = {
		"the window, the mode and the number of steps of a funnel",
		"the pattern and the number of conditions of a sequence",
		"the number of steps and the gap of a journey",
		"the model, the half-life and the moment of a conversion"
	};

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s must be the same in all rows of a group", what[setup->use])));
}

/* ---------------- the list ---------------- */

static Size
size_for(uint32 room)
{
	return offsetof(CrmEventList, event) + room * sizeof(CrmEvent);
}

static void __attribute__((noreturn))
too_many(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("a group has too many events"),
			 errhint("Leave events that match no condition out with WHERE.")));
}

CrmEventList *
crm_event_list_new(FunctionCallInfo fcinfo, const CrmEventSetup *setup)
{
	MemoryContext context = crm_event_context(fcinfo);
	bool		many = !IsA(fcinfo->context, AggState) || ((AggState *) fcinfo->context)->aggstrategy == AGG_HASHED ||
		((AggState *) fcinfo->context)->aggstrategy == AGG_MIXED;
	uint32		room = many ? FIRST_OF_MANY : FIRST_OF_ONE;
	CrmEventList *list = MemoryContextAlloc(context, size_for(room));

	memset(list, 0, offsetof(CrmEventList, event));
	list->setup = setup;
	list->room = room;
	list->sorted = 1;
	return list;
}

/* The size in memory, but for some bytes, doubles: no part of a chunk is idle. */
CrmEventList *
crm_event_list_grow(CrmEventList *list)
{
	uint64		room = (uint64) list->room * 2 + (offsetof(CrmEventList, event) + sizeof(CrmEvent) - 1) / sizeof(CrmEvent);

	if (size_for(list->room) > MaxAllocSize / 2 - 1024)
	{
		room = (MaxAllocSize - 1024) / sizeof(CrmEvent);
		if (list->room == room)
			too_many();
	}
	list = repalloc(list, size_for(room));
	list->room = room;
	return list;
}

static void
make_names_room(CrmEventList *list, uint32 length)
{
	uint64		room = Max((uint64) list->names_room, 64);

	while (room < (uint64) list->names_used + length)
		room *= 2;
	if (room > MaxAllocSize / 2)
		too_many();
	if (list->names == NULL)
		list->names = MemoryContextAlloc(GetMemoryChunkContext(list), room);
	else if (room > list->names_room)
		list->names = repalloc(list->names, room);
	list->names_room = room;
}

CrmEventList *
crm_event_list_add_name(CrmEventList *list, int64 at, const char *name, uint32 length)
{
	uint32		offset = list->names_used;

	/* often the name of the event before */
	if (list->count > 0)
	{
		uint64		before = list->event[list->count - 1].what;

		if (CRM_EVENT_NAME_LENGTH(before) == length && memcmp(list->names + CRM_EVENT_NAME_AT(before), name, length) == 0)
			return crm_event_list_add(list, at, before);
	}
	make_names_room(list, length);
	memcpy(list->names + offset, name, length);
	list->names_used += length;
	return crm_event_list_add(list, at, (uint64) offset << 32 | length);
}

/* ---------------- sorting: a merge of the runs that are there ---------------- */

static inline bool
not_after(const CrmEvent *a, const CrmEvent *b, const char *names)
{
	uint32		a_length;
	uint32		b_length;
	int			order;

	if (a->at != b->at)
		return a->at < b->at;
	if (names == NULL)
		return a->what <= b->what;
	a_length = CRM_EVENT_NAME_LENGTH(a->what);
	b_length = CRM_EVENT_NAME_LENGTH(b->what);
	order = memcmp(names + CRM_EVENT_NAME_AT(a->what), names + CRM_EVENT_NAME_AT(b->what), Min(a_length, b_length));
	return order < 0 || (order == 0 && a_length <= b_length);
}

static uint32
run_end(const CrmEvent *event, uint32 begin, uint32 count, const char *names)
{
	while (++begin < count && not_after(&event[begin - 1], &event[begin], names))
		;
	return Min(begin, count);
}

static void
insertion_sort(CrmEvent *event, uint32 count, const char *names)
{
	for (uint32 i = 1; i < count; i++)
	{
		CrmEvent	moving = event[i];
		uint32		j = i;

		for (; j > 0 && !not_after(&event[j - 1], &moving, names); j--)
			event[j] = event[j - 1];
		event[j] = moving;
	}
}

/* One pass: each two runs become one.  Returns the number of runs left. */
static uint32
merge_runs(const CrmEvent *from, CrmEvent *to, uint32 count, const char *names)
{
	uint32		runs = 0;

	for (uint32 begin = 0; begin < count; runs++)
	{
		uint32		left = begin;
		uint32		middle = run_end(from, begin, count, names);
		uint32		right = middle;
		uint32		end = middle < count ? run_end(from, middle, count, names) : count;

		CHECK_FOR_INTERRUPTS();
		while (begin < end)
		{
			bool		take_left = left < middle && (right == end || not_after(&from[left], &from[right], names));

			to[begin++] = take_left ? from[left++] : from[right++];
		}
	}
	return runs;
}

void
crm_event_list_sort(CrmEventList *list)
{
	CrmEvent   *other;
	CrmEvent   *from = list->event;
	uint32		runs;

	if (list->sorted && list->setup->use == CRM_EVENT_FUNNEL)
		return;					/* which takes a moment as a whole */
	if (list->count <= 16)
	{
		insertion_sort(list->event, list->count, list->names);
		list->sorted = 1;
		return;
	}
	if (run_end(list->event, 0, list->count, list->names) < list->count)
	{
		CrmEvent   *to = other = MemoryContextAllocHuge(CurrentMemoryContext, list->count * sizeof(CrmEvent));

		do
		{
			CrmEvent   *swap = from;

			runs = merge_runs(from, to, list->count, list->names);
			from = to;
			to = swap;
		} while (runs > 1);
		if (from == other)
			memcpy(list->event, other, list->count * sizeof(CrmEvent));
		pfree(other);
	}
	list->sorted = 1;
}

/* ---------------- parallel ---------------- */

PG_FUNCTION_INFO_V1(crm_event_list_combine);
PG_FUNCTION_INFO_V1(crm_event_list_serial);
PG_FUNCTION_INFO_V1(crm_event_list_deserial);

Datum
crm_event_list_combine(PG_FUNCTION_ARGS)
{
	MemoryContext context = crm_event_context(fcinfo);
	CrmEventList *list = PG_ARGISNULL(0) ? NULL : (CrmEventList *) PG_GETARG_POINTER(0);
	const CrmEventList *other = PG_ARGISNULL(1) ? NULL : (const CrmEventList *) PG_GETARG_POINTER(1);

	if (other == NULL)
	{
		if (list == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(list);
	}
	if (list == NULL)
	{
		list = MemoryContextAlloc(context, size_for(other->count));
		memcpy(list, other, size_for(other->count));
		list->room = other->count;
		list->names = NULL;
		list->names_room = list->names_used = 0;
	}
	else
	{
		uint64		shift = (uint64) list->names_used << 32;

		if (!same_setup(list->setup, other->setup) || list->moment != other->moment)
			crm_event_list_differs(list->setup);
		for (uint32 i = 0; i < other->count; i++)
		{
			if (i % CRM_EVENTS_A_TICK == 0)
				CHECK_FOR_INTERRUPTS();
			list = crm_event_list_add(list, other->event[i].at, other->event[i].what + shift);
		}
		list->sorted = list->sorted && other->sorted;
	}
	if (other->names != NULL)
	{
		make_names_room(list, other->names_used);
		memcpy(list->names + list->names_used, other->names, other->names_used);
		list->names_used += other->names_used;
	}
	PG_RETURN_POINTER(list);
}

/* Of a state on its way from a worker: this, the text, the names, the events. */
typedef struct Image
{
	Interval	interval;
	int64		moment;
	int32		use;
	int32		number;
	uint32		length;
	uint32		names;
	uint32		count;
	uint32		named;			/* whether events have names */
} Image;

Datum
crm_event_list_serial(PG_FUNCTION_ARGS)
{
	const CrmEventList *list = (const CrmEventList *) PG_GETARG_POINTER(0);
	const CrmEventSetup *setup;
	Size		size;
	bytea	   *bytes;
	char	   *to;
	Image		image;

	(void) crm_event_context(fcinfo);
	setup = list->setup;
	size = (Size) VARHDRSZ + sizeof(Image) + setup->length + list->names_used + list->count * sizeof(CrmEvent);
	if (size > MaxAllocSize)
		too_many();
	bytes = palloc(size);
	SET_VARSIZE(bytes, size);
	memset(&image, 0, sizeof(image));
	image.interval = setup->interval;
	image.moment = list->moment;
	image.use = setup->use;
	image.number = setup->number;
	image.length = setup->length;
	image.names = list->names_used;
	image.count = list->count;
	image.named = list->names != NULL;
	to = VARDATA(bytes);
	memcpy(to, &image, sizeof(image));
	to += sizeof(image);
	memcpy(to, setup->text, setup->length);
	to += setup->length;
	if (list->names_used > 0)
		memcpy(to, list->names, list->names_used);
	to += list->names_used;
	memcpy(to, list->event, list->count * sizeof(CrmEvent));
	PG_RETURN_BYTEA_P(bytes);
}

/* What a worker of ours wrote; what it could not have written is refused. */
Datum
crm_event_list_deserial(PG_FUNCTION_ARGS)
{
	const bytea *bytes;
	Image		image;
	const char *from;
	CrmEventList *list = NULL;
	bool		sound;

	(void) crm_event_context(fcinfo);
	bytes = PG_GETARG_BYTEA_PP(0);
	from = VARDATA_ANY(bytes);
	sound = VARSIZE_ANY_EXHDR(bytes) >= sizeof(Image);
	if (sound)
	{
		memcpy(&image, from, sizeof(image));
		from += sizeof(image);
		sound = image.use >= CRM_EVENT_FUNNEL && image.use <= CRM_EVENT_CREDIT && image.named <= 1 &&
			image.count > 0 &&
			(image.use <= CRM_EVENT_SEQUENCE ? image.named == 0 && image.names == 0 && image.number >= 1 && image.number <= CRM_EVENT_CONDITIONS : image.named == 1) &&
			sizeof(image) + (uint64) image.length + image.names + (uint64) image.count * sizeof(CrmEvent) == VARSIZE_ANY_EXHDR(bytes);
	}
	if (sound)
	{
		list = palloc(size_for(image.count));
		memset(list, 0, offsetof(CrmEventList, event));
		list->setup = crm_event_setup(fcinfo, image.use, &image.interval, from, image.length, image.number);
		from += image.length;
		list->count = list->room = image.count;
		list->moment = image.moment;
		list->names_used = list->names_room = image.names;
		if (image.named)
			list->names = memcpy(palloc(Max(image.names, 1)), from, image.names);
		from += image.names;
		memcpy(list->event, from, image.count * sizeof(CrmEvent));
		list->sorted = 1;
		for (uint32 i = 0; sound && i < image.count; i++)
		{
			uint64		what = list->event[i].what;

			if (image.named)
				sound = (uint64) CRM_EVENT_NAME_AT(what) + CRM_EVENT_NAME_LENGTH(what) <= image.names;
			else
				sound = image.number == CRM_EVENT_CONDITIONS || what >> image.number == 0;
			if (i > 0 && list->event[i].at < list->event[i - 1].at)
				list->sorted = 0;
		}
	}
	if (!sound)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("the state of an aggregate over events is damaged")));
	PG_RETURN_POINTER(list);
}
