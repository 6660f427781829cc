// test: flags=-pthread,-lrt
// System V and POSIX inter-process communication.
#include "check.h"
#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
};

int main(void) {
    int id = shmget(IPC_PRIVATE, 10000, IPC_CREAT | 0600);
    CHECK(id >= 0);
    char *a = shmat(id, NULL, 0), *b = shmat(id, NULL, SHM_RDONLY);
    CHECK(a != (void *)-1 && b != (void *)-1 && a != b);
    a[5000] = 9;
    CHECK_EQ(b[5000], 9);
    struct shmid_ds ds;
    CHECK(!shmctl(id, IPC_STAT, &ds));
    CHECK_EQ(ds.shm_segsz, 10000);
    CHECK_EQ(ds.shm_nattch, 2);
    CHECK_EQ(ds.shm_cpid, getpid());
    CHECK_EQ(ds.shm_perm.mode & 0777, 0600);
    pid_t pid = fork();
    if (!pid) {
        a[1] = 55;
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    CHECK_EQ(b[1], 55);
    CHECK(!shmdt(b) && !shmdt(a));
    FAILS(shmdt(a), EINVAL);
    CHECK(!shmctl(id, IPC_RMID, NULL));
    FAILS(shmctl(id, IPC_STAT, &ds), EINVAL);
    printf("shm\n");

    int sem = semget(IPC_PRIVATE, 3, IPC_CREAT | 0600);
    CHECK(sem >= 0);
    union semun u;
    unsigned short vals[3] = {1, 2, 3}, back[3];
    u.array = vals;
    CHECK(!semctl(sem, 0, SETALL, u));
    u.array = back;
    CHECK(!semctl(sem, 0, GETALL, u) && back[2] == 3);
    CHECK_EQ(semctl(sem, 1, GETVAL), 2);
    u.val = 0;
    CHECK(!semctl(sem, 0, SETVAL, u));
    pid = fork();
    if (!pid) {
        struct sembuf up = {0, 5, 0};
        usleep(20000);
        semop(sem, &up, 1);
        _exit(0);
    }
    struct sembuf ops[2] = {{0, -5, 0}, {1, -1, IPC_NOWAIT}};
    CHECK(!semop(sem, ops, 2));
    waitpid(pid, NULL, 0);
    struct sembuf nowait = {0, -1, IPC_NOWAIT};
    FAILS(semop(sem, &nowait, 1), EAGAIN);
    struct timespec ts = {0, 10000000};
    nowait.sem_flg = 0;
    FAILS(semtimedop(sem, &nowait, 1, &ts), EAGAIN);
    struct semid_ds sd;
    u.buf = &sd;
    CHECK(!semctl(sem, 0, IPC_STAT, u) && sd.sem_nsems == 3);
    CHECK_EQ(semctl(sem, 0, GETPID), getpid());
    CHECK(!semctl(sem, 0, IPC_RMID));
    printf("sem\n");

    int q = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    struct {
        long type;
        char text[64];
    } m = {3, "three"}, r;
    CHECK(!msgsnd(q, &m, 6, 0));
    m.type = 1, strcpy(m.text, "one");
    CHECK(!msgsnd(q, &m, 4, 0));
    struct msqid_ds qd;
    CHECK(!msgctl(q, IPC_STAT, &qd) && qd.msg_qnum == 2);
    CHECK_EQ(msgrcv(q, &r, 64, 1, 0), 4);
    CHECK(!strcmp(r.text, "one"));
    FAILS(msgrcv(q, &r, 2, 0, IPC_NOWAIT), E2BIG);
    CHECK_EQ(msgrcv(q, &r, 64, -5, 0), 6);
    CHECK(r.type == 3 && !strcmp(r.text, "three"));
    FAILS(msgrcv(q, &r, 64, 0, IPC_NOWAIT), ENOMSG);
    CHECK(!msgctl(q, IPC_RMID, NULL));
    printf("msg\n");

    char name[64];
    snprintf(name, sizeof name, "/omnirun-%d", getpid());
    int fd = shm_open(name, O_CREAT | O_RDWR | O_EXCL, 0600);
    CHECK(fd >= 0 && !ftruncate(fd, 4096));
    int *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    sem_t *s = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
    CHECK(s != SEM_FAILED);
    pid = fork();
    if (!pid) {
        p[10] = 1010;
        sem_post(s);
        _exit(0);
    }
    sem_wait(s);
    CHECK_EQ(p[10], 1010);
    waitpid(pid, NULL, 0);
    CHECK(!shm_unlink(name) && !sem_unlink(name));
    struct mq_attr at = {.mq_maxmsg = 4, .mq_msgsize = 32}, got;
    mqd_t mq = mq_open(name, O_CREAT | O_RDWR | O_NONBLOCK, 0600, &at);
    if (mq != (mqd_t)-1) {
        CHECK(!mq_send(mq, "low", 4, 1) && !mq_send(mq, "high", 5, 9));
        CHECK(!mq_getattr(mq, &got) && got.mq_curmsgs == 2 && got.mq_maxmsg == 4);
        char buf[32];
        unsigned prio;
        CHECK(mq_receive(mq, buf, 32, &prio) == 5 && prio == 9 && !strcmp(buf, "high"));
        CHECK(mq_receive(mq, buf, 32, &prio) == 4 && prio == 1);
        FAILS(mq_receive(mq, buf, 32, &prio), EAGAIN);
        CHECK(!mq_close(mq) && !mq_unlink(name));
    } else
        CHECK(errno == ENOSYS || errno == EACCES);
    int mf = memfd_create("mem", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK(mf >= 0 && !ftruncate(mf, 100));
    CHECK(!fcntl(mf, F_ADD_SEALS, F_SEAL_GROW));
    CHECK_EQ(fcntl(mf, F_GET_SEALS), F_SEAL_GROW);
    FAILS(ftruncate(mf, 200), EPERM);
    printf("posix\n");
    return check_done("ipc");
}
