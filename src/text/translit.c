/*
 * translit.c
 *		Cyrillic to Latin; see translit.h.
 */
#include <string.h>

#include "text/name_char.h"
#include "text/translit.h"

#include "text/translit_table.inc"

/* Letters that no Russian scheme defines, in the manner of ICAO Doc 9303. */
static const char other_letters[] =
"є ie і i ї i ґ g ў u ђ d ѓ g ѕ dz ј j љ lj њ nj ћ c ќ k џ dz ѣ ie ѳ f ѵ y "
"ғ g қ k ң n ө o ұ u ү u һ h ә a ҳ h җ j ҷ j ӣ i ӯ u ӑ a ӗ e ҫ s ӳ u";

typedef struct Piece
{
	uint32_t	letter;
	const char *latin;
	int			length;
} Piece;

#define RUSSIAN_LETTERS 33
#define MORE_LETTERS 48

typedef struct Table
{
	const CrmTranslitScheme *scheme;
	Piece		russian[RUSSIAN_LETTERS];
	Piece		more[MORE_LETTERS]; /* read when first needed */
	int			more_count;		/* -1: not read yet */
} Table;

/* The next piece of a list separated by spaces; "_" is empty. */
static const char *
next_piece(const char *list, Piece *piece)
{
	const char *end = strchr(list, ' ');

	if (end == NULL)
		end = list + strlen(list);
	piece->latin = list;
	piece->length = (int) (end - list);
	if (piece->length == 1 && list[0] == '_')
		piece->length = 0;
	return *end != '\0' ? end + 1 : end;
}

static void
read_more(Table *table, const char *list)
{
	while (*list != '\0' && table->more_count < MORE_LETTERS)
	{
		Piece	   *piece = &table->more[table->more_count++];
		int			n = crm_utf8_decode(list, strlen(list), &piece->letter);

		list = next_piece(list + n + 1, piece);
	}
}

static void
read_scheme(Table *table, const CrmTranslitScheme *scheme)
{
	const char *list = scheme->letters;

	for (int i = 0; i < RUSSIAN_LETTERS; i++)
		list = next_piece(list, &table->russian[i]);
	table->scheme = scheme;
	table->more_count = -1;
}

/* What the small letter c is written as, or NULL. */
static const Piece *
find_letter(Table *table, uint32_t c)
{
	if (c >= 0x430 && c <= 0x44F)
		return &table->russian[c < 0x436 ? c - 0x430 : c - 0x430 + 1];
	if (c == 0x451)
		return &table->russian[6];
	if (c < 0x2BC && (c != 0x27 || table->scheme->more[0] == '\0'))
		return NULL;
	if (table->more_count < 0)
	{
		table->more_count = 0;
		read_more(table, table->scheme->more);
		read_more(table, other_letters);
	}
	for (int i = 0; i < table->more_count; i++)
		if (table->more[i].letter == c)
			return &table->more[i];
	return NULL;
}

static bool
contains(const char *letters, uint32_t c)
{
	size_t		left = strlen(letters);

	while (left > 0)
	{
		uint32_t	one = 0;
		int			n = crm_utf8_decode(letters, left, &one);

		if (one == c)
			return true;
		letters += n;
		left -= n;
	}
	return false;
}

static const char *
find_rule(const CrmTranslitRule *rule, uint32_t context, uint32_t c)
{
	if (rule == NULL || context == 0)
		return NULL;
	for (; rule->latin != NULL; rule++)
	{
		uint32_t	letter = 0;

		crm_utf8_decode(rule->letter, strlen(rule->letter), &letter);
		if (letter == c && contains(rule->context, context))
			return rule->latin;
	}
	return NULL;
}

static const char *
find_ending(const CrmTranslitRule *rule, uint32_t c1, uint32_t c2)
{
	if (rule == NULL)
		return NULL;
	for (; rule->latin != NULL; rule++)
	{
		uint32_t	a = 0;
		uint32_t	b = 0;
		int			n = crm_utf8_decode(rule->letter, strlen(rule->letter), &a);

		crm_utf8_decode(rule->letter + n, strlen(rule->letter + n), &b);
		if (a == c1 && b == c2)
			return rule->latin;
	}
	return NULL;
}

typedef enum Capital
{
	SMALL,
	FIRST,
	ALL
} Capital;

