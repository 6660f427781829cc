// Indirect calls and jumps: a table of functions and an interpreter with computed goto.
#include <stdio.h>
typedef unsigned (*fn)(unsigned);
#define F(n) __attribute__((noinline)) static unsigned f##n(unsigned x) { return x * (2 * n + 1) + (x >> (n + 1)); }
F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7)
static fn table[8] = {f0, f1, f2, f3, f4, f5, f6, f7};
static unsigned run(const unsigned char *code, long steps) {
    static const void *ops[] = {&&add, &&sub, &&xor_, &&rot, &&mul, &&loop};
    unsigned a = 1, b = 2;
    int pc = 0;
#define NEXT if (!steps--) return a ^ b; goto *ops[code[pc++]]
    NEXT;
add: a += b; NEXT;
sub: b -= a; NEXT;
xor_: a ^= b << 3; NEXT;
rot: b = b << 7 | b >> 25; NEXT;
mul: a *= 2654435761u; NEXT;
loop: pc = 0; NEXT;
}
int main(void) {
    unsigned x = 1;
    for (long i = 0; i < 12000000; i++) x = table[(x >> 4) & 7](x) + i;
    unsigned char code[] = {0, 2, 3, 4, 1, 0, 3, 3, 2, 4, 1, 5};
    printf("%u %u\n", x, run(code, 32000000));
    return 0;
}
