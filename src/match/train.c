/*
 * train.c
 *		What the weights are, learned from the records alone.
 *
 * u, how often a level occurs among records of different entities, is counted
 * over pairs drawn at random, nearly all of which are such.  m, how often it
 * occurs among records of one entity, is estimated by expectation maximisation
 * (Dempster, Laird and Rubin, 1977; for linkage Jaro, 1989), with u fixed, over
 * the pairs of all blocks.  (One session for each blocking rule, which must leave
 * out the fields of that rule, goes wrong where errors exclude each other: where
 * records differ in the name or in the date, those that share the date all
 * differ in the name.  Rules that overlap miss few pairs of one entity, and what
 * they miss costs less.)  It begins with pairs that agree in so much that chance explains
 * hardly any of them; their number is the first lambda, the chance that two
 * records match at all.
 *
 * All of it works on counts of patterns, in an order that depends on nothing
 * but these: the same records give the same model to the last bit.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "match/match.h"

#define MAX_ITERATIONS 100
#define CONVERGENCE 1e-4

/* Shares of chance below which agreement is taken for a match. */
#define SURE 0.02

/* Fewer pairs are compared at once. */
#define PAIRS_WORTH_SAVING 1000000

/* Share of the matches that leaving out rules may cost. */
#define MOST_LOST 0.003

/* So many pairs the first guess is worth. */
#define GUESS_PAIRS 5

/* No agreement is proof: bounds of the weight of one level. */
#define LEAST_WEIGHT (-12.0)
#define MOST_WEIGHT 30.0

/* ---- histograms ---- */

struct CrmMatchHistogram
{
	CrmMatchHost *host;
	size_t		size;
	size_t		used;
	CrmMatchBin *bin;			/* count 0: free */
};

static void
histogram_allocate(CrmMatchHistogram *histogram, size_t size)
{
	histogram->size = size;
	histogram->bin = histogram->host->allocate(histogram->host, size * sizeof(CrmMatchBin));
	memset(histogram->bin, 0, size * sizeof(CrmMatchBin));
}

CrmMatchHistogram *
crm_match_histogram_make(CrmMatchHost *host)
{
	CrmMatchHistogram *histogram = host->allocate(host, sizeof(CrmMatchHistogram));

	histogram->host = host;
	histogram->used = 0;
	histogram_allocate(histogram, 1024);
	return histogram;
}

void
crm_match_histogram_free(CrmMatchHistogram *histogram)
{
	histogram->host->release(histogram->host, histogram->bin);
	histogram->host->release(histogram->host, histogram);
}

static CrmMatchBin *
histogram_place(const CrmMatchHistogram *histogram, uint64_t pattern, uint64_t rules)
{
	size_t		at = (size_t) (crm_match_mix(pattern, rules) & (histogram->size - 1));

	while (histogram->bin[at].count != 0 &&
		   (histogram->bin[at].pattern != pattern || histogram->bin[at].rules != rules))
		at = (at + 1) & (histogram->size - 1);
	return &histogram->bin[at];
}

void
crm_match_histogram_add(CrmMatchHistogram *histogram, uint64_t pattern, uint64_t rules, uint64_t count)
{
	CrmMatchBin *bin;

	if (histogram->used * 4 >= histogram->size * 3)
	{
		CrmMatchBin *old = histogram->bin;
		size_t		old_size = histogram->size;

		histogram_allocate(histogram, old_size * 2);
		for (size_t i = 0; i < old_size; i++)
			if (old[i].count != 0)
				*histogram_place(histogram, old[i].pattern, old[i].rules) = old[i];
		histogram->host->release(histogram->host, old);
	}
	bin = histogram_place(histogram, pattern, rules);
	if (bin->count == 0)
	{
		bin->pattern = pattern;
		bin->rules = rules;
		histogram->used++;
	}
	bin->count += count;
}

static int
compare_bins(const void *a, const void *b)
{
	const CrmMatchBin *x = a;
	const CrmMatchBin *y = b;

	if (x->pattern != y->pattern)
		return x->pattern < y->pattern ? -1 : 1;
	return x->rules < y->rules ? -1 : x->rules > y->rules;
}

