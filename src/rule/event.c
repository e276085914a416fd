/*
 * event.c
 *		What did('order', ...) counts.
 *
 * crm.event_kind says of each event which table has it, in which columns the
 * contact and the moment are, and which rows count.  A name that is not there
 * but in crm.interaction_type stands for the activities of that kind.
 *
 * Who writes crm.event_kind decides what the evaluation of other people's
 * rules reads, so its rows are checked when they are written and again when
 * they are used: a table, or a view of the owner of crm.event_kind; columns of
 * the right types; a filter that is a rule without clock and predicates.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "crm.h"
#include "rule/compile.h"
#include "rule/event.h"

#define ERRCODE_CRM_UNKNOWN_EVENT MAKE_SQLSTATE('R', 'M', '0', '3', '0')

static Oid
owner_of(Oid relation)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid			owner = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
		ReleaseSysCache(tuple);
	}
	return owner;
}

/* The columns' names are used as they are: those of a row, not of SQL. */
static char *
check_column(Oid relation, const char *relation_name, const char *column, bool contact)
{
	AttrNumber	number = get_attnum(relation, column);
	Oid			type;

	if (number <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("%s has no column \"%s\"", relation_name, column)));
	type = getBaseType(get_atttype(relation, number));
	if (contact ? type != INT8OID && type != INT4OID && type != INT2OID : type != TIMESTAMPTZOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of %s is of type %s", column, relation_name, format_type_be(type)),
				 errdetail(contact ? "The number of a contact is an integer." :
						   "The moment of an event is of type timestamp with time zone.")));
	return psprintf("e.%s", quote_identifier(column));
}

void
crm_event_check(const char *relation, const char *contact_column, const char *at_column,
				const char *filter, CrmEvent *event)
{
	List	   *names;
	Oid			relation_oid;
	char		kind;

#if PG_VERSION_NUM >= 160000
	names = stringToQualifiedNameList(relation, NULL);
#else
	names = stringToQualifiedNameList(relation);
#endif
	if (list_length(names) != 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the relation of an event must have its schema before its name: \"%s\"", relation)));
	relation_oid = RangeVarGetRelid(makeRangeVarFromNameList(names), NoLock, false);
	kind = get_rel_relkind(relation_oid);
	if (kind == RELKIND_VIEW)
	{
		Oid			ours = get_relname_relid("event_kind", get_namespace_oid("crm", false));

		if (owner_of(relation_oid) != owner_of(ours))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("view %s belongs to another role than crm.event_kind", relation),
					 errdetail("Its functions would run with the rights of whoever evaluates a rule."),
					 errhint("Use a table, or make the owner of crm.event_kind the owner of the view.")));
	}
	else if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE && kind != RELKIND_MATVIEW)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s is neither a table nor a view", relation)));
	event->relation = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relation_oid)),
												 get_rel_name(relation_oid));
	event->contact = check_column(relation_oid, event->relation, contact_column, true);
	event->at = check_column(relation_oid, event->relation, at_column, false);
	event->filter = NULL;
	if (filter != NULL)
	{
		CrmRule		rule = crm_rule_get(PointerGetDatum(crm_rule_read(filter, strlen(filter), NULL)));
		CrmRuleScope scope;
		StringInfoData sql;

		if (rule.flags & (CRM_RULE_FLAG_CLOCK | CRM_RULE_FLAG_PREDICATE))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the filter of an event cannot ask for the time, tags, segments or events"),
					 errdetail("It is: %s", filter)));
		crm_rule_scope_of_type(get_rel_type_id(relation_oid), -1, &scope);
		initStringInfo(&sql);
		crm_rule_sql_text(rule.root, rule.end, &scope, "e", "now()", &sql);
		event->filter = sql.data;
	}
}

static char *
field(int number)
{
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, number);
}

/* One row of a query by the event's name, or false. */
static bool
ask(SPIPlanPtr *plan, const char *sql, const char *name, size_t length)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {PointerGetDatum(cstring_to_text_with_len(name, length))};

	if (*plan == NULL)
	{
		SPIPlanPtr	made = SPI_prepare(sql, 1, types);

		if (made == NULL)
			elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
		SPI_keepplan(made);
		*plan = made;
	}
	if (SPI_execute_plan(*plan, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "reading crm.event_kind failed");
	return SPI_processed > 0;
}

