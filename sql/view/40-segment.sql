CREATE VIEW crm.v_segment WITH (security_invoker = true) AS
SELECT
    s.id AS segment_id, -- Number of the segment.
    s.name AS segment, -- Its name.
    s.kind, -- static, dynamic or composed.
    s.definition, -- Its rule or expression as entered; null of a list.
    s.description, -- What it is for.
    s.cardinality AS contacts, -- Number of members.
    s.cardinality / nullif(b.contacts, 0)::double precision AS share, -- Members by living contacts.
    coalesce(w.entered, 0) AS entered_7_days, -- How many entered in the last seven days.
    coalesce(w.departed, 0) AS left_7_days, -- How many left in the last seven days.
    coalesce(w.entered, 0) - coalesce(w.departed, 0) AS growth_7_days, -- Growth in the last seven days.
    CASE WHEN s.has_clock THEN s.refreshed_at
         WHEN s.error IS NULL AND NOT s.needs_full THEN greatest(s.refreshed_at, r.as_of) ELSE s.refreshed_at END AS refreshed_at, -- The moment for which the members are right.
    s.needs_full AS is_stale, -- Whether it waits for a refresh over all contacts.
    s.full_refresh_ms, -- What its last refresh over all contacts took, milliseconds.
    s.error, -- Why its last refresh failed; null when it did not.
    s.hindrance, -- Why the last refresh left it as it was: what the role that refreshed may not read.
    s.level, -- 0, or one more than the segments that it asks for.
    s.created_at, -- When it was made.
    s.created_by -- Who made it.
FROM crm.segment s
CROSS JOIN (SELECT count(*) AS contacts FROM crm.contact c WHERE c.deleted_at IS NULL AND c.merged_into IS NULL AND c.archived_at IS NULL) b
LEFT JOIN (SELECT m.as_of FROM crm.segment_refresh m ORDER BY m.id DESC LIMIT 1) r ON true
LEFT JOIN LATERAL (
    SELECT sum(x.entered) AS entered, sum(x.departed) AS departed
    FROM (SELECT count(*) FILTER (WHERE h.entered) AS entered, count(*) FILTER (WHERE NOT h.entered) AS departed
          FROM crm.segment_history h WHERE h.segment_id = s.id AND h.at > now() - interval '7 days'
          UNION ALL
          SELECT crm.cardinality(crm.from_roaring(f.entered)), crm.cardinality(crm.from_roaring(f.departed))
          FROM crm.segment_fill f WHERE f.segment_id = s.id AND f.at > now() - interval '7 days' AND f.cause <> 'kept') x
) w ON true;
COMMENT ON VIEW crm.v_segment IS 'The segments: size, growth, when and at what cost they were refreshed, and what is wrong with them.';

CREATE VIEW crm.v_segment_member WITH (security_invoker = true) AS
SELECT
    s.name AS segment, -- Name of the segment.
    m.id AS contact_id -- Number of a member.
FROM crm.segment s JOIN crm.segment_chunk k ON k.segment_id = s.id, crm.members(k.members) AS m (id);
COMMENT ON VIEW crm.v_segment_member IS 'The members of the segments, a row each, as of the last refresh; for joins, filter by segment.';

CREATE VIEW crm.v_segment_history WITH (security_invoker = true) AS
SELECT
    s.name AS segment, -- Name of the segment.
    c.contact_id, -- Who.
    c.at, -- When.
    c.entered, -- True: entered; false: left.
    c.cause, -- change (of the contact or of another segment), time, definition, members, or kept: older history was given up.
    c.refresh -- Number of the refresh: the order of changes.
FROM crm.segment s, crm.segment_changes(s.id) c;
COMMENT ON VIEW crm.v_segment_history IS 'Who entered and left which segment, when and why. Of one contact crm.contact_segment_history() is quicker.';

CREATE VIEW crm.v_segment_overlap WITH (security_invoker = true) AS
SELECT
    o.segment_a, -- A segment.
    o.segment_b, -- Another one; each pair comes once.
    o.members_a, -- Members of the first.
    o.members_b, -- Members of the second.
    o.in_both, -- Members of both.
    o.jaccard, -- Members of both by members of either.
    o.lift -- How much more often they meet than by chance.
