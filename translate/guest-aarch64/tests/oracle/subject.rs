//! What is tested: the front end's translation, run by the IR interpreter.

use crate::state::{PC, State, WINDOW};
use guest_aarch64::cpu;
use ir::interp::{BlockExit, run_block};
use ir::testing::ToyMachine;
use ir::{BlockId, BlockRequest, Builder, FpState, Guest, Machine, Monitor, Region, Stop, TrapKind};

/// Translations of some instructions, one per entry and mode.
pub struct Subject<'a> {
    guest: &'a dyn Guest,
    code: Vec<u8>,
    regions: Vec<((u64, u64), Region)>,
    /// Its memory is the window.
    machine: Option<ToyMachine>,
}

impl Subject<'_> {
    /// For these instructions.
    pub fn new<'a>(guest: &'a dyn Guest, code: &[u32]) -> Subject<'a> {
        let code = code.iter().flat_map(|w| w.to_le_bytes()).collect();
        let machine = Some(ToyMachine::new(guest.slots().clone(), WINDOW, Vec::new()));
        Subject { guest, code, regions: Vec::new(), machine }
    }

    fn region(&mut self, pc: u64, mode: u64) -> &Region {
        let at = self.regions.iter().position(|(m, _)| *m == (pc, mode)).unwrap_or_else(|| {
            let mut b = Builder::new(mode);
            let code = &self.code[(pc - PC) as usize..];
            let req =
                BlockRequest { pc, code, mode, max_insns: code.len() / 4, tagged: false, attributes: 0 };
            self.guest.translate_block(&req, &mut b);
            self.regions.push(((pc, mode), b.finish()));
            self.regions.len() - 1
        });
        &self.regions[at].1
    }

    /// The state after the instructions.
    pub fn run(&mut self, before: &State) -> State {
        let guest = self.guest;
        // FPCR.RMode: nearest, up, down, zero; the same order as the dynamic rounding mode.
        let fp =
            FpState { flags: before.fpsr & 0x9f, round: before.fpcr >> 22 & 3, sat: before.fpsr >> 27 & 1 };
        let mut m = self.machine.take().expect("one user");
        m.state.fill(0);
        m.fp = fp;
        m.monitor = Monitor { addr: u64::MAX, size: 0, value: 0 };
        m.memory.clone_from(&before.window);
        for i in 0..31 {
            m.set_slot(cpu::x(i), u128::from(before.x[i as usize]));
        }
        for i in 0..32 {
            m.set_slot(cpu::v(i), before.v[i as usize]);
        }
        m.set_slot(cpu::SP, u128::from(before.sp));
        m.set_slot(cpu::NZCV, u128::from(before.nzcv >> 28));
        m.set_slot(cpu::FPCR, u128::from(before.fpcr));
        let end = PC + self.code.len() as u64;
        let mut pc = PC;
        // Pieces of code have few branches back: more blocks than this is a loop that should not be.
        let mut blocks = 0;
        let exit = loop {
            let mode = guest.mode(&m.state);
            blocks += 1;
            match run_block(self.region(pc, mode), BlockId(0), &mut m, guest.helpers()) {
                BlockExit::Next(next) | BlockExit::Resume { pc: next }
                    if (PC..end).contains(&next) && blocks < 200 =>
                {
                    pc = next
                }
                exit => break exit,
            }
        };
        let (status, pc) = match exit {
            BlockExit::Next(pc) | BlockExit::Switch { pc, .. } | BlockExit::Resume { pc } => (0, pc),
            BlockExit::Trap { kind: TrapKind::Illegal, pc, .. } => (4, pc),
            BlockExit::Stop { pc, stop: Stop::Fault { .. } } => (11, pc),
            BlockExit::Stop { pc, stop: Stop::Align { .. } } => (7, pc),
            BlockExit::Trap { pc, .. } | BlockExit::Stop { pc, stop: Stop::Trap(..) } => (5, pc),
            BlockExit::Syscall { next } => (99, next),
        };
        let after = State {
            x: std::array::from_fn(|i| m.slot(cpu::x(i as u32)) as u64),
            sp: m.slot(cpu::SP) as u64,
            v: std::array::from_fn(|i| m.slot(cpu::v(i as u32))),
            nzcv: (m.slot(cpu::NZCV) as u32) << 28,
            fpcr: m.slot(cpu::FPCR) as u32,
            fpsr: m.fp.flags & 0x9f | m.fp.sat << 27 | before.fpsr & !super::state::FPSR_MASK,
            status,
            pc_delta: pc.wrapping_sub(PC),
            window: m.memory.clone(),
        };
        self.machine = Some(m);
        after
    }
}
