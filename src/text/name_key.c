/*
 * name_key.c
 *		Keys of names.  See name_key.h for what a key is.
 *
 * First pass: characters to letters.  A letter is a byte:
 *
 *		'a'-'z'		a Latin letter that may be part of a digraph
 *		'A'-'Z'		a final symbol: the capital of the key's letter
 *		'0'-'9'		itself
 *		' '			the end of a word
 *		>= 0x80		a byte of a character that has no table
 *
 * Second pass: digraphs of Latin letters, then push(), which holds the
 * rewriting rules.  They have to be few and common to all scripts; each says
 * that two sequences of symbols are written alike in some romanisation:
 *
 *		x x			-> x		doubled letters
 *		i a, i e, i u -> a, e, u	ya, ia, ja; also -iya and -ya
 *		i o			-> e		yo, io, jo
 *		k s			-> h		x is both
 *		t s, t c, c z -> c		ts, tc, cz
 *		s h, z h, k h, c h -> w, j, h, q	where kh is written h or x
 *		w h, w q, s q, s c -> w	shh, shch, sch, sc
 *		s w			-> w		the same after a doubled s
 *		t q			-> q		tch
 *		o u			-> u		French ou
 *
 * At the end of a word -ine loses its e (French) and -ff is v (Romanoff).
 */
#include <string.h>

#include "text/name_char.h"
#include "text/name_key.h"

#include "text/name_latin_table.inc"

/* ASCII: 0 vanishes, ' ' separates. */
static const char ascii_letters[128] = {
	' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ',
	' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ',
	' ', ' ', 0, ' ', ' ', ' ', ' ', 0, ' ', ' ', ' ', ' ', ' ', ' ', ' ', ' ',
	'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ' ', ' ', ' ', ' ', ' ', ' ',
	' ', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
	'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', ' ', ' ', ' ', ' ', ' ',
	0, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',
	'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', ' ', ' ', ' ', ' ', ' ',
};

/*
 * Cyrillic, U+0400 to U+04FF: the languages of Russia and its neighbours.
 * Letters without a line vanish (signs, hard and soft).
 */
