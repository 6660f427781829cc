//! Programs that give rights by their file: set-uid, set-gid, file capabilities.
//!
//! Only the host kernel can give these, and it gives them to a foreign program if binfmt_misc runs it with the credentials
//! of the program's file (flag C). So such an exec is left to the kernel, which starts the emulator anew, as it does for a
//! program of the host that executes one. Options are lost on the way, and must be: who starts a privileged program must
//! not steer the emulator.

use crate::sys::raw_syscall;
use crate::task::Task;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// True if an exec of `file`, which begins with `head`, is to be the host kernel's.
pub fn by_kernel(task: &Task, file: &File, head: &[u8]) -> bool {
    gives_rights(file)
        // Under a root of its own the program's loader would not be found; tracers and filters do not reach over.
        && task.fs.sysroot.is_none()
        && task.trace.is_none()
        && !task.seccomp.active()
        && !crate::gdb::active(task)
        && may_gain()
        && registered(Path::new("/proc/sys/fs/binfmt_misc"), head)
}

/// Whether the process would get rights by the file that it does not have.
fn gives_rights(file: &File) -> bool {
    let Ok(meta) = file.metadata() else { return false };
    let id = |call| raw_syscall(call, [0; 6]).unwrap_or(0) as u32;
    let set = |bits: u32| meta.mode() & bits == bits;
    // Without the right to execute for its group, the second is an old mark of mandatory locks.
    set(libc::S_ISUID) && meta.uid() != id(libc::SYS_geteuid)
        || set(libc::S_ISGID | libc::S_IXGRP) && meta.gid() != id(libc::SYS_getegid)
        || has_capabilities(file)
}

fn has_capabilities(file: &File) -> bool {
    let name = c"security.capability";
    let args = [file.as_raw_fd() as u64, name.as_ptr() as u64, 0, 0, 0, 0];
    raw_syscall(libc::SYS_fgetxattr, args).is_ok()
}

fn may_gain() -> bool {
    raw_syscall(libc::SYS_prctl, [libc::PR_GET_NO_NEW_PRIVS as u64, 0, 0, 0, 0, 0]) == Ok(0)
}

/// Whether an entry of binfmt_misc with flag C takes a file that begins with `head`. Where its files cannot be seen (in a
/// chroot) there may be one: if there is none, the exec fails and tells.
fn registered(dir: &Path, head: &[u8]) -> bool {
    let Ok(entries) = std::fs::read_dir(dir) else { return true };
    let mut mounted = false;
    for entry in entries.flatten() {
        mounted = true;
        if std::fs::read_to_string(entry.path()).is_ok_and(|text| takes(&text, head)) {
            return true;
        }
    }
    !mounted
}

/// Whether an entry, as the kernel prints it, is on, has flag C and takes the file.
fn takes(entry: &str, head: &[u8]) -> bool {
    let field = |name: &str| entry.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let bytes = |text: &str| -> Option<Vec<u8>> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
    };
    let Some(magic) = field("magic ").and_then(bytes) else { return false };
    let mask = field("mask ").and_then(bytes).unwrap_or_else(|| vec![0xff; magic.len()]);
    let offset = field("offset ").and_then(|text| text.parse().ok()).unwrap_or(0);
    entry.starts_with("enabled")
        && field("flags: ").is_some_and(|flags| flags.contains('C'))
        && head.get(offset..offset + magic.len()).is_some_and(|head| {
            head.iter().zip(&magic).zip(&mask).all(|((byte, magic), mask)| (byte ^ magic) & mask == 0)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_takes_a_file_by_its_magic_if_it_is_on_and_has_the_flag() {
        let entry = "enabled\ninterpreter /q\nflags: OCF\noffset 1\nmagic 450200b7\nmask ff00ffff\n";
        let head = [0x7f, 0x45, 9, 0, 0xb7, 1];
        assert!(takes(entry, &head));
        assert!(!takes(&entry.replace("OCF", "OF"), &head));
        assert!(!takes(&entry.replace("enabled", "disabled"), &head));
        assert!(!takes(entry, &head[..4]));
        assert!(!takes(entry, &[0x7f, 0x45, 9, 1, 0xb7]));
    }

    #[test]
    fn a_plain_file_gives_nothing() {
        assert!(!gives_rights(&File::open("/proc/self/exe").unwrap()));
    }
}
