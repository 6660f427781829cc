//! What tests of this and other crates share: a random generator, random regions, a small guest and its machine.
//!
//! The regions use every operation of the table that a verifier accepts, so passes and back ends can be compared with
//! the interpreter on all of them.

use crate::*;
use std::ops::Range;

/// A small random generator (xorshift64*): equal seeds give equal runs everywhere.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator; any seed.
    pub fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        ((self.bits() >> 32) as usize) % n
    }
    /// One of the items.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
    /// True one time in `n`.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
    /// An interesting 64-bit number.
    pub fn number(&mut self) -> u64 {
        match self.below(6) {
            0 => self.bits() & 0xff,
            1 => (self.bits() & 0xff).wrapping_neg(),
            2 => 1 << self.below(64),
            3 => u64::MAX >> self.below(64),
            4 => u64::from(self.bits() as u32),
            _ => self.bits(),
        }
    }
    /// An interesting vector: random, small, or with ordinary and special floating-point lanes.
    pub fn vector(&mut self) -> u128 {
        let special = [
            0x3f80_0000_bf80_0000u64,
            0x7f80_0000_0000_0001,
            0x7fc0_0000_ffa0_0001,
            0x3ff0_0000_0000_0000,
            0xfff8_0000_0000_0000,
            0x0000_0000_0080_0000,
            0x3c00_bc00_7c00_7e01,
            0x4049_0fdb_c2f6_e979,
            // Ties, and the borders of the integers.
            0x4004_0000_0000_0000,
            0xbfe0_0000_0000_0000,
            0x4020_0000_bf00_0000,
            0x41df_ffff_ffe0_0000,
            0xc1e0_0000_0010_0000,
            0x43e0_0000_0000_0000,
            0x41ef_ffff_fff0_0000,
            0x4f00_0000_5f7f_ffff,
            0x8000_0000_0000_0000,
            0,
            u64::MAX,
        ];
        let mut half = || if self.one_in(2) { self.pick(&special) } else { self.number() };
        u128::from(half()) << 64 | u128::from(half())
    }
}

/// Drives a fuzz target: calls `case` for `OMNIRUN_FUZZ_SECONDS` (by default `seconds`), with a generator seeded from
/// `OMNIRUN_SEED` (by default 1). Prints the seed first, since a panic ends the run; returns the number of cases.
pub fn fuzz(target: &str, seconds: u64, mut case: impl FnMut(&mut Rng)) -> u64 {
    let number = |name: &str| std::env::var(name).ok().and_then(|s| s.parse::<u64>().ok());
    let seed = number("OMNIRUN_SEED").unwrap_or(1);
    let time = std::time::Duration::from_secs(number("OMNIRUN_FUZZ_SECONDS").unwrap_or(seconds));
    println!("{target}: seed {seed}, {} s", time.as_secs());
    let (mut rng, start, mut cases) = (Rng::new(seed), std::time::Instant::now(), 0);
    while start.elapsed() < time {
        case(&mut rng);
        cases += 1;
    }
    println!("{target}: {cases} cases");
    cases
}

/// Guest addresses of the toy's memory.
pub const MEMORY: Range<u64> = 0x1_0000..0x1_1000;

const INTS: usize = 16;
const VECTORS: usize = 8;

/// A guest that has slots (x0 to x15, w, nzcv, v0 to v7) and two helpers, and translates nothing.
#[derive(Debug)]
pub struct ToyGuest {
    slots: SlotTable,
    helpers: Vec<HelperDesc>,
}

impl Default for ToyGuest {
    fn default() -> ToyGuest {
        ToyGuest::new()
    }
}

const X_NAMES: [&str; INTS] =
    ["x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15"];
const V_NAMES: [&str; VECTORS] = ["v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7"];
const W_SLOT: SlotId = SlotId(INTS as u16);
const FLAGS_SLOT: SlotId = SlotId(INTS as u16 + 1);

fn int_slot(i: usize) -> SlotId {
    SlotId(i as u16)
}

fn vec_slot(i: usize) -> SlotId {
    SlotId((INTS + 2 + i) as u16)
}

/// x3 = x1 + argument; result is the old x3.
fn helper_slots(m: &mut dyn Machine, args: &[u128; 4]) -> Result<u128, Stop> {
    let sum = m.slot(int_slot(1)).wrapping_add(args[0]);
    let old = m.slot(int_slot(3));
    m.set_slot(int_slot(3), sum);
    Ok(old)
}

/// Adds its arguments.
fn helper_pure(_m: &mut dyn Machine, args: &[u128; 4]) -> Result<u128, Stop> {
    Ok(args[0].wrapping_add(args[1].rotate_left(7)))
}

