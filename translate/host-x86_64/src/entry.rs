//! The runtime's own code: entering and leaving translated code, and the thunks through which translated code calls
//! the engine. Input: the register map and the engine's functions; output: [`RuntimeCode`].
//!
//! Translated code runs on the return-prediction stack; everything here that calls a function of the engine switches to
//! the runtime's stack and floating-point mode first and back afterwards.

use crate::asm::*;
use crate::regs::*;
use ir::state::{Header, RuntimeEntry};
use ir::{RuntimeCode, RuntimeFns};
use std::mem::offset_of;

const SAVED: [Gp; 6] = [RBX, RBP, R12, R13, R14, R15];
/// General registers a function may change, less rax.
const VOLATILE: [Gp; 8] = [RCX, RDX, RSI, RDI, R8, R9, R10, R11];
/// How many stack entries a mispredicted return searches.
const REPAIR_DEPTH: i32 = 16;

struct Rt<'a> {
    a: Asm,
    map: &'a PinMap,
    /// Vector registers of the level.
    vecs: u8,
}

fn h(offset: usize) -> Mem {
    hdr(offset)
}

impl Rt<'_> {
    fn store_pinned(&mut self) {
        for &(s, r) in &self.map.ints {
            self.a.store(Sz::Q, self.map.mem(s), r);
        }
        for &(s, x) in &self.map.vecs {
            self.a.vst(V::MovapsSt, self.map.mem(s), x);
        }
    }
    fn load_pinned(&mut self) {
        for &(s, r) in &self.map.ints {
            self.a.mov(Sz::Q, r, self.map.mem(s));
        }
        for &(s, x) in &self.map.vecs {
            self.a.v2(V::Movaps, x, self.map.mem(s));
        }
    }
    /// Onto the runtime's stack, with its floating-point mode.
    fn switch_to_runtime(&mut self) {
        self.a.store(Sz::Q, h(offset_of!(Header, ret_sp)), RSP);
        self.a.mov(Sz::Q, RSP, h(offset_of!(Header, host_sp)));
        self.a.store_i(Sz::D, h(offset_of!(Header, in_code)), 0);
        self.a.stmxcsr(h(offset_of!(Header, guest_fpcr)));
        self.a.ldmxcsr(h(offset_of!(Header, host_fpcr)));
    }
    fn switch_to_guest(&mut self) {
        self.a.ldmxcsr(h(offset_of!(Header, guest_fpcr)));
        self.a.store_i(Sz::D, h(offset_of!(Header, in_code)), 1);
        self.a.mov(Sz::Q, RSP, h(offset_of!(Header, ret_sp)));
    }
    fn call(&mut self, f: u64) {
        self.a.lea(Sz::Q, RDI, h(0));
        self.a.mov_i64(RAX, f);
        self.a.call_rm(RAX);
    }
    /// Jumps to the address that `f(state, rax, rcx)` returns.
    fn go(&mut self, f: u64) {
        self.store_pinned();
        self.switch_to_runtime();
        self.a.mov(Sz::Q, RSI, RAX);
        self.a.mov(Sz::Q, RDX, RCX);
        self.call(f);
        self.switch_to_guest();
        self.load_pinned();
        self.a.jmp_rm(RAX);
    }
    /// Saves registers in the runtime's stack; they are the caller's values inside a block.
    fn save(&mut self, gps: &[Gp], xs: u8) -> i32 {
        let size = ((gps.len() as i32 * 8 + 15) & !15) + xs as i32 * 16;
        self.a.alu_i(Alu::Sub, Sz::Q, RSP, size);
        for (k, &g) in gps.iter().enumerate() {
            self.a.store(Sz::Q, Mem::b(RSP, k as i32 * 8), g);
        }
        for x in 0..xs {
            self.a.vst(V::MovapsSt, Mem::b(RSP, size - 16 - x as i32 * 16), Xmm(x));
        }
        size
    }
    fn restore(&mut self, gps: &[Gp], xs: u8, size: i32) {
        for (k, &g) in gps.iter().enumerate() {
            self.a.mov(Sz::Q, g, Mem::b(RSP, k as i32 * 8));
        }
        for x in 0..xs {
            self.a.v2(V::Movaps, Xmm(x), Mem::b(RSP, size - 16 - x as i32 * 16));
        }
    }

    fn enter(&mut self) {
        for r in SAVED {
            self.a.push(r);
        }
        self.a.alu_i(Alu::Sub, Sz::Q, RSP, 8);
        self.a.lea(Sz::Q, RBP, Mem::b(RDI, BASE));
        self.a.mov(Sz::Q, RAX, RSI);
        self.a.stmxcsr(h(offset_of!(Header, host_fpcr)));
        self.a.store(Sz::Q, h(offset_of!(Header, host_sp)), RSP);
        self.switch_to_guest();
        self.load_pinned();
        self.a.jmp_rm(RAX);
    }
    fn exit(&mut self) {
        self.store_pinned();
        self.switch_to_runtime();
        self.return_from_enter();
    }
    fn return_from_enter(&mut self) {
        self.a.alu_i(Alu::Add, Sz::Q, RSP, 8);
        for r in SAVED.into_iter().rev() {
            self.a.pop(r);
        }
        self.a.ret();
    }
    fn eval(&mut self, f: u64) {
        self.switch_to_runtime();
        let n = self.vecs;
        let size = self.save(&VOLATILE, n);
        self.a.mov(Sz::D, RSI, RAX);
        self.call(f);
        self.restore(&VOLATILE, n, size);
        self.switch_to_guest();
        self.a.ret();
    }
    fn helper(&mut self, f: u64) {
        let gps = [RCX, RDX, RSI];
        self.store_pinned();
        self.switch_to_runtime();
        let size = self.save(&gps, 8);
        self.a.mov(Sz::D, RSI, RAX);
        self.call(f);
        self.restore(&gps, 8, size);
        self.switch_to_guest();
        self.load_pinned();
        self.a.mr(Mr::Test, Sz::D, RAX, RAX);
        let leave = self.a.new_label();
        self.a.jcc8(Cc::Ne, leave);
        self.a.ret();
        self.a.bind(leave);
        self.a.alu_i(Alu::Add, Sz::Q, RSP, 8);
        self.a.jmp_rm(entry(RuntimeEntry::Exit));
    }
    fn syscall(&mut self, f: u64) {
        self.store_pinned();
        self.switch_to_runtime();
        self.call(f);
        self.a.mr(Mr::Test, Sz::D, RAX, RAX);
        let leave = self.a.new_label();
        self.a.jcc(Cc::E, leave);
        self.switch_to_guest();
        self.load_pinned();
        self.a.ret();
        self.a.bind(leave);
        // The return address into translated code is not wanted.
        self.a.alu_i(Alu::Add, Sz::Q, h(offset_of!(Header, ret_sp)), 8);
        self.return_from_enter();
    }
    /// A return that did not land on its pad: looks for the pad further up (after longjmp, exceptions, tail calls that
    /// were not balanced), so that the callers' predictions fit again.
    fn return_miss(&mut self, f: u64) {
        let (not_empty, next, none, found) =
            (self.a.new_label(), self.a.new_label(), self.a.new_label(), self.a.new_label());
        let hi = h(offset_of!(Header, ret_hi));
        self.a.alu(Alu::Cmp, Sz::Q, RSP, hi);
        self.a.jcc8(Cc::Be, not_empty);
        self.a.mov(Sz::Q, RSP, hi);
        self.a.bind(not_empty);
        let go_on = self.a.new_label();
        self.a.alu_i(Alu::Cmp, Sz::D, h(offset_of!(Header, poll)), 0);
        self.a.jcc8(Cc::E, go_on);
        self.a.mov(Sz::Q, RCX, h(offset_of!(Header, mode_key)));
        self.a.mop(Mop::Not, Sz::Q, RCX);
        self.a.alu(Alu::And, Sz::Q, RAX, RCX);
        self.a.store(Sz::Q, h(offset_of!(Header, pc)), RAX);
        self.a.store_i(Sz::D, h(offset_of!(Header, exit_code)), ir::exit::POLL as i32);
        self.a.jmp_rm(entry(RuntimeEntry::Exit));
        self.a.bind(go_on);
        self.a.mov(Sz::Q, RDX, RSP);
        let again = self.a.here();
        self.a.alu(Alu::Cmp, Sz::Q, RDX, hi);
        self.a.jcc8(Cc::Ae, none);
        self.a.mov(Sz::Q, RCX, Mem::b(RDX, 0));
        // A pad begins with `cmp rax, [rip + disp32]`.
        self.a.mov(Sz::D, RSI, Mem::b(RCX, 0));
        self.a.alu_i(Alu::And, Sz::D, RSI, 0x00ff_ffff);
        self.a.alu_i(Alu::Cmp, Sz::D, RSI, 0x0005_3b48);
        self.a.jcc8(Cc::Ne, next);
        self.a.reg_rm(RegRm::Movsxd, Sz::Q, RSI, Mem::b(RCX, 3));
        self.a.alu(Alu::Cmp, Sz::Q, RAX, Mem::bi(RCX, RSI, 0, 7));
        self.a.jcc(Cc::E, found);
        self.a.bind(next);
        self.a.alu_i(Alu::Add, Sz::Q, RDX, 8);
        self.a.lea(Sz::Q, RSI, Mem::b(RSP, REPAIR_DEPTH * 8));
        self.a.alu(Alu::Cmp, Sz::Q, RDX, RSI);
        self.a.jcc8(Cc::B, again);
        self.a.bind(none);
        self.go(f);
        self.a.bind(found);
        self.a.lea(Sz::Q, RSP, Mem::b(RDX, 8));
        self.a.jmp_rm(RCX);
    }
}

/// Generates the entries.
pub(crate) fn runtime(feat: Features, map: &PinMap, fns: &RuntimeFns) -> RuntimeCode {
    let mut rt = Rt { a: Asm::new(feat), map, vecs: if feat.evex() { 32 } else { 16 } };
    let mut out = RuntimeCode::default();
    rt.enter();
    let mut add = |rt: &mut Rt<'_>, e: RuntimeEntry| {
        rt.a.align(16);
        out.entries.push((e as usize, rt.a.pos()));
    };
    add(&mut rt, RuntimeEntry::Exit);
    rt.exit();
    add(&mut rt, RuntimeEntry::LookUp);
    rt.go(fns.look_up);
    add(&mut rt, RuntimeEntry::Link);
    rt.go(fns.link);
    add(&mut rt, RuntimeEntry::Eval);
    rt.eval(fns.eval);
    add(&mut rt, RuntimeEntry::Helper);
    rt.helper(fns.helper);
    add(&mut rt, RuntimeEntry::ReturnMiss);
    rt.return_miss(fns.return_miss);
    add(&mut rt, RuntimeEntry::Syscall);
    rt.syscall(fns.syscall);
    rt.a.finish();
    out.bytes = rt.a.buf;
    out.enter = 0;
    out
}