static const char cyrillic_letters[0x100][2] = {
	[0x00] = {'E'}, [0x01] = {'E'}, [0x02] = {'D', 'J'}, [0x03] = {'G'},
	[0x04] = {'E'}, [0x05] = {'D', 'Z'}, [0x06] = {'I'}, [0x07] = {'I'},
	[0x08] = {'I'}, [0x09] = {'L'}, [0x0A] = {'N'}, [0x0B] = {'Q'},
	[0x0C] = {'K'}, [0x0D] = {'I'}, [0x0E] = {'U'}, [0x0F] = {'D', 'J'},
	[0x10] = {'A'}, [0x11] = {'B'}, [0x12] = {'V'}, [0x13] = {'G'},
	[0x14] = {'D'}, [0x15] = {'E'}, [0x16] = {'J'}, [0x17] = {'Z'},
	[0x18] = {'I'}, [0x19] = {'I'}, [0x1A] = {'K'}, [0x1B] = {'L'},
	[0x1C] = {'M'}, [0x1D] = {'N'}, [0x1E] = {'O'}, [0x1F] = {'P'},
	[0x20] = {'R'}, [0x21] = {'S'}, [0x22] = {'T'}, [0x23] = {'U'},
	[0x24] = {'F'}, [0x25] = {'H'}, [0x26] = {'C'}, [0x27] = {'Q'},
	[0x28] = {'W'}, [0x29] = {'W'}, [0x2A] = {0}, [0x2B] = {'I'},
	[0x2C] = {0}, [0x2D] = {'E'}, [0x2E] = {'U'}, [0x2F] = {'A'},
	[0x30] = {'A'}, [0x31] = {'B'}, [0x32] = {'V'}, [0x33] = {'G'},
	[0x34] = {'D'}, [0x35] = {'E'}, [0x36] = {'J'}, [0x37] = {'Z'},
	[0x38] = {'I'}, [0x39] = {'I'}, [0x3A] = {'K'}, [0x3B] = {'L'},
	[0x3C] = {'M'}, [0x3D] = {'N'}, [0x3E] = {'O'}, [0x3F] = {'P'},
	[0x40] = {'R'}, [0x41] = {'S'}, [0x42] = {'T'}, [0x43] = {'U'},
	[0x44] = {'F'}, [0x45] = {'H'}, [0x46] = {'C'}, [0x47] = {'Q'},
	[0x48] = {'W'}, [0x49] = {'W'}, [0x4A] = {0}, [0x4B] = {'I'},
	[0x4C] = {0}, [0x4D] = {'E'}, [0x4E] = {'U'}, [0x4F] = {'A'},
	[0x50] = {'E'}, [0x51] = {'E'}, [0x52] = {'D', 'J'}, [0x53] = {'G'},
	[0x54] = {'E'}, [0x55] = {'D', 'Z'}, [0x56] = {'I'}, [0x57] = {'I'},
	[0x58] = {'I'}, [0x59] = {'L'}, [0x5A] = {'N'}, [0x5B] = {'Q'},
	[0x5C] = {'K'}, [0x5D] = {'I'}, [0x5E] = {'U'}, [0x5F] = {'D', 'J'},
	[0x62] = {'E'}, [0x63] = {'E'}, [0x6A] = {'U'}, [0x6B] = {'U'},
	[0x72] = {'F'}, [0x73] = {'F'}, [0x74] = {'I'}, [0x75] = {'I'},
	[0x90] = {'G'}, [0x91] = {'G'}, [0x92] = {'G'}, [0x93] = {'G'},
	[0x94] = {'G'}, [0x95] = {'G'}, [0x96] = {'J'}, [0x97] = {'J'},
	[0x98] = {'Z'}, [0x99] = {'Z'}, [0x9A] = {'K'}, [0x9B] = {'K'},
	[0x9C] = {'K'}, [0x9D] = {'K'}, [0x9E] = {'K'}, [0x9F] = {'K'},
	[0xA0] = {'K'}, [0xA1] = {'K'}, [0xA2] = {'N'}, [0xA3] = {'N'},
	[0xA4] = {'N'}, [0xA5] = {'N'}, [0xA6] = {'P'}, [0xA7] = {'P'},
	[0xA8] = {'H'}, [0xA9] = {'H'}, [0xAA] = {'S'}, [0xAB] = {'S'},
	[0xAC] = {'T'}, [0xAD] = {'T'}, [0xAE] = {'U'}, [0xAF] = {'U'},
	[0xB0] = {'U'}, [0xB1] = {'U'}, [0xB2] = {'H'}, [0xB3] = {'H'},
	[0xB4] = {'C'}, [0xB5] = {'C'}, [0xB6] = {'Q'}, [0xB7] = {'Q'},
	[0xB8] = {'Q'}, [0xB9] = {'Q'}, [0xBA] = {'H'}, [0xBB] = {'H'},
	[0xBC] = {'Q'}, [0xBD] = {'Q'}, [0xBE] = {'Q'}, [0xBF] = {'Q'},
	[0xC1] = {'J'}, [0xC2] = {'J'}, [0xC3] = {'K'}, [0xC4] = {'K'},
	[0xC7] = {'N'}, [0xC8] = {'N'}, [0xCB] = {'Q'}, [0xCC] = {'Q'},
	[0xD0] = {'A'}, [0xD1] = {'A'}, [0xD2] = {'A'}, [0xD3] = {'A'},
	[0xD4] = {'A', 'E'}, [0xD5] = {'A', 'E'}, [0xD6] = {'E'}, [0xD7] = {'E'},
	[0xD8] = {'A'}, [0xD9] = {'A'}, [0xDA] = {'A'}, [0xDB] = {'A'},
	[0xDC] = {'J'}, [0xDD] = {'J'}, [0xDE] = {'Z'}, [0xDF] = {'Z'},
	[0xE0] = {'Z'}, [0xE1] = {'Z'}, [0xE2] = {'I'}, [0xE3] = {'I'},
	[0xE4] = {'I'}, [0xE5] = {'I'}, [0xE6] = {'O'}, [0xE7] = {'O'},
	[0xE8] = {'O'}, [0xE9] = {'O'}, [0xEA] = {'O'}, [0xEB] = {'O'},
	[0xEC] = {'E'}, [0xED] = {'E'}, [0xEE] = {'U'}, [0xEF] = {'U'},
	[0xF0] = {'U'}, [0xF1] = {'U'}, [0xF2] = {'U'}, [0xF3] = {'U'},
	[0xF4] = {'Q'}, [0xF5] = {'Q'}, [0xF8] = {'I'}, [0xF9] = {'I'},
};

