// test: flags=-march=armv8.6-a+fp16+fp16fml
// AdvSIMD by intrinsics: every group over random and edge lanes; a checksum each. Vector FP in two rounding modes.
#include "check.h"
#include <arm_neon.h>

static uint64_t h, seed;
static uint8x16_t in[64];
#define SHOW(name) printf("%-18s %016llx\n", name, (unsigned long long)h), h = 0
static void fill(void) {
    static const uint32_t e[] = {0, ~0u, 0x7f7f8080, 0x80007fff, 0x80000000, 0x7fffffff, 1, 0xff00ff01};
    seed = 2024;
    for (int i = 0; i < 64; i++) {
        uint64_t v[2] = {rnd(&seed), rnd(&seed)};
        uint32_t w[4];
        memcpy(w, v, 16);
        if (i < 24) w[i & 3] = e[i % 8], w[(i + 1) & 3] = e[(i * 5 + 1) % 8];
        memcpy(&in[i], w, 16);
    }
}
#define OUT(r) do { __typeof__(r) out_ = (r); h = fnv(h, &out_, sizeof out_); } while (0)
#define A(T) vreinterpretq_##T##_u8(in[i])
#define B(T) vreinterpretq_##T##_u8(in[(i * 7 + 5) & 63])
#define C(T) vreinterpretq_##T##_u8(in[(i * 11 + 3) & 63])
#define D(T) vget_low_##T(A(T))
#define E_(T) vget_high_##T(B(T))
#define vreinterpretq_u8_u8(x) (x)
#define ALL for (int i = 0; i < 64; i++)
#define OP(name, ...) do { ALL { __VA_ARGS__ } SHOW(name); } while (0)
#define U8(X) X(u8) X(u16) X(u32)
#define S8(X) X(s8) X(s16) X(s32)
#define ALL8(X) U8(X) S8(X)
#define ALL64(X) ALL8(X) X(u64) X(s64)
#define F(X) X(f32) X(f64)

