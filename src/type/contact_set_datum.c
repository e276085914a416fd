/*
 * contact_set_datum.c
 *		From a datum to a set and back (contact_set_datum.h).
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/heaptoast.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "crm.h"
#include "type/contact_set_datum.h"

StaticAssertDecl(offsetof(CrmSet, chunk) == 24 && sizeof(CrmSetChunk) == 16,
				 "the layout of crm.contact_set is on disk");
StaticAssertDecl(VARHDRSZ == sizeof(((CrmSet *) 0)->header),
				 "a set begins with the server's length word");

static void *
resize(void *memory, size_t size)
{
	if (memory == NULL)
		return MemoryContextAllocExtended(CurrentMemoryContext, size, MCXT_ALLOC_HUGE);
	return repalloc_huge(memory, size);
}

static void
tick(void)
{
	CHECK_FOR_INTERRUPTS();
}

const CrmSetHost crm_set_server = {resize, pfree, tick};

Datum
crm_set_datum(CrmSet *set)
{
	if (set == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a value of type crm.contact_set would be larger than %d MB",
						(int) (CRM_SET_MAX_SIZE / (1024 * 1024))),
				 errdetail("Ids without gaps take 20 bytes for each 65536 of them, ids far from each other 18 bytes each.")));
	SET_VARSIZE(set, set->size);
	PG_RETURN_POINTER(set);
}

static const CrmSet *
checked(const struct varlena *value)
{
	const CrmSet *set = (const CrmSet *) value;
	Size		size = VARSIZE(value);

	if (size < CRM_SET_HEADER_SIZE || set->version != CRM_SET_VERSION || set->size != size ||
		set->chunks > (size - CRM_SET_HEADER_SIZE) / sizeof(CrmSetChunk))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored value of type crm.contact_set is damaged or of a newer version")));
	return set;
}

/* As it lies: neither compressed nor elsewhere nor with a short header. */
static bool
is_plain(const struct varlena *value)
{
	return VARATT_IS_4B_U(value) && (uintptr_t) value % 8 == 0;
}

static struct varlena *
fetch(struct varlena *value)
{
	struct varlena *plain = detoast_attr(value);

	if (plain == value)			/* plain, but not aligned */
	{
		plain = palloc(VARSIZE(value));
		memcpy(plain, value, VARSIZE(value));
	}
	return plain;
}

const CrmSet *
crm_set_open(Datum datum)
{
	struct varlena *value = (struct varlena *) DatumGetPointer(datum);

	return checked(is_plain(value) ? value : fetch(value));
}

/* ---------------- arguments that come again ---------------- */

/*
 * The value as it was given and, once fetched, the set.  A pointer to a value
 * stored out of line stands for that value as long as a query can see it; its
 * number is not given to another one before.
 */
typedef struct Slot
{
	char	   *raw;			/* or NULL: a free slot */
	Size		raw_size;
	const CrmSet *set;			/* or NULL: seen once, not fetched yet */
} Slot;

/*
 * Many values in turn may come again: sets on the inner side of a nested loop.
 * They are kept while they fit into work_mem.
 */
#define SLOTS 64

typedef struct Argument
{
	int			used;
	int			last;			/* the slot found last */
	int			victim;			/* the next one to be given away */
	Size		size;			/* of all sets */
	Slot		slot[SLOTS];
} Argument;

static Argument *
argument_of(FunctionCallInfo fcinfo, int n)
{
	Argument  **extra = fcinfo->flinfo->fn_extra;

	if (extra == NULL)
	{
		extra = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, 2 * sizeof(Argument *));
		fcinfo->flinfo->fn_extra = extra;
	}
	if (extra[n] == NULL)
		extra[n] = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(Argument));
	return extra[n];
}

static inline bool
is_same(const Slot *slot, const struct varlena *value, Size size)
{
	return slot->raw_size == size && memcmp(slot->raw, value, size) == 0;
}

static void
forget(Argument *argument, Slot *slot)
{
	const CrmSet *set = slot->set;
	char	   *raw = slot->raw;

	slot->set = NULL;
	slot->raw = NULL;
	slot->raw_size = 0;
	if (set != NULL)
	{
		argument->size -= set->size;
		pfree((void *) set);
	}
	if (raw != NULL)
		pfree(raw);
}

/*
 * The slot of a value.  NULL when there is nothing by which to tell the value
 * again.  *is_new: it was not there.
 */
static Slot *
slot_of(FunctionCallInfo fcinfo, int n, const struct varlena *value, bool *is_new)
{
	Argument   *argument;
	Slot	   *slot;
	Size		size;
	char	   *raw;

	*is_new = false;
	if (fcinfo->flinfo == NULL ||
		(VARATT_IS_EXTERNAL(value) && !VARATT_IS_EXTERNAL_ONDISK(value)))
		return NULL;
	argument = argument_of(fcinfo, n);
	size = VARSIZE_ANY(value);

	/* the last one, or the one that came after it the last time */
	for (int i = 0; i < argument->used; i++)
	{
		int			at = argument->last + i;

		if (at >= argument->used)
			at -= argument->used;
		if (is_same(&argument->slot[at], value, size))
		{
			argument->last = at;
			return &argument->slot[at];
		}
	}

	*is_new = true;
	if (argument->used < SLOTS && argument->size <= (Size) work_mem * 1024)
		argument->last = argument->used++;
	else
	{
		argument->last = argument->victim % argument->used;
		argument->victim = argument->last + 1;
	}
	slot = &argument->slot[argument->last];
	forget(argument, slot);
	raw = MemoryContextAlloc(fcinfo->flinfo->fn_mcxt, size);
	memcpy(raw, value, size);
	slot->raw = raw;
	slot->raw_size = size;
	return slot;
}

