//! What the user of the engine chooses.

use crate::Memory;
use ir::{BackEnd, Guest};
use std::sync::Arc;

/// How regions are run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Tier {
    /// Translated code.
    #[default]
    Quick,
    /// The IR interpreter.
    Interpreter,
}

/// Stages that can be logged; each is a bit of [`Config::log_mask`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum LogItem {
    /// Guest disassembly of each region.
    InAsm = 1,
    /// IR as the front end made it.
    Op = 2,
    /// IR after the passes.
    OpOpt = 4,
    /// Host disassembly with guest addresses.
    OutAsm = 8,
    /// Each region entered (turns linking off).
    Exec = 16,
    /// CPU state before each region (turns linking off).
    Cpu = 32,
}

/// Told of each installed region: (host address, length, guest pc).
pub type InstallHook = Box<dyn Fn(u64, usize, u64) + Send + Sync>;

/// Asked at each system call, state in the CPU and pc behind it: true if the call was done in place. What it does must not
/// block, change the mode, the address space or code, nor run other guest code.
pub type FastCall = fn(&mut crate::CpuState) -> bool;

/// Receives log text.
pub type LogSink = Arc<dyn Fn(LogItem, &str) + Send + Sync>;

/// Configuration of an [`crate::Engine`].
pub struct Config {
    /// The guest CPU.
    pub guest: Box<dyn Guest>,
    /// Guest memory.
    pub memory: Arc<dyn Memory>,
    /// The host back end.
    pub back_end: Box<dyn BackEnd>,
    /// How to run.
    pub tier: Tier,
    /// Loops that run often are compiled again, better. Not with `one_insn`, `no_chain` or the interpreter.
    pub hot: Option<crate::HotConfig>,
    /// Host address of guest address 0, for guests with 32-bit addresses: 4 GiB from there and a guard page after them
    /// belong to the guest. Other guests have 0.
    pub memory_base: u64,
    /// Bytes of the code arena.
    pub arena: usize,
    /// One guest instruction per region.
    pub one_insn: bool,
    /// Do not link regions.
    pub no_chain: bool,
    /// Or of [`LogItem`]s.
    pub log_mask: u32,
    /// Where logs go.
    pub log: Option<LogSink>,
    /// Only log regions that start in one of these guest ranges (empty: all).
    pub log_filter: Vec<std::ops::Range<u64>>,
    /// Called for each installed region: (host address, length, guest pc); for profilers' symbol maps.
    pub on_install: Option<InstallHook>,
    /// System calls that need not leave translated code.
    pub fast_call: Option<FastCall>,
    /// Keeps translations in files.
    pub cache: Option<crate::CacheConfig>,
    /// Counts guest instructions and measures the time that each stage takes.
    pub time_stages: bool,
    /// Renders the CPU for [`LogItem::Cpu`].
    pub dump_cpu: Option<fn(&crate::CpuState) -> String>,
}

impl Config {
    /// Defaults for everything that has one.
    pub fn new(guest: Box<dyn Guest>, memory: Arc<dyn Memory>, back_end: Box<dyn BackEnd>) -> Config {
        Config {
            guest,
            memory,
            back_end,
            tier: Tier::Quick,
            hot: None,
            memory_base: 0,
            arena: 256 << 20,
            one_insn: false,
            no_chain: false,
            log_mask: 0,
            log: None,
            log_filter: Vec::new(),
            on_install: None,
            fast_call: None,
            cache: None,
            time_stages: false,
            dump_cpu: None,
        }
    }
}
