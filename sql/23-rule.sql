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
