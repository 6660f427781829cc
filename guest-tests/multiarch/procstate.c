// test: flags=-pthread timeout=120 oracle=skip long=64
// What the kernel keeps of a process: limits over exec, busy programs, /proc/self/status, many timers, robust locks of the
// killed, clone with shared memory only, rings.
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;
static char self[4096];
static int status_of(pid_t pid) {
    int st = -1;
    while (waitpid(pid, &st, 0) < 0 && errno == EINTR) {}
    return st;
}

static void limits(void) {
    pid_t pid = fork();
    if (!pid) {
        struct rlimit as = {3L << 30, RLIM_INFINITY};
        getrlimit(RLIMIT_AS, &as);
        as.rlim_cur = 3L << 30;
        if (setrlimit(RLIMIT_AS, &as)) _exit(1);
        as.rlim_cur = 5L << 30;
        if (setrlimit(RLIMIT_DATA, &as)) _exit(2);
        as.rlim_cur = 77;
        if (setrlimit(RLIMIT_NOFILE, &as) && errno != EPERM) _exit(3);
        execl(self, self, "limits", NULL);
        _exit(4);
    }
    CHECK_EQ(status_of(pid), 50 << 8);
    printf("limits\n");
}
static int limits_child(void) {
    struct rlimit as, data;
    getrlimit(RLIMIT_AS, &as);
    getrlimit(RLIMIT_DATA, &data);
    if (as.rlim_cur != 3UL << 30 || data.rlim_cur != 5UL << 30) return 51;
    void *p = mmap(NULL, 4UL << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p != MAP_FAILED) return 52;
    return errno == ENOMEM ? 50 : 53;
}

static void busy(void) {
    char dir[] = "/tmp/busy-XXXXXX", name[64];
    CHECK(mkdtemp(dir) != NULL);
    sprintf(name, "%s/program", dir);
    int fd = open(name, O_CREAT | O_RDWR, 0755), from = open(self, O_RDONLY);
    static char buf[65536];
    ssize_t n;
    while ((n = read(from, buf, sizeof buf)) > 0) write(fd, buf, n);
    close(from);
    char *argv[] = {name, "exit", NULL};
    pid_t pid;
    int early = posix_spawn(&pid, name, NULL, NULL, argv, environ);
    // Some kernels allow it.
    if (early) CHECK_EQ(early, ETXTBSY);
    else status_of(pid);
    close(fd);
    CHECK(!posix_spawn(&pid, name, NULL, NULL, argv, environ));
    CHECK_EQ(status_of(pid), 12 << 8);
    CHECK_EQ(posix_spawn(&pid, "/nonexistent", NULL, NULL, argv, environ), ENOENT);
    unlink(name);
    rmdir(dir);
    printf("busy\n");
}

static unsigned long long status_field(const char *name) {
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    unsigned long long value = -1;
    size_t n = strlen(name);
    while (fgets(line, sizeof line, f))
        if (!strncmp(line, name, n) && line[n] == ':') value = strtoull(line + n + 1, NULL, 16);
    fclose(f);
    return value;
}
static void on_signal(int sig) {}
static void status(void) {
    signal(SIGUSR2, on_signal);
    signal(SIGHUP, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGSEGV);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_SETMASK, &set, NULL);
    CHECK_EQ(status_field("SigBlk"), 1 << (SIGSEGV - 1) | 1 << (SIGUSR1 - 1));
    CHECK_EQ(status_field("SigCgt") & 0x7fffffff, 1 << (SIGUSR2 - 1) | 1 << (SIGALRM - 1));
    CHECK(status_field("SigIgn") & 1 << (SIGHUP - 1));
    raise(SIGUSR1);
    CHECK_EQ(status_field("SigPnd"), 1 << (SIGUSR1 - 1));
    CHECK_EQ(status_field("Threads"), 1);
    sigtimedwait(&set, NULL, &(struct timespec){0});
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    printf("status\n");
}

