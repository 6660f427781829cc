// test: oracle=skip
// Threads of a program without a library: thread pointer, futexes with 64-bit times, a requeued condition, a robust lock whose owner
// ends, atomics; vector registers over a signal handler.
#include "bare.h"
enum { clone_ = 220, exit_ = 93, futex_time64 = 422, gettid_ = 178, set_robust_list = 99, clock_gettime64 = 403, rt_sigaction = 134, tgkill = 131, getpid_ = 172,
    rt_sigtimedwait_time64 = 421, rt_sigprocmask = 135, sched_yield = 124 };
enum { THREADS = 4, ROUNDS = 300, PRIVATE = 128 };
struct timespec { int64_t sec; int32_t nsec; uint32_t junk; };
struct robust { struct robust *next; };
static struct { struct robust *next; long offset; struct robust *pending; } head;
static struct { struct robust link; uint32_t word; } lock;
static char stacks[THREADS][8192] __attribute__((aligned(16)));
static uint32_t tids[THREADS], tls[THREADS][4];

// The function and its argument wait on the child's stack.
static long spawn(int k, int (*fn)(int)) {
    uint32_t *top = (uint32_t *)(stacks[k] + sizeof stacks[k]) - 4;
    top[0] = k, top[1] = (uint32_t)fn;
    register long a0 __asm__("a0") = 0x3d0f00, a1 __asm__("a1") = (long)top, a2 __asm__("a2") = (long)&tids[k], a3 __asm__("a3") = (long)tls[k],
                  a4 __asm__("a4") = (long)&tids[k], a7 __asm__("a7") = clone_;
    __asm__ volatile("ecall\n bnez a0, 1f\n lw a0, 0(sp)\n lw t0, 4(sp)\n jalr t0\n li a7, 93\n ecall\n1:"
                     : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a7) : "memory", "t0", "ra");
    return a0;
}
static void join(int k) {
    uint32_t tid;
    // The kernel's wake-up is not a private one.
    while ((tid = __atomic_load_n(&tids[k], __ATOMIC_ACQUIRE))) sc(futex_time64, &tids[k], 0, tid, 0);
}

