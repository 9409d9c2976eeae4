//! A store in memory behind the engine's port: batches are whole, a clone is what a crash leaves behind.
//! Knows the port only; passes the same conformance suite as RocksDB.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::sync::Arc;

use bytes::Bytes;
use crdt::Site;
use engine::log::seal_of;
use engine::odds::RegisterKey;
use engine::port::{Archive, Durable, Kind, LogHead, Meta, Pinned, Seal, StoreError, View, Write};
use model::{
    AccountId, MarketKey, MintedId, Posting, Reference, ReferenceDecision, ResultRegister, ResultScope, WagerRecord,
};

/// Name of a record that is loaded at start.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Boot {
    Head(Site),
    Account(AccountId),
    Row(AccountId, Site),
    Settle(MarketKey),
    Odds(RegisterKey),
    Book(MarketKey),
    Granted(Site, AccountId),
    Meta,
    Handed(MintedId, Site),
    Ticket(MintedId),
    Received(Reference, Site),
    Session(MintedId),
    Exclusion(AccountId, Site),
    Delayed(MintedId),
}

/// Durable state of one region.
#[derive(Clone, Debug, Default)]
pub(crate) struct MemStore {
    logs: BTreeMap<(Site, u64), Bytes>,
    wagers: BTreeMap<MintedId, Arc<WagerRecord>>,
    postings: BTreeMap<MintedId, Posting>,
    references: BTreeMap<Reference, ReferenceDecision>,
    account_wagers: BTreeSet<(AccountId, MintedId)>,
    market_wagers: BTreeSet<(MarketKey, MintedId)>,
    results: BTreeMap<MarketKey, BTreeMap<ResultScope, ResultRegister>>,
    boot: BTreeMap<Boot, Write>,
    staged: BTreeMap<u64, Bytes>,
    /// Sealed segments, by site, first and last index.
    pub(crate) segments: RefCell<BTreeMap<(Site, u64, u64), Vec<Bytes>>>,
}

impl View for MemStore {
    fn wager(&self, id: MintedId) -> Option<Arc<WagerRecord>> {
        self.wagers.get(&id).cloned()
    }

    fn posting(&self, id: MintedId) -> Option<Posting> {
        self.postings.get(&id).cloned()
    }

    fn reference(&self, reference: &Reference) -> Option<ReferenceDecision> {
        self.references.get(reference).cloned()
    }

    fn log(&self, site: Site, from: u64, count_max: usize, bytes_max: usize) -> Vec<Bytes> {
        let (mut out, mut bytes) = (Vec::new(), 0);
        let mut next = from;
        while let Some(entry) = self.logs.get(&(site, next)) {
            if out.len() >= count_max || (bytes >= bytes_max && !out.is_empty()) {
                break;
            }
            bytes += entry.len();
            out.push(entry.clone());
            next += 1;
        }
        out
    }

    fn market_wagers(&self, market: &MarketKey, after: Option<MintedId>, count_max: usize) -> Vec<MintedId> {
        let from =
            after.map_or(Included((market.clone(), MintedId::mint(0, 0, 0, 0))), |a| Excluded((market.clone(), a)));
        let range = self.market_wagers.range((from, Unbounded));
        range.take_while(|(m, _)| m == market).take(count_max).map(|(_, id)| *id).collect()
    }

    fn account_wagers(&self, account: &AccountId, before: Option<MintedId>, count_max: usize) -> Vec<MintedId> {
        let own = self.account_wagers.iter().rev().filter(|(a, id)| a == account && before.is_none_or(|b| *id < b));
        own.take(count_max).map(|(_, id)| *id).collect()
    }

    fn results(&self, market: &MarketKey) -> Vec<(ResultScope, ResultRegister)> {
        let all = self.results.get(market).into_iter().flatten();
        all.map(|(scope, register)| (scope.clone(), register.clone())).collect()
    }

    fn staged(&self, page: u64) -> Option<Bytes> {
        self.staged.get(&page).cloned()
    }
}

impl Archive for MemStore {
    fn pinned(&self, read: &mut dyn FnMut(&dyn Pinned)) {
        read(self);
    }

    fn seal(&self, site: Site, first: u64, last: u64) -> Result<Seal, StoreError> {
        let fault = |why: String| StoreError { place: "memory".to_owned(), why };
        let count = usize::try_from(last + 1 - first).unwrap();
        let entries = self.log(site, first, count, usize::MAX);
        if entries.len() < count {
            return Err(fault(format!("{} of {count} entries", entries.len())));
        }
        let seal = seal_of(site, first, &entries).map_err(|e| fault(e.to_string()))?;
        self.segments.borrow_mut().insert((site, first, last), entries);
        Ok(seal)
    }

    fn segment(&self, site: Site, first: u64, last: u64) -> Result<Vec<Bytes>, StoreError> {
        let fault = || StoreError { place: "memory".to_owned(), why: "no such segment".to_owned() };
        self.segments.borrow().get(&(site, first, last)).cloned().ok_or_else(fault)
    }
}

