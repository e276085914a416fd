/*
 * contact_set_rows.c
 *		Members as rows; samples and arms.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"

#include "crm.h"
#include "type/contact_set_datum.h"

PG_FUNCTION_INFO_V1(crm_contact_set_members);
PG_FUNCTION_INFO_V1(crm_contact_set_sample);
PG_FUNCTION_INFO_V1(crm_contact_set_split);
PG_FUNCTION_INFO_V1(crm_contact_set_arm_of);

Datum
crm_contact_set_members(PG_FUNCTION_ARGS)
{
	FuncCallContext *call;
	int64		id;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;
		CrmSetIterator *iterator;

		call = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		iterator = palloc(sizeof(CrmSetIterator));

		/* the argument may not live as long as we do */
		crm_set_iterate(iterator, (const CrmSet *) PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(0)));
		crm_set_open(PointerGetDatum(iterator->set));
		call->user_fctx = iterator;
		MemoryContextSwitchTo(old);
	}
	call = SRF_PERCALL_SETUP();
	if (crm_set_next((CrmSetIterator *) call->user_fctx, &id))
		SRF_RETURN_NEXT(call, Int64GetDatum(id));
	SRF_RETURN_DONE(call);
}

Datum
crm_contact_set_sample(PG_FUNCTION_ARGS)
{
	const CrmSet *set = PG_GETARG_CRM_SET(0);
	int64		n = PG_GETARG_INT64(1);

	if (n < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a sample of %lld contacts cannot be drawn", (long long) n)));
	PG_RETURN_CRM_SET(crm_set_sample(set, n, PG_GETARG_INT64(2), &crm_set_server));
}

static void
get_arms(CrmSetArms *arms, ArrayType *array)
{
	int			count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));

	if (ARR_ELEMTYPE(array) != FLOAT8OID)
		elog(ERROR, "an array of double precision is expected");
	if (ARR_NDIM(array) != 1 || count > CRM_SET_MAX_ARMS || array_contains_nulls(array) ||
		!crm_set_arms(arms, (const double *) ARR_DATA_PTR(array), count))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("these weights do not make arms"),
				 errdetail("Weights are 1 to %d numbers, none of them negative, null or infinite, and not all zero.",
						   CRM_SET_MAX_ARMS)));
}

typedef struct Parts
{
	uint32		arms;
	CrmSet	   *part[CRM_SET_MAX_ARMS];
} Parts;

Datum
crm_contact_set_split(PG_FUNCTION_ARGS)
{
	FuncCallContext *call;
	Parts	   *parts;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old;
		CrmSetArms *arms;
		TupleDesc	tupdesc;

		call = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE ||
			tupdesc->natts != 2)
			elog(ERROR, "return type must be (arm, members)");
		call->tuple_desc = BlessTupleDesc(tupdesc);
		arms = palloc(sizeof(CrmSetArms));
		get_arms(arms, PG_GETARG_ARRAYTYPE_P(1));
		parts = palloc0(sizeof(Parts));
		parts->arms = arms->arms;
		if (!crm_set_split(PG_GETARG_CRM_SET(0), arms, PG_GETARG_INT64(2),
						   parts->part, &crm_set_server))
			crm_set_datum(NULL);
		call->user_fctx = parts;
		MemoryContextSwitchTo(old);
	}
	call = SRF_PERCALL_SETUP();
	parts = call->user_fctx;
	if (call->call_cntr < parts->arms)
	{
		Datum		values[2];
		bool		nulls[2] = {false, false};

		values[0] = Int32GetDatum(call->call_cntr + 1);
		values[1] = crm_set_datum(parts->part[call->call_cntr]);
		SRF_RETURN_NEXT(call, HeapTupleGetDatum(heap_form_tuple(call->tuple_desc, values, nulls)));
	}
	SRF_RETURN_DONE(call);
}

Datum
crm_contact_set_arm_of(PG_FUNCTION_ARGS)
{
	CrmSetArms	arms;

	get_arms(&arms, PG_GETARG_ARRAYTYPE_P(1));
	PG_RETURN_INT32(crm_set_arm(&arms, PG_GETARG_INT64(0), PG_GETARG_INT64(2)) + 1);
}
