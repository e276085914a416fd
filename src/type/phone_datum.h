/*
 * phone_datum.h
 *		Phone numbers as values of the server; for the glue files of the type.
 */
#ifndef CRM_PHONE_DATUM_H
#define CRM_PHONE_DATUM_H

#include "fmgr.h"

#include "type/phone.h"

extern Datum crm_phone_datum(const CrmPhone *phone);
extern void crm_phone_of_bytes(const uint8 *bytes, int length, CrmPhone *phone);

/* Unpacks an argument; a value that no code of ours has written is an error. */
static inline void
crm_phone_of_datum(Datum datum, CrmPhone *phone)
{
	struct varlena *value = PG_DETOAST_DATUM_PACKED(datum);

	crm_phone_of_bytes((const uint8 *) VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), phone);
}

#define PG_GETARG_CRM_PHONE(n, phone) crm_phone_of_datum(PG_GETARG_DATUM(n), phone)

/* A region's two letters of an argument, "" when null; an unknown one is an error. */
extern void crm_phone_region_argument(FunctionCallInfo fcinfo, int n, char region[4]);

#endif							/* CRM_PHONE_DATUM_H */
