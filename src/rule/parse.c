/*
 * parse.c
 *		From the text of a rule to its image.
 *
 * Recursive descent, one function a level of binding, the loosest first; the
 * levels are those of PostgreSQL's grammar:
 *
 *		or | and | not | is ... | = <> < <= > >= | in between like ilike |
 *		->> | + - | * / | unary minus
 *
 * As in SQL, is, the comparisons and in/between/like/ilike do not chain: the
 * outcome of one needs parentheses to be an operand of another of its level.
 *
 * A function appends the image of what it reads and returns the depth of that
 * tree, or 0 after an error.  As a node stands before its children, the bytes
 * of a left operand are moved when the operator behind it is seen; nesting is
 * bounded, and so is what that costs.
 */
#include "rule/lex.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Parser
{
	const char *text;
	size_t		length;
	size_t		position;		/* behind the token */
	CrmRuleToken token;
	uint8_t    *image;
	size_t		used;
	size_t		capacity;
	int			nesting;		/* of parentheses, not and unary minus */
	CrmCheck   *check;
} Parser;

static int	parse_or(Parser *parser);

/* ---- errors ---- */

static int
fail_at(Parser *parser, size_t position, const char *code, const char *message, const char *hint)
{
	crm_check_set(parser->check, CRM_CHECK_BAD, code, (int) position, "%s", message);
	crm_check_hint(parser->check, "%s", hint);
	return 0;
}

static int
fail(Parser *parser, const char *code, const char *message, const char *hint)
{
	return fail_at(parser, parser->token.start, code, message, hint);
}

/* The same with the token at hand in the message, which is a format of one %s. */
static int
fail_shown(Parser *parser, const char *code, const char *message, const char *hint)
{
	char		shown[100];

	crm_rule_shown(shown, sizeof(shown), parser->text, parser->token.start, parser->token.end);
	crm_check_set(parser->check, CRM_CHECK_BAD, code, (int) parser->token.start, message, shown);
	crm_check_hint(parser->check, "%s", hint);
	return 0;
}

static int
too_deep(Parser *parser)
{
	crm_check_set(parser->check, CRM_CHECK_BAD, "RULE_TOO_DEEP", (int) parser->token.start,
				  "The rule is nested deeper than %d levels.", CRM_RULE_MAX_DEPTH);
	crm_check_hint(parser->check, "Split it into segments and combine them with in_segment().");
	return 0;
}

/* ---- tokens ---- */

static bool
advance(Parser *parser)
{
	return crm_rule_lex(parser->text, parser->length, &parser->position, &parser->token, parser->check);
}

static bool
is_word(const Parser *parser, const char *word)
{
	return parser->token.kind == CRM_TOKEN_NAME && !parser->token.quoted &&
		strcmp(parser->token.name, word) == 0;
}

static bool
is_operator(const Parser *parser, const char *name)
{
	size_t		length = parser->token.end - parser->token.start;

	return parser->token.kind == CRM_TOKEN_OPERATOR && strlen(name) == length &&
		memcmp(parser->text + parser->token.start, name, length) == 0;
}

static bool
is_char(const Parser *parser, char c)
{
	return parser->token.kind == CRM_TOKEN_OTHER && parser->text[parser->token.start] == c;
}

/* The token behind the present one. */
static bool
peek(Parser *parser, CrmRuleToken *next)
{
	size_t		position = parser->position;
	CrmCheck	ignored;

	crm_check_init(&ignored);
	return crm_rule_lex(parser->text, parser->length, &position, next, &ignored);
}

/* Goes on behind a character that must be there. */
static bool
expect(Parser *parser, char c)
{
	if (!is_char(parser, c))
	{
		char		message[64];

		snprintf(message, sizeof(message), "\"%c\" is expected here.", c);
		return fail(parser, "RULE_SYNTAX", message, c == ')' ? "Every opening parenthesis needs a closing one." : "");
	}
	return advance(parser);
}

/* ---- the image ---- */

static bool
reserve(Parser *parser, size_t size)
{
	if (parser->used + size <= parser->capacity)
		return true;
	fail(parser, "RULE_TOO_LONG", "The rule is too long.", "");
	return false;
}

