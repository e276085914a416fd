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
