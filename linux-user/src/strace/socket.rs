//! Socket addresses and message headers.

use super::format::{Printer, quoted};
use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
use syscall_tables::{Ty, flags, layout, structs};

impl Printer {
    /// A socket address of `len` bytes.
    pub fn sockaddr(&mut self, addr: u64, len: usize) {
        let mut raw = vec![0; len.min(128)];
        if addr == 0 || len < 2 || self.mem.copy_in(addr, &mut raw).is_err() {
            return self.addr(addr);
        }
        let big = self.abi.info().big_endian;
        let family =
            if big { u16::from_be_bytes([raw[0], raw[1]]) } else { u16::from_le_bytes([raw[0], raw[1]]) };
        self.out.push_str("{sa_family=");
        self.flags(flags::AF, u64::from(family));
        let port = |raw: &[u8]| u16::from_be_bytes([raw[2], raw[3]]);
        match (i32::from(family), raw.len()) {
            (libc::AF_UNIX, 3..) => {
                self.out.push_str(", sun_path=");
                let path = &raw[2..];
                if path[0] == 0 {
                    self.out.push('@');
                    quoted(&mut self.out, &path[1..], false);
                } else {
                    let end = path.iter().position(|b| *b == 0).unwrap_or(path.len());
                    quoted(&mut self.out, &path[..end], false);
                }
            }
            (libc::AF_INET, 8..) => {
                let ip = Ipv4Addr::new(raw[4], raw[5], raw[6], raw[7]);
                let _ = write!(self.out, ", sin_port=htons({}), sin_addr=inet_addr(\"{ip}\")", port(&raw));
            }
            (libc::AF_INET6, 24..) => {
                let bytes: [u8; 16] = std::array::from_fn(|i| raw[8 + i]);
                let flow = u32::from_be_bytes([raw[4], raw[5], raw[6], raw[7]]);
                let _ = write!(
                    self.out,
                    ", sin6_port=htons({}), sin6_flowinfo=htonl({flow}), inet_pton(AF_INET6, \"{}\", &sin6_addr)",
                    port(&raw),
                    Ipv6Addr::from(bytes)
                );
                if raw.len() >= 28 {
                    let scope = syscall_tables::read_scalar(Ty::U32, &raw[24..28], self.abi);
                    let _ = write!(self.out, ", sin6_scope_id={scope}");
                }
            }
            (libc::AF_NETLINK, 12..) => {
                let pid = syscall_tables::read_scalar(Ty::U32, &raw[4..8], self.abi);
                let groups = syscall_tables::read_scalar(Ty::U32, &raw[8..12], self.abi);
                let _ = write!(self.out, ", nl_pid={pid}, nl_groups={groups:08x}");
            }
            (libc::AF_UNIX, _) | (libc::AF_UNSPEC, _) if raw.len() <= 2 => {}
            _ => {
                self.out.push_str(", sa_data=");
                quoted(&mut self.out, &raw[2..raw.len().min(16)], raw.len() > 16);
            }
        }
        self.out.push('}');
    }

    /// A message header; `ret` is the number of bytes moved, once known.
    pub fn msghdr(&mut self, addr: u64, ret: Option<u64>) {
        let places = layout(structs::MSGHDR, self.abi);
        let mut raw = vec![0; places.size];
        if self.mem.copy_in(addr, &mut raw).is_err() {
            return self.addr(addr);
        }
        let abi = self.abi;
        let get = |name: &str| places.field(name).map_or(0, |f| f.get(&raw, abi));
        self.out.push_str("{msg_name=");
        let name_len = get("msg_namelen") as u32 as usize;
        match get("msg_name") {
            0 => self.out.push_str("NULL"),
            name => self.sockaddr(name, name_len),
        }
        let _ = write!(self.out, ", msg_namelen={name_len}, msg_iov=");
        let count = get("msg_iovlen");
        self.iovec(get("msg_iov"), count as usize, ret.map_or(usize::MAX, |r| r as usize));
        let control = get("msg_controllen");
        let _ = write!(self.out, ", msg_iovlen={count}");
        if control > 0 {
            self.out.push_str(", msg_control=");
            self.control(get("msg_control"), control as usize);
        }
        let _ = write!(self.out, ", msg_controllen={control}, msg_flags=");
        self.flags(flags::MSG, get("msg_flags") & 0xffff_ffff);
        self.out.push('}');
    }

    fn control(&mut self, addr: u64, len: usize) {
        let places = layout(structs::CMSGHDR, self.abi);
        let word = self.abi.info().word;
        let mut raw = vec![0; len.min(4096)];
        if self.mem.copy_in(addr, &mut raw).is_err() {
            return self.addr(addr);
        }
        let (mut at, mut first) = (0, true);
        self.out.push('[');
        while at + places.size <= raw.len() {
            let head = &raw[at..];
            let get = |name: &str| places.field(name).map_or(0, |f| f.get(head, self.abi));
            let (size, level, kind) = (get("cmsg_len") as usize, get("cmsg_level"), get("cmsg_type"));
            if size < places.size || at + size > raw.len() {
                break;
            }
            let data = raw[at + places.size..at + size].to_vec();
            let _ = write!(self.out, "{}{{cmsg_len={size}, cmsg_level=", if first { "" } else { ", " });
            first = false;
            self.flags(flags::SOL, level);
            self.out.push_str(", cmsg_type=");
            if level as i32 == libc::SOL_SOCKET && kind as i32 == libc::SCM_RIGHTS {
                self.out.push_str("SCM_RIGHTS, cmsg_data=[");
                for (k, fd) in data.chunks_exact(4).enumerate() {
                    let fd = syscall_tables::read_scalar(Ty::I32, fd, self.abi) as i64;
                    let _ = write!(self.out, "{}{fd}", if k == 0 { "" } else { ", " });
                }
                self.out.push_str("]}");
            } else {
                let _ = write!(self.out, "{kind:#x}, cmsg_data=");
                quoted(&mut self.out, &data[..data.len().min(32)], data.len() > 32);
                self.out.push('}');
            }
            at += size.next_multiple_of(word);
        }
        self.out.push(']');
    }
}
