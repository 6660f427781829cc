// Registers, flags and memory at a SIGSEGV in the midst of an instruction: strings in both directions and sizes across a page's end,
// push, call, enter, xchg, cmpxchg, xadd, pop to memory, vector stores, gather and scatter.
#include "check.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#ifdef __x86_64__
enum { IP = REG_RIP, AX = REG_RAX, BX = REG_RBX, CX = REG_RCX, DX = REG_RDX, SI = REG_RSI, DI = REG_RDI, BP = REG_RBP, SP = REG_RSP };
#else
enum { IP = REG_EIP, AX = REG_EAX, BX = REG_EBX, CX = REG_ECX, DX = REG_EDX, SI = REG_ESI, DI = REG_EDI, BP = REG_EBP, SP = REG_ESP };
#endif
#ifdef __x86_64__
#define W "r"
#define PFX "q"
#define WORD "8"
#else
#define W "e"
#define PFX "l"
#define WORD "4"
#endif

// Three pages with a hole in the middle, and one that can only be read.
static unsigned char *a, *hole, *b, *ro;
static sigjmp_buf env;
static struct regs { uintptr_t ax, bx, cx, dx, si, di, bp, sp, flags, ip, addr; int code; long err; } at;
static void handler(int sig, siginfo_t *si, void *p) {
    ucontext_t *uc = p;
    greg_t *g = uc->uc_mcontext.gregs;
    at = (struct regs){g[AX], g[BX], g[CX], g[DX], g[SI], g[DI], g[BP], g[SP], g[REG_EFL] & 0xcd5, g[IP], (uintptr_t)si->si_addr, si->si_code, g[REG_ERR]};
    siglongjmp(env, 1);
}
// A register as the program sees it: relative to what it points into.
static const char *shown(uintptr_t v) {
    static char text[16][40];
    static int n;
    char *t = text[n++ & 15];
    struct { const char *name; unsigned char *p; } known[] = {{"a", a}, {"hole", hole}, {"b", b}, {"ro", ro}};
    for (int i = 0; i < 4; i++)
        if (v >= (uintptr_t)known[i].p && v < (uintptr_t)known[i].p + 4096) return snprintf(t, 40, "%s+%lu", known[i].name, (long)(v - (uintptr_t)known[i].p)), t;
    return snprintf(t, 40, "%#lx", (long)v), t;
}
static uint64_t memory(void) { return fnv(fnv(fnv(0, a, 4096), b, 4096), ro, 4096); }
static void fill(void) {
    for (int i = 0; i < 4096; i++) a[i] = i * 7 + 1, b[i] = i * 5 + 3;
}
static void report(const char *name, uintptr_t start) {
    // Frame pointers, which differ from run to run, were pushed.
    if (!strncmp(name, "enter, level", 12)) fill();
    printf("%s: +%ld ax %s bx %s cx %s dx %s si %s di %s bp %s sp %s flags %#lx at %s code %d err %#lx memory %016llx\n", name, (long)(at.ip - start), shown(at.ax), shown(at.bx),
           shown(at.cx), shown(at.dx), shown(at.si), shown(at.di), shown(at.bp), shown(at.sp), (long)at.flags, shown(at.addr), at.code, at.err, (unsigned long long)memory());
}

