//! How values look: by the type that the tables give them.

use crate::guest_mem::GuestMem;
use std::fmt::Write;
use syscall_tables::{
    Arch, ArgTy, Count, Dir, FlagSet, FlagSetId, MemArg, MemTy, Show, StructId, Ty, element, layout,
    read_scalar, signal_name,
};

/// Longest string or buffer that is shown.
const MAX_TEXT: usize = 32;
/// Most elements of an array that are shown.
const MAX_ITEMS: usize = 32;

/// The line being written, and where its values come from.
pub struct Printer {
    /// The text so far.
    pub out: String,
    /// The guest's memory.
    pub mem: GuestMem,
    /// The guest's ABI.
    pub abi: Arch,
    /// The call failed: what it should have written is shown as an address.
    pub failed: bool,
}

/// Flags by name, `A|B|0x40`; an enumeration's value by name.
pub fn flags(out: &mut String, set: &FlagSet, arch: Arch, value: u64) {
    if set.is_enum {
        match set.flags.iter().find(|f| f.on(arch) == value || f.on(arch) == value as i32 as i64 as u64) {
            Some(f) => out.push_str(f.name),
            None => {
                let _ = write!(out, "{value:#x}");
            }
        }
        return;
    }
    let mut rest = value;
    let mut first = true;
    let mut seen = 0u64;
    for f in set.flags {
        let (v, m) = (f.on(arch), f.mask_on(arch));
        // A value of zero in a masked field is named too (O_RDONLY), once.
        if m == 0 || seen & m != 0 || value & m != v || (v != 0 && rest & v != v) {
            continue;
        }
        if !first {
            out.push('|');
        }
        first = false;
        out.push_str(f.name);
        rest &= !m;
        seen |= m;
    }
    if rest != 0 || first {
        if !first {
            out.push('|');
        }
        if rest == 0 {
            out.push('0');
        } else {
            let _ = write!(out, "{rest:#x}");
        }
    }
}

/// A quoted string, with escapes as in C.
pub fn quoted(out: &mut String, bytes: &[u8], more: bool) {
    out.push('"');
    for (i, &b) in bytes.iter().enumerate() {
        match b {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            b'\r' => out.push_str("\\r"),
            0x0b => out.push_str("\\v"),
            0x0c => out.push_str("\\f"),
            0x20..=0x7e => out.push(b as char),
            _ => {
                // Short octal unless a digit follows.
                let digit = bytes.get(i + 1).is_some_and(u8::is_ascii_digit);
                let _ = if digit { write!(out, "\\{b:03o}") } else { write!(out, "\\{b:o}") };
            }
        }
    }
    out.push('"');
    if more {
        out.push_str("...");
    }
}

/// `S_IFREG|0644`.
pub fn mode(out: &mut String, value: u64) {
    let kind = match value & 0o170000 {
        0o140000 => "S_IFSOCK|",
        0o120000 => "S_IFLNK|",
        0o100000 => "S_IFREG|",
        0o060000 => "S_IFBLK|",
        0o040000 => "S_IFDIR|",
        0o020000 => "S_IFCHR|",
        0o010000 => "S_IFIFO|",
        _ => "",
    };
    let _ = write!(out, "{kind}0{:o}", value & 0o7777);
}

impl Printer {
    /// An address.
    pub fn addr(&mut self, v: u64) {
        if v == 0 {
            self.out.push_str("NULL");
        } else {
            let _ = write!(self.out, "{v:#x}");
        }
    }

    /// A zero-ended string.
    pub fn string(&mut self, addr: u64, max: usize) {
        if addr == 0 {
            return self.out.push_str("NULL");
        }
        let mut raw = vec![0; max + 1];
        let n = self.mem.copy_in_partial(addr, &mut raw);
        let text = &raw[..n];
        match text.iter().position(|b| *b == 0) {
            Some(end) => quoted(&mut self.out, &text[..end], false),
            None if n == 0 => self.addr(addr),
            None => quoted(&mut self.out, &text[..n.min(max)], true),
        }
    }

    /// The first bytes of a buffer.
    pub fn bytes(&mut self, addr: u64, len: usize) {
        if addr == 0 {
            return self.out.push_str("NULL");
        }
        let mut raw = vec![0; len.min(MAX_TEXT)];
        if self.mem.copy_in(addr, &mut raw).is_err() {
            return self.addr(addr);
        }
        quoted(&mut self.out, &raw, len > MAX_TEXT);
    }

    /// A set of flags.
    pub fn flags(&mut self, set: FlagSetId, value: u64) {
        flags(&mut self.out, set.get(), self.abi, value);
    }