CrmMatchBin *
crm_match_histogram_bins(const CrmMatchHistogram *histogram, size_t *count)
{
	CrmMatchBin *bins = histogram->host->allocate(histogram->host, (histogram->used + 1) * sizeof(CrmMatchBin));
	size_t		n = 0;

	for (size_t i = 0; i < histogram->size; i++)
		if (histogram->bin[i].count != 0)
			bins[n++] = histogram->bin[i];
	qsort(bins, n, sizeof(CrmMatchBin), compare_bins);
	*count = n;
	return bins;
}

/* ---- shares ---- */

typedef double Shares[CRM_MATCH_FIELDS][CRM_MATCH_LEVELS + 1];

/* How often each level occurs among pairs drawn at random; index 0 among all. */
static void
count_random(const CrmMatchModel *model, const CrmMatchBin *bins, size_t count, Shares share)
{
	memset(share, 0, sizeof(Shares));
	for (int f = 0; f < model->fields; f++)
	{
		const CrmMatchField *field = &model->field[f];
		double		all = 0;
		double		known;
		double		others = 0;
		double		equal;

		for (size_t i = 0; i < count; i++)
		{
			share[f][crm_match_level(bins[i].pattern, f)] += (double) bins[i].count;
			all += (double) bins[i].count;
		}
		known = all - share[f][0];
		share[f][0] = all > 0 ? share[f][0] / all : 0;

		/*
		 * A tenth of a pair for each level, as none is impossible.  How many
		 * are equal is known better, from the counts of values.
		 */
		for (int level = 1; level <= field->levels; level++)
			share[f][level] = (share[f][level] + 0.1) / (known + 0.1 * field->levels);
		equal = exp2(field->agreement[0]);
		if (equal > 0.999)
			equal = 0.999;
		for (int level = 2; level <= field->levels; level++)
			others += share[f][level];
		for (int level = 2; level <= field->levels; level++)
			share[f][level] *= (1 - equal) / others;
		share[f][1] = equal;
	}
}

static bool
looks_like_household(const CrmMatchModel *model, uint64_t pattern)
{
	for (int f = 0; f < model->fields; f++)
		if (model->field[f].decisive && crm_match_level_is_household(&model->field[f], crm_match_level(pattern, f)))
			return true;
	return false;
}

/* Pairs that agree in so much that they are of one entity, and their number. */
static double
count_sure(const CrmMatchModel *model, const CrmMatchBin *bins, size_t count, double pairs, Shares share, Shares levels)
{
	double		sure = 0;

	memset(levels, 0, sizeof(Shares));
	for (size_t i = 0; i < count;)
	{
		uint64_t	pattern = bins[i].pattern;
		double		seen = 0;
		double		by_chance = pairs;

		for (; i < count && bins[i].pattern == pattern; i++)
			seen += (double) bins[i].count;
		for (int f = 0; f < model->fields; f++)
		{
			int			level = crm_match_level(pattern, f);

			by_chance *= level == 0 ? share[f][0] : (1 - share[f][0]) * share[f][level];
		}
		if (by_chance >= SURE * seen || looks_like_household(model, pattern))
			continue;
		sure += seen;
		for (int f = 0; f < model->fields; f++)
			levels[f][crm_match_level(pattern, f)] += seen;
	}
	return sure;
}

/* ---- estimation ---- */

/* What a comparison looks like among matches before anything is known. */
static void
guess_m(const CrmMatchField *field, double *m)
{
	double		rest = 0;

	for (int level = 1; level <= field->levels; level++)
	{
		m[level] = level == 1 ? 8 : level == field->levels ? 0.5 : 1.0 / level;
		rest += m[level];
	}
	for (int level = 1; level <= field->levels; level++)
		m[level] /= rest;
	m[0] = 1;
}

/* Shares from counts of levels, where the shares given are worth so many pairs. */
static void
mix_in(const CrmMatchField *field, double *m, const double *counts, double worth)
{
	double		all = worth;

	for (int level = 1; level <= field->levels; level++)
		all += counts[level];
	for (int level = 1; level <= field->levels; level++)
		m[level] = (m[level] * worth + counts[level]) / all;
}

/*
 * How often the levels of names occur among two of one household: the given
 * names differ, of those of one name there are as many as elsewhere.
 */
