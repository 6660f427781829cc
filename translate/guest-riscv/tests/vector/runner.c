/*
 * The reference's half of the vector tests: a bare RISC-V program, for registers of 64 or 32 bits, that runs one instruction per
 * state. It reads batches
 * from standard input (header, one instruction word, `count` states) and writes the states afterwards. The page at WINDOW is
 * part of the state; the pages around it are not mapped, so that accesses fault.
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned long ulong;

#define WINDOW 0x40000000ul
#define PAGE 4096
#define V_BYTES 4096

struct state {
    u64 x[32]; /* x0 is unused */
    u64 f[32];
    u64 vl, vtype, vstart, vcsr, fcsr;
    u64 status, pc_delta, pad;
    u8 v[V_BYTES];
};

struct header {
    u32 insn, count, memory, vlenb;
};

static long call(long n, long a, long b, long c, long d, long e, long f)
{
    register long a7 asm("a7") = n;
    register long a0 asm("a0") = a;
    register long a1 asm("a1") = b;
    register long a2 asm("a2") = c;
    register long a3 asm("a3") = d;
    register long a4 asm("a4") = e;
    register long a5 asm("a5") = f;
    asm volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5) : "memory");
    return a0;
}

void *memcpy(void *to, const void *from, ulong n)
{
    u8 *d = to;
    const u8 *s = from;
    while (n--)
        *d++ = *s++;
    return to;
}

static int read_all(void *p, ulong n)
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

static void write_all(const void *p, ulong n)
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

/* run(state, vlenb): loads the state, runs the patched instruction, stores the state. */
void run(struct state *s, ulong vlenb);
extern u8 run_after[];
struct state *current;
ulong saved_sp;
ulong after_pc;
u32 caught;

#if __riscv_xlen == 64
#define LOAD "ld"
#define STORE "sd"
#define CONTEXT 176
#else
/* The upper halves in the state are zero and stay so. */
#define LOAD "lw"
#define STORE "sw"
#define CONTEXT 160
#endif

asm(".text\n"
    ".option arch, +v\n"
    ".macro load r, at\n"
    "  " LOAD " \\r, \\at\n"
    ".endm\n"
    ".macro store r, at\n"
    "  " STORE " \\r, \\at\n"
    ".endm\n"
    ".macro each op, base\n"
    "  .irp n,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30\n"
    "  \\op x\\n, 8*\\n(\\base)\n"
    "  .endr\n"
    ".endm\n"
    ".macro eachf op, base\n"
    "  .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31\n"
    "  \\op f\\n, 256+8*\\n(\\base)\n"
    "  .endr\n"
    ".endm\n"
    ".global run\n"
    "run:\n"
    "  addi sp, sp, -256\n"
    "  .irp n,1,8,9,18,19,20,21,22,23,24,25,26,27\n"
    "  store x\\n, 8*\\n(sp)\n"
    "  .endr\n"
    "  store gp, 240(sp)\n"
    "  store tp, 248(sp)\n"
    "  la t0, saved_sp\n"
    "  store sp, 0(t0)\n"
    "  la t0, current\n"
    "  store a0, 0(t0)\n"
    "  mv x31, a0\n"
    "  csrw vstart, x0\n"
    "  eachf fld, x31\n"
    "  addi t1, x31, 576\n"
    "  slli t2, a1, 3\n"
    "  .irp n,0,8,16,24\n"
    "  vl8re8.v v\\n, (t1)\n"
    "  add t1, t1, t2\n"
    "  .endr\n"
    "  load t1, 512(x31)\n"
    "  load t2, 520(x31)\n"
    "  vsetvl x0, t1, t2\n"
    "  load t1, 528(x31)\n"
    "  csrw vstart, t1\n"
    "  load t1, 536(x31)\n"
    "  csrw vcsr, t1\n"
    "  load t1, 544(x31)\n"
    "  csrw fcsr, t1\n"
    "  .irp n,1,2,3,4\n"
    "  load x\\n, 8*\\n(x31)\n"
    "  .endr\n"
    "  each load, x31\n"
    "  j code_insn\n"
    /* x31 is never an operand of the instructions under test. */
    ".global run_after\n"
    "run_after:\n"
    "  .irp n,1,2,3,4\n"
    "  store x\\n, 8*\\n(x31)\n"
    "  .endr\n"
    "  each store, x31\n"
    "  eachf fsd, x31\n"
    "  csrr t1, vl\n"
    "  store t1, 512(x31)\n"
    "  csrr t1, vtype\n"
    "  store t1, 520(x31)\n"
    "  csrr t1, vstart\n"
    "  store t1, 528(x31)\n"
    "  csrr t1, vcsr\n"
    "  store t1, 536(x31)\n"
    "  csrr t1, fcsr\n"
    "  store t1, 544(x31)\n"
    "  csrw vstart, x0\n"
    "  csrw fcsr, x0\n"
    "  csrr t2, vlenb\n"
    "  slli t2, t2, 3\n"
    "  addi t1, x31, 576\n"
    "  .irp n,0,8,16,24\n"
    "  vs8r.v v\\n, (t1)\n"
    "  add t1, t1, t2\n"
    "  .endr\n"
    "  la t0, saved_sp\n"
    "  load sp, 0(t0)\n"
    "  .irp n,1,8,9,18,19,20,21,22,23,24,25,26,27\n"
    "  load x\\n, 8*\\n(sp)\n"
    "  .endr\n"
    "  load gp, 240(sp)\n"
    "  load tp, 248(sp)\n"
    "  addi sp, sp, 256\n"
    "  ret\n"
    ".section .patch, \"awx\"\n"
    ".balign 4096\n"
    ".option norvc\n"
    ".global code_insn\n"
    "code_insn:\n"
    "  nop\n"
    "  j run_after\n"
    ".balign 4096\n"
    ".text\n");
