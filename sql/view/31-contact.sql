CREATE VIEW crm.v_completeness WITH (security_invoker = true) AS
SELECT
    c.id AS contact_id, -- The contact.
    c.owner_id, -- The agent who is responsible.
    f.points, -- Sum of the weights of the filled fields: crm.completeness().
    f.total, -- Sum of all weights.
    f.missing -- Fields that are empty, the weightiest first.
FROM crm.contact c
CROSS JOIN LATERAL (
    SELECT coalesce(sum(w.weight) FILTER (WHERE w.filled), 0) AS points, coalesce(sum(w.weight), 0) AS total,
           coalesce(array_agg(w.field ORDER BY w.weight DESC, w.field) FILTER (WHERE NOT w.filled), '{}') AS missing
    FROM (
        SELECT x.field, x.weight, coalesce(CASE x.field
            WHEN 'given_name' THEN c.given_name <> ''
            WHEN 'middle_name' THEN c.middle_name <> ''
            WHEN 'family_name' THEN c.family_name <> ''
            WHEN 'gender' THEN c.gender IS NOT NULL
            WHEN 'birth_date' THEN c.birth_date IS NOT NULL
            WHEN 'city' THEN c.city <> ''
            WHEN 'locale' THEN c.locale <> ''
            WHEN 'email' THEN EXISTS (SELECT FROM crm.contact_point p WHERE p.contact_id = c.id AND p.kind = 'email' AND p.validity <> 'invalid')
            WHEN 'phone' THEN EXISTS (SELECT FROM crm.contact_point p WHERE p.contact_id = c.id AND p.kind = 'phone' AND p.validity <> 'invalid')
            WHEN 'company' THEN EXISTS (SELECT FROM crm.company_contact l WHERE l.contact_id = c.id AND l.valid @> now())
            WHEN 'consent' THEN EXISTS (SELECT FROM crm.consent s WHERE s.contact_id = c.id)
            ELSE CASE WHEN x.field LIKE 'attrs.%' THEN c.attrs ->> substr(x.field, 7) ELSE to_jsonb(c) ->> x.field END <> '' END, false) AS filled
        FROM crm.completeness_weight x
    ) w
) f
WHERE c.deleted_at IS NULL AND c.merged_into IS NULL;
COMMENT ON VIEW crm.v_completeness IS 'How complete each living contact is, by crm.completeness_weight; an invalid address or number does not count.';

CREATE VIEW crm.v_contact WITH (security_invoker = true) AS
SELECT
    c.id AS contact_id, -- Number of the contact.
    crm.full_name(c.title, c.given_name, c.middle_name, c.family_name, c.suffix) AS name, -- Full name.
    e.email, -- Primary e-mail address.
    e.validity AS email_validity, -- unknown, valid, stale or invalid.
    p.phone, -- Primary phone number.
    p.validity AS phone_validity, -- unknown, valid, stale or invalid.
    o.name AS company, -- Primary company.
    l.role AS company_role, -- What the person is there.
    c.job_title, -- Position at work.
    c.city, -- City.
    c.country, -- Country, ISO 3166-1 alpha-2.
    c.lifecycle_stage, -- lead, customer, repeat, loyal or closed_cycle.
    c.kind, -- Audience: person, fan, supporter, partner or any word of yours.
    a.name AS owner, -- The agent who is responsible.
    b.name AS branch, -- The branch that serves the contact.
    coalesce(c.time_zone, b.time_zone, 'UTC') AS time_zone, -- IANA time zone: the contact's own, else that of the branch.
    c.gender, -- m, f or null.
    c.birth_date, -- Date of birth.
    c.locale, -- Language in which to address the person.
    c.source, -- Where the contact came from.
    ARRAY(SELECT t.tag FROM crm.tag t WHERE t.contact_id = c.id ORDER BY t.tag) AS tags, -- Tags.
    (SELECT round(100 * f.points / nullif(f.total, 0), 1) FROM crm.v_completeness f WHERE f.contact_id = c.id) AS completeness_percent, -- Filled share of crm.completeness_weight, in percent.
    c.attrs, -- Custom fields.
    c.created_at, -- When the contact was made.
    c.updated_at, -- When it was last changed.
    c.owner_id, -- Number of the agent.
    c.branch_id, -- Number of the branch.
    c.territory_id, -- Number of the territory.
    l.company_id -- Number of the company.