#define T_add(T) OUT(vaddq_##T(A(T), B(T)));
#define T_sub(T) OUT(vsubq_##T(A(T), B(T)));
#define T_mul(T) OUT(vmulq_##T(A(T), B(T)));
#define T_mla(T) OUT(vmlaq_##T(A(T), B(T), C(T))); OUT(vmlsq_##T(A(T), B(T), C(T)));
#define T_qadd(T) OUT(vqaddq_##T(A(T), B(T))); OUT(vqsubq_##T(A(T), B(T)));
#define T_hadd(T) OUT(vhaddq_##T(A(T), B(T))); OUT(vrhaddq_##T(A(T), B(T))); OUT(vhsubq_##T(A(T), B(T)));
#define T_abd(T) OUT(vabdq_##T(A(T), B(T))); OUT(vabaq_##T(A(T), B(T), C(T)));
#define T_maxmin(T) OUT(vmaxq_##T(A(T), B(T))); OUT(vminq_##T(A(T), B(T)));
#define T_pair(T) OUT(vpaddq_##T(A(T), B(T))); 
#define T_pmax(T) OUT(vpmaxq_##T(A(T), B(T))); OUT(vpminq_##T(A(T), B(T)));
#define T_across(T) OUT(vaddvq_##T(A(T))); OUT(vmaxvq_##T(A(T))); OUT(vminvq_##T(A(T))); OUT(vaddlvq_##T(A(T)));
#define T_cmp(T) OUT(vceqq_##T(A(T), B(T))); OUT(vcgtq_##T(A(T), B(T))); OUT(vcgeq_##T(A(T), B(T))); OUT(vtstq_##T(A(T), C(T))); OUT(vceqzq_##T(A(T)));
#define T_cmpz(T) OUT(vcltzq_##T(A(T))); OUT(vcgezq_##T(A(T))); OUT(vabsq_##T(A(T))); OUT(vnegq_##T(A(T))); OUT(vqabsq_##T(A(T))); OUT(vqnegq_##T(A(T)));
#define T_long(T) OUT(vaddl_##T(D(T), E_(T))); OUT(vsubl_##T(D(T), E_(T))); OUT(vmull_##T(D(T), E_(T))); OUT(vabdl_##T(D(T), E_(T))); OUT(vmovl_##T(D(T))); OUT(vmull_high_##T(A(T), B(T)));
#define T_longacc(T, W) OUT(vmlal_##T(A(W), D(T), E_(T))); OUT(vmlsl_##T(A(W), D(T), E_(T))); OUT(vaddw_##T(A(W), D(T))); OUT(vsubw_##T(A(W), E_(T))); OUT(vabal_##T(A(W), D(T), E_(T)));
#define T_padl(T) OUT(vpaddlq_##T(A(T)));
#define T_narrow(W) OUT(vmovn_##W(A(W))); OUT(vaddhn_##W(A(W), B(W))); OUT(vsubhn_##W(A(W), B(W))); OUT(vraddhn_##W(A(W), B(W))); OUT(vrsubhn_##W(A(W), B(W))); OUT(vqmovn_##W(A(W))); OUT(vshrn_n_##W(A(W), 3)); OUT(vrshrn_n_##W(A(W), 5)); OUT(vqshrn_n_##W(A(W), 2)); OUT(vqrshrn_n_##W(A(W), 7));
#define T_qun(W) OUT(vqmovun_##W(A(W))); OUT(vqshrun_n_##W(A(W), 3)); OUT(vqrshrun_n_##W(A(W), 4));
#define T_shl(T, S) OUT(vshlq_##T(A(T), B(S))); OUT(vrshlq_##T(A(T), B(S))); OUT(vqshlq_##T(A(T), B(S))); OUT(vqrshlq_##T(A(T), B(S)));
#define T_shn(T) OUT(vshlq_n_##T(A(T), 3)); OUT(vshrq_n_##T(A(T), 5)); OUT(vrshrq_n_##T(A(T), 7)); OUT(vsraq_n_##T(A(T), B(T), 4)); OUT(vrsraq_n_##T(A(T), B(T), 8)); OUT(vqshlq_n_##T(A(T), 2)); OUT(vsliq_n_##T(A(T), B(T), 3)); OUT(vsriq_n_##T(A(T), B(T), 6));
#define T_perm(T) OUT(vzip1q_##T(A(T), B(T))); OUT(vzip2q_##T(A(T), B(T))); OUT(vuzp1q_##T(A(T), B(T))); OUT(vuzp2q_##T(A(T), B(T))); OUT(vtrn1q_##T(A(T), B(T))); OUT(vtrn2q_##T(A(T), B(T))); OUT(vextq_##T(A(T), B(T), 1)); OUT(vdupq_laneq_##T(A(T), 1)); OUT(vdupq_n_##T(vgetq_lane_##T(B(T), 0))); OUT(vsetq_lane_##T(vgetq_lane_##T(B(T), 1), A(T), 0)); OUT(vcombine_##T(D(T), E_(T)));
#define T_clz(T) OUT(vclzq_##T(A(T)));
#define T_qdmul(T) OUT(vqdmulhq_##T(A(T), B(T))); OUT(vqrdmulhq_##T(A(T), B(T))); OUT(vqrdmlahq_##T(A(T), B(T), C(T))); OUT(vqrdmlshq_##T(A(T), B(T), C(T))); OUT(vqdmull_##T(D(T), E_(T))); OUT(vqdmulhq_laneq_##T(A(T), B(T), 2)); OUT(vmulq_laneq_##T(A(T), B(T), 3)); OUT(vmull_laneq_##T(D(T), B(T), 1));
#define T_farith(T) OUT(vaddq_##T(A(T), B(T))); OUT(vsubq_##T(A(T), B(T))); OUT(vmulq_##T(A(T), B(T))); OUT(vdivq_##T(A(T), B(T))); OUT(vabdq_##T(A(T), B(T))); OUT(vmulxq_##T(A(T), B(T)));
#define T_ffma(T) OUT(vfmaq_##T(A(T), B(T), C(T))); OUT(vfmsq_##T(A(T), B(T), C(T))); OUT(vfmaq_laneq_##T(A(T), B(T), C(T), 1));
#define T_fmax(T) OUT(vmaxq_##T(A(T), B(T))); OUT(vminq_##T(A(T), B(T))); OUT(vmaxnmq_##T(A(T), B(T))); OUT(vminnmq_##T(A(T), B(T))); OUT(vpmaxq_##T(A(T), B(T))); OUT(vpminnmq_##T(A(T), B(T))); OUT(vpaddq_##T(A(T), B(T)));
#define T_fcmp(T) OUT(vceqq_##T(A(T), B(T))); OUT(vcgtq_##T(A(T), B(T))); OUT(vcgeq_##T(A(T), B(T))); OUT(vcagtq_##T(A(T), B(T))); OUT(vcageq_##T(A(T), B(T))); OUT(vcltzq_##T(A(T))); OUT(vceqzq_##T(A(T)));
#define T_f1(T) OUT(vsqrtq_##T(A(T))); OUT(vabsq_##T(A(T))); OUT(vnegq_##T(A(T))); OUT(vrndnq_##T(A(T))); OUT(vrndpq_##T(A(T))); OUT(vrndmq_##T(A(T))); OUT(vrndq_##T(A(T))); OUT(vrndaq_##T(A(T))); OUT(vrndxq_##T(A(T))); OUT(vrndiq_##T(A(T))); OUT(vrecpeq_##T(A(T))); OUT(vrsqrteq_##T(A(T))); OUT(vrecpsq_##T(A(T), B(T))); OUT(vrsqrtsq_##T(A(T), B(T)));

