/*
 * derive.c
 *		The trigger that fills the derived columns of contacts, companies and
 *		their points before a row is written.
 *
 * What a person entered stays as entered, in a text column; beside it stand
 * the canonical value and the keys by which equal ones are found.  They are
 * derived here and nowhere else, so that psql, an import and an application
 * get the same; whatever a statement sets them to is overwritten.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "crm.h"
#include "history/change.h"
#include "text/name_key.h"
#include "type/check_report.h"
#include "type/email_server.h"
#include "type/phone_datum.h"

/* Longest name whose key is made, given, middle and family name together. */
#define MAX_NAME CRM_NAME_KEY_MAX_INPUT

/* The columns to be replaced, collected for one heap_modify_tuple_by_cols(). */
typedef struct Replacement
{
	TupleDesc	desc;
	HeapTuple	row;
	HeapTuple	old_row;		/* of an update, otherwise NULL */
	bool		is_same;		/* an update that enters nothing new */
	bool		is_known;		/* an insert of a row that is there already, in a merge */
	int			count;
	int			columns[8];
	Datum		values[8];
	bool		nulls[8];
} Replacement;

/* A text column of the row; *value points into the tuple.  False when null. */
static bool
text_column(Replacement *r, const char *name, const char **value, size_t *length)
{
	int			attnum = SPI_fnumber(r->desc, name);
	bool		isnull;
	Datum		datum;
	text	   *content;

	if (attnum <= 0 || TupleDescAttr(r->desc, attnum - 1)->atttypid != TEXTOID)
		return false;
	datum = heap_getattr(r->row, attnum, r->desc, &isnull);
	if (isnull)
		return false;
	content = DatumGetTextPP(datum);
	*value = VARDATA_ANY(content);
	*length = VARSIZE_ANY_EXHDR(content);
	return true;
}

/*
 * The trigger may be attached to any table, so a column of the right name may
 * have the wrong type: writing our bytes there would be a way to read memory.
 */
static void
replace(Replacement *r, const char *name, Oid type, Datum value, bool isnull)
{
	int			attnum = SPI_fnumber(r->desc, name);

	if (attnum <= 0)			/* dropped with the extension, say */
		return;
	if (TupleDescAttr(r->desc, attnum - 1)->atttypid != type)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" must be of type %s, not %s", name, format_type_be(type),
						format_type_be(TupleDescAttr(r->desc, attnum - 1)->atttypid)),
				 errhint("crm.derive() is a trigger of crm.contact, crm.company and their points only.")));
	Assert(r->count < (int) lengthof(r->columns));
	r->columns[r->count] = attnum;
	r->values[r->count] = value;
	r->nulls[r->count] = isnull;
	r->count++;
}

/* Appends a part of a name, cut when it is far too long. */
static void
append_part(Replacement *r, const char *column, char *name, size_t *length)
{
	const char *value;
	size_t		n;

	if (!text_column(r, column, &value, &n))
		return;
	if (*length > 0 && *length < MAX_NAME)
		name[(*length)++] = ' ';
	n = Min(n, MAX_NAME - *length);
	memcpy(name + *length, value, n);
	*length += n;
}

static void
derive_name_key(Replacement *r, const char *const *columns, int count)
{
	char		name[MAX_NAME];
	char		key[CRM_NAME_KEY_SIZE];
	size_t		length = 0;

	for (int i = 0; i < count; i++)
		append_part(r, columns[i], name, &length);
	length = crm_name_key(name, length, CRM_NAME_RUSSIAN, key);
	replace(r, "name_key", TEXTOID,
			length > 0 ? PointerGetDatum(cstring_to_text_with_len(key, length)) : (Datum) 0,
			length == 0);
}

/* The oid of one of our types; raises when it is not there. */
static Oid
type_of(const char *name)
{
	Oid			schema = get_namespace_oid("crm", false);
	Oid			type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(name), ObjectIdGetDatum(schema));
	if (!OidIsValid(type))
		elog(ERROR, "type crm.%s does not exist", name);
	return type;
}

static void
derive_email(Replacement *r, const char *raw, size_t length)
{
	char		image[CRM_EMAIL_BUFFER];
	char		key[CRM_EMAIL_BUFFER];
	CrmCheck	check;
	int			size;

	crm_check_init(&check);
	size = crm_check_length(&check, length) ? 0 :
		crm_email_parse(raw, length, crm_email_flags(), image, &check);
	if (size == 0)
	{
		if (r->is_same || r->is_known)
			return;
		crm_email_repair(raw, length, crm_email_flags(), &check);
		crm_report_bad(NULL, "crm.email", raw, length, &check);
	}
	replace(r, "email", type_of("email"), PointerGetDatum(crm_email_make(image, size)), false);
	replace(r, "match_key", TEXTOID,
			PointerGetDatum(cstring_to_text_with_len(key, crm_email_match_key(image, size, key))), false);
}

/*
 * The region by which a number without country code is read: that of the row,
 * else the session's.  The row keeps which it was.
 */
static void
derive_phone(Replacement *r, const char *raw, size_t length)
{
	char		region[3] = "";
	const char *value;
	size_t		n;
	CrmCheck	check;
	CrmPhone	phone;
	char		key[CRM_PHONE_TEXT];

	if (text_column(r, "region", &value, &n) && n == 2)
		memcpy(region, value, 2);
	else if (!r->is_known && crm_default_region != NULL && crm_default_region[0] != '\0')
	{
		strlcpy(region, crm_default_region, sizeof(region));
		replace(r, "region", TEXTOID, CStringGetTextDatum(region), false);
	}
	crm_check_init(&check);
	if (crm_check_length(&check, length) ||
		!crm_phone_parse(raw, length, region[0] != '\0' ? region : NULL, &phone, &check))
	{
		if (r->is_same || r->is_known)
			return;
		crm_report_bad(NULL, "crm.phone", raw, length, &check);
	}
	replace(r, "phone", type_of("phone"), crm_phone_datum(&phone), false);
	/* The key leaves the extension out: one switchboard, one key. */
	phone.ext_length = 0;
	crm_phone_text(&phone, key);
	replace(r, "match_key", TEXTOID, CStringGetTextDatum(key), false);
}

