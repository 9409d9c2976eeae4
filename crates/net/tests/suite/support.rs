//! A small cluster for the tests, and a hand-made QUIC client for what a well-behaved node never does.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use net::certs::{Ca, Issued, RegionRequest, create_cluster};
use net::wire::{ALPN, CONTROL_BYTE, stream_header};
use net::{Config, Event, Lane, Net, PeerConfig, Timing, server_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::mpsc;

pub(crate) const CLUSTER: &str = "test";
const PATIENCE: Duration = Duration::from_secs(20);

/// `(number, name)` of the regions in the tests.
pub(crate) const ALPHA: (u16, &str) = (1, "alpha");
pub(crate) const BETA: (u16, &str) = (2, "beta");
pub(crate) const GAMMA: (u16, &str) = (3, "gamma");

#[expect(clippy::disallowed_methods, reason = "TLS checks certificates against the real clock")]
pub(crate) fn now_unix_s() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

pub(crate) fn authority() -> Ca {
    create_cluster(CLUSTER, now_unix_s()).unwrap()
}

pub(crate) fn request((number, name): (u16, &str)) -> RegionRequest {
    RegionRequest { number, name: name.to_owned(), extra_names: Vec::new() }
}

pub(crate) fn issue(ca: &Ca, region: (u16, &str)) -> Issued {
    ca.issue(&request(region), now_unix_s()).unwrap()
}

pub(crate) fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

/// A peer that will dial us, so that its address does not matter.
pub(crate) fn waits_for((region, name): (u16, &str)) -> PeerConfig {
    PeerConfig { region, name: name.to_owned(), address: "127.0.0.1:1".to_owned() }
}

pub(crate) fn at((region, name): (u16, &str), address: SocketAddr) -> PeerConfig {
    PeerConfig { region, name: name.to_owned(), address: address.to_string() }
}

/// Quick to notice and to return.
pub(crate) fn config(ca: &Ca, me: (u16, &str), peers: Vec<PeerConfig>) -> Config {
    let issued = issue(ca, me);
    Config {
        cluster: CLUSTER.to_owned(),
        region: me.0,
        name: me.1.to_owned(),
        listen: loopback(),
        peers,
        ca_pem: ca.cert_pem().to_owned(),
        cert_pem: issued.cert_pem,
        key_pem: issued.key_pem,
        timing: Timing {
            keep_alive: Duration::from_millis(200),
            idle_timeout: Duration::from_millis(1500),
            handshake_timeout: Duration::from_secs(2),
            backoff_min: Duration::from_millis(20),
            backoff_max: Duration::from_millis(200),
        },
    }
}

/// A node and its events.
pub(crate) struct Node {
    pub(crate) net: Net,
    pub(crate) events: mpsc::Receiver<Event>,
}

impl Node {
    pub(crate) async fn start(config: Config) -> Self {
        Self::start_with_room(config, 64).await
    }

    pub(crate) async fn start_with_room(config: Config, events_max: usize) -> Self {
        let (sender, events) = mpsc::channel(events_max);
        let net = Net::start(config, sender).await.unwrap();
        Self { net, events }
    }

    pub(crate) async fn next(&mut self) -> Event {
        within(self.events.recv()).await.expect("the node runs")
    }

    pub(crate) async fn up(&mut self, region: u16) {
        match self.next().await {
            Event::Up { region: up, .. } => assert_eq!(up, region),
            other => panic!("instead of up: {other:?}"),
        }
    }

    pub(crate) async fn down(&mut self, region: u16) -> String {
        match self.next().await {
            Event::Down { region: down, why } => {
                assert_eq!(down, region);
                why
            }
            other => panic!("instead of down: {other:?}"),
        }
    }

    pub(crate) async fn refused(&mut self) -> String {
        match self.next().await {
            Event::Refused { why, .. } => why,
            other => panic!("instead of refused: {other:?}"),
        }
    }

    pub(crate) async fn frame(&mut self, lane: Lane) -> Bytes {
        match self.next().await {
            Event::Frame { lane: on, bytes, .. } => {
                assert_eq!(on, lane);
                bytes
            }
            other => panic!("instead of a frame: {other:?}"),
        }
    }
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("in time")
}

/// Alpha dials beta; both are up.
pub(crate) async fn pair(ca: &Ca) -> (Node, Node) {
    let mut beta = Node::start(config(ca, BETA, vec![waits_for(ALPHA)])).await;
    let mut alpha = Node::start(config(ca, ALPHA, vec![at(BETA, beta.net.local_addr())])).await;
    alpha.up(BETA.0).await;
    beta.up(ALPHA.0).await;
    (alpha, beta)
}

/// Both nodes still exchange frames.
pub(crate) async fn exchange(alpha: &mut Node, beta: &mut Node) {
    alpha.net.send(BETA.0, Lane::Log, Bytes::from_static(b"to beta")).unwrap();
    assert_eq!(beta.frame(Lane::Log).await, "to beta");
    beta.net.send(ALPHA.0, Lane::Log, Bytes::from_static(b"to alpha")).unwrap();
    assert_eq!(alpha.frame(Lane::Log).await, "to alpha");
}

/// A hand-made client; without `identity` it shows no certificate. Keep the endpoint while it is needed.
pub(crate) fn raw_endpoint(trusted: &Ca, identity: Option<&Issued>) -> quinn::Endpoint {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.cert_pem().as_bytes()).unwrap()).unwrap();
    let builder = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let mut tls = match identity {
        None => builder.with_no_client_auth(),
        Some(issued) => {
            let cert = CertificateDer::from_pem_slice(issued.cert_pem.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![cert], key).unwrap()
        }
    };
    tls.alpn_protocols = vec![ALPN.to_vec()];
    let quic = quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap();
    let mut endpoint = quinn::Endpoint::client(loopback()).unwrap();
    endpoint.set_default_client_config(quinn::ClientConfig::new(Arc::new(quic)));
    endpoint
}

pub(crate) async fn raw_connect(endpoint: &quinn::Endpoint, target: &Node, name: &str) -> quinn::Connection {
    let connecting = endpoint.connect(target.net.local_addr(), &server_name(CLUSTER, name)).unwrap();
    within(connecting).await.unwrap()
}

/// The control stream, then one stream for each of [`Lane::ALL`], headers written.
pub(crate) async fn raw_streams(connection: &quinn::Connection) -> Vec<quinn::SendStream> {
    let kinds = [CONTROL_BYTE].into_iter().chain(Lane::ALL.map(Lane::wire_byte));
    let mut streams = Vec::new();
    for kind in kinds {
        let mut stream = within(connection.open_uni()).await.unwrap();
        stream.write_all(&stream_header(kind)).await.unwrap();
        streams.push(stream);
    }
    streams
}

/// The code and the reason with which the node closed a hand-made connection.
pub(crate) async fn raw_closed(connection: &quinn::Connection) -> (u64, String) {
    match within(connection.closed()).await {
        quinn::ConnectionError::ApplicationClosed(close) => {
            (close.error_code.into_inner(), String::from_utf8(close.reason.to_vec()).unwrap())
        }
        other => panic!("instead of a coded close: {other:?}"),
    }
}
