//! Sending stream lines to a region and counting what became of them; patient while the region is away.
//!
//! It must not know when a line is due.

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::lines::Line;
use crate::client::{Client, ClientError, NDJSON, Reply, XML, number, text};

/// Refused lines that are shown one by one.
const SHOWN_MAX: usize = 10;
/// First pause before trying again; doubled up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// What a region says of a line whose market is past it: expected when a line may have been applied by an earlier try.
const CODE_SEEN: &str = "stale";

/// What became of all lines so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Lines of the recording that were answered.
    pub(crate) lines: u64,
    /// Applied.
    pub(crate) applied: u64,
    /// Of kinds that are not used.
    pub(crate) ignored: u64,
    /// Refused.
    pub(crate) refused: u64,
    /// Refused because an earlier try, whose answer was lost, had applied them.
    pub(crate) seen_before: u64,
    /// Heartbeats of our own.
    pub(crate) heartbeats: u64,
    /// The first ones refused.
    pub(crate) first_refused: Vec<Refused>,
}

/// A line that a region refused.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Place in the file, from 1.
    pub(crate) line: u64,
    /// The region's code.
    pub(crate) code: String,
    /// The region's words.
    pub(crate) detail: String,
}

/// Why nothing more can be sent.
#[derive(Debug)]
pub(crate) struct GaveUp(pub(crate) String);

impl std::fmt::Display for GaveUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for GaveUp {}

/// Sends to one region.
pub(crate) struct Poster {
    client: Client,
    patience: Duration,
    tally: Tally,
    /// Whether unreachability is said on standard error.
    loud: bool,
}

/// What one try came to.
enum Tried {
    Answered(Value),
    /// Nothing happened there; try again.
    NotNow(String, Option<Duration>),
    /// It may have happened; try again.
    Unknown(String),
}

impl Poster {
    /// A sender that gives up when a region stays away for `patience`.
    pub(crate) fn new(client: Client, patience: Duration) -> Self {
        Self { client, patience, tally: Tally::default(), loud: true }
    }

    /// The counts so far.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The counts.
    pub(crate) fn into_tally(self) -> Tally {
        self.tally
    }

    /// The region's own time, Unix ms.
    ///
    /// # Errors
    /// [`GaveUp`] when it cannot be had in time.
    pub(crate) async fn now_ms(&mut self) -> Result<u64, GaveUp> {
        let (answer, _) = self.insist(Method::GET, "/admin/v1/clock", &NDJSON, &Bytes::new()).await?;
        Ok(number(&answer, "/now_ms"))
    }

    /// Sends lines in one call and counts what became of them.
    ///
    /// # Errors
    /// [`GaveUp`] when the region stays away; whether the lines took effect is unknown then.
    pub(crate) async fn lines(&mut self, lines: &[Line]) -> Result<(), GaveUp> {
        let body: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        let body = Bytes::from(body.join("\n"));
        let (answer, unsure) = self.insist(Method::POST, "/v1/feeds/betfair", &NDJSON, &body).await?;
        let tally = &mut self.tally;
        tally.lines += u64::try_from(lines.len()).unwrap_or(u64::MAX);
        tally.applied += number(&answer, "/applied");
        tally.ignored += number(&answer, "/ignored");
        for refused in answer.get("refused").and_then(Value::as_array).into_iter().flatten() {
            let code = text(refused, "/code");
            if unsure && code == CODE_SEEN {
                tally.seen_before += 1;
                continue;
            }
            tally.refused += 1;
            if tally.first_refused.len() < SHOWN_MAX {
                let place = usize::try_from(number(refused, "/line")).unwrap_or(usize::MAX);
                let line = place.checked_sub(1).and_then(|index| lines.get(index)).map_or(0, |line| line.number);
                let detail = text(refused, "/detail").to_owned();
                tally.first_refused.push(Refused { line, code: code.to_owned(), detail });
            }
        }
        Ok(())
    }

    /// Sends a file of messages of the Unified Odds Feed in one call and counts what became of them; gives those that
    /// were refused, by their line in the file. A repeat of a message changes nothing, so a lost answer is no matter.
    ///
    /// # Errors
    /// As [`Poster::lines`].
    pub(crate) async fn messages(&mut self, xml: String) -> Result<Vec<Refused>, GaveUp> {
        let (answer, _) = self.insist(Method::POST, "/v1/feeds/uof", &XML, &Bytes::from(xml)).await?;
        self.tally.lines += number(&answer, "/messages");
        self.tally.applied += number(&answer, "/applied");
        self.tally.ignored += number(&answer, "/ignored");
        let refused = answer.get("refused").and_then(Value::as_array).into_iter().flatten();
        let refused = refused.map(|r| Refused {
            line: number(r, "/line"),
            code: text(r, "/code").to_owned(),
            detail: text(r, "/detail").to_owned(),
        });
        let refused: Vec<Refused> = refused.collect();
        self.tally.refused += u64::try_from(refused.len()).unwrap_or(u64::MAX);
        Ok(refused)
    }

    /// Sends a heartbeat.
    ///
    /// # Errors
    /// As [`Poster::lines`].
    pub(crate) async fn heartbeat(&mut self, published_ms: u64) -> Result<(), GaveUp> {
        let body = Bytes::from(super::times::heartbeat(published_ms));
        self.insist(Method::POST, "/v1/feeds/betfair", &NDJSON, &body).await?;
        self.tally.heartbeats += 1;
        Ok(())
    }

    /// Tries until there is an answer; also says whether an earlier try may have taken effect.
    async fn insist(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Bytes,
    ) -> Result<(Value, bool), GaveUp> {
        let (mut pause, mut unsure, mut away_since) = (PAUSE_MIN, false, None);
        loop {
            let tried = self.client.send(method.clone(), path, headers, body.clone()).await;
            let (why, at_least) = match judge(tried)? {
                Tried::Answered(answer) => {
                    if away_since.is_some() {
                        self.say("the region answers again");
                    }
                    return Ok((answer, unsure));
                }
                Tried::NotNow(why, at_least) => (why, at_least),
                Tried::Unknown(why) => {
                    unsure = true;
                    (why, None)
                }
            };
            let since = *away_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= self.patience {
                return Err(GaveUp(format!("{why}; gave up after {} s", self.patience.as_secs())));
            }
            self.say(&format!("{why}; trying again in {:.2} s", pause.as_secs_f32()));
            sleep(pause.max(at_least.unwrap_or_default().min(PAUSE_MAX))).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    fn say(&self, what: &str) {
        if self.loud {
            // Nobody is left to tell when standard error is gone.
            let _ = writeln!(std::io::stderr(), "feed: {what}");
        }
    }
}

/// Sorts a try into answered, again, and hopeless.
fn judge(tried: Result<Reply, ClientError>) -> Result<Tried, GaveUp> {
    match tried {
        Ok(reply) if reply.status.is_success() => Ok(Tried::Answered(reply.json())),
        Ok(reply) => {
            let retry_after = number(&reply.json(), "/retry_after_ms");
            let why = reply.problem();
            match reply.status {
                StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                    Ok(Tried::NotNow(why, Some(Duration::from_millis(retry_after))))
                }
                status if status.is_server_error() => Ok(Tried::Unknown(why)),
                _ => Err(GaveUp(why)),
            }
        }
        Err(ClientError::Connect(why)) => Ok(Tried::NotNow(why, None)),
        Err(ClientError::Unknown(why)) => Ok(Tried::Unknown(why)),
        Err(other) => Err(GaveUp(other.to_string())),
    }
}
