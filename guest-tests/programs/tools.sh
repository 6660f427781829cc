# Programs of other runtimes: shfmt (Go, static), ruff (Rust), from PyPI, for riscv64 shfmt from Debian (`tests/setup.sh programs`).
# test: timeout=300 full=only native=skip
set -eu
shfmt=$TOOLS/shfmt ruff=$TOOLS/ruff
file -b "$shfmt" | grep -o 'statically linked'; file -b "$ruff" | grep -o 'ELF 64-bit'
awk 'BEGIN { for (i = 0; i < 400; i++) printf "if [ $x = %d ];then\n  echo   %d |grep x&& true\nfi\nf%d(){ case $1 in a) echo;; esac; }\n", i, i, i }' > big.sh
"$shfmt" -i 4 -s big.sh | md5sum; "$shfmt" -d big.sh > /dev/null || echo "differs $?"; "$shfmt" -tojson < big.sh | wc -c
printf 'if true; then\n' | "$shfmt" 2>&1 || echo "error $?"
for i in 1 2 3 4 5 6 7 8; do cp big.sh "part$i.sh"; done; "$shfmt" -w . ; md5sum part?.sh | cut -c1-32 | sort -u
awk 'BEGIN { for (i = 0; i < 400; i++) printf "import os, sys\ndef f%d( a,b ):\n  x=[ i*%d for i in range(a) if i!=b ]\n  if x==None: return  {\"k\":x , \"n\" : len( x)}\n  return os.path.join(\"a\",str(%d))\n", i, i, i }' > big.py
"$ruff" format --isolated --no-cache - < big.py | md5sum; "$ruff" check --isolated --no-cache --select E,F --statistics big.py | sort | head -4 || true
for i in 1 2 3 4 5 6; do mkdir -p "d$i"; cp big.py "d$i/m.py"; done; "$ruff" format --isolated --no-cache d? | tail -1; md5sum d?/m.py | cut -c1-32 | sort -u
printf 'def f(:\n' | "$ruff" check --isolated --no-cache - > out 2>&1 || echo "error $?"; grep -c 'invalid-syntax' out
