CREATE INDEX deal_history_effective_at ON crm.deal_history USING brin (effective_at);
CREATE INDEX deal_history_close_date ON crm.deal_history (deal_id, id) WHERE field = 'close_date';
CREATE INDEX deal_history_owner ON crm.deal_history (deal_id, id) WHERE field = 'owner_id';

CREATE TABLE crm.deal_rate (
    deal_id bigint PRIMARY KEY REFERENCES crm.deal (id) ON DELETE CASCADE, -- The deal.
    currency text NOT NULL, -- Currency of its amount at the close.
    base text NOT NULL, -- The base currency of then.
    closed_at timestamptz NOT NULL, -- The close for whose day the rate was taken.
    rate numeric CHECK (rate > 0 AND rate < 'Infinity'), -- What one unit of currency was worth in base; null until a rate for that day is known.
    frozen_at timestamptz NOT NULL DEFAULT now() -- When it was written.
);
COMMENT ON TABLE crm.deal_rate IS 'The exchange rate of closed deals, kept as it was known at the close: a later rate, or a correction of an older one, changes nothing of it. Written by triggers alone.';
INSERT INTO crm.deal_rate (deal_id, currency, base, closed_at, rate)
SELECT d.id, d.currency, b.code, d.closed_at, r.rate
FROM crm.deal d JOIN crm.base_currency b ON b.singleton
JOIN (SELECT k.currency, k.day, crm.exchange_rate(k.currency, k.day) AS rate
      FROM (SELECT DISTINCT c.currency, date_trunc('day', c.closed_at, 'UTC') AS day FROM crm.deal c WHERE c.closed_at IS NOT NULL) k) r
    ON r.currency = d.currency AND r.day = date_trunc('day', d.closed_at, 'UTC');
CREATE INDEX deal_rate_unknown ON crm.deal_rate (currency) WHERE rate IS NULL;

CREATE FUNCTION crm.freeze_deal_rate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NOT EXISTS (SELECT FROM new_rows n WHERE n.closed_at IS NOT NULL) THEN
            RETURN NULL;
        END IF;
        -- Whoever writes a rate waits for this deal, or this deal for the rate.
        IF EXISTS (SELECT FROM new_rows n JOIN crm.base_currency b ON b.code <> n.currency WHERE n.closed_at IS NOT NULL) THEN
            PERFORM pg_advisory_xact_lock_shared(hashtext('crm.fx_rate'));
        END IF;
        INSERT INTO crm.deal_rate (deal_id, currency, base, closed_at, rate)
        SELECT n.id, n.currency, b.code, n.closed_at, r.rate
        FROM new_rows n JOIN crm.base_currency b ON b.singleton
        JOIN (SELECT k.currency, k.day, crm.exchange_rate(k.currency, k.day) AS rate
              FROM (SELECT DISTINCT m.currency, date_trunc('day', m.closed_at, 'UTC') AS day FROM new_rows m WHERE m.closed_at IS NOT NULL) k) r
            ON r.currency = n.currency AND r.day = date_trunc('day', n.closed_at, 'UTC')
        WHERE n.closed_at IS NOT NULL AND n.currency IS NOT NULL
        ON CONFLICT (deal_id) DO NOTHING;
    ELSIF NEW.closed_at IS NULL OR NEW.currency IS NULL THEN
        DELETE FROM crm.deal_rate r WHERE r.deal_id = NEW.id;
    ELSE
        IF EXISTS (SELECT FROM crm.base_currency b WHERE b.code <> NEW.currency) THEN
            PERFORM pg_advisory_xact_lock_shared(hashtext('crm.fx_rate'));
        END IF;
        INSERT INTO crm.deal_rate AS r (deal_id, currency, base, closed_at, rate)
        SELECT NEW.id, NEW.currency, b.code, NEW.closed_at, CASE WHEN NEW.currency = b.code THEN 1 ELSE crm.exchange_rate(NEW.currency, NEW.closed_at) END FROM crm.base_currency b
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
    PERFORM pg_advisory_xact_lock(hashtext('crm.fx_rate'));
    IF TG_TABLE_NAME = 'base_currency' THEN
        UPDATE crm.deal_rate r SET base = b.code, rate = k.rate, frozen_at = now()
        FROM crm.base_currency b,
             (SELECT u.currency, u.day, crm.exchange_rate(u.currency, u.day) AS rate
              FROM (SELECT DISTINCT e.currency, date_trunc('day', e.closed_at, 'UTC') AS day FROM crm.deal_rate e) u) k
        WHERE r.base <> b.code AND k.currency = r.currency AND k.day = date_trunc('day', r.closed_at, 'UTC');
    ELSE
        UPDATE crm.deal_rate r SET rate = k.rate, frozen_at = now()
        FROM (SELECT u.currency, u.day, crm.exchange_rate(u.currency, u.day) AS rate
              FROM (SELECT DISTINCT e.currency, date_trunc('day', e.closed_at, 'UTC') AS day FROM crm.deal_rate e WHERE e.rate IS NULL) u) k
        WHERE r.rate IS NULL AND k.rate IS NOT NULL AND k.currency = r.currency AND k.day = date_trunc('day', r.closed_at, 'UTC');
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
    new_amount numeric NOT NULL, -- What deals that had not begun yet were to bring.
    total_amount numeric NOT NULL, -- won_amount, expected_amount and new_amount together: the forecast.
    currency text NOT NULL REFERENCES crm.currency (code), -- The base currency of then.
    taken_at timestamptz NOT NULL, -- The moment of whose state it is.
    UNIQUE NULLS NOT DISTINCT (taken_on, period, method, pipeline_id, owner_id)
);
COMMENT ON TABLE crm.forecast_snapshot IS 'Forecasts as they were made, a row a day, period, method, pipeline and agent; crm.v_forecast_accuracy compares them with what was won.';
CREATE INDEX forecast_snapshot_period ON crm.forecast_snapshot (period, method, taken_on);

