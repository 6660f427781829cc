// What differs between arches at the system call border: structure layouts and flag values, seen from both sides.
// test: oracle=skip long=64
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <termios.h>
#include <time.h>

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif

static char dir[] = "/tmp/abi-XXXXXX";

static void stats(void) {
    char name[100];
    snprintf(name, sizeof name, "%s/file", dir);
    int fd = open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0640);
    CHECK(fd >= 0);
    CHECK_EQ(pwrite(fd, "0123456789", 10, 5), 10);
    struct timespec t[2] = {{1234567890, 987654321}, {1500000001, 123456789}};
    CHECK(!futimens(fd, t));
    struct stat a, b, c;
    struct statx x;
    CHECK(!fstat(fd, &a));
    CHECK(!stat(name, &b));
    CHECK(!fstatat(AT_FDCWD, name, &c, AT_SYMLINK_NOFOLLOW));
    CHECK(!statx(AT_FDCWD, name, 0, STATX_ALL, &x));
    CHECK(!memcmp(&a, &b, sizeof a) && !memcmp(&a, &c, sizeof a));
    CHECK_EQ(a.st_mode, S_IFREG | (0640 & ~0022));
    CHECK_EQ(a.st_size, 15);
    CHECK_EQ(a.st_nlink, 1);
    CHECK_EQ(a.st_atim.tv_sec, 1234567890);
    CHECK_EQ(a.st_atim.tv_nsec, 987654321);
    CHECK_EQ(a.st_mtim.tv_sec, 1500000001);
    CHECK_EQ(a.st_mtim.tv_nsec, 123456789);
    CHECK_EQ(a.st_uid, getuid());
    CHECK_EQ(a.st_gid, getegid());
    CHECK_EQ(x.stx_ino, a.st_ino);
    CHECK_EQ(x.stx_mode, a.st_mode);
    CHECK_EQ(x.stx_size, a.st_size);
    CHECK_EQ(x.stx_blocks, a.st_blocks);
    CHECK_EQ(x.stx_blksize, a.st_blksize);
    CHECK_EQ(makedev(x.stx_dev_major, x.stx_dev_minor), a.st_dev);
    CHECK_EQ(x.stx_ctime.tv_sec, a.st_ctim.tv_sec);
    CHECK_EQ(x.stx_ctime.tv_nsec, a.st_ctim.tv_nsec);
    CHECK(!stat("/dev/null", &b));
    CHECK_EQ(b.st_rdev, makedev(1, 3));
    struct statfs f;
    CHECK(!statfs("/proc", &f));
    CHECK_EQ(f.f_type, 0x9fa0);
    close(fd);
}

