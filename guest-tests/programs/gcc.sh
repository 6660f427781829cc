# gcc: compile, assemble and link a generated C program of 3,000 lines, and a C++ one; run what came out.
# test: timeout=300
set -eu
awk 'BEGIN { n = 300; print "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <math.h>\nstruct s { int a[8]; double d; char t[16]; };";
for (i = 0; i < n; i++) { printf "static unsigned f%d(unsigned x, struct s *p)\n{\n  unsigned t = x ^ %du;\n  for (int i = 0; i < 8; i++) {\n    p->a[i] += t * %du + i;\n    if (p->a[i] & %d) t = t * 31 + p->a[(i + %d) & 7]; else t ^= t >> 3;\n  }\n  switch (t %% 5) { case 0: t += %d; break; case 1: t ^= 0x55; break; case 3: p->d += sqrt(t %% 7); break; }\n  return t;\n}\n", i, i, i * 7 + 3, 2 ^ (i % 5), i % 8, i }
print "int main(void)\n{\n  struct s s = {{1, 2, 3}};\n  unsigned x = 1;\n  for (int k = 0; k < 50; k++) {"; for (i = 0; i < n; i++) printf "    x = f%d(x, &s);\n", i; print "  }\n  char *p = malloc(100);\n  snprintf(p, 100, \"%u %d %.6f\", x, s.a[3], s.d);\n  puts(p);\n  free(p);\n  return 0;\n}" }' > big.c
wc -l < big.c | awk '{ print ($1 >= 3000) }'
o2=-O1; [ -z "${FULL:-}" ] || o2=-O2
for o in -O0 $o2; do gcc $o -c big.c -o big.o; gcc big.o -o big -lm; ./big; done
gcc -O0 -S big.c -o big.s; gcc big.s -o big2 -lm; ./big2; gcc -static -O0 big.c -o big3 -lm; ./big3
gcc -E big.c | grep -c f299; echo 'int main(void) { return undefined_thing; }' > e.c; gcc -c e.c 2>/dev/null || echo "error $?"
cat > c.cc <<'EOF'
#include <iostream>
#include <map>
#include <string>
#include <vector>
#include <algorithm>
int main() { std::map<std::string, std::vector<int>> m; for (int i = 0; i < 100; i++) m["k" + std::to_string(i % 7)].push_back(i * i); for (auto &[k, v] : m) { std::sort(v.rbegin(), v.rend()); std::cout << k << ' ' << v.front() << '\n'; } try { throw std::string("thrown"); } catch (std::string &s) { std::cout << s << '\n'; } }
EOF
[ -n "${FULL:-}" ] && o=-O2 || o=-O0; g++ $o c.cc -o c && ./c; ar rcs l.a big.o && ar t l.a; size big | wc -l; strip big && ./big; objdump -d big.o | grep -c '>:' | awk '{ print ($1 > 0) }'; readelf -h big | grep -c ELF
printf 'all: a b\n\tcat a b\na:\n\techo A > a\nb: a\n\techo B > b\n' > Makefile; make -s -j2
