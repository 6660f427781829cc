//! Emitted code is relocatable: the same guest code translated at two addresses differs in what the relocation table
//! lists and nowhere else. The persistent cache rests on this.
//!
//! Random instructions of every row, branches and traps included, through front end, passes and back end at two bases;
//! then each side's relocations are taken out, and bytes and tables must be the same. `OMNIRUN_CASES` sets the number.

use guest_aarch64::Aarch64;
use guest_aarch64::cpu::Cpu;
use guest_riscv::Riscv;
use host_x86_64::X86_64;
use host_x86_64::asm::{Features, Level};
use ir::{BackEnd, BlockRequest, Builder, CompileCx, Guest, HostCode, Inst, Reloc, Target, Term};
use omnirun_tests::differential::Rng;

struct Cx<'a> {
    guest: &'a dyn Guest,
    descriptors: Vec<Inst>,
    mode_key: u64,
}

impl CompileCx for Cx<'_> {
    fn guest(&self) -> &dyn Guest {
        self.guest
    }
    fn descriptor(&mut self, inst: &Inst) -> u32 {
        self.descriptors.push(*inst);
        self.descriptors.len() as u32 - 1
    }
    fn mode_key(&self) -> u64 {
        self.mode_key
    }
    fn no_chain(&self) -> bool {
        false
    }
}

/// Everything of a region but what depends on its address.
#[derive(Debug, PartialEq)]
struct Bare {
    /// Size of each address field: an address near 4 GiB has another form on the other side.
    forms: Vec<u32>,
    bytes: Vec<u8>,
    entries: Vec<(u64, u32)>,
    exits: Vec<(u32, u32, u64)>,
    pads: Vec<(u32, u64)>,
    marks: Vec<(u32, u64)>,
    descriptors: Vec<[u64; 3]>,
}

fn compile(guest: &dyn Guest, host: &X86_64, code: &[u8], pc: u64, mode: u64) -> (HostCode, Vec<Inst>) {
    let mut b = Builder::new(mode);
    let mut todo = vec![pc];
    while let Some(at) = todo.pop() {
        if b.region().block_at(at).is_some() || b.region().blocks.len() > 6 {
            continue;
        }
        let before = b.region().blocks.len();
        let code = &code[(at - pc) as usize..];
        let request = BlockRequest { pc: at, code, mode, max_insns: 20, tagged: false, attributes: 0 };
        guest.translate_block(&request, &mut b);
        for block in &b.region().blocks[before..] {
            let next = match block.term {
                Term::Jump(Target::Pc(t)) => vec![t],
                Term::Branch { then: Target::Pc(t), els: Target::Pc(e), .. } => vec![t, e],
                Term::Call { ret, .. } | Term::CallIndirect { ret, .. } => vec![ret],
                _ => vec![],
            };
            todo.extend(next.into_iter().filter(|t| (pc..pc + code.len() as u64).contains(t)));
        }
    }
    let mut region = b.finish();
    opt::run(&mut region, guest);
    let mut cx = Cx { guest, descriptors: Vec::new(), mode_key: mode << 48 };
    let out = host.compile(&region, &mut cx);
    (out, cx.descriptors)
}

/// `None` if the region says that it cannot be moved.
fn bare((out, descriptors): (HostCode, Vec<Inst>), bias: u64) -> Option<Bare> {
    let mut bytes = out.bytes;
    let mut forms = Vec::new();
    for r in &out.relocs {
        match *r {
            Reloc::Guest64(at) => {
                forms.push(8);
                let f = &mut bytes[at as usize..at as usize + 8];
                let v = u64::from_le_bytes((&*f).try_into().unwrap()).wrapping_sub(bias);
                f.copy_from_slice(&v.to_le_bytes());
            }
            Reloc::Guest32(at) => {
                forms.push(4);
                let f = &mut bytes[at as usize..at as usize + 4];
                let v = u32::from_le_bytes((&*f).try_into().unwrap()).wrapping_sub(bias as u32);
                f.copy_from_slice(&v.to_le_bytes());
            }
            Reloc::Descriptor(_) => {}
            Reloc::Fixed => return None,
        }
    }
    let rel = |pc: u64| pc.wrapping_sub(bias);
    Some(Bare {
        forms,
        bytes,
        entries: out.entries.iter().map(|e| (rel(e.0), e.1)).collect(),
        exits: out.exits.iter().map(|e| (e.at, e.stub, rel(e.key))).collect(),
        pads: out.pads.iter().map(|p| (p.key_at, rel(p.pc))).collect(),
        marks: out.marks.iter().map(|m| (m.0, rel(m.1))).collect(),
        descriptors: descriptors.iter().map(Inst::to_words).collect(),
    })
}

