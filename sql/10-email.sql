/* ------------------------------------------------------------------
 * crm.email: an e-mail address.
 * ------------------------------------------------------------------ */

CREATE TYPE crm.email;

CREATE FUNCTION crm.email_in(cstring) RETURNS crm.email
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_in';

CREATE FUNCTION crm.email_out(crm.email) RETURNS cstring
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_out';

CREATE FUNCTION crm.email_recv(internal) RETURNS crm.email
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_recv';

CREATE FUNCTION crm.email_send(crm.email) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_send';

CREATE TYPE crm.email (
    INPUT = crm.email_in,
    OUTPUT = crm.email_out,
    RECEIVE = crm.email_recv,
    SEND = crm.email_send,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = int4,
    STORAGE = extended
);
COMMENT ON TYPE crm.email IS 'An e-mail address of RFC 5321 and 6531: local part as written (normal form C), domain in lower-case Unicode (UTS #46). Two are equal when their domains are and their local parts are but for the case of A-Z. Input raises 22P02 with a token such as EMAIL_NO_AT in the detail; crm.try_email() and crm.check_email() do not raise.';

/* What people call. */

CREATE FUNCTION crm.email(text) RETURNS crm.email
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_from_text';
COMMENT ON FUNCTION crm.email(text) IS 'The text as an address; raises 22P02 like the input of the type. Explicit casts call it.';

CREATE FUNCTION crm.email_to_text(crm.email) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_to_text';
COMMENT ON FUNCTION crm.email_to_text(crm.email) IS 'The address as text, as the output of the type gives it. Casts call it.';

CREATE FUNCTION crm.try_email(text) RETURNS crm.email
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_try';
COMMENT ON FUNCTION crm.try_email(text) IS 'The text as an address, or null when the type refuses it. Never raises.';

CREATE FUNCTION crm.check_email(text) RETURNS crm.check_result
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_check_text';
COMMENT ON FUNCTION crm.check_email(text) IS 'What the type says of a text: accepted or not, why, and the one probable repair (a mistyped provider, look-alike letters, a comma for a dot), which is offered and never applied. Never raises.';

CREATE FUNCTION crm.local_part(crm.email) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_local_part';
COMMENT ON FUNCTION crm.local_part(crm.email) IS 'What precedes the "@", as written; with its quotes when it needs them.';

CREATE FUNCTION crm.domain(crm.email) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_domain';
COMMENT ON FUNCTION crm.domain(crm.email) IS 'The domain in lower-case Unicode.';

CREATE FUNCTION crm.ascii(crm.email) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_ascii_form';
COMMENT ON FUNCTION crm.ascii(crm.email) IS 'The address as mail servers without SMTPUTF8 take it, the domain in "xn--" form; null when the local part is not ASCII, as there is no such form then.';

CREATE FUNCTION crm.domain_ascii(crm.email) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_domain_ascii';
COMMENT ON FUNCTION crm.domain_ascii(crm.email) IS 'The domain in its ASCII form ("xn--" labels), as the DNS has it.';

CREATE FUNCTION crm.tag(crm.email) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_tag_text';
COMMENT ON FUNCTION crm.tag(crm.email) IS 'What follows the first "+" of the local part; null when there is none. Whether the provider ignores it is not known here: crm.match_key() knows of some that do.';

CREATE FUNCTION crm.is_idn(crm.email) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_is_idn';
COMMENT ON FUNCTION crm.is_idn(crm.email) IS 'Whether the domain has characters beyond ASCII.';

CREATE FUNCTION crm.is_smtputf8(crm.email) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_is_smtputf8';
COMMENT ON FUNCTION crm.is_smtputf8(crm.email) IS 'Whether the local part has characters beyond ASCII, so that mail to it needs SMTPUTF8 (RFC 6531) all the way.';

CREATE FUNCTION crm.is_special_use(crm.email) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_is_special_use';
COMMENT ON FUNCTION crm.is_special_use(crm.email) IS 'Whether the domain is one of the IANA special-use domain names (test, example, invalid, localhost, local, onion, alt, arpa, example.com ...) or under "internal", where no mail arrives from the Internet.';

CREATE FUNCTION crm.mask(crm.email) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_mask_text';
COMMENT ON FUNCTION crm.mask(crm.email) IS 'The address for logs and screens: the first character, three stars, the domain.';

CREATE FUNCTION crm.identical(a crm.email, b crm.email) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'crm_email_identical';
COMMENT ON FUNCTION crm.identical(crm.email, crm.email) IS 'Whether two addresses are the same byte by byte, the case of the local part included.';

