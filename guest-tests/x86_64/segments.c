// test: link=static
// Bases of FS and GS, the local table, 32-bit calls from 64-bit code, the vsyscall page, and the vDSO's functions.
#define _GNU_SOURCE
#include "check.h"
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <elf.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

static long prctl_(int code, unsigned long addr) { return syscall(SYS_arch_prctl, code, addr); }
static unsigned long gs_at(unsigned long offset) {
    unsigned long v;
    asm volatile("mov %%gs:(%1),%0" : "=r"(v) : "r"(offset));
    return v;
}
static unsigned short selector(void) {
    unsigned short s;
    asm volatile("mov %%gs,%0" : "=r"(s));
    return s;
}
static unsigned long data[4] = {0x1111, 0x2222, 0x3333, 0x4444};

static void *thread(void *arg) {
    unsigned long base;
    CHECK_EQ(prctl_(ARCH_GET_GS, (unsigned long)&base), 0);
    // A new thread has its creator's.
    CHECK_EQ(base, (unsigned long)data);
    CHECK_EQ(prctl_(ARCH_SET_GS, (unsigned long)(data + 1)), 0);
    CHECK_EQ(gs_at(0), 0x2222);
    return arg;
}

static void bases(void) {
    unsigned long base = 1;
    CHECK_EQ(prctl_(ARCH_SET_GS, (unsigned long)data), 0);
    CHECK_EQ(gs_at(8), 0x2222);
    CHECK_EQ(prctl_(ARCH_GET_GS, (unsigned long)&base), 0);
    CHECK_EQ(base, (unsigned long)data);
    pthread_t t;
    pthread_create(&t, NULL, thread, NULL);
    pthread_join(t, NULL);
    CHECK_EQ(gs_at(16), 0x3333);
    FAILS(prctl_(ARCH_SET_GS, 1UL << 47), EPERM);
    FAILS(prctl_(0x9999, 0), EINVAL);
    CHECK_EQ(prctl_(ARCH_GET_FS, (unsigned long)&base), 0);
    unsigned long self;
    asm("mov %%fs:0,%0" : "=r"(self));
    CHECK_EQ(base, self);
    asm volatile("mov %0,%%gs" ::"r"(0));
    CHECK_EQ(prctl_(ARCH_GET_GS, (unsigned long)&base), 0);
    CHECK_EQ(base, 0);
}

static void local(void) {
    unsigned long *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    low[0] = 0x5555, low[1] = 0x6666;
    struct user_desc d = {.entry_number = 2, .base_addr = (unsigned)(unsigned long)low, .limit = 0xfffff, .seg_32bit = 1, .limit_in_pages = 1, .useable = 1};
    CHECK_EQ(syscall(SYS_modify_ldt, 0x11, &d, sizeof d), 0);
    asm volatile("mov %0,%%gs" ::"r"(2 << 3 | 7));
    CHECK_EQ(selector(), 0x17);
    CHECK_EQ(gs_at(8), 0x6666);
    unsigned long table[8];
    CHECK(syscall(SYS_modify_ldt, 0, table, sizeof table) >= 24);
    printf("descriptor %lx\n", table[2] & 0x00ffff000000ffff);
    d.base_addr += 8;
    CHECK_EQ(syscall(SYS_modify_ldt, 1, &d, sizeof d), 0);
    asm volatile("mov %0,%%gs" ::"r"(2 << 3 | 7));
    CHECK_EQ(gs_at(0), 0x6666);
    d.entry_number = 9000;
    // Its result is an int whose upper half is clear, so that the C library sees no error.
    CHECK_EQ(syscall(SYS_modify_ldt, 1, &d, sizeof d), (unsigned)-EINVAL);
    asm volatile("mov %0,%%gs" ::"r"(0));
}

static long int80(long nr, long a, long b, long c, long d) {
    long result;
    asm volatile("int $0x80" : "=a"(result) : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d) : "memory", "r8", "r9", "r10", "r11");
    return result;
}
static void narrow(void) {
    CHECK_EQ(int80(20, 0, 0, 0, 0), getpid());
    // Upper halves do not count; a result keeps its sign.
    CHECK_EQ(int80(0x1200000014, 0, 0, 0, 0), getpid());
    CHECK_EQ(int80(6, 0xffff, 0, 0, 0), -EBADF);
    char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    strcpy(low, "written by the 32-bit call\n");
    fflush(stdout);
    CHECK_EQ(int80(4, 0x100000000 + 1, (long)low, strlen(low), 0), strlen(low));
    int *times = (int *)low;
    CHECK_EQ(int80(265, CLOCK_MONOTONIC, (long)times, 0, 0), 0);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    CHECK(now.tv_sec - times[0] < 100);
    long mapped = int80(192, 0, 4096, 3, 0x22);
    CHECK(mapped > 0 && mapped < 1L << 32);
    CHECK_EQ(int80(0x4000, 0, 0, 0, 0), -ENOSYS);
}

static void vsyscall(void) {
    long (*time_)(long *) = (void *)0xffffffffff600400;
    long (*gtod)(struct timeval *, void *) = (void *)0xffffffffff600000;
    long (*getcpu_)(unsigned *, unsigned *, void *) = (void *)0xffffffffff600800;
    long t = 0;
    CHECK_EQ(time_(&t), t);
    CHECK(time(NULL) - t < 100);
    struct timeval tv;
    CHECK_EQ(gtod(&tv, NULL), 0);
    CHECK(tv.tv_sec - t < 100 && tv.tv_usec < 1000000);
    unsigned cpu = -1;
    CHECK_EQ(getcpu_(&cpu, NULL, NULL), 0);
    CHECK(cpu < 4096);
}

static void *vdso(const char *name) {
    char *base = (char *)getauxval(AT_SYSINFO_EHDR);
    Elf64_Ehdr *e = (void *)base;
    Elf64_Phdr *p = (void *)(base + e->e_phoff);
    Elf64_Dyn *d = NULL;
    for (int i = 0; i < e->e_phnum; i++)
        if (p[i].p_type == PT_DYNAMIC) d = (void *)(base + p[i].p_offset);
    Elf64_Sym *sym = NULL;
    char *str = NULL;
    for (; d->d_tag; d++) {
        if (d->d_tag == DT_SYMTAB) sym = (void *)(base + d->d_un.d_ptr);
        if (d->d_tag == DT_STRTAB) str = base + d->d_un.d_ptr;
    }
    for (int i = 1; (char *)(sym + i) < str || i < 32; i++)
        if (sym[i].st_name && !strcmp(str + sym[i].st_name, name)) return base + sym[i].st_value;
    return NULL;
}
static void functions(void) {
    int (*get)(int, struct timespec *) = vdso("__vdso_clock_gettime");
    long (*now)(long *) = vdso("__vdso_time");
    CHECK(get && now && vdso("__vdso_gettimeofday") && vdso("__vdso_getcpu"));
    struct timespec a, b;
    CHECK_EQ(get(CLOCK_MONOTONIC, &a), 0);
    CHECK_EQ(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &b), 0);
    CHECK((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec >= 0);
    CHECK_EQ(get(12345, &a), -EINVAL);
    long t;
    CHECK_EQ(now(&t), t);
}

int main(void) {
    bases();
    local();
    narrow();
    vsyscall();
    functions();
    CHECK_EQ(getauxval(AT_HWCAP2) & ~3UL, 0);
    CHECK_EQ(strcmp((char *)getauxval(AT_PLATFORM), "x86_64"), 0);
    FAILS(syscall(0x40000000 + SYS_getpid), ENOSYS);
    return check_done("segments");
}
