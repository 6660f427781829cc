/*
 * The oracle's half of the instruction tests: a bare AArch64 program that runs instructions under the reference emulator. It reads batches from standard input (header, `insns` words, `count` states), runs the instructions once per state and
 * writes the states afterwards. The 512 bytes at WINDOW are part of the state, so loads and stores can be tested.
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long u64;

#define WINDOW 0x40000000ul
#define WINDOW_PAGE 4096
#define WINDOW_OFFSET 1024
#define WINDOW_SIZE 512
#define MAX_INSNS 64

struct state {
    u64 x[31], sp;
    u64 v[64];
    u32 nzcv, fpcr, fpsr, status;
    u64 pc_delta;
    u64 pad;
    u8 window[WINDOW_SIZE];
};

struct header {
    u32 insns, count, memory, pad;
};

static long call(long n, long a, long b, long c, long d, long e, long f)
{
    register long x8 asm("x8") = n;
    register long x0 asm("x0") = a;
    register long x1 asm("x1") = b;
    register long x2 asm("x2") = c;
    register long x3 asm("x3") = d;
    register long x4 asm("x4") = e;
    register long x5 asm("x5") = f;
    asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}

/* Freestanding code still needs this one for structure copies. */
void *memcpy(void *to, const void *from, u64 n)
{
    u8 *d = to;
    const u8 *s = from;
    while (n--)
        *d++ = *s++;
    return to;
}

static int read_all(void *p, u64 n)
{
    u8 *at = p;
    while (n) {
        long r = call(63, 0, (long)at, n, 0, 0, 0);
        if (r <= 0)
            return 0;
        at += r;
        n -= r;
    }
    return 1;
}

static void write_all(const void *p, u64 n)
{
    const u8 *at = p;
    while (n) {
        long r = call(64, 1, (long)at, n, 0, 0, 0);
        if (r <= 0)
            call(93, 1, 0, 0, 0, 0, 0);
        at += r;
        n -= r;
    }
}

/*
 * run: x0 = state, x1 = address of the patched instruction. TPIDR_EL0 keeps x30 while the state is saved. A signal
 * handler sends control to run_after as well, with the signal in `caught`.
 */
