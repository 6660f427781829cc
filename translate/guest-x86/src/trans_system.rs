//! System instructions, flags as a register, segments, CPUID, time, and hints.

use crate::cpu::{
    self, DF, EFLAGS_REST, MODE_AC, MODE_DF, MODE_TF, RAX, RBX, RCX, RDX, SEGS, Seg, eflags, trap,
};
use crate::features::{Feature, Features};
use crate::helpers::{SYSTEM, id, plain};
use crate::models::{Cpu, MODELS};
use crate::operand::{Dst, Ea, op_bits, segment};
use crate::segments::{self, Ask};
use crate::trans::{Flow, Tr, flag};
use iced_x86::{Instruction, Mnemonic, OpKind};
use ir::{Cc, HelperDesc, Machine, Shape, Size, SlotId, SlotSet, Stop, Target, Term, TrapKind, Type, Val};

/// The 128-bit division.
pub(crate) const DIVIDE: u16 = 0;
/// CPUID.
const CPUID: u16 = 1;
/// The time-stamp counter.
const TSC: u16 = 2;
/// A random number.
pub(crate) const RANDOM: u16 = 3;
/// Loads a data segment register: (register, selector) -> 1 if the mode may have changed.
const LOAD_SEGMENT: u16 = 4;
/// Loads CS and notes where a far transfer goes: (selector, ip).
const LOAD_CODE: u16 = 5;
/// The checks of the same.
const CHECK_CODE: u16 = 6;
/// wrfsbase, wrgsbase: (register, base).
const SET_BASE: u16 = 7;
/// lar, lsl, verr, verw.
const ASK: u16 = 8;
/// 64 bytes at once: (from, to).
const COPY64: u16 = 9;

