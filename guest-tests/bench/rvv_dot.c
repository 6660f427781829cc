// test: flags=-O3
// Dot product of bytes in 32-bit sums: widening products and sums, a reduction at the end.
#include <stdint.h>
#include <stdio.h>
#define N 8192
static int8_t a[N], b[N];

static int32_t dot(size_t n, const int8_t *a, const int8_t *b)
{
#ifdef __riscv
    int32_t sum;
    asm volatile(".option push\n.option arch, +v\n"
                 "vsetvli t0, zero, e32, m8, ta, ma\n"
                 "vmv.v.i v8, 0\n"
                 "1: vsetvli t0, %1, e8, m2, ta, ma\n"
                 "vle8.v v0, (%2)\n"
                 "vle8.v v2, (%3)\n"
                 "sub %1, %1, t0\n"
                 "add %2, %2, t0\n"
                 "add %3, %3, t0\n"
                 "vwmul.vv v4, v0, v2\n"
                 "vsetvli zero, zero, e16, m4, tu, ma\n"
                 "vwadd.wv v8, v8, v4\n"
                 "bnez %1, 1b\n"
                 "vsetvli t0, zero, e32, m8, ta, ma\n"
                 "vmv.s.x v0, zero\n"
                 "vredsum.vs v0, v8, v0\n"
                 "vmv.x.s %0, v0\n"
                 ".option pop\n"
                 : "=r"(sum), "+r"(n), "+r"(a), "+r"(b) : : "t0", "memory");
    return sum;
#else
    int32_t s = 0;
    for (size_t i = 0; i < n; i++)
        s += a[i] * b[i];
    return s;
#endif
}

int main(void)
{
    for (int i = 0; i < N; i++)
        a[i] = i * 7, b[i] = i * 13 >> 3;
    uint32_t total = 0;
    for (int k = 0; k < 60000; k++) {
        total = total * 3 + dot(N - k % 100, a, b);
        a[k % N]++;
    }
    printf("%u\n", total);
    return 0;
}
