//! A wager of which parts are gone: cashed out by the player, or cancelled by an operator. Both are parts of the
//! original stake; what is left plays on and settles in proportion.
//!
//! A cash-out stands: it is neither taken back nor changed by later results or cancels. A cancel takes of the stake
//! what it says, but no more than cash-outs have left.

use super::{Exact, fraction, whole};
use crate::WagerRecord;

/// The parts of a wager's original stake, exactly: together they are 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parts {
    /// Cashed out.
    pub cashed: Exact,
    /// What the cash-outs have paid, minor units.
    pub cashed_pays: u64,
    /// Cancelled: returned.
    pub cancelled: Exact,
    /// Still in play.
    pub live: Exact,
}

impl Parts {
    /// The parts of a wager; `None` when all of it is in play.
    #[must_use]
    pub fn of(record: &WagerRecord) -> Option<Self> {
        let (cash_outs, cancelled) = (record.cash_outs(), record.cancelled());
        if cash_outs.is_empty() && cancelled.is_none() {
            return None;
        }
        let taken: u64 = cash_outs.iter().map(|c| c.stake.minor()).sum();
        let cashed = whole(taken) / whole(record.stake.minor());
        let left = whole(1) - &cashed;
        let asked = cancelled.map_or_else(|| whole(0), |c| fraction(c.share.num(), c.share.den()));
        let cancelled = if asked < left { asked } else { left.clone() };
        let live = left - &cancelled;
        Some(Self { cashed, cashed_pays: cash_outs.iter().map(|c| c.pays.minor()).sum(), cancelled, live })
    }
}

/// Stake that is still in play, whole minor units, rounded down.
#[must_use]
pub fn open_stake(record: &WagerRecord) -> u64 {
    let stake = record.stake.minor();
    Parts::of(record)
        .map_or(Some(stake), |parts| super::Rounding::Floor.round(&(parts.live * whole(stake))))
        .unwrap_or(stake)
}