impl Tr<'_> {
    /// Translates an instruction of this group; `None` if it is not one.
    pub(crate) fn system_insn(&mut self, insn: &Instruction) -> Option<Flow> {
        use Mnemonic as M;
        Some(match insn.mnemonic() {
            M::Syscall => self.syscall(),
            M::Sysenter => self.service(trap::SYSENTER, false),
            M::Endbr32 | M::Endbr64 | M::Pause | M::Cldemote => Flow::Next,
            M::Prefetchnta
            | M::Prefetcht0
            | M::Prefetcht1
            | M::Prefetcht2
            | M::Prefetchw
            | M::Prefetch
            | M::Prefetchwt1
            | M::Prefetchit0
            | M::Prefetchit1
            | M::Reservednop => Flow::Next,
            M::Clflush | M::Clflushopt | M::Clwb => {
                // Only the check of the address.
                let ea = self.ea(insn);
                self.load(8, ea);
                Flow::Next
            }
            M::Mfence => {
                self.b.fence(0);
                Flow::Next
            }
            M::Lfence => {
                self.b.fence(1);
                Flow::Next
            }
            M::Sfence => {
                self.b.fence(2);
                Flow::Next
            }
            M::Cld => self.direction(false),
            M::Std => self.direction(true),
            M::Cpuid => self.cpuid(),
            M::Rdtsc | M::Rdtscp => {
                let v = self.call(id(SYSTEM, TSC), Type::I64, &[]);
                let n = self.b.const64(32);
                let high = self.b.shr(v, n);
                let (low, high) = (self.b.trunc(v), self.b.trunc(high));
                self.set_r(RAX, low);
                self.set_r(RDX, high);
                if insn.mnemonic() == M::Rdtscp {
                    let zero = self.b.const32(0);
                    self.set_r(RCX, zero);
                }
                Flow::Next
            }
            M::Rdpid => {
                let zero = self.b.const32(0);
                let dst = self.dest_only(insn, 0);
                self.write(dst, 32, zero);
                Flow::Next
            }
            M::Xgetbv => self.xgetbv(),
            M::Rdfsbase => self.read_base(insn, Seg::Fs),
            M::Rdgsbase => self.read_base(insn, Seg::Gs),
            M::Wrfsbase => self.write_base(insn, Seg::Fs),
            M::Wrgsbase => self.write_base(insn, Seg::Gs),
            M::Les => self.load_pointer(insn, Seg::Es),
            M::Lds => self.load_pointer(insn, Seg::Ds),
            M::Lss => self.load_pointer(insn, Seg::Ss),
            M::Lfs => self.load_pointer(insn, Seg::Fs),
            M::Lgs => self.load_pointer(insn, Seg::Gs),
            M::Lar => self.ask_selector(insn, Ask::Rights),
            M::Lsl => self.ask_selector(insn, Ask::Limit),
            M::Verr => self.ask_selector(insn, Ask::Readable),
            M::Verw => self.ask_selector(insn, Ask::Writable),
            // What the kernel gives for the instructions that UMIP catches (`arch/x86/kernel/umip.c`).
            M::Sgdt => self.store_table(insn, 0xffff_ffff_fffe_0000),
            M::Sidt => self.store_table(insn, 0xffff_ffff_ffff_0000),
            M::Smsw => self.store_word(insn, 0x8005_0033),
            M::Sldt => self.store_word(insn, 0),
            M::Str => self.store_word(insn, 0x40),
            M::Arpl => self.arpl(insn),
            M::Salc => {
                let f = self.flags();
                let c = self.b.setcc(Type::I64, Cc::Cs, f);
                let zero = self.b.const64(0);
                let v = self.b.sub(zero, c);
                self.write(Dst::Reg(RAX), 8, v);
                Flow::Next
            }
            M::Serialize => {
                self.b.fence(0);
                Flow::Next
            }
            M::Movdiri => {
                let bits = op_bits(insn, 1);
                let v = self.read(insn, 1, bits);
                let ea = self.ea(insn);
                self.store(bits, ea, v);
                Flow::Next
            }
            M::Movdir64b => self.movdir64b(insn),
            M::Stc | M::Clc => {
                let bit = self.b.const32(u32::from(insn.mnemonic() == M::Stc));
                self.set_carry(bit);
                Flow::Next
            }
            M::Cmc => {
                let f = self.flags();
                let bit = self.b.setcc(Type::I32, Cc::Cc, f);
                self.set_carry(bit);
                Flow::Next
            }
            M::Lahf | M::Sahf if self.long() && !self.has(Feature::LahfLm) => Flow::Undefined,
            M::Lahf => {
                let image = self.eflags();
                let image = self.wide(image);
                let a = self.r64(RAX);
                let v = self.b.bfi(a, image, 8, 8);
                self.b.set(cpu::gpr(RAX), v);
                Flow::Next
            }
            M::Sahf => {
                let a = self.r32(RAX);
                let ah = self.b.ubfx(a, 8, 8);
                let eight = self.b.const32(8);
                let packed = self.b.shl(ah, eight);
                let f = self.b.flags_unpack(packed);
                self.merge_flags(f, !flag::V & 63);
                Flow::Next
            }
            M::Pushf | M::Pushfd | M::Pushfq => {
                let image = self.eflags();
                let bits = insn.stack_pointer_increment().unsigned_abs() * 8;
                let v = self.retype(image, bits);
                self.push_value(bits, v);
                Flow::Next
            }
            M::Popf | M::Popfd | M::Popfq => self.popf(insn),
            M::Hlt
            | M::Cli
            | M::Sti
            | M::Lgdt
            | M::Lidt
            | M::Lldt
            | M::Ltr
            | M::Lmsw
            | M::Clts
            | M::Invd
            | M::Wbinvd
            | M::Invlpg
            | M::Rdmsr
            | M::Wrmsr
            | M::Rdpmc
            | M::Sysexit
            | M::Sysexitq
            | M::Sysret
            | M::Sysretq
            | M::Swapgs
            | M::Xsetbv
            | M::In
            | M::Out => self.general_protection(0),
            _ => return None,
        })
    }

    /// `syscall`: rcx and r11 get the return address and EFLAGS.
    fn syscall(&mut self) -> Flow {
        if !self.long() {
            return self.service(trap::SYSCALL32, true);
        }
        let image = self.eflags();
        let next = self.b.addr(self.next);
        self.b.set(cpu::gpr(RCX), next);
        self.set_r(11, image);
        Flow::End(Term::Syscall { next: self.next })
    }

    /// popf: what user mode may change, and the mode if that follows.
    fn popf(&mut self, insn: &Instruction) -> Flow {
        let bytes = i64::from(insn.stack_pointer_increment());
        let bits = (bytes * 8) as u32;
        let ea = self.stack(0);
        let v = self.load(bits, ea);
        let v = self.narrow32(v);
        self.add_sp(bytes);
        self.set_eflags(v, bits);
        // The slots behind mode bits are written: go on here if the mode is as it was.
        let watched = self.b.const32(eflags::DF | eflags::TF | eflags::AC);
        let now = self.b.const32(self.mode_flags());
        let changed = self.b.and(v, watched);
        let changed = if bits == 16 {
            let low = self.b.const32(0xffff);
            let (x, y) = (self.b.and(changed, low), self.b.and(now, low));
            self.b.sub(x, y)
        } else {
            self.b.sub(changed, now)
        };
        let f = self.b.flags_of(changed);
        let other = self.b.upcoming_block(1);
        let term =
            Term::Branch { flags: f, cc: Cc::Ne, then: Target::Block(other), els: Target::Pc(self.next) };
        self.end_block(term, self.next);
        self.b.begin_internal(self.pc);
        self.b.insn(self.pc);
        self.mode_changed()
    }

    /// EFLAGS bits that the mode says.
    fn mode_flags(&self) -> u32 {
        let bit = |mode: u64, flag: u32| if self.mode & mode != 0 { flag } else { 0 };
        bit(MODE_DF, eflags::DF) | bit(MODE_TF, eflags::TF) | bit(MODE_AC, eflags::AC)
    }

    /// Writes what user mode may of EFLAGS: all of an image, or its low 16 bits.
    pub(crate) fn set_eflags(&mut self, image: Val, bits: u32) {
        let mask = self.b.const32(0xd5);
        let low = self.b.and(image, mask);
        let eight = self.b.const32(8);
        let low = self.b.shl(low, eight);
        let over = self.b.ubfx(image, 11, 1);
        let packed = self.b.or(low, over);
        let f = self.b.flags_unpack(packed);
        self.set_flags(f);
        let df = self.b.ubfx(image, 10, 1);
        self.b.set(DF, df);
        let rest = if bits == 16 {
            let old = self.get32(EFLAGS_REST);
            self.b.bfi(old, image, 0, 16)
        } else {
            image
        };
        let mask = self.b.const32(eflags::REST);
        let rest = self.b.and(rest, mask);
        self.b.set(EFLAGS_REST, rest);
    }

    /// EFLAGS as an I32.
    pub(crate) fn eflags(&mut self) -> Val {
        let f = self.flags();
        let packed = self.b.flags_pack(f);
        let n = self.b.const32(8);
        let low = self.b.shr(packed, n);
        let mask = self.b.const32(0xd5);
        let low = self.b.and(low, mask);
        let v = self.b.ubfx(packed, 0, 1);
        let eleven = self.b.const32(11);
        let v = self.b.shl(v, eleven);
        let image = self.b.or(low, v);
        let rest = self.get32(EFLAGS_REST);
        let image = self.b.or(image, rest);
        let fixed = eflags::FIXED | if self.mode & MODE_DF != 0 { eflags::DF } else { 0 };
        let fixed = self.b.const32(fixed);
        self.b.or(image, fixed)
    }

    /// cld, std.
    fn direction(&mut self, down: bool) -> Flow {
        if down == (self.mode & MODE_DF != 0) {
            return Flow::Next;
        }
        let v = self.b.const32(u32::from(down));
        self.b.set(DF, v);
        let mode = if down { self.mode | MODE_DF } else { self.mode & !MODE_DF };
        Flow::End(Term::Switch { pc: self.next, mode })
    }

    fn cpuid(&mut self) -> Flow {
        let (leaf, sub) = (self.r64(RAX), self.r64(RCX));
        let question = self.b.bfi(leaf, sub, 32, 32);
        let place = MODELS.iter().position(|m| m == self.cpu.model).unwrap_or(0) as u64;
        let which = self.b.const64(place << 8 | u64::from(self.cpu.bits));
        let raw = self.cpu.features.raw();
        let (low, high) = (self.b.const64(raw as u64), self.b.const64((raw >> 64) as u64));
        let v = self.call(id(SYSTEM, CPUID), Type::V128, &[question, which, low, high]);
        let words = Shape::new(Size::S, 4);
        for (lane, reg) in [RAX, RBX, RCX, RDX].into_iter().enumerate() {
            let word = self.b.vget(Type::I32, words, false, v, lane as u32);
            self.set_r(reg, word);
        }
        Flow::Next
    }

    fn xgetbv(&mut self) -> Flow {
        // ecx: 0 is XCR0, 1 what of it is in use; others are #GP.
        let c = self.r32(RCX);
        let one = self.b.const32(if self.has(Feature::Xgetbv1) { 1 } else { 0 });
        let d = self.b.sub(one, c);
        let f = self.b.flags_of(d);
        let (bad, good) = (self.b.upcoming_block(1), self.b.upcoming_block(2));
        let term = Term::Branch { flags: f, cc: Cc::Cs, then: Target::Block(good), els: Target::Block(bad) };
        self.b.end_block(term, self.pc);
        self.b.begin_internal(self.pc);
        self.b.insn(self.pc);
        if let Flow::End(term) = self.general_protection(0) {
            self.b.end_block(term, self.pc);
        }
        self.b.begin_internal(self.pc);
        self.b.insn(self.pc);
        let v = crate::cpuid::xcr0(self.cpu);
        let (low, high) = (self.b.const32(v as u32), self.b.const32((v >> 32) as u32));
        self.set_r(RAX, low);
        self.set_r(RDX, high);
        Flow::Next
    }

    fn read_base(&mut self, insn: &Instruction, seg: Seg) -> Flow {
        if !self.long() {
            return Flow::Undefined;
        }
        let bits = op_bits(insn, 0);
        let v = self.b.get(cpu::segment_base(seg), Type::I64);
        let v = self.retype(v, bits);
        let dst = self.dest_only(insn, 0);
        self.write(dst, bits, v);
        Flow::Next
    }

    /// #GP if the address is not canonical.
    fn write_base(&mut self, insn: &Instruction, seg: Seg) -> Flow {
        if !self.long() {
            return Flow::Undefined;
        }
        let bits = op_bits(insn, 0);
        let v = self.read(insn, 0, bits);
        let v = self.wide(v);
        let which = self.b.const64(seg as u64);
        self.call(id(SYSTEM, SET_BASE), Type::Void, &[which, v]);
        Flow::Next
    }

    // --- segments and far transfers -----------------------------------------------------------------------------

    /// Loads a segment register from a selector in an I64.
    fn load_segment(&mut self, seg: Seg, selector: Val) -> Flow {
        let which = self.b.const64(seg as u64);
        let changed = self.call(id(SYSTEM, LOAD_SEGMENT), Type::I64, &[which, selector]);
        if self.long() || matches!(seg, Seg::Fs | Seg::Gs) {
            return Flow::Next;
        }
        let f = self.is_zero(changed);
        let other = self.b.upcoming_block(1);
        let term =
            Term::Branch { flags: f, cc: Cc::Ne, then: Target::Block(other), els: Target::Pc(self.next) };
        self.end_block(term, self.next);
        self.b.begin_internal(self.pc);
        self.b.insn(self.pc);
        self.mode_changed()
    }

    /// mov to a segment register.
    pub(crate) fn load_segment_insn(&mut self, insn: &Instruction) -> Flow {
        let Some(seg) = segment(insn.op0_register()).filter(|&s| s != Seg::Cs) else {
            return Flow::Undefined;
        };
        let v = self.read(insn, 1, 16);
        let v = self.b.zext16(v);
        self.load_segment(seg, v)
    }

    /// pop of a segment register: the pointer moves after the load, which may fault.
    pub(crate) fn pop_segment(&mut self, insn: &Instruction, bits: u32) -> Flow {
        let Some(seg) = segment(insn.op0_register()) else { return Flow::Undefined };
        let ea = self.stack(0);
        let v = self.load(16, ea);
        let which = self.b.const64(seg as u64);
        let changed = self.call(id(SYSTEM, LOAD_SEGMENT), Type::I64, &[which, v]);
        self.add_sp(i64::from(bits / 8));
        if self.long() || matches!(seg, Seg::Fs | Seg::Gs) {
            return Flow::Next;
        }
        let _ = changed;
        self.mode_changed()
    }

    /// lds and the like.
    fn load_pointer(&mut self, insn: &Instruction, seg: Seg) -> Flow {
        let bits = op_bits(insn, 0);
        let ea = self.ea(insn);
        let v = self.load(bits, ea);
        let selector = self.load(16, Ea { disp: ea.disp + i64::from(bits / 8), ..ea });
        let which = self.b.const64(seg as u64);
        self.call(id(SYSTEM, LOAD_SEGMENT), Type::I64, &[which, selector]);
        let dst = self.dest_only(insn, 0);
        self.write(dst, bits, v);
        if self.long() || matches!(seg, Seg::Fs | Seg::Gs) { Flow::Next } else { self.mode_changed() }
    }

    /// Leaves for cs:ip; both are checked by a helper before anything else is written.
    fn go_far(&mut self, selector: Val, ip: Val) -> Flow {
        self.call(id(SYSTEM, LOAD_CODE), Type::Void, &[selector, ip]);
        self.service(trap::FAR, false)
    }

    /// Far jumps and calls.
    pub(crate) fn far(&mut self, insn: &Instruction, call: bool) -> Flow {
        let (selector, ip, bits) = if insn.op0_kind() == OpKind::Memory {
            let bits = match insn.memory_size().size() {
                4 => 16,
                6 => 32,
                _ => 64,
            };
            let ea = self.ea(insn);
            let ip = self.load(bits, ea);
            let selector = self.load(16, Ea { disp: ea.disp + i64::from(bits / 8), ..ea });
            (selector, self.wide(ip), bits)
        } else {
            let (ip, bits) = match insn.op0_kind() {
                OpKind::FarBranch16 => (u64::from(insn.far_branch16()), 16),
                _ => (u64::from(insn.far_branch32()), 32),
            };
            (self.b.const64(u64::from(insn.far_branch_selector())), self.b.const64(ip), bits)
        };
        if call {
            let bytes = i64::from(bits / 8);
            let cs = self.get32(cpu::selector(Seg::Cs));
            let cs = self.retype(cs, bits);
            let ret = self.b.addr(self.next);
            let ret = self.retype(ret, bits);
            let (upper, lower) = (self.stack(-bytes), self.stack(-2 * bytes));
            let no = self.b.const64(0);
            self.call(id(SYSTEM, CHECK_CODE), Type::Void, &[selector, no]);
            self.store(bits, upper, cs);
            self.store(bits, lower, ret);
            self.add_sp(-2 * bytes);
        }
        self.go_far(selector, ip)
    }

    /// retf and iret.
    pub(crate) fn far_return(&mut self, insn: &Instruction) -> Flow {
        use iced_x86::Code as C;
        let (bits, extra) = match insn.code() {
            C::Retfw | C::Iretw => (16, 0),
            C::Retfd | C::Iretd => (32, 0),
            C::Retfw_imm16 => (16, i64::from(insn.immediate16())),
            C::Retfd_imm16 => (32, i64::from(insn.immediate16())),
            C::Retfq_imm16 => (64, i64::from(insn.immediate16())),
            _ => (64, 0),
        };
        let interrupt = insn.mnemonic() != Mnemonic::Retf;
        let bytes = i64::from(bits / 8);
        let at = self.stack(0);
        let ip = self.load(bits, at);
        let ip = self.wide(ip);
        let at = self.stack(bytes);
        let selector = self.load(16, at);
        let yes = self.b.const64(1);
        if !interrupt {
            self.call(id(SYSTEM, CHECK_CODE), Type::Void, &[selector, yes]);
            self.add_sp(2 * bytes + extra);
            return self.go_far(selector, ip);
        }
        let at = self.stack(2 * bytes);
        let image = self.load(bits, at);
        let image = self.narrow32(image);
        if self.long() {
            // 64-bit code pops the stack pointer and SS as well.
            let at = self.stack(3 * bytes);
            let sp = self.load(bits, at);
            let at = self.stack(4 * bytes);
            let ss = self.load(16, at);
            self.call(id(SYSTEM, CHECK_CODE), Type::Void, &[selector, yes]);
            let which = self.b.const64(Seg::Ss as u64);
            self.call(id(SYSTEM, LOAD_SEGMENT), Type::I64, &[which, ss]);
            let sp = self.wide(sp);
            self.b.set(cpu::gpr(cpu::RSP), sp);
        } else {
            self.call(id(SYSTEM, CHECK_CODE), Type::Void, &[selector, yes]);
            self.add_sp(3 * bytes);
        }
        self.set_eflags(image, bits);
        self.go_far(selector, ip)
    }

    /// lar, lsl, verr, verw: ZF says whether the selector is valid.
    fn ask_selector(&mut self, insn: &Instruction, what: Ask) -> Flow {
        let writes = matches!(what, Ask::Rights | Ask::Limit);
        let v = self.read(insn, u32::from(writes), 16);
        let v = self.wide(v);
        let v = self.b.zext16(v);
        let which = self.b.const64(what as u64);
        let answer = self.call(id(SYSTEM, ASK), Type::I64, &[which, v]);
        let n = self.b.const64(63);
        let valid = self.b.shr(answer, n);
        let f = self.is_zero(valid);
        if writes {
            let bits = op_bits(insn, 0);
            let (dst, old) = self.dest(insn, 0, bits);
            let new = self.retype(answer, bits);
            if bits == 16 {
                let new = self.b.bfi(old, new, 0, 16);
                let chosen = self.b.select(Cc::Ne, f, new, old);
                self.write_back(dst, bits, chosen);
            } else if let Dst::Reg(n) = dst {
                // An invalid selector leaves the whole register.
                let whole = self.r64(n);
                let new = self.b.trunc(answer);
                let new = self.b.zext32(new);
                let chosen = self.b.select(Cc::Ne, f, new, whole);
                self.b.set(cpu::gpr(n), chosen);
            }
        }
        let z = self.b.setcc(Type::I32, Cc::Ne, f);
        let n = self.b.const32(14);
        let packed = self.b.shl(z, n);
        let new = self.b.flags_unpack(packed);
        self.merge_flags(new, flag::Z);
        Flow::Next
    }

    /// sgdt, sidt: limit zero and the base.
    fn store_table(&mut self, insn: &Instruction, base: u64) -> Flow {
        let ea = self.ea(insn);
        let limit = self.b.const32(0);
        let base = self.b.const64(base);
        let bits = if self.long() { 64 } else { 32 };
        let after = Ea { disp: ea.disp + 2, ..ea };
        self.store(16, ea, limit);
        self.store(bits, after, base);
        Flow::Next
    }

    /// sldt, str, smsw: to memory 16 bits.
    fn store_word(&mut self, insn: &Instruction, value: u64) -> Flow {
        let dst = self.dest_only(insn, 0);
        let bits = if matches!(dst, Dst::Mem(_)) { 16 } else { op_bits(insn, 0) };
        let v = self.b.const64(value);
        let v = if bits == 32 { self.b.trunc(v) } else { v };
        self.write(dst, bits, v);
        Flow::Next
    }

    /// arpl: raises the destination's privilege level to the source's.
    fn arpl(&mut self, insn: &Instruction) -> Flow {
        let (dst, a) = self.dest(insn, 0, 16);
        let a = self.retype(a, 16);
        let b = self.read(insn, 1, 16);
        let three = self.b.const64(3);
        let (x, y) = (self.b.and(a, three), self.b.and(b, three));
        let d = self.b.sub(x, y);
        let f = self.b.flags_of(d);
        let raised = self.b.bfi(a, y, 0, 2);
        let new = self.b.select(Cc::Cc, f, raised, a);
        let z = self.b.setcc(Type::I32, Cc::Cc, f);
        self.write_back(dst, 16, new);
        let n = self.b.const32(14);
        let packed = self.b.shl(z, n);
        let f = self.b.flags_unpack(packed);
        self.merge_flags(f, flag::Z);
        Flow::Next
    }

    /// movdir64b: 64 bytes from memory to the address in a register, which must be aligned.
    fn movdir64b(&mut self, insn: &Instruction) -> Flow {
        let ea = self.ea(insn);
        let from = self.flat(ea);
        let to = self.reg_raw(insn.op0_register());
        let to = self.wide(to);
        let to = Ea { base: to, index: Val::NONE, scale: 0, disp: 0 };
        let to = self.in_segment(to, Some(Seg::Es));
        let to = self.flat(to);
        self.call(id(SYSTEM, COPY64), Type::Void, &[from, to]);
        Flow::Next
    }

    /// mov from a segment register.
    pub(crate) fn store_segment(&mut self, insn: &Instruction) {
        let bits = op_bits(insn, 0);
        let Some(seg) = segment(insn.op1_register()) else { return };
        let v = self.get32(cpu::selector(seg));
        let dst = self.dest_only(insn, 0);
        let bits = if matches!(dst, Dst::Mem(_)) { 16 } else { bits };
        let v = if bits == 64 { self.wide(v) } else { v };
        self.write(dst, bits, v);
    }
}

