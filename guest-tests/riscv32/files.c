// test: oracle=skip
// Files larger than 4 GiB: 64-bit arguments in register pairs, positions in halves, structures of the 32-bit ABI.
#include "bare.h"
enum { fcntl64 = 25, statfs64 = 43, fstatfs64, truncate64, ftruncate64, fallocate, openat = 56, close_, getdents64 = 61, llseek, read_, write_,
    readv, writev, pread64, pwrite64, preadv, pwritev, sendfile64 = 71, sync_file_range = 84, readahead = 213, fadvise64_64 = 223,
    unlinkat = 35, mkdirat = 34, statx = 291, preadv2 = 286, pwritev2, utimensat_time64 = 412, copy_file_range = 285, readlinkat = 78 };
struct iovec { void *base; uint32_t len; };
struct flock64 { int16_t type, whence; int64_t start, len; int32_t pid; };
struct statfs64 { uint32_t type, bsize; uint64_t blocks, bfree, bavail, files, ffree; int32_t fsid[2]; uint32_t namelen, frsize, flags, spare[4]; };
struct statx { uint32_t mask, blksize; uint64_t attributes; uint32_t nlink, uid, gid; uint16_t mode, pad; uint64_t ino, size, blocks, amask;
    struct { int64_t sec; uint32_t nsec; int32_t pad; } atime, btime, ctime, mtime; uint32_t rest[64]; };
#define CWD -100
static int64_t seek(int fd, int64_t to, int whence) {
    int64_t at = -1;
    long r = sc(llseek, fd, HI(to), LO(to), &at, whence);
    return r < 0 ? r : at;
}