static void
put16(uint8_t *to, size_t value)
{
	to[0] = value & 0xFF;
	to[1] = value >> 8 & 0xFF;
}

/* A node of a kind that has children, before what begins at start. */
static bool
insert(Parser *parser, size_t start, CrmRuleKind kind, int op, int children)
{
	if (!reserve(parser, 4))
		return false;
	memmove(parser->image + start + 4, parser->image + start, parser->used - start);
	parser->image[start] = kind;
	parser->image[start + 1] = op;
	put16(parser->image + start + 2, children);
	parser->used += 4;
	return true;
}

static bool
append(Parser *parser, CrmRuleKind kind, int op)
{
	return insert(parser, parser->used, kind, op, 0);
}

static bool
append_string(Parser *parser, const char *bytes, size_t length)
{
	if (!reserve(parser, 2 + length))
		return false;
	put16(parser->image + parser->used, length);
	memcpy(parser->image + parser->used + 2, bytes, length);
	parser->used += 2 + length;
	return true;
}

/* The contents of the string token at hand, quotes undoubled. */
static bool
append_text(Parser *parser)
{
	size_t		start = parser->used;

	if (!reserve(parser, 2 + parser->token.end - parser->token.start))
		return false;
	parser->used += 2;
	for (size_t p = parser->token.start + 1; p + 1 < parser->token.end; p++)
	{
		parser->image[parser->used++] = parser->text[p];
		if (parser->text[p] == '\'')
			p++;
	}
	put16(parser->image + start, parser->used - start - 2);
	return true;
}

static bool
append_number(Parser *parser, uint32_t value)
{
	if (!reserve(parser, 4))
		return false;
	for (int i = 0; i < 4; i++)
		parser->image[parser->used++] = value >> (8 * i) & 0xFF;
	return true;
}

/* The depth of a node above children of these depths; 0 when that is too much. */
static int
above(Parser *parser, int depth)
{
	return depth >= CRM_RULE_MAX_DEPTH ? too_deep(parser) : depth + 1;
}

static int
larger(int a, int b)
{
	return a > b ? a : b;
}

/* ---- predicates ---- */

static const char argument_hint[] =
	"did('order', at_least => 3, at_most => 10, within => interval '90 days'): the event first, then any of the named ones.";

/* A whole number that is not negative, as the value of an argument. */
static bool
parse_count(Parser *parser, uint32_t *value)
{
	unsigned long number = 0;

	if (parser->token.kind != CRM_TOKEN_NUMBER)
		return fail(parser, "RULE_ARGUMENT", "A whole number is expected here.", argument_hint);
	for (size_t p = parser->token.start; p < parser->token.end; p++)
	{
		if (parser->text[p] < '0' || parser->text[p] > '9' || (number = number * 10 + (parser->text[p] - '0')) > INT_MAX)
			return fail_shown(parser, "RULE_ARGUMENT", "%s is not a count: a whole number up to 2147483647 is expected.", argument_hint);
	}
	*value = (uint32_t) number;
	return advance(parser);
}