fn divide(_: &mut dyn Machine, args: &[u128; 4]) -> Result<u128, Stop> {
    let (low, high, by) = (args[0] as u64, args[1] as u64, args[2] as u64);
    let bad = Stop::Trap(TrapKind::Arithmetic, trap::DE);
    let dividend = u128::from(high) << 64 | u128::from(low);
    if args[3] == 0 {
        if by == 0 || high >= by {
            return Err(bad);
        }
        let (q, r) = (dividend / u128::from(by), dividend % u128::from(by));
        return Ok(q | r << 64);
    }
    let (dividend, by) = (dividend as i128, i128::from(by as i64));
    let (Some(q), Some(r)) = (dividend.checked_div(by), dividend.checked_rem(by)) else { return Err(bad) };
    if i64::try_from(q).is_err() {
        return Err(bad);
    }
    Ok(u128::from(q as u64) | u128::from(r as u64) << 64)
}

fn cpuid(_: &mut dyn Machine, args: &[u128; 4]) -> Result<u128, Stop> {
    let (leaf, sub) = (args[0] as u32, (args[0] >> 32) as u32);
    let model = &MODELS[(args[1] >> 8) as usize % MODELS.len()];
    let features = Features::from_raw(args[2] | args[3] << 64);
    let cpu = Cpu { bits: args[1] as u32 & 0xff, features, model };
    let r = crate::cpuid::cpuid(&cpu, leaf, sub);
    Ok(r.iter().rev().fold(0, |all, &word| all << 32 | u128::from(word)))
}

