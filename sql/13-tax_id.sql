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
