// test: flags=-pthread
// Code that changes by ordinary stores, without a word to anybody: in place, in the very next instruction, by string, locked and
// vector stores, pushes and signal frames, through a second mapping, by the kernel, another thread, another process, and in storms.
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define RWX (PROT_READ | PROT_WRITE | PROT_EXEC)
static unsigned char *page(int n) {
    void *p = mmap(NULL, n * 4096, RWX, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    return p;
}
static unsigned char *at;
static void byte(int b) { *at++ = b; }
static void word(unsigned w) { memcpy(at, &w, 4), at += 4; }
static void bytes(const char *s, int n) { memcpy(at, s, n), at += n; }
#define CODE(s) bytes(s, sizeof s - 1)
// mov eax, n; ret
static void number(unsigned n) { byte(0xb8), word(n), byte(0xc3); }

// Calls code with values in a, c, d and xmm0 to xmm1, di; the result is a.
static unsigned run(void *code, unsigned a, unsigned c, void *d) {
    void *di = d;
    asm volatile("call *%[f]" : "+a"(a), "+c"(c), "+d"(d), "+D"(di) : [f] "S"(code) : "memory", "cc");
    return a;
}
static unsigned call(void *code) { return run(code, 0, 0, NULL); }

static void in_place(void) {
    unsigned char *c = page(1);
    unsigned sum = 0;
    for (int i = 0; i < 2000; i++) {
        at = c, number(i);
        sum += call(c);
    }
    CHECK_EQ(sum, 2000 * 1999 / 2);
    // Long code of which one part after the other changes.
    at = c;
    for (int i = 0; i < 100; i++) byte(5), word(1);
    byte(0xc3);
    for (int i = 0; i < 100; i++) {
        at = c + 5 * i + 1, word(1000);
        CHECK_EQ(call(c), 100 - (i + 1) + 1000 * (i + 1));
    }
    munmap(c, 4096);
    puts("in place");
}

// A store to the immediate operand of the next instruction.
static void next(const char *name, const char *store, int n, int gap) {
    unsigned char *c = page(1);
    at = c, bytes(store, n);
    for (int i = 0; i < gap; i++) byte(0x90);
    byte(0xb8);
    unsigned char *target = at;
    word(7), byte(0xc3);
    unsigned bad = 0, old = 7;
    for (unsigned i = 1; i <= 300; i++) {
        unsigned want = !strcmp(name, "lock add") ? old + i * 3 : i * 3;
        bad += run(c, old, i * 3, target) != want;
        old = want;
    }
    printf("%s, %d between: %u wrong\n", name, gap, bad);
    munmap(c, 4096);
}
static void nexts(int gap) {
    next("mov", "\x89\x0a", 2, gap);
    next("xchg", "\x87\x0a", 2, gap);
    next("lock add", "\xf0\x01\x0a", 3, gap);
    next("cmpxchg", "\x0f\xb1\x0a", 3, gap);
    // movd xmm0, ecx; movd [d], xmm0
    next("movd", "\x66\x0f\x6e\xc1\x66\x0f\x7e\x02", 8, gap);
    // mov eax, ecx; stos
    next("stos", "\x89\xc8\xab", 3, gap);
}

static void strings(void) {
    unsigned char *c = page(2);
    // rep stosb over increments that follow.
    for (int k = 0; k < 100; k++) {
        at = c + 4096 - 40 + k % 64;
        unsigned char *start = at;
        CODE("\xf3\xaa\x31\xc0"); // rep stosb; xor eax, eax
        unsigned char *incs = at;
        for (int i = 0; i < 8; i++) CODE("\xff\xc0"); // inc eax
        byte(0xc3);
        CHECK_EQ(run(start, 0x90, 2 * (k % 8), incs), 8 - k % 8);
    }
    // A vector store over several instructions; the target is aligned.
    for (int k = 0; k < 50; k++) {
        static unsigned char patch[16] __attribute__((aligned(16))) = {0xb8, 0, 0, 0, 0, 0x05, 0, 0, 0, 0, 0xff, 0xc0, 0xff, 0xc0, 0xc3, 0xc3};
        unsigned a = k * 77, b = k * 5;
        memcpy(patch + 1, &a, 4), memcpy(patch + 6, &b, 4);
        asm volatile("movdqa %0, %%xmm0" ::"m"(patch) : "xmm0");
        at = c + 13;
        CODE("\x0f\x29\x02"); // movaps [d], xmm0
        for (int i = 0; i < 16; i++) byte(0xcc);
        CHECK_EQ(run(c + 13, 0, 0, c + 16), a + b + 2);
    }
    // An instruction across two pages, whose second part changes.
    for (int k = 0; k < 100; k++) {
        at = c + 4096 - 2, number(k * 0x01010101u);
        CHECK_EQ(call(c + 4096 - 2), k * 0x01010101u);
        c[4096 + 2] = 0x77;
        CHECK_EQ(call(c + 4096 - 2), (k * 0x01010101u & 0xffffff) | 0x77000000u);
    }
    munmap(c, 8192);
    puts("strings, vectors, two pages");
}

// Loops that change themselves.
static void storms(void) {
    unsigned char *c = page(1);
    unsigned n = scaled(50000);
    at = c;
    byte(5);
    unsigned char *imm = at;
    word(1);
    CODE("\xff\x02\xff\xc9\x75\xf5\xc3"); // inc dword [d]; dec ecx; jnz to the start; ret
    unsigned sum = run(c, 0, n, imm);
    CHECK_EQ(sum, n * (n + 1) / 2);
    // Code that counts in its own page.
    at = c + 512;
    CODE("\xff\x02\xff\xc9\x75\xfa\x8b\x02\xc3"); // inc dword [d]; dec ecx; jnz; mov eax, [d]; ret
    n = scaled(20000000);
    CHECK_EQ(run(c + 512, 0, n, memset(c + 1024, 0, 4)), n);
    // A page that is data and code in turn.
    n = scaled(20000);
    unsigned bad = 0;
    for (unsigned i = 0; i < n; i++) {
        at = c, number(i);
        for (int k = 0; k < 8; k++) c[2048 + k] += i;
        bad += call(c) != i;
    }
    CHECK_EQ(bad, 0);
    // Many functions, one of which changes at a time.
    for (int i = 0; i < 400; i++) at = c + 8 * i, number(i);
    unsigned long total = 0;
    for (unsigned i = 0; i < n; i++) {
        at = c + 8 * (i % 400), number(i);
        bad += call(c + 8 * (i % 400)) != i;
        bad += call(c + 8 * ((i + 399) % 400)) != (i ? i - 1 : 399);
    }
    CHECK_EQ(bad, 0);
    munmap(c, 4096);
    puts("storms");
}

static void toggled(void) {
    unsigned char *c = page(1);
    for (int i = 0; i < 300; i++) {
        mprotect(c, 4096, PROT_READ | PROT_WRITE);
        at = c, number(i);
        mprotect(c, 4096, PROT_READ | PROT_EXEC);
        CHECK_EQ(call(c), i);
    }
    for (int i = 0; i < 300; i++) {
        CHECK(mmap(c, 4096, RWX, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == c);
        at = c, number(i);
        CHECK_EQ(call(c), i);
    }
    munmap(c, 4096);
    puts("mprotect, mmap");
}

// Shared memory at two addresses, written here, by the kernel and by another process.
static void dual(void) {
    int fd = memfd_create("code", 0);
    ftruncate(fd, 8192);
    unsigned char *w = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    unsigned char *x = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    CHECK(w != MAP_FAILED && x != MAP_FAILED);
    unsigned sum = 0;
    for (int i = 0; i < 1000; i++) {
        at = w + i % 1000 * 8, number(i);
        sum += call(x + i % 1000 * 8);
    }
    CHECK_EQ(sum, 1000 * 999 / 2);
    for (int i = 0; i < 1000; i++) {
        at = w + 40, number(i);
        CHECK_EQ(call(x + 40), i);
    }
    // The next instruction, through the other mapping.
    at = w;
    CODE("\x89\x0a\xb8");
    unsigned char *imm = at;
    word(7), byte(0xc3);
    for (int i = 0; i < 1000; i++) CHECK_EQ(run(x, 0, i, imm), i);
    for (int i = 0; i < 100; i++) {
        pwrite(fd, &i, 4, imm - w);
        CHECK_EQ(call(x + 2), i);
    }
    for (int i = 0; i < 5; i++) {
        pid_t child = fork();
        if (!child) {
            memcpy(imm, &i, 4);
            _exit(0);
        }
        waitpid(child, NULL, 0);
        CHECK_EQ(call(x + 2), i);
    }
    munmap(w, 8192), munmap(x, 8192), close(fd);
    puts("two mappings");
}

static void kernel(void) {
    unsigned char *c = page(3), code[8192];
    int p[2];
    pipe(p);
    for (int i = 0; i < 50; i++) {
        at = code, number(i);
        write(p[1], code, 6);
        CHECK_EQ(read(p[0], c, 6), 6);
        CHECK_EQ(call(c), i);
    }
    // A page with code in the midst of a buffer.
    int fd = memfd_create("data", 0), bad = 0;
    memset(code, 0x90, sizeof code);
    for (int i = 0; i < 50; i++) {
        at = code + 6000, number(i);
        pwrite(fd, code, sizeof code, 0);
        bad += pread(fd, c + 100, sizeof code, 0) != sizeof code;
        bad += call(c + 100 + 6000) != i;
        // The same with several buffers.
        at = code + 6000, number(i + 1000);
        pwrite(fd, code, sizeof code, 0);
        struct iovec v[] = {{c + 4000, 100}, {c + 4100, 1900}, {c, 4000}, {c + 6000, 2192}};
        bad += preadv(fd, v, 4, 0) != sizeof code;
        bad += call(c + 6000) != i + 1000;
    }
    CHECK_EQ(bad, 0);
    // A copy in a child is its own.
    at = c, number(1);
    CHECK_EQ(call(c), 1);
    pid_t child = fork();
    if (!child) {
        at = c, number(2);
        _exit(call(c));
    }
    int status;
    waitpid(child, &status, 0);
    CHECK_EQ(WEXITSTATUS(status), 2);
    CHECK_EQ(call(c), 1);
    close(fd), close(p[0]), close(p[1]), munmap(c, 3 * 4096);
    puts("kernel, fork");
}

// Code on the stack, between pushes and signal frames.
static volatile sig_atomic_t signals;
static void count(int sig) { signals++; }
static unsigned deep(unsigned n, unsigned char *code, unsigned *want) {
    static unsigned now;
    if (n % 4 == 0) at = code, number(now = n);
    *want += now;
    unsigned v = call(code);
    return n ? v + deep(n - 1, code, want) : v;
}
static void stack(void) {
    unsigned char *s = page(16);
    unsigned char *code = s + 4096 * 8;
    at = code;
    byte(0xb8);
    unsigned char *imm = at;
    word(3);
    CODE("\x50\x59\xff\xc0\x50\x59\x01\xc8\xc3"); // push; pop c; inc; push; pop c; add eax, ecx; ret
    unsigned bad = 0;
    for (unsigned i = 0; i < 200; i++) {
        memcpy(imm, &i, 4);
        unsigned r;
        // The stack is right above the code.
        asm volatile(
#ifdef __x86_64__
            "mov %%rsp, %%rbx; mov %[top], %%rsp; call *%[f]; mov %%rbx, %%rsp"
#else
            "mov %%esp, %%ebx; mov %[top], %%esp; call *%[f]; mov %%ebx, %%esp"
#endif
            : "=a"(r) : [f] "S"(code), [top] "D"(code + 256) : "memory", "cc", "ecx", "edx", "ebx");
        bad += r != 2 * i + 2;
    }
    CHECK_EQ(bad, 0);
    unsigned char here[4096 + 16];
    unsigned char *mine = (unsigned char *)(((uintptr_t)here + 15) & ~(uintptr_t)15);
    unsigned want = 0;
    CHECK_EQ(mprotect((void *)((uintptr_t)mine & ~(uintptr_t)4095), 8192, RWX), 0);
    unsigned sum = deep(100, mine, &want);
    CHECK_EQ(sum, want);
    // Signal frames end right below the code.
    code = s + 4096 * 9 - 64;
    stack_t alt = {.ss_sp = s, .ss_size = code - s};
    CHECK_EQ(sigaltstack(&alt, NULL), 0);
    struct sigaction sa = {.sa_handler = count, .sa_flags = SA_ONSTACK};
    sigaction(SIGUSR1, &sa, NULL);
    for (int i = 0; i < 50; i++) {
        at = code, number(i);
        CHECK_EQ(call(code), i);
        raise(SIGUSR1);
        CHECK_EQ(call(code), i);
    }
    CHECK_EQ(signals, 50);
    alt.ss_flags = SS_DISABLE;
    sigaltstack(&alt, NULL);
    munmap(s, 16 * 4096);
    puts("stack, frames");
}

// A thread spins in code that another one changes.
static void *spin(void *code) { return (void *)(uintptr_t)call(code); }
static void crossed(void) {
    for (int k = 0; k < 20; k++) {
        unsigned char *c = page(1);
        at = c;
        CODE("\xeb\xfe"); // jmp to itself
        number(42);
        pthread_t t;
        pthread_create(&t, NULL, spin, c);
        usleep(k * 500);
        *(volatile unsigned short *)c = 0x9090;
        void *r;
        pthread_join(t, &r);
        CHECK_EQ((uintptr_t)r, 42);
        munmap(c, 4096);
    }
    // Calls whose target is changed under them: always one of both.
    unsigned char *c = page(1);
    at = c, CODE("\x89\xd0\xff\xc9\x75\xfa"), number(1); // mov eax, edx; dec ecx; jnz; mov eax, 1; ret
    pthread_t t;
    pthread_create(&t, NULL, spin, c + 6);
    for (int i = 0; i < 100; i++) {
        c[7] = i & 1;
        unsigned r = call(c + 6);
        CHECK_EQ(r, i & 1);
    }
    pthread_join(t, NULL);
    munmap(c, 4096);
    puts("threads");
}

static sigjmp_buf env;
static siginfo_t last;
static void segv(int sig, siginfo_t *si, void *uc) {
    last = *si;
    siglongjmp(env, 1);
}
// Pages that were held for code fault as before where the guest itself has no right to write.
static void faults(void) {
    unsigned char *c = page(2);
    struct sigaction sa = {.sa_sigaction = segv, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &sa, NULL);
    at = c, number(5);
    CHECK_EQ(call(c), 5);
    mprotect(c, 4096, PROT_READ | PROT_EXEC);
    if (!sigsetjmp(env, 1)) c[1] = 9, puts("written?");
    printf("fault %d at +%ld\n", last.si_code, (long)((unsigned char *)last.si_addr - c));
    CHECK_EQ(call(c), 5);
    mprotect(c, 4096, RWX);
    c[1] = 9;
    CHECK_EQ(call(c), 9);
    // A store across two pages, the second of which may not be written: nothing of it is seen in the first.
    at = c + 4096 - 6, number(11);
    CHECK_EQ(call(c + 4096 - 6), 11);
    mprotect(c + 4096, 4096, PROT_READ);
    if (!sigsetjmp(env, 1)) *(volatile unsigned *)(c + 4096 - 2) = 0, puts("written?");
    printf("fault %d at +%ld\n", last.si_code, (long)((unsigned char *)last.si_addr - c));
    CHECK_EQ(call(c + 4096 - 6), 11);
    munmap(c, 8192);
    puts("faults");
}

int main(void) {
    in_place();
    nexts(0), nexts(5);
    strings();
    storms();
    toggled();
    dual();
    kernel();
    stack();
    crossed();
    faults();
    return check_done("selfmod");
}
