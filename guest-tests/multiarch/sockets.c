// test: flags=-pthread
// Sockets: pairs, unix names, passed descriptors and credentials, TCP and UDP on loopback, options, batches.
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static void pairs(void) {
    int s[2];
    char buf[256];
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
    CHECK_EQ(send(s[0], "hello", 5, 0), 5);
    CHECK_EQ(recv(s[1], buf, sizeof buf, MSG_PEEK), 5);
    CHECK_EQ(recv(s[1], buf, 3, 0), 3);
    CHECK_EQ(read(s[1], buf, 10), 2);
    FAILS(recv(s[1], buf, 1, MSG_DONTWAIT), EAGAIN);
    CHECK(!shutdown(s[0], SHUT_WR));
    CHECK_EQ(read(s[1], buf, 10), 0);
    close(s[0]);
    FAILS(send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE);
    close(s[1]);
    CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
    send(s[0], "one", 3, 0), send(s[0], "three", 5, 0);
    CHECK_EQ(read(s[1], buf, 2), 2);
    CHECK_EQ(read(s[1], buf, 99), 5);
    // A descriptor and credentials.
    int p[2];
    pipe(p);
    union {
        char b[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
        struct cmsghdr align;
    } c;
    memset(&c, 0, sizeof c);
    struct iovec v = {"fd", 2};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = c.b, .msg_controllen = CMSG_SPACE(sizeof(int))};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET, h->cmsg_type = SCM_RIGHTS, h->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(h), &p[1], sizeof(int));
    int on = 1;
    CHECK(!setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
    CHECK_EQ(sendmsg(s[0], &m, 0), 2);
    char data[8];
    v.iov_base = data, v.iov_len = 8, m.msg_controllen = sizeof c.b;
    CHECK_EQ(recvmsg(s[1], &m, MSG_CMSG_CLOEXEC), 2);
    int fd = -1, cred = 0;
    for (h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
        if (h->cmsg_type == SCM_RIGHTS) memcpy(&fd, CMSG_DATA(h), sizeof fd);
        if (h->cmsg_type == SCM_CREDENTIALS) {
            struct ucred u;
            memcpy(&u, CMSG_DATA(h), sizeof u);
            cred = u.pid == getpid() && u.uid == getuid();
        }
    }
    CHECK(fd >= 0 && fd != p[1]);
    CHECK(cred);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(write(fd, "via", 3), 3);
    CHECK_EQ(read(p[0], buf, 10), 3);
    struct ucred u;
    socklen_t len = sizeof u;
    CHECK(!getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &u, &len) && u.pid == getpid());
    // Batches.
    struct mmsghdr mm[3];
    struct iovec iv[3] = {{"a", 1}, {"bb", 2}, {"ccc", 3}};
    memset(mm, 0, sizeof mm);
    for (int i = 0; i < 3; i++) mm[i].msg_hdr.msg_iov = &iv[i], mm[i].msg_hdr.msg_iovlen = 1;
    CHECK_EQ(sendmmsg(s[0], mm, 3, 0), 3);
    char r[3][8];
    for (int i = 0; i < 3; i++) iv[i].iov_base = r[i], iv[i].iov_len = 8;
    CHECK_EQ(recvmmsg(s[1], mm, 3, MSG_WAITFORONE, NULL), 3);
    CHECK(mm[0].msg_len == 1 && mm[1].msg_len == 2 && mm[2].msg_len == 3);
    // Truncation is told.
    send(s[0], "0123456789", 10, 0);
    v.iov_len = 4, m.msg_control = NULL, m.msg_controllen = 0, m.msg_flags = 0;
    CHECK_EQ(recvmsg(s[1], &m, 0), 4);
    CHECK(m.msg_flags & MSG_TRUNC);
    printf("pairs\n");
}

static void unix_names(void) {
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "sock"}, b;
    int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(!bind(l, (void *)&a, sizeof a) && !listen(l, 5));
    FAILS(bind(c, (void *)&a, sizeof a), EADDRINUSE);
    CHECK(!connect(c, (void *)&a, sizeof a));
    socklen_t len = sizeof b;
    int s = accept4(l, (void *)&b, &len, SOCK_NONBLOCK);
    CHECK(s >= 0);
    CHECK_EQ(len, 2);
    len = sizeof b;
    CHECK(!getpeername(c, (void *)&b, &len) && !strcmp(b.sun_path, "sock"));
    CHECK(fcntl(s, F_GETFL) & O_NONBLOCK);
    close(s), close(c), close(l), unlink("sock");
    c = socket(AF_UNIX, SOCK_STREAM, 0);
    FAILS(connect(c, (void *)&a, sizeof a), ENOENT);
    // Abstract name and datagrams.
    int d1 = socket(AF_UNIX, SOCK_DGRAM, 0), d2 = socket(AF_UNIX, SOCK_DGRAM, 0);
    memset(&a, 0, sizeof a);
    a.sun_family = AF_UNIX;
    snprintf(a.sun_path + 1, 50, "omnirun-%d", getpid());
    len = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(a.sun_path + 1);
    CHECK(!bind(d1, (void *)&a, len));
    CHECK_EQ(sendto(d2, "dg", 2, 0, (void *)&a, len), 2);
    char buf[10];
    CHECK_EQ(recvfrom(d1, buf, 10, 0, NULL, NULL), 2);
    printf("unix\n");
}