static int
parse_did(Parser *parser)
{
	size_t		start = parser->used;
	size_t		opened = parser->token.start;
	int			given = 0;
	uint32_t	at_least = 0;
	uint32_t	at_most = 0;
	CrmRuleToken span = {0};

	if (!append(parser, CRM_RULE_DID, 0) || !append_text(parser) || !advance(parser))
		return 0;
	while (is_char(parser, ','))
	{
		int			argument;

		if (!advance(parser))
			return 0;
		argument = is_word(parser, "at_least") ? CRM_RULE_DID_AT_LEAST :
			is_word(parser, "at_most") ? CRM_RULE_DID_AT_MOST :
			is_word(parser, "within") ? CRM_RULE_DID_WITHIN : 0;
		if (argument == 0)
			return fail_shown(parser, "RULE_ARGUMENT", "did() has no argument \"%s\".", argument_hint);
		if (given & argument)
			return fail_shown(parser, "RULE_ARGUMENT", "The argument \"%s\" is given twice.", argument_hint);
		given |= argument;
		if (!advance(parser))
			return 0;
		if (!is_operator(parser, "=>"))
			return fail(parser, "RULE_ARGUMENT", "\"=>\" is expected between the name of an argument and its value.", argument_hint);
		if (!advance(parser))
			return 0;
		if (argument == CRM_RULE_DID_WITHIN)
		{
			if (!is_word(parser, "interval"))
				return fail(parser, "RULE_ARGUMENT", "An interval is expected here.", argument_hint);
			if (!advance(parser))
				return 0;
			if (parser->token.kind != CRM_TOKEN_STRING)
				return fail(parser, "RULE_ARGUMENT", "An interval is expected here.", argument_hint);
			span = parser->token;
			if (!advance(parser))
				return 0;
		}
		else if (!parse_count(parser, argument == CRM_RULE_DID_AT_LEAST ? &at_least : &at_most))
			return 0;
	}
	if ((given & CRM_RULE_DID_AT_MOST) &&
		((given & CRM_RULE_DID_AT_LEAST) ? at_least : 0) > at_most)
		return fail_at(parser, opened, "RULE_ARGUMENT", "at_least is more than at_most: nobody can ever meet that.", argument_hint);
	parser->image[start + 1] = given;
	if (given & CRM_RULE_DID_WITHIN)
	{
		CrmRuleToken here = parser->token;

		parser->token = span;
		if (!append_text(parser))
			return 0;
		parser->token = here;
	}
	else if (!append_string(parser, "", 0))
		return 0;
	if (!append_number(parser, at_least) || !append_number(parser, at_most))
		return 0;
	return expect(parser, ')') ? 1 : 0;
}

/* has_tag('...'), in_segment('...') and did('...'); at the name. */
static int
parse_predicate(Parser *parser, CrmRuleKind kind)
{
	if (!advance(parser) || !advance(parser))	/* the name and "(" */
		return 0;
	if (parser->token.kind != CRM_TOKEN_STRING)
		return fail(parser, "RULE_ARGUMENT",
					kind == CRM_RULE_HAS_TAG ? "The tag is expected here, as a text." :
					kind == CRM_RULE_IN_SEGMENT ? "The name of the segment is expected here, as a text." :
					"The event is expected here, as a text.",
					kind == CRM_RULE_HAS_TAG ? "has_tag('vip')" :
					kind == CRM_RULE_IN_SEGMENT ? "in_segment('loyal')" : argument_hint);
	if (parser->token.end - parser->token.start == 2)
		return fail(parser, "RULE_ARGUMENT", "The name is empty.", "");
	if (kind == CRM_RULE_DID)
		return parse_did(parser);
	if (!append(parser, kind, 0) || !append_text(parser) || !advance(parser))
		return 0;
	return expect(parser, ')') ? 1 : 0;
}

/* ---- the levels ---- */

