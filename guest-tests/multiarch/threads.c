// test: flags=-pthread timeout=120 link=static,dynamic long=64
// 16 threads: atomics, mutexes, condition variables, read-write locks, barriers, semaphores, TLS, cancellation, exit.
#include "check.h"
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define N 16
static pthread_t t[N];
static void start(void *(*f)(void *)) {
    for (long i = 0; i < N; i++) CHECK(!pthread_create(&t[i], NULL, f, (void *)i));
}
static void join(void) {
    for (int i = 0; i < N; i++) {
        void *r;
        CHECK(!pthread_join(t[i], &r));
    }
}

static atomic_llong a64;
static atomic_int a32, flag_lock;
static atomic_uchar a8;
static atomic_ushort a16;
static __int128 a128 __attribute__((aligned(16)));
static long per, plain;
static void *atomics(void *arg) {
    for (long i = 0; i < per; i++) {
        atomic_fetch_add(&a64, i);
        atomic_fetch_sub_explicit(&a32, 3, memory_order_relaxed);
        atomic_fetch_xor(&a8, 1 << (i & 7));
        atomic_fetch_add_explicit(&a16, 7, memory_order_acq_rel);
        long long e = atomic_load(&a64);
        while (!atomic_compare_exchange_weak(&a64, &e, e + 1)) {}
        while (atomic_exchange_explicit(&flag_lock, 1, memory_order_acquire)) sched_yield();
        plain += 2;
        atomic_store_explicit(&flag_lock, 0, memory_order_release);
    }
    return NULL;
}

static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER, rec;
static pthread_cond_t cv = PTHREAD_COND_INITIALIZER;
static long counter, produced, consumed, total;
static void *mutexes(void *arg) {
    for (long i = 0; i < per; i++) {
        pthread_mutex_lock(&m);
        counter++;
        pthread_mutex_unlock(&m);
        pthread_mutex_lock(&rec), pthread_mutex_lock(&rec);
        counter += 0;
        pthread_mutex_unlock(&rec), pthread_mutex_unlock(&rec);
    }
    return NULL;
}

static int queue[8], qn;
static pthread_cond_t space = PTHREAD_COND_INITIALIZER;
static void *conds(void *arg) {
    long id = (long)arg, n = per / 20;
    for (long i = 0; i < n; i++) {
        pthread_mutex_lock(&m);
        if (id & 1) {
            while (qn == 8) pthread_cond_wait(&space, &m);
            queue[qn++] = 1;
            produced++;
            pthread_cond_signal(&cv);
        } else {
            while (qn == 0) pthread_cond_wait(&cv, &m);
            total += queue[--qn];
            consumed++;
            pthread_cond_signal(&space);
        }
        pthread_mutex_unlock(&m);
    }
    return NULL;
}

static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t bar;
static sem_t sem;
static long shared_a, shared_b, serial, inside;
static atomic_long most;
static void *locks(void *arg) {
    for (long i = 0; i < per / 50; i++) {
        if (i % 4 == 0) {
            pthread_rwlock_wrlock(&rw);
            shared_a++, shared_b++;
            pthread_rwlock_unlock(&rw);
        } else {
            pthread_rwlock_rdlock(&rw);
            CHECK(shared_a == shared_b);
            pthread_rwlock_unlock(&rw);
        }
    }
    for (int i = 0; i < 20; i++)
        if (pthread_barrier_wait(&bar) == PTHREAD_BARRIER_SERIAL_THREAD) __atomic_add_fetch(&serial, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 30; i++) {
        sem_wait(&sem);
        long now = __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
        if (now > most) most = now;
        __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
        sem_post(&sem);
    }
    return NULL;
}

static __thread long tls_a = 5;
static __thread char tls_b[100];
static pthread_key_t key;
static atomic_int destroyed;
static void destroy(void *p) { destroyed += (long)p; }
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_int onces;
static void run_once(void) { onces++; }
static void *tls(void *arg) {
    long id = (long)arg;
    CHECK_EQ(tls_a, 5);
    tls_a = id;
    memset(tls_b, id, sizeof tls_b);
    pthread_setspecific(key, (void *)(id + 1));
    for (int i = 0; i < 50; i++) {
        sched_yield();
        CHECK_EQ(tls_a, id);
        CHECK_EQ(tls_b[99], id);
        errno = id;
    }
    CHECK_EQ(errno, id);
    CHECK_EQ((long)pthread_getspecific(key), id + 1);
    pthread_once(&once, run_once);
    return NULL;
}

static atomic_int cleaned, waiting;
static void cleanup(void *p) { cleaned++; }
static void *cancelled(void *arg) {
    long id = (long)arg;
    pthread_cleanup_push(cleanup, NULL);
    if (id % 4 == 3) pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    waiting++;
    switch (id % 4) {
    case 0: for (;;) pause();
    case 1: for (;;) sleep(100);
    case 2: for (;;) pthread_testcancel();
    case 3: for (volatile long i = 0;; i++) {}
    }
    pthread_cleanup_pop(0);
    return NULL;
}
static void *exits(void *arg) {
    pthread_cleanup_push(cleanup, NULL);
    pthread_exit((void *)((long)arg * 3));
    pthread_cleanup_pop(0);
}

