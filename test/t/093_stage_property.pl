# Over random deals, moves and rules: a guard lets pass what SQL says of it, now and
# at the end of the transaction; the funnel, the probabilities and the stages of past
# moments are those of plain SQL over the history.  R-049, R-057, R-271
#
# CRM_SEEDS=2 is another run.
use strict;
use warnings FATAL => 'all';

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('stage_property');
my ($seed) = split ' ', $ENV{CRM_SEEDS} || 1;
srand($seed);
sub pick { return $_[int(rand(@_))] }
sub query { return $node->safe_psql('postgres', $_[0]) }

query('CREATE EXTENSION crm; SELECT crm.install()');
query(q{
	SELECT setseed(} . ($seed % 1000) / 1000 . q{);
	SELECT crm.create_pipeline('P', '{A,B,C,D}', flow => 'free');
	INSERT INTO crm.agent (name) SELECT 'Agent ' || i FROM generate_series(1, 3) i;
	INSERT INTO crm.company (name, kind, employees, city)
	SELECT 'Company ' || i, CASE i % 3 WHEN 0 THEN 'partner' ELSE 'customer' END, nullif(i % 5, 0) * 50, CASE i % 2 WHEN 0 THEN 'Tver' END FROM generate_series(1, 10) i;
	INSERT INTO crm.deal (name, stage_id, company_id, owner_id, amount, source, close_date, created_at)
	SELECT 'Deal ' || i, crm.stage_id(crm.pipeline_id('P'), 'A'), nullif((random() * 10)::integer, 0), nullif((random() * 3)::integer, 0),
		CASE WHEN random() < 0.8 THEN round((random() * 100)::numeric) END, CASE WHEN random() < 0.5 THEN 'web' WHEN random() < 0.5 THEN 'fair' END,
		CASE WHEN random() < 0.7 THEN date '2026-01-01' + (random() * 100)::integer END, '2026-01-01 00:00+00'
	FROM generate_series(1, 200) i;
	INSERT INTO crm.deal_qualification (deal_id, criterion_id, is_met)
	SELECT d.id, c.id, random() < 0.6 FROM crm.deal d JOIN crm.qualification_criterion c ON c.framework_id = 1 WHERE random() < 0.5;
	INSERT INTO crm.document (deal_id, kind, status) SELECT d.id, 'x', (ARRAY['needed', 'sent', 'done', 'void'])[1 + (random() * 3)::integer] FROM crm.deal d WHERE random() < 0.5;
	INSERT INTO crm.task (title, deal_id) SELECT 'x', d.id FROM crm.deal d WHERE random() < 0.3});

# ---- guards ----

my @conditions = (
	'amount > 50', 'amount between 20 and 60', "source = 'web'", 'source is null', "close_date < date '2026-02-15'", 'company_id is not null', 'owner_id in (1, 2)',
	'company_employees >= 100', "company_kind = 'customer'", 'bant_score >= 2', 'qualified_criteria >= 1', 'open_documents = 0', 'open_tasks > 0', "owner = 'Agent 1'",
	'amount / 10 > bant_score', "name like '%1'");
