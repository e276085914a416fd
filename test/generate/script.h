/*
 * script.h: letters: case, transliteration, keyboards, look-alikes.
 *
 * Text is UTF-8 of Latin and Cyrillic letters. Results go to the caller's
 * buffer of TEXT_SIZE bytes; nothing here writes more.
 */
#ifndef GENERATE_SCRIPT_H
#define GENERATE_SCRIPT_H

#include <stdint.h>
#include <string.h>

#define TEXT_SIZE 160
#define LETTERS 150

/* Code points of a text; returns their number. */
static int
decode(const char *text, uint32_t *out)
{
	const unsigned char *s = (const unsigned char *) text;
	int			n = 0;

	while (*s && n < LETTERS)
	{
		if (*s < 0x80)
			out[n++] = *s++;
		else if (*s < 0xE0)
		{
			out[n++] = (uint32_t) (s[0] & 0x1F) << 6 | (s[1] & 0x3F);
			s += 2;
		}
		else
		{
			out[n++] = (uint32_t) (s[0] & 0x0F) << 12 | (uint32_t) (s[1] & 0x3F) << 6 | (s[2] & 0x3F);
			s += 3;
		}
	}
	return n;
}

static void
encode(const uint32_t *letter, int n, char *out)
{
	int			k = 0;

	for (int i = 0; i < n && k < TEXT_SIZE - 4; i++)
	{
		uint32_t	c = letter[i];

		if (c < 0x80)
			out[k++] = (char) c;
		else if (c < 0x800)
		{
			out[k++] = (char) (0xC0 | c >> 6);
			out[k++] = (char) (0x80 | (c & 0x3F));
		}
		else
		{
			out[k++] = (char) (0xE0 | c >> 12);
			out[k++] = (char) (0x80 | (c >> 6 & 0x3F));
			out[k++] = (char) (0x80 | (c & 0x3F));
		}
	}
	out[k] = 0;
}

static int
is_cyrillic(uint32_t c)
{
	return c >= 0x401 && c <= 0x451;
}

static int
is_upper(uint32_t c)
{
	return (c >= 'A' && c <= 'Z') || c == 0x401 || (c >= 0x410 && c <= 0x42F);
}

static int
is_letter(uint32_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_cyrillic(c);
}

static uint32_t
lower(uint32_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c + 32;
	if (c >= 0x410 && c <= 0x42F)
		return c + 32;
	return c == 0x401 ? 0x451 : c;
}

static uint32_t
upper(uint32_t c)
{
	if (c >= 'a' && c <= 'z')
		return c - 32;
	if (c >= 0x430 && c <= 0x44F)
		return c - 32;
	return c == 0x451 ? 0x401 : c;
}

static void
change_case(char *text, uint32_t (*to) (uint32_t))
{
	uint32_t	letter[LETTERS];
	int			n = decode(text, letter);

	for (int i = 0; i < n; i++)
		letter[i] = to(letter[i]);
	encode(letter, n, text);
}

/* Replaces ё by е. */
static void
without_yo(char *text)
{
	for (char *s = text; *s; s++)
	{
		if ((unsigned char) s[0] == 0xD1 && (unsigned char) s[1] == 0x91)
			memcpy(s, "\xD0\xB5", 2);
		else if ((unsigned char) s[0] == 0xD0 && (unsigned char) s[1] == 0x81)
			memcpy(s, "\xD0\x95", 2);
	}
}

/*
 * Ways in which Russians write themselves in Latin letters: passports since
 * 2014 (ICAO 9303), passports of 1997 to 2010, the everyday one, GOST 7.79 B,
 * the "international" of programmers' tables, the French one of Soviet passports.
 * Letters а … я, then ё; then what becomes of a final -ий and -ый.
 */
