/*
 * window_funnel.c
 *		How far a contact came through the steps of a funnel within a window.
 *
 * Of every step the one chain is kept that began last, for it has the latest
 * deadline and so can go on wherever another could; of chains that began
 * together the one that was there first, so that steps lie as close as they
 * can.  Hence one pass and room for one chain a step, in every mode.
 *
 * Events of one moment have no order of their own.  They are judged together,
 * step by step upwards, from the chains as they were before the moment; what
 * comes of it is entered at the end of the moment.
 */
#include "sales/event.h"

#include <string.h>

#define MODES 5

static const struct
{
	const char *name;
	unsigned	mode;
}			mode_names[MODES] = {
	{"strict_order", CRM_FUNNEL_STRICT_ORDER},
	{"strict_deduplication", CRM_FUNNEL_STRICT_DEDUPLICATION},
	{"strict_increase", CRM_FUNNEL_STRICT_INCREASE},
	{"strict_once", CRM_FUNNEL_STRICT_ONCE},
	{"allow_reentry", CRM_FUNNEL_ALLOW_REENTRY},
};

static bool
separates(char c)
{
	return c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool
crm_funnel_mode(const char *text, size_t length, unsigned *mode, size_t *start, size_t *end)
{
	size_t		at = 0;

	*mode = 0;
	for (;;)
	{
		int			i = 0;

		while (at < length && separates(text[at]))
			at++;
		if (at == length)
			break;
		*start = at;
		while (at < length && !separates(text[at]))
			at++;
		*end = at;
		while (i < MODES && (strlen(mode_names[i].name) != *end - *start ||
							 memcmp(mode_names[i].name, text + *start, *end - *start) != 0))
			i++;
		if (i == MODES)
			return false;
		*mode |= mode_names[i].mode;
	}
	*start = *end = 0;
	return !(*mode & CRM_FUNNEL_ALLOW_REENTRY) || (*mode & CRM_FUNNEL_STRICT_ORDER);
}

/* Steps are counted from 1 here; 0 stands before the first. */
#define BIT(step) (UINT64_C(1) << ((step) - 1))

typedef struct Funnel
{
	int			steps;
	int64_t		window;
	uint64_t	there;			/* steps that have a chain */
	int64_t		first[CRM_EVENT_CONDITIONS + 1];	/* when the chain began */
	int64_t    *paths;			/* steps moments for each step, or NULL */
	int64_t    *times;
	int			level;
	void		(*tick) (void);

	/* of the moment that is judged */
	int64_t		at;
	uint64_t	entered;		/* steps that get a chain at its end */
	uint8_t		base[CRM_EVENT_CONDITIONS + 1];	/* ... made of the old chain of
												 * this step */

	/* events of the moment dealt to the steps after low, one each */
	const CrmEvent *event;
	size_t		events;
	int			low;
	int			high;
	size_t		taken[CRM_EVENT_CONDITIONS + 1];
} Funnel;

static bool
in_time(const Funnel *f, int64_t first)
{
	int64_t		deadline;

	return __builtin_add_overflow(first, f->window, &deadline) || f->at <= deadline;
}

/* Finds an event for a step, if need be by giving those of others away. */
static bool
deal(Funnel *f, int step, uint64_t *asked)
{
	*asked |= BIT(step);
	f->tick();
	for (int pass = 0; pass < 2; pass++)
	{
		for (size_t e = 0; e < f->events; e++)
		{
			int			owner = f->low + 1;

			if (!(f->event[e].what & BIT(step)))
				continue;
			while (owner < f->high && f->taken[owner] != e)
				owner++;
			if (owner < f->high ? pass == 1 && !(*asked & BIT(owner)) && deal(f, owner, asked) : pass == 0)
			{
				f->taken[step] = e;
				return true;
			}
		}
	}
	return false;
}

/*
 * The step from whose chain this one is reached with a different event of the
 * moment for each step in between: the lowest, whose chain began last; of those
 * that began together the highest, which was the earliest.
 */
static int
base_once(Funnel *f, int step)
{
	uint64_t	asked = 0;
	int			base;

	if (f->events == 1)
		return step - 1;
	if (f->high != step)
		f->low = step - 1;		/* no event of the moment is the step before */
	f->high = step;
	while (!deal(f, step, &asked))
	{
		f->low++;
		asked = 0;
	}
	f->high = step + 1;
	for (base = f->low; base > 0 && base < step - 1 && (f->there & BIT(base + 1)) && f->first[base + 1] == f->first[base];)
		base++;
	return base;
}

static void
enter_moment(Funnel *f)
{
	/* downwards, so that the chains below are still the old ones */
	for (int step = f->steps; f->entered != 0; step--)
	{
		int			base = f->base[step];

		if (!(f->entered & BIT(step)))
			continue;
		f->entered &= ~BIT(step);
		f->there |= BIT(step);
		f->first[step] = base > 0 ? f->first[base] : f->at;
		if (f->paths != NULL)
		{
			int64_t    *path = f->paths + (size_t) (step - 1) * f->steps;

			if (base > 0 && base != step)
				memcpy(path, f->paths + (size_t) (base - 1) * f->steps, base * sizeof(int64_t));
			for (int i = base; i < step; i++)
				path[i] = f->at;
			if (step > f->level)
				memcpy(f->times, path, step * sizeof(int64_t));
		}
		if (step > f->level)
			f->level = step;
	}
}

/* Judges the events of one moment; false when they end the scan. */
static bool
judge_moment(Funnel *f, unsigned mode)
{
	uint64_t	what = 0;
	bool		goes_on = true;

	if (f->events > CRM_EVENTS_A_TICK / CRM_EVENT_CONDITIONS)
		f->tick();
	for (size_t e = 0; e < f->events; e++)
	{
		if (f->event[e].what == 0 && (mode & CRM_FUNNEL_STRICT_ORDER) && (f->there & BIT(1)))
			return false;
		what |= f->event[e].what;
	}
	f->high = 0;
	while (what != 0)
	{
		int			step = __builtin_ctzll(what) + 1;
		int			base = step - 1;
		bool		once = true;

		what &= what - 1;
		if (mode & CRM_FUNNEL_STRICT_DEDUPLICATION && step > 1)
		{
			int			times = 0;

			if (f->there & BIT(step))
			{
				goes_on = false;
				break;
			}
			for (size_t e = 0; e < f->events; e++)
				times += (f->event[e].what & BIT(step)) != 0;
			once = times == 1;
		}
		if (mode & CRM_FUNNEL_STRICT_INCREASE)
			;
		else if (mode & CRM_FUNNEL_STRICT_ONCE)
			base = base_once(f, step);
		else if (base > 0 && (f->entered & BIT(base)))
			base = f->base[base];
		if (base == 0 || (f->there & BIT(base)))
		{
			int64_t		first = base > 0 ? f->first[base] : f->at;

			if (in_time(f, first) && (!(f->there & BIT(step)) || first > f->first[step]))
			{
				f->base[step] = base;
				f->entered |= BIT(step);
			}
		}
		else if ((mode & CRM_FUNNEL_STRICT_ORDER) && !(mode & CRM_FUNNEL_ALLOW_REENTRY) &&
				 ((f->there | f->entered) & BIT(1)) && !((f->there | f->entered) & BIT(step - 1)))
		{
			goes_on = false;
			break;
		}
		if (!once && (f->entered & BIT(step)))
		{
			goes_on = false;
			break;
		}
	}
	enter_moment(f);
	return goes_on;
}

/*
 * The level alone, without modes: chains can be entered at once, step by step
 * upwards.  The same as above for what most funnels are.
 */
static int
plain_level(const CrmEvent *event, size_t count, int64_t window, void (*tick) (void))
{
	int64_t		deadline[CRM_EVENT_CONDITIONS];	/* of the chain of each step */
	uint64_t	there = 0;
	size_t		pause = CRM_EVENTS_A_TICK;

	for (size_t next = 0; next < count;)
	{
		int64_t		at = event[next].at;
		uint64_t	what = event[next].what;

		while (++next < count && event[next].at == at)
			what |= event[next].what;
		if (next >= pause)
		{
			tick();
			pause = next + CRM_EVENTS_A_TICK;
		}
		if (what & 1)
		{
			if (__builtin_add_overflow(at, window, &deadline[0]))
				deadline[0] = INT64_MAX;
			there |= 1;
		}
		for (what &= ~UINT64_C(1); what != 0; what &= what - 1)
		{
			int			step = __builtin_ctzll(what);

			if (!(there >> (step - 1) & 1) || at > deadline[step - 1])
				continue;
			deadline[step] = deadline[step - 1];
			there |= UINT64_C(1) << step;
		}
	}
	return there != 0 ? 64 - __builtin_clzll(there) : 0;
}

int
crm_funnel_level(const CrmEvent *event, size_t count, int steps, int64_t window, unsigned mode, int64_t *times, int64_t *paths,
				 void (*tick) (void))
{
	Funnel		f;
	size_t		next = 0;
	size_t		pause = CRM_EVENTS_A_TICK;

	if (mode == 0 && times == NULL)
		return plain_level(event, count, window, tick);
	f.steps = steps;
	f.window = window;
	f.there = f.entered = 0;
	f.level = 0;
	f.times = times;
	f.paths = paths;
	f.tick = tick;
	while (next < count)
	{
		f.event = event + next;
		f.at = f.event->at;
		f.events = 1;
		while (next + f.events < count && f.event[f.events].at == f.at)
			f.events++;
		next += f.events;
		if (next >= pause)
		{
			tick();
			pause = next + CRM_EVENTS_A_TICK;
		}
		if (!judge_moment(&f, mode))
			break;
	}
	return f.level;
}