static uint32_t mutex, sum, adds, biggest, arrived, go, through, blocked;
static void acquire(void) {
    uint32_t v = 0;
    if (__atomic_compare_exchange_n(&mutex, &v, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
    while (__atomic_exchange_n(&mutex, 2, __ATOMIC_ACQUIRE)) sc(futex_time64, &mutex, 0 | PRIVATE, 2, 0);
}
static void release(void) {
    if (__atomic_exchange_n(&mutex, 0, __ATOMIC_RELEASE) == 2) sc(futex_time64, &mutex, 1 | PRIVATE, 1);
}
static int count(int k) {
    uint32_t *own;
    __asm__("mv %0, tp" : "=r"(own));
    for (int i = 0; i < ROUNDS; i++) {
        acquire();
        sum++;
        release();
        __atomic_fetch_add(&adds, k + 1, __ATOMIC_RELAXED);
        uint32_t mine = i * 4 + k, old = __atomic_load_n(&biggest, __ATOMIC_RELAXED);
        while (old < mine && !__atomic_compare_exchange_n(&biggest, &old, mine, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
        own[1]++;
    }
    own[2] = sc(gettid_);
    return 0;
}
static int wait_for_go(int k) {
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&go, __ATOMIC_ACQUIRE)) sc(futex_time64, &go, 0 | PRIVATE, 0, 0);
    __atomic_fetch_add(&through, 1, __ATOMIC_SEQ_CST);
    return 0;
}
static int die_with_lock(int k) {
    head.next = (struct robust *)&head, head.offset = (char *)&lock.word - (char *)&lock.link;
    CHECK_EQ(sc(set_robust_list, &head, sizeof head), 0);
    CHECK_EQ(sc(set_robust_list, &head, 24), -22);
    lock.word = sc(gettid_), lock.link.next = head.next, head.next = &lock.link;
    return 0;
}
// Waits for a blocked signal, which another thread sends.
static int wait_for_signal(int k) {
    uint32_t set[2] = {1 << 9, 0};
    CHECK_EQ(sc(rt_sigprocmask, 0, set, 0, 8), 0);
    __atomic_store_n(&blocked, 1, __ATOMIC_RELEASE);
    struct timespec t = {20, 0, 0xdeadbeef};
    int32_t info[32];
    CHECK_EQ(sc(rt_sigtimedwait_time64, set, info, &t, 8), 10);
    CHECK(info[0] == 10 && info[2] == -6 && info[3] == sc(getpid_));
    return 0;
}

static volatile int illegal;
static void handler(int sig, void *info, uint32_t *context) {
    illegal++;
    __asm__ volatile(".option push\n.option arch, +v\n vsetvli t0, zero, e8, m8, ta, ma\n vmv.v.i v0, 1\n vmv.v.i v24, 2\n csrwi vcsr, 0\n.option pop" : : : "t0");
    context[40] += 4;
}
static void vectors(void) {
    struct { void *handler; uint32_t flags, mask[2]; } a = {handler, 4, {0, 0}};
    CHECK_EQ(sc(rt_sigaction, 4, &a, 0, 8), 0);
    static uint32_t in[2][32], out[2][32];
    for (int i = 0; i < 32; i++) in[0][i] = i * 0x01010101u, in[1][i] = ~in[0][i];
    uint32_t vl, vtype, vcsr, bytes;
    __asm__ volatile(".option push\n.option arch, +v\n vl1re32.v v1, (%4)\n vl1re32.v v31, (%5)\n csrwi vcsr, 5\n vsetivli zero, 3, e16, m2, tu, mu\n"
                     " .word 0xc0001073\n csrr %0, vl\n csrr %1, vtype\n csrr %2, vcsr\n csrr %3, vlenb\n vs1r.v v1, (%6)\n vs1r.v v31, (%7)\n.option pop"
                     : "=&r"(vl), "=&r"(vtype), "=&r"(vcsr), "=&r"(bytes) : "r"(in[0]), "r"(in[1]), "r"(out[0]), "r"(out[1]) : "memory");
    CHECK_EQ(illegal, 1);
    CHECK_EQ(vl, 3);
    CHECK_EQ(vtype, 9);
    CHECK_EQ(vcsr, 5);
    CHECK(bytes >= 16 && same(in[0], out[0], bytes) && same(in[1], out[1], bytes));
    // Scalars are sign-extended to wider elements, and elements lose their upper halves; no type is in bit 31.
    uint32_t low, high, none;
    __asm__ volatile(".option push\n.option arch, +v\n vsetivli zero, 2, e64, m1, ta, ma\n vmv.v.x v1, %3\n vsrl.vi v2, v1, 16\n vsrl.vx v2, v2, %4\n"
                     " vmv.x.s %0, v1\n vmv.x.s %1, v2\n li t0, -1\n vsetvl zero, t0, t0\n csrr %2, vtype\n.option pop"
                     : "=&r"(low), "=&r"(high), "=&r"(none) : "r"(0x87654321), "r"(24) : "t0");
    CHECK(low == 0x87654321 && high == 0xffffff && none == 0x80000000);
}

static int run(int argc, char **argv) {
    for (int k = 0; k < THREADS; k++) CHECK(spawn(k, count) > 0);
    for (int k = 0; k < THREADS; k++) join(k);
    CHECK_EQ(sum, THREADS * ROUNDS);
    CHECK_EQ(adds, ROUNDS * (1 + 2 + 3 + 4));
    CHECK_EQ(biggest, ROUNDS * 4 - 1);
    for (int k = 0; k < THREADS; k++) CHECK(tls[k][1] == ROUNDS && tls[k][2] != 0 && tls[k][2] != (uint32_t)sc(gettid_));

    // All but one go over to another word, where they are woken.
    static uint32_t other;
    for (int k = 0; k < THREADS; k++) spawn(k, wait_for_go);
    while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) < THREADS) sc(sched_yield);
    CHECK_EQ(sc(futex_time64, &go, 4 | PRIVATE, 1, 100, &other, 7), -11);
    int moved = 0;
    while (moved < THREADS - 1) moved += sc(futex_time64, &go, 3 | PRIVATE, 0, THREADS - 1 - moved, &other, 0);
    __atomic_store_n(&go, 1, __ATOMIC_RELEASE);
    CHECK_EQ(sc(futex_time64, &other, 1 | PRIVATE, 100), THREADS - 1);
    sc(futex_time64, &go, 1 | PRIVATE, 100);
    for (int k = 0; k < THREADS; k++) join(k);
    CHECK_EQ(through, THREADS);

    // A time past 2038 is far away; one before now is over.
    struct timespec now, past = {1, 0, 0xcafebabe}, bad = {0, 1000000000, 0};
    sc(clock_gettime64, 1, &now);
    CHECK_EQ(sc(futex_time64, &go, 9 | PRIVATE, 1, &past, 0, -1), -110);
    CHECK_EQ(sc(futex_time64, &go, 9 | PRIVATE, 1, &bad, 0, -1), -22);
    CHECK_EQ(sc(futex_time64, &go, 9 | PRIVATE, 0, &now, 0, -1), -11);

    spawn(0, die_with_lock);
    join(0);
    CHECK(lock.word & 0x40000000);
    long tid = spawn(1, wait_for_signal);
    while (!__atomic_load_n(&blocked, __ATOMIC_ACQUIRE)) sc(sched_yield);
    CHECK_EQ(sc(tgkill, sc(getpid_), tid, 10), 0);
    join(1);
    vectors();
    return done("threads");
}
