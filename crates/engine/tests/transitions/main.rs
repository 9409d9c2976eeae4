//! Transitions of two and three regions, wired by hand: money, odds, replication, foreign bytes, restarts.
//! Every test is named by the claim that it tests.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test is what a panic is for")]

mod browse;
mod cash_out;
mod cluster;
mod compaction;
mod delay;
mod fence;
mod fence_grant;
mod foreign;
mod forged;
mod geo;
mod homes;
mod identity;
mod legs;
mod money;
mod odds;
mod orders;
mod past_posting;
mod postings;
mod references;
mod relay;
mod replication;
mod restart;
mod revoke;
mod round_trips;
mod sessions;
mod settlement;
#[path = "../store/mod.rs"]
mod store;
mod suspensions;
mod ticket;
mod together;
mod uof;
mod window;
mod withdrawals;

#[test]
fn the_store_of_these_tests_keeps_the_ports_contract() {
    let shared = std::rc::Rc::new(std::cell::RefCell::new(store::MemStore::default()));
    engine::conformance::run(|| Reopened(std::rc::Rc::clone(&shared)));
    let shared = std::rc::Rc::new(std::cell::RefCell::new(store::MemStore::default()));
    engine::conformance::run_archive(|| Reopened(std::rc::Rc::clone(&shared)));
}

/// The same state under every handle.
struct Reopened(std::rc::Rc<std::cell::RefCell<store::MemStore>>);

mod reopened {
    //! Passes every call of the port on to the shared store.
    use std::sync::Arc;

    use bytes::Bytes;
    use crdt::Site;
    use engine::port::{Archive, Durable, Pinned, Seal, StoreError, View, Write};
    use model::{
        AccountId, MarketKey, MintedId, Posting, Reference, ReferenceDecision, ResultRegister, ResultScope, WagerRecord,
    };

    use super::Reopened;

    impl View for Reopened {
        fn wager(&self, id: MintedId) -> Option<Arc<WagerRecord>> {
            self.0.borrow().wager(id)
        }
        fn posting(&self, id: MintedId) -> Option<Posting> {
            self.0.borrow().posting(id)
        }
        fn reference(&self, reference: &Reference) -> Option<ReferenceDecision> {
            self.0.borrow().reference(reference)
        }
        fn log(&self, site: Site, from: u64, count_max: usize, bytes_max: usize) -> Vec<Bytes> {
            self.0.borrow().log(site, from, count_max, bytes_max)
        }
        fn market_wagers(&self, market: &MarketKey, after: Option<MintedId>, count_max: usize) -> Vec<MintedId> {
            self.0.borrow().market_wagers(market, after, count_max)
        }
        fn account_wagers(&self, account: &AccountId, before: Option<MintedId>, count_max: usize) -> Vec<MintedId> {
            self.0.borrow().account_wagers(account, before, count_max)
        }
        fn results(&self, market: &MarketKey) -> Vec<(ResultScope, ResultRegister)> {
            self.0.borrow().results(market)
        }
        fn staged(&self, page: u64) -> Option<Bytes> {
            self.0.borrow().staged(page)
        }
    }

    impl Durable for Reopened {
        fn load(&self, visit: &mut dyn FnMut(Write)) {
            self.0.borrow().load(visit);
        }
        fn commit(&mut self, batch: &[Write]) -> Result<(), StoreError> {
            self.0.borrow_mut().commit(batch)
        }
    }

    impl Archive for Reopened {
        fn pinned(&self, read: &mut dyn FnMut(&dyn Pinned)) {
            self.0.borrow().pinned(read);
        }
        fn seal(&self, site: Site, first: u64, last: u64) -> Result<Seal, StoreError> {
            self.0.borrow().seal(site, first, last)
        }
        fn segment(&self, site: Site, first: u64, last: u64) -> Result<Vec<Bytes>, StoreError> {
            self.0.borrow().segment(site, first, last)
        }
    }
}
