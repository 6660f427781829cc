# coreutils, findutils, grep, sed, awk, diffutils on generated files.
# test: timeout=90
set -eu
seq 1 5000 | awk '{ printf "%d %s line%d\n", ($1 * 7919) % 10007, substr("abcdefghij", $1 % 10 + 1), $1 }' > data
sort -n data | head -3; sort -k2,2 -k1,1nr data | md5sum; sort -u -k2,2 data | wc -l
cut -d' ' -f2 data | sort | uniq -c | sort -rn | head -3
tr 'a-j' 'A-J' < data | sha1sum; rev data | head -2; tac data | head -1; nl data | tail -1
paste -d, <(head -3 data) <(tail -3 data); join <(seq 1 5) <(seq 3 8); comm -12 <(seq 1 5) <(seq 3 8)
fold -w 20 data | wc -l; expand data | unexpand -a | cksum; fmt -w 60 data | wc -l; pr -l 20 -h x data | wc -l
split -l 1000 data part. && cat part.* | cmp - data && ls part.* | wc -l
csplit -s data 100 200 && wc -l xx*; od -An -tx1 -N16 data; base64 data | base64 -d | cmp - data && echo base64
head -c 100000 /dev/zero | sha256sum; b2sum < data | cut -c1-20; sum < data; factor 1234567890 97; numfmt --to=iec 123456789
expr 7 \* 6; seq -s, 1 3 10; printf '%s %d\n' x 5; echo {1..3}; date -u -d @1000000000 +%F_%T; basename /a/b.c .c; dirname /a/b/c
mkdir -p t/a/b t/c; cp -a data t/a/; cp -r t u; mv u/c u/d; ln t/a/data t/hard; ln -s a/data t/soft; touch -d @1000000 t/old
find t -printf '%y %s %p\n' | sort; find t -type f -newer t/old -exec wc -c {} + | tail -1; find t -name '*a*' -print0 | xargs -0 -n1 echo | sort
stat -c '%a %h %F' t/hard t/soft; du -b t/a/data | cut -f1; readlink -f t/soft | grep -o 't/a/data'; realpath --relative-to=t t/a/b; chmod 751 t/a; stat -c %A t/a
rm -rf u; test ! -e u && echo removed; install -m 600 data inst; stat -c %a inst; truncate -s 1M big; stat -c %s big; dd if=data of=dd bs=1k count=3 status=none; cksum < dd
shuf -i 1-100 --random-source=data | sort -n | md5sum; tee copy < data | wc -c; cmp copy data && echo same; mktemp -d | wc -l
timeout 1 sleep 0.01; echo $?; timeout 0.1 sleep 10 || echo "timeout $?"; own=$(nice); [ "$(nice -n 5 nice)" = $(( own + 5 < 19 ? own + 5 : 19 )) ] && echo nicer; env X=1 printenv X; id -u; uname -s; nohup true 2>/dev/null; stdbuf -oL echo buf
grep -c 'line.*7$' data; grep -oE '[a-e] line[0-9]{3}$' data | wc -l; grep -vn '[0-9]5' data | tail -1; grep -F 'j line' data | head -2; grep -P '(\d)\1{2}' data | wc -l; grep -i 'LINE42$' data; echo foo | grep -q bar || echo nomatch
sed -n '5,7p' data; sed 's/\([0-9]*\) \(.\)/\2-\1/;s/line/L/g' data | md5sum; sed -e '/[13579]$/d' -e 's/$/!/' data | wc -l; sed '1!G;h;$!d' <(seq 1 5) | tr '\n' ' '; echo; sed -i 's/a/A/' copy; grep -c A copy
awk '{ n[$2] += $1 } END { for (k in n) print k, n[k] }' data | sort; awk -F'[ e]' 'NR % 1000 == 0 { print NF, $NF }' data; awk 'BEGIN { printf "%.6f %d %s\n", exp(1) * sin(2), 2 ^ 30, toupper(substr("abcdef", 2, 3)) }'; awk '{ gsub(/[0-9]/, "#") } NR == 3' data
diff -u <(head -5 data) <(head -6 data | sed 's/line2/LINE2/') | tail -n +3; diff -q data copy || true; head -4 data > p1; sed 's/line3/changed/' p1 > p2; diff -u p1 p2 > pat || true; patch -s p1 < pat && cmp p1 p2 && echo patched
ls -1 | wc -l; ls -ld t | cut -c1-10; cat data data | wc; wc -L data; tsort <<< 'a b b c'; pathchk ok && echo path; true; false || echo false
