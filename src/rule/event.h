/*
 * event.h
 *		What did('order', ...) counts: rows of some table.
 */
#ifndef CRM_RULE_EVENT_H
#define CRM_RULE_EVENT_H

#include "lib/stringinfo.h"
#include "utils/timestamp.h"

#include "rule/rule_datum.h"

/* An event, looked up and checked; the parts are SQL over alias e. */
typedef struct CrmEvent
{
	char	   *relation;		/* qualified and quoted */
	char	   *contact;		/* e.contact_id */
	char	   *at;				/* e.occurred_at */
	char	   *filter;			/* a condition, or NULL */
} CrmEvent;

/*
 * Looks an event up; needs SPI.  Raises RM030 when there is none of that name
 * and what its row in crm.event_kind deserves otherwise.
 */
extern void crm_event_find(const char *name, size_t length, CrmEvent *event);

/* Checks the parts of a row of crm.event_kind, and makes SQL of them. */
extern void crm_event_check(const char *relation, const char *contact_column,
							const char *at_column, const char *filter, CrmEvent *event);

/* sql.c: the rule as SQL; as_of is SQL, too.  alias may be NULL. */
struct CrmRuleScope;
extern void crm_rule_sql_text(const uint8_t *root, const uint8_t *end, struct CrmRuleScope *scope,
							  const char *alias, const char *as_of, StringInfo out);

extern void crm_rule_operand_text(const uint8_t *position, const uint8_t *end, struct CrmRuleScope *scope,
								  const char *alias, const char *as_of, StringInfo out);

/* segment_probe.c */
extern int64 crm_segment_find(const char *name);
extern bool crm_segment_probe(int64 segment_id, int64 contact_id);

/* The members of a segment as one snapshot sees them. */
typedef struct CrmSegmentView
{
	struct varlena *members;	/* a crm.contact_set, or NULL */
	uint64		completions;	/* of the snapshot: see crm_segment_see() */
	TransactionId xmax;
	CommandId	command;
} CrmSegmentView;

/* Whether the view is that of the snapshot that is active now. */
extern bool crm_segment_see(const CrmSegmentView *view);
extern bool crm_segment_view_has(const CrmSegmentView *view, int64 contact_id);

/* Reads the members into the memory context.  Needs SPI. */
extern void crm_segment_look(int64 segment_id, MemoryContext context, CrmSegmentView *view);

#endif							/* CRM_RULE_EVENT_H */
