# What looks into other processes: strace -f of bash and python, gdb on a program with threads.
# test: timeout=120 native=skip
set -u
echo '--- strace of a shell'
cat > sh.sh <<'E'
for i in 1 2; do ( echo $i | cat ); done
/bin/true; echo out
E
strace -f -qq -e trace=execve,exit_group -e signal=none -o trace bash sh.sh
grep -cE 'execve(\(.*| resumed>.*)\) += 0$' trace; grep -c 'exit_group(0' trace
strace -f -e trace=none -e signal=CHLD -o trace bash sh.sh > /dev/null; grep -c '+++ exited with 0 +++' trace
grep -c -- '--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, ' trace

echo '--- strace of python'
cat > py.py <<'E'
import os, subprocess, threading
threads = [threading.Thread(target=os.getppid) for _ in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
print(subprocess.run(["/bin/echo", "child"], capture_output=True).stdout)
pid = os.fork()
if pid == 0: os._exit(3)
print(os.waitpid(pid, 0)[1])
E
strace -f -o trace python3 py.py
grep -c 'CLONE_THREAD' trace; grep -cE "CLONE_VFORK|vfork\(" trace; grep -c '+++ exited with 3 +++' trace; grep -c '+++ exited with 0 +++' trace
grep -c 'getppid(' trace

echo '--- gdb'
cat > threads.c <<'E'
#include <pthread.h>
#include <stdio.h>
static pthread_barrier_t all;
int leaf(int x) { return x * 2; }
static void *worker(void *a) {
    pthread_barrier_wait(&all);
    int r = leaf((int)(long)a);
    pthread_barrier_wait(&all);
    return (void *)(long)r;
}
int main(void) {
    pthread_t t[3];
    long sum = 0;
    pthread_barrier_init(&all, NULL, 4);
    for (long i = 0; i < 3; i++) pthread_create(&t[i], NULL, worker, (void *)(i + 5));
    pthread_barrier_wait(&all);
    pthread_barrier_wait(&all);
    for (int i = 0; i < 3; i++) {
        void *r;
        pthread_join(t[i], &r);
        sum += (long)r;
    }
    printf("sum %ld\n", sum);
    return 0;
}
E
gcc -g -O0 -pthread threads.c -o threads
cat > commands <<'E'
set pagination off
set confirm off
break leaf
run
backtrace 2
info threads
print x * 100 > 400
up
print all.__align >= 0
continue
continue
delete
set variable *(int *)$sp = *(int *)$sp
continue
E
gdb -nx -batch -x commands ./threads > gdb.out 2>&1
grep -c 'hit Breakpoint 1' gdb.out; grep -o '^#0  leaf (x=[567])' gdb.out | wc -l; grep -c '^#1 .* in worker (a=0x[567]) at threads.c:7$' gdb.out
grep -cE '^[* ] [1-4] +Thread' gdb.out; grep '^\$1 = ' gdb.out; grep '^sum' gdb.out; grep -c 'exited normally' gdb.out
