/*
 * predicate.h
 *		When the events of a contact were and will be.
 */
#ifndef CRM_RULE_PREDICATE_H
#define CRM_RULE_PREDICATE_H

#include "utils/timestamp.h"

#include "rule/rule.h"

/* Raises when the segment or the event of the node does not exist. */
extern void crm_rule_find_names(const CrmRuleNode *node);

/* The number-th latest event up to as_of, counted from 1; false if none. */
extern bool crm_event_latest(const char *name, size_t length, int64 contact, TimestampTz as_of,
							 int64 number, TimestampTz *at);

/* The first event after as_of. */
extern bool crm_event_next(const char *name, size_t length, int64 contact, TimestampTz as_of,
						   TimestampTz *at);

#endif							/* CRM_RULE_PREDICATE_H */
