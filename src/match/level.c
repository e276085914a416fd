/*
 * level.c
 *		From two features to levels of agreement, a pattern and a weight.
 *
 * Level 0 says that one of the values is missing: it has no weight.  The other
 * levels go from the best, 1, to plain disagreement.  What is cheap to see is
 * looked at first; strings are compared once, and only when they differ.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "match/compare.h"
#include "match/match.h"

/* Levels of a person: given and family name in one comparison, as a wife or a
 * twin agrees in one of them for a reason. */
enum
{
	PERSON_BOTH = 1,			/* both equal */
	PERSON_SWAPPED,				/* given name as family name and the reverse */
	PERSON_GIVEN_SHORT,			/* family equal; initial, nickname, part of the given */
	PERSON_GIVEN_ALIKE,			/* family equal, given alike */
	PERSON_FAMILY_ALIKE,		/* given equal, family alike */
	PERSON_BOTH_ALIKE,			/* both alike, short or swapped and alike */
	PERSON_ONE_MISSING,			/* what both have is equal */
	PERSON_FAMILY_ONLY,			/* family equal, given another one */
	PERSON_GIVEN_ONLY,			/* given equal, family another one */
	PERSON_ONE_ALIKE,			/* one alike, the other another one */
	PERSON_OTHER,
	PERSON_LEVELS = PERSON_OTHER
};

static const char *const person_name[] = {
	"null", "both names equal", "names swapped", "family name equal, short given name",
	"family name equal, given name alike", "given name equal, family name alike",
	"both names alike", "equal as far as known", "only family name equal", "only given name equal",
	"one name alike", "different"
};

static const char *const part_name[] = {
	"null", "equal", "initial or part", "alike", "different"
};

static const char *const date_name[] = {
	"null", "equal", "equal, but 1 January", "one digit or day and month swapped",
	"two of year, month and day equal", "at most a year apart", "at most ten years apart", "different"
};

static const char *const email_name[] = {
	"null", "equal", "equal before the @", "alike", "different"
};

static const char *const phone_name[] = {
	"null", "equal", "last seven digits equal", "one digit differs", "different"
};

static const char *const identifier_name[] = {
	"null", "equal", "one character differs", "two characters differ", "different"
};

static const char *const words_name[] = {
	"null", "same words", "nearly the same words", "most words", "contained", "half of the words",
	"some words", "different"
};

int
crm_match_default_levels(CrmComparator comparator, double *threshold)
{
	memset(threshold, 0, CRM_MATCH_LEVELS * sizeof(double));
	switch (comparator)
	{
		case CRM_MATCH_EXACT:
			return 2;
		case CRM_MATCH_TEXT:
			threshold[0] = 0.92;
			threshold[1] = 0.88;
			threshold[2] = 0.70;
			return 5;
		case CRM_MATCH_NAME_PART:
			return 4;
		case CRM_MATCH_PERSON:
			return PERSON_LEVELS;
		case CRM_MATCH_DATE:
			return 7;
		case CRM_MATCH_NUMBER:
			threshold[0] = 0.01;
			threshold[1] = 0.1;
			return 4;
		case CRM_MATCH_EMAIL:
		case CRM_MATCH_PHONE:
		case CRM_MATCH_IDENTIFIER:
			return 4;
		case CRM_MATCH_WORDS:
			return 7;
		default:
			return 0;
	}
}

const char *
crm_match_level_name(const CrmMatchField *field, int level, char *buffer, size_t size)
{
	const char *const *names = NULL;

	switch (field->comparator)
	{
		case CRM_MATCH_PERSON:
			names = person_name;
			break;
		case CRM_MATCH_NAME_PART:
			names = part_name;
			break;
		case CRM_MATCH_DATE:
			names = date_name;
			break;
		case CRM_MATCH_EMAIL:
			names = email_name;
			break;
		case CRM_MATCH_PHONE:
			names = phone_name;
			break;
		case CRM_MATCH_IDENTIFIER:
			names = identifier_name;
			break;
		case CRM_MATCH_WORDS:
			names = words_name;
			break;
		default:
			break;
	}
	if (names != NULL)
		snprintf(buffer, size, "%s", names[level]);
	else if (level == 0)
		snprintf(buffer, size, "null");
	else if (level == 1)
		snprintf(buffer, size, "equal");
	else if (level == field->levels)
		snprintf(buffer, size, "different");
	else if (field->comparator == CRM_MATCH_TEXT)
		snprintf(buffer, size, "similarity at least %g", field->threshold[level - 2]);
	else
		snprintf(buffer, size, "within %g", field->threshold[level - 2]);
	return buffer;
}

