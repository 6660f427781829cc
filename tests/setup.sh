#!/usr/bin/env bash
# Installs what the Makefile's targets need, each part only when it is missing:
#   build      Rust (explained, not installed) and a C linker
#   cross      the cross compilers for guest-tests/
#   tree       Debian trees in $OMNIRUN_TREES to run real programs from: 12 in arm64, amd64 and i386, 13 in riscv64
#   oracle     the newest Debian qemu-user in $OMNIRUN_TREES/reference, which the RISC-V instruction tests compare with
#   programs   for the full list: python's sqlite3 tests, Go and Rust programs from PyPI
#   reference  the same and what `make bench` runs, to measure against
set -eu
cd "$(dirname "$0")/.."
trees=${OMNIRUN_TREES:-$PWD/build/trees}

say() { printf 'setup: %s\n' "$*" >&2; }

apt_install() { # apt_install PACKAGE... : as root, or through sudo
    local as=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || { say "please install as root: apt-get install $*"; exit 1; }
        as=(sudo)
    fi
    command -v apt-get >/dev/null || { say "not a Debian machine; please install: $*"; exit 1; }
    say "installing $*"
    # A fresh machine has no package lists; a used one has lists that may name versions that are gone.
    "${as[@]}" apt-get update -qq >/dev/null 2>&1 || true
    "${as[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

need() { # need COMMAND PACKAGE... : install the packages unless the command is there
    local cmd=$1; shift
    command -v "$cmd" >/dev/null || apt_install "$@"
}

setup_build() {
    if ! command -v cargo >/dev/null && [ ! -x "$HOME/.cargo/bin/cargo" ]; then
        say "no Rust toolchain: install Rust 1.85 or newer (rustup, or your distribution's rustc and cargo)"
        exit 1
    fi
    need cc gcc libc6-dev
}

setup_cross() {
    need aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross
    need aarch64-linux-gnu-g++ g++-aarch64-linux-gnu libstdc++-12-dev-arm64-cross
    need riscv64-linux-gnu-gcc gcc-riscv64-linux-gnu libc6-dev-riscv64-cross
    need riscv64-linux-gnu-g++ g++-riscv64-linux-gnu libstdc++-12-dev-riscv64-cross
    need g++ g++
    # Not gcc-multilib, which Debian allows beside no cross compiler.
    need i686-linux-gnu-gcc gcc-i686-linux-gnu libc6-dev-i386-cross
    need i686-linux-gnu-g++ g++-i686-linux-gnu libstdc++-12-dev-i386-cross
    need gdb-multiarch gdb-multiarch
    # The oracle of the instruction tests: without it they would compare nothing. Ours may stand first in PATH.
    [ -x /usr/bin/qemu-aarch64 ] || apt_install qemu-user
}

packages=(apt base-files base-passwd bash dash coreutils findutils grep sed gawk mawk tar gzip bzip2 xz-utils zstd
    perl python3 openssl sqlite3 git gcc g++ make libc6-dev libc-bin busybox-static stress-ng nodejs lua5.4 procps
    strace gdb file less diffutils patch util-linux hostname login passwd tzdata ca-certificates netcat-openbsd curl bc
    time ncurses-bin ncurses-base socat debianutils)

# The Debian mirror that this machine itself installs from.
mirror() {
    apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' |
        awk -v release="$(. /etc/os-release && echo "$VERSION_CODENAME")" '$1 == release && $2 == "main" { print $3; exit }'
}

# extract FOLDER ARCHITECTURE SUITE PACKAGE... : `extract` runs no maintainer script, so no emulator is needed.
extract() {
    local t=$trees/$1 arch=$2 suite=$3
    shift 3
    rm -rf "$t"
    # Merged /usr, as Debian installs it: a maintainer script would have made /bin and /lib links.
    mmdebstrap --quiet --variant=extract --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
        --architectures="$arch" --aptopt='Acquire::Check-Valid-Until "false"' --include="$(IFS=,; echo "${packages[*]},$*")" "$suite" "$t" "deb $(mirror) $suite main"
}

# finish FOLDER : what the maintainer scripts would have written and programs look for.
finish() {
    local t=$trees/$1
    printf '%s\n' root:x:0:0:root:/root:/bin/bash nobody:x:65534:65534:nobody:/:/usr/sbin/nologin >"$t/etc/passwd"
    printf '%s\n' root:x:0: nogroup:x:65534: >"$t/etc/group"
    printf '127.0.0.1 localhost\n' >"$t/etc/hosts"
    cp "$t/usr/share/zoneinfo/Etc/UTC" "$t/etc/localtime"
    ln -sf mawk "$t/usr/bin/awk"
    ln -sf gcc "$t/usr/bin/cc"
    ln -sf g++ "$t/usr/bin/c++"
    ln -sf which.debianutils "$t/usr/bin/which"
    ln -sf nc.openbsd "$t/usr/bin/nc"
    touch "$t/.complete"
}

setup_tree() {
    mkdir -p "$trees"
    need mmdebstrap mmdebstrap
    [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || apt_install debian-archive-keyring
    # A tree of an older version of this script has /bin apart from /usr/bin.
    if [ ! -e "$trees/arm64/.complete" ] || [ ! -L "$trees/arm64/bin" ]; then
        say "unpacking a Debian 12 arm64 tree into $trees/arm64 (about 700 MB)"
        extract arm64 arm64 bookworm perl-modules-5.36 python3.11 libpython3.11-testsuite
        finish arm64
    fi
    local arch
    for arch in amd64 i386; do
        [ -e "$trees/$arch/.complete" ] && continue
        say "unpacking a Debian 12 $arch tree into $trees/$arch (about 800 MB)"
        extract $arch $arch bookworm perl-modules-5.36 python3.11 libpython3.11-testsuite
        finish $arch
    done
    if [ ! -e "$trees/riscv64/.complete" ]; then
        say "unpacking a Debian 13 riscv64 tree into $trees/riscv64 (about 1 GB)"
        local more=(perl-modules-5.40 python3.13 libpython3.13-testsuite)
        # A mirror's index may be older than its release file; the other name of the suite is signed apart.
        extract riscv64 riscv64 trixie "${more[@]}" || extract riscv64 riscv64 stable "${more[@]}"
        finish riscv64
    fi
}

# Only for the full list of real programs: what Debian 12 does not package.
setup_programs() {
    if [ ! -d "$trees/arm64/usr/lib/python3.11/test/test_sqlite3" ]; then
        say "python3.11's sqlite3 tests, which its package leaves out, from Debian's source package"
        local source=$trees/source
        mkdir -p "$source/lists/partial"
        echo "deb-src $(mirror) bookworm main" >"$source/sources.list"
        local options=(-o "Dir::Etc::sourcelist=$source/sources.list" -o Dir::Etc::sourceparts=-
            -o "Dir::State::lists=$source/lists" -o "APT::Sandbox::User=$(id -un)")
        apt-get "${options[@]}" update -qq
        (cd "$source" && apt-get "${options[@]}" source -qq --download-only python3.11)
        tar --no-same-owner -xf "$source"/python3.11_*.orig.tar.* -C "$trees/arm64/usr/lib/python3.11/test" --strip-components=3 \
            --wildcards '*/Lib/test/test_sqlite3'
        rm -rf "$source"
    fi
    local tools=$trees/tools/aarch64
    if [ ! -x "$tools/ruff" ] || [ ! -x "$tools/shfmt" ] || [ ! -x "$tools/py-spy" ]; then
        say "a Go program and two Rust ones for arm64 from PyPI into $tools"
        need pip3 python3-pip
        need unzip unzip
        mkdir -p "$tools"
        local get=(pip3 download -q --no-deps --only-binary=:all: -d "$tools")
        "${get[@]}" --platform manylinux2014_aarch64 shfmt-py==4.2.0
        "${get[@]}" --platform musllinux_1_2_aarch64 ruff==0.17.6
        "${get[@]}" --platform manylinux2014_aarch64 py-spy==0.4.3
        for wheel in "$tools"/*.whl; do unzip -qoj "$wheel" '*/scripts/*' -d "$tools"; done
        chmod 755 "$tools/ruff" "$tools/shfmt" "$tools/py-spy"
        rm "$tools"/*.whl
    fi
    tools=$trees/tools/riscv64
    if [ ! -x "$tools/ruff" ] || [ ! -x "$tools/shfmt" ]; then
        say "a Go and a Rust program for riscv64 from Debian 13 and PyPI into $tools"
        need pip3 python3-pip
        need unzip unzip
        mkdir -p "$tools/lists/partial"
        echo "deb [arch=riscv64] $(mirror) trixie main" >"$tools/sources.list"
        local options=(-o "Dir::Etc::sourcelist=$tools/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$tools/lists"
            -o "Dir::Cache=$tools" -o APT::Architecture=riscv64 -o APT::Architectures::=riscv64 -o "APT::Sandbox::User=$(id -un)")
        apt-get "${options[@]}" update -qq
        (cd "$tools" && apt-get "${options[@]}" download -qq shfmt && dpkg-deb -x shfmt_*.deb x && mv x/usr/bin/shfmt .)
        pip3 download -q --no-deps --only-binary=:all: -d "$tools" --platform manylinux_2_31_riscv64 ruff==0.17.6
        unzip -qoj "$tools"/ruff-*.whl '*/scripts/*' -d "$tools"
        chmod 755 "$tools/ruff"
        rm -rf "$tools"/{x,lists,sources.list,*.deb,*.whl,*.bin}
    fi
}

setup_reference() {
    # The peak of memory.
    [ -x /usr/bin/time ] || apt_install time
    # A compiler that makes RISC-V vector code.
    need clang-19 clang-19
    need lua5.4 lua5.4
    need sqlite3 sqlite3
    need zstd zstd
    need xz xz-utils
    need bzip2 bzip2
    need perl perl
    need openssl openssl
    [ -x /usr/bin/python3 ] || apt_install python3
    setup_oracle
}

setup_oracle() {
    [ -x "$trees/reference/usr/bin/qemu-aarch64" ] && return
    say "unpacking the newest Debian qemu-user into $trees/reference"
    need mmdebstrap mmdebstrap
    rm -rf "$trees/reference"
    # The development suite's package is linked statically, so it runs on a stable system.
    if ! mmdebstrap --quiet --variant=extract --architectures=amd64 \
        --aptopt='Acquire::Check-Valid-Until "false"' --include=qemu-user sid "$trees/reference"; then
        rm -rf "$trees/reference"
        say "not to be had; comparing with this release's qemu-user"
        need qemu-aarch64 qemu-user
        mkdir -p "$trees/reference/usr/bin"
        for g in aarch64 riscv64 riscv32; do ln -s "/usr/bin/qemu-$g" "$trees/reference/usr/bin/qemu-$g"; done
    fi
}

for part in "$@"; do "setup_$part"; done
