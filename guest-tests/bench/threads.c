// test: flags=-pthread
// Threads: creation, mutexes, atomics, condition variables, eight at a time.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t c = PTHREAD_COND_INITIALIZER;
static atomic_long counter;
static long locked, turn;
static void *work(void *arg) {
    for (int i = 0; i < 150000; i++) {
        atomic_fetch_add(&counter, i & 3);
        if (i % 4 == 0) {
            pthread_mutex_lock(&m);
            locked++;
            pthread_mutex_unlock(&m);
        }
    }
    return 0;
}
static void *ping(void *arg) {
    long me = (long)arg;
    for (int i = 0; i < 4000; i++) {
        pthread_mutex_lock(&m);
        while (turn % 2 != me) pthread_cond_wait(&c, &m);
        turn++;
        pthread_cond_signal(&c);
        pthread_mutex_unlock(&m);
    }
    return 0;
}
static void *nothing(void *arg) { return 0; }
int main(void) {
    pthread_t t[8];
    for (int i = 0; i < 8; i++) pthread_create(&t[i], 0, work, 0);
    for (int i = 0; i < 8; i++) pthread_join(t[i], 0);
    for (long i = 0; i < 2; i++) pthread_create(&t[i], 0, ping, (void *)i);
    for (int i = 0; i < 2; i++) pthread_join(t[i], 0);
    for (int i = 0; i < 700; i++) pthread_create(&t[0], 0, nothing, 0), pthread_join(t[0], 0);
    printf("%ld %ld %ld\n", (long)counter, locked, turn);
    return 0;
}
