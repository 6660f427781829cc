// test: flags=-pthread timeout=240 oracle=skip slow=skip long=64
// How processes end: every fatal signal and exit from any thread, whatever the others do; fork from a busy process; the
// core file. RACES=10000 in the environment runs each race so often.
#include "check.h"
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static long races(long n) { return getenv("RACES") ? atol(getenv("RACES")) : scaled(n); }
static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static volatile long work;
static void *spin(void *a) {
    for (;;) work++;
}
static void *block(void *a) {
    int p[2];
    char c;
    pipe(p);
    for (;;) read(p[0], &c, 1);
}
static void *calls(void *a) {
    for (;;) getppid();
}
static void *wait_forever(void *a) {
    pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t c = PTHREAD_COND_INITIALIZER;
    pthread_mutex_lock(&m);
    for (;;) pthread_cond_wait(&c, &m);
}
static void *maps(void *a) {
    for (;;) {
        char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) continue;
        p[4096] = 1;
        munmap(p, 65536);
    }
}
// Runs many different functions once each, so that code is translated all the time.
#define F1(n) __attribute__((noinline)) static void f##n(void) { work += n; }
#define F10(n) F1(n##0) F1(n##1) F1(n##2) F1(n##3) F1(n##4) F1(n##5) F1(n##6) F1(n##7) F1(n##8) F1(n##9)
F10(1) F10(2) F10(3) F10(4) F10(5) F10(6)
#define C10(n) n##0, n##1, n##2, n##3, n##4, n##5, n##6, n##7, n##8, n##9
static void (*const functions[])(void) = {C10(f1), C10(f2), C10(f3), C10(f4), C10(f5), C10(f6)};
static void *fresh(void *a) {
    for (;;)
        for (int i = 0; i < 60; i++) functions[i]();
}

static void *(*const kinds[])(void *) = {spin, block, calls, wait_forever, maps, fresh};
#define KINDS 6

enum { BY_SELF, BY_THREAD, BY_PARENT };
static int how, what;
static void end_now(void) {
    switch (what) {
    case -1: _exit(42);
    case -2: syscall(SYS_exit_group, 43);
    case SIGSEGV:
        if (how != BY_PARENT) *(volatile int *)8 = 1;
        // fall through
    default:
        kill(getpid(), what);
        for (;;) pause();
    }
}
static void *ender(void *a) {
    usleep((long)a);
    end_now();
    return NULL;
}

static void one_end(int sig, int from, long delay, uint64_t *seed) {
    how = from;
    what = sig;
    pid_t pid = fork();
    if (!pid) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int n = 1 + rnd(seed) % 4;
        pthread_t t;
        pthread_attr_t small;
        pthread_attr_init(&small);
        pthread_attr_setstacksize(&small, 65536 * 2);
        for (int i = 0; i < n; i++) pthread_create(&t, &small, kinds[rnd(seed) % KINDS], NULL);
        if (from == BY_THREAD) pthread_create(&t, &small, ender, (void *)delay);
        if (from == BY_SELF) {
            usleep(delay);
            end_now();
        }
        kinds[rnd(seed) % KINDS](NULL);
    }
    rnd(seed);
    if (from == BY_PARENT) {
        usleep(delay);
        kill(pid, sig);
    }
    int st = 0;
    double t = now();
    CHECK_EQ(waitpid(pid, &st, 0), pid);
    if (from == BY_PARENT) CHECK(now() - t < 5);
    int want = sig == -1 ? 42 << 8 : sig == -2 ? 43 << 8 : sig;
    CHECK_EQ(st, want);
}

static void ends(void) {
    static const int sigs[] = {-1, -2, SIGSEGV, SIGTERM, SIGKILL, SIGABRT, SIGQUIT, SIGILL, SIGBUS, 40, SIGUSR1, SIGALRM};
    uint64_t seed = 7;
    for (long i = 0; i < races(36); i++) {
        int sig = sigs[i % 12];
        int from = rnd(&seed) % 3;
        if (sig < 0 && from == BY_PARENT) from = BY_THREAD;
        one_end(sig, from, rnd(&seed) % 2000, &seed);
    }
    printf("ends\n");
}

