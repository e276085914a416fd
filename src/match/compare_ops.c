/*
 * compare_ops.c
 *		SQL functions that compare strings.
 *
 * The measures of letters only ask whether two characters are equal, so any
 * number that stands for one character alone will do: in UTF8 its code point,
 * in other encodings its bytes.  Nothing is converted, and bytes that are no
 * character stand for themselves.
 *
 * Words are another matter, for these need to know letters from signs, and
 * capitals from small ones: they are read as Unicode.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "crm.h"
#include "match/compare.h"
#include "text/name_char.h"

PG_FUNCTION_INFO_V1(crm_compare_jaro);
PG_FUNCTION_INFO_V1(crm_compare_jaro_winkler);
PG_FUNCTION_INFO_V1(crm_compare_levenshtein);
PG_FUNCTION_INFO_V1(crm_compare_levenshtein_max);
PG_FUNCTION_INFO_V1(crm_compare_osa);
PG_FUNCTION_INFO_V1(crm_compare_osa_max);
PG_FUNCTION_INFO_V1(crm_compare_token_set);
PG_FUNCTION_INFO_V1(crm_compare_token_containment);

/* Stands for a byte that is no character; beyond all code points. */
#define BROKEN_BYTE(byte) (0x80000000U | (uint32_t) (unsigned char) (byte))

static void
report_too_long(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("text is too long to be compared"),
			 errdetail("At most %d characters can be compared.", CRM_COMPARE_MAX)));
}

/* ---- letters ----------------------------------------------------------- */

/* Which letters a short string has besides those of ASCII. */
#define HAS_WESTERN 1			/* U+0080 to U+00FF, as they are */
#define HAS_CYRILLIC 2			/* U+0400 to U+047F, as 0x80 to 0xFF */

/*
 * Writes the text as a string of at most CRM_SHORT_MAX bytes, one a letter;
 * false when it is not so short, or has other letters.
 */
static bool
read_short(const text *value, uint8_t *s, int *length, int *has)
{
	const unsigned char *bytes = (const unsigned char *) VARDATA_ANY(value);
	int			size = VARSIZE_ANY_EXHDR(value);
	int			n = 0;

	if (size > 2 * CRM_SHORT_MAX || GetDatabaseEncoding() != PG_UTF8)
		return false;
	memset(s, 0, CRM_SHORT_MAX);
	for (int i = 0; i < size; i++)
	{
		unsigned char c = bytes[i];

		if (n == CRM_SHORT_MAX)
			return false;
		if (c < 0x80)
			s[n++] = c;
		else if ((c == 0xC2 || c == 0xC3 || c == 0xD0 || c == 0xD1) &&
				 i + 1 < size && (bytes[i + 1] & 0xC0) == 0x80)
		{
			*has |= c < 0xD0 ? HAS_WESTERN : HAS_CYRILLIC;
			s[n++] = 0x80 | (c & 1) << 6 | (bytes[++i] & 0x3F);
		}
		else
			return false;
	}
	*length = n;
	return true;
}

/* The characters of the text; room for them is in here, or else palloc'd. */
typedef struct Characters
{
	int			length;
	uint32_t   *code;
	uint32_t	room[CRM_COMPARE_WORD];
} Characters;

static void
read_characters(const text *value, Characters *characters)
{
	const char *s = VARDATA_ANY(value);
	int			left = VARSIZE_ANY_EXHDR(value);
	int			encoding = GetDatabaseEncoding();
	bool		one_byte = pg_encoding_max_length(encoding) == 1;
	int			n = 0;

	/* No character of any encoding of a server has more than four bytes. */
	if (left > 4 * CRM_COMPARE_MAX)
		report_too_long();
	characters->code = left <= CRM_COMPARE_WORD ? characters->room :
		palloc(left * sizeof(uint32_t));
	while (left > 0)
	{
		uint32_t	code;
		int			bytes = 1;

		if (one_byte)
			code = (unsigned char) *s;
		else if (encoding == PG_UTF8)
		{
			bytes = crm_utf8_decode(s, left, &code);
			if (bytes == 0)
			{
				bytes = 1;
				code = BROKEN_BYTE(*s);
			}
		}
		else
		{
			bytes = Min(pg_encoding_mblen(encoding, s), left);
			code = 0;
			for (int i = 0; i < bytes; i++)
				code = code << 8 | (unsigned char) s[i];
		}
		characters->code[n++] = code;
		s += bytes;
		left -= bytes;
	}
	if (n > CRM_COMPARE_MAX)
		report_too_long();
	characters->length = n;
}

