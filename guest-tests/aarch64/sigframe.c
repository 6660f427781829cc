// The signal frame at a fault: every register exact, changes by the handler kept, for each kind of fault.
#include "check.h"
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

static struct {
    uint64_t x[31], sp, pc, pstate, fault;
    int sig, code;
    uint64_t addr;
    __uint128_t v[32];
    uint32_t fpsr, fpcr;
    int magic_ok;
} got;
static int mode;

static void handler(int sig, siginfo_t *si, void *p) {
    ucontext_t *uc = p;
    memcpy(got.x, uc->uc_mcontext.regs, sizeof got.x);
    got.sp = uc->uc_mcontext.sp, got.pc = uc->uc_mcontext.pc, got.pstate = uc->uc_mcontext.pstate;
    got.fault = uc->uc_mcontext.fault_address;
    got.sig = sig, got.code = si->si_code, got.addr = (uint64_t)si->si_addr;
    struct _aarch64_ctx *c = (void *)uc->uc_mcontext.__reserved;
    got.magic_ok = 0;
    while (c->magic) {
        if (c->magic == FPSIMD_MAGIC && c->size == sizeof(struct fpsimd_context)) {
            struct fpsimd_context *f = (void *)c;
            memcpy(got.v, f->vregs, sizeof got.v);
            got.fpsr = f->fpsr, got.fpcr = f->fpcr, got.magic_ok = 1;
            if (mode == 1) {
                f->vregs[7] = 0x7777, f->fpsr = 0x08000010;
                uc->uc_mcontext.regs[19] = 0x1919;
                uc->uc_mcontext.regs[20] = 0;
                uc->uc_mcontext.pstate = (uc->uc_mcontext.pstate & ~0xf0000000ull) | 0x60000000;
            }
        }
        c = (void *)((char *)c + c->size);
    }
    uc->uc_mcontext.pc += 4;
}

// Fills x0-x28 (but the given base in x1) and v0-v31 with patterns, sets NZCV, executes one instruction, stores x and v.
__attribute__((used)) uint64_t xout[31];
__attribute__((used)) __uint128_t vout[32];
__attribute__((used)) uint64_t nzcv_out, fpsr_out;
#define FAULT_WITH(name, insn)                                                                     \
    __attribute__((naked, noinline)) static void name(uint64_t base) {                             \
        asm("stp x29, x30, [sp, #-160]!\n stp x19, x20, [sp, #16]\n stp x21, x22, [sp, #32]\n"      \
            "stp x23, x24, [sp, #48]\n stp x25, x26, [sp, #64]\n stp x27, x28, [sp, #80]\n"         \
            "stp d8, d9, [sp, #96]\n stp d10, d11, [sp, #112]\n stp d12, d13, [sp, #128]\n stp d14, d15, [sp, #144]\n" \
            "mov x1, x0\n"                                                                         \
            ".irp n,0,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29\n" \
            "mov x\\n, #\\n\n movk x\\n, #0xabc, lsl #48\n .endr\n"                                   \
            ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29\n" \
            "dup v\\n\\().2d, x\\n\n .endr\n"                                                        \
            "mov x30, #0x3030\n"                                                                   \
            "msr fpsr, xzr\n mov x30, #0x90000000\n msr nzcv, x30\n mov x30, #0x3030\n"             \
            ".globl " #name "_at\n" #name "_at: " insn "\n"                                        \
            "adrp x30, xout\n add x30, x30, :lo12:xout\n"                                          \
            "stp x0, x1, [x30]\n stp x2, x3, [x30, #16]\n stp x19, x20, [x30, #152]\n str x28, [x30, #224]\n" \
            "mrs x0, nzcv\n adrp x30, nzcv_out\n str x0, [x30, :lo12:nzcv_out]\n"                   \
            "mrs x0, fpsr\n adrp x30, fpsr_out\n str x0, [x30, :lo12:fpsr_out]\n"                   \
            "adrp x30, vout\n add x30, x30, :lo12:vout\n stp q0, q1, [x30]\n stp q6, q7, [x30, #96]\n str q31, [x30, #496]\n" \
            "ldp x19, x20, [sp, #16]\n ldp x21, x22, [sp, #32]\n ldp x23, x24, [sp, #48]\n"         \
            "ldp x25, x26, [sp, #64]\n ldp x27, x28, [sp, #80]\n ldp d8, d9, [sp, #96]\n"           \
            "ldp d10, d11, [sp, #112]\n ldp d12, d13, [sp, #128]\n ldp d14, d15, [sp, #144]\n"      \
            "ldp x29, x30, [sp], #160\n ret\n");                                                   \
    }                                                                                              \
    extern char name##_at[];
