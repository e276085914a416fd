-- The snapshots of forecasts.
DO $migration$
BEGIN
    IF to_regclass('crm.job') IS NOT NULL THEN
        INSERT INTO crm.job (name, function, daily_at, next_run_at)
        VALUES ('forecast', 'take_forecast_snapshot', '05:00', date_trunc('day', now(), 'UTC') + '1 day 5 hours') ON CONFLICT DO NOTHING;
    END IF;
END
$migration$;
