// test: flags=-O3,-ffp-contract=off compiler=vectors
// Vectorised floating point: saxpy, a stencil, matrix product, by the compiler's 128-bit vectors.
#include <stdio.h>
#define N 4096
typedef float f4 __attribute__((vector_size(16)));
typedef double d2 __attribute__((vector_size(16)));
static float x[N], y[N];
static f4 A[64][16], B[64][16], C[64][16];
static d2 u[2][1024];
int main(void) {
    for (int i = 0; i < N; i++) x[i] = i % 17 * 0.25f, y[i] = i % 13;
    for (int k = 0; k < 30000; k++)
        for (int i = 0; i < N; i++) y[i] = y[i] * 0.5f + x[i];
    for (int i = 0; i < 64; i++)
        for (int j = 0; j < 16; j++) A[i][j] = (f4){i, j, 1, 2} * 0.01f, B[i][j] = (f4){j, i, 2, 1} * 0.02f;
    for (int rep = 0; rep < 75; rep++)
        for (int i = 0; i < 64; i++)
            for (int k = 0; k < 64; k++) {
                f4 s = (f4){0, 0, 0, 0} + ((float *)A[i])[k];
                for (int j = 0; j < 16; j++) C[i][j] = C[i][j] * 0.99f + s * B[k][j];
            }
    for (int i = 0; i < 1024; i++) u[0][i] = (d2){i, -i};
    for (int t = 0; t < 20000; t++)
        for (int i = 1; i < 1023; i++) u[~t & 1][i] = (u[t & 1][i - 1] + u[t & 1][i + 1]) * 0.5 - u[t & 1][i] * 0.001;
    float s = 0;
    for (int i = 0; i < N; i++) s += y[i];
    printf("%a %a %a\n", s, C[5][6][2], u[0][500][0]);
    return 0;
}
