CREATE TABLE crm.match_model (
    name text PRIMARY KEY CHECK (name <> '' AND length(name) < 64), -- Name of the model.
    relation text NOT NULL, -- Table or view whose rows are matched, with its schema.
    entity text CHECK (entity IN ('contact', 'company')), -- contact or company when it matches ours; null for a table of yours.
    id_columns text[] NOT NULL CHECK (cardinality(id_columns) BETWEEN 1 AND 16), -- The columns that name a row; several give a number such as (1,a).
    filter text, -- Condition that rows must meet to take part, an SQL expression; null for all.
    version integer, -- Version of the parameters in use; null while it is not trained.
    threshold double precision NOT NULL DEFAULT 0, -- Mean weight from which records are one entity, in bits; 0 is a probability of one half.
    review_threshold double precision NOT NULL DEFAULT -3, -- Weight from which a pair is offered to people, in bits.
    missing_weight double precision NOT NULL DEFAULT -6 CHECK (missing_weight < 0), -- Weight of two records that were not compared, when clusters are made.
    block_limit integer NOT NULL DEFAULT 1000 CHECK (block_limit BETWEEN 2 AND 100000), -- Blocks of more records are divided.
    pairs_per_record double precision NOT NULL DEFAULT 1 CHECK (pairs_per_record > 0), -- Pairs that one blocking rule may give for each record; its largest blocks are divided until it does not give more.
    at_the_door text NOT NULL DEFAULT 'off' CHECK (at_the_door IN ('off', 'warn', 'queue', 'block')), -- What happens when a duplicate is entered: nothing, a warning, a pair in the queue, or a refusal (only where an identity is the same).
    created_at timestamptz NOT NULL DEFAULT now(), -- When it was made.
    updated_at timestamptz NOT NULL DEFAULT now() -- When it was last changed.
);
COMMENT ON TABLE crm.match_model IS 'Match models: how duplicates in a table are found. crm.create_match_model() makes one, crm.train_match_model() learns its parameters.';

CREATE TABLE crm.match_field (
    model text NOT NULL REFERENCES crm.match_model (name) ON UPDATE CASCADE ON DELETE CASCADE, -- Whose field.
    "position" integer NOT NULL CHECK ("position" BETWEEN 1 AND 16), -- Its place.
    name text NOT NULL CHECK (name ~ '^[a-z_][a-z0-9_]*$' AND length(name) < 64), -- Name of the field.
    expression text NOT NULL CHECK (expression <> ''), -- SQL expression over the columns of the table; an array holds several values, or given and family name.
    comparator text NOT NULL CHECK (comparator IN ('exact', 'text', 'name_part', 'person', 'date', 'number', 'email', 'phone', 'words', 'identifier')), -- How values are compared.
    thresholds double precision[], -- Bounds of the levels between equal and different, best first; null for the usual ones. Of text similarities, of number relative differences.
    max_values integer NOT NULL DEFAULT 1 CHECK (max_values BETWEEN 1 AND 3), -- How many values of an array are compared.
    decisive boolean NOT NULL DEFAULT false, -- Whether it tells members of one household or firm apart: the name.
    shared boolean NOT NULL DEFAULT false, -- Whether a household or a firm has it in common: address, phone.
    dependent_group text, -- Fields of one group depend on each other, as city and postcode: of these only the strongest agreement and the strongest disagreement count in full, the others a quarter.
    PRIMARY KEY (model, "position"),
    UNIQUE (model, name)
);
COMMENT ON TABLE crm.match_field IS 'The fields that a match model compares.';

CREATE TABLE crm.blocking_rule (
    model text NOT NULL REFERENCES crm.match_model (name) ON UPDATE CASCADE ON DELETE CASCADE, -- Whose rule.
    "position" integer NOT NULL CHECK ("position" BETWEEN 1 AND 48), -- Its place.
    parts text[] NOT NULL CHECK (cardinality(parts) BETWEEN 1 AND 4), -- Fields that must agree, each "field" or "field:property", for example person:family or birth_date:year.
    PRIMARY KEY (model, "position")
);
COMMENT ON TABLE crm.blocking_rule IS 'Which records a match model compares: those that agree in all parts of a rule.';

