//! How a wager stands, given how each of its legs ended. Knows no registers: who resolves them says for each leg
//! whether it is open, disputed or ended, and how.

use super::{Exact, Parts, Rounding, payout, whole};
use crate::limits::AMOUNT_MINOR_MAX;
use crate::{SettlementCall, Share, Verdict, WagerRecord, WagerState};

/// How one leg stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LegVerdict {
    /// No result (any more).
    Open,
    /// Sources differ and nobody has ruled.
    Disputed,
    /// It ended so.
    Ended(Verdict),
}

impl From<SettlementCall> for LegVerdict {
    fn from(call: SettlementCall) -> Self {
        match call {
            SettlementCall::Open => Self::Open,
            SettlementCall::Disputed => Self::Disputed,
            SettlementCall::Result(result) => result.verdict().map_or(Self::Open, Self::Ended),
        }
    }
}

/// How a wager must stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// As it stands already: a leg is disputed, and nothing further is settled.
    Kept,
    /// So, with so much paid in all, minor units.
    At(WagerState, u64),
}

/// How a wager stands once its legs stand as `legs` says, in the order of the record's legs. It is settled when every
/// leg has ended, and only then (DOMAIN.md 5).
///
/// `void` if every leg was; `lost` if nothing returns; `part` if less than the stake does; else `won`. Where a part was
/// cashed out or cancelled, that is said of the rest; `cashed_out` or `cancelled` where no rest is.
#[must_use]
pub fn standing(record: &WagerRecord, legs: &[LegVerdict]) -> Standing {
    if let Some(parts) = Parts::of(record) {
        return parted(record, &parts, legs);
    }
    if let Some(plain) = plain_single(record, legs) {
        return plain;
    }
    match ended(record, legs) {
        Ended::Disputed => Standing::Kept,
        Ended::NotYet => Standing::At(WagerState::Open, 0),
        Ended::At(state, exact) => Standing::At(state, rounded(record, &exact)),
    }
}

/// How all legs together stand, as if all of the wager were in play.
enum Ended {
    Disputed,
    NotYet,
    At(WagerState, Exact),
}

fn ended(record: &WagerRecord, legs: &[LegVerdict]) -> Ended {
    if legs.contains(&LegVerdict::Disputed) {
        return Ended::Disputed;
    }
    let ended: Option<Vec<Verdict>> =
        legs.iter().map(|l| if let LegVerdict::Ended(verdict) = l { Some(*verdict) } else { None }).collect();
    let Some(ended) = ended.filter(|all| all.len() == record.legs.len()) else { return Ended::NotYet };
    let multipliers: Vec<_> = ended.iter().enumerate().map(|(n, verdict)| record.multiplier(n, verdict)).collect();
    let exact = payout(record.unit_stake().minor(), record.system.as_ref(), &multipliers);
    let stake = record.stake.minor();
    let state = if ended.iter().all(|v| v.void_factor == Share::ONE) {
        WagerState::Void
    } else if exact == whole(0) {
        WagerState::Lost
    } else if exact < whole(stake) {
        WagerState::Part
    } else {
        WagerState::Won
    };
    Ended::At(state, exact)
}

/// What was cashed out stands, what was cancelled returns, and the rest stands as its legs say. Of a disputed wager that
/// was never settled the rest is open.
fn parted(record: &WagerRecord, parts: &Parts, legs: &[LegVerdict]) -> Standing {
    let returned = &parts.cancelled * whole(record.stake.minor());
    let at = |state, exact: &Exact| Standing::At(state, parts.cashed_pays + rounded(record, exact));
    if parts.live == whole(0) {
        let cancelled = record.cancelled().is_some_and(|c| c.share == Share::ONE) && parts.cashed < whole(1);
        return at(if cancelled { WagerState::Cancelled } else { WagerState::CashedOut }, &returned);
    }
    match ended(record, legs) {
        Ended::Disputed if !matches!(record.state, WagerState::Open | WagerState::Cancelled) => Standing::Kept,
        Ended::Disputed | Ended::NotYet => at(WagerState::Open, &returned),
        Ended::At(state, exact) => at(state, &(returned + exact * &parts.live)),
    }
}

/// Every multiplier is at most what it is when all legs win, and that fits: it was checked when the wager was admitted
/// here, or when its entry arrived.
fn rounded(record: &WagerRecord, exact: &Exact) -> u64 {
    let pays = record.rounding().round(exact).expect("a payout is at most the potential payout, which fits");
    pays.min(AMOUNT_MINOR_MAX)
}

/// A single that is plainly won, lost or void: nearly every wager, and its numbers fit without long integers.
fn plain_single(record: &WagerRecord, legs: &[LegVerdict]) -> Option<Standing> {
    let ([_], [LegVerdict::Ended(verdict)]) = (record.legs.as_slice(), legs) else { return None };
    if record.system.is_some() || record.each_way.is_some() || record.rounding() != Rounding::Floor {
        return None;
    }
    if verdict.void_factor == Share::ONE {
        return Some(Standing::At(WagerState::Void, record.stake.minor()));
    }
    if *verdict == Verdict::plain(true) {
        return Some(Standing::At(WagerState::Won, record.potential_payout()));
    }
    (*verdict == Verdict::plain(false)).then_some(Standing::At(WagerState::Lost, 0))
}
