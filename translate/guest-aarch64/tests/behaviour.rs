//! Instructions that the differential tests cannot reach: newer than the reference emulator, dependent on their own address,
//! or made of several instructions. Expectations are computed from the architecture manual's text.

use guest_aarch64::Aarch64;
use guest_aarch64::cpu::{self, Cpu};
use ir::interp::{BlockExit, run_block};
use ir::testing::ToyMachine;
use ir::{BlockId, BlockRequest, Builder, Guest, Machine, SlotId, Stop, Target, Term, TrapKind};

const MEM: u64 = 0x10000;
const PC: u64 = 0x40_1000;

struct Vm {
    guest: Aarch64,
    m: ToyMachine,
}

impl Vm {
    fn new(cpu: &str) -> Vm {
        let guest = Aarch64::new(Cpu::parse(cpu).unwrap());
        let m = ToyMachine::new(guest.slots().clone(), MEM, vec![0; 0x4000]);
        let mut vm = Vm { guest, m };
        vm.set(cpu::SP, MEM + 0x2000);
        for key in 0..5 {
            vm.set(cpu::pac_key(key, false), 0x0123_4567_89ab_cdef ^ u64::from(key) << 40);
            vm.set(cpu::pac_key(key, true), 0xfedc_ba98_7654_3210 ^ u64::from(key) << 20);
        }
        vm
    }

    fn set(&mut self, slot: SlotId, v: u64) {
        self.m.set_slot(slot, u128::from(v));
    }
    fn x(&mut self, n: u32) -> u64 {
        self.m.slot(cpu::x(n)) as u64
    }
    fn set_x(&mut self, n: u32, v: u64) {
        self.set(cpu::x(n), v);
    }
    fn nzcv(&mut self) -> u64 {
        self.m.slot(cpu::NZCV) as u64
    }

    /// Translates one block at `pc` and runs it.
    fn run_at(&mut self, pc: u64, code: &[u32], tagged: bool) -> BlockExit {
        let bytes: Vec<u8> = code.iter().flat_map(|w| w.to_le_bytes()).collect();
        let mode = self.guest.mode(&self.m.state);
        let mut b = Builder::new(mode);
        self.guest.translate_block(
            &BlockRequest { pc, code: &bytes, mode, max_insns: code.len(), tagged, attributes: 0 },
            &mut b,
        );
        let region = b.finish();
        let helpers = self.guest.helpers().to_vec();
        run_block(&region, BlockId(0), &mut self.m, &helpers)
    }

    /// The same at `PC`, block after block; it must come to the end.
    fn run(&mut self, code: &[u32]) {
        let (mut pc, end) = (PC, PC + 4 * code.len() as u64);
        while pc < end {
            let exit = self.run_at(pc, &code[((pc - PC) / 4) as usize..], false);
            let BlockExit::Next(next) = exit else { panic!("{exit:?}") };
            assert!(next > pc);
            pc = next;
        }
        assert_eq!(pc, end);
    }
}

/// The terminator of the one-block translation of `insn`.
fn term(insn: u32) -> Term {
    let guest = Aarch64::new(Cpu::default());
    let mut b = Builder::new(0);
    let code = insn.to_le_bytes();
    guest.translate_block(
        &BlockRequest { pc: PC, code: &code, mode: 0, max_insns: 1, tagged: false, attributes: 0 },
        &mut b,
    );
    b.finish().blocks[0].term
}

