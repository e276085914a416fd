CREATE SEQUENCE crm.audit_log_id_seq;

CREATE TABLE crm.audit_log (
    relation text NOT NULL, -- Table of the row, without schema.
    row_id bigint NOT NULL, -- Its id; 0 for tables without a numeric id.
    id bigint NOT NULL DEFAULT nextval('crm.audit_log_id_seq'), -- Number of the entry; grows with time.
    contact_id bigint, -- The contact whose data it is; null when none.
    operation text NOT NULL CHECK (operation IN ('insert', 'update', 'delete')), -- insert, update or delete.
    changes jsonb, -- {"column": {"old": ..., "new": ...}} of each column that changed; a delete has the old values only; null for an insert, whose values are the row's.
    at timestamptz NOT NULL DEFAULT now(), -- When: start of the transaction.
    actor text NOT NULL, -- The person: setting crm.actor, otherwise the session's role.
    role text NOT NULL, -- The database role with whose rights the change was made.
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(), -- The transaction that made the change.
    PRIMARY KEY (row_id, relation, id)
);
COMMENT ON TABLE crm.audit_log IS 'Every change of contacts, companies and what hangs on them, field by field, written by triggers in the transaction that makes it.';
CREATE INDEX audit_log_contact ON crm.audit_log (contact_id, id) WHERE contact_id IS NOT NULL AND operation <> 'insert';
CREATE INDEX audit_log_at ON crm.audit_log USING brin (at);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON crm.audit_log FOR EACH ROW EXECUTE FUNCTION crm.refuse_audit_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON crm.audit_log FOR EACH STATEMENT EXECUTE FUNCTION crm.refuse_audit_change();
