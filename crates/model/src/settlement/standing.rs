//! How a wager stands, given how each of its legs ended. Knows no registers: who resolves them says for each leg
//! whether it is open, disputed or ended, and how.

use super::{Rounding, payout, whole};
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
/// `void` if every leg was; `lost` if nothing returns; `part` if less than the stake does; else `won`.
#[must_use]
pub fn standing(record: &WagerRecord, legs: &[LegVerdict]) -> Standing {
    if legs.contains(&LegVerdict::Disputed) {
        return Standing::Kept;
    }
    if let Some(plain) = plain_single(record, legs) {
        return plain;
    }
    let ended: Option<Vec<Verdict>> =
        legs.iter().map(|l| if let LegVerdict::Ended(verdict) = l { Some(*verdict) } else { None }).collect();
    let Some(ended) = ended.filter(|all| all.len() == record.legs.len()) else {
        return Standing::At(WagerState::Open, 0);
    };
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
    // Every multiplier is at most what it is when all legs win, and that fits: it was checked when the wager was
    // admitted here, or when its entry arrived.
    let pays = record.rounding().round(&exact).expect("a payout is at most the potential payout, which fits");
    Standing::At(state, pays)
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