/* Whether a worse level can never weigh more. */
bool
crm_match_level_is_ordered(const CrmMatchField *field)
{
	return field->comparator != CRM_MATCH_PERSON && field->comparator != CRM_MATCH_DATE;
}

bool
crm_match_level_is_household(const CrmMatchField *field, int level)
{
	if (field->comparator == CRM_MATCH_PERSON)
		return level == PERSON_FAMILY_ONLY || level == PERSON_ONE_ALIKE || level == PERSON_OTHER;
	return level == field->levels;
}

/* ---- letters ---- */

/* Features hold fewer letters than the metrics look at. */
#define PADDED(name, letters) \
	uint8_t		name[CRM_SHORT_MAX] = {0}; \
	memcpy(name, letters, sizeof(letters))

static inline double
similarity_of(const CrmMatchText *a, const CrmMatchText *b)
{
	PADDED(pa, a->letter);
	PADDED(pb, b->letter);
	return crm_short_jaro_winkler(pa, a->length, pb, b->length);
}

static inline bool
is_similar(const CrmMatchText *a, const CrmMatchText *b, double bound)
{
	PADDED(pa, a->letter);
	PADDED(pb, b->letter);
	return crm_short_jaro_winkler_at_least(pa, a->length, pb, b->length, bound) >= bound;
}

static inline bool
is_one_apart(const CrmMatchText *a, const CrmMatchText *b)
{
	PADDED(pa, a->letter);
	PADDED(pb, b->letter);
	return crm_short_osa_within(pa, a->length, pb, b->length, 1) <= 1;
}

static inline int
distance_of(const CrmMatchText *a, const CrmMatchText *b)
{
	PADDED(pa, a->letter);
	PADDED(pb, b->letter);
	return crm_short_osa(pa, a->length, pb, b->length);
}

/* ---- names ---- */

typedef enum Likeness
{
	DIFFERENT,
	ALIKE,
	SHORT,						/* one may stand for the other */
	EQUAL
} Likeness;

/* A typing error or two: names are short, so that the bound is high. */
static bool
letters_alike(const CrmMatchText *a, const CrmMatchText *b, double bound)
{
	int			longer = a->length > b->length ? a->length : b->length;
	int			shorter = a->length + b->length - longer;

	if (shorter * 2 < longer)
		return false;
	return is_similar(a, b, bound) ||
		(shorter >= 4 && longer - shorter <= 1 && is_one_apart(a, b));
}

/* One is the first word or words, or the first letter, of the other. */
static bool
is_short_form(const CrmMatchText *a, const CrmMatchText *b)
{
	const CrmMatchText *shorter = a->length < b->length ? a : b;
	const CrmMatchText *longer = a->length < b->length ? b : a;
	int			n = shorter->length;

	if (n == 0 || n == longer->length || memcmp(shorter->letter, longer->letter, n) != 0)
		return false;
	return n == 1 || longer->letter[n] == ' ';
}

static Likeness
compare_parts(const CrmMatchText *a, const CrmMatchText *b, double bound)
{
	if (a->spelling == b->spelling)
		return EQUAL;
	/* Of two scripts the sound is all there is to compare. */
	if (a->hash == b->hash)
		return a->script != b->script ? EQUAL : ALIKE;
	if (is_short_form(a, b))
		return SHORT;
	return letters_alike(a, b, bound) ? ALIKE : DIFFERENT;
}

static bool
share_alias(const CrmMatchPerson *a, const CrmMatchPerson *b)
{
	for (int i = 0; i < CRM_MATCH_ALIASES && a->alias[i] != 0; i++)
		for (int j = 0; j < CRM_MATCH_ALIASES && b->alias[j] != 0; j++)
			if (a->alias[i] == b->alias[j])
				return true;
	return false;
}

