//! RocksDB keeps the port's promises, from write buffers and from tables; and the suite that says so can fail.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use crdt::Site;
use engine::conformance;
use engine::port::{Durable, StoreError, View, Write};
use model::{
    AccountId, MarketKey, MintedId, Posting, Reference, ReferenceDecision, ResultRegister, ResultScope, WagerRecord,
};
use store::{Store, StoreOptions};

use crate::{eu_west, open_small, small};

#[test]
fn rocksdb_keeps_the_ports_promises() {
    let dir = tempfile::tempdir().unwrap();
    conformance::run(|| Store::open_with(dir.path(), eu_west(), &StoreOptions::default()).unwrap());
}

/// A drop that closes writes everything out: the same suite, reading tables instead of write buffers.
#[test]
fn rocksdb_keeps_them_from_tables_too() {
    let dir = tempfile::tempdir().unwrap();
    conformance::run(|| {
        Store::open_with(dir.path(), eu_west(), &small()).unwrap().close().unwrap();
        Store::open_with(dir.path(), eu_west(), &small()).unwrap()
    });
}

#[test]
fn rocksdb_seals_and_shows_what_the_port_promises() {
    let dir = tempfile::tempdir().unwrap();
    conformance::run_archive(|| open_small(dir.path()));
}

#[test]
fn a_store_may_move_to_another_thread() {
    const fn sent<T: Send>() {}
    sent::<Store>();
}

/// What a broken store could do; the suite must notice each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    LosesTheLastWriteOfABatch,
    FirstWriteOfAKeyWins,
    ForgetsGrants,
    KeepsRemovedMarks,
    ReadsLogsPastTheBound,
    SkipsLogHoles,
    ListsOldestFirst,
    BeforeIsInclusive,
    IgnoresTheLimit,
    NeverReplacesAWager,
    LoadsWagers,
    NeverCuts,
    CutsOneTooFew,
    KeepsPages,
}

struct Faulty {
    inner: Store,
    fault: Fault,
}

impl Faulty {
    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }
}

impl View for Faulty {
    fn wager(&self, id: MintedId) -> Option<Arc<WagerRecord>> {
        self.inner.wager(id)
    }

    fn posting(&self, id: MintedId) -> Option<Posting> {
        self.inner.posting(id)
    }

    fn reference(&self, reference: &Reference) -> Option<ReferenceDecision> {
        self.inner.reference(reference)
    }

    fn log(&self, site: Site, from: u64, count_max: usize, bytes_max: usize) -> Vec<Bytes> {
        let count_max = if self.is(Fault::ReadsLogsPastTheBound) { usize::MAX } else { count_max };
        let mut found = self.inner.log(site, from, count_max, bytes_max);
        if self.is(Fault::SkipsLogHoles) && found.len() < count_max {
            let next = from + found.len() as u64 + 1;
            found.extend(self.inner.log(site, next, count_max - found.len(), bytes_max));
        }
        found
    }

    fn market_wagers(&self, market: &MarketKey, after: Option<MintedId>, count_max: usize) -> Vec<MintedId> {
        let count_max = if self.is(Fault::IgnoresTheLimit) { usize::MAX } else { count_max };
        self.inner.market_wagers(market, after, count_max)
    }

    fn account_wagers(&self, account: &AccountId, before: Option<MintedId>, count_max: usize) -> Vec<MintedId> {
        let mut found = self.inner.account_wagers(account, before, count_max);
        if self.is(Fault::ListsOldestFirst) {
            found.reverse();
        }
        if self.is(Fault::BeforeIsInclusive) {
            found.splice(0..0, before);
        }
        found
    }

    fn results(&self, market: &MarketKey) -> Vec<(ResultScope, ResultRegister)> {
        self.inner.results(market)
    }

    fn staged(&self, page: u64) -> Option<Bytes> {
        self.inner.staged(page)
    }
}

impl Durable for Faulty {
    fn load(&self, visit: &mut dyn FnMut(Write)) {
        let mut wager = None;
        self.inner.load(&mut |write| {
            if let Write::LogHead(..) = &write {
                wager = Some(conformance::one_of_each().swap_remove(4));
            }
            if !(self.is(Fault::ForgetsGrants) && matches!(write, Write::Granted(..))) {
                visit(write);
            }
        });
        if self.is(Fault::LoadsWagers) {
            wager.into_iter().for_each(visit);
        }
    }

    fn commit(&mut self, batch: &[Write]) -> Result<(), StoreError> {
        let mut batch = batch.to_vec();
        match self.fault {
            Fault::LosesTheLastWriteOfABatch => drop(batch.pop()),
            Fault::FirstWriteOfAKeyWins => batch.reverse(),
            Fault::KeepsRemovedMarks => batch.retain(|w| !matches!(w, Write::Settle(_, None))),
            Fault::NeverCuts => batch.retain(|w| !matches!(w, Write::Cut(..))),
            Fault::CutsOneTooFew => batch.iter_mut().for_each(|w| {
                if let Write::Cut(_, upto) = w {
                    *upto -= 1;
                }
            }),
            Fault::KeepsPages => batch.retain(|w| !matches!(w, Write::Unstage)),
            Fault::NeverReplacesAWager => {
                batch.retain(|w| !matches!(w, Write::Wager(w) if self.inner.wager(w.id).is_some()));
            }
            _ => {}
        }
        self.inner.commit(&batch)
    }
}

#[test]
fn the_suite_notices_a_broken_store() {
    use Fault::{
        BeforeIsInclusive, CutsOneTooFew, FirstWriteOfAKeyWins, ForgetsGrants, IgnoresTheLimit, KeepsPages,
        KeepsRemovedMarks, ListsOldestFirst, LoadsWagers, LosesTheLastWriteOfABatch, NeverCuts, NeverReplacesAWager,
        ReadsLogsPastTheBound, SkipsLogHoles,
    };
    for fault in [
        LosesTheLastWriteOfABatch,
        FirstWriteOfAKeyWins,
        ForgetsGrants,
        KeepsRemovedMarks,
        ReadsLogsPastTheBound,
        SkipsLogHoles,
        ListsOldestFirst,
        BeforeIsInclusive,
        IgnoresTheLimit,
        NeverReplacesAWager,
        LoadsWagers,
        NeverCuts,
        CutsOneTooFew,
        KeepsPages,
    ] {
        let dir = tempfile::tempdir().unwrap();
        let run = || conformance::run(|| Faulty { inner: open_small(dir.path()), fault });
        assert!(catch_unwind(run).is_err(), "the suite passes a store that {fault:?}");
    }
}

/// Everything is kept only as long as the store is open.
#[test]
fn the_suite_notices_a_store_that_forgets_at_reopening() {
    let mut dirs = Vec::new();
    let run = move || {
        conformance::run(|| {
            dirs.push(tempfile::tempdir().unwrap());
            open_small(dirs.last().unwrap().path())
        });
    };
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
}
