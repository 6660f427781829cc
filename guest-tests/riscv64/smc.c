// test: flags=-pthread oracle=skip
// Changing code: written in place with fence.i or the flush call, through a second mapping, by another thread, after
// mprotect, in a new mapping at the same address; short and long, calling and called.
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define LI(rd, imm) (0x13u | (imm) << 20 | (rd) << 7)
#define ADDI(rd, rs, imm) (0x13u | (imm) << 20 | (rs) << 15 | (rd) << 7)
#define RET 0x00008067u
static uint32_t jal(int32_t off) {
    uint32_t o = off;
    return 0x6fu | (o >> 20 & 1) << 31 | (o >> 1 & 0x3ff) << 21 | (o >> 11 & 1) << 20 | (o & 0xff000);
}

typedef long (*fn)(long);
static void flush(void *p, size_t n) { __builtin___clear_cache((char *)p, (char *)p + n); }
static void fence_i(void) { asm volatile("fence.i" ::: "memory"); }

static uint32_t *shared;
static volatile int phase;
static void *writer(void *arg) {
    for (int i = 1; i <= 200; i++) {
        while (phase != 2 * i - 1) sched_yield();
        shared[0] = LI(10, i);
        flush(shared, 4);
        __atomic_store_n(&phase, 2 * i, __ATOMIC_RELEASE);
    }
    return NULL;
}

int main(void) {
    uint32_t *c = mmap(NULL, 65536, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(c != MAP_FAILED);
    for (int how = 0; how < 3; how++) {
        long sum = 0;
        for (int i = 0; i < 1000; i++) {
            c[0] = LI(10, i);
            c[1] = RET;
            if (how == 0) fence_i();
            else if (how == 1) flush(c, 8);
            else CHECK_EQ(syscall(259, c, c + 2, i & 1), 0);
            sum += ((fn)c)(0);
        }
        CHECK_EQ(sum, 1000 * 999 / 2);
        printf("in place %ld\n", sum);
    }
    // Compressed instructions at odd halves, and only the middle changed.
    uint16_t *h = (uint16_t *)c;
    for (int i = 0; i < 9; i++) h[i] = 0x0505; // c.addi a0, 1
    h[9] = 0x8082;                            // c.jr ra
    fence_i();
    CHECK_EQ(((fn)c)(0), 9);
    for (int i = 0; i < 9; i++) {
        h[i] = 0x0529; // c.addi a0, 10
        fence_i();
        CHECK_EQ(((fn)c)(0), 9 - (i + 1) + 10 * (i + 1));
    }
    // A jump to another page whose target changes.
    uint32_t *far = c + 8192;
    c[0] = jal(8192 * 4);
    far[0] = LI(10, 1), far[1] = RET;
    flush(c, 4), flush(far, 8);
    CHECK_EQ(((fn)c)(0), 1);
    for (int i = 2; i < 100; i++) {
        far[0] = LI(10, i);
        fence_i();
        CHECK_EQ(((fn)c)(0), i);
    }
    printf("linked\n");
    int fd = memfd_create("code", 0);
    ftruncate(fd, 8192);
    uint32_t *w = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    uint32_t *x = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    CHECK(w != MAP_FAILED && x != MAP_FAILED);
    long sum = 0;
    for (int i = 0; i < 500; i++) {
        w[i % 64 * 2] = LI(10, i), w[i % 64 * 2 + 1] = RET;
        if (i & 1) fence_i();
        else flush(x + i % 64 * 2, 8);
        sum += ((fn)(x + i % 64 * 2))(0);
    }
    CHECK_EQ(sum, 500 * 499 / 2);
    printf("dual %ld\n", sum);
    uint32_t *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 50; i++) {
        mprotect(p, 4096, PROT_READ | PROT_WRITE);
        p[0] = LI(10, i + 7), p[1] = RET;
        flush(p, 8);
        mprotect(p, 4096, PROT_READ | PROT_EXEC);
        CHECK_EQ(((fn)p)(0), i + 7);
    }
    for (int i = 0; i < 50; i++) {
        uint32_t *q = mmap(p, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        q[0] = LI(10, i + 3), q[1] = RET;
        flush(q, 8);
        CHECK_EQ(((fn)q)(0), i + 3);
        if (i & 1) munmap(q, 4096);
    }
    printf("remapped\n");
    shared = c;
    c[0] = LI(10, 0), c[1] = RET;
    flush(c, 8);
    pthread_t t;
    pthread_create(&t, NULL, writer, NULL);
    for (int i = 1; i <= 200; i++) {
        __atomic_store_n(&phase, 2 * i - 1, __ATOMIC_RELEASE);
        while (__atomic_load_n(&phase, __ATOMIC_ACQUIRE) != 2 * i) sched_yield();
        CHECK_EQ(((fn)c)(0), i);
    }
    pthread_join(t, NULL);
    printf("threads\n");
    uint32_t *big = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 200000; i++) big[i] = ADDI(10, 10, i % 5);
    big[200000] = RET;
    flush(big, 800004);
    CHECK_EQ(((fn)big)(0), 400000);
    return check_done("smc");
}