sub rule
{
	my ($depth) = @_;
	return pick(@conditions) if $depth == 0 || rand() < 0.3;
	return 'not (' . rule($depth - 1) . ')' if rand() < 0.2;
	return '(' . rule($depth - 1) . pick(' and ', ' or ') . rule($depth - 1) . ')';
}
my $different = '';
for my $round (1 .. 40)
{
	my ($guard, $entry, $exit) = map { rand() < 0.6 ? rule(2) : undef } 1 .. 3;
	my @fields = grep { rand() < 0.2 } qw(amount source close_date owner_id);
	my $deferred = $round % 2;
	my $asked = join ' AND ', map { "($_)" } (grep { defined } $guard, $entry, $exit), map { "$_ IS NOT NULL" } @fields;
	my ($guard_sql, $entry_sql, $exit_sql) = map { defined $_ ? "\$g\$$_\$g\$" : 'NULL' } $guard, $entry, $exit;
	my $fields_sql = @fields ? "'{" . join(',', @fields) . "}'" : 'NULL';
	my $wrong = query(qq{
		UPDATE crm.stage SET entry_guard = $entry_sql WHERE pipeline_id = crm.pipeline_id('P') AND name = 'B';
		UPDATE crm.stage SET exit_guard = $exit_sql WHERE pipeline_id = crm.pipeline_id('P') AND name = 'A';
		UPDATE crm.stage_transition SET guard = $guard_sql, required_fields = $fields_sql
		WHERE from_stage_id = crm.stage_id(crm.pipeline_id('P'), 'A') AND to_stage_id = crm.stage_id(crm.pipeline_id('P'), 'B');
		CREATE OR REPLACE FUNCTION pg_temp.passes(deal bigint) RETURNS boolean LANGUAGE plpgsql AS \$\$
		BEGIN
			UPDATE crm.deal SET stage_id = crm.stage_id(pipeline_id, 'B') WHERE id = passes.deal;
			SET CONSTRAINTS ALL IMMEDIATE;
			RAISE EXCEPTION USING ERRCODE = 'XX999';
		EXCEPTION WHEN SQLSTATE 'RM002' OR SQLSTATE 'RM003' THEN
			RETURN false;
		WHEN SQLSTATE 'XX999' THEN
			RETURN true;
		END \$\$;
		SET crm.stage_check = } . ($deferred ? 'deferred' : 'immediate') . qq{;
		SELECT count(*) FROM (SELECT p.deal_id, (} . ($asked || 'true') . qq{) IS TRUE AS expected FROM crm.deal_profile p OFFSET 0) x
		WHERE pg_temp.passes(x.deal_id) <> expected});
	$different .= "$wrong: $asked\n" if $wrong ne '0';
}
is($different, '', 'guards pass what SQL says');
query(q{UPDATE crm.stage SET entry_guard = NULL, exit_guard = NULL; UPDATE crm.stage_transition SET guard = NULL, required_fields = NULL});

# ---- moves, and what is told of them ----

