//! System calls that only x86 has: segment bases, descriptor tables, input and output rights, virtual 8086 mode.
//!
//! Facts: the kernel's `arch/x86/kernel/{tls,ldt,process_64,ioport}.c` and UAPI `asm/ldt.h`, `asm/prctl.h`.

use super::state;
use crate::cpu::CpuState;
use crate::errno::{Errno, SysResult};
use crate::guest_mem::GuestMem;
use crate::syscall::SysCx;
use guest_x86::cpu::{self as regs, SEGS, Seg};
use guest_x86::segments::{self, Descriptor, LDT_ENTRIES};
use ir::SlotTable;
use std::sync::LazyLock;

/// Where registers are: the same places on CPUs of either width.
static SLOTS: LazyLock<SlotTable> = LazyLock::new(|| regs::slot_table(64));

/// First address that no segment base may have in 64-bit programs.
const TASK_SIZE_MAX: u64 = (1 << 47) - 4096;

fn base_at(seg: Seg) -> usize {
    SLOTS.get(regs::segment_base(seg)).offset as usize
}

/// Other architectures have the numbers of some of these calls, and nothing behind them.
fn only_here(cx: &SysCx<'_>) -> Result<(), Errno> {
    const EM_386: u16 = 3;
    const EM_X86_64: u16 = 62;
    if matches!(cx.abi.info().elf_machine, EM_386 | EM_X86_64) { Ok(()) } else { Err(Errno::ENOSYS) }
}

