// test: flags=-march=armv8.5-a+fp16+simd,-ffp-contract=off slow=skip
// Scalar floating point, bit by bit: every rounding mode, FZ and DN, NaNs, infinities, denormals, flags.
#include "check.h"

static uint64_t h;
static void put(uint64_t v) { h = fnv(h, &v, 8); }
#define SHOW(name) printf("%-14s %016llx\n", name, (unsigned long long)h), h = 0

static const uint64_t d_edge[] = {0, 1ull << 63, 1, 0x800fffffffffffff, 0x0010000000000000, 0x3ff0000000000000, 0xbff0000000000000, 0x3ff8000000000000,
    0x4000000000000000, 0x3fefffffffffffff, 0x7fefffffffffffff, 0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000, 0xfff8000000000123,
    0x7ff0000000000001, 0xfff4000000000456, 0x43e0000000000000, 0xc3e0000000000000, 0x41dfffffffc00000, 0xc1e0000000200000, 0x4330000000000001,
    0x3fe0000000000000, 0xbfe0000000000000, 0x4008000000000000, 0x3c90000000000000, 0x36a0000000000000, 0x47efffffffffffff, 0x3e60000000000000, 0x40e0000000000000};
static const uint32_t s_edge[] = {0, 1u << 31, 1, 0x807fffff, 0x00800000, 0x3f800000, 0xbf800000, 0x3fc00000, 0x40000000, 0x3f7fffff, 0x7f7fffff, 0x7f800000,
    0xff800000, 0x7fc00000, 0xffc00123, 0x7f800001, 0xffa00456, 0x5f000000, 0xdf000000, 0x4f000000, 0xcf000001, 0x4b000001, 0x3f000000, 0xbf000000, 0x40400000,
    0x33800000, 0x38800000, 0x477ff000, 0x33000000, 0x34800001};
#define N 30
static uint64_t dval(int i) {
    if (i < N) return d_edge[i];
    uint64_t s = i;
    return rnd(&s);
}
static uint32_t sval(int i) {
    if (i < N) return s_edge[i];
    uint64_t s = i;
    return rnd(&s);
}
static uint16_t hval(int i) {
    static const uint16_t e[] = {0, 0x8000, 1, 0x83ff, 0x0400, 0x3c00, 0xbc00, 0x3e00, 0x4000, 0x3bff, 0x7bff, 0x7c00, 0xfc00, 0x7e00, 0xfe12, 0x7c01, 0xfd45, 0x7800, 0xf801, 0x6401};
    if (i < 20) return e[i];
    uint64_t s = i;
    return rnd(&s);
}
static const uint64_t modes[] = {0, 1 << 22, 2 << 22, 3 << 22, 1 << 24, 1 << 25, 3 << 24, 1 << 19, (3 << 24) | (3 << 22)};
#define M 9
static inline void begin(int m) { asm volatile("msr fpsr, xzr\n msr fpcr, %0" ::"r"(modes[m])); }
static inline void end(void) {
    uint64_t f;
    asm volatile("mrs %0, fpsr\n msr fpcr, xzr" : "=r"(f));
    put(f & 0x0800009f);
}
#define MODES for (int m = 0; m < M; m++)
#define D2(insn)                                                                            \
    do {                                                                                    \
        MODES for (int i = 0; i < 45; i++) for (int j = 0; j < 45; j++) {                   \
            uint64_t a = dval(i), b = dval(j), r;                                           \
            begin(m);                                                                       \
            asm volatile("fmov d0, %1\n fmov d1, %2\n" insn " d2, d0, d1\n fmov %0, d2" : "=r"(r) : "r"(a), "r"(b) : "v0", "v1", "v2"); \
            end(), put(r);                                                                  \
        }                                                                                   \
        SHOW(insn " d");                                                                    \
        MODES for (int i = 0; i < 45; i++) for (int j = 0; j < 45; j++) {                   \
            uint64_t r;                                                                     \
            uint32_t a = sval(i), b = sval(j);                                              \
            begin(m);                                                                       \
            asm volatile("fmov s0, %w1\n fmov s1, %w2\n" insn " s2, s0, s1\n fmov %0, d2" : "=r"(r) : "r"(a), "r"(b) : "v0", "v1", "v2"); \
            end(), put(r);                                                                  \
        }                                                                                   \
        SHOW(insn " s");                                                                    \
    } while (0)
