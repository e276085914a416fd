\echo Use "ALTER EXTENSION crm UPDATE" to load this file. \quit
SET LOCAL search_path = pg_catalog, pg_temp;
-- From 0.2.0 to 0.3.0: rules, sets of contacts, orders, metrics and segments.
-- Code only; crm.upgrade() makes the tables.
/* ------------------------------------------------------------------
 * Type crm.contact_set: a set of contact ids, compressed.
 * ------------------------------------------------------------------ */

CREATE TYPE crm.contact_set;

CREATE FUNCTION crm.contact_set_in(cstring) RETURNS crm.contact_set
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_contact_set_in';
CREATE FUNCTION crm.contact_set_out(crm.contact_set) RETURNS cstring
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_contact_set_out';
CREATE FUNCTION crm.contact_set_recv(internal) RETURNS crm.contact_set
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_contact_set_recv';
CREATE FUNCTION crm.contact_set_send(crm.contact_set) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_contact_set_send';

-- Not compressed a second time: parts of a set out of line can be read alone.
CREATE TYPE crm.contact_set (
    INPUT = crm.contact_set_in,
    OUTPUT = crm.contact_set_out,
    RECEIVE = crm.contact_set_recv,
    SEND = crm.contact_set_send,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = double,
    STORAGE = external
);
COMMENT ON TYPE crm.contact_set IS 'Set of contact ids (any bigint), compressed as a Roaring bitmap; at most 512 MB. Text: {1,5,7..9}, the empty set {}. Raises 22P02 with the tokens CONTACT_SET_... of doc/contact_set.md, 54000 when it would be too large.';

-- ---------------- reading and making ----------------

CREATE FUNCTION crm.try_contact_set(value text) RETURNS crm.contact_set
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_contact_set_try';
COMMENT ON FUNCTION crm.try_contact_set(text) IS 'The set that the text stands for; NULL where the type refuses it.';

CREATE FUNCTION crm.check_contact_set(value text) RETURNS crm.check_result
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_contact_set_check';
COMMENT ON FUNCTION crm.check_contact_set(text) IS 'What crm.contact_set says of a text: verdict, canonical text, token and message.';

CREATE FUNCTION crm.contact_set(ids bigint[]) RETURNS crm.contact_set
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_contact_set_from_array';
COMMENT ON FUNCTION crm.contact_set(bigint[]) IS 'The set of the ids of an array, in any order and perhaps repeated. Raises 22004 on a null among them.';

CREATE FUNCTION crm.from_roaring(bytes bytea) RETURNS crm.contact_set
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_contact_set_from_roaring';
COMMENT ON FUNCTION crm.from_roaring(bytea) IS 'The set of a 64-bit Roaring bitmap in its portable form (RoaringFormatSpec), as other programs write it. Raises 22P03 when it is malformed anywhere.';

CREATE FUNCTION crm.to_roaring(members crm.contact_set) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_contact_set_to_roaring';
COMMENT ON FUNCTION crm.to_roaring(crm.contact_set) IS 'The set as a 64-bit Roaring bitmap in its portable form (RoaringFormatSpec), for other programs.';

-- ---------------- planner support ----------------

CREATE FUNCTION crm.contact_set_support(internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_contact_set_support';
-- An estimator of our own: members over ids is what the built-in ones cannot
-- know, and nothing but counts is looked at.
CREATE FUNCTION crm.contact_set_sel(internal, oid, internal, integer) RETURNS double precision
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_contact_set_sel';
COMMENT ON FUNCTION crm.contact_set_sel(internal, oid, internal, integer) IS 'Estimates how many rows pass id <@ set: members of the set over distinct ids of the column.';

-- ---------------- one set ----------------

-- ROWS of a set that is not known: a guess too high costs a hash join where a
-- nested loop would do, one too low a nested loop of a million rows.
CREATE FUNCTION crm.members(members crm.contact_set) RETURNS SETOF bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 ROWS 10000 SUPPORT crm.contact_set_support AS 'MODULE_PATHNAME', 'crm_contact_set_members';
COMMENT ON FUNCTION crm.members(crm.contact_set) IS 'The members as rows, ascending.';

CREATE FUNCTION crm.member_array(members crm.contact_set) RETURNS bigint[]
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_contact_set_to_array';
COMMENT ON FUNCTION crm.member_array(crm.contact_set) IS 'The members as an array, ascending. Raises 54000 when it would be larger than 1 GB.';

CREATE FUNCTION crm.cardinality(members crm.contact_set) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_contact_set_cardinality';
COMMENT ON FUNCTION crm.cardinality(crm.contact_set) IS 'The number of members. It is kept in the set: nothing is counted, and of a stored set only the beginning is read.';

CREATE FUNCTION crm.is_empty(members crm.contact_set) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_contact_set_is_empty';
COMMENT ON FUNCTION crm.is_empty(crm.contact_set) IS 'Whether the set has no member.';

CREATE FUNCTION crm.minimum(members crm.contact_set) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_contact_set_minimum';
COMMENT ON FUNCTION crm.minimum(crm.contact_set) IS 'The smallest member; NULL of the empty set.';

CREATE FUNCTION crm.maximum(members crm.contact_set) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_contact_set_maximum';
COMMENT ON FUNCTION crm.maximum(crm.contact_set) IS 'The greatest member; NULL of the empty set.';

CREATE FUNCTION crm.rank(members crm.contact_set, id bigint) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_contact_set_rank';
COMMENT ON FUNCTION crm.rank(crm.contact_set, bigint) IS 'How many members are less than or equal to the id.';

CREATE FUNCTION crm.select_member(members crm.contact_set, "position" bigint) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_contact_set_select';
COMMENT ON FUNCTION crm.select_member(crm.contact_set, bigint) IS 'The member at a position, the smallest being 1; NULL where there is none. The inverse of crm.rank().';

-- ---------------- two sets ----------------

CREATE FUNCTION crm.intersect_count(a crm.contact_set, b crm.contact_set) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_contact_set_intersect_count';
COMMENT ON FUNCTION crm.intersect_count(crm.contact_set, crm.contact_set) IS 'The number of members of a & b, which is not made for it.';

CREATE FUNCTION crm.union_count(a crm.contact_set, b crm.contact_set) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_contact_set_union_count';
COMMENT ON FUNCTION crm.union_count(crm.contact_set, crm.contact_set) IS 'The number of members of a | b, which is not made for it.';

CREATE FUNCTION crm.difference_count(a crm.contact_set, b crm.contact_set) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_contact_set_difference_count';
COMMENT ON FUNCTION crm.difference_count(crm.contact_set, crm.contact_set) IS 'The number of members of a - b, which is not made for it.';

CREATE FUNCTION crm.jaccard(a crm.contact_set, b crm.contact_set) RETURNS double precision
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_contact_set_jaccard';
COMMENT ON FUNCTION crm.jaccard(crm.contact_set, crm.contact_set) IS 'How alike two sets are, 0 to 1: common members over members of either (Jaccard 1901); 1 of two empty sets.';

-- ---------------- samples and arms ----------------

CREATE FUNCTION crm.sample(members crm.contact_set, n bigint, seed bigint) RETURNS crm.contact_set
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'crm_contact_set_sample';
COMMENT ON FUNCTION crm.sample(crm.contact_set, bigint, bigint) IS 'A random sample of n members (all, when there are fewer), the same for the same seed: those whose hash of id and seed is least. Raises 22023 when n is negative.';

CREATE FUNCTION crm.split(members crm.contact_set, weights double precision[], seed bigint,
    OUT arm integer, OUT members crm.contact_set) RETURNS SETOF record
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 2 AS 'MODULE_PATHNAME', 'crm_contact_set_split';
COMMENT ON FUNCTION crm.split(crm.contact_set, double precision[], bigint) IS 'Divides a set at random into as many parts as there are weights, arms 1, 2, ..., each about as large as its share of the weights; one row an arm, also of an empty one. The arm of a contact is crm.arm_of() and depends on id, weights and seed only. Raises 22023 on weights that make no shares.';

CREATE FUNCTION crm.arm_of(id bigint, weights double precision[], seed bigint) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_contact_set_arm_of';
COMMENT ON FUNCTION crm.arm_of(bigint, double precision[], bigint) IS 'The arm, from 1, of a contact in an experiment with these weights and this seed: where its hash falls among the shares. Raises 22023 on weights that make no shares.';

-- ---------------- behind operators ----------------

CREATE FUNCTION crm.contact_set_and(crm.contact_set, crm.contact_set) RETURNS crm.contact_set
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_contact_set_and';
CREATE FUNCTION crm.contact_set_or(crm.contact_set, crm.contact_set) RETURNS crm.contact_set
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_contact_set_or';
CREATE FUNCTION crm.contact_set_and_not(crm.contact_set, crm.contact_set) RETURNS crm.contact_set
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_contact_set_and_not';
CREATE FUNCTION crm.contact_set_xor(crm.contact_set, crm.contact_set) RETURNS crm.contact_set
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_contact_set_xor';
CREATE FUNCTION crm.contact_set_add(crm.contact_set, bigint) RETURNS crm.contact_set
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_contact_set_add';
CREATE FUNCTION crm.contact_set_remove(crm.contact_set, bigint) RETURNS crm.contact_set
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_contact_set_remove';
CREATE FUNCTION crm.contact_set_overlaps(crm.contact_set, crm.contact_set) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_contact_set_overlaps';
CREATE FUNCTION crm.contact_set_contains(crm.contact_set, crm.contact_set) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_contact_set_contains';
CREATE FUNCTION crm.contact_set_contained(crm.contact_set, crm.contact_set) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_contact_set_contained';
CREATE FUNCTION crm.contact_set_has(crm.contact_set, bigint) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE SUPPORT crm.contact_set_support AS 'MODULE_PATHNAME', 'crm_contact_set_has';
CREATE FUNCTION crm.contact_set_member_of(bigint, crm.contact_set) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE SUPPORT crm.contact_set_support AS 'MODULE_PATHNAME', 'crm_contact_set_member_of';

CREATE FUNCTION crm.contact_set_eq(crm.contact_set, crm.contact_set) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_contact_set_eq';
CREATE FUNCTION crm.contact_set_ne(crm.contact_set, crm.contact_set) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_contact_set_ne';
CREATE FUNCTION crm.contact_set_lt(crm.contact_set, crm.contact_set) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_contact_set_lt';
CREATE FUNCTION crm.contact_set_le(crm.contact_set, crm.contact_set) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_contact_set_le';
CREATE FUNCTION crm.contact_set_gt(crm.contact_set, crm.contact_set) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_contact_set_gt';
CREATE FUNCTION crm.contact_set_ge(crm.contact_set, crm.contact_set) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_contact_set_ge';
CREATE FUNCTION crm.contact_set_cmp(crm.contact_set, crm.contact_set) RETURNS integer
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_contact_set_cmp';
CREATE FUNCTION crm.contact_set_hash(crm.contact_set) RETURNS integer
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_contact_set_hash';
CREATE FUNCTION crm.contact_set_hash_extended(crm.contact_set, bigint) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_contact_set_hash_extended';

CREATE FUNCTION crm.contact_set_gin_extract_value(crm.contact_set, internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_contact_set_gin_extract_value';
CREATE FUNCTION crm.contact_set_gin_extract_query(crm.contact_set, internal, smallint, internal, internal, internal, internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_contact_set_gin_extract_query';
CREATE FUNCTION crm.contact_set_gin_consistent(internal, smallint, crm.contact_set, integer, internal, internal, internal, internal) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_contact_set_gin_consistent';
CREATE FUNCTION crm.contact_set_gin_triconsistent(internal, smallint, crm.contact_set, integer, internal, internal, internal) RETURNS "char"
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_contact_set_gin_triconsistent';

-- ---------------- casts ----------------

CREATE CAST (bigint[] AS crm.contact_set) WITH FUNCTION crm.contact_set(bigint[]);
CREATE CAST (crm.contact_set AS bigint[]) WITH FUNCTION crm.member_array(crm.contact_set);

-- ---------------- operators ----------------

CREATE OPERATOR crm.& (
    LEFTARG = crm.contact_set, RIGHTARG = crm.contact_set, FUNCTION = crm.contact_set_and,
    COMMUTATOR = OPERATOR(crm.&)
);
COMMENT ON OPERATOR crm.& (crm.contact_set, crm.contact_set) IS 'members of both';
CREATE OPERATOR crm.| (
    LEFTARG = crm.contact_set, RIGHTARG = crm.contact_set, FUNCTION = crm.contact_set_or,
    COMMUTATOR = OPERATOR(crm.|)
);
COMMENT ON OPERATOR crm.| (crm.contact_set, crm.contact_set) IS 'members of either';
CREATE OPERATOR crm.- (
    LEFTARG = crm.contact_set, RIGHTARG = crm.contact_set, FUNCTION = crm.contact_set_and_not
);
COMMENT ON OPERATOR crm.- (crm.contact_set, crm.contact_set) IS 'members of the left and not of the right';
CREATE OPERATOR crm.# (
    LEFTARG = crm.contact_set, RIGHTARG = crm.contact_set, FUNCTION = crm.contact_set_xor,
    COMMUTATOR = OPERATOR(crm.#)
);
COMMENT ON OPERATOR crm.# (crm.contact_set, crm.contact_set) IS 'members of one of both and not of the other';
CREATE OPERATOR crm.| (
    LEFTARG = crm.contact_set, RIGHTARG = bigint, FUNCTION = crm.contact_set_add
);
COMMENT ON OPERATOR crm.| (crm.contact_set, bigint) IS 'with this id';
CREATE OPERATOR crm.- (
    LEFTARG = crm.contact_set, RIGHTARG = bigint, FUNCTION = crm.contact_set_remove
);
COMMENT ON OPERATOR crm.- (crm.contact_set, bigint) IS 'without this id';

CREATE OPERATOR crm.&& (
    LEFTARG = crm.contact_set, RIGHTARG = crm.contact_set, FUNCTION = crm.contact_set_overlaps,
    COMMUTATOR = OPERATOR(crm.&&), RESTRICT = contsel, JOIN = contjoinsel
);
COMMENT ON OPERATOR crm.&& (crm.contact_set, crm.contact_set) IS 'has a member in common';
CREATE OPERATOR crm.@> (
    LEFTARG = crm.contact_set, RIGHTARG = crm.contact_set, FUNCTION = crm.contact_set_contains,
    COMMUTATOR = OPERATOR(crm.<@), RESTRICT = contsel, JOIN = contjoinsel
);
COMMENT ON OPERATOR crm.@> (crm.contact_set, crm.contact_set) IS 'holds all members of';
CREATE OPERATOR crm.<@ (
    LEFTARG = crm.contact_set, RIGHTARG = crm.contact_set, FUNCTION = crm.contact_set_contained,
    COMMUTATOR = OPERATOR(crm.@>), RESTRICT = contsel, JOIN = contjoinsel
);
COMMENT ON OPERATOR crm.<@ (crm.contact_set, crm.contact_set) IS 'has all its members in';
CREATE OPERATOR crm.@> (
    LEFTARG = crm.contact_set, RIGHTARG = bigint, FUNCTION = crm.contact_set_has,
    COMMUTATOR = OPERATOR(crm.<@), RESTRICT = crm.contact_set_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR crm.@> (crm.contact_set, bigint) IS 'has the member';
CREATE OPERATOR crm.<@ (
    LEFTARG = bigint, RIGHTARG = crm.contact_set, FUNCTION = crm.contact_set_member_of,
    COMMUTATOR = OPERATOR(crm.@>), RESTRICT = crm.contact_set_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR crm.<@ (bigint, crm.contact_set) IS 'is a member of';

CREATE OPERATOR crm.= (
    LEFTARG = crm.contact_set, RIGHTARG = crm.contact_set, FUNCTION = crm.contact_set_eq,
    COMMUTATOR = OPERATOR(crm.=), NEGATOR = OPERATOR(crm.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
CREATE OPERATOR crm.<> (
    LEFTARG = crm.contact_set, RIGHTARG = crm.contact_set, FUNCTION = crm.contact_set_ne,
    COMMUTATOR = OPERATOR(crm.<>), NEGATOR = OPERATOR(crm.=),
    RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR crm.< (
    LEFTARG = crm.contact_set, RIGHTARG = crm.contact_set, FUNCTION = crm.contact_set_lt,
    COMMUTATOR = OPERATOR(crm.>), NEGATOR = OPERATOR(crm.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR crm.<= (
    LEFTARG = crm.contact_set, RIGHTARG = crm.contact_set, FUNCTION = crm.contact_set_le,
    COMMUTATOR = OPERATOR(crm.>=), NEGATOR = OPERATOR(crm.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
CREATE OPERATOR crm.> (
    LEFTARG = crm.contact_set, RIGHTARG = crm.contact_set, FUNCTION = crm.contact_set_gt,
    COMMUTATOR = OPERATOR(crm.<), NEGATOR = OPERATOR(crm.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
CREATE OPERATOR crm.>= (
    LEFTARG = crm.contact_set, RIGHTARG = crm.contact_set, FUNCTION = crm.contact_set_ge,
    COMMUTATOR = OPERATOR(crm.<=), NEGATOR = OPERATOR(crm.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);

-- ---------------- operator classes ----------------

-- Smaller sets first, then an order of their bytes that means nothing.
CREATE OPERATOR CLASS crm.contact_set_ops DEFAULT FOR TYPE crm.contact_set USING btree AS
    OPERATOR 1 crm.<, OPERATOR 2 crm.<=, OPERATOR 3 crm.=, OPERATOR 4 crm.>=, OPERATOR 5 crm.>,
    FUNCTION 1 crm.contact_set_cmp(crm.contact_set, crm.contact_set),
    FUNCTION 4 pg_catalog.btequalimage(oid);
CREATE OPERATOR CLASS crm.contact_set_ops DEFAULT FOR TYPE crm.contact_set USING hash AS
    OPERATOR 1 crm.=,
    FUNCTION 1 crm.contact_set_hash(crm.contact_set),
    FUNCTION 2 crm.contact_set_hash_extended(crm.contact_set, bigint);
CREATE OPERATOR CLASS crm.contact_set_ops DEFAULT FOR TYPE crm.contact_set USING gin AS
    OPERATOR 1 crm.@> (crm.contact_set, bigint),
    OPERATOR 2 crm.@> (crm.contact_set, crm.contact_set),
    OPERATOR 3 crm.&& (crm.contact_set, crm.contact_set),
    OPERATOR 4 crm.= (crm.contact_set, crm.contact_set),
    FUNCTION 1 pg_catalog.btint8cmp(bigint, bigint),
    FUNCTION 2 crm.contact_set_gin_extract_value(crm.contact_set, internal),
    FUNCTION 3 crm.contact_set_gin_extract_query(crm.contact_set, internal, smallint, internal, internal, internal, internal),
    FUNCTION 4 crm.contact_set_gin_consistent(internal, smallint, crm.contact_set, integer, internal, internal, internal, internal),
    FUNCTION 6 crm.contact_set_gin_triconsistent(internal, smallint, crm.contact_set, integer, internal, internal, internal),
    STORAGE bigint;

-- ---------------- aggregates ----------------

CREATE FUNCTION crm.contact_set_agg_add(internal, bigint) RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_contact_set_agg_add';
CREATE FUNCTION crm.contact_set_agg_union(internal, crm.contact_set) RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_contact_set_agg_union';
CREATE FUNCTION crm.contact_set_agg_combine(internal, internal) RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_contact_set_agg_combine';
COMMENT ON FUNCTION crm.contact_set_agg_combine(internal, internal) IS 'For aggregates over contact sets: joins the states of two workers.';
CREATE FUNCTION crm.contact_set_agg_serial(internal) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_contact_set_agg_serial';
COMMENT ON FUNCTION crm.contact_set_agg_serial(internal) IS 'For aggregates over contact sets: the state of a worker as bytes.';
CREATE FUNCTION crm.contact_set_agg_deserial(bytea, internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_contact_set_agg_deserial';
COMMENT ON FUNCTION crm.contact_set_agg_deserial(bytea, internal) IS 'For aggregates over contact sets: a state from the bytes of a worker, all of which are checked.';
CREATE FUNCTION crm.contact_set_agg_final(internal) RETURNS crm.contact_set
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_contact_set_agg_final';
COMMENT ON FUNCTION crm.contact_set_agg_final(internal) IS 'For aggregates over contact sets: the set of a state.';

CREATE AGGREGATE crm.contact_set_agg(id bigint) (
    SFUNC = crm.contact_set_agg_add, STYPE = internal, SSPACE = 128,
    FINALFUNC = crm.contact_set_agg_final,
    COMBINEFUNC = crm.contact_set_agg_combine,
    SERIALFUNC = crm.contact_set_agg_serial, DESERIALFUNC = crm.contact_set_agg_deserial,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.contact_set_agg(bigint) IS 'The set of all ids that are not null; NULL when there is none.';

CREATE AGGREGATE crm.union_agg(members crm.contact_set) (
    SFUNC = crm.contact_set_agg_union, STYPE = internal, SSPACE = 1024,
    FINALFUNC = crm.contact_set_agg_final,
    COMBINEFUNC = crm.contact_set_agg_combine,
    SERIALFUNC = crm.contact_set_agg_serial, DESERIALFUNC = crm.contact_set_agg_deserial,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.union_agg(crm.contact_set) IS 'The union of all sets that are not null; NULL when there is none.';

CREATE AGGREGATE crm.intersect_agg(members crm.contact_set) (
    SFUNC = crm.contact_set_and, STYPE = crm.contact_set,
    COMBINEFUNC = crm.contact_set_and,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.intersect_agg(crm.contact_set) IS 'What all sets that are not null have in common; NULL when there is none.';
/* ------------------------------------------------------------------
 * Rules: conditions on a row, written by people, kept in tables.
 * ------------------------------------------------------------------ */

CREATE TYPE crm.rule;
CREATE FUNCTION crm.rule_in(cstring) RETURNS crm.rule
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rule_in';
CREATE FUNCTION crm.rule_out(crm.rule) RETURNS cstring
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rule_out';
CREATE FUNCTION crm.rule_recv(internal) RETURNS crm.rule
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rule_recv';
CREATE FUNCTION crm.rule_send(crm.rule) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rule_send';
CREATE TYPE crm.rule (
    INPUT = crm.rule_in,
    OUTPUT = crm.rule_out,
    RECEIVE = crm.rule_recv,
    SEND = crm.rule_send,
    INTERNALLENGTH = variable,
    ALIGNMENT = int4,
    STORAGE = extended
);
COMMENT ON TYPE crm.rule IS 'A condition on a row: a subset of what SQL allows in WHERE, with has_tag(), in_segment() and did(). Shown in canonical form. Raises 42601 with the place of a mistake, 54000 beyond 65536 bytes, 54001 beyond 64 levels. See doc/rule.md.';

/* ------------------------------------------------------------------
 * Reading without an error
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.try_rule(value text) RETURNS crm.rule
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_rule_try';
COMMENT ON FUNCTION crm.try_rule(text) IS 'The text as a rule, or null when crm.rule refuses it.';
CREATE FUNCTION crm.check_rule(value text) RETURNS crm.check_result
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_rule_check_text';
COMMENT ON FUNCTION crm.check_rule(text) IS 'Whether crm.rule reads the text, its canonical form, or what is wrong with it and where; never raises. Whether its fields exist is told by crm.rule_check().';

/* ------------------------------------------------------------------
 * Evaluating
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.rule_support(internal) RETURNS internal
LANGUAGE c STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rule_support';
COMMENT ON FUNCTION crm.rule_support(internal) IS 'Tells the planner of row @@ rule: writes constant rules out as expressions over the columns, estimates others.';

CREATE FUNCTION crm.rule_match("row" record, rule crm.rule) RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE COST 100 SUPPORT crm.rule_support AS 'MODULE_PATHNAME', 'crm_rule_match';
COMMENT ON FUNCTION crm.rule_match(record, crm.rule) IS 'The function of the operator row @@ rule.';

CREATE FUNCTION crm.rule_eval("row" record, rule crm.rule, as_of timestamptz DEFAULT now()) RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE COST 100 SUPPORT crm.rule_support AS 'MODULE_PATHNAME', 'crm_rule_evaluate';
COMMENT ON FUNCTION crm.rule_eval(record, crm.rule, timestamptz) IS 'Whether the rule holds for the row at a moment: now() and current_date in the rule mean as_of. True, false or null as in SQL. Errors: as row @@ rule.';

/* ------------------------------------------------------------------
 * What a rule asks of other tables, one contact at a time
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.contact_has_tag(contact_id bigint, tag text) RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'crm_contact_has_tag';
COMMENT ON FUNCTION crm.contact_has_tag(bigint, text) IS 'What has_tag() in a rule means: whether the contact has the tag; false when contact_id is null. Reads crm.tag as the caller.';

CREATE FUNCTION crm.contact_in_segment(contact_id bigint, segment text) RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'crm_contact_in_segment';
COMMENT ON FUNCTION crm.contact_in_segment(bigint, text) IS 'What in_segment() in a rule means: whether the contact is a member of the segment; false when contact_id is null. Errors: RM031 no such segment.';

CREATE FUNCTION crm.contact_did(contact_id bigint, event text, at_least integer DEFAULT 1, at_most integer DEFAULT NULL, within interval DEFAULT NULL, as_of timestamptz DEFAULT now()) RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE COST 3000 AS 'MODULE_PATHNAME', 'crm_contact_did';
COMMENT ON FUNCTION crm.contact_did(bigint, text, integer, integer, interval, timestamptz) IS 'What did() in a rule means: whether the number of events of the contact in the span (as_of - within, as_of], or up to as_of, is at least and at most so many; no contact has no events. Errors: RM030 no such event.';

CREATE FUNCTION crm.event_kind_check() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'crm_event_kind_check';
COMMENT ON FUNCTION crm.event_kind_check() IS 'Trigger of crm.event_kind: refuses what did() could not count. Errors: 42P01 no such relation; 42703 no such column; 42804 of a wrong type; 42501 a view of another owner; 22023 a relation without schema or a filter that asks for more than its row; those of crm.rule.';

/* ------------------------------------------------------------------
 * Looking into rules
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.rule_sql(rule crm.rule, relation regclass, as_of timestamptz DEFAULT NULL, alias text DEFAULT NULL) RETURNS text
LANGUAGE c STABLE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_rule_to_sql';
COMMENT ON FUNCTION crm.rule_sql(crm.rule, regclass, timestamptz, text) IS 'The rule as plain SQL over the columns of the relation, for WHERE: has_tag(), in_segment() and did() are IN (SELECT ...). With as_of that moment stands for now(); with alias the columns have it before them. Errors: as row @@ rule.';

CREATE FUNCTION crm.rule_check(rule crm.rule, relation regclass, OUT code text, OUT condition text, OUT message text, OUT hint text) RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000 ROWS 1 AS 'MODULE_PATHNAME', 'crm_rule_check';
COMMENT ON FUNCTION crm.rule_check(crm.rule, regclass) IS 'What keeps the rule from being evaluated on rows of the relation, one row a condition: fields that it lacks (42703, with the nearest name as hint), types that do not fit (42804 and those of literals), unknown events (RM030) and segments (RM031), a row without contact (RM032). No rows: the rule can be used.';

CREATE FUNCTION crm.rule_fields(rule crm.rule) RETURNS text[]
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_rule_fields';
COMMENT ON FUNCTION crm.rule_fields(crm.rule) IS 'The fields that the rule names, each once, in the order of the rule.';

CREATE FUNCTION crm.rule_dependencies(rule crm.rule, OUT kind text, OUT name text) RETURNS SETOF record
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 ROWS 5 AS 'MODULE_PATHNAME', 'crm_rule_dependencies';
COMMENT ON FUNCTION crm.rule_dependencies(crm.rule) IS 'What the outcome of the rule depends on, each once: kind is field, key (of a jsonb field), tag, segment, event or clock (now or current_date).';

CREATE FUNCTION crm.explain_rule("row" record, rule crm.rule, as_of timestamptz DEFAULT now(),
    OUT number integer, OUT depth integer, OUT condition text, OUT field_values jsonb, OUT truth boolean) RETURNS SETOF record
LANGUAGE c STABLE PARALLEL SAFE COST 1000 ROWS 5 AS 'MODULE_PATHNAME', 'crm_rule_explain';
COMMENT ON FUNCTION crm.explain_rule(record, crm.rule, timestamptz) IS 'Why the rule holds for the row or does not: each condition in the order of the rule, how deep within and, or, not it stands, the values of its fields, and whether it is true by itself. Errors: as row @@ rule.';

CREATE FUNCTION crm.rule_next_change("row" record, rule crm.rule, as_of timestamptz DEFAULT now()) RETURNS timestamptz
LANGUAGE c STABLE PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'crm_rule_next_change';
COMMENT ON FUNCTION crm.rule_next_change(record, crm.rule, timestamptz) IS 'The first moment after as_of at which the clock may change the outcome of the rule for the row as it is; infinity when it never does. Sometimes too early, never too late. Errors: as row @@ rule.';

/* ------------------------------------------------------------------
 * Combining, comparing
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.rule_and(crm.rule, crm.rule) RETURNS crm.rule
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rule_and';
CREATE FUNCTION crm.rule_or(crm.rule, crm.rule) RETURNS crm.rule
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rule_or';
CREATE FUNCTION crm.rule_not(crm.rule) RETURNS crm.rule
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rule_not';

CREATE FUNCTION crm.rule_eq(crm.rule, crm.rule) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rule_eq';
CREATE FUNCTION crm.rule_ne(crm.rule, crm.rule) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rule_ne';
CREATE FUNCTION crm.rule_lt(crm.rule, crm.rule) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rule_lt';
CREATE FUNCTION crm.rule_le(crm.rule, crm.rule) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rule_le';
CREATE FUNCTION crm.rule_gt(crm.rule, crm.rule) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rule_gt';
CREATE FUNCTION crm.rule_ge(crm.rule, crm.rule) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rule_ge';
CREATE FUNCTION crm.rule_cmp(crm.rule, crm.rule) RETURNS integer
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rule_cmp';
CREATE FUNCTION crm.rule_hash(crm.rule) RETURNS integer
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rule_hash';
CREATE FUNCTION crm.rule_hash_extended(crm.rule, bigint) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rule_hash_extended';
CREATE FUNCTION crm.rule_sel(internal, oid, internal, integer) RETURNS double precision
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rule_sel';
CREATE FUNCTION crm.rule_join_sel(internal, oid, internal, smallint, internal) RETURNS double precision
LANGUAGE c STABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rule_join_sel';

CREATE FUNCTION crm.rule(value text) RETURNS crm.rule
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_rule_from_text';
COMMENT ON FUNCTION crm.rule(text) IS 'The explicit cast from text to crm.rule. Raises 42601, 54000, 54001.';
CREATE FUNCTION crm.text(crm.rule) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_rule_to_text';
COMMENT ON FUNCTION crm.text(crm.rule) IS 'The canonical text: the cast from crm.rule to text, on assignment.';
CREATE FUNCTION crm.rule(tree jsonb) RETURNS crm.rule
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_rule_from_jsonb';
COMMENT ON FUNCTION crm.rule(jsonb) IS 'The explicit cast from the tree form, which rule builders edit, to a rule. Raises 22P02 with the path of what is wrong.';
CREATE FUNCTION crm.jsonb(crm.rule) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_rule_to_jsonb';
COMMENT ON FUNCTION crm.jsonb(crm.rule) IS 'The tree form of a rule: the explicit cast from crm.rule to jsonb. Cast back it gives the same rule.';
CREATE CAST (text AS crm.rule) WITH FUNCTION crm.rule(text);
CREATE CAST (crm.rule AS text) WITH FUNCTION crm.text(crm.rule) AS ASSIGNMENT;
CREATE CAST (jsonb AS crm.rule) WITH FUNCTION crm.rule(jsonb);
CREATE CAST (crm.rule AS jsonb) WITH FUNCTION crm.jsonb(crm.rule);

CREATE OPERATOR crm.@@ (
    LEFTARG = record, RIGHTARG = crm.rule, FUNCTION = crm.rule_match,
    RESTRICT = crm.rule_sel, JOIN = crm.rule_join_sel
);
COMMENT ON OPERATOR crm.@@ (record, crm.rule) IS 'Whether the rule holds for the row: true, false or null as in SQL. Errors: 42703 the row lacks a field of the rule; 42804 a field is of a type that the rule does not fit; RM030, RM031 an unknown event or segment; RM032 the row has no contact.';
CREATE OPERATOR crm.&& (LEFTARG = crm.rule, RIGHTARG = crm.rule, FUNCTION = crm.rule_and);
COMMENT ON OPERATOR crm.&& (crm.rule, crm.rule) IS 'The rule that holds where both do.';
CREATE OPERATOR crm.|| (LEFTARG = crm.rule, RIGHTARG = crm.rule, FUNCTION = crm.rule_or);
COMMENT ON OPERATOR crm.|| (crm.rule, crm.rule) IS 'The rule that holds where either does.';
CREATE OPERATOR crm.!! (RIGHTARG = crm.rule, FUNCTION = crm.rule_not);
COMMENT ON OPERATOR crm.!! (NONE, crm.rule) IS 'The rule that holds where the other is false; where that is null it is null, too.';

CREATE OPERATOR crm.= (
    LEFTARG = crm.rule, RIGHTARG = crm.rule, FUNCTION = crm.rule_eq,
    COMMUTATOR = OPERATOR(crm.=), NEGATOR = OPERATOR(crm.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
COMMENT ON OPERATOR crm.= (crm.rule, crm.rule) IS 'Whether two rules have the same canonical text.';
CREATE OPERATOR crm.<> (
    LEFTARG = crm.rule, RIGHTARG = crm.rule, FUNCTION = crm.rule_ne,
    COMMUTATOR = OPERATOR(crm.<>), NEGATOR = OPERATOR(crm.=),
    RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR crm.< (
    LEFTARG = crm.rule, RIGHTARG = crm.rule, FUNCTION = crm.rule_lt,
    COMMUTATOR = OPERATOR(crm.>), NEGATOR = OPERATOR(crm.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR crm.<= (
    LEFTARG = crm.rule, RIGHTARG = crm.rule, FUNCTION = crm.rule_le,
    COMMUTATOR = OPERATOR(crm.>=), NEGATOR = OPERATOR(crm.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
CREATE OPERATOR crm.> (
    LEFTARG = crm.rule, RIGHTARG = crm.rule, FUNCTION = crm.rule_gt,
    COMMUTATOR = OPERATOR(crm.<), NEGATOR = OPERATOR(crm.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
CREATE OPERATOR crm.>= (
    LEFTARG = crm.rule, RIGHTARG = crm.rule, FUNCTION = crm.rule_ge,
    COMMUTATOR = OPERATOR(crm.<=), NEGATOR = OPERATOR(crm.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);
CREATE OPERATOR CLASS crm.rule_ops DEFAULT FOR TYPE crm.rule USING btree AS
    OPERATOR 1 crm.<, OPERATOR 2 crm.<=, OPERATOR 3 crm.=, OPERATOR 4 crm.>=, OPERATOR 5 crm.>,
    FUNCTION 1 crm.rule_cmp(crm.rule, crm.rule);
CREATE OPERATOR CLASS crm.rule_ops DEFAULT FOR TYPE crm.rule USING hash AS
    OPERATOR 1 crm.=,
    FUNCTION 1 crm.rule_hash(crm.rule),
    FUNCTION 2 crm.rule_hash_extended(crm.rule, bigint);

COMMENT ON FUNCTION crm.rule_in(cstring) IS 'Input function of type crm.rule. Errors: 42601 with the place and the token, 54000, 54001.';
COMMENT ON FUNCTION crm.rule_out(crm.rule) IS 'Output function of type crm.rule.';
COMMENT ON FUNCTION crm.rule_recv(internal) IS 'Binary input function of type crm.rule. Errors: 22P03 malformed binary value, those of the text.';
COMMENT ON FUNCTION crm.rule_send(crm.rule) IS 'Binary output function of type crm.rule: a version byte and the canonical text.';
COMMENT ON FUNCTION crm.rule_and(crm.rule, crm.rule) IS 'Implementation of operator crm.&&(crm.rule,crm.rule).';
COMMENT ON FUNCTION crm.rule_or(crm.rule, crm.rule) IS 'Implementation of operator crm.||(crm.rule,crm.rule).';
COMMENT ON FUNCTION crm.rule_not(crm.rule) IS 'Implementation of operator crm.!!(NONE,crm.rule).';
COMMENT ON FUNCTION crm.rule_eq(crm.rule, crm.rule) IS 'Implementation of operator crm.=(crm.rule,crm.rule).';
COMMENT ON FUNCTION crm.rule_ne(crm.rule, crm.rule) IS 'Implementation of operator crm.<>(crm.rule,crm.rule).';
COMMENT ON FUNCTION crm.rule_lt(crm.rule, crm.rule) IS 'Implementation of operator crm.<(crm.rule,crm.rule).';
COMMENT ON FUNCTION crm.rule_le(crm.rule, crm.rule) IS 'Implementation of operator crm.<=(crm.rule,crm.rule).';
COMMENT ON FUNCTION crm.rule_gt(crm.rule, crm.rule) IS 'Implementation of operator crm.>(crm.rule,crm.rule).';
COMMENT ON FUNCTION crm.rule_ge(crm.rule, crm.rule) IS 'Implementation of operator crm.>=(crm.rule,crm.rule).';
COMMENT ON FUNCTION crm.rule_cmp(crm.rule, crm.rule) IS 'Support function 1 of btree operator family rule_ops: the order of the canonical texts, byte by byte.';
COMMENT ON FUNCTION crm.rule_hash(crm.rule) IS 'Support function 1 of hash operator family rule_ops.';
COMMENT ON FUNCTION crm.rule_hash_extended(crm.rule, bigint) IS 'Support function 2 of hash operator family rule_ops.';
COMMENT ON FUNCTION crm.rule_sel(internal, oid, internal, integer) IS 'Estimates row @@ rule where the rule was not written out: by its form, or 5 percent where it is not known.';
COMMENT ON FUNCTION crm.rule_join_sel(internal, oid, internal, smallint, internal) IS 'Estimates joins by row @@ rule: 5 percent.';
/* ------------------------------------------------------------------
 * Orders and metrics: the base currency, exchange rates, what an order is
 * completed with, and what the metrics of a contact are by definition.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.exchange_rate(currency text, at timestamptz DEFAULT now()) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE COST 50
SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN $1 = b.code THEN 1 ELSE coalesce(
        (SELECT f.rate FROM crm.fx_rate f
         WHERE f.currency = $1 AND f.base = b.code AND f.valid_from <= ($2 AT TIME ZONE 'UTC')::date ORDER BY f.valid_from DESC LIMIT 1),
        (SELECT round(1 / f.rate, 12) FROM crm.fx_rate f
         WHERE f.currency = b.code AND f.base = $1 AND f.valid_from <= ($2 AT TIME ZONE 'UTC')::date ORDER BY f.valid_from DESC LIMIT 1)) END
    FROM crm.base_currency b
$$;
COMMENT ON FUNCTION crm.exchange_rate(text, timestamptz) IS 'What one unit of a currency was worth in the base currency on the day (in UTC) of a moment, by crm.fx_rate: the latest rate that held, otherwise the inverse of one the other way round (to 12 places); 1 for the base currency; null when there is none.';

CREATE FUNCTION crm.complete_order() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF crm.merge_mode() <> 'off' THEN
        RETURN NEW;             -- as it was, to the byte
    END IF;
    IF TG_OP = 'UPDATE' THEN
        NEW.updated_at := now();
        -- The old rate is of the old currency, unless a new one came with it.
        IF NEW.currency IS DISTINCT FROM OLD.currency AND NEW.exchange_rate IS NOT DISTINCT FROM OLD.exchange_rate THEN
            NEW.exchange_rate := NULL;
        END IF;
    END IF;
    IF NEW.currency IS NULL THEN
        SELECT b.code, 1 INTO NEW.currency, NEW.exchange_rate FROM crm.base_currency b;
    ELSIF NEW.exchange_rate IS NULL THEN
        SELECT 1 INTO NEW.exchange_rate FROM crm.base_currency b WHERE b.code = NEW.currency;
        IF NOT FOUND THEN
            -- Whoever writes a rate waits for this order, or this order for the rate.
            PERFORM pg_advisory_xact_lock_shared(hashtext('crm.fx_rate'));
            NEW.exchange_rate := crm.exchange_rate(NEW.currency, NEW.ordered_at);
        END IF;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.complete_order() IS 'Trigger BEFORE INSERT OR UPDATE FOR EACH ROW on crm.sales_order: completes currency, exchange_rate and updated_at.';

-- Named in full and without settings, so that it is planned with its caller.
CREATE FUNCTION crm.contact_metrics_of(contact_ids bigint[], OUT contact_id bigint,
    OUT order_count bigint, OUT priced_order_count bigint, OUT order_total numeric,
    OUT first_order_at timestamptz, OUT last_order_at timestamptz, OUT largest_order numeric,
    OUT activity_count bigint, OUT first_activity_at timestamptz, OUT last_activity_at timestamptz,
    OUT last_inbound_at timestamptz, OUT last_outbound_at timestamptz,
    OUT open_deal_count bigint, OUT won_deal_count bigint, OUT won_deal_total numeric, OUT last_won_at timestamptz)
RETURNS SETOF record LANGUAGE sql STABLE AS $$
    SELECT i.id,
           coalesce(o.order_count, 0), coalesce(o.priced_order_count, 0), coalesce(o.order_total, 0.0000),
           o.first_order_at, o.last_order_at, o.largest_order,
           coalesce(a.activity_count, 0), a.first_activity_at, a.last_activity_at, a.last_inbound_at, a.last_outbound_at,
           coalesce(d.open_deal_count, 0), coalesce(d.won_deal_count, 0), coalesce(d.won_deal_total, 0.0000), d.last_won_at
    FROM (SELECT DISTINCT u.id FROM pg_catalog.unnest(contact_ids) AS u (id) WHERE u.id IS NOT NULL) i
    LEFT JOIN (
        SELECT s.contact_id, pg_catalog.count(*) AS order_count, pg_catalog.count(s.base_amount) AS priced_order_count,
               pg_catalog.sum(s.base_amount) AS order_total, pg_catalog.min(s.ordered_at) AS first_order_at,
               pg_catalog.max(s.ordered_at) AS last_order_at, pg_catalog.max(s.base_amount) AS largest_order
        FROM (SELECT DISTINCT u.id FROM pg_catalog.unnest(contact_ids) AS u (id)) w
        JOIN crm.sales_order s ON s.contact_id OPERATOR(pg_catalog.=) w.id WHERE s.is_counted
        GROUP BY s.contact_id) o ON o.contact_id OPERATOR(pg_catalog.=) i.id
    LEFT JOIN (
        SELECT v.contact_id, pg_catalog.count(*) AS activity_count, pg_catalog.min(v.occurred_at) AS first_activity_at,
               pg_catalog.max(v.occurred_at) AS last_activity_at,
               pg_catalog.max(v.occurred_at) FILTER (WHERE v.direction OPERATOR(pg_catalog.=) 'in') AS last_inbound_at,
               pg_catalog.max(v.occurred_at) FILTER (WHERE v.direction OPERATOR(pg_catalog.=) 'out') AS last_outbound_at
        FROM (SELECT DISTINCT u.id FROM pg_catalog.unnest(contact_ids) AS u (id)) w
        JOIN crm.activity v ON v.contact_id OPERATOR(pg_catalog.=) w.id
        GROUP BY v.contact_id) a ON a.contact_id OPERATOR(pg_catalog.=) i.id
    LEFT JOIN (
        SELECT e.contact_id, pg_catalog.count(*) FILTER (WHERE t.kind OPERATOR(pg_catalog.=) 'open') AS open_deal_count,
               pg_catalog.count(*) FILTER (WHERE t.kind OPERATOR(pg_catalog.=) 'won') AS won_deal_count,
               pg_catalog.sum(pg_catalog.round(e.amount OPERATOR(pg_catalog.*) crm.exchange_rate(e.currency, e.closed_at), 4))
                   FILTER (WHERE t.kind OPERATOR(pg_catalog.=) 'won') AS won_deal_total,
               pg_catalog.max(e.closed_at) FILTER (WHERE t.kind OPERATOR(pg_catalog.=) 'won') AS last_won_at
        FROM (SELECT DISTINCT u.id FROM pg_catalog.unnest(contact_ids) AS u (id)) w
        JOIN crm.deal e ON e.contact_id OPERATOR(pg_catalog.=) w.id JOIN crm.stage t ON t.id OPERATOR(pg_catalog.=) e.stage_id
        WHERE e.deleted_at IS NULL
        GROUP BY e.contact_id) d ON d.contact_id OPERATOR(pg_catalog.=) i.id
$$;
COMMENT ON FUNCTION crm.contact_metrics_of(bigint[]) IS 'The metrics of the contacts named, counted from orders, activities and deals as they are: what crm.contact_metric must hold. A contact without any has a row of zeros here.';
/* ------------------------------------------------------------------
 * Segments: sets of contacts with a name, by rule, by list or by other
 * segments, kept true as data and time move.
 *
 * A refresh takes what changed from the queue, asks the rules concerned of
 * these contacts only, and writes who entered and left.  It never waits for
 * writers, nor they for it; one refresh runs at a time.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.set_chunks(members crm.contact_set, OUT chunk bigint, OUT members_of_chunk crm.contact_set) RETURNS SETOF record
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10 ROWS 16 AS 'MODULE_PATHNAME', 'crm_segment_set_chunks';
COMMENT ON FUNCTION crm.set_chunks(crm.contact_set) IS 'A set cut into those of 65,536 numbers each: the number divided by 65,536, and the members of it.';

CREATE FUNCTION crm.rule_crossing_sql(rule crm.rule, relation regclass, since timestamptz, until timestamptz, alias text DEFAULT NULL) RETURNS text
LANGUAGE c STABLE PARALLEL SAFE COST 100 AS 'MODULE_PATHNAME', 'crm_rule_crossing_sql';
COMMENT ON FUNCTION crm.rule_crossing_sql(crm.rule, regclass, timestamptz, timestamptz, text) IS 'Which rows the rule may judge otherwise at the one moment than at the other merely because time passed, as a condition in SQL; ranges of columns wherever a column is compared with the clock. Others it judges alike; some that are named it judges alike, too. Null when the rule has no clock. Errors: as row @@ rule.';

CREATE FUNCTION crm.queue_for_segments() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'crm_segment_queue';
COMMENT ON FUNCTION crm.queue_for_segments() IS 'Trigger AFTER INSERT, UPDATE or DELETE FOR EACH STATEMENT with its transition tables: notes in crm.segment_queue which contacts a statement changed, for the next refresh of segments. Arguments: what changed; the column with the number; "*" when the columns that differ are the names, a column whose values are, or "table.column" where the contacts with that number are found. Writes with the rights of the table''s owner. Errors: 42703 no such column; 42501 the owner may not write the queue.';

-- ---- members ----

CREATE FUNCTION crm.segment_number(segment text) RETURNS bigint
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found bigint := (SELECT s.id FROM crm.segment s WHERE s.name = segment);
BEGIN
    IF found IS NULL THEN
        RAISE EXCEPTION 'there is no segment "%"', segment USING ERRCODE = 'RM031',
            HINT = coalesce((SELECT format('Perhaps you meant "%s".', s.name) FROM crm.segment s
                             WHERE crm.levenshtein(lower(s.name), lower(segment)) <= 2 ORDER BY crm.levenshtein(lower(s.name), lower(segment)), s.name LIMIT 1),
                            'crm.v_segment lists the segments.');
    END IF;
    RETURN found;
END
$$;
COMMENT ON FUNCTION crm.segment_number(text) IS 'Number of the segment of that name. Errors: RM031 there is none.';

CREATE FUNCTION crm.segment_set(segment text) RETURNS crm.contact_set
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 1000
SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(crm.union_agg(k.members), '{}'::crm.contact_set) FROM crm.segment_chunk k WHERE k.segment_id = crm.segment_number(segment)
$$;
COMMENT ON FUNCTION crm.segment_set(text) IS 'The members of a segment as a set, as of its last refresh. Errors: RM031 no such segment.';

CREATE FUNCTION crm.segment_part(segment_id bigint, contacts crm.contact_set) RETURNS crm.contact_set
LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 1000
SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(crm.union_agg(k.members OPERATOR(crm.&) contacts), '{}'::crm.contact_set)
    FROM crm.segment_chunk k
    WHERE k.segment_id = $1 AND k.chunk = ANY (ARRAY(SELECT c.chunk FROM crm.set_chunks(contacts) c))
$$;
COMMENT ON FUNCTION crm.segment_part(bigint, crm.contact_set) IS 'Those of the given contacts who are members; reads only the chunks that they are in.';

CREATE FUNCTION crm.segment_members(segment text) RETURNS SETOF bigint
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 10000
SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.id FROM crm.segment_chunk k, crm.members(k.members) AS m (id) WHERE k.segment_id = crm.segment_number(segment)
$$;
COMMENT ON FUNCTION crm.segment_members(text) IS 'The numbers of the members of a segment, as of its last refresh. Errors: RM031 no such segment.';

CREATE FUNCTION crm.in_segment(contact_id bigint, segment text) RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_contact_in_segment';
COMMENT ON FUNCTION crm.in_segment(bigint, text) IS 'Whether a contact is in a segment, as of its last refresh; false when contact_id is null. A query that asks of many contacts reads the segment once. Errors: RM031 no such segment.';

CREATE FUNCTION crm.contact_segments(contact_id bigint) RETURNS SETOF text
LANGUAGE sql STABLE STRICT PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.name FROM crm.segment_chunk k JOIN crm.segment s ON s.id = k.segment_id
    WHERE k.chunk = contact_id >> 16 AND k.members OPERATOR(crm.@>) contact_id ORDER BY s.name
$$;
COMMENT ON FUNCTION crm.contact_segments(bigint) IS 'Names of the segments that hold a contact.';

-- ---- definitions ----

CREATE FUNCTION crm.base_tables(relation regclass) RETURNS SETOF regclass
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE used (oid) AS (
        SELECT relation::oid
        UNION
        SELECT d.refobjid FROM used u JOIN pg_rewrite w ON w.ev_class = u.oid
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_class'::regclass
    )
    SELECT c.oid::regclass FROM used u JOIN pg_class c ON c.oid = u.oid WHERE c.relkind <> 'v'
$$;
COMMENT ON FUNCTION crm.base_tables(regclass) IS 'The tables that a view reads, also through other views; of a table itself.';

CREATE FUNCTION crm.rule_sources(rule crm.rule, OUT source text, OUT name text) RETURNS SETOF record
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
    WITH asked AS (
        SELECT d.kind, d.name,
               CASE
                   WHEN d.kind <> 'field' THEN d.kind
                   WHEN d.name IN ('email', 'email_validity', 'phone', 'phone_validity') THEN 'contact_point'
                   WHEN d.name LIKE 'company%' THEN 'company'
                   WHEN d.name = 'branch' THEN 'branch'
                   WHEN EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = 'crm.contact_metric'::regclass AND a.attname = d.name AND a.attnum > 0
                                AND a.attname NOT IN ('contact_id', 'updated_at')) THEN 'metric'
                   WHEN d.name = 'contact_id' OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = 'crm.contact'::regclass AND a.attname = d.name AND a.attnum > 0) THEN 'contact'
               END AS source
        FROM crm.rule_dependencies(rule) d
    )
    SELECT d.source, d.name FROM asked d WHERE d.source IN ('tag', 'segment') OR (d.kind = 'field' AND d.source IS NOT NULL)
    -- The time zone may be that of the branch.
    UNION SELECT 'branch', d.name FROM asked d WHERE d.kind = 'field' AND d.name = 'time_zone'
    -- A contact may get another branch.
    UNION SELECT 'contact', 'branch_id' FROM asked d WHERE d.kind = 'field' AND d.name IN ('branch', 'time_zone')
    UNION SELECT t::text, d.name FROM asked d, crm.base_tables(coalesce((SELECT e.relation FROM crm.event_kind e WHERE e.event = d.name), 'crm.activity')::regclass) t
    WHERE d.kind = 'event'
    -- A column that somebody added to the view may come from anywhere.
    UNION SELECT coalesce(k.source, t::text), '*'
    FROM crm.base_tables('crm.contact_profile') t
    LEFT JOIN (VALUES ('crm.contact', 'contact'), ('crm.contact_point', 'contact_point'), ('crm.company', 'company'), ('crm.company_contact', 'company'),
                      ('crm.branch', 'branch'), ('crm.contact_metric', 'metric'), ('crm.tag', 'tag')) k (relation, source) ON k.relation::regclass = t
    WHERE EXISTS (SELECT FROM asked d WHERE d.kind = 'field' AND d.source IS NULL)
$$;
COMMENT ON FUNCTION crm.rule_sources(crm.rule) IS 'Which tables a rule on crm.contact_profile looks at, and which of their columns, tags or segments; * for any.';

CREATE FUNCTION crm.expression_rule(expression text) RETURNS crm.rule
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    token record;
    words text[] := '{}';       -- of the rule that it becomes
    wants_name boolean := true;
    depth integer := 0;
BEGIN
    -- Names are words or quoted; & binds closer than | and -, as it reads.
    FOR token IN
        SELECT m[1] AS space, m[2] AS text, sum(length(m[1] || m[2])) OVER (ORDER BY n) - length(m[2]) + 1 AS at
        FROM regexp_matches(expression, '(\s*)("(?:[^"]|"")+"|[[:alpha:]_][[:alnum:]_$]*|\S)', 'g') WITH ORDINALITY r (m, n)
    LOOP
        IF token.text = '(' AND wants_name THEN
            words := words || '('::text;
            depth := depth + 1;
        ELSIF token.text = ')' AND NOT wants_name AND depth > 0 THEN
            words := words || ')'::text;
            depth := depth - 1;
        ELSIF token.text IN ('&', '|', '-') AND NOT wants_name THEN
            words := words || CASE token.text WHEN '&' THEN 'and' WHEN '|' THEN 'or' ELSE 'and not' END;
            wants_name := true;
        ELSIF token.text ~ '^("|[[:alpha:]_])' AND wants_name THEN
            words := words || format('in_segment(%L)', CASE WHEN token.text LIKE '"%' THEN replace(substr(token.text, 2, length(token.text) - 2), '""', '"') ELSE token.text END);
            wants_name := false;
        ELSE
            RAISE EXCEPTION 'syntax error in the expression over segments, at "%", character %', token.text, token.at
                USING ERRCODE = 'syntax_error', DETAIL = format('Expression: %s', expression),
                      HINT = 'Names of segments with & (and), | (or), - (without) and parentheses; a name with other characters in double quotes.';
        END IF;
    END LOOP;
    IF wants_name OR depth > 0 THEN
        RAISE EXCEPTION 'the expression over segments ends too early' USING ERRCODE = 'syntax_error',
            DETAIL = format('Expression: %s', expression),
            HINT = 'Names of segments with & (and), | (or), - (without) and parentheses.';
    END IF;
    RETURN array_to_string(words, ' ')::crm.rule;
END
$$;
COMMENT ON FUNCTION crm.expression_rule(text) IS 'An expression over segments, such as loyal & big - blocked, as a rule. & and - bind closer than |, from left to right. Errors: 42601 with the place.';

-- Level, dependencies and kind of a segment after its rule was written.
CREATE FUNCTION crm.derive_segment(segment_id bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed crm.segment := (SELECT s FROM crm.segment s WHERE s.id = segment_id);
    problem record;
    cycle text;
BEGIN
    DELETE FROM crm.segment_dependency d WHERE d.segment_id = changed.id;
    IF changed.kind = 'static' THEN
        RETURN;
    END IF;
    FOR problem IN SELECT * FROM crm.rule_check(changed.rule, 'crm.contact_profile') LOOP
        RAISE EXCEPTION 'the rule of segment "%" does not fit: %', changed.name, problem.message
            USING ERRCODE = problem.code, DETAIL = format('Condition: %s', problem.condition), HINT = coalesce(problem.hint, 'Fields are the columns of crm.contact_profile; texts stand in single quotes, intervals as interval ''90 days''.');
    END LOOP;
    INSERT INTO crm.segment_dependency (segment_id, source, name)
    SELECT changed.id, r.source, r.name FROM crm.rule_sources(changed.rule) r;
    -- None that it asks for may ask for it.
    WITH RECURSIVE asked (id, path) AS (
        SELECT s.id, ARRAY[changed.name, s.name]
        FROM crm.segment_dependency d JOIN crm.segment s ON s.name = d.name WHERE d.segment_id = changed.id AND d.source = 'segment'
        UNION ALL
        SELECT s.id, a.path || s.name
        FROM asked a JOIN crm.segment_dependency d ON d.segment_id = a.id AND d.source = 'segment' JOIN crm.segment s ON s.name = d.name
        WHERE a.id <> changed.id
    )
    SELECT array_to_string(a.path, ' -> ') INTO cycle FROM asked a WHERE a.id = changed.id LIMIT 1;
    IF cycle IS NOT NULL THEN
        RAISE EXCEPTION 'segment "%" would ask for itself', changed.name USING ERRCODE = 'RM033',
            DETAIL = format('%s.', cycle), HINT = 'Segments may ask for each other, but not in a circle.';
    END IF;
    UPDATE crm.segment s SET has_clock = crm.rule_crossing_sql(s.rule, 'crm.contact_profile', 'epoch', 'epoch') IS NOT NULL
    WHERE s.id = changed.id;
    -- It and those above it.
    WITH RECURSIVE below (top, id, depth) AS (
        SELECT s.id, s.id, 0 FROM crm.segment s
        UNION
        SELECT b.top, s.id, b.depth + 1
        FROM below b JOIN crm.segment_dependency d ON d.segment_id = b.id AND d.source = 'segment' JOIN crm.segment s ON s.name = d.name
    ), level AS (SELECT b.top AS id, max(b.depth) AS level FROM below b GROUP BY b.top)
    UPDATE crm.segment s SET level = l.level FROM level l WHERE l.id = s.id AND s.level <> l.level;
END
$$;
COMMENT ON FUNCTION crm.derive_segment(bigint) IS 'Derives what a segment depends on after its rule was written. Errors: 42703 the rule has a field that contacts lack; RM031 it asks for a segment that is not there; RM033 it would ask for itself.';

CREATE FUNCTION crm.segment_rule(kind text, definition text) RETURNS crm.rule
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    -- One that asks for segments alone may have been written either way.
    SELECT CASE WHEN kind = 'composed' AND definition !~ '\min_segment\s*\(' THEN crm.expression_rule(definition)
                WHEN kind <> 'static' THEN definition::crm.rule END
$$;
COMMENT ON FUNCTION crm.segment_rule(text, text) IS 'The rule that the definition of a segment says; null of a list. Errors: 42601.';

CREATE FUNCTION crm.derive_segment_rule() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    secret text;                -- what it asks for that the writer may not read
BEGIN
    NEW.rule := crm.segment_rule(NEW.kind, NEW.definition);
    -- The job refreshes with rights of its own: the writer must have them, too.
    IF TG_OP = 'INSERT' OR NEW.definition IS DISTINCT FROM OLD.definition THEN
        SELECT string_agg(DISTINCT r.relation, ', ') INTO secret
        FROM (SELECT coalesce((SELECT e.relation FROM crm.event_kind e WHERE e.event = d.name), 'crm.activity') AS relation
              FROM crm.rule_dependencies(NEW.rule) d WHERE d.kind = 'event'
              UNION ALL SELECT 'crm.contact_profile' WHERE NEW.kind = 'dynamic') r
        WHERE NOT coalesce(has_table_privilege(to_regclass(r.relation), 'SELECT'), true);
        IF secret IS NOT NULL THEN
            RAISE EXCEPTION 'permission denied for %', secret USING ERRCODE = 'insufficient_privilege',
                DETAIL = format('The rule of segment "%s" asks for it.', NEW.name);
        END IF;
    END IF;
    IF TG_OP = 'UPDATE' AND (NEW.kind, NEW.definition) IS DISTINCT FROM (OLD.kind, OLD.definition) THEN
        NEW.needs_full := true;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.derive_segment_rule() IS 'Trigger of crm.segment: reads the definition into column rule, whatever was written there. Errors: 42601; 42501 it asks for what the writer may not read.';

CREATE FUNCTION crm.events_changed() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    concerned bigint[] := ARRAY(
        SELECT s.id FROM crm.segment s
        WHERE EXISTS (SELECT FROM crm.rule_dependencies(s.rule) d
                      WHERE d.kind = 'event' AND d.name IN (CASE WHEN TG_OP <> 'INSERT' THEN OLD.event END, CASE WHEN TG_OP <> 'DELETE' THEN NEW.event END)));
BEGIN
    IF concerned <> '{}' THEN
        DELETE FROM crm.segment_dependency d WHERE d.segment_id = ANY (concerned) AND strpos(d.source, '.') > 0;
        INSERT INTO crm.segment_dependency (segment_id, source, name)
        SELECT s.id, r.source, r.name FROM crm.segment s CROSS JOIN LATERAL crm.rule_sources(s.rule) r
        WHERE s.id = ANY (concerned) AND strpos(r.source, '.') > 0
        ON CONFLICT DO NOTHING;
        UPDATE crm.segment s SET needs_full = true WHERE s.id = ANY (concerned);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION crm.events_changed() IS 'Trigger of crm.event_kind: segments that count the event look at its new table, and are refreshed from all contacts.';

-- What the caller said a segment is, as columns of it.
CREATE FUNCTION crm.segment_definition(rule crm.rule, members crm.contact_set, expression text,
    OUT kind text, OUT definition text, OUT derived crm.rule)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF num_nonnulls(rule, members, expression) <> 1 THEN
        RAISE EXCEPTION 'a segment is made by a rule, by members or by an expression over segments' USING ERRCODE = 'invalid_parameter_value',
            DETAIL = format('%s of them were given.', num_nonnulls(rule, members, expression)), HINT = 'Give one of rule, members and expression.';
    END IF;
    IF members IS NOT NULL THEN
        kind := 'static';
    ELSIF expression IS NOT NULL THEN
        kind := 'composed';
        definition := expression;
        derived := crm.expression_rule(expression);
    ELSE
        definition := rule::text;
        derived := rule;
        kind := CASE WHEN EXISTS (SELECT FROM crm.rule_dependencies(rule) d WHERE d.kind <> 'segment') OR NOT EXISTS (SELECT FROM crm.rule_dependencies(rule))
                     THEN 'dynamic' ELSE 'composed' END;
    END IF;
END
$$;
COMMENT ON FUNCTION crm.segment_definition(crm.rule, crm.contact_set, text) IS 'What kind of segment a rule, a list of members or an expression makes. Errors: 22023 not one of them; 42601 the expression.';

CREATE FUNCTION crm.create_segment(name text, rule crm.rule DEFAULT NULL, members crm.contact_set DEFAULT NULL, expression text DEFAULT NULL,
    description text DEFAULT NULL, emits_events boolean DEFAULT false, as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made record;
    said record;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.lock_segments();
    SELECT * INTO said FROM crm.segment_definition(rule, members, expression);
    INSERT INTO crm.segment AS s (name, kind, definition, rule, description, emits_events)
    VALUES (btrim($1), said.kind, said.definition, said.derived, $5, $6)
    ON CONFLICT ON CONSTRAINT segment_name_key DO NOTHING
    RETURNING s.* INTO made;
    IF made.id IS NULL THEN
        RAISE EXCEPTION 'there is a segment "%" already', btrim(name) USING ERRCODE = 'duplicate_object',
            HINT = 'crm.change_segment() changes it.';
    END IF;
    PERFORM crm.derive_segment(made.id);
    IF said.kind = 'static' THEN
        PERFORM crm.change_list(made.id, members, '{}');
    END IF;
    PERFORM crm.refresh_whole_segment(made.id, as_of, CASE said.kind WHEN 'static' THEN 'members' ELSE 'definition' END);
    RETURN made.id;
END
$$;
COMMENT ON FUNCTION crm.create_segment(text, crm.rule, crm.contact_set, text, text, boolean, timestamptz) IS 'Makes a segment: of the contacts for which a rule on crm.contact_profile holds, of members given, or by an expression over other segments (loyal & big - blocked). Its members are there at once. With emits_events who enters and leaves later is told to the outbox. Returns its number. Errors: 42710 the name is taken; 22023 not one of rule, members and expression; 42601 syntax; 42703 unknown field; RM031 unknown segment; RM033 a circle.';

CREATE FUNCTION crm.change_segment(segment text, rule crm.rule DEFAULT NULL, members crm.contact_set DEFAULT NULL, expression text DEFAULT NULL,
    as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target bigint;
    said record;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.lock_segments();
    target := crm.segment_number(segment);
    SELECT * INTO said FROM crm.segment_definition(rule, members, expression);
    UPDATE crm.segment s SET kind = said.kind, definition = said.definition, rule = said.derived, error = NULL WHERE s.id = target;
    PERFORM crm.derive_segment(target);
    DELETE FROM crm.segment_list l WHERE l.segment_id = target;
    IF said.kind = 'static' THEN
        PERFORM crm.change_list(target, members, '{}');
    END IF;
    PERFORM crm.refresh_whole_segment(target, as_of, CASE said.kind WHEN 'static' THEN 'members' ELSE 'definition' END);
    -- Those that ask for it are brought up to date by the next refresh.
    UPDATE crm.segment s SET needs_full = true
    WHERE s.id IN (SELECT d.segment_id FROM crm.segment_dependency d WHERE d.source = 'segment' AND d.name = segment);
    RETURN target;
END
$$;
COMMENT ON FUNCTION crm.change_segment(text, crm.rule, crm.contact_set, text, timestamptz) IS 'Gives a segment another rule, other members or another expression; who enters and leaves by that goes to its history. Errors: RM031 no such segment; and those of crm.create_segment().';

-- Who is on a list, and who stands for whom.

CREATE FUNCTION crm.change_list(segment_id bigint, added crm.contact_set, removed crm.contact_set) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    WITH part AS (
        SELECT a.chunk, a.members_of_chunk AS added, NULL::crm.contact_set AS removed FROM crm.set_chunks(added) a
        UNION ALL
        SELECT r.chunk, NULL, r.members_of_chunk FROM crm.set_chunks(removed) r
    ), changed AS (
        SELECT p.chunk, (coalesce(crm.from_roaring(l.contacts), '{}'::crm.contact_set) OPERATOR(crm.|) coalesce(p.added, '{}'::crm.contact_set))
                        OPERATOR(crm.-) coalesce(p.removed, '{}'::crm.contact_set) AS contacts
        FROM (SELECT p.chunk, crm.union_agg(p.added) AS added, crm.union_agg(p.removed) AS removed FROM part p GROUP BY p.chunk) p
        LEFT JOIN crm.segment_list l ON l.segment_id = $1 AND l.chunk = p.chunk
    ), emptied AS (
        DELETE FROM crm.segment_list l USING changed c WHERE l.segment_id = $1 AND l.chunk = c.chunk AND crm.is_empty(c.contacts)
    )
    INSERT INTO crm.segment_list (segment_id, chunk, contacts)
    SELECT $1, c.chunk, crm.to_roaring(c.contacts) FROM changed c WHERE NOT crm.is_empty(c.contacts)
    ON CONFLICT ON CONSTRAINT segment_list_pkey DO UPDATE SET contacts = excluded.contacts
$$;
COMMENT ON FUNCTION crm.change_list(bigint, crm.contact_set, crm.contact_set) IS 'Adds contacts to the list of a static segment and removes others; who is a member by that is another question, see crm.evaluate_list().';

CREATE FUNCTION crm.evaluate_list(segment_id bigint, contacts crm.contact_set) RETURNS crm.contact_set
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids CONSTANT bigint[] := crm.member_array(contacts);
    listed crm.contact_set;
BEGIN
    IF contacts IS NULL THEN
        RETURN coalesce((SELECT crm.contact_set_agg(p.contact_id)
                         FROM crm.segment_list l CROSS JOIN LATERAL crm.members(crm.from_roaring(l.contacts)) AS m (id)
                         JOIN crm.contact c ON c.id = m.id
                         JOIN crm.contact_profile p ON p.contact_id = coalesce(c.merged_into, c.id)
                         WHERE l.segment_id = $1), '{}');
    END IF;
    SELECT crm.union_agg(crm.from_roaring(l.contacts)) INTO listed
    FROM crm.segment_list l
    WHERE l.segment_id = $1 AND l.chunk IN (
        SELECT i >> 16 FROM unnest(ids) i
        UNION SELECT a.id >> 16 FROM crm.contact a WHERE a.merged_into = ANY (ids));
    IF listed IS NULL THEN
        RETURN '{}';
    END IF;
    RETURN coalesce((SELECT crm.contact_set_agg(p.contact_id) FROM crm.contact_profile p
                     WHERE p.contact_id = ANY (ids)
                       AND (listed OPERATOR(crm.@>) p.contact_id
                            OR EXISTS (SELECT FROM crm.contact a WHERE a.merged_into = p.contact_id AND listed OPERATOR(crm.@>) a.id))), '{}');
END
$$;
COMMENT ON FUNCTION crm.evaluate_list(bigint, crm.contact_set) IS 'The members of a static segment, of some contacts only unless these are null: those of its list who live, and for an absorbed one the contact that stands for it.';

CREATE FUNCTION crm.apply_list(segment text, segment_id bigint, contacts crm.contact_set, as_of timestamptz,
    OUT entered crm.contact_set, OUT departed crm.contact_set)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    members crm.contact_set;
    before crm.contact_set;
BEGIN
    contacts := contacts OPERATOR(crm.|) coalesce((SELECT crm.contact_set_agg(c.merged_into) FROM crm.contact c
                                                   WHERE c.id = ANY (crm.member_array(contacts)) AND c.merged_into IS NOT NULL), '{}');
    members := crm.evaluate_list(segment_id, contacts);
    before := crm.segment_part(segment_id, contacts);
    entered := members OPERATOR(crm.-) before;
    departed := before OPERATOR(crm.-) members;
    PERFORM crm.apply_segment_changes(ARRAY[segment_id], ARRAY[entered], ARRAY[departed], ARRAY['members'], as_of);
    PERFORM crm.queue_segment_change(segment, entered OPERATOR(crm.|) departed);
    UPDATE crm.segment s SET needs_full = true WHERE s.id = segment_id AND crm.is_behind();
END
$$;
COMMENT ON FUNCTION crm.apply_list(text, bigint, crm.contact_set, timestamptz) IS 'Makes some contacts members of a static segment, or no more, as its list says; part of crm.add_members() and crm.remove_members().';

CREATE FUNCTION crm.add_members(segment text, contacts crm.contact_set, as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target bigint;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.lock_segments();
    target := crm.static_segment(segment);
    PERFORM crm.require_whole_sight();
    PERFORM crm.change_list(target, contacts, '{}');
    RETURN (SELECT crm.cardinality(c.entered) FROM crm.apply_list(segment, target, contacts, as_of) c);
END
$$;
COMMENT ON FUNCTION crm.add_members(text, crm.contact_set, timestamptz) IS 'Adds contacts to a static segment; returns how many became members: not those who were, and those who are deleted or archived only when they come back. For an absorbed contact the one that stands for it becomes a member. Errors: RM031 no such segment; 42809 it is not static.';

CREATE FUNCTION crm.remove_members(segment text, contacts crm.contact_set, as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target bigint;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.lock_segments();
    target := crm.static_segment(segment);
    PERFORM crm.require_whole_sight();
    -- With those for whom they stand.
    PERFORM crm.change_list(target, '{}', contacts OPERATOR(crm.|) coalesce(
        (SELECT crm.contact_set_agg(c.id) FROM crm.contact c WHERE c.merged_into = ANY (crm.member_array(contacts))), '{}'));
    RETURN (SELECT crm.cardinality(c.departed) FROM crm.apply_list(segment, target, contacts, as_of) c);
END
$$;
COMMENT ON FUNCTION crm.remove_members(text, crm.contact_set, timestamptz) IS 'Takes contacts out of a static segment, with those absorbed by them; returns how many were members. Errors: RM031 no such segment; 42809 it is not static.';

CREATE FUNCTION crm.static_segment(segment text) RETURNS bigint
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target bigint := crm.segment_number(segment);
BEGIN
    IF (SELECT s.kind FROM crm.segment s WHERE s.id = target) <> 'static' THEN
        RAISE EXCEPTION 'segment "%" has no list of members', segment USING ERRCODE = 'wrong_object_type',
            DETAIL = format('Its members are those for whom %s.', (SELECT s.definition FROM crm.segment s WHERE s.id = target)),
            HINT = 'Change its rule, or make a static segment and combine the two: crm.create_segment(name, expression => ''a | b'').';
    END IF;
    RETURN target;
END
$$;
COMMENT ON FUNCTION crm.static_segment(text) IS 'Number of the static segment of that name. Errors: RM031 none; 42809 it is not static.';

CREATE FUNCTION crm.require_unused_segment(segment text) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target CONSTANT bigint := crm.segment_number(segment);
    users text;
BEGIN
    SELECT string_agg(u.what || format(' "%s"', u.name), ', ' ORDER BY u.what, u.name) INTO users
    FROM (SELECT 'segment' AS what, s.name FROM crm.segment_dependency d JOIN crm.segment s ON s.id = d.segment_id WHERE d.source = 'segment' AND d.name = segment
          UNION ALL SELECT 'incentive', i.name FROM crm.incentive i WHERE EXISTS (SELECT FROM crm.rule_dependencies(i.rule) d WHERE d.kind = 'segment' AND d.name = segment)
          UNION ALL SELECT 'archive rule', a.name FROM crm.archive_rule a WHERE EXISTS (SELECT FROM crm.rule_dependencies(a.rule) d WHERE d.kind = 'segment' AND d.name = segment)) u;
    IF users IS NOT NULL THEN
        RAISE EXCEPTION 'segment "%" is asked for by others', segment USING ERRCODE = 'dependent_objects_still_exist',
            DETAIL = format('By its name: %s.', users), HINT = 'Change or drop these first.';
    END IF;
    RETURN target;
END
$$;
COMMENT ON FUNCTION crm.require_unused_segment(text) IS 'Number of the segment of that name. Errors: RM031 there is none; 2BP01 the rule of a segment, incentive or archive rule asks for it.';

CREATE FUNCTION crm.drop_segment(segment text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM crm.lock_segments();
    DELETE FROM crm.segment s WHERE s.id = crm.require_unused_segment(segment);
END
$$;
COMMENT ON FUNCTION crm.drop_segment(text) IS 'Removes a segment with its history. Errors: RM031 no such segment; 2BP01 others ask for it by its name.';

CREATE FUNCTION crm.rename_segment(segment text, new_name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target bigint;
BEGIN
    PERFORM crm.lock_segments();
    target := crm.require_unused_segment(segment);
    IF EXISTS (SELECT FROM crm.segment s WHERE s.name = btrim(new_name)) THEN
        RAISE EXCEPTION 'there is a segment "%" already', btrim(new_name) USING ERRCODE = 'duplicate_object', HINT = 'Choose another name.';
    END IF;
    UPDATE crm.segment s SET name = btrim(new_name) WHERE s.id = target;
END
$$;
COMMENT ON FUNCTION crm.rename_segment(text, text) IS 'Gives a segment another name. Errors: RM031 no such segment; 42710 the name is taken; 2BP01 others ask for it by its name.';

-- ---- refreshing ----

CREATE FUNCTION crm.table_tree(relation regclass) RETURNS SETOF regclass
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE tree (oid) AS (
        SELECT relation::oid
        UNION SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid
    )
    SELECT t.oid::regclass FROM tree t
$$;
COMMENT ON FUNCTION crm.table_tree(regclass) IS 'A table with its partitions or children.';

CREATE FUNCTION crm.is_watched(relation text) RETURNS boolean
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
    -- A statement that names a partition fires its triggers, not those of the whole.
    SELECT bool_and((SELECT count(*) >= 3 FROM pg_trigger t
                     WHERE t.tgrelid = r AND t.tgfoid = 'crm.queue_for_segments()'::regprocedure AND t.tgenabled IN ('O', 'A')))
    FROM crm.table_tree(to_regclass(relation)) r
$$;
COMMENT ON FUNCTION crm.is_watched(text) IS 'Whether a table, with all its partitions, has the triggers by which segments learn of changed contacts. Segments whose rules look at one without are refreshed from all contacts each time.';

CREATE FUNCTION crm.lock_segments(wait boolean DEFAULT true) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF wait THEN
        PERFORM pg_advisory_xact_lock(hashtext('crm.segment'), 0);
        RETURN true;
    END IF;
    RETURN pg_try_advisory_xact_lock(hashtext('crm.segment'), 0);
END
$$;
COMMENT ON FUNCTION crm.lock_segments(boolean) IS 'Takes the lock under which segments are changed and refreshed, until the end of the transaction; without waiting it says whether it got it. Nothing else takes this lock.';

CREATE FUNCTION crm.is_behind() RETURNS boolean
LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp AS $$
    -- A sequence tells what has happened, a table what this transaction sees of it.
    SELECT current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted')
       AND coalesce(pg_sequence_last_value('crm.segment_refresh_id_seq'), 0) > (SELECT coalesce(max(r.id), 0) FROM crm.segment_refresh r)
$$;
COMMENT ON FUNCTION crm.is_behind() IS 'Whether segments were refreshed, or it was tried, since this transaction of isolation repeatable read or serializable took its snapshot: it does not see what the refresh took from the queue.';

CREATE FUNCTION crm.queue_segment_change(segment text, contacts crm.contact_set) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO crm.segment_queue (source, names, contacts)
    SELECT 'segment', ARRAY[segment], crm.to_roaring(contacts) WHERE NOT crm.is_empty(contacts)
$$;
COMMENT ON FUNCTION crm.queue_segment_change(text, crm.contact_set) IS 'Notes that contacts entered or left a segment, for those that ask for it.';

-- Writes who entered and left segments; the caller has the lock.  Sets of one
-- place belong together; those who already are what they become may be among them.
CREATE FUNCTION crm.apply_segment_changes(segment_ids bigint[], entered crm.contact_set[], departed crm.contact_set[], causes text[], as_of timestamptz)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    this_refresh bigint;
    most CONSTANT bigint := 10000;
BEGIN
    IF NOT EXISTS (SELECT FROM unnest(entered, departed) AS c (entered, departed) WHERE NOT crm.is_empty(c.entered) OR NOT crm.is_empty(c.departed)) THEN
        RETURN;
    END IF;
    this_refresh := nextval('crm.segment_refresh_seq');
    -- A subscriber that took over may have a sequence that is behind.
    SELECT greatest(this_refresh, max(n.number)) INTO this_refresh
    FROM crm.segment s CROSS JOIN LATERAL (SELECT nextval('crm.segment_refresh_seq') AS number FROM generate_series(this_refresh, s.version)) n
    WHERE s.version = (SELECT max(m.version) FROM crm.segment m);
    WITH change AS (
        SELECT * FROM unnest(segment_ids, entered, departed) AS c (segment_id, entered, departed)
    ), part AS (
        SELECT c.segment_id, e.chunk, e.members_of_chunk AS entered, NULL::crm.contact_set AS departed FROM change c, crm.set_chunks(c.entered) e
        UNION ALL
        SELECT c.segment_id, d.chunk, NULL, d.members_of_chunk FROM change c, crm.set_chunks(c.departed) d
    ), chunk AS (
        SELECT p.segment_id, p.chunk, coalesce(crm.union_agg(p.entered), '{}'::crm.contact_set) AS entered,
               coalesce(crm.union_agg(p.departed), '{}'::crm.contact_set) AS departed
        FROM part p GROUP BY p.segment_id, p.chunk
    ), changed AS (
        UPDATE crm.segment_chunk k SET members = (coalesce(k.members, '{}'::crm.contact_set) OPERATOR(crm.|) c.entered) OPERATOR(crm.-) c.departed
        FROM chunk c WHERE k.segment_id = c.segment_id AND k.chunk = c.chunk
        RETURNING k.segment_id, k.chunk
    )
    INSERT INTO crm.segment_chunk (segment_id, chunk, members)
    SELECT c.segment_id, c.chunk, c.entered FROM chunk c
    WHERE NOT crm.is_empty(c.entered) AND NOT EXISTS (SELECT FROM changed k WHERE k.segment_id = c.segment_id AND k.chunk = c.chunk);

    DELETE FROM crm.segment_chunk k WHERE k.segment_id = ANY (segment_ids) AND crm.is_empty(k.members);

    INSERT INTO crm.segment_history (contact_id, segment_id, refresh, at, entered, cause)
    SELECT m.id, c.segment_id, this_refresh, as_of, m.entered, c.cause
    FROM unnest(segment_ids, entered, departed, causes) AS c (segment_id, entered, departed, cause),
         LATERAL (SELECT e.id, true FROM crm.members(c.entered) AS e (id)
                  UNION ALL SELECT d.id, false FROM crm.members(c.departed) AS d (id)) AS m (id, entered)
    WHERE crm.cardinality(c.entered) + crm.cardinality(c.departed) <= most
    ORDER BY m.id;
    INSERT INTO crm.segment_fill (segment_id, refresh, at, entered, departed, cause)
    SELECT c.segment_id, this_refresh, as_of, crm.to_roaring(c.entered), crm.to_roaring(c.departed), c.cause
    FROM unnest(segment_ids, entered, departed, causes) AS c (segment_id, entered, departed, cause)
    WHERE crm.cardinality(c.entered) + crm.cardinality(c.departed) > most;

    INSERT INTO crm.outbox (topic, payload)
    SELECT CASE WHEN m.entered THEN 'segment.entered' ELSE 'segment.left' END,
           jsonb_build_object('segment', s.name, 'contact_id', m.id, 'at', as_of, 'cause', c.cause)
    FROM unnest(segment_ids, entered, departed, causes) AS c (segment_id, entered, departed, cause)
    JOIN crm.segment s ON s.id = c.segment_id AND s.emits_events AND c.cause <> 'definition',
         LATERAL (SELECT e.id, true FROM crm.members(c.entered) AS e (id)
                  UNION ALL SELECT d.id, false FROM crm.members(c.departed) AS d (id)) AS m (id, entered);

    UPDATE crm.segment s
    SET version = this_refresh, cardinality = s.cardinality + c.entered - c.departed
    FROM (SELECT u.segment_id, sum(crm.cardinality(u.entered)) AS entered, sum(crm.cardinality(u.departed)) AS departed
          FROM unnest(segment_ids, entered, departed) AS u (segment_id, entered, departed) GROUP BY u.segment_id) c
    WHERE s.id = c.segment_id AND c.entered + c.departed > 0;
END
$$;
COMMENT ON FUNCTION crm.apply_segment_changes(bigint[], crm.contact_set[], crm.contact_set[], text[], timestamptz) IS 'Writes who entered and left segments: members, history, numbers and events. Who enters must not be a member yet, who leaves must be one. Part of crm.refresh_segments().';

CREATE FUNCTION crm.living_contacts(contacts crm.contact_set) RETURNS crm.contact_set
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN coalesce(CASE WHEN contacts IS NULL THEN (SELECT crm.contact_set_agg(p.contact_id) FROM crm.contact_profile p)
                         ELSE (SELECT crm.contact_set_agg(p.contact_id) FROM crm.contact_profile p
                               WHERE p.contact_id = ANY (crm.member_array(contacts))) END, '{}');
END
$$;
COMMENT ON FUNCTION crm.living_contacts(crm.contact_set) IS 'Those of the given contacts, of all when null, that are neither deleted, absorbed nor archived.';

-- A segment whose rule asks for other segments alone, as sets; only among the
-- contacts given, unless that is null.
CREATE FUNCTION crm.evaluate_composed(tree jsonb, contacts crm.contact_set) RETURNS crm.contact_set
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part jsonb;
    result crm.contact_set;
    without crm.contact_set;
    one crm.contact_set;
BEGIN
    IF tree ? 'in_segment' THEN
        RETURN CASE WHEN contacts IS NULL THEN crm.segment_set(tree ->> 'in_segment')
                    ELSE crm.segment_part(crm.segment_number(tree ->> 'in_segment'), contacts) END;
    ELSIF tree ? 'or' THEN
        FOR part IN SELECT jsonb_array_elements(tree -> 'or') LOOP
            one := crm.evaluate_composed(part, contacts);
            result := CASE WHEN result IS NULL THEN one ELSE result OPERATOR(crm.|) one END;
        END LOOP;
        RETURN result;
    ELSIF tree ? 'and' THEN
        FOR part IN SELECT jsonb_array_elements(tree -> 'and') LOOP
            IF part ? 'not' THEN
                one := crm.evaluate_composed(part -> 'not', contacts);
                without := CASE WHEN without IS NULL THEN one ELSE without OPERATOR(crm.|) one END;
            ELSE
                one := crm.evaluate_composed(part, contacts);
                result := CASE WHEN result IS NULL THEN one ELSE result OPERATOR(crm.&) one END;
            END IF;
        END LOOP;
        result := coalesce(result, crm.living_contacts(contacts));
        RETURN CASE WHEN without IS NULL THEN result ELSE result OPERATOR(crm.-) without END;
    ELSIF tree ? 'not' THEN
        RETURN crm.living_contacts(contacts) OPERATOR(crm.-) crm.evaluate_composed(tree -> 'not', contacts);
    END IF;
    RAISE EXCEPTION 'no expression over segments: %', tree USING ERRCODE = 'internal_error';
END
$$;
COMMENT ON FUNCTION crm.evaluate_composed(jsonb, crm.contact_set) IS 'The members of an expression over segments, from the sets of these; part of crm.refresh_segments().';

-- Everybody for whom a rule holds: the same query that a person would write.
CREATE FUNCTION crm.evaluate_rule(rule crm.rule, as_of timestamptz DEFAULT now()) RETURNS crm.contact_set
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found crm.contact_set;
BEGIN
    EXECUTE format('SELECT crm.contact_set_agg(p.contact_id) FROM crm.contact_profile p WHERE %s',
                   crm.rule_sql(rule, 'crm.contact_profile', as_of, 'p')) INTO found;
    RETURN coalesce(found, '{}');
EXCEPTION WHEN data_exception THEN
    RAISE EXCEPTION '%', SQLERRM USING ERRCODE = SQLSTATE, DETAIL = format('Of some contact the rule cannot be computed: %s', rule),
        HINT = 'crm.explain_rule() of a contact tells which condition it is.';
END
$$;
COMMENT ON FUNCTION crm.evaluate_rule(crm.rule, timestamptz) IS 'The contacts for whom a rule holds at that moment, as a set. Errors: 42703 a field that contacts lack; what the rule''s operators raise.';

-- One segment anew, from all contacts.
CREATE FUNCTION crm.refresh_whole_segment(segment_id bigint, as_of timestamptz, cause text,
    OUT entered crm.contact_set, OUT departed crm.contact_set)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target crm.segment := (SELECT s FROM crm.segment s WHERE s.id = segment_id);
    members crm.contact_set;
    before crm.contact_set := crm.segment_set(target.name);
    began timestamptz := clock_timestamp();
BEGIN
    PERFORM crm.require_whole_sight(target.id);
    members := CASE target.kind WHEN 'composed' THEN crm.evaluate_composed(target.rule::jsonb, NULL)
                                WHEN 'static' THEN crm.evaluate_list(target.id, NULL)
                                ELSE crm.evaluate_rule(target.rule, as_of) END;
    entered := members OPERATOR(crm.-) before;
    departed := before OPERATOR(crm.-) members;
    PERFORM crm.apply_segment_changes(ARRAY[target.id], ARRAY[entered], ARRAY[departed], ARRAY[cause], as_of);
    -- What this transaction is too old to see the next refresh looks at.
    UPDATE crm.segment s
    SET refreshed_at = as_of, needs_full = crm.is_behind(), error = NULL, hindrance = NULL,
        full_refresh_ms = extract(epoch FROM clock_timestamp() - began) * 1000
    WHERE s.id = target.id;
END
$$;
COMMENT ON FUNCTION crm.refresh_whole_segment(bigint, timestamptz, text) IS 'Refreshes one segment from all contacts and gives who entered and left; part of crm.refresh_segments().';

CREATE FUNCTION crm.refresh_segment(segment text, as_of timestamptz DEFAULT now(), OUT entered bigint, OUT departed bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target bigint;
    change record;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.lock_segments();
    target := crm.segment_number(segment);
    SELECT * INTO change FROM crm.refresh_whole_segment(target, as_of, 'change');
    PERFORM crm.queue_segment_change(segment, change.entered OPERATOR(crm.|) change.departed);
    entered := crm.cardinality(change.entered);
    departed := crm.cardinality(change.departed);
END
$$;
COMMENT ON FUNCTION crm.refresh_segment(text, timestamptz) IS 'Brings one segment to what is true at a moment, from all contacts, and gives how many entered and left; those that ask for it follow with the next crm.refresh_segments(). Errors: RM031 no such segment; what its rule raises.';

CREATE FUNCTION crm.is_passing(code text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT left(code, 2) IN ('40', '53', '55', '57', '58')
$$;
COMMENT ON FUNCTION crm.is_passing(text) IS 'Whether an error is of the moment, not of what was asked: a deadlock or serialization failure (class 40), lack of resources (53), a lock or state that is in the way (55), an intervention (57), the system (58).';

CREATE FUNCTION crm.note_segment_error(segment_id bigint, code text, message text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- What this role may not read another may: the segment is not to blame.
    IF code = '42501' THEN
        -- Told when looking at all contacts has failed, too, and when it is new.
        UPDATE crm.segment s SET needs_full = true WHERE s.id = segment_id AND NOT s.needs_full;
        IF FOUND THEN
            RETURN;
        END IF;
        UPDATE crm.segment s SET hindrance = format('role "%s": %s', current_user, message)
        WHERE s.id = segment_id AND s.hindrance IS DISTINCT FROM format('role "%s": %s', current_user, message);
        IF FOUND THEN
            RAISE WARNING 'segment "%" was not refreshed: %', (SELECT s.name FROM crm.segment s WHERE s.id = segment_id), message
                USING ERRCODE = 'insufficient_privilege', HINT = 'The next refresh by a role that may read all that its rule asks for brings it up to date.';
        END IF;
        RETURN;
    END IF;
    UPDATE crm.segment s SET error = format('%s: %s', code, message), needs_full = true WHERE s.id = segment_id;
END
$$;
COMMENT ON FUNCTION crm.note_segment_error(bigint, text, text) IS 'Keeps why a segment could not be refreshed; the next refresh tries again. A lack of rights (42501) is no error of the segment: it becomes a warning.';

CREATE FUNCTION crm.blind_segments() RETURNS bigint[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(DISTINCT d.segment_id), '{}')
    FROM (SELECT DISTINCT x.source FROM crm.segment_dependency x WHERE strpos(x.source, '.') > 0) t
    JOIN crm.segment_dependency d ON d.source = t.source
    WHERE row_security_active(to_regclass(t.source)::oid)
$$;
COMMENT ON FUNCTION crm.blind_segments() IS 'Segments whose rules count events of tables of which row-level security hides rows from this role, so that it must not refresh them.';

CREATE FUNCTION crm.require_whole_sight(segment_id bigint DEFAULT NULL) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    hidden text;
BEGIN
    SELECT string_agg(DISTINCT t.relation::text, ', ') INTO hidden
    FROM (SELECT crm.base_tables('crm.contact_profile') AS relation
          UNION ALL
          SELECT to_regclass(d.source) FROM crm.segment_dependency d WHERE d.segment_id = $1 AND strpos(d.source, '.') > 0) t
    WHERE row_security_active(t.relation::oid);
    IF hidden IS NOT NULL THEN
        RAISE EXCEPTION 'role "%" must not refresh segments: row-level security hides rows of % from it', current_user, hidden
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'Contacts that it does not see would leave the segments.',
                  HINT = 'Let the owner of the tables or a role with BYPASSRLS do it; the job "segments" runs as the role that scheduled it.';
    END IF;
END
$$;
COMMENT ON FUNCTION crm.require_whole_sight(bigint) IS 'Raises 42501 when row-level security hides from this role rows of the tables behind crm.contact_profile, or of those whose events the segment counts.';

-- ---- what has to be looked at ----

-- Of some contacts of each segment: those for whom it holds now, and those who
-- were members.  Each contact is read once, however many segments ask.
CREATE FUNCTION crm.evaluate_candidates(ids bigint[], candidates crm.contact_set[], as_of timestamptz,
    OUT members crm.contact_set[], OUT before crm.contact_set[])
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    WITH asked AS MATERIALIZED (
        SELECT a.n, a.id, a.contacts, s.kind, s.rule
        FROM unnest(ids, candidates) WITH ORDINALITY AS a (id, contacts, n) JOIN crm.segment s ON s.id = a.id
    ), profile AS MATERIALIZED (
        SELECT p.contact_id, p AS profile FROM crm.contact_profile p
        WHERE p.contact_id = ANY (crm.member_array((SELECT crm.union_agg(a.contacts) FROM asked a WHERE a.kind = 'dynamic')))
    ), judged AS (
        -- First who, then what the rule says of them.
        SELECT x.n, crm.contact_set_agg(x.contact_id) AS members
        FROM (SELECT a.n, a.rule, p.contact_id, p.profile
              FROM asked a CROSS JOIN LATERAL crm.members(a.contacts) AS m (id) JOIN profile p ON p.contact_id = m.id
              WHERE a.kind = 'dynamic' OFFSET 0) x
        WHERE crm.rule_eval(x.profile, x.rule, as_of)
        GROUP BY x.n
    ), stored AS (
        SELECT a.n, crm.union_agg(k.members OPERATOR(crm.&) a.contacts) AS members
        FROM asked a CROSS JOIN LATERAL crm.set_chunks(a.contacts) c
        JOIN crm.segment_chunk k ON k.segment_id = a.id AND k.chunk = c.chunk
        GROUP BY a.n
    )
    SELECT array_agg(CASE a.kind WHEN 'composed' THEN crm.evaluate_composed(a.rule::jsonb, a.contacts)
                                 WHEN 'static' THEN crm.evaluate_list(a.id, a.contacts)
                                 ELSE coalesce(j.members, '{}'::crm.contact_set) END ORDER BY a.n),
           array_agg(coalesce(b.members, '{}'::crm.contact_set) ORDER BY a.n)
    FROM asked a LEFT JOIN judged j ON j.n = a.n LEFT JOIN stored b ON b.n = a.n
$$;
COMMENT ON FUNCTION crm.evaluate_candidates(bigint[], crm.contact_set[], timestamptz) IS 'Asks the rules of segments of some contacts each; part of crm.refresh_segments().';

-- The rest of a refresh: all that concerns many segments is one statement.
CREATE FUNCTION crm.refresh_segments(as_of timestamptz DEFAULT now(), wait boolean DEFAULT true, OUT segments integer, OUT entered bigint, OUT departed bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- What was queued, put together: three arrays of one length.
    sources text[];
    names text[];               -- one name, or null for any
    changed crm.contact_set[];
    -- Segments to be looked at, and at which contacts.
    ids bigint[];
    candidates crm.contact_set[];
    by_change crm.contact_set[];
    timed bigint[];
    by_time crm.contact_set[];
    crossed crm.contact_set;
    members crm.contact_set[];
    before crm.contact_set[];
    everybody bigint;
    blind bigint[];             -- segments that this role must leave alone
    one record;
    whole record;
    this_level integer;
    began CONSTANT timestamptz := clock_timestamp();
    n integer;
BEGIN
    segments := 0;
    entered := 0;
    departed := 0;
    PERFORM crm.require_installed();
    IF NOT crm.lock_segments(wait) THEN
        RETURN;
    END IF;

    IF crm.is_behind() THEN
        RAISE EXCEPTION 'could not refresh segments: another refresh ended since this transaction began' USING ERRCODE = 'serialization_failure',
            DETAIL = 'It does not see what that refresh looked at.', HINT = 'Run the transaction again.';
    END IF;
    PERFORM crm.require_whole_sight();
    blind := crm.blind_segments();
    IF EXISTS (SELECT FROM crm.segment s WHERE s.id = ANY (blind) AND s.hindrance IS NULL) THEN
        RAISE WARNING 'segments were not refreshed, as row-level security hides from role "%" events that they count: %', current_user,
            (SELECT string_agg(format('"%s"', s.name), ', ' ORDER BY s.name) FROM crm.segment s WHERE s.id = ANY (blind))
            USING ERRCODE = 'insufficient_privilege', HINT = 'Let the owner of the tables or a role with BYPASSRLS refresh them.';
        UPDATE crm.segment s SET needs_full = true, hindrance = format('role "%s": row-level security hides events from it', current_user)
        WHERE s.id = ANY (blind) AND (NOT s.needs_full OR s.hindrance IS NULL);
    END IF;

    -- A table that nobody watches: a view, or one that lost its triggers.
    UPDATE crm.segment s SET needs_full = true
    WHERE NOT s.needs_full AND s.id IN (
        SELECT d.segment_id
        FROM (SELECT DISTINCT x.source FROM crm.segment_dependency x WHERE strpos(x.source, '.') > 0) t
        JOIN crm.segment_dependency d ON d.source = t.source
        WHERE NOT crm.is_watched(t.source));

    -- Rows of transactions that are not over yet stay for the next time.
    BEGIN
        WITH taken AS (
            DELETE FROM crm.segment_queue q RETURNING q.source, q.names, crm.from_roaring(q.contacts) AS contacts
        ), named AS (
            SELECT t.source, u.name, t.contacts FROM taken t, unnest(t.names) AS u (name)
            UNION ALL SELECT t.source, NULL, t.contacts FROM taken t WHERE t.names IS NULL
        ), grouped AS (
            SELECT g.source, g.name, crm.union_agg(g.contacts) AS contacts FROM named g GROUP BY g.source, g.name
        )
        SELECT coalesce(array_agg(g.source), '{}'), coalesce(array_agg(g.name), '{}'), coalesce(array_agg(g.contacts), '{}')
        INTO sources, names, changed FROM grouped g;
    EXCEPTION WHEN data_exception OR data_corrupted THEN
        -- Somebody wrote to it by hand: whatever it was, all is looked at.
        DELETE FROM crm.segment_queue q;
        UPDATE crm.segment s SET needs_full = true;
        sources := '{}';
        names := '{}';
        changed := '{}';
    END;
    SELECT greatest(c.reltuples, 0)::bigint INTO everybody FROM pg_class c WHERE c.oid = 'crm.contact'::regclass;

    FOR this_level IN SELECT DISTINCT s.level FROM crm.segment s ORDER BY s.level LOOP
        -- Whom time alone may have moved.
        timed := '{}';
        by_time := '{}';
        FOR one IN
            SELECT s.id, s.rule, s.refreshed_at FROM crm.segment s
            WHERE s.level = this_level AND s.kind = 'dynamic' AND NOT s.needs_full AND s.refreshed_at <> as_of AND s.has_clock AND NOT s.id = ANY (blind)
        LOOP
            BEGIN
                EXECUTE format('SELECT crm.contact_set_agg(p.contact_id) FROM crm.contact_profile p WHERE %s',
                               crm.rule_crossing_sql(one.rule, 'crm.contact_profile', one.refreshed_at, as_of, 'p')) INTO crossed;
                IF NOT crm.is_empty(crossed) THEN
                    timed := timed || one.id;
                    by_time := by_time || crossed;
                END IF;
            EXCEPTION WHEN OTHERS THEN
                IF crm.is_passing(SQLSTATE) THEN
                    RAISE;
                END IF;
                PERFORM crm.note_segment_error(one.id, SQLSTATE, SQLERRM);
            END;
        END LOOP;

        -- Who changed in what a rule looks at, or anyhow for a reason that
        -- brings contacts into sight or takes them away.
        SELECT array_agg(x.id), array_agg(x.contacts), array_agg(x.by_change) INTO ids, candidates, by_change
        FROM (
            SELECT c.id, crm.union_agg(c.contacts) AS contacts, coalesce(crm.union_agg(c.contacts) FILTER (WHERE NOT c.is_time), '{}') AS by_change
            FROM (
                SELECT d.segment_id AS id, q.contacts, false AS is_time
                FROM unnest(sources, names, changed) AS q (source, name, contacts)
                JOIN crm.segment_dependency d ON d.source = q.source AND (q.name IS NULL OR d.name IN (q.name, '*'))
                UNION ALL
                SELECT s.id, q.contacts, false
                FROM unnest(sources, names, changed) AS q (source, name, contacts) CROSS JOIN crm.segment s
                WHERE q.source = 'contact' AND q.name IS NULL
                UNION ALL
                SELECT t.id, t.contacts, true FROM unnest(timed, by_time) AS t (id, contacts)
            ) c JOIN crm.segment s ON s.id = c.id
            WHERE s.level = this_level AND NOT s.needs_full
            GROUP BY c.id
        ) x
        WHERE NOT crm.is_empty(x.contacts);

        -- So many that looking at all is cheaper.
        UPDATE crm.segment s SET needs_full = true
        FROM unnest(ids, candidates) AS c (id, contacts)
        WHERE s.id = c.id AND s.kind = 'dynamic' AND crm.cardinality(c.contacts) > greatest(everybody / 5, 1000);
        SELECT array_agg(c.id), array_agg(c.contacts), array_agg(c.by_change) INTO ids, candidates, by_change
        FROM unnest(ids, candidates, by_change) AS c (id, contacts, by_change) JOIN crm.segment s ON s.id = c.id AND NOT s.needs_full;

        IF ids IS NOT NULL THEN
            BEGIN
                SELECT * INTO members, before FROM crm.evaluate_candidates(ids, candidates, as_of);
            EXCEPTION WHEN OTHERS THEN
                IF crm.is_passing(SQLSTATE) THEN
                    RAISE;
                END IF;
                -- One of them fails: find out which.
                members := NULL;
                FOR n IN 1 .. cardinality(ids) LOOP
                    BEGIN
                        SELECT e.members[1], e.before[1] INTO members[n], before[n] FROM crm.evaluate_candidates(ids[n:n], candidates[n:n], as_of) e;
                    EXCEPTION WHEN OTHERS THEN
                        IF crm.is_passing(SQLSTATE) THEN
                            RAISE;
                        END IF;
                        PERFORM crm.note_segment_error(ids[n], SQLSTATE, SQLERRM);
                        members[n] := '{}';
                        before[n] := '{}';
                    END;
                END LOOP;
            END;
            SELECT array_agg(d.entered), array_agg(d.departed), coalesce(sum(crm.cardinality(d.entered)), 0) AS came, coalesce(sum(crm.cardinality(d.departed)), 0) AS went
            INTO one
            FROM (SELECT m.members OPERATOR(crm.-) m.before AS entered, m.before OPERATOR(crm.-) m.members AS departed
                  FROM unnest(members, before) AS m (members, before)) d;
            entered := entered + one.came;
            departed := departed + one.went;
            segments := segments + cardinality(ids);
            PERFORM crm.apply_segment_changes(array_agg(c.id), array_agg(c.entered), array_agg(c.departed), array_agg(c.cause), as_of)
            FROM (SELECT d.id, d.entered OPERATOR(crm.&) d.by_change AS entered, d.departed OPERATOR(crm.&) d.by_change AS departed, 'change' AS cause
                  FROM (SELECT m.id, m.members OPERATOR(crm.-) m.before AS entered, m.before OPERATOR(crm.-) m.members AS departed, m.by_change
                        FROM unnest(ids, members, before, by_change) AS m (id, members, before, by_change)) d
                  UNION ALL
                  SELECT d.id, d.entered OPERATOR(crm.-) d.by_change, d.departed OPERATOR(crm.-) d.by_change, 'time'
                  FROM (SELECT m.id, m.members OPERATOR(crm.-) m.before AS entered, m.before OPERATOR(crm.-) m.members AS departed, m.by_change
                        FROM unnest(ids, members, before, by_change) AS m (id, members, before, by_change)) d) c
            WHERE NOT crm.is_empty(c.entered) OR NOT crm.is_empty(c.departed)
            HAVING count(*) > 0;
            -- What entered and left concerns those above.
            SELECT sources || coalesce(array_agg('segment'::text), '{}'), names || coalesce(array_agg(s.name), '{}'), changed || coalesce(array_agg(d.delta), '{}')
            INTO sources, names, changed
            FROM (SELECT m.id, m.members OPERATOR(crm.#) m.before AS delta FROM unnest(ids, members, before) AS m (id, members, before)) d
            JOIN crm.segment s ON s.id = d.id
            WHERE NOT crm.is_empty(d.delta);
        END IF;

        FOR one IN SELECT s.id, s.name FROM crm.segment s WHERE s.level = this_level AND s.needs_full AND NOT s.id = ANY (blind) LOOP
            BEGIN
                SELECT * INTO whole FROM crm.refresh_whole_segment(one.id, as_of, 'change');
            EXCEPTION WHEN OTHERS THEN
                IF crm.is_passing(SQLSTATE) THEN
                    RAISE;
                END IF;
                PERFORM crm.note_segment_error(one.id, SQLSTATE, SQLERRM);
                CONTINUE;
            END;
            segments := segments + 1;
            entered := entered + crm.cardinality(whole.entered);
            departed := departed + crm.cardinality(whole.departed);
            sources := sources || 'segment'::text;
            names := names || one.name;
            changed := changed || (whole.entered OPERATOR(crm.|) whole.departed);
        END LOOP;
    END LOOP;
    UPDATE crm.segment s SET refreshed_at = as_of
    WHERE s.kind <> 'static' AND s.has_clock AND NOT s.needs_full AND s.refreshed_at IS DISTINCT FROM as_of;
    INSERT INTO crm.segment_refresh (as_of, seconds, segments, entered, departed)
    VALUES (as_of, extract(epoch FROM clock_timestamp() - began), segments, entered, departed);
    DELETE FROM crm.segment_refresh r WHERE r.id <= (SELECT max(m.id) FROM crm.segment_refresh m) - 10000;
END
$$;
COMMENT ON FUNCTION crm.refresh_segments(timestamptz, boolean) IS 'Brings all segments to what is true at a moment: looks at the contacts that changed since the last refresh and at those whom time alone may have moved, and at nobody else. Does not wait for writers, nor they for it; with wait => false it does nothing when another refresh runs. Gives the number of segments looked at, and of contacts that entered and left. What fails of one segment is told in its column error; what this role may not read, by a warning. Errors: 42501 row-level security hides contacts from this role.';

CREATE FUNCTION crm.segment_tick(as_of timestamptz DEFAULT now()) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    done record;
BEGIN
    -- The clock of segments never goes back by a job that comes late.
    IF NOT crm.lock_segments(wait => false) THEN
        RETURN 'skipped: another refresh or change of segments runs';
    END IF;
    SELECT * INTO done FROM crm.refresh_segments(greatest(as_of, (SELECT max(r.as_of) FROM crm.segment_refresh r WHERE r.as_of <= now())));
    RETURN format('%s segments, %s entered, %s left', done.segments, done.entered, done.departed);
END
$$;
COMMENT ON FUNCTION crm.segment_tick(timestamptz) IS 'The job "segments": refreshes what changed, unless another refresh runs.';

CREATE FUNCTION crm.may_read(relations text[]) RETURNS boolean
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
    SELECT bool_and(coalesce(has_table_privilege(to_regclass(r), 'SELECT'), false)) FROM unnest(relations) r
$$;
COMMENT ON FUNCTION crm.may_read(text[]) IS 'Whether all these relations are there and this role may read them.';

CREATE FUNCTION crm.segment_status(as_of timestamptz, OUT item text, OUT state text, OUT detail text, OUT hint text) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Columns of our types go with DROP EXTENSION ... CASCADE.
    IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = to_regclass('crm.segment') AND a.attname = 'rule' AND NOT a.attisdropped)
       OR NOT crm.may_read('{crm.segment,crm.segment_dependency,crm.segment_refresh,crm.segment_queue}') THEN
        RETURN;                 -- named as missing elsewhere
    END IF;
    RETURN QUERY SELECT 'segments', 'warning', format('segment "%s" is not refreshed: %s', s.name, s.hindrance),
                        'GRANT SELECT on it, or let a role refresh that may read it: SELECT crm.refresh_segment(name).'
    FROM crm.segment s WHERE s.hindrance IS NOT NULL ORDER BY s.name;
    RETURN QUERY SELECT 'segments', 'warning', format('the last refresh of segment "%s" failed: %s', s.name, s.error),
                        format('Mend its rule: SELECT crm.change_segment(%L, ...)', s.name)
    FROM crm.segment s WHERE s.error IS NOT NULL ORDER BY s.name;
    RETURN QUERY SELECT 'segments', 'warning', 'segments have no rules or members of this version: ' || string_agg(format('"%s"', s.name), ', ' ORDER BY s.name),
                        'SELECT crm.rebuild_segment_chunks()'
    FROM crm.segment s WHERE s.kind <> 'static' AND s.rule IS NULL HAVING count(*) > 0;
    RETURN QUERY SELECT 'segments', 'info', format('segments that count events of %s are refreshed from all contacts each time', t.source),
                        format('SELECT crm.watch_for_segments(%L)', t.source)
    FROM (SELECT DISTINCT d.source FROM crm.segment_dependency d WHERE strpos(d.source, '.') > 0) t WHERE NOT crm.is_watched(t.source);
    RETURN QUERY SELECT 'segments', 'warning', format('nothing was refreshed since %s; %s statements wait in crm.segment_queue', x.since, (SELECT count(*) FROM crm.segment_queue)),
                        'SELECT * FROM crm.refresh_segments(); see crm.job for why "segments" does not run.'
    FROM (SELECT greatest(coalesce((SELECT max(r.as_of) FROM crm.segment_refresh r), '-infinity'), min(s.created_at)) AS since
          FROM crm.segment s WHERE s.kind <> 'static' HAVING count(*) > 0) x
    WHERE x.since < segment_status.as_of - interval '1 hour';
END
$$;
COMMENT ON FUNCTION crm.segment_status(timestamptz) IS 'What crm.status() says of segments: refreshes that failed, rules that are to be derived again, tables of events without triggers, and when nothing was refreshed for an hour.';
/* ------------------------------------------------------------------
 * Segments in use: previews, histories, portraits, goals, offers, actions.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.unwatch_for_segments(relation regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    item record;
BEGIN
    FOR item IN SELECT t.tgname, t.tgrelid::regclass AS part FROM crm.table_tree(relation) r JOIN pg_trigger t ON t.tgrelid = r
                WHERE t.tgfoid IN ('crm.queue_for_segments()'::regprocedure, to_regprocedure('crm.refresh_all_segments()')) AND NOT t.tgisinternal LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', item.tgname, item.part);
    END LOOP;
END
$$;
COMMENT ON FUNCTION crm.unwatch_for_segments(regclass) IS 'Takes the triggers of crm.watch_for_segments() off a table and its partitions; segments that count its events are refreshed from all contacts from then on. Errors: 42501 the table belongs to another.';

CREATE FUNCTION crm.derive_rule() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    problem record;
BEGIN
    NEW.rule := NEW.definition::crm.rule;
    FOR problem IN SELECT * FROM crm.rule_check(NEW.rule, TG_ARGV[0]::regclass) LOOP
        RAISE EXCEPTION 'the rule does not fit %: %', TG_ARGV[0], problem.message
            USING ERRCODE = problem.code, DETAIL = format('Condition: %s', problem.condition), HINT = coalesce(problem.hint, 'Fields are the columns of crm.contact_profile; texts stand in single quotes, intervals as interval ''90 days''.');
    END LOOP;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.derive_rule() IS 'Trigger: reads the rule of column definition into column rule; its argument is the relation that the rule is about. Errors: 42601 no rule; 42703 a field that the relation lacks.';

CREATE FUNCTION crm.check_segment_goal() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.metric <> '*' AND NOT EXISTS (
        SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = 'crm.contact_profile'::regclass AND a.attname = NEW.metric AND a.attnum > 0 AND (t.typcategory = 'N' OR NEW.aggregate = 'count')) THEN
        RAISE EXCEPTION 'crm.contact_profile has no column "%" of numbers', NEW.metric USING ERRCODE = 'undefined_column',
            HINT = 'A metric is one of its columns of numbers; with count any of them, or *.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.check_segment_goal() IS 'Trigger of crm.segment_goal. Errors: 42703 a metric that contacts lack or that is no number.';

CREATE FUNCTION crm.preview(rule crm.rule, sample_size integer DEFAULT 10, seed bigint DEFAULT 1, as_of timestamptz DEFAULT now(),
    OUT contacts bigint, OUT sample bigint[], OUT share double precision, OUT estimated_cost double precision, OUT seconds double precision)
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    members crm.contact_set;
    began CONSTANT timestamptz := clock_timestamp();
    plan json;
BEGIN
    PERFORM crm.require_installed();
    EXECUTE format('EXPLAIN (FORMAT json) SELECT crm.contact_set_agg(p.contact_id) FROM crm.contact_profile p WHERE %s',
                   crm.rule_sql(rule, 'crm.contact_profile', as_of, 'p')) INTO plan;
    estimated_cost := (plan -> 0 -> 'Plan' ->> 'Total Cost')::double precision;
    members := crm.evaluate_rule(rule, as_of);
    contacts := crm.cardinality(members);
    sample := crm.member_array(crm.sample(members, sample_size, seed));
    SELECT contacts / nullif(count(*), 0)::double precision INTO share FROM crm.contact_profile;
    seconds := extract(epoch FROM clock_timestamp() - began);
END
$$;
COMMENT ON FUNCTION crm.preview(crm.rule, integer, bigint, timestamptz) IS 'What a segment of that rule would be: number of contacts, a sample of their numbers (the same for the same seed), their share of all, the planner''s cost and how long it took, seconds. Errors: 42703 a field that contacts lack; what the rule''s operators raise.';

CREATE FUNCTION crm.explain_segment(segment text, contact_id bigint, as_of timestamptz DEFAULT now(),
    OUT depth integer, OUT condition text, OUT field_values jsonb, OUT truth boolean) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target crm.segment := (SELECT s FROM crm.segment s WHERE s.id = crm.segment_number(segment));
BEGIN
    depth := 0;
    IF target.kind = 'static' THEN
        condition := 'on the list, alive and not archived';
        field_values := jsonb_build_object('given', (SELECT crm.from_roaring(l.contacts) OPERATOR(crm.@>) contact_id FROM crm.segment_list l
                                                     WHERE l.segment_id = target.id AND l.chunk = contact_id >> 16));
        truth := crm.segment_set(segment) OPERATOR(crm.@>) contact_id;
        RETURN NEXT;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT x.depth, x.condition, x.field_values, x.truth
    FROM crm.contact_profile p CROSS JOIN LATERAL (
        SELECT 0 AS number, 0 AS depth, target.rule::text AS condition, '{}'::jsonb AS field_values, crm.rule_eval(p, target.rule, as_of) AS truth
        UNION ALL
        SELECT e.number, e.depth + 1, e.condition,
               e.field_values || coalesce((SELECT jsonb_build_object('events', v.events, 'latest', v.latest) FROM crm.condition_events(p.contact_id, e.condition, as_of) v), '{}'), e.truth
        FROM crm.explain_rule(p, target.rule, as_of) e) x
    WHERE p.contact_id = $2 ORDER BY x.number;
    IF NOT FOUND THEN
        condition := 'a living contact that is not archived';
        truth := false;
        RETURN NEXT;
    END IF;
END
$$;
COMMENT ON FUNCTION crm.explain_segment(text, bigint, timestamptz) IS 'Why a contact is in a segment or not: first its whole rule (depth 0), then each condition with how deep it stands within and, or and not, the values that it meets (of did() how many events there are in its span, and when the latest was) and whether it is true by itself. Errors: RM031 no such segment.';

CREATE FUNCTION crm.condition_events(contact_id bigint, condition text, as_of timestamptz, OUT events bigint, OUT latest timestamptz) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    did CONSTANT jsonb := CASE WHEN condition LIKE 'did(%' THEN condition::crm.rule::jsonb -> 'did' END;
    source crm.event_kind;
BEGIN
    IF did IS NULL THEN
        RETURN;
    END IF;
    SELECT * INTO source FROM crm.event_kind e WHERE e.event = did ->> 'event';
    IF NOT FOUND THEN
        source := ROW(did ->> 'event', 'crm.activity', 'contact_id', 'occurred_at', format('kind = %L', did ->> 'event'), NULL);
    END IF;
    RETURN QUERY EXECUTE format('SELECT count(*), max(e.%1$I) FROM %2$s e WHERE e.%3$I = $1 AND e.%1$I <= $2 AND ($3 IS NULL OR e.%1$I > $2 - $3) AND (%4$s)',
                                source.at_column, source.relation::regclass, source.contact_column,
                                coalesce(crm.rule_sql(source.filter::crm.rule, source.relation::regclass, as_of, 'e'), 'true'))
    USING contact_id, as_of, (did ->> 'within')::interval;
END
$$;
COMMENT ON FUNCTION crm.condition_events(bigint, text, timestamptz) IS 'Of a condition did(...): how many of its events the contact has in its span up to as_of, and when the latest of them was. No row for other conditions.';

CREATE FUNCTION crm.segment_changes(segment_id bigint) RETURNS TABLE (refresh bigint, at timestamptz, contact_id bigint, entered boolean, cause text)
LANGUAGE sql STABLE ROWS 10000
SET search_path = pg_catalog, pg_temp AS $$
    SELECT h.refresh, h.at, h.contact_id, h.entered, h.cause FROM crm.segment_history h WHERE h.segment_id = $1
    UNION ALL
    SELECT f.refresh, f.at, m.id, true, f.cause FROM crm.segment_fill f, crm.members(crm.from_roaring(f.entered)) AS m (id) WHERE f.segment_id = $1
    UNION ALL
    SELECT f.refresh, f.at, m.id, false, f.cause FROM crm.segment_fill f, crm.members(crm.from_roaring(f.departed)) AS m (id) WHERE f.segment_id = $1
$$;
COMMENT ON FUNCTION crm.segment_changes(bigint) IS 'All who ever entered and left a segment, small changes and large ones together.';

CREATE FUNCTION crm.contact_segment_history(contact_id bigint)
RETURNS TABLE (segment text, at timestamptz, entered boolean, cause text)
LANGUAGE sql STABLE ROWS 20
SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.name, c.at, c.entered, c.cause
    FROM (SELECT h.segment_id, h.refresh, h.at, h.entered, h.cause FROM crm.segment_history h WHERE h.contact_id = $1
          UNION ALL
          SELECT f.segment_id, f.refresh, f.at, true, f.cause FROM crm.segment_fill f WHERE crm.from_roaring(f.entered) OPERATOR(crm.@>) $1
          UNION ALL
          SELECT f.segment_id, f.refresh, f.at, false, f.cause FROM crm.segment_fill f WHERE crm.from_roaring(f.departed) OPERATOR(crm.@>) $1) c
    JOIN crm.segment s ON s.id = c.segment_id
    ORDER BY c.refresh, s.name
$$;
COMMENT ON FUNCTION crm.contact_segment_history(bigint) IS 'Which segments a contact entered and left, when and why, in that order.';

CREATE FUNCTION crm.segment_as_of(segment text, at timestamptz) RETURNS crm.contact_set
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
    -- The first change after the moment tells what was before it.
    WITH later AS (
        SELECT DISTINCT ON (c.contact_id) c.contact_id, c.entered
        FROM crm.segment_changes(crm.segment_number(segment)) c WHERE c.at > segment_as_of.at
        ORDER BY c.contact_id, c.refresh
    )
    SELECT (crm.segment_set(segment) OPERATOR(crm.-) coalesce((SELECT crm.contact_set_agg(l.contact_id) FROM later l WHERE l.entered), '{}'))
           OPERATOR(crm.|) coalesce((SELECT crm.contact_set_agg(l.contact_id) FROM later l WHERE NOT l.entered), '{}')
$$;
COMMENT ON FUNCTION crm.segment_as_of(text, timestamptz) IS 'Who was in a segment at a moment of the past, by its history. Errors: RM031 no such segment.';

CREATE FUNCTION crm.compact_segment_history(as_of timestamptz DEFAULT now(), keep interval DEFAULT '2 years') RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    horizon CONSTANT timestamptz := as_of - keep;
    one record;
    members crm.contact_set;
    removed bigint := 0;
    n bigint;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.lock_segments();
    FOR one IN
        SELECT s.id, s.name,
               coalesce((SELECT min(c.refresh) FROM crm.segment_changes(s.id) c WHERE c.at > horizon),
                        (SELECT max(c.refresh) + 1 FROM crm.segment_changes(s.id) c)) - 1 AS refresh
        FROM crm.segment s
        WHERE EXISTS (SELECT FROM crm.segment_history h WHERE h.segment_id = s.id AND h.at <= horizon)
           OR (SELECT count(*) FROM crm.segment_fill f WHERE f.segment_id = s.id AND f.at <= horizon) > 1
    LOOP
        members := crm.segment_as_of(one.name, horizon);
        DELETE FROM crm.segment_history h WHERE h.segment_id = one.id AND h.at <= horizon;
        GET DIAGNOSTICS n = ROW_COUNT;
        removed := removed + n;
        DELETE FROM crm.segment_fill f WHERE f.segment_id = one.id AND f.at <= horizon;
        GET DIAGNOSTICS n = ROW_COUNT;
        removed := removed + n;
        INSERT INTO crm.segment_fill (segment_id, refresh, at, entered, departed, cause)
        VALUES (one.id, one.refresh, horizon, crm.to_roaring(members), crm.to_roaring('{}'), 'kept');
    END LOOP;
    RETURN removed;
END
$$;
COMMENT ON FUNCTION crm.compact_segment_history(timestamptz, interval) IS 'Job: gives up the history of segments that is older than keep, but for who was a member then (cause kept), so that later moments can still be asked for; returns the number of entries removed. Off unless it is enabled in crm.job.';

CREATE FUNCTION crm.rebuild_segment_chunks() RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    written bigint;
BEGIN
    PERFORM crm.lock_segments();
    UPDATE crm.segment s SET needs_full = true WHERE s.rule IS NULL AND s.kind <> 'static';     -- the rule by its trigger
    UPDATE crm.incentive i SET definition = i.definition WHERE i.rule IS NULL;      -- by its trigger
    DELETE FROM crm.segment_chunk;
    INSERT INTO crm.segment_chunk (segment_id, chunk, members)
    SELECT l.segment_id, l.contact_id >> 16, crm.contact_set_agg(l.contact_id)
    FROM (SELECT DISTINCT ON (s.id, c.contact_id) s.id AS segment_id, c.contact_id, c.entered
          FROM crm.segment s, crm.segment_changes(s.id) c ORDER BY s.id, c.contact_id, c.refresh DESC) l
    WHERE l.entered
    GROUP BY l.segment_id, l.contact_id >> 16;
    GET DIAGNOSTICS written = ROW_COUNT;
    UPDATE crm.segment s
    SET cardinality = coalesce((SELECT sum(crm.cardinality(k.members)) FROM crm.segment_chunk k WHERE k.segment_id = s.id), 0);
    RETURN written;
END
$$;
COMMENT ON FUNCTION crm.rebuild_segment_chunks() IS 'Makes the members of all segments again from their history, as after DROP EXTENSION ... CASCADE; returns the number of chunks.';

CREATE FUNCTION crm.segment_overlap(segments text[] DEFAULT NULL)
RETURNS TABLE (segment_a text, segment_b text, members_a bigint, members_b bigint, in_both bigint, jaccard double precision, lift double precision)
LANGUAGE sql STABLE ROWS 100
SET search_path = pg_catalog, pg_temp AS $$
    WITH s AS MATERIALIZED (
        SELECT g.name, g.cardinality, crm.segment_set(g.name) AS members FROM crm.segment g WHERE segments IS NULL OR g.id IN (SELECT crm.segment_number(n) FROM unnest(segments) n)
    ), base AS (SELECT count(*)::double precision AS contacts FROM crm.contact_profile)
    SELECT a.name, b.name, a.cardinality, b.cardinality, i.in_both, i.in_both / nullif(a.cardinality + b.cardinality - i.in_both, 0)::double precision,
           i.in_both * base.contacts / nullif(a.cardinality::double precision * b.cardinality, 0)
    FROM base, s a JOIN s b ON a.name < b.name, LATERAL (SELECT crm.intersect_count(a.members, b.members) AS in_both) i
    ORDER BY i.in_both DESC, a.name, b.name
$$;
COMMENT ON FUNCTION crm.segment_overlap(text[]) IS 'How much segments overlap, each pair once: number in both, share of those in either (Jaccard index), and lift: how much more often they meet than by chance. Of all segments unless some are named; those that share most come first. Errors: RM031 no such segment.';

CREATE FUNCTION crm.segment_profile(segment text, most integer DEFAULT 10, as_of timestamptz DEFAULT now())
RETURNS TABLE (attribute text, value text, contacts bigint, share double precision)
LANGUAGE sql STABLE ROWS 100
SET search_path = pg_catalog, pg_temp AS $$
    WITH member AS MATERIALIZED (
        SELECT p.* FROM crm.segment_members(segment) AS m (id) JOIN crm.contact_profile p ON p.contact_id = m.id
    ), described AS (
        SELECT v.attribute, v.value, count(*) AS contacts
        FROM member p, LATERAL (VALUES
            ('age', CASE WHEN p.birth_date IS NULL THEN NULL
                         ELSE (SELECT CASE WHEN a.years < 18 THEN 'below 18' WHEN a.years < 25 THEN '18-24' WHEN a.years < 35 THEN '25-34' WHEN a.years < 45 THEN '35-44'
                                           WHEN a.years < 55 THEN '45-54' WHEN a.years < 65 THEN '55-64' ELSE '65 and above' END
                               FROM (SELECT extract(year FROM age(as_of AT TIME ZONE 'UTC', p.birth_date)) AS years) a) END),
            ('gender', p.gender), ('country', p.country), ('city', p.city), ('lifecycle_stage', p.lifecycle_stage), ('source', p.source),
            ('company_industry', p.company_industry),
            ('channel', CASE WHEN p.email IS NOT NULL AND p.phone IS NOT NULL THEN 'email and phone' WHEN p.email IS NOT NULL THEN 'email'
                             WHEN p.phone IS NOT NULL THEN 'phone' END),
            ('orders', CASE WHEN p.order_count = 0 THEN 'none' WHEN p.order_count = 1 THEN 'one' WHEN p.order_count <= 5 THEN '2-5' ELSE 'more than 5' END)
        ) AS v (attribute, value)
        GROUP BY v.attribute, v.value
    ), ranked AS (
        SELECT d.*, row_number() OVER (PARTITION BY d.attribute ORDER BY d.contacts DESC, d.value) AS place FROM described d
    ), total AS (SELECT count(*) AS contacts FROM member)
    SELECT r.attribute, CASE WHEN r.place <= most THEN coalesce(r.value, 'unknown') ELSE 'other' END, sum(r.contacts)::bigint,
           sum(r.contacts)::double precision / nullif((SELECT t.contacts FROM total t), 0)
    FROM ranked r
    GROUP BY r.attribute, CASE WHEN r.place <= most THEN coalesce(r.value, 'unknown') ELSE 'other' END, CASE WHEN r.place <= most THEN r.place ELSE most + 1 END
    ORDER BY r.attribute, CASE WHEN min(r.place) <= most THEN min(r.place) ELSE most + 1 END
$$;
COMMENT ON FUNCTION crm.segment_profile(text, integer, timestamptz) IS 'The portrait of a segment: how its members are distributed over age, gender, country, city, life cycle, source, industry, channels and orders; of each the most frequent values, the rest as other. The numbers of each attribute add up to the living members. Errors: RM031 no such segment.';

CREATE FUNCTION crm.segment_metric(segment text, metric text, aggregate text) RETURNS numeric
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result numeric;
    members bigint;
BEGIN
    IF aggregate NOT IN ('count', 'sum', 'avg', 'min', 'max') THEN
        RAISE EXCEPTION '"%" is no aggregate of a metric', aggregate USING ERRCODE = 'invalid_parameter_value',
            HINT = 'count, sum, avg, min or max.';
    END IF;
    IF metric <> '*' AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = 'crm.contact_profile'::regclass AND a.attname = metric AND a.attnum > 0) THEN
        RAISE EXCEPTION 'crm.contact_profile has no column "%"', metric USING ERRCODE = 'undefined_column',
            HINT = 'A metric is one of its columns of numbers, or * with count.';
    END IF;
    EXECUTE format('SELECT count(*), %s(%s)::numeric FROM crm.segment_members($1) AS m (id) JOIN crm.contact_profile p ON p.contact_id = m.id',
                   aggregate, CASE metric WHEN '*' THEN '*' ELSE format('p.%I', metric) END) INTO members, result USING segment;
    RETURN CASE WHEN members > 0 THEN result END;
END
$$;
COMMENT ON FUNCTION crm.segment_metric(text, text, text) IS 'A column of crm.contact_profile put together over the members of a segment; null when it has none. Errors: 22023 no such aggregate; 42703 no such column; 42883 a column that it cannot be made of; RM031 no such segment.';

CREATE FUNCTION crm.offer_for(contact_id bigint, as_of timestamptz DEFAULT now(), OUT offer text, OUT segment text, OUT priority integer)
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
    SELECT o.offer, s.name, o.priority
    FROM crm.segment_offer o JOIN crm.segment s ON s.id = o.segment_id
    JOIN crm.segment_chunk k ON k.segment_id = s.id AND k.chunk = contact_id >> 16 AND k.members OPERATOR(crm.@>) contact_id
    WHERE o.valid @> as_of
    ORDER BY o.priority, o.id LIMIT 1
$$;
COMMENT ON FUNCTION crm.offer_for(bigint, timestamptz) IS 'The offer for a contact: of those for its segments the one with the lowest priority, then the oldest; null when there is none.';

CREATE FUNCTION crm.choose_incentive(contact_id bigint, budget numeric DEFAULT NULL, as_of timestamptz DEFAULT now(),
    OUT incentive text, OUT kind text, OUT amount numeric, OUT cost numeric)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    item record;
    holds boolean;
BEGIN
    -- One that fails is passed over.
    FOR item IN SELECT i.* FROM crm.incentive i WHERE i.enabled AND (budget IS NULL OR i.cost <= budget) ORDER BY i.priority, i.cost, i.name LOOP
        BEGIN
            SELECT crm.rule_eval(p, item.rule, as_of) INTO holds FROM crm.contact_profile p WHERE p.contact_id = $1;
        EXCEPTION WHEN OTHERS THEN
            IF crm.is_passing(SQLSTATE) THEN
                RAISE;
            END IF;
            RAISE WARNING 'the rule of incentive "%" fails: %', item.name, SQLERRM USING ERRCODE = SQLSTATE, HINT = 'SELECT * FROM crm.validate_config()';
            CONTINUE;
        END;
        IF holds THEN
            incentive := item.name;
            kind := item.kind;
            amount := item.amount;
            cost := item.cost;
            RETURN;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION crm.choose_incentive(bigint, numeric, timestamptz) IS 'How to motivate a contact: of the incentives whose rule holds and that cost no more than the budget the one with the lowest priority, then the cheapest; null when there is none. One whose rule fails is passed over with a warning.';

CREATE FUNCTION crm.standing_for(contacts crm.contact_set) RETURNS crm.contact_set
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
    SELECT (contacts OPERATOR(crm.-) coalesce(crm.contact_set_agg(c.id), '{}')) OPERATOR(crm.|) coalesce(crm.contact_set_agg(c.merged_into), '{}')
    FROM crm.contact c WHERE c.merged_into IS NOT NULL AND c.id OPERATOR(crm.<@) contacts
$$;
COMMENT ON FUNCTION crm.standing_for(crm.contact_set) IS 'The same contacts, those that merges absorbed replaced by the ones that stand for them.';

CREATE FUNCTION crm.start_action(name text, segment text, control_share double precision DEFAULT 0.1, lasts interval DEFAULT '30 days',
    seed bigint DEFAULT 1, as_of timestamptz DEFAULT now(), OUT targets crm.contact_set, OUT control crm.contact_set)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target bigint := crm.segment_number(segment);
BEGIN
    IF control_share IS NULL OR NOT control_share BETWEEN 0 AND 0.9 THEN
        RAISE EXCEPTION 'a control group of share % cannot be drawn', control_share USING ERRCODE = 'invalid_parameter_value', HINT = 'From 0 to 0.9.';
    END IF;
    IF EXISTS (SELECT FROM crm.segment_action a WHERE a.name = $1) THEN
        RAISE EXCEPTION 'there is an action "%" already', name USING ERRCODE = 'duplicate_object', HINT = 'Choose another name.';
    END IF;
    SELECT (array_agg(x.members ORDER BY x.arm))[1], (array_agg(x.members ORDER BY x.arm))[2] INTO targets, control
    FROM crm.split(crm.segment_set(segment), ARRAY[1 - control_share, control_share], seed) x;
    INSERT INTO crm.segment_action (segment_id, name, started_at, lasts, targets, control)
    VALUES (target, $1, as_of, $4, crm.to_roaring(targets), crm.to_roaring(control));
END
$$;
COMMENT ON FUNCTION crm.start_action(text, text, double precision, interval, bigint, timestamptz) IS 'Begins an action aimed at the members of a segment: holds a share of them back for comparison, the same ones for the same seed, keeps both groups and returns them. Errors: RM031 no such segment; 42710 the name is taken; 22023 the share.';

CREATE FUNCTION crm.action_contacts(name text) RETURNS TABLE (contact_id bigint, arm text)
LANGUAGE sql STABLE STRICT ROWS 10000
SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.id, 'target' FROM crm.segment_action a, crm.members(crm.from_roaring(a.targets)) AS m (id) WHERE a.name = $1
    UNION ALL
    SELECT m.id, 'control' FROM crm.segment_action a, crm.members(crm.from_roaring(a.control)) AS m (id) WHERE a.name = $1
$$;
COMMENT ON FUNCTION crm.action_contacts(text) IS 'The contacts of an action as it was started: those who got it (target) and those held back (control). No rows when there is no action of that name.';

CREATE FUNCTION crm.contacts_of(system text, external_ids text[], OUT contacts crm.contact_set, OUT unknown text[])
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(crm.contact_set_agg(r.contact_id), '{}'),
           coalesce(array_agg(DISTINCT n.id ORDER BY n.id) FILTER (WHERE r.contact_id IS NULL), '{}')
    FROM unnest(external_ids) AS n (id)
    LEFT JOIN crm.external_ref r ON r.system = contacts_of.system AND r.external_id = n.id
$$;
COMMENT ON FUNCTION crm.contacts_of(text, text[]) IS 'The contacts that have these numbers in another system, as a set for a list, and the numbers that nobody has.';
/* ------------------------------------------------------------------
 * What is configured as rows, looked at as a whole.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.validate_config(OUT item text, OUT name text, OUT problem text, OUT hint text) RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 10
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    PERFORM crm.require_installed();
    RETURN QUERY
    WITH rule (item, name, definition, rule) AS (
        SELECT 'segment', s.name, s.definition, s.rule FROM crm.segment s WHERE s.kind <> 'static'
        UNION ALL SELECT 'incentive', i.name, i.definition, i.rule FROM crm.incentive i
        UNION ALL SELECT 'archive rule', a.name, a.definition, a.rule FROM crm.archive_rule a WHERE a.definition IS NOT NULL
    ), event AS (
        SELECT e.*, to_regclass(e.relation) AS target FROM crm.event_kind e
    ), stage AS (
        SELECT p.name AS pipeline, s.id, s.name, s.kind, t.begins, t.leads_here, t.leaves
        FROM crm.pipeline p JOIN crm.stage s ON s.pipeline_id = p.id
        CROSS JOIN LATERAL (
            SELECT coalesce(bool_or(x.from_stage_id IS NULL AND x.to_stage_id = s.id), false) AS begins,
                   coalesce(bool_or(x.to_stage_id = s.id), false) AS leads_here, coalesce(bool_or(x.from_stage_id = s.id), false) AS leaves
            FROM crm.stage_transition x WHERE s.id IN (x.from_stage_id, x.to_stage_id)) t
        WHERE p.active
    )
    SELECT x.item, x.name, x.problem, x.hint FROM (
        SELECT r.item, r.name, c.message AS problem, coalesce(c.hint, 'Give it a rule that fits, or bring back what it asks for.') AS hint FROM rule r CROSS JOIN LATERAL crm.rule_check(r.rule, 'crm.contact_profile') c
        UNION ALL
        SELECT r.item, r.name, format('its rule is not derived: %s', r.definition), 'SELECT crm.rebuild_segment_chunks(), or write its definition again.'
        FROM rule r WHERE r.rule IS NULL
        UNION ALL
        SELECT 'event', e.event, CASE WHEN e.target IS NULL THEN format('there is no relation %s', e.relation) ELSE format('relation %s has no column "%s"', e.relation, c.name) END,
               'Mend its row in crm.event_kind, or remove it.'
        FROM event e CROSS JOIN unnest(ARRAY[e.contact_column, e.at_column]) WITH ORDINALITY AS c (name, n)
        WHERE CASE WHEN e.target IS NULL THEN c.n = 1
                   ELSE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = e.target AND a.attname = c.name AND a.attnum > 0) END
        UNION ALL
        SELECT 'event', e.event, c.message, coalesce(c.hint, 'Give it a filter that fits, or bring back what it asks for.') FROM event e CROSS JOIN LATERAL crm.rule_check(e.filter::crm.rule, e.target) c WHERE e.target IS NOT NULL
        UNION ALL
        SELECT 'goal of segment', s.name, format('crm.contact_profile has no column "%s"', g.metric), 'Mend its row in crm.segment_goal.'
        FROM crm.segment_goal g JOIN crm.segment s ON s.id = g.segment_id
        WHERE g.metric <> '*' AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = 'crm.contact_profile'::regclass AND a.attname = g.metric AND a.attnum > 0)
        UNION ALL
        SELECT 'pipeline', s.pipeline, 'no deal can begin in it', 'SELECT crm.allow_transition(pipeline, NULL, stage)'
        FROM stage s GROUP BY s.pipeline HAVING NOT bool_or(s.begins)
        UNION ALL
        SELECT 'pipeline', s.pipeline, format('it has no stage of kind %s', k.kind), 'Add one to crm.stage.'
        FROM stage s CROSS JOIN (VALUES ('open'), ('won'), ('lost')) k (kind) GROUP BY s.pipeline, k.kind HAVING NOT bool_or(s.kind = k.kind)
        UNION ALL
        SELECT 'stage', format('%s: %s', s.pipeline, s.name), CASE WHEN NOT s.leads_here THEN 'no move leads to it' ELSE 'no move leads away from it' END,
               'crm.allow_transition(), or delete the stage.'
        FROM stage s WHERE NOT s.leads_here OR (NOT s.leaves AND s.kind = 'open')
        UNION ALL
        SELECT 'pipelines', NULL, 'none is the default: a deal must name its pipeline', 'UPDATE crm.pipeline SET is_default = true WHERE name = ...'
        WHERE NOT EXISTS (SELECT FROM crm.pipeline p WHERE p.is_default)
        UNION ALL
        SELECT 'job', j.name, format('schema "crm" has no function "%s"', j.function), 'crm.schedule_job() gives it another one.'
        FROM crm.job j WHERE NOT EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'crm'::regnamespace AND p.proname = j.function)
        UNION ALL
        SELECT z.item, z.name, format('there is no time zone "%s"', z.time_zone), 'pg_timezone_names lists them.'
        FROM (SELECT 'branch', b.name, b.time_zone FROM crm.branch b UNION ALL SELECT 'agent', a.name, a.time_zone FROM crm.agent a
              UNION ALL SELECT 'job', j.name, j.time_zone FROM crm.job j WHERE j.daily_at IS NOT NULL) z (item, name, time_zone)
        WHERE z.time_zone <> 'UTC' AND NOT EXISTS (SELECT FROM pg_timezone_names n WHERE lower(n.name) = lower(z.time_zone))
        UNION ALL
        SELECT f.item, f.field, CASE WHEN f.field LIKE 'attrs.%' THEN format('there is no custom field "%s"', substr(f.field, 7)) ELSE format('contacts have no field "%s"', f.field) END,
               'Mend or remove the row; crm.define_field() makes a custom field.'
        FROM (SELECT 'survivorship rule', s.field FROM crm.survivorship_rule s WHERE s.field <> '*'
              UNION SELECT 'completeness weight', w.field FROM crm.completeness_weight w WHERE w.field NOT IN ('email', 'phone', 'company', 'consent')) f (item, field)
        WHERE CASE WHEN f.field LIKE 'attrs.%' THEN NOT EXISTS (SELECT FROM crm.custom_field c WHERE c.entity = 'contact' AND c.name = substr(f.field, 7))
                   ELSE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = 'crm.contact'::regclass AND a.attname = f.field AND a.attnum > 0) END
    ) x
    ORDER BY 1, 2, 3;
END
$$;
COMMENT ON FUNCTION crm.validate_config() IS 'What is wrong with the rows by which crm is configured: rules of segments, incentives, archive rules and events that no longer fit their relation, goals of columns that are gone, pipelines in which no deal can begin or end, stages that no move leads to, jobs without function, unknown time zones and fields; with what to do. No rows: all is well. What is wrong when it is written is refused then.';
CREATE OR REPLACE FUNCTION crm.schema_statements(source text,
    OUT "position" integer, OUT statement text, OUT kind text, OUT name text, OUT relation text,
    OUT columns text[], OUT definitions text[], OUT comments text[])
RETURNS SETOF record
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000 ROWS 100
SET standard_conforming_strings = on AS 'MODULE_PATHNAME', 'crm_schema_statements';
COMMENT ON FUNCTION crm.schema_statements(text) IS 'Splits SQL text into its statements with the server''s parser and says what each makes: kind (table, index, view, trigger, sequence, function, policy, seed, alter, comment, other), its name and table, and for a table or view its columns with their definitions and the "-- comment" behind each. Errors: 42601 when the text is not SQL.';
CREATE OR REPLACE FUNCTION crm.in_extension_script() RETURNS boolean
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1 AS 'MODULE_PATHNAME', 'crm_in_extension_script';
COMMENT ON FUNCTION crm.in_extension_script() IS 'Whether an extension script is running in this session; tables made then would become members of that extension.';
CREATE OR REPLACE FUNCTION crm.guard_drop() RETURNS event_trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'crm_guard_drop';
COMMENT ON FUNCTION crm.guard_drop() IS 'Refuses DROP EXTENSION crm (2BP01) while the tables are installed, with the hint to call crm.uninstall(); with CASCADE it lets it pass.';
CREATE OR REPLACE FUNCTION crm.object_exists(kind text, relation text, name text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE COST 10
SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN kind IN ('table', 'view', 'sequence', 'index')
            THEN EXISTS (SELECT FROM pg_class WHERE relname = name AND relnamespace = 'crm'::regnamespace)
        WHEN kind = 'trigger'
            THEN EXISTS (SELECT FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                         WHERE t.tgname = name AND c.relname = relation AND c.relnamespace = 'crm'::regnamespace)
        WHEN kind = 'policy'
            THEN EXISTS (SELECT FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
                         WHERE p.polname = name AND c.relname = relation AND c.relnamespace = 'crm'::regnamespace)
        WHEN kind = 'function'
            THEN EXISTS (SELECT FROM pg_proc WHERE proname = name AND pronamespace = 'crm'::regnamespace)
    END
$$;
COMMENT ON FUNCTION crm.object_exists(text, text, text) IS 'Whether schema crm has the object that a statement of crm.schema_statements() would make; null for kinds that make none.';
CREATE OR REPLACE FUNCTION crm.installed_version() RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- No exception block: it would be a subtransaction, which parallel queries cannot start.
    IF NOT has_schema_privilege('crm', 'USAGE') OR NOT has_table_privilege(to_regclass('crm.installation'), 'SELECT') THEN
        RAISE EXCEPTION 'permission denied for the tables of crm' USING ERRCODE = 'insufficient_privilege',
            HINT = 'The owner of the tables grants rights: crm.install(roles => true) makes roles that have them.';
    END IF;
    IF to_regclass('crm.installation') IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT version FROM crm.installation);
END
$$;
COMMENT ON FUNCTION crm.installed_version() IS 'The version of the tables in this database; null when crm.install() has not run.';
CREATE OR REPLACE FUNCTION crm.require_installed() RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    installed text := crm.installed_version();
BEGIN
    IF installed IS NULL THEN
        RAISE EXCEPTION 'the tables of crm are not installed in this database'
            USING ERRCODE = 'RM010', HINT = 'Run SELECT crm.install() as the role that shall own them.';
    ELSIF installed <> crm.code_version() THEN
        RAISE EXCEPTION 'the tables of crm are of version %, the code is of version %', installed, crm.code_version()
            USING ERRCODE = 'RM011', HINT = 'Run SELECT crm.upgrade() as the owner of the tables.';
    END IF;
END
$$;
COMMENT ON FUNCTION crm.require_installed() IS 'Raises RM010 when the tables are missing, RM011 when their version is not that of the code; otherwise does nothing. Called first by functions that write.';
CREATE OR REPLACE FUNCTION crm.require_own_schema() RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    schema_owner oid := (SELECT nspowner FROM pg_namespace WHERE nspname = 'crm');
    stranger record;
BEGIN
    IF crm.in_extension_script() THEN
        RAISE EXCEPTION 'the tables of crm cannot be made by an extension script'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'They would become members of that extension and vanish with it.',
                  HINT = 'Call the function after CREATE EXTENSION.';
    END IF;
    IF NOT has_schema_privilege('crm', 'CREATE') THEN
        RAISE EXCEPTION 'role "%" may not create objects in schema "crm"', current_user
            USING ERRCODE = 'insufficient_privilege',
                  HINT = format('As the owner of the schema: GRANT USAGE, CREATE ON SCHEMA crm TO %I', current_user);
    END IF;
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
       AND NOT (SELECT rolsuper FROM pg_roles WHERE oid = schema_owner) THEN
        RAISE EXCEPTION 'a superuser cannot own tables in schema "crm", which belongs to "%"', pg_get_userbyid(schema_owner)
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'That role could replace functions which would then run with the rights of a superuser.',
                  HINT = format('SET ROLE %I, or ALTER SCHEMA crm OWNER TO %I.', pg_get_userbyid(schema_owner), current_user);
    END IF;
    IF pg_encoding_to_char((SELECT encoding FROM pg_database WHERE datname = current_database())) <> 'UTF8' THEN
        RAISE EXCEPTION 'the tables of crm need a database in UTF8'
            USING ERRCODE = 'feature_not_supported', HINT = 'CREATE DATABASE ... ENCODING UTF8 TEMPLATE template0.';
    END IF;
    IF NOT (pg_has_role(schema_owner, 'USAGE')
            OR (SELECT rolsuper FROM pg_roles WHERE oid = schema_owner)
            OR schema_owner = (SELECT datdba FROM pg_database WHERE datname = current_database())) THEN
        RAISE EXCEPTION 'schema "crm" belongs to another role, "%"', pg_get_userbyid(schema_owner)
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'The owner of a schema may drop what is in it.',
                  HINT = format('ALTER SCHEMA crm OWNER TO %I', current_user);
    END IF;
    SELECT c.relname, pg_get_userbyid(c.relowner) AS owner INTO stranger
    FROM pg_class c
    JOIN (SELECT s.name FROM crm.schema_source() f, crm.schema_statements(f.source) s
          WHERE f.kind <> 'migration' AND s.kind IN ('table', 'view', 'sequence')) ours ON ours.name = c.relname
    WHERE c.relnamespace = 'crm'::regnamespace AND NOT pg_has_role(c.relowner, 'USAGE')
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'relation "crm.%" belongs to another role, "%"', stranger.relname, stranger.owner
            USING ERRCODE = 'insufficient_privilege',
                  HINT = format('Run this as a member of role %I.', stranger.owner);
    END IF;
END
$$;
COMMENT ON FUNCTION crm.require_own_schema() IS 'Raises 42501 when the caller may not create in schema crm, or when the schema or one of our relations belongs to a stranger; raises 55000 inside an extension script.';
CREATE OR REPLACE FUNCTION crm.view_is_unchanged(view_name text, statement text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    probe text;
BEGIN
    EXECUTE replace(statement, 'CREATE VIEW crm.' || view_name, 'CREATE TEMPORARY VIEW crm_view_probe');
    probe := pg_get_viewdef('pg_temp.crm_view_probe'::regclass);
    DROP VIEW pg_temp.crm_view_probe;
    RETURN probe = pg_get_viewdef(format('crm.%I', view_name)::regclass);
EXCEPTION
    WHEN undefined_column OR undefined_table OR undefined_function OR undefined_object THEN
        RETURN false;           -- the old statement no longer fits the tables
END
$$;
COMMENT ON FUNCTION crm.view_is_unchanged(text, text) IS 'Whether view crm.<view_name> has the definition that the CREATE VIEW statement gives; independent of how a server version prints it.';
CREATE OR REPLACE FUNCTION crm.converge(INOUT created integer DEFAULT 0, OUT kept text[])
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET standard_conforming_strings = on
SET client_min_messages = warning AS $$
DECLARE
    item record;
    made text[] := '{}';        -- relations created in this run
    -- Restored without its rows: what is there is ours, but nothing says so.
    adopting boolean := false;
    is_empty boolean;
    seeded text[] := '{}';      -- relations whose first rows are written again
    recorded text;
    column_name text;
    column_number integer;
    is_there boolean;
BEGIN
    kept := '{}';
    IF to_regclass('crm.schema_object') IS NOT NULL THEN
        adopting := NOT EXISTS (SELECT FROM crm.schema_object);
    END IF;
    FOR item IN
        SELECT s.* FROM crm.schema_source() f, crm.schema_statements(f.source) s
        WHERE f.kind <> 'migration' ORDER BY f."position", s."position"
    LOOP
        is_there := crm.object_exists(item.kind, item.relation, item.name);
        IF is_there AND adopting THEN
            INSERT INTO crm.schema_object (kind, relation, name, statement)
            VALUES (item.kind, coalesce(item.relation, item.name), item.name, item.statement)
            ON CONFLICT (kind, relation, name) DO NOTHING;
        END IF;
        IF is_there THEN
            IF item.kind = 'table' THEN
                IF to_regclass('crm.schema_object') IS NOT NULL AND NOT EXISTS (
                    SELECT FROM crm.schema_object o WHERE o.kind = 'table' AND o.name = item.name) THEN
                    RAISE EXCEPTION 'table "crm.%" is in the way: it was not made by crm', item.name
                        USING ERRCODE = 'duplicate_table', HINT = format('Move it: ALTER TABLE crm.%I RENAME TO ...', item.name);
                END IF;
                -- A column of our types goes with DROP EXTENSION ... CASCADE.
                FOR column_number IN 1 .. cardinality(item.columns) LOOP
                    column_name := item.columns[column_number];
                    IF NOT EXISTS (SELECT FROM pg_attribute
                                   WHERE attrelid = format('crm.%I', item.name)::regclass
                                     AND attname = column_name AND NOT attisdropped) THEN
                        EXECUTE format('ALTER TABLE crm.%I ADD COLUMN %s', item.name, item.definitions[column_number]);
                        EXECUTE format('COMMENT ON COLUMN crm.%I.%I IS %L',
                                       item.name, column_name, item.comments[column_number]);
                        created := created + 1;
                    END IF;
                END LOOP;
                CONTINUE;
            END IF;
            CONTINUE WHEN item.kind NOT IN ('view', 'trigger', 'function');
            SELECT o.statement INTO recorded FROM crm.schema_object o
            WHERE o.kind = item.kind AND o.relation = coalesce(item.relation, item.name) AND o.name = item.name;
            CONTINUE WHEN recorded = item.statement;
            IF item.kind = 'view' THEN
                IF recorded IS NULL OR NOT crm.view_is_unchanged(item.name, recorded) THEN
                    kept := kept || format('view crm.%I', item.name);
                    CONTINUE;
                END IF;
                BEGIN
                    EXECUTE replace(item.statement, 'CREATE VIEW', 'CREATE OR REPLACE VIEW');
                EXCEPTION WHEN invalid_table_definition THEN
                    BEGIN
                        EXECUTE format('DROP VIEW crm.%I', item.name);
                        EXECUTE item.statement;
                    EXCEPTION WHEN dependent_objects_still_exist THEN
                        kept := kept || format('view crm.%I (others depend on it)', item.name);
                        CONTINUE;
                    END;
                END;
            ELSIF item.kind = 'trigger' THEN
                EXECUTE format('DROP TRIGGER %I ON crm.%I', item.name, item.relation);
                EXECUTE item.statement;
            ELSE
                EXECUTE replace(item.statement, 'CREATE FUNCTION', 'CREATE OR REPLACE FUNCTION');
            END IF;
        ELSIF item.kind IN ('seed', 'alter') THEN
            -- Rows and settings belong to the user once the table is there.
            is_empty := false;
            IF adopting AND item.kind = 'seed' AND NOT item.relation = ANY (seeded) THEN
                EXECUTE format('SELECT NOT EXISTS (SELECT FROM crm.%I)', item.relation) INTO is_empty;
            END IF;
            IF is_empty THEN
                seeded := seeded || item.relation;
            END IF;
            CONTINUE WHEN NOT item.relation = ANY (made) AND NOT item.relation = ANY (seeded);
            EXECUTE item.statement;
            CONTINUE;
        ELSIF item.kind = 'comment' THEN
            CONTINUE WHEN item.relation IS NOT NULL AND CASE
                WHEN to_regclass(format('crm.%I', item.relation)) IS NULL THEN true
                WHEN item.name IS NULL THEN obj_description(format('crm.%I', item.relation)::regclass, 'pg_class') IS NOT NULL
                ELSE (SELECT col_description(a.attrelid, a.attnum) IS NOT NULL FROM pg_attribute a
                      WHERE a.attrelid = format('crm.%I', item.relation)::regclass AND a.attname = item.name)
            END;
            EXECUTE item.statement;
            CONTINUE;
        ELSE
            EXECUTE item.statement;
            made := made || coalesce(item.name, '');
            CONTINUE WHEN is_there IS NULL;
        END IF;
        created := created + 1;
        FOR column_number IN 1 .. cardinality(item.comments) LOOP
            CONTINUE WHEN item.comments[column_number] IS NULL;
            EXECUTE format('COMMENT ON COLUMN crm.%I.%I IS %L',
                           item.name, item.columns[column_number], item.comments[column_number]);
        END LOOP;
        INSERT INTO crm.schema_object AS o (kind, relation, name, statement)
        VALUES (item.kind, coalesce(item.relation, item.name), item.name, item.statement)
        ON CONFLICT (kind, relation, name) DO UPDATE SET statement = excluded.statement, created_at = now();
    END LOOP;
END
$$;
COMMENT ON FUNCTION crm.converge(integer) IS 'Makes the tables, columns, indexes, triggers and views that are missing, and replaces views and triggers of an older version that nobody changed. Gives the number of objects made, and those kept because the user changed them. Used by crm.install() and crm.upgrade().';
CREATE OR REPLACE FUNCTION crm.install(roles boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    installed text;
    outcome record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('crm.install'));
    PERFORM crm.require_own_schema();
    installed := crm.installed_version();
    IF installed <> crm.code_version() THEN
        RAISE EXCEPTION 'the tables of crm are of version %, the code is of version %', installed, crm.code_version()
            USING ERRCODE = 'RM011', HINT = 'Run SELECT crm.upgrade().';
    END IF;
    SELECT * INTO outcome FROM crm.converge();
    IF installed IS NULL THEN
        INSERT INTO crm.installation (version) VALUES (crm.code_version());
    END IF;
    PERFORM crm.after_install();
    IF roles THEN
        PERFORM crm.create_roles();
    END IF;
    RETURN CASE
        WHEN installed IS NULL THEN format('crm %s installed: %s objects', crm.code_version(), outcome.created)
        WHEN outcome.created = 0 THEN format('crm %s is complete', crm.code_version())
        ELSE format('crm %s repaired: %s objects', crm.code_version(), outcome.created)
    END || CASE WHEN outcome.kept <> '{}' THEN '; kept as you changed them: ' || array_to_string(outcome.kept, ', ') ELSE '' END;
END
$$;
COMMENT ON FUNCTION crm.install(boolean) IS 'Makes the tables, indexes, triggers, views and first rows of crm in schema crm as ordinary objects of the calling role; run again, it makes what is missing (the repair command). With roles => true also the roles crm_admin, crm_manager, crm_agent, crm_marketer, crm_analyst, crm_gateway and crm_portal with their rights. Says what it did. Errors: 42501 not the owner, or roles are missing and the caller may not create them; RM011 older tables, run crm.upgrade(); 55000 inside an extension script.';
CREATE OR REPLACE FUNCTION crm.upgrade() RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    installed text;
    migration record;
    outcome record;
    steps integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('crm.install'));
    PERFORM crm.require_own_schema();
    installed := crm.installed_version();
    IF installed IS NULL THEN
        RAISE EXCEPTION 'the tables of crm are not installed in this database'
            USING ERRCODE = 'RM010', HINT = 'Run SELECT crm.install().';
    END IF;
    IF string_to_array(installed, '.')::integer[] > string_to_array(crm.code_version(), '.')::integer[] THEN
        RAISE EXCEPTION 'the tables of crm are of version %, newer than the code, version %', installed, crm.code_version()
            USING ERRCODE = 'RM011', HINT = 'Install the newer package and run ALTER EXTENSION crm UPDATE.';
    END IF;
    -- A migration is named after the version it leads to.
    FOR migration IN
        SELECT f.name, s.statement FROM crm.schema_source() f, crm.schema_statements(f.source) s
        WHERE f.kind = 'migration'
          AND string_to_array(f.name, '.')::integer[] > string_to_array(installed, '.')::integer[]
        ORDER BY string_to_array(f.name, '.')::integer[], s."position"
    LOOP
        EXECUTE migration.statement;
        steps := steps + 1;
    END LOOP;
    SELECT * INTO outcome FROM crm.converge();
    PERFORM crm.after_install();
    IF installed <> crm.code_version() THEN
        UPDATE crm.installation SET version = crm.code_version(), upgraded_at = now();
    END IF;
    -- Roles that have rights on what was there get theirs on what is new.
    IF EXISTS (SELECT FROM pg_roles r WHERE r.rolname = 'crm_admin' AND has_table_privilege(r.oid, 'crm.contact', 'INSERT')) THEN
        PERFORM crm.create_roles();
    END IF;
    RETURN CASE
        WHEN installed = crm.code_version() AND outcome.created = 0 THEN format('crm %s is up to date', installed)
        ELSE format('crm upgraded from %s to %s: %s objects, %s migration steps', installed, crm.code_version(), outcome.created, steps)
    END || CASE WHEN outcome.kept <> '{}' THEN '; kept as you changed them: ' || array_to_string(outcome.kept, ', ') ELSE '' END;
END
$$;
COMMENT ON FUNCTION crm.upgrade() IS 'After ALTER EXTENSION crm UPDATE: brings the tables, triggers and views to the version of the code. Columns, indexes, policies, rows and replaced views of the user are kept. Where crm.create_roles() has given the roles their rights, they get those on what is new. Errors: RM010 not installed; RM011 tables newer than the code; 42501 not the owner.';
CREATE OR REPLACE FUNCTION crm.uninstall(confirm text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning AS $$
DECLARE
    item text;
    removed integer;
    outside text;               -- what is left in another database
    rest text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('crm.install'));
    PERFORM crm.require_own_schema();
    IF confirm IS DISTINCT FROM current_database() THEN
        RAISE EXCEPTION 'crm.uninstall() removes every contact, deal and record of crm from database "%"', current_database()
            USING ERRCODE = 'RM012',
                  HINT = format('To do that: SELECT crm.uninstall(confirm => %L).', current_database());
    END IF;
    IF to_regclass('crm.schema_object') IS NULL THEN
        RETURN 'crm is not installed';
    END IF;
    outside := crm.before_uninstall();
    SELECT count(*) INTO removed FROM crm.schema_object o
    WHERE crm.object_exists(o.kind, o.relation, o.name);
    -- Without CASCADE: what the user built on ours is the user's to remove.
    FOREACH item IN ARRAY (
        SELECT array_agg(format('DROP %s %s', d.kind, d.names) ORDER BY d.position)
        FROM (SELECT k.position, k.kind, string_agg(format('crm.%I', o.name), ', ') AS names
              FROM (VALUES (1, 'view'), (2, 'table'), (3, 'function'), (4, 'sequence')) k (position, kind)
              JOIN crm.schema_object o ON o.kind = k.kind AND crm.object_exists(o.kind, o.relation, o.name)
              GROUP BY k.position, k.kind) d)
    LOOP
        EXECUTE item;
    END LOOP;
    SELECT string_agg(format('crm.%I', relname), ', ') INTO rest
    FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind IN ('r', 'v', 'm', 'S', 'p', 'f')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_class.oid AND d.deptype = 'e');
    RETURN format('crm uninstalled: %s objects removed', removed)
        || coalesce('; left, as they are not ours: ' || rest, '')
        || CASE WHEN outside LIKE 'SELECT %' THEN '; left in pg_cron: ' || outside ELSE '' END
        || '. To remove the code as well: DROP EXTENSION crm';
END
$$;
COMMENT ON FUNCTION crm.uninstall(text) IS 'Removes all tables, views and rows of crm when confirm is the name of the current database; otherwise refuses with RM012. Refuses (2BP01) while objects of the user depend on them. The roles of crm.install(roles => true) stay: other databases may use them. Afterwards DROP EXTENSION crm removes the code.';
CREATE OR REPLACE FUNCTION crm.import_targets(entity text, OUT target text, OUT kind text, OUT synonyms text, OUT description text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 30
SET standard_conforming_strings = on
SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.target, t.kind, t.synonyms, t.description FROM (VALUES
        ('contact', 'external_id', 'external', '^(id|(?!(.*_)?(tax|vat|e?mail|phone|mobile|branch|owner|agent|manager|company|account|organi[sz]ation|parent|city|country|region|group|status|type|source|campaign|product|deal|order)_id$).*_id|uuid|guid|(client|customer|contact) ?(id|no|number)|код|номер клиента|ид)$', 'number in the source system; rows with a known number update that contact'),
        ('contact', 'name', 'name', '^(name|full[ _]?name|contact([ _]name)?|client|customer|person|фио|ф\.и\.о\.?|имя и фамилия|клиент|контакт|контактное лицо|director|executive director)$', 'full name, taken apart'),
        ('contact', 'given_name', 'text', '^(given|first|fore)[ _]?name$|^имя$', 'given name'),
        ('contact', 'middle_name', 'text', '^middle[ _]?name$|^отчество$', 'middle name, patronymic'),
        ('contact', 'family_name', 'text', '^(family|last|sur) ?_?name$|^фамилия$', 'family name'),
        ('contact', 'title', 'text', '^(title|salutation|обращение)$', 'title'),
        ('contact', 'suffix', 'text', '^suffix$', 'suffix'),
        ('contact', 'gender', 'gender', '^(gender|sex|пол)$', 'm or f, also male, female, м, ж'),
        ('contact', 'birth_date', 'birth', 'birth|^dob$|рожд', 'date of birth'),
        ('contact', 'email', 'point', 'e-?mail|почта|электронной почты', 'e-mail address'),
        ('contact', 'phone', 'point', 'phone|mobile|^tel|телефон|моб', 'phone number'),
        ('contact', 'address', 'point', '^((street|postal|mailing|home) )?address|^street$|^(почтовый |домашний )?адрес(?! эл)|^улица$', 'postal address'),
        ('contact', 'company', 'company', '^(company|organi[sz]ation|account|employer|компания|организация|фирма)', 'name of the company'),
        ('contact', 'job_title', 'text', '^(job|position|role|должность)', 'position at work'),
        ('contact', 'city', 'text', '^(city|town|suburb|город)', 'city'),
        ('contact', 'country', 'country', '^(country|страна)', 'country, two letters'),
        ('contact', 'locale', 'text', '^(locale|language|язык)', 'language'),
        ('contact', 'time_zone', 'time_zone', '^(time ?_?zone|часовой)', 'IANA time zone'),
        ('contact', 'tax_id', 'tax_id', '^(inn|инн|tax)', 'tax number'),
        ('contact', 'lifecycle_stage', 'choice:lead,customer,repeat,loyal,closed_cycle', '^lifecycle', 'lifecycle stage'),
        ('contact', 'kind', 'text', '^kind$', 'audience'),
        ('contact', 'source', 'text', '^(source|источник|канал)', 'where the contact came from'),
        ('contact', 'tags', 'tags', '^(tags?|labels?|теги|метки)', 'tags, separated by comma or semicolon'),
        ('company', 'external_id', 'external', '^(id|(?!(.*_)?(tax|vat|e?mail|phone|mobile|registration|branch|owner|agent|manager|parent|city|country|region|group|status|type|source|industry|campaign|product|deal|order)_id$).*_id|uuid|guid|код)$', 'number in the source system'),
        ('company', 'name', 'text', '^(name|company( name)?|organi[sz]ation|account( name)?|site name|agency|название|наименование|компания|организация)$', 'name'),
        ('company', 'legal_name', 'text', '^(legal|full) ?_?name|полное наименование|юридическое', 'legal name'),
        ('company', 'kind', 'choice:customer,partner,supplier,dealer,competitor,other', '^kind$', 'customer, partner, supplier, dealer, competitor or other'),
        ('company', 'tax_id', 'tax_id', '^(inn|инн|vat|tax)', 'tax number'),
        ('company', 'registration_id', 'tax_id', '^(ogrn|огрн|registration)', 'registry number'),
        ('company', 'lei', 'tax_id', '^lei$', 'Legal Entity Identifier'),
        ('company', 'industry', 'text', '^(industry|sector|отрасль)', 'industry'),
        ('company', 'website', 'text', '^(web|site$|url|сайт)', 'web address'),
        ('company', 'employees', 'integer', '^(employees|staff|headcount|сотрудник)', 'number of employees'),
        ('company', 'annual_revenue', 'number', '^(annual[ _])?(revenue|turnover|выручка|оборот)', 'revenue a year'),
        ('company', 'currency', 'currency', '^(currency|валюта)', 'currency of the revenue'),
        ('company', 'founded_on', 'date', '^(founded|established|дата основания)', 'when founded'),
        ('company', 'country', 'country', '^(country|страна)', 'country, two letters'),
        ('company', 'city', 'text', '^(city|town|город)', 'city'),
        ('company', 'postal_code', 'text', '^(zip|post(al)?[ _]?code|plz$|(почтовый )?индекс)', 'postal code'),
        ('company', 'address', 'text', '^((street|postal|mailing|legal) )?address|^street$|^(почтовый |юридический |фактический )?адрес(?! эл)|^улица$', 'street address'),
        ('company', 'email', 'point', 'e-?mail|почта|электронной почты', 'e-mail address'),
        ('company', 'phone', 'point', 'phone|^fax$|^tel|телефон|факс', 'phone number'),
        ('company', 'source', 'text', '^(source|источник)', 'where the company came from')
    ) AS t (entity, target, kind, synonyms, description)
    WHERE t.entity = import_targets.entity
$$;
COMMENT ON FUNCTION crm.import_targets(text) IS 'What a column of an import can be mapped to: target; kind (text, date, birth, number, integer, gender, country, currency, time_zone, tax_id, choice:..., point, company, tags, external, name); the headers by which it is guessed, a regular expression; what it means. Besides these: attrs.<name> for a custom field, ignore for nothing.';
CREATE OR REPLACE FUNCTION crm.create_import(name text, columns text[], entity text DEFAULT 'contact', source text DEFAULT 'import') RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    new_id bigint;
    headers text[];
BEGIN
    PERFORM crm.require_installed();
    IF entity IS NULL OR NOT entity IN ('contact', 'company') THEN
        RAISE EXCEPTION 'unknown entity "%"', entity
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Use contact or company.';
    END IF;
    IF coalesce(cardinality(columns), 0) = 0 THEN
        RAISE EXCEPTION 'import "%" has no columns', name
            USING ERRCODE = 'invalid_parameter_value', HINT = 'The first row must hold the names of the columns.';
    END IF;
    -- A header may be empty or stand twice: give it a name of its own.
    SELECT array_agg(CASE WHEN n = 1 THEN h ELSE h || ' ' || n END ORDER BY ord) INTO headers
    FROM (SELECT h, ord, row_number() OVER (PARTITION BY lower(h) ORDER BY ord) AS n
          FROM (SELECT coalesce(nullif(btrim(c), ''), 'column ' || i) AS h, i AS ord
                FROM unnest(columns) WITH ORDINALITY AS u (c, i)) named) numbered;
    INSERT INTO crm.import_batch (name, entity, source, columns)
    VALUES (create_import.name, create_import.entity, create_import.source, headers)
    RETURNING id INTO new_id;
    UPDATE crm.import_batch b SET mapping = crm.guess_mapping(b.columns, b.entity) WHERE b.id = new_id;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION crm.create_import(text, text[], text, text) IS 'Makes an import batch for rows with the given columns and returns its id; the column mapping is guessed from the headers. Rows are then inserted into crm.import_row, or use crm.import_csv(), crm.import_table(), crm.import_json(). Errors: 22023 unknown entity, no columns.';
CREATE OR REPLACE FUNCTION crm.guess_mapping(columns text[], entity text) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    WITH guess AS (
        SELECT u.header, u.n, t.target, t.kind,
               row_number() OVER (PARTITION BY u.n ORDER BY t.position) AS first_target
        FROM unnest(columns) WITH ORDINALITY AS u (header, n)
        JOIN (SELECT i.*, row_number() OVER () AS position FROM crm.import_targets(entity) i) t
          ON lower(btrim(u.header) COLLATE "und-x-icu") ~ t.synonyms
         -- The number of something is not its name.
         AND (t.kind IN ('external', 'tax_id', 'point') OR lower(btrim(u.header)) !~ '_id$')
    ), one AS (
        -- Only points and tags may come from several columns.
        SELECT g.header, g.n, g.target,
               g.kind IN ('point', 'tags') OR row_number() OVER (PARTITION BY g.target ORDER BY g.kind = 'external' AND lower(btrim(g.header)) <> 'id', g.n) = 1 AS taken
        FROM guess g WHERE g.first_target = 1
    )
    SELECT coalesce(jsonb_object_agg(u.header, coalesce(o.target, 'ignore')), '{}')
    FROM unnest(columns) WITH ORDINALITY AS u (header, n)
    LEFT JOIN one o ON o.n = u.n AND o.taken
$$;
COMMENT ON FUNCTION crm.guess_mapping(text[], text) IS 'The column mapping that the headers suggest, {"header": "target"}, by the expressions of crm.import_targets(); "ignore" for what is not recognised.';
CREATE OR REPLACE FUNCTION crm.import_csv(name text, content text, entity text DEFAULT 'contact', source text DEFAULT 'import', delimiter text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    new_id bigint;
    header text[];
    broken record;
    staged bigint;
BEGIN
    CREATE TEMPORARY TABLE IF NOT EXISTS crm_csv (n bigint GENERATED ALWAYS AS IDENTITY, line bigint, fields text[]) ON COMMIT DROP;
    TRUNCATE pg_temp.crm_csv RESTART IDENTITY;
    INSERT INTO pg_temp.crm_csv (line, fields) SELECT r.line, r.fields FROM crm.csv_rows(content, delimiter) r;
    SELECT c.fields INTO header FROM pg_temp.crm_csv c ORDER BY c.n LIMIT 1;
    IF header IS NULL THEN
        RAISE EXCEPTION 'import "%" is empty', name
            USING ERRCODE = 'bad_copy_file_format', HINT = 'The first line must hold the names of the columns.';
    END IF;
    SELECT c.line, cardinality(c.fields) AS fields INTO broken
    FROM pg_temp.crm_csv c WHERE array_to_string(c.fields[cardinality(header) + 1:], '') <> '' ORDER BY c.n LIMIT 1;
    -- A few such rows are set aside when the batch is applied; of many the
    -- delimiter is to blame.
    IF FOUND AND (SELECT count(*) FILTER (WHERE array_to_string(c.fields[cardinality(header) + 1:], '') <> '') * 2 > count(*) - 1 FROM pg_temp.crm_csv c) THEN
        RAISE EXCEPTION 'line % of import "%" has % fields, the header has %', broken.line, name, broken.fields, cardinality(header)
            USING ERRCODE = 'bad_copy_file_format', HINT = 'Check the delimiter and the quotes of that line.';
    END IF;
    new_id := crm.create_import(name, header, entity, source);
    INSERT INTO crm.import_row (batch_id, row_number, line, fields)
    SELECT new_id, c.n - 1, c.line,
           CASE WHEN cardinality(c.fields) >= cardinality(header) THEN c.fields
                ELSE c.fields || array_fill(NULL::text, ARRAY[cardinality(header) - cardinality(c.fields)]) END
    FROM pg_temp.crm_csv c WHERE c.n > 1;
    GET DIAGNOSTICS staged = ROW_COUNT;
    UPDATE crm.import_batch SET rows = staged WHERE id = new_id;
    DROP TABLE pg_temp.crm_csv;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION crm.import_csv(text, text, text, text, text) IS 'Stages the rows of a CSV text, the first line being the header; a row with too few fields gets empty ones, one with too many is rejected when the batch is applied (ROW_TOO_LONG). Without a delimiter the likeliest is taken. Returns the id of the batch for crm.import_apply(). Errors: 22P04 empty, more fields than the header in most rows, a quoted field that does not end; 54000 more than 1600 columns or a field over 1 MB.';
CREATE OR REPLACE FUNCTION crm.import_csv(name text, content bytea, entity text DEFAULT 'contact', source text DEFAULT 'import', delimiter text DEFAULT NULL, encoding text DEFAULT 'UTF8') RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    decoded text;
BEGIN
    BEGIN
        decoded := convert_from(content, encoding);
    EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
        RAISE EXCEPTION 'import "%" is not in encoding %: %', name, encoding, SQLERRM
            USING ERRCODE = 'character_not_in_repertoire',
                  HINT = 'Name the encoding of the file, for example encoding => ''WIN1251''.';
    END;
    RETURN crm.import_csv(name, decoded, entity, source, delimiter);
END
$$;
COMMENT ON FUNCTION crm.import_csv(text, bytea, text, text, text, text) IS 'The same for a file''s bytes, of an encoding that is named. Errors: 22021 the bytes are not of that encoding, and those of the other form.';
CREATE OR REPLACE FUNCTION crm.import_json(name text, content jsonb, entity text DEFAULT 'contact', source text DEFAULT 'import') RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    header text[];
    new_id bigint;
    staged bigint;
BEGIN
    IF content IS NULL OR jsonb_typeof(content) <> 'array' OR EXISTS (SELECT FROM jsonb_array_elements(content) e WHERE jsonb_typeof(e) <> 'object') THEN
        RAISE EXCEPTION 'import "%" must be a JSON array of objects', name USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT array_agg(k ORDER BY first) INTO header
    FROM (SELECT k, min(n) AS first FROM jsonb_array_elements(content) WITH ORDINALITY AS a (e, n), jsonb_object_keys(e) k GROUP BY k) keys;
    new_id := crm.create_import(name, header, entity, source);
    INSERT INTO crm.import_row (batch_id, row_number, fields)
    SELECT new_id, a.n, (SELECT array_agg(a.e ->> h ORDER BY i) FROM unnest(header) WITH ORDINALITY AS u (h, i))
    FROM jsonb_array_elements(content) WITH ORDINALITY AS a (e, n);
    GET DIAGNOSTICS staged = ROW_COUNT;
    UPDATE crm.import_batch SET rows = staged WHERE id = new_id;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION crm.import_json(text, jsonb, text, text) IS 'Stages an array of flat JSON objects; the keys are the columns. Returns the id of the batch. Errors: 22023 not an array of objects.';
CREATE OR REPLACE FUNCTION crm.import_table(name text, relation regclass, entity text DEFAULT 'contact', source text DEFAULT 'import') RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    header text[];
    new_id bigint;
    staged bigint;
BEGIN
    SELECT array_agg(attname::text ORDER BY attnum) INTO header
    FROM pg_attribute WHERE attrelid = relation AND attnum > 0 AND NOT attisdropped;
    new_id := crm.create_import(name, header, entity, source);
    EXECUTE format('INSERT INTO crm.import_row (batch_id, row_number, fields) SELECT $1, row_number() OVER (), ARRAY[%s] FROM %s',
                   (SELECT string_agg(format('nullif(%I::text, '''')', h), ', ' ORDER BY i) FROM unnest(header) WITH ORDINALITY AS u (h, i)), relation)
    USING new_id;
    GET DIAGNOSTICS staged = ROW_COUNT;
    UPDATE crm.import_batch SET rows = staged WHERE id = new_id;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION crm.import_table(text, regclass, text, text) IS 'Stages the rows of a table or view, for example one that COPY filled; its columns are the headers. The fastest way for millions of rows. Returns the id of the batch.';
CREATE OR REPLACE FUNCTION crm.import_reader(kind text, field text, options jsonb, OUT reader text, OUT checker text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET standard_conforming_strings = on
SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE split_part(kind, ':', 1)
               WHEN 'birth' THEN format('CASE WHEN crm.try_date(%1$s, %2$L) BETWEEN ''1850-01-02'' AND current_date THEN crm.try_date(%1$s, %2$L) END', field, coalesce(options ->> 'date_order', 'dmy'))
               WHEN 'choice' THEN format('CASE WHEN lower(%1$s) = ANY (string_to_array(%2$L, '','')) THEN lower(%1$s) END', field, split_part(kind, ':', 2))
               WHEN 'currency' THEN format('CASE WHEN upper(%1$s) ~ ''^[A-Z]{3}$'' THEN upper(%1$s) END', field)
               WHEN 'time_zone' THEN format('CASE WHEN crm.is_time_zone(%1$s) THEN %1$s END', field)
               WHEN 'date' THEN format('crm.try_date(%s, %L)', field, coalesce(options ->> 'date_order', 'dmy'))
               WHEN 'number' THEN format('crm.try_number(%s)', field)
               WHEN 'integer' THEN format('CASE WHEN crm.try_number(%1$s) = trunc(crm.try_number(%1$s)) AND abs(crm.try_number(%1$s)) < 2147483648 THEN crm.try_number(%1$s)::integer END', field)
               WHEN 'gender' THEN format('CASE WHEN lower(%1$s) ~ ''^(m|male|man|м|муж|мужской|mr)\.?$'' THEN ''m'' WHEN lower(%1$s) ~ ''^(f|female|woman|w|ж|жен|женский|mrs|ms)\.?$'' THEN ''f'' END', field)
               WHEN 'country' THEN format('coalesce(crm.country_code_by_name(%1$s), CASE WHEN upper(%1$s) ~ ''^[A-Z]{2}$'' THEN upper(%1$s) END)', field)
               WHEN 'tax_id' THEN format('CASE WHEN crm.tax_key(%1$s) IS NOT NULL THEN %1$s END', field)
               ELSE field
           END,
           CASE split_part(kind, ':', 1)
               WHEN 'birth' THEN format('CASE WHEN (crm.check_date(%1$s, %2$L)).ok THEN crm.refused(''DATE_OUT_OF_RANGE'', ''Nobody living was born then.'', ''Check the year.'') ELSE crm.check_date(%1$s, %2$L) END', field, coalesce(options ->> 'date_order', 'dmy'))
               WHEN 'choice' THEN format('crm.refused(''VALUE_NOT_LISTED'', %L, ''Use one of them, or leave it empty.'')', 'The value is none of ' || replace(split_part(kind, ':', 2), ',', ', ') || '.')
               WHEN 'currency' THEN 'crm.refused(''CURRENCY_UNKNOWN'', ''The value is not a currency code.'', ''Write the three letters of ISO 4217.'')'
               WHEN 'time_zone' THEN 'crm.refused(''TIME_ZONE_UNKNOWN'', ''The value is not a time zone.'', ''Use an IANA name such as Europe/Moscow.'')'
               WHEN 'date' THEN format('crm.check_date(%s, %L)', field, coalesce(options ->> 'date_order', 'dmy'))
               WHEN 'number' THEN format('crm.check_number(%s)', field)
               WHEN 'integer' THEN format('crm.refused(''NUMBER_NOT_INTEGER'', ''The value is not a whole number.'', ''Write digits only.'')')
               WHEN 'gender' THEN 'crm.refused(''GENDER_UNKNOWN'', ''The value is neither male nor female.'', ''Write m or f, or leave it empty.'')'
               WHEN 'country' THEN 'crm.refused(''COUNTRY_UNKNOWN'', ''The value is not a country.'', ''Write the two letters of ISO 3166-1.'')'
               WHEN 'tax_id' THEN format('crm.check_tax_id(%s)', field)
           END
$$;
COMMENT ON FUNCTION crm.import_reader(text, text, jsonb) IS 'For a kind of import target: the SQL expression that reads a field, null when it cannot, and the one that tells why.';
CREATE OR REPLACE FUNCTION crm.refused(code text, message text, hint text) RETURNS crm.check_result
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT ROW(false, 'bad', NULL, code, message, hint, NULL)::crm.check_result
$$;
COMMENT ON FUNCTION crm.refused(text, text, text) IS 'A verdict that refuses.';
CREATE OR REPLACE FUNCTION crm.country_code_by_name(name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.code FROM (VALUES
        ('RU', '{russia,russian federation,россия,рф,российская федерация}'::text[]), ('US', '{united states,united states of america,usa,u.s.a.,сша}'),
        ('GB', '{united kingdom,great britain,uk,england,великобритания,англия}'), ('DE', '{germany,deutschland,германия}'), ('FR', '{france,франция}'),
        ('IT', '{italy,italia,италия}'), ('ES', '{spain,españa,испания}'), ('PT', '{portugal,португалия}'), ('NL', '{netherlands,the netherlands,holland,нидерланды}'),
        ('BE', '{belgium,бельгия}'), ('AT', '{austria,österreich,австрия}'), ('CH', '{switzerland,schweiz,швейцария}'), ('PL', '{poland,polska,polland,польша}'),
        ('CZ', '{czechia,czech republic,чехия}'), ('SK', '{slovakia,словакия}'), ('HU', '{hungary,венгрия}'), ('RO', '{romania,румыния}'), ('BG', '{bulgaria,болгария}'),
        ('GR', '{greece,греция}'), ('TR', '{turkey,türkiye,турция}'), ('UA', '{ukraine,украина}'), ('BY', '{belarus,беларусь,белоруссия}'), ('KZ', '{kazakhstan,казахстан}'),
        ('UZ', '{uzbekistan,узбекистан}'), ('KG', '{kyrgyzstan,киргизия,кыргызстан}'), ('AM', '{armenia,армения}'), ('GE', '{georgia,грузия}'), ('AZ', '{azerbaijan,азербайджан}'),
        ('MD', '{moldova,молдова,молдавия}'), ('LT', '{lithuania,литва}'), ('LV', '{latvia,латвия}'), ('EE', '{estonia,эстония}'), ('FI', '{finland,финляндия}'),
        ('SE', '{sweden,швеция}'), ('NO', '{norway,norge,норвегия}'), ('DK', '{denmark,дания}'), ('IE', '{ireland,eire,ирландия}'), ('CN', '{china,китай}'), ('JP', '{japan,япония}'),
        ('KR', '{korea,south korea,republic of korea,корея}'), ('IN', '{india,индия}'), ('BR', '{brazil,brasil,бразилия}'), ('MX', '{mexico,méxico,мексика}'),
        ('CA', '{canada,канада}'), ('AU', '{australia,австралия}'), ('NZ', '{new zealand,новая зеландия}'), ('KE', '{kenya,кения}'), ('PH', '{philipines,philippines,филиппины}'),
        ('JO', '{jordan,иордания}'), ('IL', '{israel,израиль}'), ('AE', '{united arab emirates,uae,оаэ}'), ('SA', '{saudi arabia,саудовская аравия}'), ('EG', '{egypt,египет}'),
        ('ZA', '{south africa,rsa,юар}'), ('PA', '{panama,панама}'), ('AR', '{argentina,аргентина}'), ('CL', '{chile,чили}'), ('CO', '{colombia,колумбия}'), ('VN', '{vietnam,вьетнам}'),
        ('TH', '{thailand,таиланд}'), ('ID', '{indonesia,индонезия}'), ('SG', '{singapore,сингапур}'), ('MY', '{malaysia,малайзия}'), ('RS', '{serbia,сербия}'),
        ('CY', '{cyprus,кипр}'), ('MT', '{malta,мальта}'), ('IS', '{iceland,исландия}'), ('LU', '{luxembourg,люксембург}'), ('HR', '{croatia,хорватия}'), ('SI', '{slovenia,словения}'),
        ('MC', '{monaco,монако}'), ('LI', '{liechtenstein,лихтенштейн}'), ('AD', '{andorra,андорра}'), ('AL', '{albania,албания}'), ('MK', '{north macedonia,macedonia,северная македония,македония}'),
        ('BA', '{bosnia and herzegovina,bosnia,босния и герцеговина}'), ('ME', '{montenegro,черногория}'), ('BH', '{bahrain,бахрейн}'), ('LB', '{lebanon,ливан}'), ('QA', '{qatar,катар}'),
        ('KW', '{kuwait,кувейт}'), ('OM', '{oman,оман}'), ('IR', '{iran,иран}'), ('IQ', '{iraq,ирак}'), ('SY', '{syria,сирия}'), ('PK', '{pakistan,пакистан}'), ('BD', '{bangladesh,бангладеш}'),
        ('LK', '{sri lanka,шри-ланка}'), ('NP', '{nepal,непал}'), ('MN', '{mongolia,монголия}'), ('TJ', '{tajikistan,таджикистан}'), ('TM', '{turkmenistan,туркменистан,туркмения}'),
        ('HK', '{hong kong,гонконг}'), ('TW', '{taiwan,тайвань}'), ('KH', '{cambodia,камбоджа}'), ('MM', '{myanmar,burma,мьянма}'), ('LA', '{laos,лаос}'), ('MA', '{morocco,марокко}'), ('DZ', '{algeria,алжир}'),
        ('TN', '{tunisia,тунис}'), ('NG', '{nigeria,нигерия}'), ('GH', '{ghana,гана}'), ('ET', '{ethiopia,эфиопия}'), ('TZ', '{tanzania,танзания}'), ('UG', '{uganda,уганда}'), ('ZW', '{zimbabwe,зимбабве}'),
        ('CU', '{cuba,куба}'), ('PE', '{peru,перу}'), ('VE', '{venezuela,венесуэла}'), ('EC', '{ecuador,эквадор}'), ('BO', '{bolivia,боливия}'), ('UY', '{uruguay,уругвай}'), ('PY', '{paraguay,парагвай}'),
        ('CR', '{costa rica,коста-рика}'), ('GT', '{guatemala,гватемала}'), ('DO', '{dominican republic,доминиканская республика}'), ('JM', '{jamaica,ямайка}')
    ) AS c (code, names)
    WHERE lower(btrim(name)) = ANY (c.names)
$$;
COMMENT ON FUNCTION crm.country_code_by_name(text) IS 'The two letters of ISO 3166-1 for a common English or Russian name of a country; null when not known.';
CREATE OR REPLACE FUNCTION crm.contact_identity_key(given text, family text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 5 AS $$
    SELECT coalesce(crm.name_key(coalesce(family OPERATOR(pg_catalog.||) ' ', '') OPERATOR(pg_catalog.||) coalesce(given, '')), '')
$$;
COMMENT ON FUNCTION crm.contact_identity_key(text, text) IS 'The key of family and given name under which an import knows a person again, together with an address, number or birth date.';
CREATE OR REPLACE FUNCTION crm.same_name(known text, given text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 5
SET search_path = pg_catalog, pg_temp AS $$
    -- In another script or romanisation it says nothing new; in other capitals
    -- it may be a correction.
    SELECT coalesce(crm.name_key(known) = crm.name_key(given) AND (lower(known) <> lower(given) OR known = given), false)
$$;
COMMENT ON FUNCTION crm.same_name(text, text) IS 'Whether a name says nothing that is not known: its key is the same, and it is not the same word in other capitals. An import leaves such a name as it is.';
CREATE OR REPLACE FUNCTION crm.lock_companies(many boolean) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF many THEN
        PERFORM pg_advisory_xact_lock(hashtext('crm.company')::bigint);
    ELSE
        PERFORM pg_advisory_xact_lock_shared(hashtext('crm.company')::bigint);
    END IF;
END
$$;
COMMENT ON FUNCTION crm.lock_companies(boolean) IS 'Taken until the end of the transaction by whoever looks for companies by name to make those that are missing: alone by a load (many), together by those that make one and lock its name besides.';
CREATE OR REPLACE FUNCTION crm.import_plan(batch_id bigint, OUT header text, OUT n integer, OUT target text, OUT kind text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    batch crm.import_batch;
    bad record;
BEGIN
    SELECT * INTO batch FROM crm.import_batch b WHERE b.id = import_plan.batch_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no import batch %', batch_id USING ERRCODE = 'no_data_found';
    END IF;
    SELECT m.key, m.value INTO bad
    FROM jsonb_each_text(batch.mapping) m
    WHERE NOT m.key = ANY (batch.columns) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'import % has no column "%"', batch_id, bad.key
            USING ERRCODE = 'undefined_column', HINT = format('It has: %s.', array_to_string(batch.columns, ', '));
    END IF;
    SELECT m.key, m.value INTO bad
    FROM jsonb_each_text(batch.mapping) m
    LEFT JOIN crm.import_targets(batch.entity) t ON t.target = m.value
    LEFT JOIN crm.custom_field f ON f.entity = batch.entity AND 'attrs.' || f.name = m.value
    WHERE t.target IS NULL AND f.name IS NULL AND m.value <> 'ignore' LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'column "%" of import % is mapped to unknown target "%"', bad.key, batch_id, bad.value
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = CASE WHEN bad.value LIKE 'attrs.%'
                      THEN format('Define the field first: SELECT crm.define_field(%L, %L, ''text'').', batch.entity, substr(bad.value, 7))
                      ELSE format('crm.import_targets(%L) lists the targets.', batch.entity) END;
    END IF;
    SELECT m.value INTO bad FROM jsonb_each_text(batch.mapping) m JOIN crm.import_targets(batch.entity) t ON t.target = m.value
    WHERE t.kind NOT IN ('point', 'tags') GROUP BY m.value HAVING count(*) > 1 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'two columns of import % are mapped to "%"', batch_id, bad.value
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Only email, phone, address and tags may come from several columns; map the other to ignore.';
    END IF;
    RETURN QUERY
    SELECT u.h, u.i::integer, coalesce(t.target, m.value),
           coalesce(t.kind, 'attr:' || CASE WHEN f.type IN ('number', 'integer', 'date') THEN f.type ELSE 'text' END)
    FROM unnest(batch.columns) WITH ORDINALITY AS u (h, i)
    JOIN LATERAL (SELECT batch.mapping ->> u.h AS value) m ON m.value <> 'ignore'
    LEFT JOIN crm.import_targets(batch.entity) t ON t.target = m.value
    LEFT JOIN crm.custom_field f ON f.entity = batch.entity AND 'attrs.' || f.name = m.value
    ORDER BY u.i;
END
$$;
COMMENT ON FUNCTION crm.import_plan(bigint) IS 'Which column of a batch goes where: header, number, target, kind. Errors: P0002 no such batch; 42703 the mapping names a column that is not there; 22023 an unknown target, or two columns for a target that takes one.';
CREATE OR REPLACE FUNCTION crm.import_chunk(batch_id bigint, first_row bigint, last_row bigint, OUT counts crm.import_counts)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
SET standard_conforming_strings = on
SET default_statistics_target = 10
SET client_min_messages = warning AS $$
#variable_conflict use_column
DECLARE
    batch crm.import_batch;
    options jsonb;
    e text;                     -- the entity: contact or company
    id_column text;             -- contact_id or company_id
    ref_table text;             -- where external numbers lie
    region_sql text;            -- region of a row's phone numbers
    part record;
    col record;
    column_list text := '';     -- "given_name, ..." that the mapping fills
    chunk_sql text := '';       -- their expressions
    problem_sql text := '';     -- SELECTs of what could not be read
    point_sql text := '';       -- VALUES of addresses and numbers
    tag_sql text := '';
    attr_sql text := '';
    name_field text;            -- expression of a full name
    external_field text;
    company_field text;
    set_sql text;               -- of an update
    before_sql text;
    changed_sql text;
    reject_all boolean;
    on_match text;
    name_columns CONSTANT text[] := ARRAY['given_name', 'middle_name', 'family_name', 'name'];
    max_rank integer;
    last_audit_id bigint;
    last_point_id bigint;
    k integer;
BEGIN
    SELECT * INTO STRICT batch FROM crm.import_batch b WHERE b.id = import_chunk.batch_id;
    options := batch.options;
    e := batch.entity;
    id_column := e || '_id';
    ref_table := CASE e WHEN 'contact' THEN 'external_ref' ELSE 'company_external_ref' END;
    reject_all := coalesce(options ->> 'bad_values', 'reject_row') = 'reject_row';
    on_match := coalesce(options ->> 'on_match', 'update');

    /* 1. Expressions from the mapping. */
    FOR part IN SELECT p.*, format('nullif(btrim(r.fields[%s]), '''')', p.n) AS field FROM crm.import_plan(batch_id) p LOOP
        IF part.kind = 'point' THEN
            point_sql := point_sql || format(', (%L, %L, %s, r.fields[%s])', part.target, part.header, part.n, part.n);
        ELSIF part.kind = 'tags' THEN
            tag_sql := tag_sql || ', ' || part.field;
        ELSIF part.kind = 'name' THEN
            name_field := part.field;
        ELSIF part.kind = 'external' THEN
            external_field := part.field;
        ELSIF part.kind = 'company' THEN
            company_field := part.field;
        ELSE
            SELECT * INTO col FROM crm.import_reader(replace(part.kind, 'attr:', ''), part.field, options);
            IF part.kind LIKE 'attr:%' THEN
                attr_sql := attr_sql || format(', %L, %s', substr(part.target, 7), col.reader);
            ELSE
                column_list := column_list || ', ' || quote_ident(part.target);
                chunk_sql := chunk_sql || format(', %s AS %I', col.reader, part.target);
            END IF;
            IF col.checker IS NOT NULL THEN
                problem_sql := problem_sql || format(
                    ' UNION ALL SELECT r.row_number, %L, %s, v.code, v.message, v.hint, v.suggestion FROM pg_temp.crm_chunk_row r CROSS JOIN LATERAL %s v WHERE %s IS NOT NULL AND %s IS NULL',
                    part.header, part.field, regexp_replace(col.checker, '^CASE.*$', '(SELECT (x).* FROM (SELECT \& AS x) y)'), part.field, col.reader);
            END IF;
        END IF;
    END LOOP;
    IF name_field IS NOT NULL THEN
        FOR col IN SELECT * FROM (VALUES ('title', 'title'), ('given_name', 'given'), ('middle_name', 'middle'),
                                         ('family_name', 'family'), ('suffix', 'suffix'), ('gender', 'gender')) v (name, part) LOOP
            CONTINUE WHEN column_list ~ format('\m%s\M', col.name);
            column_list := column_list || ', ' || col.name;
            chunk_sql := chunk_sql || format(', parsed.%I AS %I', col.part, col.name);
        END LOOP;
    END IF;
    IF attr_sql <> '' THEN
        column_list := column_list || ', attrs';
        chunk_sql := chunk_sql || format(', jsonb_strip_nulls(jsonb_build_object(%s)) AS attrs', substr(attr_sql, 3));
    END IF;
    IF column_list !~ '\msource\M' THEN
        column_list := column_list || ', source';
        chunk_sql := chunk_sql || format(', %L::text AS source', batch.source);
    END IF;
    -- Columns that later steps read whether the file has them or not.
    FOR col IN SELECT * FROM unnest(CASE e WHEN 'contact' THEN ARRAY['given_name', 'middle_name', 'family_name', 'country', 'birth_date']
                                        ELSE ARRAY['name', 'country', 'address', 'tax_id'] END) AS v (name) LOOP
        IF column_list !~ format('\m%s\M', col.name) THEN
            chunk_sql := chunk_sql || format(', NULL::%s AS %I', CASE col.name WHEN 'birth_date' THEN 'date' ELSE 'text' END, col.name);
        END IF;
    END LOOP;
    column_list := substr(column_list, 3);
    region_sql := format('coalesce(CASE WHEN crm.is_phone_region(c.country) THEN c.country END, %L, nullif(current_setting(''crm.default_region'', true), ''''))', options ->> 'region');

    /* 2. Read the rows. */
    DROP TABLE IF EXISTS pg_temp.crm_chunk_row, pg_temp.crm_chunk, pg_temp.crm_point, pg_temp.crm_problem, pg_temp.crm_match, pg_temp.crm_change;
    CREATE TEMPORARY TABLE crm_chunk_row ON COMMIT DROP AS
        SELECT r.row_number, r.fields FROM crm.import_row r
        WHERE r.batch_id = import_chunk.batch_id AND r.row_number BETWEEN first_row AND last_row;
    -- None has a result yet, but for what crm.import_fix() tries again.  Asked
    -- of the chunk alone: the statistics of these tables lag behind.
    DELETE FROM pg_temp.crm_chunk_row c
    USING (SELECT d.row_number FROM crm.import_result d
           WHERE d.batch_id = import_chunk.batch_id AND d.row_number BETWEEN first_row AND last_row) done
    WHERE done.row_number = c.row_number;
    ANALYZE pg_temp.crm_chunk_row;
    EXECUTE format('CREATE TEMPORARY TABLE crm_chunk ON COMMIT DROP AS SELECT r.row_number, %s::text AS external_id, %s::text AS company%s FROM pg_temp.crm_chunk_row r%s',
        coalesce(external_field, 'NULL'), coalesce(company_field, 'NULL'), chunk_sql,
        CASE WHEN name_field IS NOT NULL THEN format(' LEFT JOIN LATERAL crm.parse_name(%s) parsed ON true', name_field) ELSE '' END);
    EXECUTE format($sql$
        CREATE TEMPORARY TABLE crm_point ON COMMIT DROP AS
        SELECT v.row_number, v.kind, v.header, v.n, v.raw, v.region, v.email, v.phone,
               CASE v.kind WHEN 'email' THEN crm.match_key(v.email) WHEN 'phone' THEN crm.e164(crm.base(v.phone)) ELSE lower(v.raw) END COLLATE "C" AS key
        FROM (
            SELECT c.row_number, u.kind, u.header, u.n, btrim(u.raw) AS raw, CASE u.kind WHEN 'phone' THEN %1$s END AS region,
                   CASE u.kind WHEN 'email' THEN crm.try_email(u.raw) END AS email,
                   CASE WHEN u.kind <> 'phone' THEN NULL WHEN %1$s IS NULL THEN crm.try_phone(u.raw) ELSE crm.try_phone(u.raw, %1$s) END AS phone
            FROM pg_temp.crm_chunk_row r JOIN pg_temp.crm_chunk c USING (row_number)
            CROSS JOIN LATERAL (VALUES %2$s) u (kind, header, n, raw)
            WHERE btrim(u.raw) <> ''
        ) v $sql$, region_sql, coalesce(nullif(substr(point_sql, 3), ''), '(NULL::text, NULL::text, NULL::integer, NULL::text)'));

    /* 3. What could not be read, with the checker's reason. */
    EXECUTE 'CREATE TEMPORARY TABLE crm_problem ON COMMIT DROP AS
        SELECT p.row_number, p.header AS column_name, p.raw AS value, v.code, v.message, v.hint, v.suggestion
        FROM pg_temp.crm_point p CROSS JOIN LATERAL crm.check_email(p.raw) v WHERE p.kind = ''email'' AND p.email IS NULL
        UNION ALL
        SELECT p.row_number, p.header, p.raw, v.code, v.message, v.hint, v.suggestion
        FROM pg_temp.crm_point p CROSS JOIN LATERAL crm.check_phone(p.raw, p.region) v WHERE p.kind = ''phone'' AND p.phone IS NULL' || problem_sql;
    -- More fields than columns: nobody knows which is which.
    INSERT INTO pg_temp.crm_problem
    SELECT r.row_number, NULL, array_to_string(r.fields, ' | ', ''), 'ROW_TOO_LONG',
           format('The row has %s fields, the header has %s.', cardinality(r.fields), cardinality(batch.columns)),
           'Look for a delimiter inside a value that is not quoted.', NULL
    FROM pg_temp.crm_chunk_row r
    WHERE cardinality(r.fields) > cardinality(batch.columns)
      AND array_to_string(r.fields[cardinality(batch.columns) + 1:], '') <> '';
    -- A row that says nothing, or a company without a name, is no row.
    IF e = 'contact' THEN
        INSERT INTO pg_temp.crm_problem
        SELECT c.row_number, NULL, NULL, 'ROW_EMPTY', 'The row has no name, address, number or company to know the contact by.',
               'Fill one of them, or map the column that holds it.', NULL
        FROM pg_temp.crm_chunk c JOIN pg_temp.crm_chunk_row r ON r.row_number = c.row_number
        WHERE coalesce(c.given_name, c.family_name, c.middle_name, c.company) IS NULL
          -- A number of another system is enough when something else is said of it.
          AND NOT (c.external_id IS NOT NULL AND (cardinality(r.fields) = 1 OR (SELECT count(*) FROM unnest(r.fields) f WHERE btrim(f) <> '') > 1))
          AND NOT EXISTS (SELECT FROM pg_temp.crm_point p WHERE p.row_number = c.row_number)
          AND NOT EXISTS (SELECT FROM pg_temp.crm_problem p WHERE p.row_number = c.row_number);
    ELSE
        INSERT INTO pg_temp.crm_problem
        SELECT c.row_number, NULL, NULL, 'COMPANY_NAME_MISSING', 'The row has no name of a company.',
               'Fill it, or map the column that holds it to name.', NULL
        FROM pg_temp.crm_chunk c WHERE c.name IS NULL;
    END IF;

    /* 4. Who is it?  A number in the source system; else the name with an
       address, a phone number or a birth date; else the very same row. */
    ANALYZE pg_temp.crm_chunk, pg_temp.crm_point, pg_temp.crm_problem;
    EXECUTE format($sql$
        CREATE TEMPORARY TABLE crm_match ON COMMIT DROP AS
        WITH rejected AS (
            SELECT DISTINCT row_number FROM pg_temp.crm_problem WHERE %1$L OR code IN ('ROW_EMPTY', 'ROW_TOO_LONG', 'COMPANY_NAME_MISSING')
        ), first_point AS (
            -- The key of the first column that has one: by its number in front, without sorting.
            SELECT row_number, substr(min(chr(256 + n) || key COLLATE "C") FILTER (WHERE kind = 'email'), 2) COLLATE "C" AS email_key,
                   substr(min(chr(256 + n) || key COLLATE "C") FILTER (WHERE kind = 'phone'), 2) COLLATE "C" AS phone_key
            FROM pg_temp.crm_point WHERE key IS NOT NULL AND kind <> 'address'
            GROUP BY row_number
        ), known AS (
            SELECT c.row_number, %2$s AS name_key, c.external_id, p.email_key, p.phone_key, %3$s AS other_kind, %4$s AS other_key
            FROM pg_temp.crm_chunk c LEFT JOIN first_point p USING (row_number)
            WHERE c.row_number NOT IN (SELECT row_number FROM rejected)
        ), wanted AS (
            SELECT k.row_number, k.name_key,
                   CASE WHEN external_id IS NOT NULL THEN 'external' WHEN email_key IS NOT NULL THEN 'email'
                        WHEN phone_key IS NOT NULL THEN 'phone' WHEN other_key IS NOT NULL THEN other_kind ELSE 'row' END AS kind,
                   CASE WHEN external_id IS NOT NULL THEN %5$L || external_id WHEN email_key IS NOT NULL THEN email_key
                        WHEN phone_key IS NOT NULL THEN phone_key WHEN other_key IS NOT NULL THEN other_key
                        ELSE md5(r.fields::text) END AS key
            FROM known k JOIN pg_temp.crm_chunk_row r USING (row_number)
        ), found AS (
            SELECT w.row_number, w.kind, w.key, w.name_key,
                   CASE WHEN w.kind = 'row' THEN (SELECT i.entity_id FROM crm.import_result i JOIN crm.import_batch b ON b.id = i.batch_id
                                                  JOIN crm.%6$I t ON t.id = i.entity_id AND t.deleted_at IS NULL
                                                  WHERE i.fingerprint = w.key::uuid AND b.entity = %6$L AND NOT i.undone ORDER BY i.entity_id LIMIT 1)
                        ELSE (SELECT k.%7$I FROM crm.%8$I k JOIN crm.%6$I t ON t.id = k.%7$I
                              WHERE k.kind = w.kind AND k.key = w.key AND (w.kind IN ('external', 'tax_id', 'name_birth') OR %9$s = w.name_key)
                              ORDER BY 1 LIMIT 1) END AS known_id
            FROM wanted w
        ), ranked AS (
            SELECT f.*, row_number() OVER same AS rank, first_value(f.row_number) OVER same AS leader
            FROM found f
            WINDOW same AS (PARTITION BY known_id, CASE WHEN known_id IS NULL THEN kind END, CASE WHEN known_id IS NULL THEN key END,
                                         CASE WHEN known_id IS NULL AND kind IN ('email', 'phone') THEN name_key END ORDER BY row_number)
        )
        SELECT row_number, leader, rank, known_id IS NULL AND rank = 1 AS is_new,
               CASE WHEN known_id IS NULL AND rank = 1 THEN nextval(%10$L) ELSE known_id END AS id,
               CASE WHEN kind = 'row' THEN key::uuid END AS fingerprint
        FROM ranked $sql$,
        reject_all,
        CASE e WHEN 'contact' THEN 'crm.contact_identity_key(c.given_name, c.family_name)' ELSE 'coalesce(crm.name_key(c.name), '''')' END,
        CASE e WHEN 'contact' THEN '''name_birth''' ELSE 'CASE WHEN crm.tax_key(c.tax_id) IS NOT NULL THEN ''tax_id'' ELSE ''name'' END' END,
        CASE e WHEN 'contact'
             THEN 'CASE WHEN c.birth_date IS NOT NULL THEN nullif(crm.name_key(concat_ws('' '', c.family_name, c.given_name, c.middle_name)), '''') || ''|'' || to_char(c.birth_date, ''YYYYMMDD'') END'
             ELSE 'coalesce(crm.tax_key(c.tax_id), CASE WHEN c.address IS NULL THEN nullif(crm.name_key(c.name), '''') END)' END,
        batch.source || ':', e, id_column, e || '_key',
        CASE e WHEN 'contact' THEN 'crm.contact_identity_key(t.given_name, t.family_name)' ELSE 'coalesce(crm.name_key(t.name), '''')' END,
        format('crm.%I', e || '_id_seq'));
    UPDATE pg_temp.crm_match m SET id = l.id FROM pg_temp.crm_match l WHERE m.id IS NULL AND l.row_number = m.leader;
    ANALYZE pg_temp.crm_match;

    /* 5. Companies of contacts, by name; new ones are made. */
    IF company_field IS NOT NULL THEN
        PERFORM crm.lock_companies(true);
        INSERT INTO crm.company (name, source)
        SELECT DISTINCT ON (crm.name_key(c.company)) c.company, batch.source
        FROM pg_temp.crm_chunk c JOIN pg_temp.crm_match m USING (row_number)
        WHERE crm.name_key(c.company) <> ''
          AND NOT EXISTS (SELECT FROM crm.company_key k WHERE k.kind = 'name' AND k.key = crm.name_key(c.company))
        ORDER BY crm.name_key(c.company), c.row_number;
    END IF;

    /* 6. New ones. */
    EXECUTE format('INSERT INTO crm.%I (id, %s) SELECT m.id, %s FROM pg_temp.crm_match m JOIN pg_temp.crm_chunk c USING (row_number) WHERE m.is_new ORDER BY m.id',
        e, column_list,
        (SELECT string_agg(CASE WHEN btrim(c) = 'attrs' THEN 'coalesce(c.attrs, ''{}'')' WHEN btrim(c) = 'lifecycle_stage' THEN 'coalesce(c.lifecycle_stage, ''lead'')'
                                WHEN btrim(c) = 'kind' THEN format('coalesce(c.kind, %L)', CASE e WHEN 'contact' THEN 'person' ELSE 'customer' END)
                                ELSE 'c.' || btrim(c) END, ', ' ORDER BY i) FROM unnest(string_to_array(column_list, ',')) WITH ORDINALITY AS u (c, i)));

    /* 7. Known ones, in the order of the rows: a later row has the last word. */
    CREATE TEMPORARY TABLE crm_change (row_number bigint, id bigint, before jsonb, points bigint[], tags text[], companies bigint[], external_ids text[]) ON COMMIT DROP;
    SELECT string_agg(format(CASE WHEN btrim(c) = 'attrs' THEN '%1$I = t.attrs || coalesce(c.attrs, ''{}'')'
                                  WHEN on_match = 'fill' THEN '%1$I = coalesce(t.%1$I, c.%1$I)'
                                  WHEN btrim(c) = ANY (name_columns) THEN '%1$I = CASE WHEN c.%1$I IS NULL OR crm.same_name(t.%1$I, c.%1$I) THEN t.%1$I ELSE c.%1$I END' ELSE '%1$I = coalesce(c.%1$I, t.%1$I)' END, btrim(c)), ', '),
           string_agg(format(CASE WHEN btrim(c) = 'attrs' THEN 'NOT t.attrs @> coalesce(c.attrs, ''{}'')'
                                  WHEN on_match = 'fill' THEN '(t.%1$I IS NULL AND c.%1$I IS NOT NULL)'
                                  WHEN btrim(c) = ANY (name_columns) THEN '(c.%1$I IS NOT NULL AND NOT crm.same_name(t.%1$I, c.%1$I))' ELSE '(c.%1$I IS NOT NULL AND c.%1$I IS DISTINCT FROM t.%1$I)' END, btrim(c)), ' OR '),
           string_agg(format(CASE WHEN btrim(c) = 'attrs' THEN 'CASE WHEN NOT o.attrs @> coalesce(c.attrs, ''{}'') THEN jsonb_build_object(''attrs'', o.attrs) ELSE ''{}'' END'
                                  ELSE 'CASE WHEN t.%1$I IS DISTINCT FROM o.%1$I THEN jsonb_build_object(%1$L, o.%1$I) ELSE ''{}'' END' END, btrim(c)), ' || ')
    INTO set_sql, changed_sql, before_sql
    FROM unnest(string_to_array(column_list, ',')) c
    WHERE btrim(c) <> 'source' OR column_list ~ '^source$';
    SELECT coalesce(max(rank), 0) INTO max_rank FROM pg_temp.crm_match WHERE NOT is_new;
    IF on_match <> 'skip' AND set_sql IS NOT NULL THEN
        FOR k IN 1 .. max_rank LOOP
            EXECUTE format($sql$
                WITH changed AS (
                    UPDATE crm.%1$I t SET %2$s
                    FROM pg_temp.crm_match m JOIN pg_temp.crm_chunk c USING (row_number) JOIN crm.%1$I o ON o.id = m.id
                    WHERE t.id = m.id AND NOT m.is_new AND m.rank = %3$s AND (%4$s)
                    RETURNING m.row_number, t.id, %5$s AS before
                )
                INSERT INTO pg_temp.crm_change (row_number, id, before) SELECT row_number, id, before FROM changed $sql$,
                e, set_sql, k, changed_sql, before_sql);
        END LOOP;
    END IF;

    /* 8. Addresses and numbers: those of new ones, each once ... */
    EXECUTE format($sql$
        INSERT INTO crm.%1$I (%2$I, kind, label, raw, region, is_primary)
        SELECT f.id, f.kind, f.header, f.raw, f.region, f.nth = 1
        FROM (SELECT m.id, p.kind, p.header, p.raw, p.region, p.n, row_number() OVER (PARTITION BY m.id, p.kind ORDER BY p.n) AS nth,
                     row_number() OVER (PARTITION BY m.id, p.kind, p.key ORDER BY p.n) AS again
              FROM pg_temp.crm_point p JOIN pg_temp.crm_match m USING (row_number)
              WHERE m.is_new AND p.key IS NOT NULL) f
        WHERE f.again = 1
        ORDER BY f.id, f.kind, f.n $sql$,
        e || '_point', id_column);
    -- ... and those of known ones that they did not have.
    IF max_rank > 0 AND on_match <> 'skip' THEN
        EXECUTE format($sql$
            WITH fresh AS (
                SELECT DISTINCT ON (m.id, p.kind, p.key) m.id, m.row_number, p.kind, p.header, p.raw, p.region, p.n
                FROM pg_temp.crm_point p JOIN pg_temp.crm_match m USING (row_number)
                WHERE p.key IS NOT NULL AND NOT m.is_new
                  AND NOT EXISTS (SELECT FROM crm.%1$I x WHERE x.%2$I = m.id AND x.kind = p.kind AND coalesce(x.match_key, lower(x.raw)) = p.key)
                ORDER BY m.id, p.kind, p.key, m.row_number, p.n
            ), ranked AS (
                SELECT f.*, row_number() OVER (PARTITION BY f.id, f.kind ORDER BY f.row_number, f.n) = 1
                       AND NOT EXISTS (SELECT FROM crm.%1$I x WHERE x.%2$I = f.id AND x.kind = f.kind AND x.is_primary) AS is_primary
                FROM fresh f
            ), written AS (
                INSERT INTO crm.%1$I (%2$I, kind, label, raw, region, is_primary)
                SELECT id, kind, header, raw, region, is_primary FROM ranked ORDER BY id, kind, n
                RETURNING id AS point_id, %2$I AS entity_id, kind, raw
            )
            INSERT INTO pg_temp.crm_change (row_number, id, points)
            SELECT r.row_number, r.id, array_agg(w.point_id)
            FROM written w JOIN ranked r ON r.id = w.entity_id AND r.kind = w.kind AND r.raw = w.raw
            GROUP BY r.row_number, r.id $sql$,
            e || '_point', id_column);
    END IF;

    IF external_field IS NOT NULL THEN
        EXECUTE format('INSERT INTO crm.%I (%I, system, external_id)
            SELECT m.id, %L, c.external_id FROM pg_temp.crm_match m JOIN pg_temp.crm_chunk c USING (row_number)
            WHERE m.is_new AND c.external_id IS NOT NULL ORDER BY m.id', ref_table, id_column, batch.source);
        IF max_rank > 0 THEN
            EXECUTE format('INSERT INTO crm.%I (%I, system, external_id)
                SELECT DISTINCT m.id, %L, c.external_id FROM pg_temp.crm_match m JOIN pg_temp.crm_chunk c USING (row_number)
                WHERE NOT m.is_new AND c.external_id IS NOT NULL ON CONFLICT DO NOTHING', ref_table, id_column, batch.source);
        END IF;
    END IF;
    IF tag_sql <> '' AND e = 'contact' THEN
        EXECUTE format('WITH written AS (
                INSERT INTO crm.tag (contact_id, tag)
                SELECT DISTINCT m.id, btrim(v.tag) FROM pg_temp.crm_match m JOIN pg_temp.crm_chunk_row r USING (row_number)
                CROSS JOIN LATERAL unnest(ARRAY[%s]) field CROSS JOIN LATERAL regexp_split_to_table(field, ''[,;]'') v (tag)
                WHERE btrim(v.tag) <> '''' ON CONFLICT DO NOTHING RETURNING contact_id, tag)
            INSERT INTO pg_temp.crm_change (row_number, id, tags)
            SELECT min(m.row_number), m.id, array_agg(DISTINCT w.tag) FROM written w JOIN pg_temp.crm_match m ON m.id = w.contact_id
            WHERE NOT m.is_new GROUP BY m.id', substr(tag_sql, 3));
    END IF;
    IF company_field IS NOT NULL THEN
        WITH link AS (
            SELECT DISTINCT ON (m.id, x.company_id) m.id, m.row_number, m.is_new, x.company_id
            FROM pg_temp.crm_match m JOIN pg_temp.crm_chunk c USING (row_number)
            CROSS JOIN LATERAL (SELECT min(k.company_id) AS company_id FROM crm.company_key k
                                WHERE k.kind = 'name' AND k.key = crm.name_key(c.company)) x
            WHERE c.company IS NOT NULL AND x.company_id IS NOT NULL
              AND (m.is_new OR NOT EXISTS (SELECT FROM crm.company_contact l WHERE l.contact_id = m.id AND l.company_id = x.company_id AND upper_inf(l.valid)))
            ORDER BY m.id, x.company_id, m.row_number
        ), written AS (
            INSERT INTO crm.company_contact (contact_id, company_id, is_primary)
            SELECT l.id, l.company_id, row_number() OVER (PARTITION BY l.id ORDER BY l.row_number) = 1
                   AND NOT EXISTS (SELECT FROM crm.company_contact x WHERE x.contact_id = l.id AND x.is_primary AND upper_inf(x.valid))
            FROM link l
            RETURNING contact_id, company_id
        )
        INSERT INTO pg_temp.crm_change (row_number, id, companies)
        SELECT l.row_number, l.id, array_agg(w.company_id)
        FROM written w JOIN link l ON l.id = w.contact_id AND l.company_id = w.company_id
        WHERE NOT l.is_new GROUP BY l.row_number, l.id;
    END IF;

    /* 9. What became of each row. */
    INSERT INTO crm.import_reject (batch_id, row_number, column_name, value, code, reason, hint, suggestion, row_rejected)
    SELECT import_chunk.batch_id, p.row_number, p.column_name, p.value, p.code, p.message, p.hint, p.suggestion,
           m.row_number IS NULL
    FROM pg_temp.crm_problem p LEFT JOIN pg_temp.crm_match m USING (row_number)
    ORDER BY p.row_number;
    -- What comes later has greater numbers: so crm.undo_import() knows it.
    SELECT last_value INTO last_audit_id FROM crm.audit_log_id_seq;
    EXECUTE format('SELECT last_value FROM crm.%I', e || '_point_id_seq') INTO last_point_id;
    WITH change AS (
        SELECT row_number, jsonb_object_agg(b.key, b.value) FILTER (WHERE b.key IS NOT NULL) AS before,
               jsonb_strip_nulls(jsonb_build_object('points', max(to_jsonb(points)::text)::jsonb, 'tags', max(to_jsonb(tags)::text)::jsonb,
                                                    'companies', max(to_jsonb(companies)::text)::jsonb)) AS added
        FROM pg_temp.crm_change LEFT JOIN LATERAL jsonb_each(before) b ON true
        GROUP BY row_number
    ), written AS (
        INSERT INTO crm.import_result (batch_id, row_number, outcome, entity_id, fingerprint, before, added, last_audit_id, last_point_id)
        SELECT import_chunk.batch_id, c.row_number,
               CASE WHEN m.row_number IS NULL THEN 'rejected' WHEN m.is_new THEN 'created'
                    WHEN h.row_number IS NOT NULL THEN 'updated' ELSE 'unchanged' END,
               m.id, m.fingerprint, h.before, nullif(h.added, '{}'), last_audit_id, last_point_id
        FROM pg_temp.crm_chunk c LEFT JOIN pg_temp.crm_match m USING (row_number) LEFT JOIN change h USING (row_number)
        RETURNING outcome
    )
    SELECT count(*) FILTER (WHERE outcome = 'created'), count(*) FILTER (WHERE outcome = 'updated'),
           count(*) FILTER (WHERE outcome = 'unchanged'), count(*) FILTER (WHERE outcome = 'rejected'), 0
    INTO counts FROM written;
    SELECT count(*) INTO counts.values_set_aside
    FROM pg_temp.crm_problem p JOIN pg_temp.crm_match m USING (row_number);
    DROP TABLE pg_temp.crm_chunk_row, pg_temp.crm_chunk, pg_temp.crm_point, pg_temp.crm_problem, pg_temp.crm_match, pg_temp.crm_change;
END
$$;
COMMENT ON FUNCTION crm.import_chunk(bigint, bigint, bigint) IS 'Applies the rows of a batch from first_row to last_row that have no result yet. Called by crm.import_apply().';
CREATE OR REPLACE FUNCTION crm.import_apply(batch_id bigint, mapping jsonb DEFAULT NULL, options jsonb DEFAULT '{}', dry_run boolean DEFAULT false, notice_every integer DEFAULT 50000)
RETURNS crm.import_counts
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
SET standard_conforming_strings = on AS $$
#variable_conflict use_column
DECLARE
    batch crm.import_batch;
    total crm.import_counts := (0, 0, 0, 0, 0);
    chunk crm.import_counts;
    rejects jsonb;
    bad record;
    first_row bigint;
    last_row bigint;
    first_audit_id bigint;
BEGIN
    PERFORM crm.require_installed();
    SELECT * INTO batch FROM crm.import_batch b WHERE b.id = import_apply.batch_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no import batch %', batch_id
            USING ERRCODE = 'no_data_found', HINT = 'crm.import_batch lists them.';
    END IF;
    IF batch.status <> 'staged' THEN
        RAISE EXCEPTION 'import batch % is % already', batch_id, batch.status
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Stage the file again: rows that are known are recognised.';
    END IF;
    -- Two batches at once would both make what neither sees yet.
    PERFORM pg_advisory_xact_lock(hashtext('crm.import'), hashtext(batch.entity));
    SELECT o.key, o.value INTO bad FROM jsonb_each_text(options) o
    WHERE NOT coalesce(CASE o.key
        WHEN 'bad_values' THEN o.value IN ('reject_row', 'set_aside')
        WHEN 'on_match' THEN o.value IN ('update', 'fill', 'skip')
        WHEN 'date_order' THEN o.value IN ('dmy', 'mdy')
        WHEN 'region' THEN o.value ~ '^[A-Z]{2}$'
    END, false) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'invalid import option "%": "%"', bad.key, bad.value
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Options: bad_values reject_row|set_aside, on_match update|fill|skip, date_order dmy|mdy, region two letters.';
    END IF;
    UPDATE crm.import_batch b
    SET mapping = b.mapping || coalesce(import_apply.mapping, '{}'), options = import_apply.options,
        rows = (SELECT count(*) FROM crm.import_row r WHERE r.batch_id = b.id)
    WHERE b.id = import_apply.batch_id RETURNING * INTO batch;
    IF NOT EXISTS (SELECT FROM crm.import_plan(batch_id)) THEN
        RAISE EXCEPTION 'no column of import % is mapped to anything', batch_id
            USING ERRCODE = 'invalid_parameter_value', DETAIL = format('Its columns are: %s.', array_to_string(batch.columns, ', ')),
                  HINT = format('Pass mapping => ''{"column": "target"}''; crm.import_targets(%L) lists the targets.', batch.entity);
    END IF;
    DELETE FROM crm.import_reject r WHERE r.batch_id = import_apply.batch_id;
    SELECT last_value INTO first_audit_id FROM crm.audit_log_id_seq;
    SELECT min(r.row_number), max(r.row_number) INTO first_row, last_row FROM crm.import_row r WHERE r.batch_id = import_apply.batch_id;
    BEGIN
        WHILE first_row <= last_row LOOP
            chunk := crm.import_chunk(batch_id, first_row, least(first_row + notice_every - 1, last_row));
            total.created := total.created + chunk.created;
            total.updated := total.updated + chunk.updated;
            total.unchanged := total.unchanged + chunk.unchanged;
            total.rejected := total.rejected + chunk.rejected;
            total.values_set_aside := total.values_set_aside + chunk.values_set_aside;
            first_row := first_row + notice_every;
            IF batch.rows > notice_every THEN
                RAISE NOTICE 'import %: % of % rows', batch_id, least(first_row - 1, batch.rows), batch.rows;
            END IF;
        END LOOP;
        IF dry_run THEN
            SELECT jsonb_agg(to_jsonb(r)) INTO rejects FROM crm.import_reject r WHERE r.batch_id = import_apply.batch_id;
            RAISE EXCEPTION 'dry run' USING ERRCODE = 'RM099';
        END IF;
        UPDATE crm.import_batch b
        SET status = 'applied', applied_at = now(), applied_transaction = pg_current_xact_id(),
            applied_audit = int8range(first_audit_id, (SELECT last_value FROM crm.audit_log_id_seq), '(]'), created = total.created, updated = total.updated, unchanged = total.unchanged,
            rejected = total.rejected, values_set_aside = total.values_set_aside
        WHERE b.id = import_apply.batch_id;
    EXCEPTION WHEN SQLSTATE 'RM099' THEN
        INSERT INTO crm.import_reject SELECT r.* FROM jsonb_populate_recordset(NULL::crm.import_reject, rejects) r;
    END;
    RETURN total;
END
$$;
COMMENT ON FUNCTION crm.import_apply(bigint, jsonb, jsonb, boolean, integer) IS 'Applies a staged batch and says how many rows were created, updated, unchanged or rejected. mapping overrides the guessed one, header by header. Options: bad_values reject_row (default: a row with a bad value is set aside) or set_aside (the row is taken without the value); on_match update (default), fill (only what is empty) or skip; date_order dmy (default) or mdy; region of phone numbers without country code. A row is known again by its number in the source system, or by its name with an e-mail address, phone number or birth date, or as the very same row: applying a file twice changes nothing. With dry_run nothing is written but crm.import_reject. A notice every notice_every rows. Errors: P0002 no such batch; 55000 applied already; 22023 bad option or mapping; 42703 unknown column.';
CREATE OR REPLACE FUNCTION crm.import_fix(batch_id bigint, row_number bigint, corrections jsonb) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    batch crm.import_batch;
    outcome text;
    bad text;
    last_reject bigint;
BEGIN
    PERFORM crm.require_installed();
    SELECT * INTO batch FROM crm.import_batch b WHERE b.id = import_fix.batch_id FOR UPDATE;
    SELECT r.outcome INTO outcome FROM crm.import_result r WHERE r.batch_id = import_fix.batch_id AND r.row_number = import_fix.row_number;
    IF outcome IS DISTINCT FROM 'rejected' THEN
        RAISE EXCEPTION 'row % of import % was not rejected', row_number, batch_id USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    SELECT k INTO bad FROM jsonb_object_keys(corrections) k WHERE NOT k = ANY (batch.columns) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'import % has no column "%"', batch_id, bad
            USING ERRCODE = 'undefined_column', HINT = format('It has: %s.', array_to_string(batch.columns, ', '));
    END IF;
    UPDATE crm.import_row r
    SET fields = (SELECT array_agg(CASE WHEN corrections ? u.h THEN nullif(corrections ->> u.h, '') ELSE r.fields[u.i] END ORDER BY u.i)
                  FROM unnest(batch.columns) WITH ORDINALITY AS u (h, i))
    WHERE r.batch_id = import_fix.batch_id AND r.row_number = import_fix.row_number;
    DELETE FROM crm.import_result r WHERE r.batch_id = import_fix.batch_id AND r.row_number = import_fix.row_number;
    SELECT max(r.id) INTO last_reject FROM crm.import_reject r WHERE r.batch_id = import_fix.batch_id AND r.row_number = import_fix.row_number;
    PERFORM crm.import_chunk(batch_id, row_number, row_number);
    SELECT r.outcome INTO outcome FROM crm.import_result r WHERE r.batch_id = import_fix.batch_id AND r.row_number = import_fix.row_number;
    IF outcome = 'rejected' THEN
        DELETE FROM crm.import_reject r
        WHERE r.batch_id = import_fix.batch_id AND r.row_number = import_fix.row_number AND r.id <= last_reject;
    ELSE
        UPDATE crm.import_reject r SET resolved_at = now()
        WHERE r.batch_id = import_fix.batch_id AND r.row_number = import_fix.row_number AND r.resolved_at IS NULL;
        UPDATE crm.import_batch b
        SET rejected = b.rejected - 1, created = b.created + (outcome = 'created')::integer,
            updated = b.updated + (outcome = 'updated')::integer, unchanged = b.unchanged + (outcome = 'unchanged')::integer
        WHERE b.id = import_fix.batch_id;
    END IF;
    RETURN outcome;
END
$$;
COMMENT ON FUNCTION crm.import_fix(bigint, bigint, jsonb) IS 'Corrects a rejected row, {"header": "value"}, and applies it again; returns what became of it. Errors: 55000 the row was not rejected; 42703 unknown column.';
CREATE OR REPLACE FUNCTION crm.undo_import(batch_id bigint, OUT row_number bigint, OUT entity_id bigint, OUT reason text)
RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
SET standard_conforming_strings = on
SET client_min_messages = warning AS $$
#variable_conflict use_column
DECLARE
    batch crm.import_batch;
    e text;
    id_column text;
    referrer record;
    first_audit_id bigint;
BEGIN
    PERFORM crm.require_installed();
    SELECT * INTO batch FROM crm.import_batch b WHERE b.id = undo_import.batch_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no import batch %', batch_id
            USING ERRCODE = 'no_data_found', HINT = 'crm.import_batch lists them.';
    ELSIF batch.status <> 'applied' THEN
        RAISE EXCEPTION 'import batch % is not applied but %', batch_id, batch.status
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = CASE WHEN batch.status = 'undone' THEN 'Everything of it has been taken back.' ELSE 'Nothing of it is there yet.' END;
    END IF;
    e := batch.entity;
    id_column := e || '_id';
    DROP TABLE IF EXISTS pg_temp.crm_undo;
    CREATE TEMPORARY TABLE crm_undo ON COMMIT DROP AS
        SELECT r.row_number, r.outcome, r.entity_id, r.before, r.added, r.last_audit_id, r.last_point_id, NULL::text AS reason
        FROM crm.import_result r WHERE r.batch_id = undo_import.batch_id AND r.outcome IN ('created', 'updated') AND NOT r.undone;
    ANALYZE pg_temp.crm_undo;

    SELECT last_value INTO first_audit_id FROM crm.audit_log_id_seq;
    -- Changed since: a later entry of the audit log, but not what imports wrote
    -- that have been taken back; for contacts also one of
    -- their tags, companies and the like; or a later point.
    UPDATE pg_temp.crm_undo u SET reason = 'changed since by ' || a.actor
    FROM (SELECT DISTINCT ON (x.entity_id) x.entity_id, l.actor
          FROM pg_temp.crm_undo x JOIN crm.audit_log l ON l.row_id = x.entity_id AND l.relation = e
          WHERE l.operation = 'update' AND l.id > x.last_audit_id AND NOT EXISTS (SELECT FROM crm.import_batch b WHERE (b.status = 'undone' OR b.id = undo_import.batch_id)
                AND ((b.applied_transaction = l.transaction_id AND l.id <@ b.applied_audit) OR (b.undone_transaction = l.transaction_id AND l.id <@ b.undone_audit)))
          ORDER BY x.entity_id, l.id DESC) a
    WHERE a.entity_id = u.entity_id;
    IF e = 'contact' THEN
        UPDATE pg_temp.crm_undo u SET reason = coalesce(u.reason, format('%s changed since by %s', a.relation, a.actor))
        FROM (SELECT DISTINCT ON (x.entity_id) x.entity_id, l.relation, l.actor
              FROM pg_temp.crm_undo x JOIN crm.audit_log l ON l.contact_id = x.entity_id
              WHERE l.relation <> 'contact' AND l.operation <> 'insert' AND l.id > x.last_audit_id
                AND NOT EXISTS (SELECT FROM crm.import_batch b WHERE (b.status = 'undone' OR b.id = undo_import.batch_id)
                    AND ((b.applied_transaction = l.transaction_id AND l.id <@ b.applied_audit) OR (b.undone_transaction = l.transaction_id AND l.id <@ b.undone_audit)))
              ORDER BY x.entity_id, l.id DESC) a
        WHERE a.entity_id = u.entity_id AND u.outcome = 'created';
    END IF;
    EXECUTE format('UPDATE pg_temp.crm_undo u SET reason = coalesce(u.reason, ''an address or number was added since by '' || p.created_by)
                    FROM crm.%I p WHERE p.%I = u.entity_id AND u.outcome = ''created'' AND p.id > u.last_point_id', e || '_point', id_column);
    -- Known again by a later batch.
    UPDATE pg_temp.crm_undo u SET reason = format('changed by the later import %s: undo that first', r.batch_id)
    FROM crm.import_result r JOIN crm.import_batch b ON b.id = r.batch_id
    WHERE r.entity_id = u.entity_id AND r.outcome = 'updated' AND NOT r.undone AND r.batch_id > undo_import.batch_id AND b.status = 'applied' AND b.entity = e;
    -- Rows of other tables that refer to what was created, whoever's tables they are.
    FOR referrer IN
        SELECT c.conrelid::regclass AS relation, a.attname, c.conrelid::regclass::text AS shown
        FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
        WHERE c.contype = 'f' AND c.confrelid = format('crm.%I', e)::regclass AND cardinality(c.conkey) = 1
          AND c.confdeltype <> 'c' AND c.conparentid = 0
    LOOP
        EXECUTE format('UPDATE pg_temp.crm_undo u SET reason = coalesce(u.reason, %L)
                        WHERE u.outcome = ''created'' AND EXISTS (SELECT FROM %s x WHERE x.%I = u.entity_id)',
                       'referred to by ' || referrer.shown, referrer.relation, referrer.attname);
    END LOOP;
    IF e = 'company' THEN
        UPDATE pg_temp.crm_undo u SET reason = coalesce(u.reason, 'referred to by crm.company_contact')
        WHERE u.outcome = 'created' AND EXISTS (SELECT FROM crm.company_contact x WHERE x.company_id = u.entity_id);
    END IF;

    EXECUTE format('DELETE FROM crm.%I t USING pg_temp.crm_undo u WHERE u.outcome = ''created'' AND u.reason IS NULL AND t.id = u.entity_id', e);
    -- Columns go back only where they still hold what the import wrote.
    EXECUTE format('UPDATE crm.%1$I t SET %2$s FROM pg_temp.crm_undo u CROSS JOIN LATERAL jsonb_populate_record(NULL::crm.%1$I, u.before) o
                    WHERE u.outcome = ''updated'' AND u.reason IS NULL AND u.before IS NOT NULL AND t.id = u.entity_id', e,
        (SELECT string_agg(format('%1$I = CASE WHEN u.before ? %1$L THEN o.%1$I ELSE t.%1$I END', a.attname), ', ')
         FROM pg_attribute a WHERE a.attrelid = format('crm.%I', e)::regclass AND a.attnum > 0 AND NOT a.attisdropped
           AND a.attname NOT IN ('id', 'created_at', 'updated_at', 'created_by', 'name_key') AND a.attgenerated = ''));
    EXECUTE format('DELETE FROM crm.%I p USING pg_temp.crm_undo u CROSS JOIN LATERAL jsonb_array_elements_text(u.added -> ''points'') a (id)
                    WHERE u.outcome = ''updated'' AND u.reason IS NULL AND p.%I = u.entity_id AND p.id = a.id::bigint', e || '_point', id_column);
    IF e = 'contact' THEN
        DELETE FROM crm.tag p USING pg_temp.crm_undo u
        WHERE u.outcome = 'updated' AND u.reason IS NULL AND p.contact_id = u.entity_id AND u.added -> 'tags' ? p.tag;
        DELETE FROM crm.company_contact p USING pg_temp.crm_undo u
        WHERE u.outcome = 'updated' AND u.reason IS NULL AND p.contact_id = u.entity_id AND u.added -> 'companies' @> to_jsonb(p.company_id);
    END IF;
    UPDATE crm.import_result r SET undone = true FROM pg_temp.crm_undo u
    WHERE r.batch_id = undo_import.batch_id AND r.row_number = u.row_number AND u.reason IS NULL;
    -- What is left can be tried again when its reason is gone.
    UPDATE crm.import_batch b
    SET status = CASE WHEN EXISTS (SELECT FROM pg_temp.crm_undo u WHERE u.reason IS NOT NULL) THEN 'applied' ELSE 'undone' END,
        undone_at = now(), undone_transaction = pg_current_xact_id(),
        undone_audit = int8range(first_audit_id, (SELECT last_value FROM crm.audit_log_id_seq), '(]')
    WHERE b.id = undo_import.batch_id;
    RETURN QUERY SELECT u.row_number, u.entity_id, u.reason FROM pg_temp.crm_undo u WHERE u.reason IS NOT NULL ORDER BY u.row_number;
    DROP TABLE pg_temp.crm_undo;
END
$$;
COMMENT ON FUNCTION crm.undo_import(bigint) IS 'Takes an applied batch back: what it created is deleted, what it changed gets its values of before, what it added is removed. Contacts and companies that were changed or referred to since are left as they are and returned, with the reason; called again, it tries them again. Companies that were made from a contact''s company column stay. Errors: P0002 no such batch; 55000 the batch is not applied, or wholly undone.';
CREATE OR REPLACE FUNCTION crm.purge_imports(older_than interval DEFAULT '90 days', as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    purged bigint;
BEGIN
    -- Rejected rows stay: nobody has looked at them perhaps.
    DELETE FROM crm.import_row r USING crm.import_batch b
    WHERE b.id = r.batch_id AND b.applied_at < as_of - older_than
      AND NOT EXISTS (SELECT FROM crm.import_reject j WHERE j.batch_id = r.batch_id AND j.row_number = r.row_number);
    GET DIAGNOSTICS purged = ROW_COUNT;
    RETURN purged;
END
$$;
COMMENT ON FUNCTION crm.purge_imports(interval, timestamptz) IS 'Removes the staged rows of batches applied longer ago than older_than before as_of, except rejected ones; results stay, so that undo works. Returns the number of rows removed.';
CREATE OR REPLACE FUNCTION crm.resolve_contact(contact_id bigint) RETURNS bigint
LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    next_id bigint;
BEGIN
    -- Merges keep merged_into resolved; the loop is for two that crossed.
    FOR step IN 1 .. 20 LOOP
        SELECT c.merged_into INTO next_id FROM crm.contact c WHERE c.id = contact_id;
        EXIT WHEN next_id IS NULL;
        contact_id := next_id;
    END LOOP;
    RETURN contact_id;
END
$$;
COMMENT ON FUNCTION crm.resolve_contact(bigint) IS 'The contact that stands for the given one: itself, or the one that absorbed it.';
CREATE OR REPLACE FUNCTION crm.contact_salutation(contact_id bigint, style text DEFAULT 'formal', locale text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    c record;
    language text;
BEGIN
    SELECT o.title, o.given_name, o.middle_name, o.family_name, o.gender, o.locale INTO c
    FROM crm.contact o WHERE o.id = contact_id AND o.deleted_at IS NULL;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    language := lower(left(coalesce(locale, c.locale), 2));
    -- A contact may speak a language for which there are no salutations.
    IF locale IS NULL AND (language IS NULL OR NOT language IN ('ru', 'en', 'de', 'fr', 'es')) THEN
        language := CASE WHEN concat(c.given_name, c.family_name) ~ '[А-Яа-яЁё]' THEN 'ru' ELSE 'en' END;
    END IF;
    RETURN crm.salutation(c.given_name, c.middle_name, c.family_name, c.gender, style, language, c.title);
END
$$;
COMMENT ON FUNCTION crm.contact_salutation(bigint, text, text) IS 'How to address a contact, see crm.salutation(): style formal, neutral or informal; in the given language, else the contact''s (contact.locale), else the one that the script of the name suggests. Null when there is no such contact. Errors: 22023 unknown style or language.';
CREATE OR REPLACE FUNCTION crm.consent_status(contact_id bigint, purpose text, channel text DEFAULT '*', as_of timestamptz DEFAULT now()) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.status FROM crm.consent c
    WHERE c.contact_id = $1 AND c.purpose = $2 AND c.channel IN ($3, '*') AND c.at <= $4
    ORDER BY c.at DESC, c.id DESC LIMIT 1
$$;
COMMENT ON FUNCTION crm.consent_status(bigint, text, text, timestamptz) IS 'What a person last said of a purpose and a channel, as of a moment: granted, denied, withdrawn, or null when nothing was said. What was said of all channels (*) counts for each.';
CREATE OR REPLACE FUNCTION crm.contact_card(contact_id bigint, as_of timestamptz DEFAULT now()) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off AS $$
DECLARE
    asked bigint := contact_id;
    known bigint;
    c crm.contact;
    card jsonb;
BEGIN
    SELECT o.* INTO c FROM crm.contact o WHERE o.id = asked;
    IF c.merged_into IS NOT NULL THEN
        known := crm.resolve_contact(asked);
        SELECT o.* INTO c FROM crm.contact o WHERE o.id = known;
    END IF;
    IF c.id IS NULL OR c.deleted_at IS NOT NULL THEN
        RETURN NULL;
    END IF;
    known := c.id;
    card := jsonb_build_object(
        'contact_id', known,
        'asked_for', nullif(asked, known),
        'as_of', as_of,
        'name', crm.full_name(c.title, c.given_name, c.middle_name, c.family_name, c.suffix),
        'salutation', crm.contact_salutation(known),
        'title', c.title, 'given_name', c.given_name, 'middle_name', c.middle_name, 'family_name', c.family_name, 'suffix', c.suffix,
        'gender', c.gender, 'birth_date', c.birth_date, 'birth_date_verified_at', c.birth_date_verified_at,
        'age', extract(year FROM age((as_of AT TIME ZONE 'UTC')::date, c.birth_date))::integer,
        'locale', c.locale, 'time_zone', c.time_zone, 'country', c.country, 'city', c.city, 'job_title', c.job_title, 'tax_id', c.tax_id,
        'lifecycle_stage', c.lifecycle_stage, 'kind', c.kind, 'source', c.source, 'est_category_spend', c.est_category_spend)
    || jsonb_build_object(
        'attrs', c.attrs,
        'owner', (SELECT jsonb_build_object('id', a.id, 'name', a.name, 'phone', a.phone, 'email', a.email) FROM crm.agent a WHERE a.id = c.owner_id),
        'branch', (SELECT jsonb_build_object('id', b.id, 'name', b.name, 'time_zone', b.time_zone) FROM crm.branch b WHERE b.id = c.branch_id),
        'territory', (SELECT t.name FROM crm.territory t WHERE t.id = c.territory_id),
        'created_at', c.created_at, 'updated_at', c.updated_at, 'archived_at', c.archived_at,
        'local_time', to_char(as_of AT TIME ZONE coalesce(c.time_zone,
                (SELECT b.time_zone FROM crm.branch b WHERE b.id = c.branch_id), 'UTC'), 'YYYY-MM-DD"T"HH24:MI'),
        'completeness', (SELECT jsonb_build_object('points', v.points, 'of', v.total, 'missing', v.missing)
                         FROM crm.v_completeness v WHERE v.contact_id = known),
        'points', (SELECT coalesce(jsonb_agg(p.j ORDER BY p.kind, p.is_primary DESC, p.id), '[]') FROM (
            SELECT p.kind, p.is_primary, p.id, jsonb_strip_nulls(jsonb_build_object(
                       'id', p.id, 'kind', p.kind, 'label', p.label, 'raw', p.raw,
                       'value', coalesce(p.email::text, crm.format_phone(p.phone)), 'is_primary', p.is_primary,
                       'validity', p.validity, 'verified_at', p.verified_at, 'last_ok_at', p.last_ok_at,
                       'bounces', nullif(p.bounce_count, 0))) AS j
            FROM crm.contact_point p WHERE p.contact_id = known ORDER BY p.is_primary DESC, p.id LIMIT 20) p),
        'companies', (SELECT coalesce(jsonb_agg(l.j ORDER BY l.is_primary DESC, l.company_id), '[]') FROM (
            SELECT l.is_primary, l.company_id, jsonb_strip_nulls(jsonb_build_object(
                       'id', o.id, 'name', o.name, 'role', l.role, 'is_primary', l.is_primary, 'kind', o.kind,
                       'tax_id', o.tax_id, 'since', lower(l.valid))) AS j
            FROM crm.company_contact l JOIN crm.company o ON o.id = l.company_id
            WHERE l.contact_id = known AND l.valid @> as_of AND o.deleted_at IS NULL
            ORDER BY l.is_primary DESC, l.company_id LIMIT 10) l),
        'identities', (SELECT coalesce(jsonb_agg(i.j ORDER BY i.id), '[]') FROM (
            SELECT i.id, jsonb_strip_nulls(jsonb_build_object('id', i.id, 'provider', i.provider, 'external_id', i.external_id,
                       'verified_by', i.verified_by, 'confidence', i.confidence)) AS j
            FROM crm.contact_identity i WHERE i.contact_id = known ORDER BY i.id LIMIT 20) i),
        'external_refs', (SELECT coalesce(jsonb_agg(jsonb_build_object('system', r.system, 'external_id', r.external_id)
                                                    ORDER BY r.system, r.external_id), '[]')
            FROM (SELECT * FROM crm.external_ref r WHERE r.contact_id = known ORDER BY r.system, r.external_id LIMIT 20) r),
        'consent', (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('purpose', s.purpose, 'channel', s.channel,
                                                  'status', s.status, 'at', s.at, 'source', s.source)) ORDER BY s.purpose, s.channel), '[]')
            FROM (SELECT DISTINCT ON (s.purpose, s.channel) s.* FROM crm.consent s
                  WHERE s.contact_id = known AND s.at <= as_of ORDER BY s.purpose, s.channel, s.at DESC, s.id DESC LIMIT 30) s),
        'tags', (SELECT coalesce(jsonb_agg(t.tag ORDER BY t.tag), '[]')
            FROM (SELECT t.tag FROM crm.tag t WHERE t.contact_id = known ORDER BY t.tag LIMIT 50) t),
        'needs', (SELECT coalesce(jsonb_agg(n.j ORDER BY n.strength DESC, n.id), '[]') FROM (
            SELECT n.strength, n.id, jsonb_strip_nulls(jsonb_build_object('kind', n.kind, 'subject', left(n.subject, 100),
                       'strength', n.strength, 'source', n.source, 'since', lower(n.valid))) AS j
            FROM crm.contact_need n WHERE n.contact_id = known AND n.valid @> as_of
            ORDER BY n.strength DESC, n.id LIMIT 20) n),
        'dates', (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('kind', d.kind, 'date', d.date, 'note', left(d.note, 100)))
                                            ORDER BY d.date, d.id), '[]')
            FROM (SELECT * FROM crm.contact_date d WHERE d.contact_id = known ORDER BY d.date, d.id LIMIT 20) d),
        'products', (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('product', left(o.product, 100), 'serial_number', o.serial_number,
                         'purchased_at', o.purchased_at, 'warranty_until', o.warranty_until, 'next_service_at', o.next_service_at))
                         ORDER BY o.purchased_at DESC, o.id), '[]')
            FROM (SELECT * FROM crm.owned_product o WHERE o.contact_id = known ORDER BY o.purchased_at DESC, o.id LIMIT 20) o),
        'duplicates', (SELECT coalesce(jsonb_agg(jsonb_build_object('contact_id', d.other, 'strength', d.strength) ORDER BY d.strength DESC, d.other), '[]')
            FROM (SELECT p.duplicate_id AS other, p.strength FROM crm.duplicate_pair p WHERE p.contact_id = known AND p.status IN ('new', 'confirmed')
                  UNION ALL
                  SELECT p.contact_id, p.strength FROM crm.duplicate_pair p WHERE p.duplicate_id = known AND p.status IN ('new', 'confirmed')
                  LIMIT 10) d),
        'deals', (SELECT coalesce(jsonb_agg(d.j ORDER BY d.id DESC), '[]') FROM (
            SELECT d.id, jsonb_strip_nulls(jsonb_build_object('id', d.id, 'name', left(d.name, 100), 'pipeline', i.name, 'stage', s.name,
                       'amount', d.amount, 'currency', d.currency, 'close_date', d.close_date, 'stage_entered_at', d.stage_entered_at,
                       'role', x.role)) AS j
            FROM (SELECT d.id AS deal_id, NULL::text AS role FROM crm.deal d WHERE d.contact_id = known
                  UNION ALL
                  SELECT m.deal_id, m.role FROM crm.deal_contact m WHERE m.contact_id = known) x
            JOIN crm.deal d ON d.id = x.deal_id
            JOIN crm.stage s ON s.id = d.stage_id
            JOIN crm.pipeline i ON i.id = d.pipeline_id
            WHERE d.closed_at IS NULL AND d.deleted_at IS NULL ORDER BY d.id DESC LIMIT 20) d),
        'tasks', (SELECT coalesce(jsonb_agg(t.j ORDER BY t.due_at, t.id), '[]') FROM (
            SELECT t.due_at, t.id, jsonb_strip_nulls(jsonb_build_object('id', t.id, 'kind', t.kind, 'title', left(t.title, 100),
                       'due_at', t.due_at, 'overdue', t.due_at < as_of, 'priority', t.priority, 'assignee', a.name, 'deal_id', t.deal_id)) AS j
            FROM crm.task t LEFT JOIN crm.agent a ON a.id = t.assignee_id
            WHERE t.contact_id = known AND t.status = 'open' ORDER BY t.due_at, t.id LIMIT 20) t),
        'activities', (SELECT coalesce(jsonb_agg(v.j ORDER BY v.occurred_at DESC, v.id DESC), '[]') FROM (
            SELECT v.occurred_at, v.id, jsonb_strip_nulls(jsonb_build_object('id', v.id, 'kind', v.kind, 'direction', v.direction,
                       'occurred_at', v.occurred_at, 'subject', left(v.subject, 100), 'body', left(v.body, 100), 'outcome', left(v.outcome, 50),
                       'agent', a.name, 'deal_id', v.deal_id)) AS j
            FROM crm.activity v LEFT JOIN crm.agent a ON a.id = v.agent_id
            WHERE v.contact_id = known AND v.occurred_at <= as_of ORDER BY v.occurred_at DESC, v.id DESC LIMIT 20) v),
        'changes', (SELECT coalesce(jsonb_agg(l.j ORDER BY l.id DESC), '[]') FROM (
            SELECT l.id, jsonb_build_object('at', l.at, 'actor', l.actor, 'relation', l.relation, 'operation', l.operation,
                       'fields', (SELECT jsonb_agg(f ORDER BY f) FROM jsonb_object_keys(l.changes) f WHERE f <> 'updated_at')) AS j
            FROM crm.audit_log l
            WHERE l.contact_id = known AND l.operation <> 'insert' AND l.at <= as_of ORDER BY l.id DESC LIMIT 10) l));
    RETURN card;
END
$$;
COMMENT ON FUNCTION crm.contact_card(bigint, timestamptz) IS 'Everything about a client in one call: name, salutation, contact points, companies, identities, numbers in other systems, consent, tags, needs, dates, products, open deals and tasks, the last 20 activities and 10 changes, completeness, possible duplicates. Lists are cut at 10 to 50 entries, long texts at 100 characters. An absorbed contact gives the card of the one that absorbed it, with asked_for. Null for a deleted or unknown contact.';
CREATE OR REPLACE FUNCTION crm.agreeing_keys(contact bigint DEFAULT NULL, max_shared integer DEFAULT 20,
    OUT contact_id bigint, OUT duplicate_id bigint, OUT kind text, OUT key text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 1000
SET search_path = pg_catalog, pg_temp
SET jit = off AS $$
#variable_conflict use_column
BEGIN
    IF contact IS NULL THEN
        RETURN QUERY
        WITH member AS MATERIALIZED (
            SELECT n.kind, n.key, n.contact_id
            FROM (SELECT k.kind, k.key, k.contact_id, count(*) OVER (PARTITION BY k.kind, k.key) AS holders
                  FROM crm.contact_key k WHERE k.kind IN ('email', 'phone', 'tax_id', 'name_birth')) n
            WHERE n.holders BETWEEN 2 AND max_shared
        )
        SELECT a.contact_id, b.contact_id, a.kind, a.key
        FROM member a JOIN member b USING (kind, key) WHERE a.contact_id < b.contact_id;
    ELSE
        RETURN QUERY
        SELECT contact, o.id, k.kind, k.key
        FROM crm.contact_key k
        CROSS JOIN LATERAL (
            SELECT array_agg(s.contact_id) AS ids FROM (
                SELECT j.contact_id FROM crm.contact_key j
                WHERE j.kind = k.kind AND j.key = k.key LIMIT max_shared + 1) s) g
        CROSS JOIN LATERAL unnest(g.ids) AS o (id)
        WHERE k.contact_id = contact AND k.kind IN ('email', 'phone', 'tax_id', 'name_birth')
          AND cardinality(g.ids) <= max_shared AND o.id <> contact;
    END IF;
END
$$;
COMMENT ON FUNCTION crm.agreeing_keys(bigint, integer) IS 'Pairs of contacts that agree on an e-mail address, phone number, tax number or name with birth date, one row a key; of one contact, or of the whole base with contact_id < duplicate_id. Keys that more than max_shared contacts have are left out.';
CREATE OR REPLACE FUNCTION crm.find_duplicates(contact bigint DEFAULT NULL, max_shared integer DEFAULT 20, min_strength real DEFAULT 0, include_rejected boolean DEFAULT false,
    OUT contact_id bigint, OUT duplicate_id bigint, OUT evidence jsonb, OUT strength real)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 100
SET search_path = pg_catalog, pg_temp
SET jit = off AS $$
#variable_conflict use_column
BEGIN
    PERFORM crm.require_installed();
    IF contact IS NOT NULL THEN
        contact := crm.resolve_contact(contact);
    END IF;
    RETURN QUERY
    WITH agreement AS (
        -- The keys of one kind do not count twice.
        SELECT k.contact_id, k.duplicate_id, k.kind, jsonb_agg(k.key ORDER BY k.key) AS keys
        FROM crm.agreeing_keys(contact, max_shared) k GROUP BY 1, 2, 3
    ), pair AS (
        SELECT g.contact_id, g.duplicate_id, jsonb_object_agg(g.kind, g.keys) AS evidence,
               max(0.95) FILTER (WHERE g.kind = 'tax_id') AS tax, max(0.95) FILTER (WHERE g.kind = 'name_birth') AS name_birth,
               max(0.8) FILTER (WHERE g.kind = 'email') AS email, max(0.6) FILTER (WHERE g.kind = 'phone') AS phone
        FROM agreement g GROUP BY 1, 2
    ), weighed AS (
        SELECT p.contact_id, p.duplicate_id, n.same_name, d.differs, p.evidence,
               (1 - (1 - coalesce(p.tax, 0)) * (1 - coalesce(p.name_birth, 0)) * (1 - coalesce(p.email, 0)) * (1 - coalesce(p.phone, 0))
                  * CASE WHEN n.same_name AND p.name_birth IS NULL THEN 0.5 ELSE 1 END) * power(0.5, cardinality(d.differs)) AS strength
        FROM pair p
        JOIN crm.contact a ON a.id = p.contact_id
        JOIN crm.contact b ON b.id = p.duplicate_id
        -- Without the patronymic it is the same name.
        CROSS JOIN LATERAL (SELECT coalesce(a.name_key = b.name_key
            OR position(' ' IN b.name_key) > 0 AND starts_with(a.name_key, b.name_key || ' ')
            OR position(' ' IN a.name_key) > 0 AND starts_with(b.name_key, a.name_key || ' '), false) AS same_name) n
        CROSS JOIN LATERAL (SELECT array_remove(ARRAY[
            CASE WHEN a.birth_date <> b.birth_date THEN 'birth_date' END,
            CASE WHEN a.gender <> b.gender THEN 'gender' END,
            CASE WHEN crm.tax_key(a.tax_id) <> crm.tax_key(b.tax_id) THEN 'tax_id' END], NULL) AS differs) d
    )
    SELECT w.contact_id, w.duplicate_id,
           w.evidence || CASE WHEN w.same_name THEN '{"name": true}' ELSE '{}' END::jsonb
               || CASE WHEN w.differs <> '{}' THEN jsonb_build_object('differs', to_jsonb(w.differs)) ELSE '{}' END,
           round(w.strength::numeric, 3)::real
    FROM weighed w
    WHERE w.strength >= min_strength
      AND (include_rejected OR NOT EXISTS (
          SELECT FROM crm.duplicate_pair d WHERE d.status = 'rejected'
             AND d.contact_id = least(w.contact_id, w.duplicate_id) AND d.duplicate_id = greatest(w.contact_id, w.duplicate_id)))
    ORDER BY 4 DESC, 1, 2;
END
$$;
COMMENT ON FUNCTION crm.find_duplicates(bigint, integer, real, boolean) IS 'Contacts that are probably one person, because they agree on a canonical key: of one contact by index, or of the whole base in one set operation. evidence names the keys that agree, by kind, {"name": true} when the names have one key or differ in the patronymic that one lacks, and under "differs" what speaks against it (birth_date, gender, tax_id). strength = 1 - product of (1 - weight) over what agrees: tax_id and name_birth 0.95, email 0.8, phone 0.6, name 0.5; halved for each that differs. Keys that more than max_shared contacts have prove nothing and are left out. Pairs that were rejected come only with include_rejected.';
CREATE OR REPLACE FUNCTION crm.find_company_duplicates(company bigint DEFAULT NULL, max_shared integer DEFAULT 20,
    OUT company_id bigint, OUT duplicate_id bigint, OUT evidence jsonb, OUT strength real)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 100
SET search_path = pg_catalog, pg_temp
SET jit = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH member AS MATERIALIZED (
        SELECT n.kind, n.key, n.company_id
        FROM (SELECT k.kind, k.key, k.company_id, count(*) OVER (PARTITION BY k.kind, k.key) AS holders
              FROM crm.company_key k
              WHERE k.kind <> 'external'
                AND (company IS NULL OR (k.kind, k.key) IN (SELECT o.kind, o.key FROM crm.company_key o WHERE o.company_id = company))) n
        WHERE n.holders BETWEEN 2 AND max_shared
    ), agreement AS (
        SELECT a.company_id, b.company_id AS duplicate_id, kind, jsonb_agg(key ORDER BY key) AS keys
        FROM member a JOIN member b USING (kind, key)
        WHERE CASE WHEN company IS NULL THEN a.company_id < b.company_id ELSE a.company_id = company AND b.company_id <> company END
        GROUP BY 1, 2, 3
    )
    SELECT g.company_id, g.duplicate_id, jsonb_object_agg(g.kind, g.keys),
           round((1 - exp(sum(ln(1 - w.weight))))::numeric, 3)::real
    FROM agreement g
    JOIN (VALUES ('tax_id', 0.95), ('registration_id', 0.95), ('lei', 0.95), ('name', 0.6), ('email', 0.6), ('phone', 0.5)) AS w (kind, weight) USING (kind)
    GROUP BY 1, 2
    ORDER BY 4 DESC, 1, 2;
END
$$;
COMMENT ON FUNCTION crm.find_company_duplicates(bigint, integer) IS 'Companies that are probably one, because they agree on a tax, registry or LEI number (weight 0.95), a name key or e-mail address (0.6) or a phone number (0.5): of one company, or of the whole base. Keys that more than max_shared companies have are left out. Branches of one company share the INN.';
CREATE OR REPLACE FUNCTION crm.scan_duplicates(min_strength real DEFAULT 0.5, max_shared integer DEFAULT 20, as_of timestamptz DEFAULT now(),
    OUT pairs bigint, OUT added bigint, OUT withdrawn bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
SET jit = off AS $$
BEGIN
    PERFORM crm.require_installed();
    PERFORM pg_advisory_xact_lock(hashtext('crm.scan_duplicates'));
    DROP TABLE IF EXISTS pg_temp.crm_scan;
    CREATE TEMPORARY TABLE crm_scan ON COMMIT DROP AS
        SELECT f.contact_id, f.duplicate_id, f.evidence, f.strength
        FROM crm.find_duplicates(NULL, max_shared, min_strength, true) f;
    SELECT count(*) INTO pairs FROM pg_temp.crm_scan;
    ANALYZE pg_temp.crm_scan;
    DELETE FROM crm.duplicate_pair d
    WHERE d.status = 'new' AND d.method = 'exact'
      AND NOT EXISTS (SELECT FROM pg_temp.crm_scan s WHERE s.contact_id = d.contact_id AND s.duplicate_id = d.duplicate_id);
    GET DIAGNOSTICS withdrawn = ROW_COUNT;
    UPDATE crm.duplicate_pair d SET evidence = s.evidence, strength = s.strength
    FROM pg_temp.crm_scan s
    WHERE d.contact_id = s.contact_id AND d.duplicate_id = s.duplicate_id AND d.status = 'new' AND d.method = 'exact'
      AND (d.evidence, d.strength) IS DISTINCT FROM (s.evidence, s.strength);
    INSERT INTO crm.duplicate_pair (contact_id, duplicate_id, evidence, strength, found_at)
    SELECT s.contact_id, s.duplicate_id, s.evidence, s.strength, as_of FROM pg_temp.crm_scan s
    ON CONFLICT (contact_id, duplicate_id) DO NOTHING;
    GET DIAGNOSTICS added = ROW_COUNT;
    DROP TABLE pg_temp.crm_scan;
END
$$;
COMMENT ON FUNCTION crm.scan_duplicates(real, integer, timestamptz) IS 'Job: looks through the whole base with crm.find_duplicates() and brings the new pairs into crm.duplicate_pair; pairs that a person decided stay as decided, new ones that no longer agree are withdrawn. Gives how many pairs agree, how many were added and withdrawn.';
CREATE OR REPLACE FUNCTION crm.decide_duplicate(contact_id bigint, duplicate_id bigint, verdict text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    low bigint := least(contact_id, duplicate_id);
    high bigint := greatest(contact_id, duplicate_id);
BEGIN
    PERFORM crm.require_installed();
    IF verdict IS NULL OR NOT verdict IN ('new', 'confirmed', 'rejected') THEN
        RAISE EXCEPTION 'a pair of contacts can be new, confirmed or rejected, not "%"', verdict
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO crm.duplicate_pair AS d (contact_id, duplicate_id, status, strength, method, decided_at, decided_by)
    VALUES (low, high, verdict, 0, 'person', CASE WHEN verdict <> 'new' THEN now() END, CASE WHEN verdict <> 'new' THEN crm.current_actor() END)
    ON CONFLICT ON CONSTRAINT duplicate_pair_pkey DO UPDATE
    SET status = excluded.status, decided_at = excluded.decided_at, decided_by = excluded.decided_by
    WHERE d.status <> 'merged';
END
$$;
COMMENT ON FUNCTION crm.decide_duplicate(bigint, bigint, text) IS 'Records that two contacts are one person (confirmed), are not (rejected: never offered again), or are open again (new). The order of the two does not matter. Errors: 22023 unknown verdict.';
CREATE OR REPLACE FUNCTION crm.decide_company_duplicate(company_id bigint, duplicate_id bigint, verdict text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    low bigint := least(company_id, duplicate_id);
    high bigint := greatest(company_id, duplicate_id);
BEGIN
    PERFORM crm.require_installed();
    IF verdict IS NULL OR NOT verdict IN ('new', 'confirmed', 'rejected') THEN
        RAISE EXCEPTION 'a pair of companies can be new, confirmed or rejected, not "%"', verdict
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO crm.company_duplicate_pair AS d (company_id, duplicate_id, status, strength, method, decided_at, decided_by)
    VALUES (low, high, verdict, 0, 'person', CASE WHEN verdict <> 'new' THEN now() END, CASE WHEN verdict <> 'new' THEN crm.current_actor() END)
    ON CONFLICT ON CONSTRAINT company_duplicate_pair_pkey DO UPDATE
    SET status = excluded.status, decided_at = excluded.decided_at, decided_by = excluded.decided_by
    WHERE d.status <> 'merged';
END
$$;
COMMENT ON FUNCTION crm.decide_company_duplicate(bigint, bigint, text) IS 'Records that two companies are one (confirmed), are not (rejected: never offered again), or are open again (new). The order of the two does not matter. Errors: 22023 unknown verdict.';
CREATE OR REPLACE FUNCTION crm.current_actor() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN pg_catalog.length(pg_catalog.current_setting('crm.actor', true)) OPERATOR(pg_catalog.>) 0
                THEN pg_catalog.current_setting('crm.actor', true) ELSE session_user::pg_catalog.text END
$$;
COMMENT ON FUNCTION crm.current_actor() IS 'The person on whose behalf the session acts: setting crm.actor, otherwise the session''s role.';
CREATE OR REPLACE FUNCTION crm.record_bounce(contact_id bigint, point_id bigint, hard boolean DEFAULT true, as_of timestamptz DEFAULT now()) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    outcome text;
BEGIN
    PERFORM crm.require_installed();
    -- A delivery that was reported late does not undo a later one.
    UPDATE crm.contact_point p
    SET bounce_count = p.bounce_count + 1,
        validity = CASE WHEN p.bounce_count + 1 >= 2 THEN 'invalid' ELSE p.validity END
    WHERE p.contact_id = record_bounce.contact_id AND p.id = point_id
      AND hard AND (p.last_ok_at IS NULL OR p.last_ok_at <= as_of);
    SELECT p.validity INTO outcome FROM crm.contact_point p WHERE p.contact_id = record_bounce.contact_id AND p.id = point_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'contact % has no contact point %', contact_id, point_id USING ERRCODE = 'no_data_found';
    END IF;
    RETURN outcome;
END
$$;
COMMENT ON FUNCTION crm.record_bounce(bigint, bigint, boolean, timestamptz) IS 'Records that a message could not be delivered. Two hard bounces in a row make the contact point invalid, so that nothing is sent there any more; a soft one (mailbox full) changes nothing. Returns the validity. Errors: P0002 no such contact point.';
CREATE OR REPLACE FUNCTION crm.record_delivery(contact_id bigint, point_id bigint, as_of timestamptz DEFAULT now()) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    outcome text;
BEGIN
    PERFORM crm.require_installed();
    UPDATE crm.contact_point p
    SET bounce_count = 0, validity = 'valid', last_ok_at = greatest(p.last_ok_at, as_of)
    WHERE p.contact_id = record_delivery.contact_id AND p.id = point_id
    RETURNING p.validity INTO outcome;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'contact % has no contact point %', contact_id, point_id USING ERRCODE = 'no_data_found';
    END IF;
    RETURN outcome;
END
$$;
COMMENT ON FUNCTION crm.record_delivery(bigint, bigint, timestamptz) IS 'Records that a message arrived or a call was answered: the contact point is valid, its bounces are forgotten. Returns the validity. Errors: P0002 no such contact point.';
CREATE OR REPLACE FUNCTION crm.usable_point(contact_id bigint, kind text) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT p.id FROM crm.contact_point p
    WHERE p.contact_id = $1 AND p.kind = $2 AND p.validity <> 'invalid'
    ORDER BY p.is_primary DESC, p.validity = 'valid' DESC, p.verified_at DESC NULLS LAST, p.id LIMIT 1
$$;
COMMENT ON FUNCTION crm.usable_point(bigint, text) IS 'The contact point of a kind to use: the primary one, else one that is proved, never an invalid one; null when there is none.';
CREATE OR REPLACE FUNCTION crm.expire_contact_points(as_of timestamptz DEFAULT now(), batch_limit integer DEFAULT 10000, older_than interval DEFAULT '1 year') RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    expired bigint;
BEGIN
    PERFORM crm.require_installed();
    UPDATE crm.contact_point p SET validity = 'stale'
    FROM (SELECT o.contact_id, o.id FROM crm.contact_point o
          WHERE o.validity IN ('unknown', 'valid') AND greatest(o.verified_at, o.last_ok_at, o.created_at) < as_of - older_than
          LIMIT batch_limit FOR UPDATE SKIP LOCKED) old
    WHERE p.contact_id = old.contact_id AND p.id = old.id;
    GET DIAGNOSTICS expired = ROW_COUNT;
    RETURN expired;
END
$$;
COMMENT ON FUNCTION crm.expire_contact_points(timestamptz, integer, interval) IS 'Job: marks contact points stale that nobody proved (verified_at, last_ok_at, else created_at) for older_than before as_of, at most batch_limit a call. Returns how many.';
CREATE OR REPLACE FUNCTION crm.completeness(contact_id bigint) RETURNS numeric
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT v.points FROM crm.v_completeness v WHERE v.contact_id = $1
$$;
COMMENT ON FUNCTION crm.completeness(bigint) IS 'How complete a contact is: the sum of the weights (crm.completeness_weight) of its filled fields; crm.v_completeness has it beside the sum of all weights. Null for a deleted contact.';
CREATE OR REPLACE FUNCTION crm.check_source_value(field text, value text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, DMY' AS $$
DECLARE
    type text;
    result text;
    reason text;
BEGIN
    IF field ~ '^attrs\.[[:alpha:]_][[:alnum:]_]*$' THEN
        IF NOT EXISTS (SELECT FROM crm.custom_field f WHERE f.entity = 'contact' AND f.name = substr(check_source_value.field, 7)) THEN
            RAISE EXCEPTION 'contacts have no custom field "%"', substr(field, 7)
                USING ERRCODE = 'invalid_parameter_value', HINT = 'Define it with crm.define_field().';
        END IF;
        RETURN value;
    END IF;
    SELECT format_type(a.atttypid, a.atttypmod) INTO type FROM pg_attribute a
    WHERE a.attrelid = 'crm.contact'::regclass AND a.attname = field AND field = ANY (crm.mergeable_columns()) AND field <> 'attrs';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'sources cannot give column "%" of a contact', field
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a column of crm.contact, or attrs.name for a custom field.';
    END IF;
    BEGIN
        EXECUTE format('SELECT ($1::%s)::text', type) INTO result USING value;
    EXCEPTION WHEN data_exception THEN
        GET STACKED DIAGNOSTICS reason = MESSAGE_TEXT;
        RAISE EXCEPTION 'invalid value of "%": "%"', field, left(value, 100)
            USING ERRCODE = 'invalid_parameter_value', DETAIL = reason, COLUMN = field;
    END;
    RETURN result;
END
$$;
COMMENT ON FUNCTION crm.check_source_value(text, text) IS 'The value as the column prints it. Errors: 22023 no such field, or not a value of its type.';
CREATE OR REPLACE FUNCTION crm.record_source_value(contact_id bigint, field text, source text, value text, confidence real DEFAULT 1,
    detail jsonb DEFAULT '{}', seen_at timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made bigint;
BEGIN
    PERFORM crm.require_installed();
    INSERT INTO crm.source_value (contact_id, field, source, value, confidence, detail, seen_at)
    VALUES (contact_id, field, source, crm.check_source_value(field, value), confidence, coalesce(detail, '{}'), seen_at)
    RETURNING id INTO made;
    RETURN made;
END
$$;
COMMENT ON FUNCTION crm.record_source_value(bigint, text, text, text, real, jsonb, timestamptz) IS 'Records what a source says of a field (a column of crm.contact or attrs.name); crm.apply_survivorship() decides what becomes of it. Returns its number. Errors: 22023 no such field or not a value of its type; 23503 no such contact; 23514 confidence not 0 to 1.';
CREATE OR REPLACE FUNCTION crm.rank_values(contact_ids bigint[], only_field text DEFAULT NULL, OUT contact_id bigint, OUT field text, OUT place bigint,
    OUT value text, OUT source text, OUT confidence real, OUT seen_at timestamptz, OUT detail jsonb, OUT priority integer,
    OUT considered boolean, OUT is_current boolean, OUT source_value_id bigint)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 100
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, DMY'
SET timezone = 'UTC'
SET jit = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH concerned AS (
        SELECT DISTINCT s.contact_id, s.field FROM crm.source_value s
        WHERE s.contact_id = ANY (contact_ids) AND (only_field IS NULL OR s.field = only_field)
        UNION
        SELECT i, only_field FROM unnest(contact_ids) i WHERE only_field IS NOT NULL
    ), standing AS (
        SELECT o.contact_id, o.field, v.value,
               f.value IS NOT NULL AND f.value = v.value AS from_source, f.source_value_id AS from_id, c.created_at
        FROM concerned o
        JOIN crm.contact c ON c.id = o.contact_id AND c.deleted_at IS NULL
        CROSS JOIN LATERAL (SELECT nullif(CASE WHEN o.field LIKE 'attrs.%' THEN c.attrs ->> substr(o.field, 7)
                                               ELSE to_jsonb(c) ->> o.field END, '') AS value) v
        LEFT JOIN crm.field_source f ON f.contact_id = o.contact_id AND f.field = o.field
    ), statement AS (
        SELECT s.contact_id, s.field, s.value, s.source, s.confidence, s.seen_at, s.detail, s.id
        FROM crm.source_value s JOIN standing t USING (contact_id, field)
        WHERE s.value IS NOT NULL
        UNION ALL
        SELECT t.contact_id, t.field, t.value, 'user', 1, coalesce(l.at, t.created_at), '{"entered": true}', NULL
        FROM standing t
        LEFT JOIN LATERAL (SELECT a.at FROM crm.audit_log a
                           WHERE a.relation = 'contact' AND a.row_id = t.contact_id AND a.operation = 'update'
                             AND a.changes ? CASE WHEN t.field LIKE 'attrs.%' THEN 'attrs' ELSE t.field END
                           ORDER BY a.id DESC LIMIT 1) l ON true
        WHERE t.value IS NOT NULL AND NOT t.from_source
    ), believed AS (
        SELECT s.*, r.priority, s.confidence >= r.min_confidence AS considered
        FROM statement s
        LEFT JOIN LATERAL (SELECT r.priority, r.min_confidence FROM crm.survivorship_rule r
                           WHERE r.field IN (s.field, '*') AND r.source IN (s.source, '*')
                           ORDER BY r.field = '*', r.source = '*' LIMIT 1) r ON true
    )
    SELECT b.contact_id, b.field,
           row_number() OVER (PARTITION BY b.contact_id, b.field
                              ORDER BY coalesce(b.considered, false) DESC, b.priority, b.seen_at DESC, b.id DESC NULLS FIRST),
           b.value, b.source, b.confidence, b.seen_at, b.detail, b.priority, coalesce(b.considered, false),
           CASE WHEN t.from_source THEN b.id IS NOT DISTINCT FROM t.from_id ELSE b.id IS NULL AND t.value IS NOT NULL END, b.id
    FROM believed b JOIN standing t USING (contact_id, field)
    ORDER BY 1, 2, 3;
END
$$;
COMMENT ON FUNCTION crm.rank_values(bigint[], text) IS 'What the sources say of the fields of contacts, place 1 the best believed: values of too little confidence last, then by crm.survivorship_rule (a rule for the field before one for the source before *), then the later. A value that a user entered is among them as source user.';
CREATE OR REPLACE FUNCTION crm.apply_survivorship(contact_ids bigint[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, DMY'
SET timezone = 'UTC'
SET jit = off AS $$
DECLARE
    changed bigint := 0;
    part bigint;
    item record;
BEGIN
    PERFORM crm.require_installed();
    PERFORM FROM crm.contact c WHERE c.id = ANY (contact_ids) ORDER BY c.id FOR NO KEY UPDATE;
    -- One statement a field: fields are few, contacts may be many.
    FOR item IN
        SELECT r.field, array_agg(r.contact_id ORDER BY r.contact_id) AS ids, array_agg(r.value ORDER BY r.contact_id) AS new_values,
               array_agg(r.source ORDER BY r.contact_id) AS sources, array_agg(r.source_value_id ORDER BY r.contact_id) AS numbers,
               max(CASE WHEN r.field NOT LIKE 'attrs.%' THEN (SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
                    WHERE a.attrelid = 'crm.contact'::regclass AND a.attname = r.field) END) AS type,
               max(f.type) AS custom_type
        FROM crm.rank_values(contact_ids) r
        LEFT JOIN crm.custom_field f ON f.entity = 'contact' AND f.name = substr(r.field, 7) AND r.field LIKE 'attrs.%'
        WHERE r.place = 1 AND r.considered AND r.source_value_id IS NOT NULL
        GROUP BY r.field ORDER BY r.field
    LOOP
        IF item.field LIKE 'attrs.%' THEN
            UPDATE crm.contact c
            SET attrs = c.attrs || jsonb_build_object(substr(item.field, 7), CASE
                    WHEN item.custom_type IN ('number', 'integer', 'boolean', 'json', 'multichoice') THEN n.value::jsonb ELSE to_jsonb(n.value) END)
            FROM unnest(item.ids, item.new_values) AS n (id, value)
            WHERE c.id = n.id AND c.attrs ->> substr(item.field, 7) IS DISTINCT FROM n.value;
        ELSE
            EXECUTE format('UPDATE crm.contact c SET %1$I = n.value::%2$s FROM unnest($1, $2) AS n (id, value)
                            WHERE c.id = n.id AND c.%1$I IS DISTINCT FROM n.value::%2$s', item.field, item.type)
            USING item.ids, item.new_values;
        END IF;
        GET DIAGNOSTICS part = ROW_COUNT;
        changed := changed + part;
        INSERT INTO crm.field_source AS f (contact_id, field, value, source, source_value_id)
        SELECT n.id, item.field, n.value, n.source, n.number
        FROM unnest(item.ids, item.new_values, item.sources, item.numbers) AS n (id, value, source, number)
        ON CONFLICT (contact_id, field) DO UPDATE
        SET value = excluded.value, source = excluded.source, source_value_id = excluded.source_value_id, applied_at = now()
        WHERE (f.value, f.source_value_id) IS DISTINCT FROM (excluded.value, excluded.source_value_id);
    END LOOP;
    RETURN changed;
END
$$;
COMMENT ON FUNCTION crm.apply_survivorship(bigint[]) IS 'Writes into the contacts named what the best believed source says of each field, see crm.rank_values(). A value that a user entered is overwritten only by a source that crm.survivorship_rule puts before the user. Returns the number of fields changed.';
CREATE OR REPLACE FUNCTION crm.explain_value(contact_id bigint, field text, OUT value text, OUT source text, OUT confidence real, OUT seen_at timestamptz,
    OUT priority integer, OUT is_current boolean, OUT reason text)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 5
SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.value, r.source, r.confidence, r.seen_at, r.priority, r.is_current,
           CASE WHEN r.priority IS NULL THEN 'no rule believes this source'
                WHEN NOT r.considered THEN format('confidence %s is below what the rule asks for', r.confidence)
                WHEN r.place = 1 AND r.detail ? 'entered' THEN 'entered by a user'
                WHEN r.place = 1 AND r.is_current THEN 'best believed'
                WHEN r.place = 1 THEN 'best believed; crm.apply_survivorship() will write it'
                WHEN r.priority > first_value(r.priority) OVER w THEN format('%s is believed before %s', first_value(r.source) OVER w, r.source)
                ELSE 'a later value is there' END
    FROM crm.rank_values(ARRAY[$1], $2) r
    WINDOW w AS (ORDER BY r.place)
    ORDER BY r.place
$$;
COMMENT ON FUNCTION crm.explain_value(bigint, text) IS 'Which sources say what of a field, the best believed first, which value stands in the contact, and why each other does not.';
CREATE OR REPLACE FUNCTION crm.apply_enrichment(contact_id bigint, facts jsonb, source text DEFAULT 'enrichment', as_of timestamptz DEFAULT now(),
    OUT field text, OUT value text, OUT applied boolean, OUT reason text)
RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    fact jsonb;
    numbers bigint[] := '{}';
BEGIN
    PERFORM crm.require_installed();
    FOR fact IN SELECT f FROM jsonb_array_elements(CASE jsonb_typeof(facts) WHEN 'array' THEN facts ELSE jsonb_build_array(facts) END) f LOOP
        IF jsonb_typeof(fact) <> 'object' OR NOT fact ?& ARRAY['field', 'value'] THEN
            RAISE EXCEPTION 'a fact must be an object with field and value, not %', left(fact::text, 100)
                USING ERRCODE = 'invalid_parameter_value', HINT = 'For example: {"field": "city", "value": "Kazan", "confidence": 0.9}.';
        END IF;
        numbers := numbers || crm.record_source_value(apply_enrichment.contact_id, fact ->> 'field', apply_enrichment.source, fact ->> 'value',
            coalesce((fact ->> 'confidence')::real, 0.5), coalesce(fact -> 'detail', '{}'), as_of);
    END LOOP;
    PERFORM crm.apply_survivorship(ARRAY[apply_enrichment.contact_id]);
    RETURN QUERY
    SELECT s.field, s.value, e.is_current, e.reason
    FROM unnest(numbers) WITH ORDINALITY AS n (id, position)
    JOIN crm.source_value s ON s.contact_id = apply_enrichment.contact_id AND s.id = n.id
    CROSS JOIN LATERAL (SELECT x.is_current, x.reason FROM crm.explain_value(s.contact_id, s.field) x
                        WHERE x.source = s.source AND x.value = s.value ORDER BY x.seen_at = s.seen_at DESC LIMIT 1) e
    ORDER BY n.position;
END
$$;
COMMENT ON FUNCTION crm.apply_enrichment(bigint, jsonb, text, timestamptz) IS 'Takes facts about a contact from outside, [{"field", "value", "confidence", "detail"}] (confidence 0.5 when not given), records them as values of the source and applies survivorship; says of each fact whether it now stands in the contact, and why not. Errors: 22023 malformed fact, unknown field, not a value of its type.';
CREATE OR REPLACE FUNCTION crm.archive_contacts(as_of timestamptz DEFAULT now(), batch_limit integer DEFAULT 10000) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off AS $$
DECLARE
    archived bigint := 0;
    part bigint;
    item crm.archive_rule;
BEGIN
    PERFORM crm.require_installed();
    -- Who has come back since is of interest again.
    UPDATE crm.contact c SET archived_at = NULL
    WHERE c.archived_at IS NOT NULL AND c.deleted_at IS NULL
      AND (EXISTS (SELECT FROM crm.sales_order r WHERE r.contact_id = c.id AND r.is_counted AND r.ordered_at > c.archived_at AND r.ordered_at <= as_of)
           OR EXISTS (SELECT FROM crm.activity a WHERE a.contact_id = c.id AND a.direction = 'in' AND a.occurred_at > c.archived_at AND a.occurred_at <= as_of));
    -- A rule that is not derived is met by nobody; one that fails holds up no other.
    FOR item IN SELECT r.* FROM crm.archive_rule r WHERE r.enabled AND (r.rule IS NULL) = (r.definition IS NULL) ORDER BY r.name LOOP
        BEGIN
            EXECUTE format($query$
            UPDATE crm.contact c SET archived_at = $1
            FROM (
                SELECT o.id FROM crm.contact o %s
                WHERE o.archived_at IS NULL AND o.deleted_at IS NULL AND o.merged_into IS NULL
                  AND ($3 IS NULL OR o.lifecycle_stage = $3) AND o.updated_at < $4
                  AND NOT EXISTS (SELECT FROM crm.activity a WHERE a.contact_id = o.id AND a.occurred_at >= $4)
                  AND NOT EXISTS (SELECT FROM crm.sales_order r WHERE r.contact_id = o.id AND r.ordered_at >= $4)
                  AND NOT ($5 AND EXISTS (
                      SELECT FROM crm.deal d JOIN crm.stage s ON s.id = d.stage_id
                      WHERE d.contact_id = o.id AND d.deleted_at IS NULL AND s.kind IN ('open', 'won')))
                  -- Who was taken back, or got a new address, is of interest again.
                  AND coalesce((SELECT l.at FROM crm.audit_log l WHERE l.contact_id = o.id AND l.operation <> 'insert'
                                ORDER BY l.id DESC LIMIT 1), '-infinity') < $4 %s
                LIMIT $2 FOR UPDATE OF o SKIP LOCKED) idle
            WHERE c.id = idle.id$query$,
                CASE WHEN item.rule IS NOT NULL THEN 'JOIN crm.contact_profile p ON p.contact_id = o.id' END,
                'AND (' || crm.rule_sql(item.rule, 'crm.contact_profile', as_of, 'p') || ')')
            USING as_of, batch_limit - archived, item.lifecycle_stage, as_of - item.inactive_for, item.without_deals;
            GET DIAGNOSTICS part = ROW_COUNT;
            archived := archived + part;
        EXCEPTION WHEN OTHERS THEN
            IF crm.is_passing(SQLSTATE) THEN
                RAISE;
            END IF;
            RAISE WARNING 'archive rule "%" fails: %', item.name, SQLERRM USING ERRCODE = SQLSTATE, HINT = 'SELECT * FROM crm.validate_config()';
        END;
    END LOOP;
    RETURN archived;
END
$$;
COMMENT ON FUNCTION crm.archive_contacts(timestamptz, integer) IS 'Job: takes back who has ordered or come to us since being archived, and sets contacts aside (archived_at) that a row of crm.archive_rule finds of no more interest as of a moment, by stage, rule and silence, at most batch_limit a call. They leave the views and look-ups, keep their keys (so that no duplicate comes to be) and change in no other byte. Returns how many. A rule that fails is passed over with a warning.';
CREATE OR REPLACE FUNCTION crm.restore_contacts(contact_ids bigint[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    restored bigint;
    bad record;
BEGIN
    PERFORM crm.require_installed();
    SELECT c.id, c.merged_into INTO bad FROM crm.contact c WHERE c.id = ANY (contact_ids) AND c.merged_into IS NOT NULL LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'contact % was absorbed by contact %', bad.id, bad.merged_into
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'crm.merge_journal has what the merge did.';
    END IF;
    UPDATE crm.contact c SET archived_at = NULL, deleted_at = NULL
    WHERE c.id = ANY (contact_ids) AND (c.archived_at IS NOT NULL OR c.deleted_at IS NOT NULL);
    GET DIAGNOSTICS restored = ROW_COUNT;
    RETURN restored;
END
$$;
COMMENT ON FUNCTION crm.restore_contacts(bigint[]) IS 'Takes archived or softly deleted contacts back and returns how many. An archived one is then as it was before, to the byte. Errors: 23505 an account or external number of a deleted one belongs to another contact by now; 55000 it was absorbed in a merge.';
CREATE OR REPLACE FUNCTION crm.is_portal(role_name name) RETURNS boolean
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_roles r, pg_roles p
                   WHERE r.rolname = role_name AND p.rolname = 'crm_portal' AND NOT r.rolsuper AND pg_has_role(r.oid, p.oid, 'MEMBER'))
$$;
COMMENT ON FUNCTION crm.is_portal(name) IS 'Whether a role is crm_portal or a member of it, and no superuser.';
CREATE OR REPLACE FUNCTION crm.identity_guard() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.verified_by IS DISTINCT FROM 'portal' OR (TG_OP = 'UPDATE' AND OLD.verified_by = 'portal'
        AND (OLD.contact_id, OLD.provider, OLD.external_id) = (NEW.contact_id, NEW.provider, NEW.external_id)) THEN
        RETURN NEW;
    END IF;
    -- crm.link_identity() runs with the owner's rights; a merge brings proofs along.
    IF pg_has_role((SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE')
       OR EXISTS (SELECT FROM crm.contact_identity i JOIN crm.contact c ON c.id = i.contact_id AND c.merged_into = NEW.contact_id
                  WHERE i.provider = NEW.provider AND i.external_id = NEW.external_id AND i.verified_by = 'portal')
       -- ... and its undoing takes them back.
       OR crm.merge_mode() = 'undo' AND EXISTS (
           SELECT FROM crm.merge_journal j
           WHERE j.absorbed_id = NEW.contact_id AND j.relation = 'contact_identity' AND j.row_before ->> 'provider' = NEW.provider
             AND j.row_before ->> 'external_id' = NEW.external_id AND j.row_before ->> 'verified_by' = 'portal') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'only the portal can prove that account "%" at % is that of contact %', NEW.external_id, NEW.provider, NEW.contact_id
        USING ERRCODE = 'insufficient_privilege', HINT = 'Call crm.link_identity() in a session of role crm_portal; a match found otherwise is verified_by agent or document.';
END
$$;
COMMENT ON FUNCTION crm.identity_guard() IS 'Trigger of crm.contact_identity: refuses (42501) verified_by = portal from anybody but crm.link_identity() in a session of role crm_portal and the owner of the table.';
CREATE OR REPLACE FUNCTION crm.set_need(contact_id bigint, kind text, subject text, strength integer DEFAULT 3, source text DEFAULT NULL,
    as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    made bigint;
    current record;
BEGIN
    PERFORM crm.require_installed();
    PERFORM FROM crm.contact c WHERE c.id = set_need.contact_id AND c.deleted_at IS NULL FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no contact %', set_need.contact_id USING ERRCODE = 'no_data_found';
    END IF;
    SELECT n.id, n.strength, n.valid INTO current FROM crm.contact_need n
    WHERE n.contact_id = set_need.contact_id AND n.kind = set_need.kind AND n.subject = set_need.subject AND upper_inf(n.valid)
    ORDER BY lower(n.valid) DESC LIMIT 1;
    IF FOUND THEN
        IF current.strength = set_need.strength THEN
            RETURN current.id;
        ELSIF lower(current.valid) > as_of THEN
            RAISE EXCEPTION 'the % "%" of contact % is known since %, after %', set_need.kind, set_need.subject, set_need.contact_id, lower(current.valid), as_of
                USING ERRCODE = 'invalid_parameter_value';
        ELSIF lower(current.valid) = as_of THEN
            -- Changed at the very moment it began: it never held.
            DELETE FROM crm.contact_need n WHERE n.contact_id = set_need.contact_id AND n.id = current.id;
        ELSE
            UPDATE crm.contact_need n SET valid = tstzrange(lower(n.valid), as_of) WHERE n.contact_id = set_need.contact_id AND n.id = current.id;
        END IF;
    END IF;
    IF set_need.strength IS NOT NULL THEN
        INSERT INTO crm.contact_need (contact_id, kind, subject, strength, source, valid)
        VALUES (set_need.contact_id, set_need.kind, set_need.subject, set_need.strength, set_need.source, tstzrange(as_of, NULL))
        RETURNING id INTO made;
    END IF;
    RETURN made;
END
$$;
COMMENT ON FUNCTION crm.set_need(bigint, text, text, integer, text, timestamptz) IS 'Records a need, desire, objection or preference with its strength, 1 to 5, from as_of on; what was known of the same subject before is closed, not lost. A null strength only closes. Returns the number of the entry. Errors: P0002 no such contact; 23514 unknown kind or strength; 22023 as_of lies before what is known.';
CREATE OR REPLACE FUNCTION crm.needs_as_of(as_of timestamptz DEFAULT now(), contact bigint DEFAULT NULL,
    OUT contact_id bigint, OUT kind text, OUT subject text, OUT strength integer, OUT source text, OUT since timestamptz)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT n.contact_id, n.kind, n.subject, n.strength, n.source, lower(n.valid)
    FROM crm.contact_need n JOIN crm.contact c ON c.id = n.contact_id
    WHERE n.valid @> $1 AND ($2 IS NULL OR n.contact_id = $2) AND c.deleted_at IS NULL AND c.archived_at IS NULL
    ORDER BY 1, 2, 3
$$;
COMMENT ON FUNCTION crm.needs_as_of(timestamptz, bigint) IS 'The needs, desires, objections and preferences that held at a moment: of one contact, or of all that are not archived.';
CREATE OR REPLACE FUNCTION crm.local_instant(local timestamp, time_zone text) RETURNS timestamptz
LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    /*
     * The server reads a time that occurs twice as the later one.  With the
     * offset in force some hours before, it is the earlier, if that is a
     * reading of the same wall clock.
     */
    SELECT CASE
        WHEN earlier.at AT TIME ZONE $2 = $1 THEN least(earlier.at, server.at)
        ELSE server.at
    END
    FROM (SELECT $1 AT TIME ZONE $2 AS at) server,
         LATERAL (SELECT (server.at - interval '6 hours') AT TIME ZONE $2
                         - (server.at - interval '6 hours') AT TIME ZONE 'UTC' AS shift) before,
         LATERAL (SELECT ($1 - before.shift) AT TIME ZONE 'UTC' AS at) earlier
$$;
COMMENT ON FUNCTION crm.local_instant(timestamp, text) IS 'The instant at which the clocks of a time zone show that time. A time that occurs twice, when clocks are set back, is the first of the two; one that is skipped, when they are set forward, is later by what was skipped, as RFC 5545 has it. Errors: 22023 unknown time zone.';
CREATE OR REPLACE FUNCTION crm.task_state() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM now() AT TIME ZONE NEW.time_zone;     -- an unknown one is refused here, not where it is read
    IF NEW.status = 'open' THEN
        NEW.done_at := NULL;
    ELSIF NEW.done_at IS NULL OR TG_OP = 'UPDATE' AND NEW.status <> OLD.status AND NEW.done_at = OLD.done_at THEN
        NEW.done_at := now();
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF crm.merge_mode() <> 'undo' THEN
            NEW.updated_at := now();
        END IF;
        IF NEW.remind_at IS DISTINCT FROM OLD.remind_at THEN
            NEW.reminded_at := NULL;
        END IF;
        IF NEW.due_at IS DISTINCT FROM OLD.due_at THEN
            NEW.overdue_at := NULL;
        END IF;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.task_state() IS 'Trigger on crm.task: keeps done_at and updated_at; a new date makes the task remind and fall due anew. Errors: 22023 unknown time zone.';
CREATE OR REPLACE FUNCTION crm.task_done() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    recipient bigint := coalesce(NEW.author_id, NEW.assignee_id);
BEGIN
    INSERT INTO crm.notification (agent_id, kind, key, title, task_id, deal_id, contact_id)
    VALUES (recipient, 'task.done', format('task.done:%s:%s', NEW.id, extract(epoch FROM NEW.done_at)),
            NEW.title, NEW.id, NEW.deal_id, NEW.contact_id)
    ON CONFLICT (key) DO NOTHING;
    IF FOUND THEN
        PERFORM pg_notify('crm', json_build_object('event', 'task.done', 'agent_id', recipient, 'task_id', NEW.id)::text);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION crm.task_done() IS 'Trigger on crm.task: notifies the author, or else the assignee, once when a task is done.';
CREATE OR REPLACE FUNCTION crm.reminder_time() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.remind_on IS NOT NULL THEN
        NEW.time_zone := coalesce(NEW.time_zone, (SELECT a.time_zone FROM crm.agent a WHERE a.id = NEW.agent_id));
        NEW.remind_at := crm.local_instant(NEW.remind_on, NEW.time_zone);
    END IF;
    -- Put off, it is to fire again.
    IF TG_OP = 'UPDATE' AND NEW.remind_at IS DISTINCT FROM OLD.remind_at AND NEW.fired_at IS NOT DISTINCT FROM OLD.fired_at THEN
        NEW.fired_at := NULL;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.reminder_time() IS 'Trigger on crm.reminder: computes remind_at from remind_on and the time zone, which is the agent''s when not given. Errors: 22023 unknown time zone.';
CREATE OR REPLACE FUNCTION crm.require_known(contact_id bigint DEFAULT NULL, agent_id bigint DEFAULT NULL, deal_id bigint DEFAULT NULL,
    task_id bigint DEFAULT NULL, company_id bigint DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF contact_id IS NOT NULL AND NOT EXISTS (SELECT FROM crm.contact c WHERE c.id = $1) THEN
        RAISE EXCEPTION 'there is no contact %', $1
            USING ERRCODE = 'no_data_found', HINT = 'Look it up with crm.lookup_contact(), or make it with crm.create_contact().';
    ELSIF agent_id IS NOT NULL AND NOT EXISTS (SELECT FROM crm.agent a WHERE a.id = $2) THEN
        RAISE EXCEPTION 'there is no agent %', $2 USING ERRCODE = 'RM004', HINT = 'crm.agent lists them.';
    ELSIF deal_id IS NOT NULL AND NOT EXISTS (SELECT FROM crm.deal d WHERE d.id = $3) THEN
        RAISE EXCEPTION 'there is no deal %', $3 USING ERRCODE = 'RM004';
    ELSIF task_id IS NOT NULL AND NOT EXISTS (SELECT FROM crm.task t WHERE t.id = $4) THEN
        RAISE EXCEPTION 'there is no task %', $4 USING ERRCODE = 'RM004';
    ELSIF company_id IS NOT NULL AND NOT EXISTS (SELECT FROM crm.company c WHERE c.id = $5) THEN
        RAISE EXCEPTION 'there is no company %', $5 USING ERRCODE = 'RM004';
    END IF;
END
$$;
COMMENT ON FUNCTION crm.require_known(bigint, bigint, bigint, bigint, bigint) IS 'Does nothing when the contact, agent, deal, task and company of these numbers are there; null is not asked for. Errors: P0002 no such contact; RM004 no such agent, deal, task or company.';
CREATE OR REPLACE FUNCTION crm.create_task(task jsonb) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    fields jsonb := task - '{assignee,author,due_on,remind_on}'::text[];
    zone text;
    columns text[];
    unknown text;
    new_task_id bigint;
BEGIN
    PERFORM crm.require_installed();
    IF task ->> 'assignee' IS NOT NULL THEN
        fields := fields || jsonb_build_object('assignee_id', crm.agent_id(task ->> 'assignee'));
    END IF;
    IF task ->> 'author' IS NOT NULL THEN
        fields := fields || jsonb_build_object('author_id', crm.agent_id(task ->> 'author'));
    END IF;
    IF task ->> 'due_on' IS NOT NULL OR task ->> 'remind_on' IS NOT NULL THEN
        zone := coalesce(task ->> 'time_zone',
                         (SELECT a.time_zone FROM crm.agent a WHERE a.id = (fields ->> 'assignee_id')::bigint), 'UTC');
        fields := fields || jsonb_strip_nulls(jsonb_build_object(
            'time_zone', zone,
            'due_at', crm.local_instant((task ->> 'due_on')::timestamp, zone),
            'remind_at', crm.local_instant((task ->> 'remind_on')::timestamp, zone)));
    END IF;
    SELECT array_agg(k) FILTER (WHERE a.attname IS NOT NULL), string_agg(k, ', ') FILTER (WHERE a.attname IS NULL)
    INTO columns, unknown
    FROM jsonb_object_keys(fields) k
    LEFT JOIN pg_attribute a ON a.attrelid = 'crm.task'::regclass AND a.attname = k AND a.attnum > 0 AND NOT a.attisdropped
                            AND a.attname <> ALL ('{id,updated_at,reminded_at,overdue_at}');
    IF unknown IS NOT NULL OR columns IS NULL THEN
        RAISE EXCEPTION 'unknown field of a task: %', coalesce(unknown, 'none is given')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Fields are the columns of crm.task, assignee and author by name, due_on and remind_on as local times. Your own go into attrs.';
    END IF;
    PERFORM crm.require_known((fields ->> 'contact_id')::bigint, (fields ->> 'assignee_id')::bigint, (fields ->> 'deal_id')::bigint,
                              company_id => (fields ->> 'company_id')::bigint);
    PERFORM crm.require_known(agent_id => (fields ->> 'author_id')::bigint);
    EXECUTE format('INSERT INTO crm.task (%1$s) SELECT %1$s FROM jsonb_populate_record(NULL::crm.task, $1) RETURNING id',
                   (SELECT string_agg(quote_ident(c), ', ') FROM unnest(columns) c))
    INTO new_task_id USING fields;
    RETURN new_task_id;
END
$$;
COMMENT ON FUNCTION crm.create_task(jsonb) IS 'Makes a task from its fields and gives its number. Fields are the columns of crm.task; assignee and author may be given by name; due_on and remind_on are times on the wall in time_zone, otherwise in the assignee''s time zone. Errors: 22023 unknown field or time zone; RM004 unknown agent, deal or company; P0002 no such contact.';
CREATE OR REPLACE FUNCTION crm.complete_task(task_id bigint, result text DEFAULT NULL, as_of timestamptz DEFAULT now()) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM crm.require_installed();
    UPDATE crm.task t SET status = 'done', done_at = as_of, result = coalesce($2, t.result)
    WHERE t.id = $1 AND t.status = 'open';
    IF FOUND THEN
        RETURN true;
    ELSIF NOT EXISTS (SELECT FROM crm.task t WHERE t.id = $1) THEN
        RAISE EXCEPTION 'there is no task %', $1 USING ERRCODE = 'RM004';
    END IF;
    RETURN false;
END
$$;
COMMENT ON FUNCTION crm.complete_task(bigint, text, timestamptz) IS 'Marks a task as done, with its result; false when it was not open. Errors: RM004 no such task.';
CREATE OR REPLACE FUNCTION crm.tasks_due(agent_id bigint, as_of timestamptz DEFAULT now(),
    OUT task_id bigint, OUT kind text, OUT title text, OUT priority integer, OUT due_at timestamptz, OUT due_local timestamp,
    OUT is_overdue boolean, OUT contact_id bigint, OUT deal_id bigint)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.id, t.kind, t.title, t.priority, t.due_at, t.due_at AT TIME ZONE a.time_zone, t.due_at < $2, t.contact_id, t.deal_id
    FROM crm.agent a
    JOIN crm.task t ON t.assignee_id = a.id AND t.status = 'open'
    WHERE a.id = $1
      AND t.due_at < crm.local_instant(date_trunc('day', $2 AT TIME ZONE a.time_zone) + interval '1 day', a.time_zone)
    ORDER BY t.due_at, t.priority, t.id
$$;
COMMENT ON FUNCTION crm.tasks_due(bigint, timestamptz) IS 'Open tasks of an agent that fall due by the end of the day, or have already: the day is that of the agent''s time zone at as_of.';
CREATE OR REPLACE FUNCTION crm.log_call(contact_id bigint DEFAULT NULL, outcome text DEFAULT NULL, direction text DEFAULT 'out',
    duration interval DEFAULT NULL, agent_id bigint DEFAULT NULL, deal_id bigint DEFAULT NULL, task_id bigint DEFAULT NULL,
    recording_url text DEFAULT NULL, external_system text DEFAULT NULL, external_id text DEFAULT NULL,
    closes_task boolean DEFAULT true, as_of timestamptz DEFAULT now())
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    task crm.task;
    deal crm.deal;
    person bigint := contact_id;
    new_activity_id bigint;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.require_known(contact_id, agent_id, deal_id, task_id);
    IF task_id IS NOT NULL THEN
        SELECT * INTO task FROM crm.task t WHERE t.id = task_id;
    END IF;
    IF coalesce(deal_id, task.deal_id) IS NOT NULL THEN
        SELECT * INTO deal FROM crm.deal d WHERE d.id = coalesce(log_call.deal_id, task.deal_id);
    END IF;
    -- Whom was spoken to: as given, otherwise the person of the task, the deal or the company.
    person := coalesce(person, task.contact_id, deal.contact_id,
        (SELECT c.contact_id FROM crm.deal_contact c WHERE c.deal_id = deal.id ORDER BY c.created_at, c.contact_id LIMIT 1),
        (SELECT c.contact_id FROM crm.company_contact c
         WHERE c.company_id = coalesce(task.company_id, deal.company_id) AND upper_inf(c.valid)
         ORDER BY c.is_primary DESC, c.contact_id LIMIT 1));
    IF person IS NULL THEN
        RAISE EXCEPTION 'it is not known with whom the call was'
            USING ERRCODE = 'RM003',
                  DETAIL = 'No contact_id is given, and neither the task nor the deal nor its company has a person.',
                  HINT = 'Give contact_id, or add a person to the company in crm.company_contact.';
    END IF;
    -- The same call told twice by the telephone exchange is one call.
    SELECT a.id INTO new_activity_id FROM crm.activity a
    WHERE a.contact_id = person AND a.external_system = log_call.external_system AND a.external_id = log_call.external_id;
    IF NOT FOUND THEN
        IF task.id IS NULL AND closes_task THEN
            SELECT * INTO task FROM crm.task t
            WHERE t.contact_id = person AND t.kind = 'call' AND t.status = 'open'
              AND (t.assignee_id = log_call.agent_id OR t.assignee_id IS NULL OR log_call.agent_id IS NULL)
              AND (t.deal_id = deal.id OR t.deal_id IS NULL OR deal.id IS NULL)
            ORDER BY t.due_at NULLS LAST, t.id LIMIT 1;
        END IF;
        INSERT INTO crm.activity (contact_id, kind, direction, agent_id, company_id, deal_id, task_id, occurred_at, duration, outcome,
                                  recording_url, external_system, external_id)
        VALUES (person, 'call', direction, agent_id, coalesce(deal.company_id, task.company_id), coalesce(deal.id, task.deal_id), task.id,
                as_of, duration, outcome, recording_url, external_system, external_id)
        RETURNING id INTO new_activity_id;
    END IF;
    IF closes_task AND task.id IS NOT NULL THEN
        PERFORM crm.complete_task(task.id, outcome, as_of);
    END IF;
    RETURN new_activity_id;
END
$$;
COMMENT ON FUNCTION crm.log_call(bigint, text, text, interval, bigint, bigint, bigint, text, text, text, boolean, timestamptz) IS 'Enters a call and gives the number of the activity. The person may be left to the task or the deal. Closes the task given, or else the person''s open task of kind call that falls due first, with the outcome as its result; not with closes_task => false, as when nobody answered. Told again with the same external_system and external_id it enters nothing. Errors: RM003 nobody was spoken to; RM004 no such agent, task or deal; P0002 no such contact.';
CREATE OR REPLACE FUNCTION crm.enqueue(topic text, payload jsonb, key text DEFAULT NULL, available_at timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    message_id bigint;
BEGIN
    PERFORM crm.require_installed();
    INSERT INTO crm.outbox (topic, key, payload, available_at) VALUES ($1, $3, $2, $4)
    ON CONFLICT ON CONSTRAINT outbox_topic_key_key DO NOTHING
    RETURNING id INTO message_id;
    IF FOUND THEN
        PERFORM pg_notify('crm', json_build_object('event', 'outbox', 'topic', topic)::text);
        RETURN message_id;
    END IF;
    RETURN (SELECT o.id FROM crm.outbox o WHERE o.topic = $1 AND o.key = $3);
END
$$;
COMMENT ON FUNCTION crm.enqueue(text, jsonb, text, timestamptz) IS 'Writes a message to another system into crm.outbox and gives its number; with a key that the topic has already, the number of that one. It is sent when the transaction commits, or never.';
CREATE OR REPLACE FUNCTION crm.claim_outbox(topic text, batch_limit integer DEFAULT 100, worker text DEFAULT NULL,
    lease interval DEFAULT '5 minutes', as_of timestamptz DEFAULT now(),
    OUT id bigint, OUT key text, OUT payload jsonb, OUT attempts integer)
RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM crm.require_installed();
    RETURN QUERY
    WITH free AS (
        SELECT o.id FROM crm.outbox o
        WHERE o.topic = $1 AND o.status = 'pending' AND o.available_at <= as_of AND o.attempts < o.max_attempts
        ORDER BY o.id LIMIT batch_limit FOR UPDATE SKIP LOCKED
    ), claimed AS (
        UPDATE crm.outbox o
        SET attempts = o.attempts + 1, available_at = as_of + lease, claimed_by = coalesce(worker, session_user)
        FROM free WHERE o.id = free.id
        RETURNING o.id, o.key, o.payload, o.attempts
    )
    SELECT * FROM claimed c ORDER BY c.id;
END
$$;
COMMENT ON FUNCTION crm.claim_outbox(text, integer, text, interval, timestamptz) IS 'Takes waiting messages of a topic for the caller, oldest first; no other worker gets them until the lease ends. What a worker that died had taken comes back then, until max_attempts. Confirm each with crm.complete_outbox().';
CREATE OR REPLACE FUNCTION crm.complete_outbox(id bigint, error text DEFAULT NULL, as_of timestamptz DEFAULT now()) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    new_status text;
BEGIN
    PERFORM crm.require_installed();
    UPDATE crm.outbox o SET
        status = CASE WHEN error IS NULL THEN 'done' WHEN o.attempts >= o.max_attempts THEN 'failed' ELSE 'pending' END,
        available_at = CASE WHEN error IS NULL THEN o.available_at
                            ELSE as_of + least(interval '1 minute' * power(2, least(o.attempts, 12) - 1), interval '1 day') END,
        last_error = coalesce(error, o.last_error),
        done_at = CASE WHEN error IS NULL OR o.attempts >= o.max_attempts THEN as_of END
    WHERE o.id = $1 AND o.status = 'pending'
    RETURNING status INTO new_status;
    IF NOT FOUND THEN
        SELECT o.status INTO new_status FROM crm.outbox o WHERE o.id = $1;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no message %', $1 USING ERRCODE = 'RM004';
        END IF;
    END IF;
    RETURN new_status;
END
$$;
COMMENT ON FUNCTION crm.complete_outbox(bigint, text, timestamptz) IS 'Says that a claimed message was delivered, or why it was not: then it waits 1, 2, 4 ... minutes, at most a day, and has failed for good after max_attempts. Gives the status it has now. Errors: RM004 no such message.';
CREATE OR REPLACE FUNCTION crm.click_to_call(agent_id bigint, contact_id bigint, phone text DEFAULT NULL, deal_id bigint DEFAULT NULL,
    task_id bigint DEFAULT NULL, key text DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    number text := phone;
    caller record;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.require_known($2, $1, $4, $5);
    SELECT a.name, a.phone INTO caller FROM crm.agent a WHERE a.id = $1;
    IF number IS NULL THEN
        SELECT p.raw INTO number FROM crm.contact_point p
        WHERE p.contact_id = $2 AND p.kind = 'phone' AND p.validity <> 'invalid'
        ORDER BY p.is_primary DESC, p.validity = 'valid' DESC, p.id LIMIT 1;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'contact % has no phone number', $2
                USING ERRCODE = 'RM003', HINT = 'Add one to crm.contact_point, or give the number.';
        END IF;
    END IF;
    RETURN crm.enqueue('telephony.call', jsonb_strip_nulls(jsonb_build_object('agent_id', $1, 'agent', caller.name, 'agent_phone', caller.phone,
        'contact_id', $2, 'phone', number, 'deal_id', deal_id, 'task_id', task_id)), key);
END
$$;
COMMENT ON FUNCTION crm.click_to_call(bigint, bigint, text, bigint, bigint, text) IS 'Asks the telephone exchange to connect an agent with a person: writes a message of topic telephony.call into crm.outbox and gives its number. The phone is the person''s first one that is not invalid, unless given. Errors: RM003 no phone number; RM004 no such agent, deal or task; P0002 no such contact.';
CREATE OR REPLACE FUNCTION crm.remind(agent_id bigint, remind_on timestamp, note text, time_zone text DEFAULT NULL,
    task_id bigint DEFAULT NULL, deal_id bigint DEFAULT NULL, contact_id bigint DEFAULT NULL)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    reminder_id bigint;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.require_known($7, $1, $6, $5);
    INSERT INTO crm.reminder (agent_id, remind_on, note, time_zone, task_id, deal_id, contact_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id INTO reminder_id;
    RETURN reminder_id;
END
$$;
COMMENT ON FUNCTION crm.remind(bigint, timestamp, text, text, bigint, bigint, bigint) IS 'Sets a reminder for an agent at a time on the wall of time_zone, otherwise of the agent''s own; gives its number. Errors: 22023 unknown time zone; RM004 no such agent, deal or task; P0002 no such contact.';
CREATE OR REPLACE FUNCTION crm.fire_reminders(as_of timestamptz DEFAULT now(), batch_limit integer DEFAULT 10000) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    told bigint[] := '{}';
    part bigint[];
BEGIN
    PERFORM crm.require_installed();

    WITH due AS (
        SELECT r.id FROM crm.reminder r
        WHERE r.fired_at IS NULL AND r.remind_at <= as_of
        ORDER BY r.remind_at LIMIT batch_limit FOR UPDATE SKIP LOCKED
    ), fired AS (
        UPDATE crm.reminder r SET fired_at = as_of FROM due WHERE r.id = due.id
        RETURNING r.id, r.agent_id, r.note, r.task_id, r.deal_id, r.contact_id, r.remind_at
    ), sent AS (
        INSERT INTO crm.notification (agent_id, kind, key, title, task_id, deal_id, contact_id, created_at)
        SELECT f.agent_id, 'reminder', 'reminder:' || f.id || ':' || extract(epoch FROM f.remind_at), f.note, f.task_id, f.deal_id, f.contact_id, as_of
        FROM fired f LEFT JOIN crm.task t ON t.id = f.task_id
        WHERE t.status = 'open' OR f.task_id IS NULL
        ORDER BY f.remind_at, f.id
        ON CONFLICT (key) DO NOTHING
        RETURNING agent_id
    )
    SELECT coalesce(array_agg(agent_id), '{}') INTO part FROM sent;
    told := told || part;

    WITH due AS (
        SELECT t.id FROM crm.task t
        WHERE t.status = 'open' AND t.reminded_at IS NULL AND t.remind_at <= as_of
        ORDER BY t.remind_at LIMIT batch_limit FOR UPDATE SKIP LOCKED
    ), fired AS (
        UPDATE crm.task t SET reminded_at = as_of FROM due WHERE t.id = due.id
        RETURNING t.id, t.assignee_id, t.title, t.deal_id, t.contact_id, t.remind_at
    ), sent AS (
        INSERT INTO crm.notification (agent_id, kind, key, title, task_id, deal_id, contact_id, created_at)
        SELECT f.assignee_id, 'task.due', format('task.due:%s:%s', f.id, extract(epoch FROM f.remind_at)), f.title, f.id, f.deal_id, f.contact_id, as_of
        FROM fired f ORDER BY f.remind_at, f.id
        ON CONFLICT (key) DO NOTHING
        RETURNING agent_id
    )
    SELECT coalesce(array_agg(agent_id), '{}') INTO part FROM sent;
    told := told || part;

    WITH due AS (
        SELECT t.id FROM crm.task t
        WHERE t.status = 'open' AND t.overdue_at IS NULL AND t.due_at < as_of
        ORDER BY t.due_at LIMIT batch_limit FOR UPDATE SKIP LOCKED
    ), fired AS (
        UPDATE crm.task t SET overdue_at = as_of FROM due WHERE t.id = due.id
        RETURNING t.id, t.assignee_id, t.title, t.deal_id, t.contact_id, t.due_at
    ), sent AS (
        INSERT INTO crm.notification (agent_id, kind, key, title, task_id, deal_id, contact_id, created_at)
        SELECT f.assignee_id, 'task.overdue', format('task.overdue:%s:%s', f.id, extract(epoch FROM f.due_at)), f.title, f.id, f.deal_id, f.contact_id, as_of
        FROM fired f ORDER BY f.due_at, f.id
        ON CONFLICT (key) DO NOTHING
        RETURNING agent_id
    )
    SELECT coalesce(array_agg(agent_id), '{}') INTO part FROM sent;
    told := told || part;

    -- One word to each agent, not one a notification.
    PERFORM pg_notify('crm', json_build_object('event', 'notification', 'agent_id', t.agent_id, 'count', count(*))::text)
    FROM unnest(told) AS t (agent_id) GROUP BY t.agent_id;
    RETURN cardinality(told);
END
$$;
COMMENT ON FUNCTION crm.fire_reminders(timestamptz, integer) IS 'Puts into crm.notification what fell due by as_of: reminders, tasks to be reminded of (task.due) and overdue tasks (task.overdue), each once however many workers run it; at most batch_limit of each. Gives the number of notifications, and tells NOTIFY crm how many each agent got.';
CREATE OR REPLACE FUNCTION crm.remind_service(as_of timestamptz DEFAULT now(), batch_limit integer DEFAULT 10000, ahead interval DEFAULT '14 days') RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made integer;
BEGIN
    PERFORM crm.require_installed();
    INSERT INTO crm.task (kind, title, contact_id, assignee_id, due_at, remind_at, time_zone, origin_key)
    SELECT 'service', 'Service: ' || s.product, s.contact_id, s.owner_id,
           crm.local_instant(s.next_service_at + time '18:00', s.time_zone),
           crm.local_instant(s.next_service_at + time '09:00', s.time_zone), s.time_zone, s.origin_key
    FROM (SELECT p.product, p.contact_id, c.owner_id, p.next_service_at,
                 coalesce(c.time_zone, a.time_zone, 'UTC') AS time_zone,
                 format('service:%s:%s', p.id, p.next_service_at) AS origin_key
          FROM crm.owned_product p
          JOIN crm.contact c ON c.id = p.contact_id
          LEFT JOIN crm.agent a ON a.id = c.owner_id
          WHERE p.next_service_at <= ((as_of + ahead) AT TIME ZONE 'UTC')::date
            AND c.deleted_at IS NULL AND c.archived_at IS NULL AND c.merged_into IS NULL
            AND NOT EXISTS (SELECT FROM crm.task t WHERE t.origin_key = format('service:%s:%s', p.id, p.next_service_at))
          ORDER BY p.next_service_at, p.id LIMIT batch_limit) s
    ON CONFLICT (origin_key) DO NOTHING;
    GET DIAGNOSTICS made = ROW_COUNT;
    RETURN made;
END
$$;
COMMENT ON FUNCTION crm.remind_service(timestamptz, integer, interval) IS 'Makes a task for every product of a client whose service falls due within ahead (crm.owned_product.next_service_at), once per due date; gives how many. It is due at 18:00 of that day in the client''s time zone, and reminds at 9:00.';
CREATE OR REPLACE FUNCTION crm.activity_gap(as_of timestamptz DEFAULT now(), longer_than interval DEFAULT NULL,
    OUT deal_id bigint, OUT name text, OUT pipeline text, OUT stage text, OUT owner_id bigint,
    OUT last_touch_at timestamptz, OUT gap interval, OUT allowed interval)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT d.id, d.name, p.name, s.name, d.owner_id, touch.at, $1 - coalesce(touch.at, d.created_at), coalesce($2, p.touch_every)
    FROM crm.deal d
    JOIN crm.stage s ON s.id = d.stage_id
    JOIN crm.pipeline p ON p.id = d.pipeline_id
    LEFT JOIN LATERAL (
        SELECT a.occurred_at AS at FROM crm.activity a JOIN crm.interaction_type i ON i.name = a.kind
        WHERE a.deal_id = d.id AND i.is_touch AND a.occurred_at <= $1
        ORDER BY a.occurred_at DESC LIMIT 1) touch ON true
    WHERE d.closed_at IS NULL AND d.deleted_at IS NULL
      AND coalesce(touch.at, d.created_at) + coalesce($2, p.touch_every) < $1
    ORDER BY coalesce(touch.at, d.created_at), d.id
$$;
COMMENT ON FUNCTION crm.activity_gap(timestamptz, interval) IS 'Open deals without a logged touch for longer than their pipeline allows (crm.pipeline.touch_every), or than longer_than; a deal without any counts from its beginning. Longest first.';
CREATE OR REPLACE FUNCTION crm.adoption(from_at timestamptz, to_at timestamptz,
    OUT agent_id bigint, OUT agent text, OUT entries bigint, OUT automatic bigint, OUT by_hand bigint, OUT deals bigint,
    OUT entries_per_deal double precision, OUT median_lag interval, OUT p90_lag interval, OUT late_share double precision, OUT last_entry_at timestamptz)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
SET search_path = pg_catalog, pg_temp AS $$
    WITH entry AS (
        SELECT y.agent_id, count(*) AS entries, count(*) FILTER (WHERE y.external_system IS NOT NULL) AS automatic,
               count(DISTINCT y.deal_id) AS touched,
               count(*) FILTER (WHERE y.deal_id IS NOT NULL) AS on_deals,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY y.lag) FILTER (WHERE y.external_system IS NULL) AS median_lag,
               percentile_cont(0.9) WITHIN GROUP (ORDER BY y.lag) FILTER (WHERE y.external_system IS NULL) AS p90_lag,
               avg((y.lag > interval '1 day')::integer::double precision) FILTER (WHERE y.external_system IS NULL) AS late_share,
               max(y.created_at) AS last_entry_at
        FROM (SELECT a.agent_id, a.deal_id, a.external_system, a.created_at, greatest(a.created_at - a.occurred_at, '0') AS lag
              FROM crm.activity a WHERE a.agent_id IS NOT NULL AND a.occurred_at >= $1 AND a.occurred_at < $2) y
        GROUP BY y.agent_id
    ), deal AS (
        SELECT d.owner_id, count(*) AS deals FROM crm.deal d
        WHERE d.owner_id IS NOT NULL AND d.deleted_at IS NULL AND d.created_at < $2 AND (d.closed_at IS NULL OR d.closed_at >= $1)
        GROUP BY d.owner_id
    )
    SELECT a.id, a.name, coalesce(e.entries, 0), coalesce(e.automatic, 0), coalesce(e.entries - e.automatic, 0), coalesce(d.deals, 0),
           coalesce(e.on_deals, 0) / nullif(d.deals, 0)::double precision, e.median_lag, e.p90_lag, e.late_share, e.last_entry_at
    FROM crm.agent a LEFT JOIN entry e ON e.agent_id = a.id LEFT JOIN deal d ON d.owner_id = a.id
    WHERE a.active OR e.entries > 0
    ORDER BY a.name, a.id
$$;
COMMENT ON FUNCTION crm.adoption(timestamptz, timestamptz) IS 'How willingly agents keep the records, of what took place from from_at to before to_at: activities entered, those that telephony, mail and the like entered by themselves and those by hand; deals of the agent that were open in that time and how many of the entries there are for each; how long after the event those by hand were entered (median and 90th percentile) and which share later than a day (0 to 1). An agent without any has a row, too.';
CREATE OR REPLACE FUNCTION crm.undo_statement(kind text, relation regclass, name text, operation text, column_name text, changed text[]) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key_columns name[];
    columns text;
    entries text;
    found_rows text;
    put text;
    report text;
    -- Contacts and companies go on living: only what the merge changed matters.
    may_differ boolean := EXISTS (SELECT FROM pg_trigger g
        WHERE g.tgrelid IN (SELECT undo_statement.relation UNION SELECT f.relid FROM pg_partition_tree(undo_statement.relation) f)
          AND NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype::integer & 3 = 3);
    is_partial boolean := operation = 'fill' OR operation = 'move' AND name IN ('contact', 'company');
    ignored text := CASE WHEN operation = 'fill' OR operation = 'move' AND name IN ('contact', 'company') THEN '{updated_at,name_key}' ELSE '{}' END;
BEGIN
    SELECT array_agg(k.attname ORDER BY k.attnum) INTO key_columns
    FROM pg_index i JOIN pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = ANY (i.indkey)
    WHERE i.indrelid = relation AND i.indisprimary;
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO columns
    FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
    changed := ARRAY(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = ANY (changed) AND a.attnum > 0
                     AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity <> 'a');
    IF kind = 'drop' THEN
        RETURN format('INSERT INTO %1$s (%2$s) OVERRIDING SYSTEM VALUE SELECT %3$s FROM crm.merge_journal j CROSS JOIN LATERAL crm.row_restore(NULL::%1$s, j.row_before) r
            WHERE j.survivor_id = $1 AND j.merge_id = $2 AND j.entry BETWEEN $3 AND $4 AND ($5 IS NULL OR j.operation = ''drop'' AND j.relation = %4$L
              AND j.column_name = %5$L AND j.absorbed_id = $5 AND j.row_before ->> %5$L = $5::text) ORDER BY j.entry DESC', relation, columns,
            (SELECT string_agg(format('r.%I', a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
             WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''), name, column_name);
    END IF;
    entries := format('entry AS MATERIALIZED (
        SELECT j.entry, %s AS b, %s AS a%s FROM crm.merge_journal j
        WHERE j.survivor_id = $1 AND j.merge_id = $2 AND j.entry BETWEEN $3 AND $4 AND j.operation = %L AND j.relation = %L
          AND j.column_name IS NOT DISTINCT FROM %L)',
        CASE WHEN is_partial THEN '(SELECT jsonb_object_agg(c.key, j.row_before -> c.key) FROM jsonb_each(j.row_after) c)' ELSE 'j.row_before' END,
        CASE WHEN is_partial THEN 'j.row_after' WHEN operation = 'add' THEN 'j.row_after' ELSE 'j.row_before || j.row_after' END,
        CASE WHEN is_partial THEN ', j.row_before || j.row_after AS k' ELSE '' END, operation, name, column_name);
    IF operation = 'fill' THEN
        found_rows := format('SELECT e.entry, e.b, e.a, t.tableoid AS part, t.ctid AS place, crm.row_texts(t) AS x FROM entry e JOIN %s t ON t.id = $1', relation);
    ELSIF key_columns IS NOT NULL THEN
        found_rows := format('SELECT e.entry, e.b, e.a, t.tableoid AS part, t.ctid AS place, crm.row_texts(t) AS x%s FROM entry e LEFT JOIN %s t ON %s',
            CASE kind WHEN 'copy' THEN ', t AS image' ELSE '' END, relation,
            (SELECT string_agg(format('t.%I = (e.%s ->> %L)::%s', a.attname, CASE WHEN is_partial THEN 'k' ELSE 'a' END, a.attname, format_type(a.atttypid, a.atttypmod)), ' AND ')
             FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = ANY (key_columns)));
    ELSE
        -- Without a key a row is known by all that it says.
        found_rows := format('SELECT e.entry, e.b, e.a, t.part, t.place, t.x
            FROM (SELECT e.*, row_number() OVER (PARTITION BY e.a ORDER BY e.entry) AS n FROM entry e) e
            LEFT JOIN (SELECT q.*, row_number() OVER (PARTITION BY q.x ORDER BY q.place) AS n
                       FROM (SELECT t.tableoid AS part, t.ctid AS place, crm.row_texts(t) AS x FROM %s t %s) q) t ON t.x = e.a AND t.n = e.n',
            relation, CASE WHEN column_name IS NOT NULL THEN format('WHERE t.%I = $1', column_name) ELSE '' END);
    END IF;
    -- Full joins, although found has every row: they are never nested loops,
    -- which the planner would choose because it expects one row.
    report := format('SELECT jsonb_agg(jsonb_build_object(''entry'', r.entry, ''what'', r.what, ''part'', r.part::bigint, ''place'', r.place::text, ''columns'', r.columns) ORDER BY r.entry)
        FROM (SELECT f.entry, p.part, p.place,
                     CASE WHEN f.entry IS NULL THEN NULL
                          WHEN f.x IS NULL THEN ''removed''
                          WHEN %s THEN ''occupied''
                          WHEN NOT f.x @> (f.a - %L::text[]) THEN ''changed''
                          WHEN %s THEN ''differs'' END AS what,
                     (SELECT jsonb_agg(d.key ORDER BY d.key) FROM jsonb_each(f.a - %L::text[]) d WHERE f.x IS NOT NULL AND f.x -> d.key IS DISTINCT FROM d.value) AS columns
              FROM found f FULL JOIN put p ON p.entry = f.entry) r
        WHERE r.what IS NOT NULL',
        CASE WHEN kind = 'copy' THEN 'p.place IS NULL' ELSE 'false' END, ignored,
        CASE WHEN kind = 'delete' OR NOT may_differ THEN 'false' ELSE format('NOT p.y @> (f.b - %L::text[])', ignored) END, ignored);
    IF kind = 'place' THEN
        put := format('UPDATE %1$s t SET %2$s FROM found f CROSS JOIN LATERAL crm.row_restore(NULL::%1$s, jsonb_build_object(%3$s)) r
            WHERE t.tableoid = f.part AND t.ctid = f.place RETURNING f.entry, t.tableoid AS part, t.ctid AS place, %4$s AS y', relation,
            (SELECT string_agg(format('%1$I = CASE WHEN f.x -> %2$L IS NOT DISTINCT FROM f.a -> %2$L THEN r.%1$I ELSE t.%1$I END', c, c), ', ') FROM unnest(changed) c),
            (SELECT string_agg(format('%1$L, f.b -> %1$L', c), ', ') FROM unnest(changed) c),
            CASE WHEN may_differ THEN 'crm.row_texts(t)' ELSE 'NULL::jsonb' END);
        IF changed = '{}' THEN
            put := 'SELECT f.entry, f.part, f.place, f.x AS y FROM found f';
        END IF;
    ELSIF kind = 'copy' THEN
        -- Written anew for the absorbed one; the survivor's is removed later.
        found_rows := format('SELECT q.*, jsonb_build_object(%s) AS w FROM (%s) q',
            (SELECT string_agg(format('%1$L, CASE WHEN q.x -> %1$L IS NOT DISTINCT FROM q.a -> %1$L THEN q.b -> %1$L ELSE q.x -> %1$L END', c), ', ') FROM unnest(changed) c), found_rows);
        put := format('INSERT INTO %1$s AS t (%2$s) OVERRIDING SYSTEM VALUE SELECT %3$s FROM found f CROSS JOIN LATERAL crm.row_restore(f.image, f.w) r
            WHERE f.x IS NOT NULL %4$s RETURNING t.tableoid AS part, t.ctid AS place, t AS image', relation, columns,
            (SELECT string_agg(format('r.%I', a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
             WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''),
            CASE WHEN EXISTS (SELECT FROM pg_index i WHERE i.indrelid = relation AND NOT i.indimmediate) THEN '' ELSE 'ON CONFLICT DO NOTHING' END);
        RETURN format('WITH %s, found AS MATERIALIZED (%s), written AS (%s), put AS MATERIALIZED (SELECT f.entry, w.part, w.place, %s AS y FROM found f FULL JOIN written w ON %s) %s',
            entries, found_rows, put, CASE WHEN may_differ THEN 'crm.row_texts(w.image)' ELSE 'NULL::jsonb' END,
            (SELECT string_agg(CASE WHEN a.attname = ANY (changed) THEN format('(w.image).%I = (f.w ->> %L)::%s', a.attname, a.attname, format_type(a.atttypid, a.atttypmod))
                                    ELSE format('(w.image).%1$I = (f.image).%1$I', a.attname) END, ' AND ')
             FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = ANY (key_columns)), report);
    ELSE
        put := format('DELETE FROM %s t USING found f WHERE t.tableoid = f.part AND t.ctid = f.place AND f.x @> f.a
            RETURNING f.entry, t.tableoid AS part, t.ctid AS place, NULL::jsonb AS y', relation);
    END IF;
    RETURN format('WITH %s, found AS MATERIALIZED (%s), put AS (%s) %s', entries, found_rows, put, report);
END
$$;
COMMENT ON FUNCTION crm.undo_statement(text, regclass, text, text, text, text[]) IS 'The statement by which crm.unmerge() writes rows back: kind place (columns of the row), copy (the row anew), delete (a row that the merge added) or drop (a row that it dropped).';
CREATE OR REPLACE FUNCTION crm.kept_undo_statement(kind text, relation regclass, name text, operation text, column_name text, changed text[]) RETURNS text
LANGUAGE c COST 10 AS 'MODULE_PATHNAME', 'crm_kept_undo_statement';
COMMENT ON FUNCTION crm.kept_undo_statement(text, regclass, text, text, text, text[]) IS 'crm.undo_statement(), kept in the session until a table changes.';
CREATE OR REPLACE FUNCTION crm.undrop_rows(relation regclass, survivor bigint, merge bigint, entries integer[], gone bigint DEFAULT NULL, column_name text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    statement text := crm.kept_undo_statement('drop', relation, crm.relation_name(relation), 'drop', column_name, '{}');
    report jsonb := '[]';
    item integer;
    problem text;
BEGIN
    BEGIN
        IF gone IS NOT NULL THEN
            PERFORM crm.run_kept(statement, survivor, merge, entries[1], entries[cardinality(entries)], gone);
            RETURN report;
        END IF;
    EXCEPTION WHEN integrity_constraint_violation THEN
        NULL;                   -- one by one
    END;
    FOREACH item IN ARRAY entries LOOP
        BEGIN
            PERFORM crm.run_kept(statement, survivor, merge, item, item, gone);
        EXCEPTION WHEN integrity_constraint_violation THEN
            GET STACKED DIAGNOSTICS problem = CONSTRAINT_NAME;
            report := report || jsonb_build_object('entry', item, 'what', 'occupied', 'constraint', problem);
        END;
    END LOOP;
    RETURN report;
END
$$;
COMMENT ON FUNCTION crm.undrop_rows(regclass, bigint, bigint, integer[], bigint, text) IS 'Puts the rows back that a merge dropped, by entries of its journal; gives those whose place is taken by now.';
CREATE OR REPLACE FUNCTION crm.merges_after(merge_id bigint, entity text, ids bigint[]) RETURNS bigint[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN ARRAY(
        WITH found AS MATERIALIZED (
            SELECT l.id FROM crm.merge l WHERE l.absorbed_ids && ids
            UNION ALL
            SELECT l.id FROM unnest(ids) i (id) CROSS JOIN LATERAL (
                SELECT s.id FROM crm.merge s WHERE s.entity = merges_after.entity AND s.survivor_id = i.id OFFSET 0) l
        )
        SELECT f.id FROM found f WHERE f.id > merge_id);
END
$$;
COMMENT ON FUNCTION crm.merges_after(bigint, text, bigint[]) IS 'The merges after this one that one of these contacts or companies survived or was absorbed by.';
CREATE OR REPLACE FUNCTION crm.unmerge(merge_id bigint, policy text DEFAULT 'abort', reject boolean DEFAULT true,
    OUT relation text, OUT key jsonb, OUT what text, OUT detail text)
RETURNS SETOF record
LANGUAGE plpgsql ROWS 10
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO, YMD'
SET intervalstyle = 'postgres'
SET timezone = 'UTC'
SET extra_float_digits = 1
SET bytea_output = 'hex'
SET xmloption = 'content'
SET lc_monetary = 'C'
SET jit = off
SET crm.merge_mode = 'undo' AS $$
#variable_conflict use_column
DECLARE
    m record;
    later record;
    touched bigint[];
    candidates bigint[];
    refers_to_itself boolean;
    gone bigint;
    plan jsonb;
    part record;
    target regclass;
    made jsonb;
    report jsonb := '[]';
    removals text[] := '{}';
    done text[] := '{}';
    late integer[] := '{}';
    tangled text[];
    untangled text[];
    item record;
    fact jsonb;
    hook text;
    conflicts integer;
    statement text;
BEGIN
    PERFORM crm.require_installed();
    IF policy IS NULL OR NOT policy IN ('abort', 'keep', 'restore') THEN
        RAISE EXCEPTION 'unknown policy "%" of unmerging', policy
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Known ones: abort, keep (what was changed since), restore (overwrite it).';
    END IF;
    SELECT o.* INTO m FROM crm.merge o WHERE o.id = unmerge.merge_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no merge %', unmerge.merge_id USING ERRCODE = 'no_data_found';
    END IF;
    IF m.entity = 'contact' THEN
        PERFORM FROM crm.contact c WHERE c.id = ANY (m.absorbed_ids || m.survivor_id) ORDER BY c.id FOR UPDATE;
    ELSE
        PERFORM FROM crm.company c WHERE c.id = ANY (m.absorbed_ids || m.survivor_id) ORDER BY c.id FOR UPDATE;
    END IF;
    SELECT o.* INTO m FROM crm.merge o WHERE o.id = unmerge.merge_id FOR UPDATE;
    IF m.undone_at IS NOT NULL THEN
        RAISE EXCEPTION 'merge % was undone already', m.id
            USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = format('%s undid it at %s.', m.undone_by, m.undone_at);
    END IF;
    plan := crm.merge_plan(m.entity);
    -- A later merge builds upon this one when it moved one of its contacts on,
    -- wrote a contact that this one wrote, or found in the survivor a row that
    -- came from here.
    touched := m.absorbed_ids || ARRAY(
        SELECT CASE a.operation WHEN 'fill' THEN a.survivor_id ELSE (a.row_before ->> 'id')::bigint END FROM crm.merge_journal a
        WHERE a.survivor_id = m.survivor_id AND a.merge_id = m.id AND a.relation = m.entity AND a.operation IN ('fill', 'move'));
    -- Merges are many and those of these contacts few: they are found by index.
    -- Only where contacts refer to contacts can any other be concerned.
    refers_to_itself := EXISTS (SELECT FROM jsonb_array_elements(plan -> 'references') r WHERE r.value ->> 'name' = m.entity);
    IF refers_to_itself THEN
        candidates := ARRAY(SELECT l.id FROM crm.merge l WHERE l.id > m.id);
    ELSE
        candidates := crm.merges_after(m.id, m.entity, touched || m.survivor_id);
    END IF;
    IF candidates <> '{}' THEN
        SELECT l.* INTO later FROM crm.merge l
        WHERE l.id = ANY (candidates) AND l.entity = m.entity AND l.undone_at IS NULL
          AND (l.absorbed_ids && (touched || m.survivor_id) OR l.survivor_id = ANY (m.absorbed_ids)
               OR l.survivor_id = ANY (touched) AND EXISTS (
                   SELECT FROM crm.merge_journal b WHERE b.survivor_id = l.survivor_id AND b.merge_id = l.id AND b.relation = m.entity AND b.operation = 'fill')
               OR refers_to_itself AND EXISTS (
                   SELECT FROM crm.merge_journal b WHERE b.survivor_id = l.survivor_id AND b.merge_id = l.id AND b.relation = m.entity AND b.operation = 'move'
                      AND (b.row_before ->> 'id')::bigint = ANY (touched))
               OR l.survivor_id = m.survivor_id AND EXISTS (
                   SELECT FROM crm.merge_journal a JOIN crm.merge_journal b ON b.survivor_id = l.survivor_id AND b.merge_id = l.id AND b.relation = a.relation
                   WHERE a.survivor_id = m.survivor_id AND a.merge_id = m.id
                     AND a.operation IN ('move', 'drop', 'add') AND b.operation IN ('drop', 'relink', 'add')))
        ORDER BY l.id DESC LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'merge % cannot be undone before merge %', m.id, later.id
                USING ERRCODE = 'object_not_in_prerequisite_state',
                      DETAIL = format('Merge %s of %s %s into %s builds upon it.', later.id, m.entity, array_to_string(later.absorbed_ids, ', '), later.survivor_id),
                      HINT = format('Undo it first: SELECT * FROM crm.unmerge(%s).', later.id);
        END IF;
    END IF;
    UPDATE crm.merge o SET undone_at = now(), undone_by = crm.current_actor(), undo_policy = policy WHERE o.id = m.id;
    FOR hook IN SELECT h.undo_function FROM crm.merge_hook h WHERE h.entity = m.entity AND h.undo_function IS NOT NULL ORDER BY h."position" DESC, h.name DESC LOOP
        EXECUTE format('SELECT %s($1, $2, $3)', (crm.merge_hook_function(hook)::regprocedure)::oid::regproc) USING m.id, m.survivor_id, m.absorbed_ids;
    END LOOP;
    -- Who was absorbed last is parted first.
    FOREACH gone IN ARRAY ARRAY(SELECT u.a FROM unnest(m.absorbed_ids) WITH ORDINALITY AS u (a, n) ORDER BY u.n DESC) LOOP
        removals := '{}';
        late := '{}';
        untangled := '{}';
        tangled := ARRAY(
            SELECT j.relation FROM crm.merge_journal j
            WHERE j.survivor_id = m.survivor_id AND j.merge_id = m.id AND j.absorbed_id = gone AND j.operation IN ('move', 'drop', 'relink') AND j.relation <> m.entity
            GROUP BY j.relation HAVING count(DISTINCT j.column_name) > 1 AND bool_or(j.operation <> 'move'));
        -- Rows that were moved or dropped, parents before children.
        FOR part IN
            WITH known AS MATERIALIZED (
                SELECT r.value, r.ordinality, r.value ->> 'name' AS name, r.value ->> 'column' AS column_name
                FROM jsonb_array_elements(plan -> 'references') WITH ORDINALITY r
            ), piece AS MATERIALIZED (
                SELECT j.relation, j.column_name, j.operation, min(j.entry) AS first_entry, max(j.entry) AS last_entry,
                       array_agg(j.entry ORDER BY j.entry) FILTER (WHERE j.operation = 'drop' AND j.row_before ->> j.column_name = j.absorbed_id::text) AS own_drops,
                       array_agg(j.entry ORDER BY j.entry DESC) FILTER (WHERE j.operation = 'relink' OR j.operation = 'drop' AND j.row_before ->> j.column_name IS DISTINCT FROM j.absorbed_id::text) AS late,
                       (SELECT array_agg(DISTINCT k.key ORDER BY k.key) FROM unnest(array_agg(j.row_before) FILTER (WHERE j.operation = 'move'),
                            array_agg(j.row_after) FILTER (WHERE j.operation = 'move')) i (row_before, row_after), jsonb_each(i.row_after) k
                        WHERE k.value IS DISTINCT FROM i.row_before -> k.key) AS changed
                FROM crm.merge_journal j
                WHERE j.survivor_id = m.survivor_id AND j.merge_id = m.id AND j.absorbed_id = gone AND j.operation IN ('move', 'drop', 'add', 'relink') AND j.relation <> m.entity
                GROUP BY j.relation, j.column_name, j.operation
            )
            SELECT p.*, r.reference FROM piece p
            CROSS JOIN LATERAL (SELECT (array_agg(r.value) FILTER (WHERE r.column_name = p.column_name))[1] AS reference,
                                       min(r.ordinality) AS first_place, max(r.ordinality) FILTER (WHERE r.column_name = p.column_name) AS place
                                FROM known r WHERE r.name = p.relation) r
            -- Of two columns of a table the last that was changed first.
            ORDER BY r.first_place NULLS FIRST, r.place DESC, array_position('{move,drop,add,relink}', p.operation), p.first_entry
        LOOP
            target := crm.relation_of(part.relation);
            IF target IS NULL THEN
                IF NOT part.relation = ANY (done) THEN
                    relation := part.relation; key := NULL; what := 'removed'; detail := 'the table is no longer there';
                    done := done || part.relation;
                    RETURN NEXT;
                    report := report || jsonb_build_array(jsonb_build_object('entry', NULL, 'what', 'removed', 'relation', part.relation));
                END IF;
                CONTINUE;
            END IF;
            IF part.relation = ANY (tangled) THEN
                -- Two columns of one row, and rows that gave way: backwards, one by one.
                CONTINUE WHEN part.relation = ANY (untangled);
                untangled := untangled || part.relation;
                FOR item IN
                    SELECT j.entry, j.operation, j.column_name, r.reference,
                           ARRAY(SELECT k.key FROM jsonb_each(j.row_after) k WHERE k.value IS DISTINCT FROM j.row_before -> k.key ORDER BY k.key) AS changed
                    FROM crm.merge_journal j
                    LEFT JOIN LATERAL (SELECT r AS reference FROM jsonb_array_elements(plan -> 'references') r
                                       WHERE r ->> 'name' = j.relation AND r ->> 'column' = j.column_name) r ON true
                    WHERE j.survivor_id = m.survivor_id AND j.merge_id = m.id AND j.absorbed_id = gone AND j.relation = part.relation
                    ORDER BY j.entry DESC
                LOOP
                    IF item.operation = 'drop' THEN
                        report := report || crm.undrop_rows(target, m.survivor_id, m.id, ARRAY[item.entry]);
                        CONTINUE;
                    END IF;
                    statement := crm.kept_undo_statement(CASE WHEN item.operation = 'move' AND (item.reference ->> 'copied')::boolean THEN 'copy' ELSE 'place' END,
                                                         target, part.relation, item.operation, item.column_name, item.changed);
                    report := report || coalesce(crm.run_kept(statement, m.survivor_id, m.id, item.entry, item.entry), '[]');
                    IF item.operation = 'move' AND (item.reference ->> 'copied')::boolean AND NOT item.reference ->> 'remove' = ANY (removals) THEN
                        removals := (item.reference ->> 'remove') || removals;
                    END IF;
                END LOOP;
                CONTINUE;
            END IF;
            late := late || coalesce(part.late, '{}');
            CASE part.operation
            WHEN 'move' THEN
                IF (part.reference ->> 'copied')::boolean THEN
                    statement := crm.kept_undo_statement('copy', target, part.relation, 'move', part.column_name, part.changed);
                    removals := (part.reference ->> 'remove') || removals;
                ELSE
                    statement := crm.kept_undo_statement('place', target, part.relation, 'move', part.column_name, part.changed);
                END IF;
                report := report || coalesce(crm.run_kept(statement, m.survivor_id, m.id, part.first_entry, part.last_entry), '[]');
            WHEN 'add' THEN
                report := report || coalesce(crm.run_kept(crm.kept_undo_statement('delete', target, part.relation, 'add', part.column_name, '{}'),
                                                          m.survivor_id, m.id, part.first_entry, part.last_entry), '[]');
            WHEN 'drop' THEN
                IF part.own_drops IS NOT NULL THEN
                    report := report || crm.undrop_rows(target, m.survivor_id, m.id, part.own_drops, gone, part.column_name);
                END IF;
            ELSE NULL;
            END CASE;
        END LOOP;
        -- The survivor's copies, children before parents.
        FOREACH statement IN ARRAY removals LOOP
            PERFORM crm.run_kept(statement, m.survivor_id, m.id, gone);
        END LOOP;
        -- Rows of the survivor that were dropped, and what referred to dropped rows.
        IF late <> '{}' THEN
            FOR part IN
                SELECT j.entry, j.relation, j.operation, j.column_name, ARRAY(SELECT k FROM jsonb_object_keys(j.row_after) k ORDER BY k) AS changed
                FROM crm.merge_journal j WHERE j.survivor_id = m.survivor_id AND j.merge_id = m.id AND j.entry = ANY (late) ORDER BY j.entry DESC
            LOOP
                target := crm.relation_of(part.relation);
                IF part.operation = 'drop' THEN
                    report := report || crm.undrop_rows(target, m.survivor_id, m.id, ARRAY[part.entry]);
                ELSE
                    report := report || coalesce(crm.run_kept(crm.kept_undo_statement('place', target, part.relation, 'relink', part.column_name, part.changed),
                                                              m.survivor_id, m.id, part.entry, part.entry), '[]');
                END IF;
            END LOOP;
        END IF;
        -- The merged ones themselves, backwards; the absorbed live again, and have
        -- their keys again, when nothing of theirs is with the survivor any more.
        FOR part IN
            SELECT j.operation, j.column_name, min(j.entry) AS first_entry, max(j.entry) AS last_entry,
                   array_agg(DISTINCT k.key ORDER BY k.key) FILTER (WHERE k.value IS DISTINCT FROM j.row_before -> k.key) AS changed
            FROM crm.merge_journal j CROSS JOIN jsonb_each(j.row_after) k
            WHERE j.survivor_id = m.survivor_id AND j.merge_id = m.id AND j.absorbed_id = gone AND j.relation = m.entity AND j.operation IN ('absorb', 'fill', 'move')
            GROUP BY j.operation, j.column_name ORDER BY min(j.entry) DESC
        LOOP
            statement := crm.kept_undo_statement('place', format('crm.%I', m.entity)::regclass, m.entity, part.operation, part.column_name, part.changed);
            report := report || coalesce(crm.run_kept(statement, m.survivor_id, m.id, part.first_entry, part.last_entry), '[]');
        END LOOP;
    END LOOP;

    -- What was not as the merge left it.
    conflicts := 0;
    IF report <> '[]' THEN
        -- Another merge may have had the same rows in hand since, from another side.
        SELECT l.* INTO later
        FROM crm.merge l JOIN crm.merge_journal b ON b.survivor_id = l.survivor_id AND b.merge_id = l.id
        WHERE l.id > m.id AND l.undone_at IS NULL AND EXISTS (
            SELECT FROM jsonb_array_elements(report) r
            JOIN crm.merge_journal a ON a.survivor_id = m.survivor_id AND a.merge_id = m.id AND a.entry = (r.value ->> 'entry')::integer
            WHERE r.value ->> 'what' <> 'differs' AND a.relation = b.relation AND b.row_before || CASE b.operation WHEN 'fill' THEN jsonb_build_object('id', b.survivor_id::text) ELSE '{}' END @> (
                SELECT jsonb_object_agg(k.attname, (a.row_before || coalesce(a.row_after, '{}')) -> k.attname)
                FROM pg_index i JOIN pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = ANY (i.indkey)
                WHERE i.indrelid = crm.relation_of(a.relation) AND i.indisprimary))
        ORDER BY l.id DESC LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'merge % cannot be undone before merge %', m.id, later.id
                USING ERRCODE = 'object_not_in_prerequisite_state',
                      DETAIL = format('Merge %s of %s %s into %s changed rows that this one had changed.', later.id, later.entity, array_to_string(later.absorbed_ids, ', '), later.survivor_id),
                      HINT = format('Undo it first: SELECT * FROM crm.unmerge(%s).', later.id);
        END IF;
        FOR item IN
            SELECT r.value AS fact, j.relation, j.operation, j.row_before, j.row_before || coalesce(j.row_after, '{}') AS row_then
            FROM jsonb_array_elements(report) r
            LEFT JOIN crm.merge_journal j ON j.survivor_id = m.survivor_id AND j.merge_id = m.id AND j.entry = (r.value ->> 'entry')::integer
            ORDER BY j.entry
        LOOP
            conflicts := conflicts + 1;
            CONTINUE WHEN item.relation IS NULL;
            target := crm.relation_of(item.relation);
            fact := item.fact;
            relation := item.relation;
            what := fact ->> 'what';
            key := CASE WHEN item.operation = 'fill' THEN jsonb_build_object('id', m.survivor_id::text) ELSE coalesce((
                SELECT jsonb_object_agg(k.attname, item.row_before -> k.attname) FROM pg_index i JOIN pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = ANY (i.indkey)
                WHERE i.indrelid = target AND i.indisprimary), item.row_before) END;
            detail := CASE what
                WHEN 'changed' THEN format('changed since the merge: %s', (SELECT string_agg(c, ', ') FROM jsonb_array_elements_text(fact -> 'columns') c))
                WHEN 'removed' THEN 'removed since the merge'
                WHEN 'occupied' THEN coalesce('another row is in its place: constraint ' || (fact ->> 'constraint'), 'another row is in its place')
                WHEN 'differs' THEN 'a trigger did not let it be as it was' END;
            IF what = 'differs' THEN
                conflicts := conflicts - 1;
            ELSIF policy = 'restore' AND what IN ('changed', 'removed') THEN
                detail := detail || '; restored';
                IF item.operation = 'add' THEN
                    detail := replace(detail, '; restored', '');
                ELSIF what = 'changed' THEN
                    PERFORM crm.restore_row(target, fact, item.row_before);
                ELSIF crm.undrop_rows(target, m.survivor_id, m.id, ARRAY[(fact ->> 'entry')::integer]) <> '[]' THEN
                    what := 'occupied';
                    detail := 'removed since the merge; another row is in its place';
                END IF;
            ELSIF policy = 'keep' AND what = 'changed' THEN
                detail := detail || '; kept';
            END IF;
            RETURN NEXT;
        END LOOP;
        IF policy = 'abort' AND conflicts > 0 THEN
            RAISE EXCEPTION 'merge % cannot be undone: % rows are not as it left them', m.id, conflicts
                USING ERRCODE = 'object_not_in_prerequisite_state',
                      DETAIL = (SELECT string_agg(format('%s %s: %s%s', coalesce(j.relation, r.value ->> 'relation'),
                                        coalesce((SELECT string_agg(k.attname || ' ' || coalesce((j.row_before || coalesce(j.row_after, '{}')) ->> k.attname, m.survivor_id::text), ', ' ORDER BY k.attnum)
                                         FROM pg_index i JOIN pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = ANY (i.indkey)
                                         WHERE i.indrelid = crm.relation_of(j.relation) AND i.indisprimary), j.row_before::text, ''),
                                        r.value ->> 'what', coalesce(' (' || (SELECT string_agg(c, ', ') FROM jsonb_array_elements_text(nullif(r.value -> 'columns', 'null')) c) || ')', '')), '; ' ORDER BY r.ordinality)
                                FROM jsonb_array_elements(report) WITH ORDINALITY r
                                LEFT JOIN crm.merge_journal j ON j.survivor_id = m.survivor_id AND j.merge_id = m.id AND j.entry = (r.value ->> 'entry')::integer
                                WHERE r.ordinality <= 20 AND r.value ->> 'what' <> 'differs'),
                      HINT = 'Policy keep leaves what was changed since as it is, restore overwrites it with what it was before the merge.';
        END IF;
    END IF;

    -- Who was parted is not one, and is not offered again.
    IF reject THEN
        EXECUTE format('INSERT INTO %1$s AS d (%2$I, duplicate_id, status, strength, method, decided_at, decided_by)
            SELECT least($1, a), greatest($1, a), ''rejected'', 0, ''person'', now(), crm.current_actor() FROM unnest($2) a
            ON CONFLICT (%2$I, duplicate_id) DO UPDATE SET status = excluded.status, decided_at = excluded.decided_at, decided_by = excluded.decided_by',
            CASE m.entity WHEN 'contact' THEN 'crm.duplicate_pair' ELSE 'crm.company_duplicate_pair' END, m.entity || '_id')
        USING m.survivor_id, m.absorbed_ids;
    END IF;
    -- What came to the survivor since stays there.
    made := crm.run_kept(plan ->> 'since', m.survivor_id, m.id);
    IF made IS NOT NULL THEN
        RETURN QUERY SELECT k.value ->> 'name', k.value -> 'key', 'stays', format('came or was written since the merge; stays with %s %s', m.entity, m.survivor_id)
        FROM jsonb_array_elements(made) k;
    END IF;
    RETURN;
END
$$;
COMMENT ON FUNCTION crm.unmerge(bigint, text, boolean) IS 'Undoes a merge of contacts or companies: every row is again as it was before, to the byte, with its updated_at. Gives what is not: what = changed, removed or occupied (since the merge; policy abort raises instead and leaves everything, keep leaves what was changed as it is and puts the rest back, restore overwrites it), differs (a trigger of yours interfered), stays (a row made since, which stays with the survivor). With reject the pair is never offered as duplicates again. Errors: P0002 no such merge; 55000 it was undone already, a later merge builds upon it, or rows were changed; 22023 unknown policy; 23505 an account belongs to another by now; 42501 no right to a table.';
CREATE OR REPLACE FUNCTION crm.restore_row(relation regclass, fact jsonb, texts jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('UPDATE %1$s t SET %2$s FROM crm.row_restore(NULL::%1$s, $1) r WHERE t.tableoid = $2 AND t.ctid = $3', relation,
        (SELECT string_agg(format('%1$I = CASE WHEN $1 ? %2$L THEN r.%1$I ELSE t.%1$I END', a.attname, a.attname), ', ')
         FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity <> 'a'))
    USING texts, (fact ->> 'part')::bigint::oid, (fact ->> 'place')::tid;
END
$$;
COMMENT ON FUNCTION crm.restore_row(regclass, jsonb, jsonb) IS 'Overwrites the row at a place with the columns that texts names.';
CREATE OR REPLACE FUNCTION crm.key_versions(OUT kind text, OUT version integer) RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    VALUES ('name_key', crm.name_key_version()), ('email_match_key', crm.email_match_key_version())
$$;
COMMENT ON FUNCTION crm.key_versions() IS 'The versions of the rules by which this code makes match keys.';
CREATE OR REPLACE FUNCTION crm.after_install() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO crm.key_version (kind, version)
    SELECT k.kind, k.version FROM crm.key_versions() k ON CONFLICT (kind) DO NOTHING;
    -- DROP EXTENSION ... CASCADE takes columns of our types with it; what was
    -- entered is still there, and writing it again derives them anew.
    UPDATE crm.contact_point SET raw = raw WHERE (kind = 'email' AND email IS NULL) OR (kind = 'phone' AND phone IS NULL);
    UPDATE crm.company_point SET raw = raw WHERE (kind = 'email' AND email IS NULL) OR (kind = 'phone' AND phone IS NULL);
    UPDATE crm.archive_rule SET definition = definition WHERE rule IS NULL AND definition IS NOT NULL;
    -- Merges of 0.1.0 have a journal only.
    INSERT INTO crm.merge (id, entity, survivor_id, absorbed_ids, at, actor, next_transaction_id)
    SELECT j.merge_id, 'contact', j.survivor_id, array_agg(DISTINCT j.absorbed_id ORDER BY j.absorbed_id), min(j.at), min(j.actor), NULL
    FROM crm.merge_journal j
    WHERE NOT EXISTS (SELECT FROM crm.merge m WHERE m.id = j.merge_id)
    GROUP BY j.merge_id, j.survivor_id ON CONFLICT (id) DO NOTHING;
END
$$;
COMMENT ON FUNCTION crm.after_install() IS 'Completes crm.install() and crm.upgrade(): records key versions, fills derived columns that a dropped extension took with it, and lists the merges of which there is only a journal.';
CREATE OR REPLACE FUNCTION crm.rebuild_keys() RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    touched bigint := 0;
    n bigint;
BEGIN
    PERFORM crm.require_installed();
    -- Writing a row as it is makes the trigger derive its keys; nothing else changes.
    UPDATE crm.contact SET id = id;
    GET DIAGNOSTICS n = ROW_COUNT;
    touched := touched + n;
    UPDATE crm.company SET id = id;
    GET DIAGNOSTICS n = ROW_COUNT;
    touched := touched + n;
    UPDATE crm.contact_point SET raw = raw WHERE kind IN ('email', 'phone');
    GET DIAGNOSTICS n = ROW_COUNT;
    touched := touched + n;
    UPDATE crm.company_point SET raw = raw WHERE kind IN ('email', 'phone');
    GET DIAGNOSTICS n = ROW_COUNT;
    touched := touched + n;
    PERFORM crm.refresh_contact_keys((SELECT array_agg(id) FROM crm.contact));
    PERFORM crm.refresh_company_keys((SELECT array_agg(id) FROM crm.company));
    INSERT INTO crm.key_version (kind, version) SELECT k.kind, k.version FROM crm.key_versions() k
    ON CONFLICT (kind) DO UPDATE SET version = excluded.version, built_at = now();
    RETURN touched;
END
$$;
COMMENT ON FUNCTION crm.rebuild_keys() IS 'Derives all match keys and canonical forms again, after an update of the package that changed their rules (crm.status() says when). Rewrites every contact, company and point without changing what was entered; returns the number of rows. Takes row locks on all of them.';
CREATE OR REPLACE FUNCTION crm.job_is_running(job text) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_locks l
                   WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted
                     AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                     AND l.classid = (hashtext('crm.job')::bigint & 4294967295)::oid
                     AND l.objid = (hashtext(job)::bigint & 4294967295)::oid)
$$;
COMMENT ON FUNCTION crm.job_is_running(text) IS 'Whether a session is running the job of this name now.';
CREATE OR REPLACE FUNCTION crm.before_uninstall() RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    item record;
BEGIN
    -- They would refuse every row when there are no keys to write.
    FOR item IN SELECT t.tgname, t.tgrelid::regclass AS relation FROM pg_trigger t
                JOIN pg_class c ON c.oid = t.tgrelid
                WHERE (t.tgfoid = 'crm.match_door()'::regprocedure
                       OR c.relnamespace <> 'crm'::regnamespace AND t.tgfoid IN ('crm.queue_for_segments()'::regprocedure, to_regprocedure('crm.refresh_all_segments()')))
                  AND NOT t.tgisinternal AND t.tgparentid = 0 LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', item.tgname, item.relation);
    END LOOP;
    RETURN crm.unschedule_jobs();
END
$$;
COMMENT ON FUNCTION crm.before_uninstall() IS 'Undoes what crm keeps outside its schema: triggers of match models and segments on tables of yours, and scheduled jobs, or says what there is to undo. Errors: 42501 such a table belongs to another.';
CREATE OR REPLACE FUNCTION crm.create_roles() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning AS $$
DECLARE
    roles CONSTANT text[] := ARRAY['crm_admin', 'crm_manager', 'crm_agent', 'crm_marketer', 'crm_analyst', 'crm_gateway', 'crm_portal'];
    missing text[] := ARRAY(SELECT r FROM unnest(roles) WITH ORDINALITY AS u (r, n) WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) ORDER BY n);
    role text;
    grants record;
    item record;
BEGIN
    IF missing <> '{}' AND NOT (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user) THEN
        RAISE EXCEPTION 'role "%" may not create roles', current_user
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = format('Missing are: %s.', array_to_string(missing, ', ')),
                  HINT = format('Have someone who may run "%s", and call the function again; or make the tables without roles.',
                                (SELECT string_agg(format('CREATE ROLE %I;', m), ' ' ORDER BY n) FROM unnest(missing) WITH ORDINALITY AS u (m, n)));
    END IF;
    FOREACH role IN ARRAY roles LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA crm TO %I', role);
    END LOOP;
    -- A line says what a role may do with relations whose name matches; what
    -- a table is called that a later version adds decides who may use it.
    FOR grants IN
        SELECT * FROM (VALUES
            ('crm_admin', 'SELECT, INSERT, UPDATE, DELETE', '.*', 'installation|schema_object|key_version|audit_log|deal_history|.*_key|merge|merge_journal|match_(model|field|version|level|frequency|rule_yield|door)|blocking_rule|contact_metric'),
            ('crm_admin', 'SELECT', '.*', NULL),
            ('crm_admin', 'INSERT', 'merge_journal', NULL),
            ('crm_admin', 'INSERT, UPDATE', 'merge', NULL),
            ('crm_manager', 'SELECT', '.*', 'schema_object'),
            ('crm_manager', 'INSERT, UPDATE, DELETE', '(contact|company|deal|task|reminder|activity|touchpoint|quote|sales_order|payment|shipment)(_.*)?|party_relation|owned_product|external_ref|tag|consent|source_value|field_source|duplicate_pair|match_(label|pair|cluster)|import_.*|sales_goal|agent|team|territory|branch|notification',
             'contact_key|company_key|contact_metric|deal_history'),
            ('crm_manager', 'INSERT', 'merge_journal|outbox', NULL),
            ('crm_manager', 'INSERT, UPDATE', 'merge', NULL),
            ('crm_agent', 'SELECT', '(contact|company|deal|task|reminder|activity|stage|pipeline|agent|team|branch|territory|quote|sales_order|payment|shipment)(_.*)?|party_relation|owned_product|external_ref|tag|consent|channel|custom_field|source_value|field_source|duplicate_pair|survivorship_rule|completeness_weight|loss_reason|product|currency|base_currency|fx_rate|interaction_type|event_kind|notification|email_domain|email_role|name_alias|installation|audit_log|v_(contact|contact_360|consent|company|completeness|stale_contact|duplicate|company_duplicate|match_contact|match_company|deal|order|contact_metric|task|pipeline|activity_gap|rotting_deal|need_trend|segment_member)|segment|segment_(chunk|offer|history|fill)|incentive', NULL),
            ('crm_agent', 'INSERT, UPDATE', '(contact|company|deal|task|reminder|activity)(_.*)?|sales_order|owned_product|external_ref|tag|consent|source_value|field_source|notification',
             'contact_key|company_key|contact_metric|deal_history'),
            ('crm_agent', 'DELETE', 'contact_(point|date|need|identity)|company_(point|contact)|external_ref|tag|owned_product|deal_contact|reminder', NULL),
            ('crm_agent', 'INSERT', 'outbox', NULL),
            ('crm_marketer', 'SELECT', 'archive_rule|contact|contact_(point|need|date|identity|metric|profile)|event_kind|company|company_contact|party_relation|owned_product|tag|consent|channel|custom_field|completeness_weight|activity|interaction_type|deal|sales_order|currency|base_currency|fx_rate|stage|pipeline|loss_reason|product|agent|branch|territory|email_domain|email_role|name_alias|installation|external_ref|v_(contact|contact_360|consent|company|completeness|data_quality|stale_contact|need_trend|pipeline|order|contact_metric)|task|(v_)?segment(_.*)?|incentive|campaign(_.*)?', NULL),
            ('crm_marketer', 'INSERT, DELETE', 'tag', NULL),
            ('crm_marketer', 'INSERT', 'consent|contact_need|outbox|segment_(history|fill)', NULL),
            ('crm_marketer', 'INSERT, UPDATE, DELETE', '(segment|campaign)(_.*)?|incentive', 'segment_(history|fill)'),
            ('crm_analyst', 'SELECT', 'v_contact_masked|v_pipeline|v_deal_history|deal|deal_history|sales_order|contact_metric|base_currency|stage|stage_transition|pipeline|loss_reason|product|company|agent|team|branch|territory|currency|fx_rate|channel|interaction_type|sales_goal|forecast_snapshot|installation', NULL),
            ('crm_gateway', 'SELECT, UPDATE', 'outbox', NULL),
            ('crm_gateway', 'SELECT', 'installation', NULL),
            ('crm_portal', 'SELECT', 'installation', NULL)
        ) AS g (role, rights, matching, except_matching)
    LOOP
        FOR item IN
            SELECT o.name, o.kind FROM crm.schema_object o
            WHERE o.kind IN ('table', 'view') AND crm.object_exists(o.kind, o.relation, o.name)
              AND o.name ~ ('^(' || grants.matching || ')$')
              AND (grants.except_matching IS NULL OR NOT o.name ~ ('^(' || grants.except_matching || ')$'))
              AND (o.kind = 'table' OR grants.rights = 'SELECT')
            ORDER BY o.name
        LOOP
            EXECUTE format('GRANT %s ON crm.%I TO %I', grants.rights, item.name, grants.role);
        END LOOP;
    END LOOP;
    -- Numbers of new rows.
    FOR item IN
        SELECT c.relname AS name FROM pg_class c
        WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind = 'S' AND pg_has_role(c.relowner, 'USAGE')
    LOOP
        EXECUTE format('GRANT USAGE ON SEQUENCE crm.%I TO crm_admin, crm_manager, crm_agent, crm_marketer', item.name);
    END LOOP;
    GRANT EXECUTE ON FUNCTION crm.link_identity(bigint, text, text, jsonb) TO crm_admin, crm_manager, crm_agent, crm_portal;
    GRANT EXECUTE ON FUNCTION crm.rebuild_contact_metric(bigint[]) TO crm_admin;
END
$$;
COMMENT ON FUNCTION crm.create_roles() IS 'Creates the roles of crm that are missing and grants them their rights on what is installed; run again, it completes the rights. Takes nothing away. Errors: 42501 when the caller may not create roles.';
CREATE OR REPLACE FUNCTION crm.match_status(as_of timestamptz, OUT item text, OUT state text, OUT detail text, OUT hint text) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regclass('crm.match_model') IS NULL OR to_regclass('crm.match_version') IS NULL OR to_regclass('crm.match_door') IS NULL OR to_regclass('crm.match_queue') IS NULL THEN
        RETURN;                 -- named by crm.status() as missing
    END IF;
    RETURN QUERY SELECT 'match model ' || m.name, 'warning', format('table %s is not there', m.relation),
                        format('SELECT crm.drop_match_model(%L), or correct crm.match_model.relation', m.name)
    FROM crm.match_model m WHERE to_regclass(m.relation) IS NULL ORDER BY m.name;
    RETURN QUERY SELECT 'match model ' || m.name, 'warning', format('trained by rules of folding %s, the code has %s', v.key_version, crm.match_key_version()),
                        format('SELECT crm.train_match_model(%L)', m.name)
    FROM crm.match_model m JOIN crm.match_version v ON v.model = m.name AND v.version = m.version
    WHERE v.key_version <> crm.match_key_version() ORDER BY m.name;
    RETURN QUERY SELECT 'match model ' || m.name, 'warning',
                        CASE WHEN m.version IS NULL THEN 'not trained since its fields or rules changed: the door does not look'
                             ELSE format('keys at the door are of version %s, the model is of version %s', coalesce(d.version::text, 'none'), m.version) END,
                        CASE WHEN m.version IS NULL THEN format('SELECT crm.train_match_model(%L)', m.name) ELSE format('SELECT crm.build_match_keys(%L)', m.name) END
    FROM crm.match_model m LEFT JOIN crm.match_door d ON d.model = m.name
    WHERE m.at_the_door <> 'off' AND m.version IS DISTINCT FROM d.version ORDER BY m.name;
    -- The triggers of a model by table: insert, delete, update and truncate.
    RETURN QUERY
    WITH present AS (
        SELECT m.name, t.tgrelid::regclass AS relation, t.tgname, t.tgenabled, t.tgtype::integer & 60 AS event
        FROM crm.match_model m
        JOIN pg_trigger t ON t.tgfoid = 'crm.match_door()'::regprocedure AND NOT t.tgisinternal AND t.tgparentid = 0
             AND starts_with(encode(t.tgargs, 'escape'), encode(convert_to(m.name, getdatabaseencoding()), 'escape') || '\000')
        WHERE m.at_the_door <> 'off')
    SELECT 'match model ' || p.name, 'error', format('trigger %s on %s is disabled', p.tgname, p.relation),
           format('ALTER TABLE %s ENABLE TRIGGER %I', p.relation, p.tgname)
    FROM present p WHERE p.tgenabled = 'D'
    UNION ALL
    SELECT 'match model ' || p.name, 'error', format('of the triggers on %s some are missing', p.relation), 'Call crm.guard_duplicates() again.'
    FROM present p GROUP BY p.name, p.relation HAVING bit_or(p.event) <> 60
    UNION ALL
    SELECT 'match model ' || m.name, 'error', format('policy %s, but no table has its triggers', m.at_the_door),
           CASE WHEN m.relation = 'crm.v_match_contact' THEN format('SELECT crm.guard_duplicates(%1$L, %2$L, t, c) FROM (VALUES (''crm.contact''::regclass, ''id''), (''crm.contact_point'', ''contact_id'')) v (t, c)', m.name, m.at_the_door)
                WHEN m.relation = 'crm.v_match_company' THEN format('SELECT crm.guard_duplicates(%1$L, %2$L, t, c) FROM (VALUES (''crm.company''::regclass, ''id''), (''crm.company_point'', ''company_id'')) v (t, c)', m.name, m.at_the_door)
                WHEN EXISTS (SELECT FROM pg_class c WHERE c.oid = to_regclass(m.relation) AND c.relkind IN ('r', 'p')) THEN format('SELECT crm.guard_duplicates(%L, %L)', m.name, m.at_the_door)
                ELSE 'Call crm.guard_duplicates() again, for each table of the view.' END
    FROM crm.match_model m WHERE m.at_the_door <> 'off' AND NOT EXISTS (SELECT FROM present p WHERE p.name = m.name)
    ORDER BY 1, 3;
    RETURN QUERY SELECT 'match model ' || q.model, 'warning', format('records wait for the sweep since %s', to_char(min(q.queued_at), 'YYYY-MM-DD HH24:MI:SS TZ')),
                        'Does job "match" run? A transaction that stays open holds it up: SELECT * FROM pg_stat_activity ORDER BY xact_start.'
    FROM crm.match_queue q GROUP BY q.model HAVING min(q.queued_at) < as_of - interval '1 hour' ORDER BY q.model;
END
$$;
COMMENT ON FUNCTION crm.match_status(timestamptz) IS 'What crm.status() says of match models: tables that are gone, rules of folding and keys of older versions, missing or disabled triggers, records that wait long for crm.dedup_tick().';
CREATE OR REPLACE FUNCTION crm.status(as_of timestamptz DEFAULT now(), OUT item text, OUT state text, OUT detail text, OUT hint text) RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    installed text := crm.installed_version();
    object record;
BEGIN
    RETURN QUERY SELECT 'code', CASE WHEN crm.library_version() = crm.code_version() THEN 'ok' ELSE 'error' END,
        format('library %s, functions %s', crm.library_version(), crm.code_version()),
        CASE WHEN crm.library_version() <> crm.code_version() THEN 'Run ALTER EXTENSION crm UPDATE, or end sessions that loaded the old library.' END;
    IF installed IS NULL THEN
        RETURN QUERY SELECT 'tables', 'error', 'not installed in this database', 'Run SELECT crm.install().';
        RETURN;
    END IF;
    RETURN QUERY SELECT 'tables', CASE WHEN installed = crm.code_version() THEN 'ok' ELSE 'error' END,
        format('version %s, owned by %s', installed, (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = 'crm.installation'::regclass)),
        CASE WHEN installed <> crm.code_version() THEN 'Run SELECT crm.upgrade().' END;
    IF installed <> crm.code_version() THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT 'schema', 'warning', format('schema crm belongs to %s, who may drop what is in it', pg_get_userbyid(n.nspowner)),
                        'ALTER SCHEMA crm OWNER TO the owner of the tables.'
    FROM pg_namespace n JOIN pg_class c ON c.oid = 'crm.installation'::regclass
    WHERE n.nspname = 'crm' AND n.nspowner <> c.relowner AND NOT (SELECT rolsuper FROM pg_roles WHERE oid = n.nspowner);
    RETURN QUERY SELECT 'encoding', 'warning', format('the database is in %s: names and addresses beyond ASCII are not understood', pg_encoding_to_char(encoding)),
                        'Use a database in UTF8.'
    FROM pg_database WHERE datname = current_database() AND pg_encoding_to_char(encoding) <> 'UTF8';
    FOR object IN
        SELECT s.kind, s.relation, s.name, s.columns FROM crm.schema_source() f, crm.schema_statements(f.source) s
        WHERE f.kind <> 'migration' AND crm.object_exists(s.kind, s.relation, s.name) IS NOT NULL
    LOOP
        IF NOT crm.object_exists(object.kind, object.relation, object.name) THEN
            RETURN QUERY SELECT object.kind || ' ' || object.name, 'error',
                'missing' || CASE WHEN object.kind IN ('trigger', 'index') THEN ' on crm.' || object.relation ELSE '' END, 'Run SELECT crm.install().';
        ELSIF object.kind = 'table' THEN
            RETURN QUERY SELECT 'table ' || object.name, 'error', format('column %s is missing', c), 'Run SELECT crm.install().'
            FROM unnest(object.columns) c
            WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = format('crm.%I', object.name)::regclass AND a.attname = c AND NOT a.attisdropped);
        ELSIF object.kind = 'trigger' THEN
            RETURN QUERY SELECT 'trigger ' || object.name, 'error', format('disabled on crm.%s', object.relation),
                format('ALTER TABLE crm.%I ENABLE TRIGGER %I', object.relation, object.name)
            FROM pg_trigger t WHERE t.tgrelid = format('crm.%I', object.relation)::regclass AND t.tgname = object.name AND t.tgenabled = 'D';
        END IF;
    END LOOP;
    RETURN QUERY SELECT 'index ' || c.relname, 'error', 'invalid', format('REINDEX INDEX CONCURRENTLY crm.%I', c.relname)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE c.relnamespace = 'crm'::regnamespace AND NOT i.indisvalid;
    IF to_regclass('crm.key_version') IS NULL OR to_regclass('crm.job') IS NULL OR to_regclass('crm.job_run') IS NULL OR to_regclass('crm.import_reject') IS NULL THEN
        RETURN;                 -- named above as missing
    END IF;
    RETURN QUERY SELECT 'keys', CASE WHEN v.version = k.version THEN 'ok' ELSE 'warning' END,
        format('%s: stored by rules %s, the code has %s', k.kind, coalesce(v.version::text, 'unknown'), k.version),
        CASE WHEN v.version IS DISTINCT FROM k.version THEN 'Run SELECT crm.rebuild_keys() when the load allows it.' END
    FROM crm.key_versions() k LEFT JOIN crm.key_version v USING (kind);
    RETURN QUERY SELECT 'jobs',
        CASE WHEN r.last IS NULL THEN 'info' WHEN r.last < as_of - interval '5 minutes' THEN 'warning' ELSE 'ok' END,
        format('%s enabled, last run %s', j.enabled, coalesce(to_char(r.last, 'YYYY-MM-DD HH24:MI:SS TZ'), 'never')),
        CASE WHEN r.last IS NULL OR r.last < as_of - interval '5 minutes'
             THEN 'SELECT crm.schedule_jobs() has pg_cron call them, or call crm.run_due_jobs() every minute from another scheduler.' END
    FROM (SELECT count(*) AS enabled FROM crm.job WHERE enabled) j, (SELECT max(finished_at) AS last FROM crm.job_run) r;
    RETURN QUERY SELECT 'job ' || j.name, 'warning', format('%s failed runs in a row, the last with: %s', j.failures, j.last_result),
                        'SELECT * FROM crm.job_run WHERE status = ''error'' ORDER BY id DESC'
    FROM crm.job j WHERE j.failures > 0 AND NOT crm.job_is_running(j.name);
    RETURN QUERY SELECT 'job ' || j.name, 'info', format('running since %s', to_char(j.last_run_at, 'YYYY-MM-DD HH24:MI:SS TZ')), NULL::text
    FROM crm.job j WHERE crm.job_is_running(j.name);
    -- pg_cron runs a job with the rights of the role that scheduled it.
    IF to_regclass('cron.job') IS NOT NULL AND has_table_privilege('cron.job', 'SELECT') THEN
        RETURN QUERY EXECUTE $cron$
            SELECT 'pg_cron',
                   CASE WHEN count(*) = 1 AND bool_and(j.active AND coalesce(r.rolcanlogin, false) AND NOT r.rolsuper) THEN 'ok' ELSE 'warning' END,
                   coalesce(string_agg(format('entry %s runs as %s%s%s', j.jobid, j.username,
                       CASE WHEN j.active THEN '' ELSE ', not active' END,
                       CASE WHEN r.oid IS NULL THEN ', a role that does not exist' WHEN NOT r.rolcanlogin THEN ', which cannot log in'
                            WHEN r.rolsuper THEN ', a superuser' ELSE '' END), '; '), 'no entry'),
                   CASE count(*) WHEN 0 THEN 'SELECT crm.schedule_jobs()' END
            FROM cron.job j LEFT JOIN pg_catalog.pg_roles r ON r.rolname = j.username
            WHERE j.jobname = $1 AND j.database = current_database() $cron$ USING crm.tick_name();
    END IF;
    RETURN QUERY SELECT 'keys', 'error', 'living contacts with an e-mail address or phone number have no key: look-ups miss them', 'Run SELECT crm.rebuild_keys().'
    WHERE EXISTS (SELECT FROM crm.contact_point p JOIN crm.contact c ON c.id = p.contact_id
                  WHERE p.match_key IS NOT NULL AND c.deleted_at IS NULL AND c.merged_into IS NULL
                    AND NOT EXISTS (SELECT FROM crm.contact_key k WHERE k.kind = p.kind AND k.key = p.match_key AND k.contact_id = p.contact_id));
    IF to_regclass('crm.sales_order') IS NOT NULL THEN
        RETURN QUERY SELECT 'orders', 'info', format('%s orders in %s have no exchange rate: their amounts are in no sum', count(*), string_agg(DISTINCT o.currency, ', ')),
                            'INSERT INTO crm.fx_rate (currency, base, valid_from, rate) ...: they take it at once.'
        FROM crm.sales_order o WHERE o.exchange_rate IS NULL HAVING count(*) > 0;
    END IF;
    RETURN QUERY SELECT * FROM crm.match_status(as_of);
    RETURN QUERY SELECT * FROM crm.segment_status(as_of);
    IF crm.may_read('{crm.segment,crm.incentive,crm.archive_rule,crm.event_kind,crm.segment_goal,crm.pipeline,crm.stage,crm.stage_transition,crm.job,
                      crm.branch,crm.agent,crm.survivorship_rule,crm.completeness_weight,crm.custom_field,crm.contact_profile,crm.contact_metric}')
       AND 3 = (SELECT count(*) FROM unnest('{crm.segment,crm.incentive,crm.archive_rule}'::text[]) t JOIN pg_attribute a ON a.attrelid = to_regclass(t) AND a.attname = 'rule' AND NOT a.attisdropped) THEN
        RETURN QUERY SELECT concat_ws(' ', c.item, c.name), 'warning', c.problem, c.hint FROM crm.validate_config() c;
    END IF;
    RETURN QUERY SELECT 'phone numbering plans', 'info', crm.phone_metadata_version(), NULL::text;
    RETURN QUERY SELECT 'imports', 'info', format('%s rows set aside and not looked at', count(*)), 'SELECT * FROM crm.import_reject WHERE resolved_at IS NULL'
    FROM crm.import_reject WHERE resolved_at IS NULL HAVING count(*) > 0;
END
$$;
COMMENT ON FUNCTION crm.status(timestamptz) IS 'The state of the installation, a row a finding: item, state (ok, info, warning, error), detail and what to do about it. Looks at versions, missing or disabled objects, key versions, owner, encoding, jobs, match models, segments, and at what is configured (crm.validate_config()).';
/* ------------------------------------------------------------------
 * Comments on what only the server calls: input and output functions, the
 * functions behind operators and operator classes, planner support.
 * ------------------------------------------------------------------ */

DO $$
DECLARE
    item record;
BEGIN
    FOR item IN
        SELECT DISTINCT ON (p.oid) p.oid::pg_catalog.regprocedure AS function, r.text
        FROM pg_catalog.pg_proc p
        JOIN (
            SELECT t.typinput::oid AS oid, 1 AS rank, 'Input function of type ' || pg_catalog.format_type(t.oid, NULL) || '. Errors: 22P02 malformed value.' AS text FROM pg_catalog.pg_type t
            UNION ALL SELECT t.typoutput::oid, 1, 'Output function of type ' || pg_catalog.format_type(t.oid, NULL) || '.' FROM pg_catalog.pg_type t
            UNION ALL SELECT t.typreceive::oid, 1, 'Binary input function of type ' || pg_catalog.format_type(t.oid, NULL) || '. Errors: 22P03 malformed binary value.' FROM pg_catalog.pg_type t
            UNION ALL SELECT t.typsend::oid, 1, 'Binary output function of type ' || pg_catalog.format_type(t.oid, NULL) || '.' FROM pg_catalog.pg_type t
            UNION ALL SELECT o.oprcode::oid, 2, 'Implementation of operator ' || o.oid::pg_catalog.regoperator || '.' FROM pg_catalog.pg_operator o
            UNION ALL SELECT a.amproc::oid, 3, 'Support function ' || a.amprocnum || ' of ' || m.amname || ' operator family ' || f.opfname || '.'
                      FROM pg_catalog.pg_amproc a JOIN pg_catalog.pg_opfamily f ON f.oid OPERATOR(pg_catalog.=) a.amprocfamily JOIN pg_catalog.pg_am m ON m.oid OPERATOR(pg_catalog.=) f.opfmethod
            UNION ALL SELECT s.prosupport::oid, 4, 'Planner support of ' || s.oid::pg_catalog.regprocedure || '.' FROM pg_catalog.pg_proc s WHERE s.prosupport::oid OPERATOR(pg_catalog.<>) 0
            UNION ALL SELECT g.aggtransfn::oid, 5, 'Transition function of aggregate ' || g.aggfnoid || '.' FROM pg_catalog.pg_aggregate g
            UNION ALL SELECT k.castfunc, 6, 'Cast from ' || pg_catalog.format_type(k.castsource, NULL) || ' to ' || pg_catalog.format_type(k.casttarget, NULL) || '.' FROM pg_catalog.pg_cast k
        ) r ON r.oid OPERATOR(pg_catalog.=) p.oid
        WHERE p.pronamespace OPERATOR(pg_catalog.=) 'crm'::pg_catalog.regnamespace
          AND pg_catalog.obj_description(p.oid, 'pg_proc') IS NULL
        ORDER BY p.oid, r.rank, r.text
    LOOP
        EXECUTE pg_catalog.format('COMMENT ON FUNCTION %s IS %L', item.function, item.text);
    END LOOP;
END
$$;

COMMENT ON FUNCTION crm.phone_base_low(crm.phone) IS 'For plans of ~= only: the lower end of the index range of a number and its extensions.';
COMMENT ON FUNCTION crm.phone_base_high(crm.phone) IS 'For plans of ~= only: the upper end of the index range of a number and its extensions.';
COMMENT ON FUNCTION crm.phone_prefix_low(text) IS 'For plans of ^@ only: the lower end of the index range of a prefix.';
COMMENT ON FUNCTION crm.phone_prefix_high(text) IS 'For plans of ^@ only: the upper end of the index range of a prefix.';
COMMENT ON FUNCTION crm.phone_suffix_low(text) IS 'For plans of %^ only: the lower end of the index range of a suffix.';
COMMENT ON FUNCTION crm.phone_suffix_high(text) IS 'For plans of %^ only: the upper end of the index range of a suffix.';
CREATE OR REPLACE FUNCTION crm.schema_source(OUT "position" integer, OUT kind text, OUT name text, OUT source text)
RETURNS SETOF record LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $crm_function$
SELECT * FROM (VALUES
(1, 'table', '00-installation', $crm_source$
CREATE TABLE crm.schema_object (
    kind text, -- sequence, table, index, view, trigger, function or policy.
    relation text, -- The table it belongs to; for tables, views, sequences and functions the name again.
    name text, -- Name of the object, in schema crm.
    statement text NOT NULL, -- The statement that created it.
    created_at timestamptz NOT NULL DEFAULT now(), -- When it was last created.
    PRIMARY KEY (kind, relation, name)
);
COMMENT ON TABLE crm.schema_object IS 'What crm.install() made, with the statement that made it: tells a view or trigger that the user replaced from one that an upgrade may replace.';

CREATE TABLE crm.installation (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton), -- Always true: makes the row the only one.
    version text NOT NULL, -- Version of the tables, views and triggers; crm.code_version() is that of the code.
    installed_at timestamptz NOT NULL DEFAULT now(), -- When crm.install() first ran.
    installed_by text NOT NULL DEFAULT current_user, -- The role that ran it.
    upgraded_at timestamptz -- When crm.upgrade() last ran; null if never.
);
COMMENT ON TABLE crm.installation IS 'One row: the version whose tables and views this database has. Kept by crm.install() and crm.upgrade().';

CREATE TABLE crm.key_version (
    kind text PRIMARY KEY, -- name_key, email_match_key or phone_metadata.
    version integer NOT NULL, -- Version of the rules.
    built_at timestamptz NOT NULL DEFAULT now() -- When the keys were last recomputed.
);
COMMENT ON TABLE crm.key_version IS 'The version of the rules by which stored match keys were computed. When the code has newer rules crm.status() says so and crm.rebuild_keys() recomputes.';
$crm_source$), (2, 'table', '02-audit', $crm_source$
CREATE SEQUENCE crm.audit_log_id_seq;

CREATE TABLE crm.audit_log (
    relation text NOT NULL, -- Table of the row, without schema.
    row_id bigint NOT NULL, -- Its id; 0 for tables without a numeric id.
    id bigint NOT NULL DEFAULT nextval('crm.audit_log_id_seq'), -- Number of the entry; grows with time.
    contact_id bigint, -- The contact whose data it is; null when none.
    operation text NOT NULL CHECK (operation IN ('insert', 'update', 'delete')), -- insert, update or delete.
    changes jsonb, -- {"column": {"old": ..., "new": ...}} of each column that changed; a delete has the old values only; null for an insert, whose values are the row's.
    at timestamptz NOT NULL DEFAULT now(), -- When: start of the transaction.
    actor text NOT NULL, -- The person: setting crm.actor, otherwise the session's role.
    role text NOT NULL, -- The database role with whose rights the change was made.
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(), -- The transaction that made the change.
    PRIMARY KEY (row_id, relation, id)
);
COMMENT ON TABLE crm.audit_log IS 'Every change of contacts, companies and what hangs on them, field by field, written by triggers in the transaction that makes it.';
CREATE INDEX audit_log_contact ON crm.audit_log (contact_id, id) WHERE contact_id IS NOT NULL AND operation <> 'insert';
CREATE INDEX audit_log_at ON crm.audit_log USING brin (at);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON crm.audit_log FOR EACH ROW EXECUTE FUNCTION crm.refuse_audit_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON crm.audit_log FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_audit_change();
$crm_source$), (3, 'table', '05-email', $crm_source$
CREATE TABLE crm.email_domain (
    domain text PRIMARY KEY CHECK (domain <> '' AND domain = lower(domain) AND domain !~ '[[:space:]@]'), -- In lower case, in Unicode as crm.domain() gives it or in its "xn--" form.
    is_disposable boolean, -- Gives throw-away addresses; false is an exception from what a parent domain says, null says nothing.
    is_free_provider boolean, -- Gives addresses to anybody, so that the domain is no sign of a company; false is an exception from what a parent domain says, null says nothing.
    note text, -- Where the row comes from, or why it is as it is.
    created_at timestamptz NOT NULL DEFAULT now() -- When the row was added.
);
COMMENT ON TABLE crm.email_domain IS 'What is known of e-mail domains; advice for crm.is_disposable() and crm.is_free_provider(), never a reason to refuse an address. A row speaks for the domain and all below it, unless a longer name has a row that says otherwise.';

CREATE TABLE crm.email_role (
    local_part text PRIMARY KEY CHECK (local_part <> '' AND local_part !~ '[A-Z[:space:]@+]'), -- Without a tag, A-Z in lower case.
    note text, -- Where the row comes from, or why it is as it is.
    created_at timestamptz NOT NULL DEFAULT now() -- When the row was added.
);
COMMENT ON TABLE crm.email_role IS 'Local parts that mean a function, not a person; advice for crm.is_role(), never a reason to refuse an address.';

INSERT INTO crm.email_domain (domain, is_disposable)
SELECT name, true FROM pg_catalog.unnest(ARRAY[
    '10minemail.com', '10minutemail.co.uk', '10minutemail.com', '10minutemail.de',
    '10minutemail.net', '20minutemail.com', '20minutemail.it', '30minutemail.com', '33mail.com',
    'anonbox.net', 'anonymbox.com', 'antispam.de', 'binkmail.com', 'bobmail.info',
    'bugmenot.com', 'burnermail.io', 'chacuo.net', 'chammy.info', 'crazymailing.com',
    'cuvox.de', 'dayrep.com', 'deadaddress.com', 'discard.email', 'discardmail.com',
    'discardmail.de', 'disposablemail.com', 'dispostable.com', 'dodgit.com', 'dropmail.me',
    'e4ward.com', 'einrot.com', 'email-fake.com', 'emailfake.com', 'emailondeck.com',
    'emailsensei.com', 'emailtemporanea.com', 'emailtemporario.com.br', 'emlpro.com',
    'fakeinbox.com', 'fakemail.net', 'fakemailgenerator.com', 'fakermail.com', 'filzmail.com',
    'fleckens.hu', 'generator.email', 'getairmail.com', 'getnada.com', 'ghosttexter.de',
    'grr.la', 'guerrillamail.biz', 'guerrillamail.com', 'guerrillamail.de',
    'guerrillamail.info', 'guerrillamail.net', 'guerrillamail.org', 'guerrillamailblock.com',
    'gustr.com', 'harakirimail.com', 'inboxalias.com', 'inboxbear.com', 'inboxkitten.com',
    'incognitomail.com', 'incognitomail.org', 'jetable.com', 'jetable.fr.nf', 'jetable.net',
    'jetable.org', 'jourrapide.com', 'kasmail.com', 'klzlk.com', 'kurzepost.de', 'lroid.com',
    'mail-temp.com', 'mail-temporaire.fr', 'mail.tm', 'mail7.io', 'mailcatch.com',
    'maildrop.cc', 'maildx.com', 'mailexpire.com', 'mailforspam.com', 'mailinator.com',
    'mailinator.net', 'mailinator2.com', 'mailmetrash.com', 'mailmoat.com', 'mailnesia.com',
    'mailnull.com', 'mailpoof.com', 'mailsac.com', 'mailscrap.com', 'mailtemp.info',
    'mailtothis.com', 'meltmail.com', 'mintemail.com', 'moakt.com', 'mohmal.com', 'mt2015.com',
    'mytemp.email', 'mytrashmail.com', 'nada.email', 'nepwk.com', 'no-spam.ws', 'nospam.ze.tc',
    'nowmymail.com', 'objectmail.com', 'one-time.email', 'one2mail.info', 'onewaymail.com',
    'pookmail.com', 'rcpt.at', 'receiveee.com', 'rhyta.com', 'sharklasers.com',
    'shieldemail.com', 'shitmail.me', 'sneakemail.com', 'sogetthis.com', 'spam4.me',
    'spambob.net', 'spambog.com', 'spambox.us', 'spamdecoy.net', 'spamex.com', 'spamfree24.org',
    'spamgourmet.com', 'spamherelots.com', 'spaml.de', 'spammotel.com', 'spamspot.com',
    'superrito.com', 'suremail.info', 'teleworm.us', 'temp-mail.io', 'temp-mail.org',
    'temp-mail.ru', 'tempail.com', 'tempemail.co', 'tempemail.net', 'tempinbox.com',
    'tempmail.dev', 'tempmail.net', 'tempmail.plus', 'tempmailo.com', 'tempomail.fr',
    'temporaryemail.net', 'temporaryinbox.com', 'temporarymail.com', 'tempr.email',
    'thankyou2010.com', 'throwam.com', 'throwawaymail.com', 'tmail.ws', 'tmailor.com',
    'tmpmail.net', 'tmpmail.org', 'trash-mail.com', 'trash-mail.de', 'trashmail.com',
    'trashmail.de', 'trashmail.me', 'trashmail.net', 'trashmail.ws', 'trbvm.com', 'tyldd.com',
    'uggsrock.com', 'wegwerfmail.de', 'wegwerfmail.net', 'wegwerfmail.org', 'wh4f.org',
    'yopmail.com', 'yopmail.fr', 'yopmail.net', 'zoemail.net'
]) AS name;

INSERT INTO crm.email_domain (domain, is_free_provider)
SELECT name, true FROM pg_catalog.unnest(ARRAY[
    '126.com', '139.com', '163.com', '189.cn', 'abv.bg', 'aim.com', 'alice.it', 'aliyun.com',
    'aol.com', 'arcor.de', 'att.net', 'autorambler.ru', 'azet.sk', 'bellsouth.net',
    'bigmir.net', 'bigpond.com', 'bk.ru', 'bluewin.ch', 'bol.com.br', 'btinternet.com',
    'centrum.cz', 'charter.net', 'citromail.hu', 'comcast.net', 'cox.net', 'daum.net',
    'duck.com', 'e1.ru', 'earthlink.net', 'email.com', 'email.cz', 'email.ua', 'fastmail.com',
    'fastmail.fm', 'foxmail.com', 'free.fr', 'freemail.hu', 'freenet.de', 'gazeta.pl',
    'gmail.com', 'gmx.at', 'gmx.ch', 'gmx.com', 'gmx.de', 'gmx.fr', 'gmx.net', 'googlemail.com',
    'hanmail.net', 'hetnet.nl', 'hey.com', 'hispeed.ch', 'hot.ee', 'hotbox.ru', 'hotmail.co.uk',
    'hotmail.com', 'hotmail.de', 'hotmail.es', 'hotmail.fr', 'hotmail.it', 'hotmail.ru',
    'hushmail.com', 'i.ua', 'icloud.com', 'ig.com.br', 'inbox.com', 'inbox.lt', 'inbox.lv',
    'inbox.ru', 'indamail.hu', 'interia.pl', 'internet.ru', 'juno.com', 'keemail.me',
    'kpnmail.nl', 'land.ru', 'laposte.net', 'lenta.ru', 'libero.it', 'list.ru', 'live.co.uk',
    'live.com', 'live.de', 'live.fr', 'live.ru', 'lycos.com', 'mac.com', 'mail.bg', 'mail.by',
    'mail.com', 'mail.ee', 'mail.kz', 'mail.ru', 'mailbox.org', 'me.com', 'meta.ua', 'msn.com',
    'myrambler.ru', 'myyahoo.com', 'narod.ru', 'nate.com', 'naver.com', 'neuf.fr', 'newmail.ru',
    'ngs.ru', 'nm.ru', 'ntlworld.com', 'o2.pl', 'onet.pl', 'online.no', 'online.ua', 'op.pl',
    'optusnet.com.au', 'orange.fr', 'outlook.com', 'outlook.de', 'outlook.es', 'outlook.fr',
    'outlook.it', 'planet.nl', 'pm.me', 'pochta.ru', 'post.cz', 'posteo.de', 'proton.me',
    'protonmail.ch', 'protonmail.com', 'qq.com', 'rambler.ru', 'rambler.ua', 'rediffmail.com',
    'ro.ru', 'rocketmail.com', 'rogers.com', 'runbox.com', 'sapo.pt', 'sbcglobal.net',
    'seznam.cz', 'sfr.fr', 'shaw.ca', 'sina.cn', 'sina.com', 'sky.com', 'skynet.be', 'sohu.com',
    'sympatico.ca', 't-online.de', 'talktalk.net', 'telenet.be', 'telia.com', 'terra.com.br',
    'tin.it', 'tiscali.it', 'tut.by', 'tuta.com', 'tuta.io', 'tutanota.com', 'tutanota.de',
    'ukr.net', 'uol.com.br', 'usa.com', 'verizon.net', 'virgilio.it', 'virginmedia.com',
    'vk.com', 'walla.co.il', 'walla.com', 'wanadoo.fr', 'web.de', 'wp.pl', 'ya.ru', 'yahoo.ca',
    'yahoo.co.in', 'yahoo.co.jp', 'yahoo.co.uk', 'yahoo.com', 'yahoo.com.au', 'yahoo.com.br',
    'yahoo.de', 'yahoo.es', 'yahoo.fr', 'yahoo.it', 'yandex.by', 'yandex.com', 'yandex.kz',
    'yandex.ru', 'yandex.ua', 'yandex.uz', 'yeah.net', 'ymail.com', 'ziggo.nl', 'zoho.com',
    'zohomail.com', 'zohomail.eu', 'zoznam.sk'
]) AS name;

INSERT INTO crm.email_role (local_part)
SELECT name FROM pg_catalog.unnest(ARRAY[
    'abuse', 'accounting', 'accounts', 'accountspayable', 'admin', 'administrator',
    'admissions', 'ads', 'advertising', 'alerts', 'all', 'audit', 'backup', 'billing', 'board',
    'booking', 'bookings', 'bookkeeping', 'buh', 'buhgalter', 'buyer', 'careers', 'ceo', 'cfo',
    'clients', 'club', 'contact', 'contact-us', 'contacts', 'contactus', 'contracts',
    'corporate', 'crm', 'customer-service', 'customercare', 'customers', 'customerservice',
    'data', 'delivery', 'design', 'dev', 'developers', 'director', 'dispatch', 'dns',
    'do-not-reply', 'donotreply', 'economics', 'editor', 'edu', 'education', 'email',
    'employment', 'engineering', 'enquiries', 'enquiry', 'events', 'everyone', 'export',
    'factory', 'feedback', 'fin', 'finance', 'financial', 'franchise', 'ftp', 'fulfillment',
    'gdpr', 'general', 'glavbuh', 'hello', 'help', 'helpdesk', 'hi', 'hiring', 'home',
    'hostmaster', 'hotel', 'hotline', 'hr', 'info', 'information', 'inquiries', 'inquiry',
    'institute', 'intern', 'international', 'internet', 'investor', 'investors', 'invoice',
    'invoices', 'invoicing', 'it', 'jobs', 'kadry', 'kontakt', 'law', 'legal', 'library',
    'list', 'list-request', 'listserv', 'logistics', 'mail', 'mailbox', 'mailer-daemon',
    'mailerdaemon', 'management', 'manager', 'managers', 'market', 'marketing', 'media',
    'member', 'members', 'membership', 'merchandise', 'news', 'newsletter', 'newsletters',
    'no-reply', 'nobody', 'noc', 'noreply', 'notification', 'notifications', 'notify', 'offers',
    'office', 'online', 'operations', 'operator', 'order', 'orders', 'otdel', 'pa', 'partner',
    'partners', 'partnership', 'payment', 'payments', 'payroll', 'personnel', 'post', 'postbox',
    'postmaster', 'pr', 'press', 'principal', 'privacy', 'procurement', 'production', 'project',
    'projects', 'promo', 'proposals', 'publicity', 'purchase', 'purchasing', 'qa', 'quality',
    'quotes', 'recepcion', 'reception', 'recruit', 'recruiting', 'recruitment', 'registrar',
    'registration', 'remove', 'reply', 'request', 'reservations', 'resume', 'returns',
    'reviews', 'root', 'rsvp', 'sales', 'schedule', 'school', 'secretariat', 'secretary',
    'security', 'seo', 'server', 'service', 'services', 'shipping', 'shop', 'sklad', 'snab',
    'spam', 'staff', 'store', 'student', 'students', 'subscribe', 'subscriptions',
    'suggestions', 'supplier', 'suppliers', 'supply', 'support', 'survey', 'sysadmin', 'team',
    'tech', 'technical', 'techsupport', 'tender', 'tenders', 'test', 'tickets', 'trade',
    'trading', 'training', 'travel', 'treasurer', 'unsubscribe', 'usenet', 'users', 'uucp',
    'vacancy', 'vendor', 'vendors', 'verify', 'video', 'visa', 'volunteer', 'warehouse',
    'warranty', 'web', 'webadmin', 'webmaster', 'webshop', 'website', 'welcome', 'wholesale',
    'work', 'www', 'zakaz', 'zakupki'
]) AS name;
$crm_source$), (4, 'table', '06-name', $crm_source$
-- Names that are one name: diminutives, and what a name is called in other
-- languages.  Spelling and script do not matter (crm.name_keys() sees to
-- that), so the rows hold only what no rule can know.  Rows may be added and
-- deleted freely; a name and each of its aliases find one another through
-- crm.name_aliases().

CREATE TABLE crm.name_alias (
    name text NOT NULL,
    alias text NOT NULL,
    kind text NOT NULL DEFAULT 'diminutive' CHECK (kind IN ('name', 'diminutive', 'equivalent')),
    gender text CHECK (gender IN ('m', 'f')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, alias)
);
COMMENT ON TABLE crm.name_alias IS 'Given names that mean the same person: Саша, Александр, Alexander.';
COMMENT ON COLUMN crm.name_alias.name IS 'The full name that stands for the group.';
COMMENT ON COLUMN crm.name_alias.alias IS 'Another form of it; the name itself has a row, too.';
COMMENT ON COLUMN crm.name_alias.kind IS 'name (the full name itself), diminutive, or equivalent (the name in another language).';
COMMENT ON COLUMN crm.name_alias.gender IS 'm or f: whose name it is; null when both bear it.';
COMMENT ON COLUMN crm.name_alias.created_at IS 'When the row was made.';

-- To be rebuilt when crm.name_key_version() changes.
CREATE INDEX name_alias_key ON crm.name_alias (crm.name_key(alias));

INSERT INTO crm.name_alias (name, alias, kind, gender)
SELECT seed.name, part.alias, part.kind, seed.gender
FROM (VALUES
    ('Александр', 'm', 'Саша Саня Шура Сашка Сашенька Санёк Шурик Алик Алекс', 'Alexander Alexandre Alejandro Alessandro Alex Alec Sandro Sandy Sasha Xander Олександр Oleksandr Аляксандр Александру Искандер'),
    ('Алексей', 'm', 'Алёша Лёша Лёха Лёшка Алёшка', 'Alexis Alexius Олексій Oleksii Аляксей'),
    ('Анатолий', 'm', 'Толя Толик Тоха', 'Anatole Anatolio Анатолій'),
    ('Андрей', 'm', 'Андрюша Андрюха Дрон', 'Andrew Andreas André Andrea Andrés Andy Drew Andrzej Andriy Andris Андрій Эндрю Ондрей'),
    ('Антон', 'm', 'Антоша Тоша Тоха', 'Anthony Antonio Antoine Tony Anton Antonius Энтони Антуан'),
    ('Аркадий', 'm', 'Аркаша Кеша', 'Arcadius Arcadio Аркадій'),
    ('Арсений', 'm', 'Арсюша Сеня Арс', 'Arsenius Arsenio Арсеній'),
    ('Артём', 'm', 'Тёма Артёмка Артемий', 'Artemus Artemio Артемій'),
    ('Артур', 'm', 'Артурик Артурчик', 'Arthur Arturo Art Artie'),
    ('Афанасий', 'm', 'Афоня', 'Athanasius Athanasios Панас Опанас'),
    ('Богдан', 'm', 'Богдаша Даня', 'Bohdan Theodore'),
    ('Борис', 'm', 'Боря Борька Борюсик', 'Boris'),
    ('Вадим', 'm', 'Вадик Вадя Дима', 'Vadym'),
    ('Валентин', 'm', 'Валя Валик Валька', 'Valentine Valentino Val'),
    ('Валерий', 'm', 'Валера Валерка Лера', 'Valerius Valery Valerio Валерій'),
    ('Василий', 'm', 'Вася Васька Васёк Василёк', 'Basil Vasyl Vasile Basilio Basile Василь Bazyli'),
    ('Вениамин', 'm', 'Веня Веник', 'Benjamin Ben Benny Benjamín Beniamino Бенджамин Веніямін'),
    ('Виктор', 'm', 'Витя Витёк Витька', 'Victor Vittorio Vic Віктор'),
    ('Виталий', 'm', 'Виталик Виталя Виталька', 'Vitalis Vitale Vitalii Віталій'),
    ('Владимир', 'm', 'Вова Володя Вовка Вовочка Вован Володька Влад', 'Volodymyr Waldemar Vladimír Włodzimierz Vlad Володимир Уладзімір'),
    ('Владислав', 'm', 'Влад Владик Слава', 'Ladislaus Ladislav Władysław László Vladyslav Уладзіслаў'),
    ('Всеволод', 'm', 'Сева Севка', 'Vsevolod'),
    ('Вячеслав', 'm', 'Слава Славик Славка', 'Wenceslaus Václav Wacław Viacheslav В''ячеслав'),
    ('Геннадий', 'm', 'Гена Генка', 'Gennadius Геннадій'),
    ('Георгий', 'm', 'Гоша Жора Гога Юра Егор Гера Гия', 'George Georg Georges Giorgio Jorge Jerzy György Jiří Giorgi Heorhii Георгій Джордж Жорж Юрий'),
    ('Герман', 'm', 'Гера Герик', 'Hermann Herman Germain'),
    ('Глеб', 'm', 'Глебушка Глебка', 'Hlib'),
    ('Григорий', 'm', 'Гриша Гришка', 'Gregory Greg Gregor Grigore Gregorio Grégoire Hryhorii Григорій Грегори'),
    ('Давид', 'm', 'Додик Дэвик', 'David Dave Davey Davide Дэвид Дейвид'),
    ('Даниил', 'm', 'Даня Данила Данил Данилка Даник', 'Daniel Dan Danny Daniele Danilo Данило Дэниел Даниэль'),
    ('Денис', 'm', 'Дениска Дэн Деня', 'Dennis Denis Denys Dionysius Денніс'),
    ('Дмитрий', 'm', 'Дима Митя Димка Димон Митька Диман', 'Demetrius Dimitri Dimitrios Dmytro Dmitrij Demetrio Дмитро Зміцер Димитрий'),
    ('Евгений', 'm', 'Женя Женька Жека Геша', 'Eugene Eugen Eugenio Eugène Gene Yevhen Юджин Євген Яўген'),
    ('Егор', 'm', 'Егорка Гоша Егорушка', 'George Yegor Ягор'),
    ('Ефим', 'm', 'Фима Фимка', 'Euthymius Yukhym Efim'),
    ('Захар', 'm', 'Захарка Захарий', 'Zachary Zachariah Zacharias Zach Zack Zak'),
    ('Иван', 'm', 'Ваня Ванька Ванечка Ванюша', 'John Johann Johannes Jean Juan Giovanni João Ioan Jan Hans Ian Sean Ivo Иоанн Іван Джон Янка'),
    ('Игорь', 'm', 'Игорёк Игорёша Гоша', 'Ihor Igor Ingvar Ігор'),
    ('Илья', 'm', 'Илюша Илюха Ильюша', 'Elijah Elias Eli Élie Illia Ілля Ілья'),
    ('Иннокентий', 'm', 'Кеша', 'Innocent Innocenzo'),
    ('Иосиф', 'm', 'Ося Йося', 'Joseph Josef José Giuseppe Joe Joey Józef Yosyp Осип Йосип Джозеф Юзеф'),
    ('Кирилл', 'm', 'Кирюша Киря Кира', 'Cyril Cyrille Cirillo Kyrylo Кирило'),
    ('Константин', 'm', 'Костя Костик Костян Котя', 'Constantine Konstantinos Costa Constantin Kostiantyn Costantino Костянтин Канстанцін'),
    ('Лев', 'm', 'Лёва Лёвушка Лёвка', 'Leo Leon Léon Lion Leone Levko'),
    ('Леонид', 'm', 'Лёня Лёнька Леонидик', 'Leonidas Leonid'),
    ('Лука', 'm', 'Лукаша', 'Luke Lucas Luca Luc Lukas Łukasz Лукас'),
    ('Макар', 'm', 'Макарка', 'Macarius'),
    ('Максим', 'm', 'Макс Максимка Максик', 'Maximus Maxime Massimo Máximo Maksym'),
    ('Максимилиан', 'm', 'Макс', 'Maximilian Max Maximiliano'),
    ('Марк', 'm', 'Марик Маркуша', 'Mark Marcus Marco Marc Markus Marek Маркус'),
    ('Матвей', 'm', 'Матвейка Мотя', 'Matthew Matthias Matteo Mateo Mathieu Matt Matias Mateusz Матвій Мэтью'),
    ('Михаил', 'm', 'Миша Мишка Мишаня Мишутка', 'Michael Michel Miguel Michele Mike Mick Mickey Mihail Mykhailo Mikael Михайло Міхаіл Майкл Мишель'),
    ('Моисей', 'm', 'Мося Моня', 'Moses Moshe Moisés Mosè'),
    ('Никита', 'm', 'Никитка Ник Кита', 'Nicetas Mykyta Микита'),
    ('Николай', 'm', 'Коля Колька Николаша Колян Ник', 'Nicholas Nicolas Nikolaus Nick Klaus Niccolò Nicolae Nikola Mykola Mikołaj Nils Микола Мікалай Николас'),
    ('Олег', 'm', 'Олежка Олеженька Алик', 'Oleh Helge'),
    ('Остап', 'm', 'Остапчик', 'Eustace Eustathius Евстафий'),
    ('Павел', 'm', 'Паша Павлик Пашка Павлуша', 'Paul Pablo Paolo Pavlo Paulo Pál Paweł Pavlos Павло Пол Поль'),
    ('Пётр', 'm', 'Петя Петька Петруша Петруха', 'Peter Pierre Pedro Pietro Pete Piotr Petro Petar Piet Петро Питер Пьер'),
    ('Платон', 'm', 'Платоша Тоша', 'Plato'),
    ('Родион', 'm', 'Родя Родик', 'Herodion'),
    ('Роман', 'm', 'Рома Ромка Ромчик Ромаша', 'Romanus Romain Romano'),
    ('Роберт', 'm', 'Робик', 'Robert Rob Bob Bobby Robbie Roberto Bert Rupert Роб Боб'),
    ('Ростислав', 'm', 'Ростик Слава Рося', 'Rostyslav'),
    ('Руслан', 'm', 'Русик Руся', 'Ruslan'),
    ('Рустам', 'm', 'Рустик', 'Rustem Rostam'),
    ('Савелий', 'm', 'Сава Савва', 'Sabellius Savva'),
    ('Святослав', 'm', 'Слава Свят Святик', 'Sviatoslav'),
    ('Семён', 'm', 'Сёма Сеня Сёмка', 'Simon Simeon Simone Simón Шимон Семен Саймон'),
    ('Сергей', 'm', 'Серёжа Серёга Серж Сергунь Серый', 'Serge Sergio Sergius Serhii Сергій Сяргей'),
    ('Станислав', 'm', 'Стас Стасик Слава', 'Stanislaus Stanley Stan Stanislas Stanisław Stanislao'),
    ('Степан', 'm', 'Стёпа Стёпка Стёпушка', 'Stephen Steven Stefan Stéphane Esteban Étienne Steve Stephan István Stefano Стефан Стивен'),
    ('Тарас', 'm', 'Тарасик', 'Tarasius'),
    ('Тимофей', 'm', 'Тима Тимоша', 'Timothy Tim Timmy Timotheus Timothée Timoteo Тимофій'),
    ('Тимур', 'm', 'Тимурчик Тима', 'Timur Temur Тамерлан'),
    ('Тихон', 'm', 'Тиша Тихоша', 'Tychon'),
    ('Фёдор', 'm', 'Федя Федька Феденька', 'Theodore Theodor Ted Teddy Teodoro Théodore Fedir Theo Федір Теодор'),
    ('Филипп', 'm', 'Филя Филиппок', 'Philip Phillip Phil Felipe Filippo Philippe Pylyp Фелипе'),
    ('Фома', 'm', 'Фомка', 'Thomas Tom Tommy Tomás Tommaso Tomasz Томас Хома'),
    ('Эдуард', 'm', 'Эдик Эд Эдя', 'Edward Eduardo Édouard Eddie Ed Ned Ted Edoardo Эдвард Едуард'),
    ('Эммануил', 'm', 'Эмик Моня', 'Emmanuel Immanuel Manuel Manny'),
    ('Юлий', 'm', 'Юлик', 'Julius Jules Julio Giulio Юліус'),
    ('Юрий', 'm', 'Юра Юрик Юрка Юрчик', 'George Yurii Jürgen Jørgen Юрій Юры Георгий'),
    ('Яков', 'm', 'Яша Яшка', 'Jacob James Jacques Jakob Jakub Jack Jim Jimmy Jake Giacomo Diego Iago Jaime Яків Якуб Джеймс Жак'),
    ('Ян', 'm', 'Яник', 'Jan Ian John'),
    ('Ярослав', 'm', 'Слава Ярик', 'Jaroslav Jarosław'),
    ('Абдулла', 'm', 'Абдул', 'Abdullah Abdallah Abdulla'),
    ('Магомед', 'm', 'Мага', 'Mohammed Muhammad Mohamed Mehmet Ahmed Мухаммад Мухаммед Магомет'),
    ('Шамиль', 'm', 'Шама', 'Shamil'),
    ('Александра', 'f', 'Саша Шура Сашенька Саня Аля Алекса Ася', 'Alexandra Alexandria Sandra Alejandra Alessandra Alex Alexa Sasha Lexi Олександра Аляксандра'),
    ('Алина', 'f', 'Аля Алинка', 'Alina Aline'),
    ('Алла', 'f', 'Аля Аллочка', 'Alla'),
    ('Алёна', 'f', 'Алёнка Алёнушка Лёна', 'Helen Olena Елена'),
    ('Анастасия', 'f', 'Настя Настенька Настюша Стася Ася Настасья', 'Anastasia Anastacia Stacy Stacey Annastasia Анастасія'),
    ('Ангелина', 'f', 'Геля Лина Ангелинка', 'Angelina Angeline Angela Angelica'),
    ('Анжелика', 'f', 'Анжела Лика', 'Angelica Angelika Angélique Angie'),
    ('Анна', 'f', 'Аня Анюта Нюра Анечка Нюша Анька Нюта', 'Ann Anne Anna Hannah Ana Annie Anita Hanna Nancy Ганна Энн Ханна'),
    ('Антонина', 'f', 'Тоня Тонечка Нина', 'Antonia Antonina Toni Antoinette'),
    ('Арина', 'f', 'Ариша Аринка', 'Irene Ирина'),
    ('Валентина', 'f', 'Валя Валюша Валечка', 'Valentina Valentine'),
    ('Валерия', 'f', 'Лера Валера Лерочка', 'Valeria Valerie Valérie Валерія'),
    ('Варвара', 'f', 'Варя Варенька Варюша', 'Barbara Barbra Babs Barbora Barbe'),
    ('Василиса', 'f', 'Вася Васёна', 'Vasilisa Basilissa'),
    ('Вера', 'f', 'Верочка Веруня Верунчик', 'Vera Faith Віра'),
    ('Вероника', 'f', 'Ника Вера Вероничка', 'Veronica Véronique Berenice Ronnie Вероніка'),
    ('Виктория', 'f', 'Вика Викуся Тори', 'Victoria Vittoria Vicky Vicki Tori Viki Вікторія'),
    ('Галина', 'f', 'Галя Галочка Галка', 'Galina Halyna Halina Галіна'),
    ('Дарья', 'f', 'Даша Дашенька Дарина Дашуля Дария', 'Daria Darya Dariya'),
    ('Диана', 'f', 'Дина Ди', 'Diana Diane Dianne'),
    ('Евгения', 'f', 'Женя Женечка Жека', 'Eugenia Eugénie Yevheniia Євгенія'),
    ('Ева', 'f', 'Евочка', 'Eve Eva Evie Єва'),
    ('Екатерина', 'f', 'Катя Катюша Катерина Катенька Катька Катюха', 'Catherine Katherine Kathryn Kate Katie Kathy Cathy Caterina Catalina Katharina Kateryna Katarina Kitty Karen Кэтрин Катарина'),
    ('Елена', 'f', 'Лена Алёна Леночка Ленка Еленка', 'Helen Helena Elena Ellen Hélène Eleni Olena Ilona Nelly Ellie Олена Хелена Элен Алена'),
    ('Елизавета', 'f', 'Лиза Лизавета Лизонька Вета Лизка', 'Elizabeth Elisabeth Elisabetta Isabel Isabella Eliza Betty Beth Bess Liz Lisa Liza Elsa Elise Єлизавета Элизабет Изабелла'),
    ('Жанна', 'f', 'Жанночка Жаннет', 'Jeanne Joan Jane Joanna Jeannette Zhanna'),
    ('Зинаида', 'f', 'Зина Зиночка', 'Zinaida Zenaida Зінаїда'),
    ('Зоя', 'f', 'Зоечка Зойка', 'Zoe Zoya Zoë'),
    ('Инна', 'f', 'Инночка Инесса', 'Inna'),
    ('Ирина', 'f', 'Ира Ирочка Иринка Ириша Ирка', 'Irene Irina Iryna Irène Irena Рена'),
    ('Карина', 'f', 'Кара Кариша', 'Karina Karin Carina'),
    ('Кира', 'f', 'Кирочка', 'Kira Kyra Cyra'),
    ('Клавдия', 'f', 'Клава Клавочка', 'Claudia Claudette Claude'),
    ('Кристина', 'f', 'Кристя Крис Тина', 'Christina Kristina Christine Cristina Chris Tina Kirsten Христина Кристин'),
    ('Ксения', 'f', 'Ксюша Оксана Ксеня Ксюха Аксинья', 'Xenia Ksenia Oksana Kseniia Ксенія'),
    ('Лариса', 'f', 'Лара Лора Лариска', 'Larissa Larisa Lara'),
    ('Лидия', 'f', 'Лида Лидочка', 'Lydia Lidia Lidiya Лідія'),
    ('Лилия', 'f', 'Лиля Лилечка Лили', 'Lily Lilia Lilian Liliana Lilly'),
    ('Любовь', 'f', 'Люба Любаша Любочка Любаня', 'Lyubov Liubov Charity Любов'),
    ('Людмила', 'f', 'Люда Мила Люся Людочка', 'Ludmila Lyudmila Liudmyla Mila Людміла'),
    ('Маргарита', 'f', 'Рита Марго Ритуля', 'Margaret Marguerite Margarita Margherita Margarete Maggie Meg Peggy Greta Rita Margo Daisy Маргарет'),
    ('Марина', 'f', 'Мариша Маринка Мара', 'Marina Maryna Marine'),
    ('Мария', 'f', 'Маша Маруся Машенька Марья Маня Мариша Муся Машка', 'Mary Maria Marie María Marija Mariya Molly Polly May Mariam Miriam Марія Мэри Мари'),
    ('Матрёна', 'f', 'Мотя Матрёша', 'Matrona'),
    ('Милана', 'f', 'Мила', 'Milana'),
    ('Надежда', 'f', 'Надя Наденька Надюша', 'Hope Nadia Nadezhda Nadine Nadja Надія'),
    ('Наталья', 'f', 'Наташа Наталия Ната Натуся Наталка Таша', 'Natalie Natalia Nathalie Natasha Nataliia Natalija Tasha Наталія'),
    ('Нина', 'f', 'Нинка Ниночка Нинуля', 'Nina Ninette'),
    ('Оксана', 'f', 'Ксана Ксюша Оксанка', 'Oksana Oxana Roxana Xenia Ксения'),
    ('Ольга', 'f', 'Оля Оленька Лёля Ольгуша Олька', 'Olga Olha Helga Olia'),
    ('Пелагея', 'f', 'Поля Палаша', 'Pelagia'),
    ('Полина', 'f', 'Поля Полинка Полюшка', 'Pauline Paulina Polina Paula Апполинария'),
    ('Раиса', 'f', 'Рая Раечка', 'Raisa Raissa'),
    ('Роза', 'f', 'Розочка', 'Rose Rosa Rosie Rosalia'),
    ('Светлана', 'f', 'Света Светик Лана Светочка Светка', 'Svetlana Svitlana Lana Photine Світлана'),
    ('Снежана', 'f', 'Снежка', 'Snezana Snizhana'),
    ('София', 'f', 'Соня Софья Софа Сонечка Софочка', 'Sophia Sofia Sophie Sonia Sonja Sofie Zofia Zsófia Софія'),
    ('Таисия', 'f', 'Тая Тася Таисья', 'Thais Taisia'),
    ('Тамара', 'f', 'Тома Томочка Мара', 'Tamara Tamar Tammy'),
    ('Татьяна', 'f', 'Таня Танюша Танечка Танька Татьянка', 'Tatiana Tatyana Tetiana Tanya Tania Tatjana Тетяна Таццяна'),
    ('Ульяна', 'f', 'Уля Ульянка', 'Juliana Uliana Iuliana Юлиана'),
    ('Фатима', 'f', 'Фатя Фатимка', 'Fatima Fatma Fatimah'),
    ('Эвелина', 'f', 'Эва Лина', 'Evelyn Evelina Eveline'),
    ('Элеонора', 'f', 'Эля Нора Лора', 'Eleanor Eleonora Eleanore Ellie Nora Leonora'),
    ('Эльвира', 'f', 'Эля Эльвирочка Ира', 'Elvira Elvire'),
    ('Эмилия', 'f', 'Эмма Мила Эмили', 'Emily Emilia Émilie Em Millie'),
    ('Юлия', 'f', 'Юля Юленька Юляша Юлечка Юлька', 'Julia Julie Giulia Juliet Yuliia Iulia Jill Юлія Джулия'),
    ('Яна', 'f', 'Яночка Янка', 'Jana Jane Yana Ioana'),
    ('Abraham', 'm', 'Abe Bram', 'Avraham Ibrahim Абрам Авраам Ибрагим'),
    ('Adam', 'm', 'Ad', 'Adán Adamo Адам'),
    ('Albert', 'm', 'Al Bert Bertie', 'Alberto Albrecht Альберт Альберто'),
    ('Alfred', 'm', 'Alf Fred Freddie Alfie', 'Alfredo Альфред'),
    ('Arnold', 'm', 'Arnie Arne', 'Arnaldo Arnaud Арнольд'),
    ('August', 'm', 'Gus Augie', 'Augustus Auguste Augusto Август'),
    ('Bartholomew', 'm', 'Bart', 'Bartolomeo Варфоломей'),
    ('Bernard', 'm', 'Bernie Barney', 'Bernhard Bernardo Bernd Бернард'),
    ('Charles', 'm', 'Charlie Chuck Chas Chaz', 'Karl Carl Carlos Carlo Károly Карл Чарльз Шарль'),
    ('Christian', 'm', 'Chris', 'Cristian Kristian Christiaan Кристиан'),
    ('Christopher', 'm', 'Chris Kit Topher Kris', 'Christoph Cristóbal Cristoforo Christophe Христофор Кристофер'),
    ('Clarence', 'm', 'Clare', 'Кларенс'),
    ('Clifford', 'm', 'Cliff', 'Клиффорд'),
    ('Donald', 'm', 'Don Donny Donnie', 'Domhnall Дональд'),
    ('Douglas', 'm', 'Doug', 'Дуглас'),
    ('Edmund', 'm', 'Ed Eddie Ned', 'Edmond Edmondo Эдмунд'),
    ('Edwin', 'm', 'Ed Eddie Win', 'Эдвин'),
    ('Ernest', 'm', 'Ernie', 'Ernst Ernesto Эрнест'),
    ('Ferdinand', 'm', 'Ferdie Nando', 'Fernando Ferdinando Фердинанд'),
    ('Francis', 'm', 'Frank Frankie Fran', 'Franz Francesco Francisco François Pancho Paco Ferenc Франц Франсуа Франциск'),
    ('Frederick', 'm', 'Fred Freddie Freddy Rick', 'Friedrich Fritz Federico Frédéric Fredrik Фридрих Фредерик'),
    ('Gabriel', 'm', 'Gabe Gabby', 'Gabriele Гавриил Габриэль Гаврила'),
    ('Geoffrey', 'm', 'Geoff Jeff', 'Jeffrey Gottfried Godfrey Джеффри'),
    ('Gerald', 'm', 'Gerry Jerry', 'Gerard Gerhard Gérard Geraldo Gerardo Джеральд Герхард'),
    ('Gilbert', 'm', 'Gil Bert', 'Gilberto Гилберт Жильбер'),
    ('Harold', 'm', 'Harry Hal', 'Harald Гарольд Харальд'),
    ('Henry', 'm', 'Harry Hal Hank', 'Heinrich Henri Enrique Enrico Henrik Heinz Генрих Генри Анри'),
    ('Herbert', 'm', 'Herb Bert', 'Heribert Герберт'),
    ('Hugh', 'm', 'Hughie', 'Hugo Ugo Hugues Гуго Хью'),
    ('Isaac', 'm', 'Ike Zak', 'Isaak Yitzhak Исаак Айзек'),
    ('Jeremy', 'm', 'Jerry Jem', 'Jeremiah Jérémie Еремей Иеремия'),
    ('Jerome', 'm', 'Jerry', 'Hieronymus Jérôme Gerónimo Girolamo Иероним'),
    ('Jonathan', 'm', 'Jon Jonny Johnny Nathan', 'Jonatan Gionata Джонатан'),
    ('Joshua', 'm', 'Josh', 'Josué Yehoshua Джошуа'),
    ('Julian', 'm', 'Jules', 'Julien Julián Giuliano Юлиан'),
    ('Kenneth', 'm', 'Ken Kenny', 'Кеннет'),
    ('Lawrence', 'm', 'Larry Lars Laurie', 'Laurence Laurent Lorenz Lorenzo Лаврентий Лоренцо'),
    ('Leonard', 'm', 'Leo Len Lenny', 'Leonardo Lennart Леонард Леонардо'),
    ('Leopold', 'm', 'Leo Poldi', 'Леопольд'),
    ('Louis', 'm', 'Lou Louie', 'Lewis Luis Ludwig Luigi Ludovic Людвиг Луи'),
    ('Martin', 'm', 'Marty', 'Martín Martino Márton Мартин Мартын'),
    ('Nathaniel', 'm', 'Nat Nate Nathan', 'Nathanael Натаниэль'),
    ('Oliver', 'm', 'Ollie Noll', 'Olivier Oliviero Оливер'),
    ('Oscar', 'm', 'Ozzie', 'Oskar Оскар'),
    ('Patrick', 'm', 'Pat Paddy Rick', 'Patrice Patricio Патрик'),
    ('Ralph', 'm', 'Ralphie', 'Rolf Ralf Raoul Raúl Ральф Рауль'),
    ('Raymond', 'm', 'Ray', 'Ramón Raimund Raimondo Раймонд'),
    ('Reginald', 'm', 'Reg Reggie', 'Reinhold Rinaldo Ronald Реджинальд'),
    ('Richard', 'm', 'Dick Rick Ricky Richie Rich', 'Ricardo Riccardo Rikard Ричард Рихард Рикардо'),
    ('Roger', 'm', 'Rodge', 'Rüdiger Rogelio Ruggero Роджер'),
    ('Ronald', 'm', 'Ron Ronnie', 'Ronaldo Reinhold Рональд'),
    ('Rudolf', 'm', 'Rudi Rolf Rudy', 'Rudolph Rodolfo Рудольф'),
    ('Samuel', 'm', 'Sam Sammy', 'Samuele Shmuel Самуил Сэмюэл'),
    ('Sebastian', 'm', 'Seb Bastian Basti', 'Sébastien Sebastiano Севастьян Себастьян'),
    ('Terence', 'm', 'Terry', 'Terenzio Терентий Теренс'),
    ('Theodor', 'm', 'Theo Ted', 'Theodoros'),
    ('Vincent', 'm', 'Vince Vinnie Vin', 'Vicente Vincenzo Vinzenz Викентий Винсент'),
    ('Walter', 'm', 'Walt Wally', 'Walther Gualtiero Вальтер Уолтер'),
    ('Wilhelm', 'm', 'Willi Helmut', 'William Guillaume'),
    ('William', 'm', 'Bill Billy Will Willy Willie Liam Wil', 'Wilhelm Guillaume Guillermo Guglielmo Willem Vilém Vilmos Уильям Вильям Вильгельм Гийом'),
    ('Abigail', 'f', 'Abby Abbie Gail', 'Abigaïl Абигейл'),
    ('Adelaide', 'f', 'Addie Adele Heidi', 'Adelheid Adélaïde Аделаида Адель'),
    ('Agnes', 'f', 'Aggie Nessie', 'Agnès Inés Agnese Agnieszka Агния Агнесса'),
    ('Alice', 'f', 'Allie Ali', 'Alicia Alisa Alix Алиса'),
    ('Amanda', 'f', 'Mandy', 'Amandine Аманда'),
    ('Amelia', 'f', 'Amy Millie', 'Amélie Amalia Амелия Амалия'),
    ('Beatrice', 'f', 'Bea Trixie', 'Beatrix Beatriz Béatrice Беатриса'),
    ('Bridget', 'f', 'Biddy Bridie Brit', 'Brigitte Brigitta Birgit Бригитта'),
    ('Caroline', 'f', 'Carrie Caro Carol', 'Carolina Karoline Carolyn Каролина'),
    ('Cecilia', 'f', 'Cece Cissy', 'Cécile Cäcilia Cecily Sheila Цецилия'),
    ('Charlotte', 'f', 'Lottie Charlie Lotte', 'Carlota Carlotta Шарлотта'),
    ('Clara', 'f', 'Clare Claire', 'Klara Chiara Clarissa Клара'),
    ('Constance', 'f', 'Connie', 'Konstanze Costanza Констанция'),
    ('Cynthia', 'f', 'Cindy', 'Cintia Синтия'),
    ('Deborah', 'f', 'Deb Debbie Debby', 'Debra Débora Дебора'),
    ('Denise', 'f', 'Dee Denny', 'Denisa Дениз'),
    ('Dorothy', 'f', 'Dot Dottie Dolly Dora', 'Dorothea Dorothée Dorotea Доротея'),
    ('Emma', 'f', 'Em Emmy', 'Эмма'),
    ('Erica', 'f', 'Ricky', 'Erika Эрика'),
    ('Esther', 'f', 'Essie Hettie', 'Ester Hester Эсфирь Эстер'),
    ('Florence', 'f', 'Flo Flossie', 'Fiorenza Florentia Флоренция'),
    ('Frances', 'f', 'Fran Fanny Francie', 'Francesca Franziska Françoise Francisca Франческа'),
    ('Gabriella', 'f', 'Gabby Ella', 'Gabriela Gabrielle Габриэлла'),
    ('Gertrude', 'f', 'Gert Trudy Trudi', 'Gertrud Gertrudis Гертруда'),
    ('Harriet', 'f', 'Hattie Harrie', 'Henrietta Henriette Генриетта'),
    ('Ida', 'f', 'Idi', 'Ида'),
    ('Jacqueline', 'f', 'Jackie Jacqui', 'Jaqueline Жаклин'),
    ('Jennifer', 'f', 'Jen Jenny Jenna', 'Guinevere Ginevra Дженнифер'),
    ('Jessica', 'f', 'Jess Jessie', 'Gessica Джессика'),
    ('Joanna', 'f', 'Jo Joanie Josie', 'Johanna Joan Giovanna Juana Jeanne Ioanna Иоанна Йоханна'),
    ('Josephine', 'f', 'Jo Josie', 'Josefina Giuseppina Josefine Жозефина'),
    ('Judith', 'f', 'Judy Jodie', 'Giuditta Юдифь'),
    ('Laura', 'f', 'Laurie Lori', 'Lauren Laure Лаура'),
    ('Leah', 'f', 'Lee', 'Lea Lia Лия'),
    ('Lucy', 'f', 'Lu Lulu', 'Lucia Lucie Luzia Lucille Люция Люси'),
    ('Louise', 'f', 'Lou Lulu', 'Louisa Luisa Luise Луиза'),
    ('Madeleine', 'f', 'Maddie Lena Magda', 'Magdalena Madeline Magdalene Maddalena Магдалина Мадлен'),
    ('Martha', 'f', 'Mattie Patty', 'Marta Marthe Марфа Марта'),
    ('Matilda', 'f', 'Tilda Mattie Tilly Maud', 'Mathilde Матильда'),
    ('Melanie', 'f', 'Mel', 'Melania Мелания'),
    ('Monica', 'f', 'Moni', 'Monika Monique Моника'),
    ('Olivia', 'f', 'Liv Livvy', 'Olivie Оливия'),
    ('Pamela', 'f', 'Pam', 'Памела'),
    ('Patricia', 'f', 'Pat Patty Trish Tricia', 'Patrizia Патриция'),
    ('Rachel', 'f', 'Rae Shelly', 'Raquel Rahel Рахиль Рейчел'),
    ('Rebecca', 'f', 'Becky Becca', 'Rebekah Rivka Ревекка Ребекка'),
    ('Regina', 'f', 'Gina', 'Regine Регина'),
    ('Ruth', 'f', 'Ruthie', 'Руфь Рут'),
    ('Samantha', 'f', 'Sam Sammy', 'Саманта'),
    ('Sarah', 'f', 'Sally Sadie', 'Sara Сара Сарра'),
    ('Stephanie', 'f', 'Steph Stevie', 'Stefanie Stefania Estefanía Стефания'),
    ('Susan', 'f', 'Sue Susie Suzy', 'Susanna Susanne Suzanne Susana Сусанна Сьюзен'),
    ('Teresa', 'f', 'Terry Tess Tessa', 'Theresa Thérèse Тереза'),
    ('Ursula', 'f', 'Ursel Ulla', 'Orsola Урсула'),
    ('Virginia', 'f', 'Ginny Ginger', 'Virginie Вирджиния'),
    ('Wilhelmina', 'f', 'Mina Minnie Wilma', 'Guillermina Вильгельмина')
) AS seed (name, gender, diminutives, equivalents)
CROSS JOIN LATERAL (
    SELECT seed.name AS alias, 'name' AS kind
    UNION ALL
    SELECT alias, 'diminutive' FROM string_to_table(seed.diminutives, ' ') AS alias
    UNION ALL
    SELECT alias, 'equivalent' FROM string_to_table(seed.equivalents, ' ') AS alias
) AS part
ON CONFLICT DO NOTHING;
$crm_source$), (5, 'table', '08-staff', $crm_source$
CREATE SEQUENCE crm.branch_id_seq;

CREATE TABLE crm.branch (
    id bigint PRIMARY KEY DEFAULT nextval('crm.branch_id_seq'), -- Number of the branch.
    name text NOT NULL UNIQUE CHECK (name <> ''), -- Name, such as "Vladivostok office".
    city text, -- City.
    country text CHECK (country ~ '^[A-Z]{2}$'), -- Country, ISO 3166-1 alpha-2.
    time_zone text NOT NULL DEFAULT 'UTC', -- IANA time zone in which the branch works, such as Asia/Vladivostok.
    created_at timestamptz NOT NULL DEFAULT now() -- When the row was made.
);
COMMENT ON TABLE crm.branch IS 'Offices and service points of a distributed sales network, each with its time zone.';

CREATE SEQUENCE crm.territory_id_seq;

CREATE TABLE crm.territory (
    id bigint PRIMARY KEY DEFAULT nextval('crm.territory_id_seq'), -- Number of the territory.
    parent_id bigint REFERENCES crm.territory (id), -- The territory it is part of; null at the top.
    name text NOT NULL CHECK (name <> ''), -- Name, such as "Far East".
    UNIQUE (parent_id, name)
);
COMMENT ON TABLE crm.territory IS 'Sales territories, a tree.';

CREATE SEQUENCE crm.team_id_seq;

CREATE TABLE crm.team (
    id bigint PRIMARY KEY DEFAULT nextval('crm.team_id_seq'), -- Number of the team.
    name text NOT NULL UNIQUE CHECK (name <> ''), -- Name.
    branch_id bigint REFERENCES crm.branch (id) -- Branch in which the team works; null for none.
);
COMMENT ON TABLE crm.team IS 'Teams of agents.';

CREATE SEQUENCE crm.agent_id_seq;

CREATE TABLE crm.agent (
    id bigint PRIMARY KEY DEFAULT nextval('crm.agent_id_seq'), -- Number of the agent; owner_id elsewhere.
    name text NOT NULL CHECK (name <> ''), -- Full name.
    role_name text UNIQUE, -- The database role with which the agent works; null when the application has its own users.
    email text, -- E-mail address.
    phone text, -- Phone number.
    team_id bigint REFERENCES crm.team (id), -- Team.
    branch_id bigint REFERENCES crm.branch (id), -- Branch.
    territory_id bigint REFERENCES crm.territory (id), -- Territory.
    time_zone text NOT NULL DEFAULT 'UTC', -- IANA time zone in which the agent's days begin and end.
    active boolean NOT NULL DEFAULT true, -- Whether the agent works; who left keeps the row.
    created_at timestamptz NOT NULL DEFAULT now() -- When the row was made.
);
COMMENT ON TABLE crm.agent IS 'People who work in the CRM: owners of contacts and deals, assignees of tasks.';
$crm_source$), (6, 'table', '10-contact', $crm_source$
CREATE SEQUENCE crm.company_id_seq;

CREATE TABLE crm.company (
    id bigint PRIMARY KEY DEFAULT nextval('crm.company_id_seq'), -- Number of the company.
    name text NOT NULL CHECK (name <> ''), -- Name as people say it.
    legal_name text, -- Full legal name.
    kind text NOT NULL DEFAULT 'customer' CHECK (kind IN ('customer', 'partner', 'supplier', 'dealer', 'competitor', 'other')), -- What it is to us: customer, partner, supplier, dealer, competitor or other.
    tax_id text, -- Tax number as entered: INN, "INN/KPP" or EU VAT number.
    registration_id text, -- Registry number as entered: OGRN or the like.
    lei text, -- Legal Entity Identifier as entered.
    industry text, -- Industry.
    website text, -- Web address.
    employees integer CHECK (employees >= 0), -- Number of employees.
    annual_revenue numeric, -- Revenue a year, in currency.
    currency text CHECK (currency ~ '^[A-Z]{3}$'), -- Currency of annual_revenue, ISO 4217.
    founded_on date, -- When it was founded.
    parent_id bigint REFERENCES crm.company (id), -- The company it belongs to; null for none.
    country text CHECK (country ~ '^[A-Z]{2}$'), -- Country, ISO 3166-1 alpha-2; region of phone numbers without a country code.
    city text, -- City.
    postal_code text, -- Postal code.
    address text, -- Street address.
    time_zone text, -- IANA time zone.
    territory_id bigint REFERENCES crm.territory (id), -- Sales territory.
    owner_id bigint REFERENCES crm.agent (id), -- The agent who is responsible.
    source text, -- Where the company came from.
    attrs jsonb NOT NULL DEFAULT '{}', -- Custom fields, checked against crm.custom_field.
    name_key text COLLATE "C", -- Derived from name: equal for spellings that sound or look alike, see crm.name_key().
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    updated_at timestamptz NOT NULL DEFAULT now(), -- When it was last changed.
    created_by text NOT NULL DEFAULT current_user, -- Role that made it.
    merged_into bigint, -- The company that absorbed this one; null while it stands for itself.
    archived_at timestamptz, -- When it was set aside as no longer of interest; null while in use.
    deleted_at timestamptz -- When it was deleted; null while it lives.
);
COMMENT ON TABLE crm.company IS 'Organisations of any kind: customers, partners, suppliers, dealers, competitors.';
CREATE INDEX company_name_key ON crm.company (name_key) WHERE deleted_at IS NULL;
CREATE INDEX company_owner ON crm.company (owner_id) WHERE deleted_at IS NULL;
CREATE INDEX company_parent ON crm.company (parent_id) WHERE parent_id IS NOT NULL;

CREATE SEQUENCE crm.contact_id_seq;

CREATE TABLE crm.contact (
    id bigint PRIMARY KEY DEFAULT nextval('crm.contact_id_seq'), -- Number of the contact; never reused.
    title text, -- Title before the name: Dr, г-н.
    given_name text, -- Given name.
    middle_name text, -- Middle name or patronymic.
    family_name text, -- Family name.
    suffix text, -- Suffix after the name: Jr, PhD.
    gender text CHECK (gender IN ('m', 'f')), -- m, f, or null when unknown.
    birth_date date CHECK (birth_date > '1850-01-01'), -- Date of birth.
    birth_date_verified_at timestamptz, -- When a document proved the birth date; null if none did.
    locale text, -- Language in which to address the person: ru, en, de ...
    time_zone text, -- IANA time zone; null for that of the branch.
    country text CHECK (country ~ '^[A-Z]{2}$'), -- Country, ISO 3166-1 alpha-2; region of phone numbers without a country code.
    city text, -- City.
    job_title text, -- Position at work.
    tax_id text, -- Personal tax number as entered.
    lifecycle_stage text NOT NULL DEFAULT 'lead' CHECK (lifecycle_stage IN ('lead', 'customer', 'repeat', 'loyal', 'closed_cycle')), -- lead, customer (bought once), repeat, loyal or closed_cycle (bought all there is).
    kind text NOT NULL DEFAULT 'person', -- Audience: person, fan, supporter, partner or any word of yours.
    owner_id bigint REFERENCES crm.agent (id), -- The agent who is responsible.
    branch_id bigint REFERENCES crm.branch (id), -- Branch that serves the contact.
    territory_id bigint REFERENCES crm.territory (id), -- Sales territory.
    source text, -- Where the contact came from: a form, a fair, an import.
    est_category_spend numeric CHECK (est_category_spend >= 0), -- Estimate of what the contact spends a year on what we sell, anywhere.
    attrs jsonb NOT NULL DEFAULT '{}', -- Custom fields, checked against crm.custom_field.
    name_key text COLLATE "C", -- Derived from the name: equal across scripts and spellings, see crm.name_key().
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    updated_at timestamptz NOT NULL DEFAULT now(), -- When it was last changed.
    created_by text NOT NULL DEFAULT current_user, -- Role that made it.
    merged_into bigint, -- The contact that absorbed this one; null while it stands for itself.
    archived_at timestamptz, -- When it was set aside as no longer of interest; null while in use.
    deleted_at timestamptz -- When it was deleted; null while it lives.
);
COMMENT ON TABLE crm.contact IS 'Persons. What a person entered is kept as entered; keys derived from it stand beside it and in crm.contact_key.';
CREATE INDEX contact_name_key ON crm.contact (name_key) WHERE deleted_at IS NULL;
CREATE INDEX contact_given_name ON crm.contact ((crm.name_key(given_name) COLLATE "C"), id DESC) WHERE deleted_at IS NULL AND given_name IS NOT NULL;
CREATE INDEX contact_owner ON crm.contact (owner_id) WHERE deleted_at IS NULL AND owner_id IS NOT NULL;
CREATE INDEX contact_attrs ON crm.contact USING gin (attrs jsonb_path_ops) WHERE attrs <> '{}'::jsonb;
CREATE INDEX contact_gone ON crm.contact (id) WHERE deleted_at IS NOT NULL OR merged_into IS NOT NULL;
CREATE INDEX contact_archived ON crm.contact (archived_at) WHERE archived_at IS NOT NULL;

CREATE TABLE crm.company_contact (
    contact_id bigint NOT NULL REFERENCES crm.contact (id) ON DELETE CASCADE, -- The person.
    company_id bigint NOT NULL REFERENCES crm.company (id) ON DELETE CASCADE, -- The company.
    role text NOT NULL DEFAULT 'employee', -- What the person is there: employee, director, accountant, buyer ...
    is_primary boolean NOT NULL DEFAULT false, -- Whether it is the person's main company now; at most one.
    valid tstzrange NOT NULL DEFAULT tstzrange(now(), NULL) CHECK (NOT isempty(valid)), -- From when until when; open-ended while it lasts.
    PRIMARY KEY (contact_id, company_id, role, valid)
);
COMMENT ON TABLE crm.company_contact IS 'Which person has which role in which company, and when. One person may have roles in several.';
CREATE UNIQUE INDEX company_contact_primary ON crm.company_contact (contact_id) WHERE is_primary AND upper_inf(valid);
CREATE INDEX company_contact_company ON crm.company_contact (company_id);

CREATE SEQUENCE crm.party_relation_id_seq;

CREATE TABLE crm.party_relation (
    id bigint PRIMARY KEY DEFAULT nextval('crm.party_relation_id_seq'), -- Number of the relation.
    company_id bigint NOT NULL REFERENCES crm.company (id), -- The one company.
    related_company_id bigint NOT NULL REFERENCES crm.company (id), -- The other.
    kind text NOT NULL CHECK (kind IN ('supplies', 'deals_for', 'partner_of', 'competes_with', 'owns')), -- What the first is to the second: supplies, deals_for, partner_of, competes_with or owns.
    valid tstzrange NOT NULL DEFAULT tstzrange(now(), NULL), -- From when until when.
    CHECK (company_id <> related_company_id),
    UNIQUE (company_id, related_company_id, kind, valid)
);
COMMENT ON TABLE crm.party_relation IS 'What companies are to each other.';
CREATE INDEX party_relation_related ON crm.party_relation (related_company_id);

CREATE SEQUENCE crm.contact_point_id_seq;

CREATE TABLE crm.contact_point (
    contact_id bigint NOT NULL REFERENCES crm.contact (id) ON DELETE CASCADE, -- Whose it is.
    id bigint NOT NULL DEFAULT nextval('crm.contact_point_id_seq'), -- Number of the contact point.
    kind text NOT NULL CHECK (kind IN ('email', 'phone', 'address', 'messenger', 'web')), -- email, phone, address, messenger or web.
    label text, -- What for: work, home, mobile.
    raw text NOT NULL CHECK (raw <> ''), -- As the person entered it.
    region text CHECK (region ~ '^[A-Z]{2}$'), -- Region by which a phone without a country code was read.
    email crm.email, -- Canonical form of an e-mail address.
    phone crm.phone, -- Canonical form of a phone number.
    match_key text COLLATE "C", -- Derived: the key by which equal addresses and numbers are found.
    is_primary boolean NOT NULL DEFAULT false, -- Whether it is the first choice of its kind.
    validity text NOT NULL DEFAULT 'unknown' CHECK (validity IN ('unknown', 'valid', 'stale', 'invalid')), -- unknown, valid (proved), stale (not proved for long) or invalid (bounced, wrong number).
    verified_at timestamptz, -- When the owner confirmed it.
    last_ok_at timestamptz, -- When it last worked.
    bounce_count integer NOT NULL DEFAULT 0 CHECK (bounce_count >= 0), -- Hard bounces in a row.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    created_by text NOT NULL DEFAULT session_user, -- Role of the session that made it.
    PRIMARY KEY (contact_id, id)
);
COMMENT ON TABLE crm.contact_point IS 'E-mail addresses, phone numbers and other ways to reach a person: as entered and in canonical form. A value that is none is refused (22P02); the import keeps it aside.';
CREATE UNIQUE INDEX contact_point_primary ON crm.contact_point (contact_id, kind) WHERE is_primary;
CREATE INDEX contact_point_phone_suffix ON crm.contact_point USING btree (phone crm.phone_suffix_ops) WHERE phone IS NOT NULL;

CREATE SEQUENCE crm.company_point_id_seq;

CREATE TABLE crm.company_point (
    company_id bigint NOT NULL REFERENCES crm.company (id) ON DELETE CASCADE, -- Whose it is.
    id bigint NOT NULL DEFAULT nextval('crm.company_point_id_seq'), -- Number of the contact point.
    kind text NOT NULL CHECK (kind IN ('email', 'phone', 'address', 'messenger', 'web')), -- email, phone, address, messenger or web.
    label text, -- What for: reception, accounts, support.
    raw text NOT NULL CHECK (raw <> ''), -- As entered.
    region text CHECK (region ~ '^[A-Z]{2}$'), -- Region by which a phone without a country code was read.
    email crm.email, -- Canonical form of an e-mail address.
    phone crm.phone, -- Canonical form of a phone number.
    match_key text COLLATE "C", -- Derived: the key by which equal addresses and numbers are found.
    is_primary boolean NOT NULL DEFAULT false, -- Whether it is the first choice of its kind.
    validity text NOT NULL DEFAULT 'unknown' CHECK (validity IN ('unknown', 'valid', 'stale', 'invalid')), -- unknown, valid, stale or invalid.
    verified_at timestamptz, -- When it was confirmed.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    created_by text NOT NULL DEFAULT session_user, -- Role of the session that made it.
    PRIMARY KEY (company_id, id)
);
COMMENT ON TABLE crm.company_point IS 'E-mail addresses, phone numbers and other ways to reach a company.';
CREATE UNIQUE INDEX company_point_primary ON crm.company_point (company_id, kind) WHERE is_primary;

CREATE TABLE crm.contact_key (
    kind text COLLATE "C" NOT NULL, -- email, phone, tax_id, name_birth, external, identity or card.
    key text COLLATE "C" NOT NULL, -- The canonical key; of external and identity "system:number".
    contact_id bigint NOT NULL, -- The contact.
    PRIMARY KEY (kind, key, contact_id)
);
COMMENT ON TABLE crm.contact_key IS 'Look-up by canonical key: equal e-mail addresses and phone numbers however they were typed, tax numbers, name with birth date, numbers in other systems. Kept by triggers.';
CREATE UNIQUE INDEX contact_key_unique ON crm.contact_key (kind, key) WHERE kind IN ('external', 'identity', 'card');
CREATE INDEX contact_key_contact ON crm.contact_key (contact_id);

CREATE TABLE crm.company_key (
    kind text COLLATE "C" NOT NULL, -- email, phone, tax_id, registration_id, lei, name or external.
    key text COLLATE "C" NOT NULL, -- The canonical key.
    company_id bigint NOT NULL, -- The company.
    PRIMARY KEY (kind, key, company_id)
);
COMMENT ON TABLE crm.company_key IS 'Look-up of companies by canonical key. Kept by triggers.';
CREATE UNIQUE INDEX company_key_unique ON crm.company_key (kind, key) WHERE kind = 'external';
CREATE INDEX company_key_company ON crm.company_key (company_id);

CREATE SEQUENCE crm.contact_identity_id_seq;

CREATE TABLE crm.contact_identity (
    contact_id bigint NOT NULL REFERENCES crm.contact (id) ON DELETE CASCADE, -- Whose account it is.
    id bigint NOT NULL DEFAULT nextval('crm.contact_identity_id_seq'), -- Number of the identity.
    provider text NOT NULL CHECK (provider <> '' AND provider !~ ':'), -- Where: vk, telegram, site, bank, card ...; without a colon.
    external_id text NOT NULL CHECK (external_id <> ''), -- The account's name or number there.
    verified_by text, -- How the match was proved: portal, agent, document; null if it was not.
    confidence real NOT NULL DEFAULT 1 CHECK (confidence BETWEEN 0 AND 1), -- How sure the match is, 0 to 1.
    evidence jsonb NOT NULL DEFAULT '{}', -- What proves it.
    created_at timestamptz NOT NULL DEFAULT now(), -- When it was linked.
    PRIMARY KEY (contact_id, id),
    UNIQUE (contact_id, provider, external_id)
);
COMMENT ON TABLE crm.contact_identity IS 'Accounts of a person in social networks, messengers, sites, cards. One account belongs to one living contact: crm.contact_key refuses a second (23505).';

CREATE TABLE crm.external_ref (
    contact_id bigint NOT NULL REFERENCES crm.contact (id) ON DELETE CASCADE, -- The contact.
    system text NOT NULL CHECK (system <> '' AND system !~ ':'), -- The other system: 1C, shop, ERP; without a colon.
    external_id text NOT NULL CHECK (external_id <> ''), -- The contact's number there.
    synced_at timestamptz NOT NULL DEFAULT now(), -- When it was last confirmed.
    PRIMARY KEY (contact_id, system, external_id)
);
COMMENT ON TABLE crm.external_ref IS 'Numbers of a contact in other systems (1C, ERP, shop). Unique among living contacts through crm.contact_key.';

CREATE TABLE crm.company_external_ref (
    company_id bigint NOT NULL REFERENCES crm.company (id) ON DELETE CASCADE, -- The company.
    system text NOT NULL CHECK (system <> '' AND system !~ ':'), -- The other system; without a colon.
    external_id text NOT NULL CHECK (external_id <> ''), -- The company's number there.
    synced_at timestamptz NOT NULL DEFAULT now(), -- When it was last confirmed.
    PRIMARY KEY (company_id, system, external_id)
);
COMMENT ON TABLE crm.company_external_ref IS 'Numbers of a company in other systems.';

CREATE SEQUENCE crm.contact_need_id_seq;

CREATE TABLE crm.contact_need (
    contact_id bigint NOT NULL REFERENCES crm.contact (id) ON DELETE CASCADE, -- Whose.
    id bigint NOT NULL DEFAULT nextval('crm.contact_need_id_seq'), -- Number of the need.
    kind text NOT NULL CHECK (kind IN ('need', 'desire', 'objection', 'preference')), -- need, desire, objection or preference.
    subject text NOT NULL CHECK (subject <> ''), -- What about: delivery, price, a product.
    strength integer NOT NULL DEFAULT 3 CHECK (strength BETWEEN 1 AND 5), -- How strong, 1 to 5.
    source text, -- Where it is known from: call, survey, purchase.
    valid tstzrange NOT NULL DEFAULT tstzrange(now(), NULL), -- From when until when it holds; closed, not deleted, when it changes.
    PRIMARY KEY (contact_id, id)
);
COMMENT ON TABLE crm.contact_need IS 'Needs, desires, objections and preferences of a person, with the time in which they held.';

CREATE SEQUENCE crm.contact_date_id_seq;

CREATE TABLE crm.contact_date (
    contact_id bigint NOT NULL REFERENCES crm.contact (id) ON DELETE CASCADE, -- Whose.
    id bigint NOT NULL DEFAULT nextval('crm.contact_date_id_seq'), -- Number of the date.
    kind text NOT NULL CHECK (kind <> ''), -- birthday of a child, wedding, name day, first purchase ...
    date date NOT NULL, -- The day; of what recurs, the first.
    note text, -- What to say.
    PRIMARY KEY (contact_id, id)
);
COMMENT ON TABLE crm.contact_date IS 'Days that matter to a person.';

CREATE SEQUENCE crm.owned_product_id_seq;

CREATE TABLE crm.owned_product (
    contact_id bigint NOT NULL REFERENCES crm.contact (id) ON DELETE CASCADE, -- Owner.
    id bigint NOT NULL DEFAULT nextval('crm.owned_product_id_seq'), -- Number of the possession.
    product text NOT NULL CHECK (product <> ''), -- What: "Lada Vesta".
    serial_number text, -- Serial number.
    purchased_at date NOT NULL, -- When it was bought.
    warranty_until date, -- Last day of the warranty.
    next_service_at date, -- When the next service is due: crm.remind_service() makes a task for it, once per date.
    PRIMARY KEY (contact_id, id),
    CHECK (warranty_until >= purchased_at)
);
COMMENT ON TABLE crm.owned_product IS 'Expensive things a person bought and keeps: what to service and when.';
CREATE INDEX owned_product_service ON crm.owned_product (next_service_at) WHERE next_service_at IS NOT NULL;

CREATE TABLE crm.tag (
    contact_id bigint NOT NULL REFERENCES crm.contact (id) ON DELETE CASCADE, -- The contact.
    tag text NOT NULL CHECK (tag <> '' AND tag = btrim(tag)), -- The tag.
    created_at timestamptz NOT NULL DEFAULT now(), -- When it was given.
    created_by text NOT NULL DEFAULT current_user, -- By which role.
    PRIMARY KEY (contact_id, tag)
);
COMMENT ON TABLE crm.tag IS 'Free tags of contacts.';
CREATE INDEX tag_tag ON crm.tag (tag);

CREATE SEQUENCE crm.consent_id_seq;

CREATE TABLE crm.consent (
    contact_id bigint NOT NULL REFERENCES crm.contact (id) ON DELETE CASCADE, -- Whose consent.
    id bigint NOT NULL DEFAULT nextval('crm.consent_id_seq'), -- Number of the entry; a later one overrides.
    purpose text NOT NULL CHECK (purpose <> ''), -- What for: marketing, service, profiling, a purpose of yours.
    channel text NOT NULL DEFAULT '*', -- Through which channel; * for all.
    status text NOT NULL CHECK (status IN ('granted', 'denied', 'withdrawn')), -- granted, denied or withdrawn.
    at timestamptz NOT NULL DEFAULT now(), -- When the person said so.
    source text, -- Where: form, call, portal.
    legal_basis text, -- Legal basis, where the law asks for one.
    evidence jsonb NOT NULL DEFAULT '{}', -- What proves it: text shown, address, recording.
    recorded_at timestamptz NOT NULL DEFAULT now(), -- When the entry was written.
    recorded_by text NOT NULL DEFAULT current_user, -- By which role.
    PRIMARY KEY (contact_id, id)
);
COMMENT ON TABLE crm.consent IS 'What a person agreed to, refused or took back, as an append-only log; crm.v_consent has the current state. Changing or deleting an entry raises RM020.';

CREATE TABLE crm.channel (
    name text PRIMARY KEY CHECK (name <> ''), -- Name used everywhere, such as email or sms.
    kind text NOT NULL CHECK (kind IN ('email', 'sms', 'call', 'messenger', 'social', 'portal', 'app', 'chat', 'visit', 'post', 'other')), -- What it is.
    direction text NOT NULL DEFAULT 'both' CHECK (direction IN ('in', 'out', 'both')), -- Who may begin: the client (in), we (out) or both.
    cost_per_contact numeric NOT NULL DEFAULT 0 CHECK (cost_per_contact >= 0), -- What one touch costs, in the company's currency.
    active boolean NOT NULL DEFAULT true -- Whether it is in use.
);
COMMENT ON TABLE crm.channel IS 'Ways of talking with clients. A new one is a row.';
INSERT INTO crm.channel (name, kind, direction) VALUES
    ('email', 'email', 'both'), ('sms', 'sms', 'both'), ('call', 'call', 'both'), ('visit', 'visit', 'both'),
    ('portal', 'portal', 'in'), ('app', 'app', 'both'), ('chat', 'chat', 'both'), ('telegram', 'messenger', 'both'),
    ('whatsapp', 'messenger', 'both'), ('vk', 'social', 'both'), ('post', 'post', 'out');

CREATE TABLE crm.custom_field (
    entity text NOT NULL CHECK (entity IN ('contact', 'company', 'deal')), -- Which table has the field: contact, company or deal.
    name text NOT NULL CHECK (name ~ '^[[:alpha:]_][[:alnum:]_]*$'), -- Key in attrs.
    type text NOT NULL CHECK (type IN ('text', 'number', 'integer', 'boolean', 'date', 'timestamp', 'email', 'phone', 'choice', 'multichoice', 'json')), -- What a value must be.
    label text, -- Name shown to people.
    choices text[], -- Allowed values of choice and multichoice.
    is_required boolean NOT NULL DEFAULT false, -- Whether attrs must have it.
    minimum numeric, -- Least allowed number.
    maximum numeric, -- Greatest allowed number.
    description text, -- What it means.
    created_at timestamptz NOT NULL DEFAULT now(), -- When it was defined.
    PRIMARY KEY (entity, name),
    CHECK (type NOT IN ('choice', 'multichoice') OR cardinality(choices) > 0)
);
COMMENT ON TABLE crm.custom_field IS 'Your own fields: which keys attrs may have and of what type. A wrong value raises 22023 and names the field.';

CREATE TABLE crm.completeness_weight (
    field text PRIMARY KEY, -- A column of crm.contact, or email, phone, company, consent, or attrs.name for a custom field.
    weight numeric NOT NULL CHECK (weight > 0) -- What it adds to the score when filled.
);
COMMENT ON TABLE crm.completeness_weight IS 'What makes a contact complete: crm.completeness() is the sum of the weights of the filled ones.';
INSERT INTO crm.completeness_weight (field, weight) VALUES
    ('given_name', 2), ('family_name', 2), ('email', 3), ('phone', 3), ('birth_date', 1), ('city', 1), ('company', 1),
    ('gender', 0.5), ('locale', 0.5), ('consent', 1);

CREATE TABLE crm.survivorship_rule (
    field text NOT NULL, -- Column of crm.contact, or * for every other.
    source text NOT NULL, -- Source of the value: user, import, enrichment, portal ... or * for every other.
    priority integer NOT NULL, -- The lower wins.
    min_confidence real NOT NULL DEFAULT 0 CHECK (min_confidence BETWEEN 0 AND 1), -- Values below it are not considered.
    PRIMARY KEY (field, source)
);
COMMENT ON TABLE crm.survivorship_rule IS 'Which source is believed for which field when several say different things; among equals the later wins.';
INSERT INTO crm.survivorship_rule (field, source, priority, min_confidence) VALUES
    ('*', 'user', 10, 0), ('*', 'portal', 20, 0), ('*', 'import', 30, 0), ('*', 'survey', 40, 0), ('*', 'enrichment', 50, 0.8), ('*', '*', 90, 0);

CREATE SEQUENCE crm.source_value_id_seq;

CREATE TABLE crm.source_value (
    contact_id bigint NOT NULL REFERENCES crm.contact (id) ON DELETE CASCADE, -- Of whom.
    id bigint NOT NULL DEFAULT nextval('crm.source_value_id_seq'), -- Number of the statement.
    field text NOT NULL, -- Column of crm.contact.
    source text NOT NULL, -- Who says so: user, import, enrichment, portal, survey ...
    value text, -- What it says.
    confidence real NOT NULL DEFAULT 1 CHECK (confidence BETWEEN 0 AND 1), -- How sure, 0 to 1.
    detail jsonb NOT NULL DEFAULT '{}', -- Where exactly: a page, a file, a batch.
    seen_at timestamptz NOT NULL DEFAULT now(), -- When it was seen.
    PRIMARY KEY (contact_id, id)
);
COMMENT ON TABLE crm.source_value IS 'What each source says of a field; crm.apply_survivorship() lets the best believed win and crm.explain_value() tells which did.';
CREATE INDEX source_value_field ON crm.source_value (contact_id, field);

CREATE TABLE crm.archive_rule (
    name text PRIMARY KEY, -- Name of the rule.
    lifecycle_stage text, -- Only contacts at this stage; null for any.
    definition text, -- Only contacts for whom this rule on crm.contact_profile holds, such as order_total < 1000; null for all.
    rule crm.rule, -- Derived: that rule.
    inactive_for interval NOT NULL, -- Not changed, not in touch and no order for so long.
    without_deals boolean NOT NULL DEFAULT true, -- Only contacts without an open or won deal.
    enabled boolean NOT NULL DEFAULT true -- Whether the job applies it.
);
COMMENT ON TABLE crm.archive_rule IS 'Which contacts crm.archive_contacts() sets aside as no longer of interest; crm.restore_contacts() takes them back.';
CREATE TRIGGER archive_rule_rule BEFORE INSERT OR UPDATE ON crm.archive_rule FOR EACH ROW EXECUTE FUNCTION crm.derive_rule('crm.contact_profile');
$crm_source$), (7, 'table', '11-contact-trigger', $crm_source$
-- The functions here are owned by whoever installs and run with that role's
-- rights: who may write a contact need not be able to write its keys.

CREATE FUNCTION crm.refresh_contact_keys(contact_ids bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    removal CONSTANT text := 'DELETE FROM crm.contact_key k
        WHERE k.contact_id = ANY ($1)
          AND NOT EXISTS (SELECT FROM crm.contact_keys_of($1) n WHERE n.kind = k.kind AND n.key = k.key AND n.contact_id = k.contact_id)';
    addition CONSTANT text := 'INSERT INTO crm.contact_key (kind, key, contact_id)
        SELECT n.kind, n.key, n.contact_id FROM crm.contact_keys_of($1) n ON CONFLICT (kind, key, contact_id) DO NOTHING';
BEGIN
    -- Whoever adds a point or a number holds the contact by its foreign key
    -- until the end of the transaction: wait for them, then look.
    PERFORM FROM crm.contact c WHERE c.id = ANY (contact_ids) ORDER BY c.id FOR UPDATE;
    -- A plan that is kept for a few would join thousands in a nested loop, and
    -- one that was made while the base was small would read all of it.
    IF cardinality(contact_ids) <= 20 THEN
        DELETE FROM crm.contact_key k
        WHERE k.contact_id = ANY (contact_ids)
          AND NOT EXISTS (SELECT FROM crm.contact_keys_of(contact_ids) n
                          WHERE n.kind = k.kind AND n.key = k.key AND n.contact_id = k.contact_id);
        INSERT INTO crm.contact_key (kind, key, contact_id)
        SELECT n.kind, n.key, n.contact_id FROM crm.contact_keys_of(contact_ids) n
        ON CONFLICT (kind, key, contact_id) DO NOTHING;
    ELSE
        SET LOCAL enable_seqscan = on;
        EXECUTE removal USING contact_ids;
        EXECUTE addition USING contact_ids;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION crm.refresh_contact_keys(bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION crm.refresh_contact_keys(bigint[]) IS 'Brings crm.contact_key in line with the contacts named. Errors: 23505 when an account or external number belongs to another living contact.';

-- Named in full and without settings, so that it is planned with its caller.
CREATE FUNCTION crm.contact_keys_of(contact_ids bigint[], OUT kind text, OUT key text, OUT contact_id bigint)
RETURNS SETOF record LANGUAGE sql STABLE AS $$
    SELECT p.kind, p.match_key, p.contact_id
    FROM crm.contact living JOIN crm.contact_point p ON p.contact_id OPERATOR(pg_catalog.=) living.id
    WHERE living.id OPERATOR(pg_catalog.=) ANY (contact_ids) AND living.deleted_at IS NULL AND living.merged_into IS NULL
      AND p.match_key IS NOT NULL
    UNION
    SELECT 'tax_id', crm.tax_key(living.tax_id), living.id
    FROM crm.contact living
    WHERE living.id OPERATOR(pg_catalog.=) ANY (contact_ids) AND living.deleted_at IS NULL AND living.merged_into IS NULL
      AND crm.tax_key(living.tax_id) IS NOT NULL
    UNION
    SELECT 'name_birth', pg_catalog.concat(living.name_key, '|', pg_catalog.to_char(living.birth_date, 'YYYYMMDD')), living.id
    FROM crm.contact living
    WHERE living.id OPERATOR(pg_catalog.=) ANY (contact_ids) AND living.deleted_at IS NULL AND living.merged_into IS NULL
      AND living.name_key OPERATOR(pg_catalog.<>) '' AND living.birth_date IS NOT NULL
    UNION
    SELECT 'identity', pg_catalog.concat(i.provider, ':', i.external_id), i.contact_id
    FROM crm.contact living JOIN crm.contact_identity i ON i.contact_id OPERATOR(pg_catalog.=) living.id
    WHERE living.id OPERATOR(pg_catalog.=) ANY (contact_ids) AND living.deleted_at IS NULL AND living.merged_into IS NULL
    UNION
    SELECT 'external', pg_catalog.concat(r.system, ':', r.external_id), r.contact_id
    FROM crm.contact living JOIN crm.external_ref r ON r.contact_id OPERATOR(pg_catalog.=) living.id
    WHERE living.id OPERATOR(pg_catalog.=) ANY (contact_ids) AND living.deleted_at IS NULL AND living.merged_into IS NULL
$$;
COMMENT ON FUNCTION crm.contact_keys_of(bigint[]) IS 'The keys that crm.contact_key must hold for the contacts named; none for deleted or absorbed ones.';

CREATE FUNCTION crm.contact_key_insert() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- New rows can only add keys: no need to look at what the contacts had.
    -- Sorted, because an index takes sorted keys several times faster.
    CASE TG_TABLE_NAME
    WHEN 'contact' THEN
        -- A contact that is new has no keys yet.
        INSERT INTO crm.contact_key (kind, key, contact_id)
        SELECT 'name_birth', n.name_key || '|' || to_char(n.birth_date, 'YYYYMMDD'), n.id
        FROM new_rows n
        WHERE n.name_key <> '' AND n.birth_date IS NOT NULL AND n.deleted_at IS NULL AND n.merged_into IS NULL
        ORDER BY 1, 2;
        INSERT INTO crm.contact_key (kind, key, contact_id)
        SELECT 'tax_id', crm.tax_key(n.tax_id), n.id
        FROM new_rows n
        WHERE n.tax_id IS NOT NULL AND crm.tax_key(n.tax_id) IS NOT NULL AND n.deleted_at IS NULL AND n.merged_into IS NULL
        ORDER BY 1, 2;
    WHEN 'contact_point' THEN
        INSERT INTO crm.contact_key (kind, key, contact_id)
        SELECT n.kind, n.match_key, n.contact_id
        FROM new_rows n
        WHERE n.match_key IS NOT NULL AND NOT EXISTS (SELECT FROM crm.contact c WHERE c.id = n.contact_id AND (c.deleted_at IS NOT NULL OR c.merged_into IS NOT NULL))
        ORDER BY 1, 2
        ON CONFLICT (kind, key, contact_id) DO NOTHING;
    WHEN 'contact_identity' THEN
        INSERT INTO crm.contact_key (kind, key, contact_id)
        SELECT 'identity', n.provider || ':' || n.external_id, n.contact_id
        FROM new_rows n
        WHERE NOT EXISTS (SELECT FROM crm.contact c WHERE c.id = n.contact_id AND (c.deleted_at IS NOT NULL OR c.merged_into IS NOT NULL))
        ORDER BY 1, 2
        ON CONFLICT (kind, key, contact_id) DO NOTHING;
    WHEN 'external_ref' THEN
        INSERT INTO crm.contact_key (kind, key, contact_id)
        SELECT 'external', n.system || ':' || n.external_id, n.contact_id
        FROM new_rows n
        WHERE NOT EXISTS (SELECT FROM crm.contact c WHERE c.id = n.contact_id AND (c.deleted_at IS NOT NULL OR c.merged_into IS NOT NULL))
        ORDER BY 1, 2
        ON CONFLICT (kind, key, contact_id) DO NOTHING;
    END CASE;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.contact_key_insert() FROM PUBLIC;
COMMENT ON FUNCTION crm.contact_key_insert() IS 'Trigger: adds the keys of new rows to crm.contact_key.';

CREATE FUNCTION crm.contact_key_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    ids bigint[];
    gone bigint[];
BEGIN
    IF TG_TABLE_NAME = 'contact' THEN
        IF TG_OP = 'DELETE' THEN
            DELETE FROM crm.contact_key WHERE contact_id IN (SELECT id FROM old_rows);
            RETURN NULL;
        END IF;
        -- Planned each time: a plan kept from updates of one row would join
        -- thousands in a nested loop.
        EXECUTE 'SELECT array_agg(o.id) FILTER (WHERE n.deleted_at IS NULL AND n.merged_into IS NULL),
                        array_agg(o.id) FILTER (WHERE n.deleted_at IS NOT NULL OR n.merged_into IS NOT NULL)
                 FROM old_rows o JOIN new_rows n USING (id)
                 WHERE (o.name_key, o.birth_date, o.tax_id, o.deleted_at IS NULL, o.merged_into)
                       IS DISTINCT FROM (n.name_key, n.birth_date, n.tax_id, n.deleted_at IS NULL, n.merged_into)' INTO ids, gone;
        -- Who is gone has no keys; wait for whoever is adding one.
        IF gone IS NOT NULL THEN
            PERFORM FROM crm.contact c WHERE c.id = ANY (gone) ORDER BY c.id FOR UPDATE;
            DELETE FROM crm.contact_key k WHERE k.contact_id = ANY (gone);
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(o.contact_id) INTO ids
        FROM (SELECT DISTINCT contact_id FROM old_rows) o
        -- One by one: as a join it would read all that are gone for one row.
        WHERE NOT coalesce((SELECT c.deleted_at IS NOT NULL OR c.merged_into IS NOT NULL FROM crm.contact c WHERE c.id = o.contact_id), false);
        -- Only the keys of these rows can go, those that no other row has. Of
        -- many it is not worth while: see crm.refresh_contact_keys().
        IF cardinality(ids) <= 20 THEN
            PERFORM FROM crm.contact c WHERE c.id = ANY (ids) ORDER BY c.id FOR UPDATE;
            CASE TG_TABLE_NAME
            WHEN 'contact_point' THEN
                DELETE FROM crm.contact_key k USING old_rows o
                WHERE o.contact_id = ANY (ids) AND k.contact_id = o.contact_id AND k.kind = o.kind AND k.key = o.match_key
                  AND NOT EXISTS (SELECT FROM crm.contact_point p
                                  WHERE p.contact_id = o.contact_id AND p.kind = o.kind AND p.match_key = o.match_key);
            WHEN 'contact_identity' THEN
                DELETE FROM crm.contact_key k USING old_rows o
                WHERE o.contact_id = ANY (ids) AND k.contact_id = o.contact_id AND k.kind = 'identity' AND k.key = o.provider || ':' || o.external_id
                  AND NOT EXISTS (SELECT FROM crm.contact_identity i
                                  WHERE i.contact_id = o.contact_id AND i.provider || ':' || i.external_id = o.provider || ':' || o.external_id);
            WHEN 'external_ref' THEN
                DELETE FROM crm.contact_key k USING old_rows o
                WHERE o.contact_id = ANY (ids) AND k.contact_id = o.contact_id AND k.kind = 'external' AND k.key = o.system || ':' || o.external_id
                  AND NOT EXISTS (SELECT FROM crm.external_ref r
                                  WHERE r.contact_id = o.contact_id AND r.system || ':' || r.external_id = o.system || ':' || o.external_id);
            END CASE;
            RETURN NULL;
        END IF;
    ELSE
        SELECT array_agg(DISTINCT contact_id) INTO ids
        FROM (SELECT contact_id FROM old_rows UNION SELECT contact_id FROM new_rows) both_rows;
    END IF;
    IF ids IS NOT NULL THEN
        PERFORM crm.refresh_contact_keys(ids);
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.contact_key_change() FROM PUBLIC;
COMMENT ON FUNCTION crm.contact_key_change() IS 'Trigger: brings crm.contact_key in line after updates and deletes.';

CREATE FUNCTION crm.company_keys_of(company_ids bigint[], OUT kind text, OUT key text, OUT company_id bigint)
RETURNS SETOF record LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    WITH living AS (
        SELECT c.* FROM crm.company c WHERE c.id = ANY (company_ids) AND c.deleted_at IS NULL
    )
    SELECT p.kind, p.match_key, p.company_id
    FROM living JOIN crm.company_point p ON p.company_id = living.id
    WHERE p.match_key IS NOT NULL
    UNION
    SELECT 'name', living.name_key, living.id FROM living WHERE living.name_key <> ''
    UNION
    SELECT 'tax_id', crm.tax_key(living.tax_id), living.id FROM living WHERE crm.tax_key(living.tax_id) IS NOT NULL
    UNION
    SELECT 'registration_id', crm.tax_key(living.registration_id), living.id FROM living WHERE crm.tax_key(living.registration_id) IS NOT NULL
    UNION
    SELECT 'lei', crm.tax_key(living.lei), living.id FROM living WHERE crm.tax_key(living.lei) IS NOT NULL
    UNION
    SELECT 'external', r.system || ':' || r.external_id, r.company_id
    FROM living JOIN crm.company_external_ref r ON r.company_id = living.id
$$;
COMMENT ON FUNCTION crm.company_keys_of(bigint[]) IS 'The keys that crm.company_key must hold for the companies named; none for deleted ones.';

CREATE FUNCTION crm.refresh_company_keys(company_ids bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM crm.company c WHERE c.id = ANY (company_ids) ORDER BY c.id FOR UPDATE;
    DELETE FROM crm.company_key k
    WHERE k.company_id = ANY (company_ids)
      AND NOT EXISTS (SELECT FROM crm.company_keys_of(company_ids) n
                      WHERE n.kind = k.kind AND n.key = k.key AND n.company_id = k.company_id);
    INSERT INTO crm.company_key (kind, key, company_id)
    SELECT n.kind, n.key, n.company_id FROM crm.company_keys_of(company_ids) n
    ON CONFLICT (kind, key, company_id) DO NOTHING;
END
$$;
REVOKE ALL ON FUNCTION crm.refresh_company_keys(bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION crm.refresh_company_keys(bigint[]) IS 'Brings crm.company_key in line with the companies named. Errors: 23505 when an external number belongs to another living company.';

CREATE FUNCTION crm.company_key_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids bigint[];
BEGIN
    IF TG_TABLE_NAME = 'company' THEN
        CASE TG_OP
        WHEN 'INSERT' THEN SELECT array_agg(id) INTO ids FROM new_rows;
        WHEN 'UPDATE' THEN
            EXECUTE 'SELECT array_agg(o.id) FROM old_rows o JOIN new_rows n USING (id)
                     WHERE (o.name_key, o.tax_id, o.registration_id, o.lei, o.deleted_at IS NULL)
                           IS DISTINCT FROM (n.name_key, n.tax_id, n.registration_id, n.lei, n.deleted_at IS NULL)' INTO ids;
        WHEN 'DELETE' THEN
            DELETE FROM crm.company_key WHERE company_id IN (SELECT id FROM old_rows);
        END CASE;
    ELSE
        CASE TG_OP
        WHEN 'INSERT' THEN SELECT array_agg(DISTINCT company_id) INTO ids FROM new_rows;
        WHEN 'UPDATE' THEN
            SELECT array_agg(DISTINCT company_id) INTO ids
            FROM (SELECT company_id FROM old_rows UNION SELECT company_id FROM new_rows) both_rows;
        WHEN 'DELETE' THEN SELECT array_agg(DISTINCT company_id) INTO ids FROM old_rows;
        END CASE;
    END IF;
    IF ids IS NOT NULL THEN
        PERFORM crm.refresh_company_keys(ids);
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.company_key_change() FROM PUBLIC;
COMMENT ON FUNCTION crm.company_key_change() IS 'Trigger: brings crm.company_key in line.';

CREATE TRIGGER derive BEFORE INSERT OR UPDATE ON crm.contact FOR EACH ROW EXECUTE FUNCTION crm.derive();
CREATE TRIGGER derive BEFORE INSERT OR UPDATE ON crm.company FOR EACH ROW EXECUTE FUNCTION crm.derive();
CREATE TRIGGER derive BEFORE INSERT OR UPDATE ON crm.contact_point FOR EACH ROW EXECUTE FUNCTION crm.derive();
CREATE TRIGGER derive BEFORE INSERT OR UPDATE ON crm.company_point FOR EACH ROW EXECUTE FUNCTION crm.derive();

CREATE TRIGGER key_insert AFTER INSERT ON crm.contact REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_insert();
CREATE TRIGGER key_update AFTER UPDATE ON crm.contact REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_change();
CREATE TRIGGER key_delete AFTER DELETE ON crm.contact REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_change();
CREATE TRIGGER key_insert AFTER INSERT ON crm.contact_point REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_insert();
CREATE TRIGGER key_update AFTER UPDATE ON crm.contact_point REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_change();
CREATE TRIGGER key_delete AFTER DELETE ON crm.contact_point REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_change();
CREATE TRIGGER key_insert AFTER INSERT ON crm.contact_identity REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_insert();
CREATE TRIGGER key_update AFTER UPDATE ON crm.contact_identity REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_change();
CREATE TRIGGER key_delete AFTER DELETE ON crm.contact_identity REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_change();
CREATE TRIGGER key_insert AFTER INSERT ON crm.external_ref REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_insert();
CREATE TRIGGER key_update AFTER UPDATE ON crm.external_ref REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_change();
CREATE TRIGGER key_delete AFTER DELETE ON crm.external_ref REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.contact_key_change();

CREATE TRIGGER key_insert AFTER INSERT ON crm.company REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.company_key_change();
CREATE TRIGGER key_update AFTER UPDATE ON crm.company REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.company_key_change();
CREATE TRIGGER key_delete AFTER DELETE ON crm.company REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.company_key_change();
CREATE TRIGGER key_insert AFTER INSERT ON crm.company_point REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.company_key_change();
CREATE TRIGGER key_update AFTER UPDATE ON crm.company_point REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.company_key_change();
CREATE TRIGGER key_delete AFTER DELETE ON crm.company_point REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.company_key_change();
CREATE TRIGGER key_insert AFTER INSERT ON crm.company_external_ref REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.company_key_change();
CREATE TRIGGER key_update AFTER UPDATE ON crm.company_external_ref REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.company_key_change();
CREATE TRIGGER key_delete AFTER DELETE ON crm.company_external_ref REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.company_key_change();

CREATE TRIGGER attrs_insert AFTER INSERT ON crm.contact REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.check_attrs();
CREATE TRIGGER attrs_update AFTER UPDATE ON crm.contact REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.check_attrs();
CREATE TRIGGER attrs_insert AFTER INSERT ON crm.company REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.check_attrs();
CREATE TRIGGER attrs_update AFTER UPDATE ON crm.company REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.check_attrs();

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON crm.consent FOR EACH ROW EXECUTE FUNCTION crm.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON crm.consent FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_change();

CREATE TRIGGER audit_insert AFTER INSERT ON crm.contact REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.contact REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.contact REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_insert AFTER INSERT ON crm.company REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.company REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.company REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_update AFTER UPDATE ON crm.contact_point REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.contact_point REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_update AFTER UPDATE ON crm.company_point REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.company_point REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_insert AFTER INSERT ON crm.contact_identity REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.contact_identity REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.contact_identity REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_update AFTER UPDATE ON crm.external_ref REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.external_ref REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_update AFTER UPDATE ON crm.company_external_ref REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.company_external_ref REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_insert AFTER INSERT ON crm.company_contact REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.company_contact REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.company_contact REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_insert AFTER INSERT ON crm.contact_need REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.contact_need REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.contact_need REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_insert AFTER INSERT ON crm.tag REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.tag REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.tag REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_insert AFTER INSERT ON crm.custom_field REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.custom_field REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.custom_field REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

CREATE TRIGGER time_zone_guard BEFORE INSERT OR UPDATE OF time_zone ON crm.branch
    FOR EACH ROW EXECUTE FUNCTION crm.time_zone_guard();
CREATE TRIGGER time_zone_guard BEFORE INSERT OR UPDATE OF time_zone ON crm.agent
    FOR EACH ROW EXECUTE FUNCTION crm.time_zone_guard();
CREATE TRIGGER time_zone_guard BEFORE INSERT OR UPDATE OF time_zone ON crm.company
    FOR EACH ROW WHEN (NEW.time_zone IS NOT NULL) EXECUTE FUNCTION crm.time_zone_guard();
CREATE TRIGGER time_zone_guard BEFORE INSERT OR UPDATE OF time_zone ON crm.contact
    FOR EACH ROW WHEN (NEW.time_zone IS NOT NULL) EXECUTE FUNCTION crm.time_zone_guard();

-- TRUNCATE fires no other trigger: keys would stay, and no history be written.
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON crm.contact FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_truncate();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON crm.company FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_truncate();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON crm.contact_point FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_truncate();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON crm.company_point FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_truncate();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON crm.contact_identity FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_truncate();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON crm.external_ref FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_truncate();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON crm.company_external_ref FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_truncate();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON crm.company_contact FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_truncate();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON crm.tag FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_truncate();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON crm.contact_need FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_truncate();
$crm_source$), (8, 'table', '12-import', $crm_source$
CREATE SEQUENCE crm.import_batch_id_seq;

CREATE TABLE crm.import_batch (
    id bigint PRIMARY KEY DEFAULT nextval('crm.import_batch_id_seq'), -- Number of the batch.
    name text NOT NULL CHECK (name <> ''), -- What it is: a file's name.
    entity text NOT NULL CHECK (entity IN ('contact', 'company')), -- What the rows are: contact or company.
    source text NOT NULL CHECK (source <> '' AND source !~ ':'), -- The system it comes from; external numbers are unique within it.
    columns text[] NOT NULL, -- Headers of the columns, in order.
    mapping jsonb NOT NULL DEFAULT '{}', -- {"header": "target"}: see crm.import_targets().
    options jsonb NOT NULL DEFAULT '{}', -- Options of crm.import_apply() that were used.
    status text NOT NULL DEFAULT 'staged' CHECK (status IN ('staged', 'applied', 'undone')), -- staged, applied or undone.
    rows bigint NOT NULL DEFAULT 0, -- Rows staged.
    created bigint NOT NULL DEFAULT 0, -- Rows that made a new contact or company.
    updated bigint NOT NULL DEFAULT 0, -- Rows that changed one.
    unchanged bigint NOT NULL DEFAULT 0, -- Rows that said nothing new.
    rejected bigint NOT NULL DEFAULT 0, -- Rows set aside whole.
    values_set_aside bigint NOT NULL DEFAULT 0, -- Single values set aside of rows that were taken.
    created_at timestamptz NOT NULL DEFAULT now(), -- When it was staged.
    created_by text NOT NULL DEFAULT current_user, -- By which role.
    applied_at timestamptz, -- When it was applied.
    undone_at timestamptz, -- When it was undone.
    applied_transaction xid8, -- The transaction that applied it.
    undone_transaction xid8, -- The transaction that took it back.
    applied_audit int8range, -- Numbers of the audit entries between which it was applied.
    undone_audit int8range -- Numbers of the audit entries between which it was taken back.
);
COMMENT ON TABLE crm.import_batch IS 'Loads of contacts or companies: rows = created + updated + unchanged + rejected, always.';

CREATE TABLE crm.import_row (
    batch_id bigint NOT NULL REFERENCES crm.import_batch (id) ON DELETE CASCADE, -- The batch.
    row_number bigint NOT NULL, -- Number of the row in it, from 1, the header not counted.
    line bigint, -- Line of the file in which the row begins; null when it was no file.
    fields text[] NOT NULL, -- The row as it was, one element a column; null where empty.
    PRIMARY KEY (batch_id, row_number)
);
COMMENT ON TABLE crm.import_row IS 'The rows of a batch as they came. crm.purge_imports() removes those of old batches.';

CREATE TABLE crm.import_result (
    batch_id bigint NOT NULL, -- The batch.
    row_number bigint NOT NULL, -- Number of the row.
    outcome text NOT NULL CHECK (outcome IN ('created', 'updated', 'unchanged', 'rejected')), -- created, updated, unchanged or rejected.
    entity_id bigint, -- The contact or company it became; null when rejected.
    fingerprint uuid, -- MD5 of a row that has no number, address or date to be known by.
    before jsonb, -- Of an update: the columns it changed, with their values before.
    added jsonb, -- What it added: {"points": [ids], "tags": [...], "companies": [ids], "external_ids": [...]}.
    last_audit_id bigint, -- Number of the last entry of crm.audit_log when it was applied.
    last_point_id bigint, -- Number of the last contact point then.
    undone boolean NOT NULL DEFAULT false, -- Whether crm.undo_import() has taken it back.
    PRIMARY KEY (batch_id, row_number)
);
COMMENT ON TABLE crm.import_result IS 'What became of each row of a batch; crm.undo_import() reads it.';
CREATE INDEX import_result_fingerprint ON crm.import_result (fingerprint) WHERE fingerprint IS NOT NULL;
CREATE INDEX import_result_entity ON crm.import_result (entity_id) WHERE outcome <> 'created' AND entity_id IS NOT NULL;

CREATE SEQUENCE crm.import_reject_id_seq;

CREATE TABLE crm.import_reject (
    batch_id bigint NOT NULL REFERENCES crm.import_batch (id) ON DELETE CASCADE, -- The batch.
    row_number bigint NOT NULL, -- Number of the row.
    id bigint NOT NULL DEFAULT nextval('crm.import_reject_id_seq'), -- Number of the entry.
    column_name text, -- Header of the column; null when the whole row is at fault.
    value text, -- The value.
    code text NOT NULL, -- Stable token such as PHONE_TOO_SHORT.
    reason text NOT NULL, -- What is wrong, in a sentence.
    hint text, -- What to do, in a sentence.
    suggestion text, -- The one probable repair.
    row_rejected boolean NOT NULL, -- Whether the whole row was set aside, or only this value.
    resolved_at timestamptz, -- When crm.import_fix() brought it in; null while open.
    PRIMARY KEY (batch_id, row_number, id)
);
COMMENT ON TABLE crm.import_reject IS 'What an import did not take, value by value, with the reason: nothing is lost. crm.import_fix() brings a corrected row in.';
$crm_source$), (9, 'table', '13-quality', $crm_source$
CREATE TABLE crm.duplicate_pair (
    contact_id bigint NOT NULL, -- The one contact, with the lower id.
    duplicate_id bigint NOT NULL, -- The other.
    status text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'confirmed', 'rejected', 'merged')), -- new, confirmed (the same person, to be merged), rejected (two persons, never offered again) or merged.
    strength real NOT NULL CHECK (strength BETWEEN 0 AND 1), -- How strong the evidence is, 0 to 1.
    evidence jsonb NOT NULL DEFAULT '{}', -- Which keys agree: {"email": ["..."], "name": [...], "differs": [...]}.
    method text NOT NULL DEFAULT 'exact' CHECK (method <> ''), -- What found it: exact, or a match model.
    found_at timestamptz NOT NULL DEFAULT now(), -- When it was first found.
    decided_at timestamptz, -- When a person decided; null while new.
    decided_by text, -- Who decided.
    PRIMARY KEY (contact_id, duplicate_id),
    CHECK (contact_id < duplicate_id)
);
COMMENT ON TABLE crm.duplicate_pair IS 'Pairs of contacts that may be one person. crm.scan_duplicates() fills it; a rejected pair is never offered again.';
CREATE INDEX duplicate_pair_other ON crm.duplicate_pair (duplicate_id);
CREATE INDEX duplicate_pair_new ON crm.duplicate_pair (strength DESC, contact_id) WHERE status = 'new';

CREATE SEQUENCE crm.merge_id_seq;

CREATE TABLE crm.merge_journal (
    survivor_id bigint NOT NULL, -- The contact or company that absorbed.
    merge_id bigint NOT NULL, -- Number of the merge, as crm.merge_contacts() returned it.
    entry integer NOT NULL, -- Number of the entry in it; in this order they were made.
    absorbed_id bigint NOT NULL, -- The contact or company that was absorbed.
    operation text NOT NULL CHECK (operation IN ('absorb', 'fill', 'move', 'drop', 'add', 'relink')), -- absorb (the contact itself), fill (columns of the survivor), move (a row that now belongs to the survivor), drop (a row in whose place another stands), add (a row that the merge made) or relink (a row that referred to a dropped one and now refers to the one in its place, or to none).
    relation text NOT NULL, -- Table of the row, with schema where it is not in crm.
    row_before jsonb NOT NULL, -- Column to value, as text, before; of a fill only the columns that changed; empty of an added row.
    row_after jsonb, -- The columns that changed, after; of an added row all; null of a drop.
    reason text, -- Why a row was dropped or changed.
    at timestamptz NOT NULL DEFAULT now(), -- When: start of the transaction.
    actor text NOT NULL, -- The person: setting crm.actor, otherwise the session's role.
    column_name text, -- The column that held the number of the absorbed one; null where it is not by such a column that the row was found.
    PRIMARY KEY (survivor_id, merge_id, entry)
);
COMMENT ON TABLE crm.merge_journal IS 'What merges did, row by row: every value that was overwritten and every row that was moved or dropped, exact to the byte. crm.unmerge() reads it.';
CREATE INDEX merge_journal_absorbed ON crm.merge_journal (absorbed_id);
CREATE INDEX merge_journal_merge ON crm.merge_journal (merge_id);
CREATE INDEX contact_merged_into ON crm.contact (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE crm.field_source (
    contact_id bigint NOT NULL REFERENCES crm.contact (id) ON DELETE CASCADE, -- Whose field.
    field text NOT NULL, -- Column of crm.contact, or attrs.name.
    value text NOT NULL, -- The value that was written.
    source text NOT NULL, -- Source that said it.
    source_value_id bigint NOT NULL, -- Its entry in crm.source_value.
    applied_at timestamptz NOT NULL DEFAULT now(), -- When it was written.
    PRIMARY KEY (contact_id, field)
);
COMMENT ON TABLE crm.field_source IS 'Fields that crm.apply_survivorship() wrote. A field that holds another value now was entered by a user since.';

CREATE TRIGGER identity_guard BEFORE INSERT OR UPDATE ON crm.contact_identity
    FOR EACH ROW EXECUTE FUNCTION crm.identity_guard();

-- Runs with the rights of whoever installs, so that the portal's role needs
-- none on the tables.  Who calls is told by setting role, which SET ROLE
-- keeps, and by session_user: neither can be forged.
CREATE FUNCTION crm.link_identity(contact_id bigint, provider text, external_id text, evidence jsonb DEFAULT '{}') RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    caller name := coalesce(nullif(current_setting('role'), 'none'), session_user);
    by_portal boolean;
    holder bigint;
    linked bigint;
BEGIN
    PERFORM crm.require_installed();
    by_portal := crm.is_portal(caller);
    IF by_portal THEN
        IF nullif(current_setting('crm.portal_contact', true), '')::bigint IS DISTINCT FROM link_identity.contact_id THEN
            RAISE EXCEPTION 'contact % is not the one that is logged in', link_identity.contact_id
                USING ERRCODE = 'insufficient_privilege',
                      HINT = 'The portal sets crm.portal_contact to the contact whom it has authenticated, and may link accounts for nobody else.';
        END IF;
    ELSIF NOT has_table_privilege(caller, 'crm.contact_identity', 'INSERT') THEN
        RAISE EXCEPTION 'role "%" may not link accounts to contacts', caller USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM FROM crm.contact c WHERE c.id = link_identity.contact_id AND c.deleted_at IS NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no contact %', link_identity.contact_id USING ERRCODE = 'no_data_found';
    END IF;
    BEGIN
        INSERT INTO crm.contact_identity AS i (contact_id, provider, external_id, verified_by, evidence)
        VALUES (link_identity.contact_id, link_identity.provider, link_identity.external_id,
                CASE WHEN by_portal THEN 'portal' ELSE 'agent' END, coalesce(link_identity.evidence, '{}'))
        ON CONFLICT (contact_id, provider, external_id) DO UPDATE
        SET verified_by = CASE WHEN i.verified_by = 'portal' THEN i.verified_by ELSE excluded.verified_by END,
            confidence = 1, evidence = i.evidence || excluded.evidence
        RETURNING id INTO linked;
    EXCEPTION WHEN unique_violation THEN
        SELECT k.contact_id INTO holder FROM crm.contact_key k
        WHERE k.kind = 'identity' AND k.key = link_identity.provider || ':' || link_identity.external_id;
        -- The portal does not tell one client of another.
        RAISE EXCEPTION 'account "%" at % belongs to another contact', link_identity.external_id, link_identity.provider
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'contact_key_unique', SCHEMA = 'crm', TABLE = 'contact_identity',
                  DETAIL = CASE WHEN by_portal THEN 'An account belongs to one client.' ELSE format('It is linked to contact %s.', holder) END,
                  HINT = CASE WHEN by_portal THEN 'Ask the service desk.'
                         ELSE 'If both are one person, merge them: crm.merge_contacts(); otherwise unlink it there first.' END;
    END;
    RETURN linked;
END
$$;
REVOKE ALL ON FUNCTION crm.link_identity(bigint, text, text, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION crm.link_identity(bigint, text, text, jsonb) IS 'Links an account of a social network, messenger or site to a contact and returns the number of the identity. A session of role crm_portal may do so only for the contact that setting crm.portal_contact names, which proves the match: verified_by becomes portal. Any other role needs INSERT on crm.contact_identity; verified_by becomes agent. Errors: 23505 the account belongs to another living contact; 42501 not allowed; P0002 no such contact.';
$crm_source$), (10, 'table', '14-match', $crm_source$
CREATE TABLE crm.match_model (
    name text PRIMARY KEY CHECK (name <> '' AND length(name) < 64), -- Name of the model.
    relation text NOT NULL, -- Table or view whose rows are matched, with its schema.
    entity text CHECK (entity IN ('contact', 'company')), -- contact or company when it matches ours; null for a table of yours.
    id_columns text[] NOT NULL CHECK (cardinality(id_columns) BETWEEN 1 AND 16), -- The columns that name a row; several give a number such as (1,a).
    filter text, -- Condition that rows must meet to take part, an SQL expression; null for all.
    version integer, -- Version of the parameters in use; null while it is not trained.
    threshold double precision NOT NULL DEFAULT 0, -- Mean weight from which records are one entity, in bits; 0 is a probability of one half.
    review_threshold double precision NOT NULL DEFAULT -3, -- Weight from which a pair is offered to people, in bits.
    missing_weight double precision NOT NULL DEFAULT -6 CHECK (missing_weight < 0), -- Weight of two records that were not compared, when clusters are made.
    block_limit integer NOT NULL DEFAULT 1000 CHECK (block_limit BETWEEN 2 AND 100000), -- Blocks of more records are divided.
    pairs_per_record double precision NOT NULL DEFAULT 1 CHECK (pairs_per_record > 0), -- Pairs that one blocking rule may give for each record; its largest blocks are divided until it does not give more.
    at_the_door text NOT NULL DEFAULT 'off' CHECK (at_the_door IN ('off', 'warn', 'queue', 'block')), -- What happens when a duplicate is entered: nothing, a warning, a pair in the queue, or a refusal (only where an identity is the same).
    created_at timestamptz NOT NULL DEFAULT now(), -- When it was made.
    updated_at timestamptz NOT NULL DEFAULT now() -- When it was last changed.
);
COMMENT ON TABLE crm.match_model IS 'Match models: how duplicates in a table are found. crm.create_match_model() makes one, crm.train_match_model() learns its parameters.';

CREATE TABLE crm.match_field (
    model text NOT NULL REFERENCES crm.match_model (name) ON UPDATE CASCADE ON DELETE CASCADE, -- Whose field.
    "position" integer NOT NULL CHECK ("position" BETWEEN 1 AND 16), -- Its place.
    name text NOT NULL CHECK (name ~ '^[a-z_][a-z0-9_]*$' AND length(name) < 64), -- Name of the field.
    expression text NOT NULL CHECK (expression <> ''), -- SQL expression over the columns of the table; an array holds several values, or given and family name.
    comparator text NOT NULL CHECK (comparator IN ('exact', 'text', 'name_part', 'person', 'date', 'number', 'email', 'phone', 'words', 'identifier')), -- How values are compared.
    thresholds double precision[], -- Bounds of the levels between equal and different, best first; null for the usual ones. Of text similarities, of number relative differences.
    max_values integer NOT NULL DEFAULT 1 CHECK (max_values BETWEEN 1 AND 3), -- How many values of an array are compared.
    decisive boolean NOT NULL DEFAULT false, -- Whether it tells members of one household or firm apart: the name.
    shared boolean NOT NULL DEFAULT false, -- Whether a household or a firm has it in common: address, phone.
    dependent_group text, -- Fields of one group depend on each other, as city and postcode: of these only the strongest agreement and the strongest disagreement count in full, the others a quarter.
    PRIMARY KEY (model, "position"),
    UNIQUE (model, name)
);
COMMENT ON TABLE crm.match_field IS 'The fields that a match model compares.';

CREATE TABLE crm.blocking_rule (
    model text NOT NULL REFERENCES crm.match_model (name) ON UPDATE CASCADE ON DELETE CASCADE, -- Whose rule.
    "position" integer NOT NULL CHECK ("position" BETWEEN 1 AND 48), -- Its place.
    parts text[] NOT NULL CHECK (cardinality(parts) BETWEEN 1 AND 4), -- Fields that must agree, each "field" or "field:property", for example person:family or birth_date:year.
    PRIMARY KEY (model, "position")
);
COMMENT ON TABLE crm.blocking_rule IS 'Which records a match model compares: those that agree in all parts of a rule.';

CREATE TABLE crm.match_version (
    model text NOT NULL REFERENCES crm.match_model (name) ON UPDATE CASCADE ON DELETE CASCADE, -- Whose version.
    version integer NOT NULL, -- Its number.
    key_version integer NOT NULL, -- Version of the rules by which values are folded, crm.match_key_version().
    seed bigint NOT NULL, -- Seed of the samples.
    records bigint NOT NULL, -- Records it was learned from.
    sampled_pairs bigint NOT NULL, -- Pairs drawn at random, for u.
    blocked_pairs bigint NOT NULL, -- Pairs that the blocking rules gave.
    expected_matches double precision NOT NULL, -- How many of these are of one entity.
    lambda double precision NOT NULL, -- Probability that two records drawn at random are of one entity.
    lambda_household double precision NOT NULL, -- Probability that they are of two of one household or firm; 0 when the fields cannot tell.
    labels bigint NOT NULL DEFAULT 0, -- Labelled pairs that took part.
    trained_at timestamptz NOT NULL DEFAULT now(), -- When.
    trained_by text NOT NULL DEFAULT current_user, -- By which role.
    PRIMARY KEY (model, version)
);
COMMENT ON TABLE crm.match_version IS 'Versions of the parameters of match models. A version never changes: retraining makes a new one.';

CREATE TABLE crm.match_level (
    model text NOT NULL, -- Whose level.
    version integer NOT NULL, -- Of which version.
    field integer NOT NULL, -- Place of the field.
    level integer NOT NULL, -- 1 is equal, higher ones are less.
    label text NOT NULL, -- What it means.
    m double precision NOT NULL, -- How often it occurs among records of one entity.
    u double precision NOT NULL, -- How often it occurs among records of different ones.
    weight double precision NOT NULL, -- log2(m / u), in bits, never rising from a level to a lesser one of an ordered field.
    h double precision NOT NULL, -- How often it occurs among records of two of one household or firm.
    household_weight double precision NOT NULL, -- log2(m / h), in bits, of names.
    PRIMARY KEY (model, version, field, level),
    FOREIGN KEY (model, version) REFERENCES crm.match_version (model, version) ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON TABLE crm.match_level IS 'Parameters of match models: what agreement in a field weighs.';

CREATE TABLE crm.match_rule_yield (
    model text NOT NULL, -- Whose rule.
    version integer NOT NULL, -- Of which version.
    rule integer NOT NULL, -- Place of the blocking rule.
    pairs double precision NOT NULL, -- Pairs that share its key.
    expected_matches double precision NOT NULL, -- How many of them are of one entity.
    expected_alone double precision NOT NULL, -- How many of these no other rule brings.
    is_used boolean NOT NULL, -- Whether the version uses the rule; others bring the matches of one that it does not.
    divided_by integer, -- Place of the rule by whose keys its large blocks are divided; null: it has none.
    PRIMARY KEY (model, version, rule),
    FOREIGN KEY (model, version) REFERENCES crm.match_version (model, version) ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON TABLE crm.match_rule_yield IS 'What each blocking rule brought when a version was trained.';

CREATE TABLE crm.match_frequency (
    model text NOT NULL, -- Whose values.
    version integer NOT NULL, -- Of which version.
    field integer NOT NULL, -- Place of the field.
    part integer NOT NULL, -- 0 whole values; of a person also 1 family and 2 given names; of words 1 single words.
    total bigint NOT NULL, -- Values counted.
    agreement double precision NOT NULL, -- log2 of the probability that two records have the same value.
    packed bytea NOT NULL, -- Values that occur more than once: hash and number, see the doc page.
    PRIMARY KEY (model, version, field, part),
    FOREIGN KEY (model, version) REFERENCES crm.match_version (model, version) ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON TABLE crm.match_frequency IS 'How frequent values are, frozen with the version: equality of a rare value weighs more.';

CREATE TABLE crm.match_label (
    model text NOT NULL REFERENCES crm.match_model (name) ON UPDATE CASCADE ON DELETE CASCADE, -- Whose label.
    left_id text NOT NULL, -- The one record.
    right_id text NOT NULL, -- The other one.
    is_match boolean NOT NULL, -- Whether they are one entity.
    labelled_by text NOT NULL, -- Who said so.
    labelled_at timestamptz NOT NULL DEFAULT now(), -- When.
    PRIMARY KEY (model, left_id, right_id),
    CHECK (left_id <> right_id)
);
COMMENT ON TABLE crm.match_label IS 'What people said of pairs of records; training learns from it, and a pair that is none is never offered again.';

CREATE TABLE crm.match_pair (
    model text COLLATE "C" NOT NULL, -- What found it.
    left_id text COLLATE "C" NOT NULL, -- The one record, the earlier one in the order of the table's numbers.
    right_id text COLLATE "C" NOT NULL, -- The other one.
    status text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'confirmed', 'rejected', 'merged')), -- new, confirmed (one entity), rejected (two, never offered again) or merged.
    weight double precision NOT NULL, -- Weight of the evidence, in bits; 0 is a probability of one half.
    probability double precision NOT NULL, -- Probability that both are one entity.
    in_cluster boolean NOT NULL, -- Whether both are in one cluster.
    version integer NOT NULL, -- Version of the model.
    found_at timestamptz NOT NULL DEFAULT now(), -- When it was first found.
    decided_at timestamptz, -- When a person decided; null while new.
    decided_by text, -- Who decided.
    PRIMARY KEY (model, left_id, right_id)
);
COMMENT ON TABLE crm.match_pair IS 'Pairs that crm.dedupe() and the watch at the door found. What was decided of contacts and companies since is in crm.duplicate_pair and crm.company_duplicate_pair; crm.v_match_pair has both.';
CREATE INDEX match_pair_right ON crm.match_pair (model, right_id);

CREATE TABLE crm.match_cluster (
    model text COLLATE "C" NOT NULL, -- What made it.
    id text COLLATE "C" NOT NULL, -- A record.
    cluster_id text COLLATE "C" NOT NULL, -- The first record of its cluster.
    PRIMARY KEY (model, id)
);
COMMENT ON TABLE crm.match_cluster IS 'Clusters of two records or more that crm.dedupe() found last: records of one cluster are one entity.';
CREATE INDEX match_cluster_members ON crm.match_cluster (model, cluster_id);

CREATE SEQUENCE crm.match_run_id_seq;

CREATE TABLE crm.match_run (
    model text NOT NULL REFERENCES crm.match_model (name) ON UPDATE CASCADE ON DELETE CASCADE, -- Whose run.
    id bigint NOT NULL DEFAULT nextval('crm.match_run_id_seq'), -- Number of the run.
    version integer NOT NULL, -- Version of the model.
    started_at timestamptz NOT NULL, -- When it began.
    finished_at timestamptz NOT NULL, -- When it ended.
    records bigint NOT NULL, -- Records read.
    compared bigint NOT NULL, -- Pairs compared.
    found bigint NOT NULL, -- Pairs of the review threshold or more.
    clusters bigint NOT NULL, -- Clusters of two records or more.
    added bigint NOT NULL, -- Pairs that are new.
    withdrawn bigint NOT NULL, -- New pairs of before that no longer hold.
    PRIMARY KEY (model, id)
);
COMMENT ON TABLE crm.match_run IS 'Runs of crm.dedupe().';

CREATE TABLE crm.match_block (
    model text NOT NULL REFERENCES crm.match_model (name) ON UPDATE CASCADE ON DELETE CASCADE, -- Whose block.
    rule integer NOT NULL, -- Place of the blocking rule.
    key bigint NOT NULL, -- Key of the block.
    records bigint NOT NULL, -- How many records have it.
    example_id text NOT NULL, -- One of them.
    divided_by integer, -- Place of the rule by whose keys it was divided; null: it was left out.
    left_out bigint NOT NULL, -- Records that this rule compares with none.
    PRIMARY KEY (model, rule, key)
);
COMMENT ON TABLE crm.match_block IS 'Blocks of the last run that had more than block_limit records: a switchboard, a placeholder, a frequent name.';

-- Pairs and clusters are too many for a foreign key to be checked for each.
CREATE TRIGGER model_changed AFTER UPDATE OF name OR DELETE ON crm.match_model
    FOR EACH ROW EXECUTE FUNCTION crm.match_model_changed();
CREATE TRIGGER parts_changed AFTER INSERT OR UPDATE OR DELETE ON crm.match_field
    FOR EACH ROW EXECUTE FUNCTION crm.match_parts_changed();
CREATE TRIGGER parts_changed AFTER INSERT OR UPDATE OR DELETE ON crm.blocking_rule
    FOR EACH ROW EXECUTE FUNCTION crm.match_parts_changed();

-- Models of our own tables, ready to be used.
INSERT INTO crm.match_model (name, relation, entity, id_columns) VALUES
    ('contacts', 'crm.v_match_contact', 'contact', '{id}'),
    ('companies', 'crm.v_match_company', 'company', '{id}');
INSERT INTO crm.match_field (model, "position", name, expression, comparator, max_values, decisive, shared, dependent_group) VALUES
    ('contacts', 1, 'person', 'ARRAY[given_name, family_name]', 'person', 1, true, false, NULL),
    ('contacts', 2, 'middle_name', 'middle_name', 'name_part', 1, false, false, NULL),
    ('contacts', 3, 'birth_date', 'birth_date', 'date', 1, false, false, NULL),
    ('contacts', 4, 'email', 'emails', 'email', 3, false, true, NULL),
    ('contacts', 5, 'phone', 'phones', 'phone', 3, false, true, NULL),
    ('contacts', 6, 'tax_id', 'tax_id', 'identifier', 1, false, false, NULL),
    ('contacts', 7, 'company', 'company', 'words', 1, false, true, NULL),
    ('contacts', 8, 'address', 'address', 'words', 1, false, true, 'place'),
    ('contacts', 9, 'city', 'city', 'text', 1, false, true, 'place'),
    ('contacts', 10, 'gender', 'gender', 'exact', 1, false, false, NULL),
    ('companies', 1, 'name', 'name', 'words', 1, true, false, NULL),
    ('companies', 2, 'legal_name', 'legal_name', 'words', 1, false, false, NULL),
    ('companies', 3, 'tax_id', 'tax_id', 'identifier', 1, false, false, NULL),
    ('companies', 4, 'registration_id', 'registration_id', 'identifier', 1, false, false, NULL),
    ('companies', 5, 'website', 'website', 'identifier', 1, false, true, NULL),
    ('companies', 6, 'email', 'emails', 'email', 3, false, true, NULL),
    ('companies', 7, 'phone', 'phones', 'phone', 3, false, true, NULL),
    ('companies', 8, 'address', 'address', 'words', 1, false, true, 'place'),
    ('companies', 9, 'postal_code', 'postal_code', 'identifier', 1, false, true, 'place'),
    ('companies', 10, 'city', 'city', 'text', 1, false, true, 'place');
INSERT INTO crm.blocking_rule (model, "position", parts)
SELECT r.model, row_number() OVER (PARTITION BY r.model ORDER BY r.nr), r.parts
FROM (VALUES
    ('contacts', 1, '{tax_id}'::text[]), ('contacts', 2, '{email}'), ('contacts', 3, '{phone}'),
    ('contacts', 4, '{person,birth_date}'), ('contacts', 5, '{person}'), ('contacts', 6, '{person:any,birth_date}'),
    ('contacts', 7, '{person:family4,person:given3}'), ('contacts', 8, '{person:skeleton,person:initial,birth_date:year}'),
    ('contacts', 9, '{person:skeleton,person:initial,city}'), ('contacts', 10, '{person:family,birth_date:year}'),
    ('contacts', 11, '{person:any,birth_date:month_day}'), ('contacts', 12, '{person:any,birth_date:year_month}'),
    ('contacts', 13, '{birth_date,person:initial}'), ('contacts', 14, '{birth_date,city}'),
    ('contacts', 15, '{person:any,city}'), ('contacts', 16, '{person:family,middle_name}'),
    ('contacts', 17, '{person:given,middle_name,birth_date:year}'), ('contacts', 18, '{email:local}'),
    ('contacts', 19, '{phone:tail}'), ('contacts', 20, '{person:any,address:rare}'), ('contacts', 21, '{person:skeleton,person:initial}'),
    ('contacts', 22, '{person:any,company}'), ('contacts', 23, '{address:pairs}'), ('contacts', 24, '{middle_name,birth_date}'),
    ('companies', 1, '{tax_id}'), ('companies', 2, '{registration_id}'), ('companies', 3, '{email}'), ('companies', 4, '{phone}'), ('companies', 5, '{website}'),
    ('companies', 6, '{name}'), ('companies', 7, '{name:pairs}'), ('companies', 8, '{name:rare,postal_code}'), ('companies', 9, '{name:rare,city}'),
    ('companies', 10, '{name:rare,address:rare}'), ('companies', 11, '{legal_name}'), ('companies', 12, '{legal_name:pairs}'),
    ('companies', 13, '{address:pairs}'), ('companies', 14, '{address,postal_code}'), ('companies', 15, '{phone:tail}')
) AS r (model, nr, parts);
$crm_source$), (11, 'table', '14-merge', $crm_source$
CREATE TABLE crm.merge (
    id bigint PRIMARY KEY, -- Number of the merge, as crm.merge_contacts() or crm.merge_companies() returned it.
    entity text NOT NULL CHECK (entity IN ('contact', 'company')), -- What was merged: contact or company.
    survivor_id bigint NOT NULL, -- Which absorbed.
    absorbed_ids bigint[] NOT NULL, -- Which were absorbed, in the order of the call.
    policy jsonb NOT NULL DEFAULT '{}', -- The policy of the call; under "chosen" whose value of which column its rules took.
    at timestamptz NOT NULL DEFAULT now(), -- When: start of the transaction.
    actor text NOT NULL, -- The person: setting crm.actor, otherwise the session's role.
    next_transaction_id xid8 DEFAULT pg_snapshot_xmax(pg_current_snapshot()), -- Transactions from this number on began after the merge; null for merges of 0.1.0.
    undone_at timestamptz, -- When it was undone; null while it stands.
    undone_by text, -- Who undid it.
    undo_policy text -- The policy of the undoing: abort, keep or restore.
);
COMMENT ON TABLE crm.merge IS 'Merges of contacts and companies, and whether they were undone; crm.merge_journal has what each did.';
CREATE INDEX merge_survivor ON crm.merge (entity, survivor_id);
-- Without a pending list, which every search would read from end to end.
CREATE INDEX merge_absorbed ON crm.merge USING gin (absorbed_ids) WITH (fastupdate = off);

CREATE TABLE crm.soft_reference (
    relation text NOT NULL, -- Table, with schema.
    column_name text NOT NULL, -- Its column of type bigint.
    entity text NOT NULL CHECK (entity IN ('contact', 'company')), -- What its numbers are of: contact or company.
    note text, -- Why it has no foreign key.
    PRIMARY KEY (relation, column_name)
);
COMMENT ON TABLE crm.soft_reference IS 'Columns that hold numbers of contacts or companies without a foreign key: merges re-point them too. See crm.register_soft_reference().';
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON crm.soft_reference FOR EACH ROW EXECUTE FUNCTION crm.soft_reference_guard();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.soft_reference
    FOR EACH STATEMENT EXECUTE FUNCTION crm.merge_plan_changed();

CREATE TABLE crm.merge_hook (
    name text NOT NULL CHECK (name <> ''), -- Name of the hook.
    entity text NOT NULL CHECK (entity IN ('contact', 'company')), -- Whose merges call it.
    merge_function text NOT NULL, -- Function (merge_id bigint, survivor bigint, absorbed bigint[]) that is called at the end of a merge.
    undo_function text, -- The same for when the merge is undone: called before anything else; null for none.
    "position" integer NOT NULL DEFAULT 100, -- Order of the calls; undoing goes backwards.
    PRIMARY KEY (entity, name)
);
COMMENT ON TABLE crm.merge_hook IS 'What else is to be done in a merge and in its undoing: sets, balances, caches. See crm.register_merge_hook().';
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON crm.merge_hook FOR EACH ROW EXECUTE FUNCTION crm.merge_hook_guard();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.merge_hook
    FOR EACH STATEMENT EXECUTE FUNCTION crm.merge_plan_changed();

CREATE TABLE crm.company_duplicate_pair (
    company_id bigint NOT NULL, -- The one company, with the lower id.
    duplicate_id bigint NOT NULL, -- The other.
    status text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'confirmed', 'rejected', 'merged')), -- new, confirmed (the same company, to be merged), rejected (two companies, never offered again) or merged.
    strength real NOT NULL CHECK (strength BETWEEN 0 AND 1), -- How strong the evidence is, 0 to 1.
    evidence jsonb NOT NULL DEFAULT '{}', -- Which keys agree: {"tax_id": ["..."], "name": ["..."]}.
    method text NOT NULL DEFAULT 'exact' CHECK (method <> ''), -- What found it: exact, or a match model.
    found_at timestamptz NOT NULL DEFAULT now(), -- When it was first found.
    decided_at timestamptz, -- When a person decided; null while new.
    decided_by text, -- Who decided.
    PRIMARY KEY (company_id, duplicate_id),
    CHECK (company_id < duplicate_id)
);
COMMENT ON TABLE crm.company_duplicate_pair IS 'Pairs of companies that may be one; a rejected pair is never offered again.';
CREATE INDEX company_duplicate_pair_other ON crm.company_duplicate_pair (duplicate_id);
CREATE INDEX company_duplicate_pair_new ON crm.company_duplicate_pair (strength DESC, company_id) WHERE status = 'new';
CREATE INDEX company_merged_into ON crm.company (merged_into) WHERE merged_into IS NOT NULL;
$crm_source$), (12, 'table', '15-door', $crm_source$
CREATE SEQUENCE crm.match_door_number_seq AS integer;

CREATE TABLE crm.match_door (
    model text PRIMARY KEY REFERENCES crm.match_model (name) ON UPDATE CASCADE ON DELETE CASCADE, -- Whose keys.
    number integer NOT NULL UNIQUE, -- Number of the building; keys have it.
    version integer NOT NULL, -- Version of the model that they were made with.
    rules integer[] NOT NULL, -- Places of the blocking rules whose keys are kept.
    records bigint NOT NULL, -- Records when they were made.
    search_path text, -- Where expressions of the model look for names when triggers run them; null where there are none.
    built_at timestamptz NOT NULL DEFAULT now() -- When they were made.
);
COMMENT ON TABLE crm.match_door IS 'Kept keys of match models, by which crm.find_duplicates() finds the duplicates of a record at once. crm.build_match_keys() makes them.';

CREATE TRIGGER door_gone AFTER DELETE ON crm.match_door FOR EACH ROW EXECUTE FUNCTION crm.match_door_gone();

CREATE TABLE crm.match_key (
    door integer NOT NULL, -- Number of the building.
    key bigint NOT NULL, -- Place of the blocking rule, from 0, in the high 32 bits, hash of the values in the low ones.
    record_id text COLLATE "C" NOT NULL, -- A record that has it.
    PRIMARY KEY (door, key, record_id)
);
COMMENT ON TABLE crm.match_key IS 'Kept keys of records, one row each. Of a key of more than 100 records some may be missing: it brings nobody together.';

CREATE TABLE crm.match_record (
    door integer NOT NULL, -- Number of the building.
    record_id text COLLATE "C" NOT NULL, -- The record.
    keys bytea NOT NULL, -- Its keys, ascending, 8 bytes each, low bytes first.
    PRIMARY KEY (door, record_id)
);
COMMENT ON TABLE crm.match_record IS 'The kept keys of each record, to see which of them change.';

CREATE SEQUENCE crm.match_queue_number_seq;

CREATE TABLE crm.match_queue (
    number bigint PRIMARY KEY DEFAULT nextval('crm.match_queue_number_seq'), -- Its number.
    model text NOT NULL, -- Whose records.
    record_ids text[] NOT NULL, -- Records that a statement wrote or removed, up to 1000.
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(), -- The transaction.
    queued_at timestamptz NOT NULL DEFAULT now() -- When it began.
);
COMMENT ON TABLE crm.match_queue IS 'Records that changed and that crm.dedup_tick() has not looked at yet.';
CREATE INDEX match_queue_model ON crm.match_queue (model, number);
$crm_source$), (13, 'table', '20-sales', $crm_source$
CREATE TABLE crm.currency (
    code text PRIMARY KEY CHECK (code ~ '^[A-Z]{3}$'), -- Code of ISO 4217, such as EUR.
    name text NOT NULL CHECK (name <> ''), -- Name.
    digits integer NOT NULL DEFAULT 2 CHECK (digits BETWEEN 0 AND 4) -- Digits behind the decimal point in which amounts are paid.
);
COMMENT ON TABLE crm.currency IS 'Currencies in which amounts may be given. A new one is a row.';
INSERT INTO crm.currency (code, name, digits) VALUES
    ('AED', 'UAE dirham', 2), ('AMD', 'Armenian dram', 2), ('ARS', 'Argentine peso', 2), ('AUD', 'Australian dollar', 2),
    ('AZN', 'Azerbaijan manat', 2), ('BDT', 'Bangladeshi taka', 2), ('BGN', 'Bulgarian lev', 2), ('BHD', 'Bahraini dinar', 3),
    ('BRL', 'Brazilian real', 2), ('BYN', 'Belarusian ruble', 2), ('CAD', 'Canadian dollar', 2), ('CHF', 'Swiss franc', 2),
    ('CLP', 'Chilean peso', 0), ('CNY', 'Chinese yuan', 2), ('COP', 'Colombian peso', 2), ('CZK', 'Czech koruna', 2),
    ('DKK', 'Danish krone', 2), ('EGP', 'Egyptian pound', 2), ('EUR', 'Euro', 2), ('GBP', 'Pound sterling', 2),
    ('GEL', 'Georgian lari', 2), ('HKD', 'Hong Kong dollar', 2), ('HUF', 'Hungarian forint', 2), ('IDR', 'Indonesian rupiah', 2),
    ('ILS', 'Israeli new shekel', 2), ('INR', 'Indian rupee', 2), ('IQD', 'Iraqi dinar', 3), ('IRR', 'Iranian rial', 2),
    ('ISK', 'Icelandic krona', 0), ('JOD', 'Jordanian dinar', 3), ('JPY', 'Japanese yen', 0), ('KES', 'Kenyan shilling', 2),
    ('KGS', 'Kyrgyzstani som', 2), ('KRW', 'South Korean won', 0), ('KWD', 'Kuwaiti dinar', 3), ('KZT', 'Kazakhstani tenge', 2),
    ('MAD', 'Moroccan dirham', 2), ('MDL', 'Moldovan leu', 2), ('MNT', 'Mongolian tugrik', 2), ('MXN', 'Mexican peso', 2),
    ('MYR', 'Malaysian ringgit', 2), ('NGN', 'Nigerian naira', 2), ('NOK', 'Norwegian krone', 2), ('NZD', 'New Zealand dollar', 2),
    ('OMR', 'Omani rial', 3), ('PEN', 'Peruvian sol', 2), ('PHP', 'Philippine peso', 2), ('PKR', 'Pakistani rupee', 2),
    ('PLN', 'Polish zloty', 2), ('QAR', 'Qatari riyal', 2), ('RON', 'Romanian leu', 2), ('RSD', 'Serbian dinar', 2),
    ('RUB', 'Russian ruble', 2), ('SAR', 'Saudi riyal', 2), ('SEK', 'Swedish krona', 2), ('SGD', 'Singapore dollar', 2),
    ('THB', 'Thai baht', 2), ('TJS', 'Tajikistani somoni', 2), ('TMT', 'Turkmenistan manat', 2), ('TND', 'Tunisian dinar', 3),
    ('TRY', 'Turkish lira', 2), ('TWD', 'New Taiwan dollar', 2), ('UAH', 'Ukrainian hryvnia', 2), ('USD', 'US dollar', 2),
    ('UZS', 'Uzbekistan sum', 2), ('VND', 'Vietnamese dong', 0), ('XAF', 'CFA franc BEAC', 0), ('XOF', 'CFA franc BCEAO', 0),
    ('ZAR', 'South African rand', 2);

CREATE SEQUENCE crm.pipeline_id_seq;

CREATE TABLE crm.pipeline (
    id bigint PRIMARY KEY DEFAULT nextval('crm.pipeline_id_seq'), -- Number of the pipeline.
    name text NOT NULL UNIQUE CHECK (name <> ''), -- Name.
    description text, -- What is sold this way, to whom.
    currency text NOT NULL DEFAULT 'USD' REFERENCES crm.currency (code), -- Currency of a deal's amount when the deal names none.
    touch_every interval NOT NULL DEFAULT '7 days' CHECK (touch_every > '0'), -- How long an open deal may go without a logged touch, see crm.v_activity_gap.
    is_default boolean NOT NULL DEFAULT false, -- Whether deals that name no pipeline go here; at most one.
    active boolean NOT NULL DEFAULT true, -- Whether it is in use; only for screens.
    created_at timestamptz NOT NULL DEFAULT now() -- When the row was made.
);
COMMENT ON TABLE crm.pipeline IS 'Ways of selling: each has its own stages and its own rules of moving between them.';
CREATE UNIQUE INDEX pipeline_default ON crm.pipeline (is_default) WHERE is_default;

CREATE SEQUENCE crm.stage_id_seq;

CREATE TABLE crm.stage (
    id bigint PRIMARY KEY DEFAULT nextval('crm.stage_id_seq'), -- Number of the stage.
    pipeline_id bigint NOT NULL REFERENCES crm.pipeline (id), -- Its pipeline.
    name text NOT NULL CHECK (name <> ''), -- Name; any word, in any language.
    position integer NOT NULL, -- Place in the pipeline; the first has the least.
    kind text NOT NULL DEFAULT 'open' CHECK (kind IN ('open', 'won', 'lost')), -- open, won or lost: all that the code knows of a stage.
    probability numeric NOT NULL CHECK (probability BETWEEN 0 AND 1), -- How likely a deal here is won, 0 to 1; when not given 1 for won, 0 for lost, 0.5 for open.
    rotting_after interval CHECK (rotting_after > '0'), -- How long a deal may stay before it is called rotting; null for ever.
    description text, -- What has to be done here.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    UNIQUE (pipeline_id, name),
    UNIQUE (pipeline_id, id),
    UNIQUE (pipeline_id, position) DEFERRABLE INITIALLY IMMEDIATE,
    CHECK (CASE kind WHEN 'won' THEN probability = 1 WHEN 'lost' THEN probability = 0 ELSE true END)
);
COMMENT ON TABLE crm.stage IS 'Stages of the pipelines. A stage that has or had deals cannot be deleted; one that has cannot change its kind.';

CREATE SEQUENCE crm.stage_transition_id_seq;

CREATE TABLE crm.stage_transition (
    id bigint PRIMARY KEY DEFAULT nextval('crm.stage_transition_id_seq'), -- Number of the rule.
    from_stage_id bigint REFERENCES crm.stage (id) ON DELETE CASCADE, -- The stage that is left; null: a new deal may begin at to_stage_id.
    to_stage_id bigint NOT NULL REFERENCES crm.stage (id) ON DELETE CASCADE, -- The stage that is entered.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    created_by text NOT NULL DEFAULT current_user, -- Role that made it.
    UNIQUE NULLS NOT DISTINCT (from_stage_id, to_stage_id),
    CHECK (from_stage_id <> to_stage_id)
);
COMMENT ON TABLE crm.stage_transition IS 'Which moves are allowed: every move that is not a row here is refused (RM001), for every client. Also how a deal may change its pipeline: from a stage of one to a stage of another.';
CREATE INDEX stage_transition_to ON crm.stage_transition (to_stage_id);

CREATE SEQUENCE crm.loss_reason_id_seq;

CREATE TABLE crm.loss_reason (
    id bigint PRIMARY KEY DEFAULT nextval('crm.loss_reason_id_seq'), -- Number of the reason.
    name text NOT NULL UNIQUE CHECK (name <> ''), -- The reason, in a few words.
    kind text CHECK (kind IN ('natural', 'forced')), -- natural (nobody could have kept the client), forced (somebody or something drove the client away), or null when not known.
    active boolean NOT NULL DEFAULT true -- Whether it may be chosen; only for screens.
);
COMMENT ON TABLE crm.loss_reason IS 'Why deals are lost. A lost deal without one is refused (RM003).';
INSERT INTO crm.loss_reason (name, kind) VALUES
    ('Not stated', NULL), ('No longer needed', 'natural'), ('Client closed down', 'natural'), ('Duplicate', 'natural'),
    ('Price', 'forced'), ('Competitor', 'forced'), ('Terms', 'forced'), ('Quality', 'forced'), ('Service', 'forced'),
    ('No answer', 'forced');

CREATE SEQUENCE crm.deal_id_seq;

CREATE TABLE crm.deal (
    id bigint PRIMARY KEY DEFAULT nextval('crm.deal_id_seq'), -- Number of the deal.
    name text NOT NULL CHECK (name <> ''), -- What is being sold to whom, in a few words.
    pipeline_id bigint NOT NULL, -- Pipeline; follows stage_id, need not be given.
    stage_id bigint NOT NULL, -- Stage; when not given, the first at which a deal of the pipeline may begin.
    contact_id bigint REFERENCES crm.contact (id), -- The person it is made with.
    company_id bigint REFERENCES crm.company (id), -- The company it is made with.
    owner_id bigint REFERENCES crm.agent (id), -- The agent who is responsible.
    amount numeric CHECK (amount >= 0), -- Budget: what the deal is or would be worth; null when not known.
    currency text REFERENCES crm.currency (code), -- Currency of amount; when not given, that of the pipeline.
    close_date date, -- The day for which the close is promised; of a closed deal the last promise.
    probability numeric CHECK (probability BETWEEN 0 AND 1), -- The owner's own estimate, 0 to 1; null for that of the stage.
    stage_entered_at timestamptz NOT NULL, -- When the deal came to its stage; when not given, the moment of the statement.
    closed_at timestamptz, -- When it was won or lost; null while open.
    loss_reason_id bigint REFERENCES crm.loss_reason (id), -- Why it was lost; emptied when the deal is reopened.
    lost_to_company_id bigint REFERENCES crm.company (id), -- The competitor who won; emptied when the deal is reopened.
    lost_at_stage_id bigint REFERENCES crm.stage (id), -- The stage from which it was lost; emptied when the deal is reopened.
    source text, -- Where the deal came from: a form, a fair, a call.
    description text, -- Notes.
    attrs jsonb NOT NULL DEFAULT '{}', -- Custom fields, checked against crm.custom_field.
    external_system text CHECK (external_system <> ''), -- The other system in which the deal has a number; null for none.
    external_id text CHECK (external_id <> ''), -- Its number there.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the deal began.
    updated_at timestamptz NOT NULL DEFAULT now(), -- When it was last changed; kept by trigger.
    created_by text NOT NULL DEFAULT current_user, -- Role that made the row.
    deleted_at timestamptz, -- When it was deleted; null while it lives.
    FOREIGN KEY (pipeline_id, stage_id) REFERENCES crm.stage (pipeline_id, id),
    CHECK (amount IS NULL OR currency IS NOT NULL),
    CHECK ((external_system IS NULL) = (external_id IS NULL))
);
COMMENT ON TABLE crm.deal IS 'Deals: what may be sold to whom, at which stage of which pipeline. Moves are checked against crm.stage_transition by trigger; every change of every column is in crm.deal_history.';
CREATE UNIQUE INDEX deal_external ON crm.deal (external_system, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX deal_by_stage ON crm.deal (stage_id);
CREATE INDEX deal_open ON crm.deal (pipeline_id, stage_id, stage_entered_at) WHERE closed_at IS NULL AND deleted_at IS NULL;
CREATE INDEX deal_by_contact ON crm.deal (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX deal_by_company ON crm.deal (company_id) WHERE company_id IS NOT NULL;
CREATE INDEX deal_by_owner ON crm.deal (owner_id) WHERE owner_id IS NOT NULL;
CREATE INDEX deal_by_closed_at ON crm.deal (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE crm.deal_contact (
    deal_id bigint NOT NULL REFERENCES crm.deal (id) ON DELETE CASCADE, -- The deal.
    contact_id bigint NOT NULL REFERENCES crm.contact (id), -- The person.
    role text NOT NULL DEFAULT 'participant' CHECK (role <> ''), -- The person's part in it: decision maker, user, payer, influencer ...
    note text, -- What to keep in mind.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    PRIMARY KEY (deal_id, contact_id, role)
);
COMMENT ON TABLE crm.deal_contact IS 'Who else takes part in a deal, and in which role.';
CREATE INDEX deal_contact_contact ON crm.deal_contact (contact_id);

CREATE SEQUENCE crm.deal_history_id_seq;

CREATE TABLE crm.deal_history (
    deal_id bigint NOT NULL, -- The deal; the history outlives it.
    id bigint NOT NULL DEFAULT nextval('crm.deal_history_id_seq'), -- Number of the entry; grows with time.
    field text NOT NULL, -- The column that changed; * for a deal that was made or removed.
    old_value jsonb, -- Value before; null when there was none. Of a removed deal all its values by column.
    new_value jsonb, -- Value after; null when there is none. Of a new deal all its values by column.
    changed_at timestamptz NOT NULL DEFAULT now(), -- When it was recorded: start of the transaction.
    effective_at timestamptz NOT NULL DEFAULT now(), -- When it took effect: of a move, stage_entered_at; otherwise changed_at.
    actor text NOT NULL, -- The person: setting crm.actor, otherwise the session's role.
    role text NOT NULL, -- The database role with whose rights the change was made.
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(), -- The transaction that made the change.
    PRIMARY KEY (deal_id, id)
);
COMMENT ON TABLE crm.deal_history IS 'Every change of every deal, column by column, written by trigger in the statement that makes it. Replaying the entries of a deal in the order of id gives its row. updated_at has no entries: it is the latest changed_at.';
CREATE INDEX deal_history_changed_at ON crm.deal_history USING brin (changed_at);

CREATE SEQUENCE crm.deal_import_reject_id_seq;

CREATE TABLE crm.deal_import_reject (
    id bigint PRIMARY KEY DEFAULT nextval('crm.deal_import_reject_id_seq'), -- Number of the entry.
    system text NOT NULL, -- The system it was to be imported from.
    external_id text, -- Number of the deal there; null when it has none.
    field text NOT NULL, -- The field that is wrong.
    reason text NOT NULL, -- What is wrong with it.
    source_row jsonb NOT NULL, -- The whole row as it came.
    imported_at timestamptz NOT NULL DEFAULT now() -- When the import ran.
);
COMMENT ON TABLE crm.deal_import_reject IS 'Rows that crm.import_deals() could not take, with the reason; those of the last import of each system.';

CREATE TRIGGER stage_check BEFORE INSERT OR UPDATE OR DELETE ON crm.stage FOR EACH ROW EXECUTE FUNCTION crm.stage_check();
CREATE TRIGGER pipeline_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.pipeline
    FOR EACH STATEMENT EXECUTE FUNCTION crm.stages_changed();
CREATE TRIGGER stage_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.stage
    FOR EACH STATEMENT EXECUTE FUNCTION crm.stages_changed();
CREATE TRIGGER stage_transition_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.stage_transition
    FOR EACH STATEMENT EXECUTE FUNCTION crm.stages_changed();
CREATE TRIGGER stage_guard BEFORE INSERT OR UPDATE ON crm.deal FOR EACH ROW EXECUTE FUNCTION crm.stage_guard();
CREATE TRIGGER attrs_insert AFTER INSERT ON crm.deal REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.check_attrs();
CREATE TRIGGER attrs_update AFTER UPDATE ON crm.deal FOR EACH ROW WHEN (NEW.attrs IS DISTINCT FROM OLD.attrs)
    EXECUTE FUNCTION crm.check_deal_attrs();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON crm.deal_history FOR EACH ROW EXECUTE FUNCTION crm.keep_deal_history();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON crm.deal_history FOR EACH STATEMENT EXECUTE FUNCTION crm.keep_deal_history();
CREATE TRIGGER history_insert AFTER INSERT ON crm.deal REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.deal_history();
CREATE TRIGGER history_update AFTER UPDATE ON crm.deal REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.deal_history();
CREATE TRIGGER history_delete AFTER DELETE ON crm.deal REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.deal_history();

INSERT INTO crm.pipeline (name, description, is_default)
VALUES ('Sales', 'The ready-made pipeline: rename and change it as you like.', true);
INSERT INTO crm.stage (pipeline_id, name, position, kind, probability, rotting_after)
SELECT p.id, t.name, t.position, t.kind, t.probability, t.rotting_after
FROM crm.pipeline p, crm.pipeline_template('default') t
WHERE p.name = 'Sales' ORDER BY t.position;
INSERT INTO crm.stage_transition (from_stage_id, to_stage_id)
SELECT t.from_stage_id, t.to_stage_id
FROM crm.pipeline p, crm.default_transitions(p.id, 'linear', 'any') t
WHERE p.name = 'Sales';

CREATE INDEX deal_lost_to_company ON crm.deal (lost_to_company_id) WHERE lost_to_company_id IS NOT NULL;
$crm_source$), (14, 'table', '30-activity', $crm_source$
CREATE TABLE crm.interaction_type (
    name text PRIMARY KEY CHECK (name <> ''), -- Name used everywhere, such as call.
    direction text NOT NULL CHECK (direction IN ('mutual', 'one_way')), -- mutual (both sides speak) or one_way.
    mode text NOT NULL CHECK (mode IN ('active', 'passive')), -- active (the client takes part) or passive (the client receives, or is observed).
    is_touch boolean NOT NULL DEFAULT true, -- Whether it counts as being in touch, see crm.v_activity_gap.
    description text -- What it means.
);
COMMENT ON TABLE crm.interaction_type IS 'Kinds of interaction with clients, and how to group them. A new one is a row.';
INSERT INTO crm.interaction_type (name, direction, mode, is_touch, description) VALUES
    ('call', 'mutual', 'active', true, 'Telephone call'), ('meeting', 'mutual', 'active', true, 'Meeting or visit'),
    ('chat', 'mutual', 'active', true, 'Messenger or chat'), ('email', 'one_way', 'active', true, 'E-mail that awaits an answer'),
    ('sms', 'one_way', 'passive', true, 'Text message'), ('letter', 'one_way', 'passive', true, 'Letter on paper'),
    ('demo', 'mutual', 'active', true, 'Demonstration or trial'), ('newsletter', 'one_way', 'passive', false, 'Mailing to many'),
    ('site_visit', 'one_way', 'passive', false, 'Visit of the site or the application'), ('note', 'one_way', 'passive', false, 'A note of ours');

CREATE SEQUENCE crm.activity_id_seq;

CREATE TABLE crm.activity (
    contact_id bigint NOT NULL REFERENCES crm.contact (id), -- The person; of a company, who speaks for it.
    id bigint NOT NULL DEFAULT nextval('crm.activity_id_seq'), -- Number of the activity.
    kind text NOT NULL REFERENCES crm.interaction_type (name), -- call, email, meeting, chat, note ...
    direction text CHECK (direction IN ('in', 'out')), -- in (the client came to us), out (we to the client); null when neither.
    agent_id bigint REFERENCES crm.agent (id), -- Who of us.
    company_id bigint REFERENCES crm.company (id), -- The company it was about.
    deal_id bigint, -- The deal it was about.
    task_id bigint, -- The task it was done for.
    occurred_at timestamptz NOT NULL DEFAULT now(), -- When it took place, or began.
    duration interval CHECK (duration >= '0'), -- How long it took.
    outcome text, -- What came of it: reached, no answer, agreed ...
    subject text, -- What about, in a line.
    body text, -- What was said or written.
    recording_url text, -- Where the recording is.
    attrs jsonb NOT NULL DEFAULT '{}', -- More, as you like.
    external_system text CHECK (external_system <> ''), -- The other system that knows it: telephony, mail; null for none.
    external_id text CHECK (external_id <> ''), -- Its number there.
    created_at timestamptz NOT NULL DEFAULT now(), -- When it was entered.
    created_by text NOT NULL DEFAULT current_user, -- Role that entered it.
    PRIMARY KEY (contact_id, id),
    CHECK ((external_system IS NULL) = (external_id IS NULL)),
    UNIQUE (contact_id, external_system, external_id)
);
COMMENT ON TABLE crm.activity IS 'Every touch with a person: calls, letters, meetings, chats, notes.';
CREATE INDEX activity_occurred_at ON crm.activity (contact_id, occurred_at);
CREATE INDEX activity_deal ON crm.activity (deal_id, occurred_at) WHERE deal_id IS NOT NULL;
CREATE INDEX activity_agent ON crm.activity (agent_id, occurred_at) WHERE agent_id IS NOT NULL;

CREATE SEQUENCE crm.task_id_seq;

CREATE TABLE crm.task (
    id bigint PRIMARY KEY DEFAULT nextval('crm.task_id_seq'), -- Number of the task.
    kind text NOT NULL DEFAULT 'todo' CHECK (kind <> ''), -- What has to be done: call, email, meeting, service, todo ...
    title text NOT NULL CHECK (title <> ''), -- The task in a line.
    description text, -- More about it.
    contact_id bigint REFERENCES crm.contact (id), -- The person it concerns.
    company_id bigint REFERENCES crm.company (id), -- The company it concerns.
    deal_id bigint REFERENCES crm.deal (id) ON DELETE CASCADE, -- The deal it belongs to.
    assignee_id bigint REFERENCES crm.agent (id), -- Who does it.
    author_id bigint REFERENCES crm.agent (id), -- Who wants it done and hears when it is.
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'done', 'cancelled')), -- open, done or cancelled.
    priority integer NOT NULL DEFAULT 3 CHECK (priority BETWEEN 1 AND 5), -- 1 is the most urgent, 5 the least.
    due_at timestamptz, -- By when; null for any time.
    remind_at timestamptz, -- When to remind the assignee; null for never.
    time_zone text CHECK (time_zone ~ '^[A-Za-z]'), -- IANA time zone in which the times were meant; null for the assignee's.
    done_at timestamptz, -- When it was done or cancelled; null while open.
    result text, -- What came of it.
    reminded_at timestamptz, -- When the reminder went out; null before, and again when remind_at changes.
    overdue_at timestamptz, -- When it was found overdue; null before, and again when due_at changes.
    origin_key text UNIQUE, -- What made it, once: such as service:12:2026-05-01; null when a person did.
    attrs jsonb NOT NULL DEFAULT '{}', -- More, as you like.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    updated_at timestamptz NOT NULL DEFAULT now(), -- When it was last changed; kept by trigger.
    created_by text NOT NULL DEFAULT current_user -- Role that made it.
);
COMMENT ON TABLE crm.task IS 'What has to be done, by whom, by when.';
CREATE INDEX task_open ON crm.task (assignee_id, due_at) WHERE status = 'open';
CREATE INDEX task_deal ON crm.task (deal_id, due_at) WHERE deal_id IS NOT NULL AND status = 'open';
CREATE INDEX task_contact ON crm.task (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX task_to_remind ON crm.task (remind_at) WHERE status = 'open' AND reminded_at IS NULL;
CREATE INDEX task_to_fall_due ON crm.task (due_at) WHERE status = 'open' AND overdue_at IS NULL;

CREATE SEQUENCE crm.reminder_id_seq;

CREATE TABLE crm.reminder (
    id bigint PRIMARY KEY DEFAULT nextval('crm.reminder_id_seq'), -- Number of the reminder.
    agent_id bigint NOT NULL REFERENCES crm.agent (id), -- Whom to remind.
    note text NOT NULL CHECK (note <> ''), -- What of.
    remind_on timestamp, -- When by the clock on the wall of time_zone; null when remind_at was given.
    time_zone text CHECK (time_zone ~ '^[A-Za-z]'), -- IANA time zone of remind_on; when not given, the agent's.
    remind_at timestamptz NOT NULL, -- The instant; of remind_on computed by trigger.
    task_id bigint REFERENCES crm.task (id) ON DELETE CASCADE, -- The task it belongs to; done or cancelled, it reminds no more.
    deal_id bigint REFERENCES crm.deal (id) ON DELETE CASCADE, -- The deal it is about.
    contact_id bigint REFERENCES crm.contact (id), -- The person it is about.
    fired_at timestamptz, -- When it went out; null before.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    created_by text NOT NULL DEFAULT current_user -- Role that made it.
);
COMMENT ON TABLE crm.reminder IS 'Reminders, of a task or of their own. Each fires once, however many workers run crm.fire_reminders().';
CREATE INDEX reminder_to_fire ON crm.reminder (remind_at) WHERE fired_at IS NULL;
CREATE INDEX reminder_task ON crm.reminder (task_id) WHERE task_id IS NOT NULL;

CREATE SEQUENCE crm.notification_id_seq;

CREATE TABLE crm.notification (
    id bigint PRIMARY KEY DEFAULT nextval('crm.notification_id_seq'), -- Number of the notification.
    agent_id bigint REFERENCES crm.agent (id), -- To whom; null when nobody is responsible.
    kind text NOT NULL CHECK (kind <> ''), -- task.due (time to remind), task.overdue, task.done, reminder, or a word of yours.
    key text NOT NULL UNIQUE, -- What it tells of, once: such as task.overdue:12:1767225600.
    title text NOT NULL, -- What it says.
    task_id bigint REFERENCES crm.task (id) ON DELETE CASCADE, -- The task.
    deal_id bigint REFERENCES crm.deal (id) ON DELETE CASCADE, -- The deal.
    contact_id bigint REFERENCES crm.contact (id), -- The person.
    payload jsonb NOT NULL DEFAULT '{}', -- More, for programs.
    created_at timestamptz NOT NULL DEFAULT now(), -- When it was sent.
    read_at timestamptz -- When it was read; null before.
);
COMMENT ON TABLE crm.notification IS 'Inbox of the agents. Applications may LISTEN crm and then look here.';
CREATE INDEX notification_unread ON crm.notification (agent_id, created_at) WHERE read_at IS NULL;
CREATE INDEX notification_task ON crm.notification (task_id) WHERE task_id IS NOT NULL;

CREATE SEQUENCE crm.outbox_id_seq;

CREATE TABLE crm.outbox (
    id bigint PRIMARY KEY DEFAULT nextval('crm.outbox_id_seq'), -- Number of the message; the order of sending.
    topic text NOT NULL CHECK (topic <> ''), -- Who shall take it: telephony.call, erp.order ...
    key text, -- Makes it the only one of its topic; null for none.
    payload jsonb NOT NULL, -- The message.
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'done', 'failed')), -- pending, done, or failed for good.
    attempts integer NOT NULL DEFAULT 0, -- How often it was claimed.
    max_attempts integer NOT NULL DEFAULT 10 CHECK (max_attempts > 0), -- After so many failures it has failed for good.
    available_at timestamptz NOT NULL DEFAULT now(), -- Not to be claimed before: while a worker has it, until its lease ends.
    claimed_by text, -- The worker that has or had it.
    last_error text, -- Why the last attempt failed.
    created_at timestamptz NOT NULL DEFAULT now(), -- When it was written.
    done_at timestamptz, -- When it was done or failed for good.
    UNIQUE (topic, key)
);
COMMENT ON TABLE crm.outbox IS 'Messages to other systems, written in the transaction that causes them; workers take them with crm.claim_outbox().';
CREATE INDEX outbox_pending ON crm.outbox (topic, available_at, id) WHERE status = 'pending';

CREATE TRIGGER task_state BEFORE INSERT OR UPDATE OF kind, title, description, contact_id, company_id, deal_id, assignee_id, author_id,
    status, priority, due_at, remind_at, time_zone, done_at, result, attrs ON crm.task
    FOR EACH ROW EXECUTE FUNCTION crm.task_state();
CREATE TRIGGER task_done AFTER UPDATE OF status ON crm.task
    FOR EACH ROW WHEN (NEW.status = 'done' AND OLD.status <> 'done') EXECUTE FUNCTION crm.task_done();
CREATE TRIGGER reminder_time BEFORE INSERT OR UPDATE OF remind_on, time_zone, agent_id ON crm.reminder
    FOR EACH ROW EXECUTE FUNCTION crm.reminder_time();

CREATE INDEX activity_company ON crm.activity (company_id) WHERE company_id IS NOT NULL;
CREATE INDEX task_company ON crm.task (company_id) WHERE company_id IS NOT NULL;
CREATE INDEX reminder_contact ON crm.reminder (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX notification_contact ON crm.notification (contact_id) WHERE contact_id IS NOT NULL;
$crm_source$), (15, 'table', '33-order', $crm_source$
CREATE TABLE crm.base_currency (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton), -- Always true: makes the row the only one.
    code text NOT NULL REFERENCES crm.currency (code) -- The currency, ISO 4217. When it changes, the exchange rates of all orders are looked up anew.
);
COMMENT ON TABLE crm.base_currency IS 'One row: the currency in which amounts of different currencies are added up. To begin with, that of the default pipeline.';
INSERT INTO crm.base_currency (code)
SELECT coalesce((SELECT p.currency FROM crm.pipeline p WHERE p.is_default), 'USD');

CREATE TABLE crm.fx_rate (
    currency text NOT NULL REFERENCES crm.currency (code), -- The currency of which one unit ...
    base text NOT NULL REFERENCES crm.currency (code), -- ... is worth rate units of this one.
    valid_from date NOT NULL, -- First day (in UTC) on which it holds; until the next one of the same two currencies.
    rate numeric NOT NULL CHECK (rate > 0 AND rate < 'Infinity'), -- How many.
    source text, -- Who says so: a central bank, the bookkeepers.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    PRIMARY KEY (currency, base, valid_from),
    CHECK (currency <> base)
);
COMMENT ON TABLE crm.fx_rate IS 'Exchange rates by day. crm.exchange_rate() takes the latest that holds, or the inverse of one the other way round. An order keeps the rate of its day: a rate of today changes nothing of the past.';

CREATE SEQUENCE crm.sales_order_id_seq;

CREATE TABLE crm.sales_order (
    contact_id bigint NOT NULL REFERENCES crm.contact (id), -- The person who orders; of a company, who speaks for it.
    id bigint NOT NULL DEFAULT nextval('crm.sales_order_id_seq'), -- Number of the order in this database.
    number text CHECK (number <> ''), -- Number of the order as people know it; null for none.
    status text NOT NULL DEFAULT 'placed' CHECK (status IN ('draft', 'placed', 'paid', 'shipped', 'completed', 'cancelled', 'returned')), -- draft (a basket, not ordered yet), placed, paid, shipped, completed (received), cancelled (before it was fulfilled) or returned (the whole of it, afterwards).
    ordered_at timestamptz NOT NULL DEFAULT now(), -- When it was placed; of a draft, when it was begun.
    amount numeric CHECK (amount >= 0 AND amount < 'Infinity'), -- What is to be paid for it; null when not known.
    currency text NOT NULL REFERENCES crm.currency (code), -- Currency of amount; when not given, the base currency.
    exchange_rate numeric CHECK (exchange_rate > 0 AND exchange_rate < 'Infinity'), -- What one unit of currency was worth in the base currency on the day of the order; when not given, looked up in crm.fx_rate; null when there is none.
    base_amount numeric GENERATED ALWAYS AS (round(amount * exchange_rate, 4)) STORED, -- Amount in the base currency, to 4 places; null when amount or rate is not known.
    is_counted boolean NOT NULL GENERATED ALWAYS AS (status IN ('placed', 'paid', 'shipped', 'completed') AND deleted_at IS NULL) STORED, -- Whether it counts as an order in crm.contact_metric: placed and neither cancelled, returned nor deleted.
    company_id bigint REFERENCES crm.company (id), -- The company it is for.
    agent_id bigint REFERENCES crm.agent (id), -- Who of us took it.
    deal_id bigint, -- The deal it came of.
    channel text REFERENCES crm.channel (name), -- How it came: portal, call, visit ...
    source text, -- Where it came from: a shop, a campaign, a fair.
    description text, -- Notes.
    attrs jsonb NOT NULL DEFAULT '{}', -- More, as you like.
    external_system text CHECK (external_system <> ''), -- The other system in which the order has a number: shop, 1C; null for none.
    external_id text CHECK (external_id <> ''), -- Its number there.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    updated_at timestamptz NOT NULL DEFAULT now(), -- When it was last changed; kept by trigger.
    created_by text NOT NULL DEFAULT current_user, -- Role that made the row.
    deleted_at timestamptz, -- When it was deleted; null while it lives.
    PRIMARY KEY (contact_id, id),
    CHECK ((external_system IS NULL) = (external_id IS NULL)),
    UNIQUE (contact_id, external_system, external_id)
);
COMMENT ON TABLE crm.sales_order IS 'Orders of contacts. What counts, how often and how much each contact orders stands in crm.contact_metric; changes and removals of orders stand in crm.audit_log.';
CREATE INDEX sales_order_ordered_at ON crm.sales_order (contact_id, ordered_at);
CREATE INDEX sales_order_external ON crm.sales_order (external_system, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX sales_order_number ON crm.sales_order (number) WHERE number IS NOT NULL;
CREATE INDEX sales_order_company ON crm.sales_order (company_id, ordered_at) WHERE company_id IS NOT NULL;
CREATE INDEX sales_order_agent ON crm.sales_order (agent_id, ordered_at) WHERE agent_id IS NOT NULL;
CREATE INDEX sales_order_deal ON crm.sales_order (deal_id) WHERE deal_id IS NOT NULL;
CREATE INDEX sales_order_by_time ON crm.sales_order USING brin (ordered_at);
CREATE INDEX sales_order_unpriced ON crm.sales_order (currency) WHERE exchange_rate IS NULL;

CREATE TRIGGER complete_insert BEFORE INSERT ON crm.sales_order FOR EACH ROW
    WHEN (NEW.currency IS NULL OR NEW.exchange_rate IS NULL) EXECUTE FUNCTION crm.complete_order();
CREATE TRIGGER complete_update BEFORE UPDATE ON crm.sales_order FOR EACH ROW EXECUTE FUNCTION crm.complete_order();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.sales_order REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.sales_order REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
$crm_source$), (16, 'table', '34-metric', $crm_source$
CREATE TABLE crm.contact_metric (
    contact_id bigint PRIMARY KEY, -- The contact. It has a row as long as one of the counts is not zero.
    order_count bigint NOT NULL DEFAULT 0, -- Orders that count: placed, neither cancelled nor returned nor deleted.
    priced_order_count bigint NOT NULL DEFAULT 0, -- Those of them whose amount in the base currency is known: the others are in none of the sums.
    order_total numeric NOT NULL DEFAULT 0.0000, -- Sum of their amounts in the base currency, each at the rate of its order.
    order_average numeric GENERATED ALWAYS AS (CASE WHEN priced_order_count > 0 THEN round(order_total / priced_order_count, 4) END) STORED, -- order_total by priced_order_count; null without any.
    largest_order numeric, -- The largest amount of one of them, in the base currency.
    first_order_at timestamptz, -- When the first order that counts was placed.
    last_order_at timestamptz, -- When the latest one was.
    activity_count bigint NOT NULL DEFAULT 0, -- Activities: calls, letters, meetings, notes.
    first_activity_at timestamptz, -- When the first took place.
    last_activity_at timestamptz, -- When the latest did.
    last_inbound_at timestamptz, -- When the contact last came to us.
    last_outbound_at timestamptz, -- When we last went to the contact.
    open_deal_count bigint NOT NULL DEFAULT 0, -- Deals at an open stage.
    won_deal_count bigint NOT NULL DEFAULT 0, -- Deals at a won stage.
    won_deal_total numeric NOT NULL DEFAULT 0.0000, -- Sum of their amounts in the base currency, at the rate of the day of the close; without those whose amount or rate is not known.
    last_won_at timestamptz -- When the latest was won.
) WITH (fillfactor = 80);
COMMENT ON TABLE crm.contact_metric IS 'Metrics of contacts, kept by triggers in the statement that changes an order, activity or deal. Who has none has no row: join it from the left and take 0 for a count that is null, or read crm.v_contact_metric. crm.rebuild_contact_metric() counts anew.';
-- Who lapses while time passes is found by these.
CREATE INDEX contact_metric_last_order ON crm.contact_metric (last_order_at);
CREATE INDEX contact_metric_last_activity ON crm.contact_metric (last_activity_at);

-- The functions here are owned by whoever installs and run with that role's
-- rights: who may write an order need not be able to write its metrics.
--
-- How they stay right when transactions meet: every statement takes the rows of
-- all its contacts first, in the order of contact_id. Counts and sums are
-- changed by what the statement changed, never read from the tables. A first or
-- last instant is read from the table when the row that gave it is gone, in a
-- statement of its own, after the lock: what it does not see yet is added by
-- the one who wrote it, who waits for the lock.

CREATE FUNCTION crm.drop_empty_metrics(contact_ids bigint[]) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM crm.contact_metric m
    WHERE m.contact_id = ANY (contact_ids) AND m.order_count = 0 AND m.activity_count = 0 AND m.open_deal_count = 0 AND m.won_deal_count = 0
$$;
REVOKE ALL ON FUNCTION crm.drop_empty_metrics(bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION crm.drop_empty_metrics(bigint[]) IS 'Removes the rows of crm.contact_metric that say nothing any more.';

CREATE FUNCTION crm.order_metric() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
SET enable_seqscan = off AS $$
DECLARE
    instants bigint[];          -- contacts whose first or last order may be gone
    amounts bigint[];           -- ... whose largest one may be
BEGIN
    CASE TG_OP
    WHEN 'INSERT' THEN
        INSERT INTO crm.contact_metric AS m (contact_id, order_count, priced_order_count, order_total, largest_order, first_order_at, last_order_at)
        SELECT n.contact_id, count(*), count(n.base_amount), coalesce(sum(n.base_amount), 0.0000), max(n.base_amount), min(n.ordered_at), max(n.ordered_at)
        FROM new_rows n WHERE n.is_counted
        GROUP BY n.contact_id ORDER BY n.contact_id
        ON CONFLICT (contact_id) DO UPDATE SET
            order_count = m.order_count + excluded.order_count,
            priced_order_count = m.priced_order_count + excluded.priced_order_count,
            order_total = m.order_total + excluded.order_total,
            largest_order = greatest(m.largest_order, excluded.largest_order),
            first_order_at = least(m.first_order_at, excluded.first_order_at),
            last_order_at = greatest(m.last_order_at, excluded.last_order_at);
        RETURN NULL;
    WHEN 'UPDATE' THEN
        -- Of rows that are the same in what counts nothing is left.
        WITH change AS (
            SELECT r.contact_id, r.ordered_at, r.base_amount, sum(r.n) AS n
            FROM (SELECT o.contact_id, o.ordered_at, o.base_amount, -1 AS n FROM old_rows o WHERE o.is_counted
                  UNION ALL
                  SELECT o.contact_id, o.ordered_at, o.base_amount, 1 FROM new_rows o WHERE o.is_counted) r
            GROUP BY r.contact_id, r.ordered_at, r.base_amount HAVING sum(r.n) <> 0
        ), delta AS MATERIALIZED (
            SELECT c.contact_id, sum(c.n) AS orders, coalesce(sum(c.n) FILTER (WHERE c.base_amount IS NOT NULL), 0) AS priced, coalesce(sum(c.n * c.base_amount), 0.0000) AS total,
                   max(c.base_amount) FILTER (WHERE c.n > 0) AS come_largest, min(c.ordered_at) FILTER (WHERE c.n > 0) AS come_first, max(c.ordered_at) FILTER (WHERE c.n > 0) AS come_last,
                   max(c.base_amount) FILTER (WHERE c.n < 0) AS gone_largest, min(c.ordered_at) FILTER (WHERE c.n < 0) AS gone_first, max(c.ordered_at) FILTER (WHERE c.n < 0) AS gone_last
            FROM change c GROUP BY c.contact_id
        ), changed AS (
            INSERT INTO crm.contact_metric AS m (contact_id, order_count, priced_order_count, order_total, largest_order, first_order_at, last_order_at)
            SELECT d.contact_id, d.orders, d.priced, d.total, d.come_largest, d.come_first, d.come_last FROM delta d ORDER BY d.contact_id
            ON CONFLICT (contact_id) DO UPDATE SET
                order_count = m.order_count + excluded.order_count,
                priced_order_count = m.priced_order_count + excluded.priced_order_count,
                order_total = m.order_total + excluded.order_total,
                largest_order = greatest(m.largest_order, excluded.largest_order),
                first_order_at = least(m.first_order_at, excluded.first_order_at),
                last_order_at = greatest(m.last_order_at, excluded.last_order_at)
            RETURNING m.contact_id, m.largest_order, m.first_order_at, m.last_order_at
        )
        SELECT array_agg(g.contact_id) FILTER (WHERE g.gone_first <= g.first_order_at OR g.gone_last >= g.last_order_at),
               array_agg(g.contact_id) FILTER (WHERE g.gone_largest >= g.largest_order)
        INTO instants, amounts
        -- Grouped rather than joined: good for one contact and for a million.
        FROM (SELECT u.contact_id, max(u.gone_largest) AS gone_largest, max(u.gone_first) AS gone_first, max(u.gone_last) AS gone_last,
                     max(u.largest_order) AS largest_order, max(u.first_order_at) AS first_order_at, max(u.last_order_at) AS last_order_at
              FROM (SELECT d.contact_id, d.gone_largest, d.gone_first, d.gone_last, NULL::numeric AS largest_order, NULL::timestamptz AS first_order_at, NULL::timestamptz AS last_order_at
                    FROM delta d
                    UNION ALL
                    SELECT c.contact_id, NULL, NULL, NULL, c.largest_order, c.first_order_at, c.last_order_at FROM changed c) u
              GROUP BY u.contact_id) g;
    WHEN 'DELETE' THEN
        WITH delta AS MATERIALIZED (
            SELECT o.contact_id, -count(*) AS orders, -count(o.base_amount) AS priced, -coalesce(sum(o.base_amount), 0.0000) AS total,
                   max(o.base_amount) AS gone_largest, min(o.ordered_at) AS gone_first, max(o.ordered_at) AS gone_last
            FROM old_rows o WHERE o.is_counted GROUP BY o.contact_id
        ), changed AS (
            INSERT INTO crm.contact_metric AS m (contact_id, order_count, priced_order_count, order_total)
            SELECT d.contact_id, d.orders, d.priced, d.total FROM delta d ORDER BY d.contact_id
            ON CONFLICT (contact_id) DO UPDATE SET
                order_count = m.order_count + excluded.order_count,
                priced_order_count = m.priced_order_count + excluded.priced_order_count,
                order_total = m.order_total + excluded.order_total
            RETURNING m.contact_id, m.largest_order, m.first_order_at, m.last_order_at
        )
        SELECT array_agg(g.contact_id) FILTER (WHERE g.gone_first <= g.first_order_at OR g.gone_last >= g.last_order_at),
               array_agg(g.contact_id) FILTER (WHERE g.gone_largest >= g.largest_order)
        INTO instants, amounts
        FROM (SELECT u.contact_id, max(u.gone_largest) AS gone_largest, max(u.gone_first) AS gone_first, max(u.gone_last) AS gone_last,
                     max(u.largest_order) AS largest_order, max(u.first_order_at) AS first_order_at, max(u.last_order_at) AS last_order_at
              FROM (SELECT d.contact_id, d.gone_largest, d.gone_first, d.gone_last, NULL::numeric AS largest_order, NULL::timestamptz AS first_order_at, NULL::timestamptz AS last_order_at
                    FROM delta d
                    UNION ALL
                    SELECT c.contact_id, NULL, NULL, NULL, c.largest_order, c.first_order_at, c.last_order_at FROM changed c) u
              GROUP BY u.contact_id) g;
    WHEN 'TRUNCATE' THEN
        PERFORM FROM crm.contact_metric m WHERE m.order_count <> 0 ORDER BY m.contact_id FOR UPDATE;
        WITH changed AS (
            UPDATE crm.contact_metric m SET order_count = 0, priced_order_count = 0, order_total = 0.0000, largest_order = NULL,
                first_order_at = NULL, last_order_at = NULL
            WHERE m.order_count <> 0 RETURNING m.contact_id)
        SELECT array_agg(c.contact_id) INTO instants FROM changed c;
        PERFORM crm.drop_empty_metrics(instants);
        RETURN NULL;
    END CASE;
    IF instants IS NOT NULL THEN
        UPDATE crm.contact_metric m SET
            first_order_at = (SELECT min(o.ordered_at) FROM crm.sales_order o WHERE o.contact_id = m.contact_id AND o.is_counted),
            last_order_at = (SELECT max(o.ordered_at) FROM crm.sales_order o WHERE o.contact_id = m.contact_id AND o.is_counted)
        WHERE m.contact_id = ANY (instants);
    END IF;
    IF amounts IS NOT NULL THEN
        UPDATE crm.contact_metric m SET
            largest_order = (SELECT max(o.base_amount) FROM crm.sales_order o WHERE o.contact_id = m.contact_id AND o.is_counted)
        WHERE m.contact_id = ANY (amounts);
    END IF;
    IF instants IS NOT NULL THEN
        PERFORM crm.drop_empty_metrics(instants);
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.order_metric() FROM PUBLIC;
COMMENT ON FUNCTION crm.order_metric() IS 'Trigger: keeps what crm.contact_metric says of orders.';

CREATE FUNCTION crm.activity_metric() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
SET enable_seqscan = off AS $$
DECLARE
    instants bigint[];
BEGIN
    CASE TG_OP
    WHEN 'INSERT' THEN
        INSERT INTO crm.contact_metric AS m (contact_id, activity_count, first_activity_at, last_activity_at, last_inbound_at, last_outbound_at)
        SELECT n.contact_id, count(*), min(n.occurred_at), max(n.occurred_at),
               max(n.occurred_at) FILTER (WHERE n.direction = 'in'), max(n.occurred_at) FILTER (WHERE n.direction = 'out')
        FROM new_rows n GROUP BY n.contact_id ORDER BY n.contact_id
        ON CONFLICT (contact_id) DO UPDATE SET
            activity_count = m.activity_count + excluded.activity_count,
            first_activity_at = least(m.first_activity_at, excluded.first_activity_at),
            last_activity_at = greatest(m.last_activity_at, excluded.last_activity_at),
            last_inbound_at = greatest(m.last_inbound_at, excluded.last_inbound_at),
            last_outbound_at = greatest(m.last_outbound_at, excluded.last_outbound_at);
        RETURN NULL;
    WHEN 'UPDATE' THEN
        WITH change AS (
            SELECT r.contact_id, r.occurred_at, r.direction, sum(r.n) AS n
            FROM (SELECT o.contact_id, o.occurred_at, o.direction, -1 AS n FROM old_rows o
                  UNION ALL
                  SELECT o.contact_id, o.occurred_at, o.direction, 1 FROM new_rows o) r
            GROUP BY r.contact_id, r.occurred_at, r.direction HAVING sum(r.n) <> 0
        ), delta AS MATERIALIZED (
            SELECT c.contact_id, sum(c.n) AS activities,
                   min(c.occurred_at) FILTER (WHERE c.n > 0) AS come_first, max(c.occurred_at) FILTER (WHERE c.n > 0) AS come_last,
                   max(c.occurred_at) FILTER (WHERE c.n > 0 AND c.direction = 'in') AS come_in, max(c.occurred_at) FILTER (WHERE c.n > 0 AND c.direction = 'out') AS come_out,
                   min(c.occurred_at) FILTER (WHERE c.n < 0) AS gone_first, max(c.occurred_at) FILTER (WHERE c.n < 0) AS gone_last,
                   max(c.occurred_at) FILTER (WHERE c.n < 0 AND c.direction = 'in') AS gone_in, max(c.occurred_at) FILTER (WHERE c.n < 0 AND c.direction = 'out') AS gone_out
            FROM change c GROUP BY c.contact_id
        ), changed AS (
            INSERT INTO crm.contact_metric AS m (contact_id, activity_count, first_activity_at, last_activity_at, last_inbound_at, last_outbound_at)
            SELECT d.contact_id, d.activities, d.come_first, d.come_last, d.come_in, d.come_out FROM delta d ORDER BY d.contact_id
            ON CONFLICT (contact_id) DO UPDATE SET
                activity_count = m.activity_count + excluded.activity_count,
                first_activity_at = least(m.first_activity_at, excluded.first_activity_at),
                last_activity_at = greatest(m.last_activity_at, excluded.last_activity_at),
                last_inbound_at = greatest(m.last_inbound_at, excluded.last_inbound_at),
                last_outbound_at = greatest(m.last_outbound_at, excluded.last_outbound_at)
            RETURNING m.contact_id, m.first_activity_at, m.last_activity_at, m.last_inbound_at, m.last_outbound_at
        )
        SELECT array_agg(g.contact_id) INTO instants
        FROM (SELECT u.contact_id FROM (
                  SELECT d.contact_id, d.gone_first, d.gone_last, d.gone_in, d.gone_out,
                         NULL::timestamptz AS first_at, NULL::timestamptz AS last_at, NULL::timestamptz AS in_at, NULL::timestamptz AS out_at
                  FROM delta d
                  UNION ALL
                  SELECT c.contact_id, NULL, NULL, NULL, NULL, c.first_activity_at, c.last_activity_at, c.last_inbound_at, c.last_outbound_at FROM changed c) u
              GROUP BY u.contact_id
              HAVING max(u.gone_first) <= max(u.first_at) OR max(u.gone_last) >= max(u.last_at) OR max(u.gone_in) >= max(u.in_at) OR max(u.gone_out) >= max(u.out_at)) g;
    WHEN 'DELETE' THEN
        WITH delta AS MATERIALIZED (
            SELECT o.contact_id, -count(*) AS activities, min(o.occurred_at) AS gone_first, max(o.occurred_at) AS gone_last,
                   max(o.occurred_at) FILTER (WHERE o.direction = 'in') AS gone_in, max(o.occurred_at) FILTER (WHERE o.direction = 'out') AS gone_out
            FROM old_rows o GROUP BY o.contact_id
        ), changed AS (
            INSERT INTO crm.contact_metric AS m (contact_id, activity_count)
            SELECT d.contact_id, d.activities FROM delta d ORDER BY d.contact_id
            ON CONFLICT (contact_id) DO UPDATE SET
                activity_count = m.activity_count + excluded.activity_count
            RETURNING m.contact_id, m.first_activity_at, m.last_activity_at, m.last_inbound_at, m.last_outbound_at
        )
        SELECT array_agg(g.contact_id) INTO instants
        FROM (SELECT u.contact_id FROM (
                  SELECT d.contact_id, d.gone_first, d.gone_last, d.gone_in, d.gone_out,
                         NULL::timestamptz AS first_at, NULL::timestamptz AS last_at, NULL::timestamptz AS in_at, NULL::timestamptz AS out_at
                  FROM delta d
                  UNION ALL
                  SELECT c.contact_id, NULL, NULL, NULL, NULL, c.first_activity_at, c.last_activity_at, c.last_inbound_at, c.last_outbound_at FROM changed c) u
              GROUP BY u.contact_id
              HAVING max(u.gone_first) <= max(u.first_at) OR max(u.gone_last) >= max(u.last_at) OR max(u.gone_in) >= max(u.in_at) OR max(u.gone_out) >= max(u.out_at)) g;
    WHEN 'TRUNCATE' THEN
        PERFORM FROM crm.contact_metric m WHERE m.activity_count <> 0 ORDER BY m.contact_id FOR UPDATE;
        WITH changed AS (
            UPDATE crm.contact_metric m SET activity_count = 0, first_activity_at = NULL, last_activity_at = NULL,
                last_inbound_at = NULL, last_outbound_at = NULL
            WHERE m.activity_count <> 0 RETURNING m.contact_id)
        SELECT array_agg(c.contact_id) INTO instants FROM changed c;
        PERFORM crm.drop_empty_metrics(instants);
        RETURN NULL;
    END CASE;
    IF instants IS NOT NULL THEN
        UPDATE crm.contact_metric m SET
            first_activity_at = (SELECT min(a.occurred_at) FROM crm.activity a WHERE a.contact_id = m.contact_id),
            last_activity_at = (SELECT max(a.occurred_at) FROM crm.activity a WHERE a.contact_id = m.contact_id),
            last_inbound_at = (SELECT max(a.occurred_at) FROM crm.activity a WHERE a.contact_id = m.contact_id AND a.direction = 'in'),
            last_outbound_at = (SELECT max(a.occurred_at) FROM crm.activity a WHERE a.contact_id = m.contact_id AND a.direction = 'out')
        WHERE m.contact_id = ANY (instants);
        PERFORM crm.drop_empty_metrics(instants);
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.activity_metric() FROM PUBLIC;
COMMENT ON FUNCTION crm.activity_metric() IS 'Trigger: keeps what crm.contact_metric says of activities.';

CREATE FUNCTION crm.lock_contact_metrics(contact_ids bigint[]) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    -- Takes the row that is there, and writes nothing.
    INSERT INTO crm.contact_metric AS m (contact_id)
    SELECT DISTINCT u.id FROM unnest(contact_ids) AS u (id) WHERE u.id IS NOT NULL ORDER BY u.id
    ON CONFLICT (contact_id) DO UPDATE SET contact_id = m.contact_id WHERE false
$$;
REVOKE ALL ON FUNCTION crm.lock_contact_metrics(bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION crm.lock_contact_metrics(bigint[]) IS 'Takes the rows of contacts in crm.contact_metric until the end of the transaction, in the order of contact_id; makes those that are missing.';

CREATE FUNCTION crm.refresh_deal_metrics(contact_ids bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
SET enable_seqscan = off AS $$
BEGIN
    -- Exchange rates do not change meanwhile.
    PERFORM pg_advisory_xact_lock_shared(hashtext('crm.fx_rate'));
    PERFORM crm.lock_contact_metrics(contact_ids);
    UPDATE crm.contact_metric m SET open_deal_count = d.open_deal_count, won_deal_count = d.won_deal_count,
        won_deal_total = d.won_deal_total, last_won_at = d.last_won_at
    FROM (SELECT i.id, count(e.id) FILTER (WHERE t.kind = 'open') AS open_deal_count, count(e.id) FILTER (WHERE t.kind = 'won') AS won_deal_count,
                 coalesce(sum(round(e.amount * crm.exchange_rate(e.currency, e.closed_at), 4)) FILTER (WHERE t.kind = 'won'), 0.0000) AS won_deal_total,
                 max(e.closed_at) FILTER (WHERE t.kind = 'won') AS last_won_at
          FROM (SELECT DISTINCT u.id FROM unnest(contact_ids) AS u (id)) i
          LEFT JOIN (crm.deal e JOIN crm.stage t ON t.id = e.stage_id AND e.deleted_at IS NULL) ON e.contact_id = i.id
          GROUP BY i.id) d
    WHERE m.contact_id = d.id
      AND (m.open_deal_count, m.won_deal_count, m.won_deal_total, m.last_won_at)
          IS DISTINCT FROM (d.open_deal_count, d.won_deal_count, d.won_deal_total, d.last_won_at);
    PERFORM crm.drop_empty_metrics(contact_ids);
END
$$;
REVOKE ALL ON FUNCTION crm.refresh_deal_metrics(bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION crm.refresh_deal_metrics(bigint[]) IS 'Counts anew what crm.contact_metric says of the deals of contacts.';

CREATE FUNCTION crm.deal_metric() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids bigint[];
BEGIN
    CASE TG_OP
    WHEN 'INSERT' THEN
        SELECT array_agg(DISTINCT n.contact_id) INTO ids FROM new_rows n WHERE n.contact_id IS NOT NULL AND n.deleted_at IS NULL;
    WHEN 'UPDATE' THEN
        SELECT array_agg(DISTINCT c.contact_id) INTO ids
        FROM (SELECT r.contact_id
              FROM (SELECT o.contact_id, o.stage_id, o.closed_at, o.amount, o.currency, -1 AS n FROM old_rows o WHERE o.contact_id IS NOT NULL AND o.deleted_at IS NULL
                    UNION ALL
                    SELECT o.contact_id, o.stage_id, o.closed_at, o.amount, o.currency, 1 FROM new_rows o WHERE o.contact_id IS NOT NULL AND o.deleted_at IS NULL) r
              GROUP BY r.contact_id, r.stage_id, r.closed_at, r.amount, r.currency HAVING sum(r.n) <> 0) c;
    WHEN 'DELETE' THEN
        SELECT array_agg(DISTINCT o.contact_id) INTO ids FROM old_rows o WHERE o.contact_id IS NOT NULL AND o.deleted_at IS NULL;
    WHEN 'TRUNCATE' THEN
        SELECT array_agg(m.contact_id) INTO ids FROM crm.contact_metric m WHERE m.open_deal_count <> 0 OR m.won_deal_count <> 0;
    END CASE;
    IF ids IS NOT NULL THEN
        PERFORM crm.refresh_deal_metrics(ids);
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.deal_metric() FROM PUBLIC;
COMMENT ON FUNCTION crm.deal_metric() IS 'Trigger: keeps what crm.contact_metric says of deals.';

CREATE FUNCTION crm.fx_rate_metric() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids bigint[];
    is_base CONSTANT boolean := TG_TABLE_NAME = 'base_currency';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('crm.fx_rate'));
    IF is_base THEN
        -- Nobody writes an order with a rate of the old base currency meanwhile.
        LOCK TABLE crm.sales_order IN SHARE ROW EXCLUSIVE MODE;
        UPDATE crm.sales_order o SET exchange_rate = crm.exchange_rate(o.currency, o.ordered_at);
    ELSE
        UPDATE crm.sales_order o SET exchange_rate = r.rate
        FROM (SELECT u.contact_id, u.id, crm.exchange_rate(u.currency, u.ordered_at) AS rate FROM crm.sales_order u WHERE u.exchange_rate IS NULL) r
        WHERE o.contact_id = r.contact_id AND o.id = r.id AND o.exchange_rate IS NULL AND r.rate IS NOT NULL;
    END IF;
    SELECT array_agg(DISTINCT d.contact_id) INTO ids FROM crm.deal d JOIN crm.stage s ON s.id = d.stage_id
    WHERE s.kind = 'won' AND d.contact_id IS NOT NULL AND d.deleted_at IS NULL AND d.amount IS NOT NULL
      AND (is_base OR d.currency <> (SELECT b.code FROM crm.base_currency b));
    IF ids IS NOT NULL THEN
        PERFORM crm.refresh_deal_metrics(ids);
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.fx_rate_metric() FROM PUBLIC;
COMMENT ON FUNCTION crm.fx_rate_metric() IS 'Trigger on crm.fx_rate and crm.base_currency: looks up the rate of orders that have none, or of all when the base currency is another, and counts won deals of other currencies anew.';

CREATE FUNCTION crm.rebuild_contact_metric(contact_ids bigint[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids bigint[] := contact_ids;
    wrong bigint;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('crm.fx_rate'));
    IF ids IS NULL THEN
        SELECT array_agg(u.contact_id) INTO ids
        FROM (SELECT m.contact_id FROM crm.contact_metric m
              UNION SELECT o.contact_id FROM crm.sales_order o
              UNION SELECT a.contact_id FROM crm.activity a
              UNION SELECT d.contact_id FROM crm.deal d WHERE d.contact_id IS NOT NULL) u;
    END IF;
    -- A statement of its own for what it counts to be that of after the lock.
    PERFORM crm.lock_contact_metrics(ids);
    EXECUTE 'UPDATE crm.contact_metric m SET
            order_count = n.order_count, priced_order_count = n.priced_order_count, order_total = n.order_total,
            largest_order = n.largest_order, first_order_at = n.first_order_at, last_order_at = n.last_order_at,
            activity_count = n.activity_count, first_activity_at = n.first_activity_at, last_activity_at = n.last_activity_at,
            last_inbound_at = n.last_inbound_at, last_outbound_at = n.last_outbound_at,
            open_deal_count = n.open_deal_count, won_deal_count = n.won_deal_count, won_deal_total = n.won_deal_total, last_won_at = n.last_won_at
        FROM crm.contact_metrics_of($1) n
        WHERE m.contact_id = n.contact_id
          AND (m.order_count, m.priced_order_count, m.order_total, m.largest_order, m.first_order_at, m.last_order_at,
               m.activity_count, m.first_activity_at, m.last_activity_at, m.last_inbound_at, m.last_outbound_at,
               m.open_deal_count, m.won_deal_count, m.won_deal_total, m.last_won_at)
              IS DISTINCT FROM
              (n.order_count, n.priced_order_count, n.order_total, n.largest_order, n.first_order_at, n.last_order_at,
               n.activity_count, n.first_activity_at, n.last_activity_at, n.last_inbound_at, n.last_outbound_at,
               n.open_deal_count, n.won_deal_count, n.won_deal_total, n.last_won_at)' USING ids;
    GET DIAGNOSTICS wrong = ROW_COUNT;
    PERFORM crm.drop_empty_metrics(ids);
    RETURN wrong;
END
$$;
REVOKE ALL ON FUNCTION crm.rebuild_contact_metric(bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION crm.rebuild_contact_metric(bigint[]) IS 'Counts the metrics of contacts anew, of all when none are named: after a load for which the triggers were disabled. Gives how many rows were not right; 0 otherwise. Others may write meanwhile; who writes of the same contacts waits.';

CREATE TRIGGER metric_insert AFTER INSERT ON crm.sales_order REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.order_metric();
CREATE TRIGGER metric_update AFTER UPDATE ON crm.sales_order REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.order_metric();
CREATE TRIGGER metric_delete AFTER DELETE ON crm.sales_order REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.order_metric();
CREATE TRIGGER metric_truncate AFTER TRUNCATE ON crm.sales_order FOR EACH STATEMENT EXECUTE FUNCTION crm.order_metric();

CREATE TRIGGER metric_insert AFTER INSERT ON crm.activity REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.activity_metric();
CREATE TRIGGER metric_update AFTER UPDATE ON crm.activity REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.activity_metric();
CREATE TRIGGER metric_delete AFTER DELETE ON crm.activity REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.activity_metric();
CREATE TRIGGER metric_truncate AFTER TRUNCATE ON crm.activity FOR EACH STATEMENT EXECUTE FUNCTION crm.activity_metric();

CREATE TRIGGER metric_insert AFTER INSERT ON crm.deal REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.deal_metric();
CREATE TRIGGER metric_update AFTER UPDATE ON crm.deal REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.deal_metric();
CREATE TRIGGER metric_delete AFTER DELETE ON crm.deal REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.deal_metric();
CREATE TRIGGER metric_truncate AFTER TRUNCATE ON crm.deal FOR EACH STATEMENT EXECUTE FUNCTION crm.deal_metric();

CREATE TRIGGER metric AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.fx_rate FOR EACH STATEMENT EXECUTE FUNCTION crm.fx_rate_metric();
CREATE TRIGGER metric AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.base_currency FOR EACH STATEMENT EXECUTE FUNCTION crm.fx_rate_metric();

-- What was there before this table: the triggers above keep others out until
-- this transaction ends.
INSERT INTO crm.contact_metric (contact_id, order_count, priced_order_count, order_total, largest_order, first_order_at, last_order_at,
    activity_count, first_activity_at, last_activity_at, last_inbound_at, last_outbound_at, open_deal_count, won_deal_count, won_deal_total, last_won_at)
SELECT n.contact_id, n.order_count, n.priced_order_count, n.order_total, n.largest_order, n.first_order_at, n.last_order_at,
    n.activity_count, n.first_activity_at, n.last_activity_at, n.last_inbound_at, n.last_outbound_at, n.open_deal_count, n.won_deal_count, n.won_deal_total, n.last_won_at
FROM crm.contact_metrics_of(ARRAY(
    SELECT a.contact_id FROM crm.activity a UNION SELECT d.contact_id FROM crm.deal d WHERE d.contact_id IS NOT NULL UNION SELECT o.contact_id FROM crm.sales_order o)) n
WHERE n.activity_count > 0 OR n.open_deal_count > 0 OR n.won_deal_count > 0 OR n.order_count > 0;
$crm_source$), (17, 'table', '35-job', $crm_source$
CREATE TABLE crm.job (
    name text PRIMARY KEY CHECK (name <> ''), -- Name of the job.
    function text NOT NULL CHECK (function ~ '^[a-z_][a-z0-9_]*$'), -- Function of schema crm to call with the moment as its first argument.
    every interval CHECK (every >= '1 second' AND every < '28 days'), -- How often, counted from midnight UTC; null for a job of the day.
    daily_at time, -- At which time of the day on the wall of time_zone; null for a job that runs every so often.
    weekdays integer[] CHECK (weekdays <@ '{1,2,3,4,5,6,7}' AND cardinality(weekdays) > 0), -- On which days of the week, 1 Monday to 7 Sunday; null for all.
    time_zone text NOT NULL DEFAULT 'UTC' CHECK (time_zone ~ '^[A-Za-z]'), -- IANA time zone of daily_at.
    next_run_at timestamptz NOT NULL DEFAULT now(), -- When it is to run next.
    enabled boolean NOT NULL DEFAULT true, -- Whether it runs at all.
    failures integer NOT NULL DEFAULT 0, -- Failed runs in a row; each doubles the wait for the next try.
    last_run_at timestamptz, -- When it last ran.
    last_status text CHECK (last_status IN ('ok', 'error')), -- How that went: ok or error.
    last_result text, -- What the function gave, or the error.
    CHECK ((every IS NULL) <> (daily_at IS NULL)),
    CHECK (weekdays IS NULL OR daily_at IS NOT NULL)
);
COMMENT ON TABLE crm.job IS 'What is done by the clock. crm.run_due_jobs() runs what is due; crm.schedule_jobs() has it called every minute.';
INSERT INTO crm.job (name, function, every, daily_at, weekdays, enabled, next_run_at) VALUES
    ('reminders', 'fire_reminders', '1 minute', NULL, NULL, true, now()),
    ('match', 'match_tick', '1 minute', NULL, NULL, true, now()),
    ('segments', 'segment_tick', '1 minute', NULL, NULL, true, now()),
    ('segment history', 'compact_segment_history', NULL, '01:30', NULL, false, now()),
    ('service', 'remind_service', NULL, '04:00', NULL, true, now()),
    ('contact points', 'expire_contact_points', NULL, '03:00', NULL, true, date_trunc('day', now(), 'UTC') + '1 day 3 hours'),
    ('archive', 'archive_contacts', NULL, '02:00', '{7}', false, now()),
    ('job log', 'purge_job_runs', NULL, '01:00', NULL, true, now());

CREATE SEQUENCE crm.job_run_id_seq;

CREATE TABLE crm.job_run (
    id bigint PRIMARY KEY DEFAULT nextval('crm.job_run_id_seq'), -- Number of the run.
    job text NOT NULL, -- Name of the job.
    as_of timestamptz NOT NULL, -- The moment it was run for.
    started_at timestamptz NOT NULL, -- When it began.
    finished_at timestamptz NOT NULL, -- When it ended.
    status text NOT NULL CHECK (status IN ('ok', 'error')), -- ok or error.
    result text, -- What the function gave, or the error.
    error_code text, -- SQLSTATE of the error; null when ok.
    role text NOT NULL DEFAULT current_user -- The database role that ran it.
);
COMMENT ON TABLE crm.job_run IS 'The runs of the jobs; purged after 30 days by the job "job log".';
CREATE INDEX job_run_job ON crm.job_run (job, id);
CREATE INDEX job_run_finished_at ON crm.job_run (finished_at);
$crm_source$), (18, 'table', '36-event', $crm_source$
CREATE TABLE crm.event_kind (
    event text PRIMARY KEY CHECK (event <> ''), -- Name by which did() in a rule asks for it.
    relation text NOT NULL, -- Table or view that has the events, with its schema: crm.deal.
    contact_column text NOT NULL DEFAULT 'contact_id', -- Its column with the number of the contact.
    at_column text NOT NULL, -- Its column with the moment, a timestamp with time zone.
    filter text, -- Which rows count: a rule on a row of the relation, without clock, tags, segments and events; null for all.
    description text -- What it means.
);
COMMENT ON TABLE crm.event_kind IS 'Events that did() in a rule can count. A table of yours becomes one by a row here. The kinds of crm.interaction_type are events, too, of their own names, unless a row here has that name.';
CREATE TRIGGER event_kind_check BEFORE INSERT OR UPDATE ON crm.event_kind FOR EACH ROW EXECUTE FUNCTION crm.event_kind_check();
INSERT INTO crm.event_kind (event, relation, contact_column, at_column, filter, description) VALUES
    ('activity', 'crm.activity', 'contact_id', 'occurred_at', NULL, 'Any activity'),
    ('deal_created', 'crm.deal', 'contact_id', 'created_at', 'deleted_at is null', 'A deal began'),
    ('deal_won', 'crm.deal', 'contact_id', 'closed_at', 'closed_at is not null and loss_reason_id is null and deleted_at is null', 'A deal was won'),
    ('deal_lost', 'crm.deal', 'contact_id', 'closed_at', 'closed_at is not null and loss_reason_id is not null and deleted_at is null', 'A deal was lost'),
    ('order', 'crm.sales_order', 'contact_id', 'ordered_at', 'is_counted', 'An order that counts: placed, neither cancelled nor returned nor deleted'),
    ('task_done', 'crm.task', 'contact_id', 'done_at', 'status = ''done''', 'A task was done');
$crm_source$), (19, 'table', '40-segment', $crm_source$
-- Members are kept in chunks of 65,536 numbers, one small set a row, so that a
-- change rewrites little.  What changed is kept in built-in types: from it the
-- chunks can be made again.

CREATE SEQUENCE crm.segment_id_seq;

CREATE TABLE crm.segment (
    id bigint PRIMARY KEY DEFAULT nextval('crm.segment_id_seq'), -- Number of the segment.
    name text NOT NULL UNIQUE CHECK (name <> '' AND name = btrim(name)), -- Its name, by which rules ask for it.
    kind text NOT NULL CHECK (kind IN ('static', 'dynamic', 'composed')), -- static: its members are given; dynamic: a rule tells them; composed: other segments alone do.
    definition text CHECK ((definition IS NULL) = (kind = 'static')), -- The rule, or the expression over other segments, as entered.
    rule crm.rule, -- Derived: the rule that the definition says.
    description text, -- What it is for.
    emits_events boolean NOT NULL DEFAULT false, -- Whether who enters and leaves is told to the outbox: segment.entered, segment.left.
    level integer NOT NULL DEFAULT 0, -- Derived: 0, or one more than the segments it asks for; the order of refreshing.
    has_clock boolean NOT NULL DEFAULT false, -- Derived: whether time alone may change its members.
    cardinality bigint NOT NULL DEFAULT 0, -- Derived: number of members.
    version bigint NOT NULL DEFAULT 0, -- Derived: number of the refresh that last changed its members.
    needs_full boolean NOT NULL DEFAULT true, -- Whether the next refresh looks at all contacts.
    refreshed_at timestamptz, -- When it was last looked at; crm.v_segment tells for which moment it is right.
    full_refresh_ms double precision, -- What its last refresh over all contacts took, milliseconds.
    error text, -- Why its last refresh failed; null when it did not.
    hindrance text, -- Why the last refresh left it as it was: what the role that refreshed may not read; null when nothing hindered it.
    created_at timestamptz NOT NULL DEFAULT now(), -- When it was made.
    created_by text NOT NULL DEFAULT session_user -- Role of the session that made it.
);
COMMENT ON TABLE crm.segment IS 'Sets of contacts with a name. crm.create_segment() and crm.change_segment() write it; crm.refresh_segments() keeps the members.';

CREATE TRIGGER segment_rule BEFORE INSERT OR UPDATE ON crm.segment FOR EACH ROW
    EXECUTE FUNCTION crm.derive_segment_rule();
CREATE TRIGGER events_changed AFTER INSERT OR UPDATE OR DELETE ON crm.event_kind FOR EACH ROW EXECUTE FUNCTION crm.events_changed();

CREATE TABLE crm.segment_dependency (
    segment_id bigint NOT NULL REFERENCES crm.segment (id) ON DELETE CASCADE, -- The segment.
    source text NOT NULL, -- What its rule looks at: segment, tag, contact, company, contact_point, branch, metric, or a table that has events.
    name text NOT NULL, -- Which of it: name of the segment, the tag or the column.
    PRIMARY KEY (segment_id, source, name)
);
COMMENT ON TABLE crm.segment_dependency IS 'What the rule of each segment looks at; derived. Changes of anything else do not concern it.';
CREATE INDEX segment_dependency_source ON crm.segment_dependency (source, name);

CREATE TABLE crm.segment_chunk (
    segment_id bigint NOT NULL REFERENCES crm.segment (id) ON DELETE CASCADE, -- The segment.
    chunk bigint NOT NULL, -- Which contacts: their number divided by 65,536.
    members crm.contact_set, -- Those of them who are members.
    PRIMARY KEY (segment_id, chunk)
);
COMMENT ON TABLE crm.segment_chunk IS 'Members of segments; derived from segment_history and segment_fill, by crm.rebuild_segment_chunks() if need be.';

CREATE INDEX segment_chunk_contact ON crm.segment_chunk (chunk, segment_id);

CREATE TABLE crm.segment_list (
    segment_id bigint NOT NULL REFERENCES crm.segment (id) ON DELETE CASCADE, -- The static segment.
    chunk bigint NOT NULL, -- Which contacts: their number divided by 65,536.
    contacts bytea NOT NULL, -- Those of them who were given: the portable form of a set, see crm.from_roaring().
    PRIMARY KEY (segment_id, chunk)
);
COMMENT ON TABLE crm.segment_list IS 'The contacts of static segments as they were given. Members are those of them who live, and for an absorbed one the contact that stands for it.';

CREATE SEQUENCE crm.segment_refresh_seq;

CREATE SEQUENCE crm.segment_history_id_seq;

CREATE TABLE crm.segment_history (
    contact_id bigint NOT NULL, -- Who entered or left.
    id bigint NOT NULL DEFAULT nextval('crm.segment_history_id_seq'), -- Number of the change.
    segment_id bigint NOT NULL REFERENCES crm.segment (id) ON DELETE CASCADE, -- Which segment.
    refresh bigint NOT NULL, -- Number of the refresh: the order of changes.
    at timestamptz NOT NULL, -- When.
    entered boolean NOT NULL, -- True: entered; false: left.
    cause text NOT NULL CHECK (cause IN ('change', 'time', 'definition', 'members')), -- change: of the contact, or of another segment; time: passed; definition: of the segment; members: were given.
    PRIMARY KEY (contact_id, id)
);
COMMENT ON TABLE crm.segment_history IS 'Who entered and left which segment, when and why; append-only. Changes of more than 10,000 contacts at once are in crm.segment_fill.';
CREATE INDEX segment_history_segment ON crm.segment_history (segment_id, refresh);

CREATE TABLE crm.segment_fill (
    segment_id bigint NOT NULL REFERENCES crm.segment (id) ON DELETE CASCADE, -- Which segment.
    refresh bigint NOT NULL, -- Number of the refresh: the order of changes.
    at timestamptz NOT NULL, -- When.
    entered bytea NOT NULL, -- Who entered: the portable form of a set, see crm.from_roaring().
    departed bytea NOT NULL, -- Who left: the portable form of a set, see crm.from_roaring().
    cause text NOT NULL CHECK (cause IN ('change', 'time', 'definition', 'members', 'kept')), -- As in crm.segment_history; kept: who was a member when older history was given up.
    PRIMARY KEY (segment_id, refresh, cause)
);
COMMENT ON TABLE crm.segment_fill IS 'Changes of segments that concern more than 10,000 contacts at once, as sets; append-only.';

CREATE SEQUENCE crm.segment_refresh_id_seq;

CREATE TABLE crm.segment_refresh (
    id bigint PRIMARY KEY DEFAULT nextval('crm.segment_refresh_id_seq'), -- Its number.
    as_of timestamptz NOT NULL, -- The moment that segments were brought to.
    seconds double precision NOT NULL, -- How long it took.
    segments integer NOT NULL, -- Segments that were looked at.
    entered bigint NOT NULL, -- How many contacts entered one.
    departed bigint NOT NULL -- How many left one.
);
COMMENT ON TABLE crm.segment_refresh IS 'The last 10,000 refreshes of all segments.';

CREATE SEQUENCE crm.segment_queue_id_seq;

CREATE TABLE crm.segment_queue (
    id bigint PRIMARY KEY DEFAULT nextval('crm.segment_queue_id_seq'), -- Number of the change.
    source text NOT NULL, -- What changed; as in crm.segment_dependency.
    names text[], -- Which columns or tags of it; null: it may be any.
    contacts bytea NOT NULL -- Of which contacts: the portable form of a set, see crm.from_roaring().
);
COMMENT ON TABLE crm.segment_queue IS 'Contacts that changed and that no refresh has looked at yet; a row a statement. Kept by triggers.';

-- The triggers of a table of somebody, which has events.
CREATE FUNCTION crm.watch_for_segments(relation regclass, contact_column text DEFAULT 'contact_id') RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    operation text;
    owner oid;
    part regclass;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = contact_column AND a.attnum > 0 AND NOT a.attisdropped
                   AND a.atttypid = 'bigint'::regtype) THEN
        RAISE EXCEPTION 'table % has no column "%" of type bigint', relation, contact_column USING ERRCODE = 'undefined_column',
            HINT = 'Name the column with the number of the contact: crm.watch_for_segments(table, column).';
    END IF;
    -- The triggers write with the rights of the table's owner.
    owner := (SELECT c.relowner FROM pg_class c WHERE c.oid = relation);
    IF NOT has_table_privilege(owner, 'crm.segment_queue', 'INSERT') OR NOT has_sequence_privilege(owner, 'crm.segment_queue_id_seq', 'USAGE')
       OR NOT has_schema_privilege(owner, 'crm', 'USAGE') THEN
        RAISE EXCEPTION 'role "%", who owns table %, may not write crm.segment_queue', pg_get_userbyid(owner), relation
            USING ERRCODE = 'insufficient_privilege',
                  HINT = format('GRANT USAGE ON SCHEMA crm TO %1$I; GRANT INSERT ON crm.segment_queue TO %1$I; GRANT USAGE ON SEQUENCE crm.segment_queue_id_seq TO %1$I', pg_get_userbyid(owner));
    END IF;
    FOR part IN SELECT t FROM crm.table_tree(relation) t LOOP
        FOREACH operation IN ARRAY '{INSERT,UPDATE,DELETE}'::text[] LOOP
            EXECUTE format('CREATE OR REPLACE TRIGGER segment_%s AFTER %s ON %s REFERENCING %s FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments(%L, %L)',
                           lower(operation), operation, part,
                           CASE operation WHEN 'INSERT' THEN 'NEW TABLE AS new_rows' WHEN 'DELETE' THEN 'OLD TABLE AS old_rows'
                                          ELSE 'OLD TABLE AS old_rows NEW TABLE AS new_rows' END, relation, contact_column);
        END LOOP;
        EXECUTE format('CREATE OR REPLACE TRIGGER segment_truncate AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments()', part);
    END LOOP;
    UPDATE crm.segment s SET needs_full = true
    WHERE s.id IN (SELECT d.segment_id FROM crm.segment_dependency d WHERE d.source = relation::text);
END
$$;
REVOKE ALL ON FUNCTION crm.watch_for_segments(regclass, text) FROM PUBLIC;
COMMENT ON FUNCTION crm.watch_for_segments(regclass, text) IS 'Gives a table that has events the triggers by which segments learn of changed contacts, with its partitions; the column has the number of the contact. To be called again when it gets another partition. Errors: 42703 no such column of type bigint; 42501 no right to make triggers on the table, or its owner none to write the queue.';

-- What a TRUNCATE took is not known.
CREATE FUNCTION crm.refresh_all_segments() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE crm.segment SET needs_full = true;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.refresh_all_segments() FROM PUBLIC;
COMMENT ON FUNCTION crm.refresh_all_segments() IS 'Trigger: the next refresh of segments looks at all contacts.';

CREATE TRIGGER segment_insert AFTER INSERT ON crm.contact REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('contact', 'id', '*');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.contact REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('contact', 'id', '*');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.contact REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('contact', 'id', '*');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.contact FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.contact_point REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('contact_point', 'contact_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.contact_point REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('contact_point', 'contact_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.contact_point REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('contact_point', 'contact_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.contact_point FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.company REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('company', 'id', 'company_contact.company_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.company REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('company', 'id', 'company_contact.company_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.company REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('company', 'id', 'company_contact.company_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.company FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.company_contact REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('company', 'contact_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.company_contact REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('company', 'contact_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.company_contact REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('company', 'contact_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.company_contact FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.branch REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('branch', 'id', 'contact.branch_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.branch REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('branch', 'id', 'contact.branch_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.branch REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('branch', 'id', 'contact.branch_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.branch FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.tag REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('tag', 'contact_id', 'tag');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.tag REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('tag', 'contact_id', 'tag');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.tag REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('tag', 'contact_id', 'tag');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.tag FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.contact_metric REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('metric', 'contact_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.contact_metric REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('metric', 'contact_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.contact_metric REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('metric', 'contact_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.contact_metric FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.activity REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.activity', 'contact_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.activity REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.activity', 'contact_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.activity REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.activity', 'contact_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.activity FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.sales_order REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.sales_order', 'contact_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.sales_order REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.sales_order', 'contact_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.sales_order REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.sales_order', 'contact_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.sales_order FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.deal REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.deal', 'contact_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.deal REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.deal', 'contact_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.deal REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.deal', 'contact_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.deal FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.task REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.task', 'contact_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.task REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.task', 'contact_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.task REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.task', 'contact_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.task FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.contact_need REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.contact_need', 'contact_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.contact_need REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.contact_need', 'contact_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.contact_need REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.contact_need', 'contact_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.contact_need FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();
$crm_source$), (20, 'table', '41-segment-use', $crm_source$
-- What segments are for: goals, offers, incentives, actions.

CREATE SEQUENCE crm.segment_goal_id_seq;

CREATE TABLE crm.segment_goal (
    id bigint PRIMARY KEY DEFAULT nextval('crm.segment_goal_id_seq'), -- Number of the goal.
    segment_id bigint NOT NULL REFERENCES crm.segment (id) ON DELETE CASCADE, -- For whom.
    metric text NOT NULL, -- Column of crm.contact_profile; * with count.
    aggregate text NOT NULL CHECK (aggregate IN ('count', 'sum', 'avg', 'min', 'max')), -- What is made of it over the members: count, sum, avg, min or max.
    target numeric NOT NULL, -- What it shall reach.
    due date, -- By when; null for always.
    description text, -- Why.
    UNIQUE (segment_id, metric, aggregate, due),
    CHECK (metric <> '*' OR aggregate = 'count')
);
COMMENT ON TABLE crm.segment_goal IS 'Goals of segments. crm.v_segment_goal tells how far they are.';
CREATE TRIGGER segment_goal_check BEFORE INSERT OR UPDATE ON crm.segment_goal FOR EACH ROW EXECUTE FUNCTION crm.check_segment_goal();

CREATE SEQUENCE crm.segment_offer_id_seq;

CREATE TABLE crm.segment_offer (
    id bigint PRIMARY KEY DEFAULT nextval('crm.segment_offer_id_seq'), -- Number of the offer.
    segment_id bigint NOT NULL REFERENCES crm.segment (id) ON DELETE CASCADE, -- To whom.
    offer text NOT NULL CHECK (offer <> ''), -- What is offered, and why it should matter to them.
    priority integer NOT NULL, -- Of the offers for all segments of a contact the one with the lowest is made.
    valid tstzrange NOT NULL DEFAULT tstzrange(now(), NULL), -- While it is made.
    UNIQUE (segment_id, offer)
);
COMMENT ON TABLE crm.segment_offer IS 'What each segment is offered. crm.offer_for() chooses for a contact.';

CREATE TABLE crm.incentive (
    name text PRIMARY KEY CHECK (name <> ''), -- Name of the incentive.
    kind text NOT NULL CHECK (kind IN ('discount', 'coupon', 'points', 'gift')), -- discount, coupon, points or gift.
    amount numeric NOT NULL CHECK (amount > 0), -- How much: percent of a discount, value of a coupon or gift, number of points.
    cost numeric NOT NULL CHECK (cost >= 0), -- What it costs us for one contact, in the base currency.
    definition text NOT NULL, -- Rule on crm.contact_profile: for whom.
    rule crm.rule, -- Derived: the rule.
    priority integer NOT NULL, -- The one with the lowest comes first.
    enabled boolean NOT NULL DEFAULT true -- Whether it is given at all.
);
COMMENT ON TABLE crm.incentive IS 'Incentives, for whom and at what cost. crm.choose_incentive() chooses for a contact.';
CREATE TRIGGER incentive_rule BEFORE INSERT OR UPDATE ON crm.incentive FOR EACH ROW EXECUTE FUNCTION crm.derive_rule('crm.contact_profile');

CREATE SEQUENCE crm.segment_action_id_seq;

CREATE TABLE crm.segment_action (
    id bigint PRIMARY KEY DEFAULT nextval('crm.segment_action_id_seq'), -- Number of the action.
    segment_id bigint NOT NULL REFERENCES crm.segment (id) ON DELETE CASCADE, -- At whom it was aimed.
    name text NOT NULL UNIQUE CHECK (name <> ''), -- Its name.
    started_at timestamptz NOT NULL, -- When it began.
    lasts interval NOT NULL CHECK (lasts > '0'), -- For how long orders count for it.
    targets bytea NOT NULL, -- Who got it: the portable form of a set, see crm.from_roaring().
    control bytea NOT NULL -- Who of the segment did not, for comparison: likewise.
);
COMMENT ON TABLE crm.segment_action IS 'Actions aimed at a segment, with the members who got it and those held back for comparison. crm.start_action() makes them, crm.v_segment_performance tells what they brought.';
$crm_source$), (21, 'view', '31-contact', $crm_source$
CREATE VIEW crm.v_completeness WITH (security_invoker = true) AS
SELECT
    c.id AS contact_id, -- The contact.
    c.owner_id, -- The agent who is responsible.
    f.points, -- Sum of the weights of the filled fields: crm.completeness().
    f.total, -- Sum of all weights.
    f.missing -- Fields that are empty, the weightiest first.
FROM crm.contact c
CROSS JOIN LATERAL (
    SELECT coalesce(sum(w.weight) FILTER (WHERE w.filled), 0) AS points, coalesce(sum(w.weight), 0) AS total,
           coalesce(array_agg(w.field ORDER BY w.weight DESC, w.field) FILTER (WHERE NOT w.filled), '{}') AS missing
    FROM (
        SELECT x.field, x.weight, coalesce(CASE x.field
            WHEN 'given_name' THEN c.given_name <> ''
            WHEN 'middle_name' THEN c.middle_name <> ''
            WHEN 'family_name' THEN c.family_name <> ''
            WHEN 'gender' THEN c.gender IS NOT NULL
            WHEN 'birth_date' THEN c.birth_date IS NOT NULL
            WHEN 'city' THEN c.city <> ''
            WHEN 'locale' THEN c.locale <> ''
            WHEN 'email' THEN EXISTS (SELECT FROM crm.contact_point p WHERE p.contact_id = c.id AND p.kind = 'email' AND p.validity <> 'invalid')
            WHEN 'phone' THEN EXISTS (SELECT FROM crm.contact_point p WHERE p.contact_id = c.id AND p.kind = 'phone' AND p.validity <> 'invalid')
            WHEN 'company' THEN EXISTS (SELECT FROM crm.company_contact l WHERE l.contact_id = c.id AND l.valid @> now())
            WHEN 'consent' THEN EXISTS (SELECT FROM crm.consent s WHERE s.contact_id = c.id)
            ELSE CASE WHEN x.field LIKE 'attrs.%' THEN c.attrs ->> substr(x.field, 7) ELSE to_jsonb(c) ->> x.field END <> '' END, false) AS filled
        FROM crm.completeness_weight x
    ) w
) f
WHERE c.deleted_at IS NULL AND c.merged_into IS NULL;
COMMENT ON VIEW crm.v_completeness IS 'How complete each living contact is, by crm.completeness_weight; an invalid address or number does not count.';

CREATE VIEW crm.v_contact WITH (security_invoker = true) AS
SELECT
    c.id AS contact_id, -- Number of the contact.
    crm.full_name(c.title, c.given_name, c.middle_name, c.family_name, c.suffix) AS name, -- Full name.
    e.email, -- Primary e-mail address.
    e.validity AS email_validity, -- unknown, valid, stale or invalid.
    p.phone, -- Primary phone number.
    p.validity AS phone_validity, -- unknown, valid, stale or invalid.
    o.name AS company, -- Primary company.
    l.role AS company_role, -- What the person is there.
    c.job_title, -- Position at work.
    c.city, -- City.
    c.country, -- Country, ISO 3166-1 alpha-2.
    c.lifecycle_stage, -- lead, customer, repeat, loyal or closed_cycle.
    c.kind, -- Audience: person, fan, supporter, partner or any word of yours.
    a.name AS owner, -- The agent who is responsible.
    b.name AS branch, -- The branch that serves the contact.
    coalesce(c.time_zone, b.time_zone, 'UTC') AS time_zone, -- IANA time zone: the contact's own, else that of the branch.
    c.gender, -- m, f or null.
    c.birth_date, -- Date of birth.
    c.locale, -- Language in which to address the person.
    c.source, -- Where the contact came from.
    ARRAY(SELECT t.tag FROM crm.tag t WHERE t.contact_id = c.id ORDER BY t.tag) AS tags, -- Tags.
    (SELECT round(100 * f.points / nullif(f.total, 0), 1) FROM crm.v_completeness f WHERE f.contact_id = c.id) AS completeness_percent, -- Filled share of crm.completeness_weight, in percent.
    c.attrs, -- Custom fields.
    c.created_at, -- When the contact was made.
    c.updated_at, -- When it was last changed.
    c.owner_id, -- Number of the agent.
    c.branch_id, -- Number of the branch.
    c.territory_id, -- Number of the territory.
    l.company_id -- Number of the company.
FROM crm.contact c
LEFT JOIN crm.contact_point e ON e.contact_id = c.id AND e.kind = 'email' AND e.is_primary
LEFT JOIN crm.contact_point p ON p.contact_id = c.id AND p.kind = 'phone' AND p.is_primary
LEFT JOIN crm.company_contact l ON l.contact_id = c.id AND l.is_primary AND upper_inf(l.valid)
LEFT JOIN crm.company o ON o.id = l.company_id
LEFT JOIN crm.agent a ON a.id = c.owner_id
LEFT JOIN crm.branch b ON b.id = c.branch_id
WHERE c.deleted_at IS NULL AND c.merged_into IS NULL AND c.archived_at IS NULL;
COMMENT ON VIEW crm.v_contact IS 'Contacts as people see them, one row each; without deleted, absorbed and archived ones.';

CREATE VIEW crm.v_consent WITH (security_invoker = true) AS
SELECT DISTINCT ON (s.contact_id, s.purpose, s.channel)
    s.contact_id, -- The contact.
    s.purpose, -- What for: marketing, service, profiling, a purpose of yours.
    s.channel, -- Through which channel; * for all.
    s.status, -- granted, denied or withdrawn.
    s.at, -- When the person said so.
    s.source, -- Where: form, call, portal.
    s.legal_basis -- Legal basis.
FROM crm.consent s
JOIN crm.contact c ON c.id = s.contact_id
WHERE c.deleted_at IS NULL AND c.merged_into IS NULL
ORDER BY s.contact_id, s.purpose, s.channel, s.at DESC, s.id DESC;
COMMENT ON VIEW crm.v_consent IS 'What each person last said of each purpose and channel. Where a statement about all channels (*) meets one about a single one, the later counts: crm.consent_status().';

CREATE VIEW crm.v_contact_360 WITH (security_invoker = true) AS
SELECT
    v.contact_id, -- Number of the contact.
    v.name, -- Full name.
    v.email, -- Primary e-mail address.
    v.phone, -- Primary phone number.
    v.company, -- Primary company.
    v.city, -- City.
    v.lifecycle_stage, -- lead, customer, repeat, loyal or closed_cycle.
    v.owner, -- The agent who is responsible.
    v.tags, -- Tags.
    v.completeness_percent, -- Filled share of crm.completeness_weight, in percent.
    ARRAY(SELECT i.provider || ':' || i.external_id FROM crm.contact_identity i WHERE i.contact_id = v.contact_id ORDER BY i.provider, i.external_id) AS identities, -- Accounts in social networks, messengers, sites.
    ARRAY(SELECT r.system || ':' || r.external_id FROM crm.external_ref r WHERE r.contact_id = v.contact_id ORDER BY r.system, r.external_id) AS external_refs, -- Numbers in other systems.
    (SELECT jsonb_object_agg(s.purpose || '/' || s.channel, s.status) FROM crm.v_consent s WHERE s.contact_id = v.contact_id) AS consent, -- Current consent: "purpose/channel" to status.
    d.open_deals, -- Open deals.
    d.open_amount, -- Their amounts, in the currencies as they are: {"EUR": 100}.
    d.won_deals, -- Deals won.
    d.last_won_at, -- When the last one was won.
    t.open_tasks, -- Open tasks.
    t.next_task_at, -- When the next one is due.
    y.last_activity_at, -- The latest activity.
    y.last_activity, -- Its kind and subject.
    v.created_at, -- When the contact was made.
    v.owner_id -- Number of the agent.
FROM crm.v_contact v
LEFT JOIN LATERAL (
    SELECT sum(x.deals) FILTER (WHERE x.kind = 'open') AS open_deals, jsonb_object_agg(x.currency, x.amount) FILTER (WHERE x.kind = 'open' AND x.amount IS NOT NULL) AS open_amount,
           sum(x.deals) FILTER (WHERE x.kind = 'won') AS won_deals, max(x.closed_at) FILTER (WHERE x.kind = 'won') AS last_won_at
    FROM (SELECT s.kind, d.currency, count(*) AS deals, sum(d.amount) AS amount, max(d.closed_at) AS closed_at
          FROM crm.deal d JOIN crm.stage s ON s.id = d.stage_id
          WHERE d.contact_id = v.contact_id AND d.deleted_at IS NULL GROUP BY s.kind, d.currency) x
) d ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS open_tasks, min(k.due_at) AS next_task_at FROM crm.task k WHERE k.contact_id = v.contact_id AND k.status = 'open'
) t ON true
LEFT JOIN LATERAL (
    SELECT k.occurred_at AS last_activity_at, concat_ws(': ', k.kind, k.subject) AS last_activity
    FROM crm.activity k WHERE k.contact_id = v.contact_id ORDER BY k.occurred_at DESC, k.id DESC LIMIT 1
) y ON true;
COMMENT ON VIEW crm.v_contact_360 IS 'A contact from all sides, one row each: who, how to reach, consent, deals, tasks, last activity. crm.contact_card() gives all of it for one contact.';

CREATE VIEW crm.v_company WITH (security_invoker = true) AS
SELECT
    c.id AS company_id, -- Number of the company.
    c.name, -- Name as people say it.
    c.legal_name, -- Full legal name.
    c.kind, -- customer, partner, supplier, dealer, competitor or other.
    c.tax_id, -- Tax number as entered.
    c.industry, -- Industry.
    e.email, -- Primary e-mail address.
    p.phone, -- Primary phone number.
    c.city, -- City.
    c.country, -- Country, ISO 3166-1 alpha-2.
    a.name AS owner, -- The agent who is responsible.
    h.name AS parent, -- The company it belongs to.
    (SELECT count(DISTINCT l.contact_id) FROM crm.company_contact l JOIN crm.contact k ON k.id = l.contact_id
     WHERE l.company_id = c.id AND upper_inf(l.valid) AND k.deleted_at IS NULL AND k.archived_at IS NULL) AS contacts, -- People who have a role in it now.
    (SELECT count(*) FROM crm.deal d WHERE d.company_id = c.id AND d.closed_at IS NULL AND d.deleted_at IS NULL) AS open_deals, -- Open deals.
    c.attrs, -- Custom fields.
    c.created_at, -- When the company was made.
    c.owner_id, -- Number of the agent.
    c.parent_id -- Number of the parent.
FROM crm.company c
LEFT JOIN crm.company_point e ON e.company_id = c.id AND e.kind = 'email' AND e.is_primary
LEFT JOIN crm.company_point p ON p.company_id = c.id AND p.kind = 'phone' AND p.is_primary
LEFT JOIN crm.agent a ON a.id = c.owner_id
LEFT JOIN crm.company h ON h.id = c.parent_id
WHERE c.deleted_at IS NULL AND c.archived_at IS NULL;
COMMENT ON VIEW crm.v_company IS 'Companies as people see them, one row each; without deleted and archived ones.';

CREATE VIEW crm.v_stale_contact WITH (security_invoker = true) AS
SELECT
    c.id AS contact_id, -- Number of the contact.
    crm.full_name(c.title, c.given_name, c.middle_name, c.family_name, c.suffix) AS name, -- Full name.
    p.reason, -- unreachable (no address or number), invalid (all bounced) or stale (none proved for long).
    p.last_ok_at, -- When one of them last worked or was confirmed.
    a.name AS owner, -- The agent who is responsible.
    c.owner_id -- Number of the agent.
FROM crm.contact c
LEFT JOIN crm.agent a ON a.id = c.owner_id
CROSS JOIN LATERAL (
    SELECT CASE WHEN count(*) = 0 THEN 'unreachable'
                WHEN bool_and(q.validity = 'invalid') THEN 'invalid'
                WHEN bool_and(q.validity IN ('invalid', 'stale')) THEN 'stale' END AS reason,
           max(greatest(q.last_ok_at, q.verified_at)) AS last_ok_at
    FROM crm.contact_point q WHERE q.contact_id = c.id AND q.kind IN ('email', 'phone', 'messenger')
) p
WHERE c.deleted_at IS NULL AND c.merged_into IS NULL AND c.archived_at IS NULL AND p.reason IS NOT NULL;
COMMENT ON VIEW crm.v_stale_contact IS 'Contacts whom no address or number reaches for sure any more: ask them anew.';

CREATE VIEW crm.v_data_quality WITH (security_invoker = true) AS
SELECT
    c.owner_id, -- Number of the agent; null for contacts without owner.
    max(a.name) AS owner, -- The agent.
    count(*) AS contacts, -- Living contacts, archived ones left out.
    round(avg(100 * f.points / nullif(f.total, 0)), 1) AS completeness_percent, -- Mean filled share of crm.completeness_weight, in percent.
    count(*) FILTER (WHERE p.emails = 0) AS without_email, -- Contacts without a usable e-mail address.
    count(*) FILTER (WHERE p.phones = 0) AS without_phone, -- Contacts without a usable phone number.
    sum(p.invalid_points)::bigint AS invalid_points, -- Addresses and numbers that bounced.
    count(*) FILTER (WHERE p.points > 0 AND p.fresh_points = 0) AS stale_contacts, -- Contacts all of whose addresses and numbers are stale or invalid.
    count(*) FILTER (WHERE c.updated_at < now() - interval '1 year') AS untouched, -- Contacts not changed for a year.
    (SELECT count(*) FROM crm.duplicate_pair d JOIN crm.contact k ON k.id = d.contact_id
     WHERE d.status = 'new' AND k.owner_id IS NOT DISTINCT FROM c.owner_id) AS open_duplicates -- Pairs that wait for a decision.
FROM crm.contact c
JOIN crm.v_completeness f ON f.contact_id = c.id
LEFT JOIN crm.agent a ON a.id = c.owner_id
CROSS JOIN LATERAL (
    SELECT count(*) AS points, count(*) FILTER (WHERE q.kind = 'email' AND q.validity <> 'invalid') AS emails,
           count(*) FILTER (WHERE q.kind = 'phone' AND q.validity <> 'invalid') AS phones,
           count(*) FILTER (WHERE q.validity = 'invalid') AS invalid_points,
           count(*) FILTER (WHERE q.validity IN ('unknown', 'valid')) AS fresh_points
    FROM crm.contact_point q WHERE q.contact_id = c.id AND q.kind IN ('email', 'phone', 'messenger')
) p
WHERE c.archived_at IS NULL
GROUP BY c.owner_id;
COMMENT ON VIEW crm.v_data_quality IS 'How good the data of each agent''s contacts are: completeness, missing and broken addresses, duplicates.';

CREATE VIEW crm.v_duplicate WITH (security_invoker = true) AS
SELECT
    d.contact_id, -- The one contact.
    crm.full_name(a.title, a.given_name, a.middle_name, a.family_name, a.suffix) AS name, -- Its name.
    d.duplicate_id, -- The other.
    crm.full_name(b.title, b.given_name, b.middle_name, b.family_name, b.suffix) AS duplicate_name, -- Its name.
    d.strength, -- How strong the evidence is, 0 to 1.
    d.evidence, -- Which keys agree, and what differs.
    d.status, -- new or confirmed.
    d.found_at, -- When the pair was found.
    d.method -- What found it: exact keys, a match model, or a person.
FROM crm.duplicate_pair d
JOIN crm.contact a ON a.id = d.contact_id AND a.deleted_at IS NULL
JOIN crm.contact b ON b.id = d.duplicate_id AND b.deleted_at IS NULL
WHERE d.status IN ('new', 'confirmed')
ORDER BY d.strength DESC, d.contact_id, d.duplicate_id;
COMMENT ON VIEW crm.v_duplicate IS 'Pairs of contacts that wait for a decision or a merge, the surest first.';

CREATE VIEW crm.v_need_trend WITH (security_invoker = true) AS
SELECT
    m.month, -- First day of the month, UTC.
    n.kind, -- need, desire, objection or preference.
    n.subject, -- What about.
    count(*) FILTER (WHERE lower(n.valid) >= m.month AT TIME ZONE 'UTC') AS opened, -- Became known in the month.
    count(*) FILTER (WHERE upper(n.valid) < (m.month + interval '1 month') AT TIME ZONE 'UTC') AS closed, -- Ended or changed in the month.
    count(*) FILTER (WHERE n.valid @> (m.month + interval '1 month') AT TIME ZONE 'UTC') AS holding, -- Contacts for whom it held at the end of the month, or holds.
    round(avg(n.strength) FILTER (WHERE n.valid @> (m.month + interval '1 month') AT TIME ZONE 'UTC'), 2) AS strength -- Their mean strength, 1 to 5.
FROM crm.contact_need n
JOIN crm.contact c ON c.id = n.contact_id AND c.deleted_at IS NULL AND c.archived_at IS NULL
CROSS JOIN LATERAL generate_series(date_trunc('month', lower(n.valid) AT TIME ZONE 'UTC'),
                                   least(coalesce(upper(n.valid), now()), now()) AT TIME ZONE 'UTC', interval '1 month') AS m (month)
GROUP BY m.month, n.kind, n.subject;
COMMENT ON VIEW crm.v_need_trend IS 'How needs, desires, objections and preferences come and go, month by month.';

-- Runs with the owner's rights: who reads it may not read the tables.
CREATE VIEW crm.v_contact_masked WITH (security_barrier = true) AS
SELECT
    c.id AS contact_id, -- Number of the contact.
    crm.format_name(c.given_name, c.middle_name, c.family_name, 'monogram') AS monogram, -- First letters of the name.
    crm.mask(e.email) AS email, -- Primary e-mail address, masked.
    crm.mask(p.phone) AS phone, -- Primary phone number, masked.
    c.gender, -- m, f or null.
    extract(year FROM c.birth_date)::integer AS birth_year, -- Year of birth.
    c.locale, -- Language in which to address the person.
    c.country, -- Country, ISO 3166-1 alpha-2.
    c.city, -- City.
    c.lifecycle_stage, -- lead, customer, repeat, loyal or closed_cycle.
    c.kind, -- Audience.
    c.source, -- Where the contact came from.
    ARRAY(SELECT t.tag FROM crm.tag t WHERE t.contact_id = c.id ORDER BY t.tag) AS tags, -- Tags.
    c.est_category_spend, -- Estimate of what the contact spends a year on what we sell, anywhere.
    c.owner_id, -- Number of the agent.
    c.branch_id, -- Number of the branch.
    c.territory_id, -- Number of the territory.
    c.created_at, -- When the contact was made.
    c.updated_at, -- When it was last changed.
    c.archived_at -- When it was set aside; null while in use.
FROM crm.contact c
LEFT JOIN crm.contact_point e ON e.contact_id = c.id AND e.kind = 'email' AND e.is_primary
LEFT JOIN crm.contact_point p ON p.contact_id = c.id AND p.kind = 'phone' AND p.is_primary
WHERE c.deleted_at IS NULL AND c.merged_into IS NULL;
COMMENT ON VIEW crm.v_contact_masked IS 'Contacts for analysis: no name, no address, no number that would tell who it is. Runs with the rights of its owner, so that role crm_analyst needs none on the tables.';
$crm_source$), (22, 'view', '32-profile', $crm_source$
-- A query that uses few of the columns touches few of the tables: joins are on
-- unique keys, so that the planner drops those that it does not need, and what
-- has none that it knows of is a subquery of its own.
CREATE VIEW crm.contact_profile WITH (security_invoker = true) AS
SELECT
    c.id AS contact_id, -- Number of the contact.
    c.title, -- Title before the name.
    c.given_name, -- Given name.
    c.middle_name, -- Middle name or patronymic.
    c.family_name, -- Family name.
    c.suffix, -- Suffix after the name.
    c.gender, -- m, f or null.
    c.birth_date, -- Date of birth.
    c.locale, -- Language in which to address the person.
    coalesce(c.time_zone, b.time_zone, 'UTC') AS time_zone, -- IANA time zone: the contact's own, else that of the branch.
    c.country, -- Country, ISO 3166-1 alpha-2.
    c.city, -- City.
    c.job_title, -- Position at work.
    c.lifecycle_stage, -- lead, customer, repeat, loyal or closed_cycle.
    c.kind, -- Audience: person, fan, supporter, partner or any word of yours.
    c.source, -- Where the contact came from.
    c.est_category_spend, -- Estimate of what the contact spends a year on what we sell, anywhere.
    c.attrs, -- Custom fields.
    c.owner_id, -- Number of the agent who is responsible.
    c.branch_id, -- Number of the branch.
    b.name AS branch, -- The branch that serves the contact.
    c.territory_id, -- Number of the territory.
    c.created_at, -- When the contact was made.
    c.updated_at, -- When it was last changed.
    (SELECT q.email FROM crm.contact_point q WHERE q.contact_id = c.id AND q.kind = 'email' AND q.is_primary) AS email, -- Primary e-mail address; compared in its canonical form.
    (SELECT q.validity FROM crm.contact_point q WHERE q.contact_id = c.id AND q.kind = 'email' AND q.is_primary) AS email_validity, -- unknown, valid, stale or invalid; null without an address.
    (SELECT q.phone FROM crm.contact_point q WHERE q.contact_id = c.id AND q.kind = 'phone' AND q.is_primary) AS phone, -- Primary phone number; compared in its canonical form.
    (SELECT q.validity FROM crm.contact_point q WHERE q.contact_id = c.id AND q.kind = 'phone' AND q.is_primary) AS phone_validity, -- unknown, valid, stale or invalid; null without a number.
    o.id AS company_id, -- Number of the primary company.
    (SELECT l.role FROM crm.company_contact l WHERE l.contact_id = c.id AND l.company_id = o.id AND l.is_primary AND upper_inf(l.valid) LIMIT 1) AS company_role, -- What the person is there.
    o.name AS company, -- Name of the primary company.
    o.kind AS company_kind, -- customer, partner, supplier, dealer, competitor or other.
    o.industry AS company_industry, -- Its industry.
    o.country AS company_country, -- Its country, ISO 3166-1 alpha-2.
    o.city AS company_city, -- Its city.
    o.employees AS company_employees, -- Its number of employees.
    o.annual_revenue AS company_annual_revenue, -- Its revenue a year, in its currency.
    o.attrs AS company_attrs, -- Its custom fields.
    coalesce(m.order_count, 0) AS order_count, -- Orders placed, neither cancelled nor returned.
    coalesce(m.order_total, 0) AS order_total, -- What they came to, in the base currency.
    m.order_average, -- What one came to on average; null without any.
    m.largest_order, -- What the largest came to; null without any.
    m.first_order_at, -- When the first was placed; null without any.
    m.last_order_at, -- When the latest was; null without any.
    coalesce(m.activity_count, 0) AS activity_count, -- Activities: calls, letters, meetings, notes.
    m.first_activity_at, -- When the first took place; null without any.
    m.last_activity_at, -- When the latest did; null without any.
    m.last_inbound_at, -- When the contact last came to us; null if never.
    m.last_outbound_at, -- When we last went to the contact; null if never.
    coalesce(m.open_deal_count, 0) AS open_deal_count, -- Deals at an open stage.
    coalesce(m.won_deal_count, 0) AS won_deal_count, -- Deals that were won.
    coalesce(m.won_deal_total, 0) AS won_deal_total, -- What they came to, in the base currency.
    m.last_won_at -- When the latest was won; null if none.
FROM crm.contact c
LEFT JOIN crm.branch b ON b.id = c.branch_id
LEFT JOIN crm.company o ON o.deleted_at IS NULL AND o.id = (
    SELECT l.company_id FROM crm.company_contact l
    WHERE l.contact_id = c.id AND l.is_primary AND upper_inf(l.valid) ORDER BY l.company_id LIMIT 1)
LEFT JOIN crm.contact_metric m ON m.contact_id = c.id
WHERE c.deleted_at IS NULL AND c.merged_into IS NULL AND c.archived_at IS NULL;
COMMENT ON VIEW crm.contact_profile IS 'The row that rules on contacts are written against: the contact with its primary addresses, its company and what it ordered and did, one row each; without deleted, absorbed and archived contacts.';
$crm_source$), (23, 'view', '34-sales', $crm_source$
CREATE VIEW crm.v_pipeline WITH (security_invoker = true) AS
SELECT
    p.name AS pipeline, -- Pipeline.
    s.name AS stage, -- Stage.
    s.position, -- Place of the stage in the pipeline.
    s.kind, -- open, won or lost.
    count(d.id) AS deals, -- Number of deals at the stage.
    coalesce(sum(d.amount), 0) AS amount, -- Sum of their amounts.
    coalesce(sum(d.amount * coalesce(d.probability, s.probability)), 0) AS weighted_amount, -- Sum of amount times probability.
    coalesce(d.currency, p.currency) AS currency, -- Currency of both sums; amounts of other currencies are rows of their own.
    p.id AS pipeline_id, -- Number of the pipeline.
    s.id AS stage_id -- Number of the stage.
FROM crm.pipeline p
JOIN crm.stage s ON s.pipeline_id = p.id
LEFT JOIN crm.deal d ON d.stage_id = s.id AND d.deleted_at IS NULL
GROUP BY p.id, s.id, coalesce(d.currency, p.currency)
ORDER BY p.id, s.position, coalesce(d.currency, p.currency);
COMMENT ON VIEW crm.v_pipeline IS 'The funnel as it stands: how many deals are at each stage, what they are worth and what may be expected of them. A stage without deals has a row too.';

CREATE VIEW crm.v_deal WITH (security_invoker = true) AS
SELECT
    d.id AS deal_id, -- Number of the deal.
    d.name, -- Its name.
    p.name AS pipeline, -- Its pipeline.
    s.name AS stage, -- Its stage.
    s.kind, -- open, won or lost.
    concat_ws(' ', c.given_name, c.middle_name, c.family_name) AS contact, -- The person it is made with.
    o.name AS company, -- The company it is made with.
    a.name AS owner, -- The agent who is responsible.
    d.amount, -- Amount.
    d.currency, -- Currency of amount.
    coalesce(d.probability, s.probability) AS probability, -- The owner's estimate, otherwise that of the stage.
    d.amount * coalesce(d.probability, s.probability) AS weighted_amount, -- Amount times probability.
    d.close_date, -- The day for which the close is promised.
    (SELECT count(*) FROM crm.deal_history h
     WHERE h.deal_id = d.id AND h.field = 'close_date'
       AND (h.new_value #>> '{}')::date > (h.old_value #>> '{}')::date) AS pushes, -- How often the promise was put off.
    d.created_at, -- When the deal began.
    d.stage_entered_at, -- When it came to its stage.
    coalesce(d.closed_at, now()) - d.created_at AS age, -- How long it has been going on, or took.
    d.closed_at, -- When it was won or lost; null while open.
    r.name AS loss_reason, -- Why it was lost.
    l.name AS lost_to, -- The competitor who won.
    f.name AS lost_at_stage, -- The stage from which it was lost.
    t.id AS next_task_id, -- The open task that falls due first.
    t.title AS next_task, -- What it is.
    t.due_at AS next_task_due_at, -- By when.
    (SELECT max(y.occurred_at) FROM crm.activity y WHERE y.deal_id = d.id) AS last_activity_at, -- The latest call, letter, meeting about it.
    d.source, -- Where it came from.
    d.external_system, -- The other system in which it has a number.
    d.external_id, -- Its number there.
    d.pipeline_id, -- Number of the pipeline.
    d.stage_id, -- Number of the stage.
    d.contact_id, -- Number of the person.
    d.company_id, -- Number of the company.
    d.owner_id, -- Number of the agent.
    d.attrs -- Custom fields.
FROM crm.deal d
JOIN crm.pipeline p ON p.id = d.pipeline_id
JOIN crm.stage s ON s.id = d.stage_id
LEFT JOIN crm.contact c ON c.id = d.contact_id
LEFT JOIN crm.company o ON o.id = d.company_id
LEFT JOIN crm.agent a ON a.id = d.owner_id
LEFT JOIN crm.loss_reason r ON r.id = d.loss_reason_id
LEFT JOIN crm.company l ON l.id = d.lost_to_company_id
LEFT JOIN crm.stage f ON f.id = d.lost_at_stage_id
LEFT JOIN LATERAL (
    SELECT k.id, k.title, k.due_at FROM crm.task k
    WHERE k.deal_id = d.id AND k.status = 'open' ORDER BY k.due_at NULLS LAST, k.priority, k.id LIMIT 1) t ON true
WHERE d.deleted_at IS NULL;
COMMENT ON VIEW crm.v_deal IS 'All that is to be known of each deal, with names instead of numbers, its next task and latest activity.';

CREATE VIEW crm.v_next_action WITH (security_invoker = true) AS
SELECT
    d.id AS deal_id, -- Number of the deal.
    d.name, -- Its name.
    p.name AS pipeline, -- Its pipeline.
    s.name AS stage, -- Its stage.
    a.name AS owner, -- The agent who is responsible.
    d.amount, -- Amount.
    d.currency, -- Currency of amount.
    d.close_date, -- The day for which the close is promised.
    late.id AS overdue_task_id, -- Its latest task that is overdue; null when it has none at all.
    late.title AS overdue_task, -- What that is.
    late.due_at AS overdue_since, -- Since when.
    d.owner_id -- Number of the agent.
FROM crm.deal d
JOIN crm.pipeline p ON p.id = d.pipeline_id
JOIN crm.stage s ON s.id = d.stage_id
LEFT JOIN crm.agent a ON a.id = d.owner_id
LEFT JOIN LATERAL (
    SELECT k.id, k.title, k.due_at FROM crm.task k
    WHERE k.deal_id = d.id AND k.status = 'open' ORDER BY k.due_at DESC LIMIT 1) late ON true
WHERE d.closed_at IS NULL AND d.deleted_at IS NULL
  AND NOT EXISTS (SELECT FROM crm.task k
                  WHERE k.deal_id = d.id AND k.status = 'open' AND (k.due_at >= now() OR k.due_at IS NULL))
ORDER BY d.amount DESC NULLS LAST, d.id;
COMMENT ON VIEW crm.v_next_action IS 'Open deals that nobody has planned to go on with: without an open task still to come. The most valuable first.';

CREATE VIEW crm.v_rotting_deal WITH (security_invoker = true) AS
SELECT
    r.deal_id, -- Number of the deal.
    r.name, -- Its name.
    r.pipeline, -- Its pipeline.
    r.stage, -- Its stage.
    a.name AS owner, -- The agent who is responsible.
    r.amount, -- Amount.
    r.currency, -- Currency of amount.
    r.stage_entered_at, -- When it came to the stage.
    r.rotting_after, -- How long a deal may stay there.
    r.rotting_since, -- Since when it has been staying too long.
    r.owner_id -- Number of the agent.
FROM crm.rotting_deals(now()) r
LEFT JOIN crm.agent a ON a.id = r.owner_id
ORDER BY r.rotting_since, r.deal_id;
COMMENT ON VIEW crm.v_rotting_deal IS 'Open deals that have been at their stage for longer than it allows. crm.rotting_deals(as_of) asks the same of another moment.';

CREATE VIEW crm.v_deal_history WITH (security_invoker = true) AS
SELECT
    h.deal_id, -- Number of the deal.
    h.id, -- Number of the entry; the order of the changes.
    h.changed_at, -- When the change was recorded.
    h.effective_at, -- When it took effect.
    h.actor, -- Who made it.
    CASE WHEN h.field <> '*' THEN h.field WHEN h.old_value IS NULL THEN 'created' ELSE 'removed' END AS field, -- The column that changed; created or removed for the whole deal.
    CASE h.field
        WHEN 'stage_id' THEN (SELECT s.name FROM crm.stage s WHERE s.id = (h.old_value #>> '{}')::bigint)
        WHEN 'pipeline_id' THEN (SELECT p.name FROM crm.pipeline p WHERE p.id = (h.old_value #>> '{}')::bigint)
        WHEN 'owner_id' THEN (SELECT a.name FROM crm.agent a WHERE a.id = (h.old_value #>> '{}')::bigint)
        WHEN 'company_id' THEN (SELECT c.name FROM crm.company c WHERE c.id = (h.old_value #>> '{}')::bigint)
        WHEN 'loss_reason_id' THEN (SELECT r.name FROM crm.loss_reason r WHERE r.id = (h.old_value #>> '{}')::bigint)
        ELSE h.old_value #>> '{}'
    END AS old_value, -- Value before; stages, pipelines, agents, companies and reasons by name.
    CASE h.field
        WHEN 'stage_id' THEN (SELECT s.name FROM crm.stage s WHERE s.id = (h.new_value #>> '{}')::bigint)
        WHEN 'pipeline_id' THEN (SELECT p.name FROM crm.pipeline p WHERE p.id = (h.new_value #>> '{}')::bigint)
        WHEN 'owner_id' THEN (SELECT a.name FROM crm.agent a WHERE a.id = (h.new_value #>> '{}')::bigint)
        WHEN 'company_id' THEN (SELECT c.name FROM crm.company c WHERE c.id = (h.new_value #>> '{}')::bigint)
        WHEN 'loss_reason_id' THEN (SELECT r.name FROM crm.loss_reason r WHERE r.id = (h.new_value #>> '{}')::bigint)
        ELSE h.new_value #>> '{}'
    END AS new_value, -- Value after, likewise.
    h.role, -- Database role with whose rights it was made.
    h.transaction_id -- Transaction that made it.
FROM crm.deal_history h;
COMMENT ON VIEW crm.v_deal_history IS 'The history of deals for people: numbers of stages, agents and the like are shown by name.';
$crm_source$), (24, 'view', '35-activity', $crm_source$
CREATE VIEW crm.v_activity_gap WITH (security_invoker = true) AS
SELECT
    g.deal_id, -- Number of the deal.
    g.name, -- Its name.
    g.pipeline, -- Its pipeline.
    g.stage, -- Its stage.
    a.name AS owner, -- The agent who is responsible.
    g.last_touch_at, -- The latest logged touch; null when there was none.
    g.gap, -- How long ago that was, or the deal began.
    g.allowed, -- How long the pipeline allows.
    g.owner_id -- Number of the agent.
FROM crm.activity_gap(now()) g
LEFT JOIN crm.agent a ON a.id = g.owner_id
ORDER BY g.gap DESC, g.deal_id;
COMMENT ON VIEW crm.v_activity_gap IS 'Open deals without a logged touch for longer than their pipeline allows: either they were forgotten, or what was done was not entered. crm.activity_gap(as_of, longer_than) asks the same of another moment and span.';

CREATE VIEW crm.v_task WITH (security_invoker = true) AS
SELECT
    t.id AS task_id, -- Number of the task.
    t.kind, -- call, email, meeting, service, todo ...
    t.title, -- The task in a line.
    t.status, -- open, done or cancelled.
    t.priority, -- 1 is the most urgent, 5 the least.
    a.name AS assignee, -- Who does it.
    w.name AS author, -- Who wants it done.
    t.due_at, -- By when.
    t.due_at AT TIME ZONE coalesce(t.time_zone, a.time_zone, 'UTC') AS due_local, -- The same on the wall of its time zone, otherwise the assignee's.
    t.status = 'open' AND t.due_at < now() AS is_overdue, -- Whether it should be done by now.
    t.done_at, -- When it was done or cancelled.
    t.result, -- What came of it.
    d.name AS deal, -- The deal it belongs to.
    o.name AS company, -- The company it concerns.
    concat_ws(' ', c.given_name, c.middle_name, c.family_name) AS contact, -- The person it concerns.
    t.deal_id, -- Number of the deal.
    t.company_id, -- Number of the company.
    t.contact_id, -- Number of the person.
    t.assignee_id -- Number of the agent.
FROM crm.task t
LEFT JOIN crm.agent a ON a.id = t.assignee_id
LEFT JOIN crm.agent w ON w.id = t.author_id
LEFT JOIN crm.deal d ON d.id = t.deal_id
LEFT JOIN crm.company o ON o.id = t.company_id
LEFT JOIN crm.contact c ON c.id = t.contact_id;
COMMENT ON VIEW crm.v_task IS 'Tasks with names instead of numbers.';

CREATE VIEW crm.v_adoption WITH (security_invoker = true) AS
SELECT
    d.agent_id, -- Number of the agent.
    d.agent, -- Name.
    d.entries, -- Activities of the last 30 days.
    d.automatic, -- Those of them that another system entered by itself: telephony, mail.
    d.by_hand, -- Those that the agent entered.
    d.deals, -- Deals of the agent that were open in that time.
    d.entries_per_deal, -- Activities about deals for each of these.
    d.median_lag, -- Half of those entered by hand were there so soon after the event.
    d.p90_lag, -- Nine tenths of them were.
    d.late_share, -- Share of them that was entered later than a day after the event, 0 to 1.
    d.last_entry_at -- When the latest was entered.
FROM crm.adoption(now() - interval '30 days', now()) d;
COMMENT ON VIEW crm.v_adoption IS 'How willingly agents keep the records, over the last 30 days. crm.adoption(from, to) asks the same of another time.';
$crm_source$), (25, 'view', '36-match', $crm_source$
CREATE VIEW crm.v_match_contact WITH (security_invoker = true) AS
SELECT
    c.id, -- Number of the contact.
    c.given_name, -- Given name.
    c.middle_name, -- Middle name or patronymic.
    c.family_name, -- Family name.
    c.birth_date, -- Date of birth.
    c.gender, -- m or f.
    c.tax_id, -- Personal tax number.
    c.city, -- City.
    p.emails, -- E-mail addresses, the primary one first.
    p.phones, -- Phone numbers, the primary one first.
    p.address, -- Address.
    o.company -- Primary company.
FROM crm.contact c
LEFT JOIN LATERAL (
    SELECT array_agg(coalesce(p.email::text, p.raw) ORDER BY p.is_primary DESC, p.id) FILTER (WHERE p.kind = 'email') AS emails,
           array_agg(coalesce(p.phone::text, p.raw) ORDER BY p.is_primary DESC, p.id) FILTER (WHERE p.kind = 'phone') AS phones,
           (array_agg(p.raw ORDER BY p.is_primary DESC, p.id) FILTER (WHERE p.kind = 'address'))[1] AS address
    FROM crm.contact_point p WHERE p.contact_id = c.id) p ON true
LEFT JOIN LATERAL (
    SELECT m.name AS company FROM crm.company_contact l JOIN crm.company m ON m.id = l.company_id
    WHERE l.contact_id = c.id AND upper_inf(l.valid) ORDER BY l.is_primary DESC, l.company_id LIMIT 1) o ON true
WHERE c.deleted_at IS NULL AND c.merged_into IS NULL;
COMMENT ON VIEW crm.v_match_contact IS 'What match model contacts compares of each living contact.';

CREATE VIEW crm.v_match_company WITH (security_invoker = true) AS
SELECT
    c.id, -- Number of the company.
    c.name, -- Name.
    c.legal_name, -- Full legal name.
    c.tax_id, -- Tax number.
    c.registration_id, -- Registry number.
    c.website, -- Web address.
    c.city, -- City.
    c.postal_code, -- Postal code.
    c.address, -- Street address.
    p.emails, -- E-mail addresses.
    p.phones -- Phone numbers.
FROM crm.company c
LEFT JOIN LATERAL (
    SELECT array_agg(coalesce(p.email::text, p.raw) ORDER BY p.is_primary DESC, p.id) FILTER (WHERE p.kind = 'email') AS emails,
           array_agg(coalesce(p.phone::text, p.raw) ORDER BY p.is_primary DESC, p.id) FILTER (WHERE p.kind = 'phone') AS phones
    FROM crm.company_point p WHERE p.company_id = c.id) p ON true
WHERE c.deleted_at IS NULL;
COMMENT ON VIEW crm.v_match_company IS 'What match model companies compares of each living company.';

CREATE VIEW crm.v_match_pair WITH (security_invoker = true) AS
SELECT
    p.model, -- What found it.
    p.left_id, -- The one record.
    p.right_id, -- The other one.
    coalesce(d.status, c.status, p.status) AS status, -- new, confirmed, rejected or merged; of contacts and companies as decided there.
    p.weight, -- Weight of the evidence, in bits; 0 is a probability of one half.
    p.probability, -- Probability that both are one entity.
    coalesce(k.cluster_id = o.cluster_id, false) AS in_cluster, -- Whether the last run brought both into one cluster.
    CASE WHEN k.cluster_id = o.cluster_id THEN k.cluster_id END AS cluster_id, -- The first record of that cluster.
    p.version, -- Version of the model.
    p.found_at, -- When it was first found.
    coalesce(d.decided_at, c.decided_at, p.decided_at) AS decided_at, -- When a person decided; null while new.
    coalesce(d.decided_by, c.decided_by, p.decided_by) AS decided_by -- Who decided.
FROM crm.match_pair p
LEFT JOIN crm.match_model m ON m.name = p.model
LEFT JOIN crm.match_cluster k ON k.model = p.model AND k.id = p.left_id
LEFT JOIN crm.match_cluster o ON o.model = p.model AND o.id = p.right_id
LEFT JOIN crm.duplicate_pair d ON d.contact_id = CASE WHEN m.entity = 'contact' THEN p.left_id::bigint END
    AND d.duplicate_id = CASE WHEN m.entity = 'contact' THEN p.right_id::bigint END
LEFT JOIN crm.company_duplicate_pair c ON c.company_id = CASE WHEN m.entity = 'company' THEN p.left_id::bigint END
    AND c.duplicate_id = CASE WHEN m.entity = 'company' THEN p.right_id::bigint END;
COMMENT ON VIEW crm.v_match_pair IS 'Pairs that match models found, with what people decided. crm.review_pairs() shows those that wait, with their rows.';

CREATE VIEW crm.v_match_level WITH (security_invoker = true) AS
SELECT
    l.model, -- Whose level.
    f.name AS field, -- Name of the field.
    l.level, -- 1 is equal, higher ones are less.
    l.label, -- What it means.
    l.m, -- How often it occurs among records of one entity.
    l.u, -- How often it occurs among records of different ones.
    l.weight, -- log2(m / u), in bits.
    f.comparator, -- How values are compared.
    f."position" AS field_position -- Place of the field.
FROM crm.match_model m
JOIN crm.match_level l ON l.model = m.name AND l.version = m.version
JOIN crm.match_field f ON f.model = m.name AND f."position" = l.field
ORDER BY l.model, f."position", l.level;
COMMENT ON VIEW crm.v_match_level IS 'What agreement in each field weighs, by the parameters that match models use now.';

CREATE VIEW crm.v_company_duplicate WITH (security_invoker = true) AS
SELECT
    d.company_id, -- The one company.
    a.name, -- Its name.
    d.duplicate_id, -- The other.
    b.name AS duplicate_name, -- Its name.
    d.strength, -- How strong the evidence is, 0 to 1.
    d.evidence, -- What agrees.
    d.status, -- new or confirmed.
    d.found_at, -- When the pair was found.
    d.method -- What found it: exact keys, a match model, or a person.
FROM crm.company_duplicate_pair d
JOIN crm.company a ON a.id = d.company_id AND a.deleted_at IS NULL
JOIN crm.company b ON b.id = d.duplicate_id AND b.deleted_at IS NULL
WHERE d.status IN ('new', 'confirmed')
ORDER BY d.strength DESC, d.company_id, d.duplicate_id;
COMMENT ON VIEW crm.v_company_duplicate IS 'Pairs of companies that wait for a decision or a merge, the surest first.';

CREATE VIEW crm.v_match_progress WITH (security_invoker = true) AS
SELECT
    p.pid, -- Process of the run.
    a.usename AS role, -- Role that started it.
    CASE p.param14 WHEN 1 THEN 'reading records' WHEN 2 THEN 'making blocks' WHEN 3 THEN 'training' WHEN 4 THEN 'comparing pairs'
        WHEN 5 THEN 'making clusters' WHEN 6 THEN 'writing' END AS phase, -- What it is doing.
    p.param3 AS records, -- Records read so far.
    p.param15 AS pairs_planned, -- Pairs that the blocks hold, those of several blocks counted in each.
    p.param16 AS pairs_compared, -- Pairs compared so far.
    a.query_start AS started_at -- When the statement began.
FROM pg_stat_get_progress_info('COPY') AS p
LEFT JOIN pg_stat_activity a ON a.pid = p.pid
WHERE p.param13 = 6517357;
COMMENT ON VIEW crm.v_match_progress IS 'Runs of match models that are under way, one row each, in this and other databases.';
$crm_source$), (26, 'view', '36-order', $crm_source$
CREATE VIEW crm.v_order WITH (security_invoker = true) AS
SELECT
    o.id AS order_id, -- Number of the order.
    o.number, -- Number as people know it.
    o.status, -- draft, placed, paid, shipped, completed, cancelled or returned.
    o.is_counted, -- Whether it counts in the metrics of the contact.
    o.ordered_at, -- When it was placed.
    o.amount, -- What is to be paid.
    o.currency, -- Currency of amount.
    o.base_amount, -- Amount in the base currency; null when amount or rate is not known.
    concat_ws(' ', c.given_name, c.middle_name, c.family_name) AS contact, -- The person who orders.
    p.name AS company, -- The company it is for.
    a.name AS agent, -- Who of us took it.
    d.name AS deal, -- The deal it came of.
    o.channel, -- How it came.
    o.source, -- Where it came from.
    o.external_system, -- The other system in which it has a number.
    o.external_id, -- Its number there.
    o.contact_id, -- Number of the person.
    o.company_id, -- Number of the company.
    o.agent_id, -- Number of the agent.
    o.deal_id, -- Number of the deal.
    o.attrs -- More.
FROM crm.sales_order o
JOIN crm.contact c ON c.id = o.contact_id
LEFT JOIN crm.company p ON p.id = o.company_id
LEFT JOIN crm.agent a ON a.id = o.agent_id
LEFT JOIN crm.deal d ON d.id = o.deal_id
WHERE o.deleted_at IS NULL;
COMMENT ON VIEW crm.v_order IS 'Orders with names instead of numbers.';

CREATE VIEW crm.v_contact_metric WITH (security_invoker = true) AS
SELECT
    c.id AS contact_id, -- Number of the contact.
    coalesce(m.order_count, 0) AS order_count, -- Orders that count: placed, neither cancelled nor returned nor deleted.
    coalesce(m.priced_order_count, 0) AS priced_order_count, -- Those of them whose amount in the base currency is known.
    coalesce(m.order_total, 0.0000) AS order_total, -- Sum of their amounts in the base currency.
    m.order_average, -- order_total by priced_order_count; null without any.
    m.largest_order, -- The largest amount of one of them.
    m.first_order_at, -- When the first order was placed; null for never.
    m.last_order_at, -- When the latest was.
    coalesce(m.activity_count, 0) AS activity_count, -- Activities.
    m.first_activity_at, -- When the first took place; null for never.
    m.last_activity_at, -- When the latest did.
    m.last_inbound_at, -- When the contact last came to us.
    m.last_outbound_at, -- When we last went to the contact.
    coalesce(m.open_deal_count, 0) AS open_deal_count, -- Open deals.
    coalesce(m.won_deal_count, 0) AS won_deal_count, -- Won deals.
    coalesce(m.won_deal_total, 0.0000) AS won_deal_total, -- Sum of their amounts in the base currency.
    m.last_won_at -- When the latest was won; null for never.
FROM crm.contact c
LEFT JOIN crm.contact_metric m ON m.contact_id = c.id
WHERE c.deleted_at IS NULL AND c.merged_into IS NULL;
COMMENT ON VIEW crm.v_contact_metric IS 'The metrics of every living contact, with zeros for who has none.';
$crm_source$), (27, 'view', '40-segment', $crm_source$
CREATE VIEW crm.v_segment WITH (security_invoker = true) AS
SELECT
    s.id AS segment_id, -- Number of the segment.
    s.name AS segment, -- Its name.
    s.kind, -- static, dynamic or composed.
    s.definition, -- Its rule or expression as entered; null of a list.
    s.description, -- What it is for.
    s.cardinality AS contacts, -- Number of members.
    s.cardinality / nullif(b.contacts, 0)::double precision AS share, -- Members by living contacts.
    coalesce(w.entered, 0) AS entered_7_days, -- How many entered in the last seven days.
    coalesce(w.departed, 0) AS left_7_days, -- How many left in the last seven days.
    coalesce(w.entered, 0) - coalesce(w.departed, 0) AS growth_7_days, -- Growth in the last seven days.
    CASE WHEN s.has_clock THEN s.refreshed_at
         WHEN s.error IS NULL AND NOT s.needs_full THEN greatest(s.refreshed_at, r.as_of) ELSE s.refreshed_at END AS refreshed_at, -- The moment for which the members are right.
    s.needs_full AS is_stale, -- Whether it waits for a refresh over all contacts.
    s.full_refresh_ms, -- What its last refresh over all contacts took, milliseconds.
    s.error, -- Why its last refresh failed; null when it did not.
    s.hindrance, -- Why the last refresh left it as it was: what the role that refreshed may not read.
    s.level, -- 0, or one more than the segments that it asks for.
    s.created_at, -- When it was made.
    s.created_by -- Who made it.
FROM crm.segment s
CROSS JOIN (SELECT count(*) AS contacts FROM crm.contact c WHERE c.deleted_at IS NULL AND c.merged_into IS NULL AND c.archived_at IS NULL) b
LEFT JOIN (SELECT m.as_of FROM crm.segment_refresh m ORDER BY m.id DESC LIMIT 1) r ON true
LEFT JOIN LATERAL (
    SELECT sum(x.entered) AS entered, sum(x.departed) AS departed
    FROM (SELECT count(*) FILTER (WHERE h.entered) AS entered, count(*) FILTER (WHERE NOT h.entered) AS departed
          FROM crm.segment_history h WHERE h.segment_id = s.id AND h.at > now() - interval '7 days'
          UNION ALL
          SELECT crm.cardinality(crm.from_roaring(f.entered)), crm.cardinality(crm.from_roaring(f.departed))
          FROM crm.segment_fill f WHERE f.segment_id = s.id AND f.at > now() - interval '7 days' AND f.cause <> 'kept') x
) w ON true;
COMMENT ON VIEW crm.v_segment IS 'The segments: size, growth, when and at what cost they were refreshed, and what is wrong with them.';

CREATE VIEW crm.v_segment_member WITH (security_invoker = true) AS
SELECT
    s.name AS segment, -- Name of the segment.
    m.id AS contact_id -- Number of a member.
FROM crm.segment s JOIN crm.segment_chunk k ON k.segment_id = s.id, crm.members(k.members) AS m (id);
COMMENT ON VIEW crm.v_segment_member IS 'The members of the segments, a row each, as of the last refresh; for joins, filter by segment.';

CREATE VIEW crm.v_segment_history WITH (security_invoker = true) AS
SELECT
    s.name AS segment, -- Name of the segment.
    c.contact_id, -- Who.
    c.at, -- When.
    c.entered, -- True: entered; false: left.
    c.cause, -- change (of the contact or of another segment), time, definition, members, or kept: older history was given up.
    c.refresh -- Number of the refresh: the order of changes.
FROM crm.segment s, crm.segment_changes(s.id) c;
COMMENT ON VIEW crm.v_segment_history IS 'Who entered and left which segment, when and why. Of one contact crm.contact_segment_history() is quicker.';

CREATE VIEW crm.v_segment_overlap WITH (security_invoker = true) AS
SELECT
    o.segment_a, -- A segment.
    o.segment_b, -- Another one; each pair comes once.
    o.members_a, -- Members of the first.
    o.members_b, -- Members of the second.
    o.in_both, -- Members of both.
    o.jaccard, -- Members of both by members of either.
    o.lift -- How much more often they meet than by chance.
FROM crm.segment_overlap() o;
COMMENT ON VIEW crm.v_segment_overlap IS 'The matrix of overlaps of all segments. Of some of many crm.segment_overlap(names) is quicker.';

CREATE VIEW crm.v_segment_goal WITH (security_invoker = true) AS
SELECT
    g.id AS goal_id, -- Number of the goal.
    s.name AS segment, -- Name of the segment.
    g.metric, -- Column of crm.contact_profile.
    g.aggregate, -- What is made of it over the members.
    g.target, -- What it shall reach.
    g.due, -- By when.
    v.value, -- What it is now; null when the segment is empty.
    v.value / nullif(g.target, 0) AS progress, -- What it is by what it shall reach; null when the segment is empty.
    v.value >= g.target AS is_reached, -- Whether it is reached.
    g.description -- Why.
FROM crm.segment_goal g JOIN crm.segment s ON s.id = g.segment_id,
     LATERAL (SELECT crm.segment_metric(s.name, g.metric, g.aggregate) AS value) v;
COMMENT ON VIEW crm.v_segment_goal IS 'How far the goals of segments are, over the members as of the last refresh.';

CREATE VIEW crm.v_segment_performance WITH (security_invoker = true) AS
SELECT
    a.name AS action, -- Name of the action.
    s.name AS segment, -- At whom it was aimed.
    a.started_at, -- When it began.
    a.started_at + a.lasts AS ends_at, -- Until when orders count.
    crm.cardinality(t.targets) AS targets, -- Contacts who got it.
    crm.cardinality(t.control) AS control, -- Contacts held back.
    g.responded, -- Targets who ordered in that time.
    g.orders, -- Their orders.
    g.revenue, -- What they came to, in the base currency.
    h.responded AS control_responded, -- Of those held back, who ordered.
    h.revenue AS control_revenue, -- What their orders came to.
    g.responded / nullif(crm.cardinality(t.targets), 0)::double precision AS response, -- Share of the targets who ordered.
    h.responded / nullif(crm.cardinality(t.control), 0)::double precision AS control_response, -- Share of those held back who ordered.
    (g.responded / nullif(crm.cardinality(t.targets), 0)::double precision)
        / nullif(h.responded / nullif(crm.cardinality(t.control), 0)::double precision, 0) - 1 AS lift, -- How much more often targets ordered than those held back: 0.1 is ten percent; null without a control group that ordered.
    g.revenue - h.revenue / nullif(crm.cardinality(t.control), 0) * crm.cardinality(t.targets) AS incremental_revenue -- Revenue beyond what the targets would have brought like those held back; null without these.
FROM crm.segment_action a JOIN crm.segment s ON s.id = a.segment_id
CROSS JOIN LATERAL (SELECT crm.standing_for(crm.from_roaring(a.targets)) AS targets) u
-- One who is merged with a target got it.
CROSS JOIN LATERAL (SELECT u.targets, crm.standing_for(crm.from_roaring(a.control)) OPERATOR(crm.-) u.targets AS control) t
CROSS JOIN LATERAL (
    SELECT count(DISTINCT o.contact_id) AS responded, count(*) AS orders, coalesce(sum(o.base_amount), 0) AS revenue
    FROM crm.sales_order o WHERE o.is_counted AND o.ordered_at >= a.started_at AND o.ordered_at < a.started_at + a.lasts AND o.contact_id OPERATOR(crm.<@) t.targets
) g
CROSS JOIN LATERAL (
    SELECT count(DISTINCT o.contact_id) AS responded, coalesce(sum(o.base_amount), 0) AS revenue
    FROM crm.sales_order o WHERE o.is_counted AND o.ordered_at >= a.started_at AND o.ordered_at < a.started_at + a.lasts AND o.contact_id OPERATOR(crm.<@) t.control
) h;
COMMENT ON VIEW crm.v_segment_performance IS 'What actions aimed at segments brought: orders of those who got them while they lasted, beside those held back.';
$crm_source$), (28, 'migration', '0.1.0', $crm_source$
COMMENT ON TABLE crm.completeness_weight IS 'What makes a contact complete: crm.completeness() is the sum of the weights of the filled ones.';
ALTER TABLE crm.import_result DROP CONSTRAINT IF EXISTS import_result_batch_id_fkey;
DROP TRIGGER IF EXISTS audit_change ON crm.contact;
DROP TRIGGER IF EXISTS audit_change ON crm.company;
DROP TRIGGER IF EXISTS audit_change ON crm.contact_point;
DROP TRIGGER IF EXISTS audit_change ON crm.company_point;
DROP TRIGGER IF EXISTS audit_change ON crm.contact_identity;
DROP TRIGGER IF EXISTS audit_change ON crm.external_ref;
DROP TRIGGER IF EXISTS audit_change ON crm.company_external_ref;
DROP TRIGGER IF EXISTS audit_change ON crm.company_contact;
DROP TRIGGER IF EXISTS audit_change ON crm.contact_need;
DROP TRIGGER IF EXISTS audit_change ON crm.tag;
DROP TRIGGER IF EXISTS audit_change ON crm.custom_field;
DELETE FROM crm.schema_object WHERE kind = 'trigger' AND name = 'audit_change';
$crm_source$), (29, 'migration', '0.2.0', $crm_source$
-- Merges of 0.1.0 can be undone as far as their journal goes: it had no
-- updated_at of the survivor.
DO $migration$
DECLARE
    part CONSTANT text := 'j.%1$s || coalesce((SELECT jsonb_object_agg(e.key, e.value)
        FROM jsonb_each(crm.row_texts(crm.row_restore(NULL::%2$s, (SELECT jsonb_object_agg(k.key, k.value) FROM jsonb_each(j.%1$s) k WHERE k.key = ANY ($1))))) e
        WHERE e.key = ANY ($1) AND j.%1$s ? e.key), ''{}'')';
    item record;
BEGIN
    IF to_regclass('crm.merge_journal') IS NULL THEN
        RETURN;
    END IF;
    ALTER TABLE crm.merge_journal DROP CONSTRAINT IF EXISTS merge_journal_operation_check;
    ALTER TABLE crm.merge_journal ADD CONSTRAINT merge_journal_operation_check
        CHECK (operation IN ('absorb', 'fill', 'move', 'drop', 'add', 'relink'));
    COMMENT ON TABLE crm.merge_journal IS 'What merges did, row by row: every value that was overwritten and every row that was moved or dropped, exact to the byte. crm.unmerge() reads it.';
    COMMENT ON COLUMN crm.merge_journal.survivor_id IS 'The contact or company that absorbed.';
    COMMENT ON COLUMN crm.merge_journal.absorbed_id IS 'The contact or company that was absorbed.';
    COMMENT ON COLUMN crm.merge_journal.operation IS 'absorb (the contact itself), fill (columns of the survivor), move (a row that now belongs to the survivor), drop (a row in whose place another stands), add (a row that the merge made) or relink (a row that referred to a dropped one and now refers to the one in its place, or to none).';
    COMMENT ON COLUMN crm.merge_journal.row_before IS 'Column to value, as text, before; of a fill only the columns that changed; empty of an added row.';
    COMMENT ON COLUMN crm.merge_journal.row_after IS 'The columns that changed, after; of an added row all; null of a drop.';
    ALTER TABLE crm.merge_journal ADD COLUMN IF NOT EXISTS column_name text;
    COMMENT ON COLUMN crm.merge_journal.column_name IS 'The column that held the number of the absorbed one; null where it is not by such a column that the row was found.';
    UPDATE crm.merge_journal j SET column_name = CASE WHEN j.relation = 'contact' THEN 'merged_into' ELSE (
        SELECT b.key FROM jsonb_each_text(j.row_before) b
        WHERE b.value = j.absorbed_id::text AND j.row_after ->> b.key = j.survivor_id::text LIMIT 1) END
    WHERE j.operation = 'move';
    UPDATE crm.merge_journal j SET column_name = coalesce(
        (SELECT m.column_name FROM crm.merge_journal m
         WHERE m.operation = 'move' AND m.relation = j.relation AND j.row_before ->> m.column_name = j.absorbed_id::text LIMIT 1),
        (SELECT b.key FROM jsonb_each_text(j.row_before) b
         WHERE b.value = j.absorbed_id::text ORDER BY b.key <> 'contact_id', b.key LIMIT 1))
    WHERE j.operation = 'drop';
    -- 0.1.0 wrote what the casts to text give; of some types, as boolean and
    -- char(n), that is not what is printed, with which rows are compared now.
    FOR item IN
        SELECT r.target, array_agg(a.attname::text) AS columns, r.name
        FROM (SELECT j.relation AS name, crm.relation_of(j.relation) AS target FROM crm.merge_journal j GROUP BY j.relation) r
        JOIN pg_attribute a ON a.attrelid = r.target AND a.attnum > 0 AND NOT a.attisdropped
        JOIN pg_type t ON t.oid = a.atttypid
        WHERE EXISTS (SELECT FROM pg_cast c WHERE c.castsource IN (t.oid, t.typbasetype) AND c.casttarget = 'text'::regtype AND c.castmethod = 'f')
        GROUP BY r.name, r.target
    LOOP
        BEGIN
            EXECUTE format('UPDATE crm.merge_journal j SET row_before = %s, row_after = %s WHERE j.relation = $2',
                           format(part, 'row_before', item.target), format(part, 'row_after', item.target))
            USING item.columns, item.name;
        EXCEPTION WHEN data_exception OR integrity_constraint_violation OR undefined_object THEN
            NULL;               -- a type has changed since: what cannot be read stays as it is
        END;
    END LOOP;
END
$migration$;

-- The sweep of match models.
DO $migration$
BEGIN
    IF to_regclass('crm.job') IS NOT NULL THEN
        INSERT INTO crm.job (name, function, every) VALUES ('match', 'match_tick', '1 minute') ON CONFLICT DO NOTHING;
    END IF;
END
$migration$;
$crm_source$), (30, 'migration', '0.3.0', $crm_source$
-- The refreshes of segments.
DO $migration$
BEGIN
    IF to_regclass('crm.job') IS NOT NULL THEN
        INSERT INTO crm.job (name, function, every, daily_at, enabled) VALUES ('segments', 'segment_tick', '1 minute', NULL, true),
            ('segment history', 'compact_segment_history', NULL, '01:30', false) ON CONFLICT DO NOTHING;
    END IF;
END
$migration$;

-- Their rows are counted next; after a restore the planner knows nothing of them.
DO $migration$
DECLARE
    item text;
BEGIN
    FOREACH item IN ARRAY '{contact,activity,deal}'::text[] LOOP
        IF to_regclass('crm.' || item) IS NOT NULL THEN
            EXECUTE format('ANALYZE crm.%I', item);
        END IF;
    END LOOP;
END
$migration$;

-- An order keeps a contact from the archive, too.
DO $migration$
BEGIN
    IF to_regclass('crm.archive_rule') IS NOT NULL THEN
        COMMENT ON COLUMN crm.archive_rule.inactive_for IS 'Not changed, not in touch and no order for so long.';
    END IF;
END
$migration$;
$crm_source$)) AS source ("position", kind, name, source) $crm_function$;
COMMENT ON FUNCTION crm.schema_source() IS 'The statements by which crm.install() makes tables and views, one row a source file, in the order of execution; kind is table, view or migration.';
