//! Level `geo`: wagers that are prepared first and count once enough other regions hold them (DESIGN.md 3, ESCROW.md
//! 2.4), and up to where the prepared wagers of each site are confirmed. Knows entries and floors; who waits for them and
//! what is then said is `confirming`.
//!
//! A prepared wager takes its stake like any other (S1) and of replicated credits only (S3), and leaves the windows (S2,
//! S4) alone: they bound what a lost region may have answered unknown to others, and of a prepared wager nothing is
//! answered before others know. It may be settled before: what settlement pays is an unreplicated credit, which S3 keeps
//! from being spent until an entry *after* the wager's is acknowledged, and acks are contiguous.

use model::limits::PREPARED_ENTRIES_MAX;
use model::{Durability, WagerRecord};

use super::{Admitted, Ledger};
use crate::log::Event;
use crate::port::{Meta, View};
use crate::tx::Tx;

impl Ledger {
    /// Whether a wager is prepared first: it was asked for, or its stake is above a window as such. Where no other
    /// region is asked for, nothing is.
    pub(super) fn must_prepare(&self, wager: &Admitted) -> bool {
        self.ack_quorum > 0
            && (wager.durability == Durability::Geo
                || self.window.is_beyond(wager.currency, wager.stake.minor(), self.planted))
    }

    /// Whether as many entries with prepared wagers wait as may.
    pub(super) fn prepared_are_full(&self) -> bool {
        self.prepared.len() >= PREPARED_ENTRIES_MAX && !self.prepared.contains(&self.next_seq())
    }

    /// The highest ack floor ever reached: up to here, own entries have been durable in enough other regions.
    #[must_use]
    pub fn confirmed_here(&self) -> u64 {
        match self.ack_quorum {
            0 => self.next_seq() - 1,
            _ => self.confirmed.get(self.site),
        }
    }

    /// Whether a decided wager counts: it was not prepared, or its owner's log has said, as far as it is known here,
    /// that enough regions hold it. Once true it stays true, in every region by itself: both sources only rise and are
    /// durable with the group that first relies on them.
    #[must_use]
    pub fn is_confirmed(&self, record: &WagerRecord) -> bool {
        let upto = if record.owner == self.site { self.confirmed_here() } else { self.confirmed.get(record.owner) };
        !record.is_prepared() || record.entry <= upto
    }

    /// The floor may have risen: confirms what it has passed, for good, and says so in the log where a prepared wager is
    /// among it. The caller makes sure that this site may write.
    pub(crate) fn confirm<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        let floor = self.ack_floor;
        if floor <= self.confirmed.get(self.site) {
            return;
        }
        self.confirmed.raise(self.site, floor);
        let waiting = self.prepared.split_off(&(floor + 1));
        let passed = std::mem::replace(&mut self.prepared, waiting);
        if !passed.is_empty() {
            tx.events.push(Event::Confirmed(floor));
        }
    }

    /// After a start: notes a prepared wager of the own log's tail again.
    pub(super) fn prepare_again(&mut self, index: u64) {
        if index > self.confirmed.get(self.site) {
            self.prepared.insert(index);
        }
    }

    /// Takes back what was stored. A directory of before that number had answered by its floor: that floor was reached.
    pub(crate) fn restore_confirmed(&mut self, meta: &Meta) {
        self.confirmed = meta.confirmed.clone();
        if meta.confirmed.get(self.site) == 0 && meta.quarantine.is_none() {
            self.confirmed.raise(self.site, meta.ack_floor);
        }
    }

    /// What is to be stored of it.
    pub(crate) fn confirmed_now(&self) -> crdt::Vector {
        let mut confirmed = self.confirmed.clone();
        confirmed.raise(self.site, self.confirmed_here());
        confirmed
    }
}