// The registers that the instruction finds; symbols of the assembly, as is where its code begins.
struct in { uintptr_t ax, bx, cx, dx, si, di, bp, sp; } in_regs;
uintptr_t kept_bp, kept_sp, started;
#define IN(n) "in_regs+" #n "*" WORD
// Loads the registers, sets SF and PF and clears the other flags, runs the instruction, and says what came of it.
#define TRY(name, text, ...)                                                                                       \
    do {                                                                                                           \
        struct in in = {(uintptr_t)0x1122334455667788ull, 0xb, 0xc, 0xd, 0x51, 0xd1, 0xb9, (uintptr_t)a + 2048};   \
        fill();                                                                                                    \
        __VA_ARGS__;                                                                                               \
        in_regs = in;                                                                                              \
        if (!sigsetjmp(env, 1)) {                                                                                  \
            asm volatile("mov %%" W "bp, kept_bp; mov %%" W "sp, kept_sp\n"                                        \
                         "mov $1f, %%" W "ax; mov %%" W "ax, started\n"                                            \
                         "mov $0x84, %%eax; push %%" W "ax; popf\n"                                                \
                         "mov " IN(0) ", %%" W "ax; mov " IN(1) ", %%" W "bx; mov " IN(2) ", %%" W "cx\n"          \
                         "mov " IN(3) ", %%" W "dx; mov " IN(4) ", %%" W "si; mov " IN(5) ", %%" W "di\n"          \
                         "mov " IN(6) ", %%" W "bp; mov " IN(7) ", %%" W "sp\n"                                    \
                         "1: " text "\n"                                                                           \
                         "cld; mov kept_bp, %%" W "bp; mov kept_sp, %%" W "sp\n" ::                                \
                             : "memory", "cc", W "ax", W "bx", W "cx", W "dx", W "si", W "di");                    \
            printf("%s: no fault, memory %016llx\n", name, (unsigned long long)memory());                          \
        } else {                                                                                                   \
            report(name, started);                                                                                 \
        }                                                                                                          \
        asm volatile("cld");                                                                                       \
    } while (0)
#define END(p, n) (uintptr_t)((p) + 4096 - (n))

#ifdef __x86_64__
// These say the same on machines that do not have the instructions.
static unsigned xmm[2][4];
static int mended;
static void vector_handler(int sig, siginfo_t *si, void *p) {
    ucontext_t *uc = p;
    memcpy(xmm, uc->uc_mcontext.fpregs->_xmm, sizeof xmm);
    at.addr = (uintptr_t)si->si_addr, at.ip = uc->uc_mcontext.gregs[IP];
    mprotect(hole, 4096, PROT_READ | PROT_WRITE);
    mended++;
}
static void gather(void) {
    static unsigned index[4] = {3, 1, 1024 + 5, 7}, ones[4] = {~0u, ~0u, ~0u, ~0u}, out[8];
    struct sigaction sa = {.sa_sigaction = vector_handler, .sa_flags = SA_SIGINFO | SA_ONSTACK}, old;
    sigaction(SIGSEGV, &sa, &old);
    fill();
    unsigned *from = (unsigned *)a;
    if (__builtin_cpu_supports("avx2")) {
        asm volatile("vmovdqu %1, %%xmm2; vmovdqu %2, %%xmm1; vpxor %%xmm0, %%xmm0, %%xmm0\n"
                     "vpgatherdd %%xmm1, (%3,%%xmm2,4), %%xmm0\n"
                     "vmovdqu %%xmm0, %0; vmovdqu %%xmm1, 16+%0" : "=m"(out) : "m"(index), "m"(ones), "r"(from) : "xmm0", "xmm1", "xmm2", "memory");
        // What is below the fault is done, and its part of the mask is clear.
        CHECK_EQ(xmm[0][0], from[3]); CHECK_EQ(xmm[0][1], from[1]); CHECK_EQ(xmm[0][2], 0);
        CHECK_EQ(xmm[1][0], 0); CHECK_EQ(xmm[1][1], 0); CHECK_EQ(xmm[1][2], ~0u); CHECK_EQ(xmm[1][3], ~0u);
        CHECK_EQ(at.addr, (uintptr_t)(from + 1024 + 5)); CHECK_EQ(mended, 1);
        for (int i = 0; i < 4; i++) { CHECK_EQ(out[i], from[index[i]]); CHECK_EQ(out[4 + i], 0); }
        mprotect(hole, 4096, PROT_NONE);
    }
    sigaction(SIGSEGV, &old, NULL);
    puts("gather");
}
static void scatter(void) {
    static unsigned index[16] = {3, 1, 1024 + 5, 7, 9, 11, 1024 + 6, 13, 15, 17, 19, 21, 23, 25, 27, 29};
    struct sigaction sa = {.sa_sigaction = vector_handler, .sa_flags = SA_SIGINFO | SA_ONSTACK}, old;
    sigaction(SIGSEGV, &sa, &old);
    fill();
    unsigned *to = (unsigned *)a, mask = 0xffff;
    mended = 0;
    if (__builtin_cpu_supports("avx512f")) {
        asm volatile("kmovw %1, %%k1; vmovdqu32 %2, %%zmm16\n"
                     "vpscatterdd %%zmm16, (%3,%%zmm16,4)%{%%k1%}\n"
                     "kmovw %%k1, %0" : "=r"(mask) : "r"(mask), "m"(index), "r"(to) : "memory");
        CHECK_EQ(mask, 0); CHECK_EQ(mended, 1); CHECK_EQ(at.addr, (uintptr_t)(to + 1024 + 5));
        for (int i = 0; i < 16; i++) CHECK_EQ(to[index[i]], index[i]);
        mprotect(hole, 4096, PROT_NONE);
    }
    sigaction(SIGSEGV, &old, NULL);
    puts("scatter");
}
#endif

