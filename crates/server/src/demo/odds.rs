//! The demo's odds: a recording or simulated football, streamed into one region; and what the stream said on the way:
//! which markets there are and who won.
//!
//! It must not know regions or wagers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use feeds::football::Football;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::client::text;
use crate::feed::lines::{Line, Lines, open};
use crate::feed::pace::{Pacing, Speed};
use crate::feed::times::published_ms;

/// Minutes on the pitch from the announcement of the first match to the last result, with some to spare.
const MATCH_MINUTES: u64 = 130;
/// Lines made ahead.
const AHEAD_LINES_MAX: usize = 1_024;

/// What happened to an outcome, by the stream's last word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It won.
    Won,
    /// It lost.
    Lost,
    /// It was withdrawn.
    Withdrawn,
}

/// What the stream has said so far, shared with whoever reads along.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// Market keys in the order of their first mention.
    markets: Vec<String>,
    /// Fates by market key and outcome key, of closed markets.
    fates: BTreeMap<(String, String), Fate>,
}

/// Where the odds come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A recording (NDJSON).
    Recording(PathBuf),
    /// Simulated matches.
    Football {
        /// One seed is one stream.
        seed: u64,
        /// How many matches.
        matches: u32,
    },
}

impl Source {
    /// For the report.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Recording(path) => format!("recording {}", path.display()),
            Self::Football { seed, matches } => format!("{matches} simulated football matches, seed {seed}"),
        }
    }

    /// The lines, and how to play them so that they end after about `seconds`. `now_ms` is the region's time.
    ///
    /// # Errors
    /// When a recording cannot be read.
    pub(crate) fn play(&self, seconds: u64, now_ms: u64, heard: &Heard) -> anyhow::Result<(Lines, Pacing)> {
        let (send, lines) = mpsc::channel(AHEAD_LINES_MAX);
        let heard = heard.clone();
        match self {
            Self::Recording(path) => {
                let span_ms = span_ms(path)?;
                let milli = (span_ms / seconds.max(1)).clamp(1_000, 1_000_000_000);
                let mut source = open(path)?;
                tokio::task::spawn_blocking(move || {
                    while let Some(line) = source.blocking_recv() {
                        if let Ok(line) = &line {
                            heard.listen(&line.text);
                        }
                        if send.blocking_send(line).is_err() {
                            return;
                        }
                    }
                });
                Ok((lines, Pacing { speed: Speed::Milli(milli), keep_times: false }))
            }
            Self::Football { seed, matches } => {
                let football = Football::with_minute_ms(*seed, *matches, now_ms, seconds * 1_000 / MATCH_MINUTES);
                tokio::task::spawn_blocking(move || {
                    for (number, (_, text)) in (1..).zip(football) {
                        heard.listen(&text);
                        if send.blocking_send(Ok(Line { number, text })).is_err() {
                            return;
                        }
                    }
                });
                // The matches are compressed already, and begin now.
                Ok((lines, Pacing { speed: Speed::Milli(1_000), keep_times: true }))
            }
        }
    }
}

/// Recorded time from the first line to the last.
fn span_ms(path: &Path) -> anyhow::Result<u64> {
    let recording = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let first = recording.lines().find_map(published_ms).with_context(|| format!("{} is no stream", path.display()))?;
    let last = recording.lines().rev().find_map(published_ms).unwrap_or(first);
    Ok(last.saturating_sub(first))
}

impl Heard {
    /// Market keys named so far.
    pub(crate) fn markets(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).markets.clone()
    }

    /// What happened to an outcome, once its market was closed.
    pub(crate) fn fate(&self, market: &str, outcome: &str) -> Option<Fate> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.fates.get(&(market.to_owned(), outcome.to_owned())).copied()
    }

    /// Markets that were closed, and all.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut closed: Vec<&str> = known.fates.keys().map(|(market, _)| market.as_str()).collect();
        closed.dedup();
        (closed.len(), known.markets.len())
    }

    fn listen(&self, line: &str) {
        if !line.contains("marketDefinition") {
            return;
        }
        let Ok(message) = serde_json::from_str::<Value>(line) else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for change in message.get("mc").and_then(Value::as_array).into_iter().flatten() {
            let Some(definition) = change.get("marketDefinition") else { continue };
            let market = format!("betfair:{}", text(change, "/id"));
            if !known.markets.contains(&market) {
                known.markets.push(market.clone());
            }
            if text(definition, "/status") != "CLOSED" {
                continue;
            }
            for runner in definition.get("runners").and_then(Value::as_array).into_iter().flatten() {
                let fate = match text(runner, "/status") {
                    "WINNER" => Fate::Won,
                    "LOSER" => Fate::Lost,
                    "REMOVED" => Fate::Withdrawn,
                    _ => continue,
                };
                known.fates.insert((market.clone(), outcome_key(runner)), fate);
            }
        }
    }
}

/// The outcome key of a runner: its id, and its handicap when it has one.
fn outcome_key(runner: &Value) -> String {
    let id = crate::client::number(runner, "/id");
    match runner.get("hc").map(Value::to_string) {
        Some(handicap) if !handicap.trim_matches(['-', '0', '.']).is_empty() => format!("{id}@{handicap}"),
        _ => id.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markets_and_winners_are_heard() {
        let heard = Heard::default();
        for (_, line) in Football::with_minute_ms(7, 2, 1_000_000, 100) {
            heard.listen(&line);
        }
        assert_eq!(heard.counts(), (4, 4));
        let known = heard.0.lock().unwrap();
        for market in &known.markets {
            let won = known.fates.iter().filter(|((of, _), fate)| of == market && **fate == Fate::Won).count();
            assert_eq!(won, 1, "{market}");
        }
    }

    #[tokio::test]
    async fn football_ends_within_the_seconds_it_was_given() {
        let source = Source::Football { seed: 3, matches: 4 };
        let (mut lines, pacing) = source.play(60, 1_000_000, &Heard::default()).unwrap();
        let mut last_ms = 0;
        while let Some(line) = lines.recv().await {
            last_ms = published_ms(&line.unwrap().text).unwrap();
        }
        assert!(pacing.keep_times && (1_040_000..=1_062_000).contains(&last_ms), "{last_ms}");
    }
}
