/*
 * json_read.c
 *		From the tree form of a rule to its text, which crm_rule_parse() reads.
 *
 * Every compound operand is put into parentheses and every field into double
 * quotes, so that nothing in the JSON can change how the text around it is
 * read; what a name or a literal may be is the parser's business.  The JSON is
 * read where it is: a key is looked for by walking over its object.
 */
#include "rule/rule.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Deepest nesting of JSON: twice that of a rule, for the lists within. */
#define MAX_NESTING (2 * CRM_RULE_MAX_DEPTH + 4)

typedef struct Reader
{
	const char *json;
	const char *end;
	CrmRuleText *out;
	CrmCheck   *check;
	char		path[200];		/* of the value at hand: $.and[1].value */
	size_t		path_length;
	int			nesting;
} Reader;

static bool read_node(Reader *reader, const char *value);

static bool
refuse(Reader *reader, const char *value, const char *hint, const char *message, ...)
	__attribute__((format(printf, 4, 5)));

static bool
refuse(Reader *reader, const char *value, const char *hint, const char *message, ...)
{
	char		text[200];
	va_list		arguments;

	if (reader->check->status == CRM_CHECK_BAD)
		return false;			/* the first error is the one to tell */
	va_start(arguments, message);
	vsnprintf(text, sizeof(text), message, arguments);
	va_end(arguments);
	crm_check_set(reader->check, CRM_CHECK_BAD, "RULE_JSON", (int) (value - reader->json),
				  "At %.*s: %s", (int) reader->path_length, reader->path, text);
	crm_check_hint(reader->check, "%s", hint);
	return false;
}

