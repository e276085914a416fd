# Random statements on orders, activities and deals, merges and their undoing,
# and several sessions at once: crm.contact_metric is always what counting anew
# gives.  R-184
#
# CRM_SEEDS="1 2 3" repeats chosen runs.
use strict;
use warnings FATAL => 'all';

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('metric', "fsync = off\nmax_connections = 40\ndeadlock_timeout = 100ms\n");
my @seeds = split ' ', $ENV{CRM_SEEDS} // '1 2 3 4';

sub pick { return $_[ int(rand(@_)) ]; }

# Said again here in other words than the product's: what the row of a contact
# must be, and that there is none when it would be empty.
my $truth = <<'SQL';
CREATE VIEW public.truth AS
WITH one AS (
    SELECT contact_id, 'order' AS what, ordered_at AS at, round(amount * exchange_rate, 4) AS amount, NULL AS way FROM crm.sales_order
    WHERE status <> ALL ('{draft,cancelled,returned}') AND deleted_at IS NULL
    UNION ALL SELECT contact_id, 'activity', occurred_at, NULL, direction FROM crm.activity
    UNION ALL SELECT d.contact_id, s.kind, d.closed_at, round(d.amount * crm.exchange_rate(d.currency, d.closed_at), 4), NULL
    FROM crm.deal d, crm.stage s WHERE s.id = d.stage_id AND s.kind <> 'lost' AND d.contact_id IS NOT NULL AND d.deleted_at IS NULL)
SELECT contact_id,
    sum((what = 'order')::int) AS order_count, sum((what = 'order' AND amount IS NOT NULL)::int) AS priced_order_count,
    sum(CASE what WHEN 'order' THEN coalesce(amount, 0) ELSE 0 END) AS order_total,
    round(avg(CASE what WHEN 'order' THEN amount END), 4) AS order_average, max(CASE what WHEN 'order' THEN amount END) AS largest_order,
    min(CASE what WHEN 'order' THEN at END) AS first_order_at, max(CASE what WHEN 'order' THEN at END) AS last_order_at,
    sum((what = 'activity')::int) AS activity_count, min(CASE what WHEN 'activity' THEN at END) AS first_activity_at, max(CASE what WHEN 'activity' THEN at END) AS last_activity_at,
    max(CASE way WHEN 'in' THEN at END) AS last_inbound_at, max(CASE way WHEN 'out' THEN at END) AS last_outbound_at,
    sum((what = 'open')::int) AS open_deal_count, sum((what = 'won')::int) AS won_deal_count,
    sum(CASE what WHEN 'won' THEN coalesce(amount, 0) ELSE 0 END) AS won_deal_total, max(CASE what WHEN 'won' THEN at END) AS last_won_at
FROM one GROUP BY contact_id;
CREATE VIEW public.kept AS
SELECT contact_id, order_count, priced_order_count, order_total, order_average, largest_order, first_order_at, last_order_at, activity_count, first_activity_at,
    last_activity_at, last_inbound_at, last_outbound_at, open_deal_count, won_deal_count, won_deal_total, last_won_at FROM crm.contact_metric;
