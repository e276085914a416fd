/*
 * name_char.c
 *		Case, look-alikes, capitals of names.
 */
#include <string.h>

#include "text/name_char.h"

uint32_t
crm_name_lower(uint32_t c)
{
	if (c < 0x80)
		return c >= 'A' && c <= 'Z' ? c + 32 : c;
	if (c >= 0x400 && c <= 0x52F)
	{
		if (c < 0x410)
			return c + 80;
		if (c < 0x430)
			return c + 32;
		if (c < 0x460)
			return c;
		if (c == 0x4C0)
			return 0x4CF;
		if (c >= 0x4C1 && c <= 0x4CE)
			return (c & 1) ? c + 1 : c;
		if (c == 0x4CF || (c >= 0x482 && c <= 0x489))
			return c;
		return (c & 1) ? c : c + 1;
	}
	if (c < 0x100)
		return c >= 0xC0 && c <= 0xDE && c != 0xD7 ? c + 32 : c;
	if (c < 0x180)
	{
		if (c == 0x130)
			return 'i';
		if (c == 0x178)
			return 0xFF;
		if (c == 0x131 || c == 0x138 || c == 0x149 || c == 0x17F)
			return c;
		if ((c >= 0x139 && c <= 0x148) || c >= 0x179)
			return (c & 1) ? c + 1 : c;
		return (c & 1) ? c : c + 1;
	}
	if (c < 0x250)
	{
		if (c == 0x18F)
			return 0x259;
		if (c == 0x1A0 || c == 0x1AF || c == 0x1B5)
			return c == 0x1AF ? 0x1B0 : c + 1;
		if (c >= 0x1CD && c <= 0x1DC)
			return (c & 1) ? c + 1 : c;
		if ((c >= 0x1DE && c <= 0x1EF) || (c >= 0x1F8 && c <= 0x21F) ||
			(c >= 0x222 && c <= 0x233))
			return (c & 1) ? c : c + 1;
		return c;
	}
	if (c >= 0x1E00 && c <= 0x1EFF)
	{
		if (c == 0x1E9E)
			return 0xDF;
		if (c >= 0x1E96 && c <= 0x1E9F)
			return c;
		return (c & 1) ? c : c + 1;
	}
	if (c >= 0x386 && c <= 0x3AB)	/* Greek */
	{
		if (c == 0x386)
			return 0x3AC;
		if (c >= 0x388 && c <= 0x38A)
			return c + 37;
		if (c == 0x38C)
			return 0x3CC;
		if (c == 0x38E || c == 0x38F)
			return c + 63;
		if (c >= 0x391 && c != 0x3A2)
			return c + 32;
		return c;
	}
	if (c >= 0x531 && c <= 0x556)	/* Armenian */
		return c + 48;
	if (c >= 0x1C90 && c <= 0x1CBF)	/* Georgian capitals */
		return c - 0x1C90 + 0x10D0;
	if (c >= 0xFF21 && c <= 0xFF3A)
		return c + 32;
	return c;
}

uint32_t
crm_name_upper(uint32_t c)
{
	if (c < 0x80)
		return c >= 'a' && c <= 'z' ? c - 32 : c;
	if (c >= 0x430 && c <= 0x45F)
		return c < 0x450 ? c - 32 : c - 80;
	if (c == 0x131)
		return 'I';
	if (c == 0x17F)
		return 'S';
	if (c == 0x259)
		return 0x18F;
	if (c == 0xFF)
		return 0x178;
	if (c == 0xDF)				/* has no capital of one letter */
		return c;

	/* The inverse of the pairs and shifts above, tried in turn. */
	{
		static const int shift[] = {1, 32, 48, 37, 63, 64};

		for (size_t i = 0; i < sizeof(shift) / sizeof(shift[0]); i++)
			if (c > (uint32_t) shift[i] && crm_name_lower(c - shift[i]) == c)
				return c - shift[i];
	}
	if (c == 0x3AC)
		return 0x386;
	return c;
}

/*
 * Pairs of letters that print alike in common typefaces: Latin, Cyrillic.
 * Small letters that differ in print (k, m, t, h) are not here but for those
 * whose capitals do not; "k" is, for what people type.
 */
static const uint16_t lookalikes[][2] = {
	{'A', 0x410}, {'B', 0x412}, {'C', 0x421}, {'E', 0x415}, {'H', 0x41D},
	{'I', 0x406}, {'J', 0x408}, {'K', 0x41A}, {'M', 0x41C}, {'O', 0x41E},
	{'P', 0x420}, {'S', 0x405}, {'T', 0x422}, {'X', 0x425}, {'Y', 0x423},
	{'a', 0x430}, {'c', 0x441}, {'e', 0x435}, {'h', 0x4BB}, {'i', 0x456},
	{'j', 0x458}, {'k', 0x43A}, {'o', 0x43E}, {'p', 0x440}, {'s', 0x455},
	{'x', 0x445}, {'y', 0x443}, {0xCB, 0x401}, {0xEB, 0x451}, {0xCF, 0x407},
	{0xEF, 0x457},
};

uint32_t
crm_name_lookalike(uint32_t c)
{
	for (size_t i = 0; i < sizeof(lookalikes) / sizeof(lookalikes[0]); i++)
	{
		if (lookalikes[i][0] == c)
			return lookalikes[i][1];
		if (lookalikes[i][1] == c)
			return lookalikes[i][0];
	}
	return 0;
}