/// `arch_prctl`
pub fn sys_arch_prctl(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    const SET_GS: u64 = 0x1001;
    const SET_FS: u64 = 0x1002;
    const GET_FS: u64 = 0x1003;
    const GET_GS: u64 = 0x1004;
    const GET_CPUID: u64 = 0x1011;
    const SET_CPUID: u64 = 0x1012;
    const GET_XCOMP_SUPP: u64 = 0x1021;
    const GET_XCOMP_PERM: u64 = 0x1022;
    let long = cx.abi.info().word == 8;
    let code = a[0] & 0xffff_ffff;
    match code {
        SET_GS | SET_FS if long => {
            if a[1] >= TASK_SIZE_MAX {
                return Err(Errno::EPERM);
            }
            let seg = if code == SET_FS { Seg::Fs } else { Seg::Gs };
            let cpu = &mut cx.task.cpu;
            cpu.write_u64(base_at(seg), a[1]);
            cpu.write_u32(SLOTS.get(regs::selector(seg)).offset as usize, 0);
            Ok(0)
        }
        GET_FS | GET_GS if long => {
            let seg = if code == GET_FS { Seg::Fs } else { Seg::Gs };
            let base = cx.task.cpu.read_u64(base_at(seg));
            cx.mem.write(a[1], &base)?;
            Ok(0)
        }
        // CPUID always works here: it cannot be made to fault.
        GET_CPUID => Ok(1),
        SET_CPUID => Err(Errno::ENODEV),
        GET_XCOMP_SUPP | GET_XCOMP_PERM if long => {
            cx.mem.write(a[1], &cx.arch.state_components())?;
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}

/// `struct user_desc`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct UserDesc {
    entry: u32,
    base: u32,
    limit: u32,
    flags: u32,
}

/// First entry of a thread in the global table.
const FIRST_TLS: u32 = segments::FIRST_TLS as u32;

const SEG_32BIT: u32 = 1;
const READ_EXEC_ONLY: u32 = 1 << 3;
const LIMIT_IN_PAGES: u32 = 1 << 4;
const SEG_NOT_PRESENT: u32 = 1 << 5;
const USEABLE: u32 = 1 << 6;

impl UserDesc {
    fn read(mem: GuestMem, addr: u64) -> Result<UserDesc, Errno> {
        let words: [u32; 4] = mem.read(addr)?;
        Ok(UserDesc { entry: words[0], base: words[1], limit: words[2], flags: words[3] })
    }

    fn contents(&self) -> u32 {
        self.flags >> 1 & 3
    }

    /// `LDT_empty`, and what `tls.c` takes for "clear this entry" besides.
    fn is_empty(&self, all_zero_too: bool) -> bool {
        let flags = self.flags & 0x7f;
        let rest = self.base == 0 && self.limit == 0;
        rest && (flags == READ_EXEC_ONLY | SEG_NOT_PRESENT || all_zero_too && flags == 0)
    }

    /// The descriptor (`fill_ldt`).
    fn descriptor(&self) -> u64 {
        let (base, limit, flags) = (u64::from(self.base), u64::from(self.limit), u64::from(self.flags));
        let writable = u64::from(self.flags & READ_EXEC_ONLY == 0);
        let present = u64::from(self.flags & SEG_NOT_PRESENT == 0);
        // Accessed, writable or readable, contents, not a system segment, privilege 3.
        let kind = 1 | writable << 1 | u64::from(self.contents()) << 2 | 1 << 4 | 3 << 5 | present << 7;
        limit & 0xffff
            | (base & 0xff_ffff) << 16
            | kind << 40
            | (limit >> 16 & 15) << 48
            | (flags >> 6 & 1) << 52
            | (flags & 1) << 54
            | (flags >> 4 & 1) << 55
            | base >> 24 << 56
    }

    /// The way back (`fill_user_desc`).
    fn of(entry: u32, d: u64) -> UserDesc {
        let bit = |n: u32, flag: u32| if d >> n & 1 != 0 { flag } else { 0 };
        let not = |n: u32, flag: u32| flag ^ bit(n, flag);
        UserDesc {
            entry,
            base: Descriptor(d).base() as u32,
            limit: (d & 0xffff | d >> 32 & 0xf_0000) as u32,
            flags: bit(54, SEG_32BIT)
                | ((d >> 42 & 3) as u32) << 1
                | not(41, READ_EXEC_ONLY)
                | bit(55, LIMIT_IN_PAGES)
                | not(47, SEG_NOT_PRESENT)
                | bit(52, USEABLE),
        }
    }

    /// `tls_desc_okay`: only data of 32-bit segments.
    fn is_good_tls(&self) -> bool {
        self.is_empty(true)
            || self.flags & SEG_32BIT != 0 && self.contents() <= 1 && self.flags & SEG_NOT_PRESENT == 0
    }
}

/// The thread's entry that a descriptor is for, and what goes there.
fn tls_entry(desc: &UserDesc, free: impl Fn() -> Option<u32>) -> Result<(u32, u64), Errno> {
    if !desc.is_good_tls() {
        return Err(Errno::EINVAL);
    }
    let entry = if desc.entry == u32::MAX { free().ok_or(Errno::ESRCH)? } else { desc.entry };
    let n = entry.wrapping_sub(FIRST_TLS);
    if n > 2 {
        return Err(Errno::EINVAL);
    }
    Ok((n, if desc.is_empty(true) { 0 } else { desc.descriptor() }))
}

/// Whether `clone` can set the thread's descriptor, whose entry must be named.
pub fn check_clone_tls(mem: GuestMem, addr: u64) -> Result<(), Errno> {
    tls_entry(&UserDesc::read(mem, addr)?, || None).map(|_| ()).map_err(|_| Errno::EINVAL)
}

/// Sets it.
pub fn set_clone_tls(cpu: &mut CpuState, mem: GuestMem, addr: u64) {
    if let Ok(desc) = UserDesc::read(mem, addr)
        && let Ok((n, descriptor)) = tls_entry(&desc, || None)
    {
        state::set_tls(&SLOTS, cpu, n, descriptor);
    }
}

/// NT_386_TLS: the thread's descriptors as `struct user_desc`.
pub fn tls_note(table: &[u64; 3]) -> Vec<u8> {
    let words = table.iter().zip(FIRST_TLS..).flat_map(|(&d, entry)| {
        let desc = user_desc(entry, d);
        [desc.entry, desc.base, desc.limit, desc.flags]
    });
    words.flat_map(u32::to_le_bytes).collect()
}

/// An entry as programs see it, an empty one too.
fn user_desc(entry: u32, descriptor: u64) -> UserDesc {
    if descriptor == 0 {
        return UserDesc { entry, flags: READ_EXEC_ONLY | SEG_NOT_PRESENT, ..UserDesc::default() };
    }
    UserDesc::of(entry, descriptor)
}

/// `set_thread_area`
pub fn sys_set_thread_area(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if cx.abi.info().word == 8 {
        // As the kernel, which has it in the table of 64-bit programs only to refuse it.
        return Err(Errno::ENOSYS);
    }
    let desc = UserDesc::read(cx.mem, a[0])?;
    let table = state::tls(&SLOTS, &cx.task.cpu);
    let free = || table.iter().position(|&d| d == 0).map(|n| FIRST_TLS + n as u32);
    let (n, descriptor) = tls_entry(&desc, free)?;
    if desc.entry == u32::MAX {
        cx.mem.write(a[0], &(FIRST_TLS + n))?;
    }
    state::set_tls(&SLOTS, &mut cx.task.cpu, n, descriptor);
    Ok(0)
}

/// `get_thread_area`
pub fn sys_get_thread_area(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if cx.abi.info().word == 8 {
        return Err(Errno::ENOSYS);
    }
    let entry: u32 = cx.mem.read(a[0])?;
    let n = entry.wrapping_sub(FIRST_TLS) as usize;
    let table = state::tls(&SLOTS, &cx.task.cpu);
    let descriptor = *table.get(n).ok_or(Errno::EINVAL)?;
    let desc = user_desc(entry, descriptor);
    cx.mem.write(a[0], &[desc.entry, desc.base, desc.limit, desc.flags])?;
    Ok(0)
}

/// `modify_ldt`
pub fn sys_modify_ldt(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    only_here(cx)?;
    // The kernel's result is an int whose upper half is zero.
    let result = match a[0] as u32 {
        0 => {
            let bytes: Vec<u8> = segments::ldt().iter().flat_map(|d| d.to_le_bytes()).collect();
            let room = (a[2].min(LDT_ENTRIES as u64 * 8)) as usize;
            if bytes.is_empty() {
                Ok(0)
            } else {
                let mut all = bytes;
                all.resize(room, 0);
                cx.mem.copy_out(a[1], &all).map(|()| room as u64)
            }
        }
        // The default table: empty.
        2 => {
            let room = a[2].min(128) as usize;
            cx.mem.zero(a[1], room).map(|()| room as u64)
        }
        1 => write_ldt(cx, a[1], a[2], true),
        0x11 => write_ldt(cx, a[1], a[2], false),
        _ => Err(Errno::ENOSYS),
    };
    result.or_else(|errno| Ok(u64::from(errno.0.wrapping_neg() as u32)))
}

fn write_ldt(cx: &mut SysCx<'_>, addr: u64, len: u64, old_mode: bool) -> SysResult {
    if len != 16 {
        return Err(Errno::EINVAL);
    }
    let mut desc = UserDesc::read(cx.mem, addr)?;
    if desc.entry as usize >= LDT_ENTRIES {
        return Err(Errno::EINVAL);
    }
    if desc.contents() == 3 && (old_mode || desc.flags & SEG_NOT_PRESENT == 0) {
        return Err(Errno::EINVAL);
    }
    let empty = desc.base == 0 && desc.limit == 0 && old_mode || desc.is_empty(false);
    if old_mode {
        desc.flags &= !USEABLE;
    }
    segments::set_ldt_entry(desc.entry as usize, if empty { 0 } else { desc.descriptor() });
    // Registers that were loaded with the entry follow.
    let mut all = state::load(&SLOTS, &cx.task.cpu);
    for s in SEGS {
        let selector = u32::from(all.selectors[s as usize]);
        if s != Seg::Cs && selector & 4 != 0 && selector >> 3 == desc.entry {
            state::reload(&SLOTS, &cx.task.cpu, &mut all, s);
        }
    }
    state::store(&SLOTS, &mut cx.task.cpu, &all);
    Ok(0)
}

/// `iopl`: rights to input and output are not for guests; level 0 changes nothing.
pub fn sys_iopl(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    only_here(cx)?;
    match a[0] as u32 {
        0 => Ok(0),
        1..=3 => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}

/// `ioperm`: as `iopl`; taking rights away changes nothing.
pub fn sys_ioperm(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    only_here(cx)?;
    if a[0].checked_add(a[1]).is_none_or(|end| end > 65536 || a[1] == 0) {
        return Err(Errno::EINVAL);
    }
    if a[2] as u32 == 0 { Ok(0) } else { Err(Errno::EPERM) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_come_back() {
        let desc = UserDesc { entry: 12, base: 0x1234_5678, limit: 0xf_ffff, flags: 0x51 };
        let d = desc.descriptor();
        assert_eq!(d, 0x12df_f334_5678_ffff);
        assert_eq!(UserDesc::of(12, d), desc);
        assert!(desc.is_good_tls());
        assert!(UserDesc { flags: 0x28, ..UserDesc::default() }.is_empty(false));
        // Code is not for threads.
        assert!(!UserDesc { flags: 0x55, limit: 1, ..desc }.is_good_tls());
    }
}
