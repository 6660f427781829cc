// test: oracle=skip
// Signals: the frame and siginfo of the 32-bit ABI, faults with exact registers, alternate stack, queued values, threads.
#include "bare.h"
enum { rt_sigaction = 134, rt_sigprocmask = 135, rt_sigpending, rt_sigqueueinfo = 138, sigaltstack = 132, rt_sigsuspend = 133, getpid_ = 172, gettid_ = 178,
    kill_ = 129, tgkill = 131, mmap2 = 222, munmap = 215, clone_ = 220, futex_time64 = 422, exit_ = 93, set_tid_address = 96, wait4_ = 260, waitid_ = 95,
    execve_ = 221, exit_group_ = 94, pipe2 = 59, dup3 = 24, read_ = 63, write_ = 64, close_ = 57, signalfd4 = 74, getppid_ = 173 };
struct sigaction { void *handler; uint32_t flags; uint64_t mask; } __attribute__((packed, aligned(4)));
struct stack { void *sp; int32_t flags; uint32_t size; };
struct ucontext { uint32_t flags, link; struct stack stack; uint64_t mask __attribute__((packed)); char unused[120] ; uint32_t pad[3]; uint32_t regs[32]; uint64_t f[32]; uint32_t fcsr; };
static int act(int sig, void *h, uint32_t flags) {
    struct sigaction a = {h, flags, 0};
    return sc(rt_sigaction, sig, &a, 0, 8);
}
static volatile struct { int sig, count; int32_t info[8]; uint32_t regs[32]; uint64_t f7; uint32_t fcsr; void *sp; } got;
static int skip;
static void handler(int sig, int32_t *info, struct ucontext *uc) {
    got.sig = sig, got.count++;
    for (int i = 0; i < 8; i++) got.info[i] = info[i];
    for (int i = 0; i < 32; i++) got.regs[i] = uc->regs[i];
    got.f7 = uc->f[7], got.fcsr = uc->fcsr;
    char here;
    got.sp = &here;
    if (skip) uc->regs[0] += 4, uc->regs[18] = 0x1818, uc->f[7] = 0x7777;
}
__attribute__((used)) uint32_t s2_out;
__attribute__((used)) uint64_t f7_out;
extern char fault_at[];
__attribute__((naked, noinline)) static void fault(uint32_t base) {
    __asm__(".option push\n .option norvc\n addi sp, sp, -16\n sw s2, 0(sp)\n sw s3, 4(sp)\n li s2, 0xdead1200\n li s3, -3\n"
            "fcvt.d.w f7, s3\n li t0, 0x21\n fscsr t0\n"
            ".globl fault_at\nfault_at: sw s2, 20(a0)\n"
            "la t0, s2_out\n sw s2, 0(t0)\n la t0, f7_out\n fsd f7, 0(t0)\n fscsr zero\n lw s2, 0(sp)\n lw s3, 4(sp)\n addi sp, sp, 16\n ret\n .option pop");
}

static volatile uint32_t child_word, shared_count;
static char stacks[2][16384] __attribute__((aligned(16)));
static volatile uint32_t tls_seen[2];
static long thread(char *stack, int n, volatile uint32_t *tid) {
    // clone(flags, stack, parent tid, tls, child tid)
    register long a0 __asm__("a0") = 0x3d0f00, a1 __asm__("a1") = (long)stack, a2 __asm__("a2") = (long)tid, a3 __asm__("a3") = 0x1000 + n,
                  a4 __asm__("a4") = (long)tid, a7 __asm__("a7") = 220;
    __asm__ volatile("ecall\n bnez a0, 1f\n mv a0, sp\n mv a1, tp\n call thread_body\n li a7, 93\n li a0, 0\n ecall\n1:"
                     : "+r"(a0) : "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a7) : "memory", "ra", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a5", "a6");
    return a0;
}
__attribute__((used)) void thread_body(char *stack, uint32_t tp) {
    tls_seen[tp & 1] = tp;
    for (int i = 0; i < 10000; i++) __atomic_fetch_add(&shared_count, 1, 5);
}

