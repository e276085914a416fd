CREATE TABLE crm.lifecycle_rule (
    stage text PRIMARY KEY CHECK (stage IN ('customer', 'repeat', 'loyal')), -- The stage of contact.lifecycle_stage.
    order_count bigint NOT NULL UNIQUE CHECK (order_count > 0), -- With so many orders that count (crm.contact_metric) a contact comes to it.
    moves_down boolean NOT NULL DEFAULT false, -- Whether a contact leaves it when orders are cancelled or returned and too few are left.
    enabled boolean NOT NULL DEFAULT true -- Whether contacts come to it by themselves.
);
COMMENT ON TABLE crm.lifecycle_rule IS 'When contacts move from a stage of the life cycle to the next by themselves; without an enabled row they do not. After a change crm.refresh_lifecycle() applies it to those who are there.';
INSERT INTO crm.lifecycle_rule (stage, order_count) VALUES ('customer', 1), ('repeat', 2), ('loyal', 5);

CREATE TABLE crm.lifecycle_history (
    contact_id bigint NOT NULL, -- The contact; the history outlives it.
    stage text NOT NULL, -- lead, customer, repeat, loyal or closed_cycle.
    valid tstzrange NOT NULL, -- From when until when; open-ended while it lasts. The ranges of a contact do not overlap.
    actor text NOT NULL, -- Who brought it there: setting crm.actor, otherwise the session's role.
    PRIMARY KEY (contact_id, valid)
);
COMMENT ON TABLE crm.lifecycle_history IS 'Which contact was at which stage of its life cycle when; written by triggers alone. An absorbed contact keeps its own.';

CREATE TABLE crm.ownership_history (
    record_id bigint NOT NULL, -- Number of the contact, company, deal or lead; the history outlives it.
    entity text NOT NULL CHECK (entity IN ('contact', 'company', 'deal', 'lead')), -- contact, company, deal or lead.
    owner_id bigint NOT NULL, -- The agent who was responsible.
    valid tstzrange NOT NULL, -- From when until when; open-ended while it lasts. The ranges of a record do not overlap; without an owner there is none.
    actor text NOT NULL, -- Who made the agent responsible: setting crm.actor, otherwise the session's role.
    PRIMARY KEY (record_id, entity, valid)
);
COMMENT ON TABLE crm.ownership_history IS 'Who was responsible for which contact, company, deal and lead when; written by triggers alone.';
CREATE INDEX ownership_history_owner ON crm.ownership_history (owner_id, entity) INCLUDE (valid);

-- The functions here are owned by whoever installs and run with that role's
-- rights: who may write a contact need not be able to write its history.
--
-- What a transaction sets and sets again at one moment was never so: of one
-- moment the last value counts. A moment before the latest entry counts as
-- right after its beginning.

CREATE FUNCTION crm.keep_party_history() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off AS $$
DECLARE
    moment CONSTANT timestamptz := crm.effective_at();
    who CONSTANT text := crm.current_actor();
    ids bigint[];
    owners bigint[];
    stages text[];
