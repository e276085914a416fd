/*
 * phone_key.c
 *		The stored form of a phone number, its text form, its orders.
 */
#include <string.h>

#include "type/phone.h"

/*
 * below[i]: how many digit strings begin with given i digits, these included:
 * 1 + 10 + ... + 10^(15 - i).
 */
static const uint64_t below[CRM_PHONE_DIGITS + 1] = {
	UINT64_C(1111111111111111), UINT64_C(111111111111111), UINT64_C(11111111111111),
	UINT64_C(1111111111111), UINT64_C(111111111111), UINT64_C(11111111111),
	UINT64_C(1111111111), UINT64_C(111111111), UINT64_C(11111111), UINT64_C(1111111),
	UINT64_C(111111), UINT64_C(11111), UINT64_C(1111), UINT64_C(111), UINT64_C(11),
	UINT64_C(1)
};

/* What a number of i digits is multiplied by to be followed by 15 - i zeros, and
 * one more: power[15 - i]. */
static const uint64_t power[CRM_PHONE_DIGITS + 1] = {
	UINT64_C(10), UINT64_C(100), UINT64_C(1000), UINT64_C(10000), UINT64_C(100000),
	UINT64_C(1000000), UINT64_C(10000000), UINT64_C(100000000), UINT64_C(1000000000),
	UINT64_C(10000000000), UINT64_C(100000000000), UINT64_C(1000000000000),
	UINT64_C(10000000000000), UINT64_C(100000000000000), UINT64_C(1000000000000000),
	UINT64_C(10000000000000000)
};

/* Position of the digits in the order of a dictionary; see phone.h. */
uint64_t
crm_phone_rank(const char *digits, int length)
{
	/*
	 * Each digit counts itself and, below[i + 1] times its value, what smaller
	 * ones begin.  Below is a row of ones, a ninth of a power of ten less one,
	 * so the sum is a ninth of the number that the digits are, less their sum.
	 */
	uint64_t	number = 0;
	unsigned	sum = 0;

	for (int i = 0; i < length; i++)
	{
		unsigned	digit = (unsigned) (digits[i] - '0');

		number = number * 10 + digit;
		sum += digit;
	}
	return (uint64_t) length + (number * power[CRM_PHONE_DIGITS - length] - sum) / 9;
}

/* The digits of a rank, with an end; returns their number. */
int
crm_phone_unrank(uint64_t rank, char *digits)
{
	int			length = 0;

	while (rank > 0 && length < CRM_PHONE_DIGITS)
	{
		uint64_t	digit;

		rank--;
		digit = rank / below[length + 1];
		rank -= digit * below[length + 1];
		digits[length++] = (char) ('0' + digit);
	}
	digits[length] = '\0';
	return length;
}

/* Writes at most CRM_PHONE_MAX_BYTES bytes; returns their number. */
int
crm_phone_pack(const CrmPhone *phone, uint8_t *bytes)
{
	uint64_t	key = crm_phone_rank(phone->digits, phone->length) << 6 |
		(phone->ext_length > 0);
	int			used = CRM_PHONE_KEY_BYTES;

	for (int i = 0; i < CRM_PHONE_KEY_BYTES; i++)
		bytes[i] = (uint8_t) (key >> (8 * (CRM_PHONE_KEY_BYTES - 1 - i)));
	for (int i = 0; i < phone->ext_length; i += 2)
	{
		unsigned	high = phone->ext[i] - '0' + 1;
		unsigned	low = i + 1 < phone->ext_length ? phone->ext[i + 1] - '0' + 1 : 0;

		bytes[used++] = (uint8_t) (high << 4 | low);
	}
	return used;
}

/* The reverse; false when the bytes are none that crm_phone_pack() writes. */
bool
crm_phone_unpack(const uint8_t *bytes, int length, CrmPhone *phone)
{
	uint64_t	key = 0;

	if (length < CRM_PHONE_KEY_BYTES || length > CRM_PHONE_MAX_BYTES)
		return false;
	for (int i = 0; i < CRM_PHONE_KEY_BYTES; i++)
		key = key << 8 | bytes[i];
	if ((key & 0x3E) != 0 || (key & 1) != (uint64_t) (length > CRM_PHONE_KEY_BYTES) ||
		key >> 6 >= below[0])
		return false;
	phone->length = (uint8_t) crm_phone_unrank(key >> 6, phone->digits);
	phone->ext_length = 0;
	for (int i = CRM_PHONE_KEY_BYTES; i < length; i++)
	{
		unsigned	high = bytes[i] >> 4;
		unsigned	low = bytes[i] & 0x0F;

		if (high < 1 || high > 10 || low > 10 || (low == 0 && i + 1 < length))
			return false;
		phone->ext[phone->ext_length++] = (char) ('0' + high - 1);
		if (low > 0)
			phone->ext[phone->ext_length++] = (char) ('0' + low - 1);
	}
	phone->ext[phone->ext_length] = '\0';
	return true;
}