    /// A signal by name.
    pub fn signal(&mut self, v: u64) {
        match signal_name(v & 0xffff_ffff) {
            Some(n) => self.out.push_str(&n),
            None => {
                let _ = write!(self.out, "{}", v as i32);
            }
        }
    }

    /// `[INT TERM]`, or `~[...]` if most are in it.
    pub fn sigset(&mut self, set: u64) {
        let mut members: Vec<u64> = (1..=64).filter(|s| set >> (s - 1) & 1 != 0).collect();
        if members.len() > 32 {
            self.out.push('~');
            members = (1..=64).filter(|s| set >> (s - 1) & 1 == 0).collect();
        }
        self.out.push('[');
        for (i, s) in members.iter().enumerate() {
            if i > 0 {
                self.out.push(' ');
            }
            let name = signal_name(*s).unwrap_or_default();
            self.out.push_str(name.strip_prefix("SIG").unwrap_or(&name));
        }
        self.out.push(']');
    }

    /// A number in memory.
    pub fn load(&self, ty: Ty, addr: u64) -> Option<u64> {
        let mut raw = [0; 8];
        let n = element(ty, self.abi).0.min(8);
        self.mem.copy_in(addr, &mut raw[..n]).ok()?;
        Some(read_scalar(ty, &raw[..n], self.abi))
    }

    fn scalar(&mut self, ty: Ty, show: Show, v: u64) {
        match show {
            Show::Flags(set) => self.flags(set, if set.get().is_enum { v } else { mask_to(ty, self.abi, v) }),
            Show::Mode => mode(&mut self.out, v),
            Show::Dev => {
                let (major, minor) = (libc::major(v), libc::minor(v));
                let _ = write!(self.out, "makedev({major:#x}, {minor:#x})");
            }
            Show::Hex if v == 0 && ty == Ty::Ptr => self.out.push_str("NULL"),
            Show::Hex => {
                let v = mask_to(ty, self.abi, v);
                let _ = if v == 0 { write!(self.out, "0") } else { write!(self.out, "{v:#x}") };
            }
            Show::Plain | Show::Text | Show::Hidden => {
                let signed = matches!(ty, Ty::I8 | Ty::I16 | Ty::I32 | Ty::I64 | Ty::Long);
                let _ = if signed { write!(self.out, "{}", v as i64) } else { write!(self.out, "{v}") };
            }
        }
    }

    /// A structure's bytes as `{field=value, ...}`.
    pub fn structure(&mut self, id: StructId, raw: &[u8]) {
        self.out.push('{');
        let (mut first, mut more) = (true, false);
        for f in &layout(id, self.abi).fields {
            if f.field.show == Show::Hidden {
                more |= !f.field.name.starts_with('_');
                continue;
            }
            if !first {
                self.out.push_str(", ");
            }
            first = false;
            self.out.push_str(f.field.name);
            self.out.push('=');
            let n = f.field.count.max(1) as usize;
            let bytes = &raw[f.offset..f.offset + n * f.size];
            if f.field.is_text {
                let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
                quoted(&mut self.out, &bytes[..end], false);
                continue;
            }
            if f.field.count > 0 {
                self.out.push('[');
            }
            for k in 0..n {
                if k > 0 {
                    self.out.push_str(", ");
                }
                let one = &bytes[k * f.size..][..f.size];
                match f.field.ty {
                    Ty::Struct(inner) => self.structure(inner, one),
                    ty => self.scalar(ty, f.field.show, read_scalar(ty, one, self.abi)),
                }
            }
            if f.field.count > 0 {
                self.out.push(']');
            }
        }
        if more {
            self.out.push_str(", ...");
        }
        self.out.push('}');
    }

    /// An element in memory.
    pub fn element(&mut self, ty: Ty, addr: u64) {
        let mut raw = vec![0; element(ty, self.abi).0];
        if self.mem.copy_in(addr, &mut raw).is_err() {
            return self.addr(addr);
        }
        match ty {
            Ty::Struct(id) => self.structure(id, &raw),
            ty => self.scalar(ty, Show::Plain, read_scalar(ty, &raw, self.abi)),
        }
    }

    fn array(&mut self, ty: Ty, addr: u64, count: usize) {
        let size = element(ty, self.abi).0 as u64;
        self.out.push('[');
        for k in 0..count.min(MAX_ITEMS) {
            if k > 0 {
                self.out.push_str(", ");
            }
            self.element(ty, addr.wrapping_add(k as u64 * size));
        }
        if count > MAX_ITEMS {
            self.out.push_str(", ...");
        }
        self.out.push(']');
    }

