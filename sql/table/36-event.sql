CREATE TABLE crm.event_kind (
    event text PRIMARY KEY CHECK (event <> ''), -- Name by which did() in a rule asks for it.
    relation text NOT NULL, -- Table or view that has the events, with its schema: crm.deal.
    contact_column text NOT NULL DEFAULT 'contact_id', -- Its column with the number of the contact.
    at_column text NOT NULL, -- Its column with the moment, a timestamp with time zone.
    filter text, -- Which rows count: a rule on a row of the relation, without clock, tags, segments and events; null for all.
    description text -- What it means.
);
COMMENT ON TABLE crm.event_kind IS 'Events that did() in a rule can count. A table of yours becomes one by a row here. The kinds of crm.interaction_type are events, too, of their own names, unless a row here has that name.';
CREATE TRIGGER event_kind_check BEFORE INSERT OR UPDATE ON crm.event_kind FOR EACH ROW EXECUTE FUNCTION crm.event_kind_check();
INSERT INTO crm.event_kind (event, relation, contact_column, at_column, filter, description) VALUES
    ('activity', 'crm.activity', 'contact_id', 'occurred_at', NULL, 'Any activity'),
    ('deal_created', 'crm.deal', 'contact_id', 'created_at', 'deleted_at is null', 'A deal began'),
    ('deal_won', 'crm.deal', 'contact_id', 'closed_at', 'closed_at is not null and loss_reason_id is null and deleted_at is null', 'A deal was won'),
    ('deal_lost', 'crm.deal', 'contact_id', 'closed_at', 'closed_at is not null and loss_reason_id is not null and deleted_at is null', 'A deal was lost'),
    ('order', 'crm.sales_order', 'contact_id', 'ordered_at', 'is_counted', 'An order that counts: placed, neither cancelled nor returned nor deleted'),
    ('task_done', 'crm.task', 'contact_id', 'done_at', 'status = ''done''', 'A task was done');
