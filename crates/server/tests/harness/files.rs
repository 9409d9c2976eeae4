//! What a region needs on disk before it starts: certificates, topology, its own configuration. And free ports.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

use super::{Cluster, Process};

/// What a port is for.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Tcp,
    Udp,
}

/// Below the range from which the system gives ports to outgoing connections, so that none of those takes it meanwhile.
const PORT_FIRST: u16 = 18_000;
/// Ports that a test process may try before those of the next.
const PORTS_EACH: u16 = 20;
const PROCESSES: u32 = 600;

/// An address on loopback that nobody uses. Tests run in processes of their own: each looks in a range of its own.
pub(crate) fn free_address(kind: Kind) -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let share = u16::try_from(std::process::id() % PROCESSES).unwrap() * PORTS_EACH;
    for _ in 0..PORTS_EACH * 4 {
        let port = PORT_FIRST + share + NEXT.fetch_add(1, Ordering::Relaxed);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let free = match kind {
            Kind::Tcp => TcpListener::bind(address).is_ok(),
            Kind::Udp => UdpSocket::bind(address).is_ok(),
        };
        if free {
            return address;
        }
    }
    panic!("no free port from {} on", PORT_FIRST + share);
}

/// Certificates of a new authority for every region, by the binary itself.
pub(crate) async fn certificates(cluster: &Cluster, name: &str, folder: &Path) {
    let path = cluster.folder.path().join("topology.toml");
    std::fs::write(&path, topology(cluster, name, None)).unwrap();
    let arguments = ["certs", "--topology", path.to_str().unwrap(), "--out", folder.to_str().unwrap()];
    Process::run(&arguments, &cluster.folder.path().join("certs.log")).await;
}

/// Where a region keeps its data, in its own folder.
pub(crate) fn data_folder(home: &Path) -> PathBuf {
    home.join("data")
}

/// Writes a region's files into `home`; gives the arguments it is started with.
pub(crate) fn region(cluster: &Cluster, n: usize, name: &str, home: &Path, certs: &Path) -> Vec<String> {
    let node = &cluster.nodes[n];
    std::fs::write(home.join("topology.toml"), topology(cluster, name, Some(n))).unwrap();
    let mut text = format!("region = \"{}\"\ntopology = \"topology.toml\"\ndata_dir = \"data\"\n", node.name);
    write!(text, "[http]\nlisten = \"{}\"\n", node.http).unwrap();
    if cluster.nodes.len() > 1 {
        write!(text, "[gossip]\nlisten = \"{}\"\n", node.gossip).unwrap();
        let files = [("ca", "ca.pem".to_owned()), ("certificate", format!("{}.pem", node.name))];
        for (key, file) in files.into_iter().chain([("key", format!("{}-key.pem", node.name))]) {
            writeln!(text, "{key} = \"{}\"", certs.join(file).display()).unwrap();
        }
    }
    let path = home.join("region.toml");
    std::fs::write(&path, text).unwrap();
    let mut arguments = vec!["serve".to_owned(), "--config".to_owned(), path.to_str().unwrap().to_owned()];
    if cluster.spec.replay {
        arguments.extend(["--clock".to_owned(), "replay".to_owned()]);
    }
    arguments
}

/// The topology as region `seen_from` is to see it: the others may be behind relays.
fn topology(cluster: &Cluster, name: &str, seen_from: Option<usize>) -> String {
    let mut text = format!("cluster = \"{name}\"\nfreshness_ms = {}\n", cluster.spec.freshness_ms);
    if let Some((tail, max)) = cluster.spec.kept {
        write!(text, "log_tail_entries = {tail}\nlog_kept_entries_max = {max}\n").unwrap();
    }
    for (n, node) in cluster.nodes.iter().enumerate() {
        let gossip = seen_from.map_or(node.gossip, |from| cluster.address(from, n));
        let (number, name, http) = (node.number, node.name, node.http);
        write!(text, "[[regions]]\nnumber = {number}\nname = \"{name}\"\n").unwrap();
        write!(text, "gossip = \"{gossip}\"\nhttp = \"http://{http}\"\n").unwrap();
    }
    if let Some(window) = cluster.spec.window {
        write!(text, "[windows.GBP]\nexposure_per_account = \"{}.{:02}\"\n", window / 100, window % 100).unwrap();
    }
    text
}
