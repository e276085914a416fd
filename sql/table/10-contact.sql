CREATE SEQUENCE crm.company_id_seq;

CREATE TABLE crm.company (
    id bigint PRIMARY KEY DEFAULT nextval('crm.company_id_seq'), -- Number of the company.
    name text NOT NULL CHECK (name <> ''), -- Name as people say it.
    legal_name text, -- Full legal name.
    kind text NOT NULL DEFAULT 'customer' CHECK (kind IN ('customer', 'partner', 'supplier', 'dealer', 'competitor', 'other')), -- What it is to us: customer, partner, supplier, dealer, competitor or other.
    tax_id text, -- Tax number as entered: INN, "INN/KPP" or EU VAT number.
    registration_id text, -- Registry number as entered: OGRN or the like.
    lei text, -- Legal Entity Identifier as entered.
    industry text, -- Industry.
    website text, -- Web address.
    employees integer CHECK (employees >= 0), -- Number of employees.
    annual_revenue numeric, -- Revenue a year, in currency.
    currency text CHECK (currency ~ '^[A-Z]{3}$'), -- Currency of annual_revenue, ISO 4217.
    founded_on date, -- When it was founded.
    parent_id bigint REFERENCES crm.company (id), -- The company it belongs to; null for none.
    country text CHECK (country ~ '^[A-Z]{2}$'), -- Country, ISO 3166-1 alpha-2; region of phone numbers without a country code.
    city text, -- City.
    postal_code text, -- Postal code.
    address text, -- Street address.
    time_zone text, -- IANA time zone.
    territory_id bigint REFERENCES crm.territory (id), -- Sales territory.
    owner_id bigint REFERENCES crm.agent (id), -- The agent who is responsible.
    source text, -- Where the company came from.
    attrs jsonb NOT NULL DEFAULT '{}', -- Custom fields, checked against crm.custom_field.
    name_key text COLLATE "C", -- Derived from name: equal for spellings that sound or look alike, see crm.name_key().
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    updated_at timestamptz NOT NULL DEFAULT now(), -- When it was last changed.
    created_by text NOT NULL DEFAULT current_user, -- Role that made it.
    merged_into bigint, -- The company that absorbed this one; null while it stands for itself.
    archived_at timestamptz, -- When it was set aside as no longer of interest; null while in use.
    deleted_at timestamptz -- When it was deleted; null while it lives.
);
COMMENT ON TABLE crm.company IS 'Organisations of any kind: customers, partners, suppliers, dealers, competitors.';
CREATE INDEX company_name_key ON crm.company (name_key) WHERE deleted_at IS NULL;
CREATE INDEX company_owner ON crm.company (owner_id) WHERE deleted_at IS NULL;
CREATE INDEX company_parent ON crm.company (parent_id) WHERE parent_id IS NOT NULL;

CREATE SEQUENCE crm.contact_id_seq;

