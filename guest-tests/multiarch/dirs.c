// Directories: getdents, seekdir, telldir, rewinddir, scandir, nftw, large ones.
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

static int visited, dirs;
static int visit(const char *p, const struct stat *st, int flag, struct FTW *f) {
    visited++;
    dirs += flag == FTW_DP;
    return remove(p);
}

int main(void) {
    CHECK(!mkdir("big", 0755));
    char name[64];
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "big/%0*d", i % 50 + 1, i);
        int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
        CHECK(fd >= 0);
        close(fd);
    }
    DIR *d = opendir("big");
    struct dirent *e;
    int n = 0, regular = 0;
    uint64_t sum = 0;
    long at1000 = 0;
    char after[256] = "";
    while ((e = readdir(d))) {
        n++;
        regular += e->d_type == DT_REG;
        uint64_t h = fnv(0, e->d_name, strlen(e->d_name));
        sum += h;
        if (n == 1001) strcpy(after, e->d_name);
        if (n == 1000) at1000 = telldir(d);
    }
    CHECK_EQ(n, 2002);
    CHECK_EQ(regular, 2000);
    seekdir(d, at1000);
    e = readdir(d);
    CHECK(e && !strcmp(e->d_name, after));
    rewinddir(d);
    for (n = 0; readdir(d); n++) {}
    CHECK_EQ(n, 2002);
    closedir(d);
    printf("sum %016llx\n", (unsigned long long)sum);
    struct dirent **list;
    n = scandir("big", &list, NULL, alphasort);
    CHECK_EQ(n, 2002);
    CHECK(!strcmp(list[0]->d_name, ".") && !strcmp(list[1]->d_name, ".."));
    uint64_t h = 0;
    for (int i = 0; i < n; i++) h = fnv(h, list[i]->d_name, strlen(list[i]->d_name));
    printf("sorted %016llx\n", (unsigned long long)h);
    CHECK(!mkdir("big/sub", 0700) && !mkdir("big/sub/sub", 0700));
    CHECK(!nftw("big", visit, 8, FTW_DEPTH | FTW_PHYS));
    CHECK_EQ(visited, 2003);
    CHECK_EQ(dirs, 3);
    CHECK(opendir("big") == NULL && errno == ENOENT);
    return check_done("dirs");
}
