/*
 * sequence.c
 *		Patterns over the events of a contact: (?1)(?t<=3600).*(?2).
 *
 * A pattern is a row of items, each an event with a condition, with what may
 * lie between it and the item before.  An event "reaches" an item when it can
 * be that item of a match of the items so far.  To know that of an item that
 * may lie apart, it is enough to know the latest event that reached the item
 * before and lies far enough back: if that one is too far, all are.  So each
 * item has one pointer that only moves on, and a pattern costs items * events
 * steps, whatever it is.
 */
#include "sales/event.h"

#include <string.h>

typedef struct Reader
{
	const char *text;
	size_t		length;
	size_t		at;
	CrmCheck   *check;
} Reader;

static bool
bad(Reader *r, size_t position, const char *message, const char *hint)
{
	crm_check_set(r->check, CRM_CHECK_BAD, "SEQUENCE", (int) position, "%s", message);
	crm_check_hint(r->check, "%s", hint);
	return false;
}

static void
skip_space(Reader *r)
{
	while (r->at < r->length && strchr(" \t\r\n", r->text[r->at]) != NULL && r->text[r->at] != '\0')
		r->at++;
}

static bool
take(Reader *r, const char *word)
{
	size_t		length = strlen(word);

	if (r->length - r->at < length || memcmp(r->text + r->at, word, length) != 0)
		return false;
	r->at += length;
	return true;
}

static bool
is_digit(const Reader *r)
{
	return r->at < r->length && r->text[r->at] >= '0' && r->text[r->at] <= '9';
}

static bool
read_number(Reader *r, int64_t *number)
{
	size_t		start = r->at;

	*number = 0;
	for (; is_digit(r); r->at++)
	{
		if (r->at - start == 9)
			return bad(r, start, "The number has more than 9 digits.", "Write a greater unit, such as 30 days.");
		*number = *number * 10 + (r->text[r->at] - '0');
	}
	if (r->at == start)
		return bad(r, start, "A number must be here.", "Conditions are numbered from 1: (?1); times are whole numbers: (?t<=3600).");
	return true;
}

/* Seconds, if no unit is named. */
static int64_t
read_unit(Reader *r)
{
	static const struct
	{
		const char *name;
		int64_t		seconds;
	}			unit[] = {{"second", 1}, {"minute", 60}, {"hour", 3600}, {"day", 86400}, {"week", 604800}};

	for (size_t i = 0; i < sizeof(unit) / sizeof(unit[0]); i++)
	{
		if (take(r, unit[i].name))
		{
			(void) take(r, "s");
			return unit[i].seconds;
		}
	}
	return 1;
}

/* (?t op number unit), behind the t. */
static bool
read_time(Reader *r, CrmSequenceItem *next)
{
	enum {LE, GE, EQ, LT, GT} operator;
	int64_t		span;
	size_t		number_at;
	int64_t		least = INT64_MIN;
	int64_t		most = INT64_MAX;

	skip_space(r);
	if (take(r, "<="))
		operator = LE;
	else if (take(r, ">="))
		operator = GE;
	else if (take(r, "=="))
		operator = EQ;
	else if (take(r, "<"))
		operator = LT;
	else if (take(r, ">"))
		operator = GT;
	else
		return bad(r, r->at, "One of <= < >= > == must be here.", "A limit of time is written (?t<=3600) or (?t <= 1 hour).");
	skip_space(r);
	number_at = r->at;
	if (!read_number(r, &span))
		return false;
	skip_space(r);
	if (__builtin_mul_overflow(span, read_unit(r) * INT64_C(1000000), &span))
		return bad(r, number_at, "The time is too long.", "It must be less than 292,000 years.");
	if (operator == GE || operator == EQ)
		least = span;
	else if (operator == GT)
		least = span + 1;
	if (operator == LE || operator == EQ)
		most = span;
	else if (operator == LT)
		most = span - 1;
	if (least > next->least)
		next->least = least;
	if (most < next->most)
		next->most = most;
	next->apart = true;
	return true;
}

