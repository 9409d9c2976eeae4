//! Foreign entries: each is checked whole, then applied whole. An entry that fails a check changes nothing and stops
//! its site's stream, and only that stream.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crdt::{Row, Site};
use model::{
    AccountId, MarketKey, MintedId, Posting, Reference, ReferenceOutcome, WagerRecord, WagerState, WithdrawalState,
};

use super::dues::Dues;
use super::later::{apply_cashed, apply_revoked, apply_settled, check_cashed, check_revoked, check_settled};
use super::references::check_received;
use super::sessions::check_life;
use super::{Exclusion, Exposure, Ledger};
use crate::log::{Entry, EntryError, Event, Resolved};
use crate::planted::Planted;
use crate::port::{AccountHead, View, Write};
use crate::tx::Tx;

/// What an applied entry means for the rest of the region.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Merged {
    /// Accounts whose rights here grew, or that are new: clients may be waiting.
    pub(crate) accounts: Vec<AccountId>,
    /// Markets whose results changed.
    pub(crate) markets: Vec<MarketKey>,
}

/// What an entry's earlier events have said, while its later ones are checked against it.
#[derive(Default)]
pub(super) struct Said<'e> {
    heads: BTreeMap<&'e AccountId, &'e AccountHead>,
    /// The writer's rows: as they were before the entry, if known, and as it leaves them.
    rows: BTreeMap<&'e AccountId, (Option<&'e Row>, &'e Row)>,
    /// Wagers decided or settled in this entry, as they stand after it.
    pub(super) wagers: BTreeMap<MintedId, SaidWager>,
    /// What this entry's events do to rows.
    pub(super) dues: Dues,
    postings: BTreeSet<MintedId>,
    exclusions: BTreeMap<&'e AccountId, &'e Exclusion>,
    /// Wager ids given away or closed in this entry.
    pub(super) handed: BTreeSet<MintedId>,
    /// Payment references decided in this entry.
    pub(super) references: BTreeSet<&'e Reference>,
}

impl Said<'_> {
    /// The rows of an entry move the money that its events say, to the unit.
    fn check_dues(mut self) -> Result<(), EntryError> {
        let none = Row::default();
        for (id, (before, row)) in self.rows {
            self.dues.check(id, before.unwrap_or(&none), row)?;
        }
        self.dues.check_paid()
    }
}

/// A wager as far as its settlement's check needs it.
pub(super) struct SaidWager {
    pub(super) accepted: bool,
    /// Number of its last settlement.
    pub(super) version: u32,
    pub(super) account: AccountId,
    pub(super) stake: u64,
    /// Stake consumed.
    pub(super) burned: u64,
    pub(super) paid: u64,
}

impl SaidWager {
    pub(super) fn of(record: &WagerRecord) -> Self {
        Self {
            accepted: record.is_accepted(),
            version: record.settled_version,
            account: record.account.clone(),
            stake: record.stake.minor(),
            burned: record.burned().minor(),
            paid: record.paid.minor(),
        }
    }
}

pub(super) fn refused<T>(why: String) -> Result<T, EntryError> {
    Err(EntryError::Refused(why))
}

