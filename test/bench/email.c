/*
 * How many addresses a core reads, keys, compares; beside copying their bytes.
 * sources: src/type/check.c src/type/email.c src/type/email_check.c
 * sources: src/type/email_domain.c
 * sources: src/type/email_key.c src/type/email_match.c src/text/idna.c
 * sources: src/text/idna_punycode.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "type/email.h"

#define COUNT 100000
#define ROUNDS 7

static char texts[COUNT][96];
static int	lengths[COUNT];
static char images[COUNT][128];
static int	sizes[COUNT];
static volatile uint64_t sink;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void
fill(const char *const *domains, int domain_count, const char *local)
{
	srand(42);
	for (int i = 0; i < COUNT; i++)
		lengths[i] = snprintf(texts[i], sizeof(texts[i]), "%s.%d@%s", local,
							  rand() % 1000000, domains[rand() % domain_count]);
}

/* The best of several rounds, in millions a second. */
static double
measure(uint64_t (*one) (int i))
{
	double		best = 0;

	for (int r = 0; r < ROUNDS; r++)
	{
		double		start = now();
		uint64_t	sum = 0;
		double		rate;

		for (int i = 0; i < COUNT; i++)
			sum += one(i);
		sink = sum;
		rate = COUNT / (now() - start) / 1e6;
		if (rate > best)
			best = rate;
	}
	return best;
}

static uint64_t
copy(int i)
{
	memcpy(images[i], texts[i], lengths[i]);
	return (uint64_t) images[i][0] + lengths[i];
}

static uint64_t
parse(int i)
{
	CrmCheck	check;
	char		image[CRM_EMAIL_BUFFER];

	sizes[i] = crm_email_parse(texts[i], lengths[i], 0, image, &check);
	if (sizes[i] == 0 || sizes[i] > (int) sizeof(images[i]))
		abort();
	memcpy(images[i], image, sizes[i]);
	return sizes[i];
}

static uint64_t
refuse(int i)
{
	CrmCheck	check;
	char		image[CRM_EMAIL_BUFFER];

	return crm_email_parse(texts[i], lengths[i], CRM_EMAIL_NO_REPAIR, image, &check) + 1;
}

static uint64_t
match_key(int i)
{
	char		key[CRM_EMAIL_BUFFER];

	return crm_email_match_key(images[i], sizes[i], key);
}

static uint64_t
compare(int i)
{
	int			j = (i + 1) % COUNT;

	return crm_email_compare(images[i], sizes[i], images[j], sizes[j]) < 0;
}

static uint64_t
domain_compare(int i)
{
	int			j = (i + 1) % COUNT;

	return crm_email_domain_compare(images[i], sizes[i], images[j], sizes[j]) < 0;
}

static uint64_t
ascii(int i)
{
	char		out[CRM_EMAIL_BUFFER];

	return crm_email_ascii(images[i], sizes[i], out);
}

static void
show(const char *what, double rate, double base)
{
	printf("%-44s %8.2f M/s  %5.1f %% of copying\n", what, rate, 100 * rate / base);
}

int
main(void)
{
	static const char *const plain[] = {"Example.com", "gmail.com", "mail.ru", "firma-vostok.ru",
	"sales.company.co.uk", "yandex.ru"};
	static const char *const idn[] = {"пример.рф", "почта.рф", "müller.de", "例子.广告"};
	static const char *const encoded[] = {"xn--e1afmkfd.xn--p1ai", "xn--mller-kva.de"};
	static const char *const bad[] = {"example", "mail,ru", "mail..ru", "-a.com"};
	double		base;

	fill(plain, 6, "Ivan.Petrov");
	base = measure(copy);
	show("copy the bytes (nothing else)", base, base);
	show("read, ASCII", measure(parse), base);
	show("match key, ASCII", measure(match_key), base);
	show("compare neighbours, default order", measure(compare), base);
	show("compare neighbours, order by domain", measure(domain_compare), base);
	fill(idn, 4, "ivan.petrov");
	show("read, international domain", measure(parse), base);
	show("form for SMTP, international domain", measure(ascii), base);
	fill(encoded, 2, "ivan.petrov");
	show("read, \"xn--\" domain", measure(parse), base);
	fill(idn, 4, "иван.петров");
	show("read, international local part and domain", measure(parse), base);
	show("match key, international", measure(match_key), base);
	fill(bad, 4, "ivan.petrov");
	show("refuse", measure(refuse), base);
	return 0;
}
