CREATE TABLE crm.schema_object (
    kind text, -- sequence, table, index, view, trigger, function or policy.
    relation text, -- The table it belongs to; for tables, views, sequences and functions the name again.
    name text, -- Name of the object, in schema crm.
    statement text NOT NULL, -- The statement that created it.
    created_at timestamptz NOT NULL DEFAULT now(), -- When it was last created.
    PRIMARY KEY (kind, relation, name)
);
COMMENT ON TABLE crm.schema_object IS 'What crm.install() made, with the statement that made it: tells a view or trigger that the user replaced from one that an upgrade may replace.';

CREATE TABLE crm.installation (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton), -- Always true: makes the row the only one.
    version text NOT NULL, -- Version of the tables, views and triggers; crm.code_version() is that of the code.
    installed_at timestamptz NOT NULL DEFAULT now(), -- When crm.install() first ran.
    installed_by text NOT NULL DEFAULT current_user, -- The role that ran it.
    upgraded_at timestamptz -- When crm.upgrade() last ran; null if never.
);
COMMENT ON TABLE crm.installation IS 'One row: the version whose tables and views this database has. Kept by crm.install() and crm.upgrade().';

CREATE TABLE crm.key_version (
    kind text PRIMARY KEY, -- name_key, email_match_key or phone_metadata.
    version integer NOT NULL, -- Version of the rules.
    built_at timestamptz NOT NULL DEFAULT now() -- When the keys were last recomputed.
);
COMMENT ON TABLE crm.key_version IS 'The version of the rules by which stored match keys were computed. When the code has newer rules crm.status() says so and crm.rebuild_keys() recomputes.';