static int port;
static void *server(void *arg) {
    int l = (int)(long)arg;
    for (int i = 0; i < 4; i++) {
        struct sockaddr_in a;
        socklen_t len = sizeof a;
        int s = accept(l, (void *)&a, &len);
        CHECK(s >= 0 && a.sin_family == AF_INET && a.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && len == sizeof a);
        char buf[4096];
        int n;
        while ((n = read(s, buf, sizeof buf)) > 0) {
            for (int k = 0; k < n; k++) buf[k] ^= 0x20;
            for (int k = 0; k < n;) {
                int w = write(s, buf + k, n - k);
                if (w <= 0) break;
                k += w;
            }
        }
        close(s);
    }
    return NULL;
}

static void tcp(void) {
    int l = socket(AF_INET, SOCK_STREAM, 0), on = 1, v;
    socklen_t len = sizeof v;
    CHECK(!setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
    CHECK(!getsockopt(l, SOL_SOCKET, SO_REUSEADDR, &v, &len) && v == 1 && len == 4);
    CHECK(!getsockopt(l, SOL_SOCKET, SO_TYPE, &v, &len) && v == SOCK_STREAM);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK(!bind(l, (void *)&a, sizeof a) && !listen(l, 10));
    len = sizeof a;
    CHECK(!getsockname(l, (void *)&a, &len) && a.sin_port);
    pthread_t t;
    pthread_create(&t, NULL, server, (void *)(long)l);
    for (int i = 0; i < 4; i++) {
        int c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
        CHECK(!connect(c, (void *)&a, sizeof a));
        CHECK(!setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
        struct timeval tv = {5, 0}, tv2;
        CHECK(!setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
        len = sizeof tv2;
        CHECK(!getsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &tv2, &len) && tv2.tv_sec == 5);
        struct linger lg = {1, 3}, lg2;
        CHECK(!setsockopt(c, SOL_SOCKET, SO_LINGER, &lg, sizeof lg));
        len = sizeof lg2;
        CHECK(!getsockopt(c, SOL_SOCKET, SO_LINGER, &lg2, &len) && lg2.l_onoff && lg2.l_linger == 3);
        struct tcp_info ti;
        len = sizeof ti;
        CHECK(!getsockopt(c, IPPROTO_TCP, TCP_INFO, &ti, &len) && ti.tcpi_state == 1);
        char out[3000], in[3000];
        for (int k = 0; k < 3000; k++) out[k] = k * 3;
        CHECK_EQ(send(c, out, 3000, 0), 3000);
        CHECK_EQ(recv(c, in, 3000, MSG_WAITALL), 3000);
        for (int k = 0; k < 3000; k++)
            if ((in[k] ^ 0x20) != out[k]) CHECK(!"echoed");
        shutdown(c, SHUT_WR);
        CHECK_EQ(recv(c, in, 1, 0), 0);
        close(c);
    }
    pthread_join(t, NULL);
    close(l);
    int c = socket(AF_INET, SOCK_STREAM, 0);
    FAILS(connect(c, (void *)&a, sizeof a), ECONNREFUSED);
    printf("tcp\n");
}

static void udp(void) {
    int a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, from;
    CHECK(!bind(a, (void *)&sa, sizeof sa));
    socklen_t len = sizeof sa;
    getsockname(a, (void *)&sa, &len);
    CHECK_EQ(sendto(b, "ping", 4, 0, (void *)&sa, sizeof sa), 4);
    char buf[100];
    len = sizeof from;
    CHECK_EQ(recvfrom(a, buf, 100, 0, (void *)&from, &len), 4);
    CHECK_EQ(sendto(a, "", 0, 0, (void *)&from, len), 0);
    CHECK_EQ(recv(b, buf, 100, 0), 0);
    struct timeval tv = {0, 20000};
    setsockopt(b, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    FAILS(recv(b, buf, 100, 0), EAGAIN);
    struct ifreq ifr;
    memset(&ifr, 0, sizeof ifr);
    strcpy(ifr.ifr_name, "lo");
    CHECK(!ioctl(a, SIOCGIFFLAGS, &ifr) && (ifr.ifr_flags & IFF_LOOPBACK));
    CHECK(if_nametoindex("lo") >= 1);
    char text[64];
    CHECK(inet_ntop(AF_INET, &sa.sin_addr, text, sizeof text) && !strcmp(text, "127.0.0.1"));
    struct addrinfo *ai, hint = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    CHECK(!getaddrinfo("127.0.0.1", "80", &hint, &ai) && ((struct sockaddr_in *)ai->ai_addr)->sin_port == htons(80));
    printf("udp\n");
}

int main(void) {
    pairs();
    unix_names();
    tcp();
    udp();
    return check_done("sockets");
}
