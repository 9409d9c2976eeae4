//! Records of a snapshot: checked by themselves when they arrive, merged one by one once the snapshot is whole.
//! Knows what each kind is a join of; knows no pages and no peers.

use std::collections::BTreeMap;
use std::sync::Arc;

use crdt::{Row, Site};
use model::limits::TIME_MS_MAX;
use model::{AccountId, Amount, MintedId, SessionRecord, WagerRecord};

use super::Ledger;
use super::homes::EPOCH_MAX;
use super::merge::Merged;
use super::references::check_received;
use crate::log::SessionEnded;
use crate::port::{AccountHead, View, Write};
use crate::snapshot::Record;
use crate::tx::Tx;

impl Ledger {
    /// Why a record cannot be true, as far as it can be told from the record and from what only this site knows.
    pub(crate) fn check_record(&self, record: &Record) -> Result<(), String> {
        match record {
            Record::Account(id, head) => {
                let known = self.account_head(id);
                let moved_on = known.is_some_and(|k| k.home == self.site && head.epoch() > k.epoch());
                if moved_on && !self.read_only {
                    return Err(format!("the home of {id} was moved on by another site"));
                }
                let past = head.tenure.as_ref().map_or(&[][..], |t| &t.moves_ms);
                if head.epoch() > EPOCH_MAX || past.iter().any(|ms| *ms > TIME_MS_MAX) {
                    return Err(format!("the home of {id} has moved at numbers beyond all counting"));
                }
                let opened = |h: &AccountHead| h.hearsay.is_none();
                if known.is_some_and(|k| opened(k) && opened(head) && k.currency != head.currency) {
                    return Err(format!("account {id} was opened otherwise"));
                }
            }
            Record::Row(id, site, row) => {
                if row.greatest() > Row::BELIEVED_MAX {
                    return Err(format!("row of {id} counts beyond 2^62"));
                }
                if row.free() < 0 || row.reserved() < 0 || row.held() < 0 || row.debt() < 0 {
                    return Err(format!("row of {id} spends what is not there"));
                }
                let own = self.accounts.get(id).and_then(|a| a.rows.get(&self.site));
                let sent = own.and_then(|r| r.sent.get(site)).copied().unwrap_or(0);
                let taken = row.recv.get(&self.site).copied().unwrap_or(0);
                if taken > sent && *site != self.site && !self.read_only {
                    return Err(format!("row of {id} takes more than was granted to it"));
                }
            }
            Record::Wager(wager) => check_wager(&wager.0)?,
            Record::Posting(posting) => {
                if posting.id.region() != posting.site.region {
                    return Err(format!("posting {} is not of site {}", posting.id, posting.site));
                }
            }
            Record::Result(market, _, register) => {
                if register.greatest_of(self.site) >= self.next_seq() && !self.read_only {
                    return Err(format!("a result of {market} has seen entries that this site never wrote"));
                }
            }
            Record::Handed(id, site, handed) => {
                if handed.to == Some(*site) {
                    return Err(format!("wager {id} is handed to its own site"));
                }
            }
            Record::Reference(decision) => check_received(&decision.received).map_err(|e| e.to_string())?,
            Record::Received(_, received) => check_received(received).map_err(|e| e.to_string())?,
            Record::Session(id, record) => {
                if record.opened.as_ref().is_some_and(|opened| opened.id != *id) {
                    return Err(format!("session {id} was opened as another"));
                }
            }
            Record::Exclusion(account, _, row) => self.check_exclusion_alone(account, row)?,
            Record::Confirmed(_) => {}
        }
        Ok(())
    }

