CREATE VIEW crm.v_upcoming_occasion WITH (security_invoker = true) AS
SELECT
    o.day, -- The day, in the contact's time zone.
    concat_ws(' ', c.given_name, c.middle_name, c.family_name) AS contact, -- Whom to greet.
    o.name AS occasion, -- birthday, the kind of a date, or the name of a holiday.
    o.years, -- Years since the first; null of a holiday.
    o.note, -- What to say.
    a.name AS owner, -- The agent who is responsible.
    o.time_zone, -- The contact's time zone.
    o.begins_at, -- When the day begins there.
    o.contact_id, -- Number of the person.
    c.owner_id -- Number of the agent.
FROM crm.upcoming_occasions(current_date, current_date + 30) o
JOIN crm.contact c ON c.id = o.contact_id
LEFT JOIN crm.agent a ON a.id = c.owner_id
ORDER BY o.day, o.contact_id, o.name;
COMMENT ON VIEW crm.v_upcoming_occasion IS 'Birthdays, dates and holidays of living contacts in the next 30 days. crm.upcoming_occasions(from_day, to_day) asks the same of other days.';
