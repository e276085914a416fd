/*
 * name_check.h
 *		What is unusual about a text that should be a name.
 *
 * There is no such thing as a valid name; only what cannot be text of any
 * name is refused.  Everything else is accepted and, where it is worth a
 * look, called odd.
 */
#ifndef CRM_NAME_CHECK_H
#define CRM_NAME_CHECK_H

#include <stddef.h>

#include "type/check.h"

/*
 * Fills in check and writes the cleaned name into value, which has room for
 * length bytes; returns its length.  length is at most CRM_NAME_MAX_INPUT.
 */
extern size_t crm_name_check(const char *text, size_t length,
							 char *value, CrmCheck *check);

#endif							/* CRM_NAME_CHECK_H */