/* The set of a slot, fetched when it is not there yet. */
static const CrmSet *
set_of(FunctionCallInfo fcinfo, int n, Slot *slot, struct varlena *value)
{
	if (slot->set == NULL)
	{
		Argument   *argument = argument_of(fcinfo, n);
		MemoryContext old;

		while (argument->size > (Size) work_mem * 1024)
		{
			Slot	   *victim = &argument->slot[argument->victim++ % argument->used];

			if (victim != slot)
				forget(argument, victim);
		}
		old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
		slot->set = checked(fetch(value));
		MemoryContextSwitchTo(old);
		argument->size += slot->set->size;
	}
	return slot->set;
}

const CrmSet *
crm_set_argument(FunctionCallInfo fcinfo, int n)
{
	struct varlena *value = (struct varlena *) PG_GETARG_POINTER(n);
	Slot	   *slot;
	bool		is_new;

	if (is_plain(value))
		return checked(value);
	slot = slot_of(fcinfo, n, value, &is_new);
	if (slot == NULL)
		return checked(fetch(value));
	return set_of(fcinfo, n, slot, value);
}

/* Bytes begin to end - 1 of a stored set. */
static const char *
slice(struct varlena *value, size_t begin, size_t end)
{
	struct varlena *part = detoast_attr_slice(value, begin - VARHDRSZ, end - begin);

	if (VARSIZE(part) - VARHDRSZ != end - begin)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored value of type crm.contact_set is damaged")));
	return VARDATA(part);
}

/* Looks into a set out of line without fetching all of it. */
static bool
stored_has(struct varlena *value, Size size, int64 id)
{
	union
	{
		CrmSet		set;
		char		bytes[CRM_SET_HEADER_SIZE];
	}			header;
	CrmSet	   *directory;
	const CrmSetChunk *chunk;
	const char *part;
	size_t		end;
	uint16		low = (uint16) id;

	/* one block of the TOAST table holds it in most cases */
	end = Min(size, TOAST_MAX_CHUNK_SIZE + VARHDRSZ);
	part = slice(value, VARHDRSZ, end);
	memcpy(header.bytes + VARHDRSZ, part, CRM_SET_HEADER_SIZE - VARHDRSZ);
	if (header.set.version != CRM_SET_VERSION || header.set.size != size ||
		header.set.chunks > (size - CRM_SET_HEADER_SIZE) / sizeof(CrmSetChunk))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored value of type crm.contact_set is damaged or of a newer version")));
	if (CRM_SET_HEADER_SIZE + header.set.chunks * sizeof(CrmSetChunk) > end)
	{
		end = CRM_SET_HEADER_SIZE + header.set.chunks * sizeof(CrmSetChunk);
		part = slice(value, VARHDRSZ, end);
	}
	directory = palloc(end);
	memcpy((char *) directory + VARHDRSZ, part, end - VARHDRSZ);

	chunk = crm_set_find(directory, crm_set_key(id));
	if (chunk == NULL)
		return false;
	if (crm_chunk_is_bitmap(chunk))
		return *slice(value, chunk->offset + low / 8, chunk->offset + low / 8 + 1) >> (low % 8) & 1;
	else
	{
		uint64	   *body = palloc(crm_chunk_size(chunk));	/* aligned */

		memcpy(body, slice(value, chunk->offset, chunk->offset + crm_chunk_size(chunk)),
			   crm_chunk_size(chunk));
		return crm_chunk_has(chunk, body, low);
	}
}

bool
crm_set_argument_has(FunctionCallInfo fcinfo, int n, int64 id)
{
	struct varlena *value = (struct varlena *) PG_GETARG_POINTER(n);
	Slot	   *slot;
	bool		is_new;

	if (is_plain(value))
		return crm_set_has(checked(value), id);
	slot = slot_of(fcinfo, n, value, &is_new);
	if (slot == NULL)
		return crm_set_has(checked(fetch(value)), id);
#ifndef WORDS_BIGENDIAN
	if (is_new && VARATT_IS_EXTERNAL_ONDISK(value))
	{
		struct varatt_external pointer;

		VARATT_EXTERNAL_GET_POINTER(pointer, value);
		if (!VARATT_EXTERNAL_IS_COMPRESSED(pointer) &&
			pointer.va_rawsize >= CRM_SET_HEADER_SIZE)
			return stored_has(value, pointer.va_rawsize, id);
	}
#endif
	return crm_set_has(set_of(fcinfo, n, slot, value), id);
}