static int run(int argc, char **argv) {
    if (argc == 3) {
        print("child %s %s %s\n", argv[1], argv[2], envp_[0]);
        return 7;
    }
    CHECK_EQ(sizeof(struct sigaction), 16);
    CHECK_EQ(__builtin_offsetof(struct ucontext, regs), 160);
    CHECK_EQ(act(11, handler, 4), 0);
    CHECK_EQ(act(10, handler, 4), 0);
    CHECK_EQ(act(40, handler, 4 | 0x08000000), 0);
    char *page = (char *)sc(mmap2, 0, 4096, 3, 0x22, -1, 0);
    sc(munmap, page, 4096);
    for (skip = 1; got.count < 3;) {
        fault((uint32_t)page);
        CHECK_EQ(got.sig, 11);
        CHECK_EQ(got.info[0], 11);
        CHECK_EQ(got.info[2], 1);
        CHECK_EQ((uint32_t)got.info[3], (uint32_t)page + 20);
        CHECK_EQ(got.regs[0], (uint32_t)fault_at);
        CHECK_EQ(got.regs[10], (uint32_t)page);
        CHECK_EQ(got.regs[18], 0xdead1200u);
        CHECK_EQ(got.regs[19], (uint32_t)-3);
        CHECK_EQ(got.f7, 0xc008000000000000);
        CHECK_EQ(got.fcsr, 0x21);
        CHECK_EQ(s2_out, 0x1818);
        CHECK_EQ(f7_out, 0x7777);
    }
    skip = 0;
    sc(kill_, sc(getpid_), 10);
    CHECK_EQ(got.sig, 10);
    CHECK_EQ(got.info[3], sc(getpid_));
    // Queued, with a value, on the alternate stack.
    static char alt[16384];
    struct stack ss = {alt, 0, sizeof alt}, old;
    CHECK_EQ(sc(sigaltstack, &ss, &old), 0);
    CHECK_EQ(old.flags, 2);
    int32_t info[32] = {40, 0, -1, sc(getpid_), 77, 0x5a5a5a5a};
    CHECK_EQ(sc(rt_sigqueueinfo, sc(getpid_), 40, info), 0);
    CHECK_EQ(got.sig, 40);
    CHECK_EQ(got.info[2], -1);
    CHECK_EQ(got.info[4], 77);
    CHECK_EQ(got.info[5], 0x5a5a5a5a);
    CHECK((char *)got.sp > alt && (char *)got.sp < alt + sizeof alt);
    // Masks above bit 31, pending, sigsuspend, signalfd.
    uint64_t set = 1ull << 39, pending = 0;
    CHECK_EQ(sc(rt_sigprocmask, 0, &set, 0, 8), 0);
    int before = got.count;
    info[5] = 9;
    CHECK_EQ(sc(rt_sigqueueinfo, sc(getpid_), 40, info), 0);
    CHECK_EQ(sc(rt_sigpending, &pending, 8), 0);
    CHECK_EQ(pending, set);
    CHECK_EQ(got.count, before);
    uint64_t none = 0;
    CHECK_EQ(sc(rt_sigsuspend, &none, 8), -4);
    CHECK_EQ(got.count, before + 1);
    CHECK_EQ(sc(rt_sigqueueinfo, sc(getpid_), 40, info), 0);
    int sfd = sc(signalfd4, -1, &set, 8, 0);
    uint32_t si[32];
    CHECK_EQ(sc(read_, sfd, si, 128), 128);
    CHECK_EQ(si[0], 40);
    // Threads: their own thread pointer, a shared counter, the word that the kernel clears.
    static volatile uint32_t tids[2];
    for (int i = 0; i < 2; i++) {
        long tid = thread(stacks[i] + sizeof stacks[i], i, &tids[i]);
        CHECK(tid > 0);
        for (uint32_t v; (v = tids[i]);) sc(futex_time64, &tids[i], 0, v, 0);
    }
    CHECK_EQ(shared_count, 20000);
    CHECK(tls_seen[0] == 0x1000 && tls_seen[1] == 0x1001);
    // A child that execs: vectors of 32-bit pointers; waiting with structures.
    int p[2];
    sc(pipe2, p, 0);
    long pid = sc(clone_, 17, 0, 0, 0, 0);
    if (pid == 0) {
        char *args[] = {argv[0], "one", "two words", 0}, *env[] = {"A=b", 0};
        sc(dup3, p[1], 1, 0);
        sc(execve_, "/proc/self/exe", args, env);
        sc(exit_group_, 1);
    }
    sc(close_, p[1]);
    char text[64];
    int n = sc(read_, p[0], text, 64);
    CHECK(n == 24 && same(text, "child one two words A=b\n", 24));
    int32_t w[32];
    uint32_t ru[18];
    memset(w, 0x11, sizeof w);
    CHECK_EQ(sc(waitid_, 1, pid, w, 4 | 0x01000000, ru), 0);
    CHECK(w[0] == 17 && w[1] == 0 && w[2] == 1 && w[3] == pid && w[5] == 7 && w[6] == 0x11111111);
    int status = 0;
    if (sc(wait4_, pid, &status, 0, ru) == -38) CHECK_EQ(sc(waitid_, 1, pid, w, 4, 0), 0);
    // A child that dies of a signal.
    pid = sc(clone_, 17, 0, 0, 0, 0);
    if (pid == 0) {
        act(11, 0, 0);
        *(volatile int *)8 = 1;
    }
    CHECK_EQ(sc(waitid_, 1, pid, w, 4, 0), 0);
    CHECK((w[2] == 2 || w[2] == 3) && w[5] == 11);
    CHECK_EQ(sc(waitid_, 1, pid, w, 4, 0), -10);
    return done("signals");
}
