//! What the system says about itself, and limits.

use super::SysCx;
use super::plain::{host_buffer, read_struct, write_struct};
use crate::errno::{Errno, SysResult};
use crate::sys::raw_syscall;
use crate::task::lock;
use engine::robust::Mutex;
use std::sync::OnceLock;
use syscall_tables::{HOST, Ty, layout, structs};

/// `-r`: the kernel release that uname reports.
pub static RELEASE: OnceLock<String> = OnceLock::new();

/// `uname` as the guest is to see it, in the host's layout.
pub(super) fn host_uname(cx: &SysCx<'_>) -> Result<Vec<u64>, Errno> {
    let mut buffer = host_buffer(Ty::Struct(structs::UTSNAME));
    raw_syscall(libc::SYS_uname, [buffer.as_mut_ptr() as u64, 0, 0, 0, 0, 0])?;
    let places = layout(structs::UTSNAME, HOST);
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut buffer);
    let mut put = |field: &str, text: &str| {
        if let Some(f) = places.field(field) {
            let room = &mut bytes[f.offset..f.offset + 65];
            room.fill(0);
            let n = text.len().min(64);
            room[..n].copy_from_slice(&text.as_bytes()[..n]);
        }
    };
    put("machine", cx.abi.info().machine);
    if let Some(release) = RELEASE.get() {
        put("release", release);
    }
    Ok(buffer)
}

/// `uname`: the host's, with the guest's machine.
pub fn sys_uname(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let buffer = host_uname(cx)?;
    write_struct(cx, Ty::Struct(structs::UTSNAME), a[0], &buffer)?;
    Ok(0)
}

/// `nice`: adds to the thread's nice value, within its bounds.
pub fn sys_nice(_cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    // The kernel gives twenty minus the value, which is never negative.
    let now = 20 - raw_syscall(libc::SYS_getpriority, [libc::PRIO_PROCESS as u64, 0, 0, 0, 0, 0])? as i64;
    let next = (now + i64::from((a[0] as i32).clamp(-40, 40))).clamp(-20, 19);
    let args = [libc::PRIO_PROCESS as u64, 0, next as u64, 0, 0, 0];
    raw_syscall(libc::SYS_setpriority, args).map_err(|errno| {
        // `nice` says EPERM where `setpriority` says EACCES.
        if errno == Errno::EACCES { Errno::EPERM } else { errno }
    })
}

/// `ustat`: free blocks (a word) and inodes, and two names of six characters that are never filled in.
pub fn sys_ustat(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let mut host = [0u8; 32];
    raw_syscall(libc::SYS_ustat, [a[0], host.as_mut_ptr() as u64, 0, 0, 0, 0])?;
    // The host's first field has four bytes and padding to the inode count, a word; so it is on every 64-bit arch.
    let blocks = u32::from_ne_bytes([host[0], host[1], host[2], host[3]]);
    let inodes = u64::from_ne_bytes(host[8..16].try_into().expect("8 bytes"));
    let word = cx.abi.info().word as u64;
    cx.mem.zero(a[1], 2 * word as usize + 12)?;
    cx.write_int(a[1], blocks as i32)?;
    cx.write_long(a[1] + word, inodes)?;
    Ok(0)
}

/// Limits of the address space are kept for the guest instead of being set: they would bind the emulator's own memory.
const KEPT: [u64; 2] = [libc::RLIMIT_AS as u64, libc::RLIMIT_DATA as u64];
static KEPT_LIMITS: Mutex<[Option<[u64; 2]>; 2]> = Mutex::new([None; 2]);

/// A limit on the main stack below this would stop the emulator's own first thread.
const LEAST_STACK: u64 = 1 << 20;

/// The guest's limit of address space, if it set one.
pub fn address_space_limit() -> Option<u64> {
    lock(&KEPT_LIMITS)[0].map(|l| l[0])
}

/// The guest's limit of data (brk), if it set one.
pub fn data_limit() -> Option<u64> {
    lock(&KEPT_LIMITS)[1].map(|l| l[0])
}

/// The kept limits for the next emulator: soft and hard of each, or dashes.
pub fn limits_for_exec() -> Option<String> {
    let all = lock(&KEPT_LIMITS);
    if all.iter().all(Option::is_none) {
        return None;
    }
    let text = |limit: &Option<[u64; 2]>| match limit {
        Some([soft, hard]) => format!("{soft:x}:{hard:x}"),
        None => "-:-".to_owned(),
    };
    Some(all.iter().map(text).collect::<Vec<_>>().join(":"))
}

