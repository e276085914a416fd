/* ------------------------------------------------------------------
 * Orders and metrics: the base currency, exchange rates, what an order is
 * completed with, and what the metrics of a contact are by definition.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.exchange_rate(currency text, at timestamptz DEFAULT now()) RETURNS numeric
LANGUAGE sql STABLE PARALLEL SAFE COST 50
SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN $1 = b.code THEN 1 ELSE coalesce(
        (SELECT f.rate FROM crm.fx_rate f
         WHERE f.currency = $1 AND f.base = b.code AND f.valid_from <= ($2 AT TIME ZONE 'UTC')::date ORDER BY f.valid_from DESC LIMIT 1),
        (SELECT round(1 / f.rate, 12) FROM crm.fx_rate f
         WHERE f.currency = b.code AND f.base = $1 AND f.valid_from <= ($2 AT TIME ZONE 'UTC')::date ORDER BY f.valid_from DESC LIMIT 1)) END
    FROM crm.base_currency b
$$;
COMMENT ON FUNCTION crm.exchange_rate(text, timestamptz) IS 'What one unit of a currency was worth in the base currency on the day (in UTC) of a moment, by crm.fx_rate: the latest rate that held, otherwise the inverse of one the other way round (to 12 places); 1 for the base currency; null when there is none.';

CREATE FUNCTION crm.complete_order() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF crm.merge_mode() <> 'off' THEN
        RETURN NEW;             -- as it was, to the byte
    END IF;
    IF TG_OP = 'UPDATE' THEN
        NEW.updated_at := now();
        -- The old rate is of the old currency, unless a new one came with it.
        IF NEW.currency IS DISTINCT FROM OLD.currency AND NEW.exchange_rate IS NOT DISTINCT FROM OLD.exchange_rate THEN
            NEW.exchange_rate := NULL;
        END IF;
    END IF;
    IF NEW.currency IS NULL THEN
        SELECT b.code, 1 INTO NEW.currency, NEW.exchange_rate FROM crm.base_currency b;
    ELSIF NEW.exchange_rate IS NULL THEN
        SELECT 1 INTO NEW.exchange_rate FROM crm.base_currency b WHERE b.code = NEW.currency;
        IF NOT FOUND THEN
            -- Whoever writes a rate waits for this order, or this order for the rate.
            PERFORM pg_advisory_xact_lock_shared(hashtext('crm.fx_rate'));
            NEW.exchange_rate := crm.exchange_rate(NEW.currency, NEW.ordered_at);
        END IF;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.complete_order() IS 'Trigger BEFORE INSERT OR UPDATE FOR EACH ROW on crm.sales_order: completes currency, exchange_rate and updated_at.';

-- Named in full and without settings, so that it is planned with its caller.
CREATE FUNCTION crm.contact_metrics_of(contact_ids bigint[], OUT contact_id bigint,
    OUT order_count bigint, OUT priced_order_count bigint, OUT order_total numeric,
    OUT first_order_at timestamptz, OUT last_order_at timestamptz, OUT largest_order numeric,
    OUT activity_count bigint, OUT first_activity_at timestamptz, OUT last_activity_at timestamptz,
    OUT last_inbound_at timestamptz, OUT last_outbound_at timestamptz,
    OUT open_deal_count bigint, OUT won_deal_count bigint, OUT won_deal_total numeric, OUT last_won_at timestamptz)
RETURNS SETOF record LANGUAGE sql STABLE AS $$
    SELECT i.id,
           coalesce(o.order_count, 0), coalesce(o.priced_order_count, 0), coalesce(o.order_total, 0.0000),
           o.first_order_at, o.last_order_at, o.largest_order,
           coalesce(a.activity_count, 0), a.first_activity_at, a.last_activity_at, a.last_inbound_at, a.last_outbound_at,
           coalesce(d.open_deal_count, 0), coalesce(d.won_deal_count, 0), coalesce(d.won_deal_total, 0.0000), d.last_won_at
    FROM (SELECT DISTINCT u.id FROM pg_catalog.unnest(contact_ids) AS u (id) WHERE u.id IS NOT NULL) i
    LEFT JOIN (
        SELECT s.contact_id, pg_catalog.count(*) AS order_count, pg_catalog.count(s.base_amount) AS priced_order_count,
               pg_catalog.sum(s.base_amount) AS order_total, pg_catalog.min(s.ordered_at) AS first_order_at,
               pg_catalog.max(s.ordered_at) AS last_order_at, pg_catalog.max(s.base_amount) AS largest_order
        FROM (SELECT DISTINCT u.id FROM pg_catalog.unnest(contact_ids) AS u (id)) w
        JOIN crm.sales_order s ON s.contact_id OPERATOR(pg_catalog.=) w.id WHERE s.is_counted
        GROUP BY s.contact_id) o ON o.contact_id OPERATOR(pg_catalog.=) i.id
    LEFT JOIN (
        SELECT v.contact_id, pg_catalog.count(*) AS activity_count, pg_catalog.min(v.occurred_at) AS first_activity_at,
               pg_catalog.max(v.occurred_at) AS last_activity_at,
               pg_catalog.max(v.occurred_at) FILTER (WHERE v.direction OPERATOR(pg_catalog.=) 'in') AS last_inbound_at,
               pg_catalog.max(v.occurred_at) FILTER (WHERE v.direction OPERATOR(pg_catalog.=) 'out') AS last_outbound_at
        FROM (SELECT DISTINCT u.id FROM pg_catalog.unnest(contact_ids) AS u (id)) w
        JOIN crm.activity v ON v.contact_id OPERATOR(pg_catalog.=) w.id
        GROUP BY v.contact_id) a ON a.contact_id OPERATOR(pg_catalog.=) i.id
    LEFT JOIN (
        SELECT e.contact_id, pg_catalog.count(*) FILTER (WHERE t.kind OPERATOR(pg_catalog.=) 'open') AS open_deal_count,
               pg_catalog.count(*) FILTER (WHERE t.kind OPERATOR(pg_catalog.=) 'won') AS won_deal_count,
               pg_catalog.sum(pg_catalog.round(e.amount OPERATOR(pg_catalog.*) crm.exchange_rate(e.currency, e.closed_at), 4))
                   FILTER (WHERE t.kind OPERATOR(pg_catalog.=) 'won') AS won_deal_total,
               pg_catalog.max(e.closed_at) FILTER (WHERE t.kind OPERATOR(pg_catalog.=) 'won') AS last_won_at
        FROM (SELECT DISTINCT u.id FROM pg_catalog.unnest(contact_ids) AS u (id)) w
        JOIN crm.deal e ON e.contact_id OPERATOR(pg_catalog.=) w.id JOIN crm.stage t ON t.id OPERATOR(pg_catalog.=) e.stage_id
        WHERE e.deleted_at IS NULL
        GROUP BY e.contact_id) d ON d.contact_id OPERATOR(pg_catalog.=) i.id
$$;
COMMENT ON FUNCTION crm.contact_metrics_of(bigint[]) IS 'The metrics of the contacts named, counted from orders, activities and deals as they are: what crm.contact_metric must hold. A contact without any has a row of zeros here.';
