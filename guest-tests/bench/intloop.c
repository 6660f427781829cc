// Integer loops: hashing, a sieve, sorting, bit counting, Collatz.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static unsigned char sieve[2000000];
static unsigned a[200000];
int main(void) {
    unsigned long h = 1;
    for (long i = 0; i < 60000000; i++) h = (h ^ i) * 0x100000001b3ul, h ^= h >> 29;
    int primes = 0;
    for (int i = 2; i < 2000000; i++)
        if (!sieve[i]) {
            primes++;
            for (long k = 2l * i; k < 2000000; k += i) sieve[k] = 1;
        }
    unsigned s = 1;
    for (int i = 0; i < 200000; i++) a[i] = s = s * 1664525 + 1013904223;
    for (int gap = 90000; gap; gap = gap * 5 / 11)
        for (int i = gap; i < 200000; i++) {
            unsigned v = a[i];
            int j = i;
            for (; j >= gap && a[j - gap] > v; j -= gap) a[j] = a[j - gap];
            a[j] = v;
        }
    long steps = 0;
    for (unsigned long i = 1; i < 200000; i++)
        for (unsigned long n = i; n != 1; steps++) n = n & 1 ? 3 * n + 1 : n >> 1;
    printf("%lx %d %u %ld\n", h, primes, a[1000], steps);
    return 0;
}
