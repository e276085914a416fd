/*
 * words.c
 *		Words that SQL takes for something else than a column.
 *
 * A field of such a name is written in double quotes, as in SQL: otherwise a
 * rule would read "user" as a field where the same text in a query is the
 * session's role.  These are the words that some version of PostgreSQL from 15
 * on reserves, also those that it lets name a function or type.
 */
#include "rule/rule.h"

#include <stdlib.h>
#include <string.h>

/* In the order of strcmp(). */
static const char *const reserved[] = {
	"all", "analyse", "analyze", "and", "any", "array", "as", "asc",
	"asymmetric", "authorization", "binary", "both", "case", "cast", "check",
	"collate", "collation", "column", "concurrently", "constraint", "create",
	"cross", "current_catalog", "current_date", "current_role",
	"current_schema", "current_time", "current_timestamp", "current_user",
	"default", "deferrable", "desc", "distinct", "do", "else", "end", "except",
	"false", "fetch", "for", "foreign", "freeze", "from", "full", "grant",
	"group", "having", "ilike", "in", "initially", "inner", "intersect",
	"into", "is", "isnull", "join", "lateral", "leading", "left", "like",
	"limit", "localtime", "localtimestamp", "natural", "not", "notnull",
	"null", "offset", "on", "only", "or", "order", "outer", "overlaps",
	"placing", "primary", "references", "returning", "right", "select",
	"session_user", "similar", "some", "symmetric", "system_user", "table",
	"tablesample", "then", "to", "trailing", "true", "union", "unique", "user",
	"using", "variadic", "verbose", "when", "where", "window", "with"
};

/*
 * Words that may name a column, but begin something else where a column might
 * stand: "between" cannot open a condition, "row" and its like open a call.
 */
static const char *const opening[] = {
	"between", "coalesce", "exists", "extract", "greatest", "grouping",
	"least", "normalize", "nullif", "overlay", "position", "row", "setof",
	"substring", "treat", "trim", "values"
};

typedef struct Word
{
	const char *name;
	size_t		length;
} Word;

static int
compare(const void *a, const void *b)
{
	const Word *word = a;
	const char *other = *(const char *const *) b;
	int			order = strncmp(word->name, other, word->length);

	return order != 0 ? order : (other[word->length] == '\0' ? 0 : -1);
}

bool
crm_rule_is_reserved(const char *name, size_t length)
{
	Word		word = {name, length};

	return bsearch(&word, reserved, sizeof(reserved) / sizeof(reserved[0]), sizeof(char *), compare) != NULL ||
		bsearch(&word, opening, sizeof(opening) / sizeof(opening[0]), sizeof(char *), compare) != NULL;
}
