//! What follows from acks for whoever waits: wagers short of their windows, grants that wait for credits to be known
//! elsewhere, credits that go home; and how the window is found again at start.
//! Knows who waits; the rule itself is the ledger's.

use std::cmp::Ordering;

use crdt::Site;
use model::limits::{ENTRY_EVENTS_MAX, PARKED_MAX, PULL_BYTES_MAX};
use model::{AccountId, Refusal, WagerAnswer, WagerRequest};

use crate::engine::Engine;
use crate::ledger::Paid;
use crate::log::{Cause, Entry};
use crate::port::View;
use crate::tx::Tx;
use crate::wire::{Acquire, Hello};

/// Entries read at a time when the window is found again.
const TAIL_ENTRIES: usize = 4_096;

impl Engine {
    /// The acks have changed: the window follows the floor. When it rises, what waits is judged again before credits go
    /// home: a client who has just deposited here may be about to wager here. When it falls (an acker has lost its
    /// disks), what lies above it is unacknowledged again.
    pub(crate) fn follow_floor<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        match self.ledger.ack_floor.cmp(&self.ledger.window.floor()) {
            Ordering::Equal => return,
            Ordering::Less => {
                self.ledger.forget_window();
                return self.find_tail(tx);
            }
            Ordering::Greater => {}
        }
        let homewards = self.ledger.release();
        if self.ledger.read_only {
            return;
        }
        self.confirm(tx);
        for account in std::mem::take(&mut self.placing.windowed) {
            self.retry(tx, &account);
            self.seal(tx);
        }
        for ((from, _), ask) in std::mem::take(&mut self.placing.deferred) {
            self.acquire(tx, from, &ask);
        }
        for (account, credit) in homewards {
            tx.by = Cause::Peer;
            self.ledger.push_home(tx, &account, credit);
            if tx.events.len() >= ENTRY_EVENTS_MAX {
                self.seal(tx);
            }
        }
        self.seal(tx);
    }

    /// Whether the floor can rise as things stand: enough other regions are linked.
    pub(crate) fn acks_come(&self) -> bool {
        let linked = self.links.values().filter(|l| l.linked()).count();
        linked >= self.ledger.ack_quorum
    }

    /// Notes that a wager of an account waits for acks.
    pub(crate) fn await_acks(&mut self, account: &AccountId) {
        self.placing.windowed.insert(account.clone());
    }

    pub(crate) fn window_answer(&mut self, item: &WagerRequest) -> WagerAnswer {
        self.stats.wagers_undecided += 1;
        let currency = self.ledger.account_head(&item.account).map(|h| h.currency);
        WagerAnswer::Refused(match currency {
            Some(currency) => {
                Refusal::ReplicationWindow { spendable_here: self.ledger.spendable(&item.account), currency }
            }
            None => Refusal::AccountUnknown,
        })
    }

    /// Keeps a request for rights until the floor rises; its sender repeats it meanwhile. `false` when no place is left.
    pub(crate) fn defer(&mut self, from: Site, ask: &Acquire) -> bool {
        let deferred = &mut self.placing.deferred;
        let key = (from, ask.account.clone());
        let room = deferred.len() < PARKED_MAX || deferred.contains_key(&key);
        if room {
            deferred.insert(key, ask.clone());
        }
        room
    }

    /// A region that is gone asks again when it is back.
    pub(crate) fn forget_deferred(&mut self, region: u16) {
        self.placing.deferred.retain(|(site, _), _| site.region != region);
    }

    /// Writes the topology's windows into the own log if they have changed; a new directory does so once it may write.
    pub(crate) fn announce_windows<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        if self.not_ready().is_none() {
            tx.by = Cause::Operator;
            self.ledger.announce_windows(tx, &self.config.windows);
            self.seal(tx);
        }
    }

    /// A peer with other windows has another topology file: to be told, and nothing else.
    pub(crate) fn check_windows<V: View>(&mut self, tx: &mut Tx<'_, V>, hello: &Hello) {
        if hello.windows != self.config.windows {
            self.stats.windows_differ += 1;
            let region = hello.site.region;
            tx.alarm("windows_differ", format!("region {region} has other exposure windows in its topology"));
        }
    }

    /// At start: everything in the own log above the floor is unacknowledged still, so a region that restarts while it
    /// is cut off has spent of its windows what it had spent before.
    pub(crate) fn find_window<V: View>(&mut self, tx: &Tx<'_, V>) {
        self.ledger.refloor();
        self.find_tail(tx);
    }

    fn find_tail<V: View>(&mut self, tx: &Tx<'_, V>) {
        let mut paid = Paid::new();
        // Above the floor debits and credits are unacknowledged; above the highest floor prepared wagers wait. Where the
        // floor has fallen below the cut, nothing may be spent until it is back: see `Ledger::spendable`.
        let above = self.ledger.ack_floor.min(self.ledger.confirmed.get(self.site));
        let mut from = above.max(self.ledger.head(self.site).cut_index()) + 1;
        while from < self.ledger.next_seq() {
            let tail = tx.log(self.site, from, TAIL_ENTRIES, PULL_BYTES_MAX);
            assert!(!tail.is_empty(), "the own log is whole above its cut");
            for bytes in &tail {
                let entry = Entry::decode(bytes).expect("own entries can be read");
                self.ledger.note_again(tx, &entry, &mut paid);
            }
            from += tail.len() as u64;
        }
    }
}
