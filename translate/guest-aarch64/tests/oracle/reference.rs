//! The reference: `runner.c`, built by the cross compiler, under the distribution's `qemu-aarch64`.

use crate::state::{PC, STATE_SIZE, State, WINDOW_SIZE};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The running reference.
pub struct Reference {
    child: Child,
}

/// The distribution's emulator, by its full name: ours may stand first in PATH.
const INSTALLED: &str = "/usr/bin/qemu-aarch64";

impl Reference {
    /// Builds the runner and starts it. Without the tools this fails: a comparison with nothing proves nothing.
    pub fn start(name: &str) -> Reference {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/runner.c");
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("oracle-runner-{name}"));
        // The patched code and the window lie near each other, so that PC-relative accesses reach it. Code and data have
        // pages of their own: the reference translates a page again when it is written.
        let layout = format!("-Wl,-Ttext={:#x},--section-start=.patch={:#x}", PC + 0x1_0000, PC & !0xfff);
        let built = Command::new("aarch64-linux-gnu-gcc")
            .args(["-O2", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", &layout, "-o"])
            .args([&program, &source])
            .output();
        match built {
            Err(e) => panic!("aarch64-linux-gnu-gcc: {e}: install the package gcc-aarch64-linux-gnu"),
            Ok(o) => {
                assert!(
                    o.status.success(),
                    "runner.c does not build: {}",
                    String::from_utf8_lossy(&o.stderr)
                );
            }
        }
        let qemu = std::env::var_os("OMNIRUN_ORACLE").unwrap_or_else(|| INSTALLED.into());
        let child = Command::new(&qemu)
            .args(["-cpu", "max"])
            .arg(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}: install the package qemu-user", qemu.display()));
        Reference { child }
    }

    /// Sends a batch; [`Reference::receive`] must follow before the next but one.
    pub fn send(&mut self, code: &[u32], states: &[State]) {
        let memory = u32::from(states.first().is_some_and(|s| !s.window.is_empty()));
        let mut out = Vec::with_capacity(16 + states.len() * (STATE_SIZE + WINDOW_SIZE));
        for w in [code.len() as u32, states.len() as u32, memory, 0].iter().chain(code) {
            out.extend(w.to_le_bytes());
        }
        for s in states {
            s.write(&mut out);
        }
        let pipe = self.child.stdin.as_mut().expect("piped");
        pipe.write_all(&out).expect("the reference reads its input");
        pipe.flush().expect("flush");
    }

    /// The states after the instruction.
    pub fn receive(&mut self, states: &[State]) -> Vec<State> {
        let size = STATE_SIZE + states.first().map_or(0, |s| s.window.len());
        let mut bytes = vec![0; size * states.len()];
        self.child.stdout.as_mut().expect("piped").read_exact(&mut bytes).expect("the reference answers");
        bytes.chunks_exact(size).map(State::read).collect()
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
