/*
 * phone_plan.c
 *		Asking the numbering plans.
 *
 * The table is one deterministic automaton over the digits of national numbers,
 * with a root for each country code; the state after the last digit has the
 * verdict.  See generate/phone_table.cc.
 */
#include <string.h>

#include "type/phone_plan.h"

#include "type/phone_table.inc"

/*
 * Of each state: the spread of its digits over its successors, where these are,
 * its verdict; how many digits may be anything from here on, and the state
 * behind them.
 */
#define STATE_WORDS 5

const PhoneCountry *
crm_phone_country(const char *digits, int length, int *code_length)
{
	int			code = 0;

	/* No code is the beginning of another one, and none begins with 0. */
	for (int i = 0; i < 3 && i < length; i++)
	{
		code = code * 10 + (digits[i] - '0');
		if (code == 0)
			return NULL;
		if (phone_country_of_code[code] != 0)
		{
			*code_length = i + 1;
			return &phone_country[phone_country_of_code[code]];
		}
	}
	return NULL;
}

const PhoneCountry *
crm_phone_country_of(const PhoneRegion *region)
{
	return &phone_country[region->country];
}

const PhoneRegion *
crm_phone_main_region(const PhoneCountry *country)
{
	return &phone_region[country->first_region];
}

const PhoneRegion *
crm_phone_region_at(const PhoneCountry *country, int number)
{
	return &phone_region[country->first_region + number];
}

const PhoneFormat *
crm_phone_format_at(int number)
{
	return &phone_format[number];
}

/* The region of two upper-case letters, or NULL. */
const PhoneRegion *
crm_phone_region(const char *id)
{
	int			index;

	if (id == NULL || id[0] < 'A' || id[0] > 'Z' || id[1] < 'A' || id[1] > 'Z' ||
		id[2] != '\0')
		return NULL;
	index = phone_region_of_letters[(id[0] - 'A') * 26 + id[1] - 'A'];
	return index == 0 ? NULL : &phone_region[index - 1];
}

bool
crm_phone_region_exists(const char *region, size_t length)
{
	char		id[3];

	if (length != 2)
		return false;
	memcpy(id, region, 2);
	id[2] = '\0';
	return crm_phone_region(id) != NULL;
}

const PhoneVerdict *
crm_phone_walk(const PhoneCountry *country, const char *national, int length)
{
	const uint16_t *state = &phone_state[country->root * STATE_WORDS];

	for (int i = 0; i < length;)
	{
		int			next;

		if (state[3] == 0)
			next = phone_target[state[1] + phone_spread[state[0] + (national[i++] - '0')]];
		else if (state[3] <= length - i)
		{
			i += state[3];
			next = state[4];
		}
		else
		{
			next = phone_target[state[1]];
			i++;
		}
		state = &phone_state[next * STATE_WORDS];
	}
	return &phone_verdict[state[2]];
}

PhoneLength
crm_phone_length(const PhoneRegion *region, int length)
{
	uint32_t	bit = UINT32_C(1) << (length < 31 ? length : 31);

	if (region->local_lengths & bit)
		return PHONE_LENGTH_LOCAL;
	if (region->lengths & bit)
		return PHONE_LENGTH_POSSIBLE;
	if ((region->lengths & (bit - 1)) == 0)
		return PHONE_LENGTH_SHORT;
	if (region->lengths < bit)
		return PHONE_LENGTH_LONG;
	return PHONE_LENGTH_BETWEEN;
}

/*
 * Words of a program: a set of digits (bits 0-9) to step over, or an operation
 * in the high bits with an operand.
 */
#define OP(word) ((word) >> 12)
#define OPERAND(word) ((word) & 0xFFF)
enum
{
	OP_DIGIT, OP_JUMP, OP_FORK, OP_SAVE, OP_END, OP_FAIL, OP_MATCH
};

/*
 * Backtracking with the preferences of a regular expression: the first way that
 * works is the match.  Programs have no loops, so the depth is bounded by the
 * pattern's nesting of choices and the time by its size.
 */
