//! A disk that is full: the commit says so, the store takes no more, and a start with room again needs no hand.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use engine::port::{Durable, StoreError};
use store::{Store, StoreOptions};

use crate::story::{batch, last_whole};
use crate::{child, child_dir, eu_west, open_small, small};

/// Commits until the disk refuses; returns the last number committed and what the disk said.
fn fill(store: &mut Store, from: u64) -> (u64, StoreError) {
    for n in from..from + 10_000 {
        if let Err(e) = store.commit(&batch(n)) {
            let again = store.commit(&batch(n)).expect_err("a store that failed takes nothing more");
            assert_eq!((&again.why, &again.place), (&e.why, &e.place), "and says why every time");
            return (n - 1, e);
        }
    }
    panic!("10,000 batches fitted onto a small disk");
}

#[test]
fn child_meets_a_file_size_limit() {
    let Some(dir) = child_dir() else { return };
    let options = StoreOptions { write_buffer_bytes: 64 << 20, wal_bytes_max: 64 << 20, ..small() };
    let mut store = Store::open_with(&dir, eu_west(), &options).unwrap();
    let (last, e) = fill(&mut store, 1);
    let closed = store.close().expect_err("a failed store does not pretend to close");
    assert_eq!(closed.why, e.why);
    writeln!(std::io::stdout(), "last {last} {}", e.why).unwrap();
}

/// The kernel refuses the write-ahead log in the middle of a write, as a full disk does; needs no privilege.
#[test]
fn a_write_that_the_kernel_refuses_stops_the_store_and_a_restart_needs_no_hand() {
    let dir = tempfile::tempdir().unwrap();
    let limited = ["sh", "-c", "trap '' XFSZ; ulimit -f 4096; exec \"$0\" \"$@\""];
    let out = child(&limited, "full::child_meets_a_file_size_limit", dir.path()).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
    let said = text.lines().find_map(|l| l.split_once("last ").map(|(_, rest)| rest)).expect("the child says its last");
    let (last, why) = said.split_once(' ').unwrap();
    assert!(why.contains("File too large"), "{why}");
    let last: u64 = last.parse().unwrap();
    assert!(last > 0);
    assert_eq!(last_whole(&open_small(dir.path())), last, "all that was committed and nothing of what was refused");
}

#[test]
fn child_fills_its_disk() {
    let Some(dir) = child_dir() else { return };
    let ballast = dir.join("ballast");
    std::fs::write(&ballast, vec![0; 8 << 20]).unwrap();
    let place = dir.join("data");
    let mut store = Store::open_with(&place, eu_west(), &small()).unwrap();
    let (last, e) = fill(&mut store, 1);
    assert!(e.why.contains("No space left on device"), "{e}");
    assert_eq!(e.place, place.display().to_string());
    drop(store);
    std::fs::remove_file(ballast).unwrap();
    let mut store = open_small(&place);
    let there = last_whole(&store);
    assert!(there == last || there == last + 1, "committed up to {last}, found {there}");
    store.commit(&batch(there + 1)).expect("with room again it goes on");
}

/// A real file system of a few MB, where mounting one is allowed.
#[test]
fn a_full_disk_stops_the_store_and_a_restart_with_room_needs_no_hand() {
    let dir = tempfile::tempdir().unwrap();
    if !may_mount(dir.path()) {
        let words = "NOT RUN: a full file system needs the right to mount a tmpfs (unshare -m); only the file size \
                     limit was tested";
        writeln!(std::io::stderr(), "{words}").unwrap();
        return;
    }
    let script = "mount -t tmpfs -o size=24m stakehold-test \"$1\" && shift && exec \"$@\"";
    let place = dir.path().display().to_string();
    let inside = ["unshare", "-m", "sh", "-c", script, "sh", &place];
    let out = child(&inside, "full::child_fills_its_disk", dir.path()).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && text.contains("1 passed"), "{text}");
}

fn may_mount(dir: &Path) -> bool {
    let script = "mount -t tmpfs -o size=1m stakehold-test \"$1\"";
    let mut probe = std::process::Command::new("unshare");
    probe.args(["-m", "sh", "-c", script, "sh"]).arg(dir).stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|s| s.success())
}
