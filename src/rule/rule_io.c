/*
 * rule_io.c
 *		Input and output of crm.rule: text, binary, jsonb.
 */
#include "postgres.h"

#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "crm.h"
#include "rule/lex.h"
#include "rule/rule_datum.h"
#include "type/check_report.h"

/* First byte of the binary form; the canonical text follows. */
#define BINARY_VERSION 1

void
crm_rule_damaged(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("stored value of type crm.rule is damaged")));
}

CrmRule
crm_rule_get(Datum datum)
{
	CrmRule		rule;

	rule.value = PG_DETOAST_DATUM_PACKED(datum);
	rule.bytes = (const uint8_t *) VARDATA_ANY(rule.value);
	rule.size = VARSIZE_ANY_EXHDR(rule.value);
	if (rule.size <= CRM_RULE_HEADER)
		crm_rule_damaged();
	if (rule.bytes[0] != CRM_RULE_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored value of type crm.rule has version %d, which is not known", rule.bytes[0]),
				 errhint("The value may have been written by a newer version of crm.")));
	rule.flags = rule.bytes[1];
	rule.root = rule.bytes + CRM_RULE_HEADER;
	rule.end = rule.bytes + rule.size;
	return rule;
}

/* The character, counted from 1, that begins at the byte. */
static int
character_at(const char *text, size_t length, int position)
{
	if (position < 0 || (size_t) position > length)
		position = (int) length;
	return pg_mbstrlen_with_len(text, position) + 1;
}

/* What a rule that is refused is told: where, at which token, why. */
static void
report(const char *text, size_t length, const CrmCheck *check, Node *escontext)
{
	int			code = ERRCODE_SYNTAX_ERROR;
	char		shown[80];
	CrmRuleToken token;
	CrmCheck	ignored;
	size_t		position = Max(check->position, 0);
	size_t		end;

	if (strcmp(check->code, "RULE_TOO_LONG") == 0)
		code = ERRCODE_PROGRAM_LIMIT_EXCEEDED;
	else if (strcmp(check->code, "RULE_TOO_DEEP") == 0)
		code = ERRCODE_STATEMENT_TOO_COMPLEX;
	if (code != ERRCODE_SYNTAX_ERROR)
	{
		errsave(escontext,
				(errcode(code), errmsg("invalid rule"),
				 errdetail("%s: %s", check->code, check->message),
				 check->hint[0] != '\0' ? errhint("%s", check->hint) : 0));
		return;
	}
	crm_check_init(&ignored);
	end = position;
	if (crm_rule_lex(text, length, &end, &token, &ignored))
		end = token.end;
	else
		end = Min(position + 20, length);
	if (position >= length)
		strlcpy(shown, "end of the rule", sizeof(shown));
	else
	{
		shown[0] = '"';
		crm_printable(shown + 1, sizeof(shown) - 2, text + position, end - position);
		strlcat(shown, "\"", sizeof(shown));
	}
	errsave(escontext,
			(errcode(code),
			 errmsg("syntax error in rule at character %d, at %s",
					character_at(text, length, check->position), shown),
			 errdetail("%s: %s", check->code, check->message),
			 check->hint[0] != '\0' ? errhint("%s", check->hint) : 0));
}

static struct varlena *
make_rule(const uint8_t *root, size_t size)
{
	struct varlena *value = palloc(VARHDRSZ + CRM_RULE_HEADER + size);
	uint8_t    *bytes = (uint8_t *) VARDATA(value);

	SET_VARSIZE(value, VARHDRSZ + CRM_RULE_HEADER + size);
	bytes[0] = CRM_RULE_VERSION;
	bytes[1] = (uint8_t) crm_rule_flags(root, size);
	memcpy(bytes + CRM_RULE_HEADER, root, size);
	return value;
}

/*
 * Reads text that may be longer than a rule, as what combines rules makes
 * more parentheses than needed; the canonical text must not be.
 */
static struct varlena *
read_text(const char *text, size_t length, size_t max_length, CrmCheck *check)
{
	uint8_t    *image = palloc(CRM_RULE_IMAGE_SIZE(Min(length, max_length)));
	size_t		size = crm_rule_parse(text, length, max_length, image, check);
	struct varlena *value;

	if (size == 0)
	{
		pfree(image);
		return NULL;
	}
	{
		CrmRuleText out = {NULL, 0, 0};

		crm_rule_print(image, size, &out);
		if (out.length > CRM_RULE_MAX_TEXT)
		{
			crm_check_set(check, CRM_CHECK_BAD, "RULE_TOO_LONG", CRM_RULE_MAX_TEXT,
						  "The rule has %zu bytes; the longest accepted has %d.",
						  out.length, CRM_RULE_MAX_TEXT);
			crm_check_hint(check, "Put long lists into tags or segments.");
			pfree(image);
			return NULL;
		}
	}
	value = make_rule(image, size);
	pfree(image);
	return value;
}

struct varlena *
crm_rule_read(const char *text, size_t length, Node *escontext)
{
	CrmCheck	check;
	struct varlena *value = read_text(text, length, CRM_RULE_MAX_TEXT, &check);

	if (value == NULL)
		report(text, length, &check, escontext);
	return value;
}

struct varlena *
crm_rule_join(const char *text, size_t length)
{
	CrmCheck	check;
	struct varlena *value = read_text(text, length, 2 * CRM_RULE_MAX_TEXT + 64, &check);

	if (value == NULL)
		report(text, length, &check, NULL);
	return value;
}

char *
crm_rule_node_text(const uint8_t *position, const uint8_t *end)
{
	CrmRuleText out = {NULL, 0, 0};

	if (crm_rule_print_node(position, end, &out) == NULL)
		crm_rule_damaged();
	out.buffer = palloc(out.length + 1);
	out.size = out.length;
	out.length = 0;
	crm_rule_print_node(position, end, &out);
	out.buffer[out.length] = '\0';
	return out.buffer;
}

