//! Whether regions are equal, and how far each has come, by their own admin calls.
//!
//! It must not know what made them differ.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::client::{Client, ClientError};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// Equal regions must stay the same for this long before nothing is held to be on its way.
const QUIET: Duration = Duration::from_millis(1_500);

/// How much of each site's log and odds a region knows, by `log/<site>` and `odds/<site>`.
type Progress = BTreeMap<String, u64>;

/// Regions that are looked at together.
pub(crate) struct Watch {
    clients: Vec<Client>,
}

impl Watch {
    /// Looks at these regions.
    ///
    /// # Errors
    /// When a URL cannot be used.
    pub(crate) fn new(urls: &[String]) -> Result<Self, ClientError> {
        let clients: Result<Vec<Client>, _> = urls.iter().map(|url| Client::new(url)).collect();
        Ok(Self { clients: clients? })
    }

    /// How far the furthest region is, site by site.
    ///
    /// # Errors
    /// When a region does not answer.
    pub(crate) async fn furthest(&mut self) -> Result<Progress, ClientError> {
        let mut furthest = Progress::new();
        for client in &mut self.clients {
            for (site, index) in progress(client).await? {
                let most = furthest.entry(site).or_default();
                *most = index.max(*most);
            }
        }
        Ok(furthest)
    }

    /// Waits until every region knows all of `wanted`; none when time runs out.
    ///
    /// # Errors
    /// When a region does not answer.
    pub(crate) async fn caught_up(
        &mut self,
        wanted: &Progress,
        within: Duration,
    ) -> Result<Option<Duration>, ClientError> {
        let since = Instant::now();
        for client in &mut self.clients {
            loop {
                let known = progress(client).await?;
                let lacks = wanted.iter().any(|(site, index)| known.get(site).copied().unwrap_or(0) < *index);
                if !lacks {
                    break;
                }
                if since.elapsed() >= within {
                    return Ok(None);
                }
                sleep(PAUSE).await;
            }
        }
        Ok(Some(since.elapsed()))
    }

    /// Waits until all regions have the same digests and nothing changes any more. Returns the digests, and the time
    /// until they were first equal; none and the last digests when time runs out.
    ///
    /// # Errors
    /// When a region does not answer.
    pub(crate) async fn equal(&mut self, within: Duration) -> Result<(Option<Duration>, Vec<Value>), ClientError> {
        let since = Instant::now();
        let mut same: Option<(Instant, Value)> = None;
        loop {
            let mut digests = Vec::new();
            for client in &mut self.clients {
                digests.push(client.get("/admin/v1/digest").await?.ok()?);
            }
            let first = digests.first().cloned().unwrap_or_default();
            same = match same.take() {
                _ if digests.iter().any(|digest| *digest != first) => None,
                Some((at, before)) if before == first => Some((at, before)),
                _ => Some((Instant::now(), first)),
            };
            match &same {
                Some((at, _)) if at.elapsed() >= QUIET => return Ok((Some(*at - since), digests)),
                _ if since.elapsed() >= within => return Ok((None, digests)),
                _ => sleep(PAUSE).await,
            }
        }
    }
}

async fn progress(client: &mut Client) -> Result<Progress, ClientError> {
    let known = client.get("/admin/v1/replication").await?.ok()?;
    let object = |key: &str| known.get(key).and_then(Value::as_object).into_iter().flatten();
    let logs = object("logs").map(|(site, log)| (format!("log/{site}"), crate::client::number(log, "/index")));
    let odds = object("odds").map(|(site, n)| (format!("odds/{site}"), n.as_u64().unwrap_or(0)));
    Ok(logs.chain(odds).collect())
}
