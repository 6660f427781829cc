// test: oracle=skip
// Messages with vectors and control data, addresses, options with times.
#include "bare.h"
enum { socket = 198, socketpair, bind, listen, connect = 203, getsockname, sendto = 206, recvfrom, setsockopt, getsockopt, shutdown, sendmsg, recvmsg,
    accept4 = 242, recvmmsg_time64 = 417, sendmmsg = 269, read_ = 63, write_ = 64, close_ = 57, pipe2 = 59, ioctl = 29, fcntl64 = 25 };
struct iovec { void *base; uint32_t len; };
struct msghdr { void *name; int32_t namelen; struct iovec *iov; uint32_t iovlen; void *control; uint32_t controllen; uint32_t flags; };
struct mmsghdr { struct msghdr hdr; uint32_t len; };
struct rights { uint32_t len; int32_t level, type, fd[2]; };

static int run(int argc, char **argv) {
    int s[2], p[2];
    CHECK_EQ(sc(socketpair, 1, 1, 0, s), 0);
    CHECK_EQ(sc(pipe2, p, 0), 0);
    char a[16], b[16];
    struct iovec out[] = {{"hello ", 6}, {"world", 5}}, in[] = {{a, 3}, {b, 16}};
    struct rights r = {20, 1, 1, {p[0], p[1]}}, got;
    CHECK_EQ(sizeof(struct msghdr), 28);
    struct msghdr m = {0, 0, out, 2, &r, sizeof r, 0};
    CHECK_EQ(sc(sendmsg, s[0], &m, 0), 11);
    memset(&got, 0, sizeof got);
    struct msghdr g = {0, 0, in, 2, &got, sizeof got, 0};
    CHECK_EQ(sc(recvmsg, s[1], &g, 0), 11);
    CHECK(same(a, "hel", 3) && same(b, "lo world", 8));
    CHECK(got.len == 20 && got.level == 1 && got.type == 1 && g.controllen == 20 && g.flags == 0);
    CHECK_EQ(sc(write_, got.fd[1], "pipe", 4), 4);
    CHECK_EQ(sc(read_, p[0], a, 16), 4);
    // Too little room: cut, and said so; what did not fit is closed.
    CHECK_EQ(sc(sendmsg, s[0], &m, 0), 11);
    g.controllen = 16;
    CHECK_EQ(sc(recvmsg, s[1], &g, 0), 11);
    CHECK(got.len == 16 && g.controllen == 16 && g.flags == 8);
    r.len = 200;
    CHECK_EQ(sc(sendmsg, s[0], &m, 0), -22);
    // Addresses.
    struct { uint16_t family, port; uint32_t addr; char zero[8]; } sin = {2, 0, 0x0100007f}, me;
    int l = sc(socket, 2, 1, 0);
    CHECK_EQ(sc(bind, l, &sin, 16), 0);
    CHECK_EQ(sc(listen, l, 5), 0);
    uint32_t len = 16;
    CHECK_EQ(sc(getsockname, l, &me, &len), 0);
    CHECK(len == 16 && me.family == 2 && me.port != 0);
    int c = sc(socket, 2, 1, 0);
    CHECK_EQ(sc(connect, c, &me, 16), 0);
    len = 16;
    int d = sc(accept4, l, &sin, &len, 04000);
    CHECK(d >= 0 && sin.addr == 0x0100007f && len == 16);
    CHECK_EQ(sc(recvfrom, d, a, 16, 0, 0, 0), -11);
    // Options: integers, old and new times.
    int v = 1;
    CHECK_EQ(sc(setsockopt, c, 1, 9, &v, 4), 0);
    v = 0, len = 4;
    CHECK_EQ(sc(getsockopt, c, 1, 9, &v, &len), 0);
    CHECK(v == 1 && len == 4);
    int32_t old[2] = {3, 500000};
    CHECK_EQ(sc(setsockopt, c, 1, 20, old, 8), 0);
    CHECK_EQ(sc(setsockopt, c, 1, 20, old, 4), -22);
    old[0] = old[1] = 0, len = 8;
    CHECK_EQ(sc(getsockopt, c, 1, 20, old, &len), 0);
    CHECK(old[0] == 3 && old[1] == 500000 && len == 8);
    int64_t new[2] = {0, 20000};
    CHECK_EQ(sc(setsockopt, c, 1, 66, new, 16), 0);
    len = 16, new[1] = 0;
    CHECK_EQ(sc(getsockopt, c, 1, 66, new, &len), 0);
    CHECK(new[0] == 0 && new[1] == 20000 && len == 16);
    CHECK_EQ(sc(recvfrom, c, a, 16, 0, 0, 0), -11);
    // Datagrams with their sender, several at once.
    int u = sc(socket, 2, 2, 0), w = sc(socket, 2, 2, 0);
    sin.family = 2, sin.port = 0, sin.addr = 0x0100007f;
    CHECK_EQ(sc(bind, u, &sin, 16), 0);
    CHECK_EQ(sc(bind, w, &sin, 16), 0);
    len = 16;
    sc(getsockname, u, &me, &len);
    struct mmsghdr many[3];
    struct iovec one[3] = {{"a", 1}, {"bb", 2}, {"ccc", 3}};
    for (int i = 0; i < 3; i++) many[i] = (struct mmsghdr){{&me, 16, &one[i], 1, 0, 0, 0}, 99};
    CHECK_EQ(sc(sendmmsg, w, many, 3, 0), 3);
    CHECK(many[0].len == 1 && many[2].len == 3);
    static char bufs[3][8];
    static struct { uint16_t family, port; uint32_t addr; char zero[8]; } from[3];
    for (int i = 0; i < 3; i++) one[i] = (struct iovec){bufs[i], 8}, many[i] = (struct mmsghdr){{&from[i], 16, &one[i], 1, 0, 0, 0}, 0};
    struct { int64_t sec; int32_t nsec; uint32_t junk; } t = {1, 0, 0xffffffff};
    CHECK_EQ(sc(recvmmsg_time64, u, many, 3, 0x10000, &t), 3);
    CHECK(many[1].len == 2 && same(bufs[2], "ccc", 3) && from[2].addr == 0x0100007f && many[2].hdr.namelen == 16);
    CHECK_EQ(sc(recvmmsg_time64, u, many, 3, 0x40, &t), -11);
    CHECK_EQ(sc(sendto, w, "x", 1, 0, &me, 16), 1);
    len = 16;
    CHECK_EQ(sc(recvfrom, u, a, 16, 0, &sin, &len), 1);
    CHECK(sin.family == 2 && len == 16);
    int pending = 0;
    CHECK_EQ(sc(sendto, w, "yz", 2, 0, &me, 16), 2);
    CHECK_EQ(sc(ioctl, u, 0x541b, &pending), 0);
    CHECK_EQ(pending, 2);
    return done("sockets");
}
