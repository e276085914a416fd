/*
 * statement.c
 *		Reads the statements by which crm.install() makes tables and views.
 *
 * The extension owns code only; tables, indexes, triggers and views are
 * ordinary objects that crm.install() creates from the sources in
 * crm.schema_source().  To converge (create what is missing, leave what is
 * there) it must know what each statement would make.  The server's own
 * parser tells: no second grammar, no regular expressions.
 */
#include "postgres.h"

#include <ctype.h>

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "nodes/value.h"
#include "tcop/tcopprot.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "crm.h"

/* What one statement makes or changes. */
typedef struct StatementInfo
{
	const char *kind;			/* table, index, view, trigger, ... or other */
	const char *name;			/* the object; NULL when it has none */
	const char *relation;		/* the table it belongs to; NULL when none */
	List	   *columns;		/* of tables and views: column names (char *) */
	List	   *definitions;	/* and their definitions as written */
	List	   *comments;		/* of tables and views: for each column the
								 * "-- comment" behind it, or NULL */
} StatementInfo;

/*
 * Reads the element of a list (a column definition, an output column) that
 * begins at start: up to the comma, the closing parenthesis or the comment
 * that ends it.  *comment gets the text of a "-- comment" behind it, lines
 * that follow directly joined, or NULL.
 */
static char *
read_element(const char *start, char **comment)
{
	const char *p = start;
	const char *end = start;
	int			depth = 0;
	StringInfoData words;

	while (*p != '\0' && *p != ';')
	{
		if (*p == '\'' || *p == '"')
		{
			char		quote = *p++;

			while (*p != '\0' && *p != quote)
				p++;
			if (*p != '\0')
				p++;
			end = p;
			continue;
		}
		if (p[0] == '-' && p[1] == '-')
		{
			if (depth == 0)
				break;
			while (*p != '\0' && *p != '\n')
				p++;
			continue;
		}
		if (*p == '(')
			depth++;
		else if (*p == ')' && --depth < 0)
			break;
		else if (*p == ',' && depth == 0)
			break;
		if (!isspace((unsigned char) *p))
			end = p + 1;
		p++;
	}

	initStringInfo(&words);
	if (*p == ',')
		p++;
	for (;;)
	{
		while (isspace((unsigned char) *p))
			p++;
		if (p[0] != '-' || p[1] != '-')
			break;
		p += 2;
		while (*p == ' ')
			p++;
		if (words.len > 0)
			appendStringInfoChar(&words, ' ');
		while (*p != '\0' && *p != '\n')
			appendStringInfoChar(&words, *p++);
	}
	*comment = words.len > 0 ? words.data : NULL;
	return pnstrdup(start, end - start);
}

/* The last part of a possibly qualified name: "crm"."contact" gives contact. */
static const char *
last_name(List *names)
{
	return strVal(llast(names));
}

/* The part before the last one: crm.contact.city gives contact; NULL when none. */
static const char *
name_before_last(List *names)
{
	return list_length(names) >= 2 ? strVal(list_nth(names, list_length(names) - 2)) : NULL;
}

static void
add_column(StatementInfo *info, char *name, const char *start)
{
	char	   *comment;

	info->columns = lappend(info->columns, name);
	info->definitions = lappend(info->definitions, read_element(start, &comment));
	info->comments = lappend(info->comments, comment);
}

static void
describe_table(CreateStmt *create, const char *source, StatementInfo *info)
{
	ListCell   *cell;

	info->kind = "table";
	info->name = create->relation->relname;
	info->relation = info->name;
	foreach(cell, create->tableElts)
	{
		Node	   *element = (Node *) lfirst(cell);

		if (IsA(element, ColumnDef))
		{
			ColumnDef  *column = (ColumnDef *) element;

			add_column(info, column->colname, source + column->location);
		}
	}
}

static void
describe_view(ViewStmt *view, const char *source, StatementInfo *info)
{
	SelectStmt *select = (SelectStmt *) view->query;
	ListCell   *cell;

	info->kind = "view";
	info->name = view->view->relname;
	info->relation = info->name;
	while (IsA(select, SelectStmt) && select->larg != NULL)
		select = select->larg;
	if (!IsA(select, SelectStmt))
		return;
	foreach(cell, select->targetList)
	{
		ResTarget  *target = lfirst_node(ResTarget, cell);
		char	   *name = target->name;

		if (name == NULL && IsA(target->val, ColumnRef))
		{
			Node	   *field = llast(((ColumnRef *) target->val)->fields);

			if (IsA(field, String))
				name = strVal(field);
		}
		if (name != NULL)
			add_column(info, name, source + target->location);
	}
}

static void
describe_comment(CommentStmt *comment, StatementInfo *info)
{
	info->kind = "comment";
	switch (comment->objtype)
	{
		case OBJECT_TABLE:
		case OBJECT_VIEW:
		case OBJECT_SEQUENCE:
		case OBJECT_INDEX:
			info->relation = last_name(castNode(List, comment->object));
			break;
		case OBJECT_COLUMN:
			{
				List	   *names = castNode(List, comment->object);

				info->name = last_name(names);
				info->relation = name_before_last(names);
				break;
			}
		case OBJECT_TRIGGER:
		case OBJECT_TABCONSTRAINT:
		case OBJECT_POLICY:
			{
				List	   *names = castNode(List, comment->object);

				info->relation = name_before_last(names);
				break;
			}
		default:
			break;
	}
}

