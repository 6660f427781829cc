//! Where a program that the guest names is found: under `-L` first, as for its other absolute paths.

use crate::task::Task;
use std::path::{Component, Path, PathBuf};

/// The host path of a program. Symbolic links that are absolute stay inside the sysroot.
pub fn program(task: &Task, path: &Path) -> PathBuf {
    if is_own_exe(path, task.process.pid()) {
        return task.mm.exe().to_path_buf();
    }
    let Some(root) = task.fs.sysroot.as_deref() else { return path.to_path_buf() };
    if !path.is_absolute() {
        return path.to_path_buf();
    }
    inside(root, path).unwrap_or_else(|| path.to_path_buf())
}

fn is_own_exe(path: &Path, pid: i32) -> bool {
    let Some(rest) = path.to_str().and_then(|text| text.strip_prefix("/proc/")) else { return false };
    rest == "self/exe" || rest == "thread-self/exe" || rest == format!("{pid}/exe")
}

/// Resolves `path` with `root` as the root directory; `None` if nothing is there.
fn inside(root: &Path, path: &Path) -> Option<PathBuf> {
    let mut links = 0;
    let mut todo: Vec<PathBuf> = components(path);
    let mut done = PathBuf::new();
    while let Some(part) = todo.pop() {
        if part.as_os_str() == ".." {
            done.pop();
            continue;
        }
        let here = done.join(&part);
        let host = root.join(&here);
        let meta = std::fs::symlink_metadata(&host).ok()?;
        if !meta.file_type().is_symlink() {
            done = here;
            continue;
        }
        links += 1;
        if links > 40 {
            return None;
        }
        let target = std::fs::read_link(&host).ok()?;
        if target.is_absolute() {
            done = PathBuf::new();
        }
        todo.extend(components(&target));
    }
    Some(root.join(done))
}

/// The names of a path, last first.
fn components(path: &Path) -> Vec<PathBuf> {
    path.components()
        .rev()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(PathBuf::from(name)),
            Component::ParentDir => Some(PathBuf::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_links_stay_inside_the_root() {
        let root = std::env::temp_dir().join(format!("omnirun-sysroot-{}", std::process::id()));
        std::fs::create_dir_all(root.join("etc")).unwrap();
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::write(root.join("bin/real"), "x").unwrap();
        std::os::unix::fs::symlink("/bin/real", root.join("etc/alt")).unwrap();
        std::os::unix::fs::symlink("../etc/alt", root.join("bin/link")).unwrap();
        assert_eq!(inside(&root, Path::new("/bin/link")), Some(root.join("bin/real")));
        assert_eq!(inside(&root, Path::new("/bin/none")), None);
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn own_exe_is_recognised_by_self_and_pid() {
        assert!(is_own_exe(Path::new("/proc/self/exe"), 5));
        assert!(is_own_exe(Path::new("/proc/5/exe"), 5));
        assert!(!is_own_exe(Path::new("/proc/6/exe"), 5));
    }
}