/// The limits held still, so that a fork copies them whole. Locked after the memory map.
pub fn freeze_limits() -> impl Drop {
    lock(&KEPT_LIMITS)
}

/// Takes over what [`limits_for_exec`] gave.
pub fn limits_after_exec(told: &str) {
    let words: Vec<Option<u64>> = told.split(':').map(|word| u64::from_str_radix(word, 16).ok()).collect();
    for (limit, pair) in lock(&KEPT_LIMITS).iter_mut().zip(words.chunks_exact(2)) {
        *limit = pair[0].zip(pair[1]).map(|(soft, hard)| [soft, hard]);
    }
}

/// Gives the kept limits to the host, for a program of its own; undone if the exec fails.
pub fn limits_to_host(give: bool) {
    static FORMER: Mutex<[Option<[u64; 2]>; 2]> = Mutex::new([None; 2]);
    // Held to the end: who freezes these limits freezes the former ones as well.
    let kept = lock(&KEPT_LIMITS);
    let all = *kept;
    let mut former = lock(&FORMER);
    for ((resource, limit), old) in KEPT.iter().zip(all).zip(former.iter_mut()) {
        let new = if give { limit.map(|[soft, _]| soft) } else { old.map(|[soft, _]| soft) };
        let Some(soft) = new else { continue };
        let mut now = [0u64; 2];
        let args = [0, *resource, 0, now.as_mut_ptr() as u64, 0, 0];
        let _ = raw_syscall(libc::SYS_prlimit64, args);
        // The hard limit stays, so that a failed exec can be undone.
        let wanted = [soft.min(now[1]), now[1]];
        *old = Some(now);
        let _ = raw_syscall(libc::SYS_prlimit64, [0, *resource, wanted.as_ptr() as u64, 0, 0, 0]);
    }
}

fn limits(pid: u64, resource: u64, new: Option<[u64; 2]>) -> Result<[u64; 2], Errno> {
    let mut old = [0u64; 2];
    let own = pid == 0 || pid == u64::from(std::process::id());
    let kept = KEPT.iter().position(|r| *r == resource).filter(|_| own);
    let real = match (kept, new) {
        (Some(_), _) | (_, None) => None,
        (None, Some(l)) if own && resource == u64::from(libc::RLIMIT_STACK) => {
            Some([l[0].max(LEAST_STACK).min(l[1]), l[1]])
        }
        (None, Some(l)) => Some(l),
    };
    let new_ptr = real.as_ref().map_or(0, |l| l.as_ptr() as u64);
    raw_syscall(libc::SYS_prlimit64, [pid, resource, new_ptr, old.as_mut_ptr() as u64, 0, 0])?;
    if let Some(i) = kept {
        let mut all = lock(&KEPT_LIMITS);
        if let Some(l) = all[i] {
            old = l;
        }
        if let Some(n) = new {
            if n[0] > n[1] {
                return Err(Errno::EINVAL);
            }
            // SAFETY: no arguments.
            if n[1] > old[1] && unsafe { libc::geteuid() } != 0 {
                return Err(Errno::EPERM);
            }
            all[i] = Some(n);
        }
    }
    Ok(old)
}

fn new_is_core(resource: u64, new: u64) -> bool {
    new != 0 && resource as u32 == libc::RLIMIT_CORE
}

/// `prlimit64`
pub fn sys_prlimit64(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let ty = Ty::Struct(structs::RLIMIT64);
    let new = if a[2] == 0 { None } else { Some(read_struct(cx, ty, a[2])?) };
    let old = limits(a[0], a[1] & 0xffff_ffff, new.map(|n| [n[0], n[1]]))?;
    if new_is_core(a[1], a[2]) {
        crate::process::core_file::follow_limit(&cx.task.sighand);
    }
    if a[3] != 0 {
        write_struct(cx, ty, a[3], &old)?;
    }
    Ok(0)
}

/// `getrlimit`
pub fn sys_getrlimit(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let mut old = limits(0, a[0] & 0xffff_ffff, None)?;
    if cx.abi.info().word == 4 {
        // What does not fit is as good as no limit.
        old = old.map(|limit| limit.min(0xffff_ffff));
    }
    write_struct(cx, Ty::Struct(structs::RLIMIT), a[1], &old)?;
    Ok(0)
}

