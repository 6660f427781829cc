// test: link=static
// /proc/PID/mem and the other files of a process, own and of another: positions are the program's own addresses.
#include "check.h"
#include <fcntl.h>
#include <stdint.h>
#include <sys/wait.h>

static volatile int value = 11;
static char path[64];

static void look(const char *who, const char *what) {
    int got = 0;
    off_t at = (off_t)(uintptr_t)&value;
    sprintf(path, "/proc/%s/mem", who);
    int fd = open(path, O_RDWR);
    CHECK(fd >= 0);
    CHECK_EQ(pread(fd, &got, sizeof got, at), (ssize_t)sizeof got);
    CHECK_EQ(got, 11);
    got = 12;
    CHECK_EQ(pwrite(fd, &got, sizeof got, at), (ssize_t)sizeof got);
    CHECK_EQ(lseek(fd, at, SEEK_SET), at);
    got = 0;
    CHECK_EQ(read(fd, &got, sizeof got), (ssize_t)sizeof got);
    CHECK_EQ(got, 12);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), at + (off_t)sizeof got);
    CHECK_EQ(lseek(fd, at, SEEK_SET), at);
    got = 11;
    CHECK_EQ(write(fd, &got, sizeof got), (ssize_t)sizeof got);
    errno = 0;
    CHECK_EQ(pread(fd, &got, sizeof got, 0), -1);
    CHECK_EQ(errno, EIO);
    close(fd);
    printf("%s\n", what);
}

int main(void) {
    look("self", "own");
    CHECK_EQ(value, 11);
    int to[2];
    CHECK(!pipe(to));
    pid_t pid = fork();
    if (!pid) {
        char c;
        close(to[1]);
        read(to[0], &c, 1);
        _exit(value);
    }
    close(to[0]);
    char name[16];
    sprintf(name, "%d", pid);
    look(name, "another's");
    close(to[1]);
    int st;
    CHECK_EQ(waitpid(pid, &st, 0), pid);
    CHECK_EQ(st, 11 << 8);
    return check_done("procmem");
}
