/*
 * feature.c
 *		From the values of a record to its feature.
 *
 * Text is folded by crm_name_key(), so that case, script, romanisation, marks
 * and doubled letters make no difference; what remains is mostly ASCII, one
 * byte a letter.  Of letters of scripts that are not folded one byte is kept:
 * enough to tell how many of them differ.
 */
#include <math.h>
#include <string.h>

#include "match/match.h"
#include "text/name_char.h"
#include "text/name_key.h"
#include "text/utf8.h"

/* ---- hashes ---- */

/* Finaliser of MurmurHash3. */
static inline uint64_t
finish(uint64_t h)
{
	h ^= h >> 33;
	h *= UINT64_C(0xFF51AFD7ED558CCD);
	h ^= h >> 33;
	h *= UINT64_C(0xC4CEB9FE1A85EC53);
	h ^= h >> 33;
	return h;
}

/* Never 0, which stands for null. */
uint64_t
crm_match_hash(const void *bytes, size_t length, uint64_t seed)
{
	const unsigned char *p = bytes;
	uint64_t	h = UINT64_C(0xCBF29CE484222325) ^ finish(seed + length);

	for (; length >= 8; length -= 8, p += 8)
	{
		uint64_t	word = 0;

		for (int i = 0; i < 8; i++)
			word |= (uint64_t) p[i] << (8 * i);
		h = finish(h ^ word) * UINT64_C(0x9E3779B97F4A7C15);
	}
	for (size_t i = 0; i < length; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001B3);
	h = finish(h);
	return h != 0 ? h : 1;
}

uint64_t
crm_match_mix(uint64_t a, uint64_t b)
{
	uint64_t	h = finish(a * UINT64_C(0x9E3779B97F4A7C15) + b);

	return h != 0 ? h : 1;
}

/* ---- counts ---- */

static void
counts_allocate(CrmMatchCounts *counts, size_t size)
{
	counts->size = size;
	counts->hash = counts->host->allocate(counts->host, size * sizeof(uint64_t));
	counts->number = counts->host->allocate(counts->host, size * sizeof(uint32_t));
	memset(counts->hash, 0, size * sizeof(uint64_t));
}

CrmMatchCounts *
crm_match_counts_make(CrmMatchHost *host)
{
	CrmMatchCounts *counts = host->allocate(host, sizeof(CrmMatchCounts));

	counts->host = host;
	counts->used = 0;
	counts->total = 0;
	counts_allocate(counts, 1024);
	return counts;
}

void
crm_match_counts_free(CrmMatchCounts *counts)
{
	counts->host->release(counts->host, counts->hash);
	counts->host->release(counts->host, counts->number);
	counts->host->release(counts->host, counts);
}

static inline size_t
first_place(const CrmMatchCounts *counts, uint64_t hash)
{
	/* Hashes of words have their bits above only. */
	return (size_t) ((hash ^ hash >> 32) & (counts->size - 1));
}

static inline size_t
counts_place(const CrmMatchCounts *counts, uint64_t hash)
{
	size_t		at = first_place(counts, hash);

	while (counts->hash[at] != 0 && counts->hash[at] != hash)
		at = (at + 1) & (counts->size - 1);
	return at;
}

void
crm_match_counts_add(CrmMatchCounts *counts, uint64_t hash, uint32_t number)
{
	size_t		at;

	if (counts->used * 4 >= counts->size * 3)
	{
		CrmMatchCounts old = *counts;

		counts_allocate(counts, old.size * 2);
		for (size_t i = 0; i < old.size; i++)
			if (old.hash[i] != 0)
			{
				at = counts_place(counts, old.hash[i]);
				counts->hash[at] = old.hash[i];
				counts->number[at] = old.number[i];
			}
		counts->host->release(counts->host, old.hash);
		counts->host->release(counts->host, old.number);
	}
	at = counts_place(counts, hash);
	if (counts->hash[at] == 0)
	{
		counts->hash[at] = hash;
		counts->number[at] = 0;
		counts->used++;
	}
	counts->number[at] += number;
	counts->total += number;
}