my $day = 0;
for my $round (1 .. 30)
{
	$day += 1 + int(rand(5));
	my $stage = pick('A', 'B', 'C', 'D', 'Won', 'Lost');
	query(qq{
		SET client_min_messages = warning;
		UPDATE crm.deal SET stage_id = crm.stage_id(pipeline_id, '$stage'), stage_entered_at = timestamptz '2026-01-01 00:00+00' + interval '$day days',
			loss_reason_id = CASE '$stage' WHEN 'Lost' THEN 1 END
		WHERE stage_id <> crm.stage_id(pipeline_id, '$stage') AND (id * 7919 + $round * 104729) % 5 = 0;
		UPDATE crm.deal SET probability = CASE WHEN id % 2 = 0 THEN 0.3 END, deleted_at = CASE WHEN $round = 20 AND id % 30 = 0 THEN timestamptz '2026-01-01 00:00+00' + interval '$day days' ELSE deleted_at END
		WHERE id % 10 = $round % 10});
}
my $as_of = int($day * 0.7);
for my $at ($as_of, $day + 1)
{
	# Straight from the definition, one deal and stage at a time.
	is(query(qq{
		WITH moment AS (SELECT timestamptz '2026-01-01 00:00+00' + interval '$at days' AS at),
		visit AS (
			SELECT h.deal_id, h.id, h.effective_at, coalesce(h.new_value ->> 'stage_id', h.new_value #>> '{}')::bigint AS stage_id
			FROM crm.deal_history h, moment m
			WHERE (h.field = 'stage_id' OR h.field = '*' AND h.new_value ? 'stage_id') AND h.effective_at <= m.at),
		expected AS (
			SELECT s.id AS stage_id, count(*) FILTER (WHERE k.kind <> 'open') AS entered, count(*) FILTER (WHERE k.kind = 'won') AS won
			FROM crm.stage s JOIN crm.deal d ON true, moment m,
			LATERAL (SELECT v.stage_id, v.effective_at FROM visit v WHERE v.deal_id = d.id ORDER BY v.effective_at DESC, v.id DESC LIMIT 1) l JOIN crm.stage k ON k.id = l.stage_id
			WHERE s.pipeline_id = crm.pipeline_id('P') AND (d.deleted_at IS NULL OR d.deleted_at > m.at)
			  AND l.effective_at > m.at - interval '60 days' AND EXISTS (SELECT FROM visit v WHERE v.deal_id = d.id AND v.stage_id = s.id)
			GROUP BY s.id)
		SELECT count(*), count(*) FILTER (WHERE p.entered = coalesce(e.entered, 0) AND p.won = coalesce(e.won, 0)
			AND p.probability IS NOT DISTINCT FROM CASE WHEN e.entered > 0 THEN round(e.won::numeric / e.entered, 4) END)
		FROM moment m, crm.stage_probability(crm.pipeline_id('P'), m.at, '60 days') p LEFT JOIN expected e USING (stage_id)}), '6|6', "probabilities on day $at");
}
for my $from ('stage', 'history')
{
	query("UPDATE crm.pipeline SET probability_from = '$from', probability_sample = 3 WHERE name = 'P'; SELECT crm.refresh_stage_win_rates(timestamptz '2026-01-01 00:00+00' + interval '$day days')");
	is(query(q{
		SELECT count(*) FROM (
			SELECT s.id, coalesce(count(d.deal_id), 0) AS deals, coalesce(sum(d.amount), 0) AS amount, round(coalesce(sum(d.weighted_amount), 0), 6) AS weighted
			FROM crm.stage s LEFT JOIN crm.v_deal d ON d.stage_id = s.id WHERE s.kind = 'open' GROUP BY s.id
			EXCEPT SELECT stage_id, deals, amount, round(weighted_amount, 6) FROM crm.v_pipeline) x}), '0', "the funnel is the sum of its deals, by $from");
}

# ---- the stages of past moments ----

query('CREATE TABLE seen (at timestamptz, id bigint, name text, "position" integer, probability numeric); CREATE TABLE seen_moves (at timestamptz, from_stage_id bigint, to_stage_id bigint)');
for my $round (1 .. 15)
{
	my $change = pick(
		"UPDATE crm.stage SET probability = round(random()::numeric, 2) WHERE kind = 'open' AND pipeline_id = crm.pipeline_id('P') AND random() < 0.5",
		"UPDATE crm.stage SET name = name || 'x' WHERE id = (SELECT id FROM crm.stage WHERE kind = 'open' AND pipeline_id = crm.pipeline_id('P') ORDER BY random() LIMIT 1)",
		"INSERT INTO crm.stage (pipeline_id, name, position, probability) SELECT crm.pipeline_id('P'), 'new $round', max(position) + 1, 0.5 FROM crm.stage",
		"DELETE FROM crm.stage WHERE name LIKE 'new%' AND random() < 0.5",
		"DELETE FROM crm.stage_transition WHERE random() < 0.2",
		"INSERT INTO crm.stage_transition (from_stage_id, to_stage_id) SELECT a.id, b.id FROM crm.stage a, crm.stage b WHERE a.pipeline_id = b.pipeline_id AND a.id <> b.id AND random() < 0.2 ON CONFLICT DO NOTHING");
	query("BEGIN; $change; $change; COMMIT;
		INSERT INTO seen SELECT c.at, s.id, s.name, s.position, s.probability FROM (SELECT clock_timestamp() AS at OFFSET 0) c, crm.stage s WHERE s. pipeline_id = crm.pipeline_id('P');
		INSERT INTO seen_moves SELECT (SELECT max(at) FROM seen), t.from_stage_id, t.to_stage_id FROM crm.stage_transition t JOIN crm.stage s ON s.id = t.to_stage_id WHERE s.pipeline_id = crm.pipeline_id('P')");
}
is(query(q{
	WITH moment AS (SELECT DISTINCT at FROM seen),
	told AS (SELECT m.at, s.stage_id, s.name, s.position, s.probability FROM moment m, crm.stages_as_of(crm.pipeline_id('P'), m.at) s)
	SELECT (SELECT count(*) FROM (SELECT * FROM told EXCEPT SELECT * FROM seen) x), (SELECT count(*) FROM (SELECT * FROM seen EXCEPT SELECT * FROM told) x)}), '0|0', 'stages as they were');
is(query(q{
	WITH told AS (SELECT m.at, t.from_stage_id, t.to_stage_id FROM (SELECT DISTINCT at FROM seen_moves) m, crm.transitions_as_of(crm.pipeline_id('P'), m.at) t)
	SELECT (SELECT count(*) FROM (SELECT * FROM told EXCEPT SELECT * FROM seen_moves) x), (SELECT count(*) FROM (SELECT * FROM seen_moves EXCEPT SELECT * FROM told) x)}), '0|0', 'moves as they were');
is(query(q{SELECT count(*) FROM crm.stage_history a JOIN crm.stage_history b ON b.source = a.source AND b.source_id = a.source_id AND b.id > a.id AND b.valid && a.valid}), '0', 'versions do not overlap');

done_testing();
