"""Splink on its DuckDB backend over generated contacts: time of each phase, and
how much of the truth it finds.

    python match_splink.py contacts.csv seconds.txt

The model is put together as Splink's own notebooks do it (deduplicate_50k_synthetic
and the tutorial): comparisons from its library, lambda from deterministic rules,
u by random sampling, m by expectation maximisation in three sessions of about a
million pairs (all of them take ten times as long and find no more), connected
components of the pairs of probability .95. Fields are put into lower case and
phones into digits first, as its guide asks. Writes the sum of seconds to the
second file. Counting what was right is not part of any time.
"""
import logging
import sys
import time

import duckdb
import splink
import splink.comparison_library as cl
from splink import Linker, SettingsCreator, block_on
from splink.backends.duckdb import DuckDBAPI

logging.getLogger("splink").setLevel(logging.ERROR)
path, seconds_file = sys.argv[1:3]
connection = duckdb.connect()
spent = {}
started = time.perf_counter()


def phase(name):
    """Ends a phase."""
    global started
    now = time.perf_counter()
    spent[name] = spent.get(name, 0) + now - started
    started = time.perf_counter()


def pause():
    """What happened since the last phase is counting, not work."""
    global started
    started = time.perf_counter()


connection.execute(f"""
    CREATE TABLE file AS SELECT * FROM read_csv('{path}', header = true, all_varchar = true);
    CREATE TABLE person AS
    SELECT CAST(id AS bigint) AS unique_id,
           replace(lower(given_name), 'ё', 'е') AS given_name,
           replace(lower(middle_name), 'ё', 'е') AS middle_name,
           replace(lower(family_name), 'ё', 'е') AS family_name,
           replace(lower(given_name || ' ' || family_name), 'ё', 'е') AS full_name,
           birth_date,
           lower(email) AS email,
           right(regexp_replace(phone, '[^0-9]', '', 'g'), 10) AS phone,
           replace(lower(city), 'ё', 'е') AS city,
           upper(postal_code) AS postal_code
    FROM file;
""")
phase("read and put in order")

rules = [
    block_on("email"),
    block_on("phone"),
    block_on("given_name", "family_name"),
    block_on("family_name", "birth_date"),
    block_on("given_name", "birth_date"),
    block_on("family_name", "postal_code"),
    block_on("given_name", "postal_code"),
    block_on("birth_date", "postal_code"),
    block_on("substr(family_name, 1, 4)", "substr(given_name, 1, 3)", "city"),
    block_on("family_name", "city", "substr(given_name, 1, 1)"),
    block_on("birth_date", "substr(family_name, 1, 2)"),
    block_on("split_part(email, '@', 1)"),
    block_on("family_name", "substr(birth_date, 1, 4)"),
    "l.given_name = r.family_name AND l.family_name = r.given_name",
]
rules[-1] = {"blocking_rule": rules[-1], "sql_dialect": "duckdb"}
settings = SettingsCreator(
    link_type="dedupe_only",
    blocking_rules_to_generate_predictions=rules,
    comparisons=[
        cl.ForenameSurnameComparison("given_name", "family_name", forename_surname_concat_col_name="full_name"),
        cl.JaroWinklerAtThresholds("middle_name", [0.92]),
        cl.DateOfBirthComparison("birth_date", input_is_string=True),
        cl.ExactMatch("city").configure(term_frequency_adjustments=True),
        cl.EmailComparison("email"),
        cl.ExactMatch("phone").configure(term_frequency_adjustments=True),
        cl.ExactMatch("postal_code").configure(term_frequency_adjustments=True),
    ],
    retain_matching_columns=False,
    retain_intermediate_calculation_columns=False,
)
api = DuckDBAPI(connection)
linker = Linker(api.register("person"), settings, log_level=logging.ERROR)
linker.training.estimate_probability_two_random_records_match(
    [
        block_on("email", "family_name"),
        block_on("phone", "given_name"),
        block_on("given_name", "family_name", "birth_date"),
    ],
    recall=0.7,
)
phase("train: lambda")
linker.training.estimate_u_using_random_sampling(max_pairs=5e6, seed=1)
phase("train: u")
for rule in (block_on("given_name", "family_name"), block_on("birth_date"), block_on("email")):
    linker.training.estimate_parameters_using_expectation_maximisation(rule, max_pairs=1e6)
    phase("train: m")

