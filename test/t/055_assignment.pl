# Assignment by eight sessions at once: nothing goes to two, everybody gets as
# much as the others, to one; shares by weight; the life cycle under concurrent
# orders; rotations that do what they tell.  R-006, R-054, R-055
use strict;
use warnings FATAL => 'all';

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('assignment', "jit = off\nmax_connections = 30\n");
my $seed = ($ENV{SEED} || 1) % 1000000;
srand($seed);
note "seed $seed";
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION crm;
SELECT crm.install();
INSERT INTO crm.agent (id, name) SELECT i, 'Agent ' || i FROM generate_series(1, 7) i;
INSERT INTO crm.lead (id, source, name) SELECT i, 'race', 'Lead ' || i FROM generate_series(1, 4000) i;
INSERT INTO crm.assignment_rule (id, name, what, definition, method, priority) VALUES
    (1, 'turn', 'lead', 'id <= 2000', 'round_robin', 1), (2, 'shares', 'lead', 'id between 2001 and 3000', 'weighted', 2), (3, 'least', 'lead', NULL, 'least_loaded', 3);
INSERT INTO crm.assignment_member (rule_id, agent_id, weight) SELECT r, a, CASE WHEN r = 2 THEN a ELSE 1 END FROM generate_series(1, 3) r, generate_series(1, 7) a;
SQL

# Runs the scripts of several sessions at once.
sub at_once
{
	my @scripts = @_;
	my (@runs, @err);
	for my $i (0 .. $#scripts)
	{
		# From a file: what is written to a pipe would be read by one session after the other.
		my $file = $node->basedir . "/session$i.sql";
		open(my $script, '>', $file) or die "$file: $!";
		print $script $scripts[$i];
		close $script;
		$err[$i] = '';
		push @runs, IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', $file, '-o', '/dev/null' ], '2>', \$err[$i]);
	}
	$_->finish for @runs;
	is(join('', @err), '', scalar(@scripts) . ' sessions without an error');
}

# Each session asks for every lead, in an order of its own, one by one or many at once.
my @scripts;
for my $session (1 .. 8)
{
	my @ids = map { $_->[1] } sort { $a->[0] <=> $b->[0] } map { [ rand, $_ ] } 1 .. 3000;
	my $script = '';
	while (@ids)
	{
		my @some = splice @ids, 0, rand() < 0.7 ? 1 : 1 + int rand 60;
		$script .= @some == 1 ? "SELECT 1 FROM crm.assign('lead', $some[0]);\n" : "SELECT count(*) FROM crm.assign_all('lead', '{" . join(',', @some) . "}');\n";
		last if length $script > 9000;
	}
	push @scripts, $script;
}
at_once(@scripts);
$node->safe_psql('postgres', "SELECT crm.assign_all('lead', ARRAY(SELECT id FROM crm.lead WHERE owner_id IS NULL AND id <= 3000 ORDER BY id))");
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT record_id) FROM crm.assignment_log'), '3000|3000', 'each lead was assigned once');
is($node->safe_psql('postgres', 'SELECT count(*) FROM crm.assignment_log l JOIN crm.lead d ON d.id = l.record_id WHERE l.agent_id <> d.owner_id OR d.owner_id IS NULL'),
	'0', 'to whom the log says');
is($node->safe_psql('postgres', 'SELECT max(n) - min(n) <= 1, count(*) FROM (SELECT count(*) AS n FROM crm.lead WHERE id <= 2000 GROUP BY owner_id) x'),
	't|7', 'in turn: to one the same');
# By the log, whose order is that of the turns: after every assignment, not only at the end.
is($node->safe_psql('postgres', <<'SQL'), 't', 'in turn: to one the same at every moment');
SELECT max(n.most - n.least) <= 1 FROM (
    SELECT max(c.n) AS most, min(c.n) AS least
    FROM (SELECT l.id, a.a, count(*) FILTER (WHERE l.agent_id = a.a) OVER (PARTITION BY a.a ORDER BY l.id) AS n
          FROM crm.assignment_log l CROSS JOIN generate_series(1, 7) AS a (a) WHERE l.record_id <= 2000) c GROUP BY c.id) n
