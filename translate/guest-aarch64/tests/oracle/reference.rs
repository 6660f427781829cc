//! The reference: `runner.c`, built by the cross compiler, under the distribution's `qemu-aarch64`.

use crate::state::{STATE_SIZE, State, WINDOW_SIZE};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The running reference.
pub struct Reference {
    child: Child,
}

fn missing(what: &str) -> Option<Reference> {
    eprintln!("skipped: {what} is not installed (`make test` installs it)");
    None
}

impl Reference {
    /// Starts it; `None`, with a line that says so, if the tools are not installed.
    pub fn start(name: &str) -> Option<Reference> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/runner.c");
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("oracle-runner-{name}"));
        let built = Command::new("aarch64-linux-gnu-gcc")
            .args(["-O2", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-Wl,-N", "-o"])
            .args([&program, &source])
            .stderr(Stdio::null())
            .status();
        match built {
            Err(_) => return missing("aarch64-linux-gnu-gcc"),
            Ok(s) => assert!(s.success(), "runner.c does not build"),
        }
        let qemu = std::env::var_os("OMNIRUN_ORACLE").unwrap_or_else(|| "qemu-aarch64".into());
        match Command::new(qemu)
            .args(["-cpu", "max"])
            .arg(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
        {
            Ok(child) => Some(Reference { child }),
            Err(_) => missing("qemu-aarch64"),
        }
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
