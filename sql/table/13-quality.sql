CREATE TABLE crm.duplicate_pair (
    contact_id bigint NOT NULL, -- The one contact, with the lower id.
    duplicate_id bigint NOT NULL, -- The other.
    status text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'confirmed', 'rejected', 'merged')), -- new, confirmed (the same person, to be merged), rejected (two persons, never offered again) or merged.
    strength real NOT NULL CHECK (strength BETWEEN 0 AND 1), -- How strong the evidence is, 0 to 1.
    evidence jsonb NOT NULL DEFAULT '{}', -- Which keys agree: {"email": ["..."], "name": [...], "differs": [...]}.
    method text NOT NULL DEFAULT 'exact' CHECK (method <> ''), -- What found it: exact, or a match model.
    found_at timestamptz NOT NULL DEFAULT now(), -- When it was first found.
    decided_at timestamptz, -- When a person decided; null while new.
    decided_by text, -- Who decided.
    PRIMARY KEY (contact_id, duplicate_id),
    CHECK (contact_id < duplicate_id)
);
COMMENT ON TABLE crm.duplicate_pair IS 'Pairs of contacts that may be one person. crm.scan_duplicates() fills it; a rejected pair is never offered again.';
CREATE INDEX duplicate_pair_other ON crm.duplicate_pair (duplicate_id);
CREATE INDEX duplicate_pair_new ON crm.duplicate_pair (strength DESC, contact_id) WHERE status = 'new';

CREATE SEQUENCE crm.merge_id_seq;

CREATE TABLE crm.merge_journal (
    survivor_id bigint NOT NULL, -- The contact or company that absorbed.
    merge_id bigint NOT NULL, -- Number of the merge, as crm.merge_contacts() returned it.
    entry integer NOT NULL, -- Number of the entry in it; in this order they were made.
    absorbed_id bigint NOT NULL, -- The contact or company that was absorbed.
    operation text NOT NULL CHECK (operation IN ('absorb', 'fill', 'move', 'drop', 'add', 'relink')), -- absorb (the contact itself), fill (columns of the survivor), move (a row that now belongs to the survivor), drop (a row in whose place another stands), add (a row that the merge made) or relink (a row that referred to a dropped one and now refers to the one in its place, or to none).
    relation text NOT NULL, -- Table of the row, with schema where it is not in crm.
    row_before jsonb NOT NULL, -- Column to value, as text, before; of a fill only the columns that changed; empty of an added row.
    row_after jsonb, -- The columns that changed, after; of an added row all; null of a drop.
    reason text, -- Why a row was dropped or changed.
    at timestamptz NOT NULL DEFAULT now(), -- When: start of the transaction.
    actor text NOT NULL, -- The person: setting crm.actor, otherwise the session's role.
    column_name text, -- The column that held the number of the absorbed one; null where it is not by such a column that the row was found.
    PRIMARY KEY (survivor_id, merge_id, entry)
);
COMMENT ON TABLE crm.merge_journal IS 'What merges did, row by row: every value that was overwritten and every row that was moved or dropped, exact to the byte. crm.unmerge() reads it.';
CREATE INDEX merge_journal_absorbed ON crm.merge_journal (absorbed_id);
CREATE INDEX merge_journal_merge ON crm.merge_journal (merge_id);
CREATE INDEX contact_merged_into ON crm.contact (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE crm.field_source (
    contact_id bigint NOT NULL REFERENCES crm.contact (id) ON DELETE CASCADE, -- Whose field.
    field text NOT NULL, -- Column of crm.contact, or attrs.name.
    value text NOT NULL, -- The value that was written.
    source text NOT NULL, -- Source that said it.
    source_value_id bigint NOT NULL, -- Its entry in crm.source_value.
    applied_at timestamptz NOT NULL DEFAULT now(), -- When it was written.
    PRIMARY KEY (contact_id, field)
);
COMMENT ON TABLE crm.field_source IS 'Fields that crm.apply_survivorship() wrote. A field that holds another value now was entered by a user since.';

CREATE TRIGGER identity_guard BEFORE INSERT OR UPDATE ON crm.contact_identity
    FOR EACH ROW EXECUTE FUNCTION crm.identity_guard();

-- Runs with the rights of whoever installs, so that the portal's role needs
-- none on the tables.  Who calls is told by setting role, which SET ROLE
-- keeps, and by session_user: neither can be forged.
CREATE FUNCTION crm.link_identity(contact_id bigint, provider text, external_id text, evidence jsonb DEFAULT '{}') RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    caller name := coalesce(nullif(current_setting('role'), 'none'), session_user);
    by_portal boolean;
    holder bigint;
    linked bigint;
BEGIN
    PERFORM crm.require_installed();
    by_portal := crm.is_portal(caller);
    IF by_portal THEN
        IF nullif(current_setting('crm.portal_contact', true), '')::bigint IS DISTINCT FROM link_identity.contact_id THEN
            RAISE EXCEPTION 'contact % is not the one that is logged in', link_identity.contact_id
                USING ERRCODE = 'insufficient_privilege',
                      HINT = 'The portal sets crm.portal_contact to the contact whom it has authenticated, and may link accounts for nobody else.';
        END IF;
    ELSIF NOT has_table_privilege(caller, 'crm.contact_identity', 'INSERT') THEN
        RAISE EXCEPTION 'role "%" may not link accounts to contacts', caller USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM FROM crm.contact c WHERE c.id = link_identity.contact_id AND c.deleted_at IS NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no contact %', link_identity.contact_id USING ERRCODE = 'no_data_found';
    END IF;
    BEGIN
        INSERT INTO crm.contact_identity AS i (contact_id, provider, external_id, verified_by, evidence)
        VALUES (link_identity.contact_id, link_identity.provider, link_identity.external_id,
                CASE WHEN by_portal THEN 'portal' ELSE 'agent' END, coalesce(link_identity.evidence, '{}'))
        ON CONFLICT (contact_id, provider, external_id) DO UPDATE
        SET verified_by = CASE WHEN i.verified_by = 'portal' THEN i.verified_by ELSE excluded.verified_by END,
            confidence = 1, evidence = i.evidence || excluded.evidence
        RETURNING id INTO linked;
    EXCEPTION WHEN unique_violation THEN
        SELECT k.contact_id INTO holder FROM crm.contact_key k
        WHERE k.kind = 'identity' AND k.key = link_identity.provider || ':' || link_identity.external_id;
        -- The portal does not tell one client of another.
        RAISE EXCEPTION 'account "%" at % belongs to another contact', link_identity.external_id, link_identity.provider
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'contact_key_unique', SCHEMA = 'crm', TABLE = 'contact_identity',
                  DETAIL = CASE WHEN by_portal THEN 'An account belongs to one client.' ELSE format('It is linked to contact %s.', holder) END,
                  HINT = CASE WHEN by_portal THEN 'Ask the service desk.'
                         ELSE 'If both are one person, merge them: crm.merge_contacts(); otherwise unlink it there first.' END;
    END;
    RETURN linked;
END
$$;
REVOKE ALL ON FUNCTION crm.link_identity(bigint, text, text, jsonb) FROM PUBLIC;
COMMENT ON FUNCTION crm.link_identity(bigint, text, text, jsonb) IS 'Links an account of a social network, messenger or site to a contact and returns the number of the identity. A session of role crm_portal may do so only for the contact that setting crm.portal_contact names, which proves the match: verified_by becomes portal. Any other role needs INSERT on crm.contact_identity; verified_by becomes agent. Errors: 23505 the account belongs to another living contact; 42501 not allowed; P0002 no such contact.';
