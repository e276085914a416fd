/*
 * name_parse.c
 *		The parts of a person's name; see name_parse.h.
 *
 * Steps: clean; fold look-alikes; take out what stands in brackets or quotes;
 * split at commas and spaces into words; strip titles and suffixes; glue
 * particles (van der Berg) and words of patronymics (Hasan oglu); then decide
 * by the strongest evidence which word is what.
 */
#include <string.h>

#include "text/name_char.h"
#include "text/name_gender.h"
#include "text/name_parse.h"

const char *const crm_name_note_names[CRM_NOTES] = {
	"LOOKALIKE_FOLDED", "MIXED_SCRIPT", "ORDER_ASSUMED", "ORDER_CONTRADICTED",
	"GENDER_CONFLICT", "ONE_WORD", "SURNAME_OR_PATRONYMIC", "ALL_CAPITALS",
	"DIGITS", "NOT_A_NAME"
};

/* How sure each kind of evidence makes us. */
#define SURE_DECLARED 1.0f
#define SURE_COMMA 0.95f
#define SURE_PATRONYMIC 0.95f
#define SURE_INITIALS 0.9f
#define SURE_CAPITALS 0.9f
#define SURE_KNOWN_NAME 0.85f
#define SURE_SURNAME_ENDING 0.6f
#define SURE_USUAL_ORDER 0.6f
#define SURE_UNCERTAIN 0.5f
#define SURE_ASSUMED 0.3f

#define MAX_WORDS 12
#define BUFFER_SIZE (2 * CRM_NAME_MAX_INPUT)

typedef struct Word
{
	const char *s;
	size_t		length;
	int			segment;		/* which part between commas */
	bool		initial;
	bool		patronymic;
	bool		known;			/* in the table of given names */
	int			surname;		/* how much its ending is that of a surname */
	bool		capitals;		/* two letters or more, all capitals */
} Word;

typedef struct Words
{
	int			count;
	Word		word[MAX_WORDS];
} Words;

size_t
crm_name_clean(const char *text, size_t length, char *dst, int *junk)
{
	size_t		used = 0;
	size_t		i = 0;
	bool		space = false;

	if (junk != NULL)
		*junk = 0;
	while (i < length)
	{
		uint32_t	c;
		int			n = crm_utf8_decode(text + i, length - i, &c);

		if (n == 0)
		{
			i++;
			if (junk != NULL)
				++*junk;
			continue;
		}
		i += n;
		if (crm_is_space(c))
		{
			space = used > 0;
			continue;
		}
		if (crm_is_invisible(c) || crm_is_control(c))
		{
			if (junk != NULL)
				++*junk;
			continue;
		}
		if (c == 0x2010 || c == 0x2011)
			c = '-';
		if (used >= 2 && !space && (c == 0x306 || c == 0x308))
		{
			/* i with breve, ye and Ukrainian i with diaeresis, u with breve */
			static const uint16_t composed[][3] = {
				{0x438, 0x306, 0x439}, {0x418, 0x306, 0x419},
				{0x435, 0x308, 0x451}, {0x415, 0x308, 0x401},
				{0x456, 0x308, 0x457}, {0x406, 0x308, 0x407},
				{0x443, 0x306, 0x45E}, {0x423, 0x306, 0x40E},
			};
			uint32_t	last = 0;
			bool		done = false;

			crm_utf8_decode(dst + used - 2, 2, &last);
			for (int k = 0; k < 8 && !done; k++)
				if (composed[k][0] == last && composed[k][1] == c)
				{
					crm_utf8_encode(composed[k][2], dst + used - 2);
					done = true;
				}
			if (done)
				continue;
		}
		if (space)
			dst[used++] = ' ';
		space = false;
		used += crm_utf8_encode(c, dst + used);
	}
	return used;
}

/* ---- words that are not names ---- */

#define WORD_TITLE 1
#define WORD_MALE 2
#define WORD_FEMALE 4
#define WORD_SUFFIX 8
#define WORD_PARTICLE 16

