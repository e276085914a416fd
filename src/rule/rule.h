/*
 * rule.h
 *		The image of a rule: what type crm.rule stores, and the pure functions
 *		that read and make it.
 *
 * On disk a crm.rule is a varlena of storage "extended"; no part of it is aligned:
 *
 *	byte 0		version of the format, CRM_RULE_VERSION
 *	byte 1		flags, CRM_RULE_FLAG_...; other bits are zero
 *	byte 2 ...	the root node, and nothing behind it
 *
 * A node is followed by its children, the first first (prefix order):
 *
 *	byte 0		kind, CrmRuleKind
 *	byte 1		what the kind leaves open: an operator, a negation ...
 *	byte 2, 3	number of children, little-endian
 *	then		of some kinds, strings: each two bytes of length,
 *				little-endian, and the bytes in the server's encoding
 *	then		of CRM_RULE_DID two numbers of four bytes, little-endian:
 *				at_least and at_most
 *
 * The image of a rule is canonical: two rules are equal if and only if their
 * images are.  Nothing but crm_rule_parse() makes one, out of text; the tree
 * form of jsonb is turned into text first.
 *
 * Nothing here knows of the server.
 */
#ifndef CRM_RULE_H
#define CRM_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "type/check.h"

#define CRM_RULE_VERSION	1
#define CRM_RULE_HEADER		2

#define CRM_RULE_FLAG_CLOCK		1	/* now() or current_date */
#define CRM_RULE_FLAG_PREDICATE	2	/* has_tag(), in_segment() or did() */

/* Longest text of a rule, in bytes; deepest nesting of its tree. */
#define CRM_RULE_MAX_TEXT	65536
#define CRM_RULE_MAX_DEPTH	64

/* Deepest nesting of parentheses and prefixes in a text, needed or not. */
#define CRM_RULE_MAX_NESTING	256

/* Longest name of a field, in bytes. */
#define CRM_RULE_MAX_NAME	63

/* Room that an image of a text of so many bytes takes at most. */
#define CRM_RULE_IMAGE_SIZE(length) ((size_t) (length) * 8 + 64)

typedef enum CrmRuleKind
{
	CRM_RULE_AND = 1,			/* two children or more, none of them AND */
	CRM_RULE_OR,				/* two children or more, none of them OR */
	CRM_RULE_NOT,
	CRM_RULE_COMPARE,			/* op: CrmRuleCompare */
	CRM_RULE_IN,				/* op: negated; the value, then the list */
	CRM_RULE_BETWEEN,			/* op: negated; the value and two bounds */
	CRM_RULE_LIKE,				/* op: bits negated 1, case-blind 2 */
	CRM_RULE_IS,				/* op: CrmRuleTest */
	CRM_RULE_ARITHMETIC,		/* op: one of + - * / */
	CRM_RULE_NEGATE,			/* unary minus, never of a number */
	CRM_RULE_FIELD,				/* string: name */
	CRM_RULE_KEY,				/* strings: name of the field, key: ->> */
	CRM_RULE_NUMBER,			/* string: as it was spelled */
	CRM_RULE_STRING,			/* string */
	CRM_RULE_LITERAL,			/* op: CrmRuleType; string */
	CRM_RULE_TRUE,
	CRM_RULE_FALSE,
	CRM_RULE_NULL,
	CRM_RULE_NOW,
	CRM_RULE_CURRENT_DATE,
	CRM_RULE_HAS_TAG,			/* string: tag */
	CRM_RULE_IN_SEGMENT,		/* string: segment */
	CRM_RULE_DID				/* op: CRM_RULE_DID_...; strings: event, span */
} CrmRuleKind;

typedef enum CrmRuleCompare
{
	CRM_RULE_EQ,
	CRM_RULE_NE,
	CRM_RULE_LT,
	CRM_RULE_LE,
	CRM_RULE_GT,
	CRM_RULE_GE
} CrmRuleCompare;

typedef enum CrmRuleTest
{
	CRM_RULE_IS_NULL,
	CRM_RULE_IS_NOT_NULL,
	CRM_RULE_IS_TRUE,
	CRM_RULE_IS_NOT_TRUE,
	CRM_RULE_IS_FALSE,
	CRM_RULE_IS_NOT_FALSE
} CrmRuleTest;

typedef enum CrmRuleType
{
	CRM_RULE_INTERVAL,
	CRM_RULE_DATE,
	CRM_RULE_TIMESTAMP,
	CRM_RULE_TIMESTAMPTZ
} CrmRuleType;

