//! Properties of the tables: conversions invert each other, wild bytes convert without a panic, numbers are the kernel's.

use syscall_tables::*;

/// xorshift: the same sequence on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn flags_survive_the_way_to_the_host_and_back() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for info in &ARCHES {
        for (i, set) in FLAG_SETS.iter().enumerate() {
            let id = FlagSetId(i as u16);
            for flag in set.flags {
                let v = flag.on(info.arch);
                assert_eq!(
                    id.from_host(id.to_host(v, info.arch), info.arch),
                    v,
                    "{} {}",
                    info.name,
                    flag.name
                );
            }
            if set.is_enum {
                continue;
            }
            for _ in 0..200 {
                let some = random.next();
                let v = set.flags.iter().enumerate().filter(|(k, _)| some >> (k % 64) & 1 != 0).fold(
                    0,
                    |v, (_, f)| {
                        // At most one value of each masked field.
                        if v & f.mask_on(info.arch) == 0 { v | f.on(info.arch) } else { v }
                    },
                );
                assert_eq!(
                    id.from_host(id.to_host(v, info.arch), info.arch),
                    v,
                    "{} {}",
                    info.name,
                    set.name
                );
            }
        }
    }
}

#[test]
fn arm_open_flags_become_the_hosts() {
    let id = flags::OPEN;
    let arm = Arch::Aarch64;
    assert_eq!(id.to_host(0o40000, arm), 0o200000, "O_DIRECTORY");
    assert_eq!(id.to_host(0o100000, arm), 0o400000, "O_NOFOLLOW");
    assert_eq!(id.to_host(0o200000, arm), 0o40000, "O_DIRECT");
    assert_eq!(id.to_host(0o400000, arm), 0o100000, "O_LARGEFILE");
    assert_eq!(id.to_host(0o20040000 | 2, arm), 0o20200000 | 2, "O_TMPFILE|O_RDWR");
    assert_eq!(id.to_host(0o2000101, arm), 0o2000101);
    assert_eq!(id.from_host(0o100000 | 0o2000, arm), 0o400000 | 0o2000);
    assert!(id.same_as_host(Arch::Riscv64) && !id.same_as_host(arm));
}

#[test]
fn wild_bytes_convert_between_all_arches() {
    let mut random = Random(1);
    for (i, _) in STRUCTS.iter().enumerate() {
        let ty = Ty::Struct(StructId(i as u16));
        for from in &ARCHES {
            for to in &ARCHES {
                let (n, m) = (element(ty, from.arch).0, element(ty, to.arch).0);
                let src: Vec<u8> = (0..n).map(|_| random.next() as u8).collect();
                let mut dst = vec![0; m];
                convert(ty, from.arch, &src, to.arch, &mut dst);
                if same_layout(ty, from.arch, to.arch) {
                    let mut back = vec![0; n];
                    convert(ty, to.arch, &dst, from.arch, &mut back);
                    let mut again = vec![0; m];
                    convert(ty, from.arch, &back, to.arch, &mut again);
                    assert_eq!(dst, again);
                }
            }
        }
    }
}

#[test]
fn stat_keeps_its_fields() {
    let ty = Ty::Struct(structs::STAT);
    let (host, guest) = (layout(structs::STAT, HOST), layout(structs::STAT, Arch::Aarch64));
    let mut src = vec![0; host.size];
    for (i, f) in host.fields.iter().enumerate() {
        f.put(&mut src, HOST, i as u64 + 1);
    }
    let mut dst = vec![0xff; guest.size];
    convert(ty, HOST, &src, Arch::Aarch64, &mut dst);
    for f in guest.fields.iter().filter(|f| !f.field.name.starts_with('_')) {
        let h = host.field(f.field.name).expect("both have it");
        assert_eq!(f.get(&dst, Arch::Aarch64), h.get(&src, HOST), "{}", f.field.name);
    }
}