/* Small letters without dots, separated by spaces. */
static const struct
{
	const char *words;
	unsigned char kind;
}			lists[] =
{
	{"г-н господин гр-н гражданин пан mr mister sir lord herr monsieur señor signor sig senhor",
	WORD_TITLE | WORD_MALE},
	{"г-жа госпожа гр-ка гражданка пані mrs ms miss madam dame lady frau fräulein mme mlle "
		"madame mademoiselle señora señorita signora sra srta senhora",
	WORD_TITLE | WORD_FEMALE},
	{"д-р доктор проф профессор акад академик доц доцент тов товарищ ип уважаемый уважаемая "
		"dr doctor prof professor mx rev reverend hon capt captain col colonel gen general "
		"sgt lt maj major dipl-ing ing mag med jur phil rer nat",
	WORD_TITLE},
	{"jr sr ii iii iv phd md esq dds cpa mba qc obe мл младший ст старший ктн кэн кфн кюн "
		"кмн дтн дэн дмн дюн дфн дфмн кфмн кпн дпн кхн дхн кбн дбн",
	WORD_SUFFIX},
	{"де да ди дю дель делла дос ду ла ле фон ван дер ден тер тен аль эль ибн бин бен цу "
		"de da di du del della dello dos das la le von van der den ter ten al el ibn bin ben zu zum zur af av",
	WORD_PARTICLE},
};

/* A hash table of the lists, made when first needed; longest word below. */
#define LISTED_SLOTS 1024
#define LISTED_MAX 32

typedef struct Listed
{
	uint64_t	hash;
	unsigned char kind;
} Listed;

static Listed listed[LISTED_SLOTS];
static bool listed_made;

static uint64_t
hash_word(const char *s, size_t length)
{
	uint64_t	hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char) s[i]) * UINT64_C(0x100000001b3);
	return hash != 0 ? hash : 1;
}

static Listed *
find_listed(uint64_t hash)
{
	size_t		i = (hash ^ hash >> 32) % LISTED_SLOTS;

	while (listed[i].hash != 0 && listed[i].hash != hash)
		i = (i + 1) % LISTED_SLOTS;
	return &listed[i];
}

static void
make_listed(void)
{
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
	{
		const char *s = lists[i].words;

		while (*s != '\0')
		{
			size_t		n = strcspn(s, " ");
			uint64_t	hash = hash_word(s, n);
			Listed	   *slot = find_listed(hash);

			slot->hash = hash;
			slot->kind |= lists[i].kind;
			s += n + (s[n] == ' ');
		}
	}
	listed_made = true;
}

/*
 * What the lists say of a word, whatever its case and dots.  Suffixes are
 * also found without their hyphens.
 */
static unsigned
word_kind(const Word *word)
{
	char		plain[LISTED_MAX + 8];
	size_t		used = 0;
	size_t		hyphens = 0;
	size_t		i = 0;
	unsigned	kind;

	if (word->length > 2 * LISTED_MAX)
		return 0;
	while (i < word->length)
	{
		uint32_t	c;
		int			n = crm_utf8_decode(word->s + i, word->length - i, &c);

		if (n == 0 || used >= LISTED_MAX)
			return 0;
		if (c != '.')
			used += crm_utf8_encode(crm_name_lower(c), plain + used);
		hyphens += c == '-';
		i += n;
	}
	if (!listed_made)
		make_listed();
	kind = find_listed(hash_word(plain, used))->kind;
	if (kind == 0 && hyphens > 0)
	{
		size_t		kept = 0;

		for (i = 0; i < used; i++)
			if (plain[i] != '-')
				plain[kept++] = plain[i];
		kind = find_listed(hash_word(plain, kept))->kind & WORD_SUFFIX;
	}
	return kind;
}

/* ---- what a word looks like ---- */

