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
 * times: 1.485 rows and .75 true pairs a person. Who lives with whom: of
 * households 86 % are one person, 7 % a couple, 3.5 % a couple with one or two
 * children, 1.8 % siblings, .7 % twins, 1 % a parent and a child of the same
 * given name; so 28 % of persons are here with somebody of their house. A
 * household shares the address; one further member in four gives the phone of
 * the first, 6 % the mailbox. One person in 170 has the full name and the city
 * of another. Every fifth has a company; of these 15 % give its switchboard in
 * every second row, and 6 % its info@ box. A fifth of women had another surname.
 *
 * Names follow 1 / (rank + offset), as real ones do; 60 % of surnames come from
 * the lists, 40 % are made of a stem and an ending, some 3,500 for each language.
 *
 * Mailboxes and numbers are made up and may by chance be somebody's: never
 * write to them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "people.h"

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
		   "households: 860 of one, 70 couples, 35 with children, 18 siblings, 7 twins, 10 parent and child of one name\n");
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