#define SCHEMES 6
#define EVERYDAY 2
static const char *const scheme[SCHEMES][35] = {
	{"a", "b", "v", "g", "d", "e", "zh", "z", "i", "i", "k", "l", "m", "n", "o", "p", "r", "s", "t", "u", "f", "kh",
	"ts", "ch", "sh", "shch", "ie", "y", "", "e", "iu", "ia", "e", "ii", "yi"},
	{"a", "b", "v", "g", "d", "e", "zh", "z", "i", "y", "k", "l", "m", "n", "o", "p", "r", "s", "t", "u", "f", "kh",
	"ts", "ch", "sh", "shch", "", "y", "", "e", "yu", "ya", "ye", "iy", "yy"},
	{"a", "b", "v", "g", "d", "e", "zh", "z", "i", "y", "k", "l", "m", "n", "o", "p", "r", "s", "t", "u", "f", "h",
	"ts", "ch", "sh", "sch", "", "y", "", "e", "yu", "ya", "e", "y", "y"},
	{"a", "b", "v", "g", "d", "e", "zh", "z", "i", "j", "k", "l", "m", "n", "o", "p", "r", "s", "t", "u", "f", "x",
	"cz", "ch", "sh", "shh", "", "y", "", "e", "yu", "ya", "yo", "ij", "yj"},
	{"a", "b", "v", "g", "d", "e", "j", "z", "i", "i", "k", "l", "m", "n", "o", "p", "r", "s", "t", "u", "f", "h",
	"c", "ch", "sh", "sh", "", "i", "", "e", "ju", "ja", "jo", "i", "i"},
	{"a", "b", "v", "g", "d", "e", "j", "z", "i", "i", "k", "l", "m", "n", "o", "p", "r", "s", "t", "ou", "f", "kh",
	"ts", "tch", "ch", "chtch", "", "y", "", "e", "iou", "ia", "e", "i", "yi"},
};

static void
transliterate(const char *text, int by, char *out)
{
	uint32_t	letter[LETTERS];
	int			n = decode(text, letter);
	size_t		k = 0;

	for (int i = 0; i < n && k < TEXT_SIZE - 8; i++)
	{
		uint32_t	c = lower(letter[i]);
		const char *to;
		int			ends = i + 2 == n || (i + 2 < n && !is_letter(letter[i + 2]));

		if (!is_cyrillic(c))
		{
			out[k++] = (char) (c < 0x80 ? letter[i] : ' ');
			continue;
		}
		if (ends && i > 1 && i + 1 < n && (c == 0x438 || c == 0x44B) && letter[i + 1] == 0x439)
		{
			to = scheme[by][c == 0x438 ? 33 : 34];
			i++;
		}
		else
			to = c == 0x451 ? scheme[by][32] : c < 0x430 || c > 0x44F ? "" : scheme[by][c - 0x430];
		for (const char *s = to; *s; s++)
			out[k++] = (char) (s == to && is_upper(letter[i]) ? upper((uint32_t) *s) : (uint32_t) *s);
	}
	out[k] = 0;
}

/* An English name as somebody writes it in Russian, by ear and roughly. */
static void
to_cyrillic(const char *text, char *out)
{
	static const char *const pair[][2] = {
		{"sch", "ш"}, {"tch", "ч"}, {"igh", "ай"}, {"sh", "ш"}, {"ch", "ч"}, {"th", "т"}, {"ph", "ф"}, {"ck", "к"},
		{"ee", "и"}, {"ea", "и"}, {"oo", "у"}, {"ou", "оу"}, {"ow", "оу"}, {"ll", "лл"}, {"wh", "у"}, {"kn", "н"},
		{"wr", "р"}, {"qu", "кв"}, {"j", "дж"}, {"w", "у"}, {"x", "кс"}, {"y", "и"}, {"c", "к"}, {"h", "х"},
		{"a", "а"}, {"b", "б"}, {"d", "д"}, {"e", "е"}, {"f", "ф"}, {"g", "г"}, {"i", "и"}, {"k", "к"}, {"l", "л"},
		{"m", "м"}, {"n", "н"}, {"o", "о"}, {"p", "п"}, {"q", "к"}, {"r", "р"}, {"s", "с"}, {"t", "т"}, {"u", "у"},
		{"v", "в"}, {"z", "з"}
	};
	char		low[TEXT_SIZE];
	size_t		k = 0;

	strcpy(low, text);
	change_case(low, lower);
	for (size_t i = 0; low[i] && k < TEXT_SIZE - 8;)
	{
		size_t		p;
		size_t		start = k;

		for (p = 0; p < sizeof(pair) / sizeof(pair[0]); p++)
			if (strncmp(low + i, pair[p][0], strlen(pair[p][0])) == 0)
				break;
		if (p == sizeof(pair) / sizeof(pair[0]))
		{
			out[k++] = text[i++];
			continue;
		}
		strcpy(out + k, pair[p][1]);
		k += strlen(pair[p][1]);
		if (is_upper((uint32_t) (unsigned char) text[i]))
		{
			char		rest[TEXT_SIZE];
			uint32_t	letter[LETTERS];
			int			n;

			out[k] = 0;
			strcpy(rest, out + start);
			n = decode(rest, letter);
			letter[0] = upper(letter[0]);
			encode(letter, n, out + start);
		}
		i += strlen(pair[p][0]);
	}
	out[k] = 0;
}