/* Small letters of Greek from U+03B1, Armenian from U+0561, Georgian from U+10D0. */
static const char greek_letters[][3] = {
	"A", "V", "G", "D", "E", "Z", "I", "T", "I", "K", "L", "M", "N", "KS", "O",
	"P", "R", "S", "S", "T", "I", "F", "H", "PS", "O", "I", "I", "O", "I", "O",
};
static const char armenian_letters[][3] = {
	"A", "B", "G", "D", "E", "Z", "E", "E", "T", "J", "I", "L", "H", "C", "K",
	"H", "DZ", "G", "Q", "M", "I", "N", "W", "O", "Q", "P", "DJ", "R", "S", "V",
	"T", "R", "C", "V", "P", "K", "O", "F", "EV",
};
static const char georgian_letters[][3] = {
	"A", "B", "G", "D", "E", "V", "Z", "T", "I", "K", "L", "M", "N", "O", "P",
	"J", "R", "S", "T", "U", "P", "K", "G", "K", "W", "Q", "C", "DZ", "C", "Q",
	"H", "DJ", "H",
};

/* The letters of a name, and what has been seen in it. */
typedef struct Letters
{
	size_t		count;
	bool		mixed;			/* a word has Latin and Cyrillic letters */
	bool		latin;
	bool		ukrainian;		/* has letters that Russian does not have */
	char		letter[CRM_NAME_KEY_SIZE];
} Letters;

#define WORD_LATIN 1
#define WORD_CYRILLIC 2

/* The character beyond the fast paths of read_letters(). */
static void
read_other(Letters *letters, uint32_t c)
{
	const char *symbols = NULL;
	char	   *letter = letters->letter;

	c = crm_name_lower(c);
	if (c >= 0x300 && c <= 0x36F)
	{
		/* A hacek or cedilla written apart changes the sound. */
		if (letters->count > 0 && (c == 0x30C || c == 0x327 || c == 0x302))
		{
			char	   *last = &letter[letters->count - 1];

			if (*last == 's')
				*last = 'W';
			else if (*last == 'c')
				*last = 'Q';
			else if (*last == 'z' && c == 0x30C)
				*last = 'J';
		}
		return;
	}
	if (c == 0x259)				/* Azerbaijani schwa */
		symbols = "A";
	else if (c >= 0x3AC && c <= 0x3CE)
	{
		if (c >= 0x3B1)
			symbols = greek_letters[c - 0x3B1];
		else
			symbols = c == 0x3AC ? "A" : c == 0x3AD ? "E" : "I";
	}
	else if (c >= 0x561 && c <= 0x587)
		symbols = armenian_letters[c - 0x561];
	else if (c >= 0x10D0 && c <= 0x10F0)
		symbols = georgian_letters[c - 0x10D0];
	else if (c >= 0xFF41 && c <= 0xFF5A)
	{
		letter[letters->count++] = (char) (c - 0xFF41 + 'a');
		return;
	}

	if (symbols != NULL)
	{
		while (*symbols)
			letter[letters->count++] = *symbols++;
	}
	else if (crm_name_is_apostrophe(c) || crm_is_invisible(c) ||
			 crm_name_is_mark(c) || c == 0xB7 || c == 0xA8 ||
			 (c >= 0x2B0 && c <= 0x2FF) || (c >= 0x201A && c <= 0x201F) ||
			 (c >= 0x2032 && c <= 0x2037))
		;						/* vanishes */
	else if (crm_name_is_letter(c))
	{
		letters->count += crm_utf8_encode(c, letter + letters->count);
	}
	else
		letter[letters->count++] = ' ';
}

