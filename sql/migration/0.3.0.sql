-- The refreshes of segments.
DO $migration$
BEGIN
    IF to_regclass('crm.job') IS NOT NULL THEN
        INSERT INTO crm.job (name, function, every, daily_at, enabled) VALUES ('segments', 'segment_tick', '1 minute', NULL, true),
            ('segment history', 'compact_segment_history', NULL, '01:30', false) ON CONFLICT DO NOTHING;
    END IF;
END
$migration$;

-- Their rows are counted next; after a restore the planner knows nothing of them.
DO $migration$
DECLARE
    item text;
BEGIN
    FOREACH item IN ARRAY '{contact,activity,deal}'::text[] LOOP
        IF to_regclass('crm.' || item) IS NOT NULL THEN
            EXECUTE format('ANALYZE crm.%I', item);
        END IF;
    END LOOP;
END
$migration$;

-- An order keeps a contact from the archive, too.
DO $migration$
BEGIN
    IF to_regclass('crm.archive_rule') IS NOT NULL THEN
        COMMENT ON COLUMN crm.archive_rule.inactive_for IS 'Not changed, not in touch and no order for so long.';
    END IF;
END
$migration$;
