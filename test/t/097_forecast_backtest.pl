# The forecast from history, tested back on the sales of a real company: 8,800
# deals of which it is known when they were taken on and when they were closed.
# R-064
use strict;
use warnings FATAL => 'all';

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = ($ENV{CRM_DATA} // '') . '/crm_sales_maven';
plan skip_all => 'CRM_DATA does not name a folder with crm_sales_maven' unless -r "$folder/sales_pipeline.csv";

my $node = crm_node('forecast');
my $sql = sub { return $node->safe_psql('postgres', $_[0]); };
$sql->(qq{
	CREATE EXTENSION crm;
	SELECT crm.install();
	CREATE TABLE staging (opportunity_id text, sales_agent text, product text, account text, deal_stage text, engage_date text, close_date text, close_value text);
	COPY staging FROM '$folder/sales_pipeline.csv' (FORMAT csv, HEADER);
	CREATE TABLE product (product text, series text, sales_price text);
	COPY product FROM '$folder/products.csv' (FORMAT csv, HEADER)});

# In one step, each deal with its true course; at list price while it was open.
$sql->(q{
	CREATE VIEW priced AS SELECT s.*, p.sales_price AS began_amount FROM staging s LEFT JOIN product p ON replace(p.product, ' ', '') = replace(s.product, ' ', '')});
is($sql->(q{SELECT * FROM crm.import_deals('priced', 'Maven', 'maven', stages => '{Prospecting,Engaging}', as_of => '2018-01-01 00:00+00')}), '8800|8800|0|0|0', 'imported');

# What the functions say of a day is what the file says.
is($sql->(q{SELECT stage, count(*) FROM crm.pipeline_as_of('2017-07-01 12:00+00', 'Maven', 'effective') GROUP BY stage ORDER BY stage}),
	$sql->(q{SELECT CASE WHEN to_date(close_date, 'MM/DD/YYYY') <= '2017-07-01' THEN deal_stage ELSE 'Engaging' END AS stage, count(*) FROM staging
		WHERE to_date(engage_date, 'MM/DD/YYYY') <= '2017-07-01' GROUP BY 1 ORDER BY 1}), 'the pipeline of 1 July 2017');
is($sql->(q{SELECT sum(won_amount) FROM crm.v_sales_analysis WHERE month BETWEEN '2017-04' AND '2017-12'}),
	$sql->(q{SELECT sum(close_value::numeric)::numeric(20,4) FROM staging WHERE deal_stage = 'Won' AND to_date(close_date, 'MM/DD/YYYY') BETWEEN '2017-04-01' AND '2017-12-31'}), 'what was won');
is($sql->(q{SELECT string_agg(stage || ' ' || entered || ' ' || won || ' ' || lost, ', ' ORDER BY position) FROM crm.funnel_conversion('Maven', as_of => '2018-01-01 12:00+00')}),
	'Prospecting 8800 4238 2473, Engaging 8300 4238 2473', 'conversion');
my $changes = $sql->(q{SELECT string_agg(change || ' ' || deals, ', ' ORDER BY position) FROM crm.pipeline_waterfall('2017-07-01 00:00+00', '2017-10-01 00:00+00', 'Maven', basis => 'effective') WHERE change IN ('won', 'lost')});
is($changes, $sql->(q{SELECT string_agg(lower(deal_stage) || ' ' || n, ', ' ORDER BY deal_stage DESC) FROM (SELECT deal_stage, count(*) AS n FROM staging
	WHERE deal_stage IN ('Won', 'Lost') AND to_date(close_date, 'MM/DD/YYYY') >= '2017-07-01' AND to_date(close_date, 'MM/DD/YYYY') < '2017-10-01' GROUP BY 1) x}), "what became of them in a quarter: $changes");

# Nine months, each foretold on its first day, beside taking last month's sales for this month's.
my ($periods, $mape, $bias) = split /\|/, $sql->(q{SELECT periods, mape, bias FROM crm.forecast_accuracy('2017-04-01', '2018-01-01', 'historical', 'Maven')});
my $naive = $sql->(q{SELECT round(avg(100 * abs(before - won) / won), 1) FROM (SELECT month, won, lag(won) OVER (ORDER BY month) AS before
	FROM (SELECT date_trunc('month', to_date(close_date, 'MM/DD/YYYY')) AS month, sum(close_value::numeric) AS won FROM staging WHERE deal_stage = 'Won' GROUP BY 1) x) y WHERE month >= '2017-04-01'});
note("historical: MAPE $mape %, bias $bias %; last month again: MAPE $naive %");
is($periods, '9', 'nine months');
cmp_ok($mape, '<', 30, "the error is small: $mape %");
cmp_ok($mape, '<', $naive, "smaller than that of saying last month again: $naive %");
cmp_ok(abs($bias), '<', 15, "and of either sign: $bias %");

done_testing();
