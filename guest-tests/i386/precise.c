// test: flags=-msse2
#include "../x86_64/precise.c"
