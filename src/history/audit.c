/*
 * audit.c
 *		The audit trigger: who changed which field of which row, from what to
 *		what, in which transaction.
 *
 * One trigger function, attached twice: AFTER INSERT FOR EACH STATEMENT with
 * a transition table, so that a load of a million rows writes its log in one
 * set operation; and AFTER UPDATE OR DELETE FOR EACH ROW, where the two
 * versions of the row are at hand and only the columns that differ are
 * written.  An insert logs no values: the row holds them, and later entries
 * hold what they replaced, so every past state can be rebuilt.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "crm.h"
#include "history/change.h"

/*
 * Columns whose change alone is not worth an entry, as they follow from
 * others: the time of the change, match keys, and the canonical form that
 * stands beside what was entered in a contact point.
 */
static bool
is_bookkeeping(const char *column, bool is_point)
{
	return strcmp(column, "updated_at") == 0 ||
		strcmp(column, "name_key") == 0 ||
		strcmp(column, "match_key") == 0 ||
		(is_point && (strcmp(column, "email") == 0 || strcmp(column, "phone") == 0));
}

static void
push_string(JsonbParseState **state, JsonbIteratorToken token, const char *string)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = unconstify(char *, string);
	value.val.string.len = strlen(string);
	pushJsonbValue(state, token, &value);
}

/* A jsonb of any kind as a value inside another; JsonbToJsonbValue for scalars too. */
static void
push_jsonb(JsonbParseState **state, Jsonb *jsonb)
{
	JsonbValue	value;

	if (JB_ROOT_IS_SCALAR(jsonb))
		(void) JsonbExtractScalar(&jsonb->root, &value);
	else
	{
		value.type = jbvBinary;
		value.val.binary.data = &jsonb->root;
		value.val.binary.len = VARSIZE(jsonb) - VARHDRSZ;
	}
	pushJsonbValue(state, WJB_VALUE, &value);
}

/*
 * {"column": {"old": ..., "new": ...}} of the columns that differ, or of all
 * columns that are not null when there is no new row; NULL when none differs.
 */
static Jsonb *
changes_of(HeapTuple old_row, HeapTuple new_row, TupleDesc desc, bool is_point)
{
	JsonbParseState *state = NULL;
	bool		any = false;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int attnum = 1; attnum <= desc->natts; attnum++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, attnum - 1);
		const char *column = NameStr(attribute->attname);

		if (attribute->attisdropped)
			continue;
		if (new_row != NULL ? !crm_column_differs(old_row, new_row, desc, attnum) :
			heap_attisnull(old_row, attnum, desc))
			continue;
		any = any || !is_bookkeeping(column, is_point);
		push_string(&state, WJB_KEY, column);
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		push_string(&state, WJB_KEY, "old");
		push_jsonb(&state, crm_column_to_jsonb(old_row, desc, attnum));
		if (new_row != NULL)
		{
			push_string(&state, WJB_KEY, "new");
			push_jsonb(&state, crm_column_to_jsonb(new_row, desc, attnum));
		}
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	return any ? JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)) : NULL;
}

/* The column that says whose row it is: id of a contact, contact_id elsewhere. */
static const char *
contact_column(Relation relation)
{
	return strcmp(RelationGetRelationName(relation), "contact") == 0 ? "id" : "contact_id";
}

/* An update or a delete of one row. */
static void
log_row(TriggerData *trigger, const char *actor, const char *role)
{
	static SPIPlanPtr plan = NULL;
	static Oid	types[] = {TEXTOID, INT8OID, INT8OID, TEXTOID, JSONBOID, TEXTOID, TEXTOID};
	Relation	relation = trigger->tg_relation;
	TupleDesc	desc = RelationGetDescr(relation);
	bool		is_update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	HeapTuple	new_row = is_update ? trigger->tg_newtuple : NULL;
	bool		is_point = SPI_fnumber(desc, "match_key") > 0;
	Jsonb	   *changes = changes_of(trigger->tg_trigtuple, new_row, desc, is_point);
	Datum		values[7];
	char		nulls[8] = "       ";
	int64		row_id = 0;
	int64		contact_id = 0;

	if (changes == NULL)
		return;
	if (!crm_bigint_column(trigger->tg_trigtuple, desc, "id", &row_id))
		nulls[1] = 'n';
	if (!crm_bigint_column(trigger->tg_trigtuple, desc, contact_column(relation), &contact_id))
		nulls[2] = 'n';
	values[0] = CStringGetTextDatum(RelationGetRelationName(relation));
	values[1] = Int64GetDatum(row_id);
	values[2] = Int64GetDatum(contact_id);
	values[3] = CStringGetTextDatum(is_update ? "update" : "delete");
	values[4] = JsonbPGetDatum(changes);
	values[5] = CStringGetTextDatum(actor);
	values[6] = CStringGetTextDatum(role);
	crm_execute_kept(&plan,
					 "INSERT INTO crm.audit_log (relation, row_id, contact_id, operation, changes, actor, role) "
					 "VALUES ($1, coalesce($2, 0), $3, $4, $5, $6, $7)",
					 7, types, values, nulls);
}

/* All rows of an INSERT statement at once. */
static void
log_inserted(TriggerData *trigger, const char *actor, const char *role)
{
	Relation	relation = trigger->tg_relation;
	TupleDesc	desc = RelationGetDescr(relation);
	Oid			types[] = {TEXTOID, TEXTOID, TEXTOID};
	Datum		values[3];
	StringInfoData sql;

	if (trigger->tg_newtable == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" must have a transition table", trigger->tg_trigger->tgname),
				 errhint("Create it with REFERENCING NEW TABLE AS %s.", "new_rows")));
	if (SPI_register_trigger_data(trigger) < 0)
		elog(ERROR, "SPI_register_trigger_data failed");
	initStringInfo(&sql);
	appendStringInfo(&sql,
					 "INSERT INTO crm.audit_log (relation, row_id, contact_id, operation, actor, role) "
					 "SELECT $1, %s, %s, 'insert', $2, $3 FROM %s",
					 SPI_fnumber(desc, "id") > 0 ? "coalesce(id, 0)" : "0",
					 SPI_fnumber(desc, contact_column(relation)) > 0 ? contact_column(relation) : "NULL",
					 quote_identifier(trigger->tg_trigger->tgnewtable));
	values[0] = CStringGetTextDatum(RelationGetRelationName(relation));
	values[1] = CStringGetTextDatum(actor);
	values[2] = CStringGetTextDatum(role);
	if (SPI_execute_with_args(sql.data, 3, types, values, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "writing the audit log failed");
}

PG_FUNCTION_INFO_V1(crm_audit);

Datum
crm_audit(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = crm_require_trigger(fcinfo, "crm.audit()");
	bool		is_insert = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	const char *actor;
	const char *role;
	CrmOwnerRights caller;

	if (!TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		(is_insert != (bool) TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event)))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("crm.audit() must be an AFTER INSERT trigger FOR EACH STATEMENT or an AFTER UPDATE OR DELETE trigger FOR EACH ROW")));
	actor = crm_current_actor();
	role = GetUserNameFromId(GetUserId(), false);
	crm_become_owner(trigger->tg_relation, &caller);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (is_insert)
		log_inserted(trigger, actor, role);
	else
		log_row(trigger, actor, role);
	SPI_finish();
	crm_become_caller(&caller);
	return PointerGetDatum(NULL);
}