static void
look_at(Word *word)
{
	int			letters = 0;
	int			upper = 0;
	int			lower = 0;
	size_t		i = 0;

	while (i < word->length)
	{
		uint32_t	c;
		int			n = crm_utf8_decode(word->s + i, word->length - i, &c);

		if (n == 0)
			break;
		if (crm_name_is_letter(c))
		{
			letters++;
			upper += crm_name_is_upper(c);
			lower += crm_name_is_lower(c);
		}
		i += n;
	}
	word->capitals = upper >= 2 && lower == 0 && letters == upper;
	word->initial = (letters == 1 && upper == 1) ||
		(letters > 1 && letters <= 3 && upper >= 1 &&
		 word->s[word->length - 1] == '.');
	word->patronymic = !word->initial &&
		(word->patronymic || crm_name_is_patronymic(word->s, word->length));
	word->known = false;
	word->surname = 0;
	if (!word->initial)
	{
		crm_name_given_gender(word->s, word->length, &word->known);
		word->surname = word->known ? 0 :
			crm_name_is_surname(word->s, word->length);
	}
}

static bool
starts_small(const Word *word)
{
	uint32_t	c;

	return crm_utf8_decode(word->s, word->length, &c) > 0 && crm_name_is_lower(c);
}

static bool
has_letter(const char *s, size_t length)
{
	size_t		i = 0;

	while (i < length)
	{
		uint32_t	c;
		int			n = crm_utf8_decode(s + i, length - i, &c);

		if (n == 0)
			return false;
		if (crm_name_is_letter(c))
			return true;
		i += n;
	}
	return false;
}

/* ---- splitting ---- */

/* Adds a word; false when there are too many. */
static bool
add_word(Words *words, const char *s, size_t length, int segment)
{
	Word	   *word;

	/* Signs around a word are none of it. */
	while (length > 0 && strchr(";:!?*/\\|=+_#<>[]{}", s[0]) != NULL)
	{
		s++;
		length--;
	}
	while (length > 0 && strchr(";:!?*/\\|=+_#<>[]{}", s[length - 1]) != NULL)
		length--;
	if (length == 0 || !has_letter(s, length))
		return true;
	if (words->count == MAX_WORDS)
		return false;
	word = &words->word[words->count++];
	memset(word, 0, sizeof(*word));
	word->s = s;
	word->length = length;
	word->segment = segment;
	return true;
}

/* Whether the word is a letter, a dot, a letter, and perhaps another dot. */
static bool
is_two_initials(const char *s, size_t length)
{
	int			letters = 0;
	int			dots = 0;
	size_t		i = 0;

	while (i < length)
	{
		uint32_t	c;
		int			n = crm_utf8_decode(s + i, length - i, &c);

		if (n == 0)
			return false;
		if (c == '.')
			dots++;
		else if (dots != letters++)
			return false;
		i += n;
	}
	return letters == 2 && dots >= 1;
}

/* "I.I.Ivanov" and "I.I." are several words; "k.t.n." is one. */
static bool
add_dotted(Words *words, const char *s, size_t length, int segment)
{
	Word		whole = {s, length};
	const char *dot;

	/* Two letters are initials, whatever list has them: "I.P.", "M.D." */
	if (!is_two_initials(s, length) && (word_kind(&whole) & WORD_SUFFIX))
		return add_word(words, s, length, segment);
	while ((dot = memchr(s, '.', length)) != NULL &&
		   (size_t) (dot - s) + 1 < length && dot > s)
	{
		size_t		n = dot - s + 1;

		if (s[n] == '-')		/* J.-P. */
		{
			const char *second = memchr(s + n, '.', length - n);

			if (second == NULL)
				break;
			n = second - s + 1;
		}
		if (!add_word(words, s, n, segment))
			return false;
		s += n;
		length -= n;
	}
	return length == 0 || add_word(words, s, length, segment);
}

