// test: flags=-lm long=64
// Known algorithms with known results: sorting, hashing, matrices, sieves, a compressor, n-body, big numbers.
#include "check.h"
#include <math.h>

static int by_int(const void *a, const void *b) { return *(const int *)a < *(const int *)b ? -1 : *(const int *)a > *(const int *)b; }

static uint32_t crc(const unsigned char *p, size_t n) {
    uint32_t c = ~0u;
    while (n--) {
        c ^= *p++;
        for (int k = 0; k < 8; k++) c = c >> 1 ^ (c & 1 ? 0xedb88320 : 0);
    }
    return ~c;
}

static void sha_block(uint32_t *h, const unsigned char *p) {
    static uint32_t K[64];
    if (!K[0]) {
        int n = 0;
        for (int i = 2; n < 64; i++) {
            int prime = 1;
            for (int k = 2; k * k <= i; k++) prime &= i % k != 0;
            if (prime) {
                double c = cbrt(i);
                K[n++] = (uint32_t)((c - floor(c)) * 4294967296.0);
            }
        }
    }
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++) w[i] = p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
#define R(x, n) ((x) >> (n) | (x) << (32 - (n)))
    for (int i = 16; i < 64; i++)
        w[i] = w[i - 16] + (R(w[i - 15], 7) ^ R(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] + (R(w[i - 2], 17) ^ R(w[i - 2], 19) ^ w[i - 2] >> 10);
    memcpy(v, h, 32);
    for (int i = 0; i < 64; i++) {
        uint32_t t1 = v[7] + (R(v[4], 6) ^ R(v[4], 11) ^ R(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + K[i] + w[i];
        uint32_t t2 = (R(v[0], 2) ^ R(v[0], 13) ^ R(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 28);
        v[4] += t1, v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) h[i] += v[i];
}

int main(void) {
    uint64_t s = 7;
    static int a[20000];
    for (int i = 0; i < 20000; i++) a[i] = rnd(&s);
    qsort(a, 20000, 4, by_int);
    for (int i = 1; i < 20000; i++)
        if (a[i - 1] > a[i]) CHECK(!"sorted");
    printf("sort %d %d\n", a[0], a[19999]);
    static unsigned char buf[50000];
    for (int i = 0; i < 50000; i++) buf[i] = rnd(&s) >> 40;
    printf("crc %08x\n", crc(buf, 50000));
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    unsigned char block[64] = "abc\x80";
    block[63] = 24;
    sha_block(h, block);
    printf("sha256(abc) %08x%08x%08x%08x%08x%08x%08x%08x\n", h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7]);
    for (int i = 0; i < 700; i++) sha_block(h, buf + 64 * i);
    printf("sha chain %08x\n", h[0]);
    static char sieve[100000];
    int primes = 0;
    for (int i = 2; i < 100000; i++)
        if (!sieve[i]) {
            primes++;
            for (long k = (long)i * i; k < 100000; k += i) sieve[k] = 1;
        }
    printf("primes %d\n", primes);
    static double A[40][40], B[40][40], C[40][40];
    static float X[64], Y[64];
    for (int i = 0; i < 40; i++)
        for (int j = 0; j < 40; j++) A[i][j] = (i * j) % 7 - 3, B[i][j] = (i + j) % 5 - 2;
    for (int k = 0; k < 5; k++) {
        for (int i = 0; i < 40; i++)
            for (int j = 0; j < 40; j++) {
                double t = 0;
                for (int l = 0; l < 40; l++) t += A[i][l] * B[l][j];
                C[i][j] = t;
            }
        for (int i = 0; i < 40; i++)
            for (int j = 0; j < 40; j++) A[i][j] = C[i][j] / 64;
    }
    printf("matrix %a\n", C[7][9]);
    for (int i = 0; i < 64; i++) X[i] = i * 0.25f, Y[i] = 64 - i;
    for (int k = 0; k < 100; k++)
        for (int i = 0; i < 64; i++) Y[i] = Y[i] * 0.5f + X[i];
    float t = 0;
    for (int i = 0; i < 64; i++) t += Y[i];
    printf("saxpy %a\n", t);
    double px = 0, py = 1, vx = 1, vy = 0;
    for (int i = 0; i < 20000; i++) {
        double r2 = px * px + py * py, r3 = r2 * sqrt(r2);
        vx -= 0.001 * px / r3, vy -= 0.001 * py / r3;
        px += 0.001 * vx, py += 0.001 * vy;
    }
    printf("orbit %.12f %.12f\n", px, py);
    unsigned e[110] = {0}, d[110] = {0};
    d[0] = e[0] = 1;
    for (int k = 1; k < 250; k++) {
        unsigned long rem = 0;
        for (int i = 0; i < 110; i++) {
            rem = rem * 10000 + d[i];
            d[i] = rem / k, rem %= k;
        }
        unsigned carry = 0;
        for (int i = 109; i >= 0; i--) {
            carry += e[i] + d[i];
            e[i] = carry % 10000, carry /= 10000;
        }
    }
    printf("e %u.", e[0]);
    for (int i = 1; i < 100; i++) printf("%04u", e[i]);
    printf("\n");
    return check_done("heavy");
}
