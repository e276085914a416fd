/*
 * recurrence_text.c
 *		Reading and writing recurrence rules; see recurrence.h.
 *
 * What RFC 5545 forbids is refused, with a word on what is wrong.
 */
#include "time/recurrence.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "time/holiday.h"

static const char *const frequencies[] = {
	"YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"
};
static const char *const weekdays[] = {"MO", "TU", "WE", "TH", "FR", "SA", "SU"};

/* The text that is being read. */
typedef struct Reader
{
	const char *text;
	CrmRecurrence *rule;
	CrmRecurrenceError *error;
} Reader;

/* A piece of it. */
typedef struct Piece
{
	const char *begin;
	size_t		length;
} Piece;

static bool
fail(Reader *reader, Piece piece, const char *code, const char *message, const char *hint)
{
	reader->error->code = code;
	reader->error->message = message;
	reader->error->hint = hint;
	reader->error->at = piece.begin - reader->text;
	reader->error->length = piece.length;
	return false;
}

static bool
is_word(Piece piece, const char *word)
{
	return piece.length == strlen(word) && strncasecmp(piece.begin, word, piece.length) == 0;
}

/* Takes what comes before a separator off a piece; false when it is used up. */
static bool
split(Piece *rest, const char *separators, Piece *part)
{
	size_t		length = 0;

	if (rest->begin == NULL)
		return false;
	while (length < rest->length && strchr(separators, rest->begin[length]) == NULL)
		length++;
	part->begin = rest->begin;
	part->length = length;
	if (length < rest->length)
	{
		rest->begin += length + 1;
		rest->length -= length + 1;
	}
	else
		rest->begin = NULL;
	return true;
}

/* A number with a sign when that is allowed. */
static bool
read_number(Piece piece, bool may_be_signed, int *number)
{
	size_t		i = 0;
	bool		is_negative = false;
	int			value = 0;

	if (may_be_signed && piece.length > 0 && (piece.begin[0] == '-' || piece.begin[0] == '+'))
		is_negative = piece.begin[i++] == '-';
	if (i == piece.length || piece.length - i > 7)
		return false;
	for (; i < piece.length; i++)
	{
		if (piece.begin[i] < '0' || piece.begin[i] > '9')
			return false;
		value = value * 10 + piece.begin[i] - '0';
	}
	*number = is_negative ? -value : value;
	return true;
}

static int
compare_values(const void *a, const void *b)
{
	return *(const int16_t *) a - *(const int16_t *) b;
}

/* A list of numbers from minimum to maximum, or as far from the end. */
static bool
read_list(Reader *reader, Piece value, int minimum, int maximum, bool may_be_negative, CrmRecurrenceList *list)
{
	Piece		rest = value;
	Piece		item;
	int			kept = 0;

	while (split(&rest, ",", &item))
	{
		int			number;

		if (!read_number(item, may_be_negative, &number) ||
			abs(number) < minimum || abs(number) > maximum)
			return fail(reader, item, "RECURRENCE_VALUE", "a number is missing or out of range",
						may_be_negative ? "Days, weeks and positions count from 1, from the end with a minus." :
						"Months are 1 to 12, hours 0 to 23, minutes and seconds 0 to 59.");
		if (list->count == (int) (sizeof(list->values) / sizeof(list->values[0])))
			return fail(reader, item, "RECURRENCE_TOO_MANY", "too many values", NULL);
		list->values[list->count++] = number;
	}
	qsort(list->values, list->count, sizeof(int16_t), compare_values);
	for (int i = 0; i < list->count; i++)
		if (i == 0 || list->values[i] != list->values[kept - 1])
			list->values[kept++] = list->values[i];
	list->count = kept;
	return true;
}

static bool
read_weekday(Piece piece, int *weekday)
{
	for (int i = 0; i < 7; i++)
		if (is_word(piece, weekdays[i]))
		{
			*weekday = i + 1;
			return true;
		}
	return false;
}

