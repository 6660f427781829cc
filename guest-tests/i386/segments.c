// test: link=static
// Descriptors of threads and of the process, segment registers, ways into the kernel, old calls.
#define _GNU_SOURCE
#include "check.h"
#include <asm/ldt.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

static unsigned fs_at(unsigned offset) {
    unsigned v;
    asm volatile("mov %%fs:(%1),%0" : "=r"(v) : "r"(offset));
    return v;
}
static unsigned gs(void) {
    unsigned short s;
    asm volatile("mov %%gs,%0" : "=r"(s));
    return s;
}
static unsigned data[4] = {0x1111, 0x2222, 0x3333, 0x4444};
static struct user_desc desc(int entry, void *base) {
    return (struct user_desc){.entry_number = entry, .base_addr = (unsigned)base, .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1, .useable = 1};
}

static void threads(void) {
    CHECK_EQ(gs(), 0x63);
    struct user_desc d = desc(-1, data);
    CHECK_EQ(syscall(SYS_set_thread_area, &d), 0);
    printf("entry %d\n", d.entry_number);
    unsigned sel = d.entry_number << 3 | 3;
    asm volatile("mov %0,%%fs" ::"r"(sel));
    CHECK_EQ(fs_at(4), 0x2222);
    // A change of the entry counts at once.
    d.base_addr += 4;
    CHECK_EQ(syscall(SYS_set_thread_area, &d), 0);
    CHECK_EQ(fs_at(4), 0x3333);
    struct user_desc back = {.entry_number = d.entry_number};
    CHECK_EQ(syscall(SYS_get_thread_area, &back), 0);
    CHECK_EQ(memcmp(&back, &d, sizeof d), 0);
    back.entry_number = 5;
    FAILS(syscall(SYS_get_thread_area, &back), EINVAL);
    d = desc(20, data);
    FAILS(syscall(SYS_set_thread_area, &d), EINVAL);
    asm volatile("push %%fs; mov %0,%%fs; pop %%fs" ::"r"(0));
    CHECK_EQ(fs_at(4), 0x3333);
}

static void local(void) {
    struct user_desc d = desc(3, data + 1);
    CHECK_EQ(syscall(SYS_modify_ldt, 1, &d, sizeof d), 0);
    unsigned a, b;
    asm volatile("mov %2,%%es; mov %%es:0,%0; mov %3,%%es" : "=&r"(a) : "m"(data), "r"(3 << 3 | 7), "r"(0x2b));
    CHECK_EQ(a, 0x2222);
    // A data segment under which everything is shifted.
    asm volatile("mov %1,%%ds; mov 4,%0; mov %2,%%ds" : "=&r"(b) : "r"(3 << 3 | 7), "r"(0x2b) : "memory");
    CHECK_EQ(b, 0x3333);
}

static void old(void) {
    struct { unsigned n; void *in, *out, *ex, *tv; } sel = {0, 0, 0, 0, &(long[2]){0, 1000}};
    CHECK_EQ(syscall(SYS_select, &sel), 0);
    unsigned map[6] = {0, 4096, 3, 0x22, -1u, 0};
    char *p = (char *)syscall(SYS_mmap, map);
    CHECK(p != (char *)-1);
    p[0] = 1;
    int fds[2];
    long args[4] = {AF_UNIX, SOCK_STREAM, 0, (long)fds};
    CHECK_EQ(syscall(SYS_socketcall, 8, args), 0);
    long send[4] = {fds[0], (long)"four", 4, 0};
    CHECK_EQ(syscall(SYS_socketcall, 9, send), 4);
    long recv[4] = {fds[1], (long)p, 10, 0};
    CHECK_EQ(syscall(SYS_socketcall, 10, recv), 4);
    CHECK_EQ(memcmp(p, "four", 4), 0);
    CHECK_EQ(syscall(SYS_getuid), getuid() > 65535 ? 65534 : getuid());
    unsigned short ids[3];
    CHECK_EQ(syscall(SYS_getresuid, &ids[0], &ids[1], &ids[2]), 0);
    CHECK_EQ(ids[1], geteuid() > 65535 ? 65534 : geteuid());
    int fd = open("/proc/self/status", O_RDONLY);
    CHECK_EQ(syscall(SYS_fchown, fds[0], 0xffff, 0xffff), 0);
    close(fd);
    CHECK(syscall(SYS_time, 0) - time(NULL) < 100);
    unsigned long mask = 0;
    CHECK_EQ(syscall(SYS_sigprocmask, 0, NULL, &mask), 0);
}

static void ways(void) {
    long pid;
    // The vDSO's entry, which the C library's calls use.
    asm volatile("call *%1" : "=a"(pid) : "m"(*(void **)&(unsigned long){getauxval(AT_SYSINFO)}), "0"(SYS_getpid) : "memory");
    CHECK_EQ(pid, getpid());
    asm volatile("int $0x80" : "=a"(pid) : "0"(SYS_getpid) : "memory");
    CHECK_EQ(pid, getpid());
    long result;
    asm volatile("int $0x80" : "=a"(result) : "0"(999) : "memory");
    CHECK_EQ(result, -ENOSYS);
}

static __thread int own = 7;
static void *thread(void *arg) {
    CHECK_EQ(own, 7);
    own = 8;
    CHECK_EQ(gs(), 0x63);
    return arg;
}

int main(void) {
    threads();
    local();
    old();
    ways();
    pthread_t t;
    pthread_create(&t, NULL, thread, NULL);
    pthread_join(t, NULL);
    CHECK_EQ(own, 7);
    CHECK(getauxval(AT_SYSINFO_EHDR) != 0);
    return check_done("segments");
}
