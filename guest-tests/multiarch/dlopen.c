// test: link=dynamic flags=-ldl,-lm
// The guest's own dynamic loader: dlopen, dlsym, dl_iterate_phdr, lazy and eager binding.
#include "check.h"
#include <dlfcn.h>
#include <link.h>
#include <math.h>

static int count(struct dl_phdr_info *info, size_t size, void *data) {
    ++*(int *)data;
    return 0;
}

int main(void) {
    void *m = dlopen("libm.so.6", RTLD_NOW);
    CHECK(m != NULL);
    if (!m) printf("%s\n", dlerror());
    double (*c)(double) = (double (*)(double))dlsym(m, "cos");
    CHECK(c && c(0.0) == 1.0);
    CHECK(dlsym(m, "no_such_symbol") == NULL);
    CHECK(dlerror() != NULL);
    CHECK(dlopen("libnothere.so", RTLD_LAZY) == NULL);
    int n = 0;
    dl_iterate_phdr(count, &n);
    CHECK(n >= 3);
    Dl_info info;
    CHECK(dladdr((void *)printf, &info) != 0 && !strcmp(info.dli_sname, "printf") || info.dli_sname);
    printf("%.17g\n", pow(2.5, 3.25));
    return check_done("dlopen");
}
