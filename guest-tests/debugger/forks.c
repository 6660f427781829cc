// What gdb follows: a fork whose child executes a program, a spawned child, and an exec of its own.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
#include <spawn.h>

int in_child(int x) { return x + 1; }
int in_parent(int x) { return x + 2; }
int after_exec(int x) { return x + 3; }

int main(int argc, char **argv) {
    int status;
    if (argc > 1 && !strcmp(argv[1], "leaf")) return after_exec(1);
    if (argc > 1 && !strcmp(argv[1], "last")) return after_exec(5);
    pid_t pid = fork();
    if (pid == 0) {
        printf("child %d\n", in_child(1));
        fflush(stdout);
        execl(argv[0], argv[0], "leaf", NULL);
    }
    waitpid(pid, &status, 0);
    printf("parent %d child ended with %d\n", in_parent(1), WEXITSTATUS(status));
    char *args[] = { argv[0], "leaf", NULL };
    posix_spawn(&pid, argv[0], NULL, NULL, args, environ);
    waitpid(pid, &status, 0);
    printf("spawned ended with %d\n", WEXITSTATUS(status));
    fflush(stdout);
    execl(argv[0], argv[0], "last", NULL);
    return 1;
}
