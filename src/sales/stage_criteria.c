/*
 * stage_criteria.c
 *		Judging a deal by what a move asks for; see stage_criteria.h.
 *
 * A guard is asked of a record made for it: the columns of the deal as they
 * would be, and those that crm.deal_facts() computes from them.  The query
 * that computes these is run only for a guard that names one.  The triggers
 * read with the rights of the owner of crm.deal: what a move asks for must not
 * depend on what the one who makes it may see.  Who merely asks reads as such.
 */
#include "postgres.h"

#include <ctype.h>

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"

#include "crm.h"
#include "history/change.h"
#include "rule/eval.h"
#include "sales/stage_criteria.h"
#include "sales/stage_guard.h"

struct CrmJudge
{
	CrmRuleSite *site;
};

CrmJudge *
crm_judge_make(MemoryContext context)
{
	CrmJudge   *judge = MemoryContextAlloc(context, sizeof(CrmJudge));

	judge->site = crm_rule_make_site(context);
	return judge;
}

/* Milestones and documents are asked for at every won stage. */
static bool
asks_elsewhere(const CrmMoveCase *move)
{
	return move->to->requires ||
		(move->to->kind == CRM_STAGE_WON && !move->is_new && crm_stage_has_criteria());
}

bool
crm_move_is_judged(const CrmMoveCase *move)
{
	const CrmCriteria *a = move->move;
	const CrmCriteria *b = &move->to->entry;

	if (move->from != NULL && crm_stage_is_merge(move->from, move->to))
		return false;
	return a->guard != NULL || a->fields > 0 || a->roles > 0 || b->guard != NULL || b->fields > 0 ||
		(move->from != NULL && move->from->exit_guard != NULL) ||
		asks_elsewhere(move);
}

const char *
crm_move_label(const CrmMoveCase *move)
{
	if (move->from == NULL)
		return psprintf("begin at stage \"%s\"", move->to->name);
	return psprintf("move from stage \"%s\" to stage \"%s\"", move->from->name, move->to->name);
}

/* ---- roles ---- */

/* Not its members: a right that is not inherited must be taken by SET ROLE. */
static const char *
missing_roles(Oid user, const CrmCriteria *criteria)
{
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < criteria->roles; i++)
	{
		Oid			role = get_role_oid(criteria->role[i], true);

		if (OidIsValid(role) && has_privs_of_role(user, role))
			return NULL;
		appendStringInfo(&list, "%s%s", i > 0 ? ", " : "", quote_identifier(criteria->role[i]));
	}
	return criteria->roles > 0 ? list.data : NULL;
}

/* ---- what must not be missing ---- */

static bool
is_field_missing(const CrmMoveCase *move, const char *field)
{
	TupleDesc	desc = RelationGetDescr(move->relation);
	bool		is_key = strncmp(field, "attrs.", 6) == 0;
	int			attnum = SPI_fnumber(desc, is_key ? "attrs" : field);
	Datum		value;
	bool		isnull;

	if (attnum <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s\" has no column \"%s\"", RelationGetRelationName(move->relation), field),
				 errdetail("It is required to %s.", crm_move_label(move)),
				 errhint("Take it out of required_fields of crm.stage_transition and crm.stage.")));
	value = heap_getattr(move->deal, attnum, desc, &isnull);
	if (isnull)
		return true;
	if (is_key)
	{
		Jsonb	   *attrs = DatumGetJsonbP(value);
		JsonbValue *found = JB_ROOT_IS_OBJECT(attrs) ?
			getKeyJsonValueFromContainer(&attrs->root, field + 6, strlen(field + 6), NULL) : NULL;

		return found == NULL || found->type == jbvNull ||
			(found->type == jbvString && found->val.string.len == 0);
	}
	return TupleDescAttr(desc, attnum - 1)->atttypid == TEXTOID && VARSIZE_ANY_EXHDR(DatumGetPointer(value)) == 0;
}

