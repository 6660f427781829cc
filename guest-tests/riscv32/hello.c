// The first program: arguments, auxiliary vector, integer and floating-point arithmetic of 32-bit code.
#include "bare.h"

static volatile int32_t a = -7, b = 3;
static volatile uint32_t u = 0xfffffff9u;
static volatile double d = 1.5;
static volatile float f = 2.25f;

static int run(int argc, char **argv) {
    CHECK_EQ(argc, 1);
    CHECK(slen(argv[0]) > 5);
    CHECK_EQ(aux(6), 4096);
    CHECK(aux(3) != 0 && aux(5) > 0);
    CHECK_EQ(aux(4), 32);
    CHECK(aux(25) != 0);
    print("%d %d %u %u %x\n", a / b, a % b, u / 5, u % 5, a >> 1);
    print("%d %d %d\n", (int)(d * f * 8), (int)(d / f * 1000), (int)(f - d < 0));
    int64_t w = (int64_t)a * 1000000007;
    print("%lld %llx %lld\n", w, (uint64_t)w >> 7, w << 3);
    __asm__ volatile("fcvt.d.w ft0, %0\n fcvt.s.d ft1, ft0\n" ::"r"(12345) : "ft0", "ft1");
    return done("hello");
}
