# Random lives of deals, whose state is put aside at many moments: the history
# gives each of these states again, and what changed between any two of them
# adds up to the difference.  R-061 R-063 R-072
#
# CRM_SEEDS="1 2 3" repeats chosen runs.
use strict;
use warnings FATAL => 'all';

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('deal_time', "fsync = off\nshared_buffers = 32MB\n");
my @seeds = split ' ', $ENV{CRM_SEEDS} // '1 2';
my $steps = $ENV{CRM_STEPS} // 120;

sub pick { return $_[ int(rand(@_)) ]; }

$node->safe_psql('postgres', 'CREATE DATABASE template_crm');
$node->safe_psql('template_crm', <<'SQL');
CREATE EXTENSION crm;
SELECT crm.install();
SELECT crm.create_pipeline('East', '{A,B,C}', flow => 'free');
SELECT crm.create_pipeline('West', '{D,E}', flow => 'free', currency => 'EUR');
-- Anywhere to anywhere, also between pipelines.
INSERT INTO crm.stage_transition (from_stage_id, to_stage_id)
SELECT a.id, b.id FROM crm.stage a, crm.stage b WHERE a.id <> b.id ON CONFLICT DO NOTHING;
INSERT INTO crm.agent (name) VALUES ('Anna'), ('Boris');
CREATE TABLE kept (n serial, at timestamptz, deal crm.deal);
SQL

