/*
 * Pairs of records scored a second, on one core: 200,000 persons, of whom a third
 * are there twice and misspelt, through everything that a run of a match model
 * does; beside the same pairs compared field by field as one would write it, by
 * the matrix of Levenshtein and by equality.
 * sources: src/match/compare.c src/match/level.c src/match/feature.c src/match/block.c src/match/train.c
 * sources: src/text/name_key.c src/text/name_char.c src/text/translit.c -lm
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "match/match.h"

#define PERSONS 150000
#define RECORDS 200000
#define SAMPLED_RECORDS 1200
#define SAMPLED_PAIRS 700000.0
#define BLOCK_LIMIT 1000

static const char *const given_name[] = {
	"anna", "maria", "elena", "olga", "irina", "natalia", "tatiana", "ekaterina", "svetlana", "yulia",
	"ivan", "sergey", "dmitriy", "andrey", "alexey", "mikhail", "pavel", "nikolay", "viktor", "roman",
	"robert", "william", "james", "elizabeth", "margaret", "thomas", "richard", "edward", "susan", "laura",
};
static const char *const stem[] = {
	"iva", "petro", "smir", "kuz", "popo", "vasil", "sokol", "mikha", "nova", "fedo", "moroz", "vol",
	"alek", "lebed", "semen", "ego", "pavlo", "koz", "step", "niko", "orlo", "andr", "mak", "zakha",
	"shcher", "yefi", "hart", "wood", "brad", "clif", "green", "kings", "north", "thorn", "west", "stan",
};
static const char *const middle[] = {"n", "r", "v", "l", "k", "s", "m", "ts", "zh", "d", "ch", "sh", "st", "nd", "rg"};
static const char *const end[] = {
	"ov", "ev", "in", "skiy", "enko", "uk", "yan", "man", "son", "er", "ich", "ton", "ley", "ford", "worth",
};

/* What a record says, as texts. */
typedef struct Row
{
	char		given[24];
	char		family[24];
	char		birth[12];
	char		email[48];
	char		phone[16];
	char		city[16];
} Row;

enum
{
	PERSON, BIRTH, EMAIL, PHONE, CITY, FIELDS
};

static const char *const field_name[FIELDS] = {"person", "birth_date", "email", "phone", "city"};
static const CrmComparator comparator[FIELDS] = {
	CRM_MATCH_PERSON, CRM_MATCH_DATE, CRM_MATCH_EMAIL, CRM_MATCH_PHONE, CRM_MATCH_TEXT
};

/* Those that are proposed for such a table. */
static const char *const rules[] = {
	"email", "phone", "person birth_date", "person", "person:any birth_date", "person:family4 person:given3",
	"person:skeleton person:initial birth_date:year", "person:skeleton person:initial city",
	"person:family birth_date:year", "person:any birth_date:month_day", "person:any birth_date:year_month",
	"person:skeleton birth_date:year_month", "birth_date person:initial", "birth_date city", "birth_date",
	"person:any city", "email:local", "phone:tail", "person:skeleton person:initial",
};

static Row	row[RECORDS];
static CrmMatchModel model;
static CrmMatchRecords records = {&model, RECORDS, NULL, NULL};
static CrmMatchBlocks block[CRM_MATCH_RULES];
static CrmMatchHistogram *histogram;
static uint64_t seed = 88172645463325252;
static uint64_t pairs;
static uint64_t found;
static volatile double sink;

static uint32_t
random_below(uint32_t bound)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t) ((seed >> 32) * bound >> 32);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* ---- what the core borrows ---- */

static void *
allocate(CrmMatchHost *h, size_t size)
{
	void	   *memory = calloc(1, size > 0 ? size : 1);

	(void) h;
	if (memory == NULL)
		abort();
	return memory;
}

static void
release(CrmMatchHost *h, void *memory)
{
	(void) h;
	free(memory);
}

static void
interrupt(CrmMatchHost *h)
{
	(void) h;
}

static CrmMatchHost host = {allocate, release, interrupt};

/* ---- records ---- */

/* Another letter, one too few, or two swapped. */
static void
misspell(char *text)
{
	size_t		length = strlen(text);
	size_t		at;

	if (length < 4)
		return;
	at = 1 + random_below((uint32_t) length - 2);
	switch (random_below(3))
	{
		case 0:
			text[at] = (char) ('a' + random_below(26));
			break;
		case 1:
			memmove(text + at, text + at + 1, length - at);
			break;
		default:
			{
				char		letter = text[at];

				text[at] = text[at + 1];
				text[at + 1] = letter;
			}
	}
}

