CREATE TABLE crm.currency (
    code text PRIMARY KEY CHECK (code ~ '^[A-Z]{3}$'), -- Code of ISO 4217, such as EUR.
    name text NOT NULL CHECK (name <> ''), -- Name.
    digits integer NOT NULL DEFAULT 2 CHECK (digits BETWEEN 0 AND 4) -- Digits behind the decimal point in which amounts are paid.
);
COMMENT ON TABLE crm.currency IS 'Currencies in which amounts may be given. A new one is a row.';
INSERT INTO crm.currency (code, name, digits) VALUES
    ('AED', 'UAE dirham', 2), ('AMD', 'Armenian dram', 2), ('ARS', 'Argentine peso', 2), ('AUD', 'Australian dollar', 2),
    ('AZN', 'Azerbaijan manat', 2), ('BDT', 'Bangladeshi taka', 2), ('BGN', 'Bulgarian lev', 2), ('BHD', 'Bahraini dinar', 3),
    ('BRL', 'Brazilian real', 2), ('BYN', 'Belarusian ruble', 2), ('CAD', 'Canadian dollar', 2), ('CHF', 'Swiss franc', 2),
    ('CLP', 'Chilean peso', 0), ('CNY', 'Chinese yuan', 2), ('COP', 'Colombian peso', 2), ('CZK', 'Czech koruna', 2),
    ('DKK', 'Danish krone', 2), ('EGP', 'Egyptian pound', 2), ('EUR', 'Euro', 2), ('GBP', 'Pound sterling', 2),
    ('GEL', 'Georgian lari', 2), ('HKD', 'Hong Kong dollar', 2), ('HUF', 'Hungarian forint', 2), ('IDR', 'Indonesian rupiah', 2),
    ('ILS', 'Israeli new shekel', 2), ('INR', 'Indian rupee', 2), ('IQD', 'Iraqi dinar', 3), ('IRR', 'Iranian rial', 2),
    ('ISK', 'Icelandic krona', 0), ('JOD', 'Jordanian dinar', 3), ('JPY', 'Japanese yen', 0), ('KES', 'Kenyan shilling', 2),
    ('KGS', 'Kyrgyzstani som', 2), ('KRW', 'South Korean won', 0), ('KWD', 'Kuwaiti dinar', 3), ('KZT', 'Kazakhstani tenge', 2),
    ('MAD', 'Moroccan dirham', 2), ('MDL', 'Moldovan leu', 2), ('MNT', 'Mongolian tugrik', 2), ('MXN', 'Mexican peso', 2),
    ('MYR', 'Malaysian ringgit', 2), ('NGN', 'Nigerian naira', 2), ('NOK', 'Norwegian krone', 2), ('NZD', 'New Zealand dollar', 2),
    ('OMR', 'Omani rial', 3), ('PEN', 'Peruvian sol', 2), ('PHP', 'Philippine peso', 2), ('PKR', 'Pakistani rupee', 2),
    ('PLN', 'Polish zloty', 2), ('QAR', 'Qatari riyal', 2), ('RON', 'Romanian leu', 2), ('RSD', 'Serbian dinar', 2),
    ('RUB', 'Russian ruble', 2), ('SAR', 'Saudi riyal', 2), ('SEK', 'Swedish krona', 2), ('SGD', 'Singapore dollar', 2),
    ('THB', 'Thai baht', 2), ('TJS', 'Tajikistani somoni', 2), ('TMT', 'Turkmenistan manat', 2), ('TND', 'Tunisian dinar', 3),
    ('TRY', 'Turkish lira', 2), ('TWD', 'New Taiwan dollar', 2), ('UAH', 'Ukrainian hryvnia', 2), ('USD', 'US dollar', 2),
    ('UZS', 'Uzbekistan sum', 2), ('VND', 'Vietnamese dong', 0), ('XAF', 'CFA franc BEAC', 0), ('XOF', 'CFA franc BCEAO', 0),
    ('ZAR', 'South African rand', 2);

CREATE SEQUENCE crm.pipeline_id_seq;