CREATE FUNCTION crm.match_key(crm.email) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_match_key_text';
COMMENT ON FUNCTION crm.match_key(crm.email) IS 'A text that addresses of probably one person have in common: case folded, and for providers known to do so, tags and dots dropped and domains unified. For the search for duplicates; equality of addresses never uses it. Its rules are compiled: crm.email_match_key_version().';

CREATE FUNCTION crm.email_match_key_version() RETURNS integer
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_match_key_version';
COMMENT ON FUNCTION crm.email_match_key_version() IS 'The version of the rules of crm.match_key(email). When an update raises it, indexes on the key are to be rebuilt.';

CREATE FUNCTION crm.is_disposable(crm.email) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'crm_email_is_disposable';
COMMENT ON FUNCTION crm.is_disposable(crm.email) IS 'Whether the table crm.email_domain says that the domain, or the nearest parent of which it says anything, gives throw-away addresses. Advice, as every such list has errors. Raises 42P01 before crm.install().';

CREATE FUNCTION crm.is_free_provider(crm.email) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'crm_email_is_free_provider';
COMMENT ON FUNCTION crm.is_free_provider(crm.email) IS 'Whether the table crm.email_domain says that the domain, or the nearest parent of which it says anything, gives addresses to anybody. Raises 42P01 before crm.install().';

CREATE FUNCTION crm.is_role(crm.email) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000 AS 'MODULE_PATHNAME', 'crm_email_is_role';
COMMENT ON FUNCTION crm.is_role(crm.email) IS 'Whether the local part without its tag is in the table crm.email_role: info@, sales@ and the like, read by several persons. Raises 42P01 before crm.install().';

/* What casts, operators and indexes call. */

CREATE FUNCTION crm.email_eq(crm.email, crm.email) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'crm_email_eq';

CREATE FUNCTION crm.email_ne(crm.email, crm.email) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'crm_email_ne';

CREATE FUNCTION crm.email_lt(crm.email, crm.email) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'crm_email_lt';

CREATE FUNCTION crm.email_le(crm.email, crm.email) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'crm_email_le';

CREATE FUNCTION crm.email_gt(crm.email, crm.email) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'crm_email_gt';

CREATE FUNCTION crm.email_ge(crm.email, crm.email) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'crm_email_ge';

CREATE FUNCTION crm.email_domain_lt(crm.email, crm.email) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'crm_email_domain_lt';

CREATE FUNCTION crm.email_domain_le(crm.email, crm.email) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'crm_email_domain_le';

CREATE FUNCTION crm.email_domain_gt(crm.email, crm.email) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'crm_email_domain_gt';

CREATE FUNCTION crm.email_domain_ge(crm.email, crm.email) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'crm_email_domain_ge';

CREATE FUNCTION crm.email_cmp(crm.email, crm.email) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'crm_email_cmp';

CREATE FUNCTION crm.email_domain_cmp(crm.email, crm.email) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'crm_email_domain_cmp';

CREATE FUNCTION crm.email_hash(crm.email) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'crm_email_hash';

CREATE FUNCTION crm.email_hash_extended(crm.email, bigint) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'MODULE_PATHNAME', 'crm_email_hash_extended';

CREATE FUNCTION crm.email_sortsupport(internal) RETURNS void
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_sortsupport';

CREATE FUNCTION crm.email_domain_sortsupport(internal) RETURNS void
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_domain_sortsupport';

CREATE FUNCTION crm.email_smaller(crm.email, crm.email) RETURNS crm.email
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_smaller';

CREATE FUNCTION crm.email_larger(crm.email, crm.email) RETURNS crm.email
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_larger';

