// Calls with 64-bit times, and waiting with them.
#include "bare.h"
enum { clock_settime64 = 404, clock_gettime64 = 403, clock_getres_time64 = 406, clock_nanosleep_time64, timer_gettime64, timer_settime64,
    timerfd_gettime64, timerfd_settime64, pselect6_time64 = 413, ppoll_time64, mq_timedsend = 418, semtimedop_time64 = 420, rt_sigtimedwait_time64,
    futex_time64, sched_rr = 423, timerfd_create = 85, timer_create = 107, timer_delete = 111, pipe2 = 59, write_ = 64, read_ = 63,
    sigprocmask = 135, setitimer = 103, getitimer = 102, epoll_create1 = 20, epoll_ctl, epoll_pwait, epoll_pwait2 = 441, gettimeofday_ = 169,
    times_ = 153, getrusage_ = 165, sysinfo_ = 179, kill_ = 129, getpid_ = 172, semget = 190, semctl };
struct timespec { int64_t sec; int32_t nsec; uint32_t junk; };
struct itimerspec { struct timespec interval, value; };
struct timeval { int32_t sec, usec; };
static struct timespec junk(int64_t sec, int32_t nsec) { return (struct timespec){sec, nsec, 0xcafebabe}; }
static int64_t now(int clock) {
    struct timespec t;
    CHECK_EQ(sc(clock_gettime64, clock, &t), 0);
    CHECK_EQ(t.junk, 0);
    return t.sec * 1000 + (unsigned)t.nsec / 1000000;
}

