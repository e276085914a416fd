# Jobs under the real pg_cron, with roles that are no superusers; workers that
# run side by side and die; a server that crashes in the middle of a job.
use strict;
use warnings FATAL => 'all';

use CrmTest;
use IPC::Run qw(start);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('jobs');
$node->init;
$node->append_conf('postgresql.conf', slurp_file($ENV{CRM_SETTINGS}));
$node->append_conf('postgresql.conf', "restart_after_crash = on\nsynchronous_commit = on\nmax_worker_processes = 20\n");

my $pg_cron = -e "@{[ `$ENV{PG_CONFIG} --sharedir` =~ s/\n//r ]}/extension/pg_cron.control";
$node->append_conf('postgresql.conf', <<'END') if $pg_cron;
shared_preload_libraries = 'pg_cron'
cron.database_name = 'shop'
cron.use_background_workers = on
END
$node->start;

# An ordinary role owns everything.
$node->safe_psql('postgres', 'CREATE ROLE crm_owner LOGIN');
$node->safe_psql('postgres', 'CREATE DATABASE shop OWNER crm_owner');
$node->safe_psql('postgres', 'CREATE DATABASE branch OWNER crm_owner');
my @owner = (extra_params => [ '-U', 'crm_owner' ]);
for my $database ('shop', 'branch')
{
	$node->safe_psql($database, 'CREATE EXTENSION crm; SELECT crm.install()', @owner);
	$node->safe_psql($database, "INSERT INTO crm.agent (id, name) SELECT i, 'Agent ' || i FROM generate_series(1, 3) i", @owner);
}

SKIP:
{
	skip 'pg_cron is not installed', 8 unless $pg_cron;
	like($node->safe_psql('shop', 'SELECT crm.schedule_jobs()', @owner), qr/superuser.*SHOW cron.database_name/, 'where pg_cron lives is not for everybody to know');
	$node->safe_psql('shop', 'CREATE EXTENSION pg_cron');
	like($node->safe_psql('shop', 'SELECT crm.schedule_jobs(), crm.unschedule_jobs()', @owner), qr/GRANT USAGE ON SCHEMA cron TO crm_owner;.*\|.*no entry/, 'the right that is missing');
	$node->safe_psql('shop', 'GRANT USAGE ON SCHEMA cron TO crm_owner');
	like($node->safe_psql('shop', 'SELECT crm.schedule_jobs()', @owner), qr/every minute as role crm_owner.*"crm:shop:tick"$/, 'scheduled');
	$node->safe_psql('shop', 'SELECT crm.schedule_jobs()', @owner);
	is($node->safe_psql('shop', 'SELECT jobname, username, database, schedule FROM cron.job'), 'crm:shop:tick|crm_owner|shop|* * * * *', 'one entry');
	$node->safe_psql('shop', "INSERT INTO crm.reminder (agent_id, note, remind_at) VALUES (1, 'from the scheduler', now())", @owner);

	# In the other database the function gives the SQL to run where pg_cron lives.
	my $sql = $node->safe_psql('branch', 'SELECT crm.schedule_jobs()');
	like($sql, qr/^SELECT cron\.schedule_in_database\('crm:branch:tick'.* in database shop,/, 'SQL for the other database');
	$node->safe_psql('shop', $sql);
	is($node->safe_psql('shop', q{SELECT database FROM cron.job WHERE jobname = 'crm:branch:tick'}), 'branch', 'which schedules it');
	$node->safe_psql('shop', $node->safe_psql('branch', 'SELECT crm.unschedule_jobs()'));
	is($node->safe_psql('shop', 'SELECT count(*) FROM cron.job'), '1', 'and removes it');
}

# Four workers at 20,000 reminders; one is terminated in its transaction.
$node->safe_psql('branch', q{
	INSERT INTO crm.reminder (agent_id, note, remind_at)
	SELECT 1 + i % 3, 'reminder ' || i, timestamptz '2026-01-01' + i * interval '1 second' FROM generate_series(1, 20000) i}, @owner);
my @workers;
for my $n (1 .. 4)
{
	my @commands = $n == 1
	  ? ('BEGIN', q{SELECT crm.fire_reminders('2026-02-01', 500)}, 'SELECT pg_sleep(60)')
	  : (q{SELECT crm.fire_reminders('2026-02-01', 500)}) x 20;
	my %worker = (out => '', err => '');
	my @command = ('psql', '-XAtq', '-d', $node->connstr('branch') . " user=crm_owner application_name=worker$n", map { ('-c', $_) } @commands);
	$worker{handle} = start(\@command, '>', \$worker{out}, '2>', \$worker{err});
	push @workers, \%worker;
}
$node->poll_query_until('branch', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'worker1' AND wait_event = 'PgSleep'});
$node->safe_psql('branch', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'worker1'});
$_->{handle}->finish for @workers;
my $sent = 0;
$sent += $_ for map { split /\n/, $_->{out} } @workers[ 1 .. 3 ];
$node->safe_psql('branch', q{SELECT crm.fire_reminders('2026-02-01', 20000)}, @owner) if $sent < 20000;
is($node->safe_psql('branch', q{
	SELECT count(*), count(DISTINCT title), (SELECT count(*) FROM crm.reminder WHERE fired_at IS NULL) FROM crm.notification}),
	'20000|20000|0', 'each reminder exactly once');
