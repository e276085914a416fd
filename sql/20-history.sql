/* ------------------------------------------------------------------
 * History: triggers that write what changed, in the statement that changes it.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.audit() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'crm_audit';
COMMENT ON FUNCTION crm.audit() IS 'Trigger: writes crm.audit_log. Attached AFTER INSERT, UPDATE and DELETE, each FOR EACH STATEMENT with its transition tables, it records each changed column with its old and new value, the actor (setting crm.actor or the session''s role), the role and the transaction. Writes with the rights of the table''s owner.';

CREATE FUNCTION crm.refuse_audit_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'entries of crm.% cannot be changed or removed', TG_TABLE_NAME
        USING ERRCODE = 'RM020', HINT = 'crm.purge_audit() removes what is older than you must keep.';
END
$$;
COMMENT ON FUNCTION crm.refuse_audit_change() IS 'Trigger: keeps the audit log append-only. Raises RM020.';

CREATE FUNCTION crm.refuse_truncate() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'crm.% cannot be truncated', TG_TABLE_NAME
        USING ERRCODE = 'RM020',
              DETAIL = 'TRUNCATE would leave the keys of its rows behind and write no history.',
              HINT = 'Use DELETE; or crm.uninstall() to remove everything.';
END
$$;
COMMENT ON FUNCTION crm.refuse_truncate() IS 'Trigger: refuses TRUNCATE of a table whose rows have keys or history elsewhere. Raises RM020.';

CREATE FUNCTION crm.purge_audit(older_than interval, as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    purged bigint;
BEGIN
    IF older_than IS NULL OR older_than < interval '1 day' THEN
        RAISE EXCEPTION 'an audit log of less than a day is none: older_than is %', coalesce(older_than::text, 'null')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give for example interval ''3 years''.';
    END IF;
    ALTER TABLE crm.audit_log DISABLE TRIGGER append_only;
    DELETE FROM crm.audit_log WHERE at < as_of - older_than;
    GET DIAGNOSTICS purged = ROW_COUNT;
    ALTER TABLE crm.audit_log ENABLE TRIGGER append_only;
    RETURN purged;
END
$$;
COMMENT ON FUNCTION crm.purge_audit(interval, timestamptz) IS 'Removes the entries of the audit log that are older than older_than before as_of, for the owner of the table only; returns their number. Takes a SHARE ROW EXCLUSIVE lock on the log: writers wait. Errors: 22023 less than a day; 42501 not the owner.';

CREATE FUNCTION crm.merge_mode() RETURNS text
LANGUAGE c STABLE PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'crm_merge_mode_text';
COMMENT ON FUNCTION crm.merge_mode() IS 'For triggers: merge while a merge copies rows from one contact to another, undo while crm.unmerge() writes rows as they were before (leave updated_at and the like alone then), otherwise off. Roles that may not write crm.merge_journal always get off.';
