// test: compiler=vectors flags=-O3
// Vectorised integers: absolute differences, saturating sums, a filter, comparisons and selects.
#include <stdint.h>
#include <stdio.h>
#define N 65536
static uint8_t a[N], b[N], c[N];
static int16_t w[N];
static uint32_t h[N];
int main(void) {
    for (int i = 0; i < N; i++) a[i] = i * 7, b[i] = i * 13 >> 3, w[i] = i * 31;
    uint64_t total = 0;
    for (int k = 0; k < 900; k++) {
        uint32_t sad = 0;
        for (int i = 0; i < N; i++) sad += a[i] > b[i] ? a[i] - b[i] : b[i] - a[i];
        for (int i = 0; i < N; i++) c[i] = (a[i] + b[i] + 1) >> 1;
        for (int i = 2; i < N; i++) w[i] = (w[i] * 3 + c[i]) >> 2;
        for (int i = 0; i < N; i++) h[i] = (h[i] ^ w[i]) * 2654435761u + (c[i] > 100 ? k : sad);
        a[k]++;
        total += sad;
    }
    uint32_t x = 0;
    for (int i = 0; i < N; i++) x ^= h[i];
    printf("%llu %u\n", (unsigned long long)total, x);
    return 0;
}
