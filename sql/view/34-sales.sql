-- Open deals only, from the index crm.deal_open: each stage sums up its own.
CREATE VIEW crm.v_pipeline WITH (security_invoker = true) AS
SELECT
    p.name AS pipeline, -- Pipeline.
    s.name AS stage, -- Stage.
    s.position, -- Place of the stage in the pipeline.
    s.kind, -- open: the others are in crm.v_pipeline_total.
    coalesce(d.deals, 0) AS deals, -- Number of open deals at the stage.
    coalesce(d.amount, 0) AS amount, -- Sum of their amounts.
    CASE WHEN d.amount IS NULL THEN 0 ELSE coalesce(d.own_weighted, 0) + coalesce(d.other_amount * w.probability, 0) END AS weighted_amount, -- Sum of amount times probability.
    coalesce(d.currency, p.currency) AS currency, -- Currency of both sums; amounts of other currencies are rows of their own.
    p.id AS pipeline_id, -- Number of the pipeline.
    s.id AS stage_id -- Number of the stage.
FROM crm.pipeline p
JOIN crm.stage s ON s.pipeline_id = p.id AND s.kind = 'open' AND s.merged_into_id IS NULL
LEFT JOIN crm.stage_win_rate r ON r.stage_id = s.id
CROSS JOIN LATERAL (SELECT crm.deal_probability(NULL, s.kind, s.probability, p.probability_from, p.probability_sample, r.entered, r.probability) AS probability) w
LEFT JOIN LATERAL (
    SELECT coalesce(e.currency, p.currency) AS currency, count(*) AS deals, sum(e.amount) AS amount,
           sum(e.amount * e.probability) AS own_weighted, sum(e.amount) FILTER (WHERE e.probability IS NULL) AS other_amount
    FROM crm.deal e WHERE e.pipeline_id = p.id AND e.stage_id = s.id AND e.closed_at IS NULL AND e.deleted_at IS NULL
    GROUP BY coalesce(e.currency, p.currency)) d ON true
ORDER BY p.id, s.position, coalesce(d.currency, p.currency);
COMMENT ON VIEW crm.v_pipeline IS 'The funnel as it stands: how many deals are at each open stage, what they are worth and what may be expected of them. A stage without deals has a row too. Of won and lost deals see crm.v_pipeline_total.';

CREATE VIEW crm.v_pipeline_total WITH (security_invoker = true) AS
SELECT
    p.name AS pipeline, -- Pipeline.
    s.name AS stage, -- Stage.
    s.position, -- Place of the stage in the pipeline.
    s.kind, -- open, won or lost.
    count(d.id) AS deals, -- Number of deals at the stage, whenever they came there.
    coalesce(sum(d.amount), 0) AS amount, -- Sum of their amounts.
    coalesce(sum(d.amount * crm.deal_probability(d.probability, s.kind, s.probability, p.probability_from, p.probability_sample, r.entered, r.probability)), 0) AS weighted_amount, -- Sum of amount times probability.
    coalesce(d.currency, p.currency) AS currency, -- Currency of both sums; amounts of other currencies are rows of their own.
    p.id AS pipeline_id, -- Number of the pipeline.
    s.id AS stage_id -- Number of the stage.
FROM crm.pipeline p
JOIN crm.stage s ON s.pipeline_id = p.id AND s.merged_into_id IS NULL
LEFT JOIN crm.stage_win_rate r ON r.stage_id = s.id
LEFT JOIN crm.deal d ON d.stage_id = s.id AND d.deleted_at IS NULL
GROUP BY p.id, s.id, coalesce(d.currency, p.currency)
ORDER BY p.id, s.position, coalesce(d.currency, p.currency);
COMMENT ON VIEW crm.v_pipeline_total IS 'All deals by stage, also those that were won or lost at any time: reads every deal. The funnel of the open ones is crm.v_pipeline.';