/*
 * An update that changes other columns, a bounce or a label, leaves kind, raw
 * and region alone: what was derived from them stays, also when the rules or
 * the session's region have changed since.  True when that is so.
 */
static bool
keep_derived(Replacement *r)
{
	static const char *const entered[] = {"kind", "raw", "region"};
	static const char *const derived[] = {"email", "phone", "match_key"};
	int			match_key = SPI_fnumber(r->desc, "match_key");

	if (r->old_row == NULL || r->is_same || match_key <= 0 ||
		heap_attisnull(r->old_row, match_key, r->desc))
		return false;
	for (size_t i = 0; i < lengthof(entered); i++)
	{
		int			attnum = SPI_fnumber(r->desc, entered[i]);

		if (attnum <= 0 || crm_column_differs(r->old_row, r->row, r->desc, attnum))
			return false;
	}
	for (size_t i = 0; i < lengthof(derived); i++)
	{
		int			attnum = SPI_fnumber(r->desc, derived[i]);
		bool		isnull;
		Datum		value;

		if (attnum <= 0)
			continue;
		value = heap_getattr(r->old_row, attnum, r->desc, &isnull);
		replace(r, derived[i], TupleDescAttr(r->desc, attnum - 1)->atttypid, value, isnull);
	}
	return true;
}

static void
derive_point(Replacement *r)
{
	const char *kind;
	const char *raw;
	size_t		kind_length;
	size_t		length;

	if (!text_column(r, "kind", &kind, &kind_length) || !text_column(r, "raw", &raw, &length))
		return;					/* NOT NULL constraints will say so */
	if (keep_derived(r))
		return;
	if (kind_length == 5 && memcmp(kind, "email", 5) == 0)
	{
		derive_email(r, raw, length);
		replace(r, "phone", type_of("phone"), (Datum) 0, true);
	}
	else if (kind_length == 5 && memcmp(kind, "phone", 5) == 0)
	{
		derive_phone(r, raw, length);
		replace(r, "email", type_of("email"), (Datum) 0, true);
	}
	else
	{
		replace(r, "email", type_of("email"), (Datum) 0, true);
		replace(r, "phone", type_of("phone"), (Datum) 0, true);
		replace(r, "match_key", TEXTOID, (Datum) 0, true);
	}
}

/*
 * Whether an update leaves every column as it was, but perhaps archived_at.
 * One that changes nothing asks for nothing but to derive again: it must not
 * fail on a value that the rules of today refuse, and is no change of the row.
 * Nor is it one when the row is only set aside or taken back, so that a
 * contact that was archived and restored is the same to the byte; the audit
 * log has both.
 */
static bool
changes_nothing(HeapTuple old_row, HeapTuple new_row, TupleDesc desc)
{
	for (int attnum = 1; attnum <= desc->natts; attnum++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, attnum - 1);

		if (!attribute->attisdropped &&
			strcmp(NameStr(attribute->attname), "archived_at") != 0 &&
			crm_column_differs(old_row, new_row, desc, attnum))
			return false;
	}
	return true;
}

/* Keys, history and whatever refers to a row know it by its number. */
static void
refuse_new_id(Replacement *r)
{
	int			attnum = SPI_fnumber(r->desc, "id");

	if (r->old_row != NULL && attnum > 0 && crm_column_differs(r->old_row, r->row, r->desc, attnum))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the id of a row cannot change"),
				 errhint("Make a new row, or merge the two.")));
}

PG_FUNCTION_INFO_V1(crm_derive);

Datum
crm_derive(PG_FUNCTION_ARGS)
{
	static const char *const person[] = {"family_name", "given_name", "middle_name"};
	static const char *const organisation[] = {"name"};
	TriggerData *trigger = crm_require_trigger(fcinfo, "crm.derive()");
	bool		is_update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	const char *relation = RelationGetRelationName(trigger->tg_relation);
	CrmMergeMode mode;
	Replacement r = {0};

	if (!TRIGGER_FIRED_BEFORE(trigger->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event) ||
		TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("crm.derive() must be a BEFORE INSERT OR UPDATE trigger FOR EACH ROW")));
	r.desc = RelationGetDescr(trigger->tg_relation);
	r.old_row = is_update ? trigger->tg_trigtuple : NULL;
	r.row = is_update ? trigger->tg_newtuple : trigger->tg_trigtuple;

	refuse_new_id(&r);
	mode = crm_merge_mode();
	r.is_known = !is_update && mode != CRM_MERGE_OFF;
	r.is_same = is_update && changes_nothing(trigger->tg_trigtuple, trigger->tg_newtuple, r.desc);

	if (strcmp(relation, "contact") == 0)
		derive_name_key(&r, person, lengthof(person));
	else if (strcmp(relation, "company") == 0)
		derive_name_key(&r, organisation, lengthof(organisation));
	else
		derive_point(&r);
	/* A merge that is undone writes back when the row was last changed. */
	if (is_update && !r.is_same && mode != CRM_MERGE_UNDO)
		replace(&r, "updated_at", TIMESTAMPTZOID, TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()), false);
	if (r.count == 0)
		return PointerGetDatum(r.row);
	return PointerGetDatum(heap_modify_tuple_by_cols(r.row, r.desc, r.count, r.columns, r.values, r.nulls));
}
