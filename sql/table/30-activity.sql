CREATE TABLE crm.interaction_type (
    name text PRIMARY KEY CHECK (name <> ''), -- Name used everywhere, such as call.
    direction text NOT NULL CHECK (direction IN ('mutual', 'one_way')), -- mutual (both sides speak) or one_way.
    mode text NOT NULL CHECK (mode IN ('active', 'passive')), -- active (the client takes part) or passive (the client receives, or is observed).
    is_touch boolean NOT NULL DEFAULT true, -- Whether it counts as being in touch, see crm.v_activity_gap.
    description text -- What it means.
);
COMMENT ON TABLE crm.interaction_type IS 'Kinds of interaction with clients, and how to group them. A new one is a row.';
INSERT INTO crm.interaction_type (name, direction, mode, is_touch, description) VALUES
    ('call', 'mutual', 'active', true, 'Telephone call'), ('meeting', 'mutual', 'active', true, 'Meeting or visit'),
    ('chat', 'mutual', 'active', true, 'Messenger or chat'), ('email', 'one_way', 'active', true, 'E-mail that awaits an answer'),
    ('sms', 'one_way', 'passive', true, 'Text message'), ('letter', 'one_way', 'passive', true, 'Letter on paper'),
    ('demo', 'mutual', 'active', true, 'Demonstration or trial'), ('newsletter', 'one_way', 'passive', false, 'Mailing to many'),
    ('site_visit', 'one_way', 'passive', false, 'Visit of the site or the application'), ('note', 'one_way', 'passive', false, 'A note of ours');

CREATE SEQUENCE crm.activity_id_seq;

CREATE TABLE crm.activity (
    contact_id bigint NOT NULL REFERENCES crm.contact (id), -- The person; of a company, who speaks for it.
    id bigint NOT NULL DEFAULT nextval('crm.activity_id_seq'), -- Number of the activity.
    kind text NOT NULL REFERENCES crm.interaction_type (name), -- call, email, meeting, chat, note ...
    direction text CHECK (direction IN ('in', 'out')), -- in (the client came to us), out (we to the client); null when neither.
    agent_id bigint REFERENCES crm.agent (id), -- Who of us.
    company_id bigint REFERENCES crm.company (id), -- The company it was about.
    deal_id bigint, -- The deal it was about.
    task_id bigint, -- The task it was done for.
    occurred_at timestamptz NOT NULL DEFAULT now(), -- When it took place, or began.
    duration interval CHECK (duration >= '0'), -- How long it took.
    outcome text, -- What came of it: reached, no answer, agreed ...
    subject text, -- What about, in a line.
    body text, -- What was said or written.
    recording_url text, -- Where the recording is.
    attrs jsonb NOT NULL DEFAULT '{}', -- More, as you like.
    external_system text CHECK (external_system <> ''), -- The other system that knows it: telephony, mail; null for none.
    external_id text CHECK (external_id <> ''), -- Its number there.
    created_at timestamptz NOT NULL DEFAULT now(), -- When it was entered.
    created_by text NOT NULL DEFAULT current_user, -- Role that entered it.
    PRIMARY KEY (contact_id, id),
    CHECK ((external_system IS NULL) = (external_id IS NULL)),
    UNIQUE (contact_id, external_system, external_id)
);
COMMENT ON TABLE crm.activity IS 'Every touch with a person: calls, letters, meetings, chats, notes.';
CREATE INDEX activity_occurred_at ON crm.activity (contact_id, occurred_at);
CREATE INDEX activity_deal ON crm.activity (deal_id, occurred_at) WHERE deal_id IS NOT NULL;
CREATE INDEX activity_agent ON crm.activity (agent_id, occurred_at) WHERE agent_id IS NOT NULL;

CREATE SEQUENCE crm.task_series_id_seq;

