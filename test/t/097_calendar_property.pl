# Business time against what SQL counts: random calendars in zones whose clocks
# are set by hours, halves and whole days, by day and at midnight.  The working
# time is found minute by minute: an interval lasts from the first minute at
# which the wall shows its beginning or later to the first at which it shows its
# end.  SEED and CALENDARS.  R-137
use strict;
use warnings FATAL => 'all';

use CrmTest;
use Test::More;

my $seed = $ENV{SEED} || 1;
my $calendars = $ENV{CALENDARS} || 25;
srand($seed);
sub pick { return $_[ int(rand(@_)) ] }

my $node = crm_node('calendar');
$node->safe_psql('postgres', 'CREATE EXTENSION crm; SELECT crm.install()');
my $setup = "SET timezone = 'UTC'; SET search_path = pg_catalog; SET extra_float_digits = 0; SELECT setseed(0.$seed);";

my @zones = ([ 'America/New_York', 2007 ], [ 'Europe/Berlin', 1996 ], [ 'Australia/Lord_Howe', 2009 ], [ 'America/Sao_Paulo', 2010 ],
	[ 'Asia/Kathmandu', 1985 ], [ 'America/St_Johns', 2006 ], [ 'Pacific/Apia', 2011 ], [ 'America/Havana', 2014 ], [ 'Antarctica/Troll', 2015 ],
	[ 'Asia/Kolkata', 2020 ], [ 'Africa/Casablanca', 2013 ], [ 'Australia/Adelaide', 2012 ], [ 'Asia/Amman', 2019 ], [ 'Europe/Lisbon', 2026 ],
	[ 'Pacific/Kwajalein', 1993 ], [ 'America/Caracas', 2016 ], [ 'UTC', 2024 ]);

sub clock { return sprintf('%02d:%02d', int($_[0] / 60), $_[0] % 60) }

# Intervals of a day that do not overlap, some over midnight.
sub hours
{
	my ($nights) = @_;
	my @hours;
	my $at = pick(0, 15, 30, 60 * int(rand(12)), int(rand(700)));
	while ($at < 1440 && @hours < 4)
	{
		my $length = pick(1, 15, 60, 120, 240, int(rand(600)) + 1);
		if ($at + $length > 1440)
		{
			push @hours, [ $at, $nights ? ($at + $length) % 1440 || 1440 : 1440 ];
			last;
		}
		push @hours, [ $at, $at + $length ];
		$at += $length + pick(0, 1, 30, 60, int(rand(300)));
	}
	return map { [ clock($_->[0]), clock($_->[1]) ] } @hours;
}

