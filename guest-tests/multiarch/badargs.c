// test: long=64
// Wild arguments: every call gives the kernel's errno and nobody dies.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#define BAD ((void *)8)
#define HIGH ((void *)0xffff800000001000ul)

int main(void) {
    long page = sysconf(_SC_PAGESIZE);
    char *m = mmap(NULL, page * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(m + page, page);
    char *edge = m + page - 2;
    memcpy(edge, "ab", 2);
    int zero = open("/dev/zero", O_RDWR), null = open("/dev/null", O_RDWR);
    int p[2];
    CHECK(!pipe(p));
    FAILS(read(zero, BAD, 10), EFAULT);
    FAILS(read(zero, HIGH, 10), EFAULT);
    FAILS(write(p[1], BAD, 10), EFAULT);
    FAILS(write(p[1], HIGH, 10), EFAULT);
    CHECK_EQ(write(p[1], edge, 100) >= 0 || errno == EFAULT, 1);
    FAILS(open(BAD, O_RDONLY), EFAULT);
    FAILS(open(edge, O_RDONLY), EFAULT);
    FAILS(syscall(SYS_openat, AT_FDCWD, HIGH, 0), EFAULT);
    FAILS(syscall(SYS_newfstatat, AT_FDCWD, "/", BAD, 0), EFAULT);
    FAILS(syscall(SYS_fstat, zero, BAD), EFAULT);
    FAILS(syscall(SYS_pipe2, BAD, 0), EFAULT);
    FAILS(syscall(SYS_uname, BAD), EFAULT);
    FAILS(syscall(SYS_getcwd, BAD, 100), EFAULT);
    FAILS(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, BAD), EFAULT);
    FAILS(syscall(SYS_clock_gettime, 9999, m), EINVAL);
    FAILS(syscall(SYS_nanosleep, BAD, NULL), EFAULT);
    struct timespec bad_ts = {0, 2000000000};
    FAILS(syscall(SYS_nanosleep, &bad_ts, NULL), EINVAL);
    FAILS(syscall(SYS_rt_sigaction, SIGUSR1, BAD, NULL, 8), EFAULT);
    FAILS(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4), EINVAL);
    FAILS(syscall(SYS_rt_sigaction, SIGKILL, m, NULL, 8), EINVAL);
    FAILS(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8), EINVAL);
    FAILS(syscall(SYS_rt_sigprocmask, SIG_BLOCK, BAD, NULL, 8), EFAULT);
    FAILS(syscall(SYS_rt_sigprocmask, 77, m, NULL, 8), EINVAL);
    FAILS(syscall(SYS_kill, getpid(), 99), EINVAL);
    FAILS(syscall(SYS_kill, 0x7ffffff0, 0), ESRCH);
    FAILS(syscall(SYS_tgkill, getpid(), 0x7ffffff0, 0), ESRCH);
    FAILS(syscall(SYS_tgkill, -1, 1, 0), EINVAL);
    FAILS(syscall(SYS_wait4, -1, BAD, 0, NULL), ECHILD);
    FAILS(syscall(SYS_wait4, -1, NULL, 0x7777, NULL), EINVAL);
    FAILS(syscall(SYS_getrlimit, RLIMIT_NOFILE, BAD), EFAULT);
    FAILS(syscall(SYS_getrlimit, 99, m), EINVAL);
    FAILS(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, BAD), EFAULT);
    FAILS(syscall(SYS_readv, zero, BAD, 1), EFAULT);
    FAILS(syscall(SYS_readv, zero, m, 5000), EINVAL);
    struct iovec v = {BAD, 100};
    FAILS(readv(zero, &v, 1), EFAULT);
    v.iov_len = -5;
    FAILS(writev(null, &v, 1), EINVAL);
    FAILS(syscall(SYS_socket, 9999, 1, 0), EAFNOSUPPORT);
    FAILS(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, BAD), EFAULT);
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    FAILS(connect(s, BAD, 20), EFAULT);
    FAILS(bind(s, (void *)m, 100000), EINVAL);
    FAILS(sendmsg(s, BAD, 0), EFAULT);
    FAILS(recvmsg(s, BAD, 0), EFAULT);
    FAILS(getsockopt(s, SOL_SOCKET, SO_TYPE, BAD, BAD), EFAULT);
    FAILS(setsockopt(s, SOL_SOCKET, 9999, m, 4), ENOPROTOOPT);
    FAILS(listen(null, 1), ENOTSOCK);
    FAILS(syscall(SYS_ppoll, BAD, 1, NULL, NULL, 8), EFAULT);
    FAILS(syscall(SYS_pselect6, 10, BAD, NULL, NULL, NULL, NULL), EFAULT);
    int ep = epoll_create1(0);
    FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], BAD), EFAULT);
    FAILS(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL), ENOENT);
    FAILS(epoll_ctl(ep, EPOLL_CTL_ADD, ep, (void *)m), EINVAL);
    FAILS(epoll_wait(ep, (void *)m, 0, 0), EINVAL);
    FAILS(epoll_create1(0x1234), EINVAL);
    FAILS(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
    FAILS(mmap(NULL, page, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
    FAILS(mmap(NULL, page, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
    FAILS(mmap(NULL, 1ul << 60, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    FAILS(mmap(m + 1, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
    FAILS(munmap(m + 1, page), EINVAL);
    FAILS(munmap(m, 0), EINVAL);
    FAILS(mprotect(m + 1, page, PROT_READ), EINVAL);
    FAILS(mprotect(m + page, page, PROT_READ), ENOMEM);
    FAILS(msync(m + page, page, MS_SYNC), ENOMEM);
    FAILS(madvise(m, page, 9999), EINVAL);
    FAILS(mincore(m, page, BAD), EFAULT);
    FAILS(fcntl(zero, 9999, 0), EINVAL);
    FAILS(fcntl(9999, F_GETFL), EBADF);
    FAILS(ioctl(zero, 0xdeadbeef, 0), ENOTTY);
    FAILS(syscall(SYS_getdents64, zero, m, 100), ENOTDIR);
    FAILS(syscall(SYS_sched_setaffinity, 0, 8, BAD), EFAULT);
    FAILS(syscall(SYS_setitimer, 9, m, NULL), EINVAL);
    FAILS(syscall(SYS_setitimer, 0, BAD, NULL), EFAULT);
    FAILS(syscall(SYS_futex, BAD, 0, 0, NULL), EFAULT);
    FAILS(syscall(SYS_futex, m + 1, 0, 0, NULL), EINVAL);
    FAILS(syscall(SYS_futex, m, 99, 0, NULL), ENOSYS);
    FAILS(syscall(SYS_getrandom, BAD, 10, 0), EFAULT);
    FAILS(syscall(SYS_execve, BAD, NULL, NULL), EFAULT);
    FAILS(syscall(SYS_execve, "/dev/null", NULL, NULL), EACCES);
    FAILS(syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", m, -1), EINVAL);
    FAILS(syscall(SYS_getgroups, -1, NULL), EINVAL);
    FAILS(syscall(SYS_statx, AT_FDCWD, "/", 0, 0x7ff, BAD), EFAULT);
    FAILS(syscall(5000), ENOSYS);
    FAILS(syscall(-1), ENOSYS);
    FAILS(syscall(SYS_set_robust_list, m, 1), EINVAL);
    FAILS(syscall(SYS_clone, CLONE_THREAD, 0, 0, 0, 0), EINVAL);
    FAILS(syscall(SYS_clone, CLONE_SIGHAND, 0, 0, 0, 0), EINVAL);
    FAILS(syscall(SYS_unshare, 0x1), EINVAL);
    return check_done("badargs");
}