/// The time-stamp counter: nanoseconds, the same for all processes and never going back in one.
fn tsc(_: &mut dyn Machine, _: &[u128; 4]) -> Result<u128, Stop> {
    use std::sync::OnceLock;
    use std::time::{Instant, SystemTime, UNIX_EPOCH};
    static START: OnceLock<(u128, Instant)> = OnceLock::new();
    let (then, start) = START.get_or_init(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        (now, Instant::now())
    });
    Ok((then + start.elapsed().as_nanos()) & u128::from(u64::MAX))
}

fn random(_: &mut dyn Machine, _: &[u128; 4]) -> Result<u128, Stop> {
    use std::hash::{BuildHasher, Hasher, RandomState};
    // A keyed hash with keys from the system's entropy.
    Ok(RandomState::new().build_hasher().finish().into())
}

fn seg(n: u128) -> Seg {
    SEGS[n as usize % SEGS.len()]
}

fn load_segment(m: &mut dyn Machine, args: &[u128; 4]) -> Result<u128, Stop> {
    segments::load(m, seg(args[0]), args[1] as u64).map(u128::from)
}

fn load_code(m: &mut dyn Machine, args: &[u128; 4]) -> Result<u128, Stop> {
    segments::load_code(m, args[0] as u64, false)?;
    m.set_slot(cpu::FAR_TARGET, args[1]);
    Ok(0)
}

