/*
 * date_value.c
 *		Calendar dates as people and other programs write them.
 *
 * The server's own date input follows DateStyle, takes "yesterday" and reads
 * 01/02/2003 as the session pleases.  A file has one habit for all its rows,
 * which the caller states; what is certain does not need it.
 */
#include <string.h>

#include "type/date_value.h"

/* Beginnings of month names; a longer word that begins so is that month. */
static const struct
{
	const char *name;
	int			month;
}			month_names[] =
{
	{"jan", 1}, {"feb", 2}, {"mar", 3}, {"apr", 4}, {"may", 5}, {"jun", 6},
	{"jul", 7}, {"aug", 8}, {"sep", 9}, {"oct", 10}, {"nov", 11}, {"dec", 12},
	{"янв", 1}, {"фев", 2}, {"мар", 3}, {"апр", 4}, {"май", 5}, {"мая", 5},
	{"июн", 6}, {"июл", 7}, {"авг", 8}, {"сен", 9}, {"окт", 10}, {"ноя", 11},
	{"дек", 12}
};

typedef struct DatePart
{
	int			value;
	int			digits;			/* 0: a month's name */
	char		before;			/* separator in front */
} DatePart;

static bool
is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int
days_of(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Lower case of ASCII and of the Cyrillic letters that month names begin with. */
static void
fold_word(const char *word, size_t length, char *out, size_t size)
{
	size_t		n = 0;

	for (size_t i = 0; i < length && n + 1 < size; i++)
	{
		unsigned char c = word[i];

		if (c >= 'A' && c <= 'Z')
			out[n++] = c + 32;
		else if (c == 0xD0 && i + 1 < length && n + 2 < size &&
				 (unsigned char) word[i + 1] >= 0x90 && (unsigned char) word[i + 1] <= 0xAF)
		{
			unsigned char next = (unsigned char) word[++i] + 0x20;

			out[n++] = next > 0xBF ? (char) 0xD1 : (char) 0xD0;
			out[n++] = next > 0xBF ? (char) (next - 0x40) : (char) next;
		}
		else
			out[n++] = c;
	}
	out[n] = '\0';
}

static int
month_by_name(const char *word, size_t length)
{
	char		folded[32];

	fold_word(word, length, folded, sizeof(folded));
	for (size_t i = 0; i < sizeof(month_names) / sizeof(month_names[0]); i++)
		if (strncmp(folded, month_names[i].name, strlen(month_names[i].name)) == 0)
			return month_names[i].month;
	return 0;
}

static bool
refuse(CrmCheck *check, const char *code, const char *message)
{
	crm_check_set(check, CRM_CHECK_BAD, code, 0, "%s", message);
	crm_check_hint(check, "Write the date as 2026-12-31.");
	return false;
}

static bool
is_letter(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c >= 0x80;
}

/*
 * Cuts the text into at most three numbers or month names; what follows the
 * third must be nothing or a time.  Returns the number of parts, 0 for junk.
 */
static int
split_parts(const char *p, const char *end, DatePart *parts, bool *has_time)
{
	int			count = 0;

	*has_time = false;
	while (p < end && count < 3)
	{
		DatePart   *part = &parts[count];
		const char *start;

		part->before = '\0';
		while (p < end && strchr(" -/.,", *p) != NULL)
		{
			if (part->before == '\0' || part->before == ' ')
				part->before = *p;
			p++;
		}
		start = p;
		part->value = 0;
		while (p < end && *p >= '0' && *p <= '9' && p - start < 8)
			part->value = part->value * 10 + (*p++ - '0');
		part->digits = p - start;
		if (part->digits == 0)
		{
			while (p < end && is_letter(*p))
				p++;
			part->value = month_by_name(start, p - start);
			if (part->value == 0)
				return 0;
		}
		count++;
		if (count == 1 && part->digits == 8)
			break;
	}
	while (p < end && strchr(" .,", *p) != NULL)
		p++;
	/* "г." after a Russian date, a time after any. */
	if (end - p >= 2 && memcmp(p, "г", 2) == 0)
	{
		p += 2;
		while (p < end && strchr(" .", *p) != NULL)
			p++;
	}
	if (p < end)
	{
		const char *time = *p == 'T' ? p + 1 : p;

		if (end - time < 4 || memchr(time, ':', 3) == NULL ||
			strspn(time, "0123456789:.+-ZAPMapm ") < (size_t) (end - time))
			return 0;
		*has_time = true;
	}
	return count;
}

bool
crm_date_parse(const char *text, size_t length, bool month_first,
			   CrmDate *date, CrmCheck *check)
{
	const char *p = text;
	const char *end = text + length;
	char		copy[64];
	DatePart	parts[3];
	bool		has_time;
	int			count;

	crm_check_init(check);
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\n' || end[-1] == '\r'))
		end--;
	if (p == end)
		return refuse(check, "DATE_EMPTY", "There is no date.");
	if ((size_t) (end - p) >= sizeof(copy))
		return refuse(check, "DATE_SYNTAX", "The value is too long to be a date.");
	/* strchr() finds the terminator too, so the parts need one of their own. */
	memcpy(copy, p, end - p);
	copy[end - p] = '\0';
	if (memchr(copy, '\0', end - p) != NULL)
		return refuse(check, "DATE_SYNTAX", "The value is not a date.");
	count = split_parts(copy, copy + (end - p), parts, &has_time);

	if (count == 1 && parts[0].digits == 8)
	{
		date->year = parts[0].value / 10000;
		date->month = parts[0].value / 100 % 100;
		date->day = parts[0].value % 100;
	}
	else if (count != 3)
		return refuse(check, "DATE_SYNTAX", "The value is not a date.");
	else if (parts[0].digits == 4 && parts[1].digits != 4)
	{
		date->year = parts[0].value;
		date->month = parts[1].value;
		date->day = parts[2].value;
	}
	else if (parts[2].digits == 4)
	{
		bool		day_second;

		date->year = parts[2].value;
		if (parts[0].digits == 0)
			day_second = true;
		else if (parts[1].digits == 0 || parts[1].before == '.')
			day_second = false;
		else if (parts[0].value > 12 || parts[1].value > 12)
			day_second = parts[1].value > 12;
		else
			day_second = month_first;
		date->month = parts[day_second ? 0 : 1].value;
		date->day = parts[day_second ? 1 : 0].value;
	}
	else if (parts[0].digits > 0 && parts[0].digits <= 2 && parts[2].digits == 2)
		return refuse(check, "DATE_TWO_DIGIT_YEAR", "The year has two digits only, the century is not known.");
	else
		return refuse(check, "DATE_SYNTAX", "The value is not a date.");

	if (date->month < 1 || date->month > 12)
	{
		crm_check_set(check, CRM_CHECK_BAD, "DATE_MONTH", 0, "There is no month %d.", date->month);
		crm_check_hint(check, "Write the date as 2026-12-31; state whether the file writes the day or the month first.");
		return false;
	}
	if (date->year < 1 || date->day < 1 || date->day > days_of(date->year, date->month))
	{
		crm_check_set(check, CRM_CHECK_BAD, "DATE_DAY", 0, "Month %d of %d has no day %d.",
					  date->month, date->year, date->day);
		crm_check_hint(check, "Write the date as 2026-12-31.");
		return false;
	}
	if (has_time)
		crm_check_set(check, CRM_CHECK_FIXED, "DATE_TIME_DROPPED", 0, "The time behind the date was dropped.");
	return true;
}