fn check(guest: &dyn Guest, bases: [u64; 2], next: &dyn Fn(&mut Rng) -> Vec<u8>) {
    let cases = std::env::var("OMNIRUN_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(6_000u64);
    let hosts = [Level::Sse, Level::Avx2, Level::Avx512]
        .map(|l| X86_64::new(Features::detect_at_most(l), guest.slots()));
    let mut moved = 0;
    for seed in 1..=cases {
        let mut r = Rng(seed);
        let mut code = Vec::new();
        for _ in 0..4 + r.below(40) {
            code.extend(next(&mut r));
        }
        // An odd place in the page, so that page-relative addresses are seen.
        let at = r.below(1024) * 4;
        let mode = if r.below(8) == 0 { 1 } else { 0 };
        let host = &hosts[(seed % 3) as usize];
        let [a, b] = bases.map(|base| bare(compile(guest, host, &code, base + at, mode), base));
        let (Some(a), Some(b)) = (a, b) else { continue };
        if bases == LOW && a.forms != b.forms {
            continue;
        }
        if a != b {
            let text: Vec<String> =
                guest.disassemble(at, &code).into_iter().map(|(pc, _, t)| format!("{pc:#x}: {t}")).collect();
            let byte = a.bytes.iter().zip(&b.bytes).position(|(x, y)| x != y);
            panic!("seed {seed}: differs (host byte {byte:?})\n{}", text.join("\n"));
        }
        for w in &a.descriptors {
            let inst = Inst::from_words(*w, guest.slots().slots.len(), guest.helpers().len());
            assert_eq!(
                inst.map(|i| i.to_words()),
                Some(*w),
                "seed {seed}: a descriptor survives its file form"
            );
        }
        moved += 1;
    }
    assert!(moved * 10 > cases * 9, "only {moved} of {cases} regions can be moved");
}

const HIGH: [u64; 2] = [0x5555_0000_0000, 0x7fff_a8c3_9000];
const LOW: [u64; 2] = [0x0040_0000, 0x7f12_3000];

fn aarch64(bases: [u64; 2]) {
    let rows = guest_aarch64::decode::ROWS;
    check(&Aarch64::new(Cpu::default()), bases, &|r| {
        let row = &rows[r.below(rows.len() as u64) as usize];
        let near = r.below(3) == 0;
        let mut word = guest_aarch64::decode::generate(row, r.next_u64() as u32);
        if near && word & 0x7c00_0000 == 0x1400_0000 {
            // A branch or call to somewhere near.
            word = word & 0xfc00_0000 | r.below(24) as u32;
        } else if near && word & 0x7e00_0000 == 0x3400_0000 || word & 0xff00_0010 == 0x5400_0000 {
            word = word & !0x00ff_ffe0 | (r.below(24) as u32) << 5;
        }
        word.to_le_bytes().to_vec()
    });
}

fn riscv(bases: [u64; 2]) {
    let rows = guest_riscv::decode::ROWS;
    check(&Riscv::new(guest_riscv::cpu::Cpu::default()), bases, &|r| {
        if r.below(4) == 0 {
            return (r.next_u64() as u16 | 1).to_le_bytes().to_vec();
        }
        let row = &rows[r.below(rows.len() as u64) as usize];
        guest_riscv::decode::generate(row, r.next_u64() as u32).to_le_bytes().to_vec()
    });
}

#[test]
fn aarch64_code_moves_at_high_addresses() {
    aarch64(HIGH);
}

#[test]
fn aarch64_code_moves_below_4_gib() {
    aarch64(LOW);
}

#[test]
fn riscv_code_moves_at_high_addresses() {
    riscv(HIGH);
}

#[test]
fn riscv_code_moves_below_4_gib() {
    riscv(LOW);
}