/// Only the checks of [`load_code`].
fn check_code(m: &mut dyn Machine, args: &[u128; 4]) -> Result<u128, Stop> {
    let slots = [cpu::selector(Seg::Cs), cpu::segment_base(Seg::Cs), cpu::CODE_SIZE];
    let old = slots.map(|s| m.slot(s));
    let result = segments::load_code(m, args[0] as u64, args[1] != 0);
    for (s, v) in slots.into_iter().zip(old) {
        m.set_slot(s, v);
    }
    result.map(|()| 0)
}

fn set_base(m: &mut dyn Machine, args: &[u128; 4]) -> Result<u128, Stop> {
    let value = args[1] as u64;
    if (value as i64) << 16 >> 16 != value as i64 {
        return Err(Stop::Trap(TrapKind::Service, trap::GP));
    }
    m.set_slot(cpu::segment_base(seg(args[0])), value.into());
    Ok(0)
}

/// Bit 63 and the answer if the selector is valid, else zero.
fn ask(m: &mut dyn Machine, args: &[u128; 4]) -> Result<u128, Stop> {
    let what = [Ask::Rights, Ask::Limit, Ask::Readable, Ask::Writable][args[0] as usize & 3];
    Ok(segments::ask(m, what, args[1] as u64).map_or(0, |v| 1 << 63 | u128::from(v)))
}