CREATE FUNCTION public.check_metrics(after text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    wrong text;
BEGIN
    SELECT string_agg(w, E'\n') INTO wrong FROM (
        SELECT 'printed ' || m AS w FROM crm.contact_metric m WHERE scale(m.order_total) <> 4 OR scale(m.won_deal_total) <> 4
        UNION ALL
        SELECT 'should be ' || t AS w FROM (SELECT * FROM public.truth EXCEPT SELECT * FROM public.kept) t
        UNION ALL SELECT 'is ' || k FROM (SELECT * FROM public.kept EXCEPT SELECT * FROM public.truth) k) x;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION E'after %:\n%', after, wrong;
    END IF;
END $$;
CREATE FUNCTION public.pick(anyarray) RETURNS anyelement LANGUAGE sql VOLATILE AS 'SELECT $1[1 + floor(random() * cardinality($1))::int]';
CREATE FUNCTION public.who() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT id FROM crm.contact WHERE deleted_at IS NULL ORDER BY random() LIMIT 1';
SQL

$node->safe_psql('postgres', 'CREATE DATABASE base TEMPLATE template0');
$node->safe_psql('base', "CREATE EXTENSION crm; SELECT crm.install(); $truth"
	  . q{INSERT INTO crm.contact (given_name) SELECT 'Contact ' || i FROM generate_series(1, 12) i;
	SELECT crm.allow_transition('Sales', 'New', 'Won'), crm.allow_transition('Sales', 'Won', 'New');
	INSERT INTO crm.status_transition SELECT 'sales_order', a, b FROM unnest(ARRAY['draft', 'placed', 'paid', 'shipped', 'completed', 'cancelled', 'returned']) a, unnest(ARRAY['draft', 'placed', 'paid', 'shipped', 'completed', 'cancelled', 'returned']) b WHERE a <> b ON CONFLICT DO NOTHING;
	INSERT INTO crm.fx_rate (currency, base, valid_from, rate) VALUES ('EUR', 'USD', '2020-01-01', 1.1), ('USD', 'RUB', '2020-01-01', 70), ('USD', 'RUB', '2026-01-03', 90.333)});

my $when = q{public.pick(ARRAY['2026-01-01', '2026-01-02', '2026-01-03 10:00', '2026-01-04', '2026-01-05']::timestamptz[])};
my $amount = q{public.pick(ARRAY[0, 1, 10, 10.5, 99.99, 1e9, NULL]::numeric[])};
my $currency = q{public.pick(ARRAY['USD', 'EUR', 'RUB', 'KZT', NULL])};
my $status = q{public.pick(ARRAY['draft', 'placed', 'paid', 'shipped', 'completed', 'cancelled', 'returned'])};
my $way = q{public.pick(ARRAY['in', 'out', NULL])};
my $some = sub { my ($table, $share) = @_; return "FROM crm.$table WHERE random() < " . ($share // pick('0.05', '0.3', '0.7')) };

sub random_statement
{
	my $n = pick(1, 1, 3, 40);
	return pick(
		"INSERT INTO crm.sales_order (contact_id, status, ordered_at, amount, currency) SELECT public.who(), $status, $when, $amount, $currency FROM generate_series(1, $n)",
		"INSERT INTO crm.sales_order (contact_id, status, ordered_at, amount, currency) SELECT public.who(), $status, $when, $amount, $currency FROM generate_series(1, $n)",
		"UPDATE crm.sales_order SET status = $status WHERE random() < 0.3",
		"UPDATE crm.sales_order SET amount = $amount, ordered_at = $when WHERE random() < 0.2",
		"UPDATE crm.sales_order SET ordered_at = $when WHERE (contact_id, id) IN (SELECT contact_id, id FROM crm.sales_order ORDER BY random() LIMIT 1)",
		"UPDATE crm.sales_order SET currency = coalesce($currency, currency) WHERE random() < 0.2",
		"UPDATE crm.sales_order SET contact_id = public.who() WHERE random() < 0.2",
		"UPDATE crm.sales_order SET attrs = '{\"a\": 1}', description = random()::text WHERE random() < 0.5",
		"UPDATE crm.sales_order SET deleted_at = CASE WHEN random() < 0.5 THEN now() END WHERE random() < 0.2",
		'DELETE ' . $some->('sales_order'),
		"DELETE FROM crm.sales_order o WHERE ordered_at = (SELECT max(ordered_at) FROM crm.sales_order x WHERE x.contact_id = o.contact_id)",
		"DELETE FROM crm.sales_order o WHERE base_amount = (SELECT max(base_amount) FROM crm.sales_order x WHERE x.contact_id = o.contact_id)",
		"WITH gone AS (DELETE FROM crm.sales_order WHERE random() < 0.3 RETURNING contact_id, amount), changed AS (UPDATE crm.sales_order SET contact_id = public.who(), status = 'paid' WHERE random() < 0.1 RETURNING 1)
		 INSERT INTO crm.sales_order (contact_id, amount, ordered_at) SELECT contact_id, amount, $when FROM gone ON CONFLICT DO NOTHING",
		"INSERT INTO crm.sales_order (contact_id, external_system, external_id, amount, ordered_at, status) SELECT i, 'shop', public.pick(ARRAY['1', '2']), $amount, $when, $status
		 FROM (SELECT id AS i FROM crm.contact WHERE deleted_at IS NULL) c ON CONFLICT (contact_id, external_system, external_id)
		 DO UPDATE SET amount = excluded.amount, ordered_at = excluded.ordered_at, status = excluded.status",
		"MERGE INTO crm.sales_order o USING (SELECT id FROM crm.contact WHERE deleted_at IS NULL) c ON o.contact_id = c.id AND o.external_id = '1'
		 WHEN MATCHED AND random() < 0.3 THEN DELETE WHEN MATCHED THEN UPDATE SET status = $status
		 WHEN NOT MATCHED THEN INSERT (contact_id, external_system, external_id, amount) VALUES (c.id, 'shop', '1', 5)",
		"INSERT INTO crm.activity (contact_id, kind, direction, occurred_at) SELECT public.who(), 'call', $way, $when FROM generate_series(1, $n)",
		"INSERT INTO crm.activity (contact_id, kind, direction, occurred_at) SELECT public.who(), 'call', $way, $when FROM generate_series(1, $n)",
		"UPDATE crm.activity SET direction = $way WHERE random() < 0.3",
		"UPDATE crm.activity SET occurred_at = $when, contact_id = CASE WHEN random() < 0.2 THEN public.who() ELSE contact_id END WHERE random() < 0.3",
		"UPDATE crm.activity SET subject = 'x' WHERE random() < 0.5",
		'DELETE ' . $some->('activity'),
		"DELETE FROM crm.activity a WHERE occurred_at = (SELECT max(occurred_at) FROM crm.activity x WHERE x.contact_id = a.contact_id)",
		"INSERT INTO crm.deal (name, contact_id, amount, currency) SELECT 'Deal', CASE WHEN random() < 0.8 THEN public.who() END, $amount, $currency FROM generate_series(1, $n)",
		"UPDATE crm.deal SET stage_id = crm.stage_id(pipeline_id, CASE WHEN stage_id = crm.stage_id(pipeline_id, 'New') THEN 'Won' ELSE 'New' END) WHERE random() < 0.3",
		"UPDATE crm.deal SET amount = $amount, contact_id = CASE WHEN random() < 0.8 THEN public.who() END WHERE random() < 0.3",
		"UPDATE crm.deal SET deleted_at = CASE WHEN random() < 0.5 THEN now() END WHERE random() < 0.2",
		'DELETE ' . $some->('deal'),
		"INSERT INTO crm.fx_rate (currency, base, valid_from, rate) VALUES ($currency, $currency, $when\:\:date, 1 + (random() * 9)\:\:int) ON CONFLICT (currency, base, valid_from) DO UPDATE SET rate = excluded.rate",
		'DELETE ' . $some->('fx_rate', 0.3),
		"UPDATE crm.base_currency SET code = public.pick(ARRAY['USD', 'EUR', 'USD'])",
		"SELECT crm.merge_contacts(a.id, ARRAY(SELECT id FROM crm.contact WHERE deleted_at IS NULL AND id <> a.id ORDER BY random() LIMIT public.pick(ARRAY[1, 1, 2]))) FROM (SELECT public.who() AS id) a",
		"SELECT crm.merge_contacts(a.id, ARRAY(SELECT id FROM crm.contact WHERE deleted_at IS NULL AND id <> a.id ORDER BY random() LIMIT public.pick(ARRAY[1, 1, 2]))) FROM (SELECT public.who() AS id) a",
		"SELECT count(*) FROM crm.unmerge((SELECT id FROM crm.merge WHERE undone_at IS NULL ORDER BY id DESC LIMIT 1), public.pick(ARRAY['keep', 'restore']))",
		"SELECT count(*) FROM crm.unmerge((SELECT id FROM crm.merge WHERE undone_at IS NULL ORDER BY id DESC LIMIT 1), 'restore')",
		"BEGIN; DELETE FROM crm.sales_order; INSERT INTO crm.sales_order (contact_id, amount) VALUES (public.who(), 3); ROLLBACK",
		"BEGIN; INSERT INTO crm.sales_order (contact_id, amount, ordered_at) VALUES (public.who(), 7, $when); DELETE " . $some->('sales_order') . '; COMMIT',
		rand() < 0.15 ? 'TRUNCATE ' . pick('crm.sales_order CASCADE', 'crm.activity', 'crm.sales_order, crm.activity CASCADE') : 'SELECT 1',
		'SELECT crm.rebuild_contact_metric()');
}

for my $seed (@seeds)
{
	srand($seed);
	my $db = "run_$seed";
	$node->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE base");
	my $script = "SET client_min_messages = warning;\nSELECT setseed(0.$seed);\n";
	my $statements = 0;
	for (1 .. 120)
	{
		my $statement = random_statement();
		(my $told = $statement) =~ s/'/''/g;
		# Some are refused, such as a merge of nobody; what they did is undone.
		$script .= "$statement;\nROLLBACK;\nSELECT public.check_metrics('$told');\n";
		$statements++;
	}
	my ($stdout, $stderr);
	$node->psql($db, $script, stdout => \$stdout, stderr => \$stderr, on_error_stop => 0, timeout => 300);
	my @wrong = grep { /^psql:.*ERROR:  after / } split /\n/, $stderr;
	is(scalar(@wrong), 0, "seed $seed: after each of $statements statements the metrics are right")
	  or diag(($stderr =~ /(ERROR:  after .*?)(?:CONTEXT|\z)/s)[0]);
	my @refused = grep { /ERROR: / && !/after / } split /\n/, $stderr;
	cmp_ok(scalar(@refused), '<', 40, "seed $seed: most statements ran (" . scalar(@refused) . ' refused)') or diag(join "\n", @refused);
	is($node->safe_psql($db, 'SELECT crm.rebuild_contact_metric()'), 0, "seed $seed: counting anew changes nothing");
	# ... and mends what is not right.
	$node->safe_psql($db, "INSERT INTO crm.sales_order (contact_id, amount) VALUES (public.who(), 1); UPDATE crm.contact_metric SET order_count = order_count + 1, order_total = 0, last_activity_at = now(); DELETE FROM crm.contact_metric WHERE contact_id % 2 = 0");
	$node->safe_psql($db, 'SELECT crm.rebuild_contact_metric(); SELECT public.check_metrics($$rebuild$$)');
	pass("seed $seed: mended");
	$node->safe_psql('postgres', "DROP DATABASE $db");
}

# Several sessions at once, a statement of several contacts each: nobody has to
# be sent back, and the sums are right.
$node->safe_psql('postgres', 'CREATE DATABASE busy TEMPLATE base');
$node->safe_psql('busy', q{INSERT INTO crm.sales_order (contact_id, amount, ordered_at) SELECT 1 + i % 12, i, '2026-01-01'::timestamptz + i * interval '1 hour' FROM generate_series(1, 60) i;
	INSERT INTO crm.activity (contact_id, kind, direction, occurred_at) SELECT 1 + i % 12, 'call', 'in', '2026-01-01'::timestamptz + i * interval '1 hour' FROM generate_series(1, 60) i});
my $hour = q{'2026-01-01'::timestamptz + (random() * 100)::int * interval '1 hour'};
my $taken = sub { my ($table, $limit) = @_; return "WITH k AS (SELECT contact_id, id FROM crm.$table WHERE (contact_id, id) IN (SELECT contact_id, id FROM crm.$table ORDER BY random() LIMIT $limit) ORDER BY contact_id, id FOR UPDATE)" };
my @single = (
	"INSERT INTO crm.sales_order (contact_id, amount, ordered_at) SELECT 1 + (random() * 11)::int, (random() * 100)::int, $hour FROM generate_series(1, 5);",
	$taken->('sales_order', 6) . " DELETE FROM crm.sales_order o USING k WHERE o.contact_id = k.contact_id AND o.id = k.id;",
	$taken->('sales_order', 4) . " UPDATE crm.sales_order o SET status = public.pick(ARRAY['paid', 'cancelled']), ordered_at = $hour FROM k WHERE o.contact_id = k.contact_id AND o.id = k.id;",
	"INSERT INTO crm.activity (contact_id, kind, direction, occurred_at) SELECT 1 + (random() * 11)::int, 'call', $way, $hour FROM generate_series(1, 4);",
	$taken->('activity', 5) . " DELETE FROM crm.activity o USING k WHERE o.contact_id = k.contact_id AND o.id = k.id;",
	"INSERT INTO crm.deal (name, contact_id, amount) SELECT 'Deal', 1 + (random() * 11)::int, 5 FROM generate_series(1, 2);",
	'SELECT crm.rebuild_contact_metric(ARRAY[1, 5, 3, 7]);');
my $basedir = $node->basedir;
my $number = 0;
my @files;
for my $statement (@single)
{
	my $file = "$basedir/single" . $number++;
	append_to_file($file, "$statement\n");
	push @files, '-f', $file;
}
my $bench = sub {
	my ($name, @arguments) = @_;
	my ($out, $err) = ('', '');
	my $ok = IPC::Run::run([ 'pgbench', '-n', '-h', $node->host, '-p', $node->port, @arguments, 'busy' ], '>', \$out, '2>', \$err);
	ok($ok && $err !~ /ERROR/, $name) or diag($err, $out);
};
$bench->('eight sessions, no statement refused', '-c', 8, '-t', 40, @files);
is($node->safe_psql('busy', q{SELECT public.check_metrics('sessions'); SELECT crm.rebuild_contact_metric()}), "\n0", 'and the metrics are right');

# Transactions of several statements and merges besides: some have to be sent
# back by the server, as such transactions always may; the sums are right.
my @several = (
	"BEGIN;\n$single[0]\n$single[1]\n$single[3]\nCOMMIT;",
	"BEGIN;\n$single[2]\nSAVEPOINT s;\n$single[1]\nROLLBACK TO s;\n$single[5]\nCOMMIT;",
	"BEGIN ISOLATION LEVEL REPEATABLE READ;\n$single[0]\n$single[1]\nCOMMIT;",
	"BEGIN;\n$single[1]\n$single[4]\nROLLBACK;",
	'DO $$ BEGIN PERFORM crm.merge_contacts(1 + (random() * 11)::int, ARRAY[1 + (random() * 11)::int]); EXCEPTION WHEN no_data_found OR invalid_parameter_value THEN END $$;',
	q{DO $$ BEGIN PERFORM crm.unmerge((SELECT id FROM crm.merge WHERE undone_at IS NULL ORDER BY id DESC LIMIT 1), 'keep'); EXCEPTION WHEN no_data_found OR object_not_in_prerequisite_state OR unique_violation THEN END $$;});
for my $statement (@several)
{
	my $file = "$basedir/several" . $number++;
	append_to_file($file, "$statement\n");
	push @files, '-f', $file;
}
my ($out, $err) = ('', '');
IPC::Run::run([ 'pgbench', '-n', '-h', $node->host, '-p', $node->port, '-c', 8, '-t', 30, '--max-tries=100', @files, 'busy' ], '>', \$out, '2>', \$err);
like($out, qr/number of transactions actually processed: 240\/240/, 'eight sessions of transactions and merges') or diag($err, $out);
is($node->safe_psql('busy', q{SELECT public.check_metrics('transactions'); SELECT crm.rebuild_contact_metric()}), "\n0", 'and the metrics are right');
done_testing();
