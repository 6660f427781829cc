// test: flags=-pthread timeout=120
// 100,000 handler entries, from timers, a thread and a child, while the main program computes; nothing may be lost
// or changed: integer, floating-point and vector state survive, and every queued real-time signal arrives.
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

static volatile sig_atomic_t timer_hits, thread_hits, child_hits;
static volatile double dsink;
static void on_alarm(int s) {
    timer_hits++;
    dsink = dsink * 1.5 + 1;
}
static void on_usr(int s) {
    thread_hits++;
    char junk[200];
    memset(junk, s, sizeof junk);
    dsink += junk[thread_hits % 200];
}
static long sum_values;
static void on_rt(int s, siginfo_t *si, void *uc) {
    child_hits++;
    sum_values += si->si_value.sival_int;
}

static pthread_t main_thread;
static long want;
static void *pester(void *arg) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    // Queued, so that none is merged with another and the sender need not wait.
    union sigval v = {.sival_int = 1};
    for (long i = 0; i < want; i++)
        while (pthread_sigqueue(main_thread, SIGRTMIN + 1, v)) usleep(100);
    return NULL;
}

// A computation whose result is known because it is repeated without signals.
static uint64_t work(long n) {
    uint64_t s = 1, h = 0;
    double a = 1.0, b[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    for (long i = 0; i < n; i++) {
        h = h * 31 + rnd(&s);
        a = a * 1.0000001 + (double)(h & 255) * 0.125;
        for (int k = 0; k < 8; k++) b[k] = b[k] * 0.5 + a;
    }
    uint64_t r = fnv(h, &a, sizeof a);
    return fnv(r, b, sizeof b);
}

int main(void) {
    main_thread = pthread_self();
    uint64_t expected = work(2000), small = work(500);
    struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &sa, NULL);
    sa.sa_handler = on_usr;
    sigaction(SIGRTMIN + 1, &sa, NULL);
    sigaction(SIGUSR1, &sa, NULL);
    sa.sa_sigaction = on_rt, sa.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaction(SIGRTMIN, &sa, NULL);

    // Queued signals from a child: each is delivered, none twice.
    long queued = scaled(20000);
    pid_t parent = getpid(), pid = fork();
    if (!pid) {
        for (int i = 0; i < queued; i++) {
            union sigval v = {.sival_int = i};
            while (sigqueue(parent, SIGRTMIN, v)) usleep(100);
        }
        _exit(0);
    }
    while (child_hits < queued) CHECK(work(2000) == expected);
    waitpid(pid, NULL, 0);
    CHECK_EQ(child_hits, queued);
    CHECK_EQ(sum_values, queued * (queued - 1) / 2);
    printf("queued\n");

    struct itimerval it = {{0, 200}, {0, 200}};
    setitimer(ITIMER_REAL, &it, NULL);
    want = scaled(40000);
    pthread_t t;
    pthread_create(&t, NULL, pester, NULL);
    long raised = scaled(40000), sent = 0;
    while (thread_hits < want + raised) {
        if (work(500) != small) {
            CHECK(!"undisturbed");
            break;
        }
        for (int k = 0; k < 100 && sent < raised; k++, sent++) raise(SIGUSR1);
    }
    pthread_join(t, NULL);
    CHECK_EQ(thread_hits, want + raised);
    memset(&it, 0, sizeof it);
    setitimer(ITIMER_REAL, &it, NULL);
    CHECK(timer_hits > 0);
    printf("load\n");
    return check_done("sigload");
}
