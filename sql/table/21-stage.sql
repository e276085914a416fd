-- What a stage asks for, what it makes to be done, and what a deal has of it.

CREATE TABLE crm.stage_prerequisite (
    stage_id bigint NOT NULL REFERENCES crm.stage (id) ON DELETE CASCADE, -- The stage to enter.
    required_stage_id bigint NOT NULL REFERENCES crm.stage (id), -- The stage at which the deal must be or have been.
    PRIMARY KEY (stage_id, required_stage_id),
    CHECK (stage_id <> required_stage_id)
);
COMMENT ON TABLE crm.stage_prerequisite IS 'Stages at which a deal must have been before it may enter another, by whatever way (RM003). Circles are refused (RM007).';
CREATE INDEX stage_prerequisite_required ON crm.stage_prerequisite (required_stage_id);

CREATE SEQUENCE crm.stage_requirement_id_seq;

CREATE TABLE crm.stage_requirement (
    id bigint PRIMARY KEY DEFAULT nextval('crm.stage_requirement_id_seq'), -- Number of the row.
    stage_id bigint NOT NULL REFERENCES crm.stage (id) ON DELETE CASCADE, -- The stage to enter.
    subject text NOT NULL CHECK (subject IN ('milestone', 'document')), -- What must be complete: a milestone or a document.
    kind text NOT NULL CHECK (kind <> ''), -- Of which kind: see kind in crm.deal_milestone and crm.document.
    UNIQUE (stage_id, subject, kind)
);
COMMENT ON TABLE crm.stage_requirement IS 'Milestones and documents without which no deal may enter a stage (RM003): of each kind one must be complete and none open.';

CREATE SEQUENCE crm.stage_playbook_id_seq;

CREATE TABLE crm.stage_playbook (
    id bigint PRIMARY KEY DEFAULT nextval('crm.stage_playbook_id_seq'), -- Number of the line.
    stage_id bigint NOT NULL REFERENCES crm.stage (id) ON DELETE CASCADE, -- The stage that a deal enters.
    from_stage_id bigint REFERENCES crm.stage (id) ON DELETE CASCADE, -- Only when it comes from this one; null: from wherever, also when it begins.
    position integer NOT NULL DEFAULT 1, -- Place in the playbook.
    makes text NOT NULL DEFAULT 'task' CHECK (makes IN ('task', 'milestone', 'document')), -- What the line makes: a row of crm.task, crm.deal_milestone or crm.document.
    kind text NOT NULL DEFAULT 'todo' CHECK (kind <> ''), -- Kind of the task (one of crm.interaction_type, todo or service), milestone or document.
    title text NOT NULL CHECK (title <> ''), -- The task in a line; of the others a note.
    description text, -- More about the task.
    due_after interval CHECK (due_after >= '0'), -- When it falls due, counted from the entry; null for any time.
    assignee text NOT NULL DEFAULT 'owner' CHECK (assignee IN ('owner', 'agent')), -- Who does the task: the owner of the deal, or agent_id.
    agent_id bigint REFERENCES crm.agent (id), -- The agent, when assignee says so.
    priority integer NOT NULL DEFAULT 3 CHECK (priority BETWEEN 1 AND 5), -- Priority of the task: 1 is the most urgent, 5 the least.
    is_required boolean NOT NULL DEFAULT false, -- Whether the milestone or document keeps the deal from being won while it is open.
    active boolean NOT NULL DEFAULT true, -- Whether the line is followed.
    CHECK ((assignee = 'agent') = (agent_id IS NOT NULL))
);
COMMENT ON TABLE crm.stage_playbook IS 'What is to be done at a stage: each line makes its task, milestone or document when a deal enters, in the same statement; not while the deal has the one of its last entry still open.';
CREATE INDEX stage_playbook_stage ON crm.stage_playbook (stage_id);

CREATE SEQUENCE crm.deal_milestone_id_seq;

