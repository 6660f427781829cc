//! The run loop: guest code until it needs the kernel, then system call, fault, trap or signals, and on.
//!
//! Input: a task bound to the calling host thread; output: its exit code. State is exact at every turn of the loop.

use crate::errno::Errno;
use crate::gdb;
use crate::log;
use crate::mm::Writing;
use crate::options::LogBit;
use crate::seccomp;
use crate::signal::{self, FaultAt, SigInfo, Trap, code};
use crate::syscall::{self, SysCx, fast};
use crate::task::{Leave, Task};
use crate::trace;
use engine::{Engine, Exit};
use ir::TrapKind;

/// Runs a task until it leaves.
pub fn run_task(task: &mut Task) -> i32 {
    let engine = task.engine.clone();
    gdb::begin(task);
    loop {
        if signal::wanted(task) {
            signal::deliver(task);
        }
        let mut step = false;
        let exit = if trace::stepping(task) {
            let exit = engine.step(&mut task.cpu);
            if let Some(exit) = exit {
                handle(task, &engine, exit);
            }
            if task.leave.is_none() {
                trace::stepped(task);
            }
            None
        } else if gdb::active(task) {
            step = gdb::before_run(task) == gdb::Turn::Step;
            if step {
                // One thread at a time, so that a watched change is found by the thread that made it.
                let alone = gdb::alone();
                let exit = engine.step(&mut task.cpu);
                if exit.is_none() {
                    gdb::after_step(task);
                    continue;
                }
                drop(alone);
                exit
            } else {
                Some(engine.run(&mut task.cpu))
            }
        } else {
            Some(engine.run(&mut task.cpu))
        };
        if let Some(exit) = exit {
            handle(task, &engine, exit);
        }
        if let Some(Leave::Thread(code)) = task.leave {
            gdb::end(task);
            return code;
        }
        if step {
            gdb::after_step(task);
        }
    }
}

fn handle(task: &mut Task, engine: &Engine, exit: Exit) {
    match exit {
        Exit::Syscall => system_call(task),
        Exit::Poll => signal::deliver(task),
        // The debugger's: reported at the next turn.
        Exit::Trap(TrapKind::Yield, _) if gdb::active(task) && gdb::is_breakpoint(task.cpu.pc()) => {}
        Exit::Trap(kind, info) => {
            let trap = task.arch.trap(engine, &task.mm, &mut task.cpu, kind, info);
            if !trapped(task, trap)
                && let Some(exit) = engine.step(&mut task.cpu)
            {
                stepped(task, engine, exit);
            }
        }
        Exit::Fault => match code_written(task) {
            Some(open) => write_code(task, engine, open),
            None => memory_fault(task),
        },
        Exit::Fetch => fetch_fault(task),
    }
}

/// What holds the page open for another try, if the fault was a write that was only held off for translated code.
fn code_written(task: &Task) -> Option<Writing> {
    let fault = task.cpu.fault();
    if fault.write == Some(false) || fault.align {
        return None;
    }
    task.mm.release_code(task.arch.untag(fault.addr))
}

/// Does a store to code pages, the first of which is open, alone: it may be to the code behind itself.
fn write_code(task: &mut Task, engine: &Engine, first: Writing) {
    let mut open = vec![first];
    loop {
        match engine.step(&mut task.cpu) {
            Some(Exit::Fault) => match code_written(task) {
                Some(another) => open.push(another),
                None => return memory_fault(task),
            },
            Some(exit) => return stepped(task, engine, exit),
            None => return,
        }
    }
}

/// What one interpreted instruction ended with; a trap again means that it cannot be executed.
fn stepped(task: &mut Task, engine: &Engine, exit: Exit) {
    match exit {
        Exit::Syscall => system_call(task),
        Exit::Poll => {}
        Exit::Trap(kind, info) => {
            let trap = task.arch.trap(engine, &task.mm, &mut task.cpu, kind, info);
            if !trapped(task, trap) {
                let pc = task.cpu.pc();
                raise(task, &SigInfo::fault(libc::SIGILL, code::ILL_ILLOPC, pc), None);
            }
        }
        Exit::Fault => match code_written(task) {
            Some(open) => write_code(task, engine, open),
            None => memory_fault(task),
        },
        Exit::Fetch => fetch_fault(task),
    }
}

/// Does what a trap comes to; false if the instruction must be interpreted.
fn trapped(task: &mut Task, trap: Trap) -> bool {
    match trap {
        Trap::Signal(info) => raise(task, &info, None),
        Trap::Exception(info, code) => {
            task.fault.code = code;
            raise(task, &info, None);
        }
        Trap::Call { abi, number, args } => call(task, abi, number, args),
        Trap::Step => return false,
        Trap::Done => {}
    }
    true
}

fn system_call(task: &mut Task) {
    let arch = task.arch;
    let (number, args) = arch.syscall_regs(&task.cpu);
    if task.mm.in_vdso(task.cpu.pc())
        && let Some(result) = fast::vdso_call(task.mm.mem(), arch.abi(), number, &args)
    {
        arch.set_result(&mut task.cpu, result);
        return;
    }
    call(task, arch.abi(), number, args);
}