CREATE TABLE crm.match_version (
    model text NOT NULL REFERENCES crm.match_model (name) ON UPDATE CASCADE ON DELETE CASCADE, -- Whose version.
    version integer NOT NULL, -- Its number.
    key_version integer NOT NULL, -- Version of the rules by which values are folded, crm.match_key_version().
    seed bigint NOT NULL, -- Seed of the samples.
    records bigint NOT NULL, -- Records it was learned from.
    sampled_pairs bigint NOT NULL, -- Pairs drawn at random, for u.
    blocked_pairs bigint NOT NULL, -- Pairs that the blocking rules gave.
    expected_matches double precision NOT NULL, -- How many of these are of one entity.
    lambda double precision NOT NULL, -- Probability that two records drawn at random are of one entity.
    lambda_household double precision NOT NULL, -- Probability that they are of two of one household or firm; 0 when the fields cannot tell.
    labels bigint NOT NULL DEFAULT 0, -- Labelled pairs that took part.
    trained_at timestamptz NOT NULL DEFAULT now(), -- When.
    trained_by text NOT NULL DEFAULT current_user, -- By which role.
    PRIMARY KEY (model, version)
);
COMMENT ON TABLE crm.match_version IS 'Versions of the parameters of match models. A version never changes: retraining makes a new one.';

CREATE TABLE crm.match_level (
    model text NOT NULL, -- Whose level.
    version integer NOT NULL, -- Of which version.
    field integer NOT NULL, -- Place of the field.
    level integer NOT NULL, -- 1 is equal, higher ones are less.
    label text NOT NULL, -- What it means.
    m double precision NOT NULL, -- How often it occurs among records of one entity.
    u double precision NOT NULL, -- How often it occurs among records of different ones.
    weight double precision NOT NULL, -- log2(m / u), in bits, never rising from a level to a lesser one of an ordered field.
    h double precision NOT NULL, -- How often it occurs among records of two of one household or firm.
    household_weight double precision NOT NULL, -- log2(m / h), in bits, of names.
    PRIMARY KEY (model, version, field, level),
    FOREIGN KEY (model, version) REFERENCES crm.match_version (model, version) ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON TABLE crm.match_level IS 'Parameters of match models: what agreement in a field weighs.';

CREATE TABLE crm.match_rule_yield (
    model text NOT NULL, -- Whose rule.
    version integer NOT NULL, -- Of which version.
    rule integer NOT NULL, -- Place of the blocking rule.
    pairs double precision NOT NULL, -- Pairs that share its key.
    expected_matches double precision NOT NULL, -- How many of them are of one entity.
    expected_alone double precision NOT NULL, -- How many of these no other rule brings.
    is_used boolean NOT NULL, -- Whether the version uses the rule; others bring the matches of one that it does not.
    divided_by integer, -- Place of the rule by whose keys its large blocks are divided; null: it has none.
    PRIMARY KEY (model, version, rule),
    FOREIGN KEY (model, version) REFERENCES crm.match_version (model, version) ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON TABLE crm.match_rule_yield IS 'What each blocking rule brought when a version was trained.';

CREATE TABLE crm.match_frequency (
    model text NOT NULL, -- Whose values.
    version integer NOT NULL, -- Of which version.
    field integer NOT NULL, -- Place of the field.
    part integer NOT NULL, -- 0 whole values; of a person also 1 family and 2 given names; of words 1 single words.
    total bigint NOT NULL, -- Values counted.
    agreement double precision NOT NULL, -- log2 of the probability that two records have the same value.
    packed bytea NOT NULL, -- Values that occur more than once: hash and number, see the doc page.
    PRIMARY KEY (model, version, field, part),
    FOREIGN KEY (model, version) REFERENCES crm.match_version (model, version) ON UPDATE CASCADE ON DELETE CASCADE
);
COMMENT ON TABLE crm.match_frequency IS 'How frequent values are, frozen with the version: equality of a rare value weighs more.';

CREATE TABLE crm.match_label (
    model text NOT NULL REFERENCES crm.match_model (name) ON UPDATE CASCADE ON DELETE CASCADE, -- Whose label.
    left_id text NOT NULL, -- The one record.
    right_id text NOT NULL, -- The other one.
    is_match boolean NOT NULL, -- Whether they are one entity.
    labelled_by text NOT NULL, -- Who said so.
    labelled_at timestamptz NOT NULL DEFAULT now(), -- When.
    PRIMARY KEY (model, left_id, right_id),
    CHECK (left_id <> right_id)
);
COMMENT ON TABLE crm.match_label IS 'What people said of pairs of records; training learns from it, and a pair that is none is never offered again.';

CREATE TABLE crm.match_pair (
    model text COLLATE "C" NOT NULL, -- What found it.
    left_id text COLLATE "C" NOT NULL, -- The one record, the earlier one in the order of the table's numbers.
    right_id text COLLATE "C" NOT NULL, -- The other one.
    status text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'confirmed', 'rejected', 'merged')), -- new, confirmed (one entity), rejected (two, never offered again) or merged.
    weight double precision NOT NULL, -- Weight of the evidence, in bits; 0 is a probability of one half.
    probability double precision NOT NULL, -- Probability that both are one entity.
    in_cluster boolean NOT NULL, -- Whether both are in one cluster.
    version integer NOT NULL, -- Version of the model.
    found_at timestamptz NOT NULL DEFAULT now(), -- When it was first found.
    decided_at timestamptz, -- When a person decided; null while new.
    decided_by text, -- Who decided.
    PRIMARY KEY (model, left_id, right_id)
);
COMMENT ON TABLE crm.match_pair IS 'Pairs that crm.dedupe() and the watch at the door found. What was decided of contacts and companies since is in crm.duplicate_pair and crm.company_duplicate_pair; crm.v_match_pair has both.';
CREATE INDEX match_pair_right ON crm.match_pair (model, right_id);

