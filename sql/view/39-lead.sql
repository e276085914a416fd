CREATE VIEW crm.v_lead WITH (security_invoker = true) AS
SELECT
    l.id AS lead_id, -- Number of the lead.
    l.status, -- new, working, qualified, converted or disqualified.
    l.name, -- Name of the person as entered.
    l.email, -- E-mail address as entered.
    l.phone, -- Phone number as entered.
    l.company, -- Name of the company as entered.
    l.source, -- What took it.
    l.interest_reason, -- Why the person is interested.
    l.need, -- What the person needs.
    l.amount, -- What the person means to spend.
    l.currency, -- Currency of amount.
    a.name AS owner, -- The agent who is responsible.
    l.first_channel, -- Channel by which the person first came.
    l.first_source, -- Source of traffic of that time.
    l.first_campaign, -- Campaign of that time.
    l.last_channel, -- Channel by which the person last came.
    l.last_source, -- Source of traffic of that time.
    l.last_campaign, -- Campaign of that time.
    t.touches, -- How many activities there are with the lead.
    t.touch_cost, -- What they cost, in the base currency; null when nothing is known.
    t.last_activity_at, -- When the latest was.
    jsonb_array_length(l.problems) AS problems, -- How much of what came could not be read; crm.lead.problems tells what.
    l.disqualify_reason, -- Why it came to nothing.
    l.created_at, -- When it was captured.
    l.converted_at, -- When it was converted; null before.
    l.converted_at - l.created_at AS time_to_convert, -- How long that took.
    l.contact_id, -- Number of the person, once known.
    l.company_id, -- Number of the company that it became.
    l.deal_id, -- Number of the deal that it became.
    l.owner_id -- Number of the agent.
FROM crm.lead l
LEFT JOIN crm.agent a ON a.id = l.owner_id
LEFT JOIN LATERAL (
    SELECT count(*) AS touches, max(y.occurred_at) AS last_activity_at, sum(round(y.cost * crm.exchange_rate(y.currency, y.occurred_at), 4)) AS touch_cost
    FROM crm.lead_activity y WHERE y.lead_id = l.id) t ON true
WHERE l.deleted_at IS NULL;
COMMENT ON VIEW crm.v_lead IS 'Leads with names instead of numbers, where they came from and what became of them.';

CREATE VIEW crm.v_lead_source WITH (security_invoker = true) AS
WITH rate AS MATERIALIZED (
    SELECT c.code, crm.exchange_rate(c.code, now()) AS rate FROM crm.currency c
)
SELECT
    r.channel, -- Channel by which they first came; null when not known.
    r.source, -- Source of traffic; null when not known.
    r.campaign, -- Campaign; null when not known.
    num_nonnulls(r.channel, r.source, r.campaign) > 0 AS is_attributed, -- Whether it is known where they came from; the row where it is not has the deals that came of no lead, too.
    count(r.lead_id) AS leads, -- Leads.
    count(r.lead_id) FILTER (WHERE r.status = 'converted') AS converted, -- Those that were converted.
    count(r.lead_id) FILTER (WHERE r.status = 'disqualified') AS disqualified, -- Those that came to nothing.
    count(r.deal_id) AS deals, -- Deals that came of them.
    count(r.deal_id) FILTER (WHERE r.kind = 'won') AS won, -- Those that were won.
    coalesce(sum(r.amount) FILTER (WHERE r.kind = 'won'), 0.0000) AS revenue, -- What these came to, in the base currency by the rate kept at the close (crm.deal_rate).
    coalesce(sum(r.amount) FILTER (WHERE r.kind = 'open'), 0.0000) AS open_amount, -- What the open ones may come to, in the base currency at the rate of today.
    round(count(r.lead_id) FILTER (WHERE r.status = 'converted')::numeric / nullif(count(r.lead_id), 0), 4) AS conversion, -- Share of the leads that were converted.
    round(count(r.deal_id) FILTER (WHERE r.kind = 'won' AND r.from_lead)::numeric / nullif(count(r.lead_id), 0), 4) AS sale_share, -- Share of the leads whose deal was won.
    (SELECT b.code FROM crm.base_currency b) AS currency -- The base currency.
