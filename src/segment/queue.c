/*
 * queue.c
 *		The trigger that notes for segments which contacts a statement changed.
 *
 * Attached AFTER ... FOR EACH STATEMENT with transition tables, once for each
 * kind of statement.  A statement becomes one row of crm.segment_queue: what
 * changed, of which contacts, and, when few rows did, in which columns or
 * under which names.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/bitmapset.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "crm.h"
#include "history/change.h"
#include "type/contact_set_datum.h"

/* Of so many rows it is worth knowing what differs. */
#define FEW_ROWS 1000

/* Arguments of the trigger. */
#define ARGUMENT_SOURCE 0		/* what changed, as in crm.segment_dependency */
#define ARGUMENT_COLUMN 1		/* column with the number of the contact */
#define ARGUMENT_NAMES 2		/* "*": the columns that differ are the names;
								 * a column: its values are */
#define ARGUMENT_THROUGH 2		/* "table.column": contacts are those of its
								 * rows that have the number there */

typedef struct Noted
{
	TupleDesc	desc;
	bool		is_update;
	bool		by_column;		/* the names are columns that differ */
	int			number;			/* the columns: of the number ... */
	int			name;			/* ... of a name, or 0 */
	int			merged_into;	/* 0 but for contacts */
	int64		rows;
	CrmLive    *numbers;
	bool		is_moved;		/* a row got another number */
	Bitmapset  *differing;
	List	   *names;			/* C strings, each once */
	MemoryContext context;		/* of what is kept */
} Noted;

static void
note_number(Noted *noted, HeapTuple row, int attnum)
{
	int64		number;

	if (row != NULL && crm_bigint_column(row, noted->desc, attnum, &number))
		crm_live_add(noted->numbers, number);
}

static void
note_name(Noted *noted, HeapTuple row)
{
	char	   *name = row == NULL ? NULL : SPI_getvalue(row, noted->desc, noted->name);
	ListCell   *cell;

	if (name == NULL)
		return;
	foreach(cell, noted->names)
		if (strcmp(lfirst(cell), name) == 0)
			return;
	noted->names = lappend(noted->names, MemoryContextStrdup(noted->context, name));
}

static void
note_difference(Noted *noted, HeapTuple old_row, HeapTuple new_row)
{
	for (int attnum = 1; attnum <= noted->desc->natts; attnum++)
		if (!TupleDescAttr(noted->desc, attnum - 1)->attisdropped &&
			!bms_is_member(attnum, noted->differing) &&
			crm_column_differs(old_row, new_row, noted->desc, attnum))
		{
			noted->differing = bms_add_member(noted->differing, attnum);
			noted->is_moved = noted->is_moved || attnum == noted->number;
		}
}

static void
note_rows(Noted *noted, TriggerData *trigger)
{
	MemoryContext row_context = AllocSetContextCreate(CurrentMemoryContext, "crm segment queue", ALLOCSET_DEFAULT_SIZES);
	CrmChangeReader reader;
	HeapTuple	old_row;
	HeapTuple	new_row;
	bool		is_more = true;

	crm_open_changes(&reader, trigger);
	while (is_more)
	{
		MemoryContext old_context = MemoryContextSwitchTo(row_context);

		CHECK_FOR_INTERRUPTS();
		is_more = crm_read_change(&reader, &old_row, &new_row);
		MemoryContextSwitchTo(noted->context);
		if (is_more)
		{
			note_number(noted, old_row, noted->number);
			note_number(noted, new_row, noted->number);
			/* On a list the one contact stands for the other. */
			note_number(noted, old_row, noted->merged_into);
			note_number(noted, new_row, noted->merged_into);
			if (++noted->rows <= FEW_ROWS)
			{
				if (noted->by_column && noted->is_update)
					note_difference(noted, old_row, new_row);
				if (noted->name != 0)
				{
					note_name(noted, old_row);
					note_name(noted, new_row);
				}
			}
		}
		MemoryContextSwitchTo(old_context);
		MemoryContextReset(row_context);
	}
	crm_close_changes(&reader);
	MemoryContextDelete(row_context);
}

/*
 * The names as an array of text.  None (*isnull) when it may be anything;
 * false when nothing differs.
 */
static bool
names_of(Noted *noted, Datum *array, bool *isnull)
{
	ArrayBuildState *state = NULL;
	ListCell   *cell;
	int			attnum = -1;

	*isnull = true;
	if (noted->rows > FEW_ROWS || noted->is_moved || (noted->by_column ? !noted->is_update : noted->name == 0))
		return true;
	while ((attnum = bms_next_member(noted->differing, attnum)) >= 0)
	{
		const char *name = NameStr(TupleDescAttr(noted->desc, attnum - 1)->attname);

		/* A contact that comes into sight or goes. */
		if (strcmp(name, "deleted_at") == 0 || strcmp(name, "merged_into") == 0 || strcmp(name, "archived_at") == 0)
			return true;
		state = accumArrayResult(state, CStringGetTextDatum(name), false, TEXTOID, CurrentMemoryContext);
	}
	foreach(cell, noted->names)
		state = accumArrayResult(state, CStringGetTextDatum(lfirst(cell)), false, TEXTOID, CurrentMemoryContext);
	if (state == NULL)
		return false;
	*array = makeArrayResult(state, CurrentMemoryContext);
	*isnull = false;
	return true;
}

