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
