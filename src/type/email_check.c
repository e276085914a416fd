/*
 * email_check.c
 *		What a person probably meant: repairs of refused texts, and remarks
 *		on addresses that are well formed but probably mistyped.
 *
 * Nothing here changes a value.  A suggestion is made when one repair, the
 * same for every reader, makes the text a good address.
 */
#include <string.h>

#include "text/idna.h"
#include "text/utf8.h"
#include "type/email.h"
#include "type/email_class.h"

/* A text that grows; what does not fit makes it worthless. */
typedef struct Draft
{
	char		text[CRM_EMAIL_BUFFER];
	int			length;
} Draft;

static bool
append(Draft *draft, const char *s, int length)
{
	if (length > CRM_EMAIL_MAX_IMAGE - draft->length)
		return false;
	memcpy(draft->text + draft->length, s, length);
	draft->length += length;
	return true;
}

static bool
equals(const char *s, int length, const char *literal)
{
	return (int) strlen(literal) == length && memcmp(s, literal, length) == 0;
}

/*
 * The providers whose names are mistyped in practice; long enough for a
 * distance of one to mean something.
 */
static const char *const well_known[] = {
	"gmail.com", "googlemail.com", "yahoo.com", "hotmail.com", "outlook.com",
	"icloud.com", "protonmail.com", "yandex.ru", "yandex.com", "rambler.ru",
	"wanadoo.fr", "orange.fr", "laposte.net", "libero.it", "comcast.net"
};

/* Real domains at a distance of one from a well-known one. */
static const char *const not_mistaken[] = {
	"mail.com", "ymail.com", "email.com", "yahoo.co", "yandex.ua", "yandex.by",
	"yandex.eu", "yandex.lv", "yandex.lt", "yandex.uz", "yandex.kz", "yandex.tm",
	"yandex.tj", "yandex.fr", "yandex.az", "yandex.md", "yandex.ee", "yandex.kg",
	"orange.pl", "orange.be", "orange.ro", "hotmail.co", "outlook.co"
};

/* Mistaken domains that are too short or too far for the distance. */
static const char *const mistaken[][2] = {
	{"gmail.ru", "gmail.com"}, {"gmail.co", "gmail.com"},
	{"gmai.co", "gmail.com"}, {"gamil.com", "gmail.com"},
	{"gmali.com", "gmail.com"}, {"gmaill.com", "gmail.com"},
	{"jmail.com", "gmail.com"}, {"mai.ru", "mail.ru"},
	{"mial.ru", "mail.ru"}, {"mali.ru", "mail.ru"}, {"maill.ru", "mail.ru"},
	{"meil.ru", "mail.ru"}, {"mall.ru", "mail.ru"}, {"amil.ru", "mail.ru"},
	{"maul.ru", "mail.ru"}, {"ail.ru", "mail.ru"}, {"mail.r", "mail.ru"},
	{"mail.u", "mail.ru"}, {"mail.ur", "mail.ru"}, {"nail.ru", "mail.ru"},
	{"yandx.ru", "yandex.ru"}, {"yndex.ru", "yandex.ru"},
	{"yandeks.ru", "yandex.ru"}, {"jandex.ru", "yandex.ru"},
	{"hotmial.com", "hotmail.com"}, {"homail.com", "hotmail.com"},
	{"yaho.com", "yahoo.com"}, {"uahoo.com", "yahoo.com"}
};