FROM (
    SELECT l.first_channel AS channel, l.first_source AS source, l.first_campaign AS campaign, l.id AS lead_id, l.status,
           NULL::bigint AS deal_id, NULL::text AS kind, NULL::numeric AS amount, NULL::boolean AS from_lead
    FROM crm.lead l WHERE l.deleted_at IS NULL
    UNION ALL
    SELECT l.first_channel, l.first_source, l.first_campaign, NULL, NULL, d.id, s.kind,
           round(d.amount * CASE WHEN d.closed_at IS NULL THEN e.rate ELSE k.rate END, 4), l.id IS NOT NULL
    FROM crm.deal d
    JOIN crm.stage s ON s.id = d.stage_id
    LEFT JOIN crm.lead l ON l.deal_id = d.id AND l.deleted_at IS NULL
    LEFT JOIN crm.deal_rate k ON k.deal_id = d.id AND k.base = (SELECT b.code FROM crm.base_currency b)
    LEFT JOIN rate e ON e.code = d.currency
    WHERE d.deleted_at IS NULL) r
GROUP BY r.channel, r.source, r.campaign
ORDER BY sum(r.amount) FILTER (WHERE r.kind = 'won') DESC NULLS LAST, count(r.lead_id) DESC, r.channel, r.source, r.campaign;
COMMENT ON VIEW crm.v_lead_source IS 'What each channel, source and campaign brought: leads, deals, revenue, by where the lead first came from. The rows add up to all leads and all deals.';

CREATE VIEW crm.v_lead_economics WITH (security_invoker = true) AS
SELECT
    r.channel, -- Channel by which they first came; null when not known, and for spend that several channels share.
    r.source, -- Source of traffic; null when not known, and for spend of the whole channel.
    sum(r.leads)::bigint AS leads, -- Leads.
    sum(r.buyers)::bigint AS buyers, -- Those whose person bought afterwards: an order that counts, or a won deal.
    sum(r.repeaters)::bigint AS repeaters, -- Those of them who bought twice or more.
    sum(r.spend) AS spend, -- What was spent on it, in the base currency (crm.channel_spend); null where nothing is entered or no exchange rate is known.
    round(sum(r.spend) / nullif(sum(r.leads), 0), 4) AS cost_per_lead, -- Spend by leads; null without spend entered.
    round(sum(r.spend) / nullif(sum(r.buyers), 0), 4) AS cost_per_sale, -- Spend by buyers; null without spend entered.
    round(sum(r.buyers)::numeric / nullif(sum(r.leads), 0), 4) AS purchase_share, -- Share of the leads who bought.
    round(sum(r.repeaters)::numeric / nullif(sum(r.leads), 0), 4) AS repeat_share, -- Share of the leads who bought twice or more.
    (SELECT b.code FROM crm.base_currency b) AS currency -- The base currency.
FROM (
    SELECT l.first_channel AS channel, l.first_source AS source, 1 AS leads,
           b.is_buyer::integer AS buyers, (b.is_buyer AND greatest(m.order_count, m.won_deal_count) >= 2)::integer AS repeaters, NULL::numeric AS spend
    FROM crm.lead l
    LEFT JOIN crm.contact_metric m ON m.contact_id = l.contact_id
    CROSS JOIN LATERAL (SELECT coalesce(greatest(m.last_order_at, m.last_won_at) >= l.created_at, false) AS is_buyer) b
    WHERE l.deleted_at IS NULL
    UNION ALL
    SELECT s.channel, s.source, 0, 0, 0, round(s.amount * crm.exchange_rate(s.currency, lower(s.period)::timestamp AT TIME ZONE 'UTC'), 4)
    FROM crm.channel_spend s) r
GROUP BY r.channel, r.source
ORDER BY sum(r.leads) DESC, r.channel, r.source;
COMMENT ON VIEW crm.v_lead_economics IS 'What leads cost and what becomes of them, by where they first came from: cost of a lead and of a sale, shares to the first purchase and to the second. The rows add up to all leads and all spend whose exchange rate is known.';

