//! The simulator's disk: ordered maps that hold what was synced, and a plan for the next crash.
//! A commit is written, then synced; a crash before the sync loses the whole batch (its WAL record is torn), a crash
//! after it keeps the batch but lets no effect out. Knows no engine rules.

use std::cell::{Cell, Ref, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use crdt::{Row, Site};
use engine::log::seal_of;
use engine::odds::{RegisterKey, RegisterValue};
use engine::port::{
    AccountHead, Archive, Delayed, Durable, Exclusion, Handed, Kind, LogHead, Meta, Pinned, Seal, SettleCursor,
    StoreError, Ticket, View, Write,
};
use feeds::betfair::Book;
use model::{
    AccountId, MarketKey, MintedId, Posting, Received, Reference, ReferenceDecision, ResultRegister, ResultScope,
    SessionRecord, WagerRecord,
};

/// Where in a commit the process dies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CrashPlan {
    /// Nowhere.
    #[default]
    None,
    /// Before the sync: the batch is lost as a whole.
    BeforeSync,
    /// After the sync, before anything was emitted: the batch is there, nobody has heard of it.
    AfterSync,
}

/// Everything that was synced.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tables {
    /// Log entries.
    pub log: BTreeMap<(Site, u64), Bytes>,
    /// Log heads.
    pub heads: BTreeMap<Site, LogHead>,
    /// Accounts' opening facts.
    pub accounts: BTreeMap<AccountId, AccountHead>,
    /// Rows.
    pub rows: BTreeMap<(AccountId, Site), Row>,
    /// Wagers.
    pub wagers: BTreeMap<MintedId, Arc<WagerRecord>>,
    /// Index of an account's wagers.
    pub account_wagers: BTreeSet<(AccountId, MintedId)>,
    /// Index of own accepted wagers by market.
    pub market_wagers: BTreeSet<(MarketKey, MintedId)>,
    /// Deposits.
    pub postings: BTreeMap<MintedId, Posting>,
    /// Decided payment references.
    pub references: BTreeMap<Reference, ReferenceDecision>,
    /// Payment references taken in and undecided.
    pub received: BTreeMap<(Reference, Site), Received>,
    /// Sessions.
    pub sessions: BTreeMap<MintedId, SessionRecord>,
    /// Rows of accounts' suspensions.
    pub exclusions: BTreeMap<(AccountId, Site), Exclusion>,
    /// Wagers that wait for a market's delay.
    pub delayed: BTreeMap<MintedId, Delayed>,
    /// Result registers.
    pub results: BTreeMap<(MarketKey, ResultScope), ResultRegister>,
    /// Markets that wait to be settled.
    pub settle: BTreeMap<MarketKey, SettleCursor>,
    /// Odds registers.
    pub odds: BTreeMap<RegisterKey, RegisterValue>,
    /// Ladders.
    pub books: BTreeMap<MarketKey, Arc<Book>>,
    /// Acquire requests granted.
    pub granted: BTreeMap<(Site, AccountId), u64>,
    /// Wager ids that a site gave away or closed.
    pub handed: BTreeMap<(MintedId, Site), Handed>,
    /// Wager ids of regions that could not be heard.
    pub tickets: BTreeMap<MintedId, Ticket>,
    /// The rest.
    pub meta: Option<Meta>,
    /// Pages of a snapshot.
    pub staged: BTreeMap<u64, Bytes>,
    /// Sealed segments, by site, first and last index.
    pub segments: BTreeMap<(Site, u64, u64), Vec<Bytes>>,
}

/// A disk. Clones are handles to the same one, so that it outlives the process on it.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    tables: Rc<RefCell<Tables>>,
    plan: Rc<Cell<CrashPlan>>,
}

impl MemoryDisk {
    /// What the next commit does. A crash happens once.
    pub fn plan(&self, plan: CrashPlan) {
        self.plan.set(plan);
    }

    /// Another disk is put in its place.
    pub(crate) fn replace(&self, tables: Tables) {
        *self.tables.borrow_mut() = tables;
    }

