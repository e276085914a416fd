/* ------------------------------------------------------------------
 * Assignment: to whom leads, deals, contacts, tasks and calls go, and why;
 * rotation of clients.
 *
 * Every way of sharing out is one: a member of weight w has its turns at
 * base + (i - 1/2) / w, i = 1, 2, ..., and the least turns are given out.  The
 * base is where the member's turn has come to, or its open work.  With equal
 * weights that is round robin, with others the method of Webster: of n
 * assignments among k members who are always there none is off its share p by
 * more than 1/2 + p (k - 2) / 2.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.allot(bases double precision[], weights double precision[], rooms bigint[], wanted bigint,
    OUT place bigint, OUT member integer, OUT turn double precision) RETURNS SETOF record
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE ROWS 1000
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    members CONSTANT integer := coalesce(cardinality(bases), 0);
    low double precision;
    high double precision;
    middle double precision;
    enough boolean;
BEGIN
    IF members = 0 OR wanted < 1 THEN
        RETURN;
    END IF;
    -- Up to which turn there are as many as are wanted: nobody has more of them
    -- than need to be made.
    SELECT min(u.base), max(u.base) + (wanted + 1) / min(u.weight) INTO low, high FROM unnest(bases, weights) AS u (base, weight);
    IF members * wanted > 10000 THEN
        FOR step IN 1 .. 64 LOOP
            middle := low + (high - low) / 2;
            SELECT sum(least(u.room, greatest(floor((middle - u.base) * u.weight + 0.5), 0))) >= wanted INTO enough
            FROM unnest(bases, weights, rooms) AS u (base, weight, room);
            IF enough THEN
                high := middle;
            ELSE
                low := middle;
            END IF;
        END LOOP;
    END IF;
    RETURN QUERY
    SELECT row_number() OVER (ORDER BY t.turn, t.member), t.member, t.turn
    FROM (SELECT u.n::integer AS member, u.base + (i - 0.5) / u.weight AS turn
          FROM unnest(bases, weights, rooms) WITH ORDINALITY AS u (base, weight, room, n)
          CROSS JOIN LATERAL generate_series(1, least(u.room, wanted, greatest(floor((high - u.base) * u.weight + 0.5), 0)::bigint + 1)) i) t
    ORDER BY t.turn, t.member LIMIT wanted;
END
$$;
COMMENT ON FUNCTION crm.allot(double precision[], double precision[], bigint[], bigint) IS 'Shares out as many things as wanted among members: which member has the first, the second and so on. Member i has its turns at base + 1/2 by weight, 3/2 by weight and so on, and room for so many (null: any number); the least turns come first, of equal ones those of the earlier member. Fewer rows than wanted when there is no room.';

/* Staff as of a moment. */

CREATE FUNCTION crm.team_as_of(agent_id bigint, as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN EXISTS (SELECT FROM crm.employee_position p WHERE p.agent_id = $1)
                THEN (SELECT p.team_id FROM crm.employee_position p WHERE p.agent_id = $1 AND p.valid @> $2)
                ELSE (SELECT a.team_id FROM crm.agent a WHERE a.id = $1) END
$$;
COMMENT ON FUNCTION crm.team_as_of(bigint, timestamptz) IS 'The number of the team in which an agent was at a moment, by crm.employee_position; of one who has no entry there, crm.agent.team_id.';

CREATE FUNCTION crm.manager_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    circle bigint[];
BEGIN
    -- Up the managers, each for the time that all below have in common.
    WITH RECURSIVE above (agent_id, valid, path) AS (
        SELECT NEW.manager_id, NEW.valid, ARRAY[NEW.agent_id, NEW.manager_id]
        UNION ALL
        SELECT p.manager_id, a.valid * p.valid, a.path || p.manager_id
        FROM above a JOIN crm.employee_position p ON p.agent_id = a.agent_id AND p.valid && a.valid
        WHERE p.manager_id IS NOT NULL AND a.agent_id <> NEW.agent_id AND cardinality(a.path) < 100
    )
    SELECT a.path INTO circle FROM above a WHERE a.agent_id = NEW.agent_id LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'agent % would be under itself', NEW.agent_id
            USING ERRCODE = 'RM076', DETAIL = format('%s.', array_to_string(circle, ' -> ')),
                  HINT = 'Give another manager, or first put the manager under somebody else.';
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION crm.manager_check() IS 'Trigger of crm.employee_position: refuses a circle of managers at any time (RM076).';

CREATE FUNCTION crm.org_chart(as_of timestamptz DEFAULT now(), OUT agent_id bigint, OUT agent text, OUT "position" text, OUT team_id bigint, OUT team text,
    OUT manager_id bigint, OUT depth integer, OUT path text) RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE held AS (
        SELECT p.agent_id, p.position_id, p.team_id, p.manager_id, a.name
        FROM crm.employee_position p JOIN crm.agent a ON a.id = p.agent_id WHERE p.valid @> $1
    ), tree AS (
        SELECT h.*, 0 AS depth, ARRAY[h.name] AS path, ARRAY[h.agent_id] AS ids FROM held h
        WHERE h.manager_id IS NULL OR NOT EXISTS (SELECT FROM held m WHERE m.agent_id = h.manager_id)
        UNION ALL
        SELECT h.*, t.depth + 1, t.path || h.name, t.ids || h.agent_id FROM tree t JOIN held h ON h.manager_id = t.agent_id
        WHERE NOT h.agent_id = ANY (t.ids)
    )
    SELECT t.agent_id, t.name, n.name, t.team_id, m.name, t.manager_id, t.depth, array_to_string(t.path, ' / ')
    FROM tree t LEFT JOIN crm.position n ON n.id = t.position_id LEFT JOIN crm.team m ON m.id = t.team_id
    ORDER BY t.path, t.agent_id
$$;
COMMENT ON FUNCTION crm.org_chart(timestamptz) IS 'Who was under whom at a moment, in which position and team: depth 0 is the top, path the names from there; those below follow the one above.';

CREATE FUNCTION crm.is_absent(agent_id bigint, as_of timestamptz DEFAULT now()) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM crm.agent_absence a WHERE a.agent_id = $1 AND a.during @> $2)
$$;
COMMENT ON FUNCTION crm.is_absent(bigint, timestamptz) IS 'Whether an agent is absent at a moment, by crm.agent_absence.';

