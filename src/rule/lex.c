/*
 * lex.c
 *		The tokens of a rule: those of SQL, less what a rule has no use for.
 *
 * Where SQL joins characters into one operator ("<-5" is "<" and "-5", but
 * "!=-5" is one strange operator) we do the same, so that a rule never reads
 * otherwise than the same text in a query.
 */
#include "rule/lex.h"

#include <string.h>

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
begins_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80);
}

static bool
continues_name(char c)
{
	return begins_name(c) || is_digit(c) || c == '$';
}

static bool
is_operator(char c)
{
	return c != '\0' && strchr("~!@#^&|`?+-*/%<>=", c) != NULL;
}

const char *
crm_rule_shown(char *buffer, size_t size, const char *text, size_t start, size_t end)
{
	return crm_printable(buffer, size, text + start, end - start);
}

static bool
bad(CrmCheck *check, const char *code, size_t position, const char *message, const char *hint)
{
	crm_check_set(check, CRM_CHECK_BAD, code, (int) position, "%s", message);
	crm_check_hint(check, "%s", hint);
	return false;
}

/* '...' with quotes doubled; position is at the opening quote. */
static bool
lex_string(const char *text, size_t length, size_t *position, CrmRuleToken *token, CrmCheck *check)
{
	size_t		p = *position + 1;

	for (;; p++)
	{
		if (p >= length)
			return bad(check, "RULE_STRING", token->start, "A text is not closed.",
					   "Close it with an apostrophe; double the apostrophes within.");
		if (text[p] != '\'')
			continue;
		if (p + 1 < length && text[p + 1] == '\'')
			p++;
		else
			break;
	}
	token->kind = CRM_TOKEN_STRING;
	token->end = *position = p + 1;
	return true;
}

static bool
lex_quoted_name(const char *text, size_t length, size_t *position, CrmRuleToken *token, CrmCheck *check)
{
	size_t		p = *position + 1;

	token->name_length = 0;
	for (;; p++)
	{
		if (p >= length)
			return bad(check, "RULE_NAME", token->start, "A quoted name is not closed.",
					   "Close it with a double quote.");
		if (text[p] == '"')
		{
			if (p + 1 >= length || text[p + 1] != '"')
				break;
			p++;
		}
		if (token->name_length == CRM_RULE_MAX_NAME)
			return bad(check, "RULE_NAME", token->start, "A name has more than 63 bytes.",
					   "No field has so long a name.");
		token->name[token->name_length++] = text[p];
	}
	if (token->name_length == 0)
		return bad(check, "RULE_NAME", token->start, "A quoted name is empty.", "Write the name of a field.");
	token->name[token->name_length] = '\0';
	token->kind = CRM_TOKEN_NAME;
	token->quoted = true;
	token->end = *position = p + 1;
	return true;
}

static bool
lex_number(const char *text, size_t length, size_t *position, CrmRuleToken *token, CrmCheck *check)
{
	size_t		p = *position;

	while (p < length && is_digit(text[p]))
		p++;
	if (p < length && text[p] == '.')
	{
		p++;
		while (p < length && is_digit(text[p]))
			p++;
	}
	if (p < length && (text[p] == 'e' || text[p] == 'E'))
	{
		size_t		q = p + 1;

		if (q < length && (text[q] == '+' || text[q] == '-'))
			q++;
		if (q < length && is_digit(text[q]))
		{
			while (q < length && is_digit(text[q]))
				q++;
			p = q;
		}
	}
	token->kind = CRM_TOKEN_NUMBER;
	token->end = *position = p;
	if (p < length && (continues_name(text[p]) || text[p] == '.'))
	{
		char		shown[80];
		size_t		q = p;

		while (q < length && (continues_name(text[q]) || text[q] == '.'))
			q++;
		crm_check_set(check, CRM_CHECK_BAD, "RULE_NUMBER", (int) token->start,
					  "\"%s\" is not a number.",
					  crm_rule_shown(shown, sizeof(shown), text, token->start, q));
		crm_check_hint(check, "A number has digits, one decimal point at most and an exponent at most: 10, 2.5, 1e6.");
		return false;
	}
	return true;
}

