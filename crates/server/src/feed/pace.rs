//! When each line of a recording is due, and what stands between the lines: pauses, heartbeats, progress.
//!
//! It must not know how lines are sent.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use tokio::sync::mpsc::error::TryRecvError;
use tokio::time::{Instant, sleep_until};

use super::lines::{Line, Lines};
use super::post::{GaveUp, Poster};
use super::times::{TimeMap, moved, published_ms};

/// Most lines of one call.
const CHUNK_LINES_MAX: usize = 1_000;
/// A call is sent when its lines have this many bytes.
const CHUNK_BYTES: usize = 4 << 20;
/// Silence after which a heartbeat is sent, by the wall clock.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Time between progress lines, on a terminal and elsewhere.
const PROGRESS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// How fast a recording goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speed {
    /// So many thousandths of real time pass in a real second; at least 1.
    Milli(u64),
    /// No pauses at all.
    Max,
}

impl std::str::FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "is none of real, max, and a number from 0.001 to 1000000".to_owned();
        match text {
            "real" => return Ok(Self::Milli(1_000)),
            "max" => return Ok(Self::Max),
            _ => {}
        }
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok())?;
        let scale = [100, 10, 1].get(part.len().wrapping_sub(1)).ok_or_else(wrong)?;
        let milli = digits(whole).ok_or_else(wrong)?.saturating_mul(1_000) + digits(part).ok_or_else(wrong)? * scale;
        if (1..=1_000_000_000).contains(&milli) { Ok(Self::Milli(milli)) } else { Err(wrong()) }
    }
}

/// How a recording is played.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pacing {
    /// How fast.
    pub(crate) speed: Speed,
    /// Times stay as recorded; otherwise the first line is now, and times pass as fast as the lines do.
    pub(crate) keep_times: bool,
}

/// Sends all lines, each when it is due.
///
/// # Errors
/// [`GaveUp`] when the region stays away or the source breaks; lines before it were sent.
pub(crate) async fn stream(lines: &mut Lines, poster: &mut Poster, pacing: Pacing) -> Result<(), GaveUp> {
    let mut play = Play { pacing, poster, start: None, chunk: Vec::new(), chunk_bytes: 0, progress: Progress::new() };
    loop {
        let line = match lines.try_recv() {
            Err(TryRecvError::Empty) => {
                play.flush().await?;
                lines.recv().await
            }
            Err(TryRecvError::Disconnected) => None,
            Ok(line) => Some(line),
        };
        match line {
            None => return play.flush().await,
            Some(Err(e)) => {
                play.flush().await?;
                return Err(GaveUp(format!("reading the recording: {e}")));
            }
            Some(Ok(line)) => play.take(line).await?,
        }
    }
}

/// A recording being played.
struct Play<'a> {
    pacing: Pacing,
    poster: &'a mut Poster,
    start: Option<Start>,
    chunk: Vec<Line>,
    chunk_bytes: usize,
    progress: Progress,
}

/// When the first line was sent, and what became of its time.
#[derive(Clone, Copy)]
struct Start {
    at: Instant,
    /// From recorded times to those that the region is told; not used when times are kept.
    told: TimeMap,
    /// From recorded times to ms since `at`.
    due: TimeMap,
}

