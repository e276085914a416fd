/*
 * match.h
 *		Probabilistic record linkage: which records of a table are one thing.
 *
 * The method is that of Fellegi and Sunter, "A Theory for Record Linkage"
 * (1969): two records are compared field by field, each comparison ends in a
 * level, each level has a weight, log2(m / u), where m is how often the level
 * occurs among records of one entity and u among others; the weights and that
 * of the prior add up.  The weight of equality depends on how frequent the
 * value is (Winkler, 2000).
 *
 * A record is normalised once into a feature, a block of bytes of one size
 * for all records of a model, and is never looked at as text again.  All of
 * it knows nothing of the server, so that it can be linked into a benchmark.
 *
 *		feature.c	from text to feature
 *		compare.c	string metrics
 *		level.c		from two features to levels, a pattern and a weight
 *		block.c		which pairs are compared at all
 *		train.c		what the weights are
 *		cluster.c	from weighted pairs to entities
 */
#ifndef CRM_MATCH_H
#define CRM_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Changes whenever a feature or a blocking key may come out otherwise: models
 * must then be trained and kept keys be built again.
 */
#define CRM_MATCH_KEY_VERSION 1

#define CRM_MATCH_NAME 64		/* bytes of a name, with its end */
#define CRM_MATCH_FIELDS 16		/* comparisons of a model */
#define CRM_MATCH_LEVELS 15		/* levels of a comparison, without null */
#define CRM_MATCH_RULES 48		/* blocking rules of a model */
#define CRM_MATCH_RULE_PARTS 4	/* fields of a rule */
#define CRM_MATCH_SLOTS 96		/* blocking keys of a record */
#define CRM_MATCH_VALUES 3		/* values of a field that has several */
#define CRM_MATCH_TOKENS 12		/* words of a text that are compared */
#define CRM_MATCH_LETTERS 22	/* letters of a text that are compared */
#define CRM_MATCH_DIGITS 15		/* digits of a phone number that are compared */
#define CRM_MATCH_ALIASES 4		/* full names of a short one */

typedef enum CrmComparator
{
	CRM_MATCH_EXACT,			/* equal or not */
	CRM_MATCH_TEXT,				/* Jaro-Winkler */
	CRM_MATCH_NAME_PART,		/* one part of a name: initials, nicknames */
	CRM_MATCH_PERSON,			/* given and family name together */
	CRM_MATCH_DATE,
	CRM_MATCH_NUMBER,
	CRM_MATCH_EMAIL,
	CRM_MATCH_PHONE,
	CRM_MATCH_WORDS,			/* sets of words, by their rarity */
	CRM_MATCH_IDENTIFIER,		/* numbers of documents and the like */
	CRM_MATCH_COMPARATORS
} CrmComparator;

/* A comparison of a model. */
typedef struct CrmMatchField
{
	char		name[CRM_MATCH_NAME];
	int32_t		comparator;		/* CrmComparator */
	int32_t		levels;			/* how many, without null */
	double		threshold[CRM_MATCH_LEVELS];	/* of the levels that have one */
	int32_t		offset;			/* of its values in a feature */
	int32_t		values;			/* most values in a feature */
	int32_t		decisive;		/* tells members of a household apart: the name */
	int32_t		shared;			/* a household or a firm has it in common */
	int32_t		group;			/* fields that depend on each other; 0 for none */

	/* What training found; index 0 is null. */
	double		m[CRM_MATCH_LEVELS + 1];
	double		u[CRM_MATCH_LEVELS + 1];
	double		weight[CRM_MATCH_LEVELS + 1];
	double		h[CRM_MATCH_LEVELS + 1];	/* among two of one household */
	double		household[CRM_MATCH_LEVELS + 1];	/* log2(m / h) */
	double		agreement[3];	/* log2 of the chance that two records have the
								 * same value; of a person: whole, family, given */
} CrmMatchField;

/* Which property of a value a blocking key is made of. */
typedef enum CrmAspect
{
	CRM_ASPECT_FULL,			/* the value; of a person both names in any order */
	CRM_ASPECT_PREFIX3,
	CRM_ASPECT_PREFIX4,
	CRM_ASPECT_PREFIX5,
	CRM_ASPECT_INITIAL,			/* first letter; of a person of the given name */
	CRM_ASPECT_SKELETON,		/* consonants; of a person of the family name */
	CRM_ASPECT_ANY,				/* given name and family name, each */
	CRM_ASPECT_FAMILY,
	CRM_ASPECT_GIVEN,
	CRM_ASPECT_FAMILY4,
	CRM_ASPECT_GIVEN3,
	CRM_ASPECT_YEAR,
	CRM_ASPECT_MONTH_DAY,
	CRM_ASPECT_YEAR_MONTH,
	CRM_ASPECT_LOCAL,			/* of an e-mail address, before the @ */
	CRM_ASPECT_DOMAIN,
	CRM_ASPECT_TAIL,			/* the last seven digits */
	CRM_ASPECT_RARE,			/* each of the three rarest words */
	CRM_ASPECT_PAIRS,			/* each pair of the three rarest words */
	CRM_ASPECTS
} CrmAspect;

