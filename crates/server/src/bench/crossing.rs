//! How long a price takes to another region while many other prices go the same way.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context as _;
use hdrhistogram::Histogram;
use net::relay::{Relay, RelayOptions};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::batches::REGISTERS;
use super::ground::{make_price_markets, price_body, write_odds};
use crate::client::Client;
use crate::demo::crossing::Probe;

/// Background calls are sent this often.
const TICK: Duration = Duration::from_millis(10);
/// Pause between two timed prices.
const PROBE_PAUSE: Duration = Duration::from_millis(20);
/// Datagrams timed through a relay like that of the regions.
const PINGS: u32 = 300;
/// A datagram is held to be lost after this long.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// What was measured, in µs.
pub(crate) struct Crossing {
    /// From sending the price to reading it in the other region.
    pub(crate) seen: Histogram<u64>,
    /// Of a datagram through a relay with the same delay, meanwhile, in this process.
    pub(crate) injected: Histogram<u64>,
    /// Prices not seen in time.
    pub(crate) lost: u64,
    /// Other price writes in a second that were applied meanwhile.
    pub(crate) background: f64,
}

/// Measures from the region at `from` to that at `to` for `seconds`, beside `per_second` other price writes.
///
/// # Errors
/// When a region refuses a price, or a relay cannot be had.
pub(crate) async fn crossing(
    (from, to): (&str, &str),
    delay: Duration,
    per_second: u32,
    seconds: u64,
) -> anyhow::Result<Crossing> {
    let mut client = Client::new(from)?;
    make_price_markets(&mut client, REGISTERS.0, REGISTERS.1).await?;
    let (stop, stopped) = watch::channel(false);
    let load = tokio::spawn(background(client, per_second, stopped.clone()));
    let probe = Probe {
        writer: from.to_owned(),
        readers: vec![(to.to_owned(), delay)],
        pause: PROBE_PAUSE,
        paused: Arc::new(AtomicBool::new(false)),
        stop: stopped,
    };
    let probe = tokio::spawn(probe.run());
    let pings = tokio::spawn(pings(delay, Duration::from_secs(seconds) / PINGS));
    sleep(Duration::from_secs(seconds)).await;
    stop.send_replace(true);
    let crossings = probe.await.context("the probe broke off")??;
    let background = load.await.context("the background load broke off")??;
    let injected = pings.await.context("the relay's pings broke off")??;
    let seen = crossings.micros.into_iter().next().context("nothing was measured")?;
    Ok(Crossing { seen, injected, lost: crossings.lost, background })
}

/// Writes prices at a fixed rate; returns how many a second were applied.
async fn background(mut client: Client, per_second: u32, stop: watch::Receiver<bool>) -> anyhow::Result<f64> {
    let each = per_second * u32::try_from(TICK.as_millis())? / 1_000;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (started, mut applied) = (Instant::now(), 0);
    for turn in 0_u32.. {
        ticks.tick().await;
        if *stop.borrow() {
            break;
        }
        let from = turn.wrapping_mul(each) % (REGISTERS.0 * REGISTERS.1);
        applied += write_odds(&mut client, price_body(turn, from, each, REGISTERS)).await?;
    }
    Ok(super::batches::per_second(applied, started.elapsed()))
}

/// Times datagrams through a relay of its own.
async fn pings(delay: Duration, pause: Duration) -> anyhow::Result<Histogram<u64>> {
    let mut micros = Histogram::new_with_bounds(1, 60_000_000, 3)?;
    let target = UdpSocket::bind("127.0.0.1:0").await?;
    let options = RelayOptions { one_way_delay: delay, ..RelayOptions::default() };
    let relay = Relay::start("127.0.0.1:0".parse()?, target.local_addr()?, options).await?;
    let sender = UdpSocket::bind("127.0.0.1:0").await?;
    sender.connect(relay.local_addr()).await?;
    for n in 0..PINGS {
        let sent = Instant::now();
        sender.send(&n.to_be_bytes()).await?;
        let mut heard = [0; 4];
        if timeout(PING_TIMEOUT, target.recv(&mut heard)).await.is_ok() {
            micros.saturating_record(u64::try_from(sent.elapsed().as_micros())?);
        }
        sleep(pause.saturating_sub(sent.elapsed())).await;
    }
    Ok(micros)
}