/* Top-level domains that do not exist and are typed for one that does. */
static const char *const mistaken_top[][2] = {
	{"con", "com"}, {"cmo", "com"}, {"ocm", "com"}, {"comm", "com"},
	{"vom", "com"}, {"xom", "com"}, {"cpm", "com"}, {"coom", "com"},
	{"kom", "com"}, {"cim", "com"}, {"ccom", "com"}, {"ry", "ru"},
	{"tu", "ru"}, {"ri", "ru"}, {"rru", "ru"}, {"ruu", "ru"}, {"ryu", "ru"},
	{"nte", "net"}, {"ner", "net"}, {"nett", "net"}, {"ogr", "org"},
	{"rog", "org"}, {"orgg", "org"}
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/*
 * Whether one insertion, deletion, substitution or exchange of neighbours
 * makes b of a.
 */
static bool
one_slip(const char *a, int a_length, const char *b, int b_length)
{
	int			i = 0;
	int			a_end = a_length;
	int			b_end = b_length;

	if (a_length - b_length > 1 || b_length - a_length > 1)
		return false;
	while (i < a_end && i < b_end && a[i] == b[i])
		i++;
	while (a_end > i && b_end > i && a[a_end - 1] == b[b_end - 1])
	{
		a_end--;
		b_end--;
	}
	if (a_end - i <= 1 && b_end - i <= 1)
		return a_end - i + b_end - i > 0;
	return a_end - i == 2 && b_end - i == 2 && a[i] == b[i + 1] && a[i + 1] == b[i];
}

/* The domain that was probably meant; 0 when this one is as good as any. */
static int
meant_domain(const char *domain, int length, char *better)
{
	int			n = length;
	const char *top;
	bool		found = false;

	memcpy(better, domain, length);
	for (size_t i = 0; i < COUNT(well_known); i++)
		if (equals(better, n, well_known[i]))
			return 0;
	for (size_t i = 0; i < COUNT(mistaken); i++)
		if (equals(better, n, mistaken[i][0]))
		{
			n = (int) strlen(mistaken[i][1]);
			memcpy(better, mistaken[i][1], n);
			return n;
		}
	for (top = better + n; top > better && top[-1] != '.'; top--)
		;
	for (size_t i = 0; i < COUNT(mistaken_top); i++)
		if (equals(top, (int) (better + n - top), mistaken_top[i][0]))
		{
			size_t		l = strlen(mistaken_top[i][1]);

			n = (int) (top - better);
			memcpy(better + n, mistaken_top[i][1], l);
			n += (int) l;
			found = true;
			break;
		}
	for (size_t i = 0; i < COUNT(not_mistaken); i++)
		if (equals(better, n, not_mistaken[i]))
			return found ? n : 0;
	for (size_t i = 0; i < COUNT(well_known); i++)
	{
		int			l = (int) strlen(well_known[i]);

		if (one_slip(better, n, well_known[i], l))
		{
			memcpy(better, well_known[i], l);
			return l;
		}
	}
	return found ? n : 0;
}

/*
 * The ASCII letter that a Cyrillic or Greek one is drawn like; 0 when there
 * is none.
 */
static char
look_alike(uint32_t c)
{
	static const struct
	{
		uint16_t	code;
		char		ascii;
	}			pairs[] = {
		{0x0430, 'a'}, {0x0435, 'e'}, {0x043E, 'o'}, {0x0440, 'p'},
		{0x0441, 'c'}, {0x0443, 'y'}, {0x0445, 'x'}, {0x0456, 'i'},
		{0x0458, 'j'}, {0x0455, 's'}, {0x04BB, 'h'}, {0x0501, 'd'},
		{0x051B, 'q'}, {0x051D, 'w'}, {0x0475, 'v'}, {0x04CF, 'l'},
		{0x043A, 'k'}, {0x043C, 'm'}, {0x0410, 'A'}, {0x0412, 'B'},
		{0x0415, 'E'},
		{0x041A, 'K'}, {0x041C, 'M'}, {0x041D, 'H'}, {0x041E, 'O'},
		{0x0420, 'P'}, {0x0421, 'C'}, {0x0422, 'T'}, {0x0423, 'Y'},
		{0x0425, 'X'}, {0x0406, 'I'}, {0x0408, 'J'}, {0x0405, 'S'},
		{0x03BF, 'o'}, {0x03BD, 'v'}, {0x0391, 'A'}, {0x0392, 'B'},
		{0x0395, 'E'}, {0x0396, 'Z'}, {0x0397, 'H'}, {0x0399, 'I'},
		{0x039A, 'K'}, {0x039C, 'M'}, {0x039D, 'N'}, {0x039F, 'O'},
		{0x03A1, 'P'}, {0x03A4, 'T'}, {0x03A5, 'Y'}, {0x03A7, 'X'}
	};

	for (size_t i = 0; i < COUNT(pairs); i++)
		if (pairs[i].code == c)
			return pairs[i].ascii;
	return 0;
}

/*
 * Copies s with look-alikes replaced.  Sets *mixed when ASCII letters and
 * Cyrillic or Greek ones stand side by side, *replaced when one was replaced,
 * *other when a letter beyond ASCII remains.
 */
static bool
to_ascii_letters(const char *s, int length, Draft *draft, bool *mixed,
				 bool *replaced, bool *other)
{
	bool		ascii = false;
	bool		foreign = false;

	*mixed = *replaced = *other = false;
	for (int i = 0; i < length;)
	{
		uint32_t	c;
		int			n = crm_utf8_decode(s + i, length - i, &c);
		char		letter = look_alike(c);

		if (n == 0)
			return false;
		if (c < 0x80)
			ascii |= (crm_email_class[c] & EMAIL_LETTER) != 0;
		if (c >= 0x370 && c <= 0x52F)
			foreign = true;
		if (c == '.')
			ascii = foreign = false;
		*mixed |= ascii && foreign;
		*other |= c >= 0x80 && letter == 0;
		*replaced |= letter != 0;
		if (letter != 0 ? !append(draft, &letter, 1) : !append(draft, s + i, n))
			return false;
		i += n;
	}
	return true;
}

/* Reads a draft; when it is a good address, it is the suggestion. */
static bool
suggest(const Draft *draft, int flags, CrmCheck *check)
{
	CrmCheck	verdict;
	char		image[CRM_EMAIL_BUFFER];
	char		text[CRM_EMAIL_BUFFER];
	int			size = crm_email_parse(draft->text, draft->length,
									   flags | CRM_EMAIL_NO_REPAIR, image, &verdict);
	int			n;

	if (size == 0)
		return false;
	n = crm_email_text(image, size, text);
	if (n >= (int) sizeof(check->suggestion))
		return false;
	memcpy(check->suggestion, text, n);
	check->suggestion[n] = '\0';
	return true;
}

void
crm_email_advise(const char *image, size_t size, CrmCheck *check)
{
	CrmEmailParts p = crm_email_parts(image, size);
	Draft		draft;
	char		better[CRM_EMAIL_BUFFER];
	bool		ascii = crm_is_ascii(p.domain, p.domain_length);
	bool		mixed;
	bool		replaced;
	bool		other;
	bool		domain_mixed;
	int			n;

	draft.length = 0;
	if (!to_ascii_letters(p.local, p.local_length, &draft, &mixed, &replaced, &other))
		return;
	/* A whole name in look-alikes, too, when the domain is plain. */
	if (mixed || (replaced && !other && ascii))
	{
		bool		whole = replaced && !other;

		crm_check_set(check, CRM_CHECK_ODD, "EMAIL_MIXED_SCRIPT", 0, "%s",
					  mixed ? "Latin letters and look-alikes of another alphabet are mixed before the \"@\"." :
					  "All letters before the \"@\" are look-alikes of Latin ones.");
		if (whole && append(&draft, "@", 1) && append(&draft, p.domain, p.domain_length))
			suggest(&draft, 0, check);
		return;
	}
	if (!ascii)
	{
		draft.length = 0;
		if (!append(&draft, p.local, p.local_length) || !append(&draft, "@", 1))
			return;
		if (!to_ascii_letters(p.domain, p.domain_length, &draft, &domain_mixed,
							  &replaced, &other))
			return;
		if (domain_mixed || (replaced && !other &&
							 (memcmp(draft.text + draft.length - 4, ".com", 4) == 0 ||
							  memcmp(draft.text + draft.length - 3, ".ru", 3) == 0)))
		{
			crm_check_set(check, CRM_CHECK_ODD, "EMAIL_MIXED_SCRIPT",
						  p.local_length + 1,
						  "The domain has letters of another alphabet that look like Latin ones.");
			if (!other)
				suggest(&draft, 0, check);
		}
		return;
	}
	n = meant_domain(p.domain, p.domain_length, better);
	if (n > 0)
	{
		draft.length = 0;
		if (!append(&draft, p.local, p.local_length) || !append(&draft, "@", 1) ||
			!append(&draft, better, n))
			return;
		crm_check_set(check, CRM_CHECK_ODD, "EMAIL_DOMAIN_TYPO", p.local_length + 1,
					  "The domain looks like a slip of the keyboard.");
		suggest(&draft, 0, check);
	}
}

int
crm_email_check(const char *text, size_t length, int flags, char *image,
				CrmCheck *check)
{
	int			size = crm_email_parse(text, length, flags, image, check);

	if (size > 0 && check->status < CRM_CHECK_ODD)
		crm_email_advise(image, size, check);
	return size;
}

/* What is written for "@" to deceive programs, and by mistake. */
static const char *const at_words[] = {
	"(at)", "[at]", "{at}", " at ", "(a)", "(собака)", "[собака]", " собака ",
	"\xEF\xBC\xA0", "\xEF\xB9\xAB"
};

static const char *const dot_words[] = {
	"(dot)", "[dot]", "{dot}", " dot ", "(точка)", "[точка]", " точка "
};

/* The length of the word of the list that s begins with, ASCII case ignored. */
static int
begins_with_one_of(const char *s, size_t left, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		size_t		l = strlen(words[i]);
		size_t		j = 0;

		if (l > left)
			continue;
		while (j < l && crm_email_lower((unsigned char) s[j]) == (unsigned char) words[i][j])
			j++;
		if (j == l)
			return (int) l;
	}
	return 0;
}

