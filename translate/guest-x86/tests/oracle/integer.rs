//! The integer groups.

use crate::state::Extended;
use crate::{compare, compare_sequences};
use iced_x86::{Code, CpuidFeature as F, Mnemonic as M};

/// Instructions that are not compared case by case, with the reason.
fn left_out(m: M) -> bool {
    matches!(
        m,
        // System calls and what the kernel answers.
        M::Syscall | M::Sysenter | M::Sysexit | M::Sysexitq | M::Sysret | M::Sysretq | M::Int | M::Int1
        // Different on every run, or by model.
        | M::Rdtsc | M::Rdtscp | M::Rdpid | M::Rdrand | M::Rdseed | M::Cpuid | M::Xgetbv | M::Rdpmc
        | M::Rdfsbase | M::Rdgsbase | M::Wrfsbase | M::Wrgsbase
        // x87's.
        | M::Wait
        // The host's UMIP and its own descriptor tables.
        | M::Sgdt | M::Sidt | M::Sldt | M::Str | M::Smsw
    )
}

fn integer(code: Code) -> bool {
    let features = [
        F::INTEL8086,
        F::INTEL186,
        F::INTEL286,
        F::INTEL386,
        F::INTEL486,
        F::X64,
        F::CMOV,
        F::CX8,
        F::CMPXCHG16B,
        F::ADX,
        F::BMI1,
        F::BMI2,
        F::LZCNT,
        F::POPCNT,
        F::MOVBE,
        F::MULTIBYTENOP,
        F::PREFETCHW,
        F::CET_IBT,
        F::PAUSE,
        F::SERIALIZE,
        F::MOVDIRI,
        F::MOVDIR64B,
        F::CLDEMOTE,
        F::CLFLUSHOPT,
        F::CLWB,
        F::CLFSH,
    ];
    let mine = |f: &F| features.contains(f) || *f == F::SSE4_2 && code.mnemonic() == M::Crc32;
    let sse_integer = matches!(code.mnemonic(), M::Movnti | M::Mfence | M::Lfence | M::Sfence);
    let data = matches!(code.mnemonic(), M::INVALID | M::Db | M::Dw | M::Dd | M::Dq | M::Zero_bytes);
    !data && (code.cpuid_features().iter().all(mine) || sse_integer) && !left_out(code.mnemonic())
}

/// What may stand in a row: no transfers, no pointers of its own, no system.
fn in_a_row(code: Code) -> bool {
    let m = code.mnemonic();
    let kinds = |k: iced_x86::OpCodeOperandKind| {
        use iced_x86::OpCodeOperandKind as K;
        matches!(k, K::seg_rSI | K::es_rDI | K::seg_rBX_al | K::mem_offs | K::seg_reg)
    };
    let info = code.op_code();
    let pointers = (0..info.op_count()).any(|n| kinds(info.op_kind(n)));
    let stack = matches!(
        m,
        M::Enter
            | M::Leave
            | M::Pop
            | M::Push
            | M::Popf
            | M::Popfd
            | M::Popfq
            | M::Popa
            | M::Popad
            | M::Pusha
            | M::Pushad
    );
    let other = matches!(
        m,
        M::Bt
            | M::Bts
            | M::Btr
            | M::Btc
            | M::Div
            | M::Idiv
            | M::Std
            | M::Movdir64b
            | M::Lar
            | M::Lsl
            | M::Verr
            | M::Verw
            | M::Les
            | M::Lds
            | M::Lss
            | M::Lfs
            | M::Lgs
            | M::Bound
            | M::Into
            | M::Aam
    );
    integer(code)
        && !pointers
        && !stack
        && !other
        && info.op_count() > 0
        && info.cpl3()
        && code.flow_control() == iced_x86::FlowControl::Next
}

#[test]
fn integer_sequences_64() {
    compare_sequences(64, in_a_row, Extended::No);
}

#[test]
fn integer_sequences_32() {
    compare_sequences(32, in_a_row, Extended::No);
}

#[test]
fn integer_forms_64() {
    let report = compare(64, integer, Extended::No);
    assert!(report.forms > 400, "only {} forms; without a case: {:?}", report.forms, report.skipped);
}

#[test]
fn integer_forms_32() {
    let report = compare(32, integer, Extended::No);
    assert!(report.forms > 350, "only {} forms; without a case: {:?}", report.forms, report.skipped);
}