impl Ledger {
    /// Checks an entry's events, each against what is known of its site and what the entry has said before it.
    /// Changes nothing.
    pub(crate) fn check_entry<V: View>(
        &self,
        tx: &Tx<'_, V>,
        entry: &Entry,
        region_name: Option<&str>,
    ) -> Result<(), EntryError> {
        let mut said = Said::default();
        for event in &entry.events {
            match event {
                Event::Account(id, head) => self.check_account(entry, id, head, region_name, &mut said)?,
                Event::Row(id, row) => {
                    let said_row = said.rows.get(id).copied();
                    let before = self.check_row(entry.site, id, row, said_row)?;
                    said.rows.insert(id, (before, row));
                }
                Event::Wager(record) => {
                    let id = record.0.id;
                    if self.handed.contains_key(&(id, entry.site)) || said.handed.contains(&id) {
                        return refused(format!("wager {id} is decided by a site that gave it away"));
                    }
                    check_wager(tx, entry, &record.0, &mut said)?;
                }
                Event::Settled(settled) => check_settled(tx, entry, settled, &mut said)?,
                Event::CashedOut(cashed) => check_cashed(tx, entry, cashed, &mut said)?,
                Event::Revoked(revoked) => check_revoked(tx, entry, revoked, &mut said)?,
                Event::Posting(posting) => check_posting(tx, entry, posting, &mut said)?,
                Event::Fenced(fenced) => {
                    if fenced.to == entry.site {
                        return refused(format!("wager {} is handed to its own site", fenced.id));
                    }
                    self.check_handed(tx, entry, fenced.id, &said)?;
                    said.handed.insert(fenced.id);
                }
                Event::Cancelled(cancelled) => {
                    self.check_handed(tx, entry, cancelled.id, &said)?;
                    said.handed.insert(cancelled.id);
                }
                Event::Referenced(decision) => self.check_referenced(tx, entry, decision, region_name, &mut said)?,
                Event::Received(received) => check_received(received)?,
                Event::Session(session) => self.check_session(entry, session)?,
                Event::SessionEnded(ended) => check_life(entry, ended.id)?,
                Event::Resolved(resolved) => check_resolved(tx, entry, resolved, &mut said)?,
                Event::Grant(grant) => {
                    if grant.amount == 0 {
                        return refused(format!("a grant of nothing to {}", grant.to));
                    }
                }
                Event::Home(id, head) => self.check_home(entry, id, head)?,
                Event::Windows(exposures) => check_windows(exposures)?,
                Event::Excluded(id, row) => {
                    self.check_exclusion(entry, id, row, said.exclusions.get(id).copied())?;
                    said.exclusions.insert(id, row);
                }
                Event::Confirmed(upto) => {
                    if *upto >= entry.seq {
                        return refused(format!("entries up to {upto} are confirmed by entry {}", entry.seq));
                    }
                }
                Event::Result(market, _, register) => {
                    if register.greatest_of(self.site) >= self.next_seq() && !self.read_only {
                        return refused(format!("a result of {market} has seen entries that this site never wrote"));
                    }
                }
            }
        }
        said.check_dues()
    }

