# The sales data of a real company: 8,800 deals, imported twice; the history
# gives every row again; stages are enforced on what was imported.  R-047, R-072
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $file = ($ENV{CRM_DATA} // '') . '/crm_sales_maven/sales_pipeline.csv';
plan skip_all => 'CRM_DATA does not name a folder with crm_sales_maven' unless -r $file;

my $node = PostgreSQL::Test::Cluster->new('deal_import');
$node->init(extra => [ '-E', 'UTF8', '--locale=C.UTF-8' ]);
$node->append_conf('postgresql.conf', slurp_file($ENV{CRM_SETTINGS}));
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION crm; SELECT crm.install()');
$node->safe_psql('postgres', qq{
	CREATE TABLE staging (opportunity_id text, sales_agent text, product text, account text, deal_stage text,
		engage_date text, close_date text, close_value text);
	COPY staging FROM '$file' (FORMAT csv, HEADER)});
my $import = q{SELECT * FROM crm.import_deals('staging', 'Maven', 'maven', stages => '{Prospecting,Engaging}', as_of => '2018-01-01 00:00+00')};
is($node->safe_psql('postgres', $import), '8800|8800|0|0|0', 'imported');
my $funnel = q{SELECT stage, deals, amount FROM crm.v_pipeline_total WHERE pipeline = 'Maven' ORDER BY position};
is($node->safe_psql('postgres', $funnel), "Prospecting|500|0\nEngaging|1589|0\nWon|4238|10005534\nLost|2473|0", 'the funnel is that of the file');
is($node->safe_psql('postgres', q{SELECT (SELECT count(*) FROM crm.agent), (SELECT count(*) FROM crm.company)}),
	$node->safe_psql('postgres', q{SELECT count(DISTINCT sales_agent), count(DISTINCT account) FROM staging}), 'agents and companies');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM staging s JOIN crm.deal d ON d.external_id = s.opportunity_id
	WHERE d.created_at IS DISTINCT FROM coalesce(to_date(s.engage_date, 'MM/DD/YYYY')::timestamp AT TIME ZONE 'UTC', '2018-01-01 00:00+00')
	   OR d.close_date IS NOT NULL
	   OR d.closed_at IS DISTINCT FROM to_date(s.close_date, 'MM/DD/YYYY')::timestamp AT TIME ZONE 'UTC'
	   OR d.amount IS DISTINCT FROM s.close_value::numeric OR d.attrs ->> 'product' <> s.product}), '0', 'values are those of the file');
is($node->safe_psql('postgres', $import), '8800|0|0|8800|0', 'again: nothing new');
# Each closed deal stood open from the day it was taken on; no promise is made up.
is($node->safe_psql('postgres', q{
	SELECT count(*), count(*) FILTER (WHERE v.name = 'Engaging' AND v.entered_at = d.created_at AND v.left_at = d.closed_at) FROM crm.deal d
	LEFT JOIN (SELECT x.*, s.name FROM crm.stage_visits() x JOIN crm.stage s ON s.id = x.stage_id) v ON v.deal_id = d.id AND v.visit = 1
	WHERE d.closed_at IS NOT NULL}), '6711|6711', 'the course of closed deals');
is($node->safe_psql('postgres', q{SELECT stage, entered, advanced, won, lost, open FROM crm.funnel_conversion('Maven', as_of => '2018-01-01 12:00+00')}),
	"Prospecting|8800|8300|4238|2473|2089\nEngaging|8300|4238|4238|2473|1589", 'conversion');
is($node->safe_psql('postgres', q{SELECT count(*) FROM crm.v_deal_slippage}), '0', 'nothing slips that was not promised');

# Every move that the rules allow, then all histories replayed.
$node->safe_psql('postgres', q{
	UPDATE crm.deal SET stage_id = crm.stage_id(pipeline_id, 'Engaging'), amount = coalesce(amount, 0) + 1
	WHERE stage_id = crm.stage_id(pipeline_id, 'Prospecting');
	UPDATE crm.deal SET stage_id = crm.stage_id(pipeline_id, 'Won') WHERE stage_id = crm.stage_id(pipeline_id, 'Engaging') AND id % 2 = 0;
	UPDATE crm.deal SET stage_id = crm.stage_id(pipeline_id, 'Engaging') WHERE stage_id = crm.stage_id(pipeline_id, 'Lost') AND id % 3 = 0;
	DELETE FROM crm.deal WHERE id % 100 = 0});
is($node->safe_psql('postgres', q{
	WITH replayed AS (
		SELECT h.deal_id,
			(SELECT i.new_value FROM crm.deal_history i WHERE i.deal_id = h.deal_id AND i.field = '*' AND i.old_value IS NULL)
			|| coalesce(jsonb_object_agg(h.field, coalesce(h.new_value, 'null')) FILTER (WHERE h.field <> '*'), '{}') AS state,
			bool_or(h.field = '*' AND h.new_value IS NULL) AS removed
		FROM (SELECT DISTINCT ON (deal_id, field, field = '*' AND new_value IS NULL) * FROM crm.deal_history
		      ORDER BY deal_id, field, field = '*' AND new_value IS NULL, id DESC) h
		GROUP BY h.deal_id)
	SELECT count(*), count(*) FILTER (WHERE removed),
		count(*) FILTER (WHERE NOT removed AND jsonb_strip_nulls(to_jsonb(d) - 'updated_at') IS DISTINCT FROM jsonb_strip_nulls(state)),
		count(*) FILTER (WHERE removed AND d.id IS NOT NULL)
	FROM replayed r LEFT JOIN crm.deal d ON d.id = r.deal_id}), '8800|88|0|0', 'the history gives every row again');
my ($ret, $stdout, $stderr) = $node->psql('postgres', q{UPDATE crm.deal SET stage_id = crm.stage_id(pipeline_id, 'Prospecting') WHERE closed_at IS NOT NULL});
like($stderr, qr/cannot move from stage "Won" to stage "Prospecting"/, 'a jump is refused on imported deals');

# Dump and restore keep deals, rules, history and the guard.
my $dump = $node->basedir . '/crm.dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'pg_restore', '-j2', '--exit-on-error', '-d', $node->connstr('copy'), $dump ], 'restore');
my $state = q{SELECT count(*), sum(hashtextextended(d::text, 0)), (SELECT sum(hashtextextended(h::text, 0)) FROM crm.deal_history h) FROM crm.deal d};
is($node->safe_psql('copy', $state), $node->safe_psql('postgres', $state), 'the copy has the same deals and history');
($ret, $stdout, $stderr) = $node->psql('copy', q{UPDATE crm.deal SET stage_id = crm.stage_id(pipeline_id, 'Prospecting') WHERE closed_at IS NOT NULL});
like($stderr, qr/cannot move from stage "Won" to stage "Prospecting"/, 'and the same rule');

$node->stop;
done_testing();
