/* ------------------------------------------------------------------
 * History: triggers that write what changed, in the statement that changes it.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.audit() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'crm_audit';
COMMENT ON FUNCTION crm.audit() IS 'Trigger: writes crm.audit_log. Attached AFTER INSERT FOR EACH STATEMENT (REFERENCING NEW TABLE) and AFTER UPDATE OR DELETE FOR EACH ROW, it records each changed column with its old and new value, the actor (setting crm.actor or the session''s role), the role and the transaction. Writes with the rights of the table''s owner.';
