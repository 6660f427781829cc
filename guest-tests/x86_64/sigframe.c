// test: link=static,dynamic
// Signal frames: where they lie, what is in them, what the handler's registers are, and that sigreturn takes all of it back.
#define _GNU_SOURCE
#include "check.h"
#include <signal.h>
#include <sys/syscall.h>
#include <ucontext.h>

#ifdef __x86_64__
#define FLAGS "pushfq; pop %0"
typedef unsigned long word;
#define FPSIZE_AT(fp) (fp)
#define FRONT 0
#else
#define FLAGS "pushfl; pop %0"
typedef unsigned word;
// The 387's form stands in front of the area.
#define FPSIZE_AT(fp) ((char *)(fp) + 112)
#define FRONT 112
#endif

static volatile int seen, how;
static volatile word handler_flags, handler_sp;
static ucontext_t *volatile context;
static uint32_t u32(const void *p, int at) {
    uint32_t v;
    memcpy(&v, (const char *)p + at, 4);
    return v;
}

static void handler(int s, siginfo_t *si, void *p) {
    word f, sp;
    asm volatile(FLAGS : "=r"(f));
    asm volatile("mov %%" 
#ifdef __x86_64__
        "rsp"
#else
        "esp"
#endif
        ",%0" : "=r"(sp));
    handler_flags = f, handler_sp = sp;
    ucontext_t *uc = p;
    greg_t *g = uc->uc_mcontext.gregs;
    context = uc;
    seen++;
    CHECK_EQ(s, SIGUSR1);
    CHECK_EQ(si->si_signo, SIGUSR1);
    CHECK_EQ(uc->uc_link == NULL, 1);
    char *area = (char *)FPSIZE_AT(uc->uc_mcontext.fpregs);
    CHECK_EQ((uintptr_t)area % 64, 0);
    if (how == 0) {
        // The software words: the area's size, the components, and the second magic number behind it.
        CHECK_EQ(u32(area, 464), 0x46505853);
        uint32_t size = u32(area, 480);
        CHECK_EQ(u32(area, 468), size + 4 + FRONT);
        CHECK_EQ(u32(area, size), 0x46505845);
        CHECK_EQ(u32(area, 472) & 3, 3);
        CHECK_EQ(u32(area, 512) & 3 & ~u32(area, 472), 0);
#ifdef __x86_64__
        printf("flags %#lx\n", uc->uc_flags & ~0UL);
        CHECK_EQ((uintptr_t)uc % 16, 0);
        printf("context to siginfo: %ld\n", (long)((char *)si - (char *)uc));
        CHECK_EQ((unsigned short)(g[REG_CSGSFS] >> 48), 0x2b);
        CHECK_EQ((unsigned short)g[REG_CSGSFS], 0x33);
#else
        printf("flags %#lx\n", (long)uc->uc_flags);
        printf("siginfo to context: %ld\n", (long)((char *)uc - (char *)si));
        CHECK_EQ(g[REG_CS] & 0xffff, 0x23);
        CHECK_EQ(g[REG_SS] & 0xffff, 0x2b);
        CHECK_EQ(g[REG_UESP], g[REG_ESP]);
#endif
    } else if (how == 1) {
        // Everything that is changed here is there afterwards.
#ifdef __x86_64__
        g[REG_RBX] = 0x1122334455667788, g[REG_R12] = 0x99aabbccddeeff00;
        g[REG_EFL] |= 0x400 | 1;
#else
        g[REG_EBX] = 0x11223344, g[REG_ESI] = 0x99aabbcc;
        g[REG_EFL] |= 0x400 | 1;
#endif
        memset(area + 160 + 16 * 3, 0x5a, 16);
    }
}

static void old_handler(int s) {
    seen += s;
}

static long raise_here(void) {
    return syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
}

