/*
 * name_salute.c
 *		Salutations of five languages, and forms of a name for lists.
 *
 * Each language answers three questions: how to greet a person whose given
 * name (and patronymic) we may use, one of whom we know surname and sex, and
 * one of whom we know nothing.  What is missing falls to the next question,
 * so there is never an empty gap.
 */
#include <string.h>

#include "text/name_char.h"
#include "text/name_salute.h"

typedef struct Phrases
{
	char		locale[3];
	const char *dear[2];		/* before a given name: man, woman; NULL when
								 * the language writes surnames instead */
	const char *dear_family[2]; /* before a surname: man, woman */
	const char *formal_unknown; /* before a name of unknown sex */
	const char *formal_nobody;	/* with no name at all */
	const char *neutral;		/* before a given name */
	const char *neutral_family[2];
	const char *neutral_nobody;
	const char *informal;
	const char *informal_nobody;
	bool		patronymic;		/* is said with the given name */
} Phrases;

static const Phrases phrases[] = {
	{"ru",
		{"Уважаемый ", "Уважаемая "},
		{"Уважаемый господин ", "Уважаемая госпожа "},
		"Здравствуйте, ", "Здравствуйте",
		"Здравствуйте, ",
		{"Здравствуйте, господин ", "Здравствуйте, госпожа "}, "Здравствуйте",
	"Привет, ", "Здравствуйте", true},
	{"en",
		{NULL, NULL},
		{"Dear Mr ", "Dear Ms "},
		"Dear ", "Dear Sir or Madam",
		"Hello ",
		{"Hello Mr ", "Hello Ms "}, "Hello",
	"Hi ", "Hello", false},
	{"de",
		{NULL, NULL},
		{"Sehr geehrter Herr ", "Sehr geehrte Frau "},
		"Guten Tag ", "Sehr geehrte Damen und Herren",
		"Guten Tag ",
		{"Guten Tag Herr ", "Guten Tag Frau "}, "Guten Tag",
	"Hallo ", "Guten Tag", false},
	{"fr",
		{NULL, NULL},
		{"Monsieur ", "Madame "},
		"Bonjour ", "Madame, Monsieur",
		"Bonjour ",
		{"Bonjour Monsieur ", "Bonjour Madame "}, "Bonjour",
	"Salut ", "Bonjour", false},
	{"es",
		{NULL, NULL},
		{"Estimado señor ", "Estimada señora "},
		"Buenos días, ", "Estimados señores",
		"Buenos días, ",
		{"Buenos días, señor ", "Buenos días, señora "}, "Buenos días",
	"Hola, ", "Buenos días", false},
};

bool
crm_salute_style(const char *s, size_t length, CrmSaluteStyle *style)
{
	static const char *const names[] = {"formal", "neutral", "informal"};

	for (int i = 0; i < 3; i++)
		if (strlen(names[i]) == length && memcmp(names[i], s, length) == 0)
		{
			*style = (CrmSaluteStyle) i;
			return true;
		}
	return false;
}

static const Phrases *
find_phrases(const char *s, size_t length)
{
	if (length < 2 || (length > 2 && s[2] != '_' && s[2] != '-' && s[2] != '.'))
		return NULL;
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if ((s[0] | 0x20) == phrases[i].locale[0] &&
			(s[1] | 0x20) == phrases[i].locale[1])
			return &phrases[i];
	return NULL;
}

bool
crm_salute_locale(const char *s, size_t length)
{
	return find_phrases(s, length) != NULL;
}

static CrmNameText
trim(CrmNameText text)
{
	while (text.length > 0)
	{
		uint32_t	c;
		int			n = crm_utf8_decode(text.s, text.length, &c);

		if (n == 0 || !(crm_is_space(c) || crm_is_invisible(c)))
			break;
		text.s += n;
		text.length -= n;
	}
	while (text.length > 0)
	{
		size_t		start = crm_utf8_previous(text.s, text.length);
		uint32_t	c;

		if (crm_utf8_decode(text.s + start, text.length - start, &c) == 0 ||
			!(crm_is_space(c) || crm_is_invisible(c)))
			break;
		text.length = start;
	}
	return text;
}

