// test: flags=-pthread
// Changing code: written in place, through a second mapping, by another thread, after mprotect, in a new mapping at the
// same address; short and long, calling and called.
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#define MOVZ(rd, imm) (0x52800000u | (imm) << 5 | (rd))
#define RET 0xd65f03c0u
#define ADD(rd, rn, imm) (0x11000000u | (imm) << 10 | (rn) << 5 | (rd))
#define B(off) (0x14000000u | (((off) >> 2) & 0x3ffffff))

typedef int (*fn)(int);
static void flush(void *p, size_t n) { __builtin___clear_cache((char *)p, (char *)p + n); }

static uint32_t *shared;
static volatile int phase;
static void *writer(void *arg) {
    for (int i = 1; i <= 200; i++) {
        while (phase != 2 * i - 1) sched_yield();
        shared[0] = MOVZ(0, i);
        flush(shared, 4);
        __atomic_store_n(&phase, 2 * i, __ATOMIC_RELEASE);
    }
    return NULL;
}

int main(void) {
    uint32_t *c = mmap(NULL, 65536, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(c != MAP_FAILED);
    long sum = 0;
    for (int i = 0; i < 2000; i++) {
        c[0] = MOVZ(0, i);
        c[1] = RET;
        flush(c, 8);
        sum += ((fn)c)(0);
    }
    CHECK_EQ(sum, 2000 * 1999 / 2);
    printf("in place %ld\n", sum);
    // Only the middle changes, while the caller loops inside the same page.
    for (int i = 0; i < 8; i++) c[i] = ADD(0, 0, 1);
    c[8] = RET;
    flush(c, 36);
    CHECK_EQ(((fn)c)(0), 8);
    for (int i = 0; i < 8; i++) {
        c[i] = ADD(0, 0, 100);
        flush(c + i, 4);
        CHECK_EQ(((fn)c)(0), 8 - (i + 1) + 100 * (i + 1));
    }
    // A jump to another page whose target changes.
    uint32_t *far = c + 8192;
    c[0] = B(8192 * 4);
    far[0] = MOVZ(0, 1), far[1] = RET;
    flush(c, 4), flush(far, 8);
    CHECK_EQ(((fn)c)(0), 1);
    for (int i = 2; i < 100; i++) {
        far[0] = MOVZ(0, i);
        flush(far, 4);
        CHECK_EQ(((fn)c)(0), i);
    }
    printf("linked\n");
    // Two mappings of the same memory.
    int fd = memfd_create("code", 0);
    ftruncate(fd, 8192);
    uint32_t *w = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    uint32_t *x = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    CHECK(w != MAP_FAILED && x != MAP_FAILED);
    sum = 0;
    for (int i = 0; i < 500; i++) {
        w[i % 64 * 2] = MOVZ(0, i), w[i % 64 * 2 + 1] = RET;
        flush(x + i % 64 * 2, 8);
        sum += ((fn)(x + i % 64 * 2))(0);
    }
    CHECK_EQ(sum, 500 * 499 / 2);
    printf("dual %ld\n", sum);
    // Write, then make executable; and back.
    uint32_t *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 50; i++) {
        mprotect(p, 4096, PROT_READ | PROT_WRITE);
        p[0] = MOVZ(0, i + 7), p[1] = RET;
        flush(p, 8);
        mprotect(p, 4096, PROT_READ | PROT_EXEC);
        CHECK_EQ(((fn)p)(0), i + 7);
    }
    // The same address mapped anew, from a file and from nothing.
    for (int i = 0; i < 50; i++) {
        uint32_t *q = mmap(p, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        q[0] = MOVZ(0, i + 3), q[1] = RET;
        flush(q, 8);
        CHECK_EQ(((fn)q)(0), i + 3);
        if (i & 1) munmap(q, 4096);
    }
    printf("remapped\n");
    shared = c;
    c[0] = MOVZ(0, 0), c[1] = RET;
    flush(c, 8);
    pthread_t t;
    pthread_create(&t, NULL, writer, NULL);
    for (int i = 1; i <= 200; i++) {
        __atomic_store_n(&phase, 2 * i - 1, __ATOMIC_RELEASE);
        while (__atomic_load_n(&phase, __ATOMIC_ACQUIRE) != 2 * i) sched_yield();
        asm volatile("isb" ::: "memory");
        CHECK_EQ(((fn)c)(0), i);
    }
    pthread_join(t, NULL);
    printf("threads\n");
    // A large generated function.
    uint32_t *big = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 200000; i++) big[i] = ADD(0, 0, i % 5);
    big[200000] = RET;
    flush(big, 800004);
    CHECK_EQ(((fn)big)(0), 400000);
    return check_done("smc");
}
