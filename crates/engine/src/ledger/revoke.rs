//! Cancels of accepted wagers by an operator, in part or as a whole, before or after settlement: the part returns, the
//! rest stands as its legs say. The last word counts. Knows rows and records; who may ask is `cancelling`.

use std::sync::Arc;

use crdt::Hlc;
use model::{Cancelled, Share, StepKind, WagerRecord};

use super::Ledger;
use super::settle::settled;
use crate::log::{Event, Revoked};
use crate::port::View;
use crate::tx::Tx;

impl Ledger {
    /// Says which part of a wager of this site is cancelled, in all. What stands already changes nothing. `None`: the
    /// account's row cannot count further; nothing was recorded.
    pub(crate) fn revoke<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        at: Hlc,
        record: &Arc<WagerRecord>,
        cancelled: Cancelled,
    ) -> Option<Arc<WagerRecord>> {
        let same = record.cancelled().map_or(cancelled.share == Share::ZERO, |known| *known == cancelled);
        if same {
            return Some(Arc::clone(record));
        }
        let what = StepKind::Cancelled(cancelled.clone());
        let stands = self.stands_with(tx, record, &what);
        if !self.has_room(record, stands.paid) {
            return None;
        }
        let next = self.advance(tx, at, record, what, stands);
        tx.events.push(Event::Revoked(Revoked { settled: settled(&next), cancelled, burned: next.burned() }));
        Some(next)
    }
}