uint32_t
crm_match_counts_get(const CrmMatchCounts *counts, uint64_t hash)
{
	size_t		at = counts_place(counts, hash);

	return counts->hash[at] == 0 ? 0 : counts->number[at];
}

size_t
crm_match_counts_size(const CrmMatchCounts *counts)
{
	return counts->used;
}

uint64_t
crm_match_counts_total(const CrmMatchCounts *counts)
{
	return counts->total;
}

void
crm_match_counts_set_total(CrmMatchCounts *counts, uint64_t total)
{
	counts->total = total;
}

bool
crm_match_counts_next(const CrmMatchCounts *counts, size_t *at, uint64_t *hash, uint32_t *number)
{
	while (*at < counts->size)
	{
		size_t		i = (*at)++;

		if (counts->hash[i] != 0)
		{
			*hash = counts->hash[i];
			*number = counts->number[i];
			return true;
		}
	}
	return false;
}

/* ---- aliases ---- */

typedef struct Alias
{
	uint64_t	name;
	uint32_t	full[CRM_MATCH_ALIASES];
} Alias;

struct CrmMatchAliases
{
	CrmMatchHost *host;
	size_t		size;
	size_t		used;
	Alias	   *alias;
};

static void
aliases_allocate(CrmMatchAliases *aliases, size_t size)
{
	aliases->size = size;
	aliases->alias = aliases->host->allocate(aliases->host, size * sizeof(Alias));
	memset(aliases->alias, 0, size * sizeof(Alias));
}

CrmMatchAliases *
crm_match_aliases_make(CrmMatchHost *host)
{
	CrmMatchAliases *aliases = host->allocate(host, sizeof(CrmMatchAliases));

	aliases->host = host;
	aliases->used = 0;
	aliases_allocate(aliases, 1024);
	return aliases;
}

static Alias *
alias_place(const CrmMatchAliases *aliases, uint64_t name)
{
	size_t		at = (size_t) (name & (aliases->size - 1));

	while (aliases->alias[at].name != 0 && aliases->alias[at].name != name)
		at = (at + 1) & (aliases->size - 1);
	return &aliases->alias[at];
}

static uint64_t
hash_of_name(const char *name, size_t length)
{
	char		key[CRM_NAME_KEY_SIZE];
	size_t		n = crm_name_key(name, length, CRM_NAME_RUSSIAN, key);

	return n == 0 ? 0 : crm_match_hash(key, n, 0);
}

void
crm_match_aliases_add(CrmMatchAliases *aliases, const char *alias, size_t alias_length,
					  const char *full, size_t full_length)
{
	uint64_t	name = hash_of_name(alias, alias_length);
	uint32_t	meant = (uint32_t) hash_of_name(full, full_length);
	Alias	   *place;

	if (name == 0 || meant == 0)
		return;
	if (aliases->used * 2 >= aliases->size)
	{
		Alias	   *old = aliases->alias;
		size_t		old_size = aliases->size;

		aliases_allocate(aliases, old_size * 2);
		for (size_t i = 0; i < old_size; i++)
			if (old[i].name != 0)
				*alias_place(aliases, old[i].name) = old[i];
		aliases->host->release(aliases->host, old);
	}
	place = alias_place(aliases, name);
	if (place->name == 0)
	{
		place->name = name;
		aliases->used++;
	}
	for (int i = 0; i < CRM_MATCH_ALIASES; i++)
	{
		if (place->full[i] == meant)
			return;
		if (place->full[i] == 0)
		{
			place->full[i] = meant;
			return;
		}
	}
}

/* ---- layout ---- */