foreach my $seed (@seeds)
{
	srand($seed);
	my $db = "run_$seed";
	$node->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE template_crm");
	my $zone = pick('UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata');
	$node->safe_psql('postgres', "ALTER DATABASE $db SET timezone = '$zone'; ALTER DATABASE $db SET datestyle = 'German, DMY'");
	my $some = sub { return "id = ANY ('{" . join(',', map { 1 + int(rand(40)) } 1 .. 1 + int(rand(6))) . "}')"; };
	my $stage = sub { return '(SELECT id FROM crm.stage ORDER BY hashint8(id * ' . int(rand(1e6)) . ') LIMIT 1)'; };
	my $script = '';
	foreach my $step (1 .. $steps)
	{
		my $date = "date '2026-01-01' + " . int(rand(90));
		foreach (1 .. 1 + int(rand(3)))
		{
			my $s = $some->();
			$script .= pick(
				"INSERT INTO crm.deal (name, stage_id, amount, close_date, loss_reason_id) SELECT 'New', " . $stage->() . ", i * 100, " . pick($date, 'NULL') . ", 1 FROM generate_series(1, " . pick(1, 2, 3) . ") i;\n",
				"INSERT INTO crm.deal (name, amount, currency, owner_id) VALUES ('New', " . pick('500', 'NULL') . ", " . pick("'EUR'", "'USD'") . ", 1);\n",
				"UPDATE crm.deal SET stage_id = " . $stage->() . ", loss_reason_id = 1 WHERE $s;\n",
				"UPDATE crm.deal SET stage_id = " . $stage->() . ", loss_reason_id = 1, amount = amount + 7 WHERE $s;\n",
				"UPDATE crm.deal SET amount = amount " . pick('+ 10', '- least(10, amount)', '* 1.5') . " WHERE $s;\n",
				"UPDATE crm.deal SET close_date = $date WHERE $s;\n",
				"UPDATE crm.deal SET close_date = NULL, probability = " . pick('0.25', 'NULL') . " WHERE $s;\n",
				"UPDATE crm.deal SET currency = " . pick("'EUR'", "'USD'") . ", owner_id = " . pick(1, 2, 'NULL') . " WHERE $s;\n",
				"UPDATE crm.deal SET deleted_at = CASE WHEN deleted_at IS NULL THEN now() END WHERE $s;\n",
				"DELETE FROM crm.deal WHERE $s AND id % 3 = 0;\n",
				"INSERT INTO crm.deal (id, name, amount) SELECT id, 'Again', 5 FROM generate_series(1, 40) AS id WHERE $s AND id % 3 = 0 AND NOT EXISTS (SELECT FROM crm.deal d WHERE d.id = id.id)"
				  . " AND id <= (SELECT last_value FROM crm.deal_id_seq) LIMIT 1;\n");
		}
		$script .= "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00' AS at \\gset\nINSERT INTO kept (at, deal) SELECT :'at', d FROM crm.deal d;\n" if $step % 5 == 0;
	}
	# Some are refused, such as a move of a deal to where it may not go.
	$node->psql($db, $script, on_error_stop => 0);
	my $sql = sub { return $node->safe_psql($db, $_[0]); };

	cmp_ok($sql->('SELECT count(*) FROM crm.deal_history'), '>', 200, "seed $seed, $zone: there is a history");
	my @moments = split /\n/, $sql->("SELECT DISTINCT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00' FROM kept ORDER BY 1");
	my $columns = 'name, pipeline_id, stage_id, contact_id, company_id, owner_id, amount, currency, close_date, probability, stage_entered_at, closed_at, loss_reason_id, lost_at_stage_id, source, created_at, deleted_at';
	my @wrong = grep { $sql->(<<"SQL") ne '0' } @moments;
SELECT count(*) FROM (
	(SELECT (deal).id, (deal).name, (deal).pipeline_id, (deal).stage_id, (deal).contact_id, (deal).company_id, (deal).owner_id, (deal).amount, (deal).currency, (deal).close_date,
		(deal).probability, (deal).stage_entered_at, (deal).closed_at, (deal).loss_reason_id, (deal).lost_at_stage_id, (deal).source, (deal).created_at, (deal).deleted_at FROM kept WHERE at = '$_'
	 EXCEPT SELECT deal_id, $columns FROM crm.deals_as_of('$_'))
	UNION ALL
	(SELECT deal_id, $columns FROM crm.deals_as_of('$_')
	 EXCEPT SELECT r.id, $columns FROM (SELECT (deal).* FROM kept WHERE at = '$_') r)) x
SQL
	is("@wrong", '', "seed $seed: the state of each of " . @moments . ' moments');

	@wrong = grep { $sql->(<<"SQL") ne '0' } @moments;
WITH one AS (SELECT i.deal_id, r.* FROM (SELECT DISTINCT deal_id FROM crm.deal_history) i
	CROSS JOIN LATERAL (SELECT crm.deal_as_of(i.deal_id, '$_') AS state) s
	CROSS JOIN LATERAL jsonb_populate_record(NULL::crm.deal, s.state) r WHERE s.state IS NOT NULL)
SELECT count(*) FROM (SELECT deal_id, $columns FROM one) a FULL JOIN (SELECT deal_id, $columns FROM crm.deals_as_of('$_')) b ON a = b WHERE a IS NULL OR b IS NULL
SQL
	is("@wrong", '', "seed $seed: as crm.deal_as_of() has it of each deal");

	# Between any two moments, of all deals, of those promised for a time, of one pipeline.
	my $problem = '';
	foreach my $pair (1 .. 25)
	{
		my ($from, $to) = sort { $a cmp $b } (pick(@moments), pick(@moments));
		my $low = int(rand(60));
		my $promised = pick('NULL', "daterange(date '2026-01-01' + $low, date '2026-01-01' + " . ($low + int(rand(40))) . ')');
		my $pipeline = pick('NULL', "'East'", "'West'");
		my $due = $promised eq 'NULL' ? 'true' : "(deal).close_date <@ $promised";
		my $of = $pipeline eq 'NULL' ? 'true' : "(deal).pipeline_id = crm.pipeline_id($pipeline)";
		# What was there, from what was put aside; what changed, by the function.
		my $state = sub { return "SELECT (deal).pipeline_id, coalesce((deal).currency, (SELECT currency FROM crm.pipeline p WHERE p.id = (deal).pipeline_id)) AS currency, coalesce(sum((deal).amount), 0) AS amount
			FROM kept WHERE at = '$_[0]' AND (deal).closed_at IS NULL AND (deal).deleted_at IS NULL AND $due AND $of GROUP BY 1, 2"; };
		$problem = $sql->(<<"SQL");
WITH opening AS (@{[$state->($from)]}), closing AS (@{[$state->($to)]}),
change AS (SELECT pipeline_id, currency, sum(amount) AS amount FROM crm.pipeline_changes('$from', '$to', $pipeline, $promised) GROUP BY 1, 2)
SELECT format('%s %s: %s + %s is not %s', k.pipeline_id, k.currency, o.amount, x.amount, c.amount)
FROM (SELECT pipeline_id, currency FROM opening UNION SELECT pipeline_id, currency FROM closing UNION SELECT pipeline_id, currency FROM change) k
LEFT JOIN opening o USING (pipeline_id, currency) LEFT JOIN closing c USING (pipeline_id, currency) LEFT JOIN change x USING (pipeline_id, currency)
WHERE coalesce(o.amount, 0) + coalesce(x.amount, 0) <> coalesce(c.amount, 0)
SQL
		$problem ||= $sql->(<<"SQL");
SELECT format('waterfall of %s %s', pipeline, currency) FROM crm.pipeline_waterfall('$from', '$to', $pipeline, $promised) GROUP BY pipeline, currency
HAVING sum(amount) FILTER (WHERE change <> 'closing') <> sum(amount) FILTER (WHERE change = 'closing')
SQL
		# A deal is grown or shrunk, not both; comes in once; ends once.
		$problem ||= $sql->(<<"SQL");
SELECT deal_id || ': ' || string_agg(change, ', ') FROM crm.pipeline_changes('$from', '$to', $pipeline, $promised) GROUP BY deal_id
HAVING count(*) FILTER (WHERE change IN ('grown', 'shrunk', 'moved in', 'new', 'restored', 'reopened', 'slipped in')) > 1
	OR count(*) FILTER (WHERE change IN ('won', 'lost', 'deleted', 'slipped out')) > 1
SQL
		# Who is new, and who was won, by what was put aside.
		my $own = $promised eq 'NULL' ? $sql->(<<"SQL") : '';
WITH a AS (SELECT (deal).*, s.kind FROM kept JOIN crm.stage s ON s.id = (deal).stage_id WHERE at = '$from' AND (deal).deleted_at IS NULL),
b AS (SELECT (deal).*, s.kind FROM kept JOIN crm.stage s ON s.id = (deal).stage_id WHERE at = '$to' AND (deal).deleted_at IS NULL),
truth AS (SELECT CASE WHEN b.kind = 'won' AND a.kind IS DISTINCT FROM 'won' THEN 'won' WHEN b.kind = 'lost' AND a.kind IS DISTINCT FROM 'lost' THEN 'lost' END AS change, b.id, b.pipeline_id FROM b LEFT JOIN a ON a.id = b.id
	UNION ALL SELECT 'deleted', a.id, a.pipeline_id FROM a LEFT JOIN b ON b.id = a.id WHERE b.id IS NULL AND a.kind = 'open'
	UNION ALL SELECT 'reopened', a.id, b.pipeline_id FROM a JOIN b ON b.id = a.id WHERE a.kind <> 'open' AND b.kind <> a.kind)
SELECT count(*) FROM (SELECT change, id FROM truth WHERE change IS NOT NULL AND (${pipeline}::text IS NULL OR pipeline_id = crm.pipeline_id($pipeline))) t
FULL JOIN (SELECT change, deal_id AS id FROM crm.pipeline_changes('$from', '$to', $pipeline) WHERE change IN ('won', 'lost', 'deleted', 'reopened')) c USING (change, id)
WHERE t IS NULL OR c IS NULL
SQL
		$problem ||= "won, lost, deleted, reopened: $own differ" if $own;
		$problem &&= "between $from and $to, $pipeline, $promised: $problem";
		last if $problem;
	}
	is($problem, '', "seed $seed: what changed adds up");

	# Stays follow one another without a gap, and the last is where the deal is.
	is($sql->(<<'SQL'), '0', "seed $seed: stays at stages");
SELECT count(*) FROM (
	SELECT v.deal_id FROM crm.stage_visits() v JOIN crm.deal d ON d.id = v.deal_id
	WHERE v.left_at IS NULL AND (v.stage_id <> d.stage_id OR v.entered_at <> d.stage_entered_at)
	UNION ALL
	SELECT deal_id FROM (SELECT deal_id, left_at, next_stage_id, lead(entered_at) OVER w AS next_entered, lead(stage_id) OVER w AS following
		FROM crm.stage_visits() WINDOW w AS (PARTITION BY deal_id ORDER BY visit)) x WHERE next_stage_id IS NOT NULL AND (left_at <> next_entered OR next_stage_id <> following)
	UNION ALL
	(SELECT id FROM crm.deal EXCEPT SELECT deal_id FROM crm.stage_visits() WHERE left_at IS NULL)) x
SQL
	is($sql->(<<'SQL'), '0', "seed $seed: pushes, one by one");
SELECT count(*) FROM (SELECT d.id, (SELECT count(*) FROM crm.v_deal_history h WHERE h.deal_id = d.id AND h.field = 'close_date' AND h.new_value::date > h.old_value::date) AS n FROM crm.deal d WHERE deleted_at IS NULL) a
FULL JOIN (SELECT deal_id AS id, count(*) AS n FROM crm.deal_pushes() GROUP BY 1) b USING (id) WHERE coalesce(a.n, 0) <> coalesce(b.n, 0)
SQL
	# In both modes a funnel narrows down only where deals go; cohorts have no rest.
	is($sql->(<<'SQL'), '0', "seed $seed: cohorts are won, lost, open or moved");
SELECT count(*) FROM unnest('{East,West,Sales}'::text[]) p, crm.funnel_conversion(p) f WHERE f.entered <> f.won + f.lost + f.open + f.moved
SQL
}

done_testing();
