CREATE SEQUENCE crm.match_door_number_seq AS integer;

CREATE TABLE crm.match_door (
    model text PRIMARY KEY REFERENCES crm.match_model (name) ON UPDATE CASCADE ON DELETE CASCADE, -- Whose keys.
    number integer NOT NULL UNIQUE, -- Number of the building; keys have it.
    version integer NOT NULL, -- Version of the model that they were made with.
    rules integer[] NOT NULL, -- Places of the blocking rules whose keys are kept.
    records bigint NOT NULL, -- Records when they were made.
    search_path text, -- Where expressions of the model look for names when triggers run them; null where there are none.
    built_at timestamptz NOT NULL DEFAULT now() -- When they were made.
);
COMMENT ON TABLE crm.match_door IS 'Kept keys of match models, by which crm.find_duplicates() finds the duplicates of a record at once. crm.build_match_keys() makes them.';

CREATE TRIGGER door_gone AFTER DELETE ON crm.match_door FOR EACH ROW EXECUTE FUNCTION crm.match_door_gone();

CREATE TABLE crm.match_key (
    door integer NOT NULL, -- Number of the building.
    key bigint NOT NULL, -- Place of the blocking rule, from 0, in the high 32 bits, hash of the values in the low ones.
    record_id text COLLATE "C" NOT NULL, -- A record that has it.
    PRIMARY KEY (door, key, record_id)
);
COMMENT ON TABLE crm.match_key IS 'Kept keys of records, one row each. Of a key of more than 100 records some may be missing: it brings nobody together.';

CREATE TABLE crm.match_record (
    door integer NOT NULL, -- Number of the building.
    record_id text COLLATE "C" NOT NULL, -- The record.
    keys bytea NOT NULL, -- Its keys, ascending, 8 bytes each, low bytes first.
    PRIMARY KEY (door, record_id)
);
COMMENT ON TABLE crm.match_record IS 'The kept keys of each record, to see which of them change.';

CREATE SEQUENCE crm.match_queue_number_seq;

CREATE TABLE crm.match_queue (
    number bigint PRIMARY KEY DEFAULT nextval('crm.match_queue_number_seq'), -- Its number.
    model text NOT NULL, -- Whose records.
    record_ids text[] NOT NULL, -- Records that a statement wrote or removed, up to 1000.
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(), -- The transaction.
    queued_at timestamptz NOT NULL DEFAULT now() -- When it began.
);
COMMENT ON TABLE crm.match_queue IS 'Records that changed and that crm.dedup_tick() has not looked at yet.';
CREATE INDEX match_queue_model ON crm.match_queue (model, number);
