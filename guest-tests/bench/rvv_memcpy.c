// test: flags=-O2
// Copies with the vector unit's largest groups, of sizes that leave rests.
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#define N 12288
static uint8_t a[N], b[N];

static void copy(void *to, const void *from, size_t n)
{
#ifdef __riscv
    asm volatile(".option push\n.option arch, +v\n"
                 "1: vsetvli t0, %2, e8, m8, ta, ma\n"
                 "vle8.v v0, (%1)\n"
                 "add %1, %1, t0\n"
                 "sub %2, %2, t0\n"
                 "vse8.v v0, (%0)\n"
                 "add %0, %0, t0\n"
                 "bnez %2, 1b\n"
                 ".option pop\n"
                 : "+r"(to), "+r"(from), "+r"(n) : : "t0", "memory");
#else
    memcpy(to, from, n);
    asm volatile("" : : : "memory");
#endif
}

int main(void)
{
    for (int i = 0; i < N; i++)
        a[i] = i * 7 >> 3;
    for (int k = 0; k < 300000; k++)
        copy(b + k % 61, a + k % 59, N - 64 - k % 1000);
    uint32_t x = 0;
    for (int i = 0; i < N; i++)
        x = x * 31 + b[i];
    printf("%u\n", x);
    return 0;
}