FROM crm.contact c
LEFT JOIN crm.contact_point e ON e.contact_id = c.id AND e.kind = 'email' AND e.is_primary
LEFT JOIN crm.contact_point p ON p.contact_id = c.id AND p.kind = 'phone' AND p.is_primary
LEFT JOIN crm.company_contact l ON l.contact_id = c.id AND l.is_primary AND upper_inf(l.valid)
LEFT JOIN crm.company o ON o.id = l.company_id
LEFT JOIN crm.agent a ON a.id = c.owner_id
LEFT JOIN crm.branch b ON b.id = c.branch_id
WHERE c.deleted_at IS NULL AND c.merged_into IS NULL AND c.archived_at IS NULL;
COMMENT ON VIEW crm.v_contact IS 'Contacts as people see them, one row each; without deleted, absorbed and archived ones.';

CREATE VIEW crm.v_consent WITH (security_invoker = true) AS
SELECT DISTINCT ON (s.contact_id, s.purpose, s.channel)
    s.contact_id, -- The contact.
    s.purpose, -- What for: marketing, service, profiling, a purpose of yours.
    s.channel, -- Through which channel; * for all.
    s.status, -- granted, denied or withdrawn.
    s.at, -- When the person said so.
    s.source, -- Where: form, call, portal.
    s.legal_basis -- Legal basis.
FROM crm.consent s
JOIN crm.contact c ON c.id = s.contact_id
WHERE c.deleted_at IS NULL AND c.merged_into IS NULL
ORDER BY s.contact_id, s.purpose, s.channel, s.at DESC, s.id DESC;
COMMENT ON VIEW crm.v_consent IS 'What each person last said of each purpose and channel. Where a statement about all channels (*) meets one about a single one, the later counts: crm.consent_status().';

CREATE VIEW crm.v_contact_360 WITH (security_invoker = true) AS
SELECT
    v.contact_id, -- Number of the contact.
    v.name, -- Full name.
    v.email, -- Primary e-mail address.
    v.phone, -- Primary phone number.
    v.company, -- Primary company.
    v.city, -- City.
    v.lifecycle_stage, -- lead, customer, repeat, loyal or closed_cycle.
    v.owner, -- The agent who is responsible.
    v.tags, -- Tags.
    v.completeness_percent, -- Filled share of crm.completeness_weight, in percent.
    ARRAY(SELECT i.provider || ':' || i.external_id FROM crm.contact_identity i WHERE i.contact_id = v.contact_id ORDER BY i.provider, i.external_id) AS identities, -- Accounts in social networks, messengers, sites.
    ARRAY(SELECT r.system || ':' || r.external_id FROM crm.external_ref r WHERE r.contact_id = v.contact_id ORDER BY r.system, r.external_id) AS external_refs, -- Numbers in other systems.
    (SELECT jsonb_object_agg(s.purpose || '/' || s.channel, s.status) FROM crm.v_consent s WHERE s.contact_id = v.contact_id) AS consent, -- Current consent: "purpose/channel" to status.
    d.open_deals, -- Open deals.
    d.open_amount, -- Their amounts, in the currencies as they are: {"EUR": 100}.
    d.won_deals, -- Deals won.
    d.last_won_at, -- When the last one was won.
    t.open_tasks, -- Open tasks.
    t.next_task_at, -- When the next one is due.
    y.last_activity_at, -- The latest activity.
    y.last_activity, -- Its kind and subject.
    v.created_at, -- When the contact was made.
    v.owner_id -- Number of the agent.