static void
learn_household(CrmMatchField *field, const double *counts)
{
	double		rest = 1;
	double		seen = 0;

	if (field->decisive)
	{
		int			levels = 0;

		for (int level = 1; level <= field->levels; level++)
			if (crm_match_level_is_household(field, level))
			{
				seen += counts[level];
				levels++;
			}
			else
			{
				field->h[level] = fmin(field->u[level], 0.05);
				rest -= field->h[level];
			}
		for (int level = 1; level <= field->levels; level++)
			if (crm_match_level_is_household(field, level))
				field->h[level] = rest * (counts[level] + 1) / (seen + levels);
	}
	else
	{
		memcpy(field->h, field->u, sizeof(field->h));
		mix_in(field, field->h, counts, 20);
	}
}

/* ---- weights ---- */

/*
 * Weights that never rise from a level to a worse one: where they would, the
 * levels get their common mean (pool adjacent violators).
 */
static void
make_ordered(CrmMatchField *field)
{
	double		sum[CRM_MATCH_LEVELS];
	double		mass[CRM_MATCH_LEVELS];
	int			size[CRM_MATCH_LEVELS];
	int			blocks = 0;
	int			level = 1;

	for (int i = 1; i <= field->levels; i++)
	{
		mass[blocks] = field->m[i] + field->u[i];
		sum[blocks] = field->weight[i] * mass[blocks];
		size[blocks] = 1;
		blocks++;
		while (blocks > 1 && sum[blocks - 2] * mass[blocks - 1] < sum[blocks - 1] * mass[blocks - 2])
		{
			blocks--;
			sum[blocks - 1] += sum[blocks];
			mass[blocks - 1] += mass[blocks];
			size[blocks - 1] += size[blocks];
		}
	}
	for (int i = 0; i < blocks; i++)
		for (int j = 0; j < size[i]; j++)
			field->weight[level++] = sum[i] / mass[i];
}

void
crm_match_set_weights(CrmMatchModel *model)
{
	model->prior = log2(model->lambda / (1 - model->lambda));
	model->prior_household = model->lambda_household > 0 ? log2(model->lambda / model->lambda_household) : 0;
	for (int f = 0; f < model->fields; f++)
	{
		CrmMatchField *field = &model->field[f];

		field->weight[0] = 0;
		for (int level = 1; level <= field->levels; level++)
			field->weight[level] = fmin(fmax(log2(field->m[level] / field->u[level]), LEAST_WEIGHT), MOST_WEIGHT);
		if (crm_match_level_is_ordered(field))
			make_ordered(field);
		field->household[0] = 0;
		for (int level = 1; level <= field->levels; level++)
			field->household[level] = fmin(fmax(log2(field->m[level] / field->h[level]), LEAST_WEIGHT), MOST_WEIGHT);
	}
}

/*
 * Weight of a pattern, with what frequency adds in whole bits; in *household, how much of
 * what speaks against one entity speaks for a household.
 */
static double
plain_weight(const CrmMatchModel *model, const CrmMatchBin *bin, double *household)
{
	double		part[CRM_MATCH_FIELDS + 1];
	double		weight;

	for (int f = 0; f < model->fields; f++)
		part[f] = model->field[f].weight[crm_match_level(bin->pattern, f)];
	weight = crm_match_combine(model, bin->pattern, part) + crm_match_unpack_frequency(bin->rules);
	/* 1 / odds with it, less 1 / odds without it, by the former */
	*household = 1 - exp2(part[model->fields]);
	return weight;
}

/*
 * Among pairs drawn at random are matches, few, but of values that hardly
 * repeat otherwise they are most of the equal ones: takes them out.
 */
static void
remove_matches(CrmMatchModel *model, Shares share)
{
	for (int f = 0; f < model->fields; f++)
	{
		CrmMatchField *field = &model->field[f];

		for (int level = 1; level <= field->levels; level++)
		{
			double		others = (share[f][level] - model->lambda * field->m[level]) / (1 - model->lambda);

			field->u[level] = fmax(others, 0.05 * share[f][level]);
		}
	}
}

/*
 * Rules whose matches others bring, too, only cost time: leaves out those that
 * bring least for their pairs, as long as hardly a match is lost.
 */