static int
compare_persons(const CrmMatchPerson *a, const CrmMatchPerson *b)
{
	bool		families = a->family.hash != 0 && b->family.hash != 0;
	bool		givens = a->given.hash != 0 && b->given.hash != 0;
	Likeness	family = DIFFERENT;
	Likeness	given = DIFFERENT;

	if ((a->family.hash | a->given.hash) == 0 || (b->family.hash | b->given.hash) == 0)
		return 0;
	if (families)
		family = compare_parts(&a->family, &b->family, 0.90);
	if (givens)
	{
		given = compare_parts(&a->given, &b->given, 0.88);
		if (given < SHORT && share_alias(a, b))
			given = SHORT;
	}
	if (families && givens)
	{
		if (family == EQUAL)
		{
			switch (given)
			{
				case EQUAL:
					return PERSON_BOTH;
				case SHORT:
					return PERSON_GIVEN_SHORT;
				case ALIKE:
					return PERSON_GIVEN_ALIKE;
				default:
					break;
			}
		}
		if (a->family.hash == b->given.hash && a->given.hash == b->family.hash && a->family.hash != a->given.hash)
			return PERSON_SWAPPED;
		if (family >= ALIKE && given == EQUAL)
			return PERSON_FAMILY_ALIKE;
		if (family >= ALIKE && given >= ALIKE)
			return PERSON_BOTH_ALIKE;
		if (family == DIFFERENT && given == DIFFERENT &&
			letters_alike(&a->family, &b->given, 0.88) && letters_alike(&a->given, &b->family, 0.88))
			return PERSON_BOTH_ALIKE;
		if (family == EQUAL)
			return PERSON_FAMILY_ONLY;
		if (given == EQUAL)
			return PERSON_GIVEN_ONLY;
		return family != DIFFERENT || given != DIFFERENT ? PERSON_ONE_ALIKE : PERSON_OTHER;
	}
	/* One lacks a name; what it has may stand in the wrong place. */
	if (families || givens)
	{
		Likeness	best = families ? family : given;
		const CrmMatchPerson *less = a->family.hash == 0 || a->given.hash == 0 ? a : b;
		const CrmMatchPerson *more = less == a ? b : a;
		Likeness	crossed = less->given.hash != 0 && more->family.hash != 0 ? compare_parts(&less->given, &more->family, 0.90) :
			less->family.hash != 0 && more->given.hash != 0 ? compare_parts(&less->family, &more->given, 0.90) : DIFFERENT;

		if (crossed > best)
			best = crossed;
		return best == EQUAL ? PERSON_ONE_MISSING : best != DIFFERENT ? PERSON_ONE_ALIKE : PERSON_OTHER;
	}
	return compare_parts(a->family.hash != 0 ? &a->family : &a->given,
						 b->family.hash != 0 ? &b->family : &b->given, 0.90) == EQUAL ? PERSON_ONE_MISSING : 0;
}

static int
compare_name_part(const CrmMatchText *a, const CrmMatchText *b)
{
	switch (compare_parts(a, b, 0.88))
	{
		case EQUAL:
			return 1;
		case SHORT:
			return 2;
		case ALIKE:
			return 3;
		default:
			return 4;
	}
}

/* ---- others ---- */

static int
compare_text(const CrmMatchField *field, const CrmMatchText *a, const CrmMatchText *b)
{
	double		similarity;

	if (a->spelling == b->spelling || (a->hash == b->hash && a->script != b->script))
		return 1;
	if (field->levels == 2)
		return 2;
	similarity = similarity_of(a, b);
	for (int level = 2; level < field->levels; level++)
		if (similarity >= field->threshold[level - 2])
			return level;
	return field->levels;
}

/* What people enter when they do not know: 1 January, or the epoch. */
static bool
is_placeholder(const CrmMatchDate *date)
{
	return date->month == 1 && date->day_of_month == 1;
}

static void
date_digits(const CrmMatchDate *date, uint8_t *digit)
{
	int			number = date->year * 10000 + date->month * 100 + date->day_of_month;

	memset(digit, 0, CRM_SHORT_MAX);
	for (int i = 7; i >= 0; i--, number /= 10)
		digit[i] = (uint8_t) ('0' + number % 10);
}

static int
compare_dates(const CrmMatchDate *a, const CrmMatchDate *b)
{
	uint8_t		digits_a[CRM_SHORT_MAX];
	uint8_t		digits_b[CRM_SHORT_MAX];
	int			equal;
	int			apart = abs(a->day - b->day);

	if (apart == 0)
		return is_placeholder(a) ? 2 : 1;
	if (a->year == b->year && a->month == b->day_of_month && a->day_of_month == b->month)
		return 3;
	date_digits(a, digits_a);
	date_digits(b, digits_b);
	if (crm_short_osa(digits_a, 8, digits_b, 8) <= 1)
		return 3;
	equal = (a->year == b->year) + (a->month == b->month) + (a->day_of_month == b->day_of_month);
	if (equal == 2)
		return 4;
	return apart <= 366 ? 5 : apart <= 3653 ? 6 : 7;
}