static int
value_size(CrmComparator comparator)
{
	switch (comparator)
	{
		case CRM_MATCH_EXACT:
			return (int) sizeof(CrmMatchExact);
		case CRM_MATCH_TEXT:
		case CRM_MATCH_NAME_PART:
		case CRM_MATCH_IDENTIFIER:
			return (int) sizeof(CrmMatchText);
		case CRM_MATCH_PERSON:
			return (int) sizeof(CrmMatchPerson);
		case CRM_MATCH_DATE:
			return (int) sizeof(CrmMatchDate);
		case CRM_MATCH_NUMBER:
			return (int) sizeof(CrmMatchNumber);
		case CRM_MATCH_EMAIL:
			return (int) sizeof(CrmMatchEmail);
		case CRM_MATCH_PHONE:
			return (int) sizeof(CrmMatchPhone);
		case CRM_MATCH_WORDS:
			return (int) sizeof(CrmMatchWords);
		default:
			return 0;
	}
}

/* How many keys a rule may give a record at most. */
static int
keys_of_rule(const CrmMatchModel *model, const CrmMatchRule *rule)
{
	int			keys = 1;

	for (int i = 0; i < rule->parts; i++)
	{
		CrmAspect	aspect = (CrmAspect) rule->part[i].aspect;

		keys *= aspect == CRM_ASPECT_RARE || aspect == CRM_ASPECT_PAIRS ? 3 : aspect == CRM_ASPECT_ANY ? 2 :
			model->field[rule->part[i].field].values;
	}
	return keys > 6 ? 6 : keys;
}

const char *
crm_match_layout(CrmMatchModel *model)
{
	int			offset = 0;
	int			slot = 0;

	if (model->fields < 1 || model->fields > CRM_MATCH_FIELDS)
		return "a model has 1 to 16 fields";
	if (model->rules < 1 || model->rules > CRM_MATCH_RULES)
		return "a model has 1 to 48 blocking rules";
	for (int i = 0; i < model->fields; i++)
	{
		CrmMatchField *field = &model->field[i];

		if (field->values < 1 || field->comparator == CRM_MATCH_PERSON || field->comparator == CRM_MATCH_WORDS)
			field->values = 1;
		if (field->values > CRM_MATCH_VALUES)
			field->values = CRM_MATCH_VALUES;
		field->offset = offset;
		offset += (value_size((CrmComparator) field->comparator) * field->values + 7) / 8 * 8;
	}
	model->feature_size = offset;
	for (int i = 0; i < model->rules; i++)
	{
		CrmMatchRule *rule = &model->rule[i];

		for (int j = 0; j < rule->parts; j++)
			if (rule->part[j].field < 0 || rule->part[j].field >= model->fields ||
				!crm_aspect_fits((CrmComparator) model->field[rule->part[j].field].comparator,
								 (CrmAspect) rule->part[j].aspect))
				return "a blocking rule names a property that its field has not";
		rule->made = 1;
		rule->divider = -1;
		rule->slot = slot;
		rule->slots = keys_of_rule(model, rule);
		slot += rule->slots;
	}
	if (slot > CRM_MATCH_SLOTS)
		return "the blocking rules give more than 96 keys a record";
	model->slots = slot;
	return NULL;
}

/* ---- values ---- */

/* One byte a letter; returns how many. */
static int
put_letters(const char *text, size_t length, uint8_t *letter, int most)
{
	int			count = 0;
	size_t		at = 0;

	while (at < length && count < most)
	{
		uint32_t	code;
		int			bytes = crm_utf8_decode(text + at, length - at, &code);

		letter[count++] = (uint8_t) (code < 0x80 ? code : 0x80 | (code & 0x7F));
		at += bytes > 0 ? bytes : 1;
	}
	return count;
}

/* Cyrillic a to ya, and yo and its kin, in Latin letters. */
static const char *const cyrillic[32] = {
	"a", "b", "v", "g", "d", "e", "zh", "z", "i", "i", "k", "l", "m", "n", "o", "p",
	"r", "s", "t", "u", "f", "kh", "ts", "ch", "sh", "sch", "", "y", "", "e", "yu", "ya"
};
static const char *const more_cyrillic[16] = {
	"e", "e", "d", "g", "e", "s", "i", "i", "j", "l", "n", "c", "k", "i", "u", "d"
};

