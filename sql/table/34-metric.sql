CREATE TABLE crm.contact_metric (
    contact_id bigint PRIMARY KEY, -- The contact. It has a row as long as one of the counts is not zero.
    order_count bigint NOT NULL DEFAULT 0, -- Orders that count: placed, neither cancelled nor returned nor deleted.
    priced_order_count bigint NOT NULL DEFAULT 0, -- Those of them whose amount in the base currency is known: the others are in none of the sums.
    order_total numeric NOT NULL DEFAULT 0.0000, -- Sum of their amounts in the base currency, each at the rate of its order.
    order_average numeric GENERATED ALWAYS AS (CASE WHEN priced_order_count > 0 THEN round(order_total / priced_order_count, 4) END) STORED, -- order_total by priced_order_count; null without any.
    largest_order numeric, -- The largest amount of one of them, in the base currency.
    first_order_at timestamptz, -- When the first order that counts was placed.
    last_order_at timestamptz, -- When the latest one was.
    activity_count bigint NOT NULL DEFAULT 0, -- Activities: calls, letters, meetings, notes.
    first_activity_at timestamptz, -- When the first took place.
    last_activity_at timestamptz, -- When the latest did.
    last_inbound_at timestamptz, -- When the contact last came to us.
    last_outbound_at timestamptz, -- When we last went to the contact.
    open_deal_count bigint NOT NULL DEFAULT 0, -- Deals at an open stage.
    won_deal_count bigint NOT NULL DEFAULT 0, -- Deals at a won stage.
    won_deal_total numeric NOT NULL DEFAULT 0.0000, -- Sum of their amounts in the base currency, at the rate of the day of the close; without those whose amount or rate is not known.
    last_won_at timestamptz -- When the latest was won.
) WITH (fillfactor = 80);
COMMENT ON TABLE crm.contact_metric IS 'Metrics of contacts, kept by triggers in the statement that changes an order, activity or deal. Who has none has no row: join it from the left and take 0 for a count that is null, or read crm.v_contact_metric. crm.rebuild_contact_metric() counts anew.';
-- Who lapses while time passes is found by these.
CREATE INDEX contact_metric_last_order ON crm.contact_metric (last_order_at);
CREATE INDEX contact_metric_last_activity ON crm.contact_metric (last_activity_at);

-- The functions here are owned by whoever installs and run with that role's
-- rights: who may write an order need not be able to write its metrics.
--
-- How they stay right when transactions meet: every statement takes the rows of
-- all its contacts first, in the order of contact_id. Counts and sums are
-- changed by what the statement changed, never read from the tables. A first or
-- last instant is read from the table when the row that gave it is gone, in a
-- statement of its own, after the lock: what it does not see yet is added by
-- the one who wrote it, who waits for the lock.

CREATE FUNCTION crm.drop_empty_metrics(contact_ids bigint[]) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM crm.contact_metric m
    WHERE m.contact_id = ANY (contact_ids) AND m.order_count = 0 AND m.activity_count = 0 AND m.open_deal_count = 0 AND m.won_deal_count = 0
