// test: oracle=skip
// FEAT_FPAC: a pointer that fails its authentication is SIGILL with ILL_ILLOPN at the instruction, which leaves its register;
// a branch or load that authenticates traps too.
#include "check.h"
#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

static sigjmp_buf out;
static volatile int code;
static volatile uintptr_t where, pc, x9;
static void handler(int s, siginfo_t *i, void *uc) {
    ucontext_t *u = uc;
    code = s == SIGILL ? i->si_code : -1;
    where = (uintptr_t)i->si_addr;
    pc = u->uc_mcontext.pc;
    x9 = u->uc_mcontext.regs[9];
    siglongjmp(out, 1);
}

// The instruction with a pointer in x9 and a modifier in x10. One code of all is right, so of eight seven are not.
#define BAD(name, insn)                                                                                               \
    do {                                                                                                              \
        volatile int good = 0;                                                                                        \
        for (volatile uintptr_t k = 0; k < 8; k++) {                                                                  \
            uintptr_t bad = (uintptr_t)&code ^ (0x2a + k) << 48, at;                                                  \
            code = 0;                                                                                                 \
            if (!sigsetjmp(out, 1))                                                                                   \
                asm volatile(".arch armv8.5-a\n mov x9, %1\n mov x10, #77\n adr x30, 2f\n " insn "\n 2:"               \
                             : "=&r"(at) : "r"(bad) : "x9", "x10", "x11", "x16", "x17", "x30", "memory");             \
            else                                                                                                      \
                good += code == 2 && where == pc && x9 == ((uintptr_t)&code ^ (0x2a + k) << 48);                      \
        }                                                                                                             \
        printf("%s: %s\n", name, good >= 7 ? "traps" : "does not trap");                                              \
    } while (0)

int main(void) {
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGILL, &sa, NULL);
    // The one right code lets a branch go on to the data that it points to.
    sigaction(SIGSEGV, &sa, NULL);
    uint64_t isar1;
    asm("mrs %0, id_aa64isar1_el1" : "=r"(isar1));
    printf("level %d\n", (int)((isar1 >> 4 & 15) | (isar1 >> 8 & 15)));
    BAD("autia", "autia x9, x10");
    BAD("autib", "autib x9, x10");
    BAD("autda", "autda x9, x10");
    BAD("autdb", "autdb x9, x10");
    BAD("autiza", "autiza x9");
    BAD("autdzb", "autdzb x9");
    BAD("autia1716", "mov x17, x9\n mov x16, x10\n autia1716");
    BAD("autiasp", "mov x30, x9\n autiasp");
    BAD("braa", "braa x9, x10");
    BAD("blrab", "blrab x9, x10");
    BAD("braaz", "braaz x9");
    BAD("retab", "mov x30, x9\n retab");
    BAD("ldraa", "ldraa x11, [x9]");
    BAD("ldrab", "ldrab x11, [x9, #8]!");
    // What is right goes through, in loops too.
    uint64_t value = 5, sum = 0;
    for (int i = 0; i < 1000; i++) {
        void *p = &value;
        uint64_t v;
        asm volatile(".arch armv8.5-a\n pacda %0, %2\n autda %0, %2\n pacdza %0\n ldraa %1, [%0]" : "+r"(p), "=r"(v) : "r"((uint64_t)i) : "memory");
        sum += v;
    }
    CHECK_EQ(sum, 5000);
    return check_done("fpac");
}