fn copy64(m: &mut dyn Machine, args: &[u128; 4]) -> Result<u128, Stop> {
    let mut buf = [0; 64];
    m.load(args[0] as u64, &mut buf)?;
    let to = args[1] as u64;
    if to & 63 != 0 {
        return Err(Stop::Trap(TrapKind::Service, trap::GP));
    }
    m.store(to, &buf)?;
    Ok(0)
}

/// Helpers of this group.
pub(crate) fn helpers() -> Vec<HelperDesc> {
    let mut segments: Vec<SlotId> =
        SEGS.into_iter().flat_map(|s| [cpu::selector(s), cpu::segment_base(s)]).collect();
    segments.extend([cpu::CODE_SIZE, cpu::FAR_TARGET, cpu::tls(0), cpu::tls(1), cpu::tls(2)]);
    let faults = |d: HelperDesc| HelperDesc { may_fault: true, ..d };
    let touches = |d: HelperDesc| HelperDesc {
        reads: SlotSet::Some(segments.clone()),
        writes: SlotSet::Some(segments.clone()),
        ..d
    };
    vec![
        faults(plain("divide", divide)),
        plain("cpuid", cpuid),
        plain("tsc", tsc),
        plain("random", random),
        faults(touches(plain("load_segment", load_segment))),
        faults(touches(plain("load_code", load_code))),
        faults(touches(plain("check_code", check_code))),
        faults(touches(plain("set_base", set_base))),
        touches(plain("ask", ask)),
        faults(plain("copy64", copy64)),
    ]
}