CREATE VIEW crm.v_deal WITH (security_invoker = true) AS
SELECT
    d.id AS deal_id, -- Number of the deal.
    d.name, -- Its name.
    p.name AS pipeline, -- Its pipeline.
    s.name AS stage, -- Its stage.
    s.kind, -- open, won or lost.
    concat_ws(' ', c.given_name, c.middle_name, c.family_name) AS contact, -- The person it is made with.
    o.name AS company, -- The company it is made with.
    a.name AS owner, -- The agent who is responsible.
    d.amount, -- Amount.
    d.currency, -- Currency of amount.
    w.probability, -- The owner's estimate, otherwise that of the stage: its share of deals won, when the pipeline takes it from history.
    d.amount * w.probability AS weighted_amount, -- Amount times probability.
    d.close_date, -- The day for which the close is promised.
    (SELECT count(*) FROM crm.deal_history h
     WHERE h.deal_id = d.id AND h.field = 'close_date'
       AND (h.new_value #>> '{}')::date > (h.old_value #>> '{}')::date) AS pushes, -- How often the promise was put off.
    d.created_at, -- When the deal began.
    d.stage_entered_at, -- When it came to its stage.
    coalesce(d.closed_at, now()) - d.created_at AS age, -- How long it has been going on, or took.
    d.closed_at, -- When it was won or lost; null while open.
    r.name AS loss_reason, -- Why it was lost.
    l.name AS lost_to, -- The competitor who won.
    f.name AS lost_at_stage, -- The stage from which it was lost.
    t.id AS next_task_id, -- The open task that falls due first.
    t.title AS next_task, -- What it is.
    t.due_at AS next_task_due_at, -- By when.
    (SELECT max(y.occurred_at) FROM crm.activity y WHERE y.deal_id = d.id) AS last_activity_at, -- The latest call, letter, meeting about it.
    d.source, -- Where it came from.
    d.external_system, -- The other system in which it has a number.
    d.external_id, -- Its number there.
    d.pipeline_id, -- Number of the pipeline.
    d.stage_id, -- Number of the stage.
    d.contact_id, -- Number of the person.
    d.company_id, -- Number of the company.
    d.owner_id, -- Number of the agent.
    d.attrs -- Custom fields.
FROM crm.deal d
JOIN crm.pipeline p ON p.id = d.pipeline_id
JOIN crm.stage s ON s.id = d.stage_id
LEFT JOIN crm.stage_win_rate v ON v.stage_id = d.stage_id
CROSS JOIN LATERAL (SELECT crm.deal_probability(d.probability, s.kind, s.probability, p.probability_from, p.probability_sample, v.entered, v.probability) AS probability) w
LEFT JOIN crm.contact c ON c.id = d.contact_id
LEFT JOIN crm.company o ON o.id = d.company_id
LEFT JOIN crm.agent a ON a.id = d.owner_id
LEFT JOIN crm.loss_reason r ON r.id = d.loss_reason_id
LEFT JOIN crm.company l ON l.id = d.lost_to_company_id
LEFT JOIN crm.stage f ON f.id = d.lost_at_stage_id
LEFT JOIN LATERAL (
    SELECT k.id, k.title, k.due_at FROM crm.task k
    WHERE k.deal_id = d.id AND k.status = 'open' ORDER BY k.due_at NULLS LAST, k.priority, k.id LIMIT 1) t ON true
WHERE d.deleted_at IS NULL;
COMMENT ON VIEW crm.v_deal IS 'All that is to be known of each deal, with names instead of numbers, its next task and latest activity.';

CREATE VIEW crm.v_next_action WITH (security_invoker = true) AS
SELECT
    d.id AS deal_id, -- Number of the deal.
    d.name, -- Its name.
    p.name AS pipeline, -- Its pipeline.
    s.name AS stage, -- Its stage.
    a.name AS owner, -- The agent who is responsible.
    d.amount, -- Amount.
    d.currency, -- Currency of amount.
    d.close_date, -- The day for which the close is promised.
    late.id AS overdue_task_id, -- Its latest task that is overdue; null when it has none at all.
    late.title AS overdue_task, -- What that is.
    late.due_at AS overdue_since, -- Since when.
    d.owner_id -- Number of the agent.
FROM crm.deal d
JOIN crm.pipeline p ON p.id = d.pipeline_id
JOIN crm.stage s ON s.id = d.stage_id
LEFT JOIN crm.agent a ON a.id = d.owner_id
LEFT JOIN LATERAL (
    SELECT k.id, k.title, k.due_at FROM crm.task k
    WHERE k.deal_id = d.id AND k.status = 'open' ORDER BY k.due_at DESC LIMIT 1) late ON true
WHERE d.closed_at IS NULL AND d.deleted_at IS NULL
  AND NOT EXISTS (SELECT FROM crm.task k
                  WHERE k.deal_id = d.id AND k.status = 'open' AND (k.due_at >= now() OR k.due_at IS NULL))
ORDER BY d.amount DESC NULLS LAST, d.id;
COMMENT ON VIEW crm.v_next_action IS 'Open deals that nobody has planned to go on with: without an open task still to come. The most valuable first.';

CREATE VIEW crm.v_rotting_deal WITH (security_invoker = true) AS
SELECT
    r.deal_id, -- Number of the deal.
    r.name, -- Its name.
    r.pipeline, -- Its pipeline.
    r.stage, -- Its stage.
    a.name AS owner, -- The agent who is responsible.
    r.amount, -- Amount.
    r.currency, -- Currency of amount.
    r.stage_entered_at, -- When it came to the stage.
    r.rotting_after, -- How long a deal may stay there.
    r.rotting_since, -- Since when it has been staying too long.
    r.owner_id -- Number of the agent.
FROM crm.rotting_deals(now()) r
LEFT JOIN crm.agent a ON a.id = r.owner_id
ORDER BY r.rotting_since, r.deal_id;
COMMENT ON VIEW crm.v_rotting_deal IS 'Open deals that have been at their stage for longer than it allows. crm.rotting_deals(as_of) asks the same of another moment.';

CREATE VIEW crm.v_deal_history WITH (security_invoker = true) AS
SELECT
    h.deal_id, -- Number of the deal.
    h.id, -- Number of the entry; the order of the changes.
    h.changed_at, -- When the change was recorded.
    h.effective_at, -- When it took effect.
    h.actor, -- Who made it.
    CASE WHEN h.field <> '*' THEN h.field WHEN h.old_value IS NULL THEN 'created' ELSE 'removed' END AS field, -- The column that changed; created or removed for the whole deal.
    CASE h.field
        WHEN 'stage_id' THEN (SELECT s.name FROM crm.stage s WHERE s.id = (h.old_value #>> '{}')::bigint)
        WHEN 'pipeline_id' THEN (SELECT p.name FROM crm.pipeline p WHERE p.id = (h.old_value #>> '{}')::bigint)
        WHEN 'owner_id' THEN (SELECT a.name FROM crm.agent a WHERE a.id = (h.old_value #>> '{}')::bigint)
        WHEN 'company_id' THEN (SELECT c.name FROM crm.company c WHERE c.id = (h.old_value #>> '{}')::bigint)
        WHEN 'lost_at_stage_id' THEN (SELECT s.name FROM crm.stage s WHERE s.id = (h.old_value #>> '{}')::bigint)
        WHEN 'lost_to_company_id' THEN (SELECT c.name FROM crm.company c WHERE c.id = (h.old_value #>> '{}')::bigint)
        WHEN 'loss_reason_id' THEN (SELECT r.name FROM crm.loss_reason r WHERE r.id = (h.old_value #>> '{}')::bigint)
        ELSE h.old_value #>> '{}'
    END AS old_value, -- Value before; stages, pipelines, agents, companies and reasons by name.
    CASE h.field
        WHEN 'stage_id' THEN (SELECT s.name FROM crm.stage s WHERE s.id = (h.new_value #>> '{}')::bigint)
        WHEN 'pipeline_id' THEN (SELECT p.name FROM crm.pipeline p WHERE p.id = (h.new_value #>> '{}')::bigint)
        WHEN 'owner_id' THEN (SELECT a.name FROM crm.agent a WHERE a.id = (h.new_value #>> '{}')::bigint)
        WHEN 'company_id' THEN (SELECT c.name FROM crm.company c WHERE c.id = (h.new_value #>> '{}')::bigint)
        WHEN 'lost_at_stage_id' THEN (SELECT s.name FROM crm.stage s WHERE s.id = (h.new_value #>> '{}')::bigint)
        WHEN 'lost_to_company_id' THEN (SELECT c.name FROM crm.company c WHERE c.id = (h.new_value #>> '{}')::bigint)
        WHEN 'loss_reason_id' THEN (SELECT r.name FROM crm.loss_reason r WHERE r.id = (h.new_value #>> '{}')::bigint)
        ELSE h.new_value #>> '{}'
    END AS new_value, -- Value after, likewise.
    h.role, -- Database role with whose rights it was made.
    h.transaction_id -- Transaction that made it.
FROM crm.deal_history h;
COMMENT ON VIEW crm.v_deal_history IS 'The history of deals for people: numbers of stages, agents and the like are shown by name.';

CREATE VIEW crm.deal_profile WITH (security_invoker = true) AS
SELECT
    d.name, -- What is being sold to whom, in a few words.
    d.pipeline_id, -- Pipeline; follows stage_id, need not be given.
    d.stage_id, -- Stage; when not given, the first at which a deal of the pipeline may begin.
    d.contact_id, -- The person it is made with.
    d.company_id, -- The company it is made with.
    d.owner_id, -- The agent who is responsible.
    d.amount, -- Budget: what the deal is or would be worth; null when not known.
    d.currency, -- Currency of amount; when not given, that of the pipeline.
    d.close_date, -- The day for which the close is promised; of a closed deal the last promise.
    d.probability, -- The owner's own estimate, 0 to 1; null for that of the stage.
    d.stage_entered_at, -- When the deal came to its stage; when not given, the moment of the statement.
    d.closed_at, -- When it was won or lost; null while open.
    d.loss_reason_id, -- Why it was lost; emptied when the deal is reopened.
    d.lost_to_company_id, -- The competitor who won; emptied when the deal is reopened.
    d.lost_at_stage_id, -- The stage from which it was lost; emptied when the deal is reopened.
    d.source, -- Where the deal came from: a form, a fair, a call.
    d.description, -- Notes.
    d.attrs, -- Custom fields, checked against crm.custom_field.
    d.external_system, -- The other system in which the deal has a number; null for none.
    d.external_id, -- Its number there.
    d.created_at, -- When the deal began.
    d.updated_at, -- When it was last changed; kept by trigger.
    d.created_by, -- Role that made the row.
    d.deleted_at, -- When it was deleted; null while it lives.
    d.id AS deal_id, -- Number of the deal.
    f.pipeline, -- Name of its pipeline.
    f.stage, -- Name of its stage.
    f.stage_kind, -- open, won or lost.
    f.contact_lifecycle_stage, -- Of the person: lead, customer, repeat, loyal or closed_cycle.
    f.contact_country, -- Country of the person, ISO 3166-1 alpha-2.
    f.contact_city, -- City of the person.
    f.contact_attrs, -- Custom fields of the person.
    f.company, -- Name of the company.
    f.company_kind, -- customer, partner, supplier, dealer, competitor or other.
    f.company_industry, -- Its industry.
    f.company_country, -- Its country, ISO 3166-1 alpha-2.
    f.company_employees, -- Its number of employees.
    f.company_annual_revenue, -- Its revenue a year, in its currency.
    f.company_attrs, -- Its custom fields.
    f.owner, -- Name of the agent who is responsible.
    f.owner_team, -- Team of that agent.
    f.bant_score, -- How many of budget, authority, need and timeline it meets: 0 to 4.
    f.qualification, -- Framework by which it was asked last; null if never.
    f.qualified_criteria, -- How many criteria of that framework it meets.
    f.qualification_criteria, -- How many criteria that has; null if it was never asked.
    f.open_milestones, -- Milestones that are not reached.
    f.open_documents, -- Documents that are neither done nor void.
    f.open_tasks, -- Tasks that are open.
    f.contact_count, -- Persons who take part in it.
    f.activity_count, -- Activities about it.
    f.last_activity_at -- When the latest was; null if there was none.
FROM crm.deal d
CROSS JOIN LATERAL crm.deal_facts(d.id, d.stage_id, d.contact_id, d.company_id, d.owner_id) f
WHERE d.deleted_at IS NULL;
COMMENT ON VIEW crm.deal_profile IS 'The row that guards of stages, and other rules on deals, are written against: the deal with what other tables know of it. What a query does not name is not computed. A guard is asked of the row as the move would leave it.';

CREATE VIEW crm.v_milestone_overdue WITH (security_invoker = true) AS
SELECT
    m.subject, -- milestone or document.
    m.id, -- Its number in crm.deal_milestone or crm.document.
    m.deal_id, -- Number of the deal.
    m.deal, -- Name of the deal.
    m.kind, -- What was to be done.
    m.status, -- open, or how far the document is.
    m.due_at, -- By when.
    m.overdue, -- For how long it has been overdue.
    m.is_required, -- Whether the deal cannot be won without.
    a.name AS owner, -- The agent who is responsible for the deal.
    m.owner_id -- Number of the agent.
FROM crm.overdue_milestones(now()) m
LEFT JOIN crm.agent a ON a.id = m.owner_id
ORDER BY m.due_at, m.subject, m.id;
COMMENT ON VIEW crm.v_milestone_overdue IS 'Milestones and documents of deals that are overdue, the longest first. crm.overdue_milestones(as_of) asks the same of another moment.';

CREATE VIEW crm.v_deal_qualification WITH (security_invoker = true) AS
SELECT
    q.deal_id, -- Number of the deal.
    f.name AS framework, -- Framework.
    f.version, -- Version of the framework by which was asked.
    c.key AS criterion, -- Criterion.
    c.question, -- What is asked.
    q.is_met, -- Whether it is met; null when not known.
    q.value, -- The answer.
    q.note, -- More about it.
    q.answered_at, -- When it was answered last.
    q.answered_by -- Who answered.
FROM crm.deal_qualification q
JOIN crm.qualification_criterion c ON c.id = q.criterion_id
JOIN crm.qualification_framework f ON f.id = c.framework_id
ORDER BY q.deal_id, f.name, f.version, c.position;
COMMENT ON VIEW crm.v_deal_qualification IS 'What is known of deals by the criteria of qualification frameworks, of every version by which they were asked.';