#define H2(insn)                                                                            \
    do {                                                                                    \
        MODES for (int i = 0; i < 40; i++) for (int j = 0; j < 40; j++) {                   \
            uint64_t r;                                                                     \
            uint32_t a = hval(i), b = hval(j);                                              \
            begin(m);                                                                       \
            asm volatile("fmov h0, %w1\n fmov h1, %w2\n" insn " h2, h0, h1\n fmov %0, d2" : "=r"(r) : "r"(a), "r"(b) : "v0", "v1", "v2"); \
            end(), put(r);                                                                  \
        }                                                                                   \
        SHOW(insn " h");                                                                    \
    } while (0)
#define GEN1(name, get, count, in, insn, out)                                               \
    do {                                                                                    \
        MODES for (int i = 0; i < count; i++) {                                             \
            uint64_t r, a = get(i);                                                         \
            begin(m);                                                                       \
            asm volatile(in "\n" insn "\n" out : "=&r"(r) : "r"(a) : "v0", "v2", "x9", "cc");           \
            end(), put(r);                                                                  \
        }                                                                                   \
        SHOW(name);                                                                         \
    } while (0)
#define D1(insn) GEN1(insn " d", dval, 200, "fmov d0, %1", insn " d2, d0", "fmov %0, d2"); GEN1(insn " s", sval, 200, "fmov s0, %w1", insn " s2, s0", "fmov %0, d2")
#define H1(insn) GEN1(insn " h", hval, 200, "fmov h0, %w1", insn " h2, h0", "fmov %0, d2")
#define TOINT(insn) GEN1(insn " xd", dval, 200, "fmov d0, %1", insn " %0, d0", ""); GEN1(insn " wd", dval, 200, "fmov d0, %1", insn " %w0, d0", ""); \
    GEN1(insn " xs", sval, 200, "fmov s0, %w1", insn " %0, s0", ""); GEN1(insn " ws", sval, 200, "fmov s0, %w1", insn " %w0, s0", ""); GEN1(insn " wh", hval, 200, "fmov h0, %w1", insn " %w0, h0", "")
#define FROMINT(insn) GEN1(insn " dx", dval, 200, "", insn " d2, %1", "fmov %0, d2"); GEN1(insn " dw", dval, 200, "", insn " d2, %w1", "fmov %0, d2"); \
    GEN1(insn " sx", dval, 200, "", insn " s2, %1", "fmov %0, d2"); GEN1(insn " sw", dval, 200, "", insn " s2, %w1", "fmov %0, d2"); GEN1(insn " hx", dval, 200, "", insn " h2, %1", "fmov %0, d2")
#define CMP(insn)                                                                           \
    do {                                                                                    \
        for (int i = 0; i < 60; i++) for (int j = 0; j < 60; j++) {                         \
            uint64_t a = dval(i), b = dval(j), r;                                           \
            begin(j % M);                                                                   \
            asm volatile("fmov d0, %1\n fmov d1, %2\n" insn " d0, d1\n mrs %0, nzcv" : "=r"(r) : "r"(a), "r"(b) : "v0", "v1", "cc"); \
            end(), put(r);                                                                  \
            uint32_t c = sval(i), d = sval(j);                                              \
            begin(i % M);                                                                   \
            asm volatile("fmov s0, %w1\n fmov s1, %w2\n" insn " s0, s1\n cset %w0, hi\n cinc %w0, %w0, lt\n cinc %w0, %w0, vs" : "=r"(r) : "r"(c), "r"(d) : "v0", "v1", "cc"); \
            end(), put(r);                                                                  \
        }                                                                                   \
        SHOW(insn);                                                                         \
    } while (0)