CREATE TABLE crm.match_cluster (
    model text COLLATE "C" NOT NULL, -- What made it.
    id text COLLATE "C" NOT NULL, -- A record.
    cluster_id text COLLATE "C" NOT NULL, -- The first record of its cluster.
    PRIMARY KEY (model, id)
);
COMMENT ON TABLE crm.match_cluster IS 'Clusters of two records or more that crm.dedupe() found last: records of one cluster are one entity.';
CREATE INDEX match_cluster_members ON crm.match_cluster (model, cluster_id);

CREATE SEQUENCE crm.match_run_id_seq;

CREATE TABLE crm.match_run (
    model text NOT NULL REFERENCES crm.match_model (name) ON UPDATE CASCADE ON DELETE CASCADE, -- Whose run.
    id bigint NOT NULL DEFAULT nextval('crm.match_run_id_seq'), -- Number of the run.
    version integer NOT NULL, -- Version of the model.
    started_at timestamptz NOT NULL, -- When it began.
    finished_at timestamptz NOT NULL, -- When it ended.
    records bigint NOT NULL, -- Records read.
    compared bigint NOT NULL, -- Pairs compared.
    found bigint NOT NULL, -- Pairs of the review threshold or more.
    clusters bigint NOT NULL, -- Clusters of two records or more.
    added bigint NOT NULL, -- Pairs that are new.
    withdrawn bigint NOT NULL, -- New pairs of before that no longer hold.
    PRIMARY KEY (model, id)
);
COMMENT ON TABLE crm.match_run IS 'Runs of crm.dedupe().';

CREATE TABLE crm.match_block (
    model text NOT NULL REFERENCES crm.match_model (name) ON UPDATE CASCADE ON DELETE CASCADE, -- Whose block.
    rule integer NOT NULL, -- Place of the blocking rule.
    key bigint NOT NULL, -- Key of the block.
    records bigint NOT NULL, -- How many records have it.
    example_id text NOT NULL, -- One of them.
    divided_by integer, -- Place of the rule by whose keys it was divided; null: it was left out.
    left_out bigint NOT NULL, -- Records that this rule compares with none.
    PRIMARY KEY (model, rule, key)
);
COMMENT ON TABLE crm.match_block IS 'Blocks of the last run that had more than block_limit records: a switchboard, a placeholder, a frequent name.';

-- Pairs and clusters are too many for a foreign key to be checked for each.
CREATE TRIGGER model_changed AFTER UPDATE OF name OR DELETE ON crm.match_model
    FOR EACH ROW EXECUTE FUNCTION crm.match_model_changed();
CREATE TRIGGER parts_changed AFTER INSERT OR UPDATE OR DELETE ON crm.match_field
    FOR EACH ROW EXECUTE FUNCTION crm.match_parts_changed();
CREATE TRIGGER parts_changed AFTER INSERT OR UPDATE OR DELETE ON crm.blocking_rule
    FOR EACH ROW EXECUTE FUNCTION crm.match_parts_changed();

-- Models of our own tables, ready to be used.
INSERT INTO crm.match_model (name, relation, entity, id_columns) VALUES
    ('contacts', 'crm.v_match_contact', 'contact', '{id}'),
    ('companies', 'crm.v_match_company', 'company', '{id}');
