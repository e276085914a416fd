/* ------------------------------------------------------------------
 * At the door: the duplicates of a record that is entered.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.build_match_keys(model text) RETURNS bigint
LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'crm_door_sql_build';
COMMENT ON FUNCTION crm.build_match_keys(text) IS 'Makes the keys of all rows of a match model by which crm.find_duplicates() looks for duplicates, and returns how many rows there are. To be run after each training; crm.dedup_tick() does it for models at the door. Errors: 42704 no such model; 55000 not trained; 53400 crm.match_memory does not suffice.';

CREATE FUNCTION crm.find_duplicates(model text, record jsonb, max_results integer DEFAULT 10, min_probability float8 DEFAULT 0.1,
    OUT record_id text, OUT weight float8, OUT probability float8, OUT explanation jsonb)
RETURNS SETOF record
LANGUAGE c STABLE STRICT ROWS 5
AS 'MODULE_PATHNAME', 'crm_door_sql_find';
COMMENT ON FUNCTION crm.find_duplicates(text, jsonb, integer, float8) IS 'The rows that are probably one thing with a record that is not in the table yet: keys of record are columns of the model''s table. The most probable come first. explanation has the level and weight, in bits, of each field that both have, then what a household and the prior add; they sum up to weight. When record has the row''s number, that row is left out. Reads the rows with the rights of the caller. Errors: 42704 no such model; 55000 not trained, or crm.build_match_keys() is to be run; 22023 a key is no column.';

/* Of two literals without a type the server can tell only texts. */
CREATE FUNCTION crm.find_duplicates(model text, record text, max_results integer DEFAULT 10, min_probability float8 DEFAULT 0.1,
    OUT record_id text, OUT weight float8, OUT probability float8, OUT explanation jsonb)
RETURNS SETOF record
LANGUAGE c STABLE STRICT ROWS 5
AS 'MODULE_PATHNAME', 'crm_door_sql_find_text';
COMMENT ON FUNCTION crm.find_duplicates(text, text, integer, float8) IS 'crm.find_duplicates(text, jsonb, integer, float8) of a record written as text. Errors as there; 22P02 the text is not JSON.';
