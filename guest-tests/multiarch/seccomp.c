// test: flags=-pthread timeout=120 oracle=skip
// seccomp: strict mode, every action of filters, inheritance, TSYNC, user notification, ptrace.
#define _GNU_SOURCE
#include "check.h"
#include <elf.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#if defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCH AUDIT_ARCH_RISCV64
#elif defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__arm__)
#define ARCH AUDIT_ARCH_ARM
#elif defined(__i386__)
#define ARCH AUDIT_ARCH_I386
#endif

static int install(int nr, unsigned action, unsigned flags) {
    struct sock_filter f[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = {sizeof f / sizeof *f, f};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}
static int status_of(pid_t pid) {
    int st = -1;
    while (waitpid(pid, &st, 0) < 0 && errno == EINTR) {}
    return st & ~0x80;
}
#define CHILD(st, ...)                                    \
    do {                                                  \
        pid_t p_ = fork();                                \
        if (!p_) {                                        \
            struct rlimit none_ = {0, 0};                 \
            setrlimit(RLIMIT_CORE, &none_);               \
            __VA_ARGS__;                                  \
            _exit(100);                                   \
        }                                                 \
        CHECK_EQ(status_of(p_), st);                      \
    } while (0)

static siginfo_t got;
static volatile int traps;
static void on_sys(int sig, siginfo_t *si, void *uc) {
    got = *si;
    traps++;
}
static void *kill_me(void *a) {
    syscall(SYS_getpgid, 0);
    return (void *)1;
}
static void actions(void) {
    CHILD(7 << 8, if (install(SYS_getpgid, SECCOMP_RET_ERRNO | 77, 0)) _exit(1); errno = 0;
          if (syscall(SYS_getpgid, 0) != -1 || errno != 77) _exit(2); if (getppid() <= 0) _exit(3);
          if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 2) _exit(4); _exit(7));
    CHILD(0, install(SYS_getpgid, SECCOMP_RET_ERRNO, 0); _exit(syscall(SYS_getpgid, 0) != 0));
    CHILD(SIGSYS, install(SYS_getpgid, SECCOMP_RET_KILL_PROCESS, 0); syscall(SYS_getpgid, 0));
    CHILD(SIGSYS, install(SYS_getpgid, SECCOMP_RET_KILL_THREAD, 0); syscall(SYS_getpgid, 0));
    CHILD(SIGSYS, install(SYS_getpgid, 0x12340000, 0); syscall(SYS_getpgid, 0));
    CHILD(8 << 8, pthread_t t; void *r = (void *)5; install(SYS_getpgid, SECCOMP_RET_KILL_THREAD, 0);
          pthread_create(&t, NULL, kill_me, NULL); pthread_join(t, &r); _exit(r == (void *)1 ? 1 : 8));
    CHILD(9 << 8, install(SYS_getpgid, SECCOMP_RET_LOG, 0); _exit(syscall(SYS_getpgid, 0) > 0 || 1 ? 9 : 1));
    CHILD(10 << 8, install(SYS_getpgid, SECCOMP_RET_TRACE, 0); errno = 0; syscall(SYS_getpgid, 0);
          _exit(errno == ENOSYS ? 10 : 1));
    CHILD(11 << 8, struct sigaction sa = {.sa_sigaction = on_sys, .sa_flags = SA_SIGINFO}; sigaction(SIGSYS, &sa, NULL);
          install(SYS_getpgid, SECCOMP_RET_TRAP | 5, 0); syscall(SYS_getpgid, 0); if (traps != 1) _exit(1);
          if (got.si_signo != SIGSYS || got.si_code != 1 || got.si_errno != 5) _exit(2);
          if (got.si_syscall != SYS_getpgid || got.si_arch != ARCH) _exit(3); _exit(11));
    CHILD(SIGSYS, install(SYS_getpgid, SECCOMP_RET_TRAP, 0); syscall(SYS_getpgid, 0));
    // The stricter of two counts, whatever the order.
    CHILD(12 << 8, install(SYS_getpgid, SECCOMP_RET_ERRNO | 1, 0); install(SYS_getpgid, SECCOMP_RET_LOG, 0); errno = 0;
          syscall(SYS_getpgid, 0); _exit(errno == 1 ? 12 : 1));
    CHILD(13 << 8, install(SYS_getpgid, SECCOMP_RET_ERRNO | 1, 0); install(SYS_getpgid, SECCOMP_RET_ERRNO | 2, 0);
          errno = 0; syscall(SYS_getpgid, 0); _exit(errno == 2 ? 13 : 1));
    printf("actions\n");
}

static void strict(void) {
    CHILD(SIGKILL, prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT); write(-1, "", 0); getppid(); syscall(SYS_getpgid, 0));
    CHILD(3 << 8, prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT); syscall(SYS_exit, 3));
    printf("strict\n");
}