#define CRM_RULE_LIKE_NEGATED	1
#define CRM_RULE_LIKE_ILIKE		2

#define CRM_RULE_DID_AT_LEAST	1
#define CRM_RULE_DID_AT_MOST	2
#define CRM_RULE_DID_WITHIN		4

/* Spellings, by CrmRuleCompare, CrmRuleTest and CrmRuleType. */
extern const char *const crm_rule_compare_name[6];
extern const char *const crm_rule_test_name[6];
extern const char *const crm_rule_type_name[4];

typedef struct CrmRuleNode
{
	CrmRuleKind kind;
	int			op;
	int			children;
	const char *string;			/* not terminated */
	size_t		length;
	const char *string2;
	size_t		length2;
	uint32_t	at_least;
	uint32_t	at_most;
	const uint8_t *start;		/* of the node */
	const uint8_t *first;		/* where its first child begins */
} CrmRuleNode;

/*
 * Reads the node at position; false when the bytes before end are not one.
 * Its children begin at node->first.
 */
extern bool crm_rule_node(const uint8_t *position, const uint8_t *end, CrmRuleNode *node);

/* Where the node at position ends with all below it; NULL when damaged. */
extern const uint8_t *crm_rule_skip(const uint8_t *position, const uint8_t *end);

/* Whether the bytes are one node with all below it and the right counts. */
extern bool crm_rule_is_sound(const uint8_t *root, size_t length);

/* Depth of the tree: 1 of a leaf. The image must be sound. */
extern int	crm_rule_depth(const uint8_t *root, size_t length);

/* The flags of the tree. */
extern int	crm_rule_flags(const uint8_t *root, size_t length);

/*
 * Reads a text into an image (without the two bytes of header).  image has
 * room for CRM_RULE_IMAGE_SIZE(length) bytes.  Returns the size of the image,
 * or 0 and the verdict; check->position is a byte offset.
 */
extern size_t crm_rule_parse(const char *text, size_t length, size_t max_length,
							 uint8_t *image, CrmCheck *check);

/*
 * What printing writes to.  With a buffer of size 0 nothing is written and
 * length counts what would be.
 */
typedef struct CrmRuleText
{
	char	   *buffer;
	size_t		size;
	size_t		length;
} CrmRuleText;

extern void crm_rule_put(CrmRuleText *out, const char *bytes, size_t length);
extern void crm_rule_puts(CrmRuleText *out, const char *string);
extern void crm_rule_put_quoted(CrmRuleText *out, const char *bytes, size_t length, char quote);
extern void crm_rule_put_name(CrmRuleText *out, const char *name, size_t length);

/* How tightly a node binds: a child that binds less needs parentheses. */
#define CRM_RULE_BINDS_OR		1
#define CRM_RULE_BINDS_AND		2
#define CRM_RULE_BINDS_NOT		3
#define CRM_RULE_BINDS_IS		4
#define CRM_RULE_BINDS_COMPARE	5
#define CRM_RULE_BINDS_IN		6
#define CRM_RULE_BINDS_KEY		7
#define CRM_RULE_BINDS_ADD		8
#define CRM_RULE_BINDS_MULTIPLY	9
#define CRM_RULE_BINDS_UNARY	10
#define CRM_RULE_BINDS_ALL		11

extern int	crm_rule_binding(const CrmRuleNode *node);

/* How tightly the numbered child must bind. */
extern int	crm_rule_child_binding(const CrmRuleNode *node, int child);

/* The canonical text; false when the image is damaged. */
extern bool crm_rule_print(const uint8_t *root, size_t length, CrmRuleText *out);

/* The same of one node within an image that ends at end; returns its end. */
extern const uint8_t *crm_rule_print_node(const uint8_t *position, const uint8_t *end,
										  CrmRuleText *out);

/* The tree form, as JSON text. */
extern bool crm_rule_json(const uint8_t *root, size_t length, CrmRuleText *out);

/*
 * The tree form read into the text of a rule, which may have more parentheses
 * than needed.  False and the verdict when it is none; the message names the
 * path.
 */
extern bool crm_rule_from_json(const char *json, size_t length, CrmRuleText *out,
							   CrmCheck *check);

/* Whether the name must be quoted: SQL gives the word another meaning. */
extern bool crm_rule_is_reserved(const char *name, size_t length);

#endif							/* CRM_RULE_H */
