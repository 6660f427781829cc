# perl: regular expressions, hashes, closures, sorting, pack, sprintf, modules, fork and pipes.
# test: timeout=60
perl -e '
use strict; use warnings; use List::Util qw(sum max first shuffle reduce); use POSIX qw(floor fmod strftime); use Data::Dumper; use Digest::MD5 qw(md5_hex); use MIME::Base64; use Time::HiRes qw(time sleep); use Storable qw(dclone); use Math::BigInt; use Encode;
my %h; $h{$_ % 17} += $_ for 1 .. 5000; print join(",", map { "$_=$h{$_}" } sort { $a <=> $b } keys %h), "\n";
my $t = join " ", map { sprintf "k%03d=%s", $_, "x" x ($_ % 5) } 1 .. 200; my $n = () = $t =~ /k(\d+)=x{3}\b/g; print "$n\n";
(my $u = $t) =~ s/(\d)(\d)/$2$1/g; print md5_hex($u), "\n"; print join("|", split /[=\s]+/, substr($t, 0, 40)), "\n";
my @s = sort { $a->[1] <=> $b->[1] or $b->[0] cmp $a->[0] } map { [$_, length $_] } qw(pear fig apple kiwi banana date); print join(" ", map { $_->[0] } @s), "\n";
my $c = do { my $i = 10; sub { return $i++ * shift } }; print $c->(2), " ", $c->(3), "\n";
print unpack("H*", pack("NvA5q>d", 1, 2, "hey", -3, 1.5)), " ", join(",", unpack("w*", pack("w*", 300, 70000))), "\n";
printf "%.10g %e %x %o %b %s %5.2f|%-5s|%05d\n", 1/3, 12345.678, 255, 8, 10, 1e21, 3.14159, "ab", 42;
print sum(1..100), " ", max(3, 9, 2), " ", first { $_ > 5 } (1..10); print " ", reduce { $a * $b } 1..10; print "\n";
print Math::BigInt->new(2)->bpow(200), " ", Math::BigInt->new(100)->bfac->length, "\n"; print strftime("%F %T", gmtime(86400 * 365)), " ", floor(-2.5), " ", fmod(7.5, 2), "\n";
my $d = dclone({ a => [1, { b => 2 }], c => "x" }); $Data::Dumper::Sortkeys = 1; $Data::Dumper::Indent = 0; print Dumper($d), "\n"; print encode_base64("hello world");
my $pid = open(my $fh, "-|") // die; if (!$pid) { print "from child\n"; exit 3 } print while <$fh>; close $fh; print "status ", $? >> 8, "\n";
local $SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 1; select undef, undef, undef, 5; }; print $@; local $SIG{USR1} = sub { print "usr1\n" }; kill USR1 => $$; sleep 0.01;
eval { die { code => 42 } }; print "died $@->{code}\n"; print `echo backtick`; system("exit 5"); print $? >> 8, "\n"; my $str = "\x{263a}abc"; print length($str), " ", length(encode("UTF-8", $str)), "\n";
my @m = ([1,2],[3,4]); my @p = map { my $r = $_; [map { my $k = $_; $r->[0]*$m[0][$k] + $r->[1]*$m[1][$k] } 0,1] } @m; print join(";", map { "@$_" } @p), "\n"; print "ok\n" if "aaa" =~ /^(a)\1+$/ and "foobar" =~ /foo(?=bar)/ and "2024-01-02" =~ /(?<y>\d+)-(?<m>\d+)/ and $+{m} eq "01";
my ($x, $s) = (1, 0); for (1 .. 200000) { $x = ($x * 16807) % 2147483647; $s ^= $x } print "$s\n"; print sprintf("%.12f", atan2(1, 1) * 4), " ", sqrt(2), " ", 10 ** 15, " ", int(7.99), " ", 7 % -3, " ", 2 ** 0.5, "\n";
'
