// test: oracle=skip long=64
// Younger calls: sealed mappings, waits for several futexes, keys, asynchronous requests, counters, BPF maps, and the
// answers of a machine without protection keys or shadow stacks. Where the system forbids one to everybody, its facts are
// taken as given.
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/bpf.h>
#include <linux/futex.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#ifndef SYS_mseal
#define SYS_mseal 462
#endif
#ifndef SYS_map_shadow_stack
#define SYS_map_shadow_stack 453
#endif
#define PAGE 4096l
static char *pages(int n, int prot) { return mmap(NULL, n * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
static long seal(void *p, long len, long flags) { return syscall(SYS_mseal, p, len, flags); }

static void seals(void) {
    char *p = pages(4, PROT_READ | PROT_WRITE), *r = pages(2, PROT_READ);
    if (seal(p, 0, 0) && errno == ENOSYS) return;
    FAILS(seal(p, PAGE, 1), EINVAL);
    FAILS(seal(p + 1, PAGE, 0), EINVAL);
    munmap(p + 3 * PAGE, PAGE);
    FAILS(seal(p, 4 * PAGE, 0), ENOMEM);
    CHECK_EQ(seal(p + PAGE, PAGE, 0), 0);
    CHECK_EQ(seal(p + PAGE, PAGE, 0), 0);
    p[PAGE] = 1;
    FAILS(munmap(p + PAGE, PAGE), EPERM);
    FAILS(munmap(p, 3 * PAGE), EPERM);
    FAILS(mprotect(p + PAGE, PAGE, PROT_READ), EPERM);
    FAILS(mmap(p + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EPERM);
    FAILS(mremap(p + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EPERM);
    CHECK_EQ(madvise(p + PAGE, PAGE, MADV_DONTNEED), 0);
    CHECK_EQ(p[PAGE], 0);
    CHECK_EQ(mprotect(p, PAGE, PROT_READ), 0);
    CHECK_EQ(munmap(p, PAGE), 0);
    CHECK_EQ(seal(r, 2 * PAGE, 0), 0);
    FAILS(madvise(r, PAGE, MADV_DONTNEED), EPERM);
    CHECK_EQ(madvise(r, PAGE, MADV_WILLNEED), 0);
}

static void other_pages(void) {
    int fd = memfd_create("pages", 0);
    char buf[2 * PAGE];
    memset(buf, 'a', PAGE);
    memset(buf + PAGE, 'b', PAGE);
    CHECK_EQ(write(fd, buf, sizeof buf), sizeof buf);
    char *m = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(m[0] == 'a' && m[PAGE] == 'b');
    CHECK_EQ(remap_file_pages(m, PAGE, 0, 1, 0), 0);
    CHECK(m[0] == 'b' && m[PAGE] == 'b');
    FAILS(remap_file_pages(m, PAGE, PROT_READ, 1, 0), EINVAL);
    FAILS(remap_file_pages(pages(1, PROT_READ), PAGE, 0, 1, 0), EINVAL);
    munmap(m, 2 * PAGE);
    close(fd);
}

static void futexes(void) {
    uint32_t words[2] = {1, 2};
    struct futex_waitv w[2] = {{1, (uintptr_t)&words[0], 2, 0}, {3, (uintptr_t)&words[1], 2, 0}};
    struct timespec t;
    FAILS(syscall(SYS_futex_waitv, w, 2, 0, NULL, CLOCK_MONOTONIC), EAGAIN);
    w[1].val = 2;
    clock_gettime(CLOCK_MONOTONIC, &t);
    FAILS(syscall(SYS_futex_waitv, w, 2, 0, &t, CLOCK_MONOTONIC), ETIMEDOUT);
    FAILS(syscall(SYS_futex_waitv, w, 0, 0, NULL, CLOCK_MONOTONIC), EINVAL);
    FAILS(syscall(SYS_futex_waitv, w, 129, 0, NULL, CLOCK_MONOTONIC), EINVAL);
}

static void keys(void) {
    long ring = syscall(SYS_keyctl, 0, -2, 1);
    if (ring < 0) return;
    long key = syscall(SYS_add_key, "user", "omnirun-test", "payload", 7, -2);
    CHECK(key > 0);
    char buf[64] = "";
    CHECK_EQ(syscall(SYS_keyctl, 11, key, buf, sizeof buf), 7);
    CHECK(!memcmp(buf, "payload", 7));
    CHECK_EQ(syscall(SYS_keyctl, 10, -2, "user", "omnirun-test", 0), key);
    CHECK_EQ(syscall(SYS_keyctl, 2, key, "other", 5), 0);
    CHECK_EQ(syscall(SYS_keyctl, 11, key, buf, sizeof buf), 5);
    CHECK_EQ(syscall(SYS_keyctl, 9, key, -2), 0);
}

static void requests(void) {
    aio_context_t ctx = 0;
    if (syscall(SYS_io_setup, 8, &ctx) && (errno == ENOSYS || errno == EAGAIN)) return;
    FAILS(syscall(SYS_io_setup, 8, &ctx), EINVAL);
    int fd = memfd_create("aio", 0);
    char out[100], in[100] = "";
    memset(out, 'x', sizeof out);
    struct iocb a = {.aio_data = 7, .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = fd, .aio_buf = (uintptr_t)out, .aio_nbytes = 100};
    struct iocb *list[1] = {&a};
    struct io_event e[4];
    CHECK_EQ(syscall(SYS_io_submit, ctx, 1, list), 1);
    CHECK_EQ(syscall(SYS_io_getevents, ctx, 1, 4, e, NULL), 1);
    CHECK(e[0].data == 7 && e[0].obj == (uintptr_t)&a && e[0].res == 100);
    struct iovec v[2] = {{in, 40}, {in + 40, 60}};
    a.aio_lio_opcode = IOCB_CMD_PREADV, a.aio_buf = (uintptr_t)v, a.aio_nbytes = 2;
    CHECK_EQ(syscall(SYS_io_submit, ctx, 1, list), 1);
    struct timespec second = {1, 0};
    CHECK_EQ(syscall(SYS_io_getevents, ctx, 1, 4, e, &second), 1);
    CHECK_EQ(e[0].res, 100);
    CHECK(!memcmp(in, out, 100));
    int p[2];
    CHECK(!pipe(p));
    struct iocb q = {.aio_data = 8, .aio_lio_opcode = IOCB_CMD_POLL, .aio_fildes = p[0], .aio_buf = POLLIN};
    list[0] = &q;
    CHECK_EQ(syscall(SYS_io_submit, ctx, 1, list), 1);
    struct timespec none = {0, 0};
    CHECK_EQ(syscall(SYS_io_getevents, ctx, 1, 4, e, &none), 0);
    CHECK_EQ(write(p[1], "z", 1), 1);
    CHECK_EQ(syscall(SYS_io_getevents, ctx, 1, 4, e, &second), 1);
    CHECK(e[0].data == 8 && e[0].obj == (uintptr_t)&q && (e[0].res & POLLIN));
    q.aio_lio_opcode = 99;
    FAILS(syscall(SYS_io_submit, ctx, 1, list), EINVAL);
    CHECK_EQ(syscall(SYS_io_destroy, ctx), 0);
    FAILS(syscall(SYS_io_destroy, ctx), EINVAL);
}

static void counters(void) {
    struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attr, .config = PERF_COUNT_SW_TASK_CLOCK, .exclude_kernel = 1, .disabled = 1};
    int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
    attr.size = 8;
    errno = 0;
    CHECK(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0) == -1 && (errno == E2BIG || fd < 0));
    if (fd < 0) return;
    uint64_t first = 1, count = 0, id = 0;
    CHECK_EQ(read(fd, &first, 8), 8);
    CHECK_EQ(first, 0);
    CHECK_EQ(ioctl(fd, PERF_EVENT_IOC_ENABLE, 0), 0);
    for (volatile int i = 0; i < 1000000; i++) {}
    CHECK_EQ(ioctl(fd, PERF_EVENT_IOC_DISABLE, 0), 0);
    CHECK_EQ(read(fd, &count, 8), 8);
    CHECK(count > 1000);
    CHECK_EQ(ioctl(fd, PERF_EVENT_IOC_ID, &id), 0);
    CHECK(id != 0);
    close(fd);
}

static void maps(void) {
    union bpf_attr attr = {.map_type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 8, .max_entries = 4};
    int fd = syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr);
    if (fd < 0) return;
    uint32_t key = 5;
    uint64_t value = 77, got = 0;
    union bpf_attr set = {.map_fd = fd, .key = (uintptr_t)&key, .value = (uintptr_t)&value};
    CHECK_EQ(syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &set, sizeof set), 0);
    set.value = (uintptr_t)&got;
    CHECK_EQ(syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &set, sizeof set), 0);
    CHECK_EQ(got, 77);
    close(fd);
}

static void absent(void) {
    FAILS(syscall(SYS_pkey_alloc, 1, 0), EINVAL);
    FAILS(syscall(SYS_pkey_free, 99), EINVAL);
    CHECK(syscall(SYS_map_shadow_stack, 0, PAGE, 0) == -1 && (errno == EOPNOTSUPP || errno == ENOSYS));
    FAILS(syscall(SYS_membarrier, 0, 1, 0), EINVAL);
    CHECK(syscall(SYS_membarrier, 0, 0, 0) > 0 || errno == ENOSYS);
}

int main(void) {
    seals();
    other_pages();
    futexes();
    keys();
    requests();
    counters();
    maps();
    absent();
    return check_done("newcalls");
}