FAULT_WITH(f_ldr, "ldr x2, [x1]")
FAULT_WITH(f_str, "str x3, [x1, #8]")
FAULT_WITH(f_post, "ldr x2, [x1], #16")
FAULT_WITH(f_pre, "str x2, [x1, #-32]!")
FAULT_WITH(f_ldp, "ldp x2, x3, [x1]")
FAULT_WITH(f_ldpq, "ldp q0, q1, [x1]")
FAULT_WITH(f_ld4, "ld4 {v0.16b-v3.16b}, [x1], #64")
FAULT_WITH(f_ldxr, "ldxr x2, [x1]")
FAULT_WITH(f_brk, "brk #77")
FAULT_WITH(f_udf, ".inst 0x00000042")
FAULT_WITH(f_cas, "strb w2, [x1, w3, uxtw]")

static void run(const char *name, void (*f)(uint64_t), char *at, uint64_t base, int sig, int code, uint64_t addr) {
    memset(&got, 0, sizeof got);
    f(base);
    int before = check_failures;
    CHECK_EQ(got.sig, sig);
    CHECK_EQ(got.code, code);
    CHECK_EQ(got.addr, addr);
    CHECK_EQ(got.pc, (uint64_t)at);
    CHECK(got.magic_ok);
    CHECK_EQ(got.x[1], base);
    CHECK_EQ(got.x[30], 0x3030);
    for (int i = 0; i < 30; i++)
        if (i != 1) CHECK_EQ(got.x[i], 0x0abc000000000000ull | i);
    CHECK_EQ(got.pstate & 0xf0000000, 0x90000000);
    for (int i = 0; i < 30; i++)
        if (i != 1) CHECK((uint64_t)got.v[i] == (0x0abc000000000000ull | i) && (uint64_t)(got.v[i] >> 64) == (0x0abc000000000000ull | i));
    CHECK_EQ(xout[1], base);
    CHECK_EQ(xout[2], 0x0abc000000000002ull);
    CHECK_EQ(xout[3], 0x0abc000000000003ull);
    if (mode == 0) {
        CHECK_EQ(nzcv_out, 0x90000000);
        CHECK_EQ(xout[19], 0x0abc000000000013ull);
        CHECK((uint64_t)vout[0] == 0x0abc000000000000ull);
    } else {
        CHECK_EQ(nzcv_out, 0x60000000);
        CHECK_EQ(xout[19], 0x1919);
        CHECK_EQ(xout[20], 0);
        CHECK(vout[7] == 0x7777);
        CHECK_EQ(fpsr_out, 0x08000010);
    }
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
        mode = k == 2;
        run("ldr", f_ldr, f_ldr_at, hole, SIGSEGV, SEGV_MAPERR, hole);
        run("str", f_str, f_str_at, hole, SIGSEGV, SEGV_MAPERR, hole + 8);
        run("str to read-only", f_str, f_str_at, ro + 100, SIGSEGV, SEGV_ACCERR, ro + 108);
        run("post-index", f_post, f_post_at, hole, SIGSEGV, SEGV_MAPERR, hole);
        run("pre-index", f_pre, f_pre_at, hole + 64, SIGSEGV, SEGV_MAPERR, hole + 32);
        run("ldp", f_ldp, f_ldp_at, hole, SIGSEGV, SEGV_MAPERR, hole);
        run("ldp q", f_ldpq, f_ldpq_at, hole, SIGSEGV, SEGV_MAPERR, hole);
        run("ld4", f_ld4, f_ld4_at, hole, SIGSEGV, SEGV_MAPERR, hole);
        run("ldxr", f_ldxr, f_ldxr_at, hole, SIGSEGV, SEGV_MAPERR, hole);
        run("strb uxtw", f_cas, f_cas_at, hole, SIGSEGV, SEGV_MAPERR, hole + 3);
        run("brk", f_brk, f_brk_at, hole, SIGTRAP, TRAP_BRKPT, (uint64_t)f_brk_at);
        run("udf", f_udf, f_udf_at, hole, SIGILL, ILL_ILLOPC, (uint64_t)f_udf_at);
    }
    return check_done("sigframe");
}