static int
parse_word(Parser *parser)
{
	static const struct
	{
		const char *word;
		CrmRuleKind kind;
	}			constants[] = {
		{"true", CRM_RULE_TRUE}, {"false", CRM_RULE_FALSE}, {"null", CRM_RULE_NULL},
		{"current_date", CRM_RULE_CURRENT_DATE}
	};
	CrmRuleToken next;
	bool		have_next = peek(parser, &next);
	bool		called = have_next && next.kind == CRM_TOKEN_OTHER && parser->text[next.start] == '(';

	if (!parser->token.quoted)
	{
		const char *word = parser->token.name;

		for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++)
			if (strcmp(word, constants[i].word) == 0)
				return append(parser, constants[i].kind, 0) && advance(parser) ? 1 : 0;
		if (strcmp(word, "select") == 0 || (strcmp(word, "exists") == 0 && called))
			return fail(parser, "RULE_SUBQUERY", "Subqueries are not allowed.",
						"has_tag(), in_segment() and did() ask for what other tables know.");
		if (called)
		{
			if (strcmp(word, "has_tag") == 0)
				return parse_predicate(parser, CRM_RULE_HAS_TAG);
			if (strcmp(word, "in_segment") == 0)
				return parse_predicate(parser, CRM_RULE_IN_SEGMENT);
			if (strcmp(word, "did") == 0)
				return parse_predicate(parser, CRM_RULE_DID);
			if (strcmp(word, "now") == 0)
			{
				if (!append(parser, CRM_RULE_NOW, 0) || !advance(parser) || !advance(parser))
					return 0;
				return expect(parser, ')') ? 1 : 0;
			}
			if (strcmp(word, "cast") == 0)
				return fail(parser, "RULE_CAST", "Casts are not allowed.",
							"A literal takes the type of what it is compared with; date '2026-01-31' and its like say theirs.");
		}
		if (strcmp(word, "case") == 0)
			return fail(parser, "RULE_SYNTAX", "CASE is not allowed.", "Write the cases with and, or, not.");
		if (!called && crm_rule_is_reserved(word, parser->token.name_length))
			return fail_shown(parser, "RULE_WORD", "\"%s\" is a word of SQL and cannot stand here.",
							  "A field of that name is written in double quotes.");
	}
	if (called)
		return fail_shown(parser, "RULE_FUNCTION", "Function %s is not on the list of those that a rule may call.",
						  "There are now(), has_tag(), in_segment() and did().");
	if (have_next && next.kind == CRM_TOKEN_STRING && !parser->token.quoted)
	{
		for (int type = CRM_RULE_INTERVAL; type <= CRM_RULE_TIMESTAMPTZ; type++)
		{
			if (strcmp(parser->token.name, crm_rule_type_name[type]) != 0)
				continue;
			return advance(parser) && append(parser, CRM_RULE_LITERAL, type) && append_text(parser) &&
				advance(parser) ? 1 : 0;
		}
		return fail_shown(parser, "RULE_LITERAL", "A literal of type %s cannot be written so.",
						  "Literals with a type are interval '...', date '...', timestamp '...' and timestamptz '...'.");
	}
	return append(parser, CRM_RULE_FIELD, 0) &&
		append_string(parser, parser->token.name, parser->token.name_length) && advance(parser) ? 1 : 0;
}

static int
parse_primary(Parser *parser)
{
	int			depth;

	switch (parser->token.kind)
	{
		case CRM_TOKEN_NAME:
			return parse_word(parser);
		case CRM_TOKEN_NUMBER:
			return append(parser, CRM_RULE_NUMBER, 0) &&
				append_string(parser, parser->text + parser->token.start, parser->token.end - parser->token.start) &&
				advance(parser) ? 1 : 0;
		case CRM_TOKEN_STRING:
			return append(parser, CRM_RULE_STRING, 0) && append_text(parser) && advance(parser) ? 1 : 0;
		case CRM_TOKEN_END:
			return fail(parser, "RULE_SYNTAX", "The rule ends where a field, a literal or a condition is expected.", "");
		case CRM_TOKEN_OPERATOR:
			return fail_shown(parser, "RULE_SYNTAX", "A field, a literal or a condition is expected here, not \"%s\".", "");
		case CRM_TOKEN_OTHER:
			break;
	}
	if (!is_char(parser, '('))
		return fail_shown(parser, "RULE_SYNTAX", "A field, a literal or a condition is expected here, not \"%s\".", "");
	if (++parser->nesting > CRM_RULE_MAX_NESTING)
		return too_deep(parser);
	if (!advance(parser) || (depth = parse_or(parser)) == 0)
		return 0;
	parser->nesting--;
	if (is_char(parser, ','))
		return fail(parser, "RULE_SYNTAX", "Rows of values are not allowed.", "Compare the fields one by one.");
	return expect(parser, ')') ? depth : 0;
}

/* Minus before a number belongs to the number, as in SQL. */
static int
parse_unary(Parser *parser)
{
	size_t		start = parser->used;
	bool		minus = is_operator(parser, "-");
	int			depth;
	CrmRuleNode node;

	if (!minus && !is_operator(parser, "+"))
		return parse_primary(parser);
	if (++parser->nesting > CRM_RULE_MAX_NESTING)
		return too_deep(parser);
	if (!advance(parser))
		return 0;
	if (!minus && parser->token.kind != CRM_TOKEN_NUMBER)
		return fail(parser, "RULE_SYNTAX", "Plus before anything but a number is not allowed.", "Leave it out.");
	if ((depth = parse_unary(parser)) == 0)
		return 0;
	parser->nesting--;
	if (!minus)
		return depth;
	if (!crm_rule_node(parser->image + start, parser->image + parser->used, &node))
		return fail(parser, "RULE_SYNTAX", "The rule cannot be read.", "");
	if (node.kind == CRM_RULE_NUMBER)
	{
		uint8_t    *string = parser->image + start + 6;

		if (node.string[0] == '-')
		{
			memmove(string, string + 1, node.length - 1);
			parser->used--;
			put16(string - 2, node.length - 1);
		}
		else
		{
			if (!reserve(parser, 1))
				return 0;
			memmove(string + 1, string, node.length);
			string[0] = '-';
			parser->used++;
			put16(string - 2, node.length + 1);
		}
		return depth;
	}
	if (!insert(parser, start, CRM_RULE_NEGATE, 0, 1))
		return 0;
	return above(parser, depth);
}