INSERT INTO crm.match_field (model, "position", name, expression, comparator, max_values, decisive, shared, dependent_group) VALUES
    ('contacts', 1, 'person', 'ARRAY[given_name, family_name]', 'person', 1, true, false, NULL),
    ('contacts', 2, 'middle_name', 'middle_name', 'name_part', 1, false, false, NULL),
    ('contacts', 3, 'birth_date', 'birth_date', 'date', 1, false, false, NULL),
    ('contacts', 4, 'email', 'emails', 'email', 3, false, true, NULL),
    ('contacts', 5, 'phone', 'phones', 'phone', 3, false, true, NULL),
    ('contacts', 6, 'tax_id', 'tax_id', 'identifier', 1, false, false, NULL),
    ('contacts', 7, 'company', 'company', 'words', 1, false, true, NULL),
    ('contacts', 8, 'address', 'address', 'words', 1, false, true, 'place'),
    ('contacts', 9, 'city', 'city', 'text', 1, false, true, 'place'),
    ('contacts', 10, 'gender', 'gender', 'exact', 1, false, false, NULL),
    ('companies', 1, 'name', 'name', 'words', 1, true, false, NULL),
    ('companies', 2, 'legal_name', 'legal_name', 'words', 1, false, false, NULL),
    ('companies', 3, 'tax_id', 'tax_id', 'identifier', 1, false, false, NULL),
    ('companies', 4, 'registration_id', 'registration_id', 'identifier', 1, false, false, NULL),
    ('companies', 5, 'website', 'website', 'identifier', 1, false, true, NULL),
    ('companies', 6, 'email', 'emails', 'email', 3, false, true, NULL),
    ('companies', 7, 'phone', 'phones', 'phone', 3, false, true, NULL),
    ('companies', 8, 'address', 'address', 'words', 1, false, true, 'place'),
    ('companies', 9, 'postal_code', 'postal_code', 'identifier', 1, false, true, 'place'),
    ('companies', 10, 'city', 'city', 'text', 1, false, true, 'place');
INSERT INTO crm.blocking_rule (model, "position", parts)
SELECT r.model, row_number() OVER (PARTITION BY r.model ORDER BY r.nr), r.parts
FROM (VALUES
    ('contacts', 1, '{tax_id}'::text[]), ('contacts', 2, '{email}'), ('contacts', 3, '{phone}'),
    ('contacts', 4, '{person,birth_date}'), ('contacts', 5, '{person}'), ('contacts', 6, '{person:any,birth_date}'),
    ('contacts', 7, '{person:family4,person:given3}'), ('contacts', 8, '{person:skeleton,person:initial,birth_date:year}'),
    ('contacts', 9, '{person:skeleton,person:initial,city}'), ('contacts', 10, '{person:family,birth_date:year}'),
    ('contacts', 11, '{person:any,birth_date:month_day}'), ('contacts', 12, '{person:any,birth_date:year_month}'),
    ('contacts', 13, '{birth_date,person:initial}'), ('contacts', 14, '{birth_date,city}'),
    ('contacts', 15, '{person:any,city}'), ('contacts', 16, '{person:family,middle_name}'),
    ('contacts', 17, '{person:given,middle_name,birth_date:year}'), ('contacts', 18, '{email:local}'),
    ('contacts', 19, '{phone:tail}'), ('contacts', 20, '{person:any,address:rare}'), ('contacts', 21, '{person:skeleton,person:initial}'),
    ('contacts', 22, '{person:any,company}'), ('contacts', 23, '{address:pairs}'), ('contacts', 24, '{middle_name,birth_date}'),
    ('companies', 1, '{tax_id}'), ('companies', 2, '{registration_id}'), ('companies', 3, '{email}'), ('companies', 4, '{phone}'), ('companies', 5, '{website}'),
    ('companies', 6, '{name}'), ('companies', 7, '{name:pairs}'), ('companies', 8, '{name:rare,postal_code}'), ('companies', 9, '{name:rare,city}'),
    ('companies', 10, '{name:rare,address:rare}'), ('companies', 11, '{legal_name}'), ('companies', 12, '{legal_name:pairs}'),
    ('companies', 13, '{address:pairs}'), ('companies', 14, '{address,postal_code}'), ('companies', 15, '{phone:tail}')
) AS r (model, nr, parts);