static void
add_missing_fields(const CrmMoveCase *move, const CrmCriteria *criteria, List **names)
{
	for (int i = 0; i < criteria->fields; i++)
	{
		bool		is_listed = false;
		ListCell   *cell;

		foreach(cell, *names)
			is_listed |= strcmp(lfirst(cell), criteria->field[i]) == 0;
		if (!is_listed && is_field_missing(move, criteria->field[i]))
			*names = lappend(*names, (void *) criteria->field[i]);
	}
}

/* Stages, milestones and documents: crm.deal_missing() tells them. */
static char *
missing_elsewhere(const CrmMoveCase *move)
{
	static SPIPlanPtr plan = NULL;
	static Oid	types[] = {INT8OID, INT8OID, INT8OID};
	MemoryContext caller = CurrentMemoryContext;
	Datum		values[3];
	char		nulls[3] = {' ', move->from == NULL ? 'n' : ' ', ' '};
	char	   *result = NULL;

	values[0] = Int64GetDatum(move->deal_id);
	values[1] = Int64GetDatum(move->from == NULL ? 0 : move->from->id);
	values[2] = Int64GetDatum(move->to->id);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	crm_execute_kept(&plan, "SELECT crm.deal_missing($1, $2, $3)", 3, types, values, nulls);
	if (SPI_processed > 0)
	{
		char	   *text = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);

		if (text != NULL)
			result = MemoryContextStrdup(caller, text);
	}
	SPI_finish();
	return result;
}

static const char *
missing(const CrmMoveCase *move)
{
	List	   *names = NIL;
	ListCell   *cell;
	StringInfoData text;

	add_missing_fields(move, move->move, &names);
	add_missing_fields(move, &move->to->entry, &names);
	initStringInfo(&text);
	foreach(cell, names)
		appendStringInfo(&text, "%s%s", text.len > 0 ? ", " : "", (char *) lfirst(cell));
	if (asks_elsewhere(move))
	{
		char	   *others = missing_elsewhere(move);

		if (others != NULL)
			appendStringInfo(&text, "%s%s", text.len > 0 ? ", " : "", others);
	}
	return text.len > 0 ? text.data : NULL;
}

/* ---- guards ---- */

/*
 * The record that guards are asked of, as long as the matrix, the columns of
 * the deal and those of crm.deal_facts() are the same.
 */
static struct
{
	bool		is_valid;		/* until crm.deal_facts() changes */
	uint32		facts_hash;		/* of its key in the cache of functions */
	uint64		generation;
	TupleDesc	deal;
	TupleDesc	desc;			/* deal, facts */
	int			own;			/* number of columns of the deal */
	int32		typmod;
} profile;

static Oid fact_types[] = {INT8OID, INT8OID, INT8OID, INT8OID, INT8OID};

