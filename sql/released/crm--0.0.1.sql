\echo Use "CREATE EXTENSION crm" to load this file. \quit

/*
 * A schema that was there before the extension belongs to whoever made it, and
 * its owner could replace what we put into it.  Refuse one whose owner is
 * neither a superuser nor the role that creates the extension.
 */
DO $$
DECLARE
    schema_owner oid;
    extension_owner oid;
BEGIN
    SELECT nspowner INTO schema_owner
    FROM pg_catalog.pg_namespace WHERE nspname OPERATOR(pg_catalog.=) 'crm';
    SELECT extowner INTO extension_owner
    FROM pg_catalog.pg_extension WHERE extname OPERATOR(pg_catalog.=) 'crm';
    IF schema_owner OPERATOR(pg_catalog.<>) extension_owner
       AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE oid OPERATOR(pg_catalog.=) schema_owner) THEN
        RAISE EXCEPTION 'schema "crm" belongs to another role, "%"', pg_catalog.pg_get_userbyid(schema_owner)
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'Drop the schema, or give it to the role that creates the extension: ALTER SCHEMA crm OWNER TO ...';
    END IF;
END
$$;

-- Everybody may look up our types and call our functions; what these may read
-- and write is a matter of the rights on the tables.
GRANT USAGE ON SCHEMA crm TO PUBLIC;

/* ------------------------------------------------------------------
 * What every checker answers.
 * ------------------------------------------------------------------ */

CREATE TYPE crm.check_result AS (
    ok boolean,
    status text,
    value text,
    code text,
    message text,
    hint text,
    suggestion text
);
COMMENT ON TYPE crm.check_result IS 'The verdict of a crm.check_...() function on a text: accepted or not, how, and what to do about it.';
COMMENT ON COLUMN crm.check_result.ok IS 'Whether the type accepts the text.';
COMMENT ON COLUMN crm.check_result.status IS 'ok, fixed (accepted after removing what carries no meaning), odd (accepted, but unusual) or bad (refused).';
COMMENT ON COLUMN crm.check_result.value IS 'The canonical form; null when refused.';
COMMENT ON COLUMN crm.check_result.code IS 'A stable token for programs, such as EMAIL_NO_AT; null when status is ok. doc/errors.md lists them.';
COMMENT ON COLUMN crm.check_result.message IS 'What is wrong or unusual, in a sentence.';
COMMENT ON COLUMN crm.check_result.hint IS 'What to do about it, in a sentence.';
COMMENT ON COLUMN crm.check_result.suggestion IS 'The one probable repair; offered, never applied.';

CREATE FUNCTION crm.library_version() RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_library_version';
COMMENT ON FUNCTION crm.library_version() IS 'The version of the loaded module, for example 0.1.0. After a package update a session that loaded the old module shows the old version until it ends.';

CREATE FUNCTION crm.code_version() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE COST 5
SET search_path = pg_catalog, pg_temp AS $$
    SELECT extversion FROM pg_extension WHERE extname = 'crm'
$$;
COMMENT ON FUNCTION crm.code_version() IS 'The version of the extension in this database: that of its functions, which ALTER EXTENSION crm UPDATE changes.';

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

/* The ends of the range that a prefix or a domain takes in an index. */
CREATE FUNCTION crm.email_prefix_bound(text, boolean) RETURNS crm.email
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_prefix_bound';

CREATE FUNCTION crm.email_domain_bound(text, boolean) RETURNS crm.email
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_email_domain_bound';

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

/* ------------------------------------------------------------------
 * Type crm.phone: E.164 digits and an optional extension
 * ------------------------------------------------------------------ */

CREATE TYPE crm.phone;

CREATE FUNCTION crm.phone_in(cstring) RETURNS crm.phone
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_in';
CREATE FUNCTION crm.phone_out(crm.phone) RETURNS cstring
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_out';
CREATE FUNCTION crm.phone_recv(internal) RETURNS crm.phone
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_recv';
CREATE FUNCTION crm.phone_send(crm.phone) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_send';

CREATE TYPE crm.phone (
    INPUT = crm.phone_in,
    OUTPUT = crm.phone_out,
    RECEIVE = crm.phone_recv,
    SEND = crm.phone_send,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = int4,
    STORAGE = extended,
    CATEGORY = 'U'
);
COMMENT ON TYPE crm.phone IS 'A phone number: at most 15 digits, country code first (ITU-T E.164), and an optional extension of at most 10. Written +79161234567 or +79161234567;ext=105. Reads what people write; a number without country code needs crm.default_region. 8 bytes, typically.';

/* ------------------------------------------------------------------
 * Reading
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.phone(text, region text) RETURNS crm.phone
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_phone_make';
COMMENT ON FUNCTION crm.phone(text, text) IS 'Reads a phone number as written in a region (RU, DE ...); 22P02 when refused, 22023 when there is no such region. Follows the numbering plans of the installed version: after a package update, what was refused may be accepted.';

CREATE FUNCTION crm.try_phone(text) RETURNS crm.phone
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_phone_try';
COMMENT ON FUNCTION crm.try_phone(text) IS 'Like the cast to crm.phone, but null when refused. Numbers without country code are of crm.default_region.';

CREATE FUNCTION crm.try_phone(text, region text) RETURNS crm.phone
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_phone_try_region';
COMMENT ON FUNCTION crm.try_phone(text, text) IS 'Like crm.phone(text, region), but null when refused. Good for a generated column beside the raw text.';

CREATE FUNCTION crm.check_phone(text, region text DEFAULT NULL) RETURNS crm.check_result
LANGUAGE c STABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_phone_check';
COMMENT ON FUNCTION crm.check_phone(text, text) IS 'What crm.phone thinks of a text: accepted or not, the canonical form, what is wrong and the probable repair. Without region, crm.default_region.';

CREATE FUNCTION crm.split_phones(text, region text DEFAULT NULL, OUT phone crm.phone, OUT rest text) RETURNS SETOF record
LANGUAGE c STABLE PARALLEL SAFE COST 10 ROWS 2 AS 'MODULE_PATHNAME', 'crm_phone_split';
COMMENT ON FUNCTION crm.split_phones(text, text) IS 'The phone numbers in a text, one a row, with the words beside each; numbers that no numbering plan knows are left in the words. A text without number is one row with a null phone.';

/* ------------------------------------------------------------------
 * Parts and facts
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.country_code(crm.phone) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_country_code';
COMMENT ON FUNCTION crm.country_code(crm.phone) IS 'The country code, for example 7; null when the digits begin with none that is known.';

CREATE FUNCTION crm.national_number(crm.phone) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_national_number';
COMMENT ON FUNCTION crm.national_number(crm.phone) IS 'The digits after the country code, leading zeros kept; null when the country code is unknown.';

CREATE FUNCTION crm.extension(crm.phone) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_extension';
COMMENT ON FUNCTION crm.extension(crm.phone) IS 'The digits of the extension; null when there is none.';

CREATE FUNCTION crm.base(crm.phone) RETURNS crm.phone
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_base';
COMMENT ON FUNCTION crm.base(crm.phone) IS 'The number without its extension.';

CREATE FUNCTION crm.e164(crm.phone) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_e164';
COMMENT ON FUNCTION crm.e164(crm.phone) IS '+ and the digits, without the extension.';

CREATE FUNCTION crm.region(crm.phone) RETURNS text
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_region_of';
COMMENT ON FUNCTION crm.region(crm.phone) IS 'The region that the number belongs to, two letters of ISO 3166-1; 001 for numbers of no country (+800 ...); null when unknown. Follows the numbering plans of the installed version.';

CREATE FUNCTION crm.phone_type(crm.phone) RETURNS text
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_type_of';
COMMENT ON FUNCTION crm.phone_type(crm.phone) IS 'fixed, mobile, fixed_or_mobile, toll_free, premium, shared, voip, personal, pager, uan, voicemail, or unknown when no numbering plan has the number.';

CREATE FUNCTION crm.is_possible(crm.phone) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_is_possible';
COMMENT ON FUNCTION crm.is_possible(crm.phone) IS 'Whether the country code exists and numbers of this length exist there.';

CREATE FUNCTION crm.is_valid(crm.phone) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_is_valid';
COMMENT ON FUNCTION crm.is_valid(crm.phone) IS 'Whether the number is in a range of the numbering plans of the installed version. New ranges appear every month: false does not prove a number wrong.';

CREATE FUNCTION crm.is_valid_for(crm.phone, region text) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_is_valid_for';
COMMENT ON FUNCTION crm.is_valid_for(crm.phone, text) IS 'Whether the number is in a range of the region; 22023 when there is no such region.';

CREATE FUNCTION crm.is_placeholder(crm.phone) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_is_placeholder';
COMMENT ON FUNCTION crm.is_placeholder(crm.phone) IS 'Whether the digits look typed to fill the field: the last seven are the same, or the national number counts up or down.';

CREATE FUNCTION crm.format_phone(crm.phone, style text DEFAULT 'international') RETURNS text
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_phone_write';
COMMENT ON FUNCTION crm.format_phone(crm.phone, text) IS 'The number as people write it: international, national, rfc3966 (a tel: URI) or e164. For showing; a national form cannot always be read back.';

CREATE FUNCTION crm.format_phone_from(crm.phone, region text) RETURNS text
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_phone_write_from';
COMMENT ON FUNCTION crm.format_phone_from(crm.phone, text) IS 'The number as somebody in the region would dial it; 22023 when there is no such region.';

CREATE FUNCTION crm.same_number(crm.phone, crm.phone) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_same_number';
COMMENT ON FUNCTION crm.same_number(crm.phone, crm.phone) IS 'exact, ext_differs, nsn_suffix (same country, one national number ends with the other, seven digits or more) or no.';

CREATE FUNCTION crm.mask(crm.phone) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_mask';
COMMENT ON FUNCTION crm.mask(crm.phone) IS 'The number with all but the country code and the last two digits hidden, for logs.';

CREATE FUNCTION crm.phone_metadata_version() RETURNS text
LANGUAGE c STABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_version';
COMMENT ON FUNCTION crm.phone_metadata_version() IS 'The release of libphonenumber whose numbering plans the module was built with.';

/* ------------------------------------------------------------------
 * Functions behind operators and operator classes
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.phone_eq(crm.phone, crm.phone) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_eq';
CREATE FUNCTION crm.phone_ne(crm.phone, crm.phone) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_ne';
CREATE FUNCTION crm.phone_lt(crm.phone, crm.phone) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_lt';
CREATE FUNCTION crm.phone_le(crm.phone, crm.phone) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_le';
CREATE FUNCTION crm.phone_gt(crm.phone, crm.phone) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_gt';
CREATE FUNCTION crm.phone_ge(crm.phone, crm.phone) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_ge';
CREATE FUNCTION crm.phone_cmp(crm.phone, crm.phone) RETURNS integer
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_cmp';
CREATE FUNCTION crm.phone_sortsupport(internal) RETURNS void
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_sortsupport';
CREATE FUNCTION crm.phone_hash(crm.phone) RETURNS integer
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_hash';
CREATE FUNCTION crm.phone_hash_extended(crm.phone, bigint) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_hash_extended';

CREATE FUNCTION crm.phone_suffix_lt(crm.phone, crm.phone) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_suffix_lt';
CREATE FUNCTION crm.phone_suffix_le(crm.phone, crm.phone) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_suffix_le';
CREATE FUNCTION crm.phone_suffix_gt(crm.phone, crm.phone) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_suffix_gt';
CREATE FUNCTION crm.phone_suffix_ge(crm.phone, crm.phone) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_suffix_ge';
CREATE FUNCTION crm.phone_suffix_cmp(crm.phone, crm.phone) RETURNS integer
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_suffix_cmp';
CREATE FUNCTION crm.phone_suffix_sortsupport(internal) RETURNS void
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_suffix_sortsupport';

CREATE FUNCTION crm.phone_prefix_support(internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_prefix_support';
CREATE FUNCTION crm.phone_suffix_support(internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_suffix_support';
CREATE FUNCTION crm.phone_base_support(internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_base_support';

CREATE FUNCTION crm.phone_starts_with(crm.phone, text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 SUPPORT crm.phone_prefix_support AS 'MODULE_PATHNAME', 'crm_phone_starts_with';
CREATE FUNCTION crm.phone_ends_with(crm.phone, text) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 SUPPORT crm.phone_suffix_support AS 'MODULE_PATHNAME', 'crm_phone_ends_with';
CREATE FUNCTION crm.phone_same_base(crm.phone, crm.phone) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE COST 1 SUPPORT crm.phone_base_support AS 'MODULE_PATHNAME', 'crm_phone_same_base';

/* Bounds of the index ranges, when they are known only as the scan starts. */
CREATE FUNCTION crm.phone_prefix_low(text) RETURNS crm.phone
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_prefix_low';
CREATE FUNCTION crm.phone_prefix_high(text) RETURNS crm.phone
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_prefix_high';
CREATE FUNCTION crm.phone_suffix_low(text) RETURNS crm.phone
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_suffix_low';
CREATE FUNCTION crm.phone_suffix_high(text) RETURNS crm.phone
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_suffix_high';
CREATE FUNCTION crm.phone_base_low(crm.phone) RETURNS crm.phone
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_base_low';
CREATE FUNCTION crm.phone_base_high(crm.phone) RETURNS crm.phone
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_base_high';

/* ------------------------------------------------------------------
 * Casts: to text when assigned, from text only when asked for
 * ------------------------------------------------------------------ */

CREATE CAST (crm.phone AS text) WITH INOUT AS ASSIGNMENT;
CREATE CAST (text AS crm.phone) WITH INOUT;

/* ------------------------------------------------------------------
 * Operators
 * ------------------------------------------------------------------ */

