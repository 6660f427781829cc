//! One operation to host code: the dispatch. Input: an instruction whose arguments are placed; output: code and the
//! place of its result. Operations without inline code are evaluated out of line.

use crate::alloc::{C, Loc};
use crate::asm::*;
use ir::{Attr, Inst, Op, Type, Val};

impl C<'_> {
    pub(crate) fn emit(&mut self, i: &Inst) {
        let [a, b, c, _] = i.args;
        match (i.op, i.attr) {
            // Dealt with by the caller.
            (Op::Nop | Op::Insn, _) => {}
            (Op::Get, Attr::Slot(s)) => self.get(s),
            (Op::Set, Attr::Slot(s)) => self.set(s, a),
            (Op::Defer, Attr::Slot(s)) => {
                self.unalias(s, None);
                self.a.store_i(Sz::D, self.map.mem(s), i.imm as u32 as i32);
            }
            (Op::SetMode, _) => self.emit_set_mode(i.imm),
            (Op::Const, _) => {
                let v = if i.ty == Type::I32 { i.imm as u32 as u64 } else { i.imm };
                self.def(Loc::Const(v));
            }
            (Op::Addr, _) => self.def(Loc::Addr(i.imm)),
            (Op::FlagsOf, _) => self.emit_flags_of(a),
            (Op::FlagsMerge, _) => self.emit_flags_merge(a, b, i.imm as u8),
            (Op::FlagsSelect, Attr::Cc(cc)) => self.emit_flags_select(cc, a, b, c),
            (Op::FlagsPack, _) => self.emit_flags_pack(a),
            (Op::FlagsUnpack, _) => self.emit_flags_unpack(a),
            (Op::Nzcv, _) => self.emit_nzcv(a),
            (Op::MkFlags, _) => self.emit_mkflags(a),
            (Op::CondFlags, Attr::Cc(cc)) => self.emit_condflags(cc, a, b, i.imm),
            (Op::Select, Attr::Cc(cc)) => self.emit_select(cc, a, b, c, i.ty),
            (Op::SetCc, Attr::Cc(cc)) => self.emit_setcc(cc, a),
            (Op::VSelect, Attr::Cc(cc)) => self.emit_vselect(cc, a, b, c),
            _ => {
                if !(self.emit_int(i) || self.emit_mem(i) || self.emit_simd(i)) {
                    self.emit_out(i);
                }
            }
        }
    }

    /// `flags`: they were made with the result, unless another `flags` of the same result came first.
    fn emit_flags_of(&mut self, a: Val) {
        let k = self.idx;
        if self.val[k].loc != Loc::None || self.val[k].uses == 0 {
            return;
        }
        let other = self.val[a.index()].flags_val as usize;
        if other == k || other >= self.val.len() {
            // The result was made by code that does not set the host's flags: derive N and Z, the rest being zero.
            let sz = crate::alloc::sz_of(self.ty(a));
            if let Loc::Eflags(_) = self.val[k].loc {
                return;
            }
            self.save_flags();
            let g = self.gp(a);
            self.a.mr(Mr::Test, sz, g, g);
            self.made_flags(a.index(), crate::alloc::Kind::Add);
            return;
        }
        if self.eflags == Some(other as u32) {
            self.save_flags();
        }
        self.def_alias(Val(other as u32));
    }
}