#define FMA(insn)                                                                           \
    do {                                                                                    \
        for (int m = 0; m < M; m++) for (int i = 0; i < 24; i++) for (int j = 0; j < 24; j++) for (int k = 0; k < 24; k++) { \
            uint64_t r, a = dval(i), b = dval(j + (m & 1) * 8), c = dval(k + (m & 2) * 4);  \
            begin(m);                                                                       \
            asm volatile("fmov d0, %1\n fmov d1, %2\n fmov d2, %3\n" insn " d2, d0, d1, d2\n fmov %0, d2" : "=r"(r) : "r"(a), "r"(b), "r"(c) : "v0", "v1", "v2"); \
            end(), put(r);                                                                  \
            uint32_t d = sval(i), e = sval(j + (m & 1) * 8), f = sval(k + (m & 2) * 4);     \
            begin(m);                                                                       \
            asm volatile("fmov s0, %w1\n fmov s1, %w2\n fmov s2, %w3\n" insn " s2, s0, s1, s2\n fmov %0, d2" : "=r"(r) : "r"(d), "r"(e), "r"(f) : "v0", "v1", "v2"); \
            end(), put(r);                                                                  \
        }                                                                                   \
        SHOW(insn);                                                                         \
    } while (0)

int main(void) {
    D2("fadd"); D2("fsub"); D2("fmul"); D2("fdiv"); D2("fnmul"); D2("fmax"); D2("fmin"); D2("fmaxnm"); D2("fminnm"); D2("fmulx"); D2("fabd"); D2("frecps"); D2("frsqrts");
    H2("fadd"); H2("fmul"); H2("fdiv"); H2("fmax"); H2("fminnm");
    FMA("fmadd"); FMA("fmsub"); FMA("fnmadd"); FMA("fnmsub");
    D1("fsqrt"); D1("fabs"); D1("fneg"); D1("fmov"); D1("frintn"); D1("frintp"); D1("frintm"); D1("frintz"); D1("frinta"); D1("frintx"); D1("frinti");
    D1("frint32z"); D1("frint32x"); D1("frint64z"); D1("frint64x"); D1("frecpe"); D1("frsqrte"); D1("frecpx"); H1("fsqrt"); H1("frintx"); H1("frecpe"); H1("frsqrte");
    TOINT("fcvtzs"); TOINT("fcvtzu"); TOINT("fcvtns"); TOINT("fcvtnu"); TOINT("fcvtps"); TOINT("fcvtmu"); TOINT("fcvtas"); TOINT("fcvtau");
    FROMINT("scvtf"); FROMINT("ucvtf");
    GEN1("fcvt s<-d", dval, 400, "fmov d0, %1", "fcvt s2, d0", "fmov %0, d2");
    GEN1("fcvt d<-s", sval, 400, "fmov s0, %w1", "fcvt d2, s0", "fmov %0, d2");
    GEN1("fcvt h<-d", dval, 400, "fmov d0, %1", "fcvt h2, d0", "fmov %0, d2");
    GEN1("fcvt h<-s", sval, 400, "fmov s0, %w1", "fcvt h2, s0", "fmov %0, d2");
    GEN1("fcvt s<-h", hval, 400, "fmov h0, %w1", "fcvt s2, h0", "fmov %0, d2");
    GEN1("fcvt d<-h", hval, 400, "fmov h0, %w1", "fcvt d2, h0", "fmov %0, d2");
    GEN1("fjcvtzs", dval, 400, "fmov d0, %1", "fjcvtzs %w0, d0\n mrs x9, nzcv\n add %0, %0, x9", "");
    GEN1("fcvtzs fix", dval, 400, "fmov d0, %1", "fcvtzs %0, d0, #20", "");
    GEN1("scvtf fix", dval, 400, "", "scvtf s2, %1, #33", "fmov %0, d2");
    GEN1("fcvtxn", dval, 400, "fmov d0, %1", "fcvtxn s2, d0", "fmov %0, d2");
    CMP("fcmp"); CMP("fcmpe");
    return check_done("fpscalar");
}
