/*
 * phone_parse.c
 *		Reading a phone number as people write it.
 *
 * Two steps.  phone_scan.c finds the digits, the plus and the extension, and
 * knows no country.  plan_read() here then tells prefixes from number by the
 * numbering plans; it decides as libphonenumber does.  judge() is stricter than
 * the library: where a digit seems to be missing or the characters are not
 * those of a number, it refuses instead of guessing.
 */
#include <stdio.h>
#include <string.h>

#include "type/phone_plan.h"
#include "type/phone_scan.h"

/* Longest text that is looked at; the same limit as for every type. */
#define MAX_INPUT 1024

/* How far from its beginning crm_phone_find() follows a number, in bytes. */
#define FIND_WINDOW 96

/* A national number with room for what a transformation adds. */
#define NATIONAL_ROOM (PHONE_SCAN_DIGITS + 8)

/* What the plans make of a string of digits. */
typedef struct PlanReading
{
	const PhoneCountry *country;
	const PhoneRegion *region;	/* whose prefixes and lengths were used */
	const char *national;		/* within the digits, or in one of the rooms */
	int			length;
	char		room[2][NATIONAL_ROOM];
	bool		retried;		/* an international prefix after the plus */

	/*
	 * Digits at the beginning that look like a trunk prefix or a country code,
	 * but were left because too few would remain.
	 */
	int			head;			/* how many; 0: none */
	int			head_rest;		/* how many follow them */
	bool		head_is_code;
} PlanReading;

/* Everything about one attempt; cheap to fill, put into words only at the end. */
typedef struct Judgement
{
	const char *code;			/* NULL: nothing to say */
	bool		accepted;
	bool		valid;			/* a number of a known plan */
	PlanReading plan;
} Judgement;

static bool
looks_right(const PhoneRegion *region, const char *digits, int length)
{
	return length < 31 && ((region->lengths | region->local_lengths) >> length & 1) != 0 &&
		(crm_phone_walk(crm_phone_country_of(region), digits, length)->general >>
		 region->index & 1) != 0;
}

/*
 * Takes the national prefix off: *stripped is the rest of the digits, or in room
 * when the rules put others in place of the prefix.  False when there is none or
 * when the number would no longer look like one.
 */
static bool
strip_prefix(const PhoneRegion *region, const char *digits, int length, char *room,
			 const char **stripped, int *stripped_length, int *taken)
{
	int			group[4];
	int			match;
	int			last = region->prefix_groups * 2 - 2;

	*taken = 0;
	if (region->prefix == 0 || length == 0)
		return false;
	match = crm_phone_run(region->prefix, digits, length, group);
	if (match < 0)
		return false;

	if (region->transform[0] != '\0' && last >= 0 && group[last] >= 0 &&
		group[last + 1] > group[last])
	{
		/* What was captured is put into the rule in place of the prefix. */
		int			used = 0;

		for (const char *t = region->transform; *t != '\0'; t++)
		{
			if (*t == '$')
			{
				int			g = (*++t - '1') * 2;

				if (group[g] >= 0)
				{
					memcpy(room + used, digits + group[g], group[g + 1] - group[g]);
					used += group[g + 1] - group[g];
				}
			}
			else
				room[used++] = *t;
		}
		memcpy(room + used, digits + match, length - match);
		*stripped = room;
		*stripped_length = used + length - match;
	}
	else
	{
		*stripped = digits + match;
		*stripped_length = length - match;
		*taken = match;
	}
	return !looks_right(region, digits, length) ||
		looks_right(region, *stripped, *stripped_length);
}

/* Reads the country code after a plus or an international prefix. */
static const char *
take_country_code(const char *digits, int length, PlanReading *plan)
{
	int			code_length;

	if (length <= 2)
		return "PHONE_TOO_SHORT";
	plan->country = crm_phone_country(digits, length, &code_length);
	if (plan->country == NULL)
		return "PHONE_COUNTRY_CODE";
	plan->length = length - code_length;
	plan->national = digits + code_length;
	return NULL;
}

/*
 * Looks for the country code of a number without plus.  Sets plan->country when
 * there is one; plan->national is the number without it.
 */