CREATE TABLE crm.deal_milestone (
    id bigint PRIMARY KEY DEFAULT nextval('crm.deal_milestone_id_seq'), -- Number of the milestone.
    deal_id bigint NOT NULL REFERENCES crm.deal (id) ON DELETE CASCADE, -- The deal.
    kind text NOT NULL CHECK (kind <> ''), -- What is to be reached: delivery, installation, acceptance, training ...
    due_at timestamptz, -- By when; null for any time.
    done_at timestamptz, -- When it was reached; null while open.
    is_required boolean NOT NULL DEFAULT false, -- Whether the deal cannot be won while it is open.
    note text, -- More about it.
    late_at timestamptz, -- When it was told to be late; null before, and again when due_at changes.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    created_by text NOT NULL DEFAULT session_user -- Role that made it.
);
COMMENT ON TABLE crm.deal_milestone IS 'What a deal has to reach, by when.';
CREATE INDEX deal_milestone_deal ON crm.deal_milestone (deal_id);
CREATE INDEX deal_milestone_open ON crm.deal_milestone (due_at) WHERE done_at IS NULL;

CREATE SEQUENCE crm.document_id_seq;

CREATE TABLE crm.document (
    id bigint PRIMARY KEY DEFAULT nextval('crm.document_id_seq'), -- Number of the document.
    deal_id bigint NOT NULL REFERENCES crm.deal (id) ON DELETE CASCADE, -- The deal it belongs to.
    kind text NOT NULL CHECK (kind <> ''), -- What it is: contract, invoice, act, power of attorney ...
    status text NOT NULL DEFAULT 'needed' CHECK (status IN ('needed', 'draft', 'sent', 'done', 'void')), -- needed (not there yet), draft, sent (waits for the other side), done (signed or received), void (no longer needed).
    status_at timestamptz NOT NULL DEFAULT now(), -- Since when it has this status; kept by trigger.
    number text, -- Its number.
    url text, -- Where it is kept.
    due_at timestamptz, -- By when it must be done; null for any time.
    is_required boolean NOT NULL DEFAULT false, -- Whether the deal cannot be won while it is open.
    note text, -- More about it.
    late_at timestamptz, -- When it was told to be late; null before, and again when due_at changes.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    created_by text NOT NULL DEFAULT session_user -- Role that made it.
);
COMMENT ON TABLE crm.document IS 'Documents of deals and how far they are.';
CREATE INDEX document_deal ON crm.document (deal_id);
CREATE INDEX document_open ON crm.document (due_at) WHERE status NOT IN ('done', 'void');

CREATE TABLE crm.deal_member (
    deal_id bigint NOT NULL REFERENCES crm.deal (id) ON DELETE CASCADE, -- The deal.
    agent_id bigint NOT NULL REFERENCES crm.agent (id), -- Who works on it without owning it.
    role text NOT NULL DEFAULT 'member' CHECK (role <> ''), -- As what: technician, designer, marketer ...
    note text, -- What to keep in mind.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    PRIMARY KEY (deal_id, agent_id)
);
COMMENT ON TABLE crm.deal_member IS 'Who of us works on a deal beside its owner. With crm.enable_deal_security() they may read it.';
CREATE INDEX deal_member_agent ON crm.deal_member (agent_id);

CREATE SEQUENCE crm.qualification_framework_id_seq;

CREATE TABLE crm.qualification_framework (
    id bigint PRIMARY KEY DEFAULT nextval('crm.qualification_framework_id_seq'), -- Number of the version.
    name text NOT NULL CHECK (name <> ''), -- Name of the framework: BANT, MEDDIC, CHAMP ...
    version integer NOT NULL DEFAULT 1 CHECK (version > 0), -- Version; deals are asked by the latest.
    description text, -- What it is for.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the version was made.
    created_by text NOT NULL DEFAULT session_user, -- Role that made it.
    UNIQUE (name, version)
);
COMMENT ON TABLE crm.qualification_framework IS 'Ways of telling how promising a deal is, a row a version. crm.revise_framework() makes the next version.';
INSERT INTO crm.qualification_framework (name, description) VALUES
    ('BANT', 'Budget, authority, need, timeline'),
    ('MEDDIC', 'Metrics, economic buyer, decision criteria and process, pain, champion'),
    ('CHAMP', 'Challenges, authority, money, prioritisation');

CREATE SEQUENCE crm.qualification_criterion_id_seq;

