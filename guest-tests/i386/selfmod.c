// test: flags=-pthread,-msse2
#include "../x86_64/selfmod.c"
