# python3's own test modules, each in a process of its own. The list is the issue's; FULL runs all of it.
# test: timeout=7200 native=skip short=first
modules="int float math struct json zlib cmath re"
[ -n "${FULL:-}" ] && modules="int float math cmath struct decimal json re pickle zlib hashlib sqlite3 threading thread queue subprocess signal socket select mmap os posix time datetime asyncio"
bad=0
# Tests that fail are run a second time (-w): some expect a process to start within a second, on a machine that may be busy.
export TMPDIR=$PWD HOME=$PWD
for m in $modules; do
    less=
    # It connects to its own machine's VSOCK address, for which a virtual machine's kernel may wait for ever.
    [ "$m" != socket ] || less="-i ThreadedVSOCKSocketStreamTest"
    # shellcheck disable=SC2086
    if timeout 1800 python3 -m test -q -w $less "test_$m" > "$m.log" 2>&1; then echo "$m ok"; else echo "$m FAILED"; bad=1; grep -E '^(FAIL|ERROR|test_|  File|[A-Za-z]*Error)' "$m.log" | tail -40 >&2; fi
done
exit $bad