/* The closing mark that belongs to an opening one, or 0. */
static uint32_t
closing_mark(uint32_t c)
{
	switch (c)
	{
		case '(':
			return ')';
		case '"':
			return '"';
		case 0xAB:
			return 0xBB;
		case 0x201C:
			return 0x201D;
		case 0x201E:
			return 0x201C;
		default:
			return 0;
	}
}

static size_t
find_mark(const char *s, size_t length, size_t i, uint32_t mark)
{
	while (i < length)
	{
		uint32_t	c;
		int			n = crm_utf8_decode(s + i, length - i, &c);

		if (n == 0)
			return length;
		if (c == mark)
			return i;
		i += n;
	}
	return length;
}

static void
append(CrmName *name, CrmNamePart part, const char *s, size_t length)
{
	size_t	   *used = &name->length[part];

	if (length == 0 || *used + length + 1 > CRM_NAME_PART_SIZE)
		return;
	if (*used > 0)
		name->part[part][(*used)++] = ' ';
	memcpy(name->part[part] + *used, s, length);
	*used += length;
}

static void
append_words(CrmName *name, CrmNamePart part, const Words *words, int from, int to)
{
	for (int i = from; i < to; i++)
		append(name, part, words->word[i].s, words->word[i].length);
}

static bool
split(const char *s, size_t length, Words *words, CrmName *name, int *segments)
{
	size_t		start = 0;
	size_t		i = 0;
	int			segment = 0;

	words->count = 0;
	while (i <= length)
	{
		uint32_t	c = ' ';
		int			n = 1;
		uint32_t	close;

		if (i < length && (n = crm_utf8_decode(s + i, length - i, &c)) == 0)
		{
			n = 1;
			c = ' ';
		}
		close = closing_mark(c);
		if (close != 0)
		{
			size_t		end = find_mark(s, length, i + n, close);

			if (end == length)
				close = 0;
			else
				append(name, CRM_NAME_NICKNAME, s + i + n, end - i - n);
		}
		if (c == ' ' || c == ',' || close != 0)
		{
			if (i > start && !add_dotted(words, s + start, i - start, segment))
				return false;
			if (c == ',' && words->count > 0)
				segment++;
			if (close != 0)
			{
				size_t		end = find_mark(s, length, i + n, close);

				i = end;
				n = close < 0x80 ? 1 : close < 0x800 ? 2 : 3;
			}
			start = i + n;
		}
		i += n;
	}
	*segments = words->count > 0 ? words->word[words->count - 1].segment + 1 : 0;
	return true;
}

static void
remove_words(Words *words, int from, int count)
{
	memmove(&words->word[from], &words->word[from + count],
			(words->count - from - count) * sizeof(Word));
	words->count -= count;
}

/* Makes one word of the words from .. from + 1, which stand side by side. */
static bool
glue(Words *words, int from)
{
	Word	   *a = &words->word[from];
	Word	   *b = &words->word[from + 1];

	if (a->segment != b->segment || b->s < a->s)
		return false;
	a->length = b->s + b->length - a->s;
	a->patronymic = b->patronymic;
	remove_words(words, from + 1, 1);
	return true;
}

/* ---- deciding ---- */

typedef struct Decision
{
	CrmNameOrder order;
	float		confidence;
} Decision;

/* given words [g0, g1), middle [m0, m1), family [f0, f1) */
static void
assign(CrmName *name, const Words *words, int g0, int g1, int m0, int m1,
	   int f0, int f1)
{
	append_words(name, CRM_NAME_GIVEN, words, g0, g1);
	append_words(name, CRM_NAME_MIDDLE, words, m0, m1);
	append_words(name, CRM_NAME_FAMILY, words, f0, f1);
}

/* Given name first: given, middles, family. */
static void
assign_given_first(CrmName *name, const Words *words, int from, int to)
{
	int			n = to - from;

	if (n == 1)
		assign(name, words, from, to, 0, 0, 0, 0);
	else if (words->word[to - 1].patronymic && !words->word[to - 2].patronymic && n == 2)
		assign(name, words, from, from + 1, from + 1, to, 0, 0);
	else
		assign(name, words, from, from + 1, from + 1, to - 1, to - 1, to);
}

