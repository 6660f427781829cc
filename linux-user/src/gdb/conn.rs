//! The debugger's end of a socket. What `gdbstub` does not know is answered here, in front of it: a signal's
//! `siginfo_t`, the children of `fork` (see `children`), the news of an exec.

use super::children::{self, Verdict};
use super::state;
use gdbstub::conn::Connection;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};

/// The connection, as bytes for and from `gdbstub`.
pub struct Conn {
    /// The socket.
    pub file: File,
    out: Vec<u8>,
    /// The packet that is being received.
    packet: Vec<u8>,
    /// Received bytes that are for `gdbstub`.
    pub pending: VecDeque<u8>,
    /// Packets are not acknowledged any more.
    no_ack: bool,
    /// The thread that questions are about; zero: any.
    asked: i32,
    /// The child that packets are about until another process is chosen.
    child: Option<i32>,
    /// A child goes on with the debugger.
    pub handed_over: bool,
    /// The program that was executed, for the next stop.
    pub executed: Option<Vec<u8>>,
    /// What `gdbstub` answers is not for the debugger.
    muted: bool,
}

impl Conn {
    /// A new connection.
    pub fn new(file: File) -> Conn {
        Conn {
            file,
            out: Vec::new(),
            packet: Vec::new(),
            pending: VecDeque::new(),
            no_ack: false,
            asked: 0,
            child: None,
            handed_over: false,
            executed: None,
            muted: false,
        }
    }

    /// What brings a fresh `gdbstub` to where the one before was; its answers are dropped until [`Conn::unmute`].
    pub fn recall(&mut self, no_ack: bool, running: bool) {
        self.muted = true;
        self.pending.extend(framed(b"qSupported:multiprocess+", false));
        if no_ack {
            self.no_ack = true;
            self.pending.extend(framed(b"QStartNoAckMode", false));
        }
        if running {
            self.pending.extend(framed(b"vCont;c", false));
        }
    }

    /// From here on the debugger hears the answers.
    pub fn unmute(&mut self) {
        self.out.clear();
        self.muted = false;
    }

    /// Takes one byte from the debugger; whole packets are answered here or passed on.
    pub fn take(&mut self, byte: u8) -> io::Result<()> {
        if self.packet.is_empty() && byte != b'$' {
            self.pending.push_back(byte);
            return Ok(());
        }
        self.packet.push(byte);
        let len = self.packet.len();
        if len < 4 || self.packet[len - 3] != b'#' {
            return Ok(());
        }
        let packet = std::mem::take(&mut self.packet);
        let body = &packet[1..len - 3];
        if let Some(features) = body.strip_prefix(b"qSupported:") {
            let mut state = state();
            state.wants_forks = has(features, b"fork-events+");
            state.wants_execs = has(features, b"exec-events+");
        }
        if let Some(reply) = self.about_children(body) {
            if self.handed_over {
                return Ok(());
            }
            return self.file.write_all(&framed(&reply, !self.no_ack));
        }
        if let Some(thread) = body.strip_prefix(b"Hg") {
            self.asked = thread_number(thread);
        }
        if body == b"QStartNoAckMode" {
            self.no_ack = true;
            state().no_ack = true;
        }
        match body.strip_prefix(b"qXfer:siginfo:read::") {
            Some(range) => {
                let reply = siginfo(range, self.asked);
                self.file.write_all(&framed(&reply, !self.no_ack))
            }
            None => {
                self.pending.extend(packet);
                Ok(())
            }
        }
    }

    /// The answer to a packet that is about a child which waits for the debugger's choice.
    fn about_children(&mut self, body: &[u8]) -> Option<Vec<u8>> {
        let waiting: Vec<i32> = state().children.keys().copied().collect();
        if waiting.is_empty() {
            self.child = None;
            return None;
        }
        let ok = Some(b"OK".to_vec());
        let is_child = |pid: i32| waiting.contains(&pid);
        if let [b'H', which, thread @ ..] = body {
            let child = process_number(thread).filter(|pid| is_child(*pid));
            if *which == b'g' {
                self.child = child;
            }
            return child.and(ok);
        }
        if let Some(pid) = body.strip_prefix(b"D;").and_then(hex) {
            if is_child(pid) {
                self.child = None;
                children::decide(pid, Verdict::Free);
                return ok;
            }
            // The parent goes free: the child is what the debugger stays with. It hears of that before the child does.
            let _ = self.file.write_all(&framed(b"OK", !self.no_ack));
            children::decide(waiting[0], Verdict::Follow { no_ack: self.no_ack });
            self.handed_over = true;
            return Some(Vec::new());
        }
        if let Some(pid) = body.strip_prefix(b"vKill;").and_then(hex).filter(|pid| is_child(*pid)) {
            children::decide(pid, Verdict::Kill);
            return ok;
        }
        match body {
            [b'T', thread @ ..] => process_number(thread).filter(|pid| is_child(*pid)).and(ok),
            // Breakpoints: a child that goes free drops all of them.
            [b'z' | b'Z', ..] if self.child.is_some() => ok,
            _ => None,
        }
    }
}

