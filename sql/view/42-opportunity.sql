CREATE VIEW crm.v_channel_touch WITH (security_invoker = true) AS
SELECT
    l.contact_id, -- The person who came.
    a.channel, -- Channel by which the person came.
    a.source, -- Source of traffic.
    a.campaign, -- Campaign.
    a.occurred_at AS touched_at -- When.
FROM crm.lead_activity a JOIN crm.lead l ON l.id = a.lead_id
WHERE l.contact_id IS NOT NULL AND l.deleted_at IS NULL AND a.channel IS NOT NULL;
COMMENT ON VIEW crm.v_channel_touch IS 'Touches of leads whose person is known, by channel: what crm.channel_roi() credits with orders.';

CREATE VIEW crm.v_channel_roi WITH (security_invoker = true) AS
SELECT
    r.month, -- First day of the month (in UTC).
    r.channel, -- Channel; null for orders without a touch and spend that no channel has.
    r.orders, -- Orders that count, as far as they are credited to the channel.
    r.revenue, -- Their amount, in the base currency.
    r.spend, -- What was spent on the channel for the month, with its part of what several share.
    r.profit, -- revenue less spend.
    r.roi, -- profit by spend; null without spend.
    r.currency -- The base currency.
FROM crm.channel_roi() r;
COMMENT ON VIEW crm.v_channel_roi IS 'Return on what was spent on each channel, by month; orders are shared evenly among the touches of the 90 days before them. The rows add up to all orders that count and all spend. crm.channel_roi() asks with other models.';

CREATE VIEW crm.v_whitespace WITH (security_invoker = true) AS
SELECT
    w.contact_id, -- Number of the contact.
    w.product_id, -- The product that the contact could buy.
    w.product, -- Its name.
    w.category, -- What it belongs to.
    w.basis, -- Whose purchases say so: market (companies of the same industry and size) or purchase (buyers of a product that the contact bought).
    w.peers_are, -- Who these are, in words.
    w.peers, -- How many they are.
    w.buyers, -- How many of them bought it.
    w.share, -- Their share.
    w.average_amount, -- What one of these spent on it in two years, in the base currency.
    w.expected_amount, -- share times average_amount.
    w.currency -- The base currency.
FROM crm.whitespace() w;
COMMENT ON VIEW crm.v_whitespace IS 'Unused opportunities of all contacts: what peers bought and they did not, the ten most promising of each, these first; what they own or refused is left out. All orders of the time are read, also by crm.whitespace() of one contact: keep the answer in a table where it is asked for often.';

CREATE VIEW crm.v_referral WITH (security_invoker = true) AS
SELECT
    r.id AS referral_id, -- Number of the referral.
    r.referrer_id, -- The contact who referred.
    r.contact_id, -- The person who came; null while not known.
    r.lead_id, -- The lead by which the person came; null for none.
    r.code, -- The code as it was given.
    r.referred_at, -- When the person came.
    coalesce(c.created_at >= r.referred_at, c.id IS NULL) AS is_new, -- Whether the person was no contact before.
    coalesce(m.order_count, 0) AS orders, -- Orders of the person that count.
    coalesce(m.order_total, 0.0000) AS order_total, -- Their amount, in the base currency.
    (SELECT b.code FROM crm.base_currency b) AS currency -- The base currency.
FROM crm.referral r
LEFT JOIN crm.contact c ON c.id = r.contact_id
LEFT JOIN crm.contact_metric m ON m.contact_id = r.contact_id;
COMMENT ON VIEW crm.v_referral IS 'Who came by whom, and what they bought.';
