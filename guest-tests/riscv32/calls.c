// test: oracle=skip
// Calls whose arguments hold addresses of 64 bits: requests and their events, waits for several futexes, keys, pages.
#include "bare.h"
enum { io_setup = 0, io_destroy, io_submit, io_cancel, memfd_create = 279, futex_waitv = 449, keyctl = 219, add_key = 217, io_pgetevents_time64 = 416,
    move_pages = 239, mmap2 = 222, munmap = 215, mseal = 462, process_madvise = 440, pidfd_open = 434, clock_gettime64 = 403, vmsplice = 75, pipe2 = 59,
    read_ = 63, getpid = 172, userfaultfd = 282, io_uring_setup = 425 };
struct iocb {
    uint64_t data;
    uint32_t key, rw_flags;
    uint16_t op, prio;
    uint32_t fd;
    uint64_t buf, bytes;
    int64_t offset;
    uint64_t reserved;
    uint32_t flags, resfd;
};
struct event {
    uint64_t data, obj;
    int64_t res, res2;
};
struct vec {
    uint32_t base, len;
};
struct waitv {
    uint64_t val, addr;
    uint32_t flags, reserved;
};

static int run(int argc, char **argv) {
    static char out[100], in[100];
    memset(out, 'x', 100);
    uint32_t ctx = 0;
    long r = sc(io_setup, 8, &ctx);
    CHECK_EQ(r, 0);
    CHECK(ctx != 0 && *(volatile uint32_t *)ctx == 0);
    CHECK_EQ(sc(io_setup, 8, &ctx), -22);
    int fd = sc(memfd_create, "aio", 0);
    static struct iocb a;
    a = (struct iocb){.data = 7, .op = 1, .fd = fd, .buf = (uint32_t)out, .bytes = 100};
    struct iocb before = a;
    uint32_t list[2] = {(uint32_t)&a, (uint32_t)&a};
    static struct event e[4];
    CHECK_EQ(sc(io_submit, ctx, 1, list), 1);
    CHECK(a.buf == before.buf && a.op == 1 && a.bytes == 100);
    struct { int64_t s; int64_t ns; } second = {1, 0};
    CHECK_EQ(sc(io_pgetevents_time64, ctx, 1, 4, e, &second, 0), 1);
    CHECK(e[0].data == 7 && e[0].obj == (uint32_t)&a && e[0].res == 100);
    struct vec v[2] = {{(uint32_t)in, 40}, {(uint32_t)in + 40, 60}};
    a.op = 7, a.buf = (uint32_t)v, a.bytes = 2;
    CHECK_EQ(sc(io_submit, ctx, 2, list), 2);
    int got = 0;
    while (got < 2) {
        int n = sc(io_pgetevents_time64, ctx, 1, 4, e + got, &second, 0);
        CHECK(n > 0);
        if (n <= 0) break;
        got += n;
    }
    CHECK(e[0].res == 100 && e[1].res == 100 && same(in, out, 100));
    a.op = 99;
    CHECK_EQ(sc(io_submit, ctx, 1, list), -22);
    CHECK_EQ(sc(io_destroy, ctx), 0);
    CHECK_EQ(sc(io_destroy, ctx), -22);

    static uint32_t words[2] = {1, 2};
    static struct waitv w[2];
    w[0] = (struct waitv){1, (uint32_t)&words[0], 2, 0};
    w[1] = (struct waitv){3, (uint32_t)&words[1], 2, 0};
    CHECK_EQ(sc(futex_waitv, w, 2, 0, 0, 1), -11);
    w[1].val = 2;
    struct { int64_t s; int64_t ns; } now;
    sc(clock_gettime64, 1, &now);
    CHECK_EQ(sc(futex_waitv, w, 2, 0, &now, 1), -110);

    long key = sc(add_key, "user", "omnirun-test32", "payload", 7, -2);
    if (key > 0) {
        char buf[16];
        CHECK_EQ(sc(keyctl, 11, key, buf, sizeof buf), 7);
        CHECK(same(buf, "payload", 7));
        CHECK_EQ(sc(keyctl, 10, -2, "user", "omnirun-test32", 0), key);
        struct vec parts[2] = {{(uint32_t) "ab", 2}, {(uint32_t) "cd", 2}};
        CHECK(sc(keyctl, 20, key, parts, 2, 0) < 0);
        CHECK_EQ(sc(keyctl, 9, key, -2), 0);
    }

    char *p = (char *)sc(mmap2, 0, 8192, 3, 0x22, -1, 0);
    p[0] = p[4096] = 1;
    uint32_t pages[2] = {(uint32_t)p, (uint32_t)p + 4096};
    int status[2] = {-99, -99};
    r = sc(move_pages, 0, 2, pages, 0, status, 0);
    CHECK(r == -38 || (r == 0 && status[0] >= 0 && status[1] >= 0));
    int self = sc(pidfd_open, sc(getpid), 0);
    struct vec both[1] = {{(uint32_t)p, 8192}};
    r = sc(process_madvise, self, both, 1, 20, 0);
    CHECK(r == 8192 || r == -1 || r == -22);
    int pipe[2];
    CHECK_EQ(sc(pipe2, pipe, 0), 0);
    CHECK_EQ(sc(vmsplice, pipe[1], v, 2, 0), 100);
    CHECK_EQ(sc(read_, pipe[0], p, 200), 100);
    CHECK(same(p, out, 100));
    CHECK_EQ(sc(mseal, p, 4096, 0), 0);
    CHECK_EQ(sc(munmap, p, 8192), -1);
    CHECK_EQ(sc(munmap, p + 4096, 4096), 0);
    // What cannot be offered says so.
    CHECK_EQ(sc(userfaultfd, 0), -38);
    CHECK_EQ(sc(io_uring_setup, 4, 0), -38);
    return done("calls");
}
