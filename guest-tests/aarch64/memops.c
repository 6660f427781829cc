// test: flags=-march=armv8.5-a
// Loads and stores of every size, sign and addressing mode; exclusives, acquire/release, LSE atomics, pairs, 128-bit,
// tagged addresses, DC ZVA, unaligned accesses over a page border.
#include "check.h"
#include <sys/mman.h>

static unsigned char mem[4096] __attribute__((aligned(4096)));
static uint64_t h;
static void put(uint64_t v) { h = fnv(h, &v, 8); }
#define SHOW(name) (h = fnv(h, mem, sizeof mem), printf("%-14s %016llx\n", name, (unsigned long long)h), h = 0)
static void fill(void) {
    uint64_t s = 99;
    for (int i = 0; i < 4096; i++) mem[i] = rnd(&s);
}
#define CLOBBERS "memory", "cc", "x9", "x20", "x21", "x22", "x23", "v0", "v1", "v2", "v3"
#define LOAD(name, insn)                                                             \
    do {                                                                             \
        fill();                                                                      \
        for (int o = 0; o < 64; o += 3) {                                            \
            uint64_t r = -1, r2 = -1, b = (uint64_t)mem + 1024 + o, i = 8;           \
            asm volatile(insn : "+r"(r), "+r"(r2), "+r"(b) : "r"(i) : CLOBBERS);     \
            put(r), put(r2), put(b - (uint64_t)mem);                                 \
        }                                                                            \
        SHOW(name);                                                                  \
    } while (0)
#define STORE(name, insn)                                                            \
    do {                                                                             \
        fill();                                                                      \
        for (int o = 0; o < 64; o += 3) {                                            \
            uint64_t r = 0x1122334455667788ull * (o + 1), r2 = ~r, b = (uint64_t)mem + 1024 + o * 9, i = -3; \
            asm volatile(insn : "+r"(r), "+r"(r2), "+r"(b) : "r"(i) : CLOBBERS);     \
            put(b - (uint64_t)mem);                                                  \
        }                                                                            \
        SHOW(name);                                                                  \
    } while (0)
#define ATOMIC(name, insn)                                                           \
    do {                                                                             \
        fill();                                                                      \
        for (int o = 0; o < 64; o++) {                                               \
            uint64_t r = 0x8877665544332211 * (o * o + 1), r2 = o % 3 ? ~r : *(uint64_t *)(mem + 16 * o), b = (uint64_t)mem + 16 * o, i = o & 1 ? *(uint64_t *)b : r2; \
            asm volatile(insn : "+r"(r), "+r"(r2), "+r"(b), "+r"(i)::CLOBBERS); \
            put(r), put(r2), put(i);                                                 \
        }                                                                            \
        SHOW(name);                                                                  \
    } while (0)
