//! The watchdog: knows since when the engine's thread has been inside one step, and what to say of it.
//! Stops nothing; it turns readiness off until the step ends.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::{ReadyView, Text};

use crate::clock::Clock;

/// A step longer than this makes the node not ready until it ends.
pub(crate) const STALL: Duration = Duration::from_secs(2);

/// Between two steps.
const IDLE: u64 = 0;

/// Since when the current step runs.
#[derive(Debug)]
pub(crate) struct Watch {
    clock: Clock,
    /// Steady µs plus one; [`IDLE`] between steps.
    since_us: AtomicU64,
}

impl Watch {
    pub(crate) const fn new(clock: Clock) -> Self {
        Self { clock, since_us: AtomicU64::new(IDLE) }
    }

    /// A step begins.
    pub(crate) fn enter(&self) {
        self.since_us.store(self.steady_us() + 1, Ordering::Relaxed);
    }

    /// The step is over; how long it took.
    pub(crate) fn leave(&self) -> Duration {
        let since_us = self.since_us.swap(IDLE, Ordering::Relaxed);
        Duration::from_micros((self.steady_us() + 1).saturating_sub(since_us))
    }

    /// How long the current step has been running.
    pub(crate) fn busy(&self) -> Duration {
        match self.since_us.load(Ordering::Relaxed) {
            IDLE => Duration::ZERO,
            since_us => Duration::from_micros((self.steady_us() + 1).saturating_sub(since_us)),
        }
    }

    /// What to say of readiness while a step does not end; `None` when the engine can be asked.
    pub(crate) fn stalled(&self) -> Option<ReadyView> {
        let busy = self.busy();
        (busy > STALL).then(|| not_ready(busy))
    }

    fn steady_us(&self) -> u64 {
        u64::try_from(self.clock.steady().as_micros()).unwrap_or(u64::MAX)
    }
}

/// Readiness when the engine does not answer for `busy`.
pub(crate) fn not_ready(busy: Duration) -> ReadyView {
    let why = Some(Text::new(&format!("the engine has been busy with one step for {:.1} s", busy.as_secs_f64())));
    ReadyView { money: why.clone(), odds: why.clone(), replication: why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_does_not_end_is_noticed_and_forgotten_once_it_ends() {
        let watch = Watch::new(Clock::start());
        assert!(watch.stalled().is_none());
        watch.enter();
        assert!(watch.stalled().is_none(), "a step that has just begun");
        // As if it had begun long ago: the clock reads less than three seconds more than zero.
        let later = Watch { clock: watch.clock, since_us: AtomicU64::new(1) };
        assert_eq!(later.stalled().is_some(), later.busy() > STALL);
        let said = not_ready(Duration::from_millis(3_140));
        assert_eq!(said.money.unwrap().as_str(), "the engine has been busy with one step for 3.1 s");
        watch.leave();
        assert_eq!(watch.busy(), Duration::ZERO);
    }
}