CREATE FUNCTION crm.email_prefix_support(internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_prefix_support';

CREATE FUNCTION crm.email_domain_support(internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_domain_support';

CREATE FUNCTION crm.email_starts_with(crm.email, text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
SUPPORT crm.email_prefix_support AS 'MODULE_PATHNAME', 'crm_email_starts_with_text';

CREATE FUNCTION crm.email_within_domain(crm.email, text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
SUPPORT crm.email_domain_support AS 'MODULE_PATHNAME', 'crm_email_within_domain';

/*
 * The ends of the range that a prefix or a domain takes in an index, for plans
 * whose right side is no constant.  They are values that no input accepts.
 */
CREATE FUNCTION crm.email_prefix_bound(text, boolean) RETURNS crm.email
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_prefix_bound';

CREATE FUNCTION crm.email_domain_bound(text, boolean) RETURNS crm.email
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_domain_bound';

COMMENT ON FUNCTION crm.email_prefix_bound(text, boolean) IS 'For plans of ^@ only: the lower or (true) the upper end of what a prefix takes in an index. Not an address; do not store it.';
COMMENT ON FUNCTION crm.email_domain_bound(text, boolean) IS 'For plans of <<@ only: the lower or (true) the upper end of what a domain takes in an index. Not an address; do not store it.';

CREATE CAST (crm.email AS text) WITH FUNCTION crm.email_to_text(crm.email) AS ASSIGNMENT;

CREATE CAST (text AS crm.email) WITH FUNCTION crm.email(text);

CREATE OPERATOR crm.= (
    FUNCTION = crm.email_eq,
    LEFTARG = crm.email,
    RIGHTARG = crm.email,
    COMMUTATOR = OPERATOR(crm.=),
    NEGATOR = OPERATOR(crm.<>),
    RESTRICT = eqsel,
    JOIN = eqjoinsel,
    HASHES,
    MERGES
);
COMMENT ON OPERATOR crm.= (crm.email, crm.email) IS 'same domain, same local part but for the case of A-Z';

CREATE OPERATOR crm.<> (
    FUNCTION = crm.email_ne,
    LEFTARG = crm.email,
    RIGHTARG = crm.email,
    COMMUTATOR = OPERATOR(crm.<>),
    NEGATOR = OPERATOR(crm.=),
    RESTRICT = neqsel,
    JOIN = neqjoinsel
);

CREATE OPERATOR crm.< (
    FUNCTION = crm.email_lt,
    LEFTARG = crm.email,
    RIGHTARG = crm.email,
    COMMUTATOR = OPERATOR(crm.>),
    NEGATOR = OPERATOR(crm.>=),
    RESTRICT = scalarltsel,
    JOIN = scalarltjoinsel
);

CREATE OPERATOR crm.<= (
    FUNCTION = crm.email_le,
    LEFTARG = crm.email,
    RIGHTARG = crm.email,
    COMMUTATOR = OPERATOR(crm.>=),
    NEGATOR = OPERATOR(crm.>),
    RESTRICT = scalarlesel,
    JOIN = scalarlejoinsel
);

CREATE OPERATOR crm.> (
    FUNCTION = crm.email_gt,
    LEFTARG = crm.email,
    RIGHTARG = crm.email,
    COMMUTATOR = OPERATOR(crm.<),
    NEGATOR = OPERATOR(crm.<=),
    RESTRICT = scalargtsel,
    JOIN = scalargtjoinsel
);

CREATE OPERATOR crm.>= (
    FUNCTION = crm.email_ge,
    LEFTARG = crm.email,
    RIGHTARG = crm.email,
    COMMUTATOR = OPERATOR(crm.<=),
    NEGATOR = OPERATOR(crm.<),
    RESTRICT = scalargesel,
    JOIN = scalargejoinsel
);

/* The order by domain; equality is the same. */

CREATE OPERATOR crm.~<~ (
    FUNCTION = crm.email_domain_lt,
    LEFTARG = crm.email,
    RIGHTARG = crm.email,
    COMMUTATOR = OPERATOR(crm.~>~),
    NEGATOR = OPERATOR(crm.~>=~),
    RESTRICT = scalarltsel,
    JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR crm.~<~ (crm.email, crm.email) IS 'before, by the labels of the domain from the right';

CREATE OPERATOR crm.~<=~ (
    FUNCTION = crm.email_domain_le,
    LEFTARG = crm.email,
    RIGHTARG = crm.email,
    COMMUTATOR = OPERATOR(crm.~>=~),
    NEGATOR = OPERATOR(crm.~>~),
    RESTRICT = scalarlesel,
    JOIN = scalarlejoinsel
);

CREATE OPERATOR crm.~>~ (
    FUNCTION = crm.email_domain_gt,
    LEFTARG = crm.email,
    RIGHTARG = crm.email,
    COMMUTATOR = OPERATOR(crm.~<~),
    NEGATOR = OPERATOR(crm.~<=~),
    RESTRICT = scalargtsel,
    JOIN = scalargtjoinsel
);

CREATE OPERATOR crm.~>=~ (
    FUNCTION = crm.email_domain_ge,
    LEFTARG = crm.email,
    RIGHTARG = crm.email,
    COMMUTATOR = OPERATOR(crm.~<=~),
    NEGATOR = OPERATOR(crm.~<~),
    RESTRICT = scalargesel,
    JOIN = scalargejoinsel
);

CREATE OPERATOR crm.^@ (
    FUNCTION = crm.email_starts_with,
    LEFTARG = crm.email,
    RIGHTARG = text,
    RESTRICT = matchingsel,
    JOIN = matchingjoinsel
);
COMMENT ON OPERATOR crm.^@ (crm.email, text) IS 'the address begins with the text, the case of A-Z ignored; one range of a default btree index';

CREATE OPERATOR crm.<<@ (
    FUNCTION = crm.email_within_domain,
    LEFTARG = crm.email,
    RIGHTARG = text,
    RESTRICT = matchingsel,
    JOIN = matchingjoinsel
);
COMMENT ON OPERATOR crm.<<@ (crm.email, text) IS 'the domain of the address is the one given, or below it; one range of a btree index of crm.email_domain_ops. Raises 22P02 when the right side is no domain name.';

CREATE OPERATOR CLASS crm.email_ops DEFAULT FOR TYPE crm.email USING btree AS
    OPERATOR 1 crm.<,
    OPERATOR 2 crm.<=,
    OPERATOR 3 crm.=,
    OPERATOR 4 crm.>=,
    OPERATOR 5 crm.>,
    FUNCTION 1 crm.email_cmp(crm.email, crm.email),
    FUNCTION 2 crm.email_sortsupport(internal);
COMMENT ON OPERATOR CLASS crm.email_ops USING btree IS 'By local part, then domain: for equality and ^@.';

CREATE OPERATOR CLASS crm.email_domain_ops FOR TYPE crm.email USING btree AS
    OPERATOR 1 crm.~<~,
    OPERATOR 2 crm.~<=~,
    OPERATOR 3 crm.=,
    OPERATOR 4 crm.~>=~,
    OPERATOR 5 crm.~>~,
    FUNCTION 1 crm.email_domain_cmp(crm.email, crm.email),
    FUNCTION 2 crm.email_domain_sortsupport(internal);
COMMENT ON OPERATOR CLASS crm.email_domain_ops USING btree IS 'By the labels of the domain from the right, then local part: for equality and <<@.';

CREATE OPERATOR CLASS crm.email_ops DEFAULT FOR TYPE crm.email USING hash AS
    OPERATOR 1 crm.=,
    FUNCTION 1 crm.email_hash(crm.email),
    FUNCTION 2 crm.email_hash_extended(crm.email, bigint);

CREATE AGGREGATE crm.min(crm.email) (
    SFUNC = crm.email_smaller,
    STYPE = crm.email,
    COMBINEFUNC = crm.email_smaller,
    SORTOP = OPERATOR(crm.<),
    PARALLEL = safe
);
COMMENT ON AGGREGATE crm.min(crm.email) IS 'The first address in the default order.';

CREATE AGGREGATE crm.max(crm.email) (
    SFUNC = crm.email_larger,
    STYPE = crm.email,
    COMBINEFUNC = crm.email_larger,
    SORTOP = OPERATOR(crm.>),
    PARALLEL = safe
);
COMMENT ON AGGREGATE crm.max(crm.email) IS 'The last address in the default order.';

/* ------------------------------------------------------------------
 * Filling the advisory tables.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.load_email_domains(kind text, domains text[], note text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    changed bigint;
BEGIN
    IF kind IS NULL OR kind NOT IN ('disposable', 'free_provider') THEN
        RAISE EXCEPTION 'unknown kind of domain: %', quote_nullable(kind)
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'The kinds are disposable and free_provider.';
    END IF;
    IF to_regclass('crm.email_domain') IS NULL THEN
        RAISE EXCEPTION 'table crm.email_domain does not exist'
            USING ERRCODE = 'undefined_table', HINT = 'SELECT crm.install() creates it.';
    END IF;
    INSERT INTO crm.email_domain AS d (domain, is_disposable, is_free_provider, note)
    SELECT DISTINCT ON (crm.domain(a))
           crm.domain(a), nullif(kind = 'disposable', false), nullif(kind = 'free_provider', false),
           load_email_domains.note
    FROM unnest(domains) AS line,
         btrim(split_part(line, '#', 1), E' \t\r\n') AS name,
         crm.try_email('a@' || name) AS a
    WHERE a IS NOT NULL
    ON CONFLICT (domain) DO UPDATE
    SET is_disposable = coalesce(d.is_disposable, excluded.is_disposable),
        is_free_provider = coalesce(d.is_free_provider, excluded.is_free_provider)
    WHERE (d.is_disposable IS NULL AND excluded.is_disposable)
       OR (d.is_free_provider IS NULL AND excluded.is_free_provider);
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
END
$$;
COMMENT ON FUNCTION crm.load_email_domains(text, text[], text) IS 'Adds domains to crm.email_domain as disposable or free_provider and returns how many rows that changed. Lines that are empty, begin with # or are no domain of two labels are passed over; a row that already says yes or no to the question is left as it is, so that an exception made by hand survives.';