static void
make_rows(void)
{
	uint32_t	count = 0;

	for (uint32_t person = 0; person < PERSONS && count < RECORDS; person++)
	{
		Row		   *r = &row[count++];

		snprintf(r->given, sizeof(r->given), "%s", given_name[random_below(30)]);
		snprintf(r->family, sizeof(r->family), "%s%s%s", stem[random_below(36)], middle[random_below(15)], end[random_below(15)]);
		snprintf(r->birth, sizeof(r->birth), "%04u-%02u-%02u", 1940 + random_below(65), 1 + random_below(12), 1 + random_below(28));
		if (random_below(4) > 0)
		{
			/* A copy: the compiler takes the two for one place. */
			char		family[sizeof(r->family)];

			memcpy(family, r->family, sizeof(family));
			snprintf(r->email, sizeof(r->email), "%s%u@mail%u.example", family, random_below(1000), random_below(20));
		}
		if (random_below(5) > 0)
			snprintf(r->phone, sizeof(r->phone), "7916%07u", random_below(10000000));
		snprintf(r->city, sizeof(r->city), "%s%s", stem[random_below(36)], random_below(3) > 0 ? "sk" : "burg");
		if (person % 3 == 0 && count < RECORDS)
		{
			Row		   *copy = &row[count++];

			*copy = *r;
			switch (random_below(6))
			{
				case 0:
					misspell(copy->family);
					break;
				case 1:
					copy->given[1] = '\0';
					break;
				case 2:
					misspell(copy->given);
					break;
				case 3:
					copy->birth[9] = (char) ('0' + (copy->birth[9] - '0' + 1) % 8);
					break;
				case 4:
					misspell(copy->email);
					break;
				default:
					if (copy->phone[0] != '\0')
						copy->phone[6] = (char) ('0' + random_below(10));
			}
			if (random_below(3) == 0)
				copy->email[0] = '\0';
			if (random_below(3) == 0)
				copy->phone[0] = '\0';
		}
	}
}

/* ---- the model ---- */

static void
make_model(void)
{
	const char *problem;

	model.fields = FIELDS;
	for (int f = 0; f < FIELDS; f++)
	{
		CrmMatchField *field = &model.field[f];

		snprintf(field->name, sizeof(field->name), "%s", field_name[f]);
		field->comparator = comparator[f];
		field->levels = crm_match_default_levels(comparator[f], field->threshold);
		field->values = 1;
		field->decisive = f == PERSON;
		field->shared = f == EMAIL || f == PHONE || f == CITY;
	}
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
	{
		CrmMatchRule *rule = &model.rule[model.rules++];
		const char *at = rules[i];

		while (*at != '\0')
		{
			size_t		length = strcspn(at, ": ");
			int			f = 0;
			int			aspect = CRM_ASPECT_FULL;

			while (strlen(field_name[f]) != length || memcmp(field_name[f], at, length) != 0)
				f++;
			at += length;
			if (*at == ':')
			{
				length = strcspn(++at, " ");
				aspect = crm_aspect_find(at, length);
				at += length;
			}
			rule->part[rule->parts].field = f;
			rule->part[rule->parts++].aspect = aspect;
			at += *at == ' ';
		}
	}
	problem = crm_match_layout(&model);
	if (problem != NULL)
	{
		fprintf(stderr, "%s\n", problem);
		exit(1);
	}
}

static void
put_features(void)
{
	int			chunks = (RECORDS + CRM_MATCH_CHUNK - 1) / CRM_MATCH_CHUNK;

	records.feature = allocate(&host, chunks * sizeof(uint8_t *));
	records.key = allocate(&host, chunks * sizeof(uint32_t *));
	for (int chunk = 0; chunk < chunks; chunk++)
	{
		records.feature[chunk] = allocate(&host, (size_t) CRM_MATCH_CHUNK * model.feature_size);
		records.key[chunk] = allocate(&host, (size_t) CRM_MATCH_CHUNK * model.slots * sizeof(uint32_t));
	}
	for (uint32_t i = 0; i < RECORDS; i++)
	{
		uint8_t    *feature = crm_match_feature(&records, i);
		int			year;
		int			month;
		int			day;

		crm_match_put_text(&model, feature, PERSON, 0, row[i].given, strlen(row[i].given));
		crm_match_put_text(&model, feature, PERSON, 1, row[i].family, strlen(row[i].family));
		sscanf(row[i].birth, "%d-%d-%d", &year, &month, &day);
		crm_match_put_date(&model, feature, BIRTH, year, month, day);
		if (row[i].email[0] != '\0')
			crm_match_put_email(&model, feature, EMAIL, row[i].email, strlen(row[i].email));
		if (row[i].phone[0] != '\0')
			crm_match_put_phone(&model, feature, PHONE, row[i].phone, strlen(row[i].phone));
		crm_match_put_text(&model, feature, CITY, 0, row[i].city, strlen(row[i].city));
	}
}

