/*
 * block.c
 *		Which pairs of records are compared at all.
 *
 * Each rule gives a record one or more keys; records that share a key are
 * compared.  A pair that shares several keys comes at the first of them only,
 * which is seen by comparing the keys of the two records, so that no pair need
 * be remembered, and blocks can be done in any order by anybody.
 */
#include <stdlib.h>
#include <string.h>

#include "match/match.h"

/* However little a rule may give, blocks of so many records are compared. */
#define LEAST_CAP 10

/* Pairs that any rule may give. */
#define LEAST_BUDGET 500000

/* Blocks on which dividers are tried. */
#define TRIED_BLOCKS 16

static const struct
{
	const char *name;
	unsigned	comparators;	/* bit i: has it */
}			aspects[CRM_ASPECTS] = {
#define TEXTS (1u << CRM_MATCH_TEXT | 1u << CRM_MATCH_NAME_PART | 1u << CRM_MATCH_IDENTIFIER)
	[CRM_ASPECT_FULL] = {"full", ~0u},
	[CRM_ASPECT_PREFIX3] = {"prefix3", TEXTS},
	[CRM_ASPECT_PREFIX4] = {"prefix4", TEXTS},
	[CRM_ASPECT_PREFIX5] = {"prefix5", TEXTS},
	[CRM_ASPECT_INITIAL] = {"initial", TEXTS | 1u << CRM_MATCH_PERSON},
	[CRM_ASPECT_SKELETON] = {"skeleton", TEXTS | 1u << CRM_MATCH_PERSON},
	[CRM_ASPECT_ANY] = {"any", 1u << CRM_MATCH_PERSON},
	[CRM_ASPECT_FAMILY] = {"family", 1u << CRM_MATCH_PERSON},
	[CRM_ASPECT_GIVEN] = {"given", 1u << CRM_MATCH_PERSON},
	[CRM_ASPECT_FAMILY4] = {"family4", 1u << CRM_MATCH_PERSON},
	[CRM_ASPECT_GIVEN3] = {"given3", 1u << CRM_MATCH_PERSON},
	[CRM_ASPECT_YEAR] = {"year", 1u << CRM_MATCH_DATE},
	[CRM_ASPECT_MONTH_DAY] = {"month_day", 1u << CRM_MATCH_DATE},
	[CRM_ASPECT_YEAR_MONTH] = {"year_month", 1u << CRM_MATCH_DATE},
	[CRM_ASPECT_LOCAL] = {"local", 1u << CRM_MATCH_EMAIL},
	[CRM_ASPECT_DOMAIN] = {"domain", 1u << CRM_MATCH_EMAIL},
	[CRM_ASPECT_TAIL] = {"tail", 1u << CRM_MATCH_PHONE},
	[CRM_ASPECT_RARE] = {"rare", 1u << CRM_MATCH_WORDS},
	[CRM_ASPECT_PAIRS] = {"pairs", 1u << CRM_MATCH_WORDS}
#undef TEXTS
};

bool
crm_aspect_fits(CrmComparator comparator, CrmAspect aspect)
{
	return aspect >= 0 && aspect < CRM_ASPECTS && (aspects[aspect].comparators >> comparator & 1) != 0;
}

const char *
crm_aspect_name(CrmAspect aspect)
{
	return aspects[aspect].name;
}

/* The aspect of that name, or -1. */
int
crm_aspect_find(const char *name, size_t length)
{
	for (int i = 0; i < CRM_ASPECTS; i++)
		if (strlen(aspects[i].name) == length && memcmp(aspects[i].name, name, length) == 0)
			return i;
	return -1;
}

/* ---- keys ---- */

static uint64_t
prefix_of(const CrmMatchText *text, int letters)
{
	if (text->hash == 0 || text->length == 0)
		return 0;
	return crm_match_hash(text->letter, text->length < letters ? text->length : letters, 11);
}

