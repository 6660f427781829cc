// test: link=static,dynamic
#include "../x86_64/sigframe.c"
