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
LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000 ROWS 100
SET standard_conforming_strings = on AS 'MODULE_PATHNAME', 'crm_schema_statements';
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
    -- No exception block: it would be a subtransaction, which parallel queries cannot start.
    IF NOT has_schema_privilege('crm', 'USAGE') OR NOT has_table_privilege(to_regclass('crm.installation'), 'SELECT') THEN
        RAISE EXCEPTION 'permission denied for the tables of crm' USING ERRCODE = 'insufficient_privilege',
            HINT = 'The owner of the tables grants rights: crm.install(roles => true) makes roles that have them.';
    END IF;
    IF to_regclass('crm.installation') IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT version FROM crm.installation);
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

CREATE FUNCTION crm.rows_are_hidden(relation regclass) RETURNS boolean
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
    SELECT row_security_active(relation::oid)
       AND (NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = relation AND p.polpermissive AND p.polcmd IN ('*', 'r')
                          AND pg_get_expr(p.polqual, p.polrelid) = 'true'
                          AND EXISTS (SELECT FROM unnest(p.polroles) r WHERE CASE WHEN r = 0 THEN true ELSE pg_has_role(r, 'USAGE') END))
            OR EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = relation AND NOT p.polpermissive))
$$;
COMMENT ON FUNCTION crm.rows_are_hidden(regclass) IS 'Whether row level security may hide rows of a table from the present role: it binds the role, and no policy lets it see all, or a restrictive one may not.';

/*
 * Refuses to work where the result would not belong to the caller, or where
 * somebody else could change it.
 */
CREATE FUNCTION crm.require_own_schema() RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    schema_owner oid := (SELECT nspowner FROM pg_namespace WHERE nspname = 'crm');
    tables_owner name := (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = to_regclass('crm.installation'));
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
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
       AND NOT (SELECT rolsuper FROM pg_roles WHERE oid = schema_owner) THEN
        RAISE EXCEPTION 'a superuser cannot own tables in schema "crm", which belongs to "%"', pg_get_userbyid(schema_owner)
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'That role could replace functions which would then run with the rights of a superuser.',
                  HINT = format('SET ROLE %I, or ALTER SCHEMA crm OWNER TO %I.', pg_get_userbyid(schema_owner), current_user);
    END IF;
    IF pg_encoding_to_char((SELECT encoding FROM pg_database WHERE datname = current_database())) <> 'UTF8' THEN
        RAISE EXCEPTION 'the tables of crm need a database in UTF8'
            USING ERRCODE = 'feature_not_supported', HINT = 'CREATE DATABASE ... ENCODING UTF8 TEMPLATE template0.';
    END IF;
    IF NOT (pg_has_role(schema_owner, 'USAGE')
            OR (SELECT rolsuper FROM pg_roles WHERE oid = schema_owner)
            OR schema_owner = (SELECT datdba FROM pg_database WHERE datname = current_database())) THEN
        RAISE EXCEPTION 'schema "crm" belongs to another role, "%"', pg_get_userbyid(schema_owner)
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'The owner of a schema may drop what is in it.',
                  HINT = format('ALTER SCHEMA crm OWNER TO %I', current_user);
    END IF;
    IF tables_owner <> current_user THEN
        RAISE EXCEPTION 'the tables of crm belong to role "%", not to "%"', tables_owner, current_user
            USING ERRCODE = 'insufficient_privilege',
                  DETAIL = 'What is made or replaced would belong to another role than the tables: their owner could not use it, and its functions would run with other rights.',
                  HINT = format('SET LOCAL ROLE %I; in the transaction, before the call.', tables_owner);
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
                  HINT = format('ALTER TABLE crm.%I OWNER TO %I', stranger.relname, current_user);
    END IF;
END
$$;
COMMENT ON FUNCTION crm.require_own_schema() IS 'Raises 42501 when the caller may not create in schema crm, is not the owner of the tables that are installed, or when the schema or one of our relations belongs to a stranger; raises 55000 inside an extension script.';

/*
 * Whether a view is still the one that a statement makes: both are deparsed.
 * A dump has the deparsed text, and a view that is made of it may be deparsed
 * differently again; after a few rounds that comes to rest.
 */