CREATE TABLE crm.qualification_criterion (
    id bigint PRIMARY KEY DEFAULT nextval('crm.qualification_criterion_id_seq'), -- Number of the criterion.
    framework_id bigint NOT NULL REFERENCES crm.qualification_framework (id) ON DELETE CASCADE, -- The version of the framework it belongs to.
    key text NOT NULL CHECK (key <> ''), -- Short name: budget, authority ...
    question text, -- What is asked.
    position integer NOT NULL, -- Place in the framework.
    UNIQUE (framework_id, key)
);
COMMENT ON TABLE crm.qualification_criterion IS 'Criteria of each version of a framework. Of a version by which a deal has been asked they no longer change (RM008).';
INSERT INTO crm.qualification_criterion (framework_id, key, question, position)
SELECT f.id, c.key, c.question, c.position
FROM crm.qualification_framework f
JOIN (VALUES
    ('BANT', 'budget', 'Is there money for it?', 1), ('BANT', 'authority', 'Do we speak with who decides?', 2),
    ('BANT', 'need', 'Is there a need that we serve?', 3), ('BANT', 'timeline', 'Is it known by when?', 4),
    ('MEDDIC', 'metrics', 'What gain in numbers is expected?', 1), ('MEDDIC', 'economic_buyer', 'Who holds the money?', 2),
    ('MEDDIC', 'decision_criteria', 'By what will they choose?', 3), ('MEDDIC', 'decision_process', 'How will they choose?', 4),
    ('MEDDIC', 'identify_pain', 'What hurts?', 5), ('MEDDIC', 'champion', 'Who speaks for us there?', 6),
    ('CHAMP', 'challenges', 'Which challenge do they face?', 1), ('CHAMP', 'authority', 'Who decides?', 2),
    ('CHAMP', 'money', 'Is there money for it?', 3), ('CHAMP', 'prioritisation', 'How urgent is it among the rest?', 4)
) AS c (framework, key, question, position) ON c.framework = f.name AND f.version = 1;

CREATE TABLE crm.deal_qualification (
    deal_id bigint NOT NULL REFERENCES crm.deal (id) ON DELETE CASCADE, -- The deal.
    criterion_id bigint NOT NULL REFERENCES crm.qualification_criterion (id), -- The criterion, and with it the version of the framework.
    is_met boolean, -- Whether it is met; null when not known yet.
    value text, -- The answer in words or figures.
    note text, -- More about it.
    answered_at timestamptz NOT NULL DEFAULT now(), -- When it was answered last.
    answered_by text NOT NULL DEFAULT session_user, -- Who answered: setting crm.actor, otherwise the session's role.
    PRIMARY KEY (deal_id, criterion_id)
);
COMMENT ON TABLE crm.deal_qualification IS 'What is known of a deal, criterion by criterion. Answers by an older version of a framework stay as they are.';
CREATE INDEX deal_qualification_criterion ON crm.deal_qualification (criterion_id);

CREATE TABLE crm.stage_win_rate (
    stage_id bigint PRIMARY KEY REFERENCES crm.stage (id) ON DELETE CASCADE, -- The stage.
    entered bigint NOT NULL, -- Deals finished in the window that had been at the stage.
    won bigint NOT NULL, -- How many of them were won.
    probability numeric NOT NULL CHECK (probability BETWEEN 0 AND 1), -- Their share.
    since timestamptz NOT NULL, -- Beginning of the window, exclusive.
    until timestamptz NOT NULL -- End of the window: the moment of the refresh.
);
COMMENT ON TABLE crm.stage_win_rate IS 'How likely deals were won from each stage, of pipelines that take probabilities from history; refreshed by crm.refresh_stage_win_rates().';

CREATE SEQUENCE crm.stage_history_id_seq;