static void timers(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_SIGPENDING, &limit);
    long want = limit.rlim_max < 12000 ? 1000 : 10000, made = 0;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_SIGPENDING, &limit);
    pid_t pid = fork();
    if (!pid) {
        int id;
        struct sigevent se = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN};
        se._sigev_un._tid = syscall(SYS_gettid);
        while (made < want && !syscall(SYS_timer_create, CLOCK_MONOTONIC, &se, &id)) made++;
        _exit(made == want ? 0 : 1);
    }
    CHECK_EQ(status_of(pid), 0);
    printf("timers\n");
}

// A lock held by a killed process wakes its waiter.
static void robust(void) {
    pthread_mutexattr_t ma;
    pthread_mutexattr_init(&ma);
    pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_setrobust(&ma, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(m, &ma);
    for (int i = 0; i < 10; i++) {
        int p[2];
        char c;
        pipe(p);
        pid_t pid = fork();
        if (!pid) {
            pthread_mutex_lock(m);
            write(p[1], "x", 1);
            for (;;) {
                if (i & 1) pause();
            }
        }
        read(p[0], &c, 1);
        pid_t killer = fork();
        if (!killer) {
            usleep(10000);
            kill(pid, SIGKILL);
            _exit(0);
        }
        CHECK_EQ(pthread_mutex_lock(m), EOWNERDEAD);
        CHECK(!pthread_mutex_consistent(m) && !pthread_mutex_unlock(m));
        CHECK_EQ(status_of(pid), SIGKILL);
        status_of(killer);
        close(p[0]);
        close(p[1]);
    }
    printf("robust\n");
}

static int in_our_memory(void *a) {
    *(volatile int *)a = 5;
    close(2000);
    return 3;
}
static void shared_memory(void) {
    static char stack[65536] __attribute__((aligned(16)));
    volatile int value = 0;
    int fd = open("/dev/null", O_RDONLY);
    pid_t pid = clone(in_our_memory, stack + sizeof stack, CLONE_VM | SIGCHLD, (void *)&value);
    CHECK_EQ(status_of(pid), 3 << 8);
    CHECK_EQ(value, 5);
    CHECK(fcntl(fd, F_GETFD) >= 0);
    close(fd);
    printf("shared memory\n");
}

static void rings(void) {
    struct io_uring_params params = {0};
    int fd = syscall(SYS_io_uring_setup, 8, &params);
    if (fd < 0) {
        // Forbidden here, or refused.
        CHECK(errno == ENOSYS || errno == EPERM || errno == ENOMEM);
        printf("rings\n");
        return;
    }
    size_t size = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    size_t sq = params.sq_off.array + params.sq_entries * sizeof(unsigned);
    char *ring = mmap(NULL, size > sq ? size : sq, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQ_RING);
    struct io_uring_sqe *sqes = mmap(NULL, params.sq_entries * sizeof *sqes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQES);
    CHECK(ring != MAP_FAILED && (void *)sqes != MAP_FAILED);
    int p[2];
    pipe(p);
    sqes[0] = (struct io_uring_sqe){.opcode = IORING_OP_WRITE, .fd = p[1], .addr = (uintptr_t) "ring", .len = 4, .user_data = 99, .off = -1};
    unsigned *tail = (unsigned *)(ring + params.sq_off.tail), *array = (unsigned *)(ring + params.sq_off.array);
    array[0] = 0;
    __atomic_store_n(tail, 1, __ATOMIC_RELEASE);
    CHECK_EQ(syscall(SYS_io_uring_enter, fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0), 1);
    struct io_uring_cqe *cqe = (void *)(ring + params.cq_off.cqes);
    CHECK_EQ(cqe->user_data, 99);
    CHECK_EQ(cqe->res, 4);
    char buf[5] = {0};
    CHECK_EQ(read(p[0], buf, 4), 4);
    CHECK(!strcmp(buf, "ring"));
    close(fd);
    printf("rings\n");
}

int main(int argc, char **argv) {
    if (argc > 1) return strcmp(argv[1], "limits") ? 12 : limits_child();
    signal(SIGALRM, on_signal);
    readlink("/proc/self/exe", self, sizeof self - 1);
    limits();
    busy();
    status();
    timers();
    robust();
    shared_memory();
    rings();
    return check_done("procstate");
}
