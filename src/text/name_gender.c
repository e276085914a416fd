/*
 * name_gender.c
 *		Sex and kind of a part of a name, by endings and by a table.
 */
#include <string.h>

#include "text/name_char.h"
#include "text/name_gender.h"
#include "text/name_key.h"

#include "text/name_given_table.inc"

/* The end of a word in small letters, as much as the longest ending needs. */
#define TAIL 64

typedef struct Tail
{
	size_t		length;
	char		text[TAIL];
} Tail;

static void
lower_tail(Tail *tail, const char *s, size_t length)
{
	size_t		i = 0;

	/* Leave out signs at the end. */
	while (length > 0 && (s[length - 1] == '.' || s[length - 1] == ' '))
		length--;
	if (length > TAIL / 2)
	{
		i = length - TAIL / 2;
		while (i < length && (s[i] & 0xC0) == 0x80)
			i++;
	}
	tail->length = 0;
	while (i < length)
	{
		uint32_t	c;
		int			n = crm_utf8_decode(s + i, length - i, &c);

		if (n == 0)
		{
			i++;
			continue;
		}
		tail->length += crm_utf8_encode(crm_name_lower(c), tail->text + tail->length);
		i += n;
	}
}

/*
 * Whether the word ends with one of the endings (separated by spaces) and has
 * at least two bytes before it.
 */
static bool
ends(const Tail *tail, const char *endings)
{
	const char *end = tail->text + tail->length;

	while (*endings != '\0')
	{
		size_t		n = 0;

		while (endings[n] != ' ' && endings[n] != '\0')
			n++;
		if (tail->length >= n + 2 && endings[n - 1] == end[-1] &&
			memcmp(end - n, endings, n) == 0)
			return true;
		endings += n + (endings[n] == ' ');
	}
	return false;
}

/* Whether the word is one of the words. */
static bool
is_one_of(const Tail *tail, const char *words)
{
	while (*words != '\0')
	{
		size_t		n = 0;

		while (words[n] != ' ' && words[n] != '\0')
			n++;
		if (tail->length == n && memcmp(tail->text, words, n) == 0)
			return true;
		words += n + (words[n] == ' ');
	}
	return false;
}

static const char sons[] =
"оглы оглу огли угли ўғли улы уулу ұлы ogly oglu oğlu ogli ugli oğli uly uulu ulı";
static const char daughters[] =
"кызы гызы кизи қызы қизи kyzy kızı gizi qızı qizi gyzy kizi";

char
crm_name_patronymic_gender(const char *s, size_t length)
{
	Tail		tail;

	lower_tail(&tail, s, length);
	if (ends(&tail, "ич ыч іч ich ych ič yč ycz") || ends(&tail, sons))
		return 'm';
	if (ends(&tail, "вна чна шна ўна ыжна vna chna čna ична ichna wna") ||
		ends(&tail, daughters))
		return 'f';
	return 0;
}

bool
crm_name_is_patronymic(const char *s, size_t length)
{
	Tail		tail;

	lower_tail(&tail, s, length);
	return ends(&tail,
				"ович евич ьич ович йович авіч евіч "
				"овна евна ёвна ивна івна ївна аўна еўна "
				"инична ична ovich evich ovych evych ovič evič "
				"ovna evna ivna ichna ovitch evitch") ||
		is_one_of(&tail,
				  "ильич лукич кузьмич фомич никитич саввич савич силыч фокич "
				  "ионыч иваныч михалыч палыч сергеич андреич николаич алексеич "
				  "петрович василич григорич дмитрич степаныч семёныч семеныч "
				  "борисыч саныч ерёмич еремич гаврилыч данилыч кирилыч иониче "
				  "романыч федорыч фёдорыч егорыч макарыч захарыч антоныч "
				  "ilyich ilich kuzmich lukich fomich nikitich savvich") ||
		(tail.length > 8 && (ends(&tail, sons) || ends(&tail, daughters)) &&
		 memchr(tail.text, '-', tail.length) != NULL);
}

bool
crm_name_is_patronymic_word(const char *s, size_t length)
{
	Tail		tail;

	if (length > TAIL / 2)
		return false;
	lower_tail(&tail, s, length);
	return is_one_of(&tail, sons) || is_one_of(&tail, daughters);
}

char
crm_name_surname_gender(const char *s, size_t length)
{
	Tail		tail;

	lower_tail(&tail, s, length);
	if (ends(&tail, "ов ев ёв ский цкий ской цкой"))
		return 'm';
	if (ends(&tail, "ова ева ёва ская цкая"))
		return 'f';
	return 0;
}

int
crm_name_is_surname(const char *s, size_t length)
{
	Tail		tail;

	lower_tail(&tail, s, length);
	if (ends(&tail,
			 "ов ев ёв ова ева ёва ский цкий ской цкой ская цкая енко швили "
			 "ський ська цький цька sky skiy skii skaya skaia enko shvili"))
		return 2;
	return ends(&tail,
				"ин ын ина ына чук щук юк ых их ян янц дзе иани ого аго кий "
				"ov ev yov ova eva yova ski chuk yuk iuk yan ian dze "
				"off eff escu sson ssen") ? 1 : 0;
}

