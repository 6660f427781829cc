//! System V control calls: the command says what the last argument is.

use super::SysCx;
use super::plain::{host_buffer, native, read_struct, write_struct};
use crate::errno::{Errno, SysResult};
use crate::sys::safe_syscall;
use syscall_tables::{CallId, StructId, Ty, element, read_scalar, structs};

const IPC_SET: u64 = 1;
const IPC_STAT: u64 = 2;
const IPC_INFO: u64 = 3;
/// Guests whose C library asks for the 64-bit structures OR this in; on 64-bit arches it has no meaning.
const IPC_64: u64 = 0x100;

/// A control call whose argument is a structure that the kernel fills.
fn fill(cx: &SysCx<'_>, nr: i64, args: [u64; 4], at: usize, id: StructId) -> SysResult {
    let ty = Ty::Struct(id);
    let mut buffer = host_buffer(ty);
    let mut host = [args[0], args[1], args[2], args[3], 0, 0];
    host[at] = buffer.as_mut_ptr() as u64;
    let ret = safe_syscall(nr, host)?;
    write_struct(cx, ty, args[at], &buffer)?;
    Ok(ret)
}

/// A control call whose argument is a structure that the kernel reads.
fn set(cx: &SysCx<'_>, nr: i64, args: [u64; 4], at: usize, id: StructId) -> SysResult {
    let mut buffer = read_struct(cx, Ty::Struct(id), args[at])?;
    let mut host = [args[0], args[1], args[2], args[3], 0, 0];
    host[at] = buffer.as_mut_ptr() as u64;
    safe_syscall(nr, host)
}

/// `semctl`
pub fn sys_semctl(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let cmd = a[2] & 0xffff_ffff & !IPC_64;
    let args = [a[0], a[1], cmd, a[3]];
    let nr = libc::SYS_semctl;
    match cmd {
        IPC_SET => set(cx, nr, args, 3, structs::SEMID_DS),
        // and SEM_STAT, SEM_STAT_ANY
        IPC_STAT | 18 | 20 => fill(cx, nr, args, 3, structs::SEMID_DS),
        // and SEM_INFO
        IPC_INFO | 19 => fill(cx, nr, args, 3, structs::SEMINFO),
        // GETALL, SETALL: shorts, the same bytes in one byte order.
        13 | 17 => safe_syscall(nr, [a[0], a[1], cmd, cx.mem.host(a[3], 0)?, 0, 0]),
        _ => safe_syscall(nr, [a[0], a[1], cmd, a[3], 0, 0]),
    }
}

/// `shmctl`
pub fn sys_shmctl(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let cmd = a[1] & 0xffff_ffff & !IPC_64;
    let args = [a[0], cmd, a[2], 0];
    let nr = libc::SYS_shmctl;
    match cmd {
        IPC_SET => set(cx, nr, args, 2, structs::SHMID_DS),
        // and SHM_STAT, SHM_STAT_ANY
        IPC_STAT | 13 | 15 => fill(cx, nr, args, 2, structs::SHMID_DS),
        IPC_INFO => fill(cx, nr, args, 2, structs::SHMINFO),
        // SHM_INFO
        14 => fill(cx, nr, args, 2, structs::SHM_INFO),
        _ => safe_syscall(nr, [a[0], cmd, a[2], 0, 0, 0]),
    }
}

/// `msgctl`
pub fn sys_msgctl(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let cmd = a[1] & 0xffff_ffff & !IPC_64;
    let args = [a[0], cmd, a[2], 0];
    let nr = libc::SYS_msgctl;
    match cmd {
        IPC_SET => set(cx, nr, args, 2, structs::MSQID_DS),
        // and MSG_STAT, MSG_STAT_ANY
        IPC_STAT | 11 | 13 => fill(cx, nr, args, 2, structs::MSQID_DS),
        // and MSG_INFO
        IPC_INFO | 12 => fill(cx, nr, args, 2, structs::MSGINFO),
        _ => safe_syscall(nr, [a[0], cmd, a[2], 0, 0, 0]),
    }
}

/// A message may be as large as the kernel's limit allows (`msgmax`), which is far below this.
const MAX_MESSAGE: u64 = 16 << 20;

/// `msgsnd`: the message begins with a word, its type.
pub fn sys_msgsnd(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if let Some(result) = native(cx, CallId::Msgsnd, a) {
        return result;
    }
    if a[2] > MAX_MESSAGE {
        return Err(Errno::EINVAL);
    }
    let word = element(Ty::Long, cx.abi).0;
    let mut raw = vec![0; word + a[2] as usize];
    cx.mem.copy_in(a[1], &mut raw)?;
    let mut message = read_scalar(Ty::Long, &raw, cx.abi).to_ne_bytes().to_vec();
    message.extend_from_slice(&raw[word..]);
    safe_syscall(libc::SYS_msgsnd, [a[0], message.as_ptr() as u64, a[2], a[3], 0, 0])
}

/// `msgrcv`
pub fn sys_msgrcv(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    if let Some(result) = native(cx, CallId::Msgrcv, a) {
        return result;
    }
    let size = a[2].min(MAX_MESSAGE);
    let mut message = vec![0u64; 1 + size.div_ceil(8) as usize];
    let got = safe_syscall(libc::SYS_msgrcv, [a[0], message.as_mut_ptr() as u64, size, a[3], a[4], 0])?;
    let word = element(Ty::Long, cx.abi).0;
    let mut kind = [0; 8];
    syscall_tables::convert(Ty::Long, syscall_tables::HOST, &message[0].to_ne_bytes(), cx.abi, &mut kind);
    cx.mem.copy_out(a[1], &kind[..word])?;
    let bytes: &[u8] = bytemuck::cast_slice(&message[1..]);
    cx.mem.copy_out(a[1].wrapping_add(word as u64), &bytes[..got as usize])?;
    Ok(got)
}