CREATE FUNCTION crm.agent_load(what text, agent_ids bigint[], OUT agent_id bigint, OUT load bigint) RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 10
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off AS $$
BEGIN
    CASE what
    WHEN 'lead' THEN
        RETURN QUERY SELECT u.id, (SELECT count(*) FROM crm.lead l WHERE l.owner_id = u.id AND l.status IN ('new', 'working', 'qualified') AND l.deleted_at IS NULL) FROM unnest(agent_ids) AS u (id);
    WHEN 'deal' THEN
        RETURN QUERY SELECT u.id, (SELECT count(*) FROM crm.deal d WHERE d.owner_id = u.id AND d.closed_at IS NULL AND d.deleted_at IS NULL) FROM unnest(agent_ids) AS u (id);
    WHEN 'contact' THEN
        RETURN QUERY SELECT u.id, (SELECT count(*) FROM crm.contact c WHERE c.owner_id = u.id AND c.deleted_at IS NULL AND c.merged_into IS NULL AND c.archived_at IS NULL) FROM unnest(agent_ids) AS u (id);
    ELSE
        RETURN QUERY SELECT u.id, (SELECT count(*) FROM crm.task t WHERE t.assignee_id = u.id AND t.status = 'open' AND (what = 'task' OR t.kind = 'call')) FROM unnest(agent_ids) AS u (id);
    END CASE;
END
$$;
COMMENT ON FUNCTION crm.agent_load(text, bigint[]) IS 'How much open work agents have: open leads, open deals, living contacts, open tasks, or open calls (tasks of kind call).';

/* Rules. */

CREATE FUNCTION crm.assignment_relation(what text) RETURNS regclass
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF what IS NULL OR what <> ALL ('{lead,deal,contact,task,call}'::text[]) THEN
        RAISE EXCEPTION 'a "%" cannot be assigned', coalesce(what, 'null')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'What can is lead, deal, contact, task and call.';
    END IF;
    RETURN CASE what WHEN 'lead' THEN 'crm.lead' WHEN 'deal' THEN 'crm.deal' WHEN 'contact' THEN 'crm.contact_profile' ELSE 'crm.task' END::regclass;
END
$$;
COMMENT ON FUNCTION crm.assignment_relation(text) IS 'The relation over whose rows the rules for leads, deals, contacts, tasks or calls are written. Errors: 22023 something else.';

CREATE FUNCTION crm.assignment_rule_check() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    relation CONSTANT regclass := crm.assignment_relation(NEW.what);
    problem record;
BEGIN
    PERFORM crm.require_choice('method', NEW.method, '{round_robin,weighted,least_loaded,skill,territory,calendar}');
    NEW.rule := NEW.definition::crm.rule;
    FOR problem IN SELECT * FROM crm.rule_check(NEW.rule, relation) LOOP
        RAISE EXCEPTION 'the rule of assignment "%" does not fit: %', NEW.name, problem.message
            USING ERRCODE = problem.code, DETAIL = format('Condition: %s', problem.condition), HINT = coalesce(problem.hint, '');
    END LOOP;
    IF NEW.skill_field IS NOT NULL AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = NEW.skill_field AND a.attnum > 0 AND NOT a.attisdropped) THEN
        RAISE EXCEPTION 'relation % has no column "%"', relation, NEW.skill_field
            USING ERRCODE = 'undefined_column', HINT = 'skill_field is the column whose value names the skill.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION crm.assignment_rule_check() IS 'Trigger of crm.assignment_rule: reads the rule of column definition into column rule. Errors: 23514 an unknown method; 42601 no rule; 42703 a field that the rows lack, or skill_field is no column.';

CREATE FUNCTION crm.keep_assignments() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'entries of crm.% cannot be changed or removed', TG_TABLE_NAME
        USING ERRCODE = 'RM020', HINT = format('To shorten it all the same, the owner of the table disables its trigger: ALTER TABLE crm.%I DISABLE TRIGGER append_only.', TG_TABLE_NAME);
END
$$;
COMMENT ON FUNCTION crm.keep_assignments() IS 'Trigger: keeps crm.assignment_log and crm.assignment_decision append-only. Raises RM020.';

CREATE FUNCTION crm.assignment_candidates(rule text, wanted text DEFAULT NULL, as_of timestamptz DEFAULT now(),
    OUT member_id bigint, OUT agent_id bigint, OUT weight double precision, OUT turn double precision, OUT load bigint, OUT capacity bigint,
    OUT assigned bigint, OUT skipped text) RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 10
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    r crm.assignment_rule;
    hours text;                 -- name of a calendar
    is_open boolean;
    closed text[] := '{}';      -- calendars whose hours it is not