static bool
read_days(Reader *reader, Piece value)
{
	CrmRecurrence *rule = reader->rule;
	Piece		rest = value;
	Piece		item;

	while (split(&rest, ",", &item))
	{
		int			nth = 0;
		int			weekday;
		bool		is_new = true;

		if (item.length < 2 ||
			!read_weekday((Piece) {item.begin + item.length - 2, 2}, &weekday) ||
			(item.length > 2 && (!read_number((Piece) {item.begin, item.length - 2}, true, &nth) ||
								 nth == 0 || abs(nth) > 53)))
			return fail(reader, item, "RECURRENCE_WEEKDAY", "not a weekday",
						"Weekdays are MO, TU, WE, TH, FR, SA and SU; 2TU is the second Tuesday, -1FR the last Friday.");
		for (int i = 0; i < rule->day_count; i++)
			is_new &= rule->days[i].nth != nth || rule->days[i].weekday != weekday;
		if (!is_new)
			continue;
		if (rule->day_count == (int) (sizeof(rule->days) / sizeof(rule->days[0])))
			return fail(reader, item, "RECURRENCE_TOO_MANY", "too many values", NULL);
		rule->days[rule->day_count].nth = nth;
		rule->days[rule->day_count++].weekday = weekday;
	}
	return true;
}

/* 20260131 or 20260131T093000, with Z in UTC. */
static bool
read_time(Reader *reader, Piece piece, CrmRecurrenceTime *time)
{
	int			field[6] = {0};
	static const int width[] = {4, 2, 2, 2, 2, 2};
	size_t		at = 0;
	Piece		digits = piece;

	memset(time, 0, sizeof(*time));
	if (digits.length > 0 && (digits.begin[digits.length - 1] == 'Z' || digits.begin[digits.length - 1] == 'z'))
	{
		time->is_utc = true;
		digits.length--;
	}
	time->is_day = digits.length == 8;
	if ((!time->is_day && digits.length != 15) || (time->is_day && time->is_utc) ||
		(digits.length == 15 && digits.begin[8] != 'T' && digits.begin[8] != 't'))
		return fail(reader, piece, "RECURRENCE_TIME", "not a date or time",
					"Write a day as 20260131, a time as 20260131T093000, one of UTC as 20260131T093000Z.");
	for (int i = 0; i < (time->is_day ? 3 : 6); i++)
	{
		if (i == 3)
			at++;
		if (!read_number((Piece) {digits.begin + at, width[i]}, false, &field[i]))
			return fail(reader, piece, "RECURRENCE_TIME", "not a date or time",
						"Write a day as 20260131, a time as 20260131T093000, one of UTC as 20260131T093000Z.");
		at += width[i];
	}
	if (field[0] < 1 || field[1] < 1 || field[1] > 12 || field[2] < 1 || field[2] > crm_days_in_month(field[0], field[1]) ||
		field[3] > 23 || field[4] > 59 || field[5] > 59)
		return fail(reader, piece, "RECURRENCE_TIME", "there is no such day or time", NULL);
	time->seconds = (int64_t) crm_day_of_date(field[0], field[1], field[2]) * 86400 + field[3] * 3600 + field[4] * 60 + field[5];
	return true;
}