static const char *
find_country_code(const char *digits, int length, const PhoneRegion *home, PlanReading *plan)
{
	int			group[4];
	int			match = crm_phone_run(home->idd, digits, length, group);
	const PhoneCountry *country = crm_phone_country_of(home);
	int			code_length;

	/* No country code begins with 0, so a prefix before 0 is none. */
	if (match >= 0 && !(match < length && digits[match] == '0'))
		return take_country_code(digits + match, length - match, plan);

	plan->country = NULL;
	plan->length = length;
	plan->national = digits;

	if (crm_phone_country(digits, length, &code_length) == country)
	{
		const char *rest;
		int			rest_length;
		int			taken;
		bool		right;

		if (!strip_prefix(home, digits + code_length, length - code_length, plan->room[0],
						  &rest, &rest_length, &taken))
		{
			rest_length = length - code_length;
			rest = digits + code_length;
		}
		right = looks_right(home, digits, length);
		if ((!right && looks_right(home, rest, rest_length)) ||
			crm_phone_length(home, length) == PHONE_LENGTH_LONG)
		{
			plan->country = country;
			plan->length = rest_length;
			plan->national = rest;
		}
		else if (crm_phone_length(home, rest_length) != PHONE_LENGTH_POSSIBLE)
		{
			plan->head = code_length;
			plan->head_rest = rest_length;
			plan->head_is_code = true;
		}
	}
	return NULL;
}

/*
 * Tells prefixes, country code and national number apart.  Returns the token of
 * what is wrong, or NULL.
 */
static const char *
plan_read(const char *digits, int length, bool plus, const PhoneRegion *home, PlanReading *plan)
{
	const char *error;
	const char *stripped;
	int			stripped_length;
	int			taken;

	plan->country = NULL;
	plan->region = home;
	plan->retried = false;
	plan->head = 0;
	plan->head_is_code = false;

	if (plus)
	{
		error = take_country_code(digits, length, plan);
		if (error != NULL && strcmp(error, "PHONE_COUNTRY_CODE") == 0 && home != NULL)
		{
			/* "+0049...", "+011 49 ...": a plus before what one dials abroad. */
			if (find_country_code(digits, length, home, plan) == NULL && plan->country != NULL)
			{
				plan->retried = true;
				error = NULL;
			}
		}
		if (error != NULL)
			return error;
	}
	else
	{
		if (home == NULL)
			return "PHONE_NO_REGION";
		error = find_country_code(digits, length, home, plan);
		if (error != NULL)
			return error;
	}

	if (plan->country == NULL)
		plan->country = crm_phone_country_of(home);
	else if (home == NULL || crm_phone_main_region(plan->country) != home)
		plan->region = crm_phone_main_region(plan->country);
	if (plan->length < 2)
		return "PHONE_TOO_SHORT";

	if (strip_prefix(plan->region, plan->national, plan->length, plan->room[1],
					 &stripped, &stripped_length, &taken))
	{
		PhoneLength fit = crm_phone_length(plan->region, stripped_length);

		if (fit == PHONE_LENGTH_POSSIBLE || fit == PHONE_LENGTH_LONG)
		{
			plan->national = stripped;
			plan->length = stripped_length;
			plan->head = 0;
			taken = 0;
		}
	}
	if (taken > 0 && crm_phone_length(plan->region, plan->length - taken) != PHONE_LENGTH_POSSIBLE)
	{
		plan->head = taken;
		plan->head_rest = plan->length - taken;
		plan->head_is_code = false;
	}
	return plan->length < 2 ? "PHONE_TOO_SHORT" :
		plan->length > PHONE_NATIONAL_MAX ? "PHONE_TOO_LONG" : NULL;
}

static int
code_digits(int code, char *digits)
{
	int			length = code > 99 ? 3 : code > 9 ? 2 : 1;

	for (int i = length; i-- > 0; code /= 10)
		digits[i] = (char) ('0' + code % 10);
	return length;
}

