//! What one leg multiplies a stake by, from its odds and how its outcome ended (DOMAIN.md 7).
//! Knows one leg; not how legs make lines.

use super::{Exact, fraction, whole};
use crate::{DeductionFrom, Deductions, Odds, Share, Verdict};

/// A leg's multipliers of a stake.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LegMultiplier {
    /// Of the win part.
    pub win: Exact,
    /// Of the place part, in an each-way wager.
    pub place: Option<Exact>,
}

/// A leg's multipliers. `place` is the fraction of the winnings that the place part pays, in an each-way wager.
/// `struck_ms` is when the wager was accepted, Unix ms: deductions of later withdrawals are taken, earlier ones were
/// in the price already. Never above the odds (of the place part: above its place odds).
#[must_use]
pub fn multiplier(odds: Odds, place: Option<Share>, verdict: &Verdict, struck_ms: u64) -> LegMultiplier {
    let void = fraction(verdict.void_factor.num(), verdict.void_factor.den());
    let live = whole(1) - &void;
    let part = |paid: bool, factor: Share, odds: Exact| {
        if paid { &void + &live * odds * fraction(factor.num(), factor.den()) } else { void.clone() }
    };
    let taken = Taken::of(&verdict.deductions, struck_ms);
    let winnings = fraction(odds.num() - odds.den(), odds.den()) * &taken.winnings;
    // A reduced price never makes a winner pay to have won.
    let win_odds = (whole(1) + &winnings) * &taken.price;
    let win_odds = if win_odds < whole(1) { whole(1) } else { win_odds };
    LegMultiplier {
        win: part(verdict.won, verdict.dead_heat_factor, win_odds),
        place: place.map(|fraction_of| {
            let winnings = winnings * &taken.price * fraction(fraction_of.num(), fraction_of.den());
            part(verdict.placed || verdict.won, verdict.place_dead_heat_factor, whole(1) + winnings)
        }),
    }
}

/// What deductions leave: of the winnings, and of the price as a whole.
struct Taken {
    winnings: Exact,
    price: Exact,
}

impl Taken {
    fn of(deductions: &Deductions, struck_ms: u64) -> Self {
        let (mut taken, mut price) = (whole(0), whole(1));
        for deduction in deductions.iter().filter(|d| d.before_ms.is_none_or(|before| struck_ms < before)) {
            match deduction.from {
                DeductionFrom::Winnings => taken += fraction(deduction.share.num(), deduction.share.den()),
                DeductionFrom::Price => price *= fraction(deduction.share.rest().num(), deduction.share.rest().den()),
            }
        }
        let cap = fraction(deductions.cap().num(), deductions.cap().den());
        Self { winnings: whole(1) - if taken < cap { taken } else { cap }, price }
    }
}