CREATE TABLE crm.task_series (
    id bigint PRIMARY KEY DEFAULT nextval('crm.task_series_id_seq'), -- Number of the series.
    rrule text NOT NULL, -- Recurrence rule of RFC 5545, such as FREQ=MONTHLY;BYDAY=-1FR.
    starts timestamp NOT NULL, -- The first possible time, on the wall of time_zone.
    time_zone text NOT NULL CHECK (time_zone ~ '^[A-Za-z]'), -- IANA time zone of starts and of all occurrences; when not given, the assignee's.
    next_at timestamptz, -- The occurrence for which a task is made next; null when there is none.
    active boolean NOT NULL DEFAULT true, -- Whether tasks are made.
    ahead interval NOT NULL DEFAULT '0' CHECK (ahead >= '0' AND ahead <= '366 days'), -- How long before it is due a task is made.
    remind_before interval CHECK (remind_before >= '0'), -- How long before it is due to remind the assignee; null for never.
    kind text NOT NULL DEFAULT 'todo' CHECK (kind <> ''), -- Kind of the tasks.
    title text NOT NULL CHECK (title <> ''), -- Their title.
    description text, -- More about them.
    contact_id bigint REFERENCES crm.contact (id), -- The person they concern.
    company_id bigint REFERENCES crm.company (id), -- The company they concern.
    deal_id bigint REFERENCES crm.deal (id) ON DELETE CASCADE, -- The deal they belong to.
    assignee_id bigint REFERENCES crm.agent (id), -- Who does them.
    author_id bigint REFERENCES crm.agent (id), -- Who wants them done.
    priority integer NOT NULL DEFAULT 3 CHECK (priority BETWEEN 1 AND 5), -- 1 is the most urgent, 5 the least.
    attrs jsonb NOT NULL DEFAULT '{}', -- More, as you like, for each task.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    created_by text NOT NULL DEFAULT current_user -- Role that made it.
);
COMMENT ON TABLE crm.task_series IS 'Tasks that recur: by what rule, and what each is like. crm.make_due_tasks() makes them.';
CREATE INDEX task_series_due ON crm.task_series (next_at) WHERE active;
CREATE INDEX task_series_contact ON crm.task_series (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX task_series_company ON crm.task_series (company_id) WHERE company_id IS NOT NULL;

CREATE SEQUENCE crm.task_id_seq;

CREATE TABLE crm.task (
    id bigint PRIMARY KEY DEFAULT nextval('crm.task_id_seq'), -- Number of the task.
    kind text NOT NULL DEFAULT 'todo' CHECK (kind <> ''), -- What has to be done: call, email, meeting, service, todo ...
    title text NOT NULL CHECK (title <> ''), -- The task in a line.
    description text, -- More about it.
    contact_id bigint REFERENCES crm.contact (id), -- The person it concerns.
    company_id bigint REFERENCES crm.company (id), -- The company it concerns.
    deal_id bigint REFERENCES crm.deal (id) ON DELETE CASCADE, -- The deal it belongs to.
    assignee_id bigint REFERENCES crm.agent (id), -- Who does it.
    author_id bigint REFERENCES crm.agent (id), -- Who wants it done and hears when it is.
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'done', 'cancelled')), -- open, done or cancelled.
    priority integer NOT NULL DEFAULT 3 CHECK (priority BETWEEN 1 AND 5), -- 1 is the most urgent, 5 the least.
    due_at timestamptz, -- By when; null for any time.
    remind_at timestamptz, -- When to remind the assignee; null for never.
    time_zone text CHECK (time_zone ~ '^[A-Za-z]'), -- IANA time zone in which the times were meant; null for the assignee's.
    done_at timestamptz, -- When it was done or cancelled; null while open.
    result text, -- What came of it.
    reminded_at timestamptz, -- When the reminder went out; null before, and again when remind_at changes.
    overdue_at timestamptz, -- When it was found overdue; null before, and again when due_at changes.
    origin_key text UNIQUE, -- What made it, once: such as service:12:2026-05-01; null when a person did.
    series_id bigint REFERENCES crm.task_series (id) ON DELETE SET NULL, -- The series that made it; null for none.
    attrs jsonb NOT NULL DEFAULT '{}', -- More, as you like.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    updated_at timestamptz NOT NULL DEFAULT now(), -- When it was last changed; kept by trigger.
    created_by text NOT NULL DEFAULT current_user -- Role that made it.
);
COMMENT ON TABLE crm.task IS 'What has to be done, by whom, by when.';
CREATE INDEX task_open ON crm.task (assignee_id, due_at) WHERE status = 'open';
CREATE INDEX task_deal ON crm.task (deal_id, due_at) WHERE deal_id IS NOT NULL AND status = 'open';
CREATE INDEX task_contact ON crm.task (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX task_to_remind ON crm.task (remind_at) WHERE status = 'open' AND reminded_at IS NULL;
CREATE INDEX task_to_fall_due ON crm.task (due_at) WHERE status = 'open' AND overdue_at IS NULL;

CREATE SEQUENCE crm.reminder_id_seq;

CREATE TABLE crm.reminder (
    id bigint PRIMARY KEY DEFAULT nextval('crm.reminder_id_seq'), -- Number of the reminder.
    agent_id bigint NOT NULL REFERENCES crm.agent (id), -- Whom to remind.
    note text NOT NULL CHECK (note <> ''), -- What of.
    remind_on timestamp, -- When by the clock on the wall of time_zone; null when remind_at was given.
    time_zone text CHECK (time_zone ~ '^[A-Za-z]'), -- IANA time zone of remind_on; when not given, the agent's.
    remind_at timestamptz NOT NULL, -- The instant; of remind_on computed by trigger.
    task_id bigint REFERENCES crm.task (id) ON DELETE CASCADE, -- The task it belongs to; done or cancelled, it reminds no more.
    deal_id bigint REFERENCES crm.deal (id) ON DELETE CASCADE, -- The deal it is about.
    contact_id bigint REFERENCES crm.contact (id), -- The person it is about.
    fired_at timestamptz, -- When it went out; null before.
    created_at timestamptz NOT NULL DEFAULT now(), -- When the row was made.
    created_by text NOT NULL DEFAULT current_user -- Role that made it.
);
COMMENT ON TABLE crm.reminder IS 'Reminders, of a task or of their own. Each fires once, however many workers run crm.fire_reminders().';
CREATE INDEX reminder_to_fire ON crm.reminder (remind_at) WHERE fired_at IS NULL;
CREATE INDEX reminder_task ON crm.reminder (task_id) WHERE task_id IS NOT NULL;

CREATE SEQUENCE crm.notification_id_seq;

CREATE TABLE crm.notification (
    id bigint PRIMARY KEY DEFAULT nextval('crm.notification_id_seq'), -- Number of the notification.
    agent_id bigint REFERENCES crm.agent (id), -- To whom; null when nobody is responsible.
    kind text NOT NULL CHECK (kind <> ''), -- task.due (time to remind), task.overdue, task.done, reminder, or a word of yours.
    key text NOT NULL UNIQUE, -- What it tells of, once: such as task.overdue:12:1767225600.
    title text NOT NULL, -- What it says.
    task_id bigint REFERENCES crm.task (id) ON DELETE CASCADE, -- The task.
    deal_id bigint REFERENCES crm.deal (id) ON DELETE CASCADE, -- The deal.
    contact_id bigint REFERENCES crm.contact (id), -- The person.
    payload jsonb NOT NULL DEFAULT '{}', -- More, for programs.
    created_at timestamptz NOT NULL DEFAULT now(), -- When it was sent.
    read_at timestamptz -- When it was read; null before.
);
COMMENT ON TABLE crm.notification IS 'Inbox of the agents. Applications may LISTEN crm and then look here.';
CREATE INDEX notification_unread ON crm.notification (agent_id, created_at) WHERE read_at IS NULL;
CREATE INDEX notification_task ON crm.notification (task_id) WHERE task_id IS NOT NULL;

CREATE SEQUENCE crm.outbox_id_seq;

CREATE TABLE crm.outbox (
    id bigint PRIMARY KEY DEFAULT nextval('crm.outbox_id_seq'), -- Number of the message; the order of sending.
    topic text NOT NULL CHECK (topic <> ''), -- Who shall take it: telephony.call, erp.order ...
    key text, -- Makes it the only one of its topic; null for none.
    payload jsonb NOT NULL, -- The message.
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'done', 'failed')), -- pending, done, or failed for good.
    attempts integer NOT NULL DEFAULT 0, -- How often it was claimed.
    max_attempts integer NOT NULL DEFAULT 10 CHECK (max_attempts > 0), -- After so many failures it has failed for good.
    available_at timestamptz NOT NULL DEFAULT now(), -- Not to be claimed before: while a worker has it, until its lease ends.
    claimed_by text, -- The worker that has or had it.
    last_error text, -- Why the last attempt failed.
    created_at timestamptz NOT NULL DEFAULT now(), -- When it was written.
    done_at timestamptz, -- When it was done or failed for good.
    UNIQUE (topic, key)
);
COMMENT ON TABLE crm.outbox IS 'Messages to other systems, written in the transaction that causes them; workers take them with crm.claim_outbox().';
CREATE INDEX outbox_pending ON crm.outbox (topic, available_at, id) WHERE status = 'pending';