static bool
read_part(Reader *reader, Piece name, Piece value, unsigned *seen)
{
	static const char *const names[] = {
		"FREQ", "UNTIL", "COUNT", "INTERVAL", "BYSECOND", "BYMINUTE", "BYHOUR", "BYDAY",
		"BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH", "BYSETPOS", "WKST"
	};
	CrmRecurrence *rule = reader->rule;
	int			part = 0;
	int			frequency = 0;

	while (part < 14 && !is_word(name, names[part]))
		part++;
	if (part == 14)
		return fail(reader, name, "RECURRENCE_PART", "unknown part of a rule",
					"Parts are FREQ, INTERVAL, COUNT, UNTIL, WKST, BYSETPOS and BYMONTH, BYWEEKNO, BYYEARDAY, BYMONTHDAY, BYDAY, BYHOUR, BYMINUTE, BYSECOND.");
	if (*seen & (1u << part))
		return fail(reader, name, "RECURRENCE_TWICE", "a part of the rule is given twice", NULL);
	*seen |= 1u << part;
	switch (part)
	{
		case 0:
			while (frequency < 7 && !is_word(value, frequencies[frequency]))
				frequency++;
			if (frequency == 7)
				return fail(reader, value, "RECURRENCE_FREQ", "unknown frequency",
							"FREQ is YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, MINUTELY or SECONDLY.");
			rule->frequency = (CrmFrequency) frequency;
			return true;
		case 1:
			rule->has_until = true;
			return read_time(reader, value, &rule->until);
		case 2:
			if (!read_number(value, false, &rule->count) || rule->count < 1 || rule->count > CRM_RECURRENCE_MAX_COUNT)
				return fail(reader, value, "RECURRENCE_COUNT", "COUNT is a number from 1 to 1000000", NULL);
			return true;
		case 3:
			if (!read_number(value, false, &rule->interval) || rule->interval < 1 || rule->interval > CRM_RECURRENCE_MAX_INTERVAL)
				return fail(reader, value, "RECURRENCE_INTERVAL", "INTERVAL is a number from 1 to 10000", NULL);
			return true;
		case 4:
			if (!read_list(reader, value, 0, 60, false, &rule->seconds))
				return false;
			/* A leap second is the one before it to clocks that have none. */
			if (rule->seconds.values[rule->seconds.count - 1] == 60)
			{
				if (rule->seconds.count > 1 && rule->seconds.values[rule->seconds.count - 2] == 59)
					rule->seconds.count--;
				else
					rule->seconds.values[rule->seconds.count - 1] = 59;
			}
			return true;
		case 5:
			return read_list(reader, value, 0, 59, false, &rule->minutes);
		case 6:
			return read_list(reader, value, 0, 23, false, &rule->hours);
		case 7:
			return read_days(reader, value);
		case 8:
			return read_list(reader, value, 1, 31, true, &rule->month_days);
		case 9:
			return read_list(reader, value, 1, 366, true, &rule->year_days);
		case 10:
			return read_list(reader, value, 1, 53, true, &rule->weeks);
		case 11:
			return read_list(reader, value, 1, 12, false, &rule->months);
		case 12:
			return read_list(reader, value, 1, 366, true, &rule->positions);
		default:
			if (!read_weekday(value, &rule->week_start))
				return fail(reader, value, "RECURRENCE_WEEKDAY", "not a weekday", "WKST is MO, TU, WE, TH, FR, SA or SU.");
			return true;
	}
}

/* Whether any month has any of the days of a month. */
static bool
has_month_day(const CrmRecurrence *rule)
{
	if (rule->months.count == 0 || rule->month_days.count == 0)
		return true;
	for (int m = 0; m < rule->months.count; m++)
		for (int d = 0; d < rule->month_days.count; d++)
			if (abs(rule->month_days.values[d]) <= crm_days_in_month(2000, rule->months.values[m]))
				return true;
	return false;
}