    fn check_account<'e>(
        &self,
        entry: &Entry,
        id: &'e AccountId,
        head: &'e AccountHead,
        region_name: Option<&str>,
        said: &mut Said<'e>,
    ) -> Result<(), EntryError> {
        if Some(id.region()) != region_name || head.home != entry.site || head.tenure.is_some() {
            return refused(format!("account {id} cannot be opened by site {}", entry.site));
        }
        let before = self.account_head(id).or(said.heads.get(id).copied());
        if before.is_some_and(|known| known.hearsay.is_none() && known.currency != head.currency) {
            return refused(format!("account {id} was opened otherwise before"));
        }
        said.heads.insert(id, head);
        Ok(())
    }

    /// A row may arrive before its account's head, which another site wrote: rows need no order across sites. Returns
    /// the row as it was before the entry.
    fn check_row<'s>(
        &'s self,
        site: Site,
        id: &AccountId,
        row: &Row,
        said: Option<(Option<&'s Row>, &'s Row)>,
    ) -> Result<Option<&'s Row>, EntryError> {
        let rows = self.accounts.get(id).map(|a| &a.rows);
        let known = rows.and_then(|r| r.get(&site));
        if let Some(before) = said.map(|(_, last)| last).or(known)
            && let Err(e) = before.check_successor(row)
        {
            return refused(format!("row of {id}: {e}"));
        }
        if row.greatest() > Row::BELIEVED_MAX {
            return refused(format!("row of {id} counts beyond 2^62"));
        }
        if row.free() < 0 || row.reserved() < 0 || row.held() < 0 || row.debt() < 0 {
            return refused(format!("row of {id} spends what is not there"));
        }
        let taken_from_us = row.recv.get(&self.site).copied().unwrap_or(0);
        let sent = || rows.and_then(|r| r.get(&self.site)).and_then(|r| r.sent.get(&site)).copied().unwrap_or(0);
        if taken_from_us > 0 && taken_from_us > sent() && !self.read_only {
            return refused(format!("row of {id} takes more than was granted to it"));
        }
        Ok(known)
    }

    /// Applies a checked entry. Own consequences (received rights) join the entry being built in `tx`.
    pub(crate) fn apply_entry<V: View>(&mut self, tx: &mut Tx<'_, V>, entry: &Entry) -> Merged {
        let mut merged = Merged::default();
        let mut pushed: Vec<(&AccountId, u64)> = Vec::new();
        for event in &entry.events {
            match event {
                Event::Account(id, head) => {
                    self.apply_account(tx, id, head);
                    merged.accounts.push(id.clone());
                }
                Event::Row(id, row) => {
                    self.apply_row(entry.site, id, row);
                    // Most rows send this site nothing: the account need not be looked up again.
                    let sends = row.sent.contains_key(&self.site) && self.planted != Planted::IncrementDeltas;
                    if sends && self.receive(tx, entry.site, id) > 0 {
                        merged.accounts.push(id.clone());
                    }
                }
                Event::Wager(record) => {
                    tx.put(Write::AccountWager(record.0.account.clone(), record.0.id));
                    tx.put(Write::Wager(Arc::clone(&record.0)));
                }
                Event::Settled(settled) => apply_settled(tx, entry, settled),
                Event::CashedOut(cashed) => apply_cashed(tx, entry, cashed),
                Event::Revoked(revoked) => apply_revoked(tx, entry, revoked),
                Event::Posting(posting) => tx.put(Write::Posting(posting.clone())),
                Event::Referenced(decision) => self.note_decided(tx, decision),
                Event::Received(received) => self.note_taken(tx, entry.site, received),
                Event::Session(session) => self.note_opened(tx, session),
                Event::SessionEnded(ended) => self.note_ended(tx, ended),
                Event::Resolved(resolved) => apply_resolved(tx, resolved),
                Event::Result(market, scope, register) => {
                    let known = tx.results(market).into_iter().find(|(s, _)| s == scope);
                    let mut joined = known.map(|(_, r)| r).unwrap_or_default();
                    if joined.join(register) == crdt::Joined::Changed {
                        tx.put(Write::Result(market.clone(), scope.clone(), joined));
                        merged.markets.push(market.clone());
                    }
                }
                Event::Home(id, head) => {
                    self.set_home(tx, id, head.clone());
                    merged.accounts.push(id.clone());
                }
                Event::Grant(grant) if self.planted == Planted::IncrementDeltas && grant.to == self.site => {
                    *self.own_row(tx, &grant.account).recv.entry(entry.site).or_default() += grant.amount;
                    merged.accounts.push(grant.account.clone());
                }
                Event::Grant(grant) if grant.to == self.site && grant.request == 0 && !hands_to(entry, self.site) => {
                    pushed.push((&grant.account, grant.amount));
                }
                // A site's windows are read in its log when its rights are reclaimed.
                Event::Grant(_) | Event::Windows(_) => {}
                Event::Excluded(id, row) => self.note_exclusion(tx, id, entry.site, row),
                Event::Confirmed(upto) => self.confirmed.raise(entry.site, *upto),
                Event::Fenced(fenced) => self.note_handed(tx, fenced.id, entry.site, entry.seq, Some(fenced.to)),
                Event::Cancelled(cancelled) => self.note_handed(tx, cancelled.id, entry.site, entry.seq, None),
            }
        }
        // What was pushed to a home that has moved meanwhile follows it.
        for (account, amount) in pushed {
            self.push_home(tx, account, amount);
        }
        merged
    }

    fn apply_account<V: View>(&mut self, tx: &mut Tx<'_, V>, id: &AccountId, head: &AccountHead) {
        let known = self.accounts.entry(id.clone()).or_default();
        // A move may have come before the opening, from another log: it says where, the opening in what.
        let tenure = known.head.as_ref().and_then(|k| k.tenure.clone());
        let home = known.head.as_ref().map_or(head.home, |k| k.home);
        let head = AccountHead { currency: head.currency, home, tenure, hearsay: None };
        known.head = Some(head.clone());
        tx.put(Write::Account(id.clone(), head));
    }

    fn apply_row(&mut self, site: Site, id: &AccountId, row: &Row) {
        assert_ne!(site, self.site, "only this site writes its own rows");
        match self.accounts.get_mut(id) {
            Some(known) => known.rows.insert(site, row.clone()),
            None => self.accounts.entry(id.clone()).or_default().rows.insert(site, row.clone()),
        };
    }
}

/// Whether an entry hands a wager id to a site: what it grants that site is for the wager, and stays there.
fn hands_to(entry: &Entry, site: Site) -> bool {
    entry.events.iter().any(|event| matches!(event, Event::Fenced(fenced) if fenced.to == site))
}

