//! One configured peer: dialling it again and again, or receiving it, and putting its connection in service.
//!
//! Owns who is welcome. Must not move frames (`link` does).

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use quinn::Connection;
use rustls::pki_types::CertificateDer;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::config::PeerConfig;
use crate::end::{CloseCode, LinkEnd};
use crate::identity::{RegionIdentity, server_name};
use crate::lane::{Lane, PerLane};
use crate::link::{Link, Streams, serve};
use crate::net::{Arrival, Event, Shared};
use crate::stats::{PeerCounters, PeerStats};

/// Addresses of one name that are tried in one attempt.
const ADDRESSES_MAX: usize = 4;

/// What is known of a peer, connected or not.
#[derive(Debug)]
pub(crate) struct Peer {
    config: PeerConfig,
    pub(crate) counters: PeerCounters,
    arriving: mpsc::Sender<Arrival>,
    link: Mutex<Option<Arc<Link>>>,
}

impl Peer {
    /// The peer, and where its connections arrive when it is the one that dials.
    pub(crate) fn new(config: PeerConfig) -> (Self, mpsc::Receiver<Arrival>) {
        let (arriving, arrivals) = mpsc::channel(1);
        let peer = Self { config, counters: PeerCounters::default(), arriving, link: Mutex::new(None) };
        (peer, arrivals)
    }

    pub(crate) fn region(&self) -> u16 {
        self.config.region
    }

    pub(crate) fn link(&self) -> Option<Arc<Link>> {
        self.lock().clone()
    }

    pub(crate) fn stats(&self) -> PeerStats {
        let link = self.link();
        let queued = |lane: Lane| link.as_ref().map(|link| link.queues.get(lane).queued()).unwrap_or_default();
        PeerStats {
            connected: link.is_some(),
            rtt: link.as_ref().map(|link| link.connection.rtt()),
            connects: self.counters.connects.get(),
            refused: self.counters.refused.get(),
            dial_failures: self.counters.dial_failures.get(),
            lanes: PerLane::from_fn(|lane| self.counters.lanes.get(lane).read(queued(lane))),
        }
    }

    async fn up(&self, shared: &Shared, connection: Connection) -> Arc<Link> {
        let rtt = connection.rtt();
        let link = Arc::new(Link::new(connection));
        *self.lock() = Some(Arc::clone(&link));
        self.counters.connects.add(1);
        tracing::info!(region = self.region(), name = self.config.name, ?rtt, "peer up");
        shared.emit(Event::Up { region: self.region(), rtt }).await;
        link
    }

    async fn down(&self, shared: &Shared, end: &LinkEnd) {
        *self.lock() = None;
        let why = end.to_string();
        tracing::info!(region = self.region(), name = self.config.name, why, "peer down");
        shared.emit(Event::Down { region: self.region(), why }).await;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Link>>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a connection with a peer of a higher number, until the node stops.
pub(crate) async fn dial_forever(shared: Arc<Shared>, peer: Arc<Peer>) {
    let timing = shared.config.timing;
    let mut backoff = timing.backoff_min;
    loop {
        let dialled = tokio::select! {
            () = shared.stopped() => return,
            dialled = dial(&shared, &peer) => dialled,
        };
        if let Some((connection, streams)) = dialled {
            let began = Instant::now();
            let link = peer.up(&shared, connection).await;
            let end = serve(&shared, &peer, &link, streams).await;
            peer.down(&shared, &end).await;
            if began.elapsed() >= timing.backoff_max {
                backoff = timing.backoff_min;
            }
        } else {
            peer.counters.dial_failures.add(1);
        }
        tokio::select! {
            () = shared.stopped() => return,
            () = tokio::time::sleep(jittered(backoff)) => {}
        }
        backoff = (backoff * 2).min(timing.backoff_max);
    }
}

/// Serves the connections of a peer of a lower number, one at a time, the newest winning.
pub(crate) async fn serve_arriving(shared: Arc<Shared>, peer: Arc<Peer>, mut arrivals: mpsc::Receiver<Arrival>) {
    let mut newer = None;
    loop {
        let arrival = match newer.take() {
            Some(arrival) => Some(arrival),
            None => tokio::select! {
                () = shared.stopped() => None,
                arrival = arrivals.recv() => arrival,
            },
        };
        let Some((connection, streams)) = arrival else { return };
        let link = peer.up(&shared, connection).await;
        let mut served = pin!(serve(&shared, &peer, &link, streams));
        let end = tokio::select! {
            end = &mut served => end,
            Some(arrival) = arrivals.recv() => {
                newer = Some(arrival);
                let end = LinkEnd::local(CloseCode::Replaced, "the same region connected again");
                end.close(&link.connection);
                served.await;
                end
            }
        };
        peer.down(&shared, &end).await;
    }
}

/// Takes an incoming connection through its handshake to the peer it belongs to, or refuses it.
pub(crate) async fn receive(shared: Arc<Shared>, incoming: quinn::Incoming) {
    let remote = incoming.remote_address();
    let patience = shared.config.timing.handshake_timeout;
    let connection = match timeout(patience, async { incoming.accept()?.await }).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(lost)) => return report(&shared, None, remote, &lost.into()),
        // Nobody proved to be anybody: a lost packet or a scanner.
        Err(_) => return,
    };
    let peer = match arrived(&shared, &connection) {
        Ok(peer) => peer,
        Err(end) => {
            end.close(&connection);
            return report(&shared, None, remote, &end);
        }
    };
    match open_streams(&shared, &connection).await {
        // Only a stopping node has nobody who waits for arrivals.
        Ok(streams) => drop(peer.arriving.send((connection, streams)).await),
        Err(end) => report(&shared, Some(&peer), remote, &end),
    }
}