static void open_flags(void) {
    char name[100], link[100];
    snprintf(name, sizeof name, "%s/flags", dir);
    snprintf(link, sizeof link, "%s/link", dir);
    int fd = open(name, O_CREAT | O_RDWR | O_APPEND | O_NONBLOCK | O_NOATIME | O_DSYNC, 0600);
    CHECK(fd >= 0);
    int fl = fcntl(fd, F_GETFL);
    CHECK_EQ(fl & O_ACCMODE, O_RDWR);
    CHECK_EQ(fl & (O_APPEND | O_NONBLOCK | O_NOATIME | O_DSYNC), O_APPEND | O_NONBLOCK | O_NOATIME | O_DSYNC);
    CHECK_EQ(fl & (O_DIRECTORY | O_NOFOLLOW | O_DIRECT | O_PATH), 0);
    CHECK(!fcntl(fd, F_SETFL, O_NONBLOCK));
    CHECK_EQ(fcntl(fd, F_GETFL) & (O_APPEND | O_NONBLOCK), O_NONBLOCK);
    close(fd);
    CHECK(!symlink(name, link));
    FAILS(open(link, O_RDONLY | O_NOFOLLOW), ELOOP);
    FAILS(open(name, O_RDONLY | O_DIRECTORY), ENOTDIR);
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFL) & (O_DIRECTORY | O_NOFOLLOW | O_DIRECT), O_DIRECTORY);
    struct open_how how = {.flags = O_RDONLY | O_NOFOLLOW, .resolve = RESOLVE_BENEATH};
    int sub = syscall(SYS_openat2, fd, "flags", &how, sizeof how);
    CHECK(sub >= 0);
    close(sub);
    FAILS(syscall(SYS_openat2, fd, "link", &how, sizeof how), ELOOP);
    how.flags = O_RDONLY | O_DIRECTORY;
    FAILS(syscall(SYS_openat2, fd, "flags", &how, sizeof how), ENOTDIR);
    FAILS(syscall(SYS_openat2, fd, "flags", &how, 8), EINVAL);
    close(fd);
    fd = open(dir, O_TMPFILE | O_RDWR, 0600);
    CHECK(fd >= 0 || errno == EOPNOTSUPP);
    close(fd);
    int p[2];
    CHECK(!pipe2(p, O_DIRECT | O_CLOEXEC));
    CHECK_EQ(fcntl(p[1], F_GETFL) & O_DIRECT, O_DIRECT);
    CHECK_EQ(write(p[1], "one", 3), 3);
    CHECK_EQ(write(p[1], "two", 3), 3);
    char buf[10];
    CHECK_EQ(read(p[0], buf, 10), 3);
    close(p[0]);
    close(p[1]);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 2};
    fd = open(name, O_RDWR);
    CHECK(!fcntl(fd, F_SETLK, &lock));
    CHECK(!fcntl(fd, F_OFD_GETLK, &(struct flock){.l_type = F_RDLCK}));
    close(fd);
}

static void epolls(void) {
    int ep = epoll_create1(EPOLL_CLOEXEC), fd[40];
    CHECK(ep >= 0);
    for (int i = 0; i < 40; i++) {
        fd[i] = eventfd(1, EFD_NONBLOCK);
        struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.u64 = 0x1122334400000000u + i};
        CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, fd[i], &ev));
    }
    struct epoll_event out[50];
    memset(out, 0xee, sizeof out);
    int seen = 0;
    uint64_t sum = 0;
    for (int n; (n = epoll_wait(ep, out, 50, 0)) > 0; seen += n) {
        for (int i = 0; i < n; i++) {
            CHECK_EQ(out[i].events, EPOLLIN);
            CHECK_EQ(out[i].data.u64 >> 32, 0x11223344);
            sum += (uint32_t)out[i].data.u64;
        }
    }
    CHECK_EQ(seen, 40);
    CHECK_EQ(sum, 40 * 39 / 2);
    struct timespec ts = {0, 1000000};
    CHECK_EQ(syscall(SYS_epoll_pwait2, ep, out, 5, &ts, NULL, 8), 0);
    sigset_t set;
    sigemptyset(&set);
    CHECK_EQ(epoll_pwait(ep, out, 5, 1, &set), 0);
    FAILS(epoll_wait(ep, out, 0, 0), EINVAL);
    FAILS(epoll_ctl(ep, EPOLL_CTL_DEL, 9999, NULL), EBADF);
    CHECK(!epoll_ctl(ep, EPOLL_CTL_DEL, fd[0], NULL));
    for (int i = 0; i < 40; i++) close(fd[i]);
    close(ep);
}

