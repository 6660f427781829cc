//! Calls whose user and group ids have 16 bits on some 32-bit ABIs: those that have successors with a 32 at the end.
//!
//! Facts: the kernel's `kernel/uid16.c`, `include/linux/highuid.h`.

use super::SysCx;
use crate::errno::{Errno, SysResult};
use crate::sys::raw_syscall;
use syscall_tables::{Arch, CallId};

/// What stands for an id that 16 bits cannot hold.
const OVERFLOW_ID: u64 = 65534;

/// Runs a call whose ids have 16 bits on this ABI, if it is one: those whose successors end in 32. `make` makes the call.
pub fn run(
    cx: &mut SysCx<'_>,
    call: CallId,
    a: &[u64; 6],
    make: fn(&mut SysCx<'_>, CallId, &[u64; 6]) -> SysResult,
) -> Option<SysResult> {
    let (args, result) = match call {
        CallId::Getuid | CallId::Geteuid | CallId::Getgid | CallId::Getegid => (0..0, true),
        CallId::Setfsuid | CallId::Setfsgid => (0..1, true),
        CallId::Setuid | CallId::Setgid => (0..1, false),
        CallId::Setreuid | CallId::Setregid => (0..2, false),
        CallId::Setresuid | CallId::Setresgid => (0..3, false),
        CallId::Chown | CallId::Lchown | CallId::Fchown => (1..3, false),
        CallId::Getresuid | CallId::Getresgid | CallId::Getgroups | CallId::Setgroups => (0..0, false),
        _ => return None,
    };
    if !has(cx.abi) {
        return None;
    }
    let wide = |id: u64| if id as u16 == u16::MAX { u64::MAX } else { u64::from(id as u16) };
    let mut with = *a;
    with[args].iter_mut().for_each(|id| *id = wide(*id));
    let narrow = |id: u64| if id > 0xffff { OVERFLOW_ID } else { id };
    Some(match call {
        CallId::Getresuid | CallId::Getresgid => three_ids(cx, call, a),
        CallId::Getgroups => get_groups(cx, a),
        CallId::Setgroups => set_groups(cx, a),
        _ => make(cx, call, &with).map(|id| if result { narrow(id) } else { id }),
    })
}

fn write_id(cx: &SysCx<'_>, addr: u64, id: u32) -> Result<(), Errno> {
    let id = if id > 0xffff { OVERFLOW_ID as u16 } else { id as u16 };
    cx.mem.write(addr, &if cx.abi.info().big_endian { id.swap_bytes() } else { id })
}

fn three_ids(cx: &SysCx<'_>, call: CallId, a: &[u64; 6]) -> SysResult {
    let mut ids = [0u32; 3];
    let at = |n: usize| &raw const ids[n] as u64;
    let args = [at(0), at(1), at(2), 0, 0, 0];
    let nr = if call == CallId::Getresuid { libc::SYS_getresuid } else { libc::SYS_getresgid };
    raw_syscall(nr, args)?;
    let ids = std::hint::black_box(&mut ids);
    for (n, id) in ids.iter().enumerate() {
        write_id(cx, a[n], *id)?;
    }
    Ok(0)
}

fn get_groups(cx: &SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let mut groups = vec![0u32; 65536];
    let all = raw_syscall(libc::SYS_getgroups, [65536, groups.as_mut_ptr() as u64, 0, 0, 0, 0])?;
    let room = a[0] as i32;
    if room == 0 {
        return Ok(all);
    }
    if room < 0 || (room as u64) < all {
        return Err(Errno::EINVAL);
    }
    for (n, id) in groups[..all as usize].iter().enumerate() {
        write_id(cx, a[1].wrapping_add(2 * n as u64), *id)?;
    }
    Ok(all)
}

fn set_groups(cx: &SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if a[0] > 65536 {
        return Err(Errno::EINVAL);
    }
    let ids = cx.mem.read_vec::<u16>(a[1], a[0] as usize)?;
    let big = cx.abi.info().big_endian;
    let wide: Vec<u32> = ids
        .into_iter()
        .map(|id| if big { id.swap_bytes() } else { id })
        .map(|id| if id == u16::MAX { u32::MAX } else { u32::from(id) })
        .collect();
    raw_syscall(libc::SYS_setgroups, [a[0], wide.as_ptr() as u64, 0, 0, 0, 0])
}

/// Whether an ABI's plain `getuid` and its like have ids of 16 bits.
pub fn has(abi: Arch) -> bool {
    abi.info().word == 4 && abi.info().numbers.number_of(CallId::Getuid32).is_some()
}
