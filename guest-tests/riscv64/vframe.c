// test: flags=-pthread oracle=skip
// Vector state in signal frames: exact at a fault and at a sent signal, changes by the handler kept, each thread its own;
// what the kernel says of vectors.
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

struct v_state { uint64_t vstart, vl, vtype, vcsr, vlenb; uint8_t *data; };
struct ctx { uint32_t magic, size; };
static struct {
    int seen, sig, end_ok;
    struct v_state v;
    uint8_t data[32 * 128];
    uint32_t size;
} got;
static int change, skip;

static struct v_state *find(ucontext_t *uc, struct ctx **header) {
    // The union of floating-point states has 528 bytes; the header of the first extension is its last words.
    char *fp = (char *)&uc->uc_mcontext.__fpregs;
    struct ctx *h = (struct ctx *)(fp + 520);
    *header = h;
    return h->magic == 0x53465457 ? (struct v_state *)(h + 1) : NULL;
}
static void handler(int sig, siginfo_t *si, void *p) {
    ucontext_t *uc = p;
    struct ctx *h;
    struct v_state *v = find(uc, &h);
    got.seen = v != NULL, got.sig = sig;
    if (v) {
        got.v = *v, got.size = h->size;
        memcpy(got.data, v->data, 32 * v->vlenb);
        struct ctx *end = (struct ctx *)((char *)h + h->size);
        got.end_ok = end->magic == 0 && end->size == 0 && (char *)v->data == (char *)(v + 1);
        if (change) {
            memset(v->data + 5 * v->vlenb, 0x5a, v->vlenb);
            v->vl = 2, v->vtype = 0x18, v->vcsr = 3;
        }
    }
    if (skip) uc->uc_mcontext.__gregs[0] += 4;
    // A handler may use vectors itself.
    asm volatile(".option push\n .option arch, +v\n vsetvli t0, zero, e8, m8, ta, ma\n vmv.v.i v0, 7\n vmv.v.i v8, 7\n vmv.v.i v16, 7\n vmv.v.i v24, 7\n .option pop" ::: "t0", "memory");
}

static uint8_t in[32 * 128], out[32 * 128];
static uint64_t vlenb, vl_out, vtype_out, vcsr_out;
// Loads all registers, sets vl and vtype, executes one instruction, stores what is there afterwards.
#define AROUND(insn, arg)                                                                                     \
    asm volatile(".option push\n .option arch, +v\n .option norvc\n vsetvli t0, zero, e8, m8, tu, mu\n mv t1, %0\n vl8r.v v0, (t1)\n add t1, t1, t0\n" \
                 "vl8r.v v8, (t1)\n add t1, t1, t0\n vl8r.v v16, (t1)\n add t1, t1, t0\n vl8r.v v24, (t1)\n"    \
                 "li t0, 5\n vsetvli zero, t0, e16, m2, tu, mu\n csrwi vcsr, 6\n mv a0, %2\n" insn "\n"         \
                 "csrr t0, vl\n sd t0, 0(%3)\n csrr t0, vtype\n sd t0, 8(%3)\n csrr t0, vcsr\n sd t0, 16(%3)\n" \
                 "vsetvli t0, zero, e8, m8, tu, mu\n mv t1, %1\n vs8r.v v0, (t1)\n add t1, t1, t0\n vs8r.v v8, (t1)\n add t1, t1, t0\n" \
                 "vs8r.v v16, (t1)\n add t1, t1, t0\n vs8r.v v24, (t1)\n .option pop" ::"r"(in), "r"(out), "r"(arg), "r"(regs) \
                 : "t0", "t1", "a0", "a1", "a7", "memory")