/* What the parts may not be together. */
static bool
check_parts(Reader *reader, Piece whole, unsigned seen)
{
	CrmRecurrence *rule = reader->rule;
	CrmFrequency frequency = rule->frequency;
	int			nth = 0;

	for (int i = 0; i < rule->day_count; i++)
		if (abs(rule->days[i].nth) > nth)
			nth = abs(rule->days[i].nth);
	if (!(seen & 1))
		return fail(reader, whole, "RECURRENCE_FREQ", "FREQ is missing", "A rule says how often, such as FREQ=WEEKLY.");
	if (rule->count > 0 && rule->has_until)
		return fail(reader, whole, "RECURRENCE_END", "COUNT and UNTIL exclude each other", NULL);
	if (rule->weeks.count > 0 && frequency != CRM_YEARLY)
		return fail(reader, whole, "RECURRENCE_MIX", "BYWEEKNO goes with FREQ=YEARLY only", NULL);
	if (rule->year_days.count > 0 && (frequency == CRM_MONTHLY || frequency == CRM_WEEKLY || frequency == CRM_DAILY))
		return fail(reader, whole, "RECURRENCE_MIX", "BYYEARDAY does not go with FREQ=MONTHLY, WEEKLY or DAILY", NULL);
	if (rule->month_days.count > 0 && frequency == CRM_WEEKLY)
		return fail(reader, whole, "RECURRENCE_MIX", "BYMONTHDAY does not go with FREQ=WEEKLY", NULL);
	if (nth > 0 && ((frequency != CRM_YEARLY && frequency != CRM_MONTHLY) || rule->weeks.count > 0))
		return fail(reader, whole, "RECURRENCE_MIX", "the nth weekday is of a month or year: it goes with FREQ=MONTHLY or YEARLY, without BYWEEKNO", NULL);
	if (nth > 5 && (frequency == CRM_MONTHLY || rule->months.count > 0))
		return fail(reader, whole, "RECURRENCE_NEVER", "no month has six of a weekday", NULL);
	if (rule->positions.count > 0 &&
		rule->seconds.count + rule->minutes.count + rule->hours.count + rule->day_count + rule->month_days.count +
		rule->year_days.count + rule->weeks.count + rule->months.count == 0)
		return fail(reader, whole, "RECURRENCE_MIX", "BYSETPOS chooses among what another BY... gives", NULL);
	if (!has_month_day(rule))
		return fail(reader, whole, "RECURRENCE_NEVER", "no such month has such a day", NULL);
	return true;
}

static bool
read_rule(Reader *reader, Piece rest)
{
	Piece		whole = rest;
	Piece		part;
	unsigned	seen = 0;

	while (split(&rest, ";", &part))
	{
		Piece		value = part;
		Piece		name;

		/* A semicolon at the end is common. */
		if (part.length == 0 && rest.begin == NULL && seen != 0)
			break;
		(void) split(&value, "=", &name);
		if (value.begin == NULL || value.length == 0)
			return fail(reader, part, "RECURRENCE_SYNTAX", "not a part of a rule", "A rule is a list such as FREQ=MONTHLY;BYDAY=-1FR.");
		if (!read_part(reader, name, value, &seen))
			return false;
	}
	return check_parts(reader, whole, seen);
}

static bool
read_except(Reader *reader, Piece rest)
{
	CrmRecurrence *rule = reader->rule;
	Piece		item;

	while (split(&rest, ",", &item))
	{
		if (rule->except_count == CRM_RECURRENCE_MAX_EXCEPT)
			return fail(reader, item, "RECURRENCE_TOO_MANY", "too many dates are excepted: 500 are allowed", NULL);
		if (!read_time(reader, item, &rule->except[rule->except_count++]))
			return false;
	}
	return true;
}

static Piece
trim(Piece piece)
{
	while (piece.length > 0 && strchr(" \t\r\n", piece.begin[0]) != NULL && piece.begin[0] != '\0')
	{
		piece.begin++;
		piece.length--;
	}
	while (piece.length > 0 && strchr(" \t\r\n", piece.begin[piece.length - 1]) != NULL && piece.begin[piece.length - 1] != '\0')
		piece.length--;
	return piece;
}