    /// A zero-ended vector of strings.
    fn strings(&mut self, addr: u64) {
        let word = self.abi.info().word as u64;
        self.out.push('[');
        for k in 0..MAX_ITEMS as u64 {
            match self.load(Ty::Ptr, addr.wrapping_add(k * word)) {
                None | Some(0) => break,
                Some(s) => {
                    if k > 0 {
                        self.out.push_str(", ");
                    }
                    self.string(s, MAX_TEXT);
                }
            }
        }
        self.out.push(']');
    }

    fn fdset(&mut self, addr: u64, nfds: usize) {
        let mut raw = vec![0; nfds.min(1024).div_ceil(64) * 8];
        if self.mem.copy_in(addr, &mut raw).is_err() {
            return self.addr(addr);
        }
        self.out.push('[');
        let mut first = true;
        for fd in (0..nfds.min(1024)).filter(|fd| raw[fd / 8] >> (fd % 8) & 1 != 0) {
            let _ = write!(self.out, "{}{fd}", if first { "" } else { " " });
            first = false;
        }
        self.out.push(']');
    }

    /// Buffers of a vector, with at most `total` bytes in all.
    pub fn iovec(&mut self, addr: u64, count: usize, mut total: usize) {
        let word = self.abi.info().word as u64;
        self.out.push('[');
        for k in 0..count.min(MAX_ITEMS) as u64 {
            if k > 0 {
                self.out.push_str(", ");
            }
            let base = self.load(Ty::Ptr, addr.wrapping_add(k * 2 * word));
            let len = self.load(Ty::ULong, addr.wrapping_add((k * 2 + 1) * word));
            let (Some(base), Some(len)) = (base, len) else {
                self.out.push_str("...");
                break;
            };
            self.out.push_str("{iov_base=");
            let shown = (len as usize).min(total);
            total -= shown;
            self.bytes(base, shown);
            let _ = write!(self.out, ", iov_len={len}}}");
        }
        self.out.push(']');
    }

    fn count(&self, count: Count, a: &[u64; 6], before: usize, ret: Option<u64>) -> usize {
        match count {
            Count::Same => before,
            Count::Lit(n) => n as usize,
            Count::Arg(i) => a[i as usize] as usize,
            Count::Ret => ret.unwrap_or(0) as usize,
            Count::Deref(i) => self.load(Ty::U32, a[i as usize]).unwrap_or(0) as usize,
        }
    }

    fn memory(&mut self, m: MemArg, a: &[u64; 6], i: usize, ret: Option<u64>) {
        let addr = a[i];
        if addr == 0 || (self.failed && m.dir == Dir::Out) {
            return self.addr(addr);
        }
        let mut n = self.count(m.count, a, 1, ret);
        if ret.is_some() && m.dir != Dir::In {
            n = self.count(m.actual, a, n, ret).min(n);
        }
        match m.ty {
            MemTy::Bytes => self.bytes(addr, n),
            MemTy::Elem(ty) => match (m.count, ty) {
                (Count::Lit(1), Ty::Struct(_)) => self.element(ty, addr),
                (Count::Lit(1), _) => {
                    self.out.push('[');
                    self.element(ty, addr);
                    self.out.push(']');
                }
                _ => self.array(ty, addr, n),
            },
            MemTy::Sigset => match self.load(Ty::U64, addr) {
                Some(set) => self.sigset(set),
                None => self.addr(addr),
            },
            MemTy::Sockaddr => self.sockaddr(addr, n),
            MemTy::FdSet => self.fdset(addr, n),
            MemTy::Iovec(_) => self.iovec(addr, n, usize::MAX),
            MemTy::Msghdr(_) => self.msghdr(addr, ret),
            MemTy::Strings => self.strings(addr),
        }
    }

