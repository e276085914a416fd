/*
 * email_match.c
 *		The match key: one text for the addresses that probably reach one
 *		person.  Rules version 1.
 *
 * It serves the search for duplicates and nothing else; it is not an address.
 * The key depends only on what is compiled here: letters are folded by the
 * ranges below, not by ICU, so that an index on the key stays right.  Whoever
 * changes a rule raises CRM_EMAIL_MATCH_KEY_VERSION.
 *
 * What a provider does with an address is taken from its own help pages where
 * it says so: Gmail ignores dots and what follows "+", and serves
 * googlemail.com alike; Yandex gives a login all its domains and takes "-" for
 * "."; Apple gives the names of icloud.com, me.com and mac.com to one person;
 * Proton does the same with its domains and ignores ".", "-" and "_".
 * Microsoft's domains are different mailboxes, as are those of Mail.ru.
 * Domains of companies that one of these providers serves are not known here
 * and keep all dots and tags: there they may mean different persons.
 */
#include <string.h>

#include "text/idna.h"
#include "text/utf8.h"
#include "type/email.h"

typedef struct Provider
{
	const char *domain;
	const char *canonical;		/* NULL: the domain itself */
	const char *ignored;		/* characters without meaning in the name */
	bool		hyphen_is_dot;
} Provider;

/* In the order of strcmp().  All of them cut the name at "+". */
static const Provider providers[] = {
	{"fastmail.com", NULL, "", false},
	{"fastmail.fm", NULL, "", false},
	{"gmail.com", NULL, ".", false},
	{"googlemail.com", "gmail.com", ".", false},
	{"hotmail.co.uk", NULL, "", false},
	{"hotmail.com", NULL, "", false},
	{"hotmail.de", NULL, "", false},
	{"hotmail.es", NULL, "", false},
	{"hotmail.fr", NULL, "", false},
	{"hotmail.it", NULL, "", false},
	{"icloud.com", NULL, "", false},
	{"live.co.uk", NULL, "", false},
	{"live.com", NULL, "", false},
	{"live.de", NULL, "", false},
	{"live.fr", NULL, "", false},
	{"live.ru", NULL, "", false},
	{"mac.com", "icloud.com", "", false},
	{"me.com", "icloud.com", "", false},
	{"msn.com", NULL, "", false},
	{"narod.ru", "yandex.ru", "", true},
	{"outlook.com", NULL, "", false},
	{"outlook.de", NULL, "", false},
	{"outlook.es", NULL, "", false},
	{"outlook.fr", NULL, "", false},
	{"outlook.it", NULL, "", false},
	{"pm.me", "proton.me", ".-_", false},
	{"proton.me", NULL, ".-_", false},
	{"protonmail.ch", "proton.me", ".-_", false},
	{"protonmail.com", "proton.me", ".-_", false},
	{"ya.ru", "yandex.ru", "", true},
	{"yandex.az", "yandex.ru", "", true},
	{"yandex.by", "yandex.ru", "", true},
	{"yandex.co.il", "yandex.ru", "", true},
	{"yandex.com", "yandex.ru", "", true},
	{"yandex.com.am", "yandex.ru", "", true},
	{"yandex.com.ge", "yandex.ru", "", true},
	{"yandex.com.tr", "yandex.ru", "", true},
	{"yandex.ee", "yandex.ru", "", true},
	{"yandex.fr", "yandex.ru", "", true},
	{"yandex.kg", "yandex.ru", "", true},
	{"yandex.kz", "yandex.ru", "", true},
	{"yandex.lt", "yandex.ru", "", true},
	{"yandex.lv", "yandex.ru", "", true},
	{"yandex.md", "yandex.ru", "", true},
	{"yandex.ru", NULL, "", true},
	{"yandex.tj", "yandex.ru", "", true},
	{"yandex.tm", "yandex.ru", "", true},
	{"yandex.ua", "yandex.ru", "", true},
	{"yandex.uz", "yandex.ru", "", true},
};

static const Provider *
find_provider(const char *domain, int length)
{
	int			low = 0;
	int			high = (int) (sizeof(providers) / sizeof(providers[0])) - 1;

	while (low <= high)
	{
		int			middle = (low + high) / 2;
		const char *name = providers[middle].domain;
		int			r = strncmp(domain, name, length);

		if (r == 0 && name[length] != '\0')
			r = -1;
		if (r == 0)
			return &providers[middle];
		if (r < 0)
			high = middle - 1;
		else
			low = middle + 1;
	}
	return NULL;
}

/* Small letters of the alphabets that have a rule; the rest as it is. */
static uint32_t
fold_letter(uint32_t c)
{
	if (c < 0x80)
		return c - 'A' < 26 ? c + 32 : c;
	if (c >= 0xC0 && c <= 0xDE)
		return c == 0xD7 ? c : c + 32;	/* Latin-1 */
	if ((c >= 0x100 && c <= 0x12F) || (c >= 0x132 && c <= 0x137) ||
		(c >= 0x14A && c <= 0x177))
		return c | 1;			/* Latin Extended-A */
	if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E))
		return c + (c & 1);
	if (c == 0x178)
		return 0xFF;
	if (c >= 0x391 && c <= 0x3AB && c != 0x3A2)
		return c + 32;			/* Greek */
	switch (c)
	{
		case 0x386:
			return 0x3AC;
		case 0x388:
		case 0x389:
		case 0x38A:
			return c + 37;
		case 0x38C:
			return 0x3CC;
		case 0x38E:
		case 0x38F:
			return c + 63;
		case 0x3C2:
			return 0x3C3;		/* final sigma */
		default:
			break;
	}
	if (c >= 0x400 && c <= 0x40F)
		return c + 80;			/* Cyrillic */
	if (c >= 0x410 && c <= 0x42F)
		return c + 32;
	if ((c >= 0x460 && c <= 0x481) || (c >= 0x48A && c <= 0x4BF) ||
		(c >= 0x4D0 && c <= 0x52F))
		return c | 1;
	if (c == 0x4C0)
		return 0x4CF;
	if (c >= 0x4C1 && c <= 0x4CE)
		return c + (c & 1);
	if (c >= 0x531 && c <= 0x556)
		return c + 48;			/* Armenian */
	return c;
}

int
crm_email_match_key(const char *image, size_t size, char *key)
{
	CrmEmailParts p = crm_email_parts(image, size);
	const Provider *provider = find_provider(p.domain, p.domain_length);
	const char *domain = p.domain;
	int			domain_length = p.domain_length;
	int			used = 0;
	int			n;

	for (int i = 0; i < p.local_length; i += n)
	{
		uint32_t	code;

		n = crm_utf8_decode(p.local + i, p.local_length - i, &code);
		if (n == 0)
			break;
		if (provider != NULL && p.local[0] != '"')
		{
			if (code == '+' && used > 0)
				break;
			if (code < 0x80 && strchr(provider->ignored, (int) code) != NULL)
				continue;
			if (code == '-' && provider->hyphen_is_dot)
				code = '.';
		}
		used += crm_utf8_encode(fold_letter(code), key + used);
	}
	if (used == 0)
	{
		/* Nothing but what the provider ignores: no such mailbox exists. */
		memcpy(key, p.local, p.local_length);
		used = p.local_length;
	}
	key[used++] = '@';
	if (provider != NULL && provider->canonical != NULL)
	{
		domain = provider->canonical;
		domain_length = (int) strlen(domain);
	}
	n = crm_idna_to_ascii(domain, domain_length, key + used, CRM_EMAIL_BUFFER - used);
	return n < 0 ? used : used + n;
}
