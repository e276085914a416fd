/*
 * tax_id_vat.c
 *		VAT identification numbers: the forms and check digits of each prefix.
 *
 * Members of the European Union, EL for Greece and XI for Northern Ireland as
 * the VAT directive has them (articles 214 and 215), and GB.  The patterns are
 * those of VIES; the check digits are those which the members' tax offices
 * publish.  Whether a number is registered, only VIES knows.
 */
#include <string.h>

#include "type/tax_id_rules.h"

#define FORMS(...) (const CrmIdForm[]) {__VA_ARGS__, {NULL}}

/* ---------------- arithmetic that several members share ---------------- */

/* Luhn: every second digit from the right doubled, its digits added. */
static bool
luhn(const char *s, int length)
{
	static const uint8_t doubled[10] = {0, 2, 4, 6, 8, 1, 3, 5, 7, 9};
	unsigned	sum = 0;

	for (int i = 0; i < length; i++)
		sum += (length - i) % 2 == 0 ? doubled[CRM_DIGIT(s[i])] : CRM_DIGIT(s[i]);
	return sum % 10 == 0;
}

/* ISO 7064 MOD 11,10; the product stays between 1 and 10. */
static bool
mod_11_10(const char *s, int length)
{
	unsigned	product = 10;

	for (int i = 0; i < length - 1; i++)
	{
		product += CRM_DIGIT(s[i]);
		if (product > 10)
			product -= 10;
		product *= 2;
		if (product > 10)
			product -= 11;
	}
	return (product + CRM_DIGIT(s[length - 1])) % 10 == 1;
}

static bool
is_date(int year, int month, int day)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool		leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month >= 1 && month <= 12 && day >= 1 &&
		day <= days[month - 1] + (month == 2 && leap);
}

/* ---------------- the members, by prefix ---------------- */

static CrmIdVerdict
at(const char *s, int length)
{
	/* after the U: doubling from the left, and a constant 4 */
	static const uint8_t doubled[10] = {0, 2, 4, 6, 8, 1, 3, 5, 7, 9};
	unsigned	sum = 4;

	for (int i = 1; i <= 7; i++)
		sum += i % 2 == 0 ? doubled[CRM_DIGIT(s[i])] : CRM_DIGIT(s[i]);
	return crm_check_digit((sum + CRM_DIGIT(s[8])) % 10 == 0);
}

static CrmIdVerdict
be(const char *s, int length)
{
	return crm_check_digit(97 - crm_number(s, 8) % 97 == crm_number(s + 8, 2));
}

static CrmIdVerdict
bg_company(const char *s, int length)
{
	unsigned	check = CRM_WEIGHTED(s, 1, 2, 3, 4, 5, 6, 7, 8) % 11;

	if (check == 10)
		check = CRM_WEIGHTED(s, 3, 4, 5, 6, 7, 8, 9, 10) % 11 % 10;
	return crm_check_digit(check == CRM_DIGIT(s[8]));
}

/* Ten digits: a citizen (with date of birth), a foreigner, or another. */
static CrmIdVerdict
bg_person(const char *s, int length)
{
	unsigned	last = CRM_DIGIT(s[9]);
	int			year = crm_number(s, 2);
	int			month = crm_number(s + 2, 2);
	unsigned	citizen = CRM_WEIGHTED(s, 2, 4, 8, 5, 10, 9, 7, 3, 6) % 11 % 10;
	unsigned	foreigner = CRM_WEIGHTED(s, 21, 19, 17, 13, 11, 9, 7, 3, 1) % 10;
	unsigned	other = CRM_WEIGHTED(s, 4, 3, 2, 7, 6, 5, 4, 3, 2) % 11;

	year += month > 40 ? 2000 : month > 20 ? 1800 : 1900;
	month -= month > 40 ? 40 : month > 20 ? 20 : 0;
	if (citizen == last && is_date(year, month, crm_number(s + 4, 2)))
		return CRM_ID_GOOD;
	return crm_check_digit(foreigner == last || (11 - other) % 11 == last);
}

static CrmIdVerdict
cy(const char *s, int length)
{
	static const uint8_t at_odd_place[10] = {1, 0, 5, 7, 9, 13, 15, 17, 19, 21};
	unsigned	sum = 0;

	if (memcmp(s, "12", 2) == 0)
		return CRM_ID_PART;
	for (int i = 0; i < 8; i++)
		sum += i % 2 == 0 ? at_odd_place[CRM_DIGIT(s[i])] : CRM_DIGIT(s[i]);
	return crm_check_digit('A' + sum % 26 == s[8]);
}

