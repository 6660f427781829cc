# python3's own tests of pools and processes, apart from `python-modules` because they take minutes even natively.
# test: timeout=7200 native=skip full=only
bad=0
export TMPDIR=$PWD HOME=$PWD
# Tests that fail are run a second time (-w): they allow a new process fractions of a second, on a machine that may be busy.
for m in concurrent_futures multiprocessing_fork multiprocessing_forkserver multiprocessing_spawn; do
    if timeout 5400 python3 -m test -q -w "test_$m" > "$m.log" 2>&1; then echo "$m ok"; else echo "$m FAILED"; bad=1; grep -E '^(FAIL|ERROR|  File|[A-Za-z]*Error)' "$m.log" | tail -40 >&2; fi
done
exit $bad
