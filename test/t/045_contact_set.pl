# Contact sets beyond one session: thousands of random operations beside SQL on
# arrays, CRoaring as a judge, hostile bytes, parallel aggregates, small groups.
# R-081
use strict;
use warnings FATAL => 'all';

use CrmTest;
use File::Spec;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tree = $ENV{CRM_TREE};
my $node = crm_node('contact_set', "work_mem = '64MB'\njit = off\n");
my $folder = File::Spec->rel2abs($node->basedir);
my $major = $node->safe_psql('postgres', q{SELECT current_setting('server_version_num')::int / 10000});
$node->safe_psql('postgres', 'CREATE EXTENSION crm');

# ---- random operations
# Ids of one of six shapes: few, strewn over all of bigint, dense, in runs,
# negative around zero, on both sides of the borders of chunks and of 32 bits.
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION draw(n int, salt int) RETURNS bigint[] LANGUAGE sql IMMUTABLE AS $$
SELECT coalesce(array_agg(CASE shape
    WHEN 0 THEN h % 20
    WHEN 1 THEN hashint8extended(h, salt)
    WHEN 2 THEN h % 9000
    WHEN 3 THEN i + i / 40 * (h1 % 300) + h1 % 1000
    WHEN 4 THEN h % 70000 - 35000
    ELSE (ARRAY[65536, 4294967296, -4294967296, 2147483648, 0])[h % 5 + 1] + h / 5 % 40 - 20 END), '{}')
FROM (SELECT i, abs(hashint8extended(i, n::bigint * 1000 + salt) / 2) AS h, abs(hashint8extended(n, salt) / 2) AS h1,
             abs(hashint8extended(n, salt + 77) / 2) % 6 AS shape
      FROM generate_series(1::bigint, (ARRAY[0, 1, 3, 30, 300, 3000, 9000])[abs(hashint8extended(n, salt + 99) / 2) % 7 + 1]) i) g
