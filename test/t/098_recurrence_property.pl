# Recurrence rules against what SQL finds: random rules over days of which each
# is looked at by the words of RFC 5545.  SEED and RULES.  R-189
use strict;
use warnings FATAL => 'all';

use CrmTest;
use Test::More;

my $seed = $ENV{SEED} || 1;
my $rules = $ENV{RULES} || 600;
srand($seed);
sub pick { return $_[ int(rand(@_)) ] }
sub some { my ($n, @of) = @_; my %seen; return map { my $x = pick(@of); $seen{$x}++ ? () : $x } 1 .. 1 + int(rand($n)) }

my $node = crm_node('recurrence');
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION crm;
CREATE TABLE day AS
SELECT d, w AS week_start, extract(year FROM d)::int AS year, extract(month FROM d)::int AS month, extract(day FROM d)::int AS month_day,
       (extract(day FROM d) - 1 - extract(day FROM (date_trunc('month', d) + interval '1 month - 1 day')))::int AS month_day_back,
       extract(doy FROM d)::int AS year_day, (extract(doy FROM d) - 1 - extract(doy FROM make_date(extract(year FROM d)::int, 12, 31)))::int AS year_day_back,
       (ARRAY['MO','TU','WE','TH','FR','SA','SU'])[extract(isodow FROM d)] AS weekday,
       floor((d::date - date '2000-01-03' - (w - 1)) / 7.0)::int AS week, extract(year FROM d)::int * 12 + extract(month FROM d)::int AS month_number, d::date - date '2000-01-01' AS day_number
FROM generate_series(timestamp '2009-01-01', timestamp '2025-12-31', '1 day') d, unnest('{1,7}'::int[]) w;
ALTER TABLE day ADD week_year int, ADD week_number int, ADD week_back int, ADD nth_of_month int, ADD nth_of_month_back int, ADD nth_of_year int, ADD nth_of_year_back int;
UPDATE day SET week_year = extract(year FROM date '2000-01-03' + (week_start - 1) + week * 7 + 3);
UPDATE day x SET week_number = 1 + week - floor((make_date(week_year, 1, 4) - date '2000-01-03' - (week_start - 1)) / 7.0)::int,
    week_back = week - floor((make_date(week_year + 1, 1, 4) - date '2000-01-03' - (week_start - 1)) / 7.0)::int,
    nth_of_month = 1 + (month_day - 1) / 7, nth_of_month_back = -1 + (month_day_back + 1) / 7, nth_of_year = 1 + (year_day - 1) / 7, nth_of_year_back = -1 + (year_day_back + 1) / 7;
CREATE INDEX ON day (week_start, d);
SQL