CREATE TABLE crm.contact (
    id bigint PRIMARY KEY DEFAULT nextval('crm.contact_id_seq'), -- Number of the contact; never reused.
    title text, -- Title before the name: Dr, г-н.
    given_name text, -- Given name.
    middle_name text, -- Middle name or patronymic.
    family_name text, -- Family name.
    suffix text, -- Suffix after the name: Jr, PhD.
    gender text CHECK (gender IN ('m', 'f')), -- m, f, or null when unknown.
    birth_date date CHECK (birth_date > '1850-01-01'), -- Date of birth.
    birth_date_verified_at timestamptz, -- When a document proved the birth date; null if none did.
    locale text, -- Language in which to address the person: ru, en, de ...
    time_zone text, -- IANA time zone; null for that of the branch.
    country text CHECK (country ~ '^[A-Z]{2}$'), -- Country, ISO 3166-1 alpha-2; region of phone numbers without a country code.
    city text, -- City.
    job_title text, -- Position at work.
    tax_id text, -- Personal tax number as entered.
    lifecycle_stage text NOT NULL DEFAULT 'lead' CHECK (lifecycle_stage IN ('lead', 'customer', 'repeat', 'loyal', 'closed_cycle')), -- lead, customer (bought once), repeat, loyal or closed_cycle (bought all there is).
    kind text NOT NULL DEFAULT 'person', -- Audience: person, fan, supporter, partner or any word of yours.
    owner_id bigint REFERENCES crm.agent (id), -- The agent who is responsible.
    branch_id bigint REFERENCES crm.branch (id), -- Branch that serves the contact.
    territory_id bigint REFERENCES crm.territory (id), -- Sales territory.
    source text, -- Where the contact came from: a form, a fair, an import.
    est_category_spend numeric CHECK (est_category_spend >= 0), -- Estimate of what the contact spends a year on what we sell, anywhere.
    attrs jsonb NOT NULL DEFAULT '{}', -- Custom fields, checked against crm.custom_field.
    name_key text COLLATE "C", -- Derived from the name: equal across scripts and spellings, see crm.name_key().
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    updated_at timestamptz NOT NULL DEFAULT now(), -- When it was last changed.
    created_by text NOT NULL DEFAULT current_user, -- Role that made it.
    merged_into bigint, -- The contact that absorbed this one; null while it stands for itself.
    archived_at timestamptz, -- When it was set aside as no longer of interest; null while in use.
    deleted_at timestamptz -- When it was deleted; null while it lives.
);
COMMENT ON TABLE crm.contact IS 'Persons. What a person entered is kept as entered; keys derived from it stand beside it and in crm.contact_key.';
CREATE INDEX contact_name_key ON crm.contact (name_key) WHERE deleted_at IS NULL;
CREATE INDEX contact_given_name ON crm.contact ((crm.name_key(given_name) COLLATE "C"), id DESC) WHERE deleted_at IS NULL AND given_name IS NOT NULL;
CREATE INDEX contact_owner ON crm.contact (owner_id) WHERE deleted_at IS NULL AND owner_id IS NOT NULL;
CREATE INDEX contact_attrs ON crm.contact USING gin (attrs jsonb_path_ops) WHERE attrs <> '{}'::jsonb;
CREATE INDEX contact_birthday ON crm.contact (((extract(month FROM birth_date) * 100 + extract(day FROM birth_date))::integer)) WHERE birth_date IS NOT NULL;
CREATE INDEX contact_gone ON crm.contact (id) WHERE deleted_at IS NOT NULL OR merged_into IS NOT NULL;
CREATE INDEX contact_archived ON crm.contact (archived_at) WHERE archived_at IS NOT NULL;

CREATE TABLE crm.company_contact (
    contact_id bigint NOT NULL REFERENCES crm.contact (id) ON DELETE CASCADE, -- The person.
    company_id bigint NOT NULL REFERENCES crm.company (id) ON DELETE CASCADE, -- The company.
    role text NOT NULL DEFAULT 'employee', -- What the person is there: employee, director, accountant, buyer ...
    is_primary boolean NOT NULL DEFAULT false, -- Whether it is the person's main company now; at most one.
    valid tstzrange NOT NULL DEFAULT tstzrange(now(), NULL) CHECK (NOT isempty(valid)), -- From when until when; open-ended while it lasts.
    PRIMARY KEY (contact_id, company_id, role, valid)
);
COMMENT ON TABLE crm.company_contact IS 'Which person has which role in which company, and when. One person may have roles in several.';
CREATE UNIQUE INDEX company_contact_primary ON crm.company_contact (contact_id) WHERE is_primary AND upper_inf(valid);
CREATE INDEX company_contact_company ON crm.company_contact (company_id);

CREATE SEQUENCE crm.party_relation_id_seq;

