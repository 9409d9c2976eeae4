//! Draws: the simulator's only source of chance, a seeded generator with integer distributions, so that one seed is
//! one run on every machine. Knows no world.

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg64;

/// A stream of draws.
#[derive(Clone, Debug)]
pub(crate) struct Draw(Pcg64);

impl Draw {
    /// The stream of a seed and a purpose, so that one purpose's draws never shift another's.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        Self(Pcg64::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ purpose))
    }

    /// Any number.
    pub(crate) fn any(&mut self) -> u64 {
        self.0.random_range(0..=u64::MAX)
    }

    /// Below `n`; 0 when `n` is 0.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        if n == 0 { 0 } else { self.0.random_range(0..n) }
    }

    /// From `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low) + 1)
    }

    /// `true` in `ppm` of a million draws.
    pub(crate) fn ppm(&mut self, ppm: u64) -> bool {
        ppm > 0 && self.below(1_000_000) < ppm
    }

    /// `true` in `percent` of a hundred draws.
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.ppm(percent * 10_000)
    }

    /// About exponential with this mean, in integers: halvings counted, straight lines between them.
    pub(crate) fn exponential(&mut self, mean: u64) -> u64 {
        let halvings = u64::from(self.any().leading_zeros());
        mean * 693 * (halvings * 1_000 + self.below(1_000)) / 1_000_000
    }

    /// One of a list.
    pub(crate) fn of<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        let at = usize::try_from(self.below(list.len() as u64)).ok()?;
        list.get(at)
    }

    /// One of a list that has at least one.
    pub(crate) fn one<T: Copy>(&mut self, list: &[T]) -> T {
        *self.of(list).expect("the list has at least one element")
    }
}
