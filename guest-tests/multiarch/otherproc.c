// test: oracle=skip long=64
// What /proc shows of another process: the same that it sees of itself, and nothing of an emulator.
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static char mine[1 << 16], other[1 << 16];
static size_t slurp(const char *path, char *buf) {
    int fd = open(path, O_RDONLY);
    if (fd < 0) return 0;
    size_t n = 0;
    ssize_t r;
    while (n < (1 << 16) - 1 && (r = read(fd, buf + n, (1 << 16) - 1 - n)) > 0) n += r;
    close(fd);
    buf[n] = 0;
    return n;
}
// The lines of smaps that begin a mapping.
static int heads(const char *text) {
    int n = 0;
    unsigned long a, b;
    for (const char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) n += sscanf(p, "%lx-%lx ", &a, &b) == 2;
    return n;
}

int main(int argc, char **argv) {
    static const char *files[] = {"maps", "smaps", "cmdline", "environ", "comm"};
    char *extra = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(extra + 4096, 4096, PROT_READ | PROT_EXEC);
    strcpy(extra, "seen from outside");
    int to[2], from[2];
    CHECK(!pipe(to) && !pipe(from));
    pid_t pid = fork();
    if (!pid) {
        close(to[1]);
        prctl(PR_SET_NAME, "other-name");
        char which;
        while (read(to[0], &which, 1) == 1) {
            char path[64];
            sprintf(path, "/proc/self/%s", files[(int)which]);
            size_t n = slurp(path, mine);
            write(from[1], &n, sizeof n);
            for (size_t at = 0; at < n;) at += write(from[1], mine + at, n - at);
        }
        _exit(0);
    }
    close(to[0]), close(from[1]);
    for (char k = 0; k < 5; k++) {
        char path[64];
        size_t n = 0, got = 0;
        write(to[1], &k, 1);
        CHECK_EQ(read(from[0], &n, sizeof n), sizeof n);
        while (got < n) got += read(from[0], mine + got, n - got);
        mine[n] = 0;
        sprintf(path, "/proc/%d/%s", pid, files[(int)k]);
        size_t m = slurp(path, other);
        CHECK(n > 0 && m > 0);
        if (k == 1) {
            CHECK(heads(mine) > 3);
            CHECK_EQ(heads(mine), heads(other));
        } else {
            CHECK_EQ(m, n);
            CHECK(!memcmp(mine, other, n));
        }
        if (k == 0) {
            sprintf(path, "/proc/%d/task/%d/maps", pid, pid);
            CHECK_EQ(slurp(path, mine), m);
            char line[64];
            sprintf(line, "%08lx-%08lx r-xp", (long)extra + 4096, (long)extra + 8192);
            CHECK(strstr(other, line + strspn(line, "0")));
            CHECK(strstr(other, "[stack]"));
        }
        if (k == 4) CHECK(!strcmp(other, "other-name\n"));
        printf("%s\n", files[(int)k]);
    }
    char path[64], link[4096] = "", own[4096] = "";
    sprintf(path, "/proc/%d/exe", pid);
    CHECK(readlink(path, link, sizeof link - 1) > 0 && readlink("/proc/self/exe", own, sizeof own - 1) > 0);
    CHECK(!strcmp(link, own));
    sprintf(path, "/proc/%d/mem", pid);
    int fd = open(path, O_RDONLY);
    if (fd >= 0) {
        char text[32] = "";
        CHECK(pread(fd, text, 18, (off_t)(uintptr_t)extra) == 18);
        CHECK(!strcmp(text, "seen from outside"));
    }
    sprintf(path, "/proc/%d/stat", pid);
    CHECK(slurp(path, other) && strstr(other, "(other-name) "));
    sprintf(path, "/proc/%d/status", pid);
    CHECK(slurp(path, other) && strstr(other, "Name:\tother-name\n"));
    close(to[1]);
    int st;
    CHECK(waitpid(pid, &st, 0) == pid && st == 0);
    return check_done("otherproc");
}