CREATE TABLE crm.party_relation (
    id bigint PRIMARY KEY DEFAULT nextval('crm.party_relation_id_seq'), -- Number of the relation.
    company_id bigint NOT NULL REFERENCES crm.company (id), -- The one company.
    related_company_id bigint NOT NULL REFERENCES crm.company (id), -- The other.
    kind text NOT NULL CHECK (kind IN ('supplies', 'deals_for', 'partner_of', 'competes_with', 'owns')), -- What the first is to the second: supplies, deals_for, partner_of, competes_with or owns.
    valid tstzrange NOT NULL DEFAULT tstzrange(now(), NULL), -- From when until when.
    CHECK (company_id <> related_company_id),
    UNIQUE (company_id, related_company_id, kind, valid)
);
COMMENT ON TABLE crm.party_relation IS 'What companies are to each other.';
CREATE INDEX party_relation_related ON crm.party_relation (related_company_id);

CREATE SEQUENCE crm.contact_point_id_seq;

CREATE TABLE crm.contact_point (
    contact_id bigint NOT NULL REFERENCES crm.contact (id) ON DELETE CASCADE, -- Whose it is.
    id bigint NOT NULL DEFAULT nextval('crm.contact_point_id_seq'), -- Number of the contact point.
    kind text NOT NULL CHECK (kind IN ('email', 'phone', 'address', 'messenger', 'web')), -- email, phone, address, messenger or web.
    label text, -- What for: work, home, mobile.
    raw text NOT NULL CHECK (raw <> ''), -- As the person entered it.
    region text CHECK (region ~ '^[A-Z]{2}$'), -- Region by which a phone without a country code was read.
    email crm.email, -- Canonical form of an e-mail address.
    phone crm.phone, -- Canonical form of a phone number.
    match_key text COLLATE "C", -- Derived: the key by which equal addresses and numbers are found.
    is_primary boolean NOT NULL DEFAULT false, -- Whether it is the first choice of its kind.
    validity text NOT NULL DEFAULT 'unknown' CHECK (validity IN ('unknown', 'valid', 'stale', 'invalid')), -- unknown, valid (proved), stale (not proved for long) or invalid (bounced, wrong number).
    verified_at timestamptz, -- When the owner confirmed it.
    last_ok_at timestamptz, -- When it last worked.
    bounce_count integer NOT NULL DEFAULT 0 CHECK (bounce_count >= 0), -- Hard bounces in a row.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    created_by text NOT NULL DEFAULT session_user, -- Role of the session that made it.
    PRIMARY KEY (contact_id, id)
);
COMMENT ON TABLE crm.contact_point IS 'E-mail addresses, phone numbers and other ways to reach a person: as entered and in canonical form. A value that is none is refused (22P02); the import keeps it aside.';
CREATE UNIQUE INDEX contact_point_primary ON crm.contact_point (contact_id, kind) WHERE is_primary;
CREATE INDEX contact_point_phone_suffix ON crm.contact_point USING btree (phone crm.phone_suffix_ops) WHERE phone IS NOT NULL;

CREATE SEQUENCE crm.company_point_id_seq;

CREATE TABLE crm.company_point (
    company_id bigint NOT NULL REFERENCES crm.company (id) ON DELETE CASCADE, -- Whose it is.
    id bigint NOT NULL DEFAULT nextval('crm.company_point_id_seq'), -- Number of the contact point.
    kind text NOT NULL CHECK (kind IN ('email', 'phone', 'address', 'messenger', 'web')), -- email, phone, address, messenger or web.
    label text, -- What for: reception, accounts, support.
    raw text NOT NULL CHECK (raw <> ''), -- As entered.
    region text CHECK (region ~ '^[A-Z]{2}$'), -- Region by which a phone without a country code was read.
    email crm.email, -- Canonical form of an e-mail address.
    phone crm.phone, -- Canonical form of a phone number.
    match_key text COLLATE "C", -- Derived: the key by which equal addresses and numbers are found.
    is_primary boolean NOT NULL DEFAULT false, -- Whether it is the first choice of its kind.
    validity text NOT NULL DEFAULT 'unknown' CHECK (validity IN ('unknown', 'valid', 'stale', 'invalid')), -- unknown, valid, stale or invalid.
    verified_at timestamptz, -- When it was confirmed.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    created_by text NOT NULL DEFAULT session_user, -- Role of the session that made it.
    PRIMARY KEY (company_id, id)
);
COMMENT ON TABLE crm.company_point IS 'E-mail addresses, phone numbers and other ways to reach a company.';
CREATE UNIQUE INDEX company_point_primary ON crm.company_point (company_id, kind) WHERE is_primary;

