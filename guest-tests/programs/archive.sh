# tar, gzip, bzip2, xz, zstd: round trips, and compressed bytes equal to the native tools'.
# test: timeout=120
set -eu
awk 'BEGIN { s = 7; for (i = 0; i < 60000; i++) { s = (s * 16807) % 2147483647; printf "%s%d", (s % 9 ? " word" : "\n"), s % 700 } }' > text
head -c 300000 text | tr 'a-z' 'q-za-p' > more; head -c 200000 /dev/zero > zeros; mkdir d; cp text more zeros d; ln -s text d/link; chmod 640 d/more
for z in gzip bzip2 xz zstd; do
    for level in 1 6; do
        for f in text zeros; do
            case $z in gzip) o="-n" ;; zstd) o="-q -T1" ;; xz) o="-T1" ;; *) o= ;; esac
            $z $o -$level -c $f > $f.$z; md5sum < $f.$z; $z -dc < $f.$z | cmp - $f && echo "$z -$level $f"
        done
    done
    $z -t text.$z && echo tested
done
zcat text.gzip | wc -c; xz --robot -l text.xz | awk '/^totals/ { print $5 }'; bzcat text.bzip2 | tail -c 20 | od -c | head -1
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf t.tar d; md5sum < t.tar; tar tf t.tar; mkdir x; tar xf t.tar -C x; diff -r d x/d && echo tar; stat -c '%a %N' x/d/more | head -1; readlink x/d/link
for z in z j J; do tar c${z}f t.$z d; mkdir x$z; tar xf t.$z -C x$z; diff -r d x$z/d && echo "tar $z"; done
tar --zstd -cf t.zst d && tar tf t.zst | sort | head -2; tar cf - d | tar xf - -O d/more | cmp - more && echo pipe
head -c 1000 text.gzip > bad.gz; gzip -t bad.gz 2>/dev/null || echo "truncated $?"; printf 'junk' | xz -d 2>/dev/null || echo "junk $?"
xz -9e -T2 -c more | xz -dc | cmp - more && echo threads; zstd -q -19 -T2 -c more | zstd -dcq | cmp - more && echo zthreads