static int run(int argc, char **argv) {
    const uint64_t far = 0x1234567890;
    char buf[64];
    memset(buf, 0, sizeof buf);
    int fd = sc(openat, CWD, "big", 0102 | 01000 | 0100000, 0600);
    CHECK(fd >= 0);
    CHECK_EQ(sc(pwrite64, fd, "far away", 8, LO(far), HI(far)), 8);
    CHECK_EQ(sc(pread64, fd, buf, 8, LO(far), HI(far)), 8);
    CHECK(same(buf, "far away", 8));
    CHECK_EQ(seek(fd, 0, 2), far + 8);
    CHECK_EQ(seek(fd, -4, 1), far + 4);
    CHECK_EQ(sc(read_, fd, buf, 10), 4);
    CHECK(same(buf, "away", 4));
    CHECK_EQ(seek(fd, -1, 0), -22);
    struct statx sx;
    CHECK_EQ(sc(statx, fd, "", 0x1000, 0x7ff, &sx), 0);
    CHECK_EQ(sx.size, far + 8);
    CHECK_EQ(sx.mode, 0100600);
    CHECK_EQ(sc(ftruncate64, fd, LO(far + 100), HI(far + 100)), 0);
    CHECK_EQ(sc(statx, CWD, "big", 0, 0x7ff, &sx), 0);
    CHECK_EQ(sx.size, far + 100);
    CHECK_EQ(sc(truncate64, "big", LO(far), HI(far)), 0);
    CHECK_EQ(seek(fd, 0, 2), far);
    long r = sc(fallocate, fd, 1, LO(far), HI(far), 4096, 0);
    CHECK(r == 0 || r == -95);
    CHECK_EQ(sc(fadvise64_64, fd, LO(far), HI(far), 4096, 0, 4), 0);
    CHECK_EQ(sc(fadvise64_64, fd, LO(far), HI(far), 4096, 0, 77), -22);
    CHECK_EQ(sc(readahead, fd, 0, 0, 4096), 0);
    CHECK_EQ(sc(sync_file_range, fd, LO(far - 4096), HI(far), 4096, 0, 7), 0);
    // Vectors, with positions in low and high word.
    struct iovec w[] = {{"one ", 4}, {"two ", 4}, {"three", 5}};
    CHECK_EQ(sc(pwritev, fd, w, 3, LO(far), HI(far)), 13);
    struct iovec v[] = {{buf, 6}, {buf + 20, 10}};
    CHECK_EQ(sc(preadv, fd, v, 2, LO(far), HI(far)), 13);
    CHECK(same(buf, "one tw", 6) && same(buf + 20, "o three", 7));
    CHECK_EQ(sc(pwritev2, fd, w, 2, LO(far + 100), HI(far), 0), 8);
    CHECK_EQ(sc(preadv2, fd, v, 1, LO(far + 100), HI(far), 0), 6);
    CHECK(same(buf, "one tw", 6));
    CHECK_EQ(seek(fd, far, 0), far);
    CHECK_EQ(sc(readv, fd, v, 2), 16);
    CHECK_EQ(sc(preadv2, fd, v, 1, -1, -1, 0), 6);
    CHECK_EQ(seek(fd, 0, 1), far + 22);
    struct iovec bad[] = {{buf, 0x80000000u}};
    CHECK_EQ(sc(readv, fd, bad, 1), -22);
    CHECK_EQ(sc(readv, fd, 16, 1), -14);
    // Offsets by pointer.
    int out = sc(openat, CWD, "copy", 0102 | 01000, 0600);
    int64_t at = far;
    CHECK_EQ(sc(sendfile64, out, fd, &at, 13), 13);
    CHECK_EQ(at, far + 13);
    CHECK_EQ(seek(out, 0, 2), 13);
    at = far + 100;
    r = sc(copy_file_range, fd, &at, out, 0, 8, 0);
    CHECK(r == 8 || r == -18 || r == -95);
    // Locks behind 4 GiB.
    struct flock64 l = {1, 0, far, 100, 0};
    CHECK_EQ(sc(fcntl64, fd, 13, &l), 0);
    l.pid = 0;
    CHECK_EQ(sc(fcntl64, fd, 12, &l), 0);
    CHECK_EQ(l.type, 2);
    struct flock64 o = {1, 0, far + 10, 1, 0};
    CHECK_EQ(sc(fcntl64, out, 37, &o), 0);
    CHECK_EQ(sc(fcntl64, fd, 3, 0) & 0100003, 0100002);
    CHECK_EQ(sc(fcntl64, fd, 1030, 50), 50);
    CHECK_EQ(sc(close_, 50), 0);
    struct statfs64 fs;
    CHECK_EQ(sizeof fs, 88);
    CHECK_EQ(sc(statfs64, ".", sizeof fs, &fs), 0);
    CHECK(fs.bsize >= 512 && fs.blocks > 0 && fs.namelen >= 100 && fs.frsize > 0);
    struct statfs64 fs2;
    CHECK_EQ(sc(fstatfs64, fd, sizeof fs, &fs2), 0);
    CHECK_EQ(fs.type, fs2.type);
    CHECK_EQ(sc(statfs64, ".", 80, &fs), -22);
    // Times, with what the kernel of a 32-bit machine does not look at.
    struct { int64_t sec; uint32_t nsec, junk; } t[2] = {{0x123456789, 5000, 0xdeadbeef}, {77, 999999999, 0xffffffff}};
    CHECK_EQ(sc(utimensat_time64, CWD, "copy", t, 0), 0);
    CHECK_EQ(sc(statx, CWD, "copy", 0, 0x7ff, &sx), 0);
    CHECK_EQ(sx.mtime.sec, 77);
    CHECK_EQ(sx.mtime.nsec, 999999999);
    t[0].nsec = 1000000000;
    CHECK_EQ(sc(utimensat_time64, CWD, "copy", t, 0), -22);
    // A directory read in pieces, with positions to return to.
    CHECK_EQ(sc(mkdirat, CWD, "dir", 0700), 0);
    char name[] = "dir/a00";
    for (int i = 0; i < 100; i++) {
        name[5] = '0' + i / 10, name[6] = '0' + i % 10;
        sc(close_, sc(openat, CWD, name, 0101, 0600));
    }
    int d = sc(openat, CWD, "dir", 0200000);
    static char entries[600];
    static int64_t where[200];
    static char names[200][8];
    int count = 0, n;
    while ((n = sc(getdents64, d, entries, sizeof entries)) > 0)
        for (int k = 0; k < n;) {
            uint16_t len;
            memcpy(&len, entries + k + 16, 2);
            memcpy(&where[count], entries + k + 8, 8);
            memcpy(names[count++], entries + k + 19, 8);
            k += len;
        }
    CHECK_EQ(n, 0);
    CHECK_EQ(count, 102);
    int small = 1;
    for (int i = 0; i < count; i++) small &= where[i] >= 0 && where[i] <= 0x7fffffff;
    CHECK(small);
    for (int i = 0; i < count - 1; i += 7) {
        CHECK_EQ(seek(d, where[i], 0), where[i]);
        CHECK(sc(getdents64, d, entries, sizeof entries) > 0);
        CHECK(same(entries + 19, names[i + 1], slen(names[i + 1])));
    }
    CHECK_EQ(seek(d, 0, 0), 0);
    CHECK(sc(getdents64, d, entries, sizeof entries) > 0);
    CHECK(same(entries + 19, names[0], slen(names[0])));
    for (int i = 0; i < 100; i++) {
        name[5] = '0' + i / 10, name[6] = '0' + i % 10;
        sc(unlinkat, CWD, name, 0);
    }
    CHECK_EQ(sc(unlinkat, CWD, "dir", 0x200), 0);
    n = sc(readlinkat, CWD, "/proc/self/exe", entries, 500);
    CHECK(n > 6 && same(entries + n - 12, "files-static", 12));
    return done("files");
}
