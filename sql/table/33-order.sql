CREATE TABLE crm.base_currency (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton), -- Always true: makes the row the only one.
    code text NOT NULL REFERENCES crm.currency (code) -- The currency, ISO 4217. When it changes, the exchange rates of all orders are looked up anew.
);
COMMENT ON TABLE crm.base_currency IS 'One row: the currency in which amounts of different currencies are added up. To begin with, that of the default pipeline.';
INSERT INTO crm.base_currency (code)
SELECT coalesce((SELECT p.currency FROM crm.pipeline p WHERE p.is_default), 'USD');

CREATE TABLE crm.fx_rate (
    currency text NOT NULL REFERENCES crm.currency (code), -- The currency of which one unit ...
    base text NOT NULL REFERENCES crm.currency (code), -- ... is worth rate units of this one.
    valid_from date NOT NULL, -- First day (in UTC) on which it holds; until the next one of the same two currencies.
    rate numeric NOT NULL CHECK (rate > 0 AND rate < 'Infinity'), -- How many.
    source text, -- Who says so: a central bank, the bookkeepers.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    PRIMARY KEY (currency, base, valid_from),
    CHECK (currency <> base)
);
COMMENT ON TABLE crm.fx_rate IS 'Exchange rates by day. crm.exchange_rate() takes the latest that holds, or the inverse of one the other way round. An order keeps the rate of its day: a rate of today changes nothing of the past.';

CREATE SEQUENCE crm.sales_order_id_seq;

CREATE TABLE crm.sales_order (
    contact_id bigint NOT NULL REFERENCES crm.contact (id), -- The person who orders; of a company, who speaks for it.
    id bigint NOT NULL DEFAULT nextval('crm.sales_order_id_seq'), -- Number of the order in this database.
    number text CHECK (number <> ''), -- Number of the order as people know it; null for none.
    status text NOT NULL DEFAULT 'placed' CHECK (status IN ('draft', 'placed', 'paid', 'shipped', 'completed', 'cancelled', 'returned')), -- draft (a basket, not ordered yet), placed, paid, shipped, completed (received), cancelled (before it was fulfilled) or returned (the whole of it, afterwards).
    ordered_at timestamptz NOT NULL DEFAULT now(), -- When it was placed; of a draft, when it was begun.
    amount numeric CHECK (amount >= 0 AND amount < 'Infinity'), -- What is to be paid for it; null when not known.
    currency text NOT NULL REFERENCES crm.currency (code), -- Currency of amount; when not given, the base currency.
    exchange_rate numeric CHECK (exchange_rate > 0 AND exchange_rate < 'Infinity'), -- What one unit of currency was worth in the base currency on the day of the order; when not given, looked up in crm.fx_rate; null when there is none.
    base_amount numeric GENERATED ALWAYS AS (round(amount * exchange_rate, 4)) STORED, -- Amount in the base currency, to 4 places; null when amount or rate is not known.
    is_counted boolean NOT NULL GENERATED ALWAYS AS (status IN ('placed', 'paid', 'shipped', 'completed') AND deleted_at IS NULL) STORED, -- Whether it counts as an order in crm.contact_metric: placed and neither cancelled, returned nor deleted.
    company_id bigint REFERENCES crm.company (id), -- The company it is for.
    agent_id bigint REFERENCES crm.agent (id), -- Who of us took it.
    deal_id bigint, -- The deal it came of.
    channel text REFERENCES crm.channel (name), -- How it came: portal, call, visit ...
    source text, -- Where it came from: a shop, a campaign, a fair.
    description text, -- Notes.
    attrs jsonb NOT NULL DEFAULT '{}', -- More, as you like.
    external_system text CHECK (external_system <> ''), -- The other system in which the order has a number: shop, 1C; null for none.
    external_id text CHECK (external_id <> ''), -- Its number there.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    updated_at timestamptz NOT NULL DEFAULT now(), -- When it was last changed; kept by trigger.
    created_by text NOT NULL DEFAULT current_user, -- Role that made the row.
    deleted_at timestamptz, -- When it was deleted; null while it lives.
    due_at timestamptz, -- By when it is to be paid; null when nothing was agreed.
    PRIMARY KEY (contact_id, id),
    CHECK ((external_system IS NULL) = (external_id IS NULL)),
    UNIQUE (contact_id, external_system, external_id)
);
COMMENT ON TABLE crm.sales_order IS 'Orders of contacts. What counts, how often and how much each contact orders stands in crm.contact_metric; changes and removals of orders stand in crm.audit_log.';
CREATE INDEX sales_order_ordered_at ON crm.sales_order (contact_id, ordered_at);
CREATE INDEX sales_order_external ON crm.sales_order (external_system, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX sales_order_number ON crm.sales_order (number) WHERE number IS NOT NULL;
CREATE INDEX sales_order_company ON crm.sales_order (company_id, ordered_at) WHERE company_id IS NOT NULL;
CREATE INDEX sales_order_agent ON crm.sales_order (agent_id, ordered_at) WHERE agent_id IS NOT NULL;
CREATE INDEX sales_order_deal ON crm.sales_order (deal_id) WHERE deal_id IS NOT NULL;
CREATE INDEX sales_order_by_time ON crm.sales_order USING brin (ordered_at);
CREATE INDEX sales_order_unpriced ON crm.sales_order (currency) WHERE exchange_rate IS NULL;

CREATE TRIGGER complete_insert BEFORE INSERT ON crm.sales_order FOR EACH ROW
    WHEN (NEW.currency IS NULL OR NEW.exchange_rate IS NULL) EXECUTE FUNCTION crm.complete_order();
CREATE TRIGGER complete_update BEFORE UPDATE ON crm.sales_order FOR EACH ROW EXECUTE FUNCTION crm.complete_order();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.sales_order REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.sales_order REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
