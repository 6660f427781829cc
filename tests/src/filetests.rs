//! Filetests: small texts under `translate/filetests/` that pin what each stage makes of guest code.
//!
//! A file is `; stage: translate|opt|emit LEVEL [hot]` lines, perhaps `; guest: NAME` (aarch64 if not), `; mode: NUMBER` (the
//! mode bits in hexadecimal, 0 if not), the guest words in hexadecimal
//! (one a line, of eight digits or four; `;` starts a comment), then a line `---` before the expected output of each stage. `BLESS=1` rewrites the expectations; the difference is reviewed like
//! code. `emit` shows the host code of each guest instruction and sums host instructions per guest instruction.

use guest_aarch64::Aarch64;
use guest_aarch64::cpu::Cpu;
use host_x86_64::X86_64;
use host_x86_64::asm::{Features, Level};
use ir::{BackEnd, BlockRequest, Builder, CompileCx, Guest, Inst, Plan, Region};
use std::fmt::Write as _;

/// Where guest code lies in filetests.
pub const PC: u64 = 0x1_0000;

/// One parsed file.
#[derive(Debug, Default)]
pub struct FileTest {
    /// The guest's name, empty for the first of all.
    pub guest: String,
    /// Mode bits that the code is translated under.
    pub mode: u64,
    /// Stages asked for, in order.
    pub stages: Vec<String>,
    /// Guest code.
    pub code: Vec<u8>,
    /// Everything before the first `---`, kept when blessing.
    pub head: String,
    /// Expected output, one text per stage.
    pub expected: Vec<String>,
}

/// Parses a file; an error names the line.
pub fn parse(text: &str) -> Result<FileTest, String> {
    let mut t = FileTest::default();
    let mut sections = text.split("\n---\n");
    t.head = sections.next().unwrap_or("").to_owned();
    for (n, line) in t.head.lines().enumerate() {
        if let Some(stage) = line.strip_prefix("; stage: ") {
            t.stages.push(stage.trim().to_owned());
            continue;
        }
        if let Some(guest) = line.strip_prefix("; guest: ") {
            t.guest = guest.trim().to_owned();
            continue;
        }
        if let Some(mode) = line.strip_prefix("; mode: 0x") {
            t.mode = u64::from_str_radix(mode.trim(), 16).map_err(|e| format!("line {}: {e}", n + 1))?;
            continue;
        }
        let word = line.split(';').next().unwrap_or("").trim();
        if word.is_empty() {
            continue;
        }
        let w = u32::from_str_radix(word, 16).map_err(|e| format!("line {}: {e}", n + 1))?;
        let bytes = if word.len() > 4 { 4 } else { 2 };
        t.code.extend(&w.to_le_bytes()[..bytes]);
    }
    t.expected = sections.map(|s| s.trim_end().to_owned()).collect();
    Ok(t)
}

/// Translates the code of a file into a region of one block.
pub fn translate(guest: &dyn Guest, code: &[u8], mode: u64) -> Region {
    let mut b = Builder::new(mode);
    let max_insns = code.len() >> guest.insn_align_log2();
    let req = BlockRequest { pc: PC, code, mode, max_insns, tagged: false, attributes: 0 };
    guest.translate_block(&req, &mut b);
    b.finish()
}

struct Cx<'a>(&'a dyn Guest, Vec<Inst>, Plan);

impl CompileCx for Cx<'_> {
    fn guest(&self) -> &dyn Guest {
        self.0
    }
    fn descriptor(&mut self, inst: &Inst) -> u32 {
        self.1.push(*inst);
        self.1.len() as u32 - 1
    }
    fn mode_key(&self) -> u64 {
        0
    }
    fn no_chain(&self) -> bool {
        false
    }
    fn plan(&self) -> Plan {
        self.2
    }
}

/// The guest of this name, with its default CPU.
fn guest_named(name: &str) -> Result<Box<dyn Guest>, String> {
    let riscv = |xlen| Box::new(guest_riscv::Riscv::new(guest_riscv::cpu::Cpu::default_for(xlen)));
    Ok(match name {
        "" | "aarch64" => Box::new(Aarch64::new(Cpu::default())),
        "riscv64" => riscv(64),
        "riscv32" => riscv(32),
        other => return Err(format!("unknown guest {other}")),
    })
}

/// The output of one stage.
pub fn run_stage(stage: &str, test: &FileTest) -> Result<String, String> {
    let guest = &*guest_named(&test.guest)?;
    let code = &test.code;
    let mut region = translate(guest, code, test.mode);
    let mut words = stage.split_whitespace();
    match words.next() {
        Some("translate") => Ok(ir::text::print(&region, guest)),
        Some("opt") => {
            opt::run(&mut region, guest);
            Ok(ir::text::print(&region, guest))
        }
        Some("emit") => {
            let level = match words.next() {
                Some("sse4") => Level::Sse,
                Some("avx2") => Level::Avx2,
                Some("avx512") => Level::Avx512,
                other => return Err(format!("unknown host level {other:?}")),
            };
            let plan = match words.next() {
                None => Plan::default(),
                Some("hot") => Plan { count: None, hot: true },
                Some(other) => return Err(format!("unknown tier {other}")),
            };
            opt::run(&mut region, guest);
            Ok(emit(guest, &region, code, level, plan))
        }
        other => Err(format!("unknown stage {other:?}")),
    }
}

/// Host code with the guest instructions between, up to the stubs.
pub fn emit(guest: &dyn Guest, region: &Region, code: &[u8], level: Level, plan: Plan) -> String {
    let host = X86_64::new(Features::detect_at_most(level), guest.slots());
    let out = host.compile(region, &mut Cx(guest, Vec::new(), plan));
    let asm = guest.disassemble(PC, code);
    let mut text = String::new();
    let mut marks = out.marks.iter().peekable();
    let (mut hot, mut in_hot) = (0usize, true);
    let mut last_pc = 0;
    // The hot part ends where the marks go back to an earlier instruction or the code jumps into stubs.
    for (addr, line) in host.disassemble(&out.bytes, 0) {
        while let Some(&&(off, pc)) = marks.peek() {
            if u64::from(off) > addr {
                break;
            }
            if pc < last_pc {
                in_hot = false;
                text.push_str("cold\n");
            }
            last_pc = if in_hot { pc } else { u64::MAX };
            if in_hot && let Some((_, _, name)) = asm.iter().find(|a| a.0 == pc) {
                let _ = writeln!(text, "{name}");
            }
            marks.next();
        }
        if in_hot {
            hot += 1;
            let _ = writeln!(text, "    {line}");
        }
    }
    let insns = asm.len().max(1);
    let _ = writeln!(text, "{hot} host instructions for {insns} guest instructions");
    text
}
