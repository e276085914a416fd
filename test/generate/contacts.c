/*
 * contacts.c: makes contacts of Russian, American and British persons as the
 * systems of a company hold them, for measuring how well records of one person
 * are found again. The same seed gives the same rows everywhere.
 *
 *   cc -O2 -o contacts contacts.c
 *   ./contacts [--rows 20000] [--seed 1] [--russian 60] > contacts.csv
 *   ./contacts --describe
 *
 * CSV with a header: id, cluster (the truth: the person), locale (ru, en),
 * given_name, middle_name, family_name, birth_date, gender, email, phone, city,
 * postal_code, address, company, source. The order of rows says nothing.
 *
 * Every row, also that of a person who occurs once, is what one source made of
 * the person: there is no clean original among them. Rates are in thousandths of
 * the rows of that source, independent of one another, and stand in the table
 * "source" below; --describe prints them. They are set by what is known of such
 * systems (who types, what is asked, what is required) and not by what any
 * matcher does with them.
 *
 * Persons. 70 % occur once, 18 % twice, 7 % three times, 3.5 % four, 1.5 % five
 * times: 1.485 rows and .75 true pairs a person. Who lives with whom: 72 % of
 * households are one person, 14 % a couple, 8 % a couple with one or two
 * children, 3 % siblings, 1.5 % twins, 1.5 % a parent and a child of the same
 * given name. A household shares the address; one member in four gives its
 * common phone, 6 % of partners a common mailbox. One person in 200 has the full
 * name and the city of another. Every fifth has a company; of these 150 in a
 * thousand give its switchboard and 60 its info@ box. Half of the married
 * women have had another surname.
 *
 * Names follow 1 / (rank + offset), as real ones do; 60 % of surnames come from
 * the lists, 40 % are made of a stem and an ending, some 3,500 for each language.
 *
 * Mailboxes and numbers are made up and may by chance be somebody's: never
 * write to them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "random.h"
#include "script.h"
#include "names_ru.h"
#include "names_en.h"
#include "places.h"

#define countof(a) ((int) (sizeof(a) / sizeof((a)[0])))

/* What goes wrong, in thousandths of the rows of a source. */
struct source
{
	const char *name;
	int			share;			/* of all rows */
	int			typo;			/* in the given name; in the surname; in the middle name */
	int			no_yo;			/* е for ё in all names */
	int			translit;		/* the whole row in the other script */
	int			look_alike;		/* letters of the other script in the surname */
	int			layout;			/* the surname typed with the wrong layout */
	int			nickname;		/* Саша, Bob */
	int			initial;		/* of given and middle name */
	int			no_middle;
	int			swapped;		/* given name and surname */
	int			former;			/* the former surname, of those who had one */
	int			upper;
	int			lower;
	int			day_month;		/* exchanged, where that gives a date */
	int			year;			/* a digit of the year */
	int			day;			/* another day of the month */
	int			placeholder;	/* 1 January of the year, 1900-01-01, 1970-01-01 */
	int			no_birth;
	int			other_phone;	/* a former or second one */
	int			digit;			/* one digit of it */
	int			no_phone;
	int			other_email;
	int			email_domain;	/* gmial.com */
	int			email_typo;
	int			email_tag;		/* +shop, dots, capitals, ya.ru */
	int			no_email;
	int			moved;			/* the former address */
	int			street_typo;
	int			no_address;
	int			no_city;
	int			no_postal;
	int			no_company;
	int			no_gender;
};

static const struct source source[] = {
	{"crm", 350, 10, 500, 10, 3, 1, 20, 10, 150, 5, 60, 5, 2, 5, 3, 5, 15, 250,
	80, 5, 80, 100, 3, 5, 2, 150, 100, 15, 200, 80, 100, 200, 150},
	{"shop", 300, 25, 850, 30, 10, 3, 90, 15, 650, 20, 50, 20, 60, 10, 8, 10, 10, 450,
	110, 8, 150, 120, 15, 10, 20, 40, 80, 25, 250, 100, 150, 500, 400},
	{"legacy", 150, 20, 950, 20, 5, 1, 10, 60, 100, 15, 120, 700, 0, 10, 5, 5, 50, 150,
	150, 5, 200, 180, 5, 10, 0, 450, 200, 20, 100, 50, 100, 300, 100},
	{"callcentre", 120, 45, 700, 5, 0, 2, 80, 10, 550, 10, 40, 20, 30, 10, 10, 10, 5, 600,
	100, 25, 10, 100, 20, 40, 0, 500, 80, 40, 600, 250, 700, 600, 500},
	{"event", 80, 30, 800, 80, 5, 0, 120, 30, 800, 25, 30, 60, 10, 0, 0, 0, 0, 950,
	120, 10, 300, 130, 15, 20, 10, 60, 50, 30, 950, 500, 950, 50, 800},
};

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