#[test]
fn branches_lead_where_they_say() {
    assert_eq!(term(0x1400_0003), Term::Jump(Target::Pc(PC + 12)));
    assert_eq!(term(0x17ff_ffff), Term::Jump(Target::Pc(PC - 4)));
    assert_eq!(term(0x9400_0010), Term::Call { target: PC + 64, ret: PC + 4 });
    // b.ne .+8; cbnz w3, .-8; tbz x5, #40, .+16
    for (insn, to, cc) in [
        (0x5400_0041, PC + 8, ir::Cc::Ne),
        (0x35ff_ffc3, PC - 8, ir::Cc::Ne),
        (0xb640_0085, PC + 16, ir::Cc::Eq),
    ] {
        match term(insn) {
            Term::Branch { cc: c, then, els, .. } => {
                assert_eq!((c, then, els), (cc, Target::Pc(to), Target::Pc(PC + 4)));
            }
            other => panic!("{insn:#x}: {other:?}"),
        }
    }
    // bc.ne .+8
    match term(0x5400_0051) {
        Term::Branch { cc, then, els, .. } => {
            assert_eq!((cc, then, els), (ir::Cc::Ne, Target::Pc(PC + 8), Target::Pc(PC + 4)));
        }
        other => panic!("{other:?}"),
    }
    // b.al is no branch
    assert_eq!(term(0x5400_004e), Term::Jump(Target::Pc(PC + 8)));
    assert!(matches!(term(0xd61f_0200), Term::Indirect { .. }));
    assert!(matches!(term(0xd65f_03c0), Term::Return { .. }));
    assert!(matches!(term(0xd63f_0200), Term::CallIndirect { ret, .. } if ret == PC + 4));
    assert_eq!(term(0xd400_0001), Term::Syscall { next: PC + 4 });
    assert_eq!(term(0xd420_2460), Term::Trap { kind: TrapKind::Break, pc: PC, info: 0x123 });
    assert_eq!(term(0), Term::Trap { kind: TrapKind::Illegal, pc: PC, info: 0 });
    assert_eq!(term(0xd503_3fdf), Term::Resume { pc: PC + 4 });
}

#[test]
fn compare_and_test_branches_follow_the_register() {
    let mut vm = Vm::new("max");
    for (insn, x, taken) in [
        (0x3400_0045u32, 0u64, true),
        (0x3400_0045, 1, false),
        (0x3400_0045, 1 << 32, true),
        (0xb400_0045, 1 << 32, false),
        (0xb500_0045, 1 << 32, true),
        (0xb640_0045, 1 << 40, false),
        (0xb640_0045, !(1 << 40), true),
        (0x37f8_0045, 1 << 31, true),
        (0x37f8_0045, !(1 << 31), false),
    ] {
        vm.set_x(5, x);
        let to = if taken { PC + 8 } else { PC + 4 };
        assert_eq!(vm.run_at(PC, &[insn], false), BlockExit::Next(to), "{insn:#x} {x:#x}");
    }
    vm.set_x(16, 0x1234);
    assert_eq!(vm.run_at(PC, &[0xd63f_0200], false), BlockExit::Next(0x1234));
    assert_eq!(vm.x(30), PC + 4);
    // blr x30 reads the register before it writes it
    assert_eq!(vm.run_at(PC, &[0xd63f_03c0], false), BlockExit::Next(PC + 4));
}

#[test]
fn addresses_are_relative_to_the_instruction() {
    let mut vm = Vm::new("max");
    // adr x1, .+0x1235; adrp x2, .-0x1000 pages... (two instructions, the second at PC + 4)
    vm.run(&[0x3000_91a1, 0xf0ff_ffe2]);
    assert_eq!(vm.x(1), PC + 0x1235);
    assert_eq!(vm.x(2), (PC & !0xfff) - 0x1000);
    vm.m.store(MEM + 8, &0xffff_fffe_8765_4321u64.to_le_bytes()).unwrap();
    // ldr x3, .+8; ldrsw x4, .+4; ldr w5, .+0 from addresses MEM, MEM + 4, MEM + 8
    let exit = vm.run_at(MEM, &[0x5800_0043, 0x9800_0024, 0x1800_0005], false);
    assert_eq!(exit, BlockExit::Next(MEM + 12));
    assert_eq!(vm.x(3), 0xffff_fffe_8765_4321);
    assert_eq!(vm.x(4), 0xffff_ffff_8765_4321);
    assert_eq!(vm.x(5), 0x8765_4321);
}

#[test]
fn incomplete_and_misaligned_code() {
    let mut vm = Vm::new("max");
    assert!(
        matches!(vm.run_at(PC + 2, &[0], false), BlockExit::Trap { kind: TrapKind::PcAlign, pc, .. } if pc == PC + 2)
    );
    let guest = Aarch64::new(Cpu::default());
    let mut b = Builder::new(0);
    guest.translate_block(
        &BlockRequest { pc: PC, code: &[0x1f, 0x20, 3], mode: 0, max_insns: 4, tagged: false, attributes: 0 },
        &mut b,
    );
    assert!(matches!(b.finish().blocks[0].term, Term::Trap { kind: TrapKind::Fetch, .. }));
    let mut b = Builder::new(0);
    let code = [0x1f, 0x20, 3, 0xd5, 0x1f, 0x20];
    guest.translate_block(
        &BlockRequest { pc: PC, code: &code, mode: 0, max_insns: 4, tagged: false, attributes: 0 },
        &mut b,
    );
    assert_eq!(b.finish().blocks[0].term, Term::Jump(Target::Pc(PC + 4)));
}

