/*
 * Identifiers read per second by one core, canonical and written by people,
 * beside the cost of copying the text.
 * sources: src/type/tax_id.c src/type/tax_id_read.c src/type/tax_id_suggest.c src/type/tax_id_split.c src/type/tax_id_vat.c src/type/check.c
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "type/tax_id.h"

#define TEXTS 4096
#define RUNS 7

static char texts[TEXTS][64];
static uint64_t sink;

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* The best of some runs, in millions a second. */
static double
measure(int kind, int rounds)
{
	double		best = 0;

	for (int run = 0; run < RUNS; run++)
	{
		double		start = seconds();
		double		rate;

		for (int round = 0; round < rounds; round++)
			for (int i = 0; i < TEXTS; i++)
			{
				CrmTaxId	id;
				CrmCheck	check;
				uint64_t	words[2];
				size_t		length = strlen(texts[i]);

				if (kind < 0)
				{
					memcpy(id.text, texts[i], length < 20 ? length : 20);
					sink += id.text[3];
				}
				else if (crm_tax_id_read(kind, texts[i], length, &id, &check))
				{
					crm_tax_id_pack(kind, &id, words);
					sink += words[0];
				}
			}
		rate = (double) rounds * TEXTS / (seconds() - start) / 1e6;
		if (rate > best)
			best = rate;
	}
	return best;
}

static void
report(const char *name, int kind, int rounds)
{
	double		baseline = measure(-1, rounds);
	double		rate = measure(kind, rounds);

	printf("%-28s %7.2f M/s   copying the text %7.1f M/s, ratio %5.1f\n",
		   name, rate, baseline, baseline / rate);
}

/* Numbers that start with a counter; those which are accepted are kept. */
static void
fill(CrmTaxIdKind kind, const char *pattern, const char *around)
{
	CrmTaxId	id;
	CrmCheck	check;
	char		text[64];
	int			n = 0;

	for (uint64_t i = 1000003; n < TEXTS; i += 7919)
	{
		uint64_t	rest = i;

		/* 0 stands for a digit of the counter, the lowest last */
		strcpy(text, pattern);
		for (int j = strlen(text) - 1; j >= 0; j--)
			if (text[j] == '0')
			{
				text[j] = '0' + rest % 10;
				rest /= 10;
			}
		if (crm_tax_id_read(kind, text, strlen(text), &id, &check))
			snprintf(texts[n++], sizeof(texts[0]), around, text);
	}
}

int
main(void)
{
	fill(CRM_TAX_ID_INN, "7700000000", "%s");
	report("inn, 10 digits", CRM_TAX_ID_INN, 200);
	fill(CRM_TAX_ID_INN, "770000000000", "%s");
	report("inn, 12 digits", CRM_TAX_ID_INN, 200);
	fill(CRM_TAX_ID_KPP, "770001001", "%s");
	report("kpp", CRM_TAX_ID_KPP, 200);
	fill(CRM_TAX_ID_OGRN, "1027700000000", "%s");
	report("ogrn, 13 digits", CRM_TAX_ID_OGRN, 200);
	fill(CRM_TAX_ID_OGRN, "304770000000000", "%s");
	report("ogrn, 15 digits", CRM_TAX_ID_OGRN, 200);
	fill(CRM_TAX_ID_SNILS, "11200000000", "%s");
	report("snils", CRM_TAX_ID_SNILS, 200);
	fill(CRM_TAX_ID_VAT, "DE110000000", "%s");
	report("vat, DE", CRM_TAX_ID_VAT, 200);
	fill(CRM_TAX_ID_VAT, "FR00110000000", "%s");
	report("vat, FR", CRM_TAX_ID_VAT, 200);
	fill(CRM_TAX_ID_LEI, "253400M18U0TB02TW000", "%s");
	report("lei", CRM_TAX_ID_LEI, 200);
	fill(CRM_TAX_ID_INN, "7700000000", "ИНН %s");
	report("inn with label", CRM_TAX_ID_INN, 50);
	fill(CRM_TAX_ID_SNILS, "112-000-000 00", "%s");
	report("snils as written", CRM_TAX_ID_SNILS, 50);
	fill(CRM_TAX_ID_INN, "7700000000", "%s1");
	report("inn, refused and explained", CRM_TAX_ID_INN, 20);
	return sink == 42;
}
