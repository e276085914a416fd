/* ------------------------------------------------------------------
 * Deals and time: the pipeline of any past moment, what changed between two
 * moments, how long deals stay at stages, how often promises are put off,
 * conversion.
 *
 * crm.deal_history has two times.  changed_at is when an entry was recorded,
 * effective_at when it took effect: they differ for moves that were dated and
 * for deals that were imported.  Whoever asks for the past says which is meant:
 * recorded, what the database held then, or effective, what was true then as
 * far as is known today.
 * ------------------------------------------------------------------ */

CREATE FUNCTION crm.is_effective(basis text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF basis = 'effective' THEN
        RETURN true;
    ELSIF basis = 'recorded' THEN
        RETURN false;
    END IF;
    RAISE EXCEPTION 'unknown basis "%"', basis
        USING ERRCODE = 'invalid_parameter_value',
              HINT = 'recorded: as the database held it then; effective: as it was then, by what is known today.';
END
$$;
COMMENT ON FUNCTION crm.is_effective(text) IS 'Whether the basis of a question about the past is effective; false for recorded. Errors: 22023 another word.';

/*
 * From the deals as they are, back through the later changes only: of a moment
 * near now that is little work, however long the history.  Of several changes
 * of a column the first in the order of id counts; so it is in
 * crm.deal_as_of().
 *
 * Named in full and without settings, so that it is planned with its caller and
 * the comparison of the time is one with a column that has an index.
 */
CREATE FUNCTION crm.deals_as_of(at timestamptz, basis text DEFAULT 'effective',
    OUT deal_id bigint, OUT name text, OUT pipeline_id bigint, OUT stage_id bigint, OUT contact_id bigint, OUT company_id bigint,
    OUT owner_id bigint, OUT amount numeric, OUT currency text, OUT close_date date, OUT probability numeric,
    OUT stage_entered_at timestamptz, OUT closed_at timestamptz, OUT loss_reason_id bigint, OUT lost_at_stage_id bigint,
    OUT source text, OUT created_at timestamptz, OUT deleted_at timestamptz)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE COST 1000 ROWS 10000 AS $$
    WITH later AS (
        SELECT h.deal_id, h.id, h.field, h.old_value, h.new_value,
               pg_catalog.min(h.id) FILTER (WHERE h.field OPERATOR(pg_catalog.=) '*') OVER (PARTITION BY h.deal_id) AS whole_id
        FROM crm.deal_history h
        WHERE CASE WHEN crm.is_effective($2) THEN h.effective_at ELSE h.changed_at END OPERATOR(pg_catalog.>) $1
          AND h.field OPERATOR(pg_catalog.=) ANY ('{*,name,pipeline_id,stage_id,contact_id,company_id,owner_id,amount,currency,close_date,probability,stage_entered_at,closed_at,loss_reason_id,lost_at_stage_id,source,created_at,deleted_at}'::pg_catalog.text[])
    ), undone AS (
        -- fields: old values; before and after: of an entry for the whole deal.
        SELECT l.deal_id, l.whole_id IS NOT NULL AS is_whole,
               pg_catalog.jsonb_object_agg(l.field, l.old_value ORDER BY l.id DESC)
                   FILTER (WHERE l.field OPERATOR(pg_catalog.<>) '*' AND (l.whole_id IS NULL OR l.id OPERATOR(pg_catalog.<) l.whole_id)) AS fields,
               (pg_catalog.array_agg(l.old_value) FILTER (WHERE l.id OPERATOR(pg_catalog.=) l.whole_id))[1] AS before,
               (pg_catalog.array_agg(l.new_value) FILTER (WHERE l.id OPERATOR(pg_catalog.=) l.whole_id))[1] AS after
        FROM later l GROUP BY l.deal_id, l.whole_id
    )
    SELECT d.id, d.name, d.pipeline_id, d.stage_id, d.contact_id, d.company_id, d.owner_id, d.amount, d.currency, d.close_date, d.probability,
           d.stage_entered_at, d.closed_at, d.loss_reason_id, d.lost_at_stage_id, d.source, d.created_at, d.deleted_at
    FROM crm.deal d
    WHERE NOT EXISTS (SELECT FROM undone u WHERE u.deal_id OPERATOR(pg_catalog.=) d.id)
    UNION ALL
    SELECT d.id,
           CASE WHEN u.fields OPERATOR(pg_catalog.?) 'name' THEN u.fields OPERATOR(pg_catalog.->>) 'name' ELSE d.name END,
           CASE WHEN u.fields OPERATOR(pg_catalog.?) 'pipeline_id' THEN (u.fields OPERATOR(pg_catalog.->>) 'pipeline_id')::bigint ELSE d.pipeline_id END,
           CASE WHEN u.fields OPERATOR(pg_catalog.?) 'stage_id' THEN (u.fields OPERATOR(pg_catalog.->>) 'stage_id')::bigint ELSE d.stage_id END,
           CASE WHEN u.fields OPERATOR(pg_catalog.?) 'contact_id' THEN (u.fields OPERATOR(pg_catalog.->>) 'contact_id')::bigint ELSE d.contact_id END,
           CASE WHEN u.fields OPERATOR(pg_catalog.?) 'company_id' THEN (u.fields OPERATOR(pg_catalog.->>) 'company_id')::bigint ELSE d.company_id END,
           CASE WHEN u.fields OPERATOR(pg_catalog.?) 'owner_id' THEN (u.fields OPERATOR(pg_catalog.->>) 'owner_id')::bigint ELSE d.owner_id END,
           CASE WHEN u.fields OPERATOR(pg_catalog.?) 'amount' THEN (u.fields OPERATOR(pg_catalog.->>) 'amount')::numeric ELSE d.amount END,
           CASE WHEN u.fields OPERATOR(pg_catalog.?) 'currency' THEN u.fields OPERATOR(pg_catalog.->>) 'currency' ELSE d.currency END,
           CASE WHEN u.fields OPERATOR(pg_catalog.?) 'close_date' THEN (u.fields OPERATOR(pg_catalog.->>) 'close_date')::pg_catalog.date ELSE d.close_date END,
           CASE WHEN u.fields OPERATOR(pg_catalog.?) 'probability' THEN (u.fields OPERATOR(pg_catalog.->>) 'probability')::numeric ELSE d.probability END,
           CASE WHEN u.fields OPERATOR(pg_catalog.?) 'stage_entered_at' THEN (u.fields OPERATOR(pg_catalog.->>) 'stage_entered_at')::timestamp with time zone ELSE d.stage_entered_at END,
           CASE WHEN u.fields OPERATOR(pg_catalog.?) 'closed_at' THEN (u.fields OPERATOR(pg_catalog.->>) 'closed_at')::timestamp with time zone ELSE d.closed_at END,
           CASE WHEN u.fields OPERATOR(pg_catalog.?) 'loss_reason_id' THEN (u.fields OPERATOR(pg_catalog.->>) 'loss_reason_id')::bigint ELSE d.loss_reason_id END,
           CASE WHEN u.fields OPERATOR(pg_catalog.?) 'lost_at_stage_id' THEN (u.fields OPERATOR(pg_catalog.->>) 'lost_at_stage_id')::bigint ELSE d.lost_at_stage_id END,
           CASE WHEN u.fields OPERATOR(pg_catalog.?) 'source' THEN u.fields OPERATOR(pg_catalog.->>) 'source' ELSE d.source END,
           CASE WHEN u.fields OPERATOR(pg_catalog.?) 'created_at' THEN (u.fields OPERATOR(pg_catalog.->>) 'created_at')::timestamp with time zone ELSE d.created_at END,
           CASE WHEN u.fields OPERATOR(pg_catalog.?) 'deleted_at' THEN (u.fields OPERATOR(pg_catalog.->>) 'deleted_at')::timestamp with time zone ELSE d.deleted_at END
    FROM undone u JOIN crm.deal d ON d.id OPERATOR(pg_catalog.=) u.deal_id
    WHERE NOT u.is_whole
    UNION ALL
    -- Removed since then; or, by effect, begun before the stage that it was entered with.
    SELECT r.id, r.name, r.pipeline_id, r.stage_id, r.contact_id, r.company_id, r.owner_id, r.amount, r.currency, r.close_date, r.probability,
           r.stage_entered_at, r.closed_at, r.loss_reason_id, r.lost_at_stage_id, r.source, r.created_at, r.deleted_at
    FROM undone u
    CROSS JOIN LATERAL pg_catalog.jsonb_to_record(CASE
        WHEN u.before IS NOT NULL THEN u.before OPERATOR(pg_catalog.||) COALESCE(u.fields, '{}')
        ELSE u.after OPERATOR(pg_catalog.-) '{stage_id,stage_entered_at,closed_at,loss_reason_id,lost_at_stage_id,lost_to_company_id}'::pg_catalog.text[] END)
        AS r (id bigint, name pg_catalog.text, pipeline_id bigint, stage_id bigint, contact_id bigint, company_id bigint, owner_id bigint,
              amount numeric, currency pg_catalog.text, close_date pg_catalog.date, probability numeric, stage_entered_at timestamp with time zone,
              closed_at timestamp with time zone, loss_reason_id bigint, lost_at_stage_id bigint, source pg_catalog.text,
              created_at timestamp with time zone, deleted_at timestamp with time zone)
    WHERE u.before IS NOT NULL OR (crm.is_effective($2) AND u.after IS NOT NULL AND r.created_at OPERATOR(pg_catalog.<=) $1)
$$;
COMMENT ON FUNCTION crm.deals_as_of(timestamptz, text) IS 'All deals as they stood at a moment, also those that were marked as deleted, with numbers instead of names: the columns of crm.deal. basis effective (the default): by effective_at; a deal that was entered late is there from created_at on, its stage null until the one it was entered with. basis recorded: as the database held them then. Errors: 22023 unknown basis.';

CREATE FUNCTION crm.pipeline_as_of(at timestamptz, pipeline text DEFAULT NULL, basis text DEFAULT 'effective',
    OUT deal_id bigint, OUT name text, OUT pipeline text, OUT stage text, OUT kind text, OUT owner text,
    OUT amount numeric, OUT currency text, OUT close_date date, OUT probability numeric,
    OUT created_at timestamptz, OUT stage_entered_at timestamptz, OUT closed_at timestamptz,
    OUT pipeline_id bigint, OUT stage_id bigint, OUT owner_id bigint, OUT contact_id bigint, OUT company_id bigint,
    OUT loss_reason_id bigint, OUT lost_at_stage_id bigint, OUT source text)
RETURNS SETOF record
LANGUAGE sql STABLE COST 1000 ROWS 10000 AS $$
    SELECT d.deal_id, d.name, p.name, s.name, COALESCE(s.kind, 'open'), a.name,
           d.amount, d.currency, d.close_date, COALESCE(d.probability, o.probability, s.probability),
           d.created_at, d.stage_entered_at, d.closed_at,
           d.pipeline_id, d.stage_id, d.owner_id, d.contact_id, d.company_id, d.loss_reason_id, d.lost_at_stage_id, d.source
    FROM crm.deals_as_of($1, $3) d
    JOIN crm.pipelines_as_of($1) p ON p.pipeline_id OPERATOR(pg_catalog.=) d.pipeline_id
    LEFT JOIN crm.all_stages_as_of($1) s ON s.stage_id OPERATOR(pg_catalog.=) d.stage_id
    LEFT JOIN crm.stage_odds_as_of($1) o ON o.stage_id OPERATOR(pg_catalog.=) d.stage_id
    LEFT JOIN crm.agent a ON a.id OPERATOR(pg_catalog.=) d.owner_id
    WHERE d.deleted_at IS NULL
      AND ($2 IS NULL OR d.pipeline_id OPERATOR(pg_catalog.=) (SELECT crm.pipeline_id($2)))
$$;
COMMENT ON FUNCTION crm.pipeline_as_of(timestamptz, text, text) IS 'The deals as they stood at a moment, of a pipeline (by its present name) or of all, with pipeline, stage, kind and probability as they were configured then; the owner has the name of today; deleted deals are left out. probability is the owner''s estimate of then, otherwise by history where the pipeline took it from there (crm.stage_odds_as_of()), otherwise that of the stage. basis as in crm.deals_as_of(). Errors: RM004 unknown pipeline; 22023 unknown basis.';

/* What changed. */

-- Planned for each call: which index serves it depends on the moments and the basis.
CREATE FUNCTION crm.owners_of(owner text, team text, at timestamptz) RETURNS bigint[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    chosen_owner CONSTANT bigint := crm.agent_id(owner);
    chosen_team CONSTANT bigint := (SELECT t.id FROM crm.team t WHERE t.name = team);
BEGIN
    IF owner IS NULL AND team IS NULL THEN
        RETURN NULL;
    ELSIF team IS NOT NULL AND chosen_team IS NULL THEN
        RAISE EXCEPTION 'there is no team "%"', team USING ERRCODE = 'RM004', HINT = 'crm.team lists them.';
    END IF;
    RETURN ARRAY(SELECT a.id FROM crm.agent a
                 WHERE (owner IS NULL OR a.id = chosen_owner) AND (team IS NULL OR crm.team_as_of(a.id, least(at, now())) = chosen_team) ORDER BY a.id);
END
$$;
COMMENT ON FUNCTION crm.owners_of(text, text, timestamptz) IS 'The numbers of the agents whose deals are asked for: of the one of that name, of those who were in the team of that name at a moment (at the latest now), of who is both; null when neither is given. Errors: RM004 unknown agent or team.';

CREATE FUNCTION crm.pipeline_steps(from_at timestamptz, to_at timestamptz, chosen_id bigint, promised daterange, basis text, owners bigint[],
    OUT deal_id bigint, OUT name text, OUT owner_id bigint, OUT change text, OUT amount numeric, OUT currency text, OUT pipeline_id bigint)
RETURNS SETOF record
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 1000
SET search_path = pg_catalog, pg_temp
SET jit = off
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    -- What happened at from_at counts, what happened at to_at does not: right before each.
    opened_at CONSTANT timestamptz := from_at - interval '1 microsecond';
    ended_at CONSTANT timestamptz := to_at - interval '1 microsecond';
BEGIN
    RETURN QUERY
    WITH touched AS MATERIALIZED (
        -- No other deal is different at the two moments.
        SELECT DISTINCT h.deal_id FROM crm.deal_history h
        WHERE CASE WHEN crm.is_effective(basis) THEN h.effective_at ELSE h.changed_at END > opened_at
    ), pair AS (
        SELECT coalesce(b.deal_id, a.deal_id) AS deal_id, coalesce(b.name, a.name) AS name, CASE WHEN b.deal_id IS NULL THEN a.owner_id ELSE b.owner_id END AS owner_id,
               a.deal_id IS NOT NULL AND a.deleted_at IS NULL AS was_there, a.deleted_at IS NOT NULL AS was_deleted, a.closed_at IS NULL AS was_open,
               b.deal_id IS NOT NULL AND b.deleted_at IS NULL AS is_there, b.closed_at IS NULL AS is_open,
               promised IS NULL OR coalesce(a.close_date <@ promised, false) AS was_due,
               promised IS NULL OR coalesce(b.close_date <@ promised, false) AS is_due,
               coalesce(a.amount, 0) AS old_amount, coalesce(b.amount, 0) AS new_amount,
               a.pipeline_id AS old_pipeline, b.pipeline_id AS new_pipeline,
               owners IS NULL OR coalesce(a.owner_id = ANY (owners), false) AS was_ours, owners IS NULL OR coalesce(b.owner_id = ANY (owners), false) AS is_ours,
               coalesce(a.currency, p.currency) AS old_currency, coalesce(b.currency, q.currency) AS new_currency,
               s.kind AS old_kind, t.kind AS new_kind
        FROM (SELECT x.* FROM crm.deals_as_of(opened_at, basis) x WHERE x.deal_id IN (SELECT t.deal_id FROM touched t)) a
        FULL JOIN (SELECT x.* FROM crm.deals_as_of(ended_at, basis) x WHERE x.deal_id IN (SELECT t.deal_id FROM touched t)) b ON b.deal_id = a.deal_id
        LEFT JOIN crm.pipeline p ON p.id = a.pipeline_id
        LEFT JOIN crm.pipeline q ON q.id = b.pipeline_id
        LEFT JOIN crm.all_stages_as_of(opened_at) s ON s.stage_id = a.stage_id
        LEFT JOIN crm.all_stages_as_of(ended_at) t ON t.stage_id = b.stage_id
    ), counted AS (
        -- was_in and is_in: part of the pipeline at the beginning, at the end.
        SELECT *, was_there AND was_open AND was_due AS was_in, is_there AND is_open AND is_due AS is_in,
               (old_pipeline, old_currency, was_ours) IS DISTINCT FROM (new_pipeline, new_currency, is_ours) AS is_moved
        FROM pair
    ), entered AS (
        -- Came in meanwhile, whether or not it was closed since.
        SELECT *, NOT was_in AND is_there
                  AND (is_in OR NOT is_open AND is_due AND (NOT was_there OR was_open OR old_kind <> new_kind)) AS comes_in
        FROM counted
    )
    SELECT e.deal_id, e.name, e.owner_id, c.change, c.amount, c.currency, c.pipeline_id
    FROM entered e
    CROSS JOIN LATERAL (VALUES
        (was_ours AND was_in AND NOT is_there, 'deleted', - old_amount, old_currency, old_pipeline),
        (was_ours AND was_in AND is_there AND is_moved, 'moved out', - old_amount, old_currency, old_pipeline),
        (is_ours AND was_in AND is_there AND is_moved, 'moved in', new_amount, new_currency, new_pipeline),
        (is_ours AND was_in AND is_there AND NOT is_moved AND new_amount > old_amount, 'grown', new_amount - old_amount, new_currency, new_pipeline),
        (is_ours AND was_in AND is_there AND NOT is_moved AND new_amount < old_amount, 'shrunk', new_amount - old_amount, new_currency, new_pipeline),
        (is_ours AND comes_in, CASE WHEN was_deleted THEN 'restored' WHEN NOT was_there THEN 'new' WHEN was_open THEN 'slipped in' ELSE 'reopened' END,
            new_amount, new_currency, new_pipeline),
        (is_ours AND is_there AND NOT is_open AND (was_in OR comes_in), new_kind, - new_amount, new_currency, new_pipeline),
        (is_ours AND was_in AND is_there AND is_open AND NOT is_due, 'slipped out', - new_amount, new_currency, new_pipeline))
        AS c (holds, change, amount, currency, pipeline_id)
    WHERE c.holds AND (chosen_id IS NULL OR c.pipeline_id = chosen_id);
END
$$;
COMMENT ON FUNCTION crm.pipeline_steps(timestamptz, timestamptz, bigint, daterange, text, bigint[]) IS 'What crm.pipeline_changes() shows, with numbers instead of names; owners null for all. Errors: 22023 unknown basis.';

CREATE FUNCTION crm.open_pipeline(before timestamptz, chosen_id bigint, promised daterange, basis text, owners bigint[],
    OUT pipeline_id bigint, OUT currency text, OUT deals bigint, OUT amount numeric)
RETURNS SETOF record
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 10
SET search_path = pg_catalog, pg_temp
SET jit = off
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT d.pipeline_id, coalesce(d.currency, p.currency), count(*), coalesce(sum(d.amount), 0)
    FROM crm.deals_as_of(before - interval '1 microsecond', basis) d JOIN crm.pipeline p ON p.id = d.pipeline_id
    WHERE d.deleted_at IS NULL AND d.closed_at IS NULL AND (chosen_id IS NULL OR d.pipeline_id = chosen_id)
      AND (promised IS NULL OR d.close_date <@ promised) AND (owners IS NULL OR d.owner_id = ANY (owners))
    GROUP BY 1, 2;
END
$$;
COMMENT ON FUNCTION crm.open_pipeline(timestamptz, bigint, daterange, text, bigint[]) IS 'Number and sum of the open deals right before a moment by pipeline and currency, of one pipeline or all, of those promised for some days or all, of some owners or all. Errors: 22023 unknown basis.';

CREATE FUNCTION crm.pipeline_changes(from_at timestamptz, to_at timestamptz DEFAULT 'infinity', pipeline text DEFAULT NULL,
    promised daterange DEFAULT NULL, basis text DEFAULT 'effective', owner text DEFAULT NULL, team text DEFAULT NULL,
    OUT deal_id bigint, OUT name text, OUT pipeline text, OUT owner text, OUT change text, OUT amount numeric, OUT currency text,
    OUT pipeline_id bigint, OUT owner_id bigint)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 1000
SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.deal_id, c.name, p.name, o.name, c.change, c.amount, c.currency, c.pipeline_id, c.owner_id
    FROM crm.pipeline_steps(from_at, to_at, CASE WHEN $3 IS NOT NULL THEN crm.pipeline_id($3) END, promised, basis,
                            crm.owners_of($6, team, to_at - interval '1 microsecond')) c
    JOIN crm.pipelines_as_of(to_at - interval '1 microsecond') p ON p.pipeline_id = c.pipeline_id
    LEFT JOIN crm.agent o ON o.id = c.owner_id
$$;
COMMENT ON FUNCTION crm.pipeline_changes(timestamptz, timestamptz, text, daterange, text, text, text) IS 'What made the open pipeline as it stood right before one moment into that right before another, a row a deal and change, with the signed amount: new, restored, reopened, slipped in, moved in, grown; shrunk, moved out (to another pipeline or currency), slipped out, won, lost, deleted. What happened at from_at counts, what happened at to_at does not, so that months follow each other without a gap; without to_at all that has happened counts. With promised only deals whose close_date lies in that range are in the pipeline; with owner (a name) only those of one agent, with team those of the agents who were in it at the end, and what others gave them or got from them is moved in or out. The amounts of a pipeline and currency add up to the difference exactly. Pipelines have the names that they had at the end. basis as in crm.deals_as_of(). Errors: RM004 unknown pipeline, agent or team; 22023 unknown basis.';

CREATE FUNCTION crm.pipeline_waterfall(from_at timestamptz, to_at timestamptz DEFAULT 'infinity', pipeline text DEFAULT NULL,
    promised daterange DEFAULT NULL, basis text DEFAULT 'effective', owner text DEFAULT NULL, team text DEFAULT NULL,
    OUT pipeline text, OUT currency text, OUT "position" integer, OUT change text, OUT deals bigint, OUT amount numeric)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 50
SET search_path = pg_catalog, pg_temp AS $$
    WITH chosen AS (
        SELECT CASE WHEN $3 IS NOT NULL THEN crm.pipeline_id($3) END AS id, crm.owners_of(owner, team, to_at - interval '1 microsecond') AS owners
    ), item AS (
        SELECT 'opening' AS change, o.* FROM chosen, crm.open_pipeline(from_at, chosen.id, promised, basis, chosen.owners) o
        UNION ALL
        SELECT 'closing', o.* FROM chosen, crm.open_pipeline(to_at, chosen.id, promised, basis, chosen.owners) o
        UNION ALL
        SELECT c.change, c.pipeline_id, c.currency, count(*), sum(c.amount)
        FROM chosen, crm.pipeline_steps(from_at, to_at, chosen.id, promised, basis, chosen.owners) c GROUP BY 1, 2, 3
    )
    SELECT p.name, k.currency, w."position"::integer, w.change, coalesce(i.deals, 0), coalesce(i.amount, 0)
    FROM (SELECT DISTINCT i.pipeline_id, i.currency FROM item i) k
    JOIN crm.pipelines_as_of(to_at - interval '1 microsecond') p ON p.pipeline_id = k.pipeline_id
    CROSS JOIN unnest('{opening,new,restored,reopened,slipped in,moved in,grown,shrunk,moved out,slipped out,won,lost,deleted,closing}'::text[])
        WITH ORDINALITY AS w (change, "position")
    LEFT JOIN item i ON (i.pipeline_id, i.currency, i.change) = (k.pipeline_id, k.currency, w.change)
    WHERE i.change IS NOT NULL OR w.change IN ('opening', 'closing')
    ORDER BY p.name, k.currency, w."position"
$$;
COMMENT ON FUNCTION crm.pipeline_waterfall(timestamptz, timestamptz, text, daterange, text, text, text) IS 'The sums of crm.pipeline_changes() between the opening and the closing amount of the open pipeline, by pipeline and currency: opening plus the changes is closing, exactly. Opening and closing are counted by themselves. Arguments and errors as there.';

/* Time at stages. */

CREATE FUNCTION crm.stage_visits(as_of timestamptz DEFAULT now(),
    OUT deal_id bigint, OUT visit bigint, OUT stage_id bigint, OUT entered_at timestamptz, OUT left_at timestamptz, OUT next_stage_id bigint)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE COST 1000 ROWS 10000 AS $$
    SELECT v.deal_id, v.visit, v.stage_id, v.entered_at,
           CASE WHEN v.is_last THEN NULL ELSE GREATEST(v.left_at, v.entered_at) END, v.next_stage_id
    FROM (SELECT m.deal_id, pg_catalog.row_number() OVER course AS visit, m.stage_id, m.effective_at AS entered_at,
                 pg_catalog.lead(m.effective_at) OVER course AS left_at,
                 pg_catalog.lead(m.id) OVER course IS NULL AS is_last,
                 pg_catalog.lead(m.stage_id) OVER course AS next_stage_id
          FROM (SELECT e.deal_id, e.id, e.effective_at, COALESCE(g.merged_into_id, e.stage_id) AS stage_id,
                       pg_catalog.lag(COALESCE(g.merged_into_id, e.stage_id)) OVER (PARTITION BY e.deal_id ORDER BY e.id) AS before_id
                FROM (SELECT h.deal_id, h.id, h.effective_at, n.stage_id
                      FROM crm.deal_history h
                      -- Not above the sort, which would carry whole deals along.
                      CROSS JOIN LATERAL (SELECT CASE h.field WHEN '*' THEN (h.new_value OPERATOR(pg_catalog.->>) 'stage_id')::bigint
                                                              ELSE (h.new_value OPERATOR(pg_catalog.#>>) '{}')::bigint END AS stage_id OFFSET 0) n
                      WHERE (h.field OPERATOR(pg_catalog.=) '*' OR h.field OPERATOR(pg_catalog.=) 'stage_id')
                        AND h.effective_at OPERATOR(pg_catalog.<=) $1) e
                LEFT JOIN crm.all_stages_as_of($1) g ON g.stage_id OPERATOR(pg_catalog.=) e.stage_id AND g.merged_into_id IS NOT NULL) m
          WHERE m.stage_id IS DISTINCT FROM m.before_id
          WINDOW course AS (PARTITION BY m.deal_id ORDER BY m.id)) v
    WHERE v.stage_id IS NOT NULL
$$;
COMMENT ON FUNCTION crm.stage_visits(timestamptz) IS 'Every stay of every deal at a stage up to a moment, in the order of the moves, by effective_at; what was merged by then is one stay where it went; left_at and next_stage_id are null for where the deal is (or, of a removed deal, next_stage_id alone).';

CREATE FUNCTION crm.stage_durations(deal bigint, calendar text DEFAULT NULL, as_of timestamptz DEFAULT now(),
    OUT visit bigint, OUT pipeline text, OUT stage text, OUT kind text, OUT entered_at timestamptz, OUT left_at timestamptz,
    OUT is_current boolean, OUT duration interval, OUT business_duration interval)
RETURNS SETOF record
LANGUAGE sql STABLE ROWS 10
SET search_path = pg_catalog, pg_temp AS $$
    SELECT v.visit, s.pipeline, s.name, s.kind, v.entered_at, v.left_at, v.left_at IS NULL, coalesce(v.left_at, as_of) - v.entered_at,
           crm.business_between(calendar, v.entered_at, coalesce(v.left_at, as_of))
    FROM crm.stage_visits(as_of) v
    JOIN crm.all_stages_as_of(as_of) s ON s.stage_id = v.stage_id
    WHERE v.deal_id = deal
    ORDER BY v.visit
$$;
COMMENT ON FUNCTION crm.stage_durations(bigint, text, timestamptz) IS 'How long a deal stayed at each stage, a row a stay, up to a moment, whose names the stages have; with a calendar also in its working time, by crm.business_between(). Errors: those of that function.';

/* Promises. */

CREATE FUNCTION crm.deal_pushes(from_at timestamptz DEFAULT '-infinity', to_at timestamptz DEFAULT 'infinity',
    OUT deal_id bigint, OUT pushed_at timestamptz, OUT owner_id bigint, OUT old_date date, OUT new_date date, OUT days integer, OUT actor text)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1000
SET search_path = pg_catalog, pg_temp AS $$
    WITH handed AS MATERIALIZED (
        SELECT n.deal_id, array_agg(n.id ORDER BY n.id) AS ids, array_agg((n.old_value #>> '{}')::bigint ORDER BY n.id) AS owners
        FROM crm.deal_history n WHERE n.field = 'owner_id' GROUP BY n.deal_id
    )
    SELECT h.deal_id, h.changed_at,
           -- The owner of then: before the first change of the owner that came later.
           CASE WHEN o.ids[cardinality(o.ids)] > h.id
                THEN (SELECT o.owners[k] FROM generate_subscripts(o.ids, 1) k WHERE o.ids[k] > h.id ORDER BY k LIMIT 1) ELSE d.owner_id END,
           c.old_date, c.new_date, c.new_date - c.old_date, h.actor
    FROM crm.deal_history h
    CROSS JOIN LATERAL (SELECT (h.old_value #>> '{}')::date AS old_date, (h.new_value #>> '{}')::date AS new_date) c
    JOIN crm.deal d ON d.id = h.deal_id AND d.deleted_at IS NULL
    LEFT JOIN handed o ON o.deal_id = h.deal_id
    WHERE h.field = 'close_date' AND h.changed_at >= from_at AND h.changed_at < to_at AND c.new_date > c.old_date
$$;
COMMENT ON FUNCTION crm.deal_pushes(timestamptz, timestamptz) IS 'Every time the promised date of a deal was put off, recorded from one moment up to before another: by how many days, and who owned the deal then. Deleted deals are left out.';

/* Conversion. */

CREATE FUNCTION crm.funnel_conversion(pipeline text, mode text DEFAULT 'cohort', from_at timestamptz DEFAULT '-infinity',
    to_at timestamptz DEFAULT 'infinity', as_of timestamptz DEFAULT now(), owner text DEFAULT NULL,
    OUT "position" integer, OUT stage text, OUT entered bigint, OUT advanced bigint, OUT won bigint, OUT lost bigint, OUT open bigint,
    OUT moved bigint, OUT conversion_to_next numeric, OUT conversion_to_win numeric, OUT median_time interval, OUT stage_id bigint)
RETURNS SETOF record
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off AS $$
DECLARE
    chosen_id bigint := crm.pipeline_id(pipeline);
    chosen_owner bigint := crm.agent_id(owner);
BEGIN
    IF mode IS NULL OR mode NOT IN ('cohort', 'snapshot') THEN
        RAISE EXCEPTION 'unknown mode "%"', mode
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'cohort: the deals that began in the period, whatever became of them; snapshot: what happened in the period, whenever the deals began.';
    END IF;
    RETURN QUERY
    WITH stage AS MATERIALIZED (
        SELECT s.* FROM crm.all_stages_as_of(funnel_conversion.as_of) s
    ), stayed AS MATERIALIZED (
        SELECT v.deal_id, v.stage_id, v.entered_at, v.left_at FROM crm.stage_visits(funnel_conversion.as_of) v
        JOIN crm.deal d ON d.id = v.deal_id AND d.deleted_at IS NULL AND (chosen_owner IS NULL OR d.owner_id = chosen_owner)
    ), ladder AS (
        -- The open stages in their order, won behind the last; one that was made later, when deals were there by then.
        SELECT s.stage_id AS id, s.name, s."position", s.kind, CASE WHEN s.kind = 'won' THEN 1 + count(*) FILTER (WHERE s.kind = 'open') OVER ()
                                   ELSE row_number() OVER (PARTITION BY s.kind ORDER BY s."position") END AS step
        FROM stage s
        WHERE s.pipeline_id = chosen_id AND s.kind IN ('open', 'won') AND s.merged_into_id IS NULL
          AND (s.is_made OR s.stage_id IN (SELECT v.stage_id FROM stayed v))
    ), place AS (
        SELECT s.stage_id, l.step, CASE WHEN s.pipeline_id = chosen_id THEN s.kind ELSE 'moved' END AS outcome
        FROM stage s LEFT JOIN ladder l ON l.id = s.stage_id
    ), ended AS (
        -- Where each deal is, and since when.
        SELECT v.deal_id, p.outcome, v.entered_at AS outcome_at FROM stayed v JOIN place p ON p.stage_id = v.stage_id WHERE v.left_at IS NULL
    ), climb AS MATERIALIZED (
        -- A stage that was passed over counts as reached with the next one: those above the last one below.
        SELECT c.deal_id, c.step, lag(c.step, 1, 0::bigint) OVER course AS below,
               min(c.entered_at) OVER (PARTITION BY c.deal_id) AS began_at,
               min(c.entered_at) OVER (course ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS entered_at
        FROM (SELECT v.deal_id, p.step, min(v.entered_at) AS entered_at FROM stayed v JOIN place p ON p.stage_id = v.stage_id
              WHERE p.step IS NOT NULL GROUP BY v.deal_id, p.step) c
        WINDOW course AS (PARTITION BY c.deal_id ORDER BY c.step)
    ), reached AS (
        SELECT c.below, c.step, e.outcome,
               CASE mode WHEN 'cohort' THEN c.began_at ELSE c.entered_at END >= from_at AND CASE mode WHEN 'cohort' THEN c.began_at ELSE c.entered_at END < to_at AS is_entered,
               CASE mode WHEN 'cohort' THEN c.began_at ELSE e.outcome_at END >= from_at AND CASE mode WHEN 'cohort' THEN c.began_at ELSE e.outcome_at END < to_at AS is_ended,
               count(*) AS deals
        FROM climb c JOIN ended e ON e.deal_id = c.deal_id
        GROUP BY 1, 2, 3, 4, 5
    ), total AS (
        SELECT l.step, sum(r.deals) FILTER (WHERE r.is_entered)::bigint AS entered,
               sum(r.deals) FILTER (WHERE r.outcome = 'won' AND r.is_ended)::bigint AS won, sum(r.deals) FILTER (WHERE r.outcome = 'lost' AND r.is_ended)::bigint AS lost,
               sum(r.deals) FILTER (WHERE r.outcome = 'open' AND r.is_entered)::bigint AS open, sum(r.deals) FILTER (WHERE r.outcome = 'moved' AND r.is_ended)::bigint AS moved
        FROM (SELECT DISTINCT ladder.step FROM ladder) l JOIN reached r ON l.step > r.below AND l.step <= r.step
        GROUP BY l.step
    ), stay AS (
        SELECT p.step, justify_hours(make_interval(secs => percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM v.left_at - v.entered_at)::double precision))) AS median
        FROM stayed v
        JOIN place p ON p.stage_id = v.stage_id AND p.step IS NOT NULL
        JOIN climb c ON c.deal_id = v.deal_id AND c.step = p.step
        WHERE v.left_at IS NOT NULL AND CASE mode WHEN 'cohort' THEN c.began_at ELSE v.left_at END >= from_at AND CASE mode WHEN 'cohort' THEN c.began_at ELSE v.left_at END < to_at
        GROUP BY p.step
    )
    SELECT l."position", l.name, coalesce(t.entered, 0), coalesce(n.entered, 0), coalesce(t.won, 0), coalesce(t.lost, 0), coalesce(t.open, 0), coalesce(t.moved, 0),
           round(coalesce(n.entered, 0)::numeric / nullif(t.entered, 0), 4), round(coalesce(t.won, 0)::numeric / nullif(t.entered, 0), 4), y.median, l.id
    FROM ladder l
    LEFT JOIN total t ON t.step = l.step
    LEFT JOIN total n ON n.step = l.step + 1
    LEFT JOIN stay y ON y.step = l.step
    WHERE l.kind = 'open'
    ORDER BY l."position";
END
$$;
COMMENT ON FUNCTION crm.funnel_conversion(text, text, timestamptz, timestamptz, timestamptz, text) IS 'Conversion by open stage of a pipeline, by effective_at, up to as_of, by the stages of as_of; owner by name for the deals of one agent. A deal has entered a stage when it was there or farther; advanced: entered the next one, behind the last won. cohort: of the deals that began from from_at up to before to_at: entered = won + lost + open + moved (to another pipeline). snapshot: what happened in that time, whenever the deals began: entered and advanced then, won and lost then of those that had been so far, still open of those that entered then. median_time: of the completed stays, in cohort of these deals, in snapshot of those that ended then. Errors: 22023 unknown mode; RM004 unknown pipeline or agent.';
