// Under the debugger: a function with arguments, threads that change a variable, a signal, an exit code.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int counter;

static void handler(int sig)
{
    printf("signal %d\n", sig);
}

static void *work(void *arg)
{
    for (int i = 0; i < 3; i++) {
        __sync_fetch_and_add(&counter, 1);
        usleep(1000);
    }
    return arg;
}

int sum(int a, int b)
{
    int c = a + b;
    return c;
}

int main(void)
{
    pthread_t threads[3];
    signal(SIGUSR1, handler);
    printf("sum %d\n", sum(2, 3));
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], 0, work, 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], 0);
    raise(SIGUSR1);
    printf("counter %d\n", counter);
    return 7;
}