static atomic_int got_signal[N], ready;
static __thread int my_id;
static void on_signal(int s) { got_signal[my_id]++; }
static atomic_int stop_signals;
static void *signalled(void *arg) {
    my_id = (long)arg;
    ready++;
    while (!stop_signals) usleep(1000);
    return NULL;
}

static void *nothing(void *arg) { return arg; }

int main(void) {
    per = scaled(20000);
    pthread_mutexattr_t ma;
    pthread_mutexattr_init(&ma), pthread_mutexattr_settype(&ma, PTHREAD_MUTEX_RECURSIVE), pthread_mutex_init(&rec, &ma);
    start(atomics), join();
    CHECK_EQ(a64, N * (per * (per - 1) / 2 + per));
    CHECK_EQ(a32, (int)(-3l * N * per));
    CHECK_EQ(a16, (unsigned short)(7l * N * per));
    CHECK_EQ(plain, 2l * N * per);
    printf("atomics\n");
    start(mutexes), join();
    CHECK_EQ(counter, N * per);
    printf("mutexes\n");
    start(conds), join();
    CHECK(produced == consumed && total == consumed && qn == 0);
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    ts.tv_nsec += 20000000;
    if (ts.tv_nsec >= 1000000000) ts.tv_sec++, ts.tv_nsec -= 1000000000;
    pthread_mutex_lock(&m);
    CHECK_EQ(pthread_cond_timedwait(&cv, &m, &ts), ETIMEDOUT);
    CHECK_EQ(pthread_mutex_trylock(&m), EBUSY);
    pthread_mutex_unlock(&m);
    printf("conditions\n");
    pthread_barrier_init(&bar, NULL, N), sem_init(&sem, 0, 3);
    start(locks), join();
    CHECK_EQ(serial, 20);
    CHECK(most <= 3);
    CHECK_EQ(shared_a, N * ((per / 50 + 3) / 4));
    printf("locks\n");
    pthread_key_create(&key, destroy);
    start(tls), join();
    CHECK_EQ(tls_a, 5);
    CHECK_EQ(destroyed, N * (N + 1) / 2);
    CHECK_EQ(onces, 1);
    printf("tls\n");
    start(cancelled);
    while (waiting < N) usleep(1000);
    for (int i = 0; i < N; i++) CHECK(!pthread_cancel(t[i]));
    for (int i = 0; i < N; i++) {
        void *r;
        pthread_join(t[i], &r);
        CHECK(r == PTHREAD_CANCELED);
    }
    CHECK_EQ(cleaned, N);
    start(exits);
    for (long i = 0; i < N; i++) {
        void *r;
        pthread_join(t[i], &r);
        CHECK_EQ((long)r, i * 3);
    }
    CHECK_EQ(cleaned, 2 * N);
    printf("cancellation\n");
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &sa, NULL);
    start(signalled);
    while (ready < N) usleep(1000);
    for (int i = 0; i < N; i++) CHECK(!pthread_kill(t[i], SIGUSR1));
    for (int i = 0; i < N; i++)
        for (int k = 0; !got_signal[i] && k < 5000; k++) usleep(1000);
    stop_signals = 1;
    join();
    for (int i = 0; i < N; i++) CHECK_EQ(got_signal[i], 1);
    printf("signals\n");
    for (long i = 0; i < scaled(1000); i++) {
        pthread_t one;
        void *r;
        CHECK(!pthread_create(&one, NULL, nothing, (void *)i));
        pthread_join(one, &r);
        if ((long)r != i) CHECK_EQ((long)r, i);
    }
    pthread_attr_t at;
    pthread_attr_init(&at);
    pthread_attr_setstacksize(&at, PTHREAD_STACK_MIN + 65536);
    pthread_attr_setdetachstate(&at, PTHREAD_CREATE_DETACHED);
    for (int i = 0; i < 50; i++) {
        pthread_t one;
        CHECK(!pthread_create(&one, &at, nothing, NULL));
    }
    printf("creation\n");
    pid_t pid;
    // The whole process ends with a thread's exit() and with the last thread's pthread_exit().
    pid = fork();
    if (!pid) {
        start((void *(*)(void *))(void *)pause);
        exit(7);
    }
    int st;
    waitpid(pid, &st, 0);
    CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 7);
    pid = fork();
    if (!pid) {
        pthread_create(&t[0], NULL, (void *(*)(void *))(void *)nothing, NULL);
        pthread_exit(NULL);
    }
    waitpid(pid, &st, 0);
    CHECK(WIFEXITED(st) && WEXITSTATUS(st) == 0);
    return check_done("threads");
}
