/*
 * Reading phone numbers, per core.
 * sources: src/type/phone_key.c src/type/phone_plan.c src/type/phone_scan.c src/type/phone_parse.c src/type/phone_format.c src/type/check.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "type/phone.h"

#define NUMBERS 20000
#define ROUNDS 10
#define RUNS 5

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static char texts[NUMBERS][32];
static int	lengths[NUMBERS];
static volatile unsigned sink;

static void
fill(const char *format, int parts)
{
	unsigned	seed = 12345;

	for (int i = 0; i < NUMBERS; i++)
	{
		unsigned	r;

		seed = seed * 1103515245 + 12345;
		r = seed >> 4;
		if (parts == 1)
			lengths[i] = snprintf(texts[i], 32, format, 2000000 + r % 7000000);
		else
			lengths[i] = snprintf(texts[i], 32, format, 10 + r % 80, 200 + r / 80 % 800, r / 64000 % 100, r / 6400000 % 100);
	}
}

/* The best of several runs, in numbers a second. */
static void
measure(const char *name, const char *region)
{
	double		best[2] = {1e9, 1e9};
	unsigned	accepted = 0;

	for (int run = 0; run < RUNS; run++)
		for (int deep = 0; deep < 2; deep++)
		{
			double		start = now();

			accepted = 0;
			for (int round = 0; round < ROUNDS; round++)
				for (int i = 0; i < NUMBERS; i++)
				{
					CrmPhone	phone;
					CrmCheck	check;
					uint8_t		bytes[CRM_PHONE_MAX_BYTES];

					if (!crm_phone_parse(texts[i], lengths[i], region, &phone, &check))
						continue;
					accepted++;
					sink += crm_phone_pack(&phone, bytes);
					if (deep)
					{
						CrmPhoneInfo info;
						char		written[CRM_PHONE_FORMATTED];

						crm_phone_info(&phone, &info);
						sink += info.kind + crm_phone_format(&phone, CRM_PHONE_INTERNATIONAL, written);
					}
				}
			start = now() - start;
			if (start < best[deep])
				best[deep] = start;
		}
	printf("%-26s %6.2f M/s read, %6.2f M/s read + kind + region + format  (%u of %u accepted)\n", name,
		   (double) NUMBERS * ROUNDS / best[0] / 1e6, (double) NUMBERS * ROUNDS / best[1] / 1e6, accepted / ROUNDS, NUMBERS);
}

int
main(void)
{
	fill("+7916%u", 1);
	measure("+7916xxxxxxx", NULL);
	fill("8 (9%u) %u-%02u-%02u", 4);
	measure("RU 8 (9xx) xxx-xx-xx", "RU");
	fill("+7 9%u %u-%02u-%02u", 4);
	measure("RU +7 9xx xxx-xx-xx", "RU");
	fill("(650) %u", 1);
	measure("US (650) xxxxxxx", "US");
	fill("030 %u", 1);
	measure("DE 030 xxxxxxx", "DE");
	fill("+49 151 %u1", 1);
	measure("DE +49 151 xxxxxxxx", "DE");
	fill("0987%u", 1);
	measure("IN 0987xxxxxxx", "IN");
	fill("no number %u here", 1);
	measure("words", "RU");
	return 0;
}