static TupleDesc
fact_columns(void)
{
	List	   *name = list_make2(makeString("crm"), makeString("deal_facts"));
	TupleDesc	desc;
	Oid			function = LookupFuncName(name, lengthof(fact_types), fact_types, false);
	Oid			type;

	profile.facts_hash = GetSysCacheHashValue1(PROCOID, ObjectIdGetDatum(function));
	if (get_func_result_type(function, &type, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "crm.deal_facts() gives no columns");
	return desc;
}

static void
function_invalidated(Datum argument, int cache, uint32 hash)
{
	if (hash == 0 || hash == profile.facts_hash)
		profile.is_valid = false;
}

static void
make_profile(TupleDesc deal)
{
	static bool is_registered = false;
	TupleDesc	facts;
	MemoryContext old;

	if (profile.is_valid && profile.generation == crm_stage_matrix_generation() &&
		equalTupleDescs(profile.deal, deal))
		return;
	if (!is_registered)
		CacheRegisterSyscacheCallback(PROCOID, function_invalidated, (Datum) 0);
	is_registered = true;
	profile.is_valid = false;
	facts = fact_columns();
	old = MemoryContextSwitchTo(crm_stage_matrix_context());
	profile.own = deal->natts;
	profile.deal = CreateTupleDescCopyConstr(deal);
	profile.desc = CreateTemplateTupleDesc(deal->natts + facts->natts);
	for (int i = 1; i <= deal->natts; i++)
		TupleDescCopyEntry(profile.desc, i, deal, i);
	for (int i = 1; i <= facts->natts; i++)
		TupleDescCopyEntry(profile.desc, deal->natts + i, facts, i);
	assign_record_type_typmod(profile.desc);
	profile.typmod = profile.desc->tdtypmod;
	profile.generation = crm_stage_matrix_generation();
	profile.is_valid = true;
	MemoryContextSwitchTo(old);
}

/* Whether the rule asks for what is no column of the deal. */
static bool
asks_facts(const uint8_t *position, const uint8_t *end, const uint8_t **next)
{
	CrmRuleNode node;
	bool		asks = false;

	if (!crm_rule_node(position, end, &node))
		crm_rule_damaged();
	if (node.kind == CRM_RULE_FIELD || node.kind == CRM_RULE_KEY)
	{
		asks = true;
		for (int i = 0; i < profile.own && asks; i++)
		{
			const char *name = NameStr(TupleDescAttr(profile.desc, i)->attname);

			asks = strlen(name) != node.length || memcmp(name, node.string, node.length) != 0;
		}
	}
	position = node.first;
	for (int i = 0; i < node.children; i++)
		asks |= asks_facts(position, end, &position);
	*next = position;
	return asks;
}

/* What other tables know of the deal; the values are the caller's to keep. */
static void
read_facts(const CrmMoveCase *move, const Datum *deal, const bool *nulls, Datum *values, bool *isnull)
{
	static SPIPlanPtr plan = NULL;
	static const char *const names[] = {"id", "stage_id", "contact_id", "company_id", "owner_id"};
	TupleDesc	desc = RelationGetDescr(move->relation);
	int			count = profile.desc->natts - profile.own;
	Datum		arguments[lengthof(names)];
	char		argument_nulls[lengthof(names)];

	for (int i = 0; i < lengthof(names); i++)
	{
		int			attnum = crm_bigint_attnum(desc, names[i]);

		arguments[i] = attnum > 0 ? deal[attnum - 1] : (Datum) 0;
		argument_nulls[i] = attnum > 0 && !nulls[attnum - 1] ? ' ' : 'n';
	}
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	crm_execute_kept(&plan, "SELECT * FROM crm.deal_facts($1, $2, $3, $4, $5)", lengthof(names), fact_types,
					 arguments, argument_nulls);
	if (SPI_processed != 1 || SPI_tuptable->tupdesc->natts != count)
		elog(ERROR, "crm.deal_facts() gave another number of rows or columns than expected");
	for (int i = 0; i < count; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(profile.desc, profile.own + i);

		if (SPI_gettypeid(SPI_tuptable->tupdesc, i + 1) != attribute->atttypid)
			elog(ERROR, "crm.deal_facts() gave a column of another type than expected");
		values[i] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 1, &isnull[i]);
		if (!isnull[i])
			values[i] = SPI_datumTransfer(values[i], attribute->attbyval, attribute->attlen);
	}
	SPI_finish();
}

/* Whether the one who moves the deal may read all that facts are made of. */
static bool
may_see_values(const CrmMoveCase *move)
{
	static const char *const sources[] = {"deal", "contact", "company", "agent"};
	Oid			schema = get_namespace_oid("crm", false);

	for (int i = 0; i < lengthof(sources); i++)
	{
		Oid			relation = get_relname_relid(sources[i], schema);

		if (!OidIsValid(relation) || pg_class_aclcheck(relation, move->user, ACL_SELECT) != ACLCHECK_OK ||
			check_enable_rls(relation, move->user, true) == RLS_ENABLED)
			return false;
	}
	return true;
}

typedef struct Guard
{
	const CrmRule *rule;
	const char *name;
} Guard;

