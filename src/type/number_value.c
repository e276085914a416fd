/*
 * number_value.c
 *		Amounts as people and spreadsheets write them.
 *
 * One mark alone is ambiguous only when three digits follow it: "1,234" and
 * "1.234".  A comma is then read as grouping and a point as decimal, as
 * programs write them, and the verdict is ODD.
 */
#include <string.h>

#include "type/number_value.h"

/* Bytes of a sign that means nothing for the value; 0 when there is none. */
static size_t
ornament(const char *p, const char *end)
{
	static const char *const signs[] = {
		" ", "\t", "\xC2\xA0", "\xE2\x80\xAF", "\xE2\x80\x89", "$", "\xE2\x82\xAC",
		"\xE2\x82\xBD", "\xC2\xA3", "\xC2\xA5", "\xD1\x80\xD1\x83\xD0\xB1.",
		"\xD1\x80\xD1\x83\xD0\xB1", "\xD1\x80.", "USD", "EUR", "RUB", "GBP", "%"
	};

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
	{
		size_t		n = strlen(signs[i]);

		if ((size_t) (end - p) >= n && memcmp(p, signs[i], n) == 0)
			return n;
	}
	return 0;
}

static bool
refuse(CrmCheck *check, const char *code, const char *message)
{
	crm_check_set(check, CRM_CHECK_BAD, code, 0, "%s", message);
	crm_check_hint(check, "Write the number as 1234.56.");
	return false;
}

bool
crm_number_parse(const char *text, size_t length,
				 char out[CRM_NUMBER_BUFFER], CrmCheck *check)
{
	const char *p = text;
	const char *end = text + length;
	char		marks[CRM_NUMBER_BUFFER];	/* digits and marks, ornaments gone */
	size_t		n = 0;
	bool		negative = false;
	bool		parenthesis = false;
	bool		percent;
	bool		ambiguous = false;
	int			digits = 0;
	char		decimal = '\0';
	const char *last_comma;
	const char *last_point;
	size_t		used = 0;

	crm_check_init(check);
	while (p < end)
	{
		size_t		skip = ornament(p, end);

		if (skip > 0)
			p += skip;
		else if ((*p == '-' || *p == '+') && n == 0 && !negative)
			negative = *p++ == '-';
		else if (*p == '(' && n == 0 && !parenthesis)
		{
			parenthesis = true;
			p++;
		}
		else if (*p == ')' && parenthesis && p + 1 == end)
			p++;
		else if ((*p >= '0' && *p <= '9') || *p == ',' || *p == '.' || *p == '\'')
		{
			if (n + 2 >= sizeof(marks))
				return refuse(check, "NUMBER_TOO_LONG", "The number has too many digits.");
			if (*p >= '0' && *p <= '9')
				digits++;
			if (*p != '\'')
				marks[n++] = *p;
			p++;
		}
		else
			return refuse(check, length == 0 ? "NUMBER_EMPTY" : "NUMBER_SYNTAX", "The value is not a number.");
	}
	marks[n] = '\0';
	if (digits == 0)
		return refuse(check, n == 0 ? "NUMBER_EMPTY" : "NUMBER_SYNTAX",
					  n == 0 ? "There is no number." : "The value is not a number.");

	/* Which mark is the decimal one? */
	last_comma = strrchr(marks, ',');
	last_point = strrchr(marks, '.');
	if (last_comma && last_point)
		decimal = last_comma > last_point ? ',' : '.';
	else if (last_point)
	{
		decimal = strchr(marks, '.') == last_point ? '.' : '\0';
		ambiguous = decimal && strlen(last_point + 1) == 3 && last_point - marks <= 3 && marks[0] != '0' && last_point > marks;
	}
	else if (last_comma && strchr(marks, ',') == last_comma)
	{
		if (strlen(last_comma + 1) != 3 || marks[0] == '0' || last_comma == marks)
			decimal = ',';
		else
			ambiguous = true;
	}
	/* Groups after the first must have three digits. */
	for (const char *m = marks; *m; m++)
		if ((*m == ',' || *m == '.') && *m != decimal)
			if (strspn(m + 1, "0123456789") != 3)
				return refuse(check, "NUMBER_SYNTAX", "The value is not a number: a group has not three digits.");
	if (decimal && strchr(marks, decimal) != strrchr(marks, decimal))
		return refuse(check, "NUMBER_SYNTAX", "The value is not a number: it has two decimal marks.");

	/* With a sign and a zero before the point it must fit, and be read again. */
	if (n + (decimal && marks[0] == decimal) > CRM_NUMBER_BUFFER - 3)
		return refuse(check, "NUMBER_TOO_LONG", "The number has too many digits.");

	percent = memchr(text, '%', length) != NULL;
	if (negative || parenthesis)
		out[used++] = '-';
	if (marks[0] == decimal && decimal)
		out[used++] = '0';
	for (const char *m = marks; *m; m++)
	{
		if (*m == decimal)
		{
			if (m[1] != '\0')
				out[used++] = '.';
		}
		else if (*m != ',' && *m != '.')
			out[used++] = *m;
	}
	out[used] = '\0';
	if (ambiguous)
		crm_check_set(check, CRM_CHECK_ODD, "NUMBER_AMBIGUOUS", 0,
					  "The mark could separate thousands or decimals; it was read as %s.", out);
	else if (percent)
		crm_check_set(check, CRM_CHECK_FIXED, "NUMBER_PERCENT", 0, "The percent sign was dropped.");
	else if (used != length || memcmp(out, text, length) != 0)
		crm_check_set(check, CRM_CHECK_FIXED, "NUMBER_PLAIN", 0, "Grouping, spaces or a currency sign were dropped.");
	return true;
}