/* Of a length that ordinary numbers have not: a digit too many, or too few? */
static const char *
nearer_length(const PhoneRegion *region, int length)
{
	uint32_t	lengths = region->usual_lengths;
	bool		longer = lengths >> (length + 1) & 1;
	bool		shorter = lengths >> (length - 1) & 1;

	if (lengths < UINT32_C(1) << length)
		return "PHONE_TOO_LONG";
	if ((lengths & ((UINT32_C(1) << length) - 1)) == 0)
		return "PHONE_TOO_SHORT";
	return longer == shorter ? "PHONE_LENGTH" : longer ? "PHONE_TOO_SHORT" : "PHONE_TOO_LONG";
}

/* From a scan to a number or to what is wrong with it. */
static bool
judge(const PhoneScan *scan, const PhoneRegion *home, CrmPhone *phone, Judgement *judgement)
{
	PlanReading *plan = &judgement->plan;
	const PhoneVerdict *verdict;
	int			code_length;

	judgement->accepted = false;
	judgement->valid = false;
	plan->country = NULL;
	plan->region = home;
	plan->head = 0;
	plan->length = 0;
	if (scan->count > PHONE_SCAN_DIGITS)
	{
		judgement->code = "PHONE_TOO_LONG";
		return false;
	}
	if (scan->ext_too_long)
	{
		judgement->code = "PHONE_EXTENSION_TOO_LONG";
		return false;
	}
	judgement->code = plan_read(scan->digits, scan->count, scan->plus, home, plan);
	if (judgement->code != NULL)
		return false;

	code_length = code_digits(plan->country->code, phone->digits);
	if (code_length + plan->length > CRM_PHONE_DIGITS)
	{
		judgement->code = "PHONE_TOO_LONG";
		return false;
	}
	memcpy(phone->digits + code_length, plan->national, plan->length);
	phone->length = (uint8_t) (code_length + plan->length);
	phone->digits[phone->length] = '\0';
	phone->ext_length = (uint8_t) scan->ext_count;
	memcpy(phone->ext, scan->ext, scan->ext_count);
	phone->ext[scan->ext_count] = '\0';
	if (phone->length < CRM_PHONE_LEAST_DIGITS)
	{
		judgement->code = "PHONE_TOO_SHORT";
		return false;
	}

	verdict = crm_phone_walk(plan->country, plan->national, plan->length);
	judgement->valid = verdict->kind != CRM_PHONE_UNKNOWN;

	/*
	 * A trunk prefix or country code that too few digits follow: the rest is
	 * not a number that happens to begin with it.  When the plans know such a
	 * number, the writing decides: "8 (347) 123-45-6" sets the 8 apart.
	 */
	if (plan->head > 0 &&
		(!judgement->valid ||
		 (scan->groups > 1 && scan->first_group == plan->head && scan->count == plan->length)))
	{
		judgement->code = "PHONE_TOO_SHORT";
		return false;
	}
	if (judgement->valid)
	{
		judgement->accepted = true;
		return true;
	}
	switch (crm_phone_length(crm_phone_main_region(plan->country), plan->length))
	{
		case PHONE_LENGTH_POSSIBLE:
			/* Unknown numbers need a length that is usual: 14 in Russia is not. */
			if (crm_phone_main_region(plan->country)->usual_lengths >> plan->length & 1)
				break;
			judgement->code = nearer_length(crm_phone_main_region(plan->country), plan->length);
			return false;
		case PHONE_LENGTH_LOCAL:
			judgement->code = "PHONE_LOCAL_ONLY";
			return false;
		case PHONE_LENGTH_SHORT:
			judgement->code = "PHONE_TOO_SHORT";
			return false;
		case PHONE_LENGTH_LONG:
			judgement->code = "PHONE_TOO_LONG";
			return false;
		case PHONE_LENGTH_BETWEEN:
			judgement->code = nearer_length(crm_phone_main_region(plan->country), plan->length);
			return false;
	}
	judgement->accepted = true;
	judgement->code = "PHONE_UNKNOWN_RANGE";
	return true;
}

