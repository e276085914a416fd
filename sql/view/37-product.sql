CREATE VIEW crm.v_quote WITH (security_invoker = true) AS
SELECT
    q.id AS quote_id, -- Number of this version.
    q.number, -- Number of the quote.
    q.version, -- Version.
    q.status, -- draft, sent, viewed, accepted, refused, expired or superseded.
    concat_ws(' ', c.given_name, c.middle_name, c.family_name) AS contact, -- The person whom it is for.
    o.name AS company, -- The company whom it is for.
    d.name AS deal, -- The deal that it is for.
    a.name AS owner, -- The agent who is responsible.
    l.lines, -- How many lines it has.
    l.net_amount, -- Sum of the lines without tax.
    l.tax_amount, -- Sum of their tax.
    l.amount, -- What is to be paid: the sum of the lines.
    q.currency, -- Currency of the amounts.
    l.margin, -- What remains after tax and cost, of the lines whose cost is known.
    l.lines_without_cost, -- Lines whose cost is not known.
    q.valid_until, -- Last day on which it can be accepted.
    q.sent_at, -- When it was sent.
    q.viewed_at, -- When the client first saw it.
    q.closed_at, -- When it was accepted, refused, superseded or expired.
    q.refusal_reason, -- Why it was refused.
    q.order_id, -- The order that was made of it.
    q.deal_id, -- Number of the deal.
    q.contact_id, -- Number of the person.
    q.company_id, -- Number of the company.
    q.owner_id -- Number of the agent.
FROM crm.quote q
LEFT JOIN crm.contact c ON c.id = q.contact_id
LEFT JOIN crm.company o ON o.id = q.company_id
LEFT JOIN crm.deal d ON d.id = q.deal_id
LEFT JOIN crm.agent a ON a.id = q.owner_id
LEFT JOIN LATERAL (
    SELECT count(*) AS lines, coalesce(sum(n.amount - n.tax_amount), 0) AS net_amount, coalesce(sum(n.tax_amount), 0) AS tax_amount,
           coalesce(sum(n.amount), 0) AS amount, sum(n.margin) AS margin, count(*) FILTER (WHERE n.unit_cost IS NULL) AS lines_without_cost
    FROM crm.quote_line n WHERE n.quote_id = q.id) l ON true;
COMMENT ON VIEW crm.v_quote IS 'Quotes, a row a version, with names and the sums of their lines.';

CREATE VIEW crm.v_order_line WITH (security_invoker = true) AS
SELECT
    l.order_id, -- Number of the order.
    l.line_number, -- Place of the line in it.
    o.number, -- Number of the order as people know it.
    o.status, -- Status of the order.
    o.is_counted, -- Whether the order counts: placed, neither cancelled nor returned.
    o.ordered_at, -- When it was placed.
    p.sku, -- Article number.
    coalesce(l.description, p.name) AS product, -- What was ordered.
    p.category, -- What it belongs to.
    l.quantity, -- How many units were ordered.
    l.returned_quantity, -- How many of them came back.
    p.unit, -- In what they are counted.
    l.unit_price, -- Price of a unit.
    l.discount_percent, -- Discount, in percent.
    l.tax_rate, -- Tax, in percent.
    l.amount - l.tax_amount AS net_amount, -- Amount without tax.
    l.tax_amount, -- Tax.
    l.amount, -- What is to be paid.
    l.amount - l.tax_amount - l.margin AS cost, -- What it cost us; null when not known.
    l.margin, -- net_amount less cost; null when the cost is not known.
    CASE WHEN l.amount <> l.tax_amount THEN round(100 * l.margin / (l.amount - l.tax_amount), 2) END AS margin_percent, -- margin in percent of net_amount.
    l.currency, -- Currency of the amounts.
    l.contact_id, -- Number of the person.
    l.product_id -- Number of the product.
FROM crm.order_line l
JOIN crm.sales_order o ON o.contact_id = l.contact_id AND o.id = l.order_id
LEFT JOIN crm.product p ON p.id = l.product_id
WHERE o.deleted_at IS NULL;
COMMENT ON VIEW crm.v_order_line IS 'Lines of orders with their products, cost and margin.';