static bool
lex_operator(const char *text, size_t length, size_t *position, CrmRuleToken *token, CrmCheck *check)
{
	size_t		p = *position;

	while (p < length && is_operator(text[p]))
	{
		if (p + 1 < length && ((text[p] == '-' && text[p + 1] == '-') ||
							   (text[p] == '/' && text[p + 1] == '*')))
		{
			if (p == token->start)
				return bad(check, "RULE_COMMENT", p, "A rule has no comments.",
						   "Write \"- -\" for minus minus.");
			break;
		}
		p++;
	}
	/* SQL: + and - end an operator only if one of these is in it. */
	if (p - token->start > 1)
	{
		bool		special = false;

		for (size_t q = token->start; q < p; q++)
			special |= strchr("~!@#^&|`?%", text[q]) != NULL;
		while (!special && p - token->start > 1 && (text[p - 1] == '+' || text[p - 1] == '-'))
			p--;
	}
	token->kind = CRM_TOKEN_OPERATOR;
	token->end = *position = p;
	return true;
}

bool
crm_rule_lex(const char *text, size_t length, size_t *position, CrmRuleToken *token, CrmCheck *check)
{
	size_t		p = *position;
	char		c;

	while (p < length && is_space(text[p]))
		p++;
	token->start = *position = p;
	token->quoted = false;
	token->name_length = 0;
	token->name[0] = '\0';
	if (p >= length)
	{
		token->kind = CRM_TOKEN_END;
		token->end = p;
		return true;
	}
	c = text[p];
	if (c == '\'')
		return lex_string(text, length, position, token, check);
	if (c == '"')
		return lex_quoted_name(text, length, position, token, check);
	if (is_digit(c) || (c == '.' && p + 1 < length && is_digit(text[p + 1])))
		return lex_number(text, length, position, token, check);
	if (begins_name(c))
	{
		while (p < length && continues_name(text[p]))
			p++;
		if (p - token->start > CRM_RULE_MAX_NAME)
			return bad(check, "RULE_NAME", token->start, "A name has more than 63 bytes.",
					   "No field has so long a name; texts stand in apostrophes.");
		for (size_t q = token->start; q < p; q++)
		{
			char		lower = text[q] >= 'A' && text[q] <= 'Z' ? text[q] + ('a' - 'A') : text[q];

			token->name[token->name_length++] = lower;
		}
		token->name[token->name_length] = '\0';
		token->kind = CRM_TOKEN_NAME;
		token->end = *position = p;
		/* SQL reads e'..', b'..', x'..', n'..', u&'..' and u&".." otherwise. */
		if (p < length && token->name_length == 1 &&
			((text[p] == '\'' && strchr("ebxn", token->name[0]) != NULL) ||
			 (text[p] == '&' && token->name[0] == 'u' && p + 1 < length &&
			  (text[p + 1] == '\'' || text[p + 1] == '"'))))
			return bad(check, "RULE_STRING", token->start, "Texts with a letter before them (e'', u&'', b'', x'') are not allowed.",
					   "Write the characters themselves between plain apostrophes.");
		return true;
	}
	if (is_operator(c))
		return lex_operator(text, length, position, token, check);
	token->kind = CRM_TOKEN_OTHER;
	token->end = *position = p + 1;
	switch (c)
	{
		case '(':
		case ')':
		case ',':
			return true;
		case ':':
			if (p + 1 < length && text[p + 1] == ':')
				return bad(check, "RULE_CAST", p, "Casts (::) are not allowed.",
						   "A literal takes the type of what it is compared with; date '2026-01-31' and its like say theirs.");
			break;
		case '.':
			return bad(check, "RULE_SYNTAX", p, "A field stands without the name of its table.",
					   "Write city, not c.city.");
		case '$':
			return bad(check, "RULE_STRING", p, "Parameters and texts in dollar signs are not allowed.",
					   "Texts stand in apostrophes.");
		case ';':
			return bad(check, "RULE_SYNTAX", p, "A rule is one condition, without a semicolon.", "Leave the semicolon out.");
		default:
			break;
	}
	{
		char		shown[32];
		size_t		end = p + 1;

		crm_check_set(check, CRM_CHECK_BAD, "RULE_SYNTAX", (int) p,
					  "The character \"%s\" has no meaning in a rule.",
					  crm_rule_shown(shown, sizeof(shown), text, p, end));
		crm_check_hint(check, "Texts stand in apostrophes.");
		return false;
	}
}
