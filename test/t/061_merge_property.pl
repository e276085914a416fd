# Random tables that refer to contacts, random rows, random merges, edits and
# undos: after a merge nothing refers to who was absorbed, and after the undo
# every table is as it was before, row by row.  R-019
#
# CRM_SEEDS="1 2 3" repeats chosen runs.
use strict;
use warnings FATAL => 'all';

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('property', "fsync = off\n");
my @seeds = split ' ', $ENV{CRM_SEEDS} // '1 2 3 4 5 6 7 8';

sub pick { return $_[ int(rand(@_)) ]; }
sub chance { return rand() < $_[0]; }
sub quoted { my ($name) = @_; $name =~ s/"/""/g; return qq("$name"); }

# Types with values that print the same and are not, or lose something in JSON.
my @payloads = (
	[ 'text', q{pick(ARRAY['', 'a', E'tab\ttab', 'Ünï', NULL, E'line\nline'])} ],
	[ 'numeric', q{pick(ARRAY[1.0, 1.00, 1e30, 'NaN', NULL]::numeric[])} ],
	[ 'double precision', q{pick(ARRAY[0.1, 'NaN', '-Infinity', 1e-300, '-0', NULL]::float8[])} ],
	[ 'real', q{pick(ARRAY[0.1, 16777217, 3.4e38, NULL]::real[])} ],
	[ 'json', q{(pick(ARRAY['{"a":  1}', '{"b": 1, "b": 2}', 'null', NULL]))::json} ],
	[ 'jsonb', q{(pick(ARRAY['{"a": 1.00}', '[]', '"x"', 'null', NULL]))::jsonb} ],
	[ 'timestamptz', q{pick(ARRAY['2026-03-29 02:30:00.123456+03', 'infinity', '0044-03-15 00:00 BC', NULL]::timestamptz[])} ],
	[ 'date', q{pick(ARRAY['2024-02-29', '-infinity', NULL]::date[])} ],
	[ 'interval', q{pick(ARRAY['1 mon -1 day', '-00:00:01.5', NULL]::interval[])} ],
	[ 'text[]', q{(pick(ARRAY['{}', '{NULL,"NULL","a,b"}', '[0:1]={x,y}', NULL]))::text[]} ],
	[ 'bytea', q{pick(ARRAY['\x00ff', '', NULL]::bytea[])} ],
	[ 'char(6)', q{pick(ARRAY['ab', 'ab  ', '', NULL]::char(6)[])} ],
	[ 'bpchar', q{pick(ARRAY['ab', 'ab  ', NULL]::bpchar[])} ],
	[ 'tstzrange', q{(pick(ARRAY['[2020-01-01,)', 'empty', '(,)', NULL]))::tstzrange} ],
	[ 'money', q{(pick(ARRAY['1234.56', '-0.01', NULL]))::numeric::money} ],
	[ 'inet', q{pick(ARRAY['10.0.0.1/24', '10.0.0.1', '::1', NULL]::inet[])} ],
	[ 'bit varying', q{pick(ARRAY[B'0101', B'', NULL])} ],
	[ 'public.pair', q{pick(ARRAY[ROW(1, 'x,y'), ROW(NULL, NULL), NULL]::public.pair[])} ],
	[ 'public.shade', q{pick(ARRAY['light', 'dark', NULL]::public.shade[])} ],
	[ 'public.short', q{pick(ARRAY['abc', NULL])} ],
	[ 'crm.email', q{crm.email(pick(ARRAY['A.b+c@example.com', 'x@mail.ru']))} ],
	[ 'regclass', q{pick(ARRAY['crm.contact', 'pg_class', NULL]::regclass[])} ],
	[ 'xml', q{(pick(ARRAY['<a> 1 </a>', NULL]))::xml} ],
);

my $number = 0;
my $schema;

sub table_name
{
	my ($word) = @_;
	$number++;
	return quoted($schema) . '.' . quoted(pick("${word}_$number", "Odd $word $number", "$word.\"$number", "select_$number"));
}

sub payload_columns
{
	my @chosen = map { pick(@payloads) } 1 .. 1 + int(rand(3));
	my $n = 0;
	return (join('', map { ', p' . $n++ . " $_->[0]" } @chosen), join('', map { ", $_->[1]" } @chosen),
		join('', map { ", p$_" } 0 .. $#chosen));
}

# A table: SQL that makes it, SQL that adds a row for contact $1 (an expression).
sub random_tables
{
	my @sql;
	my @fill;
	my @soft;
	my $ref = pick('bigint', 'bigint', 'integer') . ' REFERENCES crm.contact (id)' . pick('', ' ON DELETE CASCADE', ' DEFERRABLE INITIALLY DEFERRED');
	my %makers = (
		plain => sub {
			my ($c, $v, $n) = payload_columns();
			my ($t, $col) = (table_name('plain'), quoted(pick('contact_id', 'Who "is" it', 'image', 'entry')));
			my $id = pick('id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY', 'id serial PRIMARY KEY', 'id uuid PRIMARY KEY DEFAULT gen_random_uuid()');
			my $more = chance(0.5) ? ", twice bigint GENERATED ALWAYS AS ($col * 2) STORED" : '';
			push @sql, "CREATE TABLE $t ($id, $col $ref$more$c)";
			push @fill, "INSERT INTO $t ($col$n) SELECT who$v";
		},
		keyless => sub {
			my ($c, $v, $n) = payload_columns();
			my $t = table_name('keyless');
			push @sql, "CREATE TABLE $t (contact_id $ref$c)";
			push @fill, "INSERT INTO $t (contact_id$n) SELECT who$v FROM generate_series(1, 2)";
		},
		unique => sub {
			my ($c, $v, $n) = payload_columns();
			my $t = table_name('unique');
			my $constraint = pick('UNIQUE (contact_id, k)', 'UNIQUE (contact_id)', 'UNIQUE (k, contact_id) DEFERRABLE',
				'EXCLUDE USING btree (contact_id WITH =, k WITH =)', 'UNIQUE NULLS NOT DISTINCT (contact_id, k)',
				'EXCLUDE USING gist (int8range(contact_id, contact_id, \'[]\') WITH &&, int4range(k, k + 2) WITH &&)');
			push @sql, "CREATE TABLE $t (id serial PRIMARY KEY, contact_id $ref, k integer$c, $constraint)";
			push @sql, "CREATE UNIQUE INDEX ON $t ((k % 3), contact_id)" if chance(0.2);
			push @fill, "INSERT INTO $t (contact_id, k$n) SELECT who, pick(ARRAY[1, 2, 3, 4, NULL])$v ON CONFLICT DO NOTHING" if $constraint !~ /DEFERRABLE/;
			push @fill, "INSERT INTO $t (contact_id, k$n) SELECT who, nextval('public.numbers')$v" if $constraint =~ /DEFERRABLE/;
		},
		keyed => sub {
			my ($c, $v, $n) = payload_columns();
			my $t = table_name('keyed');
			my $unique = pick('', '', ', UNIQUE (contact_id, j)', ', code integer UNIQUE DEFAULT nextval(\'public.numbers\')');
			push @sql, "CREATE TABLE $t (contact_id $ref, k integer, j integer$c, PRIMARY KEY (contact_id, k)$unique)";
			push @fill, "INSERT INTO $t (contact_id, k, j$n) SELECT who, (random() * 6)::integer, (random() * 6)::integer$v ON CONFLICT DO NOTHING";
			return if $unique =~ /code/;
			my $child = table_name('child');
			my $action = pick('', ' ON DELETE CASCADE', ' ON UPDATE CASCADE');
			my $key = pick('id serial PRIMARY KEY', 'l integer, PRIMARY KEY (owner, k, l)');
			push @sql, "CREATE TABLE $child (owner bigint, k integer, " . ($key =~ /^l/ ? 'l integer' : $key)
			  . ", note text, FOREIGN KEY (owner, k) REFERENCES $t (contact_id, k)$action" . ($key =~ /^l/ ? ', PRIMARY KEY (owner, k, l)' : '') . ')';
			push @fill, "INSERT INTO $child (owner, k, note" . ($key =~ /^l/ ? ', l' : '') . ") SELECT contact_id, k, 'n'" . ($key =~ /^l/ ? ', (random() * 3)::integer' : '')
			  . " FROM $t WHERE contact_id = who ORDER BY random() LIMIT 2 ON CONFLICT DO NOTHING";
		},
		profile => sub {
			my ($c, $v, $n) = payload_columns();
			my $t = table_name('profile');
			my $note = table_name('note');
			push @sql, "CREATE TABLE $t (contact_id $ref$c, PRIMARY KEY (contact_id))",
			  "CREATE TABLE $note (id serial PRIMARY KEY, profile_id bigint REFERENCES $t (contact_id)" . pick('', ' ON DELETE CASCADE') . ', body text)';
			push @fill, "INSERT INTO $t (contact_id$n) SELECT who$v ON CONFLICT DO NOTHING",
			  "INSERT INTO $note (profile_id, body) SELECT contact_id, 'b' FROM $t WHERE contact_id = who";
		},
		membership => sub {
			my ($c, $v, $n) = payload_columns();
			my $t = table_name('membership');
			my $payment = table_name('payment');
			my $action = pick('', ' ON DELETE CASCADE', ' ON DELETE SET NULL', ' ON DELETE RESTRICT');
			push @sql, "CREATE TABLE $t (id serial PRIMARY KEY, contact_id $ref, club integer$c, UNIQUE (contact_id, club))",
			  "CREATE TABLE $payment (id serial PRIMARY KEY, membership_id integer REFERENCES $t (id)$action, month integer, UNIQUE (membership_id, month))";
			push @fill, "INSERT INTO $t (contact_id, club$n) SELECT who, (random() * 4)::integer$v ON CONFLICT DO NOTHING",
			  "INSERT INTO $payment (membership_id, month) SELECT id, (random() * 2)::integer FROM $t WHERE contact_id = who ON CONFLICT DO NOTHING";
		},
		partitioned => sub {
			my ($c, $v, $n) = payload_columns();
			my $t = table_name('parts');
			my $how = pick('HASH (contact_id)', 'LIST (k)');
			(my $leaf = $t) =~ s/"$/ %d"/;
			push @sql, "CREATE TABLE $t (contact_id $ref, k integer$c, PRIMARY KEY (contact_id, k)) PARTITION BY $how";
			push @sql, sprintf("CREATE TABLE $leaf PARTITION OF $t FOR VALUES %s", $_, $how =~ /HASH/ ? "WITH (MODULUS 3, REMAINDER $_)" : "IN (" . join(', ', map { $_ * 2, $_ * 2 + 1 } $_) . ')') for 0 .. 2;
			push @fill, "INSERT INTO $t (contact_id, k$n) SELECT who, (random() * 5)::integer$v ON CONFLICT DO NOTHING";
		},
		two => sub {
			my $t = table_name('two');
			my $check = pick('', ', CHECK (giver <> taker)');
			push @sql, "CREATE TABLE $t (id serial PRIMARY KEY, giver $ref, taker $ref$check" . pick('', ', UNIQUE (giver, taker)') . ')';
			push @fill, "INSERT INTO $t (giver, taker) SELECT who, (SELECT id FROM crm.contact WHERE deleted_at IS NULL AND id <> who ORDER BY random() LIMIT 1) ON CONFLICT DO NOTHING";
		},
		soft => sub {
			my $t = table_name('soft');
			push @sql, "CREATE TABLE $t (id serial PRIMARY KEY, k bigint, at timestamptz DEFAULT now())";
			push @soft, [ $t, 'k' ];
			push @fill, "INSERT INTO $t (k) SELECT who";
		},
		stamped => sub {
			my $t = table_name('stamped');
			push @sql, "CREATE TABLE $t (id serial PRIMARY KEY, contact_id $ref, body text, updated_at timestamptz DEFAULT now())",
			  "CREATE TRIGGER stamp BEFORE UPDATE ON $t FOR EACH ROW EXECUTE FUNCTION public.stamp()";
			push @fill, "INSERT INTO $t (contact_id, body) SELECT who, md5(random()::text)";
		},
	);
	my @kinds = sort keys %makers;
	$makers{ pick(@kinds) }->() for 1 .. 8;
	push @fill, map {
		"INSERT INTO crm.$_"
	} (
		"tag (contact_id, tag) SELECT who, pick(ARRAY['vip', 'fair', 'new', 'old']) ON CONFLICT DO NOTHING",
		"activity (contact_id, kind, subject) SELECT who, pick(ARRAY['call', 'email']), md5(random()::text)",
		"contact_point (contact_id, kind, raw, is_primary) SELECT who, 'email', pick(ARRAY['a', 'b', 'C', 'd']) || '\@example.com', false",
		"contact_point (contact_id, kind, raw, is_primary) SELECT who, 'phone', pick(ARRAY['+79123456789', '+7 912 345-67-89', '+79123456780']), NOT EXISTS (SELECT FROM crm.contact_point WHERE contact_id = who AND kind = 'phone' AND is_primary)",
		"contact_identity (contact_id, provider, external_id) SELECT who, 'vk', nextval('public.numbers')",
		"consent (contact_id, purpose, channel, status, at) SELECT who, pick(ARRAY['marketing', 'service']), pick(ARRAY['*', 'email']), pick(ARRAY['granted', 'denied', 'withdrawn']), now() - random() * interval '100 days'",
		"deal (name, contact_id) SELECT 'Deal', who",
		"task (title, contact_id) SELECT 'Task', who",
		"contact_date (contact_id, kind, date) SELECT who, 'wedding', pick(ARRAY['2020-01-01', '2021-01-01']::date[])",
		"contact_need (contact_id, kind, subject) SELECT who, 'need', 'price'",
		"source_value (contact_id, field, source, value) SELECT who, 'city', 'import', 'Kazan'",
		"company_contact (contact_id, company_id, role) SELECT who, id, 'buyer' FROM crm.company ORDER BY random() LIMIT 1 ON CONFLICT DO NOTHING");
	return (\@sql, \@fill, \@soft);
}

$node->safe_psql('postgres', <<'SQL');
CREATE DATABASE template_crm;
SQL
$node->safe_psql('template_crm', <<'SQL');
CREATE EXTENSION crm;
SELECT crm.install();
ALTER TABLE crm.contact ADD COLUMN referred_by bigint REFERENCES crm.contact (id), ADD COLUMN loyalty_number text UNIQUE;
CREATE TYPE public.pair AS (a integer, b text);
CREATE TYPE public.shade AS ENUM ('light', 'dark');
CREATE DOMAIN public.short AS text CHECK (length(VALUE) < 5);
CREATE SEQUENCE public.numbers;
CREATE FUNCTION public.pick(anyarray) RETURNS anyelement LANGUAGE sql VOLATILE AS 'SELECT $1[1 + (random() * 1000)::integer % cardinality($1)]';
CREATE FUNCTION public.stamp() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN IF crm.merge_mode() <> 'undo' THEN NEW.updated_at := clock_timestamp(); END IF; RETURN NEW; END$$;
-- Every table that is no history, with its rows and their sum.
CREATE FUNCTION public.sums() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t record;
    line text;
    result text := '';
BEGIN
    FOR t IN SELECT c.oid::regclass AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relkind = 'r' AND (n.nspname = 'crm' OR n.nspname LIKE 'p%' AND n.nspname NOT LIKE 'pg_%') ORDER BY c.oid::regclass::text LOOP
        CONTINUE WHEN t.name::text IN ('crm.audit_log', 'crm.deal_history', 'crm.merge', 'crm.merge_journal', 'crm.segment_queue', 'crm.lifecycle_history', 'crm.ownership_history');
        EXECUTE format('SELECT count(*) || '' '' || coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM %s t', t.name) INTO line;
        result := result || t.name || ' ' || line || E'\n';
    END LOOP;
    RETURN result;
END $$;
-- What still refers to somebody who was absorbed.
CREATE FUNCTION public.left_behind() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    r record;
    n bigint;
    result text := '';
BEGIN
    FOR r IN SELECT * FROM crm.contact_references() WHERE relation <> 'crm.contact'::regclass LOOP
        EXECUTE format('SELECT count(*) FROM %s t JOIN crm.contact c ON c.id = t.%I WHERE c.merged_into IS NOT NULL', r.relation, r.column_name) INTO n;
        IF n > 0 THEN result := result || format('%s.%s: %s ', r.relation, r.column_name, n); END IF;
    END LOOP;
    RETURN result;
END $$;
SQL

# The lines in which two descriptions differ.
sub same
{
	my ($got, $expected, $name) = @_;
	return crm_same($got, $expected, $name);
}

for my $seed (@seeds)
{
	srand($seed);
	$number = 0;
	$schema = pick("p_$seed", "p Odd \"$seed", "p.dot $seed");
	my $db = "seed_$seed";
	$node->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE template_crm");
	my ($tables, $fill, $soft) = random_tables();
	my $people = 8;
	my $setup = 'SELECT setseed(' . ($seed % 100) / 100 . "); CREATE SCHEMA " . quoted($schema) . ";\n" . join(";\n", @$tables) . ";\n";
	$setup .= "SELECT crm.register_soft_reference('$_->[0]', '$_->[1]');\n" for @$soft;
	$setup .= "INSERT INTO crm.company (name) VALUES ('A'), ('B');\n";
	$setup .= "SELECT crm.define_field('contact', f, 'integer') FROM unnest(ARRAY['a', 'b']) f;\n";
	$setup .= "INSERT INTO crm.contact (given_name, family_name, city, job_title, birth_date, attrs, lifecycle_stage, loyalty_number) SELECT public.pick(ARRAY['Anna', NULL]), 'F' || i, public.pick(ARRAY['Kazan', 'Moscow', NULL]), public.pick(ARRAY['CTO', NULL]), public.pick(ARRAY['1980-01-01', NULL]::date[]), jsonb_build_object(public.pick(ARRAY['a', 'b']), i), public.pick(ARRAY['lead', 'customer']), public.pick(ARRAY['L' || i, NULL]) FROM generate_series(1, $people) i;\n";
	$setup .= "UPDATE crm.contact SET referred_by = 1 + id % $people WHERE id % 2 = 0;\n";
	$setup .= "SELECT crm.decide_duplicate(1, 2, 'confirmed'), crm.decide_duplicate(2, 3, 'rejected'), crm.decide_duplicate(4, 5, 'rejected');\n";
	$setup .= "SET search_path = public, pg_catalog;\n";
	for my $who (1 .. $people)
	{
		for my $statement (@$fill)
		{
			next if chance(0.25);
			(my $one = $statement) =~ s/\bwho\b/$who/g;
			$setup .= "$one;\n" x (chance(0.4) ? 2 : 1);
		}
	}
	# A soft reference by email, say, is never wrong; a failing statement is.
	my ($status, $out, $err) = $node->psql($db, $setup, on_error_stop => 1);
	is($status, 0, "seed $seed: tables and rows") or do { diag($err); next; };
	my $before = $node->safe_psql($db, 'SELECT public.sums()');

	# Merges at random, each undone in the end; where one builds upon another
	# the error names it.
	my @standing;
	my $merges = 0;
	my %policies = (
		1 => '{}', 2 => '{"conflicts": {"*": "keep_survivor"}}', 3 => '{"survivorship": {"*": "most_recent"}}',
		4 => '{"survivorship": {"city": "longest", "*": "most_frequent"}}', 5 => '{"conflicts": {"*": "keep_absorbed"}}');
	for my $round (1 .. 6)
	{
		my @living = split /\n/, $node->safe_psql($db, 'SELECT id FROM crm.contact WHERE deleted_at IS NULL ORDER BY id');
		last if @living < 3;
		my ($survivor, @absorbed) = map { splice @living, int(rand(@living)), 1 } 1 .. pick(2, 2, 3);
		my $policy = $policies{ pick(1, 1, 1, 2, 3, 4, 5) };
		my $sums = $node->safe_psql($db, 'SELECT public.sums()');
		($status, $out, $err) = $node->psql($db, "SELECT crm.merge_contacts($survivor, ARRAY[" . join(', ', @absorbed) . "]::bigint[], '$policy')");
		if ($status == 0 && $err eq '')
		{
			$merges++;
			push @standing, [ $out, $sums ];
			is($node->safe_psql($db, 'SELECT public.left_behind()'), '', "seed $seed: nothing refers to the absorbed, $survivor <- @absorbed $policy");
		}
		else
		{
			fail("seed $seed: merge $survivor <- @absorbed $policy") or diag($err);
			same($node->safe_psql($db, 'SELECT public.sums()'), $sums, "seed $seed: a merge that fails leaves everything");
		}
		# Sometimes the last one is undone at once.
		if (@standing && chance(0.4))
		{
			my $last = pop @standing;
			my ($s, $o, $e) = $node->psql($db, "SELECT what, relation, key, detail FROM crm.unmerge($last->[0], reject => false) WHERE what <> 'stays'");
			is("$s$o$e", '0', "seed $seed: undo of the last merge")
			  or diag($node->safe_psql($db, "SELECT entry, absorbed_id, operation, relation, column_name, row_before, row_after, reason FROM crm.merge_journal WHERE merge_id = $last->[0] AND relation = 'company_contact' ORDER BY entry"));
			same($node->safe_psql($db, 'SELECT public.sums()'), $last->[1], "seed $seed: as before merge $last->[0]");
		}
	}

	# Edits after the last merge.
	if (@standing)
	{
		my $last = $standing[-1];
		my $merged = $node->safe_psql($db, 'SELECT public.sums()');
		my $victim = $node->safe_psql($db, "SELECT row_after ->> 'contact_id' || ' ' || (row_before ->> 'id') FROM crm.merge_journal WHERE merge_id = $last->[0] AND operation = 'move' AND relation = 'activity' ORDER BY entry LIMIT 1");
		if ($victim =~ /^(\d+) (\d+)$/)
		{
			my ($owner, $id) = ($1, $2);
			my $where = "contact_id = $owner AND id = $id";
			for my $edit ("UPDATE crm.activity SET subject = 'edited' WHERE $where", "DELETE FROM crm.activity WHERE $where")
			{
				my $word = $edit =~ /^UPDATE/ ? 'changed' : 'removed';
				my ($s, $o, $e) = $node->psql($db, "BEGIN; $edit; SELECT crm.unmerge($last->[0], reject => false)", extra_params => [ '-v', 'VERBOSITY=verbose' ]);
				like($e, qr/55000.*activity contact_id \d+, id $id: $word/s, "seed $seed: an edit is named: $word");
				is($node->safe_psql($db, "BEGIN; $edit; SELECT what FROM crm.unmerge($last->[0], 'keep', false) WHERE relation = 'activity' AND what <> 'stays'; SELECT subject FROM crm.activity WHERE id = $id; ROLLBACK"),
					$word eq 'changed' ? "changed\nedited" : $word, "seed $seed: keep");
				same($node->safe_psql($db, "BEGIN; $edit; DO \$\$BEGIN PERFORM crm.unmerge($last->[0], 'restore', false); END\$\$; SELECT public.sums(); ROLLBACK"), $last->[1], "seed $seed: restore");
			}
		}
		same($node->safe_psql($db, 'SELECT public.sums()'), $merged, "seed $seed: and all that was rolled back");
	}

	# Undo all, in any order that is allowed.
	while (@standing)
	{
		my $i = int(rand(@standing));
		my ($s, $o, $e) = $node->psql($db, "SELECT what, relation, key, detail FROM crm.unmerge($standing[$i][0], reject => false) WHERE what <> 'stays'");
		if ($e =~ /cannot be undone before merge (\d+)/)
		{
			my $later = $1;
			ok((grep { $_->[0] == $later } @standing) && $later > $standing[$i][0], "seed $seed: merge $later first");
			($i) = grep { $standing[$_][0] == $later } 0 .. $#standing;
			($s, $o, $e) = $node->psql($db, "SELECT what, relation, key, detail FROM crm.unmerge($later, reject => false) WHERE what <> 'stays'");
			next if $e =~ /cannot be undone before merge/;
		}
		is("$s$o$e", '0', "seed $seed: undo of merge $standing[$i][0]") or last;
		splice @standing, $i, 1;
	}
	same($node->safe_psql($db, 'SELECT public.sums()'), $before, "seed $seed: after all undos everything is as it was, $merges merges");
	$node->safe_psql('postgres', "DROP DATABASE $db");
}
done_testing();