impl Play<'_> {
    async fn take(&mut self, line: Line) -> Result<(), GaveUp> {
        let Some(recorded_ms) = published_ms(&line.text) else {
            // The region says what is wrong with it.
            return self.push(line).await;
        };
        let start = self.started(recorded_ms).await?;
        if let Speed::Milli(_) = self.pacing.speed {
            self.wait(start, recorded_ms).await?;
        }
        self.progress.market(&line.text);
        if self.pacing.keep_times {
            return self.push(line).await;
        }
        let published_ms = match self.pacing.speed {
            Speed::Milli(_) => start.told.at(recorded_ms),
            Speed::Max => start.told.to_ms + elapsed_ms(start.at),
        };
        let text = moved(&line.text, published_ms, &start.told);
        self.push(Line { text, ..line }).await
    }

    /// Fixes the times by the first line that has one.
    async fn started(&mut self, from_ms: u64) -> Result<Start, GaveUp> {
        if let Some(start) = self.start {
            return Ok(start);
        }
        let to_ms = if self.pacing.keep_times { from_ms } else { self.poster.now_ms().await? };
        let speed_milli = match self.pacing.speed {
            Speed::Milli(milli) => milli,
            Speed::Max => 1_000,
        };
        let told = TimeMap { from_ms, to_ms, speed_milli };
        let start = Start { at: Instant::now(), told, due: TimeMap { to_ms: 0, ..told } };
        self.start = Some(start);
        Ok(start)
    }

    /// Sends what is due, and then waits for the next line with a heartbeat now and then.
    async fn wait(&mut self, start: Start, recorded_ms: u64) -> Result<(), GaveUp> {
        let due = start.at + Duration::from_millis(start.due.at(recorded_ms));
        if due <= Instant::now() {
            return Ok(());
        }
        self.flush().await?;
        while due > Instant::now() + HEARTBEAT {
            sleep_until(Instant::now() + HEARTBEAT).await;
            self.poster.heartbeat(self.told_now_ms(start, recorded_ms)).await?;
            self.progress.show(self.poster);
        }
        sleep_until(due).await;
        Ok(())
    }

    /// The time of the stream in the pause before a line, as the region is told it.
    fn told_now_ms(&self, start: Start, next_recorded_ms: u64) -> u64 {
        let passed_ms = elapsed_ms(start.at);
        if self.pacing.keep_times {
            let passed_ms = passed_ms.saturating_mul(start.told.speed_milli) / 1_000;
            (start.told.from_ms + passed_ms).min(next_recorded_ms)
        } else {
            (start.told.to_ms + passed_ms).min(start.told.at(next_recorded_ms))
        }
    }

    async fn push(&mut self, line: Line) -> Result<(), GaveUp> {
        self.chunk_bytes += line.text.len() + 1;
        self.chunk.push(line);
        if self.chunk.len() >= CHUNK_LINES_MAX || self.chunk_bytes >= CHUNK_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), GaveUp> {
        if !self.chunk.is_empty() {
            self.poster.lines(&self.chunk).await?;
            self.chunk.clear();
            self.chunk_bytes = 0;
            self.progress.show(self.poster);
        }
        Ok(())
    }
}

fn elapsed_ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// A line on standard error now and then, for work that takes long.
struct Progress {
    next: Instant,
    every: Duration,
    market: String,
}

impl Progress {
    fn new() -> Self {
        let every = if std::io::stderr().is_terminal() { PROGRESS.0 } else { PROGRESS.1 };
        Self { next: Instant::now() + every, every, market: String::new() }
    }

    /// Remembers the first market that a line names.
    fn market(&mut self, line: &str) {
        let named = line.split_once(r#""mc":[{"#).and_then(|(_, changes)| changes.split_once(r#""id":""#));
        if let Some((market, _)) = named.and_then(|(_, rest)| rest.split_once('"')) {
            market.clone_into(&mut self.market);
        }
    }

    fn show(&mut self, poster: &Poster) {
        if Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + self.every;
        let tally = poster.tally();
        // Nobody is left to tell when standard error is gone.
        let _ = writeln!(
            std::io::stderr(),
            "feed: {} lines, {} refused, market {}",
            tally.lines,
            tally.refused,
            self.market
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_real_max_and_positive_numbers() {
        let read = |text: &str| text.parse::<Speed>();
        assert_eq!(read("real"), Ok(Speed::Milli(1_000)));
        assert_eq!(read("max"), Ok(Speed::Max));
        assert_eq!(
            (read("10"), read("2.5"), read("0.001")),
            (Ok(Speed::Milli(10_000)), Ok(Speed::Milli(2_500)), Ok(Speed::Milli(1)))
        );
        for wrong in ["", "0", "-1", "1.", "1.2345", "fast", ".", "+5", "1000001"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
