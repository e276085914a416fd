/*
 * people.h: persons, their households and what they have, before any source
 * writes them down.
 */
#ifndef GENERATE_PEOPLE_H
#define GENERATE_PEOPLE_H

#include <stdio.h>
#include <stdlib.h>

#include "random.h"
#include "script.h"
#include "names_ru.h"
#include "names_en.h"
#include "places.h"

#define countof(a) ((int) (sizeof(a) / sizeof((a)[0])))

/* A list of words; the commonest first. */
struct list
{
	char	  **word;
	double	   *until;			/* of each word: sum of the weights up to it */
	int			n;
};

struct city
{
	const char *name;
	const char *state;			/* of America */
	const char *postal;			/* beginnings, separated by commas */
	const char *area;			/* of American phones */
	const char *also;			/* other ways to write it, or NULL */
};

enum country
{
	RU, US, UK
};

struct home
{
	const struct city *city;
	enum country country;
	int			street;
	int			kind;			/* of American street */
	int			house;
	int			flat;			/* 0: none */
	char		postal[16];
};

struct person
{
	enum country country;
	int			people;			/* index of peoples[] when Russian */
	int			female;
	char		given[64];
	const char *familiar;		/* separated by commas, or NULL */
	char		middle[64];
	char		family[64];
	char		former[64];		/* or empty */
	int			year,
				month,
				day;
	char		email[2][TEXT_SIZE];
	char		phone[2][16];	/* national digits */
	struct home home[2];
	int			company;		/* -1: none */
	int			hub_phone;
	int			hub_email;
};

static uint64_t seed = 1;
static int	companies;

/* Mailboxes that are taken: hashes, in a table of a power of two. */
static uint64_t *taken;
static uint64_t taken_mask;

/* Splits a copy of text in place. */
static char **
split(const char *text, char at, int *n)
{
	char	   *copy = strdup(text);
	char	  **word = malloc(sizeof(char *) * (strlen(text) / 2 + 2));

	*n = 0;
	for (char *s = copy; s && *s;)
	{
		char	   *next = strchr(s, at);

		if (next)
			*next++ = 0;
		if (*s)
			word[(*n)++] = s;
		s = next;
	}
	return word;
}

static struct list
list_of(const char *text, double offset)
{
	struct list l;
	double		sum = 0;

	l.word = split(text, ' ', &l.n);
	l.until = malloc(sizeof(double) * (size_t) l.n);
	for (int i = 0; i < l.n; i++)
		l.until[i] = sum += 1 / (i + offset);
	return l;
}

static char *
draw(const struct list *l)
{
	double		at = (double) (next_random() >> 11) / 9007199254740992.0 * l->until[l->n - 1];
	int			low = 0,
				high = l->n - 1;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (l->until[middle] > at)
			high = middle;
		else
			low = middle + 1;
	}
	return l->word[low];
}

/* One of several words separated by commas. */
static void
draw_part(const char *parts, char *out)
{
	int			n = 1,
				i;
	size_t		length;

	for (const char *s = parts; *s; s++)
		n += *s == ',';
	for (i = below(n); i > 0; i--)
		parts = strchr(parts, ',') + 1;
	length = strcspn(parts, ",");
	memcpy(out, parts, length);
	out[length] = 0;
}

/* The peoples of Russia: a share in thousandths, and the names. */
static const struct
{
	int			share;
	const char *male,
			   *female,
			   *family;
}			peoples[] = {
	{830, ru_male, ru_female, ru_family},
	{50, ru_male, ru_female, ru_family_ukrainian},
	{60, ru_male_tatar, ru_female_tatar, ru_family_tatar},
	{25, ru_male_armenian, ru_female_armenian, ru_family_armenian},
	{35, ru_male_caucasus, ru_female_caucasus, ru_family_caucasus},
};

static struct list people_male[5],
			people_female[5],
			people_family[5],
			english_male,
			english_female,
			english_family,
			stem[2],
			ending[2],
			street[3],
			mailbox[3],
			firm[2],
			trade;
