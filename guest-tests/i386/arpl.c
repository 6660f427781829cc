// arpl with register and memory operands: result, and all flags but the ones that it leaves alone.
#include <stdio.h>

int main(void)
{
    static const unsigned values[] = { 0, 1, 2, 3, 0x1234, 0xffff, 0x5557, 0x8002 };
    unsigned sum = 0;
    for (int i = 0; i < 8; i++) {
        for (int j = 0; j < 8; j++) {
            for (int set = 0; set < 2; set++) {
                unsigned whole = values[i] | 0xabcd0000, from = values[j], flags;
                unsigned short half = values[i];
                __asm__ volatile("pushl %3\n\tpopfl\n\tarpl %w2, %w0\n\tpushfl\n\tpopl %1"
                                 : "+r"(whole), "=&r"(flags)
                                 : "r"(from), "ri"(set ? 0x8d5 : 0)
                                 : "cc");
                __asm__ volatile("arpl %w1, %0" : "+m"(half) : "r"(from) : "cc");
                sum = sum * 31 + whole;
                sum = sum * 31 + (flags & 0x8d5);
                sum = sum * 31 + half;
            }
        }
    }
    printf("%08x\n", sum);
    return 0;
}