static void floats(const char *tag) {
    char n[32];
#define FN(s) (snprintf(n, sizeof n, "%s %s", s, tag), n)
    OP(FN("farith"), F(T_farith)); OP(FN("ffma"), F(T_ffma)); OP(FN("fmax"), F(T_fmax)); OP(FN("fcmp"), F(T_fcmp)); OP(FN("f1"), F(T_f1));
    OP(FN("f16"), T_farith(f16) T_fmax(f16) T_fcmp(f16) T_f1(f16) OUT(vfmaq_f16(A(f16), B(f16), C(f16))););
    OP(FN("facross"), OUT(vmaxvq_f32(A(f32))); OUT(vminvq_f32(A(f32))); OUT(vmaxnmvq_f32(A(f32))); OUT(vaddvq_f32(A(f32))); OUT(vpaddd_f64(A(f64))););
    OP(FN("fcvt int"), OUT(vcvtq_s32_f32(A(f32))); OUT(vcvtq_u32_f32(A(f32))); OUT(vcvtnq_s32_f32(A(f32))); OUT(vcvtpq_u32_f32(A(f32))); OUT(vcvtmq_s64_f64(A(f64))); OUT(vcvtaq_u64_f64(A(f64))); OUT(vcvtq_s64_f64(A(f64))); OUT(vcvtq_n_s32_f32(A(f32), 7)); OUT(vcvtq_s16_f16(A(f16))););
    OP(FN("int fcvt"), OUT(vcvtq_f32_s32(A(s32))); OUT(vcvtq_f32_u32(A(u32))); OUT(vcvtq_f64_s64(A(s64))); OUT(vcvtq_f64_u64(A(u64))); OUT(vcvtq_n_f32_u32(A(u32), 13)); OUT(vcvtq_f16_s16(A(s16))););
    OP(FN("fcvt fp"), OUT(vcvt_f32_f64(A(f64))); OUT(vcvt_f64_f32(D(f32))); OUT(vcvt_f16_f32(A(f32))); OUT(vcvt_f32_f16(D(f16))); OUT(vcvtx_f32_f64(A(f64))););
    OP(FN("fcmla"), OUT(vcmlaq_f32(A(f32), B(f32), C(f32))); OUT(vcmlaq_rot90_f32(A(f32), B(f32), C(f32))); OUT(vcmlaq_rot180_f64(A(f64), B(f64), C(f64))); OUT(vcaddq_rot270_f32(A(f32), B(f32))););
    OP(FN("fmlal"), OUT(vfmlalq_low_f16(A(f32), B(f16), C(f16))); OUT(vfmlslq_high_f16(A(f32), B(f16), C(f16))););
}

