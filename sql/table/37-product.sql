CREATE SEQUENCE crm.product_id_seq;

CREATE TABLE crm.product (
    id bigint PRIMARY KEY DEFAULT nextval('crm.product_id_seq'), -- Number of the product.
    sku text NOT NULL UNIQUE CHECK (sku <> ''), -- Article number, as people and other systems know it.
    name text NOT NULL CHECK (name <> ''), -- Name.
    kind text NOT NULL DEFAULT 'good' CHECK (kind IN ('good', 'service')), -- good (is kept in stock and shipped) or service.
    category text CHECK (category <> ''), -- What it belongs to: a group of the catalogue.
    unit text NOT NULL DEFAULT 'piece' CHECK (unit <> ''), -- In what it is counted: piece, kg, hour, month ...
    price numeric CHECK (price >= 0 AND price < 'Infinity'), -- Price of a unit where no list has another; null when not known.
    cost numeric CHECK (cost >= 0 AND cost < 'Infinity'), -- What a unit costs us; null when not known.
    currency text REFERENCES crm.currency (code), -- Currency of price and cost.
    tax_rate numeric NOT NULL DEFAULT 0 CHECK (tax_rate >= 0 AND tax_rate < 1000), -- Tax on it, in percent: 20 for 20 %.
    tax_included boolean NOT NULL DEFAULT false, -- Whether its prices have the tax in them.
    season_months integer[] CHECK (season_months <@ '{1,2,3,4,5,6,7,8,9,10,11,12}' AND cardinality(season_months) > 0), -- Months in which it is wanted, 1 January to 12 December; null for all the year.
    description text, -- What it is.
    attrs jsonb NOT NULL DEFAULT '{}', -- More, as you like.
    active boolean NOT NULL DEFAULT true, -- Whether it is offered.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    updated_at timestamptz NOT NULL DEFAULT now(), -- When it was last changed; kept by trigger.
    created_by text NOT NULL DEFAULT current_user, -- Role that made the row.
    CHECK (currency IS NOT NULL OR price IS NULL AND cost IS NULL)
);
COMMENT ON TABLE crm.product IS 'What is sold: goods and services. One that was sold is set inactive rather than deleted.';
CREATE INDEX product_category ON crm.product (category) WHERE category IS NOT NULL;

CREATE TABLE crm.product_price (
    product_id bigint NOT NULL REFERENCES crm.product (id) ON DELETE CASCADE, -- The product.
    list text NOT NULL DEFAULT 'standard' CHECK (list <> ''), -- Name of the price list: standard, wholesale, a partner ...
    currency text NOT NULL REFERENCES crm.currency (code), -- Currency of price.
    valid_from date NOT NULL, -- First day (in UTC) on which it holds; until the next one of the same list and currency.
    price numeric CHECK (price >= 0 AND price < 'Infinity'), -- Price of a unit; null: from that day on the list has none.
    PRIMARY KEY (product_id, list, currency, valid_from)
);
COMMENT ON TABLE crm.product_price IS 'Price lists by day. crm.product_price() finds the price that holds.';

CREATE SEQUENCE crm.product_value_id_seq;

CREATE TABLE crm.product_value (
    id bigint PRIMARY KEY DEFAULT nextval('crm.product_value_id_seq'), -- Number of the argument.
    product_id bigint REFERENCES crm.product (id) ON DELETE CASCADE, -- The product that has the value; null for whatever we sell.
    need_kind text CHECK (need_kind IN ('need', 'desire', 'objection', 'preference')), -- The kind of need that it answers, as in crm.contact_need; null for any.
    subject text NOT NULL CHECK (subject <> ''), -- What the need is about, as in crm.contact_need; letter case does not matter.
    argument text NOT NULL CHECK (argument <> ''), -- What to say.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    UNIQUE NULLS NOT DISTINCT (product_id, need_kind, subject, argument)
);
COMMENT ON TABLE crm.product_value IS 'Which need which product answers, and with what words: crm.proposal_arguments() finds those that fit a client.';
CREATE INDEX product_value_subject ON crm.product_value (lower(subject));

CREATE TABLE crm.proposal_template (
    name text PRIMARY KEY CHECK (name <> ''), -- Name of the template.
    body text NOT NULL, -- The text, with places for {contact}, {company}, {deal}, {owner}, {date}, {needs}, {prices}, {total}.
    need_line text NOT NULL DEFAULT E'- {subject}: {argument}\n', -- A line of {needs} for a need that is answered, with places for {subject}, {kind}, {product}, {argument}.
    unanswered_line text NOT NULL DEFAULT E'- {subject}: (to be answered)\n', -- A line of {needs} for one that nothing answers yet.
    price_line text NOT NULL DEFAULT E'- {product}, {quantity} {unit}: {amount} {currency}\n' -- A line of {prices}, with places for {product}, {sku}, {quantity}, {unit}, {price}, {amount}, {currency}.
);
COMMENT ON TABLE crm.proposal_template IS 'How a value proposition is worded: crm.render_proposal() fills it in.';
INSERT INTO crm.proposal_template (name, body)
VALUES ('standard', E'{contact}, our proposal: {deal}\n\nWhat matters to you\n{needs}\nPrices\n{prices}Total: {total}\n');

CREATE TRIGGER touch BEFORE UPDATE ON crm.product FOR EACH ROW EXECUTE FUNCTION crm.touch_product();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.product REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.product REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