static void
check_for_interrupts(void)
{
	CHECK_FOR_INTERRUPTS();
}

static CrmCompareWork
begin_work(const Characters *a, const Characters *b)
{
	CrmCompareWork work = {NULL, check_for_interrupts};
	size_t		size = crm_compare_memory(a->length, b->length);

	if (size > 0)
		work.memory = palloc(size);
	return work;
}

static void
end_work(Characters *a, Characters *b, CrmCompareWork *work)
{
	if (a->code != a->room)
		pfree(a->code);
	if (b->code != b->room)
		pfree(b->code);
	if (work->memory != NULL)
		pfree(work->memory);
}

static double
jaro(FunctionCallInfo fcinfo, bool winkler)
{
	text	   *a = PG_GETARG_TEXT_PP(0);
	text	   *b = PG_GETARG_TEXT_PP(1);
	uint8_t		a_short[CRM_SHORT_MAX];
	uint8_t		b_short[CRM_SHORT_MAX];
	int			a_length;
	int			b_length;
	int			has = 0;
	double		result;

	if (read_short(a, a_short, &a_length, &has) &&
		read_short(b, b_short, &b_length, &has) &&
		has != (HAS_WESTERN | HAS_CYRILLIC))
		result = winkler ? crm_short_jaro_winkler(a_short, a_length, b_short, b_length) :
			crm_short_jaro(a_short, a_length, b_short, b_length);
	else
	{
		Characters	x;
		Characters	y;
		CrmCompareWork work;

		read_characters(a, &x);
		read_characters(b, &y);
		work = begin_work(&x, &y);
		result = winkler ? crm_jaro_winkler(x.code, x.length, y.code, y.length, &work) :
			crm_jaro(x.code, x.length, y.code, y.length, &work);
		end_work(&x, &y, &work);
	}
	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return result;
}

/* max < 0: no bound. */
static int
edit(FunctionCallInfo fcinfo, bool swaps, int max)
{
	text	   *a = PG_GETARG_TEXT_PP(0);
	text	   *b = PG_GETARG_TEXT_PP(1);
	uint8_t		a_short[CRM_SHORT_MAX];
	uint8_t		b_short[CRM_SHORT_MAX];
	int			a_length;
	int			b_length;
	int			has = 0;
	int			result;

	/* Nothing is farther away than this, and it leaves room to add one. */
	if (max > CRM_COMPARE_MAX)
		max = CRM_COMPARE_MAX;
	if (read_short(a, a_short, &a_length, &has) &&
		read_short(b, b_short, &b_length, &has) &&
		has != (HAS_WESTERN | HAS_CYRILLIC))
	{
		int			bound = max < 0 ? CRM_SHORT_MAX : max;

		result = swaps ? crm_short_osa_within(a_short, a_length, b_short, b_length, bound) :
			crm_short_levenshtein_within(a_short, a_length, b_short, b_length, bound);
	}
	else
	{
		Characters	x;
		Characters	y;
		CrmCompareWork work;

		read_characters(a, &x);
		read_characters(b, &y);
		work = begin_work(&x, &y);
		result = swaps ? crm_osa(x.code, x.length, y.code, y.length, max, &work) :
			crm_levenshtein(x.code, x.length, y.code, y.length, max, &work);
		end_work(&x, &y, &work);
	}
	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return result;
}

static int
get_max(FunctionCallInfo fcinfo)
{
	int			max = PG_GETARG_INT32(2);

	if (max < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max must not be negative"),
				 errdetail("It is %d.", max)));
	return max;
}

/* crm.jaro(text, text) */
Datum
crm_compare_jaro(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(jaro(fcinfo, false));
}

/* crm.jaro_winkler(text, text) */
Datum
crm_compare_jaro_winkler(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(jaro(fcinfo, true));
}

/* crm.levenshtein(text, text) */
Datum
crm_compare_levenshtein(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(edit(fcinfo, false, -1));
}

/* crm.levenshtein(text, text, max integer) */
Datum
crm_compare_levenshtein_max(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(edit(fcinfo, false, get_max(fcinfo)));
}

/* crm.osa_distance(text, text) */
Datum
crm_compare_osa(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(edit(fcinfo, true, -1));
}