/* Reads digits as if they had been typed; for trying a repair. */
static bool
try_digits(const char *digits, int count, bool plus, const PhoneRegion *home, CrmPhone *phone)
{
	PhoneScan	scan;
	Judgement	judgement;

	if (count > PHONE_SCAN_DIGITS || count < 3)
		return false;
	memset(&scan, 0, sizeof(scan));
	scan.plus = plus;
	scan.count = scan.first_group = count;
	memcpy(scan.digits, digits, count);
	return judge(&scan, home, phone, &judgement) && judgement.valid;
}

static void
suggest(CrmCheck *check, const CrmPhone *phone)
{
	crm_phone_text(phone, check->suggestion);
}

/* The one probable repair of digits that are no number as they stand. */
static void
suggest_prefix(const PhoneScan *scan, const PhoneRegion *home, CrmCheck *check)
{
	CrmPhone	phone;
	const char *digits = scan->digits;
	int			count = scan->count;
	bool		found = false;

	if (count > PHONE_SCAN_DIGITS)
		return;
	if (scan->plus)
	{
		/* "+8 916 ...": the plus before a national number */
		if (home == NULL && count == 11 && digits[0] == '8')
			home = crm_phone_region("RU");
		found = home != NULL && try_digits(digits, count, false, home, &phone);
	}
	else if (count > 4 && digits[0] == '0' && digits[1] == '0')
		found = try_digits(digits + 2, count - 2, true, NULL, &phone);
	else if (home == NULL)
		found = try_digits(digits, count, true, NULL, &phone);
	if (found)
	{
		if (!scan->ext_too_long)
		{
			phone.ext_length = (uint8_t) scan->ext_count;
			memcpy(phone.ext, scan->ext, scan->ext_count);
		}
		suggest(check, &phone);
	}
}

/*
 * "10", "7 to 10": the lengths of national numbers that come nearest to one
 * that does not exist, longer ones first.
 */
static void
describe_lengths(const PhoneRegion *region, int found, char *out, size_t size)
{
	uint32_t	lengths = region->usual_lengths;
	int			least;
	int			most;

	if (found > PHONE_NATIONAL_MAX)
		found = PHONE_NATIONAL_MAX + 1;
	least = found + 1;
	while (least < 31 && (lengths >> least & 1) == 0)
		least++;
	if (least == 31 || least - found > 2)
	{
		int			lower = found - 1;

		while (lower > 0 && (lengths >> lower & 1) == 0)
			lower--;
		if (lower > 0)
		{
			for (least = lower; least > 2 && (lengths >> (least - 2) & 3) != 0;)
				least--;
			while ((lengths >> least & 1) == 0)
				least++;
			snprintf(out, size, least == lower ? "%d" : "%d to %d", least, lower);
			return;
		}
	}
	for (most = least; most < 29 && (lengths >> (most + 1) & 3) != 0;)
		most++;
	while ((lengths >> most & 1) == 0)
		most--;
	snprintf(out, size, least == most ? "%d" : "%d to %d", least, most);
}