static struct city *city[3];
static int	cities[3];

static void
learn_cities(enum country country, const char *text)
{
	int			n;
	char	  **entry = split(text, ';', &n);

	city[country] = calloc((size_t) n, sizeof(struct city));
	for (int i = 0; i < n; i++)
	{
		int			parts;
		char	  **part = split(entry[i], '|', &parts);
		struct city *c = &city[country][i];
		int			next = 1;

		c->name = part[0];
		if (country == US)
			c->state = part[next++];
		c->postal = part[next++];
		if (country == US)
			c->area = part[next++];
		c->also = next < parts ? part[next] : NULL;
	}
	cities[country] = n;
}

static void
learn(void)
{
	for (int i = 0; i < 5; i++)
	{
		people_male[i] = list_of(peoples[i].male, 4);
		people_female[i] = list_of(peoples[i].female, 4);
		people_family[i] = list_of(peoples[i].family, 12);
	}
	english_male = list_of(en_male, 8);
	english_female = list_of(en_female, 10);
	english_family = list_of(en_family, 14);
	stem[0] = list_of(ru_stem, 100);
	stem[1] = list_of(en_stem, 100);
	ending[0] = list_of(ru_ending, 3);
	ending[1] = list_of(en_ending, 5);
	street[RU] = list_of(ru_street, 6);
	street[US] = list_of(us_street, 6);
	street[UK] = list_of(uk_street, 6);
	mailbox[RU] = list_of(ru_mailbox, 1);
	mailbox[US] = list_of(us_mailbox, .5);
	mailbox[UK] = list_of(uk_mailbox, .7);
	firm[0] = list_of(ru_firm, 50);
	firm[1] = list_of(en_firm, 50);
	trade = list_of(en_trade, 50);
	learn_cities(RU, ru_city);
	learn_cities(US, us_city);
	learn_cities(UK, uk_city);
	learn_keyboards();
}

static int
ends(const char *text, const char *with)
{
	size_t		n = strlen(text),
				m = strlen(with);

	return n >= m && memcmp(text + n - m, with, m) == 0;
}

/* Takes so many letters off the end (two bytes each) and adds an ending. */
static void
change_end(char *text, int letters, const char *to)
{
	strcpy(text + strlen(text) - 2 * (size_t) letters, to);
}

/* A woman's form of a surname. */
static void
feminine(char *family)
{
	if (ends(family, "ский") || ends(family, "цкий") || ends(family, "ый") || ends(family, "ой"))
		change_end(family, 2, "ая");
	else if (ends(family, "ов") || ends(family, "ев") || ends(family, "ёв") || ends(family, "ин") || ends(family, "ын"))
		strcat(family, "а");
}

/* The patronymic of a father's entry in the list: "Павел=Павлов/Паша". */
static void
patronymic(const char *entry, int female, char *out)
{
	static const char *const vowel = "аеёиоуыэюя";
	size_t		length = strcspn(entry, "=/");

	memcpy(out, entry, length);
	out[length] = 0;
	if (entry[length] == '=')
	{
		size_t		given = strcspn(entry + length + 1, "/");

		memcpy(out, entry + length + 1, given);
		strcpy(out + given, female ? "на" : "ич");
		return;
	}
	if (ends(out, "а") || ends(out, "я"))
	{
		int			long_form = ends(out, "ья") || ends(out, "ма") || ends(out, "ка");

		change_end(out, 1, female ? (long_form ? "инична" : "ична") : "ич");
		return;
	}
	if (ends(out, "ий"))
	{
		uint32_t	letter[LETTERS],
					vowels[16];
		int			n = decode(out, letter),
					m = decode(vowel, vowels),
					two = n > 3;

		/* Дмитрий, Дмитриевич, after two consonants; else Юрий, Юрьевич. */
		for (int i = 0; i < m && two; i++)
			two = lower(letter[n - 3]) != vowels[i] && lower(letter[n - 4]) != vowels[i];
		change_end(out, 2, two ? "иев" : "ьев");
	}
	else if (ends(out, "й") || ends(out, "ь"))
		change_end(out, 1, "ев");
	else if (ends(out, "ж") || ends(out, "ш") || ends(out, "ч") || ends(out, "ц"))
		strcat(out, "ев");
	else
		strcat(out, "ов");
	strcat(out, female ? "на" : "ич");
}

