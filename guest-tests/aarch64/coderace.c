// test: flags=-pthread timeout=240
// Threads that jump, call and return through code which other threads invalidate all the time, with signals by timer; a
// loop that only a change of its code ends. RACES=1000 in the environment multiplies the time by ten.
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

#define NOP 0xd503201fu
#define MOVX(rd, rm) (0xaa0003e0u | (rm) << 16 | (rd))
#define ADDX(rd, rn, imm) (0x91000000u | (imm) << 10 | (rn) << 5 | (rd))
#define SUBX(rd, rn, imm) (0xd1000000u | (imm) << 10 | (rn) << 5 | (rd))
#define CBZX(rt, off) (0xb4000000u | (((off) >> 2) & 0x7ffff) << 5 | (rt))
#define ADR(rd, off) (0x10000000u | ((off) & 3) << 29 | (((off) >> 2) & 0x7ffff) << 5 | (rd))
#define B(off) (0x14000000u | (((off) >> 2) & 0x3ffffff))
#define BL(off) (0x94000000u | (((off) >> 2) & 0x3ffffff))
#define BR(rn) (0xd61f0000u | (rn) << 5)
#define BLR(rn) (0xd63f0000u | (rn) << 5)
#define RETX(rn) (0xd65f0000u | (rn) << 5)
#define RET RETX(30)
#define SVC 0xd4000001u
#define MOVZX(rd, imm) (0xd2800000u | (imm) << 5 | (rd))

static void flush(void *p, size_t n) { __builtin___clear_cache((char *)p, (char *)p + n); }
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static uint32_t *code;
static volatile int stop;
static volatile long signals, strange;
static void tick(int sig, siginfo_t *info, void *context) {
    // The code there is, and this program.
    uint64_t pc = ((ucontext_t *)context)->uc_mcontext.pc;
    if (!pc || pc & 3 || pc >> 47) strange++;
    signals++;
}

// Each adds `x0` loops to `x0` ways; all return n + 1 for n.
enum { RETURNS, JUMPS, CALLS, ASKS, WAYS };
static uint32_t *way(int n) { return code + n * 256; }
static void write_ways(void) {
    // Every round ends in a return that no call belongs to.
    uint32_t *c = way(RETURNS), *loop;
    *c++ = MOVX(9, 30);
    *c++ = MOVX(1, 0);
    loop = c;
    *c++ = CBZX(0, 16);
    *c++ = SUBX(0, 0, 1);
    *c = ADR(30, (loop - c) * 4), c++;
    *c++ = RET;
    *c++ = ADDX(0, 1, 1);
    *c++ = RETX(9);
    // In an indirect jump.
    c = way(JUMPS);
    *c++ = MOVX(1, 0);
    loop = c;
    *c++ = CBZX(0, 16);
    *c++ = SUBX(0, 0, 1);
    *c = ADR(10, (loop - c) * 4), c++;
    *c++ = BR(10);
    *c++ = ADDX(0, 1, 1);
    *c++ = RET;
    // In a direct and an indirect call.
    c = way(CALLS);
    *c++ = MOVX(9, 30);
    *c++ = MOVX(1, 0);
    *c++ = ADR(10, 36);
    loop = c;
    *c++ = CBZX(0, 20);
    *c++ = SUBX(0, 0, 1);
    *c++ = BL(24);
    *c++ = BLR(10);
    *c = B((loop - c) * 4), c++;
    *c++ = ADDX(0, 1, 1);
    *c++ = RETX(9);
    *c++ = NOP;
    *c++ = RET;
    // In a system call.
    c = way(ASKS);
    *c++ = MOVX(9, 0);
    *c++ = MOVX(10, 0);
    loop = c;
    *c++ = CBZX(10, 20);
    *c++ = SUBX(10, 10, 1);
    *c++ = MOVZX(8, SYS_sched_yield);
    *c++ = SVC;
    *c = B((loop - c) * 4), c++;
    *c++ = ADDX(0, 9, 1);
    *c++ = RET;
    flush(code, 65536);
}

static void *runner(void *a) {
    long (*f)(long) = (long (*)(long))way((long)a);
    long bad = 0, n = (long)a == ASKS ? 20 : 1000;
    while (!stop) bad += f(n) != n + 1;
    return (void *)bad;
}
static void *changer(void *a) {
    for (long i = 0; !stop; i++) {
        uint32_t *p = way(i % WAYS);
        // Sometimes all of it by an unmapped neighbour's way: protection.
        if (i % 64 == 63) mprotect(code, 65536, PROT_READ | PROT_WRITE | PROT_EXEC);
        else flush(p, 64);
    }
    return NULL;
}

static void race(double seconds) {
    write_ways();
    struct sigaction act = {.sa_sigaction = tick, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGPROF, &act, NULL);
    struct itimerval often = {{0, 700}, {0, 700}}, never = {{0, 0}, {0, 0}};
    pthread_t t[WAYS], change;
    stop = 0;
    setitimer(ITIMER_PROF, &often, NULL);
    for (long i = 0; i < WAYS; i++) CHECK(!pthread_create(&t[i], NULL, runner, (void *)i));
    CHECK(!pthread_create(&change, NULL, changer, NULL));
    for (double end = now() + seconds; now() < end;) usleep(1000);
    stop = 1;
    for (int i = 0; i < WAYS; i++) {
        void *bad;
        pthread_join(t[i], &bad);
        CHECK(!bad);
    }
    pthread_join(change, NULL);
    setitimer(ITIMER_PROF, &never, NULL);
    CHECK(signals > 0);
    CHECK(!strange);
    printf("race\n");
}

// A loop whose own branch becomes a NOP, and one that jumps elsewhere from then on.
static volatile long entered;
static void *looper(void *a) {
    long (*f)(volatile long *) = (long (*)(volatile long *))code;
    return (void *)f(&entered);
}
static void patched(void) {
    for (int round = 0; round < 20; round++) {
        uint32_t *c = code;
        entered = 0;
        *c++ = MOVZX(1, 1);
        *c++ = 0xf9000001u; // str x1, [x0]
        *c++ = MOVZX(0, 7);
        uint32_t *loop = c;
        *c++ = round % 2 ? B(0) : NOP;
        *c = B((loop - c) * 4), c++;
        *c++ = ADDX(0, 0, 1);
        *c++ = RET;
        flush(code, 64);
        pthread_t t;
        CHECK(!pthread_create(&t, NULL, looper, NULL));
        while (!entered) sched_yield();
        usleep(100 * round);
        uint32_t *change = round % 2 ? loop : loop + 1;
        __atomic_store_n(change, round % 2 ? B(8) : NOP, __ATOMIC_RELEASE);
        flush(change, 4);
        void *r;
        pthread_join(t, &r);
        CHECK_EQ((long)r, 8);
    }
    printf("patched\n");
}

int main(void) {
    code = mmap(NULL, 65536, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(code != MAP_FAILED);
    alarm(200);
    race(getenv("RACES") ? atol(getenv("RACES")) / 100.0 : scaled(1000) / 1000.0);
    patched();
    return check_done("coderace");
}
