CREATE INDEX deal_history_effective_at ON crm.deal_history USING brin (effective_at);
CREATE INDEX deal_history_close_date ON crm.deal_history (deal_id, id) WHERE field = 'close_date';

CREATE TABLE crm.deal_rate (
    deal_id bigint PRIMARY KEY REFERENCES crm.deal (id) ON DELETE CASCADE, -- The deal.
    currency text NOT NULL REFERENCES crm.currency (code), -- Currency of its amount at the close.
    base text NOT NULL REFERENCES crm.currency (code), -- The base currency of then.
    closed_at timestamptz NOT NULL, -- The close for whose day the rate was taken.
    rate numeric CHECK (rate > 0 AND rate < 'Infinity'), -- What one unit of currency was worth in base; null until a rate for that day is known.
    frozen_at timestamptz NOT NULL DEFAULT now() -- When it was written.
);
COMMENT ON TABLE crm.deal_rate IS 'The exchange rate of closed deals, kept as it was known at the close: a later rate, or a correction of an older one, changes nothing of it. Written by triggers alone.';
INSERT INTO crm.deal_rate (deal_id, currency, base, closed_at, rate)
SELECT d.id, d.currency, b.code, d.closed_at, r.rate
FROM crm.deal d CROSS JOIN crm.base_currency b
JOIN (SELECT k.currency, k.day, crm.exchange_rate(k.currency, k.day) AS rate
      FROM (SELECT DISTINCT c.currency, date_trunc('day', c.closed_at, 'UTC') AS day FROM crm.deal c WHERE c.closed_at IS NOT NULL) k) r
    ON r.currency = d.currency AND r.day = date_trunc('day', d.closed_at, 'UTC');
CREATE INDEX deal_rate_unknown ON crm.deal_rate (currency) WHERE rate IS NULL;

CREATE FUNCTION crm.freeze_deal_rate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO crm.deal_rate (deal_id, currency, base, closed_at, rate)
        SELECT n.id, n.currency, b.code, n.closed_at, r.rate
        FROM new_rows n CROSS JOIN crm.base_currency b
        JOIN (SELECT k.currency, k.day, crm.exchange_rate(k.currency, k.day) AS rate
              FROM (SELECT DISTINCT m.currency, date_trunc('day', m.closed_at, 'UTC') AS day FROM new_rows m WHERE m.closed_at IS NOT NULL) k) r
            ON r.currency = n.currency AND r.day = date_trunc('day', n.closed_at, 'UTC')
        WHERE n.closed_at IS NOT NULL AND n.currency IS NOT NULL
        ON CONFLICT (deal_id) DO NOTHING;
    ELSIF NEW.closed_at IS NULL OR NEW.currency IS NULL THEN
        DELETE FROM crm.deal_rate r WHERE r.deal_id = NEW.id;
    ELSE
        INSERT INTO crm.deal_rate AS r (deal_id, currency, base, closed_at, rate)
        SELECT NEW.id, NEW.currency, b.code, NEW.closed_at, crm.exchange_rate(NEW.currency, NEW.closed_at) FROM crm.base_currency b
        ON CONFLICT (deal_id) DO UPDATE SET currency = excluded.currency, base = excluded.base, closed_at = excluded.closed_at,
            rate = excluded.rate, frozen_at = now();
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.freeze_deal_rate() FROM PUBLIC;
COMMENT ON FUNCTION crm.freeze_deal_rate() IS 'Trigger on crm.deal: keeps the exchange rate of a deal that is closed in crm.deal_rate, of its day; a deal that is reopened has none.';

