// test: oracle=skip
// Branch target identification: in a guarded page an indirect branch must land on a fitting pad; SIGILL with ILL_ILLOPC and
// the target's address otherwise. Pages without the right, direct branches and returns are free.
#include "check.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>

#ifndef PROT_BTI
#define PROT_BTI 0x10
#endif

enum { NOP = 0xd503201f, BTI = 0xd503241f, BTI_C = 0xd503245f, BTI_J = 0xd503249f, BTI_JC = 0xd50324df,
       PACIASP = 0xd503233f, BRK = 0xd4200000, RET = 0xd65f03c0, AUTIASP = 0xd50323bf, SVC = 0xd4000001 };

static sigjmp_buf out;
static volatile int sig, code;
static volatile uintptr_t where, btype;
static void handler(int s, siginfo_t *i, void *uc) {
    ucontext_t *u = uc;
    sig = s;
    code = i->si_code;
    where = (uintptr_t)i->si_addr;
    btype = u->uc_mcontext.pstate >> 10 & 3;
    siglongjmp(out, 1);
}

// Jumps to `f` by the instruction; the code there returns.
__attribute__((noinline)) static void by_blr(void *f) { asm volatile("blr %0" ::"r"(f) : "x30", "memory"); }
__attribute__((noinline)) static void by_x16(void *f) {
    asm volatile("mov x16, %0\n adr x30, 1f\n br x16\n1:" ::"r"(f) : "x16", "x30", "memory");
}
__attribute__((noinline)) static void by_x9(void *f) {
    asm volatile("mov x9, %0\n adr x30, 1f\n br x9\n1:" ::"r"(f) : "x9", "x30", "memory");
}
__attribute__((noinline)) static void by_ret(void *f) {
    asm volatile("mov x9, %0\n adr x30, 1f\n ret x9\n1:" ::"r"(f) : "x9", "x30", "memory");
}

static const struct { const char *name; void (*go)(void *); } ways[] = {
    {"blr", by_blr}, {"br x16", by_x16}, {"br x9", by_x9}, {"ret", by_ret},
};

// From a guarded page: BTI JC; the branch in question with the address in x0 (or x16).
static uint32_t *trampoline;
static void from_guarded(void *f) {
    asm volatile("mov x0, %0\n blr %1" ::"r"(f), "r"(trampoline) : "x0", "x9", "x16", "x30", "memory");
}

static const char *attempt(void (*go)(void *), void *target) {
    static char text[64];
    if (sigsetjmp(out, 1)) {
        snprintf(text, sizeof text, "%s code %d at target %d btype %d",
                 sig == SIGILL ? "ILL" : sig == SIGTRAP ? "TRAP" : "other", code, where == (uintptr_t)target, (int)btype);
        return text;
    }
    go(target);
    return "ok";
}

int main(void) {
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGILL, &sa, NULL);
    sigaction(SIGTRAP, &sa, NULL);
    uint64_t pfr1;
    asm("mrs %0, S3_0_C0_C4_1" : "=r"(pfr1));
    printf("claimed %d, in the ID register %d\n", (int)(getauxval(AT_HWCAP2) >> 17 & 1), (int)(pfr1 & 15));
    static const struct { const char *name; uint32_t word; } pads[] = {
        {"nop", NOP}, {"bti", BTI}, {"bti c", BTI_C}, {"bti j", BTI_J}, {"bti jc", BTI_JC}, {"paciasp", PACIASP}, {"brk", BRK},
    };
    uint32_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint32_t *plain = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (unsigned p = 0; p < 7; p++)
        for (int k = 0; k < 2; k++) {
            uint32_t *w = (k ? plain : code) + 16 * p;
            w[0] = pads[p].word;
            w[1] = pads[p].word == PACIASP ? AUTIASP : NOP;
            w[2] = RET;
        }
    // Guarded trampolines: x0 by br x0, by br x16 and by a direct branch to a nop.
    uint32_t *t = code + 256;
    t[0] = BTI_JC, t[1] = 0xd61f0000;                       // br x0
    t[16] = BTI_JC, t[17] = 0xaa0003f0, t[18] = 0xd61f0200; // mov x16, x0; br x16
    t[32] = BTI_JC, t[33] = 0x14000001, t[34] = NOP, t[35] = RET;
    __builtin___clear_cache((char *)code, (char *)code + 4096);
    __builtin___clear_cache((char *)plain, (char *)plain + 4096);
    CHECK(!mprotect(plain, 4096, PROT_READ | PROT_EXEC));
    CHECK(!mprotect(code, 4096, PROT_READ | PROT_EXEC | PROT_BTI));
    for (int round = 0; round < 2; round++)
        for (unsigned w = 0; w < 4; w++)
            for (unsigned p = 0; p < 7; p++) {
                const char *r = attempt(ways[w].go, code + 16 * p);
                if (!round) printf("%s to %s: %s\n", ways[w].name, pads[p].name, r);
                const char *q = attempt(ways[w].go, plain + 16 * p);
                if (pads[p].word != BRK) CHECK(!strcmp(q, "ok"));
            }
    for (int k = 0; k < 3; k++) {
        trampoline = t + 16 * k;
        for (unsigned p = 0; p < 7; p++)
            printf("guarded %s to %s: %s\n", k == 0 ? "br x0" : k == 1 ? "br x16" : "b", pads[p].name,
                   attempt(from_guarded, code + 16 * p));
    }
    // The right is taken back and given again.
    CHECK(!mprotect(code, 4096, PROT_READ | PROT_EXEC));
    printf("unguarded: %s\n", attempt(by_blr, code));
    CHECK(!mprotect(code, 4096, PROT_READ | PROT_EXEC | PROT_BTI));
    printf("guarded: %s\n", attempt(by_blr, code));
    return check_done("bti");
}
