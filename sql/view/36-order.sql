CREATE VIEW crm.v_order WITH (security_invoker = true) AS
SELECT
    o.id AS order_id, -- Number of the order.
    o.number, -- Number as people know it.
    o.status, -- draft, placed, paid, shipped, completed, cancelled or returned.
    o.is_counted, -- Whether it counts in the metrics of the contact.
    o.ordered_at, -- When it was placed.
    o.amount, -- What is to be paid.
    o.currency, -- Currency of amount.
    o.base_amount, -- Amount in the base currency; null when amount or rate is not known.
    concat_ws(' ', c.given_name, c.middle_name, c.family_name) AS contact, -- The person who orders.
    p.name AS company, -- The company it is for.
    a.name AS agent, -- Who of us took it.
    d.name AS deal, -- The deal it came of.
    o.channel, -- How it came.
    o.source, -- Where it came from.
    o.external_system, -- The other system in which it has a number.
    o.external_id, -- Its number there.
    o.contact_id, -- Number of the person.
    o.company_id, -- Number of the company.
    o.agent_id, -- Number of the agent.
    o.deal_id, -- Number of the deal.
    o.attrs, -- More.
    o.due_at, -- By when it is to be paid.
    (SELECT count(*) FROM crm.order_line l WHERE l.contact_id = o.contact_id AND l.order_id = o.id) AS lines, -- How many lines it has.
    (SELECT sum(l.margin) FROM crm.order_line l WHERE l.contact_id = o.contact_id AND l.order_id = o.id) AS margin -- What remains of its lines after tax and cost, of those whose cost is known; null when of none.
FROM crm.sales_order o
JOIN crm.contact c ON c.id = o.contact_id
LEFT JOIN crm.company p ON p.id = o.company_id
LEFT JOIN crm.agent a ON a.id = o.agent_id
LEFT JOIN crm.deal d ON d.id = o.deal_id
WHERE o.deleted_at IS NULL;
COMMENT ON VIEW crm.v_order IS 'Orders with names instead of numbers.';

CREATE VIEW crm.v_contact_metric WITH (security_invoker = true) AS
SELECT
    c.id AS contact_id, -- Number of the contact.
    coalesce(m.order_count, 0) AS order_count, -- Orders that count: placed, neither cancelled nor returned nor deleted.
    coalesce(m.priced_order_count, 0) AS priced_order_count, -- Those of them whose amount in the base currency is known.
    coalesce(m.order_total, 0.0000) AS order_total, -- Sum of their amounts in the base currency.
    m.order_average, -- order_total by priced_order_count; null without any.
    m.largest_order, -- The largest amount of one of them.
    m.first_order_at, -- When the first order was placed; null for never.
    m.last_order_at, -- When the latest was.
    coalesce(m.activity_count, 0) AS activity_count, -- Activities.
    m.first_activity_at, -- When the first took place; null for never.
    m.last_activity_at, -- When the latest did.
    m.last_inbound_at, -- When the contact last came to us.
    m.last_outbound_at, -- When we last went to the contact.
    coalesce(m.open_deal_count, 0) AS open_deal_count, -- Open deals.
    coalesce(m.won_deal_count, 0) AS won_deal_count, -- Won deals.
    coalesce(m.won_deal_total, 0.0000) AS won_deal_total, -- Sum of their amounts in the base currency.
    m.last_won_at -- When the latest was won; null for never.
FROM crm.contact c
LEFT JOIN crm.contact_metric m ON m.contact_id = c.id
WHERE c.deleted_at IS NULL AND c.merged_into IS NULL;
COMMENT ON VIEW crm.v_contact_metric IS 'The metrics of every living contact, with zeros for who has none.';