/* Family name first: family, given, middles. */
static void
assign_family_first(CrmName *name, const Words *words, int from, int to)
{
	int			n = to - from;

	if (n == 1)
		assign(name, words, 0, 0, 0, 0, from, to);
	else
		assign(name, words, from + 1, from + 2, from + 2, to, from, from + 1);
}

/* The name whose patronymic is the word at p. */
static void
decide_by_patronymic(CrmName *name, const Words *words, int p, CrmNameOrder order)
{
	int			n = words->count;
	const Word *w = words->word;

	if (p == n - 1 && n >= 3)
	{
		/* Family Given Patronymic */
		name->order = CRM_NAME_FAMILY_FIRST;
		assign(name, words, n - 2, n - 1, p, n, 0, n - 2);
		if (order == CRM_NAME_GIVEN_FIRST)
			name->notes |= 1 << CRM_NOTE_ORDER_CONTRADICTED;
	}
	else if (p > 0 && p < n - 1)
	{
		/* Given Patronymic Family */
		name->order = CRM_NAME_GIVEN_FIRST;
		assign(name, words, 0, p, p, p + 1, p + 1, n);
		if (order == CRM_NAME_FAMILY_FIRST)
			name->notes |= 1 << CRM_NOTE_ORDER_CONTRADICTED;
	}
	else
	{
		/* Two words: Given Patronymic, or a surname before a patronymic. */
		if (!w[0].known && w[0].surname)
		{
			name->order = CRM_NAME_FAMILY_FIRST;
			name->confidence = SURE_UNCERTAIN;
			assign(name, words, 0, 0, 1, 2, 0, 1);
			return;
		}
		name->order = CRM_NAME_GIVEN_FIRST;
		assign(name, words, 0, 1, 1, 2, 0, 0);
		name->confidence = w[0].known ? SURE_KNOWN_NAME : SURE_UNCERTAIN;
		name->notes |= 1 << CRM_NOTE_SURNAME_OR_PATRONYMIC;
		return;
	}
	name->confidence = name->notes & 1 << CRM_NOTE_ORDER_CONTRADICTED ?
		SURE_UNCERTAIN : SURE_PATRONYMIC;
}

/* The patronymic among the words, or -1. */
static int
find_patronymic(const Words *words)
{
	int			found = -1;
	int			count = 0;

	for (int i = 1; i < words->count; i++)
		if (words->word[i].patronymic)
		{
			count++;
			/* Of two, the one that follows the given name is it. */
			if (found < 0 || (words->word[i - 1].known && !words->word[found - 1].known))
				found = i;
		}
	return count > 0 ? found : -1;
}

static void
decide_one_word(CrmName *name, const Words *words, CrmNameOrder order)
{
	const Word *w = words->word;

	/* After a title stands a surname: Mr Smith. */
	if (name->length[CRM_NAME_TITLE] > 0 && !w->known)
	{
		assign(name, words, 0, 0, 0, 0, 0, 1);
		name->confidence = SURE_KNOWN_NAME;
		return;
	}
	name->notes |= 1 << CRM_NOTE_ONE_WORD;
	if (order == CRM_NAME_FAMILY_FIRST && !w->known)
	{
		assign(name, words, 0, 0, 0, 0, 0, 1);
		name->confidence = SURE_UNCERTAIN;
	}
	else if (w->known)
	{
		assign(name, words, 0, 1, 0, 0, 0, 0);
		name->confidence = SURE_KNOWN_NAME;
		name->notes &= ~(1 << CRM_NOTE_ONE_WORD);
	}
	else if (w->patronymic)
	{
		assign(name, words, 0, 0, 0, 1, 0, 0);
		name->confidence = SURE_UNCERTAIN;
		name->notes |= 1 << CRM_NOTE_SURNAME_OR_PATRONYMIC;
	}
	else if (w->surname)
	{
		assign(name, words, 0, 0, 0, 0, 0, 1);
		name->confidence = SURE_SURNAME_ENDING;
	}
	else
	{
		assign(name, words, 0, 1, 0, 0, 0, 0);
		name->confidence = SURE_ASSUMED;
	}
}