static int
compare_numbers(const CrmMatchField *field, const CrmMatchNumber *a, const CrmMatchNumber *b)
{
	double		apart = fabs(a->value - b->value);
	double		size = fabs(a->value) > fabs(b->value) ? fabs(a->value) : fabs(b->value);

	if (a->value == b->value)
		return 1;
	for (int level = 2; level < field->levels; level++)
		if (apart <= field->threshold[level - 2] * size)
			return level;
	return field->levels;
}

static int
compare_emails(const CrmMatchEmail *a, const CrmMatchEmail *b)
{
	if (a->key == b->key)
		return 1;
	if (a->local == 0 || b->local == 0)
		return 4;
	if (a->local == b->local)
		return a->length >= 4 ? 2 : 3;
	if (a->length < 4 || b->length < 4)
		return 4;

	PADDED(pa, a->letter);
	PADDED(pb, b->letter);
	return crm_short_jaro_winkler(pa, a->length, pb, b->length) >= (a->domain == b->domain ? 0.90 : 0.95) ? 3 : 4;
}

static int
compare_phones(const CrmMatchPhone *a, const CrmMatchPhone *b)
{
	if (a->number == b->number)
		return 1;
	if (a->tail != 0 && a->tail == b->tail)
		return 2;
	if (a->length < 7 || b->length < 7 || abs(a->length - b->length) > 1)
		return 4;

	PADDED(pa, a->letter);
	PADDED(pb, b->letter);
	return crm_short_osa(pa, a->length, pb, b->length) <= 1 ? 3 : 4;
}

static int
compare_identifiers(const CrmMatchText *a, const CrmMatchText *b)
{
	int			longer = a->length > b->length ? a->length : b->length;
	int			apart;

	if (a->hash == b->hash)
		return 1;
	if (longer < 4)
		return 4;
	apart = distance_of(a, b);
	return apart <= 1 ? 2 : apart == 2 && longer >= 7 ? 3 : 4;
}

static int
compare_words(const CrmMatchWords *a, const CrmMatchWords *b)
{
	int			common = 0;
	int			all;
	int			less;
	int			i = 0;
	int			j = 0;

	if (a->hash == b->hash)
		return 1;
	while (i < a->count && j < b->count)
	{
		if (a->word[i] == b->word[j])
		{
			common += a->rarity[i];
			i++;
			j++;
		}
		else if (a->word[i] < b->word[j])
			i++;
		else
			j++;
	}
	all = a->total + b->total - common;
	less = a->total < b->total ? a->total : b->total;
	if (common <= 0 || all <= 0)
		return 7;
	if (common >= 0.8 * all)
		return 2;
	if (common >= 0.6 * all)
		return 3;
	if (common >= 0.9 * less)
		return 4;
	if (common >= 0.4 * all)
		return 5;
	return common >= 0.2 * all ? 6 : 7;
}

/* ---- patterns ---- */

/* The best level of all pairs of values; 0 when one side has none. */
#define BEST_OF_VALUES(Type, null_field, expression) \
	do { \
		const Type *va = (const Type *) pa; \
		const Type *vb = (const Type *) pb; \
		for (int i = 0; i < field->values && va[i].null_field != 0; i++) \
			for (int j = 0; j < field->values && vb[j].null_field != 0; j++) \
			{ \
				const Type *x = &va[i]; \
				const Type *y = &vb[j]; \
				int		this_level = (expression); \
				if (level == 0 || this_level < level) \
					level = this_level; \
			} \
	} while (0)

