// The signal frame at a fault: every register exact, changes by the handler kept, for each kind of fault.
#include "check.h"
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

static struct {
    uint64_t x[32], f[32], addr;
    uint32_t fcsr;
    int sig, code;
} got;
static int change, skip;

static void handler(int sig, siginfo_t *si, void *p) {
    ucontext_t *uc = p;
    memcpy(got.x, uc->uc_mcontext.__gregs, sizeof got.x);
    memcpy(got.f, uc->uc_mcontext.__fpregs.__d.__f, sizeof got.f);
    got.fcsr = uc->uc_mcontext.__fpregs.__d.__fcsr;
    got.sig = sig, got.code = si->si_code, got.addr = (uint64_t)si->si_addr;
    if (change) {
        uc->uc_mcontext.__gregs[19] = 0x1919, uc->uc_mcontext.__gregs[20] = 0;
        uc->uc_mcontext.__fpregs.__d.__f[7] = 0x7777;
        uc->uc_mcontext.__fpregs.__d.__fcsr = 0x71;
    }
    uc->uc_mcontext.__gregs[0] += skip;
}

// Fills x5 to x31 (but the given base in x10) and f0 to f31 with patterns and fcsr, executes one instruction, stores
// registers. ra, sp, gp and tp keep their values: sp's is checked against the one stored before.
__attribute__((used)) uint64_t xout[32], fout[32], fcsr_out, sp_at, saved[32];
#define FAULT_WITH(name, insn)                                                                                       \
    __attribute__((naked, noinline)) static void name(uint64_t base) {                                               \
        asm(".option push\n .option norvc\n .option norelax\n la t0, saved\n"                                          \
            "sd ra, 0(t0)\n .irp n,8,9,18,19,20,21,22,23,24,25,26,27\n sd x\\n, \\n*8(t0)\n .endr\n"                   \
            "la t0, sp_at\n sd sp, 0(t0)\n"                                                                            \
            "li t0, 0xabc0000000000000\n"                                                                              \
            ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"            \
            "addi t1, t0, \\n\n fmv.d.x f\\n, t1\n .endr\n"                                                             \
            "li t1, 0x42\n fscsr t1\n"                                                                                 \
            ".irp n,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n addi x\\n, t0, \\n\n .endr\n" \
            "addi x5, t0, 5\n li ra, 0x3030\n"                                                                         \
            ".globl " #name "_at\n" #name "_at: " insn "\n"                                                            \
            "la ra, xout\n .irp n,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n sd x\\n, \\n*8(ra)\n .endr\n" \
            "la ra, fout\n .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n fsd f\\n, \\n*8(ra)\n .endr\n" \
            "frcsr t0\n la t1, fcsr_out\n sd t0, 0(t1)\n fscsr zero\n la t0, saved\n"                                   \
            ".irp n,8,9,18,19,20,21,22,23,24,25,26,27\n ld x\\n, \\n*8(t0)\n .endr\n ld ra, 0(t0)\n ret\n .option pop");  \
    }                                                                                                                \
    extern char name##_at[];
FAULT_WITH(f_ld, "ld x6, 0(x10)")
FAULT_WITH(f_lb, "lb x6, -3(x10)")
FAULT_WITH(f_sd, "sd x6, 8(x10)")
FAULT_WITH(f_sb, "sb x6, 2047(x10)")
FAULT_WITH(f_same, "ld x10, 0(x10)")
FAULT_WITH(f_fld, "fld f7, 16(x10)")
FAULT_WITH(f_fsw, "fsw f7, 4(x10)")
FAULT_WITH(f_lr, "lr.d x6, (x10)")
FAULT_WITH(f_amo, "amoadd.w.aqrl x6, x7, (x10)")
FAULT_WITH(f_cld, ".option rvc\n c.ld x11, 8(x10)\n c.nop\n .option norvc")
FAULT_WITH(f_break, "ebreak")
FAULT_WITH(f_zero, ".word 0")
FAULT_WITH(f_csr, "csrr x6, mstatus")

static const uint64_t P = 0xabc0000000000000u;
static void run(const char *name, void (*f)(uint64_t), char *at, uint64_t base, int sig, int code, uint64_t addr) {
    memset(&got, 0, sizeof got);
    f(base);
    int before = check_failures;
    CHECK_EQ(got.sig, sig);
    CHECK_EQ(got.code, code);
    CHECK_EQ(got.addr, addr);
    CHECK_EQ(got.x[0], (uint64_t)at);
    CHECK_EQ(got.x[1], 0x3030);
    CHECK_EQ(got.x[2], sp_at);
    for (int i = 5; i < 32; i++) CHECK_EQ(got.x[i], i == 10 ? base : P + i);
    for (int i = 0; i < 32; i++) CHECK_EQ(got.f[i], P + i);
    CHECK_EQ(got.fcsr, 0x42);
    for (int i = 5; i < 32; i++) CHECK_EQ(xout[i], i == 10 ? base : change && i == 19 ? 0x1919 : change && i == 20 ? 0 : P + i);
    for (int i = 0; i < 32; i++) CHECK_EQ(fout[i], change && i == 7 ? 0x7777 : P + i);
    CHECK_EQ(fcsr_out, change ? 0x71 : 0x42);
    printf("%s %s\n", name, check_failures == before ? "exact" : "wrong");
}

int main(void) {
    struct sigaction sa = {.sa_flags = SA_SIGINFO};
    sa.sa_sigaction = handler;
    int sigs[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP};
    for (int i = 0; i < 4; i++) sigaction(sigs[i], &sa, NULL);
    char *m = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(m + 4096, 4096);
    mprotect(m + 8192, 4096, PROT_READ);
    uint64_t hole = (uint64_t)m + 4096, ro = (uint64_t)m + 8192;
    for (int k = 0; k < 3; k++) {
        change = k == 2, skip = 4;
        run("ld", f_ld, f_ld_at, hole, SIGSEGV, SEGV_MAPERR, hole);
        run("lb", f_lb, f_lb_at, hole + 8, SIGSEGV, SEGV_MAPERR, hole + 5);
        run("sd", f_sd, f_sd_at, hole, SIGSEGV, SEGV_MAPERR, hole + 8);
        run("sb to read-only", f_sb, f_sb_at, ro, SIGSEGV, SEGV_ACCERR, ro + 2047);
        run("ld over its base", f_same, f_same_at, hole, SIGSEGV, SEGV_MAPERR, hole);
        run("fld", f_fld, f_fld_at, hole, SIGSEGV, SEGV_MAPERR, hole + 16);
        run("fsw", f_fsw, f_fsw_at, ro, SIGSEGV, SEGV_ACCERR, ro + 4);
        run("lr.d", f_lr, f_lr_at, hole, SIGSEGV, SEGV_MAPERR, hole);
        run("amoadd.w", f_amo, f_amo_at, hole, SIGSEGV, SEGV_MAPERR, hole);
        run("c.ld", f_cld, f_cld_at, hole, SIGSEGV, SEGV_MAPERR, hole + 8);
        run("ebreak", f_break, f_break_at, hole, SIGTRAP, TRAP_BRKPT, (uint64_t)f_break_at);
        run("zero word", f_zero, f_zero_at, hole, SIGILL, ILL_ILLOPC, (uint64_t)f_zero_at);
        run("csrr mstatus", f_csr, f_csr_at, hole, SIGILL, ILL_ILLOPC, (uint64_t)f_csr_at);
    }
    return check_done("sigframe");
}