/* Left-associative: a - b - c. */
static int
parse_arithmetic(Parser *parser, const char *operators, int (*operand) (Parser *))
{
	size_t		start = parser->used;
	int			depth = operand(parser);

	while (depth > 0 && parser->token.kind == CRM_TOKEN_OPERATOR &&
		   parser->token.end - parser->token.start == 1 &&
		   strchr(operators, parser->text[parser->token.start]) != NULL)
	{
		char		op = parser->text[parser->token.start];
		int			right;

		if (!advance(parser) || (right = operand(parser)) == 0 ||
			!insert(parser, start, CRM_RULE_ARITHMETIC, op, 2))
			return 0;
		depth = above(parser, larger(depth, right));
	}
	return depth;
}

static int
parse_multiply(Parser *parser)
{
	return parse_arithmetic(parser, "*/", parse_unary);
}

static int
parse_add(Parser *parser)
{
	return parse_arithmetic(parser, "+-", parse_multiply);
}

/*
 * attrs->>'key'.  SQL would take "a + attrs->>'key'" for "(a + attrs)->>'key'"
 * and "attrs->>'key' + a" for "attrs->>('key' + a)": ask for parentheses.
 */
static int
parse_key(Parser *parser)
{
	size_t		start = parser->used;
	int			depth = parse_add(parser);
	CrmRuleNode node;

	if (depth == 0 || !is_operator(parser, "->>"))
		return depth;
	if (!crm_rule_node(parser->image + start, parser->image + parser->used, &node) ||
		node.kind != CRM_RULE_FIELD)
		return fail(parser, "RULE_SYNTAX", "\"->>\" takes a key of a field, and nothing else stands before it.",
					"Put the field with its key in parentheses: (attrs->>'size').");
	if (!advance(parser))
		return 0;
	if (parser->token.kind != CRM_TOKEN_STRING)
		return fail(parser, "RULE_SYNTAX", "The key is expected here, as a text.", "attrs->>'size'");
	parser->image[start] = CRM_RULE_KEY;
	if (!append_text(parser) || !advance(parser))
		return 0;
	if (parser->token.kind == CRM_TOKEN_OPERATOR &&
		parser->token.end - parser->token.start == 1 &&
		strchr("+-*/", parser->text[parser->token.start]) != NULL)
		return fail(parser, "RULE_SYNTAX", "SQL reads an operator behind a key as part of the key.",
					"Put the field with its key in parentheses: (attrs->>'size').");
	return depth;
}