/*
 * The table of given names: two hash tables of 64-bit hashes, by the exact
 * name in small letters and by its key, made when first needed.
 */
#define SLOTS 8192
#define MALE 1
#define FEMALE 2

typedef struct Given
{
	uint64_t	hash;
	unsigned char sex;
} Given;

static Given by_name[SLOTS];
static Given by_key[SLOTS];
static bool table_made;

static uint64_t
hash_bytes(const char *s, size_t length)
{
	uint64_t	hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char) s[i]) * UINT64_C(0x100000001b3);
	return hash != 0 ? hash : 1;
}

static Given *
find_slot(Given *table, uint64_t hash)
{
	size_t		i = hash % SLOTS;

	while (table[i].hash != 0 && table[i].hash != hash)
		i = (i + 1) % SLOTS;
	return &table[i];
}

/* Longest given name that is looked up, in bytes. */
#define GIVEN_MAX 96

/* A name in small letters, yo as ye; 0 when it is no single short word. */
static size_t
lower_name(const char *s, size_t length, char *lower)
{
	size_t		used = 0;
	size_t		i = 0;

	if (length > GIVEN_MAX)
		return 0;
	while (i < length)
	{
		uint32_t	c;
		int			n = crm_utf8_decode(s + i, length - i, &c);

		if (n == 0)
			return 0;
		c = crm_name_lower(c);
		used += crm_utf8_encode(c == 0x451 ? 0x435 : c, lower + used);
		i += n;
	}
	return used;
}

static void
add_names(const char *names, unsigned char sex)
{
	while (*names != '\0')
	{
		const char *space = strchr(names, ' ');
		size_t		n = space != NULL ? (size_t) (space - names) : strlen(names);
		char		lower[2 * GIVEN_MAX];
		char		key[CRM_NAME_KEY_SIZE];
		size_t		used = lower_name(names, n, lower);
		uint64_t	hash = hash_bytes(lower, used);
		Given	   *given = find_slot(by_name, hash);

		given->hash = hash;
		given->sex |= sex;
		used = crm_name_key(names, n, CRM_NAME_RUSSIAN, key);
		hash = hash_bytes(key, used);
		given = find_slot(by_key, hash);
		given->hash = hash;
		given->sex |= sex;
		names += n + (space != NULL);
	}
}

char
crm_name_given_gender(const char *s, size_t length, bool *known)
{
	char		lower[2 * GIVEN_MAX];
	size_t		used = lower_name(s, length, lower);
	Given	   *given;

	*known = false;
	if (used == 0)
		return 0;
	if (!table_made)
	{
		add_names(male_names, MALE);
		add_names(female_names, FEMALE);
		add_names(common_names, MALE | FEMALE);
		table_made = true;
	}
	given = find_slot(by_name, hash_bytes(lower, used));
	if (given->hash == 0 && (unsigned char) s[0] < 0x80)
	{
		char		key[CRM_NAME_KEY_SIZE];

		/* A Latin word may be a romanisation that the list does not have. */
		used = crm_name_key(s, length, CRM_NAME_RUSSIAN, key);
		if (used >= 4)
			given = find_slot(by_key, hash_bytes(key, used));
	}
	if (given->hash == 0)
	{
		/* Anna-Maria: both parts are to be names, of one sex. */
		const char *hyphen = memchr(s, '-', length);
		bool		second;
		char		first_gender;
		char		second_gender;

		if (hyphen == NULL || hyphen == s)
			return 0;
		first_gender = crm_name_given_gender(s, hyphen - s, known);
		second_gender = crm_name_given_gender(hyphen + 1, s + length - hyphen - 1,
											  &second);
		*known = *known && second;
		if (!*known)
			return 0;
		if (first_gender != 0 && second_gender != 0 && first_gender != second_gender)
			return 0;
		return first_gender != 0 ? first_gender : second_gender;
	}
	*known = true;
	return given->sex == MALE ? 'm' : given->sex == FEMALE ? 'f' : 0;
}

char
crm_name_gender(const char *given, size_t given_length,
				const char *middle, size_t middle_length,
				const char *family, size_t family_length,
				char title, bool *conflict)
{
	char		by_patronymic = 0;
	char		by_given = 0;
	char		by_family = 0;
	bool		known;
	char		answer = 0;

	if (conflict != NULL)
		*conflict = false;
	if (middle != NULL)
		by_patronymic = crm_name_patronymic_gender(middle, middle_length);
	if (given != NULL)
	{
		const char *space = memchr(given, ' ', given_length);

		by_given = crm_name_given_gender(given, given_length, &known);
		if (!known && space != NULL)	/* Anna Maria */
			by_given = crm_name_given_gender(given, space - given, &known);
	}
	if (family != NULL)
		by_family = crm_name_surname_gender(family, family_length);

	if (by_patronymic != 0 && by_patronymic == by_given)
		by_family = 0;
	{
		const char	signs[] = {by_patronymic, by_given, title, by_family};

		for (int i = 0; i < 4; i++)
		{
			if (signs[i] == 0)
				continue;
			if (answer != 0 && answer != signs[i])
			{
				if (conflict != NULL)
					*conflict = true;
				return 0;
			}
			answer = signs[i];
		}
	}
	return answer;
}