    /// One argument.
    pub fn argument(&mut self, ty: ArgTy, a: &[u64; 6], i: usize, ret: Option<u64>) {
        let v = a[i];
        match ty {
            ArgTy::Dirfd if v as i32 == libc::AT_FDCWD => self.out.push_str("AT_FDCWD"),
            ArgTy::Fd | ArgTy::Dirfd | ArgTy::Int | ArgTy::Pid => {
                let _ = write!(self.out, "{}", v as i32);
            }
            ArgTy::Uid => {
                let _ = write!(self.out, "{}", v as i32);
            }
            ArgTy::Uint => {
                let _ = write!(self.out, "{}", v as u32);
            }
            ArgTy::Long | ArgTy::Off | ArgTy::Loff => {
                let _ = write!(self.out, "{}", v as i64);
            }
            ArgTy::Ulong | ArgTy::Size | ArgTy::U64 | ArgTy::Lo | ArgTy::Hi => {
                let _ = write!(self.out, "{v}");
            }
            ArgTy::Mode => {
                let _ = write!(self.out, "0{:o}", v & 0o177777);
            }
            ArgTy::Dev => self.scalar(Ty::ULong, Show::Dev, v),
            ArgTy::Sig => self.signal(v),
            ArgTy::Addr => self.addr(v),
            ArgTy::Hex | ArgTy::Fcntl => {
                let _ = if v == 0 { write!(self.out, "0") } else { write!(self.out, "{v:#x}") };
            }
            ArgTy::Path | ArgTy::Rpath => self.string(v, 4095),
            ArgTy::Str => self.string(v, 255),
            ArgTy::Ioctl => self.ioctl(v & 0xffff_ffff),
            // Sets of 64 bits are only those of clone3, which are in a structure.
            ArgTy::Flags(set) => {
                self.flags(set, if set.get().is_enum { v as i32 as i64 as u64 } else { v & 0xffff_ffff })
            }
            ArgTy::Mem(m) => self.memory(m, a, i, ret),
        }
    }
}

fn mask_to(ty: Ty, abi: Arch, v: u64) -> u64 {
    match element(ty, abi).0 {
        8.. => v,
        n => v & ((1 << (8 * n)) - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syscall_tables::{CallId, flags as sets};

    fn shown(set: FlagSetId, arch: Arch, v: u64) -> String {
        let mut out = String::new();
        flags(&mut out, set.get(), arch, v);
        out
    }

    #[test]
    fn flags_are_named_and_rest_is_hexadecimal() {
        let a = Arch::Aarch64;
        assert_eq!(shown(sets::OPEN, a, 0), "O_RDONLY");
        assert_eq!(shown(sets::OPEN, a, 0o2000000 | 0o40000), "O_RDONLY|O_DIRECTORY|O_CLOEXEC");
        assert_eq!(shown(sets::OPEN, Arch::X86_64, 0o2000000 | 0o40000), "O_RDONLY|O_DIRECT|O_CLOEXEC");
        assert_eq!(shown(sets::OPEN, a, 0o1102), "O_RDWR|O_CREAT|O_TRUNC");
        assert_eq!(shown(sets::PROT, a, 0), "PROT_NONE");
        assert_eq!(shown(sets::PROT, a, 3), "PROT_READ|PROT_WRITE");
        assert_eq!(shown(sets::MAP, a, 0x22), "MAP_PRIVATE|MAP_ANONYMOUS");
        assert_eq!(shown(sets::ACCESS, a, 0), "F_OK");
        assert_eq!(shown(sets::MSG, a, 0), "0");
        assert_eq!(shown(sets::SOCKTYPE, a, 0o2000001), "SOCK_STREAM|SOCK_CLOEXEC");
        assert_eq!(shown(sets::FUTEX, a, 0x80), "FUTEX_WAIT_PRIVATE");
        assert_eq!(shown(sets::RLIMIT, a, 7), "RLIMIT_NOFILE");
        assert_eq!(shown(sets::RUSAGE_WHO, a, -1i64 as u64), "RUSAGE_CHILDREN");
    }

    #[test]
    fn strings_are_quoted_as_in_c() {
        let mut out = String::new();
        quoted(&mut out, b"a\"\n\x001\x02", true);
        assert_eq!(out, "\"a\\\"\\n\\0001\\2\"...");
    }

    #[test]
    fn arguments_read_like_straces() {
        let path = c"/etc/passwd";
        let mut p =
            Printer { out: String::new(), mem: GuestMem::new(0, 1 << 47), abi: Arch::Aarch64, failed: false };
        let a = [-100i64 as u64, path.as_ptr() as u64, 0o2000000, 0, 0, 0];
        for (i, arg) in CallId::Openat.desc().args.iter().enumerate().take(3) {
            p.argument(arg.ty, &a, i, None);
            p.out.push(' ');
        }
        assert_eq!(p.out, "AT_FDCWD \"/etc/passwd\" O_RDONLY|O_CLOEXEC ");
        p.out.clear();
        let fds = [3i32, 4];
        p.argument(CallId::Pipe2.desc().args[0].ty, &[fds.as_ptr() as u64, 0, 0, 0, 0, 0], 0, Some(0));
        assert_eq!(p.out, "[3, 4]");
    }
}
