//! The per-user cache of translations: where it is, whether it may be used, and its files.
//!
//! Input: `-cache` and the environment; output: named files for the engine. What must hold:
//!
//! 1. The directory is the user's own and nobody else can write to it; so is every file that is read. Programs that run
//!    with rights of another user (AT_SECURE, or real and effective ids that differ) have no cache.
//! 2. A file is never changed: a new one takes its place by `rename`. Who has the old one mapped keeps it whole.
//! 3. Nothing here is seen by the guest: no descriptor stays open, no signal is raised (RLIMIT_FSIZE), no failure shows.

use crate::sys::raw_syscall;
use engine::{CacheBytes, CacheFiles, CacheSink, Engine, Rebuild};
use std::ffi::{CString, OsStr};
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, SystemTime};

/// What `-cache` asks for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CacheOptions {
    /// How it is used.
    pub mode: Mode,
    /// Another directory than the user's.
    pub dir: Option<PathBuf>,
    /// Bound on all files together, in bytes.
    pub size: Option<u64>,
    /// Print figures at the end.
    pub stats: bool,
}

/// How the cache is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// Read and extended.
    #[default]
    ReadWrite,
    /// Read only.
    ReadOnly,
    /// Not used.
    Off,
}

/// Bound on all files together if none is given.
const DEFAULT_SIZE: u64 = 512 << 20;
/// Free space that is left on the file system.
const SPARE: u64 = 64 << 20;
const SUFFIX: &str = ".occ";
const PART: &str = ".part";
/// A part file older than this was left by a process that died.
const DEAD: Duration = Duration::from_secs(60);
/// A file's time is set when it is used and older than this: eviction goes by it.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The directory.
#[derive(Debug)]
pub struct Cache {
    dir: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
    user: u32,
    size: u64,
}

fn user() -> u32 {
    // SAFETY: has no preconditions and cannot fail.
    unsafe { libc::geteuid() }
}

/// True if the process has rights that its caller does not.
fn privileged() -> bool {
    // SAFETY: these read the process's own vector and ids.
    unsafe {
        libc::getauxval(libc::AT_SECURE) != 0
            || libc::getuid() != libc::geteuid()
            || libc::getgid() != libc::getegid()
    }
}

/// The user's own directory, if there is a place for it.
fn default_dir() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let base = match absolute("XDG_CACHE_HOME") {
        Some(dir) => dir,
        None => {
            let home = absolute("HOME")?;
            // Under `sudo` the home may be another user's.
            (home.metadata().ok()?.uid() == user()).then_some(home)?.join(".cache")
        }
    };
    at_home().then(|| base.join("omnirun"))
}

/// False in a tree that is being built or repaired by another system: its files are not ours to add to. There our binary
/// cannot be found under its own name (a container's program run by the host's binfmt_misc), or root is not that of the
/// first process (chroot). Where that one's may not be asked for (a container's root is not all-powerful), root is a mount
/// point unless we are in a chroot.
fn at_home() -> bool {
    let id = |path: &Path| std::fs::metadata(path).map(|m| (m.dev(), m.ino()));
    let same = |a: &str, b: &Path| matches!((id(Path::new(a)), id(b)), (Ok(a), Ok(b)) if a == b);
    let Some(name) = crate::process::own::name() else { return false };
    if !same("/proc/self/exe", name) {
        return false;
    }
    user() != 0
        || match id(Path::new("/proc/1/root")) {
            Ok(first) => id(Path::new("/")).is_ok_and(|own| own == first),
            Err(error) => error.kind() == std::io::ErrorKind::PermissionDenied && root_is_mount(),
        }
}

/// Whether root is a mount point: a chroot into a plain directory has none there. The kernel tells since Linux 5.8.
fn root_is_mount() -> bool {
    // SAFETY: zero is a valid value of this plain structure, path and structure live over the call.
    let stat = unsafe {
        let mut stat: libc::statx = std::mem::zeroed();
        (libc::statx(libc::AT_FDCWD, c"/".as_ptr(), 0, 0, &raw mut stat) == 0).then_some(stat)
    };
    let bit = libc::STATX_ATTR_MOUNT_ROOT as u64;
    match stat {
        Some(stat) if stat.stx_attributes_mask & bit != 0 => stat.stx_attributes & bit != 0,
        _ => std::fs::read("/proc/self/mountinfo").is_ok_and(|list| has_root(&list)),
    }
}

/// Whether a list of mounts has one at `/`: a chroot into a plain directory has none.
fn has_root(mounts: &[u8]) -> bool {
    mounts.split(|byte| *byte == b'\n').any(|line| line.split(|byte| *byte == b' ').nth(4) == Some(b"/"))
}

