// test: flags=-pthread timeout=120 slow=skip
// A vfork child that is killed from outside at any moment, while it makes code, maps memory and asks the system: whatever
// it was in the midst of, the threads of the parent go on. RACES=10000 in the environment runs it so often.
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct { volatile int pid, delay; } *shared;
static volatile int stop;
static volatile long turns;

__attribute__((noinline, aligned(64))) static int leaf(int x) { return x * 3 + 1; }

// Runs code that was never seen, at an address of its own.
static int fresh(char *page) {
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
    mprotect(page, 4096, PROT_READ | PROT_EXEC);
    int ok = 1;
    for (int at = 0; at < 1024; at += 64) ok &= ((int (*)(int))(page + at))(5) == 16;
    return ok;
}
static char *new_page(void) {
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int at = 0; at < 1024; at += 64) memcpy(page + at, (void *)leaf, 64);
    __builtin___clear_cache(page, page + 4096);
    return page;
}
static int once(char *page) {
    struct stat st;
    int ok = fresh(page);
    char *p = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p != MAP_FAILED) p[4096] = 1, munmap(p, 65536);
    stat("/proc/self/exe", &st);
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd >= 0) fcntl(fd, F_GETFD), close(fd);
    return ok;
}
static void *worker(void *a) {
    char *page = new_page();
    long bad = 0;
    for (; !stop; turns++) {
        bad += !once(page);
        usleep(200);
    }
    return (void *)bad;
}

int main(void) {
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    long rounds = getenv("RACES") ? atol(getenv("RACES")) : scaled(60);
    alarm(getenv("RACES") ? 7200 : 110);
    pid_t parent = getpid(), killer = fork();
    if (!killer) {
        for (;;) {
            while (!shared->pid) {
                if (getppid() != parent) _exit(0);
                usleep(50);
            }
            if (shared->pid < 0) _exit(0);
            usleep(shared->delay);
            int pid = shared->pid;
            shared->pid = 0;
            kill(pid, SIGKILL);
        }
    }
    pthread_t t;
    CHECK(!pthread_create(&t, NULL, worker, NULL));
    char *pages[2] = {new_page(), new_page()};
    uint64_t seed = 3;
    long killed = 0, good = 0, forked = 0;
    for (long i = 0; i < rounds; i++) {
        shared->delay = rnd(&seed) % 1500;
        pid_t pid = vfork();
        if (!pid) {
            shared->pid = getpid();
            for (;;) once(pages[1]);
        }
        int st;
        CHECK_EQ(waitpid(pid, &st, 0), pid);
        killed += WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL;
        good += once(pages[0]);
        if (i % 8 == 0) {
            pid = fork();
            if (!pid) _exit(once(pages[0]) ? 7 : 8);
            CHECK_EQ(waitpid(pid, &st, 0), pid);
            forked += st == 7 << 8;
        }
    }
    stop = 1;
    void *bad;
    pthread_join(t, &bad);
    CHECK(!bad);
    shared->pid = -1;
    waitpid(killer, NULL, 0);
    CHECK_EQ(killed, rounds);
    CHECK_EQ(good, rounds);
    CHECK_EQ(forked, (rounds + 7) / 8);
    return check_done("vforkrace");
}