/* The name among those of a query (column name) that is most like this one; NULL when none is. */
char *
crm_nearest_name(const char *names, const char *name, size_t length)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {PointerGetDatum(cstring_to_text_with_len(name, length))};
	char	   *sql = psprintf("SELECT k.name FROM (%s) k CROSS JOIN LATERAL (SELECT crm.levenshtein("
							   "pg_catalog.lower(pg_catalog.left(k.name, 100)), pg_catalog.lower(pg_catalog.left($1, 100))) AS distance) d "
							   "WHERE d.distance OPERATOR(pg_catalog.<=) GREATEST(1, LEAST(4, pg_catalog.length($1) OPERATOR(pg_catalog./) 2)) "
							   "ORDER BY d.distance, k.name LIMIT 1", names);

	if (SPI_execute_with_args(sql, 1, types, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "looking for a name failed");
	return SPI_processed > 0 ? field(1) : NULL;
}

void
crm_event_find(const char *name, size_t length, CrmEvent *event)
{
	static SPIPlanPtr kinds = NULL;
	static SPIPlanPtr interactions = NULL;
	char	   *nearest;

	if (ask(&kinds,
			"SELECT relation, contact_column, at_column, filter FROM crm.event_kind"
			" WHERE event OPERATOR(pg_catalog.=) $1", name, length))
	{
		char	   *relation = field(1);
		char	   *contact = field(2);
		char	   *at = field(3);
		char	   *filter = field(4);

		crm_event_check(relation, contact, at, filter, event);
		return;
	}
	if (ask(&interactions,
			"SELECT name FROM crm.interaction_type WHERE name OPERATOR(pg_catalog.=) $1", name, length))
	{
		char	   *kind = field(1);
		StringInfoData filter;

		initStringInfo(&filter);
		appendStringInfoString(&filter, "kind = '");
		for (const char *p = kind; *p != '\0'; p++)
		{
			if (*p == '\'')
				appendStringInfoChar(&filter, '\'');
			appendStringInfoChar(&filter, *p);
		}
		appendStringInfoChar(&filter, '\'');
		crm_event_check("crm.activity", "contact_id", "occurred_at", filter.data, event);
		return;
	}
	nearest = crm_nearest_name("SELECT event AS name FROM crm.event_kind UNION SELECT name FROM crm.interaction_type", name, length);
	ereport(ERROR,
			(errcode(ERRCODE_CRM_UNKNOWN_EVENT),
			 errmsg("there is no event \"%s\"", pnstrdup(name, length)),
			 nearest != NULL ? errhint("Perhaps you meant \"%s\".", nearest) :
			 errhint("Events are the rows of crm.event_kind and of crm.interaction_type.")));
}

PG_FUNCTION_INFO_V1(crm_event_kind_check);

/* Trigger of crm.event_kind: refuses a row that did() could not use. */
Datum
crm_event_kind_check(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	HeapTuple	row;
	TupleDesc	desc;
	static const char *const columns[] = {"relation", "contact_column", "at_column", "filter"};
	char	   *values[4];
	CrmEvent	event;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		!TRIGGER_FIRED_BEFORE(trigger->tg_event) || TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("crm.event_kind_check() is a trigger before insert or update of a row")));
	row = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
	desc = RelationGetDescr(trigger->tg_relation);
	for (int i = 0; i < 4; i++)
	{
		int			number = SPI_fnumber(desc, columns[i]);

		if (number <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
					 errmsg("table \"%s\" has no column \"%s\"", RelationGetRelationName(trigger->tg_relation), columns[i])));
		values[i] = SPI_getvalue(row, desc, number);
		if (values[i] == NULL && i < 3)
			return PointerGetDatum(row);	/* NOT NULL will tell */
	}
	crm_event_check(values[0], values[1], values[2], values[3], &event);
	return PointerGetDatum(row);
}
