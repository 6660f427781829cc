//! A Debian tree as a system of its own: a chroot in which the kernel starts every program through binfmt_misc, and in which
//! `dpkg` and `apt-get` install packages from a local pool. In namespaces of its own, on a layer above the tree; where the
//! kernel refuses those, the test says so and ends. `OMNIRUN_FULL` installs more packages.

#[path = "../../linux-user/tests/support/namespace.rs"]
mod namespace;

use omnirun_tests::list::GUESTS;
use omnirun_tests::{programs, root};
use std::os::unix::fs::MetadataExt;

/// What runs inside: `$1` packages, each of which depends on the one before and has scripts in three languages.
const INSIDE: &str = r#"
set -e
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive
# The tree's own packages were only unpacked: its database says little about them.
: > /var/lib/dpkg/status
cd /root; mkdir pool
for n in $(seq 1 $1); do
    d=build/p$n; mkdir -p $d/DEBIAN $d/usr/share/p$n
    echo "data $n" > $d/usr/share/p$n/file
    printf 'Package: p%s\nVersion: 1.%s\nArchitecture: all\nMaintainer: t <t@t>\n' $n $n > $d/DEBIAN/control
    [ $n = 1 ] || echo "Depends: p$((n - 1))" >> $d/DEBIAN/control
    echo "Description: package $n" >> $d/DEBIAN/control
    printf '#!/bin/sh\nset -e\necho "preinst p%s $1"\n' $n > $d/DEBIAN/preinst
    if [ $((n % 2)) = 0 ]; then printf '#!/usr/bin/perl\nprint "postinst p%s $ARGV[0]\\n";\n' $n
    else printf '#!/bin/bash -e\ntest -s /usr/share/p%s/file; echo "postinst p%s $1 ${0##*/}"\n' $n $n; fi > $d/DEBIAN/postinst
    chmod 755 $d/DEBIAN/p*inst
    dpkg-deb --root-owner-group -b $d pool/p$n.deb > /dev/null
done
dpkg -i $(ls -r pool/*.deb) > log 2>&1 || { cat log; exit 1; }
grep -c '^preinst p' log; grep -c '^postinst p' log
dpkg-query -W -f '${Status} ${Package}\n' 'p*' | grep -c '^install ok installed p[0-9]'
dpkg --audit; dpkg -V p1 p$1 && echo verified
dpkg -P p$1 > /dev/null; test ! -e /usr/share/p$1 && cat /usr/share/p$(($1 - 1))/file
if [ -e /usr/bin/apt-get ]; then
    for f in pool/*.deb; do
        dpkg-deb -f $f; printf 'Filename: %s\nSize: %s\nSHA256: %s\n\n' ./${f#pool/} $(stat -c %s $f) $(sha256sum < $f | cut -d' ' -f1)
    done > pool/Packages
    mkdir -p /etc/apt /var/lib/apt/lists/partial /var/cache/apt/archives/partial /var/log/apt
    echo 'deb [trusted=yes] file:/root/pool ./' > /etc/apt/sources.list
    dpkg -P $(dpkg-query -W -f '${Package} ' 'p*' | tr ' ' '\n' | grep '^p[0-9]*$') > /dev/null 2>&1
    apt="apt-get -qq -o APT::Sandbox::User=root -o Dir::State::status=/var/lib/dpkg/status"
    $apt update; $apt install -y p$1 > log 2>&1 || { cat log; exit 1; }
    grep -c '^postinst p' log
fi
"#;

#[test]
fn dpkg_and_apt_install_packages_in_a_chroot() {
    let guest = &GUESTS[0];
    let tree = programs::tree(guest).unwrap().path();
    assert!(tree.join("usr/bin/dpkg").exists(), "{}: run `make test`, which unpacks it", tree.display());
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("only root can map the other users that dpkg needs");
        return;
    }
    let count = if programs::full() { 20 } else { 4 };
    let work = root().join("build/work").join("chroot");
    let _ = std::fs::remove_dir_all(&work);
    for dir in ["upper/root", "work", "root"] {
        std::fs::create_dir_all(work.join(dir)).unwrap();
    }
    std::fs::write(work.join("upper/root/inside.sh"), INSIDE).unwrap();
    let bin = root().join("target/release");
    let script = format!(
        "cd {work} && mount -t overlay overlay -o userxattr,lowerdir={tree},upperdir=upper,workdir=work root || \
         {{ echo REFUSED; exit 0; }}\n\
         mount -t proc proc root/proc && mount --rbind /dev root/dev\n\
         {bin}/qemu-binfmt-conf register --qemu-path {bin} --persistent yes --credential yes --preserve-argv0 yes {name} > /dev/null\n\
         QEMU_CACHE=dir=/root/cache chroot root /bin/bash /root/inside.sh {count} 2>&1; echo status $?",
        work = work.display(),
        tree = tree.display(),
        bin = bin.display(),
        name = guest.name,
    );
    let Some(shown) = namespace::in_namespace(&script, "0 0 4294967295\n") else { return };
    let apt = if tree.join("usr/bin/apt-get").exists() { format!("{count}\n") } else { String::new() };
    let installed = format!("{count}\n{count}\n{count}\nverified\ndata {}\n{apt}status 0\n", count - 1);
    assert_eq!(shown, installed);
    let _ = std::fs::remove_dir_all(&work);
}
