/*
 * Rules: what is accepted has a sound image, prints canonically, and its text
 * and its tree form read back into the same image; the flags are true.
 * sources: src/rule/image.c src/rule/lex.c src/rule/words.c src/rule/parse.c
 * sources: src/rule/print.c src/rule/json_write.c src/rule/json_read.c src/type/check.c
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rule/rule.h"

static char text[1 << 20];
static char json[1 << 20];
static char again[1 << 20];
static uint8_t image[CRM_RULE_IMAGE_SIZE(1 << 18)];
static uint8_t second[CRM_RULE_IMAGE_SIZE(1 << 18)];

static void
check_image(size_t size)
{
	CrmRuleText out = {text, sizeof(text), 0};
	CrmRuleText tree = {json, sizeof(json), 0};
	CrmRuleText back = {again, sizeof(again), 0};
	CrmCheck	check;
	size_t		size2;

	assert(crm_rule_is_sound(image, size));
	assert(crm_rule_depth(image, size) <= CRM_RULE_MAX_DEPTH);
	assert(crm_rule_print(image, size, &out));
	assert(out.length <= sizeof(text));
	size2 = crm_rule_parse(text, out.length, sizeof(text), second, &check);
	assert(size2 == size && memcmp(image, second, size) == 0);
	/* the same text again */
	assert(crm_rule_print(second, size2, &back));
	assert(back.length == out.length && memcmp(text, again, out.length) == 0);
	assert(crm_rule_json(image, size, &tree));
	assert(tree.length <= sizeof(json));
	back.length = 0;
	assert(crm_rule_from_json(json, tree.length, &back, &check));
	assert(back.length <= sizeof(again));
	size2 = crm_rule_parse(again, back.length, sizeof(again), second, &check);
	assert(size2 == size && memcmp(image, second, size) == 0);
}

/* A damaged image is found out, or prints without reading outside of it. */
static void
check_damaged(const uint8_t *data, size_t size)
{
	uint8_t    *copy = malloc(size + 1);
	CrmRuleText out = {text, sizeof(text), 0};
	CrmRuleText tree = {json, sizeof(json), 0};

	memcpy(copy, data, size);
	if (crm_rule_is_sound(copy, size))
	{
		assert(crm_rule_print(copy, size, &out));
		assert(crm_rule_json(copy, size, &tree));
	}
	else
		assert(!crm_rule_print(copy, size, &out));
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CrmCheck	check;
	size_t		length;

	if (size < 1 || memchr(data + 1, '\0', size - 1) != NULL)
	{
		if (size > 1)
			check_damaged(data + 1, size - 1);
		return 0;
	}
	if (data[0] & 1)
	{
		CrmRuleText out = {again, sizeof(again), 0};

		if (!crm_rule_from_json((const char *) data + 1, size - 1, &out, &check))
		{
			assert(check.status == CRM_CHECK_BAD && check.code != NULL);
			return 0;
		}
		length = crm_rule_parse(again, out.length, sizeof(again), image, &check);
	}
	else
		length = crm_rule_parse((const char *) data + 1, size - 1, CRM_RULE_MAX_TEXT, image, &check);
	if (length == 0)
	{
		assert(check.status == CRM_CHECK_BAD && check.code != NULL && check.position >= 0);
		return 0;
	}
	check_image(length);
	/* one byte of the image changed */
	if (size > 3)
	{
		image[data[1] % length] ^= data[2] | 1;
		check_damaged(image, length);
	}
	return 0;
}
