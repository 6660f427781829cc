// Signals: dispositions, masks, queues, payloads, restart, alternate stack, nesting, long jumps.
#include "check.h"
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

static volatile int hits, last_value, last_code;
static volatile pid_t last_pid;
static int order[64], norder;

static void count(int s) { hits++; }
static void info(int s, siginfo_t *si, void *uc) {
    hits++;
    last_value = si->si_value.sival_int;
    last_code = si->si_code;
    last_pid = si->si_pid;
    if (norder < 64) order[norder++] = s * 1000 + si->si_value.sival_int;
}

static void on(int sig, void *f, int flags) {
    struct sigaction sa = {.sa_flags = flags};
    sa.sa_sigaction = f;
    sigemptyset(&sa.sa_mask);
    CHECK(!sigaction(sig, &sa, NULL));
}
static void mask(int how, int sig) {
    sigset_t s;
    sigemptyset(&s), sigaddset(&s, sig);
    sigprocmask(how, &s, NULL);
}

static void basic(void) {
    on(SIGUSR1, count, 0);
    raise(SIGUSR1);
    CHECK_EQ(hits, 1);
    kill(getpid(), SIGUSR1);
    CHECK_EQ(hits, 2);
    mask(SIG_BLOCK, SIGUSR1);
    kill(getpid(), SIGUSR1), kill(getpid(), SIGUSR1);
    CHECK_EQ(hits, 2);
    sigset_t p;
    sigpending(&p);
    CHECK(sigismember(&p, SIGUSR1) && !sigismember(&p, SIGUSR2));
    mask(SIG_UNBLOCK, SIGUSR1);
    CHECK_EQ(hits, 3);
    on(SIGUSR1, count, SA_RESETHAND);
    raise(SIGUSR1);
    struct sigaction sa;
    sigaction(SIGUSR1, NULL, &sa);
    CHECK(sa.sa_handler == SIG_DFL);
    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    on(SIGUSR2, info, SA_SIGINFO);
    union sigval v = {.sival_int = 1234};
    CHECK(!sigqueue(getpid(), SIGUSR2, v));
    CHECK_EQ(last_value, 1234);
    CHECK_EQ(last_code, SI_QUEUE);
    CHECK_EQ(last_pid, getpid());
    kill(getpid(), SIGUSR2);
    CHECK_EQ(last_code, SI_USER);
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR2);
    CHECK_EQ(last_code, SI_TKILL);
    struct sigaction kept = {.sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER};
    kept.sa_sigaction = info;
    sigfillset(&kept.sa_mask);
    sigaction(SIGHUP, &kept, NULL);
    sigaction(SIGHUP, NULL, &sa);
    CHECK(sa.sa_sigaction == info && (sa.sa_flags & (SA_SIGINFO | SA_RESTART | SA_NODEFER | SA_ONSTACK)) == (SA_SIGINFO | SA_RESTART | SA_NODEFER));
    CHECK(sigismember(&sa.sa_mask, SIGTERM));
    printf("basic\n");
}

static void realtime(void) {
    norder = 0;
    for (int i = 0; i < 4; i++) on(SIGRTMIN + i, info, SA_SIGINFO), mask(SIG_BLOCK, SIGRTMIN + i);
    for (int k = 0; k < 3; k++)
        for (int i = 3; i >= 0; i--) {
            union sigval v = {.sival_int = k};
            CHECK(!sigqueue(getpid(), SIGRTMIN + i, v));
        }
    sigset_t s;
    sigemptyset(&s);
    sigaddset(&s, SIGRTMIN + 1);
    siginfo_t si;
    CHECK_EQ(sigwaitinfo(&s, &si), SIGRTMIN + 1);
    CHECK_EQ(si.si_value.sival_int, 0);
    struct timespec ts = {0, 1000000};
    CHECK_EQ(sigtimedwait(&s, &si, &ts), SIGRTMIN + 1);
    CHECK_EQ(sigtimedwait(&s, NULL, &ts), SIGRTMIN + 1);
    FAILS(sigtimedwait(&s, &si, &ts), EAGAIN);
    for (int i = 3; i >= 0; i--) mask(SIG_UNBLOCK, SIGRTMIN + i);
    for (int i = 0; i < norder; i++) printf("%d:%d ", order[i] / 1000 - SIGRTMIN, order[i] % 1000);
    printf("\nrealtime\n");
}