    /// What was synced.
    #[must_use]
    pub fn tables(&self) -> Ref<'_, Tables> {
        self.tables.borrow()
    }
}

impl Tables {
    /// Whether an entry of a log is here, in the log or in a sealed segment.
    pub(crate) fn keeps(&self, site: Site, index: u64) -> bool {
        let mut segments = self.segments.range((site, 0, 0)..=(site, index, u64::MAX));
        self.log.contains_key(&(site, index)) || segments.any(|((_, _, last), _)| *last >= index)
    }

    fn take(&mut self, write: Write) {
        match write {
            Write::Log(site, index, entry) => drop(self.log.insert((site, index), entry)),
            Write::LogHead(site, head) => drop(self.heads.insert(site, head)),
            Write::Account(account, head) => drop(self.accounts.insert(account, head)),
            Write::Row(account, site, row) => drop(self.rows.insert((account, site), row)),
            Write::Wager(record) => drop(self.wagers.insert(record.id, record)),
            Write::AccountWager(account, id) => drop(self.account_wagers.insert((account, id))),
            Write::MarketWager(market, id) => drop(self.market_wagers.insert((market, id))),
            Write::Posting(posting) => drop(self.postings.insert(posting.id, posting)),
            Write::Reference(decision) => {
                drop(self.references.insert(decision.received.reference.clone(), decision));
            }
            Write::Received(reference, site, Some(received)) => {
                drop(self.received.insert((reference, site), received));
            }
            Write::Session(id, Some(record)) => drop(self.sessions.insert(id, record)),
            Write::Session(id, None) => drop(self.sessions.remove(&id)),
            Write::Exclusion(account, site, row) => drop(self.exclusions.insert((account, site), row)),
            Write::Delayed(id, Some(note)) => drop(self.delayed.insert(id, note)),
            Write::Delayed(id, None) => drop(self.delayed.remove(&id)),
            Write::Received(reference, site, None) => drop(self.received.remove(&(reference, site))),
            Write::Result(market, scope, register) => drop(self.results.insert((market, scope), register)),
            Write::Settle(market, Some(cursor)) => drop(self.settle.insert(market, cursor)),
            Write::Settle(market, None) => drop(self.settle.remove(&market)),
            Write::Odds(key, value) => drop(self.odds.insert(key, value)),
            Write::Book(market, book) => drop(self.books.insert(market, book)),
            Write::Granted(site, account, n) => drop(self.granted.insert((site, account), n)),
            Write::Handed(id, site, Some(handed)) => drop(self.handed.insert((id, site), handed)),
            Write::Handed(id, site, None) => drop(self.handed.remove(&(id, site))),
            Write::Ticket(id, Some(ticket)) => drop(self.tickets.insert(id, ticket)),
            Write::Ticket(id, None) => drop(self.tickets.remove(&id)),
            Write::Meta(meta) => self.meta = Some(*meta),
            Write::Cut(site, upto) => {
                // Everything of the log up to there lies before its next entry.
                let mut rest = self.log.split_off(&(site, 0));
                let mut kept = rest.split_off(&(site, upto.saturating_add(1)));
                self.log.append(&mut kept);
            }
            Write::Staged(page, bytes) => drop(self.staged.insert(page, bytes)),
            Write::Unstage => self.staged.clear(),
        }
    }
}

impl View for MemoryDisk {
    fn wager(&self, id: MintedId) -> Option<Arc<WagerRecord>> {
        self.tables().wagers.get(&id).cloned()
    }

    fn posting(&self, id: MintedId) -> Option<Posting> {
        self.tables().postings.get(&id).cloned()
    }

    fn reference(&self, reference: &Reference) -> Option<ReferenceDecision> {
        self.tables().references.get(reference).cloned()
    }

    fn log(&self, site: Site, from: u64, count_max: usize, bytes_max: usize) -> Vec<Bytes> {
        let tables = self.tables();
        let mut out: Vec<Bytes> = Vec::new();
        let mut bytes = 0;
        for (next, ((_, index), entry)) in (from..).zip(tables.log.range((site, from)..=(site, u64::MAX))) {
            let full = out.len() >= count_max || (bytes >= bytes_max && !out.is_empty());
            if *index != next || full {
                break;
            }
            bytes += entry.len();
            out.push(entry.clone());
        }
        out
    }

