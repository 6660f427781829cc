// test: flags=-O2
// y = a * x + y in single precision; all results are exact, so that it does not matter whether they are fused.
#include <stdint.h>
#include <stdio.h>
#define N 4096
static float x[N], y[N];

static void saxpy(size_t n, float a, const float *x, float *y)
{
#ifdef __riscv
    asm volatile(".option push\n.option arch, +v\n"
                 "1: vsetvli t0, %0, e32, m8, ta, ma\n"
                 "vle32.v v0, (%1)\n"
                 "sub %0, %0, t0\n"
                 "slli t0, t0, 2\n"
                 "add %1, %1, t0\n"
                 "vle32.v v8, (%2)\n"
                 "vfmacc.vf v8, %3, v0\n"
                 "vse32.v v8, (%2)\n"
                 "add %2, %2, t0\n"
                 "bnez %0, 1b\n"
                 ".option pop\n"
                 : "+r"(n), "+r"(x), "+r"(y) : "f"(a) : "t0", "memory");
#else
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
    asm volatile("" : : : "memory");
#endif
}

int main(void)
{
    for (int i = 0; i < N; i++)
        x[i] = i * 0.25f, y[i] = i * 0.125f;
    for (int k = 0; k < 60000; k++)
        saxpy(N - k % 5, k & 1 ? 0.5f : -0.5f, x, y);
    float s = 0;
    for (int i = 0; i < N; i++)
        s += y[i];
    printf("%a\n", s);
    return 0;
}
