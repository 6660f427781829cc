// test: oracle=skip
// The address space: where mappings go, hints, fixed places, the lowest and the highest addresses, mremap, brk.
#include "bare.h"
enum { brk_ = 214, munmap, mremap, mmap2 = 222, mprotect = 226, mincore = 232, madvise = 233, openat = 56, read_ = 63, write_ = 64, pwrite64 = 68,
    shmget = 194, shmctl, shmat, shmdt, rt_sigaction = 134, memfd_create = 279, ftruncate64 = 46, msgget = 186, msgctl, msgrcv, msgsnd };
#define FAILED(p) ((uint32_t)(p) > 0xfffff000u)
static char *map(uint32_t at, uint32_t len, int prot, int flags, int fd, uint32_t page) { return (char *)sc(mmap2, at, len, prot, flags, fd, page); }

static int run(int argc, char **argv) {
    char *a = map(0, 0x4000, 3, 0x22, -1, 0);
    CHECK(!FAILED(a) && (uint32_t)a > 0x10000);
    a[0] = 1, a[0x3fff] = 2;
    CHECK_EQ(sc(munmap, a + 0x1000, 0x2000), 0);
    CHECK(a[0] == 1 && a[0x3fff] == 2);
    char *b = map((uint32_t)a + 0x1000, 0x2000, 3, 0x22, -1, 0);
    CHECK(b == a + 0x1000 && b[0] == 0);
    // A hint that is free is taken, one that is not gives another place.
    char *h = map(0x50000000, 0x1000, 3, 0x22, -1, 0);
    CHECK_EQ((uint32_t)h, 0x50000000);
    char *h2 = map(0x50000000, 0x1000, 3, 0x22, -1, 0);
    CHECK(!FAILED(h2) && h2 != h);
    CHECK_EQ(map(0x50000000, 0x1000, 3, 0x100022, -1, 0), (char *)-17);
    CHECK_EQ((uint32_t)map(0x50001000, 0x1000, 3, 0x100022, -1, 0), 0x50001000);
    h[5] = 5;
    CHECK_EQ(map(0x50000000, 0x1000, 3, 0x32, -1, 0), h);
    CHECK_EQ(h[5], 0);
    CHECK_EQ(map(0x50000800, 0x1000, 3, 0x32, -1, 0), (char *)-22);
    // High addresses, above half of the space.
    char *high = map(0xb0000000, 0x10000, 3, 0x32, -1, 0);
    CHECK_EQ((uint32_t)high, 0xb0000000);
    high[0xffff] = 9;
    *(volatile int *)(high + 0x8000) = 77;
    CHECK_EQ(*(volatile int *)(high + 0x8000), 77);
    CHECK_EQ(sc(mprotect, high, 0x1000, 1), 0);
    CHECK_EQ(sc(mprotect, high + 0x10000, 0x1000, 1), -12);
    CHECK_EQ(sc(read_, 0, high, 1) , sc(read_, 0, high + 0x1000, 1) ? -14 : 0);
    CHECK_EQ(sc(munmap, high, 0x10000), 0);
    CHECK(FAILED(map(0, 0xffff0000, 3, 0x22, -1, 0)));
    char *huge = map(0, 0x60000000, 0, 0x4022, -1, 0);
    CHECK(!FAILED(huge));
    CHECK_EQ(sc(munmap, huge, 0x60000000), 0);
    // Moving and growing.
    char *m = map(0x60000000, 0x2000, 3, 0x22, -1, 0);
    m[0x1000] = 42;
    map(0x60003000, 0x1000, 3, 0x22, -1, 0);
    CHECK_EQ((uint32_t)sc(mremap, m, 0x2000, 0x3000, 0), 0x60000000);
    CHECK_EQ(sc(mremap, m, 0x3000, 0x5000, 0), -12);
    char *n = (char *)sc(mremap, m, 0x3000, 0x5000, 1);
    CHECK(!FAILED(n) && n != m && n[0x1000] == 42);
    n[0x4fff] = 1;
    CHECK_EQ((uint32_t)sc(mremap, n, 0x5000, 0x5000, 3, 0x61000000), 0x61000000);
    CHECK_EQ(((char *)0x61000000)[0x1000], 42);
    CHECK_EQ((uint32_t)sc(mremap, 0x61000000, 0x5000, 0x1000, 0), 0x61000000);
    unsigned char vec[2];
    CHECK_EQ(sc(mincore, 0x61000000, 0x1000, vec), 0);
    CHECK_EQ(sc(mincore, 0x61000000, 0x2000, vec), -12);
    CHECK_EQ(sc(madvise, 0x61000000, 0x1000, 4), 0);
    // A file behind 4 GiB: the offset counts pages.
    int fd = sc(memfd_create, "file", 0);
    uint64_t far = 0x100003000;
    CHECK_EQ(sc(ftruncate64, fd, LO(far + 4096), HI(far + 4096)), 0);
    CHECK_EQ(sc(pwrite64, fd, "page", 4, LO(far), HI(far)), 4);
    char *f = map(0, 4096, 3, 1, fd, far >> 12);
    CHECK(!FAILED(f) && same(f, "page", 4));
    f[0] = 'P';
    // brk.
    char *end = (char *)sc(brk_, 0);
    CHECK_EQ((char *)sc(brk_, end + 0x300000), end + 0x300000);
    end[0x2fffff] = 7;
    CHECK_EQ((char *)sc(brk_, end + 0x100000), end + 0x100000);
    CHECK_EQ((char *)sc(brk_, 0x1000), end + 0x100000);
    CHECK(same(end, "\0\0\0", 3));
    // System V memory and messages.
    int id = sc(shmget, 0, 0x3000, 0600);
    if (id >= 0) {
        char *s = (char *)sc(shmat, id, 0, 0);
        CHECK(!FAILED(s));
        s[0x2fff] = 3;
        char *t = (char *)sc(shmat, id, 0x70000000, 0);
        CHECK_EQ((uint32_t)t, 0x70000000);
        CHECK_EQ(t[0x2fff], 3);
        struct { int32_t key; uint32_t uid, gid, cuid, cgid, mode; uint16_t seq, p2; uint32_t u1, u2, segsz, atime, ah, dtime, dh, ctime, ch; int32_t cpid, lpid; uint32_t nattch, u4, u5; } ds;
        CHECK_EQ(sc(shmctl, id, 2 | 0x100, &ds), 0);
        CHECK_EQ(ds.segsz, 0x3000);
        CHECK_EQ(ds.nattch, 2);
        CHECK_EQ(sc(shmdt, s), 0);
        CHECK_EQ(sc(shmdt, t), 0);
        CHECK_EQ(sc(shmctl, id, 0, 0), 0);
    }
    id = sc(msgget, 0, 0600);
    if (id >= 0) {
        struct { int32_t type; char text[12]; } msg = {0x12345, "message"}, got;
        memset(&got, 0xff, sizeof got);
        CHECK_EQ(sc(msgsnd, id, &msg, 8, 0), 0);
        CHECK_EQ(sc(msgrcv, id, &got, 12, 0, 0), 8);
        CHECK(got.type == 0x12345 && same(got.text, "message", 8) && (unsigned char)got.text[8] == 0xff);
        msg.type = -1;
        CHECK_EQ(sc(msgsnd, id, &msg, 8, 0), -22);
        CHECK_EQ(sc(msgctl, id, 0, 0), 0);
    }
    // What /proc says of it.
    static char text[8192];
    fd = sc(openat, -100, "/proc/self/maps", 0);
    int got = 0, k;
    while ((k = sc(read_, fd, text + got, sizeof text - 1 - got)) > 0) got += k;
    int found = 0, lines = 0, below = 1;
    for (char *p = text; *p; p++) {
        if (p != text && p[-1] != '\n') continue;
        lines++;
        if (same(p, "61000000-61001000 rw-p", 22)) found++;
        below &= p[8] == '-';
    }
    CHECK(found == 1 && lines > 5 && below);
    return done("memory");
}