CREATE TABLE crm.pipeline (
    id bigint PRIMARY KEY DEFAULT nextval('crm.pipeline_id_seq'), -- Number of the pipeline.
    name text NOT NULL UNIQUE CHECK (name <> ''), -- Name.
    description text, -- What is sold this way, to whom.
    currency text NOT NULL DEFAULT 'USD' REFERENCES crm.currency (code), -- Currency of a deal's amount when the deal names none.
    touch_every interval NOT NULL DEFAULT '7 days' CHECK (touch_every > '0'), -- How long an open deal may go without a logged touch, see crm.v_activity_gap.
    is_default boolean NOT NULL DEFAULT false, -- Whether deals that name no pipeline go here; at most one.
    active boolean NOT NULL DEFAULT true, -- Whether it is in use; only for screens.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    probability_from text NOT NULL DEFAULT 'stage' CHECK (probability_from IN ('stage', 'history')), -- Whose probability a deal without one of its own has: that of its stage as entered, or the share of deals that were won from there (crm.stage_win_rate).
    probability_window interval NOT NULL DEFAULT '1 year' CHECK (probability_window > '0'), -- For how long back finished deals count for that share.
    probability_sample integer NOT NULL DEFAULT 10 CHECK (probability_sample > 0) -- Of how many finished deals that share is believed; of fewer the stage's own probability holds.
);
COMMENT ON TABLE crm.pipeline IS 'Ways of selling: each has its own stages and its own rules of moving between them.';
CREATE UNIQUE INDEX pipeline_default ON crm.pipeline (is_default) WHERE is_default;

CREATE SEQUENCE crm.stage_id_seq;

CREATE TABLE crm.stage (
    id bigint PRIMARY KEY DEFAULT nextval('crm.stage_id_seq'), -- Number of the stage.
    pipeline_id bigint NOT NULL REFERENCES crm.pipeline (id), -- Its pipeline.
    name text NOT NULL CHECK (name <> ''), -- Name; any word, in any language.
    position integer NOT NULL, -- Place in the pipeline; the first has the least.
    kind text NOT NULL DEFAULT 'open' CHECK (kind IN ('open', 'won', 'lost')), -- open, won or lost: all that the code knows of a stage.
    probability numeric NOT NULL CHECK (probability BETWEEN 0 AND 1), -- How likely a deal here is won, 0 to 1; when not given 1 for won, 0 for lost, 0.5 for open.
    rotting_after interval CHECK (rotting_after > '0'), -- How long a deal may stay before it is called rotting; null for ever.
    description text, -- What has to be done here.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    entry_guard text CHECK (entry_guard <> ''), -- What must hold of a deal to enter, from wherever: a rule on crm.deal_profile as entered; null for nothing.
    entry_rule crm.rule, -- Derived from entry_guard.
    exit_guard text CHECK (exit_guard <> ''), -- What must hold of a deal to leave, to wherever: likewise.
    exit_rule crm.rule, -- Derived from exit_guard.
    required_fields text[] CHECK (required_fields <> '{}'), -- Columns of crm.deal, or attrs.key, that a deal must have to enter; null for none.
    merged_into_id bigint REFERENCES crm.stage (id), -- The stage to which its deals went by crm.merge_stages(); null while it stands for itself.
    UNIQUE (pipeline_id, name),
    UNIQUE (pipeline_id, id),
    UNIQUE (pipeline_id, position) DEFERRABLE INITIALLY IMMEDIATE,
    CHECK (CASE kind WHEN 'won' THEN probability = 1 WHEN 'lost' THEN probability = 0 ELSE true END)
);
COMMENT ON TABLE crm.stage IS 'Stages of the pipelines. A stage that has or had deals cannot be deleted; one that has cannot change its kind.';

CREATE SEQUENCE crm.stage_transition_id_seq;