static CrmIdVerdict
cz_company(const char *s, int length)
{
	unsigned	rest = CRM_WEIGHTED(s, 8, 7, 6, 5, 4, 3, 2) % 11;

	if (s[0] == '9')
		return CRM_ID_PART;
	return crm_check_digit((11 - rest) % 10 == CRM_DIGIT(s[7]));
}

/* A birth number: women's months have 50 added, since 2004 also 20. */
static CrmIdVerdict
cz_birth_number(const char *s, int length)
{
	int			year = 1900 + crm_number(s, 2);
	int			month = crm_number(s + 2, 2) % 50 % 20;
	int			day = crm_number(s + 4, 2);

	if (length == 9)			/* before 1954, without check digit */
	{
		if (year >= 1980)
			year -= 100;
		return year < 1954 && is_date(year, month, day) ? CRM_ID_GOOD : CRM_ID_PART;
	}
	if (year < 1954)
		year += 100;
	if (!is_date(year, month, day))
		return CRM_ID_PART;
	return crm_check_digit(crm_number(s, 9) % 11 % 10 == CRM_DIGIT(s[9]));
}

/* Nine digits that begin with 6: a person without birth number. */
static CrmIdVerdict
cz_nine(const char *s, int length)
{
	static const uint8_t check[11] = {8, 7, 6, 5, 4, 3, 2, 1, 0, 9, 8};

	if (s[0] != '6')
		return cz_birth_number(s, length);
	return crm_check_digit(check[(11 - CRM_WEIGHTED(s + 1, 8, 7, 6, 5, 4, 3, 2) % 11 + 10) % 11]
						   == CRM_DIGIT(s[8]));
}

static CrmIdVerdict
de(const char *s, int length)
{
	return crm_check_digit(mod_11_10(s, 9));
}

static CrmIdVerdict
dk(const char *s, int length)
{
	return crm_check_digit(CRM_WEIGHTED(s, 2, 7, 6, 5, 4, 3, 2, 1) % 11 == 0);
}

static CrmIdVerdict
ee(const char *s, int length)
{
	return crm_check_digit(CRM_WEIGHTED(s, 3, 7, 1, 3, 7, 1, 3, 7, 1) % 10 == 0);
}

static CrmIdVerdict
el(const char *s, int length)
{
	/* the weights are 256, 128 ... 2, here modulo 11 */
	return crm_check_digit(CRM_WEIGHTED(s, 3, 7, 9, 10, 5, 8, 4, 2) % 11 % 10 == CRM_DIGIT(s[8]));
}

