// What a program asks about its process and machine: limits, scheduling, names, /proc/self, randomness, CPUs.
#include "check.h"
#include <fcntl.h>
#include <dirent.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>

static char text[1 << 16];
static const char *slurp(const char *path) {
    int fd = open(path, O_RDONLY), n = 0, k;
    if (fd < 0) return "";
    while ((k = read(fd, text + n, sizeof text - 1 - n)) > 0) n += k;
    text[n] = 0;
    close(fd);
    return text;
}

int main(int argc, char **argv) {
    struct utsname u;
    CHECK(!uname(&u) && !strcmp(u.sysname, "Linux"));
#if defined __aarch64__
    CHECK(!strcmp(u.machine, "aarch64"));
    CHECK(!strcmp((char *)getauxval(AT_PLATFORM), "aarch64"));
#endif
    struct rlimit r, r2;
    CHECK(!getrlimit(RLIMIT_NOFILE, &r));
    r2 = r;
    r2.rlim_cur = 100;
    CHECK(!setrlimit(RLIMIT_NOFILE, &r2) && !prlimit(0, RLIMIT_NOFILE, NULL, &r2) && r2.rlim_cur == 100);
    FAILS(fcntl(0, F_DUPFD, 100), EINVAL);
    CHECK(!setrlimit(RLIMIT_NOFILE, &r));
    CHECK(!getrlimit(RLIMIT_STACK, &r) && r.rlim_cur >= 1 << 20);
    r2.rlim_cur = r2.rlim_max = 0;
    CHECK(!setrlimit(RLIMIT_CORE, &r2) && !getrlimit(RLIMIT_CORE, &r) && r.rlim_cur == 0);
    CHECK(getpriority(PRIO_PROCESS, 0) == 0 && nice(1) == 1 && getpriority(PRIO_PROCESS, 0) == 1);
    struct sched_param sp;
    CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
    CHECK(!sched_getparam(0, &sp) && sp.sched_priority == 0);
    CHECK_EQ(sched_get_priority_max(SCHED_FIFO), 99);
    cpu_set_t set;
    CHECK(!sched_getaffinity(0, sizeof set, &set) && CPU_COUNT(&set) >= 1);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &set)) cpu++;
    CPU_ZERO(&set); CPU_SET(cpu, &set);
    CHECK(!sched_setaffinity(0, sizeof set, &set));
    CHECK_EQ(sched_getcpu(), cpu);
    CHECK(!sched_yield());
    struct sysinfo si;
    CHECK(!sysinfo(&si) && si.totalram > 0 && si.procs > 0 && si.uptime >= 0);
    unsigned char rnd_a[64] = {0}, rnd_b[64] = {0};
    CHECK(getrandom(rnd_a, 64, 0) == 64 && getrandom(rnd_b, 64, GRND_NONBLOCK) == 64 && memcmp(rnd_a, rnd_b, 64));
    CHECK(!getentropy(rnd_a, 32));
    CHECK_EQ(prctl(PR_SET_DUMPABLE, 1), 0);
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
    CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
    FAILS(prctl(9999), EINVAL);
    CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= 1 && sysconf(_SC_OPEN_MAX) > 20 && sysconf(_SC_CLK_TCK) == 100);
    CHECK(sysconf(_SC_PHYS_PAGES) > 0);
    CHECK_EQ(syscall(SYS_gettid), getpid());
    printf("machine\n");

    char exe[4096] = "", path[64];
    CHECK(readlink("/proc/self/exe", exe, sizeof exe) > 0 && strstr(exe, "/system"));
    snprintf(path, sizeof path, "/proc/%d/exe", getpid());
    char exe2[4096] = "";
    CHECK(readlink(path, exe2, sizeof exe2) > 0 && !strcmp(exe, exe2));
    const char *c = slurp("/proc/self/cmdline");
    CHECK(strstr(c, "system") && strlen(c) == strlen(argv[0]));
    CHECK(!strncmp(slurp("/proc/self/comm"), "system", 6));
    const char *s = slurp("/proc/self/status");
    CHECK(strstr(s, "Name:\tsystem") && strstr(s, "Threads:\t1\n"));
    int pid, fields = 0;
    char comm[64];
    fields = sscanf(slurp("/proc/self/stat"), "%d (%63[^)])", &pid, comm);
    CHECK(fields == 2 && pid == getpid() && !strncmp(comm, "system", 6));
    const char *m = slurp("/proc/self/maps");
    CHECK(strstr(m, "[stack]") && strstr(m, "/system"));
    CHECK(!strstr(m, "qemu"));
    unsigned long lo, hi, local = (unsigned long)&pid;
    int found = 0;
    for (const char *l = m; l && *l; l = strchr(l, '\n'), l = l ? l + 1 : l)
        if (sscanf(l, "%lx-%lx", &lo, &hi) == 2 && lo <= local && local < hi) found = strstr(l, "[stack]") != NULL;
    CHECK(found);
    int a = open("/proc/self/auxv", O_RDONLY);
    unsigned long aux[2];
    int pagesz = 0;
    while (read(a, aux, sizeof aux) == sizeof aux)
        if (aux[0] == AT_PAGESZ) pagesz = aux[1];
    CHECK_EQ(pagesz, sysconf(_SC_PAGESIZE));
    close(a);
    DIR *d = opendir("/proc/self/fd");
    int n = 0;
    for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
    CHECK(n >= 4);
    d = opendir("/proc/self/task");
    n = 0;
    for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
    CHECK_EQ(n, 1);
    int fd = open("file", O_CREAT | O_RDWR, 0600);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK(readlink(path, exe2, sizeof exe2) > 5 && strstr(exe2, "/file"));
    CHECK(strlen(slurp("/proc/cpuinfo")) > 10 && strstr(slurp("/proc/meminfo"), "MemTotal"));
    CHECK(strstr(slurp("/proc/version"), "Linux"));
    CHECK(memmem(slurp("/proc/self/environ"), 4096, "TZ=UTC", 7) != NULL);
    CHECK(!access("/dev/null", W_OK) && !access("/dev/urandom", R_OK));
    CHECK(chdir("/proc/self/fd") == 0 && chdir("/") == 0);
    char cwd[100];
    CHECK(getcwd(cwd, 100) && !strcmp(cwd, "/"));
    char host[100];
    CHECK(!gethostname(host, sizeof host));
    return check_done("system");
}
