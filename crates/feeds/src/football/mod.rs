//! A seeded simulator of football matches that speaks the exchange stream. For demos, benches and tests.
//!
//! Pure: time is virtual (Unix milliseconds given at the start), every number is an integer, so one seed is one stream
//! on every machine. It must not know who reads it.

mod market;
mod odds;
mod play;

use std::collections::{BTreeSet, VecDeque};

use rand_pcg::{
    Pcg64,
    rand_core::{Rng as _, SeedableRng as _},
};

use play::Match;

/// Feed time between heartbeats while no market has news.
pub const HEARTBEAT_MS: u64 = 5_000;
/// Most matches of one simulator.
pub const MATCHES_MAX: u32 = 10_000;
/// Steps of a match in one minute on the pitch; each may move prices.
const STEPS_PER_MINUTE: u64 = 4;

/// A stream of exchange messages about football matches, each with a `MATCH_ODDS` and an `OVER_UNDER_25` market.
///
/// An iterator of `(feed time in Unix milliseconds, line without its end)` in the order of time; it ends when every
/// market is closed.
#[derive(Debug)]
pub struct Football {
    matches: Vec<Match>,
    /// When each match that is not over takes its next step, and its index.
    due: BTreeSet<(u64, usize)>,
    ready: VecDeque<(u64, String)>,
    heard_ms: u64,
    minute_ms: u64,
}

impl Football {
    /// `matches` (at most [`MATCHES_MAX`]) games that kick off within some minutes after `start_ms`; a minute on the
    /// pitch takes a minute of feed time.
    #[must_use]
    pub fn new(seed: u64, matches: u32, start_ms: u64) -> Self {
        Self::with_minute_ms(seed, matches, start_ms, 60_000)
    }

    /// The same with minutes of `minute_ms` (at least 4) feed milliseconds: with 100, a match of 90 minutes, its break
    /// and its stoppage time take about 11 seconds.
    #[must_use]
    pub fn with_minute_ms(seed: u64, matches: u32, start_ms: u64, minute_ms: u64) -> Self {
        let minute_ms = minute_ms.max(STEPS_PER_MINUTE);
        let mut rng = Pcg64::seed_from_u64(seed);
        let matches: Vec<Match> = (0..matches.min(MATCHES_MAX))
            .map(|number| Match::new(number, Pcg64::seed_from_u64(rng.next_u64()), start_ms, minute_ms))
            .collect();
        // Spread over one step, or all matches would speak at the same instants.
        let (step_ms, count) = (minute_ms / STEPS_PER_MINUTE, matches.len() as u64);
        let due = (0_u64..).zip(0..matches.len()).map(|(n, index)| (start_ms + n * step_ms / count, index)).collect();
        Self { matches, due, ready: VecDeque::new(), heard_ms: start_ms, minute_ms }
    }
}

impl Iterator for Football {
    type Item = (u64, String);

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() {
            let (at_ms, index) = *self.due.first()?;
            if at_ms > self.heard_ms + HEARTBEAT_MS {
                self.heard_ms += HEARTBEAT_MS;
                return Some((self.heard_ms, market::heartbeat(self.heard_ms)));
            }
            self.due.remove(&(at_ms, index));
            let game = self.matches.get_mut(index)?;
            if let Some(line) = game.step(at_ms) {
                self.ready.push_back((at_ms, line));
            }
            if !game.is_over() {
                self.due.insert((at_ms + self.minute_ms / STEPS_PER_MINUTE, index));
            }
        }
        let (at_ms, line) = self.ready.pop_front()?;
        self.heard_ms = at_ms;
        Some((at_ms, line))
    }
}
