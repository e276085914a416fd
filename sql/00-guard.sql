\echo Use "CREATE EXTENSION crm" to load this file. \quit

-- The script of a trusted extension runs with the rights of a superuser, and
-- the schema may hold operators and functions that somebody put there: look up
-- nothing in it that is not named in full.
SET LOCAL search_path = pg_catalog, pg_temp;

/*
 * A schema that was there before the extension belongs to whoever made it, and
 * its owner could replace what we put into it.  Refuse one whose owner is
 * neither a superuser nor the role that creates the extension; warn a
 * superuser.
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
    IF schema_owner OPERATOR(pg_catalog.=) extension_owner
       OR (SELECT rolsuper FROM pg_catalog.pg_roles WHERE oid OPERATOR(pg_catalog.=) schema_owner) THEN
        NULL;
    ELSIF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE oid OPERATOR(pg_catalog.=) extension_owner) THEN
        -- A superuser may restore another role's dump; crm.install() looks again.
        RAISE WARNING 'schema "crm" belongs to another role, "%"', pg_catalog.pg_get_userbyid(schema_owner);
    ELSE
        RAISE EXCEPTION 'schema "crm" belongs to another role, "%"', pg_catalog.pg_get_userbyid(schema_owner)
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'Drop the schema, or give it to the role that creates the extension: ALTER SCHEMA crm OWNER TO ...';
    END IF;
END
$$;

-- Everybody may look up our types and call our functions; what these may read
-- and write is a matter of the rights on the tables.
GRANT USAGE ON SCHEMA crm TO PUBLIC;