INSERT INTO crm.job (name, function, daily_at, next_run_at) VALUES
    ('forecast', 'take_forecast_snapshot', '05:00', date_trunc('day', now(), 'UTC') + '1 day 5 hours');

CREATE TABLE crm.kpi (
    name text PRIMARY KEY CHECK (name <> ''), -- Name, such as win_rate.
    title text NOT NULL, -- What it is called in reports.
    numerator text NOT NULL, -- The measure of crm.sales_measures() that is counted.
    denominator text, -- The measure by which it is divided; null for none.
    scale numeric NOT NULL DEFAULT 1 CHECK (scale > 0), -- By what the quotient is multiplied: 100 for percent.
    unit text NOT NULL, -- amount (base currency), number, percent, days, minutes or points.
    is_higher_better boolean NOT NULL DEFAULT true, -- Whether more is better.
    weight numeric NOT NULL DEFAULT 0 CHECK (weight >= 0) -- Its share in the rating of employees; 0 for none.
);
COMMENT ON TABLE crm.kpi IS 'Indicators of employees, teams and goals: each a measure or the quotient of two. A new one is a row, its weight in the rating a number here.';
CREATE TRIGGER kpi_check BEFORE INSERT OR UPDATE ON crm.kpi FOR EACH ROW EXECUTE FUNCTION crm.kpi_check();
INSERT INTO crm.kpi (name, title, numerator, denominator, scale, unit, is_higher_better, weight) VALUES
    ('won_amount', 'Sales', 'won_amount', NULL, 1, 'amount', true, 0.4),
    ('won_deals', 'Deals won', 'won_deals', NULL, 1, 'number', true, 0),
    ('new_deals', 'New deals', 'new_deals', NULL, 1, 'number', true, 0),
    ('lost_deals', 'Deals lost', 'lost_deals', NULL, 1, 'number', false, 0),
    ('win_rate', 'Share of closed deals that were won', 'won_deals', 'closed_deals', 100, 'percent', true, 0.2),
    ('average_check', 'Average deal won', 'won_amount', 'won_priced_deals', 1, 'amount', true, 0),
    ('cycle', 'Days to win a deal', 'cycle_days', 'won_deals', 1, 'days', false, 0),
    ('pushes', 'Promises put off', 'pushes', NULL, 1, 'number', false, 0),
    ('activities', 'Activities', 'activities', NULL, 1, 'number', true, 0.1),
    ('calls', 'Calls', 'calls', NULL, 1, 'number', true, 0),
    ('call_length', 'Average call', 'call_minutes', 'calls', 1, 'minutes', true, 0),
    ('meetings', 'Meetings', 'meetings', NULL, 1, 'number', true, 0),
    ('punctuality', 'Tasks done in time', 'tasks_in_time', 'tasks_due', 100, 'percent', true, 0.1),
    ('orders', 'Orders', 'orders', NULL, 1, 'number', true, 0),
    ('order_amount', 'Orders, sum', 'order_amount', NULL, 1, 'amount', true, 0),
    ('csat', 'Satisfaction', 'csat_points', 'csat_answers', 1, 'points', true, 0.2),
    ('nps', 'Net promoter score', 'nps_points', 'nps_answers', 100, 'points', true, 0);