fn has(features: &[u8], name: &[u8]) -> bool {
    features.split(|byte| *byte == b';').any(|feature| feature == name)
}

fn hex(text: &[u8]) -> Option<i32> {
    i32::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
}

/// The thread's number in `-1`, `0`, `TID` or `pPID.TID`; zero for any.
fn thread_number(text: &[u8]) -> i32 {
    let tid = text.rsplit(|byte| *byte == b'.').next().unwrap_or(b"");
    hex(tid.strip_prefix(b"p").unwrap_or(tid)).unwrap_or(0).max(0)
}

/// The process in `pPID.TID` or `pPID`.
fn process_number(text: &[u8]) -> Option<i32> {
    hex(text.strip_prefix(b"p")?.split(|byte| *byte == b'.').next()?)
}

/// A packet with its checksum.
fn framed(body: &[u8], ack: bool) -> Vec<u8> {
    let sum = body.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    let mut packet = if ack { b"+$".to_vec() } else { b"$".to_vec() };
    packet.extend_from_slice(body);
    packet.extend_from_slice(format!("#{sum:02x}").as_bytes());
    packet
}

/// The part `offset,length` of the last reported signal's `siginfo_t`.
fn siginfo(range: &[u8], tid: i32) -> Vec<u8> {
    let text = std::str::from_utf8(range).unwrap_or("");
    let number = |text: &str| usize::from_str_radix(text, 16).ok();
    let Some((offset, len)) = text.split_once(',').and_then(|(o, l)| number(o).zip(number(l))) else {
        return b"E01".to_vec();
    };
    let state = state();
    let mut threads = state.threads.iter().filter(|(id, _)| tid == 0 || **id == tid);
    let Some((_, thread)) = threads.find(|(_, thread)| !thread.siginfo.is_empty()) else {
        return b"E01".to_vec();
    };
    let info = &thread.siginfo;
    let part = &info[offset.min(info.len())..offset.saturating_add(len).min(info.len())];
    let mut reply = vec![if offset.saturating_add(len) < info.len() { b'm' } else { b'l' }];
    for &byte in part {
        if matches!(byte, b'#' | b'$' | b'}' | b'*') {
            reply.extend([b'}', byte ^ 0x20]);
        } else {
            reply.push(byte);
        }
    }
    reply
}

/// A stop as it goes out: a child's process number is its own, and an exec is named.
fn stop(body: &[u8], executed: Option<Vec<u8>>) -> Vec<u8> {
    let mut body = body.to_vec();
    if let Some(at) = body.windows(6).position(|part| part == b"fork:p") {
        let (head, rest) = body.split_at(at + 6);
        let dot = rest.iter().position(|byte| *byte == b'.').unwrap_or(0);
        let end = rest.iter().position(|byte| *byte == b';').unwrap_or(rest.len());
        let tid = rest.get(dot + 1..end).unwrap_or(b"").to_vec();
        body = [head, &tid, b".", &tid, &rest[end..]].concat();
    }
    if let Some(path) = executed {
        body.extend_from_slice(b"exec:");
        body.extend(path.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()));
        body.push(b';');
    }
    body
}

impl Connection for Conn {
    type Error = io::Error;

    fn write(&mut self, byte: u8) -> io::Result<()> {
        self.out.push(byte);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut out = std::mem::take(&mut self.out);
        if self.muted {
            return Ok(());
        }
        let start = out.iter().position(|&byte| byte == b'$').map_or(0, |at| at + 1);
        if out.len() > start + 3 {
            let body = &out[start..out.len() - 3];
            let changed = if body.starts_with(b"PacketSize=") {
                // The list of features gets what is answered here.
                Some([body, b";qXfer:siginfo:read+;exec-events+"].concat())
            } else if body.starts_with(b"T05thread:") {
                Some(stop(body, self.executed.take()))
            } else {
                None
            };
            if let Some(body) = changed {
                out.truncate(start - 1);
                out.extend(framed(&body, false));
            }
        }
        self.file.write_all(&out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_name_the_child_and_the_program() {
        assert_eq!(stop(b"T05thread:p12.13;fork:p12.1f;", None), b"T05thread:p12.13;fork:p1f.1f;");
        assert_eq!(stop(b"T05thread:p12.12;", Some(b"/a".to_vec())), b"T05thread:p12.12;exec:2f61;");
    }

    #[test]
    fn threads_are_read_in_both_forms() {
        assert_eq!((thread_number(b"p1f.a"), process_number(b"p1f.a")), (10, Some(31)));
        assert_eq!((thread_number(b"-1"), process_number(b"5")), (0, None));
        assert_eq!(process_number(b"p1f"), Some(31));
    }
}
