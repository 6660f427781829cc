// test: oracle=skip
// FEAT_LSE2: atomic and ordered accesses that are misaligned work inside 16 aligned bytes and fault (SIGBUS, BUS_ADRALN)
// where they leave them.
#include "check.h"
#include <setjmp.h>
#include <signal.h>

static sigjmp_buf out;
static volatile int code;
static void handler(int s, siginfo_t *i, void *uc) {
    (void)s, (void)uc;
    code = i->si_code;
    siglongjmp(out, 1);
}

static uint8_t mem[64] __attribute__((aligned(64)));

#define TRY(name, ...)                                                                     \
    do {                                                                                   \
        for (int o = 0; o < 20; o++) {                                                     \
            for (int k = 0; k < 64; k++) mem[k] = k * 7 + 1;                               \
            uint8_t *p = mem + o;                                                          \
            uint64_t r = 0, s = 0;                                                         \
            (void)p, (void)r, (void)s;                                                     \
            if (sigsetjmp(out, 1)) {                                                       \
                printf("%s +%d: fault %d\n", name, o, code);                               \
                continue;                                                                  \
            }                                                                              \
            asm volatile(__VA_ARGS__ : "+r"(r), "+r"(s) : "r"(p) : "memory");              \
            printf("%s +%d: %llx %llx mem %llx\n", name, o, (long long)r, (long long)s,    \
                   (long long)fnv(0, mem, 64));                                            \
        }                                                                                  \
    } while (0)

int main(void) {
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGBUS, &sa, NULL);
    TRY("ldar", "ldar %0, [%2]");
    TRY("ldarh", "ldarh %w0, [%2]");
    TRY("stlr", "mov %0, #0x55\n stlr %w0, [%2]");
    TRY("ldxr", "1: ldxr %0, [%2]\n stlxr %w1, %0, [%2]\n cbnz %w1, 1b");
    TRY("ldadd", ".arch armv8.6-a\n mov %0, #3\n ldaddal %w0, %w1, [%2]");
    TRY("cas", ".arch armv8.6-a\n ldr %0, [%2]\n mov %1, #9\n casal %0, %1, [%2]");
    TRY("swp", ".arch armv8.6-a\n mov %0, #-1\n swph %w0, %w1, [%2]");
    TRY("ldapr", ".arch armv8.6-a\n ldapr %w0, [%2]");
    TRY("ldxp", "1: ldxp %w0, %w1, [%2]\n stxp w9, %w0, %w1, [%2]\n cbnz w9, 1b\n mov x9, #0");
    return check_done("lse2");
}
