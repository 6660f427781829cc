// test: flags=-pthread timeout=120 slow=skip
// Signals against blocking calls: whenever the signal comes, before the call, at its entry, inside or at its end, its
// handler runs once and what it does ends the call. RACES=10000 in the environment sends so many to each call.
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static long races(long n) { return getenv("RACES") ? atol(getenv("RACES")) : scaled(n); }

static int fds[2], sv[2], queue = -1, epoll;
static volatile int word, handled;
static volatile int pulse_pipe, pulse_socket, pulse_queue;

// The handler brings what the call waits for.
static void on_signal(int sig) {
    int e = errno;
    handled++;
    if (pulse_pipe) write(fds[1], "x", 1);
    if (pulse_socket) write(sv[1], "x", 1);
    if (pulse_queue) {
        struct { long type; char c; } m = {1, 'x'};
        syscall(SYS_msgsnd, queue, &m, 1, 0);
    }
    __atomic_store_n(&word, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    errno = e;
}

static pthread_t victim;
static volatile long turn;
static long rounds;
static int step;
static void *sender(void *a) {
    uint64_t seed = 3 + step;
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    for (long i = 1; i <= rounds; i++) {
        while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != i) sched_yield();
        for (volatile long k = rnd(&seed) % 3000; k > 0; k--) {}
        pthread_kill(victim, SIGUSR1);
    }
    return NULL;
}

static void go(long i) { __atomic_store_n(&turn, i, __ATOMIC_RELEASE); }
static void drain(int fd) {
    char c;
    CHECK_EQ(read(fd, &c, 1), 1);
}

// A call is made until the handler has run: with SA_RESTART it must not fail, without it may only fail with EINTR.
static void call(const char *name, int which, int restart) {
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = restart ? SA_RESTART : 0};
    sigaction(SIGUSR1, &sa, NULL);
    pthread_t t;
    victim = pthread_self();
    turn = 0;
    step = which;
    rounds = races(40);
    pulse_pipe = which == 0 || which == 1 || which == 2 || which == 3;
    pulse_socket = which == 4;
    pulse_queue = which == 5;
    sigset_t block, none;
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    sigemptyset(&none);
    pthread_create(&t, NULL, sender, NULL);
    for (long i = 1; i <= rounds; i++) {
        handled = 0;
        word = 0;
        long r = 0;
        char c;
        struct pollfd p = {fds[0], POLLIN};
        struct epoll_event ev;
        if (which >= 6 && which != 8) pthread_sigmask(SIG_BLOCK, &block, NULL);
        go(i);
        errno = 0;
        switch (which) {
        case 0:
            while ((r = read(fds[0], &c, 1)) == -1 && errno == EINTR && !restart) {}
            CHECK_EQ(r, 1);
            break;
        case 1:
            while ((r = poll(&p, 1, 10000)) == -1 && errno == EINTR) {}
            CHECK_EQ(r, 1);
            drain(fds[0]);
            break;
        case 2:
            while ((r = epoll_wait(epoll, &ev, 1, 10000)) == -1 && errno == EINTR) {}
            CHECK_EQ(r, 1);
            drain(fds[0]);
            break;
        case 3: {
            fd_set set;
            do {
                FD_ZERO(&set);
                FD_SET(fds[0], &set);
                r = select(fds[0] + 1, &set, NULL, NULL, NULL);
            } while (r == -1 && errno == EINTR);
            CHECK_EQ(r, 1);
            drain(fds[0]);
            break;
        }
        case 4:
            while ((r = recv(sv[0], &c, 1, 0)) == -1 && errno == EINTR && !restart) {}
            CHECK_EQ(r, 1);
            break;
        case 5: {
            struct { long type; char c; } m;
            while ((r = msgrcv(queue, &m, 1, 0, 0)) == -1 && errno == EINTR) {}
            CHECK_EQ(r, 1);
            break;
        }
        case 6:
            // Atomically open: it must end with EINTR, whenever the signal was sent.
            r = sigsuspend(&none);
            CHECK(r == -1 && errno == EINTR);
            break;
        case 7:
            r = ppoll(&p, 1, NULL, &none);
            CHECK(r == -1 && errno == EINTR);
            break;
        case 8:
            while (!word) {
                r = syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
                CHECK(r == 0 || errno == EAGAIN || (errno == EINTR && !restart));
            }
            break;
        case 9: {
            r = epoll_pwait(epoll, &ev, 1, -1, &none);
            CHECK(r == -1 && errno == EINTR);
            break;
        }
        }
        while (!handled) sched_yield();
        CHECK_EQ(handled, 1);
        if (check_failures > 20) exit(1);
    }
    if (which >= 6 && which != 8) pthread_sigmask(SIG_UNBLOCK, &block, NULL);
    pthread_join(t, NULL);
    printf("%s%s\n", name, restart ? ", restarted" : "");
}

int main(void) {
    alarm(getenv("RACES") ? 3600 : 115);
    CHECK(!pipe(fds) && !socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
    epoll = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLIN};
    CHECK(!epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &ev));
    queue = msgget(IPC_PRIVATE, 0600);
    static const char *names[] = {"read", "poll", "epoll_wait", "select", "recv", "msgrcv", "sigsuspend", "ppoll", "futex", "epoll_pwait"};
    for (int k = 0; k < 10; k++)
        for (int restart = 0; restart < 2; restart++)
            if (k != 5 || queue >= 0) call(names[k], k, restart);
            else printf("%s%s\n", names[k], restart ? ", restarted" : "");
    if (queue >= 0) msgctl(queue, IPC_RMID, NULL);
    return check_done("interrupts");
}
