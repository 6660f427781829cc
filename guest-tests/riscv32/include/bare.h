// Start-up code and what a C library would have, for programs that are built without one: system calls, text output with
// the few conversions that the tests print, checks as in ../include/check.h.
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

__asm__(".globl _start\n_start:\n .option push\n .option norelax\n la gp, __global_pointer$\n .option pop\n"
        " mv a0, sp\n andi sp, sp, -16\n call start_c\n unimp\n");

static inline long syscall6(long n, long a, long b, long c, long d, long e, long f) {
    register long a0 __asm__("a0") = a, a1 __asm__("a1") = b, a2 __asm__("a2") = c, a3 __asm__("a3") = d, a4 __asm__("a4") = e,
                  a5 __asm__("a5") = f, a7 __asm__("a7") = n;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a7) : "memory");
    return a0;
}
#define sc(n, ...) sc_(n __VA_OPT__(,) __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define sc_(n, a, b, c, d, e, f, ...) syscall6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define LO(v) ((long)(uint32_t)(uint64_t)(v))
#define HI(v) ((long)(uint32_t)((uint64_t)(v) >> 32))

void *memcpy(void *d, const void *s, size_t n) {
    for (size_t i = 0; i < n; i++) ((volatile char *)d)[i] = ((const char *)s)[i];
    return d;
}
void *memset(void *d, int c, size_t n) {
    for (size_t i = 0; i < n; i++) ((volatile char *)d)[i] = c;
    return d;
}
__attribute__((unused)) static size_t slen(const char *s) {
    size_t n = 0;
    while (s[n]) n++;
    return n;
}
__attribute__((unused)) static int same(const void *a, const void *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (((const char *)a)[i] != ((const char *)b)[i]) return 0;
    return 1;
}

static void put_text(const char *s, size_t n) { sc(64, 1, s, n); }

// %d %u %x %s %c and %lld %llu %llx.
__attribute__((unused)) static void print(const char *f, ...) {
    char out[512];
    size_t n = 0;
    va_list ap;
    va_start(ap, f);
    for (; *f && n < sizeof out - 24; f++) {
        if (*f != '%') {
            out[n++] = *f;
            continue;
        }
        int wide = 0;
        f++;
        while (*f == 'l') wide++, f++;
        if (*f == 's') {
            const char *s = va_arg(ap, const char *);
            while (*s && n < sizeof out - 1) out[n++] = *s++;
            continue;
        }
        if (*f == 'c') {
            out[n++] = va_arg(ap, int);
            continue;
        }
        uint64_t v = wide >= 2 ? va_arg(ap, uint64_t) : *f == 'd' ? (uint64_t)(int64_t)va_arg(ap, int) : va_arg(ap, unsigned);
        if (*f == 'd' && (int64_t)v < 0) out[n++] = '-', v = -v;
        char digits[24];
        int k = 0;
        // Without the library there is no 64-bit division.
        do {
            unsigned d = 0;
            if (*f == 'x') {
                d = v & 15, v >>= 4;
            } else {
                uint64_t q = 0;
                unsigned r = 0;
                for (int i = 63; i >= 0; i--) {
                    r = r << 1 | (v >> i & 1);
                    if (r >= 10) r -= 10, q |= 1ull << i;
                }
                d = r, v = q;
            }
            digits[k++] = "0123456789abcdef"[d];
        } while (v);
        while (k) out[n++] = digits[--k];
    }
    va_end(ap);
    put_text(out, n);
}

static int failures;
#define CHECK(c) ((c) ? (void)0 : (failures++, print("FAIL line %d: %s\n", __LINE__, #c)))
#define CHECK_EQ(a, b)                                                                                  \
    do {                                                                                                \
        long long va = (long long)(a), vb = (long long)(b);                                             \
        if (va != vb) failures++, print("FAIL line %d: %s is %lld, expected %lld\n", __LINE__, #a, va, vb); \
    } while (0)

static int done(const char *name) {
    print("%s: %s\n", name, failures ? "failed" : "ok");
    return failures != 0;
}

static char **envp_;
static uint32_t *auxv_;
__attribute__((unused)) static uint32_t aux(uint32_t kind) {
    for (uint32_t *p = auxv_; p[0]; p += 2)
        if (p[0] == kind) return p[1];
    return 0;
}

static int run(int argc, char **argv);
__attribute__((used)) void start_c(long *sp) {
    int argc = sp[0];
    char **argv = (char **)(sp + 1);
    envp_ = argv + argc + 1;
    char **p = envp_;
    while (*p) p++;
    auxv_ = (uint32_t *)(p + 1);
    sc(94, run(argc, argv));
}
