//! How long a price takes to cross regions: a price is written at one, and the others are asked until they show it.
//!
//! It must not know what delay there is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use hdrhistogram::Histogram;
use hyper::Method;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::client::{Client, NDJSON, text};

/// The market that is written, made by hand.
const MARKET: &str = "probe:crossing";
/// Its only outcome.
const OUTCOME: &str = "1";
/// A price that is not seen after this long is given up.
const SEEN_TIMEOUT: Duration = Duration::from_secs(5);
/// After a price can be there, it is looked for without a pause for this long: a timer's pauses would be measured too.
const LOOK_HARD: Duration = Duration::from_millis(20);
/// Pause between two looks after that.
const LOOK_PAUSE: Duration = Duration::from_millis(1);
/// The timer may wake this much late.
const TIMER_STEP: Duration = Duration::from_millis(2);
/// Different prices in turn; enough that an old one is never mistaken for a new one.
const PRICES: u64 = 9_000;

/// What was measured, in µs from sending the write to reading it elsewhere; the write's own commit is in it.
pub(crate) struct Crossings {
    /// By place in the list of readers.
    pub(crate) micros: Vec<Histogram<u64>>,
    /// Prices that were not seen in time.
    pub(crate) lost: u64,
}

/// Who writes, who reads, how often.
pub(crate) struct Probe {
    /// The region that is written.
    pub(crate) writer: String,
    /// The regions that are asked, each with a time before which a price cannot be there.
    pub(crate) readers: Vec<(String, Duration)>,
    /// Pause between a price seen everywhere and the next.
    pub(crate) pause: Duration,
    /// True: nothing is written, because a reader is cut off.
    pub(crate) paused: Arc<AtomicBool>,
    /// True: the end.
    pub(crate) stop: watch::Receiver<bool>,
}

impl Probe {
    /// Measures until told to stop.
    ///
    /// # Errors
    /// When the writing region refuses.
    pub(crate) async fn run(self) -> anyhow::Result<Crossings> {
        let mut writer = Client::new(&self.writer)?;
        let readers: Result<Vec<Client>, _> = self.readers.iter().map(|(url, _)| Client::new(url)).collect();
        let mut readers = readers?;
        let market = json!({"name": "Crossing probe", "event": MARKET, "outcomes": [{"outcome": OUTCOME}]});
        writer.json(Method::PUT, &format!("/v1/markets/{MARKET}"), &market).await?.ok()?;
        let empty = Histogram::new_with_bounds(1, 60_000_000, 3)?;
        let mut crossings = Crossings { micros: vec![empty; readers.len()], lost: 0 };
        for n in 0_u64.. {
            sleep(self.pause).await;
            if *self.stop.borrow() {
                break;
            }
            if self.paused.load(Ordering::SeqCst) {
                continue;
            }
            let odds = odds(n);
            let sent = Instant::now();
            let body = json!({"market": MARKET, "outcome": OUTCOME, "odds": odds}).to_string();
            let written = writer.send(Method::POST, "/v1/odds", &NDJSON, Bytes::from(body)).await?.ok()?;
            let refused = written.get("refused").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
            if refused {
                anyhow::bail!("a probe's price was refused: {written}");
            }
            let looks = readers.drain(..).zip(&self.readers);
            let looks = looks.map(|(reader, (_, least))| tokio::spawn(seen(reader, odds.clone(), sent, *least)));
            let looks: Vec<_> = looks.collect();
            for (look, micros) in looks.into_iter().zip(&mut crossings.micros) {
                let (reader, took) = look.await.context("a look at a price broke off")?;
                readers.push(reader);
                match took {
                    Some(took) => micros.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX)),
                    // It may have been cut off in the middle of a crossing.
                    None if self.paused.load(Ordering::SeqCst) => {}
                    None => crossings.lost += 1,
                }
            }
        }
        Ok(crossings)
    }
}

/// Asks until the price is there; gives the client back.
async fn seen(mut reader: Client, odds: String, sent: Instant, least: Duration) -> (Client, Option<Duration>) {
    let path = format!("/v1/markets/{MARKET}");
    let look = async {
        sleep_until(sent + least.saturating_sub(TIMER_STEP)).await;
        loop {
            if let Ok(reply) = reader.get(&path).await
                && text(&reply.json(), "/outcomes/0/odds") == odds
            {
                return sent.elapsed();
            }
            if sent.elapsed() > least + LOOK_HARD {
                sleep(LOOK_PAUSE).await;
            }
        }
    };
    let took = timeout(SEEN_TIMEOUT, look).await.ok();
    (reader, took)
}

/// The price of a turn, in the form in which a region writes it.
fn odds(n: u64) -> String {
    let hundredths = 200 + n % PRICES;
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn prices_are_written_as_short_as_a_region_writes_them() {
        assert_eq!([0, 1, 10, 100, 8_999].map(super::odds), ["2", "2.01", "2.1", "3", "91.99"]);
    }
}
