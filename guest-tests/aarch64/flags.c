// test: flags=-march=armv8.5-a+crc
// Integer instructions whose result is in the flags, and their readers: checksums over edge values.
#include "check.h"

static const uint64_t edge[] = {0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, INT64_MAX, 1ull << 63,
                                ~0ull, 0x123456789abcdef0};
#define N 16
static uint64_t h;
static void put(uint64_t v) { h = fnv(h, &v, 8); }
#define SHOW(name) printf("%-12s %016llx\n", name, (unsigned long long)h), h = 0
#define TWO(name, insn)                                                                                             \
    do {                                                                                                            \
        for (int i = 0; i < N; i++)                                                                                 \
            for (int j = 0; j < N; j++)                                                                             \
                for (int c = 0; c < 16; c++) {                                                                      \
                    uint64_t r, f, a = edge[i], b = edge[j], in = (uint64_t)c << 28;                                \
                    asm volatile("msr nzcv, %4\n" insn "\n mrs %1, nzcv" : "=&r"(r), "=&r"(f) : "r"(a), "r"(b), "r"(in) : "cc"); \
                    put(r), put(f);                                                                                 \
                }                                                                                                   \
        SHOW(name);                                                                                                 \
    } while (0)
#define COND(cc)                                                                                                    \
    for (int c = 0; c < 16; c++) {                                                                                  \
        uint64_t r0, r1, r2, r3, r4, r5, in = (uint64_t)c << 28;                                                    \
        asm volatile("msr nzcv, %6\n csel %0, %7, %8, " #cc "\n csinc %1, %7, %8, " #cc "\n csinv %2, %7, %8, " #cc  \
                     "\n csneg %3, %7, %8, " #cc "\n mov %4, #1\n b." #cc " 1f\n mov %4, #2\n1: ccmp %7, %8, #5, " #cc \
                     "\n mrs %5, nzcv"                                                                              \
                     : "=&r"(r0), "=&r"(r1), "=&r"(r2), "=&r"(r3), "=&r"(r4), "=&r"(r5)                             \
                     : "r"(in), "r"(0x1111ull), "r"(0x2222ull)                                                      \
                     : "cc");                                                                                       \
        put(r0), put(r1), put(r2), put(r3), put(r4), put(r5);                                                       \
    }                                                                                                               \
    SHOW(#cc)

int main(void) {
    TWO("adds", "adds %0, %2, %3");
    TWO("adds w", "adds %w0, %w2, %w3");
    TWO("subs", "subs %0, %2, %3");
    TWO("subs w", "subs %w0, %w2, %w3");
    TWO("adc", "adc %0, %2, %3");
    TWO("adcs", "adcs %0, %2, %3");
    TWO("adcs w", "adcs %w0, %w2, %w3");
    TWO("sbc w", "sbc %w0, %w2, %w3");
    TWO("sbcs", "sbcs %0, %2, %3");
    TWO("ngcs", "ngcs %0, %3");
    TWO("ands", "ands %0, %2, %3, lsr #3");
    TWO("bics w", "bics %w0, %w2, %w3, ror #5");
    TWO("adds sxtb", "adds %0, %2, %w3, sxtb #2");
    TWO("subs uxth", "subs %w0, %w2, %w3, uxth");
    TWO("adds asr", "adds %w0, %w2, %w3, asr #31");
    TWO("ccmp", "ccmp %2, %3, #9, hi\n mov %0, #0");
    TWO("ccmn", "ccmn %w2, %w3, #2, lt\n mov %0, #0");
    TWO("ccmp imm", "ccmp %2, #31, #15, ge\n cset %0, vs");
    TWO("negs", "negs %w0, %w3, lsl #4");
    TWO("tst chain", "tst %2, %3\n cset %0, mi\n cinc %0, %0, eq");
    TWO("long add", "adds %0, %2, %3\n adcs %0, %0, %2\n adc %0, %0, xzr");
    COND(eq); COND(ne); COND(cs); COND(cc); COND(mi); COND(pl); COND(vs); COND(vc);
    COND(hi); COND(ls); COND(ge); COND(lt); COND(gt); COND(le); COND(al);
    TWO("mul", "mul %0, %2, %3");
    TWO("madd w", "madd %w0, %w2, %w3, %w2");
    TWO("smulh", "smulh %0, %2, %3");
    TWO("umulh", "umulh %0, %2, %3");
    TWO("smsubl", "smsubl %0, %w2, %w3, %2");
    TWO("umaddl", "umaddl %0, %w2, %w3, %2");
    TWO("sdiv", "sdiv %0, %2, %3");
    TWO("sdiv w", "sdiv %w0, %w2, %w3");
    TWO("udiv", "udiv %0, %2, %3");
    TWO("lslv", "lsl %0, %2, %3");
    TWO("lsrv w", "lsr %w0, %w2, %w3");
    TWO("asrv", "asr %0, %2, %3");
    TWO("asrv w", "asr %w0, %w2, %w3");
    TWO("rorv", "ror %0, %2, %3");
    TWO("rorv w", "ror %w0, %w2, %w3");
    TWO("extr", "extr %0, %2, %3, #17");
    TWO("extr w", "extr %w0, %w2, %w3, #31");
    TWO("sbfm", "sbfx %0, %2, #9, #23");
    TWO("sbfiz w", "sbfiz %w0, %w2, #3, #7");
    TWO("bfi", "mov %0, %3\n bfi %0, %2, #20, #11");
    TWO("bfxil w", "mov %w0, %w3\n bfxil %w0, %w2, #5, #9");
    TWO("rbit", "rbit %0, %2");
    TWO("rev16", "rev16 %0, %2");
    TWO("rev32", "rev32 %0, %2");
    TWO("rev w", "rev %w0, %w2");
    TWO("clz", "clz %0, %2");
    TWO("cls w", "cls %w0, %w2");
    TWO("eon", "eon %0, %2, %3, asr #7");
    TWO("orn w", "orn %w0, %w2, %w3, ror #1");
    TWO("cfinv", ".inst 0xd500401f\n mov %0, #0");
    TWO("axflag", ".inst 0xd500405f\n mov %0, #0");
    TWO("xaflag", ".inst 0xd500403f\n mov %0, #0");
    TWO("crc32b", "crc32b %w0, %w2, %w3");
    TWO("crc32x", "crc32x %w0, %w2, %3");
    TWO("crc32cw", "crc32cw %w0, %w2, %w3");
    TWO("tbz", "mov %0, #1\n tbz %2, #63, 1f\n mov %0, #2\n1: tbnz %w3, #7, 2f\n add %0, %0, #4\n2: cbz %w2, 3f\n add %0, %0, #8\n3:");
    return check_done("flags");
}
