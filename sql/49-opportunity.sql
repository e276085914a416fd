/* ------------------------------------------------------------------
 * Opportunities: what clients could buy, who sends us others, and which
 * channels to spend on.
 * ------------------------------------------------------------------ */

/* Referrals. */

CREATE FUNCTION crm.referral_code(contact_id bigint) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', (p.value >> 5 * p.k & 31)::integer + 1, 1), '' ORDER BY p.part, p.k DESC)
    FROM (SELECT 1 AS part, k, contact_id AS value FROM generate_series(0, 12) k WHERE k = 0 OR contact_id >> 5 * k > 0
          UNION ALL
          SELECT 2, k, get_byte(h.hash, 0) << 16 | get_byte(h.hash, 1) << 8 | get_byte(h.hash, 2)
          FROM (SELECT sha256(convert_to('crm.referral ' || contact_id, 'UTF8')) AS hash) h, generate_series(0, 2) k) p
$$;
COMMENT ON FUNCTION crm.referral_code(bigint) IS 'The code by which a contact refers others: letters and digits that are not mistaken for each other, the last three of them to detect mistakes. It is always the same, needs no table, and is no secret. crm.referrer() reads it.';

CREATE FUNCTION crm.referrer(code text) RETURNS bigint
LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp AS $$
    WITH given AS (
        SELECT translate(upper(code), 'OIL- ', '011') AS word
    ), read AS (
        SELECT g.word, (SELECT sum((strpos('0123456789ABCDEFGHJKMNPQRSTVWXYZ', c.letter) - 1) * 32::numeric ^ (length(g.word) - 3 - c.n))
                        FROM string_to_table(left(g.word, -3), NULL) WITH ORDINALITY AS c (letter, n)) AS number
        FROM given g WHERE g.word ~ '^[0-9A-HJKMNP-TV-Z]{4,16}$'
    )
    SELECT c.id FROM read r JOIN crm.contact c ON c.id = crm.resolve_contact(r.number::bigint)
    WHERE r.number <= 9223372036854775807 AND crm.referral_code(r.number::bigint) = r.word AND c.deleted_at IS NULL
$$;
COMMENT ON FUNCTION crm.referrer(text) IS 'The contact whose crm.referral_code() it is, or into whom that one was merged; null when it is nobody''s. Letter case, blanks and hyphens do not matter; O is 0, I and L are 1.';

CREATE FUNCTION crm.is_referred_by(contact_id bigint, referrer_id bigint) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE above AS (
        SELECT $1 AS id
        UNION SELECT r.referrer_id FROM above a JOIN crm.referral r ON r.contact_id = a.id)
    SELECT EXISTS (SELECT FROM above WHERE id = $2)
$$;
COMMENT ON FUNCTION crm.is_referred_by(bigint, bigint) IS 'Whether a contact came by another, through whatever others, or is that one.';

CREATE FUNCTION crm.referral_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF crm.merge_mode() <> 'off' OR NEW.contact_id IS NULL THEN
        RETURN NEW;
    END IF;
    -- Two who refer each other at once are a circle, too.
    PERFORM pg_advisory_xact_lock(hashtext('crm.referral'), 0);
    IF crm.is_referred_by(NEW.referrer_id, NEW.contact_id) THEN
        RAISE EXCEPTION 'contact % cannot have come by contact %', NEW.contact_id, NEW.referrer_id
            USING ERRCODE = 'RM063',
                  DETAIL = CASE WHEN NEW.contact_id = NEW.referrer_id THEN 'Nobody refers himself.' ELSE format('Contact %s itself came by contact %s.', NEW.referrer_id, NEW.contact_id) END,
                  HINT = 'crm.v_referral tells who came by whom.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.referral_check() IS 'Trigger BEFORE INSERT and UPDATE on crm.referral: nobody comes by himself. Errors: RM063 a contact would have come by itself, through whatever others.';

CREATE FUNCTION crm.refer_lead() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known CONSTANT bigint := crm.referrer(NEW.payload ->> 'referral_code');
    person bigint := NEW.contact_id;
