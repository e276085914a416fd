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