/* The first pass. */
static void
read_letters(Letters *letters, const char *name, size_t length)
{
	size_t		i = 0;
	size_t		count = 0;
	int			word = 0;
	int			seen = 0;
	char	   *letter = letters->letter;

	letters->mixed = false;
	letters->ukrainian = false;
	while (i < length)
	{
		unsigned char b = (unsigned char) name[i];

		if (b < 0x80)
		{
			char		x = ascii_letters[b];

			i++;
			if (x == 0)
				continue;
			if (x >= 'a')
				word |= WORD_LATIN;
			else if (x == ' ')
			{
				letters->mixed |= word == (WORD_LATIN | WORD_CYRILLIC);
				seen |= word;
				word = 0;
			}
			letter[count++] = x;
		}
		else if ((b & 0xFC) == 0xD0 && i + 1 < length &&
				 (name[i + 1] & 0xC0) == 0x80)
		{
			unsigned	at = (b & 3) << 6 | (name[i + 1] & 0x3F);
			const char *symbols = cyrillic_letters[at];

			i += 2;
			word |= WORD_CYRILLIC;
			if (symbols[0] != 0)
				letter[count++] = symbols[0];
			if (symbols[1] != 0)
				letter[count++] = symbols[1];
			if (at >= 0x54 ? (at == 0x54 || at == 0x56 || at == 0x57 ||
							  at == 0x5E || at >= 0x90) :
				(at == 0x04 || at == 0x06 || at == 0x07 || at == 0x0E))
				letters->ukrainian = true;
		}
		else
		{
			uint32_t	c;
			int			n = crm_utf8_decode(name + i, length - i, &c);

			if (n == 0)
			{
				i++;			/* a broken byte vanishes */
				continue;
			}
			if ((c >= 0xC0 && c <= 0x24F) || (c >= 0x1E00 && c <= 0x1EFF))
			{
				const char *symbols = c <= 0x24F ? latin_letters[c - 0xC0] :
					latin_more_letters[c - 0x1E00];

				if (symbols[0] != 0)
				{
					word |= WORD_LATIN;
					letter[count++] = symbols[0];
					if (symbols[1] != 0)
						letter[count++] = symbols[1];
				}
				else
					letter[count++] = ' ';
			}
			else
			{
				letters->count = count;
				read_other(letters, c);
				if (letters->count > count && letter[letters->count - 1] == ' ')
				{
					letters->mixed |= word == (WORD_LATIN | WORD_CYRILLIC);
					seen |= word;
					word = 0;
				}
				count = letters->count;
			}
			i += n;
		}
	}
	letters->mixed |= word == (WORD_LATIN | WORD_CYRILLIC);
	seen |= word;
	letters->latin = (seen & WORD_LATIN) != 0;
	letters->count = count;
}

/* Letters of a name of bounded length, look-alikes folded. */
static void
read_name(Letters *letters, const char *name, size_t length)
{
	if (length > CRM_NAME_KEY_MAX_INPUT)
	{
		length = CRM_NAME_KEY_MAX_INPUT;
		while (length > 0 && (name[length] & 0xC0) == 0x80)
			length--;
	}
	read_letters(letters, name, length);
	if (letters->mixed)
	{
		char		upper[2 * CRM_NAME_KEY_MAX_INPUT];
		char		folded[4 * CRM_NAME_KEY_MAX_INPUT];
		int			count;
		int			mixed;
		size_t		first;
		size_t		used = 0;

		/*
		 * Capitals have more look-alikes than small letters.  As the key does
		 * not depend on case, this must not either.
		 */
		for (size_t i = 0; i < length;)
		{
			uint32_t	c;
			int			n = crm_utf8_decode(name + i, length - i, &c);

			if (n == 0)
			{
				i++;
				continue;
			}
			used += crm_utf8_encode(crm_name_upper(c), upper + used);
			i += n;
		}
		length = crm_name_fold_lookalikes(upper, used, folded, &count, &mixed,
										  &first);
		if (count > 0)
			read_letters(letters, folded, length);
	}
}

/*
 * Appends symbol x to the word that begins at start, rewriting what it meets;
 * returns the new end.
 */
static inline char *
push(const char *start, char *end, char x)
{
	while (end > start)
	{
		char		y = end[-1];

		if (y == x)
			return end;
		switch (x)
		{
			case 'a':
			case 'e':
			case 'u':
				if (y != 'i' && !(y == 'o' && x == 'u'))
					goto append;
				break;
			case 'o':
				if (y != 'i')
					goto append;
				x = 'e';
				break;
			case 's':
				if (y == 'k')
					x = 'h';
				else if (y == 't')
					x = 'c';
				else
					goto append;
				break;
			case 'c':
				if (y == 's')
					x = 'w';
				else if (y != 't')
					goto append;
				break;
			case 'z':
				if (y != 'c')
					goto append;
				return end;
			case 'h':
				if (y == 'w')
					return end;
				if (y == 's')
					x = 'w';
				else if (y == 'z')
					x = 'j';
				else if (y == 'c')
					x = 'q';
				else if (y != 'k')
					goto append;
				break;
			case 'q':
				if (y == 'w')
					return end;
				if (y == 's')
					x = 'w';
				else if (y != 't')
					goto append;
				break;
			case 'w':
				if (y != 's')
					goto append;
				break;
			default:
				goto append;
		}
		end--;					/* y is absorbed: x meets what was before */
	}
append:
	*end++ = x;
	return end;
}

