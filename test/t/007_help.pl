# `make help` says what there is to make, and all of it exists.
use strict;
use warnings FATAL => 'all';

use Test::More;

my $tree = $ENV{CRM_TREE};
my $help = `make --no-print-directory -s -C '$tree' help 2>&1`;
is($?, 0, 'make help');
my @targets = $help =~ /^.*?\bmake (\w[\w-]*)/mg;
cmp_ok(@targets, '>=', 5, 'lists targets: ' . join(', ', @targets));
for my $target (@targets)
{
	ok($target =~ /^(help|install|dist)$/ || -x "$tree/test/tool/$target", "make $target is there");
}
unlike($help, qr/^#|PEOPLE/m, 'and nothing of the rules');
done_testing();
