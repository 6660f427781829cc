//! `-perfmap` and `-jitdump`: what `perf` needs to name translated code.
//!
//! Input: installed regions; output: `/tmp/perf-PID.map`, or `jit-PID.dump` in the working directory in the format of
//! the kernel's `tools/perf/Documentation/jitdump-specification.txt`.

use crate::log::move_high;
use std::fs::File;
use std::io::Write;
use std::os::fd::{FromRawFd, IntoRawFd};
use std::sync::Mutex;

/// Called for each region: host address, length, guest address.
pub type OnInstall = Box<dyn Fn(u64, usize, u64) + Send + Sync>;

fn open(name: &str) -> std::io::Result<File> {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(name)?;
    let fd = move_high(file.into_raw_fd());
    // SAFETY: a descriptor that we own.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Starts the asked-for files. The error is one line.
pub fn start(perfmap: bool, jitdump: bool) -> Result<Option<OnInstall>, String> {
    let pid = std::process::id();
    let fail = |name: &str, error: std::io::Error| format!("could not open '{name}': {error}");
    let map = if perfmap {
        let name = format!("/tmp/perf-{pid}.map");
        Some(Mutex::new(open(&name).map_err(|error| fail(&name, error))?))
    } else {
        None
    };
    let dump = if jitdump {
        let name = format!("jit-{pid}.dump");
        Some(Mutex::new(Dump::start(&name, pid).map_err(|error| fail(&name, error))?))
    } else {
        None
    };
    if map.is_none() && dump.is_none() {
        return Ok(None);
    }
    Ok(Some(Box::new(move |host, len, guest| {
        if let Some(map) = &map
            && let Ok(mut map) = map.lock()
        {
            // A full disk costs names, not the run.
            let _ = writeln!(map, "{host:x} {len:x} guest_{guest:#x}");
        }
        if let Some(dump) = &dump
            && let Ok(mut dump) = dump.lock()
        {
            let _ = dump.region(host, len, guest);
        }
    })))
}

struct Dump {
    file: File,
    pid: u32,
    index: u64,
}

const MAGIC: u32 = 0x4a69_5444;
const EM_X86_64: u32 = 62;

fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the argument is ours.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

impl Dump {
    fn start(name: &str, pid: u32) -> std::io::Result<Dump> {
        let mut file = open(name)?;
        let mut head = Vec::new();
        for word in [MAGIC, 1, 40, EM_X86_64, 0, pid] {
            head.extend_from_slice(&word.to_le_bytes());
        }
        head.extend_from_slice(&now().to_le_bytes());
        head.extend_from_slice(&0u64.to_le_bytes());
        file.write_all(&head)?;
        // perf finds the file by an executable mapping of it, which must stay.
        let fd = std::os::fd::AsRawFd::as_raw_fd(&file) as u64;
        let flags = libc::MAP_PRIVATE as u64;
        let prot = (libc::PROT_READ | libc::PROT_EXEC) as u64;
        let _ = crate::sys::raw_syscall(libc::SYS_mmap, [0, 4096, prot, flags, fd, 0]);
        Ok(Dump { file, pid, index: 0 })
    }

    fn region(&mut self, host: u64, len: usize, guest: u64) -> std::io::Result<()> {
        let name = format!("guest_{guest:#x}\0");
        let mut code = vec![0; len];
        crate::sys::uaccess::copy_from(&mut code, host);
        let total = 16 + 40 + name.len() + len;
        let mut record = Vec::with_capacity(total);
        record.extend_from_slice(&0u32.to_le_bytes());
        record.extend_from_slice(&(total as u32).to_le_bytes());
        record.extend_from_slice(&now().to_le_bytes());
        record.extend_from_slice(&self.pid.to_le_bytes());
        let tid = crate::sys::raw_syscall(libc::SYS_gettid, [0; 6]).unwrap_or(0) as u32;
        record.extend_from_slice(&tid.to_le_bytes());
        for word in [host, host, len as u64, self.index] {
            record.extend_from_slice(&word.to_le_bytes());
        }
        self.index += 1;
        record.extend_from_slice(name.as_bytes());
        record.extend_from_slice(&code);
        self.file.write_all(&record)
    }
}