FROM crm.v_contact v
LEFT JOIN LATERAL (
    SELECT sum(x.deals) FILTER (WHERE x.kind = 'open') AS open_deals, jsonb_object_agg(x.currency, x.amount) FILTER (WHERE x.kind = 'open' AND x.amount IS NOT NULL) AS open_amount,
           sum(x.deals) FILTER (WHERE x.kind = 'won') AS won_deals, max(x.closed_at) FILTER (WHERE x.kind = 'won') AS last_won_at
    FROM (SELECT s.kind, d.currency, count(*) AS deals, sum(d.amount) AS amount, max(d.closed_at) AS closed_at
          FROM crm.deal d JOIN crm.stage s ON s.id = d.stage_id
          WHERE d.contact_id = v.contact_id AND d.deleted_at IS NULL GROUP BY s.kind, d.currency) x
) d ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS open_tasks, min(k.due_at) AS next_task_at FROM crm.task k WHERE k.contact_id = v.contact_id AND k.status = 'open'
) t ON true
LEFT JOIN LATERAL (
    SELECT k.occurred_at AS last_activity_at, concat_ws(': ', k.kind, k.subject) AS last_activity
    FROM crm.activity k WHERE k.contact_id = v.contact_id ORDER BY k.occurred_at DESC, k.id DESC LIMIT 1
) y ON true;
COMMENT ON VIEW crm.v_contact_360 IS 'A contact from all sides, one row each: who, how to reach, consent, deals, tasks, last activity. crm.contact_card() gives all of it for one contact.';

CREATE VIEW crm.v_company WITH (security_invoker = true) AS
SELECT
    c.id AS company_id, -- Number of the company.
    c.name, -- Name as people say it.
    c.legal_name, -- Full legal name.
    c.kind, -- customer, partner, supplier, dealer, competitor or other.
    c.tax_id, -- Tax number as entered.
    c.industry, -- Industry.
    e.email, -- Primary e-mail address.
    p.phone, -- Primary phone number.
    c.city, -- City.
    c.country, -- Country, ISO 3166-1 alpha-2.
    a.name AS owner, -- The agent who is responsible.
    h.name AS parent, -- The company it belongs to.
    (SELECT count(DISTINCT l.contact_id) FROM crm.company_contact l JOIN crm.contact k ON k.id = l.contact_id
     WHERE l.company_id = c.id AND upper_inf(l.valid) AND k.deleted_at IS NULL AND k.archived_at IS NULL) AS contacts, -- People who have a role in it now.
    (SELECT count(*) FROM crm.deal d WHERE d.company_id = c.id AND d.closed_at IS NULL AND d.deleted_at IS NULL) AS open_deals, -- Open deals.
    c.attrs, -- Custom fields.
    c.created_at, -- When the company was made.
    c.owner_id, -- Number of the agent.
    c.parent_id -- Number of the parent.
FROM crm.company c
LEFT JOIN crm.company_point e ON e.company_id = c.id AND e.kind = 'email' AND e.is_primary
LEFT JOIN crm.company_point p ON p.company_id = c.id AND p.kind = 'phone' AND p.is_primary
LEFT JOIN crm.agent a ON a.id = c.owner_id
LEFT JOIN crm.company h ON h.id = c.parent_id
WHERE c.deleted_at IS NULL AND c.archived_at IS NULL;
COMMENT ON VIEW crm.v_company IS 'Companies as people see them, one row each; without deleted and archived ones.';

CREATE VIEW crm.v_stale_contact WITH (security_invoker = true) AS
SELECT
    c.id AS contact_id, -- Number of the contact.
    crm.full_name(c.title, c.given_name, c.middle_name, c.family_name, c.suffix) AS name, -- Full name.
    p.reason, -- unreachable (no address or number), invalid (all bounced) or stale (none proved for long).
    p.last_ok_at, -- When one of them last worked or was confirmed.
    a.name AS owner, -- The agent who is responsible.
    c.owner_id -- Number of the agent.