impl ToyGuest {
    /// The guest.
    pub fn new() -> ToyGuest {
        let mut slots = Vec::new();
        for (i, name) in X_NAMES.into_iter().enumerate() {
            slots.push(SlotDesc { name, ty: Type::I64, offset: i as u32 * 8 });
        }
        slots.push(SlotDesc { name: "w", ty: Type::I32, offset: 128 });
        slots.push(SlotDesc { name: "nzcv", ty: Type::Flags, offset: 132 });
        for (i, name) in V_NAMES.into_iter().enumerate() {
            slots.push(SlotDesc { name, ty: Type::V128, offset: 144 + i as u32 * 16 });
        }
        let size = 144 + VECTORS as u32 * 16;
        let helper = |name, func: HelperFn, reads, writes, pure_fn| HelperDesc {
            name,
            func,
            reads,
            writes,
            may_fault: false,
            pure_fn,
        };
        ToyGuest {
            slots: SlotTable {
                slots,
                size,
                pin_int: (0..INTS - 2).map(int_slot).collect(),
                pin_vec: (0..VECTORS - 2).map(vec_slot).collect(),
            },
            helpers: vec![
                helper(
                    "slots",
                    helper_slots,
                    SlotSet::Some(vec![int_slot(1), int_slot(3)]),
                    SlotSet::Some(vec![int_slot(3)]),
                    false,
                ),
                helper("mix", helper_pure, SlotSet::None, SlotSet::None, true),
            ],
        }
    }
}

impl Guest for ToyGuest {
    fn name(&self) -> &'static str {
        "toy"
    }
    fn slots(&self) -> &SlotTable {
        &self.slots
    }
    fn helpers(&self) -> &[HelperDesc] {
        &self.helpers
    }
    fn mode(&self, _state: &[u8]) -> u64 {
        0
    }
    fn insn_align_log2(&self) -> u32 {
        2
    }
    fn translate_block(&self, req: &BlockRequest<'_>, b: &mut Builder) {
        b.begin_block(req.pc);
        b.end_block(Term::Trap { kind: TrapKind::Illegal, pc: req.pc, info: 0 }, req.pc);
    }
    fn disassemble(&self, _pc: u64, _code: &[u8]) -> Vec<(u64, Range<usize>, String)> {
        Vec::new()
    }
}

/// The state of a guest and a piece of flat memory.
#[derive(Clone, Debug)]
pub struct ToyMachine {
    slots: SlotTable,
    /// The guest part of the state block.
    pub state: Vec<u8>,
    /// Address of the first byte of memory.
    pub base: u64,
    /// Memory.
    pub memory: Vec<u8>,
    /// Sticky state.
    pub fp: FpState,
    /// Monitor.
    pub monitor: Monitor,
    /// What [`Machine::invalidate_code`] was called with.
    pub invalidated: Vec<(u64, u64)>,
}

impl ToyMachine {
    /// A machine with all slots zero and this memory.
    pub fn new(slots: SlotTable, base: u64, memory: Vec<u8>) -> ToyMachine {
        ToyMachine {
            state: vec![0; slots.size as usize],
            slots,
            base,
            memory,
            fp: FpState::default(),
            monitor: Monitor { addr: u64::MAX, size: 0, value: 0 },
            invalidated: Vec::new(),
        }
    }

    /// A machine with random contents at [`MEMORY`]; many 64-bit slots point into memory.
    pub fn random(guest: &dyn Guest, rng: &mut Rng) -> ToyMachine {
        let memory = (MEMORY.start..MEMORY.end).map(|_| rng.bits() as u8).collect();
        let mut m = ToyMachine::new(guest.slots().clone(), MEMORY.start, memory);
        m.fp.round = rng.below(4) as u32;
        for i in 0..m.slots.slots.len() {
            let v = match m.slots.slots[i].ty {
                Type::I64 if rng.one_in(2) => u128::from(MEMORY.start + rng.bits() % 0xff0),
                Type::I64 => rng.number().into(),
                Type::I32 => u128::from(rng.bits() as u32),
                Type::Flags => (rng.bits() & 63).into(),
                Type::V128 | Type::Void => rng.vector(),
            };
            let half = guest.half_slots().contains(&(i as u16));
            m.set_slot(SlotId(i as u16), if half { u128::from(v as u64) } else { v });
        }
        m
    }

    /// Every slot's value by name, flags in canonical form.
    pub fn registers(&mut self) -> Vec<(&'static str, u128)> {
        let names: Vec<&'static str> = self.slots.slots.iter().map(|s| s.name).collect();
        names.into_iter().enumerate().map(|(i, n)| (n, self.slot(SlotId(i as u16)))).collect()
    }

