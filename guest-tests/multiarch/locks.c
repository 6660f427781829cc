// File locks: POSIX, open-file-description and BSD, across processes.
#include "check.h"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

static int in_child(int (*f)(void)) {
    pid_t pid = fork();
    if (!pid) _exit(f());
    int st;
    waitpid(pid, &st, 0);
    return WEXITSTATUS(st);
}
static int try_posix(void) {
    int fd = open("l", O_RDWR);
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 15, .l_len = 1};
    return fcntl(fd, F_SETLK, &l) ? errno : 0;
}
static int who(void) {
    int fd = open("l", O_RDWR);
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 0};
    fcntl(fd, F_GETLK, &l);
    return l.l_type == F_RDLCK && l.l_start == 10 && l.l_len == 10 && l.l_pid == getppid() ? 0 : 1;
}
static int try_flock(void) {
    int fd = open("l", O_RDWR);
    return flock(fd, LOCK_EX | LOCK_NB) ? errno : 0;
}
static int wait_flock(void) {
    int fd = open("l", O_RDWR);
    return flock(fd, LOCK_EX);
}

int main(void) {
    int fd = open("l", O_RDWR | O_CREAT, 0600);
    CHECK(!ftruncate(fd, 100));
    struct flock l = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10};
    CHECK(!fcntl(fd, F_SETLK, &l));
    int e = in_child(try_posix);
    CHECK(e == EAGAIN || e == EACCES);
    CHECK_EQ(in_child(who), 0);
    l.l_type = F_UNLCK, l.l_start = 14, l.l_len = 4;
    CHECK(!fcntl(fd, F_SETLK, &l));
    CHECK_EQ(in_child(try_posix), 0);
    close(open("l", O_RDWR));
    CHECK(!lockf(fd, F_TEST, 5));
    int f2 = open("l", O_RDWR), f3 = open("l", O_RDWR);
    struct flock o = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CHECK(!fcntl(f2, F_OFD_SETLK, &o));
    FAILS(fcntl(f3, F_OFD_SETLK, &o), EAGAIN);
    o.l_type = F_UNLCK;
    CHECK(!fcntl(f2, F_OFD_SETLK, &o));
    CHECK(!flock(f2, LOCK_SH) && !flock(f3, LOCK_SH));
    CHECK_EQ(in_child(try_flock), EWOULDBLOCK);
    flock(f3, LOCK_UN);
    pid_t pid = fork();
    if (!pid) {
        close(f2), close(f3);
        _exit(wait_flock());
    }
    usleep(30000);
    int st;
    CHECK_EQ(waitpid(pid, &st, WNOHANG), 0);
    flock(f2, LOCK_UN);
    waitpid(pid, &st, 0);
    CHECK_EQ(st, 0);
    return check_done("locks");
}