CREATE OPERATOR crm.= (
    LEFTARG = crm.phone, RIGHTARG = crm.phone, FUNCTION = crm.phone_eq,
    COMMUTATOR = OPERATOR(crm.=), NEGATOR = OPERATOR(crm.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
COMMENT ON OPERATOR crm.= (crm.phone, crm.phone) IS 'Same digits and same extension.';
CREATE OPERATOR crm.<> (
    LEFTARG = crm.phone, RIGHTARG = crm.phone, FUNCTION = crm.phone_ne,
    COMMUTATOR = OPERATOR(crm.<>), NEGATOR = OPERATOR(crm.=),
    RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR crm.< (
    LEFTARG = crm.phone, RIGHTARG = crm.phone, FUNCTION = crm.phone_lt,
    COMMUTATOR = OPERATOR(crm.>), NEGATOR = OPERATOR(crm.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR crm.<= (
    LEFTARG = crm.phone, RIGHTARG = crm.phone, FUNCTION = crm.phone_le,
    COMMUTATOR = OPERATOR(crm.>=), NEGATOR = OPERATOR(crm.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
CREATE OPERATOR crm.> (
    LEFTARG = crm.phone, RIGHTARG = crm.phone, FUNCTION = crm.phone_gt,
    COMMUTATOR = OPERATOR(crm.<), NEGATOR = OPERATOR(crm.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
CREATE OPERATOR crm.>= (
    LEFTARG = crm.phone, RIGHTARG = crm.phone, FUNCTION = crm.phone_ge,
    COMMUTATOR = OPERATOR(crm.<=), NEGATOR = OPERATOR(crm.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);

CREATE OPERATOR crm.~= (
    LEFTARG = crm.phone, RIGHTARG = crm.phone, FUNCTION = crm.phone_same_base,
    COMMUTATOR = OPERATOR(crm.~=), RESTRICT = eqsel, JOIN = eqjoinsel
);
COMMENT ON OPERATOR crm.~= (crm.phone, crm.phone) IS 'Same digits, whatever the extensions; one range of a btree index.';
CREATE OPERATOR crm.^@ (
    LEFTARG = crm.phone, RIGHTARG = text, FUNCTION = crm.phone_starts_with,
    RESTRICT = matchingsel, JOIN = matchingjoinsel
);
COMMENT ON OPERATOR crm.^@ (crm.phone, text) IS 'Begins with these digits, country code first: phone ^@ ''+7916''; one range of a btree index. Spaces, dashes, dots and brackets in the pattern are ignored; a pattern with anything else matches nothing.';
CREATE OPERATOR crm.%^ (
    LEFTARG = crm.phone, RIGHTARG = text, FUNCTION = crm.phone_ends_with,
    RESTRICT = matchingsel, JOIN = matchingjoinsel
);
COMMENT ON OPERATOR crm.%^ (crm.phone, text) IS 'Ends with these digits, the extension aside: phone %^ ''9161234567''; one range of a btree index of class crm.phone_suffix_ops. Spaces, dashes, dots and brackets in the pattern are ignored; a pattern with anything else matches nothing.';

CREATE OPERATOR crm.%< (
    LEFTARG = crm.phone, RIGHTARG = crm.phone, FUNCTION = crm.phone_suffix_lt,
    COMMUTATOR = OPERATOR(crm.%>), NEGATOR = OPERATOR(crm.%>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR crm.%< (crm.phone, crm.phone) IS 'Less in the order of the digits read backwards.';
CREATE OPERATOR crm.%<= (
    LEFTARG = crm.phone, RIGHTARG = crm.phone, FUNCTION = crm.phone_suffix_le,
    COMMUTATOR = OPERATOR(crm.%>=), NEGATOR = OPERATOR(crm.%>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR crm.%<= (crm.phone, crm.phone) IS 'Less or equal in the order of the digits read backwards.';
CREATE OPERATOR crm.%> (
    LEFTARG = crm.phone, RIGHTARG = crm.phone, FUNCTION = crm.phone_suffix_gt,
    COMMUTATOR = OPERATOR(crm.%<), NEGATOR = OPERATOR(crm.%<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR crm.%> (crm.phone, crm.phone) IS 'Greater in the order of the digits read backwards.';
CREATE OPERATOR crm.%>= (
    LEFTARG = crm.phone, RIGHTARG = crm.phone, FUNCTION = crm.phone_suffix_ge,
    COMMUTATOR = OPERATOR(crm.%<=), NEGATOR = OPERATOR(crm.%<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR crm.%>= (crm.phone, crm.phone) IS 'Greater or equal in the order of the digits read backwards.';

/* ------------------------------------------------------------------
 * Operator classes
 * ------------------------------------------------------------------ */

CREATE OPERATOR CLASS crm.phone_ops DEFAULT FOR TYPE crm.phone USING btree AS
    OPERATOR 1 crm.<,
    OPERATOR 2 crm.<=,
    OPERATOR 3 crm.=,
    OPERATOR 4 crm.>=,
    OPERATOR 5 crm.>,
    FUNCTION 1 crm.phone_cmp(crm.phone, crm.phone),
    FUNCTION 2 crm.phone_sortsupport(internal),
    FUNCTION 4 pg_catalog.btequalimage(oid);

CREATE OPERATOR CLASS crm.phone_ops DEFAULT FOR TYPE crm.phone USING hash AS
    OPERATOR 1 crm.=,
    FUNCTION 1 crm.phone_hash(crm.phone),
    FUNCTION 2 crm.phone_hash_extended(crm.phone, bigint);

CREATE OPERATOR CLASS crm.phone_suffix_ops FOR TYPE crm.phone USING btree AS
    OPERATOR 1 crm.%<,
    OPERATOR 2 crm.%<=,
    OPERATOR 3 crm.=,
    OPERATOR 4 crm.%>=,
    OPERATOR 5 crm.%>,
    FUNCTION 1 crm.phone_suffix_cmp(crm.phone, crm.phone),
    FUNCTION 2 crm.phone_suffix_sortsupport(internal),
    FUNCTION 4 pg_catalog.btequalimage(oid);
COMMENT ON OPERATOR CLASS crm.phone_suffix_ops USING btree IS 'The order of the digits read backwards, for finding a caller by the last digits with %^.';

/* ------------------------------------------------------------------
 * Names of persons.
 *
 * There is no type for a name: a name is text.  What is offered are its
 * parts, its keys, its spelling in other letters, and how to address the
 * person.  Everything here but the aliases is immutable.
 * ------------------------------------------------------------------ */

CREATE TYPE crm.person_name AS (
    title text,
    given text,
    middle text,
    family text,
    suffix text,
    nickname text,
    gender text,
    confidence real,
    name_order text,
    notes text[]
);
COMMENT ON TYPE crm.person_name IS 'The parts of a name as crm.parse_name() finds them, and how sure it is. A part that is not there is null.';
COMMENT ON COLUMN crm.person_name.title IS 'What stands before the name: Mr, Dr., г-жа, проф.';
COMMENT ON COLUMN crm.person_name.given IS 'The given name, or its initial.';
COMMENT ON COLUMN crm.person_name.middle IS 'The patronymic, or further given names.';
COMMENT ON COLUMN crm.person_name.family IS 'The surname with its particles (van der Berg).';
COMMENT ON COLUMN crm.person_name.suffix IS 'What follows the name: Jr., PhD, мл., к.т.н.';
COMMENT ON COLUMN crm.person_name.nickname IS 'What stood in brackets or quotes: a nickname, a former surname.';
COMMENT ON COLUMN crm.person_name.gender IS 'm or f; null unless it is certain.';
COMMENT ON COLUMN crm.person_name.confidence IS 'How well the text supports this reading, from 0 to 1: 1 order declared, 0.95 comma or patronymic, 0.9 initials or capitals, 0.85 a known given name, 0.6 the ending of a surname or the usual order of the language, 0.5 evidence against, 0.3 no evidence, 0 no name found.';
COMMENT ON COLUMN crm.person_name.name_order IS 'given_first or family_first: the order used; null for a single word.';
COMMENT ON COLUMN crm.person_name.notes IS 'Stable tokens: LOOKALIKE_FOLDED, MIXED_SCRIPT, ORDER_ASSUMED, ORDER_CONTRADICTED, GENDER_CONFLICT, ONE_WORD, SURNAME_OR_PATRONYMIC, ALL_CAPITALS, DIGITS, NOT_A_NAME.';

/* Parts ------------------------------------------------------------ */

CREATE FUNCTION crm.parse_name(name text, name_order text DEFAULT 'auto', locale text DEFAULT NULL) RETURNS crm.person_name
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10 AS 'MODULE_PATHNAME', 'crm_name_sql_parse';
COMMENT ON FUNCTION crm.parse_name(text, text, text) IS 'The parts of a person''s name. name_order is auto, given_first or family_first: declare it when the source has one order. locale (ru, en_US ...; null: by the script) tells what is usual where the text has no evidence. Never guesses silently: see the columns confidence and notes. Raises 22023 for an unknown order or a malformed locale.';

CREATE FUNCTION crm.check_name(name text) RETURNS crm.check_result
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'crm_name_sql_check';
COMMENT ON FUNCTION crm.check_name(text) IS 'What is unusual about a text that should be a name: look-alike letters, digits, invisible characters, capitals only, placeholders. Only what cannot be a name at all is refused.';

CREATE FUNCTION crm.name_gender(given text, middle text DEFAULT NULL, family text DEFAULT NULL) RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'crm_name_sql_gender';
COMMENT ON FUNCTION crm.name_gender(text, text, text) IS 'm or f by patronymic, given name and surname together; null when they are silent or disagree, for a wrong answer is worse than none.';

CREATE FUNCTION crm.name_case(name text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_name_sql_case';
COMMENT ON FUNCTION crm.name_case(text) IS 'The name with capitals at the beginning of its words and small letters elsewhere: ПЕТРОВ-ВОДКИН becomes Петров-Водкин. For names that are in capitals only; it cannot know of McDonald.';

CREATE FUNCTION crm.fold_lookalikes(value text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_name_sql_fold_lookalikes';
COMMENT ON FUNCTION crm.fold_lookalikes(text) IS 'The text with each word that mixes Latin and Cyrillic letters put into one script, where the letters in minority all look like letters of the other. Words where they do not stay as they are.';

/* Keys ------------------------------------------------------------- */

CREATE FUNCTION crm.name_key(name text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_name_sql_key';
COMMENT ON FUNCTION crm.name_key(text) IS 'A key under which the spellings of one name meet across scripts and romanisations: Щукин, Shchukin, Schukin and Ščukin. Keeps the order of words. Null when the text has no letter or digit. Changes only with crm.name_key_version().';

CREATE FUNCTION crm.name_keys(name text) RETURNS text[]
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'crm_name_sql_keys';
COMMENT ON FUNCTION crm.name_keys(text) IS 'Up to four keys: crm.name_key() first, then those of other readings of ambiguous letters (j as in Jukov or John, French ou and tch, German sch, Ukrainian g). Two spellings belong together when their arrays overlap (&&); a GIN index on the expression serves that.';

CREATE FUNCTION crm.name_full_key(name text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 3 AS 'MODULE_PATHNAME', 'crm_name_sql_full_key';
COMMENT ON FUNCTION crm.name_full_key(text) IS 'crm.name_key() with its words sorted: Иванов Иван and Ivan Ivanov have the same.';

CREATE FUNCTION crm.name_household_key(family text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_name_sql_household_key';
COMMENT ON FUNCTION crm.name_household_key(text) IS 'The key of a surname without the feminine ending: Иванова and Иванов, Толстая and Tolstoy have the same. For finding households, not persons.';

CREATE FUNCTION crm.name_key_version() RETURNS integer
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_name_sql_key_version';
COMMENT ON FUNCTION crm.name_key_version() IS 'The version of the tables behind the keys of names. When it grows, indexes on these keys and stored keys must be rebuilt.';

/* Other letters ---------------------------------------------------- */

CREATE FUNCTION crm.translit(value text, scheme text DEFAULT 'icao') RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'crm_translit_sql';
COMMENT ON FUNCTION crm.translit(text, text) IS 'Cyrillic text in Latin letters, by one of crm.translit_schemes(): icao (passports), gost_779, gost_779b, bgn_pcgn, mvd_310 ... Other text stays as it is. Raises 22023 for an unknown scheme.';

CREATE FUNCTION crm.translit_schemes(OUT scheme text, OUT aliases text[], OUT description text) RETURNS SETOF record
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 5 ROWS 29 AS 'MODULE_PATHNAME', 'crm_translit_sql_schemes';
COMMENT ON FUNCTION crm.translit_schemes() IS 'The schemes of crm.translit(), with their other names.';

/* Addressing ------------------------------------------------------- */

CREATE FUNCTION crm.salutation(given text, middle text DEFAULT NULL, family text DEFAULT NULL, gender text DEFAULT NULL, style text DEFAULT 'formal', locale text DEFAULT 'ru', title text DEFAULT NULL) RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'crm_name_sql_salutation';
COMMENT ON FUNCTION crm.salutation(text, text, text, text, text, text, text) IS 'How to address the person, without a mark at the end: Уважаемый Дмитрий Петрович; Dear Mr Vasiliev. style is formal, neutral or informal; locale ru, en, de, fr or es. A null gender is taken from the name; one that stays unknown gives a form that fits all. Missing parts fall back to the next good form, never to a gap. Raises 22023 for an unknown style or language.';

CREATE FUNCTION crm.salutation(name crm.person_name, style text DEFAULT 'formal', locale text DEFAULT 'ru') RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 5
SET search_path = pg_catalog, pg_temp
AS $$
SELECT CASE
    WHEN 'ALL_CAPITALS' = ANY ((name).notes) THEN
        crm.salutation(crm.name_case((name).given), crm.name_case((name).middle), crm.name_case((name).family),
            COALESCE((name).gender, ''), style, locale, (name).title)
    ELSE crm.salutation((name).given, (name).middle, (name).family,
            COALESCE((name).gender, ''), style, locale, (name).title)
END
$$;
COMMENT ON FUNCTION crm.salutation(crm.person_name, text, text) IS 'How to address the person whose name crm.parse_name() has read.';

CREATE FUNCTION crm.format_name(given text, middle text, family text, form text DEFAULT 'full') RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 5 AS 'MODULE_PATHNAME', 'crm_name_sql_format';
COMMENT ON FUNCTION crm.format_name(text, text, text, text) IS 'The name in a form for lists: full, short (Д. П. Васильев), sorting (Васильев, Дмитрий Петрович), sorting_short, official (Васильев Дмитрий Петрович), official_short, informal (Дмитрий В.) or monogram. Null when there is no part. Raises 22023 for an unknown form.';

/* Aliases ---------------------------------------------------------- */

CREATE FUNCTION crm.name_full_names(name text) RETURNS text[]
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF to_regclass('crm.name_alias') IS NULL THEN
        RAISE EXCEPTION 'table crm.name_alias does not exist'
            USING ERRCODE = 'undefined_table',
                  HINT = 'SELECT crm.install() makes the tables.';
    END IF;
    RETURN (
        -- A row that is written like the name outweighs those with its key.
        WITH found AS (
            SELECT a.name, crm.name_case(crm.translit(a.alias)) = crm.name_case(crm.translit(btrim($1))) AS exact
            FROM crm.name_alias AS a
            WHERE crm.name_key(a.alias) = ANY (crm.name_keys($1))
        )
        SELECT COALESCE(array_agg(DISTINCT found.name COLLATE "C"), ARRAY[]::text[])
        FROM found
        WHERE found.exact OR NOT EXISTS (SELECT FROM found AS other WHERE other.exact)
    );
END
$$;
COMMENT ON FUNCTION crm.name_full_names(text) IS 'The full names that this name may stand for, by table crm.name_alias: for Саша or Sasha both Александр and Александра. Two given names may be of one person when these arrays overlap (&&). Empty when the table does not have the name. Raises 42P01 when the table is missing.';

CREATE FUNCTION crm.name_aliases(name text) RETURNS text[]
LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE COST 100
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    full_names text[] := crm.name_full_names($1);
BEGIN
    RETURN (
        SELECT COALESCE(array_agg(DISTINCT a.alias COLLATE "C"), ARRAY[]::text[])
        FROM crm.name_alias AS a
        WHERE a.name = ANY (full_names)
    );
END
$$;
COMMENT ON FUNCTION crm.name_aliases(text) IS 'All names that table crm.name_alias calls the same as this one, in any spelling, this one included: for Саша also Александр, Александра, Alexander, Sandra. Empty when the table does not have the name. Raises 42P01 when the table is missing.';

/* ------------------------------------------------------------------
 * Tax and registry identifiers: inn, kpp, ogrn, snils, vat, lei.
 *
 * Their packed forms (src/type/tax_id.h) have the representation of int8 or
 * uuid and the order of either: hence LIKE, and the server's own functions in
 * the operator classes at the end.
 * ------------------------------------------------------------------ */

CREATE TYPE crm.inn;
CREATE TYPE crm.kpp;
CREATE TYPE crm.ogrn;
CREATE TYPE crm.snils;
CREATE TYPE crm.vat;
CREATE TYPE crm.lei;

CREATE FUNCTION crm.inn_in(cstring) RETURNS crm.inn
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_inn_in';
CREATE FUNCTION crm.inn_out(crm.inn) RETURNS cstring
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_inn_out';
CREATE FUNCTION crm.inn_recv(internal) RETURNS crm.inn
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_inn_recv';
CREATE FUNCTION crm.inn_send(crm.inn) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_inn_send';
CREATE TYPE crm.inn (
    INPUT = crm.inn_in,
    OUTPUT = crm.inn_out,
    RECEIVE = crm.inn_recv,
    SEND = crm.inn_send,
    LIKE = pg_catalog.int8
);
COMMENT ON TYPE crm.inn IS 'Taxpayer number of Russia (INN): 10 digits of an organisation or 12 of a person, with check digits. Leading zeros count. Raises 22P02 with the tokens INN_... of doc/tax_id.md.';

CREATE FUNCTION crm.kpp_in(cstring) RETURNS crm.kpp
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_kpp_in';
CREATE FUNCTION crm.kpp_out(crm.kpp) RETURNS cstring
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_kpp_out';
CREATE FUNCTION crm.kpp_recv(internal) RETURNS crm.kpp
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_kpp_recv';
CREATE FUNCTION crm.kpp_send(crm.kpp) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_kpp_send';
CREATE TYPE crm.kpp (
    INPUT = crm.kpp_in,
    OUTPUT = crm.kpp_out,
    RECEIVE = crm.kpp_recv,
    SEND = crm.kpp_send,
    LIKE = pg_catalog.int8
);
COMMENT ON TYPE crm.kpp IS 'Reason code of a registration with a Russian tax office (KPP): 4 digits of the office, 2 digits or capital letters of the reason, 3 digits. There is no check digit. Raises 22P02 with the tokens KPP_....';

CREATE FUNCTION crm.ogrn_in(cstring) RETURNS crm.ogrn
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_ogrn_in';
CREATE FUNCTION crm.ogrn_out(crm.ogrn) RETURNS cstring
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_ogrn_out';
CREATE FUNCTION crm.ogrn_recv(internal) RETURNS crm.ogrn
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_ogrn_recv';
CREATE FUNCTION crm.ogrn_send(crm.ogrn) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_ogrn_send';
CREATE TYPE crm.ogrn (
    INPUT = crm.ogrn_in,
    OUTPUT = crm.ogrn_out,
    RECEIVE = crm.ogrn_recv,
    SEND = crm.ogrn_send,
    LIKE = pg_catalog.int8
);
COMMENT ON TYPE crm.ogrn IS 'Number of a record in the Russian state registers: 13 digits of an organisation (OGRN) or 15 of an entrepreneur (OGRNIP), with a check digit. Raises 22P02 with the tokens OGRN_....';

CREATE FUNCTION crm.snils_in(cstring) RETURNS crm.snils
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_snils_in';
CREATE FUNCTION crm.snils_out(crm.snils) RETURNS cstring
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_snils_out';
CREATE FUNCTION crm.snils_recv(internal) RETURNS crm.snils
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_snils_recv';
CREATE FUNCTION crm.snils_send(crm.snils) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_snils_send';
CREATE TYPE crm.snils (
    INPUT = crm.snils_in,
    OUTPUT = crm.snils_out,
    RECEIVE = crm.snils_recv,
    SEND = crm.snils_send,
    LIKE = pg_catalog.int8
);
COMMENT ON TYPE crm.snils IS 'Number of a personal account of the Russian social fund (SNILS): 11 digits, the last two a control number from 001-001-999 on. Personal data. Raises 22P02 with the tokens SNILS_....';

CREATE FUNCTION crm.vat_in(cstring) RETURNS crm.vat
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_vat_in';
CREATE FUNCTION crm.vat_out(crm.vat) RETURNS cstring
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_vat_out';
CREATE FUNCTION crm.vat_recv(internal) RETURNS crm.vat
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_vat_recv';
CREATE FUNCTION crm.vat_send(crm.vat) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_vat_send';
CREATE TYPE crm.vat (
    INPUT = crm.vat_in,
    OUTPUT = crm.vat_out,
    RECEIVE = crm.vat_recv,
    SEND = crm.vat_send,
    LIKE = pg_catalog.uuid
);
COMMENT ON TYPE crm.vat IS 'VAT identification number of a member of the European Union, of Northern Ireland (XI) or of Great Britain (GB), with its prefix; EL is Greece. Form and check digits are those of the prefix. Says nothing of registration, which only VIES knows. Raises 22P02 with the tokens VAT_....';

CREATE FUNCTION crm.lei_in(cstring) RETURNS crm.lei
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_lei_in';
CREATE FUNCTION crm.lei_out(crm.lei) RETURNS cstring
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_lei_out';
CREATE FUNCTION crm.lei_recv(internal) RETURNS crm.lei
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_lei_recv';
CREATE FUNCTION crm.lei_send(crm.lei) RETURNS bytea
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_lei_send';
CREATE TYPE crm.lei (
    INPUT = crm.lei_in,
    OUTPUT = crm.lei_out,
    RECEIVE = crm.lei_recv,
    SEND = crm.lei_send,
    LIKE = pg_catalog.uuid
);
COMMENT ON TYPE crm.lei IS 'Legal entity identifier of ISO 17442: 18 letters or digits and 2 check digits (ISO 7064 MOD 97,10). Raises 22P02 with the tokens LEI_....';

/* ------------------------------------------------------------------
 * Reading without an error
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.try_inn(value text) RETURNS crm.inn
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_inn_try';
COMMENT ON FUNCTION crm.try_inn(text) IS 'The text as an INN, or null when crm.inn refuses it.';
CREATE FUNCTION crm.check_inn(value text) RETURNS crm.check_result
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_inn_check';
COMMENT ON FUNCTION crm.check_inn(text) IS 'Whether and how crm.inn reads the text, and what is wrong with it; never raises.';

CREATE FUNCTION crm.try_kpp(value text) RETURNS crm.kpp
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_kpp_try';
COMMENT ON FUNCTION crm.try_kpp(text) IS 'The text as a KPP, or null when crm.kpp refuses it.';
CREATE FUNCTION crm.check_kpp(value text) RETURNS crm.check_result
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_kpp_check';
COMMENT ON FUNCTION crm.check_kpp(text) IS 'Whether and how crm.kpp reads the text, and what is wrong with it; never raises.';

CREATE FUNCTION crm.try_ogrn(value text) RETURNS crm.ogrn
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_ogrn_try';
COMMENT ON FUNCTION crm.try_ogrn(text) IS 'The text as an OGRN, or null when crm.ogrn refuses it.';
CREATE FUNCTION crm.check_ogrn(value text) RETURNS crm.check_result
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_ogrn_check';
COMMENT ON FUNCTION crm.check_ogrn(text) IS 'Whether and how crm.ogrn reads the text, and what is wrong with it; never raises.';

CREATE FUNCTION crm.try_snils(value text) RETURNS crm.snils
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_snils_try';
COMMENT ON FUNCTION crm.try_snils(text) IS 'The text as a SNILS, or null when crm.snils refuses it.';
CREATE FUNCTION crm.check_snils(value text) RETURNS crm.check_result
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_snils_check';
COMMENT ON FUNCTION crm.check_snils(text) IS 'Whether and how crm.snils reads the text, and what is wrong with it; never raises.';

CREATE FUNCTION crm.try_vat(value text) RETURNS crm.vat
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_vat_try';
COMMENT ON FUNCTION crm.try_vat(text) IS 'The text as a VAT number, or null when crm.vat refuses it.';
CREATE FUNCTION crm.check_vat(value text) RETURNS crm.check_result
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_vat_check';
COMMENT ON FUNCTION crm.check_vat(text) IS 'Whether and how crm.vat reads the text, and what is wrong with it; never raises.';

CREATE FUNCTION crm.try_lei(value text) RETURNS crm.lei
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_lei_try';
COMMENT ON FUNCTION crm.try_lei(text) IS 'The text as an LEI, or null when crm.lei refuses it.';
CREATE FUNCTION crm.check_lei(value text) RETURNS crm.check_result
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_lei_check';
COMMENT ON FUNCTION crm.check_lei(text) IS 'Whether and how crm.lei reads the text, and what is wrong with it; never raises.';

CREATE FUNCTION crm.vat(number text, country text) RETURNS crm.vat
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_vat_from_national';
COMMENT ON FUNCTION crm.vat(text, text) IS 'A VAT number that may lack its prefix, of a country given by ISO 3166 code or VAT prefix (GR and EL are the same). Raises 22P02.';
CREATE FUNCTION crm.try_vat(number text, country text) RETURNS crm.vat
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_vat_try_national';
COMMENT ON FUNCTION crm.try_vat(text, text) IS 'As crm.vat(number, country), or null when it is refused.';
CREATE FUNCTION crm.check_vat(number text, country text) RETURNS crm.check_result
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_vat_check_national';
COMMENT ON FUNCTION crm.check_vat(text, text) IS 'Whether and how crm.vat(number, country) reads the text; never raises.';

CREATE FUNCTION crm.tax_id_kind(value text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_tax_id_kind_name';
COMMENT ON FUNCTION crm.tax_id_kind(text) IS 'inn, kpp, ogrn, snils, vat or lei: the one type that accepts the text; null when none does. No text is accepted by two, as they differ in length or in their first characters.';
CREATE FUNCTION crm.tax_id(value text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_tax_id_canonical';
COMMENT ON FUNCTION crm.tax_id(text) IS 'The canonical form of the text in the one type that accepts it (crm.tax_id_kind); null when none does.';
CREATE FUNCTION crm.check_tax_id(value text) RETURNS crm.check_result
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_tax_id_check_any';
COMMENT ON FUNCTION crm.check_tax_id(text) IS 'As crm.check_inn() and its like, for a text of unknown kind. A refused text is explained as the kind that its label, first letters or length suggest; the code tells which.';

CREATE FUNCTION crm.split_inn_kpp(value text, OUT inn crm.inn, OUT kpp crm.kpp, OUT code text, OUT message text)
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_tax_id_split_pair';
COMMENT ON FUNCTION crm.split_inn_kpp(text) IS 'The INN and, if there is one, the KPP of a text such as 7707083893/773601001. When either is refused both are null, and code and message say why.';

/* ------------------------------------------------------------------
 * Numbers that lost their leading zeros
 *
 * Functions, not casts: that 9 digits are an INN is a conjecture, although one
 * that the check digit supports.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.inn(number bigint) RETURNS crm.inn
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_inn_from_bigint';
COMMENT ON FUNCTION crm.inn(bigint) IS 'An INN that was stored as a number: zeros are put before it up to 10 digits, or up to 12 when it has 11. Raises 22P02.';
CREATE FUNCTION crm.ogrn(number bigint) RETURNS crm.ogrn
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_ogrn_from_bigint';
COMMENT ON FUNCTION crm.ogrn(bigint) IS 'An OGRN that was stored as a number: it has 13 or 15 digits. Raises 22P02.';
CREATE FUNCTION crm.snils(number bigint) RETURNS crm.snils
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_snils_from_bigint';
COMMENT ON FUNCTION crm.snils(bigint) IS 'A SNILS that was stored as a number: zeros are put before it up to 11 digits. Raises 22P02.';

/* ------------------------------------------------------------------
 * Parts and properties
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.format(crm.inn) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_inn_format';
COMMENT ON FUNCTION crm.format(crm.inn) IS 'The number as people write it: as it is stored.';
CREATE FUNCTION crm.format(crm.kpp) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_kpp_format';
COMMENT ON FUNCTION crm.format(crm.kpp) IS 'The number as people write it: as it is stored.';
CREATE FUNCTION crm.format(crm.ogrn) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_ogrn_format';
COMMENT ON FUNCTION crm.format(crm.ogrn) IS 'The number as people write it: as it is stored.';
CREATE FUNCTION crm.format(crm.snils) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_snils_format';
COMMENT ON FUNCTION crm.format(crm.snils) IS 'The number as people write it: 112-233-445 95.';
CREATE FUNCTION crm.format(crm.vat) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_vat_format';
COMMENT ON FUNCTION crm.format(crm.vat) IS 'The number as people write it: as it is stored.';
CREATE FUNCTION crm.format(crm.lei) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_lei_format';
COMMENT ON FUNCTION crm.format(crm.lei) IS 'The number as people write it: five groups of four.';
CREATE FUNCTION crm.is_person(crm.inn) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_inn_is_person';
COMMENT ON FUNCTION crm.is_person(crm.inn) IS 'Whether it is the number of a person: 12 digits. Entrepreneurs use their own.';
CREATE FUNCTION crm.is_company(crm.inn) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_inn_is_company';
COMMENT ON FUNCTION crm.is_company(crm.inn) IS 'Whether it is the number of an organisation: 10 digits.';
CREATE FUNCTION crm.is_foreign(crm.inn) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_inn_is_foreign';
COMMENT ON FUNCTION crm.is_foreign(crm.inn) IS 'Whether it was given to an organisation of another state: 10 digits that begin with 9909.';
CREATE FUNCTION crm.region_code(crm.inn) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_inn_region_code';
COMMENT ON FUNCTION crm.region_code(crm.inn) IS 'The first two digits: the region of the tax office that gave the number, for example 77.';
CREATE FUNCTION crm.tax_office(crm.inn) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_inn_tax_office';
COMMENT ON FUNCTION crm.tax_office(crm.inn) IS 'The first four digits: the tax office that gave the number.';
CREATE FUNCTION crm.region_code(crm.kpp) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_kpp_region_code';
COMMENT ON FUNCTION crm.region_code(crm.kpp) IS 'The first two digits: the region of the tax office.';
CREATE FUNCTION crm.tax_office(crm.kpp) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_kpp_tax_office';
COMMENT ON FUNCTION crm.tax_office(crm.kpp) IS 'The first four digits: the tax office where the organisation is registered.';
CREATE FUNCTION crm.reason_code(crm.kpp) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_kpp_reason_code';
COMMENT ON FUNCTION crm.reason_code(crm.kpp) IS 'Places 5 and 6: why it is registered there; 01 to 50 organisations of Russia, 51 to 99 of other states.';
CREATE FUNCTION crm.is_person(crm.ogrn) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_ogrn_is_person';
COMMENT ON FUNCTION crm.is_person(crm.ogrn) IS 'Whether it is the number of an entrepreneur: 15 digits.';
CREATE FUNCTION crm.is_company(crm.ogrn) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_ogrn_is_company';
COMMENT ON FUNCTION crm.is_company(crm.ogrn) IS 'Whether it is the number of an organisation: 13 digits.';
CREATE FUNCTION crm.region_code(crm.ogrn) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_ogrn_region_code';
COMMENT ON FUNCTION crm.region_code(crm.ogrn) IS 'Places 4 and 5: the region where the record was made.';
CREATE FUNCTION crm.record_year(crm.ogrn) RETURNS integer
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_ogrn_record_year';
COMMENT ON FUNCTION crm.record_year(crm.ogrn) IS 'Places 2 and 3 as a year of this century: when the record was made.';
CREATE FUNCTION crm.country(crm.vat) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_vat_iso_country';
COMMENT ON FUNCTION crm.country(crm.vat) IS 'The country by ISO 3166-1: GR for EL, GB for XI.';
CREATE FUNCTION crm.prefix(crm.vat) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_vat_prefix';
COMMENT ON FUNCTION crm.prefix(crm.vat) IS 'The first two letters: EL for Greece, XI for Northern Ireland.';
CREATE FUNCTION crm.national_number(crm.vat) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_vat_national_number';
COMMENT ON FUNCTION crm.national_number(crm.vat) IS 'What follows the prefix.';
CREATE FUNCTION crm.is_eu(crm.vat) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_vat_is_in_eu';
COMMENT ON FUNCTION crm.is_eu(crm.vat) IS 'Whether the prefix is valid in the VAT system of the European Union: all members and XI, not GB.';
CREATE FUNCTION crm.issuer(crm.lei) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_lei_issuer';
COMMENT ON FUNCTION crm.issuer(crm.lei) IS 'The first four characters: the local operating unit that gave the number.';

/* ------------------------------------------------------------------
 * Private support, casts, operators, operator classes
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.inn_hash(crm.inn) RETURNS integer
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_tax_id_hash';
CREATE FUNCTION crm.inn_hash_extended(crm.inn, bigint) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_tax_id_hash_extended';
CREATE FUNCTION crm.kpp_hash(crm.kpp) RETURNS integer
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_tax_id_hash';
CREATE FUNCTION crm.kpp_hash_extended(crm.kpp, bigint) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_tax_id_hash_extended';
CREATE FUNCTION crm.ogrn_hash(crm.ogrn) RETURNS integer
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_tax_id_hash';
CREATE FUNCTION crm.ogrn_hash_extended(crm.ogrn, bigint) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_tax_id_hash_extended';
CREATE FUNCTION crm.snils_hash(crm.snils) RETURNS integer
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_tax_id_hash';
CREATE FUNCTION crm.snils_hash_extended(crm.snils, bigint) RETURNS bigint
LANGUAGE c IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_tax_id_hash_extended';
CREATE FUNCTION crm.vat_hash(crm.vat) RETURNS integer
LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'uuid_hash';
CREATE FUNCTION crm.vat_hash_extended(crm.vat, bigint) RETURNS bigint
LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'uuid_hash_extended';
CREATE FUNCTION crm.lei_hash(crm.lei) RETURNS integer
LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'uuid_hash';
CREATE FUNCTION crm.lei_hash_extended(crm.lei, bigint) RETURNS bigint
LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS 'uuid_hash_extended';

-- The rest is the same six times over, but for the functions of the server.
DO $do$
DECLARE
    kind record;
BEGIN
    FOR kind IN
        SELECT * FROM (VALUES
            ('inn', 'int8', 'btint8cmp', 'btint8sortsupport'),
            ('kpp', 'int8', 'btint8cmp', 'btint8sortsupport'),
            ('ogrn', 'int8', 'btint8cmp', 'btint8sortsupport'),
            ('snils', 'int8', 'btint8cmp', 'btint8sortsupport'),
            ('vat', 'uuid_', 'uuid_cmp', 'uuid_sortsupport'),
            ('lei', 'uuid_', 'uuid_cmp', 'uuid_sortsupport')
        ) AS kinds (type_name, compare, cmp, sortsupport)
    LOOP
        EXECUTE replace(replace(replace(replace($template$
CREATE FUNCTION crm.@type@(value text) RETURNS crm.@type@
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_@type@_from_text';
COMMENT ON FUNCTION crm.@type@(text) IS 'The explicit cast from text to crm.@type@. Raises 22P02.';
CREATE FUNCTION crm.text(crm.@type@) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'crm_@type@_to_text';
COMMENT ON FUNCTION crm.text(crm.@type@) IS 'The canonical text: the cast from crm.@type@ to text, on assignment.';
CREATE CAST (text AS crm.@type@) WITH FUNCTION crm.@type@(text);
CREATE CAST (crm.@type@ AS text) WITH FUNCTION crm.text(crm.@type@) AS ASSIGNMENT;

CREATE FUNCTION crm.@type@_eq(crm.@type@, crm.@type@) RETURNS boolean
LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS '@compare@eq';
CREATE FUNCTION crm.@type@_ne(crm.@type@, crm.@type@) RETURNS boolean
LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS '@compare@ne';
CREATE FUNCTION crm.@type@_lt(crm.@type@, crm.@type@) RETURNS boolean
LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS '@compare@lt';
CREATE FUNCTION crm.@type@_le(crm.@type@, crm.@type@) RETURNS boolean
LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS '@compare@le';
CREATE FUNCTION crm.@type@_gt(crm.@type@, crm.@type@) RETURNS boolean
LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS '@compare@gt';
CREATE FUNCTION crm.@type@_ge(crm.@type@, crm.@type@) RETURNS boolean
LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS '@compare@ge';
CREATE FUNCTION crm.@type@_cmp(crm.@type@, crm.@type@) RETURNS integer
LANGUAGE internal IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE AS '@cmp@';
CREATE FUNCTION crm.@type@_sortsupport(internal) RETURNS void
LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS '@sortsupport@';

CREATE OPERATOR crm.= (
    LEFTARG = crm.@type@, RIGHTARG = crm.@type@, FUNCTION = crm.@type@_eq,
    COMMUTATOR = OPERATOR(crm.=), NEGATOR = OPERATOR(crm.<>),
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
CREATE OPERATOR crm.<> (
    LEFTARG = crm.@type@, RIGHTARG = crm.@type@, FUNCTION = crm.@type@_ne,
    COMMUTATOR = OPERATOR(crm.<>), NEGATOR = OPERATOR(crm.=),
    RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR crm.< (
    LEFTARG = crm.@type@, RIGHTARG = crm.@type@, FUNCTION = crm.@type@_lt,
    COMMUTATOR = OPERATOR(crm.>), NEGATOR = OPERATOR(crm.>=),
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
CREATE OPERATOR crm.<= (
    LEFTARG = crm.@type@, RIGHTARG = crm.@type@, FUNCTION = crm.@type@_le,
    COMMUTATOR = OPERATOR(crm.>=), NEGATOR = OPERATOR(crm.>),
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
CREATE OPERATOR crm.> (
    LEFTARG = crm.@type@, RIGHTARG = crm.@type@, FUNCTION = crm.@type@_gt,
    COMMUTATOR = OPERATOR(crm.<), NEGATOR = OPERATOR(crm.<=),
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
CREATE OPERATOR crm.>= (
    LEFTARG = crm.@type@, RIGHTARG = crm.@type@, FUNCTION = crm.@type@_ge,
    COMMUTATOR = OPERATOR(crm.<=), NEGATOR = OPERATOR(crm.<),
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);

CREATE OPERATOR CLASS crm.@type@_ops DEFAULT FOR TYPE crm.@type@ USING btree AS
    OPERATOR 1 crm.<, OPERATOR 2 crm.<=, OPERATOR 3 crm.=, OPERATOR 4 crm.>=, OPERATOR 5 crm.>,
    FUNCTION 1 crm.@type@_cmp(crm.@type@, crm.@type@),
    FUNCTION 2 crm.@type@_sortsupport(internal),
    FUNCTION 4 pg_catalog.btequalimage(oid);
CREATE OPERATOR CLASS crm.@type@_ops DEFAULT FOR TYPE crm.@type@ USING hash AS
    OPERATOR 1 crm.=,
    FUNCTION 1 crm.@type@_hash(crm.@type@),
    FUNCTION 2 crm.@type@_hash_extended(crm.@type@, bigint);
$template$,
            '@type@', kind.type_name),
            '@compare@', kind.compare),
            '@cmp@', kind.cmp),
            '@sortsupport@', kind.sortsupport);
    END LOOP;
END
$do$;

/* ------------------------------------------------------------------
 * Dates as files write them.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.try_date(text, date_order text DEFAULT 'dmy') RETURNS date
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_date_try';
COMMENT ON FUNCTION crm.try_date(text, text) IS 'Reads a date as people and programs write it: 2026-12-31, 20261231, 31.12.2026, 31/12/2026 (date_order dmy) or 12/31/2026 (mdy), 31 декабря 2026, Dec 31, 2026; null when it is none. Unlike the server''s own input it does not depend on DateStyle. Errors: 22023 unknown date_order.';

CREATE FUNCTION crm.check_date(text, date_order text DEFAULT 'dmy') RETURNS crm.check_result
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_date_check';
COMMENT ON FUNCTION crm.check_date(text, text) IS 'The verdict on a date; value is the ISO form. Tokens: DATE_EMPTY, DATE_SYNTAX, DATE_MONTH, DATE_DAY, DATE_TWO_DIGIT_YEAR, DATE_TIME_DROPPED. Errors: 22023 unknown date_order.';

/* ------------------------------------------------------------------
 * Amounts as people and spreadsheets write them.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.try_number(text) RETURNS numeric
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_number_try';
COMMENT ON FUNCTION crm.try_number(text) IS 'Reads a number as people and spreadsheets write it: 1234.56, 1 234,56, 1.234,56, $1,234, (500), 12%; null when it is none. A comma before exactly three digits groups thousands.';

CREATE FUNCTION crm.check_number(text) RETURNS crm.check_result
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2 AS 'MODULE_PATHNAME', 'crm_number_check';
COMMENT ON FUNCTION crm.check_number(text) IS 'The verdict on a number; value is its plain form. Tokens: NUMBER_EMPTY, NUMBER_SYNTAX, NUMBER_TOO_LONG, NUMBER_AMBIGUOUS (1,234 or 1.234), NUMBER_PERCENT, NUMBER_PLAIN.';

/* ------------------------------------------------------------------
 * Comma-separated values.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.csv_rows(content text, delimiter text DEFAULT NULL, OUT line bigint, OUT fields text[])
RETURNS SETOF record
LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100 ROWS 1000 AS 'MODULE_PATHNAME', 'crm_csv_rows';
COMMENT ON FUNCTION crm.csv_rows(text, text) IS 'The rows of a CSV text (RFC 4180), with the number of the line where each begins; an empty field is null, an empty line is no row, a byte order mark is skipped. Without a delimiter the likeliest of comma, semicolon, tab and | is taken. Errors: 22P04 a quoted field does not end; 54000 more than 1600 columns or a field longer than 1 MB.';

/* ------------------------------------------------------------------
 * History: triggers that write what changed, in the statement that changes it.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.audit() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'crm_audit';
COMMENT ON FUNCTION crm.audit() IS 'Trigger: writes crm.audit_log. Attached AFTER INSERT FOR EACH STATEMENT (REFERENCING NEW TABLE) and AFTER UPDATE OR DELETE FOR EACH ROW, it records each changed column with its old and new value, the actor (setting crm.actor or the session''s role), the role and the transaction. Writes with the rights of the table''s owner.';

/* ------------------------------------------------------------------
 * Life cycle: crm.install(), crm.status(), crm.upgrade(), crm.uninstall().
 *
 * The extension owns code; these functions make, mend, migrate and remove the
 * tables, which are ordinary objects of the role that calls them.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.schema_statements(source text,
    OUT "position" integer, OUT statement text, OUT kind text, OUT name text, OUT relation text,
    OUT columns text[], OUT definitions text[], OUT comments text[])
RETURNS SETOF record
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 100 AS 'MODULE_PATHNAME', 'crm_schema_statements';
COMMENT ON FUNCTION crm.schema_statements(text) IS 'Splits SQL text into its statements with the server''s parser and says what each makes: kind (table, index, view, trigger, sequence, function, policy, seed, alter, comment, other), its name and table, and for a table or view its columns with their definitions and the "-- comment" behind each. Errors: 42601 when the text is not SQL.';

CREATE FUNCTION crm.in_extension_script() RETURNS boolean
LANGUAGE c STABLE PARALLEL RESTRICTED COST 1 AS 'MODULE_PATHNAME', 'crm_in_extension_script';
COMMENT ON FUNCTION crm.in_extension_script() IS 'Whether an extension script is running in this session; tables made then would become members of that extension.';

CREATE FUNCTION crm.guard_drop() RETURNS event_trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'crm_guard_drop';
COMMENT ON FUNCTION crm.guard_drop() IS 'Refuses DROP EXTENSION crm (2BP01) while the tables are installed, with the hint to call crm.uninstall(); with CASCADE it lets it pass.';

CREATE EVENT TRIGGER crm_guard_drop ON ddl_command_start
    WHEN TAG IN ('DROP EXTENSION') EXECUTE FUNCTION crm.guard_drop();
COMMENT ON EVENT TRIGGER crm_guard_drop IS 'Gives DROP EXTENSION crm a helpful refusal while the tables are installed.';

CREATE FUNCTION crm.object_exists(kind text, relation text, name text) RETURNS boolean
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

CREATE FUNCTION crm.installed_version() RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regclass('crm.installation') IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT version FROM crm.installation);
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'permission denied for the tables of crm' USING ERRCODE = 'insufficient_privilege',
        HINT = 'The owner of the tables grants rights: crm.install(roles => true) makes roles that have them.';
END
$$;
COMMENT ON FUNCTION crm.installed_version() IS 'The version of the tables in this database; null when crm.install() has not run.';

CREATE FUNCTION crm.require_installed() RETURNS void
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

/*
 * Refuses to work where the result would not belong to the caller, or where
 * somebody else could change it.
 */
CREATE FUNCTION crm.require_own_schema() RETURNS void
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

/* Whether a view is still the one that a statement makes: both are deparsed. */
CREATE FUNCTION crm.view_is_unchanged(view_name text, statement text) RETURNS boolean
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

/*
 * Makes what is missing.  Objects that exist are left alone, except views and
 * triggers that we made from an older statement and nobody changed since.
 */
CREATE FUNCTION crm.converge(INOUT created integer DEFAULT 0, OUT kept text[])
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning AS $$
DECLARE
    item record;
    made text[] := '{}';        -- relations created in this run
    recorded text;
    column_name text;
    column_number integer;
    is_there boolean;
BEGIN
    kept := '{}';
    FOR item IN
        SELECT s.* FROM crm.schema_source() f, crm.schema_statements(f.source) s
        WHERE f.kind <> 'migration' ORDER BY f."position", s."position"
    LOOP
        is_there := crm.object_exists(item.kind, item.relation, item.name);
        IF is_there THEN
            IF item.kind = 'table' THEN
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
            CONTINUE WHEN NOT item.relation = ANY (made);
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

CREATE FUNCTION crm.install(roles boolean DEFAULT false) RETURNS text
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
COMMENT ON FUNCTION crm.install(boolean) IS 'Makes the tables, indexes, triggers, views and first rows of crm in schema crm as ordinary objects of the calling role; run again, it makes what is missing (the repair command). With roles => true also the roles crm_admin, crm_manager, crm_agent, crm_marketer, crm_analyst, crm_gateway and crm_portal with their rights. Says what it did. Errors: 42501 not the owner; RM011 older tables, run crm.upgrade(); 55000 inside an extension script.';

CREATE FUNCTION crm.upgrade() RETURNS text
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
    RETURN CASE
        WHEN installed = crm.code_version() AND outcome.created = 0 THEN format('crm %s is up to date', installed)
        ELSE format('crm upgraded from %s to %s: %s objects, %s migration steps', installed, crm.code_version(), outcome.created, steps)
    END || CASE WHEN outcome.kept <> '{}' THEN '; kept as you changed them: ' || array_to_string(outcome.kept, ', ') ELSE '' END;
END
$$;
COMMENT ON FUNCTION crm.upgrade() IS 'After ALTER EXTENSION crm UPDATE: brings the tables, triggers and views to the version of the code. Columns, indexes, policies, rows and replaced views of the user are kept. Errors: RM010 not installed; RM011 tables newer than the code; 42501 not the owner.';

CREATE FUNCTION crm.uninstall(confirm text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning AS $$
DECLARE
    item text;
    removed integer;
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
    PERFORM crm.before_uninstall();
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
        || '. To remove the code as well: DROP EXTENSION crm';
END
$$;
COMMENT ON FUNCTION crm.uninstall(text) IS 'Removes all tables, views and rows of crm when confirm is the name of the current database; otherwise refuses with RM012. Refuses (2BP01) while objects of the user depend on them. The roles of crm.install(roles => true) stay: other databases may use them. Afterwards DROP EXTENSION crm removes the code.';

/* ------------------------------------------------------------------
 * Contacts and companies: triggers.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.derive() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'crm_derive';
COMMENT ON FUNCTION crm.derive() IS 'Trigger of contact, company and their points: reads what was entered and fills the derived columns (canonical e-mail and phone, match keys, name keys) and updated_at. Errors: 22P02 when an e-mail address or phone number is none.';

CREATE FUNCTION crm.refuse_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- The log of a contact goes with the contact itself, never alone.
    IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT FROM crm.contact WHERE id = OLD.contact_id) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'entries of crm.% cannot be changed or removed', TG_TABLE_NAME
        USING ERRCODE = 'RM020', HINT = 'Add a new entry: the latest one counts.';
END
$$;
COMMENT ON FUNCTION crm.refuse_change() IS 'Trigger: keeps an append-only table so. Raises RM020.';

/* ------------------------------------------------------------------
 * Custom fields.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.attr_problem(type text, choices text[], minimum numeric, maximum numeric, value jsonb) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE COST 20
SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN type IS NULL THEN 'is not a defined field'
        WHEN jsonb_typeof(value) = 'null' THEN NULL
        WHEN type IN ('text', 'email', 'phone', 'date', 'timestamp', 'choice') AND jsonb_typeof(value) <> 'string'
            THEN format('must be a string, not %s', jsonb_typeof(value))
        WHEN type IN ('number', 'integer') AND jsonb_typeof(value) <> 'number'
            THEN format('must be a number, not %s', jsonb_typeof(value))
        WHEN type = 'boolean' AND jsonb_typeof(value) <> 'boolean'
            THEN format('must be true or false, not %s', jsonb_typeof(value))
        WHEN type = 'integer' AND trunc((value #>> '{}')::numeric) <> (value #>> '{}')::numeric
            THEN format('must be a whole number, not %s', value)
        WHEN type IN ('number', 'integer') AND (value #>> '{}')::numeric < minimum
            THEN format('must be at least %s, not %s', minimum, value)
        WHEN type IN ('number', 'integer') AND (value #>> '{}')::numeric > maximum
            THEN format('must be at most %s, not %s', maximum, value)
        WHEN type = 'date' AND NOT (crm.check_date(value #>> '{}')).ok
            THEN format('must be a date such as 2026-12-31, not %s', value)
        WHEN type = 'timestamp' AND (value #>> '{}') !~ '^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?$'
            THEN format('must be a time such as 2026-12-31T23:59:59Z, not %s', value)
        WHEN type = 'email' AND crm.try_email(value #>> '{}') IS NULL
            THEN format('must be an e-mail address, not %s', value)
        WHEN type = 'phone' AND crm.try_phone(value #>> '{}') IS NULL
            THEN format('must be a phone number with country code, not %s', value)
        WHEN type = 'choice' AND NOT (value #>> '{}') = ANY (choices)
            THEN format('must be one of %s, not %s', array_to_string(choices, ', '), value)
        WHEN type = 'multichoice' AND (jsonb_typeof(value) <> 'array'
             OR EXISTS (SELECT FROM jsonb_array_elements(value) e
                        WHERE jsonb_typeof(e) <> 'string' OR NOT (e #>> '{}') = ANY (choices)))
            THEN format('must be an array of %s, not %s', array_to_string(choices, ', '), value)
    END
$$;
COMMENT ON FUNCTION crm.attr_problem(text, text[], numeric, numeric, jsonb) IS 'What is wrong with a value of a custom field of the given type, or null when nothing is.';

CREATE FUNCTION crm.check_attrs() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bad record;
BEGIN
    SELECT n.id, a.key AS field, crm.attr_problem(f.type, f.choices, f.minimum, f.maximum, a.value) AS problem,
           f.name IS NULL AS unknown INTO bad
    FROM new_rows n
    CROSS JOIN LATERAL jsonb_each(CASE WHEN jsonb_typeof(n.attrs) = 'object' THEN n.attrs ELSE jsonb_build_object('attrs', n.attrs) END) a
    LEFT JOIN crm.custom_field f ON f.entity = TG_TABLE_NAME AND f.name = a.key
    WHERE n.attrs <> '{}' AND crm.attr_problem(f.type, f.choices, f.minimum, f.maximum, a.value) IS NOT NULL
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'custom field "%" of % % %', bad.field, TG_TABLE_NAME, bad.id, bad.problem
            USING ERRCODE = 'invalid_parameter_value', COLUMN = bad.field,
                  HINT = CASE WHEN bad.unknown
                      THEN format('Define it first: SELECT crm.define_field(%L, %L, ''text'').', TG_TABLE_NAME, bad.field)
                      ELSE 'crm.custom_field holds what each field may be.' END;
    END IF;
    SELECT n.id, f.name AS field INTO bad
    FROM crm.custom_field f JOIN new_rows n ON NOT n.attrs ? f.name
    WHERE f.entity = TG_TABLE_NAME AND f.is_required
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'custom field "%" of % % is required', bad.field, TG_TABLE_NAME, bad.id
            USING ERRCODE = 'RM003', COLUMN = bad.field, HINT = format('Give attrs a key %s.', bad.field);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION crm.check_attrs() IS 'Trigger, once a statement: checks attrs against crm.custom_field. Raises 22023 naming the field when it is unknown or its value is of the wrong type, RM003 when a required field is missing.';

CREATE FUNCTION crm.define_field(entity text, name text, type text, label text DEFAULT NULL, choices text[] DEFAULT NULL,
    is_required boolean DEFAULT false, minimum numeric DEFAULT NULL, maximum numeric DEFAULT NULL, description text DEFAULT NULL) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO crm.custom_field (entity, name, type, label, choices, is_required, minimum, maximum, description)
    VALUES (entity, name, type, label, choices, is_required, minimum, maximum, description)
    ON CONFLICT (entity, name) DO UPDATE
    SET type = excluded.type, label = excluded.label, choices = excluded.choices, is_required = excluded.is_required,
        minimum = excluded.minimum, maximum = excluded.maximum, description = excluded.description
$$;
COMMENT ON FUNCTION crm.define_field(text, text, text, text, text[], boolean, numeric, numeric, text) IS 'Defines or redefines a custom field of contact, company or deal: type text, number, integer, boolean, date, timestamp, email, phone, choice, multichoice or json. Rows written before keep what they have until attrs is written again. Errors: 23514 for an unknown entity or type.';

/* ------------------------------------------------------------------
 * Contacts from and to JSON.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.json_texts(value jsonb) RETURNS SETOF text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT btrim(e #>> '{}')
    FROM jsonb_array_elements(CASE jsonb_typeof(value) WHEN 'array' THEN value WHEN 'null' THEN '[]' ELSE jsonb_build_array(value) END)
         WITH ORDINALITY AS a (e, n)
    WHERE btrim(e #>> '{}') <> ''
    ORDER BY n
$$;
COMMENT ON FUNCTION crm.json_texts(jsonb) IS 'The texts of a JSON array, or of one value; without empty ones.';

CREATE FUNCTION crm.contact_keys() RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY['name', 'title', 'given_name', 'middle_name', 'family_name', 'suffix', 'gender', 'birth_date', 'locale', 'time_zone',
                 'country', 'city', 'job_title', 'tax_id', 'lifecycle_stage', 'kind', 'owner_id', 'branch_id', 'territory_id', 'source',
                 'est_category_spend', 'email', 'phone', 'address', 'company', 'company_id', 'company_role', 'tags', 'attrs',
                 'consent', 'external_ref', 'identity']
$$;
COMMENT ON FUNCTION crm.contact_keys() IS 'The keys that crm.create_contact() and crm.update_contact() read.';

CREATE FUNCTION crm.check_contact_json(contact jsonb) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bad record;
BEGIN
    IF contact IS NULL OR jsonb_typeof(contact) <> 'object' THEN
        RAISE EXCEPTION 'a contact must be a JSON object, not %', coalesce(jsonb_typeof(contact), 'null')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'For example: {"given_name": "Anna", "email": "anna@example.com"}.';
    END IF;
    SELECT k AS key INTO bad FROM jsonb_object_keys(contact) k WHERE NOT k = ANY (crm.contact_keys()) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'unknown key "%" of a contact', bad.key
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = format('Known keys: %s. Your own fields go under "attrs".', array_to_string(crm.contact_keys(), ', '));
    END IF;
    SELECT e.key, e.value, c.message, c.hint INTO bad
    FROM jsonb_each_text(contact) e CROSS JOIN LATERAL (
        SELECT r.message, r.hint FROM crm.check_date(e.value) r
        WHERE e.key = 'birth_date' AND e.value IS NOT NULL AND NOT r.ok
        UNION ALL
        SELECT format('It must be a whole number.'), 'Give the id of a row.'
        WHERE e.key IN ('owner_id', 'branch_id', 'territory_id', 'company_id') AND e.value !~ '^\d{1,18}$'
        UNION ALL
        SELECT 'It must be a number.', NULL
        WHERE e.key = 'est_category_spend' AND e.value !~ '^\d+(\.\d+)?$'
        UNION ALL
        SELECT 'There is no such time zone.', 'Use an IANA name such as Europe/Moscow.'
        WHERE e.key = 'time_zone' AND e.value IS NOT NULL AND NOT crm.is_time_zone(e.value)
        UNION ALL
        SELECT 'It must be a JSON object.', NULL
        WHERE e.key IN ('attrs', 'external_ref', 'identity') AND jsonb_typeof(contact -> e.key) NOT IN ('object', 'null')
    ) c
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'invalid value of "%": "%"', bad.key, left(bad.value, 100)
            USING ERRCODE = 'invalid_parameter_value', DETAIL = bad.message, HINT = bad.hint, COLUMN = bad.key;
    END IF;
END
$$;
COMMENT ON FUNCTION crm.check_contact_json(jsonb) IS 'Raises 22023, naming the key, when a JSON object is not one that crm.create_contact() reads.';

CREATE FUNCTION crm.is_time_zone(name text) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE STRICT
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM timestamptz 'epoch' AT TIME ZONE name;
    RETURN name ~ '^[A-Za-z_]+(/[A-Za-z0-9_+-]+)*$';
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN false;
END
$$;
COMMENT ON FUNCTION crm.is_time_zone(text) IS 'Whether the server knows a time zone of this name.';

CREATE FUNCTION crm.find_or_create_company(name text, source text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found bigint;
    wanted_key text := crm.name_key(name);
BEGIN
    IF btrim(name) = '' OR name IS NULL THEN
        RETURN NULL;
    END IF;
    -- Two sessions naming the same new company get one row.
    PERFORM pg_advisory_xact_lock(hashtext('crm.company'), hashtext(coalesce(nullif(wanted_key, ''), name)));
    SELECT k.company_id INTO found FROM crm.company_key k
    WHERE k.kind = 'name' AND k.key = wanted_key ORDER BY k.company_id LIMIT 1;
    IF found IS NULL THEN
        INSERT INTO crm.company (name, source) VALUES (btrim(find_or_create_company.name), find_or_create_company.source)
        RETURNING id INTO found;
    END IF;
    RETURN found;
END
$$;
COMMENT ON FUNCTION crm.find_or_create_company(text, text) IS 'The company whose name has the same key, the oldest if several, or a new one; null for an empty name.';

/* Everything of a contact's JSON that lies in other tables. */
CREATE FUNCTION crm.write_contact_parts(contact_id bigint, contact jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    id bigint := write_contact_parts.contact_id;
    company bigint;
    region text;
BEGIN
    SELECT country INTO region FROM crm.contact c WHERE c.id = write_contact_parts.contact_id;
    -- The first of each kind becomes the primary one; what is known already is not doubled.
    IF contact ?| ARRAY['email', 'phone', 'address'] THEN
        UPDATE crm.contact_point p SET is_primary = false
        FROM (SELECT k.kind, (SELECT t FROM crm.json_texts(contact -> k.kind) t LIMIT 1) AS raw
              FROM unnest(ARRAY['email', 'phone', 'address']) AS k (kind)) f
        WHERE p.contact_id = write_contact_parts.contact_id AND p.kind = f.kind AND p.is_primary
          AND f.raw IS NOT NULL AND p.raw <> f.raw;
        INSERT INTO crm.contact_point (contact_id, kind, raw, region, is_primary)
        SELECT write_contact_parts.contact_id, k.kind, v.raw, CASE WHEN k.kind = 'phone' THEN region END, false
        FROM unnest(ARRAY['email', 'phone', 'address']) AS k (kind)
        CROSS JOIN LATERAL crm.json_texts(contact -> k.kind) WITH ORDINALITY AS v (raw, n)
        WHERE NOT EXISTS (SELECT FROM crm.contact_point p
                          WHERE p.contact_id = write_contact_parts.contact_id AND p.kind = k.kind AND p.raw = v.raw)
        ORDER BY k.kind, v.n;
        UPDATE crm.contact_point p SET is_primary = true
        FROM (SELECT k.kind, (SELECT t FROM crm.json_texts(contact -> k.kind) t LIMIT 1) AS raw
              FROM unnest(ARRAY['email', 'phone', 'address']) AS k (kind)) f
        WHERE p.contact_id = write_contact_parts.contact_id AND p.kind = f.kind AND p.raw = f.raw AND NOT p.is_primary
          AND p.id = (SELECT min(o.id) FROM crm.contact_point o
                      WHERE o.contact_id = p.contact_id AND o.kind = p.kind AND o.raw = p.raw);
    END IF;
    company := coalesce((contact ->> 'company_id')::bigint,
                        crm.find_or_create_company(contact ->> 'company', contact ->> 'source'));
    IF company IS NOT NULL THEN
        UPDATE crm.company_contact l SET is_primary = false
        WHERE l.contact_id = write_contact_parts.contact_id AND l.is_primary AND upper_inf(l.valid) AND l.company_id <> company;
        UPDATE crm.company_contact l SET is_primary = true
        WHERE l.contact_id = write_contact_parts.contact_id AND l.company_id = company AND upper_inf(l.valid)
          AND l.role = coalesce(contact ->> 'company_role', l.role) AND NOT l.is_primary;
        INSERT INTO crm.company_contact (contact_id, company_id, role, is_primary)
        SELECT write_contact_parts.contact_id, company, coalesce(contact ->> 'company_role', 'employee'),
               NOT EXISTS (SELECT FROM crm.company_contact l WHERE l.contact_id = write_contact_parts.contact_id
                           AND l.is_primary AND upper_inf(l.valid))
        WHERE NOT EXISTS (SELECT FROM crm.company_contact l
                          WHERE l.contact_id = write_contact_parts.contact_id AND l.company_id = company AND upper_inf(l.valid)
                            AND l.role = coalesce(contact ->> 'company_role', l.role));
    END IF;
    IF contact ? 'tags' THEN
        DELETE FROM crm.tag t WHERE t.contact_id = write_contact_parts.contact_id
            AND NOT t.tag IN (SELECT n FROM crm.json_texts(contact -> 'tags') n);
        INSERT INTO crm.tag (contact_id, tag)
        SELECT DISTINCT write_contact_parts.contact_id, n FROM crm.json_texts(contact -> 'tags') n
        ON CONFLICT (contact_id, tag) DO NOTHING;
    END IF;
    INSERT INTO crm.consent (contact_id, purpose, channel, status, source, legal_basis, evidence)
    SELECT write_contact_parts.contact_id, c ->> 'purpose', coalesce(c ->> 'channel', '*'), coalesce(c ->> 'status', 'granted'),
           c ->> 'source', c ->> 'legal_basis', coalesce(c -> 'evidence', '{}')
    FROM jsonb_array_elements(CASE jsonb_typeof(contact -> 'consent') WHEN 'array' THEN contact -> 'consent'
                                   WHEN 'object' THEN jsonb_build_array(contact -> 'consent') ELSE '[]' END) c;
    INSERT INTO crm.external_ref (contact_id, system, external_id)
    SELECT write_contact_parts.contact_id, e.key, e.value FROM jsonb_each_text(coalesce(nullif(contact -> 'external_ref', 'null'), '{}')) e
    ON CONFLICT (contact_id, system, external_id) DO UPDATE SET synced_at = now();
    INSERT INTO crm.contact_identity (contact_id, provider, external_id)
    SELECT write_contact_parts.contact_id, e.key, e.value FROM jsonb_each_text(coalesce(nullif(contact -> 'identity', 'null'), '{}')) e
    ON CONFLICT (contact_id, provider, external_id) DO NOTHING;
END
$$;
COMMENT ON FUNCTION crm.write_contact_parts(bigint, jsonb) IS 'Writes the contact points, company, tags, consent, external numbers and identities of a JSON object that crm.create_contact() or crm.update_contact() was given.';

/* The columns of crm.contact as the JSON gives them, a full name taken apart. */
CREATE FUNCTION crm.contact_columns(contact jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    result jsonb := contact - ARRAY['name', 'email', 'phone', 'address', 'company', 'company_id', 'company_role', 'tags', 'consent', 'external_ref', 'identity'];
    parsed crm.person_name;
BEGIN
    IF contact ? 'name' THEN
        parsed := crm.parse_name(contact ->> 'name');
        result := jsonb_strip_nulls(jsonb_build_object(
            'title', parsed.title, 'given_name', parsed.given, 'middle_name', parsed.middle, 'family_name', parsed.family,
            'suffix', parsed.suffix, 'gender', parsed.gender)) || result;
    END IF;
    IF result ? 'birth_date' THEN
        result := result || jsonb_build_object('birth_date', (crm.check_date(result ->> 'birth_date')).value);
    END IF;
    RETURN result;
END
$$;
COMMENT ON FUNCTION crm.contact_columns(jsonb) IS 'The part of a contact''s JSON that goes into crm.contact, with the full name under "name" taken apart and the birth date in ISO form.';

CREATE FUNCTION crm.create_contact(contact jsonb) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    given jsonb;
    new_id bigint;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.check_contact_json(contact);
    given := crm.contact_columns(contact);
    IF NOT contact ?| ARRAY['name', 'given_name', 'family_name', 'middle_name', 'email', 'phone', 'identity', 'external_ref', 'company', 'company_id'] THEN
        RAISE EXCEPTION 'a contact needs at least a name, an e-mail address, a phone number, an account or a company'
            USING ERRCODE = 'RM003', HINT = 'Give one of the keys name, given_name, family_name, email, phone, identity, external_ref, company.';
    END IF;
    INSERT INTO crm.contact (title, given_name, middle_name, family_name, suffix, gender, birth_date, locale, time_zone, country, city,
                             job_title, tax_id, lifecycle_stage, kind, owner_id, branch_id, territory_id, source, est_category_spend, attrs)
    SELECT r.title, r.given_name, r.middle_name, r.family_name, r.suffix, r.gender, r.birth_date, r.locale, r.time_zone, r.country, r.city,
           r.job_title, r.tax_id, coalesce(r.lifecycle_stage, 'lead'), coalesce(r.kind, 'person'), r.owner_id, r.branch_id, r.territory_id,
           r.source, r.est_category_spend, coalesce(r.attrs, '{}')
    FROM jsonb_populate_record(NULL::crm.contact, given) r
    RETURNING id INTO new_id;
    PERFORM crm.write_contact_parts(new_id, contact);
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION crm.create_contact(jsonb) IS 'Creates a contact and returns its id. Keys: those of crm.contact_keys(); name is a full name that is taken apart, email, phone, address and tags take one text or an array, company a name (found by its key or created), external_ref and identity objects {"system": "number"}, consent {"purpose", "channel", "status"} or an array. Errors: 22023 unknown key or malformed value, naming it; 22P02 not an e-mail address or phone number; 23505 account or external number taken; RM003 nothing to know the contact by; RM010, RM011 tables missing or older.';

CREATE FUNCTION crm.update_contact(contact_id bigint, changes jsonb) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    given jsonb;
BEGIN
    PERFORM crm.require_installed();
    PERFORM crm.check_contact_json(changes);
    PERFORM FROM crm.contact c WHERE c.id = contact_id AND c.deleted_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no contact %', contact_id
            USING ERRCODE = 'no_data_found', HINT = 'Look it up with crm.lookup_contact(); deleted contacts are brought back by crm.restore_contacts().';
    END IF;
    given := crm.contact_columns(changes);
    UPDATE crm.contact c
    SET title = r.title, given_name = r.given_name, middle_name = r.middle_name, family_name = r.family_name, suffix = r.suffix,
        gender = r.gender, birth_date = r.birth_date, locale = r.locale, time_zone = r.time_zone, country = r.country, city = r.city,
        job_title = r.job_title, tax_id = r.tax_id, lifecycle_stage = r.lifecycle_stage, kind = r.kind, owner_id = r.owner_id,
        branch_id = r.branch_id, territory_id = r.territory_id, source = r.source, est_category_spend = r.est_category_spend,
        attrs = CASE WHEN changes ? 'attrs'
                     THEN (SELECT coalesce(jsonb_object_agg(e.key, e.value), '{}')
                           FROM jsonb_each(c.attrs || coalesce(nullif(changes -> 'attrs', 'null'), '{}')) e WHERE e.value <> 'null')
                     ELSE c.attrs END
    FROM crm.contact o CROSS JOIN LATERAL jsonb_populate_record(o, given - 'attrs') r
    WHERE c.id = contact_id AND o.id = c.id AND given <> '{}';
    PERFORM crm.write_contact_parts(contact_id, changes);
    RETURN contact_id;
END
$$;
COMMENT ON FUNCTION crm.update_contact(bigint, jsonb) IS 'Changes what the JSON names and leaves the rest: null empties a column; attrs is merged, null removes a key; an e-mail address or phone number is added and becomes the primary one; tags replaces all tags. Returns the id. Errors: P0002 no such contact, and those of crm.create_contact().';

CREATE FUNCTION crm.delete_contact(contact_id bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM crm.require_installed();
    UPDATE crm.contact SET deleted_at = now() WHERE id = contact_id AND deleted_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no contact %', contact_id USING ERRCODE = 'no_data_found';
    END IF;
END
$$;
COMMENT ON FUNCTION crm.delete_contact(bigint) IS 'Deletes a contact softly: it disappears from look-ups and views and its numbers and accounts become free; crm.restore_contacts() brings it back. Errors: P0002 no such contact.';

CREATE FUNCTION crm.full_name(title text, given text, middle text, family text, suffix text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 2
SET search_path = pg_catalog, pg_temp AS $$
    SELECT nullif(concat_ws(' ', nullif(title, ''), nullif(given, ''), nullif(middle, ''), nullif(family, ''), nullif(suffix, '')), '')
$$;
COMMENT ON FUNCTION crm.full_name(text, text, text, text, text) IS 'The parts of a name in one line, without gaps; null when there is none.';

CREATE FUNCTION crm.tax_key(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 3
SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(crm.tax_id(value), (crm.split_inn_kpp(value)).inn::text)
$$;
COMMENT ON FUNCTION crm.tax_key(text) IS 'The key of a tax or registry number as entered: its canonical form, of "INN/KPP" the INN; null when it is none.';

/* ------------------------------------------------------------------
 * Finding contacts.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.lookup_contact(query text, max_rows integer DEFAULT 20,
    OUT contact_id bigint, OUT name text, OUT company text, OUT matched_by text, OUT matched_value text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 5
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted text := btrim(query);
    digits text := regexp_replace(query, '\D', '', 'g');
    phone crm.phone;
    email crm.email;
    ids bigint[];
    how text;
BEGIN
    IF wanted IS NULL OR wanted = '' THEN
        RETURN;
    END IF;
    -- From the surest to the vaguest; the first that finds anything answers.
    IF wanted ~ '@' THEN
        how := 'email';
        email := crm.try_email(wanted);
        SELECT array_agg(k.contact_id) INTO ids FROM (
            SELECT k.contact_id FROM crm.contact_key k
            WHERE k.kind = 'email' AND k.key = crm.match_key(email) ORDER BY 1 LIMIT max_rows) k;
    ELSIF length(digits) >= 5 AND wanted !~ '[[:alpha:]]{3}' THEN
        how := 'phone';
        phone := crm.try_phone(wanted);
        IF phone IS NOT NULL THEN
            SELECT array_agg(k.contact_id) INTO ids FROM (
                SELECT k.contact_id FROM crm.contact_key k
                WHERE k.kind = 'phone' AND k.key = crm.e164(crm.base(phone)) ORDER BY 1 LIMIT max_rows) k;
        END IF;
        IF ids IS NULL AND length(digits) >= 7 THEN
            -- As shown by a telephone: without country code, with a trunk digit, with 00.
            SELECT array_agg(DISTINCT p.contact_id) INTO ids FROM (
                SELECT p.contact_id FROM crm.contact_point p JOIN crm.contact c ON c.id = p.contact_id
                WHERE p.phone OPERATOR(crm.%^) right(digits, CASE WHEN length(digits) > 10 THEN 10 ELSE length(digits) - (length(digits) >= 10 AND left(digits, 1) = '0')::integer END)
                  AND c.deleted_at IS NULL AND c.merged_into IS NULL
                LIMIT max_rows) p;
        END IF;
    END IF;
    IF ids IS NULL THEN
        SELECT k.kind, array_agg(k.contact_id) INTO how, ids FROM (
            SELECT k.kind, k.contact_id FROM crm.contact_key k
            WHERE (k.kind = 'tax_id' AND k.key = crm.tax_id(wanted))
               OR (k.kind IN ('card', 'external', 'identity') AND k.key = wanted)
            ORDER BY 1, 2 LIMIT max_rows) k
        GROUP BY k.kind ORDER BY k.kind LIMIT 1;
    END IF;
    IF ids IS NULL AND wanted !~ '[@]' THEN
        SELECT 'card', array_agg(i.contact_id) INTO how, ids FROM (
            SELECT i.contact_id FROM crm.contact_key i
            WHERE i.kind IN ('identity', 'external')
              AND i.key IN (SELECT s.name || ':' || wanted FROM crm.key_systems() s (name))
            ORDER BY 1 LIMIT max_rows) i;
    END IF;
    IF ids IS NULL AND wanted ~ '[[:alpha:]]{2}' THEN
        how := 'name';
        SELECT array_agg(c.id) INTO ids FROM (
            SELECT c.id FROM crm.contact c
            WHERE c.name_key LIKE replace(replace(crm.name_key(wanted), '%', ''), '_', '') || '%'
              AND c.deleted_at IS NULL AND c.merged_into IS NULL AND crm.name_key(wanted) <> ''
            ORDER BY c.id LIMIT max_rows) c;
    END IF;
    RETURN QUERY
    SELECT c.id, crm.full_name(c.title, c.given_name, c.middle_name, c.family_name, c.suffix),
           (SELECT o.name FROM crm.company_contact l JOIN crm.company o ON o.id = l.company_id
            WHERE l.contact_id = c.id AND upper_inf(l.valid) ORDER BY l.is_primary DESC, l.company_id LIMIT 1),
           how, wanted
    FROM crm.contact c WHERE c.id = ANY (ids) AND c.deleted_at IS NULL ORDER BY c.id;
END
$$;
COMMENT ON FUNCTION crm.lookup_contact(text, integer) IS 'Finds contacts by anything that a call-centre agent has: a phone number as dialled or shown, an e-mail address, a tax number, a card or account number, a name or its beginning in any script. Each kind is an index look-up; matched_by says which one answered (email, phone, tax_id, card, external, identity, name). Numbers without country code are read by setting crm.default_region, else by their last digits.';

CREATE FUNCTION crm.key_systems() RETURNS SETOF text
LANGUAGE plpgsql STABLE ROWS 10
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    system text := '';
BEGIN
    -- The distinct prefixes of an index, each by one descent.
    LOOP
        SELECT split_part(k.key, ':', 1) INTO system FROM crm.contact_key k
        WHERE k.kind = 'external' AND k.key > system || ';' ORDER BY k.key LIMIT 1;
        EXIT WHEN NOT FOUND;
        RETURN NEXT system;
    END LOOP;
    system := '';
    LOOP
        SELECT split_part(k.key, ':', 1) INTO system FROM crm.contact_key k
        WHERE k.kind = 'identity' AND k.key > system || ';' ORDER BY k.key LIMIT 1;
        EXIT WHEN NOT FOUND;
        RETURN NEXT system;
    END LOOP;
END
$$;
COMMENT ON FUNCTION crm.key_systems() IS 'The systems and providers whose numbers contacts have.';

/* ------------------------------------------------------------------
 * Import: stage rows as they are, map columns, apply.
 *
 * Everything works on sets.  crm.import_apply() takes a chunk of rows at a
 * time through temporary tables: read each value with the checker of its
 * type, set aside what is bad, find who is known already, create, update,
 * write down what became of each row.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.import_targets(entity text, OUT target text, OUT kind text, OUT synonyms text, OUT description text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 30
SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.target, t.kind, t.synonyms, t.description FROM (VALUES
        ('contact', 'external_id', 'external', '^(id|.*_id|uuid|guid|client id|customer id|contact id|код|номер клиента|ид)$', 'number in the source system; rows with a known number update that contact'),
        ('contact', 'name', 'name', '^(name|full ?name|contact( name)?|client|customer|person|фио|ф\.и\.о\.?|имя и фамилия|клиент|контакт|контактное лицо|director|executive director)$', 'full name, taken apart'),
        ('contact', 'given_name', 'text', '^(given|first|fore)[ _]?name$|^имя$', 'given name'),
        ('contact', 'middle_name', 'text', '^middle[ _]?name$|^отчество$', 'middle name, patronymic'),
        ('contact', 'family_name', 'text', '^(family|last|sur) ?_?name$|^фамилия$', 'family name'),
        ('contact', 'title', 'text', '^(title|salutation|обращение)$', 'title'),
        ('contact', 'suffix', 'text', '^suffix$', 'suffix'),
        ('contact', 'gender', 'gender', '^(gender|sex|пол)$', 'm or f, also male, female, м, ж'),
        ('contact', 'birth_date', 'birth', 'birth|^dob$|рожд', 'date of birth'),
        ('contact', 'email', 'point', 'e-?mail|почта', 'e-mail address'),
        ('contact', 'phone', 'point', 'phone|mobile|^tel|телефон|моб', 'phone number'),
        ('contact', 'address', 'point', '^(street )?address|^адрес', 'postal address'),
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
        ('company', 'external_id', 'external', '^(id|.*_id|uuid|guid|код)$', 'number in the source system'),
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
        ('company', 'postal_code', 'text', '^(zip|post(al)?[ _]?code|индекс)', 'postal code'),
        ('company', 'address', 'text', '^(street )?address|^адрес', 'street address'),
        ('company', 'email', 'point', 'e-?mail|почта', 'e-mail address'),
        ('company', 'phone', 'point', 'phone|^fax$|^tel|телефон|факс', 'phone number'),
        ('company', 'source', 'text', '^(source|источник)', 'where the company came from')
    ) AS t (entity, target, kind, synonyms, description)
    WHERE t.entity = import_targets.entity
$$;
COMMENT ON FUNCTION crm.import_targets(text) IS 'What a column of an import can be mapped to: target; kind (text, date, birth, number, integer, gender, country, currency, time_zone, tax_id, choice:..., point, company, tags, external, name); the headers by which it is guessed, a regular expression; what it means. Besides these: attrs.<name> for a custom field, ignore for nothing.';

/* A new batch; its rows come by one of the functions below. */
CREATE FUNCTION crm.create_import(name text, columns text[], entity text DEFAULT 'contact', source text DEFAULT 'import') RETURNS bigint
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

CREATE FUNCTION crm.guess_mapping(columns text[], entity text) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    WITH guess AS (
        SELECT u.header, u.n, t.target, t.kind,
               row_number() OVER (PARTITION BY u.n ORDER BY t.position) AS first_target
        FROM unnest(columns) WITH ORDINALITY AS u (header, n)
        JOIN (SELECT i.*, row_number() OVER () AS position FROM crm.import_targets(entity) i) t
          ON lower(btrim(u.header)) ~ t.synonyms
    ), one AS (
        -- Only points and tags may come from several columns.
        SELECT g.header, g.n, g.target,
               g.kind IN ('point', 'tags') OR row_number() OVER (PARTITION BY g.target ORDER BY g.n) = 1 AS taken
        FROM guess g WHERE g.first_target = 1
    )
    SELECT coalesce(jsonb_object_agg(u.header, coalesce(o.target, 'ignore')), '{}')
    FROM unnest(columns) WITH ORDINALITY AS u (header, n)
    LEFT JOIN one o ON o.n = u.n AND o.taken
$$;
COMMENT ON FUNCTION crm.guess_mapping(text[], text) IS 'The column mapping that the headers suggest, {"header": "target"}, by the expressions of crm.import_targets(); "ignore" for what is not recognised.';

CREATE FUNCTION crm.import_csv(name text, content text, entity text DEFAULT 'contact', source text DEFAULT 'import', delimiter text DEFAULT NULL) RETURNS bigint
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
    FROM pg_temp.crm_csv c WHERE cardinality(c.fields) > cardinality(header) ORDER BY c.n LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'line % of import "%" has % fields, the header has %', broken.line, name, broken.fields, cardinality(header)
            USING ERRCODE = 'bad_copy_file_format', HINT = 'Check the delimiter and the quotes of that line.';
    END IF;
    new_id := crm.create_import(name, header, entity, source);
    INSERT INTO crm.import_row (batch_id, row_number, line, fields)
    SELECT new_id, c.n - 1, c.line,
           CASE WHEN cardinality(c.fields) = cardinality(header) THEN c.fields
                ELSE c.fields || array_fill(NULL::text, ARRAY[cardinality(header) - cardinality(c.fields)]) END
    FROM pg_temp.crm_csv c WHERE c.n > 1;
    GET DIAGNOSTICS staged = ROW_COUNT;
    UPDATE crm.import_batch SET rows = staged WHERE id = new_id;
    DROP TABLE pg_temp.crm_csv;
    RETURN new_id;
END
$$;
COMMENT ON FUNCTION crm.import_csv(text, text, text, text, text) IS 'Stages the rows of a CSV text, the first line being the header; a row with too few fields gets empty ones. Without a delimiter the likeliest is taken. Returns the id of the batch for crm.import_apply(). Errors: 22P04 empty, a row with more fields than the header, a quoted field that does not end; 54000 more than 1600 columns or a field over 1 MB.';

CREATE FUNCTION crm.import_csv(name text, content bytea, entity text DEFAULT 'contact', source text DEFAULT 'import', delimiter text DEFAULT NULL, encoding text DEFAULT 'UTF8') RETURNS bigint
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

CREATE FUNCTION crm.import_json(name text, content jsonb, entity text DEFAULT 'contact', source text DEFAULT 'import') RETURNS bigint
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

CREATE FUNCTION crm.import_table(name text, relation regclass, entity text DEFAULT 'contact', source text DEFAULT 'import') RETURNS bigint
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

/*
 * The SQL expression that reads column number n of a row as its target wants
 * it, and the one that gives the verdict when that failed.
 */
CREATE FUNCTION crm.import_reader(kind text, field text, options jsonb, OUT reader text, OUT checker text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
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
               WHEN 'country' THEN format('CASE WHEN upper(%1$s) ~ ''^[A-Z]{2}$'' THEN upper(%1$s) ELSE crm.country_code_by_name(%1$s) END', field)
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

CREATE FUNCTION crm.refused(code text, message text, hint text) RETURNS crm.check_result
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT ROW(false, 'bad', NULL, code, message, hint, NULL)::crm.check_result
$$;
COMMENT ON FUNCTION crm.refused(text, text, text) IS 'A verdict that refuses.';

CREATE FUNCTION crm.country_code_by_name(name text) RETURNS text
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
        ('SE', '{sweden,швеция}'), ('NO', '{norway,norge,норвегия}'), ('DK', '{denmark,дания}'), ('IE', '{ireland,ирландия}'), ('CN', '{china,китай}'), ('JP', '{japan,япония}'),
        ('KR', '{korea,south korea,republic of korea,корея}'), ('IN', '{india,индия}'), ('BR', '{brazil,brasil,бразилия}'), ('MX', '{mexico,méxico,мексика}'),
        ('CA', '{canada,канада}'), ('AU', '{australia,австралия}'), ('NZ', '{new zealand,новая зеландия}'), ('KE', '{kenya,кения}'), ('PH', '{philipines,philippines,филиппины}'),
        ('JO', '{jordan,иордания}'), ('IL', '{israel,израиль}'), ('AE', '{united arab emirates,uae,оаэ}'), ('SA', '{saudi arabia,саудовская аравия}'), ('EG', '{egypt,египет}'),
        ('ZA', '{south africa,юар}'), ('PA', '{panama,панама}'), ('AR', '{argentina,аргентина}'), ('CL', '{chile,чили}'), ('CO', '{colombia,колумбия}'), ('VN', '{vietnam,вьетнам}'),
        ('TH', '{thailand,таиланд}'), ('ID', '{indonesia,индонезия}'), ('SG', '{singapore,сингапур}'), ('MY', '{malaysia,малайзия}'), ('RS', '{serbia,сербия}')
    ) AS c (code, names)
    WHERE lower(btrim(name)) = ANY (c.names)
$$;
COMMENT ON FUNCTION crm.country_code_by_name(text) IS 'The two letters of ISO 3166-1 for a common English or Russian name of a country; null when not known.';

CREATE FUNCTION crm.contact_identity_key(given text, family text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 5
SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(crm.name_key(concat_ws(' ', family, given)), '')
$$;
COMMENT ON FUNCTION crm.contact_identity_key(text, text) IS 'The key of family and given name under which an import knows a person again, together with an address, number or birth date.';

/* What one chunk did. */
CREATE TYPE crm.import_counts AS (
    created bigint,
    updated bigint,
    unchanged bigint,
    rejected bigint,
    values_set_aside bigint
);
COMMENT ON TYPE crm.import_counts IS 'What an import did, in rows: created, updated, unchanged, rejected; and single values set aside of rows that were taken.';
COMMENT ON COLUMN crm.import_counts.created IS 'Rows that made a new contact or company.';
COMMENT ON COLUMN crm.import_counts.updated IS 'Rows that changed one.';
COMMENT ON COLUMN crm.import_counts.unchanged IS 'Rows that said nothing new.';
COMMENT ON COLUMN crm.import_counts.rejected IS 'Rows set aside whole, with reasons in crm.import_reject.';
COMMENT ON COLUMN crm.import_counts.values_set_aside IS 'Single values set aside of rows that were taken.';

/* The mapping of a batch as rows, checked. */
CREATE FUNCTION crm.import_plan(batch_id bigint, OUT header text, OUT n integer, OUT target text, OUT kind text)
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

CREATE FUNCTION crm.import_chunk(batch_id bigint, first_row bigint, last_row bigint, OUT counts crm.import_counts)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
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
    max_rank integer;
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
    region_sql := format('coalesce(c.country, %L, nullif(current_setting(''crm.default_region'', true), ''''))', options ->> 'region');

    /* 2. Read the rows. */
    DROP TABLE IF EXISTS pg_temp.crm_chunk_row, pg_temp.crm_chunk, pg_temp.crm_point, pg_temp.crm_problem, pg_temp.crm_match, pg_temp.crm_change;
    CREATE TEMPORARY TABLE crm_chunk_row ON COMMIT DROP AS
        SELECT r.row_number, r.fields FROM crm.import_row r
        WHERE r.batch_id = import_chunk.batch_id AND r.row_number BETWEEN first_row AND last_row
          AND NOT EXISTS (SELECT FROM crm.import_result d WHERE d.batch_id = r.batch_id AND d.row_number = r.row_number);
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
                   CASE u.kind WHEN 'phone' THEN crm.try_phone(u.raw, %1$s) END AS phone
            FROM pg_temp.crm_chunk_row r JOIN pg_temp.crm_chunk c USING (row_number)
            CROSS JOIN LATERAL (VALUES %2$s) u (kind, header, n, raw)
            WHERE btrim(u.raw) <> ''
        ) v $sql$, 'coalesce(' || region_sql || ', '''')', coalesce(nullif(substr(point_sql, 3), ''), '(NULL::text, NULL::text, NULL::integer, NULL::text)'));

    /* 3. What could not be read, with the checker's reason. */
    EXECUTE 'CREATE TEMPORARY TABLE crm_problem ON COMMIT DROP AS
        SELECT p.row_number, p.header AS column_name, p.raw AS value, v.code, v.message, v.hint, v.suggestion
        FROM pg_temp.crm_point p CROSS JOIN LATERAL crm.check_email(p.raw) v WHERE p.kind = ''email'' AND p.email IS NULL
        UNION ALL
        SELECT p.row_number, p.header, p.raw, v.code, v.message, v.hint, v.suggestion
        FROM pg_temp.crm_point p CROSS JOIN LATERAL crm.check_phone(p.raw, nullif(p.region, '''')) v WHERE p.kind = ''phone'' AND p.phone IS NULL' || problem_sql;
    -- A row that says nothing, or a company without a name, is no row.
    IF e = 'contact' THEN
        INSERT INTO pg_temp.crm_problem
        SELECT c.row_number, NULL, NULL, 'ROW_EMPTY', 'The row has no name, address, number or company to know the contact by.',
               'Fill one of them, or map the column that holds it.', NULL
        FROM pg_temp.crm_chunk c
        WHERE coalesce(c.given_name, c.family_name, c.middle_name, c.company) IS NULL
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
            SELECT DISTINCT row_number FROM pg_temp.crm_problem WHERE %1$L OR code IN ('ROW_EMPTY', 'COMPANY_NAME_MISSING')
        ), first_point AS (
            SELECT row_number, min(key) FILTER (WHERE kind = 'email' AND rank = 1) AS email_key, min(key) FILTER (WHERE kind = 'phone' AND rank = 1) AS phone_key
            FROM (SELECT row_number, kind, key, row_number() OVER (PARTITION BY row_number, kind ORDER BY n) AS rank
                  FROM pg_temp.crm_point WHERE key IS NOT NULL AND kind <> 'address') ranked
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
                                                  WHERE i.fingerprint = w.key::uuid AND b.entity = %6$L AND b.status <> 'undone' ORDER BY i.entity_id LIMIT 1)
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
        PERFORM pg_advisory_xact_lock(hashtext('crm.company'));
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
                                  WHEN on_match = 'fill' THEN '%1$I = coalesce(t.%1$I, c.%1$I)' ELSE '%1$I = coalesce(c.%1$I, t.%1$I)' END, btrim(c)), ', '),
           string_agg(format(CASE WHEN btrim(c) = 'attrs' THEN 'NOT t.attrs @> coalesce(c.attrs, ''{}'')'
                                  WHEN on_match = 'fill' THEN '(t.%1$I IS NULL AND c.%1$I IS NOT NULL)' ELSE '(c.%1$I IS NOT NULL AND c.%1$I IS DISTINCT FROM t.%1$I)' END, btrim(c)), ' OR '),
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
        SELECT f.id, f.kind, f.header, f.raw, nullif(f.region, ''), f.nth = 1
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
                SELECT DISTINCT ON (m.id, p.kind, p.key) m.id, m.row_number, p.kind, p.header, p.raw, nullif(p.region, '') AS region, p.n
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
            SELECT DISTINCT m.id, %L, c.external_id FROM pg_temp.crm_match m JOIN pg_temp.crm_chunk c USING (row_number)
            WHERE c.external_id IS NOT NULL ON CONFLICT DO NOTHING', ref_table, id_column, batch.source);
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
    WITH change AS (
        SELECT row_number, jsonb_object_agg(b.key, b.value) FILTER (WHERE b.key IS NOT NULL) AS before,
               jsonb_strip_nulls(jsonb_build_object('points', max(to_jsonb(points)::text)::jsonb, 'tags', max(to_jsonb(tags)::text)::jsonb,
                                                    'companies', max(to_jsonb(companies)::text)::jsonb)) AS added
        FROM pg_temp.crm_change LEFT JOIN LATERAL jsonb_each(before) b ON true
        GROUP BY row_number
    ), written AS (
        INSERT INTO crm.import_result (batch_id, row_number, outcome, entity_id, fingerprint, before, added)
        SELECT import_chunk.batch_id, c.row_number,
               CASE WHEN m.row_number IS NULL THEN 'rejected' WHEN m.is_new THEN 'created'
                    WHEN h.row_number IS NOT NULL THEN 'updated' ELSE 'unchanged' END,
               m.id, m.fingerprint, h.before, nullif(h.added, '{}')
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

CREATE FUNCTION crm.import_apply(batch_id bigint, mapping jsonb DEFAULT NULL, options jsonb DEFAULT '{}', dry_run boolean DEFAULT false, notice_every integer DEFAULT 50000)
RETURNS crm.import_counts
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off AS $$
#variable_conflict use_column
DECLARE
    batch crm.import_batch;
    total crm.import_counts := (0, 0, 0, 0, 0);
    chunk crm.import_counts;
    rejects jsonb;
    bad record;
    first_row bigint;
    last_row bigint;
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
    PERFORM crm.import_plan(batch_id);
    DELETE FROM crm.import_reject r WHERE r.batch_id = import_apply.batch_id;
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
        SET status = 'applied', applied_at = now(), created = total.created, updated = total.updated, unchanged = total.unchanged,
            rejected = total.rejected, values_set_aside = total.values_set_aside
        WHERE b.id = import_apply.batch_id;
    EXCEPTION WHEN SQLSTATE 'RM099' THEN
        INSERT INTO crm.import_reject SELECT r.* FROM jsonb_populate_recordset(NULL::crm.import_reject, rejects) r;
    END;
    RETURN total;
END
$$;
COMMENT ON FUNCTION crm.import_apply(bigint, jsonb, jsonb, boolean, integer) IS 'Applies a staged batch and says how many rows were created, updated, unchanged or rejected. mapping overrides the guessed one, header by header. Options: bad_values reject_row (default: a row with a bad value is set aside) or set_aside (the row is taken without the value); on_match update (default), fill (only what is empty) or skip; date_order dmy (default) or mdy; region of phone numbers without country code. A row is known again by its number in the source system, or by its name with an e-mail address, phone number or birth date, or as the very same row: applying a file twice changes nothing. With dry_run nothing is written but crm.import_reject. A notice every notice_every rows. Errors: P0002 no such batch; 55000 applied already; 22023 bad option or mapping; 42703 unknown column.';

CREATE FUNCTION crm.import_fix(batch_id bigint, row_number bigint, corrections jsonb) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    batch crm.import_batch;
    outcome text;
    bad text;
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
    PERFORM crm.import_chunk(batch_id, row_number, row_number);
    SELECT r.outcome INTO outcome FROM crm.import_result r WHERE r.batch_id = import_fix.batch_id AND r.row_number = import_fix.row_number;
    IF outcome <> 'rejected' THEN
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

/*
 * Taking a batch back.  What was changed by others since is theirs: it stays
 * and is named.
 */
CREATE FUNCTION crm.undo_import(batch_id bigint, OUT row_number bigint, OUT entity_id bigint, OUT reason text)
RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
SET client_min_messages = warning AS $$
#variable_conflict use_column
DECLARE
    batch crm.import_batch;
    e text;
    id_column text;
    apply_transaction xid8;
    referrer record;
    touched_sql text := '';
BEGIN
    PERFORM crm.require_installed();
    SELECT * INTO batch FROM crm.import_batch b WHERE b.id = undo_import.batch_id FOR UPDATE;
    IF NOT FOUND OR batch.status <> 'applied' THEN
        RAISE EXCEPTION 'import batch % is not applied', batch_id
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    e := batch.entity;
    id_column := e || '_id';
    DROP TABLE IF EXISTS pg_temp.crm_undo;
    CREATE TEMPORARY TABLE crm_undo ON COMMIT DROP AS
        SELECT r.row_number, r.outcome, r.entity_id, r.before, r.added, NULL::text AS reason
        FROM crm.import_result r WHERE r.batch_id = undo_import.batch_id AND r.outcome IN ('created', 'updated');
    ANALYZE pg_temp.crm_undo;

    -- Changed since: an entry of the audit log in a later transaction.
    UPDATE pg_temp.crm_undo u SET reason = 'changed since by ' || a.actor
    FROM (SELECT DISTINCT ON (l.row_id) l.row_id, l.actor FROM crm.audit_log l
          WHERE l.relation = e AND l.operation = 'update' AND l.at > batch.applied_at
            AND l.row_id IN (SELECT entity_id FROM pg_temp.crm_undo)
          ORDER BY l.row_id, l.id DESC) a
    WHERE a.row_id = u.entity_id;
    -- Points, tags, companies and the like added or changed since.
    IF e = 'contact' THEN
        UPDATE pg_temp.crm_undo u SET reason = coalesce(reason, format('%s changed since by %s', a.relation, a.actor))
        FROM (SELECT DISTINCT ON (l.contact_id) l.contact_id, l.relation, l.actor FROM crm.audit_log l
              WHERE l.relation <> 'contact' AND l.at > batch.applied_at
                AND l.contact_id IN (SELECT entity_id FROM pg_temp.crm_undo)
              ORDER BY l.contact_id, l.id DESC) a
        WHERE a.contact_id = u.entity_id AND u.outcome = 'created';
    END IF;
    EXECUTE format('UPDATE pg_temp.crm_undo u SET reason = coalesce(u.reason, ''an address or number was added since by '' || p.created_by)
                    FROM crm.%I p WHERE p.%I = u.entity_id AND u.outcome = ''created'' AND p.created_at > $1', e || '_point', id_column)
    USING batch.applied_at;
    -- Known again by a later batch.
    UPDATE pg_temp.crm_undo u SET reason = coalesce(u.reason, 'known again by a later import')
    FROM crm.import_result r JOIN crm.import_batch b ON b.id = r.batch_id
    WHERE r.entity_id = u.entity_id AND r.outcome <> 'created' AND r.batch_id > undo_import.batch_id AND b.status = 'applied' AND b.entity = e;
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
    UPDATE crm.import_batch b SET status = 'undone', undone_at = now() WHERE b.id = undo_import.batch_id;
    RETURN QUERY SELECT u.row_number, u.entity_id, u.reason FROM pg_temp.crm_undo u WHERE u.reason IS NOT NULL ORDER BY u.row_number;
    DROP TABLE pg_temp.crm_undo;
END
$$;
COMMENT ON FUNCTION crm.undo_import(bigint) IS 'Takes an applied batch back: what it created is deleted, what it changed gets its values of before, what it added is removed. Contacts and companies that were changed or referred to since are left as they are and returned, with the reason. Companies that were made from a contact''s company column stay. Errors: 55000 the batch is not applied.';

CREATE FUNCTION crm.purge_imports(older_than interval DEFAULT '90 days', as_of timestamptz DEFAULT now()) RETURNS bigint
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

/* ------------------------------------------------------------------
 * What the life cycle calls in the other domains, and crm.status().
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.key_versions(OUT kind text, OUT version integer) RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    VALUES ('name_key', crm.name_key_version()), ('email_match_key', crm.email_match_key_version())
$$;
COMMENT ON FUNCTION crm.key_versions() IS 'The versions of the rules by which this code makes match keys.';

CREATE FUNCTION crm.after_install() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO crm.key_version (kind, version)
    SELECT k.kind, k.version FROM crm.key_versions() k ON CONFLICT (kind) DO NOTHING;
    -- DROP EXTENSION ... CASCADE takes columns of our types with it; what was
    -- entered is still there, and writing it again derives them anew.
    UPDATE crm.contact_point SET raw = raw WHERE (kind = 'email' AND email IS NULL) OR (kind = 'phone' AND phone IS NULL);
    UPDATE crm.company_point SET raw = raw WHERE (kind = 'email' AND email IS NULL) OR (kind = 'phone' AND phone IS NULL);
END
$$;
COMMENT ON FUNCTION crm.after_install() IS 'Completes crm.install() and crm.upgrade(): records key versions and fills derived columns that a dropped extension took with it.';

CREATE FUNCTION crm.rebuild_keys() RETURNS bigint
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
    INSERT INTO crm.key_version (kind, version) SELECT k.kind, k.version FROM crm.key_versions() k
    ON CONFLICT (kind) DO UPDATE SET version = excluded.version, built_at = now();
    RETURN touched;
END
$$;
COMMENT ON FUNCTION crm.rebuild_keys() IS 'Derives all match keys and canonical forms again, after an update of the package that changed their rules (crm.status() says when). Rewrites every contact, company and point without changing what was entered; returns the number of rows. Takes row locks on all of them.';

CREATE FUNCTION crm.before_uninstall() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
END
$$;
COMMENT ON FUNCTION crm.before_uninstall() IS 'Undoes what crm keeps outside its schema: scheduled jobs.';

CREATE FUNCTION crm.create_roles() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
END
$$;
COMMENT ON FUNCTION crm.create_roles() IS 'Creates the roles of crm that are missing and grants them their rights. Errors: 42501 when the caller may not create roles.';

CREATE FUNCTION crm.status(OUT item text, OUT state text, OUT detail text, OUT hint text) RETURNS SETOF record
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
    RETURN QUERY SELECT 'keys', CASE WHEN v.version = k.version THEN 'ok' ELSE 'warning' END,
        format('%s: stored by rules %s, the code has %s', k.kind, coalesce(v.version::text, 'unknown'), k.version),
        CASE WHEN v.version IS DISTINCT FROM k.version THEN 'Run SELECT crm.rebuild_keys() when the load allows it.' END
    FROM crm.key_versions() k LEFT JOIN crm.key_version v USING (kind);
    RETURN QUERY SELECT 'phone numbering plans', 'info', crm.phone_metadata_version(), NULL::text;
    RETURN QUERY SELECT 'imports', 'info', format('%s rows set aside and not looked at', count(*)), 'SELECT * FROM crm.import_reject WHERE resolved_at IS NULL'
    FROM crm.import_reject WHERE resolved_at IS NULL HAVING count(*) > 0;
END
$$;
COMMENT ON FUNCTION crm.status() IS 'The state of the installation, a row a finding: item, state (ok, info, warning, error), detail and what to do about it. Looks at versions, missing or disabled objects, key versions, owner, encoding, jobs.';

CREATE FUNCTION crm.schema_source(OUT "position" integer, OUT kind text, OUT name text, OUT source text)
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
CREATE INDEX contact_owner ON crm.contact (owner_id) WHERE deleted_at IS NULL AND owner_id IS NOT NULL;
CREATE INDEX contact_attrs ON crm.contact USING gin (attrs jsonb_path_ops) WHERE attrs <> '{}'::jsonb;
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
COMMENT ON TABLE crm.completeness_weight IS 'What makes a contact complete: crm.completeness() is the filled share of these weights.';
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
    inactive_for interval NOT NULL, -- Not changed and not in touch for so long.
    without_deals boolean NOT NULL DEFAULT true, -- Only contacts without an open or won deal.
    enabled boolean NOT NULL DEFAULT true -- Whether the job applies it.
);
COMMENT ON TABLE crm.archive_rule IS 'Which contacts crm.archive_contacts() sets aside as no longer of interest; crm.restore_contacts() takes them back.';
$crm_source$), (7, 'table', '11-contact-trigger', $crm_source$
-- The functions here are owned by whoever installs and run with that role's
-- rights: who may write a contact need not be able to write its keys.

CREATE FUNCTION crm.refresh_contact_keys(contact_ids bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM crm.contact_key k
    WHERE k.contact_id = ANY (contact_ids)
      AND NOT EXISTS (SELECT FROM crm.contact_keys_of(contact_ids) n
                      WHERE n.kind = k.kind AND n.key = k.key AND n.contact_id = k.contact_id);
    INSERT INTO crm.contact_key (kind, key, contact_id)
    SELECT n.kind, n.key, n.contact_id FROM crm.contact_keys_of(contact_ids) n
    ON CONFLICT (kind, key, contact_id) DO NOTHING;
END
$$;
REVOKE ALL ON FUNCTION crm.refresh_contact_keys(bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION crm.refresh_contact_keys(bigint[]) IS 'Brings crm.contact_key in line with the contacts named. Errors: 23505 when an account or external number belongs to another living contact.';

CREATE FUNCTION crm.contact_keys_of(contact_ids bigint[], OUT kind text, OUT key text, OUT contact_id bigint)
RETURNS SETOF record LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    WITH living AS (
        SELECT c.id, c.name_key, c.birth_date, c.tax_id FROM crm.contact c
        WHERE c.id = ANY (contact_ids) AND c.deleted_at IS NULL AND c.merged_into IS NULL
    )
    SELECT p.kind, p.match_key, p.contact_id
    FROM living JOIN crm.contact_point p ON p.contact_id = living.id
    WHERE p.match_key IS NOT NULL
    UNION
    SELECT 'tax_id', crm.tax_key(living.tax_id), living.id FROM living WHERE crm.tax_key(living.tax_id) IS NOT NULL
    UNION
    SELECT 'name_birth', living.name_key || '|' || to_char(living.birth_date, 'YYYYMMDD'), living.id
    FROM living WHERE living.name_key <> '' AND living.birth_date IS NOT NULL
    UNION
    SELECT 'identity', i.provider || ':' || i.external_id, i.contact_id
    FROM living JOIN crm.contact_identity i ON i.contact_id = living.id
    UNION
    SELECT 'external', r.system || ':' || r.external_id, r.contact_id
    FROM living JOIN crm.external_ref r ON r.contact_id = living.id
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
        INSERT INTO crm.contact_key (kind, key, contact_id)
        SELECT 'name_birth', n.name_key || '|' || to_char(n.birth_date, 'YYYYMMDD'), n.id
        FROM new_rows n
        WHERE n.name_key <> '' AND n.birth_date IS NOT NULL AND n.deleted_at IS NULL AND n.merged_into IS NULL
        ORDER BY 1, 2
        ON CONFLICT (kind, key, contact_id) DO NOTHING;
        INSERT INTO crm.contact_key (kind, key, contact_id)
        SELECT 'tax_id', crm.tax_key(n.tax_id), n.id
        FROM new_rows n
        WHERE n.tax_id IS NOT NULL AND crm.tax_key(n.tax_id) IS NOT NULL AND n.deleted_at IS NULL AND n.merged_into IS NULL
        ORDER BY 1, 2
        ON CONFLICT (kind, key, contact_id) DO NOTHING;
    WHEN 'contact_point' THEN
        INSERT INTO crm.contact_key (kind, key, contact_id)
        SELECT n.kind, n.match_key, n.contact_id
        FROM new_rows n JOIN crm.contact c ON c.id = n.contact_id
        WHERE n.match_key IS NOT NULL AND c.deleted_at IS NULL AND c.merged_into IS NULL
        ORDER BY 1, 2
        ON CONFLICT (kind, key, contact_id) DO NOTHING;
    WHEN 'contact_identity' THEN
        INSERT INTO crm.contact_key (kind, key, contact_id)
        SELECT 'identity', n.provider || ':' || n.external_id, n.contact_id
        FROM new_rows n JOIN crm.contact c ON c.id = n.contact_id
        WHERE c.deleted_at IS NULL AND c.merged_into IS NULL
        ORDER BY 1, 2
        ON CONFLICT (kind, key, contact_id) DO NOTHING;
    WHEN 'external_ref' THEN
        INSERT INTO crm.contact_key (kind, key, contact_id)
        SELECT 'external', n.system || ':' || n.external_id, n.contact_id
        FROM new_rows n JOIN crm.contact c ON c.id = n.contact_id
        WHERE c.deleted_at IS NULL AND c.merged_into IS NULL
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
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids bigint[];
BEGIN
    IF TG_TABLE_NAME = 'contact' THEN
        IF TG_OP = 'DELETE' THEN
            DELETE FROM crm.contact_key WHERE contact_id IN (SELECT id FROM old_rows);
            RETURN NULL;
        END IF;
        SELECT array_agg(o.id) INTO ids
        FROM old_rows o JOIN new_rows n USING (id)
        WHERE (o.name_key, o.birth_date, o.tax_id, o.deleted_at IS NULL, o.merged_into)
              IS DISTINCT FROM (n.name_key, n.birth_date, n.tax_id, n.deleted_at IS NULL, n.merged_into);
    ELSIF TG_OP = 'DELETE' THEN
        SELECT array_agg(DISTINCT contact_id) INTO ids FROM old_rows;
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
            SELECT array_agg(o.id) INTO ids
            FROM old_rows o JOIN new_rows n USING (id)
            WHERE (o.name_key, o.tax_id, o.registration_id, o.lei, o.deleted_at IS NULL)
                  IS DISTINCT FROM (n.name_key, n.tax_id, n.registration_id, n.lei, n.deleted_at IS NULL);
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
CREATE TRIGGER key_delete AFTER DELETE ON crm.company_external_ref REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.company_key_change();

CREATE TRIGGER attrs_insert AFTER INSERT ON crm.contact REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.check_attrs();
CREATE TRIGGER attrs_update AFTER UPDATE ON crm.contact REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.check_attrs();
CREATE TRIGGER attrs_insert AFTER INSERT ON crm.company REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.check_attrs();
CREATE TRIGGER attrs_update AFTER UPDATE ON crm.company REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.check_attrs();

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON crm.consent FOR EACH ROW EXECUTE FUNCTION crm.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON crm.consent FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_change();

CREATE TRIGGER audit_insert AFTER INSERT ON crm.contact REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_change AFTER UPDATE OR DELETE ON crm.contact FOR EACH ROW EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_insert AFTER INSERT ON crm.company REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_change AFTER UPDATE OR DELETE ON crm.company FOR EACH ROW EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_change AFTER UPDATE OR DELETE ON crm.contact_point FOR EACH ROW EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_change AFTER UPDATE OR DELETE ON crm.company_point FOR EACH ROW EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_insert AFTER INSERT ON crm.contact_identity REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_change AFTER UPDATE OR DELETE ON crm.contact_identity FOR EACH ROW EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_change AFTER UPDATE OR DELETE ON crm.external_ref FOR EACH ROW EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_change AFTER UPDATE OR DELETE ON crm.company_external_ref FOR EACH ROW EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_insert AFTER INSERT ON crm.company_contact REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_change AFTER UPDATE OR DELETE ON crm.company_contact FOR EACH ROW EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_insert AFTER INSERT ON crm.contact_need REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_change AFTER UPDATE OR DELETE ON crm.contact_need FOR EACH ROW EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_insert AFTER INSERT ON crm.tag REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_change AFTER UPDATE OR DELETE ON crm.tag FOR EACH ROW EXECUTE FUNCTION crm.audit();

CREATE TRIGGER audit_insert AFTER INSERT ON crm.custom_field REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_change AFTER UPDATE OR DELETE ON crm.custom_field FOR EACH ROW EXECUTE FUNCTION crm.audit();
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
    undone_at timestamptz -- When it was undone.
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
    batch_id bigint NOT NULL REFERENCES crm.import_batch (id) ON DELETE CASCADE, -- The batch.
    row_number bigint NOT NULL, -- Number of the row.
    outcome text NOT NULL CHECK (outcome IN ('created', 'updated', 'unchanged', 'rejected')), -- created, updated, unchanged or rejected.
    entity_id bigint, -- The contact or company it became; null when rejected.
    fingerprint uuid, -- MD5 of a row that has no number, address or date to be known by.
    before jsonb, -- Of an update: the columns it changed, with their values before.
    added jsonb, -- What it added: {"points": [ids], "tags": [...], "companies": [ids], "external_ids": [...]}.
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
$crm_source$)) AS source ("position", kind, name, source) $crm_function$;
COMMENT ON FUNCTION crm.schema_source() IS 'The statements by which crm.install() makes tables and views, one row a source file, in the order of execution; kind is table, view or migration.';
