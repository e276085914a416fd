/*
 * contact_set_text.c
 *		The text of a set: {1,5,7..9}, or roaring: and base 64.
 */
#include <limits.h>
#include <string.h>

#include "type/contact_set.h"

#define ROARING "roaring:"
#define ROARING_LENGTH 8
#define TICK_RANGES 65536

/* ---------------- base 64 ---------------- */

static const char digit64[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static char *
write64(const uint8_t *bytes, size_t size, char *p)
{
	for (size_t i = 0; i < size; i += 3)
	{
		size_t		left = size - i;
		uint32_t	three = (uint32_t) bytes[i] << 16 |
			(left > 1 ? bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);

		*p++ = digit64[three >> 18];
		*p++ = digit64[three >> 12 & 63];
		*p++ = left > 1 ? digit64[three >> 6 & 63] : '=';
		*p++ = left > 2 ? digit64[three & 63] : '=';
	}
	return p;
}

static int
value64(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Returns the number of bytes, or -1 when it is not base 64. */
static int64_t
read64(const char *text, size_t length, uint8_t *bytes)
{
	int64_t		size = 0;
	uint32_t	bits = 0;

	if (length % 4 != 0)
		return -1;
	for (int pad = 0; length > 0 && pad < 2 && text[length - 1] == '='; pad++)
		length--;
	for (size_t i = 0; i < length; i++)
	{
		int			value = value64(text[i]);

		if (value < 0)
			return -1;
		bits = bits << 6 | (uint32_t) value;
		if (i % 4 != 0)
			bytes[size++] = (uint8_t) (bits >> (6 - 2 * (i % 4)));
	}
	return size;
}

/* ---------------- reading ---------------- */

typedef struct Scan
{
	const char *text;
	const char *at;
	const char *end;
	CrmCheck   *check;
} Scan;

static int
position(const Scan *scan)
{
	return scan->at - scan->text > INT_MAX ? -1 : (int) (scan->at - scan->text);
}

static bool
bad(Scan *scan, const char *code, const char *message, const char *hint)
{
	crm_check_set(scan->check, CRM_CHECK_BAD, code, position(scan), "%s", message);
	if (hint != NULL)
		crm_check_hint(scan->check, "%s", hint);
	return false;
}

static void
skip_space(Scan *scan)
{
	while (scan->at < scan->end &&
		   (*scan->at == ' ' || (*scan->at >= '\t' && *scan->at <= '\r')))
		scan->at++;
}

static bool
is_next(const Scan *scan, const char *token)
{
	size_t		length = strlen(token);

	return (size_t) (scan->end - scan->at) >= length && memcmp(scan->at, token, length) == 0;
}

static bool
read_id(Scan *scan, int64_t *id)
{
	const char *begin = scan->at;
	bool		minus = false;
	uint64_t	value = 0;
	uint64_t	most = INT64_MAX;

	if (scan->at < scan->end && (*scan->at == '-' || *scan->at == '+'))
	{
		minus = *scan->at == '-';
		scan->at++;
		most += minus;
	}
	if (scan->at == scan->end || *scan->at < '0' || *scan->at > '9')
	{
		char		shown[32];
		size_t		left = scan->end - scan->at;
		size_t		width = 1;

		/* all of a character */
		while (width < left && width < 4 && (scan->at[width] & 0xC0) == 0x80)
			width++;
		if (left == 0)
			return bad(scan, "CONTACT_SET_BRACES", "There is no \"}\" at the end.", NULL);
		crm_printable(shown, sizeof(shown), scan->at, width);
		crm_check_set(scan->check, CRM_CHECK_BAD, "CONTACT_SET_NUMBER", position(scan),
					  "At character %d an id is expected, and there is \"%s\".",
					  position(scan) + 1, shown);
		if (*scan->at == '}')
			crm_check_hint(scan->check, "After a comma and after two dots another id must follow.");
		return false;
	}
	while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
	{
		unsigned	digit = *scan->at - '0';

		if (value > (most - digit) / 10)
		{
			scan->at = begin;
			return bad(scan, "CONTACT_SET_BIG_NUMBER", "An id is out of the range of bigint.", NULL);
		}
		value = value * 10 + digit;
		scan->at++;
	}
	*id = (int64_t) (minus ? -value : value);
	return true;
}

static bool
read_range(Scan *scan, CrmSetRange *range)
{
	const char *begin = scan->at;

	if (!read_id(scan, &range->first))
		return false;
	range->last = range->first;
	skip_space(scan);
	if (is_next(scan, ".."))
	{
		scan->at += 2;
		skip_space(scan);
		if (!read_id(scan, &range->last))
			return false;
		if (range->last < range->first)
		{
			scan->at = begin;
			return bad(scan, "CONTACT_SET_RANGE",
					   "A range begins with its smaller id: first..last.", NULL);
		}
		skip_space(scan);
	}
	return true;
}

/* The ranges within the braces; the caller releases *ranges. */
static bool
read_ranges(Scan *scan, const CrmSetHost *host, CrmSetRange **ranges, size_t *count)
{
	size_t		room = 0;

	skip_space(scan);
	if (is_next(scan, "}"))
		return true;
	for (;;)
	{
		if (*count == room)
		{
			room = room == 0 ? 16 : room * 2;
			*ranges = host->resize(*ranges, room * sizeof(CrmSetRange));
		}
		if (*count % TICK_RANGES == 0)
			host->tick();
		skip_space(scan);
		if (!read_range(scan, &(*ranges)[(*count)++]))
			return false;
		if (is_next(scan, "}"))
			return true;
		if (!is_next(scan, ","))
		{
			if (scan->at == scan->end)
				return bad(scan, "CONTACT_SET_BRACES", "There is no \"}\" at the end.", NULL);
			if (*scan->at == '-' || is_next(scan, "\xE2\x80\x93") || is_next(scan, "\xE2\x80\xA6"))
				return bad(scan, "CONTACT_SET_COMMA", "Between ids a comma is expected.",
						   "A range is written with two dots: 7..9.");
			return bad(scan, "CONTACT_SET_COMMA", "Between ids a comma is expected.", NULL);
		}
		scan->at++;
	}
}

static CrmSet *
read_roaring_text(Scan *scan, const CrmSetHost *host)
{
	const char *begin = scan->at + ROARING_LENGTH;
	const char *end = scan->end;
	uint8_t    *bytes;
	int64_t		size;
	CrmSet	   *set = NULL;

	while (end > begin && (end[-1] == ' ' || (end[-1] >= '\t' && end[-1] <= '\r')))
		end--;
	bytes = host->resize(NULL, (end - begin) / 4 * 3 + 3);
	size = read64(begin, end - begin, bytes);
	if (size < 0)
		bad(scan, "CONTACT_SET_ROARING", "What follows \"roaring:\" is not base 64.", NULL);
	else
		set = crm_set_read_roaring(bytes, size, host, scan->check);
	host->release(bytes);
	return set;
}

CrmSet *
crm_set_read_text(const char *text, size_t length, const CrmSetHost *host, CrmCheck *check)
{
	Scan		scan = {text, text, text + length, check};
	CrmSetRange *ranges = NULL;
	size_t		count = 0;
	CrmSet	   *set = NULL;
	bool		good;

	crm_check_init(check);
	skip_space(&scan);
	if (is_next(&scan, ROARING))
		return read_roaring_text(&scan, host);
	if (!is_next(&scan, "{"))
	{
		bad(&scan, "CONTACT_SET_BRACES", "A set begins with \"{\".",
			"It is written like {1,5,7..9}; the empty set is {}.");
		return NULL;
	}
	scan.at++;
	good = read_ranges(&scan, host, &ranges, &count);
	if (good)
	{
		scan.at++;
		skip_space(&scan);
		if (scan.at < scan.end)
			good = bad(&scan, "CONTACT_SET_BRACES", "There is more after the \"}\".", NULL);
	}
	if (good)
	{
		set = crm_set_from_ranges(ranges, count, host);
		if (set == NULL)
			bad(&scan, "CONTACT_SET_TOO_BIG", "The set would take more than 512 MB.",
				"Ids without gaps take 20 bytes for each 65536 of them.");
	}
	if (ranges != NULL)
		host->release(ranges);
	return set;
}

/* ---------------- writing ---------------- */

/* Longest piece: a comma, two ids of 20 characters, two dots, a brace, NUL. */
#define PIECE 48

typedef struct Text
{
	char	   *start;
	size_t		length;
	size_t		room;
	const CrmSetHost *host;
} Text;

static char *
write_id(char *p, int64_t id)
{
	char		digit[20];
	int			n = 0;
	uint64_t	value = id < 0 ? -(uint64_t) id : (uint64_t) id;

	if (id < 0)
		*p++ = '-';
	do
	{
		digit[n++] = '0' + value % 10;
		value /= 10;
	} while (value > 0);
	while (n > 0)
		*p++ = digit[--n];
	return p;
}

static void
write_range(Text *text, int64_t first, int64_t last)
{
	char	   *p;

	if (text->room - text->length < 2 * PIECE)
	{
		text->room *= 2;
		text->start = text->host->resize(text->start, text->room);
	}
	p = text->start + text->length;
	if (text->length > 1)
		*p++ = ',';
	p = write_id(p, first);
	if (last != first)
	{
		if (last - 1 == first)
			*p++ = ',';
		else
		{
			*p++ = '.';
			*p++ = '.';
		}
		p = write_id(p, last);
	}
	text->length = p - text->start;
}

char *
crm_set_write_text(const CrmSet *set, size_t max_text, const CrmSetHost *host, size_t *length)
{
	Text		text = {NULL, 1, 256, host};
	uint16_t   *low = host->resize(NULL, CRM_SET_CHUNK_IDS * sizeof(uint16_t));
	int64_t		first = 0;
	int64_t		last = 0;
	bool		open = false;

	text.start = host->resize(NULL, text.room);
	text.start[0] = '{';
	for (uint32_t i = 0; i < set->chunks && text.length < max_text; i++)
	{
		const CrmSetChunk *chunk = &set->chunk[i];
		const void *body = crm_chunk_body(set, chunk);
		const CrmSetRun *run = body;
		uint32_t	pieces = chunk->runs;

		host->tick();
		if (pieces == 0)
			pieces = crm_chunk_decode(chunk, body, low);
		for (uint32_t k = 0; k < pieces; k++)
		{
			int64_t		from = crm_set_id(chunk->key, chunk->runs > 0 ? run[k].first : low[k]);
			int64_t		to = from + (chunk->runs > 0 ? run[k].more : 0);

			if (open && from == last + 1)
				last = to;
			else
			{
				if (open)
					write_range(&text, first, last);
				first = from;
				last = to;
				open = true;
			}
		}
	}
	host->release(low);
	if (open)
		write_range(&text, first, last);
	text.start[text.length++] = '}';
	if (text.length > max_text)
	{
		size_t		size = crm_set_roaring_size(set);
		uint8_t    *bytes = host->resize(NULL, size);

		host->release(text.start);
		crm_set_write_roaring(set, bytes, host);
		text.start = host->resize(NULL, ROARING_LENGTH + (size + 2) / 3 * 4 + 1);
		memcpy(text.start, ROARING, ROARING_LENGTH);
		text.length = write64(bytes, size, text.start + ROARING_LENGTH) - text.start;
		host->release(bytes);
	}
	text.start[text.length] = '\0';
	*length = text.length;
	return text.start;
}
