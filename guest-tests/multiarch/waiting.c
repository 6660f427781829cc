// test: flags=-pthread
// poll, select, epoll (level, edge, one-shot), eventfd, timerfd, signalfd, pidfd, inotify.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

int main(void) {
    int p[2], q[2];
    char c;
    CHECK(!pipe(p) && !pipe(q));
    struct pollfd f[3] = {{p[0], POLLIN}, {p[1], POLLOUT}, {-1, POLLIN}};
    CHECK_EQ(poll(f, 3, 0), 1);
    CHECK(f[0].revents == 0 && f[1].revents == POLLOUT && f[2].revents == 0);
    write(p[1], "x", 1);
    CHECK_EQ(poll(f, 3, 1000), 2);
    f[2].fd = 999;
    CHECK_EQ(poll(f, 3, 0), 3);
    CHECK_EQ(f[2].revents, POLLNVAL);
    fd_set r, w;
    FD_ZERO(&r); FD_ZERO(&w); FD_SET(p[0], &r); FD_SET(q[0], &r); FD_SET(p[1], &w);
    struct timeval tv = {1, 0};
    CHECK_EQ(select(64, &r, &w, NULL, &tv), 2);
    CHECK(FD_ISSET(p[0], &r) && !FD_ISSET(q[0], &r) && FD_ISSET(p[1], &w));
    FD_ZERO(&r); FD_SET(q[0], &r);
    tv.tv_sec = 0, tv.tv_usec = 20000;
    CHECK_EQ(select(64, &r, NULL, NULL, &tv), 0);
    struct timespec ts = {0, 1000000};
    FD_SET(p[0], &r);
    CHECK_EQ(pselect(64, &r, NULL, NULL, &ts, NULL), 1);
    tv.tv_sec = -1;
    FAILS(select(64, &r, NULL, NULL, &tv), EINVAL);
    printf("poll\n");

    int ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {EPOLLIN, {.u64 = 0x123456789abcdef0}}, got[8];
    CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
    FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev), EEXIST);
    CHECK_EQ(epoll_wait(ep, got, 8, 0), 1);
    CHECK(got[0].data.u64 == 0x123456789abcdef0 && got[0].events == EPOLLIN);
    ev.events = EPOLLIN | EPOLLET, ev.data.u32 = 7;
    CHECK(!epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev));
    CHECK_EQ(epoll_wait(ep, got, 8, 0), 1);
    CHECK_EQ(epoll_wait(ep, got, 8, 0), 0);
    write(p[1], "y", 1);
    CHECK_EQ(epoll_wait(ep, got, 8, 0), 1);
    ev.events = EPOLLIN | EPOLLONESHOT;
    epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev);
    CHECK_EQ(epoll_wait(ep, got, 8, 0), 1);
    write(p[1], "z", 1);
    CHECK_EQ(epoll_wait(ep, got, 8, 10), 0);
    ev.data.u32 = 8;
    CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, q[0], &ev));
    close(q[1]);
    CHECK_EQ(epoll_pwait(ep, got, 8, 100, NULL), 1);
    CHECK(got[0].data.u32 == 8 && (got[0].events & EPOLLHUP));
    CHECK(!epoll_ctl(ep, EPOLL_CTL_DEL, q[0], NULL));
    printf("epoll\n");

    int e = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC);
    uint64_t v;
    CHECK(eventfd_read(e, &v) == 0 && v == 3);
    FAILS(eventfd_read(e, &v), EAGAIN);
    CHECK(!eventfd_write(e, 10) && !eventfd_write(e, 5) && !eventfd_read(e, &v) && v == 15);
    v = -1;
    FAILS(write(e, &v, 8), EINVAL);
    int sem = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    CHECK(!eventfd_read(sem, &v) && v == 1 && !eventfd_read(sem, &v) && v == 1);
    FAILS(eventfd_read(sem, &v), EAGAIN);
    printf("eventfd\n");

    int t = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct itimerspec it = {{0, 5000000}, {0, 5000000}}, now;
    CHECK(!timerfd_settime(t, 0, &it, NULL));
    CHECK(!timerfd_gettime(t, &now) && now.it_interval.tv_nsec == 5000000);
    CHECK(read(t, &v, 8) == 8 && v >= 1);
    usleep(30000);
    CHECK(read(t, &v, 8) == 8 && v >= 2);
    memset(&it, 0, sizeof it);
    CHECK(!timerfd_settime(t, 0, &it, &now) && now.it_interval.tv_nsec == 5000000);
    printf("timerfd\n");

    sigset_t s;
    sigemptyset(&s), sigaddset(&s, SIGUSR1), sigaddset(&s, SIGRTMIN + 2);
    sigprocmask(SIG_BLOCK, &s, NULL);
    int sf = signalfd(-1, &s, SFD_NONBLOCK);
    struct signalfd_siginfo si;
    FAILS(read(sf, &si, sizeof si), EAGAIN);
    raise(SIGUSR1);
    union sigval sv = {.sival_int = 99};
    sigqueue(getpid(), SIGRTMIN + 2, sv);
    CHECK(read(sf, &si, sizeof si) == sizeof si && si.ssi_signo == SIGUSR1 && si.ssi_pid == getpid());
    CHECK(read(sf, &si, sizeof si) == sizeof si && si.ssi_signo == SIGRTMIN + 2 && si.ssi_int == 99);
    printf("signalfd\n");

    pid_t pid = fork();
    if (!pid) {
        pause();
        _exit(0);
    }
    int pf = syscall(SYS_pidfd_open, pid, 0);
    CHECK(pf >= 0);
    struct pollfd pp = {pf, POLLIN};
    CHECK_EQ(poll(&pp, 1, 10), 0);
    CHECK(!syscall(SYS_pidfd_send_signal, pf, SIGTERM, NULL, 0));
    CHECK_EQ(poll(&pp, 1, 5000), 1);
    siginfo_t wi;
    CHECK(!waitid(3 /* P_PIDFD */, pf, &wi, WEXITED) && wi.si_status == SIGTERM && wi.si_code == CLD_KILLED);
    printf("pidfd\n");

    int in = inotify_init1(IN_NONBLOCK);
    mkdir("watched", 0700);
    int wd = inotify_add_watch(in, "watched", IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVE);
    CHECK(wd > 0);
    int fd = open("watched/a", O_CREAT | O_WRONLY, 0600);
    write(fd, "1", 1), close(fd);
    rename("watched/a", "watched/b"), unlink("watched/b");
    char buf[4096] __attribute__((aligned(8)));
    int n = read(in, buf, sizeof buf);
    for (char *b = buf; b < buf + n;) {
        struct inotify_event *i = (void *)b;
        printf("%x %s%s\n", i->mask, i->name, i->cookie ? " cookie" : "");
        b += sizeof *i + i->len;
    }
    CHECK(!inotify_rm_watch(in, wd));
    return check_done("waiting");
}
