// test: flags=-lrt
// Time: clocks, sleeps, interval and POSIX timers, overruns, CPU time.
#include "check.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>

static volatile int hits, value, code;
static void on(int s, siginfo_t *si, void *uc) {
    hits++;
    value = si->si_value.sival_int;
    code = si->si_code;
}
static double now(clockid_t c) {
    struct timespec t;
    CHECK(!clock_gettime(c, &t));
    return t.tv_sec + t.tv_nsec * 1e-9;
}

int main(void) {
    clockid_t all[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW,
                       CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        struct timespec r;
        CHECK(!clock_getres(all[i], &r) && r.tv_sec == 0 && r.tv_nsec > 0);
        double a = now(all[i]), b = now(all[i]);
        CHECK(b >= a);
    }
    double last = now(CLOCK_MONOTONIC);
    for (int i = 0; i < 100000; i++) {
        double n = now(CLOCK_MONOTONIC);
        if (n < last) CHECK(n >= last);
        last = n;
    }
    struct timeval tv;
    CHECK(!gettimeofday(&tv, NULL));
    CHECK(tv.tv_sec - time(NULL) <= 1 && tv.tv_sec > 1600000000);
    CHECK(now(CLOCK_REALTIME) - tv.tv_sec < 2);
    double a = now(CLOCK_MONOTONIC);
    struct timespec ts = {0, 30000000};
    CHECK(!nanosleep(&ts, NULL));
    double d = now(CLOCK_MONOTONIC) - a;
    CHECK(d >= 0.0299);
    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_nsec += 20000000;
    if (ts.tv_nsec >= 1000000000) ts.tv_nsec -= 1000000000, ts.tv_sec++;
    CHECK(!clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL));
    CHECK(now(CLOCK_MONOTONIC) >= ts.tv_sec + ts.tv_nsec * 1e-9);
    CHECK_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL), EINVAL);
    printf("clocks\n");
    struct sigaction sa = {.sa_flags = SA_SIGINFO};
    sa.sa_sigaction = on;
    sigaction(SIGALRM, &sa, NULL), sigaction(SIGRTMIN, &sa, NULL), sigaction(SIGVTALRM, &sa, NULL), sigaction(SIGPROF, &sa, NULL);
    struct itimerval it = {{0, 10000}, {0, 10000}}, old;
    setitimer(ITIMER_REAL, &it, NULL);
    while (hits < 5) pause();
    memset(&it, 0, sizeof it);
    CHECK(!setitimer(ITIMER_REAL, &it, &old) && old.it_interval.tv_usec == 10000);
    hits = 0;
    it.it_value.tv_usec = 10000;
    setitimer(ITIMER_VIRTUAL, &it, NULL);
    for (volatile long i = 0; !hits; i++) {}
    hits = 0;
    setitimer(ITIMER_PROF, &it, NULL);
    for (volatile long i = 0; !hits; i++) {}
    alarm(100);
    CHECK(alarm(0) >= 99);
    printf("itimers\n");
    timer_t t;
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 4242};
    CHECK(!timer_create(CLOCK_MONOTONIC, &ev, &t));
    struct itimerspec is = {{0, 5000000}, {0, 5000000}}, got;
    hits = 0;
    CHECK(!timer_settime(t, 0, &is, NULL));
    while (hits < 4) pause();
    CHECK_EQ(value, 4242);
    CHECK_EQ(code, SI_TIMER);
    CHECK(!timer_gettime(t, &got) && got.it_interval.tv_nsec == 5000000);
    sigset_t s;
    sigemptyset(&s), sigaddset(&s, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &s, NULL);
    usleep(50000);
    siginfo_t si;
    CHECK_EQ(sigwaitinfo(&s, &si), SIGRTMIN);
    CHECK(si.si_overrun > 2);
    CHECK(!timer_delete(t));
    FAILS(timer_delete((timer_t)99), EINVAL);
    printf("timers\n");
    struct tm tm;
    time_t when = 1234567890;
    char text[64];
    strftime(text, sizeof text, "%F %T %a %j", gmtime_r(&when, &tm));
    printf("%s %ld\n", text, (long)timegm(&tm));
    struct rusage ru;
    CHECK(!getrusage(RUSAGE_SELF, &ru) && ru.ru_utime.tv_sec + ru.ru_utime.tv_usec > 0);
    CHECK(clock() > 0);
    return check_done("clocks");
}