static size_t
put(char *out, const char *latin, size_t length, Capital capital)
{
	size_t		used = 0;
	bool		first = true;

	while (length > 0)
	{
		uint32_t	c = 0;
		int			n = crm_utf8_decode(latin, length, &c);

		if (capital == ALL || (capital == FIRST && first))
			c = crm_name_upper(c);
		/* A middle dot or a sign before the letter is not the first letter. */
		if (crm_name_is_letter(c))
			first = false;
		used += crm_utf8_encode(c, out + used);
		latin += n;
		length -= n;
	}
	return used;
}

/* A letter of the word around the one being written. */
typedef struct Letter
{
	uint32_t	lower;			/* 0 at the edges of a word */
	bool		upper;
	int			length;
} Letter;

static Letter
read_letter(Table *table, const char *text, size_t left)
{
	Letter		letter = {0, false, 0};
	uint32_t	c;

	if (left == 0)
		return letter;
	letter.length = crm_utf8_decode(text, left, &c);
	if (letter.length == 0)
		return letter;
	letter.lower = crm_name_lower(c);
	letter.upper = letter.lower != c;
	if (!crm_name_is_letter(c) && find_letter(table, c) == NULL)
		letter.lower = 0;
	return letter;
}

size_t
crm_translit(const CrmTranslitScheme *scheme, const char *text, size_t length,
			 char *out)
{
	Table		table;
	Letter		previous = {0, false, 0};
	int			position = 0;	/* letters of the word before this one */
	size_t		used = 0;
	size_t		i = 0;

	read_scheme(&table, scheme);
	while (i < length)
	{
		Letter		current = read_letter(&table, text + i, length - i);
		Letter		next;
		Letter		next2;
		const Piece *piece;
		const char *latin = NULL;
		size_t		latin_length = 0;
		Capital		capital;

		if (current.length == 0)	/* a broken byte stays */
		{
			out[used++] = text[i++];
			previous.lower = 0;
			position = 0;
			continue;
		}
		piece = current.lower != 0 ? find_letter(&table, current.lower) : NULL;
		if (piece == NULL)
		{
			memcpy(out + used, text + i, current.length);
			used += current.length;
			i += current.length;
			previous = current;
			position = current.lower != 0 ? position + 1 : 0;
			continue;
		}

		next = read_letter(&table, text + i + current.length,
						   length - i - current.length);
		capital = !current.upper ? SMALL :
			(next.lower != 0 ? next.upper : previous.lower != 0 && previous.upper) ?
			ALL : FIRST;

		/* The last two letters of a word of three or more. */
		if (scheme->ending != NULL && position > 0 && next.lower != 0)
		{
			size_t		after = i + current.length + next.length;

			next2 = read_letter(&table, text + after, length - after);
			if (next2.lower == 0 &&
				(latin = find_ending(scheme->ending, current.lower, next.lower)) != NULL)
			{
				used += put(out + used, latin, strlen(latin), capital);
				i = after;
				previous = next;
				position += 2;
				continue;
			}
		}

		latin = find_rule(scheme->before,
						  previous.lower != 0 ? previous.lower : '^', current.lower);
		if (latin == NULL)
			latin = find_rule(scheme->after, next.lower, current.lower);
		if (latin != NULL)
			latin_length = strlen(latin);
		else
		{
			latin = piece->latin;
			latin_length = piece->length;
		}
		used += put(out + used, latin, latin_length, capital);
		i += current.length;
		previous = current;
		position++;
	}
	return used;
}

const CrmTranslitScheme *
crm_translit_find(const char *name, size_t length)
{
	char		lower[64];

	if (length == 0 || length >= sizeof(lower))
		return NULL;
	for (size_t i = 0; i < length; i++)
		lower[i] = name[i] == '-' ? '_' :
			(char) crm_name_lower((unsigned char) name[i]);
	for (const CrmTranslitScheme *scheme = crm_translit_schemes;
		 scheme->name != NULL; scheme++)
	{
		const char *alias = scheme->aliases;

		if (strlen(scheme->name) == length &&
			memcmp(scheme->name, lower, length) == 0)
			return scheme;
		while (*alias != '\0')
		{
			Piece		piece;

			alias = next_piece(alias, &piece);
			if ((size_t) piece.length == length &&
				memcmp(piece.latin, lower, length) == 0)
				return scheme;
		}
	}
	return NULL;
}
