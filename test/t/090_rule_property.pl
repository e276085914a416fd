# Rules mean what the same words mean in a query.  Thousands of random rules are
# written twice by the generator here: as a rule, with as few parentheses and as
# many spellings as the language has, and as SQL, every operand in parentheses.
# On rows with nulls, edge values and shifts of time zones they must agree:
# written out by the planner, evaluated row by row, as rule_sql(), after a way
# through text, jsonb and binary.  And the moment that rule_next_change() tells
# must never be late.  R-078 R-079
use strict;
use warnings FATAL => 'all';

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rules = $ENV{RULES} || 3000;
my $seed = $ENV{SEED} || 20260101;
srand($seed);
note("SEED=$seed RULES=$rules");

my $node = crm_node('rule_property');
$node->safe_psql('postgres', 'CREATE EXTENSION crm; SELECT crm.install()');

sub pick { return $_[ int(rand(scalar @_)) ]; }
sub quote { my $s = shift; $s =~ s/'/''/g; return "'$s'"; }
sub word { my $w = shift; return rand() < 0.1 ? uc $w : $w; }

# ---- expressions: [rule text, binding, SQL]; binding as in the grammar ----
my ($OR, $AND, $NOT, $IS, $CMP, $IN, $KEY, $ADD, $MUL, $UNARY, $ALL) = (1 .. 11);

sub at
{
	my ($e, $least) = @_;
	return $e->[1] < $least || rand() < 0.05 ? "($e->[0])" : $e->[0];
}

my %column = (
	number => [qw(i2 i4 i8 num f8)],
	text => [qw(tx vc ch)],
	bool => [qw(bo bp)],
	date => [qw(da)],
	ts => [qw(ts)],
	tz => [qw(tz)],
	interval => [qw(iv)],
);
my %literal = (
	number => [qw(0 1 -1 2 7 10 2.5 -0.5 100 1e3 1.50 .5 32767 2147483647 2147483648 -2147483648 9223372036854775807 99999999999999999999 1e-5)],
	text => [ map { quote($_) } ('', 'a', 'A', 'ab', 'Ёж', 'ёж', "O'Neill", '%', '_', 'a%', '10', 'ß', 'back\\slash', 'Москва', 'a    ', '"', 'x y') ],
	date => [ map { "date '$_'" } qw(2026-03-29 2026-10-25 2024-02-29 1999-12-31 infinity -infinity) ],
	ts => [ map { "timestamp '$_'" } ('2026-03-29 02:30', '2026-10-25 02:30', '2024-02-29', '1969-12-31 23:59:59.999999') ],
	tz => [ map { "timestamptz '$_'" } ('2026-03-29 01:00+00', '2026-10-25 00:30+00', '2024-02-29 12:00', '2020-01-01 00:00+05:45', 'infinity') ],
	interval => [ map { "interval '$_'" } ('1 day', '90 days', '1 month', '-2 hours', '1 year 2 months 3 days 04:05:06.7', '24:00', '30 days', '0') ],
);

sub field { my $c = shift; return [ rand() < 0.05 ? "\"$c\"" : word($c), $ALL, "r.$c" ]; }

sub literal
{
	my $type = shift;
	my $l = pick(@{ $literal{$type} });
	return [ $l, $l =~ /^-/ ? $UNARY : $ALL, "($l)" ];
}

sub binary
{
	my ($op, $level, $l, $r) = @_;
	my $space = rand() < 0.1 && $op ne '-' && $r->[0] !~ /^[-(]/ ? '' : ' ';
	return [ at($l, $level) . "$space$op$space" . at($r, $level + 1), $level, "(($l->[2]) $op ($r->[2]))" ];
}

# A value of a type, at most so deep.
sub value
{
	my ($type, $depth) = @_;
	if ($depth > 0 && rand() < 0.35)
	{
		if ($type eq 'number')
		{
			my $which = int(rand(5));
			return binary(pick('+', '-'), $ADD, value('number', $depth - 1), value('number', $depth - 1)) if $which < 2;
			return binary(pick('*', '/'), $MUL, value('number', $depth - 1), value('number', $depth - 1)) if $which < 4;
			my $e = pick(field(pick(@{ $column{number} })), value('number', $depth - 1));
			return [ '- ' . at($e, $UNARY), $UNARY, "(- ($e->[2]))" ];
		}
		return binary(pick('+', '-'), $ADD, value($type, $depth - 1), value('interval', $depth - 1)) if $type eq 'tz' || $type eq 'ts';
		return binary(pick('+', '-'), $ADD, value('interval', $depth - 1), value('interval', $depth - 1)) if $type eq 'interval';
		return binary(pick('+', '-'), $ADD, value('date', $depth - 1), literal_int()) if $type eq 'date';
	}
	return [ 'now()', $ALL, 'now()' ] if $type eq 'tz' && rand() < 0.3;
	return [ word('current_date'), $ALL, 'current_date' ] if $type eq 'date' && rand() < 0.3;
	if ($type eq 'text' && rand() < 0.25)
	{
		my $key = pick('a', 'n', 'x y', "q'", 'b');
		return [ "js->>" . quote($key), $KEY, "(r.js->>" . quote($key) . ')' ];
	}
	return rand() < 0.6 ? field(pick(@{ $column{$type} })) : literal($type);
}

sub literal_int { my $n = pick(0, 1, 30, -7, 365); return [ $n, $n < 0 ? $UNARY : $ALL, "($n)" ]; }

# A literal as people write it: without its type, beside a field.
sub untyped
{
	my ($type) = @_;
	my %bare = (number => [qw('5' '2.5' '-1')], date => [qw('2026-03-29' '2024-02-29')], ts => ["'2026-03-29 02:30'"],
		tz => [ "'2026-03-29 02:30'", "'2026-10-25 02:30+03'" ], interval => [ "'1 day'", "'2 mons'" ], text => ["'ab'"], bool => [ "'t'", "'no'" ]);
	my $l = pick(@{ $bare{$type} });
	# a fraction is no whole number, whatever the column; SQL says so, too
	return [ $l, $ALL, $l ];
}

sub operand { my ($type, $depth) = @_; return rand() < 0.1 ? untyped($type) : value($type, $depth); }

sub condition
{
	my $depth = shift;
	my $type = pick(qw(number number text text date ts tz tz interval));
	my $which = int(rand(17));
	if ($which < 6)
	{
		my ($l, $r) = (value($type, $depth), operand($type, $depth));
		my ($op, $sql) = @{ pick([ '=', '=' ], [ '<>', '<>' ], [ '!=', '<>' ], [ '<', '<' ], [ '<=', '<=' ], [ '>', '>' ], [ '>=', '>=' ]) };
		($l, $r) = ($r, $l) if rand() < 0.2;
		return [ at($l, $IN) . " $op " . at($r, $IN), $CMP, "(($l->[2]) $sql ($r->[2]))" ];
	}
	if ($which < 8)
	{
		my ($l, @list) = (value($type, $depth), map { rand() < 0.15 ? value($type, 0) : operand($type, 0) } 0 .. int(rand(4)));
		my $not = rand() < 0.3;
		return [ at($l, $KEY) . ($not ? ' ' . word('not') : '') . ' ' . word('in') . ' (' . join(pick(',', ', '), map { $_->[0] } @list) . ')', $IN,
			"(($l->[2]) " . ($not ? 'NOT IN' : 'IN') . ' (' . join(', ', map { $_->[2] } @list) . '))' ];
	}
	if ($which < 10)
	{
		my ($l, $a, $b) = (value($type, $depth), operand($type, $depth), operand($type, $depth));
		my $not = rand() < 0.3;
		return [ at($l, $KEY) . ($not ? ' not' : '') . ' ' . word('between') . ' ' . at($a, $KEY) . ' ' . word('and') . ' ' . at($b, $KEY), $IN,
			"(($l->[2]) " . ($not ? 'NOT BETWEEN' : 'BETWEEN') . " ($a->[2]) AND ($b->[2]))" ];
	}
	if ($which < 12)
	{
		my $l = value('text', $depth);
		my $p = quote(pick('%', 'a%', '%ё%', '_', '%\\%%', '', 'A_', '%back\\\\%', "%'%"));
		my $op = pick('like', 'ilike');
		my $not = rand() < 0.3 ? 'not ' : '';
		return [ at($l, $KEY) . " $not" . word($op) . " $p", $IN, "(($l->[2]) $not$op ($p))" ];
	}
	if ($which < 13)
	{
		my $not = rand() < 0.5 ? 'not ' : '';
		my $v = rand() < 0.7 ? field(pick(qw(i2 i4 num f8 tx bo da tz iv js en em ar contact_id))) : value($type, $depth);
		return [ at($v, $CMP) . ' ' . word('is') . " ${not}null", $IS, "(($v->[2]) IS ${not}NULL)" ];
	}
	if ($which < 14)
	{
		my $f = field(pick(qw(bo bp)));
		my $not = rand() < 0.5 ? 'not ' : '';
		my $what = pick('true', 'false');
		return [ "$f->[0] is $not$what", $IS, "(($f->[2]) IS $not$what)" ];
	}
	if ($which < 15)
	{
		return field(pick(qw(bo bp))) if rand() < 0.5;
		my $c = pick('true', 'false', 'null');
		return [ word($c), $ALL, "($c)" ];
	}
	if ($which < 16)
	{
		my ($f, $op, $l) = @{ pick([ 'en', pick(qw(= <> < >=)), "'mid'" ], [ 'em', pick(qw(= <>)), "'ANNA\@example.com'" ], [ 'ar', pick(qw(= <> <)), "'{1,2}'" ], [ 'rg', '=', "'[1,5)'" ]) };
		return [ "$f $op $l", $CMP, "(r.$f $op $l)" ];
	}
	my $tag = pick('vip', 'blocked', 'none');
	return [ "has_tag('$tag')", $ALL, "EXISTS (SELECT FROM crm.tag t WHERE t.contact_id = r.contact_id AND t.tag = '$tag')" ] if rand() < 0.4;
	my ($least, $most) = (int(rand(4)), undef);
	my @arguments;
	push @arguments, "at_least => $least" if rand() < 0.6 or $least = 1, 0;
	if (rand() < 0.4) { $most = int(rand(4)); push @arguments, "at_most => $most"; $least = 0 unless grep { /least/ } @arguments; }
	return [ 'true', $ALL, 'true' ] if defined $most && $most < $least;
	my $span = '';
	if (rand() < 0.6) { my $w = pick('30 days', '2 months', '36 hours'); push @arguments, "within => interval '$w'"; $span = " AND a.occurred_at > now() - interval '$w'"; }
	my $event = pick('call', 'activity');
	my $kind = $event eq 'call' ? " AND a.kind = 'call'" : '';
	return [ "did(" . join(', ', "'$event'", @arguments) . ")", $ALL,
		"(SELECT count(*) >= $least" . (defined $most ? " AND count(*) <= $most" : '') . " FROM crm.activity a WHERE a.contact_id = r.contact_id AND a.occurred_at <= now()$span$kind)" ];
}

sub rule
{
	my $depth = shift;
	return condition(2) if $depth == 0 || rand() < 0.25;
	if (rand() < 0.2)
	{
		my $e = rule($depth - 1);
		return [ word('not') . ' ' . at($e, $NOT), $NOT, "(NOT ($e->[2]))" ];
	}
	if (rand() < 0.08)
	{
		my ($a, $b) = (rule($depth - 1), rule($depth - 1));
		return [ "(" . $a->[0] . ") = (" . $b->[0] . ")", $CMP, "(($a->[2]) = ($b->[2]))" ];
	}
	my ($op, $level) = @{ pick([ 'and', $AND ], [ 'or', $OR ]) };
	my @parts = map { rule($depth - 1) } 0 .. 1 + int(rand(2));
	return [ join(' ' . word($op) . pick(' ', "\n", "\t"), map { at($_, $level + 1) } @parts), $level,
		'(' . join(' ' . uc($op) . ' ', map { $_->[2] } @parts) . ')' ];
}

# ---- rows ----
my $rows = <<'SQL';
SET search_path = public, pg_catalog, crm;
CREATE TYPE mood AS ENUM ('low', 'mid', 'high');
CREATE TABLE r (
    id serial PRIMARY KEY, gone text, contact_id bigint, i2 smallint, i4 integer, i8 bigint, num numeric, f8 double precision,
    tx text, vc varchar(10), ch char(5), bo boolean, bp boolean, da date, gone2 integer, ts timestamp, tz timestamptz, iv interval,
    js jsonb, en mood, em crm.email, ar integer[]);
ALTER TABLE r DROP COLUMN gone;
ALTER TABLE r DROP COLUMN gone2;
INSERT INTO r (i4) VALUES (1);
ALTER TABLE r ADD COLUMN rg int4range DEFAULT '[1,5)';
SELECT crm.create_contact(jsonb_build_object('name', 'Anna' || i, 'tags', CASE i % 3 WHEN 0 THEN '["vip"]'::jsonb WHEN 1 THEN '["vip", "blocked"]' ELSE '[]' END)) FROM generate_series(1, 12) i;
INSERT INTO crm.activity (contact_id, kind, occurred_at)
SELECT c.id, CASE WHEN i % 2 = 0 THEN 'call' ELSE 'email' END, now() - i * i * interval '7 days 1 hour' + interval '3 days' FROM crm.contact c, generate_series(0, 5) i WHERE (c.id + i) % 4 <> 0;
SELECT setseed(0.25);
INSERT INTO r (contact_id, i2, i4, i8, num, f8, tx, vc, ch, bo, bp, da, ts, tz, iv, js, en, em, ar)
SELECT CASE WHEN random() < 0.85 THEN (SELECT min(id) FROM crm.contact) + (random() * 11)::int END,
       (ARRAY[NULL, 0, 1, -1, 7, 32767, -32768, 10])[1 + (random() * 7)::int], (ARRAY[NULL, 0, 1, -1, 10, 2147483647, -2147483648, 100])[1 + (random() * 7)::int],
       (ARRAY[NULL, 0, 1, -1, 2147483648, 9223372036854775807, -9223372036854775808, 7])[1 + (random() * 7)::int],
       (ARRAY[NULL, 0, 1.50, -0.5, 'NaN', 'Infinity', '-Infinity', 99999999999999999999, 2.5, 10]::numeric[])[1 + (random() * 9)::int],
       (ARRAY[NULL, 0, '-0', 'NaN', 'Infinity', '-Infinity', 1e-5, 0.1, 10, 2.5]::float8[])[1 + (random() * 9)::int],
       (ARRAY[NULL, '', 'a', 'A', 'ab', 'Ёж', 'ёж', 'O''Neill', '10', 'back\slash', 'a%', '100%'])[1 + (random() * 11)::int],
       (ARRAY[NULL, '', 'a', 'ab', 'a   ', 'Москва', 'x y'])[1 + (random() * 6)::int], (ARRAY[NULL, '', 'a', 'ab', 'A', 'ß'])[1 + (random() * 5)::int],
       (ARRAY[NULL, true, false])[1 + (random() * 2)::int], (ARRAY[NULL, true, false])[1 + (random() * 2)::int],
       (ARRAY[NULL, '2026-03-29', '2024-02-29', current_date, current_date - 30, 'infinity', '-infinity', '1999-12-31']::date[])[1 + (random() * 7)::int],
       (ARRAY[NULL, '2026-03-29 02:30', '2026-10-25 02:30', '2024-02-29', localtimestamp, 'infinity']::timestamp[])[1 + (random() * 5)::int],
       (ARRAY[NULL, '2026-03-29 01:00+00', '2026-10-25 00:30+00', now(), now() - interval '90 days', 'infinity', '-infinity', '2024-02-29 12:00+00', '2020-01-01 00:00+05:45']::timestamptz[])[1 + (random() * 8)::int],
       (ARRAY[NULL, '1 day', '24:00', '1 month', '30 days', '0', '-2 hours', '1 year 2 months']::interval[])[1 + (random() * 7)::int],
       (ARRAY[NULL, '{}', '{"a": "a"}', '{"a": null, "n": 10}', '{"x y": "A", "q''": "x", "b": true}', '[1, 2]', '"a"', '{"a": {"b": 1}}']::jsonb[])[1 + (random() * 7)::int],
       (ARRAY[NULL, 'low', 'mid', 'high']::mood[])[1 + (random() * 3)::int], (ARRAY[NULL, 'anna@example.com', 'bob@example.com']::crm.email[])[1 + (random() * 2)::int],
       (ARRAY[NULL, '{1,2}', '{}']::text[])[1 + (random() * 2)::int]::integer[]
FROM generate_series(1, 70);
INSERT INTO r DEFAULT VALUES;
CREATE TABLE rule (id integer PRIMARY KEY, text text, sql text);
CREATE TABLE outcome (id integer, path text, state text, message text, truths text);
SQL
$node->safe_psql('postgres', $rows);

# The truths of all rows by each path, in one string; an error is its state.
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION truths(query text, OUT state text, OUT message text, OUT truths text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE query INTO truths;
    state := '00000';
EXCEPTION WHEN OTHERS THEN
    state := sqlstate;
    message := sqlerrm;
END $$;
CREATE FUNCTION compare(number integer, rule_text text, sql text) RETURNS SETOF text LANGUAGE plpgsql
SET search_path = pg_catalog, crm, public AS $$
DECLARE
    expected record;
    got record;
    head CONSTANT text := 'SELECT string_agg(coalesce((%s)::text, ''n''), '','' ORDER BY r.id) FROM r';
    paths text[];
    written text;
    r1 crm.rule;
BEGIN
    SELECT * INTO expected FROM truths(format(head, sql));
    BEGIN
        r1 := rule_text::crm.rule;
    EXCEPTION WHEN OTHERS THEN
        RETURN NEXT 'refused: ' || sqlerrm;
        RETURN;
    END;
    IF r1::text::crm.rule IS DISTINCT FROM r1 OR r1::text::crm.rule::text <> r1::text THEN
        RETURN NEXT 'text: ' || r1::text;
    END IF;
    IF r1::jsonb::crm.rule IS DISTINCT FROM r1 THEN
        RETURN NEXT 'jsonb: ' || (r1::jsonb)::text;
    END IF;
    UPDATE public.kept SET rule = r1;
    paths := ARRAY['inline', format(head, format('r @@ %L', rule_text)), 'inline canonical', format(head, format('r @@ %L', r1::text)),
        'row', 'SELECT string_agg(coalesce((r @@ k.rule)::text, ''n''), '','' ORDER BY r.id) FROM r, public.kept k',
        'eval inline', format(head, format('rule_eval(r, %L, %L)', r1, now())),
        'eval', format('SELECT string_agg(coalesce(rule_eval(r, k.rule, %L)::text, ''n''), '','' ORDER BY r.id) FROM r, public.kept k', now()),
        'record', 'SELECT string_agg(coalesce((x @@ k.rule)::text, ''n''), '','' ORDER BY x.id) FROM (SELECT * FROM r OFFSET 0) x, public.kept k',
        'subquery', format('SELECT string_agg(coalesce((x @@ %L)::text, ''n''), '','' ORDER BY x.id) FROM (SELECT * FROM r OFFSET 0) x', r1)];
    FOR i IN 1 .. cardinality(paths) BY 2 LOOP
        -- With a constant clock more is computed by the planner, which stops at what decides.
        CONTINUE WHEN paths[i] = 'eval inline' AND expected.state LIKE '22%';
        SELECT * INTO got FROM truths(paths[i + 1]);
        IF (got.state = '00000') <> (expected.state = '00000') OR got.truths IS DISTINCT FROM expected.truths THEN
            RETURN NEXT format('%s: %s %s %s, SQL: %s %s %s', paths[i], got.state, got.message, got.truths, expected.state, expected.message, expected.truths);
        END IF;
    END LOOP;
    IF expected.state = '00000' THEN
        FOR i IN 1 .. 2 LOOP
            written := crm.rule_sql(r1, 'public.r', CASE i WHEN 2 THEN now() END, 'r');
            SELECT * INTO got FROM truths(format(head, written));
            IF got.truths IS DISTINCT FROM expected.truths THEN
                RETURN NEXT format('rule_sql: %s: %s %s', written, got.state, got.message);
            END IF;
        END LOOP;
        -- what it may find is a constant that cannot be computed, where the rows never needed it
        IF EXISTS (SELECT FROM crm.rule_check(r1, 'public.r') WHERE code NOT LIKE '22%') THEN
            RETURN NEXT 'rule_check: ' || (SELECT string_agg(c::text, '; ') FROM crm.rule_check(r1, 'public.r') c);
        END IF;
    END IF;
END $$;
CREATE TABLE kept (rule crm.rule);
INSERT INTO kept VALUES ('true');
SQL

my @zones = ('UTC', 'Europe/Berlin', 'America/St_Johns', 'Asia/Kathmandu', 'America/New_York');
my $done = 0;
my ($failed, $errors) = (0, 0);
while ($done < $rules)
{
	my $zone = $zones[ ($done / 100) % @zones ];
	my $style = pick('ISO, MDY', 'SQL, DMY', 'German');
	my $script = "SET timezone = '$zone'; SET datestyle = '$style'; SET max_parallel_workers_per_gather = 0; SET jit = off;\nINSERT INTO rule VALUES\n";
	my @pairs;
	for (1 .. 100)
	{
		my $rule = rule(int(rand(4)));
		push @pairs, '(' . ++$done . ', ' . quote($rule->[0]) . ', ' . quote($rule->[2]) . ')';
	}
	$script .= join(",\n", @pairs) . ";\n";
	my $low = $done - 99;
	$script .= "SELECT format('%s: %s: %s', u.id, u.text, c) FROM rule u, compare(u.id, u.text, u.sql) c WHERE u.id BETWEEN $low AND $done;\n";
	my $out = $node->safe_psql('postgres', $script);
	if ($out ne '')
	{
		$failed += scalar(split /\n(?=\d+: )/, $out);
		my @shown = split /\n/, $out;
		$#shown = 9 if $#shown > 9;
		diag("$zone, $style:\n" . join("\n", @shown)) if $failed < 40;
	}
}
is($failed, 0, "$done rules mean what SQL means, by every path");
$errors = $node->safe_psql('postgres', q{SELECT count(*) FILTER (WHERE (truths('SELECT string_agg((' || sql || ')::text, '','') FROM r')).state = '00000') FROM rule});
cmp_ok($errors, '>', $done * 0.5, "$errors of them without an error");

# ---- rule_next_change() is never late, and exact where it says so ----
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION late(r r, rule crm.rule, as_of timestamptz, exact boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    next timestamptz := crm.rule_next_change(r, rule, as_of);
    truth boolean := crm.rule_eval(r, rule, as_of);
    probe timestamptz;
    bound timestamptz := least(next, as_of + interval '3 years');
BEGIN
    IF next <= as_of THEN
        RETURN 'not after';
    END IF;
    FOR i IN 1 .. 60 LOOP
        probe := CASE WHEN i = 1 THEN bound - interval '1 microsecond' WHEN i < 20 THEN bound - random() * interval '4 days' WHEN i < 40 THEN as_of + random() * interval '5 days'
                      ELSE as_of + random() * (bound - as_of) END;
        CONTINUE WHEN probe < as_of OR probe >= bound;
        IF crm.rule_eval(r, rule, probe) IS DISTINCT FROM truth THEN
            RETURN format('%s: late: %s, but changes by %s', r.id, next, probe);
        END IF;
    END LOOP;
    IF exact AND next < 'infinity' AND crm.rule_eval(r, rule, next) IS NOT DISTINCT FROM truth THEN
        RETURN format('%s: early: %s', r.id, next);
    END IF;
    RETURN NULL;
END $$;
SQL
my ($late, $asked) = (0, 0);
my $clock = $rules / 10 > 600 ? 600 : int($rules / 10);
for my $zone (@zones)
{
	my @pairs;
	for (1 .. $clock / @zones)
	{
		my $span = pick('90 days', '1 month', '3 months', '1 year', '1 day', '36 hours', '1 month 5 hours', '2 days 00:15', '7 days 12:34:56.789');
		my $op = pick('<', '<=', '>', '>=');
		my ($text, $exact) = @{ pick(
			[ "tz $op now() - interval '$span'", 1 ], [ "tz + interval '$span' $op now()", 1 ], [ "now() - tz $op interval '$span'", 1 ],
			[ "da $op current_date - 30", 1 ], [ "da + 30 $op current_date", 1 ], [ "ts $op now() - interval '$span'", 1 ], [ "da $op now() - interval '$span'", 1 ],
			[ "tz = now() - interval '$span'", 0 ], [ "tz between now() - interval '$span' and now()", 1 ], [ "current_date - da $op 30", 1 ],
			[ "tz - interval '$span' $op current_date", 1 ], [ "da + interval '$span' $op now()", 1 ], [ "tz - now() $op iv", 1 ], [ "tz + iv $op now() - interval '$span'", 1 ],
			[ "tz $op now() - interval '$span' - interval '1 month'", 1 ], [ "tz $op now() - interval '5 hours' - interval '1 month' + interval '3 days'", 1 ],
			[ "ts $op current_date - interval '1 month'", 1 ], [ "did('call', at_least => " . int(1 + rand(3)) . ", within => interval '$span')", 0 ],
			[ "did('activity', at_most => " . int(rand(3)) . ", within => interval '$span')", 0 ], [ "(now() - tz) * 2 $op interval '$span'", 0 ],
			[ "not (tz $op now() - interval '$span') or da = current_date", 0 ], [ "da in (current_date - 30, current_date)", 0 ]) };
		push @pairs, '(' . quote($text) . ', ' . quote(pick('2026-03-27 12:00+00', '2026-03-28 23:59+00', '2026-10-24 22:15+00', '2026-03-31 05:00+00', '2026-02-27 12:00+00', '2024-02-29 23:30+00', '2026-05-15 08:00+00')) . ", " . ($exact ? 'true' : 'false') . ')';
	}
	my $out = $node->safe_psql('postgres', "SET search_path = public, crm; SET timezone = '$zone';\n"
		. "SELECT setseed(0.5);\n"
		. "UPDATE r SET tz = timestamptz '2026-03-29 01:00+00' + (random() * 100 - 50) * interval '1 day' WHERE isfinite(tz) AND id % 2 = 0;\n"
		. "UPDATE r SET ts = timestamp '2026-03-29 02:30' - (random() * 40) * interval '1 day' WHERE id % 3 = 0;\n"
		. "UPDATE r SET da = date '2026-03-29' - (random() * 100)::integer WHERE id % 4 = 0;\n"
		. "SELECT format('%s as of %s: %s', p.text, p.at, l) FROM (VALUES " . join(", ", @pairs) . ") p (text, at, exact), (SELECT * FROM r WHERE coalesce(isfinite(tz), true) AND coalesce(isfinite(da), true) AND coalesce(isfinite(ts), true)) x JOIN r USING (id), late(r, p.text::crm.rule, p.at::timestamptz, p.exact) l WHERE l IS NOT NULL LIMIT 50");
	$asked += @pairs;
	my @lines = grep { / as of / } split /\n/, $out;
	$late += @lines;
	diag("$zone:\n" . join("\n", @lines[ 0 .. ($#lines > 9 ? 9 : $#lines) ])) if @lines;
}
is($late, 0, "the next change of $asked rules is never late");
done_testing();
