//! What another site's log says of its wagers after it has accepted them: settlements, cash-outs and cancels, checked
//! against the record and applied to it. Knows one entry's words; rows stand beside them and are checked by themselves.

use std::sync::Arc;

use model::limits::{CASH_OUTS_MAX, REASON_BYTES_MAX};
use model::{Amount, CashOut, Step, StepKind, WagerRecord, WagerState};

use super::merge::{Said, SaidWager, check_posting, refused};
use crate::log::{CashedOut, Entry, EntryError, Revoked, Settled};
use crate::port::{View, Write};
use crate::tx::Tx;

pub(super) fn check_settled<V: View>(
    tx: &Tx<'_, V>,
    entry: &Entry,
    settled: &Settled,
    said: &mut Said<'_>,
) -> Result<(), EntryError> {
    check_step(tx, entry, settled, None, said)
}

/// A wager's next step. `burned`: stake consumed in all after it; all of it, by a settlement.
fn check_step<V: View>(
    tx: &Tx<'_, V>,
    entry: &Entry,
    settled: &Settled,
    burned: Option<Amount>,
    said: &mut Said<'_>,
) -> Result<(), EntryError> {
    let stored = || tx.wager(settled.id).filter(|r| r.owner == entry.site).map(|r| SaidWager::of(&r));
    let Some(mut known) = said.wagers.remove(&settled.id).or_else(stored) else {
        return refused(format!("settlement of wager {} that its site never decided", settled.id));
    };
    if !known.accepted || known.version.checked_add(1) != Some(settled.version) {
        return refused(format!("settlement {} of wager {} does not follow", settled.version, settled.id));
    }
    if Amount::from_minor(settled.paid).is_err() {
        return refused(format!("settlement of wager {} pays too much", settled.id));
    }
    let legs = settled.past_posted.as_deref().unwrap_or_default();
    let rising = legs.windows(2).all(|w| w.first() < w.last());
    let has = |n: &u8| tx.wager(settled.id).is_none_or(|r| usize::from(*n) < r.legs.len());
    if !rising || !legs.iter().all(has) || legs.len() > model::limits::LEGS_MAX {
        return refused(format!("settlement of wager {} names legs that it does not have", settled.id));
    }
    let burned = burned.map_or(known.stake, Amount::minor).max(known.burned);
    said.dues.settled(&known.account, burned - known.burned, known.paid, settled.paid);
    (known.version, known.burned, known.paid) = (settled.version, burned, settled.paid);
    said.wagers.insert(settled.id, known);
    Ok(())
}

/// The wager that a later event speaks of: decided by an entry of its site before this one, and not settled within it.
fn stored<V: View>(
    tx: &Tx<'_, V>,
    entry: &Entry,
    settled: &Settled,
    burned: Amount,
    said: &mut Said<'_>,
) -> Result<Arc<WagerRecord>, EntryError> {
    if said.wagers.contains_key(&settled.id) {
        return refused(format!("wager {} is changed twice in one entry", settled.id));
    }
    check_step(tx, entry, settled, Some(burned), said)?;
    let Some(record) = tx.wager(settled.id) else {
        return refused(format!("wager {} is not known before this entry", settled.id));
    };
    if burned < record.burned() || burned > record.stake {
        return refused(format!("wager {} consumes a stake that it does not have", settled.id));
    }
    Ok(record)
}

pub(super) fn check_cashed<V: View>(
    tx: &Tx<'_, V>,
    entry: &Entry,
    cashed: &CashedOut,
    said: &mut Said<'_>,
) -> Result<(), EntryError> {
    let CashedOut { posting, settled, burned } = cashed;
    let id = settled.id;
    let record = stored(tx, entry, settled, *burned, said)?;
    check_posting(tx, entry, posting, said)?;
    let Some(of) = posting.cash_out().filter(|of| of.wager == id && posting.account == record.account) else {
        return refused(format!("posting {} is no cash-out of wager {id}", posting.id));
    };
    let taken: u64 = record.cash_outs().iter().map(|c| c.stake.minor()).sum();
    let fits = record.state == WagerState::Open
        && record.cash_outs().len() < CASH_OUTS_MAX
        && of.stake.minor() > 0
        && of.stake.minor() <= record.stake.minor() - taken.min(record.stake.minor())
        && matches!(settled.state, WagerState::Open | WagerState::CashedOut);
    if !fits {
        return refused(format!("a cash-out of wager {id} takes out what is not in play"));
    }
    Ok(())
}

pub(super) fn check_revoked<V: View>(
    tx: &Tx<'_, V>,
    entry: &Entry,
    revoked: &Revoked,
    said: &mut Said<'_>,
) -> Result<(), EntryError> {
    let record = stored(tx, entry, &revoked.settled, revoked.burned, said)?;
    let reason = revoked.cancelled.reason.as_str();
    if reason.is_empty() || reason.len() > REASON_BYTES_MAX {
        return refused(format!("a cancel of wager {} gives no reason that can be kept", record.id));
    }
    Ok(())
}

pub(super) fn apply_settled<V: View>(tx: &mut Tx<'_, V>, entry: &Entry, settled: &Settled) {
    let known = tx.wager(settled.id).expect("checked before");
    let burned = known.stake;
    apply(tx, entry, &known, settled, StepKind::Settled, burned);
}

pub(super) fn apply_cashed<V: View>(tx: &mut Tx<'_, V>, entry: &Entry, cashed: &CashedOut) {
    let CashedOut { posting, settled, burned } = cashed;
    let known = tx.wager(settled.id).expect("checked before");
    let stake = posting.cash_out().expect("checked before").stake;
    tx.put(Write::Posting(posting.clone()));
    let what = StepKind::CashedOut(CashOut { id: posting.id, stake, pays: posting.amount });
    apply(tx, entry, &known, settled, what, *burned);
}

pub(super) fn apply_revoked<V: View>(tx: &mut Tx<'_, V>, entry: &Entry, revoked: &Revoked) {
    let known = tx.wager(revoked.settled.id).expect("checked before");
    let what = StepKind::Cancelled(revoked.cancelled.clone());
    apply(tx, entry, &known, &revoked.settled, what, revoked.burned);
}

fn apply<V: View>(
    tx: &mut Tx<'_, V>,
    entry: &Entry,
    known: &WagerRecord,
    settled: &Settled,
    what: StepKind,
    burned: Amount,
) {
    let paid = Amount::from_minor(settled.paid).expect("checked before");
    let step = Step { version: settled.version, at: entry.at, state: settled.state, paid, what };
    let past_posted = settled.past_posted.clone().unwrap_or_default();
    tx.put(Write::Wager(Arc::new(known.after(step, burned, past_posted))));
}