static inline bool
is_vowel(char x)
{
	return x == 'a' || x == 'e' || x == 'i' || x == 'o' || x == 'u' ||
		x == 'y' || x == 'A' || x == 'E' || x == 'I' || x == 'O' || x == 'U';
}

/*
 * The Latin letters at s (left of them until the end of the word), of which
 * at least one, as symbols for push(); returns how many letters were read.
 * French and western spelling; Russian and j are in read_russian().
 */
static size_t
read_french(const char *s, size_t left, bool first, char *symbols)
{
	char		next = left > 1 ? s[1] : 0;

	(void) first;
	switch (s[0])
	{
		case 'o':
			if (next == 'u')
			{
				symbols[0] = 'u';
				return 2;
			}
			break;
		case 't':
			if (left > 2 && next == 'c' && s[2] == 'h')
			{
				symbols[0] = 'q';
				return 3;
			}
			break;
		case 'c':
			if (next == 'h')
			{
				symbols[0] = 'w';
				return 2;
			}
			break;
		case 'j':
			symbols[0] = 'j';
			return 1;
		case 'q':
			symbols[0] = 'k';
			return next == 'u' ? 2 : 1;
		case 'g':
			if (left > 2 && next == 'u' && (s[2] == 'e' || s[2] == 'i' || s[2] == 'y'))
			{
				symbols[0] = 'g';
				return 2;
			}
			break;
		case 'n':
			if (left == 2 && next == 'e')	/* the end -ine */
			{
				symbols[0] = 'n';
				return 2;
			}
			break;
	}
	return 0;
}

static size_t
read_western(const char *s, size_t left, bool first, char *symbols)
{
	char		next = left > 1 ? s[1] : 0;

	switch (s[0])
	{
		case 'a':
			if (next == 'e')
			{
				symbols[0] = 'a';
				return 2;
			}
			break;
		case 'o':
			if (next == 'e' || next == 'o')
			{
				symbols[0] = next == 'o' ? 'u' : 'o';
				return 2;
			}
			break;
		case 'u':
			if (next == 'e')
			{
				symbols[0] = 'u';
				return 2;
			}
			break;
		case 'e':
			if (next == 'e')
			{
				symbols[0] = 'i';
				return 2;
			}
			break;
		case 'c':
			if (next == 'h')
			{
				symbols[0] = left > 2 && is_vowel(s[2]) ? 'q' :
					left > 2 ? 'k' : 'q';
				return 2;
			}
			if (next == 'z')
			{
				symbols[0] = 'q';
				return 2;
			}
			if (next == 'k')
			{
				symbols[0] = 'k';
				return 2;
			}
			symbols[0] = next == 'e' || next == 'i' || next == 'y' ? 's' : 'k';
			return 1;
		case 's':
			if (left > 2 && next == 'c' && s[2] == 'h')
			{
				symbols[0] = 'w';
				return 3;
			}
			if (next == 'z' || next == 'h')
			{
				symbols[0] = 'w';
				return 2;
			}
			break;
		case 't':
			if (left > 3 && next == 's' && s[2] == 'c' && s[3] == 'h')
			{
				symbols[0] = 'q';
				return 4;
			}
			if (next == 'h')
			{
				symbols[0] = 't';
				return 2;
			}
			break;
		case 'p':
			if (next == 'h')
			{
				symbols[0] = 'f';
				return 2;
			}
			break;
		case 'r':
			if (next == 'z' && left > 2)
			{
				symbols[0] = 'j';
				return 2;
			}
			break;
		case 'j':
			symbols[0] = 'd';
			symbols[1] = 'j';
			return 1;
		case 'q':
			symbols[0] = 'k';
			if (next == 'u')
			{
				symbols[1] = 'v';
				return 2;
			}
			return 1;
		case 'h':
			/* Mute before a consonant and at the end, after a vowel. */
			if (!first && is_vowel(s[-1]) && !is_vowel(next))
				return 1;
			break;
	}
	return 0;
}