    fn range(&self, addr: u64, len: usize, write: bool) -> Result<Range<usize>, Stop> {
        let (at, size) = (addr.wrapping_sub(self.base), self.memory.len() as u64);
        if at >= size {
            return Err(Stop::Fault { addr, write });
        }
        if at + len as u64 > size {
            return Err(Stop::Fault { addr: self.base + size, write });
        }
        Ok(at as usize..at as usize + len)
    }
}

impl Machine for ToyMachine {
    fn state(&mut self) -> &mut [u8] {
        &mut self.state
    }
    fn slots(&self) -> &SlotTable {
        &self.slots
    }
    fn fp(&mut self) -> &mut FpState {
        &mut self.fp
    }
    fn monitor(&mut self) -> &mut Monitor {
        &mut self.monitor
    }
    fn load(&mut self, addr: u64, buf: &mut [u8]) -> Result<(), Stop> {
        let r = self.range(addr, buf.len(), false)?;
        buf.copy_from_slice(&self.memory[r]);
        Ok(())
    }
    fn store(&mut self, addr: u64, data: &[u8]) -> Result<(), Stop> {
        let r = self.range(addr, data.len(), true)?;
        self.memory[r].copy_from_slice(data);
        Ok(())
    }
    fn cas(&mut self, addr: u64, size: Size, expected: u128, new: u128) -> Result<u128, Stop> {
        let n = size.bytes();
        let r = self.range(addr, n, true)?;
        let mut buf = [0; 16];
        buf[..n].copy_from_slice(&self.memory[r.clone()]);
        let old = u128::from_le_bytes(buf);
        if old == expected {
            self.memory[r].copy_from_slice(&new.to_le_bytes()[..n]);
        }
        Ok(old)
    }
    fn fence(&mut self) {}
    fn invalidate_code(&mut self, addr: u64, len: u64) {
        self.invalidated.push((addr, len));
    }
}

/// Makes random regions.
#[derive(Debug)]
pub struct RegionMaker<'a> {
    rng: &'a mut Rng,
    b: Builder,
    /// Values of the open block by type: I32, I64, V128, Flags.
    values: [Vec<Val>; 4],
    /// Only operations of these kinds of effect.
    ops: Vec<Op>,
}

fn class(ty: Type) -> usize {
    match ty {
        Type::I32 => 0,
        Type::I64 | Type::Void => 1,
        Type::V128 => 2,
        Type::Flags => 3,
    }
}

/// A random region of `blocks` blocks with about `len` operations each, over the operations that `allowed` accepts.
/// Blocks start at 0x1000, 0x1100 and so on; every transfer goes to one of these, to 0x9000 or onwards.
pub fn random_region(rng: &mut Rng, blocks: usize, len: usize, allowed: fn(Op) -> bool) -> Region {
    let ops = Op::ALL
        .iter()
        .copied()
        .filter(|&op| !matches!(op, Op::Nop | Op::Insn | Op::InvalCode | Op::Defer) && allowed(op))
        .collect();
    let mut maker = RegionMaker { rng, b: Builder::new(0), values: Default::default(), ops };
    for i in 0..blocks {
        maker.block(i, blocks, len);
    }
    maker.b.finish()
}

fn block_pc(i: usize) -> u64 {
    0x1000 + 0x100 * i as u64
}