BEGIN
    CASE TG_OP
    WHEN 'INSERT' THEN
        INSERT INTO crm.ownership_history (record_id, entity, owner_id, valid, actor)
        SELECT n.id, TG_TABLE_NAME, n.owner_id, tstzrange(least(n.created_at, moment), NULL), who
        FROM new_rows n WHERE n.owner_id IS NOT NULL
        ON CONFLICT (record_id, entity, valid) DO UPDATE SET owner_id = excluded.owner_id;
        IF TG_TABLE_NAME = 'contact' THEN
            INSERT INTO crm.lifecycle_history (contact_id, stage, valid, actor)
            SELECT n.id, n.lifecycle_stage, tstzrange(least(n.created_at, moment), NULL), who FROM new_rows n
            ON CONFLICT (contact_id, valid) DO UPDATE SET stage = excluded.stage;
        END IF;
        RETURN NULL;
    WHEN 'UPDATE' THEN
        -- Grouped rather than joined: good for one row and for a million.
        SELECT array_agg(g.id), array_agg(g.now) INTO ids, owners
        FROM (SELECT r.id, max(r.owner_id) FILTER (WHERE r.is_new) AS now, max(r.owner_id) FILTER (WHERE NOT r.is_new) AS before
              FROM (SELECT o.id, o.owner_id, false AS is_new FROM old_rows o UNION ALL SELECT n.id, n.owner_id, true FROM new_rows n) r
              GROUP BY r.id) g
        WHERE g.now IS DISTINCT FROM g.before;
    WHEN 'DELETE' THEN
        SELECT array_agg(o.id), array_agg(NULL::bigint) INTO ids, owners FROM old_rows o;
    END CASE;
    IF ids IS NOT NULL THEN
        DELETE FROM crm.ownership_history h USING unnest(ids) AS u (id)
        WHERE h.record_id = u.id AND h.entity = TG_TABLE_NAME AND upper_inf(h.valid) AND lower(h.valid) = moment;
        UPDATE crm.ownership_history h SET valid = tstzrange(lower(h.valid), greatest(moment, lower(h.valid) + interval '1 microsecond'))
        FROM unnest(ids) AS u (id)
        WHERE h.record_id = u.id AND h.entity = TG_TABLE_NAME AND upper_inf(h.valid);
        INSERT INTO crm.ownership_history (record_id, entity, owner_id, valid, actor)
        SELECT u.id, TG_TABLE_NAME, u.owner_id,
               tstzrange(greatest(moment, (SELECT max(upper(h.valid)) FROM crm.ownership_history h WHERE h.record_id = u.id AND h.entity = TG_TABLE_NAME)), NULL), who
        FROM unnest(ids, owners) AS u (id, owner_id) WHERE u.owner_id IS NOT NULL;
    END IF;
    IF TG_TABLE_NAME <> 'contact' THEN
        RETURN NULL;
    ELSIF TG_OP = 'UPDATE' THEN
        SELECT array_agg(g.id), array_agg(g.now) INTO ids, stages
        FROM (SELECT r.id, max(r.stage) FILTER (WHERE r.is_new) AS now, max(r.stage) FILTER (WHERE NOT r.is_new) AS before
              FROM (SELECT o.id, o.lifecycle_stage AS stage, false AS is_new FROM old_rows o UNION ALL SELECT n.id, n.lifecycle_stage, true FROM new_rows n) r
              GROUP BY r.id) g
        WHERE g.now <> g.before;
    END IF;
    IF ids IS NOT NULL THEN
        DELETE FROM crm.lifecycle_history h USING unnest(ids) AS u (id)
        WHERE h.contact_id = u.id AND upper_inf(h.valid) AND lower(h.valid) = moment;
        UPDATE crm.lifecycle_history h SET valid = tstzrange(lower(h.valid), greatest(moment, lower(h.valid) + interval '1 microsecond'))
        FROM unnest(ids) AS u (id)
        WHERE h.contact_id = u.id AND upper_inf(h.valid);
        INSERT INTO crm.lifecycle_history (contact_id, stage, valid, actor)
        SELECT u.id, u.stage, tstzrange(greatest(moment, (SELECT max(upper(h.valid)) FROM crm.lifecycle_history h WHERE h.contact_id = u.id)), NULL), who
        FROM unnest(ids, stages) AS u (id, stage) WHERE u.stage IS NOT NULL;
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.keep_party_history() FROM PUBLIC;
COMMENT ON FUNCTION crm.keep_party_history() IS 'Trigger FOR EACH STATEMENT of contact, company, deal and lead: writes crm.ownership_history and, of contacts, crm.lifecycle_history as of crm.effective_at().';