for my $number (1 .. $calendars)
{
	my ($zone, $since) = @{ pick(@zones) };
	my $year = $zone eq 'Pacific/Apia' || $zone eq 'Pacific/Kwajalein' || $zone eq 'America/Caracas' || rand() < 0.5 ? $since : $since + int(rand(8));
	# Some weeks, mostly around a change of clocks.
	my @changes = split /\n/, $node->safe_psql('postgres', "$setup SELECT day FROM (SELECT d::date AS day, (d AT TIME ZONE 'UTC') AT TIME ZONE '$zone' - d AS shift,
		lead((d AT TIME ZONE 'UTC') AT TIME ZONE '$zone' - d) OVER (ORDER BY d) AS next FROM generate_series(timestamp '$year-01-01', timestamp '$year-12-31', '1 day') d) x WHERE shift <> next");
	shift @changes;    # the line of setseed
	my $middle = @changes && rand() < 0.8 ? pick(@changes) : sprintf('%d-%02d-%02d', $year, 1 + int(rand(12)), 1 + int(rand(28)));
	my @insert = ("INSERT INTO crm.business_calendar (name, time_zone) VALUES ('c$number', '$zone')");
	for my $weekday (1 .. 7)
	{
		next if rand() < 0.25;
		# A night that ends on the morrow needs a free morning: only some calendars have them, all alike.
		push @insert, map { "INSERT INTO crm.business_hours VALUES ('c$number', $weekday, '$_->[0]', '$_->[1]')" } hours(0);
	}
	@insert = ($insert[0], map { "INSERT INTO crm.business_hours VALUES ('c$number', $_, '22:00', '05:30'), ('c$number', $_, '12:00', '12:45')" } grep { rand() < 0.8 } 1 .. 7) if $number % 3 == 0;
	my %done;
	for (1 .. int(rand(5)))
	{
		my $day = int(rand(20)) - 10;
		next if $done{$day}++;
		my @hours = rand() < 0.4 ? () : hours(1);
		push @insert, @hours ? (map { "INSERT INTO crm.business_exception (calendar, day, starts, ends, name) VALUES ('c$number', date '$middle' + $day, '$_->[0]', '$_->[1]', 'other')" } @hours) : "INSERT INTO crm.business_exception (calendar, day) VALUES ('c$number', date '$middle' + $day)";
	}
	if (rand() < 0.5)
	{
		push @insert, "INSERT INTO crm.holiday (name, month, day) SELECT 'h$number', extract(month FROM d), extract(day FROM d) FROM (SELECT date '$middle' + " . (int(rand(10)) - 5) . " AS d) x",
		  "INSERT INTO crm.business_holiday VALUES ('c$number', 'h$number')";
	}
	$node->safe_psql('postgres', join(";\n", 'BEGIN', @insert, 'COMMIT'));
	my $problem = $node->safe_psql('postgres', <<SQL);
$setup
CREATE TEMPORARY TABLE minute AS
SELECT t, t AT TIME ZONE '$zone' AS wall FROM generate_series(timestamptz '$middle' - interval '16 days', timestamptz '$middle' + interval '16 days', '1 minute') t;
CREATE TEMPORARY TABLE first_shown AS SELECT t, top AS wall FROM (SELECT t, wall, max(wall) OVER (ORDER BY t) AS top FROM minute) x WHERE wall = top;
CREATE UNIQUE INDEX ON first_shown (wall, t);
CREATE TEMPORARY TABLE hours AS
SELECT d.day, coalesce(e.starts, CASE WHEN e.calendar IS NULL AND h.name IS NULL THEN w.starts END) AS starts,
       CASE WHEN e.calendar IS NOT NULL THEN e.ends WHEN h.name IS NULL THEN w.ends END AS ends
FROM (SELECT date '$middle' + n AS day FROM generate_series(-13, 13) n) d
LEFT JOIN crm.business_exception e ON e.day = d.day AND e.calendar = 'c$number'
LEFT JOIN crm.holiday h ON h.name = 'h$number' AND h.month = extract(month FROM d.day) AND h.day = extract(day FROM d.day)
LEFT JOIN crm.business_hours w ON e.calendar IS NULL AND w.calendar = 'c$number' AND w.weekday = extract(isodow FROM d.day);
-- All working time, by the minute; what belongs to no other day of it, a day.
CREATE TEMPORARY TABLE span AS
SELECT day, (SELECT min(t) FROM first_shown WHERE wall >= day + starts) AS starts,
       (SELECT min(t) FROM first_shown WHERE wall >= day + CASE WHEN ends > starts THEN 0 ELSE 1 END + ends::interval) AS ends
FROM hours WHERE starts IS NOT NULL;
CREATE TEMPORARY TABLE work AS SELECT coalesce(range_agg(tstzrange(starts, ends)), '{}') AS whole FROM span WHERE starts < ends;
CREATE FUNCTION pg_temp.counted(a timestamptz, b timestamptz) RETURNS interval LANGUAGE sql AS \$\$
    SELECT CASE WHEN \$1 > \$2 THEN -pg_temp.counted(\$2, \$1)
                ELSE (SELECT coalesce(sum(upper(r) - lower(r)), '0') FROM work, unnest(whole * tstzmultirange(tstzrange(\$1, \$2))) r) END
\$\$;
CREATE TEMPORARY TABLE asked AS
SELECT timestamptz '$middle' + date_trunc('second', (random() * 24 - 12) * interval '1 day') AS a,
       timestamptz '$middle' + date_trunc('second', (random() * 24 - 12) * interval '1 day') AS b FROM generate_series(1, 60)
UNION ALL SELECT s.starts, e.ends FROM (SELECT starts FROM span ORDER BY random() LIMIT 10) s, (SELECT ends FROM span ORDER BY random() LIMIT 3) e;
SELECT format('between %s and %s: %s, should be %s', a, b, crm.business_between('c$number', a, b), pg_temp.counted(a, b)) FROM asked
WHERE extract(epoch FROM crm.business_between('c$number', a, b)) <> extract(epoch FROM pg_temp.counted(a, b));
SELECT format('is %s business time: %s', a, crm.is_business_time('c$number', a)) FROM asked, work WHERE crm.is_business_time('c$number', a) <> whole \@> a;
-- Adding what lies between gives the nearest moment with as much; explained, it adds up.
SELECT format('%s %s: gives %s', a, amount, t)
FROM (SELECT a, b, amount, crm.business_add('c$number', a, amount) AS t FROM asked, LATERAL (SELECT crm.business_between('c$number', a, b) AS amount) x, work WHERE amount <> '0') x
WHERE crm.business_between('c$number', a, t) <> amount
   OR NOT CASE WHEN amount > '0' THEN t <= b AND (SELECT whole FROM work) \@> t - interval '1 microsecond' ELSE t >= b AND (SELECT whole FROM work) \@> t END
   OR (SELECT row(sum(e.counted), CASE WHEN amount > '0' THEN max(e.ends) ELSE min(e.starts) END, bool_and(e.starts < e.ends), bool_and(e.starts IS NULL OR abs(extract(epoch FROM e.counted)) = extract(epoch FROM e.ends - e.starts)), (array_agg(e.running ORDER BY n DESC))[1])
       FROM crm.explain_deadline('c$number', a, amount) WITH ORDINALITY e (day, starts, ends, counted, running, note, n)) <> row(amount, t, true, true, amount);
SELECT format('next after %s: %s', a, n) FROM asked, LATERAL crm.next_business_time('c$number', a) n, work
WHERE EXISTS (SELECT FROM work) AND n < timestamptz '$middle' + interval '12 days'
  AND n <> CASE WHEN whole \@> a THEN a ELSE (SELECT min(lower(r)) FROM unnest(whole) r WHERE lower(r) > a) END;
SELECT format('days from %s to %s: %s', a, b, crm.business_days_between('c$number', a::date, b::date)) FROM asked
WHERE crm.business_days_between('c$number', a::date, b::date) <> CASE WHEN a < b THEN 1 ELSE -1 END *
      (SELECT count(DISTINCT day) FROM crm.business_schedule('c$number', least(a, b)::date, greatest(a, b)::date) s WHERE s.starts IS NOT NULL AND day <> a::date);
-- Far away, and by parts.
SELECT format('parts from %s to %s', a, b) FROM (SELECT a + (random() * 60000)::integer * interval '1 day' AS a, b - (random() * 30000)::integer * interval '1 day' AS b, a AS m FROM asked) x
WHERE crm.business_between('c$number', a, b) <> crm.business_between('c$number', a, m) + crm.business_between('c$number', m, b)
   OR crm.business_between('c$number', a, crm.business_add('c$number', a, crm.business_between('c$number', a, b))) <> crm.business_between('c$number', a, b);
SQL
	$problem =~ s/^\s+|\s+$//g;
	is($problem, '', "calendar $number, $zone, around $middle, seed $seed");
	diag(join("\n", @insert)) if $problem;
	last if $problem;
}
done_testing();
