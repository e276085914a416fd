/*
 * Keys, parts, checks, transliteration and salutations of arbitrary bytes.
 * sources: src/text/name_char.c src/text/name_key.c src/text/name_gender.c
 * sources: src/text/name_parse.c src/text/name_check.c src/text/name_salute.c
 * sources: src/text/translit.c src/type/check.c
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "text/name_char.h"
#include "text/name_check.h"
#include "text/name_gender.h"
#include "text/name_key.h"
#include "text/name_parse.h"
#include "text/name_salute.h"
#include "text/translit.h"

/* A copy of exactly the size, so that reading beyond it is noticed. */
static char *
copy(const void *s, size_t size)
{
	char	   *c = malloc(size ? size : 1);

	memcpy(c, s, size);
	return c;
}

static void
check_key(const char *key, size_t length)
{
	assert(length <= CRM_NAME_KEY_SIZE);
	for (size_t i = 0; i < length; i++)
	{
		unsigned char c = (unsigned char) key[i];

		assert(c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
			   (c == ' ' && i > 0 && i + 1 < length && key[i - 1] != ' '));
		assert(c != 'x' && c != 'y');
	}
	assert(crm_utf8_check(key, length) == length);
}

static void
fuzz_keys(const char *s, size_t size)
{
	static char keys[CRM_NAME_KEYS_MAX][CRM_NAME_KEY_SIZE];
	size_t		lengths[CRM_NAME_KEYS_MAX];
	char		key[CRM_NAME_KEY_SIZE];
	char		lower[3 * 2048];
	size_t		length;
	int			count = crm_name_keys(s, size, keys, lengths);

	assert(count >= 0 && count <= CRM_NAME_KEYS_MAX);
	for (int i = 0; i < count; i++)
	{
		check_key(keys[i], lengths[i]);
		for (int j = 0; j < i; j++)
			assert(lengths[i] != lengths[j] ||
				   memcmp(keys[i], keys[j], lengths[i]) != 0);
	}
	length = crm_name_key(s, size, CRM_NAME_RUSSIAN, key);
	assert(length == (count > 0 ? lengths[0] : 0));
	assert(memcmp(key, keys[0], length) == 0);

	/* Words in order, none lost. */
	length = crm_name_sort_words(key, length);
	check_key(key, length);
	assert(length == (count > 0 ? lengths[0] : 0));
	length = crm_name_household_key(s, size, key);
	check_key(key, length);

	/* Capitals do not matter (a changed length may cut a long name elsewhere). */
	if (size <= CRM_NAME_KEY_MAX_INPUT / 3 && crm_utf8_check(s, size) == size)
	{
		length = crm_name_case(s, size, lower);
		assert(length <= 3 * size);
		assert(crm_utf8_check(lower, length) == length);
		length = crm_name_key(lower, length, CRM_NAME_RUSSIAN, key);
		assert(length == (count > 0 ? lengths[0] : 0));
		assert(memcmp(key, keys[0], length) == 0);
	}
}

static void
fuzz_parse(const char *s, size_t size, unsigned choice)
{
	static CrmName name;
	bool		known;
	char	   *out;
	size_t		length;
	CrmNameText part[CRM_NAME_PARTS];
	static const char *const locales[] = {"ru", "en", "de", "fr", "es"};
	static const char *const forms[] = {
		"full", "short", "sorting", "sorting_short", "official",
		"official_short", "informal", "monogram"
	};
	size_t		sum = 0;

	crm_name_parse(s, size, choice % 3, choice / 3 % 4, &name);
	assert(name.confidence >= 0 && name.confidence <= 1);
	assert(name.gender == 0 || name.gender == 'm' || name.gender == 'f');
	for (int i = 0; i < CRM_NAME_PARTS; i++)
	{
		assert(name.length[i] <= CRM_NAME_PART_SIZE);
		assert(crm_utf8_check(name.part[i], name.length[i]) == name.length[i]);
		part[i].s = copy(name.part[i], name.length[i]);
		part[i].length = name.length[i];
		sum += name.length[i];
	}
	if (name.notes & 1 << CRM_NOTE_NOT_A_NAME)
		assert(name.length[CRM_NAME_GIVEN] == 0 && name.length[CRM_NAME_FAMILY] == 0);
	else
		assert(name.length[CRM_NAME_GIVEN] + name.length[CRM_NAME_MIDDLE] +
			   name.length[CRM_NAME_FAMILY] > 0);

	out = malloc(sum + 128);
	length = crm_name_salute(part[CRM_NAME_TITLE], part[CRM_NAME_GIVEN],
							 part[CRM_NAME_MIDDLE], part[CRM_NAME_FAMILY],
							 name.gender, choice % 3, locales[choice / 3 % 5], out);
	assert(length > 0 && length <= sum + 128);
	assert(crm_utf8_check(out, length) == length);
	assert(out[0] != ' ' && out[length - 1] != ' ');
	free(out);

	out = malloc(4 * sum + 64);
	length = crm_name_format(part[CRM_NAME_GIVEN], part[CRM_NAME_MIDDLE],
							 part[CRM_NAME_FAMILY], forms[choice % 8],
							 strlen(forms[choice % 8]), out, &known);
	assert(known && length <= 4 * sum + 64);
	assert(crm_utf8_check(out, length) == length);
	free(out);
	for (int i = 0; i < CRM_NAME_PARTS; i++)
		free((char *) part[i].s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned	choice = size > 0 ? data[0] : 0;
	char	   *s;
	char	   *out;
	size_t		length;
	int			folded;
	int			mixed;
	size_t		first;
	int			schemes = 0;

	if (size > 0)
	{
		data++;
		size--;
	}
	if (size > 2048)
		return 0;
	s = copy(data, size);

	fuzz_keys(s, size);
	fuzz_parse(s, size, choice);

	out = malloc(2 * size + 1);
	length = crm_name_fold_lookalikes(s, size, out, &folded, &mixed, &first);
	assert(length <= 2 * size && first <= size);
	if (crm_utf8_check(s, size) == size)
		assert(crm_utf8_check(out, length) == length);
	free(out);

	while (crm_translit_schemes[schemes].name != NULL)
		schemes++;
	out = malloc(CRM_TRANSLIT_GROWTH * size + 1);
	length = crm_translit(&crm_translit_schemes[choice % schemes], s, size, out);
	assert(length <= CRM_TRANSLIT_GROWTH * size);
	if (crm_utf8_check(s, size) == size)
		assert(crm_utf8_check(out, length) == length);
	free(out);
	(void) crm_translit_find(s, size);

	if (size <= CRM_NAME_MAX_INPUT)
	{
		CrmCheck	check;
		CrmCheck	again;
		char	   *value = malloc(size + 1);
		char	   *second = malloc(size + 1);

		length = crm_name_check(s, size, value, &check);
		assert(length <= size);
		assert((check.status == CRM_CHECK_OK) == (check.code == NULL));
		if (check.status != CRM_CHECK_BAD)
		{
			/* What was put right once needs nothing more. */
			size_t		n = crm_name_check(value, length, second, &again);

			assert(again.status != CRM_CHECK_BAD && again.status != CRM_CHECK_FIXED);
			assert(n == length && memcmp(value, second, n) == 0);
		}
		free(value);
		free(second);
	}
	free(s);
	return 0;
}
