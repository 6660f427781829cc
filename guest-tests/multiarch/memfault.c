// Faults: si_code, si_addr, SIGBUS past the end of a file, recovery by mprotect and by siglongjmp.
#include "check.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

static sigjmp_buf env;
static siginfo_t info;
static volatile int fixups;
static char *barrier;
static long page;

static void jump(int sig, siginfo_t *si, void *uc) {
    info = *si;
    siglongjmp(env, sig);
}

static void fix(int sig, siginfo_t *si, void *uc) {
    fixups++;
    char *p = (char *)((uintptr_t)si->si_addr & ~(page - 1));
    mprotect(p, page, PROT_READ | PROT_WRITE);
}

static void on(int sig, void (*f)(int, siginfo_t *, void *)) {
    struct sigaction sa = {.sa_flags = SA_SIGINFO};
    sa.sa_sigaction = f;
    sigemptyset(&sa.sa_mask);
    sigaction(sig, &sa, NULL);
}

#define FAULT(sig, code, addr, expr)                       \
    do {                                                   \
        int got = sigsetjmp(env, 1);                       \
        if (!got) {                                        \
            expr;                                          \
            check_fail(__FILE__, __LINE__, "no fault");    \
        } else {                                           \
            CHECK_EQ(got, sig);                            \
            CHECK_EQ(info.si_code, code);                  \
            CHECK_EQ((uintptr_t)info.si_addr, (uintptr_t)(addr)); \
        }                                                  \
    } while (0)

int main(void) {
    page = sysconf(_SC_PAGESIZE);
    on(SIGSEGV, jump), on(SIGBUS, jump);
    volatile char *none = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    volatile char *ro = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    volatile long *null = NULL;
    asm("" : "+r"(null));
    FAULT(SIGSEGV, SEGV_MAPERR, 0, *null);
    FAULT(SIGSEGV, SEGV_MAPERR, 10 * sizeof(long), null[10] = 1);
    FAULT(SIGSEGV, SEGV_ACCERR, none + 100, none[100]);
    FAULT(SIGSEGV, SEGV_ACCERR, ro + 17, ro[17] = 1);
    int fd = open("short", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(!ftruncate(fd, 100));
    volatile char *f = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK_EQ(f[200], 0);
    FAULT(SIGBUS, BUS_ADRERR, f + page + 8, f[page + 8]);
    FAULT(SIGBUS, BUS_ADRERR, f + page, f[page] = 1);
    CHECK(!ftruncate(fd, 2 * page));
    CHECK_EQ(f[page + 8], 0);
    // An access that begins in a good page and ends in a bad one.
    char *two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(two + page, page, PROT_NONE);
    volatile uint64_t *cross = (uint64_t *)(two + page - 4);
    if (!sigsetjmp(env, 1)) {
        *cross;
        CHECK(!"no fault");
    } else
        CHECK(info.si_addr == (void *)cross || info.si_addr == two + page);
    printf("faults\n");
    long jumps = 0;
    for (int i = 0; i < 3000; i++) {
        if (sigsetjmp(env, 1))
            jumps++;
        else
            none[i % page];
    }
    CHECK_EQ(jumps, 3000);
    // A write barrier: protect, fault, unprotect, retry.
    on(SIGSEGV, fix);
    barrier = mmap(NULL, 64 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int round = 0; round < 50; round++) {
        mprotect(barrier, 64 * page, PROT_READ);
        for (int i = 0; i < 64; i++) barrier[i * page + round]++;
    }
    CHECK_EQ(fixups, 50 * 64);
    int sum = 0;
    for (int i = 0; i < 64 * page; i++) sum += barrier[i];
    CHECK_EQ(sum, 50 * 64);
    printf("barrier\n");
    // Unhandled, blocked and ignored faults kill.
    for (int k = 0; k < 3; k++) {
        pid_t pid = fork();
        if (!pid) {
            signal(SIGSEGV, k == 2 ? SIG_IGN : SIG_DFL);
            sigset_t s;
            sigemptyset(&s), sigaddset(&s, SIGSEGV);
            if (k == 1) sigprocmask(SIG_BLOCK, &s, NULL);
            *null = 1;
            _exit(0);
        }
        int st;
        waitpid(pid, &st, 0);
        CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGSEGV);
    }
    // Calling into nothing and into data.
    on(SIGSEGV, jump);
    void (*call)(void) = (void (*)(void))(uintptr_t)0x1000;
    asm("" : "+r"(call));
    FAULT(SIGSEGV, SEGV_MAPERR, 0x1000, call());
    call = (void (*)(void))two;
    asm("" : "+r"(call));
    FAULT(SIGSEGV, SEGV_ACCERR, two, call());
    return check_done("memfault");
}
