/*
 * Identifiers: whatever is accepted is canonical, packs, and is of one kind.
 * sources: src/type/tax_id.c src/type/tax_id_read.c src/type/tax_id_suggest.c src/type/tax_id_split.c src/type/tax_id_vat.c src/type/check.c
 */
#include <assert.h>
#include <string.h>

#include "type/tax_id.h"

static void
accepted(CrmTaxIdKind kind, const CrmTaxId *id)
{
	CrmTaxId	again;
	CrmCheck	check;
	uint64_t	words[2] = {0, 0};
	uint64_t	repacked[2] = {0, 0};
	char		written[CRM_TAX_ID_FORMAT_SIZE];
	int			size;

	assert(id->length > 0 && id->length <= CRM_TAX_ID_LENGTH);
	assert(strlen(id->text) == (size_t) id->length);

	/* the canonical text is read as itself, and so is the written form */
	assert(crm_tax_id_read(kind, id->text, id->length, &again, &check));
	assert(strcmp(again.text, id->text) == 0);
	assert(check.status == CRM_CHECK_OK || check.status == CRM_CHECK_ODD);
	size = crm_tax_id_format(kind, id, written);
	assert(size < CRM_TAX_ID_FORMAT_SIZE && strlen(written) == (size_t) size);
	assert(crm_tax_id_read(kind, written, size, &again, &check));
	assert(strcmp(again.text, id->text) == 0);

	crm_tax_id_pack(kind, id, words);
	assert(words[0] >> 60 == 0 && words[1] >> 60 == 0);
	assert(crm_tax_id_unpack(kind, words, &again));
	assert(again.length == id->length && strcmp(again.text, id->text) == 0);
	crm_tax_id_pack(kind, &again, repacked);
	assert(words[0] == repacked[0] && words[1] == repacked[1]);
}

static int
compare_words(const uint64_t *a, const uint64_t *b)
{
	if (a[0] != b[0])
		return a[0] < b[0] ? -1 : 1;
	return a[1] < b[1] ? -1 : a[1] > b[1];
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static CrmTaxId last[CRM_TAX_ID_NONE];
	const char *value = (const char *) data;
	CrmTaxId	id,
				kpp;
	CrmCheck	check;
	CrmTaxIdKind only = CRM_TAX_ID_NONE;
	uint64_t	words[2];

	for (int kind = 0; kind < CRM_TAX_ID_NONE; kind++)
	{
		if (!crm_tax_id_read(kind, value, size, &id, &check))
		{
			assert(check.status == CRM_CHECK_BAD && check.code != NULL);
			assert(check.message[0] != '\0' && check.position >= 0 && check.position <= (int) size);
			if (check.suggestion[0] != '\0')
			{
				CrmTaxId	better;
				CrmCheck	second;

				assert(crm_tax_id_read(kind, check.suggestion, strlen(check.suggestion), &better, &second));
				assert(strcmp(better.text, check.suggestion) == 0);
				accepted(kind, &better);
			}
			continue;
		}
		assert(only == CRM_TAX_ID_NONE);	/* the kinds exclude each other */
		only = kind;
		accepted(kind, &id);

		/* the order of the words is that of the texts */
		if (last[kind].length > 0)
		{
			uint64_t	a[2] = {0, 0},
						b[2] = {0, 0};
			int			order = strcmp(id.text, last[kind].text);

			crm_tax_id_pack(kind, &id, a);
			crm_tax_id_pack(kind, &last[kind], b);
			assert(compare_words(a, b) == (order > 0) - (order < 0));
		}
		last[kind] = id;
	}
	assert(crm_tax_id_kind(value, size, &id) == only);
	crm_tax_id_read_any(value, size, &id, &check);
	assert((check.status != CRM_CHECK_BAD) == (only != CRM_TAX_ID_NONE));

	if (crm_tax_id_split_inn_kpp(value, size, &id, &kpp, &check))
	{
		accepted(CRM_TAX_ID_INN, &id);
		if (kpp.length > 0)
			accepted(CRM_TAX_ID_KPP, &kpp);
	}
	else
		assert(check.status == CRM_CHECK_BAD && check.code != NULL);

	if (size >= 2)
	{
		if (crm_vat_read_national(value + 2, size - 2, value, 2, &id, &check))
			accepted(CRM_TAX_ID_VAT, &id);
		else
			assert(check.status == CRM_CHECK_BAD && check.code != NULL);
	}

	/* any stored words can be shown, and sound ones are packed as they were */
	if (size >= sizeof(words))
	{
		memcpy(words, data, sizeof(words));
		for (int kind = 0; kind < CRM_TAX_ID_NONE; kind++)
			if (crm_tax_id_unpack(kind, words, &id))
			{
				uint64_t	again[2] = {0, 0};

				crm_tax_id_pack(kind, &id, again);
				assert(again[0] == words[0]);
				assert(crm_tax_id_words(kind) == 1 || again[1] == words[1]);
			}
	}
	return 0;
}