FROM crm.segment_overlap() o;
COMMENT ON VIEW crm.v_segment_overlap IS 'The matrix of overlaps of all segments. Of some of many crm.segment_overlap(names) is quicker.';

CREATE VIEW crm.v_segment_goal WITH (security_invoker = true) AS
SELECT
    g.id AS goal_id, -- Number of the goal.
    s.name AS segment, -- Name of the segment.
    g.metric, -- Column of crm.contact_profile.
    g.aggregate, -- What is made of it over the members.
    g.target, -- What it shall reach.
    g.due, -- By when.
    v.value, -- What it is now; null when the segment is empty.
    v.value / nullif(g.target, 0) AS progress, -- What it is by what it shall reach; null when the segment is empty.
    v.value >= g.target AS is_reached, -- Whether it is reached.
    g.description -- Why.
FROM crm.segment_goal g JOIN crm.segment s ON s.id = g.segment_id,
     LATERAL (SELECT crm.segment_metric(s.name, g.metric, g.aggregate) AS value) v;
COMMENT ON VIEW crm.v_segment_goal IS 'How far the goals of segments are, over the members as of the last refresh.';

CREATE VIEW crm.v_segment_performance WITH (security_invoker = true) AS
SELECT
    a.name AS action, -- Name of the action.
    s.name AS segment, -- At whom it was aimed.
    a.started_at, -- When it began.
    a.started_at + a.lasts AS ends_at, -- Until when orders count.
    crm.cardinality(t.targets) AS targets, -- Contacts who got it.
    crm.cardinality(t.control) AS control, -- Contacts held back.
    g.responded, -- Targets who ordered in that time.
    g.orders, -- Their orders.
    g.revenue, -- What they came to, in the base currency.
    h.responded AS control_responded, -- Of those held back, who ordered.
    h.revenue AS control_revenue, -- What their orders came to.
    g.responded / nullif(crm.cardinality(t.targets), 0)::double precision AS response, -- Share of the targets who ordered.
    h.responded / nullif(crm.cardinality(t.control), 0)::double precision AS control_response, -- Share of those held back who ordered.
    (g.responded / nullif(crm.cardinality(t.targets), 0)::double precision)
        / nullif(h.responded / nullif(crm.cardinality(t.control), 0)::double precision, 0) - 1 AS lift, -- How much more often targets ordered than those held back: 0.1 is ten percent; null without a control group that ordered.
    g.revenue - h.revenue / nullif(crm.cardinality(t.control), 0) * crm.cardinality(t.targets) AS incremental_revenue -- Revenue beyond what the targets would have brought like those held back; null without these.
FROM crm.segment_action a JOIN crm.segment s ON s.id = a.segment_id
CROSS JOIN LATERAL (SELECT crm.standing_for(crm.from_roaring(a.targets)) AS targets) u
-- One who is merged with a target got it.
CROSS JOIN LATERAL (SELECT u.targets, crm.standing_for(crm.from_roaring(a.control)) OPERATOR(crm.-) u.targets AS control) t
CROSS JOIN LATERAL (
    SELECT count(DISTINCT o.contact_id) AS responded, count(*) AS orders, coalesce(sum(o.base_amount), 0) AS revenue
    FROM crm.sales_order o WHERE o.is_counted AND o.ordered_at >= a.started_at AND o.ordered_at < a.started_at + a.lasts AND o.contact_id OPERATOR(crm.<@) t.targets
) g
CROSS JOIN LATERAL (
    SELECT count(DISTINCT o.contact_id) AS responded, coalesce(sum(o.base_amount), 0) AS revenue
    FROM crm.sales_order o WHERE o.is_counted AND o.ordered_at >= a.started_at AND o.ordered_at < a.started_at + a.lasts AND o.contact_id OPERATOR(crm.<@) t.control
) h;
COMMENT ON VIEW crm.v_segment_performance IS 'What actions aimed at segments brought: orders of those who got them while they lasted, beside those held back.';
