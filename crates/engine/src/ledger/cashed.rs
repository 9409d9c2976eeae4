//! Cash-outs: a part of an open wager's stake is consumed and its price paid, once per id, by the wager's owner.
//! Knows rows and records; what a part is worth, and whether the price still holds, is `cashing`.

use std::sync::Arc;

use crdt::Hlc;
use model::settlement::{Standing, open_stake, standing};
use model::{Amount, CashOut, CashedWager, Hash16, MintedId, Posting, PostingAct, StepKind, WagerRecord};

use super::Ledger;
use super::settle::{Results, Stands, settled};
use crate::log::{CashedOut, Event};
use crate::port::{View, Write};
use crate::tx::Tx;

/// A cash-out that may be decided: the id is this site's and undecided, the wager is its own and open, and the price
/// was looked at in this very step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CashingOut {
    pub(crate) id: MintedId,
    pub(crate) body: Hash16,
    /// Part of the original stake.
    pub(crate) stake: Amount,
    pub(crate) pays: Amount,
}

impl Ledger {
    /// Cashes a part out. `None`: the account's row cannot count further; nothing was recorded.
    pub(crate) fn cash_out<V: View>(
        &mut self,
        tx: &mut Tx<'_, V>,
        at: Hlc,
        record: &WagerRecord,
        asked: CashingOut,
    ) -> Option<(Posting, Arc<WagerRecord>)> {
        let CashingOut { id, body, stake, pays } = asked;
        let what = StepKind::CashedOut(CashOut { id, stake, pays });
        let stands = self.stands_with(tx, record, &what);
        if !self.has_room(record, stands.paid) {
            return None;
        }
        let act = Some(PostingAct::CashOut(CashedWager { wager: record.id, stake }));
        let account = record.account.clone();
        let posting = Posting { id, account, amount: pays, body, at, site: self.site, act };
        tx.put(Write::Posting(posting.clone()));
        let next = self.advance(tx, at, record, what, stands);
        let said = CashedOut { posting: posting.clone(), settled: settled(&next), burned: next.burned() };
        tx.events.push(Event::CashedOut(said));
        Some((posting, next))
    }

    /// How a wager of this site stands by current results with one more cash-out, or another cancel.
    pub(super) fn stands_with<V: View>(&self, tx: &Tx<'_, V>, record: &WagerRecord, what: &StepKind) -> Stands {
        let with = record.with(what);
        let (legs, past_posted) = self.verdicts(tx, record, &mut Results::new());
        let (state, paid, past_posted) = match standing(&with, &legs) {
            Standing::At(state, paid) => (state, paid, if state.is_settled() { past_posted } else { Vec::new() }),
            Standing::Kept => (record.state, record.paid.minor(), record.past_posted().to_vec()),
        };
        let burned = if state.is_settled() { record.stake } else { gone(&with) };
        Stands { state, paid, burned, past_posted }
    }
}

/// Stake of an open wager that is no longer in play: whole minor units, rounded up, so that what stays reserved is not
/// more than what is in play.
fn gone(record: &WagerRecord) -> Amount {
    let open = open_stake(record);
    Amount::from_minor(record.stake.minor().saturating_sub(open)).unwrap_or(record.stake)
}
