/*
 * Names: the pure functions, on one core.
 * sources: src/text/name_char.c src/text/name_key.c src/text/name_gender.c
 * sources: src/text/name_parse.c src/text/name_salute.c src/text/translit.c
 * sources: src/type/check.c
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "text/name_char.h"
#include "text/name_gender.h"
#include "text/name_key.h"
#include "text/name_parse.h"
#include "text/name_salute.h"
#include "text/translit.h"

static const char *const surnames[] = {
	"Иванов", "Щербаков", "Цветкова", "Юсупов", "Чайковский", "Жуковская", "Ельцин", "Шевченко",
	"Ivanov", "Shcherbakov", "Tsvetkova", "Yusupov", "Tchaikovsky", "Zhukovskaya", "Müller", "Žukov",
};
static const char *const names[] = {
	"Иванов Иван Иванович", "Мария Сергеевна Щербакова", "Цветкова Анна", "Юсупов А.П.",
	"John Smith", "Ivanov Ivan", "Dr. Jane Smith", "Smith, John A.",
	"Римский-Корсаков Николай Андреевич", "Алиев Гасан Али оглы", "Пётр Ильич Чайковский", "ЖУКОВА ЮЛИЯ ПЕТРОВНА",
	"Herr Prof. Dr. Müller", "Jean-Paul Sartre", "Шевченко Тарас", "Лев Толстой",
};

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static volatile size_t sink;

#define RUNS 5
#define BENCH(title, count, statement) \
	do { \
		double		best = 1e9; \
		for (int run = 0; run < RUNS; run++) \
		{ \
			double		start = now(); \
			for (int i = 0; i < (count); i++) \
			{ \
				const char *s = surnames[i & 15]; \
				const char *n = names[i & 15]; \
				size_t		length = surname_length[i & 15]; \
				size_t		n_length = name_length[i & 15]; \
				(void) s; (void) n; (void) length; (void) n_length; \
				statement; \
			} \
			start = now() - start; \
			if (start < best) \
				best = start; \
		} \
		if (base == 0) \
			base = best / (count); \
		printf("%-28s %9.0f /ms  %6.1f times a copy\n", title, \
			   (count) / best / 1e3, best / (count) / base); \
	} while (0)

int
main(void)
{
	static char keys[CRM_NAME_KEYS_MAX][CRM_NAME_KEY_SIZE];
	static CrmName parsed;
	size_t		lengths[CRM_NAME_KEYS_MAX];
	char		out[CRM_NAME_KEY_SIZE];
	size_t		surname_length[16];
	size_t		name_length[16];
	double		base = 0;
	bool		known;
	int			folded,
				mixed;
	size_t		first;
	const CrmTranslitScheme *icao = crm_translit_find("icao", 4);
	const CrmTranslitScheme *bgn = crm_translit_find("bgn", 3);
	CrmNameText given = {"Анна", 8};
	CrmNameText middle = {"Сергеевна", 18};
	CrmNameText family = {"Каренина", 16};
	CrmNameText none = {NULL, 0};

	for (int i = 0; i < 16; i++)
	{
		surname_length[i] = strlen(surnames[i]);
		name_length[i] = strlen(names[i]);
	}
	BENCH("copy of a surname", 20000000, memcpy(out, s, length); sink += out[0]);
	BENCH("key of a surname", 5000000, sink += crm_name_key(s, length, CRM_NAME_RUSSIAN, out));
	BENCH("key of a full name", 2000000, sink += crm_name_key(n, n_length, CRM_NAME_RUSSIAN, out));
	BENCH("household key", 2000000, sink += crm_name_household_key(s, length, out));
	BENCH("keys of a surname", 2000000, sink += crm_name_keys(s, length, keys, lengths));
	BENCH("look-alikes of a full name", 1000000, sink += crm_name_fold_lookalikes(n, n_length, out, &folded, &mixed, &first));
	BENCH("translit icao, full name", 500000, sink += crm_translit(icao, n, n_length, out));
	BENCH("translit bgn, full name", 500000, sink += crm_translit(bgn, n, n_length, out));
	BENCH("gender of a given name", 1000000, sink += crm_name_given_gender("Анна", 8, &known));
	BENCH("parts of a full name", 200000, crm_name_parse(n, n_length, CRM_NAME_ORDER_AUTO, CRM_NAME_LOCALE_AUTO, &parsed); sink += parsed.length[0]);
	BENCH("salutation", 1000000, sink += crm_name_salute(none, given, middle, family, 'f', CRM_SALUTE_FORMAL, "ru", out));
	return 0;
}
