// Calls and returns.
#include <stdio.h>
__attribute__((noinline)) static long fib(long n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
int main(void) {
    printf("fib %ld\n", fib(38));
    return 0;
}
