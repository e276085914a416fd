CREATE SEQUENCE crm.position_id_seq;

CREATE TABLE crm.position (
    id bigint PRIMARY KEY DEFAULT nextval('crm.position_id_seq'), -- Number of the position.
    name text NOT NULL UNIQUE CHECK (name <> ''), -- Name, such as "Sales manager".
    description text -- What one does there.
);
COMMENT ON TABLE crm.position IS 'Positions that agents may have.';

CREATE SEQUENCE crm.employee_position_id_seq;

CREATE TABLE crm.employee_position (
    id bigint PRIMARY KEY DEFAULT nextval('crm.employee_position_id_seq'), -- Number of the entry.
    agent_id bigint NOT NULL REFERENCES crm.agent (id), -- Who.
    position_id bigint REFERENCES crm.position (id), -- In which position; null when it has no name.
    team_id bigint REFERENCES crm.team (id), -- In which team; null for none.
    manager_id bigint REFERENCES crm.agent (id), -- Under whom; null at the top.
    valid tstzrange NOT NULL DEFAULT tstzrange(now(), NULL) CHECK (NOT isempty(valid)), -- From when until when; open-ended while it lasts.
    CONSTRAINT employee_position_not_under_itself CHECK (manager_id <> agent_id),
    CONSTRAINT employee_position_one_at_a_time EXCLUDE USING gist (int8range(agent_id, agent_id, '[]') WITH &&, valid WITH &&)
);
COMMENT ON TABLE crm.employee_position IS 'Who has or had which position, in which team, under whom, and when; an agent has one at a time. Reports about a month take the structure of that month from here.';
CREATE INDEX employee_position_agent ON crm.employee_position (agent_id);
CREATE INDEX employee_position_manager ON crm.employee_position (manager_id) WHERE manager_id IS NOT NULL;
CREATE TRIGGER manager_check AFTER INSERT OR UPDATE ON crm.employee_position FOR EACH ROW
    WHEN (NEW.manager_id IS NOT NULL) EXECUTE FUNCTION crm.manager_check();

CREATE TABLE crm.agent_skill (
    agent_id bigint NOT NULL REFERENCES crm.agent (id) ON DELETE CASCADE, -- Who.
    skill text NOT NULL CHECK (skill <> ''), -- What: a language, a product, a line of business.
    level integer NOT NULL DEFAULT 3 CHECK (level BETWEEN 1 AND 5), -- How well, 1 to 5.
    PRIMARY KEY (agent_id, skill)
);
COMMENT ON TABLE crm.agent_skill IS 'What agents can do, for rules of assignment by skill.';

CREATE SEQUENCE crm.agent_absence_id_seq;

CREATE TABLE crm.agent_absence (
    id bigint PRIMARY KEY DEFAULT nextval('crm.agent_absence_id_seq'), -- Number of the entry.
    agent_id bigint NOT NULL REFERENCES crm.agent (id) ON DELETE CASCADE, -- Who is absent.
    during tstzrange NOT NULL CHECK (NOT isempty(during)), -- From when until when.
    substitute_id bigint REFERENCES crm.agent (id), -- Who takes the turn meanwhile; null for nobody: then the agent is skipped.
    reason text, -- Leave, illness, training.
    CHECK (substitute_id <> agent_id)
);
COMMENT ON TABLE crm.agent_absence IS 'When agents are absent, and who stands in for them.';
CREATE INDEX agent_absence_agent ON crm.agent_absence (agent_id);

CREATE SEQUENCE crm.assignment_rule_id_seq;

CREATE TABLE crm.assignment_rule (
    id bigint PRIMARY KEY DEFAULT nextval('crm.assignment_rule_id_seq'), -- Number of the rule.
    name text NOT NULL UNIQUE CHECK (name <> ''), -- Its name.
    what text NOT NULL CHECK (what IN ('lead', 'deal', 'contact', 'task', 'call')), -- What it assigns: lead, deal, contact, task, or call (a task of kind call).
    definition text, -- For which of them, a rule over crm.lead, crm.deal, crm.contact_profile or crm.task, as entered; null for all.
    rule crm.rule, -- Derived: the rule that the definition says.
    method text NOT NULL CHECK (method IN ('round_robin', 'weighted', 'least_loaded', 'skill', 'territory', 'calendar')), -- round_robin: in turn; weighted: in turn, by weight; least_loaded: who has the least open work by weight; skill: in turn among those who have the skill; territory: in turn among those of the territory or the nearest one above; calendar: in turn among those at work.
    team_id bigint REFERENCES crm.team (id), -- All active agents of this team take part, beside those of crm.assignment_member; null for these alone.
    skill text CHECK (skill <> ''), -- Of method skill: the skill that is needed; with skill_field, when that says none.
    skill_field text CHECK (skill_field <> ''), -- Of method skill: the column of the row that names the skill, such as country or interest_reason.
    skill_level integer NOT NULL DEFAULT 1 CHECK (skill_level BETWEEN 1 AND 5), -- Of method skill: how well at least.
    calendar text CHECK (calendar <> ''), -- Business calendar of members who have none of their own: outside its hours they are skipped; null for any time.
    priority integer NOT NULL DEFAULT 100, -- The rule of the least number comes first; what it cannot assign goes to the next.
    enabled boolean NOT NULL DEFAULT true, -- Whether it takes part; asked for by name it does in any case.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    CHECK (method <> 'skill' OR skill IS NOT NULL OR skill_field IS NOT NULL)
);
COMMENT ON TABLE crm.assignment_rule IS 'To whom new leads, deals, contacts, tasks and calls go.';
CREATE TRIGGER rule_check BEFORE INSERT OR UPDATE ON crm.assignment_rule FOR EACH ROW EXECUTE FUNCTION crm.assignment_rule_check();

