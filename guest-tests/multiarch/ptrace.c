// test: flags=-pthread timeout=120 oracle=skip long=64
// ptrace between two processes: stops, registers, memory, events, system calls, signals, threads.
#define _GNU_SOURCE
#include "check.h"
#include <elf.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <linux/ptrace.h>

static int wait_for(pid_t pid) {
    int st = 0;
    pid_t got;
    while ((got = waitpid(pid, &st, __WALL)) < 0 && errno == EINTR) {}
    CHECK_EQ(got, pid);
    return st;
}
static int regs_of(pid_t pid, void *buf, size_t size) {
    struct iovec io = {buf, size};
    if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &io)) return -1;
    return io.iov_len;
}

static volatile long shared_value = 5;
static volatile int handled;
static void on_usr1(int sig) { handled++; }

static void basics(void) {
    pid_t pid = fork();
    if (!pid) {
        signal(SIGUSR1, on_usr1);
        if (ptrace(PTRACE_TRACEME, 0, 0, 0)) _exit(90);
        raise(SIGSTOP);
        if (shared_value != 77) _exit(91);
        raise(SIGUSR1);
        if (handled != 1) _exit(92);
        raise(SIGUSR1);
        if (handled != 1) _exit(93);
        raise(SIGTERM);
        _exit(33);
    }
    int st = wait_for(pid);
    CHECK(WIFSTOPPED(st));
    CHECK_EQ(WSTOPSIG(st), SIGSTOP);
    siginfo_t si;
    CHECK(!ptrace(PTRACE_GETSIGINFO, pid, 0, &si));
    CHECK_EQ(si.si_signo, SIGSTOP);
    errno = 0;
    CHECK_EQ(ptrace(PTRACE_PEEKDATA, pid, &shared_value, 0), 5);
    CHECK(!ptrace(PTRACE_POKEDATA, pid, &shared_value, 77));
    CHECK_EQ(shared_value, 5);
    char regs[1024], again[1024];
    int n = regs_of(pid, regs, sizeof regs);
    CHECK(n > 100);
    // Whole registers only.
    CHECK(regs_of(pid, regs, sizeof(long) * 3) == sizeof(long) * 3);
    CHECK(regs_of(pid, regs, sizeof(long) * 3 + 2) == -1 && errno == EINVAL);
    struct iovec io = {regs, n};
    CHECK(!ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &io));
    CHECK_EQ(regs_of(pid, again, sizeof again), n);
    CHECK(!memcmp(regs, again, n));
    FAILS(ptrace(PTRACE_PEEKDATA, pid, 8, 0), EIO);
    FAILS(ptrace(PTRACE_CONT, getpid(), 0, 0), ESRCH);
    CHECK(!ptrace(PTRACE_CONT, pid, 0, 0));
    st = wait_for(pid);
    CHECK_EQ(WSTOPSIG(st), SIGUSR1);
    CHECK(!ptrace(PTRACE_GETSIGINFO, pid, 0, &si));
    CHECK_EQ(si.si_pid, pid);
    CHECK(!ptrace(PTRACE_CONT, pid, 0, SIGUSR1));
    st = wait_for(pid);
    CHECK_EQ(WSTOPSIG(st), SIGUSR1);
    CHECK(!ptrace(PTRACE_CONT, pid, 0, 0));
    st = wait_for(pid);
    CHECK_EQ(WSTOPSIG(st), SIGTERM);
    CHECK(!ptrace(PTRACE_CONT, pid, 0, 0));
    st = wait_for(pid);
    CHECK(WIFEXITED(st));
    CHECK_EQ(WEXITSTATUS(st), 33);
    printf("basics\n");
}

static void killed(void) {
    pid_t pid = fork();
    if (!pid) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        *(volatile int *)16 = 1;
        _exit(1);
    }
    wait_for(pid);
    CHECK(!ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL));
    CHECK(!ptrace(PTRACE_CONT, pid, 0, 0));
    int st = wait_for(pid);
    CHECK_EQ(WSTOPSIG(st), SIGSEGV);
    siginfo_t si;
    CHECK(!ptrace(PTRACE_GETSIGINFO, pid, 0, &si));
    CHECK_EQ((long)si.si_addr, 16);
    CHECK_EQ(si.si_code, SEGV_MAPERR);
    CHECK(!ptrace(PTRACE_CONT, pid, 0, SIGSEGV));
    st = wait_for(pid);
    CHECK_EQ(st >> 8, SIGTRAP | PTRACE_EVENT_EXIT << 8);
    unsigned long message = 0;
    CHECK(!ptrace(PTRACE_GETEVENTMSG, pid, 0, &message));
    CHECK_EQ(message & 127, SIGSEGV);
    CHECK(!ptrace(PTRACE_CONT, pid, 0, 0));
    st = wait_for(pid);
    CHECK(WIFSIGNALED(st));
    CHECK_EQ(WTERMSIG(st), SIGSEGV);
    pid = fork();
    if (!pid) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        for (;;) {}
    }
    wait_for(pid);
    CHECK(!ptrace(PTRACE_CONT, pid, 0, 0));
    kill(pid, SIGKILL);
    st = wait_for(pid);
    CHECK_EQ(WTERMSIG(st), SIGKILL);
    printf("killed\n");
}