static void
draw_family(enum country country, int people, char *out)
{
	int			english = country != RU;

	if (people == 0 && happens(400))
	{
		strcpy(out, draw(&stem[english]));
		strcat(out, draw(&ending[english]));
	}
	else
		strcpy(out, draw(english ? &english_family : &people_family[people]));
}

/* Sets the given name from an entry of a list. */
static void
name_person(struct person *p, char *entry)
{
	char	   *familiar = strchr(entry, '/');
	size_t		length = strcspn(entry, "=/");

	memcpy(p->given, entry, length);
	p->given[length] = 0;
	p->familiar = familiar ? familiar + 1 : NULL;
}

static struct list *
given_names(const struct person *p, int female)
{
	if (p->country == RU)
		return female ? &people_female[p->people] : &people_male[p->people];
	return female ? &english_female : &english_male;
}

static void
draw_postal(struct home *h)
{
	char		begin[16];

	draw_part(h->city->postal, begin);
	if (h->country == RU)
		sprintf(h->postal, "%s%03d", begin, below(200));
	else if (h->country == US)
		sprintf(h->postal, "%s%02d", begin, below(60));
	else
	{
		static const char letter[] = "ABDEFGHJLNPQRSTUWXYZ";
		int			district = 1 + below(20),
					sector = 1 + below(9),
					first = below(20);

		sprintf(h->postal, "%s%d %d%c%c", begin, district, sector, letter[first], letter[below(20)]);
	}
}

static void
draw_home(struct home *h, enum country country, const struct city *in)
{
	h->country = country;
	h->city = in ? in : &city[country][low_below(cities[country])];
	h->street = low_below(street[country].n);
	h->kind = below(6);
	h->house = 1 + low_below(country == US ? 9000 : 120);
	h->flat = happens(country == RU ? 850 : 250) ? 1 + below(country == RU ? 200 : 60) : 0;
	draw_postal(h);
}

static void
draw_phone(enum country country, const struct city *in, char *out)
{
	static const char ru[] = "1235689",
				uk[] = "45789";
	int			a,
				b,
				c = below(10000);

	if (country == RU)
	{
		a = below(7);
		b = below(10);
		sprintf(out, "9%c%d%03d%04d", ru[a], b, below(1000), c);
	}
	else if (country == US)
	{
		a = 2 + below(8);
		sprintf(out, "%s%d%02d%04d", in->area, a, below(100), c);
	}
	else
	{
		a = below(5);
		sprintf(out, "7%c%04d%04d", uk[a], below(10000), c);
	}
}

static void
domain_of(int company, int english, char *out)
{
	uint64_t	kept = random_state;
	char		word[TEXT_SIZE];

	random_state = mix(seed ^ mix((uint64_t) company + 77));
	transliterate(draw(&firm[english]), EVERYDAY, word);
	change_case(word, lower);
	sprintf(out, "%s%d.%s", word, company % 997, english ? "com" : "ru");
	random_state = kept;
}

static void
company_name(int company, int english, char *out)
{
	uint64_t	kept = random_state;
	char	   *word,
			   *other;

	random_state = mix(seed ^ mix((uint64_t) company + 77));
	word = draw(&firm[english]);
	other = draw(english ? &trade : &firm[0]);
	if (english)
		sprintf(out, "%s %s %s", word, other, (const char *[]) {"Ltd", "Inc", "LLC", "Group"}[below(4)]);
	else
		sprintf(out, "%s «%s-%s»", (const char *[]) {"ООО", "ООО", "АО", "ИП"}[below(4)], word, other);
	random_state = kept;
}

