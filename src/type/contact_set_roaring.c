/*
 * contact_set_roaring.c
 *		The portable form of Roaring bitmaps, 64-bit (RoaringFormatSpec), which
 *		other programs read and write: pyroaring, the Java, Go and Rust
 *		libraries, CRoaring.  It is also what is sent in binary form.
 *
 * All numbers are little-endian:
 *
 *	8			number of bitmaps
 *	of each, ascending as unsigned:
 *	4			upper 32 bits of its ids
 *				a 32-bit bitmap:
 *	4			12346, then 4 bytes: number n of containers; or, when a container
 *				is one of runs, 12347 with n - 1 in the upper 16 bits, then
 *				(n + 7) / 8 bytes: which containers are
 *	4 * n		of each container: bits 16 to 31 of its ids, members less 1
 *	4 * n		where each container begins, from the cookie; not there when
 *				there are containers of runs and n < 4
 *				the containers: runs (2 bytes their number, 4 bytes each: first
 *				member, length less 1), an array (2 bytes a member), or, of more
 *				than 4096 members, a bitmap (8192 bytes)
 */
#include <string.h>

#include "type/contact_set.h"

#define COOKIE_PLAIN 12346
#define COOKIE_RUNS 12347
#define OFFSETS_FROM 4			/* containers */
#define TICK_CHUNKS 1024

/* ---------------- numbers, little-endian ---------------- */

static uint16_t
get16(const uint8_t *p)
{
	return (uint16_t) (p[0] | p[1] << 8);
}

static uint32_t
get32(const uint8_t *p)
{
	return get16(p) | (uint32_t) get16(p + 2) << 16;
}

static uint64_t
get64(const uint8_t *p)
{
	return get32(p) | (uint64_t) get32(p + 4) << 32;
}

static uint8_t *
put16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t) value;
	p[1] = value >> 8;
	return p + 2;
}

static uint8_t *
put32(uint8_t *p, uint32_t value)
{
	return put16(put16(p, (uint16_t) value), value >> 16);
}

static uint8_t *
put64(uint8_t *p, uint64_t value)
{
	return put32(put32(p, (uint32_t) value), value >> 32);
}

/* ---------------- reading ---------------- */

typedef struct Reader
{
	const uint8_t *at;
	const uint8_t *begin;
	const uint8_t *end;
	CrmSetBuilder *builder;
	CrmCheck   *check;
	union
	{
		uint16_t	low[CRM_SET_ARRAY_MAX];
		CrmSetRun	run[CRM_SET_CHUNK_IDS / 2];
		uint64_t	words[CRM_SET_WORDS];
	}			body;
} Reader;

static bool
bad(Reader *reader, const char *what)
{
	crm_check_set(reader->check, CRM_CHECK_BAD, "CONTACT_SET_ROARING",
				  (int) (reader->at - reader->begin), "At byte %lld of the Roaring form: %s.",
				  (long long) (reader->at - reader->begin), what);
	return false;
}

static bool
need(Reader *reader, size_t size)
{
	return (size_t) (reader->end - reader->at) >= size || bad(reader, "it ends too early");
}

static bool
read_runs(Reader *reader, int64_t key, uint32_t count)
{
	CrmSetRun  *run = reader->body.run;
	uint32_t	kept = 0;
	uint32_t	runs;
	uint32_t	members = 0;
	int64_t		end = -1;		/* of the run before */

	if (!need(reader, 2))
		return false;
	runs = get16(reader->at);
	reader->at += 2;
	if (!need(reader, 4 * (size_t) runs))
		return false;
	for (uint32_t i = 0; i < runs; i++, reader->at += 4)
	{
		uint16_t	first = get16(reader->at);
		uint16_t	more = get16(reader->at + 2);

		if (first <= end || (uint32_t) first + more >= CRM_SET_CHUNK_IDS)
			return bad(reader, "runs overlap or are not ascending");
		members += (uint32_t) more + 1;
		if (kept > 0 && first == end + 1)
			run[kept - 1].more += more + 1; /* some write them so */
		else
		{
			run[kept].first = first;
			run[kept++].more = more;
		}
		end = (int64_t) first + more;
	}
	if (members != count)
		return bad(reader, "the number of members is not that of its container of runs");
	crm_build_runs(reader->builder, key, run, kept);
	return true;
}

static bool
read_array(Reader *reader, int64_t key, uint32_t count)
{
	uint16_t   *low = reader->body.low;

	if (!need(reader, 2 * (size_t) count))
		return false;
	for (uint32_t i = 0; i < count; i++, reader->at += 2)
	{
		low[i] = get16(reader->at);
		if (i > 0 && low[i] <= low[i - 1])
			return bad(reader, "members of an array are not ascending");
	}
	crm_build_array(reader->builder, key, low, count);
	return true;
}

