// test: oracle=skip
// Undefined instructions, traps and forbidden jumps: signal, code and address as Linux gives.
#include "check.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

static sigjmp_buf env;
static int sig_, code_;
static uint64_t addr_, pc_;
static char alt[65536];
static void handler(int s, siginfo_t *si, void *p) {
    ucontext_t *uc = p;
    sig_ = s, code_ = si->si_code, addr_ = (uint64_t)si->si_addr, pc_ = uc->uc_mcontext.__gregs[0];
    siglongjmp(env, 1);
}

static uint32_t *page;
static void expect(const char *what, uint64_t target, int sig, int code, uint64_t addr, uint64_t pc) {
    if (!sigsetjmp(env, 1)) {
        asm volatile("jalr ra, %0" ::"r"(target) : "ra", "t0", "t1", "memory");
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
    page[16] = word, page[17] = 0x00008067;
    __builtin___clear_cache((char *)page, (char *)page + 4096);
    expect(what, (uint64_t)(page + 16), sig, code, (uint64_t)(page + 16), (uint64_t)(page + 16));
}

int main(void) {
    stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt};
    sigaltstack(&ss, NULL);
    struct sigaction sa = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    sa.sa_sigaction = handler;
    int sigs[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP};
    for (int i = 0; i < 4; i++) sigaction(sigs[i], &sa, NULL);
    page = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect((char *)page + 4096, 4096, PROT_READ | PROT_WRITE);
    insn("zero", 0x00000000, SIGILL, ILL_ILLOPC);
    insn("ones", 0xffffffff, SIGILL, ILL_ILLOPC);
    insn("unallocated", 0x0000007b, SIGILL, ILL_ILLOPC);
    insn("compressed unallocated", 0x00008002, SIGILL, ILL_ILLOPC);
    insn("sret", 0x10200073, SIGILL, ILL_ILLOPC);
    insn("mret", 0x30200073, SIGILL, ILL_ILLOPC);
    insn("wfi", 0x10500073, SIGILL, ILL_ILLOPC);
    insn("sfence.vma", 0x12000073, SIGILL, ILL_ILLOPC);
    insn("csrw sstatus", 0x10001073, SIGILL, ILL_ILLOPC);
    insn("csrw cycle", 0xc0001073, SIGILL, ILL_ILLOPC);
    insn("csrr unknown", 0x80002573, SIGILL, ILL_ILLOPC);
    insn("ebreak", 0x00100073, SIGTRAP, TRAP_BRKPT);
    insn("c.ebreak", 0x00019002, SIGTRAP, TRAP_BRKPT);
    expect("unmapped pc", 0x10, SIGSEGV, SEGV_MAPERR, 0x10, 0x10);
    expect("non-executable pc", (uint64_t)page + 4096 + 64, SIGSEGV, SEGV_ACCERR, (uint64_t)page + 4096 + 64, (uint64_t)page + 4096 + 64);
    page[1023] = 0x00000013;
    __builtin___clear_cache((char *)page, (char *)page + 4096);
    expect("running into data", (uint64_t)(page + 1023), SIGSEGV, SEGV_ACCERR, (uint64_t)page + 4096, (uint64_t)page + 4096);
    // Misaligned data is the hardware's (or the kernel's) business.
    uint64_t at[3] = {0x1122334455667788, 0x99aabbccddeeff00};
    uint64_t wide;
    uint32_t word;
    asm volatile("ld %0, 3(%2)\n lw %1, 5(%2)" : "=&r"(wide), "=&r"(word) : "r"(at));
    printf("misaligned %llx %x\n", (long long)wide, word);
    // A misaligned atomic is not emulated.
    if (!sigsetjmp(env, 1)) {
        asm volatile("amoadd.w t0, t0, (%0)" ::"r"((char *)at + 1) : "t0", "memory");
        printf("no signal\n");
    } else
        printf("misaligned atomic: signal %d code %d\n", sig_, code_);
    if (!sigsetjmp(env, 1)) {
        volatile int *p = (int *)0x00ff000000000000ull;
        asm("" : "+r"(p));
        *p;
        printf("no signal\n");
    } else
        printf("non-canonical: signal %d code %d\n", sig_, code_);
    return check_done("traps");
}