static void
describe(RawStmt *raw, const char *source, StatementInfo *info)
{
	Node	   *node = raw->stmt;

	memset(info, 0, sizeof(*info));
	switch (nodeTag(node))
	{
		case T_CreateStmt:
			describe_table((CreateStmt *) node, source, info);
			break;
		case T_CreateSeqStmt:
			info->kind = "sequence";
			info->name = ((CreateSeqStmt *) node)->sequence->relname;
			break;
		case T_IndexStmt:
			info->kind = "index";
			info->name = ((IndexStmt *) node)->idxname;
			info->relation = ((IndexStmt *) node)->relation->relname;
			break;
		case T_ViewStmt:
			describe_view((ViewStmt *) node, source, info);
			break;
		case T_CreateTrigStmt:
			info->kind = "trigger";
			info->name = ((CreateTrigStmt *) node)->trigname;
			info->relation = ((CreateTrigStmt *) node)->relation->relname;
			break;
		case T_CreateFunctionStmt:
			info->kind = "function";
			info->name = last_name(((CreateFunctionStmt *) node)->funcname);
			break;
		case T_CreatePolicyStmt:
			info->kind = "policy";
			info->name = ((CreatePolicyStmt *) node)->policy_name;
			info->relation = ((CreatePolicyStmt *) node)->table->relname;
			break;
		case T_InsertStmt:
			info->kind = "seed";
			info->relation = ((InsertStmt *) node)->relation->relname;
			break;
		case T_AlterTableStmt:
			info->kind = "alter";
			info->relation = ((AlterTableStmt *) node)->relation->relname;
			break;
		case T_AlterSeqStmt:
			info->kind = "alter";
			info->relation = ((AlterSeqStmt *) node)->sequence->relname;
			break;
		case T_CommentStmt:
			describe_comment((CommentStmt *) node, info);
			break;
		default:
			info->kind = "other";
			break;
	}
}

static Datum
text_array(List *strings)
{
	int			count = list_length(strings);
	Datum	   *elements = palloc0(sizeof(Datum) * Max(count, 1));
	bool	   *nulls = palloc0(sizeof(bool) * Max(count, 1));
	int			n = 0;
	int			lower = 1;
	ListCell   *cell;

	foreach(cell, strings)
	{
		nulls[n] = lfirst(cell) == NULL;
		if (!nulls[n])
			elements[n] = CStringGetTextDatum((char *) lfirst(cell));
		n++;
	}
	return PointerGetDatum(construct_md_array(elements, nulls, count > 0 ? 1 : 0, &count, &lower,
											  TEXTOID, -1, false, TYPALIGN_INT));
}

PG_FUNCTION_INFO_V1(crm_schema_statements);

/*
 * crm.schema_statements(source text) returns setof (position, statement, kind,
 * name, relation, columns, definitions, comments)
 */
Datum
crm_schema_statements(PG_FUNCTION_ARGS)
{
	char	   *source = text_to_cstring(PG_GETARG_TEXT_PP(0));
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	ListCell   *cell;
	int			position = 0;

	InitMaterializedSRF(fcinfo, 0);
	foreach(cell, pg_parse_query(source))
	{
		RawStmt    *raw = lfirst_node(RawStmt, cell);
		StatementInfo info;
		Datum		values[8];
		bool		nulls[8] = {false};
		const char *start = source + raw->stmt_location;
		int			length = raw->stmt_len > 0 ? raw->stmt_len : (int) strlen(start);

		CHECK_FOR_INTERRUPTS();
		while (length > 0 && (*start == ' ' || *start == '\n' || *start == '\t'))
		{
			start++;
			length--;
		}
		describe(raw, source, &info);
		values[0] = Int32GetDatum(++position);
		values[1] = PointerGetDatum(cstring_to_text_with_len(start, length));
		values[2] = CStringGetTextDatum(info.kind);
		nulls[3] = info.name == NULL;
		if (info.name)
			values[3] = CStringGetTextDatum(info.name);
		nulls[4] = info.relation == NULL;
		if (info.relation)
			values[4] = CStringGetTextDatum(info.relation);
		values[5] = text_array(info.columns);
		values[6] = text_array(info.definitions);
		values[7] = text_array(info.comments);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(crm_in_extension_script);

/*
 * Whether an extension script is running.  Objects made then would become
 * members of that extension, and vanish with it.
 */
Datum
crm_in_extension_script(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(creating_extension);
}

PG_FUNCTION_INFO_V1(crm_guard_drop);

/*
 * Event trigger on ddl_command_start of DROP EXTENSION: while the tables are
 * there, refuse with a way out.  The server itself would refuse too, but with
 * the hint to use CASCADE, which is the wrong advice.  Who writes CASCADE has
 * decided; the tables survive that, and crm.install() mends them.
 */
Datum
crm_guard_drop(PG_FUNCTION_ARGS)
{
	EventTriggerData *event;
	DropStmt   *drop;
	ListCell   *cell;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("crm.guard_drop() can only be called as an event trigger")));
	event = (EventTriggerData *) fcinfo->context;
	if (!IsA(event->parsetree, DropStmt))
		PG_RETURN_VOID();
	drop = (DropStmt *) event->parsetree;
	if (drop->removeType != OBJECT_EXTENSION || drop->behavior == DROP_CASCADE)
		PG_RETURN_VOID();
	foreach(cell, drop->objects)
	{
		Oid			schema = get_namespace_oid("crm", true);

		if (strcmp(strVal(lfirst(cell)), "crm") == 0 &&
			OidIsValid(schema) &&
			OidIsValid(get_relname_relid("installation", schema)))
			ereport(ERROR,
					(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
					 errmsg("cannot drop extension crm because its tables are installed in this database"),
					 errhint("To remove them and everything in them first: SELECT crm.uninstall(confirm => '...') with the name of the database.")));
	}
	PG_RETURN_VOID();
}
