/*
 * contact_set.h
 *		Sets of bigint ids: a compressed bitmap that is used as it lies on disk.
 *
 * The ids of a set are divided into chunks by their upper 48 bits; each chunk
 * keeps the lower 16 bits of its members in whichever form is the smallest, as
 * Roaring bitmaps do (Lemire et al., "Roaring bitmaps: implementation of an
 * optimized software library", 2018): a sorted array, a bitmap, or runs.
 *
 * The bytes on disk (host byte order, the datum aligned to 8):
 *
 *	0	4			the server's length word (varlena)
 *	4	1			version, 1
 *	5	3			zero, reserved
 *	8	4			number of chunks, N
 *	12	4			size of all in bytes, the length word included
 *	16	8			number of members
 *	24	16 * N		directory, ascending by key; of each chunk:
 *		0	8			key: id >> 16, signed
 *		8	4			where its body begins, from byte 0 of the set
 *		12	2			number of its members less 1
 *		14	2			number of its runs; 0 when it is no chunk of runs
 *	...	...			bodies, in the order of the directory, without gaps but for
 *					zero bytes that align a bitmap to 8
 *
 *	array		2 bytes a member, ascending; at most 4096 members
 *	bitmap		8192 bytes, bit i of the 64-bit word w being 64 * w + i; more
 *				than 4096 members
 *	runs		4 bytes a run: its first member, its length less 1; ascending,
 *				and at least one id missing between two runs
 *
 * A chunk is one of runs when 4 * runs < min(2 * members, 8192).  So there is
 * one way only to write a set, and equal sets have equal bytes: = is memcmp().
 * No chunk is empty.  An id is found by one binary search in the directory and
 * a look into a body; nothing is unpacked for it.
 *
 * Why this is not a roaring_bitmap_t of the CRoaring library.  Measured with
 * the library of Debian 12 (0.2.66) by test/bench/contact_set.c in one run, the
 * number of common members of two random sets among two million ids, in
 * microseconds:
 *
 *									a million each	40 000 each
 *	here							4.1				58
 *	CRoaring, bitmaps in memory		57				326
 *	CRoaring, frozen views			55				344
 *	CRoaring, its portable form		160				350
 *
 * (Debian builds it for the oldest x86-64, without an instruction that counts
 * bits.)  That library also has no validator: unsorted arrays or wrong counts in
 * what it read are written beyond buffers later.  It knows 32-bit ids only,
 * wants views aligned to 32 bytes, takes memory by malloc() unchecked and behind
 * the back of the server's limits, and leaks it when an error is raised.  What
 * is kept of Roaring is its portable format, for exchange
 * (crm_set_read_roaring()), and CRoaring is the judge in the tests.
 *
 * This header and the files contact_set_chunk.c, _image.c, _algebra.c, _live.c,
 * _text.c, _roaring.c and _arm.c know nothing of the server; other parts of the
 * extension use contact_set_datum.h.
 */
#ifndef CRM_CONTACT_SET_H
#define CRM_CONTACT_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "type/check.h"

#define CRM_SET_VERSION 1

/* The largest set, in bytes: half of what a datum may have. */
#define CRM_SET_MAX_SIZE ((size_t) 512 * 1024 * 1024)

/* Longer texts in braces are not written; see crm_set_write_text(). */
#define CRM_SET_MAX_TEXT ((size_t) 256 * 1024 * 1024)

#define CRM_SET_CHUNK_IDS 65536	/* ids that share a key */
#define CRM_SET_WORDS 1024		/* of a bitmap */
#define CRM_SET_BITMAP_SIZE 8192
#define CRM_SET_ARRAY_MAX 4096	/* members of the largest array */
#define CRM_SET_RUNS_MAX 2047	/* runs of the largest chunk of runs */

typedef struct CrmSetChunk
{
	int64_t		key;
	uint32_t	offset;
	uint16_t	last;			/* members - 1 */
	uint16_t	runs;
} CrmSetChunk;

typedef struct CrmSetRun
{
	uint16_t	first;
	uint16_t	more;			/* members after the first */
} CrmSetRun;

typedef struct CrmSet
{
	int32_t		header;			/* the server's */
	uint8_t		version;
	uint8_t		reserved[3];
	uint32_t	chunks;
	uint32_t	size;
	uint64_t	cardinality;
	CrmSetChunk chunk[];
} CrmSet;

#define CRM_SET_HEADER_SIZE offsetof(CrmSet, chunk)

/*
 * Whoever calls: where memory comes from, and what is called now and then in
 * long loops.  resize() takes NULL for new memory and never returns NULL.
 */
typedef struct CrmSetHost
{
	void	   *(*resize) (void *memory, size_t size);
	void		(*release) (void *memory);
	void		(*tick) (void);
} CrmSetHost;

static inline int64_t
crm_set_key(int64_t id)
{
	return id >> 16;
}

static inline int64_t
crm_set_id(int64_t key, uint16_t low)
{
	return (int64_t) ((uint64_t) key << 16 | low);
}