#define LSE(op)                                                                      \
    ATOMIC(#op, #op " %0, %1, [%2]"); ATOMIC(#op "al", #op "al %w0, %w1, [%2]"); ATOMIC(#op "ab", #op "ab %w0, %w1, [%2]"); ATOMIC(#op "lh", #op "lh %w0, %w1, [%2]")

int main(void) {
    LOAD("ldr", "ldr %0, [%2]"); LOAD("ldr w", "ldr %w0, [%2, #12]"); LOAD("ldrb", "ldrb %w0, [%2, %3]"); LOAD("ldrh", "ldrh %w0, [%2], #5");
    LOAD("ldrsb", "ldrsb %0, [%2, #-7]!"); LOAD("ldrsb w", "ldrsb %w0, [%2, %w3, sxtw]"); LOAD("ldrsh", "ldrsh %0, [%2, %3, lsl #1]");
    LOAD("ldrsh w", "ldrsh %w0, [%2]"); LOAD("ldrsw", "ldrsw %0, [%2, #4]"); LOAD("ldur", "ldur %0, [%2, #-255]"); LOAD("ldp", "ldp %0, %1, [%2, #-16]");
    LOAD("ldp w", "ldp %w0, %w1, [%2], #24"); LOAD("ldpsw", "ldpsw %0, %1, [%2, #8]!"); LOAD("ldnp", "ldnp %0, %1, [%2]"); LOAD("ldtr", "ldtr %0, [%2, #9]");
    LOAD("ldr ext", "ldr %0, [%2, %w3, uxtw #3]"); LOAD("prfm", "prfm pldl1keep, [%2]"); LOAD("ldrb post", "ldrb %w0, [%2], #-1");
    STORE("str", "str %0, [%2]"); STORE("strb", "strb %w0, [%2, %3]"); STORE("strh", "strh %w0, [%2], #7"); STORE("stp", "stp %0, %1, [%2, #32]!");
    STORE("stp w", "stp %w0, %w1, [%2, #-8]"); STORE("stur", "stur %w0, [%2, #-3]"); STORE("str self", "str %2, [%2, #16]"); STORE("stp zero", "stp xzr, %0, [%2], #-64");
    STORE("str q", "fmov d0, %0\n ins v0.d[1], %1\n str q0, [%2, #16]"); STORE("stp q", "fmov d0, %0\n dup v1.4s, %w1\n stp q0, q1, [%2]");
    STORE("st1", "dup v0.16b, %w0\n dup v1.8h, %w1\n st1 {v0.16b, v1.16b}, [%2], #32"); STORE("st3", "dup v0.16b, %w0\n dup v1.16b, %w1\n movi v2.16b, #3\n st3 {v0.16b-v2.16b}, [%2]");
    STORE("st4 lane", "dup v0.4s, %w0\n dup v1.4s, %w1\n movi v2.4s, #3\n mov v3.16b, v0.16b\n st4 {v0.s-v3.s}[2], [%2], %3");
    LOAD("ld2", "ld2 {v0.8h, v1.8h}, [%2]\n fmov %0, d0\n umov %1, v1.d[1]"); LOAD("ld3", "ld3 {v0.4s, v1.4s, v2.4s}, [%2], #48\n fmov %0, d1\n umov %1, v2.d[1]");
    LOAD("ld4", "ld4 {v0.2d-v3.2d}, [%2]\n fmov %0, d3\n umov %1, v2.d[1]"); LOAD("ld1r", "ld1r {v0.8h}, [%2]\n fmov %0, d0"); LOAD("ld1 lane", "movi v0.16b, #9\n ld1 {v0.h}[5], [%2], %3\n umov %0, v0.d[1]");
    LOAD("ldr s", "ldr s0, [%2]\n umov %0, v0.d[0]\n umov %1, v0.d[1]"); LOAD("ldr h", "ldr h1, [%2, #2]\n umov %0, v1.d[0]"); LOAD("ldp d", "ldp d0, d1, [%2, #8]\n fmov %0, d0\n fmov %1, d1");
    ATOMIC("ldxr/stxr", "ldxr %1, [%2]\n stxr %w3, %0, [%2]"); ATOMIC("ldaxrb", "ldaxrb %w1, [%2]\n stlxrb %w3, %w0, [%2]"); ATOMIC("ldxp/stxp", "ldxp %1, %3, [%2]\n stxp w9, %0, %1, [%2]\n mov %w0, w9");
    ATOMIC("stxr alone", "clrex\n stxr %w3, %0, [%2]"); ATOMIC("ldar/stlr", "ldar %1, [%2]\n stlr %0, [%2]"); ATOMIC("ldapr", "ldaprh %w1, [%2]\n stlrb %w0, [%2]"); ATOMIC("ldapur", "ldapur %1, [%2, #8]\n stlur %w0, [%2, #4]");
    ATOMIC("cas", "cas %1, %0, [%2]"); ATOMIC("cas hit", "cas %3, %0, [%2]"); ATOMIC("casal w", "casal %w3, %w0, [%2]"); ATOMIC("casab", "casab %w3, %w0, [%2]"); ATOMIC("caslh", "caslh %w1, %w0, [%2]");
    ATOMIC("casp", "mov x20, %1\n mov x21, %3\n mov x22, %0\n mov x23, %1\n caspal x20, x21, x22, x23, [%2]\n mov %0, x20\n mov %1, x21"); 
    ATOMIC("casp hit", "ldp x20, x21, [%2]\n mov x22, %0\n mov x23, %1\n casp x20, x21, x22, x23, [%2]\n mov %0, x20\n mov %1, x21");
    LSE(ldadd); LSE(ldclr); LSE(ldeor); LSE(ldset); LSE(ldsmax); LSE(ldsmin); LSE(ldumax); LSE(ldumin); LSE(swp);
    ATOMIC("stadd", "stadd %0, [%2]"); ATOMIC("stumaxb", "stumaxb %w0, [%2]");
    // Tagged pointers: the top byte is ignored by loads, stores, atomics and branches.
    uint64_t tag = 0x5a00000000000000ull;
    volatile uint64_t *t = (uint64_t *)((uint64_t)mem | tag);
    *t = 5;
    __atomic_add_fetch((uint64_t *)t, 6, __ATOMIC_SEQ_CST);
    CHECK_EQ(*(volatile uint64_t *)mem, 11);
    memcpy((char *)t + 64, (char *)t, 32);
    CHECK_EQ(*(volatile uint64_t *)(mem + 64), 11);
    uint64_t back;
    asm volatile("ldp %0, x9, [%1], #16\n mov %0, %1" : "=&r"(back), "+r"(t)::"x9", "memory");
    CHECK_EQ(back >> 56, 0x5a);
    uint64_t target = (uint64_t)&fill | tag;
    mem[0] = 0;
    ((void (*)(void))target)();
    printf("tagged\n");
    uint64_t dczid, ctr;
    asm("mrs %0, dczid_el0\n mrs %1, ctr_el0" : "=r"(dczid), "=r"(ctr));
    if (!(dczid & 16)) {
        unsigned size = 4u << (dczid & 15);
        CHECK(size >= 16 && size <= 2048);
        fill();
        asm volatile("dc zva, %0" ::"r"(mem + 2048 + size / 2) : "memory");
        int zeros = 0;
        for (unsigned i = 0; i < size; i++) zeros += mem[2048 + i] == 0;
        CHECK_EQ(zeros, size);
        CHECK(mem[2047] != 0 || mem[2046] != 0);
    }
    CHECK((ctr & 15) >= 2);
    asm volatile("dc cvau, %0\n dc cvac, %0\n dc civac, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb\n dmb ishld\n dmb sy\n sb" ::"r"(mem) : "memory");
    // Over a page border.
    fill();
    char *two = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int o = 4080; o < 4100; o++) {
        *(volatile uint64_t *)(two + o) = 0x0102030405060708 + o;
        put(*(volatile uint64_t *)(two + o)), put(*(volatile uint32_t *)(two + o + 3)), put(*(volatile uint16_t *)(two + o + 1));
    }
    SHOW("borders");
    return check_done("memops");
}