static void
judge_guards(CrmJudge *judge, const CrmMoveCase *move, const Guard *guards, int count, bool with_values, CrmMoveVerdict *verdict)
{
	TupleDesc	deal = RelationGetDescr(move->relation);
	bool		needs_facts = false;
	Datum	   *values;
	bool	   *nulls;
	CrmRuleRow *row;
	StringInfoData unmet;
	StringInfoData names;
	int			failed = 0;

	make_profile(deal);
	for (int i = 0; i < count; i++)
	{
		const uint8_t *next;

		needs_facts |= asks_facts(guards[i].rule->root, guards[i].rule->end, &next);
	}
	values = palloc(sizeof(Datum) * profile.desc->natts);
	nulls = palloc(sizeof(bool) * profile.desc->natts);
	heap_deform_tuple(move->deal, deal, values, nulls);
	if (needs_facts)
		read_facts(move, values, nulls, values + profile.own, nulls + profile.own);
	else
		memset(nulls + profile.own, true, profile.desc->natts - profile.own);
	row = crm_rule_site_row(judge->site, RECORDOID, profile.typmod, heap_form_tuple(profile.desc, values, nulls),
							GetCurrentTransactionStartTimestamp());
	initStringInfo(&unmet);
	initStringInfo(&names);
	for (int i = 0; i < count; i++)
	{
		if (crm_rule_site_holds(judge->site, guards[i].rule))
			continue;
		appendStringInfo(&names, "%s%s", failed++ > 0 ? " and " : "", guards[i].name);
		crm_rule_tell_unmet(row, guards[i].rule, with_values, &unmet);
	}
	if (failed > 0)
	{
		appendStringInfoString(&names, failed > 1 ? " are not met" : " is not met");
		verdict->unmet = unmet.data;
		verdict->guards = names.data;
	}
}

/* ---- the whole ---- */

CrmMoveVerdict
crm_move_judge(CrmJudge *judge, const CrmMoveCase *move, bool is_complete)
{
	CrmMoveVerdict verdict = {NULL};
	Guard		guards[3];
	int			count = 0;
	CrmOwnerRights caller;
	bool		with_values = may_see_values(move);

	if (is_complete)
		verdict.roles = missing_roles(move->user, move->move);
	if (move->from != NULL && move->from->exit_guard != NULL)
		guards[count++] = (Guard) {move->from->exit_guard, psprintf("the exit guard of stage \"%s\"", move->from->name)};
	if (move->to->entry.guard != NULL)
		guards[count++] = (Guard) {move->to->entry.guard, psprintf("the entry guard of stage \"%s\"", move->to->name)};
	if (move->move->guard != NULL)
		guards[count++] = (Guard) {move->move->guard, "the guard of the move"};
	if (move->reads_as_owner)
		crm_become_owner(move->relation, &caller);
	verdict.missing = missing(move);
	if (count > 0 && (verdict.missing == NULL || is_complete))
		judge_guards(judge, move, guards, count, with_values, &verdict);
	if (move->reads_as_owner)
		crm_become_caller(&caller);
	return verdict;
}

void
crm_move_require_role(const CrmMoveCase *move)
{
	const char *roles = missing_roles(move->user, move->move);

	if (roles != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\" may not let deal %s %s", GetUserNameFromId(move->user, false), move->label, crm_move_label(move)),
				 errdetail("That is for members of: %s.", roles),
				 errhint("Ask one of them to do it; who may is in crm.stage_transition.roles.")));
}

void
crm_move_require(CrmJudge *judge, const CrmMoveCase *move)
{
	CrmMoveVerdict verdict = crm_move_judge(judge, move, false);

	if (verdict.missing != NULL)
		ereport(ERROR,
				(errcode(CRM_ERRCODE_REQUIRED),
				 errmsg("deal %s cannot %s without: %s", move->label, crm_move_label(move), verdict.missing),
				 errhint("Columns can be given in the same statement; the rest comes first, or, with SET crm.stage_check = deferred, by the end of the transaction.")));
	if (verdict.unmet != NULL)
		ereport(ERROR,
				(errcode(CRM_ERRCODE_GUARD),
				 errmsg("deal %s cannot %s: %s", move->label, crm_move_label(move), verdict.guards),
				 errdetail("Conditions: %s.", verdict.unmet),
				 errhint("Change what the conditions name, in the same statement if they are columns of the deal; crm.check_move() tells beforehand.")));
}