static bool
read_bitmap(Reader *reader, int64_t key, uint32_t count)
{
	uint64_t   *words = reader->body.words;
	uint32_t	runs;

	if (!need(reader, CRM_SET_BITMAP_SIZE))
		return false;
	for (uint32_t i = 0; i < CRM_SET_WORDS; i++)
		words[i] = get64(reader->at + 8 * i);
	if (crm_words_count(words, &runs) != count)
		return bad(reader, "the number of members is not that of its bitmap");
	reader->at += CRM_SET_BITMAP_SIZE;
	crm_build_words(reader->builder, key, words);
	return true;
}

/* The containers of a 32-bit bitmap. */
static bool
read_bitmap32(Reader *reader, uint32_t high)
{
	const uint8_t *begin = reader->at;
	const uint8_t *is_runs = NULL;
	const uint8_t *entry;
	const uint8_t *offset = NULL;
	uint32_t	cookie;
	uint32_t	containers;

	if (!need(reader, 4))
		return false;
	cookie = get32(reader->at);
	if ((cookie & 0xFFFF) == COOKIE_RUNS)
	{
		containers = (cookie >> 16) + 1;
		reader->at += 4;
		if (!need(reader, (containers + 7) / 8))
			return false;
		is_runs = reader->at;
		reader->at += (containers + 7) / 8;
	}
	else if (cookie == COOKIE_PLAIN)
	{
		if (!need(reader, 8))
			return false;
		containers = get32(reader->at + 4);
		if (containers > CRM_SET_CHUNK_IDS)
			return bad(reader, "there are more than 65536 containers");
		reader->at += 8;
	}
	else
		return bad(reader, "no cookie of a bitmap");

	if (!need(reader, 4 * (size_t) containers))
		return false;
	entry = reader->at;
	reader->at += 4 * (size_t) containers;
	if (is_runs == NULL || containers >= OFFSETS_FROM)
	{
		if (!need(reader, 4 * (size_t) containers))
			return false;
		offset = reader->at;
		reader->at += 4 * (size_t) containers;
	}

	for (uint32_t i = 0; i < containers && !reader->builder->too_big; i++)
	{
		uint16_t	middle = get16(entry + 4 * i);
		uint32_t	count = (uint32_t) get16(entry + 4 * i + 2) + 1;
		int64_t		key = (int64_t) (int32_t) high * 65536 + middle;
		bool		good;

		if (i % TICK_CHUNKS == 0)
			reader->builder->host->tick();
		if (i > 0 && middle <= get16(entry + 4 * (i - 1)))
			return bad(reader, "containers are not ascending");
		if (offset != NULL && get32(offset + 4 * i) != (uint64_t) (reader->at - begin))
			return bad(reader, "a container is not where it is said to be");
		if (is_runs != NULL && (is_runs[i / 8] >> (i % 8) & 1) != 0)
			good = read_runs(reader, key, count);
		else if (count <= CRM_SET_ARRAY_MAX)
			good = read_array(reader, key, count);
		else
			good = read_bitmap(reader, key, count);
		if (!good)
			return false;
	}
	return true;
}

/*
 * Bitmaps from begin on until end or until the upper half of one is negative
 * (or, negative = true, is not).  last is the upper half before, or -1.
 */
static bool
read_bitmaps(Reader *reader, uint64_t *left, int64_t *last, bool negative)
{
	while (*left > 0)
	{
		uint32_t	high;

		if (!need(reader, 4))
			return false;
		high = get32(reader->at);
		if (!negative && high > INT32_MAX)
			return true;
		if (high <= *last)
			return bad(reader, "bitmaps are not ascending");
		*last = high;
		reader->at += 4;
		if (!read_bitmap32(reader, high))
			return false;
		if (reader->builder->too_big)
			return true;
		(*left)--;
	}
	return true;
}

/* Two sets, the one's ids all below the other's, into one. */
static CrmSet *
join(const CrmSet *low, const CrmSet *high, const CrmSetHost *host)
{
	return crm_set_combine(CRM_SET_OR, low, high, host);
}

