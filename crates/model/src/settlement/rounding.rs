//! The one rounding of a wager's payout, by a rule stored with it. Knows nothing of where the amount comes from.

use minicbor::{Decode, Encode};
use num_bigint::BigUint;

use super::Exact;

/// How an exact payout becomes whole minor units, once per wager. Books differ; the rule in force when a wager was
/// accepted stays with it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum Rounding {
    /// Down.
    #[n(0)]
    #[default]
    Floor,
    /// To the nearest, a half up.
    #[n(1)]
    HalfUp,
}

impl Rounding {
    /// Whole minor units; `None` when they do not fit 64 bits.
    #[must_use]
    pub fn round(self, exact: &Exact) -> Option<u64> {
        let (num, den) = (exact.numer(), exact.denom());
        let rounded = match self {
            Self::Floor => num / den,
            Self::HalfUp => (num * 2u32 + den) / (den * BigUint::from(2u32)),
        };
        u64::try_from(rounded).ok()
    }

    /// Its name in the HTTP contract.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::HalfUp => "half_up",
        }
    }
}
