// test: flags=-lm long=64
// Control flow and arithmetic of compiled code: computed goto, big switches, deep recursion, setjmp, 128-bit numbers,
// shifts and divisions at their limits, variable arguments, string functions at every alignment, printf of floats.
#include "check.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

typedef unsigned __int128 u128;
typedef __int128 i128;

static uint64_t machine(const unsigned char *code, int n, long steps) {
    static const void *ops[] = {&&add, &&mul, &&xr, &&rot, &&jump, &&sub, &&swap, &&shift};
    uint64_t a = 1, b = 2, pc = 0;
#define NEXT                            \
    if (!steps--) return a ^ b;         \
    goto *ops[code[pc++ % n] & 7]
    NEXT;
add: a += b + pc; NEXT;
mul: a *= b | 1; NEXT;
xr: b ^= a >> 7; NEXT;
rot: a = a << 13 | a >> 51; NEXT;
jump: pc += a & 15; NEXT;
sub: b -= a; NEXT;
swap: { uint64_t t = a; a = b, b = t; } NEXT;
shift: b = b >> (a & 63) | 1; NEXT;
}

#define C10(n) C(n##0) C(n##1) C(n##2) C(n##3) C(n##4) C(n##5) C(n##6) C(n##7) C(n##8) C(n##9)
static unsigned big_switch(unsigned x, unsigned y) {
    switch (x % 100) {
#define C(n) case 1##n - 100: return y * (1##n * 7 + 3) ^ 1##n;
        C10(0) C10(1) C10(2) C10(3) C10(4) C10(5) C10(6) C10(7) C10(8) C10(9)
    }
    return 0;
}

static int ackermann(int m, int n) { return !m ? n + 1 : !n ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1)); }
__attribute__((noinline)) static long deep(long n, long *p) { return n ? deep(n - 1, &n) + *p + 1 : 0; }

static long varsum(int n, ...) {
    va_list ap, ap2;
    va_start(ap, n);
    va_copy(ap2, ap);
    double d = 0;
    long s = 0;
    for (int i = 0; i < n; i++)
        if (i & 1) d += va_arg(ap, double);
        else s += va_arg(ap, long);
    s += va_arg(ap2, long);
    va_end(ap), va_end(ap2);
    return s + (long)d;
}

static jmp_buf jb[10];
static int jumps;
static void thrower(int n) {
    volatile int local = n;
    if (n == 0) longjmp(jb[5], 77);
    if (setjmp(jb[n])) jumps += local;
    else thrower(n - 1);
}

struct pair { long a; double b; };
struct big { char c[100]; };
__attribute__((noinline)) static struct pair make_pair(long a, double b) { return (struct pair){a * 2, b / 2}; }
__attribute__((noinline)) static struct big make_big(struct big b, int k) { for (int i = 0; i < 100; i++) b.c[i] += k; return b; }

