// test: flags=-pthread
// The list of held locks in the layout of 32-bit guests.
#include "../multiarch/robust.c"
