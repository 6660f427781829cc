//! The mmap family against what the kernel does.

use super::*;

const RW: u32 = prot::READ | prot::WRITE;
const ANON: u64 = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
const FIXED: u64 = libc::MAP_FIXED as u64;

fn mm() -> Mm {
    Mm::new(GuestMem::new(0, 1 << 47), 0x10)
}

#[test]
fn map_write_unmap() {
    let mm = mm();
    let addr = mm.mmap(0, 3 * PAGE, RW, ANON, -1, 0).unwrap();
    mm.mem().write(addr + PAGE, &7u64).unwrap();
    assert_eq!(mm.munmap(addr + PAGE, PAGE), Ok(0));
    assert!(mm.is_mapped(addr, PAGE) && !mm.is_mapped(addr, 2 * PAGE));
    assert_eq!(mm.mprotect(addr, 3 * PAGE, prot::READ), Err(Errno::ENOMEM));
    assert_eq!(mm.find(addr).unwrap().1.prot, prot::READ);
    assert_eq!(mm.find(addr + 2 * PAGE).unwrap().1.prot, RW);
    assert_eq!(mm.madvise(addr, 3 * PAGE, libc::MADV_DONTNEED), Err(Errno::ENOMEM));
    mm.clear();
}

#[test]
fn bad_arguments_give_the_kernels_errors() {
    let mm = mm();
    assert_eq!(mm.mmap(0, 0, RW, ANON, -1, 0), Err(Errno::EINVAL));
    assert_eq!(mm.mmap(0, PAGE, RW, ANON, -1, 1), Err(Errno::EINVAL));
    assert_eq!(mm.mmap(0, u64::MAX, RW, ANON, -1, 0), Err(Errno::ENOMEM));
    assert_eq!(mm.mmap(1, PAGE, RW, ANON | FIXED, -1, 0), Err(Errno::EINVAL));
    assert_eq!(mm.mmap((1 << 47) - PAGE, 2 * PAGE, RW, ANON | FIXED, -1, 0), Err(Errno::ENOMEM));
    assert_eq!(mm.mmap(0, PAGE, RW, libc::MAP_PRIVATE as u64, -1, 0), Err(Errno::EBADF));
    assert_eq!(mm.munmap(1, PAGE), Err(Errno::EINVAL));
    assert_eq!(mm.munmap(!(PAGE - 1), PAGE), Err(Errno::EINVAL));
    assert_eq!(mm.mremap(PAGE, PAGE, PAGE, 8, 0), Err(Errno::EINVAL));
    assert_eq!(mm.mremap(PAGE, PAGE, PAGE, 0, 0), Err(Errno::EFAULT));
}

#[test]
fn the_emulators_memory_is_out_of_reach() {
    let mm = mm();
    let own = sys_mmap(0, 4 * PAGE, RW, ANON, -1, 0).unwrap();
    assert_eq!(mm.munmap(own, 4 * PAGE), Ok(0));
    assert_eq!(mm.mmap(own, PAGE, RW, ANON | FIXED, -1, 0), Err(Errno::ENOMEM));
    let noreplace = libc::MAP_FIXED_NOREPLACE as u64;
    assert_eq!(mm.mmap(own, PAGE, RW, ANON | noreplace, -1, 0), Err(Errno::EEXIST));
    assert_eq!(mm.mprotect(own, PAGE, 0), Err(Errno::ENOMEM));
    assert_eq!(mm.madvise(own, PAGE, libc::MADV_DONTNEED), Err(Errno::ENOMEM));
    let guest = mm.mmap(0, PAGE, RW, ANON, -1, 0).unwrap();
    assert_eq!(mm.mremap(guest, PAGE, PAGE, 3, own), Err(Errno::ENOMEM));
    // Still there and untouched.
    assert_eq!(mm.mem().read::<u64>(own), Ok(0));
    sys_munmap(own, 4 * PAGE);
    mm.clear();
}

