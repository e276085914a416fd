# After pg_upgrade duplicates are found, triggers at the door work, and merges of
# before can be undone.  From the version of CRM_OLD_BINDIR, where the extension
# must be installed, if it is set; else from the same version.  R-231
use strict;
use warnings FATAL => 'all';

use Cwd qw(getcwd);
use File::Spec::Functions qw(rel2abs);
use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

chomp(my $bindir = `$ENV{PG_CONFIG} --bindir`);
plan skip_all => "there is no pg_upgrade in $bindir" if !-x "$bindir/pg_upgrade";
my $old_bindir = $ENV{CRM_OLD_BINDIR} // $bindir;

my %nodes;
for my $name (qw(old new))
{
	my $node = PostgreSQL::Test::Cluster->new("upgrade_$name", $name eq 'old' && $ENV{CRM_OLD_BINDIR} ? (install_path => "$old_bindir/..") : ());
	# pg_upgrade wants both clusters alike in checksums and locale.
	$node->init(extra => [ '--encoding=UTF8', '--locale=C.UTF-8', '--username=' . (getpwuid($<))[0] ]);
	$node->append_conf('postgresql.conf', slurp_file($ENV{CRM_SETTINGS}));
	$nodes{$name} = $node;
}
my ($old, $new) = @nodes{qw(old new)};
$old->start;
$old->safe_psql('postgres', 'CREATE ROLE keeper; CREATE DATABASE kept OWNER keeper');
$old->safe_psql('kept', 'GRANT CREATE ON SCHEMA public TO keeper; SET ROLE keeper; CREATE EXTENSION crm; SELECT crm.install()');
crm_sample_data($old, 'kept', 'keeper');
crm_door_data($old, 'kept', 'keeper');
my $merged = "SELECT sum(hashtext((to_jsonb(c) - 'updated_at')::text)) FROM crm.contact c UNION ALL SELECT sum(hashtext(p::text)) FROM crm.contact_point p";
my $before = $old->safe_psql('kept', $merged);
my $merge = $old->safe_psql('kept', "SET ROLE keeper; SELECT crm.merge_contacts(1, '{2,3}')");
# Left in the queue, with a number of a transaction of the old server.
$old->safe_psql('kept', 'SET ROLE keeper; UPDATE guest SET email = NULL WHERE number = 1000');
my $state = crm_state($old, 'kept');
$old->stop;

my @upgrade = ('pg_upgrade', '--no-sync', '-d', rel2abs($old->data_dir), '-D', rel2abs($new->data_dir), '-b', $old_bindir, '-B', $bindir,
	'-s', $new->host, '-p', $old->port, '-P', $new->port);
# It writes a script to where it runs.
my $here = getcwd();
chdir PostgreSQL::Test::Utils::tempdir();
command_ok([ @upgrade, '--check' ], 'pg_upgrade --check');
command_ok(\@upgrade, 'pg_upgrade');
chdir $here;
$new->start;

crm_same(crm_state($new, 'kept'), $state, 'nothing is lost');
is($new->safe_psql('kept', "SET ROLE keeper; SELECT string_agg(item || ' ' || detail, ', ') FROM crm.status() WHERE state IN ('error', 'warning')"), '', 'status is clean');
like($new->safe_psql('kept', 'SET ROLE keeper; SELECT crm.install()'), qr/is complete/, 'nothing to repair');
is($new->safe_psql('kept', "SET ROLE keeper; SELECT records FROM crm.dedup_tick('guest')"), '1', 'what waited is swept');
is($new->safe_psql('kept', "SET ROLE keeper; SELECT * FROM crm.unmerge($merge)"), '', 'a merge of before is undone');
is($new->safe_psql('kept', $merged), $before, 'and everything is as it was');
crm_door_works($new, 'kept', 10000, 'after pg_upgrade', 'keeper');
is($new->safe_psql('kept', "SET ROLE keeper; SELECT records > 1500 AND withdrawn >= 0 FROM crm.dedupe('guest')"), 't', 'and a run');
$new->stop;
done_testing();
