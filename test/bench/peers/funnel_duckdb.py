"""The funnel of funnel_crm.sql on DuckDB, which has no aggregate for it: the same
nested window functions that are best in plain SQL, over a table in the order of
contacts and moments.

    python funnel_duckdb.py events.csv seconds.txt levels.txt

The two files hold our time and our answer; the ratio is printed. Loading is not
part of any time.
"""
import sys
import time

import duckdb

events, seconds_file, levels_file = sys.argv[1:4]
connection = duckdb.connect()
connection.execute(f"""
    CREATE TABLE event AS
    SELECT CAST(contact_id AS bigint) AS contact_id, CAST("at" AS timestamp) AS moment, CAST(kind AS integer) AS kind
    FROM read_csv('{events}', header = true) ORDER BY contact_id, moment
""")
window = "OVER (PARTITION BY contact_id ORDER BY moment ROWS UNBOUNDED PRECEDING)"
week = "INTERVAL 7 DAY"
query = f"""
    SELECT count(*) FILTER (WHERE level = 1), count(*) FILTER (WHERE level = 2), count(*) FILTER (WHERE level = 3), count(*) FILTER (WHERE level = 4) FROM (
    SELECT contact_id, max(CASE WHEN s4 IS NOT NULL THEN 4 WHEN s3 IS NOT NULL THEN 3 WHEN s2 IS NOT NULL THEN 2 WHEN s1 IS NOT NULL THEN 1 ELSE 0 END) AS level FROM (
    SELECT *, CASE WHEN kind = 5 AND moment <= s3 + {week} THEN s3 END AS s4 FROM (
    SELECT *, max(CASE WHEN kind = 3 AND moment <= s2 + {week} THEN s2 END) {window} AS s3 FROM (
    SELECT *, max(CASE WHEN kind = 2 AND moment <= s1 + {week} THEN s1 END) {window} AS s2 FROM (
    SELECT contact_id, kind, moment, max(CASE WHEN kind = 1 THEN moment END) {window} AS s1 FROM event WHERE kind IN (1, 2, 3, 5)) a) b) c) d
    GROUP BY contact_id) e
"""
best = None
for _ in range(3):
    started = time.perf_counter()
    row = connection.execute(query).fetchone()
    taken = time.perf_counter() - started
    best = taken if best is None else min(best, taken)
levels = ",".join(str(n) for n in row)
with open(seconds_file) as file:
    ours = float(file.read())
with open(levels_file) as file:
    answer = file.read().strip()
print(f"funnel, contacts by level: {answer}; DuckDB {duckdb.__version__}: {'the same' if levels == answer else levels}")
print(f"ours / DuckDB: {ours:.2f} s / {best:.2f} s = {ours / best:.2f}; DuckDB / ours: {best / ours:.1f}")
if levels != answer:
    sys.exit("the answers differ")
