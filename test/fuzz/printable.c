/*
 * Shows arbitrary bytes to a person.
 * sources: src/type/check.c
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "type/check.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char		buffer[64];

	crm_printable(buffer, sizeof(buffer), (const char *) data, size);
	assert(strlen(buffer) < sizeof(buffer));
	for (const char *p = buffer; *p; p++)
		assert((unsigned char) *p >= 0x20 && *p != 0x7F);
	return 0;
}
