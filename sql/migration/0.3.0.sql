-- The refreshes of segments.
DO $migration$
BEGIN
    IF to_regclass('crm.job') IS NOT NULL THEN
        INSERT INTO crm.job (name, function, every) VALUES ('segments', 'segment_tick', '1 minute') ON CONFLICT DO NOTHING;
    END IF;
END
$migration$;