static void *exit_with(void *a) {
    pthread_barrier_wait(a);
    _exit(7);
}
static void exits_at_once(void) {
    for (long i = 0; i < races(10); i++) {
        pid_t pid = fork();
        if (!pid) {
            pthread_barrier_t b;
            pthread_barrier_init(&b, NULL, 8);
            pthread_t t;
            for (int k = 0; k < 7; k++) pthread_create(&t, NULL, exit_with, &b);
            exit_with(&b);
        }
        int st;
        CHECK_EQ(waitpid(pid, &st, 0), pid);
        CHECK_EQ(st, 7 << 8);
    }
    printf("exits at once\n");
}

static volatile int stop;
static void *busy(void *a) {
    long k = (long)a;
    while (!stop) {
        void *p = malloc(100 + k);
        memset(p, 1, 100);
        free(p);
        if (k % 3 == 0) getppid();
        functions[k % 60]();
        if (k % 7 == 0) sched_yield();
    }
    return NULL;
}
static void *forker(void *a) {
    for (long i = 0; i < *(long *)a; i++) {
        pid_t pid = fork();
        if (!pid) {
            free(malloc(1000));
            pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
            pthread_mutex_lock(&m);
            work++;
            functions[i % 60]();
            _exit(i & 127);
        }
        int st = -1;
        CHECK_EQ(waitpid(pid, &st, 0), pid);
        CHECK_EQ(st, (i & 127) << 8);
    }
    return NULL;
}
static void forks_of_many(void) {
    pthread_t t[60], f[4];
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536 * 2);
    long each = races(8) / 4 + 1;
    for (long i = 0; i < 60; i++) CHECK(!pthread_create(&t[i], &small, busy, (void *)i));
    for (int i = 0; i < 4; i++) CHECK(!pthread_create(&f[i], &small, forker, &each));
    for (int i = 0; i < 4; i++) pthread_join(f[i], NULL);
    stop = 1;
    for (int i = 0; i < 60; i++) pthread_join(t[i], NULL);
    printf("forks of many\n");
}

// SIGKILL from a thread of the group, for the group or one thread of it, or from outside, at any moment.
static void killed(void) {
    uint64_t seed = 11;
    for (long i = 0; i < races(12); i++) {
        long delay = rnd(&seed) % 1500;
        pid_t pid = fork();
        if (!pid) {
            pthread_t t;
            for (int k = 0; k < 3; k++) pthread_create(&t, NULL, kinds[(i + k) % KINDS], NULL);
            if (i % 3) usleep(delay);
            if (i % 3 == 1) syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGKILL);
            if (i % 3 == 2) kill(getpid(), SIGKILL);
            kinds[i % KINDS](NULL);
        }
        if (i % 3 == 0) usleep(delay), kill(pid, SIGKILL);
        int st;
        CHECK_EQ(waitpid(pid, &st, 0), pid);
        CHECK_EQ(st, SIGKILL);
    }
    printf("killed\n");
}

// A fork without the C library, with an exit signal of its own, among threads that make the system work for them.
static void *asks(void *a) {
    struct stat st;
    char buf[200];
    while (!stop) {
        stat("/proc/self/exe", &st);
        readlink("/proc/self/exe", buf, sizeof buf);
        functions[(long)a % 60]();
    }
    return NULL;
}
static void raw_forks(void) {
    pthread_t t[6];
    stop = 0;
    for (long i = 0; i < 6; i++) CHECK(!pthread_create(&t[i], NULL, asks, (void *)i));
    for (long i = 0; i < races(12); i++) {
        struct { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls; } args = {.exit_signal = i % 2 ? SIGURG : SIGCHLD};
        pid_t pid = syscall(SYS_clone3, &args, sizeof args);
        if (!pid) {
            struct stat st;
            int ok = !syscall(SYS_newfstatat, AT_FDCWD, "/proc/self/exe", &st, 0);
            functions[i % 60]();
            syscall(SYS_exit_group, ok ? 21 : 22);
        }
        if (pid < 0 && errno == ENOSYS) break;
        int st = 0;
        CHECK_EQ(syscall(SYS_wait4, pid, &st, __WALL, NULL), pid);
        CHECK_EQ(st, 21 << 8);
    }
    stop = 1;
    for (int i = 0; i < 6; i++) pthread_join(t[i], NULL);
    printf("raw forks\n");
}

