// test: flags=-march=armv8.5-a,-mbranch-protection=standard
// Pointer authentication and branch targets, as compilers use them and by hand.
#include "check.h"
#include <setjmp.h>
#include <signal.h>

__attribute__((noinline)) static int leaf(int n) { return n < 2 ? n : leaf(n - 1) + leaf(n - 2); }
static sigjmp_buf env;
static void on(int s) { siglongjmp(env, s); }

int main(void) {
    CHECK_EQ(leaf(18), 2584);
    void *p = (void *)leaf, *q = p, *mod = (void *)0x1234;
    asm volatile("paciza %0" : "+r"(q));
    void *s = q;
    asm volatile("autiza %0" : "+r"(q));
    CHECK(q == p);
    asm volatile("xpaci %0" : "+r"(s));
    CHECK(s == p);
    void *d = &env, *e = d;
    asm volatile("pacdb %0, %1" : "+r"(e) : "r"(mod));
    asm volatile("autdb %0, %1" : "+r"(e) : "r"(mod));
    CHECK(e == d);
    uint64_t g;
    asm volatile("pacga %0, %1, %2" : "=r"(g) : "r"(p), "r"(mod));
    CHECK_EQ((uint32_t)g, 0);
    int (*f)(int) = leaf;
    asm volatile("pacia %0, %1" : "+r"(f) : "r"(mod));
    int r;
    asm volatile("mov w0, #10\n mov x9, %1\n mov x10, %2\n blraa x9, x10\n mov %w0, w0" : "=r"(r) : "r"(f), "r"(mod)
                 : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x30", "memory", "cc");
    CHECK_EQ(r, 55);
    // A wrong modifier must not give the pointer back.
    signal(SIGSEGV, on), signal(SIGILL, on), signal(SIGBUS, on);
    // The code has few bits, so that one in a hundred is right by chance: not several.
    volatile int refused = 0;
    for (volatile uintptr_t i = 0; i < 16; i++) {
        if (sigsetjmp(env, 1)) {
            refused++;
            continue;
        }
        void *w = p;
        asm volatile("pacia %0, %1" : "+r"(w) : "r"(mod));
        asm volatile("autia %0, %1" : "+r"(w) : "r"((void *)(0x9999 + i)));
        refused += w != p;
    }
    CHECK(refused >= 8);
    asm volatile("bti c\n bti j\n bti jc\n xpaclri" ::: "x30");
    return check_done("pauth");
}