CrmSet *
crm_set_read_roaring(const uint8_t *bytes, size_t size, const CrmSetHost *host, CrmCheck *check)
{
	Reader	   *reader = host->resize(NULL, sizeof(Reader));
	CrmSetBuilder builder[2];
	CrmSet	   *half[2] = {NULL, NULL};
	CrmSet	   *set = NULL;
	uint64_t	left = 0;
	int64_t		last = -1;
	bool		good;

	reader->at = reader->begin = bytes;
	reader->end = bytes + size;
	reader->check = check;
	good = need(reader, 8);
	if (good)
	{
		left = get64(bytes);
		reader->at += 8;
	}
	/* the negative ids come last and belong first */
	for (int i = 0; i < 2 && good; i++)
	{
		reader->builder = &builder[i];
		crm_build_begin(&builder[i], host, 4, 64);
		good = read_bitmaps(reader, &left, &last, i == 1);
		if (!good)
			crm_build_abandon(&builder[i]);
		else if ((half[i] = crm_build_end(&builder[i])) == NULL)
			break;
	}
	if (good && half[1] != NULL && reader->at != reader->end)
		good = bad(reader, "there is more after the last bitmap");
	if (good && half[1] != NULL)
	{
		if (half[1]->chunks == 0)
		{
			set = half[0];
			half[0] = NULL;
		}
		else
			set = join(half[1], half[0], host);
	}
	if (good && set == NULL)
		crm_check_set(check, CRM_CHECK_BAD, "CONTACT_SET_TOO_BIG", -1,
					  "The set would take more than 512 MB.");
	for (int i = 0; i < 2; i++)
		if (half[i] != NULL)
			host->release(half[i]);
	host->release(reader);
	return set;
}

/* ---------------- writing ---------------- */

/* Chunks begin to end - 1 share their upper half. */
static uint32_t
half_end(const CrmSet *set, uint32_t begin, bool *runs)
{
	uint32_t	end = begin;

	*runs = false;
	do
		*runs |= set->chunk[end++].runs > 0;
	while (end < set->chunks && set->chunk[end].key >> 16 == set->chunk[begin].key >> 16);
	return end;
}

static size_t
header_size(uint32_t containers, bool runs)
{
	size_t		size = 4 * (size_t) containers;

	size += runs ? 4 + (containers + 7) / 8 : 8;
	if (!runs || containers >= OFFSETS_FROM)
		size += 4 * (size_t) containers;
	return size;
}

static size_t
container_size(const CrmSetChunk *chunk)
{
	return crm_chunk_size(chunk) + (chunk->runs > 0 ? 2 : 0);
}

size_t
crm_set_roaring_size(const CrmSet *set)
{
	size_t		size = 8;

	for (uint32_t i = 0; i < set->chunks;)
	{
		bool		runs;
		uint32_t	end = half_end(set, i, &runs);

		size += 4 + header_size(end - i, runs);
		for (; i < end; i++)
			size += container_size(&set->chunk[i]);
	}
	return size;
}

static uint8_t *
write_container(const CrmSet *set, const CrmSetChunk *chunk, uint8_t *p)
{
	const void *body = crm_chunk_body(set, chunk);

	if (crm_chunk_is_bitmap(chunk))
	{
		const uint64_t *words = body;

		for (uint32_t i = 0; i < CRM_SET_WORDS; i++)
			p = put64(p, words[i]);
	}
	else
	{
		/* runs are pairs of such numbers, after their number */
		const uint16_t *number = body;
		uint32_t	numbers = crm_chunk_size(chunk) / 2;

		if (chunk->runs > 0)
			p = put16(p, chunk->runs);
		for (uint32_t i = 0; i < numbers; i++)
			p = put16(p, number[i]);
	}
	return p;
}

static uint8_t *
write_half(const CrmSet *set, uint32_t begin, uint32_t end, bool runs, uint8_t *p)
{
	uint32_t	containers = end - begin;
	uint32_t	offset = header_size(containers, runs);

	p = put32(p, (uint32_t) (set->chunk[begin].key >> 16));
	if (runs)
	{
		p = put32(p, COOKIE_RUNS | (containers - 1) << 16);
		memset(p, 0, (containers + 7) / 8);
		for (uint32_t i = 0; i < containers; i++)
			if (set->chunk[begin + i].runs > 0)
				p[i / 8] |= 1 << (i % 8);
		p += (containers + 7) / 8;
	}
	else
		p = put32(put32(p, COOKIE_PLAIN), containers);
	for (uint32_t i = begin; i < end; i++)
		p = put16(put16(p, (uint16_t) set->chunk[i].key), set->chunk[i].last);
	if (!runs || containers >= OFFSETS_FROM)
		for (uint32_t i = begin; i < end; i++)
		{
			p = put32(p, offset);
			offset += container_size(&set->chunk[i]);
		}
	for (uint32_t i = begin; i < end; i++)
		p = write_container(set, &set->chunk[i], p);
	return p;
}

void
crm_set_write_roaring(const CrmSet *set, uint8_t *bytes, const CrmSetHost *host)
{
	uint64_t	halves = 0;
	uint8_t    *p = bytes + 8;

	for (int negative = 0; negative < 2; negative++)
		for (uint32_t i = 0; i < set->chunks;)
		{
			bool		runs;
			uint32_t	end = half_end(set, i, &runs);

			host->tick();
			if ((set->chunk[i].key < 0) == negative)
			{
				p = write_half(set, i, end, runs, p);
				halves++;
			}
			i = end;
		}
	put64(bytes, halves);
}