typedef struct CrmMatchRule
{
	int32_t		parts;
	struct
	{
		int32_t		field;
		int32_t		aspect;		/* CrmAspect */
	}			part[CRM_MATCH_RULE_PARTS];
	int32_t		idle;			/* training found that others bring its matches */
	int32_t		divider;		/* rule by whose keys its large blocks are divided */
	int32_t		made;			/* its keys are made: it is not idle, or divides */
	int32_t		slot;			/* first of its keys in a record */
	int32_t		slots;
} CrmMatchRule;

/* Flat, so that it can be copied into shared memory as it is. */
typedef struct CrmMatchModel
{
	int32_t		fields;
	int32_t		rules;
	CrmMatchField field[CRM_MATCH_FIELDS];
	CrmMatchRule rule[CRM_MATCH_RULES];
	int32_t		feature_size;
	int32_t		slots;
	double		lambda;			/* chance that two records are one entity */
	double		prior;			/* log2 of its odds */
	double		lambda_household;	/* chance that they are two of one household */
	double		prior_household;	/* log2 of lambda by it; 0 where it is 0 */
} CrmMatchModel;

/* ---- what the server or a program lends us ---- */

typedef struct CrmMatchHost
{
	void	   *(*allocate) (struct CrmMatchHost *host, size_t size);
	void		(*release) (struct CrmMatchHost *host, void *memory);
	void		(*interrupt) (struct CrmMatchHost *host);	/* may not return */
} CrmMatchHost;

/* ---- values within a feature; a hash of 0 is null ---- */

typedef struct CrmMatchText
{
	uint64_t	hash;			/* of how it sounds: crm_name_key() */
	uint32_t	spelling;		/* hash of the letters */
	float		frequency;		/* log2 of the value's share of all values */
	uint8_t		length;
	uint8_t		script;			/* of the first letter */
	uint8_t		letter[CRM_MATCH_LETTERS];
} CrmMatchText;

typedef struct CrmMatchPerson
{
	CrmMatchText given;
	CrmMatchText family;
	uint32_t	alias[CRM_MATCH_ALIASES];	/* full names that the given one may stand for */
	float		frequency;		/* of both together */
} CrmMatchPerson;

typedef struct CrmMatchExact
{
	uint64_t	hash;
	float		frequency;
} CrmMatchExact;

typedef struct CrmMatchDate
{
	int32_t		day;			/* days since 2000-01-01 */
	int16_t		year;			/* 0: null */
	uint8_t		month;
	uint8_t		day_of_month;
	float		frequency;
} CrmMatchDate;

typedef struct CrmMatchNumber
{
	double		value;
	float		frequency;
	uint32_t	known;
} CrmMatchNumber;

typedef struct CrmMatchEmail
{
	uint64_t	key;
	uint64_t	local;
	uint32_t	domain;
	float		frequency;
	uint8_t		length;
	uint8_t		letter[CRM_MATCH_LETTERS];	/* of the local part */
} CrmMatchEmail;

typedef struct CrmMatchPhone
{
	uint64_t	number;
	uint32_t	tail;
	float		frequency;
	uint8_t		length;
	uint8_t		letter[CRM_MATCH_DIGITS];
} CrmMatchPhone;

typedef struct CrmMatchWords
{
	uint64_t	hash;			/* of all words, in any order */
	float		frequency;
	uint16_t	total;			/* sum of the rarities */
	uint8_t		count;
	uint8_t		rarity[CRM_MATCH_TOKENS];	/* bits, in eighths */
	uint32_t	word[CRM_MATCH_TOKENS]; /* hashes, ascending */
} CrmMatchWords;

/* ---- feature.c ---- */

/*
 * Frequencies of values: how many records have a hash.  One table for each
 * field (three for a person), filled while records are read.
 */
typedef struct CrmMatchCounts
{
	CrmMatchHost *host;
	size_t		size;			/* places, a power of two */
	size_t		used;
	uint64_t	total;
	uint64_t   *hash;			/* 0: free */
	uint32_t   *number;
} CrmMatchCounts;

