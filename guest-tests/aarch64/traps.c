// test: oracle=skip
// Undefined instructions, traps, misaligned and forbidden jumps, misaligned SP: signal, code and address as Linux gives.
#include "check.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

static sigjmp_buf env;
static int sig_, code_;
static uint64_t addr_, pc_, sp_;
static char alt[65536];
static void handler(int s, siginfo_t *si, void *p) {
    ucontext_t *uc = p;
    sig_ = s, code_ = si->si_code, addr_ = (uint64_t)si->si_addr, pc_ = uc->uc_mcontext.pc, sp_ = uc->uc_mcontext.sp;
    siglongjmp(env, 1);
}

static uint32_t *page;
static void expect(const char *what, uint64_t target, int sig, int code, uint64_t addr, uint64_t pc) {
    if (!sigsetjmp(env, 1)) {
        asm volatile("blr %0" ::"r"(target) : "x30", "memory");
        printf("%s: no signal\n", what);
        check_failures++;
        return;
    }
    int bad = sig_ != sig || code_ != code || addr_ != addr || pc_ != pc;
    printf("%s: signal %d code %d addr %s pc %s\n", what, sig_, code_, addr_ == addr ? "right" : "wrong", pc_ == pc ? "right" : "wrong");
    if (bad) {
        printf("  expected %d %d %llx %llx, got addr %llx pc %llx\n", sig, code, (long long)addr, (long long)pc, (long long)addr_, (long long)pc_);
        check_failures++;
    }
}
static void insn(const char *what, uint32_t word, int sig, int code) {
    page[16] = word, page[17] = 0xd65f03c0;
    __builtin___clear_cache((char *)page, (char *)page + 4096);
    expect(what, (uint64_t)(page + 16), sig, code, (uint64_t)(page + 16), (uint64_t)(page + 16));
}

int main(void) {
    stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt};
    sigaltstack(&ss, NULL);
    struct sigaction sa = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    sa.sa_sigaction = handler;
    for (int s = 1; s < 32; s++)
        if (s == SIGILL || s == SIGTRAP || s == SIGBUS || s == SIGSEGV) sigaction(s, &sa, NULL);
    page = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect((char *)page + 4096, 4096, PROT_READ | PROT_WRITE);
    insn("udf #0", 0x00000000, SIGILL, ILL_ILLOPC);
    insn("udf #ffff", 0x0000ffff, SIGILL, ILL_ILLOPC);
    insn("unallocated", 0x02345678, SIGILL, ILL_ILLOPC);
    insn("hvc", 0xd4000002, SIGILL, ILL_ILLOPC);
    insn("smc", 0xd4000003, SIGILL, ILL_ILLOPC);
    insn("eret", 0xd69f03e0, SIGILL, ILL_ILLOPC);
    insn("msr daifset", 0xd50343df, SIGILL, ILL_ILLOPC);
    insn("mrs sctlr_el1", 0xd5381000, SIGILL, ILL_ILLOPC);
    insn("brk", 0xd4200000, SIGTRAP, TRAP_BRKPT);
    insn("brk #1", 0xd4200020, SIGTRAP, TRAP_BRKPT);
    insn("hlt", 0xd4400000, SIGILL, ILL_ILLOPC);
    expect("unmapped pc", 0x10, SIGSEGV, SEGV_MAPERR, 0x10, 0x10);
    expect("non-executable pc", (uint64_t)page + 4096 + 64, SIGSEGV, SEGV_ACCERR, (uint64_t)page + 4096 + 64, (uint64_t)page + 4096 + 64);
    expect("misaligned pc", (uint64_t)page + 66, SIGBUS, BUS_ADRALN, (uint64_t)page + 66, (uint64_t)page + 66);
    // Falling off the end of an executable page.
    page[1023] = 0xd503201f;
    __builtin___clear_cache((char *)page, (char *)page + 4096);
    expect("running into data", (uint64_t)(page + 1023), SIGSEGV, SEGV_ACCERR, (uint64_t)page + 4096, (uint64_t)page + 4096);
    // A misaligned stack pointer used for an access.
    if (!sigsetjmp(env, 1)) {
        asm volatile("mov x9, sp\n add x10, x9, #-24\n mov sp, x10\n ldr x11, [sp]\n mov sp, x9" ::: "x9", "x10", "x11", "memory");
        printf("misaligned sp: no signal\n");
    } else
        printf("misaligned sp: signal %d code %d\n", sig_, code_);
    // A non-canonical data address: si_addr has its tag bits, fault is SEGV_MAPERR.
    if (!sigsetjmp(env, 1)) {
        volatile int *p = (int *)0x00ff000000000000ull;
        asm("" : "+r"(p));
        *p;
        printf("no signal\n");
    } else
        printf("non-canonical: signal %d code %d\n", sig_, code_);
    return check_done("traps");
}