/// `ugetrlimit`: the one whose limits are unsigned, as `getrlimit` is elsewhere.
pub fn sys_ugetrlimit(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    sys_getrlimit(cx, a)
}

/// `sysinfo`: sizes that a small guest's words cannot hold are given in larger units, as the kernel does.
pub fn sys_sysinfo(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let ty = Ty::Struct(structs::SYSINFO);
    let mut buffer = host_buffer(ty);
    raw_syscall(libc::SYS_sysinfo, [buffer.as_mut_ptr() as u64, 0, 0, 0, 0, 0])?;
    if cx.abi.info().word == 4 {
        let places = layout(structs::SYSINFO, HOST);
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut buffer);
        let sizes = [
            "totalram",
            "freeram",
            "sharedram",
            "bufferram",
            "totalswap",
            "freeswap",
            "totalhigh",
            "freehigh",
        ];
        let fields: Vec<_> = sizes.iter().filter_map(|name| places.field(name)).collect();
        let largest = fields.iter().map(|f| f.get(bytes, HOST)).max().unwrap_or(0);
        let shift = (64 - largest.leading_zeros()).saturating_sub(32);
        if let Some(unit) = places.field("mem_unit").filter(|_| shift > 0) {
            let shift = shift.max(12);
            unit.put(bytes, HOST, unit.get(bytes, HOST) << shift);
            for f in fields {
                let value = f.get(bytes, HOST) >> shift;
                f.put(bytes, HOST, value);
            }
        }
    }
    write_struct(cx, ty, a[0], &buffer)?;
    Ok(0)
}

/// `setrlimit`
pub fn sys_setrlimit(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let mut new = read_struct(cx, Ty::Struct(structs::RLIMIT), a[1])?;
    if cx.abi.info().word == 4 {
        for limit in new.iter_mut().filter(|limit| **limit == 0xffff_ffff) {
            *limit = u64::MAX;
        }
    }
    limits(0, a[0] & 0xffff_ffff, Some([new[0], new[1]]))?;
    if new_is_core(a[0], a[1]) {
        crate::process::core_file::follow_limit(&cx.task.sighand);
    }
    Ok(0)
}

/// `riscv_hwprobe`: fills the values of the keys asked for; an unknown key becomes -1. All processors are alike.
pub fn sys_riscv_hwprobe(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    const WHICH_CPUS: u64 = 1;
    let (pairs, count, size, cpus) = (a[0], a[1], a[2], a[3]);
    let which = a[4] & WHICH_CPUS != 0;
    if a[4] & !WHICH_CPUS != 0 || which && (size == 0 || cpus == 0) {
        return Err(Errno::EINVAL);
    }
    let mut set = vec![0u8; (size as usize).min(128)];
    if cpus != 0 {
        cx.mem.copy_in(cpus, &mut set)?;
    } else if size != 0 {
        return Err(Errno::EINVAL);
    }
    let empty = set.iter().all(|byte| *byte == 0);
    if empty && !which && size != 0 {
        return Err(Errno::EINVAL);
    }
    let mut all_match = true;
    for index in 0..count {
        let at = pairs.wrapping_add(16 * index);
        let mut pair = [0; 16];
        cx.mem.copy_in(at, &mut pair)?;
        let word = |n: usize| u64::from_le_bytes(pair[n..n + 8].try_into().expect("eight bytes"));
        let (key, asked) = (word(0), word(8));
        let known = cx.arch.hwprobe(key as i64);
        if which {
            all_match &=
                known.is_some_and(|p| if p.is_set { p.value & asked == asked } else { p.value == asked });
            if known.is_none() {
                cx.mem.write(at, &u64::MAX)?;
                cx.mem.write(at.wrapping_add(8), &0u64)?;
            }
            continue;
        }
        cx.mem.write(at, &if known.is_some() { key } else { u64::MAX })?;
        cx.mem.write(at.wrapping_add(8), &known.map_or(0, |p| p.value))?;
    }
    if which {
        if !all_match {
            set.fill(0);
        } else if empty {
            let words = set.len().next_multiple_of(8);
            set.resize(words, 0);
            raw_syscall(libc::SYS_sched_getaffinity, [0, words as u64, set.as_mut_ptr() as u64, 0, 0, 0])?;
        }
        set.truncate(size as usize);
        cx.mem.copy_out(cpus, &set)?;
    }
    Ok(0)
}