static void
make_keys(void)
{
	CrmMatchFrequencies frequencies;

	for (int f = 0; f < FIELDS; f++)
	{
		for (int t = 0; t < CRM_MATCH_TABLES; t++)
			frequencies.table[f][t] = crm_match_counts_make(&host);
		for (uint32_t i = 0; i < RECORDS; i++)
			crm_match_count_field(&model, crm_match_feature(&records, i), f, &frequencies);
		for (int t = 0; t < CRM_MATCH_TABLES; t++)
		{
			double		total = (double) crm_match_counts_total(frequencies.table[f][t]);
			double		equal = 0;
			size_t		at = 0;
			uint64_t	hash;
			uint32_t	number;

			while (crm_match_counts_next(frequencies.table[f][t], &at, &hash, &number))
				equal += (double) number * (number - 1);
			model.field[f].agreement[t] = total < 2 ? 0 : log2((equal > 0.5 ? equal : 0.5) / (total * (total - 1)));
		}
	}
	for (uint32_t i = 0; i < RECORDS; i++)
	{
		uint8_t    *feature = crm_match_feature(&records, i);

		crm_match_set_frequencies(&model, feature, &frequencies);
		crm_match_make_keys(&model, feature, crm_match_keys(&records, i));
	}
}

static uint64_t
divide(void)
{
	uint64_t	planned = 0;
	CrmMatchDivision division[CRM_MATCH_RULES] = {0};

	for (int r = 0; r < model.rules; r++)
	{
		CrmMatchCollected collected[CRM_MATCH_RULES_AT_ONCE] = {0};

		/* Each by itself: its blocks stay in what was collected. */
		crm_match_divide_rules(&records, r, r + 1, true, BLOCK_LIMIT, 1, collected, &division[r], &host);
		model.rule[r].divider = division[r].divider;
		block[r] = division[r].blocks;
		planned += block[r].pairs;
	}
	for (int r = 0; r < model.rules; r++)
		crm_match_change_keys(&records, r, division[r].change, division[r].changes);
	return planned;
}

/* ---- what is done with pairs ---- */

static void
collect(uint32_t a, uint32_t b, void *argument)
{
	const uint8_t *x = crm_match_feature(&records, a);
	const uint8_t *y = crm_match_feature(&records, b);
	uint64_t	pattern = crm_match_pattern(&model, x, y);

	(void) argument;
	crm_match_histogram_add(histogram, pattern,
							crm_match_shared_rules(&records, a, b) | crm_match_pack_frequency(&model, pattern, x, y), 1);
}

static void
count_only(uint32_t a, uint32_t b, void *argument)
{
	(void) argument;
	pairs++;
	found += a ^ b;
}

static void
patterns_only(uint32_t a, uint32_t b, void *argument)
{
	(void) argument;
	pairs++;
	found += crm_match_pattern(&model, crm_match_feature(&records, a), crm_match_feature(&records, b)) & 1;
}

static void
score(uint32_t a, uint32_t b, void *argument)
{
	const uint8_t *x = crm_match_feature(&records, a);
	const uint8_t *y = crm_match_feature(&records, b);

	(void) argument;
	pairs++;
	found += crm_match_weight(&model, crm_match_pattern(&model, x, y), x, y) >= 3;
}

/* Levenshtein distance by the matrix, as a share of the longer one. */
static double
likeness(const char *a, const char *b)
{
	int			length_a = (int) strlen(a);
	int			length_b = (int) strlen(b);
	int			line[64];

	for (int j = 0; j <= length_b; j++)
		line[j] = j;
	for (int i = 1; i <= length_a; i++)
	{
		int			corner = line[0];

		line[0] = i;
		for (int j = 1; j <= length_b; j++)
		{
			int			least = corner + (a[i - 1] != b[j - 1]);

			corner = line[j];
			if (line[j] + 1 < least)
				least = line[j] + 1;
			if (line[j - 1] + 1 < least)
				least = line[j - 1] + 1;
			line[j] = least;
		}
	}
	return 1 - (double) line[length_b] / (length_a > length_b ? length_a : length_b);
}

