// test: link=dynamic
// Memory sanitizers map a shadow of all memory: an eighth of user space from 64 GiB on. Nothing may lie there at the start.
#include <stdio.h>

int main(void) {
    unsigned long start, end, low = 1ul << 36, high = (1ul << 44) + low;
    char line[512];
    int inside = 0, all = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx", &start, &end) == 2) {
            all++;
            inside += start < high && end > low;
        }
    printf("some mappings: %d, inside the shadow: %d\n", all > 5, inside);
    return 0;
}