#[test]
fn cssc() {
    let mut vm = Vm::new("max");
    let cases: &[(u32, u64, u64, u64)] = &[
        // smax x0, x1, x2; smin; umax; umin; and the W forms
        (0x9ac2_6020, u64::MAX, 1, 1),
        (0x9ac2_6820, u64::MAX, 1, u64::MAX),
        (0x9ac2_6420, u64::MAX, 1, u64::MAX),
        (0x9ac2_6c20, u64::MAX, 1, 1),
        (0x1ac2_6020, 0xffff_ffff, 1, 1),
        (0x1ac2_6820, 0xffff_ffff, 1, 0xffff_ffff),
        // smax x0, x1, #-1; umin w0, w1, #200
        (0x91c3_fc20, i64::MIN as u64, 0, u64::MAX),
        (0x11cf_2020, 300, 0, 200),
        // ctz, cnt, abs
        (0xdac0_1820, 0x50, 0, 4),
        (0xdac0_1820, 0, 0, 64),
        (0x5ac0_1820, 1 << 40, 0, 32),
        (0xdac0_1c20, u64::MAX >> 1, 0, 63),
        (0x5ac0_1c20, u64::MAX, 0, 32),
        (0xdac0_2020, -5i64 as u64, 0, 5),
        (0xdac0_2020, i64::MIN as u64, 0, i64::MIN as u64),
        (0x5ac0_2020, 0x8000_0000, 0, 0x8000_0000),
        (0x5ac0_2020, 0xffff_fffd, 0, 3),
    ];
    for &(insn, a, b, want) in cases {
        vm.set_x(1, a);
        vm.set_x(2, b);
        vm.run(&[insn]);
        assert_eq!(vm.x(0), want, "{insn:#x}");
    }
    let mut old = Vm::new("cortex-a72");
    assert!(matches!(old.run_at(PC, &[0xdac0_1820], false), BlockExit::Trap { kind: TrapKind::Illegal, .. }));
}

/// cpyfp/cpyfm/cpyfe [x0]!, [x1]!, x2! and the same of cpy and set (value in x1).
const CPYF: [u32; 3] = [0x1901_0440, 0x1941_0440, 0x1981_0440];
const CPY: [u32; 3] = [0x1d01_0440, 0x1d41_0440, 0x1d81_0440];
const SET: [u32; 3] = [0x19c1_0440, 0x19c1_4440, 0x19c1_8440];

#[test]
fn memory_copies_and_sets() {
    for (dst, src, n) in [
        (0x100u64, 0x1800u64, 0x1234u64),
        (0x1801, 0x100, 0x1333),
        (0x110, 0x100, 0x2000),
        (0x100, 0x110, 0x2000),
        (5, 9, 0),
    ] {
        for forward in [false, true] {
            // The forward form with an overlap that needs the other direction is the program's mistake.
            if forward && src < dst && src + n > dst {
                continue;
            }
            let mut vm = Vm::new("max");
            for i in 0..vm.m.memory.len() {
                vm.m.memory[i] = ((i * 7) ^ (i >> 5)) as u8;
            }
            let mut want = vm.m.memory.clone();
            want.copy_within(src as usize..(src + n) as usize, dst as usize);
            vm.set_x(0, MEM + dst);
            vm.set_x(1, MEM + src);
            vm.set_x(2, n);
            vm.run(if forward { &CPYF } else { &CPY });
            assert!(vm.m.memory == want, "{dst:#x} {src:#x} {n:#x}");
            assert_eq!(vm.x(2), 0);
        }
    }
    let mut vm = Vm::new("max");
    vm.set_x(0, MEM + 3);
    vm.set_x(1, 0x1a5);
    vm.set_x(2, 0x1777);
    vm.run(&SET);
    assert!(
        vm.m.memory[..3].iter().all(|&b| b == 0) && vm.m.memory[3..3 + 0x1777].iter().all(|&b| b == 0xa5)
    );
    assert_eq!((vm.m.memory[3 + 0x1777], vm.x(2), vm.nzcv()), (0, 0, 0));
}

