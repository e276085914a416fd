/*
 * random.h: numbers from a seed, the same everywhere.
 */
#ifndef GENERATE_RANDOM_H
#define GENERATE_RANDOM_H

#include <stdint.h>

static uint64_t random_state;

static uint64_t
mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* splitmix64 */
static uint64_t
next_random(void)
{
	return mix(random_state += UINT64_C(0x9e3779b97f4a7c15));
}

/*
 * 0 … n - 1. Two calls in one expression are always separated by a sequence
 * point, since the order of evaluation is the compiler's choice.
 */
static int
below(int n)
{
	return (int) (((next_random() >> 32) * (uint64_t) n) >> 32);
}

/* Whether something with so many cases in a thousand happens. */
static int
happens(int in_thousand)
{
	return below(1000) < in_thousand;
}

/* 0 … n - 1, the lower the likelier */
static int
low_below(int n)
{
	int			limit = below(n) + 1;

	return below(limit);
}

#endif