CREATE TABLE crm.assignment_member (
    rule_id bigint NOT NULL REFERENCES crm.assignment_rule (id) ON DELETE CASCADE, -- The rule.
    agent_id bigint NOT NULL REFERENCES crm.agent (id) ON DELETE CASCADE, -- Who takes part.
    weight numeric NOT NULL DEFAULT 1 CHECK (weight > 0 AND weight < 1000000), -- Share, beside the weights of the others; of methods weighted and least_loaded.
    capacity integer CHECK (capacity >= 0), -- How much open work of the kind the agent may have; who has it is skipped. Null for any amount.
    calendar text CHECK (calendar <> ''), -- Business calendar of the agent; null for that of the rule.
    PRIMARY KEY (rule_id, agent_id)
);
COMMENT ON TABLE crm.assignment_member IS 'Who takes part in a rule of assignment, with which share. Members of the rule''s team need no row, unless it says something of them.';

CREATE TABLE crm.assignment_counter (
    rule_id bigint PRIMARY KEY REFERENCES crm.assignment_rule (id) ON DELETE CASCADE, -- The rule.
    turn double precision NOT NULL DEFAULT 0, -- Where the turn has come to: of a member of weight 1 one more with each assignment.
    assigned bigint NOT NULL DEFAULT 0 -- How much it has assigned.
);
COMMENT ON TABLE crm.assignment_counter IS 'Where the turn of each rule is; who assigns by the rule holds its row until the end of the transaction.';

CREATE TABLE crm.assignment_turn (
    rule_id bigint NOT NULL REFERENCES crm.assignment_rule (id) ON DELETE CASCADE, -- The rule.
    agent_id bigint NOT NULL REFERENCES crm.agent (id) ON DELETE CASCADE, -- The member; also when somebody else stood in.
    turn double precision NOT NULL, -- Where the member's turn has come to: its assignments by its weight, and what it missed while absent.
    assigned bigint NOT NULL DEFAULT 0, -- How much the member's turn has assigned.
    PRIMARY KEY (rule_id, agent_id)
);
COMMENT ON TABLE crm.assignment_turn IS 'Where the turn of each member of each rule is.';

CREATE SEQUENCE crm.assignment_decision_id_seq;

CREATE TABLE crm.assignment_decision (
    id bigint PRIMARY KEY DEFAULT nextval('crm.assignment_decision_id_seq'), -- Number of the decision.
    rule_id bigint, -- The rule; the decision outlives it. Null for a rotation or a transfer.
    rule text NOT NULL, -- Its name at that time.
    method text NOT NULL, -- Its method, or rotation, transfer.
    wanted text, -- Of method skill the skill, of method territory the territory that was needed.
    decided_at timestamptz NOT NULL, -- When.
    candidates jsonb NOT NULL -- Who was looked at: an array of {agent_id, weight, turn, load, capacity, stands_in_for, skipped}, skipped being the reason.
);
COMMENT ON TABLE crm.assignment_decision IS 'How assignments were decided: who could have had them and who not. One row for all that was assigned at once; append-only.';

CREATE SEQUENCE crm.assignment_log_id_seq;

CREATE TABLE crm.assignment_log (
    what text NOT NULL, -- lead, deal, contact, task, call or company.
    record_id bigint NOT NULL, -- Its number.
    id bigint NOT NULL DEFAULT nextval('crm.assignment_log_id_seq'), -- Number of the entry; grows with time.
    decision_id bigint NOT NULL REFERENCES crm.assignment_decision (id), -- How it was decided.
    agent_id bigint, -- To whom it went; null when the rule had nobody.
    previous_id bigint, -- Who had it before; null for nobody.
    turn double precision, -- The member's turn: the least among the candidates, or the next after that of another assigned at once.
    assigned_at timestamptz NOT NULL, -- When.
    actor text NOT NULL, -- Who had it assigned: setting crm.actor, otherwise the session's role.
    PRIMARY KEY (record_id, what, id)
);
COMMENT ON TABLE crm.assignment_log IS 'What was assigned to whom, by which decision; append-only. crm.explain_assignment() tells it.';
CREATE INDEX assignment_log_agent ON crm.assignment_log (agent_id, assigned_at) WHERE agent_id IS NOT NULL;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON crm.assignment_log FOR EACH ROW EXECUTE FUNCTION crm.keep_assignments();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON crm.assignment_decision FOR EACH ROW EXECUTE FUNCTION crm.keep_assignments();
