# Orders of a shop with their lines: what cannot be taken is told, what came
# back is taken from what was bought, twice is once.  Then the orders of a real
# shop, against plain SQL.  R-051, R-156, R-184
use strict;
use warnings FATAL => 'all';

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('order_import');
my $db = 'postgres';
$node->safe_psql($db, 'CREATE EXTENSION crm; SELECT crm.install()');
sub sql { return $node->safe_psql($db, "SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; $_[0]"); }

# By hand.
sql(<<'SQL');
CREATE TABLE staging ("Number" text, client text, "Date" text, sku text, name text, qty text, price text, cost text, currency text);
INSERT INTO staging VALUES
    ('1', 'c1', '2026-01-05 10:30', 'A', 'Apple', '5', '1.005', '0.5', NULL), ('1', 'c1', '2026-01-05 10:30', 'B', NULL, '2', '3', NULL, 'usd'), ('1', 'c2', '01/06/2026', 'A', 'Apple', '1', '2', NULL, NULL),
    ('2', 'c1', '2026-01-07T23:59:59', 'A', 'Green apple', '4', '2', NULL, NULL), ('3', 'c1', '2026-01-08', 'A', 'Apple', '10', '0', NULL, 'EUR'),
    ('C1', 'c1', '2026-01-09', 'A', NULL, '-6', '1', NULL, NULL), ('C2', 'c1', '2026-01-09', 'B', NULL, '-5', '1', NULL, NULL), ('C3', 'c2', '2026-01-01', 'A', NULL, '-1', '1', NULL, NULL),
    (NULL, 'c1', '2026-01-05', 'A', NULL, '1', '1', NULL, NULL), ('4', NULL, '2026-01-05', 'A', NULL, '1', '1', NULL, NULL), ('5', 'c1', '2026-13-05', 'A', NULL, '1', '1', NULL, NULL),
    ('6', 'c1', '2026-01-05', NULL, NULL, '1', '1', NULL, NULL), ('7', 'c1', '2026-01-05', 'A', NULL, 'many', '1', NULL, NULL), ('8', 'c1', '2026-01-05', 'A', NULL, '0', '1', NULL, NULL),
    ('9', 'c1', '2026-01-05', 'A', NULL, '1', '-1', NULL, NULL), ('10', 'c1', '2026-01-05', 'A', NULL, '1', '1', 'x', NULL), ('11', 'c1', '2026-01-05', 'A', NULL, '1', '1', NULL, 'XXQ'),
    ('2', 'c1', '2026-01-07', 'B', NULL, '1', '1', NULL, 'EUR'), ('12', 'c1', '2026-01-05 25:00', 'A', NULL, '1', '1', NULL, NULL);
SQL
my $import = q{SELECT * FROM crm.import_orders('staging', 'shop', currency => 'USD', columns => '{"description": "name"}')};
is(sql($import), '19|4|5|3|2|2|0|13', 'read, orders, lines, returns, products, contacts, there already, rejected');
is(sql(q{SELECT r.external_id, o.number, o.ordered_at, o.amount, o.currency FROM crm.sales_order o JOIN crm.external_ref r USING (contact_id) ORDER BY o.id}),
	"c1|1|2026-01-05 10:30:00+00|0.00|USD\nc2|1|2026-01-06 00:00:00+00|2.00|USD\nc1|2|2026-01-07 23:59:59+00|6.00|USD\nc1|3|2026-01-08 00:00:00+00|0.00|EUR", 'orders, less what came back');
is(sql(q{SELECT o.number, l.line_number, l.description, l.quantity, l.returned_quantity, l.amount, l.margin FROM crm.order_line l JOIN crm.sales_order o ON o.id = l.order_id ORDER BY o.id, 2}),
	"1|1|Apple|5|5|0.00|0.00\n1|2||2|2|0.00|\n1|1|Apple|1|0|2.00|\n2|1|Green apple|4|1|6.00|\n3|1|Apple|10|0|0.00|", 'lines');
is(sql(q{SELECT external_id, quantity, returned_at::date FROM crm.order_return ORDER BY id}), "C1|5|2026-01-09\nC1|1|2026-01-09\nC2|2|2026-01-09", 'returns, the oldest purchase first')
	or diag sql('TABLE crm.order_return');
is(sql(q{SELECT string_agg(DISTINCT code, ' ' ORDER BY code) FROM crm.order_import_reject}),
	'ORDER_COST_INVALID ORDER_CURRENCY_MIXED ORDER_CURRENCY_UNKNOWN ORDER_CUSTOMER_MISSING ORDER_DATE_INVALID ORDER_NUMBER_MISSING ORDER_PRICE_INVALID ORDER_QUANTITY_INVALID ORDER_RETURN_EXCESS ORDER_RETURN_UNKNOWN ORDER_SKU_MISSING', 'in words to group by');