my @weekdays = qw(MO TU WE TH FR SA SU);
my (@asked, $n);
while (@asked < $rules)
{
	my $freq = pick(qw(YEARLY YEARLY YEARLY MONTHLY MONTHLY WEEKLY DAILY));
	my $start = sprintf('%d-%02d-%02d %02d:%02d:00', pick(2010 .. 2013), pick(1 .. 12), pick(1, 28, 29, 30, 31, 1 .. 28), int(rand(24)), int(rand(60)));
	my ($y, $m, $d) = map { 0 + $_ } $start =~ /^(\d+)-(\d+)-(\d+)/;
	next if $d > (31, $y % 4 ? 28 : 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[ $m - 1 ];
	my %by;
	my $interval = pick(1, 1, 1, 2, 3, 5);
	my $week_start = pick(1, 1, 7);
	$by{BYMONTH} = [ some(3, 1 .. 12) ] if rand() < 0.3;
	$by{BYWEEKNO} = [ some(3, 1, 2, 20, 52, 53, -1, -2, -53, 1 .. 53) ] if $freq eq 'YEARLY' && rand() < 0.25;
	$by{BYYEARDAY} = [ some(4, 1, 366, -1, -366, 60, 1 .. 366) ] if $freq eq 'YEARLY' && rand() < 0.15;
	$by{BYMONTHDAY} = [ some(4, 1 .. 31, -1, -2, -31) ] if $freq ne 'WEEKLY' && rand() < 0.3;
	$by{BYDAY} = [ some(3, @weekdays) ] if rand() < 0.4;
	$by{BYDAY} = [ map { pick(1, 2, 3, 4, 5, -1, -2, -5) . $_ } @{ $by{BYDAY} } ] if $by{BYDAY} && !$by{BYWEEKNO} && $freq =~ /YEARLY|MONTHLY/ && rand() < 0.5;
	$by{BYHOUR} = [ some(3, 0 .. 23) ] if rand() < 0.2;
	$by{BYSETPOS} = [ some(2, 1, 2, 3, -1, -2) ] if %by && rand() < 0.3;
	my $rule = join ';', "FREQ=$freq", ($interval > 1 ? "INTERVAL=$interval" : ()), (map { "$_=" . join(',', @{ $by{$_} }) } sort keys %by), ($week_start == 7 ? 'WKST=SU' : ());

	# What the start says where the rule does not.
	my $days = $by{BYMONTHDAY} || $by{BYYEARDAY} || $by{BYWEEKNO} || $by{BYDAY};
	my @where = ("week_start = $week_start", "d >= make_date($y, 1, 1) - 7");
	my $of = sub { my ($column, $key) = @_; return "$column = ANY ('{" . join(',', @{ $by{$key} }) . "}')" };
	push @where, $of->('month', 'BYMONTH') if $by{BYMONTH};
	push @where, "month = $m" if $freq eq 'YEARLY' && !$days && !$by{BYMONTH};
	push @where, '(' . $of->('week_number', 'BYWEEKNO') . ' OR ' . $of->('week_back', 'BYWEEKNO') . ')' if $by{BYWEEKNO};
	push @where, '(' . $of->('year_day', 'BYYEARDAY') . ' OR ' . $of->('year_day_back', 'BYYEARDAY') . ')' if $by{BYYEARDAY};
	push @where, '(' . $of->('month_day', 'BYMONTHDAY') . ' OR ' . $of->('month_day_back', 'BYMONTHDAY') . ')' if $by{BYMONTHDAY};
	push @where, "month_day = $d" if $freq =~ /YEARLY|MONTHLY/ && !$days;
	my $same_weekday = "weekday = (SELECT x.weekday FROM day x WHERE x.d = date '$start' LIMIT 1)";
	push @where, $same_weekday if !$by{BYDAY} && ($freq eq 'WEEKLY' || $by{BYWEEKNO} && !$by{BYMONTHDAY} && !$by{BYYEARDAY});
	my $within = $freq eq 'MONTHLY' || $by{BYMONTH} ? 'nth_of_month' : 'nth_of_year';
	push @where, '(' . join(' OR ', map { /^(-?\d*)(\w\w)$/; "weekday = '$2'" . ($1 eq '' ? '' : $1 > 0 ? " AND $within = $1" : " AND ${within}_back = $1") } @{ $by{BYDAY} }) . ')' if $by{BYDAY};
	my $period = { YEARLY => $by{BYWEEKNO} ? 'week_year' : 'year', MONTHLY => 'month_number', WEEKLY => 'week', DAILY => 'day_number' }->{$freq};
	push @where, "($period - (SELECT x.$period FROM day x WHERE x.d = date '$start' AND x.week_start = $week_start)) % $interval = 0";
	my $hours = $by{BYHOUR} ? 'unnest(ARRAY[' . join(',', @{ $by{BYHOUR} }) . '])' : "unnest(ARRAY[extract(hour FROM timestamp '$start')::int])";
	my $position = $by{BYSETPOS} ? 'WHERE place = ANY (ARRAY[' . join(',', @{ $by{BYSETPOS} }) . ']) OR place_back = ANY (ARRAY[' . join(',', @{ $by{BYSETPOS} }) . '])' : '';
	my $truth = "SELECT at FROM (SELECT at, row_number() OVER (PARTITION BY period ORDER BY at) AS place, -row_number() OVER (PARTITION BY period ORDER BY at DESC) AS place_back
		FROM (SELECT d + make_interval(hours => h, mins => extract(minute FROM timestamp '$start')::int) AS at, $period AS period FROM day, $hours h WHERE " . join(' AND ', @where) . ") x) y $position";
	$truth = "SELECT at FROM ($truth) z WHERE at >= timestamp '$start' AND at < timestamp '2025-01-01'";
	# From the start, from somewhere within, and counted.
	my $from = sprintf('%d-%02d-%02d', pick(2009 .. 2024), pick(1 .. 12), pick(1 .. 28));
	my $count = pick(1, 5, 20);
	my $ask = sub { my ($r, $f) = @_; return "SELECT array_agg(o AT TIME ZONE 'UTC') FROM crm.recurrence('$r', '$start', 'UTC', '$f+00', '2025-01-01 00:00+00') o" };
	push @asked, [ "$rule from $start", "SELECT coalesce(nullif(($_->[0]), ($_->[1]))::text, CASE WHEN ($_->[0]) IS NULL AND ($_->[1]) IS NOT NULL THEN 'none' END)" . " || ' should be ' || coalesce(($_->[1])::text, 'none')" ]
	  for [ $ask->($rule, '2009-01-01'), "SELECT array_agg(at ORDER BY at) FROM ($truth) t" ],
	  [ $ask->($rule, $from), "SELECT array_agg(at ORDER BY at) FROM ($truth) t WHERE at >= '$from'" ],
	  [ $ask->("$rule;COUNT=$count", '2009-01-01'), "SELECT array_agg(at ORDER BY at) FROM (SELECT at FROM ($truth) t ORDER BY at LIMIT $count) t" ];
	# A day of a month that has none such is refused.
	if ($node->safe_psql('postgres', "SELECT code FROM crm.check_recurrence('$rule')") eq 'RECURRENCE_NEVER')
	{
		splice @asked, -3;
	}
}
my $wrong = 0;
while (my @part = splice @asked, 0, 60)
{
	my @answers = split /\n/, $node->safe_psql('postgres', join ";\n", map { "SELECT coalesce(left(($_->[1]), 2000), 'same')" } @part);
	for my $i (0 .. $#part)
	{
		next if $answers[$i] eq 'same';
		diag("$part[$i][0]: $answers[$i]") if $wrong++ < 10;
	}
}
is($wrong, 0, "seed $seed: rules mean what SQL finds");
done_testing();
