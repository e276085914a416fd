-- What segments are for: goals, offers, incentives, actions.

CREATE SEQUENCE crm.segment_goal_id_seq;

CREATE TABLE crm.segment_goal (
    id bigint PRIMARY KEY DEFAULT nextval('crm.segment_goal_id_seq'), -- Number of the goal.
    segment_id bigint NOT NULL REFERENCES crm.segment (id) ON DELETE CASCADE, -- For whom.
    metric text NOT NULL, -- Column of crm.contact_profile; * with count.
    aggregate text NOT NULL CHECK (aggregate IN ('count', 'sum', 'avg', 'min', 'max')), -- What is made of it over the members: count, sum, avg, min or max.
    target numeric NOT NULL, -- What it shall reach.
    due date, -- By when; null for always.
    description text, -- Why.
    UNIQUE (segment_id, metric, aggregate, due),
    CHECK (metric <> '*' OR aggregate = 'count')
);
COMMENT ON TABLE crm.segment_goal IS 'Goals of segments. crm.v_segment_goal tells how far they are.';
CREATE TRIGGER segment_goal_check BEFORE INSERT OR UPDATE ON crm.segment_goal FOR EACH ROW EXECUTE FUNCTION crm.check_segment_goal();

CREATE SEQUENCE crm.segment_offer_id_seq;

CREATE TABLE crm.segment_offer (
    id bigint PRIMARY KEY DEFAULT nextval('crm.segment_offer_id_seq'), -- Number of the offer.
    segment_id bigint NOT NULL REFERENCES crm.segment (id) ON DELETE CASCADE, -- To whom.
    offer text NOT NULL CHECK (offer <> ''), -- What is offered, and why it should matter to them.
    priority integer NOT NULL, -- Of the offers for all segments of a contact the one with the lowest is made.
    valid tstzrange NOT NULL DEFAULT tstzrange(now(), NULL), -- While it is made.
    UNIQUE (segment_id, offer)
);
COMMENT ON TABLE crm.segment_offer IS 'What each segment is offered. crm.offer_for() chooses for a contact.';

CREATE TABLE crm.incentive (
    name text PRIMARY KEY CHECK (name <> ''), -- Name of the incentive.
    kind text NOT NULL CHECK (kind IN ('discount', 'coupon', 'points', 'gift')), -- discount, coupon, points or gift.
    amount numeric NOT NULL CHECK (amount > 0), -- How much: percent of a discount, value of a coupon or gift, number of points.
    cost numeric NOT NULL CHECK (cost >= 0), -- What it costs us for one contact, in the base currency.
    definition text NOT NULL, -- Rule on crm.contact_profile: for whom.
    rule crm.rule, -- Derived: the rule.
    priority integer NOT NULL, -- The one with the lowest comes first.
    enabled boolean NOT NULL DEFAULT true -- Whether it is given at all.
);
COMMENT ON TABLE crm.incentive IS 'Incentives, for whom and at what cost. crm.choose_incentive() chooses for a contact.';
CREATE TRIGGER incentive_rule BEFORE INSERT OR UPDATE ON crm.incentive FOR EACH ROW EXECUTE FUNCTION crm.derive_rule('crm.contact_profile');

CREATE SEQUENCE crm.segment_action_id_seq;

CREATE TABLE crm.segment_action (
    id bigint PRIMARY KEY DEFAULT nextval('crm.segment_action_id_seq'), -- Number of the action.
    segment_id bigint NOT NULL REFERENCES crm.segment (id) ON DELETE CASCADE, -- At whom it was aimed.
    name text NOT NULL UNIQUE CHECK (name <> ''), -- Its name.
    started_at timestamptz NOT NULL, -- When it began.
    lasts interval NOT NULL CHECK (lasts > '0'), -- For how long orders count for it.
    targets bytea NOT NULL, -- Who got it: the portable form of a set, see crm.from_roaring().
    control bytea NOT NULL -- Who of the segment did not, for comparison: likewise.
);
COMMENT ON TABLE crm.segment_action IS 'Actions aimed at a segment, with the members who got it and those held back for comparison. crm.start_action() makes them, crm.v_segment_performance tells what they brought.';
