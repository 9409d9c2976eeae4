//! Hybrid logical clock as a value: it never reads a clock, it is told the time.
//! Used for display, ties and `late_acceptance`; never for ordering money.

use minicbor::{Decode, Encode};

/// Milliseconds since the Unix epoch (48 bits) and a counter (16 bits), packed so that integer order is time order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Hlc(#[n(0)] pub u64);

impl Hlc {
    /// Packs a time. `ms` is kept to 48 bits (until the year 10889).
    #[must_use]
    pub const fn new(ms: u64, counter: u16) -> Self {
        Self((ms << 16) | counter as u64)
    }

    /// Unix milliseconds.
    #[must_use]
    pub const fn ms(self) -> u64 {
        self.0 >> 16
    }

    /// The next stamp at wall time `now_ms`: greater than `self`, and not before `now_ms`.
    #[must_use]
    pub fn next(self, now_ms: u64) -> Self {
        let wall = Self::new(now_ms, 0);
        if wall > self { wall } else { Self(self.0 + 1) }
    }

    /// Learns a peer's stamp, unless it is more than `ahead_ms_max` ahead of `now_ms` (then it is only reported).
    /// Returns the clock and whether the stamp was too far ahead.
    #[must_use]
    pub fn learn(self, seen: Self, now_ms: u64, ahead_ms_max: u64) -> (Self, bool) {
        if seen.ms() > now_ms.saturating_add(ahead_ms_max) { (self, true) } else { (self.max(seen), false) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_never_goes_back_when_the_wall_does() {
        let a = Hlc::default().next(1_000);
        let b = a.next(10);
        assert!(b > a);
        assert_eq!(b.ms(), 1_000);
    }

    #[test]
    fn a_stamp_far_ahead_is_reported_and_not_learned() {
        let now = Hlc::new(1_000, 0);
        assert_eq!(now.learn(Hlc::new(5_000, 0), 1_000, 1_000), (now, true));
        assert_eq!(now.learn(Hlc::new(1_900, 3), 1_000, 1_000), (Hlc::new(1_900, 3), false));
    }
}