static void calls(void) {
    pid_t pid = fork();
    if (!pid) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        syscall(SYS_getpgid, 0);
        syscall(SYS_close, 12345);
        long r = syscall(SYS_getsid, 0);
        _exit(r == -1 ? 7 : 8);
    }
    wait_for(pid);
    CHECK(!ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
    int seen = 0, entries = 0, exits = 0, st;
    for (int i = 0; i < 200; i++) {
        CHECK(!ptrace(PTRACE_SYSCALL, pid, 0, 0));
        st = wait_for(pid);
        if (!WIFSTOPPED(st)) break;
        CHECK_EQ(WSTOPSIG(st), SIGTRAP | 0x80);
        struct ptrace_syscall_info info = {0};
        long n = ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info);
        CHECK(n > 0);
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
            entries++;
            if (info.entry.nr == SYS_getpgid) seen = 1;
            if (info.entry.nr == SYS_close && info.entry.args[0] == 12345) seen = 2;
        } else {
            CHECK_EQ(info.op, PTRACE_SYSCALL_INFO_EXIT);
            exits++;
            if (seen == 2) {
                CHECK_EQ(info.exit.rval, -EBADF);
                CHECK_EQ(info.exit.is_error, 1);
                seen = 3;
            }
        }
    }
    CHECK_EQ(seen, 3);
    CHECK(entries > 3);
    CHECK_EQ(entries, exits + 1);
    CHECK(WIFEXITED(st));
    CHECK_EQ(WEXITSTATUS(st), 8);
    printf("calls\n");
}

static void step(void) {
    pid_t pid = fork();
    if (!pid) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        _exit(3);
    }
    wait_for(pid);
    for (int i = 0; i < 20; i++) {
        CHECK(!ptrace(PTRACE_SINGLESTEP, pid, 0, 0));
        int st = wait_for(pid);
        CHECK_EQ(st >> 8, SIGTRAP);
    }
    CHECK(!ptrace(PTRACE_CONT, pid, 0, 0));
    CHECK_EQ(wait_for(pid), 3 << 8);
    printf("step\n");
}

static void events(const char *self) {
    pid_t pid = fork();
    if (!pid) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        pid_t child = fork();
        if (!child) {
            execl(self, self, "exit", NULL);
            _exit(99);
        }
        int st;
        waitpid(child, &st, 0);
        child = vfork();
        if (!child) _exit(5);
        waitpid(child, &st, 0);
        _exit(WEXITSTATUS(st) + 1);
    }
    wait_for(pid);
    CHECK(!ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_TRACEVFORKDONE));
    CHECK(!ptrace(PTRACE_CONT, pid, 0, 0));
    int fork_events = 0, vfork_events = 0, exec_events = 0, exit_events = 0, done_events = 0, first_stops = 0, ends = 0;
    for (int i = 0; i < 60; i++) {
        int st;
        pid_t got = waitpid(-1, &st, __WALL);
        if (got < 0) break;
        if (WIFEXITED(st)) {
            ends++;
            if (got == pid) CHECK_EQ(st, 6 << 8);
            continue;
        }
        if (!WIFSTOPPED(st)) {
            CHECK(WIFSTOPPED(st));
            continue;
        }
        int sig = WSTOPSIG(st), event = st >> 16;
        unsigned long message = 0;
        if (event) CHECK(!ptrace(PTRACE_GETEVENTMSG, got, 0, &message));
        if (event == PTRACE_EVENT_FORK) fork_events++, CHECK(message > 0 && message != pid);
        if (event == PTRACE_EVENT_VFORK) vfork_events++, CHECK(message > 0 && message != pid);
        if (event == PTRACE_EVENT_EXEC) exec_events++, CHECK(message == (unsigned long)got);
        if (event == PTRACE_EVENT_EXIT) exit_events++;
        if (event == PTRACE_EVENT_VFORK_DONE) done_events++;
        int pass = 0;
        if (!event && sig == SIGSTOP) first_stops++;
        else if (!event) pass = sig;
        CHECK(!ptrace(PTRACE_CONT, got, 0, pass));
    }
    CHECK_EQ(fork_events, 1);
    CHECK_EQ(vfork_events, 1);
    CHECK_EQ(exec_events, 1);
    CHECK_EQ(exit_events, 3);
    CHECK_EQ(done_events, 1);
    CHECK_EQ(first_stops, 2);
    CHECK_EQ(ends, 3);
    printf("events\n");
}

