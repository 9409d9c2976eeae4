//! The bounded counter's row (ESCROW.md 2.2): cumulative counters that only their owner writes and that only grow.
//! Absolute, so that applying one twice is harmless. Knows neither accounts nor currencies.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use crate::Site;

/// One site's row of one escrow, in minor units. Every field is cumulative and monotone.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
pub struct Row {
    /// Deposits.
    #[n(0)]
    pub dep: u64,
    /// Held to out: withdrawals confirmed.
    #[n(1)]
    pub wdr: u64,
    /// Free to reserved: stakes.
    #[n(2)]
    pub stk: u64,
    /// Reserved to free: released stakes.
    #[n(3)]
    pub rel: u64,
    /// Reserved to house: stakes consumed at settlement.
    #[n(4)]
    pub bur: u64,
    /// House to free: gross payouts.
    #[n(5)]
    pub pay: u64,
    /// Free to house: clawbacks.
    #[n(6)]
    pub clw: u64,
    /// Debt created by a clawback that found no free money.
    #[n(7)]
    pub dbt: u64,
    /// Debt repaid.
    #[n(8)]
    pub dpd: u64,
    /// Rights granted to other sites.
    #[n(9)]
    pub sent: BTreeMap<Site, u64>,
    /// Rights applied from other sites.
    #[n(10)]
    pub recv: BTreeMap<Site, u64>,
    /// Free to held: withdrawals prepared.
    #[n(11)]
    #[cbor(default)]
    pub hld: u64,
    /// Held to free: withdrawals released.
    #[n(12)]
    #[cbor(default)]
    pub unh: u64,
}

/// A row that cannot be a successor of another, or that overspends at its owner. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RowError {
    /// A cumulative counter went back.
    Regressed,
    /// A counter overflowed 64 bits.
    Overflow,
}

impl std::fmt::Display for RowError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Regressed => "a cumulative counter went back",
            Self::Overflow => "a cumulative counter overflowed",
        })
    }
}

impl std::error::Error for RowError {}

impl Row {
    /// No cumulative counter of a believable row is larger: sums of many stay far within 128 bits.
    pub const BELIEVED_MAX: u64 = 1 << 62;

    /// Rights this row may still spend. Negative only for a foreign row seen before what it received.
    #[must_use]
    pub fn free(&self) -> i128 {
        let credits = [self.dep, self.rel, self.pay, self.unh];
        let debits = [self.hld, self.stk, self.clw, self.dpd];
        sum(&credits) - sum(&debits) - total(&self.sent) + total(&self.recv)
    }

    /// Stakes reserved for open wagers.
    #[must_use]
    pub fn reserved(&self) -> i128 {
        sum(&[self.stk]) - sum(&[self.rel, self.bur])
    }

    /// Set aside for withdrawals that are neither confirmed nor released.
    #[must_use]
    pub fn held(&self) -> i128 {
        sum(&[self.hld]) - sum(&[self.unh, self.wdr])
    }

    /// Debt not yet repaid.
    #[must_use]
    pub fn debt(&self) -> i128 {
        i128::from(self.dbt) - i128::from(self.dpd)
    }

    /// Right-hand side of the conservation identity (ESCROW.md 2.2) for this row.
    #[must_use]
    pub fn booked(&self) -> i128 {
        sum(&[self.dep, self.pay]) - sum(&[self.wdr, self.bur, self.clw, self.dpd])
    }

    /// The greatest single counter, grants included.
    #[must_use]
    pub fn greatest(&self) -> u64 {
        let maps = self.sent.values().chain(self.recv.values()).copied();
        self.counters().into_iter().chain(maps).max().unwrap_or(0)
    }

    /// How much any counter may still grow at its owner, so that peers never see one beyond [`Row::BELIEVED_MAX`].
    #[must_use]
    pub fn room(&self) -> u64 {
        (Self::BELIEVED_MAX / 2).saturating_sub(self.greatest())
    }

    /// Pointwise maximum.
    pub fn join(&mut self, other: &Self) {
        let mine = self.counters_mut();
        for (a, b) in mine.into_iter().zip(other.counters()) {
            *a = (*a).max(b);
        }
        join_map(&mut self.sent, &other.sent);
        join_map(&mut self.recv, &other.recv);
    }

    /// Whether `next` may follow `self` in the owner's log: no counter goes back.
    ///
    /// # Errors
    /// [`RowError::Regressed`] when one does.
    pub fn check_successor(&self, next: &Self) -> Result<(), RowError> {
        let grows = self.counters().into_iter().zip(next.counters()).all(|(a, b)| a <= b);
        let maps = contains(&next.sent, &self.sent) && contains(&next.recv, &self.recv);
        if grows && maps { Ok(()) } else { Err(RowError::Regressed) }
    }

    fn counters(&self) -> [u64; 11] {
        let Self { dep, wdr, stk, rel, bur, pay, clw, dbt, dpd, hld, unh, sent: _, recv: _ } = self;
        [*dep, *wdr, *stk, *rel, *bur, *pay, *clw, *dbt, *dpd, *hld, *unh]
    }

    fn counters_mut(&mut self) -> [&mut u64; 11] {
        [
            &mut self.dep,
            &mut self.wdr,
            &mut self.stk,
            &mut self.rel,
            &mut self.bur,
            &mut self.pay,
            &mut self.clw,
            &mut self.dbt,
            &mut self.dpd,
            &mut self.hld,
            &mut self.unh,
        ]
    }
}

fn sum(parts: &[u64]) -> i128 {
    parts.iter().map(|n| i128::from(*n)).sum()
}

fn total(map: &BTreeMap<Site, u64>) -> i128 {
    map.values().map(|n| i128::from(*n)).sum()
}

fn join_map(mine: &mut BTreeMap<Site, u64>, other: &BTreeMap<Site, u64>) {
    for (site, n) in other {
        let slot = mine.entry(*site).or_default();
        *slot = (*slot).max(*n);
    }
}

fn contains(next: &BTreeMap<Site, u64>, before: &BTreeMap<Site, u64>) -> bool {
    before.iter().all(|(site, n)| next.get(site).is_some_and(|m| m >= n))
}