CREATE SEQUENCE crm.sales_goal_id_seq;

CREATE TABLE crm.sales_goal (
    id bigint PRIMARY KEY DEFAULT nextval('crm.sales_goal_id_seq'), -- Number of the goal.
    parent_id bigint REFERENCES crm.sales_goal (id), -- The goal it is part of; null at the top.
    name text CHECK (name <> ''), -- What it is called; null for none.
    agent_id bigint REFERENCES crm.agent (id), -- Whose it is; null for a team's, or everybody's.
    team_id bigint REFERENCES crm.team (id), -- The team whose it is; null for an agent's, or everybody's.
    pipeline_id bigint REFERENCES crm.pipeline (id), -- What happens in that pipeline alone counts; null for all.
    period daterange NOT NULL CHECK (NOT isempty(period) AND NOT lower_inf(period) AND NOT upper_inf(period)), -- The days that it is for.
    kpi text NOT NULL DEFAULT 'won_amount' REFERENCES crm.kpi (name), -- What is to be reached.
    target numeric NOT NULL CHECK (target > 0 AND target < 'Infinity'), -- How much of it.
    currency text REFERENCES crm.currency (code), -- Currency of a target that is an amount; null for the base currency.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    created_by text NOT NULL DEFAULT current_user, -- Role that made it.
    CHECK (agent_id IS NULL OR team_id IS NULL),
    UNIQUE NULLS NOT DISTINCT (period, kpi, agent_id, team_id, pipeline_id, parent_id, name)
);
COMMENT ON TABLE crm.sales_goal IS 'Goals: how much of an indicator an agent, a team or everybody is to reach in a period. A goal may be part of another.';
CREATE INDEX sales_goal_parent ON crm.sales_goal (parent_id) WHERE parent_id IS NOT NULL;
CREATE TRIGGER goal_check BEFORE INSERT OR UPDATE ON crm.sales_goal FOR EACH ROW EXECUTE FUNCTION crm.goal_check();

CREATE SEQUENCE crm.agent_capacity_id_seq;

CREATE TABLE crm.agent_capacity (
    id bigint PRIMARY KEY DEFAULT nextval('crm.agent_capacity_id_seq'), -- Number of the row.
    agent_id bigint NOT NULL REFERENCES crm.agent (id), -- The agent.
    valid daterange NOT NULL CHECK (NOT isempty(valid)), -- When it holds.
    share numeric NOT NULL CHECK (share BETWEEN 0 AND 1), -- Which part of a working day the agent works: 0.5 for half the time, 0 for leave.
    reason text -- Why: part time, holiday, illness.
);
COMMENT ON TABLE crm.agent_capacity IS 'Who works less than whole days, and when; of several rows that hold on a day the least counts. Comparisons of agents take it into account.';
CREATE INDEX agent_capacity_agent ON crm.agent_capacity (agent_id);

CREATE SEQUENCE crm.satisfaction_id_seq;

CREATE TABLE crm.satisfaction (
    contact_id bigint NOT NULL REFERENCES crm.contact (id), -- Who was asked.
    id bigint NOT NULL DEFAULT nextval('crm.satisfaction_id_seq'), -- Number of the answer.
    kind text NOT NULL CHECK (kind IN ('csat', 'nps')), -- csat: 1 to 5, how content; nps: 0 to 10, how likely to recommend us.
    score integer NOT NULL CHECK (CASE kind WHEN 'csat' THEN score BETWEEN 1 AND 5 ELSE score BETWEEN 0 AND 10 END), -- The answer.
    agent_id bigint REFERENCES crm.agent (id), -- Whose work it is about; null for nobody's.
    deal_id bigint, -- The deal it is about.
    answered_at timestamptz NOT NULL DEFAULT now(), -- When.
    comment text, -- In words.
    PRIMARY KEY (contact_id, id)
);
COMMENT ON TABLE crm.satisfaction IS 'What clients say when asked how content they are: the customer satisfaction in the rating of employees.';
CREATE INDEX satisfaction_agent ON crm.satisfaction (agent_id, answered_at) WHERE agent_id IS NOT NULL;
