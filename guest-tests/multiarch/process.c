// Processes: fork, vfork, wait, exec and its errors, scripts, posix_spawn, sessions, groups, rusage.
#include "check.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/wait.h>

extern char **environ;
static char self[4096];

static int status_of(pid_t pid) {
    int st = -1;
    while (waitpid(pid, &st, 0) < 0 && errno == EINTR) {}
    return st;
}
static void put(const char *name, const char *text, int mode) {
    int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0700);
    write(fd, text, strlen(text));
    close(fd);
    chmod(name, mode);
}

static void forks(void) {
    int st;
    for (int i = 0; i < 50; i++) {
        pid_t pid = fork();
        if (!pid) _exit(i);
        CHECK_EQ(status_of(pid), i << 8);
    }
    pid_t kids[20];
    for (int i = 0; i < 20; i++)
        if (!(kids[i] = fork())) {
            usleep(1000 * (20 - i));
            _exit(i + 1);
        }
    int sum = 0;
    for (int i = 0; i < 20; i++) {
        pid_t p = wait(&st);
        int found = 0;
        for (int k = 0; k < 20; k++) found |= kids[k] == p;
        CHECK(found);
        sum += WEXITSTATUS(st);
    }
    CHECK_EQ(sum, 210);
    FAILS(wait(&st), ECHILD);
    pid_t pid = fork();
    if (!pid) {
        usleep(50000);
        _exit(9);
    }
    CHECK_EQ(waitpid(pid, &st, WNOHANG), 0);
    siginfo_t si = {0};
    CHECK(!waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
    CHECK_EQ(si.si_status, 9);
    CHECK_EQ(si.si_code, CLD_EXITED);
    CHECK_EQ(si.si_pid, pid);
    struct rusage ru;
    CHECK_EQ(wait4(pid, &st, 0, &ru), pid);
    CHECK(ru.ru_maxrss > 0);
    CHECK(!getrusage(RUSAGE_CHILDREN, &ru));
    struct tms tm;
    CHECK(times(&tm) != (clock_t)-1);
    CHECK(!fflush(stdout));
    // Many levels.
    pid = fork();
    if (!pid) {
        for (int d = 0; d < 10; d++) {
            pid_t c = fork();
            if (c) _exit(WEXITSTATUS(status_of(c)) + 1);
        }
        _exit(5);
    }
    CHECK_EQ(WEXITSTATUS(status_of(pid)), 15);
    printf("forks\n");
}

static volatile int shared_by_vfork;
static void vforks(void) {
    for (int i = 0; i < 20; i++) {
        pid_t pid = vfork();
        if (!pid) {
            shared_by_vfork = i + 1;
            _exit(3);
        }
        CHECK_EQ(shared_by_vfork, i + 1);
        CHECK_EQ(WEXITSTATUS(status_of(pid)), 3);
    }
    volatile int err = 0;
    pid_t pid = vfork();
    if (!pid) {
        execl("/no/such/file", "x", NULL);
        err = errno;
        _exit(1);
    }
    status_of(pid);
    CHECK_EQ(err, ENOENT);
    pid = vfork();
    if (!pid) {
        execl("/bin/sh", "sh", "-c", "exit 21", NULL);
        _exit(1);
    }
    CHECK_EQ(WEXITSTATUS(status_of(pid)), 21);
    printf("vforks\n");
}

static int run(const char *path, char *const argv[], char *const envp[]) {
    pid_t pid = fork();
    if (!pid) {
        execve(path, argv, envp);
        _exit(100 + errno);
    }
    return WEXITSTATUS(status_of(pid));
}

static void execs(void) {
    char *env[] = {"A=1", "B=two words", "PATH=/usr/bin:/bin", NULL};
    char *a1[] = {"zero", "child", "one", "", "three four", NULL};
    CHECK_EQ(run(self, a1, env), 33);
    CHECK_EQ(run("/proc/self/exe", a1, env), 33);
    put("script", "#!/bin/sh\necho script $0 $1 $#\nexit 11\n", 0700);
    char *a2[] = {"ignored", "x y", "z", NULL};
    CHECK_EQ(run("./script", a2, env), 11);
    put("script2", "#!./script extra arg\n", 0700);
    CHECK_EQ(run("./script2", a2, env), 11);
    put("noexec", "#!/bin/sh\nexit 1\n", 0600);
    CHECK_EQ(run("./noexec", a2, env), 100 + EACCES);
    put("garbage", "garbage\n", 0700);
    CHECK_EQ(run("./garbage", a2, env), 100 + ENOEXEC);
    put("badelf", "\177ELF\2\1\1", 0700);
    CHECK_EQ(run("./badelf", a2, env), 100 + ENOEXEC);
    put("empty", "", 0700);
    CHECK_EQ(run("./empty", a2, env), 100 + ENOEXEC);
    put("nointerp", "#!/no/such/interp\n", 0700);
    CHECK_EQ(run("./nointerp", a2, env), 100 + ENOENT);
    CHECK_EQ(run(".", a2, env), 100 + EACCES);
    CHECK_EQ(run("script/x", a2, env), 100 + ENOTDIR);
    // An argument list that is far too long.
    static char big[200000];
    memset(big, 'a', sizeof big - 1);
    char *a3[] = {"x", big, NULL};
    CHECK_EQ(run("/bin/true", a3, env), 100 + E2BIG);
    big[100000] = 0;
    CHECK_EQ(run("/bin/true", a3, env), 0);
    // Descriptors across exec.
    int keep = dup(1), gone = fcntl(1, F_DUPFD_CLOEXEC, 60);
    char kt[16], gt[16];
    sprintf(kt, "%d", keep), sprintf(gt, "%d", gone);
    char *a4[] = {"x", "fds", kt, gt, NULL};
    CHECK_EQ(run(self, a4, env), 0);
    close(keep), close(gone);
    // execvp searches PATH; fexecve by descriptor; execveat with an empty path.
    pid_t pid = fork();
    if (!pid) execlp("sh", "sh", "-c", "exit 5", NULL), _exit(99);
    CHECK_EQ(WEXITSTATUS(status_of(pid)), 5);
    pid = fork();
    if (!pid) {
        int fd = open(self, O_RDONLY);
        fexecve(fd, a1, env);
        _exit(99);
    }
    CHECK_EQ(WEXITSTATUS(status_of(pid)), 33);
    // Signals: ignored stay ignored, handled become default, the mask stays.
    pid = fork();
    if (!pid) {
        signal(SIGUSR1, SIG_IGN);
        signal(SIGUSR2, (void (*)(int))forks);
        sigset_t s;
        sigemptyset(&s), sigaddset(&s, SIGHUP);
        sigprocmask(SIG_SETMASK, &s, NULL);
        char *a5[] = {"x", "sigs", NULL};
        execve(self, a5, env);
        _exit(99);
    }
    CHECK_EQ(WEXITSTATUS(status_of(pid)), 0);
    printf("execs\n");
}

static void spawns(void) {
    pid_t pid;
    char *argv[] = {"sh", "-c", "read x; echo got $x; exit 4", NULL};
    put("input", "line one\n", 0600);
    posix_spawn_file_actions_t fa;
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_addopen(&fa, 0, "input", O_RDONLY, 0);
    CHECK(!posix_spawn(&pid, "/bin/sh", &fa, NULL, argv, environ));
    CHECK_EQ(WEXITSTATUS(status_of(pid)), 4);
    CHECK_EQ(posix_spawn(&pid, "/no/such", NULL, NULL, argv, environ), ENOENT);
    CHECK_EQ(posix_spawnp(&pid, "sh", &fa, NULL, argv, environ), 0);
    status_of(pid);
    posix_spawnattr_t at;
    posix_spawnattr_init(&at);
    posix_spawnattr_setflags(&at, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    sigset_t s;
    sigfillset(&s);
    posix_spawnattr_setsigdefault(&at, &s);
    CHECK(!posix_spawn(&pid, "/bin/sh", &fa, &at, argv, environ));
    CHECK_EQ(WEXITSTATUS(status_of(pid)), 4);
    CHECK_EQ(system("exit 12") >> 8, 12);
    for (int i = 0; i < 30; i++) {
        char *t[] = {"true", NULL};
        CHECK(!posix_spawn(&pid, "/bin/true", NULL, NULL, t, environ));
        CHECK_EQ(status_of(pid), 0);
    }
    printf("spawns\n");
}

static void groups(void) {
    // 0 when the leader lives outside of this pid namespace.
    CHECK(getsid(0) >= 0);
    pid_t pid = fork();
    if (!pid) {
        CHECK(setsid() == getpid() && getpgrp() == getpid() && getsid(0) == getpid());
        pid_t c = fork();
        if (!c) {
            CHECK(!setpgid(0, 0) && getpgrp() == getpid());
            pause();
        }
        for (int i = 0; i < 1000 && getpgid(c) != c; i++) usleep(5000);
        CHECK_EQ(getpgid(c), c);
        CHECK(!kill(-c, SIGTERM));
        CHECK_EQ(WTERMSIG(status_of(c)), SIGTERM);
        _exit(check_failures);
    }
    CHECK_EQ(status_of(pid), 0);
    CHECK_EQ(getppid() > 0, 1);
    uid_t r, e, v;
    CHECK(!getresuid(&r, &e, &v) && r == getuid() && e == geteuid());
    CHECK(getgroups(0, NULL) >= 0);
    // An orphan goes to the subreaper.
    CHECK(!prctl(PR_SET_CHILD_SUBREAPER, 1));
    pid = fork();
    if (!pid) {
        if (!fork()) {
            usleep(30000);
            _exit(8);
        }
        _exit(0);
    }
    CHECK_EQ(status_of(pid), 0);
    int st;
    CHECK(wait(&st) > 0);
    CHECK_EQ(WEXITSTATUS(st), 8);
    prctl(PR_SET_CHILD_SUBREAPER, 0);
    pid = fork();
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        char name[17] = "";
        prctl(PR_SET_NAME, "newname");
        prctl(PR_GET_NAME, name);
        _exit(strcmp(name, "newname") != 0);
    }
    CHECK_EQ(status_of(pid), 0);
    printf("groups\n");
}

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "child")) {
        printf("child %d", argc);
        for (int i = 0; i < argc; i++) printf(" [%s]", argv[i]);
        for (char **e = environ; *e; e++) printf(" {%s}", *e);
        printf("\n");
        exit(33);
    }
    if (argc > 1 && !strcmp(argv[1], "fds"))
        return !(fcntl(atoi(argv[2]), F_GETFD) == 0 && fcntl(atoi(argv[3]), F_GETFD) == -1);
    if (argc > 1 && !strcmp(argv[1], "sigs")) {
        struct sigaction a, b;
        sigset_t s;
        sigaction(SIGUSR1, NULL, &a), sigaction(SIGUSR2, NULL, &b), sigprocmask(0, NULL, &s);
        return !(a.sa_handler == SIG_IGN && b.sa_handler == SIG_DFL && sigismember(&s, SIGHUP));
    }
    CHECK(readlink("/proc/self/exe", self, sizeof self) > 0);
    CHECK(strstr(self, "process") != NULL || strstr(self, "qemu") == NULL);
    forks();
    vforks();
    execs();
    spawns();
    groups();
    return check_done("process");
}