static void arguments(void) {
    FAILS(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 1 << 20, NULL), EINVAL);
    FAILS(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT);
    FAILS(syscall(SYS_seccomp, 99, 0, NULL), EINVAL);
    unsigned action = SECCOMP_RET_TRAP;
    CHECK(!syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
    action = 0x11110000;
    FAILS(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action), EOPNOTSUPP);
    struct seccomp_notif_sizes sizes;
    CHECK(!syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes));
    CHECK_EQ(sizes.seccomp_notif, sizeof(struct seccomp_notif));
    CHECK_EQ(sizes.seccomp_data, sizeof(struct seccomp_data));
    struct sock_filter bad = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 400);
    struct sock_fprog prog = {1, &bad};
    CHILD(4 << 8, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); errno = 0; prctl(PR_SET_SECCOMP, 2, &prog);
          _exit(errno == EINVAL ? 4 : 1));
    CHECK_EQ(prctl(PR_GET_SECCOMP, 0, 0, 0, 0), 0);
    printf("arguments\n");
}

static const char *self;
static void inherited(void) {
    CHILD(21 << 8, install(SYS_getpgid, SECCOMP_RET_ERRNO | 77, 0); pid_t p = fork();
          if (!p) { execl(self, self, "exec", NULL); _exit(1); } _exit(status_of(p) >> 8));
    printf("inherited\n");
}

static pthread_barrier_t barrier;
static void *waiter(void *a) {
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    errno = 0;
    long r = syscall(SYS_getpgid, 0);
    return (void *)(long)(r == -1 ? errno : 0);
}
static void tsync(void) {
    CHILD(5 << 8, pthread_t t; void *r; pthread_barrier_init(&barrier, NULL, 2); pthread_create(&t, NULL, waiter, NULL);
          pthread_barrier_wait(&barrier); if (install(SYS_getpgid, SECCOMP_RET_ERRNO | 66, SECCOMP_FILTER_FLAG_TSYNC)) _exit(1);
          pthread_barrier_wait(&barrier); pthread_join(t, &r); _exit((long)r == 66 ? 5 : 2));
    CHILD(6 << 8, pthread_t t; void *r; pthread_barrier_init(&barrier, NULL, 2); pthread_create(&t, NULL, waiter, NULL);
          pthread_barrier_wait(&barrier); if (install(SYS_getpgid, SECCOMP_RET_ERRNO | 66, 0)) _exit(1);
          pthread_barrier_wait(&barrier); pthread_join(t, &r); _exit((long)r == 0 ? 6 : 2));
    printf("tsync\n");
}

static void notify(void) {
    int fd = -1;
    int p[2];
    pipe(p);
    pid_t pid = fork();
    if (!pid) {
        int listener = install(SYS_getpgid, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
        if (listener < 0) _exit(1);
        pid_t child = fork();
        if (!child) {
            long r = syscall(SYS_getpgid, 1234);
            errno = 0;
            long e = syscall(SYS_getpgid, 1235);
            int error = errno;
            long c = syscall(SYS_getpgid, 0);
            _exit(r == 4321 && e == -1 && error == 55 && c >= 0 && c != 4321 ? 31 : 32);
        }
        for (int i = 0; i < 3; i++) {
            struct seccomp_notif n;
            struct seccomp_notif_resp resp;
            memset(&n, 0, sizeof n);
            if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n)) _exit(2);
            if (n.data.nr != SYS_getpgid || n.data.arch != ARCH) _exit(3);
            if ((pid_t)n.pid != child) _exit(4);
            if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &n.id)) _exit(5);
            memset(&resp, 0, sizeof resp);
            resp.id = n.id;
            if (n.data.args[0] == 1234) resp.val = 4321;
            else if (n.data.args[0] == 1235) resp.error = -55;
            else resp.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
            if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp)) _exit(6);
        }
        _exit(status_of(child) >> 8);
    }
    (void)fd;
    CHECK_EQ(status_of(pid), 31 << 8);
    printf("notify\n");
}

static void traced(void) {
    pid_t pid = fork();
    if (!pid) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        install(SYS_getpgid, SECCOMP_RET_TRACE | 9, 0);
        syscall(SYS_getpgid, 0);
        _exit(14);
    }
    int st, events = 0;
    waitpid(pid, &st, 0);
    CHECK(!ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP));
    for (;;) {
        CHECK(!ptrace(PTRACE_CONT, pid, 0, 0));
        waitpid(pid, &st, 0);
        if (!WIFSTOPPED(st)) break;
        unsigned long message = 0;
        CHECK_EQ(st >> 8, SIGTRAP | PTRACE_EVENT_SECCOMP << 8);
        CHECK(!ptrace(PTRACE_GETEVENTMSG, pid, 0, &message));
        CHECK_EQ(message, 9);
        events++;
    }
    CHECK_EQ(events, 1);
    CHECK_EQ(st, 14 << 8);
    printf("traced\n");
}

int main(int argc, char **argv) {
    if (argc > 1) {
        errno = 0;
        syscall(SYS_getpgid, 0);
        return errno == 77 ? 21 : 22;
    }
    alarm(100);
    static char name[4096];
    readlink("/proc/self/exe", name, sizeof name - 1);
    self = name;
    arguments();
    actions();
    strict();
    inherited();
    tsync();
    notify();
    traced();
    return check_done("seccomp");
}
