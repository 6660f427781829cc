// The flags that a handler sees when an access faults, or a signal comes, between a comparison and the next one.
#include "check.h"
#include <signal.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile unsigned seen[8];
static volatile int faults;
static void on_fault(int sig, siginfo_t *info, void *uc) {
    (void)sig, (void)info;
    mcontext_t *m = &((ucontext_t *)uc)->uc_mcontext;
    if (faults < 8) seen[faults] = m->pstate >> 28;
    faults++;
    m->pc += 4;
}

static const uint64_t edge[] = {0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, INT64_MAX, 1ull << 63, ~0ull};
#define N 10
// `insns` has one comparison or more, branches and accesses to x9, which is not mapped.
#define CASE(name, insns)                                                                                        \
    do {                                                                                                         \
        uint64_t h = 0;                                                                                          \
        for (int i = 0; i < N; i++)                                                                              \
            for (int j = 0; j < N; j++) {                                                                        \
                uint64_t f;                                                                                      \
                faults = 0;                                                                                      \
                asm volatile("mov x2, %1\n mov x3, %2\n mov x9, #16\n mov x4, #3\n mov x5, #0\n" insns "\n mrs %0, nzcv" \
                             : "=&r"(f)                                                                          \
                             : "r"(edge[i]), "r"(edge[j])                                                        \
                             : "cc", "memory", "x2", "x3", "x4", "x5", "x9");                                    \
                h = fnv(h, &f, 8);                                                                               \
                for (int k = 0; k < faults && k < 8; k++) {                                                      \
                    unsigned s = seen[k];                                                                        \
                    h = fnv(h, &s, 4);                                                                           \
                }                                                                                                \
            }                                                                                                    \
        printf("%-16s %016llx\n", name, (unsigned long long)h);                                                  \
    } while (0)

extern char loop_start[], loop_end[];
static volatile int ticks, wrong;
static void on_tick(int sig, siginfo_t *info, void *uc) {
    (void)sig, (void)info;
    mcontext_t *m = &((ucontext_t *)uc)->uc_mcontext;
    if (m->pc < (uint64_t)loop_start || m->pc >= (uint64_t)loop_end) return;
    ticks++;
    // x2 went down by one each time, from a positive number: C, and Z at the end.
    if (m->pstate >> 28 != (m->regs[2] ? 2 : 6)) wrong++;
}

int main(void) {
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &sa, 0);
    CASE("cmp, both ways", "cmp x2, x3\n b.ne 1f\n ldr x5, [x9]\n cmp x4, #1\n b 2f\n1: str x5, [x9]\n cmp x4, #2\n2:");
    CASE("cmp w", "cmp w2, w3\n b.hi 1f\n ldr x5, [x9]\n cmp x4, #1\n b 2f\n1: ldr x5, [x9]\n cmp x4, #2\n2:");
    CASE("cmp imm", "cmp x2, #1\n b.lt 1f\n ldr x5, [x9]\n tst x4, #1\n b 2f\n1: ldr x5, [x9]\n tst x4, #2\n2:");
    CASE("cmp imm, lsl", "cmp w2, #7, lsl #12\n b.lt 1f\n ldr x5, [x9]\n tst x4, #1\n1: ldr x5, [x9]\n tst x4, #2");
    CASE("cmn", "cmn x2, #1\n b.vs 1f\n ldr x5, [x9]\n cmp x4, #1\n1: ldr x5, [x9]\n cmp x4, #2");
    CASE("subs", "subs x2, x2, #1\n b.mi 1f\n ldr x5, [x9]\n cmp x4, #1\n1: ldr x5, [x9]\n cmp x4, #2");
    CASE("subs w", "subs w2, w2, w3\n b.ge 1f\n ldr x5, [x9]\n cmp x4, #1\n1: ldr x5, [x9]\n cmp x4, #2");
    CASE("subs, same", "subs x2, x2, x2\n b.ge 1f\n ldr x5, [x9]\n cmp x4, #1\n1: ldr x5, [x9]\n cmp x4, #2");
    CASE("adds", "adds x2, x2, x3\n b.vc 1f\n ldr x5, [x9]\n cmp x4, #1\n1: ldr x5, [x9]\n cmp x4, #2");
    CASE("adds w imm", "adds w2, w2, #5\n b.cc 1f\n ldr x5, [x9]\n cmp x4, #1\n1: ldr x5, [x9]\n cmp x4, #2");
    CASE("tst", "tst x2, x3\n b.eq 1f\n ldr x5, [x9]\n cmp x4, #1\n1: ldr x5, [x9]\n cmp x4, #2");
    CASE("ands w", "ands w2, w2, #0x80000001\n b.mi 1f\n ldr x5, [x9]\n cmp x4, #1\n1: ldr x5, [x9]\n cmp x4, #2");
    CASE("one block", "cmp x2, x3\n ldr x5, [x9]\n cmp w2, #3\n str x5, [x9]\n tst w3, #1\n ldr x5, [x9]\n cmp x4, #1");
    CASE("operand changes", "cmp x2, x3\n mov x2, x3\n ldr x5, [x9]\n cmp w2, #3\n b.eq 1f\n mov x2, #9\n ldr x5, [x9]\n1: cmp x4, #1");
    CASE("changes later", "cmp x2, x3\n b.lo 1f\n ldr x5, [x9]\n mov x2, #1\n mov x3, #7\n ldr x5, [x9]\n cmp x4, #1\n1: cmp x4, x3");
    CASE("two ahead", "cmp x2, x3\n b.lo 1f\n ldr x5, [x9]\n cbz x4, 2f\n ldr x5, [x9]\n tbz x4, #0, 2f\n1: ldr x5, [x9]\n2: cmp x4, x3");
    CASE("loop", "1: ldr x5, [x9]\n subs x4, x4, #1\n b.ne 1b\n ldr x5, [x9]\n cmp x2, x3");
    CASE("loop, two", "1: cmp x2, x3\n b.eq 2f\n ldr x5, [x9]\n tst x4, #1\n b.ne 2f\n ldr x5, [x9]\n2: subs w4, w4, #1\n b.gt 1b");
    CASE("read later", "cmp x2, x3\n b.lo 1f\n ldr x5, [x9]\n cset w4, hi\n cmp x4, #1\n1: ldr x5, [x9]\n adc x4, x4, x3\n cmp x4, x3");

    sa.sa_sigaction = on_tick;
    sigaction(SIGALRM, &sa, 0);
    struct itimerval tick = {{0, 1000}, {0, 1000}};
    setitimer(ITIMER_REAL, &tick, 0);
    for (int k = 0; k < 100000 && ticks < 20; k++)
        asm volatile("mov x2, #20000\n subs x2, x2, #1\n.globl loop_start, loop_end\nloop_start: add x3, x3, #1\n subs x2, x2, #1\n"
                     " add x4, x4, #2\n b.ne loop_start\nloop_end:" ::: "cc", "x2", "x3", "x4");
    tick = (struct itimerval){0};
    setitimer(ITIMER_REAL, &tick, 0);
    CHECK(ticks >= 20);
    CHECK_EQ(wrong, 0);
    return check_done("faultflags");
}
