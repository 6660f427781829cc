# Hashes, regular expressions, strings, sorting.
use strict;
my ($s, %h, @a) = (1);
for my $i (1 .. 120000) { $s = ($s * 16807) % 2147483647; $h{"k" . $s % 5000} += $i; push @a, $s if $i % 3 == 0; }
my @sorted = sort { $a <=> $b } @a;
my $text = join " ", map { "word$_=" . ($_ * 7) } 1 .. 40000;
my $n = 0;
while ($text =~ /(\w+)(\d)=(\d+)/g) { $n += $3 if $2 % 2; }
(my $u = $text) =~ s/([aeiou])/uc $1/ge;
my $sum = 0;
for my $i (1 .. 800000) { $sum += $i % 7 * 0.5; }
print scalar(keys %h), " $sorted[0] $n ", length($u), " ", ($u =~ tr/O//), " $sum\n";
