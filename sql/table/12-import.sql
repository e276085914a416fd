CREATE SEQUENCE crm.import_batch_id_seq;

CREATE TABLE crm.import_batch (
    id bigint PRIMARY KEY DEFAULT nextval('crm.import_batch_id_seq'), -- Number of the batch.
    name text NOT NULL CHECK (name <> ''), -- What it is: a file's name.
    entity text NOT NULL CHECK (entity IN ('contact', 'company')), -- What the rows are: contact or company.
    source text NOT NULL CHECK (source <> '' AND source !~ ':'), -- The system it comes from; external numbers are unique within it.
    columns text[] NOT NULL, -- Headers of the columns, in order.
    mapping jsonb NOT NULL DEFAULT '{}', -- {"header": "target"}: see crm.import_targets().
    options jsonb NOT NULL DEFAULT '{}', -- Options of crm.import_apply() that were used.
    status text NOT NULL DEFAULT 'staged' CHECK (status IN ('staged', 'applied', 'undone')), -- staged, applied or undone.
    rows bigint NOT NULL DEFAULT 0, -- Rows staged.
    created bigint NOT NULL DEFAULT 0, -- Rows that made a new contact or company.
    updated bigint NOT NULL DEFAULT 0, -- Rows that changed one.
    unchanged bigint NOT NULL DEFAULT 0, -- Rows that said nothing new.
    rejected bigint NOT NULL DEFAULT 0, -- Rows set aside whole.
    values_set_aside bigint NOT NULL DEFAULT 0, -- Single values set aside of rows that were taken.
    created_at timestamptz NOT NULL DEFAULT now(), -- When it was staged.
    created_by text NOT NULL DEFAULT current_user, -- By which role.
    applied_at timestamptz, -- When it was applied.
    undone_at timestamptz, -- When it was undone.
    applied_transaction xid8, -- The transaction that applied it.
    undone_transaction xid8, -- The transaction that took it back.
    applied_audit int8range, -- Numbers of the audit entries between which it was applied.
    undone_audit int8range -- Numbers of the audit entries between which it was taken back.
);
COMMENT ON TABLE crm.import_batch IS 'Loads of contacts or companies: rows = created + updated + unchanged + rejected, always.';

CREATE TABLE crm.import_row (
    batch_id bigint NOT NULL REFERENCES crm.import_batch (id) ON DELETE CASCADE, -- The batch.
    row_number bigint NOT NULL, -- Number of the row in it, from 1, the header not counted.
    line bigint, -- Line of the file in which the row begins; null when it was no file.
    fields text[] NOT NULL, -- The row as it was, one element a column; null where empty.
    PRIMARY KEY (batch_id, row_number)
);
COMMENT ON TABLE crm.import_row IS 'The rows of a batch as they came. crm.purge_imports() removes those of old batches.';

CREATE TABLE crm.import_result (
    batch_id bigint NOT NULL, -- The batch.
    row_number bigint NOT NULL, -- Number of the row.
    outcome text NOT NULL CHECK (outcome IN ('created', 'updated', 'unchanged', 'rejected')), -- created, updated, unchanged or rejected.
    entity_id bigint, -- The contact or company it became; null when rejected.
    fingerprint uuid, -- MD5 of a row that has no number, address or date to be known by.
    before jsonb, -- Of an update: the columns it changed, with their values before.
    added jsonb, -- What it added: {"points": [ids], "tags": [...], "companies": [ids], "external_ids": [...]}.
    last_audit_id bigint, -- Number of the last entry of crm.audit_log when it was applied.
    last_point_id bigint, -- Number of the last contact point then.
    undone boolean NOT NULL DEFAULT false, -- Whether crm.undo_import() has taken it back.
    PRIMARY KEY (batch_id, row_number)
);
COMMENT ON TABLE crm.import_result IS 'What became of each row of a batch; crm.undo_import() reads it.';
CREATE INDEX import_result_fingerprint ON crm.import_result (fingerprint) WHERE fingerprint IS NOT NULL;
CREATE INDEX import_result_entity ON crm.import_result (entity_id) WHERE outcome <> 'created' AND entity_id IS NOT NULL;

CREATE SEQUENCE crm.import_reject_id_seq;

CREATE TABLE crm.import_reject (
    batch_id bigint NOT NULL REFERENCES crm.import_batch (id) ON DELETE CASCADE, -- The batch.
    row_number bigint NOT NULL, -- Number of the row.
    id bigint NOT NULL DEFAULT nextval('crm.import_reject_id_seq'), -- Number of the entry.
    column_name text, -- Header of the column; null when the whole row is at fault.
    value text, -- The value.
    code text NOT NULL, -- Stable token such as PHONE_TOO_SHORT.
    reason text NOT NULL, -- What is wrong, in a sentence.
    hint text, -- What to do, in a sentence.
    suggestion text, -- The one probable repair.
    row_rejected boolean NOT NULL, -- Whether the whole row was set aside, or only this value.
    resolved_at timestamptz, -- When crm.import_fix() brought it in or crm.discard_rejects() set it aside for good; null while open.
    PRIMARY KEY (batch_id, row_number, id)
);
COMMENT ON TABLE crm.import_reject IS 'What an import did not take, value by value, with the reason: nothing is lost. crm.import_fix() brings a corrected row in.';