impl Cache {
    /// The cache that the options and the environment give, made if it is not there.
    pub fn find(options: &CacheOptions) -> Option<Cache> {
        if options.mode == Mode::Off || privileged() {
            return None;
        }
        let dir = match &options.dir {
            Some(dir) => dir.clone(),
            None => default_dir()?,
        };
        let made = || {
            let meta = std::fs::symlink_metadata(&dir).ok()?;
            let private = meta.is_dir() && meta.uid() == user() && meta.mode() & 0o022 == 0;
            private.then_some((meta.dev(), meta.ino()))
        };
        let identity = match made() {
            Some(identity) => identity,
            None if options.mode == Mode::ReadOnly => return None,
            None => {
                DirBuilder::new().recursive(true).mode(0o700).create(&dir).ok()?;
                made()?
            }
        };
        Some(Cache { dir, identity, user: user(), size: options.size.unwrap_or(DEFAULT_SIZE) })
    }

    /// Whether the path still means the directory it meant, to the same user.
    fn is_same(&self) -> bool {
        user() == self.user
            && std::fs::symlink_metadata(&self.dir)
                .is_ok_and(|m| m.is_dir() && (m.dev(), m.ino()) == self.identity)
    }

    fn path(&self, name: &str, suffix: &str) -> PathBuf {
        self.dir.join(format!("{name}{suffix}"))
    }

    fn map(&self, path: &Path) -> Option<(Mapped, SystemTime)> {
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path)
            .ok()?;
        let meta = file.metadata().ok()?;
        if !meta.is_file() || meta.uid() != self.user || meta.mode() & 0o022 != 0 || meta.len() == 0 {
            return None;
        }
        Some((Mapped::new(&file, meta.len())?, meta.modified().ok()?))
    }

    /// Our files with their sizes and times.
    fn list(&self) -> Vec<(PathBuf, u64, SystemTime)> {
        let Ok(entries) = std::fs::read_dir(&self.dir) else { return Vec::new() };
        entries
            .flatten()
            .filter(|e| {
                let name = e.file_name();
                name.as_bytes().ends_with(SUFFIX.as_bytes()) || name.as_bytes().ends_with(PART.as_bytes())
            })
            .filter_map(|e| {
                let meta = e.metadata().ok()?;
                Some((e.path(), meta.len(), meta.modified().ok()?))
            })
            .collect()
    }

    /// Makes room: dead parts go, and beyond the bound the files that were not used for longest.
    fn evict(&self) {
        let mut files = self.list();
        files.retain(|(path, _, time)| {
            let part = path.extension() == Some(OsStr::new(&PART[1..]));
            if part && time.elapsed().is_ok_and(|age| age > DEAD) {
                let _ = std::fs::remove_file(path);
            }
            !part
        });
        let mut total: u64 = files.iter().map(|f| f.1).sum();
        if total <= self.size {
            return;
        }
        files.sort_by_key(|f| f.2);
        for (path, size, _) in files {
            if total <= self.size / 4 * 3 {
                break;
            }
            if std::fs::remove_file(path).is_ok() {
                total -= size;
            }
        }
    }

    /// True if a file of this size may be written: by the process's limit, and the disk has room for it.
    fn has_room(&self, size: u64) -> bool {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the structure is ours and the call fills it.
        if unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) } != 0 || size > limit.rlim_cur {
            return false;
        }
        let Ok(path) = CString::new(self.dir.as_os_str().as_bytes()) else { return false };
        // SAFETY: zero is a valid value of this plain structure; path and structure live over the call.
        let free = unsafe {
            let mut fs: libc::statvfs = std::mem::zeroed();
            if libc::statvfs(path.as_ptr(), &raw mut fs) != 0 {
                return false;
            }
            fs.f_bavail * fs.f_frsize
        };
        free > size + SPARE
    }

    /// What `-cache info` prints.
    pub fn info(&self) -> String {
        let mut out = format!("directory  {}\n", self.dir.display());
        let (mut files, mut bytes, mut regions, mut bad) = (0, 0, 0, 0);
        for (path, size, _) in self.list() {
            if path.extension() == Some(OsStr::new(&PART[1..])) {
                continue;
            }
            files += 1;
            bytes += size;
            match self.map(&path).and_then(|(m, _)| engine::cache_regions(m.as_ref())) {
                Some(n) => regions += n,
                None => bad += 1,
            }
        }
        out += &format!(
            "files      {files}\nbytes      {bytes} of at most {}\nregions    {regions}\n",
            self.size
        );
        if bad > 0 {
            out += &format!("unreadable {bad}\n");
        }
        out
    }

    /// Removes all files.
    pub fn clear(&self) -> usize {
        self.list().into_iter().filter(|(path, ..)| std::fs::remove_file(path).is_ok()).count()
    }
}

