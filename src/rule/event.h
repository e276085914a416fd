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
struct CrmSet;
extern void crm_rule_sql_text(const uint8_t *root, const uint8_t *end, struct CrmRuleScope *scope,
							  const char *alias, const char *as_of, StringInfo out);

extern void crm_rule_operand_text(const uint8_t *position, const uint8_t *end, struct CrmRuleScope *scope,
								  const char *alias, const char *as_of, StringInfo out);

/* Among the column name of a query, or NULL.  Needs SPI. */
extern char *crm_nearest_name(const char *names, const char *name, size_t length);

/* segment_probe.c */
extern int64 crm_segment_find(const char *name);
extern bool crm_segment_probe(int64 segment_id, int64 contact_id);

/* The members of a segment, read into the memory context.  Needs SPI. */
extern const struct CrmSet *crm_segment_read(int64 segment_id, MemoryContext context);

/*
 * Which snapshot something was read with.  Active snapshots are copies that
 * come and go, so it is known by what it sees.
 */
typedef struct CrmSnapshotMark
{
	bool		is_set;
	bool		in_recovery;
	TransactionId xmin;
	TransactionId xmax;
	uint32		running;		/* transactions in the list */
	int32		subtransactions;	/* likewise */
	CommandId	command;
	SubTransactionId inside;	/* of which transaction it was taken */
	TransactionId *list;
} CrmSnapshotMark;

extern void crm_mark_snapshot(CrmSnapshotMark *mark, MemoryContext context);

/* Whether the active snapshot sees what the marked one saw. */
extern bool crm_is_snapshot(const CrmSnapshotMark *mark);

#endif							/* CRM_RULE_EVENT_H */
