//! The guest's files for the debugger: it reads the program, its libraries and `/proc/PID/maps` through the connection.
//!
//! Read-only. Names are the guest's (`-L` applies); `/proc/PID` of the process is `/proc/self`.

use super::target::{Debuggee, OpenFile};
use crate::proc_view;
use gdbstub::target::ext::host_io::{
    FsKind, HostIo, HostIoClose, HostIoCloseOps, HostIoErrno, HostIoError, HostIoFstat, HostIoFstatOps,
    HostIoOpen, HostIoOpenFlags, HostIoOpenMode, HostIoOpenOps, HostIoPread, HostIoPreadOps, HostIoReadlink,
    HostIoReadlinkOps, HostIoResult, HostIoSetfs, HostIoSetfsOps, HostIoStat,
};
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

fn no_file() -> HostIoError<&'static str> {
    HostIoError::Errno(HostIoErrno::EBADF)
}

impl Debuggee {
    fn host_name(&self, name: &[u8]) -> PathBuf {
        let number = format!("/proc/{}/", self.process.pid());
        let own = name.strip_prefix(number.as_bytes()).map(|rest| [b"/proc/self/", rest].concat());
        let name = own.as_deref().unwrap_or(name);
        let guest = CString::new(name).unwrap_or_default();
        let host = crate::paths::host_path(self.sysroot.as_deref(), &guest, true);
        Path::new(OsStr::from_bytes(host.to_bytes())).to_path_buf()
    }

    fn file(&self, fd: u32) -> Result<&OpenFile, HostIoError<&'static str>> {
        self.files.get(fd as usize).and_then(Option::as_ref).ok_or_else(no_file)
    }
}

impl HostIo for Debuggee {
    fn support_open(&mut self) -> Option<HostIoOpenOps<'_, Self>> {
        Some(self)
    }

    fn support_close(&mut self) -> Option<HostIoCloseOps<'_, Self>> {
        Some(self)
    }

    fn support_pread(&mut self) -> Option<HostIoPreadOps<'_, Self>> {
        Some(self)
    }

    fn support_fstat(&mut self) -> Option<HostIoFstatOps<'_, Self>> {
        Some(self)
    }

    fn support_readlink(&mut self) -> Option<HostIoReadlinkOps<'_, Self>> {
        Some(self)
    }

    fn support_setfs(&mut self) -> Option<HostIoSetfsOps<'_, Self>> {
        Some(self)
    }
}

impl HostIoOpen for Debuggee {
    fn open(
        &mut self,
        name: &[u8],
        flags: HostIoOpenFlags,
        _mode: HostIoOpenMode,
    ) -> HostIoResult<u32, Self> {
        if flags.intersects(HostIoOpenFlags::O_WRONLY | HostIoOpenFlags::O_RDWR | HostIoOpenFlags::O_CREAT) {
            return Err(HostIoError::Errno(HostIoErrno::EROFS));
        }
        let path = self.host_name(name);
        let last = path.file_name().map(|name| name.as_bytes().to_vec()).unwrap_or_default();
        let opened = match (path.starts_with("/proc/self"), last.as_slice()) {
            (true, b"maps") => OpenFile::Content(proc_view::maps(&self.mm)),
            (true, b"smaps") => OpenFile::Content(proc_view::smaps(&self.mm)),
            (true, b"exe") => OpenFile::File(File::open(&self.process.exec.exe)?),
            // The length of such files is not known before they are read.
            (true, _) => OpenFile::Content(std::fs::read(&path)?),
            (false, _) => OpenFile::File(File::open(&path)?),
        };
        let free = self.files.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            self.files.push(None);
            self.files.len() - 1
        });
        self.files[index] = Some(opened);
        Ok(index as u32)
    }
}

impl HostIoClose for Debuggee {
    fn close(&mut self, fd: u32) -> HostIoResult<(), Self> {
        self.file(fd)?;
        self.files[fd as usize] = None;
        Ok(())
    }
}

impl HostIoPread for Debuggee {
    fn pread(&mut self, fd: u32, count: usize, offset: u64, buf: &mut [u8]) -> HostIoResult<usize, Self> {
        let count = count.min(buf.len());
        match self.file(fd)? {
            OpenFile::File(file) => Ok(file.read_at(&mut buf[..count], offset)?),
            OpenFile::Content(bytes) => Ok(super::target::copy_part(bytes, offset, count, buf)),
        }
    }
}

impl HostIoFstat for Debuggee {
    fn fstat(&mut self, fd: u32) -> HostIoResult<HostIoStat, Self> {
        let meta = match self.file(fd)? {
            OpenFile::File(file) => file.metadata()?,
            OpenFile::Content(_) => std::fs::metadata("/proc/self/maps")?,
        };
        Ok(HostIoStat {
            st_dev: meta.dev() as u32,
            st_ino: meta.ino() as u32,
            st_mode: HostIoOpenMode::from_bits_truncate(meta.mode()),
            st_nlink: meta.nlink() as u32,
            st_uid: meta.uid(),
            st_gid: meta.gid(),
            st_rdev: meta.rdev() as u32,
            st_size: meta.size(),
            st_blksize: meta.blksize(),
            st_blocks: meta.blocks(),
            st_atime: meta.atime() as u32,
            st_mtime: meta.mtime() as u32,
            st_ctime: meta.ctime() as u32,
        })
    }
}

impl HostIoReadlink for Debuggee {
    fn readlink(&mut self, name: &[u8], buf: &mut [u8]) -> HostIoResult<usize, Self> {
        let target = if self.host_name(name) == Path::new("/proc/self/exe") {
            self.process.exec.exe.clone()
        } else {
            std::fs::read_link(self.host_name(name))?
        };
        Ok(super::target::copy_part(target.as_os_str().as_bytes(), 0, buf.len(), buf))
    }
}

impl HostIoSetfs for Debuggee {
    fn setfs(&mut self, _fs: FsKind) -> HostIoResult<(), Self> {
        // There is one view of the files.
        Ok(())
    }
}
