//! Real `stakehold serve` processes on loopback for the tests: a cluster in a temporary folder, relays between its
//! regions, and waits that are bounded. Knows how a region is started; knows nothing of what a test asks of it.

pub(crate) mod desk;
mod files;
mod http;
mod process;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use net::relay::{Relay, RelayOptions};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

pub(crate) use http::{Call, Client, Reply};
pub(crate) use process::Process;

/// Name of the cluster.
pub(crate) const CLUSTER: &str = "loopback";
/// Names of the regions in order; numbers are one more than the place.
pub(crate) const NAMES: [&str; 3] = ["eu-west", "us-east", "ap-south"];
/// A region that does not get ready in this time is broken. Two cores carry several clusters at a time.
const READY_MAX: Duration = Duration::from_secs(30);
/// Healed regions that do not become equal in this time never do.
const CONVERGED_MAX: Duration = Duration::from_secs(30);

/// What a cluster is like.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    /// 1 to 3.
    pub(crate) regions: usize,
    /// `--clock replay`.
    pub(crate) replay: bool,
    pub(crate) freshness_ms: u64,
    /// Relays between the regions, so that links can be cut; each holds datagrams for this long.
    pub(crate) relayed: Option<Duration>,
    /// Entries kept of every log: always, and for a silent region; the defaults if `None`.
    pub(crate) kept: Option<(u64, u64)>,
    /// What may be staked of one account in GBP before another region knows, minor units; no window if `None`.
    pub(crate) window: Option<u64>,
}

impl Default for Spec {
    fn default() -> Self {
        Self { regions: 3, replay: false, freshness_ms: 20_000, relayed: None, kept: None, window: None }
    }
}

/// One region.
pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) number: usize,
    pub(crate) client: Client,
    pub(crate) http: SocketAddr,
    pub(crate) gossip: SocketAddr,
    pub(crate) process: Option<Process>,
    /// Holds its data directory, configuration and log.
    pub(crate) home: PathBuf,
    pub(crate) log: PathBuf,
    arguments: Vec<String>,
}

/// A cluster; killed when dropped.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    /// By (dialler, target).
    relays: BTreeMap<(usize, usize), Relay>,
    pub(crate) spec: Spec,
    pub(crate) folder: TempDir,
}

impl Cluster {
    /// Makes certificates and configuration, starts every region, and waits until all are ready.
    pub(crate) async fn start(spec: Spec) -> Self {
        let folder = tempfile::Builder::new().prefix("stakehold-test-").tempdir().unwrap();
        let mut nodes = Vec::new();
        for (n, name) in NAMES.iter().take(spec.regions).enumerate() {
            let home = folder.path().join(name);
            std::fs::create_dir(&home).unwrap();
            let http = files::free_address(files::Kind::Tcp);
            let log = home.join("stakehold.log");
            let gossip = files::free_address(files::Kind::Udp);
            let arguments = Vec::new();
            let client = Client::new(http);
            nodes.push(Node { name, number: n + 1, client, http, gossip, process: None, home, log, arguments });
        }
        let mut cluster = Self { nodes, relays: BTreeMap::new(), spec, folder };
        if let Some(one_way_delay) = cluster.spec.relayed {
            cluster.relay(one_way_delay).await;
        }
        let certs = cluster.folder.path().join("certs");
        files::certificates(&cluster, CLUSTER, &certs).await;
        for n in 0..cluster.nodes.len() {
            let arguments = files::region(&cluster, n, CLUSTER, &cluster.nodes[n].home, &certs);
            cluster.nodes[n].arguments = arguments;
            cluster.launch(n);
        }
        for n in 0..cluster.nodes.len() {
            cluster.ready(n).await;
        }
        cluster
    }

    /// The lower number of a pair dials: one relay in front of each pair's higher number.
    async fn relay(&mut self, one_way_delay: Duration) {
        let options = RelayOptions { one_way_delay, ..RelayOptions::default() };
        for dialler in 0..self.nodes.len() {
            for target in dialler + 1..self.nodes.len() {
                let listen = "127.0.0.1:0".parse().unwrap();
                let relay = Relay::start(listen, self.nodes[target].gossip, options).await.unwrap();
                self.relays.insert((dialler, target), relay);
            }
        }
    }