CREATE VIEW crm.v_profit WITH (security_invoker = true) AS
SELECT
    l.contact_id, -- Number of the person.
    l.product_id, -- Number of the product; null for lines without one.
    p.category, -- What the product belongs to.
    o.channel, -- How the orders came.
    o.source, -- Where they came from.
    date_trunc('month', o.ordered_at, 'UTC') AS month, -- First moment of the month (in UTC) in which they were placed.
    count(*) AS lines, -- Lines.
    sum(l.quantity - l.returned_quantity) AS quantity, -- Units that were kept.
    sum((l.amount - l.tax_amount) * o.exchange_rate) AS revenue, -- What they brought without tax, at the rates of the orders.
    sum((l.amount - l.tax_amount - l.margin) * o.exchange_rate) AS cost, -- What they cost us, of the lines whose cost is known.
    sum(l.margin * o.exchange_rate) AS margin, -- What remains, of the lines whose cost is known.
    count(*) FILTER (WHERE l.margin IS NULL) AS lines_without_cost, -- Lines whose cost is not known: they are in revenue, not in cost and margin.
    count(*) FILTER (WHERE o.exchange_rate IS NULL) AS lines_without_rate, -- Lines of orders without exchange rate: they are in no sum.
    (SELECT b.code FROM crm.base_currency b) AS currency -- Currency of the sums: the base currency.
FROM crm.order_line l
JOIN crm.sales_order o ON o.contact_id = l.contact_id AND o.id = l.order_id
LEFT JOIN crm.product p ON p.id = l.product_id
WHERE o.is_counted
GROUP BY l.contact_id, l.product_id, p.category, o.channel, o.source, date_trunc('month', o.ordered_at, 'UTC');
COMMENT ON VIEW crm.v_profit IS 'Revenue, cost and margin of the lines of orders that count, by contact, product, channel, source and month, in the base currency: add up over what you are not asking for.';

CREATE VIEW crm.v_order_balance WITH (security_invoker = true) AS
SELECT
    o.id AS order_id, -- Number of the order.
    o.number, -- Number as people know it.
    o.status, -- Its status.
    o.ordered_at, -- When it was placed.
    CASE WHEN o.is_counted THEN o.amount ELSE 0 END AS due_amount, -- What is to be paid: its amount; 0 for drafts, cancelled and returned orders; null when not known.
    coalesce(p.received, 0) AS paid_amount, -- What came, in the currency of the order.
    coalesce(p.refunded, 0) AS refunded_amount, -- What was given back of it.
    CASE WHEN o.is_counted THEN o.amount ELSE 0 END - coalesce(p.received - p.refunded, 0) AS open_amount, -- What is still to be paid; negative when too much was.
    o.currency, -- Currency of the amounts.
    o.due_at, -- By when it is to be paid.
    CASE WHEN CASE WHEN o.is_counted THEN o.amount ELSE 0 END > coalesce(p.received - p.refunded, 0) AND least(o.due_at, p.due_at) < now()
         THEN least(o.due_at, p.due_at) END AS overdue_since, -- Since when something open is overdue: the order, or the first instalment that has not come; null when nothing is.
    least(o.due_at, p.due_at) AS first_due_at, -- By when the first money is to come: due_at, or an instalment before it that has not come.
    coalesce(p.unconverted, 0) AS unconverted_payments, -- Payments in other currencies whose exchange rate is not known: they are in no sum.
    o.contact_id -- Number of the person.
FROM crm.sales_order o
LEFT JOIN (
    SELECT y.contact_id, y.order_id,
           sum(CASE WHEN y.currency = s.currency THEN y.amount ELSE round(y.amount * y.exchange_rate / s.exchange_rate, c.digits) END)
               FILTER (WHERE y.status IN ('paid', 'partially_refunded', 'refunded')) AS received,
           sum(CASE WHEN y.currency = s.currency THEN y.refunded_amount ELSE round(y.refunded_amount * y.exchange_rate / s.exchange_rate, c.digits) END)
               FILTER (WHERE y.status IN ('paid', 'partially_refunded', 'refunded')) AS refunded,
           min(y.due_at) FILTER (WHERE y.status IN ('pending', 'authorized')) AS due_at,
           count(*) FILTER (WHERE y.status IN ('paid', 'partially_refunded', 'refunded') AND y.currency <> s.currency AND (y.exchange_rate / s.exchange_rate) IS NULL) AS unconverted
    FROM crm.payment y
    JOIN crm.sales_order s ON s.contact_id = y.contact_id AND s.id = y.order_id
    JOIN crm.currency c ON c.code = s.currency
    GROUP BY y.contact_id, y.order_id) p ON p.contact_id = o.contact_id AND p.order_id = o.id
WHERE o.deleted_at IS NULL;
COMMENT ON VIEW crm.v_order_balance IS 'What is to be paid, was paid and is open of each order, in its currency; payments in another one at the rates of their days.';