impl CacheFiles for Cache {
    fn open(&self, name: &str) -> Option<CacheBytes> {
        let path = self.path(name, SUFFIX);
        let (mapped, time) = self.map(&path)?;
        if time.elapsed().is_ok_and(|age| age > DAY)
            && let Ok(path) = CString::new(path.as_os_str().as_bytes())
        {
            // SAFETY: the path lives over the call; null stands for the present time.
            unsafe { libc::utimensat(libc::AT_FDCWD, path.as_ptr(), std::ptr::null(), 0) };
        }
        Some(Arc::new(mapped))
    }

    fn update(&self, name: &str, build: &mut Rebuild<'_>) -> bool {
        if !self.is_same() {
            return false;
        }
        let (path, part) = (self.path(name, SUFFIX), self.path(name, PART));
        // The part file is the lock: one writer at a time.
        let create = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
        let file = match create() {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                let age = std::fs::symlink_metadata(&part).and_then(|m| m.modified()).map(|t| t.elapsed());
                if !matches!(age, Ok(Ok(age)) if age > DEAD) || std::fs::remove_file(&part).is_err() {
                    return false;
                }
                let Ok(file) = create() else { return false };
                file
            }
            Err(_) => return false,
        };
        let old = self.map(&path);
        let new_file = old.is_none();
        let written = build(old.as_ref().map(|(m, _)| m.as_ref()), &mut NewFile { cache: self, file })
            && std::fs::rename(&part, &path).is_ok();
        if !written {
            let _ = std::fs::remove_file(&part);
        } else if new_file {
            self.evict();
        }
        written
    }
}

/// A file that is being written.
struct NewFile<'a> {
    cache: &'a Cache,
    file: File,
}

impl CacheSink for NewFile<'_> {
    fn has_room(&mut self, size: u64) -> bool {
        self.cache.has_room(size)
    }
    fn write(&mut self, at: u64, bytes: &[u8]) -> bool {
        self.file.write_all_at(bytes, at).is_ok()
    }
}

/// A file's contents, mapped for reading.
struct Mapped {
    base: *const u8,
    len: usize,
}

// SAFETY: the mapping is read only, and the file behind it is never changed (invariant 2).
unsafe impl Send for Mapped {}
// SAFETY: as above.
unsafe impl Sync for Mapped {}

impl Mapped {
    fn new(file: &File, len: u64) -> Option<Mapped> {
        let args = [0, len, libc::PROT_READ as u64, libc::MAP_PRIVATE as u64, file.as_raw_fd() as u64, 0];
        let base = raw_syscall(libc::SYS_mmap, args).ok()?;
        Some(Mapped { base: base as *const u8, len: len as usize })
    }
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the mapping has this length and lives as long as self.
        unsafe { std::slice::from_raw_parts(self.base, self.len) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        let _ = raw_syscall(libc::SYS_munmap, [self.base as u64, self.len as u64, 0, 0, 0, 0]);
    }
}

/// What identifies this build of the emulator: the linker's build id, or else the file itself.
pub fn build_id() -> Option<String> {
    if let Some(id) = crate::sys::build_id::build_id() {
        return Some(id.iter().map(|b| format!("{b:02x}")).collect());
    }
    let meta = std::fs::metadata("/proc/self/exe").ok()?;
    Some(format!("{}-{}-{}.{}", meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
}

struct AtEnd {
    engine: Weak<Engine>,
    stats: bool,
}

static AT_END: OnceLock<AtEnd> = OnceLock::new();

/// Makes the engine write its new code at the end of the process.
pub fn save_at_end(engine: &Arc<Engine>, stats: bool) {
    let _ = AT_END.set(AtEnd { engine: Arc::downgrade(engine), stats });
    crate::process::exit::at_end(save);
}

fn save() {
    let Some(end) = AT_END.get() else { return };
    let Some(engine) = end.engine.upgrade() else { return };
    engine.save_cache();
    if end.stats {
        let (cache, all) = (engine.cache_counters(), engine.counters());
        eprintln!(
            "cache: {} regions taken in {} clusters, {} clusters refused, {} regions translated, {} offered",
            cache.regions, cache.clusters, cache.refused, all.regions, cache.saved
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chroot_into_a_directory_has_no_mount_at_root() {
        let root = "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n";
        let proc = "23 22 0:5 / /proc rw - proc proc rw\n";
        assert!(has_root(format!("{root}{proc}").as_bytes()));
        assert!(!has_root(proc.as_bytes()));
    }
}
