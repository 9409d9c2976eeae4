//! A node's clocks: a wall clock with offset, drift and jumps; a steady one since the process began.
//! Knows virtual time; knows no engine.

use engine::door::Now;

/// Unix ms at virtual time 0.
pub(crate) const EPOCH_MS: u64 = 1_790_000_000_000;

/// The clocks of one machine.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    /// Lead of the wall clock over true time, ms; negative lags.
    pub(crate) lead_ms: i64,
    /// Drift of both clocks, parts per million.
    pub(crate) drift_ppm: i64,
    /// Virtual time at which the process began.
    pub(crate) began_ms: u64,
    /// What the steady clock showed then.
    pub(crate) began_steady_ms: u64,
}

impl Clock {
    /// A reading at a virtual time.
    pub(crate) fn read(&self, at_ms: u64) -> Now {
        let wall = i128::from(EPOCH_MS) + i128::from(self.drifted(at_ms)) + i128::from(self.lead_ms);
        let steady = self.began_steady_ms + self.drifted(at_ms).saturating_sub(self.drifted(self.began_ms));
        Now { wall_ms: u64::try_from(wall).unwrap_or(0), steady_ms: steady }
    }

    /// Virtual time at which the steady clock shows at least `steady_ms`, not before `from_ms`.
    pub(crate) fn when(&self, steady_ms: u64, from_ms: u64) -> u64 {
        let mut at = from_ms + steady_ms.saturating_sub(self.read(from_ms).steady_ms);
        while self.read(at).steady_ms < steady_ms {
            at += 1;
        }
        at
    }

    fn drifted(&self, at_ms: u64) -> u64 {
        let extra = i128::from(at_ms) * i128::from(self.drift_ppm) / 1_000_000;
        u64::try_from(i128::from(at_ms) + extra).unwrap_or(0)
    }
}