CREATE TABLE crm.contact_key (
    kind text COLLATE "C" NOT NULL, -- email, phone, tax_id, name_birth, external, identity or card.
    key text COLLATE "C" NOT NULL, -- The canonical key; of external and identity "system:number".
    contact_id bigint NOT NULL, -- The contact.
    PRIMARY KEY (kind, key, contact_id)
);
COMMENT ON TABLE crm.contact_key IS 'Look-up by canonical key: equal e-mail addresses and phone numbers however they were typed, tax numbers, name with birth date, numbers in other systems. Kept by triggers.';
CREATE UNIQUE INDEX contact_key_unique ON crm.contact_key (kind, key) WHERE kind IN ('external', 'identity', 'card');
CREATE INDEX contact_key_contact ON crm.contact_key (contact_id);

CREATE TABLE crm.company_key (
    kind text COLLATE "C" NOT NULL, -- email, phone, tax_id, registration_id, lei, name or external.
    key text COLLATE "C" NOT NULL, -- The canonical key.
    company_id bigint NOT NULL, -- The company.
    PRIMARY KEY (kind, key, company_id)
);
COMMENT ON TABLE crm.company_key IS 'Look-up of companies by canonical key. Kept by triggers.';
CREATE UNIQUE INDEX company_key_unique ON crm.company_key (kind, key) WHERE kind = 'external';
CREATE INDEX company_key_company ON crm.company_key (company_id);

CREATE SEQUENCE crm.contact_identity_id_seq;

CREATE TABLE crm.contact_identity (
    contact_id bigint NOT NULL REFERENCES crm.contact (id) ON DELETE CASCADE, -- Whose account it is.
    id bigint NOT NULL DEFAULT nextval('crm.contact_identity_id_seq'), -- Number of the identity.
    provider text NOT NULL CHECK (provider <> '' AND provider !~ ':'), -- Where: vk, telegram, site, bank, card ...; without a colon.
    external_id text NOT NULL CHECK (external_id <> ''), -- The account's name or number there.
    verified_by text, -- How the match was proved: portal, agent, document; null if it was not.
    confidence real NOT NULL DEFAULT 1 CHECK (confidence BETWEEN 0 AND 1), -- How sure the match is, 0 to 1.
    evidence jsonb NOT NULL DEFAULT '{}', -- What proves it.
    created_at timestamptz NOT NULL DEFAULT now(), -- When it was linked.
    PRIMARY KEY (contact_id, id),
    UNIQUE (contact_id, provider, external_id)
);
COMMENT ON TABLE crm.contact_identity IS 'Accounts of a person in social networks, messengers, sites, cards. One account belongs to one living contact: crm.contact_key refuses a second (23505).';

CREATE TABLE crm.external_ref (
    contact_id bigint NOT NULL REFERENCES crm.contact (id) ON DELETE CASCADE, -- The contact.
    system text NOT NULL CHECK (system <> '' AND system !~ ':'), -- The other system: 1C, shop, ERP; without a colon.
    external_id text NOT NULL CHECK (external_id <> ''), -- The contact's number there.
    synced_at timestamptz NOT NULL DEFAULT now(), -- When it was last confirmed.
    PRIMARY KEY (contact_id, system, external_id)
);
COMMENT ON TABLE crm.external_ref IS 'Numbers of a contact in other systems (1C, ERP, shop). Unique among living contacts through crm.contact_key.';

