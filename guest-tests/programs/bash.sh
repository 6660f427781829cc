# The shell itself: expansions, pipes, traps, job control, here-documents, arrays, arithmetic, subshells.
# test: timeout=60
set -u
section() { printf -- '--- %s\n' "$1"; }

section expansions
v=abcdefgh
echo "${v:2:3} ${v#a*c} ${v%f*} ${v/cd/XY} ${v//[aeiou]/.} ${#v} ${v^^} ${v:-none} ${nothing:-default}"
a=(one two three "four five")
a+=(six)
echo "${#a[@]} ${a[3]} ${a[@]:1:2} ${!a[*]}"
for x in "${a[@]}"; do printf '<%s>' "$x"; done; echo
declare -A m=([red]=1 [green]=2 [blue]=3)
for k in $(printf '%s\n' "${!m[@]}" | sort); do echo "$k=${m[$k]}"; done
echo {a,b}{1..3} $((7 * 6 - 2 ** 5)) $((16#ff)) $((5 / 2)) $(( -5 % 3 ))
printf '%05d|%-6s|%x|%.3f|%q\n' 42 ab 255 3.14159 'a b'
echo 'single "quotes"' "double 'quotes' \$HOME" $'tab\there'
IFS=: read -r p q r <<<"x:y:z"; echo "$r$q$p"
x=5; (( x += 10, x *= 2 )); echo $x
[[ hello =~ ^h(.*)o$ ]] && echo "${BASH_REMATCH[1]}"
[[ abc < abd && -d / && ! -e /nonexistent/file ]] && echo tests
case foobar in bar*) echo no ;; foo*) echo case ;; esac

section functions
fact() { if (( $1 < 2 )); then echo 1; else echo $(( $1 * $(fact $(( $1 - 1 ))) )); fi; }
fact 12
outer() { local y=inner; nested; }
nested() { echo "sees $y"; return 3; }
y=global; outer; echo "status $? $y"
gen() { for i in 3 1 2; do echo "$i"; done; }
mapfile -t lines < <(gen | sort); echo "${lines[*]}"

section pipes
seq 1 1000 | grep 7 | wc -l
seq 1 20 | while read -r n; do (( n % 5 == 0 )) && echo -n "$n "; done; echo
printf 'b\na\nc\n' | sort | tr '\n' ' ' | sed 's/ $/\n/'
false | true; echo "pipestatus ${PIPESTATUS[*]}"
set -o pipefail; false | true; echo "pipefail $?"; set +o pipefail
echo to-stderr 2>&1 >/dev/null | cat
{ echo out; echo err >&2; } 2>&1 | sort
exec 5> file5; echo five >&5; exec 5>&-; cat file5
yes | head -n 3 | tr -d '\n'; echo
cat < <(echo process) <(echo substitution) 2>/dev/null | head -1
diff <(seq 1 5) <(seq 2 6) | grep -c '^[<>]'

section here-documents
cat <<EOF
value $x and $(echo command) and \$literal
EOF
cat <<'EOF'
no $x expansion
EOF
cat <<-EOF
	tabs stripped
	EOF
tr a-z A-Z <<< "here string"

section traps
trap 'echo "usr1 caught"' USR1
kill -USR1 $$
( trap 'echo "exit trap $?"' EXIT; exit 7 ); echo "status $?"
( trap 'echo term; exit 3' TERM; kill -TERM $BASHPID; echo not-reached ); echo "status $?"
bash -c 'trap "echo int; exit 9" INT; kill -INT $$; sleep 5'; echo "status $?"
( kill -9 $BASHPID ) 2>/dev/null; echo "status $?"
trap 'echo "err trap"' ERR; false; trap - ERR
bash -c 'trap "" TERM; kill -TERM $$; echo ignored'

section jobs
set +m
sleep 0.05 & p1=$!
( sleep 0.1; exit 4 ) & p2=$!
wait $p1; echo "first $?"
wait $p2; echo "second $?"
for i in 1 2 3 4 5; do ( exit "$i" ) & pids[i]=$!; done
for i in 1 2 3 4 5; do wait "${pids[i]}"; echo -n "$? "; done; echo
sleep 30 & p=$!; kill $p; wait $p 2>/dev/null; echo "killed $?"
coproc cat; echo "through coproc" >&"${COPROC[1]}"; read -r line <&"${COPROC[0]}"; echo "$line"
kill "$COPROC_PID" 2>/dev/null; wait 2>/dev/null
set -m
( sleep 0.1; echo background ) & wait $!; echo "job $?"
set +m

