// test: oracle=skip
// Calls whose trace is compared with expected lines (tests/tests/strace.rs).
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

static void handler(int sig) { (void)sig; }

int main(void) {
    char buf[64];
    struct stat st;
    FAILS(open("/nonexistent/file", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ENOENT);
    int fd = open("/dev/null", O_RDWR | O_NOFOLLOW);
    CHECK(!stat("/dev/null", &st));
    CHECK_EQ(write(fd, "tab\tquote\"\n", 11), 11);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
    struct iovec v[2] = {{"ab", 2}, {"cde", 3}};
    CHECK_EQ(writev(fd, v, 2), 5);
    int p[2], s[2];
    CHECK(!syscall(SYS_pipe2, p, O_CLOEXEC));
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
    CHECK_EQ(send(s[0], "hello", 5, MSG_NOSIGNAL), 5);
    struct msghdr m = {.msg_iov = &(struct iovec){buf, 64}, .msg_iovlen = 1};
    CHECK_EQ(recvmsg(s[1], &m, MSG_DONTWAIT), 5);
    int t = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP), one = 1;
    CHECK(!setsockopt(t, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
    CHECK(!setsockopt(t, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    FAILS(connect(t, (void *)&a, sizeof a), ECONNREFUSED);
    struct pollfd pf = {p[0], POLLIN, 0};
    CHECK_EQ(syscall(SYS_ppoll, &pf, 1, &(struct timespec){0, 0}, NULL, 8), 0);
    int e = epoll_create1(EPOLL_CLOEXEC);
    CHECK(!epoll_ctl(e, EPOLL_CTL_ADD, s[1], &(struct epoll_event){EPOLLIN | EPOLLET, {.u64 = 5}}));
    FAILS(ioctl(fd, TIOCGWINSZ, buf), ENOTTY);
    void *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(!mprotect(map, 4096, PROT_NONE));
    CHECK(!munmap(map, 8192));
    struct rlimit r;
    CHECK(!getrlimit(RLIMIT_CORE, &r));
    signal(SIGUSR1, handler);
    CHECK(!kill(getpid(), SIGUSR1));
    if (!fork()) _exit(3);
    int status;
    CHECK(wait4(-1, &status, 0, NULL) > 0);
    CHECK_EQ(WEXITSTATUS(status), 3);
    syscall(4000);
    return check_done("trace");
}