// What exec shows: the stops of its system call, then (without the event) a SIGTRAP that is a signal like any other.
static void execs(const char *self) {
    for (int traced_from_entry = 0; traced_from_entry < 2; traced_from_entry++) {
        pid_t pid = fork();
        if (!pid) {
            ptrace(PTRACE_TRACEME, 0, 0, 0);
            if (traced_from_entry) raise(SIGSTOP);
            execl(self, self, "exit", NULL);
            _exit(99);
        }
        int st = wait_for(pid), entries = 0, exits = 0;
        CHECK_EQ(st, (traced_from_entry ? SIGSTOP : SIGTRAP) << 8 | 0x7f);
        CHECK(!ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
        struct ptrace_syscall_info info;
        if (traced_from_entry)
            for (;;) {
                CHECK(!ptrace(PTRACE_SYSCALL, pid, 0, 0));
                st = wait_for(pid);
                if (st != ((SIGTRAP | 0x80) << 8 | 0x7f)) break;
                CHECK(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) > 0);
                if (info.op == PTRACE_SYSCALL_INFO_ENTRY) entries += info.entry.nr == SYS_execve;
                else exits++;
            }
        if (traced_from_entry) CHECK(entries == 1 && exits >= 1);
        CHECK_EQ(st, SIGTRAP << 8 | 0x7f);
        CHECK(!ptrace(PTRACE_SYSCALL, pid, 0, 0));
        CHECK_EQ(wait_for(pid), (SIGTRAP | 0x80) << 8 | 0x7f);
        CHECK(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) > 0);
        CHECK_EQ(info.op, PTRACE_SYSCALL_INFO_ENTRY);
        CHECK(info.entry.nr != SYS_execve);
        CHECK(!ptrace(PTRACE_CONT, pid, 0, 0));
        CHECK_EQ(wait_for(pid), 12 << 8);
    }
    printf("execs\n");
}

static void *short_thread(void *a) { return a; }
static void attach(void) {
    int p[2];
    pipe(p);
    pid_t pid = fork();
    if (!pid) {
        char c;
        pthread_t t;
        close(p[1]);
        while (read(p[0], &c, 1) == 1) {
            pthread_create(&t, NULL, short_thread, NULL);
            pthread_join(t, NULL);
        }
        _exit(4);
    }
    close(p[0]);
    usleep(20000);
    CHECK(!ptrace(PTRACE_ATTACH, pid, 0, 0));
    int st = wait_for(pid);
    CHECK_EQ(st >> 8, SIGSTOP);
    char regs[1024];
    CHECK(regs_of(pid, regs, sizeof regs) > 100);
    CHECK(!ptrace(PTRACE_DETACH, pid, 0, 0));
    CHECK(!ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD));
    CHECK(!ptrace(PTRACE_INTERRUPT, pid, 0, 0));
    st = wait_for(pid);
    CHECK_EQ(st >> 16, PTRACE_EVENT_STOP);
    CHECK(!ptrace(PTRACE_CONT, pid, 0, 0));
    write(p[1], "x", 1);
    int clones = 0, firsts = 0, gone = 0;
    while (clones < 1 || firsts < 1 || gone < 1) {
        pid_t got = waitpid(-1, &st, __WALL);
        CHECK(got > 0);
        if (got < 0) break;
        if (WIFEXITED(st)) {
            gone++;
            continue;
        }
        if (st >> 16 == PTRACE_EVENT_CLONE) clones++;
        else if (st >> 16 == PTRACE_EVENT_STOP) firsts++;
        CHECK(!ptrace(PTRACE_CONT, got, 0, 0));
    }
    // A group stop, listened to, then continued.
    kill(pid, SIGSTOP);
    st = wait_for(pid);
    CHECK_EQ(st >> 8, SIGSTOP);
    CHECK(!ptrace(PTRACE_CONT, pid, 0, SIGSTOP));
    st = wait_for(pid);
    CHECK_EQ(st >> 8, SIGSTOP | PTRACE_EVENT_STOP << 8);
    CHECK(!ptrace(PTRACE_LISTEN, pid, 0, 0));
    kill(pid, SIGCONT);
    st = wait_for(pid);
    CHECK_EQ(st >> 8, SIGTRAP | PTRACE_EVENT_STOP << 8);
    CHECK(!ptrace(PTRACE_CONT, pid, 0, 0));
    st = wait_for(pid);
    CHECK_EQ(st >> 8, SIGCONT);
    CHECK(!ptrace(PTRACE_CONT, pid, 0, SIGCONT));
    close(p[1]);
    for (;;) {
        // A thread may have been on its way.
        pid_t got = waitpid(-1, &st, __WALL);
        if (got == pid && WIFEXITED(st)) break;
        CHECK(got > 0);
        if (got < 0) break;
        if (WIFSTOPPED(st)) ptrace(PTRACE_CONT, got, 0, 0);
    }
    CHECK_EQ(st, 4 << 8);
    printf("attach\n");
}

