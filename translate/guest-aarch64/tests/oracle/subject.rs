//! What is tested: the front end's translation, run by the IR interpreter.

use crate::state::{State, WINDOW};
use guest_aarch64::cpu;
use ir::interp::{BlockExit, run_block};
use ir::{
    BlockId, BlockRequest, Builder, FpState, Guest, Machine, Monitor, Region, Size, SlotTable, Stop, TrapKind,
};

/// Address the instruction is translated at.
pub const PC: u64 = 0x1_0000;

/// A guest CPU whose memory is the window.
struct Cpu<'a> {
    state: Vec<u8>,
    slots: &'a SlotTable,
    fp: FpState,
    monitor: Monitor,
    window: Vec<u8>,
}

impl Cpu<'_> {
    fn range(&self, addr: u64, len: usize, write: bool) -> Result<std::ops::Range<usize>, Stop> {
        let at = addr.wrapping_sub(WINDOW);
        if at <= self.window.len() as u64 && len as u64 <= self.window.len() as u64 - at {
            Ok(at as usize..at as usize + len)
        } else {
            Err(Stop::Fault { addr, write })
        }
    }
}

impl Machine for Cpu<'_> {
    fn state(&mut self) -> &mut [u8] {
        &mut self.state
    }
    fn slots(&self) -> &SlotTable {
        self.slots
    }
    fn fp(&mut self) -> &mut FpState {
        &mut self.fp
    }
    fn monitor(&mut self) -> &mut Monitor {
        &mut self.monitor
    }
    fn load(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), Stop> {
        let range = self.range(addr, buf.len(), false)?;
        buf.copy_from_slice(&self.window[range]);
        Ok(())
    }
    fn store(&mut self, addr: u64, data: &[u8]) -> Result<(), Stop> {
        let range = self.range(addr, data.len(), true)?;
        self.window[range].copy_from_slice(data);
        Ok(())
    }
    fn cas(&mut self, addr: u64, size: Size, expected: u128, new: u128) -> Result<u128, Stop> {
        let range = self.range(addr, size.bytes(), true)?;
        let mut old = [0; 16];
        old[..range.len()].copy_from_slice(&self.window[range.clone()]);
        let old = u128::from_le_bytes(old);
        if old == expected {
            let n = range.len();
            self.window[range].copy_from_slice(&new.to_le_bytes()[..n]);
        }
        Ok(old)
    }
    fn fence(&mut self) {}
    fn invalidate_code(&mut self, _addr: u64, _len: u64) {}
}

/// Translations of some instructions, one per entry and mode.
pub struct Subject<'a> {
    guest: &'a dyn Guest,
    code: Vec<u8>,
    regions: Vec<((u64, u64), Region)>,
}

impl Subject<'_> {
    /// For these instructions.
    pub fn new<'a>(guest: &'a dyn Guest, code: &[u32]) -> Subject<'a> {
        let code = code.iter().flat_map(|w| w.to_le_bytes()).collect();
        Subject { guest, code, regions: Vec::new() }
    }

    fn region(&mut self, pc: u64, mode: u64) -> &Region {
        let at = self.regions.iter().position(|(m, _)| *m == (pc, mode)).unwrap_or_else(|| {
            let mut b = Builder::new(mode);
            let code = &self.code[(pc - PC) as usize..];
            let req = BlockRequest { pc, code, mode, max_insns: code.len() / 4, tagged: false };
            self.guest.translate_block(&req, &mut b);
            self.regions.push(((pc, mode), b.finish()));
            self.regions.len() - 1
        });
        &self.regions[at].1
    }

    /// The state after the instructions.
    pub fn run(&mut self, before: &State) -> State {
        let guest = self.guest;
        let slots = guest.slots();
        let mut m = Cpu {
            state: vec![0; slots.size as usize],
            slots,
            // FPCR.RMode: nearest, up, down, zero; the same order as the dynamic rounding mode.
            fp: FpState {
                flags: before.fpsr & 0x9f,
                round: before.fpcr >> 22 & 3,
                sat: before.fpsr >> 27 & 1,
            },
            monitor: Monitor { addr: u64::MAX, size: 0, value: 0 },
            window: before.window.clone(),
        };
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
        let exit = loop {
            let mode = guest.mode(&m.state);
            match run_block(self.region(pc, mode), BlockId(0), &mut m, guest.helpers()) {
                BlockExit::Next(next) | BlockExit::Resume { pc: next } if (pc + 4..end).contains(&next) => {
                    pc = next
                }
                exit => break exit,
            }
        };
        let (status, pc) = match exit {
            BlockExit::Next(pc) | BlockExit::Resume { pc } => (0, pc),
            BlockExit::Trap { kind: TrapKind::Illegal, pc, .. } => (4, pc),
            BlockExit::Stop { pc, stop: Stop::Fault { .. } } => (11, pc),
            BlockExit::Stop { pc, stop: Stop::Align { .. } } => (7, pc),
            BlockExit::Trap { pc, .. } | BlockExit::Stop { pc, stop: Stop::Trap(..) } => (5, pc),
            BlockExit::Syscall { next } => (99, next),
        };
        State {
            x: std::array::from_fn(|i| m.slot(cpu::x(i as u32)) as u64),
            sp: m.slot(cpu::SP) as u64,
            v: std::array::from_fn(|i| m.slot(cpu::v(i as u32))),
            nzcv: (m.slot(cpu::NZCV) as u32) << 28,
            fpcr: m.slot(cpu::FPCR) as u32,
            fpsr: m.fp.flags & 0x9f | m.fp.sat << 27 | before.fpsr & !super::state::FPSR_MASK,
            status,
            pc_delta: pc.wrapping_sub(PC),
            window: m.window,
        }
    }
}