static Decision
decided(CrmNameOrder order, float confidence)
{
	Decision	decision = {order, confidence};

	return decision;
}

/* How much the word at one end speaks for being the family name. */
static Decision
weigh_order(const Words *words, CrmNameLocale locale)
{
	const Word *first = &words->word[0];
	const Word *last = &words->word[words->count - 1];
	const Word *second = &words->word[1];

	/* Initials on one side, a word on the other. */
	if (first->initial && !last->initial)
		return decided(CRM_NAME_GIVEN_FIRST, SURE_INITIALS);
	if (last->initial && !first->initial && second->initial)
	{
		/* "Ivanov I. I."; but "John F." is a given name with an initial. */
		if (words->count == 2 && first->known && !first->surname)
			return decided(CRM_NAME_GIVEN_FIRST, SURE_UNCERTAIN);
		return decided(CRM_NAME_FAMILY_FIRST, SURE_INITIALS);
	}

	/* IVANOV Ivan, Ivan IVANOV */
	if (first->capitals && !second->capitals && !last->capitals)
		return decided(CRM_NAME_FAMILY_FIRST, SURE_CAPITALS);
	if (last->capitals && !first->capitals)
		return decided(CRM_NAME_GIVEN_FIRST, SURE_CAPITALS);

	/* A known given name on one side only. */
	if (first->known && !last->known && !(second->known && first->surname))
		return decided(CRM_NAME_GIVEN_FIRST, SURE_KNOWN_NAME);
	if (!first->known && second->known)
		return decided(CRM_NAME_FAMILY_FIRST, SURE_KNOWN_NAME);
	if (!first->known && last->known && words->count == 2)
		return decided(CRM_NAME_FAMILY_FIRST, SURE_KNOWN_NAME);

	/* The ending of a surname on one side only, or plainer on one. */
	if (last->surname > first->surname)
		return decided(CRM_NAME_GIVEN_FIRST, SURE_SURNAME_ENDING);
	if (first->surname > last->surname)
		return decided(CRM_NAME_FAMILY_FIRST, SURE_SURNAME_ENDING);

	if (locale == CRM_NAME_LOCALE_EASTERN)
		return decided(CRM_NAME_FAMILY_FIRST, SURE_USUAL_ORDER);
	if (locale == CRM_NAME_LOCALE_WESTERN)
		return decided(CRM_NAME_GIVEN_FIRST, SURE_USUAL_ORDER);
	return decided(CRM_NAME_GIVEN_FIRST, SURE_ASSUMED);
}

