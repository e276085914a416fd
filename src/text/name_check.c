/*
 * name_check.c
 *		What is unusual about a text that should be a name; see name_check.h.
 */
#include <string.h>

#include "text/name_char.h"
#include "text/name_check.h"
#include "text/name_parse.h"

/* What people type into a field that will not stay empty. */
static const char *const placeholders[] = {
	"test", "тест", "тестовый", "тестов", "testing", "asdf", "qwerty", "йцукен",
	"фыва", "n/a", "na", "none", "null", "нет", "нету", "неизвестно", "неизвестный",
	"unknown", "anonymous", "аноним", "анонимный", "имя", "фамилия", "фио", "name",
	"клиент", "покупатель", "customer", "client", "гость", "guest", "user",
	"пользователь", "администратор", "admin", "удалён", "удален", "deleted",
	"не указано", "не указан", "no name", "без имени", "частное лицо",
};

static bool
is_placeholder(const char *value, size_t length)
{
	char		lower[64];
	size_t		used = 0;
	size_t		i = 0;

	while (i < length)
	{
		uint32_t	c;
		int			n = crm_utf8_decode(value + i, length - i, &c);

		if (n == 0 || used + 4 > sizeof(lower))
			return false;
		used += crm_utf8_encode(crm_name_lower(c), lower + used);
		i += n;
	}
	for (i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++)
		if (strlen(placeholders[i]) == used && memcmp(placeholders[i], lower, used) == 0)
			return true;
	return false;
}

/* Offers the text as a repair when there is room for the whole of it. */
static void
suggest(CrmCheck *check, const char *text, size_t length)
{
	if (length >= sizeof(check->suggestion))
		return;
	memcpy(check->suggestion, text, length);
	check->suggestion[length] = '\0';
}