static void restart(void) {
    for (int r = 0; r < 2; r++) {
        int p[2];
        pipe(p);
        hits = 0;
        on(SIGALRM, count, r ? SA_RESTART : 0);
        pid_t pid = fork();
        if (!pid) {
            usleep(150000);
            write(p[1], "x", 1);
            _exit(0);
        }
        struct itimerval it = {{0, 20000}, {0, 20000}};
        setitimer(ITIMER_REAL, &it, NULL);
        char c;
        int n = read(p[0], &c, 1), e = errno;
        memset(&it, 0, sizeof it);
        setitimer(ITIMER_REAL, &it, NULL);
        if (r)
            CHECK(n == 1 && hits >= 2);
        else
            CHECK(n == -1 && e == EINTR);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
        close(p[0]), close(p[1]);
    }
    on(SIGALRM, count, SA_RESTART);
    struct itimerval once = {{0, 0}, {0, 30000}};
    setitimer(ITIMER_REAL, &once, NULL);
    struct timespec ts = {5, 0}, rem = {0, 0};
    FAILS(nanosleep(&ts, &rem), EINTR);
    CHECK(rem.tv_sec == 4);
    setitimer(ITIMER_REAL, &once, NULL);
    FAILS(poll(NULL, 0, 5000), EINTR);
    setitimer(ITIMER_REAL, &once, NULL);
    FAILS(pause(), EINTR);
    mask(SIG_BLOCK, SIGALRM);
    hits = 0;
    raise(SIGALRM);
    sigset_t none;
    sigemptyset(&none);
    FAILS(sigsuspend(&none), EINTR);
    CHECK_EQ(hits, 1);
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    CHECK(sigismember(&now, SIGALRM));
    raise(SIGALRM);
    FAILS(ppoll(NULL, 0, NULL, &none), EINTR);
    CHECK_EQ(hits, 2);
    mask(SIG_UNBLOCK, SIGALRM);
    printf("restart\n");
}

static char alt[65536] __attribute__((aligned(16)));
static sigjmp_buf env;
static volatile int depth, on_alt;
static void nest(int s) {
    char here;
    on_alt += &here > alt && &here < alt + sizeof alt;
    if (++depth < 10) raise(s);
    hits++;
}
static void overflow_handler(int s, siginfo_t *si, void *uc) {
    char here;
    on_alt = &here > alt && &here < alt + sizeof alt;
    stack_t ss;
    sigaltstack(NULL, &ss);
    CHECK(ss.ss_flags & SS_ONSTACK);
    FAILS(sigaltstack(&ss, NULL), EPERM);
    siglongjmp(env, 1);
}
static volatile int sink;
__attribute__((noinline)) static int recurse(int n) {
    volatile char pad[512];
    pad[n % 512] = n;
    sink += pad[0];
    return recurse(n + 1) + pad[n % 512];
}
static void stacks(void) {
    stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt}, old;
    CHECK(!sigaltstack(&ss, &old));
    CHECK(old.ss_flags & SS_DISABLE);
    hits = depth = on_alt = 0;
    on(SIGUSR1, nest, SA_ONSTACK | SA_NODEFER);
    raise(SIGUSR1);
    CHECK_EQ(depth, 10);
    CHECK_EQ(hits, 10);
    CHECK_EQ(on_alt, 10);
    hits = depth = on_alt = 0;
    on(SIGUSR1, nest, SA_NODEFER);
    raise(SIGUSR1);
    CHECK_EQ(hits, 10);
    CHECK_EQ(on_alt, 0);
    on(SIGSEGV, overflow_handler, SA_ONSTACK | SA_SIGINFO);
    for (int i = 0; i < 3; i++) {
        on_alt = 0;
        if (!sigsetjmp(env, 1)) recurse(0);
        CHECK_EQ(on_alt, 1);
    }
    ss.ss_size = 100;
    FAILS(sigaltstack(&ss, NULL), ENOMEM);
    ss.ss_flags = SS_DISABLE;
    CHECK(!sigaltstack(&ss, NULL));
    signal(SIGSEGV, SIG_DFL);
    pid_t pid = fork();
    if (!pid) recurse(0), _exit(0);
    int st;
    waitpid(pid, &st, 0);
    CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGSEGV);
    printf("stacks\n");
}

