# Phone numbers against the installed libphonenumber: the committed table is that
# of the library's metadata, and some 400 000 generated numbers and 45 000 junk
# texts are read alike.  R-017
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;

my $tree = $ENV{CRM_TREE};
my $source = "$tree/src/type/generate";

# The harness installs the library where there are Debian packages.
if (!-e '/usr/include/phonenumbers/phonenumberutil.h' && system('command -v apt-get >/dev/null') != 0)
{
	plan skip_all => 'libphonenumber is not installed, and there is no apt-get to install it';
}

my $work = PostgreSQL::Test::Utils::tempdir();

sub run
{
	my ($what, $command) = @_;
	my $output = qx{exec 2>&1; cd '$tree' && $command};
	is($?, 0, $what) or BAIL_OUT("$what failed:\n$output");
	return $output;
}

# ---- the table
chomp(my $version = qx{dpkg-query -W -f '\${Version}' libphonenumber-dev 2>/dev/null});
$version =~ s/^\d+://;
$version =~ s/[+-].*//;
my $committed = slurp_file("$tree/src/type/phone_table.inc");
my ($ours) = $committed =~ /define PHONE_METADATA_VERSION "(.*)"/;
my ($print) = $committed =~ /define PHONE_METADATA_FINGERPRINT (\w+)/;

run('the generator builds', "'$source/build' '$source/phone_table.cc' '$work/phone_table'");
mkdir "$work/type";
run('the generator understands the installed metadata',
	"'$work/phone_table' '" . ($version || 'unknown') . "' >'$work/type/phone_table.inc' 2>'$work/log'");
my $fresh = slurp_file("$work/type/phone_table.inc");
my ($installed_print) = $fresh =~ /define PHONE_METADATA_FINGERPRINT (\w+)/;
if ($installed_print eq $print)
{
	$fresh =~ s/libphonenumber \Q$version\E/libphonenumber $ours/;
	$fresh =~ s/"\Q$version\E"/"$ours"/;
	ok($fresh eq $committed, 'the committed table is the one that the generator makes');
}
else
{
	# Other plans than ours: what is compared below is the code, with a table of
	# the library's own plans.  make update-phone-metadata brings the table up.
	diag("the table is of libphonenumber $ours, $version is installed: comparing with a table made from that");
	isnt($version, $ours, 'other metadata has another version');
}

# ---- the code, linked with the table of the installed plans
my @cores = map { "$tree/src/type/$_.c" } qw(phone_key phone_plan phone_scan phone_parse phone_format check);
my @objects;
for my $core (@cores)
{
	(my $object = $core) =~ s{.*/(.*)\.c$}{$work/$1.o};
	push @objects, $object;
	system("gcc -std=gnu11 -O2 -I'$work' -I'$tree/src' -c -o '$object' '$core'") == 0
	  or BAIL_OUT("$core does not compile");
}
run('the comparison builds',
	"'$source/build' '$source/phone_oracle.cc' '$work/oracle' -I'$tree/src' @objects -lphonenumber -lprotobuf");
my $output = qx{'$work/oracle' 20221124 400000 45000};
is($?, 0, 'nothing differs but what is documented') or diag($output);

my %count = map { /^(.*)\t(\d+)$/ ? ($1 => $2) : () } split /\n/, $output;
note($output);
cmp_ok($count{'numbers, texts'}, '>=', 400_000, 'generated numbers');
cmp_ok($count{'numbers, same and valid'}, '>', 0.7 * $count{'numbers, texts'}, 'most are valid and read alike');
cmp_ok($count{'numbers, canonical digits kept'}, '<', 0.001 * $count{'numbers, texts'}, 'canonical digits rarely differ');
cmp_ok($count{'numbers, refused: guess: prefix set apart'} // 0, '<', 0.0005 * $count{'numbers, texts'}, 'a prefix set apart is rare');
cmp_ok($count{'junk, texts'}, '>=', 45_000, 'junk texts');
cmp_ok($count{'junk, same'}, '>', 0.1 * $count{'junk, texts'}, 'junk that is still read');
cmp_ok($count{'junk, both refuse'}, '>', 0.1 * $count{'junk, texts'}, 'junk that is refused');

done_testing();
