CREATE SEQUENCE crm.branch_id_seq;

CREATE TABLE crm.branch (
    id bigint PRIMARY KEY DEFAULT nextval('crm.branch_id_seq'), -- Number of the branch.
    name text NOT NULL UNIQUE CHECK (name <> ''), -- Name, such as "Vladivostok office".
    city text, -- City.
    country text CHECK (country ~ '^[A-Z]{2}$'), -- Country, ISO 3166-1 alpha-2.
    time_zone text NOT NULL DEFAULT 'UTC', -- IANA time zone in which the branch works, such as Asia/Vladivostok.
    created_at timestamptz NOT NULL DEFAULT now() -- When the row was made.
);
COMMENT ON TABLE crm.branch IS 'Offices and service points of a distributed sales network, each with its time zone.';

CREATE SEQUENCE crm.territory_id_seq;

CREATE TABLE crm.territory (
    id bigint PRIMARY KEY DEFAULT nextval('crm.territory_id_seq'), -- Number of the territory.
    parent_id bigint REFERENCES crm.territory (id), -- The territory it is part of; null at the top.
    name text NOT NULL CHECK (name <> ''), -- Name, such as "Far East".
    UNIQUE (parent_id, name)
);
COMMENT ON TABLE crm.territory IS 'Sales territories, a tree.';

CREATE SEQUENCE crm.team_id_seq;

CREATE TABLE crm.team (
    id bigint PRIMARY KEY DEFAULT nextval('crm.team_id_seq'), -- Number of the team.
    name text NOT NULL UNIQUE CHECK (name <> ''), -- Name.
    branch_id bigint REFERENCES crm.branch (id) -- Branch in which the team works; null for none.
);
COMMENT ON TABLE crm.team IS 'Teams of agents.';

CREATE SEQUENCE crm.agent_id_seq;

CREATE TABLE crm.agent (
    id bigint PRIMARY KEY DEFAULT nextval('crm.agent_id_seq'), -- Number of the agent; owner_id elsewhere.
    name text NOT NULL CHECK (name <> ''), -- Full name.
    role_name text UNIQUE, -- The database role with which the agent works; null when the application has its own users.
    email text, -- E-mail address.
    phone text, -- Phone number.
    team_id bigint REFERENCES crm.team (id), -- Team.
    branch_id bigint REFERENCES crm.branch (id), -- Branch.
    territory_id bigint REFERENCES crm.territory (id), -- Territory.
    time_zone text NOT NULL DEFAULT 'UTC', -- IANA time zone in which the agent's days begin and end.
    active boolean NOT NULL DEFAULT true, -- Whether the agent works; who left keeps the row.
    created_at timestamptz NOT NULL DEFAULT now() -- When the row was made.
);
COMMENT ON TABLE crm.agent IS 'People who work in the CRM: owners of contacts and deals, assignees of tasks.';