/* A person: the letter is the remainder by 23. */
static CrmIdVerdict
es_letter(unsigned number, char letter)
{
	return crm_check_digit("TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] == letter);
}

static CrmIdVerdict
es_citizen(const char *s, int length)
{
	return es_letter(crm_number(s, 8), s[8]);
}

/* A letter, seven digits, a letter or digit: the first letter says what. */
static CrmIdVerdict
es_other(const char *s, int length)
{
	unsigned	check = 0;

	if (strchr("KLM", s[0]))	/* persons without citizen's number */
		return es_letter(crm_number(s + 1, 7), s[8]);
	if (strchr("XYZ", s[0]))	/* foreigners */
		return es_letter((s[0] - 'X') * 10000000 + crm_number(s + 1, 7), s[8]);
	if (!strchr("ABCDEFGHJNPQRSUVW", s[0]))
		return CRM_ID_PART;

	for (int i = 1; i <= 7; i++)
	{
		unsigned	d = CRM_DIGIT(s[i]);

		check += i % 2 == 0 ? d : d * 2 / 10 + d * 2 % 10;
	}
	check = (10 - check % 10) % 10;

	/* sources differ on which kinds of organisation have which: take both */
	return crm_check_digit(s[8] == '0' + (int) check || s[8] == "JABCDEFGHI"[check]);
}

static CrmIdVerdict
fi(const char *s, int length)
{
	return crm_check_digit(CRM_WEIGHTED(s, 7, 9, 10, 5, 8, 4, 2, 1) % 11 == 0);
}

static int
fr_index(char c)
{
	return strchr("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ", c) -
		"0123456789ABCDEFGHJKLMNPQRSTUVWXYZ";
}

/* Two characters of key before the nine digits of the SIREN. */
static CrmIdVerdict
fr(const char *s, int length)
{
	uint64_t	siren = crm_number(s + 2, 9);
	bool		first_is_digit = s[0] <= '9';
	int			key;

	/* SIRENs that begin with 000 are of Monaco and not checked */
	if (siren >= 1000000 && !luhn(s + 2, 9))
		return CRM_ID_CHECK_DIGIT;
	if (first_is_digit && s[1] <= '9')
		return crm_check_digit((siren * 100 + 12) % 97 == crm_number(s, 2));
	key = first_is_digit ? fr_index(s[0]) * 24 + fr_index(s[1]) - 10 :
		fr_index(s[0]) * 34 + fr_index(s[1]) - 100;
	return crm_check_digit((siren + 1 + key / 11) % 11 == (unsigned) key % 11);
}

/*
 * Nine digits and perhaps three of a branch.  Two rules have been in use: the
 * weighted sum is divisible by 97, or, for numbers from 100, leaves 42.
 */
static CrmIdVerdict
gb(const char *s, int length)
{
	unsigned	rest = CRM_WEIGHTED(s, 8, 7, 6, 5, 4, 3, 2, 10, 1) % 97;

	if (crm_number(s + 7, 2) >= 97)
		return CRM_ID_CHECK_DIGIT;
	return crm_check_digit(rest == 0 || (rest == 42 && s[0] != '0'));
}

/* Government departments and health authorities share the numbers. */
static CrmIdVerdict
gb_department(const char *s, int length)
{
	return s[2] < '5' ? CRM_ID_GOOD : CRM_ID_PART;
}

static CrmIdVerdict
gb_health(const char *s, int length)
{
	return s[2] >= '5' ? CRM_ID_GOOD : CRM_ID_PART;
}

static CrmIdVerdict
hr(const char *s, int length)
{
	return crm_check_digit(mod_11_10(s, 11));
}

static CrmIdVerdict
hu(const char *s, int length)
{
	return crm_check_digit(CRM_WEIGHTED(s, 9, 7, 3, 1, 9, 7, 3, 1) % 10 == 0);
}

/* Seven digits, the check letter, and since 2013 a second letter. */
static CrmIdVerdict
ie(const char *s, int length)
{
	unsigned	sum = CRM_WEIGHTED(s, 8, 7, 6, 5, 4, 3, 2);

	if (length == 9)
	{
		if (s[8] > 'W')
			return CRM_ID_PART;
		sum += s[8] == 'W' ? 0 : 9 * (s[8] - 'A' + 1);
	}
	return crm_check_digit("WABCDEFGHIJKLMNOPQRSTUV"[sum % 23] == s[7]);
}

/* The form before 1985: the first digit counts last, the second place not. */
static CrmIdVerdict
ie_old(const char *s, int length)
{
	unsigned	sum = CRM_WEIGHTED(s + 2, 7, 6, 5, 4, 3) + 2 * CRM_DIGIT(s[0]);

	return crm_check_digit("WABCDEFGHIJKLMNOPQRSTUV"[sum % 23] == s[7]);
}

/* Seven digits of the holder, three of the office, one to check. */
static CrmIdVerdict
it(const char *s, int length)
{
	unsigned	office = crm_number(s + 7, 3);

	if (memcmp(s, "0000000", 7) == 0 || office == 0 ||
		(office > 100 && office != 120 && office != 121 && office != 888 && office != 999))
		return CRM_ID_PART;
	return crm_check_digit(luhn(s, 11));
}

/* The last but one of a company's nine or a temporary's twelve digits is 1. */
static CrmIdVerdict
lt(const char *s, int length)
{
	static const uint8_t first[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2};
	static const uint8_t second[] = {3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4};
	unsigned	check = crm_weighted(s, first, length - 1) % 11;

	if (check == 10)
		check = crm_weighted(s, second, length - 1) % 11 % 10;
	return crm_check_digit(check == CRM_DIGIT(s[length - 1]));
}

static CrmIdVerdict
lu(const char *s, int length)
{
	return crm_check_digit(crm_number(s, 6) % 89 == crm_number(s + 6, 2));
}

/* Companies begin with 4-9; persons with a date of birth, or since 2017 with 32. */
static CrmIdVerdict
lv(const char *s, int length)
{
	if (s[0] > '3')
		return crm_check_digit(CRM_WEIGHTED(s, 9, 1, 4, 8, 3, 10, 2, 5, 7, 6, 1) % 11 == 3);
	if (memcmp(s, "32", 2) != 0 &&
		!is_date(1800 + 100 * CRM_DIGIT(s[6]) + crm_number(s + 4, 2),
				 crm_number(s + 2, 2), crm_number(s, 2)))
		return CRM_ID_PART;
	return crm_check_digit((1 + CRM_WEIGHTED(s, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9)) % 11 % 10
						   == CRM_DIGIT(s[10]));
}

static CrmIdVerdict
mt(const char *s, int length)
{
	return crm_check_digit(CRM_WEIGHTED(s, 3, 4, 6, 7, 8, 9, 10, 1) % 37 == 0);
}

/*
 * Companies: nine digits whose last is a check digit.  Persons, since 2020:
 * ISO 7064 MOD 97,10 of the whole with its prefix, letters as 10 to 35.
 */
static CrmIdVerdict
nl(const char *s, int length)
{
	uint64_t	n = 2321;		/* N L */

	if (memcmp(s, "000000000", 9) == 0)
		return CRM_ID_ZEROS;
	if (memcmp(s + 10, "00", 2) == 0)
		return CRM_ID_PART;
	if (CRM_WEIGHTED(s, 9, 8, 7, 6, 5, 4, 3, 2) % 11 == (unsigned) CRM_DIGIT(s[8]))
		return CRM_ID_GOOD;
	n = n * 1000000000 + crm_number(s, 9);
	n = n % 97 * 10000 + 1100 + crm_number(s + 10, 2);	/* 1100: B, then two */
	return crm_check_digit(n % 97 == 1);
}

static CrmIdVerdict
pl(const char *s, int length)
{
	return crm_check_digit(CRM_WEIGHTED(s, 6, 5, 7, 2, 3, 4, 5, 6, 7) % 11 == (unsigned) CRM_DIGIT(s[9]));
}

static CrmIdVerdict
pt(const char *s, int length)
{
	/* 11 less the sum by 9 to 2 is the sum by 2 to 9, modulo 11 */
	return crm_check_digit(CRM_WEIGHTED(s, 2, 3, 4, 5, 6, 7, 8, 9) % 11 % 10 == (unsigned) CRM_DIGIT(s[8]));
}

/* Two to ten digits, the weights aligned to the right. */
static CrmIdVerdict
ro(const char *s, int length)
{
	static const uint8_t weights[] = {7, 5, 3, 2, 1, 7, 5, 3, 2};
	unsigned	sum = crm_weighted(s, weights + (10 - length), length - 1);

	return crm_check_digit(sum * 10 % 11 % 10 == (unsigned) CRM_DIGIT(s[length - 1]));
}

/* Ten digits of the organisation and a number 01 to 94, nearly always 01. */
static CrmIdVerdict
se(const char *s, int length)
{
	unsigned	suffix = crm_number(s + 10, 2);

	if (suffix < 1 || suffix > 94)
		return CRM_ID_PART;
	if (!luhn(s, 10))
		return CRM_ID_CHECK_DIGIT;
	return suffix == 1 ? CRM_ID_GOOD : CRM_ID_ODD;
}

static CrmIdVerdict
si(const char *s, int length)
{
	unsigned	rest = CRM_WEIGHTED(s, 8, 7, 6, 5, 4, 3, 2) % 11;

	/* remainder 0 would need the digit 11: such numbers are not issued */
	return crm_check_digit(rest != 0 && (11 - rest) % 10 == (unsigned) CRM_DIGIT(s[7]));
}

static CrmIdVerdict
sk(const char *s, int length)
{
	if (!strchr("234789", s[2]))
		return CRM_ID_PART;
	return crm_check_digit(crm_number(s, 10) % 11 == 0);
}

/* ---------------- the table ---------------- */

#define GB_FORMS \
	FORMS(FORM("ddddddddd", gb), FORM("dddddddddddd", gb), FORM("GDddd", gb_department), FORM("HAddd", gb_health))
#define GB_EXPECTED "9 or 12 digits, or GD or HA and 3 digits"

/* Sorted by prefix. */
static const CrmVatCountry vat_countries[] = {
	{"AT", "AT", true, "Austria", "U and 8 digits", FORMS(FORM("Udddddddd", at))},
	{"BE", "BE", true, "Belgium", "10 digits that begin with 0 or 1",
		FORMS(FORM("bddddddddd", be))},
	{"BG", "BG", true, "Bulgaria", "9 or 10 digits",
		FORMS(FORM("ddddddddd", bg_company), FORM("dddddddddd", bg_person))},
	{"CY", "CY", true, "Cyprus", "8 digits and a letter", FORMS(FORM("dddddddda", cy))},
	{"CZ", "CZ", true, "Czechia", "8, 9 or 10 digits",
		FORMS(FORM("dddddddd", cz_company), FORM("ddddddddd", cz_nine), FORM("dddddddddd", cz_birth_number))},
	{"DE", "DE", true, "Germany", "9 digits that do not begin with 0",
		FORMS(FORM("ndddddddd", de))},
	{"DK", "DK", true, "Denmark", "8 digits that do not begin with 0",
		FORMS(FORM("nddddddd", dk))},
	{"EE", "EE", true, "Estonia", "9 digits", FORMS(FORM("ddddddddd", ee))},
	{"EL", "GR", true, "Greece", "9 digits", FORMS(FORM("ddddddddd", el))},
	{"ES", "ES", true, "Spain",
		"9 characters: 8 digits and a letter, or a letter, 7 digits and a digit or letter",
		FORMS(FORM("dddddddda", es_citizen), FORM("adddddddx", es_other))},
	{"FI", "FI", true, "Finland", "8 digits", FORMS(FORM("dddddddd", fi))},
	{"FR", "FR", true, "France", "2 digits or letters (not I or O) and 9 digits",
		FORMS(FORM("ffddddddddd", fr))},
	{"GB", "GB", false, "the United Kingdom", GB_EXPECTED, GB_FORMS},
	{"HR", "HR", true, "Croatia", "11 digits", FORMS(FORM("ddddddddddd", hr))},
	{"HU", "HU", true, "Hungary", "8 digits", FORMS(FORM("dddddddd", hu))},
	{"IE", "IE", true, "Ireland",
		"7 digits and 1 or 2 letters, or a digit, a letter, + or *, 5 digits and a letter",
		FORMS(FORM("ddddddda", ie), FORM("dddddddaa", ie), FORM("diddddda", ie_old))},
	{"IT", "IT", true, "Italy", "11 digits", FORMS(FORM("ddddddddddd", it))},
	{"LT", "LT", true, "Lithuania", "9 or 12 digits, the last but one 1",
		FORMS(FORM("ddddddd1d", lt), FORM("dddddddddd1d", lt))},
	{"LU", "LU", true, "Luxembourg", "8 digits", FORMS(FORM("dddddddd", lu))},
	{"LV", "LV", true, "Latvia", "11 digits", FORMS(FORM("ddddddddddd", lv))},
	{"MT", "MT", true, "Malta", "8 digits that do not begin with 0", FORMS(FORM("nddddddd", mt))},
	{"NL", "NL", true, "the Netherlands", "9 digits, B and 2 digits",
		FORMS(FORM("dddddddddBdd", nl))},
	{"PL", "PL", true, "Poland", "10 digits", FORMS(FORM("dddddddddd", pl))},
	{"PT", "PT", true, "Portugal", "9 digits that do not begin with 0",
		FORMS(FORM("ndddddddd", pt))},
	{"RO", "RO", true, "Romania", "2 to 10 digits that do not begin with 0",
		FORMS(FORM("ndoooooooo", ro))},
	{"SE", "SE", true, "Sweden", "12 digits", FORMS(FORM("dddddddddddd", se))},
	{"SI", "SI", true, "Slovenia", "8 digits that do not begin with 0",
		FORMS(FORM("nddddddd", si))},
	{"SK", "SK", true, "Slovakia", "10 digits that do not begin with 0",
		FORMS(FORM("nddddddddd", sk))},
	{"XI", "GB", true, "Northern Ireland", GB_EXPECTED, GB_FORMS},
};

#define N_VAT_COUNTRIES ((int) (sizeof(vat_countries) / sizeof(vat_countries[0])))

const CrmVatCountry *
crm_vat_find_prefix(const char *prefix)
{
	int			low = 0;
	int			high = N_VAT_COUNTRIES - 1;

	while (low <= high)
	{
		int			middle = (low + high) / 2;
		int			order = memcmp(prefix, vat_countries[middle].prefix, 2);

		if (order == 0)
			return &vat_countries[middle];
		if (order < 0)
			high = middle - 1;
		else
			low = middle + 1;
	}
	return NULL;
}

/* GB is Great Britain here; Northern Ireland is asked for as XI. */
const CrmVatCountry *
crm_vat_find_iso(const char *iso)
{
	return crm_vat_find_prefix(memcmp(iso, "GR", 2) == 0 ? "EL" : iso);
}

const char *
crm_vat_country(const CrmTaxId *id)
{
	const CrmVatCountry *country = crm_vat_find_prefix(id->text);

	return country ? country->iso : "??";
}

bool
crm_vat_is_eu(const CrmTaxId *id)
{
	const CrmVatCountry *country = crm_vat_find_prefix(id->text);

	return country && country->eu;
}
