//! The spend rule on the ledger: what is noted as unacknowledged, what a raised floor sets free, and how all of it is
//! found again after a restart. Knows entries; the sums and limits themselves are `window`'s.

use std::collections::BTreeMap;

use model::{AccountId, MintedId};

use super::window::{Announced, Exposure, Unacked};
use super::{Account, Ledger};
use crate::log::{CashedOut, Entry, Event, Revoked};
use crate::port::View;
use crate::tx::Tx;

/// Settlements seen while the log's tail is read again: last version and what was paid by it.
pub(crate) type Paid = BTreeMap<MintedId, (u32, u64)>;

impl Account {
    /// S1 alone: free rights of a site's row, never below zero.
    pub(super) fn free_at(&self, site: crdt::Site) -> u64 {
        let free = self.rows.get(&site).map_or(0, crdt::Row::free);
        u64::try_from(free).unwrap_or(0)
    }
}

impl Ledger {
    /// What a wager may take of an account here now: the least that S1 to S4 leave, minor units.
    #[must_use]
    pub fn spendable(&self, account: &AccountId) -> u64 {
        let Some(known) = self.accounts.get(account) else { return 0 };
        let Some(head) = &known.head else { return 0 };
        let free = self.free_here(account);
        if self.ack_quorum == 0 {
            return free;
        }
        if self.is_cut_above_floor() {
            return 0;
        }
        self.window.room(head.currency, free, known.unacked, self.planted)
    }

    /// What may be granted of an account now: free rights less credits that no other region knows of (S1 and S3).
    pub(crate) fn grantable(&self, account: &AccountId) -> u64 {
        let Some(known) = self.accounts.get(account) else { return 0 };
        if self.is_cut_above_floor() {
            return 0;
        }
        super::window::replicated(self.free_here(account), known.unacked, self.planted)
    }

    /// Whether the floor has fallen below what was cut of the own log: a region that held it has lost its disks, and the
    /// others had been silent for too long to hold the cut back. What was spent between the two cannot be found again,
    /// so that all of it counts as unacknowledged, and nothing more is spent until another region holds it.
    pub(super) fn is_cut_above_floor(&self) -> bool {
        self.logs.get(&self.site).is_some_and(|head| self.ack_floor < head.cut_index())
    }

    /// Notes an own credit of the entry being built: it may be spent once other regions know of it.
    pub(super) fn credited(&mut self, account: &AccountId, credit: u64) {
        self.note(self.next_seq(), account, Unacked { debit: 0, credit });
    }

    /// Notes a debit or credit. Where no other region is asked for, every entry is acknowledged as it is written.
    pub(super) fn note(&mut self, index: u64, account: &AccountId, sums: Unacked) {
        if self.ack_quorum == 0 || sums == Unacked::default() {
            return;
        }
        let known = self.accounts.get_mut(account).expect("only known accounts are debited and credited");
        let currency = known.head.as_ref().expect("only opened accounts are debited and credited").currency;
        known.unacked.debit = known.unacked.debit.saturating_add(sums.debit);
        known.unacked.credit = known.unacked.credit.saturating_add(sums.credit);
        self.window.push(index, account, currency, sums);
    }

    /// Takes everything up to the floor out of the window. Returns what may now go home: acknowledged credits of
    /// accounts whose home is elsewhere.
    pub(crate) fn release(&mut self) -> BTreeMap<AccountId, u64> {
        let mut homewards: BTreeMap<AccountId, u64> = BTreeMap::new();
        while let Some((account, sums)) = self.window.pop(self.ack_floor) {
            let known = self.accounts.get_mut(&account).expect("accounts are never forgotten");
            known.unacked.debit = known.unacked.debit.saturating_sub(sums.debit);
            known.unacked.credit = known.unacked.credit.saturating_sub(sums.credit);
            if sums.credit > 0 && known.head.as_ref().is_some_and(|h| h.home != self.site) {
                *homewards.entry(account).or_default() += sums.credit;
            }
        }
        if self.window.is_changing() {
            self.window.settle_limits(self.ack_floor);
        }
        self.window.reached(self.ack_floor);
        homewards
    }

    /// Writes the windows of the topology into the own log if it says otherwise so far.
    pub(crate) fn announce_windows<V: View>(&mut self, tx: &mut Tx<'_, V>, exposures: &[Exposure]) {
        if self.window.newest() == exposures {
            return;
        }
        let announced = Announced { index: self.next_seq(), exposures: exposures.to_vec() };
        tx.events.push(Event::Windows(exposures.to_vec()));
        self.window.announce(announced, self.ack_floor);
    }

    /// Takes the stored announcements back; the limits follow with the floor.
    pub(crate) fn restore_windows(&mut self, announced: &[Announced]) {
        self.window.restore(announced.to_vec());
    }

    /// After a start: the floor that the stored acks give under the quorum of today. It may be below the stored one
    /// where the quorum has grown; what lies above it is unacknowledged again.
    pub(crate) fn refloor(&mut self) {
        self.ack_floor = 0;
        self.raise_floor();
        self.window.settle_limits(self.ack_floor);
        self.window.reached(self.ack_floor);
    }

    /// Empties the window, before everything above a floor that has fallen is noted again.
    pub(crate) fn forget_window(&mut self) {
        self.window.clear(self.ack_floor);
        self.accounts.values_mut().for_each(|known| known.unacked = Unacked::default());
    }

    /// Notes again what an own entry above the floor debited and credited. A second settlement whose predecessor lies
    /// below the floor counts whole: more than it was, so never too much is spent before its ack. A prepared wager is no
    /// debit of the window; it waits to be confirmed.
    pub(crate) fn note_again<V: View>(&mut self, tx: &Tx<'_, V>, entry: &Entry, paid: &mut Paid) {
        for event in &entry.events {
            let (account, sums) = match event {
                Event::Wager(record) if record.0.is_prepared() => {
                    self.prepare_again(entry.seq);
                    continue;
                }
                Event::Wager(record) if record.0.is_accepted() => {
                    (record.0.account.clone(), Unacked { debit: record.0.stake.minor(), credit: 0 })
                }
                Event::Posting(posting) => {
                    let gives = posting.withdrawal().is_none() && posting.adjustment().is_none_or(|a| !a.taken);
                    let credit = if gives { posting.amount.minor() } else { 0 };
                    (posting.account.clone(), Unacked { debit: 0, credit })
                }
                Event::Resolved(resolved) if !resolved.confirmed => {
                    let posting = tx.posting(resolved.id).expect("a released withdrawal is stored");
                    (posting.account.clone(), Unacked { debit: 0, credit: posting.amount.minor() })
                }
                Event::Settled(settled)
                | Event::CashedOut(CashedOut { settled, .. })
                | Event::Revoked(Revoked { settled, .. }) => {
                    let record = tx.wager(settled.id).expect("a settled wager is stored");
                    let before = paid.insert(settled.id, (settled.version, settled.paid)).map_or(0, |(_, paid)| paid);
                    let credit = settled.paid.saturating_sub(before);
                    (record.account.clone(), Unacked { debit: 0, credit })
                }
                _ => continue,
            };
            if entry.seq > self.ack_floor {
                self.note(entry.seq, &account, sums);
            }
        }
    }
}
