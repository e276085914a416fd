/*
 * Numbers: what is accepted is digits with at most one point, and re-reads.
 * sources: src/type/number_value.c src/type/check.c
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "type/number_value.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char		number[CRM_NUMBER_BUFFER];
	char		again[CRM_NUMBER_BUFFER];
	const char *p = number;
	CrmCheck	check;

	if (!crm_number_parse((const char *) data, size, number, &check))
		return 0;
	if (*p == '-')
		p++;
	assert(*p >= '0' && *p <= '9');
	p += strspn(p, "0123456789");
	if (*p == '.')
	{
		p++;
		assert(*p >= '0' && *p <= '9');
		p += strspn(p, "0123456789");
	}
	assert(*p == '\0');
	assert(crm_number_parse(number, strlen(number), again, &check));
	assert(strcmp(number, again) == 0);
	return 0;
}