    fn market_wagers(&self, market: &MarketKey, after: Option<MintedId>, count_max: usize) -> Vec<MintedId> {
        let from = match after {
            Some(id) => Bound::Excluded((market.clone(), id)),
            None => Bound::Included((market.clone(), MintedId::mint(0, 0, 0, 0))),
        };
        let tables = self.tables();
        let range = tables.market_wagers.range((from, Bound::Unbounded));
        range.take_while(|(m, _)| m == market).map(|(_, id)| *id).take(count_max).collect()
    }

    fn account_wagers(&self, account: &AccountId, before: Option<MintedId>, count_max: usize) -> Vec<MintedId> {
        let tables = self.tables();
        let from = (account.clone(), MintedId::mint(0, 0, 0, 0));
        let of_account = tables.account_wagers.range(from..).take_while(|(a, _)| a == account).map(|(_, id)| *id);
        let mut ids: Vec<MintedId> = of_account.filter(|id| before.is_none_or(|b| *id < b)).collect();
        ids.reverse();
        ids.truncate(count_max);
        ids
    }

    fn results(&self, market: &MarketKey) -> Vec<(ResultScope, ResultRegister)> {
        let tables = self.tables();
        let range = tables.results.range((market.clone(), ResultScope::Market)..).take_while(|((m, _), _)| m == market);
        range.map(|((_, scope), register)| (scope.clone(), register.clone())).collect()
    }

    fn staged(&self, page: u64) -> Option<Bytes> {
        self.tables().staged.get(&page).cloned()
    }
}

impl Archive for MemoryDisk {
    fn pinned(&self, read: &mut dyn FnMut(&dyn Pinned)) {
        let tables = self.tables().clone();
        read(&tables);
    }

    fn seal(&self, site: Site, first: u64, last: u64) -> Result<Seal, StoreError> {
        let fault = |why: String| StoreError { place: "the simulated disk".to_owned(), why };
        let count = usize::try_from(last + 1 - first).unwrap_or(usize::MAX);
        let entries = self.log(site, first, count, usize::MAX);
        if entries.len() < count {
            return Err(fault(format!("{} of {count} entries of {site} from {first}", entries.len())));
        }
        let seal = seal_of(site, first, &entries).map_err(|e| fault(e.to_string()))?;
        self.tables.borrow_mut().segments.insert((site, first, last), entries);
        Ok(seal)
    }

    fn segment(&self, site: Site, first: u64, last: u64) -> Result<Vec<Bytes>, StoreError> {
        let why = format!("no segment of {site} from {first} to {last}");
        let fault = StoreError { place: "the simulated disk".to_owned(), why };
        self.tables().segments.get(&(site, first, last)).cloned().ok_or(fault)
    }
}

impl Pinned for Tables {
    fn records(&self, kind: Kind, after: Option<&Write>, count_max: usize, _: usize) -> Vec<Write> {
        let all: Vec<Write> = match kind {
            Kind::Rows => {
                let heads = self.accounts.iter().map(|(id, head)| Write::Account(id.clone(), head.clone()));
                let rows = self.rows.iter().map(|((id, site), row)| Write::Row(id.clone(), *site, row.clone()));
                heads.chain(rows).collect()
            }
            Kind::Wagers => self.wagers.values().cloned().map(Write::Wager).collect(),
            Kind::Postings => self.postings.values().cloned().map(Write::Posting).collect(),
            Kind::Results => {
                self.results.iter().map(|((m, s), r)| Write::Result(m.clone(), s.clone(), r.clone())).collect()
            }
            Kind::Handed => {
                self.handed.iter().map(|((id, site), h)| Write::Handed(*id, *site, Some(h.clone()))).collect()
            }
            Kind::References => self.references.values().cloned().map(Write::Reference).collect(),
            Kind::Received => {
                self.received.iter().map(|((r, site), w)| Write::Received(r.clone(), *site, Some(w.clone()))).collect()
            }
            Kind::Exclusions => {
                self.exclusions.iter().map(|((a, s), row)| Write::Exclusion(a.clone(), *s, row.clone())).collect()
            }
            Kind::Sessions => self.sessions.iter().map(|(id, s)| Write::Session(*id, Some(s.clone()))).collect(),
        };
        let from = after.and_then(|w| all.iter().position(|x| x == w)).map_or(0, |at| at + 1);
        all.into_iter().skip(from).take(count_max).collect()
    }

