/*
 * attribution.c
 *		Models of attribution, see attribution.h.
 */
#include "sales/attribution.h"

#include <math.h>
#include <string.h>

CrmModel
crm_attribution_model(const char *text, size_t length)
{
	static const struct
	{
		const char *name;
		CrmModel	model;
	}			names[] = {
		{"first", CRM_MODEL_FIRST}, {"last", CRM_MODEL_LAST}, {"linear", CRM_MODEL_LINEAR},
		{"position", CRM_MODEL_POSITION}, {"time_decay", CRM_MODEL_TIME_DECAY},
		{"shapley", CRM_MODEL_SHAPLEY}, {"markov", CRM_MODEL_MARKOV}
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		if (strlen(names[i].name) == length && memcmp(names[i].name, text, length) == 0)
			return names[i].model;
	}
	return CRM_MODEL_NONE;
}

void
crm_attribution_share(size_t parts, const double *weight, int64_t *share)
{
	double		sum = 0;
	int64_t		left = CRM_CREDIT_WHOLE;
	size_t		greatest = 0;

	for (size_t i = 0; i < parts; i++)
	{
		sum += weight[i];
		if (weight[i] >= weight[greatest])
			greatest = i;
	}
	for (size_t i = 0; i < parts; i++)
	{
		share[i] = llrint(weight[i] / sum * (double) CRM_CREDIT_WHOLE);
		left -= share[i];
	}
	share[greatest] += left;
}

/* Equal parts; the first ones get what is left, one each. */
static void
share_equally(size_t parts, int64_t whole, int64_t *share)
{
	for (size_t i = 0; i < parts; i++)
		share[i] = whole / (int64_t) parts + ((int64_t) i < whole % (int64_t) parts);
}

static void
credit_touches(CrmModel model, size_t touches, const int64_t *at, int64_t half_life, int64_t *credit)
{
	double		sum = 0;
	int64_t		left = CRM_CREDIT_WHOLE;

	memset(credit, 0, touches * sizeof(int64_t));
	switch (model)
	{
		case CRM_MODEL_FIRST:
			credit[0] = CRM_CREDIT_WHOLE;
			break;
		case CRM_MODEL_POSITION:
			if (touches > 2)
			{
				credit[0] = credit[touches - 1] = CRM_CREDIT_WHOLE * 2 / 5;
				share_equally(touches - 2, CRM_CREDIT_WHOLE / 5, credit + 1);
				break;
			}
			/* FALLTHROUGH */
		case CRM_MODEL_LINEAR:
			share_equally(touches, CRM_CREDIT_WHOLE, credit);
			break;
		case CRM_MODEL_TIME_DECAY:
			/* against the last touch, whose weight so is 1 */
			for (size_t i = 0; i < touches; i++)
				sum += exp2(((double) at[i] - (double) at[touches - 1]) / (double) half_life);
			for (size_t i = 0; i < touches; i++)
			{
				credit[i] = llrint(exp2(((double) at[i] - (double) at[touches - 1]) / (double) half_life) / sum * (double) CRM_CREDIT_WHOLE);
				left -= credit[i];
			}
			credit[touches - 1] += left;
			break;
		default:
			credit[touches - 1] = CRM_CREDIT_WHOLE;
			break;
	}
}

void
crm_attribution_credit(CrmModel model, size_t touches, size_t channels, const uint32_t *channel,
					   const int64_t *at, int64_t half_life, int64_t *credit, int64_t *room)
{
	/*
	 * The worth of a set of channels being the conversions of paths with no
	 * other channels, Shapley's value shares each path equally among its
	 * channels, however often they occur.
	 */
	if (model == CRM_MODEL_SHAPLEY)
	{
		share_equally(channels, CRM_CREDIT_WHOLE, credit);
		return;
	}
	credit_touches(model, touches, at, half_life, room);
	memset(credit, 0, channels * sizeof(int64_t));
	for (size_t i = 0; i < touches; i++)
		credit[channel[i]] += room[i];
}

/*
 * Without a channel, whoever would come to it is lost.  Those are the ones who
 * come to it at least once and convert in the end: with the probability of
 * ever coming to it, h, and of converting from there, x, its removal effect is
 * h * x / P.  x solves (I - Q) x = r, where Q has the steps between channels
 * and r those to a conversion.  The expected visits v solve v (I - Q) = s, the
 * steps from the start, and h is v over the expected visits of one who is
 * there, the diagonal of the inverse of I - Q.  So one inverse serves for all
 * channels.  I - Q has a dominant diagonal; it needs no pivoting, but is given
 * it against rounding.
 */
double
crm_markov_removal(size_t channels, const double *weight, size_t stride, double *room, double *removal, void (*tick) (void))
{
	size_t		n = channels;
	double	   *a = room;		/* I - Q, becomes its inverse in place */
	double	   *x = room + n * n;
	double	   *order = x + n;	/* rows exchanged */
	double		start = 0;
	double		p;

	for (size_t i = 0; i < n; i++)
	{
		const double *row = weight + (i + 1) * stride;
		double		sum = 0;

		for (size_t j = 0; j < n + 2; j++)
			sum += row[j];
		for (size_t j = 0; j < n; j++)
			a[i * n + j] = (i == j) - row[j + 2] / sum;
		removal[i] = row[0] / sum;	/* r, for now */
	}
	for (size_t k = 0; k < n; k++)
	{
		size_t		pivot = k;
		double		by;

		tick();
		for (size_t i = k + 1; i < n; i++)
		{
			if (fabs(a[i * n + k]) > fabs(a[pivot * n + k]))
				pivot = i;
		}
		order[k] = (double) pivot;
		for (size_t j = 0; j < n && pivot != k; j++)
		{
			double		swap = a[k * n + j];

			a[k * n + j] = a[pivot * n + j];
			a[pivot * n + j] = swap;
		}
		by = a[k * n + k];
		a[k * n + k] = 1;
		for (size_t j = 0; j < n; j++)
			a[k * n + j] /= by;
		for (size_t i = 0; i < n; i++)
		{
			double		times = a[i * n + k];

			if (i == k || times == 0)
				continue;
			a[i * n + k] = 0;
			for (size_t j = 0; j < n; j++)
				a[i * n + j] -= times * a[k * n + j];
		}
	}
	for (size_t k = n; k-- > 0;)
	{
		size_t		pivot = (size_t) order[k];

		for (size_t i = 0; i < n && pivot != k; i++)
		{
			double		swap = a[i * n + k];

			a[i * n + k] = a[i * n + pivot];
			a[i * n + pivot] = swap;
		}
	}
	for (size_t i = 0; i < n; i++)
	{
		x[i] = 0;
		for (size_t j = 0; j < n; j++)
			x[i] += a[i * n + j] * removal[j];
	}
	for (size_t j = 0; j < n + 2; j++)
		start += weight[j];
	p = weight[0] / start;
	for (size_t i = 0; i < n; i++)
		p += weight[i + 2] / start * x[i];
	for (size_t k = 0; k < n; k++)
	{
		double		visits = 0;

		for (size_t i = 0; i < n; i++)
			visits += weight[i + 2] / start * a[i * n + k];
		removal[k] = p > 0 ? visits / a[k * n + k] * x[k] / p : 0;
	}
	return p;
}