BEGIN
    IF crm.merge_mode() <> 'off' OR known IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('crm.referral'), 0);
    IF person IS NOT NULL AND crm.is_referred_by(known, person) THEN
        -- A lead is never refused: it only turns out not to be referred.
        DELETE FROM crm.referral r WHERE r.lead_id = NEW.id AND r.contact_id IS NULL;
        RETURN NULL;
    ELSIF EXISTS (SELECT FROM crm.referral r WHERE r.contact_id = person) THEN
        person := NULL;
    END IF;
    INSERT INTO crm.referral AS r (referrer_id, contact_id, lead_id, code, referred_at)
    VALUES (known, person, NEW.id, NEW.payload ->> 'referral_code', NEW.created_at)
    ON CONFLICT (lead_id) DO UPDATE SET contact_id = excluded.contact_id WHERE r.contact_id IS NULL AND excluded.contact_id IS NOT NULL;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION crm.refer_lead() IS 'Trigger AFTER INSERT and UPDATE on crm.lead: a lead with a referral_code in its payload is a row of crm.referral, whose contact is filled when the lead has one. A code of the person''s own, or of somebody who came by that person, makes none.';

CREATE FUNCTION crm.may_nurture(contact_id bigint, as_of timestamptz DEFAULT now()) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM crm.contact c
        WHERE c.id = crm.resolve_contact($1) AND c.deleted_at IS NULL
          AND (crm.lifecycle_as_of(c.id, as_of) IS DISTINCT FROM 'closed_cycle'
               OR NOT EXISTS (SELECT FROM crm.activity a
                              WHERE a.contact_id = c.id AND a.direction = 'out' AND a.occurred_at <= as_of
                                AND a.occurred_at > (as_of AT TIME ZONE 'UTC' - interval '3 months') AT TIME ZONE 'UTC')))
$$;
COMMENT ON FUNCTION crm.may_nurture(bigint, timestamptz) IS 'Whether we may go to a contact: one whose cycle is closed (lifecycle_stage closed_cycle at that moment) only when nothing went out to the contact (direction out in crm.activity, newsletters as well) for three months, so at most once a quarter; any other, yes. False for one who is gone. Whether the contact agreed is another question: crm.consent.';

/* What a client could buy. */