    /// Where `from` finds `to`.
    fn address(&self, from: usize, to: usize) -> SocketAddr {
        self.relays.get(&(from, to)).map_or(self.nodes[to].gossip, Relay::local_addr)
    }

    /// Starts a region's process, with what is in its folder.
    pub(crate) fn launch(&mut self, n: usize) {
        let arguments: Vec<String> = self.nodes[n].arguments.clone();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.nodes[n].process = Some(Process::start(&arguments, &self.nodes[n].log));
    }

    /// Starts a process that has a region's number, name and addresses, but certificates of another authority, for a
    /// cluster of this name, and a directory of its own.
    pub(crate) async fn impostor(&self, n: usize, name: &str) -> Process {
        let home = self.folder.path().join(format!("impostor-{name}"));
        std::fs::create_dir(&home).unwrap();
        let certs = home.join("certs");
        files::certificates(self, name, &certs).await;
        let arguments = files::region(self, n, name, &home, &certs);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut process = Process::start(&arguments, &home.join("stakehold.log"));
        let until = Instant::now() + READY_MAX;
        while self.nodes[n].client.try_send(Call::get("/health/live")).await.is_err() {
            assert!(process.is_running(), "the impostor has stopped\n{}", process.last_words());
            assert!(Instant::now() < until, "the impostor does not answer");
            sleep(Duration::from_millis(20)).await;
        }
        process
    }

    /// A second process of a region that does not run now: a copy of its directory, at other addresses.
    pub(crate) fn twin(&self, n: usize) -> (Process, Client) {
        let home = self.folder.path().join("twin");
        std::fs::create_dir(&home).unwrap();
        copy_folder(&files::data_folder(&self.nodes[n].home), &files::data_folder(&home));
        let certs = self.folder.path().join("certs");
        let arguments = files::region(self, n, CLUSTER, &home, &certs);
        let (http, gossip) = (files::free_address(files::Kind::Tcp), files::free_address(files::Kind::Udp));
        let (path, node) = (home.join("region.toml"), &self.nodes[n]);
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.replace(&node.http.to_string(), &http.to_string());
        std::fs::write(&path, text.replace(&node.gossip.to_string(), &gossip.to_string())).unwrap();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        (Process::start(&arguments, &home.join("stakehold.log")), Client::new(http))
    }

    /// Keeps a copy of a dead region's data directory.
    pub(crate) fn back_up(&self, n: usize) {
        copy_folder(&files::data_folder(&self.nodes[n].home), &self.nodes[n].home.join("backup"));
    }

    /// Puts the copy in the place of a dead region's data directory.
    pub(crate) fn restore(&self, n: usize) {
        self.wipe(n);
        std::fs::rename(self.nodes[n].home.join("backup"), files::data_folder(&self.nodes[n].home)).unwrap();
    }

    /// The region is another incarnation from its next start on.
    pub(crate) fn reincarnate(&mut self, n: usize, incarnation: u32) {
        self.nodes[n].arguments.extend(["--incarnation".to_owned(), incarnation.to_string()]);
    }

    /// Loses a region's data directory.
    pub(crate) fn wipe(&self, n: usize) {
        std::fs::remove_dir_all(files::data_folder(&self.nodes[n].home)).unwrap();
        process::fresh_log(&self.nodes[n].log);
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, n: usize) {
        self.nodes[n].process.as_mut().unwrap().kill();
    }

    /// Waits until a region is ready for everything.
    pub(crate) async fn ready(&mut self, n: usize) {
        self.until_health(n, |ready| ready["ready"] == true).await;
    }

    /// Waits until a region takes wagers, linked or not.
    pub(crate) async fn takes_money(&mut self, n: usize) {
        self.until_health(n, |ready| ready["money"]["ready"] == true).await;
    }