/* The consonants, each once in a row: what survives most misspellings. */
static uint64_t
skeleton_of(const CrmMatchText *text)
{
	uint8_t		kept[CRM_MATCH_LETTERS];
	int			count = 0;

	for (int i = 0; i < text->length; i++)
	{
		uint8_t		c = text->letter[i];

		if (i > 0 && (c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u' || c == ' ' || c == 'h'))
			continue;
		if (count == 0 || kept[count - 1] != c)
			kept[count++] = c;
	}
	return count == 0 ? 0 : crm_match_hash(kept, count, 12);
}

static int
words_keys(const CrmMatchWords *words, bool pairs, uint64_t *out)
{
	int			rarest[3] = {-1, -1, -1};
	int			count = 0;
	int			made = 0;

	for (int i = 0; i < words->count; i++)
	{
		int			place = 3;

		while (place > 0 && (rarest[place - 1] < 0 || words->rarity[rarest[place - 1]] < words->rarity[i]))
			place--;
		if (place == 3)
			continue;
		memmove(rarest + place + 1, rarest + place, (2 - place) * sizeof(int));
		rarest[place] = (int) i;
	}
	while (count < 3 && rarest[count] >= 0)
		count++;
	if (!pairs)
		for (int i = 0; i < count; i++)
			out[made++] = crm_match_mix(words->word[rarest[i]], 13);
	else
		for (int i = 0; i < count; i++)
			for (int j = i + 1; j < count; j++)
			{
				uint64_t	x = words->word[rarest[i]];
				uint64_t	y = words->word[rarest[j]];

				out[made++] = x < y ? crm_match_mix(x, y) : crm_match_mix(y, x);
			}
	return made;
}

/* The hashes of a property of one value; returns their number. */
static int
aspect_of(const CrmMatchField *field, const uint8_t *feature, int value, CrmAspect aspect, uint64_t *out)
{
	const uint8_t *place = feature + field->offset;
	uint64_t	hash = 0;

	switch (field->comparator)
	{
		case CRM_MATCH_PERSON:
			{
				const CrmMatchPerson *person = (const CrmMatchPerson *) place;
				uint64_t	given = person->given.hash;
				uint64_t	family = person->family.hash;

				if (aspect == CRM_ASPECT_ANY)
				{
					int			count = 0;

					if (given != 0)
						out[count++] = given;
					if (family != 0)
						out[count++] = family;
					return count;
				}
				switch (aspect)
				{
					case CRM_ASPECT_FULL:
						hash = given != 0 && family != 0 ? crm_match_mix(given + family, 14) : 0;
						break;
					case CRM_ASPECT_FAMILY:
						hash = family;
						break;
					case CRM_ASPECT_GIVEN:
						hash = given;
						break;
					case CRM_ASPECT_FAMILY4:
						hash = prefix_of(&person->family, 4);
						break;
					case CRM_ASPECT_GIVEN3:
						hash = prefix_of(&person->given, 3);
						break;
					case CRM_ASPECT_INITIAL:
						hash = prefix_of(&person->given, 1);
						break;
					case CRM_ASPECT_SKELETON:
						hash = skeleton_of(&person->family);
						break;
					default:
						break;
				}
				break;
			}
		case CRM_MATCH_EXACT:
			hash = ((const CrmMatchExact *) place)[value].hash;
			break;
		case CRM_MATCH_DATE:
			{
				const CrmMatchDate *date = (const CrmMatchDate *) place + value;

				if (date->year == 0)
					break;
				switch (aspect)
				{
					case CRM_ASPECT_FULL:
						hash = crm_match_mix((uint32_t) date->day, 15);
						break;
					case CRM_ASPECT_YEAR:
						hash = crm_match_mix((uint32_t) date->year, 16);
						break;
					case CRM_ASPECT_MONTH_DAY:
						hash = crm_match_mix((uint32_t) date->month * 32 + date->day_of_month, 17);
						break;
					case CRM_ASPECT_YEAR_MONTH:
						hash = crm_match_mix((uint32_t) date->year * 16 + date->month, 18);
						break;
					default:
						break;
				}
				break;
			}
		case CRM_MATCH_NUMBER:
			{
				const CrmMatchNumber *number = (const CrmMatchNumber *) place + value;

				hash = number->known ? crm_match_hash(&number->value, sizeof(double), 19) : 0;
				break;
			}
		case CRM_MATCH_EMAIL:
			{
				const CrmMatchEmail *email = (const CrmMatchEmail *) place + value;

				hash = aspect == CRM_ASPECT_FULL ? email->key : aspect == CRM_ASPECT_LOCAL ? email->local : email->domain;
				break;
			}
		case CRM_MATCH_PHONE:
			{
				const CrmMatchPhone *phone = (const CrmMatchPhone *) place + value;

				hash = aspect == CRM_ASPECT_FULL ? phone->number : phone->tail;
				break;
			}
		case CRM_MATCH_WORDS:
			if (aspect != CRM_ASPECT_FULL)
				return words_keys((const CrmMatchWords *) place, aspect == CRM_ASPECT_PAIRS, out);
			hash = ((const CrmMatchWords *) place)->hash;
			break;
		default:
			{
				const CrmMatchText *text = (const CrmMatchText *) place + value;

				switch (aspect)
				{
					case CRM_ASPECT_FULL:
						hash = text->hash;
						break;
					case CRM_ASPECT_PREFIX3:
						hash = prefix_of(text, 3);
						break;
					case CRM_ASPECT_PREFIX4:
						hash = prefix_of(text, 4);
						break;
					case CRM_ASPECT_PREFIX5:
						hash = prefix_of(text, 5);
						break;
					case CRM_ASPECT_INITIAL:
						hash = prefix_of(text, 1);
						break;
					case CRM_ASPECT_SKELETON:
						hash = skeleton_of(text);
						break;
					default:
						break;
				}
				break;
			}
	}
	out[0] = hash;
	return hash != 0;
}

static inline uint32_t
fold_key(uint64_t hash)
{
	uint32_t	key = (uint32_t) (hash >> 32);

	return key != 0 ? key : 1;
}

void
crm_match_make_keys(const CrmMatchModel *model, const uint8_t *feature, uint32_t *key)
{
	memset(key, 0, model->slots * sizeof(uint32_t));
	for (int r = 0; r < model->rules; r++)
	{
		const CrmMatchRule *rule = &model->rule[r];
		uint64_t	made[128];
		int			count = rule->made ? 1 : 0;
		int			kept = 0;

		made[0] = (uint64_t) r + 1;
		for (int i = 0; i < rule->parts && count > 0; i++)
		{
			const CrmMatchField *field = &model->field[rule->part[i].field];
			uint64_t	value[3 * CRM_MATCH_VALUES];
			uint64_t	next[128];
			int			values = 0;
			int			n = 0;

			for (int v = 0; v < field->values; v++)
				values += aspect_of(field, feature, v, (CrmAspect) rule->part[i].aspect, value + values);
			for (int j = 0; j < count; j++)
				for (int v = 0; v < values && n < 128; v++)
					next[n++] = crm_match_mix(made[j], value[v]);
			memcpy(made, next, n * sizeof(uint64_t));
			count = n;
		}
		/* Ascending and each once, so that they can be compared one by one. */
		for (int i = 0; i < count && kept < rule->slots; i++)
		{
			uint32_t   *slot = key + rule->slot;
			uint32_t	folded = fold_key(made[i]);
			int			at = kept;

			while (at > 0 && slot[at - 1] > folded)
				at--;
			if (at > 0 && slot[at - 1] == folded)
				continue;
			memmove(slot + at + 1, slot + at, (kept - at) * sizeof(uint32_t));
			slot[at] = folded;
			kept++;
		}
	}
}

/* ---- pairs ---- */

typedef CrmMatchEntry Entry;

/* Sorts by key; of one key the records stay in their order. */
static Entry *
sort_entries(Entry *entries, Entry *other, size_t count)
{
	for (int shift = 0; shift < 32; shift += 8)
	{
		size_t		start[257] = {0};
		Entry	   *swap = entries;

		for (size_t i = 0; i < count; i++)
			start[(entries[i].key >> shift & 255) + 1]++;
		for (int i = 0; i < 256; i++)
			start[i + 1] += start[i];
		for (size_t i = 0; i < count; i++)
			other[start[entries[i].key >> shift & 255]++] = entries[i];
		entries = other;
		other = swap;
	}
	return entries;
}

/* Makes room for so many keys, and as many for sorting behind them. */
static void
reserve(CrmMatchCollected *collected, size_t room, CrmMatchHost *host)
{
	Entry	   *grown;

	if (room <= collected->room)
		return;
	grown = host->allocate(host, 2 * room * sizeof(Entry));
	if (collected->entries != NULL)
	{
		memcpy(grown, collected->entries, collected->count * sizeof(Entry));
		host->release(host, collected->entries);
	}
	collected->entries = grown;
	collected->room = room;
}

/* Keys of some rules at once, as going through the records is what costs. */
static void
collect_rules(const CrmMatchRecords *records, int first, int last, CrmMatchCollected *collected, CrmMatchHost *host)
{
	const CrmMatchModel *model = records->model;

	for (int r = first; r < last; r++)
	{
		collected[r - first].count = 0;
		if (model->rule[r].made)
			reserve(&collected[r - first], (size_t) records->count + 1024, host);
	}
	for (uint32_t record = 0; record < records->count; record++)
	{
		const uint32_t *keys = crm_match_keys(records, record);

		for (int r = first; r < last; r++)
		{
			const uint32_t *key = keys + model->rule[r].slot;

			if (!model->rule[r].made)
				continue;
			for (int i = 0; i < model->rule[r].slots && key[i] != 0; i++)
			{
				CrmMatchCollected *to = &collected[r - first];

				if (to->count == to->room)
					reserve(to, 2 * to->room, host);
				to->entries[to->count++] = (Entry) {key[i], record};
			}
		}
		if ((record & 65535) == 0)
			host->interrupt(host);
	}
}

/* Whether the key is the first that both records have. */
static bool
is_first_common(const CrmMatchModel *model, const CrmMatchRule *rule, uint32_t key,
				const uint32_t *a, const uint32_t *b)
{
	for (const CrmMatchRule *earlier = model->rule; earlier < rule; earlier++)
	{
		const uint32_t *ka = a + earlier->slot;
		const uint32_t *kb = b + earlier->slot;

		if (earlier->slots == 1)
		{
			if (*ka == *kb && *ka != 0)
				return false;
			continue;
		}
		for (int i = 0; i < earlier->slots && ka[i] != 0; i++)
			for (int j = 0; j < earlier->slots && kb[j] != 0; j++)
				if (ka[i] == kb[j])
					return false;
	}
	if (rule->slots > 1)
		for (int i = 0; i < rule->slots && a[rule->slot + i] != 0; i++)
			for (int j = 0; j < rule->slots && b[rule->slot + j] != 0; j++)
				if (a[rule->slot + i] == b[rule->slot + j] && a[rule->slot + i] < key)
					return false;
	return true;
}

/* How many records ahead memory is asked for: with all their keys, with one. */
#define AHEAD 8
#define FAR_AHEAD 16

/* Pairs that wait for the features of the second record. */
#define WAITING 8

static inline void
fetch(const void *memory)
{
#ifdef __GNUC__
	__builtin_prefetch(memory);
#endif
}

static inline void
fetch_keys(const CrmMatchRecords *records, uint32_t record)
{
	const char *keys = (const char *) crm_match_keys(records, record);

	for (int i = 0; i < records->model->slots * (int) sizeof(uint32_t); i += 64)
		fetch(keys + i);
}

static inline void
fetch_feature(const CrmMatchRecords *records, uint32_t record)
{
	const char *feature = (const char *) crm_match_feature(records, record);

	for (int i = 0; i < records->model->feature_size; i += 64)
		fetch(feature + i);
}

void
crm_match_enumerate(const CrmMatchRecords *records, int rule_number, const CrmMatchEntry *entry,
					size_t first, size_t last, uint64_t sample,
					CrmMatchPair pair, void *argument, CrmMatchHost *host)
{
	const CrmMatchModel *model = records->model;
	const CrmMatchRule *rule = &model->rule[rule_number];
	uint32_t	done = 0;
	struct
	{
		uint32_t	a;
		uint32_t	b;
	}			waiting[WAITING];
	uint64_t	met = 0;
	uint64_t	called = 0;

	for (size_t start = first; start < last;)
	{
		size_t		end = start + 1;

		while (end < last && entry[end].key == entry[start].key)
			end++;
		if (sample != UINT64_MAX && crm_match_mix(entry[start].key, (uint64_t) rule_number + 21) >= sample)
		{
			start = end;
			continue;
		}
		for (size_t i = start; i + 1 < end; i++)
		{
			uint32_t	a = entry[i].record;
			const uint32_t *keys = crm_match_keys(records, a);

			if (i == start)
				fetch_feature(records, a);
			for (size_t j = i + 1; j < end; j++)
			{
				uint32_t	b = entry[j].record;

				/* Once, with the first of the block. */
				if (i == start && j + AHEAD < last)
					fetch_keys(records, entry[j + AHEAD].record);
				if (!is_first_common(model, rule, entry[start].key, keys, crm_match_keys(records, b)))
					continue;
				fetch_feature(records, b);
				waiting[met % WAITING].a = a;
				waiting[met % WAITING].b = b;
				met++;
				if (met - called == WAITING)
				{
					pair(waiting[called % WAITING].a, waiting[called % WAITING].b, argument);
					called++;
				}
			}
			done += (uint32_t) (end - i);
			if (done >= 65536)
			{
				host->interrupt(host);
				done = 0;
			}
		}
		start = end;
	}
	for (; called < met; called++)
		pair(waiting[called % WAITING].a, waiting[called % WAITING].b, argument);
}

uint64_t
crm_match_shared_rules(const CrmMatchRecords *records, uint32_t a, uint32_t b)
{
	const CrmMatchModel *model = records->model;
	const uint32_t *keys_a = crm_match_keys(records, a);
	const uint32_t *keys_b = crm_match_keys(records, b);
	uint64_t	shared = 0;

	for (int r = 0; r < model->rules; r++)
	{
		const uint32_t *ka = keys_a + model->rule[r].slot;
		const uint32_t *kb = keys_b + model->rule[r].slot;
		int			slots = model->rule[r].slots;

		for (int i = 0; i < slots && ka[i] != 0; i++)
			for (int j = 0; j < slots && kb[j] != 0; j++)
				if (ka[i] == kb[j])
					shared |= UINT64_C(1) << r;
	}
	return shared;
}

/* ---- blocks that are too large ---- */

/*
 * The keys that members of a block would get by another rule, sorted; with the
 * places of the members in the block.
 */
static Entry *
divided_entries(const CrmMatchRecords *records, const Entry *block, uint32_t size, int other,
				Entry *made, Entry *room, uint32_t *count)
{
	const CrmMatchRule *rule = &records->model->rule[other];
	uint32_t	n = 0;

	for (uint32_t i = 0; i < size; i++)
	{
		uint32_t	key = crm_match_keys(records, block[i].record)[rule->slot];

		if (i + FAR_AHEAD < size)
			fetch(crm_match_keys(records, block[i + FAR_AHEAD].record) + rule->slot);
		if (key != 0)
			made[n++] = (Entry) {fold_key(crm_match_mix(block[i].key, key)), i};
	}
	*count = n;
	return sort_entries(made, room, n);
}

static size_t
end_of_block(const Entry *entries, size_t start, size_t count)
{
	size_t		end = start + 1;

	while (end < count && entries[end].key == entries[start].key)
		end++;
	return end;
}

static uint64_t
pairs_of(uint64_t size)
{
	return size * (size - 1) / 2;
}

/* The largest size of blocks with which all up to it have no more pairs. */
static uint32_t
choose_cap(const Entry *entries, size_t count, uint32_t cap, uint64_t budget, CrmMatchHost *host)
{
	uint64_t   *pairs = host->allocate(host, ((size_t) cap + 1) * sizeof(uint64_t));
	uint64_t	sum = 0;
	uint32_t	chosen = 1;

	memset(pairs, 0, ((size_t) cap + 1) * sizeof(uint64_t));
	for (size_t start = 0; start < count;)
	{
		size_t		end = end_of_block(entries, start, count);

		if (end - start <= cap)
			pairs[end - start] += pairs_of(end - start);
		start = end;
	}
	while (chosen < cap && sum + pairs[chosen + 1] <= budget)
		sum += pairs[++chosen];
	host->release(host, pairs);
	return chosen < LEAST_CAP ? (cap < LEAST_CAP ? cap : LEAST_CAP) : chosen;
}

/* The rule by whose keys blocks are best divided: with most pairs left. */
static int
choose_divider(const CrmMatchRecords *records, int rule, const Entry *entries, size_t count,
			   uint32_t cap, Entry *room, CrmMatchHost *host)
{
	uint64_t	most = 0;
	int			best = -1;

	for (int other = 0; other < records->model->rules; other++)
	{
		uint64_t	kept = 0;
		int			tried = 0;

		for (size_t start = 0; start < count && other != rule && tried < TRIED_BLOCKS;)
		{
			size_t		end = end_of_block(entries, start, count);
			Entry	   *sorted;
			uint32_t	n;

			if (end - start > cap)
			{
				sorted = divided_entries(records, entries + start, (uint32_t) (end - start), other, room, room + (end - start), &n);
				for (size_t i = 0; i < n;)
				{
					size_t		j = end_of_block(sorted, i, n);

					if (j - i <= cap)
						kept += pairs_of(j - i);
					i = j;
				}
				tried++;
			}
			start = end;
		}
		if (kept > most)
		{
			most = kept;
			best = other;
		}
		host->interrupt(host);
	}
	return best;
}

/* The changes and the large blocks of a division as they grow. */
typedef struct Growing
{
	CrmMatchDivision *division;
	size_t		changes_room;
	size_t		large_room;
	CrmMatchHost *host;
} Growing;

static void *
grow(void *memory, size_t count, size_t more, size_t *room, size_t size, CrmMatchHost *host)
{
	void	   *grown;

	if (count + more <= *room)
		return memory;
	*room = (count + more) * 2;
	grown = host->allocate(host, *room * size);
	if (count > 0)
		memcpy(grown, memory, count * size);
	if (memory != NULL)
		host->release(host, memory);
	return grown;
}

/*
 * Keeps the blocks of two records or more, in front of the entries that they
 * are made of: no block becomes larger.
 */
static void
keep_block(CrmMatchBlocks *blocks, const Entry *entries, size_t size)
{
	if (size < 2)
		return;
	memmove(blocks->entry + blocks->count, entries, size * sizeof(Entry));
	blocks->count += size;
	blocks->pairs += pairs_of(size);
}

/* Divides a block; its members are to get the new keys in place of the old one. */
static uint32_t
divide_block(const CrmMatchRecords *records, const Entry *block, uint32_t size, uint32_t cap, Entry *room, Growing *growing)
{
	CrmMatchDivision *division = growing->division;
	uint32_t	kept = 0;
	uint32_t	n = 0;
	Entry	   *sorted = division->divider < 0 ? room : divided_entries(records, block, size, division->divider, room, room + size, &n);
	CrmMatchChange *change;

	division->change = grow(division->change, division->changes, size, &growing->changes_room, sizeof(CrmMatchChange), growing->host);
	change = division->change + division->changes;
	division->changes += size;
	for (uint32_t i = 0; i < size; i++)
		change[i] = (CrmMatchChange) {block[i].record, block[i].key, 0};
	for (size_t i = 0; i < n;)
	{
		size_t		j = end_of_block(sorted, i, n);

		for (size_t k = i; k < j; k++)
		{
			uint32_t	place = sorted[k].record;

			if (j - i <= cap)
				change[place].new_key = sorted[k].key;
			sorted[k].record = change[place].record;
		}
		if (j - i <= cap)
			kept += (uint32_t) (j - i);
		i = j;
	}
	for (size_t i = 0; i < n;)
	{
		size_t		j = end_of_block(sorted, i, n);

		if (j - i <= cap)
			keep_block(&division->blocks, sorted + i, j - i);
		i = j;
	}
	return kept;
}

static void
divide_rule(const CrmMatchRecords *records, int r, CrmMatchCollected *collected, bool choose, uint32_t limit,
			uint64_t budget, CrmMatchDivision *division, CrmMatchHost *host)
{
	Growing		growing = {division, 0, 0, host};
	size_t		count = collected->count;
	Entry	   *entries = sort_entries(collected->entries, collected->entries + collected->room, count);
	uint32_t	cap = choose_cap(entries, count, limit, budget, host);
	size_t		largest = 0;
	Entry	   *room = NULL;

	for (size_t start = 0; start < count;)
	{
		size_t		end = end_of_block(entries, start, count);

		if (end - start > largest)
			largest = end - start;
		start = end;
	}
	division->blocks.entry = entries;
	if (largest > cap)
	{
		room = host->allocate(host, 2 * largest * sizeof(Entry));
		if (choose)
			division->divider = choose_divider(records, r, entries, count, cap, room, host);
	}
	for (size_t start = 0; start < count;)
	{
		size_t		end = end_of_block(entries, start, count);
		uint32_t	size = (uint32_t) (end - start);

		if (size <= cap)
			keep_block(&division->blocks, entries + start, size);
		else
		{
			uint32_t	kept = divide_block(records, entries + start, size, cap, room, &growing);

			if (size > limit)
			{
				division->large = grow(division->large, division->larges, 1, &growing.large_room, sizeof(CrmMatchLargeBlock), host);
				division->large[division->larges++] =
					(CrmMatchLargeBlock) {r, entries[start].key, size, division->divider, size - kept, entries[start].record};
			}
			host->interrupt(host);
		}
		start = end;
	}
	if (room != NULL)
		host->release(host, room);
}

void
crm_match_divide_rules(const CrmMatchRecords *records, int first, int last, bool choose, uint32_t limit,
					   double pairs_per_record, CrmMatchCollected *collected, CrmMatchDivision *division,
					   CrmMatchHost *host)
{
	double		wanted = pairs_per_record * records->count;
	uint64_t	budget = wanted < LEAST_BUDGET ? LEAST_BUDGET : wanted > 1e15 ? (uint64_t) 1e15 : (uint64_t) wanted;

	collect_rules(records, first, last, collected, host);
	for (int r = first; r < last; r++)
	{
		const CrmMatchRule *rule = &records->model->rule[r];

		division[r - first] = (CrmMatchDivision) {.divider = choose ? -1 : rule->divider};
		if (rule->made)
			divide_rule(records, r, &collected[r - first], choose, limit, budget, &division[r - first], host);
	}
}

/* Puts one key in the place of another. */
static void
replace_key(uint32_t *key, const CrmMatchRule *rule, uint32_t old_key, uint32_t new_key)
{
	uint32_t   *slot = key + rule->slot;
	int			count = 0;
	int			at;

	for (int i = 0; i < rule->slots && slot[i] != 0; i++)
		if (slot[i] != old_key)
			slot[count++] = slot[i];
	if (new_key != 0)
	{
		for (at = count; at > 0 && slot[at - 1] > new_key; at--)
			slot[at] = slot[at - 1];
		if (at == 0 || slot[at - 1] != new_key)
		{
			slot[at] = new_key;
			count++;
		}
	}
	for (int i = count; i < rule->slots; i++)
		slot[i] = 0;
}

void
crm_match_change_keys(const CrmMatchRecords *records, int r, const CrmMatchChange *change, size_t changes)
{
	for (size_t i = 0; i < changes; i++)
	{
		if (i + FAR_AHEAD < changes)
			fetch(crm_match_keys(records, change[i + FAR_AHEAD].record) + records->model->rule[r].slot);
		replace_key(crm_match_keys(records, change[i].record), &records->model->rule[r],
					change[i].old_key, change[i].new_key);
	}
}

void
crm_match_choose_made(CrmMatchModel *model)
{
	bool		changed = true;

	for (int r = 0; r < model->rules; r++)
		model->rule[r].made = !model->rule[r].idle;
	while (changed)
	{
		changed = false;
		for (int r = 0; r < model->rules; r++)
		{
			int			divider = model->rule[r].divider;

			if (model->rule[r].made && divider >= 0 && divider < model->rules && !model->rule[divider].made)
			{
				model->rule[divider].made = 1;
				changed = true;
			}
		}
	}
}

void
crm_match_clear_idle(CrmMatchRecords *records, CrmMatchHost *host)
{
	const CrmMatchModel *model = records->model;
	bool		any = false;

	for (int r = 0; r < model->rules; r++)
		any = any || (model->rule[r].idle && model->rule[r].made);
	for (uint32_t i = 0; i < records->count && any; i++)
	{
		uint32_t   *key = crm_match_keys(records, i);

		for (int r = 0; r < model->rules; r++)
			if (model->rule[r].idle && model->rule[r].made)
				memset(key + model->rule[r].slot, 0, model->rule[r].slots * sizeof(uint32_t));
		if ((i & 4095) == 0)
			host->interrupt(host);
	}
}