static size_t
read_russian(const char *s, size_t left, bool first, char *symbols)
{
	char		next = left > 1 ? s[1] : 0;

	switch (s[0])
	{
		case 's':
			if (next == 'h')
			{
				symbols[0] = 'w';
				return left > 3 && s[2] == 'c' && s[3] == 'h' ? 4 : 2;
			}
			if (next == 'c' && left > 2 && s[2] == 'h')
			{
				symbols[0] = 'w';
				return 3;
			}
			break;
		case 'c':
			if (next == 'h')
			{
				symbols[0] = 'q';
				return 2;
			}
			break;
		case 'k':
			if (next == 'h')
			{
				symbols[0] = 'h';
				return 2;
			}
			break;
		case 'z':
			if (next == 'h')
			{
				symbols[0] = 'j';
				return 2;
			}
			break;
		case 'e':
			/* GOST 16876: eh is the letter e of Eduard, Bauer. */
			if ((first || is_vowel(s[-1])) && next == 'h' && left > 2 && !is_vowel(s[2]))
			{
				symbols[0] = 'e';
				return 2;
			}
			break;
	}

	/* A letter by itself. */
	switch (s[0])
	{
		case 'j':
		case 'y':
			symbols[0] = 'i';
			break;
		case 'q':
			symbols[0] = 'k';
			break;
		case 'w':
			symbols[0] = 'v';
			break;
		case 'x':
			symbols[0] = 'h';
			break;
		default:
			symbols[0] = s[0];
	}
	return 1;
}

/* The second pass over one word; returns the new end of the key. */
static char *
write_word(const char *s, size_t count, CrmNameReading reading, char *end)
{
	const char *start = end;
	size_t		i = 0;

	while (i < count)
	{
		char		x = s[i];

		if ((x | 0x20) == 'f' && i + 2 == count && s[i + 1] == x && i > 0 &&
			is_vowel(s[i - 1]))
		{
			end = push(start, end, 'v');
			break;
		}
		if (x >= 'A' && x <= 'Z')
		{
			if (x == 'G' && reading == CRM_NAME_UKRAINIAN)
				x = 'H';
			end = push(start, end, x | 0x20);
			i++;
		}
		else if (x >= 'a' && x <= 'z')
		{
			char		symbols[2] = {0, 0};
			size_t		n = 0;

			if (reading == CRM_NAME_FRENCH)
				n = read_french(s + i, count - i, i == 0, symbols);
			else if (reading == CRM_NAME_WESTERN)
				n = read_western(s + i, count - i, i == 0, symbols);
			else if (reading == CRM_NAME_J_IS_ZH && x == 'j')
			{
				symbols[0] = 'j';
				n = 1;
			}
			if (n == 0)
				n = read_russian(s + i, count - i, i == 0, symbols);
			if (symbols[0] != 0)
				end = push(start, end, symbols[0]);
			if (symbols[1] != 0)
				end = push(start, end, symbols[1]);
			i += n;
		}
		else
		{
			*end++ = x;
			i++;
		}
	}
	if (end - start > 3 && end[-1] == 'e' && end[-2] == 'n' && end[-3] == 'i')
		end--;
	return end;
}

static size_t
write_key(const Letters *letters, CrmNameReading reading, char *key)
{
	char	   *end = key;
	size_t		i = 0;

	while (i < letters->count)
	{
		size_t		word = i;

		while (i < letters->count && letters->letter[i] != ' ')
			i++;
		if (i > word)
		{
			char	   *before = end;
			char	   *start;

			if (end > key)
				*end++ = ' ';
			start = end;
			end = write_word(letters->letter + word, i - word, reading, end);
			if (end == start)
				end = before;
		}
		i++;
	}
	return end - key;
}

size_t
crm_name_key(const char *name, size_t length, CrmNameReading reading, char *key)
{
	Letters		letters;

	read_name(&letters, name, length);
	return write_key(&letters, reading, key);
}

/*
 * Turns the feminine ending of the word letter[0 .. count) into the masculine
 * one; returns the new number of letters.
 */