void run(struct state *s, void *code);
extern u8 run_after[];
struct state *current;
u64 saved_sp;
u64 after_pc;
u32 caught;
asm(".text\n"
    ".global run\n"
    ".type run, %function\n"
    "run:\n"
    "  stp x29, x30, [sp, #-160]!\n"
    "  stp x19, x20, [sp, #16]\n"
    "  stp x21, x22, [sp, #32]\n"
    "  stp x23, x24, [sp, #48]\n"
    "  stp x25, x26, [sp, #64]\n"
    "  stp x27, x28, [sp, #80]\n"
    "  stp d8, d9, [sp, #96]\n"
    "  stp d10, d11, [sp, #112]\n"
    "  stp d12, d13, [sp, #128]\n"
    "  stp d14, d15, [sp, #144]\n"
    "  adrp x2, saved_sp\n"
    "  mov x3, sp\n"
    "  str x3, [x2, :lo12:saved_sp]\n"
    "  adrp x2, current\n"
    "  str x0, [x2, :lo12:current]\n"
    "  msr tpidr_el0, x1\n"
    "  mov x30, x0\n"
    "  add x1, x30, #256\n"
    "  ldp q0, q1, [x1]\n"
    "  ldp q2, q3, [x1, #32]\n"
    "  ldp q4, q5, [x1, #64]\n"
    "  ldp q6, q7, [x1, #96]\n"
    "  ldp q8, q9, [x1, #128]\n"
    "  ldp q10, q11, [x1, #160]\n"
    "  ldp q12, q13, [x1, #192]\n"
    "  ldp q14, q15, [x1, #224]\n"
    "  ldp q16, q17, [x1, #256]\n"
    "  ldp q18, q19, [x1, #288]\n"
    "  ldp q20, q21, [x1, #320]\n"
    "  ldp q22, q23, [x1, #352]\n"
    "  ldp q24, q25, [x1, #384]\n"
    "  ldp q26, q27, [x1, #416]\n"
    "  ldp q28, q29, [x1, #448]\n"
    "  ldp q30, q31, [x1, #480]\n"
    "  ldr w1, [x30, #768]\n"
    "  msr nzcv, x1\n"
    "  ldr w1, [x30, #772]\n"
    "  msr fpcr, x1\n"
    "  ldr w1, [x30, #776]\n"
    "  msr fpsr, x1\n"
    "  ldr x1, [x30, #248]\n"
    "  mov sp, x1\n"
    "  ldp x0, x1, [x30]\n"
    "  ldp x2, x3, [x30, #16]\n"
    "  ldp x4, x5, [x30, #32]\n"
    "  ldp x6, x7, [x30, #48]\n"
    "  ldp x8, x9, [x30, #64]\n"
    "  ldp x10, x11, [x30, #80]\n"
    "  ldp x12, x13, [x30, #96]\n"
    "  ldp x14, x15, [x30, #112]\n"
    "  ldp x16, x17, [x30, #128]\n"
    "  ldp x18, x19, [x30, #144]\n"
    "  ldp x20, x21, [x30, #160]\n"
    "  ldp x22, x23, [x30, #176]\n"
    "  ldp x24, x25, [x30, #192]\n"
    "  ldp x26, x27, [x30, #208]\n"
    "  ldp x28, x29, [x30, #224]\n"
    "  b code_enter\n"
    ".global run_after\n"
    "run_after:\n"
    "  msr tpidr_el0, x30\n"
    "  adrp x30, current\n"
    "  ldr x30, [x30, :lo12:current]\n"
    "  stp x0, x1, [x30]\n"
    "  stp x2, x3, [x30, #16]\n"
    "  stp x4, x5, [x30, #32]\n"
    "  stp x6, x7, [x30, #48]\n"
    "  stp x8, x9, [x30, #64]\n"
    "  stp x10, x11, [x30, #80]\n"
    "  stp x12, x13, [x30, #96]\n"
    "  stp x14, x15, [x30, #112]\n"
    "  stp x16, x17, [x30, #128]\n"
    "  stp x18, x19, [x30, #144]\n"
    "  stp x20, x21, [x30, #160]\n"
    "  stp x22, x23, [x30, #176]\n"
    "  stp x24, x25, [x30, #192]\n"
    "  stp x26, x27, [x30, #208]\n"
    "  stp x28, x29, [x30, #224]\n"
    "  mrs x1, tpidr_el0\n"
    "  str x1, [x30, #240]\n"
    "  mov x1, sp\n"
    "  str x1, [x30, #248]\n"
    "  mrs x1, nzcv\n"
    "  str w1, [x30, #768]\n"
    "  mrs x1, fpcr\n"
    "  str w1, [x30, #772]\n"
    "  mrs x1, fpsr\n"
    "  str w1, [x30, #776]\n"
    "  add x1, x30, #256\n"
    "  stp q0, q1, [x1]\n"
    "  stp q2, q3, [x1, #32]\n"
    "  stp q4, q5, [x1, #64]\n"
    "  stp q6, q7, [x1, #96]\n"
    "  stp q8, q9, [x1, #128]\n"
    "  stp q10, q11, [x1, #160]\n"
    "  stp q12, q13, [x1, #192]\n"
    "  stp q14, q15, [x1, #224]\n"
    "  stp q16, q17, [x1, #256]\n"
    "  stp q18, q19, [x1, #288]\n"
    "  stp q20, q21, [x1, #320]\n"
    "  stp q22, q23, [x1, #352]\n"
    "  stp q24, q25, [x1, #384]\n"
    "  stp q26, q27, [x1, #416]\n"
    "  stp q28, q29, [x1, #448]\n"
    "  stp q30, q31, [x1, #480]\n"
    "  adrp x2, saved_sp\n"
    "  ldr x3, [x2, :lo12:saved_sp]\n"
    "  mov sp, x3\n"
    "  msr fpcr, xzr\n"
    "  ldp x19, x20, [sp, #16]\n"
    "  ldp x21, x22, [sp, #32]\n"
    "  ldp x23, x24, [sp, #48]\n"
    "  ldp x25, x26, [sp, #64]\n"
    "  ldp x27, x28, [sp, #80]\n"
    "  ldp d8, d9, [sp, #96]\n"
    "  ldp d10, d11, [sp, #112]\n"
    "  ldp d12, d13, [sp, #128]\n"
    "  ldp d14, d15, [sp, #144]\n"
    "  ldp x29, x30, [sp], #160\n"
    "  ret\n"
    /* The patched page: writable and executable. */
    ".section .patch, \"awx\"\n"
    ".balign 4096\n"
    ".global code_enter, code_insn\n"
    "code_enter:\n"
    "  ldr x30, [x30, #240]\n"
    "code_insn:\n"
    "  .rept 65\n"
    "  nop\n"
    "  .endr\n"
    ".balign 4096\n"
    ".text\n");