#[test]
fn a_faulting_copy_goes_on_where_it_stopped() {
    let mut vm = Vm::new("max");
    vm.m.memory[..0x2000].fill(7);
    let end = MEM + vm.m.memory.len() as u64;
    vm.set_x(0, end - 0x800);
    vm.set_x(1, MEM);
    vm.set_x(2, 0x1000);
    let exit = vm.run_at(PC, &CPYF, false);
    let stop = Stop::Fault { addr: end, write: true };
    assert_eq!(exit, BlockExit::Stop { pc: PC + 4, stop });
    assert_eq!(vm.x(2) as i64, -0x800);
    vm.m.memory.resize(0x5000, 0);
    vm.run(&CPYF[1..]);
    assert!(vm.m.memory[0x3800..0x4800].iter().all(|&b| b == 7) && vm.m.memory[0x4800] == 0);
}

#[test]
fn exclusive_pairs_store_once() {
    let mut vm = Vm::new("max");
    vm.set_x(1, MEM + 0x40);
    vm.set_x(2, 0x55);
    // ldxr x0, [x1]; stxr w3, x2, [x1]
    vm.run(&[0xc85f_7c20, 0xc803_7c22]);
    assert_eq!((vm.x(3), vm.m.memory[0x40]), (0, 0x55));
    // a second stxr fails
    vm.set_x(2, 0x66);
    vm.run(&[0xc803_7c22]);
    assert_eq!((vm.x(3), vm.m.memory[0x40]), (1, 0x55));
    // clrex between
    vm.run(&[0xc85f_7c20, 0xd503_3f5f, 0xc803_7c22]);
    assert_eq!((vm.x(0), vm.x(3), vm.m.memory[0x40]), (0x55, 1, 0x55));
    // ldaxp x4, x5, [x1]; stlxp w3, x2, x6, [x1], and the 32-bit pair
    vm.set_x(6, 0x77);
    vm.run(&[0xc87f_9424, 0xc823_9822]);
    assert_eq!((vm.x(3), vm.x(4), vm.m.memory[0x40], vm.m.memory[0x48]), (0, 0x55, 0x66, 0x77));
    vm.run(&[0x887f_9424, 0x8823_9826]);
    assert_eq!((vm.x(3), vm.x(4), vm.m.memory[0x40], vm.m.memory[0x44]), (0, 0x66, 0x77, 0x77));
    // misaligned
    vm.set_x(1, MEM + 0x49);
    assert!(matches!(vm.run_at(PC, &[0xc85f_7c20], false), BlockExit::Stop { stop: Stop::Align { .. }, .. }));
}

