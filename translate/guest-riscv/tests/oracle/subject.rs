//! What is tested: the front end's translation, run by the IR interpreter.

use crate::state::{CODE, State, WINDOW};
use guest_riscv::cpu;
use ir::interp::{BlockExit, run_block};
use ir::testing::ToyMachine;
use ir::{BlockId, BlockRequest, Builder, FpState, Guest, Machine, Monitor, Region, Stop, TrapKind};

/// The engine's number of a rounding mode, from frm's.
pub fn round_of(frm: u32) -> u32 {
    if matches!(frm, 1..=3) { 4 - frm } else { frm & 4 }
}

/// fflags has the IR's five flags in reverse order.
pub fn reversed(flags: u32) -> u32 {
    (flags & 31).reverse_bits() >> 27
}

/// Translations of some code, one per entry and mode.
pub struct Subject<'a> {
    guest: &'a dyn Guest,
    /// The code, and breakpoints behind it.
    code: Vec<u8>,
    regions: Vec<((u64, u64), Region)>,
    machine: Option<ToyMachine>,
}

impl Subject<'_> {
    /// For this code.
    pub fn new<'a>(guest: &'a dyn Guest, code: &[u8], breakpoints: u32) -> Subject<'a> {
        let code = padded(code, breakpoints);
        let machine = Some(ToyMachine::new(guest.slots().clone(), WINDOW, Vec::new()));
        Subject { guest, code, regions: Vec::new(), machine }
    }

    fn region(&mut self, pc: u64, mode: u64) -> &Region {
        let at = self.regions.iter().position(|(m, _)| *m == (pc, mode)).unwrap_or_else(|| {
            let mut b = Builder::new(mode);
            let code = &self.code[(pc - CODE) as usize..];
            let req = BlockRequest { pc, code, mode, max_insns: 64, tagged: false, attributes: 0 };
            self.guest.translate_block(&req, &mut b);
            let region = b.finish();
            ir::verify(&region, self.guest).expect("a valid region");
            self.regions.push(((pc, mode), region));
            self.regions.len() - 1
        });
        &self.regions[at].1
    }

    /// The state after the code.
    pub fn run(&mut self, before: &State) -> State {
        let guest = self.guest;
        let mut m = self.machine.take().expect("one user");
        m.state.fill(0);
        m.fp = FpState { flags: reversed(before.fcsr), round: round_of(before.fcsr >> 5), sat: 0 };
        m.monitor = Monitor { addr: u64::MAX, size: 0, value: 0 };
        m.memory.clone_from(&before.window);
        for i in 1..32 {
            m.set_slot(cpu::x(i), u128::from(before.x[i as usize]));
        }
        for i in 0..32 {
            m.set_slot(cpu::f(i), u128::from(before.f[i as usize]));
        }
        m.set_slot(cpu::FRM, u128::from(before.fcsr >> 5));
        let inside = CODE..CODE + self.code.len() as u64;
        let mut pc = CODE;
        let mut mode = guest.mode(&m.state);
        let mut steps = 0;
        let exit = loop {
            steps += 1;
            let exit = run_block(self.region(pc, mode), BlockId(0), &mut m, guest.helpers());
            let next = match exit {
                BlockExit::Next(next) => next,
                BlockExit::Switch { pc, mode: new } => {
                    mode = new;
                    pc
                }
                BlockExit::Resume { pc } => {
                    mode = guest.mode(&m.state);
                    pc
                }
                BlockExit::Trap { .. } | BlockExit::Stop { .. } | BlockExit::Syscall { .. } => break exit,
            };
            if !inside.contains(&next) || steps >= 100 {
                break BlockExit::Next(next);
            }
            pc = next;
        };
        // Outside the code there are breakpoints as well.
        let (status, pc) = match exit {
            BlockExit::Next(pc) | BlockExit::Switch { pc, .. } | BlockExit::Resume { pc } => (5, pc),
            BlockExit::Trap { kind: TrapKind::Illegal, pc, .. } => (4, pc),
            BlockExit::Stop { pc, stop: Stop::Fault { .. } } => (11, pc),
            BlockExit::Stop { pc, stop: Stop::Align { .. } } => (7, pc),
            BlockExit::Trap { pc, .. } | BlockExit::Stop { pc, stop: Stop::Trap(..) } => (5, pc),
            BlockExit::Syscall { next } => (99, next),
        };
        let after = State {
            x: std::array::from_fn(|i| if i == 0 { 0 } else { m.slot(cpu::x(i as u32)) as u64 }),
            f: std::array::from_fn(|i| m.slot(cpu::f(i as u32)) as u64),
            fcsr: reversed(m.fp.flags) | (m.slot(cpu::FRM) as u32) << 5,
            status,
            pc,
            window: m.memory.clone(),
        };
        self.machine = Some(m);
        after
    }
}

/// Code with breakpoints up to a length that straight branches stay in.
pub fn padded(code: &[u8], breakpoints: u32) -> Vec<u8> {
    let fill = breakpoints.to_le_bytes();
    (0..1024).map(|i| code.get(i).copied().unwrap_or(fill[i % 4])).collect()
}