extern u32 code_insn[];

/* The kernel's rt_sigframe parts that are needed: ucontext has flags, link, stack, sigmask, then the machine context. */
static void handler(int sig, void *info, u8 *uc)
{
    (void)info;
    u64 *pc = (u64 *)(uc + 176 + 8 + 31 * 8 + 8);
    caught = sig;
    after_pc = *pc;
    *pc = (u64)run_after;
}

struct action {
    void (*handler)(int, void *, u8 *);
    u64 flags;
    void (*restorer)(void);
    u64 mask;
};

static u8 alternate[65536] __attribute__((aligned(16)));
static struct state states[256];

int main_loop(void)
{
    struct header h;
    u64 stack[3] = { (u64)alternate, 0, sizeof alternate };
    call(132, (long)stack, 0, 0, 0, 0, 0);
    /* SA_SIGINFO | SA_ONSTACK | SA_NODEFER */
    struct action a = { handler, 4 | 0x08000000 | 0x40000000, 0, 0 };
    int signals[] = { 4, 5, 7, 8, 11 };
    for (int i = 0; i < 5; i++)
        call(134, signals[i], (long)&a, 0, 8, 0, 0);
    /* PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED */
    u8 *page = (u8 *)call(222, WINDOW, WINDOW_PAGE, 3, 0x32, -1, 0);
    if ((u64)page != WINDOW)
        return 2;
    while (read_all(&h, sizeof h)) {
        if (h.count > 256 || h.insns > MAX_INSNS || !read_all(code_insn, 4 * h.insns))
            return 3;
        code_insn[h.insns] = 0x14000000 | ((((u64)run_after - (u64)(code_insn + h.insns)) >> 2) & 0x3ffffff);
        u64 size = h.memory ? sizeof(struct state) : sizeof(struct state) - WINDOW_SIZE;
        for (u32 i = 0; i < h.count; i++)
            if (!read_all(&states[i], size))
                return 4;
        for (u32 i = 0; i <= h.insns; i++)
            asm volatile("dc cvau, %0\n dsb ish\n ic ivau, %0" : : "r"(code_insn + i) : "memory");
        asm volatile("dsb ish\n isb" : : : "memory");
        for (u32 i = 0; i < h.count; i++) {
            if (h.memory)
                memcpy(page + WINDOW_OFFSET, states[i].window, WINDOW_SIZE);
            caught = 0;
            run(&states[i], code_insn);
            states[i].status = caught;
            states[i].pc_delta = caught ? after_pc - (u64)code_insn : 4 * h.insns;
            if (h.memory)
                memcpy(states[i].window, page + WINDOW_OFFSET, WINDOW_SIZE);
        }
        for (u32 i = 0; i < h.count; i++)
            write_all(&states[i], size);
    }
    return 0;
}

asm(".global _start\n_start:\n  bl main_loop\n  mov x8, #94\n  svc 0\n");