#[test]
fn wide_atomics_and_rcpc3() {
    let mut vm = Vm::new("max");
    vm.m.memory[0x40..0x50].copy_from_slice(&[0xff; 16]);
    vm.set_x(1, MEM + 0x40);
    vm.set_x(2, 0x0f);
    vm.set_x(3, 0xf0);
    // ldclrp x2, x3, [x1]
    vm.run(&[0x1923_1022]);
    assert_eq!((vm.x(2), vm.x(3), vm.m.memory[0x40], vm.m.memory[0x48]), (u64::MAX, u64::MAX, 0xf0, 0x0f));
    // swpp x2, x3, [x1]
    vm.run(&[0x1923_8022]);
    assert_eq!((vm.x(2) & 0xff, vm.x(3) & 0xff, vm.m.memory[0x40]), (0xf0, 0x0f, 0xff));
    // ldsetp x2, x3, [x1]: 0x0f and 0xf0 or-ed into what swpp stored
    let before = (vm.m.memory[0x40], vm.m.memory[0x48]);
    vm.set_x(2, 0x0f);
    vm.set_x(3, 0xf0);
    vm.run(&[0x1923_3022]);
    assert_eq!((vm.x(2) as u8, vm.x(3) as u8), before);
    assert_eq!((vm.m.memory[0x40], vm.m.memory[0x48]), (before.0 | 0x0f, before.1 | 0xf0));
    // stlur q4, [x1, #-16]; ldapur d5, [x1, #-8]; ldapur b6, [x1, #-1]; stlur h4, [x1, #-32]
    let q = 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100u128;
    vm.m.set_slot(cpu::v(4), q);
    vm.run(&[0x1d9f_0824, 0xdd5f_8825, 0x1d5f_f826, 0x5d1e_0824]);
    assert_eq!(vm.m.memory[0x30..0x40], q.to_le_bytes());
    assert_eq!((vm.m.slot(cpu::v(5)), vm.m.slot(cpu::v(6))), (0x0f0e_0d0c_0b0a_0908, 0x0f));
    assert_eq!(vm.m.memory[0x20..0x23], [0, 1, 0]);
    // stl1 {v4.d}[0], [x1]; ldap1 {v5.d}[1], [x1]: the other half stays
    vm.run(&[0x0d01_8424, 0x4d41_8425]);
    assert_eq!(vm.m.memory[0x40..0x48], q.to_le_bytes()[..8]);
    assert_eq!(vm.m.slot(cpu::v(5)), 0x0706_0504_0302_0100_0f0e_0d0c_0b0a_0908);
    // stilp x2, x3, [x1, #-16]!; ldiapp x4, x5, [x1], #16
    vm.run(&[0xd903_0822, 0xd945_0824]);
    assert_eq!((vm.x(4), vm.x(5), vm.x(1)), (vm.x(2), vm.x(3), MEM + 0x40));
    assert_eq!(vm.x(2) as u8, vm.m.memory[0x30]);
    // stlr w2, [x1, #-4]!; ldapr w6, [x1], #4
    vm.run(&[0x9980_0822, 0x99c0_0826]);
    assert_eq!((vm.x(6), vm.x(1)), (vm.x(2) & 0xffff_ffff, MEM + 0x40));
}

#[test]
fn pointer_authentication_round_trips() {
    for cpu in ["max,pauth2=off,fpac=off", "max,pauth-impdef=off,pauth2=off,fpac=off", "max,fpac=off", "max"]
    {
        let mut vm = Vm::new(cpu);
        let ptr = 0x0000_7fff_1234_5678;
        vm.set_x(0, ptr);
        vm.set_x(1, 42);
        // pacia x0, x1
        vm.run(&[0xdac1_0020]);
        let signed = vm.x(0);
        assert_eq!(signed & !(0x7f << 48), ptr);
        // autia x0, x1
        vm.run(&[0xdac1_1020]);
        assert_eq!(vm.x(0), ptr);
        // xpaci x0
        vm.set_x(0, signed);
        vm.run(&[0xdac1_43e0]);
        assert_eq!(vm.x(0), ptr);
        // A wrong modifier is found for most pointers: try several. It leaves an error code, or another pointer, or traps.
        let mut caught = 0;
        for i in 0..64 {
            let ptr = ptr + 8 * i;
            vm.set_x(0, ptr);
            vm.set_x(1, 42);
            vm.run(&[0xdac1_0020]);
            let signed = vm.x(0);
            vm.set_x(1, 43);
            let exit = vm.run_at(PC, &[0xdac1_1020], false);
            let good = vm.x(0) == ptr && exit == BlockExit::Next(PC + 4);
            caught += u32::from(!good);
            let illegal = BlockExit::Trap { kind: TrapKind::Illegal, pc: PC, info: ir::ILLEGAL_OPERAND };
            let as_it_should = match cpu {
                "max" => exit == illegal && vm.x(0) == signed,
                "max,fpac=off" => vm.x(0) & !(0x7f << 48) == ptr,
                _ => vm.x(0) == ptr | (1 << 53),
            };
            assert!(good || as_it_should, "{cpu}: {exit:?} {:#x}", vm.x(0));
        }
        assert!(caught > 55, "{cpu}: {caught}");
        // paciasp; autiasp; retaa
        vm.set_x(30, 0x40_2000);
        vm.run(&[0xd503_233f]);
        let signed = vm.x(30);
        vm.run(&[0xd503_23bf]);
        assert_eq!(vm.x(30), 0x40_2000);
        vm.set_x(30, signed);
        assert_eq!(vm.run_at(PC, &[0xd65f_0bff], false), BlockExit::Next(0x40_2000));
        // pacga x2, x0, x1
        vm.run(&[0x9ac1_3002]);
        assert_eq!(vm.x(2) & 0xffff_ffff, 0);
        assert_ne!(vm.x(2), 0);
    }
    // Without the feature the hints do nothing.
    let mut vm = Vm::new("cortex-a72");
    vm.set_x(30, 0x40_2000);
    vm.run(&[0xd503_233f]);
    assert_eq!(vm.x(30), 0x40_2000);
}

