//! Wagers in batches at one of three real regions, with the exposure windows of `regions/topology.toml` and the others
//! acknowledging: what the spend rule and replication cost beside a region that is alone.
//!
//! Owns that row and the wait until the others hold everything; how wagers are timed is `batches`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::batches::{self, Rate};
use super::ground::Ground;
use super::usage::Usage;
use super::{FRESHNESS_MS, READY_WITHIN};
use crate::client::{Client, number, text};
use crate::demo::cluster::{Cluster, Plan};

/// The names of three regions.
pub(crate) const THREE: [&str; 3] = ["eu-west", "us-east", "ap-south"];
/// The topology that a stranger's clone starts with: its windows are measured, whatever they are.
const TOPOLOGY: &str = include_str!("../../../../regions/topology.toml");
/// Peers that are not level after so long never will be.
const LEVEL_WITHIN: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The `[windows.…]` tables of the topology.
///
/// # Errors
/// When it has none: the row would not measure what it says.
pub(crate) fn windows() -> anyhow::Result<&'static str> {
    let at = TOPOLOGY.find("\n[windows.").context("regions/topology.toml has no windows")?;
    Ok(TOPOLOGY.get(at..).unwrap_or_default())
}

/// Three regions on loopback, of this binary or another one, with windows or without.
///
/// # Errors
/// When they cannot be started.
pub(crate) async fn start(
    parent: Option<PathBuf>,
    binary: Option<PathBuf>,
    windows: &str,
    regions: &[&'static str],
) -> anyhow::Result<Cluster> {
    let plan = Plan {
        regions: regions.to_vec(),
        one_way: BTreeMap::new(),
        freshness_ms: FRESHNESS_MS,
        parent,
        binary,
        windows: windows.to_owned(),
    };
    let cluster = Cluster::start(&plan).await?;
    cluster.ready(READY_WITHIN).await?;
    Ok(cluster)
}

/// Waits until every other region has acknowledged all that the region at `url` has written. Alone: at once.
///
/// # Errors
/// When that takes too long.
pub(crate) async fn level(url: &str) -> anyhow::Result<()> {
    let mut client = Client::new(url)?;
    let until = Instant::now() + LEVEL_WITHIN;
    loop {
        let regions = client.get("/admin/v1/regions").await?.ok()?;
        let view = client.get("/admin/v1/replication").await?.ok()?;
        let own = number(&view, &format!("/logs/{}/index", text(&regions, "/site")));
        let links = view.get("links").and_then(Value::as_array).context("no links")?;
        if links.iter().all(|link| number(link, "/acked") >= own) {
            return Ok(());
        }
        if Instant::now() >= until {
            bail!("the others do not acknowledge entry {own}: {view}");
        }
        sleep(LOOK_EVERY).await;
    }
}

/// What was measured.
pub(crate) struct Measured {
    pub(crate) rate: Rate,
    /// In words: what the region did meanwhile, and how long the others needed to be level afterwards.
    pub(crate) note: String,
}

/// Wagers in batches at the first of three regions for about `seconds`.
///
/// # Errors
/// When a region cannot be started or a wager is not accepted.
pub(crate) async fn wagers(parent: Option<PathBuf>, accounts: u32, seconds: u64) -> anyhow::Result<Measured> {
    let cluster = start(parent, None, windows()?, &THREE).await?;
    let url = cluster.urls().into_iter().next().context("no region")?;
    let pid = cluster.pids().into_iter().next().context("no region")?;
    let ground = Ground::prepare(&url, "eu-west", accounts).await?;
    level(&url).await?;
    let usage = Usage::begin(pid, &url).await?;
    let rate = batches::wagers(&url, &ground, seconds).await?;
    let ended = Instant::now();
    let told = usage.told().await?;
    level(&url).await?;
    let behind = ended.elapsed().as_secs_f64();
    cluster.stop().await?;
    let note = format!("windows of the topology in force; the other two were level {behind:.1} s later; {told}");
    Ok(Measured { rate, note })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_topology_has_windows_of_the_currency_that_is_wagered() {
        let windows = super::windows().expect("there are some");
        assert!(windows.contains("[windows.EUR]") && windows.contains("exposure_per_region"), "{windows}");
    }
}
