//! Regions as processes of this binary on loopback, their gossip through relays that delay it and can cut it off.
//!
//! Owns the scratch folder, the children and the relays. It must not know what is done with the regions.

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use net::relay::{Relay, RelayOptions};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::settings::{self, RegionFiles};
use crate::client::{Client, text};

/// How long a region may take to stop when asked to.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
/// What is shown of the log of a region that died.
const TAIL_BYTES: u64 = 4_000;
const TAIL_LINES: usize = 12;

/// What to start.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Names; numbers are 1, 2, ... in this order.
    pub(crate) regions: Vec<&'static str>,
    /// Delay of each direction between two regions, by their places in `regions`, lower first.
    pub(crate) one_way: BTreeMap<(usize, usize), Duration>,
    /// Odds older than this are not sold, ms.
    pub(crate) freshness_ms: u64,
    /// Where the scratch folder is made; the system's folder for such when none.
    pub(crate) parent: Option<PathBuf>,
    /// What is started; this binary when none.
    pub(crate) binary: Option<PathBuf>,
    /// Exposure windows, as tables of the topology; empty: none.
    pub(crate) windows: String,
}

/// Running regions.
pub(crate) struct Cluster {
    regions: Vec<Running>,
    relays: BTreeMap<(usize, usize), Relay>,
    one_way: BTreeMap<(usize, usize), Duration>,
    first_exit: watch::Receiver<Option<usize>>,
    scratch: tempfile::TempDir,
}

/// Tells of the first process that ends.
pub(crate) struct Deaths(watch::Receiver<Option<usize>>);

impl Deaths {
    /// Waits for it; returns the region's place.
    pub(crate) async fn first(mut self) -> usize {
        match self.0.wait_for(Option::is_some).await {
            Ok(place) => place.unwrap_or_default(),
            // All processes were waited for by somebody else.
            Err(_) => std::future::pending().await,
        }
    }
}

/// One region's process.
struct Running {
    name: &'static str,
    url: String,
    log: PathBuf,
    pid: u32,
    /// None once its end was told.
    ended: Option<JoinHandle<std::io::Result<ExitStatus>>>,
}

impl Cluster {
    /// Makes certificates and settings, starts relays and processes. The regions may not be ready yet.
    ///
    /// # Errors
    /// When a file, a port or a process cannot be had; what was started is stopped.
    pub(crate) async fn start(plan: &Plan) -> anyhow::Result<Self> {
        let mut scratch = tempfile::Builder::new();
        scratch.prefix("stakehold-");
        let scratch = match &plan.parent {
            Some(parent) => scratch.tempdir_in(parent),
            None => scratch.tempdir(),
        };
        let scratch = scratch.context("cannot make a scratch folder")?;
        certificates(scratch.path(), &plan.regions).await?;

        let (http, gossip) = ports(plan.regions.len())?;
        let mut relays = BTreeMap::new();
        for (pair, one_way_delay) in &plan.one_way {
            // The lower number dials the higher.
            let target = *gossip.get(pair.1).context("a delay between regions that are not there")?;
            let options = RelayOptions { one_way_delay: *one_way_delay, ..RelayOptions::default() };
            relays.insert(*pair, Relay::start(loopback(0), target, options).await.context("cannot start a relay")?);
        }
        let (exited, first_exit) = watch::channel(None);
        let mut regions = Vec::new();
        for (place, name) in plan.regions.iter().enumerate() {
            let address =
                |other: usize| relays.get(&(place, other)).map(Relay::local_addr).or(gossip.get(other).copied());
            let addresses: Vec<SocketAddr> = (0..plan.regions.len()).filter_map(address).collect();
            let files =
                RegionFiles { scratch: scratch.path(), names: &plan.regions, place, http: &http, gossip: &addresses };
            let config = settings::write(&files, plan.freshness_ms, &plan.windows, plan.binary.is_none())?;
            let http = *http.get(place).context("one port a region")?;
            let binary = plan.binary.as_deref();
            regions.push(spawn(scratch.path(), name, (binary, config.as_path()), http, place, exited.clone())?);
        }
        Ok(Self { regions, relays, one_way: plan.one_way.clone(), first_exit, scratch })
    }

