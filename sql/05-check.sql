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