bool
crm_sequence_parse(const char *text, size_t length, int conditions, CrmSequence *sequence, CrmCheck *check)
{
	static const CrmSequenceItem adjacent = {0, false, INT64_MIN, INT64_MAX};
	Reader		r = {text, length, 0, check};
	CrmSequenceItem next = adjacent;
	size_t		timed_at = 0;	/* where a limit of time waits for its event */
	bool		timed = false;

	crm_check_init(check);
	sequence->items = 0;
	for (;;)
	{
		size_t		start;

		skip_space(&r);
		if (r.at == length)
			break;
		start = r.at;
		if (take(&r, ".*"))
		{
			next.apart = true;
			continue;
		}
		if (take(&r, "."))
			next.any_of = UINT64_MAX;
		else if (take(&r, "(?t"))
		{
			if (sequence->items == 0)
				return bad(&r, start, "There is no event before the limit of time.", "It stands between two events: (?1)(?t<=3600)(?2).");
			if (!read_time(&r, &next))
				return false;
			timed = true;
			timed_at = start;
		}
		else if (take(&r, "(?"))
		{
			int64_t		number;
			size_t		number_at = r.at;

			if (!read_number(&r, &number))
				return false;
			if (number < 1 || number > conditions)
			{
				bad(&r, number_at, "", "");
				crm_check_set(check, CRM_CHECK_BAD, "SEQUENCE", (int) number_at, "There is no condition %d.", (int) number);
				crm_check_hint(check, conditions == 1 ? "There is 1 condition." : "There are %d conditions, numbered from 1.", conditions);
				return false;
			}
			next.any_of = UINT64_C(1) << (number - 1);
		}
		else
			return bad(&r, start, "This is no part of a pattern.", "Parts are (?1), the event of condition 1; . for any event; .* for any number of events; (?t<=3600) for the seconds between two events.");
		if (text[start] == '(')
		{
			skip_space(&r);
			if (!take(&r, ")"))
				return bad(&r, r.at, "A closing parenthesis must be here.", text[start + 2] == 't' ? "Units are seconds, minutes, hours, days and weeks." : "An event is written (?1).");
		}
		if (next.any_of == 0)
			continue;
		if (sequence->items == CRM_SEQUENCE_ITEMS)
			return bad(&r, start, "The pattern has more than 64 events.", "Take a shorter one.");
		sequence->item[sequence->items++] = next;
		next = adjacent;
		timed = false;
	}
	if (timed)
		return bad(&r, timed_at, "There is no event behind the limit of time.", "It stands between two events: (?1)(?t<=3600)(?2).");
	if (sequence->items == 0)
		return bad(&r, length, "The pattern has no event.", "An event is written (?1), after the number of its condition.");
	return true;
}

int64_t
crm_sequence_count(const CrmSequence *sequence, const CrmEvent *event, size_t count, bool one,
				   uint64_t *reached, void (*tick) (void))
{
	int64_t		found = 0;
	size_t		begin = 0;		/* first event behind the last match */
	size_t		pointer[CRM_SEQUENCE_ITEMS] = {0};	/* events before it lie far
													 * enough back */
	size_t		latest[CRM_SEQUENCE_ITEMS] = {0};	/* 1 + the latest of them
													 * that reached the item
													 * before */
	int			last = sequence->items - 1;

	for (size_t e = 0; e < count; e++)
	{
		if (e % (CRM_EVENTS_A_TICK / CRM_SEQUENCE_ITEMS) == 0)
			tick();
		reached[e] = 0;
		for (int i = 0; i <= last; i++)
		{
			const CrmSequenceItem *item = &sequence->item[i];
			int64_t		after;

			if (i > 0 && item->apart)
			{
				if (pointer[i] < begin)
					pointer[i] = begin;
				for (; pointer[i] < e; pointer[i]++)
				{
					if (!__builtin_sub_overflow(event[e].at, event[pointer[i]].at, &after) && after < item->least)
						break;
					if (reached[pointer[i]] & (UINT64_C(1) << (i - 1)))
						latest[i] = pointer[i] + 1;
				}
			}
			if (!(event[e].what & item->any_of))
				continue;
			if (i == 0)
				reached[e] |= 1;
			else if (!item->apart)
			{
				if (e > begin && (reached[e - 1] & (UINT64_C(1) << (i - 1))))
					reached[e] |= UINT64_C(1) << i;
			}
			else if (latest[i] > begin)
			{
				if (__builtin_sub_overflow(event[e].at, event[latest[i] - 1].at, &after))
					after = INT64_MAX;	/* from -infinity */
				if (after <= item->most)
					reached[e] |= UINT64_C(1) << i;
			}
		}
		if (reached[e] & (UINT64_C(1) << last))
		{
			if (one)
				return 1;
			found++;
			begin = e + 1;
		}
	}
	return found;
}
