//! What one modelled site has made durable: the tables that the ledger reads back, hashable as part of a state.
//! Knows the port only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use crdt::Site;
use model::{
    AccountId, MarketKey, MintedId, Posting, Reference, ReferenceDecision, ResultRegister, ResultScope, WagerRecord,
};

use crate::port::{View, Write};

/// Durable tables of one site.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Disk {
    pub(super) wagers: BTreeMap<MintedId, Arc<WagerRecord>>,
    pub(super) postings: BTreeMap<MintedId, Posting>,
    market_wagers: BTreeSet<(MarketKey, MintedId)>,
    results: BTreeMap<MarketKey, BTreeMap<ResultScope, ResultRegister>>,
    /// The own log; what is known of others' logs is in the ledger's heads.
    pub(super) log: Vec<Bytes>,
}

impl Disk {
    /// Takes one write over; `own` is the site whose log is kept.
    pub(super) fn take(&mut self, own: Site, write: Write) {
        match write {
            Write::Log(site, _, bytes) if site == own => self.log.push(bytes),
            Write::Wager(record) => {
                self.wagers.insert(record.id, record);
            }
            Write::Posting(posting) => {
                self.postings.insert(posting.id, posting);
            }
            Write::MarketWager(market, id) => {
                self.market_wagers.insert((market, id));
            }
            Write::Result(market, scope, register) => {
                self.results.entry(market).or_default().insert(scope, register);
            }
            _ => {}
        }
    }
}

impl View for Disk {
    fn wager(&self, id: MintedId) -> Option<Arc<WagerRecord>> {
        self.wagers.get(&id).cloned()
    }

    fn posting(&self, id: MintedId) -> Option<Posting> {
        self.postings.get(&id).cloned()
    }

    fn reference(&self, _: &Reference) -> Option<ReferenceDecision> {
        // No payment provider speaks in this world.
        None
    }

    fn log(&self, _: Site, _: u64, _: usize, _: usize) -> Vec<Bytes> {
        // The ledger reads no log back; the world takes entries from where they were written.
        Vec::new()
    }

    fn market_wagers(&self, market: &MarketKey, after: Option<MintedId>, count_max: usize) -> Vec<MintedId> {
        let own = self.market_wagers.iter().filter(|(m, id)| m == market && after.is_none_or(|a| *id > a));
        own.take(count_max).map(|(_, id)| *id).collect()
    }

    fn account_wagers(&self, _: &AccountId, _: Option<MintedId>, _: usize) -> Vec<MintedId> {
        Vec::new()
    }

    fn results(&self, market: &MarketKey) -> Vec<(ResultScope, ResultRegister)> {
        let all = self.results.get(market).into_iter().flatten();
        all.map(|(scope, register)| (scope.clone(), register.clone())).collect()
    }

    fn staged(&self, _: u64) -> Option<Bytes> {
        None
    }
}