static inline int
compare_field(const CrmMatchField *field, const uint8_t *a, const uint8_t *b)
{
	const uint8_t *pa = a + field->offset;
	const uint8_t *pb = b + field->offset;
	int			level = 0;

	switch (field->comparator)
	{
		case CRM_MATCH_EXACT:
			BEST_OF_VALUES(CrmMatchExact, hash, x->hash == y->hash ? 1 : 2);
			break;
		case CRM_MATCH_TEXT:
			BEST_OF_VALUES(CrmMatchText, hash, compare_text(field, x, y));
			break;
		case CRM_MATCH_NAME_PART:
			BEST_OF_VALUES(CrmMatchText, hash, compare_name_part(x, y));
			break;
		case CRM_MATCH_PERSON:
			level = compare_persons((const CrmMatchPerson *) pa, (const CrmMatchPerson *) pb);
			break;
		case CRM_MATCH_DATE:
			BEST_OF_VALUES(CrmMatchDate, year, compare_dates(x, y));
			break;
		case CRM_MATCH_NUMBER:
			BEST_OF_VALUES(CrmMatchNumber, known, compare_numbers(field, x, y));
			break;
		case CRM_MATCH_EMAIL:
			BEST_OF_VALUES(CrmMatchEmail, key, compare_emails(x, y));
			break;
		case CRM_MATCH_PHONE:
			BEST_OF_VALUES(CrmMatchPhone, number, compare_phones(x, y));
			break;
		case CRM_MATCH_WORDS:
			BEST_OF_VALUES(CrmMatchWords, hash, compare_words(x, y));
			break;
		case CRM_MATCH_IDENTIFIER:
			BEST_OF_VALUES(CrmMatchText, hash, compare_identifiers(x, y));
			break;
		default:
			break;
	}
	return level;
}

uint64_t
crm_match_pattern(const CrmMatchModel *model, const uint8_t *a, const uint8_t *b)
{
	uint64_t	pattern = 0;

	for (int i = 0; i < model->fields; i++)
		pattern |= (uint64_t) compare_field(&model->field[i], a, b) << (4 * i);
	return pattern;
}

/* ---- weights ---- */

/* log2 of the share of the value that makes two records equal; of several
 * equal ones the rarest. */
#define RAREST_EQUAL(Type, equal) \
	do { \
		const Type *va = (const Type *) (a + field->offset); \
		const Type *vb = (const Type *) (b + field->offset); \
		for (int i = 0; i < field->values; i++) \
			for (int j = 0; j < field->values; j++) \
			{ \
				const Type *x = &va[i]; \
				const Type *y = &vb[j]; \
				if ((equal) && x->frequency < rarest) \
					rarest = x->frequency; \
			} \
	} while (0)

/*
 * Equality of a value that one in a thousand has says less than that of one
 * that one in a million has: the level's weight is right on the average, and
 * here is the difference of this value from it.
 */
double
crm_match_frequency_weight(const CrmMatchField *field, int level, const uint8_t *a, const uint8_t *b)
{
	double		rarest = 1;

	if (field->comparator == CRM_MATCH_PERSON)
	{
		const CrmMatchPerson *x = (const CrmMatchPerson *) (a + field->offset);
		const CrmMatchPerson *y = (const CrmMatchPerson *) (b + field->offset);
		/* Of swapped names each record has its own sum. */
		double		parts = fmax((double) x->given.frequency + x->family.frequency,
							 (double) y->given.frequency + y->family.frequency);

		switch (level)
		{
			case PERSON_BOTH:
			case PERSON_SWAPPED:
				return field->agreement[0] - (x->frequency > parts ? x->frequency : parts);
			case PERSON_GIVEN_SHORT:
			case PERSON_GIVEN_ALIKE:
			case PERSON_FAMILY_ONLY:
				return field->agreement[1] - x->family.frequency;
			case PERSON_FAMILY_ALIKE:
			case PERSON_GIVEN_ONLY:
				return field->agreement[2] - x->given.frequency;
			case PERSON_ONE_MISSING:
				if (x->family.hash == y->family.hash && x->family.hash != 0)
					return field->agreement[1] - x->family.frequency;
				if (x->given.hash == y->given.hash && x->given.hash != 0)
					return field->agreement[2] - x->given.frequency;
				return 0;
			default:
				return 0;
		}
	}
	if (level != 1)
		return 0;
	switch (field->comparator)
	{
		case CRM_MATCH_EXACT:
			RAREST_EQUAL(CrmMatchExact, x->hash == y->hash && x->hash != 0);
			break;
		case CRM_MATCH_DATE:
			RAREST_EQUAL(CrmMatchDate, x->day == y->day && x->year != 0);
			break;
		case CRM_MATCH_NUMBER:
			RAREST_EQUAL(CrmMatchNumber, x->value == y->value && x->known);
			break;
		case CRM_MATCH_EMAIL:
			RAREST_EQUAL(CrmMatchEmail, x->key == y->key && x->key != 0);
			break;
		case CRM_MATCH_PHONE:
			RAREST_EQUAL(CrmMatchPhone, x->number == y->number && x->number != 0);
			break;
		case CRM_MATCH_WORDS:
			RAREST_EQUAL(CrmMatchWords, x->hash == y->hash && x->hash != 0);
			break;
		default:
			RAREST_EQUAL(CrmMatchText, x->hash == y->hash && x->hash != 0);
			break;
	}
	return rarest > 0 ? 0 : field->agreement[0] - rarest;
}