#[test]
fn system_registers() {
    let mut vm = Vm::new("max");
    vm.set_x(1, 0x1122_3344_5566_7788);
    // msr tpidr_el0, x1; mrs x2, tpidr_el0; mrs x3, ctr_el0; mrs x4, dczid_el0; mrs x5, midr_el1
    vm.run(&[0xd51b_d041, 0xd53b_d042, 0xd53b_0023, 0xd53b_00e4, 0xd538_0005]);
    assert_eq!(vm.x(2), 0x1122_3344_5566_7788);
    assert_eq!((vm.x(3), vm.x(4), vm.x(5)), (cpu::CTR_EL0, cpu::DCZID_EL0, 0x000f_04f0));
    // cntvct never goes back
    vm.run(&[0xd53b_e040, 0xd53b_e041]);
    assert!(vm.x(0) <= vm.x(1) && vm.x(0) > 0);
    // rndr x0: two numbers differ, flags are clear
    vm.set(cpu::NZCV, 15);
    vm.run(&[0xd53b_2400, 0xd53b_2401]);
    assert!(vm.x(0) != vm.x(1) && vm.nzcv() == 0);
    // msr fpcr, x6 changes the mode and the rounding
    vm.set_x(6, 1 << 25 | 1 << 24 | 3 << 22 | 0xff00);
    assert_eq!(vm.run_at(PC, &[0xd51b_4406], false), BlockExit::Resume { pc: PC + 4 });
    assert_eq!((vm.m.fp.round, vm.guest.mode(&vm.m.state)), (3, 3));
    // mrs x7, fpcr: reserved bits read as zero
    vm.run(&[0xd53b_4407]);
    assert_eq!(vm.x(7), 1 << 25 | 1 << 24 | 3 << 22);
    // msr fpsr, x8; mrs x9, fpsr
    vm.set_x(8, 0xffff_ffff);
    vm.run(&[0xd51b_4428, 0xd53b_4429]);
    assert_eq!(vm.x(9), 1 << 27 | 0x9f);
    // msr dit, #1; mrs x10, dit; msr ssbs, #1; mrs x11, ssbs
    vm.run(&[0xd503_415f, 0xd53b_42aa, 0xd503_413f, 0xd53b_42cb]);
    assert_eq!((vm.x(10), vm.x(11)), (1 << 24, 1 << 12));
    // msr tpidrro_el0, x1 and an unknown register are undefined
    for insn in [0xd51b_d061, 0xd53c_1000, 0xd538_1000] {
        assert!(matches!(vm.run_at(PC, &[insn], false), BlockExit::Trap { kind: TrapKind::Illegal, .. }));
    }
}

#[test]
fn maintenance_and_waits_change_nothing() {
    let mut vm = Vm::new("max");
    vm.set_x(0, MEM + 0x95);
    let (state, memory) = (vm.m.state.clone(), vm.m.memory.clone());
    // cfp, dvp, cpp rctx, x0; dc cvap, cvadp, x0; dsb ishnxs; wfet, wfit of a time that has passed
    for insn in [
        0xd50b_7380u32,
        0xd50b_73a0,
        0xd50b_73e0,
        0xd50b_7c20,
        0xd50b_7d20,
        0xd503_3a3f,
        0xd503_1000,
        0xd503_1020,
    ] {
        let exit = vm.run_at(PC, &[insn], false);
        assert!(
            matches!(exit, BlockExit::Next(pc) | BlockExit::Resume { pc } if pc == PC + 4),
            "{insn:#x}: {exit:?}"
        );
        assert!(vm.m.state == state && vm.m.memory == memory, "{insn:#x}");
    }
}