/* in, between, like, ilike */
static int
parse_membership(Parser *parser)
{
	size_t		start = parser->used;
	int			depth = parse_key(parser);
	bool		negated = false;
	int			other;

	if (depth == 0 || parser->token.kind != CRM_TOKEN_NAME)
		return depth;
	if (is_word(parser, "not"))
	{
		negated = true;
		if (!advance(parser))
			return 0;
		if (!is_word(parser, "in") && !is_word(parser, "between") && !is_word(parser, "like") && !is_word(parser, "ilike"))
			return fail(parser, "RULE_SYNTAX", "Behind \"not\", in, between, like or ilike is expected.", "");
	}
	if (is_word(parser, "in"))
	{
		int			children = 1;

		if (!advance(parser) || !expect(parser, '('))
			return 0;
		if (is_char(parser, ')'))
			return fail(parser, "RULE_SYNTAX", "The list is empty.", "List one value at least.");
		if (++parser->nesting > CRM_RULE_MAX_NESTING)
			return too_deep(parser);
		for (;;)
		{
			if ((other = parse_or(parser)) == 0)
				return 0;
			depth = larger(depth, other);
			children++;
			if (!is_char(parser, ','))
				break;
			if (!advance(parser))
				return 0;
		}
		parser->nesting--;
		if (children > UINT16_MAX)
			return fail(parser, "RULE_TOO_LONG", "The list is too long.", "");
		if (!expect(parser, ')') || !insert(parser, start, CRM_RULE_IN, negated, children))
			return 0;
	}
	else if (is_word(parser, "between"))
	{
		if (!advance(parser))
			return 0;
		if (is_word(parser, "symmetric") || is_word(parser, "asymmetric"))
			return fail_shown(parser, "RULE_SYNTAX", "between %s is not allowed.", "Write the smaller bound first.");
		if ((other = parse_key(parser)) == 0)
			return 0;
		depth = larger(depth, other);
		if (!is_word(parser, "and"))
			return fail(parser, "RULE_SYNTAX", "\"and\" and the upper bound are expected here.", "age between 18 and 30");
		if (!advance(parser) || (other = parse_key(parser)) == 0 ||
			!insert(parser, start, CRM_RULE_BETWEEN, negated, 3))
			return 0;
		depth = larger(depth, other);
	}
	else if (is_word(parser, "like") || is_word(parser, "ilike"))
	{
		int			op = (negated ? CRM_RULE_LIKE_NEGATED : 0) | (is_word(parser, "ilike") ? CRM_RULE_LIKE_ILIKE : 0);

		if (!advance(parser) || (other = parse_key(parser)) == 0)
			return 0;
		if (is_word(parser, "escape"))
			return fail(parser, "RULE_SYNTAX", "ESCAPE is not allowed.", "A backslash takes the meaning from % and _.");
		if (!insert(parser, start, CRM_RULE_LIKE, op, 2))
			return 0;
		depth = larger(depth, other);
	}
	else
		return depth;
	return above(parser, depth);
}

static int
parse_compare(Parser *parser)
{
	size_t		start = parser->used;
	int			depth = parse_membership(parser);
	int			right;
	int			op;

	if (depth == 0 || parser->token.kind != CRM_TOKEN_OPERATOR)
		return depth;
	if (is_operator(parser, "!="))
		op = CRM_RULE_NE;
	else
	{
		for (op = CRM_RULE_EQ; op <= CRM_RULE_GE; op++)
			if (is_operator(parser, crm_rule_compare_name[op]))
				break;
		if (op > CRM_RULE_GE)
			return fail_shown(parser, "RULE_OPERATOR", "Operator %s is not on the list of those that a rule may use.",
							  "There are = <> < <= > >= + - * / and ->>, and in, between, like, ilike, is.");
	}
	if (!advance(parser) || (right = parse_membership(parser)) == 0 ||
		!insert(parser, start, CRM_RULE_COMPARE, op, 2))
		return 0;
	return above(parser, larger(depth, right));
}

static int
parse_is(Parser *parser)
{
	size_t		start = parser->used;
	int			depth = parse_compare(parser);
	bool		negated;
	int			test;

	if (depth == 0 || !is_word(parser, "is"))
		return depth;
	if (!advance(parser))
		return 0;
	negated = is_word(parser, "not");
	if (negated && !advance(parser))
		return 0;
	if (is_word(parser, "null"))
		test = CRM_RULE_IS_NULL;
	else if (is_word(parser, "true"))
		test = CRM_RULE_IS_TRUE;
	else if (is_word(parser, "false"))
		test = CRM_RULE_IS_FALSE;
	else
		return fail(parser, "RULE_SYNTAX", "null, true or false is expected behind \"is\".", "email is not null");
	if (!advance(parser) || !insert(parser, start, CRM_RULE_IS, test + negated, 1))
		return 0;
	return above(parser, depth);
}

static int
parse_not(Parser *parser)
{
	size_t		start = parser->used;
	int			depth;

	if (!is_word(parser, "not"))
		return parse_is(parser);
	if (++parser->nesting > CRM_RULE_MAX_NESTING)
		return too_deep(parser);
	if (!advance(parser) || (depth = parse_not(parser)) == 0 ||
		!insert(parser, start, CRM_RULE_NOT, 0, 1))
		return 0;
	parser->nesting--;
	return above(parser, depth);
}

