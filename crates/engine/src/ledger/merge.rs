//! Foreign entries: each is checked whole, then applied whole. An entry that fails a check changes nothing and stops
//! its site's stream, and only that stream.

use std::collections::BTreeSet;
use std::sync::Arc;

use crdt::{Row, Site};
use model::{AccountId, Amount, MarketKey, WagerRecord};

use super::Ledger;
use crate::log::{Entry, EntryError, Event, Settled};
use crate::port::{View, Write};
use crate::tx::Tx;

/// No cumulative counter of a believable row is larger: sums of many stay far within 128 bits.
const COUNTER_MAX: u64 = 1 << 62;

/// What an applied entry means for the rest of the region.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Merged {
    /// Accounts whose rights here grew, or that are new: clients may be waiting.
    pub(crate) accounts: Vec<AccountId>,
    /// Accounts whose row of the writer changed.
    pub(crate) rows: Vec<AccountId>,
    /// Markets whose results changed.
    pub(crate) markets: Vec<MarketKey>,
}

impl Ledger {
    /// Checks an entry's events against what is known of its site. Changes nothing.
    pub(crate) fn check_entry<V: View>(
        &self,
        tx: &Tx<'_, V>,
        entry: &Entry,
        region_name: Option<&str>,
    ) -> Result<(), EntryError> {
        let refused = |why: String| Err(EntryError::Refused(why));
        let mut decided = BTreeSet::new();
        for event in &entry.events {
            match event {
                Event::Account(id, head) => {
                    if Some(id.region()) != region_name || head.home.region != entry.site.region {
                        return refused(format!("account {id} cannot be opened by site {}", entry.site));
                    }
                    if self.account_head(id).is_some_and(|known| known != head) {
                        return refused(format!("account {id} was opened otherwise before"));
                    }
                }
                Event::Row(id, row) => self.check_row(entry.site, id, row)?,
                Event::Wager(record) => {
                    if !decided.insert(record.0.id) {
                        return refused(format!("wager {} is decided twice in one entry", record.0.id));
                    }
                    check_wager(tx, entry.site, entry.seq, &record.0)?;
                }
                Event::Settled(settled) => check_settled(tx, entry, settled)?,
                Event::Posting(posting) => {
                    if posting.site != entry.site || posting.id.region() != entry.site.region {
                        return refused(format!("posting {} is not decided by site {}", posting.id, entry.site));
                    }
                    if tx.posting(posting.id).is_some_and(|known| known != *posting) {
                        return refused(format!("posting {} was decided otherwise before", posting.id));
                    }
                }
                Event::Grant(grant) => {
                    if grant.amount == 0 {
                        return refused(format!("a grant of nothing to {}", grant.to));
                    }
                }
                Event::Result(..) => {}
            }
        }
        Ok(())
    }

    /// A row may arrive before its account's head, which another site wrote: rows need no order across sites.
    fn check_row(&self, site: Site, id: &AccountId, row: &Row) -> Result<(), EntryError> {
        let refused = |why: String| Err(EntryError::Refused(why));
        let rows = self.accounts.get(id).map(|a| &a.rows);
        if let Some(before) = rows.and_then(|r| r.get(&site))
            && let Err(e) = before.check_successor(row)
        {
            return refused(format!("row of {id}: {e}"));
        }
        if row.greatest() > COUNTER_MAX {
            return refused(format!("row of {id} counts beyond 2^62"));
        }
        if row.free() < 0 || row.reserved() < 0 || row.debt() < 0 {
            return refused(format!("row of {id} spends what is not there"));
        }
        let taken_from_us = row.recv.get(&self.site).copied().unwrap_or(0);
        let sent = rows.and_then(|r| r.get(&self.site)).and_then(|r| r.sent.get(&site)).copied().unwrap_or(0);
        if taken_from_us > sent {
            return refused(format!("row of {id} takes more than was granted to it"));
        }
        Ok(())
    }

