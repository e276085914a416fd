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