char *
crm_rule_to_cstring(const CrmRule *rule)
{
	if (!crm_rule_is_sound(rule->root, rule->end - rule->root))
		crm_rule_damaged();
	return crm_rule_node_text(rule->root, rule->end);
}

PG_FUNCTION_INFO_V1(crm_rule_in);
PG_FUNCTION_INFO_V1(crm_rule_out);
PG_FUNCTION_INFO_V1(crm_rule_recv);
PG_FUNCTION_INFO_V1(crm_rule_send);
PG_FUNCTION_INFO_V1(crm_rule_from_text);
PG_FUNCTION_INFO_V1(crm_rule_to_text);
PG_FUNCTION_INFO_V1(crm_rule_try);
PG_FUNCTION_INFO_V1(crm_rule_check_text);
PG_FUNCTION_INFO_V1(crm_rule_to_jsonb);
PG_FUNCTION_INFO_V1(crm_rule_from_jsonb);

Datum
crm_rule_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	struct varlena *value = crm_rule_read(text, strlen(text), crm_escontext(fcinfo));

	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(value);
}

Datum
crm_rule_out(PG_FUNCTION_ARGS)
{
	CrmRule		rule = PG_GETARG_CRM_RULE(0);

	PG_RETURN_CSTRING(crm_rule_to_cstring(&rule));
}

/* Binary is text behind a version byte: the client's encoding is heeded. */
Datum
crm_rule_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgbyte(message);
	int			length;
	char	   *text;

	if (version != BINARY_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("binary format %d of type crm.rule is not known", version),
				 errhint("The sender may be of a newer version.")));
	text = pq_getmsgtext(message, message->len - message->cursor, &length);
	PG_RETURN_POINTER(crm_rule_read(text, length, NULL));
}

Datum
crm_rule_send(PG_FUNCTION_ARGS)
{
	CrmRule		rule = PG_GETARG_CRM_RULE(0);
	StringInfoData message;
	char	   *text = crm_rule_to_cstring(&rule);

	pq_begintypsend(&message);
	pq_sendbyte(&message, BINARY_VERSION);
	pq_sendtext(&message, text, strlen(text));
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

Datum
crm_rule_from_text(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);

	PG_RETURN_POINTER(crm_rule_read(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), NULL));
}

Datum
crm_rule_to_text(PG_FUNCTION_ARGS)
{
	CrmRule		rule = PG_GETARG_CRM_RULE(0);

	PG_RETURN_TEXT_P(cstring_to_text(crm_rule_to_cstring(&rule)));
}

Datum
crm_rule_try(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	CrmCheck	check;
	struct varlena *rule = read_text(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value),
									 CRM_RULE_MAX_TEXT, &check);

	if (rule == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(rule);
}

/* crm.check_rule(): the verdict on a text, with the place in the message. */
Datum
crm_rule_check_text(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	CrmCheck	check;
	struct varlena *accepted = read_text(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value),
										 CRM_RULE_MAX_TEXT, &check);
	char	   *canonical = NULL;

	if (accepted != NULL)
	{
		CrmRule		rule = crm_rule_get(PointerGetDatum(accepted));

		canonical = crm_rule_to_cstring(&rule);
	}
	else if (check.position >= 0)
	{
		size_t		used = strlen(check.message);

		snprintf(check.message + used, sizeof(check.message) - used, " (Character %d.)",
				 character_at(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), check.position));
	}
	return crm_check_row(fcinfo, &check, canonical, canonical == NULL ? 0 : strlen(canonical));
}

Datum
crm_rule_to_jsonb(PG_FUNCTION_ARGS)
{
	CrmRule		rule = PG_GETARG_CRM_RULE(0);
	CrmRuleText out = {NULL, 0, 0};

	if (!crm_rule_json(rule.root, rule.end - rule.root, &out))
		crm_rule_damaged();
	out.buffer = palloc(out.length + 1);
	out.size = out.length;
	out.length = 0;
	crm_rule_json(rule.root, rule.end - rule.root, &out);
	out.buffer[out.length] = '\0';
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(out.buffer));
}

Datum
crm_rule_from_jsonb(PG_FUNCTION_ARGS)
{
	Jsonb	   *tree = PG_GETARG_JSONB_P(0);
	char	   *json = JsonbToCString(NULL, &tree->root, VARSIZE(tree));
	size_t		length = strlen(json);
	CrmRuleText out = {NULL, 0, 0};
	CrmCheck	check;
	struct varlena *value;

	if (crm_rule_from_json(json, length, &out, &check))
	{
		out.buffer = palloc(out.length + 1);
		out.size = out.length;
		out.length = 0;
		crm_rule_from_json(json, length, &out, &check);
		value = read_text(out.buffer, out.length, 4 * CRM_RULE_MAX_TEXT, &check);
		if (value != NULL)
			PG_RETURN_POINTER(value);
	}
	if (strcmp(check.code, "RULE_JSON") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("the tree form of a rule cannot be read"),
				 errdetail("%s: %s", check.code, check.message),
				 check.hint[0] != '\0' ? errhint("%s", check.hint) : 0));
	ereport(ERROR,
			(errcode(strcmp(check.code, "RULE_TOO_DEEP") == 0 ? ERRCODE_STATEMENT_TOO_COMPLEX :
					 strcmp(check.code, "RULE_TOO_LONG") == 0 ? ERRCODE_PROGRAM_LIMIT_EXCEEDED :
					 ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("the tree form of a rule cannot be read"),
			 errdetail("%s: %s", check.code, check.message),
			 check.hint[0] != '\0' ? errhint("%s", check.hint) : 0));
}
