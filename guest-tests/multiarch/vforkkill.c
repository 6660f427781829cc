// test: timeout=120 slow=skip
// A vfork child that is killed from outside while it computes: the parent goes on, and can fork, map code and end.
#include "check.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

static volatile int *child;
static volatile unsigned long spins;

int main(void) {
    child = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int rounds = scaled(20), killed = 0, forked = 0;
    for (int i = 0; i < rounds; i++) {
        *child = 0;
        pid_t killer = fork();
        if (!killer) {
            while (!*child) usleep(100);
            usleep(1000 + 137 * i);
            _exit(kill(*child, SIGKILL) ? 1 : 0);
        }
        pid_t pid = vfork();
        if (!pid) {
            *child = getpid();
            for (;;) spins++;
        }
        int st;
        CHECK(waitpid(pid, &st, 0) == pid);
        killed += WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL;
        CHECK(waitpid(killer, &st, 0) == killer && st == 0);
        pid = fork();
        if (!pid) _exit(7);
        CHECK(waitpid(pid, &st, 0) == pid);
        forked += WIFEXITED(st) && WEXITSTATUS(st) == 7;
    }
    printf("killed all %d, forked all %d\n", killed == rounds, forked == rounds);
    return check_done("vforkkill");
}