CREATE FUNCTION crm.view_is_unchanged(view_name text, statement text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present CONSTANT text := pg_get_viewdef(format('crm.%I', view_name)::regclass);
    probe text := replace(statement, 'CREATE VIEW crm.' || view_name, 'CREATE TEMPORARY VIEW crm_view_probe');
    before text;
BEGIN
    FOR restored IN 0 .. 3 LOOP
        before := probe;
        EXECUTE CASE restored WHEN 0 THEN probe ELSE 'CREATE TEMPORARY VIEW crm_view_probe AS ' || probe END;
        probe := pg_get_viewdef('pg_temp.crm_view_probe'::regclass);
        DROP VIEW pg_temp.crm_view_probe;
        IF probe = present THEN
            RETURN true;
        END IF;
        EXIT WHEN probe = before;
    END LOOP;
    RETURN false;
EXCEPTION
    WHEN undefined_column OR undefined_table OR undefined_function OR undefined_object THEN
        RETURN false;           -- the old statement no longer fits the tables
END
$$;
COMMENT ON FUNCTION crm.view_is_unchanged(text, text) IS 'Whether view crm.<view_name> has the definition that the CREATE VIEW statement gives; independent of how a server version prints it and of dumps that it went through.';

/* What of the user's has the name of something of ours is named, not taken over. */

CREATE FUNCTION crm.require_kind(kind text, name text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present text;
BEGIN
    SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'c' THEN 'type'
                          WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' WHEN 'f' THEN 'foreign table' ELSE 'table' END INTO present
    FROM pg_class c WHERE c.relname = $2 AND c.relnamespace = 'crm'::regnamespace;
    IF kind IN ('table', 'view', 'sequence', 'index') AND present <> kind THEN
        RAISE EXCEPTION '% "crm.%" is in the way: crm has a % of that name', present, name, kind
            USING ERRCODE = 'duplicate_table', HINT = format('Move it: ALTER %s crm.%I RENAME TO ...', upper(present), name);
    END IF;
END
$$;
COMMENT ON FUNCTION crm.require_kind(text, text) IS 'Raises 42P07 when a relation in schema crm is of another kind (table, view, sequence, index) than ours of that name.';

CREATE FUNCTION crm.require_ours(kind text, relation text, name text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    stranger regprocedure;
BEGIN
    IF kind = 'table' THEN
        RAISE EXCEPTION 'table "crm.%" is in the way: it was not made by crm', name
            USING ERRCODE = 'duplicate_table', HINT = format('Move it: ALTER TABLE crm.%I RENAME TO ...', name);
    ELSIF kind = 'trigger' THEN
        SELECT t.tgfoid INTO stranger FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
        WHERE t.tgrelid = format('crm.%I', relation)::regclass AND t.tgname = $3 AND NOT t.tgisinternal
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
          AND NOT (p.pronamespace = 'crm'::regnamespace AND EXISTS (SELECT FROM crm.schema_object o WHERE o.kind = 'function' AND o.name = p.proname));
        IF FOUND THEN
            RAISE EXCEPTION 'trigger "%" on crm.% is in the way: it was not made by crm', name, relation
                USING ERRCODE = 'duplicate_object', DETAIL = format('It executes %s.', stranger),
                      HINT = format('Move it: ALTER TRIGGER %I ON crm.%I RENAME TO ...', name, relation);
        END IF;
    ELSE
        SELECT p.oid INTO stranger FROM pg_proc p
        WHERE p.proname = $3 AND p.pronamespace = 'crm'::regnamespace
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e');
        IF FOUND THEN
            RAISE EXCEPTION 'function % is in the way: it was not made by crm', stranger
                USING ERRCODE = 'duplicate_function', HINT = format('Move it: ALTER FUNCTION %s RENAME TO ...', stranger);
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION crm.require_ours(text, text, text) IS 'Raises for an object of which there is no record that we made it: 42P07 a table, 42710 a trigger with a function that is not ours, 42723 a function.';

CREATE FUNCTION crm.table_columns(statement text, OUT name text, OUT type text) RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.name, to_regtype(regexp_replace(regexp_replace(c.definition, '^\S+\s+', ''),
                                             '\s+(NOT|NULL|DEFAULT|COLLATE|REFERENCES|PRIMARY|UNIQUE|CHECK|CONSTRAINT|GENERATED)\M.*$', ''))::text
    FROM crm.schema_statements($1) s CROSS JOIN LATERAL unnest(s.columns, s.definitions) AS c (name, definition)
$$;
COMMENT ON FUNCTION crm.table_columns(text) IS 'The columns that a CREATE TABLE of ours gives, with their types, without what limits their length.';

CREATE FUNCTION crm.require_our_columns(relation text, recorded text, statement text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    stranger record;
BEGIN
    SELECT c.name, c.type, a.atttypid::regtype AS present INTO stranger
    FROM crm.table_columns(statement) c
    JOIN pg_attribute a ON a.attrelid = format('crm.%I', relation)::regclass AND a.attname = c.name AND NOT a.attisdropped
    WHERE a.atttypid IS DISTINCT FROM to_regtype(c.type) AND c.name NOT IN (SELECT r.name FROM crm.table_columns(recorded) r)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'column "%" of table "crm.%" is in the way: it is of type %, that of crm of type %', stranger.name, relation, stranger.present, stranger.type
            USING ERRCODE = 'duplicate_column', HINT = format('Move it: ALTER TABLE crm.%I RENAME COLUMN %I TO ...', relation, stranger.name);
    END IF;
END
$$;
COMMENT ON FUNCTION crm.require_our_columns(text, text, text) IS 'Raises 42701 when a table has a column that its recorded statement lacks and the new one has with another type.';

/*
 * Makes what is missing.  Objects that exist are left alone, except views and
 * triggers that we made from an older statement and nobody changed since.
 */
CREATE FUNCTION crm.converge(INOUT created integer DEFAULT 0, OUT kept text[])
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET standard_conforming_strings = on
SET client_min_messages = warning AS $$
DECLARE
    item record;
    made text[] := '{}';        -- relations created in this run
    installed CONSTANT text := crm.installed_version();
    -- Restored without its rows, or without the table: what is there is ours, but nothing says so.
    adopting boolean := false;
    is_empty boolean;
    seeded text[] := '{}';      -- relations whose first rows are written again
    recorded text;
    column_name text;
    column_number integer;
    is_there boolean;
BEGIN
    kept := '{}';
    IF to_regclass('crm.schema_object') IS NULL THEN
        adopting := installed IS NOT NULL;
    ELSE
        adopting := NOT EXISTS (SELECT FROM crm.schema_object);
    END IF;
    FOR item IN
        SELECT s.* FROM crm.schema_source() f, crm.schema_statements(f.source) s
        WHERE f.kind <> 'migration' ORDER BY f."position", s."position"
    LOOP
        is_there := crm.object_exists(item.kind, item.relation, item.name);
        IF is_there THEN
            PERFORM crm.require_kind(item.kind, item.name);
        END IF;
        -- Of an older version they are not made by these statements.
        IF is_there AND adopting AND (item.kind NOT IN ('view', 'trigger', 'function') OR coalesce(installed, crm.code_version()) = crm.code_version()) THEN
            INSERT INTO crm.schema_object (kind, relation, name, statement)
            VALUES (item.kind, coalesce(item.relation, item.name), item.name, item.statement)
            ON CONFLICT (kind, relation, name) DO NOTHING;
        END IF;
        IF is_there THEN
            recorded := NULL;
            IF to_regclass('crm.schema_object') IS NOT NULL THEN
                SELECT o.statement INTO recorded FROM crm.schema_object o
                WHERE o.kind = item.kind AND o.relation = coalesce(item.relation, item.name) AND o.name = item.name;
            END IF;
            IF recorded IS NULL AND NOT adopting AND item.kind IN ('table', 'trigger', 'function') THEN
                PERFORM crm.require_ours(item.kind, item.relation, item.name);
            END IF;
            IF item.kind = 'table' THEN
                IF recorded <> item.statement THEN
                    PERFORM crm.require_our_columns(item.name, recorded, item.statement);
                    UPDATE crm.schema_object o SET statement = item.statement WHERE o.kind = 'table' AND o.name = item.name;
                END IF;
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
            is_empty := false;
            IF adopting AND installed IS NULL AND item.kind = 'seed' AND NOT item.relation = ANY (seeded) THEN
                EXECUTE format('SELECT NOT EXISTS (SELECT FROM crm.%I)', item.relation) INTO is_empty;
            END IF;
            IF is_empty THEN
                seeded := seeded || item.relation;
            END IF;
            CONTINUE WHEN NOT item.relation = ANY (made) AND NOT item.relation = ANY (seeded);
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
COMMENT ON FUNCTION crm.converge(integer) IS 'Makes the tables, columns, indexes, triggers and views that are missing, and replaces views and triggers of an older version that nobody changed. Gives the number of objects made, and those kept because the user changed them. Used by crm.install() and crm.upgrade(). Errors: 42P07, 42701, 42710, 42723 a relation, column, trigger or function of yours has the name of one of ours.';

CREATE FUNCTION crm.renew_grants() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_namespace n CROSS JOIN aclexplode(n.nspacl) a JOIN pg_roles r ON r.oid = a.grantee
               WHERE n.nspname = 'crm' AND r.rolname = 'crm_admin') THEN
        PERFORM crm.create_roles();
    END IF;
END
$$;
COMMENT ON FUNCTION crm.renew_grants() IS 'Gives the roles of crm.create_roles() their rights on what is new, where it has been called in this database.';

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
    ELSIF outcome.created > 0 THEN
        PERFORM crm.renew_grants();
    END IF;
    RETURN CASE
        WHEN installed IS NULL THEN format('crm %s installed: %s objects', crm.code_version(), outcome.created)
        WHEN outcome.created = 0 THEN format('crm %s is complete', crm.code_version())
        ELSE format('crm %s repaired: %s objects', crm.code_version(), outcome.created)
    END || CASE WHEN outcome.kept <> '{}' THEN '; kept as you changed them: ' || array_to_string(outcome.kept, ', ') ELSE '' END;
END
$$;
COMMENT ON FUNCTION crm.install(boolean) IS 'Makes the tables, indexes, triggers, views and first rows of crm in schema crm as ordinary objects of the calling role; run again, it makes what is missing (the repair command), with the rights that crm.create_roles() has given. With roles => true also the roles crm_admin, crm_manager, crm_agent, crm_marketer, crm_analyst, crm_gateway and crm_portal with their rights. Says what it did. Errors: 42501 not the owner of the tables, or roles are missing and the caller may not create them; 42P07, 42701, 42710, 42723 something of yours has the name of what is to be made; RM011 older tables, run crm.upgrade(); 55000 inside an extension script.';

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
    PERFORM crm.renew_grants();
    RETURN CASE
        WHEN installed = crm.code_version() AND outcome.created = 0 THEN format('crm %s is up to date', installed)
        ELSE format('crm upgraded from %s to %s: %s objects, %s migration steps', installed, crm.code_version(), outcome.created, steps)
    END || CASE WHEN outcome.kept <> '{}' THEN '; kept as you changed them: ' || array_to_string(outcome.kept, ', ') ELSE '' END;
END
$$;
COMMENT ON FUNCTION crm.upgrade() IS 'After ALTER EXTENSION crm UPDATE: brings the tables, triggers and views to the version of the code. Columns, indexes, policies, rows and replaced views of the user are kept. Where crm.create_roles() has given the roles their rights, they get those on what is new. Errors: RM010 not installed; RM011 tables newer than the code; 42501 not the owner of the tables; 42P07, 42701, 42710, 42723 something of yours has the name of what is to be made.';

CREATE FUNCTION crm.uninstall(confirm text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning AS $$
DECLARE
    item text;
    removed integer;
    outside text;               -- what is left in another database
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
    outside := crm.before_uninstall();
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
        || CASE WHEN outside LIKE 'SELECT %' THEN '; left in pg_cron: ' || outside ELSE '' END
        || '. To remove the code as well: DROP EXTENSION crm';
END
$$;
COMMENT ON FUNCTION crm.uninstall(text) IS 'Removes all tables, views and rows of crm when confirm is the name of the current database; otherwise refuses with RM012. Refuses (2BP01) while objects of the user depend on them. The roles of crm.install(roles => true) stay: other databases may use them. Afterwards DROP EXTENSION crm removes the code.';