struct row
{
	char		given[TEXT_SIZE],
				middle[TEXT_SIZE],
				family[TEXT_SIZE],
				birth[16],
				gender[4],
				email[TEXT_SIZE],
				phone[40],
				city[TEXT_SIZE],
				postal[16],
				address[TEXT_SIZE],
				company[TEXT_SIZE];
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
		sprintf(out, "%s%s", draw(&stem[english]), draw(&ending[english]));
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
		sprintf(h->postal, "%s%d %d%c%c", begin, 1 + below(20), 1 + below(9),
				"ABDEFGHJLNPQRSTUWXYZ"[below(20)], "ABDEFGHJLNPQRSTUWXYZ"[below(20)]);
}

static void
draw_home(struct home *h, enum country country, const struct city *in)
{
	/* The larger the city, the more people: by squaring a uniform number. */
	int			at = below(1000) * below(1000) / 1000;

	h->country = country;
	h->city = in ? in : &city[country][at * cities[country] / 1000];
	h->street = below(street[country].n) * below(1000) / 1000;
	h->kind = below(6);
	h->house = 1 + below(country == US ? 9000 : 120) * below(1000) / 1000;
	h->flat = happens(country == RU ? 850 : 250) ? 1 + below(country == RU ? 200 : 60) : 0;
	draw_postal(h);
}

static void
draw_phone(enum country country, const struct city *in, char *out)
{
	if (country == RU)
		sprintf(out, "9%02d%03d%04d", (int[]) {1, 2, 3, 5, 6, 8, 9}[below(7)] * 10 + below(10), below(1000), below(10000));
	else if (country == US)
		sprintf(out, "%s%d%02d%04d", in->area, 2 + below(8), below(100), below(10000));
	else
		sprintf(out, "7%d%08d", (int[]) {4, 5, 7, 8, 9}[below(5)], below(100000000));
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
	char	   *word;

	random_state = mix(seed ^ mix((uint64_t) company + 77));
	word = draw(&firm[english]);
	if (english)
		sprintf(out, "%s %s %s", word, draw(&trade), (const char *[]) {"Ltd", "Inc", "LLC", "Group"}[below(4)]);
	else
		sprintf(out, "%s «%s-%s»", (const char *[]) {"ООО", "ООО", "АО", "ИП"}[below(4)], word, draw(&firm[0]));
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
	int			year = p->year % 100;

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
		default: sprintf(local, "%.4s%d", below(2) ? given : family, 1000 + below(9000)); break;
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
	p->company = happens(200) ? (int) ((int64_t) below(companies) * below(1000) / 1000) : -1;
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

	draw_person(&p[0], country, kind >= 720 && kind < 940 ? 0 : below(2), 1940, 2005);
	if (kind < 720)
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
	if (kind < 940)
	{
		/* A couple, perhaps with children. */
		n = kind < 860 ? 2 : 3 + below(2);
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
			draw_person(&p[i], country, below(2), p->year + 20, p->year + 38);
			live_with(&p[i], p);
			inherit_family(&p[i], masculine);
		}
	}
	else
	{
		/* Siblings, twins, or a parent and a child of the same name. */
		int			twins = kind >= 970 && kind < 985,
					same = kind >= 985;

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
		for (int i = kind < 940 ? 2 : 1; i < n; i++)
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

#include "corrupt.h"

static char *text;
static size_t text_used,
			text_size;

/* Adds a field to the line that is being written. */
static void
put(const char *field, int last)
{
	int			quote = strpbrk(field, ",\"\n") != NULL;

	if (text_used + 2 * strlen(field) + 4 > text_size)
	{
		text_size = text_size * 2 + 65536;
		text = realloc(text, text_size);
		if (!text)
			exit(1);
	}
	if (quote)
		text[text_used++] = '"';
	for (const char *s = field; *s; s++)
	{
		if (*s == '"')
			text[text_used++] = '"';
		text[text_used++] = *s;
	}
	if (quote)
		text[text_used++] = '"';
	text[text_used++] = last ? 0 : ',';
}

static void
put_row(int64_t cluster, const struct person *p, const struct row *r, const char *from)
{
	char		number[24];

	sprintf(number, "%lld", (long long) cluster);
	put(number, 0);
	put(p->country == RU ? "ru" : "en", 0);
	put(r->given, 0);
	put(r->middle, 0);
	put(r->family, 0);
	put(r->birth, 0);
	put(r->gender, 0);
	put(r->email, 0);
	put(r->phone, 0);
	put(r->city, 0);
	put(r->postal, 0);
	put(r->address, 0);
	put(r->company, 0);
	put(from, 1);
}

static int
draw_size(void)
{
	int			at = below(1000);

	return at < 700 ? 1 : at < 880 ? 2 : at < 950 ? 3 : at < 985 ? 4 : 5;
}

static void
generate(int64_t rows, int russian)
{
	size_t	   *line = malloc(sizeof(size_t) * (size_t) (rows + 1));
	struct person member[4];
	struct person *known = calloc(1024, sizeof(struct person));
	int64_t		n = 0,
				cluster = 0;

	companies = 20 + (int) (rows / 150);
	for (taken_mask = 1023; taken_mask < (uint64_t) rows * 4;)
		taken_mask = taken_mask * 2 + 1;
	taken = calloc(taken_mask + 1, sizeof(uint64_t));
	for (int64_t household = 0; n < rows; household++)
	{
		int			members;
		enum country country;

		random_state = mix(seed * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t) household);
		country = below(100) < russian ? RU : below(100) < 60 ? US : UK;
		members = draw_household(member, country);
		for (int i = 0; i < members && n < rows; i++)
		{
			struct person *p = &member[i];
			struct person *other = &known[below(1024)];
			int			size = draw_size();

			/* A namesake in the same city. */
			if (members == 1 && happens(7) && other->country == country && other->year != 0)
			{
				p->people = other->people;
				p->female = other->female;
				strcpy(p->given, other->given);
				strcpy(p->middle, other->middle);
				strcpy(p->family, other->family);
				p->former[0] = 0;
				p->familiar = other->familiar;
				draw_home(&p->home[0], country, other->home[0].city);
				equip(p);
			}
			known[cluster++ & 1023] = *p;
			for (int k = 0; k < size && n < rows; k++)
			{
				struct row	r;
				const struct source *s = source;

				for (int at = below(1000); at >= s->share; s++)
					at -= s->share;
				observe(p, s, &r);
				line[n++] = text_used;
				put_row(cluster, p, &r, s->name);
			}
		}
	}
	random_state = mix(seed + 4711);
	puts("id,cluster,locale,given_name,middle_name,family_name,birth_date,gender,email,phone,city,postal_code,address,company,source");
	for (int64_t i = n - 1; i > 0; i--)
	{
		int64_t		j = (int64_t) (next_random() % (uint64_t) (i + 1));
		size_t		kept = line[i];

		line[i] = line[j];
		line[j] = kept;
	}
	for (int64_t i = 0; i < n; i++)
		printf("%lld,%s\n", (long long) i + 1, text + line[i]);
}

