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

CREATE FUNCTION crm.is_phone_region(region text) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1 AS 'MODULE_PATHNAME', 'crm_phone_is_region';
COMMENT ON FUNCTION crm.is_phone_region(text) IS 'Whether there is a numbering plan of this region, two upper-case letters of ISO 3166-1. Functions that take a region raise 22023 for others.';

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
