//! The reference: `runner.c`, built by the cross compiler, under the newest `qemu-riscv64` and `qemu-riscv32`.

use crate::Suite;
use crate::state::{PAGE, State};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The running reference.
pub struct Reference {
    child: Child,
    vlenb: usize,
}

/// The newest reference emulator that `tests/setup.sh` unpacks.
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
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vector/runner.c");
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!(
            "vector-runner-{}-{}-{}",
            suite.xlen,
            suite.vlenb,
            std::process::id()
        ));
        let abi = if suite.xlen == 32 {
            ["-march=rv32gc", "-mabi=ilp32d"]
        } else {
            ["-march=rv64gc", "-mabi=lp64d"]
        };
        let built = Command::new("riscv64-linux-gnu-gcc")
            .args(["-O2", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-Wl,-N"])
            .args(abi)
            .arg("-o")
            .args([&program, &source])
            .stderr(Stdio::null())
            .status()
            .expect("riscv64-linux-gnu-gcc is installed (`tests/setup.sh cross`)");
        assert!(built.success(), "runner.c does not build");
        let qemu = emulator(suite.xlen);
        let child = Command::new(&qemu)
            .args(["-cpu", &suite.cpu()])
            .arg(&program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}; run `tests/setup.sh oracle`", qemu.display()));
        Reference { child, vlenb: suite.vlenb }
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