static int run(int argc, char **argv) {
    struct timespec t;
    CHECK(now(0) > 1700000000000);
    CHECK_EQ(sc(clock_getres_time64, 1, &t), 0);
    CHECK(t.sec == 0 && t.nsec >= 1);
    CHECK_EQ(sc(clock_gettime64, 99, &t), -22);
    CHECK_EQ(sc(clock_gettime64, 0, 8), -14);
    int64_t start = now(1);
    struct timespec w = junk(0, 20000000);
    CHECK_EQ(sc(clock_nanosleep_time64, 1, 0, &w, 0), 0);
    CHECK(now(1) - start >= 19);
    w = junk(0, 1000000000);
    CHECK_EQ(sc(clock_nanosleep_time64, 1, 0, &w, 0), -22);
    // An absolute time that does not fit into 32 bits, on a timer.
    int fd = sc(timerfd_create, 0, 0);
    struct itimerspec far = {junk(0, 0), junk(0x200000000, 7)}, got;
    CHECK_EQ(sc(timerfd_settime64, fd, 1, &far, 0), 0);
    CHECK_EQ(sc(timerfd_gettime64, fd, &got), 0);
    CHECK(got.value.sec > 0x180000000);
    struct itimerspec soon = {junk(0, 0), junk(0, 5000000)};
    CHECK_EQ(sc(timerfd_settime64, fd, 0, &soon, &got), 0);
    CHECK(got.value.sec > 0x180000000);
    uint64_t expired = 0;
    CHECK_EQ(sc(read_, fd, &expired, 8), 8);
    CHECK_EQ(expired, 1);
    // A POSIX timer with a signal and a value, waited for.
    uint64_t set = 1ull << (12 - 1) | 1ull << (40 - 1);
    CHECK_EQ(sc(sigprocmask, 0, &set, 0, 8), 0);
    struct { int32_t value, signo, notify, pad[13]; } ev = {0x1234, 40, 0};
    int timer;
    CHECK_EQ(sc(timer_create, 1, &ev, &timer), 0);
    CHECK_EQ(sc(timer_settime64, timer, 0, &soon, 0), 0);
    struct { int32_t signo, error, code, timer, overrun, value, pad[26]; } info;
    w = junk(2, 0);
    CHECK_EQ(sc(rt_sigtimedwait_time64, &set, &info, &w, 8), 40);
    CHECK_EQ(info.signo, 40);
    CHECK_EQ(info.code, -2);
    CHECK_EQ(info.value, 0x1234);
    CHECK_EQ(sc(timer_gettime64, timer, &got), 0);
    CHECK_EQ(got.value.sec, 0);
    CHECK_EQ(sc(timer_delete, timer), 0);
    w = junk(0, 1000000);
    CHECK_EQ(sc(rt_sigtimedwait_time64, &set, &info, &w, 8), -11);
    CHECK_EQ(sc(kill_, sc(getpid_), 12), 0);
    CHECK_EQ(sc(rt_sigtimedwait_time64, &set, &info, 0, 8), 12);
    CHECK_EQ(info.timer, sc(getpid_));
    // Waiting for descriptors.
    int p[2];
    CHECK_EQ(sc(pipe2, p, 0), 0);
    struct { int fd; short events, revents; } poll = {p[0], 1, 0};
    w = junk(0, 3000000);
    CHECK_EQ(sc(ppoll_time64, &poll, 1, &w, 0, 0), 0);
    CHECK(w.sec == 0 && w.nsec == 0);
    uint32_t sets[2] = {1u << p[0], 0};
    w = junk(0, 3000000);
    CHECK_EQ(sc(pselect6_time64, p[0] + 1, sets, 0, 0, &w, 0), 0);
    CHECK_EQ(sets[0], 0);
    CHECK_EQ(sc(write_, p[1], "x", 1), 1);
    sets[0] = 1u << p[0], sets[1] = 0x55aa55aa;
    struct { uint32_t at, size; } pack = {(uint32_t)&set, 8};
    w = junk(5, 0);
    CHECK_EQ(sc(pselect6_time64, p[0] + 1, sets, 0, 0, &w, &pack), 1);
    CHECK_EQ(sets[0], 1u << p[0]);
    CHECK_EQ(sets[1], 0x55aa55aa);
    CHECK(w.sec == 4);
    CHECK_EQ(sc(ppoll_time64, &poll, 1, &w, &set, 8), 1);
    CHECK_EQ(poll.revents, 1);
    int ep = sc(epoll_create1, 0);
    struct { uint32_t events, pad; uint64_t data; } e = {1, 0, 0x1122334455667788};
    CHECK_EQ(sc(epoll_ctl, ep, 1, p[0], &e), 0);
    memset(&e, 0, sizeof e);
    CHECK_EQ(sc(epoll_pwait, ep, &e, 1, 1000, 0, 8), 1);
    CHECK_EQ(e.data, 0x1122334455667788);
    memset(&e, 0, sizeof e);
    w = junk(1, 0);
    CHECK_EQ(sc(epoll_pwait2, ep, &e, 1, &w, 0, 8), 1);
    CHECK_EQ(e.events, 1);
    uint32_t word = 5;
    w = junk(0, 2000000);
    CHECK_EQ(sc(futex_time64, &word, 128, 5, &w), -110);
    CHECK_EQ(sc(futex_time64, &word, 128, 6, &w), -11);
    CHECK_EQ(sc(futex_time64, &word, 129, 1), 0);
    // Structures with 32-bit times that stayed.
    // Not a call of this ABI.
    CHECK_EQ(sc(gettimeofday_, &set, 0), -38);
    struct { struct timeval interval, value; } it = {{0, 0}, {100, 5}}, old;
    CHECK_EQ(sc(setitimer, 0, &it, 0), 0);
    CHECK_EQ(sc(getitimer, 0, &old), 0);
    CHECK(old.value.sec == 99 || old.value.sec == 100);
    it.value.sec = it.value.usec = 0;
    CHECK_EQ(sc(setitimer, 0, &it, &old), 0);
    struct { struct timeval user, system; int32_t maxrss, rest[13]; } ru;
    CHECK_EQ(sc(getrusage_, 0, &ru), 0);
    CHECK(ru.maxrss > 100);
    int32_t tms[4];
    CHECK(sc(times_, tms) != 0);
    struct { int32_t uptime; uint32_t loads[3], totalram, freeram, shared, buffer, totalswap, freeswap; uint16_t procs, pad; uint32_t high, freehigh, unit; char f[8]; } si;
    CHECK_EQ(sc(sysinfo_, &si), 0);
    CHECK(si.totalram > 0 && si.freeram <= si.totalram && si.unit >= 1 && si.procs > 0);
    w = junk(-1, -1);
    CHECK_EQ(sc(sched_rr, 0, &w), 0);
    CHECK(w.sec >= 0 && w.nsec >= 0 && w.junk == 0);
    int sem = sc(semget, 0, 2, 0600);
    if (sem >= 0) {
        struct { uint16_t num; int16_t op, flg; } op = {0, -1, 0};
        w = junk(0, 2000000);
        CHECK_EQ(sc(semtimedop_time64, sem, &op, 1, &w), -11);
        struct { int32_t key; uint32_t uid, gid, cuid, cgid, mode; uint16_t seq, p2; uint32_t u1, u2; uint32_t otime, ohigh, ctime, chigh, nsems, u3, u4; } ds;
        CHECK_EQ(sizeof ds, 64);
        CHECK_EQ(sc(semctl, sem, 0, 2 | 0x100, &ds), 0);
        CHECK_EQ(ds.nsems, 2);
        CHECK_EQ(ds.mode & 0777, 0600);
        CHECK_EQ(sc(semctl, sem, 0, 0), 0);
    }
    return done("times");
}
