// Memory: a pointer chase, copies, a strided walk, a hash table.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define N (1 << 20)
static unsigned next[N];
static unsigned long tab[1 << 16][2];
int main(void) {
    for (unsigned i = 0; i < N; i++) next[i] = i;
    unsigned long s = 1;
    for (unsigned i = N - 1; i > 0; i--) {
        s = s * 6364136223846793005ul + 1442695040888963407ul;
        unsigned j = (s >> 33) % i, t = next[i];
        next[i] = next[j], next[j] = t;
    }
    unsigned p = 0;
    for (int i = 0; i < 6000000; i++) p = next[p];
    char *a = malloc(8 << 20), *b = malloc(8 << 20);
    memset(a, 3, 8 << 20);
    for (int i = 0; i < 60; i++) memcpy(b + i, a, (8 << 20) - i), a[i * 1000]++;
    unsigned long sum = 0;
    for (int k = 0; k < 64; k++)
        for (int i = k; i < 8 << 20; i += 64) sum += (unsigned char)b[i];
    for (unsigned long i = 1; i < 8000000; i++) {
        unsigned long key = i * 0x9e3779b97f4a7c15ul >> 40, at = key & 0xffff;
        if (tab[at][0] != key) tab[at][0] = key;
        tab[at][1] += i;
    }
    printf("%u %lu %lu\n", p, sum, tab[77][1]);
    return 0;
}