cmp_ok($sent, '>=', 19000, 'three workers did it side by side');

# NOTIFY tells each agent once a batch.
$node->safe_psql('branch', q{INSERT INTO crm.reminder (agent_id, note, remind_at) SELECT 2, 'n', '2026-01-01' FROM generate_series(1, 3)}, @owner);
like($node->safe_psql('branch', q{LISTEN crm; SELECT crm.fire_reminders('2026-02-01')}, @owner),
	qr/^3\nAsynchronous notification "crm" with payload "\{"event" : "notification", "agent_id" : 2, "count" : 3\}"/, 'NOTIFY crm');

# The clock moves on.
SKIP:
{
	skip 'pg_cron is not installed', 3 unless $pg_cron;
	ok($node->poll_query_until('shop', q{SELECT count(*) = 1 FROM crm.notification WHERE title = 'from the scheduler'}), 'pg_cron has fired the reminder');
	is($node->safe_psql('shop', q{SELECT DISTINCT role, status FROM crm.job_run WHERE job = 'reminders'}), 'crm_owner|ok', 'as the role that scheduled it');
	is($node->safe_psql('shop', 'SELECT crm.unschedule_jobs()', @owner), '1 entries removed from pg_cron', 'unscheduled');
}

# A crash in the middle of a job leaves nothing of it but the knowledge.
$node->safe_psql('branch', q{
	UPDATE crm.job SET enabled = false;
	CREATE TABLE trace (at timestamptz);
	CREATE FUNCTION crm.slow(as_of timestamptz) RETURNS void LANGUAGE sql AS $$
		INSERT INTO public.trace VALUES (as_of); SELECT pg_sleep(60) $$;
	GRANT ALL ON SCHEMA public TO crm_owner});
$node->safe_psql('branch', q{ALTER TABLE trace OWNER TO crm_owner; ALTER FUNCTION crm.slow(timestamptz) OWNER TO crm_owner});
$node->safe_psql('branch', q{SELECT crm.schedule_job('slow', 'slow', every => '1 day', as_of => '2026-01-01 00:00+00')}, @owner);
my ($out, $err) = ('', '');
my @tick = ('psql', '-XAtq', '-d', $node->connstr('branch') . ' user=crm_owner application_name=tick', '-c', q{CALL crm.run_due_jobs('2026-01-05')});
my $tick = start(\@tick, '>', \$out, '2>', \$err);
$node->poll_query_until('branch', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'tick' AND wait_event = 'PgSleep'});
kill 'KILL', $node->safe_psql('branch', q{SELECT pid FROM pg_stat_activity WHERE application_name = 'tick'});
eval { $tick->finish };
crm_server_is_back($node) or die 'the server did not start again';
is($node->safe_psql('branch', q{SELECT next_run_at = '2026-01-05 00:01', failures, last_result, (SELECT count(*) FROM trace),
	(SELECT count(*) FROM crm.job_run WHERE job = 'slow') FROM crm.job WHERE name = 'slow'}), 't|1|began and did not end|0|0', 'nothing remains of the run but that it failed');

# A job that runs into a statement_timeout fails, and the next call takes the others.
$node->safe_psql('branch', q{SELECT crm.schedule_job('quick', 'purge_job_runs', every => '1 day', as_of => '2026-01-01 00:00+00')}, @owner);
$node->safe_psql('branch', q{UPDATE crm.job SET next_run_at = '2026-01-04' WHERE name = 'slow'; UPDATE crm.job SET next_run_at = '2026-01-04 12:00' WHERE name = 'quick'});
$node->psql('branch', q{SET statement_timeout = '1s'; CALL crm.run_due_jobs('2026-01-05')}, @owner);
is($node->safe_psql('branch', q{SELECT status, error_code FROM crm.job_run WHERE job = 'slow'}), 'error|57014', 'the timeout is recorded');
$node->safe_psql('branch', q{CALL crm.run_due_jobs('2026-01-05')}, @owner);
is($node->safe_psql('branch', q{SELECT job, status FROM crm.job_run WHERE job IN ('slow', 'quick') ORDER BY id DESC LIMIT 1}), 'quick|ok', 'the other job runs');

$node->safe_psql('branch', q{CREATE OR REPLACE FUNCTION crm.slow(as_of timestamptz) RETURNS void LANGUAGE sql AS $$ INSERT INTO public.trace VALUES (as_of) $$}, @owner);
$node->safe_psql('branch', q{CALL crm.run_due_jobs('2026-01-05 01:00')}, @owner);
is($node->safe_psql('branch', q{SELECT status, failures, (SELECT count(*) FROM trace) FROM crm.job_run r JOIN crm.job j ON j.name = r.job WHERE job = 'slow' ORDER BY id DESC LIMIT 1}), 'ok|0|1', 'a later tick runs it');

$node->stop;
done_testing();
