# stress-ng: classes of the kernel's interface under load, one second each (FULL: five), with verification.
# test: timeout=400 native=skip short=first
t=1; [ -z "${FULL:-}" ] || t=5
bad=0
for s in cpu vm fork pthread signal futex pipe mmap timer sock switch sem-sysv msg shm-sysv eventfd poll epoll dentry futex matrix vecmath qsort bsearch hash str crypt atomic; do
    case $s in cpu) x="--cpu-method all" ;; vm) x="--vm-bytes 16m" ;; mmap) x="--mmap-bytes 16m" ;; *) x= ;; esac
    if timeout 60 stress-ng --quiet --temp-path . --verify --timeout $t --$s 2 $x > "$s.log" 2>&1; then echo "$s ok"; else echo "$s FAILED $?"; tail -5 "$s.log" >&2; bad=1; fi
done
exit $bad