static int
count_of(const Draft *draft, char c)
{
	int			count = 0;

	for (int i = 0; i < draft->length; i++)
		count += draft->text[i] == c;
	return count;
}

/*
 * Copies without what an address cannot have: invisible and control
 * characters, comments, white space beside "@" and "."; doubled "@" and dots
 * once; commas in the domain as dots; no punctuation at the ends.
 */
static bool
clean(const Draft *from, Draft *to)
{
	int			depth = 0;
	bool		domain = false;
	int			start = 0;
	int			end;

	to->length = 0;
	for (int i = 0; i < from->length;)
	{
		uint32_t	c;
		int			n = crm_utf8_decode(from->text + i, from->length - i, &c);
		char		last = to->length > 0 ? to->text[to->length - 1] : '\0';

		if (n == 0)
			return false;
		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (depth > 0 || crm_is_invisible(c) ||
				 (crm_is_control(c) && !crm_is_space(c)))
			 /* gone */ ;
		else if (crm_is_space(c))
		{
			int			next = i + n;

			while (next < from->length && from->text[next] == ' ')
				next++;
			if (!(last == '@' || last == '.' || next == from->length ||
				  from->text[next] == '@' || from->text[next] == '.' ||
				  to->length == 0) &&
				!append(to, " ", 1))
				return false;
		}
		else
		{
			char		one = c < 0x80 ? (char) c : 'x';

			if (domain && one == ',')
				one = '.';
			if (one == '@' && last == '@')
				one = '\0';
			else if (one == '.' && (last == '.' || last == '@'))
				one = '\0';
			else if (one == '@' && last == '.')
				to->length--;
			if (one == '@')
				domain = true;
			if (one != '\0' &&
				(c < 0x80 ? !append(to, &one, 1) : !append(to, from->text + i, n)))
				return false;
		}
		i += n;
	}
	end = to->length;
	while (end > 0 && strchr(".,;:!?'\"`>)]}", to->text[end - 1]) != NULL)
		end--;
	while (start < end && strchr(".,;:'\"`<([{", to->text[start]) != NULL)
		start++;
	memmove(to->text, to->text + start, end - start);
	to->length = end - start;
	return depth == 0;
}

