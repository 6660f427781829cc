// test: long=64
// Files: each call that opens, moves, links, maps attributes or copies.
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <time.h>
#include <utime.h>

static void basic(void) {
    char buf[64];
    int fd = open("a", O_RDWR | O_CREAT | O_EXCL, 0640);
    CHECK(fd >= 0);
    FAILS(open("a", O_RDWR | O_CREAT | O_EXCL, 0640), EEXIST);
    CHECK_EQ(write(fd, "hello world", 11), 11);
    CHECK_EQ(lseek(fd, 6, SEEK_SET), 6);
    CHECK_EQ(read(fd, buf, 64), 5);
    CHECK(!memcmp(buf, "world", 5));
    CHECK_EQ(pread(fd, buf, 5, 0), 5);
    CHECK_EQ(pwrite(fd, "J", 1, 0), 1);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 11);
    CHECK_EQ(lseek(fd, -3, SEEK_END), 8);
    FAILS(lseek(fd, -30, SEEK_END), EINVAL);
    FAILS(lseek(fd, 0, 99), EINVAL);
    struct iovec v[3] = {{"ab", 2}, {"", 0}, {"cdef", 4}};
    CHECK_EQ(writev(fd, v, 3), 6);
    CHECK_EQ(pwritev(fd, v, 3, 20), 6);
    char x[3], y[5];
    struct iovec r[2] = {{x, 3}, {y, 5}};
    CHECK_EQ(preadv(fd, r, 2, 0), 8);
    CHECK(!memcmp(x, "Jel", 3) && !memcmp(y, "lo wo", 5));
    lseek(fd, 0, SEEK_SET);
    CHECK_EQ(readv(fd, r, 2), 8);
    struct stat st;
    CHECK(!fstat(fd, &st));
    CHECK_EQ(st.st_size, 26);
    CHECK_EQ(st.st_mode, S_IFREG | 0640);
    CHECK_EQ(st.st_nlink, 1);
    CHECK(!ftruncate(fd, 5));
    CHECK(!truncate("a", 100));
    CHECK(!stat("a", &st) && st.st_size == 100);
    CHECK(!fallocate(fd, 0, 0, 8192) && !fstat(fd, &st) && st.st_size == 8192);
    CHECK(!posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
    CHECK(!fsync(fd) && !fdatasync(fd));
    int d = dup(fd), e = dup2(fd, 50), f = dup3(fd, 51, O_CLOEXEC);
    CHECK(d > fd);
    CHECK_EQ(e, 50);
    CHECK_EQ(f, 51);
    CHECK_EQ(fcntl(51, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(50, F_GETFD), 0);
    CHECK_EQ(fcntl(fd, F_DUPFD, 60), 60);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
    CHECK(!fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
    CHECK((fcntl(d, F_GETFL) & (O_APPEND | O_NONBLOCK)) == (O_APPEND | O_NONBLOCK));
    FAILS(dup3(fd, fd, 0), EINVAL);
    close(d), close(e), close(f), close(60), close(fd);
    FAILS(close(fd), EBADF);
    FAILS(read(fd, buf, 1), EBADF);
    fd = open("a", O_RDONLY);
    FAILS(write(fd, "x", 1), EBADF);
    close(fd);
    FAILS(open("none", O_RDONLY), ENOENT);
    FAILS(open(".", O_WRONLY), EISDIR);
    FAILS(open("a/b", O_RDONLY), ENOTDIR);
    FAILS(open("a", O_RDONLY | O_DIRECTORY), ENOTDIR);
    int t = open(".", O_TMPFILE | O_RDWR, 0600);
    if (t >= 0) CHECK(write(t, "t", 1) == 1 && !close(t));
    printf("basic\n");
}

static void names(void) {
    char buf[256];
    struct stat st, st2;
    CHECK(!link("a", "b"));
    CHECK(!stat("a", &st) && !stat("b", &st2) && st.st_ino == st2.st_ino && st.st_nlink == 2);
    CHECK(!symlink("a", "s"));
    CHECK_EQ(readlink("s", buf, sizeof buf), 1);
    CHECK(!lstat("s", &st) && S_ISLNK(st.st_mode) && st.st_size == 1);
    FAILS(open("s", O_RDONLY | O_NOFOLLOW), ELOOP);
    CHECK(!symlink("loop", "loop"));
    FAILS(open("loop", O_RDONLY), ELOOP);
    CHECK(!rename("b", "c"));
    FAILS(rename("b", "c"), ENOENT);
    FAILS(renameat2(AT_FDCWD, "c", AT_FDCWD, "a", RENAME_NOREPLACE), EEXIST);
    CHECK(!mkdir("d", 0755));
    FAILS(mkdir("d", 0755), EEXIST);
    CHECK(!mkdir("d/e", 0700));
    FAILS(rmdir("d"), ENOTEMPTY);
    CHECK(!renameat2(AT_FDCWD, "c", AT_FDCWD, "d", RENAME_EXCHANGE));
    CHECK(!stat("c", &st) && S_ISDIR(st.st_mode));
    CHECK(!renameat2(AT_FDCWD, "c", AT_FDCWD, "d", RENAME_EXCHANGE));
    int dfd = open("d", O_RDONLY | O_DIRECTORY);
    CHECK(dfd >= 0);
    int fd = openat(dfd, "f", O_CREAT | O_RDWR, 0600);
    CHECK(fd >= 0);
    CHECK(!fstatat(dfd, "f", &st, 0));
    CHECK(!linkat(dfd, "f", dfd, "g", 0));
    CHECK(!symlinkat("f", dfd, "h"));
    CHECK_EQ(readlinkat(dfd, "h", buf, sizeof buf), 1);
    CHECK(!faccessat(dfd, "f", R_OK | W_OK, 0));
    FAILS(faccessat(dfd, "zz", F_OK, 0), ENOENT);
    CHECK(!fchmodat(dfd, "f", 0444, 0));
    CHECK(!fstatat(dfd, "f", &st, 0) && (st.st_mode & 0777) == 0444);
    CHECK(!fchmod(fd, 0600));
    CHECK(!mkdirat(dfd, "m", 0700) && !unlinkat(dfd, "m", AT_REMOVEDIR));
    CHECK(!renameat(dfd, "g", dfd, "g2"));
    CHECK(!unlinkat(dfd, "g2", 0) && !unlinkat(dfd, "h", 0) && !unlinkat(dfd, "f", 0));
    CHECK(!fstat(fd, &st) && st.st_nlink == 0);
    close(fd);
    char before[512], now[512];
    CHECK(getcwd(before, sizeof before) != NULL);
    CHECK(!fchdir(dfd));
    CHECK(getcwd(now, sizeof now) && !strncmp(now, before, strlen(before)) && !strcmp(now + strlen(before), "/d"));
    CHECK(!chdir(".."));
    FAILS(chdir("nope"), ENOENT);
    errno = 0;
    CHECK(getcwd(now, 2) == NULL && errno == ERANGE);
    close(dfd);
    CHECK(!rmdir("d/e") && !rmdir("d"));
    FAILS(unlink("nope"), ENOENT);
    FAILS(rmdir("a"), ENOTDIR);
    char longname[300];
    memset(longname, 'x', 299), longname[299] = 0;
    FAILS(open(longname, O_RDONLY), ENAMETOOLONG);
    FAILS(open("", O_RDONLY), ENOENT);
    CHECK(!mkfifo("fifo", 0600) && !stat("fifo", &st) && S_ISFIFO(st.st_mode));
    mode_t old = umask(077);
    CHECK_EQ(umask(old), 077);
    char *rp = realpath("s", NULL);
    CHECK(rp && !strcmp(rp + strlen(rp) - 2, "/a"));
    free(rp);
    printf("names\n");
}

static void attributes(void) {
    struct stat st;
    struct timespec ts[2] = {{1000000000, 123456789}, {1100000000, 987654321}};
    CHECK(!utimensat(AT_FDCWD, "a", ts, 0));
    CHECK(!stat("a", &st));
    CHECK_EQ(st.st_atim.tv_sec, 1000000000);
    CHECK_EQ(st.st_mtim.tv_sec, 1100000000);
    CHECK_EQ(st.st_mtim.tv_nsec, 987654321);
    ts[0].tv_nsec = UTIME_OMIT, ts[1].tv_nsec = UTIME_NOW;
    CHECK(!utimensat(AT_FDCWD, "a", ts, 0) && !stat("a", &st) && st.st_atim.tv_sec == 1000000000 && st.st_mtim.tv_sec > 1600000000);
    struct utimbuf ub = {5, 6};
    CHECK(!utime("a", &ub) && !stat("a", &st) && st.st_mtime == 6);
    struct timeval tv[2] = {{7, 8}, {9, 10}};
    CHECK(!utimes("a", tv) && !stat("a", &st) && st.st_mtime == 9 && st.st_mtim.tv_nsec == 10000);
    struct statx sx;
    CHECK(!statx(AT_FDCWD, "a", 0, STATX_BASIC_STATS, &sx));
    CHECK_EQ(sx.stx_size, 8192);
    CHECK_EQ(sx.stx_mode & S_IFMT, S_IFREG);
    CHECK_EQ(sx.stx_mtime.tv_sec, 9);
    FAILS(statx(AT_FDCWD, "zz", 0, STATX_BASIC_STATS, &sx), ENOENT);
    struct statfs sf;
    CHECK(!statfs(".", &sf) && sf.f_bsize > 0 && sf.f_blocks > 0 && sf.f_namelen >= 255);
    struct statvfs sv;
    CHECK(!statvfs(".", &sv) && sv.f_frsize > 0);
    CHECK(!chmod("a", 06755) && !stat("a", &st) && (st.st_mode & 07777) == 06755);
    CHECK(!access("a", X_OK));
    CHECK(!chown("a", getuid(), getgid()) && !lchown("s", -1, -1));
    CHECK(!stat("/dev/null", &st) && S_ISCHR(st.st_mode));
    CHECK_EQ(major(st.st_rdev), 1);
    CHECK_EQ(minor(st.st_rdev), 3);
    char buf[32];
    if (!setxattr("a", "user.test", "value", 5, 0)) {
        CHECK_EQ(getxattr("a", "user.test", buf, sizeof buf), 5);
        CHECK(listxattr("a", NULL, 0) >= 10);
        FAILS(getxattr("a", "user.test", buf, 2), ERANGE);
        CHECK(!removexattr("a", "user.test"));
        FAILS(getxattr("a", "user.test", buf, 2), ENODATA);
    }
    printf("attributes\n");
}

static void copies(void) {
    char buf[5000], back[5000];
    for (int i = 0; i < 5000; i++) buf[i] = i * 7;
    int a = open("src", O_RDWR | O_CREAT | O_TRUNC, 0600), b = open("dst", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK_EQ(write(a, buf, 5000), 5000);
    off_t off = 10;
    CHECK_EQ(sendfile(b, a, &off, 1000), 1000);
    CHECK_EQ(off, 1010);
    off_t in = 0, out = 0;
    CHECK_EQ(copy_file_range(a, &in, b, &out, 5000, 0), 5000);
    CHECK_EQ(in, 5000);
    CHECK_EQ(pread(b, back, 5000, 0), 5000);
    CHECK(!memcmp(buf, back, 5000));
    int p[2], q[2];
    CHECK(!pipe(p) && !pipe2(q, O_CLOEXEC));
    off = 0;
    CHECK_EQ(splice(a, &off, p[1], NULL, 3000, 0), 3000);
    CHECK_EQ(tee(p[0], q[1], 2000, 0), 2000);
    CHECK_EQ(read(q[0], back, 5000), 2000);
    CHECK(!memcmp(buf, back, 2000));
    int n = 0;
    CHECK(!ioctl(p[0], FIONREAD, &n));
    CHECK_EQ(n, 3000);
    CHECK_EQ(read(p[0], back, 5000), 3000);
    struct iovec v = {buf, 100};
    CHECK_EQ(vmsplice(p[1], &v, 1, 0), 100);
    CHECK_EQ(read(p[0], back, 5000), 100);
    CHECK(fcntl(p[0], F_GETPIPE_SZ) >= 4096);
    CHECK(!fcntl(p[0], F_SETFL, O_NONBLOCK));
    FAILS(read(p[0], back, 1), EAGAIN);
    close(p[1]);
    CHECK_EQ(read(p[0], back, 1), 0);
    CHECK_EQ(lseek(a, 0, SEEK_DATA), 0);
    CHECK_EQ(lseek(a, 0, SEEK_HOLE), 5000);
    printf("copies\n");
}

static void stdio(void) {
    FILE *f = fopen("text", "w+");
    for (int i = 0; i < 1000; i++) fprintf(f, "line %d %x %s\n", i, i * i, i % 3 ? "yes" : "no");
    rewind(f);
    uint64_t h = 0;
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    while ((n = getline(&line, &cap, f)) > 0) h = fnv(h, line, n);
    CHECK(feof(f));
    fclose(f);
    printf("stdio %016llx\n", (unsigned long long)h);
    char name[] = "tmpXXXXXX";
    int fd = mkstemp(name);
    CHECK(fd >= 0 && strcmp(name, "tmpXXXXXX"));
    f = popen("echo from shell; exit 3", "r");
    CHECK(f && getline(&line, &cap, f) == 11);
    CHECK_EQ(pclose(f), 3 << 8);
}

int main(void) {
    basic();
    names();
    attributes();
    copies();
    stdio();
    return check_done("files");
}