/* Whether the text has a word of two letters, not followed by a dot. */
static bool
is_name(CrmNameText text)
{
	int			letters = 0;
	size_t		i = 0;

	while (i < text.length)
	{
		uint32_t	c;
		int			n = crm_utf8_decode(text.s + i, text.length - i, &c);

		if (n == 0)
			return false;
		if (crm_name_script(c) == CRM_SCRIPT_OTHER)
			return true;
		if (crm_name_is_letter(c))
			letters++;
		else if (c == '.')
			letters = 0;
		else if (!crm_name_is_mark(c) && !crm_name_is_apostrophe(c) && letters >= 2)
			return true;
		else if (c == ' ' || c == '-')
			letters = 0;
		i += n;
	}
	return letters >= 2;
}

static CrmNameText
usable(CrmNameText text)
{
	static const CrmNameText none = {NULL, 0};

	text = trim(text);
	return is_name(text) ? text : none;
}

static size_t
add(char *out, size_t used, CrmNameText text)
{
	if (text.length == 0)
		return used;
	if (used > 0 && out[used - 1] != ' ')
		out[used++] = ' ';
	memcpy(out + used, text.s, text.length);
	return used + text.length;
}

static size_t
add_phrase(char *out, size_t used, const char *phrase)
{
	size_t		n = strlen(phrase);

	memcpy(out + used, phrase, n);
	return used + n;
}