static inline uint32_t
crm_chunk_count(const CrmSetChunk *chunk)
{
	return (uint32_t) chunk->last + 1;
}

static inline bool
crm_chunk_is_array(const CrmSetChunk *chunk)
{
	return chunk->runs == 0 && chunk->last < CRM_SET_ARRAY_MAX;
}

static inline bool
crm_chunk_is_bitmap(const CrmSetChunk *chunk)
{
	return chunk->runs == 0 && chunk->last >= CRM_SET_ARRAY_MAX;
}

static inline uint32_t
crm_chunk_size(const CrmSetChunk *chunk)
{
	if (chunk->runs > 0)
		return 4 * (uint32_t) chunk->runs;
	return crm_chunk_is_array(chunk) ? 2 * crm_chunk_count(chunk) : CRM_SET_BITMAP_SIZE;
}

static inline const void *
crm_chunk_body(const CrmSet *set, const CrmSetChunk *chunk)
{
	return (const char *) set + chunk->offset;
}

/* ---------------- a chunk: contact_set_chunk.c ---------------- */

/* A body of a chunk is always given with its directory entry. */

/* Members below or equal to low. */
extern uint32_t crm_chunk_rank(const CrmSetChunk *chunk, const void *body, uint16_t low);

extern bool crm_chunk_has(const CrmSetChunk *chunk, const void *body, uint16_t low);

/* The member number position, from 0; it must be there. */
extern uint16_t crm_chunk_select(const CrmSetChunk *chunk, const void *body, uint32_t position);

/* All members, ascending; returns their number. */
extern uint32_t crm_chunk_decode(const CrmSetChunk *chunk, const void *body, uint16_t *low);

extern uint32_t crm_chunk_and_count(const CrmSetChunk *a, const void *a_body,
									const CrmSetChunk *b, const void *b_body);

/* A bitmap of one's own: whole chunks put into it and taken out of it. */
extern void crm_words_set_range(uint64_t *words, uint32_t first, uint32_t last);
extern void crm_words_from(uint64_t *words, const CrmSetChunk *chunk, const void *body);
extern void crm_words_or(uint64_t *words, const CrmSetChunk *chunk, const void *body);
extern void crm_words_and(uint64_t *words, const CrmSetChunk *chunk, const void *body);
extern void crm_words_and_not(uint64_t *words, const CrmSetChunk *chunk, const void *body);
extern void crm_words_xor(uint64_t *words, const CrmSetChunk *chunk, const void *body);

/* Members; and runs, but of more than CRM_SET_RUNS_MAX only that there are more. */
extern uint32_t crm_words_count(const uint64_t *words, uint32_t *runs);
extern uint32_t crm_words_decode(const uint64_t *words, uint16_t *low);

/* ---------------- reading and building sets: contact_set_image.c ---------------- */

/* Are these bytes a set, in every detail?  (The length word is not looked at.) */
extern bool crm_set_is_valid(const CrmSet *set, size_t size);

/* The chunk with this key, or NULL. */
extern const CrmSetChunk *crm_set_find(const CrmSet *set, int64_t key);

extern bool crm_set_has(const CrmSet *set, int64_t id);
extern int64_t crm_set_minimum(const CrmSet *set);	/* of a set that is not empty */
extern int64_t crm_set_maximum(const CrmSet *set);
extern uint64_t crm_set_rank(const CrmSet *set, int64_t id);	/* members <= id */
extern int64_t crm_set_select(const CrmSet *set, uint64_t position);	/* from 0 */

/* One member after another, ascending. */
typedef struct CrmSetIterator
{
	const CrmSet *set;
	uint32_t	chunk;
	uint32_t	position;		/* in an array: member; in a bitmap: word; in
								 * runs: run */
	uint64_t	word;			/* in a bitmap: bits still to come */
	uint32_t	in_run;			/* in runs: members of the run that are done */
	bool		begun;			/* is the chunk? */
} CrmSetIterator;

extern void crm_set_iterate(CrmSetIterator *iterator, const CrmSet *set);
extern bool crm_set_next(CrmSetIterator *iterator, int64_t *id);

/*
 * Builds a set from chunks in ascending order of their keys.  All of crm_build_…
 * do nothing once too_big is set, and crm_build_end() returns NULL then.
 */
typedef struct CrmSetBuilder
{
	const CrmSetHost *host;
	CrmSet	   *set;
	size_t		room;			/* of the memory at set */
	size_t		reserved;		/* entries that the directory has room for */
	size_t		chunks;
	size_t		body_size;
	uint64_t	cardinality;
	bool		too_big;
} CrmSetBuilder;

extern void crm_build_begin(CrmSetBuilder *builder, const CrmSetHost *host,
							size_t chunks, size_t body_size);	/* guesses */
extern void crm_build_copy(CrmSetBuilder *builder, const CrmSetChunk *chunk, const void *body);
extern void crm_build_array(CrmSetBuilder *builder, int64_t key,
							const uint16_t *low, uint32_t count);	/* any number,
																	 * ascending */
