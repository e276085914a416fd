-- score(answer, truth): pairwise precision, recall and F1 of a table
-- answer(id, cluster_id) against truth(id, cluster), exactly and from counts
-- alone: a group of n records holds n (n - 1) / 2 pairs. An id that is not in
-- "answer" is alone.
CREATE FUNCTION score(answer regclass, truth regclass,
    OUT true_pairs bigint, OUT found_pairs bigint, OUT right_pairs bigint,
    OUT prec numeric, OUT recall numeric, OUT f1 numeric)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format($query$
        WITH pair AS (
            SELECT t.cluster::text AS cluster, coalesce('c' || f.cluster_id::text, 'i' || t.id::text) AS cluster_id
            FROM %2$s AS t LEFT JOIN %1$s AS f ON f.id::text = t.id::text
        )
        SELECT (SELECT sum(n * (n - 1) / 2) FROM (SELECT count(*) AS n FROM pair GROUP BY cluster) AS g),
               (SELECT sum(n * (n - 1) / 2) FROM (SELECT count(*) AS n FROM pair GROUP BY cluster_id) AS g),
               (SELECT sum(n * (n - 1) / 2) FROM (SELECT count(*) AS n FROM pair GROUP BY cluster, cluster_id) AS g)
        $query$, answer, truth) INTO true_pairs, found_pairs, right_pairs;
    prec := round(right_pairs::numeric / nullif(found_pairs, 0), 4);
    recall := round(right_pairs::numeric / nullif(true_pairs, 0), 4);
    f1 := round(2.0 * right_pairs / nullif(true_pairs + found_pairs, 0), 4);
END
$$;

-- score_edges(pairs, truth, floor): the same of a table
-- pairs(left_id, right_id, weight), those of at least this weight.
CREATE FUNCTION score_edges(pairs regclass, truth regclass, floor float8 DEFAULT 0,
    OUT true_pairs bigint, OUT found_pairs bigint, OUT right_pairs bigint,
    OUT prec numeric, OUT recall numeric, OUT f1 numeric)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format($query$
        SELECT (SELECT sum(n * (n - 1) / 2) FROM (SELECT count(*) AS n FROM %2$s GROUP BY cluster) AS g),
               count(*), count(*) FILTER (WHERE l.cluster = r.cluster)
        FROM %1$s AS p
        JOIN %2$s AS l ON l.id::text = p.left_id::text
        JOIN %2$s AS r ON r.id::text = p.right_id::text
        WHERE p.weight >= $1
        $query$, pairs, truth) INTO true_pairs, found_pairs, right_pairs USING floor;
    prec := round(right_pairs::numeric / nullif(found_pairs, 0), 4);
    recall := round(right_pairs::numeric / nullif(true_pairs, 0), 4);
    f1 := round(2.0 * right_pairs / nullif(true_pairs + found_pairs, 0), 4);
END
$$;

-- best_edges(pairs, truth): at the weight that serves best; a bound, as it
-- looks at the truth.
CREATE FUNCTION best_edges(pairs regclass, truth regclass,
    OUT weight float8, OUT prec numeric, OUT recall numeric, OUT f1 numeric)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format($query$
        WITH total AS (
            SELECT sum(n * (n - 1) / 2) AS true_pairs FROM (SELECT count(*) AS n FROM %2$s GROUP BY cluster) AS g
        ), edge AS (
            SELECT p.weight, (l.cluster = r.cluster)::int AS good
            FROM %1$s AS p
            JOIN %2$s AS l ON l.id::text = p.left_id::text
            JOIN %2$s AS r ON r.id::text = p.right_id::text
        ), curve AS (
            SELECT weight, sum(good) OVER w AS good, count(*) OVER w AS n
            FROM edge WINDOW w AS (ORDER BY weight DESC)
        )
        SELECT weight, round(good::numeric / n, 4), round(good::numeric / true_pairs, 4), round(2.0 * good / (n + true_pairs), 4)
        FROM curve, total ORDER BY 4 DESC, 1 LIMIT 1
        $query$, pairs, truth) INTO weight, prec, recall, f1;
END
$$;
