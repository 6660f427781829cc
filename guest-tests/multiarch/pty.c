// test: flags=-lutil
// Pseudo-terminals: line discipline, attributes, window size, controlling terminal, job control signals.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

static volatile int winch, intr;
static void on_winch(int s) { winch++; }
static void on_int(int s) { intr++; }

int main(void) {
    int m = posix_openpt(O_RDWR | O_NOCTTY);
    CHECK(m >= 0 && !grantpt(m) && !unlockpt(m));
    char *name = ptsname(m);
    CHECK(name && !strncmp(name, "/dev/pts/", 9));
    int s = open(name, O_RDWR | O_NOCTTY);
    CHECK(s >= 0 && isatty(s) && isatty(m));
    CHECK(!strcmp(ttyname(s), name));
    struct termios t, u;
    CHECK(!tcgetattr(s, &t));
    CHECK((t.c_lflag & ICANON) && (t.c_lflag & ECHO) && (t.c_oflag & OPOST));
    CHECK_EQ(cfgetospeed(&t), B38400);
    char buf[256];
    CHECK_EQ(write(m, "ab\x7f" "c\n", 5), 5);
    int n = read(s, buf, sizeof buf);
    CHECK(n == 3 && !memcmp(buf, "ac\n", 3));
    n = read(m, buf, sizeof buf);
    CHECK(n > 0 && !memcmp(buf, "ab", 2));
    cfmakeraw(&t);
    t.c_cc[VMIN] = 1, t.c_cc[VTIME] = 0;
    cfsetspeed(&t, B115200);
    CHECK(!tcsetattr(s, TCSANOW, &t) && !tcgetattr(s, &u));
    CHECK(u.c_lflag == t.c_lflag && u.c_iflag == t.c_iflag && u.c_cc[VMIN] == 1 && cfgetispeed(&u) == B115200);
    write(m, "x", 1);
    CHECK(read(s, buf, 10) == 1 && buf[0] == 'x');
    struct winsize ws = {25, 81, 0, 0}, w2;
    CHECK(!ioctl(m, TIOCSWINSZ, &ws) && !ioctl(s, TIOCGWINSZ, &w2) && w2.ws_row == 25 && w2.ws_col == 81);
    CHECK(!tcflush(s, TCIOFLUSH) && !tcdrain(s) && !tcsendbreak(s, 0));
    int q = -1;
    CHECK(!ioctl(m, TIOCOUTQ, &q) && q >= 0);
    printf("attributes\n");

    int master;
    pid_t pid = forkpty(&master, NULL, NULL, &ws);
    if (!pid) {
        struct sigaction sa = {.sa_handler = on_winch};
        sigaction(SIGWINCH, &sa, NULL);
        sa.sa_handler = on_int;
        sigaction(SIGINT, &sa, NULL);
        if (tcgetpgrp(0) != getpgrp()) _exit(1);
        // Blocked except while waiting: a signal between the test and the wait must not be lost.
        sigset_t both, old;
        sigemptyset(&both);
        sigaddset(&both, SIGWINCH);
        sigaddset(&both, SIGINT);
        sigprocmask(SIG_BLOCK, &both, &old);
        printf("ready\n");
        while (!winch || !intr) sigsuspend(&old);
        ioctl(0, TIOCGWINSZ, &w2);
        printf("rows %d\n", w2.ws_row);
        _exit(17);
    }
    n = read(master, buf, sizeof buf);
    CHECK(n >= 5 && !memcmp(buf, "ready", 5));
    ws.ws_row = 50;
    CHECK(!ioctl(master, TIOCSWINSZ, &ws));
    write(master, "\x03", 1);
    int got = 0;
    for (int i = 0; i < 20 && !strstr(buf, "rows 50"); i++) {
        struct pollfd p = {master, POLLIN};
        if (poll(&p, 1, 500) == 1 && (n = read(master, buf + got, 200 - got)) > 0) got += n, buf[got] = 0;
        else break;
    }
    CHECK(strstr(buf, "rows 50") != NULL);
    int st;
    waitpid(pid, &st, 0);
    CHECK_EQ(WEXITSTATUS(st), 17);
    printf("session\n");
    // Hang-up when the master closes.
    pid = forkpty(&master, NULL, NULL, NULL);
    if (!pid) {
        printf("here\n");
        for (;;) pause();
    }
    CHECK(read(master, buf, sizeof buf) > 0);
    close(master);
    waitpid(pid, &st, 0);
    CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGHUP);
    return check_done("pty");
}