static bool
all_digits(const char *s, int length)
{
	for (int i = 0; i < length; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return true;
}

/*
 * Whether the value may be stored.  No country code begins with 0, so such
 * digits are no number in any plan, present or future.
 */
bool
crm_phone_storable(const CrmPhone *phone)
{
	return phone->length >= CRM_PHONE_LEAST_DIGITS &&
		phone->length <= CRM_PHONE_DIGITS &&
		phone->ext_length <= CRM_PHONE_EXTENSION &&
		phone->digits[0] != '0' &&
		all_digits(phone->digits, phone->length) &&
		all_digits(phone->ext, phone->ext_length);
}

bool
crm_phone_read_canonical(const char *s, size_t length, CrmPhone *phone)
{
	size_t		i = 1;
	size_t		ext;

	if (length < 1 + CRM_PHONE_LEAST_DIGITS || length >= CRM_PHONE_TEXT ||
		s[0] != '+' || s[1] == '0')
		return false;
	while (i < length && s[i] >= '0' && s[i] <= '9')
		i++;
	if (i < 1 + CRM_PHONE_LEAST_DIGITS || i > 1 + CRM_PHONE_DIGITS)
		return false;
	phone->length = (uint8_t) (i - 1);
	memcpy(phone->digits, s + 1, i - 1);
	phone->digits[i - 1] = '\0';
	phone->ext_length = 0;
	phone->ext[0] = '\0';
	if (i == length)
		return true;
	if (length - i < 6 || memcmp(s + i, ";ext=", 5) != 0)
		return false;
	i += 5;
	ext = length - i;
	if (ext > CRM_PHONE_EXTENSION || !all_digits(s + i, (int) ext))
		return false;
	phone->ext_length = (uint8_t) ext;
	memcpy(phone->ext, s + i, ext);
	phone->ext[ext] = '\0';
	return true;
}

/* Writes the text form with its end (CRM_PHONE_TEXT); returns its length. */
int
crm_phone_text(const CrmPhone *phone, char *text)
{
	int			used = 0;

	text[used++] = '+';
	memcpy(text + used, phone->digits, phone->length);
	used += phone->length;
	if (phone->ext_length > 0)
	{
		memcpy(text + used, ";ext=", 5);
		used += 5;
		memcpy(text + used, phone->ext, phone->ext_length);
		used += phone->ext_length;
	}
	text[used] = '\0';
	return used;
}

static int
compare_strings(const char *a, int a_length, const char *b, int b_length)
{
	int			order = memcmp(a, b, a_length < b_length ? a_length : b_length);

	return order != 0 ? order : a_length - b_length;
}

/* The order of the stored bytes. */
int
crm_phone_compare(const CrmPhone *a, const CrmPhone *b)
{
	int			order = compare_strings(a->digits, a->length, b->digits, b->length);

	return order != 0 ? order :
		compare_strings(a->ext, a->ext_length, b->ext, b->ext_length);
}

/* The order of the digits read from the last to the first, then the extension. */
int
crm_phone_compare_reversed(const CrmPhone *a, const CrmPhone *b)
{
	int			common = a->length < b->length ? a->length : b->length;

	for (int i = 1; i <= common; i++)
	{
		int			order = a->digits[a->length - i] - b->digits[b->length - i];

		if (order != 0)
			return order;
	}
	if (a->length != b->length)
		return (int) a->length - (int) b->length;
	return compare_strings(a->ext, a->ext_length, b->ext, b->ext_length);
}

/*
 * The least and the greatest value whose digits begin with the given ones or,
 * from_end, end with them.  The bounds themselves need not be phone numbers.
 */
void
crm_phone_prefix_bounds(const char *digits, int length, bool from_end,
						CrmPhone *low, CrmPhone *high)
{
	int			fill = CRM_PHONE_DIGITS - length;

	memset(low, 0, sizeof(*low));
	memset(high, 0, sizeof(*high));
	low->length = (uint8_t) length;
	memcpy(low->digits, digits, length);
	high->length = CRM_PHONE_DIGITS;
	memcpy(high->digits + (from_end ? fill : 0), digits, length);
	memset(high->digits + (from_end ? 0 : length), '9', fill);
	high->ext_length = CRM_PHONE_EXTENSION;
	memset(high->ext, '9', CRM_PHONE_EXTENSION);
}

/*
 * The digits of what somebody types to look for a number: digits and ordinary
 * separators, perhaps a plus before.  Returns their number, at most
 * CRM_PHONE_DIGITS, or -1 when no number can match.
 */
int
crm_phone_pattern_digits(const char *s, size_t length, bool plus_allowed, char *digits)
{
	int			count = 0;
	bool		plus = false;

	for (size_t i = 0; i < length; i++)
	{
		char		c = s[i];

		if (c >= '0' && c <= '9')
		{
			if (count == CRM_PHONE_DIGITS)
				return -1;
			digits[count++] = c;
		}
		else if (c == '+')
		{
			if (!plus_allowed || plus || count > 0)
				return -1;
			plus = true;
		}
		else if (c != ' ' && c != '-' && c != '(' && c != ')' && c != '.')
			return -1;
	}
	return count;
}
