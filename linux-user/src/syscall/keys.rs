//! `keyctl`: the operation says which arguments are addresses.

use super::SysCx;
use super::plain::iovec;
use crate::errno::{Errno, SysResult};
use crate::sys::safe_syscall;

/// Which of the four arguments behind the operation are addresses, by operation (UAPI `linux/keyctl.h`).
const ADDRESSES: [&[usize]; 33] = [
    &[],           // GET_KEYRING_ID
    &[1],          // JOIN_SESSION_KEYRING
    &[2],          // UPDATE
    &[],           // REVOKE
    &[],           // CHOWN
    &[],           // SETPERM
    &[2],          // DESCRIBE
    &[],           // CLEAR
    &[],           // LINK
    &[],           // UNLINK
    &[2, 3],       // SEARCH
    &[2],          // READ
    &[2],          // INSTANTIATE
    &[],           // NEGATE
    &[],           // SET_REQKEY_KEYRING
    &[],           // SET_TIMEOUT
    &[],           // ASSUME_AUTHORITY
    &[2],          // GET_SECURITY
    &[],           // SESSION_TO_PARENT
    &[],           // REJECT
    &[],           // INSTANTIATE_IOV: below
    &[],           // INVALIDATE
    &[],           // GET_PERSISTENT
    &[1, 2],       // DH_COMPUTE
    &[3, 4],       // PKEY_QUERY
    &[1, 2, 3, 4], // PKEY_ENCRYPT
    &[1, 2, 3, 4], // PKEY_DECRYPT
    &[1, 2, 3, 4], // PKEY_SIGN
    &[1, 2, 3, 4], // PKEY_VERIFY
    &[2, 3],       // RESTRICT_KEYRING
    &[],           // MOVE
    &[1],          // CAPABILITIES
    &[],           // WATCH_KEY
];
const INSTANTIATE_IOV: usize = 20;
const DH_COMPUTE: usize = 23;

/// `keyctl`
pub fn sys_keyctl(cx: &mut SysCx<'_>, a: &[u64; 6]) -> SysResult {
    let operation = a[0] as u32 as usize;
    if cx.is_native() {
        return safe_syscall(libc::SYS_keyctl, *a);
    }
    let Some(addresses) = ADDRESSES.get(operation) else { return Err(Errno::EOPNOTSUPP) };
    if operation == DH_COMPUTE && a[4] != 0 {
        // The parameters of a key derivation hold addresses of their own.
        return Err(Errno::EOPNOTSUPP);
    }
    let mut host = *a;
    for &index in *addresses {
        host[index] = cx.mem.host_opt(a[index], 0)?;
    }
    let vector;
    if operation == INSTANTIATE_IOV && a[2] != 0 {
        vector = iovec(cx, a[2], a[3] as usize)?;
        host[2] = vector.as_ptr() as u64;
    }
    safe_syscall(libc::SYS_keyctl, host)
}
