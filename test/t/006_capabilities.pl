# Every capability of doc/capabilities.md names a test that exists and carries
# its number, and functions and views that exist.
use strict;
use warnings FATAL => 'all';

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('capabilities');
$node->safe_psql('postgres', 'CREATE EXTENSION crm; SELECT crm.install()');
my %known = map { $_ => 1 } split /\n/, $node->safe_psql('postgres', <<'SQL');
SELECT proname FROM pg_proc WHERE pronamespace = 'crm'::regnamespace
UNION SELECT relname FROM pg_class WHERE relnamespace = 'crm'::regnamespace
UNION SELECT opcname FROM pg_opclass WHERE opcnamespace = 'crm'::regnamespace
UNION SELECT typname FROM pg_type WHERE typnamespace = 'crm'::regnamespace
SQL

my $rows = 0;
for my $line (split /\n/, slurp_file("$ENV{CRM_TREE}/doc/capabilities.md"))
{
	next unless $line =~ /^\| (R-\d{3}) \| (.*) \| (.*) \| `([^`]+)` \|$/;
	my ($number, $by, $test) = ($1, $3, $4);
	$rows++;
	my $text = -e "$ENV{CRM_TREE}/$test" ? slurp_file("$ENV{CRM_TREE}/$test") : '';
	ok($text =~ /\b$number\b/, "$number is in $test");
	for my $name ($by =~ /crm\.(\w+)/g)
	{
		ok($known{$name}, "$number: crm.$name exists") unless $name =~ /^(check_|v_)$/;
	}
}
cmp_ok($rows, '>', 30, 'capabilities');
done_testing();
