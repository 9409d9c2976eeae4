//! What has been returned but is not durable yet, laid over what is: so that a group of inputs, or the steps of one
//! input, see each other. Knows only which tables are read back through [`View`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use crdt::Site;
use model::{
    AccountId, MarketKey, MintedId, Posting, Reference, ReferenceDecision, ResultRegister, ResultScope, WagerRecord,
};

use crate::port::{View, Write};

/// Uncommitted writes, by the keys they are read back under.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    wagers: BTreeMap<MintedId, Arc<WagerRecord>>,
    postings: BTreeMap<MintedId, Posting>,
    log: BTreeMap<(Site, u64), Bytes>,
    /// Indexes are written with every wager and hardly ever read before they are durable: unordered, sorted by a reader.
    account_wagers: Vec<(AccountId, MintedId)>,
    market_wagers: Vec<(MarketKey, MintedId)>,
    results: BTreeMap<MarketKey, BTreeMap<ResultScope, ResultRegister>>,
    references: BTreeMap<Reference, ReferenceDecision>,
    staged: BTreeMap<u64, Bytes>,
    /// What lies below has been removed.
    unstaged: bool,
}

impl Overlay {
    /// Takes a write over.
    pub fn absorb(&mut self, write: &Write) {
        match write {
            Write::Wager(record) => {
                self.wagers.insert(record.id, Arc::clone(record));
            }
            Write::Posting(posting) => {
                self.postings.insert(posting.id, posting.clone());
            }
            Write::Reference(decision) => {
                self.references.insert(decision.received.reference.clone(), decision.clone());
            }
            Write::Log(site, seq, bytes) => {
                self.log.insert((*site, *seq), bytes.clone());
            }
            Write::AccountWager(account, id) => {
                self.account_wagers.push((account.clone(), *id));
            }
            Write::MarketWager(market, id) => {
                self.market_wagers.push((market.clone(), *id));
            }
            Write::Result(market, scope, register) => {
                self.results.entry(market.clone()).or_default().insert(scope.clone(), register.clone());
            }
            Write::Staged(page, bytes) => {
                self.staged.insert(*page, bytes.clone());
            }
            Write::Unstage => {
                self.staged.clear();
                self.unstaged = true;
            }
            // Kept in the engine's memory and never read back before a restart; what is cut is no longer asked for.
            Write::Cut(..)
            | Write::LogHead(..)
            | Write::Account(..)
            | Write::Row(..)
            | Write::Settle(..)
            | Write::Odds(..)
            | Write::Book(..)
            | Write::Granted(..)
            | Write::Meta(_)
            | Write::Handed(..)
            | Write::Ticket(..)
            | Write::Received(..)
            | Write::Session(..)
            | Write::Exclusion(..)
            | Write::Delayed(..) => {}
        }
    }

    /// Forgets everything, once it is durable.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// An overlay over another view.
#[derive(Debug)]
pub struct Layered<'a, V> {
    /// What is not durable yet.
    pub over: &'a Overlay,
    /// What lies under it.
    pub under: &'a V,
}

impl<V: View> View for Layered<'_, V> {
    fn wager(&self, id: MintedId) -> Option<Arc<WagerRecord>> {
        self.over.wagers.get(&id).cloned().or_else(|| self.under.wager(id))
    }

    fn posting(&self, id: MintedId) -> Option<Posting> {
        self.over.postings.get(&id).cloned().or_else(|| self.under.posting(id))
    }

    fn reference(&self, reference: &Reference) -> Option<ReferenceDecision> {
        self.over.references.get(reference).cloned().or_else(|| self.under.reference(reference))
    }

    fn log(&self, site: Site, from: u64, count_max: usize, bytes_max: usize) -> Vec<Bytes> {
        let mut out = self.under.log(site, from, count_max, bytes_max);
        let mut bytes: usize = out.iter().map(Bytes::len).sum();
        let mut next = from + out.len() as u64;
        while out.len() < count_max && (bytes < bytes_max || out.is_empty()) {
            let Some(entry) = self.over.log.get(&(site, next)) else { break };
            bytes += entry.len();
            out.push(entry.clone());
            next += 1;
        }
        out
    }

    fn market_wagers(&self, market: &MarketKey, after: Option<MintedId>, count_max: usize) -> Vec<MintedId> {
        let under = self.under.market_wagers(market, after, count_max);
        let over = self.over.market_wagers.iter().filter(|(m, id)| m == market && after.is_none_or(|a| *id > a));
        let over = over.map(|(_, id)| *id);
        let merged: BTreeSet<MintedId> = under.into_iter().chain(over).collect();
        merged.into_iter().take(count_max).collect()
    }

    fn account_wagers(&self, account: &AccountId, before: Option<MintedId>, count_max: usize) -> Vec<MintedId> {
        let under = self.under.account_wagers(account, before, count_max);
        let over = self.over.account_wagers.iter().filter(|(a, id)| a == account && before.is_none_or(|b| *id < b));
        let over = over.map(|(_, id)| *id);
        let merged: BTreeSet<MintedId> = under.into_iter().chain(over).collect();
        merged.into_iter().rev().take(count_max).collect()
    }

    fn results(&self, market: &MarketKey) -> Vec<(ResultScope, ResultRegister)> {
        let mut all: BTreeMap<ResultScope, ResultRegister> = self.under.results(market).into_iter().collect();
        if let Some(over) = self.over.results.get(market) {
            all.extend(over.iter().map(|(scope, register)| (scope.clone(), register.clone())));
        }
        all.into_iter().collect()
    }
    fn staged(&self, page: u64) -> Option<Bytes> {
        let under = || if self.over.unstaged { None } else { self.under.staged(page) };
        self.over.staged.get(&page).cloned().or_else(under)
    }
}