static int
run(const uint16_t *word, const char *digits, int length, int at, int group[4])
{
	for (;;)
	{
		switch (OP(*word))
		{
			case OP_DIGIT:
				if (at >= length || (*word >> (digits[at] - '0') & 1) == 0)
					return -1;
				at++;
				word++;
				break;
			case OP_JUMP:
				word += OPERAND(*word);
				break;
			case OP_FORK:
				{
					int			saved[4];
					int			end;

					memcpy(saved, group, sizeof(saved));
					end = run(word + 1, digits, length, at, group);
					if (end >= 0)
						return end;
					memcpy(group, saved, sizeof(saved));
					word += OPERAND(*word);
					break;
				}
			case OP_SAVE:
				group[OPERAND(*word) - 2] = at;
				word++;
				break;
			case OP_END:
				if (at != length)
					return -1;
				word++;
				break;
			case OP_MATCH:
				return at;
			default:
				return -1;
		}
	}
}

int
crm_phone_run(int program, const char *digits, int length, int group[4])
{
	group[0] = group[1] = group[2] = group[3] = -1;
	return run(&phone_program[program], digits, length, 0, group);
}

void
crm_phone_info(const CrmPhone *phone, CrmPhoneInfo *info)
{
	int			code_length;
	const PhoneCountry *country = crm_phone_country(phone->digits, phone->length, &code_length);
	const PhoneVerdict *verdict;

	memset(info, 0, sizeof(*info));
	info->national = phone->digits;
	info->national_length = phone->length;
	if (country == NULL)
		return;
	info->country_code = country->code;
	info->national += code_length;
	info->national_length -= code_length;
	verdict = crm_phone_walk(country, info->national, info->national_length);
	info->kind = (CrmPhoneKind) verdict->kind;
	if (verdict->region != 0)
		info->region = crm_phone_region_at(country, verdict->region - 1)->id;
	info->possible = crm_phone_length(crm_phone_main_region(country),
									  info->national_length) == PHONE_LENGTH_POSSIBLE;
}

/* Whether the number is a valid one of the region, whichever it belongs to. */
bool
crm_phone_valid_for(const CrmPhone *phone, const char *region)
{
	const PhoneRegion *wanted = crm_phone_region(region);
	int			code_length;
	const PhoneCountry *country = crm_phone_country(phone->digits, phone->length, &code_length);

	if (wanted == NULL || country == NULL || crm_phone_country_of(wanted) != country)
		return false;
	return crm_phone_walk(country, phone->digits + code_length,
						  phone->length - code_length)->valid >> wanted->index & 1;
}

const char *
crm_phone_kind_name(CrmPhoneKind kind)
{
	static const char *const name[] = {
		"unknown", "fixed", "mobile", "fixed_or_mobile", "toll_free", "premium",
		"shared", "voip", "personal", "pager", "uan", "voicemail"
	};

	return name[kind];
}

/*
 * Whether somebody filled a field in for lack of a number: the last seven
 * national digits are the same, or all of them count up or down.
 */
bool
crm_phone_placeholder(const CrmPhone *phone)
{
	const char *s = phone->digits;
	int			n = phone->length;
	int			code_length;
	bool		same = true;
	bool		up = true;
	bool		down = true;

	/* Nearly all others are told by their last three digits. */
	if (n >= 7 && (s[n - 1] != s[n - 2] || s[n - 2] != s[n - 3]))
	{
		int			step = (s[n - 1] - s[n - 2] + 10) % 10;

		if ((step != 1 && step != 9) || (s[n - 2] - s[n - 3] + 10) % 10 != step)
			return false;
	}
	if (crm_phone_country(s, n, &code_length) != NULL)
	{
		s += code_length;
		n -= code_length;
	}
	if (n < 4)
		return false;
	for (int i = n > 7 ? n - 6 : 1; i < n && same; i++)
		same = s[i] == s[i - 1];
	for (int i = 1; i < n && (up || down); i++)
	{
		up = up && (s[i] - s[i - 1] + 10) % 10 == 1;
		down = down && (s[i - 1] - s[i] + 10) % 10 == 1;
	}
	return same || up || down;
}

const char *
crm_phone_metadata_version(void)
{
	return PHONE_METADATA_VERSION;
}

uint64_t
crm_phone_metadata_fingerprint(void)
{
	return PHONE_METADATA_FINGERPRINT;
}