int main(void) {
    a = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    hole = a + 4096, b = a + 2 * 4096, ro = a + 3 * 4096;
    mprotect(hole, 4096, PROT_NONE), mprotect(ro, 4096, PROT_READ);
    stack_t alt = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
    sigaltstack(&alt, NULL);
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGSEGV, &sa, NULL), sigaction(SIGBUS, &sa, NULL);

    TRY("rep movsb, to", "rep movsb", in.si = (uintptr_t)b, in.di = END(a, 100), in.cx = 300);
    TRY("rep movsb, from", "rep movsb", in.si = END(a, 100), in.di = (uintptr_t)b, in.cx = 300);
    TRY("rep movsw", "rep movsw", in.si = END(a, 101), in.di = (uintptr_t)b + 8, in.cx = 300);
    TRY("rep movsl", "rep movsl", in.si = (uintptr_t)b, in.di = END(a, 102), in.cx = 300);
    TRY("rep movsb, over itself", "rep movsb", in.si = END(a, 103), in.di = END(a, 100), in.cx = 300);
    TRY("rep movsb, down", "std; rep movsb", in.si = END(a, 1), in.di = (uintptr_t)b + 50, in.cx = 300);
    TRY("rep movsl, down", "std; rep movsl", in.si = (uintptr_t)b + 51, in.di = END(a, 8), in.cx = 300);
    TRY("rep movsb, to what is read-only", "rep movsb", in.si = (uintptr_t)a, in.di = END(b, 77), in.cx = 300);
    TRY("rep movsb, at once", "rep movsb", in.si = (uintptr_t)hole, in.di = (uintptr_t)b, in.cx = 3);
    TRY("rep movsb, none", "rep movsb", in.si = (uintptr_t)hole, in.di = (uintptr_t)hole, in.cx = 0);
    TRY("rep stosb", "rep stosb", in.di = END(a, 100), in.cx = 300);
    TRY("rep stosl", "rep stosl", in.di = END(a, 102), in.cx = 300);
    TRY("rep stosb, down", "std; rep stosb", in.di = (uintptr_t)b + 99, in.cx = 300);
    TRY("rep lodsb", "rep lodsb", in.si = END(a, 10), in.cx = 300);
    TRY("repe cmpsb", "repe cmpsb", memcpy(b, a + 4096 - 64, 64); in.si = END(a, 64), in.di = (uintptr_t)b, in.cx = 300);
    TRY("repne scasb", "repne scasb", memset(a + 4096 - 64, 0, 64); in.di = END(a, 64), in.cx = 300);
    TRY("movsl", "movsl", in.si = (uintptr_t)b, in.di = END(a, 2));
    TRY("stosl", "stosl", in.di = (uintptr_t)hole);
    TRY("cmpsl", "cmpsl", in.si = (uintptr_t)b, in.di = END(a, 2));

    TRY("push", "push %%" W "ax", in.sp = (uintptr_t)b);
    TRY("push of memory", "push" PFX " (%%" W "si)", in.si = (uintptr_t)hole, in.sp = (uintptr_t)b + 64);
    TRY("push to and from nothing", "push" PFX " (%%" W "si)", in.si = (uintptr_t)ro - 12288 + 4096, in.sp = (uintptr_t)b);
    TRY("pushf", "pushf", in.sp = (uintptr_t)b);
    TRY("pop", "pop %%" W "ax", in.sp = (uintptr_t)hole + 8);
    TRY("pop to memory", "pop" PFX " (%%" W "di)", in.sp = (uintptr_t)b, in.di = (uintptr_t)ro);
    TRY("pop to memory by sp", "pop" PFX " 4088(%%" W "sp)", in.sp = (uintptr_t)b);
    TRY("call", "call 2f; 2:", in.sp = (uintptr_t)b);
    TRY("call of memory", "call *(%%" W "si)", in.si = (uintptr_t)hole, in.sp = (uintptr_t)b);
    TRY("call, nothing to push to", "call *(%%" W "si)", in.si = (uintptr_t)b + 128, in.sp = (uintptr_t)b);
    TRY("ret", "ret", in.sp = (uintptr_t)hole);
    TRY("ret n", "ret $16", in.sp = (uintptr_t)hole + 4000);
    TRY("leave", "leave", in.bp = (uintptr_t)hole);
    TRY("enter", "enter $64, $0", in.sp = (uintptr_t)b);
    TRY("enter, level 3", "enter $64, $3", in.bp = (uintptr_t)b + 100, in.sp = (uintptr_t)b + 12);
    TRY("enter, level 3, from nothing", "enter $64, $3", in.bp = (uintptr_t)b + 4, in.sp = (uintptr_t)b + 200);

    TRY("xchg", "xchg %%" W "ax, (%%" W "di)", in.di = (uintptr_t)ro);
    TRY("xchg across", "xchg %%" W "ax, (%%" W "di)", in.di = END(b, 3));
    TRY("cmpxchg, equal", "cmpxchg %%" W "bx, (%%" W "di)", in.di = (uintptr_t)ro, in.ax = 0);
    TRY("cmpxchg, different", "cmpxchg %%" W "bx, (%%" W "di)", in.di = (uintptr_t)ro, in.ax = 5);
    TRY("lock cmpxchg, different", "lock cmpxchg %%" W "bx, (%%" W "di)", in.di = (uintptr_t)ro, in.ax = 5);
    TRY("cmpxchg8b", "cmpxchg8b (%%" W "di)", in.di = (uintptr_t)ro, in.ax = 1);
    TRY("xadd", "xadd %%" W "bx, (%%" W "di)", in.di = (uintptr_t)ro);
    TRY("lock xadd", "lock xadd %%" W "bx, (%%" W "di)", in.di = (uintptr_t)ro);
    TRY("add to memory", "add %%" W "bx, (%%" W "di)", in.di = (uintptr_t)ro);
    TRY("adc to memory across", "adc" PFX " $-1, (%%" W "di)", in.di = END(b, 1));
    TRY("inc", "incl (%%" W "di)", in.di = (uintptr_t)ro);
    TRY("shl", "shll $3, (%%" W "di)", in.di = (uintptr_t)ro);
    TRY("bts", "bts %%" W "cx, (%%" W "di)", in.di = (uintptr_t)b, in.cx = 4096 * 8 + 5);
    TRY("div", "divl (%%" W "di)", in.di = (uintptr_t)hole);
    TRY("setc", "setc (%%" W "di)", in.di = (uintptr_t)ro);
    TRY("cmov", "cmovs (%%" W "di), %%eax", in.di = (uintptr_t)hole);
    TRY("cmov, not taken", "cmovc (%%" W "di), %%eax", in.di = (uintptr_t)hole);
    TRY("xlat", "xlat", in.bx = (uintptr_t)hole, in.ax = 7);
    TRY("fstp", "fld1; fstpt (%%" W "di); fstp %%st", in.di = END(b, 5));
    asm volatile("fninit");
#ifdef __x86_64__
    TRY("cmpxchg16b", "cmpxchg16b (%%rdi)", in.di = (uintptr_t)ro, in.ax = 1);
    TRY("rep movsq", "rep movsq", in.si = END(a, 101), in.di = (uintptr_t)b + 8, in.cx = 300);
    TRY("rep stosq, down", "std; rep stosq", in.di = (uintptr_t)b + 99, in.cx = 300);
    TRY("rep movsb, 32-bit addresses", ".byte 0x67; rep movsb", in.si = 0x700000010, in.di = 0x500000001, in.cx = 0x100000002);
#endif
    TRY("movups across", "pcmpeqd %%xmm0, %%xmm0; movups %%xmm0, (%%" W "di)", in.di = END(a, 7));
    TRY("movups across, read-only", "pcmpeqd %%xmm0, %%xmm0; movups %%xmm0, (%%" W "di)", in.di = END(b, 7));
#ifdef __x86_64__
    gather(), scatter();
#endif
    return check_done("precise");
}
