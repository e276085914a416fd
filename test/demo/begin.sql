-- How the story is printed. The files of this folder are read one after the
-- other by test/demo/tell, in one session.
\set ON_ERROR_STOP on
\set QUIET on
\set SHOW_CONTEXT never
\pset pager off
\pset footer off
\pset null ''
\pset linestyle unicode
\pset border 2
\pset format wrapped
\pset columns 100
SET client_min_messages = warning;
SET search_path = crm, public;
\set table '\\pset format wrapped \\pset tuples_only off'
\set plain '\\pset format unaligned \\pset tuples_only on'
-- Breaks a text between words, so that lines stay within width where they can.
CREATE FUNCTION pg_temp.fold(text, width integer) RETURNS text LANGUAGE plpgsql STRICT AS $$
DECLARE
    word text;
    line text := '';
    folded text := '';
BEGIN
    FOREACH word IN ARRAY regexp_split_to_array(btrim($1), '\s+') LOOP
        IF line <> '' AND length(line) + 1 + length(word) > width THEN
            folded := folded || line || E'\n';
            line := word;
        ELSE
            line := ltrim(line || ' ' || word);
        END IF;
    END LOOP;
    RETURN folded || line;
END
$$;
-- Ends the story, and with it the demo, when what it tells is not so.
CREATE FUNCTION pg_temp.insist(truth boolean, otherwise text, hint text DEFAULT 'This should not happen.') RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF truth IS NOT TRUE THEN
        RAISE EXCEPTION '%', otherwise USING HINT = hint;
    END IF;
    RETURN true;
END
$$;
