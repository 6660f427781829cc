/* Prints size and offsets of the structures of linux/structs.def as the compiler of one arch lays them out.
 * Build with a cross compiler, run (natively or under an emulator), store the output as data/<arch>.txt. */
#define _GNU_SOURCE
/* The C library's are the same structures. */
#define _LINUX_TIME_H
#include <stddef.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <asm/posix_types.h>
#include <linux/types.h>
#include <linux/time_types.h>
#include <asm/stat.h>
#include <linux/times.h>
#include <linux/stat.h>
#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/openat2.h>
#include <asm/poll.h>
#include <linux/eventpoll.h>
#include <linux/aio_abi.h>
#include <linux/filter.h>
#include <sys/resource.h>
#include <time.h>
#include <linux/sched.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/ipc.h>
#include <linux/sem.h>
#include <linux/shm.h>
#include <linux/msg.h>
#include <linux/mqueue.h>
#include <linux/utsname.h>
#include <linux/sysinfo.h>
#include <asm/termbits.h>
#include <linux/serial.h>
#include <linux/if.h>
#include <linux/route.h>
#include <linux/if_arp.h>
#include <linux/hdreg.h>
#include <linux/fs.h>
#include <linux/fiemap.h>
#include <linux/loop.h>
#include <linux/rtc.h>
#include <linux/vt.h>
#include <linux/kd.h>
#include <linux/input.h>
#include <linux/mount.h>

/* Not in the headers that user space gets: as the kernel has them. */
struct sg_io_hdr { int interface_id, dxfer_direction; unsigned char cmd_len, mx_sb_len; unsigned short iovec_count;
    unsigned dxfer_len; void *dxferp; unsigned char *cmdp; void *sbp; unsigned timeout, flags; int pack_id; void *usr_ptr;
    unsigned char status, masked_status, msg_status, sb_len_wr; unsigned short host_status, driver_status; int resid;
    unsigned duration, info; };

/* struct __kernel_timex, which linux/timex.h has in words of the C library. */
struct kernel_timex { unsigned modes; int : 32; long long offset, freq, maxerror, esterror; int status; int : 32;
    long long constant, precision, tolerance; struct { long long sec, usec; } time; long long tick, ppsfreq, jitter; int shift; int : 32;
    long long stabil, jitcnt, calcnt, errcnt, stbcnt; int tai; int pad[11]; };