/* Puts a refusal by the plans into words. */
static void
explain(const PhoneScan *scan, const Judgement *judgement, CrmCheckStatus status,
		int position, CrmCheck *check)
{
	const PlanReading *plan = &judgement->plan;
	const char *code = judgement->code;
	const PhoneRegion *region = plan->region;
	char		needed[32] = "";
	int			total = 0;

	if (plan->country != NULL)
	{
		char		code_buffer[4];

		total = code_digits(plan->country->code, code_buffer) + plan->length;
		if (region == NULL)
			region = crm_phone_main_region(plan->country);
		describe_lengths(region, plan->head > 0 ? plan->head_rest : plan->length, needed, sizeof(needed));
	}

	if (strcmp(code, "PHONE_NO_REGION") == 0)
	{
		crm_check_set(check, status, code, position,
					  "The number has no country code, and no known region is set.");
		crm_check_hint(check, "Write it with + and the country code, set crm.default_region, or use crm.phone(text, region).");
	}
	else if (strcmp(code, "PHONE_COUNTRY_CODE") == 0)
	{
		crm_check_set(check, status, code, position,
					  "No country code begins the digits after the international prefix.");
		crm_check_hint(check, "Look at the first digits after the +.");
	}
	else if (strcmp(code, "PHONE_EXTENSION_TOO_LONG") == 0)
	{
		crm_check_set(check, status, code, position,
					  "The extension has %d digits; the longest accepted has %d.",
					  scan->ext_count, CRM_PHONE_EXTENSION);
		crm_check_hint(check, "Perhaps it is a second number: see crm.split_phones().");
	}
	else if (strcmp(code, "PHONE_UNKNOWN_RANGE") == 0)
	{
		crm_check_set(check, status, code, position,
					  "No such range is known in country code %d (numbering plans of %s).",
					  plan->country->code, crm_phone_metadata_version());
		crm_check_hint(check, "It may be new, or mistyped.");
	}
	else if (total > CRM_PHONE_DIGITS)
	{
		crm_check_set(check, status, code, position,
					  "A phone number has at most %d digits, country code included; %d found.",
					  CRM_PHONE_DIGITS, total);
		crm_check_hint(check, "Look for a second number in the same field.");
	}
	else if (plan->country == NULL)
	{
		crm_check_set(check, status, code, position, "Too %s digits for a phone number: %d.",
					  strcmp(code, "PHONE_TOO_SHORT") == 0 ? "few" : "many", scan->count);
		crm_check_hint(check, "Look for missing digits or for a second number in the same field.");
	}
	else if (strcmp(code, "PHONE_TOO_SHORT") == 0 && plan->head > 0)
	{
		crm_check_set(check, status, code, position,
					  "%s digits after the %s %.*s are needed for region %s, %d found.",
					  needed, plan->head_is_code ? "country code" : "trunk prefix", plan->head,
					  plan->national, region->id, plan->head_rest);
		crm_check_hint(check, "Add the missing digit; if the digits are right, write them with + and the country code.");
	}
	else if (strcmp(code, "PHONE_LOCAL_ONLY") == 0)
	{
		crm_check_set(check, status, code, position,
					  "%d digits can be dialled only within one town of region %s; the area code is missing.",
					  plan->length, region->id);
		crm_check_hint(check, "Add the area code.");
	}
	else
	{
		crm_check_set(check, status, code, position,
					  "%s digits are needed after country code %d, %d found.",
					  needed, plan->country->code, plan->length);
		crm_check_hint(check, strcmp(code, "PHONE_TOO_LONG") == 0 ?
					   "Remove the extra digit, or look for a second number in the same field." :
					   strcmp(code, "PHONE_TOO_SHORT") == 0 ? "Add the missing digit." :
					   "Look for a missing or an extra digit.");
	}
}

/* Constant words without formatting: this is the common case of a load. */
static void
set_fixed(CrmCheck *check, const char *code, const char *message)
{
	check->status = CRM_CHECK_FIXED;
	check->code = code;
	memcpy(check->message, message, strlen(message) + 1);
}

static void
note_placeholder(const CrmPhone *phone, CrmCheck *check)
{
	if (!crm_phone_placeholder(phone))
		return;
	crm_check_set(check, CRM_CHECK_ODD, "PHONE_PLACEHOLDER", -1,
				  "The digits look as if they had been typed to fill the field.");
	crm_check_hint(check, "Ask for the real number.");
}

/* Text that is exactly what crm_phone_text() writes is never refused. */
static bool
parse_canonical(const PhoneRegion *home, CrmPhone *phone, CrmCheck *check)
{
	PhoneScan	scan;
	Judgement	judgement;
	CrmPhone	read;
	CrmPhoneInfo info;

	crm_phone_info(phone, &info);
	if (info.kind == CRM_PHONE_UNKNOWN)
	{
		memset(&scan, 0, sizeof(scan));
		scan.plus = true;
		scan.count = scan.first_group = phone->length;
		scan.groups = 1;
		memcpy(scan.digits, phone->digits, phone->length);
		scan.ext_count = phone->ext_length;
		memcpy(scan.ext, phone->ext, phone->ext_length);
		if (judge(&scan, home, &read, &judgement) && judgement.valid)
		{
			/* "+4402079460000": a trunk prefix after the country code */
			*phone = read;
			set_fixed(check, "PHONE_TRUNK_DIGIT", "The trunk prefix after the country code was dropped.");
			note_placeholder(phone, check);
			return true;
		}
		explain(&scan, &judgement, CRM_CHECK_ODD, 0, check);
		suggest_prefix(&scan, home, check);
		if (!info.possible)
			return true;
	}
	note_placeholder(phone, check);
	return true;
}