CREATE TABLE crm.company_external_ref (
    company_id bigint NOT NULL REFERENCES crm.company (id) ON DELETE CASCADE, -- The company.
    system text NOT NULL CHECK (system <> '' AND system !~ ':'), -- The other system; without a colon.
    external_id text NOT NULL CHECK (external_id <> ''), -- The company's number there.
    synced_at timestamptz NOT NULL DEFAULT now(), -- When it was last confirmed.
    PRIMARY KEY (company_id, system, external_id)
);
COMMENT ON TABLE crm.company_external_ref IS 'Numbers of a company in other systems.';

CREATE SEQUENCE crm.contact_need_id_seq;

CREATE TABLE crm.contact_need (
    contact_id bigint NOT NULL REFERENCES crm.contact (id) ON DELETE CASCADE, -- Whose.
    id bigint NOT NULL DEFAULT nextval('crm.contact_need_id_seq'), -- Number of the need.
    kind text NOT NULL CHECK (kind IN ('need', 'desire', 'objection', 'preference')), -- need, desire, objection or preference.
    subject text NOT NULL CHECK (subject <> ''), -- What about: delivery, price, a product.
    strength integer NOT NULL DEFAULT 3 CHECK (strength BETWEEN 1 AND 5), -- How strong, 1 to 5.
    source text, -- Where it is known from: call, survey, purchase.
    valid tstzrange NOT NULL DEFAULT tstzrange(now(), NULL), -- From when until when it holds; closed, not deleted, when it changes.
    PRIMARY KEY (contact_id, id)
);
COMMENT ON TABLE crm.contact_need IS 'Needs, desires, objections and preferences of a person, with the time in which they held.';

CREATE SEQUENCE crm.contact_date_id_seq;

CREATE TABLE crm.contact_date (
    contact_id bigint NOT NULL REFERENCES crm.contact (id) ON DELETE CASCADE, -- Whose.
    id bigint NOT NULL DEFAULT nextval('crm.contact_date_id_seq'), -- Number of the date.
    kind text NOT NULL CHECK (kind <> ''), -- birthday of a child, wedding, name day, first purchase ...
    date date NOT NULL, -- The day; of what recurs, the first.
    note text, -- What to say.
    PRIMARY KEY (contact_id, id)
);
COMMENT ON TABLE crm.contact_date IS 'Days that matter to a person.';
CREATE INDEX contact_date_day ON crm.contact_date (((extract(month FROM date) * 100 + extract(day FROM date))::integer));

CREATE SEQUENCE crm.owned_product_id_seq;

CREATE TABLE crm.owned_product (
    contact_id bigint NOT NULL REFERENCES crm.contact (id) ON DELETE CASCADE, -- Owner.
    id bigint NOT NULL DEFAULT nextval('crm.owned_product_id_seq'), -- Number of the possession.
    product text NOT NULL CHECK (product <> ''), -- What: "Lada Vesta".
    serial_number text, -- Serial number.
    purchased_at date NOT NULL, -- When it was bought.
    warranty_until date, -- Last day of the warranty.
    next_service_at date, -- When the next service is due: crm.remind_service() makes a task for it, once per date.
    PRIMARY KEY (contact_id, id),
    CHECK (warranty_until >= purchased_at)
);
COMMENT ON TABLE crm.owned_product IS 'Expensive things a person bought and keeps: what to service and when.';
CREATE INDEX owned_product_service ON crm.owned_product (next_service_at) WHERE next_service_at IS NOT NULL;

CREATE TABLE crm.tag (
    contact_id bigint NOT NULL REFERENCES crm.contact (id) ON DELETE CASCADE, -- The contact.
    tag text NOT NULL CHECK (tag <> '' AND tag = btrim(tag)), -- The tag.
    created_at timestamptz NOT NULL DEFAULT now(), -- When it was given.
    created_by text NOT NULL DEFAULT current_user, -- By which role.
    PRIMARY KEY (contact_id, tag)
);
COMMENT ON TABLE crm.tag IS 'Free tags of contacts.';
CREATE INDEX tag_tag ON crm.tag (tag);