CREATE TABLE crm.stage_transition (
    id bigint PRIMARY KEY DEFAULT nextval('crm.stage_transition_id_seq'), -- Number of the rule.
    from_stage_id bigint REFERENCES crm.stage (id) ON DELETE CASCADE, -- The stage that is left; null: a new deal may begin at to_stage_id.
    to_stage_id bigint NOT NULL REFERENCES crm.stage (id) ON DELETE CASCADE, -- The stage that is entered.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    created_by text NOT NULL DEFAULT current_user, -- Role that made it.
    guard text CHECK (guard <> ''), -- What must hold of the deal: a rule on crm.deal_profile as entered, otherwise RM002; null for nothing.
    guard_rule crm.rule, -- Derived from guard.
    roles text[] CHECK (roles <> '{}'), -- Database roles whose members may make the move, others are refused (42501); null for all.
    required_fields text[] CHECK (required_fields <> '{}'), -- Columns of crm.deal, or attrs.key, that the deal must have, otherwise RM003; null for none.
    UNIQUE NULLS NOT DISTINCT (from_stage_id, to_stage_id),
    CHECK (from_stage_id <> to_stage_id)
);
COMMENT ON TABLE crm.stage_transition IS 'Which moves are allowed: every move that is not a row here is refused (RM001), for every client. Also how a deal may change its pipeline: from a stage of one to a stage of another.';
CREATE INDEX stage_transition_to ON crm.stage_transition (to_stage_id);

CREATE SEQUENCE crm.loss_reason_id_seq;

CREATE TABLE crm.loss_reason (
    id bigint PRIMARY KEY DEFAULT nextval('crm.loss_reason_id_seq'), -- Number of the reason.
    name text NOT NULL UNIQUE CHECK (name <> ''), -- The reason, in a few words.
    kind text CHECK (kind IN ('natural', 'forced')), -- natural (nobody could have kept the client), forced (somebody or something drove the client away), or null when not known.
    active boolean NOT NULL DEFAULT true -- Whether it may be chosen; only for screens.
);
COMMENT ON TABLE crm.loss_reason IS 'Why deals are lost. A lost deal without one is refused (RM003).';
INSERT INTO crm.loss_reason (name, kind) VALUES
    ('Not stated', NULL), ('No longer needed', 'natural'), ('Client closed down', 'natural'), ('Duplicate', 'natural'),
    ('Price', 'forced'), ('Competitor', 'forced'), ('Terms', 'forced'), ('Quality', 'forced'), ('Service', 'forced'),
    ('No answer', 'forced');

CREATE SEQUENCE crm.deal_id_seq;