/* Letters that look like digits, and what stands on a telephone's keys. */
static int
lookalike(uint32_t c)
{
	switch (c)
	{
		case 'o': case 'O': case 0x43E: case 0x41E:	/* о О */
			return '0';
		case 'l': case 'I': case 'i': case '|': case 0x456: case 0x406:	/* і І */
			return '1';
		case 0x437: case 0x417:	/* з З */
			return '3';
		case 0x431:				/* б */
			return '6';
		default:
			return 0;
	}
}

static int
keypad(uint32_t c)
{
	static const char key[] = "22233344455566677778889999";

	c |= 0x20;
	return c >= 'a' && c <= 'z' ? key[c - 'a'] : 0;
}

/* Reads the digits with letters replaced; offers the number if it is one. */
static void
suggest_letters(const char *s, size_t length, size_t from, const PhoneRegion *home,
				int (*replace) (uint32_t), CrmCheck *check)
{
	char		digits[PHONE_SCAN_DIGITS];
	int			count = 0;
	int			replaced = 0;
	bool		plus = false;
	CrmPhone	phone;

	while (from < length)
	{
		PhoneChar	c = crm_phone_char(s, length, from);
		int			digit = c.kind == PHONE_DIGIT ? '0' + c.digit : replace(c.code);

		if (digit != 0)
		{
			if (count == PHONE_SCAN_DIGITS)
				return;
			digits[count++] = (char) digit;
			replaced += c.kind != PHONE_DIGIT;
		}
		else if (c.kind == PHONE_PLUS && count == 0)
			plus = true;
		else if (c.kind == PHONE_LETTER || c.kind == PHONE_OTHER || c.kind == PHONE_BROKEN)
			return;
		from += c.bytes;
	}
	if (replaced > 0 && try_digits(digits, count, plus, home, &phone))
		suggest(check, &phone);
}

/* Whether bytes of the text are no UTF-8; sets where. */
static bool
find_broken(const char *s, size_t length, size_t *at)
{
	for (*at = 0; *at < length;)
	{
		PhoneChar	c = crm_phone_char(s, length, *at);

		if (c.kind == PHONE_BROKEN)
			return true;
		*at += c.bytes;
	}
	return false;
}

static int
count_digits(const char *s, size_t from, size_t to)
{
	int			count = 0;

	for (size_t i = from; i < to; i++)
		count += s[i] >= '0' && s[i] <= '9';
	return count;
}

/*
 * Whether the text is one number, cut by line breaks: "8 916 123\n45 67".
 * Position is that of the first break.
 */
static bool
joins_lines(const char *s, size_t length, const char *region, CrmPhone *joined, size_t *position)
{
	char		text[MAX_INPUT];
	bool		broken = false;
	CrmCheck	verdict;

	for (size_t i = 0; i < length; i++)
	{
		bool		line_break = s[i] == '\n' || s[i] == '\r';

		text[i] = line_break ? ' ' : s[i];
		if (line_break && !broken && count_digits(s, 0, i) > 0)
		{
			broken = true;
			*position = i;
		}
	}
	return broken && crm_phone_parse(text, length, region, joined, &verdict) &&
		verdict.status != CRM_CHECK_ODD;
}

