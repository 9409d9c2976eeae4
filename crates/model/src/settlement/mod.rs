//! Settlement arithmetic (DOMAIN.md 7): what a wager pays, exactly, and one rounding by a rule that is stored with it.
//! Pure sums over verdicts; knows no registers, no ledger and no market. Rationals of unbounded integers: thirty legs
//! of 32-bit fractions with their factors need some thousands of bits, and no step may round or overflow.

mod lines;
mod multiplier;
mod offer;
mod parts;
mod rounding;
mod standing;

pub use lines::{System, SystemError, lines_of};
pub use multiplier::{LegMultiplier, multiplier};
pub use offer::{LegNow, cash_out_pays};
pub use parts::{Parts, open_stake};
pub use rounding::Rounding;
pub use standing::{LegVerdict, Standing, standing};

use num_bigint::BigUint;
use num_rational::Ratio;

use crate::{Odds, Share, Verdict};

/// An exact amount in minor units, or an exact multiple of a stake.
pub type Exact = Ratio<BigUint>;

/// A whole number as an exact one.
#[must_use]
pub fn whole(n: u64) -> Exact {
    Ratio::from_integer(BigUint::from(n))
}

pub(crate) fn fraction(num: u32, den: u32) -> Exact {
    Ratio::new(BigUint::from(num), BigUint::from(den))
}

/// What legs of these multipliers pay at a stake of `unit` per line (each-way: per line and part), minor units. The
/// place part runs over the same lines as the win part, by itself. A system must have been made for this many legs.
#[must_use]
pub fn payout(unit: u64, system: Option<&System>, legs: &[LegMultiplier]) -> Exact {
    let win: Vec<&Exact> = legs.iter().map(|l| &l.win).collect();
    let place: Option<Vec<&Exact>> = legs.iter().map(|l| l.place.as_ref()).collect();
    let mut sum = lines::sum_of_lines(system, &win);
    if let Some(place) = place.filter(|p| !p.is_empty()) {
        sum += lines::sum_of_lines(system, &place);
    }
    sum * whole(unit)
}

/// What a wager pays if every leg wins, minor units, rounded once. A leg is its odds and, in an each-way wager, its
/// place fraction. `None` when it does not fit 64 bits.
#[must_use]
pub fn potential(
    unit: u64,
    system: Option<&System>,
    legs: impl ExactSizeIterator<Item = (Odds, Option<Share>)>,
    rounding: Rounding,
) -> Option<u64> {
    let legs: Vec<_> = legs.collect();
    if let ([(odds, None)], None, Rounding::Floor) = (legs.as_slice(), system, rounding) {
        // Nearly every wager is this one, and its numbers fit: no long integers on a wager's way.
        return u64::try_from(u128::from(unit) * u128::from(odds.num()) / u128::from(odds.den())).ok();
    }
    rounding.round(&(outright(system, legs.into_iter()) * whole(unit)))
}

/// What one unit of stake per line becomes if every leg wins.
#[must_use]
pub fn outright(system: Option<&System>, legs: impl ExactSizeIterator<Item = (Odds, Option<Share>)>) -> Exact {
    let won = Verdict::plain(true);
    let legs: Vec<_> = legs.map(|(odds, place)| multiplier(odds, place, &won, 0)).collect();
    payout(1, system, &legs)
}

/// What a wager pays of which a part was cancelled: that part of the stake returns, the rest plays on. The part is
/// of the original stake; a later cancellation replaces an earlier one (DOMAIN.md 5).
#[must_use]
pub fn partly_cancelled(stake: u64, payout: Exact, cancelled: Share) -> Exact {
    let rest = cancelled.rest();
    whole(stake) * fraction(cancelled.num(), cancelled.den()) + payout * fraction(rest.num(), rest.den())
}

/// What a free bet of one line pays: its token is not returned.
#[must_use]
pub fn free_bet(stake: u64, payout: &Exact) -> Exact {
    let stake = whole(stake);
    if *payout > stake { payout - stake } else { whole(0) }
}
