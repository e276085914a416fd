# Random events: funnels, patterns, retention and journeys give what plain Perl
# gives that tries every chain, in any order of rows, by any number of workers.
# R-063 R-070 R-120 R-153
#
# CRM_SEEDS="1 2 3" repeats chosen runs.
use strict;
use warnings FATAL => 'all';

use CrmTest;
use List::Util qw(max min shuffle sum0);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('events', "fsync = off\n");
my @seeds = split ' ', $ENV{CRM_SEEDS} // '1 2 3';
my $groups = $ENV{CRM_GROUPS} // 400;
$node->safe_psql('postgres', 'CREATE EXTENSION crm');

sub pick { return $_[ int(rand(@_)) ]; }

# The events of a group are [moment, conditions as bits], in any order.

# All chains of steps that the modes allow, tried one by one: the level and the
# moments of the chain that is there first, began last, and is dense.
sub funnel
{
	my ($steps, $window, $mode, @events) = @_;
	my %mode = map { $_ => 1 } split /[, ]+/, $mode;
	my @rows = sort { $a->[0] <=> $b->[0] } @events;
	my @moments = do { my %seen; grep { !$seen{$_}++ } map { $_->[0] } @rows };
	my @usable;    # entries [moment, step, row] before the scan ends, in order

	# The modes that end the scan look at which steps were reached so far.
	my $reached = sub { return best_chain($steps, $window, \%mode, @usable) };
	MOMENT: for my $moment (@moments)
	{
		my @here = grep { $rows[$_][0] == $moment } 0 .. $#rows;
		if ($mode{strict_order} && grep { $rows[$_][1] == 0 } @here)
		{
			last MOMENT if grep { $_->[1] == 1 } @usable;
		}
		for my $step (1 .. $steps)
		{
			my @now = grep { $rows[$_][1] >> ($step - 1) & 1 } @here;
			next unless @now;
			if ($mode{strict_order} || $mode{strict_deduplication})
			{
				my ($level) = $reached->();
				last MOMENT if $mode{strict_deduplication} && $step > 1 && $level >= $step;
				last MOMENT if $mode{strict_order} && !$mode{allow_reentry} && $step > 1 && $level >= 1 && $level < $step - 1;
			}
			push @usable, map { [ $moment, $step, $_ ] } @now;
			last MOMENT if $mode{strict_deduplication} && $step > 1 && @now > 1 && ($reached->())[0] >= $step;
		}
	}
	return $reached->();
}

