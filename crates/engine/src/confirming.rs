//! Prepared wagers from the outside in: what is said of one, who waits until its owner's log confirms it, and what
//! follows when the ack floor rises. Whether one is confirmed is the ledger's; judging one is `placing`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crdt::Site;
use model::{MintedId, WagerAnswer, WagerRecord, WagerView};

use crate::door::RequestId;
use crate::engine::Engine;
use crate::log::Cause;
use crate::planted::Planted;
use crate::port::View;
use crate::tx::Tx;

/// An item of a place command that waits for its wager to be confirmed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Waiter {
    item: (RequestId, usize),
    id: MintedId,
    replayed: bool,
}

/// All that wait, by owner and entry of their wagers. Each is an item of a job of `placing`, which bounds them and has
/// the deadline.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Confirming {
    waiting: BTreeMap<(Site, u64), Vec<Waiter>>,
}

impl Confirming {
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Forgets items of commands that have been answered.
    pub(crate) fn keep(&mut self, waits: impl Fn(RequestId) -> bool) {
        self.waiting.retain(|_, waiters| {
            waiters.retain(|w| waits(w.item.0));
            !waiters.is_empty()
        });
    }

    /// The first that waits for an entry of a site up to an index.
    fn take(&mut self, owner: Site, upto: u64) -> Option<Vec<Waiter>> {
        let entry = self.waiting.range((owner, 0)..=(owner, upto)).next().map(|(at, _)| *at)?;
        self.waiting.remove(&entry)
    }
}

impl Engine {
    /// What a client hears of a decided wager.
    pub(crate) fn wager_answer(&mut self, record: Arc<WagerRecord>, replayed: bool) -> WagerAnswer {
        if self.counts(&record) {
            WagerAnswer::Decided { record, replayed }
        } else {
            WagerAnswer::AwaitingAck { record, replayed }
        }
    }

    /// The same for a read.
    pub(crate) fn wager_view(&mut self, record: Arc<WagerRecord>) -> WagerView {
        if self.counts(&record) { WagerView::Known(record) } else { WagerView::AwaitingAck(record) }
    }

    fn counts(&mut self, record: &WagerRecord) -> bool {
        let counts = self.ledger.is_confirmed(record) || self.planted == Planted::GeoEarly;
        if counts && record.is_prepared() {
            self.commit_confirmed();
        }
        counts
    }

    /// What says that entries are confirmed must be durable with the answer that relies on it.
    pub(crate) fn commit_confirmed(&mut self) {
        if self.ledger.confirmed_here() > self.meta.confirmed.get(self.site) {
            self.save_meta = true;
        }
    }

    /// Notes that an item waits for the ack that its answer lacks. `false`: it lacks none, or none can come.
    pub(crate) fn awaits_ack(&mut self, answer: &WagerAnswer, item: (RequestId, usize)) -> bool {
        let WagerAnswer::AwaitingAck { record, replayed } = answer else { return false };
        let mine = record.owner == self.site;
        let comes = if mine { self.acks_come() } else { self.is_linked(record.owner.region) };
        if comes {
            let waiter = Waiter { item, id: record.id, replayed: *replayed };
            self.confirming.waiting.entry((record.owner, record.entry)).or_default().push(waiter);
        }
        comes
    }

    /// The ack floor may have risen: what it has passed is confirmed, in the log, and answered.
    pub(crate) fn confirm<V: View>(&mut self, tx: &mut Tx<'_, V>) {
        if self.not_ready().is_some() {
            return;
        }
        self.seal(tx);
        tx.by = Cause::Peer;
        self.ledger.confirm(tx);
        self.seal(tx);
        self.answer_confirmed(tx, self.site);
    }

    /// Answers those who wait for what a site's log has confirmed by now.
    pub(crate) fn answer_confirmed<V: View>(&mut self, tx: &mut Tx<'_, V>, owner: Site) {
        let upto = self.ledger.confirmed.get(owner);
        while let Some(waiters) = self.confirming.take(owner, upto) {
            for waiter in waiters {
                let record = tx.wager(waiter.id).expect("a prepared wager is stored");
                let account = record.account.clone();
                let answer = self.wager_answer(record, waiter.replayed);
                self.answer_item(tx, &account, waiter.item, answer);
            }
        }
    }
}
