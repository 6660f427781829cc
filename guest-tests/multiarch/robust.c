// test: flags=-pthread oracle=skip
// Robust and process-shared mutexes: a dead owner's lock is handed on by the kernel.
#include "check.h"
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

static pthread_mutex_t *m;
static void *die_holding(void *arg) {
    pthread_mutex_lock(m);
    return NULL;
}

int main(void) {
    pthread_mutexattr_t ma;
    pthread_mutexattr_init(&ma);
    m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_setrobust(&ma, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(m, &ma);
    pthread_t t;
    pthread_create(&t, NULL, die_holding, NULL);
    pthread_join(t, NULL);
    CHECK_EQ(pthread_mutex_lock(m), EOWNERDEAD);
    CHECK(!pthread_mutex_consistent(m) && !pthread_mutex_unlock(m));
    printf("thread\n");
    for (int i = 0; i < 5; i++) {
        int p[2];
        char c;
        pipe(p);
        pid_t pid = fork();
        if (!pid) {
            pthread_mutex_lock(m);
            write(p[1], "x", 1);
            if (i & 1) usleep(20000);
            _exit(0);
        }
        if (!(i & 1)) waitpid(pid, NULL, 0);
        else read(p[0], &c, 1);
        CHECK_EQ(pthread_mutex_lock(m), EOWNERDEAD);
        CHECK(!pthread_mutex_consistent(m) && !pthread_mutex_unlock(m));
        if (i & 1) waitpid(pid, NULL, 0);
    }
    printf("process\n");
    return check_done("robust");
}
