//! Memory that a call will write: where translated code may be there, its pages must be writable before the kernel is asked,
//! since for the kernel a page that is write-protected for translations is a bad address, or the end of what it transfers.
//!
//! Input: a call's description and arguments; output: what keeps the pages open during the call.

use super::{SysCx, plain};
use crate::mm::Writing;
use std::ops::Range;
use syscall_tables::{ArgTy, CallId, Count, Dir, MemTy, Ty, element, read_scalar};

/// Calls that fill what a vector of buffers names.
const SCATTER: [CallId; 4] = [CallId::Readv, CallId::Preadv, CallId::Preadv2, CallId::ProcessVmReadv];

/// Opens the code pages that this call may write.
pub fn open(cx: &SysCx<'_>, call: CallId, args: &[u64; 6]) -> Option<Writing> {
    let mut ranges = Vec::new();
    let mut vectors = 0;
    for (arg, &v) in call.desc().args.iter().zip(args) {
        let ArgTy::Mem(m) = arg.ty else { continue };
        if v == 0 {
            continue;
        }
        let count = match m.count {
            Count::Same | Count::Ret => 1,
            Count::Lit(n) => u64::from(n),
            Count::Arg(i) => args[i as usize],
            Count::Deref(i) => u64::from(cx.mem.read::<u32>(args[i as usize]).unwrap_or(0)),
        };
        match m.ty {
            MemTy::Iovec(_) => {
                // Only the first one of process_vm_readv is memory of this process.
                if SCATTER.contains(&call) && vectors == 0 {
                    vector(cx, v, count, &mut ranges);
                }
                vectors += 1;
            }
            MemTy::Msghdr(_) if call == CallId::Recvmsg => {
                ranges.push(v..v.saturating_add(128));
                let word = cx.abi.info().word as u64;
                let field = |n: u64| {
                    let mut raw = [0; 8];
                    let raw = &mut raw[..word as usize];
                    cx.mem.copy_in(v + n * word, raw).map_or(0, |()| read_scalar(Ty::ULong, raw, cx.abi))
                };
                vector(cx, field(2), field(3), &mut ranges);
            }
            _ if m.dir == Dir::In => {}
            MemTy::Elem(t) | MemTy::Msghdr(t) => {
                let size = element(t, cx.abi).0 as u64;
                ranges.push(v..v.saturating_add(count.saturating_mul(size)));
            }
            MemTy::Bytes | MemTy::Sigset | MemTy::Sockaddr => ranges.push(v..v.saturating_add(count)),
            MemTy::FdSet | MemTy::Strings => ranges.push(v..v.saturating_add(count.div_ceil(8) + 8)),
        }
    }
    cx.task.mm.open_code(ranges.into_iter())
}

fn vector(cx: &SysCx<'_>, addr: u64, count: u64, ranges: &mut Vec<Range<u64>>) {
    let Ok(list) = plain::iovec(cx, addr, usize::try_from(count).unwrap_or(usize::MAX)) else { return };
    ranges.extend(list.iter().map(|&[host, len]| {
        let start = cx.mem.guest(host);
        start..start.saturating_add(len)
    }));
}