CREATE FUNCTION crm.refresh_lifecycle(contact_ids bigint[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    moved bigint;
    -- The stage by rule of each contact; the rules are few.
    wanted CONSTANT text := 'SELECT c.id, t.stage
        FROM %s
        CROSS JOIN LATERAL (SELECT coalesce((SELECT r.stage FROM crm.lifecycle_rule r WHERE r.enabled AND r.order_count <= coalesce(m.order_count, 0)
                                             ORDER BY r.order_count DESC LIMIT 1), ''lead'') AS stage) t
        WHERE c.deleted_at IS NULL AND c.merged_into IS NULL AND c.lifecycle_stage <> ''closed_cycle'' AND c.lifecycle_stage <> t.stage
          AND (array_position(''{lead,customer,repeat,loyal}'', t.stage) > array_position(''{lead,customer,repeat,loyal}'', c.lifecycle_stage)
               OR (SELECT r.moves_down AND r.enabled FROM crm.lifecycle_rule r WHERE r.stage = c.lifecycle_stage))
        ORDER BY c.id FOR NO KEY UPDATE OF c';
BEGIN
    IF NOT EXISTS (SELECT FROM crm.lifecycle_rule r WHERE r.enabled) THEN
        RETURN 0;
    END IF;
    EXECUTE format('WITH target AS MATERIALIZED (%s) UPDATE crm.contact c SET lifecycle_stage = t.stage FROM target t WHERE c.id = t.id',
                   format(wanted, CASE WHEN contact_ids IS NULL THEN 'crm.contact c LEFT JOIN crm.contact_metric m ON m.contact_id = c.id'
                                       ELSE 'unnest($1) AS i (id) JOIN crm.contact c ON c.id = i.id LEFT JOIN crm.contact_metric m ON m.contact_id = c.id' END))
    USING contact_ids;
    GET DIAGNOSTICS moved = ROW_COUNT;
    RETURN moved;
END
$$;
REVOKE ALL ON FUNCTION crm.refresh_lifecycle(bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION crm.refresh_lifecycle(bigint[]) IS 'Brings contacts to the stage that crm.lifecycle_rule says for the orders they have, all when none are named: after a change of the rules, or after a merge. Only up, and down from a stage whose rule moves_down; never out of closed_cycle. Gives how many moved.';

CREATE FUNCTION crm.lifecycle_metric() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids bigint[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT array_agg(n.contact_id) INTO ids FROM new_rows n WHERE n.order_count > 0;
    ELSE
        SELECT array_agg(g.contact_id) INTO ids
        FROM (SELECT r.contact_id FROM (SELECT o.contact_id, o.order_count FROM old_rows o UNION ALL SELECT n.contact_id, n.order_count FROM new_rows n) r
              GROUP BY r.contact_id HAVING min(r.order_count) <> max(r.order_count)) g;
    END IF;
    -- A merge writes rows as they were: it is no order.
    IF ids IS NOT NULL AND crm.merge_mode() = 'off' THEN
        PERFORM crm.refresh_lifecycle(ids);
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.lifecycle_metric() FROM PUBLIC;
COMMENT ON FUNCTION crm.lifecycle_metric() IS 'Trigger of crm.contact_metric: moves contacts whose number of orders changed to the stage of their life cycle, in the statement that changes an order.';

CREATE TRIGGER lifecycle_insert AFTER INSERT ON crm.contact_metric REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.lifecycle_metric();
CREATE TRIGGER lifecycle_update AFTER UPDATE ON crm.contact_metric REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.lifecycle_metric();

CREATE TRIGGER party_insert AFTER INSERT ON crm.contact REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.keep_party_history();
CREATE TRIGGER party_update AFTER UPDATE ON crm.contact REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.keep_party_history();
CREATE TRIGGER party_delete AFTER DELETE ON crm.contact REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.keep_party_history();
CREATE TRIGGER party_insert AFTER INSERT ON crm.company REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.keep_party_history();
CREATE TRIGGER party_update AFTER UPDATE ON crm.company REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.keep_party_history();
CREATE TRIGGER party_delete AFTER DELETE ON crm.company REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.keep_party_history();
CREATE TRIGGER party_insert AFTER INSERT ON crm.deal REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.keep_party_history();
CREATE TRIGGER party_update AFTER UPDATE ON crm.deal REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.keep_party_history();
CREATE TRIGGER party_delete AFTER DELETE ON crm.deal REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.keep_party_history();
CREATE TRIGGER party_insert AFTER INSERT ON crm.lead REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.keep_party_history();
CREATE TRIGGER party_update AFTER UPDATE ON crm.lead REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.keep_party_history();
CREATE TRIGGER party_delete AFTER DELETE ON crm.lead REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.keep_party_history();

-- What was there before these tables: the triggers above keep others out until
-- this transaction ends. Who is where the orders say came there with them; of
-- orders of one moment the last counts.
INSERT INTO crm.lifecycle_history (contact_id, stage, valid, actor)
WITH bought AS (
    SELECT o.contact_id, r.stage, o.at, o.created_by, o.n, last_value(r.stage) OVER (PARTITION BY o.contact_id ORDER BY o.n ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS last_stage
    FROM (SELECT s.contact_id, least(s.ordered_at, now()) AS at, s.created_by, row_number() OVER (PARTITION BY s.contact_id ORDER BY s.ordered_at, s.id) AS n
          FROM crm.sales_order s WHERE s.is_counted) o
    JOIN crm.lifecycle_rule r ON r.order_count = o.n AND r.enabled
), came AS (
    SELECT DISTINCT ON (b.contact_id, b.at) b.contact_id, b.stage, b.at, b.created_by
    FROM bought b JOIN crm.contact c ON c.id = b.contact_id AND c.lifecycle_stage = b.last_stage
    ORDER BY b.contact_id, b.at, b.n DESC
), began AS (
    SELECT c.id, CASE WHEN f.at IS NULL THEN c.lifecycle_stage ELSE 'lead' END, c.created_at, c.created_by
    FROM crm.contact c LEFT JOIN (SELECT a.contact_id, min(a.at) AS at FROM came a GROUP BY a.contact_id) f ON f.contact_id = c.id
    WHERE f.at IS NULL OR c.created_at < f.at
)
SELECT a.contact_id, a.stage, tstzrange(a.at, lead(a.at) OVER (PARTITION BY a.contact_id ORDER BY a.at)), a.created_by
FROM (SELECT * FROM came UNION ALL SELECT * FROM began) a;
INSERT INTO crm.ownership_history (record_id, entity, owner_id, valid, actor)
SELECT c.id, 'contact', c.owner_id, tstzrange(c.created_at, NULL), c.created_by FROM crm.contact c WHERE c.owner_id IS NOT NULL
UNION ALL
SELECT c.id, 'company', c.owner_id, tstzrange(c.created_at, NULL), c.created_by FROM crm.company c WHERE c.owner_id IS NOT NULL
UNION ALL
SELECT d.id, 'deal', d.owner_id, tstzrange(d.created_at, NULL), d.created_by FROM crm.deal d WHERE d.owner_id IS NOT NULL;