/* Latin letters with marks: U+00C0 to U+017F without them. */
static const char latin[] =
"aaaaaaaceeeeiiiidnooooo ouuuuytsaaaaaaaceeeeiiiidnooooo ouuuuyty"
"aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkkllllllllll"
"nnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

/*
 * The letters of a text, as Latin ones without marks: what a typing error is
 * counted in.  Returns the length; script is that of the first letter.
 */
static size_t
spell(const char *text, size_t length, char *out, size_t size, uint8_t *script)
{
	size_t		n = 0;
	bool		gap = false;

	*script = CRM_SCRIPT_NONE;
	for (size_t at = 0; at < length && n + 8 < size;)
	{
		uint32_t	code;
		int			bytes = crm_utf8_decode(text + at, length - at, &code);
		CrmScript	kind;

		at += bytes > 0 ? bytes : 1;
		if (bytes == 0 || crm_name_is_mark(code) || crm_name_is_apostrophe(code))
			continue;
		code = crm_name_lower(code);
		kind = crm_name_script(code);
		if (kind == CRM_SCRIPT_NONE && !(code >= '0' && code <= '9'))
		{
			gap = n > 0;
			continue;
		}
		if (*script == CRM_SCRIPT_NONE)
			*script = (uint8_t) kind;
		if (gap)
			out[n++] = ' ';
		gap = false;
		if (code < 0x80)
			out[n++] = (char) code;
		else if (code >= 0xC0 && code < 0xC0 + sizeof(latin) - 1)
		{
			if (code == 0xDF)
				out[n++] = 's';
			out[n++] = latin[code - 0xC0];
		}
		else if (code >= 0x430 && code < 0x450)
			for (const char *c = cyrillic[code - 0x430]; *c != '\0'; c++)
				out[n++] = *c;
		else if (code >= 0x450 && code < 0x460)
			for (const char *c = more_cyrillic[code - 0x450]; *c != '\0'; c++)
				out[n++] = *c;
		else
			n += crm_utf8_encode(code, out + n);
	}
	return n;
}

static void
put_folded(CrmMatchText *value, const char *text, size_t length)
{
	char		key[CRM_NAME_KEY_SIZE];
	char		letters[256];
	size_t		n = crm_name_key(text, length, CRM_NAME_RUSSIAN, key);

	if (n == 0)
		return;
	value->hash = crm_match_hash(key, n, 0);
	n = spell(text, length, letters, sizeof(letters), &value->script);
	value->spelling = (uint32_t) crm_match_hash(letters, n, 9);
	value->length = (uint8_t) put_letters(letters, n, value->letter, CRM_MATCH_LETTERS);
}

/*
 * The place for one more value of a field that may have several; NULL when
 * there is none.  A place is free while its first eight bytes are 0.
 */
static void *
free_place(const CrmMatchField *field, uint8_t *feature)
{
	int			size = value_size((CrmComparator) field->comparator);

	for (int i = 0; i < field->values; i++)
	{
		uint8_t    *place = feature + field->offset + (size_t) i * size;
		uint64_t	hash;

		memcpy(&hash, place, sizeof(hash));
		if (hash == 0)
			return place;
	}
	return NULL;
}