extern CrmMatchCounts *crm_match_counts_make(CrmMatchHost *host);
extern void crm_match_counts_free(CrmMatchCounts *counts);
extern void crm_match_counts_add(CrmMatchCounts *counts, uint64_t hash, uint32_t number);
extern uint32_t crm_match_counts_get(const CrmMatchCounts *counts, uint64_t hash);

/* How many different values, and how many in all. */
extern size_t crm_match_counts_size(const CrmMatchCounts *counts);
extern uint64_t crm_match_counts_total(const CrmMatchCounts *counts);
extern void crm_match_counts_set_total(CrmMatchCounts *counts, uint64_t total);

/* Walks through the values; start with *at = 0. */
extern bool crm_match_counts_next(const CrmMatchCounts *counts, size_t *at,
								  uint64_t *hash, uint32_t *number);

/* Tables of a model: [field][0..2]; see crm_match_count_feature(). */
#define CRM_MATCH_TABLES 3
typedef struct CrmMatchFrequencies
{
	CrmMatchCounts *table[CRM_MATCH_FIELDS][CRM_MATCH_TABLES];
} CrmMatchFrequencies;

/* Which full names a short or foreign one may stand for. */
typedef struct CrmMatchAliases CrmMatchAliases;

extern CrmMatchAliases *crm_match_aliases_make(CrmMatchHost *host);
extern void crm_match_aliases_add(CrmMatchAliases *aliases, const char *alias, size_t alias_length,
								  const char *full, size_t full_length);

/* Sets sizes and offsets; NULL, or what is wrong with the model. */
extern const char *crm_match_layout(CrmMatchModel *model);

/*
 * Puts a value into a feature, which begins as zeros.  Text is UTF-8; part is
 * 0 for the only or given name, 1 for the family name of a person.
 */
extern void crm_match_put_text(const CrmMatchModel *model, uint8_t *feature, int field,
							   int part, const char *text, size_t length);
extern void crm_match_put_number(const CrmMatchModel *model, uint8_t *feature, int field, double value);
extern void crm_match_put_date(const CrmMatchModel *model, uint8_t *feature, int field,
							   int year, int month, int day);

/*
 * An e-mail address as its match key; a phone number as its digits.  Others
 * read the text; what cannot be read as one is compared as it stands.
 */
extern void crm_match_put_email(const CrmMatchModel *model, uint8_t *feature, int field,
								const char *key, size_t length);
extern void crm_match_put_phone(const CrmMatchModel *model, uint8_t *feature, int field,
								const char *digits, size_t length);

/* Gives the given names of a feature their full names. */
extern void crm_match_put_aliases(const CrmMatchModel *model, uint8_t *feature,
								  const CrmMatchAliases *aliases);

/* Counts the values of a field of a feature; later writes their frequencies into it. */
extern void crm_match_count_field(const CrmMatchModel *model, const uint8_t *feature, int field,
								  CrmMatchFrequencies *frequencies);
extern void crm_match_set_frequencies(const CrmMatchModel *model, uint8_t *feature,
									  const CrmMatchFrequencies *frequencies);

extern uint64_t crm_match_hash(const void *bytes, size_t length, uint64_t seed);
extern uint64_t crm_match_mix(uint64_t a, uint64_t b);

/* ---- level.c ---- */

/* Whether two of one household or firm are likely to have the level. */
extern bool crm_match_level_is_household(const CrmMatchField *field, int level);

/* Number of levels of a comparator, or of those thresholds; names of levels. */
extern int	crm_match_default_levels(CrmComparator comparator, double *threshold);
extern const char *crm_match_level_name(const CrmMatchField *field, int level, char *buffer, size_t size);
extern bool crm_match_level_is_ordered(const CrmMatchField *field);

/* Levels of all comparisons, four bits each, the first in the lowest. */
extern uint64_t crm_match_pattern(const CrmMatchModel *model, const uint8_t *a, const uint8_t *b);

static inline int
crm_match_level(uint64_t pattern, int field)
{
	return (int) (pattern >> (4 * field) & 15);
}

/* The part of the weight that frequency adds to that of the level. */
extern double crm_match_frequency_weight(const CrmMatchField *field, int level,
										 const uint8_t *a, const uint8_t *b);

/*
 * What each field weighs, in part, and the weight of the pair: that of the
 * prior, then the parts in the order of the fields.  Of fields that depend on
 * each other, as do city and postcode, only the strongest agreement and the
 * strongest disagreement count in full; the parts of the others are lessened to
 * a quarter.
 *
 * A third possibility, beside one entity and two that have nothing to do with
 * each other, are two of one household or firm: they share address and phone
 * as one entity does, but not the rest.  What this takes from the weight is the
 * last part.
 */
