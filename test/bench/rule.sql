-- Rules: written out by the planner, and row by row, beside what one would do
-- without them.  Every line is the time of the one over the time of the other,
-- measured in turn in the same session; the least of some runs counts.
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
SET search_path = public, crm;
SELECT crm.install() IS NOT NULL AS installed \gset
SELECT least(:rows, 100000) AS contacts \gset
CREATE TABLE client (id bigint PRIMARY KEY, city text, order_total numeric, order_count integer, last_order_at timestamptz, lifecycle_stage text, given_name text, attrs jsonb, is_vip boolean);
INSERT INTO client SELECT i, (ARRAY['Moscow', 'Kazan', 'Omsk', 'Tver', NULL])[1 + i % 5], (i::bigint * 7919 % 50000)::numeric / 3, i * 31 % 12, now() - (i::bigint * 104729 % 400)::integer * interval '1 day',
    (ARRAY['lead', 'customer', 'repeat', 'loyal'])[1 + i % 4], (ARRAY['Анна', 'Иван', 'Пётр', 'Olga'])[1 + i % 4], jsonb_build_object('size', (ARRAY['S', 'M', 'L'])[1 + i % 3]), i % 10 = 0
FROM generate_series(1, :contacts) i;
CREATE INDEX ON client (city, order_total);
VACUUM ANALYZE client;
CREATE TABLE segment_rule AS
SELECT i AS id, r::crm.rule AS rule, r AS condition, (r::crm.rule)::jsonb AS tree
FROM generate_series(1, 100) i, LATERAL (SELECT CASE i % 5
    WHEN 0 THEN format('city in (''Moscow'', ''Kazan'') and order_total >= %s', i * 100)
    WHEN 1 THEN format('last_order_at < now() - interval ''%s days'' and not is_vip', i)
    WHEN 2 THEN format('lifecycle_stage = ''customer'' and (order_count between 2 and %s or is_vip)', 2 + i % 8)
    WHEN 3 THEN format('attrs->>''size'' = ''L'' or order_count > %s', i % 12)
    ELSE format('given_name like ''Ан%%'' and city is not null and order_total < %s', i * 100) END AS r) x;

