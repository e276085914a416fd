-- From 0.3.0 to 0.4.0: the sales funnel, business time, leads, quotes, orders
-- and payments, reports, analysis of events.
-- Code only; crm.upgrade() makes the tables.
ALTER EXTENSION crm DROP FUNCTION crm.allow_transition(text, text, text);
DROP FUNCTION crm.allow_transition(text, text, text);
-- @functions sql/23-rule.sql
-- @whole sql/24-calendar.sql
-- @whole sql/25-event-analytics.sql
-- @functions sql/30-install.sql
-- @functions sql/32-import.sql
-- @functions sql/33-quality.sql
-- @functions sql/34-sales.sql
-- @whole sql/34-stage.sql
-- @functions sql/35-activity.sql
-- @functions sql/37-merge.sql
-- @functions sql/37-unmerge.sql
-- @functions sql/39-status.sql
-- @functions sql/42-segment.sql
-- @functions sql/43-segment-use.sql
-- @whole sql/44-assignment.sql
-- @functions sql/44-configuration.sql
-- @whole sql/44-lead.sql
-- @whole sql/44-occasion.sql
-- @whole sql/45-product.sql
-- @whole sql/45-quote.sql
-- @whole sql/45-task-series.sql
-- @whole sql/46-payment.sql
-- @whole sql/47-deal-time.sql
-- @whole sql/47-order-import.sql
-- @whole sql/48-forecast.sql
-- @whole sql/49-opportunity.sql
-- @whole sql/49-sales-report.sql
-- @whole sql/19-comment.sql
-- @schema_source

-- The tables follow by crm.upgrade(). A notice would not be seen.
DO $$
BEGIN
    IF crm.installed_version() <> crm.code_version() THEN
        RAISE WARNING 'the code of crm is of version %, its tables are of version %', crm.code_version(), crm.installed_version()
            USING HINT = 'Run SELECT crm.upgrade() next, as the owner of the tables.';
    END IF;
END
$$;
