CREATE SEQUENCE crm.lead_id_seq;

CREATE TABLE crm.lead (
    id bigint PRIMARY KEY DEFAULT nextval('crm.lead_id_seq'), -- Number of the lead.
    source text NOT NULL CHECK (source <> ''), -- What took it: a form of the site, a questionnaire, a shop, a fair. The keys of one source do not meet those of another.
    submission_key text CHECK (submission_key <> ''), -- Its number at the source, by which what is sent again is known; null for none.
    status text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'working', 'qualified', 'converted', 'disqualified')), -- new, working, qualified, converted or disqualified.
    disqualify_reason text CHECK (disqualify_reason <> ''), -- Why it came to nothing; emptied when it is taken up again.
    name text, -- Name of the person as entered.
    email text, -- E-mail address as entered; one that is none stands in problems.
    phone text, -- Phone number as entered; one that is none stands in problems.
    company text, -- Name of the company as entered.
    job_title text, -- Position at work as entered.
    city text, -- City as entered.
    country text CHECK (country ~ '^[A-Z]{2}$'), -- Country, ISO 3166-1 alpha-2; region of a phone number without a country code.
    interest_reason text, -- Why the person is interested, in a few words.
    need text, -- What the person needs, in a few words.
    amount numeric CHECK (amount >= 0 AND amount < 'Infinity'), -- What the person means to spend; null when not known.
    currency text REFERENCES crm.currency (code), -- Currency of amount.
    consent jsonb NOT NULL DEFAULT '[]', -- What the person agreed to: an array of {purpose, channel, status, legal_basis, evidence}; written to crm.consent once the person is known.
    first_touch_at timestamptz, -- When the person first came to us; cannot be changed.
    first_channel text, -- Channel of that time: search, social, fair ...; cannot be changed.
    first_source text, -- Source of traffic of that time (utm_source); cannot be changed.
    first_medium text, -- Its medium (utm_medium); cannot be changed.
    first_campaign text, -- Its campaign (utm_campaign); cannot be changed.
    last_touch_at timestamptz, -- When the person last came with a channel, a source or a campaign.
    last_channel text, -- Channel of that time.
    last_source text, -- Its source of traffic.
    last_medium text, -- Its medium.
    last_campaign text, -- Its campaign.
    owner_id bigint REFERENCES crm.agent (id), -- The agent who is responsible.
    territory_id bigint REFERENCES crm.territory (id), -- Sales territory.
    contact_id bigint REFERENCES crm.contact (id), -- The person, once known.
    company_id bigint REFERENCES crm.company (id), -- The company that it became.
    deal_id bigint REFERENCES crm.deal (id), -- The deal that it became; no two leads have one.
    payload jsonb NOT NULL DEFAULT '{}', -- All that came, as it came.
    problems jsonb NOT NULL DEFAULT '[]', -- What of it could not be taken: an array of {field, value, code, reason}.
    created_at timestamptz NOT NULL DEFAULT now(), -- When it was captured.
    updated_at timestamptz NOT NULL DEFAULT now(), -- When it was last changed; kept by trigger.
    created_by text NOT NULL DEFAULT current_user, -- Role that captured it.
    converted_at timestamptz, -- When it was converted; null before.
    converted_by text, -- Who converted it.
    deleted_at timestamptz, -- When it was deleted; null while it lives.
    CHECK (amount IS NULL OR currency IS NOT NULL),
    CONSTRAINT lead_disqualified CHECK ((status = 'disqualified') = (disqualify_reason IS NOT NULL)),
    CONSTRAINT lead_converted CHECK ((status = 'converted') = (converted_at IS NOT NULL)),
    CONSTRAINT lead_converted_contact CHECK (status <> 'converted' OR contact_id IS NOT NULL)
);
COMMENT ON TABLE crm.lead IS 'Inquiries of people who are not clients yet, as they came. crm.capture_lead() makes them, crm.convert_lead() makes contact, company and deal of them; the lead stays and says where they came from.';
CREATE UNIQUE INDEX lead_submission ON crm.lead (source, submission_key) WHERE submission_key IS NOT NULL;
CREATE UNIQUE INDEX lead_deal ON crm.lead (deal_id) WHERE deal_id IS NOT NULL;
CREATE INDEX lead_contact ON crm.lead (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX lead_company ON crm.lead (company_id) WHERE company_id IS NOT NULL;
CREATE INDEX lead_open ON crm.lead (owner_id, created_at) WHERE status IN ('new', 'working', 'qualified') AND deleted_at IS NULL;
CREATE INDEX lead_by_created_at ON crm.lead USING brin (created_at);

CREATE SEQUENCE crm.lead_activity_id_seq;

CREATE TABLE crm.lead_activity (
    lead_id bigint NOT NULL REFERENCES crm.lead (id) ON DELETE CASCADE, -- The lead.
    id bigint NOT NULL DEFAULT nextval('crm.lead_activity_id_seq'), -- Number of the activity.
    kind text NOT NULL DEFAULT 'form' REFERENCES crm.interaction_type (name), -- form, call, email, site_visit ...
    direction text CHECK (direction IN ('in', 'out')), -- in (the person came to us), out (we to the person); null when neither.
    agent_id bigint REFERENCES crm.agent (id), -- Who of us.
    occurred_at timestamptz NOT NULL DEFAULT now(), -- When it took place.
    channel text, -- How the person came: search, social, e-mail, fair ...
    source text, -- Source of traffic (utm_source).
    medium text, -- Its medium (utm_medium).
    campaign text, -- Its campaign (utm_campaign).
    term text, -- Its search term (utm_term).
    content text, -- Which advertisement (utm_content).
    cost numeric CHECK (cost >= 0 AND cost < 'Infinity'), -- What this touch cost, such as a click; null when not known.
    currency text REFERENCES crm.currency (code), -- Currency of cost.
    outcome text, -- What came of it.
    subject text, -- What about, in a line.
    body text, -- What was said or written.
    activity_id bigint, -- Its number in crm.activity once the person is known; null before.
    created_at timestamptz NOT NULL DEFAULT now(), -- When it was entered.
    created_by text NOT NULL DEFAULT current_user, -- Role that entered it.
    PRIMARY KEY (lead_id, id),
    CHECK (cost IS NULL OR currency IS NOT NULL)
);
COMMENT ON TABLE crm.lead_activity IS 'Touches with leads: the forms they sent, by which channel and campaign they came, calls to them. Each is in crm.activity too as soon as the person is a contact.';

CREATE SEQUENCE crm.channel_spend_id_seq;

CREATE TABLE crm.channel_spend (
    id bigint PRIMARY KEY DEFAULT nextval('crm.channel_spend_id_seq'), -- Number of the entry.
    channel text CHECK (channel <> ''), -- Channel it was spent on, as in crm.lead.first_channel; null when several share it.
    source text CHECK (source <> ''), -- Source of traffic, as in crm.lead.first_source; null for all of the channel.
    period daterange NOT NULL CHECK (NOT isempty(period) AND NOT lower_inf(period) AND NOT upper_inf(period)), -- The days (in UTC) for which it was spent, evenly.
    amount numeric NOT NULL CHECK (amount >= 0 AND amount < 'Infinity'), -- How much.
    currency text NOT NULL REFERENCES crm.currency (code), -- Currency of amount.
    allocation text NOT NULL DEFAULT 'customers' CHECK (allocation IN ('customers', 'leads', 'none')), -- How what has no channel is shared out among the channels of a month: by new customers, by leads, or not.
    note text, -- What for.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    CHECK (channel IS NOT NULL OR source IS NULL)
);
COMMENT ON TABLE crm.channel_spend IS 'What was spent on winning clients, by channel and source of traffic.';

CREATE TRIGGER lead_state BEFORE INSERT OR UPDATE ON crm.lead FOR EACH ROW EXECUTE FUNCTION crm.lead_state();
CREATE TRIGGER touch AFTER INSERT ON crm.lead_activity REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.lead_touched();
CREATE TRIGGER audit_update AFTER UPDATE ON crm.lead REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();
CREATE TRIGGER audit_delete AFTER DELETE ON crm.lead REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.audit();

INSERT INTO crm.interaction_type (name, direction, mode, is_touch, description)
VALUES ('form', 'one_way', 'active', true, 'A form that the person sent: an inquiry, a questionnaire, an order')
ON CONFLICT (name) DO NOTHING;
