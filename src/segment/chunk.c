/*
 * chunk.c
 *		The chunks of a set as rows of crm.segment_chunk.
 *
 * Members of a segment are kept in one small set for each 65,536 numbers, which
 * is one chunk of a crm.contact_set: a change rewrites 8 kB at most, and chunks
 * are cut out and put together as they lie.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "funcapi.h"

#include "crm.h"
#include "type/contact_set_datum.h"

PG_FUNCTION_INFO_V1(crm_segment_set_chunks);

typedef struct Cutting
{
	const CrmSet *set;
	uint32		next;
} Cutting;

/* crm.set_chunks(members) */
Datum
crm_segment_set_chunks(PG_FUNCTION_ARGS)
{
	FuncCallContext *call;
	Cutting    *cutting;

	if (SRF_IS_FIRSTCALL())
	{
		MemoryContext old_context;
		TupleDesc	desc;

		call = SRF_FIRSTCALL_INIT();
		old_context = MemoryContextSwitchTo(call->multi_call_memory_ctx);
		if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		call->tuple_desc = BlessTupleDesc(desc);
		cutting = palloc0(sizeof(Cutting));
		/* The argument may not live as long as we do. */
		cutting->set = crm_set_open(PointerGetDatum(PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(0))));
		call->user_fctx = cutting;
		MemoryContextSwitchTo(old_context);
	}
	call = SRF_PERCALL_SETUP();
	cutting = call->user_fctx;
	if (cutting->next < cutting->set->chunks)
	{
		const CrmSetChunk *chunk = &cutting->set->chunk[cutting->next++];
		CrmSetBuilder builder;
		Datum		values[2];
		bool		nulls[2] = {false, false};

		crm_build_begin(&builder, &crm_set_server, 1, crm_chunk_size(chunk));
		crm_build_copy(&builder, chunk, crm_chunk_body(cutting->set, chunk));
		values[0] = Int64GetDatum(chunk->key);
		values[1] = crm_set_datum(crm_build_end(&builder));
		SRF_RETURN_NEXT(call, HeapTupleGetDatum(heap_form_tuple(call->tuple_desc, values, nulls)));
	}
	SRF_RETURN_DONE(call);
}
