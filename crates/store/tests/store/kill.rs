//! kill -9 at any moment: what was acknowledged is there, and no half of anything.

use std::io::{BufRead, BufReader, Write as _};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use engine::port::Durable;

use crate::story::{batch, last_whole};
use crate::{child, child_dir, open_small};

const ROUNDS: u64 = 12;
const LINE_WAIT: Duration = Duration::from_secs(30);

/// The victim: commits on from where the directory stands, and says each number only after its commit.
#[test]
fn child_commits_forever() {
    let Some(dir) = child_dir() else { return };
    let mut store = open_small(&dir);
    let mut n = last_whole(&store);
    let mut out = std::io::stdout().lock();
    loop {
        n += 1;
        store.commit(&batch(n)).unwrap();
        writeln!(out, "committed {n}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn a_killed_store_has_everything_acknowledged_and_no_half_batch() {
    let dir = tempfile::tempdir().unwrap();
    let (mut draw, mut before) = (0x5eed_u64, 0);
    for round in 0..ROUNDS {
        draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let lines = 1 + (draw >> 33) % 40;
        let pause = Duration::from_micros((draw >> 20) % 3_000);
        let acknowledged = run_and_kill(dir.path(), lines, pause);
        assert!(acknowledged >= before + lines, "round {round}: the child went on from {before}");
        let store = open_small(dir.path());
        let last = last_whole(&store);
        assert!(last >= acknowledged, "round {round}: batch {acknowledged} was acknowledged, {last} is the last there");
        assert!(last <= acknowledged + 1, "round {round}: only the batch in hand may be there unacknowledged");
        before = last;
    }
}

/// Runs the child until `lines` commits and a `pause` have passed, kills it, and returns the last number it said.
fn run_and_kill(dir: &std::path::Path, lines: u64, pause: Duration) -> u64 {
    let mut victim =
        child(&[], "kill::child_commits_forever", dir).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
    let out = BufReader::new(victim.stdout.take().unwrap());
    let (said, heard) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            // A line torn by the kill was never wholly said.
            if let Some(n) = line.strip_prefix("committed ").and_then(|n| n.parse::<u64>().ok()) {
                let _gone = said.send(n);
            }
        }
    });
    let mut last = 0;
    for _ in 0..lines {
        last = heard.recv_timeout(LINE_WAIT).expect("the child commits");
    }
    let (_never, silence) = mpsc::channel::<()>();
    assert!(silence.recv_timeout(pause).is_err());
    victim.kill().unwrap();
    victim.wait().unwrap();
    reader.join().unwrap();
    heard.try_iter().last().unwrap_or(last)
}