    /// Waits until a region says that it is in quarantine, for everything that writes; gives the reason.
    pub(crate) async fn quarantined(&mut self, n: usize) -> String {
        let closed = |ready: &Value| ready["money"]["why"].as_str().is_some_and(|why| why.starts_with("quarantine"));
        self.until_health(n, |ready| ready["ready"] == false && ready["odds"]["ready"] == false && closed(ready)).await;
        let ready = self.nodes[n].client.send(Call::get("/health/ready")).await.expect(&[503]).json();
        ready["money"]["why"].as_str().unwrap().to_owned()
    }

    async fn until_health(&mut self, n: usize, good: impl Fn(&Value) -> bool) {
        let until = Instant::now() + READY_MAX;
        let node = &mut self.nodes[n];
        loop {
            let said = node.client.try_send(Call::get("/health/ready")).await;
            if said.as_ref().is_ok_and(|reply| good(&reply.json())) {
                return;
            }
            let process = node.process.as_mut().unwrap();
            assert!(process.is_running(), "{} has stopped\n{}", node.name, process.last_words());
            assert!(Instant::now() < until, "{} is not ready in {READY_MAX:?}: {said:?}", node.name);
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Cuts every link of a region.
    pub(crate) fn cut(&self, n: usize) {
        let mut links = 0;
        for (_, relay) in self.relays.iter().filter(|((a, b), _)| *a == n || *b == n) {
            relay.cut();
            links += 1;
        }
        assert!(links > 0, "a cluster without relays cannot be cut");
    }

    /// Cuts the link between two regions.
    pub(crate) fn cut_link(&self, dialler: usize, target: usize) {
        self.relays[&(dialler, target)].cut();
    }

    /// Lets everything through again.
    pub(crate) fn heal(&self) {
        self.relays.values().for_each(Relay::heal);
    }

    /// Waits until the digests of all regions are equal, and gives them.
    pub(crate) async fn converged(&self) -> Value {
        let until = Instant::now() + CONVERGED_MAX;
        loop {
            let mut digests = Vec::new();
            for node in &self.nodes {
                digests.push(node.client.get("/admin/v1/digest").await.expect(&[200]).json());
            }
            if digests.iter().all(|digest| *digest == digests[0]) {
                let logs = digests[0]["log"].as_object().unwrap();
                assert!(logs.values().all(|log| log["stopped"].is_null()), "a stream was stopped: {logs:#?}");
                return digests.swap_remove(0);
            }
            assert!(Instant::now() < until, "not equal in {CONVERGED_MAX:?}: {digests:#?}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Opens `name@region` at its region and gives it money there. The token covers both.
    pub(crate) async fn funded(&self, n: usize, name: &str, amount: &str) -> (String, String) {
        let node = &self.nodes[n];
        let account = format!("{name}@{}", node.name);
        let opened = Call::put(&format!("/v1/accounts/{account}")).json(&json!({"currency": "GBP"}));
        node.client.send(opened).await.expect(&[201]);
        let id = mint(&node.client, "posting").await;
        let paid = Call::post(&format!("/v1/accounts/{account}/deposits")).json(&json!({"id": id, "amount": amount}));
        let paid = node.client.send(paid).await.expect(&[201]);
        (account, paid.token)
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

/// One id of the region that `client` talks to, for a `wager` or a `posting`.
pub(crate) async fn mint(client: &Client, what: &str) -> String {
    let reply = client.send(Call::post(&format!("/v1/ids?for={what}"))).await.expect(&[200]);
    reply.json()["ids"][0].as_str().unwrap_or_else(|| panic!("no id: {reply}")).to_owned()
}

/// Minor units of an amount with two places, as the API writes it.
pub(crate) fn minor(amount: &Value) -> i64 {
    let text = amount.as_str().unwrap_or_else(|| panic!("not an amount: {amount}"));
    let (whole, places) = text.split_once('.').unwrap_or_else(|| panic!("not an amount in GBP: {text}"));
    assert_eq!(places.len(), 2, "not an amount in GBP: {text}");
    format!("{whole}{places}").parse().unwrap()
}
