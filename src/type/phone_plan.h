/*
 * phone_plan.h
 *		Numbering plans: what phone_table.inc holds and how it is asked.
 *		For the files of the phone type only.
 */
#ifndef CRM_PHONE_PLAN_H
#define CRM_PHONE_PLAN_H

#include "type/phone.h"

/* Longest national number that the plans are asked about. */
#define PHONE_NATIONAL_MAX 17

/* What the patterns of a country say of one national number. */
typedef struct PhoneVerdict
{
	uint32_t	general;		/* bit i: looks like a number of region i */
	uint32_t	valid;			/* bit i: a valid number of region i */
	uint8_t		region;			/* 1 + the region it belongs to, or 0 */
	uint8_t		kind;			/* CrmPhoneKind of it there */
	uint16_t	national;		/* format for use in the country, or 0 */
	uint16_t	international;	/* format for use elsewhere, or 0 */
} PhoneVerdict;

/* How digits are grouped and what is written between. */
typedef struct PhoneFormat
{
	char		groups[12];		/* least, most digits of each, plus '@' */
	char		format[20];		/* "$1 $2-$3" */
} PhoneFormat;

typedef struct PhoneRegion
{
	char		id[4];
	uint8_t		country;		/* index of its country code */
	uint8_t		index;			/* its place among the regions of that code */
	uint16_t	prefix;			/* program: what may precede a national number */
	uint8_t		prefix_groups;
	uint16_t	idd;			/* program: how to dial abroad */
	uint32_t	lengths;		/* bit n: numbers of n digits exist */
	uint32_t	local_lengths;	/* bit n: n digits can be dialled locally */
	uint32_t	usual_lengths;	/* bit n: ordinary numbers have n digits */
	char		transform[8];	/* what replaces a prefix with a group */
	char		national_prefix[8]; /* the trunk prefix as people know it */
	char		idd_single[8];	/* what one dials before a country code */
	char		extension_label[8]; /* as written before an extension */
} PhoneRegion;

typedef struct PhoneCountry
{
	uint16_t	code;
	uint16_t	root;			/* state before the first national digit */
	uint16_t	first_region;	/* the main one */
	uint16_t	regions;
} PhoneCountry;

/* Of a length: whether numbers of a region have it. */
typedef enum PhoneLength
{
	PHONE_LENGTH_POSSIBLE,
	PHONE_LENGTH_LOCAL,			/* enough within a town */
	PHONE_LENGTH_SHORT,
	PHONE_LENGTH_LONG,
	PHONE_LENGTH_BETWEEN		/* shorter and longer ones exist */
} PhoneLength;

/* Country of the code that the digits begin with, or NULL. */
extern const PhoneCountry *crm_phone_country(const char *digits, int length, int *code_length);
extern const PhoneCountry *crm_phone_country_of(const PhoneRegion *region);
extern const PhoneRegion *crm_phone_main_region(const PhoneCountry *country);
extern const PhoneRegion *crm_phone_region(const char *id);
extern const PhoneRegion *crm_phone_region_at(const PhoneCountry *country, int number);
extern const PhoneVerdict *crm_phone_walk(const PhoneCountry *country, const char *national, int length);
extern const PhoneFormat *crm_phone_format_at(int number);
extern PhoneLength crm_phone_length(const PhoneRegion *region, int length);

/*
 * Runs a prefix program at the start of the digits.  Returns the length of the
 * match or -1; group[0..1] and group[2..3] are the bounds of groups 1 and 2, -1
 * when unset.
 */
extern int	crm_phone_run(int program, const char *digits, int length, int group[4]);

#endif							/* CRM_PHONE_PLAN_H */