/// A site decides ids of its own stamp and those handed to it. The hand-over is another site's entry and may arrive
/// later than the decision (there is no order between sites), so it is not asked for here.
fn check_wager<V: View>(
    tx: &Tx<'_, V>,
    entry: &Entry,
    record: &WagerRecord,
    said: &mut Said<'_>,
) -> Result<(), EntryError> {
    let site = entry.site;
    if record.owner != site || record.entry != entry.seq {
        return refused(format!("wager {} is not decided by site {site} at index {}", record.id, entry.seq));
    }
    let fresh = record.settled_version == 0
        && record.paid.minor() == 0
        && record.state == WagerState::Open
        && record.later.is_none()
        && (record.is_accepted() || record.prepared.is_none());
    if !fresh || !record.is_coherent() {
        return refused(format!("wager {} is not a fresh decision", record.id));
    }
    if tx.wager(record.id).is_some() || said.wagers.insert(record.id, SaidWager::of(record)).is_some() {
        return refused(format!("wager {} was decided before", record.id));
    }
    if record.is_accepted() {
        said.dues.staked(&record.account, record.stake.minor());
    }
    Ok(())
}

pub(super) fn check_posting<V: View>(
    tx: &Tx<'_, V>,
    entry: &Entry,
    posting: &Posting,
    said: &mut Said<'_>,
) -> Result<(), EntryError> {
    if posting.site != entry.site || posting.id.region() != entry.site.region {
        return refused(format!("posting {} is not decided by site {}", posting.id, entry.site));
    }
    if let Some(adjustment) = posting.adjustment()
        && adjustment.debt > if adjustment.taken { posting.amount.minor() } else { 0 }
    {
        return refused(format!("adjustment {} owes more than it takes", posting.id));
    }
    if let Some(withdrawal) = posting.withdrawal() {
        let fresh = matches!(withdrawal.state, WithdrawalState::Prepared | WithdrawalState::Insufficient);
        if !fresh || withdrawal.entry != entry.seq {
            return refused(format!("withdrawal {} is not a fresh decision", posting.id));
        }
    }
    let bound = |e: &Event| matches!(e, Event::Referenced(d) if d.outcome == ReferenceOutcome::Posted(posting.id));
    let cashed = |e: &Event| matches!(e, Event::CashedOut(c) if c.posting.id == posting.id);
    if posting.cash_out().is_some() && !entry.events.iter().any(cashed) {
        return refused(format!("posting {} is a cash-out of nothing", posting.id));
    }
    if posting.reference().is_some() && !entry.events.iter().any(bound) {
        return refused(format!("posting {} stands for a reference that is not decided with it", posting.id));
    }
    if tx.posting(posting.id).is_some() || !said.postings.insert(posting.id) {
        return refused(format!("posting {} was decided before", posting.id));
    }
    said.dues.posted(posting);
    Ok(())
}

/// Windows bind their own site alone; they are read when its rights are reclaimed, and must say one thing then.
fn check_windows(exposures: &[Exposure]) -> Result<(), EntryError> {
    let currencies: BTreeSet<_> = exposures.iter().map(|e| e.currency).collect();
    if currencies.len() == exposures.len() {
        return Ok(());
    }
    refused("windows are stated twice for one currency".to_owned())
}

fn check_resolved<V: View>(
    tx: &Tx<'_, V>,
    entry: &Entry,
    resolved: &Resolved,
    said: &mut Said<'_>,
) -> Result<(), EntryError> {
    let prepared = |p: &Posting| p.withdrawal().is_some_and(|w| w.state == WithdrawalState::Prepared);
    let known = tx.posting(resolved.id).filter(|p| p.site == entry.site && prepared(p));
    let Some(known) = known.filter(|_| said.postings.insert(resolved.id)) else {
        return refused(format!("withdrawal {} is not there to be confirmed or released", resolved.id));
    };
    said.dues.resolved(&known, resolved.confirmed);
    Ok(())
}

fn apply_resolved<V: View>(tx: &mut Tx<'_, V>, resolved: &Resolved) {
    let known = tx.posting(resolved.id).expect("checked before");
    let state = if resolved.confirmed { WithdrawalState::Confirmed } else { WithdrawalState::Released };
    tx.put(Write::Posting(known.withdrawn(state)));
}
