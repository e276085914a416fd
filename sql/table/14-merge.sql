CREATE TABLE crm.merge (
    id bigint PRIMARY KEY, -- Number of the merge, as crm.merge_contacts() or crm.merge_companies() returned it.
    entity text NOT NULL CHECK (entity IN ('contact', 'company')), -- What was merged: contact or company.
    survivor_id bigint NOT NULL, -- Which absorbed.
    absorbed_ids bigint[] NOT NULL, -- Which were absorbed, in the order of the call.
    policy jsonb NOT NULL DEFAULT '{}', -- The policy of the call; under "chosen" whose value of which column its rules took.
    at timestamptz NOT NULL DEFAULT now(), -- When: start of the transaction.
    actor text NOT NULL, -- The person: setting crm.actor, otherwise the session's role.
    next_transaction_id xid8 DEFAULT pg_snapshot_xmax(pg_current_snapshot()), -- Transactions from this number on began after the merge; null for merges of 0.1.0.
    undone_at timestamptz, -- When it was undone; null while it stands.
    undone_by text, -- Who undid it.
    undo_policy text -- The policy of the undoing: abort, keep or restore.
);
COMMENT ON TABLE crm.merge IS 'Merges of contacts and companies, and whether they were undone; crm.merge_journal has what each did.';
CREATE INDEX merge_survivor ON crm.merge (entity, survivor_id);
-- Without a pending list, which every search would read from end to end.
CREATE INDEX merge_absorbed ON crm.merge USING gin (absorbed_ids) WITH (fastupdate = off);

CREATE TABLE crm.soft_reference (
    relation text NOT NULL, -- Table, with schema.
    column_name text NOT NULL, -- Its column of type bigint.
    entity text NOT NULL CHECK (entity IN ('contact', 'company')), -- What its numbers are of: contact or company.
    note text, -- Why it has no foreign key.
    PRIMARY KEY (relation, column_name)
);
COMMENT ON TABLE crm.soft_reference IS 'Columns that hold numbers of contacts or companies without a foreign key: merges re-point them too. See crm.register_soft_reference().';
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON crm.soft_reference FOR EACH ROW EXECUTE FUNCTION crm.soft_reference_guard();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.soft_reference
    FOR EACH STATEMENT EXECUTE FUNCTION crm.merge_plan_changed();

CREATE TABLE crm.merge_hook (
    name text NOT NULL CHECK (name <> ''), -- Name of the hook.
    entity text NOT NULL CHECK (entity IN ('contact', 'company')), -- Whose merges call it.
    merge_function text NOT NULL, -- Function (merge_id bigint, survivor bigint, absorbed bigint[]) that is called at the end of a merge.
    undo_function text, -- The same for when the merge is undone: called before anything else; null for none.
    "position" integer NOT NULL DEFAULT 100, -- Order of the calls; undoing goes backwards.
    PRIMARY KEY (entity, name)
);
COMMENT ON TABLE crm.merge_hook IS 'What else is to be done in a merge and in its undoing: sets, balances, caches. See crm.register_merge_hook().';
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON crm.merge_hook FOR EACH ROW EXECUTE FUNCTION crm.merge_hook_guard();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.merge_hook
    FOR EACH STATEMENT EXECUTE FUNCTION crm.merge_plan_changed();

CREATE TABLE crm.company_duplicate_pair (
    company_id bigint NOT NULL, -- The one company, with the lower id.
    duplicate_id bigint NOT NULL, -- The other.
    status text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'confirmed', 'rejected', 'merged')), -- new, confirmed (the same company, to be merged), rejected (two companies, never offered again) or merged.
    strength real NOT NULL CHECK (strength BETWEEN 0 AND 1), -- How strong the evidence is, 0 to 1.
    evidence jsonb NOT NULL DEFAULT '{}', -- Which keys agree: {"tax_id": ["..."], "name": ["..."]}.
    method text NOT NULL DEFAULT 'exact' CHECK (method <> ''), -- What found it: exact, or a match model.
    found_at timestamptz NOT NULL DEFAULT now(), -- When it was first found.
    decided_at timestamptz, -- When a person decided; null while new.
    decided_by text, -- Who decided.
    PRIMARY KEY (company_id, duplicate_id),
    CHECK (company_id < duplicate_id)
);
COMMENT ON TABLE crm.company_duplicate_pair IS 'Pairs of companies that may be one; a rejected pair is never offered again.';
CREATE INDEX company_duplicate_pair_other ON crm.company_duplicate_pair (duplicate_id);
CREATE INDEX company_duplicate_pair_new ON crm.company_duplicate_pair (strength DESC, company_id) WHERE status = 'new';
CREATE INDEX company_merged_into ON crm.company (merged_into) WHERE merged_into IS NOT NULL;
