// test: flags=-march=armv8.5-a+rng
// What EL0 may read: counters, FPCR and FPSR, thread pointers, the ID registers that the kernel shows, and their
// agreement with the hardware capabilities.
#include "check.h"
#include <sys/auxv.h>
#include <time.h>

#define MRS(name) ({ uint64_t v; asm volatile("mrs %0, " name : "=r"(v)); v; })
static int field(uint64_t r, int at) { return r >> at & 15; }

int main(void) {
    unsigned long cap = getauxval(AT_HWCAP), cap2 = getauxval(AT_HWCAP2);
    CHECK((cap & 3) == 3);
    CHECK(cap & (1 << 11));
    uint64_t isar0 = MRS("id_aa64isar0_el1"), isar1 = MRS("id_aa64isar1_el1"), pfr0 = MRS("id_aa64pfr0_el1");
    CHECK_EQ(field(isar0, 4) >= 1, !!(cap & 1 << 3));
    CHECK_EQ(field(isar0, 4) >= 2, !!(cap & 1 << 4));
    CHECK_EQ(field(isar0, 8) >= 1, !!(cap & 1 << 5));
    CHECK_EQ(field(isar0, 12) >= 1, !!(cap & 1 << 6));
    CHECK_EQ(field(isar0, 12) >= 2, !!(cap & 1 << 21));
    CHECK_EQ(field(isar0, 16) >= 1, !!(cap & 1 << 7));
    CHECK_EQ(field(isar0, 20) >= 2, !!(cap & 1 << 8));
    CHECK_EQ(field(isar0, 28) >= 1, !!(cap & 1 << 12));
    CHECK_EQ(field(isar0, 32) >= 1, !!(cap & 1 << 17));
    CHECK_EQ(field(isar0, 36) >= 1, !!(cap & 1 << 18));
    CHECK_EQ(field(isar0, 40) >= 1, !!(cap & 1 << 19));
    CHECK_EQ(field(isar0, 44) >= 1, !!(cap & 1 << 20));
    CHECK_EQ(field(isar0, 48) >= 1, !!(cap & 1 << 23));
    CHECK_EQ(field(isar0, 52) >= 1, !!(cap & 1 << 27));
    CHECK_EQ(field(isar0, 52) >= 2, !!(cap2 & 1 << 7));
    CHECK_EQ(field(isar0, 60) >= 1, !!(cap2 & 1 << 16));
    CHECK_EQ(field(isar1, 0) >= 1, !!(cap & 1 << 16));
    CHECK_EQ(field(isar1, 12) >= 1, !!(cap & 1 << 13));
    CHECK_EQ(field(isar1, 16) >= 1, !!(cap & 1 << 14));
    CHECK_EQ(field(isar1, 20) >= 1, !!(cap & 1 << 15));
    CHECK_EQ(field(isar1, 32) >= 1, !!(cap2 & 1 << 8));
    CHECK_EQ(field(isar1, 44) >= 1, !!(cap2 & 1 << 14));
    CHECK_EQ(field(isar1, 52) >= 1, !!(cap2 & 1 << 13));
    CHECK_EQ(field(pfr0, 20), cap & 1 << 10 ? 1 : 0);
    CHECK_EQ(field(pfr0, 32) >= 1, !!(cap & 1 << 22));
    CHECK_EQ(field(MRS("S3_0_C0_C4_1"), 0) >= 1, !!(cap2 & 1 << 17));
    CHECK_EQ(field(MRS("S3_0_C0_C7_2"), 32) >= 1, !!(cap & 1 << 25));
    CHECK(MRS("midr_el1") != 0);
    MRS("mpidr_el1"), MRS("revidr_el1"), MRS("id_aa64mmfr0_el1"), MRS("id_aa64dfr0_el1"), MRS("id_aa64pfr1_el1"), MRS("id_aa64mmfr2_el1");
    uint64_t f = MRS("cntfrq_el0"), a = MRS("cntvct_el0");
    CHECK(f >= 1000000 && f <= 5000000000ull);
    struct timespec ts = {0, 20000000};
    nanosleep(&ts, NULL);
    uint64_t d = MRS("cntvct_el0") - a;
    CHECK(d > f / 60 && d < f * 5);
    uint64_t last = MRS("cntvct_el0");
    for (int i = 0; i < 10000; i++) {
        uint64_t n = MRS("cntvct_el0");
        if (n < last) CHECK(n >= last);
        last = n;
    }
    uint64_t back;
    asm volatile("msr fpcr, %1\n mrs %0, fpcr\n msr fpcr, xzr" : "=r"(back) : "r"(0x03c00000ull));
    CHECK_EQ(back, 0x03c00000);
    asm volatile("msr fpsr, %1\n mrs %0, fpsr\n msr fpsr, xzr" : "=r"(back) : "r"(0x0800009full));
    CHECK_EQ(back, 0x0800009f);
    CHECK_EQ(MRS("fpsr"), 0);
    asm volatile("msr nzcv, %1\n mrs %0, nzcv" : "=r"(back) : "r"(0x50000000ull) : "cc");
    CHECK_EQ(back, 0x50000000);
    uint64_t tp = MRS("tpidr_el0");
    CHECK_EQ((uint64_t)__builtin_thread_pointer(), tp);
    asm volatile("mrs %0, tpidrro_el0" : "=r"(back));
    if (cap2 & 1 << 16) {
        uint64_t r1, r2;
        asm volatile("mrs %0, rndr\n mrs %1, rndrrs" : "=r"(r1), "=r"(r2)::"cc");
        CHECK(r1 != r2);
    }
    asm volatile("yield\n wfe\n sev\n sevl\n nop\n hint #34\n hint #36\n csdb\n esb" ::: "memory");
    return check_done("sysregs");
}
