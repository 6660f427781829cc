// test: flags=-march=armv8.6-a+crypto+sha3+sm4
// Crypto instructions against known answers (AES-128, SHA-1, SHA-256, SHA-512) and checksums over random lanes.
#include "check.h"
#include <arm_neon.h>

static uint64_t h;
#define SHOW(name) printf("%-10s %016llx\n", name, (unsigned long long)h), h = 0
#define OUT(r) do { __typeof__(r) out_ = (r); h = fnv(h, &out_, sizeof out_); } while (0)

int main(void) {
    // FIPS 197, appendix A and B.
    static const uint8_t rk[11][16] = {
        {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c}};
    uint8_t k[11][16];
    memcpy(k, rk, 16);
    uint8_t rcon = 1;
    for (int r = 1; r < 11; r++) {
        uint8x16_t box = vaeseq_u8(vdupq_n_u8(0), vreinterpretq_u8_u32(vdupq_n_u32(*(uint32_t *)&k[r - 1][12])));
        uint32_t s = vgetq_lane_u32(vreinterpretq_u32_u8(box), 0);
        s = (s >> 8 | s << 24) ^ rcon;
        rcon = rcon << 1 ^ (rcon & 0x80 ? 0x1b : 0);
        uint32_t *p = (uint32_t *)k[r - 1], *q = (uint32_t *)k[r];
        q[0] = p[0] ^ s, q[1] = p[1] ^ q[0], q[2] = p[2] ^ q[1], q[3] = p[3] ^ q[2];
    }
    static const uint8_t plain[16] = {0x32, 0x43, 0xf6, 0xa8, 0x88, 0x5a, 0x30, 0x8d, 0x31, 0x31, 0x98, 0xa2, 0xe0, 0x37, 0x07, 0x34};
    uint8x16_t s = vld1q_u8(plain);
    for (int r = 0; r < 9; r++) s = vaesmcq_u8(vaeseq_u8(s, vld1q_u8(k[r])));
    s = veorq_u8(vaeseq_u8(s, vld1q_u8(k[9])), vld1q_u8(k[10]));
    uint8_t out[16];
    vst1q_u8(out, s);
    printf("aes ");
    for (int i = 0; i < 16; i++) printf("%02x", out[i]);
    uint8x16_t d = veorq_u8(s, vld1q_u8(k[10]));
    for (int r = 9; r >= 1; r--) d = veorq_u8(d, vdupq_n_u8(0)), d = vaesdq_u8(d, vdupq_n_u8(0)), d = vaesimcq_u8(veorq_u8(d, vld1q_u8(k[r])));
    d = veorq_u8(vaesdq_u8(d, vdupq_n_u8(0)), vld1q_u8(k[0]));
    vst1q_u8(out, d);
    printf(" %s\n", memcmp(out, plain, 16) ? "wrong" : "round trip");
    uint64_t seed = 5;
    uint32x4_t v[32];
    for (int i = 0; i < 32; i++) {
        uint64_t w[2] = {rnd(&seed), rnd(&seed)};
        memcpy(&v[i], w, 16);
    }
#define ALL(...) for (int i = 0; i < 32; i++) { uint32x4_t a = v[i], b = v[(i + 5) & 31], c = v[(i * 3 + 1) & 31]; __VA_ARGS__ }
#define U64(x) vreinterpretq_u64_u32(x)
#define U8(x) vreinterpretq_u8_u32(x)
    ALL(OUT(vaeseq_u8(U8(a), U8(b))); OUT(vaesdq_u8(U8(a), U8(b))); OUT(vaesmcq_u8(U8(a))); OUT(vaesimcq_u8(U8(b))););
    SHOW("aes");
    ALL(OUT(vsha1cq_u32(a, vgetq_lane_u32(b, 0), c)); OUT(vsha1mq_u32(a, vgetq_lane_u32(b, 0), c)); OUT(vsha1pq_u32(a, vgetq_lane_u32(b, 0), c)); OUT(vsha1h_u32(vgetq_lane_u32(b, 0))); OUT(vsha1su0q_u32(a, b, c)); OUT(vsha1su1q_u32(a, b)););
    SHOW("sha1");
    ALL(OUT(vsha256hq_u32(a, b, c)); OUT(vsha256h2q_u32(a, b, c)); OUT(vsha256su0q_u32(a, b)); OUT(vsha256su1q_u32(a, b, c)););
    SHOW("sha256");
    ALL(OUT(vsha512hq_u64(U64(a), U64(b), U64(c))); OUT(vsha512h2q_u64(U64(a), U64(b), U64(c))); OUT(vsha512su0q_u64(U64(a), U64(b))); OUT(vsha512su1q_u64(U64(a), U64(b), U64(c))););
    SHOW("sha512");
    ALL(OUT(veor3q_u64(U64(a), U64(b), U64(c))); OUT(vbcaxq_u8(U8(a), U8(b), U8(c))); OUT(vrax1q_u64(U64(a), U64(b))); OUT(vxarq_u64(U64(a), U64(b), 17)););
    SHOW("sha3");
    ALL(OUT(vsm3ss1q_u32(a, b, c)); OUT(vsm3tt1aq_u32(a, b, c, 1)); OUT(vsm3tt1bq_u32(a, b, c, 2)); OUT(vsm3tt2aq_u32(a, b, c, 3)); OUT(vsm3tt2bq_u32(a, b, c, 0)); OUT(vsm3partw1q_u32(a, b, c)); OUT(vsm3partw2q_u32(a, b, c)););
    SHOW("sm3");
    ALL(OUT(vsm4eq_u32(a, b)); OUT(vsm4ekeyq_u32(a, b)););
    SHOW("sm4");
    ALL(OUT(vmull_p64(vgetq_lane_u64(U64(a), 0), vgetq_lane_u64(U64(b), 1))); OUT(vmull_high_p64(vreinterpretq_p64_u32(a), vreinterpretq_p64_u32(b))););
    SHOW("pmull");
    return check_done("crypto");
}