/* Two keyboards, row by row: the same key has the same place. */
static const char *const latin_row[3] = {"qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,."};
static const char *const cyrillic_row[3] = {"йцукенгшщзхъ", "фывапролджэ", "ячсмитьбю"};

static uint32_t keyboard[2][3][12];
static int	keyboard_width[3] = {12, 11, 9};

static void
learn_keyboards(void)
{
	for (int row = 0; row < 3; row++)
	{
		decode(latin_row[row], keyboard[0][row]);
		decode(cyrillic_row[row], keyboard[1][row]);
	}
}

static int
find_key(uint32_t c, int *layout, int *row, int *column)
{
	c = lower(c);
	for (*layout = 0; *layout < 2; ++*layout)
		for (*row = 0; *row < 3; ++*row)
			for (*column = 0; *column < keyboard_width[*row]; ++*column)
				if (keyboard[*layout][*row][*column] == c)
					return 1;
	return 0;
}

/* The key beside this one, in its row or the next. */
static uint32_t
neighbour(uint32_t c)
{
	int			layout,
				row,
				column;
	uint32_t	to;

	if (c >= '0' && c <= '9')
		return '0' + (c - '0' + (uint32_t) (next_random() & 1 ? 1 : 9)) % 10;
	if (!find_key(c, &layout, &row, &column))
		return c;
	for (int tries = 0; tries < 20; tries++)
	{
		int			r = row,
					k = column;

		switch (below(4))
		{
			case 0: k--; break;
			case 1: k++; break;
			case 2: r--; break;
			case 3: r++; break;
		}
		if (r < 0 || r > 2 || k < 0 || k >= keyboard_width[r])
			continue;
		to = keyboard[layout][r][k];
		if (is_letter(to))
			return is_upper(c) ? upper(to) : to;
	}
	return c;
}

/* The same keys with the other layout on: Иванов → Bdfyjd. */
static void
other_layout(char *text)
{
	uint32_t	letter[LETTERS];
	int			n = decode(text, letter);

	for (int i = 0; i < n; i++)
	{
		int			layout,
					row,
					column;

		if (lower(letter[i]) == 0x451)
			letter[i] = '`';
		else if (find_key(letter[i], &layout, &row, &column))
		{
			uint32_t	to = keyboard[!layout][row][column];

			letter[i] = is_upper(letter[i]) ? upper(to) : to;
		}
	}
	encode(letter, n, text);
}

/* Puts Latin letters that look the same into a Cyrillic word: one to three. */
static void
look_alike(char *text)
{
	static const char *const from = "аеорсухАВЕКМНОРСТХ";
	static const char to[] = "aeopcyxABEKMHOPCTX";
	uint32_t	letter[LETTERS],
				same[LETTERS];
	int			n = decode(text, letter),
				m = decode(from, same),
				left = 1 + below(3);

	for (int i = 0; i < n && left > 0; i++)
		for (int j = 0; j < m; j++)
			if (letter[i] == same[j] && below(2))
			{
				letter[i] = (uint32_t) to[j];
				left--;
				break;
			}
	encode(letter, n, text);
}

/*
 * One slip of the hand: another key (40 %), a letter lost (25 %), two
 * exchanged (20 %), one too many (15 %). The first letter mostly stays.
 */
static void
typo(char *text)
{
	uint32_t	letter[LETTERS + 1];
	int			n = decode(text, letter),
				at,
				kind = below(100);

	if (n < 3)
		return;
	at = below(10) ? 1 + below(n - 1) : 0;
	if (kind < 40)
		letter[at] = neighbour(letter[at]);
	else if (kind < 65)
		memmove(letter + at, letter + at + 1, sizeof(*letter) * (size_t) (--n - at));
	else if (kind < 85)
	{
		uint32_t	c;

		if (at == n - 1)
			at--;
		c = letter[at];
		letter[at] = letter[at + 1];
		letter[at + 1] = c;
		if (at == 0)
		{
			letter[0] = upper(letter[0]);
			letter[1] = lower(letter[1]);
		}
	}
	else
	{
		memmove(letter + at + 1, letter + at, sizeof(*letter) * (size_t) (n++ - at));
		letter[at + 1] = lower(below(2) ? letter[at] : neighbour(letter[at]));
	}
	if (n > LETTERS)
		n = LETTERS;
	encode(letter, n, text);
}

#endif