extern double crm_match_combine(const CrmMatchModel *model, uint64_t pattern,
								double part[CRM_MATCH_FIELDS + 1]);
extern double crm_match_weight_parts(const CrmMatchModel *model, uint64_t pattern,
									 const uint8_t *a, const uint8_t *b,
									 double part[CRM_MATCH_FIELDS + 1]);
extern double crm_match_weight(const CrmMatchModel *model, uint64_t pattern,
							   const uint8_t *a, const uint8_t *b);
extern double crm_match_probability(double weight);

/* ---- block.c ---- */

extern bool crm_aspect_fits(CrmComparator comparator, CrmAspect aspect);
extern const char *crm_aspect_name(CrmAspect aspect);
extern int	crm_aspect_find(const char *name, size_t length);

/* The records that are compared: features and keys in chunks. */
#define CRM_MATCH_CHUNK 16384	/* records in a chunk */
typedef struct CrmMatchRecords
{
	const CrmMatchModel *model;
	uint32_t	count;
	uint8_t   **feature;		/* by chunk */
	uint32_t  **key;			/* by chunk */
} CrmMatchRecords;

static inline uint8_t *
crm_match_feature(const CrmMatchRecords *records, uint32_t record)
{
	return records->feature[record / CRM_MATCH_CHUNK] +
		(size_t) (record % CRM_MATCH_CHUNK) * records->model->feature_size;
}

static inline uint32_t *
crm_match_keys(const CrmMatchRecords *records, uint32_t record)
{
	return records->key[record / CRM_MATCH_CHUNK] +
		(size_t) (record % CRM_MATCH_CHUNK) * records->model->slots;
}

/*
 * Writes the keys of a feature; 0 where a rule finds no value.  Keys are hashes
 * of 32 bits: two values that have the same by chance bring records together
 * that are then found to differ.
 */
extern void crm_match_make_keys(const CrmMatchModel *model, const uint8_t *feature, uint32_t *key);

/* A block that had too many records to compare each with each. */
typedef struct CrmMatchLargeBlock
{
	int			rule;
	uint32_t	key;
	uint32_t	size;
	int			other;			/* rule by whose keys it was divided, or -1 */
	uint32_t	left;			/* records that ended in no block */
	uint32_t	example;		/* one of its records */
} CrmMatchLargeBlock;

/* A key of a record. */
typedef struct CrmMatchEntry
{
	uint32_t	key;
	uint32_t	record;
} CrmMatchEntry;

/* The blocks of a rule: keys of two records or more, by key and record. */
typedef struct CrmMatchBlocks
{
	CrmMatchEntry *entry;
	size_t		count;
	uint64_t	pairs;			/* those of several blocks counted in each */
} CrmMatchBlocks;

/* What division makes of the key of a record; 0 where it ends in no block. */
typedef struct CrmMatchChange
{
	uint32_t	record;
	uint32_t	old_key;
	uint32_t	new_key;
} CrmMatchChange;

typedef struct CrmMatchDivision
{
	CrmMatchBlocks blocks;		/* in the memory of what was collected */
	int			divider;		/* rule by whose keys blocks were divided, or -1 */
	CrmMatchChange *change;
	size_t		changes;
	CrmMatchLargeBlock *large;	/* of more records than the limit */
	size_t		larges;
} CrmMatchDivision;

/*
 * Makes the blocks of some rules.  Those of more than limit records are divided
 * by the keys of another rule; also smaller ones, the largest first, where a rule
 * would otherwise give more than pairs_per_record times the records.  Training
 * chooses the rules that divide; the caller keeps them in the model.  Nothing is
 * changed, so that rules can be done by several at once; after all of them the
 * keys are to be changed.
 */
#define CRM_MATCH_RULES_AT_ONCE 6

/* Keys of a rule; zeros at first, then used again: fresh memory is slow. */
typedef struct CrmMatchCollected
{
	CrmMatchEntry *entries;		/* with as much room again behind, for sorting */
	size_t		count;
	size_t		room;
} CrmMatchCollected;

extern void crm_match_divide_rules(const CrmMatchRecords *records, int first, int last, bool choose, uint32_t limit,
								   double pairs_per_record, CrmMatchCollected *collected,
								   CrmMatchDivision *division, CrmMatchHost *host);