int main(void) {
    fill();
    OP("add", ALL64(T_add)); OP("sub", ALL64(T_sub)); OP("mul", ALL8(T_mul)); OP("mla", ALL8(T_mla)); OP("qadd", ALL64(T_qadd)); OP("hadd", ALL8(T_hadd));
    OP("abd", ALL8(T_abd)); OP("maxmin", ALL8(T_maxmin)); OP("pair", ALL64(T_pair)); OP("pmax", ALL8(T_pmax)); OP("across", ALL8(T_across));
    OP("cmp", ALL64(T_cmp)); OP("cmpz", S8(T_cmpz) T_cmpz(s64)); OP("long", ALL8(T_long));
    OP("longacc", T_longacc(u8, u16) T_longacc(s8, s16) T_longacc(u16, u32) T_longacc(s16, s32) T_longacc(u32, u64) T_longacc(s32, s64));
    OP("padl", ALL8(T_padl)); OP("narrow", T_narrow(u16) T_narrow(s16) T_narrow(u32) T_narrow(s32) T_narrow(u64) T_narrow(s64)); OP("qun", T_qun(s16) T_qun(s32) T_qun(s64));
    OP("shl", T_shl(u8, s8) T_shl(s8, s8) T_shl(u16, s16) T_shl(s16, s16) T_shl(u32, s32) T_shl(s32, s32) T_shl(u64, s64) T_shl(s64, s64)); OP("shn", ALL64(T_shn));
    OP("perm", ALL64(T_perm) T_perm(f32) T_perm(f64)); OP("clz", ALL8(T_clz)); OP("qdmul", T_qdmul(s16) T_qdmul(s32));
    OP("logic", OUT(vandq_u8(A(u8), B(u8))); OUT(vbicq_u16(A(u16), B(u16))); OUT(vorrq_u8(A(u8), B(u8))); OUT(vornq_u32(A(u32), B(u32))); OUT(veorq_u8(A(u8), B(u8))); OUT(vbslq_u8(A(u8), B(u8), C(u8))); OUT(vmvnq_u8(A(u8))););
    OP("bits", OUT(vcntq_u8(A(u8))); OUT(vrbitq_u8(A(u8))); OUT(vrev64q_u8(A(u8))); OUT(vrev32q_u16(A(u16))); OUT(vrev16q_u8(A(u8))); OUT(vclsq_s32(A(s32))););
    OP("tbl", uint8x16x4_t t = {{A(u8), B(u8), C(u8), in[7]}}; uint8x16_t ix = vandq_u8(in[(i + 9) & 63], vdupq_n_u8(79)); OUT(vqtbl1q_u8(A(u8), ix)); OUT(vqtbl4q_u8(t, ix)); OUT(vqtbx4q_u8(in[1], t, ix)); OUT(vqtbx2q_u8(in[2], (uint8x16x2_t){{A(u8), B(u8)}}, ix)); OUT(vqtbl3_u8((uint8x16x3_t){{A(u8), B(u8), C(u8)}}, vget_low_u8(ix))););
    OP("pmul", OUT(vmulq_p8(A(p8), B(p8))); OUT(vmull_p8(vget_low_p8(A(p8)), vget_low_p8(B(p8)))););
    OP("dot", OUT(vdotq_u32(A(u32), B(u8), C(u8))); OUT(vdotq_s32(A(s32), B(s8), C(s8))); OUT(vdotq_laneq_s32(A(s32), B(s8), C(s8), 2)); OUT(vusdotq_s32(A(s32), B(u8), C(s8))););
    OP("mmla", OUT(vmmlaq_s32(A(s32), B(s8), C(s8))); OUT(vmmlaq_u32(A(u32), B(u8), C(u8))); OUT(vusmmlaq_s32(A(s32), B(u8), C(s8))););
    OP("sqadd mixed", OUT(vuqaddq_s8(A(s8), B(u8))); OUT(vsqaddq_u16(A(u16), B(s16))); OUT(vuqaddq_s64(A(s64), B(u64))););
    OP("recpe u32", OUT(vrecpeq_u32(A(u32))); OUT(vrsqrteq_u32(A(u32))););
    OP("scalar", OUT(vqaddd_s64(vgetq_lane_s64(A(s64), 0), vgetq_lane_s64(B(s64), 1))); OUT(vqsubs_u32(vgetq_lane_u32(A(u32), 0), vgetq_lane_u32(B(u32), 1))); OUT(vqshlb_s8(vgetq_lane_s8(A(s8), 0), vgetq_lane_s8(B(s8), 1))); OUT(vqdmulls_s32(vgetq_lane_s32(A(s32), 0), vgetq_lane_s32(B(s32), 1))); OUT(vshld_s64(vgetq_lane_s64(A(s64), 0), vgetq_lane_s64(B(s64), 1))); OUT(vqmovnd_s64(vgetq_lane_s64(A(s64), 0))); OUT(vcgtd_s64(vgetq_lane_s64(A(s64), 0), vgetq_lane_s64(B(s64), 1))););
    floats("");
    uint64_t fpsr;
    asm volatile("mrs %0, fpsr\n msr fpsr, xzr" : "=r"(fpsr));
    printf("fpsr %llx\n", (unsigned long long)fpsr);
    asm volatile("msr fpcr, %0" ::"r"(3ull << 22));
    floats("rz");
    asm volatile("msr fpcr, %0" ::"r"(3ull << 24));
    floats("fz dn");
    asm volatile("msr fpcr, xzr");
    OP("bf16", OUT(vbfdotq_f32(A(f32), (bfloat16x8_t)vreinterpretq_bf16_u8(in[i]), vreinterpretq_bf16_u8(in[(i + 1) & 63]))); OUT(vcvt_bf16_f32(A(f32))); OUT(vbfmlalbq_f32(A(f32), vreinterpretq_bf16_u8(in[i]), vreinterpretq_bf16_u8(in[(i + 1) & 63]))); OUT(vbfmmlaq_f32(A(f32), vreinterpretq_bf16_u8(in[i]), vreinterpretq_bf16_u8(in[(i + 1) & 63]))););
    return check_done("neon");
}
