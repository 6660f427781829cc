# busybox-static: one binary, many applets, its own shell.
# test: timeout=60
b=$(command -v busybox)
$b sh -c 'for i in 1 2 3; do echo $i; done | while read x; do echo "got $x"; done; f() { echo "f $1"; }; f arg; echo $((6*7)); trap "echo bye" EXIT; (exit 3); echo $?'
seq 1 2000 > d; $b md5sum d; $b sha256sum d; $b sort -rn d | $b head -n 2; $b wc d; $b grep -c 7 d; $b sed -n '5p;s/1/x/gp' d | $b tail -n 1; $b awk '{ s += $1 } END { print s }' d
$b gzip -c d > d.gz; $b zcat d.gz | cmp - d && echo gzip; $b tar cf t.tar d && $b tar tf t.tar; $b bzip2 -c d | $b bunzip2 -c | cmp - d && echo bzip2; $b xzcat --help 2>&1 | head -0; $b base64 d | $b head -n 1
$b find . -name 'd*' | $b sort; $b cut -c1-2 d | $b uniq | $b wc -l; $b printf '%05d\n' 42; $b expr 3 + 4; $b dd if=d bs=10 count=2 2>/dev/null | $b od -c | $b head -n 1; $b tr 0-9 a-j < d | $b tail -n 1; $b cksum d; $b diff d d && echo same; $b dc -e '2 100 ^ p' 2>/dev/null || true; $b stat -c %s d; $b env -i X=1 $b printenv X; $b cal 1 2024 | $b head -n 1; $b basename /x/y; $b factor 360; $b tac d | $b head -n1; $b timeout 1 $b sleep 0; echo $?