bool
crm_recurrence_parse(const char *text, size_t length, CrmRecurrence *rule, CrmRecurrenceError *error)
{
	Reader		reader = {text, rule, error};
	Piece		rest = {text, length};
	Piece		line;
	bool		has_rule = false;

	memset(rule, 0, sizeof(*rule));
	memset(error, 0, sizeof(*error));
	rule->interval = 1;
	rule->week_start = 1;
	if (length > CRM_RECURRENCE_MAX_TEXT)
		return fail(&reader, (Piece) {text, 0}, "RECURRENCE_TOO_LONG", "longer than 10000 bytes", NULL);
	/* No text of the server has it, and strchr() would find it. */
	if (memchr(text, '\0', length) != NULL)
		return fail(&reader, (Piece) {text, 0}, "RECURRENCE_SYNTAX", "a zero byte", NULL);
	while (split(&rest, "\n", &line))
	{
		Piece		value;
		Piece		name;

		line = trim(line);
		if (line.length == 0)
			continue;
		value = line;
		(void) split(&value, ":", &name);
		if (value.begin == NULL && !has_rule)
		{
			has_rule = true;
			if (!read_rule(&reader, line))
				return false;
		}
		else if (value.begin != NULL && is_word(name, "RRULE") && !has_rule)
		{
			has_rule = true;
			if (!read_rule(&reader, value))
				return false;
		}
		else if (value.begin != NULL && name.length >= 6 && strncasecmp(name.begin, "EXDATE", 6) == 0 &&
				 (name.length == 6 || name.begin[6] == ';'))
		{
			if (!read_except(&reader, value))
				return false;
		}
		else
			return fail(&reader, line, "RECURRENCE_LINE", "not a line of a recurrence",
						"It has one RRULE:..., and EXDATE:... for what is left out. The start is given apart.");
	}
	if (!has_rule)
		return fail(&reader, (Piece) {text, 0}, "RECURRENCE_FREQ", "there is no rule", "A rule says how often, such as FREQ=WEEKLY.");
	return true;
}

/* ------------------------------------------------------------------
 * Writing.
 * ------------------------------------------------------------------ */

typedef struct Writer
{
	char	   *buffer;
	size_t		size;
	size_t		length;
} Writer;

static void __attribute__((format(printf, 2, 3)))
put(Writer *writer, const char *format,...)
{
	size_t		room = writer->length < writer->size ? writer->size - writer->length : 0;
	va_list		arguments;
	int			n;

	va_start(arguments, format);
	n = vsnprintf(room > 0 ? writer->buffer + writer->length : NULL, room, format, arguments);
	va_end(arguments);
	if (n > 0)
		writer->length += n;
}

static void
put_list(Writer *writer, const char *name, const CrmRecurrenceList *list)
{
	for (int i = 0; i < list->count; i++)
	{
		if (i == 0)
			put(writer, ";%s=", name);
		put(writer, "%s%d", i > 0 ? "," : "", list->values[i]);
	}
}

size_t
crm_recurrence_print(const CrmRecurrence *rule, char *buffer, size_t size)
{
	Writer		writer = {buffer, size, 0};

	put(&writer, "FREQ=%s", frequencies[rule->frequency]);
	if (rule->has_until)
	{
		int			day = (int) (rule->until.seconds / 86400 - (rule->until.seconds % 86400 < 0));
		int			second = (int) (rule->until.seconds - (int64_t) day * 86400);
		int			year;
		int			month;
		int			day_of_month;

		crm_date_of_day(day, &year, &month, &day_of_month);
		put(&writer, ";UNTIL=%04d%02d%02d", year, month, day_of_month);
		if (!rule->until.is_day)
			put(&writer, "T%02d%02d%02d%s", second / 3600, second / 60 % 60, second % 60, rule->until.is_utc ? "Z" : "");
	}
	if (rule->count > 0)
		put(&writer, ";COUNT=%d", rule->count);
	if (rule->interval > 1)
		put(&writer, ";INTERVAL=%d", rule->interval);
	put_list(&writer, "BYSECOND", &rule->seconds);
	put_list(&writer, "BYMINUTE", &rule->minutes);
	put_list(&writer, "BYHOUR", &rule->hours);
	for (int i = 0; i < rule->day_count; i++)
	{
		put(&writer, i == 0 ? ";BYDAY=" : ",");
		if (rule->days[i].nth != 0)
			put(&writer, "%d", rule->days[i].nth);
		put(&writer, "%s", weekdays[rule->days[i].weekday - 1]);
	}
	put_list(&writer, "BYMONTHDAY", &rule->month_days);
	put_list(&writer, "BYYEARDAY", &rule->year_days);
	put_list(&writer, "BYWEEKNO", &rule->weeks);
	put_list(&writer, "BYMONTH", &rule->months);
	put_list(&writer, "BYSETPOS", &rule->positions);
	if (rule->week_start != 1)
		put(&writer, ";WKST=%s", weekdays[rule->week_start - 1]);
	return writer.length;
}