/*
 * "company_contact.company_id": the contacts of the rows of that table with
 * these numbers there.  The caller is connected to SPI.
 */
static const CrmSet *
contacts_through(const char *through, const CrmSet *numbers, MemoryContext context)
{
	const char *point = strchr(through, '.');
	char	   *table = pnstrdup(through, point - through);
	Oid			types[] = {INT8ARRAYOID};
	Datum		values[1];
	ArrayBuildState *state = NULL;
	CrmSetIterator iterator;
	CrmLive    *contacts;
	MemoryContext old_context;
	const CrmSet *result;
	int64		number;
	char	   *sql = psprintf("SELECT %s FROM crm.%s WHERE %s = ANY ($1)",
							   strcmp(table, "contact") == 0 ? "id" : "contact_id",
							   quote_identifier(table), quote_identifier(point + 1));

	crm_set_iterate(&iterator, numbers);
	while (crm_set_next(&iterator, &number))
		state = accumArrayResult(state, Int64GetDatum(number), false, INT8OID, CurrentMemoryContext);
	values[0] = makeArrayResult(state, CurrentMemoryContext);
	if (SPI_execute_with_args(sql, 1, types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "reading the contacts of %s failed", through);
	old_context = MemoryContextSwitchTo(context);
	contacts = crm_live_begin(&crm_set_server);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Datum		id = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull);

		if (!isnull)
			crm_live_add(contacts, DatumGetInt64(id));
	}
	result = crm_live_set(contacts);
	MemoryContextSwitchTo(old_context);
	return result;
}

static void
write_row(const char *source, const CrmSet *contacts, Datum names, bool any_name)
{
	static SPIPlanPtr plan = NULL;
	static Oid	types[] = {TEXTOID, TEXTARRAYOID, BYTEAOID};
	size_t		size = VARHDRSZ + crm_set_roaring_size(contacts);
	bytea	   *bytes = palloc_extended(size, MCXT_ALLOC_HUGE);
	Datum		values[3];
	char		nulls[4] = "   ";

	SET_VARSIZE(bytes, size);
	crm_set_write_roaring(contacts, (uint8_t *) VARDATA(bytes), &crm_set_server);
	values[0] = CStringGetTextDatum(source);
	values[1] = names;
	values[2] = PointerGetDatum(bytes);
	if (any_name)
		nulls[1] = 'n';
	crm_execute_kept(&plan, "INSERT INTO crm.segment_queue (source, names, contacts) VALUES ($1, $2, $3)",
					 3, types, values, nulls);
}

PG_FUNCTION_INFO_V1(crm_segment_queue);

/* Trigger crm.queue_for_segments() */
Datum
crm_segment_queue(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = crm_require_trigger(fcinfo, "crm.queue_for_segments()");
	Relation	relation = trigger->tg_relation;
	char	  **arguments = trigger->tg_trigger->tgargs;
	int			count = trigger->tg_trigger->tgnargs;
	const char *third = count > ARGUMENT_NAMES ? arguments[ARGUMENT_NAMES] : "";
	bool		is_through = strchr(third, '.') != NULL;
	Noted		noted = {.desc = RelationGetDescr(relation), .context = CurrentMemoryContext};
	const CrmSet *contacts;
	Datum		names = (Datum) 0;
	bool		any_name;
	CrmOwnerRights caller;

	crm_require_transition_tables(trigger, "crm.queue_for_segments()");
	if (count <= ARGUMENT_COLUMN)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("crm.queue_for_segments() needs to be told what changes and in which column the contact is"),
				 errhint("crm.watch_for_segments() makes its triggers.")));
	if (!crm_has_changes(trigger))
		return PointerGetDatum(NULL);
	noted.is_update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	noted.by_column = strcmp(third, "*") == 0;
	noted.number = crm_bigint_attnum(noted.desc, arguments[ARGUMENT_COLUMN]);
	if (noted.number == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s\" has no column \"%s\" of type bigint",
						RelationGetRelationName(relation), arguments[ARGUMENT_COLUMN]),
				 errdetail("Trigger \"%s\" takes the number of the contact from it.", trigger->tg_trigger->tgname),
				 errhint("Call crm.watch_for_segments(table, column) again.")));
	if (noted.by_column)
		noted.merged_into = crm_bigint_attnum(noted.desc, "merged_into");
	else if (third[0] != '\0' && !is_through)
		noted.name = Max(SPI_fnumber(noted.desc, third), 0);
	noted.numbers = crm_live_begin(&crm_set_server);
	note_rows(&noted, trigger);
	contacts = crm_live_set(noted.numbers);
	if (contacts == NULL || contacts->cardinality == 0 || !names_of(&noted, &names, &any_name))
		return PointerGetDatum(NULL);
	crm_become_owner(relation, &caller);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (is_through)
		contacts = contacts_through(third, contacts, noted.context);
	if (contacts->cardinality > 0)
		write_row(arguments[ARGUMENT_SOURCE], contacts, names, any_name);
	SPI_finish();
	crm_become_caller(&caller);
	return PointerGetDatum(NULL);
}