    /// Merges a record. `brought` are the logs that the snapshot knows more of than this site does, and up to where: only
    /// of those sites is a record newer than the one here. Repeating it is harmless. What is addressed to this site is taken
    /// when the heads have moved, not here.
    pub(crate) fn take_record<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        record: Record,
        brought: &BTreeMap<Site, u64>,
    ) -> Merged {
        let brings = |site: Site| brought.contains_key(&site);
        let mut merged = Merged::default();
        match record {
            Record::Account(id, head) => self.take_account(tx, id, head),
            Record::Row(id, site, row) if brings(site) => {
                assert_ne!(site, self.site, "only this site writes its own rows");
                self.accounts.entry(id).or_default().rows.entry(site).or_default().join(&row);
            }
            Record::Wager(wager) if brings(wager.0.owner) => {
                if tx.wager(wager.0.id).is_some_and(|known| known.owner != wager.0.owner) {
                    differs(tx, &format!("wager {}", wager.0.id));
                    return merged;
                }
                tx.put(Write::AccountWager(wager.0.account.clone(), wager.0.id));
                tx.put(Write::Wager(Arc::clone(&wager.0)));
            }
            Record::Posting(posting) if brings(posting.site) => {
                if tx.posting(posting.id).is_some_and(|known| known.site != posting.site) {
                    differs(tx, &format!("posting {}", posting.id));
                    return merged;
                }
                tx.put(Write::Posting(posting));
            }
            Record::Result(market, scope, register) => {
                let known = tx.results(&market).into_iter().find(|(s, _)| *s == scope);
                let mut joined = known.map(|(_, r)| r).unwrap_or_default();
                if joined.join(&register) == crdt::Joined::Changed {
                    tx.put(Write::Result(market.clone(), scope, joined));
                    merged.markets.push(market);
                }
            }
            Record::Handed(id, site, handed) if brings(site) => {
                self.note_handed(tx, id, site, handed.entry, handed.to);
            }
            Record::Reference(decision) if brings(decision.site) => {
                // There is one decision of a reference in the world, so it is news or known. Its posting stands in the
                // same log: without that log it would be a decision on nothing.
                if tx.reference(&decision.received.reference).is_none() {
                    self.note_decided(tx, &decision);
                }
            }
            Record::Received(site, received) if brings(site) => self.note_taken(tx, site, &received),
            Record::Session(id, record) => self.take_session(tx, id, record),
            Record::Exclusion(account, site, row) if brings(site) => self.note_exclusion(tx, &account, site, &row),
            Record::Confirmed(vector) => {
                for (site, upto) in vector.iter() {
                    if let Some(index) = brought.get(&site) {
                        self.confirmed.raise(site, upto.min(*index));
                    }
                }
            }
            Record::Row(..)
            | Record::Wager(_)
            | Record::Posting(_)
            | Record::Handed(..)
            | Record::Reference(_)
            | Record::Received(..)
            | Record::Exclusion(..) => {}
        }
        merged
    }

    fn take_account<V: View>(&mut self, tx: &mut Tx<'_, V>, id: AccountId, head: AccountHead) {
        let next = match self.account_head(&id) {
            None => head,
            Some(known) => {
                let opened = if known.hearsay.is_none() { known } else { &head };
                let newest = if head.epoch() > known.epoch() { &head } else { known };
                AccountHead {
                    currency: opened.currency,
                    home: newest.home,
                    tenure: newest.tenure.clone(),
                    hearsay: opened.hearsay,
                }
            }
        };
        if self.account_head(&id) != Some(&next) {
            self.accounts.entry(id.clone()).or_default().head = Some(next.clone());
            tx.put(Write::Account(id.clone(), next));
            self.note_debt(&id);
        }
    }

    /// Both halves of a session only ever come to be.
    fn take_session<V: View>(&mut self, tx: &mut Tx<'_, V>, id: MintedId, record: SessionRecord) {
        let opened = record.opened.filter(|_| self.sessions.get(&id).is_none_or(|s| s.opened.is_none()));
        if let Some(opened) = opened {
            self.note_opened(tx, &opened);
        }
        if let Some(at) = record.ended {
            self.note_ended(tx, &SessionEnded { id, at });
        }
    }
}

/// One site decides an id, once: what is known of another site's decision stays, above all this site's own.
fn differs<V: View>(tx: &mut Tx<'_, V>, what: &str) {
    tx.alarm("snapshot_differs", format!("a snapshot says that another site has decided {what}; it is not taken over"));
}

fn check_wager(wager: &WagerRecord) -> Result<(), String> {
    if !wager.is_coherent() || Amount::from_minor(wager.paid.minor()).is_err() {
        return Err(format!("wager {} is beyond its bounds", wager.id));
    }
    Ok(())
}
