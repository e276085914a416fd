-- A query that uses few of the columns touches few of the tables: joins are on
-- unique keys, so that the planner drops those that it does not need, and what
-- has none that it knows of is a subquery of its own.
CREATE VIEW crm.contact_profile WITH (security_invoker = true) AS
SELECT
    c.id AS contact_id, -- Number of the contact.
    c.title, -- Title before the name.
    c.given_name, -- Given name.
    c.middle_name, -- Middle name or patronymic.
    c.family_name, -- Family name.
    c.suffix, -- Suffix after the name.
    c.gender, -- m, f or null.
    c.birth_date, -- Date of birth.
    c.locale, -- Language in which to address the person.
    coalesce(c.time_zone, b.time_zone, 'UTC') AS time_zone, -- IANA time zone: the contact's own, else that of the branch.
    c.country, -- Country, ISO 3166-1 alpha-2.
    c.city, -- City.
    c.job_title, -- Position at work.
    c.lifecycle_stage, -- lead, customer, repeat, loyal or closed_cycle.
    c.kind, -- Audience: person, fan, supporter, partner or any word of yours.
    c.source, -- Where the contact came from.
    c.est_category_spend, -- Estimate of what the contact spends a year on what we sell, anywhere.
    c.attrs, -- Custom fields.
    c.owner_id, -- Number of the agent who is responsible.
    c.branch_id, -- Number of the branch.
    b.name AS branch, -- The branch that serves the contact.
    c.territory_id, -- Number of the territory.
    c.created_at, -- When the contact was made.
    c.updated_at, -- When it was last changed.
    (SELECT q.email FROM crm.contact_point q WHERE q.contact_id = c.id AND q.kind = 'email' AND q.is_primary) AS email, -- Primary e-mail address; compared in its canonical form.
    (SELECT q.validity FROM crm.contact_point q WHERE q.contact_id = c.id AND q.kind = 'email' AND q.is_primary) AS email_validity, -- unknown, valid, stale or invalid; null without an address.
    (SELECT q.phone FROM crm.contact_point q WHERE q.contact_id = c.id AND q.kind = 'phone' AND q.is_primary) AS phone, -- Primary phone number; compared in its canonical form.
    (SELECT q.validity FROM crm.contact_point q WHERE q.contact_id = c.id AND q.kind = 'phone' AND q.is_primary) AS phone_validity, -- unknown, valid, stale or invalid; null without a number.
    o.id AS company_id, -- Number of the primary company.
    (SELECT l.role FROM crm.company_contact l WHERE l.contact_id = c.id AND l.company_id = o.id AND l.is_primary AND upper_inf(l.valid) LIMIT 1) AS company_role, -- What the person is there.
    o.name AS company, -- Name of the primary company.
    o.kind AS company_kind, -- customer, partner, supplier, dealer, competitor or other.
    o.industry AS company_industry, -- Its industry.
    o.country AS company_country, -- Its country, ISO 3166-1 alpha-2.
    o.city AS company_city, -- Its city.
    o.employees AS company_employees, -- Its number of employees.
    o.annual_revenue AS company_annual_revenue, -- Its revenue a year, in its currency.
    o.attrs AS company_attrs, -- Its custom fields.
    coalesce(m.order_count, 0) AS order_count, -- Orders placed, neither cancelled nor returned.
    coalesce(m.order_total, 0) AS order_total, -- What they came to, in the base currency.
    m.order_average, -- What one came to on average; null without any.
    m.largest_order, -- What the largest came to; null without any.
    m.first_order_at, -- When the first was placed; null without any.
    m.last_order_at, -- When the latest was; null without any.
    coalesce(m.activity_count, 0) AS activity_count, -- Activities: calls, letters, meetings, notes.
    m.first_activity_at, -- When the first took place; null without any.
    m.last_activity_at, -- When the latest did; null without any.
    m.last_inbound_at, -- When the contact last came to us; null if never.
    m.last_outbound_at, -- When we last went to the contact; null if never.
    coalesce(m.open_deal_count, 0) AS open_deal_count, -- Deals at an open stage.
    coalesce(m.won_deal_count, 0) AS won_deal_count, -- Deals that were won.
    coalesce(m.won_deal_total, 0) AS won_deal_total, -- What they came to, in the base currency.
    m.last_won_at -- When the latest was won; null if none.
FROM crm.contact c
LEFT JOIN crm.branch b ON b.id = c.branch_id
LEFT JOIN crm.company o ON o.deleted_at IS NULL AND o.id = (
    SELECT l.company_id FROM crm.company_contact l
    WHERE l.contact_id = c.id AND l.is_primary AND upper_inf(l.valid) ORDER BY l.company_id LIMIT 1)
LEFT JOIN crm.contact_metric m ON m.contact_id = c.id
WHERE c.deleted_at IS NULL AND c.merged_into IS NULL AND c.archived_at IS NULL;
COMMENT ON VIEW crm.contact_profile IS 'The row that rules on contacts are written against: the contact with its primary addresses, its company and what it ordered and did, one row each; without deleted, absorbed and archived contacts.';