static long remote[4] = {1, 2, 3, 4};
static void memory(void) {
    pid_t pid = fork();
    if (!pid) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        remote[1] = 20;
        raise(SIGSTOP);
        _exit(remote[2] == 30 && remote[3] == 40 ? 0 : 1);
    }
    wait_for(pid);
    long buf[4] = {0};
    struct iovec local = {buf, sizeof buf}, there = {remote, sizeof remote};
    CHECK_EQ(process_vm_readv(pid, &local, 1, &there, 1, 0), (long)sizeof buf);
    CHECK_EQ(buf[1], 20);
    buf[2] = 30;
    CHECK_EQ(process_vm_writev(pid, &local, 1, &there, 1, 0), (long)sizeof buf);
    char name[64];
    sprintf(name, "/proc/%d/mem", pid);
    int fd = open(name, O_RDWR);
    CHECK(fd >= 0);
    long v = 40;
    CHECK_EQ(pwrite(fd, &v, sizeof v, (off_t)(uintptr_t)&remote[3]), (long)sizeof v);
    v = 0;
    CHECK_EQ(pread(fd, &v, sizeof v, (off_t)(uintptr_t)&remote[2]), (long)sizeof v);
    CHECK_EQ(v, 30);
    close(fd);
    CHECK(!ptrace(PTRACE_DETACH, pid, 0, 0));
    CHECK_EQ(wait_for(pid), 0);
    printf("memory\n");
}

// A tracer that comes and goes does not end calls that wait.
static volatile sig_atomic_t woken;
static void wake(int sig) { woken++; }
static int waits(int what) {
    struct timespec t = {0, 400000000};
    int p[2];
    if (pipe(p)) return 50;
    struct pollfd fd = {p[0], POLLIN, 0};
    sigset_t none;
    sigemptyset(&none);
    signal(SIGUSR1, wake);
    int r = what == 0   ? pause()
            : what == 1 ? sigsuspend(&none)
            : what == 2 ? nanosleep(&t, NULL)
            : what == 3 ? clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL)
            : what == 4 ? ppoll(&fd, 1, &t, &none)
                        : poll(&fd, 1, -1);
    if (what >= 2 && what < 5) return r == 0 && !woken ? 0 : 60;
    return r == -1 && errno == EINTR && woken == 1 ? 0 : 61;
}
static void undisturbed(void) {
    for (int what = 0; what < 6; what++) {
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        pid_t pid = fork();
        if (!pid) _exit(waits(what));
        usleep(30000);
        CHECK(!ptrace(PTRACE_SEIZE, pid, 0, 0));
        for (int i = 0; i < 3; i++) {
            CHECK(!ptrace(PTRACE_INTERRUPT, pid, 0, 0));
            CHECK_EQ(wait_for(pid) >> 16, PTRACE_EVENT_STOP);
            CHECK(!ptrace(PTRACE_CONT, pid, 0, 0));
            usleep(20000);
        }
        // A signal that the tracer suppresses is none either.
        kill(pid, SIGUSR1);
        CHECK_EQ(wait_for(pid) >> 8, SIGUSR1);
        CHECK(!ptrace(PTRACE_DETACH, pid, 0, 0));
        if (what < 2 || what == 5) {
            usleep(20000);
            kill(pid, SIGUSR1);
        }
        CHECK_EQ(wait_for(pid), 0);
        clock_gettime(CLOCK_MONOTONIC, &b);
        long ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
        if (what >= 2 && what < 5) CHECK(ms >= 400);
    }
    printf("undisturbed\n");
}

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "calls")) return calls(), check_done("calls");
    if (argc > 1 && !strcmp(argv[1], "attach")) return attach(), check_done("attach");
    if (argc > 1) return 12;
    alarm(100);
    char self[4096] = {0};
    readlink("/proc/self/exe", self, sizeof self - 1);
    basics();
    killed();
    calls();
    step();
    events(self);
    execs(self);
    attach();
    memory();
    undisturbed();
    return check_done("ptrace");
}