sub best_chain
{
	my ($steps, $window, $mode, @entries) = @_;
	my @best = (0);
	my $extend;
	my @chain;
	my @used;
	$extend = sub {
		my ($step) = @_;
		# the longest; of these that is complete first; that began last; whose steps are early
		if (@chain > 0)
		{
			my @key = (scalar(@chain), -$chain[-1], $chain[0], map { -$_ } @chain);
			my $order = 0;
			for my $i (0 .. max($#key, $#best))
			{
				$order = ($key[$i] // 0) <=> ($best[$i] // 0);
				last if $order != 0;
			}
			@best = @key if $order > 0;
		}
		return if $step > $steps;
		for my $entry (@entries)
		{
			next if $entry->[1] != $step;
			if (@chain > 0)
			{
				next if $entry->[0] < $chain[-1] || $entry->[0] - $chain[0] > $window;
				next if $mode->{strict_increase} && $entry->[0] == $chain[-1];
				next if $mode->{strict_once} && grep { $_ == $entry->[2] } @used;
			}
			push @chain, $entry->[0];
			push @used, $entry->[2];
			$extend->($step + 1);
			pop @chain;
			pop @used;
		}
	};
	$extend->(1);
	return (0, '') if $best[0] == 0;
	return ($best[0], join(',', map { -$_ } @best[ 3 .. $#best ]));
}

# A pattern is [[bits, apart, least, most], ...]; the ends of all matches that
# begin at or after an event, by trying.
sub ends
{
	my ($pattern, $from, @events) = @_;
	my %at = ();
	for my $e ($from .. $#events) { $at{$e} = 1 if $events[$e][1] & $pattern->[0][0]; }
	for my $item (@$pattern[ 1 .. $#$pattern ])
	{
		my %next;
		for my $before (keys %at)
		{
			for my $e ($before + 1 .. $#events)
			{
				my $after = $events[$e][0] - $events[$before][0];
				next unless $events[$e][1] & $item->[0];
				next unless $item->[1] || $e == $before + 1;
				next if $after < $item->[2] || $after > $item->[3];
				$next{$e} = 1;
			}
		}
		%at = %next;
	}
	return keys %at;
}

sub sequence
{
	my ($pattern, @events) = @_;
	my @sorted = sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] } grep { $_->[1] } @events;
	my ($count, $from) = (0, 0);
	while (my @ends = ends($pattern, $from, @sorted))
	{
		$count++;
		$from = 1 + min(@ends);
	}
	return $count;
}

sub random_pattern
{
	my ($conditions) = @_;
	my (@pattern, $text);
	for my $i (0 .. int(rand(4)))
	{
		my ($apart, $least, $most) = (0, -1e9, 1e9);
		if ($i > 0)
		{
			my $kind = int(rand(4));
			if ($kind == 1) { $text .= '.*'; $apart = 1; }
			for (2 .. $kind)
			{
				my $n = int(rand(6));
				my $op = pick('<=', '>=', '<', '>', '==');
				$text .= "(?t$op$n)";
				$apart = 1;
				$least = max($least, $op eq '>' ? $n + 0.5 : $n) if $op =~ />|==/;
				$most = min($most, $op eq '<' ? $n - 0.5 : $n) if $op =~ /<|==/;
			}
		}
		my $condition = int(rand($conditions + 1));
		$text .= $condition ? "(?$condition)" : '.';
		push @pattern, [ $condition ? 1 << ($condition - 1) : ~0, $apart, $least, $most ];
	}
	return ($text, \@pattern);
}

my @modes = ('', 'strict_order', 'strict_deduplication', 'strict_increase', 'strict_once', 'strict_order,strict_deduplication', 'strict_order allow_reentry',
	'strict_order,strict_increase', 'strict_order, strict_once', 'strict_deduplication,strict_increase', 'strict_deduplication strict_once', 'strict_order,strict_deduplication,strict_once', 'strict_order,strict_deduplication,strict_increase');

foreach my $seed (@seeds)
{
	srand($seed);
	my $conditions = 4;
	my $window = 5;
	my @event;
	for my $group (1 .. $groups)
	{
		my $span = pick(3, 8, 20);
		my $dense = pick(0, 1);
		push @event, map { [ $group, int(rand($span)), $dense ? int(rand(16)) : pick(0, 1, 2, 4, 8) ] } 1 .. int(rand(9));
	}
	my %of;
	push @{ $of{ $_->[0] } }, [ $_->[1], $_->[2] ] for @event;
	my @patterns = map { [ random_pattern($conditions) ] } 1 .. 12;
	my (@inner, @outer);
	my $ask = sub { push @inner, "$_[0] AS r" . @inner; push @outer, sprintf($_[1] // '%s', "r$#inner"); };
	for my $mode (@modes)
	{
		$ask->("crm.window_funnel('$window s', '$mode', at, c1, c2, c3, c4)");
		$ask->("crm.window_funnel_times('$window s', '$mode', at, c1, c2, c3, c4)", q{array_to_string(ARRAY(SELECT extract(epoch FROM t)::integer FROM unnest(%s) t), ',')});
	}
	for my $pattern (@patterns)
	{
		$ask->("crm.sequence_count('$pattern->[0]', at, c1, c2, c3, c4)");
		$ask->("crm.sequence_match('$pattern->[0]', at, VARIADIC ARRAY[c1, c2, c3, c4])::integer");
	}
	$ask->('crm.retention(c1, c2, c3, c4)', q{(SELECT string_agg(r::integer::text, '') FROM unnest(%s) r)});
	$ask->("crm.journey_path('e' || mask, at)", q{array_to_string(%s, ' ')});
	$ask->("crm.journey_path('e' || mask, at, 3, '2 s')", q{array_to_string(%s, ' ')});
	my $query = 'SELECT g, ' . join(', ', @outer) . ' FROM (SELECT g, ' . join(', ', @inner) . ' FROM event GROUP BY g OFFSET 0) x ORDER BY g';

	my %expected;
	for my $group (sort { $a <=> $b } keys %of)
	{
		my @events = @{ $of{$group} };
		my @row = ($group, (map { funnel($conditions, $window, $_, @events) } @modes));
		for my $pattern (@patterns)
		{
			my $count = sequence($pattern->[1], @events);
			push @row, $count, $count > 0 ? 1 : 0;
		}
		my $any = 0;
		$any |= $_->[1] for @events;
		push @row, join('', map { $any & 1 && $any >> $_ & 1 ? 1 : 0 } 0 .. 3);
		my @sorted = sort { $a->[0] <=> $b->[0] || "e$a->[1]" cmp "e$b->[1]" } @events;
		my @path = map { $_ == 0 || $sorted[$_][1] != $sorted[ $_ - 1 ][1] ? "e$sorted[$_][1]" : () } 0 .. $#sorted;
		my $end = 1;
		$end++ while $end < @sorted && $sorted[$end][0] - $sorted[ $end - 1 ][0] <= 2;
		my @session = map { $_ == 0 || $sorted[$_][1] != $sorted[ $_ - 1 ][1] ? "e$sorted[$_][1]" : () } 0 .. $end - 1;
		push @row, join(' ', @path), join(' ', @session[ 0 .. min($#session, 2) ]);
		$expected{$group} = join '|', @row;
	}
	my $wanted = join "\n", map { $expected{$_} } sort { $a <=> $b } keys %expected;

	foreach my $order ('by time', 'shuffled', 'backwards')
	{
		my @rows = $order eq 'shuffled' ? shuffle(@event) : sort { $a->[1] <=> $b->[1] } @event;
		@rows = reverse @rows if $order eq 'backwards';
		$node->safe_psql('postgres', 'DROP TABLE IF EXISTS event; CREATE TABLE event (g integer, at timestamptz, mask integer, c1 boolean, c2 boolean, c3 boolean, c4 boolean); ALTER TABLE event ALTER g SET (n_distinct = 2); '
			. 'INSERT INTO event SELECT g, to_timestamp(t), m, m & 1 <> 0, m & 2 <> 0, m & 4 <> 0, m & 8 <> 0 FROM (VALUES ' . join(',', map { "($_->[0],$_->[1],$_->[2])" } @rows) . ') v (g, t, m); ANALYZE event');
		foreach my $workers (0, 2)
		{
			my $got = $node->safe_psql('postgres', "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off; SET max_parallel_workers_per_gather = $workers; $query");
			my @got = split /\n/, $got;
			my @wanted = split /\n/, $wanted;
			my ($wrong) = grep { $got[$_] ne $wanted[$_] } 0 .. $#wanted;
			ok(@got == @wanted && !defined $wrong, "seed $seed, rows $order, $workers workers: every answer");
			if (defined $wrong)
			{
				my @g = split /\|/, $got[$wrong], -1;
				my @w = split /\|/, $wanted[$wrong], -1;
				my @names = ('group', (map {; ("funnel $_", "times $_") } @modes), (map {; ("count $_->[0]", "match $_->[0]") } @patterns), 'retention', 'path', 'session');
				diag("group $g[0]: " . join(' ', map { "$_->[0]:$_->[1]" } sort { $a->[0] <=> $b->[0] } @{ $of{ $g[0] } }));
				diag("$names[$_]: $g[$_], should be $w[$_]") for grep { $g[$_] ne $w[$_] } 0 .. $#w;
			}
		}
	}
	my $plan = $node->safe_psql('postgres', "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2; EXPLAIN $query");
	like($plan, qr/Partial (Hash|Group)?Aggregate/, "seed $seed: the workers did aggregate");
}

# A sliding frame, in which rows come and go, against a query of each frame.
is($node->safe_psql('postgres', <<'SQL'), '0', 'frames of a window');
WITH framed AS (
    SELECT g, at, mask, ctid, crm.window_funnel('5 s', '', at, c1, c2, c3, c4) OVER (PARTITION BY g ORDER BY at, mask, ctid ROWS BETWEEN 3 PRECEDING AND 1 FOLLOWING) AS level,
           row_number() OVER (PARTITION BY g ORDER BY at, mask, ctid) AS n
    FROM event)
SELECT count(*) FROM framed f
WHERE f.level <> (SELECT crm.window_funnel('5 s', '', e.at, c1, c2, c3, c4) FROM framed x JOIN event e ON e.ctid = x.ctid WHERE x.g = f.g AND x.n BETWEEN f.n - 3 AND f.n + 1)
SQL

# Published paths, where they are: first, last, linear and Markov credits of
# four channels to six places, and their sums.
SKIP:
{
	my $file = ($ENV{CRM_DATA} // '') . '/attribution_pathdata/data.csv.gz';
	skip 'no path data', 6 unless -r $file;
	$node->safe_psql('postgres', "CREATE TABLE path (path text, conversions numeric, value numeric, nulls numeric); COPY path FROM PROGRAM 'gzip -dc $file' (FORMAT csv, HEADER)");
	my $credit = sub {
		my ($model, $places, $columns) = @_;
		return $node->safe_psql('postgres', "SELECT string_agg(concat_ws(' ', channel, round(credit, $places)$columns), ', ' ORDER BY channel) FROM (
			SELECT crm.attribution('$model', string_to_array(path, ' > '), conversions, value, nulls) AS credits FROM path) x, unnest(credits) WHERE channel IN ('alpha', 'beta', 'eta', 'iota', 'lambda', 'theta', 'mi')");
	};
	is($credit->('first', 0, ''), 'alpha 6308, beta 2831, eta 3164, iota 4606, lambda 902, mi 2, theta 1606', 'first');
	is($credit->('last', 0, ''), 'alpha 8447, beta 989, eta 4167, iota 3355, lambda 1207, mi 2, theta 653', 'last');
	is($credit->('linear', 4, ''), 'alpha 7574.7186, beta 2083.5001, eta 3539.9512, iota 3857.0962, lambda 1035.2576, mi 2.2222, theta 1022.8014', 'linear');
	like($credit->('position', 4, ''), qr/^alpha 7444.8238, beta 1969.7662,/, 'position');
	is($credit->('markov', 6, ', round(removal_effect::numeric, 8)'), 'alpha 5344.947682 0.55839949, beta 2527.352167 0.26403854, eta 3340.847402 0.34902633, iota 3884.614702 0.40583500, lambda 1282.847223 0.13402212, mi 1.722425 0.00017995, theta 1971.912880 0.20601046', 'markov');
	is($node->safe_psql('postgres', "SELECT string_agg(concat_ws(' ', c, v), ',') FROM (SELECT sum(credit) = 19785 AS c, sum(value) = (SELECT sum(value) FROM path) AS v FROM (
		SELECT m, crm.attribution(m, string_to_array(path, ' > '), conversions, value, nulls) AS credits FROM path, unnest(ARRAY['first', 'last', 'linear', 'position', 'shapley', 'markov']) m GROUP BY 1) x, unnest(credits) GROUP BY m) y"),
		join(',', ('t t') x 6), 'all add up exactly');
}

done_testing();
