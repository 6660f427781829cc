// A straight block with more vector values alive at once than registers of any host: sixteen loaded operands and sixteen sums
// that are not stored between two rounds, as in the inner loop of a matrix product.
#include <math.h>
#include <stdio.h>

static float in[16][4], out[16][4];

int main(void) {
    for (int i = 0; i < 64; i++) in[i / 4][i % 4] = (float)(i * 37 % 101) / 7 - 6;
    asm volatile(
        "movi v26.4s, #0\n"
        "movi v25.4s, #0\n"
        "movi v24.4s, #0\n"
        "movi v23.4s, #0\n"
        "movi v22.4s, #0\n"
        "movi v21.4s, #0\n"
        "movi v31.4s, #0\n"
        "movi v30.4s, #0\n"
        "movi v29.4s, #0\n"
        "movi v28.4s, #0\n"
        "movi v3.4s, #0\n"
        "movi v1.4s, #0\n"
        "movi v5.4s, #0\n"
        "movi v4.4s, #0\n"
        "movi v2.4s, #0\n"
        "movi v0.4s, #0\n"
        "mov x9, #3\n"
        "1:\n"
        "ldr q11, [%[in], #0]\n"
        "ldr q6, [%[in], #16]\n"
        "ldr q7, [%[in], #32]\n"
        "ldr q16, [%[in], #48]\n"
        "ldr q14, [%[in], #64]\n"
        "ldr q17, [%[in], #80]\n"
        "ldr q15, [%[in], #96]\n"
        "ldr q27, [%[in], #112]\n"
        "ldr q10, [%[in], #128]\n"
        "ldr q12, [%[in], #144]\n"
        "ldr q9, [%[in], #160]\n"
        "ldr q8, [%[in], #176]\n"
        "ldr q18, [%[in], #192]\n"
        "ldr q19, [%[in], #208]\n"
        "ldr q20, [%[in], #224]\n"
        "ldr q13, [%[in], #240]\n"
        "fmla v26.4s, v11.4s, v6.4s\n"
        "fmla v25.4s, v6.4s, v14.4s\n"
        "fmla v24.4s, v7.4s, v27.4s\n"
        "fmla v23.4s, v16.4s, v7.4s\n"
        "fmla v22.4s, v14.4s, v17.4s\n"
        "fmla v21.4s, v17.4s, v11.4s\n"
        "fmla v31.4s, v15.4s, v16.4s\n"
        "fmla v30.4s, v27.4s, v15.4s\n"
        "fmla v29.4s, v11.4s, v6.4s\n"
        "fmla v28.4s, v6.4s, v14.4s\n"
        "fmla v3.4s, v7.4s, v27.4s\n"
        "fmla v1.4s, v16.4s, v7.4s\n"
        "fmla v5.4s, v14.4s, v17.4s\n"
        "fmla v4.4s, v17.4s, v11.4s\n"
        "fmla v2.4s, v15.4s, v16.4s\n"
        "fmla v0.4s, v27.4s, v15.4s\n"
        "fmla v26.4s, v10.4s, v12.4s\n"
        "fmla v25.4s, v12.4s, v18.4s\n"
        "fmla v24.4s, v9.4s, v13.4s\n"
        "fmla v23.4s, v8.4s, v9.4s\n"
        "fmla v22.4s, v18.4s, v19.4s\n"
        "fmla v21.4s, v19.4s, v10.4s\n"
        "fmla v31.4s, v20.4s, v8.4s\n"
        "fmla v30.4s, v13.4s, v20.4s\n"
        "fmla v29.4s, v10.4s, v12.4s\n"
        "fmla v28.4s, v12.4s, v18.4s\n"
        "fmla v3.4s, v9.4s, v13.4s\n"
        "fmla v1.4s, v8.4s, v9.4s\n"
        "fmla v5.4s, v18.4s, v19.4s\n"
        "fmla v4.4s, v19.4s, v10.4s\n"
        "fmla v2.4s, v20.4s, v8.4s\n"
        "fmla v0.4s, v13.4s, v20.4s\n"
        "subs x9, x9, #1\n"
        "b.ne 1b\n"
        "str q26, [%[out], #0]\n"
        "str q25, [%[out], #16]\n"
        "str q24, [%[out], #32]\n"
        "str q23, [%[out], #48]\n"
        "str q22, [%[out], #64]\n"
        "str q21, [%[out], #80]\n"
        "str q31, [%[out], #96]\n"
        "str q30, [%[out], #112]\n"
        "str q29, [%[out], #128]\n"
        "str q28, [%[out], #144]\n"
        "str q3, [%[out], #160]\n"
        "str q1, [%[out], #176]\n"
        "str q5, [%[out], #192]\n"
        "str q4, [%[out], #208]\n"
        "str q2, [%[out], #224]\n"
        "str q0, [%[out], #240]\n"
        :
        : [in] "r"(in), [out] "r"(out)
        : "memory", "x9", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
    int wrong = 0;
    for (int i = 0; i < 16; i++)
        for (int lane = 0; lane < 4; lane++) {
            float sum = 0;
            for (int turn = 0; turn < 3; turn++) {
                sum = fmaf(in[i % 8][lane], in[(i * 3 + 1) % 8][lane], sum);
                sum = fmaf(in[8 + i % 8][lane], in[8 + (i * 3 + 1) % 8][lane], sum);
            }
            wrong += sum != out[i][lane];
        }
    printf("wrong sums %d, first %.9g, last %.9g\n", wrong, out[0][0], out[15][3]);
    return 0;
}
