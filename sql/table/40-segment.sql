-- Members are kept in chunks of 65,536 numbers, one small set a row, so that a
-- change rewrites little.  What changed is kept in built-in types: from it the
-- chunks can be made again.

CREATE SEQUENCE crm.segment_id_seq;

CREATE TABLE crm.segment (
    id bigint PRIMARY KEY DEFAULT nextval('crm.segment_id_seq'), -- Number of the segment.
    name text NOT NULL UNIQUE CHECK (name <> '' AND name = btrim(name)), -- Its name, by which rules ask for it.
    kind text NOT NULL CHECK (kind IN ('static', 'dynamic', 'composed')), -- static: its members are given; dynamic: a rule tells them; composed: other segments alone do.
    definition text CHECK ((definition IS NULL) = (kind = 'static')), -- The rule, or the expression over other segments, as entered.
    rule crm.rule, -- Derived: the rule that the definition says.
    description text, -- What it is for.
    emits_events boolean NOT NULL DEFAULT false, -- Whether who enters and leaves is told to the outbox: segment.entered, segment.left.
    level integer NOT NULL DEFAULT 0, -- Derived: 0, or one more than the segments it asks for; the order of refreshing.
    has_clock boolean NOT NULL DEFAULT false, -- Derived: whether time alone may change its members.
    cardinality bigint NOT NULL DEFAULT 0, -- Derived: number of members.
    version bigint NOT NULL DEFAULT 0, -- Derived: number of the refresh that last changed its members.
    needs_full boolean NOT NULL DEFAULT true, -- Whether the next refresh looks at all contacts.
    refreshed_at timestamptz, -- When it was last looked at; crm.v_segment tells for which moment it is right.
    full_refresh_ms double precision, -- What its last refresh over all contacts took, milliseconds.
    error text, -- Why its last refresh failed; null when it did not.
    hindrance text, -- Why the last refresh left it as it was: what the role that refreshed may not read; null when nothing hindered it.
    created_at timestamptz NOT NULL DEFAULT now(), -- When it was made.
    created_by text NOT NULL DEFAULT session_user -- Role of the session that made it.
);
COMMENT ON TABLE crm.segment IS 'Sets of contacts with a name. crm.create_segment() and crm.change_segment() write it; crm.refresh_segments() keeps the members.';

CREATE TRIGGER segment_rule BEFORE INSERT OR UPDATE ON crm.segment FOR EACH ROW
    EXECUTE FUNCTION crm.derive_segment_rule();
CREATE TRIGGER events_changed AFTER INSERT OR UPDATE OR DELETE ON crm.event_kind FOR EACH ROW EXECUTE FUNCTION crm.events_changed();

CREATE TABLE crm.segment_dependency (
    segment_id bigint NOT NULL REFERENCES crm.segment (id) ON DELETE CASCADE, -- The segment.
    source text NOT NULL, -- What its rule looks at: segment, tag, contact, company, contact_point, branch, metric, or a table that has events.
    name text NOT NULL, -- Which of it: name of the segment, the tag or the column.
    PRIMARY KEY (segment_id, source, name)
);
COMMENT ON TABLE crm.segment_dependency IS 'What the rule of each segment looks at; derived. Changes of anything else do not concern it.';
CREATE INDEX segment_dependency_source ON crm.segment_dependency (source, name);

CREATE TABLE crm.segment_chunk (
    segment_id bigint NOT NULL REFERENCES crm.segment (id) ON DELETE CASCADE, -- The segment.
    chunk bigint NOT NULL, -- Which contacts: their number divided by 65,536.
    members crm.contact_set, -- Those of them who are members.
    PRIMARY KEY (segment_id, chunk)
);
COMMENT ON TABLE crm.segment_chunk IS 'Members of segments; derived from segment_history and segment_fill, by crm.rebuild_segment_chunks() if need be.';

CREATE INDEX segment_chunk_contact ON crm.segment_chunk (chunk, segment_id);

CREATE TABLE crm.segment_list (
    segment_id bigint NOT NULL REFERENCES crm.segment (id) ON DELETE CASCADE, -- The static segment.
    chunk bigint NOT NULL, -- Which contacts: their number divided by 65,536.
    contacts bytea NOT NULL, -- Those of them who were given: the portable form of a set, see crm.from_roaring().
    PRIMARY KEY (segment_id, chunk)
);
COMMENT ON TABLE crm.segment_list IS 'The contacts of static segments as they were given. Members are those of them who live, and for an absorbed one the contact that stands for it.';

CREATE SEQUENCE crm.segment_refresh_seq;

CREATE SEQUENCE crm.segment_history_id_seq;

