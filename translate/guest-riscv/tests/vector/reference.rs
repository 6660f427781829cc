//! The reference: `runner.c`, built by the cross compiler, under the `qemu-riscv64` that `OMNIRUN_RISCV_ORACLE` names.

use crate::state::{PAGE, State};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The running reference.
pub struct Reference {
    child: Child,
    vlenb: usize,
}

impl Reference {
    /// Starts it, if the environment asks for it.
    pub fn start(vlenb: usize) -> Option<Reference> {
        let qemu = std::env::var_os("OMNIRUN_RISCV_ORACLE")?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vector/runner.c");
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("vector-runner-{vlenb}"));
        let built = Command::new("riscv64-linux-gnu-gcc")
            .args(["-O2", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-Wl,-N", "-o"])
            .args([&program, &source])
            .stderr(Stdio::null())
            .status()
            .expect("riscv64-linux-gnu-gcc is installed (package gcc-riscv64-linux-gnu)");
        assert!(built.success(), "runner.c does not build");
        let child = Command::new(qemu)
            .args(["-cpu", &format!("max,vlen={}", 8 * vlenb)])
            .arg(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("OMNIRUN_RISCV_ORACLE runs");
        Some(Reference { child, vlenb })
    }

    /// The states after the instruction.
    pub fn run(&mut self, name: &str, word: u32, states: &[State]) -> Vec<State> {
        let memory = !states[0].window.is_empty();
        let mut out = Vec::new();
        for w in [word, states.len() as u32, u32::from(memory), self.vlenb as u32] {
            out.extend(w.to_le_bytes());
        }
        states.iter().for_each(|s| s.write(&mut out));
        let pipe = self.child.stdin.as_mut().expect("piped");
        pipe.write_all(&out).expect("the reference reads its input");
        pipe.flush().expect("flush");
        let size = 576 + 32 * self.vlenb + if memory { PAGE } else { 0 };
        let mut bytes = vec![0; size * states.len()];
        let answer = self.child.stdout.as_mut().expect("piped").read_exact(&mut bytes);
        assert!(answer.is_ok(), "the reference died of {name} {word:08x}");
        bytes.chunks_exact(size).map(|b| State::read(b, self.vlenb)).collect()
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