/* ---- asking beforehand ---- */

static void
tell(ReturnSetInfo *result, const char *code, const char *message, const char *detail)
{
	Datum		values[3] = {CStringGetTextDatum(code), CStringGetTextDatum(message), (Datum) 0};
	bool		nulls[3] = {false, false, detail == NULL};

	if (detail != NULL)
		values[2] = CStringGetTextDatum(detail);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

PG_FUNCTION_INFO_V1(crm_move_problems);

/* crm.move_problems(deal record, from_stage_id bigint) */
Datum
crm_move_problems(PG_FUNCTION_ARGS)
{
	HeapTupleHeader header;
	Oid			deals = get_relname_relid("deal", get_namespace_oid("crm", false));
	Relation	relation;
	HeapTupleData deal = {0};
	CrmMoveCase move = {0};
	CrmMoveVerdict verdict;
	ReturnSetInfo *result;
	int64		to_id = 0;
	TupleDesc	desc;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("there is no deal to judge")));
	header = PG_GETARG_HEAPTUPLEHEADER(0);
	deal.t_len = HeapTupleHeaderGetDatumLength(header);
	deal.t_data = header;
	if (!OidIsValid(deals) || get_typ_typrelid(HeapTupleHeaderGetTypeId(header)) != deals)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("crm.move_problems() takes a row of crm.deal")));
	if (pg_class_aclcheck(deals, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, "deal");
	InitMaterializedSRF(fcinfo, 0);
	result = (ReturnSetInfo *) fcinfo->resultinfo;
	ItemPointerSetInvalid(&deal.t_self);
	relation = table_open(deals, AccessShareLock);
	desc = RelationGetDescr(relation);
	crm_stage_matrix_refresh(relation);
	(void) crm_bigint_column(&deal, desc, crm_bigint_attnum(desc, "stage_id"), &to_id);
	move.relation = relation;
	move.user = GetUserId();
	move.to = crm_stage_find(to_id);
	move.from = PG_ARGISNULL(1) ? NULL : crm_stage_find(PG_GETARG_INT64(1));
	move.deal = &deal;
	if (!crm_bigint_column(&deal, desc, crm_bigint_attnum(desc, "id"), &move.deal_id))
		move.is_new = true;
	if (move.to == NULL || (move.from == NULL && !PG_ARGISNULL(1)))
		ereport(ERROR,
				(errcode(CRM_ERRCODE_UNKNOWN),
				 errmsg("there is no stage %lld", (long long) (move.to == NULL ? to_id : PG_GETARG_INT64(1)))));
	move.move = crm_stage_move(move.from == NULL ? 0 : move.from->id, move.to->id);
	if (move.from == move.to)
		;						/* no move */
	else if (move.move == NULL)
		tell(result, "RM001", psprintf("It cannot %s.", crm_move_label(&move)),
			 psprintf("%s: %s.", move.from == NULL ? "It may begin at" : "It may move to",
					  crm_stage_list_next(move.from == NULL ? 0 : move.from->id, move.to->pipeline_id)));
	else if (crm_move_is_judged(&move))
	{
		verdict = crm_move_judge(crm_judge_make(CurrentMemoryContext), &move, true);
		if (verdict.roles != NULL)
			tell(result, "42501", "Others may make the move.", psprintf("Members of: %s.", verdict.roles));
		if (verdict.missing != NULL)
			tell(result, "RM003", "Something is missing.", psprintf("%s.", verdict.missing));
		if (verdict.unmet != NULL)
			tell(result, "RM002", psprintf("%c%s.", toupper((unsigned char) verdict.guards[0]), verdict.guards + 1),
				 psprintf("%s.", verdict.unmet));
	}
	table_close(relation, AccessShareLock);
	return (Datum) 0;
}
