/*
 * number_value.h
 *		Amounts as people and spreadsheets write them.  Knows nothing of the
 *		server.
 */
#ifndef CRM_NUMBER_VALUE_H
#define CRM_NUMBER_VALUE_H

#include <stdbool.h>

#include "type/check.h"

#define CRM_NUMBER_BUFFER 128

/*
 * Reads a number with grouping by spaces, apostrophes, commas or points, a
 * decimal point or comma, a currency sign before or behind, a percent sign or
 * accounting parentheses; writes it as digits with a point into out.  False
 * when check says BAD.
 */
extern bool crm_number_parse(const char *text, size_t length,
							 char out[CRM_NUMBER_BUFFER], CrmCheck *check);

#endif							/* CRM_NUMBER_VALUE_H */