impl RegionMaker<'_> {
    fn block(&mut self, index: usize, blocks: usize, len: usize) {
        for v in &mut self.values {
            v.clear();
        }
        let pc = block_pc(index);
        self.b.begin_block(pc);
        self.b.insn(pc);
        for k in 0..len {
            if self.rng.one_in(4) {
                self.b.insn(pc + 4 * (k as u64 % 60) + 4);
            }
            let op = if self.rng.one_in(4) { Op::Set } else { self.rng.pick(&self.ops) };
            self.op(op);
        }
        let to = |rng: &mut Rng| {
            let n = rng.below(blocks + 1);
            // Mostly forward, so that a run ends.
            Target::Pc(if n <= index && !rng.one_in(8) { 0x9000 } else { block_pc(n) })
        };
        let term = match self.rng.below(6) {
            0 => Term::Indirect { addr: self.value(Type::I64) },
            1 => Term::Syscall { next: pc + 0x100 },
            2 => Term::Jump(to(self.rng)),
            _ => {
                let flags = self.value(Type::Flags);
                let cc = self.rng.pick(&Cc::ALL);
                Term::Branch { flags, cc, then: to(self.rng), els: to(self.rng) }
            }
        };
        self.b.end_block(term, pc + 0xf8);
    }

    fn keep(&mut self, v: Val) -> Val {
        let ty = self.b.ty(v);
        if ty != Type::Void {
            self.values[class(ty)].push(v);
        }
        v
    }

    /// A value of the type: an earlier one, a constant or a slot's.
    fn value(&mut self, ty: Type) -> Val {
        let pool = &self.values[class(ty)];
        if !pool.is_empty() && !self.rng.one_in(3) {
            // Recent values more often than old ones.
            let back = self.rng.below(pool.len()).min(self.rng.below(pool.len()));
            return pool[pool.len() - 1 - back];
        }
        let v = match ty {
            Type::I32 if self.rng.one_in(2) => self.b.get(W_SLOT, Type::I32),
            Type::I32 => {
                let n = self.rng.number();
                self.b.iconst(Type::I32, n)
            }
            Type::I64 | Type::Void if self.rng.one_in(3) => {
                let n = self.rng.number();
                self.b.iconst(Type::I64, n)
            }
            Type::I64 | Type::Void => {
                let s = int_slot(self.rng.below(INTS));
                self.b.get(s, Type::I64)
            }
            Type::V128 => {
                let s = vec_slot(self.rng.below(VECTORS));
                self.b.get(s, Type::V128)
            }
            Type::Flags => self.b.get(FLAGS_SLOT, Type::Flags),
        };
        self.keep(v)
    }

    fn shape(&mut self, lanes: &[Size]) -> Shape {
        let lane = self.rng.pick(lanes);
        Shape::full(lane, self.rng.one_in(2))
    }

    fn fp(&mut self, lanes: &[Size]) -> Fp {
        let round = self.rng.pick(&[
            Round::Dynamic,
            Round::Dynamic,
            Round::Nearest,
            Round::Zero,
            Round::Up,
            Round::Down,
            Round::NearestAway,
        ]);
        let plain = !self.rng.one_in(4);
        let rules = FpRules {
            nan: self.rng.pick(&[NanRule::Arm, NanRule::Default]),
            tiny_before: true,
            flush_in: !plain && self.rng.one_in(2),
            flush_out: !plain && self.rng.one_in(2),
            flush_half: !plain && self.rng.one_in(2),
            alternate: false,
        };
        let shape = self.shape(lanes);
        let shape = if self.rng.one_in(2) { Shape::scalar(shape.lane) } else { shape };
        Fp { shape, round, rules }
    }

    /// Base and index of an access: mostly into the memory.
    fn address(&mut self) -> Val {
        let mask = self.b.const64(0xfe0);
        let start = self.b.const64(MEMORY.start);
        let any = self.value(Type::I64);
        let low = self.b.and(any, mask);
        self.b.add(low, start)
    }

    fn mem(&mut self, ty: Type) -> Mem {
        let sizes: &[Size] = match ty {
            Type::I32 => &[Size::B, Size::H, Size::S],
            Type::I64 | Type::Void | Type::Flags => &[Size::B, Size::H, Size::S, Size::D],
            Type::V128 => &[Size::B, Size::H, Size::S, Size::D, Size::Q],
        };
        let mut m = Mem::plain(self.rng.pick(sizes));
        if ty != Type::V128 && self.rng.one_in(3) {
            m.ext = Ext::Sign;
        }
        m
    }

    /// Appends `op` with random arguments, attribute and immediate.
    fn op(&mut self, op: Op) {
        let info = op.info();
        let t = self.rng.pick(&[Type::I32, Type::I64]);
        match op {
            // Only before an exit, and nothing here has modes.
            Op::SetMode => {}
            Op::Set => {
                let ty = self.rng.pick(&[Type::I64, Type::I64, Type::I32, Type::V128, Type::Flags]);
                let v = self.value(ty);
                let slot = self.slot(ty);
                self.b.set(slot, v);
            }
            Op::Get => {
                let ty = self.rng.pick(&[Type::I64, Type::I32, Type::V128, Type::Flags]);
                let slot = self.slot(ty);
                let v = self.b.get(slot, ty);
                self.keep(v);
            }
            Op::Call => {
                let h = HelperId(self.rng.below(2) as u16);
                let (a, b) = (self.value(Type::I64), self.value(Type::I64));
                let v = self.b.call(h, Type::I64, &[a, b]);
                self.keep(v);
            }
            Op::FlagsOf => {
                let made = self.rng.pick(&[
                    Op::Add,
                    Op::Sub,
                    Op::Adc,
                    Op::Sbc,
                    Op::And,
                    Op::Or,
                    Op::Xor,
                    Op::Neg,
                    Op::Shl,
                    Op::Shr,
                    Op::Sar,
                    Op::LAdd,
                    Op::LSub,
                    Op::LAdc,
                    Op::LSbc,
                    Op::LAnd,
                    Op::LOr,
                    Op::LXor,
                    Op::LNeg,
                    Op::LShl,
                    Op::LShr,
                    Op::LSar,
                ]);
                let (x, y) = (self.value(t), self.value(t));
                let f = self.value(Type::Flags);
                let shift = matches!(made, Op::Shl | Op::Shr | Op::Sar | Op::LShl | Op::LShr | Op::LSar);
                let y = if shift {
                    // The flags of a shift by zero are unspecified.
                    let one = self.b.iconst(t, 1);
                    self.b.push(Op::Or, t, Attr::None, &[y, one], 0)
                } else {
                    y
                };
                let args = match made {
                    Op::Adc | Op::Sbc | Op::LAdc | Op::LSbc => vec![x, y, f],
                    Op::Neg | Op::LNeg => vec![x],
                    _ => vec![x, y],
                };
                let imm = self.narrow_imm(made);
                let r = self.b.push(made, t, Attr::None, &args, imm);
                self.keep(r);
                let flags = if self.rng.one_in(2) { self.b.flags_of(r) } else { self.b.flags_turned(r) };
                self.keep(flags);
            }
            _ if info.attr == AttrKind::Mem || info.attr == AttrKind::Rmw => self.access(op, t),
            _ => self.plain(op, t),
        }
    }

    /// The immediate of an operation that may be narrow or a subtraction with borrow.
    fn narrow_imm(&mut self, op: Op) -> u64 {
        let width = if op.info().text.starts_with('l') { self.rng.pick(&[8, 16]) } else { 0 };
        width | if matches!(op, Op::Sbc | Op::LSbc) { self.rng.pick(&[0, 256]) } else { 0 }
    }

    fn slot(&mut self, ty: Type) -> SlotId {
        match ty {
            Type::I32 => W_SLOT,
            Type::I64 | Type::Void => int_slot(self.rng.below(INTS)),
            Type::V128 => vec_slot(self.rng.below(VECTORS)),
            Type::Flags => FLAGS_SLOT,
        }
    }

    fn access(&mut self, op: Op, t: Type) {
        let masked = matches!(op, Op::VLoadMask | Op::VStoreMask);
        let vector = masked || matches!(op, Op::VLoad | Op::VStore | Op::Cas128 | Op::Ll128 | Op::Sc128);
        let ty = if vector { Type::V128 } else { t };
        let mut m = self.mem(ty);
        let base = self.address();
        let indexed = masked || matches!(op, Op::Load | Op::Store | Op::VLoad | Op::VStore | Op::Prefetch);
        if masked && m.size == Size::Q {
            m.size = Size::D;
        }
        let mut args = vec![base];
        let mut imm = 0;
        if indexed {
            m.scale = if self.rng.one_in(2) { 0 } else { self.rng.below(4) as u8 };
            let small = self.b.const64(3);
            args.push(if self.rng.one_in(2) { Val::NONE } else { small });
            imm = (self.rng.below(24) as u64).wrapping_sub(8);
        } else {
            m.ext = Ext::Zero;
            if vector {
                m.size = Size::Q;
            }
        }
        if !masked && self.rng.one_in(4) {
            m.order = match op.info().effect {
                Effect::Load => Order::Acquire,
                _ if indexed => Order::Release,
                _ => Order::AcqRel,
            };
        }
        for _ in args.len()..op.info().args.len() {
            let kind = op.info().args[args.len()];
            let v = self.value(if kind == Kind::X { Type::I64 } else { ty });
            args.push(v);
        }
        let attr = if op == Op::AtomicRmw {
            let all = [
                Rmw::Add,
                Rmw::AndNot,
                Rmw::And,
                Rmw::Or,
                Rmw::Xor,
                Rmw::SMax,
                Rmw::SMin,
                Rmw::UMax,
                Rmw::UMin,
                Rmw::Swap,
            ];
            Attr::Rmw(m, self.rng.pick(&all))
        } else {
            Attr::Mem(m)
        };
        let result = match op.info().result {
            Kind::Void => Type::Void,
            Kind::W => Type::I32,
            Kind::T | Kind::X | Kind::XOpt | Kind::V | Kind::F | Kind::Any | Kind::AnyOpt => ty,
        };
        let v = self.b.push(op, result, attr, &args, imm);
        self.keep(v);
    }

    fn plain(&mut self, op: Op, t: Type) {
        let info = op.info();
        let mut t = t;
        let mut imm = self.rng.number();
        let width = |t: Type| if t == Type::I32 { 32u64 } else { 64 };
        let attr = self.attribute(op, t);
        let bits = match attr {
            Attr::Vec(s) => u64::from(s.lane.bits()),
            _ => 64,
        };
        let lanes = (128 / bits).max(1);
        match op {
            Op::Crc32 => {
                let n = self.rng.below(4) as u64;
                t = if n == 3 { Type::I64 } else { Type::I32 };
                imm = n | (self.rng.below(2) as u64) << 8;
            }
            Op::Extr => imm %= width(t),
            Op::Ubfx | Op::Sbfx | Op::Bfi => {
                let lsb = self.rng.below(width(t) as usize) as u64;
                imm = lsb | (1 + self.rng.below((width(t) - lsb) as usize) as u64) << 8;
            }
            Op::VDupLane | Op::VIns | Op::VGetU | Op::VGetS => imm %= lanes,
            Op::VInsLane => imm = self.rng.below(lanes as usize) as u64 | (imm % lanes) << 8,
            Op::VShlI | Op::VQshluI | Op::VSliI => imm %= bits,
            Op::VShrI | Op::VSarI | Op::VRshrI | Op::VRsarI | Op::VSriI => imm = 1 + imm % bits,
            Op::VQshrnU | Op::VQshrnS | Op::VQshrnSu => {
                imm = (1 + imm % bits) | if self.rng.one_in(2) { 256 } else { 0 };
            }
            Op::FCadd => imm = self.rng.pick(&[90, 270]),
            Op::FCmla => imm = self.rng.pick(&[0, 90, 180, 270]),
            Op::FRintN => imm = self.rng.pick(&[32, 64]),
            Op::FlagsMerge => imm &= 63,
            Op::LAdd
            | Op::LSub
            | Op::LAdc
            | Op::LSbc
            | Op::LAnd
            | Op::LOr
            | Op::LXor
            | Op::LNeg
            | Op::LShl
            | Op::LShr
            | Op::LSar => imm = self.narrow_imm(op),
            Op::VRev => {
                let log = bits.trailing_zeros() as usize - 3;
                imm = (log + 1 + self.rng.below(3 - log)) as u64;
            }
            Op::VFromMask => imm = self.rng.below(32) as u64,
            Op::VTern => imm &= 255,
            Op::FCmpP => imm &= 31,
            Op::VPerm => {
                let mut bytes = [0u8; 8];
                for b in &mut bytes {
                    *b = if self.rng.one_in(8) { 0x80 } else { self.rng.below(2 * lanes as usize) as u8 };
                }
                imm = u64::from_le_bytes(bytes);
            }
            Op::VExt => imm %= if let Attr::Vec(s) = attr { s.bytes() as u64 } else { 16 },
            Op::VTbl => imm = self.rng.below(4) as u64,
            Op::FToS | Op::FToU => {
                imm = if self.rng.one_in(2) { 0 } else { self.rng.below(width(t) as usize) as u64 };
                imm |= if self.rng.one_in(2) { NAN_IS_MAX } else { 0 };
            }
            Op::SToF | Op::UToF => imm = self.rng.below(width(t) as usize) as u64,
            Op::VFToS | Op::VFToU | Op::VSToF | Op::VUToF => imm = self.rng.below(16) as u64,
            Op::FCvt => imm = self.rng.pick(&[0, 0, 1]),
            Op::FWidenH => imm = self.rng.pick(&[0, 4]),
            Op::FSqrt | Op::FMa => {
                let scalar = matches!(attr, Attr::Fp(f) if f.shape.lanes == 1);
                imm &= if op == Op::FMa { 7 } else { 0 };
                imm |= if scalar && self.rng.one_in(2) { MERGE } else { 0 };
            }
            Op::FCmp => imm &= 3,
            Op::GetFpFlags | Op::SetFpFlags => imm = self.rng.pick(&[0, 2]),
            Op::CondFlags | Op::Const | Op::Addr | Op::VConst => {}
            Op::Sm3Tt1A | Op::Sm3Tt1B | Op::Sm3Tt2A | Op::Sm3Tt2B => imm &= 3,
            _ if matches!(attr, Attr::Vec(_) | Attr::Fp(_)) => imm &= 1,
            Op::Fence => imm %= 3,
            _ => imm = 0,
        }
        let mut args = Vec::new();
        for &kind in info.args {
            let ty = match kind {
                Kind::T => t,
                Kind::W => Type::I32,
                Kind::X | Kind::XOpt | Kind::Any | Kind::AnyOpt | Kind::Void => Type::I64,
                Kind::V => Type::V128,
                Kind::F => Type::Flags,
            };
            let v = self.value(ty);
            args.push(v);
        }
        if op == Op::SetRound {
            args[0] = {
                let n = self.rng.below(4) as u32;
                self.b.const32(n)
            };
        }
        let attr = match (op, attr) {
            (Op::SToF | Op::UToF, Attr::FpCvt(fp, _)) => {
                Attr::FpCvt(fp, if t == Type::I32 { Size::S } else { Size::D })
            }
            (_, a) => a,
        };
        let ty = match info.result {
            Kind::T => t,
            Kind::W => Type::I32,
            Kind::X | Kind::XOpt | Kind::Any | Kind::AnyOpt => Type::I64,
            Kind::V => Type::V128,
            Kind::F => Type::Flags,
            Kind::Void => Type::Void,
        };
        let imm = if op == Op::Const && ty == Type::I32 { u64::from(imm as u32) } else { imm };
        let v = self.b.push(op, ty, attr, &args, imm);
        self.keep(v);
    }

    fn attribute(&mut self, op: Op, _t: Type) -> Attr {
        use Size::{B, D, H, Q, S};
        match op.info().attr {
            AttrKind::Cc => Attr::Cc(self.rng.pick(&Cc::ALL)),
            AttrKind::Vec => {
                let lanes: &[Size] = match op {
                    Op::VConst => &[D],
                    Op::VPerm => &[H, S, D],
                    Op::VPackS | Op::VPackU => &[B, H, S],
                    Op::VMulHS | Op::VMulHU | Op::VMulHR | Op::VMaddUs => &[H],
                    Op::VMaddS => &[S],
                    Op::VSad | Op::VMulLoS | Op::VMulLoU => &[D],
                    Op::VShufB => &[B],
                    Op::VTbl | Op::VExt | Op::VPmul | Op::VCnt => &[B],
                    Op::VRev => &[B, H, S],
                    Op::VQdmulh | Op::VQrdmulh | Op::VQrdmlah | Op::VQrdmlsh => &[H, S],
                    Op::VWidenS | Op::VWidenU | Op::VMullS | Op::VMullU | Op::VAddlpS | Op::VAddlpU => {
                        &[H, S, D]
                    }
                    Op::VQdmull => &[S, D],
                    Op::VPmull => &[H, Q],
                    Op::VDotS | Op::VDotU | Op::VDotUs | Op::VMmlaS | Op::VMmlaU | Op::VMmlaUs => &[S],
                    Op::VUrecpe | Op::VUrsqrte | Op::FRcp | Op::FRsqrt => &[S],
                    Op::VRedAddlS | Op::VRedAddlU | Op::VNarrow => &[B, H, S],
                    Op::VQnarrowS
                    | Op::VQnarrowU
                    | Op::VQnarrowSu
                    | Op::VQshrnU
                    | Op::VQshrnS
                    | Op::VQshrnSu
                    | Op::VClz
                    | Op::VCls
                    | Op::VMul => &[B, H, S],
                    Op::FRcp14 | Op::FRsqrt14 => &[S, D],
                    Op::FNeg | Op::FAbs => &[H, S, D],
                    _ => &[B, H, S, D],
                };
                let mut s = self.shape(lanes);
                let full = matches!(
                    op,
                    Op::VWidenS
                        | Op::VWidenU
                        | Op::VMullS
                        | Op::VMullU
                        | Op::VQdmull
                        | Op::VPmull
                        | Op::VPerm
                        | Op::VPackS
                        | Op::VPackU
                        | Op::VShufB
                        | Op::VMaddS
                        | Op::VMaddUs
                        | Op::VSad
                        | Op::VMulLoS
                        | Op::VMulLoU
                        | Op::VPsub
                        | Op::VTest
                );
                let narrow = op.info().text.contains("narrow") || op.info().text.contains("shrn");
                let matrix = matches!(op, Op::VMmlaS | Op::VMmlaU | Op::VMmlaUs);
                if s.lane == Q || full || matrix {
                    s = Shape::full(s.lane, true);
                } else if narrow {
                    s = Shape::full(s.lane, false);
                }
                // Permutations and pairs need two lanes.
                Attr::Vec(if s.lanes == 1 && s.lane == D { Shape::new(D, 2) } else { s })
            }
            AttrKind::Fp => {
                let mut fp = match op {
                    Op::FJcvt => self.fp(&[D]),
                    Op::FRintN => self.fp(&[S, D]),
                    Op::FWidenH | Op::BfDot | Op::BfMmla => self.fp(&[S]),
                    _ => self.fp(&[H, S, D]),
                };
                let pairs = matches!(
                    op,
                    Op::FPadd
                        | Op::FPsub
                        | Op::FPmax
                        | Op::FPmin
                        | Op::FPmaxNm
                        | Op::FPminNm
                        | Op::FCadd
                        | Op::FCmla
                );
                match op {
                    Op::FCmp | Op::FComi | Op::FJcvt => fp.shape = Shape::scalar(fp.shape.lane),
                    Op::FWidenH | Op::BfMmla => fp.shape = Shape::new(S, 4),
                    _ if pairs || op == Op::BfDot => fp.shape = Shape::full(fp.shape.lane, true),
                    _ => {}
                }
                Attr::Fp(fp)
            }
            AttrKind::FpCvt => {
                let mut fp = self.fp(&[H, S, D]);
                if op == Op::FCvt {
                    let to = match fp.shape.lane {
                        H => self.rng.pick(&[S, D]),
                        S => self.rng.pick(&[H, D]),
                        _ => self.rng.pick(&[H, S]),
                    };
                    let two = (H, D) != (fp.shape.lane, to) && (D, H) != (fp.shape.lane, to);
                    let wide = if two && self.rng.one_in(2) { 2 } else { 1 };
                    fp.shape = Shape::new(fp.shape.lane, wide);
                    return Attr::FpCvt(fp, to);
                }
                if matches!(op, Op::FToS | Op::FToU | Op::SToF | Op::UToF) {
                    fp.shape = Shape::scalar(fp.shape.lane);
                }
                Attr::FpCvt(fp, fp.shape.lane)
            }
            AttrKind::None | AttrKind::Mem | AttrKind::Rmw | AttrKind::Slot | AttrKind::Helper => Attr::None,
        }
    }
}

