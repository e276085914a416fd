/*
 * tax_id_io.h
 *		Identifiers as SQL values.
 */
#ifndef CRM_TAX_ID_IO_H
#define CRM_TAX_ID_IO_H

#include "type/tax_id.h"

extern Datum crm_tax_id_datum(CrmTaxIdKind kind, const CrmTaxId *id);

/* Raises an error when the stored value is damaged. */
extern void crm_tax_id_get(CrmTaxIdKind kind, Datum datum, CrmTaxId *id);

/* crm_tax_id_read() with the limit that all our types share. */
extern bool crm_tax_id_check_text(CrmTaxIdKind kind, const char *value, size_t length,
								  CrmTaxId *id, CrmCheck *check);

#endif							/* CRM_TAX_ID_IO_H */
