//! Every row of the decode tables is compared with the reference, or stands here with the reason and what tests it.

use crate::state::Random;
use crate::{is_newer, plan};
use guest_aarch64::decode::ROWS;
use std::collections::BTreeSet;

const CSSC: &str = "FEAT_CSSC: behaviour.rs `cssc`; compared where the reference has it";
const PAC: &str = "its `pac` row is compared with authentication after it";
const WIDE: &str =
    "newer than the reference: behaviour.rs `wide_atomics_and_rcpc3`; LSE128 is compared where it has it";
const COPY: &str = "three instructions that share state: behaviour.rs `memory_copies_and_sets`";
const NOTHING: &str = "no effect that a program sees: behaviour.rs `maintenance_and_waits_change_nothing`";

/// Rows that are not compared, or only where a newer reference is installed (`OMNIRUN_ORACLE`), and what tests them.
const ELSEWHERE: &[(&str, &str)] = &[
    ("abs", CSSC),
    ("autda", PAC),
    ("autdb", PAC),
    ("autdza", PAC),
    ("autdzb", PAC),
    ("autia", PAC),
    ("autia1716", PAC),
    ("autiasp", PAC),
    ("autiaz", PAC),
    ("autib", PAC),
    ("autib1716", PAC),
    ("autibsp", PAC),
    ("autibz", PAC),
    ("autiza", PAC),
    ("autizb", PAC),
    ("bc_cond", "FEAT_HBC: behaviour.rs `branches_lead_where_they_say`"),
    ("cfp_rctx", NOTHING),
    ("cnt", CSSC),
    ("cpp_rctx", NOTHING),
    ("cpy", COPY),
    ("cpyf", COPY),
    ("ctz", CSSC),
    ("dc_cvadp", NOTHING),
    ("dc_cvap", NOTHING),
    ("dc_zva", "the reference has blocks of 512 bytes: behaviour.rs `cache_maintenance`"),
    ("dsb_nxs", NOTHING),
    ("dvp_rctx", NOTHING),
    ("ldap1", WIDE),
    ("ldapr_post", WIDE),
    ("ldapur_v", WIDE),
    ("ldclrp", WIDE),
    ("ldiapp", WIDE),
    ("ldsetp", WIDE),
    (
        "pacga",
        "keys are random: pauth.rs has the cipher's vectors, behaviour.rs `pointer_authentication_round_trips`",
    ),
    ("set", COPY),
    ("smax_imm", CSSC),
    ("smax_reg", CSSC),
    ("smin_imm", CSSC),
    ("smin_reg", CSSC),
    ("stilp", WIDE),
    ("stl1", WIDE),
    ("stlr_pre", WIDE),
    ("stlur_v", WIDE),
    ("svc", "a system call: behaviour.rs `branches_lead_where_they_say`, guest-tests"),
    ("swpp", WIDE),
    ("umax_imm", CSSC),
    ("umax_reg", CSSC),
    ("umin_imm", CSSC),
    ("umin_reg", CSSC),
    ("wfet", NOTHING),
    ("wfit", NOTHING),
];

/// Why a row is not compared.
pub fn reason(row: &str) -> Option<&'static str> {
    ELSEWHERE.iter().find(|(name, _)| *name == row).map(|(_, reason)| *reason)
}

#[test]
fn every_row_is_compared_or_has_a_reason() {
    let mut r = Random(7);
    let mut open = BTreeSet::new();
    for row in ROWS {
        let compared = plan(row.group).is_some_and(|p| p.encoding(row, &mut r).is_some());
        if !compared || is_newer(row) {
            open.insert(row.name);
        }
    }
    let listed: BTreeSet<&str> = ELSEWHERE.iter().map(|(name, _)| *name).collect();
    let missing: Vec<_> = open.difference(&listed).collect();
    let needless: Vec<_> = listed.difference(&open).collect();
    assert!(missing.is_empty(), "rows that nothing compares and no reason excuses: {missing:?}");
    assert!(needless.is_empty(), "rows that are compared, or are no more: {needless:?}");
}
