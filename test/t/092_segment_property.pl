# Random edits and a clock that moves: segments that are refreshed from what
# changed hold the same contacts as when they are made anew, and as the SQL says
# that a person would write; their history tells every moment of the past.
# R-007 R-023 R-078 R-080 R-081
#
# CRM_SEEDS="1 2 3" repeats chosen runs.
use strict;
use warnings FATAL => 'all';

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('segments', "fsync = off\nshared_buffers = 32MB\n");
my @seeds = split ' ', $ENV{CRM_SEEDS} // '1 2';
my $steps = $ENV{CRM_STEPS} // 40;

sub pick { return $_[ int(rand(@_)) ]; }
sub chance { return rand() < $_[0]; }

# Name, rule (or expression, marked by =) and the same in plain SQL, where :T is
# the moment and living the contacts that count.
my $orders = 'FROM crm.sales_order o WHERE o.contact_id = c.id AND o.is_counted';
my $last_order = "(SELECT max(o.ordered_at) $orders)";
my @segments = (
	[ 'kazan', q{city = 'Kazan'}, q{c.city = 'Kazan'} ],
	[ 'nowhere', q{city is null or not city in ('Kazan', 'Tver')}, q{c.city IS NULL OR c.city NOT IN ('Kazan', 'Tver')} ],
	[ 'rich', q{order_total >= 1000}, "(SELECT coalesce(sum(o.amount), 0) $orders) >= 1000" ],
	[ 'lapsed', q{last_order_at < now() - interval '90 days'}, "$last_order < :T - interval '90 days'" ],
	[ 'month', q{last_order_at <= now() - interval '1 month'}, "$last_order <= :T - interval '1 month'" ],
	[ 'middle', q{last_order_at between now() - interval '60 days' and now() - interval '30 days'},
		"$last_order BETWEEN :T - interval '60 days' AND :T - interval '30 days'" ],
	[ 'day', q{last_order_at + interval '1 day' > now()}, "$last_order + interval '1 day' > :T" ],
	[ 'thirty', q{birth_date + interval '30 years' <= now()}, q{c.birth_date + interval '30 years' <= :T} ],
	[ 'days', q{current_date - birth_date > 10900 and city = 'Kazan'}, q{(:T)::date - c.birth_date > 10900 AND c.city = 'Kazan'} ],
	[ 'vip', q{has_tag('vip')}, q{EXISTS (SELECT FROM crm.tag t WHERE t.contact_id = c.id AND t.tag = 'vip')} ],
	[ 'common', q{not has_tag('vip') and city is not null},
		q{c.city IS NOT NULL AND NOT EXISTS (SELECT FROM crm.tag t WHERE t.contact_id = c.id AND t.tag = 'vip')} ],
	[ 'called', q{did('call', within => interval '20 days')},
		q{EXISTS (SELECT FROM crm.activity a WHERE a.contact_id = c.id AND a.kind = 'call' AND a.occurred_at > :T - interval '20 days' AND a.occurred_at <= :T)} ],
	[ 'silent', q{not did('activity', at_least => 2, within => interval '3 months')},
		q{(SELECT count(*) FROM crm.activity a WHERE a.contact_id = c.id AND a.occurred_at > :T - interval '3 months' AND a.occurred_at <= :T) < 2} ],
	[ 'doubts', q{did('objection_price')},
		q{EXISTS (SELECT FROM crm.contact_need n WHERE n.contact_id = c.id AND n.kind = 'objection' AND n.subject = 'price' AND lower(n.valid) <= :T)} ],
	[ 'retail', q{company_industry = 'retail'},
		q{EXISTS (SELECT FROM crm.company_contact l JOIN crm.company m ON m.id = l.company_id AND m.deleted_at IS NULL AND m.industry = 'retail'
		  WHERE l.contact_id = c.id AND l.is_primary AND upper_inf(l.valid))} ],
	[ 'reachable', q{email is not null}, q{EXISTS (SELECT FROM crm.contact_point p WHERE p.contact_id = c.id AND p.kind = 'email' AND p.is_primary)} ],
	[ 'recent', q{created_at > now() - interval '10 days'}, q{c.created_at > :T - interval '10 days'} ],
	[ 'given', '{3..9,20,31..50}', 'c.id IN (SELECT g.id FROM given g) OR EXISTS (SELECT FROM crm.contact a JOIN given g ON g.id = a.id WHERE a.merged_into = c.id)', 'static' ],
	[ 'north', q{branch = 'North' and time_zone = 'Asia/Omsk'},
		q{EXISTS (SELECT FROM crm.branch b WHERE b.id = c.branch_id AND b.name = 'North' AND coalesce(c.time_zone, b.time_zone) = 'Asia/Omsk')} ],
	[ 'both', '=kazan & rich', q{@kazan AND @rich} ],
	[ 'others', q{not in_segment('given')}, 'NOT @given' ],
	[ 'either', '=(vip | lapsed) - given', q{(@vip OR @lapsed) AND NOT @given} ],
	[ 'mixed', q{in_segment('lapsed') and city = 'Kazan' or in_segment('both')}, q{@lapsed AND c.city = 'Kazan' OR @both} ],
	[ 'outer', '=mixed - both | doubts', q{@mixed AND NOT @both OR @doubts} ],
);
my %plain = map { $_->[0] => $_->[2] } @segments;