void
crm_email_repair(const char *text, size_t length, int flags, CrmCheck *check)
{
	Draft		draft;
	Draft		cleaned;
	const char *open;

	if (length > CRM_EMAIL_MAX_IMAGE || crm_utf8_check(text, length) < length)
		return;
	draft.length = 0;

	/* A name beside the address: the address. */
	open = length > 0 ? memchr(text, '<', length) : NULL;
	if (open != NULL)
	{
		const char *close;

		for (const char *next = open; next != NULL;
			 next = memchr(next + 1, '<', text + length - next - 1))
			open = next;
		close = memchr(open, '>', text + length - open);
		if (close != NULL && append(&draft, open + 1, (int) (close - open - 1)))
			suggest(&draft, flags, check);
		return;
	}

	if (memchr(text, '@', length) == NULL)
	{
		bool		found = false;

		for (size_t i = 0; i < length;)
		{
			int			n = begins_with_one_of(text + i, length - i, at_words,
											   COUNT(at_words));

			if (n > 0 && !found)
			{
				found = true;
				if (!append(&draft, "@", 1))
					return;
				i += n;
				continue;
			}
			n = begins_with_one_of(text + i, length - i, dot_words, COUNT(dot_words));
			if (n > 0 ? !append(&draft, ".", 1) : !append(&draft, text + i, 1))
				return;
			i += n > 0 ? n : 1;
		}
		/* Shift and 2 gives '"' on a Russian keyboard. */
		if (!found && count_of(&draft, '"') == 1)
			*(char *) memchr(draft.text, '"', draft.length) = '@';
	}
	else if (!append(&draft, text, (int) length))
		return;

	if (!clean(&draft, &cleaned) || count_of(&cleaned, '@') != 1)
		return;
	if (suggest(&cleaned, flags, check))
		return;

	/* A well-known provider without its dot: "gmail", "mailru". */
	for (size_t i = 0; i < COUNT(well_known); i++)
	{
		const char *at = memchr(cleaned.text, '@', cleaned.length);
		const char *dot = strchr(well_known[i], '.');
		int			rest = (int) (cleaned.text + cleaned.length - at) - 1;
		int			first = (int) (dot - well_known[i]);
		int			full = (int) strlen(well_known[i]);

		if (!(rest == full - 1 && memcmp(at + 1, well_known[i], first) == 0 &&
			  memcmp(at + 1 + first, dot + 1, full - first - 1) == 0) &&
			!(rest == first && memcmp(at + 1, well_known[i], first) == 0 &&
			  strcmp(dot, ".com") == 0))
			continue;
		cleaned.length -= rest;
		if (append(&cleaned, well_known[i], full))
			suggest(&cleaned, flags, check);
		return;
	}
}
