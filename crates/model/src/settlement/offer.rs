//! What a cash-out pays (DOMAIN.md 7): what the wager would pay, at what every leg that has ended made of it and what
//! the others are worth at their current odds, less the house's margin. Exact, rounded down once.

use super::{LegMultiplier, Rounding, fraction, payout, whole};
use crate::{Odds, Share, Verdict, WagerRecord};

/// How one leg stands when a cash-out is priced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LegNow {
    /// It ended so.
    Ended(Verdict),
    /// It is on sale at these odds.
    Open(Odds),
}

/// What cashing out `part` of the original stake (minor units) pays, minor units. `legs` stand in the order of the
/// record's. Never more than that part of the potential payout.
#[must_use]
pub fn cash_out_pays(record: &WagerRecord, legs: &[LegNow], part: u64, margin: Share) -> u64 {
    let multipliers: Vec<LegMultiplier> = legs.iter().enumerate().map(|(n, leg)| now(record, n, leg)).collect();
    let exact = payout(record.unit_stake().minor(), record.system.as_ref(), &multipliers);
    let rest = margin.rest();
    let pays = exact * whole(part) / whole(record.stake.minor()) * fraction(rest.num(), rest.den());
    Rounding::Floor.round(&pays).unwrap_or(0)
}

/// A leg that is open is worth the odds taken over the current ones, in each part.
fn now(record: &WagerRecord, n: usize, leg: &LegNow) -> LegMultiplier {
    let won = Verdict::plain(true);
    match leg {
        LegNow::Ended(verdict) => record.multiplier(n, verdict),
        LegNow::Open(odds) => {
            let taken = record.multiplier(n, &won);
            let place = record.each_way.as_ref().and_then(|all| all.get(n).copied());
            let current = super::multiplier(*odds, place, &won, record.placed_at.ms());
            let ratio = |(a, b): (super::Exact, super::Exact)| a / b;
            LegMultiplier { win: taken.win / current.win, place: taken.place.zip(current.place).map(ratio) }
        }
    }
}
