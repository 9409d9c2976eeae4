//! The owner's time: a stored maximum advanced by the steady clock. Wall-clock jumps never reach a decision.
//! Knows how to be told the time; never reads a clock.

use crdt::Hlc;

use crate::door::Now;

/// A wall step larger than this is slewed and alarmed, ms.
const STEP_MS_MAX: u64 = 2_000;
/// While slewing, owner's time runs faster than the steady clock by one part in this.
const SLEW_PARTS: u64 = 10;

/// Owner's time and the hybrid clock.
#[derive(Clone, Debug, Default)]
pub(crate) struct Time {
    owner_ms: u64,
    steady_ms: Option<u64>,
    replay: bool,
    slewing: bool,
    pub(crate) hlc: Hlc,
    pub(crate) peer_ahead_ms_max: u64,
}

/// What a reading found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reading {
    /// Nothing unusual.
    Fine,
    /// The wall clock is ahead by this many ms: slewing began.
    Stepped(u64),
}

impl Time {
    pub(crate) fn new(replay: bool) -> Self {
        Self { replay, ..Self::default() }
    }

    /// Restores the stored maximum.
    pub(crate) fn restore(&mut self, owner_ms: u64, hlc: Hlc) {
        self.owner_ms = owner_ms;
        self.hlc = hlc;
    }

    /// Takes a reading of the driver's clocks.
    pub(crate) fn read(&mut self, now: Now) -> Reading {
        let before = self.steady_ms.replace(now.steady_ms);
        if self.replay {
            return Reading::Fine;
        }
        let Some(before) = before else {
            // Nothing is known about the time the process was away: the wall says, the stored maximum holds.
            self.owner_ms = self.owner_ms.max(now.wall_ms);
            return Reading::Fine;
        };
        let passed = now.steady_ms.saturating_sub(before);
        self.owner_ms += passed;
        let lead = now.wall_ms.saturating_sub(self.owner_ms);
        if lead <= STEP_MS_MAX && !self.slewing {
            self.owner_ms += lead;
            return Reading::Fine;
        }
        let began = !self.slewing;
        self.owner_ms += lead.min(passed / SLEW_PARTS);
        self.slewing = now.wall_ms > self.owner_ms;
        if began && self.slewing { Reading::Stepped(lead) } else { Reading::Fine }
    }

    /// With the replay clock: time is what the clock register says.
    pub(crate) fn set_replay(&mut self, ms: u64) {
        if self.replay {
            self.owner_ms = self.owner_ms.max(ms);
        }
    }

    /// Owner's time, Unix ms.
    pub(crate) const fn owner_ms(&self) -> u64 {
        self.owner_ms
    }

    /// A new stamp.
    pub(crate) fn stamp(&mut self) -> Hlc {
        self.hlc = self.hlc.next(self.owner_ms);
        self.hlc
    }

    /// Learns a peer's stamp; `true` when it is too far ahead to be believed.
    pub(crate) fn learn(&mut self, seen: Hlc, ahead_ms_max: u64) -> bool {
        let ahead = seen.ms().saturating_sub(self.owner_ms);
        if !self.replay {
            self.peer_ahead_ms_max = self.peer_ahead_ms_max.max(ahead);
        }
        let bound = if self.replay { u64::MAX / 2 } else { ahead_ms_max };
        let (hlc, too_far) = self.hlc.learn(seen, self.owner_ms, bound);
        self.hlc = hlc;
        too_far
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(wall_ms: u64, steady_ms: u64) -> Now {
        Now { wall_ms, steady_ms }
    }

    #[test]
    fn time_never_goes_back_and_a_leap_is_slewed() {
        let mut t = Time::new(false);
        t.restore(5_000, Hlc::default());
        t.read(at(1_000, 0));
        assert_eq!(t.owner_ms(), 5_000, "the stored maximum holds");
        assert_eq!(t.read(at(1_000_000, 100)), Reading::Stepped(994_900));
        assert_eq!(t.owner_ms(), 5_110, "a tenth faster than the steady clock");
        assert_eq!(t.read(at(1_000_100, 200)), Reading::Fine, "alarmed once");
        assert_eq!(t.owner_ms(), 5_220);
    }

    #[test]
    fn small_leads_are_taken_over() {
        let mut t = Time::new(false);
        t.read(at(10_000, 0));
        t.read(at(10_300, 200));
        assert_eq!(t.owner_ms(), 10_300);
    }
}