extern void crm_match_change_keys(const CrmMatchRecords *records, int rule, const CrmMatchChange *change, size_t changes);

/* Which rules give keys: those that are not idle and those that divide them. */
extern void crm_match_choose_made(CrmMatchModel *model);

/* Takes away the keys of idle rules, which were only there to divide. */
extern void crm_match_clear_idle(CrmMatchRecords *records, CrmMatchHost *host);

/*
 * Calls pair for each pair of records of one block, among the entries from
 * start to end, where blocks begin and end, unless the two share an earlier
 * key: so that each pair comes once in all blocks together, whoever does them.
 * When sample is below UINT64_MAX only keys are taken whose hash is below it.
 */
typedef void (*CrmMatchPair) (uint32_t a, uint32_t b, void *argument);
extern void crm_match_enumerate(const CrmMatchRecords *records, int rule, const CrmMatchEntry *entry,
								size_t start, size_t end, uint64_t sample,
								CrmMatchPair pair, void *argument, CrmMatchHost *host);

/* Rules that two records share: bit i for rule i. */
extern uint64_t crm_match_shared_rules(const CrmMatchRecords *records, uint32_t a, uint32_t b);

/* ---- train.c ---- */

/* Patterns and how often each occurs, with the rules that the pairs share. */
typedef struct CrmMatchHistogram CrmMatchHistogram;

typedef struct CrmMatchBin
{
	uint64_t	pattern;
	uint64_t	rules;			/* bits 0 to 47; above them what frequency adds */
	uint64_t	count;
} CrmMatchBin;

/*
 * What the frequencies of values add to the weight of a pair, in whole bits, as
 * the high bits of CrmMatchBin.rules.
 */
#define CRM_MATCH_RULE_BITS ((UINT64_C(1) << 48) - 1)
extern uint64_t crm_match_pack_frequency(const CrmMatchModel *model, uint64_t pattern,
										 const uint8_t *a, const uint8_t *b);
extern double crm_match_unpack_frequency(uint64_t rules);

extern CrmMatchHistogram *crm_match_histogram_make(CrmMatchHost *host);
extern void crm_match_histogram_free(CrmMatchHistogram *histogram);
extern void crm_match_histogram_add(CrmMatchHistogram *histogram, uint64_t pattern, uint64_t rules, uint64_t count);

/* All bins in the order of pattern and rules; the caller releases them. */
extern CrmMatchBin *crm_match_histogram_bins(const CrmMatchHistogram *histogram, size_t *count);

/* What a blocking rule brought, for the report. */
typedef struct CrmMatchRuleReport
{
	double		pairs;
	double		matches;		/* expected among them */
	double		alone;			/* of these, which no other rule brings */
} CrmMatchRuleReport;

typedef struct CrmMatchTraining
{
	double		records;
	double		sampled_pairs;	/* random pairs, for u */
	double		blocked_pairs;	/* pairs of the blocks, in all */
	double		matches;		/* expected among them */
	int			iterations;
	CrmMatchRuleReport rule[CRM_MATCH_RULES];
	char		problem[256];	/* why there is no model; empty when there is */
} CrmMatchTraining;

/*
 * Fills in lambda, m, u and the weights of the model.  Random is the histogram
 * of pairs of records drawn at random, blocked that of the pairs of blocks, of
 * which fraction was drawn.  False when the data do not allow it.
 */
extern bool crm_match_train(CrmMatchModel *model, const CrmMatchBin *random, size_t random_count,
							const CrmMatchBin *blocked, size_t blocked_count, double fraction,
							CrmMatchTraining *training, CrmMatchHost *host);

/* Labels of people: adds what they say to m and u. */
extern void crm_match_learn_labels(CrmMatchModel *model, const CrmMatchBin *matches, size_t match_count,
								   const CrmMatchBin *others, size_t other_count);

/* Weights from m and u. */
extern void crm_match_set_weights(CrmMatchModel *model);

/* ---- cluster.c ---- */

typedef struct CrmMatchEdge
{
	uint32_t	a;
	uint32_t	b;
	double		weight;
} CrmMatchEdge;

/* By a and b. */
extern int	crm_match_compare_edges(const void *a, const void *b);

/*
 * Average linkage over weighted pairs; pairs that are not there count as
 * missing.  Edges are sorted in place.  cluster[i] becomes the smallest
 * member of the cluster of i, where rank orders the members.
 */
extern void crm_match_cluster(uint32_t records, CrmMatchEdge *edges, size_t edge_count,
							  double threshold, double missing, uint32_t *cluster, CrmMatchHost *host);

#endif							/* CRM_MATCH_H */