/* The text has more in it than one number: says what. */
static void
explain_rest(const char *s, size_t length, const char *region, const PhoneRegion *home,
			 size_t trouble, bool have_digits, CrmCheck *check)
{
	PhoneChar	c = crm_phone_char(s, length, trouble);
	size_t		position = 0;
	size_t		position_after = 0;
	size_t		start = 0;
	size_t		second_start;
	CrmPhone	first;
	CrmPhone	second;
	int			found = 0;
	char		shown[16];

	if (crm_phone_find(s, length, region, &position, &first, &start))
	{
		position_after = position;
		found = crm_phone_find(s, length, region, &position, &second, &second_start) ? 2 : 1;
	}

	if (found == 2)
	{
		crm_check_set(check, CRM_CHECK_BAD, "PHONE_SEVERAL", (int) second_start,
					  "There is more than one number in the text.");
		crm_check_hint(check, "Use crm.split_phones() to take them apart.");
	}
	else if (!have_digits)
	{
		crm_check_set(check, CRM_CHECK_BAD, "PHONE_NO_DIGITS", (int) trouble,
					  "There is no number in the text.");
		crm_check_hint(check, "Leave the field empty (NULL) when there is no number.");
	}
	else if (found == 0 && joins_lines(s, length, region, &first, &start))
	{
		crm_check_set(check, CRM_CHECK_BAD, "PHONE_LINE_BREAK", (int) start,
					  "A line break is in the middle of the number.");
		crm_check_hint(check, "Write the number on one line.");
		suggest(check, &first);
	}
	else if (c.kind == PHONE_DIGIT ||
			 (found == 1 && count_digits(s, 0, start) + count_digits(s, position_after, length) >= 4))
	{
		crm_check_set(check, CRM_CHECK_BAD, "PHONE_SEVERAL", (int) trouble,
					  "There are digits for more than one number in the text.");
		crm_check_hint(check, "Use crm.split_phones() to take them apart.");
	}
	else if (found == 1)
	{
		crm_check_set(check, CRM_CHECK_BAD, "PHONE_WORDS", (int) trouble,
					  "There is other text beside the number.");
		crm_check_hint(check, "Put the words into a field of their own; crm.split_phones() takes them apart.");
		suggest(check, &first);
	}
	else if (c.kind == PHONE_LETTER || lookalike(c.code) != 0)
	{
		bool		ignored;
		size_t		from = crm_phone_skip_lead(s, length, 0, &ignored);

		crm_check_set(check, CRM_CHECK_BAD, "PHONE_LETTER", (int) trouble,
					  "There are letters among the digits.");
		crm_check_hint(check, "Write digits; letters are never turned into digits silently.");
		suggest_letters(s, length, from, home, lookalike, check);
		if (check->suggestion[0] == '\0')
			suggest_letters(s, length, from, home, keypad, check);
	}
	else
	{
		crm_check_set(check, CRM_CHECK_BAD, "PHONE_CHARACTER", (int) trouble,
					  "The character \"%s\" cannot be part of a phone number here.",
					  crm_printable(shown, sizeof(shown), s + trouble, c.bytes));
		crm_check_hint(check, "Write digits, spaces, dashes and brackets only.");
	}
}

bool
crm_phone_read_simple(const char *s, size_t length, const char *region, CrmPhone *phone)
{
	PhoneScan	scan;
	Judgement	judgement;
	size_t		start;

	return !crm_phone_read_canonical(s, length, phone) &&
		crm_phone_scan_simple(s, length, &start, &scan) &&
		judge(&scan, crm_phone_region(region), phone, &judgement);
}

