//! `perf_event_open` and `bpf`: what they tell is true of a guest only in part, and only that part is offered.
//!
//! * Software events that count what the thread makes the kernel do (its time, context switches, migrations, page faults)
//!   are the host kernel's own counts: the guest's thread is a host thread. Hardware events would count translated code and
//!   the translator, and samples would show their addresses: they fail as on a machine without such counters.
//! * BPF maps and the programs that see packets, sockets, devices and control groups mean the same everywhere. Programs
//!   that look into calls, registers or the kernel would see the host's: they fail as under a kernel built without them.

use super::SysCx;
use crate::errno::{Errno, SysResult};
use crate::sys::safe_syscall;

/// `perf_event_attr`: the size of its first version, and where fields are (UAPI `linux/perf_event.h`).
const ATTR_SIZE_FIRST: u32 = 64;
const ATTR_MAX: u32 = 4096;

const TYPE_SOFTWARE: u32 = 1;
/// PERF_COUNT_SW_CPU_CLOCK to PERF_COUNT_SW_DUMMY.
const SOFTWARE_EVENTS: u64 = 10;
/// Samples of these kinds hold no address: TID, TIME, READ, ID, CPU, PERIOD, STREAM_ID, IDENTIFIER.
const HARMLESS_SAMPLES: u64 = 0x2 | 0x4 | 0x10 | 0x40 | 0x80 | 0x100 | 0x200 | 0x1_0000;
/// Flags `mmap`, `mmap_data`, `mmap2`, `ksymbol`, `bpf_event`, `text_poke`: records of the emulator's mappings.
const SHOWS_MAPPINGS: u64 = 1 << 8 | 1 << 17 | 1 << 23 | 1 << 29 | 1 << 30 | 1 << 32;

/// `perf_event_open`
pub fn sys_perf_event_open(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let size = cx.mem.read::<u32>(a[0].wrapping_add(4))?;
    let size = if size == 0 { ATTR_SIZE_FIRST } else { size };
    if !(ATTR_SIZE_FIRST..=ATTR_MAX).contains(&size) {
        cx.mem.write(a[0].wrapping_add(4), &136u32)?;
        return Err(Errno::E2BIG);
    }
    let mut attr = vec![0u64; (size as usize).div_ceil(8)];
    let bytes: &mut [u8] = &mut bytemuck::cast_slice_mut(&mut attr)[..size as usize];
    cx.mem.copy_in(a[0], bytes)?;
    let (kind, config, period, samples, flags) = (attr[0] as u32, attr[1], attr[2], attr[3], attr[5]);
    if kind != TYPE_SOFTWARE || config >= SOFTWARE_EVENTS {
        return Err(Errno::ENOENT);
    }
    if period != 0 && samples & !HARMLESS_SAMPLES != 0 || flags & SHOWS_MAPPINGS != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let result = safe_syscall(libc::SYS_perf_event_open, [attr.as_ptr() as u64, a[1], a[2], a[3], a[4], 0]);
    if result == Err(Errno::E2BIG) {
        // The kernel has written the size that it knows.
        cx.mem.write(a[0].wrapping_add(4), &((attr[0] >> 32) as u32))?;
    }
    result
}

const BPF_PROG_LOAD: u64 = 5;
const BPF_RAW_TRACEPOINT_OPEN: u64 = 17;
/// KPROBE, TRACEPOINT, PERF_EVENT, RAW_TRACEPOINT, RAW_TRACEPOINT_WRITABLE, TRACING, STRUCT_OPS, EXT, LSM, SYSCALL.
const LOOKS_INTO_THE_HOST: [u32; 10] = [2, 5, 7, 17, 24, 26, 27, 28, 29, 31];

/// `bpf`
pub fn sys_bpf(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let command = a[0] & 0xffff_ffff;
    if command == BPF_RAW_TRACEPOINT_OPEN {
        return Err(Errno::EINVAL);
    }
    if command == BPF_PROG_LOAD && LOOKS_INTO_THE_HOST.contains(&cx.mem.read::<u32>(a[1])?) {
        return Err(Errno::EINVAL);
    }
    safe_syscall(libc::SYS_bpf, *a)
}
