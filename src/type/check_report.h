/*
 * check_report.h
 *		From a CrmCheck to an error or to a row of crm.check_result.
 */
#ifndef CRM_CHECK_REPORT_H
#define CRM_CHECK_REPORT_H

#include "fmgr.h"
#include "nodes/nodes.h"

#include "type/check.h"

/*
 * Reports a BAD verdict: 22P02 "invalid input syntax for type crm.x", the
 * DETAIL "CODE: message", the hint.  With a soft-error context (PostgreSQL 16
 * and later) it returns; otherwise it does not.
 */
extern void crm_report_bad(Node *escontext, const char *type_name,
						   const char *value, size_t length,
						   const CrmCheck *check);

/*
 * The row (ok, status, value, code, message, hint, suggestion) that a
 * crm.check_...() function returns; value is the canonical text or NULL.
 */
extern Datum crm_check_row(FunctionCallInfo fcinfo, const CrmCheck *check,
						   const char *value, size_t length);

/* Refuses text that is longer than any of our values; true when refused. */
extern bool crm_check_length(CrmCheck *check, size_t length);

#endif							/* CRM_CHECK_REPORT_H */
