//! How many wagers and prices a region takes in batches, acknowledged durably.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use hyper::Method;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::ground::{Ground, Wagers, make_price_markets, price_body, write_odds};
use crate::client::Client;

/// Wagers of one call.
pub(crate) const BATCH: usize = 10_000;
/// Calls under way at a time: one is parsed while another is decided.
const CONNECTIONS: usize = 2;
/// Calls made beforehand and sent in one go.
const WAVE: usize = 20;
/// Most waves of a run.
const WAVES_MAX: usize = 15;
/// Longest wait for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Registers that price writes go to, as markets and outcomes.
pub(crate) const REGISTERS: (u32, u32) = (1_000, 10);
/// Price writes of one call.
const PRICES: u32 = 10_000;

/// A rate and how it was come by.
pub(crate) struct Rate {
    /// Acknowledged.
    pub(crate) count: u64,
    /// In this time; making the requests is not in it.
    pub(crate) took: Duration,
    /// Per second in the first and in the last part of the run.
    pub(crate) first_last: (f64, f64),
}

impl Rate {
    /// Acknowledged in a second.
    pub(crate) fn per_second(&self) -> f64 {
        per_second(self.count, self.took)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of a run is far below 2^52")]
pub(crate) fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64().max(1e-9)
}

/// Wagers in batches for about `seconds`.
///
/// # Errors
/// When a wager is not accepted.
pub(crate) async fn wagers(url: &str, ground: &Ground, seconds: u64) -> anyhow::Result<Rate> {
    let mut wagers = ground.wagers(42);
    let mut waves = Vec::new();
    // The first one only warms up.
    send(url, vec![wagers.batch(BATCH); 1]).await?;
    let mut took = Duration::ZERO;
    while took < Duration::from_secs(seconds) && waves.len() < WAVES_MAX {
        let wave = wave(url, &mut wagers, WAVE).await?;
        took += wave;
        waves.push(wave);
    }
    let of_wave = u64::try_from(WAVE * BATCH)?;
    let rate = |wave: Option<&Duration>| wave.map_or(0.0, |took| per_second(of_wave, *took));
    let count = of_wave * u64::try_from(waves.len())?;
    Ok(Rate { count, took, first_last: (rate(waves.first()), rate(waves.last())) })
}

/// Makes that many batches, sends them, and returns how long the sending took.
///
/// # Errors
/// When a wager is not accepted.
pub(crate) async fn wave(url: &str, wagers: &mut Wagers, batches: usize) -> anyhow::Result<Duration> {
    send(url, (0..batches).map(|_| wagers.batch(BATCH)).collect()).await
}

/// Sends batches over a few connections and returns how long that took. Answers are read through afterwards.
async fn send(url: &str, bodies: Vec<Bytes>) -> anyhow::Result<Duration> {
    let (bodies, next) = (Arc::new(bodies), Arc::new(AtomicUsize::new(0)));
    let mut sending = JoinSet::new();
    let started = Instant::now();
    for _ in 0..CONNECTIONS {
        let (mut client, bodies, next) =
            (Client::new(url)?.with_timeout(ANSWER_WITHIN), Arc::clone(&bodies), Arc::clone(&next));
        sending.spawn(async move {
            let mut answers = Vec::new();
            while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                let json = [("content-type", "application/json")];
                answers.push(client.send(Method::POST, "/v1/wagers/batch", &json, body.clone()).await?);
            }
            anyhow::Ok(answers)
        });
    }
    let mut answers = Vec::new();
    while let Some(answered) = sending.join_next().await {
        answers.extend(answered.context("a sender broke off")??);
    }
    let took = started.elapsed();
    for answer in answers {
        let accepted = String::from_utf8_lossy(&answer.body).matches("\"http_status\":201").count();
        if accepted != BATCH {
            let start: String = String::from_utf8_lossy(&answer.body).chars().take(400).collect();
            bail!("{accepted} of {BATCH} wagers accepted ({}): {start}", answer.status);
        }
    }
    Ok(took)
}

/// Prices in batches for about `seconds`.
///
/// # Errors
/// When a price is refused.
pub(crate) async fn prices(url: &str, seconds: u64) -> anyhow::Result<Rate> {
    let mut client = Client::new(url)?.with_timeout(ANSWER_WITHIN);
    make_price_markets(&mut client, REGISTERS.0, REGISTERS.1).await?;
    let bodies: Arc<Vec<Bytes>> = Arc::new((0..8).map(|turn| price_body(turn, 0, PRICES, REGISTERS)).collect());
    let mut sending = JoinSet::new();
    let started = Instant::now();
    for connection in 0..CONNECTIONS {
        let (mut client, bodies) = (Client::new(url)?.with_timeout(ANSWER_WITHIN), Arc::clone(&bodies));
        sending.spawn(async move {
            let mut applied = Vec::new();
            for body in bodies.iter().cycle().skip(connection * 4) {
                if started.elapsed() >= Duration::from_secs(seconds) {
                    break;
                }
                let count = write_odds(&mut client, body.clone()).await?;
                applied.push((started.elapsed(), count));
            }
            anyhow::Ok(applied)
        });
    }
    let mut applied = Vec::new();
    while let Some(sent) = sending.join_next().await {
        applied.extend(sent.context("a sender broke off")??);
    }
    let took = started.elapsed();
    let count = applied.iter().map(|(_, count)| count).sum();
    let half = took / 2;
    let in_half = |late: bool| {
        let of_half: u64 = applied.iter().filter(|(at, _)| (*at > half) == late).map(|(_, count)| count).sum();
        per_second(of_half, half)
    };
    Ok(Rate { count, took, first_last: (in_half(false), in_half(true)) })
}
