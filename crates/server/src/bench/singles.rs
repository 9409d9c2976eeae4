//! Wagers one request at a time over 32 connections: as fast as answers come, and at a fixed rate.

use std::time::Duration;

use anyhow::{Context as _, bail};
use hdrhistogram::Histogram;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::ground::Ground;
use super::wire::Wire;

/// Connections.
pub(crate) const CONNECTIONS: u32 = 32;
/// Requests before anything is counted, on each connection.
const WARM_UP: u32 = 50;
/// Requests that are due and wait for their connection, at most; more means that the rate is not reached at all.
const BACKLOG_MAX: usize = 100_000;

/// Latencies of a run.
pub(crate) struct Run {
    /// µs.
    pub(crate) micros: Histogram<u64>,
    /// From the first counted request to the last.
    pub(crate) took: Duration,
}

impl Run {
    /// Acknowledged in a second.
    pub(crate) fn per_second(&self) -> f64 {
        super::batches::per_second(self.micros.len(), self.took)
    }

    /// A quantile in ms.
    pub(crate) fn millis(&self, quantile: f64) -> f64 {
        Duration::from_micros(self.micros.value_at_quantile(quantile)).as_secs_f64() * 1e3
    }
}

fn histogram() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 3)?)
}

/// One request: made, sent, answered with 201.
struct Connection {
    wire: Wire,
    wagers: super::ground::Wagers,
    body: Vec<u8>,
}

impl Connection {
    async fn new(host: &str, ground: &Ground, seed: u64) -> anyhow::Result<Self> {
        let wire = Wire::connect(host).await?;
        let mut connection = Self { wire, wagers: ground.wagers(seed), body: Vec::with_capacity(512) };
        for _ in 0..WARM_UP {
            connection.once().await?;
        }
        Ok(connection)
    }

    async fn once(&mut self) -> anyhow::Result<()> {
        self.body.clear();
        self.wagers.write(&mut self.body);
        match self.wire.post("/v1/wagers", &self.body).await? {
            201 => Ok(()),
            status => bail!("a wager was answered {status}"),
        }
    }
}

async fn connections(host: &str, ground: &Ground, seed: u64) -> anyhow::Result<Vec<Connection>> {
    let mut all = Vec::new();
    for n in 0..CONNECTIONS {
        all.push(Connection::new(host, ground, seed + u64::from(n)).await?);
    }
    Ok(all)
}

/// Each connection sends its next wager as soon as it has an answer.
///
/// # Errors
/// When a wager is not accepted.
pub(crate) async fn closed_loop(host: &str, ground: &Ground, seconds: u64) -> anyhow::Result<Run> {
    let connections = connections(host, ground, 10_000).await?;
    let started = Instant::now();
    let until = started + Duration::from_secs(seconds);
    let mut running = JoinSet::new();
    for mut connection in connections {
        let mut micros = histogram()?;
        running.spawn(async move {
            while Instant::now() < until {
                let sent = Instant::now();
                connection.once().await?;
                micros.saturating_record(u64::try_from(sent.elapsed().as_micros())?);
            }
            anyhow::Ok(micros)
        });
    }
    collect(running, started).await
}

/// Wagers fall due at a fixed rate, whether or not earlier ones were answered; latency counts from when each was due.
///
/// # Errors
/// When a wager is not accepted, or the region falls hopelessly behind.
pub(crate) async fn open_loop(host: &str, ground: &Ground, per_second: f64, seconds: u64) -> anyhow::Result<Run> {
    let connections = connections(host, ground, 20_000).await?;
    let mut running = JoinSet::new();
    let mut due = Vec::new();
    for mut connection in connections {
        let (send, mut receive) = mpsc::channel::<Instant>(BACKLOG_MAX);
        due.push(send);
        let mut micros = histogram()?;
        running.spawn(async move {
            while let Some(due) = receive.recv().await {
                connection.once().await?;
                micros.saturating_record(u64::try_from(due.elapsed().as_micros())?);
            }
            anyhow::Ok(micros)
        });
    }
    let started = Instant::now();
    let gap = Duration::from_secs_f64(1.0 / per_second.max(1.0));
    // A thread of its own: the runtime's timer counts whole milliseconds.
    std::thread::spawn(move || pace(&due, started, gap, Duration::from_secs(seconds)));
    collect(running, started).await
}

/// Hands out due times until the time is over, or a connection is gone or hopelessly behind.
fn pace(due: &[mpsc::Sender<Instant>], started: Instant, gap: Duration, total: Duration) {
    for (n, connection) in (0_u32..).zip(due.iter().cycle()) {
        let offset = gap.mul_f64(f64::from(n));
        if offset >= total {
            return;
        }
        let at = started + offset;
        loop {
            let left = at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            std::thread::park_timeout(left);
        }
        if connection.try_send(at).is_err() {
            return;
        }
    }
}

async fn collect(mut running: JoinSet<anyhow::Result<Histogram<u64>>>, started: Instant) -> anyhow::Result<Run> {
    let mut micros = histogram()?;
    while let Some(part) = running.join_next().await {
        micros.add(part.context("a connection broke off")??)?;
    }
    Ok(Run { micros, took: started.elapsed() })
}
