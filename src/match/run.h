/*
 * run.h
 *		A run of a match model in the server: its records in memory, what is
 *		read of its tables and what is written to them.
 */
#ifndef CRM_MATCH_RUN_H
#define CRM_MATCH_RUN_H

#include "postgres.h"

#include "executor/spi.h"
#include "fmgr.h"
#include "match/match.h"
#include "nodes/params.h"
#include "utils/array.h"
#include "utils/dsa.h"
#include "utils/timestamp.h"

/* What a column of the query holds, and so how it is read. */
typedef struct MatchColumn
{
	bool		is_array;
	Oid			type;			/* of the elements */
	int16		length;
	bool		by_value;
	char		align;
	FmgrInfo	output;			/* when it is read as text */
} MatchColumn;

/* A column of the number, in words of SQL. */
typedef struct MatchIdColumn
{
	char	   *name;
	char	   *type;
	char	   *equal;			/* operator */
	bool		is_array;
} MatchIdColumn;

/* Where the records of a chunk are in shared memory, if they are. */
typedef struct MatchSharedChunk
{
	dsa_pointer feature;
	dsa_pointer key;
} MatchSharedChunk;

typedef struct MatchRun
{
	CrmMatchHost host;			/* must be first */
	MemoryContext context;		/* everything of the run */
	char	   *name;
	char	   *relation;
	Oid			relation_oid;
	char	   *id_expression;
	int			id_columns;		/* 0: not all of them are there */
	MatchIdColumn *id_column;
	char	   *order;
	char	   *filter;			/* or NULL */
	char	   *expression[CRM_MATCH_FIELDS];
	int			version;		/* 0: not trained */
	double		threshold;
	double		review_threshold;
	double		missing;
	int			block_limit;
	double		pairs_per_record;
	CrmMatchModel model;
	CrmMatchFrequencies frequencies;
	CrmMatchAliases *aliases;
	CrmMatchRecords records;
	uint32		chunks;			/* that there is room for */
	char	  **id;				/* of each chunk, the ids one behind the other */
	uint32	  **id_offset;		/* of each chunk, where each of them begins */
	Size		memory;			/* bytes of features, keys and ids */
	MatchColumn column[CRM_MATCH_FIELDS + 1];
	CrmMatchBlocks blocks[CRM_MATCH_RULES];
	dsa_area   *area;			/* where the records are shared, or NULL */
	bool		unshared;		/* not all of them are */
	MatchSharedChunk *shared;	/* by chunk */
	struct MatchTeam *team;		/* see team.h */
	dsa_pointer shared_team;
} MatchRun;

/* ---- model.c ---- */

/* Raises why a table of ours is missing: installed, or upgraded, it must be.  Within SPI. */
extern void crm_match_refuse_without(const char *table) __attribute__((noreturn));

/* Reads a model; it must be trained when asked for.  Within SPI. */
extern MatchRun *crm_match_open(const char *name, bool trained);
extern void crm_match_read_frequencies(MatchRun *run);

/*
 * Writes the rows that are registered as crm_found, crm_member and crm_block:
 * $1 the model, $2 its version, $3 records, $4 compared pairs, $5 clusters.
 * Leaves one row of two numbers: pairs added and withdrawn.
 */
extern void crm_match_write_found(Oid *types, Datum *values);
extern int	crm_match_store_version(MatchRun *run, int64 seed, int64 labels, const CrmMatchTraining *training);

/* ---- ids.c ---- */

/* Settings under which numbers are written, until the end of those of the caller. */
extern void crm_match_set_styles(bool reads_input);
extern void crm_match_describe_id(MatchRun *run, ArrayType *names);

/* The condition of records of given ids, and its parameters, all text arrays. */
extern void crm_match_put_id_condition(const MatchRun *run, StringInfo sql);
extern int	crm_match_id_parameters(const MatchRun *run);
extern ParamListInfo crm_match_id_values(const MatchRun *run, ArrayType *ids, uint16 flags);

/* ---- load.c ---- */

/* Reads records; only those of the given ids unless NULL.  Within SPI. */
extern void crm_match_load(MatchRun *run, ArrayType *only);
extern void crm_match_check_query(MatchRun *run);

/* Error context callback; the argument is the run. */
extern void crm_match_add_context(void *argument);

/* Number and fields, as text, of the records of those ids. */
extern SPITupleTable *crm_match_show_values(MatchRun *run, ArrayType *only);

/* Reads some records without keeping them; a plan outlives the run. */
typedef void (*MatchEach) (const char *id, uint8_t *feature, void *argument);

extern SPIPlanPtr crm_match_prepare(MatchRun *run, bool of_object);
extern void crm_match_read(MatchRun *run, SPIPlanPtr plan, ParamListInfo params, bool read_only,
						   MatchEach each, void *argument);
extern void crm_match_read_aliases(MatchRun *run);
extern const char *crm_match_id(const MatchRun *run, uint32 record);

/* Fills in the feature of one record whose fields come as text arrays. */
extern void crm_match_put_datum(MatchRun *run, uint8_t *feature, int field, Datum value, const MatchColumn *column);
extern void crm_match_describe_column(Oid type, MatchColumn *column);

/* ---- task.c ---- */

/* Blocks of more records than the limit. */
typedef struct MatchLargeBlocks
{
	int			count;
	CrmMatchLargeBlock *block;
} MatchLargeBlocks;

extern void crm_match_count_values(MatchRun *run);
extern void crm_match_make_all_keys(MatchRun *run);

/* Makes the blocks of all rules; returns how many pairs there are. */
extern uint64 crm_match_divide(MatchRun *run, bool choose, MatchLargeBlocks *blocks);
extern void crm_match_drop_idle(MatchRun *run);

/* ---- score.c ---- */

typedef struct MatchEdges
{
	CrmMatchEdge *edge;
	Size		count;
	Size		room;
} MatchEdges;

extern void crm_match_add_edge(MatchEdges *edges, CrmMatchEdge edge);

/* Clusters of the records, by the pairs and by what people said of pairs. */
extern uint32 *crm_match_find_clusters(MatchRun *run, MatchEdges *edges);

/* Pairs whose weight reaches the floor. */
extern uint64 crm_match_score(MatchRun *run, double floor, MatchEdges *edges);
extern CrmMatchHistogram *crm_match_collect(MatchRun *run, uint64_t sample);

#endif							/* CRM_MATCH_RUN_H */
