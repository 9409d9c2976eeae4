//! What every store can do beside its commits: seal segments of logs, and show a state that stands still.
//! Knows the port only.

use bytes::Bytes;
use crdt::{Hlc, Site};
use model::Hash16;

use super::one_of_each;
use crate::log::{Cause, Entry, hash16, seal_of};
use crate::port::{Archive, Durable, Kind, Write};

/// Runs the suite over a store of its own, as [`super::run`] does.
pub fn run_archive<S: Durable + Archive>(mut open: impl FnMut() -> S) {
    let site = Site::new(1, 1);
    let log = chain(site, 25);
    let batch: Vec<Write> = (1..).zip(&log).map(|(n, entry)| Write::Log(site, n, entry.clone())).collect();
    let mut store = open();
    store.commit(&batch).expect("a healthy store takes every batch");
    segments(&store, site, &log);
    store.commit(&[Write::Cut(site, 20)]).expect("a healthy store takes every batch");
    drop(store);
    let store = open();
    assert_eq!(store.segment(site, 11, 20).ok().as_deref(), log.get(10..20), "a segment outlives its entries");
    assert!(store.seal(site, 11, 20).is_err() || store.segment(site, 11, 20).is_ok(), "a seal is never undone");
    assert!(store.seal(site, 20, 21).is_err(), "what is not there is not sealed");
    drop(store);
    pages(open());
}

fn segments<S: Archive>(store: &S, site: Site, log: &[Bytes]) {
    for (first, last) in [(1, 10), (11, 20), (11, 20)] {
        let seal = store.seal(site, first, last).expect("entries that are there are sealed");
        let from = usize::try_from(first - 1).unwrap_or(0);
        let to = usize::try_from(last).unwrap_or(0);
        let entries = log.get(from..to).unwrap_or_default();
        assert_eq!(Ok(seal), seal_of(site, first, entries), "the seal is that of the entries");
        assert_eq!(store.segment(site, first, last).ok().as_deref(), Some(entries), "a segment is read back");
    }
    assert!(store.seal(site, 24, 26).is_err(), "a segment has no hole and no missing end");
    assert!(store.segment(site, 24, 26).is_err(), "what was not sealed is not there");
    assert!(store.segment(site, 1, 20).is_err(), "two segments are not one");
}

/// A log of so many entries that chain.
fn chain(site: Site, length: u64) -> Vec<Bytes> {
    let mut prev = Hash16::default();
    let entry = |seq| {
        let at = Hlc::new(1_700_000_000_000 + seq, 0);
        let bytes = Entry { site, seq, prev, at, by: Cause::Client, events: Vec::new() }.encode();
        prev = hash16(&bytes);
        bytes
    };
    (1..=length).map(entry).collect()
}

/// Every replicated record of a state once, in pieces of any size.
fn pages<S: Durable + Archive>(mut store: S) {
    let batch = one_of_each();
    store.commit(&batch).expect("a healthy store takes every batch");
    let replicated = |w: &&Write| {
        matches!(
            w,
            Write::Account(..)
                | Write::Row(..)
                | Write::Wager(_)
                | Write::Posting(_)
                | Write::Result(..)
                | Write::Handed(..)
                | Write::Reference(_)
                | Write::Received(..)
                | Write::Session(..)
                | Write::Exclusion(..)
        )
    };
    let expected: Vec<&Write> = batch.iter().filter(replicated).collect();
    store.pinned(&mut |pinned| {
        for count in [1, 2, 100] {
            let mut shown = Vec::new();
            for kind in Kind::ALL {
                let mut after: Option<Write> = None;
                loop {
                    let some = pinned.records(kind, after.as_ref(), count, usize::MAX);
                    assert!(some.len() <= count, "a piece is bounded");
                    let Some(last) = some.last() else { break };
                    after = Some(last.clone());
                    shown.extend(some);
                }
            }
            let (mut a, mut b): (Vec<String>, Vec<String>) =
                (shown.iter().map(|w| format!("{w:?}")).collect(), expected.iter().map(|w| format!("{w:?}")).collect());
            a.sort_unstable();
            b.sort_unstable();
            assert_eq!(a, b, "every replicated record is shown once, in pieces of {count}");
        }
        let heads = pinned.heads();
        assert!(heads.len() == 1 && heads.iter().all(|(_, h)| h.index == 3), "the log heads are shown");
        assert!(pinned.meta().joined, "the engine's numbers are shown");
    });
}