static size_t enter(Reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Lengthens the path; returns what to set its length to afterwards. */
static size_t
enter(Reader *reader, const char *format, ...)
{
	size_t		before = reader->path_length;
	va_list		arguments;
	int			written;
	size_t		room = sizeof(reader->path) - before;

	va_start(arguments, format);
	written = vsnprintf(reader->path + before, room, format, arguments);
	va_end(arguments);
	if (written > 0)
		reader->path_length += (size_t) written < room ? (size_t) written : room - 1;
	return before;
}

/* ---- walking over JSON ---- */

static const char *
skip_space(const Reader *reader, const char *p)
{
	while (p < reader->end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

static const char *
skip_string(const Reader *reader, const char *p)
{
	for (p++; p < reader->end; p++)
	{
		if (*p == '\\')
			p++;
		else if (*p == '"')
			return p + 1;
	}
	return NULL;
}

/* Behind the value at p; NULL when the JSON is broken or nested too deep. */
static const char *
skip_value(const Reader *reader, const char *p, int nesting)
{
	char		close;

	p = skip_space(reader, p);
	if (p >= reader->end || nesting > MAX_NESTING)
		return NULL;
	if (*p == '"')
		return skip_string(reader, p);
	if (*p != '{' && *p != '[')
	{
		const char *start = p;

		while (p < reader->end && strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE", *p) != NULL && *p != '\0')
			p++;
		return p > start ? p : NULL;
	}
	close = *p == '{' ? '}' : ']';
	p = skip_space(reader, p + 1);
	if (p < reader->end && *p == close)
		return p + 1;
	for (;;)
	{
		if (close == '}')
		{
			p = skip_space(reader, p);
			if (p >= reader->end || *p != '"' || (p = skip_string(reader, p)) == NULL)
				return NULL;
			p = skip_space(reader, p);
			if (p >= reader->end || *p != ':')
				return NULL;
			p++;
		}
		if ((p = skip_value(reader, p, nesting + 1)) == NULL)
			return NULL;
		p = skip_space(reader, p);
		if (p >= reader->end)
			return NULL;
		if (*p == close)
			return p + 1;
		if (*p != ',')
			return NULL;
		p++;
	}
}

/* Steps through an object: *p is at "{" or behind a value; false at its end. */
static bool
next_pair(const Reader *reader, const char **p, const char **key, size_t *key_length, const char **value)
{
	const char *q = skip_space(reader, *p);

	if (*q == '{' || *q == ',')
		q = skip_space(reader, q + 1);
	if (*q == '}')
		return false;
	*key = q + 1;
	q = skip_string(reader, q);
	*key_length = q - *key - 1;
	q = skip_space(reader, q);
	*value = skip_space(reader, q + 1);
	*p = skip_value(reader, *value, 0);
	return true;
}

/* The same of an array. */
static bool
next_item(const Reader *reader, const char **p, const char **value)
{
	const char *q = skip_space(reader, *p);

	if (*q == '[' || *q == ',')
		q = skip_space(reader, q + 1);
	if (*q == ']')
		return false;
	*value = q;
	*p = skip_value(reader, q, 0);
	return true;
}

static const char *
find(const Reader *reader, const char *object, const char *name)
{
	const char *p = object;
	const char *key;
	size_t		length;
	const char *value;

	while (next_pair(reader, &p, &key, &length, &value))
		if (length == strlen(name) && memcmp(key, name, length) == 0)
			return value;
	return NULL;
}

/* ---- writing text ---- */

/* Whether the string at value reads as the word. */
static bool
is_string(const Reader *reader, const char *value, const char *word)
{
	size_t		length = strlen(word);

	return (size_t) (reader->end - value) >= length + 2 && value[0] == '"' &&
		memcmp(value + 1, word, length) == 0 && value[length + 1] == '"';
}

static int
hex4(const char *p)
{
	int			code = 0;

	for (int i = 0; i < 4; i++)
	{
		int			digit = p[i] >= '0' && p[i] <= '9' ? p[i] - '0' :
			p[i] >= 'a' && p[i] <= 'f' ? p[i] - 'a' + 10 :
			p[i] >= 'A' && p[i] <= 'F' ? p[i] - 'A' + 10 : -1;

		if (digit < 0)
			return -1;
		code = code << 4 | digit;
	}
	return code;
}

/* A JSON string between quotes of SQL. */
static bool
put_string(Reader *reader, const char *value, char quote)
{
	const char *end;

	if (*value != '"')
		return refuse(reader, value, "", "A string is expected.");
	end = skip_string(reader, value) - 1;
	crm_rule_put(reader->out, &quote, 1);
	for (const char *p = value + 1; p < end; p++)
	{
		char		bytes[4];
		size_t		length = 1;

		bytes[0] = *p;
		if (*p == '\\')
		{
			static const char names[] = "\"\\/bfnrt";
			static const char meant[] = "\"\\/\b\f\n\r\t";
			const char *known;

			p++;
			if (*p == 'u')
			{
				int			code = end - p > 4 ? hex4(p + 1) : -1;

				if (code <= 0 || (code >= 0xD800 && code <= 0xDFFF))
					return refuse(reader, value, "", "The string has a character that a text cannot have.");
				p += 4;
				if (code < 0x80)
					bytes[0] = (char) code;
				else if (code < 0x800)
				{
					bytes[0] = (char) (0xC0 | code >> 6);
					bytes[1] = (char) (0x80 | (code & 0x3F));
					length = 2;
				}
				else
				{
					bytes[0] = (char) (0xE0 | code >> 12);
					bytes[1] = (char) (0x80 | (code >> 6 & 0x3F));
					bytes[2] = (char) (0x80 | (code & 0x3F));
					length = 3;
				}
			}
			else if (*p != '\0' && (known = strchr(names, *p)) != NULL)
				bytes[0] = meant[known - names];
			else
				return refuse(reader, value, "", "The string has an unknown escape.");
		}
		if (bytes[0] == '\0')
			return refuse(reader, value, "", "The string has a character that a text cannot have.");
		if (length == 1 && bytes[0] == quote)
			crm_rule_put(reader->out, &quote, 1);
		crm_rule_put(reader->out, bytes, length);
	}
	crm_rule_put(reader->out, &quote, 1);
	return true;
}

static bool
put_number(Reader *reader, const char *value)
{
	const char *end = skip_value(reader, value, 0);

	if (end == NULL || !((*value >= '0' && *value <= '9') || *value == '-'))
		return refuse(reader, value, "", "A number is expected.");
	crm_rule_put(reader->out, value, end - value);
	return true;
}

/* A literal: a string, a number, true, false or null. */
static bool
put_literal(Reader *reader, const char *value)
{
	static const char *const words[] = {"true", "false", "null"};
	const char *end;

	if (*value == '"')
		return put_string(reader, value, '\'');
	end = skip_value(reader, value, 0);
	for (int i = 0; i < 3; i++)
		if ((size_t) (end - value) == strlen(words[i]) && memcmp(value, words[i], end - value) == 0)
		{
			crm_rule_puts(reader->out, words[i]);
			return true;
		}
	if (*value == '{' || *value == '[')
		return refuse(reader, value, "Operands that are no literals stand under \"right\".",
					  "A string, a number, true, false or null is expected.");
	return put_number(reader, value);
}

static const char *
skip_digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* Whether the characters spell a number as a rule may: -1.5e6. */
static bool
is_number(const char *p, const char *end)
{
	const char *start;
	const char *q;

	if (p < end && *p == '-')
		p++;
	start = p;
	p = skip_digits(p, end);
	if (p < end && *p == '.')
		p = skip_digits(p + 1, end);
	if (p == start || (p == start + 1 && *start == '.'))
		return false;
	if (p < end && (*p == 'e' || *p == 'E'))
	{
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		q = p;
		p = skip_digits(p, end);
		if (p == q)
			return false;
	}
	return p == end;
}

/* ---- objects ---- */

/* Every key of the object is on the list, which ends with NULL. */
static bool
only(Reader *reader, const char *object, const char *const *names)
{
	const char *p = object;
	const char *key;
	size_t		length;
	const char *value;

	while (next_pair(reader, &p, &key, &length, &value))
	{
		const char *const *name = names;

		while (*name != NULL && !(strlen(*name) == length && memcmp(key, *name, length) == 0))
			name++;
		if (*name == NULL)
		{
			char		shown[64];

			return refuse(reader, key, "doc/rule.md describes the tree form.",
						  "The key \"%s\" is not known here.",
						  crm_printable(shown, sizeof(shown), key, length));
		}
	}
	return true;
}

/* A value under a key, as a node. */
static bool
read_under(Reader *reader, const char *key, const char *value)
{
	size_t		before = enter(reader, ".%s", key);
	bool		good = read_node(reader, value);

	reader->path_length = before;
	return good;
}

/* A list under a key, with words between its items. */
static bool
read_list(Reader *reader, const char *key, const char *value, const char *between, bool literals,
		  int least, int most)
{
	size_t		before = enter(reader, ".%s", key);
	const char *p = value;
	const char *item;
	int			count = 0;

	if (*value != '[')
		return refuse(reader, value, "", "A list is expected.");
	while (next_item(reader, &p, &item))
	{
		size_t		outside = enter(reader, "[%d]", count);

		if (count++ > 0)
			crm_rule_puts(reader->out, between);
		if (!(literals ? put_literal(reader, item) : read_node(reader, item)))
			return false;
		reader->path_length = outside;
	}
	if (count < least || (most > 0 && count > most))
		return refuse(reader, value, "", most > 0 ? "A list of %d is expected." : "A list of %d or more is expected.", least);
	reader->path_length = before;
	return true;
}

static bool
put_field(Reader *reader, const char *object, const char *field)
{
	const char *key = find(reader, object, "key");
	size_t		before = enter(reader, ".field");

	if (!put_string(reader, field, '"'))
		return false;
	reader->path_length = before;
	if (key == NULL)
		return true;
	enter(reader, ".key");
	crm_rule_puts(reader->out, "->>");
	if (!put_string(reader, key, '\''))
		return false;
	reader->path_length = before;
	return true;
}

/* What follows an operator. */
typedef enum Shape
{
	NOTHING,
	ONE,
	LIST,
	PAIR
} Shape;

static const struct
{
	const char *name;
	Shape		shape;
}			operators[] = {
	{"=", ONE}, {"<>", ONE}, {"!=", ONE}, {"<", ONE}, {"<=", ONE}, {">", ONE}, {">=", ONE},
	{"+", ONE}, {"-", ONE}, {"*", ONE}, {"/", ONE},
	{"like", ONE}, {"not like", ONE}, {"ilike", ONE}, {"not ilike", ONE},
	{"in", LIST}, {"not in", LIST}, {"between", PAIR}, {"not between", PAIR},
	{"is null", NOTHING}, {"is not null", NOTHING}, {"is true", NOTHING},
	{"is not true", NOTHING}, {"is false", NOTHING}, {"is not false", NOTHING}
};

static bool
read_operator(Reader *reader, const char *object, const char *op)
{
	static const char *const keys[] = {"op", "field", "key", "left", "value", "right", NULL};
	const char *field = find(reader, object, "field");
	const char *left = find(reader, object, "left");
	const char *value = find(reader, object, "value");
	const char *right = find(reader, object, "right");
	size_t		number;
	size_t		count = sizeof(operators) / sizeof(operators[0]);
	Shape		shape;

	if (!only(reader, object, keys))
		return false;
	for (number = 0; number < count; number++)
		if (is_string(reader, op, operators[number].name))
			break;
	if (number == count)
		return refuse(reader, op, "There are = <> < <= > >= + - * /, [not] in, between, like, ilike, is [not] null, true, false.",
					  "The operator is not known.");
	shape = operators[number].shape;
	if ((field != NULL) == (left != NULL))
		return refuse(reader, object, "", "One of \"field\" and \"left\" is needed.");
	if (field == NULL && find(reader, object, "key") != NULL)
		return refuse(reader, object, "", "\"key\" belongs to \"field\".");
	if (shape == NOTHING ? value != NULL || right != NULL : (value != NULL) == (right != NULL))
		return refuse(reader, object, "",
					  shape == NOTHING ? "The operator takes neither \"value\" nor \"right\"." : "One of \"value\" and \"right\" is needed.");
	crm_rule_puts(reader->out, "(");
	if (!(field != NULL ? put_field(reader, object, field) : read_under(reader, "left", left)))
		return false;
	crm_rule_puts(reader->out, " ");
	crm_rule_puts(reader->out, operators[number].name);
	crm_rule_puts(reader->out, " ");
	if (shape == LIST)
		crm_rule_puts(reader->out, "(");
	if (shape == ONE && value != NULL)
	{
		size_t		before = enter(reader, ".value");

		if (!put_literal(reader, value))
			return false;
		reader->path_length = before;
	}
	else if (shape == ONE)
	{
		if (!read_under(reader, "right", right))
			return false;
	}
	else if (shape != NOTHING)
	{
		if (!read_list(reader, value != NULL ? "value" : "right", value != NULL ? value : right,
					   shape == PAIR ? " and " : ", ", value != NULL,
					   shape == PAIR ? 2 : 1, shape == PAIR ? 2 : 0))
			return false;
	}
	crm_rule_puts(reader->out, shape == LIST ? "))" : ")");
	return true;
}

static bool
read_did(Reader *reader, const char *object, const char *event)
{
	static const char *const keys[] = {"did", "at_least", "at_most", "within", NULL};
	size_t		before = reader->path_length;

	if (!only(reader, object, keys))
		return false;
	enter(reader, ".did");
	crm_rule_puts(reader->out, "did(");
	if (!put_string(reader, event, '\''))
		return false;
	for (int i = 1; i < 4; i++)
	{
		const char *value = find(reader, object, keys[i]);

		if (value == NULL)
			continue;
		reader->path_length = before;
		enter(reader, ".%s", keys[i]);
		crm_rule_puts(reader->out, ", ");
		crm_rule_puts(reader->out, keys[i]);
		crm_rule_puts(reader->out, i == 3 ? " => interval " : " => ");
		if (!(i == 3 ? put_string(reader, value, '\'') : put_number(reader, value)))
			return false;
	}
	crm_rule_puts(reader->out, ")");
	reader->path_length = before;
	return true;
}

static bool
read_object(Reader *reader, const char *object)
{
	static const char *const junctions[] = {"and", "or"};
	static const char *const prefixes[] = {"not", "negate"};
	static const char *const strings[] = {"has_tag", "in_segment", "interval", "date", "timestamp", "timestamptz", "number"};
	static const char *const field_keys[] = {"field", "key", NULL};
	const char *value;

	if ((value = find(reader, object, "op")) != NULL)
		return read_operator(reader, object, value);
	if ((value = find(reader, object, "did")) != NULL)
		return read_did(reader, object, value);
	if ((value = find(reader, object, "field")) != NULL)
		return only(reader, object, field_keys) && put_field(reader, object, value);
	for (int i = 0; i < 2; i++)
	{
		const char *const keys[] = {junctions[i], NULL};

		if ((value = find(reader, object, junctions[i])) == NULL)
			continue;
		if (!only(reader, object, keys))
			return false;
		crm_rule_puts(reader->out, "(");
		if (!read_list(reader, junctions[i], value, i == 0 ? " and " : " or ", false, 1, 0))
			return false;
		crm_rule_puts(reader->out, ")");
		return true;
	}
	for (int i = 0; i < 2; i++)
	{
		const char *const keys[] = {prefixes[i], NULL};

		if ((value = find(reader, object, prefixes[i])) == NULL)
			continue;
		if (!only(reader, object, keys))
			return false;
		crm_rule_puts(reader->out, i == 0 ? "(not (" : "(- (");
		if (!read_under(reader, prefixes[i], value))
			return false;
		crm_rule_puts(reader->out, "))");
		return true;
	}
	for (int i = 0; i < 7; i++)
	{
		const char *const keys[] = {strings[i], NULL};
		size_t		before;

		if ((value = find(reader, object, strings[i])) == NULL)
			continue;
		if (!only(reader, object, keys))
			return false;
		before = enter(reader, ".%s", strings[i]);
		if (i == 6)
		{
			const char *end = *value == '"' ? skip_string(reader, value) : NULL;

			if (end == NULL || !is_number(value + 1, end - 1))
				return refuse(reader, value, "", "The spelling of a number is expected, as a string.");
			crm_rule_put(reader->out, value + 1, end - value - 2);
		}
		else
		{
			crm_rule_puts(reader->out, strings[i]);
			crm_rule_puts(reader->out, i < 2 ? "(" : " ");
			if (!put_string(reader, value, '\''))
				return false;
			if (i < 2)
				crm_rule_puts(reader->out, ")");
		}
		reader->path_length = before;
		return true;
	}
	if ((value = find(reader, object, "call")) != NULL)
	{
		static const char *const keys[] = {"call", NULL};

		if (!only(reader, object, keys))
			return false;
		if (is_string(reader, value, "now"))
			crm_rule_puts(reader->out, "now()");
		else if (is_string(reader, value, "current_date"))
			crm_rule_puts(reader->out, "current_date");
		else
			return refuse(reader, value, "", "\"call\" is \"now\" or \"current_date\".");
		return true;
	}
	if ((value = find(reader, object, "value")) != NULL)
	{
		static const char *const keys[] = {"value", NULL};
		size_t		before;

		if (!only(reader, object, keys))
			return false;
		before = enter(reader, ".value");
		if (!put_literal(reader, value))
			return false;
		reader->path_length = before;
		return true;
	}
	return refuse(reader, object, "It has \"op\", \"and\", \"or\", \"not\", \"field\", \"value\", \"has_tag\", \"in_segment\", \"did\", or another key of doc/rule.md.",
				  "The object is neither a condition nor an operand.");
}

static bool
read_node(Reader *reader, const char *value)
{
	bool		good;

	if (*value != '{')
		return refuse(reader, value, "A bare literal is {\"value\": ...}.", "An object is expected.");
	if (++reader->nesting > CRM_RULE_MAX_DEPTH)
	{
		if (reader->check->status != CRM_CHECK_BAD)
			crm_check_set(reader->check, CRM_CHECK_BAD, "RULE_TOO_DEEP", (int) (value - reader->json),
						  "The rule is nested deeper than %d levels.", CRM_RULE_MAX_DEPTH);
		return false;
	}
	good = read_object(reader, value);
	reader->nesting--;
	return good;
}

bool
crm_rule_from_json(const char *json, size_t length, CrmRuleText *out, CrmCheck *check)
{
	Reader		reader = {json, json + length, out, check, "$", 1, 0};
	const char *start;
	const char *end;

	crm_check_init(check);
	start = skip_space(&reader, json);
	end = start < reader.end ? skip_value(&reader, start, 0) : NULL;
	if (end == NULL || skip_space(&reader, end) != reader.end)
		return refuse(&reader, json, "", "The JSON is broken, or nested too deep.");
	return read_node(&reader, start);
}