section commands
echo '#!/bin/bash
echo "script $0 with $# arguments: $*"
exit 5' > script; chmod +x script
./script a "b c"; echo "status $?"
echo 'echo sourced $1' > src; . ./src argument
eval 'echo evaluated $((1+1))'
command -v ls > /dev/null && echo found
no_such_command_at_all 2>/dev/null; echo "status $?"
type -t cd; type -t fact; type -t if
env -i A=1 /bin/sh -c 'echo "A=$A B=${B:-unset}"'
xargs -n 2 echo pair < <(seq 1 5)
find . -name 's*' -type f | sort
test -x script && test ! -x src && echo modes
umask 027; touch masked; stat -c %a masked
ln -s script link; readlink link
echo -e 'x\ny\nz' > lines; head -1 lines; tail -1 lines; wc -l < lines
( cd / && pwd ); basename "$(pwd)" | grep -c program
ulimit -n > /dev/null && echo limits
printf '%s\n' {1..300} | awk '{ s += $1 } END { print s }'
getopts_test() { local o; while getopts 'ab:' o "$@"; do echo "opt $o ${OPTARG:-}"; done; }
getopts_test -a -b value
select_test=$(echo 2 | { select c in x y z; do echo "chose $c"; break; done; } 2>/dev/null); echo "$select_test"
time_test=$( { TIMEFORMAT=%R; time true; } 2>&1 ); [[ $time_test =~ ^0\. ]] && echo timed
echo "$BASHPID" | grep -qE '^[0-9]+$' && echo pid
readonly ro=1; ( ro=2 ) 2>/dev/null; echo "readonly $?"
for (( i = 0, s = 0; i < 5000; i++ )); do (( s += i ^ (i >> 1) )); done; echo $s
str=; for i in {1..500}; do str+=$i; done; echo ${#str}
until (( --x < 20 )); do :; done; echo $x
history -c; set -- p q r; shift; echo "$# $1 ${@: -1}"
printf -v formatted '%(%Y-%m-%d)T' 86400; echo "$formatted"

section more-pipes
mkfifo fifo
( for i in 1 2 3; do echo "through fifo $i"; done > fifo ) &
while read -r line; do echo "$line"; done < fifo
wait
jobs > /dev/null
seq 1 2000 | split -l 500 - piece.
cat piece.* | md5sum
for f in piece.*; do wc -l < "$f"; done | paste -sd+ | tr -d '\n'; echo
seq 1 100 | tee >(awk '{ s += $1 } END { print s > "sum" }') | tail -1
until [ -s sum ]; do sleep 0.01; done
cat sum
{ seq 1 3; echo; seq 4 6; } | awk 'BEGIN { RS = "" } { print NF, $0 }' | tr '\n' ' '; echo
exec 3<> both; echo "written" >&3; exec 3>&-; cat both
exec 6>&1; exec > captured; echo inside; exec 1>&6 6>&-; cat captured
cat /dev/null | { read -r line || echo "nothing to read"; }
( trap '' PIPE; yes 2> /dev/null | head -1 )

section job-control
until_true() { local k; for (( k = 0; k < 500; k++ )); do "$@" && return; sleep 0.02; done; echo "never: $*"; }
in_state() { grep -q "^State:.$1" "/proc/$2/status"; }
jobs > /dev/null
set -m
sleep 20 & one=$!
sleep 21 & two=$!
jobs -p | grep -c "^$one\$\|^$two\$"
jobs %% | sed 's/^\[[0-9]*\]. *//'
kill -STOP $one
until_true in_state T $one
jobs -s | grep -c Stopped
kill -CONT $one
until_true in_state S $one
kill $one
wait $one 2> /dev/null; echo "job one $?"
kill -INT $two
wait $two 2> /dev/null; echo "job two $?"
( sleep 0.05; exit 6 ) &
fg %% > /dev/null; echo "foreground $?"
sleep 22 & three=$!
disown $three
kill $three
jobs -r | wc -l
set +m
bash -c 'kill -STOP $$; echo resumed' & p=$!
until_true in_state T $p
kill -CONT $p
wait $p; echo "stopped and resumed $?"
wait -n 2> /dev/null; echo "none left $?"
for n in 9 1 5; do ( sleep "0.$n"; exit "$n" ) & done
wait -n; echo "first of three $?"
wait; echo "rest $?"

section more-traps
trap 'echo "debug $BASH_COMMAND" >> trace' DEBUG
: one
: two
trap - DEBUG
grep -c '^debug : ' trace
f() { trap 'echo "returned from ${FUNCNAME[0]}"' RETURN; return 2; }
f; echo "status $?"
trap - RETURN
count=0
trap 'count=$(( count + 1 ))' USR2
for i in 1 2 3 4 5; do kill -USR2 $$; done
echo "usr2 $count"
trap 'echo chld' CHLD; set -m; ( exit 0 ) & wait $!; set +m; trap - CHLD
( trap 'echo hup' HUP; kill -HUP $BASHPID )
bash -c 'trap "exit 4" TERM; sleep 10 & wait $!' & p=$!
sleep 0.2; kill $p; wait $p; echo "interrupted wait $?"
trap -p USR2 | sed 's/^trap -- //'
( set -e; false; echo not-reached ); echo "errexit $?"
( set -u; echo "$never_set" ) 2> /dev/null; echo "nounset $?"

section more-here-documents
while IFS=, read -r name number; do
    printf '%-8s|%4d\n' "$name" "$number"
done <<'DATA'
alpha,1
beta,22
gamma,333
DATA
outer=$(cat <<A
$(cat <<B
nested $((1 + 1))
B
)
A
)
echo "$outer"
bash <<'SCRIPT'
for i in a b; do
    cat <<INNER
item $i
INNER
done
SCRIPT
bash -s first second <<< 'echo "$# $2"'

section arrays-and-strings
sparse=([2]=two [5]=five); echo "${!sparse[@]} ${#sparse[@]}"; unset 'sparse[2]'; echo "${sparse[*]}"
declare -i number=010; number+=5; echo $number
declare -u upper=shout; declare -l lower=QUIET; echo "$upper $lower"
declare -n ref=number; ref=77; echo $number
path=/usr/share/doc/file.tar.gz; echo "${path##*/} ${path%/*} ${path%%.*} ${path#*.}"
printf '%s\n' "${path@Q}" "${v@U}"; printf '%b|%c|%o|%e\n' 'a\tb' xyz 64 12345.678
words='the quick brown fox'; set -- $words; echo "$# ${*^} ${words// /_}"
string=abc; while [ "${#string}" -lt 200 ]; do string=$string$string; done; echo ${#string}
shopt -s extglob nullglob; echo "${words//+([aeiou])/*}"; echo none*here; shopt -u nullglob
echo done