static void
by_hand(uint32_t a, uint32_t b, void *argument)
{
	const Row  *x = &row[a];
	const Row  *y = &row[b];
	double		sum;

	(void) argument;
	pairs++;
	sum = likeness(x->given, y->given) + likeness(x->family, y->family) + likeness(x->city, y->city);
	sum += strcmp(x->birth, y->birth) == 0 ? 1 : likeness(x->birth, y->birth);
	if (x->email[0] != '\0' && y->email[0] != '\0')
		sum += strcmp(x->email, y->email) == 0 ? 1 : likeness(x->email, y->email);
	if (x->phone[0] != '\0' && y->phone[0] != '\0')
		sum += strcmp(x->phone, y->phone) == 0 ? 1 : likeness(x->phone, y->phone);
	found += sum > 3.5;
}

static double
all_pairs(const char *title, CrmMatchPair pair, double base)
{
	double		best = 1e9;

	for (int run = 0; run < 3; run++)
	{
		double		start = now();

		pairs = found = 0;
		for (int r = 0; r < model.rules; r++)
			crm_match_enumerate(&records, r, block[r].entry, 0, block[r].count, UINT64_MAX, pair, NULL, &host);
		start = now() - start;
		if (start < best)
			best = start;
	}
	sink = (double) found;
	printf("%-44s %6.2f million pairs/s, %5.0f ns a pair", title, pairs / best / 1e6, best / pairs * 1e9);
	if (base > 0)
		printf(", %.1f times as fast as by hand", base / best);
	printf("\n");
	return best;
}

static void
train(uint64_t planned)
{
	CrmMatchTraining training = {.records = RECORDS};
	double		fraction = planned <= SAMPLED_PAIRS ? 1 : SAMPLED_PAIRS / planned;
	size_t		random_count;
	size_t		blocked_count;
	CrmMatchBin *random;
	CrmMatchBin *blocked;
	uint32_t	drawn[SAMPLED_RECORDS];

	histogram = crm_match_histogram_make(&host);
	for (int i = 0; i < SAMPLED_RECORDS; i++)
		drawn[i] = random_below(RECORDS);
	for (int i = 0; i < SAMPLED_RECORDS; i++)
		for (int j = i + 1; j < SAMPLED_RECORDS; j++)
			if (drawn[i] != drawn[j])
				crm_match_histogram_add(histogram, crm_match_pattern(&model, crm_match_feature(&records, drawn[i]),
																	 crm_match_feature(&records, drawn[j])), 0, 1);
	random = crm_match_histogram_bins(histogram, &random_count);
	crm_match_histogram_free(histogram);
	histogram = crm_match_histogram_make(&host);
	for (int r = 0; r < model.rules; r++)
		crm_match_enumerate(&records, r, block[r].entry, 0, block[r].count,
							fraction == 1 ? UINT64_MAX : (uint64_t) (fraction * 18446744073709551615.0), collect, NULL, &host);
	blocked = crm_match_histogram_bins(histogram, &blocked_count);
	crm_match_histogram_free(histogram);
	if (!crm_match_train(&model, random, random_count, blocked, blocked_count, fraction, &training, &host))
	{
		fprintf(stderr, "%s\n", training.problem);
		exit(1);
	}
	/* Rules that bring little stay: it is pairs that are to be counted. */
	for (int r = 0; r < model.rules; r++)
		model.rule[r].idle = 0;
	printf("%d records of %d bytes, %.0f matches expected\n", RECORDS, model.feature_size, training.matches);
}

int
main(void)
{
	double		start;
	double		base;
	uint64_t	planned;

	make_rows();
	make_model();
	start = now();
	put_features();
	printf("%-44s %6.2f s\n", "texts into features", now() - start);
	start = now();
	make_keys();
	printf("%-44s %6.2f s\n", "counts, frequencies and keys", now() - start);
	start = now();
	planned = divide();
	printf("%-44s %6.2f s\n", "blocks", now() - start);
	start = now();
	train(planned);
	printf("%-44s %6.2f s\n", "training", now() - start);
	base = all_pairs("by hand: the matrix and equality", by_hand, 0);
	all_pairs("pairs of the blocks alone", count_only, base);
	all_pairs("and their patterns", patterns_only, base);
	all_pairs("and their weights: all that a run does", score, base);
	printf("%llu pairs, %llu at or above 3 bits\n", (unsigned long long) pairs, (unsigned long long) found);
	return 0;
}