CREATE VIEW crm.v_cac WITH (security_invoker = true) AS
WITH spend AS (
    -- Evenly over the days of the period.
    SELECT m.month::date AS month, s.channel, s.allocation,
           s.amount * s.rate * (least(upper(s.period), (m.month + interval '1 month')::date) - greatest(lower(s.period), m.month::date)) / (upper(s.period) - lower(s.period)) AS amount
    FROM (SELECT c.*, crm.exchange_rate(c.currency, lower(c.period)::timestamp AT TIME ZONE 'UTC') AS rate FROM crm.channel_spend c OFFSET 0) s
    CROSS JOIN LATERAL generate_series(date_trunc('month', lower(s.period)::timestamp), (upper(s.period) - 1)::timestamp, interval '1 month') AS m (month)
), bought AS (
    SELECT p.contact_id, date_trunc('month', min(p.at) AT TIME ZONE 'UTC')::date AS month
    FROM (SELECT m.contact_id, m.first_order_at AS at FROM crm.contact_metric m WHERE m.first_order_at IS NOT NULL
          UNION ALL
          SELECT d.contact_id, d.closed_at FROM crm.deal d JOIN crm.stage s ON s.id = d.stage_id AND s.kind = 'won'
          WHERE d.contact_id IS NOT NULL AND d.deleted_at IS NULL) p
    GROUP BY p.contact_id
), came AS (
    SELECT DISTINCT ON (l.contact_id) l.contact_id, l.first_channel AS channel FROM crm.lead l
    WHERE l.contact_id IS NOT NULL AND l.deleted_at IS NULL ORDER BY l.contact_id, l.first_touch_at, l.id
), cell AS (
    SELECT u.month, u.channel, sum(u.customers) AS customers, sum(u.leads) AS leads, sum(u.spend) AS spend
    FROM (SELECT b.month, c.channel, count(*) AS customers, 0 AS leads, NULL::numeric AS spend FROM bought b LEFT JOIN came c ON c.contact_id = b.contact_id GROUP BY 1, 2
          UNION ALL
          SELECT date_trunc('month', l.created_at AT TIME ZONE 'UTC')::date, l.first_channel, 0, count(*), NULL FROM crm.lead l WHERE l.deleted_at IS NULL GROUP BY 1, 2
          UNION ALL
          SELECT s.month, s.channel, 0, 0, CASE WHEN s.channel IS NOT NULL THEN s.amount END FROM spend s) u
    GROUP BY u.month, u.channel
), shared AS (
    SELECT s.month, s.allocation, sum(s.amount) AS amount FROM spend s WHERE s.channel IS NULL GROUP BY s.month, s.allocation
), weighed AS (
    SELECT c.*, sum(c.customers) OVER (PARTITION BY c.month) AS all_customers, sum(c.leads) OVER (PARTITION BY c.month) AS all_leads FROM cell c
), allotted AS (
    SELECT w.month, w.channel, w.customers, w.leads, w.spend,
           sum(CASE WHEN s.allocation = 'customers' AND w.all_customers > 0 THEN s.amount * w.customers / w.all_customers
                             WHEN s.allocation = 'leads' AND w.all_leads > 0 THEN s.amount * w.leads / w.all_leads
                             WHEN w.channel IS NULL THEN s.amount WHEN s.month IS NOT NULL THEN 0 END) AS shared_spend
    FROM weighed w LEFT JOIN shared s ON s.month = w.month
    GROUP BY w.month, w.channel, w.customers, w.leads, w.spend
)
SELECT
    a.month, -- First day of the month (in UTC).
    a.channel, -- Channel by which they first came, by the earliest lead of each; null for those who came of no lead or by none that is known.
    a.leads::bigint AS leads, -- Leads captured in the month.
    a.customers::bigint AS new_customers, -- Contacts whose first order that counts, or first won deal, was in the month.
    round(a.spend, 4) AS direct_spend, -- What was spent on the channel for the month, in the base currency; null where nothing is entered.
    round(a.shared_spend, 4) AS shared_spend, -- Its part of what several channels share, by crm.channel_spend.allocation; what cannot be shared out is in the row without channel; null where nothing is shared.
    round(t.spend, 4) AS spend, -- Both; null where nothing is entered for the channel and month.
    round(t.spend / nullif(a.customers, 0), 4) AS cac, -- What a new customer cost; null without any, and without spend entered.
    (SELECT b.code FROM crm.base_currency b) AS currency -- The base currency.
FROM allotted a
CROSS JOIN LATERAL (SELECT coalesce(a.spend + a.shared_spend, a.spend, a.shared_spend) AS spend) t
ORDER BY a.month, a.channel;
COMMENT ON VIEW crm.v_cac IS 'Cost of acquiring a customer by month and channel: spend by first-time customers. The rows add up to all spend whose exchange rate is known, and to all first-time customers.';

CREATE VIEW crm.v_lifecycle WITH (security_invoker = true) AS
SELECT
    s.stage, -- lead, customer, repeat, loyal or closed_cycle.
    s.position, -- Its place.
    s.contacts, -- Contacts who are there now.
    s.share, -- Their share of all.
    s.reached, -- Contacts who have ever reached it, there or further on.
    s.conversion -- Share of these of those who reached the stage before; of closed_cycle, of the customers.
FROM crm.lifecycle_shares(now()) s;
COMMENT ON VIEW crm.v_lifecycle IS 'The life cycle of contacts as it stands; crm.lifecycle_shares(as_of) asks the same of another moment.';
