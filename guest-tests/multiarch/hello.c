// test: link=static,pie,dynamic
// What a loader must have done: arguments, environment, auxiliary vector, constructors, TLS, exit handlers.
#include "check.h"
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

extern char **environ;
static int order;
static __thread int tls_data = 41;
static __thread long tls_zero[100];
static __thread char tls_aligned[64] __attribute__((aligned(64)));
static int big_bss[100000];

__attribute__((constructor(101))) static void first(void) { order = order * 10 + 1; }
__attribute__((constructor(102))) static void second(void) { order = order * 10 + 2; }
__attribute__((destructor)) static void last(void) { printf("destructor\n"); }
static void at_exit(void) { printf("atexit\n"); }

int main(int argc, char **argv, char **envp) {
    atexit(at_exit);
    CHECK_EQ(order, 12);
    CHECK_EQ(argc, 1);
    CHECK(argv[1] == NULL);
    CHECK(strstr(argv[0], "hello") != NULL);
    CHECK(envp == environ);
    CHECK(getenv("TZ") && !strcmp(getenv("TZ"), "UTC"));
    CHECK_EQ(tls_data++, 41);
    CHECK_EQ(tls_zero[99], 0);
    CHECK_EQ((uintptr_t)tls_aligned % 64, 0);
    for (int i = 0; i < 100000; i += 999) CHECK_EQ(big_bss[i], 0);
    CHECK_EQ(getauxval(AT_PAGESZ), sysconf(_SC_PAGESIZE));
    CHECK(getauxval(AT_PHDR) != 0);
    CHECK(getauxval(AT_PHNUM) > 2);
    CHECK_EQ(getauxval(AT_PHENT), sizeof(ElfW(Phdr)));
    CHECK_EQ(getauxval(AT_UID), getuid());
    CHECK_EQ(getauxval(AT_EGID), getegid());
    CHECK_EQ(getauxval(AT_SECURE), 0);
    CHECK_EQ(getauxval(AT_CLKTCK), 100);
    const char *fn = (const char *)getauxval(AT_EXECFN);
    CHECK(fn && strstr(fn, "hello"));
    const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
    int sum = 0;
    for (int i = 0; i < 16; i++) sum |= random[i];
    CHECK(sum != 0);
    CHECK(getauxval(AT_PLATFORM) != 0);
    const ElfW(Phdr) *ph = (const ElfW(Phdr) *)getauxval(AT_PHDR);
    int loads = 0;
    for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++) loads += ph[i].p_type == PT_LOAD;
    CHECK(loads >= 2);
    if (sizeof(long) == 8) CHECK_EQ((uintptr_t)__builtin_frame_address(0) % 16, 0);
    printf("hello\n");
    return check_done("hello");
}