/* Weights below which it makes no difference how low they are. */
#define HOPELESS (-12.0)

/* What the weaker fields of a group that depend on the strongest add. */
#define DEPENDENT_SHARE 0.25

double
crm_match_combine(const CrmMatchModel *model, uint64_t pattern, double part[CRM_MATCH_FIELDS + 1])
{
	double		weight = model->prior;
	double		household = model->prior_household;
	int			strongest[CRM_MATCH_FIELDS + 1][2];
	bool		names_agree = false;

	memset(strongest, -1, sizeof(strongest));
	for (int i = 0; i < model->fields; i++)
	{
		const CrmMatchField *field = &model->field[i];

		/* Before groups lessen the parts: what is shared is in no sum here. */
		if (!field->shared)
			household += field->decisive || field->comparator == CRM_MATCH_NAME_PART ?
				field->household[crm_match_level(pattern, i)] : part[i];
		if (field->comparator == CRM_MATCH_PERSON && part[i] > 0)
			names_agree = true;
		if (field->group != 0)
		{
			int			side = part[i] > 0;

			if (strongest[field->group][side] < 0 ||
				fabs(part[i]) > fabs(part[strongest[field->group][side]]))
				strongest[field->group][side] = i;
		}
	}
	for (int i = 0; i < model->fields; i++)
	{
		int			group = model->field[i].group;

		/* An address that is made of the name says little beside it. */
		if (model->field[i].comparator == CRM_MATCH_EMAIL && part[i] > 0 &&
			crm_match_level(pattern, i) > 1 && names_agree)
			part[i] *= DEPENDENT_SHARE;
		if (group != 0 && strongest[group][part[i] > 0] != i)
			part[i] *= DEPENDENT_SHARE;
		weight += part[i];
	}
	part[model->fields] = 0;
	if (model->lambda_household > 0 && weight > HOPELESS)
	{
		/* 1 / odds = 1 / odds against strangers + 1 / odds against a household */
		double		less = weight < household ? weight : household;
		double		more = weight < household ? household : weight;
		double		both = less - log2(1 + exp2(less - more));

		part[model->fields] = (both < HOPELESS ? HOPELESS : both) - weight;
		return weight + part[model->fields];
	}
	return weight;
}

double
crm_match_weight_parts(const CrmMatchModel *model, uint64_t pattern, const uint8_t *a, const uint8_t *b,
					   double part[CRM_MATCH_FIELDS + 1])
{
	for (int i = 0; i < model->fields; i++)
	{
		int			level = crm_match_level(pattern, i);

		part[i] = level == 0 ? 0 : model->field[i].weight[level] +
			crm_match_frequency_weight(&model->field[i], level, a, b);
	}
	return crm_match_combine(model, pattern, part);
}

double
crm_match_weight(const CrmMatchModel *model, uint64_t pattern, const uint8_t *a, const uint8_t *b)
{
	double		part[CRM_MATCH_FIELDS + 1];

	return crm_match_weight_parts(model, pattern, a, b, part);
}

uint64_t
crm_match_pack_frequency(const CrmMatchModel *model, uint64_t pattern, const uint8_t *a, const uint8_t *b)
{
	double		sum = 0;

	for (int i = 0; i < model->fields; i++)
	{
		int			level = crm_match_level(pattern, i);

		if (level != 0)
			sum += crm_match_frequency_weight(&model->field[i], level, a, b);
	}
	sum = round(sum);
	return (uint64_t) ((sum < -60 ? -60 : sum > 60 ? 60 : sum) + 64) << 48;
}

double
crm_match_unpack_frequency(uint64_t rules)
{
	uint64_t	packed = rules >> 48;

	return packed == 0 ? 0 : (double) packed - 64;
}

double
crm_match_probability(double weight)
{
	return 1 / (1 + exp2(-weight));
}
