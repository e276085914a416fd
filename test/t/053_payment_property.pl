# Messages of a payment system in every order, repeated, in one statement or
# many, before the payment is known and after: the payment ends the same.
# R-219
use strict;
use warnings FATAL => 'all';

use CrmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('payment', "fsync = off\n");
my @seeds = split ' ', $ENV{CRM_SEEDS} // '1 2 3 4 5 6';
$node->safe_psql('postgres', q{CREATE EXTENSION crm; SELECT crm.install(); SELECT crm.create_contact('{"name": "Anna Orlova"}')});

for my $seed (@seeds)
{
	srand($seed);
	# A story of up to six messages; some of one moment, some without time.
	my @statuses = qw(pending authorized paid failed cancelled partially_refunded refunded);
	my @messages = map {
		my $status = $statuses[ rand @statuses ];
		{ status => $status, at => rand() < 0.15 ? 'NULL' : "'2026-01-0" . (1 + int rand 4) . " 00:00+00'", sequence => int(rand 2), id => "e$_",
		  refunded => $status eq 'partially_refunded' ? 1 + int rand 12 : 'NULL' }
	} 1 .. 2 + int rand 5;
	# Said again in other words: the greatest by time, sequence, place of the status, number.
	my %place = map { $statuses[$_] => $_ } 0 .. $#statuses;
	@place{qw(failed cancelled paid)} = (2, 3, 4);
	my ($latest) = sort { ($b->{at} eq 'NULL' ? '' : $b->{at}) cmp ($a->{at} eq 'NULL' ? '' : $a->{at}) || $b->{sequence} <=> $a->{sequence}
		  || $place{ $b->{status} } <=> $place{ $a->{status} } || $b->{id} cmp $a->{id} } @messages;
	my ($paid_at) = sort grep { $_ ne 'NULL' } map { $_->{at} } grep { $_->{status} =~ /paid|refunded/ } @messages;
	my $status = $latest->{status};
	$status = 'refunded' if $status eq 'partially_refunded' && $latest->{refunded} >= 10;
	my $wanted = join '|', $status, $status eq 'refunded' ? 10 : $status eq 'partially_refunded' ? $latest->{refunded} : 0;

	my @script = ("SET timezone = 'UTC'");
	my $runs = 60;
	for my $run (1 .. $runs)
	{
		my @order = sort { $a->[0] <=> $b->[0] } map { [ rand, $_ ] } @messages, grep { rand() < 0.3 } @messages;
		my $known = int rand(@order + 1);
		my $payment = "INSERT INTO crm.payment (contact_id, amount, currency, provider, provider_payment_id) VALUES (1, 10, 'USD', 'p$seed', 'x$run')";
		my $value = sub { my ($m) = @_; "'p$seed', 'x$run', '$m->{status}', $m->{at}, '$m->{id}:$run', NULL, $m->{sequence}, $m->{refunded}" };
		if (rand() < 0.3)
		{	# all in one statement
			my %seen;
			my $all = 'INSERT INTO crm.payment_event (provider, provider_payment_id, status, event_at, event_id, payload, sequence, refunded_amount) VALUES '
			  . join(', ', map { '(' . $value->($_->[1]) . ')' } grep { !$seen{ $_->[1]{id} }++ } @order);
			push @script, $known ? ($payment, $all) : ($all, $payment);
			next;
		}
		for my $n (0 .. @order)
		{
			push @script, $payment if $n == $known;
			push @script, 'DO $$ BEGIN PERFORM crm.record_payment_status(' . $value->($order[$n][1]) . '); END $$' if $n < @order;
		}
	}
	$node->safe_psql('postgres', join(";\n", @script));
	is($node->safe_psql('postgres', qq{SET timezone = 'UTC'; SELECT status, refunded_amount, count(*) FROM crm.payment WHERE provider = 'p$seed' GROUP BY 1, 2}),
		"$wanted|$runs", "seed $seed: " . join(' ', map { "$_->{status}" } @messages) . " is $wanted");
	is($node->safe_psql('postgres', qq{SELECT count(*) FROM crm.payment WHERE provider = 'p$seed' AND paid_at IS DISTINCT FROM $paid_at}), '0', "seed $seed: paid at $paid_at") if $paid_at && !grep { $_->{at} eq 'NULL' } @messages;
	is($node->safe_psql('postgres', qq{SELECT count(*) FROM crm.payment_event WHERE provider = 'p$seed'}), $runs * @messages, "seed $seed: each message once");
}
done_testing();
