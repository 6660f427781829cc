/*
 * Fuzz target of system calls: `syscalls SEED SECONDS`. Children make random calls with random arguments until they die
 * or their time is up. Whatever the kernel would answer is right; the emulator must neither panic nor fault itself,
 * which shows on its standard error. Calls that end, leave or stop the process, change the machine or
 * reach other processes are left out, and root is given up first.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static uint64_t state;

static uint64_t bits(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1dull;
}

static unsigned below(unsigned n) { return (bits() >> 32) % n; }

/* Numbers of the generic table (arm64, riscv64). */
static const short excluded[] = {
    1, 2,                               /* io_destroy and io_submit work on memory at addresses of the kernel's choice */
    39, 40, 41, 51, 58, 60, 89,         /* umount2 mount pivot_root chroot vhangup quotactl acct */
    93, 94, 95, 97,                     /* exit exit_group waitid unshare */
    104, 105, 106, 112, 116, 117,       /* kexec init_module delete_module clock_settime syslog ptrace */
    128, 129, 130, 131, 133, 134, 139,  /* restart kill tkill tgkill rt_sigsuspend rt_sigaction rt_sigreturn */
    138, 240,                           /* rt_sigqueueinfo, rt_tgsigqueueinfo */
    142, 161, 162, 164, 170, 171,       /* reboot sethostname setdomainname setrlimit settimeofday adjtimex */
    180, 186, 190, 194,                 /* mq_open msgget semget shmget: they stay behind */
    217, 218, 219,                      /* keys stay behind */
    220, 221, 224, 225, 260,            /* clone execve swapon swapoff wait4 */
    265, 266, 268, 273, 280, 281, 294,  /* clock_adjtime setns finit_module bpf execveat kexec_file_load */
    261,                                /* prlimit64 */
    424, 428, 429, 430, 431, 432, 433, 435, 442, 443, /* pidfd_send_signal, mounts, clone3, quotactl_fd */
    270, 271, 440, 448,                 /* process_vm_*, process_madvise, process_mrelease */
};

static int is_excluded(unsigned n)
{
    for (unsigned i = 0; i < sizeof excluded / sizeof *excluded; i++)
        if (excluded[i] == (short)n)
            return 1;
    return 0;
}

static unsigned char *page; /* two pages, the second has no access behind it */
static const char *names[] = {
    "file", "dir", "link", "fifo", ".", "/proc/self/maps", "/proc/self/exe", "/proc/self/status", "/dev/null",
    "/dev/zero", "/proc/self/fd/0", "", "nothing/here", "/",
};

static const uint64_t edges[] = {
    0, 1, 2, 3, 4, 8, 16, 64, 100, 255, 256, 4095, 4096, 4097, 65536, 0x7fffffff, 0x80000000, 0xffffffff,
    0x100000000, 0x7ffffffff000, 0x7fffffffffff, 0x800000000000, 0xffffffffffffff, 1ull << 63, ~0ull, ~0ull - 4095,
    ~0ull - 99, 0xffff000000000000,
};

static uint64_t argument(void)
{
    switch (below(9)) {
    case 0: return edges[below(sizeof edges / sizeof *edges)];
    case 1: return below(24);           /* a descriptor, a small number */
    case 2: return bits() & bits();
    case 3: return 1ull << below(64);
    case 4: return (uint64_t)names[below(sizeof names / sizeof *names)];
    case 5: return (uint64_t)page + 8192 - below(64); /* crosses into nothing */
    case 6: {
        /* A structure of small numbers, pointers and noise. */
        uint64_t *at = (uint64_t *)(page + (below(1000) & ~7u));
        for (int i = 0; i < 16; i++) {
            switch (below(5)) {
            case 0: at[i] = (uint64_t)page + below(8192); break;
            case 1: at[i] = below(64); break;
            case 2: at[i] = edges[below(sizeof edges / sizeof *edges)]; break;
            case 3: at[i] = bits(); break;
            default: at[i] = 0;
            }
        }
        return (uint64_t)at;
    }
    case 7: return (uint64_t)page + below(8192);
    default: return below(300);
    }
}

static void limit(int what, rlim_t most)
{
    struct rlimit l = { most, most };
    setrlimit(what, &l);
}

static void child(void)
{
    alarm(3);
    for (int i = 0; i < 300; i++) {
        unsigned n = below(470);
        if (is_excluded(n) || (n == 29 && below(4)))
            continue;
        uint64_t a[6];
        for (int k = 0; k < 6; k++)
            a[k] = argument();
        /* Standard error stays: it is where the emulator would say that it failed. */
        if ((n == 57 && (int)a[0] == 2) || (n == 24 && (int)a[1] == 2) || (n == 436 && (unsigned)a[0] <= 2))
            continue;
        /* Signals of a descriptor or timer to somebody else. */
        if (n == 25 && (a[1] == 8 || a[1] == 15))
            continue;
        /* prctl: not the death signal or the subreaper. */
        if (n == 167 && (a[0] == 1 || a[0] == 36 || a[0] == 22))
            continue;
        /* tasks beside us: priorities and schedulers of process 0 only. */
        if (n == 118 || n == 119 || n == 122 || n == 274 || n == 140 || n == 141)
            a[n == 140 || n == 141] = 0;
        if (n == 154)
            a[0] = 0;
        syscall(n, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
    _exit(0);
}

int main(int argc, char **argv)
{
    state = strtoull(argv[1], 0, 0) * 0x9e3779b97f4a7c15ull | 1;
    int seconds = atoi(argv[2]);
    if (getuid() == 0 && (setgid(65534) || setuid(65534)))
        return 1;
    limit(RLIMIT_FSIZE, 1 << 20);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_MEMLOCK, 65536);
    limit(RLIMIT_RTPRIO, 0);
    page = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(page + 8192, 4096, PROT_NONE);
    time_t end = time(0) + seconds;
    unsigned long children = 0, killed = 0;
    while (time(0) < end) {
        uint64_t seed = bits() | 1;
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            state = seed;
            setpgid(0, 0);
            child();
        }
        if (pid < 0)
            return 2;
        /* Who blocks the alarm is killed. */
        int status = 0;
        struct timespec nap = { 0, 2000000 };
        for (int i = 0; waitpid(pid, &status, WNOHANG) == 0; i++) {
            nanosleep(&nap, 0);
            if (i > 2000)
                kill(pid, SIGKILL);
        }
        kill(-pid, SIGKILL);
        children++;
        killed += WIFSIGNALED(status);
    }
    fprintf(stderr, "%lu children, %lu ended by a signal\n", children, killed);
    return 0;
}