/// Runs a region from its first block for at most `steps` transfers inside it, on the interpreter; how it left.
pub fn interpret(
    region: &Region,
    guest: &dyn Guest,
    machine: &mut dyn Machine,
    steps: usize,
) -> interp::BlockExit {
    let mut block = BlockId(0);
    for _ in 1..steps {
        match interp::run_block(region, block, machine, guest.helpers()) {
            interp::BlockExit::Next(pc) => match region.block_at(pc) {
                Some(next) => block = next,
                None => return interp::BlockExit::Next(pc),
            },
            exit => return exit,
        }
    }
    interp::BlockExit::Next(region.blocks[block.0 as usize].pc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_regions_verify_and_read_back() {
        let guest = ToyGuest::new();
        let mut rng = Rng::new(1);
        for _ in 0..2000 {
            let (blocks, len) = (1 + rng.below(4), 1 + rng.below(40));
            let r = random_region(&mut rng, blocks, len, |_| true);
            verify(&r, &guest).expect("a valid region");
            let text = text::print(&r, &guest);
            let back = parse(&text, &guest).expect("text that reads back");
            assert_eq!(back, r, "{text}");
        }
    }

    #[test]
    fn random_regions_run() {
        let guest = ToyGuest::new();
        let mut rng = Rng::new(2);
        for _ in 0..2000 {
            let r = random_region(&mut rng, 3, 30, |_| true);
            let mut m = ToyMachine::random(&guest, &mut rng);
            interpret(&r, &guest, &mut m, 20);
        }
    }

    #[test]
    fn the_verifier_refuses_wrong_regions() {
        let guest = ToyGuest::new();
        let refuse = |text: &str, why: &str| {
            let text = format!("region mode=0x0\nblock 0 pc=0x0 end=0x4 entry\n{text}\n  jump pc 0x4\n");
            let r = parse(&text, &guest).expect("readable");
            let e = verify(&r, &guest).expect_err("a wrong region");
            assert!(e.contains(why), "{e}");
        };
        refuse("%0 = get.i32 x0", "slot's type");
        refuse("%0 = const.i64 0x1\n%1 = add.i64 %0, %1", "later");
        refuse("%0 = const.i64 0x1\n%1 = add.i32 %0, %0", "differ");
        refuse("%0 = const.i64 0x1\n%1 = trunc.i32 %0\n%2 = add.i64 %0, %1", "different types");
        refuse("%0 = const.i64 0x1\n%1 = mul.i64 %0, %0\n%2 = flags.flags %1", "has none");
        refuse("%0 = get.v128 v0\n%1 = vshri.v128 8b %0", "immediate");
        refuse("%0 = get.v128 v0\n%1 = vadd.v128 9h %0, %0", "lanes");
        refuse("%0 = const.i64 0x1\n%1 = load.i32 d %0", "wider");
        assert!(parse("block 0 pc=0 end=0\n  bogus\n", &guest).is_err());
        assert!(parse("  nop\n", &guest).is_err());
    }
}