static void
describe(void)
{
	static const char *const what[] = {
		"share of the rows", "typo, in each name", "е for ё", "other script, whole row", "look-alike letters in the surname",
		"wrong keyboard layout", "familiar name", "initials", "no middle name", "names exchanged", "former surname, of those with one",
		"all capitals", "no capitals", "day and month exchanged", "year mistyped", "another day", "placeholder of a birth date",
		"no birth date", "other phone", "a digit of it", "no phone", "other mailbox", "its domain mistyped", "mistyped elsewhere",
		"tag, dots, alias", "no e-mail", "former address", "street mistyped", "no address", "no city", "no postal code",
		"no company", "no gender"
	};

	printf("%-36s", "in thousandths of the rows of");
	for (int s = 0; s < countof(source); s++)
		printf("%12s", source[s].name);
	putchar('\n');
	for (int i = 0; i < countof(what); i++)
	{
		uint32_t	letter[LETTERS];

		printf("%s%*s", what[i], 36 - decode(what[i], letter), "");
		for (int s = 0; s < countof(source); s++)
			printf("%12d", (&source[s].share)[i]);
		putchar('\n');
	}
	printf("\npersons: 700 once, 180 twice, 70 three, 35 four, 15 five times\n"
		   "households: 720 of one, 140 couples, 80 with children, 30 siblings, 15 twins, 15 parent and child of one name\n");
	for (int i = 0; i < countof(peoples); i++)
		printf("Russian names, %d: %d of men, %d of women, %d surnames\n", peoples[i].share,
			   people_male[i].n, people_female[i].n, people_family[i].n);
	printf("English names: %d of men, %d of women, %d surnames\n", english_male.n, english_female.n, english_family.n);
	printf("surnames of two parts: %d Russian, %d English\n", stem[0].n * ending[0].n, stem[1].n * ending[1].n);
	printf("cities: %d Russian, %d American, %d British\n", cities[RU], cities[US], cities[UK]);
}

int
main(int argc, char **argv)
{
	int64_t		rows = 20000;
	int			russian = 60;

	learn();
	for (int i = 1; i < argc; i++)
	{
		if (strcmp(argv[i], "--describe") == 0)
		{
			describe();
			return 0;
		}
		if (i + 1 < argc && strcmp(argv[i], "--rows") == 0)
			rows = atoll(argv[++i]);
		else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[++i], NULL, 10);
		else if (i + 1 < argc && strcmp(argv[i], "--russian") == 0)
			russian = atoi(argv[++i]);
		else
			rows = 0;
	}
	if (rows < 1 || rows > 100000000)
	{
		fputs("usage: contacts [--rows 20000] [--seed 1] [--russian 60] | --describe\n", stderr);
		return 2;
	}
	generate(rows, russian);
	return 0;
}