CREATE FUNCTION crm.complete_deal_rates() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_TABLE_NAME = 'base_currency' THEN
        UPDATE crm.deal_rate r SET base = b.code, rate = crm.exchange_rate(r.currency, r.closed_at), frozen_at = now()
        FROM crm.base_currency b WHERE r.base <> b.code;
    ELSE
        UPDATE crm.deal_rate r SET rate = n.rate, frozen_at = now()
        FROM (SELECT u.deal_id, crm.exchange_rate(u.currency, u.closed_at) AS rate FROM crm.deal_rate u WHERE u.rate IS NULL) n
        WHERE n.deal_id = r.deal_id AND n.rate IS NOT NULL;
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.complete_deal_rates() FROM PUBLIC;
COMMENT ON FUNCTION crm.complete_deal_rates() IS 'Trigger on crm.fx_rate: gives closed deals whose rate was not known the one that is; on crm.base_currency: takes all rates anew.';

CREATE TRIGGER rate_insert AFTER INSERT ON crm.deal REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.freeze_deal_rate();
CREATE TRIGGER rate_update AFTER UPDATE ON crm.deal FOR EACH ROW
    WHEN (NEW.closed_at IS DISTINCT FROM OLD.closed_at OR NEW.closed_at IS NOT NULL AND NEW.currency IS DISTINCT FROM OLD.currency)
    EXECUTE FUNCTION crm.freeze_deal_rate();
CREATE TRIGGER complete_deal_rates AFTER INSERT OR UPDATE ON crm.fx_rate FOR EACH STATEMENT EXECUTE FUNCTION crm.complete_deal_rates();
CREATE TRIGGER complete_deal_rates AFTER UPDATE OF code ON crm.base_currency FOR EACH STATEMENT EXECUTE FUNCTION crm.complete_deal_rates();

CREATE TABLE crm.forecast_category (
    name text PRIMARY KEY CHECK (name <> ''), -- Name of the category.
    minimum_probability numeric NOT NULL UNIQUE CHECK (minimum_probability BETWEEN 0 AND 1), -- Open deals of at least this probability belong to it, unless to one with a higher minimum.
    share numeric NOT NULL CHECK (share BETWEEN 0 AND 1) -- What share of their amounts the forecast by category counts.
);
COMMENT ON TABLE crm.forecast_category IS 'Categories of the forecast by category: sure deals count wholly, doubtful ones not at all.';
INSERT INTO crm.forecast_category (name, minimum_probability, share) VALUES
    ('commit', 0.7, 1), ('best case', 0.4, 0.5), ('pipeline', 0, 0);

CREATE SEQUENCE crm.forecast_snapshot_id_seq;

CREATE TABLE crm.forecast_snapshot (
    id bigint PRIMARY KEY DEFAULT nextval('crm.forecast_snapshot_id_seq'), -- Number of the row.
    taken_on date NOT NULL, -- The day (in UTC) on which it was taken.
    period daterange NOT NULL CHECK (NOT isempty(period)), -- The days that it is for.
    method text NOT NULL CHECK (method IN ('weighted', 'category', 'historical')), -- How it was made.
    pipeline_id bigint NOT NULL REFERENCES crm.pipeline (id), -- Pipeline.
    owner_id bigint REFERENCES crm.agent (id), -- Agent; null for deals without one.
    won_amount numeric NOT NULL, -- Won in the period by then.
    open_amount numeric NOT NULL, -- Amounts of the open deals that were looked at.
    expected_amount numeric NOT NULL, -- What of these was expected to be won in the period.
    total_amount numeric NOT NULL, -- won_amount plus expected_amount: the forecast.
    currency text NOT NULL REFERENCES crm.currency (code), -- The base currency of then.
    taken_at timestamptz NOT NULL, -- The moment of whose state it is.
    UNIQUE NULLS NOT DISTINCT (taken_on, period, method, pipeline_id, owner_id)
);
COMMENT ON TABLE crm.forecast_snapshot IS 'Forecasts as they were made, a row a day, period, method, pipeline and agent; crm.v_forecast_accuracy compares them with what was won.';
CREATE INDEX forecast_snapshot_period ON crm.forecast_snapshot (period, method, taken_on);

INSERT INTO crm.job (name, function, daily_at, next_run_at) VALUES
    ('forecast', 'take_forecast_snapshot', '05:00', date_trunc('day', now(), 'UTC') + '1 day 5 hours');
