/*
 * corrupt.h: what one source makes of a person.
 */
#ifndef GENERATE_CORRUPT_H
#define GENERATE_CORRUPT_H

/* Some of the ways in which people write a number. */
static void
write_phone(enum country country, const char *digit, char *out)
{
	static const char *const form[3][9] = {
		{"+7aaabbbccdd", "8aaabbbccdd", "8 (aaa) bbb-cc-dd", "+7 (aaa) bbb-cc-dd", "+7 aaa bbb-cc-dd", "aaabbbccdd",
		"8-aaa-bbb-cc-dd", "7aaabbbccdd", "(aaa)bbbccdd"},
		{"+1aaabbbccdd", "aaabbbccdd", "(aaa) bbb-ccdd", "aaa-bbb-ccdd", "1-aaa-bbb-ccdd", "aaa.bbb.ccdd",
		"+1 (aaa) bbb-ccdd", "+1 aaa bbb ccdd", "1aaabbbccdd"},
		{"+44aaabbbccdd", "0aaabbbccdd", "0aaab bbccdd", "+44 aaab bbccdd", "0aaab bb ccdd", "+44 (0)aaab bbccdd",
		"0044aaabbbccdd", "0aaa bbbc cdd", "44aaabbbccdd"},
	};

	for (const char *s = form[country][below(9)]; *s; s++)
		*out++ = *s >= 'a' && *s <= 'd' ? *digit++ : *s;
	*out = 0;
}

static void
write_home(const struct home *h, char *out)
{
	static const char *const kind[6][2] = {
		{"Street", "St"}, {"Avenue", "Ave"}, {"Road", "Rd"}, {"Drive", "Dr"}, {"Lane", "Ln"}, {"Boulevard", "Blvd"}
	};
	char		name[TEXT_SIZE];
	char		flat[32] = "";
	int			shape = below(4);

	strcpy(name, street[h->country].word[h->street]);
	for (char *s = name; *s; s++)
		if (*s == '_')
			*s = ' ';
	if (h->country == RU)
	{
		static const char *const shapes[4] = {"ул. %s, д. %d%s", "улица %s, %d%s", "ул %s %d%s", "%s, %d%s"};

		if (h->flat)
			sprintf(flat, (const char *[]) {", кв. %d", ", кв %d", "-%d", "-%d"}[shape], h->flat);
		sprintf(out, shapes[shape], name, h->house, flat);
		return;
	}
	if (h->country == UK)
	{
		if (h->flat)
			sprintf(flat, shape < 2 ? "Flat %d, " : "%d/", h->flat);
		sprintf(out, "%s%d %s%s%s", flat, h->house, name, ends(name, "Crescent") || ends(name, "Broadway") ? "" : " ",
				ends(name, "Crescent") || ends(name, "Broadway") ? "" : kind[h->kind % 3][shape & 1]);
		return;
	}
	if (h->flat)
		sprintf(flat, (const char *[]) {", Apt %d", " Apt %d", " #%d", ", Unit %d"}[shape], h->flat);
	sprintf(out, "%d %s %s%s", h->house, name, kind[h->kind][shape & 1], flat);
}

static void
write_birth(const struct person *p, const struct source *s, char *out)
{
	int			year = p->year,
				month = p->month,
				day = p->day;

	out[0] = 0;
	if (happens(s->no_birth))
		return;
	if (happens(s->placeholder))
	{
		if (happens(500))
			strcpy(out, happens(500) ? "1900-01-01" : "1970-01-01");
		else
			sprintf(out, "%04d-01-01", year);
		return;
	}
	if (happens(s->day_month) && day <= 12)
	{
		day = p->month;
		month = p->day;
	}
	if (happens(s->year))
		switch (below(3))
		{
			case 0: year += below(2) ? 1 : -1; break;
			case 1: year += below(2) ? 10 : -10; break;
			default: year = year / 100 * 100 + year % 10 * 10 + year / 10 % 10; break;
		}
	if (happens(s->day))
		day = 1 + below(28);
	sprintf(out, "%04d-%02d-%02d", year, month, day);
}

static void
write_email(const struct person *p, const struct source *s, char *out)
{
	char		local[TEXT_SIZE];
	char	   *at;
	char		domain[TEXT_SIZE];

	if (p->hub_email && happens(500))
	{
		domain_of(p->company, p->country != RU, domain);
		sprintf(out, "info@%s", domain);
		return;
	}
	strcpy(out, p->email[happens(s->other_email)]);
	strcpy(local, out);
	at = strchr(local, '@');
	*at = 0;
	strcpy(domain, at + 1);
	if (happens(s->email_domain))
	{
		int			from = below(countof(mailbox_typo));

		for (int i = 0; i < countof(mailbox_typo); i++)
		{
			const char *const *pair = mailbox_typo[(from + i) % countof(mailbox_typo)];

			if (strcmp(pair[0], domain) == 0)
			{
				strcpy(domain, pair[1]);
				break;
			}
		}
	}
	if (happens(s->email_typo))
		typo(local);
	if (happens(s->email_tag))
	{
		if (strcmp(domain, "yandex.ru") == 0)
			strcpy(domain, "ya.ru");
		else if (strcmp(domain, "gmail.com") == 0 && strlen(local) > 3)
		{
			if (below(2))
				strcat(local, "+shop");
			else
			{
				memmove(local + 3, local + 2, strlen(local + 2) + 1);
				local[2] = '.';
			}
		}
		else
			local[0] = (char) upper((uint32_t) local[0]);
	}
	sprintf(out, "%s@%s", local, domain);
}