CREATE VIEW crm.v_contact_balance WITH (security_invoker = true) AS
SELECT
    u.contact_id, -- Number of the person.
    u.currency, -- Currency of the amounts.
    coalesce(sum(u.due_amount), 0) AS due_amount, -- What is to be paid for the orders.
    coalesce(sum(u.paid_amount), 0) AS paid_amount, -- What came for them.
    coalesce(sum(u.refunded_amount), 0) AS refunded_amount, -- What was given back of it.
    coalesce(sum(u.account_amount), 0) AS account_amount, -- What came for no order, or one that was deleted, less what was given back: money on account.
    coalesce(sum(u.due_amount), 0) - coalesce(sum(u.paid_amount), 0) + coalesce(sum(u.refunded_amount), 0) - coalesce(sum(u.account_amount), 0) AS balance, -- What the person owes us; negative when we owe.
    coalesce(sum(u.due_amount - u.paid_amount + u.refunded_amount) FILTER (WHERE u.overdue_since IS NOT NULL), 0) AS overdue_amount, -- What is open of orders that are overdue.
    min(u.overdue_since) AS overdue_since, -- Since when the first of them is.
    count(*) FILTER (WHERE u.is_order AND u.due_amount IS NULL) AS orders_without_amount -- Orders whose amount is not known: what came for them is in the sums, what is due is not.
FROM (
    SELECT b.contact_id, b.currency, b.due_amount, b.paid_amount, b.refunded_amount, NULL::numeric AS account_amount, b.overdue_since, true AS is_order FROM crm.v_order_balance b
    UNION ALL
    SELECT p.contact_id, p.currency, NULL, NULL, NULL, p.amount - p.refunded_amount, NULL, false FROM crm.payment p
    WHERE p.order_id IS NULL AND p.status IN ('paid', 'partially_refunded', 'refunded')
    UNION ALL
    SELECT p.contact_id, p.currency, NULL, NULL, NULL, p.amount - p.refunded_amount, NULL, false
    FROM crm.sales_order o JOIN crm.payment p ON p.contact_id = o.contact_id AND p.order_id = o.id
    WHERE o.deleted_at IS NOT NULL AND p.status IN ('paid', 'partially_refunded', 'refunded')) u
GROUP BY u.contact_id, u.currency;
COMMENT ON VIEW crm.v_contact_balance IS 'What each person owes us, or we owe, by currency: the sums of crm.v_order_balance and of payments without an order, or of a deleted one.';

CREATE VIEW crm.v_late_shipment WITH (security_invoker = true) AS
SELECT
    s.shipment_id, -- Number of the shipment.
    s.order_id, -- Number of the order.
    o.number, -- Number of the order as people know it.
    concat_ws(' ', c.given_name, c.middle_name, c.family_name) AS contact, -- The person who waits.
    s.status, -- Status of the shipment.
    h.carrier, -- Who brings it.
    h.tracking, -- The carrier's number of it.
    s.promised_at, -- By when it was promised.
    s.delivered_at, -- When it was there; null when it is not.
    s.late_by, -- How late it is, or was.
    h.late_at, -- When that was told to the outbox.
    s.contact_id -- Number of the person.
FROM crm.late_shipments(now()) s
JOIN crm.shipment h ON h.contact_id = s.contact_id AND h.id = s.shipment_id
JOIN crm.sales_order o ON o.contact_id = s.contact_id AND o.id = s.order_id
JOIN crm.contact c ON c.id = s.contact_id
ORDER BY s.promised_at, s.shipment_id;
COMMENT ON VIEW crm.v_late_shipment IS 'Shipments that are late, or came late. crm.late_shipments(as_of) asks the same of another moment.';

CREATE VIEW crm.v_stock WITH (security_invoker = true) AS
SELECT
    p.sku, -- Article number.
    p.name AS product, -- Name of the product.
    b.warehouse, -- Where.
    b.quantity, -- How many units are there.
    p.unit, -- In what they are counted.
    coalesce(r.quantity, 0) AS reserved, -- How many of them are in shipments that have not left.
    b.quantity - coalesce(r.quantity, 0) AS available, -- How many are left to promise.
    b.product_id -- Number of the product.
FROM crm.stock_balance b
JOIN crm.product p ON p.id = b.product_id
LEFT JOIN (
    SELECT l.product_id, h.warehouse, sum(x.quantity) AS quantity
    FROM crm.shipment h
    JOIN crm.shipment_line x ON x.contact_id = h.contact_id AND x.shipment_id = h.id
    JOIN crm.order_line l ON l.contact_id = h.contact_id AND l.order_id = h.order_id AND l.line_number = x.line_number
    WHERE h.status IN ('planned', 'packed') AND h.warehouse IS NOT NULL
    GROUP BY l.product_id, h.warehouse) r ON r.product_id = b.product_id AND r.warehouse = b.warehouse;
COMMENT ON VIEW crm.v_stock IS 'What each warehouse holds of each product, and how much of it is promised to shipments. For stock that is kept elsewhere replace it by a view of the same columns.';
