// Signals: to itself, and faults that are repaired.
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
static volatile long hits;
static char *page;
static void on(int s) { hits++; }
static void fix(int s) {
    hits++;
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
}
int main(void) {
    signal(SIGUSR1, on);
    signal(SIGSEGV, fix);
    for (int i = 0; i < 50000; i++) raise(SIGUSR1);
    page = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 8000; i++) {
        mprotect(page, 4096, PROT_READ);
        page[i & 4095] = 1;
    }
    printf("%ld\n", hits);
    return 0;
}