$$;
CREATE TABLE trial AS SELECT n, draw(n, 1) AS x, draw(n, 2) AS y FROM generate_series(1, 3000) n;
SQL
is($node->safe_psql('postgres', <<'SQL'), '3000|0|0|0|0|0|0|0|0|0', '3000 random pairs: AND, OR, minus, XOR, counts, tests, rank, text, portable form');
SET search_path = public, crm;
SELECT count(*),
    count(*) FILTER (WHERE member_array(a & b) <> ARRAY(SELECT unnest(x) INTERSECT SELECT unnest(y) ORDER BY 1)),
    count(*) FILTER (WHERE member_array(a | b) <> ARRAY(SELECT unnest(x) UNION SELECT unnest(y) ORDER BY 1)),
    count(*) FILTER (WHERE member_array(a - b) <> ARRAY(SELECT unnest(x) EXCEPT SELECT unnest(y) ORDER BY 1)),
    count(*) FILTER (WHERE member_array(a # b) <> ARRAY((SELECT unnest(x) EXCEPT SELECT unnest(y)) UNION ALL (SELECT unnest(y) EXCEPT SELECT unnest(x)) ORDER BY 1)),
    count(*) FILTER (WHERE intersect_count(a, b) <> cardinality(a & b) OR union_count(a, b) <> cardinality(a | b) OR difference_count(b, a) <> cardinality(b - a)),
    count(*) FILTER (WHERE cardinality(a) * cardinality(b) < 1000000 AND ((a && b) <> (x && y) OR (a @> b) <> (x @> y) OR (a <@ b) <> (x <@ y) OR (a = b) <> (x @> y AND y @> x))),
    count(*) FILTER (WHERE cardinality(a) > 0 AND (minimum(a) <> (SELECT min(v) FROM unnest(x) v) OR maximum(a) <> (SELECT max(v) FROM unnest(x) v)
        OR rank(a, y[1]) <> (SELECT count(DISTINCT v) FROM (SELECT y[1] AS first OFFSET 0) f, unnest(x) v WHERE v <= first)
        OR select_member(a, rank(a, x[1])) <> x[1] OR NOT a @> x[1] OR (y[1] <@ a) <> (y[1] = ANY (x)))),
    count(*) FILTER (WHERE a::text::contact_set <> a OR contact_set(member_array(a)) <> a OR ((a | y[1]) - y[1]) <> a - y[1]),
    count(*) FILTER (WHERE from_roaring(to_roaring(a)) <> a OR ARRAY(SELECT members(a)) <> member_array(a))
FROM (SELECT *, contact_set(x) AS a, contact_set(y) AS b FROM trial OFFSET 0) t
SQL
is($node->safe_psql('postgres', <<'SQL'), 't|t|t', 'aggregates of the same, in one state and in many groups');
SET search_path = public, crm;
SELECT (SELECT contact_set_agg(v) FROM trial, unnest(x) v) = (SELECT union_agg(contact_set(x)) FROM trial),
       (SELECT bool_and(s = contact_set(x)) FROM (SELECT n, contact_set_agg(v) AS s FROM trial, unnest(x) v GROUP BY n) g JOIN trial USING (n)),
       (SELECT bool_and(i = (contact_set(a.x) & contact_set(b.x) & contact_set(c.x))) FROM (SELECT n / 3 AS g, intersect_agg(contact_set(x)) AS i FROM trial WHERE n >= 3 GROUP BY 1 HAVING count(*) = 3) q
        JOIN trial a ON a.n = g * 3 JOIN trial b ON b.n = g * 3 + 1 JOIN trial c ON c.n = g * 3 + 2)
SQL

# ---- CRoaring
SKIP:
{
	skip 'CRoaring is not installed', 2 if !-e '/usr/include/roaring/roaring.h';
	my $work = PostgreSQL::Test::Utils::tempdir();
	my $sources = join ' ', map { "src/type/contact_set_$_.c" } qw(chunk image algebra live text roaring arm);
	my $output = qx{exec 2>&1; cd '$tree' && cc -std=gnu11 -O1 -g -Wall -Wextra -Werror -Wno-sign-compare -Isrc -o '$work/judge' test/t/045_contact_set.c $sources src/type/check.c -lroaring -lm};
	is($?, 0, 'the program builds') or diag($output);
	$output = qx{exec 2>&1; '$work/judge'};
	is($output, "2000 pairs agree\n", 'CRoaring gives the same members and reads and writes the same bytes');
}

# ---- the binary form
$node->safe_psql('postgres', qq{
	CREATE TABLE kept AS SELECT n, crm.contact_set(x) AS s FROM trial WHERE n <= 700;
	COPY kept TO '$folder/kept.copy' (FORMAT binary);
	CREATE TABLE back (LIKE kept);
	COPY back FROM '$folder/kept.copy' (FORMAT binary)});
is($node->safe_psql('postgres', 'SELECT count(*), bool_and(crm.contact_set_eq(k.s, b.s)) FROM kept k JOIN back b USING (n)'), '700|t', 'COPY in binary form');

sub receive
{
	my ($bytes) = @_;
	open my $file, '>:raw', "$folder/bad.copy" or die $!;
	print $file "PGCOPY\n\xff\r\n\0", pack('N N n N', 0, 0, 1, length $bytes), $bytes, pack('n', 0xffff);
	close $file;
	my ($ret, $out, $err) = $node->psql('postgres', qq{
		CREATE TEMP TABLE t (s crm.contact_set); COPY t FROM '$folder/bad.copy' (FORMAT binary); SELECT s FROM t});
	return $ret == 0 ? "accepted $out" : $err =~ /(binary format \d+|no data left|DETAIL:.*)/ ? $1 : $err;
}
my $one = pack('Q< V V V v v V', 1, 0, 12346, 1, 0, 0, 16);
is(receive("\x01" . $one . pack('v', 5)), 'accepted {5}', 'one id');
is(receive(''), 'no data left', 'nothing');
like(receive("\x01"), qr/ends too early/, 'a version and nothing');
is(receive("\x02" . $one . pack('v', 5)), 'binary format 2', 'another version');
like(receive("\x01" . $one . pack('v', 5) . "\0"), qr/more after the last/, 'a byte too many');
like(receive("\x01" . "\xff" x 8), qr/ends too early/, 'a promise of 2^64 bitmaps');
like(receive("\x01" . pack('Q< V V V', 1, 0, 12346, 0xffffffff)), qr/more than 65536 containers/, 'a promise of 2^32 containers');
like(receive("\x01" . pack('Q< V V V v2 v2 V2 v2', 1, 0, 12346, 2, 1, 0, 1, 0, 24, 26, 5, 6)), qr/containers are not ascending/, 'a container twice');
like(receive("\x01" . pack('Q< V V V v2 V v2', 1, 0, 12346, 1, 0, 1, 16, 7, 7)), qr/not ascending/, 'a member twice');
like(receive("\x01" . pack('Q< V V V v2 V', 1, 0, 12346, 1, 0, 4999, 16) . "\xff" x 8192), qr/number of members/, 'a bitmap that counts wrong');
like(receive("\x01" . pack('Q< V V C v2 v v2', 1, 0, 12347, 1, 0, 99, 1, 65500, 99)), qr/runs overlap/, 'a run beyond its container');

# Bits turned in valid bytes: refused, or another set that is sound.
is($node->safe_psql('postgres', <<'SQL'), '20000|t|0', 'twenty thousand turned bits');
CREATE FUNCTION turned(bytes bytea) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    s crm.contact_set;
BEGIN
    s := crm.from_roaring(bytes);
    -- whatever was accepted works and is written as itself
    IF crm.contact_set_ne(crm.from_roaring(crm.to_roaring(s)), s) OR crm.cardinality(s) <> (SELECT count(*) FROM crm.members(s))
       OR crm.contact_set_ne(s::text::crm.contact_set, s) THEN
        RAISE EXCEPTION 'unsound';
    END IF;
    RETURN true;
EXCEPTION WHEN invalid_binary_representation THEN
    RETURN false;
END
$$;
CREATE TABLE image AS SELECT n, crm.to_roaring(crm.contact_set(x)) AS bytes FROM trial WHERE n <= 200
UNION ALL SELECT 1001, crm.to_roaring((SELECT crm.contact_set_agg(i * 3) FROM generate_series(1, 21000::bigint) i))
UNION ALL SELECT 1002, crm.to_roaring('{-70000..70000,5000000000..5000000500}');
SELECT count(*), bool_or(good) AND NOT bool_and(good), count(*) FILTER (WHERE good IS NULL) FROM (
    SELECT turned(set_bit(bytes, abs(hashint8extended(i, n) / 2) % (length(bytes) * 8),
        1 - get_bit(bytes, abs(hashint8extended(i, n) / 2) % (length(bytes) * 8)))) AS good
    FROM (SELECT i, i * 7919 % 202 AS k FROM generate_series(1, 20000::bigint) i) t
    JOIN (SELECT row_number() OVER (ORDER BY n) - 1 AS k, * FROM image) m USING (k)) r
SQL
# ... and bytes missing
is($node->safe_psql('postgres', q{SELECT count(*) FILTER (WHERE turned(substr(bytes, 1, length(bytes) - i::int))) FROM image, generate_series(1, 30) i WHERE i < length(bytes)}), '0', 'bytes missing at the end');

# ---- parallel aggregates
$node->safe_psql('postgres', q{
	CREATE TABLE many AS SELECT i % 1000 AS g, CASE WHEN i % 17 = 0 THEN NULL ELSE i * 7919 % 1000003 - 3000 END AS id, crm.contact_set(ARRAY[i, i * i]) AS s FROM generate_series(1, 120000::bigint) i;
	ANALYZE many});
my $parallel = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;';
my $serial = 'SET max_parallel_workers_per_gather = 0;';
my $all = q{SELECT md5(crm.to_roaring(crm.contact_set_agg(id))::text), md5(crm.to_roaring(crm.union_agg(s))::text), crm.intersect_agg(crm.contact_set_or(s, '{5,9}')), crm.contact_set_agg(id) FILTER (WHERE id < -2900) FROM many};
my $groups = q{SELECT g, md5(crm.contact_set_agg(id)::text), md5(crm.union_agg(s)::text) FROM many GROUP BY g ORDER BY g};
like($node->safe_psql('postgres', "$parallel EXPLAIN (COSTS OFF) $all"), qr/Partial Aggregate/, 'the plan is parallel');
is($node->safe_psql('postgres', "$parallel $all"), $node->safe_psql('postgres', "$serial $all"), 'parallel is serial');
is($node->safe_psql('postgres', "$parallel $groups"), $node->safe_psql('postgres', "$serial $groups"), 'also by groups');

# ---- many small groups: bytes of a group beyond those of count()
my $memory = q{SET max_parallel_workers_per_gather = 0; SET enable_sort = off; SET work_mem = '1GB'; EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT g, %s FROM small GROUP BY g};
$node->safe_psql('postgres', 'CREATE TABLE small AS SELECT i / 3 AS g, i * 7 AS id FROM generate_series(1, 600000::bigint) i; ANALYZE small');
my ($count) = $node->safe_psql('postgres', sprintf($memory, 'count(id)')) =~ /Batches: 1 +Memory Usage: (\d+)kB/;
my ($sets) = $node->safe_psql('postgres', sprintf($memory, 'crm.contact_set_agg(id)')) =~ /Batches: 1 +Memory Usage: (\d+)kB/;
cmp_ok(($sets - $count) * 1024 / 200000, '<', 150, 'a group of three ids costs ' . int(($sets - $count) * 1024 / 200000) . ' bytes');

# ---- dump and restore, GIN included
$node->safe_psql('postgres', 'CREATE DATABASE copy; CREATE INDEX kept_gin ON kept USING gin (s); CREATE INDEX kept_hash ON kept USING hash (s)');
$node->command_ok([ 'pg_dump', '-Fc', '-t', 'kept', '-f', "$folder/dump", '-d', $node->connstr('postgres') ], 'pg_dump');
$node->safe_psql('copy', 'CREATE EXTENSION crm');
$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr('copy'), "$folder/dump" ], 'pg_restore');
my $sum = q{SET search_path = public, crm; SELECT md5(string_agg(n || s::text, ',' ORDER BY n)) FROM kept};
is($node->safe_psql('copy', $sum), $node->safe_psql('postgres', $sum), 'the same sets');

# ---- limits
my ($ret, $out, $err) = $node->psql('postgres', q{SELECT crm.contact_set_or('{1..900000000000}', '{2000000000000..2900000000000}')});
like($err, qr/would be larger than 512 MB/, 'a union that is too large');

# ---- soft errors
SKIP:
{
	skip 'soft errors came with PostgreSQL 16', 2 if $major < 16;
	is($node->safe_psql('postgres', q{SELECT pg_input_is_valid('{x}', 'crm.contact_set'), pg_input_is_valid('{1}', 'crm.contact_set')}), 'f|t', 'pg_input_is_valid');
	is($node->safe_psql('postgres', q{SELECT sql_error_code, detail FROM pg_input_error_info('{2..1}', 'crm.contact_set')}), '22P02|CONTACT_SET_RANGE: A range begins with its smaller id: first..last.', 'pg_input_error_info');
}

$node->stop;
done_testing();