/* Whether nobody has this mailbox yet; now somebody has. */
static int
take_mailbox(const char *email)
{
	uint64_t	hash = 1;

	for (const char *s = email; *s; s++)
		hash = mix(hash * 31 + (unsigned char) *s) | 1;
	for (uint64_t at = hash >> 8 & taken_mask;; at = (at + 1) & taken_mask)
	{
		if (taken[at] == hash)
			return 0;
		if (taken[at] == 0)
		{
			taken[at] = hash;
			return 1;
		}
	}
}

static void
draw_email(const struct person *p, char *out)
{
	char		given[TEXT_SIZE],
				family[TEXT_SIZE],
				word[TEXT_SIZE],
				local[TEXT_SIZE];
	int			year = p->year % 100,
				number = 1000 + below(9000);

	if (p->familiar && happens(200))
		draw_part(p->familiar, word);
	else
		strcpy(word, p->given);
	transliterate(word, EVERYDAY, given);
	transliterate(p->family, EVERYDAY, family);
	change_case(given, lower);
	change_case(family, lower);
	switch (below(9))
	{
		case 0: sprintf(local, "%s.%s", given, family); break;
		case 1: sprintf(local, "%s%s", family, given); break;
		case 2: sprintf(local, "%c.%s%02d", given[0], family, year); break;
		case 3: sprintf(local, "%s_%s%02d", given, family, year); break;
		case 4: sprintf(local, "%s%04d", family, p->year); break;
		case 5: sprintf(local, "%s%02d%02d", given, p->day, p->month); break;
		case 6: sprintf(local, "%c%s%d", given[0], family, below(1000)); break;
		case 7: sprintf(local, "%s-%s", family, given); break;
		case 8: sprintf(local, "%.4s%d", happens(500) ? given : family, number); break;
	}
	if (p->company >= 0 && happens(450))
	{
		domain_of(p->company, p->country != RU, word);
		sprintf(local, happens(500) ? "%c.%s" : "%c%s", given[0], family);
	}
	else
	{
		strcpy(word, draw(&mailbox[p->country]));
		if (!happens(600))
			sprintf(local + strlen(local), "%d", below(100));
	}
	/* Two persons cannot have the same: the later one adds digits. */
	do
		sprintf(out, "%s@%s", local, word);
	while (!take_mailbox(out) && sprintf(local + strlen(local), "%d", below(100)));
}

/* What one has of one's own: numbers, boxes, work; the home is known. */
static void
equip(struct person *p)
{
	p->company = happens(200) ? low_below(companies) : -1;
	p->hub_phone = p->company >= 0 && happens(150);
	p->hub_email = p->company >= 0 && happens(60);
	for (int i = 0; i < 2; i++)
	{
		draw_email(p, p->email[i]);
		draw_phone(p->country, p->home[0].city, p->phone[i]);
	}
	draw_home(&p->home[1], p->country, happens(600) ? p->home[0].city : NULL);
}

static void
draw_birth(struct person *p, int from, int to)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	p->year = from + below(to - from + 1);
	p->month = 1 + below(12);
	p->day = 1 + below(days[p->month - 1]);
}

/* Names, birth and home of a new person who is related to nobody. */
static void
draw_person(struct person *p, enum country country, int female, int from, int to)
{
	memset(p, 0, sizeof(*p));
	p->country = country;
	if (country == RU)
		for (int at = below(1000); at >= peoples[p->people].share; p->people++)
			at -= peoples[p->people].share;
	p->female = female;
	name_person(p, draw(given_names(p, female)));
	if (country == RU)
		patronymic(draw(given_names(p, 0)), female, p->middle);
	else if (happens(600))
	{
		char	   *entry = draw(given_names(p, female));

		memcpy(p->middle, entry, strcspn(entry, "/"));
		if (happens(500))
			p->middle[1] = 0;
	}
	draw_family(country, p->people, p->family);
	if (country != RU && happens(15))
	{
		strcat(p->family, "-");
		strcat(p->family, draw(&english_family));
	}
	if (country == RU && female)
		feminine(p->family);
	draw_birth(p, from, to);
	draw_home(&p->home[0], country, NULL);
}