// A core file, where the system writes one under a plain name.
static void core(void) {
    char pattern[128] = "", uses_pid[8] = "";
    int fd = open("/proc/sys/kernel/core_pattern", O_RDONLY);
    if (fd >= 0) read(fd, pattern, sizeof pattern - 1), close(fd);
    fd = open("/proc/sys/kernel/core_uses_pid", O_RDONLY);
    if (fd >= 0) read(fd, uses_pid, sizeof uses_pid - 1), close(fd);
    char dir[] = "/tmp/core-test-XXXXXX", old[4096], name[64];
    getcwd(old, sizeof old);
    struct rlimit limit;
    getrlimit(RLIMIT_CORE, &limit);
    if (strcmp(pattern, "core\n") || !mkdtemp(dir) || chdir(dir) || limit.rlim_max < (16 << 20)) {
        printf("core\n");
        return;
    }
    for (int round = 0; round < 3; round++) {
        pid_t pid = fork();
        if (!pid) {
            limit.rlim_cur = round == 2 ? 8192 : limit.rlim_max;
            setrlimit(RLIMIT_CORE, &limit);
            pthread_t t;
            pthread_create(&t, NULL, spin, NULL);
            pthread_create(&t, NULL, block, NULL);
            usleep(5000);
            if (round == 1) for (;;) pause();
            abort();
        }
        if (round == 1) {
            usleep(100000);
            kill(pid, SIGQUIT);
        }
        int st;
        CHECK_EQ(waitpid(pid, &st, 0), pid);
        CHECK(WIFSIGNALED(st));
        CHECK_EQ(WTERMSIG(st), round == 1 ? SIGQUIT : SIGABRT);
        CHECK(WCOREDUMP(st));
        if (*uses_pid == '1') sprintf(name, "core.%d", pid);
        else strcpy(name, "core");
        struct stat info;
        CHECK(!stat(name, &info));
        CHECK(S_ISREG(info.st_mode));
        CHECK_EQ(info.st_mode & 0777, 0600);
        if (round == 2) {
            CHECK(info.st_size <= 8192);
            unlink(name);
            break;
        }
        fd = open(name, O_RDONLY);
        Elf64_Ehdr eh, mine;
        Elf64_Phdr ph;
        CHECK(pread(fd, &eh, sizeof eh, 0) == sizeof eh);
        int self = open("/proc/self/exe", O_RDONLY);
        CHECK(pread(self, &mine, sizeof mine, 0) == sizeof mine);
        close(self);
        CHECK_EQ(eh.e_type, ET_CORE);
        CHECK_EQ(eh.e_machine, mine.e_machine);
        CHECK(eh.e_phnum > 3);
        CHECK(pread(fd, &ph, sizeof ph, eh.e_phoff) == sizeof ph);
        CHECK_EQ(ph.p_type, PT_NOTE);
        static char notes[1 << 16];
        ssize_t n = pread(fd, notes, ph.p_filesz < sizeof notes ? ph.p_filesz : sizeof notes, ph.p_offset);
        int threads = 0, fp = 0, files = 0, auxv = 0, siginfo = 0;
        for (char *p = notes; p + sizeof(Elf64_Nhdr) <= notes + n;) {
            Elf64_Nhdr *h = (void *)p;
            char *desc = p + sizeof *h + ((h->n_namesz + 3) & ~3u);
            if (h->n_type == NT_PRSTATUS) {
                if (!threads) CHECK_EQ(*(int *)(desc + 32), pid);
                threads++;
            }
            fp += h->n_type == NT_FPREGSET;
            files += h->n_type == NT_FILE;
            auxv += h->n_type == NT_AUXV;
            if (h->n_type == NT_SIGINFO) {
                siginfo++;
                CHECK_EQ(*(int *)desc, WTERMSIG(st));
            }
            p = desc + ((h->n_descsz + 3) & ~3u);
        }
        CHECK_EQ(threads, 3);
        CHECK_EQ(fp, 3);
        CHECK_EQ(files + auxv + siginfo, 3);
        // The data segment is there.
        int found = 0;
        for (int i = 1; i < eh.e_phnum; i++) {
            CHECK(pread(fd, &ph, sizeof ph, eh.e_phoff + i * sizeof ph) == sizeof ph);
            uint64_t at = (uint64_t)&work;
            if (ph.p_type == PT_LOAD && ph.p_vaddr <= at && at < ph.p_vaddr + ph.p_filesz) found++;
        }
        CHECK_EQ(found, 1);
        close(fd);
        unlink(name);
    }
    chdir(old);
    rmdir(dir);
    printf("core\n");
}

int main(void) {
    alarm(getenv("RACES") ? 7200 : 230);
    for (int sig = 1; sig < 32; sig++) signal(sig, SIG_DFL);
    ends();
    exits_at_once();
    forks_of_many();
    killed();
    raw_forks();
    core();
    return check_done("ends");
}