FROM crm.contact c
LEFT JOIN crm.agent a ON a.id = c.owner_id
CROSS JOIN LATERAL (
    SELECT CASE WHEN count(*) = 0 THEN 'unreachable'
                WHEN bool_and(q.validity = 'invalid') THEN 'invalid'
                WHEN bool_and(q.validity IN ('invalid', 'stale')) THEN 'stale' END AS reason,
           max(greatest(q.last_ok_at, q.verified_at)) AS last_ok_at
    FROM crm.contact_point q WHERE q.contact_id = c.id AND q.kind IN ('email', 'phone', 'messenger')
) p
WHERE c.deleted_at IS NULL AND c.merged_into IS NULL AND c.archived_at IS NULL AND p.reason IS NOT NULL;
COMMENT ON VIEW crm.v_stale_contact IS 'Contacts whom no address or number reaches for sure any more: ask them anew.';

CREATE VIEW crm.v_data_quality WITH (security_invoker = true) AS
SELECT
    c.owner_id, -- Number of the agent; null for contacts without owner.
    max(a.name) AS owner, -- The agent.
    count(*) AS contacts, -- Living contacts, archived ones left out.
    round(avg(100 * f.points / nullif(f.total, 0)), 1) AS completeness_percent, -- Mean filled share of crm.completeness_weight, in percent.
    count(*) FILTER (WHERE p.emails = 0) AS without_email, -- Contacts without a usable e-mail address.
    count(*) FILTER (WHERE p.phones = 0) AS without_phone, -- Contacts without a usable phone number.
    sum(p.invalid_points)::bigint AS invalid_points, -- Addresses and numbers that bounced.
    count(*) FILTER (WHERE p.points > 0 AND p.fresh_points = 0) AS stale_contacts, -- Contacts all of whose addresses and numbers are stale or invalid.
    count(*) FILTER (WHERE c.updated_at < now() - interval '1 year') AS untouched, -- Contacts not changed for a year.
    (SELECT count(*) FROM crm.duplicate_pair d JOIN crm.contact k ON k.id = d.contact_id
     WHERE d.status = 'new' AND k.owner_id IS NOT DISTINCT FROM c.owner_id) AS open_duplicates -- Pairs that wait for a decision.
FROM crm.contact c
JOIN crm.v_completeness f ON f.contact_id = c.id
LEFT JOIN crm.agent a ON a.id = c.owner_id
CROSS JOIN LATERAL (
    SELECT count(*) AS points, count(*) FILTER (WHERE q.kind = 'email' AND q.validity <> 'invalid') AS emails,
           count(*) FILTER (WHERE q.kind = 'phone' AND q.validity <> 'invalid') AS phones,
           count(*) FILTER (WHERE q.validity = 'invalid') AS invalid_points,
           count(*) FILTER (WHERE q.validity IN ('unknown', 'valid')) AS fresh_points
    FROM crm.contact_point q WHERE q.contact_id = c.id AND q.kind IN ('email', 'phone', 'messenger')
) p
WHERE c.archived_at IS NULL
GROUP BY c.owner_id;
COMMENT ON VIEW crm.v_data_quality IS 'How good the data of each agent''s contacts are: completeness, missing and broken addresses, duplicates.';

CREATE VIEW crm.v_duplicate WITH (security_invoker = true) AS
SELECT
    d.contact_id, -- The one contact.
    crm.full_name(a.title, a.given_name, a.middle_name, a.family_name, a.suffix) AS name, -- Its name.
    d.duplicate_id, -- The other.
    crm.full_name(b.title, b.given_name, b.middle_name, b.family_name, b.suffix) AS duplicate_name, -- Its name.
    d.strength, -- How strong the evidence is, 0 to 1.
    d.evidence, -- Which keys agree, and what differs.
    d.status, -- new or confirmed.
    d.found_at, -- When the pair was found.
    d.method -- What found it: exact keys, a match model, or a person.
