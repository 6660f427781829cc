/*
 * The oracle's half of the instruction tests: a bare RISC-V program, of 32 or 64 bits, that runs instructions under the
 * reference emulator. It reads batches from standard input (header, code bytes, `count` states), runs the code once per
 * state and writes the states afterwards. Registers go in and out through signal frames: the code ends in a breakpoint,
 * whose handler takes the registers out of the frame and puts the next state's in. So nothing of a state is lost to
 * glue, and the program itself needs no more than the base instructions.
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define CODE 0x20000000ul
#define CODE_SIZE 8192
#define CODE_OFFSET 4096
#define WINDOW 0x40000000ul
#define WINDOW_PAGE 4096
#define WINDOW_OFFSET 1024
#define WINDOW_SIZE 512

/* The kernel's `ucontext`, as far as the reference writes it: its frame ends after fcsr. */
struct sigcontext {
    unsigned long x[32];
    u64 f[32];
    u32 fcsr;
};

struct ucontext {
    unsigned long flags, link, stack[3];
    u64 mask[16];
    struct sigcontext context __attribute__((aligned(16)));
};

struct state {
    u64 x[32];
    u64 f[32];
    u32 fcsr, status;
    u64 pc;
    u8 window[WINDOW_SIZE];
};

struct header {
    u32 bytes, count, memory, fill;
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

/* Freestanding code still needs these for structures. */
void *memcpy(void *to, const void *from, unsigned long n)
{
    u8 *d = to;
    const u8 *s = from;
    while (n--)
        *d++ = *s++;
    return to;
}

static int read_all(void *p, unsigned long n)
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

static void write_all(const void *p, unsigned long n)
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

static struct state states[256];
static struct header h;
static struct sigcontext main_context;
static u32 at;
static int running;

static void load(struct sigcontext *sc, const struct state *s)
{
    for (int i = 1; i < 32; i++)
        sc->x[i] = s->x[i];
    sc->x[0] = CODE + CODE_OFFSET;
    for (int i = 0; i < 32; i++)
        sc->f[i] = s->f[i];
    sc->fcsr = s->fcsr;
    if (h.memory)
        memcpy((void *)(WINDOW + WINDOW_OFFSET), s->window, WINDOW_SIZE);
}

static void handler(int sig, void *info, struct ucontext *uc)
{
    (void)info;
    struct sigcontext *sc = &uc->context;
    if (!running) {
        running = 1;
        main_context = *sc;
        load(sc, &states[0]);
        return;
    }
    struct state *s = &states[at];
    for (int i = 1; i < 32; i++)
        s->x[i] = sc->x[i];
    for (int i = 0; i < 32; i++)
        s->f[i] = sc->f[i];
    s->fcsr = sc->fcsr;
    s->status = sig;
    s->pc = sc->x[0];
    if (h.memory)
        memcpy(s->window, (void *)(WINDOW + WINDOW_OFFSET), WINDOW_SIZE);
    if (++at < h.count) {
        load(sc, &states[at]);
        return;
    }
    running = 0;
    *sc = main_context;
    sc->x[0] += 4;
}

struct action {
    void (*handler)(int, void *, struct ucontext *);
    unsigned long flags;
    u64 mask;
};

static u8 alternate[65536] __attribute__((aligned(16)));

int main_loop(void)
{
    unsigned long stack[3] = { (unsigned long)alternate, 0, sizeof alternate };
    call(132, (long)stack, 0, 0, 0, 0, 0);
    /* SA_SIGINFO | SA_ONSTACK | SA_NODEFER */
    struct action a = { handler, 4 | 0x08000000 | 0x40000000, 0 };
    int signals[] = { 4, 5, 7, 8, 11 };
    for (int i = 0; i < 5; i++)
        if (call(134, signals[i], (long)&a, 0, 8, 0, 0))
            return 5;
    /* PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED */
    if (call(222, CODE, CODE_SIZE, 7, 0x32, -1, 0) != (long)CODE)
        return 2;
    if (call(222, WINDOW, WINDOW_PAGE, 3, 0x32, -1, 0) != (long)WINDOW)
        return 2;
    u8 *code = (u8 *)CODE;
    /* Breakpoints everywhere: a branch ends where it leads. */
    while (read_all(&h, sizeof h)) {
        if (h.bytes > 512 || h.count > 256)
            return 3;
        /* Of two bytes, or of four where there is no shorter one. */
        for (u32 i = 0; i < CODE_SIZE; i += 4)
            *(u32 *)(code + i) = h.fill;
        if (!read_all(code + CODE_OFFSET, h.bytes))
            return 3;
        unsigned long size = h.memory ? sizeof(struct state) : sizeof(struct state) - WINDOW_SIZE;
        for (u32 i = 0; i < h.count; i++)
            if (!read_all(&states[i], size))
                return 4;
        at = 0;
        asm volatile(".option push\n.option norvc\n ebreak\n.option pop" : : : "memory");
        for (u32 i = 0; i < h.count; i++)
            write_all(&states[i], size);
    }
    return 0;
}

asm(".global _start\n_start:\n  andi sp, sp, -16\n  call main_loop\n  li a7, 94\n  ecall\n");