/// One attempt: the name is resolved anew and its addresses are tried in order.
async fn dial(shared: &Shared, peer: &Peer) -> Option<Arrival> {
    let patience = shared.config.timing.handshake_timeout;
    let resolved = timeout(patience, tokio::net::lookup_host(&peer.config.address)).await;
    let addresses = match resolved {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(error)) => {
            tracing::debug!(region = peer.region(), %error, "the peer's address cannot be resolved");
            return None;
        }
        Err(_) => return None,
    };
    for remote in addresses.take(ADDRESSES_MAX) {
        match dial_address(shared, peer, remote).await {
            Ok(arrival) => return Some(arrival),
            Err(end) => report(shared, Some(peer), remote, &end),
        }
    }
    None
}

async fn dial_address(shared: &Shared, peer: &Peer, remote: SocketAddr) -> Result<Arrival, LinkEnd> {
    let name = server_name(&shared.config.cluster, &peer.config.name);
    let connecting = shared.endpoint.connect(remote, &name).map_err(|e| LinkEnd::NotDialled(e.to_string()))?;
    let connection = match timeout(shared.config.timing.handshake_timeout, connecting).await {
        Ok(connected) => connected?,
        Err(_) => return Err(LinkEnd::Lost(quinn::ConnectionError::TimedOut)),
    };
    let named = named_identity(&connection).and_then(|named| {
        let expected = shared.identity_of(peer.region());
        if named == expected { Ok(()) } else { Err(unexpected(&named, shared, &expected.uri())) }
    });
    if let Err(end) = named {
        end.close(&connection);
        return Err(end);
    }
    let streams = open_streams(shared, &connection).await?;
    Ok((connection, streams))
}

/// All streams in time, or the connection is closed.
async fn open_streams(shared: &Shared, connection: &Connection) -> Result<Streams, LinkEnd> {
    let opened = timeout(shared.config.timing.handshake_timeout, Streams::open(connection)).await;
    let end = match opened {
        Ok(Ok(streams)) => return Ok(streams),
        Ok(Err(end)) => end,
        Err(_) => LinkEnd::local(CloseCode::HandshakeTimeout, "the peer's streams did not come"),
    };
    end.close(connection);
    Err(end)
}

/// The peer that an accepted connection's certificate names, if it is one that should dial us.
fn arrived(shared: &Shared, connection: &Connection) -> Result<Arc<Peer>, LinkEnd> {
    let named = named_identity(connection)?;
    let same_cluster = named.cluster == shared.config.cluster;
    match shared.peers.get(&named.region) {
        Some(peer) if same_cluster && !shared.dials(named.region) => Ok(Arc::clone(peer)),
        Some(_) if same_cluster => {
            let why = format!("{}: the lower number of a pair dials, and that is us", named.uri());
            Err(LinkEnd::local(CloseCode::UnexpectedRegion, why))
        }
        _ => Err(unexpected(&named, shared, "one of our peers")),
    }
}

fn unexpected(named: &RegionIdentity, shared: &Shared, expected: &str) -> LinkEnd {
    let code =
        if named.cluster == shared.config.cluster { CloseCode::UnexpectedRegion } else { CloseCode::WrongCluster };
    LinkEnd::local(code, format!("the certificate names {}, expected is {expected}", named.uri()))
}

fn named_identity(connection: &Connection) -> Result<RegionIdentity, LinkEnd> {
    let chain = connection.peer_identity().and_then(|any| any.downcast::<Vec<CertificateDer<'static>>>().ok());
    let Some(leaf) = chain.as_deref().and_then(|chain| chain.first()) else {
        return Err(LinkEnd::local(CloseCode::CertificateInvalid, "the peer showed no certificate"));
    };
    RegionIdentity::from_certificate(leaf).map_err(|e| LinkEnd::local(CloseCode::CertificateInvalid, e.to_string()))
}

/// Refusals are events; what the network lost is only traced, for dialling goes on.
fn report(shared: &Shared, peer: Option<&Peer>, remote: SocketAddr, end: &LinkEnd) {
    if end.is_refusal() {
        shared.refused(peer, remote, end.to_string());
    } else {
        tracing::debug!(%remote, %end, "no connection");
    }
}

/// Between half and all of `backoff`, so that regions which lost a link together do not return together.
fn jittered(backoff: Duration) -> Duration {
    rand::random_range(backoff / 2..=backoff)
}