static void
leave_out_rules(CrmMatchModel *model, const CrmMatchBin *bins, size_t count, double matches, CrmMatchHost *host)
{
	uint64_t	kept = 0;
	double		lost = 0;
	double		pairs = 0;
	double	   *expected = host->allocate(host, (count + 1) * sizeof(double));

	for (int r = 0; r < model->rules; r++)
	{
		model->rule[r].idle = 0;
		kept |= UINT64_C(1) << r;
	}
	for (size_t i = 0; i < count; i++)
	{
		double		household;

		expected[i] = (double) bins[i].count * crm_match_probability(plain_weight(model, &bins[i], &household));
		pairs += (double) bins[i].count;
	}
	for (;;)
	{
		double		alone_matches[CRM_MATCH_RULES] = {0};
		double		alone_pairs[CRM_MATCH_RULES] = {0};
		int			worst = -1;
		double		least = 0;

		for (size_t i = 0; i < count; i++)
		{
			uint64_t	rules = bins[i].rules & kept;

			if (rules != 0 && (rules & (rules - 1)) == 0)
			{
				int			r = 0;

				while (rules >> r != 1)
					r++;
				alone_matches[r] += expected[i];
				alone_pairs[r] += (double) bins[i].count;
			}
		}
		for (int r = 0; r < model->rules; r++)
		{
			double		yield;

			if ((kept >> r & 1) == 0 || alone_pairs[r] < 0.002 * pairs ||
				lost + alone_matches[r] > MOST_LOST * matches)
				continue;
			yield = alone_matches[r] / alone_pairs[r];
			if (worst < 0 || yield < least)
			{
				worst = r;
				least = yield;
			}
		}
		host->interrupt(host);
		if (worst < 0)
			break;
		model->rule[worst].idle = 1;
		kept &= ~(UINT64_C(1) << worst);
		lost += alone_matches[worst];
	}
	host->release(host, expected);
}

/* A name that tells its members apart, something that they share, and more. */
static bool
has_households(const CrmMatchModel *model)
{
	bool		decisive = false;
	bool		shared = false;
	bool		own = false;

	for (int f = 0; f < model->fields; f++)
	{
		decisive = decisive || model->field[f].decisive;
		shared = shared || model->field[f].shared;
		own = own || (!model->field[f].decisive && !model->field[f].shared);
	}
	return decisive && shared && own;
}

