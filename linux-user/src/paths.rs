//! `-L`: which host path a guest path means.
//!
//! An absolute path is looked up under the root first and used as it is if it is not there. Symbolic links that are
//! absolute point into the root again, as they would on the guest's own system. `/proc`, `/sys`, `/dev`, `/tmp` and `/run`
//! are the host's: what a tree holds there is only mount points.
//!
//! The working directory is the host's where the host has one of that name, else the tree's. While the tree has it too, a
//! relative name is looked up as the absolute one would be, so both see the same files.

use crate::sys::raw_syscall;
use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

const HOST_TREES: [&[u8]; 5] = [b"/proc", b"/sys", b"/dev", b"/tmp", b"/run"];

const RESOLVE_NO_SYMLINKS: u64 = 4;
const RESOLVE_BENEATH: u64 = 8;
const RESOLVE_IN_ROOT: u64 = 0x10;

fn starts_with_dir(path: &[u8], dir: &[u8]) -> bool {
    path.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// `openat2` with O_PATH, a descriptor that is closed on drop.
fn look_up(root: i32, path: &CStr, resolve: u64, follow: bool) -> Result<OwnedFd, i32> {
    let flags = libc::O_PATH | libc::O_CLOEXEC | if follow { 0 } else { libc::O_NOFOLLOW };
    let how = [flags as u64, 0, resolve];
    let args = [root as u64, path.as_ptr() as u64, how.as_ptr() as u64, 24, 0, 0];
    raw_syscall(libc::SYS_openat2, args).map(|fd| OwnedFd(fd as i32)).map_err(|e| e.0)
}

struct OwnedFd(i32);

impl Drop for OwnedFd {
    fn drop(&mut self) {
        let _ = raw_syscall(libc::SYS_close, [self.0 as u64, 0, 0, 0, 0, 0]);
    }
}

/// The host path for a guest path under `sysroot`. `follow` is false if the last component must not be followed.
pub fn host_path<'a>(sysroot: Option<&Path>, guest: &'a CStr, follow: bool) -> Cow<'a, CStr> {
    let Some(root) = sysroot else { return Cow::Borrowed(guest) };
    let path = guest.to_bytes();
    if path.first() != Some(&b'/') || HOST_TREES.iter().any(|t| starts_with_dir(path, t)) {
        return Cow::Borrowed(guest);
    }
    let skip = path.iter().take_while(|b| **b == b'/').count();
    let relative =
        if skip == path.len() { c".".to_owned() } else { CString::new(&path[skip..]).unwrap_or_default() };
    let joined = |rest: &[u8]| {
        let mut out = root.as_os_str().as_bytes().to_vec();
        while out.last() == Some(&b'/') {
            out.pop();
        }
        out.push(b'/');
        out.extend_from_slice(rest);
        CString::new(out).unwrap_or_default()
    };
    // Most paths have no links at all, and one look-up tells; `..` could leave the root.
    let full = joined(relative.to_bytes());
    if !relative.to_bytes().split(|b| *b == b'/').any(|part| part == b"..") {
        match look_up(libc::AT_FDCWD, &full, RESOLVE_NO_SYMLINKS, true) {
            Ok(_) => return Cow::Owned(full),
            Err(libc::ENOENT | libc::ENOTDIR) => return Cow::Borrowed(guest),
            Err(_) => {}
        }
    }
    let root_c = CString::new(root.as_os_str().as_bytes()).unwrap_or_default();
    let Ok(root_fd) = look_up(libc::AT_FDCWD, &root_c, 0, true) else { return by_existence(full, guest) };
    match look_up(root_fd.0, &relative, RESOLVE_BENEATH, follow) {
        Ok(_) => Cow::Owned(full),
        Err(libc::EXDEV) => {
            // A link leads out of the root: let the kernel resolve it inside, and ask where that is.
            let Ok(fd) = look_up(root_fd.0, &relative, RESOLVE_IN_ROOT, follow) else {
                return Cow::Borrowed(guest);
            };
            match std::fs::read_link(format!("/proc/self/fd/{}", fd.0)) {
                Ok(real) => Cow::Owned(CString::new(real.into_os_string().into_vec()).unwrap_or_default()),
                Err(_) => Cow::Borrowed(guest),
            }
        }
        Err(libc::ENOSYS | libc::EMFILE | libc::ENFILE) => by_existence(full, guest),
        Err(_) => Cow::Borrowed(guest),
    }
}

/// Whether the tree has a directory of the working directory's name.
pub fn has_cwd(root: &Path) -> bool {
    let Ok(cwd) = std::env::current_dir() else { return false };
    let Ok(cwd) = CString::new(cwd.into_os_string().into_vec()) else { return false };
    let found = host_path(Some(root), &cwd, true);
    matches!(found, Cow::Owned(path) if Path::new(OsStr::from_bytes(path.to_bytes())).is_dir())
}

/// The host path of a name relative to the working directory, if it is in the tree.
pub fn below_cwd(root: &Path, name: &CStr, follow: bool) -> Option<CString> {
    if name.is_empty() || name.to_bytes()[0] == b'/' {
        return None;
    }
    let mut path = std::env::current_dir().ok()?.into_os_string().into_vec();
    path.push(b'/');
    path.extend_from_slice(name.to_bytes());
    match host_path(Some(root), &CString::new(path).ok()?, follow) {
        Cow::Owned(path) => Some(path),
        Cow::Borrowed(_) => None,
    }
}

/// Without `openat2` (before Linux 5.6) or a free descriptor: the path under the root, if something is there.
fn by_existence(full: CString, guest: &CStr) -> Cow<'_, CStr> {
    if Path::new(OsStr::from_bytes(full.to_bytes())).symlink_metadata().is_ok() {
        Cow::Owned(full)
    } else {
        Cow::Borrowed(guest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_links_stay_inside_the_root() {
        let root = std::env::temp_dir().join(format!("omnirun-paths-{}", std::process::id()));
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::write(root.join("bin/real"), "x").unwrap();
        let _ = std::os::unix::fs::symlink("/bin/real", root.join("bin/link"));
        let find = |p: &CStr, follow| host_path(Some(&root), p, follow).into_owned().into_bytes();
        let inside = |p: &str| root.join(p).into_os_string().into_vec();
        assert_eq!(find(c"/bin/real", true), inside("bin/real"));
        assert_eq!(find(c"/bin/link", true), inside("bin/real"));
        assert_eq!(find(c"/bin/link", false), inside("bin/link"));
        assert_eq!(find(c"/bin/none", true), b"/bin/none");
        assert_eq!(find(c"relative", true), b"relative");
        assert_eq!(find(c"/proc/self", true), b"/proc/self");
        std::fs::remove_dir_all(&root).unwrap();
    }
}
