// test: link=static,dynamic
// Every exception that a program can raise: signal, code, address, vector, error code, cr2, the resume flag, and where it is.
#define _GNU_SOURCE
#include "check.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#ifdef __x86_64__
#define IP REG_RIP
#define SP "rsp"
#define AX "rax"
#define BP "rbp"
#define PUSHF "pushfq"
#define POPF "popfq"
#else
#define IP REG_EIP
#define SP "esp"
#define AX "eax"
#define BP "ebp"
#define PUSHF "pushfl"
#define POPF "popfl"
#endif

static sigjmp_buf env;
static volatile int sig_, code_;
static volatile uintptr_t addr_, ip_;
static volatile long trapno_, err_;
static volatile unsigned long cr2_, flags_;
static void handler(int s, siginfo_t *si, void *p) {
    // AC stays set in handlers, and the C library is not for it.
    asm volatile(PUSHF "; andl $~0x40000,(%%" SP "); " POPF ::: "memory", "cc");
    ucontext_t *uc = p;
    greg_t *g = uc->uc_mcontext.gregs;
    sig_ = s, code_ = si->si_code, addr_ = (uintptr_t)si->si_addr, ip_ = g[IP];
    trapno_ = g[REG_TRAPNO], err_ = g[REG_ERR], flags_ = g[REG_EFL];
#ifdef __x86_64__
    cr2_ = g[REG_CR2];
#else
    cr2_ = uc->uc_mcontext.cr2;
#endif
    siglongjmp(env, 1);
}

static char *page, *readonly, *none, *beyond;
static const char *place(uintptr_t a, uintptr_t start, uintptr_t end) {
    static char text[4][64];
    static int n;
    char *t = text[n++ & 3];
    struct { const char *name; uintptr_t at; } known[] = {{"page", (uintptr_t)page}, {"readonly", (uintptr_t)readonly}, {"none", (uintptr_t)none}, {"beyond", (uintptr_t)beyond}};
    for (int i = 0; i < 4; i++)
        if (a >= known[i].at && a < known[i].at + 4096) return snprintf(t, 64, "%s+%lu", known[i].name, (long)(a - known[i].at)), t;
    if (a == start) return "start";
    if (a == end) return "end";
    if (a > start && a < end) return snprintf(t, 64, "start+%lu", (long)(a - start)), t;
    return snprintf(t, 64, "%#lx", (long)a), t;
}
static void report(const char *name, uintptr_t start, uintptr_t end) {
    printf("%s: signal %d code %d addr %s trap %ld err %#lx rf %lu at %s", name, sig_, code_, place(addr_, start, end), trapno_, err_, flags_ >> 16 & 1, place(ip_, start, end));
    if (trapno_ == 14) printf(" cr2 %s", place(cr2_, start, end));
    printf("\n");
}

