//! The store as a whole, on real files and in real processes. Knows the crate's public face only.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there and then")]

mod conformance;
mod damage;
mod full;
mod identity;
mod kill;
mod story;

use std::path::Path;
use std::process::{Command, Stdio};

use store::{Identity, Store, StoreOptions};

fn eu_west() -> Identity {
    Identity { cluster: "test".into(), region: 1, region_name: "eu-west".into(), incarnation: 1 }
}

/// Buffers so small that a short test flushes, rotates logs and compacts.
fn small() -> StoreOptions {
    StoreOptions {
        block_cache_bytes: 4 << 20,
        write_buffer_bytes: 256 << 10,
        wal_bytes_max: 1 << 20,
        ..StoreOptions::default()
    }
}

fn open_small(dir: &Path) -> Store {
    Store::open_with(dir, eu_west(), &small()).unwrap()
}

const CHILD_DIR: &str = "STAKEHOLD_STORE_CHILD_DIR";

/// This test binary again, running one test as a child on `dir`; `before` is put before it on the command line.
fn child(before: &[&str], test: &str, dir: &Path) -> Command {
    let exe = std::env::current_exe().unwrap();
    let own = [test, "--exact", "--nocapture"];
    let mut command = match before {
        [] => Command::new(exe),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(exe);
            command
        }
    };
    command.args(own).env(CHILD_DIR, dir).stdin(Stdio::null());
    command
}

/// The directory that the parent test named; without one, a child's part has nothing to do.
fn child_dir() -> Option<std::path::PathBuf> {
    std::env::var_os(CHILD_DIR).map(Into::into)
}
