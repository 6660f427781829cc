# The project's commands. Each target installs what it needs on a Debian 12 machine (as root, or through sudo).
SHELL := /bin/bash
PREFIX ?= /usr/local
HOST := x86_64-unknown-linux-gnu
# Static-PIE: one file that runs on any kernel and leaves no library of the host in the guest's address space.
STATIC_PIE := -C target-feature=+crt-static -C relocation-model=pie
TOOLS := qemu-binfmt-conf
BINARIES := qemu-aarch64 qemu-riscv64 qemu-riscv32 qemu-x86_64 qemu-i386
DEV := target/release/omnirun-dev

export OMNIRUN_TREES ?= $(CURDIR)/build/trees

.PHONY: help demo test test-programs bench install fuzz release lint clean setup-build setup-test setup-oracle setup-programs setup-bench

help: ## show this list
	@echo "Omnirun: run programs built for another processor"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

setup-build:
	@tests/setup.sh build

setup-test:
	@tests/setup.sh build cross tree

setup-oracle:
	@tests/setup.sh oracle

setup-bench:
	@tests/setup.sh build cross tree reference

release: setup-build ## build the release binaries into target/release/
	RUSTFLAGS='$(STATIC_PIE)' cargo build --release --target $(HOST) -p linux-user -p binfmt-conf -p omnirun-tests --bins
	@mkdir -p target/release
	@for b in $(BINARIES) $(TOOLS) omnirun-dev; do install -m 755 target/$(HOST)/release/$$b target/release/$$b; done

demo: setup-test release ## build, then run foreign programs of three kinds beside native
	@$(DEV) demo

lint: setup-build
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

test: setup-test setup-oracle release ## unit tests, guest programs in every mode, real programs in short form
	cargo test --workspace --exclude omnirun-tests
	cargo test -p omnirun-tests --no-fail-fast -- --format=terse

setup-programs:
	@tests/setup.sh build cross tree programs

test-programs: setup-programs release ## real programs of the Debian trees, in full
	OMNIRUN_FULL=1 cargo test -p omnirun-tests --test programs

bench: setup-bench release ## native, reference emulator and Omnirun in turn; prints ratios, writes build/bench-GUEST.md
	@for g in aarch64 riscv64 x86_64 i386; do $(DEV) bench -g $$g $(BENCH_ARGS) || exit 1; done

fuzz: setup-build ## run the fuzz targets' generators for FUZZ_SECONDS (default 60) each
	OMNIRUN_FUZZ_SECONDS=$${FUZZ_SECONDS:-60} cargo test --release --workspace fuzz -- --nocapture

install: release ## copy the binaries to PREFIX/bin; REGISTER=yes also registers them with binfmt_misc
	install -d $(DESTDIR)$(PREFIX)/bin
	@for b in $(BINARIES) $(TOOLS); do \
	  echo "install $(DESTDIR)$(PREFIX)/bin/$$b"; install -m 755 target/release/$$b $(DESTDIR)$(PREFIX)/bin/$$b; done
	@if [ "$(REGISTER)" = yes ]; then $(DESTDIR)$(PREFIX)/bin/qemu-binfmt-conf --qemu-path $(PREFIX)/bin \
	  --persistent yes --preserve-argv0 yes $(BINARIES); fi

clean:
	rm -rf build target