BEGIN
    SELECT * INTO r FROM crm.assignment_rule a WHERE a.name = assignment_candidates.rule;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no rule of assignment "%"', coalesce(rule, 'null') USING ERRCODE = 'RM073', HINT = 'crm.assignment_rule lists them.';
    END IF;
    FOR hours IN SELECT r.calendar WHERE r.calendar IS NOT NULL UNION SELECT m.calendar FROM crm.assignment_member m WHERE m.rule_id = r.id AND m.calendar IS NOT NULL LOOP
        IF NOT EXISTS (SELECT FROM crm.business_calendar c WHERE c.name = hours) THEN
            RAISE EXCEPTION 'there is no business calendar "%"', hours USING ERRCODE = 'RM074',
                DETAIL = format('Rule of assignment "%s" asks for it.', r.name),
                HINT = format('SELECT crm.create_calendar(%L, ''Mo-Fr 09:00-18:00''), or correct the column calendar of the rule and its members.', hours);
        END IF;
        is_open := crm.is_business_time(hours, as_of);
        IF is_open IS NOT TRUE THEN
            closed := closed || hours;
        END IF;
    END LOOP;
    RETURN QUERY
    WITH RECURSIVE region AS (
        SELECT t.id, t.parent_id, 0 AS distance FROM crm.territory t WHERE r.method = 'territory' AND t.id = wanted::bigint
        UNION ALL
        SELECT t.id, t.parent_id, g.distance + 1 FROM region g JOIN crm.territory t ON t.id = g.parent_id WHERE g.distance < 100
    ), member AS (
        SELECT u.id, m.weight, a.active, away.during, away.substitute_id, coalesce(away.substitute_id, u.id) AS taker, coalesce(t.assigned, 0) AS assigned, t.turn
        FROM (SELECT m.agent_id AS id FROM crm.assignment_member m WHERE m.rule_id = r.id
              UNION SELECT a.id FROM crm.agent a WHERE r.team_id IS NOT NULL AND a.active AND r.team_id = crm.team_as_of(a.id, as_of)) u
        JOIN crm.agent a ON a.id = u.id
        LEFT JOIN crm.assignment_member m ON m.rule_id = r.id AND m.agent_id = u.id
        LEFT JOIN crm.assignment_turn t ON t.rule_id = r.id AND t.agent_id = u.id
        LEFT JOIN LATERAL (
            -- Who stands in must be there.
            SELECT b.during, CASE WHEN s.active AND NOT crm.is_absent(s.id, as_of) THEN s.id END AS substitute_id
            FROM crm.agent_absence b LEFT JOIN crm.agent s ON s.id = b.substitute_id
            WHERE b.agent_id = u.id AND b.during @> as_of ORDER BY upper(b.during) DESC, b.id LIMIT 1) away ON true
    ), taken AS (
        SELECT m.*, w.capacity::bigint AS capacity, coalesce(w.calendar, r.calendar) AS calendar, g.territory_id, e.distance,
               CASE WHEN r.method IN ('weighted', 'least_loaded') THEN coalesce(m.weight, 1)::double precision ELSE 1 END AS share,
               (SELECT s.level FROM crm.agent_skill s WHERE s.agent_id = m.taker AND s.skill = wanted) AS level
        FROM member m JOIN crm.agent g ON g.id = m.taker
        LEFT JOIN crm.assignment_member w ON w.rule_id = r.id AND w.agent_id = m.taker
        LEFT JOIN region e ON e.id = g.territory_id
    ), loaded AS (
        SELECT t.*, l.load FROM taken t
        LEFT JOIN crm.agent_load(r.what, ARRAY(SELECT DISTINCT k.taker FROM taken k WHERE k.capacity IS NOT NULL OR r.method = 'least_loaded')) l ON l.agent_id = t.taker
    ), judged AS (
        SELECT l.*, CASE
            WHEN NOT l.active THEN 'is no longer active'
            WHEN l.during IS NOT NULL AND l.substitute_id IS NULL THEN 'is absent' || coalesce(' until ' || to_char(upper(l.during) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') || ' UTC', '')
            WHEN l.taker <> l.id AND l.capacity IS NOT NULL THEN 'is absent, and who stands in has a capacity of its own'
            WHEN r.method = 'skill' AND wanted IS NULL THEN 'no skill is named'
            WHEN r.method = 'skill' AND l.level IS NULL THEN format('lacks the skill "%s"', wanted)
            WHEN r.method = 'skill' AND l.level < r.skill_level THEN format('has the skill "%s" at level %s, below %s', wanted, l.level, r.skill_level)
            WHEN r.method = 'territory' AND wanted IS NULL THEN 'no territory is known'
            WHEN r.method = 'territory' AND l.distance IS NULL THEN 'works in another territory'
            WHEN l.calendar = ANY (closed) THEN format('is outside the hours of calendar "%s"', l.calendar)
            WHEN l.load >= l.capacity THEN format('has %s of %s', l.load, l.capacity)
            END AS reason
        FROM loaded l
    )
    SELECT j.id, j.taker, j.share,
           CASE WHEN r.method = 'least_loaded' THEN j.load / j.share
                -- Who was away does not get all that was missed.
                WHEN j.turn IS NULL THEN coalesce(c.turn, 0) ELSE greatest(j.turn, c.turn - 0.5 / j.share) END,
           j.load, j.capacity, j.assigned,
           coalesce(j.reason, CASE WHEN r.method = 'territory' AND j.distance > min(j.distance) FILTER (WHERE j.reason IS NULL) OVER () THEN 'one of a nearer territory is there' END)
    FROM judged j LEFT JOIN crm.assignment_counter c ON c.rule_id = r.id
    ORDER BY j.id;
END
$$;
COMMENT ON FUNCTION crm.assignment_candidates(text, text, timestamptz) IS 'Who takes part in a rule of assignment at a moment, for the skill or the territory (its number) that is wanted: the member, who takes the turn (a substitute, while the member is absent), the weight, where the turn has come to (of method least_loaded: the open work by weight), how much open work there is and may be, how much the member''s turn has had, and why the member is skipped, null when it is not. Errors: RM073 no such rule; RM074 the rule names a calendar that there is not.';

/*
 * Assigning.  Plans that are kept are good for a few; for many the functions
 * below plan for the arrays that they are given.
 */

CREATE FUNCTION crm.assign_by_rule(rule_id bigint, wanted text, ids bigint[], as_of timestamptz,
    OUT record_id bigint, OUT agent_id bigint) RETURNS SETOF record
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    r crm.assignment_rule;
    is_task boolean;
    members bigint[];
    agents bigint[];
    bases double precision[];
    weights double precision[];
    rooms bigint[];
    looked_at jsonb;
    given_ids bigint[];
    given_members integer[];
    given_turns double precision[];
    decision bigint;
    before timestamptz;
BEGIN
    SELECT * INTO r FROM crm.assignment_rule a WHERE a.id = assign_by_rule.rule_id;
    is_task := r.what IN ('task', 'call');
    -- Whoever assigns by this rule at the same time waits here.
    INSERT INTO crm.assignment_counter AS c (rule_id) VALUES (r.id) ON CONFLICT (rule_id) DO NOTHING;
    PERFORM FROM crm.assignment_counter c WHERE c.rule_id = r.id FOR UPDATE;
    SELECT array_agg(c.member_id ORDER BY c.assigned_first, c.member_id) FILTER (WHERE c.skipped IS NULL),
           array_agg(c.agent_id ORDER BY c.assigned_first, c.member_id) FILTER (WHERE c.skipped IS NULL),
           array_agg(c.turn ORDER BY c.assigned_first, c.member_id) FILTER (WHERE c.skipped IS NULL),
           array_agg(c.weight ORDER BY c.assigned_first, c.member_id) FILTER (WHERE c.skipped IS NULL),
           array_agg(c.capacity - c.load ORDER BY c.assigned_first, c.member_id) FILTER (WHERE c.skipped IS NULL),
           jsonb_agg(jsonb_strip_nulls(jsonb_build_object('agent_id', c.agent_id, 'stands_in_for', nullif(c.member_id, c.agent_id), 'weight', c.weight, 'turn', c.turn,
                                                          'load', c.load, 'capacity', c.capacity, 'skipped', c.skipped)) ORDER BY c.member_id)
    INTO members, agents, bases, weights, rooms, looked_at
    FROM (SELECT k.*, CASE WHEN r.method = 'least_loaded' THEN k.assigned ELSE 0 END AS assigned_first
          FROM crm.assignment_candidates(r.name, wanted, as_of) k) c;
    SELECT array_agg(ids[a.place] ORDER BY a.place), array_agg(a.member ORDER BY a.place), array_agg(a.turn ORDER BY a.place)
    INTO given_ids, given_members, given_turns
    FROM crm.allot(bases, weights, rooms, cardinality(ids)) a;

    INSERT INTO crm.assignment_decision (rule_id, rule, method, wanted, decided_at, candidates)
    VALUES (r.id, r.name, r.method, wanted, as_of, coalesce(looked_at, '[]')) RETURNING id INTO decision;
    INSERT INTO crm.assignment_log (what, record_id, decision_id, agent_id, turn, assigned_at, actor)
    SELECT r.what, u.id, decision, agents[given_members[u.n]], given_turns[u.n], as_of, crm.current_actor()
    FROM unnest(ids) WITH ORDINALITY AS u (id, n) ORDER BY u.n;
    IF given_ids IS NULL THEN
        RETURN;
    END IF;
    before := crm.set_effective_at(as_of);
    EXECUTE format('UPDATE %s x SET %I = $2[u.member] FROM unnest($1, $3) AS u (id, member) WHERE x.id = u.id',
                   CASE r.what WHEN 'lead' THEN 'crm.lead' WHEN 'deal' THEN 'crm.deal' WHEN 'contact' THEN 'crm.contact' ELSE 'crm.task' END,
                   CASE WHEN is_task THEN 'assignee_id' ELSE 'owner_id' END) USING given_ids, agents, given_members;
    PERFORM crm.set_effective_at(before);
    UPDATE crm.assignment_counter c SET assigned = c.assigned + cardinality(given_ids),
        turn = CASE WHEN r.method = 'least_loaded' THEN c.turn ELSE greatest(c.turn, (SELECT max(t) FROM unnest(given_turns) t)) END
    WHERE c.rule_id = r.id;
    -- Who was there and got nothing keeps the turn as well; most have it.
    INSERT INTO crm.assignment_turn AS t (rule_id, agent_id, turn, assigned)
    SELECT r.id, m.id, CASE WHEN r.method = 'least_loaded' THEN 0 ELSE m.base + coalesce(g.n, 0) / m.weight END, coalesce(g.n, 0)
    FROM unnest(members, bases, weights) WITH ORDINALITY AS m (id, base, weight, place)
    LEFT JOIN (SELECT u.member, count(*) AS n FROM unnest(given_members) AS u (member) GROUP BY u.member) g ON g.member = m.place
    WHERE g.n > 0 OR NOT EXISTS (SELECT FROM crm.assignment_turn x WHERE x.rule_id = r.id AND x.agent_id = m.id AND (x.turn = m.base OR r.method = 'least_loaded'))
    ON CONFLICT (rule_id, agent_id) DO UPDATE SET turn = excluded.turn, assigned = t.assigned + excluded.assigned;
    RETURN QUERY SELECT u.id, agents[u.member] FROM unnest(given_ids, given_members) AS u (id, member);
END
$$;
COMMENT ON FUNCTION crm.assign_by_rule(bigint, text, bigint[], timestamptz) IS 'The part of crm.assign_all() that is one rule''s, for one skill or territory: gives out the turns, logs them and writes the owners. The caller holds the rows.';

CREATE FUNCTION crm.assign_all(what text, ids bigint[], rule text DEFAULT NULL, as_of timestamptz DEFAULT now(),
    OUT record_id bigint, OUT agent_id bigint, OUT by_rule text, OUT was_assigned boolean) RETURNS SETOF record
LANGUAGE plpgsql ROWS 100
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = auto AS $$
#variable_conflict use_column
DECLARE
    relation CONSTANT regclass := crm.assignment_relation(what);
    is_task CONSTANT boolean := what IN ('task', 'call');
    base CONSTANT text := CASE what WHEN 'lead' THEN 'crm.lead' WHEN 'deal' THEN 'crm.deal' WHEN 'contact' THEN 'crm.contact' ELSE 'crm.task' END;
    key CONSTANT text := CASE what WHEN 'contact' THEN 'contact_id' ELSE 'id' END;
    present bigint[];
    owners bigint[];
    waiting bigint[];           -- those without an owner, in the order asked for
    matched bigint[];
    done_ids bigint[] := '{}';
    done_agents bigint[] := '{}';
    done_rules text[] := '{}';
    r crm.assignment_rule;
    part record;
    outcome record;
BEGIN
    PERFORM crm.require_installed();
    IF rule IS NOT NULL AND NOT EXISTS (SELECT FROM crm.assignment_rule a WHERE a.name = assign_all.rule AND a.what = assign_all.what) THEN
        RAISE EXCEPTION 'there is no rule of assignment "%" for a %', rule, what USING ERRCODE = 'RM073', HINT = 'crm.assignment_rule lists them.';
    END IF;
    IF cardinality(ids) > 20 THEN
        SET LOCAL plan_cache_mode = force_custom_plan;
    END IF;
    EXECUTE format('SELECT array_agg(x.id), array_agg(x.owner_id)
                    FROM (SELECT o.id, o.%I AS owner_id FROM %s o WHERE o.id = ANY ($1) %s ORDER BY o.id FOR NO KEY UPDATE) x',
                   CASE WHEN is_task THEN 'assignee_id' ELSE 'owner_id' END, base,
                   CASE what WHEN 'call' THEN 'AND o.kind = ''call''' WHEN 'task' THEN '' ELSE 'AND o.deleted_at IS NULL' END)
    INTO present, owners USING ids;
    IF EXISTS (SELECT FROM unnest(ids) AS u (id) WHERE u.id IS NULL OR u.id <> ALL (coalesce(present, '{}'))) AND cardinality(ids) <= 1000
       OR cardinality(ids) > 1000 AND EXISTS (SELECT u.id FROM unnest(ids) AS u (id) EXCEPT SELECT p.id FROM unnest(present) AS p (id)) THEN
        RAISE EXCEPTION 'there is no % %', what, (SELECT coalesce(min(u.id)::text, 'null') FROM (SELECT u.id FROM unnest(ids) AS u (id) EXCEPT SELECT p.id FROM unnest(present) AS p (id)) u)
            USING ERRCODE = 'RM004';
    END IF;
    SELECT array_agg(u.id ORDER BY u.place) INTO waiting
    FROM (SELECT i.id, min(i.place) AS place FROM unnest(ids) WITH ORDINALITY AS i (id, place) GROUP BY i.id) u
    JOIN unnest(present, owners) AS p (id, owner_id) ON p.id = u.id WHERE p.owner_id IS NULL;
    FOR r IN SELECT a.* FROM crm.assignment_rule a WHERE a.what = assign_all.what AND CASE WHEN assign_all.rule IS NULL THEN a.enabled ELSE a.name = assign_all.rule END
             ORDER BY a.priority, a.id LOOP
        EXIT WHEN waiting IS NULL;
        matched := waiting;
        IF r.rule IS NOT NULL THEN
            EXECUTE format('SELECT array_agg(u.id ORDER BY u.place) FROM unnest($1) WITH ORDINALITY AS u (id, place) JOIN %s x ON x.%I = u.id WHERE %s',
                           relation, key, crm.rule_sql(r.rule, relation, as_of, 'x')) INTO matched USING waiting;
            CONTINUE WHEN matched IS NULL;
        END IF;
        -- Those who want the same skill, or are of the same territory, go together.
        FOR part IN EXECUTE format('SELECT w.wanted, array_agg(w.id ORDER BY w.place) AS ids
                                    FROM (SELECT u.id, u.place, %s AS wanted FROM unnest($1) WITH ORDINALITY AS u (id, place) %s) w
                                    GROUP BY w.wanted ORDER BY min(w.place)',
            CASE r.method
                WHEN 'skill' THEN CASE WHEN r.skill_field IS NULL THEN quote_literal(r.skill)
                                       ELSE format('coalesce(nullif(x.%I::text, ''''), %L)', r.skill_field, r.skill) END
                WHEN 'territory' THEN CASE what
                    WHEN 'lead' THEN 'x.territory_id::text' WHEN 'contact' THEN 'x.territory_id::text'
                    ELSE 'coalesce((SELECT c.territory_id FROM crm.contact c WHERE c.id = x.contact_id), (SELECT c.territory_id FROM crm.company c WHERE c.id = x.company_id))::text' END
                ELSE 'NULL::text' END,
            CASE WHEN r.method IN ('skill', 'territory') THEN format('JOIN %s x ON x.%I = u.id', relation, key) ELSE '' END) USING matched LOOP
            FOR outcome IN SELECT array_agg(a.record_id) AS ids, array_agg(a.agent_id) AS agents FROM crm.assign_by_rule(r.id, part.wanted, part.ids, as_of) a LOOP
                done_ids := done_ids || outcome.ids;
                done_agents := done_agents || outcome.agents;
                done_rules := done_rules || array_fill(r.name, ARRAY[coalesce(cardinality(outcome.ids), 0)]);
            END LOOP;
        END LOOP;
        SELECT array_agg(u.id ORDER BY u.place) INTO waiting
        FROM unnest(waiting) WITH ORDINALITY AS u (id, place) LEFT JOIN unnest(done_ids) AS d (id) ON d.id = u.id WHERE d.id IS NULL;
    END LOOP;
    RETURN QUERY
    SELECT i.id, coalesce(d.agent_id, p.owner_id), d.rule, d.id IS NOT NULL
    FROM (SELECT u.id, min(u.place) AS place FROM unnest(ids) WITH ORDINALITY AS u (id, place) GROUP BY u.id) i
    JOIN unnest(present, owners) AS p (id, owner_id) ON p.id = i.id
    LEFT JOIN unnest(done_ids, done_agents, done_rules) AS d (id, agent_id, rule) ON d.id = i.id
    ORDER BY i.place;
END
$$;
COMMENT ON FUNCTION crm.assign_all(text, bigint[], text, timestamptz) IS 'Gives leads, deals, contacts, tasks or calls that have nobody to agents, by the rules of crm.assignment_rule in the order of priority, or by the rule named; those first in ids first. Which has somebody keeps him: of sessions that assign one thing at once the first counts. Gives for each the agent (null when no rule has anybody), the rule, and whether this call assigned it. Errors: 22023 not one of lead, deal, contact, task, call; RM004 no such row; RM073 no such rule; RM074 the rule names a calendar that there is not.';

CREATE FUNCTION crm.assign(what text, id bigint, rule text DEFAULT NULL, as_of timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE sql
SET search_path = pg_catalog, pg_temp AS $$
    SELECT a.agent_id FROM crm.assign_all(what, ARRAY[id], rule, as_of) a
$$;
COMMENT ON FUNCTION crm.assign(text, bigint, text, timestamptz) IS 'Gives a lead, deal, contact, task or call to an agent and returns the agent''s number; null when no rule has anybody. Who has it already keeps it. See crm.assign_all(), whose errors it raises, and crm.explain_assignment().';

CREATE FUNCTION crm.explain_assignment(what text, id bigint, OUT assigned_at timestamptz, OUT rule text, OUT method text, OUT wanted text,
    OUT agent_id bigint, OUT agent text, OUT outcome text, OUT reason text, OUT turn numeric) RETURNS SETOF record
LANGUAGE sql STABLE ROWS 10
SET search_path = pg_catalog, pg_temp AS $$
    WITH latest AS (
        SELECT l.* FROM crm.assignment_log l
        WHERE l.record_id = $2 AND l.what = $1
          AND l.assigned_at = (SELECT m.assigned_at FROM crm.assignment_log m WHERE m.record_id = $2 AND m.what = $1 ORDER BY m.id DESC LIMIT 1)
    ), candidate AS (
        SELECT l.id, l.assigned_at, l.agent_id AS chosen, l.turn AS chosen_turn, d.rule, d.method, d.wanted, c.n, (c.e ->> 'agent_id')::bigint AS agent_id,
               c.e ->> 'skipped' AS skipped, (c.e ->> 'stands_in_for')::bigint AS stands_in_for, c.e ->> 'load' AS load, c.e ->> 'capacity' AS capacity,
               round(((c.e ->> 'turn')::double precision + 0.5 / (c.e ->> 'weight')::double precision)::numeric, 4) AS turn
        FROM latest l JOIN crm.assignment_decision d ON d.id = l.decision_id
        CROSS JOIN LATERAL jsonb_array_elements(d.candidates) WITH ORDINALITY AS c (e, n)
    ), ranked AS (
        SELECT c.*, c.skipped IS NULL AND c.agent_id = c.chosen
                    AND row_number() OVER (PARTITION BY c.id, c.skipped IS NULL AND c.agent_id = c.chosen ORDER BY c.turn, c.n) = 1 AS is_chosen
        FROM candidate c
    )
    SELECT r.assigned_at, r.rule, r.method, r.wanted, r.agent_id, a.name,
           CASE WHEN r.is_chosen THEN 'assigned' WHEN r.skipped IS NOT NULL THEN 'skipped' ELSE 'waits' END,
           CASE WHEN r.skipped IS NOT NULL THEN r.skipped
                WHEN r.method IN ('rotation', 'transfer') THEN NULL
                ELSE concat_ws(', ', CASE WHEN r.is_chosen AND r.method = 'least_loaded' THEN 'has the least open work'
                                          WHEN r.is_chosen THEN 'has the turn' WHEN r.method = 'least_loaded' THEN 'has as much or more' ELSE 'has a later turn' END,
                               'stands in for ' || s.name, 'has ' || r.load || coalesce(' of ' || r.capacity, '')) END,
           CASE WHEN r.is_chosen THEN round(r.chosen_turn::numeric, 4) WHEN r.skipped IS NULL THEN r.turn END
    FROM ranked r LEFT JOIN crm.agent a ON a.id = r.agent_id LEFT JOIN crm.agent s ON s.id = r.stands_in_for
    ORDER BY r.id, r.is_chosen DESC, r.skipped IS NOT NULL, r.turn, r.n
$$;
COMMENT ON FUNCTION crm.explain_assignment(text, bigint) IS 'Why a lead, deal, contact, task, call or company went to its agent when it was last assigned: the rules that were tried, and of each the members, who got it first, then those whose turn comes later, then who was skipped and why. turn is where each one''s next turn stood; of several assigned at once that of the chosen may be a later one of his.';

/* Rotation. */

CREATE FUNCTION crm.rotate_clients(contact_ids bigint[], policy jsonb DEFAULT '{}', dry_run boolean DEFAULT true, as_of timestamptz DEFAULT now(),
    OUT contact_id bigint, OUT old_owner_id bigint, OUT new_owner_id bigint, OUT company_id bigint, OUT reason text) RETURNS SETOF record
LANGUAGE plpgsql ROWS 1000
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = auto AS $$
#variable_conflict use_column
DECLARE
    unknown text;
    keep_company CONSTANT boolean := coalesce((policy ->> 'keep_company')::boolean, true);
    span CONSTANT text := coalesce(policy ->> 'not_back', '180 days');
    not_back CONSTANT interval := span;
    method CONSTANT text := coalesce(policy ->> 'method', 'round_robin');
    pool bigint[];
    counts double precision[];
    ids bigint[];               -- the contacts, and at the same places ...
    owners bigint[];            -- ... whose they are
    companies bigint[];         -- ... and with which company they go
    part record;
    given_units bigint[] := '{}';   -- contacts, or companies as negative numbers
    given_agents bigint[] := '{}';
    result_ids bigint[];
    result_owners bigint[];
    result_agents bigint[];
    result_companies bigint[];
    decision bigint;
    before timestamptz;
BEGIN
    PERFORM crm.require_installed();
    SELECT string_agg(k, ', ') INTO unknown FROM jsonb_object_keys(policy) k WHERE k <> ALL ('{team,agents,method,keep_company,not_back,with_deals,with_tasks}');
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'unknown part of a policy of rotation: %', unknown
            USING ERRCODE = 'invalid_parameter_value', HINT = 'It may have team, agents, method, keep_company, not_back, with_deals and with_tasks.';
    ELSIF method NOT IN ('round_robin', 'least_loaded') THEN
        RAISE EXCEPTION 'unknown method of rotation "%"', method USING ERRCODE = 'invalid_parameter_value', HINT = 'It is round_robin or least_loaded.';
    ELSIF policy ->> 'team' IS NOT NULL AND NOT EXISTS (SELECT FROM crm.team t WHERE t.name = policy ->> 'team') THEN
        RAISE EXCEPTION 'there is no team "%"', policy ->> 'team' USING ERRCODE = 'RM004', HINT = 'crm.team lists them.';
    ELSIF policy ? 'agents' AND EXISTS (SELECT FROM crm.json_texts(policy -> 'agents') e WHERE e !~ '^\d{1,18}$' OR NOT EXISTS (SELECT FROM crm.agent a WHERE a.id = e::bigint)) THEN
        RAISE EXCEPTION 'agents of a policy of rotation are numbers of agents' USING ERRCODE = 'RM004', DETAIL = format('Given: %s.', policy -> 'agents'), HINT = 'crm.agent lists them.';
    END IF;
    SET LOCAL plan_cache_mode = force_custom_plan;
    SELECT array_agg(a.id ORDER BY a.id) INTO pool FROM crm.agent a
    WHERE a.active AND NOT crm.is_absent(a.id, as_of)
      AND (a.id IN (SELECT e::bigint FROM crm.json_texts(policy -> 'agents') e)
           OR crm.team_as_of(a.id, as_of) = (SELECT t.id FROM crm.team t WHERE t.name = policy ->> 'team')
           OR NOT policy ?| '{agents,team}');
    IF pool IS NULL THEN
        RAISE EXCEPTION 'there is nobody to rotate clients to' USING ERRCODE = 'RM075', DETAIL = 'The agents of the policy are absent, inactive, or none.';
    END IF;
    counts := CASE method WHEN 'least_loaded' THEN ARRAY(SELECT l.load::double precision FROM crm.agent_load('contact', pool) l ORDER BY l.agent_id)
                          ELSE array_fill(0::double precision, ARRAY[cardinality(pool)]) END;
    -- The contacts, and those who are at the same company.
    WITH asked AS (
        SELECT c.id, CASE WHEN keep_company THEN k.company_id END AS company_id
        FROM (SELECT DISTINCT u.id FROM unnest(contact_ids) AS u (id)) i
        JOIN crm.contact c ON c.id = i.id AND c.deleted_at IS NULL AND c.merged_into IS NULL
        LEFT JOIN crm.company_contact k ON k.contact_id = c.id AND k.is_primary AND upper_inf(k.valid)
    ), client AS (
        SELECT a.id, a.company_id FROM asked a
        UNION
        SELECT k.contact_id, k.company_id FROM (SELECT DISTINCT a.company_id FROM asked a WHERE a.company_id IS NOT NULL) w
        JOIN crm.company_contact k ON k.company_id = w.company_id AND k.is_primary AND upper_inf(k.valid)
        JOIN crm.contact c ON c.id = k.contact_id AND c.deleted_at IS NULL AND c.merged_into IS NULL
    )
    SELECT array_agg(l.id ORDER BY l.id), array_agg(l.company_id ORDER BY l.id) INTO ids, companies FROM client l;
    IF NOT dry_run THEN
        PERFORM FROM crm.contact c WHERE c.id = ANY (ids) ORDER BY c.id FOR NO KEY UPDATE;
    END IF;
    SELECT array_agg(c.owner_id ORDER BY u.n) INTO owners FROM unnest(ids) WITH ORDINALITY AS u (id, n) JOIN crm.contact c ON c.id = u.id;
    -- Those who may go to the same agents are shared out together, the ones with
    -- the least choice first.
    FOR part IN
        WITH client AS (
            SELECT coalesce(-u.company_id, u.id) AS unit, u.id, u.owner_id FROM unnest(ids, owners, companies) AS u (id, owner_id, company_id)
        ), barred AS (
            SELECT c.unit, c.owner_id AS agent_id FROM client c WHERE c.owner_id IS NOT NULL
            UNION
            SELECT c.unit, h.owner_id FROM client c JOIN crm.ownership_history h ON h.record_id = c.id AND h.entity = 'contact'
            WHERE h.valid && tstzrange(as_of - not_back, as_of, '(]')
        ), choice AS (
            SELECT u.unit, coalesce(b.agents, '{}') AS barred
            FROM (SELECT DISTINCT c.unit FROM client c) u
            LEFT JOIN (SELECT d.unit, array_agg(d.agent_id ORDER BY d.agent_id) AS agents FROM barred d WHERE d.agent_id = ANY (pool) GROUP BY d.unit) b ON b.unit = u.unit
        )
        SELECT c.barred, array_agg(c.unit ORDER BY abs(c.unit), c.unit) AS units FROM choice c GROUP BY c.barred ORDER BY cardinality(c.barred) DESC, c.barred
    LOOP
        WITH open AS (
            SELECT array_agg(p.n ORDER BY p.n) AS places, array_agg(counts[p.n] ORDER BY p.n) AS bases, array_agg(1::double precision) AS weights, array_agg(NULL::bigint) AS rooms
            FROM unnest(pool) WITH ORDINALITY AS p (id, n) WHERE p.id <> ALL (part.barred)
        ), turn AS MATERIALIZED (
            SELECT a.place, o.places[a.member] AS n FROM open o CROSS JOIN LATERAL crm.allot(o.bases, o.weights, o.rooms, cardinality(part.units)) a
        )
        SELECT given_units || coalesce(array_agg(part.units[t.place] ORDER BY t.place), '{}'), given_agents || coalesce(array_agg(pool[t.n] ORDER BY t.place), '{}'),
               ARRAY(SELECT counts[p.n] + (SELECT count(*) FROM turn x WHERE x.n = p.n) FROM generate_series(1, cardinality(pool)) AS p (n) ORDER BY p.n)
        INTO given_units, given_agents, counts
        FROM turn t;
    END LOOP;
    SELECT array_agg(u.id), array_agg(u.owner_id), array_agg(g.agent_id), array_agg(u.company_id)
    INTO result_ids, result_owners, result_agents, result_companies
    FROM unnest(ids, owners, companies) AS u (id, owner_id, company_id)
    LEFT JOIN unnest(given_units, given_agents) AS g (unit, agent_id) ON g.unit = coalesce(-u.company_id, u.id);

    IF NOT dry_run AND result_ids IS NOT NULL THEN
        before := crm.set_effective_at(as_of);
        UPDATE crm.contact c SET owner_id = u.agent_id FROM unnest(result_ids, result_agents) AS u (id, agent_id) WHERE c.id = u.id AND u.agent_id IS NOT NULL;
        UPDATE crm.company o SET owner_id = u.agent_id
        FROM (SELECT DISTINCT r.company_id, r.agent_id FROM unnest(result_companies, result_agents) AS r (company_id, agent_id)) u
        WHERE o.id = u.company_id AND u.agent_id IS NOT NULL
          AND (o.owner_id IS NULL OR EXISTS (SELECT FROM unnest(result_companies, result_owners) AS w (company_id, owner_id) WHERE w.company_id = o.id AND w.owner_id = o.owner_id));
        IF coalesce((policy ->> 'with_deals')::boolean, true) THEN
            UPDATE crm.deal d SET owner_id = u.agent_id FROM unnest(result_ids, result_owners, result_agents) AS u (id, owner_id, agent_id)
            WHERE d.contact_id = u.id AND d.owner_id = u.owner_id AND d.closed_at IS NULL AND d.deleted_at IS NULL AND u.agent_id IS NOT NULL;
        END IF;
        IF coalesce((policy ->> 'with_tasks')::boolean, true) THEN
            UPDATE crm.task t SET assignee_id = u.agent_id FROM unnest(result_ids, result_owners, result_agents) AS u (id, owner_id, agent_id)
            WHERE t.contact_id = u.id AND t.assignee_id = u.owner_id AND t.status = 'open' AND u.agent_id IS NOT NULL;
        END IF;
        PERFORM crm.set_effective_at(before);
        INSERT INTO crm.assignment_decision (rule, method, decided_at, candidates)
        SELECT 'rotation', 'rotation', as_of, jsonb_agg(jsonb_build_object('agent_id', p.id, 'weight', 1, 'turn', p.count) ORDER BY p.id)
        FROM unnest(pool, counts) AS p (id, count) RETURNING id INTO decision;
        INSERT INTO crm.assignment_log (what, record_id, decision_id, agent_id, previous_id, assigned_at, actor)
        SELECT 'contact', u.id, decision, u.agent_id, u.owner_id, as_of, crm.current_actor()
        FROM unnest(result_ids, result_owners, result_agents) AS u (id, owner_id, agent_id);
    END IF;
    RETURN QUERY
    SELECT u.id, u.owner_id, coalesce(u.agent_id, u.owner_id), u.company_id,
           CASE WHEN u.agent_id IS NULL THEN format('stays: everybody had the client within %s', span)
                WHEN u.company_id IS NOT NULL THEN 'goes with its company' ELSE 'goes' END
    FROM unnest(result_ids, result_owners, result_agents, result_companies) AS u (id, owner_id, agent_id, company_id) ORDER BY u.id;
END
$$;
COMMENT ON FUNCTION crm.rotate_clients(bigint[], jsonb, boolean, timestamptz) IS 'Gives contacts to other agents: by default only tells who would go to whom (dry_run), exactly as the run would do it. policy may have team (its name) or agents (an array of numbers), otherwise all; method round_robin (as many clients to each) or least_loaded; keep_company (true): everybody whose main company it is goes together with the company; not_back (180 days): never to who had the client within that time; with_deals and with_tasks (true): open deals and tasks that the old owner has with the contact go, too. Absent and inactive agents get nobody. crm.ownership_history keeps who had whom. Errors: 22023 unknown policy; RM004 no such team or agent; RM075 nobody to rotate to.';

CREATE FUNCTION crm.rotate_clients(segment text, policy jsonb DEFAULT '{}', dry_run boolean DEFAULT true, as_of timestamptz DEFAULT now(),
    OUT contact_id bigint, OUT old_owner_id bigint, OUT new_owner_id bigint, OUT company_id bigint, OUT reason text) RETURNS SETOF record
LANGUAGE sql ROWS 1000
SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM crm.rotate_clients(ARRAY(SELECT m FROM crm.segment_members(segment) m), policy, dry_run, as_of)
$$;
COMMENT ON FUNCTION crm.rotate_clients(text, jsonb, boolean, timestamptz) IS 'crm.rotate_clients() of the members of a segment. Errors as there; RM031 no such segment.';

/* Transfer of staff. */

CREATE FUNCTION crm.transfer_employee(agent_id bigint, to_team text DEFAULT NULL, to_position text DEFAULT NULL, to_manager_id bigint DEFAULT NULL,
    portfolio text DEFAULT 'keep', to_agent_id bigint DEFAULT NULL, leaves boolean DEFAULT false, as_of timestamptz DEFAULT now(),
    OUT contacts bigint, OUT companies bigint, OUT deals bigint, OUT leads bigint, OUT tasks bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    who CONSTANT bigint := agent_id;
    person crm.agent;
    held crm.employee_position;
    new_team_id bigint;
    new_position_id bigint;
    moved_contacts bigint[];
    moved_companies bigint[];
    moved_deals bigint[];
    moved_leads bigint[];
    moved_tasks bigint[];
    decision bigint;
    before timestamptz;
BEGIN
    PERFORM crm.require_installed();
    SELECT * INTO person FROM crm.agent a WHERE a.id = who FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no agent %', who USING ERRCODE = 'RM004', HINT = 'crm.agent lists them.';
    ELSIF portfolio IS NULL OR portfolio NOT IN ('keep', 'transfer') THEN
        RAISE EXCEPTION 'unknown way with the portfolio "%"', coalesce(portfolio, 'null') USING ERRCODE = 'invalid_parameter_value', HINT = 'It is keep or transfer.';
    ELSIF portfolio = 'transfer' AND (to_agent_id IS NULL OR to_agent_id = who OR NOT EXISTS (SELECT FROM crm.agent a WHERE a.id = to_agent_id AND a.active)) THEN
        RAISE EXCEPTION 'the portfolio of agent % cannot go to agent %', who, coalesce(to_agent_id::text, 'null')
            USING ERRCODE = 'RM075', HINT = 'Give to_agent_id, another agent who is active; to share it out among several use crm.rotate_clients().';
    END IF;
    IF to_team IS NOT NULL THEN
        new_team_id := (SELECT t.id FROM crm.team t WHERE t.name = to_team);
        IF new_team_id IS NULL THEN
            RAISE EXCEPTION 'there is no team "%"', to_team USING ERRCODE = 'RM004', HINT = 'Add a row to crm.team.';
        END IF;
    END IF;
    IF to_position IS NOT NULL THEN
        new_position_id := (SELECT p.id FROM crm.position p WHERE p.name = to_position);
        IF new_position_id IS NULL THEN
            RAISE EXCEPTION 'there is no position "%"', to_position USING ERRCODE = 'RM004', HINT = 'Add a row to crm.position.';
        END IF;
    END IF;
    PERFORM crm.require_known(agent_id => to_manager_id);
    -- What was held until now ends, what is new begins.
    SELECT * INTO held FROM crm.employee_position p WHERE p.agent_id = who AND p.valid @> as_of FOR UPDATE;
    IF held.id IS NULL AND NOT EXISTS (SELECT FROM crm.employee_position p WHERE p.agent_id = who) AND person.team_id IS NOT NULL AND person.created_at < as_of THEN
        -- The team of before, for reports about that time.
        INSERT INTO crm.employee_position (agent_id, team_id, valid) VALUES (who, person.team_id, tstzrange(person.created_at, as_of));
        held.team_id := person.team_id;
    ELSIF lower(held.valid) = as_of THEN
        DELETE FROM crm.employee_position p WHERE p.id = held.id;
    ELSE
        UPDATE crm.employee_position p SET valid = tstzrange(lower(p.valid), as_of) WHERE p.id = held.id;
    END IF;
    IF NOT leaves THEN
        INSERT INTO crm.employee_position (agent_id, position_id, team_id, manager_id, valid)
        VALUES (who, coalesce(new_position_id, held.position_id), coalesce(new_team_id, held.team_id), coalesce(to_manager_id, held.manager_id), tstzrange(as_of, upper(held.valid)));
    END IF;
    UPDATE crm.agent a SET team_id = coalesce(new_team_id, a.team_id), active = a.active AND NOT leaves WHERE a.id = who;

    before := crm.set_effective_at(as_of);
    IF portfolio = 'transfer' THEN
        WITH moved AS (UPDATE crm.contact c SET owner_id = to_agent_id WHERE c.owner_id = who AND c.deleted_at IS NULL AND c.merged_into IS NULL RETURNING c.id)
        SELECT array_agg(m.id) INTO moved_contacts FROM moved m;
        WITH moved AS (UPDATE crm.company c SET owner_id = to_agent_id WHERE c.owner_id = who AND c.deleted_at IS NULL AND c.merged_into IS NULL RETURNING c.id)
        SELECT array_agg(m.id) INTO moved_companies FROM moved m;
        WITH moved AS (UPDATE crm.deal d SET owner_id = to_agent_id WHERE d.owner_id = who AND d.closed_at IS NULL AND d.deleted_at IS NULL RETURNING d.id)
        SELECT array_agg(m.id) INTO moved_deals FROM moved m;
        WITH moved AS (UPDATE crm.lead l SET owner_id = to_agent_id WHERE l.owner_id = who AND l.status IN ('new', 'working', 'qualified') AND l.deleted_at IS NULL RETURNING l.id)
        SELECT array_agg(m.id) INTO moved_leads FROM moved m;
        WITH moved AS (UPDATE crm.task t SET assignee_id = to_agent_id WHERE t.assignee_id = who AND t.status = 'open' RETURNING t.id)
        SELECT array_agg(m.id) INTO moved_tasks FROM moved m;
        INSERT INTO crm.assignment_decision (rule, method, decided_at, candidates)
        VALUES ('transfer', 'transfer', as_of, jsonb_build_array(jsonb_build_object('agent_id', to_agent_id, 'weight', 1, 'turn', 0))) RETURNING id INTO decision;
        INSERT INTO crm.assignment_log (what, record_id, decision_id, agent_id, previous_id, assigned_at, actor)
        SELECT 'contact', u.id, decision, to_agent_id, who, as_of, crm.current_actor() FROM unnest(moved_contacts) AS u (id)
        UNION ALL SELECT 'company', u.id, decision, to_agent_id, who, as_of, crm.current_actor() FROM unnest(moved_companies) AS u (id)
        UNION ALL SELECT 'deal', u.id, decision, to_agent_id, who, as_of, crm.current_actor() FROM unnest(moved_deals) AS u (id)
        UNION ALL SELECT 'lead', u.id, decision, to_agent_id, who, as_of, crm.current_actor() FROM unnest(moved_leads) AS u (id)
        UNION ALL SELECT 'task', u.id, decision, to_agent_id, who, as_of, crm.current_actor() FROM unnest(moved_tasks) AS u (id);
    ELSIF leaves AND (EXISTS (SELECT FROM crm.agent_load('contact', ARRAY[who]) l WHERE l.load > 0) OR EXISTS (SELECT FROM crm.agent_load('deal', ARRAY[who]) l WHERE l.load > 0)) THEN
        RAISE EXCEPTION 'agent % would leave % contacts and % open deals without anybody', who,
            (SELECT l.load FROM crm.agent_load('contact', ARRAY[who]) l), (SELECT l.load FROM crm.agent_load('deal', ARRAY[who]) l)
            USING ERRCODE = 'RM075', HINT = 'Transfer the portfolio, or share it out with crm.rotate_clients() first.';
    END IF;
    PERFORM crm.set_effective_at(before);
    contacts := coalesce(cardinality(moved_contacts), 0);
    companies := coalesce(cardinality(moved_companies), 0);
    deals := coalesce(cardinality(moved_deals), 0);
    leads := coalesce(cardinality(moved_leads), 0);
    tasks := coalesce(cardinality(moved_tasks), 0);
END
$$;
COMMENT ON FUNCTION crm.transfer_employee(bigint, text, text, bigint, text, bigint, boolean, timestamptz) IS 'Puts an agent into another team or position or under another manager from as_of on (what is null stays), or with leaves ends the work here; with portfolio transfer all contacts, companies, open deals, leads and tasks go to to_agent_id in the same transaction, and crm.ownership_history keeps whose they were. Gives how many of each went. Errors: RM004 no such agent, team, position; RM075 nobody to take the portfolio; RM076 a circle of managers; 22023 unknown way with the portfolio; 23P01 the agent has another position later.';
