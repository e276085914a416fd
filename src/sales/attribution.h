/*
 * attribution.h
 *		How the touches before a conversion share its credit; apart from the
 *		server.
 *
 * Credit is counted in parts of 1e-15, so that the shares of a
 * conversion add up to it exactly.
 */
#ifndef CRM_ATTRIBUTION_H
#define CRM_ATTRIBUTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum CrmModel
{
	CRM_MODEL_NONE,
	CRM_MODEL_FIRST,
	CRM_MODEL_LAST,
	CRM_MODEL_LINEAR,
	CRM_MODEL_POSITION,
	CRM_MODEL_TIME_DECAY,
	CRM_MODEL_SHAPLEY,
	CRM_MODEL_MARKOV
} CrmModel;

#define CRM_CREDIT_DIGITS 15
#define CRM_CREDIT_WHOLE INT64_C(1000000000000000)

/* CRM_MODEL_NONE when there is none of that name. */
extern CrmModel crm_attribution_model(const char *text, size_t length);

/*
 * The credit of each channel for one conversion, by a model that looks at its
 * touches alone.  channel has the number of the channel, from 0, of each touch
 * in the order of time, channels being numbered as they first occur; at and
 * half_life are used by time_decay only.  room is for a number a touch.
 */
extern void crm_attribution_credit(CrmModel model, size_t touches, size_t channels, const uint32_t *channel,
								   const int64_t *at, int64_t half_life, int64_t *credit, int64_t *room);

/*
 * A whole in parts like the weights, of which one must be positive; what
 * rounding leaves goes to the greatest.
 */
extern void crm_attribution_share(size_t parts, const double *weight, int64_t *share);

/*
 * Removal effects in the Markov chain of order 1.  weight counts the steps from
 * the start (row 0) or a channel (rows from 1 on), of stride numbers each, to a
 * conversion (column 0), to nothing (column 1) or to a channel (columns from 2
 * on).  Every channel must lead to one of the first two in the end.  room is
 * for channels * (channels + 2) numbers.  tick is called once in a while.
 * Returns the probability of a conversion.
 */
extern double crm_markov_removal(size_t channels, const double *weight, size_t stride, double *room, double *removal, void (*tick) (void));

#endif							/* CRM_ATTRIBUTION_H */