int main(void) {
    struct sigaction sa = {.sa_flags = SA_SIGINFO};
    sa.sa_sigaction = handler;
    sigaction(SIGUSR1, &sa, NULL);
    raise_here();
    CHECK_EQ(seen, 1);

    how = 1;
    word bx, other, flags;
    unsigned char x[16];
    long pid = getpid(), tid = syscall(SYS_gettid);
#ifdef __x86_64__
    asm volatile("pxor %%xmm3,%%xmm3; syscall; pushfq; pop %2; cld; mov %%rbx,%0; mov %%r12,%1; movdqu %%xmm3,%3"
                 : "=&r"(bx), "=&r"(other), "=&r"(flags), "=m"(x)
                 : "a"(SYS_tgkill), "D"(pid), "S"(tid), "d"(SIGUSR1)
                 : "rbx", "r12", "rcx", "r11", "memory", "cc", "xmm3");
    CHECK_EQ(bx, 0x1122334455667788);
    CHECK_EQ(other, 0x99aabbccddeeff00);
#else
    asm volatile("pxor %%xmm3,%%xmm3; int $0x80; pushfl; pop %%edx; cld; movdqu %%xmm3,%3; mov %%ebx,%0; mov %%esi,%1"
                 : "=m"(bx), "=m"(other), "=d"(flags), "=m"(x)
                 : "a"(SYS_tgkill), "b"(pid), "c"(tid), "d"(SIGUSR1)
                 : "esi", "memory", "cc");
    CHECK_EQ(bx, 0x11223344);
    CHECK_EQ(other, 0x99aabbcc);
#endif
    CHECK_EQ(flags & 0x401, 0x401);
    for (int i = 0; i < 16; i++) CHECK_EQ(x[i], 0x5a);

    // DF and TF are clear in the handler, AC stays.
    how = 2;
    asm volatile("std");
#ifdef __x86_64__
    asm volatile("syscall" :: "a"(SYS_tgkill), "D"(pid), "S"(tid), "d"(SIGUSR1) : "rcx", "r11", "memory", "cc");
#else
    asm volatile("int $0x80" :: "a"(SYS_tgkill), "b"(pid), "c"(tid), "d"(SIGUSR1) : "memory", "cc");
#endif
    asm volatile(FLAGS : "=r"(flags));
    asm volatile("cld");
    CHECK_EQ(handler_flags & 0x400, 0);
    CHECK_EQ(flags & 0x400, 0x400);

    // On the alternate stack the frame ends at its top.
    static char alt[32768] __attribute__((aligned(4096)));
    stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt};
    CHECK_EQ(sigaltstack(&ss, NULL), 0);
    sa.sa_flags |= SA_ONSTACK;
    sigaction(SIGUSR1, &sa, NULL);
    raise_here();
    CHECK(handler_sp > (word)alt && handler_sp < (word)alt + sizeof alt);
    char *area = (char *)FPSIZE_AT(context->uc_mcontext.fpregs);
    uint32_t size = u32(area, 480);
    CHECK_EQ((word)(area + size + 4 + 63) / 64 * 64 >= (word)alt + sizeof alt, 1);
    CHECK(context->uc_stack.ss_sp == alt && context->uc_stack.ss_size == sizeof alt);

#ifdef __i386__
    // The old form: no siginfo, return through the vDSO's trampoline.
    struct { void (*h)(int); unsigned long mask, flags; void *restorer; } old = {old_handler, 0, 0, NULL};
    CHECK_EQ(syscall(SYS_sigaction, SIGUSR2, &old, NULL), 0);
    seen = 0;
    sigset_t before, after;
    sigprocmask(SIG_BLOCK, NULL, &before);
    asm volatile("int $0x80" :: "a"(SYS_tgkill), "b"(pid), "c"(tid), "d"(SIGUSR2) : "memory", "cc");
    sigprocmask(SIG_BLOCK, NULL, &after);
    CHECK_EQ(seen, SIGUSR2);
    CHECK_EQ(memcmp(&before, &after, 8), 0);
    // And with siginfo, without a restorer.
    struct { void *h; unsigned long flags; void *restorer; unsigned long mask[2]; } rt = {handler, SA_SIGINFO, NULL, {0, 0}};
    CHECK_EQ(syscall(SYS_rt_sigaction, SIGUSR1, &rt, NULL, 8), 0);
    how = 2, seen = 0;
    raise_here();
    CHECK_EQ(seen, 1);
#else
    // Without a restorer there is no way back.
    (void)old_handler;
#endif
    return check_done("sigframe");
}