static void
decide(CrmName *name, const Words *words, CrmNameOrder order, CrmNameLocale locale)
{
	int			n = words->count;
	int			p;

	if (n == 1)
	{
		decide_one_word(name, words, order);
		return;
	}

	p = find_patronymic(words);
	if (p > 0 && n == 2 && words->word[0].patronymic)
		p = -1;					/* two such words: no anchor */
	if (p > 0 && words->word[p - 1].initial && p == n - 1 && n == 2)
		p = -1;					/* "A. Rabinovich" */
	if (p > 0 && !(order == CRM_NAME_GIVEN_FIRST && n == 2 && !words->word[0].known))
	{
		if (n == 2 && order != CRM_NAME_ORDER_AUTO)
		{
			/*
			 * Declared: "Roman Abramovich" is a surname last if the source
			 * has no patronymics; nobody can tell from the text.
			 */
			name->order = order;
			name->confidence = SURE_UNCERTAIN;
			name->notes |= 1 << CRM_NOTE_SURNAME_OR_PATRONYMIC;
			if (order == CRM_NAME_GIVEN_FIRST)
				assign(name, words, 0, 1, 1, 2, 0, 0);
			else
				assign(name, words, 0, 0, 1, 2, 0, 1);
			return;
		}
		/* A patronymic-shaped word last, in a western name, is a surname. */
		if (n == 2 && locale == CRM_NAME_LOCALE_WESTERN)
		{
			name->order = CRM_NAME_GIVEN_FIRST;
			name->confidence = SURE_UNCERTAIN;
			name->notes |= 1 << CRM_NOTE_SURNAME_OR_PATRONYMIC;
			assign_given_first(name, words, 0, n);
			if (name->length[CRM_NAME_FAMILY] == 0)
			{
				name->length[CRM_NAME_MIDDLE] = 0;
				append_words(name, CRM_NAME_FAMILY, words, 1, 2);
			}
			return;
		}
		decide_by_patronymic(name, words, p, order);
		return;
	}

	if (order != CRM_NAME_ORDER_AUTO)
	{
		Decision	evidence = weigh_order(words, CRM_NAME_LOCALE_AUTO);

		name->order = order;
		name->confidence = SURE_DECLARED;
		if (evidence.order != order && evidence.confidence >= SURE_KNOWN_NAME)
		{
			name->notes |= 1 << CRM_NOTE_ORDER_CONTRADICTED;
			name->confidence = SURE_UNCERTAIN;
		}
	}
	else
	{
		Decision	evidence = weigh_order(words, locale);

		name->order = evidence.order;
		name->confidence = evidence.confidence;
		if (evidence.confidence <= SURE_ASSUMED)
			name->notes |= 1 << CRM_NOTE_ORDER_ASSUMED;
	}
	if (name->order == CRM_NAME_FAMILY_FIRST)
	{
		assign_family_first(name, words, 0, n);
		if (words->word[0].patronymic)
			name->notes |= 1 << CRM_NOTE_SURNAME_OR_PATRONYMIC;
	}
	else
	{
		assign_given_first(name, words, 0, n);
		/* One word of a declared order cannot be a patronymic alone. */
		if (name->length[CRM_NAME_FAMILY] == 0 && n == 2)
		{
			name->length[CRM_NAME_MIDDLE] = 0;
			append_words(name, CRM_NAME_FAMILY, words, 1, 2);
		}
	}
	if (n > 3 && name->confidence > SURE_UNCERTAIN && order == CRM_NAME_ORDER_AUTO)
		name->confidence = SURE_UNCERTAIN;
}

/* "Ivanov, Ivan Petrovich": the comma says all. */
static void
decide_by_comma(CrmName *name, const Words *words)
{
	int			second = 0;
	int			n = words->count;

	while (second < n && words->word[second].segment == 0)
		second++;
	name->order = CRM_NAME_FAMILY_FIRST;
	name->confidence = SURE_COMMA;
	if (second + 1 <= n)
		assign(name, words, second, second + 1, second + 1, n, 0, second);
}