CREATE FUNCTION crm.whitespace(contact bigint DEFAULT NULL, level text DEFAULT 'product', look_back interval DEFAULT '2 years', min_peers integer DEFAULT 5,
    min_share numeric DEFAULT 0.1, per_contact integer DEFAULT 10, as_of timestamptz DEFAULT now(),
    OUT contact_id bigint, OUT product_id bigint, OUT product text, OUT category text, OUT basis text, OUT peers_are text,
    OUT peers bigint, OUT buyers bigint, OUT share numeric, OUT average_amount numeric, OUT expected_amount numeric, OUT currency text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 100 COST 10000
SET search_path = pg_catalog, pg_temp
-- Of tables that were never analyzed little is known: loops over loops would not end.
SET enable_nestloop = off
SET jit = off AS $$
#variable_conflict use_column
DECLARE
    -- Of the products of a client so many are asked for their buyers, and of each
    -- product so many others are offered: what is beyond is hardly among the best.
    bases CONSTANT integer := 20;
    related CONSTANT integer := 50;
    since timestamptz;
BEGIN
    IF level IS NULL OR level <> ALL ('{product,category}'::text[]) THEN
        RAISE EXCEPTION 'unknown level "%"', coalesce(level, 'null') USING ERRCODE = 'invalid_parameter_value', HINT = 'It is product or category.';
    ELSIF look_back IS NULL OR look_back <= '0' THEN
        RAISE EXCEPTION 'the time to look back must be longer than zero' USING ERRCODE = 'invalid_parameter_value';
    ELSIF min_peers IS NULL OR min_peers < 1 THEN
        RAISE EXCEPTION 'there must be at least one peer, not %', coalesce(min_peers::text, 'null') USING ERRCODE = 'invalid_parameter_value';
    ELSIF min_share IS NULL OR min_share NOT BETWEEN 0 AND 1 THEN
        RAISE EXCEPTION 'a share of % is none', coalesce(min_share::text, 'null') USING ERRCODE = 'invalid_parameter_value', HINT = 'It is a number from 0 to 1.';
    ELSIF per_contact < 1 THEN
        RAISE EXCEPTION 'there must be at least one offer for a contact, not %', per_contact
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Null is for all.';
    END IF;
    since := (as_of AT TIME ZONE 'UTC' - look_back) AT TIME ZONE 'UTC';
    RETURN QUERY
    WITH item AS MATERIALIZED (
        -- What is offered, and the product by which it is called: of a category its first.
        SELECT p.id AS product_id, CASE level WHEN 'category' THEN min(p.id) OVER (PARTITION BY p.category) ELSE p.id END AS item,
               p.name, p.sku, p.category, p.active
        FROM crm.product p WHERE level = 'product' OR p.category IS NOT NULL
    ), firm AS MATERIALIZED (
        SELECT DISTINCT ON (w.contact_id) w.contact_id, w.company_id, lower(btrim(o.industry)) AS industry, coalesce(width_bucket(o.employees, '{10,50,250}'), -1) AS size
        FROM crm.company_contact w JOIN crm.company o ON o.id = w.company_id AND o.deleted_at IS NULL
        WHERE w.valid @> as_of ORDER BY w.contact_id, w.is_primary DESC, w.company_id
    ), line AS MATERIALIZED (
        SELECT l.contact_id, o.company_id, i.item, o.ordered_at, l.amount * o.exchange_rate AS amount
        FROM crm.order_line l
        JOIN crm.sales_order o ON o.contact_id = l.contact_id AND o.id = l.order_id
        JOIN item i ON i.product_id = l.product_id
        WHERE o.is_counted AND l.quantity > l.returned_quantity AND o.ordered_at <= as_of
    ), bought AS MATERIALIZED (
        SELECT l.contact_id, l.item, sum(l.amount) AS amount FROM line l WHERE l.ordered_at > since GROUP BY l.contact_id, l.item
    ), target AS MATERIALIZED (
        SELECT c.id, f.company_id, f.industry, f.size, c.id IN (SELECT b.contact_id FROM bought b) AS is_buyer
        FROM crm.contact c LEFT JOIN firm f ON f.contact_id = c.id
        WHERE c.deleted_at IS NULL AND c.merged_into IS NULL AND c.archived_at IS NULL
          AND (contact IS NULL OR c.id = crm.resolve_contact(contact))
    ), market AS (
        SELECT f.industry, f.size, count(DISTINCT b.contact_id) AS peers FROM bought b JOIN firm f ON f.contact_id = b.contact_id
        WHERE f.industry <> '' AND (f.industry, f.size) IN (SELECT t.industry, t.size FROM target t) GROUP BY f.industry, f.size
    ), market_item AS (
        SELECT f.industry, f.size, b.item, count(*) AS buyers, avg(b.amount) AS average FROM bought b JOIN firm f ON f.contact_id = b.contact_id
        WHERE f.industry <> '' AND (f.industry, f.size) IN (SELECT t.industry, t.size FROM target t) GROUP BY f.industry, f.size, b.item
    ), holder AS MATERIALIZED (
        -- Who bought it, as a set: so pairs of items are counted without joining all that anybody bought with itself.
        SELECT b.item, count(*) AS holders, crm.contact_set_agg(b.contact_id) AS members, coalesce(avg(b.amount), 0) AS average FROM bought b GROUP BY b.item
    ), own AS MATERIALIZED (
        SELECT o.contact_id, o.item
        FROM (SELECT b.contact_id, b.item, row_number() OVER (PARTITION BY b.contact_id ORDER BY b.amount DESC NULLS LAST, b.item) AS place
              FROM bought b JOIN target t ON t.id = b.contact_id JOIN holder h ON h.item = b.item WHERE h.holders > min_peers) o
        WHERE o.place <= bases
    ), pair AS MATERIALIZED (
        SELECT a.item AS basis_item, a.holders - 1 AS peers, b.item, crm.intersect_count(a.members, b.members) AS buyers, b.average
        FROM holder a CROSS JOIN holder b
        WHERE a.item IN (SELECT o.item FROM own o) AND b.item <> a.item AND b.holders >= min_share * (a.holders - 1)
    ), together AS MATERIALIZED (
        SELECT g.* FROM (
            SELECT p.*, row_number() OVER (PARTITION BY p.basis_item ORDER BY p.buyers::double precision / p.peers * p.average DESC, p.item) AS place
            FROM pair p WHERE p.buyers > 0 AND p.buyers >= min_share * p.peers AND EXISTS (SELECT FROM item i WHERE i.item = p.item AND i.active)) g
        WHERE g.place <= related
    ), offer AS MATERIALIZED (
        -- Ranked once, so that of those of a contact the least number is the best.
        SELECT x.*, row_number() OVER (ORDER BY x.buyers::numeric / x.peers DESC, x.peers DESC, x.basis, x.basis_item, x.industry, x.size, x.item) AS rank,
               x.buyers::numeric / x.peers * x.usual AS promise
        FROM (SELECT m.item, 'market' AS basis, NULL::bigint AS basis_item, a.industry, a.size, v.is_buyer, a.peers - v.is_buyer::integer AS peers, m.buyers, m.average, h.average AS usual
              FROM market a JOIN market_item m ON m.industry = a.industry AND m.size = a.size JOIN holder h ON h.item = m.item CROSS JOIN (VALUES (false), (true)) AS v (is_buyer)
              UNION ALL
              SELECT g.item, 'purchase', g.basis_item, NULL, NULL, NULL, g.peers, g.buyers, NULL, g.average FROM together g) x
        WHERE x.peers >= min_peers AND x.buyers >= min_share * x.peers AND EXISTS (SELECT FROM item i WHERE i.item = x.item AND i.active)
    ), word AS (
        -- What people call it who write no number.
        SELECT w.word, w.is_product, i.item FROM item i CROSS JOIN LATERAL (VALUES (lower(i.name), true), (lower(i.sku), true), (lower(i.category), false)) AS w (word, is_product)
    ), quoted AS (
        SELECT coalesce(q.contact_id, d.contact_id) AS contact_id, coalesce(q.company_id, d.company_id) AS company_id, i.item
        FROM crm.quote q
        LEFT JOIN crm.deal d ON d.id = q.deal_id
        JOIN crm.quote_line l ON l.quote_id = q.id
        JOIN item i ON i.product_id = l.product_id
        WHERE q.created_at <= as_of
          AND (q.status IN ('draft', 'sent', 'viewed') OR q.status = 'refused' AND level = 'product' AND q.closed_at <= as_of AND q.closed_at > since)
    ), left_out AS (
        SELECT l.contact_id, l.item FROM line l
        UNION ALL
        SELECT t.id, l.item FROM target t JOIN line l ON l.company_id = t.company_id
        UNION ALL
        SELECT o.contact_id, w.item FROM crm.owned_product o JOIN word w ON w.word = lower(btrim(o.product)) AND w.is_product
        WHERE o.purchased_at <= (as_of AT TIME ZONE 'UTC')::date
        UNION ALL
        SELECT n.contact_id, w.item FROM crm.contact_need n JOIN word w ON w.word = lower(btrim(n.subject)) AND (level = 'product' OR NOT w.is_product)
        WHERE n.kind = 'objection' AND n.valid @> as_of
        UNION ALL
        SELECT q.contact_id, q.item FROM quoted q
        UNION ALL
        SELECT t.id, q.item FROM target t JOIN quoted q ON q.company_id = t.company_id
    ), best AS (
        SELECT c.id, c.item, min(c.rank) AS rank
        FROM (SELECT t.id, f.item, f.rank FROM target t JOIN offer f ON f.industry = t.industry AND f.size = t.size AND f.is_buyer = t.is_buyer
              UNION ALL
              SELECT o.contact_id, f.item, f.rank FROM own o JOIN offer f ON f.basis_item = o.item) c
        WHERE NOT EXISTS (SELECT FROM left_out x WHERE x.contact_id = c.id AND x.item = c.item)
        GROUP BY c.id, c.item
    ), chosen AS MATERIALIZED (
        SELECT c.id, c.rank FROM (
            SELECT b.id, b.rank, row_number() OVER (PARTITION BY b.id ORDER BY f.promise DESC, b.rank) AS place FROM best b JOIN offer f ON f.rank = b.rank) c
        WHERE per_contact IS NULL OR c.place <= per_contact
    ), worth AS (
        -- What the buyers among the peers spent, of what is shown alone.
        SELECT x.rank, avg(b.amount) AS average
        FROM (SELECT f.rank, f.item, crm.members(crm.contact_set_and(g.members, h.members)) AS buyer
              FROM offer f JOIN holder g ON g.item = f.basis_item JOIN holder h ON h.item = f.item
              WHERE f.rank IN (SELECT c.rank FROM chosen c)) x
        JOIN bought b ON b.contact_id = x.buyer AND b.item = x.item GROUP BY x.rank
    ), shown AS (
        SELECT c.id, f.item, f.basis, f.basis_item, f.industry, f.size, f.peers, f.buyers, f.rank, coalesce(w.average, f.average) AS average
        FROM chosen c JOIN offer f ON f.rank = c.rank LEFT JOIN worth w ON w.rank = c.rank
    )
    SELECT f.id, CASE level WHEN 'product' THEN f.item END, CASE level WHEN 'product' THEN i.name END, i.category, f.basis,
           CASE f.basis WHEN 'purchase' THEN 'buyers of ' || CASE level WHEN 'product' THEN w.name ELSE w.category END
                        ELSE f.industry || (CASE f.size WHEN 0 THEN ', under 10 employees' WHEN 1 THEN ', 10 to 49 employees'
                                                        WHEN 2 THEN ', 50 to 249 employees' WHEN 3 THEN ', 250 employees and more' ELSE ', size not known' END) END,
           f.peers, f.buyers, round(f.buyers::numeric / f.peers, 4), round(f.average, 4), round(f.average * f.buyers / f.peers, 4), (SELECT y.code FROM crm.base_currency y)
    FROM shown f JOIN item i ON i.product_id = f.item LEFT JOIN item w ON w.product_id = f.basis_item
    ORDER BY f.id, f.average * f.buyers / f.peers DESC NULLS LAST, f.rank;
END
$$;
COMMENT ON FUNCTION crm.whitespace(bigint, text, interval, integer, numeric, integer, timestamptz) IS 'Unused opportunities of one contact, or of all who live and are not archived: the products (or categories) that peers bought in the time before as_of and the contact did not. Peers are, by basis, market: buyers whose main company has the same industry and size (under 10, 50, 250 employees, or more); purchase: buyers of a product that the contact bought, of the 20 on which the contact spent most; of each product the 50 others are offered that promise most. Of both the one with the greater share stands, where there are at least min_peers, of whom at least min_share bought it. Of each contact the per_contact that promise most are shown (null: all): by share times what a buyer spends on it, whoever that is. share is that of peers who bought it; average_amount what one of these spent on it in that time, in the base currency; expected_amount the product of both, by which they are ordered. Left out are what the contact or the main company ever bought (orders that count, not returned), what is in crm.owned_product by name or article number, what the contact objects to (crm.contact_need, by name, article number or category), what a quote refused in that time offered (as a product), what an open quote offers, and what is not offered any more. Errors: 22023 unknown level, time to look back, number or share of peers, or per_contact, out of range.';

/* What channels bring. */

CREATE FUNCTION crm.channel_roi(since date DEFAULT NULL, until date DEFAULT NULL, model text DEFAULT 'linear', look_back interval DEFAULT '90 days',
    OUT month date, OUT channel text, OUT orders numeric, OUT revenue numeric, OUT spend numeric, OUT profit numeric, OUT roi numeric, OUT currency text)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 100
SET search_path = pg_catalog, pg_temp
SET jit = off AS $$
    WITH spend AS MATERIALIZED (
        SELECT c.month, c.channel, c.spend FROM crm.v_cac c
        WHERE c.spend > 0 AND ($1 IS NULL OR c.month >= date_trunc('month', $1::timestamp)) AND ($2 IS NULL OR c.month < $2)
    ), span AS (
        SELECT date_trunc('month', coalesce($1::timestamp, least((SELECT min(s.month)::timestamp FROM spend s), (SELECT min(o.ordered_at) AT TIME ZONE 'UTC' FROM crm.sales_order o WHERE o.is_counted)))) AS first,
               coalesce($2 - 1, greatest((SELECT max(s.month) FROM spend s), (SELECT (max(o.ordered_at) AT TIME ZONE 'UTC')::date FROM crm.sales_order o WHERE o.is_counted)))::timestamp AS last
    ), found AS (
        SELECT m::date AS month, a.channel, a.orders, a.amount AS revenue, 0::numeric AS spend
        FROM span CROSS JOIN generate_series(span.first, span.last, '1 month') m
        CROSS JOIN LATERAL crm.attribute_orders($3, $4, since => m AT TIME ZONE 'UTC', until => (m + interval '1 month') AT TIME ZONE 'UTC',
                                                touches => 'crm.v_channel_touch'::regclass, channel_column => 'channel', at_column => 'touched_at') a
        UNION ALL
        SELECT s.month, s.channel, 0, 0, s.spend FROM spend s
    )
    SELECT f.month, f.channel, sum(f.orders), sum(f.revenue), sum(f.spend), sum(f.revenue) - sum(f.spend),
           round((sum(f.revenue) - sum(f.spend)) / nullif(sum(f.spend), 0), 4), (SELECT b.code FROM crm.base_currency b)
    FROM found f GROUP BY f.month, f.channel ORDER BY f.month, f.channel
$$;
COMMENT ON FUNCTION crm.channel_roi(date, date, text, interval) IS 'Revenue and spend by month (in UTC) and channel, in the base currency: the orders that count, shared among the touches of leads (crm.v_channel_touch) of the time before them by a model of crm.attribution(); the spend of crm.channel_spend as crm.v_cac shares it out. The row without channel has the orders without a touch and the spend that no channel has, so that the rows of a month add up to all its orders and spend. profit is revenue less spend, roi profit by spend, null without spend. Months are whole: since is rounded down, until, which is excluded, up. Errors: those of crm.attribute_orders().';

CREATE FUNCTION crm.suggest_budget(total numeric, floors jsonb DEFAULT '{}', caps jsonb DEFAULT '{}', months integer DEFAULT 12, model text DEFAULT 'linear',
    as_of timestamptz DEFAULT now(),
    OUT channel text, OUT current_budget numeric, OUT budget numeric, OUT share numeric, OUT response text, OUT elasticity numeric,
    OUT expected_revenue numeric, OUT marginal_return numeric, OUT currency text)
RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 20
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    base CONSTANT text := (SELECT b.code FROM crm.base_currency b);
    digits CONSTANT integer := (SELECT c.digits FROM crm.currency c WHERE c.code = base);
    until CONSTANT date := date_trunc('month', as_of AT TIME ZONE 'UTC');
    names text[];
    kinds text[];
    spent numeric[];
    scales float8[];        -- revenue = scale * budget ^ power, a month
    powers float8[];
    least_units numeric[];  -- in the smallest unit of the currency
    most_units numeric[];
    units numeric[];
    whole numeric;
    low float8 := -1000;    -- logarithm of the return of the last unit
    high float8 := 1000;
    middle float8;
    missing numeric;
    step numeric;
    place integer;
BEGIN
    IF total IS NULL OR NOT total >= 0 OR total >= 'Infinity' OR total <> round(total, digits) THEN
        RAISE EXCEPTION 'a budget of % cannot be divided', coalesce(total::text, 'null')
            USING ERRCODE = 'invalid_parameter_value', HINT = format('Give an amount of %s with at most %s decimal places.', base, digits);
    ELSIF months IS NULL OR months < 1 THEN
        RAISE EXCEPTION 'cannot learn from % months', coalesce(months::text, 'null') USING ERRCODE = 'invalid_parameter_value';
    ELSIF (jsonb_typeof(floors) = 'object' AND jsonb_typeof(caps) = 'object') IS NOT TRUE
          OR EXISTS (SELECT FROM (SELECT * FROM jsonb_each(floors) UNION ALL SELECT * FROM jsonb_each(caps)) e WHERE jsonb_typeof(e.value) <> 'number' OR e.value::numeric < 0) THEN
        RAISE EXCEPTION 'floors and caps must be objects of amounts by channel' USING ERRCODE = 'invalid_parameter_value', HINT = 'Such as {"search": 1000}.';
    END IF;
    whole := total * 10::numeric ^ digits;

    WITH roi AS MATERIALIZED (
        SELECT r.* FROM crm.channel_roi((until - months * interval '1 month')::date, until, model) r WHERE r.channel IS NOT NULL
    ), fitted AS (
        SELECT r.channel, avg(r.spend) FILTER (WHERE r.spend > 0) AS spent, coalesce(sum(r.revenue) FILTER (WHERE r.spend > 0), 0)::float8 AS revenue,
               array_agg(r.spend::float8) FILTER (WHERE r.spend > 0) AS spends,
               CASE WHEN regr_count(ln(r.revenue), ln(r.spend)) FILTER (WHERE r.spend > 0 AND r.revenue > 0) >= 6
                    THEN regr_slope(ln(r.revenue), ln(r.spend)) FILTER (WHERE r.spend > 0 AND r.revenue > 0) END AS slope
        FROM roi r GROUP BY r.channel HAVING sum(r.spend) > 0
    ), curve AS (
        SELECT f.*, CASE WHEN f.slope > 0 THEN least(greatest(f.slope, 0.1), 0.9) ELSE 0.5 END AS power, sum(f.revenue) OVER () = 0 AS blind
        FROM fitted f
    ), known AS (
        SELECT coalesce(c.channel, n.name) AS name, coalesce(c.spent, 0) AS spent,
               CASE WHEN c.channel IS NULL THEN 'none' WHEN c.blind THEN 'proportional' WHEN c.revenue = 0 THEN 'none' WHEN c.slope > 0 THEN 'fitted' ELSE 'square root' END AS kind,
               CASE WHEN c.blind THEN 0.5 ELSE coalesce(c.power, 0.5) END AS power,
               CASE WHEN c.blind THEN sqrt(c.spent::float8) ELSE coalesce(c.revenue / (SELECT sum(s ^ c.power) FROM unnest(c.spends) s), 0) END AS scale
        FROM curve c FULL JOIN (SELECT jsonb_object_keys(floors) AS name UNION SELECT jsonb_object_keys(caps)) n ON n.name = c.channel
    )
    SELECT array_agg(k.name ORDER BY k.name), array_agg(k.kind ORDER BY k.name), array_agg(k.spent ORDER BY k.name), array_agg(k.scale ORDER BY k.name), array_agg(k.power ORDER BY k.name),
           array_agg(ceil(coalesce((floors ->> k.name)::numeric, 0) * 10::numeric ^ digits) ORDER BY k.name),
           array_agg(least(floor(coalesce((caps ->> k.name)::numeric * 10::numeric ^ digits, whole)), whole) ORDER BY k.name)
    INTO names, kinds, spent, scales, powers, least_units, most_units FROM known k;

    IF names IS NULL THEN
        RAISE EXCEPTION 'nothing was spent on any channel in % months before %', months, until
            USING ERRCODE = 'RM064', HINT = 'Enter crm.channel_spend, or name channels in floors.';
    ELSIF EXISTS (SELECT FROM unnest(least_units, most_units) AS u (l, m) WHERE l > m)
          OR (SELECT sum(l) FROM unnest(least_units) l) > whole OR (SELECT sum(m) FROM unnest(most_units) m) < whole THEN
        RAISE EXCEPTION 'a budget of % does not fit the floors and caps', total
            USING ERRCODE = 'RM064',
                  DETAIL = format('The floors come to %s, the caps to %s.', round((SELECT sum(l) FROM unnest(least_units) l) / 10::numeric ^ digits, digits),
                                  round((SELECT sum(m) FROM unnest(most_units) m) / 10::numeric ^ digits, digits)),
                  HINT = 'No floor may be above the cap of its channel or the budget.';
    END IF;

    -- Where the last unit brings the same everywhere, nothing is gained by moving it; the less it may bring, the more is spent.
    FOR i IN 1 .. 200 LOOP
        middle := (low + high) / 2;
        SELECT array_agg(greatest(l, CASE WHEN a <= 0 OR m = 0 THEN 0
                                          ELSE least(m, (exp(greatest(least((ln(a * p) - middle) / (1 - p), ln(m::float8) - digits * ln(10::float8) + 1), -300)) * 10::float8 ^ digits)::numeric) END) ORDER BY n)
        INTO units FROM unnest(scales, powers, least_units, most_units) WITH ORDINALITY AS u (a, p, l, m, n);
        IF (SELECT sum(u) FROM unnest(units) u) > whole THEN
            low := middle;
        ELSE
            high := middle;
        END IF;
    END LOOP;
    -- To whole units: the largest remainders first, then whoever has room.
    missing := whole - (SELECT sum(floor(u)) FROM unnest(units) u);
    FOR place IN SELECT o.n FROM unnest(units) WITH ORDINALITY AS o (u, n) ORDER BY o.u - floor(o.u) DESC, o.n LOOP
        step := least(greatest(sign(missing), least_units[place] - floor(units[place])), most_units[place] - floor(units[place]));
        units[place] := floor(units[place]) + step;
        missing := missing - step;
    END LOOP;
    FOR place IN SELECT o.n FROM unnest(units, scales) WITH ORDINALITY AS o (u, a, n) ORDER BY o.a DESC, o.n LOOP
        step := least(greatest(missing, least_units[place] - units[place]), most_units[place] - units[place]);
        units[place] := units[place] + step;
        missing := missing - step;
    END LOOP;

    RETURN QUERY
    SELECT u.name, round(u.spent, digits), b.budget, CASE WHEN total > 0 THEN round(b.budget / total, 4) END, u.kind, CASE WHEN u.kind IN ('fitted', 'square root') THEN round(u.power::numeric, 4) END,
           CASE WHEN u.kind IN ('fitted', 'square root') THEN round((u.scale * b.budget::float8 ^ u.power)::numeric, digits) END,
           CASE WHEN u.kind IN ('fitted', 'square root') AND b.budget > 0 THEN round((u.scale * u.power * b.budget::float8 ^ (u.power - 1))::numeric, 4) END, base
    FROM unnest(names, kinds, spent, scales, powers, units) AS u (name, kind, spent, scale, power, units)
    CROSS JOIN LATERAL (SELECT round(u.units / 10::numeric ^ digits, digits) AS budget) b
    ORDER BY b.budget DESC, u.name;
END
$$;
COMMENT ON FUNCTION crm.suggest_budget(numeric, jsonb, jsonb, integer, text, timestamptz) IS 'How to divide a month''s budget, in the base currency, among the channels so that the revenue to be expected of it is greatest: until the last unit brings the same in each, within floors and caps by channel, {"search": 1000}; the parts add up to total exactly. What a channel brings is taken as scale * budget ^ elasticity, whose elasticity below 1 is that returns diminish: fitted (a line through the logarithms of revenue and spend by month of crm.channel_roi(), of the months before as_of, at least 6 with both, kept within 0.1 and 0.9), otherwise square root (0.5); its scale makes the revenue of these months. Without any revenue the parts are proportional to what was spent; a channel with none (response none) gets its floor, and what no other has room for. marginal_return is the revenue of one unit more. Errors: 22023 total, months, floors or caps are none; RM064 floors and caps do not fit the total, or there is no spend.';