/* and, or: a node takes the children of one of its kind, as order is kept. */
static int
parse_junction(Parser *parser, CrmRuleKind kind, const char *word, int (*operand) (Parser *))
{
	size_t		start = parser->used;
	int			depth = 0;		/* of the deepest child */
	int			children = 0;

	for (;;)
	{
		size_t		here = parser->used;
		int			deep = operand(parser);
		CrmRuleNode node;

		if (deep == 0)
			return 0;
		if (crm_rule_node(parser->image + here, parser->image + parser->used, &node) && node.kind == kind)
		{
			memmove(parser->image + here, parser->image + here + 4, parser->used - here - 4);
			parser->used -= 4;
			children += node.children;
			depth = larger(depth, deep - 1);
		}
		else
		{
			children++;
			depth = larger(depth, deep);
		}
		if (!is_word(parser, word))
			break;
		if (!advance(parser))
			return 0;
	}
	if (children == 1)
		return depth;
	if (children > UINT16_MAX)
		return fail(parser, "RULE_TOO_LONG", "The rule has too many conditions.", "");
	if (!insert(parser, start, kind, 0, children))
		return 0;
	return above(parser, depth);
}

static int
parse_and(Parser *parser)
{
	return parse_junction(parser, CRM_RULE_AND, "and", parse_not);
}

static int
parse_or(Parser *parser)
{
	return parse_junction(parser, CRM_RULE_OR, "or", parse_and);
}

/* What a word or sign behind a whole condition was meant for. */
static int
unexpected(Parser *parser)
{
	if (is_word(parser, "not"))
		return fail(parser, "RULE_SYNTAX", "\"and\" or \"or\" is expected before \"not\".", "");
	if (parser->token.kind == CRM_TOKEN_STRING)
		return fail_shown(parser, "RULE_SYNTAX", "The text %s stands behind a complete condition.",
						  "An apostrophe within a text is doubled: 'O''Neill'.");
	if (is_word(parser, "isnull") || is_word(parser, "notnull"))
		return fail(parser, "RULE_SYNTAX", "isnull and notnull are not allowed.", "Write is null or is not null.");
	if (is_word(parser, "collate"))
		return fail(parser, "RULE_SYNTAX", "COLLATE is not allowed.", "A field has the collation of its column.");
	if (parser->token.kind == CRM_TOKEN_OPERATOR)
	{
		for (int op = CRM_RULE_EQ; op <= CRM_RULE_GE; op++)
			if (is_operator(parser, crm_rule_compare_name[op]) || is_operator(parser, "!="))
				return fail_shown(parser, "RULE_SYNTAX", "Comparisons do not chain: \"%s\" stands behind a whole one.",
								  "Write a < b and b < c, or use between.");
		return fail_shown(parser, "RULE_OPERATOR", "Operator %s is not on the list of those that a rule may use.",
						  "There are = <> < <= > >= + - * / and ->>, and in, between, like, ilike, is.");
	}
	return fail_shown(parser, "RULE_SYNTAX", "\"%s\" stands behind a complete condition.", "Join conditions with and, or.");
}

size_t
crm_rule_parse(const char *text, size_t length, size_t max_length, uint8_t *image, CrmCheck *check)
{
	Parser		parser = {text, length, 0, {0}, image, 0, CRM_RULE_IMAGE_SIZE(length), 0, check};

	crm_check_init(check);
	if (length > max_length)
	{
		crm_check_set(check, CRM_CHECK_BAD, "RULE_TOO_LONG", (int) max_length,
					  "The rule has %zu bytes; the longest accepted has %d.", length, CRM_RULE_MAX_TEXT);
		crm_check_hint(check, "Put long lists into tags or segments.");
		return 0;
	}
	if (!advance(&parser))
		return 0;
	if (parser.token.kind == CRM_TOKEN_END)
	{
		crm_check_set(check, CRM_CHECK_BAD, "RULE_EMPTY", 0, "There is no condition.");
		crm_check_hint(check, "The rule that holds for everybody is: true.");
		return 0;
	}
	if (parse_or(&parser) == 0)
		return 0;
	if (parser.token.kind != CRM_TOKEN_END)
	{
		unexpected(&parser);
		return 0;
	}
	return parser.used;
}