int main(void) {
    unsigned char code[64];
    uint64_t seed = 42;
    for (int i = 0; i < 64; i++) code[i] = rnd(&seed);
    printf("machine %016llx\n", (unsigned long long)machine(code, 64, 300000));
    unsigned h = 0;
    for (unsigned i = 0; i < 100000; i++) h = h * 31 + big_switch(i * 7 + h, i);
    printf("switch %08x\n", h);
    printf("ackermann %d deep %ld\n", ackermann(2, 300), deep(50000, (long[]){0}));
    for (int i = 0; i < 200; i++) {
        if (!setjmp(jb[5])) thrower(4);
    }
    printf("jumps %d\n", jumps);
    printf("varsum %ld\n", varsum(9, 1l, 2.5, 3l, 4.5, 5l, 6.0, 7l, 8.0, 9l));
    struct pair p = make_pair(21, 9);
    struct big b = {{1, 2, 3}};
    b = make_big(b, 5);
    printf("structs %ld %g %d\n", p.a, p.b, b.c[2] + b.c[99]);

    u128 a = ((u128)0x123456789abcdef0 << 64) | 0xfedcba9876543210, c = 0x1000000000000001;
    u128 q = a / c, r = a % c, m = a * c;
    printf("u128 %llx:%llx %llx:%llx %llx:%llx\n", (long long)(q >> 64), (long long)q, (long long)(r >> 64), (long long)r,
           (long long)(m >> 64), (long long)m);
    i128 n = -(i128)a, nq = n / 1000003, nr = n % 1000003;
    printf("i128 %llx:%llx %lld\n", (long long)(nq >> 64), (long long)nq, (long long)nr);
    uint64_t hh = 0;
    for (int i = 0; i < 128; i++) {
        u128 t = a << i | a >> ((128 - i) & 127);
        i128 s = n >> i;
        hh = fnv(hh, &t, 16), hh = fnv(hh, &s, 16);
    }
    printf("shifts128 %016llx\n", (unsigned long long)hh);
    hh = 0;
    static const int64_t edge[] = {0, 1, -1, 2, 7, 63, 64, 255, 0x7fffffff, 0x80000000, 0xffffffff, INT64_MAX, INT64_MIN, INT64_MIN + 1,
                                   0x5555555555555555, 0x0123456789abcdef};
    for (unsigned i = 0; i < 16; i++)
        for (unsigned j = 0; j < 16; j++) {
            volatile int64_t x = edge[i], y = edge[j];
            volatile int32_t x4 = x, y4 = y;
            int64_t v[16] = {x + y, x - y, x * y, x & y, x | ~y, x ^ y, (uint64_t)x >> (y & 63), x << (y & 63), x >> (y & 63),
                             x > y, (uint64_t)x > (uint64_t)y, x4 * (int64_t)y4, (int64_t)((i128)x * y >> 64), x4 >> (y4 & 31)};
            if (y) v[14] = (uint64_t)x / (uint64_t)y, v[15] = (uint64_t)x % (uint64_t)y;
            hh = fnv(hh, v, sizeof v);
            if (y && !(x == INT64_MIN && y == -1)) v[0] = x / y, v[1] = x % y;
            if (y4 && !(x4 == INT32_MIN && y4 == -1)) v[2] = x4 / y4, v[3] = x4 % y4, v[4] = (uint32_t)x4 / (uint32_t)y4;
            if (x) v[5] = __builtin_clzll(x), v[6] = __builtin_ctzll(x);
            v[7] = __builtin_popcountll(x), v[8] = __builtin_bswap64(x), v[9] = __builtin_bswap32(x4), v[10] = (int16_t)__builtin_bswap16(x);
            v[11] = __builtin_clrsbll(x);
            long o;
            v[12] = __builtin_add_overflow(x, y, &o), v[13] = __builtin_mul_overflow(x, y, &o), v[14] = __builtin_sub_overflow(x, y, &o);
            hh = fnv(hh, v, sizeof v);
        }
    printf("integers %016llx\n", (unsigned long long)hh);

    static char src[600], dst[600], ref[600];
    for (int i = 0; i < 600; i++) src[i] = i % 251 + 1;
    for (int len = 0; len < 200; len += len < 40 ? 1 : 13)
        for (int so = 0; so < 17; so += 3)
            for (int d = 0; d < 17; d += 5) {
                memset(dst, 0, sizeof dst), memset(ref, 0, sizeof ref);
                memcpy(dst + d, src + so, len);
                for (int i = 0; i < len; i++) ref[d + i] = src[so + i];
                if (memcmp(dst, ref, sizeof dst)) CHECK(!"memcpy");
                memmove(dst + d + 7, dst + d, len), memmove(dst + d + 3, dst + d + 7, len);
                for (int i = 0; i < len; i++)
                    if (dst[d + 3 + i] != src[so + i]) CHECK(!"memmove");
                memset(dst + d, 0xa5, len);
                dst[d + len] = 0;
                if (strlen(dst + d) != len || (len && strchr(dst + d, 0xa5) != dst + d) || memchr(dst + d, 0, len + 1) != dst + d + len) CHECK(!"strlen");
                strcpy(ref + so, dst + d);
                if (strcmp(ref + so, dst + d) || strncmp(ref + so, dst + d, len) || strrchr(ref + so, 0) != ref + so + len) CHECK(!"strcmp");
            }
    printf("strings\n");
    double f[] = {0.1, 1e300, 5e-324, 1.7976931348623157e308, 123456789.123456789, -0.0, 1.0 / 3};
    for (int i = 0; i < 7; i++) printf("%.17g %a %.3e %f\n", f[i], f[i], f[i], i == 1 || i == 3 ? 0 : f[i]);
    hh = 0;
    for (int i = -200; i < 200; i++) {
        double x = i * 0.37, v[] = {floor(x), ceil(x), trunc(x), round(x), rint(x), nearbyint(x), fabs(x), sqrt(fabs(x)), fma(x, x, 1), fmod(x, 0.7), ldexp(x, i)};
        float y = x;
        float w[] = {floorf(y), ceilf(y), sqrtf(fabsf(y)), fmaf(y, y, y), (float)x * y, y / 3, (int)y, (long)x, (unsigned)fabs(x)};
        hh = fnv(hh, v, sizeof v), hh = fnv(hh, w, sizeof w);
    }
    printf("floats %016llx\n", (unsigned long long)hh);
    CHECK(strtod("0x1.8p3", NULL) == 12 && strtod("1e400", NULL) == HUGE_VAL && strtol("-7fff", NULL, 16) == -0x7fff && strtoull("18446744073709551615", NULL, 10) == UINT64_MAX);
    int i1;
    float f1;
    char s1[20];
    CHECK(sscanf("12 3.5 word", "%d %f %19s", &i1, &f1, s1) == 3 && i1 == 12 && f1 == 3.5f && !strcmp(s1, "word"));
    return check_done("control");
}