CREATE TABLE crm.segment_history (
    contact_id bigint NOT NULL, -- Who entered or left.
    id bigint NOT NULL DEFAULT nextval('crm.segment_history_id_seq'), -- Number of the change.
    segment_id bigint NOT NULL REFERENCES crm.segment (id) ON DELETE CASCADE, -- Which segment.
    refresh bigint NOT NULL, -- Number of the refresh: the order of changes.
    at timestamptz NOT NULL, -- When.
    entered boolean NOT NULL, -- True: entered; false: left.
    cause text NOT NULL CHECK (cause IN ('change', 'time', 'definition', 'members')), -- change: of the contact, or of another segment; time: passed; definition: of the segment; members: were given.
    PRIMARY KEY (contact_id, id)
);
COMMENT ON TABLE crm.segment_history IS 'Who entered and left which segment, when and why; append-only. Changes of more than 10,000 contacts at once are in crm.segment_fill.';
CREATE INDEX segment_history_segment ON crm.segment_history (segment_id, refresh);

CREATE TABLE crm.segment_fill (
    segment_id bigint NOT NULL REFERENCES crm.segment (id) ON DELETE CASCADE, -- Which segment.
    refresh bigint NOT NULL, -- Number of the refresh: the order of changes.
    at timestamptz NOT NULL, -- When.
    entered bytea NOT NULL, -- Who entered: the portable form of a set, see crm.from_roaring().
    departed bytea NOT NULL, -- Who left: the portable form of a set, see crm.from_roaring().
    cause text NOT NULL CHECK (cause IN ('change', 'time', 'definition', 'members', 'kept')), -- As in crm.segment_history; kept: who was a member when older history was given up.
    PRIMARY KEY (segment_id, refresh, cause)
);
COMMENT ON TABLE crm.segment_fill IS 'Changes of segments that concern more than 10,000 contacts at once, as sets; append-only.';

CREATE SEQUENCE crm.segment_refresh_id_seq;

CREATE TABLE crm.segment_refresh (
    id bigint PRIMARY KEY DEFAULT nextval('crm.segment_refresh_id_seq'), -- Its number.
    as_of timestamptz NOT NULL, -- The moment that segments were brought to.
    seconds double precision NOT NULL, -- How long it took.
    segments integer NOT NULL, -- Segments that were looked at.
    entered bigint NOT NULL, -- How many contacts entered one.
    departed bigint NOT NULL -- How many left one.
);
COMMENT ON TABLE crm.segment_refresh IS 'The last 10,000 refreshes of all segments.';

CREATE SEQUENCE crm.segment_queue_id_seq;

CREATE TABLE crm.segment_queue (
    id bigint PRIMARY KEY DEFAULT nextval('crm.segment_queue_id_seq'), -- Number of the change.
    source text NOT NULL, -- What changed; as in crm.segment_dependency.
    names text[], -- Which columns or tags of it; null: it may be any.
    contacts bytea NOT NULL -- Of which contacts: the portable form of a set, see crm.from_roaring().
);
COMMENT ON TABLE crm.segment_queue IS 'Contacts that changed and that no refresh has looked at yet; a row a statement. Kept by triggers.';

-- The triggers of a table of somebody, which has events.
CREATE FUNCTION crm.watch_for_segments(relation regclass, contact_column text DEFAULT 'contact_id') RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    operation text;
    owner oid;
    part regclass;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = contact_column AND a.attnum > 0 AND NOT a.attisdropped
                   AND a.atttypid = 'bigint'::regtype) THEN
        RAISE EXCEPTION 'table % has no column "%" of type bigint', relation, contact_column USING ERRCODE = 'undefined_column',
            HINT = 'Name the column with the number of the contact: crm.watch_for_segments(table, column).';
    END IF;
    -- The triggers write with the rights of the table's owner.
    owner := (SELECT c.relowner FROM pg_class c WHERE c.oid = relation);
    IF NOT has_table_privilege(owner, 'crm.segment_queue', 'INSERT') OR NOT has_sequence_privilege(owner, 'crm.segment_queue_id_seq', 'USAGE')
       OR NOT has_schema_privilege(owner, 'crm', 'USAGE') THEN
        RAISE EXCEPTION 'role "%", who owns table %, may not write crm.segment_queue', pg_get_userbyid(owner), relation
            USING ERRCODE = 'insufficient_privilege',
                  HINT = format('GRANT USAGE ON SCHEMA crm TO %1$I; GRANT INSERT ON crm.segment_queue TO %1$I; GRANT USAGE ON SEQUENCE crm.segment_queue_id_seq TO %1$I', pg_get_userbyid(owner));
    END IF;
    FOR part IN SELECT t FROM crm.table_tree(relation) t LOOP
        FOREACH operation IN ARRAY '{INSERT,UPDATE,DELETE}'::text[] LOOP
            EXECUTE format('CREATE OR REPLACE TRIGGER segment_%s AFTER %s ON %s REFERENCING %s FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments(%L, %L)',
                           lower(operation), operation, part,
                           CASE operation WHEN 'INSERT' THEN 'NEW TABLE AS new_rows' WHEN 'DELETE' THEN 'OLD TABLE AS old_rows'
                                          ELSE 'OLD TABLE AS old_rows NEW TABLE AS new_rows' END, relation, contact_column);
        END LOOP;
        EXECUTE format('CREATE OR REPLACE TRIGGER segment_truncate AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments()', part);
    END LOOP;
    UPDATE crm.segment s SET needs_full = true
    WHERE s.id IN (SELECT d.segment_id FROM crm.segment_dependency d WHERE d.source = relation::text);