#[test]
fn numbers_are_the_kernels() {
    let call = |a: Arch, n| a.call(n).map(|c| c.desc().name);
    assert_eq!(call(Arch::Aarch64, 56), Some("openat"));
    assert_eq!(call(Arch::Aarch64, 0), Some("io_setup"));
    assert_eq!(call(Arch::Riscv64, 259), Some("riscv_flush_icache"));
    assert_eq!(call(Arch::X86_64, 0), Some("read"));
    assert_eq!(call(Arch::I386, 120), Some("clone"));
    assert_eq!(call(Arch::Arm, 0xf0002), Some("ARM_cacheflush"));
    assert_eq!(call(Arch::Aarch64, 244), None);
    assert_eq!(call(Arch::Aarch64, u64::MAX), None);
    for info in &ARCHES {
        for c in &CALLS {
            if let Some(n) = info.numbers.number_of(c.id) {
                assert_eq!(info.arch.call(n), Some(c.id));
            }
        }
    }
}

#[test]
fn ioctl_numbers_are_the_kernels() {
    let on = |name: &str, arch| IOCTLS.iter().find(|d| d.name == name).map(|d| d.on(arch));
    assert_eq!(on("TCGETS", Arch::Aarch64), Some(0x5401));
    assert_eq!(on("TCGETS2", HOST), Some(0x802c_542a));
    assert_eq!(on("TIOCGPTN", HOST), Some(0x8004_5430));
    assert_eq!(on("BLKGETSIZE64", HOST), Some(0x8008_1272));
    assert_eq!(on("BLKGETSIZE64", Arch::I386), Some(0x8004_1272));
    assert_eq!(on("FS_IOC_GETFLAGS", HOST), Some(0x8008_6601));
    assert_eq!(on("TIOCGPTN", Arch::Ppc64le), Some(0x4004_5430));
    assert_eq!(on("FS_IOC_FIEMAP", HOST), Some(0xc020_660b));
    assert_eq!(on("RTC_RD_TIME", HOST), Some(0x8024_7009));
    let mut seen = std::collections::BTreeMap::new();
    for d in &IOCTLS {
        if let Some(other) = seen.insert(d.on(HOST), d.name) {
            panic!("{} and {other} have one number", d.name);
        }
    }
}

#[test]
fn every_missing_call_says_why() {
    for c in CALLS.iter().filter(|c| !c.level.works()) {
        assert!(!c.note.is_empty(), "{}", c.name);
    }
    let described = |n: &&CallId| n.desc().note != "not described yet";
    let generic = &Arch::Aarch64.info().numbers.small;
    assert!(generic.iter().flatten().all(|c| described(&c)));
}

#[test]
fn names_of_errors_and_signals() {
    assert_eq!(Errno::ENOENT.name(), Some("ENOENT"));
    assert_eq!(Errno::ENOENT.to_string(), "No such file or directory");
    assert_eq!(signal_name(9).as_deref(), Some("SIGKILL"));
    assert_eq!(signal_name(34).as_deref(), Some("SIGRT_2"));
}

/// The README's tables are these; `BLESS=1` writes them.
#[test]
fn the_readme_shows_the_support_matrix() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let text = std::fs::read_to_string(path).expect("README.md");
    let (begin, end) = ("<!-- matrix -->\n", "<!-- end of matrix -->");
    let from = text.find(begin).expect("a place for the matrix") + begin.len();
    let to = text.find(end).expect("its end");
    let want = format!("{}\n{}", matrix::overview(), matrix::missing());
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, format!("{}{want}{}", &text[..from], &text[to..])).expect("README.md");
    } else {
        assert_eq!(&text[from..to], want, "BLESS=1 rewrites it");
    }
}

/// The guests that programs are run for here: what makes sense in user mode works.
#[test]
fn nineteen_of_twenty_sensible_calls_work_everywhere() {
    for info in &ARCHES {
        let s = matrix::summary(info.arch);
        assert!(s.per_mille() >= 950, "{}: {s:?}", info.name);
    }
}
