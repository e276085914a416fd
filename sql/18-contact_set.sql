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
