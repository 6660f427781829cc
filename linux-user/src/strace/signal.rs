//! Signals between calls, `--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, ...} ---`.

use crate::signal::SigInfo;
use std::fmt::Write;
use syscall_tables::signal_name;

fn name(signal: i32) -> String {
    signal_name(signal as u64).unwrap_or_else(|| signal.to_string())
}

/// Name of a code: generic ones first, then those of the signal. Facts from asm-generic/siginfo.h.
fn code_name(signal: i32, code: i32) -> Option<&'static str> {
    let generic = match code {
        0 => Some("SI_USER"),
        0x80 => Some("SI_KERNEL"),
        -1 => Some("SI_QUEUE"),
        -2 => Some("SI_TIMER"),
        -3 => Some("SI_MESGQ"),
        -4 => Some("SI_ASYNCIO"),
        -5 => Some("SI_SIGIO"),
        -6 => Some("SI_TKILL"),
        _ => None,
    };
    let own: &[&'static str] = match signal {
        libc::SIGILL => &[
            "ILL_ILLOPC",
            "ILL_ILLOPN",
            "ILL_ILLADR",
            "ILL_ILLTRP",
            "ILL_PRVOPC",
            "ILL_PRVREG",
            "ILL_COPROC",
            "ILL_BADSTK",
        ],
        libc::SIGFPE => &[
            "FPE_INTDIV",
            "FPE_INTOVF",
            "FPE_FLTDIV",
            "FPE_FLTOVF",
            "FPE_FLTUND",
            "FPE_FLTRES",
            "FPE_FLTINV",
            "FPE_FLTSUB",
        ],
        libc::SIGSEGV => &["SEGV_MAPERR", "SEGV_ACCERR", "SEGV_BNDERR", "SEGV_PKUERR"],
        libc::SIGBUS => &["BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR", "BUS_MCEERR_AR", "BUS_MCEERR_AO"],
        libc::SIGTRAP => &["TRAP_BRKPT", "TRAP_TRACE", "TRAP_BRANCH", "TRAP_HWBKPT"],
        libc::SIGCHLD => {
            &["CLD_EXITED", "CLD_KILLED", "CLD_DUMPED", "CLD_TRAPPED", "CLD_STOPPED", "CLD_CONTINUED"]
        }
        libc::SIGIO => &["POLL_IN", "POLL_OUT", "POLL_MSG", "POLL_ERR", "POLL_PRI", "POLL_HUP"],
        _ => &[],
    };
    generic.or_else(|| usize::try_from(code - 1).ok().and_then(|i| own.get(i).copied()))
}

/// The text between the dashes.
fn describe(info: &SigInfo) -> String {
    let (signal, code) = (info.signo(), info.code());
    let mut out = format!("{} {{si_signo={0}, si_code=", name(signal));
    match code_name(signal, code) {
        Some(n) => out.push_str(n),
        None => {
            let _ = write!(out, "{code}");
        }
    }
    let fault = matches!(signal, libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE | libc::SIGTRAP);
    let _ = match (signal, code) {
        (libc::SIGCHLD, 1..=6) => {
            let _ = write!(out, ", si_pid={}, si_uid={}, si_status=", info.pid(), info.uid());
            if code == 1 { write!(out, "{}", info.status()) } else { write!(out, "{}", name(info.status())) }
        }
        (_, 1..=0x7f) if fault => write!(out, ", si_addr={:#x}", info.addr()),
        (_, 0 | -6) => write!(out, ", si_pid={}, si_uid={}", info.pid(), info.uid()),
        (_, -1 | -3) => {
            write!(out, ", si_pid={}, si_uid={}, si_value={:#x}", info.pid(), info.uid(), info.value())
        }
        _ => Ok(()),
    };
    out.push('}');
    out
}

/// A signal that the guest gets.
pub fn delivered(tid: i32, info: &SigInfo) {
    if super::enabled() {
        super::emit(&format!("{}--- {} ---\n", super::head(tid), describe(info)));
    }
}

/// The signal that ends the process.
pub fn killed(signal: i32) {
    if super::enabled() {
        let tid = crate::sys::raw_syscall(libc::SYS_gettid, [0; 6]).unwrap_or(0) as i32;
        super::emit(&format!("{}+++ killed by {} +++\n", super::head(tid), name(signal)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_read_like_straces() {
        let fault = SigInfo::fault(libc::SIGSEGV, 1, 0x10);
        assert_eq!(describe(&fault), "SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x10}");
        let user = SigInfo::user(libc::SIGTERM, 0, 7, 1000);
        assert_eq!(describe(&user), "SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=7, si_uid=1000}");
    }
}