    /// Applies a checked entry. Own consequences (received rights) join the entry being built in `tx`.
    pub(crate) fn apply_entry<V: View>(&mut self, tx: &mut Tx<'_, V>, entry: &Entry) -> Merged {
        let mut merged = Merged::default();
        for event in &entry.events {
            match event {
                Event::Account(id, head) => {
                    self.accounts.entry(id.clone()).or_default().head = Some(head.clone());
                    tx.put(Write::Account(id.clone(), head.clone()));
                    merged.accounts.push(id.clone());
                }
                Event::Row(id, row) => {
                    self.apply_row(entry.site, id, row);
                    merged.rows.push(id.clone());
                    if self.receive(tx, entry.site, id) > 0 {
                        merged.accounts.push(id.clone());
                    }
                }
                Event::Wager(record) => {
                    tx.put(Write::AccountWager(record.0.account.clone(), record.0.id));
                    tx.put(Write::Wager(Arc::clone(&record.0)));
                }
                Event::Settled(settled) => apply_settled(tx, entry, settled),
                Event::Posting(posting) => tx.put(Write::Posting(posting.clone())),
                Event::Result(market, scope, register) => {
                    let known = tx.results(market).into_iter().find(|(s, _)| s == scope);
                    let mut joined = known.map(|(_, r)| r).unwrap_or_default();
                    if joined.join(register) == crdt::Joined::Changed {
                        tx.put(Write::Result(market.clone(), scope.clone(), joined));
                        merged.markets.push(market.clone());
                    }
                }
                Event::Grant(_) => {}
            }
        }
        merged
    }

    fn apply_row(&mut self, site: Site, id: &AccountId, row: &Row) {
        assert_ne!(site, self.site, "only this site writes its own rows");
        self.accounts.entry(id.clone()).or_default().rows.insert(site, row.clone());
    }
}

fn check_wager<V: View>(tx: &Tx<'_, V>, site: Site, seq: u64, record: &WagerRecord) -> Result<(), EntryError> {
    let refused = |why: String| Err(EntryError::Refused(why));
    if record.owner != site || record.id.region() != site.region || record.entry != seq {
        return refused(format!("wager {} is not decided by site {site} at index {seq}", record.id));
    }
    if record.settled_version != 0 || record.legs.is_empty() {
        return refused(format!("wager {} is not a fresh decision", record.id));
    }
    if tx.wager(record.id).is_some() {
        return refused(format!("wager {} was decided before", record.id));
    }
    Ok(())
}

fn check_settled<V: View>(tx: &Tx<'_, V>, entry: &Entry, settled: &Settled) -> Result<(), EntryError> {
    let refused = |why: String| Err(EntryError::Refused(why));
    let decided_here = |e: &Event| matches!(e, Event::Wager(r) if r.0.id == settled.id);
    let Some(known) = tx.wager(settled.id) else {
        return if entry.events.iter().any(decided_here) {
            Ok(())
        } else {
            refused(format!("settlement of wager {} that is not here", settled.id))
        };
    };
    let earlier = entry
        .events
        .iter()
        .filter(|e| matches!(e, Event::Settled(s) if s.id == settled.id && s.version < settled.version));
    let expected = known.settled_version + u32::try_from(earlier.count()).unwrap_or(u32::MAX) + 1;
    if known.owner != entry.site || !known.is_accepted() || settled.version != expected {
        return refused(format!("settlement {} of wager {} does not follow", settled.version, settled.id));
    }
    if Amount::from_minor(settled.paid).is_err() {
        return refused(format!("settlement of wager {} pays too much", settled.id));
    }
    Ok(())
}

fn apply_settled<V: View>(tx: &mut Tx<'_, V>, entry: &Entry, settled: &Settled) {
    let known = tx.wager(settled.id).expect("checked before");
    let mut next = WagerRecord::clone(&known);
    next.state = settled.state;
    next.paid = Amount::from_minor(settled.paid).expect("checked before");
    next.settled_version = settled.version;
    next.settled_at = entry.at;
    tx.put(Write::Wager(Arc::new(next)));
}