impl Pinned for MemStore {
    fn records(&self, kind: Kind, after: Option<&Write>, count_max: usize, _: usize) -> Vec<Write> {
        let boot = |of: fn(&Write) -> bool| self.boot.values().filter(|w| of(w)).cloned().collect();
        let all: Vec<Write> = match kind {
            Kind::Rows => boot(|w| matches!(w, Write::Account(..) | Write::Row(..))),
            Kind::Wagers => self.wagers.values().cloned().map(Write::Wager).collect(),
            Kind::Postings => self.postings.values().cloned().map(Write::Posting).collect(),
            Kind::Results => {
                let of = |(m, all): (&MarketKey, &BTreeMap<ResultScope, ResultRegister>)| {
                    all.iter().map(|(s, r)| Write::Result(m.clone(), s.clone(), r.clone())).collect::<Vec<_>>()
                };
                self.results.iter().flat_map(of).collect()
            }
            Kind::Handed => boot(|w| matches!(w, Write::Handed(..))),
            Kind::References => self.references.values().cloned().map(Write::Reference).collect(),
            Kind::Received => boot(|w| matches!(w, Write::Received(..))),
            Kind::Sessions => boot(|w| matches!(w, Write::Session(..))),
            Kind::Exclusions => boot(|w| matches!(w, Write::Exclusion(..))),
        };
        let from = after.map_or(0, |w| all.iter().position(|x| x == w).unwrap() + 1);
        all.into_iter().skip(from).take(count_max).collect()
    }

    fn heads(&self) -> Vec<(Site, LogHead)> {
        let head = |w: &Write| if let Write::LogHead(site, head) = w { Some((*site, head.clone())) } else { None };
        self.boot.values().filter_map(head).collect()
    }

    fn meta(&self) -> Meta {
        let meta = |w: &Write| if let Write::Meta(meta) = w { Some(Meta::clone(meta)) } else { None };
        self.boot.get(&Boot::Meta).and_then(meta).unwrap_or_default()
    }
}

impl Durable for MemStore {
    fn load(&self, visit: &mut dyn FnMut(Write)) {
        self.boot.values().cloned().for_each(visit);
    }

    fn commit(&mut self, batch: &[Write]) -> Result<(), StoreError> {
        batch.iter().for_each(|write| self.take(write));
        Ok(())
    }
}

impl MemStore {
    fn take(&mut self, write: &Write) {
        let boot = match write.clone() {
            Write::Log(site, index, entry) => {
                self.logs.insert((site, index), entry);
                return;
            }
            Write::Wager(wager) => {
                self.wagers.insert(wager.id, wager);
                return;
            }
            Write::Posting(posting) => {
                self.postings.insert(posting.id, posting);
                return;
            }
            Write::Reference(decision) => {
                self.references.insert(decision.received.reference.clone(), decision);
                return;
            }
            Write::Session(id, None) => {
                self.boot.remove(&Boot::Session(id));
                return;
            }
            Write::Session(id, Some(_)) => Boot::Session(id),
            Write::Exclusion(account, site, _) => Boot::Exclusion(account, site),
            Write::Delayed(id, None) => {
                self.boot.remove(&Boot::Delayed(id));
                return;
            }
            Write::Delayed(id, Some(_)) => Boot::Delayed(id),
            Write::Received(reference, site, None) => {
                self.boot.remove(&Boot::Received(reference, site));
                return;
            }
            Write::Received(reference, site, Some(_)) => Boot::Received(reference, site),
            Write::AccountWager(account, id) => {
                self.account_wagers.insert((account, id));
                return;
            }
            Write::MarketWager(market, id) => {
                self.market_wagers.insert((market, id));
                return;
            }
            Write::Result(market, scope, register) => {
                self.results.entry(market).or_default().insert(scope, register);
                return;
            }
            Write::Settle(market, None) => {
                self.boot.remove(&Boot::Settle(market));
                return;
            }
            Write::Handed(id, site, None) => {
                self.boot.remove(&Boot::Handed(id, site));
                return;
            }
            Write::Cut(site, upto) => {
                self.logs.retain(|(of, index), _| *of != site || *index > upto);
                return;
            }
            Write::Staged(page, bytes) => {
                self.staged.insert(page, bytes);
                return;
            }
            Write::Unstage => {
                self.staged.clear();
                return;
            }
            Write::Handed(id, site, Some(_)) => Boot::Handed(id, site),
            Write::Ticket(id, None) => {
                self.boot.remove(&Boot::Ticket(id));
                return;
            }
            Write::Ticket(id, Some(_)) => Boot::Ticket(id),
            Write::LogHead(site, _) => Boot::Head(site),
            Write::Account(account, _) => Boot::Account(account),
            Write::Row(account, site, _) => Boot::Row(account, site),
            Write::Settle(market, Some(_)) => Boot::Settle(market),
            Write::Odds(key, _) => Boot::Odds(key),
            Write::Book(market, _) => Boot::Book(market),
            Write::Granted(site, account, _) => Boot::Granted(site, account),
            Write::Meta(_) => Boot::Meta,
        };
        self.boot.insert(boot, write.clone());
    }
}
