// test: oracle=skip
// clone() with each kind of sharing, and what the kernel writes for parent and child.
#include "check.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char stack[65536] __attribute__((aligned(16)));
static volatile int value;
static int ptid, ctid;

static int set_value(void *arg) {
    value = (int)(long)arg;
    return 3;
}
static int open_file(void *arg) {
    dup2(0, 77);
    return 0;
}
static int change_dir(void *arg) {
    umask(0123);
    return chdir("/");
}

static int run(int (*f)(void *), int flags, void *arg) {
    pid_t pid = clone(f, stack + sizeof stack, flags | SIGCHLD, arg, &ptid, NULL, &ctid);
    CHECK(pid > 0);
    int st = -1;
    CHECK_EQ(waitpid(pid, &st, 0), pid);
    if (flags & CLONE_PARENT_SETTID) CHECK_EQ(ptid, pid);
    return WEXITSTATUS(st);
}

int main(void) {
    char before[4096], now[4096];
    value = 0;
    CHECK_EQ(run(set_value, CLONE_VM | CLONE_VFORK, (void *)5), 3);
    CHECK_EQ(value, 5);
    CHECK_EQ(run(set_value, CLONE_VM | CLONE_PARENT_SETTID, (void *)6), 3);
    CHECK_EQ(value, 6);
    CHECK_EQ(run(set_value, 0, (void *)7), 3);
    CHECK_EQ(value, 6);
    CHECK_EQ(run(open_file, CLONE_FILES, NULL), 0);
    CHECK(fcntl(77, F_GETFD) >= 0);
    close(77);
    CHECK_EQ(run(open_file, 0, NULL), 0);
    CHECK(fcntl(77, F_GETFD) < 0);
    getcwd(before, sizeof before);
    CHECK_EQ(run(change_dir, 0, NULL), 0);
    getcwd(now, sizeof now);
    CHECK(!strcmp(before, now));
    CHECK_EQ(run(change_dir, CLONE_FS, NULL), 0);
    getcwd(now, sizeof now);
    CHECK(!strcmp("/", now));
    CHECK_EQ(umask(022), 0123);
    // The child's tid is cleared, and a futex woken, when it goes.
    int *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = clone(set_value, stack + sizeof stack, CLONE_VM | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | SIGCHLD, (void *)8, NULL, NULL, word);
    waitpid(pid, NULL, 0);
    CHECK_EQ(*word, 0);
    return check_done("clone");
}
