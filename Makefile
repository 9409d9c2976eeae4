# The commands of the README. Each installs what it needs, runs without a terminal, and exits 0 only if what it checked
# holds. Nothing is built inside the checkout: a clean clone does not pay again for what the machine has built before.

SHELL := /bin/bash
CACHE ?= $(HOME)/.cache/stakehold
export CARGO_TARGET_DIR ?= $(CACHE)/target
ROCKSDB_VERSION := 0.25.0-lz4
export ROCKSDB_LIB_DIR := $(CACHE)/rocksdb-$(ROCKSDB_VERSION)/lib
export ROCKSDB_STATIC := 1
NEXTEST_VERSION := 0.9.143
BIN := $(CARGO_TARGET_DIR)/release/stakehold
RECORDING ?=
SEEDS ?= 200
FROM ?= 1

.PHONY: help demo test fmt bench soak model mutations build rocksdb tools nextest

help:
	@sed -n 's/^## //p' Makefile

## make demo                     build, start three regions, take wagers through a partition, settle, report
##                               RECORDING=file streams a recording instead of simulated football; KEEP=1 leaves it running
demo: build
	$(BIN) demo $(if $(RECORDING),--recording $(RECORDING))

## make test                     format, lints, every test, simulator seeds, docs: the gate
test: tools nextest rocksdb
	cargo fetch --locked
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo nextest run --locked --workspace
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

## make bench                    the speed table, each figure beside its aim
bench: build
	$(BIN) bench

## make soak SEEDS=n FROM=seed   simulator seeds; stops at the first failure with the command that repeats it
soak: tools
	cargo run --locked --release -p stakehold-sim --bin soak -- --seeds $(SEEDS) --from $(FROM)

## make model                    every order of a few steps over the real ledger; prints the states explored
model: tools
	cargo test --locked -p stakehold-engine --lib --features exhaustive model_check -- --nocapture --test-threads=1

## make mutations                every planted bug, the promise that catches it, the seed and the time; 1 if one survives
mutations: tools
	cargo run --locked --release -p stakehold-sim --bin mutations

## make build                    the release binary, in the build cache
build: tools rocksdb
	cargo build --locked --release -p stakehold-server

## make fmt                      rewrite the format (make test only checks it)
fmt:
	cargo fmt --all

## make rocksdb                  RocksDB as a static library, once per machine (11 to 16 minutes on two cores)
rocksdb: $(ROCKSDB_LIB_DIR)/librocksdb.a

$(ROCKSDB_LIB_DIR)/librocksdb.a: | tools
	@echo "building RocksDB once for this machine; this takes 11 to 16 minutes on two cores"
	@mkdir -p $(ROCKSDB_LIB_DIR)
	env -u ROCKSDB_LIB_DIR -u ROCKSDB_STATIC CARGO_TARGET_DIR=$(CACHE)/rocksdb-build \
	  cargo build --locked --release --manifest-path crates/store/rocksdb-lib/Cargo.toml
	cp "$$(find $(CACHE)/rocksdb-build/release/build -name librocksdb.a -printf '%T@ %p\n' | sort -n | tail -1 | cut -d' ' -f2-)" $@.part
	mv $@.part $@

# What a fresh Debian machine lacks: a C++ compiler for RocksDB and libclang for its bindings.
tools:
	@command -v cargo >/dev/null || { echo "install Rust with rustup first (rust-toolchain.toml names the version)"; exit 1; }
	@if ! command -v g++ >/dev/null || ! ls /usr/lib/llvm-*/lib/libclang.so* >/dev/null 2>&1; then \
	  echo "installing g++ and libclang-dev"; \
	  SUDO=$$( [ "$$(id -u)" = 0 ] || echo sudo ); \
	  $$SUDO apt-get update -q && $$SUDO apt-get install -y -q --no-install-recommends g++ libclang-dev; fi

nextest:
	@command -v cargo-nextest >/dev/null || cargo install --locked cargo-nextest --version $(NEXTEST_VERSION)
