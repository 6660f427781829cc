// test: flags=-pthread
// fork from a threaded process while the other threads allocate, lock and are signalled.
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

static volatile int stop;
static volatile long handled;
static int before, parent, child;
static void f_before(void) { before++; }
static void f_parent(void) { parent++; }
static void f_child(void) { child++; }
static void on(int s) { handled++; }
static void *churn(void *arg) {
    unsigned s = (unsigned)(long)arg;
    while (!stop) {
        s = s * 1103515245 + 12345;
        char *p = malloc(s % 10000 + 1);
        memset(p, 1, s % 10000 + 1);
        free(p);
        if (s % 64 == 0) usleep(100);
    }
    return NULL;
}
// Descriptors and mappings of code, which the emulator keeps tables of.
static int files(void) {
    int fd = open("/proc/self/exe", O_RDONLY), two = dup(fd);
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    int good = fd >= 0 && two >= 0 && p != MAP_FAILED && !fcntl(fd, F_GETFD) && !munmap(p, 4096);
    return good & !close(fd) & !close(two);
}
static void *handle(void *arg) {
    long bad = 0;
    for (; !stop; usleep(20)) bad += !files();
    return (void *)bad;
}
static void *in_child(void *arg) { return (void *)((long)arg + 1); }

int main(void) {
    signal(SIGUSR1, on);
    pthread_atfork(f_before, f_parent, f_child);
    pthread_t t[4];
    for (long i = 0; i < 4; i++) pthread_create(&t[i], NULL, churn, (void *)i);
    int n = scaled(30);
    for (int i = 0; i < n; i++) {
        pthread_kill(t[i % 4], SIGUSR1);
        pid_t pid = fork();
        if (!pid) {
            // Only this thread exists here; the heap works and new threads can be made.
            for (int k = 0; k < 50; k++) free(malloc(k * 100));
            pthread_t c;
            void *r;
            if (pthread_create(&c, NULL, in_child, (void *)41) || pthread_join(c, &r)) _exit(2);
            _exit((long)r == 42 && child == 1 ? 0 : 3);
        }
        int st = -1;
        while (waitpid(pid, &st, 0) < 0 && errno == EINTR) {}
        CHECK_EQ(st, 0);
    }
    pthread_t f[2];
    for (int i = 0; i < 2; i++) pthread_create(&f[i], NULL, handle, NULL);
    int more = scaled(100);
    for (int i = 0; i < more; i++) {
        pid_t pid = fork();
        if (!pid) _exit(files() ? 0 : 4);
        int st = -1;
        while (waitpid(pid, &st, 0) < 0 && errno == EINTR) {}
        CHECK_EQ(st, 0);
    }
    stop = 1;
    for (int i = 0; i < 2; i++) {
        void *bad;
        pthread_join(f[i], &bad);
        CHECK(!bad);
    }
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    CHECK_EQ(before, n + more);
    CHECK_EQ(parent, n + more);
    CHECK_EQ(child, 0);
    return check_done("forkthread");
}