END
$$;
REVOKE ALL ON FUNCTION crm.watch_for_segments(regclass, text) FROM PUBLIC;
COMMENT ON FUNCTION crm.watch_for_segments(regclass, text) IS 'Gives a table that has events the triggers by which segments learn of changed contacts, with its partitions; the column has the number of the contact. To be called again when it gets another partition. Errors: 42703 no such column of type bigint; 42501 no right to make triggers on the table, or its owner none to write the queue.';

-- What a TRUNCATE took is not known.
CREATE FUNCTION crm.refresh_all_segments() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE crm.segment SET needs_full = true;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.refresh_all_segments() FROM PUBLIC;
COMMENT ON FUNCTION crm.refresh_all_segments() IS 'Trigger: the next refresh of segments looks at all contacts.';

CREATE TRIGGER segment_insert AFTER INSERT ON crm.contact REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('contact', 'id', '*');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.contact REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('contact', 'id', '*');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.contact REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('contact', 'id', '*');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.contact FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.contact_point REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('contact_point', 'contact_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.contact_point REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('contact_point', 'contact_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.contact_point REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('contact_point', 'contact_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.contact_point FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.company REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('company', 'id', 'company_contact.company_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.company REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('company', 'id', 'company_contact.company_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.company REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('company', 'id', 'company_contact.company_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.company FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.company_contact REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('company', 'contact_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.company_contact REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('company', 'contact_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.company_contact REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('company', 'contact_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.company_contact FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.branch REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('branch', 'id', 'contact.branch_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.branch REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('branch', 'id', 'contact.branch_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.branch REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('branch', 'id', 'contact.branch_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.branch FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.tag REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('tag', 'contact_id', 'tag');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.tag REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('tag', 'contact_id', 'tag');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.tag REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('tag', 'contact_id', 'tag');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.tag FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.contact_metric REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('metric', 'contact_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.contact_metric REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('metric', 'contact_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.contact_metric REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('metric', 'contact_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.contact_metric FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.activity REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.activity', 'contact_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.activity REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.activity', 'contact_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.activity REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.activity', 'contact_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.activity FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.sales_order REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.sales_order', 'contact_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.sales_order REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.sales_order', 'contact_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.sales_order REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.sales_order', 'contact_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.sales_order FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.deal REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.deal', 'contact_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.deal REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.deal', 'contact_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.deal REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.deal', 'contact_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.deal FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.task REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.task', 'contact_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.task REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.task', 'contact_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.task REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.task', 'contact_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.task FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.contact_need REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.contact_need', 'contact_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.contact_need REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.contact_need', 'contact_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.contact_need REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.contact_need', 'contact_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.contact_need FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.payment REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.payment', 'contact_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.payment REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.payment', 'contact_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.payment REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.payment', 'contact_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.payment FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.quote REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.quote', 'contact_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.quote REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.quote', 'contact_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.quote REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.quote', 'contact_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.quote FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.lead REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.lead', 'contact_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.lead REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.lead', 'contact_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.lead REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.lead', 'contact_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.lead FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

CREATE TRIGGER segment_insert AFTER INSERT ON crm.shipment REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.shipment', 'contact_id');
CREATE TRIGGER segment_update AFTER UPDATE ON crm.shipment REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.shipment', 'contact_id');
CREATE TRIGGER segment_delete AFTER DELETE ON crm.shipment REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.queue_for_segments('crm.shipment', 'contact_id');
CREATE TRIGGER segment_truncate AFTER TRUNCATE ON crm.shipment FOR EACH STATEMENT EXECUTE FUNCTION crm.refresh_all_segments();

-- Events of tables that are made after crm.event_kind.
INSERT INTO crm.event_kind (event, relation, contact_column, at_column, filter, description) VALUES
    ('payment', 'crm.payment', 'contact_id', 'paid_at', 'status in (''paid'', ''partially_refunded'')', 'Money came, and was not given back wholly'),
    ('quote_sent', 'crm.quote', 'contact_id', 'sent_at', 'sent_at is not null', 'A version of a quote was sent'),
    ('quote_accepted', 'crm.quote', 'contact_id', 'closed_at', 'status = ''accepted''', 'A quote was accepted'),
    ('lead_captured', 'crm.lead', 'contact_id', 'created_at', 'deleted_at is null', 'An inquiry of the contact was captured'),
    ('shipment_late', 'crm.shipment', 'contact_id', 'late_at', 'late_at is not null', 'A shipment was told to be late');