    fn heads(&self) -> Vec<(Site, LogHead)> {
        self.heads.iter().map(|(site, head)| (*site, head.clone())).collect()
    }

    fn meta(&self) -> Meta {
        self.meta.clone().unwrap_or_default()
    }
}

impl Durable for MemoryDisk {
    fn load(&self, visit: &mut dyn FnMut(Write)) {
        let t = self.tables();
        t.heads.iter().for_each(|(site, head)| visit(Write::LogHead(*site, head.clone())));
        t.accounts.iter().for_each(|(account, head)| visit(Write::Account(account.clone(), head.clone())));
        t.rows.iter().for_each(|((account, site), row)| visit(Write::Row(account.clone(), *site, row.clone())));
        t.settle.iter().for_each(|(market, cursor)| visit(Write::Settle(market.clone(), Some(cursor.clone()))));
        t.odds.iter().for_each(|(key, value)| visit(Write::Odds(key.clone(), value.clone())));
        t.books.iter().for_each(|(market, book)| visit(Write::Book(market.clone(), Arc::clone(book))));
        t.granted.iter().for_each(|((site, account), n)| visit(Write::Granted(*site, account.clone(), *n)));
        t.handed.iter().for_each(|((id, site), handed)| visit(Write::Handed(*id, *site, Some(handed.clone()))));
        t.tickets.iter().for_each(|(id, ticket)| visit(Write::Ticket(*id, Some(ticket.clone()))));
        t.sessions.iter().for_each(|(id, record)| visit(Write::Session(*id, Some(record.clone()))));
        t.exclusions.iter().for_each(|((a, s), row)| visit(Write::Exclusion(a.clone(), *s, row.clone())));
        t.delayed.iter().for_each(|(id, note)| visit(Write::Delayed(*id, Some(note.clone()))));
        t.received
            .iter()
            .for_each(|((name, site), word)| visit(Write::Received(name.clone(), *site, Some(word.clone()))));
        t.meta.iter().for_each(|meta| visit(Write::Meta(Box::new(meta.clone()))));
    }

    fn commit(&mut self, batch: &[Write]) -> Result<(), StoreError> {
        let crash = |why: &str| Err(StoreError { place: "the simulated disk".to_owned(), why: why.to_owned() });
        match self.plan.take() {
            CrashPlan::BeforeSync => return crash("died before the sync"),
            plan => {
                let mut tables = self.tables.borrow_mut();
                batch.iter().for_each(|write| tables.take(write.clone()));
                if plan == CrashPlan::AfterSync {
                    return crash("died after the sync");
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_store_like_any_other() {
        let disk = MemoryDisk::default();
        engine::conformance::run(|| disk.clone());
        let disk = MemoryDisk::default();
        engine::conformance::run_archive(|| disk.clone());
    }

    #[test]
    fn a_crash_before_the_sync_loses_the_batch_and_one_after_it_keeps_it() {
        let mut disk = MemoryDisk::default();
        let batch = engine::conformance::one_of_each();
        disk.plan(CrashPlan::BeforeSync);
        assert!(disk.commit(&batch).is_err());
        assert_eq!(*disk.tables(), Tables::default());
        disk.plan(CrashPlan::AfterSync);
        assert!(disk.commit(&batch).is_err());
        assert_eq!(disk.tables().wagers.len(), 1);
        assert!(disk.commit(&batch).is_ok(), "a crash happens once");
    }
}