/* crm.osa_distance(text, text, max integer) */
Datum
crm_compare_osa_max(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(edit(fcinfo, true, get_max(fcinfo)));
}

/* ---- words ------------------------------------------------------------- */

/*
 * A word is a run of letters, digits and combining marks, in small letters;
 * apostrophes and what is invisible are left out (O'Brien is obrien), all
 * other signs part words.
 */
typedef struct Word
{
	const char *s;				/* points into text of ours */
	int			length;
} Word;

typedef struct Words
{
	Word	   *word;			/* sorted, all different */
	int			count;
	char	   *folded;
} Words;

static int
compare_words(const void *a, const void *b)
{
	const Word *x = a;
	const Word *y = b;
	int			order = memcmp(x->s, y->s, Min(x->length, y->length));

	return order != 0 ? order : x->length - y->length;
}

static void
read_words(const text *value, Words *words)
{
	const char *given = VARDATA_ANY(value);
	int			left = VARSIZE_ANY_EXHDR(value);
	const char *s = given;
	char	   *converted = NULL;
	char	   *end;
	char	   *begin;
	int			characters = 0;
	int			n = 0;

	/* What is not in the database as UTF-8 is made so where it can be. */
	if (left > 4 * CRM_COMPARE_MAX)
		report_too_long();
	if (GetDatabaseEncoding() != PG_SQL_ASCII && GetDatabaseEncoding() != PG_UTF8 &&
		!crm_is_ascii(given, left))
	{
		s = converted = pg_server_to_any(given, left, PG_UTF8);
		left = strlen(converted);
	}

	/* A small letter may take a byte more than its capital. */
	words->folded = begin = end = palloc(2 * left + 1);
	words->word = palloc((left / 2 + 1) * sizeof(Word));
	while (left > 0)
	{
		uint32_t	code;
		int			bytes = crm_utf8_decode(s, left, &code);

		if (++characters > CRM_COMPARE_MAX)
			report_too_long();
		if (bytes == 0)
		{
			/* A letter of an encoding that nobody has named. */
			*end++ = *s;
			bytes = 1;
		}
		else if (crm_name_is_letter(code) || (code >= '0' && code <= '9'))
			end += crm_utf8_encode(crm_name_lower(code), end);
		else if (crm_name_is_mark(code) && end > begin)
			end += crm_utf8_encode(code, end);
		else if (!crm_name_is_apostrophe(code) && !crm_is_invisible(code) && end > begin)
		{
			words->word[n].s = begin;
			words->word[n++].length = end - begin;
			begin = end;
		}
		s += bytes;
		left -= bytes;
	}
	if (end > begin)
	{
		words->word[n].s = begin;
		words->word[n++].length = end - begin;
	}

	if (converted != NULL)
		pfree(converted);

	words->count = Min(n, 1);
	if (n > 1)
	{
		pg_qsort(words->word, n, sizeof(Word), compare_words);
		for (int i = 1; i < n; i++)
			if (compare_words(&words->word[i], &words->word[words->count - 1]) != 0)
				words->word[words->count++] = words->word[i];
	}
}

/* How many words both have. */
static int
common_words(const Words *a, const Words *b)
{
	int			common = 0;

	for (int i = 0, j = 0; i < a->count && j < b->count;)
	{
		int			order = compare_words(&a->word[i], &b->word[j]);

		common += order == 0;
		i += order <= 0;
		j += order >= 0;
	}
	return common;
}

static Datum
words_ratio(FunctionCallInfo fcinfo, bool containment)
{
	text	   *a = PG_GETARG_TEXT_PP(0);
	text	   *b = PG_GETARG_TEXT_PP(1);
	Words		x;
	Words		y;
	int			common;
	int			all;

	read_words(a, &x);
	read_words(b, &y);
	common = common_words(&x, &y);
	all = containment ? Min(x.count, y.count) : x.count + y.count - common;
	pfree(x.folded);
	pfree(x.word);
	pfree(y.folded);
	pfree(y.word);
	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	if (all == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8((double) common / all);
}

/* crm.token_set_similarity(text, text) */
Datum
crm_compare_token_set(PG_FUNCTION_ARGS)
{
	return words_ratio(fcinfo, false);
}

/* crm.token_containment(text, text) */
Datum
crm_compare_token_containment(PG_FUNCTION_ARGS)
{
	return words_ratio(fcinfo, true);
}