CREATE SEQUENCE crm.consent_id_seq;

CREATE TABLE crm.consent (
    contact_id bigint NOT NULL REFERENCES crm.contact (id) ON DELETE CASCADE, -- Whose consent.
    id bigint NOT NULL DEFAULT nextval('crm.consent_id_seq'), -- Number of the entry; a later one overrides.
    purpose text NOT NULL CHECK (purpose <> ''), -- What for: marketing, service, profiling, a purpose of yours.
    channel text NOT NULL DEFAULT '*', -- Through which channel; * for all.
    status text NOT NULL CHECK (status IN ('granted', 'denied', 'withdrawn')), -- granted, denied or withdrawn.
    at timestamptz NOT NULL DEFAULT now(), -- When the person said so.
    source text, -- Where: form, call, portal.
    legal_basis text, -- Legal basis, where the law asks for one.
    evidence jsonb NOT NULL DEFAULT '{}', -- What proves it: text shown, address, recording.
    recorded_at timestamptz NOT NULL DEFAULT now(), -- When the entry was written.
    recorded_by text NOT NULL DEFAULT current_user, -- By which role.
    PRIMARY KEY (contact_id, id)
);
COMMENT ON TABLE crm.consent IS 'What a person agreed to, refused or took back, as an append-only log; crm.v_consent has the current state. Changing or deleting an entry raises RM020.';

CREATE TABLE crm.channel (
    name text PRIMARY KEY CHECK (name <> ''), -- Name used everywhere, such as email or sms.
    kind text NOT NULL CHECK (kind IN ('email', 'sms', 'call', 'messenger', 'social', 'portal', 'app', 'chat', 'visit', 'post', 'other')), -- What it is.
    direction text NOT NULL DEFAULT 'both' CHECK (direction IN ('in', 'out', 'both')), -- Who may begin: the client (in), we (out) or both.
    cost_per_contact numeric NOT NULL DEFAULT 0 CHECK (cost_per_contact >= 0), -- What one touch costs, in the company's currency.
    active boolean NOT NULL DEFAULT true -- Whether it is in use.
);
COMMENT ON TABLE crm.channel IS 'Ways of talking with clients. A new one is a row.';
INSERT INTO crm.channel (name, kind, direction) VALUES
    ('email', 'email', 'both'), ('sms', 'sms', 'both'), ('call', 'call', 'both'), ('visit', 'visit', 'both'),
    ('portal', 'portal', 'in'), ('app', 'app', 'both'), ('chat', 'chat', 'both'), ('telegram', 'messenger', 'both'),
    ('whatsapp', 'messenger', 'both'), ('vk', 'social', 'both'), ('post', 'post', 'out');

CREATE TABLE crm.custom_field (
    entity text NOT NULL CHECK (entity IN ('contact', 'company', 'deal')), -- Which table has the field: contact, company or deal.
    name text NOT NULL CHECK (name ~ '^[[:alpha:]_][[:alnum:]_]*$'), -- Key in attrs.
    type text NOT NULL CHECK (type IN ('text', 'number', 'integer', 'boolean', 'date', 'timestamp', 'email', 'phone', 'choice', 'multichoice', 'json')), -- What a value must be.
    label text, -- Name shown to people.
    choices text[], -- Allowed values of choice and multichoice.
    is_required boolean NOT NULL DEFAULT false, -- Whether attrs must have it.
    minimum numeric, -- Least allowed number.
    maximum numeric, -- Greatest allowed number.
    description text, -- What it means.
    created_at timestamptz NOT NULL DEFAULT now(), -- When it was defined.
    PRIMARY KEY (entity, name),
    CHECK (type NOT IN ('choice', 'multichoice') OR cardinality(choices) > 0)
);
COMMENT ON TABLE crm.custom_field IS 'Your own fields: which keys attrs may have and of what type. A wrong value raises 22023 and names the field.';