#[test]
fn execution_is_never_given_to_the_host_and_fetch_obeys_it() {
    let mm = mm();
    let addr = mm.mmap(0, 2 * PAGE, RW, ANON, -1, 0).unwrap();
    mm.mem().write(addr, &0x1234u64).unwrap();
    let mut buf = [0; 16];
    assert_eq!(mm.fetch_code(addr, &mut buf), 0);
    mm.mprotect(addr, PAGE, prot::EXEC).unwrap();
    assert_eq!(mm.fetch_code(addr, &mut buf), 16);
    assert_eq!(buf[..2], [0x34, 0x12]);
    assert_eq!(mm.fetch_code(addr + PAGE - 4, &mut buf), 4);
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| line.starts_with(&format!("{addr:x}-"))).unwrap();
    assert!(line.contains(" r--p "), "{line}");
    mm.clear();
}

#[test]
fn stale_code_is_reported_for_executable_ranges_only() {
    let mm = mm();
    let seen = std::sync::Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    mm.on_stale_code(Box::new(move |start, len| sink.lock().push((start, len))));
    let addr = mm.mmap(0, 4 * PAGE, RW, ANON, -1, 0).unwrap();
    mm.mprotect(addr + PAGE, PAGE, prot::READ | prot::EXEC).unwrap();
    assert!(seen.lock().is_empty());
    mm.munmap(addr, 4 * PAGE).unwrap();
    assert_eq!(*seen.lock(), [(addr + PAGE, PAGE)]);
}

#[test]
fn mremap_grows_moves_and_shrinks() {
    let mm = mm();
    let addr = mm.mmap(0, 8 * PAGE, RW, ANON, -1, 0).unwrap();
    mm.mem().write(addr, &42u32).unwrap();
    assert_eq!(mm.mremap(addr, 8 * PAGE, 2 * PAGE, 0, 0), Ok(addr));
    let moved = mm.mremap(addr, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE, 0).unwrap();
    assert_eq!(mm.mem().read::<u32>(moved), Ok(42));
    assert!(mm.is_mapped(moved, 64 * PAGE));
    let to = mm.mmap(0, 64 * PAGE, RW, ANON, -1, 0).unwrap();
    assert_eq!(mm.mremap(moved, 64 * PAGE, 64 * PAGE, MREMAP_MAYMOVE | 2, to), Ok(to));
    assert!(!mm.is_mapped(moved, PAGE));
    assert_eq!(mm.mem().read::<u32>(to), Ok(42));
    mm.clear();
}

const MREMAP_MAYMOVE: u64 = 1;

#[test]
fn brk_moves_up_and_down() {
    let mm = mm();
    // A free place: map it, forget it, and let brk have it.
    let start = mm.mmap(0, 64 * PAGE, RW, ANON, -1, 0).unwrap();
    mm.munmap(start, 64 * PAGE).unwrap();
    mm.lock().brk = start..start;
    assert_eq!(mm.brk(0), start);
    assert_eq!(mm.brk(start + 100), start + 100);
    mm.mem().write(start + 8, &1u64).unwrap();
    assert_eq!(mm.brk(start + 3 * PAGE), start + 3 * PAGE);
    assert_eq!(mm.find(start).unwrap().1.kind, Kind::Heap);
    assert_eq!(mm.brk(start + PAGE), start + PAGE);
    assert!(!mm.is_mapped(start + PAGE, PAGE));
    mm.clear();
}

#[test]
fn mincore_and_locks_check_their_ranges() {
    let mm = mm();
    let addr = mm.mmap(0, 4 * PAGE, RW, ANON, -1, 0).unwrap();
    mm.mem().write(addr, &1u8).unwrap();
    assert_eq!(mm.mincore(addr, 4 * PAGE, addr + PAGE), Ok(0));
    assert_eq!(mm.mem().read::<u8>(addr + PAGE), Ok(1));
    assert_eq!(mm.mincore(addr + 1, PAGE, addr), Err(Errno::EINVAL));
    assert_eq!(mm.mlock(addr + 8, PAGE, 0), Ok(0));
    assert_eq!(mm.munlock(addr, 2 * PAGE), Ok(0));
    mm.clear();
    assert_eq!(mm.mlock(addr, PAGE, 0), Err(Errno::ENOMEM));
}
