//! The reference: `runner.c`, built by the cross compiler, under the newest `qemu-riscv64` and `qemu-riscv32`.

use crate::state::{STATE_SIZE, State, WINDOW_SIZE};
use crate::suite::Suite;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// The running reference.
pub struct Reference {
    child: Child,
    fill: u32,
}

/// The newest reference emulator that `tests/setup.sh` unpacks, else the installed one.
fn emulator(xlen: u32) -> PathBuf {
    let name = format!("qemu-riscv{xlen}");
    if let Some(dir) = std::env::var_os("OMNIRUN_ORACLE_DIR") {
        return Path::new(&dir).join(name);
    }
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../build/trees");
    let trees = std::env::var_os("OMNIRUN_TREES").map_or(default, PathBuf::from);
    trees.join("reference/usr/bin").join(name)
}

impl Reference {
    /// Starts it with the suite's CPU. Fails, saying what to install, if a tool is missing.
    pub fn start(suite: &Suite) -> Reference {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/runner.c");
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
            "riscv-runner-{}-{}-{number}",
            suite.xlen,
            std::process::id()
        ));
        let abi =
            if suite.xlen == 32 { ["-march=rv32i", "-mabi=ilp32"] } else { ["-march=rv64i", "-mabi=lp64"] };
        let built = Command::new("riscv64-linux-gnu-gcc")
            .args(["-O2", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-Wl,--no-relax"])
            .args(abi)
            .arg("-o")
            .args([&program, &source])
            .status()
            .expect("riscv64-linux-gnu-gcc runs: install gcc-riscv64-linux-gnu and libc6-dev-riscv64-cross (`tests/setup.sh cross`)");
        assert!(built.success(), "runner.c builds");
        let qemu = emulator(suite.xlen);
        let child = Command::new(&qemu)
            .args(["-cpu", suite.cpu])
            .arg(&program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| {
                panic!(
                    "{}: {e}; the newest qemu-user is the oracle: run `tests/setup.sh reference`",
                    qemu.display()
                )
            });
        Reference { child, fill: suite.breakpoints() }
    }

    /// Sends a batch; [`Reference::receive`] must follow before the next but one.
    pub fn send(&mut self, code: &[u8], states: &[State]) {
        let memory = u32::from(states.first().is_some_and(|s| !s.window.is_empty()));
        let mut out = Vec::with_capacity(16 + code.len() + states.len() * (STATE_SIZE + WINDOW_SIZE));
        for w in [code.len() as u32, states.len() as u32, memory, self.fill] {
            out.extend(w.to_le_bytes());
        }
        out.extend(code);
        for s in states {
            s.write(&mut out);
        }
        let pipe = self.child.stdin.as_mut().expect("piped");
        pipe.write_all(&out).expect("the reference reads its input");
        pipe.flush().expect("flush");
    }

    /// The states after the code.
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
