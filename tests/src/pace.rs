//! How fast the translator is: every instruction of an ELF file's code is translated once, without running it.
//!
//! Input: a file of the guest; output: nanoseconds per guest instruction and stage (the least of several rounds), host bytes
//! and host instructions per guest instruction. Under `valgrind --tool=callgrind` it gives exact counts.

use crate::subjects::Case;
use engine::{Config, Counters, Engine, Memory};
use host_x86_64::asm::Level;
use ir::Size;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The executable sections of a file, at their addresses in it.
struct Code {
    file: Vec<u8>,
    /// Address, offset, length.
    sections: Vec<(u64, usize, usize)>,
}

impl Code {
    fn read(path: &Path) -> Result<Code, String> {
        let file = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let word = |at: usize, n: usize| -> Option<u64> {
            let bytes = file.get(at..at + n)?;
            Some(bytes.iter().rev().fold(0, |v, &b| v << 8 | u64::from(b)))
        };
        let sections = || -> Option<Vec<(u64, usize, usize)>> {
            // Little endian, 64 bits: the section table's place, size and number of entries.
            if file.get(..6)? != b"\x7fELF\x02\x01" {
                return None;
            }
            let (table, size, count) =
                (word(0x28, 8)? as usize, word(0x3a, 2)? as usize, word(0x3c, 2)? as usize);
            let mut found = Vec::new();
            for at in (0..count).map(|k| table + k * size) {
                const EXECUTABLE: u64 = 4;
                let len = word(at + 0x20, 8)? as usize;
                if word(at + 8, 8)? & EXECUTABLE != 0 && len != 0 {
                    let offset = word(at + 0x18, 8)? as usize;
                    file.get(offset..offset + len)?;
                    found.push((word(at + 0x10, 8)?, offset, len));
                }
            }
            Some(found)
        };
        let sections =
            sections().ok_or_else(|| format!("{}: not a little-endian 64-bit ELF file", path.display()))?;
        Ok(Code { file, sections })
    }
}

/// Code can be fetched, and nothing else.
struct TextOnly(Arc<Code>);

impl Memory for TextOnly {
    fn fetch(&self, addr: u64, buf: &mut [u8]) -> usize {
        for &(start, offset, len) in &self.0.sections {
            if (start..start + len as u64).contains(&addr) {
                let skip = (addr - start) as usize;
                let n = buf.len().min(len - skip);
                buf[..n].copy_from_slice(&self.0.file[offset + skip..offset + skip + n]);
                return n;
            }
        }
        0
    }
    fn load(&self, addr: u64, _: &mut [u8]) -> Result<(), u64> {
        Err(addr)
    }
    fn store(&self, addr: u64, _: &[u8]) -> Result<(), u64> {
        Err(addr)
    }
    fn cas(&self, addr: u64, _: Size, _: u128, _: u128) -> Result<u128, u64> {
        Err(addr)
    }
}

/// What one round found.
struct Round {
    counters: Counters,
    /// Nanoseconds of the stages, by region.
    times: Vec<[u64; 4]>,
    /// Host instructions, if asked for.
    host_insns: usize,
}

/// Translates all code once; `limit` bounds the guest bytes.
fn round(case: &Case, level: Level, code: &Arc<Code>, limit: u64, count: bool) -> Round {
    let guest = ((case.subject)().guest)();
    let align = 1 << guest.insn_align_log2();
    let mut config = Config::new(guest, Arc::new(TextOnly(code.clone())), case.back_end(level));
    config.time_stages = true;
    let installed = Arc::new(Mutex::new(Vec::new()));
    if count {
        let list = installed.clone();
        config.on_install = Some(Box::new(move |at, len, _| {
            list.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((at, len));
        }));
    }
    let engine = Engine::new(config).expect("memory for the code");
    let mut times = Vec::new();
    let mut left = limit;
    for &(start, _, len) in &code.sections {
        let mut pc = start;
        let end = start + (len as u64).min(left);
        while pc < end {
            let before = engine.counters().stage_ns;
            let ranges: Vec<Range<u64>> = engine.translate_only(pc, 0).unwrap_or_default();
            let after = engine.counters().stage_ns;
            times.push(std::array::from_fn(|k| after[k] - before[k]));
            pc = ranges.iter().find(|r| r.contains(&pc)).map_or(pc + align, |r| r.end);
        }
        left -= end - start;
    }
    let back = case.back_end(level);
    let list = installed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let host_insns =
        list.iter().map(|&(at, len)| back.disassemble(&engine.installed_code(at, len), at).len()).sum();
    Round { counters: engine.counters(), times, host_insns }
}

/// The report for one file. Host instructions are counted if there are several rounds: a single one is for profilers.
pub fn measure(case: &Case, level: Level, path: &Path, rounds: usize, limit: u64) -> Result<String, String> {
    let code = Arc::new(Code::read(path)?);
    let first = round(case, level, &code, limit, rounds > 1);
    let c = first.counters;
    // The rounds do the same: what one region took longest in, something else disturbed.
    let mut least = first.times;
    for _ in 1..rounds {
        for (least, this) in least.iter_mut().zip(round(case, level, &code, limit, false).times) {
            for (least, this) in least.iter_mut().zip(this) {
                *least = (*least).min(this);
            }
        }
    }
    let n = c.guest_insns.max(1) as f64;
    let mut text = format!(
        "{} regions, {} guest instructions, {:.1} a region; {:.1} host bytes each\n",
        c.regions,
        c.guest_insns,
        n / c.regions.max(1) as f64,
        c.host_bytes as f64 / n
    );
    if rounds > 1 {
        let each = first.host_insns as f64 / n;
        let _ = writeln!(text, "{each:.2} host instructions each, stubs and cold parts included");
    }
    let mut all = 0.0;
    for (k, name) in ["front end", "passes", "back end", "installation"].iter().enumerate() {
        let ns = least.iter().map(|t| t[k]).sum::<u64>() as f64 / n;
        all += ns;
        let _ = writeln!(text, "{name:<14}{ns:>8.1} ns");
    }
    let _ = writeln!(text, "{:<14}{all:>8.1} ns", "together");
    Ok(text)
}