#define TRY(name, code, ...)                                                                             \
    do {                                                                                                   \
        extern char start_##name[], end_##name[];                                                          \
        if (!sigsetjmp(env, 1)) {                                                                          \
            asm volatile("start_" #name ": " code "; end_" #name ":" : : __VA_ARGS__ : "memory", "cc", AX, "ecx", "edx"); \
            printf(#name ": no signal\n");                                                                 \
        } else                                                                                             \
            report(#name, (uintptr_t)start_##name, (uintptr_t)end_##name);                                 \
    } while (0)

static void __attribute__((noinline)) all(void) {
    TRY(ud2, "ud2");
    TRY(int3, "int3");
    TRY(int1, ".byte 0xf1");
    TRY(divide, "xor %%edx,%%edx; mov $5,%%eax; xor %%ecx,%%ecx; div %%ecx");
    TRY(overflow, "mov $0x80000000,%%eax; cdq; mov $-1,%%ecx; idiv %%ecx");
    TRY(hlt, "hlt");
    TRY(cli, "cli");
    TRY(in, "in $0x40,%%al");
    TRY(int50, "int $0x50");
    TRY(cr0, "mov %%cr0,%%" AX);
    TRY(read_null, "mov 8,%%eax");
    TRY(write_null, "movl $1,16");
    TRY(write_readonly, "movl $1,12(%0)", "r"(readonly));
    TRY(rmw_readonly, "addl $1,12(%0)", "r"(readonly));
    TRY(read_none, "mov 4(%0),%%eax", "r"(none));
    TRY(write_none, "mov %%eax,4(%0)", "r"(none));
    TRY(across, "mov 4094(%0),%%eax", "r"(readonly));
    TRY(file_end, "mov 20(%0),%%eax", "r"(beyond));
    TRY(push_none, "mov %%" SP ",%%" AX "; mov %0,%%" SP "; push %%" AX, "r"(none + 8));
    TRY(jump_nx, "jmp *%0", "r"(page + 32));
    TRY(jump_null, "xor %%eax,%%eax; jmp *%%" AX);
    TRY(call_none, "call *%0", "r"(none + 64));
    TRY(sel_kernel, "mov $0x10,%%eax; mov %%eax,%%ds");
    TRY(sel_beyond, "mov $0x1fb,%%eax; mov %%eax,%%es");
    TRY(sel_ss, "mov $0x23,%%eax; mov %%eax,%%ss");
    TRY(sel_ss_null, "xor %%eax,%%eax; mov %%eax,%%ss");
    TRY(mov_cs, ".byte 0x8e,0xc8");
    TRY(lock, ".byte 0xf0,0x90");
    TRY(lock_reg, ".byte 0xf0,0x01,0xc0");
    TRY(step, PUSHF "; orl $0x100,(%%" SP "); " POPF "; nop; nop");
    TRY(aligned, PUSHF "; orl $0x40000,(%%" SP "); " POPF "; mov 1(%0),%%eax; nop", "r"(page));
    TRY(sse_aligned, "movaps 1(%0),%%xmm0", "r"(page));
    // Hints of newer CPUs: rdsspd, bndmov.
    TRY(hints, ".byte 0xf3,0x0f,0x1e,0xc8,0x66,0x0f,0x1a,0xc1");
#ifdef __x86_64__
    TRY(wild_read, "mov (%0),%%eax", "r"(0x800000000000));
    TRY(wild_write, "mov %%eax,(%0)", "r"(0x1234567812345678));
    TRY(wild_stack, "mov %%rsp,%%rdx; mov %0,%%rsp; push %%rdx", "r"(0x800000000000));
    TRY(wild_base, "mov %%rbp,%%rcx; mov %0,%%rbp; mov (%%rbp),%%eax", "r"(0x800000000000));
    TRY(kernel_read, "mov (%0),%%eax", "r"(0xffffffff80000000));
    TRY(vsyscall_read, "mov 0xffffffffff600000,%%rax");
#else
    TRY(into, "mov $0x7fffffff,%%eax; inc %%eax; into");
    TRY(bound, "mov $50,%%eax; bound %%eax,(%0)", "r"((int[]){1, 9}));
    TRY(top_read, "mov 0xfffffffc,%%eax");
#endif
}

int main(void) {
    static char alt[65536];
    stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt};
    sigaltstack(&ss, NULL);
    struct sigaction sa = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    sa.sa_sigaction = handler;
    int sigs[] = {SIGILL, SIGTRAP, SIGBUS, SIGSEGV, SIGFPE};
    for (int i = 0; i < 5; i++) sigaction(sigs[i], &sa, NULL);
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page[0] = 1;
    char *two = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    two[0] = two[4096] = 1;
    readonly = two, none = two + 4096;
    mprotect(readonly, 4096, PROT_READ);
    mprotect(none, 4096, PROT_NONE);
    FILE *f = tmpfile();
    beyond = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(f), 0);
    all();
    return check_done("faults");
}
