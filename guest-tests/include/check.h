// Helpers of the guest programs. A program prints one line per fact and exits 0; a failed CHECK prints where and
// makes the exit status 1. Nothing printed may depend on the machine, on time, or on scaled().
#pragma once
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// Its name where `long` has 32 bits.
#if !defined SYS_newfstatat && defined SYS_fstatat64
#define SYS_newfstatat SYS_fstatat64
#endif

static int check_failures;

__attribute__((unused)) static void check_fail(const char *file, int line, const char *what) {
    const char *slash = strrchr(file, '/');
    int e = errno;
    printf("FAIL %s:%d: %s (errno %d)\n", slash ? slash + 1 : file, line, what, e);
    fflush(stdout);
    check_failures++;
}

#define CHECK(c) ((c) ? (void)0 : check_fail(__FILE__, __LINE__, #c))
// The call must fail with this errno.
#define FAILS(call, err) (errno = 0, (long)(call) == -1 && errno == (err) ? (void)0 : check_fail(__FILE__, __LINE__, #call " fails with " #err))
#define CHECK_EQ(a, b)                                                                                     \
    do {                                                                                                   \
        long long check_a = (long long)(a), check_b = (long long)(b);                                      \
        if (check_a != check_b) {                                                                          \
            printf("FAIL %s:%d: %s is %lld (%#llx), expected %lld (%#llx)\n", __FILE__, __LINE__, #a, \
                   check_a, check_a, check_b, check_b);                                                    \
            check_failures++;                                                                              \
        }                                                                                                  \
    } while (0)

__attribute__((unused)) static int check_done(const char *name) {
    printf("%s: %s\n", name, check_failures ? "failed" : "ok");
    fflush(stdout);
    return check_failures != 0;
}

// A loop count for load tests: smaller in slow modes of the emulator.
__attribute__((unused)) static long scaled(long n) {
    const char *s = getenv("SCALE");
    long percent = s ? atol(s) : 100;
    long r = n * percent / 100;
    return r > 0 ? r : 1;
}

// FNV-1a over bytes, for checksums that are printed.
__attribute__((unused)) static uint64_t fnv(uint64_t h, const void *p, size_t n) {
    const unsigned char *b = p;
    if (!h) h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++) h = (h ^ b[i]) * 0x100000001b3u;
    return h;
}

// A small generator, the same on every machine.
__attribute__((unused)) static uint64_t rnd(uint64_t *s) {
    uint64_t z = (*s += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// Lines appear as they are printed, so that a hang shows how far the program came, and fork() duplicates nothing.
__attribute__((constructor)) static void check_line_buffered(void) { setvbuf(stdout, NULL, _IOLBF, 0); }