$$;
REVOKE ALL ON FUNCTION crm.drop_empty_metrics(bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION crm.drop_empty_metrics(bigint[]) IS 'Removes the rows of crm.contact_metric that say nothing any more.';

CREATE FUNCTION crm.order_metric() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
SET enable_seqscan = off AS $$
DECLARE
    instants bigint[];          -- contacts whose first or last order may be gone
    amounts bigint[];           -- ... whose largest one may be
BEGIN
    CASE TG_OP
    WHEN 'INSERT' THEN
        INSERT INTO crm.contact_metric AS m (contact_id, order_count, priced_order_count, order_total, largest_order, first_order_at, last_order_at)
        SELECT n.contact_id, count(*), count(n.base_amount), coalesce(sum(n.base_amount), 0.0000), max(n.base_amount), min(n.ordered_at), max(n.ordered_at)
        FROM new_rows n WHERE n.is_counted
        GROUP BY n.contact_id ORDER BY n.contact_id
        ON CONFLICT (contact_id) DO UPDATE SET
            order_count = m.order_count + excluded.order_count,
            priced_order_count = m.priced_order_count + excluded.priced_order_count,
            order_total = m.order_total + excluded.order_total,
            largest_order = greatest(m.largest_order, excluded.largest_order),
            first_order_at = least(m.first_order_at, excluded.first_order_at),
            last_order_at = greatest(m.last_order_at, excluded.last_order_at);
        RETURN NULL;
    WHEN 'UPDATE' THEN
        -- Of rows that are the same in what counts nothing is left.
        WITH change AS (
            SELECT r.contact_id, r.ordered_at, r.base_amount, sum(r.n) AS n
            FROM (SELECT o.contact_id, o.ordered_at, o.base_amount, -1 AS n FROM old_rows o WHERE o.is_counted
                  UNION ALL
                  SELECT o.contact_id, o.ordered_at, o.base_amount, 1 FROM new_rows o WHERE o.is_counted) r
            GROUP BY r.contact_id, r.ordered_at, r.base_amount HAVING sum(r.n) <> 0
        ), delta AS MATERIALIZED (
            SELECT c.contact_id, sum(c.n) AS orders, coalesce(sum(c.n) FILTER (WHERE c.base_amount IS NOT NULL), 0) AS priced, coalesce(sum(c.n * c.base_amount), 0.0000) AS total,
                   max(c.base_amount) FILTER (WHERE c.n > 0) AS come_largest, min(c.ordered_at) FILTER (WHERE c.n > 0) AS come_first, max(c.ordered_at) FILTER (WHERE c.n > 0) AS come_last,
                   max(c.base_amount) FILTER (WHERE c.n < 0) AS gone_largest, min(c.ordered_at) FILTER (WHERE c.n < 0) AS gone_first, max(c.ordered_at) FILTER (WHERE c.n < 0) AS gone_last
            FROM change c GROUP BY c.contact_id
        ), changed AS (
            INSERT INTO crm.contact_metric AS m (contact_id, order_count, priced_order_count, order_total, largest_order, first_order_at, last_order_at)
            SELECT d.contact_id, d.orders, d.priced, d.total, d.come_largest, d.come_first, d.come_last FROM delta d ORDER BY d.contact_id
            ON CONFLICT (contact_id) DO UPDATE SET
                order_count = m.order_count + excluded.order_count,
                priced_order_count = m.priced_order_count + excluded.priced_order_count,
                order_total = m.order_total + excluded.order_total,
                largest_order = greatest(m.largest_order, excluded.largest_order),
                first_order_at = least(m.first_order_at, excluded.first_order_at),
                last_order_at = greatest(m.last_order_at, excluded.last_order_at)
            RETURNING m.contact_id, m.largest_order, m.first_order_at, m.last_order_at
        )
        SELECT array_agg(g.contact_id) FILTER (WHERE g.gone_first <= g.first_order_at OR g.gone_last >= g.last_order_at),
               array_agg(g.contact_id) FILTER (WHERE g.gone_largest >= g.largest_order)
        INTO instants, amounts
        -- Grouped rather than joined: good for one contact and for a million.
        FROM (SELECT u.contact_id, max(u.gone_largest) AS gone_largest, max(u.gone_first) AS gone_first, max(u.gone_last) AS gone_last,
                     max(u.largest_order) AS largest_order, max(u.first_order_at) AS first_order_at, max(u.last_order_at) AS last_order_at
              FROM (SELECT d.contact_id, d.gone_largest, d.gone_first, d.gone_last, NULL::numeric AS largest_order, NULL::timestamptz AS first_order_at, NULL::timestamptz AS last_order_at
                    FROM delta d
                    UNION ALL
                    SELECT c.contact_id, NULL, NULL, NULL, c.largest_order, c.first_order_at, c.last_order_at FROM changed c) u
              GROUP BY u.contact_id) g;
    WHEN 'DELETE' THEN
        WITH delta AS MATERIALIZED (
            SELECT o.contact_id, -count(*) AS orders, -count(o.base_amount) AS priced, -coalesce(sum(o.base_amount), 0.0000) AS total,
                   max(o.base_amount) AS gone_largest, min(o.ordered_at) AS gone_first, max(o.ordered_at) AS gone_last
            FROM old_rows o WHERE o.is_counted GROUP BY o.contact_id
        ), changed AS (
            INSERT INTO crm.contact_metric AS m (contact_id, order_count, priced_order_count, order_total)
            SELECT d.contact_id, d.orders, d.priced, d.total FROM delta d ORDER BY d.contact_id
            ON CONFLICT (contact_id) DO UPDATE SET
                order_count = m.order_count + excluded.order_count,
                priced_order_count = m.priced_order_count + excluded.priced_order_count,
                order_total = m.order_total + excluded.order_total
            RETURNING m.contact_id, m.largest_order, m.first_order_at, m.last_order_at
        )
        SELECT array_agg(g.contact_id) FILTER (WHERE g.gone_first <= g.first_order_at OR g.gone_last >= g.last_order_at),
               array_agg(g.contact_id) FILTER (WHERE g.gone_largest >= g.largest_order)
        INTO instants, amounts
        FROM (SELECT u.contact_id, max(u.gone_largest) AS gone_largest, max(u.gone_first) AS gone_first, max(u.gone_last) AS gone_last,
                     max(u.largest_order) AS largest_order, max(u.first_order_at) AS first_order_at, max(u.last_order_at) AS last_order_at
              FROM (SELECT d.contact_id, d.gone_largest, d.gone_first, d.gone_last, NULL::numeric AS largest_order, NULL::timestamptz AS first_order_at, NULL::timestamptz AS last_order_at
                    FROM delta d
                    UNION ALL
                    SELECT c.contact_id, NULL, NULL, NULL, c.largest_order, c.first_order_at, c.last_order_at FROM changed c) u
              GROUP BY u.contact_id) g;
    WHEN 'TRUNCATE' THEN
        PERFORM FROM crm.contact_metric m WHERE m.order_count <> 0 ORDER BY m.contact_id FOR UPDATE;
        WITH changed AS (
            UPDATE crm.contact_metric m SET order_count = 0, priced_order_count = 0, order_total = 0.0000, largest_order = NULL,
                first_order_at = NULL, last_order_at = NULL
            WHERE m.order_count <> 0 RETURNING m.contact_id)
        SELECT array_agg(c.contact_id) INTO instants FROM changed c;
        PERFORM crm.drop_empty_metrics(instants);
        RETURN NULL;
    END CASE;
    IF instants IS NOT NULL THEN
        UPDATE crm.contact_metric m SET
            first_order_at = (SELECT min(o.ordered_at) FROM crm.sales_order o WHERE o.contact_id = m.contact_id AND o.is_counted),
            last_order_at = (SELECT max(o.ordered_at) FROM crm.sales_order o WHERE o.contact_id = m.contact_id AND o.is_counted)
        WHERE m.contact_id = ANY (instants);
    END IF;
    IF amounts IS NOT NULL THEN
        UPDATE crm.contact_metric m SET
            largest_order = (SELECT max(o.base_amount) FROM crm.sales_order o WHERE o.contact_id = m.contact_id AND o.is_counted)
        WHERE m.contact_id = ANY (amounts);
    END IF;
    IF instants IS NOT NULL THEN
        PERFORM crm.drop_empty_metrics(instants);
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.order_metric() FROM PUBLIC;
COMMENT ON FUNCTION crm.order_metric() IS 'Trigger: keeps what crm.contact_metric says of orders.';

CREATE FUNCTION crm.activity_metric() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
SET enable_seqscan = off AS $$
DECLARE
    instants bigint[];
BEGIN
    CASE TG_OP
    WHEN 'INSERT' THEN
        INSERT INTO crm.contact_metric AS m (contact_id, activity_count, first_activity_at, last_activity_at, last_inbound_at, last_outbound_at)
        SELECT n.contact_id, count(*), min(n.occurred_at), max(n.occurred_at),
               max(n.occurred_at) FILTER (WHERE n.direction = 'in'), max(n.occurred_at) FILTER (WHERE n.direction = 'out')
        FROM new_rows n GROUP BY n.contact_id ORDER BY n.contact_id
        ON CONFLICT (contact_id) DO UPDATE SET
            activity_count = m.activity_count + excluded.activity_count,
            first_activity_at = least(m.first_activity_at, excluded.first_activity_at),
            last_activity_at = greatest(m.last_activity_at, excluded.last_activity_at),
            last_inbound_at = greatest(m.last_inbound_at, excluded.last_inbound_at),
            last_outbound_at = greatest(m.last_outbound_at, excluded.last_outbound_at);
        RETURN NULL;
    WHEN 'UPDATE' THEN
        WITH change AS (
            SELECT r.contact_id, r.occurred_at, r.direction, sum(r.n) AS n
            FROM (SELECT o.contact_id, o.occurred_at, o.direction, -1 AS n FROM old_rows o
                  UNION ALL
                  SELECT o.contact_id, o.occurred_at, o.direction, 1 FROM new_rows o) r
            GROUP BY r.contact_id, r.occurred_at, r.direction HAVING sum(r.n) <> 0
        ), delta AS MATERIALIZED (
            SELECT c.contact_id, sum(c.n) AS activities,
                   min(c.occurred_at) FILTER (WHERE c.n > 0) AS come_first, max(c.occurred_at) FILTER (WHERE c.n > 0) AS come_last,
                   max(c.occurred_at) FILTER (WHERE c.n > 0 AND c.direction = 'in') AS come_in, max(c.occurred_at) FILTER (WHERE c.n > 0 AND c.direction = 'out') AS come_out,
                   min(c.occurred_at) FILTER (WHERE c.n < 0) AS gone_first, max(c.occurred_at) FILTER (WHERE c.n < 0) AS gone_last,
                   max(c.occurred_at) FILTER (WHERE c.n < 0 AND c.direction = 'in') AS gone_in, max(c.occurred_at) FILTER (WHERE c.n < 0 AND c.direction = 'out') AS gone_out
            FROM change c GROUP BY c.contact_id
        ), changed AS (
            INSERT INTO crm.contact_metric AS m (contact_id, activity_count, first_activity_at, last_activity_at, last_inbound_at, last_outbound_at)
            SELECT d.contact_id, d.activities, d.come_first, d.come_last, d.come_in, d.come_out FROM delta d ORDER BY d.contact_id
            ON CONFLICT (contact_id) DO UPDATE SET
                activity_count = m.activity_count + excluded.activity_count,
                first_activity_at = least(m.first_activity_at, excluded.first_activity_at),
                last_activity_at = greatest(m.last_activity_at, excluded.last_activity_at),
                last_inbound_at = greatest(m.last_inbound_at, excluded.last_inbound_at),
                last_outbound_at = greatest(m.last_outbound_at, excluded.last_outbound_at)
            RETURNING m.contact_id, m.first_activity_at, m.last_activity_at, m.last_inbound_at, m.last_outbound_at
        )
        SELECT array_agg(g.contact_id) INTO instants
        FROM (SELECT u.contact_id FROM (
                  SELECT d.contact_id, d.gone_first, d.gone_last, d.gone_in, d.gone_out,
                         NULL::timestamptz AS first_at, NULL::timestamptz AS last_at, NULL::timestamptz AS in_at, NULL::timestamptz AS out_at
                  FROM delta d
                  UNION ALL
                  SELECT c.contact_id, NULL, NULL, NULL, NULL, c.first_activity_at, c.last_activity_at, c.last_inbound_at, c.last_outbound_at FROM changed c) u
              GROUP BY u.contact_id
              HAVING max(u.gone_first) <= max(u.first_at) OR max(u.gone_last) >= max(u.last_at) OR max(u.gone_in) >= max(u.in_at) OR max(u.gone_out) >= max(u.out_at)) g;
    WHEN 'DELETE' THEN
        WITH delta AS MATERIALIZED (
            SELECT o.contact_id, -count(*) AS activities, min(o.occurred_at) AS gone_first, max(o.occurred_at) AS gone_last,
                   max(o.occurred_at) FILTER (WHERE o.direction = 'in') AS gone_in, max(o.occurred_at) FILTER (WHERE o.direction = 'out') AS gone_out
            FROM old_rows o GROUP BY o.contact_id
        ), changed AS (
            INSERT INTO crm.contact_metric AS m (contact_id, activity_count)
            SELECT d.contact_id, d.activities FROM delta d ORDER BY d.contact_id
            ON CONFLICT (contact_id) DO UPDATE SET
                activity_count = m.activity_count + excluded.activity_count
            RETURNING m.contact_id, m.first_activity_at, m.last_activity_at, m.last_inbound_at, m.last_outbound_at
        )
        SELECT array_agg(g.contact_id) INTO instants
        FROM (SELECT u.contact_id FROM (
                  SELECT d.contact_id, d.gone_first, d.gone_last, d.gone_in, d.gone_out,
                         NULL::timestamptz AS first_at, NULL::timestamptz AS last_at, NULL::timestamptz AS in_at, NULL::timestamptz AS out_at
                  FROM delta d
                  UNION ALL
                  SELECT c.contact_id, NULL, NULL, NULL, NULL, c.first_activity_at, c.last_activity_at, c.last_inbound_at, c.last_outbound_at FROM changed c) u
              GROUP BY u.contact_id
              HAVING max(u.gone_first) <= max(u.first_at) OR max(u.gone_last) >= max(u.last_at) OR max(u.gone_in) >= max(u.in_at) OR max(u.gone_out) >= max(u.out_at)) g;
    WHEN 'TRUNCATE' THEN
        PERFORM FROM crm.contact_metric m WHERE m.activity_count <> 0 ORDER BY m.contact_id FOR UPDATE;
        WITH changed AS (
            UPDATE crm.contact_metric m SET activity_count = 0, first_activity_at = NULL, last_activity_at = NULL,
                last_inbound_at = NULL, last_outbound_at = NULL
            WHERE m.activity_count <> 0 RETURNING m.contact_id)
        SELECT array_agg(c.contact_id) INTO instants FROM changed c;
        PERFORM crm.drop_empty_metrics(instants);
        RETURN NULL;
    END CASE;
    IF instants IS NOT NULL THEN
        UPDATE crm.contact_metric m SET
            first_activity_at = (SELECT min(a.occurred_at) FROM crm.activity a WHERE a.contact_id = m.contact_id),
            last_activity_at = (SELECT max(a.occurred_at) FROM crm.activity a WHERE a.contact_id = m.contact_id),
            last_inbound_at = (SELECT max(a.occurred_at) FROM crm.activity a WHERE a.contact_id = m.contact_id AND a.direction = 'in'),
            last_outbound_at = (SELECT max(a.occurred_at) FROM crm.activity a WHERE a.contact_id = m.contact_id AND a.direction = 'out')
        WHERE m.contact_id = ANY (instants);
        PERFORM crm.drop_empty_metrics(instants);
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.activity_metric() FROM PUBLIC;
COMMENT ON FUNCTION crm.activity_metric() IS 'Trigger: keeps what crm.contact_metric says of activities.';

CREATE FUNCTION crm.lock_contact_metrics(contact_ids bigint[]) RETURNS void
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    -- Takes the row that is there, and writes nothing.
    INSERT INTO crm.contact_metric AS m (contact_id)
    SELECT DISTINCT u.id FROM unnest(contact_ids) AS u (id) WHERE u.id IS NOT NULL ORDER BY u.id
    ON CONFLICT (contact_id) DO UPDATE SET contact_id = m.contact_id WHERE false
$$;
REVOKE ALL ON FUNCTION crm.lock_contact_metrics(bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION crm.lock_contact_metrics(bigint[]) IS 'Takes the rows of contacts in crm.contact_metric until the end of the transaction, in the order of contact_id; makes those that are missing.';

CREATE FUNCTION crm.refresh_deal_metrics(contact_ids bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET jit = off
SET enable_seqscan = off AS $$
BEGIN
    -- Exchange rates do not change meanwhile.
    PERFORM pg_advisory_xact_lock_shared(hashtext('crm.fx_rate'));
    PERFORM crm.lock_contact_metrics(contact_ids);
    UPDATE crm.contact_metric m SET open_deal_count = d.open_deal_count, won_deal_count = d.won_deal_count,
        won_deal_total = d.won_deal_total, last_won_at = d.last_won_at
    FROM (SELECT i.id, count(e.id) FILTER (WHERE t.kind = 'open') AS open_deal_count, count(e.id) FILTER (WHERE t.kind = 'won') AS won_deal_count,
                 coalesce(sum(round(e.amount * crm.exchange_rate(e.currency, e.closed_at), 4)) FILTER (WHERE t.kind = 'won'), 0.0000) AS won_deal_total,
                 max(e.closed_at) FILTER (WHERE t.kind = 'won') AS last_won_at
          FROM (SELECT DISTINCT u.id FROM unnest(contact_ids) AS u (id)) i
          LEFT JOIN (crm.deal e JOIN crm.stage t ON t.id = e.stage_id AND e.deleted_at IS NULL) ON e.contact_id = i.id
          GROUP BY i.id) d
    WHERE m.contact_id = d.id
      AND (m.open_deal_count, m.won_deal_count, m.won_deal_total, m.last_won_at)
          IS DISTINCT FROM (d.open_deal_count, d.won_deal_count, d.won_deal_total, d.last_won_at);
    PERFORM crm.drop_empty_metrics(contact_ids);
END
$$;
REVOKE ALL ON FUNCTION crm.refresh_deal_metrics(bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION crm.refresh_deal_metrics(bigint[]) IS 'Counts anew what crm.contact_metric says of the deals of contacts.';

CREATE FUNCTION crm.deal_metric() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids bigint[];
BEGIN
    CASE TG_OP
    WHEN 'INSERT' THEN
        SELECT array_agg(DISTINCT n.contact_id) INTO ids FROM new_rows n WHERE n.contact_id IS NOT NULL AND n.deleted_at IS NULL;
    WHEN 'UPDATE' THEN
        SELECT array_agg(DISTINCT c.contact_id) INTO ids
        FROM (SELECT r.contact_id
              FROM (SELECT o.contact_id, o.stage_id, o.closed_at, o.amount, o.currency, -1 AS n FROM old_rows o WHERE o.contact_id IS NOT NULL AND o.deleted_at IS NULL
                    UNION ALL
                    SELECT o.contact_id, o.stage_id, o.closed_at, o.amount, o.currency, 1 FROM new_rows o WHERE o.contact_id IS NOT NULL AND o.deleted_at IS NULL) r
              GROUP BY r.contact_id, r.stage_id, r.closed_at, r.amount, r.currency HAVING sum(r.n) <> 0) c;
    WHEN 'DELETE' THEN
        SELECT array_agg(DISTINCT o.contact_id) INTO ids FROM old_rows o WHERE o.contact_id IS NOT NULL AND o.deleted_at IS NULL;
    WHEN 'TRUNCATE' THEN
        SELECT array_agg(m.contact_id) INTO ids FROM crm.contact_metric m WHERE m.open_deal_count <> 0 OR m.won_deal_count <> 0;
    END CASE;
    IF ids IS NOT NULL THEN
        PERFORM crm.refresh_deal_metrics(ids);
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.deal_metric() FROM PUBLIC;
COMMENT ON FUNCTION crm.deal_metric() IS 'Trigger: keeps what crm.contact_metric says of deals.';

CREATE FUNCTION crm.fx_rate_metric() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids bigint[];
    is_base CONSTANT boolean := TG_TABLE_NAME = 'base_currency';
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('crm.fx_rate'));
    IF is_base THEN
        -- Nobody writes an order with a rate of the old base currency meanwhile.
        LOCK TABLE crm.sales_order IN SHARE ROW EXCLUSIVE MODE;
        UPDATE crm.sales_order o SET exchange_rate = crm.exchange_rate(o.currency, o.ordered_at);
    ELSE
        UPDATE crm.sales_order o SET exchange_rate = r.rate
        FROM (SELECT u.contact_id, u.id, crm.exchange_rate(u.currency, u.ordered_at) AS rate FROM crm.sales_order u WHERE u.exchange_rate IS NULL) r
        WHERE o.contact_id = r.contact_id AND o.id = r.id AND o.exchange_rate IS NULL AND r.rate IS NOT NULL;
    END IF;
    SELECT array_agg(DISTINCT d.contact_id) INTO ids FROM crm.deal d JOIN crm.stage s ON s.id = d.stage_id
    WHERE s.kind = 'won' AND d.contact_id IS NOT NULL AND d.deleted_at IS NULL AND d.amount IS NOT NULL
      AND (is_base OR d.currency <> (SELECT b.code FROM crm.base_currency b));
    IF ids IS NOT NULL THEN
        PERFORM crm.refresh_deal_metrics(ids);
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.fx_rate_metric() FROM PUBLIC;
COMMENT ON FUNCTION crm.fx_rate_metric() IS 'Trigger on crm.fx_rate and crm.base_currency: looks up the rate of orders that have none, or of all when the base currency is another, and counts won deals of other currencies anew.';

CREATE FUNCTION crm.rebuild_contact_metric(contact_ids bigint[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ids bigint[] := contact_ids;
    wrong bigint;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('crm.fx_rate'));
    IF ids IS NULL THEN
        SELECT array_agg(u.contact_id) INTO ids
        FROM (SELECT m.contact_id FROM crm.contact_metric m
              UNION SELECT o.contact_id FROM crm.sales_order o
              UNION SELECT a.contact_id FROM crm.activity a
              UNION SELECT d.contact_id FROM crm.deal d WHERE d.contact_id IS NOT NULL) u;
    END IF;
    -- A statement of its own for what it counts to be that of after the lock.
    PERFORM crm.lock_contact_metrics(ids);
    EXECUTE 'UPDATE crm.contact_metric m SET
            order_count = n.order_count, priced_order_count = n.priced_order_count, order_total = n.order_total,
            largest_order = n.largest_order, first_order_at = n.first_order_at, last_order_at = n.last_order_at,
            activity_count = n.activity_count, first_activity_at = n.first_activity_at, last_activity_at = n.last_activity_at,
            last_inbound_at = n.last_inbound_at, last_outbound_at = n.last_outbound_at,
            open_deal_count = n.open_deal_count, won_deal_count = n.won_deal_count, won_deal_total = n.won_deal_total, last_won_at = n.last_won_at
        FROM crm.contact_metrics_of($1) n
        WHERE m.contact_id = n.contact_id
          AND (m.order_count, m.priced_order_count, m.order_total, m.largest_order, m.first_order_at, m.last_order_at,
               m.activity_count, m.first_activity_at, m.last_activity_at, m.last_inbound_at, m.last_outbound_at,
               m.open_deal_count, m.won_deal_count, m.won_deal_total, m.last_won_at)
              IS DISTINCT FROM
              (n.order_count, n.priced_order_count, n.order_total, n.largest_order, n.first_order_at, n.last_order_at,
               n.activity_count, n.first_activity_at, n.last_activity_at, n.last_inbound_at, n.last_outbound_at,
               n.open_deal_count, n.won_deal_count, n.won_deal_total, n.last_won_at)' USING ids;
    GET DIAGNOSTICS wrong = ROW_COUNT;
    PERFORM crm.drop_empty_metrics(ids);
    RETURN wrong;
END
$$;
REVOKE ALL ON FUNCTION crm.rebuild_contact_metric(bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION crm.rebuild_contact_metric(bigint[]) IS 'Counts the metrics of contacts anew, of all when none are named: after a load for which the triggers were disabled. Gives how many rows were not right; 0 otherwise. Others may write meanwhile; who writes of the same contacts waits.';

CREATE TRIGGER metric_insert AFTER INSERT ON crm.sales_order REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.order_metric();
CREATE TRIGGER metric_update AFTER UPDATE ON crm.sales_order REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.order_metric();
CREATE TRIGGER metric_delete AFTER DELETE ON crm.sales_order REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.order_metric();
CREATE TRIGGER metric_truncate AFTER TRUNCATE ON crm.sales_order FOR EACH STATEMENT EXECUTE FUNCTION crm.order_metric();

CREATE TRIGGER metric_insert AFTER INSERT ON crm.activity REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.activity_metric();
CREATE TRIGGER metric_update AFTER UPDATE ON crm.activity REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.activity_metric();
CREATE TRIGGER metric_delete AFTER DELETE ON crm.activity REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.activity_metric();
CREATE TRIGGER metric_truncate AFTER TRUNCATE ON crm.activity FOR EACH STATEMENT EXECUTE FUNCTION crm.activity_metric();

CREATE TRIGGER metric_insert AFTER INSERT ON crm.deal REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.deal_metric();
CREATE TRIGGER metric_update AFTER UPDATE ON crm.deal REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.deal_metric();
CREATE TRIGGER metric_delete AFTER DELETE ON crm.deal REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.deal_metric();
CREATE TRIGGER metric_truncate AFTER TRUNCATE ON crm.deal FOR EACH STATEMENT EXECUTE FUNCTION crm.deal_metric();

CREATE TRIGGER metric AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.fx_rate FOR EACH STATEMENT EXECUTE FUNCTION crm.fx_rate_metric();
CREATE TRIGGER metric AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.base_currency FOR EACH STATEMENT EXECUTE FUNCTION crm.fx_rate_metric();

-- What was there before this table: the triggers above keep others out until
-- this transaction ends.
INSERT INTO crm.contact_metric (contact_id, order_count, priced_order_count, order_total, largest_order, first_order_at, last_order_at,
    activity_count, first_activity_at, last_activity_at, last_inbound_at, last_outbound_at, open_deal_count, won_deal_count, won_deal_total, last_won_at)
SELECT n.contact_id, n.order_count, n.priced_order_count, n.order_total, n.largest_order, n.first_order_at, n.last_order_at,
    n.activity_count, n.first_activity_at, n.last_activity_at, n.last_inbound_at, n.last_outbound_at, n.open_deal_count, n.won_deal_count, n.won_deal_total, n.last_won_at
FROM crm.contact_metrics_of(ARRAY(
    SELECT a.contact_id FROM crm.activity a UNION SELECT d.contact_id FROM crm.deal d WHERE d.contact_id IS NOT NULL UNION SELECT o.contact_id FROM crm.sales_order o)) n
WHERE n.activity_count > 0 OR n.open_deal_count > 0 OR n.won_deal_count > 0 OR n.order_count > 0;