bool
crm_match_train(CrmMatchModel *model, const CrmMatchBin *random, size_t random_count,
				const CrmMatchBin *blocked, size_t blocked_count, double fraction,
				CrmMatchTraining *training, CrmMatchHost *host)
{
	double		pairs = training->records * (training->records - 1) / 2;
	double		sure;
	Shares		share;
	Shares		first;
	double		none[CRM_MATCH_LEVELS + 1] = {0};
	CrmMatchBin *patterns;
	size_t		pattern_count;
	CrmMatchHistogram *collapsed;

	training->problem[0] = '\0';
	training->sampled_pairs = 0;
	training->blocked_pairs = 0;
	for (size_t i = 0; i < random_count; i++)
		training->sampled_pairs += (double) random[i].count;
	for (size_t i = 0; i < blocked_count; i++)
		training->blocked_pairs += (double) blocked[i].count / fraction;
	if (training->sampled_pairs < 1)
	{
		snprintf(training->problem, sizeof(training->problem), "there are too few records");
		return false;
	}
	if (blocked_count == 0)
	{
		snprintf(training->problem, sizeof(training->problem), "no two records share a blocking key");
		return false;
	}

	/* The rules make no difference to the estimates. */
	collapsed = crm_match_histogram_make(host);
	for (size_t i = 0; i < blocked_count; i++)
		crm_match_histogram_add(collapsed, blocked[i].pattern, blocked[i].rules & ~CRM_MATCH_RULE_BITS, blocked[i].count);
	patterns = crm_match_histogram_bins(collapsed, &pattern_count);
	crm_match_histogram_free(collapsed);

	count_random(model, random, random_count, share);
	sure = count_sure(model, blocked, blocked_count, pairs * fraction, share, first) / fraction;
	if (sure < 1)
	{
		snprintf(training->problem, sizeof(training->problem),
				 "no pair of records agrees in more than chance explains");
		return false;
	}
	model->lambda = fmin(sure / pairs, 0.5);
	for (int f = 0; f < model->fields; f++)
	{
		guess_m(&model->field[f], model->field[f].m);
		mix_in(&model->field[f], model->field[f].m, first[f], GUESS_PAIRS);
	}

	/* Households can be told only where names and more are compared. */
	model->lambda_household = 0;
	if (has_households(model))
		model->lambda_household = model->lambda * 0.1;
	for (int f = 0; f < model->fields; f++)
	{
		memcpy(model->field[f].u, share[f], sizeof(model->field[f].u));
		learn_household(&model->field[f], none);
	}

	for (training->iterations = 1; training->iterations <= MAX_ITERATIONS; training->iterations++)
	{
		double		before = model->lambda;
		double		matches = 0;
		double		moved = 0;
		double		households = 0;
		Shares		all;
		Shares		of_households;

		remove_matches(model, share);
		crm_match_set_weights(model);
		memset(all, 0, sizeof(all));
		memset(of_households, 0, sizeof(of_households));
		for (size_t i = 0; i < pattern_count; i++)
		{
			double		household;
			double		probability = crm_match_probability(plain_weight(model, &patterns[i], &household));
			double		expected = (double) patterns[i].count * probability;
			double		related = (double) patterns[i].count * (1 - probability) * household;

			matches += expected;
			households += related;
			for (int f = 0; f < model->fields; f++)
			{
				int			level = crm_match_level(patterns[i].pattern, f);

				all[f][level] += expected;
				of_households[f][level] += related;
			}
		}
		for (int f = 0; f < model->fields; f++)
		{
			CrmMatchField *field = &model->field[f];
			double		next[CRM_MATCH_LEVELS + 1];

			guess_m(field, next);
			mix_in(field, next, all[f], 1);
			for (int level = 1; level <= field->levels; level++)
				moved = fmax(moved, fabs(next[level] - field->m[level]));
			memcpy(field->m, next, sizeof(next));
			learn_household(field, of_households[f]);
		}
		if (model->lambda_household > 0)
			model->lambda_household = fmin(fmax(households / fraction / pairs, 0.01 / pairs), 0.5);
		training->matches = matches / fraction;
		model->lambda = fmin(fmax(training->matches / pairs, 0.1 / pairs), 0.5);
		host->interrupt(host);
		if (moved < CONVERGENCE && fabs(model->lambda - before) < CONVERGENCE * before)
			break;
	}
	if (training->matches < 1)
	{
		snprintf(training->problem, sizeof(training->problem), "hardly any pair of records is a match");
		return false;
	}
	remove_matches(model, share);
	crm_match_set_weights(model);
	if (training->blocked_pairs > PAIRS_WORTH_SAVING)
		leave_out_rules(model, blocked, blocked_count, training->matches * fraction, host);
	for (int r = 0; r < model->rules; r++)
	{
		CrmMatchRuleReport *report = &training->rule[r];
		double		household;

		report->pairs = report->matches = report->alone = 0;
		for (size_t i = 0; i < blocked_count; i++)
			if (blocked[i].rules >> r & 1)
			{
				double		matches = (double) blocked[i].count / fraction *
					crm_match_probability(plain_weight(model, &blocked[i], &household));

				report->pairs += (double) blocked[i].count / fraction;
				report->matches += matches;
				if ((blocked[i].rules & CRM_MATCH_RULE_BITS) == UINT64_C(1) << r)
					report->alone += matches;
			}
		host->interrupt(host);
	}
	host->release(host, patterns);
	return true;
}

void
crm_match_learn_labels(CrmMatchModel *model, const CrmMatchBin *matches, size_t match_count,
					   const CrmMatchBin *others, size_t other_count)
{
	/* What training found counts as much as so many labelled pairs. */
	const double belief_m = 50;
	const double belief_u = 5000;

	for (int f = 0; f < model->fields; f++)
	{
		CrmMatchField *field = &model->field[f];
		double		of_matches[CRM_MATCH_LEVELS + 1] = {0};
		double		of_others[CRM_MATCH_LEVELS + 1] = {0};
		double		known_matches = 0;
		double		known_others = 0;

		for (size_t i = 0; i < match_count; i++)
			of_matches[crm_match_level(matches[i].pattern, f)] += (double) matches[i].count;
		for (size_t i = 0; i < other_count; i++)
			of_others[crm_match_level(others[i].pattern, f)] += (double) others[i].count;
		for (int level = 1; level <= field->levels; level++)
		{
			known_matches += of_matches[level];
			known_others += of_others[level];
		}
		for (int level = 1; level <= field->levels; level++)
		{
			field->m[level] = (field->m[level] * belief_m + of_matches[level]) / (belief_m + known_matches);
			field->u[level] = (field->u[level] * belief_u + of_others[level]) / (belief_u + known_others);
		}
	}
	crm_match_set_weights(model);
}