-- The competitors: the condition executed for each row; and an interpreter of
-- the tree form, as applications write it.
CREATE FUNCTION by_execute(c client, condition text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE answer boolean;
BEGIN
    EXECUTE 'SELECT ' || condition || ' FROM (SELECT ($1).*) x' INTO answer USING c;
    RETURN answer;
END $$;
CREATE FUNCTION operand(c jsonb, node jsonb) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CASE
        WHEN node ? 'interval' OR node ? 'value' THEN coalesce(node ->> 'interval', node ->> 'value')
        WHEN node ->> 'call' = 'now' THEN now()::text
        WHEN node ->> 'op' = '-' THEN (operand(c, node -> 'left')::timestamptz - operand(c, node -> 'right')::interval)::text
        WHEN node ? 'key' THEN c -> (node ->> 'field') ->> (node ->> 'key')
        ELSE c ->> (node ->> 'field') END;
END $$;
CREATE FUNCTION by_tree(c jsonb, node jsonb) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
    item jsonb;
    l text;
    r text;
BEGIN
    IF node ? 'and' THEN
        FOR item IN SELECT * FROM jsonb_array_elements(node -> 'and') LOOP
            IF by_tree(c, item) IS NOT TRUE THEN RETURN false; END IF;
        END LOOP;
        RETURN true;
    ELSIF node ? 'or' THEN
        FOR item IN SELECT * FROM jsonb_array_elements(node -> 'or') LOOP
            IF by_tree(c, item) THEN RETURN true; END IF;
        END LOOP;
        RETURN false;
    ELSIF node ? 'not' THEN
        RETURN NOT by_tree(c, node -> 'not');
    END IF;
    l := operand(c, node - 'op' - 'value' - 'right');
    r := coalesce(node ->> 'value', operand(c, node -> 'right'));
    RETURN CASE node ->> 'op'
        WHEN '=' THEN l = r
        WHEN '<' THEN CASE WHEN node ? 'right' THEN l::timestamptz < r::timestamptz ELSE l::numeric < r::numeric END
        WHEN '>' THEN l::numeric > r::numeric
        WHEN '>=' THEN l::numeric >= r::numeric
        WHEN 'in' THEN node -> 'value' ? l
        WHEN 'between' THEN l::numeric BETWEEN (node #>> '{value,0}')::numeric AND (node #>> '{value,1}')::numeric
        WHEN 'like' THEN l LIKE r
        WHEN 'is not null' THEN l IS NOT NULL
        ELSE l::boolean END;
END $$;

CREATE PROCEDURE race(title text, a_name text, a text, b_name text, b text, b_share numeric DEFAULT 1, runs integer DEFAULT 3) LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz;
    best_a numeric := 1e9;
    best_b numeric := 1e9;
    answer text;
BEGIN
    FOR i IN 1 .. runs LOOP
        began := clock_timestamp();
        EXECUTE a INTO answer;
        best_a := least(best_a, extract(epoch FROM clock_timestamp() - began) * 1000);
        began := clock_timestamp();
        EXECUTE b INTO answer;
        best_b := least(best_b, extract(epoch FROM clock_timestamp() - began) * 1000 / b_share);
    END LOOP;
    RAISE INFO '%: % % ms, % % ms, ratio %', title, a_name, round(best_a, 2), b_name, round(best_b, 2), round(best_b / best_a, 2);
END $$;

-- Do they agree?
SELECT 'disagreements: ' || count(*) FROM client c, segment_rule s
WHERE c.id <= 1000 AND ((c @@ s.rule) IS TRUE) IS DISTINCT FROM (by_tree(to_jsonb(c), s.tree) IS TRUE);

\echo hand-written WHERE over row @@ constant: 1 is equal
CALL race('sequential', 'rule', $q$SELECT count(*) FROM client c WHERE c @@ 'last_order_at < now() - interval ''90 days'' and not is_vip and order_count between 2 and 7'$q$,
    'WHERE', $q$SELECT count(*) FROM client c WHERE last_order_at < now() - interval '90 days' AND NOT is_vip AND order_count BETWEEN 2 AND 7$q$, runs => 15);
CALL race('index, 1000 times', 'rule', $q$SELECT sum((SELECT count(*) FROM client c WHERE c @@ 'city = ''Kazan'' and order_total between 100 and 110' AND i > 0)) FROM generate_series(1, 1000) i$q$,
    'WHERE', $q$SELECT sum((SELECT count(*) FROM client c WHERE city = 'Kazan' AND order_total BETWEEN 100 AND 110 AND i > 0)) FROM generate_series(1, 1000) i$q$, runs => 15);
CREATE FUNCTION plan_many(query text) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. 500 LOOP
        EXECUTE 'EXPLAIN ' || query;
    END LOOP;
    RETURN 1;
END $$;
CALL race('planning, 500 times', 'rule', $q$SELECT plan_many($x$SELECT count(*) FROM client c WHERE c @@ 'city = ''Kazan'' and order_total between 100 and 110'$x$)$q$,
    'WHERE', $q$SELECT plan_many($x$SELECT count(*) FROM client c WHERE city = 'Kazan' AND order_total BETWEEN 100 AND 110$x$)$q$, runs => 9);
\echo others over 100 rules from a table on all rows: more is better for the rule
CALL race('EXECUTE a row (on a hundredth of the rows, times 100)', 'rule', 'SELECT count(*) FROM client c, segment_rule s WHERE c @@ s.rule',
    'EXECUTE', 'SELECT count(*) FROM client c, segment_rule s WHERE c.id % 100 = 0 AND by_execute(c, s.condition)', 0.01);
CALL race('interpreter (on a hundredth of the rows, times 100)', 'rule', 'SELECT count(*) FROM client c, segment_rule s WHERE c @@ s.rule',
    'PL/pgSQL', 'SELECT count(*) FROM client c, segment_rule s WHERE c.id % 100 = 0 AND by_tree(to_jsonb(c), s.tree)', 0.01);
SELECT 'SELECT ' || string_agg('(SELECT count(*) FROM client WHERE ' || condition || ')', ' + ') AS bound FROM segment_rule \gset
CALL race('one query a rule, written by hand: the bound', 'rule', 'SELECT count(*) FROM client c, segment_rule s WHERE c @@ s.rule',
    '100 queries', :'bound');
\echo an evaluation and a look at the future of one row
CALL race('rule_next_change, 20000 rows', '@@', $q$SELECT count(c @@ s.rule) FROM client c, segment_rule s WHERE c.id <= 20000 AND s.id = 6$q$,
    'next change', $q$SELECT count(rule_next_change(c, s.rule)) FROM client c, segment_rule s WHERE c.id <= 20000 AND s.id = 6$q$);
