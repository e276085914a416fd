/*
 * name_text.h
 *		What the SQL functions of names have in common.
 */
#ifndef CRM_NAME_TEXT_H
#define CRM_NAME_TEXT_H

#include <stddef.h>

#include "type/check.h"

/* Raises an error for non-ASCII text in a database that is not UTF8. */
extern void crm_name_check_encoding(const char *s, size_t length);

#endif							/* CRM_NAME_TEXT_H */
