//! Which lines a wager has: one accumulator, or all combinations of some sizes beside bankers. Sums their products
//! without listing them. Knows multipliers as numbers; not what they mean.

use minicbor::{Decode, Encode};
use num_bigint::BigUint;
use num_rational::Ratio;

use super::Exact;
use crate::limits::{LEGS_MAX, LINES_MAX};

/// A system: every combination of `sizes` legs that are no bankers, each together with all bankers.
///
/// Trixie `[2,3]` of 3, Patent `[1,2,3]` of 3, Yankee `[2,3,4]` of 4, Lucky 15 `[1,2,3,4]` of 4, and so on.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Encode, Decode)]
pub struct System {
    #[n(0)]
    sizes: Vec<u8>,
    #[n(1)]
    bankers: Vec<u8>,
}

/// Why sizes and bankers are no system over so many legs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SystemError {
    /// No sizes.
    #[error("sizes is empty; it says how many legs beside the bankers make a line, such as [2,3]")]
    NoSizes,
    /// A size stands twice.
    #[error("a size stands twice")]
    SizeTwice,
    /// A size of 0, or above the number of legs that are no bankers.
    #[error("a size is 0 or above the number of legs that are not bankers")]
    SizeOutOfRange,
    /// A banker stands twice.
    #[error("a banker stands twice")]
    BankerTwice,
    /// A banker is not the index of a leg.
    #[error("a banker is not the index of a leg, from 0")]
    BankerOutOfRange,
    /// More than [`LINES_MAX`] lines.
    #[error("makes more than 10000 lines")]
    TooManyLines,
}

impl System {
    /// A system over `legs` legs.
    ///
    /// # Errors
    /// [`SystemError`] says why it is none.
    pub fn new(legs: usize, mut sizes: Vec<u8>, mut bankers: Vec<u8>) -> Result<Self, SystemError> {
        sizes.sort_unstable();
        bankers.sort_unstable();
        let system = Self { sizes, bankers };
        system.check(legs)?;
        Ok(system)
    }

    /// Whether it is one over `legs` legs, as it must be where it comes from another region.
    ///
    /// # Errors
    /// [`SystemError`] says why it is none.
    pub fn check(&self, legs: usize) -> Result<(), SystemError> {
        let repeats = |all: &[u8]| all.windows(2).any(|w| w.first() >= w.last());
        if self.sizes.is_empty() {
            return Err(SystemError::NoSizes);
        }
        if repeats(&self.sizes) {
            return Err(SystemError::SizeTwice);
        }
        if repeats(&self.bankers) {
            return Err(SystemError::BankerTwice);
        }
        if legs > LEGS_MAX || self.bankers.iter().any(|b| usize::from(*b) >= legs) {
            return Err(SystemError::BankerOutOfRange);
        }
        let free = legs - self.bankers.len();
        if self.sizes.iter().any(|s| *s == 0 || usize::from(*s) > free) {
            return Err(SystemError::SizeOutOfRange);
        }
        if self.lines(legs) > LINES_MAX { Err(SystemError::TooManyLines) } else { Ok(()) }
    }

    /// How many legs beside the bankers make a line, rising.
    #[must_use]
    pub fn sizes(&self) -> &[u8] {
        &self.sizes
    }

    /// Legs that stand in every line, by index, rising.
    #[must_use]
    pub fn bankers(&self) -> &[u8] {
        &self.bankers
    }

    /// Number of lines over so many legs. At most 2^30: legs are at most 30.
    #[must_use]
    pub fn lines(&self, legs: usize) -> u64 {
        let free = legs.min(LEGS_MAX).saturating_sub(self.bankers.len());
        self.sizes.iter().map(|size| choose(free as u64, u64::from(*size))).sum()
    }
}

/// Unit stakes in a wager: its lines, twice as many when each has a place part as well.
#[must_use]
pub fn lines_of(system: Option<&System>, legs: usize, each_way: bool) -> u64 {
    system.map_or(1, |s| s.lines(legs)) * if each_way { 2 } else { 1 }
}

/// `n` over `k`; `n` is at most 30, so every step fits.
fn choose(n: u64, k: u64) -> u64 {
    if k > n { 0 } else { (0..k).fold(1, |c, i| c * (n - i) / (i + 1)) }
}

/// Sum over all lines of the product of their multipliers.
///
/// For multipliers `a/b` it is a coefficient of the polynomial `Π (b + a·x)` over the product of all `b`: no list of
/// lines, no common denominators on the way, and one reduction at the end.
pub(super) fn sum_of_lines(system: Option<&System>, legs: &[&Exact]) -> Exact {
    let one = || BigUint::from(1u32);
    let den = legs.iter().fold(one(), |den, m| den * m.denom());
    let Some(system) = system else {
        return Ratio::new(legs.iter().fold(one(), |num, m| num * m.numer()), den);
    };
    let is_banker = |n: usize| system.bankers.iter().any(|b| usize::from(*b) == n);
    let (mut bankers, mut by_size) = (one(), vec![one()]);
    for (n, m) in legs.iter().enumerate() {
        if is_banker(n) {
            bankers *= m.numer();
            continue;
        }
        let mut longer = vec![BigUint::from(0u32); by_size.len() + 1];
        for (size, sum) in by_size.iter().enumerate() {
            for (at, factor) in [(size, m.denom()), (size + 1, m.numer())] {
                if let Some(slot) = longer.get_mut(at) {
                    *slot += sum * factor;
                }
            }
        }
        by_size = longer;
    }
    let num: BigUint = system.sizes.iter().filter_map(|size| by_size.get(usize::from(*size))).sum();
    Ratio::new(num * bankers, den)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(legs: usize, sizes: std::ops::RangeInclusive<u8>) -> u64 {
        System::new(legs, sizes.collect(), Vec::new()).unwrap().lines(legs)
    }

    #[test]
    fn the_named_systems_have_their_lines() {
        let full = [(3, 4), (4, 11), (5, 26), (6, 57), (7, 120), (8, 247)];
        for (legs, count) in full {
            assert_eq!(lines(legs, 2..=u8::try_from(legs).unwrap()), count, "all folds from two of {legs}");
        }
        for (legs, count) in [(3, 7), (4, 15), (5, 31), (6, 63)] {
            assert_eq!(lines(legs, 1..=u8::try_from(legs).unwrap()), count, "with singles, of {legs}");
        }
        let banked = System::new(5, vec![2], vec![4, 0]).unwrap();
        assert_eq!((banked.lines(5), banked.bankers()), (3, &[0, 4][..]));
        assert_eq!(lines_of(Some(&banked), 5, true), 6);
    }

    #[test]
    fn what_is_no_system_is_refused_for_what_is_wrong_with_it() {
        let no = |legs, sizes: &[u8], bankers: &[u8]| System::new(legs, sizes.to_vec(), bankers.to_vec()).unwrap_err();
        assert_eq!(no(3, &[], &[]), SystemError::NoSizes);
        assert_eq!(no(3, &[2, 2], &[]), SystemError::SizeTwice);
        assert_eq!(no(3, &[0], &[]), SystemError::SizeOutOfRange);
        assert_eq!(no(3, &[3], &[1]), SystemError::SizeOutOfRange);
        assert_eq!(no(3, &[1], &[1, 1]), SystemError::BankerTwice);
        assert_eq!(no(3, &[1], &[3]), SystemError::BankerOutOfRange);
        assert_eq!(no(30, &[15], &[]), SystemError::TooManyLines);
        assert_eq!(no(31, &[1], &[]), SystemError::BankerOutOfRange);
    }
}
