CREATE VIEW crm.v_pipeline WITH (security_invoker = true) AS
SELECT
    p.name AS pipeline, -- Pipeline.
    s.name AS stage, -- Stage.
    s.position, -- Place of the stage in the pipeline.
    s.kind, -- open, won or lost.
    count(d.id) AS deals, -- Number of deals at the stage.
    coalesce(sum(d.amount), 0) AS amount, -- Sum of their amounts.
    coalesce(sum(d.amount * coalesce(d.probability, s.probability)), 0) AS weighted_amount, -- Sum of amount times probability.
    coalesce(d.currency, p.currency) AS currency, -- Currency of both sums; amounts of other currencies are rows of their own.
    p.id AS pipeline_id, -- Number of the pipeline.
    s.id AS stage_id -- Number of the stage.
FROM crm.pipeline p
JOIN crm.stage s ON s.pipeline_id = p.id
LEFT JOIN crm.deal d ON d.stage_id = s.id AND d.deleted_at IS NULL
GROUP BY p.id, s.id, coalesce(d.currency, p.currency)
ORDER BY p.id, s.position, coalesce(d.currency, p.currency);
COMMENT ON VIEW crm.v_pipeline IS 'The funnel as it stands: how many deals are at each stage, what they are worth and what may be expected of them. A stage without deals has a row too.';

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
    coalesce(d.probability, s.probability) AS probability, -- The owner's estimate, otherwise that of the stage.
    d.amount * coalesce(d.probability, s.probability) AS weighted_amount, -- Amount times probability.
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
        WHEN 'loss_reason_id' THEN (SELECT r.name FROM crm.loss_reason r WHERE r.id = (h.old_value #>> '{}')::bigint)
        ELSE h.old_value #>> '{}'
    END AS old_value, -- Value before; stages, pipelines, agents, companies and reasons by name.
    CASE h.field
        WHEN 'stage_id' THEN (SELECT s.name FROM crm.stage s WHERE s.id = (h.new_value #>> '{}')::bigint)
        WHEN 'pipeline_id' THEN (SELECT p.name FROM crm.pipeline p WHERE p.id = (h.new_value #>> '{}')::bigint)
        WHEN 'owner_id' THEN (SELECT a.name FROM crm.agent a WHERE a.id = (h.new_value #>> '{}')::bigint)
        WHEN 'company_id' THEN (SELECT c.name FROM crm.company c WHERE c.id = (h.new_value #>> '{}')::bigint)
        WHEN 'loss_reason_id' THEN (SELECT r.name FROM crm.loss_reason r WHERE r.id = (h.new_value #>> '{}')::bigint)
        ELSE h.new_value #>> '{}'
    END AS new_value, -- Value after, likewise.
    h.role, -- Database role with whose rights it was made.
    h.transaction_id -- Transaction that made it.
FROM crm.deal_history h;
COMMENT ON VIEW crm.v_deal_history IS 'The history of deals for people: numbers of stages, agents and the like are shown by name.';
