/*
 * rule_datum.h
 *		Values of type crm.rule in the server.
 */
#ifndef CRM_RULE_DATUM_H
#define CRM_RULE_DATUM_H

#include "fmgr.h"
#include "lib/stringinfo.h"

#include "rule/rule.h"

/* A rule, detoasted; root to end is the image of its root. */
typedef struct CrmRule
{
	struct varlena *value;
	const uint8_t *bytes;		/* with the header: what equality compares */
	size_t		size;
	int			flags;
	const uint8_t *root;
	const uint8_t *end;
} CrmRule;

/* Detoasts; raises XX001 when the version is not known or the value damaged. */
extern CrmRule crm_rule_get(Datum datum);

/* Reads text; raises or, with a soft-error context, returns NULL. */
extern struct varlena *crm_rule_read(const char *text, size_t length, Node *escontext);

/* The same of text put together from rules, which may be longer than one. */
extern struct varlena *crm_rule_join(const char *text, size_t length);

/* The canonical text, in the current memory context. */
extern char *crm_rule_to_cstring(const CrmRule *rule);
extern char *crm_rule_node_text(const uint8_t *position, const uint8_t *end);

extern void crm_rule_damaged(void) __attribute__((noreturn));

#define PG_GETARG_CRM_RULE(n) crm_rule_get(PG_GETARG_DATUM(n))

#endif							/* CRM_RULE_DATUM_H */