SQL
is($node->safe_psql('postgres', <<'SQL'), 't', 'by weight: never off by more than stated');
SELECT bool_and(abs(c.n - c.total * c.a / 28.0) <= 0.5 + c.a / 28.0 * 2.5)
FROM (SELECT a.a, count(*) FILTER (WHERE l.agent_id = a.a) OVER (PARTITION BY a.a ORDER BY l.id) AS n, row_number() OVER (PARTITION BY a.a ORDER BY l.id) AS total
      FROM crm.assignment_log l CROSS JOIN generate_series(1, 7) AS a (a) WHERE l.record_id BETWEEN 2001 AND 3000) c
SQL

# Who is away is never given anything while away, and the others stay fair.
for my $round (1 .. 10)
{
	my $away = 1 + int rand 7;
	my $first = 3000 + $round * 50;
	$node->safe_psql('postgres', "DELETE FROM crm.agent_absence; INSERT INTO crm.agent_absence (agent_id, during) VALUES ($away, tstzrange(now(), now() + interval '1 day'))");
	at_once(map { my $s = $_; join '', map { "SELECT 1 FROM crm.assign('lead', " . ($first + $_) . ", 'least');\n" } grep { $_ % 4 == $s } 1 .. 40 } 0 .. 3);
	is($node->safe_psql('postgres', "SELECT count(*) FILTER (WHERE owner_id = $away), count(*) FROM crm.lead WHERE id BETWEEN $first + 1 AND $first + 40 AND owner_id IS NOT NULL"),
		'0|40', "agent $away is skipped");
}

# Sharing out is what its definition says, over random members.
is($node->safe_psql('postgres', <<"SQL"), '', 'crm.allot() gives the least turns');
SELECT setseed(0.$seed);
CREATE TEMPORARY TABLE trial AS
SELECT t, (1 + random() * 8)::integer AS k, (random() * 400)::bigint AS wanted FROM generate_series(1, 200) t;
CREATE TEMPORARY TABLE member AS
SELECT t.t, m, CASE WHEN random() < 0.5 THEN 0 ELSE round((random() * 5)::numeric, 1)::float8 END AS base, (1 + (random() * 4)::integer)::float8 AS weight,
       CASE WHEN random() < 0.3 THEN (random() * 20)::bigint END AS room
FROM trial t, generate_series(1, t.k) m;
WITH said AS (
    SELECT t.t, a.place, a.member, round(a.turn::numeric, 9) AS turn
    FROM trial t, LATERAL (SELECT array_agg(base ORDER BY m) AS bases, array_agg(weight ORDER BY m) AS weights, array_agg(room ORDER BY m) AS rooms FROM member x WHERE x.t = t.t) g,
         LATERAL crm.allot(g.bases, g.weights, g.rooms, t.wanted) a
), due AS (
    SELECT * FROM (SELECT t.t, row_number() OVER (PARTITION BY t.t ORDER BY x.base + (i - 0.5) / x.weight, x.m) AS place, x.m AS member, round((x.base + (i - 0.5) / x.weight)::numeric, 9) AS turn, t.wanted
                   FROM trial t JOIN member x ON x.t = t.t, generate_series(1, least(t.wanted, x.room)) i) d WHERE d.place <= d.wanted
)
(SELECT t, place, member, turn FROM said EXCEPT SELECT t, place, member, turn FROM due) UNION ALL (SELECT t, place, member, turn FROM due EXCEPT SELECT t, place, member, turn FROM said)
SQL
is($node->safe_psql('postgres', <<'SQL'), 't', '... in a large number, too');
SELECT sum(n) = 200000 AND bool_and(abs(n - 200000 * w / 5050.0) <= 0.5 + w / 5050.0 * 49)
FROM (SELECT a.member AS w, count(*) AS n FROM crm.allot(array_fill(0::float8, '{100}'), ARRAY(SELECT i::float8 FROM generate_series(1, 100) i), array_fill(NULL::bigint, '{100}'), 200000) a GROUP BY 1) x
SQL

