/*
 * row_text.h
 *		Rows as JSON objects of column to text, as the merge journal keeps
 *		them, and statements whose plans a backend keeps.
 */
#ifndef CRM_ROW_TEXT_H
#define CRM_ROW_TEXT_H

#include "access/tupdesc.h"
#include "fmgr.h"

/* What is known of a row type: looked up once for a call site. */
typedef struct CrmRowType
{
	Oid			type;
	int32		typmod;
	TupleDesc	desc;
	FmgrInfo   *output;			/* of each column, looked up when first needed */
	FmgrInfo   *input;
	Oid		   *input_param;
	bool	   *has_output;
	bool	   *has_input;
} CrmRowType;

extern CrmRowType *crm_row_type(FunctionCallInfo fcinfo, Oid type, int32 typmod);

#endif							/* CRM_ROW_TEXT_H */