FROM crm.duplicate_pair d
JOIN crm.contact a ON a.id = d.contact_id AND a.deleted_at IS NULL
JOIN crm.contact b ON b.id = d.duplicate_id AND b.deleted_at IS NULL
WHERE d.status IN ('new', 'confirmed')
ORDER BY d.strength DESC, d.contact_id, d.duplicate_id;
COMMENT ON VIEW crm.v_duplicate IS 'Pairs of contacts that wait for a decision or a merge, the surest first.';

CREATE VIEW crm.v_need_trend WITH (security_invoker = true) AS
SELECT
    m.month, -- First day of the month, UTC.
    n.kind, -- need, desire, objection or preference.
    n.subject, -- What about.
    count(*) FILTER (WHERE lower(n.valid) >= m.month AT TIME ZONE 'UTC') AS opened, -- Became known in the month.
    count(*) FILTER (WHERE upper(n.valid) < (m.month + interval '1 month') AT TIME ZONE 'UTC') AS closed, -- Ended or changed in the month.
    count(*) FILTER (WHERE n.valid @> (m.month + interval '1 month') AT TIME ZONE 'UTC') AS holding, -- Contacts for whom it held at the end of the month, or holds.
    round(avg(n.strength) FILTER (WHERE n.valid @> (m.month + interval '1 month') AT TIME ZONE 'UTC'), 2) AS strength -- Their mean strength, 1 to 5.
FROM crm.contact_need n
JOIN crm.contact c ON c.id = n.contact_id AND c.deleted_at IS NULL AND c.archived_at IS NULL
CROSS JOIN LATERAL generate_series(date_trunc('month', lower(n.valid) AT TIME ZONE 'UTC'),
                                   least(coalesce(upper(n.valid), now()), now()) AT TIME ZONE 'UTC', interval '1 month') AS m (month)
GROUP BY m.month, n.kind, n.subject;
COMMENT ON VIEW crm.v_need_trend IS 'How needs, desires, objections and preferences come and go, month by month.';

-- Runs with the owner's rights: who reads it may not read the tables.
CREATE VIEW crm.v_contact_masked WITH (security_barrier = true) AS
SELECT
    c.id AS contact_id, -- Number of the contact.
    crm.format_name(c.given_name, c.middle_name, c.family_name, 'monogram') AS monogram, -- First letters of the name.
    crm.mask(e.email) AS email, -- Primary e-mail address, masked.
    crm.mask(p.phone) AS phone, -- Primary phone number, masked.
    c.gender, -- m, f or null.
    extract(year FROM c.birth_date)::integer AS birth_year, -- Year of birth.
    c.locale, -- Language in which to address the person.
    c.country, -- Country, ISO 3166-1 alpha-2.
    c.city, -- City.
    c.lifecycle_stage, -- lead, customer, repeat, loyal or closed_cycle.
    c.kind, -- Audience.
    c.source, -- Where the contact came from.
    ARRAY(SELECT t.tag FROM crm.tag t WHERE t.contact_id = c.id ORDER BY t.tag) AS tags, -- Tags.
    c.est_category_spend, -- Estimate of what the contact spends a year on what we sell, anywhere.
    c.owner_id, -- Number of the agent.
    c.branch_id, -- Number of the branch.
    c.territory_id, -- Number of the territory.
    c.created_at, -- When the contact was made.
    c.updated_at, -- When it was last changed.
    c.archived_at -- When it was set aside; null while in use.
FROM crm.contact c
LEFT JOIN crm.contact_point e ON e.contact_id = c.id AND e.kind = 'email' AND e.is_primary
LEFT JOIN crm.contact_point p ON p.contact_id = c.id AND p.kind = 'phone' AND p.is_primary
WHERE c.deleted_at IS NULL AND c.merged_into IS NULL;
COMMENT ON VIEW crm.v_contact_masked IS 'Contacts for analysis: no name, no address, no number that would tell who it is. Runs with the rights of its owner, so that role crm_analyst needs none on the tables.';