/* Numbers of documents: letters and digits, nothing else. */
static void
put_identifier(CrmMatchText *value, const char *text, size_t length)
{
	char		kept[CRM_NAME_KEY_MAX_INPUT];
	size_t		n = 0;

	for (size_t i = 0; i < length && n < sizeof(kept); i++)
	{
		unsigned char c = (unsigned char) text[i];

		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		if (c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'))
			kept[n++] = (char) c;
	}
	if (n == 0)
		return;
	value->hash = crm_match_hash(kept, n, 0);
	value->spelling = (uint32_t) value->hash;
	value->length = (uint8_t) put_letters(kept, n, value->letter, CRM_MATCH_LETTERS);
}

static void
put_words(CrmMatchWords *value, const char *text, size_t length)
{
	char		key[CRM_NAME_KEY_SIZE];
	size_t		n = crm_name_key(text, length, CRM_NAME_RUSSIAN, key);

	for (size_t start = 0; start < n && value->count < CRM_MATCH_TOKENS;)
	{
		size_t		end = start;
		uint64_t	hash;
		uint32_t	word;
		int			at;

		while (end < n && key[end] != ' ')
			end++;
		hash = crm_match_hash(key + start, end - start, 0);
		word = (uint32_t) (hash >> 32);
		start = end + 1;
		for (at = 0; at < value->count && value->word[at] < word; at++)
			;
		if (at < value->count && value->word[at] == word)
			continue;
		memmove(value->word + at + 1, value->word + at, (value->count - at) * sizeof(uint32_t));
		value->word[at] = word;
		value->count++;
	}
	/* Of an array the words of all elements count. */
	if (value->count > 0)
		value->hash = crm_match_hash(value->word, value->count * sizeof(uint32_t), 10);
}

void
crm_match_put_text(const CrmMatchModel *model, uint8_t *feature, int field_number,
				   int part, const char *text, size_t length)
{
	const CrmMatchField *field = &model->field[field_number];
	void	   *place;

	switch (field->comparator)
	{
		case CRM_MATCH_PERSON:
			{
				CrmMatchPerson *person = (CrmMatchPerson *) (feature + field->offset);

				put_folded(part == 0 ? &person->given : &person->family, text, length);
				break;
			}
		case CRM_MATCH_WORDS:
			put_words((CrmMatchWords *) (feature + field->offset), text, length);
			break;
		case CRM_MATCH_EXACT:
			if ((place = free_place(field, feature)) != NULL)
			{
				CrmMatchText value = {0};

				put_folded(&value, text, length);
				/* Signs alone are a value, too. */
				if (value.hash == 0 && length > 0)
					value.hash = crm_match_hash(text, length, 1);
				((CrmMatchExact *) place)->hash = value.hash;
			}
			break;
		case CRM_MATCH_IDENTIFIER:
			if ((place = free_place(field, feature)) != NULL)
				put_identifier(place, text, length);
			break;
		case CRM_MATCH_TEXT:
		case CRM_MATCH_NAME_PART:
			if ((place = free_place(field, feature)) != NULL)
				put_folded(place, text, length);
			break;
		default:
			break;
	}
}

void
crm_match_put_number(const CrmMatchModel *model, uint8_t *feature, int field_number, double value)
{
	CrmMatchNumber *number = (CrmMatchNumber *) (feature + model->field[field_number].offset);

	if (isnan(value))
		return;
	number->value = value == 0 ? 0 : value; /* no negative zero */
	number->known = 1;
}

/* Days since 2000-01-01 in the Gregorian calendar. */
static int32_t
day_number(int year, int month, int day)
{
	int			y = month <= 2 ? year - 1 : year;
	int			m = month <= 2 ? month + 9 : month - 3;

	return 365 * y + (y >= 0 ? y / 4 - y / 100 + y / 400 : 0) + (153 * m + 2) / 5 + day - 730426;
}

void
crm_match_put_date(const CrmMatchModel *model, uint8_t *feature, int field_number,
				   int year, int month, int day)
{
	CrmMatchDate *date = (CrmMatchDate *) (feature + model->field[field_number].offset);

	/* What is no date is compared all the same: it may be one but for a digit. */
	if (year < 1 || year > 9999 || month < 0 || month > 99 || day < 0 || day > 99)
		return;
	date->year = (int16_t) year;
	date->month = (uint8_t) month;
	date->day_of_month = (uint8_t) day;
	date->day = day_number(year, month, day);
}

void
crm_match_put_email(const CrmMatchModel *model, uint8_t *feature, int field_number,
					const char *key, size_t length)
{
	const CrmMatchField *field = &model->field[field_number];
	CrmMatchEmail *email = free_place(field, feature);
	const char *at = NULL;

	if (email == NULL || length == 0)
		return;
	for (size_t i = length; i > 0 && at == NULL; i--)
		if (key[i - 1] == '@')
			at = key + i - 1;
	email->key = crm_match_hash(key, length, 2);
	if (at == NULL)
		return;
	email->local = crm_match_hash(key, at - key, 3);
	email->domain = (uint32_t) crm_match_hash(at + 1, key + length - at - 1, 4);
	email->length = (uint8_t) put_letters(key, at - key, email->letter, CRM_MATCH_LETTERS);
}

void
crm_match_put_phone(const CrmMatchModel *model, uint8_t *feature, int field_number,
					const char *digits, size_t length)
{
	const CrmMatchField *field = &model->field[field_number];
	CrmMatchPhone *phone = free_place(field, feature);

	if (phone == NULL || length == 0)
		return;
	phone->number = crm_match_hash(digits, length, 5);
	if (length >= 7)
		phone->tail = (uint32_t) crm_match_hash(digits + length - 7, 7, 6);
	phone->length = (uint8_t) put_letters(digits, length, phone->letter, CRM_MATCH_DIGITS);
}

void
crm_match_put_aliases(const CrmMatchModel *model, uint8_t *feature, const CrmMatchAliases *aliases)
{
	for (int i = 0; i < model->fields; i++)
	{
		const CrmMatchField *field = &model->field[i];
		CrmMatchPerson *person = (CrmMatchPerson *) (feature + field->offset);

		if (field->comparator == CRM_MATCH_PERSON && person->given.hash != 0)
			memcpy(person->alias, alias_place(aliases, person->given.hash)->full, sizeof(person->alias));
	}
}

/* ---- frequencies ---- */

/* The values of a field that are counted, and where their frequencies go. */
typedef struct Counted
{
	int			table;
	uint64_t	hash;
	float	   *frequency;
} Counted;

/* The frequencies of words go into rarity, of CRM_MATCH_TOKENS. */
static int
counted_values(const CrmMatchField *field, uint8_t *feature, Counted *counted, float *rarity)
{
	uint8_t    *place = feature + field->offset;
	int			count = 0;

	switch (field->comparator)
	{
		case CRM_MATCH_PERSON:
			{
				CrmMatchPerson *person = (CrmMatchPerson *) place;

				if (person->given.hash != 0 && person->family.hash != 0)
					counted[count++] = (Counted) {0, crm_match_mix(person->given.hash, person->family.hash), &person->frequency};
				if (person->family.hash != 0)
					counted[count++] = (Counted) {1, person->family.hash, &person->family.frequency};
				if (person->given.hash != 0)
					counted[count++] = (Counted) {2, person->given.hash, &person->given.frequency};
				return count;
			}
		case CRM_MATCH_WORDS:
			{
				CrmMatchWords *words = (CrmMatchWords *) place;

				if (words->hash != 0)
					counted[count++] = (Counted) {0, words->hash, &words->frequency};
				for (int i = 0; i < words->count; i++)
					counted[count++] = (Counted) {1, (uint64_t) words->word[i] << 32 | 1, &rarity[i]};
				return count;
			}
		case CRM_MATCH_DATE:
			{
				CrmMatchDate *date = (CrmMatchDate *) place;

				for (int i = 0; i < field->values; i++, date++)
					if (date->year != 0)
						counted[count++] = (Counted) {0, crm_match_mix((uint32_t) date->day, 7), &date->frequency};
				return count;
			}
		case CRM_MATCH_NUMBER:
			{
				CrmMatchNumber *number = (CrmMatchNumber *) place;

				if (number->known)
					counted[count++] = (Counted) {0, crm_match_hash(&number->value, sizeof(double), 8), &number->frequency};
				return count;
			}
		default:
			for (int i = 0; i < field->values; i++)
			{
				float	   *frequency = NULL;
				uint64_t	hash;

				memcpy(&hash, place, sizeof(hash));
				switch (field->comparator)
				{
					case CRM_MATCH_EXACT:
						frequency = &((CrmMatchExact *) place)->frequency;
						break;
					case CRM_MATCH_EMAIL:
						frequency = &((CrmMatchEmail *) place)->frequency;
						break;
					case CRM_MATCH_PHONE:
						frequency = &((CrmMatchPhone *) place)->frequency;
						break;
					default:
						frequency = &((CrmMatchText *) place)->frequency;
						break;
				}
				if (hash != 0)
					counted[count++] = (Counted) {0, hash, frequency};
				place += value_size((CrmComparator) field->comparator);
			}
			return count;
	}
}

/* All counted values of a feature; memory for their places is asked for. */
#define MOST_COUNTED (CRM_MATCH_FIELDS * (CRM_MATCH_TOKENS + 1))

static int
all_counted(const CrmMatchModel *model, uint8_t *feature, const CrmMatchFrequencies *frequencies,
			Counted *counted, const CrmMatchCounts **table, float (*rarity)[CRM_MATCH_TOKENS])
{
	int			all = 0;

	for (int i = 0; i < model->fields; i++)
	{
		int			count = counted_values(&model->field[i], feature, counted + all, rarity[i]);

		for (int j = 0; j < count; j++, all++)
		{
			table[all] = frequencies->table[i][counted[all].table];
#ifdef __GNUC__
			size_t		at = first_place(table[all], counted[all].hash);

			__builtin_prefetch(&table[all]->hash[at]);
			__builtin_prefetch(&table[all]->number[at]);
#endif
		}
	}
	return all;
}

void
crm_match_count_field(const CrmMatchModel *model, const uint8_t *feature, int field,
					  CrmMatchFrequencies *frequencies)
{
	Counted		counted[CRM_MATCH_TOKENS + 1];
	float		rarity[CRM_MATCH_TOKENS];
	int			count = counted_values(&model->field[field], (uint8_t *) feature, counted, rarity);

	for (int i = 0; i < count; i++)
		crm_match_counts_add(frequencies->table[field][counted[i].table], counted[i].hash, 1);
}

void
crm_match_set_frequencies(const CrmMatchModel *model, uint8_t *feature,
						  const CrmMatchFrequencies *frequencies)
{
	Counted		counted[MOST_COUNTED];
	const CrmMatchCounts *table[MOST_COUNTED];
	float		rarities[CRM_MATCH_FIELDS][CRM_MATCH_TOKENS];
	int			count = all_counted(model, feature, frequencies, counted, table, rarities);

	for (int i = 0; i < count; i++)
	{
		uint32_t	number = crm_match_counts_get(table[i], counted[i].hash);
		uint64_t	total = crm_match_counts_total(table[i]);

		if (number < 1)
			number = 1;
		if (total < number)
			total = number;
		*counted[i].frequency = (float) log2((double) number / (double) total);
	}
	for (int i = 0; i < model->fields; i++)
	{
		const CrmMatchField *field = &model->field[i];
		const float *rarity = rarities[i];

		if (field->comparator == CRM_MATCH_WORDS)
		{
			CrmMatchWords *words = (CrmMatchWords *) (feature + field->offset);

			/* A word counts by how rare it is. */
			words->total = 0;
			for (int j = 0; j < words->count; j++)
			{
				float		bits = -rarity[j] * 8;

				words->rarity[j] = bits < 1 ? 1 : bits > 255 ? 255 : (uint8_t) bits;
				words->total += words->rarity[j];
			}
		}
	}
}