static void sysv(void) {
    int id = semget(IPC_PRIVATE, 3, 0600 | IPC_CREAT);
    if (id < 0 && errno == ENOSYS) return;
    union { int val; struct semid_ds *ds; unsigned short *array; } u;
    struct semid_ds ds;
    unsigned short v[3] = {1, 2, 3};
    u.array = v;
    CHECK(!semctl(id, 0, SETALL, u));
    struct sembuf op = {1, -1, 0};
    CHECK(!semop(id, &op, 1));
    memset(&ds, 0xff, sizeof ds);
    u.ds = &ds;
    CHECK(!semctl(id, 0, IPC_STAT, u));
    CHECK_EQ(ds.sem_nsems, 3);
    CHECK_EQ(ds.sem_perm.mode & 0777, 0600);
    CHECK(ds.sem_otime > 1600000000 && ds.sem_ctime > 1600000000);
    ds.sem_perm.mode = 0640;
    CHECK(!semctl(id, 0, IPC_SET, u));
    CHECK(!semctl(id, 0, IPC_STAT, u));
    CHECK_EQ(ds.sem_perm.mode & 0777, 0640);
    memset(v, 0, sizeof v);
    u.array = v;
    CHECK(!semctl(id, 0, GETALL, u));
    CHECK(v[0] == 1 && v[1] == 1 && v[2] == 3);
    CHECK_EQ(semctl(id, 1, GETVAL), 1);
    CHECK(!semctl(id, 0, IPC_RMID));
    id = shmget(IPC_PRIVATE, 5000, 0600 | IPC_CREAT);
    struct shmid_ds sd;
    CHECK(!shmctl(id, IPC_STAT, &sd));
    CHECK_EQ(sd.shm_segsz, 5000);
    CHECK_EQ(sd.shm_cpid, getpid());
    char *m = shmat(id, NULL, 0);
    CHECK(m != (void *)-1);
    strcpy(m, "shared");
    CHECK(!shmctl(id, IPC_STAT, &sd));
    CHECK_EQ(sd.shm_nattch, 1);
    CHECK(!shmdt(m));
    CHECK(!shmctl(id, IPC_RMID, NULL));
}

static void aio(void) {
    aio_context_t ctx = 0;
    if (syscall(SYS_io_setup, 4, &ctx)) return;
    char name[100], buf[8] = "";
    snprintf(name, sizeof name, "%s/aio", dir);
    int fd = open(name, O_CREAT | O_RDWR, 0600);
    struct iocb w = {.aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = fd, .aio_buf = (long)"abcd", .aio_nbytes = 4, .aio_data = 7};
    struct iocb *list[] = {&w};
    CHECK_EQ(syscall(SYS_io_submit, ctx, 1, list), 1);
    struct io_event ev;
    CHECK_EQ(syscall(SYS_io_getevents, ctx, 1, 1, &ev, NULL), 1);
    CHECK(ev.data == 7 && ev.res == 4);
    CHECK_EQ(pread(fd, buf, 8, 0), 4);
    CHECK(!strcmp(buf, "abcd"));
    CHECK(!syscall(SYS_io_destroy, ctx));
    close(fd);
}

static void limits(void) {
    struct rlimit r, s;
    CHECK(!getrlimit(RLIMIT_NOFILE, &r));
    r.rlim_cur = 200;
    CHECK(!setrlimit(RLIMIT_NOFILE, &r));
    CHECK(!getrlimit(RLIMIT_NOFILE, &s));
    CHECK_EQ(s.rlim_cur, 200);
    FAILS(dup2(0, 200), EBADF);
    CHECK(!getrlimit(RLIMIT_AS, &r));
    r.rlim_cur = 6ul << 30;
    CHECK(!setrlimit(RLIMIT_AS, &r));
    CHECK(!getrlimit(RLIMIT_AS, &s));
    CHECK_EQ(s.rlim_cur, 6ul << 30);
    r.rlim_cur = r.rlim_max == RLIM_INFINITY ? r.rlim_cur : r.rlim_max + 1;
    FAILS(getrlimit(1000, &r), EINVAL);
    int fd = dup(0);
    CHECK_EQ(syscall(SYS_close_range, fd, ~0u, 0), 0);
    FAILS(fcntl(fd, F_GETFD), EBADF);
    FAILS(syscall(SYS_close_range, 10, 5, 0), EINVAL);
}

int main(void) {
    umask(022);
    CHECK(mkdtemp(dir) != NULL);
    stats();
    open_flags();
    epolls();
    sysv();
    aio();
    limits();
    char cmd[100];
    snprintf(cmd, sizeof cmd, "rm -r %s", dir);
    CHECK(!system(cmd));
    FAILS(syscall(5000), ENOSYS);
    return check_done("abi");
}