void
crm_name_parse(const char *text, size_t length, CrmNameOrder order,
			   CrmNameLocale locale, CrmName *name)
{
	char		clean[CRM_NAME_MAX_INPUT];
	char		folded[BUFFER_SIZE];
	Words		words;
	int			mixed;
	int			segments;
	size_t		first;
	char		title_gender = 0;
	bool		conflict;
	bool		cyrillic = false;
	bool		small = false;
	int			capitals = 0;

	memset(name->length, 0, sizeof(name->length));
	name->gender = 0;
	name->confidence = 0;
	name->order = CRM_NAME_ORDER_AUTO;
	name->notes = 0;
	name->folded = 0;
	if (length > CRM_NAME_MAX_INPUT)
	{
		name->notes = 1 << CRM_NOTE_NOT_A_NAME;
		return;
	}
	length = crm_name_clean(text, length, clean, NULL);
	length = crm_name_fold_lookalikes(clean, length, folded, &name->folded,
									  &mixed, &first);
	if (name->folded > 0)
		name->notes |= 1 << CRM_NOTE_LOOKALIKE;
	if (mixed > 0)
		name->notes |= 1 << CRM_NOTE_MIXED_SCRIPT;
	for (size_t i = 0; i < length;)
	{
		uint32_t	c;
		int			n = crm_utf8_decode(folded + i, length - i, &c);

		if (n == 0)
			break;
		if (c >= '0' && c <= '9')
			name->notes |= 1 << CRM_NOTE_DIGITS;
		cyrillic |= crm_name_script(c) == CRM_SCRIPT_CYRILLIC;
		capitals += crm_name_is_upper(c);
		small |= crm_name_is_lower(c);
		i += n;
	}
	if (capitals > 2 && !small)
		name->notes |= 1 << CRM_NOTE_ALL_CAPITALS;
	if (locale == CRM_NAME_LOCALE_AUTO)
		locale = cyrillic ? CRM_NAME_LOCALE_RUSSIAN : CRM_NAME_LOCALE_WESTERN;

	if (!split(folded, length, &words, name, &segments))
	{
		memset(name->length, 0, sizeof(name->length));
		name->notes |= 1 << CRM_NOTE_NOT_A_NAME;
		return;
	}

	/* Titles at the front of a segment, suffixes at the end. */
	for (int i = 0; i < words.count;)
	{
		bool		front = i == 0 || words.word[i].segment != words.word[i - 1].segment;

		unsigned	kind = front ? word_kind(&words.word[i]) : 0;

		if (kind & WORD_TITLE &&
			(words.count > 1 || name->length[CRM_NAME_TITLE] > 0))
		{
			if (kind & WORD_MALE)
				title_gender = 'm';
			else if (kind & WORD_FEMALE)
				title_gender = 'f';
			append_words(name, CRM_NAME_TITLE, &words, i, i + 1);
			remove_words(&words, i, 1);
		}
		else
			i++;
	}
	{
		int			from = words.count;

		while (from > 1 && word_kind(&words.word[from - 1]) & WORD_SUFFIX)
			from--;
		append_words(name, CRM_NAME_SUFFIX, &words, from, words.count);
		words.count = from;
	}

	/* oglu and kyzy belong to the word before, particles to the one after. */
	for (int i = 1; i < words.count; i++)
		if (crm_name_is_patronymic_word(words.word[i].s, words.word[i].length))
		{
			words.word[i].patronymic = true;
			if (glue(&words, i - 1))
				i--;
		}
	for (int i = words.count - 2; i >= 0; i--)
		if (word_kind(&words.word[i]) & WORD_PARTICLE &&
			(i > 0 || starts_small(&words.word[i])) &&
			!words.word[i + 1].patronymic)
			glue(&words, i);

	if (words.count == 0)
	{
		name->notes |= 1 << CRM_NOTE_NOT_A_NAME;
		return;
	}
	for (int i = 0; i < words.count; i++)
	{
		look_at(&words.word[i]);
		if (name->notes & 1 << CRM_NOTE_ALL_CAPITALS)
			words.word[i].capitals = false;
	}

	if (segments > 1 && words.word[words.count - 1].segment > 0 &&
		words.word[0].segment == 0)
		decide_by_comma(name, &words);
	else
		decide(name, &words, order, locale);

	name->gender = crm_name_gender(name->part[CRM_NAME_GIVEN], name->length[CRM_NAME_GIVEN],
								   name->part[CRM_NAME_MIDDLE], name->length[CRM_NAME_MIDDLE],
								   name->part[CRM_NAME_FAMILY], name->length[CRM_NAME_FAMILY],
								   title_gender, &conflict);
	if (conflict)
		name->notes |= 1 << CRM_NOTE_GENDER_CONFLICT;
}
