/*
 * contact_set_agg.c
 *		Aggregates: crm.contact_set_agg(bigint) and crm.union_agg(contact_set).
 *		(crm.intersect_agg() needs no state but the set.)
 *
 * Both collect in the same state.  It begins as a short list, so that a million
 * groups of three ids cost a hundred bytes each; from MANY ids on it is a
 * CrmLive.
 */
#include "postgres.h"

#include "crm.h"
#include "type/contact_set_datum.h"

#define FIRST 4
#define MANY 128

typedef struct State
{
	uint32		used;
	uint32		room;
	CrmLive    *live;			/* or NULL: what is not in id[] */
	const CrmSet *set;			/* or NULL: of a state that came from a worker,
								 * nothing else is in it */
	int64		id[FLEXIBLE_ARRAY_MEMBER];
} State;

PG_FUNCTION_INFO_V1(crm_contact_set_agg_add);
PG_FUNCTION_INFO_V1(crm_contact_set_agg_union);
PG_FUNCTION_INFO_V1(crm_contact_set_agg_combine);
PG_FUNCTION_INFO_V1(crm_contact_set_agg_serial);
PG_FUNCTION_INFO_V1(crm_contact_set_agg_deserial);
PG_FUNCTION_INFO_V1(crm_contact_set_agg_final);

static MemoryContext
context_of(FunctionCallInfo fcinfo)
{
	MemoryContext context;

	if (!AggCheckCallContext(fcinfo, &context))
		elog(ERROR, "an aggregate's function was called outside of an aggregate");
	return context;
}

static State *
new_state(void)
{
	State	   *state = palloc(offsetof(State, id) + FIRST * sizeof(int64));

	state->used = 0;
	state->room = FIRST;
	state->live = NULL;
	state->set = NULL;
	return state;
}

static void
make_live(State *state)
{
	if (state->live != NULL)
		return;
	state->live = crm_live_begin(&crm_set_server);
	for (uint32 i = 0; i < state->used; i++)
		crm_live_add(state->live, state->id[i]);
	state->used = 0;
}

/* May move the state. */
static State *
add_id(State *state, int64 id)
{
	if (state->live == NULL)
	{
		if (state->used < state->room)
		{
			state->id[state->used++] = id;
			return state;
		}
		if (state->room < MANY)
		{
			state->room *= 2;
			state = repalloc(state, offsetof(State, id) + state->room * sizeof(int64));
			state->id[state->used++] = id;
			return state;
		}
		make_live(state);
	}
	crm_live_add(state->live, id);
	return state;
}

static State *
add_set(State *state, const CrmSet *set)
{
	if (state->live == NULL && state->used + set->cardinality <= MANY)
	{
		CrmSetIterator iterator;
		int64		id;

		crm_set_iterate(&iterator, set);
		while (crm_set_next(&iterator, &id))
			state = add_id(state, id);
		return state;
	}
	make_live(state);
	crm_live_add_set(state->live, set);
	return state;
}

Datum
crm_contact_set_agg_add(PG_FUNCTION_ARGS)
{
	MemoryContext context = context_of(fcinfo);
	MemoryContext old = MemoryContextSwitchTo(context);
	State	   *state = PG_ARGISNULL(0) ? NULL : (State *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
		state = add_id(state != NULL ? state : new_state(), PG_GETARG_INT64(1));
	MemoryContextSwitchTo(old);
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

Datum
crm_contact_set_agg_union(PG_FUNCTION_ARGS)
{
	MemoryContext context = context_of(fcinfo);
	State	   *state = PG_ARGISNULL(0) ? NULL : (State *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
	{
		/* fetched before the context is changed: it goes with the row */
		const CrmSet *set = PG_GETARG_CRM_SET(1);
		MemoryContext old = MemoryContextSwitchTo(context);

		state = add_set(state != NULL ? state : new_state(), set);
		MemoryContextSwitchTo(old);
		if ((Pointer) set != PG_GETARG_POINTER(1))
			pfree((void *) set);
	}
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

Datum
crm_contact_set_agg_combine(PG_FUNCTION_ARGS)
{
	MemoryContext old = MemoryContextSwitchTo(context_of(fcinfo));
	State	   *state = PG_ARGISNULL(0) ? NULL : (State *) PG_GETARG_POINTER(0);
	const State *other = PG_ARGISNULL(1) ? NULL : (const State *) PG_GETARG_POINTER(1);

	if (other != NULL)
	{
		if (state == NULL)
			state = new_state();
		for (uint32 i = 0; i < other->used; i++)
			state = add_id(state, other->id[i]);
		if (other->set != NULL)
			state = add_set(state, other->set);
		if (other->live != NULL)
		{
			make_live(state);
			crm_live_add_live(state->live, other->live);
		}
	}
	MemoryContextSwitchTo(old);
	if (state == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(state);
}

/* The set of a state, which stays as it is but for the order of id[]. */
static Datum
set_of(State *state)
{
	return crm_set_datum(state->live != NULL ? crm_live_set(state->live) :
						 crm_set_from_ids(state->id, state->used, &crm_set_server));
}

/* The bytes of the set are sent, its length word that of the bytea. */
Datum
crm_contact_set_agg_serial(PG_FUNCTION_ARGS)
{
	State	   *state = (State *) PG_GETARG_POINTER(0);

	context_of(fcinfo);
	if (state->set != NULL)
		PG_RETURN_POINTER(state->set);
	return set_of(state);
}

Datum
crm_contact_set_agg_deserial(PG_FUNCTION_ARGS)
{
	struct varlena *bytes = PG_DETOAST_DATUM(PG_GETARG_DATUM(0));
	Size		size = VARSIZE(bytes);
	CrmSet	   *set = palloc(size);
	State	   *state = new_state();

	context_of(fcinfo);
	memcpy(set, bytes, size);
	if (!crm_set_is_valid(set, size))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("the state of an aggregate over contact sets is damaged")));
	state->set = set;
	PG_RETURN_POINTER(state);
}

Datum
crm_contact_set_agg_final(PG_FUNCTION_ARGS)
{
	State	   *state = PG_ARGISNULL(0) ? NULL : (State *) PG_GETARG_POINTER(0);

	context_of(fcinfo);
	if (state == NULL)
		PG_RETURN_NULL();
	return set_of(state);
}