# Orders of the same contacts by four sessions: the stage is at least what the
# number of orders says, and the history has neither gap nor overlap.
$node->safe_psql('postgres', "INSERT INTO crm.contact (id, given_name, created_at) SELECT i, 'C', '2024-01-01' FROM generate_series(1, 30) i");
at_once(map {
	my $session = $_;
	join '', map {
		my $c = 1 + int rand 30;
		my $kind = rand;
		$kind < 0.7 ? "INSERT INTO crm.sales_order (contact_id, amount) VALUES ($c, 1);\n"
		: $kind < 0.85 ? "UPDATE crm.sales_order SET status = 'cancelled' WHERE contact_id = $c AND id % 4 = $session;\n"
		: "DELETE FROM crm.sales_order WHERE contact_id = $c AND id % 7 = $session;\n"
	} 1 .. 150
} 0 .. 3);
is($node->safe_psql('postgres', <<'SQL'), '0', 'no stage is too low');
SELECT count(*) FROM crm.contact c LEFT JOIN crm.contact_metric m ON m.contact_id = c.id
WHERE array_position('{lead,customer,repeat,loyal}', c.lifecycle_stage)
    < coalesce((SELECT array_position('{lead,customer,repeat,loyal}', r.stage) FROM crm.lifecycle_rule r WHERE r.order_count <= m.order_count ORDER BY r.order_count DESC LIMIT 1), 1)
SQL
is($node->safe_psql('postgres', <<'SQL'), '0|0', 'history: no gap, no overlap, and the last entry is the stage');
SELECT (SELECT count(*) FROM (SELECT lower(valid) <> lag(upper(valid)) OVER (PARTITION BY contact_id ORDER BY valid) AS bad FROM crm.lifecycle_history) x WHERE x.bad),
       (SELECT count(*) FROM crm.contact c WHERE crm.lifecycle_as_of(c.id, 'infinity') IS DISTINCT FROM c.lifecycle_stage)
SQL

# Random rotations: the run does what the dry run told; nobody gets back whom he had.
for my $round (1 .. 12)
{
	my $at = sprintf '2024-%02d-01', $round;
	my $policy = sprintf '{"not_back": "%d days", "keep_company": %s, "method": "%s", "agents": [%s]}', 20 + int(rand 100), rand() < 0.5 ? 'true' : 'false',
		rand() < 0.5 ? 'round_robin' : 'least_loaded', join ',', grep { rand() < 0.7 } 1 .. 7;
	$policy =~ s/\[\]/[1,2]/;
	$node->safe_psql('postgres', "INSERT INTO crm.company (id, name) SELECT i, 'F' || i FROM generate_series(1, 8) i; INSERT INTO crm.company_contact (contact_id, company_id, is_primary) SELECT i, 1 + i % 8, true FROM generate_series(1, 20) i") if $round == 1;
	is($node->safe_psql('postgres', <<"SQL"), "0|0|0", "rotation $round: $policy");
DELETE FROM crm.agent_absence;
CREATE TEMPORARY TABLE plan AS SELECT * FROM crm.rotate_clients(ARRAY(SELECT id FROM crm.contact WHERE id % 3 <> $round % 3), '$policy', as_of => '$at');
CREATE TEMPORARY TABLE had AS SELECT record_id, owner_id FROM crm.ownership_history
WHERE entity = 'contact' AND valid && tstzrange('$at'::timestamptz - ('$policy'::jsonb ->> 'not_back')::interval, '$at', '(]');
CREATE TEMPORARY TABLE done AS SELECT * FROM crm.rotate_clients(ARRAY(SELECT id FROM crm.contact WHERE id % 3 <> $round % 3), '$policy', false, '$at');
SELECT (SELECT count(*) FROM ((TABLE plan EXCEPT TABLE done) UNION ALL (TABLE done EXCEPT TABLE plan)) d),
       (SELECT count(*) FROM done d JOIN had h ON h.record_id = d.contact_id AND h.owner_id = d.new_owner_id WHERE d.reason NOT LIKE 'stays%'),
       (SELECT count(*) FROM (SELECT d.company_id FROM done d WHERE d.company_id IS NOT NULL AND d.reason NOT LIKE 'stays%' GROUP BY 1 HAVING count(DISTINCT d.new_owner_id) > 1) x)
SQL
}
is($node->safe_psql('postgres', "SELECT count(*) FROM crm.ownership_history a JOIN crm.ownership_history b ON b.record_id = a.record_id AND b.entity = a.entity AND b.valid && a.valid AND b.valid <> a.valid"),
	'0', 'history of ownership: no overlap');
done_testing();
