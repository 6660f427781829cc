// test: flags=-lm
// 128-bit floating point in software (the compiler's own routines) and its printing.
#include "check.h"
#include <math.h>

int main(void) {
    volatile long double a = 1.0L / 3, b = 1e4000L, c = -0x1p-16400L;
    printf("%.34Lg %La %.30Le\n", a, b, c);
    long double s = 0;
    for (int i = 1; i < 2000; i++) s += 1.0L / ((long double)i * i);
    printf("%.33Lf\n", s);
    printf("%.33Lf %.33Lf\n", sqrtl(2), s * a - s / 7 + fmal(a, a, s));
    printf("%lld %g %g %d %d\n", (long long)(a * 1e18L), (double)a, (float)s, a < s, isnan(b - b / a * 0));
    uint64_t h = 0;
    uint64_t seed = 1;
    for (int i = 0; i < 2000; i++) {
        long double x = (long double)(int64_t)rnd(&seed) * 0x1p-40L, y = (int64_t)rnd(&seed) | 1;
        long double v[] = {x + y, x - y, x * y, x / y, (double)x, (float)y, (long double)(uint64_t)fabsl(x), floorl(x)};
        h = fnv(h, v, sizeof v);
    }
    printf("%016llx\n", (unsigned long long)h);
    return check_done("longdouble");
}