static void
shorten(char *name)
{
	uint32_t	letter[LETTERS];
	int			n = decode(name, letter);

	if (n == 0)
		return;
	letter[1] = '.';
	encode(letter, below(4) ? 2 : 1, name);
}

static void
write_company(const struct person *p, char *out)
{
	char		name[TEXT_SIZE];

	company_name(p->company, p->country != RU, name);
	if (p->country == RU)
	{
		char	   *open = strstr(name, "«");
		char		bare[TEXT_SIZE],
					form[TEXT_SIZE];

		strcpy(bare, open + 2);
		bare[strlen(bare) - 2] = 0;
		open[-1] = 0;
		strcpy(form, name);
		switch (below(4))
		{
			case 0: sprintf(out, "%s «%s»", form, bare); break;
			case 1: sprintf(out, "%s \"%s\"", form, bare); break;
			case 2: sprintf(out, "%s, %s", bare, form); break;
			default: strcpy(out, bare); break;
		}
		return;
	}
	strcpy(out, name);
	if (below(3) == 0)
		*strrchr(out, ' ') = 0;
}

/* The whole row in the other script. */
static void
write_in_other_script(const struct person *p, struct row *r)
{
	char	   *field[] = {r->given, r->middle, r->family, r->city, r->address, r->company};
	char		kept[TEXT_SIZE];
	int			by = below(SCHEMES);

	for (int i = 0; i < countof(field); i++)
	{
		strcpy(kept, field[i]);
		if (p->country == RU)
		{
			for (char *quote; (quote = strstr(kept, "«")) != NULL || (quote = strstr(kept, "»")) != NULL;)
			{
				quote[0] = '"';
				memmove(quote + 1, quote + 2, strlen(quote + 2) + 1);
			}
			transliterate(kept, by, field[i]);
		}
		else if (i < 3)
			to_cyrillic(kept, field[i]);
	}
}

/* All capitals, or none. */
static void
change_row(struct row *r, uint32_t (*to) (uint32_t))
{
	change_case(r->given, to);
	change_case(r->middle, to);
	change_case(r->family, to);
	change_case(r->city, to);
	change_case(r->address, to);
}

static void
observe(const struct person *p, const struct source *s, struct row *r)
{
	const struct home *h = &p->home[happens(s->moved)];
	char	   *name[] = {r->given, r->middle, r->family};
	char		kept[TEXT_SIZE];

	memset(r, 0, sizeof(*r));
	strcpy(r->given, p->given);
	strcpy(r->middle, p->middle);
	strcpy(r->family, p->former[0] && happens(s->former) ? p->former : p->family);
	if (p->familiar && happens(s->nickname))
		draw_part(p->familiar, r->given);
	if (happens(s->no_middle))
		r->middle[0] = 0;
	else if (p->country != RU && happens(400) && r->middle[0])
		r->middle[1] = 0;
	if (happens(s->no_yo))
		for (int i = 0; i < 3; i++)
			without_yo(name[i]);
	if (strchr(r->family, '-') && p->country != RU && happens(400))
		*strchr(r->family, '-') = 0;
	if (happens(s->initial))
	{
		shorten(r->given);
		shorten(r->middle);
	}
	for (int i = 0; i < 3; i++)
		if (happens(s->typo))
			typo(name[i]);
	write_birth(p, s, r->birth);
	if (!happens(s->no_gender))
		strcpy(r->gender, p->female ? "f" : "m");
	if (!happens(s->no_email))
		write_email(p, s, r->email);
	if (!happens(s->no_phone))
	{
		strcpy(kept, p->phone[happens(s->other_phone)]);
		if (p->hub_phone && happens(500))
		{
			/* The switchboard of the company. */
			uint64_t	state = random_state;

			random_state = mix(seed ^ mix((uint64_t) p->company + 99));
			draw_phone(p->country, &city[p->country][0], kept);
			random_state = state;
		}
		if (happens(s->digit))
		{
			int			at = 3 + below(7);

			if (below(2) && at < 9)
			{
				char		c = kept[at];

				kept[at] = kept[at + 1];
				kept[at + 1] = c;
			}
			else
				kept[at] = (char) ('0' + below(10));
		}
		write_phone(p->country, kept, r->phone);
	}
	if (!happens(s->no_city))
	{
		if (h->city->also && happens(150))
			draw_part(h->city->also, r->city);
		else
			strcpy(r->city, h->city->name);
	}
	if (!happens(s->no_postal))
		strcpy(r->postal, h->postal);
	if (!happens(s->no_address))
	{
		write_home(h, r->address);
		if (happens(s->street_typo))
			typo(r->address);
	}
	if (p->company >= 0 && !happens(s->no_company))
		write_company(p, r->company);
	if (happens(s->translit) && (p->country == RU || happens(100)))
		write_in_other_script(p, r);
	else if (p->country == RU)
	{
		if (happens(s->look_alike))
			look_alike(r->family);
		if (happens(s->layout))
			other_layout(r->family);
	}
	if (happens(s->swapped))
	{
		strcpy(kept, r->given);
		strcpy(r->given, r->family);
		strcpy(r->family, kept);
	}
	if (happens(s->upper))
		change_row(r, upper);
	else if (happens(s->lower))
		change_row(r, lower);
	/* Nobody keeps a contact of which there is nothing but a name. */
	if (!r->email[0] && !r->phone[0] && !r->birth[0])
		write_phone(p->country, p->phone[0], r->phone);
}

#endif
