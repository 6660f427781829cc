// test: flags=-lm,-ffp-contract=off
// Scalar floating point: n-body, Mandelbrot, a numerical integral.
#include <math.h>
#include <stdio.h>
struct body { double x, y, z, vx, vy, vz, m; };
int main(void) {
    struct body b[5] = {{0, 0, 0, 0, 0, 0, 39.47}, {4.84, -1.16, -.10, .606, 2.81, -.02, .037}, {8.34, 4.12, -.4, -1.01, 1.82, .008, .011},
                        {12.89, -15.11, -.22, 1.08, .868, -.01, .0017}, {15.37, -25.9, .179, .979, .594, -.034, .002}};
    for (int step = 0; step < 600000; step++) {
        for (int i = 0; i < 5; i++)
            for (int j = i + 1; j < 5; j++) {
                double dx = b[i].x - b[j].x, dy = b[i].y - b[j].y, dz = b[i].z - b[j].z, d2 = dx * dx + dy * dy + dz * dz, mag = 0.001 / (d2 * sqrt(d2));
                b[i].vx -= dx * b[j].m * mag, b[i].vy -= dy * b[j].m * mag, b[i].vz -= dz * b[j].m * mag;
                b[j].vx += dx * b[i].m * mag, b[j].vy += dy * b[i].m * mag, b[j].vz += dz * b[i].m * mag;
            }
        for (int i = 0; i < 5; i++) b[i].x += 0.001 * b[i].vx, b[i].y += 0.001 * b[i].vy, b[i].z += 0.001 * b[i].vz;
    }
    long inside = 0;
    for (int py = 0; py < 300; py++)
        for (int px = 0; px < 300; px++) {
            float cx = px / 150.0f - 1.5f, cy = py / 150.0f - 1.0f, x = 0, y = 0;
            int k = 0;
            for (; k < 200 && x * x + y * y < 4; k++) {
                float t = x * x - y * y + cx;
                y = 2 * x * y + cy, x = t;
            }
            inside += k;
        }
    double s = 0;
    for (int i = 1; i < 3000000; i++) s += 1.0 / ((double)i * i) + (double)(int)(s * 3) * 1e-12;
    printf("%.9f %ld %.12f\n", b[0].x, inside, s);
    return 0;
}