CREATE TABLE crm.stage_history (
    id bigint PRIMARY KEY DEFAULT nextval('crm.stage_history_id_seq'), -- Number of the version.
    source text NOT NULL CHECK (source IN ('pipeline', 'stage', 'stage_transition')), -- Table of the row.
    source_id bigint NOT NULL, -- Number of the row there.
    pipeline_id bigint NOT NULL, -- The pipeline it belongs to.
    "values" jsonb NOT NULL, -- Its columns, without the derived ones.
    valid tstzrange NOT NULL, -- When it was so.
    actor text NOT NULL -- Who made it so: setting crm.actor, otherwise the session's role.
);
COMMENT ON TABLE crm.stage_history IS 'How pipelines, stages and moves were configured at any time; kept by triggers. crm.stages_as_of() reads it.';
CREATE INDEX stage_history_source ON crm.stage_history (source, source_id);
CREATE INDEX stage_history_pipeline ON crm.stage_history (pipeline_id, source);
INSERT INTO crm.stage_history (source, source_id, pipeline_id, "values", valid, actor)
SELECT 'pipeline', p.id, p.id, to_jsonb(p) - '{created_at}'::text[], tstzrange(p.created_at, NULL), session_user FROM crm.pipeline p
UNION ALL
SELECT 'stage', s.id, s.pipeline_id, to_jsonb(s) - '{created_at,entry_rule,exit_rule}'::text[], tstzrange(s.created_at, NULL), session_user FROM crm.stage s
UNION ALL
SELECT 'stage_transition', t.id, s.pipeline_id, to_jsonb(t) - '{created_at,created_by,guard_rule}'::text[], tstzrange(t.created_at, NULL), session_user
FROM crm.stage_transition t JOIN crm.stage s ON s.id = t.to_stage_id;

-- The functions below run with the rights of whoever installs: who may move a
-- deal or change a stage need not be able to write tasks and history.

CREATE FUNCTION crm.keep_stage_history() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    began timestamptz := now();
    now_is jsonb;
    last crm.stage_history;
BEGIN
    IF TG_OP <> 'DELETE' THEN
        now_is := to_jsonb(NEW) - '{created_at,created_by,guard_rule,entry_rule,exit_rule}'::text[];
    END IF;
    IF TG_OP <> 'INSERT' THEN
        SELECT * INTO last FROM crm.stage_history h
        WHERE h.source = TG_TABLE_NAME AND h.source_id = OLD.id AND upper_inf(h.valid) ORDER BY h.id DESC LIMIT 1;
        IF last."values" = now_is THEN
            RETURN NULL;
        ELSIF lower(last.valid) >= began THEN
            -- A version that nobody could see, or one that a later transaction made before this one.
            began := lower(last.valid);
            DELETE FROM crm.stage_history h WHERE h.id = last.id;
        ELSE
            UPDATE crm.stage_history h SET valid = tstzrange(lower(h.valid), began) WHERE h.id = last.id;
        END IF;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO crm.stage_history (source, source_id, pipeline_id, "values", valid, actor)
        VALUES (TG_TABLE_NAME, NEW.id,
                coalesce((now_is ->> 'pipeline_id')::bigint, (SELECT s.pipeline_id FROM crm.stage s WHERE s.id = (now_is ->> 'to_stage_id')::bigint), NEW.id),
                now_is, tstzrange(began, NULL), coalesce(nullif(current_setting('crm.actor', true), ''), session_user));
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.keep_stage_history() FROM PUBLIC;
COMMENT ON FUNCTION crm.keep_stage_history() IS 'Trigger on crm.pipeline, crm.stage and crm.stage_transition: keeps crm.stage_history.';

CREATE FUNCTION crm.follow_playbook() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    deals bigint[];
    lines bigint[];