static uint64_t regs[3];
static void check_all(const char *what, int sig, int expect_change) {
    int before = check_failures;
    CHECK_EQ(got.sig, sig);
    CHECK(got.seen);
    CHECK(got.end_ok);
    CHECK_EQ(got.v.vlenb, vlenb);
    CHECK_EQ(got.size, 8 + 48 + 32 * vlenb);
    CHECK_EQ(got.v.vl, 5);
    CHECK_EQ(got.v.vtype, 9);
    CHECK_EQ(got.v.vcsr, 6);
    CHECK_EQ(got.v.vstart, 0);
    CHECK(!memcmp(got.data, in, 32 * vlenb));
    if (expect_change) memset(in + 5 * vlenb, 0x5a, vlenb);
    CHECK(!memcmp(out, in, 32 * vlenb));
    CHECK_EQ(regs[0], expect_change ? 2 : 5);
    CHECK_EQ(regs[1], expect_change ? 0x18 : 9);
    CHECK_EQ(regs[2], expect_change ? 3 : 6);
    printf("%s %s\n", what, check_failures == before ? "exact" : "wrong");
}
static void *thread(void *arg) {
    uint64_t sum = 0;
    for (int i = 0; i < 2000; i++) {
        uint64_t v;
        asm volatile(".option push\n .option arch, +v\n vsetivli zero, 2, e64, m1, ta, ma\n vmv.v.x v9, %1\n li a7, 172\n ecall\n vmv.x.s %0, v9\n .option pop"
                     : "=r"(v) : "r"((long)arg + i) : "a0", "a7", "memory");
        sum += v - i;
    }
    return (void *)sum;
}

int main(void) {
    struct sigaction sa = {.sa_flags = SA_SIGINFO};
    sa.sa_sigaction = handler;
    sigaction(SIGSEGV, &sa, NULL), sigaction(SIGUSR1, &sa, NULL), sigaction(SIGILL, &sa, NULL);
    CHECK(getauxval(AT_HWCAP) >> ('v' - 'a') & 1);
    asm volatile(".option push\n .option arch, +v\n csrr %0, vlenb\n .option pop" : "=r"(vlenb));
    CHECK(getauxval(51) >= 1088 + 56 + 32 * vlenb);
    uint64_t seed = 1;
    for (int i = 0; i < sizeof in; i++) in[i] = rnd(&seed);
    char *hole = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    skip = 1;
    AROUND("ld a1, 0(a0)", hole);
    check_all("ld", SIGSEGV, 0);
    AROUND("vle16.v v4, (a0)", hole);
    check_all("vle16.v", SIGSEGV, 0);
    AROUND("vse8.v v4, (a0)", hole);
    check_all("vse8.v", SIGSEGV, 0);
    AROUND(".word 0", hole);
    check_all("illegal", SIGILL, 0);
    skip = 0;
    // Not a library call: that may use vectors, and no call keeps them.
    AROUND("li a7, 130\n li a1, 10\n ecall", (long)syscall(SYS_gettid));
    check_all("signal", SIGUSR1, 0);
    change = 1, skip = 1;
    AROUND("ld a1, 0(a0)", hole);
    check_all("changed", SIGSEGV, 1);
    // A fault in the middle of a vector access: vstart says where.
    change = 0;
    char *edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(edge + 4096, 4096, PROT_NONE);
    asm volatile(".option push\n .option arch, +v\n .option norvc\n vsetivli zero, 8, e16, m1, ta, ma\n vle16.v v3, (%0)\n .option pop" ::"r"(edge + 4096 - 6) : "memory");
    CHECK_EQ(got.v.vstart, 3);
    asm volatile(".option push\n .option arch, +v\n csrw vstart, zero\n .option pop");
    printf("vstart %d\n", (int)got.v.vstart);
    pthread_t t[4];
    for (long i = 0; i < 4; i++) pthread_create(&t[i], NULL, thread, (void *)(i * 1000));
    uint64_t total = 0;
    for (int i = 0; i < 4; i++) {
        void *r;
        pthread_join(t[i], &r);
        total += (uint64_t)r;
    }
    CHECK_EQ(total, 6000ull * 2000);
    // Control of vectors, and the probe that asks which processors have them.
    CHECK_EQ(prctl(70, 0, 0, 0, 0) & 3, 2);
    CHECK_EQ(prctl(69, 2, 0, 0, 0), 0);
    struct { int64_t key; uint64_t value; } pair[2] = {{4, 1 << 2 | 3}, {3, 1}};
    uint64_t cpus[16] = {0};
    CHECK_EQ(syscall(258, pair, 2L, sizeof cpus, cpus, 1L), 0);
    CHECK(cpus[0] != 0);
    pair[0].value = 1ull << 63;
    CHECK_EQ(syscall(258, pair, 1L, sizeof cpus, cpus, 1L), 0);
    CHECK_EQ(cpus[0], 0);
    return check_done("vframe");
}