extern u32 code_insn[];

/* ucontext: flags, link, stack, sigmask (with its padding), then the registers, pc first. */
static void handler(int sig, void *info, u8 *uc)
{
    (void)info;
    ulong *pc = (ulong *)(uc + CONTEXT);
    caught = sig;
    after_pc = *pc;
    *pc = (ulong)run_after;
}

struct action {
    void (*handler)(int, void *, u8 *);
    ulong flags;
    ulong mask[8 / sizeof(ulong)];
};

static u8 alternate[65536] __attribute__((aligned(16)));
static struct state states[64];
static u8 pages[64][PAGE];

int main_loop(void)
{
    struct header h;
    ulong stack[3] = { (ulong)alternate, 0, sizeof alternate };
    call(132, (long)stack, 0, 0, 0, 0, 0);
    /* SA_SIGINFO | SA_ONSTACK | SA_NODEFER */
    struct action a = { handler, 4 | 0x08000000 | 0x40000000, { 0 } };
    int signals[] = { 4, 5, 7, 8, 11 };
    for (int i = 0; i < 5; i++)
        call(134, signals[i], (long)&a, 0, 8, 0, 0);
    /* PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED */
    u8 *page = (u8 *)call(222, WINDOW, PAGE, 3, 0x32, -1, 0);
    if ((ulong)page != WINDOW)
        return 2;
    while (read_all(&h, sizeof h)) {
        if (h.count > 64)
            return 3;
        ulong size = 576 + 32 * h.vlenb;
        for (u32 i = 0; i < h.count; i++)
            if (!read_all(&states[i], size) || (h.memory && !read_all(pages[i], PAGE)))
                return 4;
        code_insn[0] = h.insn;
        asm volatile("fence.i" : : : "memory");
        for (u32 i = 0; i < h.count; i++) {
            if (h.memory)
                memcpy(page, pages[i], PAGE);
            caught = 0;
            run(&states[i], h.vlenb);
            states[i].status = caught;
            states[i].pc_delta = caught ? after_pc - (ulong)code_insn : 4;
            if (h.memory)
                memcpy(pages[i], page, PAGE);
        }
        for (u32 i = 0; i < h.count; i++) {
            write_all(&states[i], size);
            if (h.memory)
                write_all(pages[i], PAGE);
        }
    }
    return 0;
}

asm(".global _start\n_start:\n  .option push\n  .option norelax\n  la gp, __global_pointer$\n  .option pop\n  call main_loop\n  li a7, 94\n  ecall\n");