is(sql(q{SELECT number, field, reason FROM crm.order_import_reject ORDER BY id}), <<'END' =~ s/\n\z//r, 'what could not be taken');
C2|quantity|5 came back, 2 of them bought before
C3|quantity|1 came back, 0 of them bought before
|number|has no number
4|customer|has no customer
5|ordered_at|"2026-13-05" is not a date in the order mdy
6|sku|has no article number
7|quantity|"many" is not a quantity
8|quantity|"0" is not a quantity
9|price|"-1" is not a price
10|cost|"x" is not a cost
11|currency|there is no currency "XXQ"
2|currency|the order has lines in USD
12|ordered_at|"2026-01-05 25:00" is not a date in the order mdy
END
is(sql($import), '19|0|0|0|0|0|5|13', 'again: nothing new, and the same is told');
is(sql(q{SELECT sum(returned_quantity), (SELECT count(*) FROM crm.sales_order), crm.rebuild_contact_metric() FROM crm.order_line}), '8|4|0', 'and nothing changed');
sql(q{INSERT INTO staging VALUES ('20', 'c1', '2026-02-01', 'A', NULL, '1', '4', NULL, NULL)});
is(sql($import), '20|1|1|0|0|0|5|13', 'a newer file: what is new');
is(sql(q{SELECT * FROM crm.import_orders('staging', 'second shop', currency => 'USD', columns => '{"description": "name"}')}) =~ s/\|.*//r
	  . sql(q{SELECT '|' || count(*) || '|' || count(DISTINCT contact_id) FROM crm.sales_order WHERE number = '1'}), '20|4|4', 'the same numbers of another shop are other orders of other persons');
for my $case (
	[ q{columns => '{"colour": "x"}'}, '22023' ], [ q{columns => '{"number": "nothing"}'}, '42703' ], [ q{date_order => 'xyz'}, '22023' ], [ q{status => 'lost'}, '23514' ])
{
	my ($ret, $out, $err) = $node->psql($db, "\\set VERBOSITY sqlstate\nSELECT * FROM crm.import_orders('staging', 'third', $case->[0])");
	like($err, qr/\b$case->[1]\b/, "$case->[0]: $case->[1]");
}
# What came back was bought before: what was bought before the file begins, or
# later, takes nothing of what was bought in between.
sql(q{CREATE TABLE earlier (LIKE staging);
	INSERT INTO earlier ("Number", client, "Date", sku, qty, price) VALUES
	('E0', 'e', '2026-01-01', 'A', '-3', '1'), ('1', 'e', '2026-01-02', 'A', '2', '1'), ('E1', 'e', '2026-01-03', 'A', '-1', '1'), ('E2', 'e', '2026-01-04', 'A', '-5', '1'), ('2', 'e', '2026-01-05', 'A', '4', '1'),
	('E3', 'e', '2026-01-06', 'A', '-1', '1'), ('E3', 'e', '2026-01-06', 'A', '-1', '1'), ('E3', 'e', '2026-01-06', 'B', '-1', '1'), ('3', 'e', '2026-01-07', 'A', '9', '1'), ('4', 'e', '2026-01-07', 'B', '9', '1')});
my $earlier = q{SELECT orders, returns, rejected FROM crm.import_orders('earlier', 'e', currency => 'USD')};
is(sql($earlier), '4|3|3', 'returns of what was bought before the file begins');
is(sql(q{SELECT r.external_id, o.number, r.quantity FROM crm.order_return r JOIN crm.sales_order o ON o.id = r.order_id WHERE r.external_system = 'e' ORDER BY r.id}), "E1|1|1\nE2|1|1\nE3|2|2", 'each of the purchases before it');
my $short = q{SELECT number, reason FROM crm.order_import_reject WHERE system = 'e' ORDER BY id};
my $told = "E0|3 came back, 0 of them bought before\nE2|5 came back, 1 of them bought before\nE3|1 came back, 0 of them bought before";
is(sql($short), $told, 'what is without a purchase is told');
is(sql($earlier), '0|0|3', 'again: nothing new');
is(sql($short), $told, 'and the same is told');
# A removed return takes itself back.
sql(q{DELETE FROM crm.order_return WHERE external_id = 'C1' AND external_system = 'shop'; UPDATE crm.order_return SET quantity = 1 WHERE external_id = 'C2' AND external_system = 'shop'});
is(sql(q{SELECT o.number, o.amount FROM crm.sales_order o JOIN crm.external_ref r USING (contact_id) WHERE r.external_id = 'c1' AND r.system = 'shop' ORDER BY o.id LIMIT 2}),
	"1|8.03\n2|8.00", 'a return that is changed or removed');

# Who they are: by the first that is said, of persons that are made alone; what
# cannot be read keeps no order from being taken.
sql(q{CREATE TABLE named (number text, customer text, ordered_at text, sku text, quantity text, price text, customer_name text, "Email" text, phone text, "Country" text, city text);
	INSERT INTO named VALUES
	('1', 'n1', '2026-01-01', 'A', '1', '5', NULL, 'Anna@Example.com', NULL, 'United Kingdom', 'Leeds'), ('1', 'n1', '2026-01-01', 'B', '1', '5', 'Dr. Anna Smith', 'later@example.com', '020 7946 0018', 'France', NULL),
	('2', 'n2', '2026-01-01', 'A', '1', '5', NULL, 'nobody', '12', 'Atlantis', NULL), ('3', 'n3', '2026-01-01', 'A', '1', '5', NULL, NULL, NULL, NULL, NULL), (NULL, 'n4', '2026-01-01', 'A', '1', '5', 'Nobody', NULL, NULL, NULL, NULL)});
my $named = q{SELECT orders, contacts, rejected FROM crm.import_orders('named', 'named', currency => 'USD')};
is(sql($named), '3|3|1', 'customers with more than a number');
my $who = q{SELECT r.external_id, c.title, c.given_name, c.family_name, c.country, c.city, (SELECT string_agg(p.kind || ' ' || p.raw, ', ' ORDER BY p.kind) FROM crm.contact_point p WHERE p.contact_id = c.id)
	FROM crm.contact c JOIN crm.external_ref r ON r.contact_id = c.id WHERE r.system = 'named' ORDER BY 1};
my $are = "n1|Dr.|Anna|Smith|GB|Leeds|email Anna\@Example.com, phone 020 7946 0018\nn2||||||\nn3||||||";
is(sql($who), $are, 'name, addresses, country and city');
is(sql(q{SELECT count(*) FROM crm.contact_key k JOIN crm.external_ref r USING (contact_id) WHERE r.system = 'named' AND k.kind IN ('email', 'phone') AND k.key IN ('anna@example.com', '+442079460018')}), '2', 'by which they are found');
my $odd = q{SELECT number, field, code FROM crm.order_import_reject WHERE system = 'named' ORDER BY id};
my $oddities = "|number|ORDER_NUMBER_MISSING\n2|country|COUNTRY_UNKNOWN\n2|email|EMAIL_NO_AT\n2|phone|PHONE_NO_REGION";
is(sql($odd), $oddities, 'what could not be read is told');
sql(q{UPDATE named SET customer_name = 'Somebody else', city = 'York'});
is(sql($named), '0|0|1', 'again: nothing new');
is(sql($who), $are, 'who is there stays so');
is(sql($odd), $oddities, 'the same is told');
# Without a rate.
my (undef, undef, $notice) = $node->psql($db, q{CREATE TABLE abroad AS SELECT * FROM named LIMIT 1; SELECT crm.import_orders('abroad', 'abroad', currency => 'GBP')});
like($notice, qr/NOTICE:  1 orders in GBP have no exchange rate.*HINT:  .*UPDATE crm\.base_currency SET code = 'GBP'/s, 'orders without a rate are told');
(undef, undef, $notice) = $node->psql($db, q{SELECT crm.import_orders('named', 'named', currency => 'USD')});
is($notice, '', 'and only these');

SKIP:
{
	my $file = ($ENV{CRM_DATA} // '') . '/online_retail/online_retail.csv.gz';
	skip 'CRM_DATA does not name a folder with online_retail', 10 unless -r $file;
	# The orders of every tenth customer, and of nobody.
	$node->safe_psql('postgres', 'CREATE DATABASE retail');
	$db = 'retail';
	sql(qq{CREATE EXTENSION crm; SELECT crm.install();
		CREATE TABLE whole ("InvoiceNo" text, "StockCode" text, "Description" text, "Quantity" text, "InvoiceDate" text, "UnitPrice" text, "CustomerID" text, "Country" text);
		COPY whole FROM PROGRAM 'zcat $file' (FORMAT csv, HEADER);
		CREATE TABLE retail AS SELECT * FROM whole WHERE "CustomerID" LIKE '%7' OR "CustomerID" IS NULL AND "InvoiceNo" LIKE '%7';
		CREATE VIEW line AS SELECT "InvoiceNo" AS number, "StockCode" AS sku, "Quantity"::numeric AS quantity, "InvoiceDate"::timestamp AS at, "UnitPrice"::numeric AS price, "CustomerID" AS customer FROM retail});
	my ($read, $orders, $lines, $returns, $products, $contacts, $there, $rejected) = split /\|/, sql(q{SELECT * FROM crm.import_orders('retail', 'shop', currency => 'GBP')});
	is("$read|$orders|$lines|$contacts", sql(q{SELECT (SELECT count(*) FROM line), count(DISTINCT number) FILTER (WHERE quantity > 0), count(*) FILTER (WHERE quantity > 0), count(DISTINCT customer) FROM line WHERE customer IS NOT NULL}), "a real shop: $read rows");
	is(sql(q{SELECT count(*) FROM crm.order_import_reject WHERE field = 'customer'}), sql('SELECT count(*) FROM line WHERE customer IS NULL'), 'nobody\'s are told');
	is(sql(q{SELECT sum(quantity * unit_price), count(DISTINCT product_id) FROM crm.order_line}), sql('SELECT sum(quantity * price), count(DISTINCT sku) FROM line WHERE quantity > 0 AND customer IS NOT NULL'), 'what was sold');
	is(sql(q{SELECT count(*) FROM crm.sales_order o WHERE o.amount IS DISTINCT FROM (SELECT sum(l.amount) FROM crm.order_line l WHERE l.contact_id = o.contact_id AND l.order_id = o.id)}), '0', 'every order is the sum of its lines');
	# What came back: never more than was bought before, and what is missing is told.
	is(sql(q{SELECT count(*) FROM crm.order_line l JOIN (SELECT contact_id, order_id, line_number, sum(quantity) AS n FROM crm.order_return GROUP BY 1, 2, 3) r USING (contact_id, order_id, line_number) WHERE l.returned_quantity <> r.n})
		  . sql(q{SELECT '|' || count(*) FROM crm.order_return r JOIN crm.sales_order o ON o.id = r.order_id WHERE o.ordered_at > r.returned_at}), '0|0', 'returns are in the lines, after the purchase');
	is(sql(q{SELECT (SELECT sum(quantity) FROM crm.order_return) + (SELECT sum(split_part(reason, ' ', 1)::numeric - regexp_replace(reason, '.*, (\d+) of.*', '\1')::numeric) FROM crm.order_import_reject WHERE field = 'quantity')}),
		sql('SELECT -sum(quantity) FROM line WHERE quantity < 0 AND customer IS NOT NULL'), 'each unit that came back is in a return or told');
	# Said again one by one: of each person and product the credits in the order of time, each as far as was bought by then.
	is(sql(q{WITH RECURSIVE credit AS (
			SELECT customer, sku, at, -sum(quantity) AS q, row_number() OVER (PARTITION BY customer, sku ORDER BY at, number) AS n FROM line WHERE quantity < 0 AND customer IS NOT NULL GROUP BY customer, sku, at, number
		), sold AS (SELECT customer, sku, number, min(at) OVER (PARTITION BY customer, number) AS at, quantity FROM line WHERE quantity > 0 AND customer IS NOT NULL
		), capped AS (
			SELECT c.*, (SELECT coalesce(sum(s.quantity), 0) FROM sold s WHERE s.customer = c.customer AND s.sku = c.sku AND s.at <= c.at) AS bought FROM credit c
		), taken AS (
			SELECT customer, sku, n, least(q, bought) AS taken FROM capped WHERE n = 1
			UNION ALL SELECT c.customer, c.sku, c.n, least(t.taken + c.q, c.bought) FROM taken t JOIN capped c ON c.customer = t.customer AND c.sku = t.sku AND c.n = t.n + 1)
		SELECT sum(t) FROM (SELECT max(taken) AS t FROM taken GROUP BY customer, sku) x}), sql('SELECT sum(quantity) FROM crm.order_return'), 'as much as one by one');
	is(sql(q{SELECT count(*) FILTER (WHERE c.country IS NULL) FROM crm.contact c JOIN crm.external_ref r ON r.contact_id = c.id}), sql(q{SELECT count(DISTINCT "CustomerID") FROM retail WHERE "Country" IN ('Unspecified', 'Channel Islands', 'European Community')
		AND "CustomerID" NOT IN (SELECT "CustomerID" FROM retail WHERE "CustomerID" IS NOT NULL AND "Country" NOT IN ('Unspecified', 'Channel Islands', 'European Community'))}), 'countries');
	is(sql(q{SELECT crm.rebuild_contact_metric()}), '0', 'metrics are right');
	is(sql(q{SELECT orders, lines, returns, products, contacts FROM crm.import_orders('retail', 'shop', currency => 'GBP')}), '0|0|0|0|0', 'again: nothing new');
}
done_testing();
