-- The jobs of quotes and shipments.
DO $migration$
BEGIN
    IF to_regclass('crm.job') IS NOT NULL THEN
        INSERT INTO crm.job (name, function, every, daily_at) VALUES
            ('quotes', 'expire_quotes', NULL, '00:05'), ('shipments', 'tell_late_shipments', '15 minutes', NULL) ON CONFLICT DO NOTHING;
    END IF;
END
$migration$;