static void handler_mask(int s) {
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    CHECK(sigismember(&now, s) && sigismember(&now, SIGTERM) && !sigismember(&now, SIGINT));
    hits++;
}
static void masks(void) {
    struct sigaction sa = {.sa_handler = handler_mask};
    sigemptyset(&sa.sa_mask), sigaddset(&sa.sa_mask, SIGTERM);
    sigaction(SIGUSR1, &sa, NULL);
    hits = 0;
    raise(SIGUSR1);
    CHECK_EQ(hits, 1);
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    CHECK(!sigismember(&now, SIGUSR1) && !sigismember(&now, SIGTERM));
    for (int i = 0; i < 100; i++) {
        if (!sigsetjmp(env, 1)) {
            mask(SIG_BLOCK, SIGQUIT);
            siglongjmp(env, 1);
        }
    }
    sigprocmask(SIG_BLOCK, NULL, &now);
    CHECK(!sigismember(&now, SIGQUIT));
    // SIGKILL and SIGSTOP cannot be blocked or caught.
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigprocmask(SIG_BLOCK, NULL, &now);
    CHECK(!sigismember(&now, SIGKILL) && !sigismember(&now, SIGSTOP) && sigismember(&now, SIGRTMAX));
    sigemptyset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    FAILS(sigaction(SIGKILL, &sa, NULL), EINVAL);
    FAILS(sigaction(SIGSTOP, &sa, NULL), EINVAL);
    printf("masks\n");
}

static void children(void) {
    on(SIGCHLD, info, SA_SIGINFO | SA_RESTART);
    hits = 0;
    pid_t pid = fork();
    if (!pid) _exit(42);
    int st;
    while (waitpid(pid, &st, 0) < 0) {}
    CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 42);
    while (!hits) usleep(1000);
    CHECK_EQ(last_code, CLD_EXITED);
    CHECK_EQ(last_pid, pid);
    int fatal[] = {SIGTERM, SIGABRT, SIGKILL, SIGRTMIN + 5, SIGPIPE, SIGUSR2, SIGSEGV};
    for (unsigned i = 0; i < sizeof fatal / sizeof *fatal; i++) {
        pid = fork();
        if (!pid) {
            signal(fatal[i], SIG_DFL);
            raise(fatal[i]);
            _exit(1);
        }
        while (waitpid(pid, &st, 0) < 0) {}
        CHECK(WIFSIGNALED(st));
        CHECK_EQ(WTERMSIG(st), fatal[i]);
    }
    pid = fork();
    if (!pid) {
        for (;;) pause();
    }
    kill(pid, SIGSTOP);
    while (waitpid(pid, &st, WUNTRACED) < 0) {}
    CHECK(WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP);
    kill(pid, SIGCONT);
    while (waitpid(pid, &st, WCONTINUED) < 0) {}
    CHECK(WIFCONTINUED(st));
    kill(pid, SIGKILL);
    while (waitpid(pid, &st, 0) < 0) {}
    CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
    signal(SIGCHLD, SIG_IGN);
    pid = fork();
    if (!pid) _exit(0);
    FAILS(waitpid(pid, &st, 0), ECHILD);
    signal(SIGCHLD, SIG_DFL);
    printf("children\n");
}

int main(void) {
    basic();
    realtime();
    restart();
    stacks();
    masks();
    children();
    return check_done("signals");
}