extern void crm_build_words(CrmSetBuilder *builder, int64_t key, const uint64_t *words);
extern void crm_build_runs(CrmSetBuilder *builder, int64_t key,
						   const CrmSetRun *run, uint32_t runs);	/* ascending, apart */
extern CrmSet *crm_build_end(CrmSetBuilder *builder);

/* A builder that is given up. */
extern void crm_build_abandon(CrmSetBuilder *builder);

/* first <= last */
typedef struct CrmSetRange
{
	int64_t		first;
	int64_t		last;
} CrmSetRange;

/*
 * The set of all ids of some ranges, which may come in any order and overlap;
 * range[] is sorted in place.  NULL when the set would be too big.
 */
extern CrmSet *crm_set_from_ranges(CrmSetRange *range, size_t ranges, const CrmSetHost *host);

/* The set of some ids, in any order and perhaps twice; id[] is sorted in place. */
extern CrmSet *crm_set_from_ids(int64_t *id, uint32_t ids, const CrmSetHost *host);

/* ---------------- two sets: contact_set_algebra.c ---------------- */

typedef enum CrmSetOperation
{
	CRM_SET_AND,
	CRM_SET_OR,
	CRM_SET_AND_NOT,
	CRM_SET_XOR
} CrmSetOperation;

/* NULL when the result would be too big. */
extern CrmSet *crm_set_combine(CrmSetOperation operation, const CrmSet *a, const CrmSet *b,
							   const CrmSetHost *host);
extern uint64_t crm_set_and_count(const CrmSet *a, const CrmSet *b, const CrmSetHost *host);
extern bool crm_set_overlaps(const CrmSet *a, const CrmSet *b, const CrmSetHost *host);
extern bool crm_set_contains(const CrmSet *a, const CrmSet *b, const CrmSetHost *host);

/* ---------------- ids in any order: contact_set_live.c ---------------- */

typedef struct CrmLive CrmLive;

extern CrmLive *crm_live_begin(const CrmSetHost *host);
extern void crm_live_add(CrmLive *live, int64_t id);
extern void crm_live_add_set(CrmLive *live, const CrmSet *set);
extern void crm_live_add_live(CrmLive *live, const CrmLive *other);

/* NULL when the set would be too big.  More may be added afterwards. */
extern CrmSet *crm_live_set(const CrmLive *live);
extern void crm_live_end(CrmLive *live);

/* ---------------- text: contact_set_text.c ---------------- */

/* NULL and a BAD verdict when the text is no set. */
extern CrmSet *crm_set_read_text(const char *text, size_t length, const CrmSetHost *host,
								 CrmCheck *check);

/*
 * The canonical text, with a NUL after it: members in braces, three or more
 * adjacent ones as first..last; or, where that would be longer than max_text,
 * "roaring:" and the portable form in base 64.
 */
extern char *crm_set_write_text(const CrmSet *set, size_t max_text, const CrmSetHost *host,
								size_t *length);

/* ---------------- the portable form: contact_set_roaring.c ---------------- */

/*
 * The 64-bit format of RoaringFormatSpec: the number of upper halves, of each
 * the half and the 32-bit bitmap; the halves ascend as unsigned numbers, so
 * that negative ids come last.  Every byte of it is checked.
 */
extern CrmSet *crm_set_read_roaring(const uint8_t *bytes, size_t size, const CrmSetHost *host,
									CrmCheck *check);
extern size_t crm_set_roaring_size(const CrmSet *set);
extern void crm_set_write_roaring(const CrmSet *set, uint8_t *bytes, const CrmSetHost *host);

/* ---------------- chance that can be repeated: contact_set_arm.c ---------------- */

/* A number that is uniform over all 64 bits and differs among the ids of a seed. */
extern uint64_t crm_set_hash(int64_t id, int64_t seed);

/* The n members with the least crm_set_hash(id, seed). */
extern CrmSet *crm_set_sample(const CrmSet *set, uint64_t n, int64_t seed,
							  const CrmSetHost *host);

#define CRM_SET_MAX_ARMS 1000

/* bound[i] is the sum of the shares of arms 0 to i; the last one is 1. */
typedef struct CrmSetArms
{
	uint32_t	arms;
	double		bound[CRM_SET_MAX_ARMS];
} CrmSetArms;

/* False when the weights are no finite numbers >= 0 with a finite sum > 0. */
extern bool crm_set_arms(CrmSetArms *arms, const double *weight, uint32_t weights);
extern uint32_t crm_set_arm(const CrmSetArms *arms, int64_t id, int64_t seed);	/* from 0 */

/* part[] gets one set an arm; false when one would be too big. */
extern bool crm_set_split(const CrmSet *set, const CrmSetArms *arms, int64_t seed,
						  CrmSet **part, const CrmSetHost *host);

#endif							/* CRM_CONTACT_SET_H */
