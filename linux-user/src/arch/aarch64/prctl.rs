//! `prctl` options of AArch64: pointer authentication keys, tagged addresses, vector lengths.

use crate::cpu::CpuState;
use crate::errno::{Errno, SysResult};
use crate::sys::raw_syscall;
use guest_aarch64::cpu as regs;
use ir::SlotTable;

const PR_PAC_RESET_KEYS: i32 = 54;
const PR_GET_TAGGED_ADDR_CTRL: i32 = 56;
const PR_PAC_GET_ENABLED_KEYS: i32 = 61;

/// APIA, APIB, APDA, APDB, APGA: bit n is key n.
const ALL_KEYS: u64 = 0x1f;

/// Answers one option; the others are those of a CPU without the feature.
pub fn prctl(slots: &SlotTable, pauth: bool, cpu: &mut CpuState, option: i32, args: [u64; 4]) -> SysResult {
    match option {
        PR_PAC_RESET_KEYS if pauth => {
            let [keys, rest @ ..] = args;
            if rest != [0; 3] || keys & !ALL_KEYS != 0 {
                return Err(Errno::EINVAL);
            }
            let keys = if keys == 0 { ALL_KEYS } else { keys };
            let mut random = [0u64; 10];
            let length = size_of_val(&random) as u64;
            raw_syscall(libc::SYS_getrandom, [random.as_mut_ptr() as u64, length, 0, 0, 0, 0])?;
            for (index, value) in random.iter().enumerate() {
                let key = index as u32 / 2;
                if keys >> key & 1 != 0 {
                    let slot = regs::pac_key(key, index % 2 == 1);
                    cpu.write_u64(slots.get(slot).offset as usize, *value);
                }
            }
            Ok(0)
        }
        // All but the generic key can be switched; none ever is.
        PR_PAC_GET_ENABLED_KEYS if pauth && args == [0; 4] => Ok(0xf),
        // Tagged addresses are not taken by system calls, which is the kernel's default.
        PR_GET_TAGGED_ADDR_CTRL if args == [0; 4] => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}