/* The surname of a relative, in the form of the other sex. */
static void
inherit_family(struct person *p, const char *masculine)
{
	strcpy(p->family, masculine);
	if (p->country == RU && p->female)
		feminine(p->family);
}

static void
live_with(struct person *p, const struct person *q)
{
	p->home[0] = q->home[0];
	p->country = q->country;
	p->people = q->people;
}

/* A household of one to four; returns how many. */
static int
draw_household(struct person *p, enum country country)
{
	int			kind = below(1000),
				n = 1;
	char		masculine[64];
	char	   *father;

	draw_person(&p[0], country, kind >= 860 && kind < 965 ? 0 : below(2), 1940, 2005);
	if (kind < 860)
	{
		if (p->female && p->year < 1998 && happens(250))
		{
			draw_family(country, p->people, p->former);
			if (country == RU)
				feminine(p->former);
		}
		equip(p);
		return 1;
	}
	draw_family(country, p->people, masculine);
	father = draw(given_names(p, 0));
	if (kind < 965)
	{
		/* A couple, perhaps with children. */
		n = kind < 930 ? 2 : 3 + below(2);
		if (p->year > 1983)
			p->year -= 20;
		name_person(p, father);
		inherit_family(p, masculine);
		draw_person(&p[1], country, 1, p->year - 5, p->year + 7);
		live_with(&p[1], p);
		if (happens(800))
		{
			if (happens(550))
				strcpy(p[1].former, p[1].family);
			inherit_family(&p[1], masculine);
		}
		for (int i = 2; i < n; i++)
		{
			draw_person(&p[i], country, below(2), p->year + 20, p->year < 1970 ? p->year + 38 : 2008);
			live_with(&p[i], p);
			inherit_family(&p[i], masculine);
		}
	}
	else
	{
		/* Siblings, twins, or a parent and a child of the same name. */
		int			twins = kind >= 983 && kind < 990,
					same = kind >= 990;

		n = 2;
		inherit_family(p, masculine);
		draw_person(&p[1], country, same ? p->female : below(2), p->year - 6, p->year + 6);
		live_with(&p[1], p);
		inherit_family(&p[1], masculine);
		if (twins)
		{
			p[1].year = p->year;
			p[1].month = p->month;
			p[1].day = p->day;
		}
		if (same)
		{
			p[1].year = p->year + 20 + below(18);
			strcpy(p[1].given, p->given);
			p[1].familiar = p->familiar;
			father = NULL;
		}
		else if (country == RU)
			patronymic(father, p->female, p->middle);
	}
	/* Children of one father bear his name. */
	if (country == RU && father)
		for (int i = kind < 965 ? 2 : 1; i < n; i++)
		{
			name_person(&p[i], draw(given_names(p, p[i].female)));
			patronymic(father, p[i].female, p[i].middle);
		}
	if (country == RU && !father && !p->female)
		for (int i = 0; i < people_male[p->people].n; i++)
		{
			char	   *entry = people_male[p->people].word[i];

			if (strncmp(entry, p->given, strlen(p->given)) == 0 && strchr("=/", entry[strlen(p->given)]))
			{
				patronymic(entry, 0, p[1].middle);
				break;
			}
		}
	for (int i = 0; i < n; i++)
	{
		equip(&p[i]);
		if (i > 0 && happens(250))
			strcpy(p[i].phone[0], p->phone[0]);
		if (i > 0 && happens(60))
			strcpy(p[i].email[0], p->email[0]);
	}
	return n;
}

#endif