size_t
crm_name_check(const char *text, size_t length, char *value, CrmCheck *check)
{
	size_t		broken = crm_utf8_check(text, length);
	size_t		used;
	size_t		i;
	int			junk;
	int			letters = 0;
	int			upper = 0;
	int			lower = 0;
	int			repeated = 0;
	uint32_t	previous = 0;
	size_t		digit = length;
	size_t		symbol = length;
	bool		address = false;
	char		buffer[3 * CRM_NAME_MAX_INPUT];
	int			folded;
	int			mixed;
	size_t		first;

	crm_check_init(check);
	if (broken < length)
	{
		crm_check_set(check, CRM_CHECK_BAD, "NAME_BAD_BYTES", (int) broken,
					  "Byte %zu does not belong to a character of UTF-8.", broken + 1);
		crm_check_hint(check, "Find out in which encoding the text was written, and convert it.");
		return 0;
	}
	used = crm_name_clean(text, length, value, &junk);

	for (i = 0; i < length;)
	{
		uint32_t	c = 0;
		int			n = crm_utf8_decode(text + i, length - i, &c);
		CrmScript	script = crm_name_script(c);

		if (script != CRM_SCRIPT_NONE)
		{
			letters++;
			upper += crm_name_is_upper(c);
			lower += crm_name_is_lower(c);
		}
		else if (c >= '0' && c <= '9')
		{
			if (digit == length)
				digit = i;
		}
		else if (c == '@' || (c == '/' && i + 1 < length && text[i + 1] == '/'))
			address = true;
		else if (!crm_is_space(c) && !crm_name_is_apostrophe(c) &&
				 !crm_name_is_hyphen(c) && !crm_name_is_mark(c) &&
				 !crm_is_invisible(c) && !crm_is_control(c) &&
				 c != '.' && c != ',' && c != '(' && c != ')' && c != '"' &&
				 c != 0xAB && c != 0xBB && c != 0x201C && c != 0x201D &&
				 c != 0x201E && c != 0xB7 && symbol == length)
			symbol = i;
		if (script != CRM_SCRIPT_NONE && script != CRM_SCRIPT_OTHER)
		{
			repeated = crm_name_lower(c) == previous ? repeated + 1 : 1;
			previous = crm_name_lower(c);
			if (repeated == 4 && check->status == CRM_CHECK_OK)
				crm_check_set(check, CRM_CHECK_ODD, "NAME_REPEATED", (int) i,
							  "The same letter stands four times in a row.");
		}
		else
			previous = 0;
		i += n;
	}

	if (letters == 0)
	{
		if (used == 0)
			crm_check_set(check, CRM_CHECK_BAD, "NAME_EMPTY", -1,
						  "The name is empty.");
		else
			crm_check_set(check, CRM_CHECK_BAD, "NAME_NO_LETTER", -1,
						  "There is no letter in the name.");
		crm_check_hint(check, "Use null where no name is known.");
		return 0;
	}
	if (junk > 0)
	{
		/* Invisible characters at the ends only are no harm. */
		size_t		from = 0;
		size_t		to = length;

		while (from < to)
		{
			uint32_t	c = 0;
			int			n = crm_utf8_decode(text + from, to - from, &c);

			if (!crm_is_space(c) && !crm_is_invisible(c) && !crm_is_control(c))
				break;
			from += n;
		}
		while (to > from)
		{
			size_t		start = crm_utf8_previous(text, to);
			uint32_t	c = 0;

			crm_utf8_decode(text + start, to - start, &c);
			if (!crm_is_space(c) && !crm_is_invisible(c) && !crm_is_control(c))
				break;
			to = start;
		}
		for (i = from; i < to;)
		{
			uint32_t	c = 0;
			int			n = crm_utf8_decode(text + i, to - i, &c);

			if (!crm_is_space(c) && (crm_is_invisible(c) || crm_is_control(c)))
			{
				crm_check_set(check, CRM_CHECK_BAD, "NAME_CONTROL", (int) i,
							  "There is an invisible or control character (U+%04X) inside the name.",
							  (unsigned) c);
				crm_check_hint(check, "Remove it.");
				suggest(check, value, used);
				return 0;
			}
			i += n;
		}
	}

	/* Odd things, the most telling first. */
	if (address)
	{
		crm_check_set(check, CRM_CHECK_ODD, "NAME_ADDRESS", -1,
					  "This looks like an e-mail or web address.");
		crm_check_hint(check, "Put it into the field for addresses.");
		return used;
	}
	if (is_placeholder(value, used))
	{
		crm_check_set(check, CRM_CHECK_ODD, "NAME_PLACEHOLDER", -1,
					  "This is a word that stands for a missing name.");
		crm_check_hint(check, "Use null where no name is known.");
		return used;
	}
	i = crm_name_fold_lookalikes(value, used, buffer, &folded, &mixed, &first);
	if (folded > 0)
	{
		crm_check_set(check, CRM_CHECK_ODD, "NAME_LOOKALIKE", (int) first,
					  folded == 1 ? "%d letter of another script looks like those around it." :
					  "%d letters of another script look like those around them.",
					  folded);
		crm_check_hint(check, "Write each word in one script.");
		suggest(check, buffer, i);
		return used;
	}
	if (mixed > 0)
	{
		crm_check_set(check, CRM_CHECK_ODD, "NAME_MIXED_SCRIPT", (int) first,
					  "A word has Latin and Cyrillic letters.");
		crm_check_hint(check, "Write each word in one script.");
		return used;
	}
	if (digit < length)
	{
		crm_check_set(check, CRM_CHECK_ODD, "NAME_DIGIT", (int) digit,
					  "There is a digit in the name.");
		crm_check_hint(check, "Put numbers into a field of their own.");
		return used;
	}
	if (symbol < length)
	{
		crm_check_set(check, CRM_CHECK_ODD, "NAME_SYMBOL", (int) symbol,
					  "There is a sign in the name that names do not have.");
		return used;
	}
	if (check->status != CRM_CHECK_OK)
		return used;			/* NAME_REPEATED */
	if (letters > 3 && (upper == letters || lower == letters))
	{
		crm_check_set(check, CRM_CHECK_ODD,
					  upper > 0 ? "NAME_ALL_CAPITALS" : "NAME_ALL_SMALL", -1,
					  upper > 0 ? "The name is in capital letters only." :
					  "The name is in small letters only.");
		crm_check_hint(check, "crm.name_case() writes it with capitals where names have them.");
		i = crm_name_case(value, used, buffer);
		suggest(check, buffer, i);
		return used;
	}
	if (used != length || memcmp(value, text, used) != 0)
		crm_check_set(check, CRM_CHECK_FIXED, "NAME_SPACE", -1,
					  "White space, invisible characters at the ends or letters in two pieces were put right.");
	return used;
}