blocked = linker.inference.compute_blocked_pairs_for_predict()
phase("block")
pairs = connection.execute(f"SELECT count(*) FROM {blocked.physical_name}").fetchall()[0][0]
pause()
scored = linker.inference.predict(threshold_match_weight=-10)
phase("score")
clustered = linker.clustering.cluster_pairwise_predictions_at_threshold(scored, threshold_match_probability=0.95)
phase("cluster")

total = connection.execute("SELECT sum(n * (n - 1) // 2) FROM (SELECT count(*) AS n FROM file GROUP BY cluster)").fetchall()[0][0]
connection.execute("CREATE TABLE truth AS SELECT CAST(id AS bigint) AS id, cluster FROM file")


def figures(found, right):
    return f"precision {right / max(found, 1):.4f}, recall {right / total:.4f}, F1 {2 * right / (found + total):.4f}"


def score_clusters(table):
    found, right = (
        connection.execute(f"""
            SELECT coalesce(sum(n * (n - 1) // 2), 0) FROM (
                SELECT count(*) AS n FROM {table} AS c JOIN truth AS t ON t.id = c.unique_id GROUP BY {columns})
        """).fetchall()[0][0]
        for columns in ("c.cluster_id", "c.cluster_id, t.cluster")
    )
    return figures(found, right)


connection.execute(f"""
    CREATE TABLE edge AS
    SELECT e.match_weight AS weight, (l.cluster = r.cluster)::int AS good
    FROM {scored.physical_name} AS e
    JOIN truth AS l ON l.id = e.unique_id_l
    JOIN truth AS r ON r.id = e.unique_id_r
""")
best = connection.execute("""
    SELECT weight, n, good FROM (
        SELECT weight, count(*) OVER w AS n, sum(good) OVER w AS good FROM edge WINDOW w AS (ORDER BY weight DESC))
    ORDER BY 2.0 * good / (n + ?) DESC, weight LIMIT 1""", [total]).fetchall()[0]

print(f"Splink {splink.__version__}, DuckDB {duckdb.__version__}, {connection.execute('SELECT count(*) FROM file').fetchall()[0][0]} rows, "
      f"{connection.execute('SELECT current_setting($$threads$$)').fetchall()[0][0]} threads")
for name, value in spent.items():
    print(f"  {name:<24}{value:8.2f} s")
print(f"  {'in all':<24}{sum(spent.values()):8.2f} s")
print(f"  {pairs} pairs by {len(rules)} rules, {pairs / spent['score'] / 1e6:.2f} million a second scored")
reached = connection.execute("SELECT sum(good) FROM edge").fetchall()[0][0]
print(f"  of {total} true pairs {reached / total:.4f} are among those of weight -10 and more")
for name, probability in (("p >= .5", 0.5), ("p >= .95", 0.95)):
    weight = 0 if probability == 0.5 else 4.247928
    found, right = connection.execute("SELECT count(*), coalesce(sum(good), 0) FROM edge WHERE weight >= ?", [weight]).fetchall()[0]
    print(f"  pairs of {name:<15}{figures(found, right)}")
print(f"  pairs of weight >= {best[0]:<5.1f}{figures(best[1], best[2])} (the best there is, chosen by the truth)")
print(f"  clusters of p >= .95    {score_clusters(clustered.physical_name)}")
at_best = linker.clustering.cluster_pairwise_predictions_at_threshold(scored, threshold_match_weight=best[0])
print(f"  clusters of weight >= {best[0]:<5.1f}{score_clusters(at_best.physical_name)}")
with open(seconds_file, "w", encoding="utf-8") as file:
    print(f"{sum(spent.values()):.3f}", file=file)
