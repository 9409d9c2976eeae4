//! An operator's cancel, from the outside in: an accepted wager is cancelled by its owner, in part or as a whole; an
//! undecided id is closed as before (`fencing`). The money itself is the ledger's.

use model::limits::REASON_BYTES_MAX;
use model::{Answer, Cancelled, MintedId, Refusal, Share, Text};

use crate::admission::malformed;
use crate::cashing::full;
use crate::door::RequestId;
use crate::engine::Engine;
use crate::log::Cause;
use crate::port::View;
use crate::tx::Tx;

impl Engine {
    pub(crate) fn cancel_wager<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        (request, wait_ms): (RequestId, u64),
        id: MintedId,
        reason: Text,
        share: Option<Share>,
    ) {
        let decided = tx.wager(id);
        let accepted = decided.as_ref().is_some_and(|record| record.is_accepted());
        if !accepted && share.is_none() {
            return self.close_wager(tx, request, id, Some(reason), wait_ms);
        }
        let cancelled = Cancelled { share: share.unwrap_or(Share::ONE), reason };
        let answer = self.revoke(tx, id, cancelled).unwrap_or_else(Answer::Refused);
        tx.reply(request, answer);
    }

    fn revoke<V: View>(&mut self, tx: &mut Tx<'_, V>, id: MintedId, cancelled: Cancelled) -> Result<Answer, Refusal> {
        if tx.posting(id).is_some() {
            return Err(Refusal::IdReused);
        }
        let reason = cancelled.reason.as_str();
        if reason.is_empty() || reason.len() > REASON_BYTES_MAX {
            return Err(malformed("reason", "must have 1 to 500 bytes"));
        }
        let record = self.wager_here(tx, id)?;
        if record.state == model::WagerState::CashedOut && record.cancelled().is_none() {
            return Err(Refusal::WagerNotOpen { state: record.state.name() });
        }
        tx.by = Cause::Operator;
        self.seal(tx);
        let at = self.time.stamp();
        tx.at = Some(at);
        let done = self.ledger.revoke(tx, at, &record, cancelled);
        self.seal(tx);
        tx.at = None;
        let record = done.ok_or_else(full)?;
        Ok(Answer::Wager { id, view: self.wager_view(record) })
    }
}
