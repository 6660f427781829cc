//! Where a program that the guest names is found: under `-L` first, as for its other paths; its own `/proc/self/exe` is
//! the guest program, not the emulator.

use crate::paths::host_path;
use crate::task::Task;
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The host path of a program.
pub fn program(task: &Task, path: &Path) -> PathBuf {
    if is_own_exe(path, task.process.pid()) {
        return task.process.exec.exe.clone();
    }
    // A path with a NUL inside cannot come from a guest's string.
    let Ok(name) = CString::new(path.as_os_str().as_bytes()) else { return path.to_path_buf() };
    if let Some(below) = task.fs.below_cwd(&name, true) {
        return PathBuf::from(OsStr::from_bytes(below.to_bytes()));
    }
    let found = host_path(task.fs.sysroot.as_deref(), &name, true);
    PathBuf::from(OsStr::from_bytes(found.to_bytes()))
}

fn is_own_exe(path: &Path, pid: i32) -> bool {
    let Some(rest) = path.to_str().and_then(|text| text.strip_prefix("/proc/")) else { return false };
    rest == "self/exe" || rest == "thread-self/exe" || rest == format!("{pid}/exe")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_exe_is_recognised_by_self_and_pid() {
        assert!(is_own_exe(Path::new("/proc/self/exe"), 5));
        assert!(is_own_exe(Path::new("/proc/5/exe"), 5));
        assert!(!is_own_exe(Path::new("/proc/6/exe"), 5));
    }
}