CREATE TRIGGER task_state BEFORE INSERT OR UPDATE OF kind, title, description, contact_id, company_id, deal_id, assignee_id, author_id,
    status, priority, due_at, remind_at, time_zone, done_at, result, attrs ON crm.task
    FOR EACH ROW EXECUTE FUNCTION crm.task_state();
CREATE TRIGGER task_series_next BEFORE INSERT OR UPDATE OF rrule, starts, time_zone ON crm.task_series
    FOR EACH ROW EXECUTE FUNCTION crm.task_series_next();
CREATE TRIGGER task_done AFTER UPDATE OF status ON crm.task
    FOR EACH ROW WHEN (NEW.status = 'done' AND OLD.status <> 'done') EXECUTE FUNCTION crm.task_done();
CREATE TRIGGER reminder_time BEFORE INSERT OR UPDATE OF remind_on, time_zone, agent_id ON crm.reminder
    FOR EACH ROW EXECUTE FUNCTION crm.reminder_time();

CREATE INDEX activity_company ON crm.activity (company_id) WHERE company_id IS NOT NULL;
CREATE INDEX task_company ON crm.task (company_id) WHERE company_id IS NOT NULL;
CREATE INDEX reminder_contact ON crm.reminder (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX notification_contact ON crm.notification (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX task_of_series ON crm.task (series_id) WHERE series_id IS NOT NULL;