# Segments within segments, written out.
sub plain
{
	my ($sql) = @_;
	1 while $sql =~ s/@(\w+)/"coalesce(($plain{$1}), false)"/e;
	return $sql;
}

$node->safe_psql('postgres', 'CREATE DATABASE template_crm');
$node->safe_psql('template_crm', <<'SQL');
CREATE EXTENSION crm;
SELECT crm.install();
UPDATE crm.base_currency SET code = 'USD';
CREATE VIEW public.objection AS SELECT contact_id, subject, lower(valid) AS noted_at FROM crm.contact_need WHERE kind = 'objection';
INSERT INTO crm.event_kind (event, relation, at_column, filter) VALUES ('objection_price', 'public.objection', 'noted_at', 'subject = ''price''');
SQL

foreach my $seed (@seeds)
{
	srand($seed);
	my $db = "run_$seed";
	$node->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE template_crm");
	my $zone = pick('UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata');
	$node->safe_psql('postgres', "ALTER DATABASE $db SET timezone = '$zone'; ALTER DATABASE $db SET search_path = public, crm");
	my $moment = "timestamptz '2026-10-" . (10 + int(rand(20))) . " 01:30:00+00'";
	my $sql = sub { return $node->safe_psql($db, $_[0]); };
	my $some = sub { return '{' . join(',', map { 1 + int(rand(60)) } 1 .. 1 + int(rand(4))) . '}'; };
	my $at = sub { return "$moment - interval '" . int(rand(100)) . " days " . int(rand(1440)) . " minutes'"; };

	$sql->(<<"SQL");
INSERT INTO crm.contact (id, given_name, city, birth_date, created_at)
SELECT i, 'N' || i, (ARRAY['Kazan', 'Tver', 'Omsk', NULL])[1 + i % 4], date '1996-09-01' + i, $moment - i * interval '1 day' FROM generate_series(1, 50) i;
SELECT setval('crm.contact_id_seq', 100);
INSERT INTO crm.company (id, name, industry) VALUES (1, 'A', 'retail'), (2, 'B', 'mining');
INSERT INTO crm.branch (id, name, time_zone) VALUES (1, 'North', 'Asia/Omsk'), (2, 'South', 'UTC');
CREATE TABLE given AS SELECT id FROM generate_series(3, 50) id WHERE id <= 9 OR id = 20 OR id > 30;
SQL
	foreach my $segment (@segments)
	{
		my ($name, $rule, undef, $kind) = @$segment;
		my $what = $kind ? "members => '$rule'" : $rule =~ /^=(.*)/ ? "expression => '$1'" : "rule => \$r\$$rule\$r\$";
		$sql->("SELECT crm.create_segment('$name', $what, as_of => $moment)");
	}
	my @kept;
	my $problem;
	foreach my $step (1 .. $steps)
	{
		my @statements;
		# Sometimes by much, sometimes across a change of clocks, sometimes not at all.
		my $by = pick('0', '1 second', '17 minutes', '1 hour', '5 hours', '1 day', '9 days', '2 months');
		my $next = "timestamptz '" . $sql->("SELECT $moment + interval '$by'") . "'";
		foreach (1 .. 1 + int(rand(5)))
		{
			my $s = $some->();
			my $t = $at->();
			push @statements, pick(
				"UPDATE crm.contact SET city = '" . pick('Kazan', 'Tver', 'Omsk') . "' WHERE id = ANY ('$s')",
				"UPDATE crm.contact SET birth_date = date '1996-08-20' + " . int(rand(120)) . " WHERE id = ANY ('$s')",
				"UPDATE crm.contact SET archived_at = CASE WHEN archived_at IS NULL THEN now() END WHERE id = ANY ('$s') AND deleted_at IS NULL",
				"SELECT crm.delete_contact(id) FROM crm.contact WHERE id = ANY ('$s') AND deleted_at IS NULL AND merged_into IS NULL LIMIT 1",
				"INSERT INTO crm.contact (given_name, city, birth_date, created_at) VALUES ('New', 'Kazan', date '1996-10-01' + " . int(rand(60)) . ", $t)",
				"INSERT INTO crm.sales_order (contact_id, ordered_at, amount, currency) SELECT c, $t, " . int(rand(900)) . ", 'USD' FROM unnest('$s'::bigint[]) c WHERE c <= 50",
				"UPDATE crm.sales_order SET amount = amount + 100, ordered_at = $t WHERE contact_id = ANY ('$s')",
				"DELETE FROM crm.sales_order WHERE contact_id = ANY ('$s')",
				"INSERT INTO crm.tag (contact_id, tag) SELECT DISTINCT c, '" . pick('vip', 'other') . "' FROM unnest('$s'::bigint[]) c WHERE c <= 50 ON CONFLICT DO NOTHING",
				"DELETE FROM crm.tag WHERE contact_id = ANY ('$s')",
				"INSERT INTO crm.activity (contact_id, kind, subject, occurred_at) SELECT c, '" . pick('call', 'email') . "', 'x', $t FROM unnest('$s'::bigint[]) c WHERE c <= 50",
				"INSERT INTO crm.contact_need (contact_id, kind, subject, valid) SELECT c, 'objection', '" . pick('price', 'delivery') . "', tstzrange($t, NULL) FROM unnest('$s'::bigint[]) c WHERE c <= 50",
				"DELETE FROM crm.contact_need WHERE contact_id = ANY ('$s')",
				"INSERT INTO crm.contact_point (contact_id, kind, raw, is_primary) SELECT c, 'email', 'a' || c || '\@example.com', true FROM unnest('$s'::bigint[]) c WHERE c <= 50 AND NOT EXISTS (SELECT FROM crm.contact_point p WHERE p.contact_id = c) GROUP BY c",
				"DELETE FROM crm.contact_point WHERE contact_id = ANY ('$s')",
				"INSERT INTO crm.company_contact (contact_id, company_id, is_primary) SELECT c, " . pick(1, 2) . ", true FROM unnest('$s'::bigint[]) c WHERE c <= 50 AND NOT EXISTS (SELECT FROM crm.company_contact p WHERE p.contact_id = c) GROUP BY c",
				"UPDATE crm.company SET industry = CASE industry WHEN 'retail' THEN 'mining' ELSE 'retail' END WHERE id = " . pick(1, 2),
				"SELECT crm.merge_contacts(m[1], m[2:2]) FROM (SELECT array_agg(id ORDER BY id) AS m FROM (SELECT id FROM crm.contact WHERE deleted_at IS NULL AND merged_into IS NULL AND id > 30 ORDER BY random() LIMIT 2) x) y",
				"SELECT crm.unmerge(id) FROM crm.merge WHERE undone_at IS NULL ORDER BY id DESC LIMIT 1",
				"UPDATE crm.contact SET branch_id = " . pick(1, 2, 'NULL') . " WHERE id = ANY ('$s')",
				"UPDATE crm.contact SET time_zone = " . pick("'Asia/Omsk'", 'NULL') . " WHERE id = ANY ('$s')",
				"UPDATE crm.branch SET time_zone = " . pick("'Asia/Omsk'", "'UTC'") . " WHERE id = 1",
				"TRUNCATE crm.sales_order CASCADE",
				"SELECT crm.add_members('given', '$s', $next); INSERT INTO given SELECT unnest('$s'::bigint[]) EXCEPT SELECT id FROM given",
				"SELECT crm.remove_members('given', '$s', $next); DELETE FROM given WHERE id = ANY ('$s') OR id IN (SELECT a.id FROM crm.contact a WHERE a.merged_into = ANY ('$s'))");
		}
		# Some are refused, such as undoing a merge whose rows have changed.
		$node->psql($db, join(";\n", @statements), on_error_stop => 0);
		$moment = $next;
		$sql->("SELECT crm.refresh_segments($moment)");
		my $errors = $sql->("SELECT string_agg(name || ': ' || error, '; ') FROM crm.segment WHERE error IS NOT NULL");
		my $truth = join ' UNION ALL ', map {
			my $condition = plain($_->[2]);
			$condition =~ s/:T\b/$moment/g;
			"SELECT '$_->[0]' AS name, (SELECT coalesce(crm.contact_set_agg(c.id), '{}') FROM crm.contact c WHERE c.deleted_at IS NULL AND c.merged_into IS NULL AND c.archived_at IS NULL AND ($condition)) AS members"
		} @segments;
		$problem = $errors || $sql->("SELECT string_agg(format('%s is %s, should be %s', t.name, crm.segment_set(t.name), t.members), E'\\n') FROM ($truth) t WHERE t.members <> crm.segment_set(t.name)")
			|| $sql->("SELECT string_agg(format('%s: number %s, members %s', name, cardinality, crm.segment_set(name)), E'\\n') FROM crm.segment WHERE cardinality <> crm.cardinality(crm.segment_set(name))");
		if ($problem)
		{
			$problem = "step $step at $moment:\n$problem\nafter\n" . join("\n", @statements);
			last;
		}
		push @kept, [ $moment, $sql->('SELECT string_agg(name || crm.segment_set(name)::text, $$ $$ ORDER BY name) FROM crm.segment') ] if $by ne '0' || !@kept;
		$kept[-1] = [ $moment, $sql->('SELECT string_agg(name || crm.segment_set(name)::text, $$ $$ ORDER BY name) FROM crm.segment') ];
	}
	is($problem, '', "seed $seed, $zone: after every refresh each segment holds whom it should");
	next if $problem;
	my @wrong = grep { $sql->("SELECT string_agg(name || crm.segment_as_of(name, $_->[0])::text, ' ' ORDER BY name) FROM crm.segment") ne $_->[1] } @kept[ grep { $_ % 5 == 0 } 0 .. $#kept ];
	is(scalar(@wrong), 0, "seed $seed: the history tells every moment");
	diag("at $wrong[0][0]: was $wrong[0][1]") if @wrong;
	my $before = $sql->('SELECT string_agg(name || crm.segment_set(name)::text, $$ $$ ORDER BY name) FROM crm.segment');
	$sql->('SELECT crm.rebuild_segment_chunks()');
	is($sql->('SELECT string_agg(name || crm.segment_set(name)::text, $$ $$ ORDER BY name) FROM crm.segment'), $before, "seed $seed: members are made again from the history");
	# Half of the history given up: the other half tells as before.
	my $horizon = $kept[@kept / 2][0];
	my @later = grep { $sql->("SELECT $_->[0] >= $horizon") eq 't' } @kept;
	$sql->("SELECT crm.compact_segment_history($horizon, '0')");
	@wrong = grep { $sql->("SELECT string_agg(name || crm.segment_as_of(name, $_->[0])::text, ' ' ORDER BY name) FROM crm.segment") ne $_->[1] } @later[ grep { $_ % 3 == 0 } 0 .. $#later ];
	is(scalar(@wrong), 0, "seed $seed: also when older history is given up");
	$sql->('SELECT crm.rebuild_segment_chunks()');
	is($sql->('SELECT string_agg(name || crm.segment_set(name)::text, $$ $$ ORDER BY name) FROM crm.segment'), $before, "seed $seed: and members are made again from what is left");
}

done_testing();