CREATE TABLE crm.completeness_weight (
    field text PRIMARY KEY, -- A column of crm.contact, or email, phone, company, consent, or attrs.name for a custom field.
    weight numeric NOT NULL CHECK (weight > 0) -- What it adds to the score when filled.
);
COMMENT ON TABLE crm.completeness_weight IS 'What makes a contact complete: crm.completeness() is the sum of the weights of the filled ones.';
INSERT INTO crm.completeness_weight (field, weight) VALUES
    ('given_name', 2), ('family_name', 2), ('email', 3), ('phone', 3), ('birth_date', 1), ('city', 1), ('company', 1),
    ('gender', 0.5), ('locale', 0.5), ('consent', 1);

CREATE TABLE crm.survivorship_rule (
    field text NOT NULL, -- Column of crm.contact, or * for every other.
    source text NOT NULL, -- Source of the value: user, import, enrichment, portal ... or * for every other.
    priority integer NOT NULL, -- The lower wins.
    min_confidence real NOT NULL DEFAULT 0 CHECK (min_confidence BETWEEN 0 AND 1), -- Values below it are not considered.
    PRIMARY KEY (field, source)
);
COMMENT ON TABLE crm.survivorship_rule IS 'Which source is believed for which field when several say different things; among equals the later wins.';
INSERT INTO crm.survivorship_rule (field, source, priority, min_confidence) VALUES
    ('*', 'user', 10, 0), ('*', 'portal', 20, 0), ('*', 'import', 30, 0), ('*', 'survey', 40, 0), ('*', 'enrichment', 50, 0.8), ('*', '*', 90, 0);

CREATE SEQUENCE crm.source_value_id_seq;

CREATE TABLE crm.source_value (
    contact_id bigint NOT NULL REFERENCES crm.contact (id) ON DELETE CASCADE, -- Of whom.
    id bigint NOT NULL DEFAULT nextval('crm.source_value_id_seq'), -- Number of the statement.
    field text NOT NULL, -- Column of crm.contact.
    source text NOT NULL, -- Who says so: user, import, enrichment, portal, survey ...
    value text, -- What it says.
    confidence real NOT NULL DEFAULT 1 CHECK (confidence BETWEEN 0 AND 1), -- How sure, 0 to 1.
    detail jsonb NOT NULL DEFAULT '{}', -- Where exactly: a page, a file, a batch.
    seen_at timestamptz NOT NULL DEFAULT now(), -- When it was seen.
    PRIMARY KEY (contact_id, id)
);
COMMENT ON TABLE crm.source_value IS 'What each source says of a field; crm.apply_survivorship() lets the best believed win and crm.explain_value() tells which did.';
CREATE INDEX source_value_field ON crm.source_value (contact_id, field);

CREATE TABLE crm.archive_rule (
    name text PRIMARY KEY, -- Name of the rule.
    lifecycle_stage text, -- Only contacts at this stage; null for any.
    definition text, -- Only contacts for whom this rule on crm.contact_profile holds, such as order_total < 1000; null for all.
    rule crm.rule, -- Derived: that rule.
    inactive_for interval NOT NULL, -- Not changed, not in touch and no order for so long.
    without_deals boolean NOT NULL DEFAULT true, -- Only contacts without an open or won deal.
    enabled boolean NOT NULL DEFAULT true -- Whether the job applies it.
);
COMMENT ON TABLE crm.archive_rule IS 'Which contacts crm.archive_contacts() sets aside as no longer of interest; crm.restore_contacts() takes them back.';
CREATE TRIGGER archive_rule_rule BEFORE INSERT OR UPDATE ON crm.archive_rule FOR EACH ROW EXECUTE FUNCTION crm.derive_rule('crm.contact_profile');
