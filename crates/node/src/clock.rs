//! The only reader of clocks in the house: everything else is told the time.
//! Knows no one who uses it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use engine::door::Now;

/// Both clocks of a process: the wall's, which may jump, and a steady one, which counts from the start.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A steady clock that reads zero now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the only clock")]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Both clocks, for the engine.
    #[must_use]
    pub fn now(&self) -> Now {
        Now { wall_ms: millis(since_epoch()), steady_ms: millis(self.steady()) }
    }

    /// Time since the start.
    #[must_use]
    pub fn steady(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Wall clock, Unix seconds; for certificates.
#[must_use]
pub fn unix_s() -> i64 {
    i64::try_from(since_epoch().as_secs()).unwrap_or(i64::MAX)
}

/// Wall clock, Unix ms.
#[must_use]
pub fn unix_ms() -> u64 {
    millis(since_epoch())
}

/// A wall clock before 1970 reads zero: the engine's own time never goes back to it.
#[expect(clippy::disallowed_methods, reason = "the only clock")]
fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
