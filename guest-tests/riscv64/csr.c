// What user mode may read: floating-point status and rounding, counters, and what the kernel says of the extensions.
#include "check.h"
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>

#define CSRR(name) ({ uint64_t v; asm volatile("csrr %0, " name : "=r"(v)); v; })
#define CSRW(name, value) asm volatile("csrw " name ", %0" ::"r"((uint64_t)(value)) : "memory")
struct probe { int64_t key; uint64_t value; };
static uint64_t flags_of(int frm, double a, double b, int op, uint64_t *bits) {
    double r;
    CSRW("fcsr", frm << 5);
    switch (op) {
    case 0: asm volatile("fadd.d %0, %1, %2" : "=f"(r) : "f"(a), "f"(b)); break;
    case 1: asm volatile("fmul.d %0, %1, %2" : "=f"(r) : "f"(a), "f"(b)); break;
    case 2: asm volatile("fdiv.d %0, %1, %2" : "=f"(r) : "f"(a), "f"(b)); break;
    default: asm volatile("fsqrt.d %0, %1" : "=f"(r) : "f"(a)); break;
    }
    memcpy(bits, &r, 8);
    uint64_t f = CSRR("fflags");
    CSRW("fcsr", 0);
    return f;
}

int main(void) {
    // fflags and frm are parts of fcsr.
    CSRW("fcsr", 0xffff);
    CHECK_EQ(CSRR("fcsr"), 0xff);
    CHECK_EQ(CSRR("fflags"), 0x1f);
    CHECK_EQ(CSRR("frm"), 7);
    CSRW("fcsr", 0);
    CSRW("frm", 3);
    CSRW("fflags", 0x15);
    CHECK_EQ(CSRR("fcsr"), 0x75);
    uint64_t old;
    asm volatile("csrrsi %0, fflags, 2" : "=r"(old));
    CHECK_EQ(old, 0x15);
    asm volatile("csrrci %0, fcsr, 0x11" : "=r"(old));
    CHECK_EQ(old, 0x77);
    CHECK_EQ(CSRR("fcsr"), 0x66);
    CSRW("fcsr", 0);
    double in[] = {1, 3, 0, -0.0, 1e308, 5e-324, -2, __builtin_inf(), __builtin_nan(""), 2.2250738585072014e-308};
    uint64_t sum = 0;
    for (int op = 0; op < 4; op++)
        for (int frm = 0; frm < 5; frm++)
            for (int i = 0; i < 10; i++)
                for (int j = 0; j < 10; j++) {
                    uint64_t r[2];
                    r[1] = flags_of(frm, in[i], in[j], op, r);
                    sum = fnv(sum, r, 16);
                }
    printf("arithmetic %016llx\n", (long long)sum);
    // NaN boxing: a narrow value is all ones above; a value that is not boxed is the default NaN.
    uint64_t box;
    asm volatile("li t0, 0x3f800000\n fmv.w.x ft0, t0\n fmv.x.d %0, ft0" : "=r"(box)::"t0", "ft0");
    CHECK_EQ(box, 0xffffffff3f800000);
    asm volatile("li t0, 0x3f800000\n fmv.d.x ft0, t0\n fadd.s ft1, ft0, ft0\n fmv.x.d %0, ft1" : "=r"(box)::"t0", "ft0", "ft1");
    CHECK_EQ(box, 0xffffffff7fc00000);
    asm volatile("li t0, 0x3f800000\n fmv.d.x ft0, t0\n fsgnj.s ft1, ft0, ft0\n fmv.x.d %0, ft1" : "=r"(box)::"t0", "ft0", "ft1");
    CHECK_EQ(box, 0xffffffff7fc00000);
    // Counters go forward.
    uint64_t t = CSRR("time"), c = CSRR("cycle"), i = CSRR("instret");
    struct timespec ts = {0, 20000000};
    nanosleep(&ts, NULL);
    CHECK(CSRR("time") > t);
    CHECK(CSRR("cycle") > c);
    CHECK(CSRR("instret") > i);
    unsigned long cap = getauxval(AT_HWCAP);
    for (const char *p = "imafdc"; *p; p++) CHECK(cap >> (*p - 'a') & 1);
    struct probe pairs[] = {{0}, {1}, {2}, {3}, {4}, {5}, {6}, {1000}, {-5}};
    CHECK_EQ(syscall(258, pairs, 9L, 0L, NULL, 0L), 0);
    CHECK_EQ(pairs[3].value & 1, 1);
    CHECK_EQ(pairs[4].value & 3, 3);
    CHECK_EQ(pairs[7].key, -1);
    CHECK_EQ(pairs[8].key, -1);
    CHECK_EQ(pairs[7].value, 0);
    uint64_t cpus = 1;
    CHECK_EQ(syscall(258, pairs, 1L, 8L, &cpus, 0L), 0);
    FAILS(syscall(258, pairs, 1L, 0L, NULL, 8L), EINVAL);
    FAILS(syscall(258, 8L, 1L, 0L, NULL, 0L), EFAULT);
    asm volatile("fence\n fence r, rw\n fence.tso\n .word 0x0100000f\n nop" ::: "memory");
    return check_done("csr");
}
