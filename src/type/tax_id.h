/*
 * tax_id.h
 *		Tax and registry identifiers: INN, KPP, OGRN, SNILS, EU VAT, LEI.
 *
 * The six types are one: a short text over a small alphabet that has one of a
 * few forms and, mostly, check digits.  A kind is a row of the table in
 * tax_id.c; a form is a pattern and a rule (tax_id_rules.h).  Reading,
 * explaining, repairing, packing and all SQL functions are the same code.
 *
 * On disk
 * -------
 * The canonical text is packed into words of 64 bits.  A word holds its
 * characters from the left in its low 60 bits, and zeros after the last one;
 * the top four bits are the version of the layout, 0.
 *
 *		kind   characters        bits each  words  SQL representation
 *		inn    10, 12 digits         4        1    as int8
 *		ogrn   13, 15 digits         4        1    as int8
 *		snils  11 digits             4        1    as int8
 *		kpp    9                     6        1    as int8
 *		vat    4 to 14               6        2    as uuid
 *		lei    20                    6        2    as uuid
 *
 * Codes of 4 bits: 0 end of text, 1-10 the digits 0-9.
 * Codes of 6 bits: 0 end of text, 1 '*', 2 '+', 3-12 the digits, 13-38 A-Z.
 *
 *		7707083893    as int8   0 88181949A4 00000 (hexadecimal digits)
 *		LEI and VAT   as uuid   bytes 0-7 the word of characters 1-10,
 *								bytes 8-15 the word of characters 11-20,
 *								each word most significant byte first
 *
 * Codes rise with ASCII and "end" is the smallest, so the order of the words
 * is the order of the texts under COLLATE "C", and equal words are equal
 * texts.  An int8 of this layout is never negative and bytes compare from the
 * left: the server's own functions for int8 and uuid compare, sort (with
 * abbreviated keys) and deduplicate our values.  Only hashing of the single
 * word is ours (tax_id_ops.c says why).
 *
 * This header and tax_id{,_read,_suggest,_split,_vat}.c know
 * nothing of the server.
 */
#ifndef CRM_TAX_ID_H
#define CRM_TAX_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "type/check.h"

typedef enum CrmTaxIdKind
{
	CRM_TAX_ID_INN,
	CRM_TAX_ID_KPP,
	CRM_TAX_ID_OGRN,
	CRM_TAX_ID_SNILS,
	CRM_TAX_ID_VAT,
	CRM_TAX_ID_LEI,
	CRM_TAX_ID_NONE				/* also the number of kinds */
} CrmTaxIdKind;

/* The longest canonical text, and the longest written form with its end. */
#define CRM_TAX_ID_LENGTH 20
#define CRM_TAX_ID_FORMAT_SIZE 32

/* A canonical text. */
typedef struct CrmTaxId
{
	int			length;
	char		text[CRM_TAX_ID_LENGTH + 4];	/* ends with a zero byte */
} CrmTaxId;

/*
 * The checker of all six types.  True when the text is accepted; then *id is
 * its canonical form.  *check says why not, or what was unusual.
 */
extern bool crm_tax_id_read(CrmTaxIdKind kind, const char *value, size_t length,
							CrmTaxId *id, CrmCheck *check);

/* The only kind that accepts the text, or CRM_TAX_ID_NONE. */
extern CrmTaxIdKind crm_tax_id_kind(const char *value, size_t length, CrmTaxId *id);

/*
 * The checker of a text of unknown kind.  When no kind accepts it, *check
 * explains as the kind that the label or the length suggests.
 */
extern CrmTaxIdKind crm_tax_id_read_any(const char *value, size_t length,
										CrmTaxId *id, CrmCheck *check);

/*
 * A VAT number written without its prefix, of a country known otherwise (ISO
 * 3166 or VAT prefix).  A text with the prefix is accepted as well.
 */
extern bool crm_vat_read_national(const char *value, size_t length,
								  const char *country, size_t country_length,
								  CrmTaxId *id, CrmCheck *check);

/* "7707083893/773601001" and its relatives; kpp->length is 0 when absent. */
extern bool crm_tax_id_split_inn_kpp(const char *value, size_t length,
									 CrmTaxId *inn, CrmTaxId *kpp, CrmCheck *check);

extern void crm_tax_id_pack(CrmTaxIdKind kind, const CrmTaxId *id, uint64_t words[2]);

/*
 * False when the words are not what crm_tax_id_pack() writes; *id then is
 * still a text that can be shown.
 */
extern bool crm_tax_id_unpack(CrmTaxIdKind kind, const uint64_t words[2], CrmTaxId *id);

/* The form in which people write it: 112-233-445 95. Returns the length. */
extern int	crm_tax_id_format(CrmTaxIdKind kind, const CrmTaxId *id,
							  char buffer[CRM_TAX_ID_FORMAT_SIZE]);

extern const char *crm_tax_id_name(CrmTaxIdKind kind);	/* "inn" */
extern const char *crm_tax_id_type(CrmTaxIdKind kind);	/* "crm.inn" */
extern int	crm_tax_id_words(CrmTaxIdKind kind);

/* ISO 3166-1 code of the country of a VAT number; whether it is in the EU. */
extern const char *crm_vat_country(const CrmTaxId *id);
extern bool crm_vat_is_eu(const CrmTaxId *id);

#endif							/* CRM_TAX_ID_H */