#define S(type, name) printf(#name " %zu", sizeof(type));
#define F(type, field, member) printf(" " #field ":%zu", offsetof(type, member));
int main(void) {
    S(struct timespec, timespec) F(struct timespec, tv_sec, tv_sec) F(struct timespec, tv_nsec, tv_nsec) puts("");
    S(struct timeval, timeval) F(struct timeval, tv_sec, tv_sec) F(struct timeval, tv_usec, tv_usec) puts("");
    S(struct timezone, timezone) F(struct timezone, tz_minuteswest, tz_minuteswest) F(struct timezone, tz_dsttime, tz_dsttime) puts("");
    S(struct itimerspec, itimerspec) F(struct itimerspec, it_interval, it_interval) F(struct itimerspec, it_value, it_value) puts("");
    S(struct itimerval, itimerval) F(struct itimerval, it_interval, it_interval) F(struct itimerval, it_value, it_value) puts("");
    S(struct tms, tms) F(struct tms, tms_utime, tms_utime) F(struct tms, tms_stime, tms_stime) F(struct tms, tms_cutime, tms_cutime) F(struct tms, tms_cstime, tms_cstime) puts("");
    S(struct timex, timex) F(struct timex, modes, modes) F(struct timex, offset, offset) F(struct timex, freq, freq) F(struct timex, maxerror, maxerror) F(struct timex, esterror, esterror) F(struct timex, status, status) F(struct timex, constant, constant) F(struct timex, precision, precision) F(struct timex, tolerance, tolerance) F(struct timex, time, time) F(struct timex, tick, tick) F(struct timex, ppsfreq, ppsfreq) F(struct timex, jitter, jitter) F(struct timex, shift, shift) F(struct timex, stabil, stabil) F(struct timex, jitcnt, jitcnt) F(struct timex, calcnt, calcnt) F(struct timex, errcnt, errcnt) F(struct timex, stbcnt, stbcnt) F(struct timex, tai, tai) puts("");
    S(struct stat, stat) F(struct stat, st_dev, st_dev) F(struct stat, st_ino, st_ino) F(struct stat, st_mode, st_mode) F(struct stat, st_nlink, st_nlink) F(struct stat, st_uid, st_uid) F(struct stat, st_gid, st_gid) F(struct stat, st_rdev, st_rdev) F(struct stat, st_size, st_size) F(struct stat, st_blksize, st_blksize) F(struct stat, st_blocks, st_blocks) F(struct stat, st_atime, st_atime) F(struct stat, st_atime_nsec, st_atime_nsec) F(struct stat, st_mtime, st_mtime) F(struct stat, st_mtime_nsec, st_mtime_nsec) F(struct stat, st_ctime, st_ctime) F(struct stat, st_ctime_nsec, st_ctime_nsec) puts("");
#if __SIZEOF_LONG__ == 4
    S(struct stat64, stat64) F(struct stat64, st_dev, st_dev) F(struct stat64, st_ino, st_ino) F(struct stat64, st_mode, st_mode) F(struct stat64, st_nlink, st_nlink) F(struct stat64, st_uid, st_uid) F(struct stat64, st_gid, st_gid) F(struct stat64, st_rdev, st_rdev) F(struct stat64, st_size, st_size) F(struct stat64, st_blksize, st_blksize) F(struct stat64, st_blocks, st_blocks) F(struct stat64, st_atime, st_atime) F(struct stat64, st_atime_nsec, st_atime_nsec) F(struct stat64, st_mtime, st_mtime) F(struct stat64, st_mtime_nsec, st_mtime_nsec) F(struct stat64, st_ctime, st_ctime) F(struct stat64, st_ctime_nsec, st_ctime_nsec) puts("");
    S(struct statfs64, statfs64) F(struct statfs64, f_type, f_type) F(struct statfs64, f_bsize, f_bsize) F(struct statfs64, f_blocks, f_blocks) F(struct statfs64, f_bfree, f_bfree) F(struct statfs64, f_bavail, f_bavail) F(struct statfs64, f_files, f_files) F(struct statfs64, f_ffree, f_ffree) F(struct statfs64, f_fsid, f_fsid) F(struct statfs64, f_namelen, f_namelen) F(struct statfs64, f_frsize, f_frsize) F(struct statfs64, f_flags, f_flags) puts("");
    S(struct flock64, flock64) F(struct flock64, l_type, l_type) F(struct flock64, l_whence, l_whence) F(struct flock64, l_start, l_start) F(struct flock64, l_len, l_len) F(struct flock64, l_pid, l_pid) puts("");
#endif
    S(struct __kernel_timespec, timespec64) F(struct __kernel_timespec, tv_sec, tv_sec) puts("");
    S(struct __kernel_itimerspec, itimerspec64) F(struct __kernel_itimerspec, it_interval, it_interval) F(struct __kernel_itimerspec, it_value, it_value) puts("");
    S(struct kernel_timex, timex64) F(struct kernel_timex, modes, modes) F(struct kernel_timex, offset, offset) F(struct kernel_timex, freq, freq) F(struct kernel_timex, maxerror, maxerror) F(struct kernel_timex, esterror, esterror) F(struct kernel_timex, status, status) F(struct kernel_timex, constant, constant) F(struct kernel_timex, precision, precision) F(struct kernel_timex, tolerance, tolerance) F(struct kernel_timex, time, time) F(struct kernel_timex, tick, tick) F(struct kernel_timex, ppsfreq, ppsfreq) F(struct kernel_timex, jitter, jitter) F(struct kernel_timex, shift, shift) F(struct kernel_timex, stabil, stabil) F(struct kernel_timex, jitcnt, jitcnt) F(struct kernel_timex, calcnt, calcnt) F(struct kernel_timex, errcnt, errcnt) F(struct kernel_timex, stbcnt, stbcnt) F(struct kernel_timex, tai, tai) puts("");
    S(struct statx_timestamp, statx_timestamp) F(struct statx_timestamp, tv_sec, tv_sec) F(struct statx_timestamp, tv_nsec, tv_nsec) puts("");
    S(struct statx, statx) F(struct statx, stx_mask, stx_mask) F(struct statx, stx_blksize, stx_blksize) F(struct statx, stx_attributes, stx_attributes) F(struct statx, stx_nlink, stx_nlink) F(struct statx, stx_uid, stx_uid) F(struct statx, stx_gid, stx_gid) F(struct statx, stx_mode, stx_mode) F(struct statx, stx_ino, stx_ino) F(struct statx, stx_size, stx_size) F(struct statx, stx_blocks, stx_blocks) F(struct statx, stx_attributes_mask, stx_attributes_mask) F(struct statx, stx_atime, stx_atime) F(struct statx, stx_btime, stx_btime) F(struct statx, stx_ctime, stx_ctime) F(struct statx, stx_mtime, stx_mtime) F(struct statx, stx_rdev_major, stx_rdev_major) F(struct statx, stx_rdev_minor, stx_rdev_minor) F(struct statx, stx_dev_major, stx_dev_major) F(struct statx, stx_dev_minor, stx_dev_minor) F(struct statx, stx_mnt_id, stx_mnt_id) F(struct statx, stx_dio_mem_align, stx_dio_mem_align) F(struct statx, stx_dio_offset_align, stx_dio_offset_align) puts("");
    S(struct statfs, statfs) F(struct statfs, f_type, f_type) F(struct statfs, f_bsize, f_bsize) F(struct statfs, f_blocks, f_blocks) F(struct statfs, f_bfree, f_bfree) F(struct statfs, f_bavail, f_bavail) F(struct statfs, f_files, f_files) F(struct statfs, f_ffree, f_ffree) F(struct statfs, f_fsid, f_fsid) F(struct statfs, f_namelen, f_namelen) F(struct statfs, f_frsize, f_frsize) F(struct statfs, f_flags, f_flags) puts("");
    S(struct flock, flock) F(struct flock, l_type, l_type) F(struct flock, l_whence, l_whence) F(struct flock, l_start, l_start) F(struct flock, l_len, l_len) F(struct flock, l_pid, l_pid) puts("");
    S(struct f_owner_ex, f_owner_ex) F(struct f_owner_ex, type, type) F(struct f_owner_ex, pid, pid) puts("");
    S(struct open_how, open_how) F(struct open_how, flags, flags) F(struct open_how, mode, mode) F(struct open_how, resolve, resolve) puts("");
    S(struct iovec, iovec) F(struct iovec, iov_base, iov_base) F(struct iovec, iov_len, iov_len) puts("");
    S(struct pollfd, pollfd) F(struct pollfd, fd, fd) F(struct pollfd, events, events) F(struct pollfd, revents, revents) puts("");
    S(struct epoll_event, epoll_event) F(struct epoll_event, events, events) F(struct epoll_event, data, data) puts("");
    S(struct io_event, io_event) F(struct io_event, data, data) F(struct io_event, obj, obj) F(struct io_event, res, res) F(struct io_event, res2, res2) puts("");
    S(struct msghdr, msghdr) F(struct msghdr, msg_name, msg_name) F(struct msghdr, msg_namelen, msg_namelen) F(struct msghdr, msg_iov, msg_iov) F(struct msghdr, msg_iovlen, msg_iovlen) F(struct msghdr, msg_control, msg_control) F(struct msghdr, msg_controllen, msg_controllen) F(struct msghdr, msg_flags, msg_flags) puts("");
    S(struct mmsghdr, mmsghdr) F(struct mmsghdr, msg_hdr, msg_hdr) F(struct mmsghdr, msg_len, msg_len) puts("");
    S(struct cmsghdr, cmsghdr) F(struct cmsghdr, cmsg_len, cmsg_len) F(struct cmsghdr, cmsg_level, cmsg_level) F(struct cmsghdr, cmsg_type, cmsg_type) puts("");
    S(struct linger, linger) F(struct linger, l_onoff, l_onoff) F(struct linger, l_linger, l_linger) puts("");
    S(struct ucred, ucred) F(struct ucred, pid, pid) F(struct ucred, uid, uid) F(struct ucred, gid, gid) puts("");
    S(struct sock_filter, sock_filter) F(struct sock_filter, code, code) F(struct sock_filter, jt, jt) F(struct sock_filter, jf, jf) F(struct sock_filter, k, k) puts("");
    S(struct rusage, rusage) F(struct rusage, ru_utime, ru_utime) F(struct rusage, ru_stime, ru_stime) F(struct rusage, ru_maxrss, ru_maxrss) F(struct rusage, ru_ixrss, ru_ixrss) F(struct rusage, ru_idrss, ru_idrss) F(struct rusage, ru_isrss, ru_isrss) F(struct rusage, ru_minflt, ru_minflt) F(struct rusage, ru_majflt, ru_majflt) F(struct rusage, ru_nswap, ru_nswap) F(struct rusage, ru_inblock, ru_inblock) F(struct rusage, ru_oublock, ru_oublock) F(struct rusage, ru_msgsnd, ru_msgsnd) F(struct rusage, ru_msgrcv, ru_msgrcv) F(struct rusage, ru_nsignals, ru_nsignals) F(struct rusage, ru_nvcsw, ru_nvcsw) F(struct rusage, ru_nivcsw, ru_nivcsw) puts("");
    S(struct rlimit, rlimit) F(struct rlimit, rlim_cur, rlim_cur) F(struct rlimit, rlim_max, rlim_max) puts("");
    S(struct rlimit64, rlimit64) F(struct rlimit64, rlim_cur, rlim_cur) F(struct rlimit64, rlim_max, rlim_max) puts("");
    S(stack_t, stack_t) F(stack_t, ss_sp, ss_sp) F(stack_t, ss_flags, ss_flags) F(stack_t, ss_size, ss_size) puts("");
    S(struct clone_args, clone_args) F(struct clone_args, flags, flags) F(struct clone_args, pidfd, pidfd) F(struct clone_args, child_tid, child_tid) F(struct clone_args, parent_tid, parent_tid) F(struct clone_args, exit_signal, exit_signal) F(struct clone_args, stack, stack) F(struct clone_args, stack_size, stack_size) F(struct clone_args, tls, tls) F(struct clone_args, set_tid, set_tid) F(struct clone_args, set_tid_size, set_tid_size) F(struct clone_args, cgroup, cgroup) puts("");
    S(struct __user_cap_header_struct, cap_header) F(struct __user_cap_header_struct, version, version) F(struct __user_cap_header_struct, pid, pid) puts("");
    S(struct robust_list_head, robust_list_head) F(struct robust_list_head, list, list) F(struct robust_list_head, futex_offset, futex_offset) F(struct robust_list_head, list_op_pending, list_op_pending) puts("");
    S(struct futex_waitv, futex_waitv) F(struct futex_waitv, val, val) F(struct futex_waitv, uaddr, uaddr) F(struct futex_waitv, flags, flags) puts("");
    S(struct ipc64_perm, ipc_perm) F(struct ipc64_perm, key, key) F(struct ipc64_perm, uid, uid) F(struct ipc64_perm, gid, gid) F(struct ipc64_perm, cuid, cuid) F(struct ipc64_perm, cgid, cgid) F(struct ipc64_perm, mode, mode) F(struct ipc64_perm, seq, seq) puts("");
    S(struct semid64_ds, semid_ds) F(struct semid64_ds, sem_perm, sem_perm) F(struct semid64_ds, sem_otime, sem_otime) F(struct semid64_ds, sem_ctime, sem_ctime) F(struct semid64_ds, sem_nsems, sem_nsems) puts("");
    S(struct shmid64_ds, shmid_ds) F(struct shmid64_ds, shm_perm, shm_perm) F(struct shmid64_ds, shm_segsz, shm_segsz) F(struct shmid64_ds, shm_atime, shm_atime) F(struct shmid64_ds, shm_dtime, shm_dtime) F(struct shmid64_ds, shm_ctime, shm_ctime) F(struct shmid64_ds, shm_cpid, shm_cpid) F(struct shmid64_ds, shm_lpid, shm_lpid) F(struct shmid64_ds, shm_nattch, shm_nattch) puts("");
    S(struct msqid64_ds, msqid_ds) F(struct msqid64_ds, msg_perm, msg_perm) F(struct msqid64_ds, msg_stime, msg_stime) F(struct msqid64_ds, msg_rtime, msg_rtime) F(struct msqid64_ds, msg_ctime, msg_ctime) F(struct msqid64_ds, msg_cbytes, msg_cbytes) F(struct msqid64_ds, msg_qnum, msg_qnum) F(struct msqid64_ds, msg_qbytes, msg_qbytes) F(struct msqid64_ds, msg_lspid, msg_lspid) F(struct msqid64_ds, msg_lrpid, msg_lrpid) puts("");
    S(struct shminfo64, shminfo) F(struct shminfo64, shmmax, shmmax) F(struct shminfo64, shmmin, shmmin) F(struct shminfo64, shmmni, shmmni) F(struct shminfo64, shmseg, shmseg) F(struct shminfo64, shmall, shmall) puts("");
    S(struct shm_info, shm_info) F(struct shm_info, used_ids, used_ids) F(struct shm_info, shm_tot, shm_tot) F(struct shm_info, shm_rss, shm_rss) F(struct shm_info, shm_swp, shm_swp) F(struct shm_info, swap_attempts, swap_attempts) F(struct shm_info, swap_successes, swap_successes) puts("");
    S(struct seminfo, seminfo) F(struct seminfo, semmap, semmap) F(struct seminfo, semmni, semmni) F(struct seminfo, semmns, semmns) F(struct seminfo, semmnu, semmnu) F(struct seminfo, semmsl, semmsl) F(struct seminfo, semopm, semopm) F(struct seminfo, semume, semume) F(struct seminfo, semusz, semusz) F(struct seminfo, semvmx, semvmx) F(struct seminfo, semaem, semaem) puts("");
    S(struct msginfo, msginfo) F(struct msginfo, msgpool, msgpool) F(struct msginfo, msgmap, msgmap) F(struct msginfo, msgmax, msgmax) F(struct msginfo, msgmnb, msgmnb) F(struct msginfo, msgmni, msgmni) F(struct msginfo, msgssz, msgssz) F(struct msginfo, msgtql, msgtql) F(struct msginfo, msgseg, msgseg) puts("");
    S(struct sembuf, sembuf) F(struct sembuf, sem_num, sem_num) F(struct sembuf, sem_op, sem_op) F(struct sembuf, sem_flg, sem_flg) puts("");
    S(struct mq_attr, mq_attr) F(struct mq_attr, mq_flags, mq_flags) F(struct mq_attr, mq_maxmsg, mq_maxmsg) F(struct mq_attr, mq_msgsize, mq_msgsize) F(struct mq_attr, mq_curmsgs, mq_curmsgs) puts("");
    S(struct new_utsname, utsname) F(struct new_utsname, sysname, sysname) F(struct new_utsname, nodename, nodename) F(struct new_utsname, release, release) F(struct new_utsname, version, version) F(struct new_utsname, machine, machine) F(struct new_utsname, domainname, domainname) puts("");
    S(struct sysinfo, sysinfo) F(struct sysinfo, uptime, uptime) F(struct sysinfo, loads, loads) F(struct sysinfo, totalram, totalram) F(struct sysinfo, freeram, freeram) F(struct sysinfo, sharedram, sharedram) F(struct sysinfo, bufferram, bufferram) F(struct sysinfo, totalswap, totalswap) F(struct sysinfo, freeswap, freeswap) F(struct sysinfo, procs, procs) F(struct sysinfo, totalhigh, totalhigh) F(struct sysinfo, freehigh, freehigh) F(struct sysinfo, mem_unit, mem_unit) puts("");
    S(struct winsize, winsize) F(struct winsize, ws_row, ws_row) F(struct winsize, ws_col, ws_col) F(struct winsize, ws_xpixel, ws_xpixel) F(struct winsize, ws_ypixel, ws_ypixel) puts("");
    S(struct termios, termios) F(struct termios, c_iflag, c_iflag) F(struct termios, c_oflag, c_oflag) F(struct termios, c_cflag, c_cflag) F(struct termios, c_lflag, c_lflag) F(struct termios, c_line, c_line) F(struct termios, c_cc, c_cc) puts("");
#ifndef __powerpc__
    S(struct termios2, termios2) F(struct termios2, c_iflag, c_iflag) F(struct termios2, c_oflag, c_oflag) F(struct termios2, c_cflag, c_cflag) F(struct termios2, c_lflag, c_lflag) F(struct termios2, c_line, c_line) F(struct termios2, c_cc, c_cc) F(struct termios2, c_ispeed, c_ispeed) F(struct termios2, c_ospeed, c_ospeed) puts("");
#endif
    S(struct termio, termio) F(struct termio, c_iflag, c_iflag) F(struct termio, c_oflag, c_oflag) F(struct termio, c_cflag, c_cflag) F(struct termio, c_lflag, c_lflag) F(struct termio, c_line, c_line) F(struct termio, c_cc, c_cc) puts("");
    S(struct serial_struct, serial_struct) F(struct serial_struct, type, type) F(struct serial_struct, line, line) F(struct serial_struct, port, port) F(struct serial_struct, irq, irq) F(struct serial_struct, flags, flags) F(struct serial_struct, xmit_fifo_size, xmit_fifo_size) F(struct serial_struct, custom_divisor, custom_divisor) F(struct serial_struct, baud_base, baud_base) F(struct serial_struct, close_delay, close_delay) F(struct serial_struct, io_type, io_type) F(struct serial_struct, reserved_char, reserved_char) F(struct serial_struct, hub6, hub6) F(struct serial_struct, closing_wait, closing_wait) F(struct serial_struct, closing_wait2, closing_wait2) F(struct serial_struct, iomem_base, iomem_base) F(struct serial_struct, iomem_reg_shift, iomem_reg_shift) F(struct serial_struct, port_high, port_high) F(struct serial_struct, iomap_base, iomap_base) puts("");
    S(struct ifmap, ifmap) F(struct ifmap, mem_start, mem_start) F(struct ifmap, mem_end, mem_end) F(struct ifmap, base_addr, base_addr) F(struct ifmap, irq, irq) F(struct ifmap, dma, dma) F(struct ifmap, port, port) puts("");
    S(struct sockaddr, sockaddr) F(struct sockaddr, sa_family, sa_family) F(struct sockaddr, sa_data, sa_data) puts("");
    S(struct ifreq, ifreq) F(struct ifreq, ifr_name, ifr_ifrn) F(struct ifreq, ifr_addr, ifr_ifru) puts("");
    S(struct ifconf, ifconf) F(struct ifconf, ifc_len, ifc_len) F(struct ifconf, ifc_buf, ifc_ifcu) puts("");
    S(struct rtentry, rtentry) F(struct rtentry, rt_pad1, rt_pad1) F(struct rtentry, rt_dst, rt_dst) F(struct rtentry, rt_gateway, rt_gateway) F(struct rtentry, rt_genmask, rt_genmask) F(struct rtentry, rt_flags, rt_flags) F(struct rtentry, rt_pad2, rt_pad2) F(struct rtentry, rt_pad4, rt_pad4) F(struct rtentry, rt_metric, rt_metric) F(struct rtentry, rt_dev, rt_dev) F(struct rtentry, rt_mtu, rt_mtu) F(struct rtentry, rt_window, rt_window) F(struct rtentry, rt_irtt, rt_irtt) puts("");
    S(struct arpreq, arpreq) F(struct arpreq, arp_pa, arp_pa) F(struct arpreq, arp_ha, arp_ha) F(struct arpreq, arp_flags, arp_flags) F(struct arpreq, arp_netmask, arp_netmask) F(struct arpreq, arp_dev, arp_dev) puts("");
    S(struct hd_geometry, hd_geometry) F(struct hd_geometry, heads, heads) F(struct hd_geometry, sectors, sectors) F(struct hd_geometry, cylinders, cylinders) F(struct hd_geometry, start, start) puts("");
    S(struct fsxattr, fsxattr) F(struct fsxattr, fsx_xflags, fsx_xflags) F(struct fsxattr, fsx_extsize, fsx_extsize) F(struct fsxattr, fsx_nextents, fsx_nextents) F(struct fsxattr, fsx_projid, fsx_projid) F(struct fsxattr, fsx_cowextsize, fsx_cowextsize) puts("");
    S(struct fstrim_range, fstrim_range) F(struct fstrim_range, start, start) F(struct fstrim_range, len, len) F(struct fstrim_range, minlen, minlen) puts("");
    S(struct fiemap, fiemap) F(struct fiemap, fm_start, fm_start) F(struct fiemap, fm_length, fm_length) F(struct fiemap, fm_flags, fm_flags) F(struct fiemap, fm_mapped_extents, fm_mapped_extents) F(struct fiemap, fm_extent_count, fm_extent_count) puts("");
    S(struct file_clone_range, file_clone_range) F(struct file_clone_range, src_fd, src_fd) F(struct file_clone_range, src_offset, src_offset) F(struct file_clone_range, src_length, src_length) F(struct file_clone_range, dest_offset, dest_offset) puts("");
    S(struct loop_info64, loop_info64) F(struct loop_info64, lo_device, lo_device) F(struct loop_info64, lo_inode, lo_inode) F(struct loop_info64, lo_rdevice, lo_rdevice) F(struct loop_info64, lo_offset, lo_offset) F(struct loop_info64, lo_sizelimit, lo_sizelimit) F(struct loop_info64, lo_number, lo_number) F(struct loop_info64, lo_encrypt_type, lo_encrypt_type) F(struct loop_info64, lo_encrypt_key_size, lo_encrypt_key_size) F(struct loop_info64, lo_flags, lo_flags) F(struct loop_info64, lo_file_name, lo_file_name) F(struct loop_info64, lo_crypt_name, lo_crypt_name) F(struct loop_info64, lo_encrypt_key, lo_encrypt_key) F(struct loop_info64, lo_init, lo_init) puts("");
    S(struct rtc_time, rtc_time) F(struct rtc_time, tm_sec, tm_sec) F(struct rtc_time, tm_min, tm_min) F(struct rtc_time, tm_hour, tm_hour) F(struct rtc_time, tm_mday, tm_mday) F(struct rtc_time, tm_mon, tm_mon) F(struct rtc_time, tm_year, tm_year) F(struct rtc_time, tm_wday, tm_wday) F(struct rtc_time, tm_yday, tm_yday) F(struct rtc_time, tm_isdst, tm_isdst) puts("");
    S(struct rtc_wkalrm, rtc_wkalrm) F(struct rtc_wkalrm, enabled, enabled) F(struct rtc_wkalrm, pending, pending) F(struct rtc_wkalrm, time, time) puts("");
    S(struct vt_stat, vt_stat) F(struct vt_stat, v_active, v_active) F(struct vt_stat, v_signal, v_signal) F(struct vt_stat, v_state, v_state) puts("");
    S(struct vt_mode, vt_mode) F(struct vt_mode, mode, mode) F(struct vt_mode, waitv, waitv) F(struct vt_mode, relsig, relsig) F(struct vt_mode, acqsig, acqsig) F(struct vt_mode, frsig, frsig) puts("");
    S(struct kbentry, kbentry) F(struct kbentry, kb_table, kb_table) F(struct kbentry, kb_index, kb_index) F(struct kbentry, kb_value, kb_value) puts("");
    S(struct sg_io_hdr, sg_io_hdr) F(struct sg_io_hdr, interface_id, interface_id) F(struct sg_io_hdr, dxfer_direction, dxfer_direction) F(struct sg_io_hdr, cmd_len, cmd_len) F(struct sg_io_hdr, mx_sb_len, mx_sb_len) F(struct sg_io_hdr, iovec_count, iovec_count) F(struct sg_io_hdr, dxfer_len, dxfer_len) F(struct sg_io_hdr, dxferp, dxferp) F(struct sg_io_hdr, cmdp, cmdp) F(struct sg_io_hdr, sbp, sbp) F(struct sg_io_hdr, timeout, timeout) F(struct sg_io_hdr, flags, flags) F(struct sg_io_hdr, pack_id, pack_id) F(struct sg_io_hdr, usr_ptr, usr_ptr) F(struct sg_io_hdr, status, status) F(struct sg_io_hdr, masked_status, masked_status) F(struct sg_io_hdr, msg_status, msg_status) F(struct sg_io_hdr, sb_len_wr, sb_len_wr) F(struct sg_io_hdr, host_status, host_status) F(struct sg_io_hdr, driver_status, driver_status) F(struct sg_io_hdr, resid, resid) F(struct sg_io_hdr, duration, duration) F(struct sg_io_hdr, info, info) puts("");
    S(struct input_id, input_id) F(struct input_id, bustype, bustype) F(struct input_id, vendor, vendor) F(struct input_id, product, product) F(struct input_id, version, version) puts("");
    S(struct input_absinfo, input_absinfo) F(struct input_absinfo, value, value) F(struct input_absinfo, minimum, minimum) F(struct input_absinfo, maximum, maximum) F(struct input_absinfo, fuzz, fuzz) F(struct input_absinfo, flat, flat) F(struct input_absinfo, resolution, resolution) puts("");
    S(struct mount_attr, mount_attr) F(struct mount_attr, attr_set, attr_set) F(struct mount_attr, attr_clr, attr_clr) F(struct mount_attr, propagation, propagation) F(struct mount_attr, userns_fd, userns_fd) puts("");
    return 0;
}
