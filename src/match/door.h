/*
 * door.h
 *		Duplicates at the door: kept keys of a match model, by which the
 *		records that may be one with a given record are found at once.
 *
 * A key is the place of its blocking rule, from 0, in the high 32 bits and the
 * key of the rule (block.c) in the low ones.  crm.match_key has a row for each
 * key of a record; crm.match_record has the keys of a record as they were
 * written, 8 bytes each, low bytes first, ascending.
 */
#ifndef CRM_DOOR_H
#define CRM_DOOR_H

#include "postgres.h"

#include "executor/spi.h"
#include "match/run.h"
#include "utils/snapshot.h"

/* Rules whose keys are kept. */
#define CRM_DOOR_RULES 12

/* A key of more records brings nobody together: a switchboard, a frequent name. */
#define CRM_DOOR_HUB 100

typedef struct MatchDoor
{
	MatchRun   *run;			/* with frequencies and aliases; NULL when there are no keys */
	char	   *name;
	char	   *stamp;			/* of the rows that it was made from */
	int			number;			/* of the keys; 0 when there are none */
	bool		is_current;		/* keys and model are of one version */
	char	   *policy;
	char	   *entity;			/* or NULL */
	char	   *search_path;	/* of the triggers */
	double		review;
	uint64		rules;			/* bit of each whose keys are kept */
	uint64		identities;		/* bit of each whose agreement is an identity, or part of one */
	SPIPlanPtr	by_id;
	SPIPlanPtr	by_object;
	int			users;
	uint64		used;			/* when it was last used */
} MatchDoor;

/* A record beside the one that is looked at. */
typedef struct MatchFound
{
	char	   *id;
	double		weight;
	uint64_t	pattern;
	double		part[CRM_MATCH_FIELDS + 1];
	bool		is_before;		/* in the order of the table's numbers */
} MatchFound;

typedef struct MatchFinds
{
	MatchFound *found;
	int			count;
	int			room;
} MatchFinds;

/* ---- door.c ---- */

/* The door of a model; NULL where there is no such model.  Within SPI. */
extern MatchDoor *crm_door_open(const char *name);
extern void crm_door_close(MatchDoor *door);

/* The kept keys of a feature, ascending; returns how many. */
extern int	crm_door_keys(const MatchDoor *door, const uint8_t *feature, int64 *key);

/* Whether an identity is the same. */
extern bool crm_door_is_identity(const MatchDoor *door, uint64_t pattern);

/*
 * Finds the records of at least the weight, the heaviest first.  The id of the
 * record itself, or NULL; snapshot is that of the keys.
 */
extern void crm_door_find(MatchDoor *door, const uint8_t *feature, const char *id, double floor,
						  Snapshot snapshot, MatchFinds *finds);

/* The same, of the records of those ids; there is room for one id more. */
extern void crm_door_compare(MatchDoor *door, const uint8_t *feature, const char *id, double floor,
							 Datum *ids, int count, MatchFinds *finds);

/* Reads the records of those ids. */
extern void crm_door_read(MatchDoor *door, ArrayType *ids, MatchEach each, void *argument);

/* The relation of that name in our schema, opened. */
extern Relation crm_door_table(const char *name);

/* ---- door_build.c ---- */

/* A record that was read; one without a feature is no more. */
typedef struct CrmDoorRecord
{
	const char *id;
	uint8_t    *feature;
	uint64		added;			/* bit of each rule of which it has a key that it had not */
} CrmDoorRecord;

/*
 * Writes what differs between the keys of records and those that are kept of
 * them, with the rights of the owner of these.
 */
extern void crm_door_write(const MatchDoor *door, CrmDoorRecord *record, int count);

/* Makes all keys; how many records there are. */
extern int64 crm_door_build(const char *name);

/*
 * Keys serve everybody: who is to see only some of the records must not make
 * them, nor withdraw what others see.  An error then, until the end of the
 * settings.
 */
extern void crm_door_see_all(void);

/* Waits for the lock of buildings and sweeps, or tells whether it was free. */
extern void crm_door_lock(const char *name, bool *taken);

#endif							/* CRM_DOOR_H */