#[test]
fn cache_maintenance() {
    let mut vm = Vm::new("max");
    vm.m.memory[0x40..0x100].fill(9);
    vm.set_x(0, MEM + 0x95);
    // dc zva, x0; ic ivau, x0; dc cvau, x0
    vm.run(&[0xd50b_7420, 0xd50b_7520, 0xd50b_7b20]);
    assert!(
        vm.m.memory[0x80..0xc0].iter().all(|&b| b == 0) && vm.m.memory[0x7f] == 9 && vm.m.memory[0xc0] == 9
    );
    assert_eq!(vm.m.invalidated, [(MEM + 0x80, 64)]);
    vm.set_x(0, 8);
    assert!(matches!(vm.run_at(PC, &[0xd50b_7b20], false), BlockExit::Stop { .. }));
}

#[test]
fn tagged_accesses_ignore_the_tag() {
    let mut vm = Vm::new("max");
    vm.m.memory[0x48] = 0xaa;
    vm.set_x(1, (MEM + 0x40) | (0x5a << 56));
    vm.set_x(2, 1);
    // ldr x0, [x1, #8]; ldr x3, [x1, x2, lsl #3]; ldp x4, x5, [x1], #16; ldadd x2, x6, [x1]
    let exit = vm.run_at(PC, &[0xf940_0420, 0xf862_7823, 0xa8c1_1424, 0xf822_0026], true);
    assert_eq!(exit, BlockExit::Next(PC + 16));
    assert_eq!((vm.x(0), vm.x(3), vm.x(5), vm.m.memory[0x50]), (0xaa, 0xaa, 0xaa, 1));
    assert_eq!(vm.x(1), (MEM + 0x50) | (0x5a << 56));
}

#[test]
fn no_register_changes_before_a_fault() {
    let mut vm = Vm::new("max");
    let end = MEM + 0x4000;
    // ldp x2, x3, [x1], #16 across the end; ldr x2, [x1, #8]!; ld2 {v0.16b, v1.16b}, [x1], #32; ldp x1, x2, [x1]
    for (insn, base) in
        [(0xa8c1_0c22, end - 8), (0xf840_8c22, end - 8), (0x4cdf_8020, end - 16), (0xa940_0821, end - 8)]
    {
        vm.set_x(1, base);
        vm.set_x(2, 22);
        vm.set_x(3, 33);
        vm.m.set_slot(cpu::v(0), 77);
        assert!(matches!(vm.run_at(PC, &[insn], false), BlockExit::Stop { pc: PC, .. }), "{insn:#x}");
        assert_eq!((vm.x(1), vm.x(2), vm.x(3), vm.m.slot(cpu::v(0))), (base, 22, 33, 77), "{insn:#x}");
    }
}

#[test]
fn a_misaligned_stack_pointer_faults_when_used() {
    let mut vm = Vm::new("max");
    let sp = MEM + 0x2000;
    // Aligned: no end of the block. sub sp, sp, #32; stp x0, x1, [sp, #-16]!; ldr x2, [sp]
    vm.run(&[0xd100_83ff, 0xa9bf_07e0, 0xf940_03e2]);
    assert_eq!(vm.m.slot(cpu::SP) as u64, sp - 48);
    // mov sp, x9: a check, then on
    vm.set_x(9, sp);
    assert_eq!(vm.run_at(PC, &[0x9100_013f, 0xf940_03e2], false), BlockExit::Next(PC + 4));
    // add sp, sp, #8: the mode changes; arithmetic still works, an access does not
    assert_eq!(vm.run_at(PC, &[0x9100_23ff, 0xf940_03e2], false), BlockExit::Resume { pc: PC + 4 });
    assert_eq!(vm.guest.mode(&vm.m.state), cpu::MODE_SP_MISALIGNED);
    vm.run(&[0x9100_03e9]);
    assert_eq!(vm.x(9), sp + 8);
    for insn in [0xf940_03e2, 0xa9bf_07e0, 0x4c40_73e0, 0xc85f_7fe0, 0xf86a_6be2] {
        let exit = vm.run_at(PC, &[insn], false);
        assert_eq!(exit, BlockExit::Trap { kind: TrapKind::SpAlign, pc: PC, info: 0 }, "{insn:#x}");
    }
    // prfm [sp] does not check
    vm.run(&[0xf980_03e0]);
    // sub sp, sp, #8: back
    assert_eq!(vm.run_at(PC, &[0xd100_23ff], false), BlockExit::Resume { pc: PC + 4 });
    assert_eq!(vm.guest.mode(&vm.m.state), 0);
}
