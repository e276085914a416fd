/*
 * contact_set_datum.h
 *		Sets in the server: from a datum to a CrmSet and back.
 *
 * A set in memory is used as it is, never unpacked:
 *
 *		const CrmSet *set = crm_set_open(datum);
 *		if (crm_set_has(set, id)) ...
 *		crm_set_iterate(&iterator, set); while (crm_set_next(&iterator, &id)) ...
 *		crm_set_and_count(set, other, &crm_set_server)
 *		return crm_set_datum(crm_set_combine(CRM_SET_OR, set, other, &crm_set_server));
 *
 * and is made of ids in any order by crm_live_begin(&crm_set_server),
 * crm_live_add(), crm_live_set().
 *
 * Include after postgres.h.
 */
#ifndef CRM_CONTACT_SET_DATUM_H
#define CRM_CONTACT_SET_DATUM_H

#include "fmgr.h"

#include "type/contact_set.h"

/*
 * Memory of the context that is current, interrupts of the server.  What is
 * raised leaves nothing behind but in that context.
 */
extern const CrmSetHost crm_set_server;

/*
 * The set of a datum; detoasted, if it has to be, into the current context.
 * Raises XX001 when its header cannot be one.
 */
extern const CrmSet *crm_set_open(Datum datum);

/* A set that was made, as a datum; raises 54000 when it is NULL: too big. */
extern Datum crm_set_datum(CrmSet *set);

/*
 * Argument number n of a function, 0 or 1.  What had to be fetched or copied is
 * kept in fn_extra and taken again as long as the same value is given, be it a
 * constant, a parameter or the row of an outer loop.  Not for functions that
 * return sets or keep something in fn_extra themselves.
 */
extern const CrmSet *crm_set_argument(FunctionCallInfo fcinfo, int n);

/*
 * Has argument number n this id?  Like crm_set_has() of crm_set_argument(), but
 * of a set stored out of line it reads at first only the parts that it needs,
 * and all of it when it is asked the second time.
 */
extern bool crm_set_argument_has(FunctionCallInfo fcinfo, int n, int64 id);

#define PG_GETARG_CRM_SET(n) crm_set_open(PG_GETARG_DATUM(n))
#define PG_RETURN_CRM_SET(set) return crm_set_datum(set)

#endif							/* CRM_CONTACT_SET_DATUM_H */