bool
crm_phone_parse(const char *s, size_t length, const char *region, CrmPhone *phone, CrmCheck *check)
{
	const PhoneRegion *home = crm_phone_region(region);
	PhoneScan	scan;
	Judgement	judgement;
	size_t		start;
	size_t		trouble;
	bool		label = false;
	bool		scanned;

	crm_check_init(check);
	if (crm_phone_read_canonical(s, length, phone))
		return parse_canonical(home, phone, check);
	if (length > MAX_INPUT)
	{
		crm_check_set(check, CRM_CHECK_BAD, "VALUE_TOO_LONG", MAX_INPUT,
					  "The value has %zu bytes; the longest accepted has %d.", length, MAX_INPUT);
		crm_check_hint(check, "Look for a missing delimiter or a text put into the wrong field.");
		return false;
	}

	if (crm_phone_scan_simple(s, length, &start, &scan))
	{
		scanned = true;
		trouble = length;
	}
	else
	{
		start = crm_phone_skip_lead(s, length, 0, &label);
		if (start >= length)
		{
			crm_check_set(check, CRM_CHECK_BAD, "PHONE_EMPTY", -1, "There is nothing to read.");
			crm_check_hint(check, "Leave the field empty (NULL) when there is no number.");
			return false;
		}
		scanned = crm_phone_scan(s, length, start, 0, &scan);
		trouble = scanned ? crm_phone_skip_tail(s, length, scan.end) : start;
	}

	if (trouble < length)
	{
		size_t		broken;
		bool		have_digits = scanned;

		if (find_broken(s, length, &broken))
		{
			crm_check_set(check, CRM_CHECK_BAD, "PHONE_ENCODING", (int) broken,
						  "The bytes are no valid UTF-8.");
			crm_check_hint(check, "Look at the encoding of the source.");
			return false;
		}
		for (size_t at = 0; at < length && !have_digits;)
		{
			PhoneChar	c = crm_phone_char(s, length, at);

			have_digits = c.kind == PHONE_DIGIT;
			at += c.bytes;
		}
		explain_rest(s, length, region, home, trouble, have_digits, check);
		return false;
	}

	if (!judge(&scan, home, phone, &judgement))
	{
		explain(&scan, &judgement, CRM_CHECK_BAD, (int) start, check);
		if (strcmp(judgement.code, "PHONE_EXTENSION_TOO_LONG") != 0)
		{
			size_t		position = 0;
			size_t		first_start;
			size_t		second_start;
			CrmPhone	first;
			CrmPhone	second;

			if (scan.count > 11 &&
				crm_phone_find(s, length, region, &position, &first, &first_start) &&
				crm_phone_find(s, length, region, &position, &second, &second_start))
			{
				crm_check_set(check, CRM_CHECK_BAD, "PHONE_SEVERAL", (int) second_start,
							  "There is more than one number in the text.");
				crm_check_hint(check, "Use crm.split_phones() to take them apart.");
			}
			else
				suggest_prefix(&scan, home, check);
		}
		return false;
	}

	if (judgement.code != NULL)
	{
		explain(&scan, &judgement, CRM_CHECK_ODD, (int) start, check);
		suggest_prefix(&scan, home, check);
	}
	else if (label)
		set_fixed(check, "PHONE_LABEL", "A word that says that this is a phone number was dropped.");
	else if (judgement.plan.retried)
		set_fixed(check, "PHONE_PREFIX", "The + before the international prefix was dropped.");
	else
		set_fixed(check, "PHONE_REWRITTEN", "The number was rewritten as + and digits.");
	note_placeholder(phone, check);
	return true;
}

/*
 * Tries the groups of digits from each place on, as many as make a number:
 * "12 8 916 123 45 67 8 495 111 22 33" has two.  Groups that are part of a
 * longer run are tried longest first.
 */
bool
crm_phone_find(const char *s, size_t length, const char *region, size_t *position,
			   CrmPhone *phone, size_t *start)
{
	const PhoneRegion *home = crm_phone_region(region);
	size_t		at = *position;

	while (at < length)
	{
		PhoneChar	c = crm_phone_char(s, length, at);
		size_t		limit = at + FIND_WINDOW < length ? at + FIND_WINDOW : length;
		PhoneScan	whole;

		if ((c.kind != PHONE_DIGIT && c.kind != PHONE_PLUS) ||
			!crm_phone_scan(s, length, at, limit, &whole))
		{
			at += c.bytes;
			continue;
		}
		for (int groups = whole.groups; groups > 0; groups--)
		{
			PhoneScan	scan;
			Judgement	judgement;

			if (groups == whole.groups)
				scan = whole;
			else
				crm_phone_scan(s, length, at, whole.group_end[groups - 1], &scan);
			/* A letter right behind the digits makes them something else. */
			if (scan.end < length && crm_phone_char(s, length, scan.end).kind == PHONE_LETTER)
				continue;
			if (judge(&scan, home, phone, &judgement) && judgement.valid)
			{
				*start = at;
				*position = scan.end;
				return true;
			}
		}
		/* On to the next group. */
		while (at < length)
		{
			c = crm_phone_char(s, length, at);
			at += c.bytes;
			if (c.kind != PHONE_DIGIT && c.kind != PHONE_PLUS)
				break;
		}
	}
	*position = length;
	return false;
}