/* Academic titles that English and German put between Mr and the surname. */
static bool
is_academic(CrmNameText title, const char **says)
{
	static const char *const known[][2] = {
		{"prof", "Prof."}, {"проф", "Prof."}, {"dr", "Dr."}, {"д-р", "Dr."},
		{"доктор", "Dr."}, {"doctor", "Dr."}, {"professor", "Prof."},
		{"профессор", "Prof."},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
	{
		size_t		n = strlen(known[i][0]);
		size_t		from = 0;

		while (from < title.length)
		{
			const char *space = memchr(title.s + from, ' ', title.length - from);
			size_t		end = space != NULL ? (size_t) (space - title.s) : title.length;
			size_t		length = end - from;
			char		lower[32];
			size_t		used = 0;
			size_t		j = from;

			while (length > 0 && title.s[from + length - 1] == '.')
				length--;
			while (j < from + length && used + 4 < sizeof(lower))
			{
				uint32_t	c;
				int			m = crm_utf8_decode(title.s + j, from + length - j, &c);

				if (m == 0)
					break;
				used += crm_utf8_encode(crm_name_lower(c), lower + used);
				j += m;
			}
			if (used == n && memcmp(lower, known[i][0], n) == 0)
			{
				*says = known[i][1];
				return true;
			}
			from = end + 1;
		}
	}
	return false;
}

size_t
crm_name_salute(CrmNameText title, CrmNameText given, CrmNameText middle,
				CrmNameText family, char gender, CrmSaluteStyle style,
				const char *locale, char *out)
{
	const Phrases *p = find_phrases(locale, strlen(locale));
	int			sex = gender == 'm' ? 0 : gender == 'f' ? 1 : -1;
	const char *academic = NULL;
	size_t		used = 0;

	if (p == NULL)
		p = &phrases[1];
	given = usable(given);
	middle = usable(middle);
	family = usable(family);
	if (!p->patronymic)
		middle.length = 0;

	if (style == CRM_SALUTE_INFORMAL)
	{
		if (given.length == 0)
			return add_phrase(out, 0, p->informal_nobody);
		return add(out, add_phrase(out, 0, p->informal), given);
	}

	if (style == CRM_SALUTE_NEUTRAL)
	{
		if (given.length > 0)
		{
			used = add(out, add_phrase(out, 0, p->neutral), given);
			return add(out, used, middle);
		}
		if (family.length > 0 && sex >= 0)
			return add(out, add_phrase(out, 0, p->neutral_family[sex]), family);
		return add_phrase(out, 0, p->neutral_nobody);
	}

	/* Formal: by name and patronymic, where that is the custom. */
	if (p->dear[0] != NULL && given.length > 0)
	{
		used = add_phrase(out, 0, sex >= 0 ? p->dear[sex] : p->formal_unknown);
		used = add(out, used, given);
		return add(out, used, middle);
	}
	if (family.length > 0)
	{
		if (!p->patronymic && is_academic(title, &academic))
		{
			/* Dear Dr Smith, whatever the sex; Sehr geehrter Herr Dr. Smith */
			if (p->locale[0] == 'e' && p->locale[1] == 'n')
			{
				used = add_phrase(out, 0, p->formal_unknown);
				used = add_phrase(out, used, academic[0] == 'D' ? "Dr " : "Professor ");
				return add(out, used, family);
			}
			if (sex >= 0 && p->locale[0] == 'd')
			{
				used = add_phrase(out, 0, p->dear_family[sex]);
				used = add_phrase(out, used, academic);
				return add(out, used, family);
			}
		}
		if (sex >= 0)
			return add(out, add_phrase(out, 0, p->dear_family[sex]), family);
	}
	if (given.length > 0)
	{
		used = add(out, add_phrase(out, 0, p->formal_unknown), given);
		return add(out, used, sex < 0 ? family : middle);
	}
	return add_phrase(out, 0, p->formal_nobody);
}

/* ---- forms for lists ---- */

/* The first letter of the text; each part of a hyphenated name has one. */
static size_t
add_initial(char *out, size_t used, CrmNameText text, bool dot, bool parts)
{
	bool		start = true;
	bool		any = false;
	size_t		i = 0;

	while (i < text.length)
	{
		uint32_t	c;
		int			n = crm_utf8_decode(text.s + i, text.length - i, &c);

		if (n == 0)
			break;
		if (crm_name_is_letter(c))
		{
			if (start)
			{
				if (any && dot)
					out[used++] = text.s[i - 1] == '-' ? '-' : ' ';
				used += crm_utf8_encode(crm_name_upper(c), out + used);
				if (dot)
					out[used++] = '.';
				any = true;
				if (!parts)
					return used;
			}
			start = false;
		}
		else if (c == ' ' || c == '-')
			start = true;
		i += n;
	}
	return used;
}

/* "D. P." after what is there */
static size_t
add_initials(char *out, size_t used, CrmNameText given, CrmNameText middle)
{
	if (given.length > 0)
	{
		if (used > 0)
			out[used++] = ' ';
		used = add_initial(out, used, given, true, true);
	}
	if (middle.length > 0)
	{
		if (used > 0)
			out[used++] = ' ';
		used = add_initial(out, used, middle, true, false);
	}
	return used;
}

size_t
crm_name_format(CrmNameText given, CrmNameText middle, CrmNameText family,
				const char *form, size_t form_length, char *out, bool *known)
{
	static const char *const forms[] = {
		"full", "short", "sorting", "sorting_short", "official",
		"official_short", "informal", "monogram"
	};
	int			which = -1;
	size_t		used = 0;

	given = trim(given);
	middle = trim(middle);
	family = trim(family);
	for (int i = 0; i < 8; i++)
		if (strlen(forms[i]) == form_length && memcmp(forms[i], form, form_length) == 0)
			which = i;
	*known = which >= 0;
	switch (which)
	{
		case 0:
			used = add(out, used, given);
			used = add(out, used, middle);
			used = add(out, used, family);
			break;
		case 1:
			if (family.length == 0)
			{
				/* A given name alone is not cut to a letter. */
				used = add(out, used, given);
				used = add(out, used, middle);
				break;
			}
			used = add_initials(out, used, given, middle);
			used = add(out, used, family);
			break;
		case 2:
		case 4:
			used = add(out, used, family);
			if (which == 2 && used > 0 && given.length + middle.length > 0)
				out[used++] = ',';
			used = add(out, used, given);
			used = add(out, used, middle);
			break;
		case 3:
		case 5:
			used = add(out, used, family);
			if (used == 0)
			{
				used = add(out, used, given);
				used = add(out, used, middle);
				break;
			}
			if (which == 3 && given.length + middle.length > 0)
				out[used++] = ',';
			used = add_initials(out, used, given, middle);
			break;
		case 6:
			used = add(out, used, given);
			if (family.length > 0)
			{
				if (used == 0)
					return add(out, used, family);
				out[used++] = ' ';
				used = add_initial(out, used, family, true, false);
			}
			break;
		case 7:
			used = add_initial(out, used, given, false, false);
			used = add_initial(out, used, middle, false, false);
			used = add_initial(out, used, family, false, false);
			break;
	}
	return used;
}