CREATE TABLE crm.deal (
    id bigint PRIMARY KEY DEFAULT nextval('crm.deal_id_seq'), -- Number of the deal.
    name text NOT NULL CHECK (name <> ''), -- What is being sold to whom, in a few words.
    pipeline_id bigint NOT NULL, -- Pipeline; follows stage_id, need not be given.
    stage_id bigint NOT NULL, -- Stage; when not given, the first at which a deal of the pipeline may begin.
    contact_id bigint REFERENCES crm.contact (id), -- The person it is made with.
    company_id bigint REFERENCES crm.company (id), -- The company it is made with.
    owner_id bigint REFERENCES crm.agent (id), -- The agent who is responsible.
    amount numeric CHECK (amount >= 0), -- Budget: what the deal is or would be worth; null when not known.
    currency text REFERENCES crm.currency (code), -- Currency of amount; when not given, that of the pipeline.
    close_date date, -- The day for which the close is promised; of a closed deal the last promise.
    probability numeric CHECK (probability BETWEEN 0 AND 1), -- The owner's own estimate, 0 to 1; null for that of the stage.
    stage_entered_at timestamptz NOT NULL, -- When the deal came to its stage; when not given, the moment of the statement.
    closed_at timestamptz, -- When it was won or lost; null while open.
    loss_reason_id bigint REFERENCES crm.loss_reason (id), -- Why it was lost; emptied when the deal is reopened.
    lost_to_company_id bigint REFERENCES crm.company (id), -- The competitor who won; emptied when the deal is reopened.
    lost_at_stage_id bigint REFERENCES crm.stage (id), -- The stage from which it was lost; emptied when the deal is reopened.
    source text, -- Where the deal came from: a form, a fair, a call.
    description text, -- Notes.
    attrs jsonb NOT NULL DEFAULT '{}', -- Custom fields, checked against crm.custom_field.
    external_system text CHECK (external_system <> ''), -- The other system in which the deal has a number; null for none.
    external_id text CHECK (external_id <> ''), -- Its number there.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the deal began.
    updated_at timestamptz NOT NULL DEFAULT now(), -- When it was last changed; kept by trigger.
    created_by text NOT NULL DEFAULT current_user, -- Role that made the row.
    deleted_at timestamptz, -- When it was deleted; null while it lives.
    FOREIGN KEY (pipeline_id, stage_id) REFERENCES crm.stage (pipeline_id, id),
    CHECK (amount IS NULL OR currency IS NOT NULL),
    CHECK ((external_system IS NULL) = (external_id IS NULL))
);
COMMENT ON TABLE crm.deal IS 'Deals: what may be sold to whom, at which stage of which pipeline. Moves are checked against crm.stage_transition by trigger; every change of every column is in crm.deal_history.';
CREATE UNIQUE INDEX deal_external ON crm.deal (external_system, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX deal_by_stage ON crm.deal (stage_id);
CREATE INDEX deal_open ON crm.deal (pipeline_id, stage_id, stage_entered_at) INCLUDE (amount, currency, probability) WHERE closed_at IS NULL AND deleted_at IS NULL;
CREATE INDEX deal_by_contact ON crm.deal (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX deal_by_company ON crm.deal (company_id) WHERE company_id IS NOT NULL;
CREATE INDEX deal_by_owner ON crm.deal (owner_id) WHERE owner_id IS NOT NULL;
CREATE INDEX deal_by_closed_at ON crm.deal (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE crm.deal_contact (
    deal_id bigint NOT NULL REFERENCES crm.deal (id) ON DELETE CASCADE, -- The deal.
    contact_id bigint NOT NULL REFERENCES crm.contact (id), -- The person.
    role text NOT NULL DEFAULT 'participant' CHECK (role <> ''), -- The person's part in it: decision maker, user, payer, influencer ...
    note text, -- What to keep in mind.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    PRIMARY KEY (deal_id, contact_id, role)
);
COMMENT ON TABLE crm.deal_contact IS 'Who else takes part in a deal, and in which role.';
CREATE INDEX deal_contact_contact ON crm.deal_contact (contact_id);

CREATE SEQUENCE crm.deal_history_id_seq;

CREATE TABLE crm.deal_history (
    deal_id bigint NOT NULL, -- The deal; the history outlives it.
    id bigint NOT NULL DEFAULT nextval('crm.deal_history_id_seq'), -- Number of the entry; grows with time.
    field text NOT NULL, -- The column that changed; * for a deal that was made or removed.
    old_value jsonb, -- Value before; null when there was none. Of a removed deal all its values by column.
    new_value jsonb, -- Value after; null when there is none. Of a new deal all its values by column.
    changed_at timestamptz NOT NULL DEFAULT now(), -- When it was recorded: start of the transaction.
    effective_at timestamptz NOT NULL DEFAULT now(), -- When it took effect: of a move, stage_entered_at; otherwise setting crm.effective_at, or changed_at.
    actor text NOT NULL, -- The person: setting crm.actor, otherwise the session's role.
    role text NOT NULL, -- The database role with whose rights the change was made.
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(), -- The transaction that made the change.
    PRIMARY KEY (deal_id, id)
);
COMMENT ON TABLE crm.deal_history IS 'Every change of every deal, column by column, written by trigger in the statement that makes it. Replaying the entries of a deal in the order of id gives its row. updated_at has no entries: it is the latest changed_at.';
CREATE INDEX deal_history_changed_at ON crm.deal_history USING brin (changed_at);

CREATE SEQUENCE crm.deal_import_reject_id_seq;

CREATE TABLE crm.deal_import_reject (
    id bigint PRIMARY KEY DEFAULT nextval('crm.deal_import_reject_id_seq'), -- Number of the entry.
    system text NOT NULL, -- The system it was to be imported from.
    external_id text, -- Number of the deal there; null when it has none.
    field text NOT NULL, -- The field that is wrong.
    reason text NOT NULL, -- What is wrong with it.
    source_row jsonb NOT NULL, -- The whole row as it came.
    imported_at timestamptz NOT NULL DEFAULT now() -- When the import ran.
);
COMMENT ON TABLE crm.deal_import_reject IS 'Rows that crm.import_deals() could not take, with the reason; those of the last import of each system.';

CREATE TABLE crm.imported_deal (
    deal_id bigint PRIMARY KEY REFERENCES crm.deal (id) ON DELETE CASCADE, -- The deal.
    given jsonb NOT NULL, -- What its row said: name, pipeline_id, stage, owner, company, amount, currency, close_date, attrs.
    imported_at timestamptz NOT NULL DEFAULT now() -- As of when it first said so.
);
COMMENT ON TABLE crm.imported_deal IS 'The last row of each deal that crm.import_deals() took: what the next one says otherwise is what the source has changed.';

CREATE TRIGGER stage_check BEFORE INSERT OR UPDATE OR DELETE ON crm.stage FOR EACH ROW EXECUTE FUNCTION crm.stage_check();
CREATE TRIGGER stage_transition_check BEFORE INSERT OR UPDATE ON crm.stage_transition FOR EACH ROW EXECUTE FUNCTION crm.stage_transition_check();
CREATE TRIGGER pipeline_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.pipeline
    FOR EACH STATEMENT EXECUTE FUNCTION crm.stages_changed();
CREATE TRIGGER stage_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.stage
    FOR EACH STATEMENT EXECUTE FUNCTION crm.stages_changed();
CREATE TRIGGER stage_transition_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.stage_transition
    FOR EACH STATEMENT EXECUTE FUNCTION crm.stages_changed();
CREATE TRIGGER range_check BEFORE INSERT OR UPDATE ON crm.deal FOR EACH ROW
    WHEN (NEW.probability < 0 OR NEW.probability > 1 OR NEW.amount < 0) EXECUTE FUNCTION crm.deal_range_check();
CREATE TRIGGER kind_check BEFORE INSERT OR UPDATE ON crm.loss_reason FOR EACH ROW EXECUTE FUNCTION crm.loss_reason_check();
CREATE TRIGGER stage_guard BEFORE INSERT OR UPDATE ON crm.deal FOR EACH ROW EXECUTE FUNCTION crm.stage_guard();
CREATE CONSTRAINT TRIGGER stage_judge AFTER INSERT OR UPDATE ON crm.deal DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (current_setting('crm.stage_check', true) = 'deferred') EXECUTE FUNCTION crm.stage_judge();
CREATE TRIGGER attrs_insert AFTER INSERT ON crm.deal REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.check_attrs();
CREATE TRIGGER attrs_update AFTER UPDATE ON crm.deal FOR EACH ROW WHEN (NEW.attrs IS DISTINCT FROM OLD.attrs)
    EXECUTE FUNCTION crm.check_deal_attrs();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON crm.deal_history FOR EACH ROW EXECUTE FUNCTION crm.keep_deal_history();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON crm.deal_history FOR EACH STATEMENT EXECUTE FUNCTION crm.keep_deal_history();
CREATE TRIGGER history_insert AFTER INSERT ON crm.deal REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.deal_history();
CREATE TRIGGER history_update AFTER UPDATE ON crm.deal REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.deal_history();
CREATE TRIGGER history_delete AFTER DELETE ON crm.deal REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.deal_history();

INSERT INTO crm.pipeline (name, description, is_default)
VALUES ('Sales', 'The ready-made pipeline: rename and change it as you like.', true);
INSERT INTO crm.stage (pipeline_id, name, position, kind, probability, rotting_after)
SELECT p.id, t.name, t.position, t.kind, t.probability, t.rotting_after
FROM crm.pipeline p, crm.pipeline_template('default') t
WHERE p.name = 'Sales' ORDER BY t.position;
INSERT INTO crm.stage_transition (from_stage_id, to_stage_id)
SELECT t.from_stage_id, t.to_stage_id
FROM crm.pipeline p, crm.default_transitions(p.id, 'linear', 'any') t
WHERE p.name = 'Sales';

CREATE INDEX deal_lost_to_company ON crm.deal (lost_to_company_id) WHERE lost_to_company_id IS NOT NULL;