/// A system call of an ABI that the program can use.
fn call(task: &mut Task, abi: syscall_tables::Arch, mut number: u64, mut args: [u64; 6]) {
    let arch = task.arch;
    let next = task.cpu.pc();
    let mem = task.mm.mem();
    let debugged = gdb::active(task);
    if debugged {
        gdb::call_begins(task, number);
    }
    if trace::active(task) {
        arch.mark_call(&mut task.cpu, Some(number));
        match trace::call_begins(task, number, &args) {
            trace::Entry::Run(new, with) => (number, args) = (new, with),
            trace::Entry::Skip => {
                let (_, left) = arch.syscall_regs(&task.cpu);
                trace::call_ends(task, Ok(left[0]));
                return;
            }
        }
    }
    let mut verdict = None;
    if task.seccomp.active() {
        match seccomp::check(task, abi, number, &args, next) {
            seccomp::Verdict::Run(new, with) => (number, args) = (new, with),
            seccomp::Verdict::Done(result) => verdict = Some(result),
            seccomp::Verdict::Nothing => {
                if trace::active(task) && task.leave.is_none() {
                    trace::call_ends(task, Err(Errno::ENOSYS));
                }
                return;
            }
        }
    }
    let mut cx = SysCx { mem, abi, arch, task };
    let mut result = verdict.unwrap_or_else(|| syscall::dispatch(&mut cx, number, &args));
    if result == Err(Errno::EINTR) && verdict.is_none() && syscall::waits_for_handler(abi, number, &args) {
        result = Err(Errno::ERESTARTNOHAND);
    }
    if result == Err(Errno::EFAULT) && cx.task.mm.release_all_code() {
        result = syscall::dispatch(&mut cx, number, &args);
    }
    if debugged {
        gdb::call_ends(task);
    }
    match result {
        Err(Errno::ESIGRETURN) => {}
        Err(errno) if errno.is_restart() => {
            task.restart = Some((errno, next));
            arch.restart_syscall(&mut task.cpu, number, &args);
        }
        result => arch.set_result(&mut task.cpu, result),
    }
    if trace::active(task) && task.leave.is_none() {
        trace::call_ends(task, result);
    }
    if debugged {
        gdb::call_ended(task, number);
    }
}

fn raise(task: &mut Task, info: &SigInfo, fault: Option<FaultAt>) {
    if trace::active(task) {
        task.arch.mark_call(&mut task.cpu, None);
    }
    if log::on(LogBit::Int) || log::on(LogBit::GuestErrors) {
        note_exception(task, info, fault);
    }
    signal::force(task, info);
}

/// `-d int` and `-d guest_errors`: what the CPU raised, and where.
fn note_exception(task: &Task, info: &SigInfo, fault: Option<FaultAt>) {
    let pc = task.cpu.pc();
    let mut word = [0; 4];
    let bytes = task.mm.fetch_code(pc, &mut word);
    let what = match fault {
        Some(FaultAt { fetch: true, address, .. }) => format!("instruction fetch at {address:#x}"),
        Some(FaultAt { write: true, address, .. }) => format!("write to {address:#x}"),
        Some(FaultAt { address, .. }) => format!("read of {address:#x}"),
        None => format!("instruction bytes {:02x?}", &word[..bytes]),
    };
    log::write(&format!("{} exception: signal {} at pc {pc:#x}: {what}\n", task.tid, info.signo()));
}

fn memory_fault(task: &mut Task) {
    let fault = task.cpu.fault();
    let addr = task.arch.untag(fault.addr);
    let mapping = task.mm.find(addr).map(|(_, mapping)| mapping);
    let (sig, si_code) = if fault.align {
        (libc::SIGBUS, code::BUS_ADRALN)
    } else if fault.signo == libc::SIGBUS {
        (libc::SIGBUS, fault.code)
    } else if fault.signo == 0 && mapping.as_ref().is_some_and(|mapping| mapping.prot & needed(&fault) != 0) {
        // Found by the interpreter or a helper, which do not see the host's signal: the mapping allows the access, so
        // there is nothing behind it (past the end of a file).
        (libc::SIGBUS, code::BUS_ADRERR)
    } else {
        (libc::SIGSEGV, if mapping.is_some() { code::SEGV_ACCERR } else { code::SEGV_MAPERR })
    };
    // What can be read faulted because it was written.
    let write =
        fault.write.unwrap_or(mapping.is_some_and(|mapping| mapping.prot & crate::mm::prot::READ != 0));
    // The host's kernel gives this code when its CPU raised something else than a page fault.
    let wild = fault.code == code::SI_KERNEL && fault.signo != 0;
    fault_at(
        task,
        FaultAt {
            address: addr,
            write,
            host_write: fault.host_write,
            fetch: false,
            sig,
            code: si_code,
            wild,
        },
    );
}

fn fault_at(task: &mut Task, at: FaultAt) {
    let (info, state) = task.arch.fault(&task.mm, &task.cpu, task.fault, &at);
    task.fault = state;
    raise(task, &info, Some(at));
}

/// The permission that an access needs.
fn needed(fault: &engine::FaultInfo) -> u32 {
    if fault.write == Some(true) { crate::mm::prot::WRITE } else { crate::mm::prot::READ }
}

fn fetch_fault(task: &mut Task) {
    if let Some(trap) = task.arch.fetch_trap(&task.mm, &mut task.cpu) {
        trapped(task, trap);
        return;
    }
    let pc = task.cpu.pc();
    let code = task.mm.fault_code(pc);
    fault_at(
        task,
        FaultAt {
            address: pc,
            write: false,
            host_write: None,
            fetch: true,
            sig: libc::SIGSEGV,
            code,
            wild: false,
        },
    );
}