/* The letters of a word, or of a whole text, by script. */
typedef struct Count
{
	int			letters[2];		/* Latin, Cyrillic */
	int			own[2];			/* of these, such that have no look-alike */
} Count;

static void
count_letter(Count *count, uint32_t c)
{
	CrmScript	script = crm_name_script(c);

	if (script == CRM_SCRIPT_LATIN || script == CRM_SCRIPT_CYRILLIC)
	{
		int			which = script == CRM_SCRIPT_CYRILLIC;

		count->letters[which]++;
		if (crm_name_lookalike(c) == 0)
			count->own[which]++;
	}
}

/* The end of the word that starts at i: letters, marks, apostrophes. */
static size_t
word_end(const char *src, size_t length, size_t i, Count *count)
{
	memset(count, 0, sizeof(*count));
	while (i < length)
	{
		uint32_t	c;
		int			n = crm_utf8_decode(src + i, length - i, &c);

		if (n == 0 || !(crm_name_is_letter(c) || crm_name_is_mark(c) ||
						crm_name_is_apostrophe(c)))
			break;
		count_letter(count, c);
		i += n;
	}
	return i;
}

size_t
crm_name_fold_lookalikes(const char *src, size_t length, char *dst,
						 int *folded, int *mixed, size_t *first)
{
	Count		all;
	size_t		i = 0;
	size_t		out = 0;

	*folded = *mixed = 0;
	*first = length;

	/* Most text has one script only, and nothing to fold. */
	{
		bool		latin = false;
		bool		cyrillic = false;

		while (i < length && !(latin && cyrillic))
		{
			uint32_t	c;
			int			n = crm_utf8_decode(src + i, length - i, &c);
			CrmScript	script = n != 0 ? crm_name_script(c) : CRM_SCRIPT_NONE;

			latin |= script == CRM_SCRIPT_LATIN;
			cyrillic |= script == CRM_SCRIPT_CYRILLIC;
			i += n != 0 ? n : 1;
		}
		if (!(latin && cyrillic))
		{
			memcpy(dst, src, length);
			return length;
		}
	}

	memset(&all, 0, sizeof(all));
	i = 0;
	while (i < length)
	{
		uint32_t	c;
		int			n = crm_utf8_decode(src + i, length - i, &c);

		if (n != 0)
			count_letter(&all, c);
		i += n != 0 ? n : 1;
	}

	i = 0;
	while (i < length)
	{
		Count		word;
		size_t		end = word_end(src, length, i, &word);
		CrmScript	from = CRM_SCRIPT_NONE;

		if (end == i)
		{
			dst[out++] = src[i++];
			continue;
		}
		if (word.letters[0] > 0 && word.letters[1] > 0)
		{
			bool		latin_may = word.own[0] == 0;	/* may become Cyrillic */
			bool		cyrillic_may = word.own[1] == 0;

			/*
			 * Where both are possible, the script with letters of its own in
			 * the rest of the text decides, then the majority of the word.
			 */
			if (latin_may && cyrillic_may)
			{
				if ((all.own[0] > 0) != (all.own[1] > 0))
					from = all.own[0] > 0 ? CRM_SCRIPT_CYRILLIC : CRM_SCRIPT_LATIN;
				else
					from = word.letters[0] > word.letters[1] ?
						CRM_SCRIPT_CYRILLIC : CRM_SCRIPT_LATIN;
			}
			else if (latin_may)
				from = CRM_SCRIPT_LATIN;
			else if (cyrillic_may)
				from = CRM_SCRIPT_CYRILLIC;
			else
				++*mixed;
			if (*first == length)
			{
				/* Offset of the first letter of the script in minority. */
				CrmScript	odd = from != CRM_SCRIPT_NONE ? from :
					word.letters[0] > word.letters[1] ?
					CRM_SCRIPT_CYRILLIC : CRM_SCRIPT_LATIN;
				size_t		j = i;

				while (j < end)
				{
					uint32_t	c = 0;
					int			n = crm_utf8_decode(src + j, end - j, &c);

					if (crm_name_script(c) == odd)
						break;
					j += n;
				}
				*first = j;
			}
		}
		while (i < end)
		{
			uint32_t	c = 0;
			int			n = crm_utf8_decode(src + i, end - i, &c);

			if (from != CRM_SCRIPT_NONE && crm_name_script(c) == from)
			{
				c = crm_name_lookalike(c);
				++*folded;
			}
			out += crm_utf8_encode(c, dst + out);
			i += n;
		}
	}
	return out;
}

size_t
crm_name_case(const char *src, size_t length, char *dst)
{
	size_t		i = 0;
	size_t		out = 0;
	int			letters = 0;	/* of the word so far */

	while (i < length)
	{
		uint32_t	c;
		int			n = crm_utf8_decode(src + i, length - i, &c);

		if (n == 0)
		{
			dst[out++] = src[i++];
			continue;
		}
		if (crm_name_is_letter(c))
		{
			c = letters == 0 ? crm_name_upper(c) : crm_name_lower(c);
			letters++;
		}
		else if (crm_name_is_apostrophe(c))
		{
			/* O'Brien, D'Artagnan: one letter and an apostrophe. */
			if (letters == 1)
				letters = 0;
		}
		else if (!crm_name_is_mark(c))
			letters = 0;
		out += crm_utf8_encode(c, dst + out);
		i += n;
	}
	return out;
}
