/*
 * selectivity.h
 *		How many rows a rule that was not written out may let through.
 */
#ifndef CRM_RULE_SELECTIVITY_H
#define CRM_RULE_SELECTIVITY_H

#include "nodes/pathnodes.h"

/* The share of rows, of a rule that may be any expression. */
extern Selectivity crm_rule_guess(PlannerInfo *root, Node *rule);

#endif							/* CRM_RULE_SELECTIVITY_H */