static size_t
drop_feminine(char *letter, size_t count)
{
	char	   *end = letter + count;
#define LAST(n) (end[-(n)] | 0x20)

	if (count < 4)
		return count;

	/* -aya, -aia, -aja, -aa: adjectives, also the masculine -oy, -iy, -y. */
	if (LAST(1) == 'a')
	{
		if (LAST(2) == 'a' && end[-1] == 'A')	/* Cyrillic -ая, -яя */
		{
			end[-2] = 'I';
			return count - 1;
		}
		if ((LAST(2) == 'y' || LAST(2) == 'i' || LAST(2) == 'j') &&
			LAST(3) == 'a' && count > 4)
		{
			end[-3] = 'I';
			return count - 2;
		}
		if ((LAST(2) == 'v' && (LAST(3) == 'o' || LAST(3) == 'e')) ||
			(LAST(2) == 'n' && (LAST(3) == 'i' || LAST(3) == 'y')))
			return count - 1;	/* -ova, -eva, -ina, -yna */
		return count;
	}
	if ((LAST(1) == 'i' || LAST(1) == 'y' || LAST(1) == 'j') && LAST(2) == 'o')
		end[-2] = 'I';			/* Tolstoy beside Tolstaya */
	return count;
#undef LAST
}

size_t
crm_name_household_key(const char *name, size_t length, char *key)
{
	Letters		letters;
	size_t		i = 0;
	size_t		out = 0;

	read_name(&letters, name, length);
	while (i < letters.count)
	{
		size_t		word = i;
		size_t		count;

		while (i < letters.count && letters.letter[i] != ' ')
			i++;
		count = drop_feminine(letters.letter + word, i - word);
		memmove(letters.letter + out, letters.letter + word, count);
		out += count;
		if (i < letters.count)
			letters.letter[out++] = letters.letter[i++];
	}
	letters.count = out;
	return write_key(&letters, CRM_NAME_RUSSIAN, key);
}

/* Insertion sort: names have a handful of words. */
size_t
crm_name_sort_words(char *key, size_t length)
{
	char		sorted[CRM_NAME_KEY_SIZE];
	size_t		used = 0;
	size_t		i = 0;

	if (length == 0 || memchr(key, ' ', length) == NULL)
		return length;
	while (i < length)
	{
		const char *space = memchr(key + i, ' ', length - i);
		size_t		count = (space != NULL ? space : key + length) - (key + i);
		size_t		at = 0;

		/* Find the first sorted word that is greater. */
		while (at < used)
		{
			const char *end = memchr(sorted + at, ' ', used - at);
			size_t		other = end - (sorted + at);
			int			order = memcmp(key + i, sorted + at,
									   count < other ? count : other);

			if (order < 0 || (order == 0 && count < other))
				break;
			at += other + 1;
		}
		if (used + count + 1 > sizeof(sorted))
			break;
		memmove(sorted + at + count + 1, sorted + at, used - at);
		memcpy(sorted + at, key + i, count);
		sorted[at + count] = ' ';
		used += count + 1;
		i += count + 1;
	}
	memcpy(key, sorted, used - 1);
	return used - 1;
}

int
crm_name_keys(const char *name, size_t length,
			  char keys[CRM_NAME_KEYS_MAX][CRM_NAME_KEY_SIZE],
			  size_t lengths[CRM_NAME_KEYS_MAX])
{
	static const CrmNameReading latin[] = {
		CRM_NAME_J_IS_ZH, CRM_NAME_FRENCH, CRM_NAME_WESTERN
	};
	Letters		letters;
	int			count = 1;

	read_name(&letters, name, length);
	lengths[0] = write_key(&letters, CRM_NAME_RUSSIAN, keys[0]);
	if (lengths[0] == 0)
		return 0;
	for (int i = 0; i < 3; i++)
	{
		bool		known = false;
		CrmNameReading reading = latin[i];

		/* Cyrillic is read in one way, but for g beside letters of Ukrainian. */
		if (!letters.latin)
		{
			if (!letters.ukrainian)
				break;
			reading = CRM_NAME_UKRAINIAN;
		}
		lengths[count] = write_key(&letters, reading, keys[count]);
		if (lengths[count] == 0)
			continue;
		for (int k = 0; k < count && !known; k++)
			known = lengths[k] == lengths[count] &&
				memcmp(keys[k], keys[count], lengths[k]) == 0;
		if (!known)
			count++;
	}
	return count;
}
