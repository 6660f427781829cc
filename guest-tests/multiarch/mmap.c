// test: long=64
// The memory map: private, shared, fixed, hints, splits, remaps, protection, advice, brk.
#include "check.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

static long page;
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)

static int in_maps(const void *p, const char *perm) {
    FILE *f = fopen("/proc/self/maps", "r");
    unsigned long lo, hi;
    char pr[8], line[512];
    int found = 0;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "%lx-%lx %7s", &lo, &hi, pr) == 3 && lo <= (unsigned long)p && (unsigned long)p < hi)
            found = !strncmp(pr, perm, strlen(perm));
    fclose(f);
    return found;
}

int main(void) {
    page = sysconf(_SC_PAGESIZE);
    char *m = mmap(NULL, page * 10, RW, ANON, -1, 0);
    CHECK(m != MAP_FAILED);
    for (int i = 0; i < page * 10; i++) CHECK(m[i] == 0);
    memset(m, 1, page * 10);
    CHECK(!munmap(m + 3 * page, 2 * page));
    char *h = mmap(m + 3 * page, 2 * page, RW, ANON | MAP_FIXED, -1, 0);
    CHECK(h == m + 3 * page && h[0] == 0 && h[2 * page - 1] == 0 && h[-1] == 1 && h[2 * page] == 1);
    FAILS(mmap(m, page, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
    CHECK(!munmap(m + 5 * page, page));
    CHECK(mmap(m + 5 * page, page, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == m + 5 * page);
    CHECK(!munmap(m + 9 * page, page));
    CHECK(mmap(m + 9 * page, page, RW, ANON, -1, 0) == m + 9 * page);
    CHECK(in_maps(m, "rw-p"));
    CHECK(!mprotect(m + page, page, PROT_READ));
    CHECK(in_maps(m + page, "r--p"));
    CHECK(in_maps(m + 2 * page, "rw-p"));
    CHECK(!mprotect(m, 10 * page, RW));
    CHECK(!munmap(m, 10 * page));
    CHECK(!in_maps(m, "r"));
    CHECK(!munmap(m, 10 * page));
    printf("anonymous\n");

    int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    for (int i = 0; i < 5; i++) {
        char b[4096];
        memset(b, 'a' + i, 4096);
        CHECK_EQ(write(fd, b, 4096), 4096);
    }
    CHECK(!ftruncate(fd, 4 * 4096 + 100));
    char *s = mmap(NULL, 5 * 4096, RW, MAP_SHARED, fd, 0);
    char *p = mmap(NULL, 5 * 4096, RW, MAP_PRIVATE, fd, 0);
    char *o = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 2 * 4096);
    CHECK(s[0] == 'a' && p[4096] == 'b' && o[0] == 'c');
    CHECK(s[4 * 4096 + 99] == 'e' && s[4 * 4096 + 100] == 0);
    s[2 * 4096] = 'X';
    CHECK(o[0] == 'X' && p[2 * 4096] == 'X');
    p[0] = 'P';
    char c;
    CHECK(s[0] == 'a' && pread(fd, &c, 1, 0) == 1 && c == 'a');
    CHECK(!msync(s, 5 * 4096, MS_SYNC));
    CHECK(pread(fd, &c, 1, 2 * 4096) == 1 && c == 'X');
    CHECK(pwrite(fd, "W", 1, 4096) == 1 && s[4096] == 'W');
    FAILS(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 100), EINVAL);
    int ro = open("file", O_RDONLY);
    FAILS(mmap(NULL, 4096, RW, MAP_SHARED, ro, 0), EACCES);
    CHECK(mmap(NULL, 4096, RW, MAP_PRIVATE, ro, 0) != MAP_FAILED);
    close(fd);
    CHECK(s[4096] == 'W');
    printf("file\n");

    m = mmap(NULL, page * 4, RW, ANON, -1, 0);
    for (int i = 0; i < 4; i++) m[i * page] = i + 1;
    char *r = mremap(m, page * 4, page * 2, 0);
    CHECK(r == m && !in_maps(m + 3 * page, "r"));
    r = mremap(m, page * 2, page * 64, MREMAP_MAYMOVE);
    CHECK(r != MAP_FAILED && r[0] == 1 && r[page] == 2 && r[2 * page] == 0 && r[63 * page] == 0);
    char *where = mmap(NULL, page * 64, PROT_NONE, ANON, -1, 0);
    char *q = mremap(r, page * 64, page * 64, MREMAP_MAYMOVE | MREMAP_FIXED, where);
    CHECK(q == where && q[page] == 2 && !in_maps(r, "rw"));
    FAILS(mremap(r, page, 2 * page, MREMAP_MAYMOVE), EFAULT);
    CHECK(!madvise(q, page, MADV_DONTNEED));
    CHECK(q[0] == 0 && q[page] == 2);
    unsigned char vec[64];
    q[2 * page] = 1;
    CHECK(!mincore(q, page * 3, vec) && (vec[2] & 1));
    CHECK(!munmap(q, page * 64));
    printf("remap\n");

    m = mmap(NULL, page, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = fork();
    if (!pid) {
        *m = 77;
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    CHECK_EQ(*m, 77);
    char *hint = (char *)0x500000000000ul;
    char *got = mmap(hint, page, RW, ANON, -1, 0);
    CHECK(got == hint || got != MAP_FAILED);
    char *low = mmap((void *)0x10000000, page, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
    CHECK(low == (void *)0x10000000);
    *low = 1;
    FAILS(mmap((void *)(1ul << 55), page, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
    char *huge = mmap(NULL, 1ul << 36, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
    CHECK(huge != MAP_FAILED);
    CHECK(!mprotect(huge + (1ul << 35), page, RW));
    huge[1ul << 35] = 1;
    CHECK(!munmap(huge, 1ul << 36));
    CHECK(!mlock(low, page) && !munlock(low, page));
    printf("places\n");

    char *b0 = sbrk(0);
    char *b1 = sbrk(100000);
    CHECK(b1 == b0);
    memset(b1, 5, 100000);
    CHECK(sbrk(-100000) == b0 + 100000);
    CHECK(sbrk(0) == b0);
    b1 = sbrk(100000);
    for (int i = 4096; i < 90000; i += 4096) CHECK_EQ(b1[i], 0);
    CHECK(!brk(b0));
    printf("brk\n");
    for (int k = 0; k < 3000; k++) {
        char *t = mmap(NULL, page * (k % 7 + 1), RW, ANON, -1, 0);
        *t = 1;
        CHECK(!munmap(t, page * (k % 7 + 1)));
    }
    return check_done("mmap");
}
