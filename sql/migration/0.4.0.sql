-- Tasks that recur, and greetings.
DO $migration$
BEGIN
    IF to_regclass('crm.job') IS NOT NULL THEN
        INSERT INTO crm.job (name, function, every, enabled) VALUES
            ('recurring tasks', 'make_due_tasks', '1 minute', true),
            ('greetings', 'make_greeting_tasks', '1 hour', false) ON CONFLICT DO NOTHING;
    END IF;
END
$migration$;

-- Late milestones, probabilities from history; the index of the funnel has
-- what the funnel sums up.
DO $migration$
BEGIN
    IF to_regclass('crm.job') IS NOT NULL THEN
        INSERT INTO crm.job (name, function, every, daily_at) VALUES
            ('milestones', 'tell_late_milestones', '5 minutes', NULL), ('stage win rates', 'refresh_stage_win_rates', NULL, '02:30') ON CONFLICT DO NOTHING;
    END IF;
    IF (SELECT i.indnkeyatts = i.indnatts FROM pg_index i WHERE i.indexrelid = to_regclass('crm.deal_open')) THEN
        DROP INDEX crm.deal_open;
    END IF;
END
$migration$;

-- The jobs of quotes and shipments.
DO $migration$
BEGIN
    IF to_regclass('crm.job') IS NOT NULL THEN
        INSERT INTO crm.job (name, function, every, daily_at) VALUES
            ('quotes', 'expire_quotes', NULL, '00:05'), ('shipments', 'tell_late_shipments', '15 minutes', NULL) ON CONFLICT DO NOTHING;
    END IF;
END
$migration$;

-- The kind of the touches of leads.
DO $migration$
BEGIN
    IF to_regclass('crm.interaction_type') IS NOT NULL THEN
        INSERT INTO crm.interaction_type (name, direction, mode, is_touch, description)
        VALUES ('form', 'one_way', 'active', true, 'A form that the person sent: an inquiry, a questionnaire, an order')
        ON CONFLICT (name) DO NOTHING;
    END IF;
END
$migration$;

-- The snapshots of forecasts.
DO $migration$
BEGIN
    IF to_regclass('crm.job') IS NOT NULL THEN
        INSERT INTO crm.job (name, function, daily_at, next_run_at)
        VALUES ('forecast', 'take_forecast_snapshot', '05:00', date_trunc('day', now(), 'UTC') + '1 day 5 hours') ON CONFLICT DO NOTHING;
    END IF;
END
$migration$;

-- The funnel shows open stages only.
DO $migration$
BEGIN
    IF to_regclass('crm.v_pipeline') IS NOT NULL THEN
        COMMENT ON VIEW crm.v_pipeline IS 'The funnel as it stands: how many deals are at each open stage, what they are worth and what may be expected of them. A stage without deals has a row too. Of won and lost deals see crm.v_pipeline_total.';
    END IF;
END
$migration$;

-- The events of payments, quotes, leads and shipments: their tables are made
-- after this, in the same transaction.
DO $migration$
BEGIN
    IF to_regclass('crm.event_kind') IS NOT NULL THEN
        ALTER TABLE crm.event_kind DISABLE TRIGGER event_kind_check;
        INSERT INTO crm.event_kind (event, relation, contact_column, at_column, filter, description) VALUES
            ('payment', 'crm.payment', 'contact_id', 'paid_at', 'status in (''paid'', ''partially_refunded'')', 'Money came, and was not given back wholly'),
            ('quote_sent', 'crm.quote', 'contact_id', 'sent_at', 'sent_at is not null', 'A version of a quote was sent'),
            ('quote_accepted', 'crm.quote', 'contact_id', 'closed_at', 'status = ''accepted''', 'A quote was accepted'),
            ('lead_captured', 'crm.lead', 'contact_id', 'created_at', 'deleted_at is null', 'An inquiry of the contact was captured'),
            ('shipment_late', 'crm.shipment', 'contact_id', 'late_at', 'late_at is not null', 'A shipment was told to be late')
        ON CONFLICT DO NOTHING;
        ALTER TABLE crm.event_kind ENABLE TRIGGER event_kind_check;
    END IF;
END
$migration$;

-- Contacts come to the stage of the life cycle that their orders say, as
-- crm.refresh_lifecycle() would bring them there; since when they are there,
-- crm.lifecycle_history gets to know when it is made.
DO $migration$
BEGIN
    IF to_regclass('crm.contact_metric') IS NOT NULL AND to_regclass('crm.lifecycle_rule') IS NULL THEN
        UPDATE crm.contact c SET lifecycle_stage = t.stage
        FROM (SELECT m.contact_id, CASE WHEN m.order_count >= 5 THEN 'loyal' WHEN m.order_count >= 2 THEN 'repeat' ELSE 'customer' END AS stage
              FROM crm.contact_metric m WHERE m.order_count > 0) t
        WHERE c.id = t.contact_id AND c.deleted_at IS NULL AND c.merged_into IS NULL
          AND array_position('{lead,customer,repeat,loyal}', t.stage) > array_position('{lead,customer,repeat,loyal}', c.lifecycle_stage);
    END IF;
END
$migration$;

DO $migration$
BEGIN
    IF to_regclass('crm.import_reject') IS NOT NULL THEN
        COMMENT ON COLUMN crm.import_reject.resolved_at IS 'When crm.import_fix() brought it in or crm.discard_rejects() set it aside for good; null while open.';
    END IF;
    IF to_regclass('crm.deal_history') IS NOT NULL THEN
        COMMENT ON COLUMN crm.deal_history.effective_at IS 'When it took effect: of a move, stage_entered_at; otherwise setting crm.effective_at, or changed_at.';
    END IF;
END
$migration$;

-- Rows of an import are of everybody's deals.
DO $migration$
BEGIN
    IF to_regclass('crm.deal_import_reject') IS NOT NULL AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'crm_agent') THEN
        REVOKE ALL ON crm.deal_import_reject FROM crm_agent;
    END IF;
END
$migration$;