BEGIN
    IF NOT EXISTS (SELECT FROM crm.stage_playbook p WHERE p.active) THEN
        RETURN NULL;
    ELSIF TG_OP = 'INSERT' THEN
        SELECT array_agg(n.id), array_agg(p.id) INTO deals, lines
        FROM new_rows n JOIN crm.stage_playbook p ON p.stage_id = n.stage_id AND p.from_stage_id IS NULL AND p.active;
    ELSE
        SELECT array_agg(n.id), array_agg(p.id) INTO deals, lines
        FROM new_rows n JOIN old_rows o ON o.id = n.id AND o.stage_id <> n.stage_id
        JOIN crm.stage_playbook p ON p.stage_id = n.stage_id AND coalesce(p.from_stage_id, o.stage_id) = o.stage_id AND p.active
        WHERE NOT EXISTS (SELECT FROM crm.stage s WHERE s.id = o.stage_id AND s.merged_into_id = n.stage_id);
    END IF;
    IF deals IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO crm.task (kind, title, description, contact_id, company_id, deal_id, assignee_id, priority, due_at, origin_key, created_by)
    SELECT p.kind, p.title, p.description, d.contact_id, d.company_id, d.id, CASE p.assignee WHEN 'owner' THEN d.owner_id ELSE p.agent_id END,
           p.priority, d.stage_entered_at + p.due_after, format('playbook:%s:%s:%s', p.id, d.id, extract(epoch FROM d.stage_entered_at)), session_user
    FROM unnest(deals, lines) AS m (deal_id, line_id)
    JOIN crm.deal d ON d.id = m.deal_id AND d.deleted_at IS NULL
    JOIN crm.stage_playbook p ON p.id = m.line_id AND p.makes = 'task'
    WHERE NOT EXISTS (SELECT FROM crm.task t WHERE t.deal_id = d.id AND t.status = 'open' AND starts_with(t.origin_key, format('playbook:%s:', p.id)))
    ORDER BY d.id, p.position, p.id
    ON CONFLICT (origin_key) DO NOTHING;
    INSERT INTO crm.deal_milestone (deal_id, kind, due_at, is_required, note)
    SELECT d.id, p.kind, d.stage_entered_at + p.due_after, p.is_required, p.title
    FROM unnest(deals, lines) AS m (deal_id, line_id)
    JOIN crm.deal d ON d.id = m.deal_id AND d.deleted_at IS NULL
    JOIN crm.stage_playbook p ON p.id = m.line_id AND p.makes = 'milestone'
    WHERE NOT EXISTS (SELECT FROM crm.deal_milestone x WHERE x.deal_id = d.id AND x.kind = p.kind)
    ORDER BY d.id, p.position, p.id;
    INSERT INTO crm.document (deal_id, kind, due_at, is_required, note)
    SELECT d.id, p.kind, d.stage_entered_at + p.due_after, p.is_required, p.title
    FROM unnest(deals, lines) AS m (deal_id, line_id)
    JOIN crm.deal d ON d.id = m.deal_id AND d.deleted_at IS NULL
    JOIN crm.stage_playbook p ON p.id = m.line_id AND p.makes = 'document'
    WHERE NOT EXISTS (SELECT FROM crm.document x WHERE x.deal_id = d.id AND x.kind = p.kind AND x.status <> 'void')
    ORDER BY d.id, p.position, p.id;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION crm.follow_playbook() FROM PUBLIC;
COMMENT ON FUNCTION crm.follow_playbook() IS 'Trigger on crm.deal: makes what crm.stage_playbook says for the deals that enter a stage. No task while the deal has an open one of the same line; no milestone or document of a kind that it has.';

CREATE TRIGGER stage_playbook_check BEFORE INSERT OR UPDATE ON crm.stage_playbook FOR EACH ROW EXECUTE FUNCTION crm.stage_playbook_check();
CREATE TRIGGER stage_prerequisite_check BEFORE INSERT OR UPDATE ON crm.stage_prerequisite FOR EACH ROW EXECUTE FUNCTION crm.stage_prerequisite_check();
CREATE TRIGGER stage_prerequisite_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.stage_prerequisite
    FOR EACH STATEMENT EXECUTE FUNCTION crm.stages_changed();
CREATE TRIGGER stage_requirement_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON crm.stage_requirement
    FOR EACH STATEMENT EXECUTE FUNCTION crm.stages_changed();
CREATE TRIGGER stage_history AFTER INSERT OR UPDATE OR DELETE ON crm.pipeline FOR EACH ROW EXECUTE FUNCTION crm.keep_stage_history();
CREATE TRIGGER stage_history AFTER INSERT OR UPDATE OR DELETE ON crm.stage FOR EACH ROW EXECUTE FUNCTION crm.keep_stage_history();
CREATE TRIGGER stage_history AFTER INSERT OR UPDATE OR DELETE ON crm.stage_transition FOR EACH ROW EXECUTE FUNCTION crm.keep_stage_history();
CREATE TRIGGER playbook_insert AFTER INSERT ON crm.deal REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.follow_playbook();
CREATE TRIGGER playbook_update AFTER UPDATE ON crm.deal REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION crm.follow_playbook();
CREATE TRIGGER term_state BEFORE UPDATE ON crm.deal_milestone FOR EACH ROW EXECUTE FUNCTION crm.term_state();
CREATE TRIGGER term_state BEFORE INSERT OR UPDATE ON crm.document FOR EACH ROW EXECUTE FUNCTION crm.term_state();
CREATE TRIGGER criterion_check BEFORE INSERT OR UPDATE OR DELETE ON crm.qualification_criterion FOR EACH ROW EXECUTE FUNCTION crm.criterion_check();