    /// Names, in order.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.regions.iter().map(|region| region.name).collect()
    }

    /// Where each region listens, in order.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.regions.iter().map(|region| region.url.clone()).collect()
    }

    /// The delay of each direction between two regions, as planned.
    pub(crate) fn one_way(&self, a: usize, b: usize) -> Duration {
        self.one_way.get(&(a.min(b), a.max(b))).copied().unwrap_or_default()
    }

    /// Process ids, in order.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.regions.iter().map(|region| region.pid).collect()
    }

    /// The scratch folder.
    pub(crate) fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// Waits until all regions say that they are ready.
    ///
    /// # Errors
    /// After `within`, with what the first laggard says.
    pub(crate) async fn ready(&self, within: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        for region in &self.regions {
            let mut client = Client::new(&region.url)?;
            loop {
                let said = match client.get("/health/ready").await {
                    Ok(reply) if reply.status.is_success() => break,
                    Ok(reply) => why_not(&reply.json()),
                    Err(e) => e.to_string(),
                };
                if Instant::now() >= deadline {
                    bail!("{} is not ready after {} s: {said}\n{}", region.name, within.as_secs(), tail(&region.log));
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    /// Cuts a region off from all others, or heals it.
    pub(crate) fn set_cut(&self, place: usize, cut: bool) {
        for (pair, relay) in &self.relays {
            if pair.0 == place || pair.1 == place {
                if cut { relay.cut() } else { relay.heal() }
            }
        }
    }

    /// A look-out for processes that end without having been asked to.
    pub(crate) fn deaths(&self) -> Deaths {
        Deaths(self.first_exit.clone())
    }

    /// How the region at `place` ended, and its last lines.
    pub(crate) async fn obituary(&mut self, place: usize) -> String {
        let Some(region) = self.regions.get_mut(place) else { return "a region is gone".to_owned() };
        let status = match region.ended.take() {
            Some(ended) => told(ended.await),
            None => "before".to_owned(),
        };
        format!("{} died ({status}); its last lines:\n{}", region.name, tail(&region.log))
    }

    /// Asks all regions to stop, waits, and removes the scratch folder.
    ///
    /// # Errors
    /// When a region had to be killed, or ended with another code than 0.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        for region in self.regions.iter().filter(|region| region.ended.as_ref().is_some_and(|e| !e.is_finished())) {
            signal(region.pid, "TERM").await;
        }
        let mut wrong = Vec::new();
        for region in self.regions {
            let Some(mut ended) = region.ended else { continue };
            match timeout(STOP_TIMEOUT, &mut ended).await {
                Ok(Ok(Ok(status))) if status.success() => {}
                Ok(other) => wrong.push(format!("{} ended ({}):\n{}", region.name, told(other), tail(&region.log))),
                Err(_) => {
                    signal(region.pid, "KILL").await;
                    wrong.push(format!("{} did not stop within {} s", region.name, STOP_TIMEOUT.as_secs()));
                }
            }
        }
        if wrong.is_empty() { Ok(()) } else { bail!("{}", wrong.join("\n")) }
    }
}

/// How a process ended, in words.
fn told(ended: Result<std::io::Result<ExitStatus>, tokio::task::JoinError>) -> String {
    match ended {
        Ok(Ok(status)) => status.to_string(),
        Ok(Err(e)) => e.to_string(),
        Err(e) => e.to_string(),
    }
}

/// Why a region is not ready, in one line.
fn why_not(body: &serde_json::Value) -> String {
    let said = ["money", "odds", "replication"].map(|function| text(body, &format!("/{function}/why")));
    let said: Vec<&str> = said.into_iter().filter(|why| !why.is_empty()).collect();
    if said.is_empty() { body.to_string() } else { said.join("; ") }
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Free addresses for HTTP and for gossip. They are given back before the children bind them.
fn ports(count: usize) -> anyhow::Result<(Vec<SocketAddr>, Vec<SocketAddr>)> {
    let (mut tcp, mut udp) = (Vec::new(), Vec::new());
    for _ in 0..count {
        tcp.push(TcpListener::bind(loopback(0)).context("no free TCP port")?);
        udp.push(UdpSocket::bind(loopback(0)).context("no free UDP port")?);
    }
    let tcp: Result<_, _> = tcp.iter().map(TcpListener::local_addr).collect();
    let udp: Result<_, _> = udp.iter().map(UdpSocket::local_addr).collect();
    Ok((tcp?, udp?))
}

/// Makes the cluster's authority and a certificate for each region with this binary's own command.
async fn certificates(scratch: &Path, names: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(settings::certs_arguments(scratch, names)).stdin(Stdio::null()).kill_on_drop(true);
    let made = command.output().await.context("cannot run `stakehold certs`")?;
    if !made.status.success() {
        bail!("`stakehold certs` failed ({}): {}", made.status, String::from_utf8_lossy(&made.stderr).trim());
    }
    Ok(())
}

fn spawn(
    scratch: &Path,
    name: &'static str,
    (binary, config): (Option<&Path>, &Path),
    http: SocketAddr,
    place: usize,
    exited: watch::Sender<Option<usize>>,
) -> anyhow::Result<Running> {
    let log = scratch.join(format!("{name}.log"));
    let file = std::fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut command = Command::new(binary.map_or_else(std::env::current_exe, |path| Ok(path.to_owned()))?);
    command.arg("serve").arg("--config").arg(config).stdin(Stdio::null());
    command.stdout(file.try_clone()?).stderr(file).kill_on_drop(true);
    // A group of its own: Ctrl-C reaches us, and we stop the regions in order.
    command.process_group(0);
    let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    let pid = child.id().with_context(|| format!("{name} ended at once"))?;
    let ended = tokio::spawn(async move {
        let ended = child.wait().await;
        exited.send_if_modified(|first| first.is_none() && first.replace(place).is_none());
        ended
    });
    Ok(Running { name, url: format!("http://{http}"), log, pid, ended: Some(ended) })
}

/// Sends a signal; a process that is gone already is as good.
async fn signal(pid: u32, name: &str) {
    let script = format!("kill -{name} {pid} 2>/dev/null");
    let _ = Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).status().await;
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = std::fs::File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        Ok(lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default().join("\n"))
    };
    read().unwrap_or_else(|e| format!("(no log: {e})"))
}
